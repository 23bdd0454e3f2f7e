/* Shared by the executor tests: a ledger that counts run and destroy of each task, a gate that holds a thread, a log that is
 * searched, a loop that plays the host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef EXECUTOR_FIXTURE_H_
#define EXECUTOR_FIXTURE_H_

#include <pthread.h>
#include <sched.h>

#include "ctest.h"
#include "executor.h"

static inline uint64_t patience(void) { return front_monotonic_ns() + CTEST_PATIENCE_NS; }

/* ---- Ledger ------------------------------------------------------------------------------------------------------------- */

enum { LEDGER_SIZE = 20000 };

typedef struct ledger_entry {
  struct ledger *ledger;
  uint32_t number;
  _Atomic uint32_t runs;
  _Atomic uint32_t destroys;
} ledger_entry;

typedef struct ledger {
  ctest_counter ran;
  ctest_counter destroyed;
  _Atomic uint32_t order[LEDGER_SIZE]; /* numbers in the order in which they ran */
  ledger_entry entries[LEDGER_SIZE];
} ledger;

static inline ledger *ledger_new(void) {
  ledger *l = calloc(1, sizeof *l);
  CHECK(l != NULL);
  for (uint32_t i = 0; i < LEDGER_SIZE; i++) {
    l->entries[i].ledger = l;
    l->entries[i].number = i;
  }
  return l;
}

static inline void ledger_run(void *arg) {
  ledger_entry *entry = arg;
  (void)atomic_fetch_add(&entry->runs, 1);
  CHECK_EQUAL(atomic_load(&entry->destroys), 0);
  uint32_t place = atomic_fetch_add(&entry->ledger->ran.value, 1);
  atomic_store(&entry->ledger->order[place], entry->number);
}

static inline void ledger_destroy(void *arg) {
  ledger_entry *entry = arg;
  (void)atomic_fetch_add(&entry->destroys, 1);
  ctest_add(&entry->ledger->destroyed);
}

static inline front_executor_task ledger_task(ledger *l, uint32_t number) {
  CHECK(number < LEDGER_SIZE);
  return (front_executor_task){ledger_run, ledger_destroy, &l->entries[number]};
}

/* The first `count` tasks have been destroyed exactly once and run at most once. Returns how many ran. */
static inline uint32_t ledger_check(ledger *l, uint32_t count) {
  uint32_t ran = 0;
  for (uint32_t i = 0; i < count; i++) {
    CHECK_EQUAL(atomic_load(&l->entries[i].destroys), 1);
    CHECK(atomic_load(&l->entries[i].runs) <= 1);
    ran += atomic_load(&l->entries[i].runs);
  }
  return ran;
}

/* ---- Gate --------------------------------------------------------------------------------------------------------------- */

typedef struct gate {
  ctest_counter entered;
  ctest_counter opened;
} gate;

static inline void gate_run(void *arg) {
  gate *g = arg;
  ctest_add(&g->entered);
  CHECK(ctest_reach(&g->opened, 1));
}

/* Occupies one thread of the executor until gate_open. */
static inline void gate_hold(gate *g, front_executor *executor) {
  uint32_t before = ctest_count(&g->entered);
  CHECK_EQUAL(front_executor_post(executor, (front_executor_task){gate_run, NULL, g}), AIMRT_RPC_RESULT_OK);
  CHECK(ctest_reach(&g->entered, before + 1));
}

static inline void gate_open(gate *g) { ctest_add(&g->opened); }

/* ---- Log ---------------------------------------------------------------------------------------------------------------- */

enum { LOG_LINES = 64, LOG_LINE_SIZE = 300 };

typedef struct log_book {
  pthread_mutex_t lock;
  int levels[LOG_LINES];
  char lines[LOG_LINES][LOG_LINE_SIZE];
  uint32_t count;
} log_book;

#define LOG_BOOK_INIT {PTHREAD_MUTEX_INITIALIZER, {0}, {{0}}, 0}

static inline void log_write(void *arg, int level, const char *text) {
  log_book *book = arg;
  (void)pthread_mutex_lock(&book->lock);
  if (book->count < LOG_LINES) {
    book->levels[book->count] = level;
    (void)snprintf(book->lines[book->count], LOG_LINE_SIZE, "%s", text);
  }
  book->count++;
  (void)pthread_mutex_unlock(&book->lock);
}

/* How many lines of a level contain a text. */
static inline uint32_t log_count(log_book *book, uint32_t level, const char *part) {
  uint32_t found = 0;
  (void)pthread_mutex_lock(&book->lock);
  for (uint32_t i = 0; i < book->count && i < LOG_LINES; i++)
    if (book->levels[i] == (int)level && strstr(book->lines[i], part) != NULL) found++;
  (void)pthread_mutex_unlock(&book->lock);
  return found;
}

/* ---- Loop of the host --------------------------------------------------------------------------------------------------- */

enum { LOOP_SIZE = LEDGER_SIZE };

typedef struct host_loop {
  pthread_mutex_t lock;
  aimrt_rpc_task_fn runs[LOOP_SIZE];
  void *args[LOOP_SIZE];
  uint32_t posted, done;
  uint32_t is_closed;
  ctest_counter wake;
  ctest_counter freed;
  pthread_t thread;
} host_loop;

static inline uint8_t host_post(void *arg, aimrt_rpc_task_fn run, void *run_arg) {
  host_loop *loop = arg;
  (void)pthread_mutex_lock(&loop->lock);
  uint8_t taken = loop->is_closed || loop->posted == LOOP_SIZE ? 0 : 1;
  if (taken) {
    loop->runs[loop->posted] = run;
    loop->args[loop->posted++] = run_arg;
  }
  (void)pthread_mutex_unlock(&loop->lock);
  ctest_add(&loop->wake);
  return taken;
}

/* Runs what has been posted; returns false when the loop is closed and empty. */
static inline bool host_turn(host_loop *loop) {
  for (;;) {
    (void)pthread_mutex_lock(&loop->lock);
    uint32_t index = loop->done;
    bool has_task = index < loop->posted;
    bool is_closed = loop->is_closed;
    if (has_task) loop->done++;
    (void)pthread_mutex_unlock(&loop->lock);
    if (!has_task) return !is_closed;
    loop->runs[index](loop->args[index]);
  }
}

static inline void *host_main(void *arg) {
  host_loop *loop = arg;
  for (;;) {
    uint32_t seen = ctest_count(&loop->wake);
    if (!host_turn(loop)) return NULL;
    CHECK(ctest_reach(&loop->wake, seen + 1));
  }
}

static inline host_loop *host_new(void) {
  host_loop *loop = calloc(1, sizeof *loop);
  CHECK(loop != NULL && pthread_mutex_init(&loop->lock, NULL) == 0);
  return loop;
}

static inline void host_close(host_loop *loop) {
  (void)pthread_mutex_lock(&loop->lock);
  loop->is_closed = 1;
  (void)pthread_mutex_unlock(&loop->lock);
  ctest_add(&loop->wake);
}

static inline void host_freed(void *arg) { ctest_add(&((host_loop *)arg)->freed); }

/* ---- Executors ---------------------------------------------------------------------------------------------------------- */

static inline front_executor *create(const front_executor_options *options) {
  char error[256];
  front_executor *executor = front_executor_create(options, error, sizeof error);
  if (executor == NULL) fprintf(stderr, "create: %s\n", error);
  CHECK(executor != NULL);
  CHECK_EQUAL(strlen(error), 0);
  return executor;
}

static inline front_executor_options options_of(front_executor_type type, const char *name) {
  front_executor_options options;
  front_executor_options_init(&options, type);
  options.name = name;
  return options;
}

static inline front_executor *create_threads(front_executor_type type, const char *name, uint32_t thread_num) {
  front_executor_options options = options_of(type, name);
  options.thread_num = thread_num;
  front_executor *executor = create(&options);
  front_executor_start(executor);
  return executor;
}

static inline front_executor *create_bound(front_executor_type type, const char *name, front_executor *bind) {
  front_executor_options options = options_of(type, name);
  options.bind = bind;
  options.dt_us = 1000;
  front_executor *executor = create(&options);
  front_executor_start(executor);
  return executor;
}

static inline void end(front_executor *executor) {
  CHECK_EQUAL(front_executor_shutdown(executor, patience()), AIMRT_RPC_RESULT_OK);
  front_executor_release(executor);
}

static inline front_executor_statistics statistics(front_executor *executor) {
  front_executor_statistics s;
  front_executor_statistics_get(executor, &s);
  return s;
}

/* Waits until a statistic of an executor that is at rest has a value: counters follow the end of a task by a moment. */
#define REACH_STATISTIC(executor, field, want)                         \
  do {                                                                 \
    uint64_t limit_ns = patience();                                    \
    while (statistics(executor).field != (want) && front_monotonic_ns() < limit_ns) (void)sched_yield(); \
    CHECK_EQUAL(statistics(executor).field, want);                     \
  } while (0)

#endif /* EXECUTOR_FIXTURE_H_ */
