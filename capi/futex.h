/* Futex waits, a four-byte lock and a once-only event. Header only; knows nothing about RPC.
 * A wake may touch memory whose owner has already moved on: FUTEX_WAKE on a stale address wakes nobody or causes one spurious
 * wake-up, and every wait here and in its users re-checks its condition.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FRONT_FUTEX_H_
#define FRONT_FUTEX_H_

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FRONT_NANOSECONDS_PER_SECOND 1000000000ull
/* A deadline that never comes. */
#define FRONT_NEVER UINT64_MAX

static inline uint64_t front_clock_ns(clockid_t clock) {
  struct timespec now;
  (void)clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * FRONT_NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static inline uint64_t front_monotonic_ns(void) { return front_clock_ns(CLOCK_MONOTONIC); }

/* a + b, or FRONT_NEVER when that does not fit. */
static inline uint64_t front_add_ns(uint64_t a, uint64_t b) { return a > FRONT_NEVER - b ? FRONT_NEVER : a + b; }

/* Sleeps while *word == expected, until a wake or until CLOCK_MONOTONIC reaches deadline_ns.
 * Returns false only when the deadline has passed; true may be spurious. */
static inline bool front_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
  struct timespec limit;
  struct timespec *timeout = NULL;
  if (deadline_ns != FRONT_NEVER) {
    limit.tv_sec = (time_t)(deadline_ns / FRONT_NANOSECONDS_PER_SECOND);
    limit.tv_nsec = (long)(deadline_ns % FRONT_NANOSECONDS_PER_SECOND);
    timeout = &limit;
  }
  long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
  return !(result == -1 && errno == ETIMEDOUT);
}

static inline void front_futex_wake(_Atomic uint32_t *word, int count) {
  (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void front_futex_wake_all(_Atomic uint32_t *word) { front_futex_wake(word, INT_MAX); }

/* ---- Lock --------------------------------------------------------------------------------------------------------------- */

/* For critical sections of a few dozen instructions. 0 free, 1 held, 2 held and somebody may sleep. {0} is free. */
typedef struct front_lock {
  _Atomic uint32_t word;
} front_lock;

/* Rounds of polling before sleeping: about the length of one critical section, so that two cores rarely meet in the kernel. */
#define FRONT_LOCK_SPIN_ROUNDS 48

static inline void front_cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static inline bool front_lock_try(front_lock *lock) {
  uint32_t unheld = 0;
  return atomic_compare_exchange_strong_explicit(&lock->word, &unheld, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void front_lock_acquire(front_lock *lock) {
  if (front_lock_try(lock)) return;
  for (int round = 0; round < FRONT_LOCK_SPIN_ROUNDS; round++) {
    front_cpu_relax();
    if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 && front_lock_try(lock)) return;
  }
  while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
    (void)front_futex_wait(&lock->word, 2, FRONT_NEVER);
}

static inline void front_lock_release(front_lock *lock) {
  if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2) front_futex_wake(&lock->word, 1);
}

/* ---- Once-only event ---------------------------------------------------------------------------------------------------- */

enum { FRONT_ONCE_PENDING = 0, FRONT_ONCE_DONE = 1, FRONT_ONCE_PENDING_WITH_SLEEPER = 2 };

/* Set at most once, waited for by any number of threads. {0} is pending. The setter makes no system call when nobody sleeps. */
typedef struct front_once_event {
  _Atomic uint32_t state;
} front_once_event;

static inline void front_once_event_init(front_once_event *event) {
  atomic_store_explicit(&event->state, FRONT_ONCE_PENDING, memory_order_relaxed);
}

static inline bool front_once_event_is_done(front_once_event *event) {
  return atomic_load_explicit(&event->state, memory_order_acquire) == FRONT_ONCE_DONE;
}

/* The waiter may free the event as soon as it is done, so nothing of it is read after the exchange. */
static inline void front_once_event_set(front_once_event *event) {
  if (atomic_exchange_explicit(&event->state, FRONT_ONCE_DONE, memory_order_acq_rel) == FRONT_ONCE_PENDING_WITH_SLEEPER)
    front_futex_wake_all(&event->state);
}

/* Returns true when the event is done, false when deadline_ns (CLOCK_MONOTONIC) passed first. */
static inline bool front_once_event_wait(front_once_event *event, uint64_t deadline_ns) {
  for (;;) {
    uint32_t state = FRONT_ONCE_PENDING;
    if (atomic_compare_exchange_strong_explicit(&event->state, &state, FRONT_ONCE_PENDING_WITH_SLEEPER, memory_order_acquire,
                                                memory_order_acquire))
      state = FRONT_ONCE_PENDING_WITH_SLEEPER;
    if (state == FRONT_ONCE_DONE) return true;
    if (!front_futex_wait(&event->state, FRONT_ONCE_PENDING_WITH_SLEEPER, deadline_ns)) return front_once_event_is_done(event);
  }
}

#endif /* FRONT_FUTEX_H_ */
