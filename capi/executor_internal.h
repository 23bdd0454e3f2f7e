/* Shared by executor.c, executor_threads.c and executor_schedule.c only.
 * Lock order: schedule.lock, then a timer shard; an executor's lock is never held together with another lock, over a callback or
 * over a system call other than the futex of a lock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FRONT_EXECUTOR_INTERNAL_H_
#define FRONT_EXECUTOR_INTERNAL_H_

#include <pthread.h>

#include "executor.h"
#include "futex.h"
#include "timer.h"

/* One level of "this thread runs a task of that executor". Lives on the stack; the head is the only thread-local variable. */
typedef struct front_executor_frame {
  front_executor *executor;
  struct front_executor_frame *outer;
} front_executor_frame;

FRONT_HIDDEN extern _Thread_local front_executor_frame *front_executor_frames __attribute__((tls_model("initial-exec")));

typedef struct front_executor_item {
  front_executor_task task;
  uint64_t queued_at_ns;
} front_executor_item;

/* A ring of a power of two items that grows by doubling. */
typedef struct front_executor_queue {
  front_executor_item *items;
  uint32_t capacity;
  uint32_t head;
  uint32_t count;
} front_executor_queue;

/* Limits one kind of warning to one line per interval. */
typedef struct front_executor_alarm {
  uint64_t silent_until_ns;
  uint64_t unreported;
} front_executor_alarm;

typedef struct front_executor_worker {
  front_executor *executor;
  struct front_executor_worker *idle_next; /* the idle stack, newest first; the oldest leaves by timeout */
  struct front_executor_worker *idle_previous;
  struct front_executor_worker *dead_next;
  pthread_t thread;
  uint32_t number;
  uint8_t is_idle;
  uint8_t is_committed; /* woken or started for a task that it has not taken yet */
  _Atomic uint32_t wake;
} front_executor_worker;

typedef struct front_executor_host_node {
  front_executor *executor;
  front_executor_task task;
  struct front_executor_host_node *next;
  struct front_executor_host_node *previous;
  uint64_t queued_at_ns;
  uint8_t taken; /* by shutdown: the host's later run only frees the node */
} front_executor_host_node;

typedef struct front_executor_timer front_executor_timer;

typedef struct front_executor_timer_slot {
  front_executor_timer *timer; /* NULL: free */
  uint32_t generation;
  uint32_t next_free;
} front_executor_timer_slot;

/* Timed tasks in order of time, then of posting. One wheel timer stands for the first of them. */
typedef struct front_executor_schedule {
  front_lock lock; /* guards the rest */
  uint8_t is_closed;
  front_executor_timer **heap;
  uint32_t heap_count;
  uint32_t heap_capacity;
  front_executor_timer_slot *slots;
  uint32_t slot_count;
  uint32_t slot_capacity;
  uint32_t first_free; /* index + 1 */
  uint32_t live;
  uint64_t next_sequence;
  front_timer alarm;
  front_executor_alarm late;
} front_executor_schedule;

struct front_executor {
  _Atomic uint32_t refs; /* the creator, each thread, each queued part of a strand, host node, timed task, bound executor */
  front_executor_options options; /* texts and lists owned */
  char *name;
  char *sched_policy;
  uint32_t *bind_cpu;
  uint64_t base_wall_ns; /* the clock: base_wall + steady time since base_steady */
  uint64_t base_steady_ns;

  front_lock lock; /* guards what follows up to the schedule */
  front_executor_state state;
  front_executor_queue queue;
  uint64_t posted, executed, dropped, destroyed, longest_wait_ns;
  uint32_t running;
  front_executor_alarm full, nearly_full, late_post;

  uint32_t threads;
  uint32_t committed; /* workers with is_committed */
  uint32_t started;   /* workers that have set themselves up */
  uint32_t next_number;
  uint8_t is_abandoned; /* released with threads alive: they detach themselves */
  front_executor_worker *idle_newest;
  front_executor_worker *idle_oldest;
  front_executor_worker *dead;
  char *warning; /* where the first workers report, only during create */
  size_t warning_size;

  uint8_t is_drain_posted; /* strand: exactly one drain task is in the bound executor */
  uint8_t has_drain_run;
  uint64_t flushes; /* times the queue was emptied unrun */

  front_executor_host_node *host_first;
  front_executor_host_node *host_last;
  uint32_t host_count;

  _Atomic uint32_t changes; /* futex word: threads started, threads or tasks ended */
  front_executor_schedule schedule;
};

/* ---- executor.c --------------------------------------------------------------------------------------------------------- */

FRONT_HIDDEN void front_executor_ref(front_executor *executor);
FRONT_HIDDEN void front_executor_unref(front_executor *executor);
FRONT_HIDDEN void front_executor_log(const front_executor *executor, uint32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
FRONT_HIDDEN void front_executor_destroy_task(front_executor_task task);
/* Runs and destroys a task, unless the process is exiting: then it is left alone, because what it uses may be gone. */
FRONT_HIDDEN void front_executor_run_task(front_executor_task task);
/* True when a line may be written now; *suppressed_out counts those that were not. The caller holds the alarm's lock. */
FRONT_HIDDEN bool front_executor_alarm_due(front_executor_alarm *alarm, uint64_t now_ns, int32_t interval_ms,
                                           uint64_t *suppressed_out);
/* The caller holds the lock. */
FRONT_HIDDEN bool front_executor_queue_push(front_executor_queue *queue, front_executor_task task, uint64_t now_ns);
FRONT_HIDDEN front_executor_item front_executor_queue_pop(front_executor_queue *queue);
FRONT_HIDDEN void front_executor_note_begin(front_executor *executor, uint64_t queued_at_ns);
FRONT_HIDDEN void front_executor_note_end(front_executor *executor);
/* Wakes whoever waits for changes. The caller holds a reference, not the lock. */
FRONT_HIDDEN void front_executor_changed(front_executor *executor);
FRONT_HIDDEN void front_executor_count_unrun(front_executor *executor, uint64_t count);

/* ---- executor_threads.c ------------------------------------------------------------------------------------------------- */

/* The caller holds the lock: a worker for one more task. Sets *wake_out or *spawn_out to what must follow without the lock. */
FRONT_HIDDEN void front_executor_workers_commit(front_executor *executor, front_executor_worker **wake_out, bool *spawn_out);
FRONT_HIDDEN bool front_executor_workers_can_commit(const front_executor *executor);
FRONT_HIDDEN void front_executor_worker_wake(front_executor_worker *worker);
/* After threads and committed were raised for it; undoes that on failure and returns the error number. */
FRONT_HIDDEN int front_executor_worker_spawn(front_executor *executor);
FRONT_HIDDEN void front_executor_workers_wake_all(front_executor *executor);
FRONT_HIDDEN void front_executor_workers_reap(front_executor *executor);

/* ---- executor_schedule.c ------------------------------------------------------------------------------------------------ */

/* Cancels everything and accepts nothing more. Returns how many tasks were destroyed. */
FRONT_HIDDEN uint64_t front_executor_schedule_close(front_executor *executor);
FRONT_HIDDEN uint64_t front_executor_schedule_live(front_executor *executor);

#endif /* FRONT_EXECUTOR_INTERNAL_H_ */
