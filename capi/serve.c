/*
 * serve.c - the server side of calls: the handler, its finish, retain and cancel; and requests that Go received for foreign services.
 *
 * The side is one word: OPEN until somebody finishes it, CANCELLED when nobody waits any more, RETAINED while the user keeps it. Whoever
 * clears OPEN is the one finish; everything a handler was given lives until the references are gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdlib.h>

#include "executor.h"

_Atomic uint64_t front_cancelled_runtimes;

/* ---- Services ----------------------------------------------------------------------------------------------------------- */

front_service *front_service_new(front_module *module, uint64_t go_id, const aimrt_rpc_service_options_t *options,
                                 aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  front_runtime *runtime = module->runtime;
  if (options->queue != 0 && front_handle_find(AIMRT_RPC_KIND_QUEUE, options->queue) == NULL) {
    (void)front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "queue 0x%llx is not a live queue", (unsigned long long)options->queue);
    return NULL;
  }
  if (options->executor != 0 && front_handle_find(AIMRT_RPC_KIND_EXECUTOR, options->executor) == NULL) {
    (void)front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "executor 0x%llx is not a live executor",
                     (unsigned long long)options->executor);
    return NULL;
  }
  front_service *service = calloc(1, sizeof *service);
  if (service != NULL) {
    service->go_id = go_id;
    service->module = module;
    service->handler = options->handler;
    service->user_data = options->user_data;
    service->queue = options->queue;
    service->tag = options->tag;
    service->flags = options->flags;
    atomic_store_explicit(&service->executor, options->executor, memory_order_relaxed);
    service->name = front_str_copy(options->name.data, options->name.size);
    if (service->name.data != NULL && front_types_init(&service->types, options->request_type, options->response_type,
                                                       options->serializations, options->serialization_count))
      service->handle = front_handle_new(AIMRT_RPC_KIND_SERVICE, service);
    if (service->handle != 0) {
      service->user_data_free = options->user_data_free;
      front_lock_acquire(&runtime->lock);
      service->next = runtime->services;
      runtime->services = service;
      front_lock_release(&runtime->lock);
      return service;
    }
    front_service_free(service);
  }
  (void)front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for service \"%.*s\"", (int)options->name.size,
                   options->name.data);
  return NULL;
}

void front_service_free(front_service *service) {
  if (service->user_data_free != NULL && !front_guards_exiting()) service->user_data_free(service->user_data);
  front_types_free(&service->types);
  free((void *)(uintptr_t)service->name.data);
  free(service);
}

aimrt_rpc_service_t front_service_handle(const front_service *service) { return service->handle; }

uint8_t front_service_set_executor(front_service *service, aimrt_rpc_executor_t executor) {
  if (executor != 0 && front_handle_find(AIMRT_RPC_KIND_EXECUTOR, executor) == NULL) return 0;
  atomic_store_explicit(&service->executor, executor, memory_order_relaxed);
  return 1;
}

aimrt_rpc_result_t front_service_set_lock_owner(aimrt_rpc_service_t service, const void *owner) {
  if (front_guards_forked()) return AIMRT_RPC_RESULT_FORKED;
  front_thread *thread = front_thread_self();
  if (thread == NULL) return AIMRT_RPC_RESULT_OUT_OF_MEMORY;
  front_read_begin(thread);
  front_service *found = front_handle_find(AIMRT_RPC_KIND_SERVICE, service);
  if (found != NULL) atomic_store_explicit(&found->lock_owner, (uintptr_t)owner, memory_order_relaxed);
  front_read_end(thread);
  return found == NULL ? AIMRT_RPC_RESULT_INVALID_HANDLE : AIMRT_RPC_RESULT_OK;
}

/* ---- References --------------------------------------------------------------------------------------------------------- */

bool front_server_make_messages(front_server_call *server) {
  const front_types *types = &server->service->types;
  server->request_type = types->request;
  server->response_type = types->response;
  server->request_message = types->request->create(types->request->user_data);
  server->response_message = types->response->create(types->response->user_data);
  if (server->request_message != NULL && server->response_message != NULL) return true;
  front_server_drop_messages(server);
  return false;
}

void front_server_drop_messages(front_server_call *server) {
  if (server->request_type == NULL) return;
  const aimrt_rpc_type_support_t *request = server->request_type;
  const aimrt_rpc_type_support_t *response = server->response_type;
  if (server->request_message != NULL) request->destroy(request->user_data, server->request_message);
  if (server->response_message != NULL) response->destroy(response->user_data, server->response_message);
  server->request_type = NULL;
  server->request_message = NULL;
  server->response_message = NULL;
}

static front_on_cancel take_on_cancel(front_server_call *server) {
  front_lock_acquire(&server->cancel_lock);
  front_on_cancel taken = server->on_cancel;
  server->on_cancel = (front_on_cancel){NULL, NULL, NULL};
  front_lock_release(&server->cancel_lock);
  return taken;
}

static void free_on_cancel(const front_on_cancel *on_cancel) {
  if (on_cancel->user_data_free != NULL) on_cancel->user_data_free(on_cancel->user_data);
}

/* No reference of the server side is left: gives its memory and its reference on the block back. */
static void server_dead(front_thread *thread, front_server_call *server) {
  front_call *call = front_server_block(server);
  if (atomic_load_explicit(&server->used_cancel, memory_order_relaxed)) {
    front_on_cancel left = take_on_cancel(server);
    free_on_cancel(&left);
    atomic_store_explicit(&server->used_cancel, false, memory_order_relaxed);
  }
  front_context_hide(&server->context);
  if (server->context.text.size != 0 || server->context.text.capacity > FRONT_KEEP_BYTES) front_context_clear(&server->context);
  server->context.base = NULL;
  server->context.foreign = NULL;
  front_server_drop_messages(server);
  if (server->answer_bytes.capacity > FRONT_KEEP_BYTES) front_bytes_trim(&server->answer_bytes, FRONT_KEEP_BYTES);
  if (thread->dispatching == call && call->ended_inline)
    call->inline_refs++;
  else
    front_call_unref(thread, call, 1);
}

void front_server_unref(front_thread *thread, front_server_call *server) {
  uint64_t was = atomic_fetch_sub_explicit(&server->slot->word, FRONT_REF, memory_order_acq_rel);
  if (front_word_refs(was) == 1) server_dead(thread, server);
}

/* ---- Handler ------------------------------------------------------------------------------------------------------------ */

/* Ends a call that no handler has seen, so that nobody uses its messages. */
static void refuse(front_server_call *server, uint32_t code) {
  front_server_drop_messages(server);
  (void)front_server_finish(server, front_server_handle(server), &(front_result){.code = code}, (aimrt_rpc_bytes_t){NULL, 0},
                            (aimrt_rpc_str_t){NULL, 0});
}

/* The caller holds a reference of the server side, which goes with the event. */
static void push_cancelled(front_thread *thread, front_server_call *server, uint64_t handle) {
  server->cancelled.kind = AIMRT_RPC_EVENT_CALL_CANCELLED;
  server->cancelled.tag = server->arrived.tag;
  server->cancelled.object = server;
  server->cancelled_handle = handle;
  if (!front_queue_push(server->queue, &server->cancelled, server->runtime)) front_server_unref(thread, server);
}

/* The starter holds the block, so the word stays this call's although another thread may have finished it already. A cancel that came
 * before the mark is told here, one that comes after it tells itself: never before the arrival. */
static void arrive(front_thread *thread, front_server_call *server) {
  server->arrived.kind = AIMRT_RPC_EVENT_CALL_ARRIVED;
  server->arrived.object = server;
  if (!front_queue_push(server->queue, &server->arrived, server->runtime)) {
    refuse(server, AIMRT_RPC_CODE_SVR_NOT_READY);
    return;
  }
  uint64_t word = atomic_load_explicit(&server->slot->word, memory_order_acquire);
  uint64_t wanted;
  do {
    if ((word & FRONT_SERVER_OPEN) == 0) return;
    wanted = word | FRONT_SERVER_ARRIVED;
    if ((word & FRONT_SERVER_CANCELLED) != 0) wanted += FRONT_REF;
  } while (!front_word_swap(server->slot, &word, wanted));
  if ((word & FRONT_SERVER_CANCELLED) != 0) push_cancelled(thread, server, front_word_handle(word, server->index));
}

void front_server_run(front_thread *thread, front_server_call *server) {
  front_service *service = server->service;
  if (FRONT_UNLIKELY(front_guards_exiting())) {
    refuse(server, AIMRT_RPC_CODE_SVR_NOT_READY);
    return;
  }
  if (server->queue != 0) {
    arrive(thread, server);
    return;
  }
  aimrt_rpc_request_t request = {.struct_size = (uint32_t)sizeof request,
                                 .service = service->handle,
                                 .payload = {server->request, server->serialization, server->request_message},
                                 .response = server->response_message};
  if (request.payload.message != NULL) request.payload.bytes = (aimrt_rpc_bytes_t){NULL, 0};
  _Atomic uint32_t *running = &thread->running[server->runtime];
  uint32_t count = atomic_load_explicit(running, memory_order_relaxed);
  atomic_store_explicit(running, count + 1, memory_order_relaxed);
  service->handler(service->user_data, front_server_handle(server), &request);
  atomic_store_explicit(running, count, memory_order_release);
}

/* ---- Finish ------------------------------------------------------------------------------------------------------------- */

static void set_serialization(front_call *call, aimrt_rpc_str_t given) {
  call->response_serialization = call->serialization;
  if (given.size == 0 || front_str_equal(given, call->serialization)) return;
  if (given.size > FRONT_MAX_SERIALIZATION_BYTES) return;
  memcpy(call->response_room, given.data, given.size);
  call->response_serialization = (aimrt_rpc_str_t){call->response_room, given.size};
}

static bool set_bytes(front_call *call, aimrt_rpc_bytes_t response) {
  if (response.size == 0) return true;
  if (!front_bytes_assign(&call->response_bytes, response.data, response.size)) return false;
  call->response = (aimrt_rpc_bytes_t){call->response_bytes.data, response.size};
  return true;
}

static void set_failure(front_call *call, uint32_t code) { front_call_set_result(call, &(front_result){.code = code}); }

static void finish_direct(front_thread *thread, front_server_call *server, const front_result *result, aimrt_rpc_bytes_t response,
                          aimrt_rpc_str_t serialization) {
  front_call *call = front_server_block(server);
  front_call_set_result(call, result);
  if (call->response_message == NULL) {
    set_serialization(call, serialization);
    if (!set_bytes(call, response)) set_failure(call, AIMRT_RPC_CODE_SVR_SERIALIZATION_FAILED);
  }
  call->peer = FRONT_STR("local");
  if (thread->dispatching == call) call->ended_inline = true;
  front_call_deliver(thread, call);
}

/* The response of a service with type support as bytes. */
static bool encode_answer(front_server_call *server, aimrt_rpc_bytes_t *response) {
  const aimrt_rpc_type_support_t *type = server->service->types.response;
  if (!front_type_lists(type, server->serialization) ||
      !front_encode(type, server->serialization, server->response_message, &server->answer_bytes))
    return false;
  *response = (aimrt_rpc_bytes_t){server->answer_bytes.data, server->answer_bytes.size};
  return true;
}

static aimrt_rpc_result_t finish_local(front_thread *thread, front_server_call *server, const front_result *result,
                                       aimrt_rpc_bytes_t response, aimrt_rpc_str_t serialization) {
  front_call *call = front_server_block(server);
  front_result failed = {.code = AIMRT_RPC_CODE_SVR_SERIALIZATION_FAILED};
  if (server->service->types.response != NULL && server->response_message != NULL) {
    serialization = server->serialization;
    if (!encode_answer(server, &response)) result = &failed;
  }
  if (!front_call_claim(call)) return AIMRT_RPC_RESULT_LOST;
  bool here = thread->dispatching == call;
  if (call->timed && front_timer_disarm(&call->timer)) {
    if (here)
      call->inline_refs++;
    else
      front_call_unref(thread, call, 1);
  }
  front_call_set_result(call, result);
  if (result != &failed) {
    const aimrt_rpc_type_support_t *type = call->method->types.response;
    set_serialization(call, serialization);
    if (type == NULL) {
      if (!set_bytes(call, response)) set_failure(call, failed.code);
    } else if (result->code == AIMRT_RPC_CODE_OK || response.size != 0) {
      if (!front_decode(type, call->response_serialization, response.data, response.size, call->response_message))
        set_failure(call, AIMRT_RPC_CODE_SVR_DESERIALIZATION_FAILED);
    }
  }
  call->peer = FRONT_STR("local");
  if (here) call->ended_inline = true;
  front_call_deliver(thread, call);
  return AIMRT_RPC_RESULT_OK;
}

static aimrt_rpc_result_t finish_engine(front_server_call *server, const front_result *result, aimrt_rpc_bytes_t response,
                                        aimrt_rpc_str_t serialization) {
  front_engine_answer answer = {.code = result->code,
                                .message = result->message,
                                .trace = result->trace,
                                .details = result->details,
                                .detail_count = result->detail_count,
                                .bytes = response,
                                .serialization = serialization.size != 0 ? serialization : server->serialization};
  if (answer.message.size == 0) answer.message = front_code_text(result->code);
  if (server->service->types.response != NULL && server->response_message != NULL) {
    answer.serialization = server->serialization;
    if (server->request_type == NULL) {
      answer.native = 1;
      answer.bytes = (aimrt_rpc_bytes_t){NULL, 0};
    } else if (!encode_answer(server, &answer.bytes)) {
      answer = (front_engine_answer){.code = AIMRT_RPC_CODE_SVR_SERIALIZATION_FAILED,
                                     .message = front_code_text(AIMRT_RPC_CODE_SVR_SERIALIZATION_FAILED),
                                     .serialization = server->serialization};
    }
  }
  return aimrtgo_engine_finish(server->engine_token, &answer) == AIMRT_RPC_RESULT_OK ? AIMRT_RPC_RESULT_OK : AIMRT_RPC_RESULT_LOST;
}

aimrt_rpc_result_t front_server_finish(front_server_call *server, uint64_t handle, const front_result *result,
                                       aimrt_rpc_bytes_t response, aimrt_rpc_str_t serialization) {
  front_thread *thread = front_thread_self();
  if (thread == NULL) return AIMRT_RPC_RESULT_OUT_OF_MEMORY;
  uint64_t word = atomic_load_explicit(&server->slot->word, memory_order_acquire);
  uint64_t wanted;
  do {
    if (((word ^ handle) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_SERVER_OPEN) == 0) return AIMRT_RPC_RESULT_INVALID_HANDLE;
    wanted = word & ~FRONT_SERVER_OPEN;
    if ((word & FRONT_SERVER_RETAINED) == 0) wanted &= ~FRONT_LIVE;
  } while (!front_word_swap(server->slot, &word, wanted));
  /* Not retained and no other reference: the handle is dead, so none can be added, and the word may stay as it is. */
  bool alone = front_word_refs(word) == 1 && (word & FRONT_SERVER_RETAINED) == 0;
  uint32_t runtime = server->runtime;
  front_call *call = front_server_block(server);
  if (atomic_load_explicit(&server->used_cancel, memory_order_relaxed)) {
    front_on_cancel left = take_on_cancel(server);
    free_on_cancel(&left);
  }
  if ((word & FRONT_SERVER_RETAINED) == 0) front_context_hide(&server->context);
  aimrt_rpc_result_t outcome = AIMRT_RPC_RESULT_OK;
  if (server->engine_token != 0)
    outcome = finish_engine(server, result, response, serialization);
  else if (call->kind == FRONT_ENTRY_DIRECT)
    finish_direct(thread, server, result, response, serialization);
  else
    outcome = finish_local(thread, server, result, response, serialization);
  front_count_finished(thread, runtime);
  if (alone)
    server_dead(thread, server);
  else
    front_server_unref(thread, server);
  return outcome;
}

static aimrt_rpc_result_t stale_server(uint64_t handle, aimrt_rpc_error_t *error) {
  return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a call being served, or it was finished",
                    (unsigned long long)handle);
}

static front_server_call *find_server(uint64_t handle, uint64_t *word_out) {
  front_slot *slot = front_slot_find(AIMRT_RPC_KIND_SERVER_CALL, handle, word_out);
  return slot == NULL ? NULL : atomic_load_explicit(&slot->object, memory_order_relaxed);
}

aimrt_rpc_result_t front_finish_raw(aimrt_rpc_call_t call, aimrt_rpc_code_t code, aimrt_rpc_str_t message, aimrt_rpc_str_t trace,
                                    aimrt_rpc_bytes_t response, aimrt_rpc_str_t serialization, aimrt_rpc_error_t *error) {
  uint64_t word;
  front_server_call *server = find_server(call, &word);
  front_result result = {.code = code, .message = message, .trace = trace};
  aimrt_rpc_result_t outcome =
      server == NULL ? AIMRT_RPC_RESULT_INVALID_HANDLE : front_server_finish(server, call, &result, response, serialization);
  return outcome == AIMRT_RPC_RESULT_INVALID_HANDLE ? stale_server(call, error) : outcome;
}

#define MAX_DETAILS 64u

aimrt_rpc_result_t front_status_read(front_result *result, const aimrt_rpc_status_t *status, aimrt_rpc_error_t *error) {
  aimrt_rpc_status_t known = AIMRT_RPC_CALL_STATUS_INIT;
  aimrt_rpc_result_t read = front_struct_read(&known, sizeof known, status, "aimrt_rpc_status_t", error);
  if (read != AIMRT_RPC_RESULT_OK) return read;
  if (!front_view_ok(known.message.data, known.message.size) || !front_view_ok(known.trace.data, known.trace.size))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "status.message or status.trace is NULL with a size");
  if (!front_view_ok(known.details, known.detail_count) || known.detail_count > MAX_DETAILS)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "status.details has %zu pairs, expected 0 to %u", known.detail_count,
                      MAX_DETAILS);
  for (size_t i = 0; i < known.detail_count; i++)
    if (!front_view_ok(known.details[i].key.data, known.details[i].key.size) ||
        !front_view_ok(known.details[i].value.data, known.details[i].value.size))
      return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "status.details[%zu] is NULL with a size", i);
  *result = (front_result){known.code, (uint32_t)known.detail_count, known.message, known.trace, known.details};
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_call_finish(aimrt_rpc_call_t call, const aimrt_rpc_status_t *status,
                                         const aimrt_rpc_payload_t *response, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  uint64_t word;
  front_server_call *server = find_server(call, &word);
  if (server == NULL) return stale_server(call, error);
  front_result result = {.code = AIMRT_RPC_CODE_OK};
  aimrt_rpc_bytes_t bytes = {NULL, 0};
  aimrt_rpc_str_t serialization = {NULL, 0};
  if (status != NULL) {
    aimrt_rpc_result_t read = front_status_read(&result, status, error);
    if (read != AIMRT_RPC_RESULT_OK) return read;
  }
  if (response != NULL) {
    if (!front_view_ok(response->bytes.data, response->bytes.size) ||
        !front_view_ok(response->serialization.data, response->serialization.size))
      return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "response is NULL with a size of %zu", response->bytes.size);
    bytes = response->bytes;
    serialization = response->serialization;
  }
  aimrt_rpc_result_t outcome = front_server_finish(server, call, &result, bytes, serialization);
  if (outcome == AIMRT_RPC_RESULT_INVALID_HANDLE) return stale_server(call, error);
  if (outcome == AIMRT_RPC_RESULT_LOST)
    return front_fail(error, outcome, "the client's side of the call had ended before this finish");
  return outcome;
}

/* ---- What a handler may ask --------------------------------------------------------------------------------------------- */

aimrt_rpc_context_t aimrt_rpc_call_context(aimrt_rpc_call_t call) {
  if (front_guards_forked()) return 0;
  uint64_t word;
  front_server_call *server = find_server(call, &word);
  return server == NULL ? 0 : front_context_show(&server->context);
}

aimrt_rpc_result_t aimrt_rpc_call_retain(aimrt_rpc_call_t call, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  uint64_t word;
  front_server_call *server = find_server(call, &word);
  if (server == NULL) return stale_server(call, error);
  if ((word & FRONT_SERVER_RETAINED) != 0) return AIMRT_RPC_RESULT_OK;
  /* After the finish the client's context and the names of the runtime may go. */
  if (!front_context_own(&server->context)) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for the metadata");
  do {
    if (((word ^ call) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) return stale_server(call, error);
    if ((word & FRONT_SERVER_RETAINED) != 0) return AIMRT_RPC_RESULT_OK;
  } while (!front_word_swap(server->slot, &word, (word | FRONT_SERVER_RETAINED) + FRONT_REF));
  return AIMRT_RPC_RESULT_OK;
}

void front_server_release(uint64_t handle) {
  uint64_t word;
  front_server_call *server = find_server(handle, &word);
  front_thread *thread = front_thread_self();
  if (server == NULL || thread == NULL) return;
  uint64_t wanted;
  do {
    if (((word ^ handle) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_SERVER_RETAINED) == 0) return;
    wanted = word & ~FRONT_SERVER_RETAINED;
    if ((word & FRONT_SERVER_OPEN) == 0) wanted &= ~FRONT_LIVE;
  } while (!front_word_swap(server->slot, &word, wanted));
  front_server_unref(thread, server);
}

uint8_t aimrt_rpc_call_cancelled(aimrt_rpc_call_t call) {
  uint64_t word;
  if (front_guards_forked() || find_server(call, &word) == NULL) return 0;
  if ((word & FRONT_SERVER_CANCELLED) != 0) return 1;
  uint64_t runtime = (word >> FRONT_RUNTIME_SHIFT) & (FRONT_MAX_RUNTIMES - 1);
  return (atomic_load_explicit(&front_cancelled_runtimes, memory_order_acquire) >> runtime & 1) != 0 ? 1 : 0;
}

/* The caller has set CANCELLED and holds a reference, which goes. */
static void tell_cancelled(front_thread *thread, front_server_call *server, uint64_t handle, bool arrived) {
  front_on_cancel on_cancel = take_on_cancel(server);
  if (on_cancel.fn != NULL && !front_guards_exiting()) on_cancel.fn(on_cancel.user_data, handle);
  free_on_cancel(&on_cancel);
  if (arrived)
    push_cancelled(thread, server, handle);
  else
    front_server_unref(thread, server);
}

bool front_server_cancel(front_server_call *server, uint32_t runtime) {
  front_thread *thread = front_thread_self();
  if (thread == NULL) return false;
  uint64_t word = atomic_load_explicit(&server->slot->word, memory_order_acquire);
  do {
    if ((word & FRONT_SERVER_OPEN) == 0 || (word & FRONT_SERVER_CANCELLED) != 0) return false;
    if (((word >> FRONT_RUNTIME_SHIFT) & (FRONT_MAX_RUNTIMES - 1)) != runtime) return false;
  } while (!front_word_swap(server->slot, &word, (word | FRONT_SERVER_CANCELLED) + FRONT_REF));
  tell_cancelled(thread, server, front_word_handle(word, server->index), (word & FRONT_SERVER_ARRIVED) != 0);
  return true;
}

aimrt_rpc_result_t aimrt_rpc_call_on_cancel(aimrt_rpc_call_t call, aimrt_rpc_call_cancelled_fn cancelled, void *user_data,
                                            aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  uint64_t word;
  front_server_call *server = find_server(call, &word);
  front_thread *thread = front_thread_self();
  if (server == NULL || thread == NULL) return stale_server(call, error);
  do {
    if (((word ^ call) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) return stale_server(call, error);
  } while (!front_word_swap(server->slot, &word, word + FRONT_REF));
  front_lock_acquire(&server->cancel_lock);
  front_on_cancel former = server->on_cancel;
  server->on_cancel = cancelled == NULL ? (front_on_cancel){NULL, NULL, NULL}
                                        : (front_on_cancel){cancelled, user_data, user_data_free};
  atomic_store_explicit(&server->used_cancel, true, memory_order_relaxed);
  front_lock_release(&server->cancel_lock);
  free_on_cancel(&former);
  if (cancelled == NULL && user_data_free != NULL) user_data_free(user_data);
  /* A cancel that came before has found nothing to call; one that comes now takes it away from here. */
  word = atomic_load_explicit(&server->slot->word, memory_order_acquire);
  if ((word & FRONT_SERVER_CANCELLED) != 0) {
    front_on_cancel mine = take_on_cancel(server);
    if (mine.fn != NULL) mine.fn(mine.user_data, call);
    free_on_cancel(&mine);
  }
  front_server_unref(thread, server);
  return AIMRT_RPC_RESULT_OK;
}

/* ---- Requests from Go --------------------------------------------------------------------------------------------------- */

static void run_task(void *arg) {
  front_server_call *server = arg;
  front_thread *thread = front_thread_self();
  server->begun = true;
  if (thread != NULL) front_server_run(thread, server);
}

static void drop_task(void *arg) {
  front_server_call *server = arg;
  front_thread *thread = front_thread_self();
  /* Still open and not run: the executor has shut down. When it ran, only the task's own reference goes. */
  if (!server->begun) refuse(server, AIMRT_RPC_CODE_SVR_NOT_READY);
  if (thread != NULL) front_server_unref(thread, server);
}

static bool take_pairs(front_context *context, const front_serve_request *request, const char *texts, const uint32_t *sizes) {
  for (uint32_t i = 0; i < request->pair_count; i++) {
    aimrt_rpc_str_t key = {texts, sizes[2 * i]};
    aimrt_rpc_str_t value = {texts + key.size, sizes[2 * i + 1]};
    if (!front_context_append(context, key, value)) return false;
    texts += key.size + value.size;
  }
  return true;
}

/* Copies the request into the block; gives a code. */
static uint32_t take_request(front_server_call *server, const front_serve_request *request, const char *texts,
                             const uint32_t *pair_sizes, const void *bytes) {
  front_call *call = front_server_block(server);
  const front_types *types = &server->service->types;
  front_context *context = &server->context;
  context->framework = false;
  context->timeout_ns = request->timeout_ns;
  context->deadline_ns = request->timeout_ns == 0 ? FRONT_NEVER : front_add_ns(front_monotonic_ns(), request->timeout_ns);
  server->request = (aimrt_rpc_bytes_t){NULL, 0};
  server->request_message = request->native_request;
  server->response_message = request->native_response;
  aimrt_rpc_str_t name = {texts, request->serialization_size};
  if (!take_pairs(context, request, texts + request->serialization_size, pair_sizes)) return AIMRT_RPC_CODE_SVR_BACKEND_INTERNAL_ERROR;
  server->serialization = *types->serialization;
  if (name.size != 0 && !front_types_accept(types, name, call->serialization_text, &server->serialization))
    return AIMRT_RPC_CODE_SVR_INVALID_DESERIALIZATION_TYPE;
  if (request->native_request != NULL) return AIMRT_RPC_CODE_OK;
  if (types->request == NULL) {
    if (!front_bytes_assign(&server->request_bytes, bytes, request->size)) return AIMRT_RPC_CODE_SVR_BACKEND_INTERNAL_ERROR;
    if (request->size != 0) server->request = (aimrt_rpc_bytes_t){server->request_bytes.data, request->size};
    return AIMRT_RPC_CODE_OK;
  }
  if (!front_server_make_messages(server)) return AIMRT_RPC_CODE_SVR_BACKEND_INTERNAL_ERROR;
  return front_decode(types->request, server->serialization, bytes, request->size, server->request_message)
             ? AIMRT_RPC_CODE_OK
             : AIMRT_RPC_CODE_SVR_DESERIALIZATION_FAILED;
}

/* Hands the handler to another thread; gives the code for a task that nobody takes. */
static uint32_t post_handler(front_server_call *server, uint64_t executor) {
  front_executor_lease lease;
  if (!front_executor_lend(executor, &lease)) return AIMRT_RPC_CODE_SVR_NOT_READY;
  (void)atomic_fetch_add_explicit(&server->slot->word, FRONT_REF, memory_order_relaxed);
  aimrt_rpc_result_t posted =
      front_executor_post(lease.executor, (front_executor_task){.run = run_task, .destroy = drop_task, .arg = server});
  front_executor_return(&lease);
  if (posted == AIMRT_RPC_RESULT_OK) return AIMRT_RPC_CODE_OK;
  front_thread *thread = front_thread_self();
  if (thread != NULL) front_server_unref(thread, server);
  return posted == AIMRT_RPC_RESULT_INVALID_STATE ? AIMRT_RPC_CODE_SVR_NOT_READY : AIMRT_RPC_CODE_RESOURCE_EXHAUSTED;
}

front_server_call *front_serve(front_service *service, const front_serve_request *request, const char *texts,
                               const uint32_t *pair_sizes, const void *bytes) {
  front_thread *thread = front_thread_self();
  front_runtime *runtime = service->module->runtime;
  /* The server side is all there is of this block: one reference of the client side stands for it. */
  front_call *call = thread == NULL ? NULL : front_call_take(thread, runtime->index, FRONT_REF);
  if (call == NULL) return NULL;
  front_server_call *server = &call->server;
  call->kind = FRONT_ENTRY_ENGINE;
  call->ended_inline = false;
  server->service = service;
  server->queue = service->queue;
  server->arrived.tag = service->tag;
  server->runtime = runtime->index;
  server->engine_token = request->engine_token;
  server->begun = false;
  /* Handler, Go, and this function. */
  if (!front_server_open(server, FRONT_LIVE | FRONT_SERVER_OPEN | 3 * FRONT_REF | ((uint64_t)runtime->index << FRONT_RUNTIME_SHIFT))) {
    front_call_unref(thread, call, 1);
    return NULL;
  }
  front_count_started(thread, runtime->index);
  uint32_t code = take_request(server, request, texts, pair_sizes, bytes);
  uint64_t executor = atomic_load_explicit(&service->executor, memory_order_relaxed);
  if (executor == 0) executor = atomic_load_explicit(&runtime->pool, memory_order_relaxed);
  bool here = service->queue != 0 || (service->flags & AIMRT_RPC_SERVICE_NON_BLOCKING) != 0 ||
              (request->flags & FRONT_SERVE_INLINE) != 0;
  if (code == AIMRT_RPC_CODE_OK && here)
    front_server_run(thread, server);
  else if (code == AIMRT_RPC_CODE_OK)
    code = post_handler(server, executor);
  if (code != AIMRT_RPC_CODE_OK) refuse(server, code);
  front_server_unref(thread, server);
  return server;
}

void front_serve_cancel(front_server_call *call) { (void)front_server_cancel(call, call->runtime); }

void front_serve_release(front_server_call *call) {
  front_thread *thread = front_thread_self();
  if (thread != NULL) front_server_unref(thread, call);
}
