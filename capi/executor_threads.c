/* The threads of an executor: how they are placed, how they sleep and are woken one by one, how a pool grows and shrinks.
 *
 * A worker without work pushes itself on the idle stack and sleeps on its own futex word. Who posts pops one and commits it to the
 * new task, so that a burst wakes or starts as many threads as there are tasks and never the same one twice.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor_internal.h"

/* A pthread name has 15 characters; a longer one keeps its beginning and its end, where the thread's number is. */
enum { NAME_LIMIT = 15, NAME_HEAD = 8, NAME_TAIL = 5, NAME_BUFFER_SIZE = FRONT_EXECUTOR_MAX_NAME_SIZE + 16 };

/* ---- Placing a thread --------------------------------------------------------------------------------------------------- */

typedef struct error_sink {
  char *text;
  size_t size;
  bool is_used;
} error_sink;

static void report(error_sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void report(error_sink *sink, const char *format, ...) {
  size_t used = sink->size == 0 ? 0 : strlen(sink->text);
  if (sink->is_used && used + 2 < sink->size) used += (size_t)snprintf(sink->text + used, sink->size - used, "; ");
  sink->is_used = true;
  if (used >= sink->size) return;
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(sink->text + used, sink->size - used, format, arguments);
  va_end(arguments);
}

static void set_name(const char *name, error_sink *sink) {
  char short_name[NAME_LIMIT + 1];
  size_t size = strlen(name);
  if (size == 0) return;
  if (size < NAME_LIMIT)
    (void)snprintf(short_name, sizeof short_name, "%s", name);
  else
    (void)snprintf(short_name, sizeof short_name, "%.*s..%s", NAME_HEAD, name, name + size - NAME_TAIL);
  int failure = pthread_setname_np(pthread_self(), short_name);
  if (failure != 0) report(sink, "thread name '%s': %s", short_name, strerror(failure));
}

static void set_affinity(const uint32_t *cpus, size_t count, error_sink *sink) {
  if (count == 0) return;
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t i = 0; i < count; i++) {
    if ((long)cpus[i] >= online || cpus[i] >= CPU_SETSIZE) {
      report(sink, "thread_bind_cpu: invalid cpu index %u, the highest is %ld", cpus[i], online - 1);
      return;
    }
    CPU_SET(cpus[i], &set);
  }
  int failure = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  if (failure != 0) report(sink, "thread_bind_cpu: %s", strerror(failure));
}

static void set_policy(const char *text, error_sink *sink) {
  static const struct {
    const char *name;
    int policy;
    bool has_priority;
  } known[] = {{"SCHED_OTHER", SCHED_OTHER, false}, {"SCHED_FIFO", SCHED_FIFO, true}, {"SCHED_RR", SCHED_RR, true}};
  if (text == NULL || text[0] == '\0') return;
  size_t name_size = strcspn(text, ":");
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strlen(known[i].name) != name_size || strncmp(known[i].name, text, name_size) != 0) continue;
    if (known[i].has_priority != (text[name_size] == ':')) break;
    struct sched_param parameter = {0};
    if (known[i].has_priority) {
      char *end = NULL;
      int low = sched_get_priority_min(known[i].policy), high = sched_get_priority_max(known[i].policy);
      long priority = strtol(text + name_size + 1, &end, 10);
      if (end == text + name_size + 1 || *end != '\0') break;
      if (priority < low || priority > high) {
        report(sink, "thread_sched_policy '%s': the priority must be in %d..%d", text, low, high);
        return;
      }
      parameter.sched_priority = (int)priority;
    }
    int failure = pthread_setschedparam(pthread_self(), known[i].policy, &parameter);
    if (failure != 0) report(sink, "thread_sched_policy '%s': %s", text, strerror(failure));
    return;
  }
  report(sink, "thread_sched_policy '%s': expected SCHED_OTHER, SCHED_FIFO:<priority> or SCHED_RR:<priority>", text);
}

bool front_executor_place_this_thread(const char *name, const char *sched_policy, const uint32_t *bind_cpu, size_t bind_cpu_count,
                                      char *error_text, size_t error_size) {
  char nowhere[1];
  error_sink sink = {error_text == NULL ? nowhere : error_text, error_text == NULL ? sizeof nowhere : error_size, false};
  if (sink.size > 0) sink.text[0] = '\0';
  set_name(name, &sink);
  set_affinity(bind_cpu, bind_cpu_count, &sink);
  set_policy(sched_policy, &sink);
  return !sink.is_used;
}

/* ---- The idle stack; the caller holds the lock -------------------------------------------------------------------------- */

static void idle_push(front_executor *executor, front_executor_worker *worker) {
  worker->is_idle = 1;
  worker->idle_previous = NULL;
  worker->idle_next = executor->idle_newest;
  if (worker->idle_next != NULL)
    worker->idle_next->idle_previous = worker;
  else
    executor->idle_oldest = worker;
  executor->idle_newest = worker;
}

static void idle_remove(front_executor *executor, front_executor_worker *worker) {
  worker->is_idle = 0;
  if (worker->idle_previous != NULL)
    worker->idle_previous->idle_next = worker->idle_next;
  else
    executor->idle_newest = worker->idle_next;
  if (worker->idle_next != NULL)
    worker->idle_next->idle_previous = worker->idle_previous;
  else
    executor->idle_oldest = worker->idle_previous;
}

static uint32_t most_threads(const front_executor *executor) {
  return executor->options.type == FRONT_EXECUTOR_POOL ? executor->options.max_threads : executor->options.thread_num;
}

bool front_executor_workers_can_commit(const front_executor *executor) {
  return executor->idle_newest != NULL || executor->threads < most_threads(executor);
}

/* The wake word is set here, under the lock: once it is released the worker may end and be freed. */
static void wake_word_set(front_executor *executor, front_executor_worker *worker) {
  idle_remove(executor, worker);
  atomic_store_explicit(&worker->wake, 1, memory_order_release);
}

void front_executor_workers_commit(front_executor *executor, front_executor_worker **wake_out, bool *spawn_out) {
  *wake_out = NULL;
  *spawn_out = false;
  if (executor->queue.count <= executor->committed || !front_executor_workers_can_commit(executor)) return;
  executor->committed++;
  if (executor->idle_newest != NULL) {
    *wake_out = executor->idle_newest;
    (*wake_out)->is_committed = 1;
    wake_word_set(executor, *wake_out);
  } else {
    executor->threads++;
    *spawn_out = true;
  }
}

void front_executor_worker_wake(front_executor_worker *worker) { front_futex_wake(&worker->wake, 1); }

/* Each worker that was idle is woken once, the longest idle first. One that finds nothing to do is idle again at once when its priority is
 * above the caller's: it comes last then, and the count ends the loop. */
void front_executor_workers_wake_all(front_executor *executor) {
  front_lock_acquire(&executor->lock);
  uint32_t left = executor->threads;
  front_lock_release(&executor->lock);
  for (; left > 0; left--) {
    front_lock_acquire(&executor->lock);
    front_executor_worker *worker = executor->idle_oldest;
    if (worker != NULL) wake_word_set(executor, worker);
    front_lock_release(&executor->lock);
    if (worker == NULL) return;
    front_executor_worker_wake(worker);
  }
}

/* ---- A worker ----------------------------------------------------------------------------------------------------------- */

static void worker_set_up(front_executor_worker *worker) {
  front_executor *executor = worker->executor;
  char name[NAME_BUFFER_SIZE];
  char error[256];
  if (most_threads(executor) > 1)
    (void)snprintf(name, sizeof name, "%s.%u", executor->name, worker->number);
  else
    (void)snprintf(name, sizeof name, "%s", executor->name);
  bool placed = front_executor_place_this_thread(name, executor->sched_policy, executor->bind_cpu,
                                                 executor->options.thread_bind_cpu_count, error, sizeof error);
  if (!placed)
    front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_WARN, "thread '%s' of executor '%s' runs on without its options: %s", name,
                       executor->name, error);
  front_lock_acquire(&executor->lock);
  worker->thread = pthread_self();
  executor->started++;
  if (!placed && executor->warning != NULL && executor->warning[0] == '\0')
    (void)snprintf(executor->warning, executor->warning_size, "%s", error);
  front_lock_release(&executor->lock);
  front_executor_changed(executor);
}

static bool has_task(const front_executor *executor) {
  if (executor->queue.count == 0) return false;
  return executor->state == FRONT_EXECUTOR_STATE_RUNNING || executor->options.type != FRONT_EXECUTOR_TIME_WHEEL;
}

static void clear_commitment(front_executor *executor, front_executor_worker *worker) {
  if (worker->is_committed) executor->committed--;
  worker->is_committed = 0;
}

/* Called and returns with the lock held. True when the worker has been idle for too long and leaves. */
static bool park(front_executor *executor, front_executor_worker *worker) {
  bool may_leave = executor->options.type == FRONT_EXECUTOR_POOL;
  atomic_store_explicit(&worker->wake, 0, memory_order_relaxed);
  idle_push(executor, worker);
  front_lock_release(&executor->lock);
  uint64_t deadline_ns = may_leave ? front_add_ns(front_monotonic_ns(), executor->options.idle_timeout_ns) : FRONT_NEVER;
  bool in_time = true;
  while (in_time && atomic_load_explicit(&worker->wake, memory_order_acquire) == 0)
    in_time = front_futex_wait(&worker->wake, 0, deadline_ns);
  front_lock_acquire(&executor->lock);
  if (!worker->is_idle) return false;
  idle_remove(executor, worker);
  return executor->threads > executor->options.thread_num;
}

static void *worker_main(void *arg) {
  front_executor_worker *worker = arg;
  front_executor *executor = worker->executor;
  front_executor_frame frame = {executor, NULL};
  front_executor_frames = &frame;
  worker_set_up(worker);
  front_lock_acquire(&executor->lock);
  for (;;) {
    if (has_task(executor)) {
      front_executor_item item = front_executor_queue_pop(&executor->queue);
      clear_commitment(executor, worker);
      front_executor_note_begin(executor, item.queued_at_ns);
      front_lock_release(&executor->lock);
      front_executor_run_task(item.task);
      front_lock_acquire(&executor->lock);
      front_executor_note_end(executor);
      continue;
    }
    clear_commitment(executor, worker);
    if (executor->state == FRONT_EXECUTOR_STATE_SHUT_DOWN || park(executor, worker)) break;
  }
  executor->threads--;
  if (executor->is_abandoned) {
    (void)pthread_detach(pthread_self());
    free(worker);
  } else {
    worker->dead_next = executor->dead;
    executor->dead = worker;
  }
  front_lock_release(&executor->lock);
  front_executor_changed(executor);
  front_executor_frames = NULL;
  front_executor_unref(executor);
  return NULL;
}

int front_executor_worker_spawn(front_executor *executor) {
  front_executor_workers_reap(executor);
  front_executor_worker *worker = calloc(1, sizeof *worker);
  int failure = worker == NULL ? ENOMEM : 0;
  if (failure == 0) {
    worker->executor = executor;
    worker->is_committed = 1;
    front_lock_acquire(&executor->lock);
    worker->number = executor->next_number++;
    front_lock_release(&executor->lock);
    front_executor_ref(executor);
    sigset_t former;
    pthread_t thread;
    front_guards_block_signals(&former);
    failure = pthread_create(&thread, NULL, worker_main, worker);
    front_guards_restore_signals(&former);
    if (failure == 0) return 0;
    front_executor_unref(executor);
  }
  free(worker);
  front_lock_acquire(&executor->lock);
  executor->threads--;
  executor->committed--;
  front_lock_release(&executor->lock);
  front_executor_changed(executor);
  return failure;
}

void front_executor_workers_reap(front_executor *executor) {
  front_lock_acquire(&executor->lock);
  front_executor_worker *dead = executor->dead;
  executor->dead = NULL;
  front_lock_release(&executor->lock);
  while (dead != NULL) {
    front_executor_worker *next = dead->dead_next;
    (void)pthread_join(dead->thread, NULL);
    free(dead);
    dead = next;
  }
}
