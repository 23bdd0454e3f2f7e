/* Contexts: metadata, the framework's keys, the view of a direct call, limits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

#define OK(expression) CHECK_EQUAL((expression), AIMRT_RPC_RESULT_OK)

static void check_string(aimrt_rpc_context_t context, const char *want) {
  aimrt_rpc_buffer_t text;
  OK(aimrt_rpc_context_to_string(context, &text, NULL));
  CHECK_TEXT(((aimrt_rpc_str_t){(const char *)text.data, text.size}), want);
  aimrt_rpc_buffer_release(&text);
  CHECK(text.data == NULL);
  aimrt_rpc_buffer_release(&text);
}

static void metadata_is_ordered_and_replaced(void) {
  aimrt_rpc_context_t context = new_context();
  check_string(context, "Client context, timeout: 0ms, meta: {}");
  OK(aimrt_rpc_context_set(context, TEXT("a"), TEXT("1"), NULL));
  OK(aimrt_rpc_context_add(context, TEXT("b"), TEXT("2"), NULL));
  OK(aimrt_rpc_context_add(context, TEXT("a"), TEXT("3"), NULL));
  OK(aimrt_rpc_context_set_timeout_ns(context, 5000000000));
  check_string(context, "Client context, timeout: 5000ms, meta: {{\"a\":\"1\"},{\"b\":\"2\"},{\"a\":\"3\"}}");
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("a")), "1");
  OK(aimrt_rpc_context_set(context, TEXT("a"), TEXT("a longer value"), NULL));
  const aimrt_rpc_pair_t *pairs;
  size_t count;
  OK(aimrt_rpc_context_metadata(context, &pairs, &count, NULL));
  CHECK_EQUAL(count, 2);
  CHECK_TEXT(pairs[0].value, "a longer value");
  CHECK_TEXT(pairs[1].key, "b");
  /* A value that lies inside the context itself, while the context grows. */
  for (int i = 0; i < 300; i++) OK(aimrt_rpc_context_add(context, TEXT("copy"), aimrt_rpc_context_get(context, TEXT("a")), NULL));
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("copy")), "a longer value");
  OK(aimrt_rpc_context_remove(context, TEXT("copy"), NULL));
  OK(aimrt_rpc_context_remove(context, TEXT("absent"), NULL));
  aimrt_rpc_context_t copy;
  aimrt_rpc_context_set_used(context);
  OK(aimrt_rpc_context_copy(context, &copy, NULL));
  CHECK_EQUAL(aimrt_rpc_context_used(context), 1);
  CHECK_EQUAL(aimrt_rpc_context_used(copy), 0);
  OK(aimrt_rpc_context_reset(context, NULL));
  CHECK_EQUAL(aimrt_rpc_context_used(context), 0);
  CHECK_EQUAL(aimrt_rpc_context_timeout_ns(context), 0);
  CHECK_EQUAL(aimrt_rpc_context_get(context, TEXT("a")).size, 0);
  check_string(copy, "Client context, timeout: 5000ms, meta: {{\"a\":\"a longer value\"},{\"b\":\"2\"}}");
  aimrt_rpc_context_release(copy);
  aimrt_rpc_context_release(context);
  aimrt_rpc_context_release(context);
}

static void limits_are_kept_and_rewriting_does_not_grow(void) {
  aimrt_rpc_context_t context = new_context();
  char big[70000];
  memset(big, 'x', sizeof big);
  aimrt_rpc_error_t error;
  CHECK_EQUAL(aimrt_rpc_context_set(context, (aimrt_rpc_str_t){big, 65536}, TEXT("v"), &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  aimrt_rpc_error_free(error);
  OK(aimrt_rpc_context_set(context, (aimrt_rpc_str_t){big, 65535}, TEXT("v"), NULL));
  for (int i = 0; i < 20000; i++) OK(aimrt_rpc_context_set(context, TEXT("k"), (aimrt_rpc_str_t){big, 60000}, NULL));
  for (uint32_t i = 2; i < FRONT_MAX_CONTEXT_ENTRIES; i++) OK(aimrt_rpc_context_add(context, TEXT("n"), TEXT("1"), NULL));
  CHECK_EQUAL(aimrt_rpc_context_add(context, TEXT("n"), TEXT("1"), NULL), AIMRT_RPC_RESULT_LIMIT);
  OK(aimrt_rpc_context_set(context, TEXT("n"), TEXT("still replaceable"), NULL));
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("n")), "still replaceable");
  size_t room = FRONT_MAX_CONTEXT_BYTES;
  char *huge = malloc(room);
  CHECK(huge != NULL);
  memset(huge, 'y', room);
  CHECK_EQUAL(aimrt_rpc_context_set(context, TEXT("huge"), (aimrt_rpc_str_t){huge, room}, &error), AIMRT_RPC_RESULT_LIMIT);
  CHECK(aimrt_rpc_error_message(error).size != 0);
  aimrt_rpc_error_free(error);
  CHECK_EQUAL(aimrt_rpc_context_get(context, TEXT("huge")).size, 0);
  free(huge);
  aimrt_rpc_context_release(context);
}

/* What a handler saw of its context. */
typedef struct look {
  char text[1024];
  uint64_t timeout_ns;
  uint64_t left_ns;
  int write;
  aimrt_rpc_context_t handle;
} look;

static void looking_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  look *l = user_data;
  aimrt_rpc_context_t context = aimrt_rpc_call_context(call);
  CHECK(context != 0 && context == aimrt_rpc_call_context(call));
  CHECK_EQUAL(aimrt_rpc_context_kind(context), AIMRT_RPC_CONTEXT_KIND_SERVER);
  CHECK_EQUAL(aimrt_rpc_context_reset(context, NULL), AIMRT_RPC_RESULT_UNSUPPORTED);
  aimrt_rpc_context_release(context); /* borrowed: a no-op */
  if (l->write) {
    OK(aimrt_rpc_context_set(context, TEXT("mine"), TEXT("server"), NULL));
    OK(aimrt_rpc_context_set(context, TEXT("k"), TEXT("changed"), NULL));
    OK(aimrt_rpc_context_remove(context, TEXT("aimrt-backend"), NULL));
  }
  aimrt_rpc_buffer_t text;
  OK(aimrt_rpc_context_to_string(context, &text, NULL));
  CHECK(text.size < sizeof l->text);
  memcpy(l->text, text.data, text.size);
  l->text[text.size] = 0;
  aimrt_rpc_buffer_release(&text);
  l->timeout_ns = aimrt_rpc_context_timeout_ns(context);
  l->left_ns = aimrt_rpc_context_deadline_left_ns(context);
  l->handle = context;
  OK(aimrt_rpc_call_finish(call, NULL, &request->payload, NULL));
  CHECK_EQUAL(aimrt_rpc_context_get(context, TEXT("k")).size, 0); /* stale after the finish */
}

static void invoke_ok(front_method *method, aimrt_rpc_context_t context) {
  aimrt_rpc_call_options_t options = raw_options("hello");
  options.context = context;
  aimrt_rpc_code_t code = 99;
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, &call, NULL));
  CHECK_EQUAL(code, 0);
  aimrt_rpc_call_release(call);
}

static void both_sides_see_the_frameworks_keys(void) {
  const struct {
    uint32_t kind;
    int write;
    const char *server;
  } rows[] = {
      {FRONT_ENTRY_DIRECT, 0,
       "Server context, timeout: 5000ms, meta: {{\"k\":\"v\"},{\"aimrt-request_id\":\"1\"},{\"aimrt-serialization_type\":\"pb\"},"
       "{\"aimrt-backend\":\"local\"},{\"aimrt-function_name\":\"pb:/t.S/M\"},{\"aimrt-response_id\":\"1\"},"
       "{\"aimrt-from_pkg\":\"pkg_a\"},{\"aimrt-from_module\":\"module_a\"}}"},
      {FRONT_ENTRY_LOCAL, 0,
       "Server context, timeout: 5000ms, meta: {{\"k\":\"v\"},{\"aimrt-request_id\":\"2\"},{\"aimrt-serialization_type\":\"pb\"},"
       "{\"aimrt-backend\":\"local\"},{\"aimrt-function_name\":\"pb:/t.S/M\"},{\"aimrt-response_id\":\"2\"},"
       "{\"aimrt-from_pkg\":\"pkg_a\"},{\"aimrt-from_module\":\"module_a\"}}"},
      {FRONT_ENTRY_DIRECT, 1,
       "Server context, timeout: 5000ms, meta: {{\"k\":\"changed\"},{\"aimrt-request_id\":\"3\"},{\"aimrt-serialization_type\":\"pb\"},"
       "{\"aimrt-function_name\":\"pb:/t.S/M\"},{\"aimrt-response_id\":\"3\"},"
       "{\"aimrt-from_pkg\":\"pkg_a\"},{\"aimrt-from_module\":\"module_a\"},{\"mine\":\"server\"}}"},
  };
  fixture_begin();
  look l = {.write = 0};
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, looking_handler, &l);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  aimrt_rpc_context_t context = new_context();
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    publish(method, rows[i].kind, service);
    l.write = rows[i].write;
    OK(aimrt_rpc_context_reset(context, NULL));
    OK(aimrt_rpc_context_set(context, TEXT("k"), TEXT("v"), NULL));
    /* What a client sets under the framework's names does not reach the service. */
    OK(aimrt_rpc_context_set(context, TEXT("aimrt-from_pkg"), TEXT("forged"), NULL));
    invoke_ok(method, context);
    CHECK_TEXT(((aimrt_rpc_str_t){l.text, strlen(l.text)}), rows[i].server);
    CHECK_EQUAL(l.timeout_ns, 5000000000);
    CHECK(rows[i].kind == FRONT_ENTRY_DIRECT ? l.left_ns == UINT64_MAX : l.left_ns > 0 && l.left_ns <= 5000000000);
    char want[256];
    snprintf(want, sizeof want,
             "Client context, timeout: 5000ms, meta: {{\"k\":\"v\"},{\"aimrt-from_pkg\":\"forged\"},{\"aimrt-request_id\":\"%zu\"},"
             "{\"aimrt-serialization_type\":\"pb\"},{\"aimrt-backend\":\"local\"}}",
             i + 1);
    check_string(context, want);
  }
  /* A write after the call turns the framework's keys into plain ones. */
  OK(aimrt_rpc_context_set(context, TEXT("aimrt-backend"), TEXT("other"), NULL));
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("aimrt-backend")), "other");
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("aimrt-request_id")), "3");
  aimrt_rpc_context_release(context);
  fixture_end();
}

static void the_clients_serialization_and_address_are_used(void) {
  fixture_begin();
  look l = {.write = 0};
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, looking_handler, &l);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_LOCAL, service);
  atomic_store(&fix.mode, ENGINE_ECHO_INSIDE);
  aimrt_rpc_context_t context = new_context();
  OK(aimrt_rpc_context_set(context, TEXT("aimrt-serialization_type"), TEXT("weird"), NULL));
  OK(aimrt_rpc_context_set_timeout_ns(context, 2000000000));
  invoke_ok(method, context);
  CHECK(strstr(l.text, "{\"aimrt-serialization_type\":\"weird\"}") != NULL);
  CHECK_EQUAL(l.timeout_ns, 2000000000);
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("aimrt-serialization_type")), "weird");
  OK(aimrt_rpc_context_reset(context, NULL));
  /* With an address the engine decides, and no backend is shown. */
  OK(aimrt_rpc_context_set(context, TEXT("aimrt-to_addr"), TEXT("http://robot"), NULL));
  OK(aimrt_rpc_context_set(context, TEXT("k"), TEXT("v"), NULL));
  invoke_ok(method, context);
  CHECK_EQUAL(ctest_count(&fix.starts), 1);
  CHECK_EQUAL(strcmp(fix.to_addr, "http://robot"), 0);
  CHECK_EQUAL(strcmp(fix.seen, "aimrt-to_addr=http://robot;k=v;"), 0);
  CHECK_EQUAL(fix.timeout_ns, 5000000000);
  CHECK_EQUAL(aimrt_rpc_context_get(context, TEXT("aimrt-backend")).size, 0);
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("aimrt-request_id")), "2");
  OK(aimrt_rpc_context_reset(context, NULL));
  OK(aimrt_rpc_context_set(context, TEXT("aimrt-to_addr"), TEXT(""), NULL));
  invoke_ok(method, context);
  CHECK_EQUAL(ctest_count(&fix.starts), 1);
  aimrt_rpc_context_release(context);
  fixture_end();
}

static keeper kept;

static void retained_contexts_outlive_the_call(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_LOCAL; kind++) {
    uint32_t i = kind - FRONT_ENTRY_DIRECT;
    publish(method, kind, service);
    aimrt_rpc_context_t client = new_context();
    OK(aimrt_rpc_context_set(client, TEXT("k"), TEXT("v"), NULL));
    heard h = {.code = 99};
    char request[6] = "hello";
    aimrt_rpc_call_options_t options = raw_options(request);
    options.context = client;
    options.done = hear;
    options.user_data = &h;
    OK(aimrt_rpc_call_start(front_method_handle(method), &options, NULL, NULL));
    memset(request, 'z', 5); /* the bytes were copied */
    CHECK_EQUAL(aimrt_rpc_context_reset(client, NULL), AIMRT_RPC_RESULT_INVALID_STATE);
    aimrt_rpc_call_t call = kept.calls[i];
    OK(aimrt_rpc_call_retain(call, NULL));
    OK(aimrt_rpc_call_retain(call, NULL));
    aimrt_rpc_context_t server = aimrt_rpc_call_context(call);
    OK(aimrt_rpc_call_finish(call, NULL, NULL, NULL));
    CHECK_EQUAL(ctest_count(&h.count), 1);
    CHECK_EQUAL(aimrt_rpc_call_finish(call, NULL, NULL, NULL), AIMRT_RPC_RESULT_INVALID_HANDLE);
    OK(aimrt_rpc_context_reset(client, NULL));
    aimrt_rpc_context_release(client);
    CHECK_TEXT(aimrt_rpc_context_get(server, TEXT("k")), "v");
    CHECK_TEXT(aimrt_rpc_context_get(server, TEXT("aimrt-function_name")), "pb:/t.S/M");
    CHECK_EQUAL(memcmp(kept.requests[i].payload.bytes.data, "hello", 5), 0);
    CHECK_EQUAL(aimrt_rpc_call_context(call), server);
    CHECK_EQUAL(front_runtime_open_calls(fix.runtime), 0);
    aimrt_rpc_context_t copy;
    OK(aimrt_rpc_context_copy(server, &copy, NULL));
    aimrt_rpc_call_release(call);
    aimrt_rpc_call_release(call);
    CHECK_EQUAL(aimrt_rpc_call_context(call), 0);
    CHECK_EQUAL(aimrt_rpc_context_get(server, TEXT("k")).size, 0);
    CHECK_EQUAL(aimrt_rpc_context_kind(copy), AIMRT_RPC_CONTEXT_KIND_SERVER);
    CHECK_TEXT(aimrt_rpc_context_get(copy, TEXT("k")), "v");
    aimrt_rpc_context_release(copy);
  }
  fixture_end();
}

static void merge_copies_the_passed_keys_only(void) {
  fixture_begin();
  const uint32_t sizes[] = {5, 7};
  CHECK_EQUAL(front_runtime_set_passed_keys(fix.runtime, "traceabsent1", sizes, 2), 1);
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_DIRECT, service);
  aimrt_rpc_context_t client = new_context();
  aimrt_rpc_context_t next = new_context();
  OK(aimrt_rpc_context_set(client, TEXT("trace"), TEXT("t1"), NULL));
  OK(aimrt_rpc_context_set(client, TEXT("secret"), TEXT("s1"), NULL));
  aimrt_rpc_call_options_t options = raw_options("x");
  options.context = client;
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_start(front_method_handle(method), &options, &call, NULL));
  aimrt_rpc_context_t server = aimrt_rpc_call_context(kept.calls[0]);
  aimrt_rpc_handle_t rpc = front_module_rpc(fix.server);
  OK(aimrt_rpc_handle_merge_context(rpc, server, next, NULL));
  CHECK_TEXT(aimrt_rpc_context_get(next, TEXT("trace")), "t1");
  CHECK_EQUAL(aimrt_rpc_context_get(next, TEXT("secret")).size, 0);
  CHECK_EQUAL(aimrt_rpc_handle_merge_context(rpc, next, server, NULL), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  CHECK_EQUAL(aimrt_rpc_handle_merge_context(front_module_handle(fix.server), server, next, NULL), AIMRT_RPC_RESULT_INVALID_HANDLE);
  OK(aimrt_rpc_call_finish(kept.calls[0], NULL, NULL, NULL));
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(client);
  aimrt_rpc_context_release(next);
  fixture_end();
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"metadata_is_ordered_and_replaced", metadata_is_ordered_and_replaced},
      {"limits_are_kept_and_rewriting_does_not_grow", limits_are_kept_and_rewriting_does_not_grow},
      {"both_sides_see_the_frameworks_keys", both_sides_see_the_frameworks_keys},
      {"the_clients_serialization_and_address_are_used", the_clients_serialization_and_address_are_used},
      {"retained_contexts_outlive_the_call", retained_contexts_outlive_the_call},
      {"merge_copies_the_passed_keys_only", merge_copies_the_passed_keys_only},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
