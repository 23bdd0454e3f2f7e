/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdio.h>
#include <string.h>

static aimrt_rpc_str_t str(const char *text) { return (aimrt_rpc_str_t){text, strlen(text)}; }

/* Shows a failure; 1 when there was none. */
static int went_well(aimrt_rpc_result_t result, aimrt_rpc_error_t error, const char *step) {
  if (result == AIMRT_RPC_RESULT_OK) return 1;
  aimrt_rpc_str_t text = aimrt_rpc_error_message(error);
  fprintf(stderr, "world: %s: %s: %.*s\n", step, aimrt_rpc_result_string(result), (int)text.size, text.data == NULL ? "" : text.data);
  aimrt_rpc_error_free(error);
  return 0;
}

static void echo(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  (void)aimrt_rpc_call_finish(call, NULL, &request->payload, NULL);
}

static void hold(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)request;
  ((world *)user_data)->live[AIMRT_RPC_KIND_SERVER_CALL] = call;
}

static void nothing(void *user_data) { (void)user_data; }

static int make_methods(world *w, aimrt_rpc_handle_t rpc, aimrt_rpc_method_t *hold_method) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_service_options_t service = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  service.name = str(WORLD_ECHO);
  service.handler = echo;
  aimrt_rpc_client_options_t client = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  client.name = str(WORLD_ECHO);
  if (!went_well(aimrt_rpc_handle_register_service(rpc, &service, &w->live[AIMRT_RPC_KIND_SERVICE], &error), error, "register echo") ||
      !went_well(aimrt_rpc_handle_register_client(rpc, &client, &w->live[AIMRT_RPC_KIND_METHOD], &error), error, "client of echo"))
    return 0;
  service.name = str(WORLD_HOLD);
  service.handler = hold;
  service.user_data = w;
  client.name = str(WORLD_HOLD);
  return went_well(aimrt_rpc_handle_register_service(rpc, &service, NULL, &error), error, "register hold") &&
         went_well(aimrt_rpc_handle_register_client(rpc, &client, hold_method, &error), error, "client of hold");
}

/* A router and a listener; the listener is given back in world_end. */
static int make_links(world *w, aimrt_rpc_handle_t rpc) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_options_t options = AIMRT_RPC_CONNECTION_OPTIONS_INIT;
  options.address = str("tcp://127.0.0.1:0");
  return went_well(aimrt_rpc_router_create(rpc, &w->live[AIMRT_RPC_KIND_ROUTER], &error), error, "router") &&
         went_well(aimrt_rpc_handle_listen(rpc, &options, &w->live[AIMRT_RPC_KIND_LISTENER], &error), error, "listener") &&
         went_well(aimrt_rpc_router_create(rpc, &w->stale[AIMRT_RPC_KIND_ROUTER], &error), error, "second router") &&
         went_well(aimrt_rpc_handle_listen(rpc, &options, &w->stale[AIMRT_RPC_KIND_LISTENER], &error), error, "second listener");
}

/* Handles that have been live and are not any more. */
static int make_stale(world *w) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t call = AIMRT_RPC_CALL_OPTIONS_INIT;
  if (!went_well(aimrt_rpc_call_start(w->live[AIMRT_RPC_KIND_METHOD], &call, &w->stale[AIMRT_RPC_KIND_CALL], &error), error, "call") ||
      !went_well(aimrt_rpc_context_create(&w->stale[AIMRT_RPC_KIND_CONTEXT], &error), error, "context") ||
      !went_well(aimrt_rpc_queue_create(&w->stale[AIMRT_RPC_KIND_QUEUE], &error), error, "queue") ||
      !went_well(aimrt_rpc_runtime_create(NULL, &w->stale[AIMRT_RPC_KIND_RUNTIME], &error), error, "second runtime") ||
      !went_well(aimrt_rpc_executor_post_after(w->live[AIMRT_RPC_KIND_EXECUTOR], UINT64_C(3600000000000), nothing, NULL, NULL,
                                               &w->stale[AIMRT_RPC_KIND_TIMER], &error),
                 error, "timer") ||
      !went_well(aimrt_rpc_connection_create_hosted(NULL, &w->stale[AIMRT_RPC_KIND_CONNECTION], &error), error, "second connection"))
    return 0;
  aimrt_rpc_connection_release(w->stale[AIMRT_RPC_KIND_CONNECTION]);
  aimrt_rpc_router_release(w->stale[AIMRT_RPC_KIND_ROUTER]);
  aimrt_rpc_listener_release(w->stale[AIMRT_RPC_KIND_LISTENER]);
  (void)aimrt_rpc_runtime_initialize(0, &w->stale[AIMRT_RPC_KIND_ERROR]);
  aimrt_rpc_module_options_t module = AIMRT_RPC_MODULE_OPTIONS_INIT;
  module.name = str("gone");
  aimrt_rpc_module_t gone = 0;
  if (!went_well(aimrt_rpc_module_create(w->stale[AIMRT_RPC_KIND_RUNTIME], &module, &gone, &error), error, "second module")) return 0;
  w->stale[AIMRT_RPC_KIND_MODULE] = gone;
  w->stale[AIMRT_RPC_KIND_RPC_HANDLE] = aimrt_rpc_module_rpc_handle(gone);
  aimrt_rpc_call_release(w->stale[AIMRT_RPC_KIND_CALL]);
  aimrt_rpc_context_release(w->stale[AIMRT_RPC_KIND_CONTEXT]);
  aimrt_rpc_queue_release(w->stale[AIMRT_RPC_KIND_QUEUE]);
  (void)aimrt_rpc_timer_cancel(w->stale[AIMRT_RPC_KIND_TIMER], NULL);
  aimrt_rpc_timer_release(w->stale[AIMRT_RPC_KIND_TIMER]);
  aimrt_rpc_error_free(w->stale[AIMRT_RPC_KIND_ERROR]);
  aimrt_rpc_runtime_release(w->stale[AIMRT_RPC_KIND_RUNTIME]);
  return 1;
}

int world_make(world *w) {
  aimrt_rpc_error_t error = 0;
  memset(w, 0, sizeof *w);
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = str(WORLD_CONFIG);
  aimrt_rpc_module_options_t module = AIMRT_RPC_MODULE_OPTIONS_INIT;
  module.name = str("world");
  aimrt_rpc_runtime_t *runtime = &w->live[AIMRT_RPC_KIND_RUNTIME];
  aimrt_rpc_method_t hold_method = 0;
  if (!went_well(aimrt_rpc_runtime_create(&options, runtime, &error), error, "create") ||
      !went_well(aimrt_rpc_runtime_initialize(*runtime, &error), error, "initialize") ||
      !went_well(aimrt_rpc_module_create(*runtime, &module, &w->live[AIMRT_RPC_KIND_MODULE], &error), error, "module"))
    return 0;
  w->live[AIMRT_RPC_KIND_RPC_HANDLE] = aimrt_rpc_module_rpc_handle(w->live[AIMRT_RPC_KIND_MODULE]);
  if (!make_methods(w, w->live[AIMRT_RPC_KIND_RPC_HANDLE], &hold_method) ||
      !went_well(aimrt_rpc_module_executor(w->live[AIMRT_RPC_KIND_MODULE], str("work"), &w->live[AIMRT_RPC_KIND_EXECUTOR], &error), error,
                 "executor") ||
      !went_well(aimrt_rpc_runtime_start_async(*runtime, 0, &error), error, "start"))
    return 0;
  aimrt_rpc_call_options_t call = AIMRT_RPC_CALL_OPTIONS_INIT;
  if (!went_well(aimrt_rpc_context_create(&w->live[AIMRT_RPC_KIND_CONTEXT], &error), error, "context") ||
      !went_well(aimrt_rpc_queue_create(&w->live[AIMRT_RPC_KIND_QUEUE], &error), error, "queue") ||
      !went_well(aimrt_rpc_call_start(hold_method, &call, &w->live[AIMRT_RPC_KIND_CALL], &error), error, "held call") ||
      !went_well(aimrt_rpc_executor_post_after(w->live[AIMRT_RPC_KIND_EXECUTOR], UINT64_C(3600000000000), nothing, NULL, NULL,
                                               &w->live[AIMRT_RPC_KIND_TIMER], &error),
                 error, "timer") ||
      !went_well(aimrt_rpc_connection_create_hosted(NULL, &w->live[AIMRT_RPC_KIND_CONNECTION], &error), error, "connection") ||
      !make_links(w, w->live[AIMRT_RPC_KIND_RPC_HANDLE]))
    return 0;
  (void)aimrt_rpc_runtime_initialize(0, &w->live[AIMRT_RPC_KIND_ERROR]);
  return make_stale(w);
}

void world_end(world *w) {
  (void)aimrt_rpc_call_finish(w->live[AIMRT_RPC_KIND_SERVER_CALL], NULL, NULL, NULL);
  aimrt_rpc_call_release(w->live[AIMRT_RPC_KIND_CALL]);
  aimrt_rpc_context_release(w->live[AIMRT_RPC_KIND_CONTEXT]);
  aimrt_rpc_queue_release(w->live[AIMRT_RPC_KIND_QUEUE]);
  (void)aimrt_rpc_timer_cancel(w->live[AIMRT_RPC_KIND_TIMER], NULL);
  aimrt_rpc_timer_release(w->live[AIMRT_RPC_KIND_TIMER]);
  aimrt_rpc_error_free(w->live[AIMRT_RPC_KIND_ERROR]);
  aimrt_rpc_connection_release(w->live[AIMRT_RPC_KIND_CONNECTION]);
  aimrt_rpc_listener_release(w->live[AIMRT_RPC_KIND_LISTENER]);
  aimrt_rpc_router_release(w->live[AIMRT_RPC_KIND_ROUTER]);
  aimrt_rpc_runtime_release(w->live[AIMRT_RPC_KIND_RUNTIME]);
}
