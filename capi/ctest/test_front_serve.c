/* Requests that Go received for services of the C half, and services delivered to a queue.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

#define OK(expression) CHECK_EQUAL((expression), AIMRT_RPC_RESULT_OK)

static keeper kept;

static front_executor *make_executor(front_executor_type type, const char *name, uint32_t threads) {
  front_executor_options options;
  char problem[256];
  front_executor_options_init(&options, type);
  options.name = name;
  options.thread_num = threads;
  options.max_threads = threads;
  options.queue_threshold = type == FRONT_EXECUTOR_POOL ? 1 : options.queue_threshold;
  front_executor *executor = front_executor_create(&options, problem, sizeof problem);
  if (executor == NULL) fprintf(stderr, "%s\n", problem);
  CHECK(executor != NULL);
  front_executor_start(executor);
  return executor;
}

static aimrt_rpc_call_t start(front_method *method, const char *text) {
  aimrt_rpc_call_options_t options = raw_options(text);
  aimrt_rpc_call_t call = 0;
  OK(aimrt_rpc_call_start(front_method_handle(method), &options, &call, NULL));
  return call;
}

static void check_outcome(aimrt_rpc_call_t call, aimrt_rpc_code_t code, const char *bytes) {
  OK(aimrt_rpc_call_wait(call, CTEST_PATIENCE_NS, NULL));
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
  OK(aimrt_rpc_call_outcome(call, &outcome, NULL));
  CHECK_EQUAL(outcome.code, code);
  CHECK(outcome_text_is(&outcome, bytes));
  aimrt_rpc_call_release(call);
}

static front_method *engine_method(front_service *service, uint32_t flags) {
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_ENGINE, NULL);
  atomic_store(&fix.mode, ENGINE_SERVE);
  fix.served = service;
  fix.serve_flags = flags;
  return method;
}

/* ---- Where the handler runs --------------------------------------------------------------------------------------------- */

typedef struct place {
  pthread_t thread;
  front_executor *executor;
  char backend[32];
} place;

static void placing_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  place *p = user_data;
  p->thread = pthread_self();
  p->executor = front_executor_current();
  aimrt_rpc_str_t backend = aimrt_rpc_context_get(aimrt_rpc_call_context(call), TEXT("aimrt-backend"));
  CHECK(backend.size < sizeof p->backend);
  memcpy(p->backend, backend.data, backend.size);
  p->backend[backend.size] = 0;
  OK(aimrt_rpc_call_finish(call, NULL, &request->payload, NULL));
}

static void handlers_run_where_the_service_says(void) {
  fixture_begin();
  aimrt_rpc_executor_t pool = front_executor_publish(make_executor(FRONT_EXECUTOR_POOL, "pool", 2));
  front_executor *own = make_executor(FRONT_EXECUTOR_SIMPLE_THREAD, "own", 1);
  aimrt_rpc_executor_t own_handle = front_executor_publish(own);
  place p = {.executor = NULL};
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, placing_handler, &p);
  front_method *method = engine_method(service, 0);
  check_outcome(start(method, "none"), AIMRT_RPC_CODE_SVR_NOT_READY, ""); /* no pool yet */
  CHECK_EQUAL(front_runtime_set_handler_pool(fix.runtime, pool), 1);
  CHECK_EQUAL(front_runtime_set_handler_pool(fix.runtime, front_module_handle(fix.client)), 0);
  check_outcome(start(method, "on the pool"), 0, "on the pool");
  CHECK(p.executor != NULL && p.executor != own);
  CHECK_EQUAL(strcmp(p.backend, "fake"), 0);
  CHECK_EQUAL(front_service_set_executor(service, own_handle), 1);
  check_outcome(start(method, "on its own"), 0, "on its own");
  CHECK(p.executor == own);
  fix.serve_flags = FRONT_SERVE_INLINE;
  check_outcome(start(method, "inline"), 0, "inline");
  CHECK(p.executor == NULL);
  front_executor_withdraw(own_handle);
  front_executor_withdraw(own_handle);
  fix.serve_flags = 0;
  check_outcome(start(method, "gone"), AIMRT_RPC_CODE_SVR_NOT_READY, "");
  front_executor_withdraw(pool);
  fixture_end();
}

/* Says that it is inside and holds its thread until the gate opens. */
static void gated_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  ctest_counter **gates = user_data;
  ctest_add(gates[1]);
  CHECK(ctest_reach(gates[0], 1));
  OK(aimrt_rpc_call_finish(call, NULL, &request->payload, NULL));
}

static void a_full_pool_answers_at_once(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  aimrt_rpc_executor_t pool = front_executor_publish(make_executor(FRONT_EXECUTOR_POOL, "pool", 1));
  CHECK_EQUAL(front_runtime_set_handler_pool(fix.runtime, pool), 1);
  static ctest_counter gate;
  static ctest_counter inside;
  atomic_store(&gate.value, 0);
  atomic_store(&inside.value, 0);
  ctest_counter *gates[2] = {&gate, &inside};
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, gated_handler, gates);
  front_method *method = engine_method(service, 0);
  enum { CALLS = 8 };
  aimrt_rpc_call_t calls[CALLS];
  calls[0] = start(method, "x");
  CHECK(ctest_reach(&inside, 1)); /* one runs, one waits, the rest is refused */
  for (int i = 1; i < CALLS; i++) calls[i] = start(method, "x");
  CHECK(ctest_reach(&fix.finishes, CALLS - 2));
  ctest_add(&gate);
  uint32_t refused = 0;
  for (int i = 0; i < CALLS; i++) {
    OK(aimrt_rpc_call_wait(calls[i], CTEST_PATIENCE_NS, NULL));
    aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};
    OK(aimrt_rpc_call_outcome(calls[i], &outcome, NULL));
    if (outcome.code != 0) {
      CHECK_EQUAL(outcome.code, AIMRT_RPC_CODE_RESOURCE_EXHAUSTED);
      refused++;
    }
    aimrt_rpc_call_release(calls[i]);
  }
  CHECK_EQUAL(refused, CALLS - 2);
  front_executor_withdraw(pool);
  fixture_end();
}

static void an_executor_that_ends_finishes_what_waits(void) {
  fixture_begin();
  front_executor *executor = make_executor(FRONT_EXECUTOR_SIMPLE_THREAD, "own", 1);
  aimrt_rpc_executor_t handle = front_executor_publish(executor);
  static ctest_counter gate;
  static ctest_counter inside;
  atomic_store(&gate.value, 0);
  atomic_store(&inside.value, 0);
  ctest_counter *gates[2] = {&gate, &inside};
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, gated_handler, gates);
  CHECK_EQUAL(front_service_set_executor(service, handle), 1);
  front_method *method = engine_method(service, 0);
  aimrt_rpc_call_t first = start(method, "first");
  CHECK(ctest_reach(&inside, 1));
  aimrt_rpc_call_t second = start(method, "second");
  CHECK(ctest_reach(&fix.starts, 2));
  front_executor_statistics statistics;
  do {
    front_executor_statistics_get(executor, &statistics);
  } while (statistics.queued == 0);
  CHECK_EQUAL(front_executor_shutdown(executor, front_monotonic_ns()), AIMRT_RPC_RESULT_TIMEOUT); /* the first still runs */
  check_outcome(second, AIMRT_RPC_CODE_SVR_NOT_READY, "");
  ctest_add(&gate);
  check_outcome(first, 0, "first");
  front_executor_withdraw(handle);
  fixture_end();
}

/* ---- Served calls: native, failing, cancelled --------------------------------------------------------------------------- */

static void requests_are_decoded_and_answers_encoded(void) {
  const struct {
    const char *request;
    const char *serialization;
    aimrt_rpc_code_t code;
    const char *answer;
  } rows[] = {
      {"123", "json", 0, "123"},
      {"", "json", AIMRT_RPC_CODE_SVR_DESERIALIZATION_FAILED, ""},
      {"-1", "json", AIMRT_RPC_CODE_SVR_SERIALIZATION_FAILED, ""},
      {"123", "yaml", AIMRT_RPC_CODE_SVR_INVALID_DESERIALIZATION_TYPE, ""},
  };
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", &number_type, echo_handler, NULL);
  front_method *method = engine_method(service, FRONT_SERVE_INLINE);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    aimrt_rpc_call_options_t options = raw_options(rows[i].request);
    options.request.serialization = (aimrt_rpc_str_t){rows[i].serialization, strlen(rows[i].serialization)};
    aimrt_rpc_call_t call;
    OK(aimrt_rpc_call_start(front_method_handle(method), &options, &call, NULL));
    check_outcome(call, rows[i].code, rows[i].answer);
  }
  CHECK_EQUAL(ctest_count(&numbers_made), ctest_count(&numbers_destroyed));
  /* Native messages through the engine: handed over, nothing made. */
  uint32_t made = ctest_count(&numbers_made);
  front_method *native = make_method(fix.server, "pb:/t.S/N", &number_type);
  front_entry_init init = {.kind = FRONT_ENTRY_ENGINE, .flags = FRONT_ENTRY_NATIVE, .engine_id = 3};
  CHECK_EQUAL(front_method_publish(native, &init, NULL), 1);
  number request = {81};
  number response = {0};
  aimrt_rpc_call_options_t options = native_options(&request, &response);
  aimrt_rpc_code_t code = 99;
  OK(aimrt_rpc_call_invoke(front_method_handle(native), &options, &code, NULL, NULL));
  CHECK_EQUAL(code, 0);
  CHECK_EQUAL(response.value, 81);
  CHECK_EQUAL(ctest_count(&numbers_made), made);
  fixture_end();
}

static void a_served_call_can_be_cancelled_and_retained(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *method = engine_method(service, FRONT_SERVE_INLINE);
  aimrt_rpc_call_t call = start(method, "hello");
  CHECK(ctest_reach(&kept.count, 1));
  /* Go's own reference has been given back by now or will be; a cancel sweep finds the call without it. */
  CHECK_EQUAL(aimrt_rpc_call_cancelled(kept.calls[0]), 0);
  CHECK_EQUAL(front_runtime_cancel_calls(fix.runtime), 1);
  CHECK_EQUAL(aimrt_rpc_call_cancelled(kept.calls[0]), 1);
  CHECK_EQUAL(front_runtime_cancel_calls(fix.runtime), 0);
  OK(aimrt_rpc_call_retain(kept.calls[0], NULL));
  atomic_store(&fix.answer_code, (uint32_t)AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(aimrt_rpc_call_finish(kept.calls[0], NULL, &kept.requests[0].payload, NULL), AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(memcmp(kept.requests[0].payload.bytes.data, "hello", 5), 0);
  CHECK_TEXT(aimrt_rpc_context_get(aimrt_rpc_call_context(kept.calls[0]), TEXT("aimrt-backend")), "fake");
  aimrt_rpc_call_release(kept.calls[0]);
  check_outcome(call, 0, "hello"); /* the fake engine delivers it all the same */
  fixture_end();
}

/* ---- Services on a queue ------------------------------------------------------------------------------------------------ */

static aimrt_rpc_event_t take_one(aimrt_rpc_queue_t queue, uint32_t kind) {
  aimrt_rpc_event_t event;
  size_t count = 0;
  OK(aimrt_rpc_queue_wait(queue, CTEST_PATIENCE_NS, NULL));
  OK(aimrt_rpc_queue_drain(queue, &event, 1, &count, NULL));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(event.kind, kind);
  return event;
}

static void queues_get_arrivals_and_cancels(void) {
  fixture_begin();
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  front_service *service = make_queue_service(fix.server, "pb:/t.S/M", queue, 55);
  front_method *local = make_method(fix.client, "pb:/t.S/L", NULL);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_ENGINE; kind++) {
    front_method *method = kind == FRONT_ENTRY_ENGINE ? engine_method(service, 0) : local;
    if (kind != FRONT_ENTRY_ENGINE) publish(method, kind, service);
    aimrt_rpc_call_t call = start(method, "hello");
    aimrt_rpc_event_t event = take_one(queue, AIMRT_RPC_EVENT_CALL_ARRIVED);
    CHECK_EQUAL(event.tag, 55);
    CHECK_EQUAL(memcmp(event.payload.bytes.data, "hello", event.payload.bytes.size), 0);
    CHECK_TEXT(event.payload.serialization, "pb");
    OK(aimrt_rpc_call_finish(event.call, NULL, &event.payload, NULL));
    check_outcome(call, 0, "hello");
    if (kind == FRONT_ENTRY_ENGINE) continue;
    /* A cancel sends one more event. */
    call = start(method, "again");
    event = take_one(queue, AIMRT_RPC_EVENT_CALL_ARRIVED);
    OK(aimrt_rpc_call_cancel(call, NULL));
    aimrt_rpc_event_t cancelled = take_one(queue, AIMRT_RPC_EVENT_CALL_CANCELLED);
    CHECK_EQUAL(cancelled.call, event.call);
    CHECK_EQUAL(cancelled.tag, 55);
    CHECK_EQUAL(aimrt_rpc_call_finish(event.call, NULL, NULL, NULL),
                kind == FRONT_ENTRY_DIRECT ? AIMRT_RPC_RESULT_OK : AIMRT_RPC_RESULT_LOST);
    check_outcome(call, kind == FRONT_ENTRY_DIRECT ? 0 : AIMRT_RPC_CODE_CANCELLED, "");
  }
  aimrt_rpc_queue_release(queue);
  fixture_end();
}

static void the_thread_that_would_serve_is_told(void) {
  fixture_begin();
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  front_service *service = make_queue_service(fix.server, "pb:/t.S/M", queue, 0);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  size_t count;
  aimrt_rpc_event_t event;
  OK(aimrt_rpc_queue_drain(queue, &event, 1, &count, NULL)); /* this thread owns the queue from now on */
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_LOCAL; kind++) {
    publish(method, kind, service);
    aimrt_rpc_call_options_t options = raw_options("x");
    aimrt_rpc_code_t code = 99;
    aimrt_rpc_call_t call = 1;
    aimrt_rpc_error_t error;
    CHECK_EQUAL(aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, &call, &error), AIMRT_RPC_RESULT_DEADLOCK);
    CHECK(code == 0 && call == 0);
    CHECK(strstr(aimrt_rpc_error_message(error).data, "pb:/t.S/M") != NULL);
    aimrt_rpc_error_free(error);
    call = start(method, "x");
    CHECK_EQUAL(aimrt_rpc_call_wait(call, UINT64_MAX, NULL), AIMRT_RPC_RESULT_DEADLOCK);
    event = take_one(queue, AIMRT_RPC_EVENT_CALL_ARRIVED);
    CHECK_EQUAL(aimrt_rpc_call_wait(call, 0, NULL), AIMRT_RPC_RESULT_TIMEOUT); /* drained: somebody else may finish it */
    OK(aimrt_rpc_call_finish(event.call, NULL, &event.payload, NULL));
    check_outcome(call, 0, "x");
  }
  CHECK_EQUAL(front_runtime_open_calls(fix.runtime), 0);
  aimrt_rpc_queue_release(queue);
  /* Without its queue the service is not ready. */
  check_outcome(start(method, "x"), AIMRT_RPC_CODE_SVR_NOT_READY, "");
  fixture_end();
}

/* ---- The CPython bridge's way ------------------------------------------------------------------------------------------- */

typedef struct hooks {
  int left;
  int entered;
} hooks;
static void leave(void *data) { ((hooks *)data)->left++; }
static void enter(void *data) { ((hooks *)data)->entered++; }

static void raw_calls_leave_the_lock_only_when_needed(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  static const int owner = 0;
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_LOCAL, service);
  hooks h = {0, 0};
  front_raw_call call = {.method = front_method_handle(method),
                         .request = {(const uint8_t *)"hello", 5},
                         .lock_owner = &owner,
                         .leave = leave,
                         .enter = enter,
                         .hook_data = &h};
  front_raw_outcome out;
  OK(front_invoke_raw(&call, &out, NULL));
  CHECK_EQUAL(out.code, 0);
  CHECK_EQUAL(out.response.size, 5);
  CHECK_TEXT(out.serialization, "pb");
  CHECK(h.left == 1 && h.entered == 1); /* somebody else's handler ran */
  front_call_release(out.call);
  OK(front_service_set_lock_owner(front_service_handle(service), &owner));
  CHECK_EQUAL(front_service_set_lock_owner(front_method_handle(method), &owner), AIMRT_RPC_RESULT_INVALID_HANDLE);
  OK(front_invoke_raw(&call, &out, NULL));
  CHECK(h.left == 1 && h.entered == 1);
  front_call_release(out.call);
  publish(method, FRONT_ENTRY_ENGINE, NULL);
  atomic_store(&fix.mode, ENGINE_ECHO);
  OK(front_invoke_raw(&call, &out, NULL));
  CHECK_TEXT(out.message, "OK");
  CHECK(h.left >= 2 && h.left == h.entered);
  front_call_release(out.call);
  /* To a queue. */
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  call.queue = queue;
  call.tag = 5;
  aimrt_rpc_call_t started;
  OK(front_start_raw(&call, &started, NULL));
  aimrt_rpc_event_t event = take_one(queue, AIMRT_RPC_EVENT_CALL_FINISHED);
  CHECK_EQUAL(event.call, started);
  CHECK_EQUAL(event.tag, 5);
  aimrt_rpc_call_release(event.call);
  /* Failures give nothing. */
  call.method = 0;
  aimrt_rpc_error_t error;
  CHECK_EQUAL(front_invoke_raw(&call, &out, &error), AIMRT_RPC_RESULT_INVALID_HANDLE);
  CHECK(out.call == NULL);
  aimrt_rpc_error_free(error);
  aimrt_rpc_queue_release(queue);
  fixture_end();
}

static void keep_and_finish_raw(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  (void)request;
  OK(front_finish_raw(call, 4000, TEXT("no"), TEXT("trace"), (aimrt_rpc_bytes_t){(const uint8_t *)"rest", 4}, TEXT("json"), NULL));
  aimrt_rpc_error_t error;
  CHECK_EQUAL(front_finish_raw(call, 0, TEXT(""), TEXT(""), (aimrt_rpc_bytes_t){NULL, 0}, TEXT(""), &error),
              AIMRT_RPC_RESULT_INVALID_HANDLE);
  aimrt_rpc_error_free(error);
}

static void raw_finishes_carry_everything(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_and_finish_raw, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_LOCAL; kind++) {
    publish(method, kind, service);
    front_raw_call call = {.method = front_method_handle(method)};
    front_raw_outcome out;
    OK(front_invoke_raw(&call, &out, NULL));
    CHECK_EQUAL(out.code, 4000);
    CHECK_TEXT(out.message, "no");
    CHECK_TEXT(out.trace, "trace");
    CHECK_TEXT(out.serialization, "json");
    CHECK_EQUAL(out.response.size, 4);
    front_call_release(out.call);
  }
  fixture_end();
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"handlers_run_where_the_service_says", handlers_run_where_the_service_says},
      {"a_full_pool_answers_at_once", a_full_pool_answers_at_once},
      {"an_executor_that_ends_finishes_what_waits", an_executor_that_ends_finishes_what_waits},
      {"requests_are_decoded_and_answers_encoded", requests_are_decoded_and_answers_encoded},
      {"a_served_call_can_be_cancelled_and_retained", a_served_call_can_be_cancelled_and_retained},
      {"queues_get_arrivals_and_cancels", queues_get_arrivals_and_cancels},
      {"the_thread_that_would_serve_is_told", the_thread_that_would_serve_is_told},
      {"raw_calls_leave_the_lock_only_when_needed", raw_calls_leave_the_lock_only_when_needed},
      {"raw_finishes_carry_everything", raw_finishes_carry_everything},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
