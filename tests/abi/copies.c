/* Two copies of the library in one process, each loaded RTLD_LOCAL with a soname of its own: both work, and a handle of one means nothing
 * to the other. Arguments: the two files.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <time.h>

#include "check.h"

typedef struct library {
  uint32_t (*version)(void);
  aimrt_rpc_result_t (*create)(const aimrt_rpc_runtime_options_t *, aimrt_rpc_runtime_t *, aimrt_rpc_error_t *);
  aimrt_rpc_result_t (*initialize)(aimrt_rpc_runtime_t, aimrt_rpc_error_t *);
  aimrt_rpc_result_t (*start_async)(aimrt_rpc_runtime_t, uint32_t, aimrt_rpc_error_t *);
  uint32_t (*state)(aimrt_rpc_runtime_t);
  void (*release)(aimrt_rpc_runtime_t);
  uint64_t (*live_count)(uint32_t);
} library;

static void find(void *file, const char *name, void *function) {
  void *at = dlsym(file, name);
  CHECK(at != NULL, "%s: %s", name, dlerror());
  memcpy(function, &at, sizeof at);
}

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int load(library *l, const char *path) {
  double begin = milliseconds();
  void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  double loaded = milliseconds();
  CHECK(file != NULL, "dlopen %s: %s", path, dlerror());
  if (file == NULL) return 0;
  find(file, "aimrt_rpc_version", &l->version);
  find(file, "aimrt_rpc_runtime_create", &l->create);
  find(file, "aimrt_rpc_runtime_initialize", &l->initialize);
  find(file, "aimrt_rpc_runtime_start_async", &l->start_async);
  find(file, "aimrt_rpc_runtime_state", &l->state);
  find(file, "aimrt_rpc_runtime_release", &l->release);
  find(file, "aimrt_rpc_live_count", &l->live_count);
  aimrt_rpc_runtime_t runtime = 0;
  CHECK(l->create(NULL, &runtime, NULL) == AIMRT_RPC_RESULT_OK, "create");
  printf("dlopen %.2f ms, first call into Go %.2f ms\n", loaded - begin, milliseconds() - loaded);
  l->release(runtime);
  return 1;
}

int main(int argc, char **argv) {
  library one, two;
  CHECK(argc == 3, "two files are needed");
  if (argc != 3 || !load(&one, argv[1]) || !load(&two, argv[2])) return 1;
  CHECK(one.create != two.create, "the two files are one library");
  aimrt_rpc_runtime_t a = 0, b = 0;
  CHECK(one.create(NULL, &a, NULL) == 0 && two.create(NULL, &b, NULL) == 0, "create");
  CHECK(one.live_count(AIMRT_RPC_KIND_RUNTIME) == 1 && two.live_count(AIMRT_RPC_KIND_RUNTIME) == 1, "a runtime each");
  CHECK(one.initialize(a, NULL) == 0 && two.initialize(b, NULL) == 0, "initialize");
  CHECK(one.start_async(a, 0, NULL) == 0 && two.start_async(b, 0, NULL) == 0, "start");
  CHECK(one.state(a) == AIMRT_RPC_STATE_START && two.state(b) == AIMRT_RPC_STATE_START, "states");
  one.release(a);
  CHECK(one.live_count(AIMRT_RPC_KIND_ANY) == 0 && two.state(b) == AIMRT_RPC_STATE_START, "the other one goes on");
  two.release(b);
  CHECK(two.live_count(AIMRT_RPC_KIND_ANY) == 0, "handles are left");
  return check_end("copies");
}
