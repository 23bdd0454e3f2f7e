/* The threads of executors as the kernel sees them: names, processors, scheduling policy, blocked signals.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>

#include "executor_fixture.h"
#include "timer.h"

enum { MAX_FACTS = 4 };

typedef struct thread_facts {
  sigset_t mask;
  cpu_set_t cpus;
  char name[16];
  int policy, priority;
  ctest_counter *entered;
  uint32_t threads;
} thread_facts;

/* Reads what the kernel says about this thread, then stays until every thread of the executor has done so. */
static void thread_facts_run(void *arg) {
  thread_facts *facts = arg;
  struct sched_param parameter;
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &facts->mask) == 0);
  CHECK(sched_getaffinity(0, sizeof facts->cpus, &facts->cpus) == 0);
  CHECK(pthread_getname_np(pthread_self(), facts->name, sizeof facts->name) == 0);
  CHECK(sched_getparam(0, &parameter) == 0);
  facts->policy = sched_getscheduler(0);
  facts->priority = parameter.sched_priority;
  ctest_counter *entered = facts->entered;
  uint32_t threads = facts->threads;
  ctest_add(entered);
  CHECK(ctest_reach(entered, threads));
}

/* Creates an executor and fills facts, one for each of its threads. Returns the warning of the creation in error. */
static void facts_of(const front_executor_options *options, thread_facts *facts, char *error, size_t error_size) {
  uint32_t threads = options->thread_num;
  CHECK(threads <= MAX_FACTS);
  front_executor *executor = front_executor_create(options, error, error_size);
  CHECK(executor != NULL);
  front_executor_start(executor);
  ctest_counter entered = {0};
  for (uint32_t i = 0; i < threads; i++) {
    facts[i] = (thread_facts){.entered = &entered, .threads = threads};
    CHECK_EQUAL(front_executor_post(executor, (front_executor_task){thread_facts_run, NULL, &facts[i]}), AIMRT_RPC_RESULT_OK);
  }
  CHECK(ctest_reach(&entered, threads));
  end(executor);
}

static const struct {
  front_executor_type type;
  uint32_t threads;
} types[] = {
    {FRONT_EXECUTOR_SIMPLE_THREAD, 1}, {FRONT_EXECUTOR_ASIO_THREAD, 1}, {FRONT_EXECUTOR_ASIO_THREAD, 3},
    {FRONT_EXECUTOR_TBB_THREAD, 1},    {FRONT_EXECUTOR_TBB_THREAD, 3},  {FRONT_EXECUTOR_TIME_WHEEL, 1},
};
enum { TYPES = sizeof types / sizeof types[0] };

static front_executor_options options_of_type(size_t i, const char *name) {
  front_executor_options options = options_of(types[i].type, name);
  options.thread_num = types[i].threads;
  return options;
}

static bool is_named(const thread_facts *facts, uint32_t threads, const char *name) {
  for (uint32_t i = 0; i < threads; i++)
    if (strcmp(facts[i].name, name) == 0) return true;
  fprintf(stderr, "no thread is named '%s', the first is '%s'\n", name, facts[0].name);
  return false;
}

static void threads_are_named(void) {
  static const struct {
    const char *name, *one, *last_of_three;
  } names[] = {
      {"short", "short", "short.2"},
      {"fourteen_chars", "fourteen_chars", "fourteen..ars.2"},
      {"fifteen_letters", "fifteen_..tters", "fifteen_..ers.2"},
      {"a_long_executor_name", "a_long_e.._name", "a_long_e..ame.2"},
  };
  char error[256];
  for (size_t i = 0; i < TYPES; i++) {
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
      thread_facts facts[MAX_FACTS];
      front_executor_options options = options_of_type(i, names[n].name);
      facts_of(&options, facts, error, sizeof error);
      CHECK(is_named(facts, types[i].threads, types[i].threads == 1 ? names[n].one : names[n].last_of_three));
      if (types[i].threads > 1 && n == 0) CHECK(is_named(facts, 3, "short.0") && is_named(facts, 3, "short.1"));
    }
  }
}

static void threads_block_asynchronous_signals(void) {
  static const int blocked[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGCHLD};
  static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGURG, SIGPROF, SIGPIPE};
  sigset_t before, after;
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
  front_executor_options options = options_of(FRONT_EXECUTOR_POOL, "pool");
  options.max_threads = 2;
  front_executor *executor = create(&options);
  gate g = {0};
  ctest_counter entered = {0};
  thread_facts facts = {.entered = &entered, .threads = 1};
  gate_hold(&g, executor); /* the second task gets a thread that a post has started */
  CHECK_EQUAL(front_executor_post(executor, (front_executor_task){thread_facts_run, NULL, &facts}), AIMRT_RPC_RESULT_OK);
  CHECK(ctest_reach(&entered, 1));
  for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) CHECK_EQUAL(sigismember(&facts.mask, blocked[i]), 1);
  for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) CHECK_EQUAL(sigismember(&facts.mask, open[i]), 0);
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
  for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++)
    CHECK_EQUAL(sigismember(&after, blocked[i]), sigismember(&before, blocked[i]));
  gate_open(&g);
  end(executor);
}

static void affinity_is_applied(void) {
  cpu_set_t allowed;
  char error[256];
  CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    for (size_t i = 0; i < TYPES; i++) {
      thread_facts facts[MAX_FACTS];
      front_executor_options options = options_of_type(i, "bound");
      options.thread_bind_cpu = &cpu;
      options.thread_bind_cpu_count = 1;
      facts_of(&options, facts, error, sizeof error);
      for (uint32_t t = 0; t < types[i].threads; t++) {
        CHECK_EQUAL(CPU_COUNT(&facts[t].cpus), 1);
        CHECK(CPU_ISSET(cpu, &facts[t].cpus));
      }
    }
    if (cpu > 1) break; /* the first ones are enough on a large machine */
  }
  cpu_set_t after;
  CHECK(sched_getaffinity(0, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&allowed, &after));
}

/* A thread starts with the policy of its creator, so that SCHED_BATCH here shows who sets SCHED_OTHER and who leaves things alone. The
 * real-time policies need a right that a container may not have: then the warning says so and the thread runs on as it was. */
static void scheduling_policy_is_applied(void) {
  static const struct {
    const char *text;
    int policy, priority;
  } cases[] = {{"", SCHED_BATCH, 0}, {"SCHED_OTHER", SCHED_OTHER, 0}, {"SCHED_FIFO:7", SCHED_FIFO, 7}, {"SCHED_RR:9", SCHED_RR, 9}};
  const struct sched_param none = {0};
  CHECK(sched_setscheduler(0, SCHED_BATCH, &none) == 0);
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    const struct sched_param wanted = {.sched_priority = cases[c].priority};
    bool is_allowed = sched_setscheduler(0, cases[c].policy, &wanted) == 0;
    CHECK(sched_setscheduler(0, SCHED_BATCH, &none) == 0);
    CHECK(is_allowed || cases[c].priority > 0);
    for (size_t i = 0; i < TYPES; i++) {
      thread_facts facts[MAX_FACTS];
      char error[256];
      front_executor_options options = options_of_type(i, "scheduled");
      options.thread_sched_policy = cases[c].text;
      facts_of(&options, facts, error, sizeof error);
      if (is_allowed)
        CHECK(error[0] == '\0');
      else
        CHECK(strstr(error, "thread_sched_policy 'SCHED_") != NULL && strstr(error, strerror(EPERM)) != NULL);
      for (uint32_t t = 0; t < types[i].threads; t++) {
        CHECK_EQUAL(facts[t].policy, is_allowed ? cases[c].policy : SCHED_BATCH);
        CHECK_EQUAL(facts[t].priority, is_allowed ? cases[c].priority : 0);
      }
    }
    if (!is_allowed) printf("   %s is not permitted here: the refusal was checked\n", cases[c].text);
  }
  CHECK(sched_setscheduler(0, SCHED_OTHER, &none) == 0);
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"threads_are_named", threads_are_named},
      {"threads_block_asynchronous_signals", threads_block_asynchronous_signals},
      {"affinity_is_applied", affinity_is_applied},
      {"scheduling_policy_is_applied", scheduling_policy_is_applied},
  };
  int result = ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
  (void)front_timer_stop();
  return result;
}
