/* Client calls in every kind and every way of delivery, their failures, timeouts and cancels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

#include "objects.h"
#include "timer.h"

#define OK(expression) CHECK_EQUAL((expression), AIMRT_RPC_RESULT_OK)

static keeper kept;

static aimrt_rpc_code_t invoke_code(front_method *method, aimrt_rpc_call_options_t options) {
  aimrt_rpc_code_t code = 99;
  OK(aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, NULL, NULL));
  return code;
}

/* ---- Ways of delivery --------------------------------------------------------------------------------------------------- */

static void check_event(aimrt_rpc_queue_t queue, uint64_t tag, aimrt_rpc_code_t code, const char *bytes) {
  aimrt_rpc_event_t events[2];
  size_t count;
  OK(aimrt_rpc_queue_wait(queue, CTEST_PATIENCE_NS, NULL));
  OK(aimrt_rpc_queue_drain(queue, events, 2, &count, NULL));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(events[0].kind, AIMRT_RPC_EVENT_CALL_FINISHED);
  CHECK_EQUAL(events[0].tag, tag);
  CHECK_EQUAL(events[0].code, code);
  CHECK_TEXT(events[0].message, aimrt_rpc_code_string(code));
  CHECK_TEXT(((aimrt_rpc_str_t){(const char *)events[0].payload.bytes.data, events[0].payload.bytes.size}), bytes);
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
  OK(aimrt_rpc_call_outcome(events[0].call, &outcome, NULL));
  CHECK_EQUAL(outcome.code, code);
  aimrt_rpc_call_release(events[0].call);
  CHECK_EQUAL(aimrt_rpc_call_outcome(events[0].call, &outcome, NULL), AIMRT_RPC_RESULT_INVALID_HANDLE);
}

static void deliver_all_ways(front_method *method, aimrt_rpc_code_t code, const char *bytes) {
  aimrt_rpc_method_t handle = front_method_handle(method);
  uint64_t live = aimrt_rpc_live_count(AIMRT_RPC_KIND_CALL);
  /* Callback, without and with a handle. */
  for (int with_handle = 0; with_handle < 2; with_handle++) {
    heard h = {.code = 99};
    aimrt_rpc_call_options_t options = raw_options("hello");
    options.done = hear;
    options.user_data = &h;
    aimrt_rpc_call_t call = 0;
    OK(aimrt_rpc_call_start(handle, &options, with_handle ? &call : NULL, NULL));
    CHECK(ctest_reach(&h.count, 1));
    CHECK_EQUAL(h.code, code);
    CHECK_EQUAL(strcmp(h.bytes, bytes), 0);
    CHECK_EQUAL(h.call, call);
    if (!with_handle) continue;
    OK(aimrt_rpc_call_wait(call, CTEST_PATIENCE_NS, NULL));
    CHECK_EQUAL(aimrt_rpc_call_cancel(call, NULL), AIMRT_RPC_RESULT_LOST);
    aimrt_rpc_call_release(call);
    aimrt_rpc_call_release(call);
  }
  /* Wait. */
  aimrt_rpc_call_options_t options = raw_options("hello");
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_start(handle, &options, &call, NULL));
  OK(aimrt_rpc_call_wait(call, UINT64_MAX, NULL));
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
  OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
  CHECK_EQUAL(outcome.code, code);
  CHECK(outcome_text_is(&outcome, bytes));
  aimrt_rpc_call_release(call);
  /* Blocking. */
  aimrt_rpc_code_t got = 99;
  OK(aimrt_rpc_call_invoke(handle, &options, &got, &call, NULL));
  CHECK_EQUAL(got, code);
  OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
  CHECK(outcome_text_is(&outcome, bytes));
  aimrt_rpc_call_release(call);
  CHECK_EQUAL(invoke_code(method, options), code);
  /* Queue: with the handle of start, with it released early, and without it. */
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  for (uint64_t way = 0; way < 3; way++) {
    options.queue = queue;
    options.tag = 70 + way;
    OK(aimrt_rpc_call_start(handle, &options, way < 2 ? &call : NULL, NULL));
    if (way == 1) aimrt_rpc_call_release(call);
    check_event(queue, 70 + way, code, bytes);
  }
  aimrt_rpc_queue_release(queue);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_CALL), live);
}

static void every_kind_is_delivered_in_every_way(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  deliver_all_ways(method, AIMRT_RPC_CODE_CLI_NOT_READY, ""); /* nothing published yet */
  publish(method, FRONT_ENTRY_DIRECT, service);
  deliver_all_ways(method, 0, "hello");
  publish(method, FRONT_ENTRY_LOCAL, service);
  deliver_all_ways(method, 0, "hello");
  publish(method, FRONT_ENTRY_ENGINE, NULL);
  atomic_store(&fix.mode, ENGINE_ECHO);
  deliver_all_ways(method, 0, "hello");
  atomic_store(&fix.mode, ENGINE_ECHO_INSIDE);
  deliver_all_ways(method, 0, "hello");
  publish_refusal(method, AIMRT_RPC_CODE_SVR_NOT_FOUND, "");
  deliver_all_ways(method, AIMRT_RPC_CODE_SVR_NOT_FOUND, "");
  fixture_end();
}

static void outcomes_carry_all_texts(void) {
  fixture_begin();
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_ENGINE, NULL);
  atomic_store(&fix.mode, ENGINE_FAIL);
  aimrt_rpc_context_t context = new_context();
  aimrt_rpc_call_options_t options = raw_options("hello");
  options.context = context;
  aimrt_rpc_code_t code;
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, &call, NULL));
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
  OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
  CHECK_EQUAL(outcome.code, AIMRT_RPC_CODE_CLI_UNKNOWN);
  CHECK_TEXT(outcome.message, "it broke");
  CHECK_TEXT(outcome.trace, "at line 7");
  CHECK_TEXT(outcome.native_dialect, "aduib");
  CHECK_TEXT(outcome.native_code, "E42");
  CHECK_TEXT(outcome.peer, "fake://2");
  CHECK_EQUAL(outcome.detail_count, 1);
  CHECK_TEXT(outcome.details[0].key, "colour");
  CHECK_TEXT(outcome.details[0].value, "red");
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("aimrt-backend")), "fake");
  /* An older caller's shorter struct. */
  struct {
    uint32_t struct_size;
    aimrt_rpc_code_t code;
    aimrt_rpc_str_t message;
    uint64_t guard;
  } older = {24, 0, {NULL, 0}, 12345};
  OK(aimrt_rpc_call_outcome(call, (aimrt_rpc_outcome_t *)(void *)&older, NULL));
  CHECK_TEXT(older.message, "it broke");
  CHECK_EQUAL(older.guard, 12345);
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(context);
  /* A refusal's own words, and a service's. */
  publish_refusal(method, AIMRT_RPC_CODE_CLI_NO_BACKEND_TO_HANDLE, "no rule matches");
  options.context = 0;
  OK(aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, &call, NULL));
  OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
  CHECK_EQUAL(outcome.code, AIMRT_RPC_CODE_CLI_NO_BACKEND_TO_HANDLE);
  CHECK_TEXT(outcome.message, "no rule matches");
  aimrt_rpc_call_release(call);
  fixture_end();
}

static void services_report_status_and_details(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_LOCAL; kind++) {
    publish(method, kind, service);
    aimrt_rpc_call_options_t options = raw_options("x");
    aimrt_rpc_call_t call;
    OK(aimrt_rpc_call_start(front_method_handle(method), &options, &call, NULL));
    aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
    CHECK_EQUAL(aimrt_rpc_call_outcome(call, &outcome, NULL), AIMRT_RPC_RESULT_INVALID_STATE);
    CHECK_EQUAL(aimrt_rpc_call_wait(call, 1000000, NULL), AIMRT_RPC_RESULT_TIMEOUT);
    aimrt_rpc_call_t server = kept.calls[kind - 1];
    aimrt_rpc_pair_t details[] = {{TEXT("k1"), TEXT("v1")}, {TEXT("k2"), {NULL, 0}}};
    aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
    status.code = 4242;
    status.message = TEXT("too hot");
    status.trace = TEXT("trace");
    status.details = details;
    status.detail_count = 2;
    aimrt_rpc_status_t bad = status;
    bad.details = NULL;
    CHECK_EQUAL(aimrt_rpc_call_finish(server, &bad, NULL, NULL), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
    bad = status;
    bad.struct_size = 2;
    CHECK_EQUAL(aimrt_rpc_call_finish(server, &bad, NULL, NULL), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
    aimrt_rpc_payload_t payload = {{NULL, 4}, {NULL, 0}, NULL};
    CHECK_EQUAL(aimrt_rpc_call_finish(server, &status, &payload, NULL), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
    payload = (aimrt_rpc_payload_t){{(const uint8_t *)"partial", 7}, TEXT("json"), NULL};
    OK(aimrt_rpc_call_finish(server, &status, &payload, NULL));
    CHECK_EQUAL(aimrt_rpc_call_finish(server, &status, &payload, NULL), AIMRT_RPC_RESULT_INVALID_HANDLE);
    OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
    CHECK_EQUAL(outcome.code, 4242);
    CHECK_TEXT(outcome.message, "too hot");
    CHECK_TEXT(outcome.trace, "trace");
    CHECK_TEXT(outcome.peer, "local");
    CHECK_EQUAL(outcome.detail_count, 2);
    CHECK_TEXT(outcome.details[1].key, "k2");
    CHECK(outcome_text_is(&outcome, "partial"));
    CHECK_TEXT(outcome.response.serialization, "json");
    aimrt_rpc_call_release(call);
  }
  fixture_end();
}

/* ---- Native messages ---------------------------------------------------------------------------------------------------- */

/* Puts a fixed value into the response, whatever the request. */
static void fixed_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  ((number *)request->response)->value = *(int64_t *)user_data;
  OK(aimrt_rpc_call_finish(call, NULL, NULL, NULL));
}

static void same_package_passes_the_messages_themselves(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  uint32_t made = ctest_count(&numbers_made);
  front_service *service = make_service(fix.server, "pb:/t.S/M", &number_type, keep_handler, &kept);
  front_method *method = make_method(fix.server, "pb:/t.S/M", &number_type);
  publish(method, FRONT_ENTRY_DIRECT, service);
  number request = {7};
  number response = {0};
  heard h = {.code = 99};
  aimrt_rpc_call_options_t options = native_options(&request, &response);
  options.done = hear;
  options.user_data = &h;
  OK(aimrt_rpc_call_start(front_method_handle(method), &options, NULL, NULL));
  CHECK(kept.requests[0].payload.message == &request && kept.requests[0].response == &response);
  response.value = 9;
  OK(aimrt_rpc_call_finish(kept.calls[0], NULL, NULL, NULL));
  CHECK_EQUAL(h.code, 0);
  CHECK_EQUAL(response.value, 9);
  CHECK_EQUAL(ctest_count(&numbers_made), made);
  /* An unknown serialization goes unnoticed, as in the reference. */
  front_service *echo = make_service(fix.server, "pb:/t.S/E", &number_type, echo_handler, NULL);
  publish(method, FRONT_ENTRY_DIRECT, echo);
  options = native_options(&request, &response);
  options.request.serialization = TEXT("yaml");
  CHECK_EQUAL(invoke_code(method, options), 0);
  CHECK_EQUAL(response.value, 7);
  fixture_end();
}

static void serialization_failures_have_their_codes(void) {
  const struct {
    int64_t request;
    int64_t response;
    const char *serialization;
    aimrt_rpc_code_t want;
  } rows[] = {
      {1, 5, "", 0},
      {1, 5, "json", 0},
      {1, 5, "yaml", AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE},
      {-1, 5, "", AIMRT_RPC_CODE_CLI_SERIALIZATION_FAILED},
      {-2, 5, "", AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED},
      {1, -1, "", AIMRT_RPC_CODE_SVR_SERIALIZATION_FAILED},
      {1, -2, "", AIMRT_RPC_CODE_SVR_DESERIALIZATION_FAILED},
  };
  fixture_begin();
  int64_t answer;
  front_service *service = make_service(fix.server, "pb:/t.S/M", &number_type, fixed_handler, &answer);
  front_method *method = make_method(fix.client, "pb:/t.S/M", &number_type);
  publish(method, FRONT_ENTRY_LOCAL, service);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    answer = rows[i].response;
    number request = {rows[i].request};
    number response = {1000};
    aimrt_rpc_call_options_t options = native_options(&request, &response);
    options.request.serialization = (aimrt_rpc_str_t){rows[i].serialization, strlen(rows[i].serialization)};
    CHECK_EQUAL(invoke_code(method, options), rows[i].want);
    if (rows[i].want == 0) CHECK_EQUAL(response.value, 5);
  }
  CHECK_EQUAL(ctest_count(&numbers_made), ctest_count(&numbers_destroyed));
  CHECK_EQUAL(front_timer_armed_count(), 0);
  number unheard = {1};
  number no_answer = {1000};
  aimrt_rpc_call_options_t yaml = native_options(&unheard, &no_answer);
  aimrt_rpc_context_t asked;
  OK(aimrt_rpc_context_create(&asked, NULL));
  OK(aimrt_rpc_context_set(asked, TEXT("aimrt-serialization_type"), TEXT("yaml"), NULL));
  yaml.context = asked;
  aimrt_rpc_code_t ended = 0;
  aimrt_rpc_call_t call = 0;
  OK(aimrt_rpc_call_invoke(front_method_handle(method), &yaml, &ended, &call, NULL));
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
  OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
  CHECK(front_str_equal(outcome.message, TEXT("\"pb:/t.S/M\" does not support serialization \"yaml\"")));
  CHECK(front_str_equal(aimrt_rpc_context_get(asked, TEXT("aimrt-serialization_type")), TEXT("yaml")));
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(asked);
  /* The service's type lacks "json". */
  front_service *other = make_service(fix.server, "pb:/t.S/O", &other_number_type, echo_handler, NULL);
  publish(method, FRONT_ENTRY_LOCAL, other);
  number request = {3};
  number response = {0};
  aimrt_rpc_call_options_t options = native_options(&request, &response);
  CHECK_EQUAL(invoke_code(method, options), 0);
  CHECK_EQUAL(response.value, 3);
  options.request.serialization = TEXT("json");
  CHECK_EQUAL(invoke_code(method, options), AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED);
  fixture_end();
}

static void raw_and_native_meet(void) {
  fixture_begin();
  front_service *native = make_service(fix.server, "pb:/t.S/N", &number_type, echo_handler, NULL);
  front_service *raw = make_service(fix.server, "pb:/t.S/R", NULL, echo_handler, NULL);
  front_method *raw_method = make_method(fix.client, "pb:/t.S/N", NULL);
  front_method *native_method = make_method(fix.client, "pb:/t.S/R", &number_type);
  publish(raw_method, FRONT_ENTRY_LOCAL, native);
  publish(native_method, FRONT_ENTRY_LOCAL, raw);
  aimrt_rpc_call_options_t options = raw_options("4711");
  options.request.serialization = TEXT("json");
  aimrt_rpc_code_t code = 99;
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_invoke(front_method_handle(raw_method), &options, &code, &call, NULL));
  CHECK_EQUAL(code, 0);
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
  OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
  CHECK(outcome_text_is(&outcome, "4711"));
  aimrt_rpc_call_release(call);
  number request = {12};
  number response = {0};
  CHECK_EQUAL(invoke_code(native_method, native_options(&request, &response)), 0);
  CHECK_EQUAL(response.value, 12);
  /* Engine: encoded in C, or handed over. */
  publish(native_method, FRONT_ENTRY_ENGINE, NULL);
  atomic_store(&fix.mode, ENGINE_ECHO);
  response.value = 0;
  CHECK_EQUAL(invoke_code(native_method, native_options(&request, &response)), 0);
  CHECK_EQUAL(response.value, 12);
  request.value = -1;
  CHECK_EQUAL(invoke_code(native_method, native_options(&request, &response)), AIMRT_RPC_CODE_CLI_SERIALIZATION_FAILED);
  request.value = -2;
  CHECK_EQUAL(invoke_code(native_method, native_options(&request, &response)), AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED);
  front_entry_init init = {.kind = FRONT_ENTRY_ENGINE, .flags = FRONT_ENTRY_NATIVE, .engine_id = 9};
  CHECK_EQUAL(front_method_publish(native_method, &init, NULL), 1);
  atomic_store(&fix.mode, ENGINE_NATIVE);
  request.value = 13;
  CHECK_EQUAL(invoke_code(native_method, native_options(&request, &response)), 0);
  CHECK_EQUAL(response.value, 13);
  fixture_end();
}

static void large_messages_are_whole(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  size_t size = 3 << 20;
  uint8_t *bytes = malloc(size);
  CHECK(bytes != NULL);
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 7 + (i >> 9));
  atomic_store(&fix.mode, ENGINE_ECHO);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_ENGINE; kind++) {
    publish(method, kind, service);
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    options.request.bytes = (aimrt_rpc_bytes_t){bytes, size};
    aimrt_rpc_code_t code;
    aimrt_rpc_call_t call;
    OK(aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, &call, NULL));
    aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
    OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
    CHECK_EQUAL(outcome.response.bytes.size, size);
    CHECK_EQUAL(memcmp(outcome.response.bytes.data, bytes, size), 0);
    aimrt_rpc_call_release(call);
  }
  free(bytes);
  fixture_end();
}

/* ---- Misuse ------------------------------------------------------------------------------------------------------------- */

static void misuse_is_refused_and_leaves_the_context_unused(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *raw = make_method(fix.client, "pb:/t.S/M", NULL);
  front_method *native = make_method(fix.client, "pb:/t.S/N", &number_type);
  publish(raw, FRONT_ENTRY_DIRECT, service);
  publish(native, FRONT_ENTRY_DIRECT, service);
  aimrt_rpc_method_t handle = front_method_handle(raw);
  aimrt_rpc_context_t context = new_context();
  aimrt_rpc_context_t stale = new_context();
  aimrt_rpc_context_release(stale);
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  heard h = {.code = 99};
  number n = {1};
  const aimrt_rpc_result_t bad = AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  aimrt_rpc_call_options_t good = raw_options("x");
  good.context = context;
  good.done = hear;
  good.user_data = &h;
  aimrt_rpc_call_t call = 1;
  aimrt_rpc_code_t code;
#define REFUSED(change, want)                                                   \
  do {                                                                          \
    aimrt_rpc_call_options_t options = good;                                    \
    change;                                                                     \
    aimrt_rpc_error_t error = 0;                                                \
    CHECK_EQUAL(aimrt_rpc_call_start(handle, &options, NULL, &error), (want));  \
    CHECK(aimrt_rpc_error_message(error).size != 0);                            \
    aimrt_rpc_error_free(error);                                                \
  } while (0)
  REFUSED(options.flags = 1, bad);
  REFUSED(options.struct_size = 1, bad);
  REFUSED(options.queue = queue, bad);
  REFUSED(options.done = NULL, bad);
  REFUSED(options.request.bytes = ((aimrt_rpc_bytes_t){NULL, 3}), bad);
  REFUSED(options.request.serialization = ((aimrt_rpc_str_t){NULL, 3}), bad);
  REFUSED(options.request.message = &n, bad);
  REFUSED(options.response = &n, bad);
  REFUSED(options.context = stale, AIMRT_RPC_RESULT_INVALID_HANDLE);
  REFUSED((options.done = NULL, options.queue = stale), AIMRT_RPC_RESULT_INVALID_HANDLE);
  handle = front_method_handle(native);
  REFUSED(options.tag = 0, bad); /* no native messages */
#undef REFUSED
  handle = front_method_handle(raw);
  CHECK_EQUAL(aimrt_rpc_call_invoke(handle, &good, &code, &call, NULL), bad); /* done is set */
  good.done = NULL;
  CHECK_EQUAL(aimrt_rpc_call_invoke(handle, &good, NULL, &call, NULL), bad);
  CHECK_EQUAL(call, 0);
  CHECK_EQUAL(ctest_count(&h.count), 0);
  CHECK_EQUAL(aimrt_rpc_context_used(context), 0);
  CHECK_EQUAL(front_runtime_open_calls(fix.runtime), 0);
  /* A used context is the outcome 2003; so is a server context. Before start nothing but 2011 is said, and the context stays unused. */
  publish_refusal(native, AIMRT_RPC_CODE_CLI_NO_BACKEND_TO_HANDLE, "");
  CHECK_EQUAL(invoke_code(raw, good), 0);
  CHECK_EQUAL(invoke_code(raw, good), AIMRT_RPC_CODE_CLI_INVALID_CONTEXT);
  publish_refusal(raw, AIMRT_RPC_CODE_CLI_NO_BACKEND_TO_HANDLE, "");
  CHECK_EQUAL(invoke_code(raw, good), AIMRT_RPC_CODE_CLI_INVALID_CONTEXT);
  OK(aimrt_rpc_context_reset(context, NULL));
  publish_refusal(raw, AIMRT_RPC_CODE_CLI_NOT_READY, "");
  CHECK_EQUAL(invoke_code(raw, good), AIMRT_RPC_CODE_CLI_NOT_READY);
  CHECK_EQUAL(aimrt_rpc_context_used(context), 0);
  aimrt_rpc_context_release(context);
  aimrt_rpc_queue_release(queue);
  fixture_end();
}

static void pending_calls_are_limited(void) {
  fixture_begin();
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish_refusal(method, AIMRT_RPC_CODE_CLI_NO_BACKEND_TO_HANDLE, "");
  enum { MORE = 100000 };
  aimrt_rpc_call_t *calls = calloc(MORE, sizeof *calls);
  CHECK(calls != NULL);
  aimrt_rpc_call_options_t options = raw_options("x");
  uint32_t count = 0;
  aimrt_rpc_result_t result = AIMRT_RPC_RESULT_OK;
  while (count < MORE && (result = aimrt_rpc_call_start(front_method_handle(method), &options, &calls[count], NULL)) == 0) count++;
  CHECK_EQUAL(result, AIMRT_RPC_RESULT_LIMIT);
  CHECK(count >= FRONT_MAX_PENDING_CALLS);
  for (uint32_t i = 0; i < count; i++) aimrt_rpc_call_release(calls[i]);
  OK(aimrt_rpc_call_start(front_method_handle(method), &options, &calls[0], NULL));
  aimrt_rpc_call_release(calls[0]);
  free(calls);
  fixture_end();
}

/* ---- Timeout, cancel ---------------------------------------------------------------------------------------------------- */

static void a_late_finish_is_lost(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", &number_type, keep_handler, &kept);
  front_method *method = make_method(fix.client, "pb:/t.S/M", &number_type);
  publish(method, FRONT_ENTRY_LOCAL, service);
  aimrt_rpc_context_t context = new_context();
  OK(aimrt_rpc_context_set(context, TEXT("k"), TEXT("v"), NULL));
  OK(aimrt_rpc_context_set_timeout_ns(context, CTEST_MS(5)));
  number *request = malloc(sizeof *request);
  number *response = malloc(sizeof *response);
  CHECK(request != NULL && response != NULL);
  request->value = 5;
  response->value = 77;
  heard h = {.code = 99};
  aimrt_rpc_call_options_t options = native_options(request, response);
  options.context = context;
  options.done = hear;
  options.user_data = &h;
  OK(aimrt_rpc_call_start(front_method_handle(method), &options, NULL, NULL));
  CHECK(ctest_reach(&h.count, 1));
  CHECK_EQUAL(h.code, AIMRT_RPC_CODE_TIMEOUT);
  CHECK(!pthread_equal(h.thread, pthread_self()));
  /* Everything of the client's goes; the handler still has its own. */
  free(request);
  free(response);
  OK(aimrt_rpc_context_reset(context, NULL));
  aimrt_rpc_context_release(context);
  CHECK_EQUAL(aimrt_rpc_call_cancelled(kept.calls[0]), 1);
  CHECK_EQUAL(((number *)kept.requests[0].payload.message)->value, 5);
  aimrt_rpc_context_t server = aimrt_rpc_call_context(kept.calls[0]);
  CHECK_TEXT(aimrt_rpc_context_get(server, TEXT("k")), "v");
  CHECK_TEXT(aimrt_rpc_context_get(server, TEXT("aimrt-from_module")), "module_a");
  CHECK_EQUAL(aimrt_rpc_context_deadline_left_ns(server), 0);
  ((number *)kept.requests[0].response)->value = 6;
  CHECK_EQUAL(front_runtime_open_calls(fix.runtime), 1);
  aimrt_rpc_error_t error;
  CHECK_EQUAL(aimrt_rpc_call_finish(kept.calls[0], NULL, NULL, &error), AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(aimrt_rpc_error_result(error), AIMRT_RPC_RESULT_LOST);
  aimrt_rpc_error_free(error);
  CHECK_EQUAL(ctest_count(&h.count), 1);
  CHECK_EQUAL(ctest_count(&numbers_made), ctest_count(&numbers_destroyed));
  fixture_end();
}

/* Holds the handler's thread, which is the caller's, until the callback of the timeout came on another one. */
static void outlasting_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)request;
  heard *h = user_data;
  CHECK(ctest_reach(&h->count, 1));
  CHECK_EQUAL(aimrt_rpc_call_finish(call, NULL, NULL, NULL), AIMRT_RPC_RESULT_LOST);
}

static void a_timeout_comes_while_the_caller_is_inside(void) {
  fixture_begin();
  heard h = {.code = 99};
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, outlasting_handler, &h);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_LOCAL, service);
  aimrt_rpc_context_t context = new_context();
  OK(aimrt_rpc_context_set_timeout_ns(context, CTEST_MS(3)));
  aimrt_rpc_call_options_t options = raw_options("x");
  options.context = context;
  options.done = hear;
  options.user_data = &h;
  OK(aimrt_rpc_call_start(front_method_handle(method), &options, NULL, NULL));
  CHECK_EQUAL(h.code, AIMRT_RPC_CODE_TIMEOUT);
  aimrt_rpc_context_release(context);
  fixture_end();
}

typedef struct told {
  ctest_counter cancelled;
  ctest_counter freed;
  aimrt_rpc_call_t call;
} told;

static void tell(void *user_data, aimrt_rpc_call_t call) {
  told *t = user_data;
  t->call = call;
  ctest_add(&t->cancelled);
}

static void tell_free(void *user_data) { ctest_add(&((told *)user_data)->freed); }

static void cancel_ends_each_kind_in_its_way(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  atomic_store(&fix.mode, ENGINE_HOLD);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_ENGINE; kind++) {
    publish(method, kind, service);
    heard h = {.code = 99};
    told t = {.call = 0};
    aimrt_rpc_context_t context = new_context();
    aimrt_rpc_call_options_t options = raw_options("x");
    options.context = context;
    options.done = hear;
    options.user_data = &h;
    aimrt_rpc_call_t call;
    OK(aimrt_rpc_call_start(front_method_handle(method), &options, &call, NULL));
    uint32_t place = kind - FRONT_ENTRY_DIRECT;
    aimrt_rpc_call_t server = place < 2 ? kept.calls[place] : 0;
    if (server != 0) {
      OK(aimrt_rpc_call_on_cancel(server, tell, &t, tell_free, NULL));
      CHECK_EQUAL(aimrt_rpc_call_cancelled(server), 0);
    }
    OK(aimrt_rpc_call_cancel(call, NULL));
    if (kind == FRONT_ENTRY_DIRECT) {
      CHECK_EQUAL(ctest_count(&h.count), 0); /* ends when its handler does */
      OK(aimrt_rpc_call_cancel(call, NULL));
    } else {
      CHECK(ctest_reach(&h.count, 1));
      CHECK_EQUAL(h.code, AIMRT_RPC_CODE_CANCELLED);
      CHECK_EQUAL(aimrt_rpc_call_cancel(call, NULL), AIMRT_RPC_RESULT_LOST);
    }
    aimrt_rpc_context_release(context); /* while the handler of a local call still runs */
    if (server != 0) {
      CHECK_EQUAL(ctest_count(&t.cancelled), 1);
      CHECK_EQUAL(ctest_count(&t.freed), 1);
      CHECK_EQUAL(t.call, server);
      CHECK_EQUAL(aimrt_rpc_call_cancelled(server), 1);
      CHECK_TEXT(aimrt_rpc_context_get(aimrt_rpc_call_context(server), TEXT("aimrt-from_pkg")), "pkg_a");
      told late = {.call = 0};
      OK(aimrt_rpc_call_on_cancel(server, tell, &late, tell_free, NULL)); /* comes at once */
      CHECK_EQUAL(ctest_count(&late.cancelled), 1);
      CHECK_EQUAL(ctest_count(&late.freed), 1);
      CHECK_EQUAL(aimrt_rpc_call_finish(server, NULL, NULL, NULL),
                  kind == FRONT_ENTRY_DIRECT ? AIMRT_RPC_RESULT_OK : AIMRT_RPC_RESULT_LOST);
    }
    CHECK(ctest_reach(&h.count, 1));
    CHECK_EQUAL(h.code, kind == FRONT_ENTRY_DIRECT ? 0 : AIMRT_RPC_CODE_CANCELLED);
    aimrt_rpc_call_release(call);
    CHECK_EQUAL(ctest_count(&h.count), 1);
  }
  fixture_end();
}

static void on_cancel_is_freed_without_being_called(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_LOCAL, service);
  told first = {.call = 0};
  told second = {.call = 0};
  aimrt_rpc_call_options_t options = raw_options("x");
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_start(front_method_handle(method), &options, &call, NULL));
  OK(aimrt_rpc_call_on_cancel(kept.calls[0], tell, &first, tell_free, NULL));
  OK(aimrt_rpc_call_on_cancel(kept.calls[0], tell, &second, tell_free, NULL)); /* replaces */
  CHECK_EQUAL(ctest_count(&first.freed), 1);
  CHECK_EQUAL(ctest_count(&second.freed), 0);
  OK(aimrt_rpc_call_finish(kept.calls[0], NULL, NULL, NULL));
  CHECK_EQUAL(ctest_count(&second.freed), 1);
  CHECK_EQUAL(ctest_count(&first.cancelled) + ctest_count(&second.cancelled), 0);
  aimrt_rpc_call_release(call);
  fixture_end();
}

/* ---- Chains and small stacks -------------------------------------------------------------------------------------------- */

enum { CHAIN = 3000000, CHAIN_SANITIZED = 300000 };
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
static const uint32_t chain_length = CHAIN_SANITIZED;
#else
static const uint32_t chain_length = CHAIN;
#endif

typedef struct chain {
  aimrt_rpc_method_t method;
  uint32_t left;
  uint32_t deepest;
  uint32_t depth;
} chain;

static void next_link(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome) {
  (void)call;
  chain *c = user_data;
  CHECK_EQUAL(outcome->code, 0);
  c->depth++;
  if (c->depth > c->deepest) c->deepest = c->depth;
  if (c->left > 0) {
    c->left--;
    aimrt_rpc_call_options_t options = raw_options("x");
    options.done = next_link;
    options.user_data = c;
    OK(aimrt_rpc_call_start(c->method, &options, NULL, NULL));
  }
  c->depth--;
}

static void *run_chain(void *arg) {
  chain *c = arg;
  aimrt_rpc_call_options_t options = raw_options("x");
  options.done = next_link;
  options.user_data = c;
  OK(aimrt_rpc_call_start(c->method, &options, NULL, NULL));
  CHECK_EQUAL(c->left, 0);
  return NULL;
}

static void a_chain_of_callbacks_needs_no_stack(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  const size_t stack = 1 << 20; /* their own frames are large */
#else
  const size_t stack = 64 << 10;
#endif
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_LOCAL; kind++) {
    publish(method, kind, service);
    chain c = {.method = front_method_handle(method), .left = kind == FRONT_ENTRY_DIRECT ? chain_length : chain_length / 10};
    on_thread(stack, run_chain, &c);
    CHECK(c.deepest <= FRONT_MAX_INLINE_COMPLETIONS);
  }
  fixture_end();
}

/* A callback that blocks on what a deeper, deferred completion does would wait for ever if waits did not run those first. */
typedef struct nest {
  front_method *method;
  uint32_t level;
  aimrt_rpc_call_t deferred;
  ctest_counter heard_deferred;
} nest;

static void count_deferred(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome) {
  (void)call;
  (void)outcome;
  ctest_add(&((nest *)user_data)->heard_deferred);
}

static void deeper(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome) {
  (void)call;
  (void)outcome;
  nest *n = user_data;
  aimrt_rpc_call_options_t options = raw_options("x");
  options.user_data = n;
  if (++n->level < FRONT_MAX_INLINE_COMPLETIONS) {
    options.done = deeper;
    OK(aimrt_rpc_call_start(front_method_handle(n->method), &options, NULL, NULL));
    return;
  }
  options.done = count_deferred;
  OK(aimrt_rpc_call_start(front_method_handle(n->method), &options, NULL, NULL));
  CHECK_EQUAL(ctest_count(&n->heard_deferred), 0);
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  CHECK_EQUAL(aimrt_rpc_queue_wait(queue, 0, NULL), AIMRT_RPC_RESULT_TIMEOUT);
  CHECK_EQUAL(ctest_count(&n->heard_deferred), 1);
  aimrt_rpc_queue_release(queue);
}

static void a_blocking_wait_runs_deferred_completions(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  nest n = {.method = make_method(fix.client, "pb:/t.S/M", NULL)};
  publish(n.method, FRONT_ENTRY_DIRECT, service);
  aimrt_rpc_call_options_t options = raw_options("x");
  options.done = deeper;
  options.user_data = &n;
  OK(aimrt_rpc_call_start(front_method_handle(n.method), &options, NULL, NULL));
  CHECK_EQUAL(n.level, FRONT_MAX_INLINE_COMPLETIONS);
  CHECK_EQUAL(ctest_count(&n.heard_deferred), 1);
  fixture_end();
}

static void *one_call(void *arg) {
  front_method *method = arg;
  aimrt_rpc_context_t context = new_context();
  OK(aimrt_rpc_context_set(context, TEXT("k"), TEXT("v"), NULL));
  aimrt_rpc_call_options_t options = raw_options("x");
  options.context = context;
  CHECK_EQUAL(invoke_code(method, options), 0);
  aimrt_rpc_context_release(context);
  return NULL;
}

static void threads_come_and_go(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  atomic_store(&fix.mode, ENGINE_ECHO);
  for (int i = 0; i < 600; i++) {
    if (i % 200 == 0) publish(method, FRONT_ENTRY_DIRECT + (uint32_t)(i / 200), service);
    on_thread(64 << 10, one_call, method);
  }
  fixture_end();
}

/* ---- Republishing while calls run --------------------------------------------------------------------------------------- */

enum { CALLERS = 3, CHANGES = 2000, CALLS_MEANWHILE = 20000 };
static _Atomic uint32_t stop_calling;
static _Atomic uint32_t calls_meanwhile;

static void *call_until_stopped(void *arg) {
  front_method *method = arg;
  while (atomic_load(&stop_calling) == 0) {
    aimrt_rpc_call_options_t options = raw_options("hello");
    aimrt_rpc_code_t code = 99;
    aimrt_rpc_call_t call;
    OK(aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, &call, NULL));
    aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
    OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
    if (code == 0)
      CHECK(outcome_text_is(&outcome, "hello"));
    else
      CHECK_TEXT(outcome.message, "gone for the moment");
    aimrt_rpc_call_release(call);
    (void)atomic_fetch_add(&calls_meanwhile, 1);
  }
  return NULL;
}

static void change_entries(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_DIRECT, service);
  atomic_store(&fix.mode, ENGINE_ECHO);
  atomic_store(&stop_calling, 0);
  atomic_store(&calls_meanwhile, 0);
  pthread_t callers[CALLERS];
  for (int i = 0; i < CALLERS; i++) CHECK_EQUAL(pthread_create(&callers[i], NULL, call_until_stopped, method), 0);
  for (int i = 0; i < CHANGES || atomic_load(&calls_meanwhile) < CALLS_MEANWHILE; i++) {
    uint32_t kind = (uint32_t)i % 4;
    if (kind == FRONT_ENTRY_REFUSE)
      publish_refusal(method, AIMRT_RPC_CODE_UNAVAILABLE, "gone for the moment");
    else
      publish(method, kind, service);
  }
  atomic_store(&stop_calling, 1);
  for (int i = 0; i < CALLERS; i++) CHECK_EQUAL(pthread_join(callers[i], NULL), 0);
  fixture_end();
}

/* Where the kernel has membarrier, and where it has not. */
static void entries_change_under_running_calls(void) {
  uint32_t needs_fence = front_read_needs_fence;
  printf("membarrier: %s\n", needs_fence == 0 ? "yes" : "no");
  change_entries();
  front_read_needs_fence = 1;
  change_entries();
  front_read_needs_fence = needs_fence;
}

/* ---- Races between the ways a call can end ------------------------------------------------------------------------------ */

enum { RACES = 3000 };

static void finish_later(void *arg) {
  aimrt_rpc_result_t result = aimrt_rpc_call_finish(*(aimrt_rpc_call_t *)arg, NULL, NULL, NULL);
  CHECK(result == AIMRT_RPC_RESULT_OK || result == AIMRT_RPC_RESULT_LOST);
}

static void each_call_ends_once_whoever_is_first(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_LOCAL, service);
  front_executor_options pool_options;
  char problem[128];
  front_executor_options_init(&pool_options, FRONT_EXECUTOR_SIMPLE_THREAD);
  pool_options.name = "finisher";
  front_executor *executor = front_executor_create(&pool_options, problem, sizeof problem);
  CHECK(executor != NULL);
  uint32_t ways[3] = {0, 0, 0};
  for (int i = 0; i < RACES; i++) {
    atomic_store(&kept.count.value, 0);
    heard h = {.code = 99};
    aimrt_rpc_context_t context = new_context();
    OK(aimrt_rpc_context_set_timeout_ns(context, i % 3 == 0 ? 20000 : 1000000000));
    aimrt_rpc_call_options_t options = raw_options("x");
    options.context = context;
    options.done = hear;
    options.user_data = &h;
    aimrt_rpc_call_t call;
    OK(aimrt_rpc_call_start(front_method_handle(method), &options, &call, NULL));
    ctest_counter finished = {0};
    OK(front_executor_post(executor, (front_executor_task){finish_later, NULL, &kept.calls[0]}));
    if (i % 2 == 0) (void)aimrt_rpc_call_cancel(call, NULL);
    aimrt_rpc_call_release(call);
    CHECK(ctest_reach(&h.count, 1));
    aimrt_rpc_context_release(context);
    (void)finished;
    ways[h.code == 0 ? 0 : h.code == AIMRT_RPC_CODE_TIMEOUT ? 1 : 2]++;
    /* The finisher is done with the handle before the next call reuses kept.calls. */
    while (front_runtime_open_calls(fix.runtime) != 0) (void)sched_yield();
    CHECK_EQUAL(ctest_count(&h.count), 1);
  }
  CHECK(ways[0] > 0 && ways[2] > 0);
  OK(front_executor_shutdown(executor, front_monotonic_ns() + CTEST_PATIENCE_NS));
  front_executor_release(executor);
  fixture_end();
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"every_kind_is_delivered_in_every_way", every_kind_is_delivered_in_every_way},
      {"outcomes_carry_all_texts", outcomes_carry_all_texts},
      {"services_report_status_and_details", services_report_status_and_details},
      {"same_package_passes_the_messages_themselves", same_package_passes_the_messages_themselves},
      {"serialization_failures_have_their_codes", serialization_failures_have_their_codes},
      {"raw_and_native_meet", raw_and_native_meet},
      {"large_messages_are_whole", large_messages_are_whole},
      {"misuse_is_refused_and_leaves_the_context_unused", misuse_is_refused_and_leaves_the_context_unused},
      {"a_late_finish_is_lost", a_late_finish_is_lost},
      {"a_timeout_comes_while_the_caller_is_inside", a_timeout_comes_while_the_caller_is_inside},
      {"cancel_ends_each_kind_in_its_way", cancel_ends_each_kind_in_its_way},
      {"on_cancel_is_freed_without_being_called", on_cancel_is_freed_without_being_called},
      {"a_chain_of_callbacks_needs_no_stack", a_chain_of_callbacks_needs_no_stack},
      {"a_blocking_wait_runs_deferred_completions", a_blocking_wait_runs_deferred_completions},
      {"threads_come_and_go", threads_come_and_go},
      {"entries_change_under_running_calls", entries_change_under_running_calls},
      {"each_call_ends_once_whoever_is_first", each_call_ends_once_whoever_is_first},
      {"pending_calls_are_limited", pending_calls_are_limited},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
