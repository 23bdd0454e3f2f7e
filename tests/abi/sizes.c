/* Options structs of programs built against other versions: smaller ones are accepted, larger ones only when what the library does not
 * know is zero; reserved fields and flags must be zero.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "check.h"
#include "world.h"

typedef struct larger {
  aimrt_rpc_runtime_options_t known;
  uint64_t future[4];
} larger;

static void check_runtime_options(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;

  options.struct_size = 4;
  memset((char *)&options + 4, 0xff, sizeof options - 4); /* not part of what the caller passes */
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_runtime_release(runtime);

  for (uint32_t size = 0; size < 4; size++) {
    options = (aimrt_rpc_runtime_options_t)AIMRT_RPC_RUNTIME_OPTIONS_INIT;
    options.struct_size = size;
    runtime = 99;
    CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
    CHECK(runtime == 0, "the output of a refused create is %llx", (unsigned long long)runtime);
  }

  larger future = {.known = AIMRT_RPC_RUNTIME_OPTIONS_INIT, .future = {0}};
  future.known.struct_size = (uint32_t)sizeof future;
  CHECK_RESULT(aimrt_rpc_runtime_create(&future.known, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_runtime_release(runtime);
  for (size_t i = 0; i < 4; i++) {
    memset(future.future, 0, sizeof future.future);
    future.future[i] = UINT64_C(1) << (i * 16);
    CHECK_RESULT(aimrt_rpc_runtime_create(&future.known, &runtime, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  }

  options = (aimrt_rpc_runtime_options_t)AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.struct_size = UINT32_MAX;
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options = (aimrt_rpc_runtime_options_t)AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.flags = 1;
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.flags = 0;
  options.reserved = 1;
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.reserved = 0;
  options.config_text = (aimrt_rpc_str_t){NULL, 5};
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  /* The address of an empty view may be any number. */
  options.config_text = (aimrt_rpc_str_t){(const char *)(uintptr_t)1, 0};
  options.config_path = (aimrt_rpc_str_t){(const char *)(uintptr_t)8, 0};
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_runtime_release(runtime);
}

static void check_module_options(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_module_t module = 0;
  CHECK_RESULT(aimrt_rpc_runtime_create(NULL, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.name = check_str("old");
  options.struct_size = (uint32_t)offsetof(aimrt_rpc_module_options_t, package);
  options.user_data = (void *)(uintptr_t)1; /* past the end of what an old program knows */
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_str_t name = aimrt_rpc_module_name(module);
  CHECK(name.size == 3 && memcmp(name.data, "old", 3) == 0, "name %.*s", (int)name.size, name.data);
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_ALREADY_EXISTS, error);
  options = (aimrt_rpc_module_options_t)AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = check_str("reserved");
  options.reserved = 7;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.reserved = 0;
  /* User data may be any number and comes back as it was. */
  options.user_data = (void *)(uintptr_t)1;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_runtime_release(runtime);
}

static void check_call_options(world *w) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_code_t code = 0;
  aimrt_rpc_call_t call = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.struct_size = (uint32_t)offsetof(aimrt_rpc_call_options_t, response);
  CHECK_RESULT(aimrt_rpc_call_invoke(w->live[AIMRT_RPC_KIND_METHOD], &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == 0, "code %u", code);
  aimrt_rpc_call_release(call);
  options = (aimrt_rpc_call_options_t)AIMRT_RPC_CALL_OPTIONS_INIT;
  options.flags = 4;
  CHECK_RESULT(aimrt_rpc_call_invoke(w->live[AIMRT_RPC_KIND_METHOD], &options, &code, &call, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT,
               error);
}

static void check_registration_options(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_module_t module = 0;
  CHECK_RESULT(aimrt_rpc_runtime_create(NULL, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_options_t m = AIMRT_RPC_MODULE_OPTIONS_INIT;
  m.name = check_str("m");
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &m, &module, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_handle_t rpc = aimrt_rpc_module_rpc_handle(module);
  aimrt_rpc_client_options_t client = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  client.name = check_str("pb:/a.B/C");
  client.reserved = 1;
  CHECK_RESULT(aimrt_rpc_handle_register_client(rpc, &client, NULL, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  client.reserved = 0;
  client.flags = 1;
  CHECK_RESULT(aimrt_rpc_handle_register_client(rpc, &client, NULL, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  client.flags = 0;
  client.shape = AIMRT_RPC_SHAPE_BIDI_STREAM;
  CHECK_RESULT(aimrt_rpc_handle_register_client(rpc, &client, NULL, &error), AIMRT_RPC_RESULT_UNSUPPORTED, error);
  client.shape = AIMRT_RPC_SHAPE_UNARY;
  client.struct_size = (uint32_t)offsetof(aimrt_rpc_client_options_t, request_type);
  CHECK_RESULT(aimrt_rpc_handle_register_client(rpc, &client, NULL, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_handle_register_client(rpc, &client, NULL, &error), AIMRT_RPC_RESULT_ALREADY_EXISTS, error);
  aimrt_rpc_service_options_t service = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  service.name = check_str("pb:/a.B/C");
  CHECK_RESULT(aimrt_rpc_handle_register_service(rpc, &service, NULL, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  aimrt_rpc_runtime_release(runtime);
}

int main(void) {
  check_runtime_options();
  check_module_options();
  check_registration_options();
  world w;
  if (!world_make(&w)) return 1;
  check_call_options(&w);
  world_end(&w);
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
  return check_end("sizes");
}
