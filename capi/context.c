/*
 * context.c - contexts of calls: timeout and metadata.
 *
 * The keys that the framework writes (request id, backend, serialization, function name, ...) are not stored: their text is made when
 * somebody reads them. The server context of a direct call shows the client's pairs without copying them. The first write turns both
 * into pairs of the context's own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdlib.h>

#define MAX_KEY_BYTES 65535u
#define COMPACT_BYTES 4096u

typedef enum framework_key {
  KEY_REQUEST_ID,
  KEY_SERIALIZATION,
  KEY_BACKEND,
  KEY_FUNCTION,
  KEY_RESPONSE_ID,
  KEY_FROM_PACKAGE,
  KEY_FROM_MODULE,
  KEY_COUNT
} framework_key;

static const aimrt_rpc_str_t framework_keys[KEY_COUNT] = {
    {"aimrt-request_id", 16},  {"aimrt-serialization_type", 24}, {"aimrt-backend", 13},     {"aimrt-function_name", 19},
    {"aimrt-response_id", 17}, {"aimrt-from_pkg", 14},           {"aimrt-from_module", 17},
};
static const aimrt_rpc_str_t key_to_addr = {"aimrt-to_addr", 13};

static bool has_reserved_prefix(aimrt_rpc_str_t key) { return key.size > 6 && memcmp(key.data, "aimrt-", 6) == 0; }

/* ---- Pairs -------------------------------------------------------------------------------------------------------------- */

static aimrt_rpc_str_t pair_key(const front_context *context, uint32_t i) {
  return (aimrt_rpc_str_t){(const char *)context->text.data + context->pairs[i].key, context->pairs[i].key_size};
}
static aimrt_rpc_str_t pair_value(const front_context *context, uint32_t i) {
  return (aimrt_rpc_str_t){(const char *)context->text.data + context->pairs[i].value, context->pairs[i].value_size};
}

/* The first pair from `from` on with this key, or pair_count. */
static uint32_t find_pair(const front_context *context, aimrt_rpc_str_t key, uint32_t from) {
  uint32_t i = from;
  while (i < context->pair_count && !front_str_equal(pair_key(context, i), key)) i++;
  return i;
}

static bool reserve_pair(front_context *context) {
  if (context->pair_count < context->pair_capacity) return true;
  uint32_t capacity = context->pair_capacity == 0 ? 8 : context->pair_capacity * 2;
  front_pair *pairs = realloc(context->pairs, capacity * sizeof *pairs);
  if (pairs == NULL) return false;
  context->pairs = pairs;
  context->pair_capacity = capacity;
  return true;
}

static bool append_text(front_context *context, aimrt_rpc_str_t text, uint32_t *offset_out) {
  uint8_t *place = front_bytes_reserve(&context->text, text.size);
  if (place == NULL) return false;
  if (text.size != 0) memcpy(place, text.data, text.size);
  *offset_out = (uint32_t)context->text.size;
  context->text.size += text.size;
  return true;
}

bool front_context_append(front_context *context, aimrt_rpc_str_t key, aimrt_rpc_str_t value) {
  if (!reserve_pair(context)) return false;
  front_pair *pair = &context->pairs[context->pair_count];
  size_t size = context->text.size;
  if (!append_text(context, key, &pair->key) || !append_text(context, value, &pair->value)) {
    context->text.size = size;
    return false;
  }
  pair->key_size = (uint32_t)key.size;
  pair->value_size = (uint32_t)value.size;
  context->pair_count++;
  return true;
}

/* The two flags spare every call a search. */
static void note_reserved(front_context *context, aimrt_rpc_str_t key) {
  if (!has_reserved_prefix(key)) return;
  uint32_t i = find_pair(context, key, 0);
  bool present = i < context->pair_count && context->pairs[i].value_size != 0;
  if (front_str_equal(key, key_to_addr)) context->has_to_addr = present;
  if (front_str_equal(key, framework_keys[KEY_SERIALIZATION])) context->has_serialization = present;
}

static void remove_pairs(front_context *context, aimrt_rpc_str_t key, uint32_t from) {
  uint32_t kept = from;
  for (uint32_t i = from; i < context->pair_count; i++) {
    if (front_str_equal(pair_key(context, i), key))
      context->garbage += context->pairs[i].key_size + context->pairs[i].value_size;
    else
      context->pairs[kept++] = context->pairs[i];
  }
  context->pair_count = kept;
}

/* Replaces pairs and text by compact copies of the source's; keeps everything else. */
static bool copy_stored(front_context *to, const front_context *from) {
  front_context fresh = {.pairs = NULL};
  for (uint32_t i = 0; i < from->pair_count; i++) {
    if (front_context_append(&fresh, pair_key(from, i), pair_value(from, i))) continue;
    front_context_free_memory(&fresh, 0);
    return false;
  }
  free(to->pairs);
  free(to->text.data);
  to->pairs = fresh.pairs;
  to->pair_count = fresh.pair_count;
  to->pair_capacity = fresh.pair_capacity;
  to->text = fresh.text;
  to->garbage = 0;
  return true;
}

bool front_context_copy_pairs(front_context *to, const front_context *from) {
  to->pair_count = 0;
  to->garbage = 0;
  if (from == NULL || from->pair_count == 0) {
    to->text.size = 0;
    return true;
  }
  if (!front_bytes_assign(&to->text, from->text.data, from->text.size)) return false;
  if (to->pair_capacity < from->pair_count) {
    front_pair *pairs = realloc(to->pairs, from->pair_count * sizeof *pairs);
    if (pairs == NULL) return false;
    to->pairs = pairs;
    to->pair_capacity = from->pair_count;
  }
  memcpy(to->pairs, from->pairs, from->pair_count * sizeof *from->pairs);
  to->pair_count = from->pair_count;
  to->garbage = from->garbage;
  return true;
}

/* ---- What is visible ---------------------------------------------------------------------------------------------------- */

static aimrt_rpc_str_t request_id_text(front_context *context, uint64_t number) {
  char *end = context->request_id_text + sizeof context->request_id_text;
  char *first = end;
  do {
    *--first = (char)('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return (aimrt_rpc_str_t){first, (size_t)(end - first)};
}

/* A value of the framework; false when the context does not show this key. */
static bool framework_value(front_context *context, framework_key key, aimrt_rpc_str_t *value) {
  if (!context->framework) return false;
  const front_server_call *server = context->server;
  if (server == NULL) {
    if (key == KEY_REQUEST_ID) *value = request_id_text(context, context->request_id);
    if (key == KEY_SERIALIZATION) *value = context->serialization;
    if (key == KEY_BACKEND && context->backend != NULL) *value = *context->backend;
    return key == KEY_REQUEST_ID || key == KEY_SERIALIZATION || (key == KEY_BACKEND && context->backend != NULL);
  }
  const front_call *call = front_server_block(context->server);
  switch (key) {
    case KEY_REQUEST_ID:
    case KEY_RESPONSE_ID: *value = request_id_text(context, call->request_id); break;
    case KEY_SERIALIZATION: *value = call->serialization; break;
    case KEY_BACKEND: *value = *call->backend; break;
    case KEY_FUNCTION: *value = server->service->name; break;
    case KEY_FROM_PACKAGE: *value = call->method->module->package; break;
    case KEY_FROM_MODULE: *value = call->method->module->name; break;
    case KEY_COUNT: return false;
  }
  return true;
}

static bool framework_find(front_context *context, aimrt_rpc_str_t key, aimrt_rpc_str_t *value) {
  if (!context->framework || !has_reserved_prefix(key)) return false;
  for (uint32_t i = 0; i < KEY_COUNT; i++)
    if (front_str_equal(key, framework_keys[i])) return framework_value(context, (framework_key)i, value);
  return false;
}

/* Everything visible, one pair at a time: what the user set and the framework does not hide, then the framework's. */
typedef struct walk {
  front_context *context;
  const aimrt_rpc_pair_t *foreign; /* the pairs of a foreign context, or NULL */
  uint32_t pair_count;
  uint32_t next_pair;
  uint32_t next_key;
} walk;

static const front_context *stored_by(const front_context *context) { return context->base != NULL ? context->base : context; }

static walk walk_from(front_context *context) {
  walk w = {context, NULL, stored_by(context)->pair_count, 0, 0};
  if (context->foreign != NULL) {
    aimrt_string_view_array_t all = context->foreign->ops->get_meta_key_vals(context->foreign->impl);
    w.foreign = (const aimrt_rpc_pair_t *)(const void *)all.str_array; /* of the same layout: foreign.c asserts it */
    w.pair_count = w.foreign == NULL ? 0 : (uint32_t)(all.len / 2);
  }
  return w;
}

static bool walk_next(walk *w, aimrt_rpc_pair_t *pair) {
  const front_context *stored = stored_by(w->context);
  while (w->next_pair < w->pair_count) {
    uint32_t i = w->next_pair++;
    aimrt_rpc_str_t hidden;
    pair->key = w->foreign != NULL ? w->foreign[i].key : pair_key(stored, i);
    pair->value = w->foreign != NULL ? w->foreign[i].value : pair_value(stored, i);
    if (!framework_find(w->context, pair->key, &hidden)) return true;
  }
  while (w->next_key < KEY_COUNT) {
    uint32_t key = w->next_key++;
    if (!framework_value(w->context, (framework_key)key, &pair->value)) continue;
    pair->key = framework_keys[key];
    return true;
  }
  return false;
}

aimrt_rpc_str_t front_context_value(front_context *context, aimrt_rpc_str_t key) {
  aimrt_rpc_str_t value;
  if (framework_find(context, key, &value)) return value;
  if (context->foreign != NULL) {
    aimrt_string_view_t theirs = context->foreign->ops->get_meta_val(context->foreign->impl, (aimrt_string_view_t){key.data, key.size});
    return (aimrt_rpc_str_t){theirs.str, theirs.len};
  }
  const front_context *stored = stored_by(context);
  uint32_t i = find_pair(stored, key, 0);
  return i < stored->pair_count ? pair_value(stored, i) : (aimrt_rpc_str_t){NULL, 0};
}

bool front_context_own(front_context *context) {
  if (!context->framework && context->base == NULL && context->foreign == NULL) return true;
  front_context fresh = {.pairs = NULL};
  walk w = walk_from(context);
  aimrt_rpc_pair_t pair;
  while (walk_next(&w, &pair)) {
    if (front_context_append(&fresh, pair.key, pair.value)) continue;
    front_context_free_memory(&fresh, 0);
    return false;
  }
  bool good = front_context_copy_pairs(context, &fresh);
  front_context_free_memory(&fresh, 0);
  if (!good) return false;
  context->framework = false;
  context->base = NULL;
  context->foreign = NULL;
  note_reserved(context, key_to_addr);
  note_reserved(context, framework_keys[KEY_SERIALIZATION]);
  return true;
}

static bool reserve_views(front_context *context, size_t count) {
  if (context->view_capacity >= count) return true;
  aimrt_rpc_pair_t *views = realloc(context->views, count * sizeof *views);
  if (views == NULL) return false;
  context->views = views;
  context->view_capacity = count;
  return true;
}

const aimrt_rpc_pair_t *front_context_user_pairs(front_context *context, size_t *count_out) {
  if (!reserve_views(context, (size_t)context->pair_count + 1)) return NULL;
  for (uint32_t i = 0; i < context->pair_count; i++)
    context->views[i] = (aimrt_rpc_pair_t){pair_key(context, i), pair_value(context, i)};
  *count_out = context->pair_count;
  return context->views;
}

/* ---- Life --------------------------------------------------------------------------------------------------------------- */

void front_context_clear(front_context *context) {
  context->base = NULL;
  context->foreign = NULL;
  context->timeout_ns = 0;
  context->deadline_ns = FRONT_NEVER;
  context->framework = false;
  context->has_to_addr = false;
  context->has_serialization = false;
  context->pair_count = 0;
  context->garbage = 0;
  context->backend = NULL;
  front_bytes_trim(&context->text, FRONT_KEEP_BYTES);
}

void front_context_free_memory(front_context *context, size_t keep) {
  front_bytes_trim(&context->text, keep);
  context->pair_count = 0;
  if (context->pair_capacity * sizeof *context->pairs > keep) {
    free(context->pairs);
    context->pairs = NULL;
    context->pair_capacity = 0;
  }
  if (context->view_capacity * sizeof *context->views > keep) {
    free(context->views);
    context->views = NULL;
    context->view_capacity = 0;
  }
}

bool front_context_embed(front_context *context, front_server_call *server) {
  context->index = front_slot_take(AIMRT_RPC_KIND_CONTEXT, context);
  if (context->index == 0) return false;
  context->slot = front_slot_at(context->index);
  context->kind = AIMRT_RPC_CONTEXT_KIND_SERVER;
  context->server = server;
  return true;
}

uint64_t front_context_show(front_context *context) {
  if (!context->shown) {
    const uint64_t state = FRONT_LIVE | FRONT_CONTEXT_BORROWED;
    if (!front_slot_renew(context->slot, state) &&
        !front_slot_move(AIMRT_RPC_KIND_CONTEXT, context, &context->slot, &context->index, state))
      return 0;
    context->shown = true;
  }
  return front_word_handle(atomic_load_explicit(&context->slot->word, memory_order_relaxed), context->index);
}

void front_context_hide(front_context *context) {
  if (!context->shown) return;
  context->shown = false;
  (void)atomic_fetch_and_explicit(&context->slot->word, ~FRONT_STATE_MASK, memory_order_release);
}

static void recycle(front_thread *thread, front_context *context) {
  front_context_clear(context);
  front_context_give(thread, context);
}

void front_context_unuse(front_thread *thread, front_context *context) {
  uint64_t was = atomic_fetch_and_explicit(&context->slot->word, ~FRONT_CONTEXT_BUSY, memory_order_acq_rel);
  if (FRONT_UNLIKELY((was & FRONT_LIVE) == 0)) recycle(thread, context);
}

static front_context *find_context(uint64_t handle, uint64_t *word_out) {
  if (front_guards_forked()) return NULL;
  front_slot *slot = front_slot_find(AIMRT_RPC_KIND_CONTEXT, handle, word_out);
  return slot == NULL ? NULL : atomic_load_explicit(&slot->object, memory_order_relaxed);
}

#define STALE_CONTEXT(error, handle)                                                                                       \
  (front_guards_forked() ? front_fail_forked(error)                                                                        \
                         : front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "context 0x%llx is not a live context",      \
                                      (unsigned long long)(handle)))

aimrt_rpc_result_t aimrt_rpc_context_create(aimrt_rpc_context_t *context_out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (context_out != NULL) *context_out = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (context_out == NULL) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "context_out is NULL");
  front_thread *thread = front_thread_self();
  front_context *context = thread == NULL ? NULL : front_context_take(thread);
  if (context == NULL)
    return front_fail(error, AIMRT_RPC_RESULT_LIMIT, "no further context: %u are alive, or memory is out", FRONT_MAX_CONTEXTS);
  context->kind = AIMRT_RPC_CONTEXT_KIND_CLIENT;
  front_context_clear(context);
  *context_out = front_word_handle(atomic_load_explicit(&context->slot->word, memory_order_relaxed), context->index);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_context_copy(aimrt_rpc_context_t context, aimrt_rpc_context_t *copy_out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (copy_out != NULL) *copy_out = 0;
  uint64_t word;
  front_context *from = find_context(context, &word);
  if (from == NULL) return STALE_CONTEXT(error, context);
  if (copy_out == NULL) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "copy_out is NULL");
  aimrt_rpc_context_t handle;
  aimrt_rpc_result_t result = aimrt_rpc_context_create(&handle, error);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  front_context *to = find_context(handle, &word);
  to->kind = from->kind;
  to->timeout_ns = from->timeout_ns;
  walk w = walk_from(from);
  aimrt_rpc_pair_t pair;
  while (walk_next(&w, &pair)) {
    if (front_context_append(to, pair.key, pair.value)) continue;
    aimrt_rpc_context_release(handle);
    return front_fail(error, AIMRT_RPC_RESULT_LIMIT, "no memory for a copy of the metadata");
  }
  note_reserved(to, key_to_addr);
  note_reserved(to, framework_keys[KEY_SERIALIZATION]);
  *copy_out = handle;
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_context_reset(aimrt_rpc_context_t context, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL) return STALE_CONTEXT(error, context);
  if (found->kind != AIMRT_RPC_CONTEXT_KIND_CLIENT)
    return front_fail(error, AIMRT_RPC_RESULT_UNSUPPORTED, "a server context cannot be reset");
  do {
    if ((word & FRONT_CONTEXT_BUSY) != 0)
      return front_fail(error, AIMRT_RPC_RESULT_INVALID_STATE, "a call uses this context: reset it after the call has ended");
    if (((word ^ context) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) return STALE_CONTEXT(error, context);
  } while (!front_word_swap(found->slot, &word, word & ~FRONT_CONTEXT_USED));
  front_context_clear(found);
  return AIMRT_RPC_RESULT_OK;
}

void aimrt_rpc_context_release(aimrt_rpc_context_t context) {
  uint64_t word;
  front_context *found = find_context(context, &word);
  front_thread *thread = found == NULL ? NULL : front_thread_self();
  if (thread == NULL) return;
  do {
    if ((word & FRONT_CONTEXT_BORROWED) != 0) return;
    if (((word ^ context) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) return;
  } while (!front_word_swap(found->slot, &word, word & ~FRONT_LIVE));
  if ((word & FRONT_CONTEXT_BUSY) == 0) recycle(thread, found);
}

/* ---- Properties --------------------------------------------------------------------------------------------------------- */

uint32_t aimrt_rpc_context_kind(aimrt_rpc_context_t context) {
  uint64_t word;
  front_context *found = find_context(context, &word);
  return found == NULL ? AIMRT_RPC_CONTEXT_KIND_CLIENT : found->kind;
}

uint8_t aimrt_rpc_context_used(aimrt_rpc_context_t context) {
  uint64_t word;
  return find_context(context, &word) != NULL && (word & FRONT_CONTEXT_USED) != 0 ? 1 : 0;
}

void aimrt_rpc_context_set_used(aimrt_rpc_context_t context) {
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL) return;
  do {
    if (((word ^ context) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0) return;
  } while (!front_word_swap(found->slot, &word, word | FRONT_CONTEXT_USED));
}

uint64_t aimrt_rpc_context_timeout_ns(aimrt_rpc_context_t context) {
  uint64_t word;
  front_context *found = find_context(context, &word);
  return found == NULL ? 0 : found->timeout_ns;
}

aimrt_rpc_result_t aimrt_rpc_context_set_timeout_ns(aimrt_rpc_context_t context, uint64_t timeout_ns) {
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL) return front_guards_forked() ? AIMRT_RPC_RESULT_FORKED : AIMRT_RPC_RESULT_INVALID_HANDLE;
  found->timeout_ns = timeout_ns;
  return AIMRT_RPC_RESULT_OK;
}

uint64_t aimrt_rpc_context_deadline_left_ns(aimrt_rpc_context_t context) {
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL) return 0;
  if (found->deadline_ns == FRONT_NEVER) return FRONT_NEVER;
  uint64_t now = front_monotonic_ns();
  return now < found->deadline_ns ? found->deadline_ns - now : 0;
}

/* ---- Metadata ----------------------------------------------------------------------------------------------------------- */

aimrt_rpc_str_t aimrt_rpc_context_get(aimrt_rpc_context_t context, aimrt_rpc_str_t key) {
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL || !front_view_ok(key.data, key.size)) return (aimrt_rpc_str_t){NULL, 0};
  return front_context_value(found, key);
}

static aimrt_rpc_result_t check_pair(aimrt_rpc_str_t key, aimrt_rpc_str_t value, aimrt_rpc_error_t *error) {
  if (key.data == NULL || key.size == 0 || key.size > MAX_KEY_BYTES)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "metadata key has %zu bytes, expected 1 to %u", key.size,
                      MAX_KEY_BYTES);
  if (!front_view_ok(value.data, value.size))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "value of metadata key \"%.*s\" is NULL with a size of %zu",
                      (int)key.size, key.data, value.size);
  return AIMRT_RPC_RESULT_OK;
}

static aimrt_rpc_result_t no_room(const front_context *context, aimrt_rpc_error_t *error) {
  return front_fail(error, AIMRT_RPC_RESULT_LIMIT, "metadata holds %u entries and %zu bytes; at most %u and %u are allowed",
                    context->pair_count, context->text.size - context->garbage, FRONT_MAX_CONTEXT_ENTRIES,
                    FRONT_MAX_CONTEXT_BYTES);
}

static bool inside(const front_context *context, aimrt_rpc_str_t view) {
  uintptr_t text = (uintptr_t)context->text.data;
  return text != 0 && (uintptr_t)view.data >= text && (uintptr_t)view.data < text + context->text.capacity;
}

static aimrt_rpc_result_t store(front_context *context, aimrt_rpc_str_t key, aimrt_rpc_str_t value, bool replace,
                                aimrt_rpc_error_t *error) {
  uint32_t i = replace ? find_pair(context, key, 0) : context->pair_count;
  bool fresh = i == context->pair_count;
  size_t live = context->text.size - context->garbage;
  if (!fresh) live -= context->pairs[i].value_size;
  if (value.size > FRONT_MAX_CONTEXT_BYTES || (fresh && context->pair_count >= FRONT_MAX_CONTEXT_ENTRIES) ||
      live + (fresh ? key.size : 0) + value.size > FRONT_MAX_CONTEXT_BYTES)
    return no_room(context, error);
  if (fresh) {
    if (!front_context_append(context, key, value)) return no_room(context, error);
  } else {
    front_pair *pair = &context->pairs[i];
    uint32_t place;
    if (!append_text(context, value, &place)) return no_room(context, error);
    context->garbage += pair->value_size;
    pair->value = place;
    pair->value_size = (uint32_t)value.size;
    remove_pairs(context, key, i + 1);
  }
  /* When memory is out the text just stays longer than need be. */
  if (context->garbage > COMPACT_BYTES && context->garbage > context->text.size / 2) (void)copy_stored(context, context);
  note_reserved(context, key);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t front_context_change(front_context *context, aimrt_rpc_str_t key, aimrt_rpc_str_t value, bool replace,
                                        aimrt_rpc_error_t *error) {
  aimrt_rpc_result_t result = check_pair(key, value, error);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  /* Texts that came from this very context move when it grows, and the framework's when they become pairs. */
  bool own = inside(context, key) || inside(context, value) || context->framework || context->base != NULL || context->foreign != NULL;
  if (!own) return store(context, key, value, replace, error);
  aimrt_rpc_str_t key_copy = front_str_copy(key.data, key.size);
  aimrt_rpc_str_t value_copy = front_str_copy(value.data, value.size);
  if (key_copy.data == NULL || value_copy.data == NULL || !front_context_own(context))
    result = no_room(context, error);
  else
    result = store(context, key_copy, value_copy, replace, error);
  free((void *)(uintptr_t)key_copy.data);
  free((void *)(uintptr_t)value_copy.data);
  return result;
}

static aimrt_rpc_result_t change(aimrt_rpc_context_t handle, aimrt_rpc_str_t key, aimrt_rpc_str_t value, bool replace,
                                 aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  uint64_t word;
  front_context *context = find_context(handle, &word);
  if (context == NULL) return STALE_CONTEXT(error, handle);
  return front_context_change(context, key, value, replace, error);
}

/* Whether every call writes this key of a client context anew. */
static bool is_written(aimrt_rpc_str_t key) {
  return front_str_equal(key, framework_keys[KEY_REQUEST_ID]) || front_str_equal(key, framework_keys[KEY_BACKEND]) ||
         front_str_equal(key, framework_keys[KEY_FUNCTION]) || front_str_equal(key, framework_keys[KEY_RESPONSE_ID]);
}

bool front_context_load(front_context *context, const aimrt_rpc_pair_t *pairs, size_t count) {
  if (count > FRONT_MAX_CONTEXT_ENTRIES) return false;
  for (size_t i = 0; i < count; i++) {
    aimrt_rpc_str_t key = pairs[i].key;
    aimrt_rpc_str_t value = pairs[i].value;
    bool reserved = has_reserved_prefix(key);
    if (reserved && is_written(key)) continue;
    if (key.size > MAX_KEY_BYTES || value.size > FRONT_MAX_CONTEXT_BYTES ||
        context->text.size + key.size + value.size > FRONT_MAX_CONTEXT_BYTES)
      return false;
    if (!front_context_append(context, key, value)) return false;
    if (reserved && value.size != 0 && front_str_equal(key, key_to_addr)) context->has_to_addr = true;
    if (reserved && value.size != 0 && front_str_equal(key, framework_keys[KEY_SERIALIZATION])) context->has_serialization = true;
  }
  return true;
}

aimrt_rpc_result_t aimrt_rpc_context_set(aimrt_rpc_context_t context, aimrt_rpc_str_t key, aimrt_rpc_str_t value,
                                         aimrt_rpc_error_t *error) {
  return change(context, key, value, true, error);
}

aimrt_rpc_result_t aimrt_rpc_context_add(aimrt_rpc_context_t context, aimrt_rpc_str_t key, aimrt_rpc_str_t value,
                                         aimrt_rpc_error_t *error) {
  return change(context, key, value, false, error);
}

aimrt_rpc_result_t aimrt_rpc_context_remove(aimrt_rpc_context_t context, aimrt_rpc_str_t key, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL) return STALE_CONTEXT(error, context);
  aimrt_rpc_str_t value;
  if (!front_view_ok(key.data, key.size) || key.size == 0) return AIMRT_RPC_RESULT_OK;
  if (framework_find(found, key, &value) || found->base != NULL || found->foreign != NULL) {
    aimrt_rpc_str_t copy = front_str_copy(key.data, key.size);
    bool good = copy.data != NULL && front_context_own(found);
    if (good) {
      remove_pairs(found, copy, 0);
      note_reserved(found, copy);
    }
    free((void *)(uintptr_t)copy.data);
    return good ? AIMRT_RPC_RESULT_OK : no_room(found, error);
  }
  uint32_t first = find_pair(found, key, 0);
  if (first == found->pair_count) return AIMRT_RPC_RESULT_OK;
  remove_pairs(found, key, first);
  note_reserved(found, key);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_context_metadata(aimrt_rpc_context_t context, const aimrt_rpc_pair_t **pairs_out, size_t *count_out,
                                              aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (pairs_out != NULL) *pairs_out = NULL;
  if (count_out != NULL) *count_out = 0;
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL) return STALE_CONTEXT(error, context);
  if (pairs_out == NULL || count_out == NULL)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "pairs_out or count_out is NULL");
  aimrt_rpc_pair_t *views = front_context_views(found, count_out);
  if (views == NULL) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for a list of the metadata");
  *pairs_out = *count_out == 0 ? NULL : views;
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_pair_t *front_context_views(front_context *context, size_t *count_out) {
  walk w = walk_from(context);
  if (!reserve_views(context, (size_t)w.pair_count + KEY_COUNT)) return NULL;
  size_t count = 0;
  while (walk_next(&w, &context->views[count])) count++;
  *count_out = count;
  return context->views;
}

static bool write_text(front_bytes *to, aimrt_rpc_str_t text) {
  uint8_t *place = front_bytes_reserve(to, text.size);
  if (place == NULL) return false;
  if (text.size != 0) memcpy(place, text.data, text.size);
  to->size += text.size;
  return true;
}

aimrt_rpc_result_t aimrt_rpc_context_to_string(aimrt_rpc_context_t context, aimrt_rpc_buffer_t *text_out,
                                               aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (text_out != NULL) memset(text_out, 0, sizeof *text_out);
  uint64_t word;
  front_context *found = find_context(context, &word);
  if (found == NULL) return STALE_CONTEXT(error, context);
  if (text_out == NULL) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "text_out is NULL");
  front_context number; /* only for its decimal digits */
  front_bytes text = {NULL, 0, 0};
  bool good = write_text(&text, found->kind == AIMRT_RPC_CONTEXT_KIND_CLIENT ? FRONT_STR("Client context, timeout: ")
                                                                             : FRONT_STR("Server context, timeout: ")) &&
              write_text(&text, request_id_text(&number, found->timeout_ns / 1000000)) && write_text(&text, FRONT_STR("ms, meta: {"));
  walk w = walk_from(found);
  aimrt_rpc_pair_t pair;
  for (bool first = true; good && walk_next(&w, &pair); first = false)
    good = write_text(&text, first ? FRONT_STR("{\"") : FRONT_STR(",{\"")) && write_text(&text, pair.key) &&
           write_text(&text, FRONT_STR("\":\"")) && write_text(&text, pair.value) && write_text(&text, FRONT_STR("\"}"));
  good = good && write_text(&text, FRONT_STR("}")) && front_buffer_set(text_out, text.data, text.size) != 0;
  free(text.data);
  return good ? AIMRT_RPC_RESULT_OK : front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for the text of a context");
}

aimrt_rpc_result_t aimrt_rpc_handle_merge_context(aimrt_rpc_handle_t handle, aimrt_rpc_context_t server_context,
                                                  aimrt_rpc_context_t client_context, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  const front_module *module = front_handle_find(AIMRT_RPC_KIND_RPC_HANDLE, handle);
  uint64_t word;
  front_context *server = find_context(server_context, &word);
  front_context *client = find_context(client_context, &word);
  if (module == NULL)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live rpc handle", (unsigned long long)handle);
  if (server == NULL) return STALE_CONTEXT(error, server_context);
  if (client == NULL) return STALE_CONTEXT(error, client_context);
  if (server->kind != AIMRT_RPC_CONTEXT_KIND_SERVER || client->kind != AIMRT_RPC_CONTEXT_KIND_CLIENT)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "expected a server context and a client context, in this order");
  for (uint32_t i = 0; i < module->runtime->passed_key_count; i++) {
    aimrt_rpc_str_t key = module->runtime->passed_keys[i];
    aimrt_rpc_str_t value = front_context_value(server, key);
    if (value.size == 0) continue;
    aimrt_rpc_result_t result = change(client_context, key, value, true, error);
    if (result != AIMRT_RPC_RESULT_OK) return result;
  }
  return AIMRT_RPC_RESULT_OK;
}
