/* What keeps the host process intact: signal masks, SA_ONSTACK, fork and exit flags, the way out of a signal handler.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FRONT_GUARDS_H_
#define FRONT_GUARDS_H_

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Every function of capi/ that is not part of the public header. */
#define FRONT_HIDDEN __attribute__((visibility("hidden")))

/* ---- Signal masks ------------------------------------------------------------------------------------------------------- */

/* Blocks every asynchronous signal in the calling thread and gives the former mask. A thread created before
 * front_guards_restore_signals inherits the blocked mask, so the host's signals reach the host's own threads only. */
FRONT_HIDDEN void front_guards_block_signals(sigset_t *former_out);
FRONT_HIDDEN void front_guards_restore_signals(const sigset_t *former);

/* Adds SA_ONSTACK to every handler function of signals 1..31 that lacks it: such a handler would otherwise run on a goroutine's
 * small stack. Returns how many were changed. Any thread. */
FRONT_HIDDEN uint32_t front_guards_fix_onstack(void);

/* ---- fork --------------------------------------------------------------------------------------------------------------- */

FRONT_HIDDEN extern _Atomic uint32_t front_guards_forked_flag;

/* True in a child of fork(): no thread of the library exists there. */
static inline bool front_guards_forked(void) {
  return atomic_load_explicit(&front_guards_forked_flag, memory_order_relaxed) != 0;
}

/* ---- Shutdown from a signal handler ------------------------------------------------------------------------------------- */

/* Bits in the bitmap of front_guards_raise. */
#define FRONT_GUARDS_MAX_INDEX 64u

/* The non-blocking, close-on-exec eventfd that front_guards_raise writes, made by the first call; -1 with errno when the system
 * refuses. It stays open for the life of the process: the Go side reads it through a dup(). Any thread. */
FRONT_HIDDEN int front_guards_signal_fd(void);

/* Sets bit index and wakes the reader of the eventfd. Async-signal-safe, keeps errno. False for an index out of range, in a
 * forked child (the eventfd is the parent's) and before front_guards_signal_fd; in the last case the bit is kept. */
FRONT_HIDDEN bool front_guards_raise(uint32_t index);

/* Takes the raised bits. The reader empties the eventfd first and takes second, so that no bit is missed. */
FRONT_HIDDEN uint64_t front_guards_take(void);

/* ---- Process exit ------------------------------------------------------------------------------------------------------- */

FRONT_HIDDEN extern _Atomic uint32_t front_guards_exiting_flag;

/* True once exit() has begun: from then on no callback may be delivered, because the host's static objects are going. */
static inline bool front_guards_exiting(void) {
  return atomic_load_explicit(&front_guards_exiting_flag, memory_order_relaxed) != 0;
}

/* Registers the exit hook once. Called when the first runtime is created, so that it runs before the destructors of every static
 * object constructed earlier. False when the C library refuses; a later call tries again. Any thread. */
FRONT_HIDDEN bool front_guards_install_exit_hook(void);

#endif /* FRONT_GUARDS_H_ */
