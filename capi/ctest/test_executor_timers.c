/* Timed tasks: in order of time, never early, cancelled or run but not both, destroyed once whatever happens.
 * SPDX-License-Identifier: Apache-2.0 */
#include "executor_fixture.h"
#include "timer.h"

static const uint64_t HOUR_NS = 3600 * FRONT_NANOSECONDS_PER_SECOND;

static uint64_t post_at(front_executor *executor, uint64_t time_ns, front_executor_task task) {
  uint64_t id = 0;
  CHECK_EQUAL(front_executor_post_at(executor, time_ns, task, &id), AIMRT_RPC_RESULT_OK);
  CHECK(id != 0);
  return id;
}

static uint64_t post_after(front_executor *executor, uint64_t delay_ns, front_executor_task task) {
  uint64_t id = 0;
  CHECK_EQUAL(front_executor_post_after(executor, delay_ns, task, &id), AIMRT_RPC_RESULT_OK);
  CHECK(id != 0);
  return id;
}

/* ---- Time and order ----------------------------------------------------------------------------------------------------- */

typedef struct clock_probe {
  front_executor *executor;
  uint64_t time_ns;
  ctest_counter done;
} clock_probe;

static void check_clock(void *arg) {
  clock_probe *probe = arg;
  CHECK(front_executor_now_ns(probe->executor) >= probe->time_ns);
  CHECK(front_executor_is_current(probe->executor));
  ctest_add(&probe->done);
}

static void timed_tasks_never_run_early(void) {
  static const uint64_t delays_ns[] = {0, 1000, 400000, 1000000, 3000000, 25000000};
  for (int system_clock = 0; system_clock < 2; system_clock++) {
    front_executor_options options = options_of(FRONT_EXECUTOR_ASIO_THREAD, "asio");
    options.use_system_clock = (uint8_t)system_clock;
    front_executor *executor = create(&options);
    for (size_t i = 0; i < sizeof delays_ns / sizeof delays_ns[0]; i++) {
      clock_probe probe = {executor, front_executor_now_ns(executor) + delays_ns[i], {0}};
      (void)post_at(executor, probe.time_ns, (front_executor_task){check_clock, NULL, &probe});
      CHECK(ctest_reach(&probe.done, 1));
    }
    end(executor);
  }
}

static void clocks_are_near_the_wall_clock(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  front_executor *wheel = create_bound(FRONT_EXECUTOR_TIME_WHEEL, "wheel", asio);
  front_executor *simple = create_threads(FRONT_EXECUTOR_SIMPLE_THREAD, "simple", 1);
  front_executor *const clocks[] = {asio, strand, wheel};
  for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
    uint64_t now = front_executor_now_ns(clocks[i]), wall = front_clock_ns(CLOCK_REALTIME);
    CHECK((now > wall ? now - wall : wall - now) < 5 * FRONT_NANOSECONDS_PER_SECOND);
    CHECK(front_executor_now_ns(clocks[i]) >= now);
  }
  CHECK_EQUAL(front_executor_now_ns(simple), 0);
  end(simple);
  end(wheel);
  end(strand);
  end(asio);
}

/* Times come scattered; each is used by three tasks, which then run in the order of posting. Returns false when posting took so
 * long on this machine that the first time had passed, which says nothing about the order. */
static bool check_time_order(front_executor *executor, uint64_t margin_ns) {
  enum { COUNT = 300 };
  ledger *l = ledger_new();
  uint64_t start = front_executor_now_ns(executor) + margin_ns;
  uint32_t want[COUNT], next[COUNT / 3] = {0};
  for (uint32_t i = 0; i < COUNT; i++) {
    uint32_t step = i * 37 % (COUNT / 3);
    want[step * 3 + next[step]++] = i;
    (void)post_at(executor, start + step * 100000, ledger_task(l, i));
  }
  bool in_time = front_executor_now_ns(executor) < start;
  CHECK(ctest_reach(&l->destroyed, COUNT));
  CHECK_EQUAL(ledger_check(l, COUNT), COUNT);
  for (uint32_t i = 0; in_time && i < COUNT; i++) CHECK_EQUAL(atomic_load(&l->order[i]), want[i]);
  CHECK_EQUAL(statistics(executor).timers, 0);
  free(l);
  return in_time;
}

static void check_time_order_in_time(front_executor *executor) {
  uint64_t margin_ns = CTEST_MS(10);
  while (!check_time_order(executor, margin_ns)) {
    margin_ns *= 4;
    CHECK(margin_ns < CTEST_PATIENCE_NS);
  }
}

static void timed_tasks_run_in_order_of_time(void) {
  front_executor *single = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "single", 1);
  check_time_order_in_time(single);
  end(single);
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "carrier", 3);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  check_time_order_in_time(strand);
  end(strand);
  end(asio);
}

static void past_time_runs_soon(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  front_executor *wheel = create_bound(FRONT_EXECUTOR_TIME_WHEEL, "wheel", asio);
  ledger *l = ledger_new();
  (void)post_at(asio, 0, ledger_task(l, 0));
  (void)post_at(asio, front_executor_now_ns(asio) - 1, ledger_task(l, 1));
  (void)post_at(wheel, 0, ledger_task(l, 2));
  (void)post_at(wheel, 1, ledger_task(l, 3));
  CHECK(ctest_reach(&l->destroyed, 4));
  CHECK_EQUAL(ledger_check(l, 4), 4);
  end(wheel);
  end(asio);
  free(l);
}

typedef struct wheel_probe {
  front_executor *wheel;
  uint64_t posted_at_ns, wanted_ns, dt_ns;
  ctest_counter done;
} wheel_probe;

/* The clock of a time_wheel stands at a tick, and a task comes at the end of the tick that its time lies in. */
static void check_tick(void *arg) {
  wheel_probe *probe = arg;
  uint64_t now_ns = front_executor_now_ns(probe->wheel);
  CHECK_EQUAL((now_ns - probe->posted_at_ns) % probe->dt_ns, 0);
  CHECK(now_ns >= probe->wanted_ns);
  CHECK(now_ns - probe->posted_at_ns >= probe->dt_ns);
  ctest_add(&probe->done);
}

static void time_wheel_fires_on_ticks(void) {
  enum { DT_US = 5000 };
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  for (int is_bound = 0; is_bound < 2; is_bound++) {
    front_executor_options options = options_of(FRONT_EXECUTOR_TIME_WHEEL, "wheel");
    options.dt_us = DT_US;
    options.bind = is_bound ? asio : NULL;
    front_executor *wheel = create(&options);
    front_executor_start(wheel);
    for (uint64_t delay_us = 0; delay_us <= 12000; delay_us += 3000) {
      uint64_t now_ns = front_executor_now_ns(wheel);
      wheel_probe probe = {wheel, now_ns, now_ns + delay_us * 1000, DT_US * 1000, {0}};
      /* The tick may turn between reading the clock and posting; then the task is due at once, which is also a tick. */
      (void)post_at(wheel, probe.wanted_ns, (front_executor_task){check_tick, NULL, &probe});
      CHECK(ctest_reach(&probe.done, 1));
    }
    REACH_STATISTIC(wheel, executed, 5);
    end(wheel);
  }
  end(asio);
}

typedef struct tick_probe {
  front_executor *wheel;
  uint64_t fired_at_ns;
  ctest_counter done;
} tick_probe;

static void note_tick(void *arg) {
  tick_probe *probe = arg;
  probe->fired_at_ns = front_executor_now_ns(probe->wheel);
  ctest_add(&probe->done);
}

/* A task comes at the end of the tick that its time lies in: not before its time and at most one tick after it. A loaded machine may
 * miss a tick now and then, so each delay has a few tries. */
static void time_wheel_fires_within_its_tick(void) {
  enum { DT_NS = 10000000, TRIES = 50 };
  static const uint32_t small_wheel[] = {2, 3}; /* 60 ms: the longest delay is beyond it */
  static const uint64_t delays_ns[] = {1, DT_NS / 2, DT_NS, DT_NS + 1, 5 * DT_NS / 2, 7 * DT_NS};
  front_executor_options options = options_of(FRONT_EXECUTOR_TIME_WHEEL, "wheel");
  options.dt_us = DT_NS / 1000;
  options.wheel_size = small_wheel;
  options.wheel_size_count = 2;
  front_executor *wheel = create(&options);
  front_executor_start(wheel);
  for (size_t i = 0; i < sizeof delays_ns / sizeof delays_ns[0]; i++) {
    bool in_tick = false;
    for (int tries = 0; tries < TRIES && !in_tick; tries++) {
      tick_probe probe = {wheel, 0, {0}};
      uint64_t due_ns = front_executor_now_ns(wheel) + delays_ns[i];
      (void)post_at(wheel, due_ns, (front_executor_task){note_tick, NULL, &probe});
      CHECK(ctest_reach(&probe.done, 1));
      CHECK(probe.fired_at_ns >= due_ns);
      in_tick = probe.fired_at_ns - due_ns <= DT_NS;
    }
    CHECK(in_tick);
  }
  end(wheel);
}

static void executors_without_timers_refuse(void) {
  static const front_executor_type types[] = {FRONT_EXECUTOR_SIMPLE_THREAD, FRONT_EXECUTOR_TBB_THREAD, FRONT_EXECUTOR_POOL};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    log_book book = LOG_BOOK_INIT;
    front_executor_options options = options_of(types[i], "plain");
    options.log = log_write;
    options.log_arg = &book;
    front_executor *executor = create(&options);
    ledger *l = ledger_new();
    uint64_t id = 7;
    CHECK_EQUAL(front_executor_post_after(executor, 0, ledger_task(l, 0), &id), AIMRT_RPC_RESULT_UNSUPPORTED);
    CHECK_EQUAL(id, 0);
    CHECK_EQUAL(atomic_load(&l->entries[0].destroys), 0);
    CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_ERROR, "'plain' does not support timers"), 1);
    end(executor);
    free(l);
  }
}

static void host_loop_with_timers_runs_them(void) {
  host_loop *loop = host_new();
  front_executor_options options = options_of(FRONT_EXECUTOR_HOST, "host");
  options.host_post = host_post;
  options.host_user_data = loop;
  options.host_timers = 1;
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  CHECK(pthread_create(&loop->thread, NULL, host_main, loop) == 0);
  (void)post_after(executor, CTEST_MS(2), ledger_task(l, 1));
  (void)post_after(executor, CTEST_MS(1), ledger_task(l, 0));
  CHECK(ctest_reach(&l->destroyed, 2));
  CHECK_EQUAL(ledger_check(l, 2), 2);
  CHECK_EQUAL(atomic_load(&l->order[0]), 0);
  host_close(loop);
  CHECK(pthread_join(loop->thread, NULL) == 0);
  (void)post_after(executor, CTEST_MS(1), ledger_task(l, 2)); /* the loop is closed when its time comes */
  CHECK(ctest_reach(&l->destroyed, 3));
  CHECK_EQUAL(ledger_check(l, 3), 2);
  end(executor);
  free(l);
  free(loop);
}

/* ---- Cancel ------------------------------------------------------------------------------------------------------------- */

static void cancelled_task_does_not_run(void) {
  front_executor *executor = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  ledger *l = ledger_new();
  uint64_t first = post_after(executor, HOUR_NS, ledger_task(l, 0));
  CHECK_EQUAL(statistics(executor).timers, 1);
  CHECK_EQUAL(front_executor_cancel(executor, first), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(atomic_load(&l->entries[0].destroys), 1);
  CHECK_EQUAL(front_executor_cancel(executor, first), AIMRT_RPC_RESULT_LOST);
  uint64_t second = post_after(executor, CTEST_MS(1), ledger_task(l, 1));
  CHECK(second != first);
  CHECK(ctest_reach(&l->destroyed, 2));
  CHECK_EQUAL(ledger_check(l, 2), 1);
  CHECK_EQUAL(atomic_load(&l->entries[1].runs), 1);
  CHECK_EQUAL(front_executor_cancel(executor, second), AIMRT_RPC_RESULT_LOST);
  /* A slot is used again under another id: the old one must not cancel the new task. */
  uint64_t third = post_after(executor, HOUR_NS, ledger_task(l, 2));
  CHECK(third != first && third != second);
  CHECK_EQUAL(front_executor_cancel(executor, first), AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(front_executor_cancel(executor, second), AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(front_executor_cancel(executor, 0), AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(front_executor_cancel(executor, UINT64_MAX), AIMRT_RPC_RESULT_LOST);
  CHECK_EQUAL(front_executor_cancel(executor, third), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(statistics(executor).timers, 0);
  end(executor);
  free(l);
}

static void task_can_be_cancelled_while_it_waits_in_the_queue(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  front_executor *wheel = create_bound(FRONT_EXECUTOR_TIME_WHEEL, "wheel", asio);
  front_executor *const timed[] = {asio, wheel};
  for (size_t i = 0; i < 2; i++) {
    ledger *l = ledger_new();
    gate g = {0};
    gate_hold(&g, asio);
    uint64_t id = post_at(timed[i], 1, ledger_task(l, 0)); /* long past: queued at once */
    uint64_t due = post_after(timed[i], CTEST_MS(2), ledger_task(l, 1));
    REACH_STATISTIC(asio, queued, 2);
    CHECK_EQUAL(statistics(timed[i]).timers, 2);
    CHECK_EQUAL(front_executor_cancel(timed[i], id), AIMRT_RPC_RESULT_OK);
    CHECK_EQUAL(front_executor_cancel(timed[i], due), AIMRT_RPC_RESULT_OK);
    CHECK_EQUAL(ledger_check(l, 2), 0);
    gate_open(&g);
    REACH_STATISTIC(asio, queued, 0);
    REACH_STATISTIC(asio, running, 0);
    CHECK_EQUAL(ledger_check(l, 2), 0);
    free(l);
  }
  end(wheel);
  end(asio);
}

typedef struct self_canceller {
  front_executor *executor;
  _Atomic uint64_t id;
  gate told;
  ctest_counter done;
} self_canceller;

static void cancel_itself(void *arg) {
  self_canceller *c = arg;
  CHECK(ctest_reach(&c->told.opened, 1));
  CHECK_EQUAL(front_executor_cancel(c->executor, atomic_load(&c->id)), AIMRT_RPC_RESULT_LOST);
  ctest_add(&c->done);
}

static void running_task_cannot_be_cancelled(void) {
  self_canceller c = {0};
  c.executor = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  atomic_store(&c.id, post_after(c.executor, 0, (front_executor_task){cancel_itself, NULL, &c}));
  gate_open(&c.told);
  CHECK(ctest_reach(&c.done, 1));
  end(c.executor);
}

enum { RACE_THREADS = 3, RACE_ROUNDS = 2000 };

typedef struct cancel_racer {
  pthread_t thread;
  front_executor *executor;
  ledger *ledger;
  uint32_t first;
  uint32_t cancelled;
} cancel_racer;

static void *cancel_racer_main(void *arg) {
  cancel_racer *racer = arg;
  uint32_t random = racer->first + 1;
  for (uint32_t i = 0; i < RACE_ROUNDS; i++) {
    random = random * 1664525u + 1013904223u;
    uint64_t id = post_after(racer->executor, random % 200000, ledger_task(racer->ledger, racer->first + i));
    uint64_t spin_until = front_monotonic_ns() + (random >> 8) % 100000;
    while (front_monotonic_ns() < spin_until) front_cpu_relax();
    if (front_executor_cancel(racer->executor, id) == AIMRT_RPC_RESULT_OK) {
      CHECK_EQUAL(atomic_load(&racer->ledger->entries[racer->first + i].runs), 0);
      racer->cancelled++;
    }
  }
  return NULL;
}

static void cancel_races_are_decided_once(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 2);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  front_executor *wheel = create_bound(FRONT_EXECUTOR_TIME_WHEEL, "wheel", asio);
  front_executor *const timed[RACE_THREADS] = {asio, strand, wheel};
  ledger *l = ledger_new();
  cancel_racer racers[RACE_THREADS];
  uint32_t cancelled = 0;
  for (uint32_t i = 0; i < RACE_THREADS; i++) {
    racers[i] = (cancel_racer){.executor = timed[i], .ledger = l, .first = i * RACE_ROUNDS};
    CHECK(pthread_create(&racers[i].thread, NULL, cancel_racer_main, &racers[i]) == 0);
  }
  for (uint32_t i = 0; i < RACE_THREADS; i++) {
    CHECK(pthread_join(racers[i].thread, NULL) == 0);
    cancelled += racers[i].cancelled;
  }
  CHECK(ctest_reach(&l->destroyed, RACE_THREADS * RACE_ROUNDS));
  CHECK_EQUAL(ledger_check(l, RACE_THREADS * RACE_ROUNDS) + cancelled, RACE_THREADS * RACE_ROUNDS);
  CHECK(cancelled > 0 && cancelled < RACE_THREADS * RACE_ROUNDS);
  end(wheel);
  end(strand);
  end(asio);
  free(l);
}

/* Removal from the middle of the heap must keep the order of the rest. */
static void order_survives_cancels(void) {
  enum { COUNT = 500 };
  front_executor *executor = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  ledger *l = ledger_new();
  static uint64_t ids[COUNT];
  gate g = {0};
  gate_hold(&g, executor); /* what comes due before all cancels are done waits in the queue, in order */
  uint64_t start = front_executor_now_ns(executor) + CTEST_MS(10);
  for (uint32_t i = 0; i < COUNT; i++) {
    uint32_t number = i * 191 % COUNT;
    ids[number] = post_at(executor, start + number * 10000, ledger_task(l, number));
  }
  for (uint32_t i = 0; i < COUNT; i++)
    if (i * 53 % COUNT % 3 == 0) CHECK_EQUAL(front_executor_cancel(executor, ids[i * 53 % COUNT]), AIMRT_RPC_RESULT_OK);
  gate_open(&g);
  CHECK(ctest_reach(&l->destroyed, COUNT));
  uint32_t ran = ledger_check(l, COUNT), last = 0;
  CHECK_EQUAL(ran, COUNT - (COUNT + 2) / 3);
  for (uint32_t i = 0; i < ran; i++) {
    uint32_t number = atomic_load(&l->order[i]);
    CHECK(number % 3 != 0 && number > last);
    last = number;
  }
  end(executor);
  free(l);
}

/* ---- Shutdown and alarm ------------------------------------------------------------------------------------------------- */

static void shutdown_destroys_timers_once(void) {
  log_book book = LOG_BOOK_INIT;
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  front_executor_options options = options_of(FRONT_EXECUTOR_TIME_WHEEL, "wheel");
  options.bind = asio;
  options.dt_us = 1000;
  options.log = log_write;
  options.log_arg = &book;
  front_executor *wheel = create(&options);
  ledger *l = ledger_new();
  gate g = {0};
  gate_hold(&g, asio);
  for (uint32_t i = 0; i < 100; i++) (void)post_after(wheel, HOUR_NS + i % 7, ledger_task(l, i));
  for (uint32_t i = 100; i < 110; i++) (void)post_at(wheel, 1, ledger_task(l, i)); /* these wait in the queue of asio */
  CHECK_EQUAL(statistics(wheel).timers, 110);
  CHECK_EQUAL(front_executor_shutdown(wheel, patience()), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(ledger_check(l, 110), 0);
  CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_ERROR, "110 waiting task(s) will not run"), 1);
  CHECK_EQUAL(statistics(wheel).timers, 0);
  CHECK_EQUAL(front_executor_post_after(wheel, 0, ledger_task(l, 110), NULL), AIMRT_RPC_RESULT_INVALID_STATE);
  CHECK_EQUAL(front_executor_post(wheel, ledger_task(l, 110)), AIMRT_RPC_RESULT_INVALID_STATE);
  CHECK_EQUAL(atomic_load(&l->entries[110].destroys), 0);
  front_executor_release(wheel);
  gate_open(&g);
  end(asio);
  CHECK_EQUAL(ledger_check(l, 110), 0);
  CHECK_EQUAL(front_timer_armed_count(), 0);
  free(l);
}

static void carrier_shutdown_destroys_timed_tasks_once(void) {
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 1);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  ledger *l = ledger_new();
  end(asio);
  CHECK_EQUAL(front_executor_post_at(strand, 1, ledger_task(l, 0), NULL), AIMRT_RPC_RESULT_INVALID_STATE);
  CHECK_EQUAL(atomic_load(&l->entries[0].destroys), 0);
  for (uint32_t i = 0; i < 10; i++) (void)post_after(strand, CTEST_MS(1), ledger_task(l, i));
  CHECK(ctest_reach(&l->destroyed, 10)); /* when their time comes, nobody takes them */
  CHECK_EQUAL(ledger_check(l, 10), 0);
  end(strand);
  free(l);
}

static void late_timed_task_raises_the_alarm_once(void) {
  log_book book = LOG_BOOK_INIT;
  front_executor_options options = options_of(FRONT_EXECUTOR_ASIO_THREAD, "busy");
  options.timeout_alarm_threshold_us = 1000;
  options.timeout_alarm_interval_ms = 3600 * 1000;
  options.log = log_write;
  options.log_arg = &book;
  front_executor *executor = create(&options);
  ledger *l = ledger_new();
  gate g = {0};
  gate_hold(&g, executor);
  uint64_t time_ns = front_executor_now_ns(executor);
  for (uint32_t i = 0; i < 3; i++) (void)post_at(executor, time_ns, ledger_task(l, i));
  while (front_executor_now_ns(executor) < time_ns + CTEST_MS(3)) (void)sched_yield();
  gate_open(&g);
  CHECK(ctest_reach(&l->destroyed, 3));
  CHECK_EQUAL(log_count(&book, AIMRT_RPC_LOG_LEVEL_WARN, "'busy' runs a timed task"), 1);
  end(executor);
  free(l);
}

enum { STRESS_ROUNDS = 8, STRESS_TASKS = 1500 };

typedef struct timed_poster {
  pthread_t thread;
  front_executor *executor;
  ledger *ledger;
  uint32_t first;
  ctest_counter *progress;
} timed_poster;

static void *timed_poster_main(void *arg) {
  timed_poster *poster = arg;
  for (uint32_t i = 0; i < STRESS_TASKS; i++) {
    front_executor_task task = ledger_task(poster->ledger, poster->first + i);
    if (front_executor_post_after(poster->executor, i * 7919 % 300000, task, NULL) != AIMRT_RPC_RESULT_OK) task.destroy(task.arg);
    if (i == STRESS_TASKS / 3) ctest_add(poster->progress);
  }
  return NULL;
}

static void shutdown_during_timed_posting_loses_nothing(void) {
  for (uint32_t round = 0; round < STRESS_ROUNDS; round++) {
    ctest_counter progress = {0};
    ledger *l = ledger_new();
    front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 2);
    front_executor *timed[] = {asio, create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio),
                               create_bound(FRONT_EXECUTOR_TIME_WHEEL, "wheel", asio),
                               create_threads(FRONT_EXECUTOR_TIME_WHEEL, "own", 1)};
    enum { COUNT = sizeof timed / sizeof timed[0] };
    timed_poster posters[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
      posters[i] = (timed_poster){.executor = timed[i], .ledger = l, .first = i * STRESS_TASKS, .progress = &progress};
      CHECK(pthread_create(&posters[i].thread, NULL, timed_poster_main, &posters[i]) == 0);
    }
    CHECK(ctest_reach(&progress, 2));
    for (uint32_t i = 0; i < COUNT; i++)
      CHECK_EQUAL(front_executor_shutdown(timed[(i + round) % COUNT], patience()), AIMRT_RPC_RESULT_OK);
    for (uint32_t i = 0; i < COUNT; i++) CHECK(pthread_join(posters[i].thread, NULL) == 0);
    for (uint32_t i = COUNT; i-- > 0;) end(timed[i]);
    CHECK_EQUAL(ctest_count(&l->destroyed), COUNT * STRESS_TASKS);
    (void)ledger_check(l, COUNT * STRESS_TASKS);
    CHECK_EQUAL(front_timer_armed_count(), 0);
    free(l);
  }
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"timed_tasks_never_run_early", timed_tasks_never_run_early},
      {"clocks_are_near_the_wall_clock", clocks_are_near_the_wall_clock},
      {"timed_tasks_run_in_order_of_time", timed_tasks_run_in_order_of_time},
      {"past_time_runs_soon", past_time_runs_soon},
      {"time_wheel_fires_on_ticks", time_wheel_fires_on_ticks},
      {"time_wheel_fires_within_its_tick", time_wheel_fires_within_its_tick},
      {"executors_without_timers_refuse", executors_without_timers_refuse},
      {"host_loop_with_timers_runs_them", host_loop_with_timers_runs_them},
      {"cancelled_task_does_not_run", cancelled_task_does_not_run},
      {"task_can_be_cancelled_while_it_waits_in_the_queue", task_can_be_cancelled_while_it_waits_in_the_queue},
      {"running_task_cannot_be_cancelled", running_task_cannot_be_cancelled},
      {"cancel_races_are_decided_once", cancel_races_are_decided_once},
      {"order_survives_cancels", order_survives_cancels},
      {"shutdown_destroys_timers_once", shutdown_destroys_timers_once},
      {"carrier_shutdown_destroys_timed_tasks_once", carrier_shutdown_destroys_timed_tasks_once},
      {"late_timed_task_raises_the_alarm_once", late_timed_task_raises_the_alarm_once},
      {"shutdown_during_timed_posting_loses_nothing", shutdown_during_timed_posting_loses_nothing},
  };
  int result = ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
  (void)front_timer_stop();
  return result;
}
