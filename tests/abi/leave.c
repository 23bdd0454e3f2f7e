/* A host that ends in the middle of everything: main returns while threads call and the runtime runs. The runner starts it many times; the
 * exit code must be 0 each time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "check.h"
#include "world.h"

static world w;
static atomic_int calls;

static void *call_for_ever(void *unused) {
  (void)unused;
  for (;;) {
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    aimrt_rpc_code_t code = 0;
    aimrt_rpc_call_t call = 0;
    if (aimrt_rpc_call_invoke(w.live[AIMRT_RPC_KIND_METHOD], &options, &code, &call, NULL) != AIMRT_RPC_RESULT_OK) return NULL;
    aimrt_rpc_call_release(call);
    atomic_fetch_add(&calls, 1);
  }
}

int main(void) {
  if (!world_make(&w)) return 1;
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, call_for_ever, NULL) != 0) return 1;
  }
  while (atomic_load(&calls) < 100) sched_yield();
  CHECK(aimrt_rpc_runtime_state(w.live[AIMRT_RPC_KIND_RUNTIME]) == AIMRT_RPC_STATE_START, "state");
  return check_end("leave");
}
