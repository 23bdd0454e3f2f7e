/*
 * link.c - handles of routers and listeners, methods that come and go with their connection, and the one function of connections with
 * sockets that takes a callback.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "link.h"

#include "objects.h"

uint64_t front_link_handle_new(uint32_t kind, uint64_t go_id) { return front_handle_new(kind, (void *)(uintptr_t)go_id); }

uint64_t front_link_find(uint32_t kind, uint64_t handle) { return (uint64_t)(uintptr_t)front_handle_find(kind, handle); }

uint64_t front_link_drop(uint32_t kind, uint64_t handle) { return (uint64_t)(uintptr_t)front_handle_drop(kind, handle); }

uint64_t front_server_call_token(aimrt_rpc_call_t call) {
  front_server_call *server = front_handle_find(AIMRT_RPC_KIND_SERVER_CALL, call);
  return server == NULL ? 0 : server->engine_token;
}

front_method *front_link_method(front_module *module, uint64_t go_id, const char *path, size_t path_size, const char *serialization,
                                size_t serialization_size) {
  const aimrt_rpc_str_t name = {serialization, serialization_size};
  aimrt_rpc_client_options_t options = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  options.name = (aimrt_rpc_str_t){path, path_size};
  options.serializations = &name;
  options.serialization_count = 1;
  return front_method_new(module, go_id, &options);
}

void front_method_retire(front_method *method) { (void)front_handle_drop(AIMRT_RPC_KIND_METHOD, method->handle); }

void front_method_retired(void) { front_read_wait(); }

aimrt_rpc_method_t front_method_revive(front_method *method) {
  method->handle = front_handle_new(AIMRT_RPC_KIND_METHOD, method);
  return method->handle;
}

aimrt_rpc_result_t aimrt_rpc_connection_on_close(aimrt_rpc_connection_t connection, aimrt_rpc_closed_fn closed, void *user_data,
                                                 aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  return aimrtgo_link_on_close(connection, closed, (uintptr_t)user_data, user_data_free, error);
}
