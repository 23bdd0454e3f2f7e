/* Executors of every type: tasks run once and are destroyed once, in order where that is promised, within limits, and shutdown
 * leaves nothing behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>

#include "executor_fixture.h"
#include "timer.h"

/* ---- Every type runs tasks ---------------------------------------------------------------------------------------------- */

static void post_all(front_executor *executor, ledger *l, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) CHECK_EQUAL(front_executor_post(executor, ledger_task(l, i)), AIMRT_RPC_RESULT_OK);
}

static void check_runs_all(front_executor *executor, const char *type, bool in_order) {
  enum { COUNT = 2000 };
  ledger *l = ledger_new();
  CHECK(strcmp(front_executor_type_text(executor), type) == 0);
  CHECK(strcmp(front_executor_name(executor), "subject") == 0);
  post_all(executor, l, COUNT);
  CHECK(ctest_reach(&l->destroyed, COUNT));
  CHECK_EQUAL(ledger_check(l, COUNT), COUNT);
  for (uint32_t i = 0; in_order && i < COUNT; i++) CHECK_EQUAL(atomic_load(&l->order[i]), i);
  free(l);
}

static void every_type_runs_each_task_once(void) {
  static const struct {
    front_executor_type type;
    uint32_t threads;
    const char *text;
    bool in_order, has_timers;
  } types[] = {
      {FRONT_EXECUTOR_SIMPLE_THREAD, 1, "simple_thread", true, false}, {FRONT_EXECUTOR_ASIO_THREAD, 1, "asio_thread", true, true},
      {FRONT_EXECUTOR_ASIO_THREAD, 3, "asio_thread", false, true},     {FRONT_EXECUTOR_TBB_THREAD, 1, "tbb_thread", true, false},
      {FRONT_EXECUTOR_TBB_THREAD, 3, "tbb_thread", false, false},      {FRONT_EXECUTOR_TIME_WHEEL, 1, "time_wheel", true, true},
      {FRONT_EXECUTOR_POOL, 2, "pool", false, false},
  };
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    front_executor *executor = create_threads(types[i].type, "subject", types[i].threads);
    CHECK_EQUAL(front_executor_is_thread_safe(executor), types[i].in_order);
    CHECK_EQUAL(front_executor_has_timers(executor), types[i].has_timers);
    check_runs_all(executor, types[i].text, types[i].in_order);
    end(executor);
  }
}

static void bound_types_run_each_task_once(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "carrier", 3);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "subject", asio);
  front_executor *wheel = create_bound(FRONT_EXECUTOR_TIME_WHEEL, "subject", asio);
  front_executor *wheel_on_strand = create_bound(FRONT_EXECUTOR_TIME_WHEEL, "subject", strand);
  CHECK(front_executor_is_thread_safe(strand) && front_executor_has_timers(strand));
  CHECK(!front_executor_is_thread_safe(wheel) && front_executor_has_timers(wheel));
  CHECK(front_executor_is_thread_safe(wheel_on_strand));
  check_runs_all(strand, "asio_strand", true);
  check_runs_all(wheel, "time_wheel", false);
  check_runs_all(wheel_on_strand, "time_wheel", true);
  end(wheel_on_strand);
  end(wheel);
  end(strand);
  end(asio);
}

static front_executor_options host_options(host_loop *loop) {
  front_executor_options options = options_of(FRONT_EXECUTOR_HOST, "subject");
  options.host_post = host_post;
  options.host_user_data = loop;
  options.host_user_data_free = host_freed;
  return options;
}

static void host_loop_runs_each_task_once(void) {
  host_loop *loop = host_new();
  front_executor_options options = host_options(loop);
  front_executor *executor = create(&options);
  CHECK(front_executor_is_thread_safe(executor) && !front_executor_has_timers(executor));
  CHECK(pthread_create(&loop->thread, NULL, host_main, loop) == 0);
  check_runs_all(executor, "host", true);
  end(executor);
  host_close(loop);
  CHECK(pthread_join(loop->thread, NULL) == 0);
  CHECK_EQUAL(ctest_count(&loop->freed), 1);
  free(loop);
}

/* ---- Strand ------------------------------------------------------------------------------------------------------------- */

enum { STRAND_POSTERS = 8, STRAND_TASKS = 3000 };

typedef struct strand_probe {
  front_executor *strand;
  _Atomic uint32_t inside;
  uint32_t next[STRAND_POSTERS]; /* plain on purpose: the strand alone must make this safe, and the thread checker watches */
  ctest_counter done;
} strand_probe;

typedef struct strand_task {
  strand_probe *probe;
  uint32_t poster, number;
} strand_task;

static void strand_task_run(void *arg) {
  strand_task *task = arg;
  strand_probe *probe = task->probe;
  CHECK_EQUAL(atomic_fetch_add(&probe->inside, 1), 0);
  CHECK_EQUAL(probe->next[task->poster], task->number);
  probe->next[task->poster]++;
  CHECK(front_executor_is_current(probe->strand));
  (void)atomic_fetch_sub(&probe->inside, 1);
}

static void strand_task_end(void *arg) {
  strand_probe *probe = ((strand_task *)arg)->probe;
  free(arg);
  ctest_add(&probe->done);
}

typedef struct strand_poster {
  pthread_t thread;
  strand_probe *probe;
  uint32_t number;
} strand_poster;

static void *strand_poster_main(void *arg) {
  strand_poster *poster = arg;
  for (uint32_t i = 0; i < STRAND_TASKS; i++) {
    strand_task *task = malloc(sizeof *task);
    CHECK(task != NULL);
    *task = (strand_task){poster->probe, poster->number, i};
    front_executor_task posted = {strand_task_run, strand_task_end, task};
    CHECK_EQUAL(front_executor_post(poster->probe->strand, posted), AIMRT_RPC_RESULT_OK);
  }
  return NULL;
}

static void strand_runs_one_at_a_time_in_order_of_each_poster(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "carrier", 4);
  strand_probe *probe = calloc(1, sizeof *probe);
  CHECK(probe != NULL);
  probe->strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  strand_poster posters[STRAND_POSTERS];
  for (uint32_t i = 0; i < STRAND_POSTERS; i++) {
    posters[i].probe = probe;
    posters[i].number = i;
    CHECK(pthread_create(&posters[i].thread, NULL, strand_poster_main, &posters[i]) == 0);
  }
  for (uint32_t i = 0; i < STRAND_POSTERS; i++) CHECK(pthread_join(posters[i].thread, NULL) == 0);
  CHECK(ctest_reach(&probe->done, STRAND_POSTERS * STRAND_TASKS));
  REACH_STATISTIC(probe->strand, executed, STRAND_POSTERS * STRAND_TASKS);
  end(probe->strand);
  end(asio);
  free(probe);
}

static void strand_of_an_ended_executor_destroys_its_tasks(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "carrier", 1);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  ledger *l = ledger_new();
  gate g = {0};
  gate_hold(&g, asio);
  post_all(strand, l, 100);
  CHECK_EQUAL(front_executor_shutdown(asio, 0), AIMRT_RPC_RESULT_TIMEOUT);
  CHECK_EQUAL(ctest_count(&l->destroyed), 100);
  CHECK_EQUAL(ledger_check(l, 100), 0);
  CHECK_EQUAL(front_executor_post(strand, ledger_task(l, 100)), AIMRT_RPC_RESULT_INVALID_STATE);
  CHECK_EQUAL(atomic_load(&l->entries[100].destroys), 0);
  CHECK_EQUAL(front_executor_post_or_destroy(strand, ledger_task(l, 100)), AIMRT_RPC_RESULT_INVALID_STATE);
  CHECK_EQUAL(atomic_load(&l->entries[100].destroys), 1);
  CHECK_EQUAL(statistics(strand).destroyed, 100);
  gate_open(&g);
  end(strand);
  end(asio);
  free(l);
}

static void strand_shutdown_waits_for_the_running_task(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "carrier", 2);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  ledger *l = ledger_new();
  gate g = {0};
  gate_hold(&g, strand);
  post_all(strand, l, 10);
  CHECK_EQUAL(front_executor_shutdown(strand, front_monotonic_ns() + CTEST_MS(2)), AIMRT_RPC_RESULT_TIMEOUT);
  CHECK_EQUAL(ledger_check(l, 10), 0);
  gate_open(&g);
  end(strand);
  end(asio);
  free(l);
}

/* ---- Who is current ----------------------------------------------------------------------------------------------------- */

typedef struct current_probe {
  front_executor *asio, *strand, *other, *wheel;
  ctest_counter done;
} current_probe;

static void current_in_strand(void *arg) {
  current_probe *p = arg;
  CHECK(front_executor_is_current(p->strand));
  CHECK(front_executor_is_current(p->asio));
  CHECK(front_executor_is_current(p->wheel));
  CHECK(!front_executor_is_current(p->other));
  CHECK(front_executor_current() == p->strand);
  CHECK(front_executor_would_wait_for_itself(p->strand));
  CHECK(front_executor_would_wait_for_itself(p->asio));
  CHECK(!front_executor_would_wait_for_itself(p->other));
  ctest_add(&p->done);
}

static void current_in_carrier(void *arg) {
  current_probe *p = arg;
  CHECK(front_executor_current() == p->asio);
  CHECK(front_executor_is_current(p->asio) && !front_executor_is_current(p->strand));
  /* The strand runs on this one thread, so waiting for it here never ends. */
  CHECK(front_executor_would_wait_for_itself(p->strand));
  ctest_add(&p->done);
}

static void current_in_other(void *arg) {
  current_probe *p = arg;
  CHECK(front_executor_is_current(p->other));
  CHECK(!front_executor_would_wait_for_itself(p->other)); /* it has a second thread */
  CHECK(!front_executor_would_wait_for_itself(p->strand));
  ctest_add(&p->done);
}

static void current_executor_is_known_inside_tasks_only(void) {
  current_probe p = {0};
  p.asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "carrier", 1);
  p.other = create_threads(FRONT_EXECUTOR_TBB_THREAD, "other", 2);
  p.strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", p.asio);
  p.wheel = create_bound(FRONT_EXECUTOR_TIME_WHEEL, "wheel", p.strand);
  CHECK(front_executor_current() == NULL && !front_executor_is_current(p.asio));
  CHECK(!front_executor_would_wait_for_itself(p.asio));
  CHECK_EQUAL(front_executor_post(p.strand, (front_executor_task){current_in_strand, NULL, &p}), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(front_executor_post(p.wheel, (front_executor_task){current_in_strand, NULL, &p}), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(front_executor_post(p.asio, (front_executor_task){current_in_carrier, NULL, &p}), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(front_executor_post(p.other, (front_executor_task){current_in_other, NULL, &p}), AIMRT_RPC_RESULT_OK);
  CHECK(ctest_reach(&p.done, 4));
  end(p.wheel);
  end(p.strand);
  end(p.other);
  end(p.asio);
}

/* ---- Limits ------------------------------------------------------------------------------------------------------------- */

static void queue_threshold_refuses_and_warns_once(void) {
  log_book book = LOG_BOOK_INIT;
  front_executor_options options = options_of(FRONT_EXECUTOR_SIMPLE_THREAD, "small");
  options.queue_threshold = 100;
  options.threshold_alarm_interval_ms = 3600 * 1000;
  options.log = log_write;
  options.log_arg = &book;
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  gate g = {0};
  gate_hold(&g, executor);
  post_all(executor, l, 94);
  CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_WARN, ""), 0);
  for (uint32_t i = 94; i < 100; i++) CHECK_EQUAL(front_executor_post(executor, ledger_task(l, i)), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_WARN, "'small' is nearly full: 95 of at most 100"), 1);
  for (uint32_t i = 0; i < 5; i++)
    CHECK_EQUAL(front_executor_post(executor, ledger_task(l, 100)), AIMRT_RPC_RESULT_LIMIT);
  CHECK_EQUAL(atomic_load(&l->entries[100].destroys), 0);
  CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_WARN, "'small' refused a task: 100 tasks wait"), 1);
  CHECK_EQUAL(book.count, 2);
  CHECK_EQUAL(statistics(executor).dropped, 5);
  CHECK_EQUAL(statistics(executor).queued, 100);
  CHECK_EQUAL(statistics(executor).running, 1);
  CHECK(statistics(executor).oldest_wait_ns > 0);
  gate_open(&g);
  CHECK(ctest_reach(&l->destroyed, 100));
  CHECK_EQUAL(ledger_check(l, 100), 100);
  REACH_STATISTIC(executor, executed, 101);
  CHECK(statistics(executor).longest_wait_ns > 0);
  end(executor);
  free(l);
}

static void negative_alarm_interval_lifts_the_threshold(void) {
  log_book book = LOG_BOOK_INIT;
  front_executor_options options = options_of(FRONT_EXECUTOR_TBB_THREAD, "open");
  options.queue_threshold = 10;
  options.threshold_alarm_interval_ms = -1;
  options.log = log_write;
  options.log_arg = &book;
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  gate g = {0};
  gate_hold(&g, executor);
  post_all(executor, l, 12000);
  CHECK_EQUAL(book.count, 0);
  gate_open(&g);
  CHECK(ctest_reach(&l->destroyed, 12000));
  CHECK_EQUAL(ledger_check(l, 12000), 12000);
  for (uint32_t i = 0; i < 12000; i++) CHECK_EQUAL(atomic_load(&l->order[i]), i);
  end(executor);
  free(l);
}

static void pool_grows_refuses_and_shrinks(void) {
  front_executor_options options = options_of(FRONT_EXECUTOR_POOL, "pool");
  options.thread_num = 1;
  options.max_threads = 4;
  options.queue_threshold = 3;
  options.idle_timeout_ns = CTEST_MS(1);
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  gate g = {0};
  CHECK_EQUAL(statistics(executor).threads, 1);
  for (uint32_t i = 1; i <= 4; i++) {
    gate_hold(&g, executor);
    CHECK_EQUAL(statistics(executor).running, i);
    CHECK_EQUAL(statistics(executor).threads, i);
  }
  post_all(executor, l, 3);
  CHECK_EQUAL(front_executor_post(executor, ledger_task(l, 3)), AIMRT_RPC_RESULT_LIMIT);
  CHECK_EQUAL(statistics(executor).queued, 3);
  gate_open(&g);
  CHECK(ctest_reach(&l->destroyed, 3));
  REACH_STATISTIC(executor, threads, 1);
  CHECK_EQUAL(front_executor_post(executor, ledger_task(l, 3)), AIMRT_RPC_RESULT_OK);
  CHECK(ctest_reach(&l->destroyed, 4));
  CHECK_EQUAL(ledger_check(l, 4), 4);
  end(executor);
  free(l);
}

/* ---- Shutdown ----------------------------------------------------------------------------------------------------------- */

static void shutdown_destroys_waiting_tasks_once(void) {
  static const front_executor_type types[] = {FRONT_EXECUTOR_SIMPLE_THREAD, FRONT_EXECUTOR_ASIO_THREAD, FRONT_EXECUTOR_TBB_THREAD,
                                              FRONT_EXECUTOR_TIME_WHEEL};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    log_book book = LOG_BOOK_INIT;
    front_executor_options options = options_of(types[i], "ending");
    options.log = log_write;
    options.log_arg = &book;
    front_executor *executor = create(&options);
    front_executor_start(executor);
    ledger *l = ledger_new();
    gate g = {0};
    gate_hold(&g, executor);
    post_all(executor, l, 500);
    CHECK_EQUAL(front_executor_shutdown(executor, front_monotonic_ns() + CTEST_MS(1)), AIMRT_RPC_RESULT_TIMEOUT);
    CHECK_EQUAL(ledger_check(l, 500), 0);
    CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_ERROR, "500 waiting task(s) will not run"), 1);
    for (uint32_t n = 0; n < 3; n++)
      CHECK_EQUAL(front_executor_post(executor, ledger_task(l, 500)), AIMRT_RPC_RESULT_INVALID_STATE);
    CHECK_EQUAL(atomic_load(&l->entries[500].destroys), 0);
    CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_ERROR, "has shut down and refused a task"), 1);
    gate_open(&g);
    CHECK_EQUAL(front_executor_shutdown(executor, patience()), AIMRT_RPC_RESULT_OK);
    CHECK_EQUAL(front_executor_shutdown(executor, 0), AIMRT_RPC_RESULT_OK);
    front_executor_statistics s = statistics(executor);
    CHECK_EQUAL(s.state, FRONT_EXECUTOR_STATE_SHUT_DOWN);
    CHECK_EQUAL(s.threads, 0);
    CHECK_EQUAL(s.destroyed, 500);
    CHECK_EQUAL(s.executed, 1);
    front_executor_release(executor);
    free(l);
  }
}

typedef struct self_ender {
  front_executor *executor;
  ctest_counter posted; /* the post has returned: until then it may still use the executor */
  ctest_counter done;
} self_ender;

static void shutdown_itself(void *arg) {
  self_ender *ender = arg;
  CHECK_EQUAL(front_executor_shutdown(ender->executor, FRONT_NEVER), AIMRT_RPC_RESULT_DEADLOCK);
  ctest_add(&ender->done);
}

static void shutdown_by_an_own_task_does_not_hang(void) {
  self_ender ender = {0};
  ender.executor = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "self", 2);
  CHECK_EQUAL(front_executor_post(ender.executor, (front_executor_task){shutdown_itself, NULL, &ender}), AIMRT_RPC_RESULT_OK);
  CHECK(ctest_reach(&ender.done, 1));
  end(ender.executor);
}

static void release_itself(void *arg) {
  self_ender *ender = arg;
  CHECK(ctest_reach(&ender->posted, 1));
  front_executor_release(ender->executor);
  ctest_add(&ender->done);
}

static void release_by_an_own_task_frees_everything(void) {
  host_loop *marker = host_new();
  self_ender ender = {0};
  front_executor_options options = options_of(FRONT_EXECUTOR_ASIO_THREAD, "self");
  options.thread_num = 2;
  options.host_user_data = marker; /* tells when the memory goes */
  options.host_user_data_free = host_freed;
  ender.executor = create(&options);
  front_executor *executor = ender.executor;
  CHECK_EQUAL(front_executor_post(executor, (front_executor_task){release_itself, NULL, &ender}), AIMRT_RPC_RESULT_OK);
  ctest_add(&ender.posted);
  CHECK(ctest_reach(&ender.done, 1));
  CHECK(ctest_reach(&marker->freed, 1));
  free(marker);
}

static void host_tasks_left_at_shutdown_are_destroyed_once(void) {
  host_loop *loop = host_new();
  front_executor_options options = host_options(loop);
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  post_all(executor, l, 50);
  CHECK_EQUAL(statistics(executor).queued, 50);
  CHECK_EQUAL(front_executor_shutdown(executor, 0), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(ledger_check(l, 50), 0);
  front_executor_release(executor);
  CHECK_EQUAL(ctest_count(&loop->freed), 0);
  (void)host_turn(loop); /* a host that runs late finds nothing to do */
  CHECK_EQUAL(ledger_check(l, 50), 0);
  CHECK_EQUAL(ctest_count(&loop->freed), 1);
  free(l);
  free(loop);
}

static void closed_host_loop_refuses(void) {
  host_loop *loop = host_new();
  front_executor_options options = host_options(loop);
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  host_close(loop);
  CHECK_EQUAL(front_executor_post(executor, ledger_task(l, 0)), AIMRT_RPC_RESULT_INVALID_STATE);
  CHECK_EQUAL(atomic_load(&l->entries[0].destroys), 0);
  CHECK_EQUAL(statistics(executor).queued, 0);
  end(executor);
  CHECK_EQUAL(ctest_count(&loop->freed), 1);
  free(l);
  free(loop);
}

static void unbound_time_wheel_waits_for_start(void) {
  front_executor_options options = options_of(FRONT_EXECUTOR_TIME_WHEEL, "wheel");
  options.dt_us = 1000;
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  post_all(executor, l, 5);
  CHECK_EQUAL(statistics(executor).state, FRONT_EXECUTOR_STATE_INIT);
  CHECK_EQUAL(statistics(executor).queued, 5);
  CHECK_EQUAL(ctest_count(&l->ran), 0);
  front_executor_start(executor);
  CHECK(ctest_reach(&l->destroyed, 5));
  CHECK_EQUAL(ledger_check(l, 5), 5);
  end(executor);
  free(l);
}

/* At exit the host's static objects go while threads still run: what waits is neither run nor destroyed, and joining works. */
static front_executor *exit_executor;
static gate exit_gate;
static ledger *exit_ledger;

static void exit_check(void) {
  gate_open(&exit_gate);
  uint64_t limit_ns = patience();
  while (statistics(exit_executor).executed < 2) /* the thread has passed over the waiting task */
    if (front_monotonic_ns() > limit_ns) _exit(14);
  if (front_executor_shutdown(exit_executor, patience()) != AIMRT_RPC_RESULT_OK) _exit(11);
  uint32_t touched = atomic_load(&exit_ledger->entries[0].runs) + atomic_load(&exit_ledger->entries[0].destroys);
  _exit(touched == 0 ? 42 : 12);
}

static void exiting_process_delivers_nothing_more(void) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    exit_ledger = ledger_new();
    if (atexit(exit_check) != 0 || !front_guards_install_exit_hook()) _exit(10);
    exit_executor = create_threads(FRONT_EXECUTOR_SIMPLE_THREAD, "exit", 1);
    gate_hold(&exit_gate, exit_executor);
    post_all(exit_executor, exit_ledger, 1);
    exit(13);
  }
  int state = 0;
  CHECK(waitpid(child, &state, 0) == child);
  CHECK(WIFEXITED(state));
  CHECK_EQUAL(WEXITSTATUS(state), 42);
}

/* ---- Options that cannot be meant --------------------------------------------------------------------------------------- */

static void wrong_options_are_named(void) {
  front_executor *simple = create_threads(FRONT_EXECUTOR_SIMPLE_THREAD, "simple", 1);
  static const uint32_t zero_wheel[] = {10, 0};
  static const struct {
    front_executor_type type;
    int change;
    const char *want;
  } cases[] = {
      {FRONT_EXECUTOR_ASIO_THREAD, 1, "executor '': the name is empty"},
      {FRONT_EXECUTOR_ASIO_THREAD, 2, "executor 'x': thread_num is zero"},
      {FRONT_EXECUTOR_TBB_THREAD, 2, "executor 'x': thread_num is zero"},
      {FRONT_EXECUTOR_POOL, 2, "executor 'x': thread_num is zero"},
      {FRONT_EXECUTOR_POOL, 3, "the maximum of threads is below thread_num"},
      {FRONT_EXECUTOR_ASIO_STRAND, 0, "names no executor"},
      {FRONT_EXECUTOR_ASIO_STRAND, 4, "is not an asio_thread"},
      {FRONT_EXECUTOR_TIME_WHEEL, 5, "dt_us is zero"},
      {FRONT_EXECUTOR_TIME_WHEEL, 6, "wheel_size has a zero"},
      {FRONT_EXECUTOR_HOST, 0, "the post callback is NULL"},
      {99, 0, "the type is unknown"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    front_executor_options options = options_of(cases[i].type, "x");
    if (cases[i].change == 1) options.name = "";
    if (cases[i].change == 2) options.thread_num = 0;
    if (cases[i].change == 3) options.thread_num = options.max_threads + 1;
    if (cases[i].change == 4) options.bind = simple;
    if (cases[i].change == 5) options.dt_us = 0;
    if (cases[i].change == 6) {
      options.wheel_size = zero_wheel;
      options.wheel_size_count = 2;
    }
    char error[200];
    CHECK(front_executor_create(&options, error, sizeof error) == NULL);
    if (strstr(error, cases[i].want) == NULL) fprintf(stderr, "error is '%s', want '%s'\n", error, cases[i].want);
    CHECK(strstr(error, cases[i].want) != NULL);
    CHECK(front_executor_create(&options, NULL, 0) == NULL);
  }
  end(simple);
}

static void thread_options_that_fail_only_warn(void) {
  static const struct {
    const char *policy;
    uint32_t cpu;
    const char *want;
  } cases[] = {
      {"SCHED_SPORADIC", 0, "thread_sched_policy 'SCHED_SPORADIC': expected SCHED_OTHER"},
      {"SCHED_FIFO", 0, "expected SCHED_OTHER"},
      {"SCHED_OTHER:1", 0, "expected SCHED_OTHER"},
      {"SCHED_FIFO:x", 0, "expected SCHED_OTHER"},
      {"SCHED_FIFO:1000", 0, "the priority must be in 1..99"},
      {"SCHED_RR:0", 0, "the priority must be in 1..99"},
      {"", 100000, "invalid cpu index 100000"},
      {"bad", 100000, "; thread_sched_policy 'bad'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    log_book book = LOG_BOOK_INIT;
    char error[256];
    front_executor_options options = options_of(FRONT_EXECUTOR_SIMPLE_THREAD, "subject");
    options.thread_sched_policy = cases[i].policy;
    options.thread_bind_cpu = &cases[i].cpu;
    options.thread_bind_cpu_count = cases[i].cpu > 0 ? 1 : 0;
    options.log = log_write;
    options.log_arg = &book;
    front_executor *executor = front_executor_create(&options, error, sizeof error);
    CHECK(executor != NULL);
    if (strstr(error, cases[i].want) == NULL) fprintf(stderr, "warning is '%s', want '%s'\n", error, cases[i].want);
    CHECK(strstr(error, cases[i].want) != NULL);
    CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_WARN, "runs on without its options"), 1);
    check_runs_all(executor, "simple_thread", true);
    end(executor);
  }
}

/* ---- Stress ------------------------------------------------------------------------------------------------------------- */

enum { STRESS_POSTERS = 3, STRESS_TASKS = 6000, STRESS_ROUNDS = 6 };

typedef struct stress_poster {
  pthread_t thread;
  front_executor *targets[3];
  ledger *ledger;
  uint32_t first;
  uint32_t refused;
  ctest_counter *progress;
} stress_poster;

static void *stress_poster_main(void *arg) {
  stress_poster *poster = arg;
  for (uint32_t i = 0; i < STRESS_TASKS; i++) {
    if (front_executor_post_or_destroy(poster->targets[i % 3], ledger_task(poster->ledger, poster->first + i)) != AIMRT_RPC_RESULT_OK)
      poster->refused++;
    if (i == STRESS_TASKS / 2) ctest_add(poster->progress);
  }
  return NULL;
}

/* Posters keep posting while everything shuts down; every task must be destroyed exactly once, whoever decides its fate. */
static void shutdown_during_posting_loses_nothing(void) {
  for (uint32_t round = 0; round < STRESS_ROUNDS; round++) {
    ctest_counter progress = {0};
    ledger *l = ledger_new();
    front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 3);
    front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
    front_executor_options options = options_of(FRONT_EXECUTOR_POOL, "pool");
    options.max_threads = 8;
    options.queue_threshold = 50;
    options.idle_timeout_ns = 20000;
    front_executor *pool = create(&options);
    stress_poster posters[STRESS_POSTERS];
    for (uint32_t i = 0; i < STRESS_POSTERS; i++) {
      posters[i] = (stress_poster){.targets = {asio, strand, pool}, .ledger = l, .first = i * STRESS_TASKS, .progress = &progress};
      CHECK(pthread_create(&posters[i].thread, NULL, stress_poster_main, &posters[i]) == 0);
    }
    CHECK(ctest_reach(&progress, 1 + round % STRESS_POSTERS));
    if (round % 2 == 0) CHECK_EQUAL(front_executor_shutdown(strand, patience()), AIMRT_RPC_RESULT_OK);
    CHECK_EQUAL(front_executor_shutdown(asio, patience()), AIMRT_RPC_RESULT_OK);
    CHECK_EQUAL(front_executor_shutdown(pool, patience()), AIMRT_RPC_RESULT_OK);
    for (uint32_t i = 0; i < STRESS_POSTERS; i++) CHECK(pthread_join(posters[i].thread, NULL) == 0);
    CHECK_EQUAL(front_executor_shutdown(strand, patience()), AIMRT_RPC_RESULT_OK);
    uint32_t ran = ledger_check(l, STRESS_POSTERS * STRESS_TASKS);
    uint64_t unrun = statistics(strand).destroyed + statistics(pool).destroyed;
    for (uint32_t i = 0; i < STRESS_POSTERS; i++) unrun += posters[i].refused;
    /* asio's count may include the strand's drain, which is no task of the ledger. */
    uint64_t asio_unrun = STRESS_POSTERS * STRESS_TASKS - ran - unrun;
    CHECK(asio_unrun == statistics(asio).destroyed || asio_unrun + 1 == statistics(asio).destroyed);
    CHECK_EQUAL(ctest_count(&l->destroyed), STRESS_POSTERS * STRESS_TASKS);
    front_executor_release(strand);
    front_executor_release(pool);
    front_executor_release(asio);
    free(l);
  }
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"exiting_process_delivers_nothing_more", exiting_process_delivers_nothing_more}, /* first: it forks */
      {"every_type_runs_each_task_once", every_type_runs_each_task_once},
      {"bound_types_run_each_task_once", bound_types_run_each_task_once},
      {"host_loop_runs_each_task_once", host_loop_runs_each_task_once},
      {"strand_runs_one_at_a_time_in_order_of_each_poster", strand_runs_one_at_a_time_in_order_of_each_poster},
      {"strand_of_an_ended_executor_destroys_its_tasks", strand_of_an_ended_executor_destroys_its_tasks},
      {"strand_shutdown_waits_for_the_running_task", strand_shutdown_waits_for_the_running_task},
      {"current_executor_is_known_inside_tasks_only", current_executor_is_known_inside_tasks_only},
      {"queue_threshold_refuses_and_warns_once", queue_threshold_refuses_and_warns_once},
      {"negative_alarm_interval_lifts_the_threshold", negative_alarm_interval_lifts_the_threshold},
      {"pool_grows_refuses_and_shrinks", pool_grows_refuses_and_shrinks},
      {"shutdown_destroys_waiting_tasks_once", shutdown_destroys_waiting_tasks_once},
      {"shutdown_by_an_own_task_does_not_hang", shutdown_by_an_own_task_does_not_hang},
      {"release_by_an_own_task_frees_everything", release_by_an_own_task_frees_everything},
      {"host_tasks_left_at_shutdown_are_destroyed_once", host_tasks_left_at_shutdown_are_destroyed_once},
      {"closed_host_loop_refuses", closed_host_loop_refuses},
      {"unbound_time_wheel_waits_for_start", unbound_time_wheel_waits_for_start},
      {"wrong_options_are_named", wrong_options_are_named},
      {"thread_options_that_fail_only_warn", thread_options_that_fail_only_warn},
      {"shutdown_during_posting_loses_nothing", shutdown_during_posting_loses_nothing},
  };
  int result = ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
  (void)front_timer_stop();
  return result;
}
