/* A host of its own: several runtimes, one after the other, load the Pkg files, while modules of the program use the same tables.
 * Usage: host <config file>. Unlike the Pkg files it is built on the library's headers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aimrt_rpc_compat.h"
/* the order of the two does not matter */
#include "aimrt_rpc.h"

#define ROUNDS 3

/* ---- Allocations of the whole process, which the Pkg file asks for ---- */

#ifndef __SANITIZE_ADDRESS__
static pthread_t counted;
static _Atomic uint64_t allocations;
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *former, size_t size);

static void count(void) {
  if (pthread_equal(counted, pthread_self())) allocations++;
}
void *malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}
void *realloc(void *former, size_t size) {
  count();
  return __libc_realloc(former, size);
}

uint64_t probe_allocations(void);
uint64_t probe_allocations(void) {
  counted = pthread_self(); /* of the thread that asks, from now on */
  return allocations;
}

/* The counter counts, and the program's malloc is everybody's. */
static int counter_works(void) {
  uint64_t before = probe_allocations();
  char *copy = strdup("one");
  free(copy);
  return probe_allocations() == before + 1;
}
#else
static int counter_works(void) { return 1; }
#endif

static int passed;
static int failed;

static void check(int good, const char *text, int line) {
  if (good) {
    passed++;
    return;
  }
  failed++;
  printf("FAILED tests/pkg/host.c:%d: %s\n", line, text);
}
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)

static aimrt_rpc_str_t text(const char *s) { return (aimrt_rpc_str_t){s, strlen(s)}; }

static const aimrt_core_base_t *core_of(aimrt_rpc_module_t module) { return aimrt_rpc_module_core(module); }

static uint8_t initialize(void *user_data, aimrt_rpc_module_t module) {
  const aimrt_core_base_t *core = core_of(module);
  aimrt_module_info_t info = core->info(core->impl);
  CHECK(info.name.len == 4 && memcmp(info.name.str, "Host", 4) == 0 && info.patch_version == 7);
  CHECK(core == core_of(module)); /* the same each time */
  CHECK(core->rpc_handle(core->impl) == core->rpc_handle(core->impl));
  const aimrt_configurator_base_t *configurator = core->configurator(core->impl);
  CHECK(configurator->config_file_path(configurator->impl).len == 0);
  ++*(int *)user_data;
  return 1;
}

static void shut_down(void *user_data, aimrt_rpc_module_t module) {
  CHECK(core_of(module) != NULL);
  ++*(int *)user_data;
}

static aimrt_rpc_module_t create(aimrt_rpc_runtime_t runtime, const char *name, int *turns) {
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = text(name);
  options.patch_version = 7;
  if (turns != NULL) {
    options.initialize = initialize;
    options.shutdown = shut_down;
    options.user_data = turns;
  }
  aimrt_rpc_module_t module = 0;
  CHECK(aimrt_rpc_module_create(runtime, &options, &module, NULL) == AIMRT_RPC_RESULT_OK);
  return module;
}

static void *release(void *arg) {
  aimrt_rpc_runtime_release(*(aimrt_rpc_runtime_t *)arg);
  return NULL;
}

static void round_trip(const char *config) {
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_error_t error = 0;
  int turns = 0;
  options.config_path = text(config);
  CHECK(aimrt_rpc_runtime_create(&options, &runtime, NULL) == AIMRT_RPC_RESULT_OK);
  aimrt_rpc_module_t own = create(runtime, "Host", &turns);
  aimrt_rpc_result_t result = aimrt_rpc_runtime_initialize(runtime, &error);
  CHECK(result == AIMRT_RPC_RESULT_OK);
  if (result != AIMRT_RPC_RESULT_OK) {
    aimrt_rpc_str_t why = aimrt_rpc_error_message(error);
    printf("%.*s\n", (int)why.size, why.data);
    exit(1);
  }
  aimrt_rpc_module_t late = create(runtime, "Late", NULL);
  const aimrt_core_base_t *late_core = core_of(late);
  CHECK(late_core != NULL && late_core != core_of(own));
  aimrt_rpc_module_release(late); /* the handle, not the module: its tables go on */
  const aimrt_executor_manager_base_t *executors = late_core->executor_manager(late_core->impl);
  CHECK(executors->get_executor(executors->impl, (aimrt_string_view_t){"work", 4}) != NULL);
  CHECK(core_of(late) == NULL && core_of(0) == NULL && core_of(12345) == NULL);
  CHECK(aimrt_rpc_runtime_start_async(runtime, 0, &error) == AIMRT_RPC_RESULT_OK); /* the probe runs inside */
  CHECK(aimrt_rpc_runtime_shutdown(runtime) == AIMRT_RPC_RESULT_OK);
  CHECK(aimrt_rpc_runtime_wait(runtime, UINT64_MAX, NULL) == AIMRT_RPC_RESULT_OK);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, release, &runtime) == 0); /* by another thread than the one that began */
  pthread_join(thread, NULL);
  CHECK(turns == 2);
  CHECK(executors->get_executor(executors->impl, (aimrt_string_view_t){"play", 4}) == NULL);
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  CHECK(counter_works());
  for (int i = 0; i < ROUNDS; i++) round_trip(argv[1]);
  printf("host: %d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
