/* Timed tasks of an executor: a heap by time, and one timer of the process's wheel for its top. When that fires, what is due is
 * posted to the executor's own queue in order of time; until a task has begun it can be cancelled.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdlib.h>

#include "executor_internal.h"

enum {
  FIRST_CAPACITY = 16,
  /* A timer on the system clock looks at it at least this often, so that a changed clock is noticed. */
  SYSTEM_CLOCK_LOOK_NS = 1000000000
};

typedef enum timer_state { WAITING, QUEUED, CANCELLED, BEGUN } timer_state;

struct front_executor_timer {
  front_executor *executor;
  front_executor_task task;
  uint64_t time_ns; /* what was asked for, and what lateness is measured against */
  uint64_t due_ns;  /* when to post; a time_wheel rounds to its ticks */
  uint64_t sequence;
  uint32_t heap_index;
  uint32_t slot;
  timer_state state;
};

/* ---- Clock -------------------------------------------------------------------------------------------------------------- */

static uint64_t clock_ns(const front_executor *executor) {
  if (executor->options.use_system_clock) return front_clock_ns(CLOCK_REALTIME);
  return front_add_ns(executor->base_wall_ns, front_monotonic_ns() - executor->base_steady_ns);
}

static uint64_t tick_ns(const front_executor *executor) {
  return executor->options.type == FRONT_EXECUTOR_TIME_WHEEL ? executor->options.dt_us * 1000 : 1;
}

/* The number of the tick that time_ns lies in; ticks are counted from the executor's creation. */
static uint64_t tick_of(const front_executor *executor, uint64_t time_ns) {
  return time_ns < executor->base_wall_ns ? 0 : (time_ns - executor->base_wall_ns) / tick_ns(executor);
}

uint64_t front_executor_now_ns(const front_executor *executor) {
  if (!front_executor_has_timers(executor)) return 0;
  uint64_t now_ns = clock_ns(executor);
  if (executor->options.type != FRONT_EXECUTOR_TIME_WHEEL) return now_ns;
  return executor->base_wall_ns + tick_of(executor, now_ns) * tick_ns(executor);
}

/* A time_wheel works off a tick at its end; a tick that has passed is due at once. */
static uint64_t due_time(const front_executor *executor, uint64_t time_ns, uint64_t now_ns) {
  if (executor->options.type != FRONT_EXECUTOR_TIME_WHEEL) return time_ns;
  uint64_t tick = tick_of(executor, time_ns);
  if (time_ns < executor->base_wall_ns || tick < tick_of(executor, now_ns)) return now_ns;
  if (tick + 1 > (FRONT_NEVER - executor->base_wall_ns) / tick_ns(executor)) return FRONT_NEVER;
  return executor->base_wall_ns + (tick + 1) * tick_ns(executor);
}

/* When the wheel must fire for a due time of the executor's clock, in CLOCK_MONOTONIC. */
static uint64_t alarm_time(const front_executor *executor, uint64_t due_ns) {
  if (!executor->options.use_system_clock) {
    if (due_ns <= executor->base_wall_ns) return 0;
    return front_add_ns(executor->base_steady_ns, due_ns - executor->base_wall_ns);
  }
  uint64_t steady_ns = front_monotonic_ns(), wall_ns = front_clock_ns(CLOCK_REALTIME);
  uint64_t ahead_ns = due_ns > wall_ns ? due_ns - wall_ns : 0;
  return front_add_ns(steady_ns, ahead_ns < SYSTEM_CLOCK_LOOK_NS ? ahead_ns : SYSTEM_CLOCK_LOOK_NS);
}

/* ---- Heap; the caller holds the lock ------------------------------------------------------------------------------------ */

static bool comes_before(const front_executor_timer *a, const front_executor_timer *b) {
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->sequence < b->sequence;
}

static void heap_set(front_executor_schedule *schedule, uint32_t index, front_executor_timer *timer) {
  schedule->heap[index] = timer;
  timer->heap_index = index;
}

static void heap_rise(front_executor_schedule *schedule, uint32_t index, front_executor_timer *timer) {
  while (index > 0 && comes_before(timer, schedule->heap[(index - 1) / 2])) {
    heap_set(schedule, index, schedule->heap[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  heap_set(schedule, index, timer);
}

static void heap_sink(front_executor_schedule *schedule, uint32_t index, front_executor_timer *timer) {
  for (;;) {
    uint32_t child = 2 * index + 1;
    if (child >= schedule->heap_count) break;
    if (child + 1 < schedule->heap_count && comes_before(schedule->heap[child + 1], schedule->heap[child])) child++;
    if (!comes_before(schedule->heap[child], timer)) break;
    heap_set(schedule, index, schedule->heap[child]);
    index = child;
  }
  heap_set(schedule, index, timer);
}

static void heap_remove(front_executor_schedule *schedule, front_executor_timer *timer) {
  uint32_t index = timer->heap_index;
  front_executor_timer *last = schedule->heap[--schedule->heap_count];
  if (last == timer) return;
  if (comes_before(last, timer))
    heap_rise(schedule, index, last);
  else
    heap_sink(schedule, index, last);
}

static bool heap_reserve(front_executor_schedule *schedule) {
  if (schedule->heap_count < schedule->heap_capacity) return true;
  uint32_t capacity = schedule->heap_capacity == 0 ? FIRST_CAPACITY : schedule->heap_capacity * 2;
  front_executor_timer **larger = realloc(schedule->heap, capacity * sizeof *larger);
  if (larger == NULL) return false;
  schedule->heap = larger;
  schedule->heap_capacity = capacity;
  return true;
}

/* ---- Slots: ids that go stale when their task begins; the caller holds the lock ----------------------------------------- */

static bool slot_reserve(front_executor_schedule *schedule) {
  if (schedule->first_free != 0 || schedule->slot_count < schedule->slot_capacity) return true;
  uint32_t capacity = schedule->slot_capacity == 0 ? FIRST_CAPACITY : schedule->slot_capacity * 2;
  front_executor_timer_slot *larger = realloc(schedule->slots, capacity * sizeof *larger);
  if (larger == NULL) return false;
  schedule->slots = larger;
  schedule->slot_capacity = capacity;
  return true;
}

static uint64_t slot_take(front_executor_schedule *schedule, front_executor_timer *timer) {
  uint32_t index;
  if (schedule->first_free != 0) {
    index = schedule->first_free - 1;
    schedule->first_free = schedule->slots[index].next_free;
  } else {
    index = schedule->slot_count++;
    schedule->slots[index].generation = 0;
  }
  schedule->slots[index].timer = timer;
  schedule->slots[index].next_free = 0;
  timer->slot = index;
  schedule->live++;
  return (uint64_t)schedule->slots[index].generation << 32 | (index + 1);
}

static void slot_free(front_executor_schedule *schedule, front_executor_timer *timer) {
  front_executor_timer_slot *slot = &schedule->slots[timer->slot];
  slot->timer = NULL;
  slot->generation++;
  slot->next_free = schedule->first_free;
  schedule->first_free = timer->slot + 1;
  schedule->live--;
}

/* ---- The queued form of a timed task ------------------------------------------------------------------------------------ */

static void warn_if_late(front_executor *executor, uint64_t time_ns) {
  const front_executor_options *options = &executor->options;
  if (options->timeout_alarm_threshold_us == 0 || options->type == FRONT_EXECUTOR_TIME_WHEEL) return;
  uint64_t now_ns = clock_ns(executor), suppressed = 0;
  uint64_t late_us = now_ns > time_ns ? (now_ns - time_ns) / 1000 : 0;
  if (late_us <= options->timeout_alarm_threshold_us) return;
  front_lock_acquire(&executor->schedule.lock);
  bool is_due =
      front_executor_alarm_due(&executor->schedule.late, front_monotonic_ns(), options->timeout_alarm_interval_ms, &suppressed);
  front_lock_release(&executor->schedule.lock);
  if (is_due)
    front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_WARN,
                       "%s executor '%s' runs a timed task %llu us late, its alarm threshold is %llu us (%llu more since the last "
                       "line); its threads or the machine are overloaded",
                       front_executor_type_text(executor), executor->name, (unsigned long long)late_us,
                       (unsigned long long)options->timeout_alarm_threshold_us, (unsigned long long)suppressed);
}

/* Tasks of a bound time_wheel are counted here, because its queue is another executor's. */
static bool counts_here(const front_executor *executor) {
  return executor->options.type == FRONT_EXECUTOR_TIME_WHEEL && executor->options.bind != NULL;
}

static void count_running(front_executor *executor, bool begins) {
  front_lock_acquire(&executor->lock);
  if (begins) {
    executor->running++;
  } else {
    front_executor_note_end(executor);
  }
  bool tell = !begins && executor->state == FRONT_EXECUTOR_STATE_SHUT_DOWN;
  front_lock_release(&executor->lock);
  if (tell) front_executor_changed(executor);
}

static void timer_run(void *arg) {
  front_executor_timer *timer = arg;
  front_executor *executor = timer->executor;
  bool counted = counts_here(executor);
  /* Before the state changes: a shutdown that finds this task begun must see it running. */
  if (counted) count_running(executor, true);
  front_lock_acquire(&executor->schedule.lock);
  bool begins = timer->state == QUEUED;
  if (begins) {
    timer->state = BEGUN;
    slot_free(&executor->schedule, timer);
  }
  front_lock_release(&executor->schedule.lock);
  if (begins) {
    warn_if_late(executor, timer->time_ns);
    front_executor_frame frame = {executor, front_executor_frames};
    front_executor_frames = &frame;
    front_executor_run_task(timer->task);
    front_executor_frames = frame.outer;
  }
  if (counted) count_running(executor, false);
}

/* After timer_run, or instead of it. */
static void timer_end(void *arg) {
  front_executor_timer *timer = arg;
  front_executor *executor = timer->executor;
  front_lock_acquire(&executor->schedule.lock);
  bool is_unrun = timer->state == QUEUED;
  if (is_unrun) {
    timer->state = CANCELLED;
    slot_free(&executor->schedule, timer);
  }
  front_lock_release(&executor->schedule.lock);
  if (is_unrun) front_executor_destroy_task(timer->task);
  free(timer);
  front_executor_unref(executor);
}

static aimrt_rpc_result_t post_queued(front_executor_timer *timer) {
  front_executor *executor = timer->executor;
  front_executor_task queued = {timer_run, timer_end, timer};
  front_executor_ref(executor);
  aimrt_rpc_result_t result = front_executor_post(executor, queued);
  if (result != AIMRT_RPC_RESULT_OK) front_executor_unref(executor);
  return result;
}

/* Takes back a task whose posting failed; false when a shutdown or a cancel has destroyed it meanwhile. Frees the timer. */
static bool withdraw(front_executor_timer *timer) {
  front_executor_schedule *schedule = &timer->executor->schedule;
  front_lock_acquire(&schedule->lock);
  bool is_ours = timer->state == QUEUED;
  if (is_ours) slot_free(schedule, timer);
  front_lock_release(&schedule->lock);
  free(timer);
  return is_ours;
}

/* ---- The alarm ---------------------------------------------------------------------------------------------------------- */

static void alarm_fire(void *arg);

/* The caller holds the lock. False when the timer thread cannot be started. */
static bool alarm_set(front_executor *executor) {
  front_executor_schedule *schedule = &executor->schedule;
  if (schedule->heap_count == 0) return true;
  return front_timer_arm(&schedule->alarm, alarm_time(executor, schedule->heap[0]->due_ns), alarm_fire, executor);
}

static void alarm_fire(void *arg) {
  front_executor *executor = arg;
  front_executor_schedule *schedule = &executor->schedule;
  front_executor_ref(executor); /* a task destroyed here may release the executor */
  for (;;) {
    front_lock_acquire(&schedule->lock);
    front_executor_timer *timer = NULL;
    if (!schedule->is_closed && schedule->heap_count > 0 && schedule->heap[0]->due_ns <= clock_ns(executor)) {
      timer = schedule->heap[0];
      heap_remove(schedule, timer);
      timer->state = QUEUED;
    } else if (!schedule->is_closed) {
      (void)alarm_set(executor); /* this is the timer thread: it need not be started */
    }
    front_lock_release(&schedule->lock);
    if (timer == NULL) break;
    front_executor_task task = timer->task;
    /* The queue's own warning tells about a refusal. */
    if (post_queued(timer) != AIMRT_RPC_RESULT_OK && withdraw(timer)) front_executor_destroy_task(task);
  }
  front_executor_unref(executor);
}

/* ---- Posting and cancelling --------------------------------------------------------------------------------------------- */

/* Puts a timer into its slot, and into the heap unless it is due. The caller holds the lock. */
static aimrt_rpc_result_t admit(front_executor *executor, front_executor_timer *timer, bool is_due, uint64_t *id_out) {
  front_executor_schedule *schedule = &executor->schedule;
  if (schedule->is_closed) return AIMRT_RPC_RESULT_INVALID_STATE;
  if (schedule->live >= FRONT_EXECUTOR_MAX_TIMERS) return AIMRT_RPC_RESULT_LIMIT;
  if (!slot_reserve(schedule) || !heap_reserve(schedule)) return AIMRT_RPC_RESULT_OUT_OF_MEMORY;
  uint64_t id = slot_take(schedule, timer);
  timer->sequence = schedule->next_sequence++;
  timer->state = is_due ? QUEUED : WAITING;
  if (!is_due) {
    heap_rise(schedule, schedule->heap_count++, timer);
    if (timer->heap_index == 0 && !alarm_set(executor)) {
      heap_remove(schedule, timer);
      slot_free(schedule, timer);
      return AIMRT_RPC_RESULT_IO;
    }
  }
  if (id_out != NULL) *id_out = id;
  return AIMRT_RPC_RESULT_OK;
}

static aimrt_rpc_result_t refuse(front_executor *executor, aimrt_rpc_result_t result) {
  const char *why = "has no memory for a timed task";
  switch (result) {
    case AIMRT_RPC_RESULT_UNSUPPORTED:
      why = "does not support timers";
      break;
    case AIMRT_RPC_RESULT_INVALID_STATE:
      why = "has shut down and refused a timed task";
      break;
    case AIMRT_RPC_RESULT_LIMIT:
      why = "refused a timed task: it has as many as it may";
      break;
    case AIMRT_RPC_RESULT_IO:
      why = "refused a timed task: the timer thread cannot be started";
      break;
    default:
      break;
  }
  front_lock_acquire(&executor->lock);
  if (result == AIMRT_RPC_RESULT_LIMIT) executor->dropped++;
  uint64_t suppressed = 0;
  bool is_due = front_executor_alarm_due(&executor->late_post, front_monotonic_ns(), 1000, &suppressed);
  front_lock_release(&executor->lock);
  if (is_due)
    front_executor_log(executor, AIMRT_RPC_LOG_LEVEL_ERROR, "%s executor '%s' %s (%llu more since the last line)",
                       front_executor_type_text(executor), executor->name, why, (unsigned long long)suppressed);
  return result;
}

aimrt_rpc_result_t front_executor_post_at(front_executor *executor, uint64_t time_ns, front_executor_task task, uint64_t *id_out) {
  if (id_out != NULL) *id_out = 0;
  if (!front_executor_has_timers(executor)) return refuse(executor, AIMRT_RPC_RESULT_UNSUPPORTED);
  front_executor_timer *timer = calloc(1, sizeof *timer);
  if (timer == NULL) return refuse(executor, AIMRT_RPC_RESULT_OUT_OF_MEMORY);
  uint64_t now_ns = clock_ns(executor);
  timer->executor = executor;
  timer->task = task;
  timer->time_ns = time_ns;
  timer->due_ns = due_time(executor, time_ns, now_ns);
  bool is_due = timer->due_ns <= now_ns;
  uint64_t id = 0;
  front_lock_acquire(&executor->schedule.lock);
  aimrt_rpc_result_t result = admit(executor, timer, is_due, &id);
  front_lock_release(&executor->schedule.lock);
  if (result != AIMRT_RPC_RESULT_OK) {
    free(timer);
    return refuse(executor, result);
  }
  if (is_due) {
    result = post_queued(timer);
    if (result != AIMRT_RPC_RESULT_OK && withdraw(timer)) return result;
  }
  if (id_out != NULL) *id_out = id;
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t front_executor_post_after(front_executor *executor, uint64_t delay_ns, front_executor_task task,
                                             uint64_t *id_out) {
  return front_executor_post_at(executor, front_add_ns(front_executor_now_ns(executor), delay_ns), task, id_out);
}

/* Makes sure that a live timer does not run and gives its task; frees it unless the queue still knows it. The caller holds the
 * lock. */
static front_executor_task take_back(front_executor_schedule *schedule, front_executor_timer *timer) {
  front_executor_task task = timer->task;
  slot_free(schedule, timer);
  if (timer->state == WAITING) {
    heap_remove(schedule, timer);
    free(timer);
  } else {
    timer->state = CANCELLED;
  }
  return task;
}

aimrt_rpc_result_t front_executor_cancel(front_executor *executor, uint64_t id) {
  front_executor_schedule *schedule = &executor->schedule;
  uint32_t number = (uint32_t)id, generation = (uint32_t)(id >> 32);
  front_lock_acquire(&schedule->lock);
  front_executor_timer_slot *slot = number == 0 || number > schedule->slot_count ? NULL : &schedule->slots[number - 1];
  if (slot == NULL || slot->timer == NULL || slot->generation != generation) {
    front_lock_release(&schedule->lock);
    return AIMRT_RPC_RESULT_LOST;
  }
  front_executor_task task = take_back(schedule, slot->timer);
  front_lock_release(&schedule->lock);
  front_executor_destroy_task(task);
  return AIMRT_RPC_RESULT_OK;
}

uint64_t front_executor_schedule_close(front_executor *executor) {
  front_executor_schedule *schedule = &executor->schedule;
  uint64_t count = 0;
  front_lock_acquire(&schedule->lock);
  schedule->is_closed = 1;
  /* Nothing is admitted any more, so one pass over the slots finds all, with the lock given up for each destroy. */
  for (uint32_t index = 0; index < schedule->slot_count; index++) {
    if (schedule->slots[index].timer == NULL) continue;
    front_executor_task task = take_back(schedule, schedule->slots[index].timer);
    front_lock_release(&schedule->lock);
    front_executor_destroy_task(task);
    count++;
    front_lock_acquire(&schedule->lock);
  }
  front_lock_release(&schedule->lock);
  (void)front_timer_disarm_wait(&schedule->alarm);
  return count;
}

uint64_t front_executor_schedule_live(front_executor *executor) {
  front_lock_acquire(&executor->schedule.lock);
  uint64_t live = executor->schedule.live;
  front_lock_release(&executor->schedule.lock);
  return live;
}
