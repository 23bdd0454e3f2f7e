/*
 * call.c - client calls as aimrt_rpc.h and the CPython bridge start, wait for, cancel and release them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdio.h>

/* What all ways of starting a call have in common. */
typedef struct start {
  const aimrt_rpc_call_options_t *options;
  const front_raw_call *raw; /* lock hooks, NULL = none */
  uint32_t delivery;
  bool handle;   /* the caller gets one */
  bool blocking; /* and waits at once */
  bool compat;   /* the next two count */
  const aimrt_rpc_context_base_t *foreign; /* the module's own context */
  aimrt_function_base_t *callback;         /* taken over when the call starts */
} start;

/* ---- Starting ----------------------------------------------------------------------------------------------------------- */

/* Takes a block and everything the entry of the method says, in one read section. The references are the starter's, the one of the
 * side that ends the call, the user's handle and the queue's event. */
static front_call *take_call(front_thread *thread, aimrt_rpc_method_t handle, const start *s, uint32_t *code_out,
                             aimrt_rpc_result_t *result) {
  uint64_t state = 2 * FRONT_REF;
  if (s->handle) state += FRONT_REF | FRONT_LIVE;
  if (s->delivery == FRONT_DELIVER_QUEUE) state += FRONT_REF;
  front_read_begin(thread);
  front_method *method = front_object_find(AIMRT_RPC_KIND_METHOD, handle);
  if (FRONT_UNLIKELY(method == NULL)) {
    front_read_end(thread);
    *result = AIMRT_RPC_RESULT_INVALID_HANDLE;
    return NULL;
  }
  uint32_t runtime = method->module->runtime->index;
  front_call *call = front_call_take(thread, runtime, state);
  if (FRONT_UNLIKELY(call == NULL)) {
    front_read_end(thread);
    *result = AIMRT_RPC_RESULT_LIMIT;
    return NULL;
  }
  const front_entry *entry = atomic_load_explicit(&method->entry, memory_order_acquire);
  call->method = method;
  call->kind = entry->kind;
  call->flags = entry->flags;
  call->engine_id = entry->engine_id;
  call->timeout_executor = entry->timeout_executor;
  call->timeout_ns = entry->default_timeout_ns;
  call->backend = entry->backend;
  call->server.service = entry->service;
  call->detail_count = 0;
  call->trace = (aimrt_rpc_str_t){NULL, 0};
  *code_out = entry->code;
  if (FRONT_UNLIKELY(entry->kind == FRONT_ENTRY_REFUSE))
    front_call_set_result(call, &(front_result){.code = entry->code, .message = entry->text});
  front_count_started(thread, runtime);
  front_read_end(thread);
  const aimrt_rpc_call_options_t *options = s->options;
  call->context = NULL;
  call->delivery = s->delivery;
  call->request_message = options->request.message;
  call->response_message = options->response;
  call->ended_inline = false;
  call->has_handle = s->handle;
  call->timed = false;
  call->inline_refs = 0;
  call->done = options->done;
  call->user_data = options->user_data;
  call->foreign = NULL;
  call->foreign_serialization = (aimrt_rpc_str_t){NULL, 0};
  call->queue = options->queue;
  call->tag = options->tag;
  call->request_id = 0;
  call->response = (aimrt_rpc_bytes_t){NULL, 0};
  call->response_serialization = (aimrt_rpc_str_t){NULL, 0};
  call->native_dialect = (aimrt_rpc_str_t){NULL, 0};
  call->native_code = (aimrt_rpc_str_t){NULL, 0};
  call->peer = (aimrt_rpc_str_t){NULL, 0};
  front_once_event_init(&call->ended);
  call->started_handle = s->handle ? front_call_handle(call) : 0;
  return call;
}

/* The call never was: nothing is delivered. */
static void discard(front_thread *thread, front_call *call) {
  uint32_t refs = 2 + (call->has_handle ? 1u : 0u) + (call->delivery == FRONT_DELIVER_QUEUE ? 1u : 0u);
  (void)atomic_fetch_and_explicit(&call->slot->word, ~FRONT_LIVE, memory_order_acq_rel);
  front_count_finished(thread, call->runtime);
  front_call_unref(thread, call, refs);
}

static aimrt_rpc_result_t check_messages(const front_call *call, const start *s, aimrt_rpc_error_t *error) {
  const front_method *method = call->method;
  const aimrt_rpc_payload_t *request = &s->options->request;
  bool native = method->types.request != NULL;
  if (FRONT_UNLIKELY(native != (request->message != NULL) || native != (s->options->response != NULL)))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT,
                      native ? "\"%.*s\" has type support: request.message and response must be given"
                             : "\"%.*s\" is raw: request.message and response must be NULL",
                      (int)method->name.size, method->name.data);
  if (FRONT_UNLIKELY(!front_view_ok(request->bytes.data, request->bytes.size) ||
                     !front_view_ok(request->serialization.data, request->serialization.size)))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "a view of the request is NULL with a size");
  return AIMRT_RPC_RESULT_OK;
}

/* Gives a code: 0 when the context is the call's now. *result tells of a stale handle. */
static uint32_t use_context(front_call *call, aimrt_rpc_context_t handle, aimrt_rpc_result_t *result) {
  uint64_t word;
  front_slot *slot = front_slot_find(AIMRT_RPC_KIND_CONTEXT, handle, &word);
  if (slot == NULL) {
    *result = AIMRT_RPC_RESULT_INVALID_HANDLE;
    return 0;
  }
  front_context *context = atomic_load_explicit(&slot->object, memory_order_relaxed);
  if (context->kind != AIMRT_RPC_CONTEXT_KIND_CLIENT) return AIMRT_RPC_CODE_CLI_INVALID_CONTEXT;
  do {
    if (((word ^ handle) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) {
      *result = AIMRT_RPC_RESULT_INVALID_HANDLE;
      return 0;
    }
    if ((word & (FRONT_CONTEXT_USED | FRONT_CONTEXT_BUSY)) != 0) return AIMRT_RPC_CODE_CLI_INVALID_CONTEXT;
  } while (!front_word_swap(slot, &word, word | FRONT_CONTEXT_USED | FRONT_CONTEXT_BUSY));
  call->context = context;
  return 0;
}

/* Request id, serialization, timeout; gives a code. *wanted_out is the serialization asked for. */
static uint32_t complete_request(front_call *call, const start *s, aimrt_rpc_str_t *wanted_out) {
  const front_types *types = &call->method->types;
  front_context *context = call->context;
  call->request_id = atomic_fetch_add_explicit(&call->method->counter->calls, 1, memory_order_relaxed) + 1;
  aimrt_rpc_str_t wanted = s->options->request.serialization;
  if (wanted.size == 0 && context != NULL && context->has_serialization)
    wanted = front_context_value(context, FRONT_STR("aimrt-serialization_type"));
  else if (call->foreign_serialization.size != 0)
    wanted = call->foreign_serialization;
  *wanted_out = wanted;
  bool accepted = true;
  if (FRONT_LIKELY(wanted.size == 0))
    call->serialization = *types->serialization;
  else
    accepted = front_types_accept(types, wanted, call->serialization_text, &call->serialization);
  if (!accepted) {
    call->serialization = *types->serialization;
    if (wanted.size <= FRONT_MAX_SERIALIZATION_BYTES) { /* contexts go on showing what the caller asked for */
      memcpy(call->serialization_text, wanted.data, wanted.size);
      call->serialization = (aimrt_rpc_str_t){call->serialization_text, wanted.size};
    }
  }
  /* Native messages of a direct call are never serialized: there an unknown name is no failure. */
  if (call->kind == FRONT_ENTRY_DIRECT && types->request != NULL) accepted = true;
  if (context == NULL) {
    if (call->foreign != NULL) front_foreign_tell(call);
    return accepted ? 0 : AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE;
  }
  if (context->timeout_ns != 0)
    call->timeout_ns = context->timeout_ns;
  else
    context->timeout_ns = call->timeout_ns;
  context->framework = true;
  context->request_id = call->request_id;
  context->backend = call->backend->size == 0 ? NULL : call->backend;
  context->serialization = call->serialization;
  if (FRONT_UNLIKELY(call->serialization.data == call->serialization_text)) {
    memcpy(context->serialization_text, call->serialization_text, call->serialization.size);
    context->serialization.data = context->serialization_text;
  }
  if (FRONT_UNLIKELY(context->has_to_addr) && call->engine_id != 0) {
    call->kind = FRONT_ENTRY_ENGINE;
    context->backend = NULL;
  }
  if (call->foreign != NULL) front_foreign_tell(call);
  return accepted ? 0 : AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE;
}

/* Ends a call that asks for a serialization its method does not have. */
static void end_unsupported(front_thread *thread, front_call *call, aimrt_rpc_str_t wanted) {
  const aimrt_rpc_str_t method = call->method->name;
  char text[FRONT_MAX_NAME_BYTES + FRONT_MAX_SERIALIZATION_BYTES + 64];
  size_t shown = wanted.size;
  if (shown > FRONT_MAX_SERIALIZATION_BYTES) {
    shown = FRONT_MAX_SERIALIZATION_BYTES;
    while (shown > 0 && ((unsigned char)wanted.data[shown] & 0xC0u) == 0x80u) shown--; /* not inside a character */
  }
  (void)snprintf(text, sizeof text, "\"%.*s\" does not support serialization \"%.*s\"", (int)method.size, method.data, (int)shown,
                 wanted.data);
  front_call_end(thread, call, AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE, text);
}

/* A blocking call whose handler only this thread could fetch from its queue. */
static bool would_wait_for_itself(const front_thread *thread, const front_call *call) {
  if (call->kind != FRONT_ENTRY_DIRECT && call->kind != FRONT_ENTRY_LOCAL) return false;
  const front_service *service = call->server.service;
  return FRONT_UNLIKELY(service->queue != 0) && front_queue_owned(service->queue, thread);
}

/* Whether a handler of another owner, or Go, runs inside. */
static bool leaves_lock(const front_call *call, const front_raw_call *raw) {
  if (call->kind != FRONT_ENTRY_DIRECT && call->kind != FRONT_ENTRY_LOCAL) return true;
  const front_service *service = call->server.service;
  if (service->queue != 0) return false;
  return atomic_load_explicit(&service->lock_owner, memory_order_relaxed) != (uintptr_t)raw->lock_owner;
}

static aimrt_rpc_result_t deadlock(const front_service *service, aimrt_rpc_error_t *error) {
  return front_fail(error, AIMRT_RPC_RESULT_DEADLOCK,
                    "\"%.*s\" is delivered to a queue that this thread drains: it would wait for itself",
                    (int)service->name.size, service->name.data);
}

/* On OK the call runs or has ended, and *call_out is valid while the caller holds a reference: its handle's, or, without one, the
 * starter's, which front_call_unref with call->inline_refs + 1 gives back. */
static aimrt_rpc_result_t start_call(front_thread *thread, aimrt_rpc_method_t method, const start *s, front_call **call_out,
                                     aimrt_rpc_error_t *error) {
  aimrt_rpc_result_t result = AIMRT_RPC_RESULT_OK;
  uint32_t refusal = 0;
  front_call *call = take_call(thread, method, s, &refusal, &result);
  if (FRONT_UNLIKELY(call == NULL)) {
    if (result == AIMRT_RPC_RESULT_LIMIT)
      return front_fail(error, result, "%u calls are pending or not released", FRONT_MAX_PENDING_CALLS);
    return front_fail(error, result, "0x%llx is not a live method", (unsigned long long)method);
  }
  result = check_messages(call, s, error);
  if (FRONT_LIKELY(result == AIMRT_RPC_RESULT_OK) && s->blocking && FRONT_UNLIKELY(would_wait_for_itself(thread, call)))
    result = deadlock(call->server.service, error);
  bool refused = call->kind == FRONT_ENTRY_REFUSE;
  bool not_ready = refused && refusal == AIMRT_RPC_CODE_CLI_NOT_READY;
  uint32_t code = 0;
  aimrt_rpc_str_t wanted = {NULL, 0};
  if (FRONT_LIKELY(result == AIMRT_RPC_RESULT_OK) && s->options->context != 0 && !not_ready) {
    code = use_context(call, s->options->context, &result);
    if (result != AIMRT_RPC_RESULT_OK)
      (void)front_fail(error, result, "context 0x%llx is not a live context", (unsigned long long)s->options->context);
  }
  if (FRONT_UNLIKELY(result != AIMRT_RPC_RESULT_OK)) {
    discard(thread, call);
    return result;
  }
  if (s->compat) {
    if (FRONT_LIKELY(!not_ready)) code = front_foreign_use(thread, call, s->foreign);
    front_function_take(&call->function, s->callback);
  }
  if (FRONT_UNLIKELY(code != 0)) refused = false; /* a bad context comes before what the rules say */
  if (FRONT_LIKELY(code == 0 && !not_ready)) {
    code = complete_request(call, s, &wanted);
    refused = call->kind == FRONT_ENTRY_REFUSE;
  }
  *call_out = call;
  if (FRONT_LIKELY(code == 0 && !refused)) {
    bool leave = s->raw != NULL && s->raw->leave != NULL && leaves_lock(call, s->raw);
    if (leave) s->raw->leave(s->raw->hook_data);
    front_dispatch(thread, call, s->options->request.bytes);
    if (leave) s->raw->enter(s->raw->hook_data);
  } else if (refused) {
    front_call_deliver(thread, call);
    front_count_finished(thread, call->runtime);
    front_call_unref(thread, call, 1);
  } else if (code == AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE) {
    end_unsupported(thread, call, wanted);
  } else {
    front_call_end(thread, call, code, NULL);
  }
  return AIMRT_RPC_RESULT_OK;
}

/* Blocks until a call ended. */
static bool wait_for(front_thread *thread, front_call *call, uint64_t deadline_ns) {
  if (front_once_event_is_done(&call->ended)) return true;
  front_run_deferred(thread);
  return front_once_event_wait(&call->ended, deadline_ns);
}

/* ---- Public: start and invoke ------------------------------------------------------------------------------------------- */

static aimrt_rpc_result_t read_options(const aimrt_rpc_call_options_t **options, aimrt_rpc_call_options_t *room,
                                       aimrt_rpc_error_t *error) {
  if (FRONT_UNLIKELY(*options == NULL || (*options)->struct_size != sizeof **options)) {
    aimrt_rpc_call_options_t defaults = AIMRT_RPC_CALL_OPTIONS_INIT;
    *room = defaults;
    aimrt_rpc_result_t result = front_struct_read(room, sizeof *room, *options, "aimrt_rpc_call_options_t", error);
    if (result != AIMRT_RPC_RESULT_OK) return result;
    *options = room;
  }
  if (FRONT_UNLIKELY((*options)->flags != 0))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "aimrt_rpc_call_options_t.flags is 0x%x, expected 0", (*options)->flags);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_call_start(aimrt_rpc_method_t method, const aimrt_rpc_call_options_t *options,
                                        aimrt_rpc_call_t *call_out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (call_out != NULL) *call_out = 0;
  if (FRONT_UNLIKELY(front_guards_forked())) return front_fail_forked(error);
  aimrt_rpc_call_options_t room;
  aimrt_rpc_result_t result = read_options(&options, &room, error);
  if (FRONT_UNLIKELY(result != AIMRT_RPC_RESULT_OK)) return result;
  if (FRONT_UNLIKELY(options->done != NULL && options->queue != 0))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "give either done or a queue, not both");
  if (FRONT_UNLIKELY(call_out == NULL && options->done == NULL && options->queue == 0))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "call_out is NULL without done or queue: nobody would learn the outcome");
  if (options->queue != 0 && front_handle_find(AIMRT_RPC_KIND_QUEUE, options->queue) == NULL)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live queue", (unsigned long long)options->queue);
  front_thread *thread = front_thread_self();
  if (FRONT_UNLIKELY(thread == NULL)) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for the record of this thread");
  start s = {.options = options,
             .delivery = options->done != NULL ? FRONT_DELIVER_CALLBACK
                         : options->queue != 0 ? FRONT_DELIVER_QUEUE
                                               : FRONT_DELIVER_WAIT,
             .handle = call_out != NULL || options->queue != 0};
  front_call *call;
  result = start_call(thread, method, &s, &call, error);
  if (FRONT_UNLIKELY(result != AIMRT_RPC_RESULT_OK)) return result;
  if (call_out != NULL) *call_out = call->started_handle;
  front_call_unref(thread, call, 1 + call->inline_refs);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_call_invoke(aimrt_rpc_method_t method, const aimrt_rpc_call_options_t *options,
                                         aimrt_rpc_code_t *code_out, aimrt_rpc_call_t *call_out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (code_out != NULL) *code_out = 0;
  if (call_out != NULL) *call_out = 0;
  if (FRONT_UNLIKELY(front_guards_forked())) return front_fail_forked(error);
  aimrt_rpc_call_options_t room;
  aimrt_rpc_result_t result = read_options(&options, &room, error);
  if (FRONT_UNLIKELY(result != AIMRT_RPC_RESULT_OK)) return result;
  if (FRONT_UNLIKELY(options->done != NULL || options->queue != 0))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "done and queue must be empty: the outcome is what this function gives");
  if (FRONT_UNLIKELY(code_out == NULL)) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "code_out is NULL");
  front_thread *thread = front_thread_self();
  if (FRONT_UNLIKELY(thread == NULL)) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for the record of this thread");
  start s = {.options = options, .delivery = FRONT_DELIVER_WAIT, .handle = call_out != NULL, .blocking = true};
  front_call *call;
  result = start_call(thread, method, &s, &call, error);
  if (FRONT_UNLIKELY(result != AIMRT_RPC_RESULT_OK)) return result;
  if (FRONT_UNLIKELY(!call->ended_inline)) (void)wait_for(thread, call, FRONT_NEVER);
  *code_out = call->code;
  if (call_out != NULL) *call_out = call->started_handle;
  front_call_unref(thread, call, 1 + call->inline_refs);
  return AIMRT_RPC_RESULT_OK;
}

/* ---- Public: what one does with a call ---------------------------------------------------------------------------------- */

static aimrt_rpc_result_t stale_call(uint64_t handle, aimrt_rpc_error_t *error) {
  if (front_guards_forked()) return front_fail_forked(error);
  return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live client call", (unsigned long long)handle);
}

/* A reference to a live client call, NULL otherwise. */
static front_call *hold(aimrt_rpc_call_t call, front_thread **thread) {
  if (front_guards_forked()) return NULL;
  *thread = front_thread_self();
  return *thread == NULL ? NULL : front_call_ref(call);
}

aimrt_rpc_result_t aimrt_rpc_call_wait(aimrt_rpc_call_t call, uint64_t timeout_ns, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  front_thread *thread;
  front_call *held = hold(call, &thread);
  if (held == NULL) return stale_call(call, error);
  aimrt_rpc_result_t result = AIMRT_RPC_RESULT_OK;
  const front_service *service = held->server.service;
  uint64_t deadline = timeout_ns == FRONT_NEVER ? FRONT_NEVER : front_add_ns(front_monotonic_ns(), timeout_ns);
  if (front_once_event_is_done(&held->ended)) {
    /* nothing to wait for */
  } else if ((held->kind == FRONT_ENTRY_DIRECT || held->kind == FRONT_ENTRY_LOCAL) && service->queue != 0 &&
             front_queue_owned(service->queue, thread) && front_queue_holds(service->queue, &held->server.arrived)) {
    result = deadlock(service, error);
  } else if (!wait_for(thread, held, deadline)) {
    result = front_fail(error, AIMRT_RPC_RESULT_TIMEOUT, "the call has not ended in time");
  }
  front_call_unref(thread, held, 1);
  return result;
}

aimrt_rpc_result_t aimrt_rpc_call_cancel(aimrt_rpc_call_t call, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  front_thread *thread;
  front_call *held = hold(call, &thread);
  if (held == NULL) return stale_call(call, error);
  bool pending = !front_once_event_is_done(&held->ended);
  if (pending && held->kind == FRONT_ENTRY_LOCAL)
    pending = front_call_abort(held, AIMRT_RPC_CODE_CANCELLED);
  else if (pending && held->kind == FRONT_ENTRY_DIRECT)
    (void)front_server_cancel(&held->server, held->runtime);
  else if (pending)
    pending = aimrtgo_engine_cancel((uint64_t)(uintptr_t)held) != 0;
  front_call_unref(thread, held, 1);
  return pending ? AIMRT_RPC_RESULT_OK : front_fail(error, AIMRT_RPC_RESULT_LOST, "the call had ended");
}

aimrt_rpc_result_t aimrt_rpc_call_outcome(aimrt_rpc_call_t call, aimrt_rpc_outcome_t *outcome_out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  uint32_t size = outcome_out == NULL ? 0 : outcome_out->struct_size;
  bool usable = size >= 8 && size <= 65536;
  if (usable) memset((char *)outcome_out + sizeof size, 0, size - sizeof size);
  front_thread *thread;
  front_call *held = hold(call, &thread);
  if (held == NULL) return stale_call(call, error);
  aimrt_rpc_result_t result = AIMRT_RPC_RESULT_OK;
  if (!usable) {
    result = front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "outcome_out is NULL or its struct_size is not set");
  } else if (!front_once_event_is_done(&held->ended)) {
    result = front_fail(error, AIMRT_RPC_RESULT_INVALID_STATE, "the call has not ended");
  } else {
    aimrt_rpc_outcome_t outcome = {.struct_size = size};
    front_call_describe(held, &outcome);
    outcome.struct_size = size;
    memcpy(outcome_out, &outcome, size < sizeof outcome ? size : sizeof outcome);
  }
  front_call_unref(thread, held, 1);
  return result;
}

void aimrt_rpc_call_release(aimrt_rpc_call_t call) {
  if (front_guards_forked()) return;
  if (call >> 56 == AIMRT_RPC_KIND_SERVER_CALL) {
    front_server_release(call);
    return;
  }
  uint64_t word;
  front_slot *slot = front_slot_find(AIMRT_RPC_KIND_CALL, call, &word);
  front_thread *thread = slot == NULL ? NULL : front_thread_self();
  if (thread != NULL) front_call_drop_handle(thread, atomic_load_explicit(&slot->object, memory_order_relaxed), call);
}

/* ---- For the CPython bridge --------------------------------------------------------------------------------------------- */

static aimrt_rpc_call_options_t options_of(const front_raw_call *raw, aimrt_rpc_queue_t queue) {
  return (aimrt_rpc_call_options_t){.context = raw->context,
                                    .request = {raw->request, raw->serialization, NULL},
                                    .queue = queue,
                                    .tag = raw->tag};
}

aimrt_rpc_result_t front_invoke_raw(const front_raw_call *call, front_raw_outcome *out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  memset(out, 0, sizeof *out);
  if (FRONT_UNLIKELY(front_guards_forked())) return front_fail_forked(error);
  front_thread *thread = front_thread_self();
  if (thread == NULL) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for the record of this thread");
  aimrt_rpc_call_options_t options = options_of(call, 0);
  start s = {.options = &options, .raw = call, .delivery = FRONT_DELIVER_WAIT, .blocking = true};
  front_call *started;
  aimrt_rpc_result_t result = start_call(thread, call->method, &s, &started, error);
  if (FRONT_UNLIKELY(result != AIMRT_RPC_RESULT_OK)) return result;
  if (!started->ended_inline && !front_once_event_is_done(&started->ended)) {
    if (call->leave != NULL) call->leave(call->hook_data);
    (void)wait_for(thread, started, FRONT_NEVER);
    if (call->leave != NULL) call->enter(call->hook_data);
  }
  /* One reference is left, for front_call_release. */
  if (started->inline_refs != 0) front_call_unref(thread, started, started->inline_refs);
  *out = (front_raw_outcome){started->code,     started->message, started->trace,        started->response_serialization,
                             started->response, started->details, started->detail_count, started};
  return AIMRT_RPC_RESULT_OK;
}

void front_call_release(front_call *call) {
  front_thread *thread = front_thread_self();
  if (call != NULL && thread != NULL) front_call_unref(thread, call, 1);
}

aimrt_rpc_result_t front_start_raw(const front_raw_call *call, aimrt_rpc_call_t *call_out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  *call_out = 0;
  if (FRONT_UNLIKELY(front_guards_forked())) return front_fail_forked(error);
  if (front_handle_find(AIMRT_RPC_KIND_QUEUE, call->queue) == NULL)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live queue", (unsigned long long)call->queue);
  front_thread *thread = front_thread_self();
  if (thread == NULL) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for the record of this thread");
  aimrt_rpc_call_options_t options = options_of(call, call->queue);
  start s = {.options = &options, .raw = call, .delivery = FRONT_DELIVER_QUEUE, .handle = true};
  front_call *started;
  aimrt_rpc_result_t result = start_call(thread, call->method, &s, &started, error);
  if (FRONT_UNLIKELY(result != AIMRT_RPC_RESULT_OK)) return result;
  *call_out = started->started_handle;
  front_call_unref(thread, started, 1 + started->inline_refs);
  return AIMRT_RPC_RESULT_OK;
}

/* ---- For modules written for AimRT -------------------------------------------------------------------------------------- */

uint32_t front_start_function(aimrt_rpc_method_t method, const aimrt_rpc_context_base_t *context, const void *request,
                              void *response, aimrt_function_base_t *callback) {
  front_thread *thread = front_thread_self();
  if (FRONT_UNLIKELY(thread == NULL)) return AIMRT_RPC_CODE_RESOURCE_EXHAUSTED;
  aimrt_rpc_call_options_t options = {.request = {.message = (void *)(uintptr_t)request}, .response = response};
  start s = {.options = &options, .delivery = FRONT_DELIVER_CALLBACK, .compat = true, .foreign = context, .callback = callback};
  front_call *call;
  switch (start_call(thread, method, &s, &call, NULL)) {
    case AIMRT_RPC_RESULT_OK: break;
    case AIMRT_RPC_RESULT_INVALID_HANDLE: return AIMRT_RPC_CODE_CLI_NOT_READY; /* the runtime has been released */
    case AIMRT_RPC_RESULT_LIMIT: return AIMRT_RPC_CODE_RESOURCE_EXHAUSTED;
    default: return AIMRT_RPC_CODE_INVALID_ARGUMENT; /* a message is NULL */
  }
  front_call_unref(thread, call, 1 + call->inline_refs);
  return AIMRT_RPC_CODE_OK;
}
