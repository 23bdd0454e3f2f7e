/* Timing wheel: never early, in order, cancelled or run but not both, restartable.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>

#include "ctest.h"
#include "timer.h"

/* ---- One timer ---------------------------------------------------------------------------------------------------------- */

typedef struct probe {
  front_timer timer;
  ctest_counter ran;
  _Atomic uint64_t ran_at_ns;
} probe;

static void probe_run(void *arg) {
  probe *p = arg;
  atomic_store(&p->ran_at_ns, front_monotonic_ns());
  ctest_add(&p->ran);
}

static void timer_runs_once_and_never_early(void) {
  static const uint64_t delays_ns[] = {0, 1, 1000, 65535, 65536, 65537, 1000000, 4194304, 5000000, 20000000, 300000000};
  enum { COUNT = sizeof delays_ns / sizeof delays_ns[0] };
  static probe probes[COUNT];
  uint64_t deadlines[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    deadlines[i] = front_monotonic_ns() + delays_ns[i];
    CHECK(front_timer_arm(&probes[i].timer, deadlines[i], probe_run, &probes[i]));
  }
  for (size_t i = 0; i < COUNT; i++) {
    CHECK(ctest_reach(&probes[i].ran, 1));
    CHECK(atomic_load(&probes[i].ran_at_ns) >= deadlines[i]);
    CHECK(!front_timer_disarm_wait(&probes[i].timer));
    CHECK_EQUAL(ctest_count(&probes[i].ran), 1);
  }
  CHECK_EQUAL(front_timer_armed_count(), 0);
}

enum { TICK_NS = 65536, EARLY_ROUNDS = 40 };

static void hold_thread_until(void *arg) {
  while (front_monotonic_ns() < *(uint64_t *)arg) front_cpu_relax();
}

/* The thread looks at the wheel when the tick of a deadline has begun and the deadline has not come: it must not be rounded down. */
static void deadline_late_in_a_tick_is_not_early(void) {
  for (uint32_t round = 0; round < EARLY_ROUNDS; round++) {
    front_timer holder = {0};
    probe p;
    memset(&p, 0, sizeof p);
    uint64_t tick_ns = (front_monotonic_ns() / TICK_NS + 10) * TICK_NS;
    uint64_t hold_until_ns = tick_ns + 500, deadline_ns = tick_ns + TICK_NS - 500;
    CHECK(front_timer_arm(&p.timer, deadline_ns, probe_run, &p));
    CHECK(front_timer_arm(&holder, 0, hold_thread_until, &hold_until_ns));
    CHECK(ctest_reach(&p.ran, 1));
    CHECK(atomic_load(&p.ran_at_ns) >= deadline_ns);
    CHECK(!front_timer_disarm_wait(&p.timer));
  }
}

static void past_deadline_runs_at_once(void) {
  static probe p;
  CHECK(front_timer_arm(&p.timer, 0, probe_run, &p));
  CHECK(ctest_reach(&p.ran, 1));
}

static void far_deadline_waits_and_disarms(void) {
  static probe p;
  static const uint64_t deadlines[] = {UINT64_MAX, UINT64_MAX - 70000, UINT64_C(1) << 63, UINT64_C(1) << 52};
  for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
    CHECK(front_timer_arm(&p.timer, deadlines[i], probe_run, &p));
    CHECK_EQUAL(front_timer_armed_count(), 1);
    CHECK(front_timer_disarm(&p.timer));
    CHECK(!front_timer_disarm(&p.timer));
  }
  CHECK_EQUAL(ctest_count(&p.ran), 0);
}

static void never_armed_timer_does_not_disarm(void) {
  front_timer timer = {0};
  CHECK(!front_timer_disarm(&timer));
  CHECK(!front_timer_disarm_wait(&timer));
}

static void arming_again_moves_the_timer(void) {
  static probe moved, after;
  uint64_t now = front_monotonic_ns();
  CHECK(front_timer_arm(&moved.timer, now + 3600 * FRONT_NANOSECONDS_PER_SECOND, probe_run, &moved));
  CHECK(front_timer_arm(&moved.timer, now + CTEST_MS(1), probe_run, &moved));
  CHECK(front_timer_arm(&after.timer, now + CTEST_MS(30), probe_run, &after));
  CHECK(ctest_reach(&after.ran, 1));
  CHECK_EQUAL(ctest_count(&moved.ran), 1);
  CHECK_EQUAL(front_timer_armed_count(), 0);
}

/* A sleeping thread must be woken for an earlier deadline, whatever it sleeps for. */
static void earlier_deadline_wakes_the_thread(void) {
  static probe far, near;
  CHECK(front_timer_arm(&far.timer, front_monotonic_ns() + 3600 * FRONT_NANOSECONDS_PER_SECOND, probe_run, &far));
  for (uint32_t i = 1; i <= 50; i++) {
    CHECK(front_timer_arm(&near.timer, front_monotonic_ns() + CTEST_MS(2), probe_run, &near));
    CHECK(ctest_reach(&near.ran, i));
  }
  CHECK(front_timer_disarm(&far.timer));
}

/* ---- Order -------------------------------------------------------------------------------------------------------------- */

enum { ORDER_COUNT = 400 };
typedef struct ordered {
  front_timer timer;
  uint32_t number;
} ordered;
static ordered ordered_timers[ORDER_COUNT];
static uint32_t order_seen[ORDER_COUNT];
static ctest_counter order_done;

static void ordered_run(void *arg) {
  order_seen[ctest_count(&order_done)] = ((ordered *)arg)->number;
  ctest_add(&order_done);
}

/* Deadlines half a millisecond apart, armed in a scattered order from one thread, across two levels of the wheel. Returns false
 * when arming took so long on this machine that the first deadline had passed, which says nothing about the order. */
static bool check_order(uint64_t margin_ns) {
  atomic_store(&order_done.value, 0);
  uint64_t start = front_monotonic_ns() + margin_ns;
  for (uint32_t i = 0; i < ORDER_COUNT; i++) {
    uint32_t number = i * 137 % ORDER_COUNT;
    ordered_timers[number].number = number;
    CHECK(front_timer_arm(&ordered_timers[number].timer, start + number * CTEST_MS(1) / 2, ordered_run, &ordered_timers[number]));
  }
  bool in_time = front_monotonic_ns() < start;
  CHECK(ctest_reach(&order_done, ORDER_COUNT));
  for (uint32_t i = 0; in_time && i < ORDER_COUNT; i++) CHECK_EQUAL(order_seen[i], i);
  return in_time;
}

static void timers_run_in_order_of_deadline(void) {
  uint64_t margin_ns = CTEST_MS(10);
  while (!check_order(margin_ns)) {
    margin_ns *= 4;
    CHECK(margin_ns < CTEST_PATIENCE_NS);
  }
}

/* ---- Callbacks that arm, and waits for a running callback --------------------------------------------------------------- */

enum { REARM_COUNT = 20 };
static probe rearming;

static void rearm_run(void *arg) {
  probe *p = arg;
  if (ctest_count(&p->ran) + 1 < REARM_COUNT) CHECK(front_timer_arm(&p->timer, front_monotonic_ns(), rearm_run, p));
  ctest_add(&p->ran);
}

static void callback_arms_its_own_timer(void) {
  CHECK(front_timer_arm(&rearming.timer, front_monotonic_ns(), rearm_run, &rearming));
  CHECK(ctest_reach(&rearming.ran, REARM_COUNT));
  CHECK(!front_timer_disarm_wait(&rearming.timer));
  CHECK_EQUAL(ctest_count(&rearming.ran), REARM_COUNT);
}

typedef struct slow {
  front_timer timer;
  ctest_counter entered;
  ctest_counter let_go;
  _Atomic uint32_t left;
} slow;

static void slow_run(void *arg) {
  slow *s = arg;
  ctest_add(&s->entered);
  CHECK(ctest_reach(&s->let_go, 1));
  atomic_store(&s->left, 1);
}

static void *slow_release(void *arg) {
  ctest_add(&((slow *)arg)->let_go);
  return NULL;
}

static void disarm_wait_waits_for_the_running_callback(void) {
  slow *s = calloc(1, sizeof *s);
  CHECK(s != NULL);
  CHECK(front_timer_arm(&s->timer, front_monotonic_ns(), slow_run, s));
  CHECK(ctest_reach(&s->entered, 1));
  CHECK(!front_timer_disarm(&s->timer));
  CHECK_EQUAL(atomic_load(&s->left), 0);
  pthread_t helper;
  CHECK(pthread_create(&helper, NULL, slow_release, s) == 0);
  CHECK(!front_timer_disarm_wait(&s->timer));
  CHECK_EQUAL(atomic_load(&s->left), 1);
  CHECK(pthread_join(helper, NULL) == 0);
  free(s);
}

static void self_freeing_run(void *arg) {
  ctest_counter *done = *(ctest_counter **)((char *)arg + sizeof(front_timer));
  free(arg);
  ctest_add(done);
}

static void callback_frees_its_own_timer(void) {
  static ctest_counter done;
  for (uint32_t i = 1; i <= 100; i++) {
    char *block = calloc(1, sizeof(front_timer) + sizeof(ctest_counter *));
    CHECK(block != NULL);
    *(ctest_counter **)(block + sizeof(front_timer)) = &done;
    CHECK(front_timer_arm((front_timer *)block, front_monotonic_ns() + i * 1000, self_freeing_run, block));
  }
  CHECK(ctest_reach(&done, 100));
}

/* ---- Races -------------------------------------------------------------------------------------------------------------- */

enum { RACE_THREADS = 3, RACE_ROUNDS = 3000 };
static _Atomic uint32_t race_ran, race_cancelled;

static void race_run(void *arg) {
  (void)atomic_fetch_add((_Atomic uint32_t *)arg, 1);
  (void)atomic_fetch_add(&race_ran, 1);
}

/* Short deadlines against immediate cancels: each timer runs or is cancelled, never both and never neither. */
static void *race_thread(void *arg) {
  uint32_t random = (uint32_t)(uintptr_t)arg * 2654435761u + 1;
  for (uint32_t i = 0; i < RACE_ROUNDS; i++) {
    front_timer timer = {0};
    _Atomic uint32_t ran = 0;
    random = random * 1664525u + 1013904223u;
    CHECK(front_timer_arm(&timer, front_monotonic_ns() + random % 100000, race_run, &ran));
    uint64_t spin_until = front_monotonic_ns() + (random >> 8) % 150000;
    while (front_monotonic_ns() < spin_until) front_cpu_relax();
    bool cancelled = front_timer_disarm_wait(&timer);
    CHECK_EQUAL(atomic_load(&ran) + (cancelled ? 1u : 0u), 1);
    if (cancelled) (void)atomic_fetch_add(&race_cancelled, 1);
  }
  return NULL;
}

static void cancel_races_are_decided_once(void) {
  pthread_t threads[RACE_THREADS];
  for (uintptr_t i = 0; i < RACE_THREADS; i++) CHECK(pthread_create(&threads[i], NULL, race_thread, (void *)(i + 1)) == 0);
  for (size_t i = 0; i < RACE_THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK_EQUAL(atomic_load(&race_ran) + atomic_load(&race_cancelled), RACE_THREADS * RACE_ROUNDS);
  CHECK(atomic_load(&race_ran) > 0);
  CHECK(atomic_load(&race_cancelled) > 0);
  CHECK_EQUAL(front_timer_armed_count(), 0);
}

/* ---- The thread --------------------------------------------------------------------------------------------------------- */

static sigset_t timer_mask;
static void mask_run(void *arg) {
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &timer_mask) == 0);
  ctest_add(arg);
}

static void thread_blocks_asynchronous_signals(void) {
  static ctest_counter done;
  static front_timer timer;
  CHECK(front_timer_arm(&timer, 0, mask_run, &done));
  CHECK(ctest_reach(&done, 1));
  CHECK_EQUAL(sigismember(&timer_mask, SIGINT), 1);
  CHECK_EQUAL(sigismember(&timer_mask, SIGTERM), 1);
  CHECK_EQUAL(sigismember(&timer_mask, SIGSEGV), 0);
  CHECK_EQUAL(sigismember(&timer_mask, SIGURG), 0);
}

static void stop_run(void *arg) {
  CHECK(!front_timer_stop());
  ctest_add(arg);
}

static void stopped_thread_starts_again(void) {
  static probe kept, fresh;
  static ctest_counter refused;
  static front_timer from_inside;
  CHECK(front_timer_arm(&from_inside, 0, stop_run, &refused));
  CHECK(ctest_reach(&refused, 1));
  CHECK(front_timer_arm(&kept.timer, front_monotonic_ns() + CTEST_MS(5), probe_run, &kept));
  CHECK(front_timer_stop());
  CHECK(!front_timer_stop());
  CHECK_EQUAL(front_timer_armed_count() + ctest_count(&kept.ran), 1);
  CHECK(front_timer_arm(&fresh.timer, front_monotonic_ns(), probe_run, &fresh));
  CHECK(ctest_reach(&fresh.ran, 1));
  CHECK(ctest_reach(&kept.ran, 1));
  CHECK(front_timer_stop());
}

/* ---- Once-only event ---------------------------------------------------------------------------------------------------- */

static void *event_setter(void *arg) {
  front_once_event_set(arg);
  return NULL;
}

static void once_event_wakes_and_times_out(void) {
  front_once_event never = {0};
  CHECK(!front_once_event_wait(&never, front_monotonic_ns() + CTEST_MS(1)));
  CHECK(!front_once_event_wait(&never, 0));
  for (int i = 0; i < 200; i++) {
    front_once_event event;
    front_once_event_init(&event);
    CHECK(!front_once_event_is_done(&event));
    pthread_t setter;
    CHECK(pthread_create(&setter, NULL, event_setter, &event) == 0);
    CHECK(front_once_event_wait(&event, front_monotonic_ns() + CTEST_PATIENCE_NS));
    CHECK(front_once_event_is_done(&event));
    CHECK(front_once_event_wait(&event, 0));
    CHECK(pthread_join(setter, NULL) == 0);
  }
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"timer_runs_once_and_never_early", timer_runs_once_and_never_early},
      {"deadline_late_in_a_tick_is_not_early", deadline_late_in_a_tick_is_not_early},
      {"past_deadline_runs_at_once", past_deadline_runs_at_once},
      {"far_deadline_waits_and_disarms", far_deadline_waits_and_disarms},
      {"never_armed_timer_does_not_disarm", never_armed_timer_does_not_disarm},
      {"arming_again_moves_the_timer", arming_again_moves_the_timer},
      {"earlier_deadline_wakes_the_thread", earlier_deadline_wakes_the_thread},
      {"timers_run_in_order_of_deadline", timers_run_in_order_of_deadline},
      {"callback_arms_its_own_timer", callback_arms_its_own_timer},
      {"disarm_wait_waits_for_the_running_callback", disarm_wait_waits_for_the_running_callback},
      {"callback_frees_its_own_timer", callback_frees_its_own_timer},
      {"cancel_races_are_decided_once", cancel_races_are_decided_once},
      {"thread_blocks_asynchronous_signals", thread_blocks_asynchronous_signals},
      {"stopped_thread_starts_again", stopped_thread_starts_again},
      {"once_event_wakes_and_times_out", once_event_wakes_and_times_out},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
