/*
 * compat_rpc.c - the rpc handle of a module written for AimRT: its services, its client methods by name, its calls.
 *
 * A registration becomes one of ours with an adapted type support; a call becomes one of ours whose end a closure is told. Contexts and
 * closures are foreign.c's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Client methods by name --------------------------------------------------------------------------------------------- */

#define FIRST_METHODS 16u

/* Names are long and differ near their end, so all of it counts; eight bytes at a time. */
static uint64_t hash_of(aimrt_rpc_str_t name) {
  const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
  uint64_t hash = name.size * factor;
  size_t i = 0;
  for (; i + 8 <= name.size; i += 8) {
    uint64_t word;
    memcpy(&word, name.data + i, 8);
    hash = (hash ^ word) * factor;
    hash ^= hash >> 32;
  }
  uint64_t word = 0;
  if (i < name.size) memcpy(&word, name.data + i, name.size - i);
  hash = (hash ^ word) * factor;
  return hash ^ hash >> 29;
}

static const compat_method *look_up(const compat_module *module, aimrt_rpc_str_t name) {
  compat_methods *methods = atomic_load_explicit(&module->methods, memory_order_acquire);
  if (methods == NULL) return NULL;
  uint64_t hash = hash_of(name);
  for (uint32_t i = (uint32_t)hash & (methods->capacity - 1);; i = (i + 1) & (methods->capacity - 1)) {
    const compat_method *method = atomic_load_explicit(&methods->slots[i], memory_order_acquire);
    if (method == NULL || (method->hash == hash && front_str_equal(method->name, name))) return method;
  }
}

static const compat_method *find_method(compat_module *module, aimrt_rpc_str_t name) {
  _Atomic(const compat_method *) *place = &module->recent[((uintptr_t)name.data >> 4) % COMPAT_RECENT_METHODS];
  const compat_method *method = atomic_load_explicit(place, memory_order_acquire);
  if (FRONT_LIKELY(method != NULL && front_str_equal(method->name, name))) return method;
  method = look_up(module, name);
  if (method != NULL) atomic_store_explicit(place, method, memory_order_release);
  return method;
}

static void put(compat_methods *methods, compat_method *method) {
  uint32_t i = (uint32_t)method->hash & (methods->capacity - 1);
  while (atomic_load_explicit(&methods->slots[i], memory_order_relaxed) != NULL) i = (i + 1) & (methods->capacity - 1);
  atomic_store_explicit(&methods->slots[i], method, memory_order_release);
  methods->count++;
}

/* Room for one more, at most half full; the caller holds the lock of the module. */
static compat_methods *room_for_method(compat_module *module) {
  compat_methods *old = atomic_load_explicit(&module->methods, memory_order_relaxed);
  if (old != NULL && 2 * (old->count + 1) <= old->capacity) return old;
  uint32_t capacity = old == NULL ? FIRST_METHODS : 2 * old->capacity;
  compat_methods *fresh = calloc(1, sizeof *fresh + capacity * sizeof fresh->slots[0]);
  if (fresh == NULL) return NULL;
  fresh->capacity = capacity;
  fresh->former = old;
  for (uint32_t i = 0; old != NULL && i < old->capacity; i++) {
    compat_method *method = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
    if (method != NULL) put(fresh, method);
  }
  atomic_store_explicit(&module->methods, fresh, memory_order_release);
  return fresh;
}

static bool add_method(compat_module *module, aimrt_rpc_str_t name, aimrt_rpc_method_t handle) {
  compat_method *method = calloc(1, sizeof *method);
  if (method == NULL) return false;
  *method = (compat_method){hash_of(name), front_str_copy(name.data, name.size), handle};
  front_lock_acquire(&module->lock);
  compat_methods *methods = method->name.data == NULL ? NULL : room_for_method(module);
  if (methods != NULL) put(methods, method);
  front_lock_release(&module->lock);
  if (methods != NULL) return true;
  free((void *)(uintptr_t)method->name.data);
  free(method);
  return false;
}

/* ---- Registration ------------------------------------------------------------------------------------------------------- */

/* The type support of one method or service. */
typedef struct compat_types {
  aimrt_rpc_type_support_t request;
  aimrt_rpc_type_support_t response;
  struct compat_types *next;
} compat_types;

/* What both kinds of registration check first; side is "Service" or "Client". */
static bool may_register(const compat_module *module, const char *side, aimrt_rpc_str_t name, const aimrt_type_support_base_t *request,
                         const aimrt_type_support_base_t *response) {
  const char *why = NULL;
  if (compat_state(module) != AIMRT_RPC_STATE_INIT)
    why = "func can only be registered when state is 'Init'.";
  else if (request == NULL || response == NULL)
    why = "func: Msg type support is null.";
  if (why == NULL) return true;
  compat_log(module, AIMRT_RPC_LOG_LEVEL_ERROR, "%s %s Func '%.*s', module '%.*s'.", side, why, (int)name.size, name.data,
             (int)module->info.name.len, module->info.name.str);
  return false;
}

/* Kept also when the registration is refused, until the runtime goes. */
static compat_types *adapt(compat_module *module, const aimrt_type_support_base_t *request, const aimrt_type_support_base_t *response) {
  compat_types *types = calloc(1, sizeof *types);
  if (types == NULL) return NULL;
  compat_type_init(&types->request, request);
  compat_type_init(&types->response, response);
  front_lock_acquire(&module->lock);
  types->next = module->types;
  module->types = types;
  front_lock_release(&module->lock);
  return types;
}

static bool refused(const compat_module *module, const char *side, aimrt_rpc_str_t name, aimrt_rpc_result_t result,
                    aimrt_rpc_error_t error) {
  aimrt_rpc_str_t why = aimrt_rpc_error_message(error);
  if (result == AIMRT_RPC_RESULT_ALREADY_EXISTS)
    compat_log(module, AIMRT_RPC_LOG_LEVEL_ERROR, "%s func '%.*s' is registered repeatedly, module '%.*s', pkg path '%.*s'", side,
               (int)name.size, name.data, (int)module->info.name.len, module->info.name.str, (int)module->package.size,
               module->package.data);
  else
    compat_log(module, AIMRT_RPC_LOG_LEVEL_ERROR, "%s func '%.*s' of module '%.*s' is refused: %.*s", side, (int)name.size, name.data,
               (int)module->info.name.len, module->info.name.str, (int)why.size, why.data);
  aimrt_rpc_error_free(error);
  return false;
}

static bool register_client_func(void *impl, aimrt_string_view_t func_name, const void *custom_type_support_ptr,
                                 const aimrt_type_support_base_t *req_type_support,
                                 const aimrt_type_support_base_t *rsp_type_support) {
  (void)custom_type_support_ptr; /* of use to a backend that carries ros2 messages only */
  compat_module *module = impl;
  aimrt_rpc_str_t name = compat_text(func_name);
  if (!may_register(module, "Client", name, req_type_support, rsp_type_support)) return false;
  compat_types *types = adapt(module, req_type_support, rsp_type_support);
  if (types == NULL) return false;
  aimrt_rpc_client_options_t options = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  options.name = name;
  options.request_type = &types->request;
  options.response_type = &types->response;
  aimrt_rpc_method_t method;
  aimrt_rpc_error_t error;
  aimrt_rpc_result_t result = aimrt_rpc_handle_register_client(module->rpc_handle, &options, &method, &error);
  if (result == AIMRT_RPC_RESULT_OK) return add_method(module, name, method);
  return refused(module, "Client", name, result, error);
}

/* ---- Services ----------------------------------------------------------------------------------------------------------- */

/* The closure that ends a call; its state is the handle of the server call, 0 when it has been used or moved away. */
static uint64_t take_call(void *object) {
  uint64_t handle;
  uint64_t none = 0;
  memcpy(&handle, object, sizeof handle);
  memcpy(object, &none, sizeof none);
  return handle;
}

static void finish(uint64_t handle, const front_result *result) {
  front_server_call *server = front_handle_find(AIMRT_RPC_KIND_SERVER_CALL, handle);
  if (server != NULL)
    (void)front_server_finish(server, handle, result, (aimrt_rpc_bytes_t){NULL, 0}, (aimrt_rpc_str_t){NULL, 0});
}

/* The text of a failure: AimRT's callback has no room for it, so the C++ headers leave it in the context of the call. */
static aimrt_rpc_str_t failure_text(uint64_t handle) {
  front_server_call *server = front_handle_find(AIMRT_RPC_KIND_SERVER_CALL, handle);
  if (server == NULL) return (aimrt_rpc_str_t){NULL, 0};
  front_context *context = server->view.impl;
  aimrt_rpc_str_t what = front_context_value(context, FRONT_STR(COMPAT_STATUS_MESSAGE_KEY));
  if (what.size == 0) return what;
  char text[1024];
  aimrt_rpc_str_t id = front_context_value(context, FRONT_STR("aimrt-request_id"));
  const front_service *service = server->service;
  int size = snprintf(text, sizeof text, "Service func '%.*s' failed, request %.*s: %.*s", (int)service->name.size, service->name.data,
                      (int)id.size, id.data, (int)(what.size < sizeof text ? what.size : sizeof text), what.data);
  aimrt_rpc_log_record_t record = {.struct_size = sizeof record, .level = AIMRT_RPC_LOG_LEVEL_ERROR};
  record.text = (aimrt_rpc_str_t){text, size < 0 ? 0 : (size_t)size < sizeof text ? (size_t)size : sizeof text - 1};
  (void)aimrt_rpc_module_log(service->module->handle, &record);
  return what;
}

static void end_invoke(void *object, uint32_t status) {
  uint64_t handle = take_call(object);
  if (handle == 0) return;
  front_result result = {.code = status};
  if (status == AIMRT_RPC_CODE_SVR_HANDLE_FAILED) result.message = failure_text(handle);
  finish(handle, &result);
}

static void end_move(void *from_object, void *to_object) {
  uint64_t handle = take_call(from_object);
  memcpy(to_object, &handle, sizeof handle);
}

/* A service that destroys its callback unused can never answer. */
static void end_destroy(void *object) {
  uint64_t handle = take_call(object);
  if (handle != 0)
    finish(handle, &(front_result){.code = AIMRT_RPC_CODE_SVR_HANDLE_FAILED,
                                   .message = FRONT_STR("the service has given its callback up without invoking it")});
}

static const aimrt_function_service_callback_ops_t end_ops = {end_invoke, end_move, end_destroy};

static void serve(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  aimrt_function_base_t *service = user_data;
  const aimrt_function_service_func_ops_t *ops = service->ops;
  front_server_call *server = front_handle_find(AIMRT_RPC_KIND_SERVER_CALL, call);
  if (server == NULL) return;
  aimrt_function_base_t end = {.ops = &end_ops};
  memcpy(end.object_buf, &call, sizeof call);
  ops->invoker(service->object_buf, &server->view, request->payload.message, request->response, &end);
  front_function_drop(&end);
}

static void free_service(void *user_data) {
  front_function_drop(user_data);
  free(user_data);
}

static bool register_service_func(void *impl, aimrt_string_view_t func_name, const void *custom_type_support_ptr,
                                  const aimrt_type_support_base_t *req_type_support,
                                  const aimrt_type_support_base_t *rsp_type_support, aimrt_function_base_t *service_func) {
  (void)custom_type_support_ptr;
  compat_module *module = impl;
  aimrt_rpc_str_t name = compat_text(func_name);
  if (!may_register(module, "Service", name, req_type_support, rsp_type_support)) return false;
  if (service_func == NULL || service_func->ops == NULL) {
    compat_log(module, AIMRT_RPC_LOG_LEVEL_ERROR, "Service func is null. Func '%.*s', module '%.*s'.", (int)name.size, name.data,
               (int)module->info.name.len, module->info.name.str);
    return false;
  }
  compat_types *types = adapt(module, req_type_support, rsp_type_support);
  aimrt_function_base_t *own = types == NULL ? NULL : calloc(1, sizeof *own);
  if (own == NULL) return false;
  front_function_take(own, service_func);
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.name = name;
  options.request_type = &types->request;
  options.response_type = &types->response;
  options.handler = serve;
  options.user_data = own;
  options.user_data_free = free_service;
  aimrt_rpc_error_t error;
  aimrt_rpc_result_t result = aimrt_rpc_handle_register_service(module->rpc_handle, &options, NULL, &error);
  if (result == AIMRT_RPC_RESULT_OK) return true;
  free_service(own);
  return refused(module, "Service", name, result, error);
}

/* ---- Calls -------------------------------------------------------------------------------------------------------------- */

/* Tells a code to a callback that stays the caller's. */
static void answer(aimrt_function_base_t *callback, uint32_t code) {
  if (callback == NULL || callback->ops == NULL) return;
  const aimrt_function_client_callback_ops_t *ops = callback->ops;
  ops->invoker(callback->object_buf, code);
}

/* Calls work from start until the modules have been shut down; then the plan of the method refuses them. */
static bool is_ready(const compat_module *module) {
  uint32_t state = compat_state(module);
  return state == AIMRT_RPC_STATE_START || state == AIMRT_RPC_STATE_SHUTTING_DOWN;
}

static void invoke(void *impl, aimrt_string_view_t func_name, const aimrt_rpc_context_base_t *ctx_ptr, const void *req_ptr,
                   void *rsp_ptr, aimrt_function_base_t *callback) {
  compat_module *module = impl;
  const compat_method *method = find_method(module, compat_text(func_name));
  uint32_t code = AIMRT_RPC_CODE_CLI_NOT_READY;
  if (FRONT_LIKELY(method != NULL) && !front_guards_forked())
    code = front_start_function(method->handle, ctx_ptr, req_ptr, rsp_ptr, callback);
  else if (is_ready(module))
    code = AIMRT_RPC_CODE_CLI_FUNC_NOT_REGISTERED;
  if (FRONT_LIKELY(code == AIMRT_RPC_CODE_OK)) return;
  compat_log(module, code == AIMRT_RPC_CODE_CLI_NOT_READY ? AIMRT_RPC_LOG_LEVEL_ERROR : AIMRT_RPC_LOG_LEVEL_WARN,
             "Rpc call of func '%.*s' by module '%.*s' ends with %u, %s.", (int)func_name.len, func_name.str,
             (int)module->info.name.len, module->info.name.str, code, aimrt_rpc_code_string(code));
  answer(callback, code);
}

/* ---- Contexts of calls that lead to calls ------------------------------------------------------------------------------- */

static bool is_of(const aimrt_rpc_context_base_t *context, aimrt_rpc_context_type_t type) {
  return context != NULL && context->ops != NULL && context->ops->get_type(context->impl) == type;
}

static void merge(void *impl, const aimrt_rpc_context_base_t *server_ctx, const aimrt_rpc_context_base_t *client_ctx) {
  if (!is_of(server_ctx, AIMRT_RPC_SERVER_CONTEXT) || !is_of(client_ctx, AIMRT_RPC_CLIENT_CONTEXT) || front_guards_forked()) return;
  const front_module *found = front_handle_find(AIMRT_RPC_KIND_RPC_HANDLE, ((const compat_module *)impl)->rpc_handle);
  if (found == NULL) return;
  const front_runtime *runtime = found->runtime; /* its keys do not change from start on */
  for (uint32_t i = 0; i < runtime->passed_key_count; i++) {
    aimrt_string_view_t key = compat_view(runtime->passed_keys[i]);
    aimrt_string_view_t value = server_ctx->ops->get_meta_val(server_ctx->impl, key);
    if (value.len != 0) client_ctx->ops->set_meta_val(client_ctx->impl, key, value);
  }
}

void compat_rpc_close(compat_module *module) {
  front_lock_acquire(&module->lock);
  compat_types *types = module->types;
  module->types = NULL;
  front_lock_release(&module->lock);
  while (types != NULL) {
    compat_types *next = types->next;
    free(types);
    types = next;
  }
}

void compat_rpc_init(compat_module *module) {
  module->rpc = (aimrt_rpc_handle_base_t){register_service_func, register_client_func, invoke, merge, module};
}
