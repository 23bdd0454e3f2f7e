/*
 * front.c - entries, dispatch and completion of client calls.
 *
 * An entry says how a call is carried out: refused, direct, local or by the engine. A call takes from it what it needs inside one read
 * section, so that Go can publish another one at any time. Completion order: whoever may end the call claims it, stores the outcome,
 * lets go of the client's context, then delivers; afterwards nothing of the client's is touched.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdlib.h>

#include "executor.h"

/* ---- Entries ------------------------------------------------------------------------------------------------------------ */

static const aimrt_rpc_str_t no_backend = {"", 0};
static const front_entry not_ready = {.kind = FRONT_ENTRY_REFUSE, .code = AIMRT_RPC_CODE_CLI_NOT_READY, .backend = &no_backend};

static void free_entry(const front_entry *entry) {
  if (entry == &not_ready) return;
  free((void *)(uintptr_t)entry->text.data);
  free((void *)(uintptr_t)entry);
}

uint8_t front_method_publish(front_method *method, const front_entry_init *init, const char *texts) {
  bool served = init->kind == FRONT_ENTRY_DIRECT || init->kind == FRONT_ENTRY_LOCAL;
  if (init->kind > FRONT_ENTRY_ENGINE || (served && init->service == NULL)) return 0;
  if (init->kind == FRONT_ENTRY_ENGINE && init->engine_id == 0) return 0;
  front_entry *entry = calloc(1, sizeof *entry);
  if (entry == NULL) return 0;
  entry->kind = init->kind;
  entry->flags = init->flags;
  entry->code = init->code;
  entry->default_timeout_ns = init->default_timeout_ns;
  entry->engine_id = init->engine_id;
  entry->timeout_executor = init->timeout_executor;
  entry->service = init->service;
  entry->backend = init->backend_size == 0 ? &no_backend : front_intern(texts + init->text_size, init->backend_size);
  if (init->text_size != 0) entry->text = front_str_copy(texts, init->text_size);
  if (entry->backend == NULL || (init->text_size != 0 && entry->text.data == NULL)) {
    free_entry(entry);
    return 0;
  }
  const front_entry *old = atomic_exchange_explicit(&method->entry, entry, memory_order_acq_rel);
  if (old == &not_ready) return 1;
  front_read_wait();
  free_entry(old);
  return 1;
}

front_method *front_method_new(front_module *module, uint64_t go_id, const aimrt_rpc_client_options_t *options) {
  front_runtime *runtime = module->runtime;
  front_method *method = calloc(1, sizeof *method);
  if (method == NULL) return NULL;
  method->go_id = go_id;
  method->module = module;
  method->name = front_str_copy(options->name.data, options->name.size);
  atomic_store_explicit(&method->entry, &not_ready, memory_order_relaxed);
  bool good = front_types_init(&method->types, options->request_type, options->response_type, options->serializations,
                               options->serialization_count) &&
              method->name.data != NULL;
  front_lock_acquire(&runtime->lock);
  front_counter *counter = runtime->counters;
  while (good && counter != NULL && !front_str_equal(counter->name, method->name)) counter = counter->next;
  if (good && counter == NULL) {
    counter = aligned_alloc(64, (sizeof *counter + 63) / 64 * 64);
    if (counter != NULL) {
      atomic_init(&counter->calls, 0);
      counter->name = front_str_copy(method->name.data, method->name.size);
      counter->next = runtime->counters;
      runtime->counters = counter;
    }
  }
  method->counter = counter;
  if (good && counter != NULL) method->handle = front_handle_new(AIMRT_RPC_KIND_METHOD, method);
  if (method->handle != 0) {
    method->next = runtime->methods;
    runtime->methods = method;
  }
  front_lock_release(&runtime->lock);
  if (method->handle != 0) return method;
  front_method_free(method);
  return NULL;
}

void front_method_free(front_method *method) {
  free_entry(atomic_load_explicit(&method->entry, memory_order_relaxed));
  front_types_free(&method->types);
  free((void *)(uintptr_t)method->name.data);
  free(method);
}

aimrt_rpc_method_t front_method_handle(const front_method *method) { return method->handle; }

/* ---- References --------------------------------------------------------------------------------------------------------- */

static void recycle(front_thread *thread, front_call *call) {
  front_bytes_trim(&call->text_bytes, FRONT_KEEP_BYTES);
  front_bytes_trim(&call->response_bytes, FRONT_KEEP_BYTES);
  front_bytes_trim(&call->server.request_bytes, FRONT_KEEP_BYTES);
  front_call_give(thread, call);
}

void front_call_unref(front_thread *thread, front_call *call, uint32_t count) {
  uint64_t word = atomic_load_explicit(&call->slot->word, memory_order_acquire);
  /* The last references of a call that no handle names: nobody can add another, so the word may stay as it is. */
  if (front_word_refs(word) != count || (word & (FRONT_LIVE | FRONT_CALL_PENDING)) != 0)
    word = atomic_fetch_sub_explicit(&call->slot->word, count * FRONT_REF, memory_order_acq_rel);
  if (front_word_refs(word) == count) recycle(thread, call);
}

front_call *front_call_ref(uint64_t handle) {
  uint64_t word;
  front_slot *slot = front_slot_find(AIMRT_RPC_KIND_CALL, handle, &word);
  if (slot == NULL) return NULL;
  while (!front_word_swap(slot, &word, word + FRONT_REF))
    if (((word ^ handle) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) return NULL;
  return atomic_load_explicit(&slot->object, memory_order_relaxed);
}

void front_call_drop_handle(front_thread *thread, front_call *call, uint64_t handle) {
  uint64_t word = atomic_load_explicit(&call->slot->word, memory_order_acquire);
  do {
    if (((word ^ handle) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) return;
  } while (!front_word_swap(call->slot, &word, (word & ~FRONT_LIVE) - FRONT_REF));
  if (front_word_refs(word) == 1) recycle(thread, call);
}

/* ---- Completion --------------------------------------------------------------------------------------------------------- */

bool front_call_claim(front_call *call) {
  uint64_t was = atomic_fetch_and_explicit(&call->slot->word, ~FRONT_CALL_PENDING, memory_order_acq_rel);
  return (was & FRONT_CALL_PENDING) != 0;
}

static aimrt_rpc_str_t keep_text(front_bytes *to, aimrt_rpc_str_t text) {
  if (text.size == 0) return (aimrt_rpc_str_t){NULL, 0};
  aimrt_rpc_str_t kept = {(const char *)to->data + to->size, text.size};
  memcpy(to->data + to->size, text.data, text.size);
  to->size += text.size;
  return kept;
}

static void set_details(front_call *call, const aimrt_rpc_pair_t *details, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    call->details[i] = (aimrt_rpc_pair_t){keep_text(&call->text_bytes, details[i].key), keep_text(&call->text_bytes, details[i].value)};
  call->detail_count = count;
}

/* Makes room for everything at once, so that views do not move: count details in front, then size bytes of text. */
static bool reserve_texts(front_call *call, uint32_t count, size_t size) {
  call->text_bytes.size = 0;
  if (front_bytes_reserve(&call->text_bytes, count * sizeof *call->details + size) == NULL) return false;
  call->details = (aimrt_rpc_pair_t *)(void *)call->text_bytes.data;
  call->text_bytes.size = count * sizeof *call->details;
  return true;
}

void front_call_set_result(front_call *call, const front_result *result) {
  call->code = result->code;
  if (FRONT_LIKELY(result->code == AIMRT_RPC_CODE_OK))
    call->message = front_ok_text;
  else
    call->message = front_code_text(result->code);
  if (FRONT_LIKELY(result->message.size == 0 && result->trace.size == 0 && result->detail_count == 0)) return;
  size_t size = result->message.size + result->trace.size;
  for (uint32_t i = 0; i < result->detail_count; i++) size += result->details[i].key.size + result->details[i].value.size;
  if (!reserve_texts(call, result->detail_count, size)) return; /* the code says enough */
  if (result->message.size != 0) call->message = keep_text(&call->text_bytes, result->message);
  call->trace = keep_text(&call->text_bytes, result->trace);
  set_details(call, result->details, result->detail_count);
}

void front_call_describe(const front_call *call, aimrt_rpc_outcome_t *outcome) {
  outcome->struct_size = (uint32_t)sizeof *outcome;
  outcome->code = call->code;
  outcome->message = call->message;
  outcome->response.bytes = call->response;
  outcome->response.serialization = call->response_serialization;
  outcome->response.message = call->response_message;
  outcome->trace = call->trace;
  outcome->native_dialect = call->native_dialect;
  outcome->native_code = call->native_code;
  outcome->peer = call->peer;
  outcome->details = call->detail_count == 0 ? NULL : call->details;
  outcome->detail_count = call->detail_count;
}

static void call_back(front_call *call) {
  if (FRONT_UNLIKELY(front_guards_exiting())) return;
  if (call->done == NULL) {
    const aimrt_function_client_callback_ops_t *ops = call->function.ops;
    if (ops == NULL) return;
    ops->invoker(call->function.object_buf, call->code);
    front_function_drop(&call->function);
    return;
  }
  aimrt_rpc_outcome_t outcome;
  front_call_describe(call, &outcome);
  call->done(call->user_data, call->started_handle, &outcome);
}

void front_run_deferred(front_thread *thread) {
  uint32_t depth = thread->depth;
  while (thread->deferred_first != NULL) {
    front_call *call = thread->deferred_first;
    thread->deferred_first = call->next;
    thread->depth = 1;
    call_back(call);
    thread->depth = depth;
    front_call_unref(thread, call, 1);
  }
}

static void defer(front_thread *thread, front_call *call) {
  (void)atomic_fetch_add_explicit(&call->slot->word, FRONT_REF, memory_order_relaxed);
  call->next = NULL;
  if (thread->deferred_first == NULL)
    thread->deferred_first = call;
  else
    thread->deferred_last->next = call;
  thread->deferred_last = call;
}

void front_call_deliver(front_thread *thread, front_call *call) {
  if (call->context != NULL) {
    front_context_unuse(thread, call->context);
    call->context = NULL;
  }
  if (call->has_handle || call->delivery == FRONT_DELIVER_WAIT) {
    if (call->ended_inline && !call->has_handle)
      atomic_store_explicit(&call->ended.state, FRONT_ONCE_DONE, memory_order_relaxed);
    else
      front_once_event_set(&call->ended);
  }
  if (call->delivery == FRONT_DELIVER_CALLBACK) {
    if (FRONT_UNLIKELY(thread->depth >= FRONT_MAX_INLINE_COMPLETIONS)) {
      defer(thread, call);
      return;
    }
    thread->depth++;
    call_back(call);
    thread->depth--;
    if (FRONT_UNLIKELY(thread->deferred_first != NULL) && thread->depth == 0) front_run_deferred(thread);
  } else if (call->delivery == FRONT_DELIVER_QUEUE) {
    call->finished.kind = AIMRT_RPC_EVENT_CALL_FINISHED;
    call->finished.tag = call->tag;
    call->finished.object = call;
    if (front_queue_push(call->queue, &call->finished, call->runtime)) return;
    front_call_drop_handle(thread, call, call->started_handle);
    front_call_unref(thread, call, 1);
  }
}

void front_call_end(front_thread *thread, front_call *call, uint32_t code, const char *text) {
  aimrt_rpc_str_t message = {text, text == NULL ? 0 : strlen(text)};
  front_call_set_result(call, &(front_result){.code = code, .message = message});
  front_call_deliver(thread, call);
  front_count_finished(thread, call->runtime);
  front_call_unref(thread, call, 1);
}

bool front_call_abort(front_call *call, uint32_t code) {
  front_thread *thread = front_thread_self();
  if (thread == NULL || !front_call_claim(call)) return false;
  if (front_timer_disarm(&call->timer)) front_call_unref(thread, call, 1);
  (void)front_server_cancel(&call->server, call->runtime);
  front_call_set_result(call, &(front_result){.code = code});
  front_call_deliver(thread, call);
  return true;
}

/* ---- Dispatch ----------------------------------------------------------------------------------------------------------- */

static void end_late(void *arg) { (void)front_call_abort(arg, AIMRT_RPC_CODE_TIMEOUT); }

/* Gives the timer's reference back. */
static void let_go(void *arg) {
  front_thread *thread = front_thread_self();
  if (thread != NULL) front_call_unref(thread, arg, 1);
}

static void time_is_up(void *arg) {
  front_call *call = arg;
  front_executor_lease lease;
  if (call->timeout_executor != 0 && front_executor_lend(call->timeout_executor, &lease)) {
    aimrt_rpc_result_t posted = front_executor_post(lease.executor, (front_executor_task){end_late, let_go, call});
    front_executor_return(&lease);
    if (posted == AIMRT_RPC_RESULT_OK) return;
  }
  end_late(call);
  let_go(call);
}

/* Runs the handler on this thread; a finish inside leaves its references to the starter. */
static void run_here(front_thread *thread, front_call *call) {
  front_call *outer = thread->dispatching;
  thread->dispatching = call;
  front_server_run(thread, &call->server);
  thread->dispatching = outer;
}

static bool open_server(front_call *call) {
  front_server_call *server = &call->server;
  server->runtime = call->runtime;
  server->engine_token = 0;
  server->queue = server->service->queue;
  server->arrived.tag = server->service->tag;
  server->serialization = call->serialization;
  server->context.framework = true;
  server->context.timeout_ns = call->timeout_ns;
  server->context.deadline_ns = FRONT_NEVER;
  return front_server_open(server, FRONT_LIVE | FRONT_SERVER_OPEN | FRONT_REF | ((uint64_t)call->runtime << FRONT_RUNTIME_SHIFT));
}

static const char out_of_memory[] = "out of memory";

static void dispatch_direct(front_thread *thread, front_call *call, aimrt_rpc_bytes_t request) {
  front_server_call *server = &call->server;
  server->request_message = call->request_message;
  server->response_message = call->response_message;
  server->context.base = call->context;
  server->context.foreign = call->context == NULL ? call->foreign : NULL;
  server->request = (aimrt_rpc_bytes_t){NULL, 0};
  if (call->request_message == NULL) {
    char room[FRONT_MAX_SERIALIZATION_BYTES + 1];
    aimrt_rpc_str_t listed;
    if (FRONT_UNLIKELY(!front_types_accept(&server->service->types, call->serialization, room, &listed))) {
      front_call_end(thread, call, AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED, NULL);
      return;
    }
    if (!front_bytes_assign(&server->request_bytes, request.data, request.size)) {
      front_call_end(thread, call, AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR, out_of_memory);
      return;
    }
    server->request = (aimrt_rpc_bytes_t){request.size == 0 ? NULL : server->request_bytes.data, request.size};
  }
  if (!open_server(call)) {
    front_call_end(thread, call, AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR, out_of_memory);
    return;
  }
  run_here(thread, call);
}

/* What happens between a client and a service that share no types, up to the handler; gives a code. */
static uint32_t pass_request(front_call *call, aimrt_rpc_bytes_t request) {
  front_server_call *server = &call->server;
  const front_types *client = &call->method->types;
  const front_types *service = &server->service->types;
  char room[FRONT_MAX_SERIALIZATION_BYTES + 1];
  aimrt_rpc_str_t listed;
  if (client->request != NULL) {
    if (!front_encode(client->request, call->serialization, call->request_message, &server->request_bytes))
      return AIMRT_RPC_CODE_CLI_SERIALIZATION_FAILED;
  } else if (!front_bytes_assign(&server->request_bytes, request.data, request.size)) {
    return AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR;
  }
  if (!front_types_accept(service, call->serialization, room, &listed)) return AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED;
  size_t size = server->request_bytes.size;
  server->request = (aimrt_rpc_bytes_t){size == 0 ? NULL : server->request_bytes.data, size};
  server->request_message = NULL;
  server->response_message = NULL;
  if (service->request == NULL) return AIMRT_RPC_CODE_OK;
  if (!front_server_make_messages(server)) return AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR;
  if (!front_decode(service->request, call->serialization, server->request.data, size, server->request_message)) {
    front_server_drop_messages(server);
    return AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED;
  }
  return AIMRT_RPC_CODE_OK;
}

static void dispatch_local(front_thread *thread, front_call *call, aimrt_rpc_bytes_t request) {
  front_server_call *server = &call->server;
  uint32_t code = pass_request(call, request);
  server->context.base = NULL;
  if (code == AIMRT_RPC_CODE_OK && !front_context_copy_pairs(&server->context, call->context)) {
    front_server_drop_messages(server);
    code = AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR;
  }
  if (code != AIMRT_RPC_CODE_OK || !open_server(call)) {
    front_call_end(thread, call, code != 0 ? code : AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR, NULL);
    return;
  }
  uint64_t deadline = call->timeout_ns == 0 ? FRONT_NEVER : front_add_ns(front_monotonic_ns(), call->timeout_ns);
  call->timed = deadline != FRONT_NEVER;
  server->context.deadline_ns = deadline;
  if (call->context != NULL) call->context->deadline_ns = deadline;
  /* Nobody else changes the word yet: the handle is not given out and PENDING was not set. */
  uint64_t word = atomic_load_explicit(&call->slot->word, memory_order_relaxed);
  atomic_store_explicit(&call->slot->word, (word | FRONT_CALL_PENDING) + (call->timed ? FRONT_REF : 0), memory_order_release);
  if (call->timed && !front_timer_arm(&call->timer, deadline, time_is_up, call)) {
    call->timed = false;
    front_call_unref(thread, call, 1);
  }
  run_here(thread, call);
}

static void dispatch_engine(front_thread *thread, front_call *call, aimrt_rpc_bytes_t request) {
  const front_types *types = &call->method->types;
  front_context *context = call->context;
  front_engine_request go = {.call = (uint64_t)(uintptr_t)call,
                             .engine_id = call->engine_id,
                             .method = call->method->go_id,
                             .runtime = call->method->module->runtime->go_id,
                             .timeout_ns = call->timeout_ns,
                             .request_id = call->request_id,
                             .serialization = call->serialization,
                             .bytes = request};
  if (types->request != NULL && (call->flags & FRONT_ENTRY_NATIVE) != 0) {
    go.native_request = call->request_message;
    go.native_response = call->response_message;
  } else if (types->request != NULL) {
    if (!front_encode(types->request, call->serialization, call->request_message, &call->server.request_bytes)) {
      front_call_end(thread, call, AIMRT_RPC_CODE_CLI_SERIALIZATION_FAILED, NULL);
      return;
    }
    go.bytes = (aimrt_rpc_bytes_t){call->server.request_bytes.data, call->server.request_bytes.size};
  }
  if (context != NULL) {
    if (call->timeout_ns != 0) context->deadline_ns = front_add_ns(front_monotonic_ns(), call->timeout_ns);
    go.pairs = front_context_user_pairs(context, &go.pair_count);
    if (go.pairs == NULL) {
      front_call_end(thread, call, AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR, out_of_memory);
      return;
    }
    if (context->has_to_addr)
      for (size_t i = 0; i < go.pair_count; i++)
        if (front_str_equal(go.pairs[i].key, FRONT_STR("aimrt-to_addr"))) go.to_addr = go.pairs[i].value;
  }
  aimrtgo_engine_start(&go);
}

void front_dispatch(front_thread *thread, front_call *call, aimrt_rpc_bytes_t request) {
  switch (call->kind) {
    case FRONT_ENTRY_DIRECT: dispatch_direct(thread, call, request); break;
    case FRONT_ENTRY_LOCAL: dispatch_local(thread, call, request); break;
    default: dispatch_engine(thread, call, request); break;
  }
}

/* ---- What Go says about an engine call ---------------------------------------------------------------------------------- */

uint32_t front_call_encode(uint64_t call, const char *serialization, size_t serialization_size, aimrt_rpc_bytes_t *bytes_out) {
  front_call *found = (front_call *)(uintptr_t)call;
  const aimrt_rpc_type_support_t *type = found->method->types.request;
  aimrt_rpc_str_t name = {serialization, serialization_size};
  *bytes_out = (aimrt_rpc_bytes_t){NULL, 0};
  if (type == NULL || !front_type_lists(type, name)) return AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE;
  if (!front_encode(type, name, found->request_message, &found->server.request_bytes))
    return AIMRT_RPC_CODE_CLI_SERIALIZATION_FAILED;
  *bytes_out = (aimrt_rpc_bytes_t){found->server.request_bytes.data, found->server.request_bytes.size};
  return AIMRT_RPC_CODE_OK;
}

/* Takes the next text of the block that Go sent. */
static aimrt_rpc_str_t next_text(front_bytes *to, const char **texts, size_t size) {
  aimrt_rpc_str_t text = {*texts, size};
  if (size == 0) return (aimrt_rpc_str_t){NULL, 0};
  *texts += size;
  return keep_text(to, text);
}

static void take_outcome(front_call *call, const front_engine_outcome *outcome, const char *texts, const uint32_t *detail_sizes) {
  call->code = outcome->code;
  call->message = front_code_text(outcome->code);
  size_t size = (size_t)outcome->message_size + outcome->trace_size + outcome->native_dialect_size + outcome->native_code_size +
                outcome->peer_size + outcome->serialization_size;
  for (uint32_t i = 0; i < 2 * outcome->detail_count; i++) size += detail_sizes[i];
  aimrt_rpc_str_t backend = {NULL, outcome->backend_size};
  if ((size != 0 || outcome->detail_count != 0) && reserve_texts(call, outcome->detail_count, size)) {
    front_bytes *to = &call->text_bytes;
    if (outcome->message_size != 0) call->message = next_text(to, &texts, outcome->message_size);
    call->trace = next_text(to, &texts, outcome->trace_size);
    call->native_dialect = next_text(to, &texts, outcome->native_dialect_size);
    call->native_code = next_text(to, &texts, outcome->native_code_size);
    call->peer = next_text(to, &texts, outcome->peer_size);
    backend.data = texts;
    texts += outcome->backend_size;
    if (outcome->serialization_size != 0) call->response_serialization = next_text(to, &texts, outcome->serialization_size);
    for (uint32_t i = 0; i < outcome->detail_count; i++) {
      call->details[i].key = next_text(to, &texts, detail_sizes[2 * i]);
      call->details[i].value = next_text(to, &texts, detail_sizes[2 * i + 1]);
    }
    call->detail_count = outcome->detail_count;
  } else if (backend.size != 0) {
    backend.data = texts; /* the only text */
  }
  if (call->context == NULL) return;
  if ((outcome->flags & FRONT_OUTCOME_NO_BACKEND) != 0) call->context->backend = NULL;
  if (backend.size != 0 && backend.data != NULL && (call->backend == NULL || !front_str_equal(*call->backend, backend)) &&
      (outcome->flags & FRONT_OUTCOME_NO_BACKEND) == 0)
    call->context->backend = front_intern(backend.data, backend.size);
}

void front_engine_complete(uint64_t call, const front_engine_outcome *outcome, const char *texts, const uint32_t *detail_sizes,
                           const void *bytes, size_t size) {
  front_call *found = (front_call *)(uintptr_t)call;
  front_thread *thread = front_thread_self();
  if (thread == NULL) return; /* no memory for the record of a thread: the call stays open, as it must not end half-way */
  found->response_serialization = found->serialization;
  take_outcome(found, outcome, texts, detail_sizes);
  const aimrt_rpc_type_support_t *type = found->method->types.response;
  if ((outcome->flags & FRONT_OUTCOME_RESPONSE) != 0) {
    bool good = type != NULL ? front_decode(type, found->response_serialization, bytes, size, found->response_message)
                             : front_bytes_assign(&found->response_bytes, bytes, size);
    if (!good && found->code == AIMRT_RPC_CODE_OK) {
      found->code = AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED;
      found->message = front_code_text(found->code);
    }
    if (good && type == NULL && size != 0) found->response = (aimrt_rpc_bytes_t){found->response_bytes.data, size};
  }
  front_call_deliver(thread, found);
  front_count_finished(thread, found->runtime);
  front_call_unref(thread, found, 1);
}
