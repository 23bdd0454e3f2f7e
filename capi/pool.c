/*
 * pool.c - threads, read sections, and the pools of calls and contexts. Nothing here knows what a call means.
 *
 * Memory of blocks is never given back, so the pools grow to the largest number in use at one time and stay there. A thread keeps a few
 * free blocks; the rest goes through one lock. When a thread ends, its blocks go back and its record is taken over by the next new thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <sched.h>
#include <stdlib.h>

/* The numbers of <linux/membarrier.h>, which old systems lack; an old kernel refuses the registration. */
#define MEMBARRIER_PRIVATE_EXPEDITED 8
#define MEMBARRIER_REGISTER_PRIVATE_EXPEDITED 16

#define CALLS_PER_SLAB 16u
#define REFILL 16u
/* Blocks that lie idle with other threads must not count as pending calls. */
#define MAX_CALL_BLOCKS (FRONT_MAX_PENDING_CALLS + 128u * FRONT_THREAD_CALLS)
#define MAX_CALL_SLABS (MAX_CALL_BLOCKS / CALLS_PER_SLAB)

_Thread_local front_thread *front_thread_current __attribute__((tls_model("initial-exec")));
uint32_t front_read_needs_fence;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static bool thread_end_ready;
static _Atomic(front_thread *) all_threads;

/* Guards the rest; a leaf in the lock order. */
static front_lock pool_lock;
static front_thread *idle_threads;
static uint64_t thread_serial;
static front_call *idle_calls;
static front_context *idle_contexts;
static uint32_t context_blocks;
static _Atomic uint32_t call_slab_count;
static front_call *call_slabs[MAX_CALL_SLABS];

/* ---- Threads ------------------------------------------------------------------------------------------------------------ */

static void give_back_calls(front_thread *thread, uint32_t keep) {
  front_call *first = NULL;
  front_call *last = NULL;
  while (thread->call_count > keep) {
    front_call *call = thread->calls;
    thread->calls = call->next;
    thread->call_count--;
    front_bytes_trim(&call->text_bytes, FRONT_KEEP_BYTES_POOLED);
    front_bytes_trim(&call->response_bytes, FRONT_KEEP_BYTES_POOLED);
    front_bytes_trim(&call->server.request_bytes, FRONT_KEEP_BYTES_POOLED);
    front_bytes_trim(&call->server.answer_bytes, FRONT_KEEP_BYTES_POOLED);
    front_context_free_memory(&call->server.context, FRONT_KEEP_BYTES_POOLED);
    call->next = first;
    first = call;
    if (last == NULL) last = call;
  }
  if (first == NULL) return;
  front_lock_acquire(&pool_lock);
  last->next = idle_calls;
  idle_calls = first;
  front_lock_release(&pool_lock);
}

static void give_back_contexts(front_thread *thread, uint32_t keep) {
  while (thread->context_count > keep) {
    front_context *context = thread->contexts;
    thread->contexts = context->next_free;
    thread->context_count--;
    front_context_free_memory(context, FRONT_KEEP_BYTES_POOLED);
    front_lock_acquire(&pool_lock);
    context->next_free = idle_contexts;
    idle_contexts = context;
    front_lock_release(&pool_lock);
  }
}

/* May come before other destructors of the thread that call in again; those get a new record, and this runs again. */
static void end_thread(void *value) {
  front_thread *thread = value;
  front_thread_current = NULL;
  give_back_calls(thread, 0);
  give_back_contexts(thread, 0);
  free(thread->scratch);
  thread->scratch = NULL;
  thread->scratch_size = 0;
  front_lock_acquire(&pool_lock);
  thread->next_idle = idle_threads;
  idle_threads = thread;
  front_lock_release(&pool_lock);
}

static void prepare(void) {
  thread_end_ready = pthread_key_create(&thread_end, end_thread) == 0;
  front_read_needs_fence = syscall(SYS_membarrier, MEMBARRIER_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0;
}

front_thread *front_thread_join(void) {
  (void)pthread_once(&once, prepare);
  front_lock_acquire(&pool_lock);
  front_thread *thread = idle_threads;
  if (thread != NULL) idle_threads = thread->next_idle;
  uint64_t serial = ++thread_serial;
  front_lock_release(&pool_lock);
  if (thread == NULL) {
    thread = calloc(1, sizeof *thread);
    if (thread == NULL) return NULL;
    front_thread *first = atomic_load_explicit(&all_threads, memory_order_relaxed);
    do {
      thread->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&all_threads, &first, thread, memory_order_seq_cst, memory_order_relaxed));
  }
  thread->serial = serial;
  front_thread_current = thread;
  if (thread_end_ready) (void)pthread_setspecific(thread_end, thread);
  return thread;
}

void front_read_wait(void) {
  (void)pthread_once(&once, prepare);
  if (front_read_needs_fence == 0) (void)syscall(SYS_membarrier, MEMBARRIER_PRIVATE_EXPEDITED, 0, 0);
  front_thread *own = front_thread_current;
  for (front_thread *thread = atomic_load_explicit(&all_threads, memory_order_seq_cst); thread != NULL; thread = thread->next) {
    if (thread == own) continue;
    while (atomic_load_explicit(&thread->reading, memory_order_seq_cst) != 0) (void)sched_yield();
  }
}

/* Finished first: a call that starts and finishes meanwhile then counts as open rather than as minus one. */
uint64_t front_open_calls(uint32_t runtime) {
  uint64_t open = 0;
  for (front_thread *thread = atomic_load_explicit(&all_threads, memory_order_acquire); thread != NULL; thread = thread->next)
    open -= atomic_load_explicit(&thread->finished[runtime], memory_order_acquire);
  for (front_thread *thread = atomic_load_explicit(&all_threads, memory_order_acquire); thread != NULL; thread = thread->next)
    open += atomic_load_explicit(&thread->started[runtime], memory_order_acquire);
  return open;
}

bool front_handlers_run(uint32_t runtime) {
  for (front_thread *thread = atomic_load_explicit(&all_threads, memory_order_acquire); thread != NULL; thread = thread->next)
    if (atomic_load_explicit(&thread->running[runtime], memory_order_acquire) != 0) return true;
  return false;
}

/* ---- Calls -------------------------------------------------------------------------------------------------------------- */

static bool prepare_call(front_call *call) {
  call->index = front_slot_take(AIMRT_RPC_KIND_CALL, call);
  call->server.index = front_slot_take(AIMRT_RPC_KIND_SERVER_CALL, &call->server);
  if (call->index == 0 || call->server.index == 0) return false;
  call->slot = front_slot_at(call->index);
  call->server.slot = front_slot_at(call->server.index);
  call->server.view = (aimrt_rpc_context_base_t){&front_foreign_ops, &call->server.context};
  return front_context_embed(&call->server.context, &call->server);
}

/* The caller holds pool_lock. */
static bool make_calls(void) {
  uint32_t slab_number = atomic_load_explicit(&call_slab_count, memory_order_relaxed);
  if (slab_number == MAX_CALL_SLABS) return false;
  front_call *slab = calloc(CALLS_PER_SLAB, sizeof *slab);
  if (slab == NULL) return false;
  for (uint32_t i = 0; i < CALLS_PER_SLAB; i++)
    if (!prepare_call(&slab[i])) return false; /* the table is full for good: the slab is lost with it */
  for (uint32_t i = 0; i < CALLS_PER_SLAB; i++) {
    slab[i].next = idle_calls;
    idle_calls = &slab[i];
  }
  call_slabs[slab_number] = slab;
  atomic_store_explicit(&call_slab_count, slab_number + 1, memory_order_release);
  return true;
}

bool front_calls_refill(front_thread *thread) {
  front_lock_acquire(&pool_lock);
  if (idle_calls == NULL) (void)make_calls();
  while (idle_calls != NULL && thread->call_count < REFILL) {
    front_call *call = idle_calls;
    idle_calls = call->next;
    call->next = thread->calls;
    thread->calls = call;
    thread->call_count++;
  }
  front_lock_release(&pool_lock);
  return thread->call_count != 0;
}

void front_calls_give_back(front_thread *thread) { give_back_calls(thread, FRONT_THREAD_CALLS / 2); }

void front_call_each(void (*fn)(front_call *call, void *arg), void *arg) {
  uint32_t count = atomic_load_explicit(&call_slab_count, memory_order_acquire);
  for (uint32_t slab = 0; slab < count; slab++)
    for (uint32_t i = 0; i < CALLS_PER_SLAB; i++) fn(&call_slabs[slab][i], arg);
}

/* ---- Contexts ----------------------------------------------------------------------------------------------------------- */

static front_context *refill_context(void) {
  front_lock_acquire(&pool_lock);
  front_context *context = idle_contexts;
  bool may_make = false;
  if (context != NULL)
    idle_contexts = context->next_free;
  else if (context_blocks < FRONT_MAX_CONTEXTS) {
    context_blocks++;
    may_make = true;
  }
  front_lock_release(&pool_lock);
  if (!may_make) return context;
  context = calloc(1, sizeof *context);
  if (context != NULL) {
    context->index = front_slot_take(AIMRT_RPC_KIND_CONTEXT, context);
    if (context->index != 0) {
      context->slot = front_slot_at(context->index);
      return context;
    }
    free(context);
  }
  front_lock_acquire(&pool_lock);
  context_blocks--;
  front_lock_release(&pool_lock);
  return NULL;
}

front_context *front_context_take(front_thread *thread) {
  front_context *context = thread->contexts;
  if (context != NULL) {
    thread->contexts = context->next_free;
    thread->context_count--;
  } else {
    context = refill_context();
    if (context == NULL) return NULL;
  }
  if (!front_slot_renew(context->slot, FRONT_LIVE) &&
      !front_slot_move(AIMRT_RPC_KIND_CONTEXT, context, &context->slot, &context->index, FRONT_LIVE)) {
    front_context_give(thread, context);
    return NULL;
  }
  return context;
}

void front_context_give(front_thread *thread, front_context *context) {
  context->next_free = thread->contexts;
  thread->contexts = context;
  thread->context_count++;
  if (thread->context_count > FRONT_THREAD_CONTEXTS) give_back_contexts(thread, FRONT_THREAD_CONTEXTS / 2);
}

/* ---- Bytes and texts ---------------------------------------------------------------------------------------------------- */

uint8_t *front_bytes_reserve(front_bytes *bytes, size_t size) {
  if (FRONT_LIKELY(bytes->capacity - bytes->size >= size)) {
    if (FRONT_LIKELY(bytes->data != NULL)) return bytes->data + bytes->size;
  }
  if (size > SIZE_MAX / 2 - bytes->size) return NULL;
  size_t capacity = bytes->capacity < 256 ? 256 : bytes->capacity;
  while (capacity < bytes->size + size) capacity += capacity / 2;
  uint8_t *data = realloc(bytes->data, capacity);
  if (data == NULL) return NULL;
  bytes->data = data;
  bytes->capacity = capacity;
  return data + bytes->size;
}

bool front_bytes_assign(front_bytes *bytes, const void *data, size_t size) {
  bytes->size = 0;
  if (size == 0) return true;
  uint8_t *place = front_bytes_reserve(bytes, size);
  if (place == NULL) return false;
  memcpy(place, data, size);
  bytes->size = size;
  return true;
}

void front_bytes_free(front_bytes *bytes) {
  free(bytes->data);
  *bytes = (front_bytes){NULL, 0, 0};
}

aimrt_rpc_str_t front_str_copy(const char *data, size_t size) {
  char *copy = malloc(size + 1);
  if (copy == NULL) return (aimrt_rpc_str_t){NULL, 0};
  if (size != 0) memcpy(copy, data, size);
  copy[size] = 0;
  return (aimrt_rpc_str_t){copy, size};
}

typedef struct interned {
  aimrt_rpc_str_t text;
  struct interned *next;
} interned;

const aimrt_rpc_str_t *front_intern(const char *data, size_t size) {
  static front_lock intern_lock; /* guards the two below */
  static interned *first;
  static uint32_t count;
  aimrt_rpc_str_t wanted = {data, size};
  front_lock_acquire(&intern_lock);
  interned *found = first;
  while (found != NULL && !front_str_equal(found->text, wanted)) found = found->next;
  if (found == NULL && count < FRONT_MAX_INTERNED) {
    found = malloc(sizeof *found);
    if (found != NULL) found->text = front_str_copy(data, size);
    if (found != NULL && found->text.data != NULL) {
      found->next = first;
      first = found;
      count++;
    } else {
      free(found);
      found = NULL;
    }
  }
  front_lock_release(&intern_lock);
  return found == NULL ? NULL : &found->text;
}
