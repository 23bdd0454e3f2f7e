/*
 * foreign.c - contexts and closures of modules that were written for AimRT, on the call path.
 *
 * A server context of ours is shown through AimRT's table of functions. A client context of theirs has no room for what the framework
 * virtually keeps: it is read once when a call starts, into a context of ours that the call owns, and the framework's keys are written
 * through its functions at the same moment. From then on it is not touched.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

_Static_assert(sizeof(aimrt_rpc_pair_t) == 2 * sizeof(aimrt_string_view_t) && sizeof(aimrt_rpc_str_t) == sizeof(aimrt_string_view_t),
               "a list of pairs is also AimRT's flat list of keys and values");

static aimrt_rpc_str_t from_view(aimrt_string_view_t view) { return (aimrt_rpc_str_t){view.str, view.len}; }
static aimrt_string_view_t to_view(aimrt_rpc_str_t text) { return (aimrt_string_view_t){text.data, text.size}; }

/* ---- Server contexts, as their services see them ------------------------------------------------------------------------ */

static bool server_check_used(void *impl) {
  (void)impl;
  return false; /* the word has no meaning on this side */
}

static void server_set_used(void *impl) { (void)impl; }

static aimrt_rpc_context_type_t server_get_type(void *impl) {
  (void)impl;
  return AIMRT_RPC_SERVER_CONTEXT;
}

static uint64_t server_get_timeout_ns(void *impl) { return ((const front_context *)impl)->timeout_ns; }

static void server_set_timeout_ns(void *impl, uint64_t timeout) { ((front_context *)impl)->timeout_ns = timeout; }

static aimrt_string_view_t server_get_meta_val(void *impl, aimrt_string_view_t key) {
  if (!front_view_ok(key.str, key.len)) return (aimrt_string_view_t){NULL, 0};
  return to_view(front_context_value(impl, from_view(key)));
}

static void server_set_meta_val(void *impl, aimrt_string_view_t key, aimrt_string_view_t val) {
  (void)front_context_change(impl, from_view(key), from_view(val), true, NULL);
}

static aimrt_string_view_array_t server_get_meta_key_vals(void *impl) {
  size_t count;
  const aimrt_rpc_pair_t *pairs = front_context_views(impl, &count);
  if (pairs == NULL || count == 0) return (aimrt_string_view_array_t){NULL, 0};
  return (aimrt_string_view_array_t){(const aimrt_string_view_t *)(const void *)pairs, 2 * count};
}

static aimrt_string_view_array_t server_get_meta_keys(void *impl) {
  aimrt_string_view_array_t all = server_get_meta_key_vals(impl);
  front_context *context = impl;
  aimrt_string_view_t *keys = (aimrt_string_view_t *)(void *)context->views;
  for (size_t i = 0; i < all.len / 2; i++) keys[i] = keys[2 * i]; /* the list is scratch memory: it may become the shorter one */
  return (aimrt_string_view_array_t){all.str_array, all.len / 2};
}

const aimrt_rpc_context_base_ops_t front_foreign_ops = {
    .check_used = server_check_used,
    .set_used = server_set_used,
    .get_type = server_get_type,
    .get_timeout_ns = server_get_timeout_ns,
    .set_timeout_ns = server_set_timeout_ns,
    .get_meta_val = server_get_meta_val,
    .set_meta_val = server_set_meta_val,
    .get_meta_keys = server_get_meta_keys,
    .get_meta_key_vals = server_get_meta_key_vals,
};

/* ---- Client contexts of theirs ------------------------------------------------------------------------------------------ */

/* A context of the call's own, with what theirs holds. */
static uint32_t copy_foreign(front_thread *thread, front_call *call, aimrt_string_view_array_t all, uint64_t timeout_ns) {
  front_context *context = front_context_take(thread);
  if (context == NULL) return AIMRT_RPC_CODE_RESOURCE_EXHAUSTED;
  /* No handle names it, so the call's end gives it back. */
  uint64_t word = atomic_load_explicit(&context->slot->word, memory_order_relaxed);
  atomic_store_explicit(&context->slot->word, (word & ~FRONT_STATE_MASK) | FRONT_CONTEXT_USED | FRONT_CONTEXT_BUSY, memory_order_relaxed);
  context->kind = AIMRT_RPC_CONTEXT_KIND_CLIENT;
  front_context_clear(context);
  context->timeout_ns = timeout_ns;
  call->context = context;
  if (all.len != 0 && !front_context_load(context, (const aimrt_rpc_pair_t *)(const void *)all.str_array, all.len / 2))
    return AIMRT_RPC_CODE_CLI_INVALID_CONTEXT;
  return AIMRT_RPC_CODE_OK;
}

uint32_t front_foreign_use(front_thread *thread, front_call *call, const aimrt_rpc_context_base_t *foreign) {
  if (foreign == NULL || foreign->ops == NULL) return AIMRT_RPC_CODE_CLI_INVALID_CONTEXT;
  const aimrt_rpc_context_base_ops_t *ops = foreign->ops;
  void *impl = foreign->impl;
  if (ops->get_type(impl) != AIMRT_RPC_CLIENT_CONTEXT || ops->check_used(impl)) return AIMRT_RPC_CODE_CLI_INVALID_CONTEXT;
  ops->set_used(impl);
  aimrt_string_view_array_t all = ops->get_meta_key_vals(impl);
  uint64_t timeout_ns = ops->get_timeout_ns(impl);
  const aimrt_rpc_str_t address = FRONT_STR(AIMRT_RPC_CONTEXT_KEY_TO_ADDR);
  const aimrt_rpc_str_t serialization = FRONT_STR(AIMRT_RPC_CONTEXT_KEY_SERIALIZATION_TYPE);
  bool copy = call->kind != FRONT_ENTRY_DIRECT;
  for (size_t i = 0; i + 1 < all.len; i += 2) {
    aimrt_rpc_str_t key = from_view(all.str_array[i]);
    if (front_str_equal(key, serialization)) call->foreign_serialization = from_view(all.str_array[i + 1]);
    if (front_str_equal(key, address) && all.str_array[i + 1].len != 0) copy = true; /* leaves the direct path */
  }
  if (copy) {
    uint32_t code = copy_foreign(thread, call, all, timeout_ns);
    if (code != AIMRT_RPC_CODE_OK) return code;
  } else if (timeout_ns != 0) {
    call->timeout_ns = timeout_ns;
  }
  call->foreign = foreign;
  return AIMRT_RPC_CODE_OK;
}

static aimrt_string_view_t decimal(uint64_t number, char room[20]) {
  size_t first = 20;
  do {
    room[--first] = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return (aimrt_string_view_t){room + first, 20 - first};
}

void front_foreign_tell(front_call *call) {
  const aimrt_rpc_context_base_ops_t *ops = call->foreign->ops;
  void *impl = call->foreign->impl;
  char room[20];
  const aimrt_rpc_str_t *backend = call->context != NULL ? call->context->backend : call->backend;
  bool asked = call->foreign_serialization.size != 0; /* the view is not good any more after the first change */
  ops->set_meta_val(impl, to_view(FRONT_STR(AIMRT_RPC_CONTEXT_KEY_REQUEST_ID)), decimal(call->request_id, room));
  if (!asked) ops->set_meta_val(impl, to_view(FRONT_STR(AIMRT_RPC_CONTEXT_KEY_SERIALIZATION_TYPE)), to_view(call->serialization));
  if (backend != NULL && backend->size != 0)
    ops->set_meta_val(impl, to_view(FRONT_STR(AIMRT_RPC_CONTEXT_KEY_BACKEND)), to_view(*backend));
  if (call->timeout_ns != 0) ops->set_timeout_ns(impl, call->timeout_ns);
}

/* ---- Closures ----------------------------------------------------------------------------------------------------------- */

/* Every table of a closure has the relocator and the destroyer at these places. */
typedef aimrt_function_executor_task_ops_t closure_ops;

void front_function_take(aimrt_function_base_t *to, aimrt_function_base_t *from) {
  to->ops = NULL;
  if (from == NULL || from->ops == NULL) return;
  const closure_ops *ops = from->ops;
  from->ops = NULL;
  ops->relocator(from->object_buf, to->object_buf);
  to->ops = ops;
}

void front_function_drop(aimrt_function_base_t *function) {
  const closure_ops *ops = function->ops;
  if (ops == NULL) return;
  function->ops = NULL;
  ops->destroyer(function->object_buf);
}
