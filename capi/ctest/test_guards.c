/* Signal masks, SA_ONSTACK, fork and exit flags, the eventfd of signal handlers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "ctest.h"
#include "guards.h"

static sigset_t mask_while_loading;

/* Between the two constructors of guards.c, where the Go runtime starts its first thread. */
__attribute__((constructor(200))) static void look_at_mask(void) { (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_while_loading); }

static void check_asynchronous_blocked(const sigset_t *mask) {
  static const int blocked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD, SIGUSR1, SIGUSR2, SIGWINCH};
  static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGURG, SIGPROF, SIGPIPE};
  for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) CHECK_EQUAL(sigismember(mask, blocked[i]), 1);
  for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) CHECK_EQUAL(sigismember(mask, open[i]), 0);
}

static void signals_are_blocked_only_while_loading(void) {
  sigset_t now;
  check_asynchronous_blocked(&mask_while_loading);
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
  CHECK_EQUAL(sigismember(&now, SIGINT), 0);
  CHECK_EQUAL(sigismember(&now, SIGTERM), 0);
}

static void block_and_restore_keep_the_callers_mask(void) {
  sigset_t one, former, now;
  CHECK(sigemptyset(&one) == 0 && sigaddset(&one, SIGUSR2) == 0);
  CHECK(pthread_sigmask(SIG_BLOCK, &one, NULL) == 0);
  front_guards_block_signals(&former);
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
  check_asynchronous_blocked(&now);
  front_guards_restore_signals(&former);
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
  CHECK_EQUAL(sigismember(&now, SIGUSR2), 1);
  CHECK_EQUAL(sigismember(&now, SIGINT), 0);
  CHECK(pthread_sigmask(SIG_UNBLOCK, &one, NULL) == 0);
}

static void ignore_number(int number) { (void)number; }

static void fix_onstack_changes_functions_only(void) {
  struct sigaction plain = {0}, now;
  plain.sa_handler = ignore_number;
  plain.sa_flags = SA_RESTART;
  CHECK(sigaddset(&plain.sa_mask, SIGUSR2) == 0);
  (void)front_guards_fix_onstack();
  CHECK(sigaction(SIGUSR1, &plain, NULL) == 0);
  CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
  CHECK_EQUAL(front_guards_fix_onstack(), 1);
  CHECK(sigaction(SIGUSR1, NULL, &now) == 0);
  CHECK(now.sa_handler == ignore_number);
  CHECK((now.sa_flags & SA_ONSTACK) != 0 && (now.sa_flags & SA_RESTART) != 0);
  CHECK_EQUAL(sigismember(&now.sa_mask, SIGUSR2), 1);
  CHECK(sigaction(SIGHUP, NULL, &now) == 0);
  CHECK(now.sa_handler == SIG_IGN && (now.sa_flags & SA_ONSTACK) == 0);
  CHECK_EQUAL(front_guards_fix_onstack(), 0);
  CHECK(signal(SIGHUP, SIG_DFL) != SIG_ERR);
}

static int exit_code_of(pid_t child) {
  int state = 0;
  CHECK(waitpid(child, &state, 0) == child);
  CHECK(WIFEXITED(state));
  return WEXITSTATUS(state);
}

static void fork_sets_the_flag_in_the_child_only(void) {
  CHECK(front_guards_signal_fd() >= 0);
  CHECK(!front_guards_forked());
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) _exit(front_guards_forked() && !front_guards_raise(3) ? 0 : 1);
  CHECK_EQUAL(exit_code_of(child), 0);
  CHECK(!front_guards_forked());
  CHECK_EQUAL(front_guards_take(), 0);
}

static _Atomic uint32_t raised_in_handler;
static void raise_five(int number) {
  (void)number;
  errno = 77;
  atomic_store(&raised_in_handler, front_guards_raise(5) && errno == 77 ? 1u : 0u);
}

static void raise_from_a_handler_wakes_the_reader(void) {
  uint64_t count = 0;
  int fd = front_guards_signal_fd();
  CHECK(fd >= 0);
  CHECK_EQUAL(front_guards_signal_fd(), fd);
  CHECK(read(fd, &count, sizeof count) == -1 && errno == EAGAIN);
  struct sigaction action = {0};
  action.sa_handler = raise_five;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  CHECK(raise(SIGUSR1) == 0);
  CHECK_EQUAL(atomic_load(&raised_in_handler), 1);
  CHECK(front_guards_raise(63));
  CHECK(front_guards_raise(5));
  CHECK(!front_guards_raise(64));
  CHECK(read(fd, &count, sizeof count) == (ssize_t)sizeof count);
  CHECK_EQUAL(count, 3);
  CHECK(front_guards_take() == ((UINT64_C(1) << 63) | (UINT64_C(1) << 5)));
  CHECK_EQUAL(front_guards_take(), 0);
}

/* Registered before the hook, so it runs after it, as the destructors of older static objects do. */
static void exit_with_the_flag(void) { _exit(front_guards_exiting() ? 42 : 1); }

static void exit_hook_runs_before_older_handlers(void) {
  CHECK(!front_guards_exiting());
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (atexit(exit_with_the_flag) != 0 || !front_guards_install_exit_hook() || !front_guards_install_exit_hook()) _exit(2);
    if (front_guards_exiting()) _exit(3);
    exit(4);
  }
  CHECK_EQUAL(exit_code_of(child), 42);
  CHECK(!front_guards_exiting());
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"signals_are_blocked_only_while_loading", signals_are_blocked_only_while_loading},
      {"block_and_restore_keep_the_callers_mask", block_and_restore_keep_the_callers_mask},
      {"fix_onstack_changes_functions_only", fix_onstack_changes_functions_only},
      {"fork_sets_the_flag_in_the_child_only", fork_sets_the_flag_in_the_child_only},
      {"raise_from_a_handler_wakes_the_reader", raise_from_a_handler_wakes_the_reader},
      {"exit_hook_runs_before_older_handlers", exit_hook_runs_before_older_handlers},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
