/* Named executors: threads with futex queues, strands, time wheels, growing pools and loops of the host. Go parses the
 * configuration and fills front_executor_options; everything after that is C.
 *
 * A task is run once and destroyed once after that; a task that will not run is only destroyed. Where a function fails, the task
 * stays with the caller. Results are AIMRT_RPC_RESULT_*.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FRONT_EXECUTOR_H_
#define FRONT_EXECUTOR_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/aimrt_rpc.h"
#include "guards.h"

typedef struct front_executor front_executor;

typedef struct front_executor_task {
  void (*run)(void *arg);     /* required */
  void (*destroy)(void *arg); /* NULL: nothing to give back */
  void *arg;
} front_executor_task;

typedef int32_t front_executor_type;
#define FRONT_EXECUTOR_SIMPLE_THREAD 1 /* one thread, no timers */
#define FRONT_EXECUTOR_ASIO_THREAD 2   /* thread_num threads, timers */
#define FRONT_EXECUTOR_ASIO_STRAND 3   /* one task at a time on the threads of an asio_thread, timers */
#define FRONT_EXECUTOR_TBB_THREAD 4    /* thread_num threads, no timers */
#define FRONT_EXECUTOR_TIME_WHEEL 5    /* timers by the tick, on an own thread or a bound executor */
#define FRONT_EXECUTOR_POOL 6          /* thread_num to max_threads threads as needed, for handlers that may block */
#define FRONT_EXECUTOR_HOST 7          /* a loop of the host */

typedef int32_t front_executor_state;
#define FRONT_EXECUTOR_STATE_INIT 0
#define FRONT_EXECUTOR_STATE_RUNNING 1
#define FRONT_EXECUTOR_STATE_SHUT_DOWN 2

/* Tasks waiting in one executor, whatever its threshold says. */
#define FRONT_EXECUTOR_MAX_QUEUED (UINT32_C(1) << 22)
/* Tasks waiting for their time in one executor. */
#define FRONT_EXECUTOR_MAX_TIMERS (UINT32_C(1) << 20)
#define FRONT_EXECUTOR_MAX_THREADS 1024u
#define FRONT_EXECUTOR_MAX_NAME_SIZE 255u
/* queue_threshold for "only FRONT_EXECUTOR_MAX_QUEUED limits". */
#define FRONT_EXECUTOR_UNLIMITED UINT32_MAX

/* May be called on any thread, also by a thread that posts; must not block for long. level is AIMRT_RPC_LOG_LEVEL_*. */
typedef void (*front_executor_log_fn)(void *arg, int level, const char *text);

typedef struct front_executor_options {
  front_executor_type type;
  const char *name; /* required; copied, as every text and list here */

  uint32_t thread_num;                /* asio_thread, tbb_thread; for a pool the number of threads that stay */
  uint32_t max_threads;               /* pool */
  uint64_t idle_timeout_ns;           /* pool: a thread above thread_num ends after so long without a task */
  const char *thread_sched_policy;    /* "" | SCHED_OTHER | SCHED_FIFO:<priority> | SCHED_RR:<priority> */
  const uint32_t *thread_bind_cpu;
  size_t thread_bind_cpu_count;

  uint32_t queue_threshold;             /* a task more is refused with LIMIT */
  int32_t threshold_alarm_interval_ms;  /* between two warnings; negative: no warnings and no threshold */
  uint64_t timeout_alarm_threshold_us;  /* a timed task that runs later than this is warned about; 0: never */
  int32_t timeout_alarm_interval_ms;    /* between two warnings; negative: none */
  uint8_t use_system_clock;             /* timers and now() follow changes of the system clock */

  front_executor *bind;       /* asio_strand: an asio_thread, required; time_wheel: any or NULL for an own thread. Kept alive. Else NULL. */
  uint64_t dt_us;             /* time_wheel: one tick */
  const uint32_t *wheel_size; /* time_wheel: checked only; every distance works */
  size_t wheel_size_count;

  aimrt_rpc_post_fn host_post; /* host: required */
  void *host_user_data;
  aimrt_rpc_free_fn host_user_data_free; /* called once, when the executor is gone */
  uint8_t host_thread_safe;
  uint8_t host_timers; /* the timer thread may call host_post: only for a loop whose post never waits */

  front_executor_log_fn log; /* nullable */
  void *log_arg;
} front_executor_options;

/* Sets every option to the default of the type (AimRT's numbers). Go overwrites what the configuration gives. */
FRONT_HIDDEN void front_executor_options_init(front_executor_options *options, front_executor_type type);

/* Creates an executor with its threads, in state INIT. On NULL error_text says what is wrong. On success error_text is "" or a
 * warning: a scheduling policy or an affinity that the system refused is not fatal. Owned by the caller: front_executor_release. */
FRONT_HIDDEN front_executor *front_executor_create(const front_executor_options *options, char *error_text, size_t error_size);

/* INIT -> RUNNING. Only a time_wheel with a thread of its own holds its tasks back until then. */
FRONT_HIDDEN void front_executor_start(front_executor *executor);

/* Ends the executor: no task is accepted or begun any more, waiting tasks and timers are destroyed on this thread (one ERROR line
 * counts them), running ones end on their own, threads are joined. Tasks a bound time_wheel has passed on are the bound
 * executor's. Returns OK; TIMEOUT when tasks still run at deadline_ns (CLOCK_MONOTONIC); DEADLOCK when called by a task of this
 * executor, which then ends after that task. May be repeated. */
FRONT_HIDDEN aimrt_rpc_result_t front_executor_shutdown(front_executor *executor, uint64_t deadline_ns);

/* Gives the executor up; shuts it down first when that has not been done, without waiting for running tasks. NULL is a no-op.
 * The memory goes when the last task and the last executor bound to it have ended. No other function may be using the executor
 * unless it is called by one of its tasks. */
FRONT_HIDDEN void front_executor_release(front_executor *executor);

/* OK; LIMIT when the queue is full (a pool: and all its threads are busy); INVALID_STATE after shutdown or when the host's loop is
 * closed; OUT_OF_MEMORY. Never runs the task inline, never blocks. Any thread. */
FRONT_HIDDEN aimrt_rpc_result_t front_executor_post(front_executor *executor, front_executor_task task);

/* As front_executor_post, and a task that is refused is destroyed: the contract of AimRT's execute. */
FRONT_HIDDEN aimrt_rpc_result_t front_executor_post_or_destroy(front_executor *executor, front_executor_task task);

/* Runs the task at time_ns of the executor's clock (since the Unix epoch), in order of time; a past time means soon. id_out
 * (nullable) is for front_executor_cancel and never 0. As front_executor_post, and UNSUPPORTED without timers. */
FRONT_HIDDEN aimrt_rpc_result_t front_executor_post_at(front_executor *executor, uint64_t time_ns, front_executor_task task,
                                                       uint64_t *id_out);
FRONT_HIDDEN aimrt_rpc_result_t front_executor_post_after(front_executor *executor, uint64_t delay_ns, front_executor_task task,
                                                          uint64_t *id_out);

/* OK: the task will not run and has been destroyed on this thread. LOST: it runs, has run, was cancelled, or the id is unknown. */
FRONT_HIDDEN aimrt_rpc_result_t front_executor_cancel(front_executor *executor, uint64_t id);

/* ---- Facts -------------------------------------------------------------------------------------------------------------- */

FRONT_HIDDEN const char *front_executor_name(const front_executor *executor); /* valid as long as the executor */
FRONT_HIDDEN const char *front_executor_type_text(const front_executor *executor);
/* True when its tasks never run at the same time. */
FRONT_HIDDEN bool front_executor_is_thread_safe(const front_executor *executor);
FRONT_HIDDEN bool front_executor_has_timers(const front_executor *executor);
/* The executor's clock in nanoseconds since the Unix epoch; 0 without timers. */
FRONT_HIDDEN uint64_t front_executor_now_ns(const front_executor *executor);
/* True when the calling thread runs a task of this executor, directly or inside a strand or loop on it. */
FRONT_HIDDEN bool front_executor_is_current(const front_executor *executor);
/* The innermost executor whose task this thread runs, NULL outside. Borrowed until that task ends. */
FRONT_HIDDEN front_executor *front_executor_current(void);
/* True when the calling thread would wait for itself if it waited for a task posted to this executor. */
FRONT_HIDDEN bool front_executor_would_wait_for_itself(const front_executor *executor);

typedef struct front_executor_statistics {
  front_executor_state state;
  uint32_t threads;         /* alive now; of a strand or a bound time_wheel: 0 */
  uint64_t queued;          /* waiting now */
  uint64_t running;         /* begun and not ended */
  uint64_t timers;          /* waiting for their time, or queued and not begun */
  uint64_t posted;          /* accepted by post, and timed tasks whose time came */
  uint64_t executed;        /* ended */
  uint64_t dropped;         /* refused because of a limit */
  uint64_t destroyed;       /* accepted and destroyed unrun */
  uint64_t longest_wait_ns; /* between post and run, since creation */
  uint64_t oldest_wait_ns;  /* age of the task at the head of the queue */
} front_executor_statistics;

FRONT_HIDDEN void front_executor_statistics_get(front_executor *executor, front_executor_statistics *out);

/* Names and places the calling thread, as an executor does with its own: for aimrt.main_thread and for helpers. All parts are
 * tried; false when one failed, and error_text names each. */
FRONT_HIDDEN bool front_executor_place_this_thread(const char *name, const char *sched_policy, const uint32_t *bind_cpu,
                                                   size_t bind_cpu_count, char *error_text, size_t error_size);

#endif /* FRONT_EXECUTOR_H_ */
