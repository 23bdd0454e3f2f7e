/* aimrt_rpc_runtime_shutdown inside a plain signal() handler, again and again, while calls run: nothing crashes, and the shutdown comes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define STORMS 20
#define SIGNALS 20000
#define LIMIT_SECONDS 300 /* only a hang takes so long */

static aimrt_rpc_runtime_t runtime;
static volatile sig_atomic_t handled;

/* No SA_ONSTACK, and installed after the library was loaded: the way C++ programs for AimRT do it. */
static void on_signal(int number) {
  (void)number;
  handled = 1;
  (void)aimrt_rpc_runtime_shutdown(runtime);
}

typedef struct storm {
  pthread_t target;
  atomic_int stop;
  aimrt_rpc_method_t method;
  atomic_uint calls;
} storm;

static void *caller(void *arg) {
  storm *s = arg;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  while (!atomic_load(&s->stop)) {
    aimrt_rpc_code_t code = 0;
    aimrt_rpc_call_t call = 0;
    if (aimrt_rpc_call_invoke(s->method, &options, &code, &call, NULL) != AIMRT_RPC_RESULT_OK) abort();
    if (code != AIMRT_RPC_CODE_OK && code != AIMRT_RPC_CODE_CLI_NOT_READY && code != AIMRT_RPC_CODE_CANCELLED) abort();
    aimrt_rpc_call_release(call);
    atomic_fetch_add(&s->calls, 1);
    aimrt_rpc_buffer_t text; /* a function that works in Go, so that signals meet goroutine stacks too */
    if (aimrt_rpc_runtime_statistics(runtime, &text, NULL) == AIMRT_RPC_RESULT_OK) aimrt_rpc_buffer_release(&text);
  }
  return NULL;
}

static void *sender(void *arg) {
  storm *s = arg;
  for (int i = 0; i < SIGNALS; i++) pthread_kill(s->target, i % 2 == 0 ? SIGINT : SIGTERM);
  return NULL;
}

static void one_storm(int number) {
  world w;
  CHECK(world_make(&w), "world %d", number);
  runtime = w.live[AIMRT_RPC_KIND_RUNTIME];
  handled = 0;
  storm s = {.method = w.live[AIMRT_RPC_KIND_METHOD]};
  pthread_t calling, sending;
  CHECK(pthread_create(&calling, NULL, caller, &s) == 0, "thread");
  s.target = number % 2 == 0 ? pthread_self() : calling; /* the waiting thread, or the calling one */
  CHECK(pthread_create(&sending, NULL, sender, &s) == 0, "thread");
  aimrt_rpc_error_t error = 0;
  CHECK_RESULT(aimrt_rpc_runtime_wait(runtime, UINT64_C(60000000000), &error), AIMRT_RPC_RESULT_OK, error);
  pthread_join(sending, NULL);
  atomic_store(&s.stop, 1);
  pthread_join(calling, NULL);
  CHECK(handled == 1, "no signal was handled in storm %d", number);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_SHUTDOWN, "state %u", aimrt_rpc_runtime_state(runtime));
  CHECK(atomic_load(&s.calls) > 0, "no call ran in storm %d", number);
  world_end(&w);
}

int main(void) {
  alarm(LIMIT_SECONDS);
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  for (int i = 0; i < STORMS; i++) one_storm(i);
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
  return check_end("signals");
}
