/* Runtimes and modules on the C side: waiting, shutdown also from a signal handler, what release keeps for calls that still run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define OK(expression) CHECK_EQUAL((expression), AIMRT_RPC_RESULT_OK)

static keeper kept;

static void *start_runtime(void *arg) {
  return (void *)(intptr_t)aimrt_rpc_runtime_start(*(aimrt_rpc_runtime_t *)arg, NULL);
}

static void *wait_runtime(void *arg) {
  return (void *)(intptr_t)aimrt_rpc_runtime_wait(*(aimrt_rpc_runtime_t *)arg, CTEST_PATIENCE_NS, NULL);
}

static void reach_state(aimrt_rpc_runtime_t runtime, uint32_t state) {
  uint64_t limit = front_monotonic_ns() + CTEST_PATIENCE_NS;
  while (aimrt_rpc_runtime_state(runtime) != state) {
    CHECK(front_monotonic_ns() < limit);
    (void)sched_yield();
  }
}

static void start_waits_and_runs_the_shutdown_itself(void) {
  fixture_begin();
  aimrt_rpc_runtime_t runtime = front_runtime_handle(fix.runtime);
  CHECK_EQUAL(aimrt_rpc_runtime_state(runtime), AIMRT_RPC_STATE_PRE_INIT);
  CHECK_EQUAL(aimrt_rpc_runtime_wait(runtime, 0, NULL), AIMRT_RPC_RESULT_INVALID_STATE);
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_INIT);
  CHECK_EQUAL(aimrt_rpc_runtime_wait(runtime, 0, NULL), AIMRT_RPC_RESULT_INVALID_STATE);
  pthread_t starter;
  pthread_t waiter;
  void *result;
  CHECK_EQUAL(pthread_create(&starter, NULL, start_runtime, &runtime), 0);
  reach_state(runtime, AIMRT_RPC_STATE_START);
  CHECK_EQUAL(pthread_create(&waiter, NULL, wait_runtime, &runtime), 0);
  CHECK_EQUAL(aimrt_rpc_runtime_wait(runtime, 1000000, NULL), AIMRT_RPC_RESULT_TIMEOUT);
  CHECK_EQUAL(front_runtime_wait_done(fix.runtime, 0), 0);
  CHECK_EQUAL(front_runtime_shutdown_requested(fix.runtime), 0);
  OK(aimrt_rpc_runtime_shutdown(runtime));
  OK(aimrt_rpc_runtime_shutdown(runtime));
  CHECK_EQUAL(front_runtime_shutdown_requested(fix.runtime), 1);
  CHECK_EQUAL(pthread_join(starter, &result), 0);
  CHECK_EQUAL((intptr_t)result, AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(pthread_join(waiter, &result), 0);
  CHECK_EQUAL((intptr_t)result, AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(ctest_count(&fix.shutdowns), 1); /* one of the waiting threads ran it */
  CHECK_EQUAL(front_runtime_claim_shutdown(fix.runtime), 0);
  CHECK_EQUAL(front_runtime_wait_done(fix.runtime, UINT64_MAX), 1);
  OK(aimrt_rpc_runtime_wait(runtime, 0, NULL));
  fixture_end();
}

static aimrt_rpc_runtime_t signalled;
static void shut_down_on_signal(int signal_number) {
  (void)signal_number;
  (void)aimrt_rpc_runtime_shutdown(signalled);
}

static void shutdown_is_legal_in_a_signal_handler(void) {
  fixture_begin();
  signalled = front_runtime_handle(fix.runtime);
  int fd = front_guards_signal_fd();
  CHECK(fd >= 0);
  (void)front_guards_take();
  struct sigaction action = {.sa_handler = shut_down_on_signal};
  struct sigaction former;
  CHECK_EQUAL(sigaction(SIGUSR1, &action, &former), 0);
  OK(aimrt_rpc_runtime_start_async(signalled, AIMRT_RPC_START_SHUTDOWN_IN_WAIT, NULL));
  CHECK_EQUAL(raise(SIGUSR1), 0);
  OK(aimrt_rpc_runtime_wait(signalled, CTEST_PATIENCE_NS, NULL));
  CHECK_EQUAL(ctest_count(&fix.shutdowns), 1);
  CHECK_EQUAL(front_guards_take(), UINT64_C(1) << front_runtime_index(fix.runtime));
  uint64_t value;
  CHECK_EQUAL(read(fd, &value, sizeof value), sizeof value);
  CHECK_EQUAL(sigaction(SIGUSR1, &former, NULL), 0);
  fixture_end();
}

static void shutdown_without_the_flag_is_left_to_go(void) {
  fixture_begin();
  aimrt_rpc_runtime_t runtime = front_runtime_handle(fix.runtime);
  OK(aimrt_rpc_runtime_start_async(runtime, 0, NULL));
  OK(aimrt_rpc_runtime_shutdown(runtime));
  CHECK_EQUAL(aimrt_rpc_runtime_wait(runtime, 1000000, NULL), AIMRT_RPC_RESULT_TIMEOUT);
  CHECK_EQUAL(ctest_count(&fix.shutdowns), 0);
  CHECK_EQUAL(front_runtime_claim_shutdown(fix.runtime), 1);
  aimrtgo_runtime_run_shutdown(1);
  OK(aimrt_rpc_runtime_wait(runtime, 0, NULL));
  fixture_end();
}

static void shutdown_cancels_what_is_open_and_tells_the_queues(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  aimrt_rpc_queue_t queue;
  aimrt_rpc_queue_t bystander;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  OK(aimrt_rpc_queue_create(&bystander, NULL));
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, keep_handler, &kept);
  front_method *direct = make_method(fix.client, "pb:/t.S/D", NULL);
  front_method *local = make_method(fix.client, "pb:/t.S/L", NULL);
  publish(direct, FRONT_ENTRY_DIRECT, service);
  publish(local, FRONT_ENTRY_LOCAL, service);
  aimrt_rpc_call_options_t options = raw_options("x");
  options.queue = queue;
  OK(aimrt_rpc_call_start(front_method_handle(direct), &options, NULL, NULL));
  OK(aimrt_rpc_call_start(front_method_handle(local), &options, NULL, NULL));
  CHECK_EQUAL(front_runtime_open_calls(fix.runtime), 2);
  aimrtgo_runtime_run_shutdown(1);
  aimrt_rpc_event_t events[4];
  size_t count;
  OK(aimrt_rpc_queue_drain(queue, events, 4, &count, NULL));
  CHECK_EQUAL(count, 2);
  CHECK_EQUAL(events[0].kind, AIMRT_RPC_EVENT_CALL_FINISHED);
  CHECK_EQUAL(events[0].code, AIMRT_RPC_CODE_CANCELLED); /* the local one; the direct one runs on, and knows */
  CHECK_EQUAL(events[1].kind, AIMRT_RPC_EVENT_SHUTDOWN);
  CHECK_EQUAL(events[1].tag, front_runtime_handle(fix.runtime));
  aimrt_rpc_call_release(events[0].call);
  CHECK_EQUAL(aimrt_rpc_call_cancelled(kept.calls[0]), 1);
  CHECK_EQUAL(aimrt_rpc_call_cancelled(kept.calls[1]), 1);
  OK(aimrt_rpc_queue_drain(bystander, events, 4, &count, NULL));
  CHECK_EQUAL(count, 0);
  OK(aimrt_rpc_call_finish(kept.calls[0], NULL, NULL, NULL));
  CHECK_EQUAL(aimrt_rpc_call_finish(kept.calls[1], NULL, NULL, NULL), AIMRT_RPC_RESULT_LOST);
  OK(aimrt_rpc_queue_drain(queue, events, 4, &count, NULL));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(events[0].code, 0);
  aimrt_rpc_call_release(events[0].call);
  aimrt_rpc_queue_release(queue);
  aimrt_rpc_queue_release(bystander);
  fixture_end();
}

static void count_free(void *user_data) { ctest_add(user_data); }

/* The service's user data must stay while a handler runs, even after its finish. */
typedef struct lingering {
  ctest_counter freed;
  ctest_counter finished;
  ctest_counter gate;
} lingering;

static void lingering_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)request;
  lingering *l = user_data;
  OK(aimrt_rpc_call_finish(call, NULL, NULL, NULL));
  ctest_add(&l->finished);
  CHECK(ctest_reach(&l->gate, 1));
  CHECK_EQUAL(ctest_count(&l->freed), 0);
}

static void *linger(void *arg) {
  aimrt_rpc_call_options_t options = raw_options("x");
  aimrt_rpc_code_t code = 99;
  OK(aimrt_rpc_call_invoke(front_method_handle(arg), &options, &code, NULL, NULL));
  CHECK_EQUAL(code, 0);
  return NULL;
}

static front_service *freed_service(aimrt_rpc_handler_fn handler, void *user_data, aimrt_rpc_free_fn user_data_free) {
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.name = TEXT("pb:/t.S/M");
  options.handler = handler;
  options.user_data = user_data;
  options.user_data_free = user_data_free;
  front_service *service = front_service_new(fix.server, 9, &options, NULL);
  CHECK(service != NULL);
  return service;
}

static void user_data_outlives_calls_and_handlers(void) {
  uint64_t live = aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY);
  /* A call whose handler never finishes before the release. */
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  static ctest_counter freed;
  atomic_store(&freed.value, 0);
  front_service *service = freed_service(keep_handler, &kept, NULL);
  front_service *counted = make_service(fix.server, "pb:/t.S/C", NULL, echo_handler, NULL);
  (void)counted;
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.name = TEXT("pb:/t.S/F");
  options.handler = echo_handler;
  options.user_data = &freed;
  options.user_data_free = count_free;
  CHECK(front_service_new(fix.server, 10, &options, NULL) != NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_DIRECT, service);
  aimrt_rpc_call_options_t call_options = raw_options("x");
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_start(front_method_handle(method), &call_options, &call, NULL));
  front_runtime_free(fix.runtime);
  CHECK_EQUAL(ctest_count(&freed), 0);
  aimrt_rpc_context_t context = aimrt_rpc_call_context(kept.calls[0]);
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("aimrt-function_name")), "pb:/t.S/M");
  CHECK_TEXT(aimrt_rpc_context_get(context, TEXT("aimrt-from_module")), "module_a");
  OK(aimrt_rpc_call_finish(kept.calls[0], NULL, NULL, NULL));
  aimrt_rpc_call_release(call);
  /* The next runtime buries the former one. */
  fixture_begin();
  CHECK_EQUAL(ctest_count(&freed), 1);
  /* A handler that runs on after its finish. */
  static lingering l;
  memset(&l, 0, sizeof l);
  service = freed_service(lingering_handler, &l, count_free);
  method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_DIRECT, service);
  pthread_t caller;
  CHECK_EQUAL(pthread_create(&caller, NULL, linger, method), 0);
  CHECK(ctest_reach(&l.finished, 1));
  CHECK_EQUAL(front_runtime_open_calls(fix.runtime), 0);
  front_runtime_free(fix.runtime);
  CHECK_EQUAL(ctest_count(&l.freed), 0);
  ctest_add(&l.gate);
  CHECK_EQUAL(pthread_join(caller, NULL), 0);
  fixture_begin();
  CHECK_EQUAL(ctest_count(&l.freed), 1);
  fixture_end();
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY), live);
}

static void sixty_four_runtimes_at_most(void) {
  front_runtime *runtimes[FRONT_MAX_RUNTIMES];
  for (uint32_t i = 0; i < FRONT_MAX_RUNTIMES; i++) {
    runtimes[i] = front_runtime_new(i + 1);
    CHECK(runtimes[i] != NULL);
    CHECK_EQUAL(front_go_id(AIMRT_RPC_KIND_RUNTIME, front_runtime_handle(runtimes[i])), i + 1);
  }
  CHECK(front_runtime_new(99) == NULL);
  aimrt_rpc_runtime_t stale = front_runtime_handle(runtimes[7]);
  front_runtime_free(runtimes[7]);
  CHECK_EQUAL(aimrt_rpc_runtime_state(stale), AIMRT_RPC_STATE_NONE);
  runtimes[7] = front_runtime_new(99);
  CHECK(runtimes[7] != NULL);
  CHECK_EQUAL(aimrt_rpc_runtime_state(stale), AIMRT_RPC_STATE_NONE);
  for (uint32_t i = 0; i < FRONT_MAX_RUNTIMES; i++) front_runtime_free(runtimes[i]);
}

static void modules_tell_their_facts_and_filter_their_log(void) {
  fixture_begin();
  aimrt_rpc_module_t module = front_module_handle(fix.client);
  CHECK_TEXT(aimrt_rpc_module_name(module), "module_a");
  CHECK_EQUAL(aimrt_rpc_module_config_path(module).size, 0);
  CHECK_EQUAL(front_module_set_config_path(fix.client, "/tmp/a.yaml", 11), 1);
  CHECK_TEXT(aimrt_rpc_module_config_path(module), "/tmp/a.yaml");
  CHECK_EQUAL(aimrt_rpc_module_rpc_handle(module), front_module_rpc(fix.client));
  CHECK_EQUAL(front_go_id(AIMRT_RPC_KIND_RPC_HANDLE, aimrt_rpc_module_rpc_handle(module)), 2);
  CHECK_EQUAL(front_go_id(AIMRT_RPC_KIND_MODULE, aimrt_rpc_module_rpc_handle(module)), 0);
  front_module_set_log_level(fix.client, AIMRT_RPC_LOG_LEVEL_WARN);
  CHECK_EQUAL(aimrt_rpc_module_log_level(module), AIMRT_RPC_LOG_LEVEL_WARN);
  aimrt_rpc_log_record_t record = {.struct_size = sizeof record, .level = AIMRT_RPC_LOG_LEVEL_INFO, .text = TEXT("hello")};
  OK(aimrt_rpc_module_log(module, &record));
  CHECK_EQUAL(ctest_count(&fix.log_lines), 0);
  record.level = AIMRT_RPC_LOG_LEVEL_WARN;
  OK(aimrt_rpc_module_log(module, &record));
  CHECK_EQUAL(ctest_count(&fix.log_lines), 1);
  CHECK_EQUAL(aimrt_rpc_module_log(module, NULL), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  record.level = AIMRT_RPC_LOG_LEVEL_OFF;
  CHECK_EQUAL(aimrt_rpc_module_log(module, &record), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  record.level = AIMRT_RPC_LOG_LEVEL_FATAL;
  record.text = (aimrt_rpc_str_t){NULL, 4};
  CHECK_EQUAL(aimrt_rpc_module_log(module, &record), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  aimrt_rpc_module_release(module);
  aimrt_rpc_module_release(module);
  CHECK_EQUAL(aimrt_rpc_module_name(module).size, 0);
  CHECK_EQUAL(front_go_id(AIMRT_RPC_KIND_RPC_HANDLE, front_module_rpc(fix.client)), 2);
  fixture_end();
}

static void options_that_cannot_be_meant_are_refused(void) {
  fixture_begin();
  aimrt_rpc_error_t error;
  char long_name[FRONT_MAX_NAME_BYTES + 1];
  memset(long_name, 'n', sizeof long_name);
  aimrt_rpc_type_support_t lacking = number_type;
  lacking.serialize = NULL;
  aimrt_rpc_service_options_t good = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  good.name = TEXT("pb:/t.S/M");
  good.handler = echo_handler;
  OK(front_service_options_check(&good, NULL));
#define REFUSED(change, want)                                            \
  do {                                                                   \
    aimrt_rpc_service_options_t options = good;                          \
    change;                                                              \
    CHECK_EQUAL(front_service_options_check(&options, &error), (want));  \
    CHECK(aimrt_rpc_error_message(error).size != 0);                     \
    aimrt_rpc_error_free(error);                                         \
  } while (0)
  const aimrt_rpc_result_t bad = AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  REFUSED(options.name.size = 0, bad);
  REFUSED(options.name = ((aimrt_rpc_str_t){long_name, sizeof long_name}), bad);
  REFUSED(options.shape = AIMRT_RPC_SHAPE_BIDI_STREAM, AIMRT_RPC_RESULT_UNSUPPORTED);
  REFUSED(options.shape = 17, bad);
  REFUSED(options.flags = 2, bad);
  REFUSED(options.handler = NULL, bad);
  REFUSED(options.queue = 5, bad);
  REFUSED(options.request_type = &number_type, bad);
  REFUSED((options.request_type = &number_type, options.response_type = &lacking), bad);
  REFUSED(options.serialization_count = 1, bad);
  REFUSED(options.descriptor.size = 1, bad);
#undef REFUSED
  aimrt_rpc_client_options_t client = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  client.name = good.name;
  client.flags = 1;
  CHECK_EQUAL(front_client_options_check(&client, NULL), bad);
  good.handler = NULL;
  good.queue = UINT64_C(9) << 56 | 5;
  OK(front_service_options_check(&good, NULL));
  CHECK(front_service_new(fix.server, 1, &good, &error) == NULL);
  CHECK_EQUAL(aimrt_rpc_error_result(error), AIMRT_RPC_RESULT_INVALID_HANDLE);
  aimrt_rpc_error_free(error);
  fixture_end();
}

static void a_forked_child_is_refused_everywhere(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  front_method *method = make_method(fix.client, "pb:/t.S/M", NULL);
  publish(method, FRONT_ENTRY_DIRECT, service);
  aimrt_rpc_context_t context = new_context();
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    const aimrt_rpc_result_t forked = AIMRT_RPC_RESULT_FORKED;
    aimrt_rpc_error_t error = 7;
    aimrt_rpc_code_t code;
    aimrt_rpc_call_t call;
    aimrt_rpc_queue_t queue;
    size_t count;
    aimrt_rpc_call_options_t options = raw_options("x");
    if (aimrt_rpc_is_forked() != 1) _exit(1);
    if (aimrt_rpc_call_invoke(front_method_handle(method), &options, &code, &call, &error) != forked || error != 0) _exit(2);
    if (aimrt_rpc_call_start(front_method_handle(method), &options, &call, &error) != forked) _exit(3);
    if (aimrt_rpc_context_create(&context, &error) != forked || context != 0) _exit(4);
    if (aimrt_rpc_queue_create(&queue, NULL) != forked) _exit(5);
    if (aimrt_rpc_queue_drain(1, NULL, 0, &count, NULL) != forked) _exit(6);
    if (aimrt_rpc_runtime_shutdown(front_runtime_handle(fix.runtime)) != forked) _exit(7);
    if (aimrt_rpc_runtime_wait(front_runtime_handle(fix.runtime), 0, NULL) != forked) _exit(8);
    if (aimrt_rpc_executor_post(1, free, NULL, NULL, NULL) != forked) _exit(9);
    if (aimrt_rpc_call_wait(1, 0, NULL) != forked || aimrt_rpc_call_finish(1, NULL, NULL, NULL) != forked) _exit(10);
    if (aimrt_rpc_module_log(front_module_handle(fix.client), NULL) != forked) _exit(11);
    if (aimrt_rpc_context_set_timeout_ns(1, 1) != forked) _exit(12);
    aimrt_rpc_context_release(1);
    aimrt_rpc_queue_release(1);
    aimrt_rpc_call_release(1);
    _exit(42);
  }
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 42);
  aimrt_rpc_context_release(context);
  fixture_end();
}

/* ---- Executors by handle ------------------------------------------------------------------------------------------------ */

static void add_to(void *user_data) { ctest_add(user_data); }

static void executors_are_used_by_handle(void) {
  front_executor_options options;
  char problem[128];
  front_executor_options_init(&options, FRONT_EXECUTOR_ASIO_THREAD);
  options.name = "work";
  uint64_t live = aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY);
  aimrt_rpc_executor_t executor = front_executor_publish(front_executor_create(&options, problem, sizeof problem));
  CHECK(executor != 0);
  static ctest_counter ran;
  static ctest_counter freed;
  atomic_store(&ran.value, 0);
  atomic_store(&freed.value, 0);
  OK(aimrt_rpc_executor_post(executor, add_to, &ran, NULL, NULL));
  CHECK(ctest_reach(&ran, 1));
  aimrt_rpc_timer_t timer;
  OK(aimrt_rpc_executor_post_after(executor, 1000000, add_to, &ran, NULL, &timer, NULL));
  CHECK(ctest_reach(&ran, 2));
  CHECK_EQUAL(aimrt_rpc_timer_cancel(timer, NULL), AIMRT_RPC_RESULT_LOST);
  aimrt_rpc_timer_release(timer);
  aimrt_rpc_timer_release(timer);
  OK(aimrt_rpc_executor_post_after(executor, UINT64_C(3600) * 1000000000, add_to, &freed, add_to, &timer, NULL));
  OK(aimrt_rpc_timer_cancel(timer, NULL));
  CHECK_EQUAL(ctest_count(&freed), 1); /* freed, not run */
  CHECK_EQUAL(aimrt_rpc_timer_cancel(timer, NULL), AIMRT_RPC_RESULT_LOST);
  aimrt_rpc_timer_release(timer);
  OK(aimrt_rpc_executor_post_at(executor, 1, add_to, &ran, NULL, NULL, NULL));
  CHECK(ctest_reach(&ran, 3));
  CHECK_EQUAL(aimrt_rpc_executor_post(executor, NULL, NULL, NULL, NULL), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  aimrt_rpc_executor_info_t info = {.struct_size = sizeof info};
  OK(aimrt_rpc_executor_info(executor, &info));
  CHECK_TEXT(info.name, "work");
  CHECK_TEXT(info.type, "asio_thread");
  CHECK_EQUAL(info.has_timers, 1);
  CHECK_EQUAL(info.in_current, 0);
  CHECK(info.now_ns != 0);
  front_executor_withdraw(executor);
  CHECK_EQUAL(aimrt_rpc_executor_post(executor, add_to, &ran, NULL, NULL), AIMRT_RPC_RESULT_INVALID_HANDLE);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY), live);
}

enum { LENDERS = 3 };
static _Atomic uint64_t lent;
static _Atomic uint32_t stop_lending;

static void *post_for_ever(void *counter) {
  while (atomic_load(&stop_lending) == 0) {
    aimrt_rpc_result_t result = aimrt_rpc_executor_post(atomic_load(&lent), add_to, counter, NULL, NULL);
    CHECK(result == AIMRT_RPC_RESULT_OK || result == AIMRT_RPC_RESULT_INVALID_HANDLE || result == AIMRT_RPC_RESULT_LIMIT ||
          result == AIMRT_RPC_RESULT_INVALID_STATE);
  }
  return NULL;
}

static void executors_may_go_while_others_post(void) {
  static ctest_counter ran;
  atomic_store(&stop_lending, 0);
  pthread_t lenders[LENDERS];
  for (int i = 0; i < LENDERS; i++) CHECK_EQUAL(pthread_create(&lenders[i], NULL, post_for_ever, &ran), 0);
  for (int i = 0; i < 60; i++) {
    front_executor_options options;
    char problem[128];
    front_executor_options_init(&options, FRONT_EXECUTOR_SIMPLE_THREAD);
    options.name = "brief";
    front_executor *executor = front_executor_create(&options, problem, sizeof problem);
    CHECK(executor != NULL);
    uint32_t before = ctest_count(&ran);
    aimrt_rpc_executor_t handle = front_executor_publish(executor);
    atomic_store(&lent, handle);
    CHECK(ctest_reach(&ran, before + 1));
    OK(front_executor_shutdown(executor, front_monotonic_ns() + CTEST_PATIENCE_NS));
    front_executor_withdraw(handle);
  }
  atomic_store(&stop_lending, 1);
  for (int i = 0; i < LENDERS; i++) CHECK_EQUAL(pthread_join(lenders[i], NULL), 0);
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"start_waits_and_runs_the_shutdown_itself", start_waits_and_runs_the_shutdown_itself},
      {"shutdown_is_legal_in_a_signal_handler", shutdown_is_legal_in_a_signal_handler},
      {"shutdown_without_the_flag_is_left_to_go", shutdown_without_the_flag_is_left_to_go},
      {"shutdown_cancels_what_is_open_and_tells_the_queues", shutdown_cancels_what_is_open_and_tells_the_queues},
      {"user_data_outlives_calls_and_handlers", user_data_outlives_calls_and_handlers},
      {"sixty_four_runtimes_at_most", sixty_four_runtimes_at_most},
      {"modules_tell_their_facts_and_filter_their_log", modules_tell_their_facts_and_filter_their_log},
      {"options_that_cannot_be_meant_are_refused", options_that_cannot_be_meant_are_refused},
      {"a_forked_child_is_refused_everywhere", a_forked_child_is_refused_everywhere},
      {"executors_are_used_by_handle", executors_are_used_by_handle},
      {"executors_may_go_while_others_post", executors_may_go_while_others_post},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
