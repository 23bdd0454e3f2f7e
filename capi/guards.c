/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "guards.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FRONT_GUARDS_LAST_CLASSIC_SIGNAL 31
#define FRONT_GUARDS_NO_FD (-1)

_Atomic uint32_t front_guards_forked_flag;
_Atomic uint32_t front_guards_exiting_flag;

static sigset_t load_mask;
static bool load_mask_saved;
static _Atomic int signal_fd = FRONT_GUARDS_NO_FD;
static _Atomic uint64_t raised;
static _Atomic uint32_t exit_hook_installed;

void front_guards_block_signals(sigset_t *former_out) {
  /* Synchronous faults must reach their thread, and the Go runtime needs its own URG, PROF and PIPE. */
  static const int kept_open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGURG, SIGPROF, SIGPIPE};
  sigset_t blocked;
  (void)sigfillset(&blocked);
  for (size_t i = 0; i < sizeof kept_open / sizeof kept_open[0]; i++) (void)sigdelset(&blocked, kept_open[i]);
  (void)pthread_sigmask(SIG_BLOCK, &blocked, former_out);
}

void front_guards_restore_signals(const sigset_t *former) { (void)pthread_sigmask(SIG_SETMASK, former, NULL); }

static void note_fork(void) { atomic_store_explicit(&front_guards_forked_flag, 1, memory_order_relaxed); }

/* Prioritised constructors run before the Go runtime's own entry in .init_array, which starts a thread that inherits this mask
 * and hands it to every thread Go creates. */
__attribute__((constructor(101))) static void before_go_starts(void) {
  front_guards_block_signals(&load_mask);
  load_mask_saved = true;
  (void)pthread_atfork(NULL, NULL, note_fork);
}

/* Constructors without a priority run in link order, after Go's object, which the linker gets first. */
__attribute__((constructor)) static void after_go_started(void) {
  if (load_mask_saved) front_guards_restore_signals(&load_mask);
  load_mask_saved = false;
}

uint32_t front_guards_fix_onstack(void) {
  uint32_t changed = 0;
  for (int number = 1; number <= FRONT_GUARDS_LAST_CLASSIC_SIGNAL; number++) {
    struct sigaction action;
    if (number == SIGKILL || number == SIGSTOP || sigaction(number, NULL, &action) != 0) continue;
    if ((action.sa_flags & SA_ONSTACK) != 0) continue;
    /* sa_sigaction shares this field, so one comparison covers both kinds of handler. */
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) continue;
    action.sa_flags |= SA_ONSTACK;
    if (sigaction(number, &action, NULL) == 0) changed++;
  }
  return changed;
}

int front_guards_signal_fd(void) {
  int fd = atomic_load_explicit(&signal_fd, memory_order_acquire);
  if (fd != FRONT_GUARDS_NO_FD) return fd;
  int fresh = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fresh == -1) return FRONT_GUARDS_NO_FD;
  if (!atomic_compare_exchange_strong_explicit(&signal_fd, &fd, fresh, memory_order_acq_rel, memory_order_acquire)) {
    (void)close(fresh);
    return fd;
  }
  return fresh;
}

bool front_guards_raise(uint32_t index) {
  if (index >= FRONT_GUARDS_MAX_INDEX || front_guards_forked()) return false;
  (void)atomic_fetch_or_explicit(&raised, (uint64_t)1 << index, memory_order_release);
  int fd = atomic_load_explicit(&signal_fd, memory_order_acquire);
  if (fd == FRONT_GUARDS_NO_FD) return false;
  int kept_errno = errno;
  uint64_t one = 1;
  /* EAGAIN means the counter is at its maximum: the reader is awake already. */
  bool told = write(fd, &one, sizeof one) == (ssize_t)sizeof one || errno == EAGAIN;
  errno = kept_errno;
  return told;
}

uint64_t front_guards_take(void) { return atomic_exchange_explicit(&raised, 0, memory_order_acq_rel); }

static void note_exit(void) { atomic_store_explicit(&front_guards_exiting_flag, 1, memory_order_seq_cst); }

bool front_guards_install_exit_hook(void) {
  if (atomic_exchange_explicit(&exit_hook_installed, 1, memory_order_acq_rel) != 0) return true;
  if (atexit(note_exit) == 0) return true;
  atomic_store_explicit(&exit_hook_installed, 0, memory_order_release);
  return false;
}
