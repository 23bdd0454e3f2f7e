/* The handle table: reuse, wrong kinds, double release, many threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

static void dropped_handles_are_stale_and_slots_are_reused(void) {
  int object[2];
  uint64_t before = aimrt_rpc_live_count(AIMRT_RPC_KIND_TASK);
  uint64_t first = front_handle_new(AIMRT_RPC_KIND_TASK, &object[0]);
  CHECK(first != 0 && first >> 56 == AIMRT_RPC_KIND_TASK);
  CHECK(front_handle_find(AIMRT_RPC_KIND_TASK, first) == &object[0]);
  CHECK(front_handle_find(AIMRT_RPC_KIND_FILTER, first) == NULL);
  CHECK(front_handle_drop(AIMRT_RPC_KIND_FILTER, first) == NULL);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_TASK), before + 1);
  CHECK(front_handle_drop(AIMRT_RPC_KIND_TASK, first) == &object[0]);
  CHECK(front_handle_drop(AIMRT_RPC_KIND_TASK, first) == NULL);
  CHECK(front_handle_find(AIMRT_RPC_KIND_TASK, first) == NULL);
  uint64_t second = front_handle_new(AIMRT_RPC_KIND_FILTER, &object[1]);
  CHECK_EQUAL(second & 0xffffff, first & 0xffffff); /* the slot comes back, under another generation and kind */
  CHECK(((second ^ first) & 0x00ffffffff000000) != 0);
  CHECK(front_handle_find(AIMRT_RPC_KIND_TASK, first) == NULL);
  CHECK(front_handle_find(AIMRT_RPC_KIND_FILTER, second) == &object[1]);
  /* The same bits with the other kind are nobody's handle. */
  uint64_t forged = (second & 0x00ffffffffffffff) | (uint64_t)AIMRT_RPC_KIND_TASK << 56;
  CHECK(front_handle_find(AIMRT_RPC_KIND_TASK, forged) == NULL);
  CHECK(front_handle_drop(AIMRT_RPC_KIND_FILTER, second) == &object[1]);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_TASK), before);
}

/* Every public function that takes a handle of the C half, with 0, a stale one and one of each wrong kind. */
static void expect_stale(uint64_t h) {
  aimrt_rpc_error_t error;
  aimrt_rpc_context_t copy = 1;
  aimrt_rpc_buffer_t buffer = {(uint8_t *)&copy, 1, 1};
  const aimrt_rpc_pair_t *pairs = (const aimrt_rpc_pair_t *)&copy;
  size_t count = 1;
  aimrt_rpc_event_t event;
  aimrt_rpc_code_t code = 1;
  aimrt_rpc_call_t call = 1;
  const aimrt_rpc_result_t stale = AIMRT_RPC_RESULT_INVALID_HANDLE;
#define STALE(expression)                                     \
  do {                                                        \
    error = 0;                                                \
    CHECK_EQUAL((expression), stale);                         \
    CHECK_EQUAL(aimrt_rpc_error_result(error), stale);        \
    CHECK(aimrt_rpc_error_message(error).size != 0);          \
    aimrt_rpc_error_free(error);                              \
  } while (0)
  STALE(aimrt_rpc_context_copy(h, &copy, &error));
  CHECK_EQUAL(copy, 0);
  STALE(aimrt_rpc_context_reset(h, &error));
  CHECK_EQUAL(aimrt_rpc_context_kind(h), AIMRT_RPC_CONTEXT_KIND_CLIENT);
  CHECK_EQUAL(aimrt_rpc_context_used(h), 0);
  aimrt_rpc_context_set_used(h);
  CHECK_EQUAL(aimrt_rpc_context_timeout_ns(h), 0);
  CHECK_EQUAL(aimrt_rpc_context_set_timeout_ns(h, 1), stale);
  CHECK_EQUAL(aimrt_rpc_context_deadline_left_ns(h), 0);
  CHECK_EQUAL(aimrt_rpc_context_get(h, TEXT("k")).size, 0);
  STALE(aimrt_rpc_context_set(h, TEXT("k"), TEXT("v"), &error));
  STALE(aimrt_rpc_context_add(h, TEXT("k"), TEXT("v"), &error));
  STALE(aimrt_rpc_context_remove(h, TEXT("k"), &error));
  STALE(aimrt_rpc_context_metadata(h, &pairs, &count, &error));
  CHECK(pairs == NULL && count == 0);
  STALE(aimrt_rpc_context_to_string(h, &buffer, &error));
  CHECK(buffer.data == NULL && buffer.size == 0);
  aimrt_rpc_context_release(h);
  STALE(aimrt_rpc_handle_merge_context(h, h, h, &error));
  aimrt_rpc_call_options_t options = raw_options("x");
  STALE(aimrt_rpc_call_start(h, &options, &call, &error));
  CHECK_EQUAL(call, 0);
  STALE(aimrt_rpc_call_invoke(h, &options, &code, &call, &error));
  CHECK_EQUAL(code, 0);
  STALE(aimrt_rpc_call_wait(h, 0, &error));
  STALE(aimrt_rpc_call_cancel(h, &error));
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome, .code = 77};
  STALE(aimrt_rpc_call_outcome(h, &outcome, &error));
  CHECK_EQUAL(outcome.code, 0);
  CHECK_EQUAL(aimrt_rpc_call_context(h), 0);
  STALE(aimrt_rpc_call_finish(h, NULL, NULL, &error));
  STALE(aimrt_rpc_call_retain(h, &error));
  CHECK_EQUAL(aimrt_rpc_call_cancelled(h), 0);
  STALE(aimrt_rpc_call_on_cancel(h, NULL, NULL, NULL, &error));
  aimrt_rpc_call_release(h);
  CHECK_EQUAL(aimrt_rpc_queue_fd(h), -1);
  STALE(aimrt_rpc_queue_drain(h, &event, 1, &count, &error));
  STALE(aimrt_rpc_queue_wait(h, 0, &error));
  STALE(aimrt_rpc_queue_wake(h, 1, &error));
  aimrt_rpc_queue_release(h);
  STALE(aimrt_rpc_runtime_wait(h, 0, &error));
  CHECK_EQUAL(aimrt_rpc_runtime_shutdown(h), stale);
  CHECK_EQUAL(aimrt_rpc_runtime_state(h), AIMRT_RPC_STATE_NONE);
  CHECK_EQUAL(aimrt_rpc_module_name(h).size, 0);
  CHECK_EQUAL(aimrt_rpc_module_config_path(h).size, 0);
  CHECK_EQUAL(aimrt_rpc_module_log_level(h), AIMRT_RPC_LOG_LEVEL_OFF);
  aimrt_rpc_log_record_t record = {.struct_size = sizeof record};
  CHECK_EQUAL(aimrt_rpc_module_log(h, &record), stale);
  CHECK_EQUAL(aimrt_rpc_module_rpc_handle(h), 0);
  aimrt_rpc_module_release(h);
  STALE(aimrt_rpc_executor_post(h, free, NULL, NULL, &error));
  STALE(aimrt_rpc_executor_post_after(h, 1, free, NULL, NULL, &call, &error));
  STALE(aimrt_rpc_executor_post_at(h, 1, free, NULL, NULL, &call, &error));
  STALE(aimrt_rpc_timer_cancel(h, &error));
  aimrt_rpc_timer_release(h);
  aimrt_rpc_executor_info_t info = {.struct_size = sizeof info, .queued = 5};
  CHECK_EQUAL(aimrt_rpc_executor_info(h, &info), stale);
  CHECK_EQUAL(info.queued, 0);
  CHECK_EQUAL(aimrt_rpc_error_result(h), h == 0 ? AIMRT_RPC_RESULT_OK : stale);
  CHECK_EQUAL(aimrt_rpc_error_message(h).size, 0);
  aimrt_rpc_pair_t pair;
  CHECK_EQUAL(aimrt_rpc_error_detail(h, 0, &pair), stale);
  aimrt_rpc_error_free(h);
#undef STALE
}

static void every_function_answers_bad_handles(void) {
  fixture_begin();
  expect_stale(0);
  expect_stale(UINT64_MAX);
  expect_stale(UINT64_C(5) << 24);
  for (uint32_t kind = 1; kind <= 16; kind++) expect_stale((uint64_t)kind << 56 | UINT64_C(0xfffff0) << 24 | 3);
  aimrt_rpc_context_t context = new_context();
  aimrt_rpc_context_release(context);
  expect_stale(context);
  /* A service is a kind that none of these functions takes. */
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  uint64_t live = aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY);
  expect_stale(front_service_handle(service));
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY), live);
  fixture_end();
}

static void null_outputs_are_refused(void) {
  fixture_begin();
  const aimrt_rpc_result_t bad = AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  aimrt_rpc_context_t context = new_context();
  aimrt_rpc_queue_t queue;
  CHECK_EQUAL(aimrt_rpc_queue_create(&queue, NULL), AIMRT_RPC_RESULT_OK);
  size_t count;
  CHECK_EQUAL(aimrt_rpc_context_create(NULL, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_context_copy(context, NULL, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_context_metadata(context, NULL, &count, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_context_to_string(context, NULL, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_context_set(context, (aimrt_rpc_str_t){NULL, 0}, TEXT("v"), NULL), bad);
  CHECK_EQUAL(aimrt_rpc_context_set(context, TEXT("k"), (aimrt_rpc_str_t){NULL, 3}, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_queue_create(NULL, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_queue_drain(queue, NULL, 1, &count, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_error_detail(0, 0, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_executor_info(0, NULL), bad);
  CHECK_EQUAL(aimrt_rpc_call_start(0, NULL, NULL, NULL), bad);
  aimrt_rpc_buffer_release(NULL);
  aimrt_rpc_buffer_t none = {NULL, 0, 0};
  aimrt_rpc_buffer_release(&none);
  CHECK(aimrt_rpc_writer_append(NULL, 4) == NULL);
  aimrt_rpc_writer_trim(NULL, 4);
  aimrt_rpc_queue_release(queue);
  aimrt_rpc_context_release(context);
  fixture_end();
}

static void errors_carry_text_and_details(void) {
  aimrt_rpc_error_t error = 0;
  CHECK_EQUAL(front_fail(&error, AIMRT_RPC_RESULT_CONFIG, "line %d is wrong", 7), AIMRT_RPC_RESULT_CONFIG);
  front_error_detail(error, "file", 4, "a.yaml", 6);
  aimrt_rpc_pair_t pair;
  CHECK_TEXT(aimrt_rpc_error_message(error), "line 7 is wrong");
  CHECK_EQUAL(aimrt_rpc_error_detail(error, 0, &pair), AIMRT_RPC_RESULT_OK);
  CHECK_TEXT(pair.key, "file");
  CHECK_TEXT(pair.value, "a.yaml");
  CHECK_EQUAL(aimrt_rpc_error_detail(error, 1, &pair), AIMRT_RPC_RESULT_NOT_FOUND);
  CHECK(pair.key.data == NULL);
  aimrt_rpc_error_free(error);
  aimrt_rpc_error_free(error);
  CHECK_EQUAL(aimrt_rpc_error_result(error), AIMRT_RPC_RESULT_INVALID_HANDLE);
  CHECK_EQUAL(strcmp(aimrt_rpc_code_string(1003), "Server not found"), 0);
  CHECK_EQUAL(strcmp(aimrt_rpc_code_string(0), "OK"), 0);
  CHECK_EQUAL(strcmp(aimrt_rpc_code_string(3013), "Unimplemented shape"), 0);
  CHECK_EQUAL(strcmp(aimrt_rpc_code_string(4242), "Unknown code"), 0);
  for (int32_t result = 2; result > -20; result--) CHECK(aimrt_rpc_result_string(result)[0] != 0);
}

typedef struct sized {
  uint32_t struct_size;
  uint32_t flags;
  uint64_t late;
} sized;

static void structs_of_other_versions_are_read_or_refused(void) {
  const struct {
    uint32_t size;
    uint64_t extra;
    aimrt_rpc_result_t want;
    uint64_t late;
  } rows[] = {
      {8, 0, AIMRT_RPC_RESULT_OK, 99},                       /* an older caller: the new field keeps its default */
      {16, 0, AIMRT_RPC_RESULT_OK, 5},                       /* this version */
      {24, 0, AIMRT_RPC_RESULT_OK, 5},                       /* a newer caller that uses nothing new */
      {24, 1, AIMRT_RPC_RESULT_INVALID_ARGUMENT, 99},        /* a newer caller that does */
      {3, 0, AIMRT_RPC_RESULT_INVALID_ARGUMENT, 99},
      {0, 0, AIMRT_RPC_RESULT_INVALID_ARGUMENT, 99},
      {65537, 0, AIMRT_RPC_RESULT_INVALID_ARGUMENT, 99},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct {
      sized known;
      uint64_t extra;
    } in = {{rows[i].size, 3, 5}, rows[i].extra};
    sized out = {sizeof out, 0, 99};
    CHECK_EQUAL(front_struct_read(&out, sizeof out, &in, "sized", NULL), rows[i].want);
    CHECK_EQUAL(out.late, rows[i].late);
    CHECK_EQUAL(out.struct_size, sizeof out);
  }
}

/* ---- Many threads ------------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 20000, SHARED = 32 };
static _Atomic uint64_t shared_handles[SHARED];

static void *churn(void *arg) {
  uint32_t seed = (uint32_t)(uintptr_t)arg;
  for (int i = 0; i < ROUNDS; i++) {
    seed = seed * 1664525u + 1013904223u;
    uint32_t place = (seed >> 16) % SHARED;
    aimrt_rpc_context_t mine = new_context();
    /* The former handle at this place is released twice, by this thread and perhaps by another at the same time. */
    aimrt_rpc_context_t former = atomic_exchange(&shared_handles[place], mine);
    aimrt_rpc_context_release(former);
    aimrt_rpc_context_release(former);
    aimrt_rpc_context_t other = atomic_load(&shared_handles[(seed >> 8) % SHARED]);
    (void)aimrt_rpc_context_used(other);
    aimrt_rpc_context_set_used(other);
    if ((seed & 7) == 0) aimrt_rpc_context_release(other);
    uint64_t task = front_handle_new(AIMRT_RPC_KIND_TASK, &shared_handles[place]);
    CHECK(front_handle_find(AIMRT_RPC_KIND_TASK, task) == &shared_handles[place]);
    CHECK(front_handle_drop(AIMRT_RPC_KIND_TASK, task) == &shared_handles[place]);
  }
  return NULL;
}

static void many_threads_leave_no_handle(void) {
  uint64_t before = aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY);
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK_EQUAL(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
  for (int i = 0; i < THREADS; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < SHARED; i++) aimrt_rpc_context_release(atomic_exchange(&shared_handles[i], 0));
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY), before);
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"dropped_handles_are_stale_and_slots_are_reused", dropped_handles_are_stale_and_slots_are_reused},
      {"every_function_answers_bad_handles", every_function_answers_bad_handles},
      {"null_outputs_are_refused", null_outputs_are_refused},
      {"errors_carry_text_and_details", errors_carry_text_and_details},
      {"structs_of_other_versions_are_read_or_refused", structs_of_other_versions_are_read_or_refused},
      {"many_threads_leave_no_handle", many_threads_leave_no_handle},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
