/*
 * handles.c - the table behind every public handle: lock-free lookup, slots in chunks that are never given back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdlib.h>

#define NO_SLOT 0u /* the first slot is never used */

_Atomic(front_slot *) front_slot_chunks[FRONT_SLOT_CHUNKS];

/* Guards the two below. */
static front_lock table_lock;
static uint32_t next_index = 1;
static uint32_t first_free = NO_SLOT; /* a free slot keeps the next one in its object field */

/* The caller holds table_lock. */
static uint32_t new_index(void) {
  uint32_t index = next_index;
  if (index > FRONT_STATE_MASK) return NO_SLOT;
  _Atomic(front_slot *) *place = &front_slot_chunks[index >> FRONT_SLOT_CHUNK_BITS];
  if (atomic_load_explicit(place, memory_order_relaxed) == NULL) {
    front_slot *chunk = calloc(FRONT_SLOT_CHUNK, sizeof *chunk);
    if (chunk == NULL) return NO_SLOT;
    atomic_store_explicit(place, chunk, memory_order_release);
  }
  next_index = index + 1;
  return index;
}

uint32_t front_slot_take(uint32_t kind, void *object) {
  front_lock_acquire(&table_lock);
  uint32_t index = first_free;
  if (index != NO_SLOT)
    first_free = (uint32_t)(uintptr_t)atomic_load_explicit(&front_slot_at(index)->object, memory_order_relaxed);
  else
    index = new_index();
  front_lock_release(&table_lock);
  if (index == NO_SLOT) return NO_SLOT;
  front_slot *slot = front_slot_at(index);
  uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
  atomic_store_explicit(&slot->object, object, memory_order_release);
  atomic_store_explicit(&slot->word, ((uint64_t)kind << 56) | ((uint64_t)front_word_generation(word) << 24), memory_order_release);
  return index;
}

bool front_slot_move(uint32_t kind, void *object, front_slot **slot, uint32_t *index, uint64_t state) {
  uint32_t fresh = front_slot_take(kind, object);
  if (fresh == NO_SLOT) return false;
  *index = fresh;
  *slot = front_slot_at(fresh);
  return front_slot_renew(*slot, state);
}

uint64_t front_handle_new(uint32_t kind, void *object) {
  uint32_t index = front_slot_take(kind, object);
  if (index == NO_SLOT) return 0;
  front_slot *slot = front_slot_at(index);
  if (!front_slot_renew(slot, FRONT_LIVE)) return 0; /* never: front_handle_drop retires such a slot */
  return front_word_handle(atomic_load_explicit(&slot->word, memory_order_relaxed), index);
}

void *front_handle_find(uint32_t kind, uint64_t handle) {
  return front_object_find(kind, handle);
}

void *front_handle_drop(uint32_t kind, uint64_t handle) {
  uint64_t word;
  front_slot *slot = front_slot_find(kind, handle, &word);
  if (slot == NULL) return NULL;
  void *object = atomic_load_explicit(&slot->object, memory_order_acquire);
  if (!atomic_compare_exchange_strong_explicit(&slot->word, &word, word & ~FRONT_STATE_MASK, memory_order_acq_rel,
                                               memory_order_relaxed))
    return NULL;
  if (front_word_generation(word) == FRONT_GENERATION_MAX) return object; /* retired */
  uint32_t index = (uint32_t)(handle & FRONT_STATE_MASK);
  front_lock_acquire(&table_lock);
  atomic_store_explicit(&slot->object, (void *)(uintptr_t)first_free, memory_order_release);
  first_free = index;
  front_lock_release(&table_lock);
  return object;
}

uint64_t aimrt_rpc_live_count(uint32_t kind) {
  front_lock_acquire(&table_lock);
  uint32_t end = next_index;
  front_lock_release(&table_lock);
  uint64_t count = 0;
  for (uint32_t index = 1; index < end; index++) {
    uint64_t word = atomic_load_explicit(&front_slot_at(index)->word, memory_order_relaxed);
    uint32_t slot_kind = (uint32_t)(word >> 56);
    if ((word & FRONT_LIVE) == 0 || (kind != AIMRT_RPC_KIND_ANY && kind != slot_kind)) continue;
    if (slot_kind == AIMRT_RPC_KIND_CONTEXT && (word & FRONT_CONTEXT_BORROWED) != 0) continue;
    count++;
  }
  return count;
}
