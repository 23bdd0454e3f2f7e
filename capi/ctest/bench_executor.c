/* Measures what calls pay: post to run, throughput of a queue, timer arm and disarm, lateness of timers. Not a test: the numbers
 * depend on the machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include "executor_fixture.h"
#include "timer.h"

enum { LATENCY_ROUNDS = 20000, ASLEEP_ROUNDS = 2000, ASLEEP_PAUSE_NS = 200000, THROUGHPUT_TASKS = 1000000, TIMER_ROUNDS = 2000000, LATE_ROUNDS = 300 };

static uint64_t samples[LATENCY_ROUNDS];

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void print_samples(const char *what, size_t count) {
  qsort(samples, count, sizeof samples[0], compare);
  printf("%-44s p50 %7.2f us   p99 %7.2f us   p99.9 %8.2f us\n", what, (double)samples[count / 2] / 1e3,
         (double)samples[count * 99 / 100] / 1e3, (double)samples[count * 999 / 1000] / 1e3);
}

typedef struct ping {
  uint64_t posted_ns;
  uint64_t waited_ns;
  front_once_event done;
} ping;

static void ping_run(void *arg) {
  ping *p = arg;
  p->waited_ns = front_monotonic_ns() - p->posted_ns;
  front_once_event_set(&p->done);
}

/* With a pause the executor's thread sleeps when the task comes; without one it is often still on its way to sleep. */
static void measure_latency(const char *what, front_executor *executor, size_t rounds, long pause_ns) {
  for (size_t i = 0; i < rounds; i++) {
    struct timespec pause = {0, pause_ns};
    if (pause_ns > 0) (void)nanosleep(&pause, NULL);
    ping p = {.posted_ns = front_monotonic_ns()};
    CHECK_EQUAL(front_executor_post(executor, (front_executor_task){ping_run, NULL, &p}), AIMRT_RPC_RESULT_OK);
    CHECK(front_once_event_wait(&p.done, FRONT_NEVER));
    samples[i] = p.waited_ns;
  }
  print_samples(what, rounds);
}

static _Atomic uint32_t counted;
static front_once_event all_counted;
static void count_run(void *arg) {
  (void)arg;
  if (atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed) + 1 == THROUGHPUT_TASKS) front_once_event_set(&all_counted);
}

static void measure_throughput(const char *what, front_executor *executor) {
  atomic_store(&counted, 0);
  front_once_event_init(&all_counted);
  uint64_t start = front_monotonic_ns();
  for (uint32_t i = 0; i < THROUGHPUT_TASKS; i++)
    while (front_executor_post(executor, (front_executor_task){count_run, NULL, NULL}) != AIMRT_RPC_RESULT_OK) (void)sched_yield();
  CHECK(front_once_event_wait(&all_counted, FRONT_NEVER));
  printf("%-44s %7.0f ns per task\n", what, (double)(front_monotonic_ns() - start) / THROUGHPUT_TASKS);
}

static void never_run(void *arg) { (void)arg; }

static void *measure_timer_thread(void *arg) {
  front_timer timer = {0};
  uint64_t deadline = front_monotonic_ns() + 5 * FRONT_NANOSECONDS_PER_SECOND;
  uint64_t start = front_clock_ns(CLOCK_THREAD_CPUTIME_ID);
  for (uint32_t i = 0; i < TIMER_ROUNDS; i++) {
    CHECK(front_timer_arm(&timer, deadline + i, never_run, NULL));
    CHECK(front_timer_disarm(&timer));
  }
  *(double *)arg = (double)(front_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / TIMER_ROUNDS;
  return NULL;
}

static void measure_timer_cost(void) {
  double one = 0, two[2] = {0, 0};
  (void)measure_timer_thread(&one);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, measure_timer_thread, &two[i]) == 0);
  for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  printf("%-44s %7.1f ns (one thread), %.1f and %.1f ns (two at once)\n", "timer arm + disarm", one, two[0], two[1]);
}

static void measure_lateness(const char *what, uint64_t delay_ns) {
  for (size_t i = 0; i < LATE_ROUNDS; i++) {
    front_timer timer = {0};
    ping p = {.posted_ns = front_monotonic_ns() + delay_ns};
    CHECK(front_timer_arm(&timer, p.posted_ns, ping_run, &p));
    CHECK(front_once_event_wait(&p.done, FRONT_NEVER));
    samples[i] = p.waited_ns;
  }
  print_samples(what, LATE_ROUNDS);
}

int main(void) {
  front_executor *simple = create_threads(FRONT_EXECUTOR_SIMPLE_THREAD, "simple", 1);
  front_executor *asio = create_threads(FRONT_EXECUTOR_ASIO_THREAD, "asio", 2);
  front_executor *strand = create_bound(FRONT_EXECUTOR_ASIO_STRAND, "strand", asio);
  front_executor *pool = create_threads(FRONT_EXECUTOR_POOL, "pool", 2);
  measure_latency("post to run, simple_thread, asleep", simple, ASLEEP_ROUNDS, ASLEEP_PAUSE_NS);
  measure_latency("post to run, simple_thread, busy", simple, LATENCY_ROUNDS, 0);
  measure_latency("post to run, asio_thread of 2, asleep", asio, ASLEEP_ROUNDS, ASLEEP_PAUSE_NS);
  measure_latency("post to run, asio_thread of 2, busy", asio, LATENCY_ROUNDS, 0);
  measure_latency("post to run, strand on it, asleep", strand, ASLEEP_ROUNDS, ASLEEP_PAUSE_NS);
  measure_latency("post to run, strand on it, busy", strand, LATENCY_ROUNDS, 0);
  measure_latency("post to run, pool, asleep", pool, ASLEEP_ROUNDS, ASLEEP_PAUSE_NS);
  measure_latency("post to run, pool, busy", pool, LATENCY_ROUNDS, 0);
  measure_throughput("throughput, simple_thread", simple);
  measure_throughput("throughput, asio_thread of 2", asio);
  measure_throughput("throughput, strand", strand);
  measure_timer_cost();
  measure_lateness("lateness of a timer in 1 ms", CTEST_MS(1));
  measure_lateness("lateness of a timer in 10 ms", CTEST_MS(10));
  end(pool);
  end(strand);
  end(asio);
  end(simple);
  (void)front_timer_stop();
  return 0;
}
