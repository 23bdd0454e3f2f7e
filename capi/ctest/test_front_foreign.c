/* Contexts and closures of modules that were written for AimRT, on every kind of entry.
 * SPDX-License-Identifier: Apache-2.0 */
#include "foreign_fixture.h"

#define OK(expression) CHECK_EQUAL((expression), AIMRT_RPC_RESULT_OK)

/* ---- What a service sees ------------------------------------------------------------------------------------------------ */

static char seen[1024]; /* metadata of the last server context: key=value; */
static aimrt_rpc_context_t kept;

static const aimrt_rpc_context_base_t *view_of(aimrt_rpc_call_t call) {
  front_server_call *server = front_handle_find(AIMRT_RPC_KIND_SERVER_CALL, call);
  CHECK(server != NULL);
  return &server->view;
}

static void note_all(const aimrt_rpc_context_base_t *view) {
  aimrt_string_view_array_t all = view->ops->get_meta_key_vals(view->impl);
  size_t used = 0;
  seen[0] = 0;
  for (size_t i = 0; i + 1 < all.len; i += 2)
    used += (size_t)snprintf(seen + used, sizeof seen - used, "%.*s=%.*s;", (int)all.str_array[i].len, all.str_array[i].str,
                             (int)all.str_array[i + 1].len, all.str_array[i + 1].str);
  CHECK_EQUAL(view->ops->get_meta_keys(view->impl).len, all.len / 2);
}

static void look(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  const aimrt_rpc_context_base_t *view = view_of(call);
  CHECK_EQUAL(view->ops->get_type(view->impl), AIMRT_RPC_SERVER_CONTEXT);
  CHECK(!view->ops->check_used(view->impl));
  note_all(view);
  aimrt_string_view_t color = view->ops->get_meta_val(view->impl, foreign_text("color"));
  CHECK(color.len == 4 && memcmp(color.str, "blue", 4) == 0);
  CHECK_EQUAL(view->ops->get_meta_val(view->impl, foreign_text("aimrt-nothing")).len, 0);
  OK(aimrt_rpc_context_copy(aimrt_rpc_call_context(call), &kept, NULL));
  view->ops->set_meta_val(view->impl, foreign_text("color"), foreign_text("green"));
  view->ops->set_meta_val(view->impl, foreign_text("own"), foreign_text("new"));
  color = view->ops->get_meta_val(view->impl, foreign_text("color"));
  CHECK(color.len == 5 && memcmp(color.str, "green", 5) == 0);
  CHECK(view->ops->get_meta_val(view->impl, foreign_text("aimrt-function_name")).len != 0); /* as before the first write */
  ((number *)request->response)->value = ((const number *)request->payload.message)->value + 1;
  OK(aimrt_rpc_call_finish(call, NULL, NULL, NULL));
  (void)user_data;
}

static void server_sees_the_clients_metadata(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/F", &number_type, look, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/F", &number_type);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_LOCAL; kind++) {
    publish(method, kind, service);
    foreign f;
    foreign_begin(&f);
    foreign_set(&f, foreign_text("color"), foreign_text("blue"));
    foreign_set(&f, foreign_text("aimrt-function_name"), foreign_text("by a proxy"));
    foreign_set(&f, foreign_text("aimrt-from_pkg"), foreign_text("a lie"));
    number request = {41};
    number response = {0};
    told t = {0};
    CHECK_EQUAL(foreign_call(method, &f, &request, &response, &t), 0);
    CHECK_EQUAL(ctest_count(&t.times), 1);
    CHECK_EQUAL(ctest_count(&t.destroyed), 1);
    CHECK_EQUAL(t.status, 0);
    CHECK_EQUAL(response.value, 42);
    char want[256];
    aimrt_string_view_t id = foreign_get(&f, foreign_text("aimrt-request_id"));
    CHECK(id.str != NULL);
    (void)snprintf(want, sizeof want, "aimrt-request_id=%.*s;", (int)id.len, id.str);
    CHECK(strstr(seen, want) != NULL);
    CHECK(strstr(seen, "color=blue;") != NULL && strstr(seen, "aimrt-function_name=pb:/t.S/F;") != NULL);
    CHECK(strstr(seen, "aimrt-from_pkg=pkg_a;") != NULL && strstr(seen, "a lie") == NULL && strstr(seen, "by a proxy") == NULL);
    CHECK(foreign_is(&f, "color", "blue") && foreign_is(&f, "own", "")); /* nothing comes back */
    CHECK(f.used && foreign_is(&f, "aimrt-serialization_type", "pb"));
    CHECK_TEXT(aimrt_rpc_context_get(kept, TEXT("color")), "blue"); /* a copy outlives the call */
    CHECK_TEXT(aimrt_rpc_context_get(kept, TEXT("aimrt-from_pkg")), "pkg_a");
    aimrt_rpc_context_release(kept);
  }
  fixture_end();
}

/* ---- Codes -------------------------------------------------------------------------------------------------------------- */

static void bad_contexts_are_told(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/F", &number_type, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/F", &number_type);
  number request = {4};
  number response = {0};
  foreign f;
  foreign_begin(&f);
  told t = {0};
  CHECK_EQUAL(foreign_call(method, &f, &request, &response, &t), 0); /* before its first publication */
  CHECK(t.status == AIMRT_RPC_CODE_CLI_NOT_READY && !f.used && f.count == 0);
  publish(method, FRONT_ENTRY_DIRECT, service);
  CHECK_EQUAL(foreign_call(method, NULL, &request, &response, &t), 0);
  CHECK_EQUAL(t.status, AIMRT_RPC_CODE_CLI_INVALID_CONTEXT);
  f.type = AIMRT_RPC_SERVER_CONTEXT;
  CHECK_EQUAL(foreign_call(method, &f, &request, &response, &t), 0);
  CHECK(t.status == AIMRT_RPC_CODE_CLI_INVALID_CONTEXT && !f.used);
  foreign_begin(&f);
  f.used = true;
  CHECK_EQUAL(foreign_call(method, &f, &request, &response, &t), 0);
  CHECK_EQUAL(t.status, AIMRT_RPC_CODE_CLI_INVALID_CONTEXT);
  foreign_begin(&f);
  CHECK_EQUAL(foreign_call(method, &f, NULL, &response, &t), AIMRT_RPC_CODE_INVALID_ARGUMENT); /* the closure stays the caller's */
  CHECK_EQUAL(ctest_count(&t.times), 4);
  CHECK_EQUAL(front_start_function(0, &f.base, &request, &response, NULL), AIMRT_RPC_CODE_CLI_NOT_READY);
  CHECK_EQUAL(front_start_function(front_method_handle(method), &f.base, &request, &response, NULL), 0); /* nobody to tell */
  CHECK_EQUAL(response.value, 4);
  fixture_end();
}

static void serializations_are_the_contexts(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/F", &number_type, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/F", &number_type);
  static const struct {
    uint32_t kind;
    const char *asked;
    uint32_t status;
  } rows[] = {{FRONT_ENTRY_DIRECT, "json", 0}, {FRONT_ENTRY_DIRECT, "xml", 0}, /* never serialized */
              {FRONT_ENTRY_LOCAL, "json", 0},  {FRONT_ENTRY_LOCAL, "xml", AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    publish(method, rows[i].kind, service);
    foreign f;
    foreign_begin(&f);
    foreign_set(&f, foreign_text("aimrt-serialization_type"), foreign_text(rows[i].asked));
    number request = {4};
    number response = {0};
    told t = {0};
    CHECK_EQUAL(foreign_call(method, &f, &request, &response, &t), 0);
    CHECK_EQUAL(t.status, rows[i].status);
    CHECK(foreign_is(&f, "aimrt-serialization_type", rows[i].asked));
  }
  fixture_end();
}

/* ---- Engine, timeouts, late answers ------------------------------------------------------------------------------------- */

static void the_engine_gets_a_copy(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/F", &number_type, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/F", &number_type);
  atomic_store(&fix.mode, ENGINE_ECHO_INSIDE);
  for (int addressed = 0; addressed < 2; addressed++) {
    publish(method, addressed ? FRONT_ENTRY_DIRECT : FRONT_ENTRY_ENGINE, service);
    foreign f;
    foreign_begin(&f);
    f.timeout_ns = 7000000000u;
    foreign_set(&f, foreign_text("color"), foreign_text("blue"));
    foreign_set(&f, foreign_text("aimrt-request_id"), foreign_text("of an earlier call"));
    if (addressed) foreign_set(&f, foreign_text("aimrt-to_addr"), foreign_text("fake://there"));
    number request = {5};
    number response = {0};
    told t = {0};
    CHECK_EQUAL(foreign_call(method, &f, &request, &response, &t), 0);
    CHECK(ctest_reach(&t.times, 1) && ctest_reach(&t.destroyed, 1));
    CHECK_EQUAL(t.status, 0);
    CHECK_EQUAL(response.value, 5);
    CHECK(strstr(fix.seen, "color=blue;") != NULL && strstr(fix.seen, "aimrt-request_id") == NULL);
    CHECK(strcmp(fix.to_addr, addressed ? "fake://there" : "") == 0);
    CHECK_EQUAL(fix.timeout_ns, 7000000000u);
    CHECK(!foreign_is(&f, "aimrt-request_id", "of an earlier call"));
    if (addressed) CHECK(foreign_is(&f, "aimrt-backend", "")); /* an address chose */
  }
  fixture_end();
}

static void a_late_answer_touches_nothing(void) {
  fixture_begin();
  static keeper keep;
  memset(&keep, 0, sizeof keep);
  front_service *service = make_service(fix.server, "pb:/t.S/F", &number_type, keep_handler, &keep);
  front_method *method = make_method(fix.client, "pb:/t.S/F", &number_type);
  publish(method, FRONT_ENTRY_LOCAL, service);
  foreign *f = malloc(sizeof *f);
  CHECK(f != NULL);
  foreign_begin(f);
  f->timeout_ns = CTEST_MS(5);
  foreign_set(f, foreign_text("color"), foreign_text("blue"));
  number request = {5};
  number *response = calloc(1, sizeof *response);
  told t = {0};
  CHECK_EQUAL(foreign_call(method, f, &request, response, &t), 0);
  CHECK(ctest_reach(&t.times, 1) && ctest_reach(&t.destroyed, 1));
  CHECK_EQUAL(t.status, AIMRT_RPC_CODE_TIMEOUT);
  free(f); /* the service still has the call */
  free(response);
  const aimrt_rpc_context_base_t *view = view_of(keep.calls[0]);
  CHECK_EQUAL(view->ops->get_meta_val(view->impl, foreign_text("color")).len, 4);
  ((number *)keep.requests[0].response)->value = 6;
  CHECK_EQUAL(aimrt_rpc_call_finish(keep.calls[0], NULL, NULL, NULL), AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(ctest_count(&t.times), 1);
  fixture_end();
}

/* ---- Many threads ------------------------------------------------------------------------------------------------------- */

enum { CALLERS = 4, CALLS = 2000 };
static front_method *shared[2];

/* Both kinds, answered by the calling thread or by another one. */
static void *call_often(void *arg) {
  uint64_t *ids = arg;
  for (int i = 0; i < CALLS; i++) {
    foreign f;
    foreign_begin(&f);
    foreign_set(&f, foreign_text("color"), foreign_text("blue"));
    number request = {i};
    number response = {0};
    told t = {0};
    CHECK_EQUAL(foreign_call(shared[i % 2], &f, &request, &response, &t), 0);
    CHECK(ctest_reach(&t.destroyed, 1));
    CHECK(t.status == 0 && response.value == i + 1);
    ids[i] = strtoull(foreign_get(&f, foreign_text("aimrt-request_id")).str, NULL, 10);
  }
  return NULL;
}

static void *finish_it(void *arg) {
  OK(aimrt_rpc_call_finish(*(aimrt_rpc_call_t *)arg, NULL, NULL, NULL));
  free(arg);
  return NULL;
}

static void answer_somewhere(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  number *response = request->response;
  int64_t value = ((const number *)request->payload.message)->value;
  response->value = value + 1;
  if (value % 64 < 62) {
    OK(aimrt_rpc_call_finish(call, NULL, NULL, NULL));
    return;
  }
  aimrt_rpc_call_t *copy = malloc(sizeof *copy);
  CHECK(copy != NULL);
  *copy = call;
  pthread_t thread;
  CHECK_EQUAL(pthread_create(&thread, NULL, finish_it, copy), 0);
  pthread_detach(thread);
}

static int by_number(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a;
  uint64_t right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

static void many_threads_call(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/F", &number_type, answer_somewhere, NULL);
  for (int i = 0; i < 2; i++) {
    shared[i] = make_method(i == 0 ? fix.client : fix.server, "pb:/t.S/F", &number_type);
    publish(shared[i], i == 0 ? FRONT_ENTRY_LOCAL : FRONT_ENTRY_DIRECT, service);
  }
  static uint64_t ids[CALLERS * CALLS];
  pthread_t threads[CALLERS];
  for (int i = 0; i < CALLERS; i++) CHECK_EQUAL(pthread_create(&threads[i], NULL, call_often, &ids[i * CALLS]), 0);
  for (int i = 0; i < CALLERS; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
  qsort(ids, CALLERS * CALLS, sizeof ids[0], by_number);
  for (uint64_t i = 0; i < CALLERS * CALLS; i++) CHECK_EQUAL(ids[i], i + 1); /* one counter per function name */
  fixture_end();
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"server_sees_the_clients_metadata", server_sees_the_clients_metadata},
      {"bad_contexts_are_told", bad_contexts_are_told},
      {"serializations_are_the_contexts", serializations_are_the_contexts},
      {"the_engine_gets_a_copy", the_engine_gets_a_copy},
      {"a_late_answer_touches_nothing", a_late_answer_touches_nothing},
      {"many_threads_call", many_threads_call},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
