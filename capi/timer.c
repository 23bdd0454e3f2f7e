/* Eight shards, each a hierarchical wheel: 8 levels of 64 slots over ticks of 2^16 ns, which together cover 64 bits of
 * nanoseconds. A bitmap per level finds the next occupied slot without walking empty ones, so there is no work per tick.
 * A shard belongs to the threads that hash to it; the timer thread visits all.
 *
 * Sleeping and waking: before the thread looks at the shards it publishes sleep_until = SCANNING, afterwards the earliest bound it
 * found. Who arms a timer with an earlier bound than sleep_until bumps epoch, and makes a system call only if the thread sleeps.
 * An arm that the scan of its shard missed comes after that scan released the shard's lock, so it sees SCANNING or the bound.
 *
 * Lock order: lifecycle, then a shard. No lock is held during a callback.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "timer.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "futex.h"

enum {
  SHARD_COUNT_BITS = 3,
  SHARD_COUNT = 1 << SHARD_COUNT_BITS,
  TICK_BITS = 16,
  LEVEL_BITS = 6,
  LEVEL_SLOTS = 1 << LEVEL_BITS,
  LEVEL_COUNT = (64 - TICK_BITS) / LEVEL_BITS,
  DUE_SLOT = LEVEL_COUNT * LEVEL_SLOTS
};

#define TIMER_SLACK_NS 1000ul

#define LAST_TICK ((UINT64_C(1) << (64 - TICK_BITS)) - 1)
/* Above every real bound, so that any arm during a scan counts as earlier. */
#define SCANNING UINT64_MAX
#define NOTHING_ARMED (UINT64_MAX - 1)
#define EPOCH_SLEEPING 1u
#define EPOCH_STEP 2u

typedef struct timer_shard {
  _Atomic uint32_t lock; /* guards the rest; 0 free, 1 held */
  uint32_t armed_count;
  uint64_t current_tick; /* every timer in a level has a later tick */
  uint64_t occupied[LEVEL_COUNT];
  front_timer_link slots[DUE_SLOT + 1]; /* the last one holds what is due at once */
  front_timer_link firing;              /* the slot that the timer thread is working off */
} __attribute__((aligned(64))) timer_shard;

static timer_shard shards[SHARD_COUNT];

static pthread_mutex_t lifecycle_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t timer_thread;
static bool shards_ready;

static _Atomic uint32_t thread_started;
static _Atomic uint32_t stop_wanted;
static _Atomic uintptr_t thread_self; /* pthread_self() of the timer thread, 0 without one */
static _Atomic uint64_t sleep_until = SCANNING;
static _Atomic uint32_t epoch;

static _Atomic(front_timer *) running_timer;
static _Atomic uint32_t running_round; /* counts finished callbacks; the futex word of front_timer_disarm_wait */
static _Atomic uint32_t running_waiters;

/* ---- Lock of a shard ---------------------------------------------------------------------------------------------------- */

enum { LOCK_SPIN_ROUNDS = 64, LOCK_NAP_NS = 20000 };

static bool shard_try_lock(timer_shard *shard) {
  uint32_t unheld = 0;
  return atomic_compare_exchange_strong_explicit(&shard->lock, &unheld, 1, memory_order_acquire, memory_order_relaxed);
}

/* Cheaper than a front_lock by one atomic exchange of two, because nobody has to be woken: whoever finds the holder off its core
 * naps and tries again. Threads have shards of their own, so that this is rare. */
static void shard_lock(timer_shard *shard) {
  for (uint32_t round = 0; !shard_try_lock(shard); round++) {
    front_cpu_relax();
    if (round >= LOCK_SPIN_ROUNDS) (void)front_futex_wait(&shard->lock, 1, front_monotonic_ns() + LOCK_NAP_NS);
  }
}

static void shard_unlock(timer_shard *shard) { atomic_store_explicit(&shard->lock, 0, memory_order_release); }

/* ---- Lists -------------------------------------------------------------------------------------------------------------- */

static void list_reset(front_timer_link *head) { head->next = head->previous = head; }

static bool list_is_empty(const front_timer_link *head) { return head->next == head; }

static void list_append(front_timer_link *head, front_timer_link *link) {
  link->next = head;
  link->previous = head->previous;
  head->previous->next = link;
  head->previous = link;
}

static void list_unlink(front_timer_link *link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
}

/* Moves everything from one head to the end of another. */
static void list_splice(front_timer_link *to, front_timer_link *from) {
  if (list_is_empty(from)) return;
  from->next->previous = to->previous;
  to->previous->next = from->next;
  from->previous->next = to;
  to->previous = from->previous;
  list_reset(from);
}

/* ---- One shard; the caller holds its lock ------------------------------------------------------------------------------- */

static uint64_t tick_at_or_after(uint64_t time_ns) {
  uint64_t tick = time_ns >> TICK_BITS;
  bool exact = (time_ns & ((UINT64_C(1) << TICK_BITS) - 1)) == 0;
  return exact || tick == LAST_TICK ? tick : tick + 1;
}

/* Puts a timer into the slot for its deadline and returns a time before which nothing needs to be done about it. */
static uint64_t shard_insert(timer_shard *shard, front_timer *timer) {
  uint64_t tick = tick_at_or_after(timer->deadline_ns);
  if (tick <= shard->current_tick) {
    timer->slot = DUE_SLOT;
    list_append(&shard->slots[DUE_SLOT], &timer->link);
    return 0;
  }
  unsigned highest_bit = 63u - (unsigned)__builtin_clzll(tick ^ shard->current_tick);
  unsigned level = highest_bit / LEVEL_BITS;
  unsigned shift = level * LEVEL_BITS;
  unsigned index = (unsigned)(tick >> shift) & (LEVEL_SLOTS - 1);
  timer->slot = (uint16_t)(level * LEVEL_SLOTS + index);
  shard->occupied[level] |= UINT64_C(1) << index;
  list_append(&shard->slots[timer->slot], &timer->link);
  return (tick >> shift << shift) << TICK_BITS;
}

static void shard_remove(timer_shard *shard, front_timer *timer) {
  list_unlink(&timer->link);
  unsigned slot = timer->slot;
  if (slot != DUE_SLOT && list_is_empty(&shard->slots[slot]))
    shard->occupied[slot / LEVEL_SLOTS] &= ~(UINT64_C(1) << (slot % LEVEL_SLOTS));
}

/* Finds the occupied slot that comes first. Lower levels come before higher ones, and within a level every occupied slot is
 * ahead of the current tick, so the lowest bit is the next. */
static bool shard_next_slot(const timer_shard *shard, unsigned *slot_out, uint64_t *tick_out) {
  for (unsigned level = 0; level < LEVEL_COUNT; level++) {
    if (shard->occupied[level] == 0) continue;
    unsigned index = (unsigned)__builtin_ctzll(shard->occupied[level]);
    unsigned shift = level * LEVEL_BITS;
    uint64_t above = shard->current_tick >> shift >> LEVEL_BITS << LEVEL_BITS;
    *slot_out = level * LEVEL_SLOTS + index;
    *tick_out = (above | index) << shift;
    return true;
  }
  return false;
}

/* Brings the shard to now_tick until there is a slot of due timers in shard->firing. Returns false when nothing is due. */
static bool shard_advance(timer_shard *shard, uint64_t now_tick) {
  unsigned slot;
  uint64_t slot_tick;
  list_splice(&shard->firing, &shard->slots[DUE_SLOT]);
  while (list_is_empty(&shard->firing) && shard_next_slot(shard, &slot, &slot_tick) && slot_tick <= now_tick) {
    shard->current_tick = slot_tick;
    shard->occupied[slot / LEVEL_SLOTS] &= ~(UINT64_C(1) << (slot % LEVEL_SLOTS));
    if (slot < LEVEL_SLOTS) {
      list_splice(&shard->firing, &shard->slots[slot]);
      return true;
    }
    front_timer_link coarse;
    list_reset(&coarse);
    list_splice(&coarse, &shard->slots[slot]);
    while (!list_is_empty(&coarse)) {
      front_timer_link *link = coarse.next;
      list_unlink(link);
      (void)shard_insert(shard, (front_timer *)link);
    }
    list_splice(&shard->firing, &shard->slots[DUE_SLOT]);
  }
  if (!list_is_empty(&shard->firing)) return true;
  if (shard->current_tick < now_tick) shard->current_tick = now_tick;
  return false;
}

static uint64_t shard_next_bound(const timer_shard *shard) {
  unsigned slot;
  uint64_t tick;
  if (!list_is_empty(&shard->slots[DUE_SLOT])) return 0;
  if (!shard_next_slot(shard, &slot, &tick)) return NOTHING_ARMED;
  return tick << TICK_BITS;
}

/* ---- The timer thread --------------------------------------------------------------------------------------------------- */

static void finish_running(void) {
  atomic_store_explicit(&running_timer, NULL, memory_order_seq_cst);
  (void)atomic_fetch_add_explicit(&running_round, 1, memory_order_seq_cst);
  if (atomic_load_explicit(&running_waiters, memory_order_seq_cst) != 0) front_futex_wake_all(&running_round);
}

/* Runs what is due at now_ns in one shard and returns the bound of what is left. Timers armed by the callbacks for a time that
 * has passed wait for the next visit, so that a callback that always re-arms cannot starve the other shards. */
static uint64_t shard_run_due(timer_shard *shard, uint64_t now_ns) {
  uint64_t now_tick = now_ns >> TICK_BITS;
  shard_lock(shard);
  while (shard_advance(shard, now_tick)) {
    while (!list_is_empty(&shard->firing)) {
      front_timer *timer = (front_timer *)shard->firing.next;
      shard_remove(shard, timer);
      shard->armed_count--;
      atomic_store_explicit(&timer->armed, 0, memory_order_relaxed);
      atomic_store_explicit(&running_timer, timer, memory_order_seq_cst);
      front_timer_fn fn = timer->fn;
      void *arg = timer->arg;
      shard_unlock(shard);
      /* At exit the host's static objects are going: nothing is delivered any more. */
      if (!front_guards_exiting()) fn(arg);
      finish_running();
      shard_lock(shard);
    }
    if (!list_is_empty(&shard->slots[DUE_SLOT])) break;
  }
  uint64_t bound = shard_next_bound(shard);
  shard_unlock(shard);
  return bound;
}

static void sleep_while_epoch(uint32_t seen, uint64_t deadline_ns) {
  uint32_t sleeping = seen | EPOCH_SLEEPING;
  if (!atomic_compare_exchange_strong_explicit(&epoch, &seen, sleeping, memory_order_seq_cst, memory_order_seq_cst)) return;
  (void)front_futex_wait(&epoch, sleeping, deadline_ns == NOTHING_ARMED ? FRONT_NEVER : deadline_ns);
  (void)atomic_fetch_and_explicit(&epoch, ~EPOCH_SLEEPING, memory_order_seq_cst);
}

static void bump_epoch(void) {
  uint32_t seen = atomic_load_explicit(&epoch, memory_order_seq_cst);
  while (!atomic_compare_exchange_weak_explicit(&epoch, &seen, (seen + EPOCH_STEP) & ~EPOCH_SLEEPING, memory_order_seq_cst,
                                                memory_order_seq_cst)) {
  }
  if ((seen & EPOCH_SLEEPING) != 0) front_futex_wake(&epoch, 1);
}

static void *timer_main(void *unused) {
  (void)unused;
  (void)pthread_setname_np(pthread_self(), "aimrt_timer");
  /* The kernel may delay a sleeping thread by 50 us to save wake-ups; this thread is the one that others wait for. */
  (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
  atomic_store_explicit(&thread_self, (uintptr_t)pthread_self(), memory_order_seq_cst);
  for (;;) {
    /* Read before stop_wanted: front_timer_stop bumps the epoch after setting it, so the sleep below cannot miss it. */
    uint32_t seen = atomic_load_explicit(&epoch, memory_order_seq_cst);
    if (atomic_load_explicit(&stop_wanted, memory_order_seq_cst) != 0) break;
    atomic_store_explicit(&sleep_until, SCANNING, memory_order_seq_cst);
    uint64_t now_ns = front_monotonic_ns();
    uint64_t earliest = NOTHING_ARMED;
    for (unsigned i = 0; i < SHARD_COUNT; i++) {
      uint64_t bound = shard_run_due(&shards[i], now_ns);
      if (bound < earliest) earliest = bound;
    }
    if (earliest <= now_ns) continue;
    atomic_store_explicit(&sleep_until, earliest, memory_order_seq_cst);
    sleep_while_epoch(seen, earliest);
  }
  atomic_store_explicit(&thread_self, 0, memory_order_seq_cst);
  return NULL;
}

static bool start_thread(void) {
  (void)pthread_mutex_lock(&lifecycle_lock);
  int failure = 0;
  if (atomic_load_explicit(&thread_started, memory_order_relaxed) == 0) {
    for (unsigned i = 0; !shards_ready && i < SHARD_COUNT; i++) {
      for (unsigned slot = 0; slot <= DUE_SLOT; slot++) list_reset(&shards[i].slots[slot]);
      list_reset(&shards[i].firing);
    }
    shards_ready = true;
    atomic_store_explicit(&stop_wanted, 0, memory_order_seq_cst);
    sigset_t former;
    front_guards_block_signals(&former);
    failure = pthread_create(&timer_thread, NULL, timer_main, NULL);
    front_guards_restore_signals(&former);
    if (failure == 0) atomic_store_explicit(&thread_started, 1, memory_order_release);
  }
  (void)pthread_mutex_unlock(&lifecycle_lock);
  errno = failure;
  return failure == 0;
}

/* ---- For any thread ----------------------------------------------------------------------------------------------------- */

/* Threads spread over the shards by the address of their control block, which costs no thread-local storage. With stacks of one
 * size the shift of 8 gives eight neighbours eight different shards. */
static unsigned shard_of_this_thread(void) {
  uint64_t spread = ((uint64_t)(uintptr_t)pthread_self() >> 8) * UINT64_C(0x9E3779B97F4A7C15);
  return (unsigned)(spread >> (64 - SHARD_COUNT_BITS));
}

static void tell_thread(uint64_t bound) {
  uint64_t until = atomic_load_explicit(&sleep_until, memory_order_seq_cst);
  while (bound < until) {
    /* During a scan sleep_until must stay SCANNING for the other threads; the bumped epoch makes the thread look again. */
    if (until == SCANNING ||
        atomic_compare_exchange_weak_explicit(&sleep_until, &until, bound, memory_order_seq_cst, memory_order_seq_cst)) {
      bump_epoch();
      return;
    }
  }
}

bool front_timer_arm(front_timer *timer, uint64_t deadline_ns, front_timer_fn fn, void *arg) {
  if (atomic_load_explicit(&thread_started, memory_order_acquire) == 0 && !start_thread()) return false;
  if (atomic_load_explicit(&timer->armed, memory_order_relaxed) != 0) (void)front_timer_disarm(timer);
  unsigned number = shard_of_this_thread();
  timer_shard *shard = &shards[number];
  shard_lock(shard);
  timer->deadline_ns = deadline_ns;
  timer->fn = fn;
  timer->arg = arg;
  atomic_store_explicit(&timer->shard, (uint8_t)(number + 1), memory_order_relaxed);
  atomic_store_explicit(&timer->armed, 1, memory_order_relaxed);
  shard->armed_count++;
  uint64_t bound = shard_insert(shard, timer);
  shard_unlock(shard);
  tell_thread(bound);
  return true;
}

bool front_timer_disarm(front_timer *timer) {
  for (;;) {
    unsigned number = atomic_load_explicit(&timer->shard, memory_order_relaxed);
    if (number == 0) return false;
    timer_shard *shard = &shards[number - 1];
    shard_lock(shard);
    if (atomic_load_explicit(&timer->shard, memory_order_relaxed) != number) {
      shard_unlock(shard);
      continue;
    }
    bool armed = atomic_load_explicit(&timer->armed, memory_order_relaxed) != 0;
    if (armed) {
      shard_remove(shard, timer);
      shard->armed_count--;
      atomic_store_explicit(&timer->armed, 0, memory_order_relaxed);
    }
    shard_unlock(shard);
    return armed;
  }
}

bool front_timer_disarm_wait(front_timer *timer) {
  bool removed = front_timer_disarm(timer);
  if (atomic_load_explicit(&thread_self, memory_order_seq_cst) == (uintptr_t)pthread_self()) return removed;
  if (atomic_load_explicit(&running_timer, memory_order_seq_cst) != timer) return removed;
  (void)atomic_fetch_add_explicit(&running_waiters, 1, memory_order_seq_cst);
  for (;;) {
    uint32_t round = atomic_load_explicit(&running_round, memory_order_seq_cst);
    if (atomic_load_explicit(&running_timer, memory_order_seq_cst) != timer) break;
    (void)front_futex_wait(&running_round, round, FRONT_NEVER);
  }
  (void)atomic_fetch_sub_explicit(&running_waiters, 1, memory_order_seq_cst);
  /* The callback may have armed the timer again before it ended. */
  return front_timer_disarm(timer) || removed;
}

size_t front_timer_armed_count(void) {
  size_t count = 0;
  for (unsigned i = 0; i < SHARD_COUNT; i++) {
    shard_lock(&shards[i]);
    count += shards[i].armed_count;
    shard_unlock(&shards[i]);
  }
  return count;
}

bool front_timer_stop(void) {
  if (atomic_load_explicit(&thread_self, memory_order_seq_cst) == (uintptr_t)pthread_self()) return false;
  (void)pthread_mutex_lock(&lifecycle_lock);
  bool was_running = atomic_load_explicit(&thread_started, memory_order_relaxed) != 0;
  if (was_running) {
    atomic_store_explicit(&stop_wanted, 1, memory_order_seq_cst);
    bump_epoch();
    (void)pthread_join(timer_thread, NULL);
    atomic_store_explicit(&sleep_until, SCANNING, memory_order_seq_cst);
    atomic_store_explicit(&thread_started, 0, memory_order_release);
  }
  (void)pthread_mutex_unlock(&lifecycle_lock);
  return was_running;
}
