/* One timing wheel for the process: deadlines of calls and of executors' tasks. Nodes live in the caller's own structs, so arming
 * never allocates. The thread starts with the first timer, sleeps until the earliest deadline and is woken only for an earlier one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FRONT_TIMER_H_
#define FRONT_TIMER_H_

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guards.h"

typedef void (*front_timer_fn)(void *arg);

typedef struct front_timer_link {
  struct front_timer_link *next;
  struct front_timer_link *previous;
} front_timer_link;

/* {0} is an idle timer. The fields belong to timer.c. */
typedef struct front_timer {
  front_timer_link link; /* first, so that a link is its timer */
  uint64_t deadline_ns;
  front_timer_fn fn;
  void *arg;
  uint16_t slot;
  _Atomic uint8_t shard; /* 1-based number of the shard that last held it, 0 for a timer never armed */
  _Atomic uint8_t armed;
} front_timer;

/* Runs fn(arg) once on the timer thread when CLOCK_MONOTONIC has reached deadline_ns: never earlier, and later by at most 66 us
 * plus the thread's own wake-up. An armed timer is moved. The callback must be short, may arm and disarm any timer including its
 * own, and may free its own timer. Calls of arm for one timer must not run at the same time.
 * Returns false when the timer thread cannot be started (errno says why); the timer is idle then. Any thread. */
FRONT_HIDDEN bool front_timer_arm(front_timer *timer, uint64_t deadline_ns, front_timer_fn fn, void *arg);

/* Returns true when the timer was armed and will not run; false when it was idle, has run or is running. Any thread. */
FRONT_HIDDEN bool front_timer_disarm(front_timer *timer);

/* As front_timer_disarm, and on return the callback is not running either, so the timer may be freed. On the timer thread it does
 * not wait: there the only callback that can be running is the caller. */
FRONT_HIDDEN bool front_timer_disarm_wait(front_timer *timer);

/* How many timers are armed in the process. */
FRONT_HIDDEN size_t front_timer_armed_count(void);

/* Ends the timer thread and returns when it is gone; timers still armed stay so, and the next arm starts a new thread. For leak
 * tests and for the release of the last runtime. False when called on the timer thread or when no thread was running. */
FRONT_HIDDEN bool front_timer_stop(void);

#endif /* FRONT_TIMER_H_ */
