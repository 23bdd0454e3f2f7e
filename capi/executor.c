/* Executors: creation, the queue of each type, shutdown, facts. Threads are in executor_threads.c, timed tasks in
 * executor_schedule.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor_internal.h"

enum {
  LOG_TEXT_SIZE = 512,
  QUEUE_FIRST_CAPACITY = 64,
  QUEUE_KEPT_CAPACITY = 4096, /* an empty queue above this gives its memory back */
  STRAND_BATCH = 64,          /* tasks of a strand before its thread serves others */
  NEARLY_FULL_PERCENT = 95,
  AFTER_SHUTDOWN_ALARM_MS = 1000
};

_Thread_local front_executor_frame *front_executor_frames;

/* ---- References, logging, tasks ----------------------------------------------------------------------------------------- */

void front_executor_ref(front_executor *executor) { (void)atomic_fetch_add_explicit(&executor->refs, 1, memory_order_relaxed); }

void front_executor_unref(front_executor *executor) {
  if (atomic_fetch_sub_explicit(&executor->refs, 1, memory_order_acq_rel) != 1) return;
  if (executor->options.host_user_data_free != NULL && !front_guards_exiting())
    executor->options.host_user_data_free(executor->options.host_user_data);
  if (executor->options.bind != NULL) front_executor_unref(executor->options.bind);
  free(executor->queue.items);
  free(executor->schedule.heap);
  free(executor->schedule.slots);
  free(executor->name);
  free(executor->sched_policy);
  free(executor->bind_cpu);
  free(executor);
}

void front_executor_log(const front_executor *executor, uint32_t level, const char *format, ...) {
  if (executor->options.log == NULL) return;
  char text[LOG_TEXT_SIZE];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  executor->options.log(executor->options.log_arg, (int)level, text);
}

void front_executor_destroy_task(front_executor_task task) {
  if (task.destroy != NULL && !front_guards_exiting()) task.destroy(task.arg);
}

void front_executor_run_task(front_executor_task task) {
  if (front_guards_exiting()) return;
  task.run(task.arg);
  front_executor_destroy_task(task);
}

bool front_executor_alarm_due(front_executor_alarm *alarm, uint64_t now_ns, int32_t interval_ms, uint64_t *suppressed_out) {
  if (interval_ms < 0) return false;
  if (now_ns < alarm->silent_until_ns) {
    alarm->unreported++;
    return false;
  }
  *suppressed_out = alarm->unreported;
  alarm->unreported = 0;
  alarm->silent_until_ns = now_ns + (uint64_t)interval_ms * 1000000u;
  return true;
}

void front_executor_changed(front_executor *executor) {
  (void)atomic_fetch_add_explicit(&executor->changes, 1, memory_order_release);
  front_futex_wake_all(&executor->changes);
}

/* The caller holds the lock. */
void front_executor_note_begin(front_executor *executor, uint64_t queued_at_ns) {
  uint64_t now_ns = front_monotonic_ns();
  uint64_t waited_ns = now_ns > queued_at_ns ? now_ns - queued_at_ns : 0;
  if (waited_ns > executor->longest_wait_ns) executor->longest_wait_ns = waited_ns;
  executor->running++;
}

void front_executor_note_end(front_executor *executor) {
  executor->running--;
  executor->executed++;
}

void front_executor_count_unrun(front_executor *executor, uint64_t count) {
  if (count == 0) return;
  front_lock_acquire(&executor->lock);
  executor->destroyed += count;
  front_lock_release(&executor->lock);
  front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_ERROR, "executor '%s' has shut down; %llu waiting task(s) will not run",
                     executor->name, (unsigned long long)count);
}

/* ---- Queue; the caller holds the lock ----------------------------------------------------------------------------------- */

static bool queue_grow(front_executor_queue *queue) {
  uint32_t capacity = queue->capacity == 0 ? QUEUE_FIRST_CAPACITY : queue->capacity * 2;
  front_executor_item *items = malloc((size_t)capacity * sizeof *items);
  if (items == NULL) return false;
  uint32_t until_wrap = queue->capacity - queue->head;
  uint32_t first = queue->count < until_wrap ? queue->count : until_wrap;
  if (first > 0) memcpy(items, queue->items + queue->head, first * sizeof *items);
  if (queue->count > first) memcpy(items + first, queue->items, (queue->count - first) * sizeof *items);
  free(queue->items);
  queue->items = items;
  queue->capacity = capacity;
  queue->head = 0;
  return true;
}

bool front_executor_queue_push(front_executor_queue *queue, front_executor_task task, uint64_t now_ns) {
  if (queue->count == queue->capacity && !queue_grow(queue)) return false;
  queue->items[(queue->head + queue->count) & (queue->capacity - 1)] = (front_executor_item){task, now_ns};
  queue->count++;
  return true;
}

front_executor_item front_executor_queue_pop(front_executor_queue *queue) {
  front_executor_item item = queue->items[queue->head];
  queue->head = (queue->head + 1) & (queue->capacity - 1);
  queue->count--;
  if (queue->count == 0 && queue->capacity > QUEUE_KEPT_CAPACITY) {
    free(queue->items);
    *queue = (front_executor_queue){NULL, 0, 0, 0};
  }
  return item;
}

static front_executor_queue queue_take_all(front_executor *executor) {
  front_executor_queue taken = executor->queue;
  executor->queue = (front_executor_queue){NULL, 0, 0, 0};
  executor->flushes++;
  return taken;
}

static uint64_t queue_destroy_tasks(front_executor_queue *queue) {
  uint64_t count = 0;
  for (; queue->count > 0; count++) front_executor_destroy_task(front_executor_queue_pop(queue).task);
  free(queue->items);
  queue->items = NULL;
  return count;
}

/* ---- What a post may be told -------------------------------------------------------------------------------------------- */

typedef struct post_verdict {
  aimrt_rpc_result_t result;
  bool warn_nearly_full, warn_full, warn_late;
  uint64_t suppressed;
  uint64_t waiting;
} post_verdict;

/* Decides whether one more task may wait. The caller holds the lock. */
static post_verdict judge(front_executor *executor, uint64_t waiting, bool can_begin, uint64_t now_ns) {
  post_verdict verdict = {AIMRT_RPC_RESULT_OK, false, false, false, 0, waiting};
  const front_executor_options *options = &executor->options;
  if (executor->state == FRONT_EXECUTOR_STATE_SHUT_DOWN) {
    verdict.result = AIMRT_RPC_RESULT_INVALID_STATE;
    verdict.warn_late = front_executor_alarm_due(&executor->late_post, now_ns, AFTER_SHUTDOWN_ALARM_MS, &verdict.suppressed);
    return verdict;
  }
  uint64_t threshold = options->threshold_alarm_interval_ms < 0 ? FRONT_EXECUTOR_UNLIMITED : options->queue_threshold;
  bool over = waiting >= FRONT_EXECUTOR_MAX_QUEUED ||
              (threshold != FRONT_EXECUTOR_UNLIMITED && !can_begin && waiting + 1 > threshold);
  if (over) {
    executor->dropped++;
    verdict.result = AIMRT_RPC_RESULT_LIMIT;
    verdict.warn_full =
        front_executor_alarm_due(&executor->full, now_ns, options->threshold_alarm_interval_ms, &verdict.suppressed);
  } else if (threshold != FRONT_EXECUTOR_UNLIMITED && threshold > 1 && !can_begin &&
             (waiting + 1) * 100 >= threshold * NEARLY_FULL_PERCENT) {
    verdict.warn_nearly_full =
        front_executor_alarm_due(&executor->nearly_full, now_ns, options->threshold_alarm_interval_ms, &verdict.suppressed);
  }
  return verdict;
}

static void tell(const front_executor *executor, const post_verdict *verdict) {
  if (!verdict->warn_late && !verdict->warn_full && !verdict->warn_nearly_full) return;
  unsigned long long waiting = (unsigned long long)verdict->waiting, suppressed = (unsigned long long)verdict->suppressed;
  const char *type = front_executor_type_text(executor);
  if (verdict->warn_late)
    front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_ERROR,
                       "%s executor '%s' has shut down and refused a task (%llu more since the last line)", type, executor->name,
                       suppressed);
  if (verdict->warn_full)
    front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_WARN,
                       "%s executor '%s' refused a task: %llu tasks wait, its limit (%llu more since the last line)", type,
                       executor->name, waiting, suppressed);
  if (verdict->warn_nearly_full)
    front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_WARN, "%s executor '%s' is nearly full: %llu of at most %u tasks wait", type,
                       executor->name, waiting + 1, executor->options.queue_threshold);
}

/* ---- Threads ------------------------------------------------------------------------------------------------------------ */

static bool has_own_threads(const front_executor *executor) {
  switch (executor->options.type) {
    case FRONT_EXECUTOR_ASIO_STRAND:
    case FRONT_EXECUTOR_HOST:
      return false;
    case FRONT_EXECUTOR_TIME_WHEEL:
      return executor->options.bind == NULL;
    default:
      return true;
  }
}

static aimrt_rpc_result_t post_to_threads(front_executor *executor, front_executor_task task) {
  uint64_t now_ns = front_monotonic_ns();
  front_executor_worker *wake = NULL;
  bool spawn = false;
  front_lock_acquire(&executor->lock);
  /* A task with a thread on its way does not count as waiting. */
  uint64_t waiting = executor->queue.count > executor->committed ? executor->queue.count - executor->committed : 0;
  post_verdict verdict = judge(executor, waiting, front_executor_workers_can_commit(executor), now_ns);
  if (verdict.result == AIMRT_RPC_RESULT_OK && !front_executor_queue_push(&executor->queue, task, now_ns))
    verdict.result = AIMRT_RPC_RESULT_OUT_OF_MEMORY;
  if (verdict.result == AIMRT_RPC_RESULT_OK) {
    executor->posted++;
    front_executor_workers_commit(executor, &wake, &spawn);
  }
  front_lock_release(&executor->lock);
  if (wake != NULL) front_executor_worker_wake(wake);
  int failure = spawn ? front_executor_worker_spawn(executor) : 0;
  if (failure != 0)
    front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_WARN, "executor '%s' cannot start one more thread: %s", executor->name,
                       strerror(failure));
  tell(executor, &verdict);
  return verdict.result;
}

/* ---- Strand ------------------------------------------------------------------------------------------------------------- */

/* Destroys what waits in a strand whose executor takes no more. */
static void strand_flush(front_executor *strand) {
  front_lock_acquire(&strand->lock);
  front_executor_queue taken = queue_take_all(strand);
  strand->is_drain_posted = 0;
  front_lock_release(&strand->lock);
  front_executor_count_unrun(strand, queue_destroy_tasks(&taken));
}

static void strand_drain(void *arg) {
  front_executor *strand = arg;
  front_executor_frame frame = {strand, front_executor_frames};
  front_executor_frames = &frame;
  front_lock_acquire(&strand->lock);
  strand->has_drain_run = 1;
  for (int i = 0; i < STRAND_BATCH && strand->queue.count > 0; i++) {
    front_executor_item item = front_executor_queue_pop(&strand->queue);
    front_executor_note_begin(strand, item.queued_at_ns);
    front_lock_release(&strand->lock);
    front_executor_run_task(item.task);
    front_lock_acquire(&strand->lock);
    front_executor_note_end(strand);
  }
  bool is_shut_down = strand->state == FRONT_EXECUTOR_STATE_SHUT_DOWN;
  front_lock_release(&strand->lock);
  front_executor_frames = frame.outer;
  if (is_shut_down) front_executor_changed(strand);
}

/* Comes after strand_drain, or instead of it when the bound executor has shut down. Only here the next drain is posted, so that
 * two never run at the same time. */
static void strand_drain_end(void *arg) {
  front_executor *strand = arg;
  front_lock_acquire(&strand->lock);
  bool has_run = strand->has_drain_run;
  bool goes_on = has_run && strand->queue.count > 0;
  strand->has_drain_run = 0;
  /* Otherwise it stays set until the flush, so that nobody takes the queue for empty. */
  if (has_run && !goes_on) strand->is_drain_posted = 0;
  front_lock_release(&strand->lock);
  front_executor_task drain = {strand_drain, strand_drain_end, strand};
  if (goes_on && front_executor_post(strand->options.bind, drain) == AIMRT_RPC_RESULT_OK) return; /* with this reference */
  if (goes_on || !has_run) strand_flush(strand);
  front_executor_unref(strand);
}

static aimrt_rpc_result_t post_to_strand(front_executor *strand, front_executor_task task) {
  uint64_t now_ns = front_monotonic_ns();
  front_lock_acquire(&strand->lock);
  post_verdict verdict = judge(strand, strand->queue.count, false, now_ns);
  if (verdict.result == AIMRT_RPC_RESULT_OK && !front_executor_queue_push(&strand->queue, task, now_ns))
    verdict.result = AIMRT_RPC_RESULT_OUT_OF_MEMORY;
  bool post_drain = verdict.result == AIMRT_RPC_RESULT_OK && !strand->is_drain_posted;
  if (verdict.result == AIMRT_RPC_RESULT_OK) strand->posted++;
  if (post_drain) strand->is_drain_posted = 1;
  uint64_t flushes = strand->flushes;
  front_lock_release(&strand->lock);
  tell(strand, &verdict);
  if (!post_drain) return verdict.result;
  front_executor_ref(strand);
  front_executor_task drain = {strand_drain, strand_drain_end, strand};
  aimrt_rpc_result_t result = front_executor_post(strand->options.bind, drain);
  if (result == AIMRT_RPC_RESULT_OK) return result;
  /* No drain was posted, so the queue has not moved: unless a shutdown emptied it, the first task is this one and goes back to
   * the caller. Others that came meanwhile were accepted and are destroyed. */
  front_lock_acquire(&strand->lock);
  bool is_mine = strand->flushes == flushes;
  if (is_mine) {
    (void)front_executor_queue_pop(&strand->queue);
    strand->posted--;
  }
  front_lock_release(&strand->lock);
  strand_flush(strand);
  front_executor_unref(strand);
  return is_mine ? result : AIMRT_RPC_RESULT_OK;
}

/* ---- Loop of the host --------------------------------------------------------------------------------------------------- */

static void host_unlink(front_executor *executor, front_executor_host_node *node) {
  *(node->previous != NULL ? &node->previous->next : &executor->host_first) = node->next;
  *(node->next != NULL ? &node->next->previous : &executor->host_last) = node->previous;
  executor->host_count--;
}

/* Called by the host's loop, once for each node. */
static void host_run(void *arg) {
  front_executor_host_node *node = arg;
  front_executor *executor = node->executor;
  front_lock_acquire(&executor->lock);
  bool is_taken = node->taken;
  if (!is_taken) {
    host_unlink(executor, node);
    front_executor_note_begin(executor, node->queued_at_ns);
  }
  front_lock_release(&executor->lock);
  if (!is_taken) {
    front_executor_frame frame = {executor, front_executor_frames};
    front_executor_frames = &frame;
    front_executor_run_task(node->task);
    front_executor_frames = frame.outer;
    front_lock_acquire(&executor->lock);
    front_executor_note_end(executor);
    bool is_shut_down = executor->state == FRONT_EXECUTOR_STATE_SHUT_DOWN;
    front_lock_release(&executor->lock);
    if (is_shut_down) front_executor_changed(executor);
  }
  free(node);
  front_executor_unref(executor);
}

static aimrt_rpc_result_t post_to_host(front_executor *executor, front_executor_task task) {
  uint64_t now_ns = front_monotonic_ns();
  front_executor_host_node *node = malloc(sizeof *node);
  if (node == NULL) return AIMRT_RPC_RESULT_OUT_OF_MEMORY;
  *node = (front_executor_host_node){executor, task, NULL, NULL, now_ns, 0};
  front_lock_acquire(&executor->lock);
  post_verdict verdict = judge(executor, executor->host_count, false, now_ns);
  if (verdict.result == AIMRT_RPC_RESULT_OK) {
    node->previous = executor->host_last;
    *(node->previous != NULL ? &node->previous->next : &executor->host_first) = node;
    executor->host_last = node;
    executor->host_count++;
    executor->posted++;
  }
  front_lock_release(&executor->lock);
  tell(executor, &verdict);
  if (verdict.result != AIMRT_RPC_RESULT_OK) {
    free(node);
    return verdict.result;
  }
  front_executor_ref(executor);
  if (executor->options.host_post(executor->options.host_user_data, host_run, node) != 0) return AIMRT_RPC_RESULT_OK;
  front_lock_acquire(&executor->lock);
  bool is_taken = node->taken;
  if (!is_taken) {
    host_unlink(executor, node);
    executor->posted--;
  }
  front_lock_release(&executor->lock);
  free(node);
  front_executor_unref(executor);
  return is_taken ? AIMRT_RPC_RESULT_OK : AIMRT_RPC_RESULT_INVALID_STATE;
}

static uint64_t host_destroy_tasks(front_executor *executor) {
  for (uint64_t count = 0;; count++) {
    front_lock_acquire(&executor->lock);
    front_executor_host_node *node = executor->host_first;
    if (node != NULL) {
      host_unlink(executor, node);
      node->taken = 1;
    }
    /* Once the lock is released the host may run and free the node. */
    front_executor_task task = node != NULL ? node->task : (front_executor_task){NULL, NULL, NULL};
    front_lock_release(&executor->lock);
    if (node == NULL) return count;
    front_executor_destroy_task(task);
  }
}

/* ---- Posting ------------------------------------------------------------------------------------------------------------ */

/* A bound time_wheel only passes tasks on; it counts them and refuses them after its own shutdown. */
static aimrt_rpc_result_t post_to_bound(front_executor *executor, front_executor_task task) {
  front_lock_acquire(&executor->lock);
  post_verdict verdict = judge(executor, 0, true, front_monotonic_ns());
  if (verdict.result == AIMRT_RPC_RESULT_OK) executor->posted++;
  front_lock_release(&executor->lock);
  tell(executor, &verdict);
  return verdict.result == AIMRT_RPC_RESULT_OK ? front_executor_post(executor->options.bind, task) : verdict.result;
}

aimrt_rpc_result_t front_executor_post(front_executor *executor, front_executor_task task) {
  if (has_own_threads(executor)) return post_to_threads(executor, task);
  switch (executor->options.type) {
    case FRONT_EXECUTOR_ASIO_STRAND:
      return post_to_strand(executor, task);
    case FRONT_EXECUTOR_HOST:
      return post_to_host(executor, task);
    default:
      return post_to_bound(executor, task);
  }
}

aimrt_rpc_result_t front_executor_post_or_destroy(front_executor *executor, front_executor_task task) {
  aimrt_rpc_result_t result = front_executor_post(executor, task);
  if (result != AIMRT_RPC_RESULT_OK) front_executor_destroy_task(task);
  return result;
}

/* ---- Creation ----------------------------------------------------------------------------------------------------------- */

void front_executor_options_init(front_executor_options *options, front_executor_type type) {
  static const uint32_t default_wheels[] = {100, 360};
  bool has_threshold = type == FRONT_EXECUTOR_SIMPLE_THREAD || type == FRONT_EXECUTOR_TBB_THREAD || type == FRONT_EXECUTOR_POOL;
  *options = (front_executor_options){
      .type = type,
      .thread_num = 1,
      .max_threads = 256,
      .idle_timeout_ns = 10 * FRONT_NANOSECONDS_PER_SECOND,
      .queue_threshold = has_threshold ? 10000 : FRONT_EXECUTOR_UNLIMITED,
      .threshold_alarm_interval_ms = 1000,
      .timeout_alarm_threshold_us = 1000000,
      .timeout_alarm_interval_ms = 1000,
      .dt_us = 100000,
      .wheel_size = default_wheels,
      .wheel_size_count = sizeof default_wheels / sizeof default_wheels[0],
      .host_thread_safe = 1,
  };
}

/* Returns what is wrong with the options, or NULL. */
static const char *find_fault(const front_executor_options *options) {
  if (options->name == NULL || options->name[0] == '\0') return "the name is empty";
  if (strlen(options->name) > FRONT_EXECUTOR_MAX_NAME_SIZE) return "the name is longer than 255 bytes";
  switch (options->type) {
    case FRONT_EXECUTOR_SIMPLE_THREAD:
      return options->thread_num == 1 ? NULL : "a simple_thread has exactly one thread";
    case FRONT_EXECUTOR_ASIO_THREAD:
    case FRONT_EXECUTOR_TBB_THREAD:
      if (options->thread_num == 0) return "thread_num is zero";
      return options->thread_num <= FRONT_EXECUTOR_MAX_THREADS ? NULL : "thread_num is above 1024";
    case FRONT_EXECUTOR_POOL:
      if (options->thread_num == 0) return "thread_num is zero";
      if (options->max_threads < options->thread_num) return "the maximum of threads is below thread_num";
      return options->max_threads <= FRONT_EXECUTOR_MAX_THREADS ? NULL : "the maximum of threads is above 1024";
    case FRONT_EXECUTOR_ASIO_STRAND:
      if (options->bind == NULL) return "bind_asio_thread_executor_name names no executor";
      return options->bind->options.type == FRONT_EXECUTOR_ASIO_THREAD ? NULL
                                                                       : "bind_asio_thread_executor_name is not an asio_thread";
    case FRONT_EXECUTOR_TIME_WHEEL:
      if (options->dt_us == 0 || options->dt_us > UINT64_MAX / 1000) return "dt_us is zero or too large";
      if (options->wheel_size_count == 0) return "wheel_size is empty";
      for (size_t i = 0; i < options->wheel_size_count; i++)
        if (options->wheel_size[i] == 0) return "wheel_size has a zero";
      return NULL;
    case FRONT_EXECUTOR_HOST:
      return options->host_post != NULL ? NULL : "the post callback is NULL";
    default:
      return "the type is unknown";
  }
}

static char *copy_text(const char *text) {
  if (text == NULL) text = "";
  size_t size = strlen(text) + 1;
  char *copy = malloc(size);
  if (copy != NULL) memcpy(copy, text, size);
  return copy;
}

/* Copies what the options borrow; false when there is no memory. */
static bool own_options(front_executor *executor, const front_executor_options *options) {
  front_executor_options *own = &executor->options;
  *own = *options;
  own->wheel_size = NULL;
  own->host_user_data_free = NULL; /* until creation has succeeded, the data is the caller's */
  if (own->bind != NULL) front_executor_ref(own->bind);
  if (own->type == FRONT_EXECUTOR_TIME_WHEEL) own->thread_num = 1;
  if (!has_own_threads(executor)) own->thread_num = 0;
  executor->name = copy_text(options->name);
  executor->sched_policy = copy_text(options->thread_sched_policy);
  size_t size = options->thread_bind_cpu_count * sizeof *options->thread_bind_cpu;
  if (size > 0) executor->bind_cpu = malloc(size);
  if (executor->bind_cpu != NULL) memcpy(executor->bind_cpu, options->thread_bind_cpu, size);
  own->name = executor->name;
  own->thread_sched_policy = executor->sched_policy;
  own->thread_bind_cpu = executor->bind_cpu;
  return executor->name != NULL && executor->sched_policy != NULL && (size == 0 || executor->bind_cpu != NULL);
}

/* Waits until all started workers have set themselves up, so that names and warnings are there when create returns. */
static int start_threads(front_executor *executor) {
  for (uint32_t i = 0; i < executor->options.thread_num; i++) {
    front_lock_acquire(&executor->lock);
    executor->threads++;
    executor->committed++;
    front_lock_release(&executor->lock);
    int failure = front_executor_worker_spawn(executor);
    if (failure != 0) return failure;
  }
  for (;;) {
    uint32_t seen = atomic_load_explicit(&executor->changes, memory_order_acquire);
    front_lock_acquire(&executor->lock);
    bool is_complete = executor->started == executor->options.thread_num;
    if (is_complete) executor->warning = NULL;
    front_lock_release(&executor->lock);
    if (is_complete) return 0;
    (void)front_futex_wait(&executor->changes, seen, FRONT_NEVER);
  }
}

front_executor *front_executor_create(const front_executor_options *options, char *error_text, size_t error_size) {
  char nowhere[1];
  if (error_text == NULL || error_size == 0) {
    error_text = nowhere;
    error_size = sizeof nowhere;
  }
  error_text[0] = '\0';
  const char *fault = find_fault(options);
  if (fault != NULL) {
    (void)snprintf(error_text, error_size, "executor '%s': %s", options->name == NULL ? "" : options->name, fault);
    return NULL;
  }
  front_executor *executor = calloc(1, sizeof *executor);
  if (executor != NULL) atomic_store_explicit(&executor->refs, 1, memory_order_relaxed);
  if (executor == NULL || !own_options(executor, options)) {
    (void)snprintf(error_text, error_size, "executor '%s': out of memory", options->name);
    if (executor != NULL) front_executor_unref(executor);
    return NULL;
  }
  executor->base_steady_ns = front_monotonic_ns();
  executor->base_wall_ns = front_clock_ns(CLOCK_REALTIME);
  executor->warning = error_text;
  executor->warning_size = error_size;
  int failure = has_own_threads(executor) ? start_threads(executor) : 0;
  if (failure != 0) {
    (void)front_executor_shutdown(executor, FRONT_NEVER);
    front_executor_release(executor);
    (void)snprintf(error_text, error_size, "executor '%s': cannot start its threads: %s", options->name, strerror(failure));
    return NULL;
  }
  executor->options.host_user_data_free = options->host_user_data_free;
  return executor;
}

void front_executor_start(front_executor *executor) {
  front_lock_acquire(&executor->lock);
  if (executor->state == FRONT_EXECUTOR_STATE_INIT) executor->state = FRONT_EXECUTOR_STATE_RUNNING;
  front_lock_release(&executor->lock);
  front_executor_workers_wake_all(executor);
}

/* ---- Shutdown ----------------------------------------------------------------------------------------------------------- */

static void begin_shutdown(front_executor *executor) {
  front_lock_acquire(&executor->lock);
  bool is_first = executor->state != FRONT_EXECUTOR_STATE_SHUT_DOWN;
  executor->state = FRONT_EXECUTOR_STATE_SHUT_DOWN;
  front_executor_queue taken = {NULL, 0, 0, 0};
  if (is_first) taken = queue_take_all(executor);
  front_lock_release(&executor->lock);
  if (!is_first) return;
  uint64_t unrun = front_executor_schedule_close(executor);
  unrun += queue_destroy_tasks(&taken);
  unrun += host_destroy_tasks(executor);
  front_executor_count_unrun(executor, unrun);
  front_executor_workers_wake_all(executor);
}

aimrt_rpc_result_t front_executor_shutdown(front_executor *executor, uint64_t deadline_ns) {
  begin_shutdown(executor);
  for (const front_executor_frame *frame = front_executor_frames; frame != NULL; frame = frame->outer)
    if (frame->executor == executor) return AIMRT_RPC_RESULT_DEADLOCK;
  for (;;) {
    uint32_t seen = atomic_load_explicit(&executor->changes, memory_order_acquire);
    front_lock_acquire(&executor->lock);
    bool is_quiet = executor->threads == 0 && executor->running == 0;
    front_lock_release(&executor->lock);
    if (is_quiet) break;
    if (!front_futex_wait(&executor->changes, seen, deadline_ns)) return AIMRT_RPC_RESULT_TIMEOUT;
  }
  front_executor_workers_reap(executor);
  return AIMRT_RPC_RESULT_OK;
}

void front_executor_release(front_executor *executor) {
  if (executor == NULL) return;
  begin_shutdown(executor);
  front_lock_acquire(&executor->lock);
  executor->is_abandoned = 1;
  front_lock_release(&executor->lock);
  front_executor_workers_reap(executor);
  front_executor_unref(executor);
}

/* ---- Facts -------------------------------------------------------------------------------------------------------------- */

const char *front_executor_name(const front_executor *executor) { return executor->name; }

const char *front_executor_type_text(const front_executor *executor) {
  static const char *const texts[] = {"unknown",    "simple_thread", "asio_thread", "asio_strand",
                                      "tbb_thread", "time_wheel",    "pool",        "host"};
  uint32_t type = (uint32_t)executor->options.type;
  return texts[type < sizeof texts / sizeof texts[0] ? type : 0];
}

bool front_executor_is_thread_safe(const front_executor *executor) {
  switch (executor->options.type) {
    case FRONT_EXECUTOR_ASIO_THREAD:
    case FRONT_EXECUTOR_TBB_THREAD:
      return executor->options.thread_num == 1;
    case FRONT_EXECUTOR_POOL:
      return executor->options.max_threads == 1;
    case FRONT_EXECUTOR_TIME_WHEEL:
      return executor->options.bind == NULL || front_executor_is_thread_safe(executor->options.bind);
    case FRONT_EXECUTOR_HOST:
      return executor->options.host_thread_safe != 0;
    default:
      return true;
  }
}

bool front_executor_has_timers(const front_executor *executor) {
  switch (executor->options.type) {
    case FRONT_EXECUTOR_ASIO_THREAD:
    case FRONT_EXECUTOR_ASIO_STRAND:
    case FRONT_EXECUTOR_TIME_WHEEL:
      return true;
    case FRONT_EXECUTOR_HOST:
      return executor->options.host_timers != 0;
    default:
      return false;
  }
}

/* The executor that really runs the tasks of a bound time_wheel. */
static const front_executor *carrier(const front_executor *executor) {
  while (executor->options.type == FRONT_EXECUTOR_TIME_WHEEL && executor->options.bind != NULL) executor = executor->options.bind;
  return executor;
}

bool front_executor_is_current(const front_executor *executor) {
  const front_executor *wanted = carrier(executor);
  for (const front_executor_frame *frame = front_executor_frames; frame != NULL; frame = frame->outer)
    if (frame->executor == wanted) return true;
  return false;
}

front_executor *front_executor_current(void) {
  return front_executor_frames == NULL ? NULL : front_executor_frames->executor;
}

bool front_executor_would_wait_for_itself(const front_executor *executor) {
  for (const front_executor *e = carrier(executor); e != NULL; e = e->options.bind)
    if (front_executor_is_thread_safe(e) && front_executor_is_current(e)) return true;
  return false;
}

void front_executor_statistics_get(front_executor *executor, front_executor_statistics *out) {
  uint64_t now_ns = front_monotonic_ns();
  uint64_t oldest_ns = now_ns;
  uint64_t timers = front_executor_schedule_live(executor);
  front_lock_acquire(&executor->lock);
  if (executor->queue.count > 0) oldest_ns = executor->queue.items[executor->queue.head].queued_at_ns;
  if (executor->host_first != NULL) oldest_ns = executor->host_first->queued_at_ns;
  *out = (front_executor_statistics){
      .state = executor->state,
      .threads = executor->threads,
      .queued = (uint64_t)executor->queue.count + executor->host_count,
      .running = executor->running,
      .timers = timers,
      .posted = executor->posted,
      .executed = executor->executed,
      .dropped = executor->dropped,
      .destroyed = executor->destroyed,
      .longest_wait_ns = executor->longest_wait_ns,
      .oldest_wait_ns = now_ns > oldest_ns ? now_ns - oldest_ns : 0,
  };
  front_lock_release(&executor->lock);
}
