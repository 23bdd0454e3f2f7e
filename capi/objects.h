/*
 * objects.h - layouts and internal functions of the C call path; nobody else includes it.
 *
 * Life of memory. Contexts and calls are pooled and their memory is never given back, so that a thread which looks up a handle while
 * another one releases it reads a dead object, not a hole. The slot of such an object is its own for ever; only the generation moves on.
 *
 * One word per slot decides everything that can race: kind 8 | generation 32 | state 24. A change is a compare-and-swap on the whole
 * word, so that it fails for an object that has been reused meanwhile. The state of calls carries a count of references:
 *   client side: the starter, the user's handle, an armed timer, and the server side or the engine
 *   server side: the handler until it finishes, a retain, the reference of front_serve, an event in a queue, a cancel in progress
 * The server side as a whole holds one reference of the client side; the block is reused when that count is zero.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_CAPI_OBJECTS_H_
#define AIMRT_RPC_CAPI_OBJECTS_H_

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "../include/aimrt_rpc_compat.h"
#include "front.h"
#include "futex.h"
#include "guards.h"
#include "timer.h"

#define FRONT_LIKELY(x) __builtin_expect(!!(x), 1)
#define FRONT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- Slots -------------------------------------------------------------------------------------------------------------- */

#define FRONT_STATE_MASK UINT64_C(0xffffff)
#define FRONT_SLOT_CHUNK_BITS 12u
#define FRONT_SLOT_CHUNK (1u << FRONT_SLOT_CHUNK_BITS)
#define FRONT_SLOT_CHUNKS (1u << (24u - FRONT_SLOT_CHUNK_BITS))

/* State bits of every kind. */
#define FRONT_LIVE UINT64_C(1) /* the user's handle is valid */
/* Contexts. */
#define FRONT_CONTEXT_BUSY UINT64_C(2)     /* a call uses it, which keeps it from reuse */
#define FRONT_CONTEXT_USED UINT64_C(4)     /* a call has used it */
#define FRONT_CONTEXT_BORROWED UINT64_C(8) /* part of a server call; not released on its own */
/* Both sides of a call: which runtime, how many references. */
#define FRONT_RUNTIME_SHIFT 4u
#define FRONT_REF_SHIFT 11u
#define FRONT_REF (UINT64_C(1) << FRONT_REF_SHIFT)
#define FRONT_REF_MASK (FRONT_STATE_MASK & ~(FRONT_REF - 1))
/* Client side. */
#define FRONT_CALL_PENDING UINT64_C(2) /* a local call that has not ended; whoever clears it ends the call */
/* Server side. */
#define FRONT_SERVER_OPEN UINT64_C(2) /* not finished; whoever clears it finishes */
#define FRONT_SERVER_CANCELLED UINT64_C(4)
#define FRONT_SERVER_RETAINED UINT64_C(8)
#define FRONT_SERVER_ARRIVED (UINT64_C(1) << 10) /* its event is in the queue or was: a cancel sends another one */

typedef struct front_slot {
  _Atomic uint64_t word;
  _Atomic(void *) object;
} front_slot;

FRONT_HIDDEN extern _Atomic(front_slot *) front_slot_chunks[FRONT_SLOT_CHUNKS];

static inline front_slot *front_slot_at(uint32_t index) {
  front_slot *chunk = atomic_load_explicit(&front_slot_chunks[index >> FRONT_SLOT_CHUNK_BITS], memory_order_acquire);
  return chunk == NULL ? NULL : chunk + (index & (FRONT_SLOT_CHUNK - 1));
}

/* The slot of a live handle and its word, or NULL. */
static inline front_slot *front_slot_find(uint32_t kind, uint64_t handle, uint64_t *word_out) {
  if (FRONT_UNLIKELY(handle >> 56 != kind)) return NULL;
  front_slot *slot = front_slot_at((uint32_t)(handle & FRONT_STATE_MASK));
  if (FRONT_UNLIKELY(slot == NULL)) return NULL;
  uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
  if (FRONT_UNLIKELY(((word ^ handle) & ~FRONT_STATE_MASK) != 0 || (word & FRONT_LIVE) == 0)) return NULL;
  *word_out = word;
  return slot;
}

static inline uint64_t front_word_handle(uint64_t word, uint32_t index) { return (word & ~FRONT_STATE_MASK) | index; }

static inline bool front_word_swap(front_slot *slot, uint64_t *seen, uint64_t wanted) {
  return atomic_compare_exchange_weak_explicit(&slot->word, seen, wanted, memory_order_acq_rel, memory_order_acquire);
}

static inline uint32_t front_word_refs(uint64_t word) { return (uint32_t)((word & FRONT_REF_MASK) >> FRONT_REF_SHIFT); }

/* Gives an object a slot whose word holds the kind and no state; 0 when the table is full. */
FRONT_HIDDEN uint32_t front_slot_take(uint32_t kind, void *object);
#define FRONT_GENERATION_MAX UINT32_MAX
static inline uint32_t front_word_generation(uint64_t word) { return (uint32_t)(word >> 24); }
/* Begins the next generation of an owned slot with the given state. False when the generations are used up: the caller takes
 * another slot, this one is retired. */
static inline bool front_slot_renew(front_slot *slot, uint64_t state) {
  uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
  if (FRONT_UNLIKELY(front_word_generation(word) == FRONT_GENERATION_MAX)) return false;
  atomic_store_explicit(&slot->word, ((word & ~FRONT_STATE_MASK) + FRONT_STATE_MASK + 1) | state, memory_order_release);
  return true;
}
/* front_handle_find where it must be fast. */
static inline void *front_object_find(uint32_t kind, uint64_t handle) {
  uint64_t word;
  front_slot *slot = front_slot_find(kind, handle, &word);
  if (FRONT_UNLIKELY(slot == NULL)) return NULL;
  void *object = atomic_load_explicit(&slot->object, memory_order_acquire);
  /* A slot that went to another object meanwhile has another word: the object is stored after the old word is dead. */
  return FRONT_LIKELY(atomic_load_explicit(&slot->word, memory_order_acquire) == word) ? object : NULL;
}

/* ---- Texts and bytes ---------------------------------------------------------------------------------------------------- */

/* A buffer that is reused; never shrinks while it is used. */
typedef struct front_bytes {
  uint8_t *data;
  size_t size;
  size_t capacity;
} front_bytes;

/* Kept for the next use of the object: at most this much per buffer. */
#define FRONT_KEEP_BYTES (256u << 10)
#define FRONT_KEEP_BYTES_POOLED 4096u

/* Room for `size` bytes after the present ones; NULL when out of memory. The size is not changed. */
FRONT_HIDDEN uint8_t *front_bytes_reserve(front_bytes *bytes, size_t size);
FRONT_HIDDEN bool front_bytes_assign(front_bytes *bytes, const void *data, size_t size);
FRONT_HIDDEN void front_bytes_free(front_bytes *bytes);
/* Empties; frees what is larger than keep. */
static inline void front_bytes_trim(front_bytes *bytes, size_t keep) {
  bytes->size = 0;
  if (FRONT_UNLIKELY(bytes->capacity > keep)) front_bytes_free(bytes);
}

static inline bool front_str_equal(aimrt_rpc_str_t a, aimrt_rpc_str_t b) {
  return a.size == b.size && (a.data == b.data || a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
#define FRONT_STR(literal) ((aimrt_rpc_str_t){(literal), sizeof(literal) - 1})
static inline bool front_view_ok(const void *data, size_t size) { return data != NULL || size == 0; }

/* A text that lives as long as the process; NULL when out of memory or past the limit of such texts. */
#define FRONT_MAX_INTERNED 4096u
FRONT_HIDDEN const aimrt_rpc_str_t *front_intern(const char *data, size_t size);
/* malloc-ed copy with a NUL after it; data is NULL when out of memory. */
FRONT_HIDDEN aimrt_rpc_str_t front_str_copy(const char *data, size_t size);

/* ---- Threads ------------------------------------------------------------------------------------------------------------ */

/* What one thread has at hand; the only thread-local word of the call path points here. Memory is kept when the thread ends. */
typedef struct front_thread {
  uint64_t serial;                /* another one for every thread that uses the record */
  _Atomic uint32_t reading;       /* inside front_read_begin and _end */
  uint32_t depth;                 /* completions running on this stack */
  front_call *dispatching;        /* the innermost call whose handler runs inside its start on this thread */
  front_call *deferred_first;     /* completions that wait for the outermost one */
  front_call *deferred_last;
  front_call *calls;              /* free blocks */
  struct front_context *contexts; /* free contexts */
  uint32_t call_count;
  uint32_t context_count;
  struct front_thread *next;      /* all threads, ever */
  struct front_thread *next_idle;
  void *scratch;                  /* what AimRT's allocator gave last */
  size_t scratch_size;
  _Atomic uint64_t started[FRONT_MAX_RUNTIMES]; /* written by this thread only */
  _Atomic uint64_t finished[FRONT_MAX_RUNTIMES];
  _Atomic uint32_t running[FRONT_MAX_RUNTIMES]; /* handlers on this stack */
} front_thread;

#define FRONT_THREAD_CALLS 64u
#define FRONT_THREAD_CONTEXTS 64u

FRONT_HIDDEN extern _Thread_local front_thread *front_thread_current __attribute__((tls_model("initial-exec")));
FRONT_HIDDEN front_thread *front_thread_join(void);

/* The record of the calling thread; NULL only when out of memory at its first use. */
static inline front_thread *front_thread_self(void) {
  front_thread *thread = front_thread_current;
  return FRONT_LIKELY(thread != NULL) ? thread : front_thread_join();
}

/* A read section keeps entries and runtimes that it finds from being freed; it must be short and never blocks. */
FRONT_HIDDEN extern uint32_t front_read_needs_fence;
static inline void front_read_begin(front_thread *thread) {
  if (FRONT_UNLIKELY(front_read_needs_fence != 0)) {
    (void)atomic_exchange_explicit(&thread->reading, 1, memory_order_seq_cst);
    return;
  }
  atomic_store_explicit(&thread->reading, 1, memory_order_relaxed);
  atomic_signal_fence(memory_order_seq_cst); /* front_read_wait makes the processor agree, with membarrier */
}
static inline void front_read_end(front_thread *thread) {
  atomic_store_explicit(&thread->reading, 0, memory_order_release);
}
/* Returns when every read section that began before has ended. */
FRONT_HIDDEN void front_read_wait(void);

static inline void front_count_started(front_thread *thread, uint32_t runtime) {
  uint64_t count = atomic_load_explicit(&thread->started[runtime], memory_order_relaxed);
  atomic_store_explicit(&thread->started[runtime], count + 1, memory_order_release);
}
static inline void front_count_finished(front_thread *thread, uint32_t runtime) {
  uint64_t count = atomic_load_explicit(&thread->finished[runtime], memory_order_relaxed);
  atomic_store_explicit(&thread->finished[runtime], count + 1, memory_order_release);
}
FRONT_HIDDEN uint64_t front_open_calls(uint32_t runtime);
/* A handler may go on after its finish: what it uses must stay until it returns. */
FRONT_HIDDEN bool front_handlers_run(uint32_t runtime);

/* ---- Runtime, module, method, service ----------------------------------------------------------------------------------- */

struct front_runtime {
  uint64_t handle;
  uint64_t go_id;
  uint32_t index;
  _Atomic uint32_t state;
  _Atomic uint32_t start_flags;
  _Atomic uint32_t shutdown_requested;
  _Atomic uint32_t shutdown_claimed;
  _Atomic uint32_t change; /* futex word: moves with state and shutdown_requested */
  _Atomic uint64_t pool;   /* executor handle of the handler pool, 0 = none */
  front_lock lock;         /* guards the lists below */
  front_module *modules;
  front_method *methods;
  front_service *services;
  struct front_counter *counters;
  aimrt_rpc_str_t *passed_keys;
  uint32_t passed_key_count;
  front_runtime *next; /* free list or graveyard */
};

struct front_module {
  uint64_t handle;
  uint64_t rpc_handle;
  uint64_t go_id;
  front_runtime *runtime;
  aimrt_rpc_str_t name;
  aimrt_rpc_str_t package;
  aimrt_rpc_str_t config_path;
  aimrt_module_info_t info; /* versions and, owned, author and description; the name is above */
  _Atomic uint32_t log_level;
  _Atomic(struct compat_module *) compat; /* tables for code written for AimRT, made when somebody asks */
  uint64_t compat_handle;                 /* by which they find the module */
  void (*compat_close)(struct compat_module *tables);
  front_module *next;
};

/* Numbers the calls of one function name in one runtime. */
typedef struct front_counter {
  _Atomic uint64_t calls __attribute__((aligned(64)));
  struct front_counter *next;
  aimrt_rpc_str_t name;
} front_counter;

typedef struct front_entry {
  uint32_t kind;
  uint32_t flags;
  uint32_t code;
  uint64_t default_timeout_ns;
  uint64_t engine_id;
  uint64_t timeout_executor;
  front_service *service;
  const aimrt_rpc_str_t *backend; /* interned, never NULL */
  aimrt_rpc_str_t text;           /* owned */
} front_entry;

/* What client methods and services have in common. */
typedef struct front_types {
  const aimrt_rpc_type_support_t *request;  /* both NULL: raw */
  const aimrt_rpc_type_support_t *response;
  const aimrt_rpc_str_t **serializations;   /* interned; of the request type, or of raw bytes */
  size_t serialization_count;               /* 0 only for raw: any */
  const aimrt_rpc_str_t *serialization;     /* the default */
} front_types;

struct front_method {
  uint64_t handle;
  uint64_t go_id;
  front_module *module;
  front_counter *counter;
  _Atomic(const front_entry *) entry;
  front_types types;
  aimrt_rpc_str_t name;
  front_method *next;
};

struct front_service {
  uint64_t handle;
  uint64_t go_id;
  front_module *module;
  aimrt_rpc_handler_fn handler;
  void *user_data;
  aimrt_rpc_free_fn user_data_free;
  uint64_t queue; /* handle, 0 = handler */
  uint64_t tag;
  uint32_t flags;
  _Atomic uint64_t executor; /* the service's own, or what the rules name */
  _Atomic uintptr_t lock_owner;
  front_types types;
  aimrt_rpc_str_t name;
  front_service *next;
};

/* ---- Contexts (context.c) ----------------------------------------------------------------------------------------------- */

typedef struct front_pair {
  uint32_t key;
  uint32_t key_size;
  uint32_t value;
  uint32_t value_size;
} front_pair;

typedef struct front_context {
  front_slot *slot;
  uint32_t index;
  uint32_t kind;
  front_server_call *server; /* the call that an embedded server context belongs to; NULL = a user's context */
  const struct front_context *base; /* direct call: reads go to the client's context until the first write */
  const aimrt_rpc_context_base_t *foreign; /* the same for a client context of a module written for AimRT */
  uint64_t timeout_ns;
  uint64_t deadline_ns; /* CLOCK_MONOTONIC; FRONT_NEVER = none */
  bool framework;       /* the keys below are shown without being stored */
  bool has_to_addr;     /* among the pairs */
  bool has_serialization;
  bool shown; /* an embedded context whose handle somebody asked for */
  uint32_t pair_count;
  uint32_t pair_capacity;
  uint32_t garbage; /* bytes of text that no pair uses */
  front_pair *pairs;
  front_bytes text;
  aimrt_rpc_pair_t *views; /* what aimrt_rpc_context_metadata gave last */
  size_t view_capacity;
  uint64_t request_id;
  aimrt_rpc_str_t serialization;  /* client: interned or in serialization_text */
  const aimrt_rpc_str_t *backend; /* NULL = not shown */
  char request_id_text[24];
  char serialization_text[FRONT_MAX_SERIALIZATION_BYTES + 1];
  struct front_context *next_free;
} front_context;

FRONT_HIDDEN front_context *front_context_take(front_thread *thread);
FRONT_HIDDEN void front_context_give(front_thread *thread, front_context *context);
/* Prepares an embedded context once per life of its block; false when no slot is left. */
FRONT_HIDDEN bool front_context_embed(front_context *context, front_server_call *server);
FRONT_HIDDEN void front_context_clear(front_context *context);
/* Copies all that is visible into the context's own pairs: before a write, and for retain. False when out of memory. */
FRONT_HIDDEN bool front_context_own(front_context *context);
/* Replaces the pairs of to by those the user set in from. */
FRONT_HIDDEN bool front_context_copy_pairs(front_context *to, const front_context *from);
FRONT_HIDDEN bool front_context_append(front_context *context, aimrt_rpc_str_t key, aimrt_rpc_str_t value);
FRONT_HIDDEN aimrt_rpc_str_t front_context_value(front_context *context, aimrt_rpc_str_t key);
/* The user's pairs as views; NULL when out of memory. */
FRONT_HIDDEN const aimrt_rpc_pair_t *front_context_user_pairs(front_context *context, size_t *count_out);
/* A call is done with a client context: it may be reset, released and reused. */
FRONT_HIDDEN void front_context_unuse(front_thread *thread, front_context *context);
FRONT_HIDDEN uint64_t front_context_show(front_context *context);
FRONT_HIDDEN void front_context_hide(front_context *context);
FRONT_HIDDEN void front_context_free_memory(front_context *context, size_t keep);
/* aimrt_rpc_context_set or _add, and _metadata, on the object itself. */
FRONT_HIDDEN aimrt_rpc_result_t front_context_change(front_context *context, aimrt_rpc_str_t key, aimrt_rpc_str_t value,
                                                     bool replace, aimrt_rpc_error_t *error);
FRONT_HIDDEN aimrt_rpc_pair_t *front_context_views(front_context *context, size_t *count_out);
/* Fills a cleared client context with what a module's own context holds, but for the keys that each call writes anew. False past the limits
 * of a context and when memory is out. */
FRONT_HIDDEN bool front_context_load(front_context *context, const aimrt_rpc_pair_t *pairs, size_t count);

/* ---- Queues (queue.c) --------------------------------------------------------------------------------------------------- */

typedef struct front_node {
  struct front_node *next;
  uint32_t kind; /* AIMRT_RPC_EVENT_* */
  bool queued;
  uint64_t tag;
  void *object; /* front_call or front_server_call */
} front_node;

/* Puts a node into a queue; false when the handle is stale. The queue then gets the shutdown event of that runtime, too. */
FRONT_HIDDEN bool front_queue_push(uint64_t queue, front_node *node, uint32_t runtime);
/* True when the calling thread drained this queue last. */
FRONT_HIDDEN bool front_queue_owned(uint64_t queue, const front_thread *thread);
/* True while the node waits in the queue. */
FRONT_HIDDEN bool front_queue_holds(uint64_t queue, const front_node *node);
FRONT_HIDDEN void front_queues_push_shutdown(uint32_t runtime, uint64_t runtime_handle);

/* ---- Executors by handle (executors_api.c) ------------------------------------------------------------------------------ */

/* Keeps an executor from its release while it is used. */
typedef struct front_executor_lease {
  struct front_executor *executor;
  struct front_executor_ref *ref;
} front_executor_lease;
/* False for a stale handle. */
FRONT_HIDDEN bool front_executor_lend(uint64_t handle, front_executor_lease *lease);
FRONT_HIDDEN void front_executor_return(const front_executor_lease *lease);

/* ---- Calls -------------------------------------------------------------------------------------------------------------- */

typedef struct front_on_cancel {
  aimrt_rpc_call_cancelled_fn fn;
  void *user_data;
  aimrt_rpc_free_fn user_data_free;
} front_on_cancel;

struct front_server_call {
  front_slot *slot;
  uint32_t index;
  uint32_t runtime; /* index */
  front_service *service; /* valid while the call is open */
  uint64_t queue;         /* of the service, 0 = it has a handler */
  void *request_message;
  void *response_message;
  const aimrt_rpc_type_support_t *request_type; /* of messages that this side owns; NULL = none */
  const aimrt_rpc_type_support_t *response_type;
  uint64_t engine_token; /* 0 = the client side is in the same block */
  aimrt_rpc_str_t serialization;
  aimrt_rpc_bytes_t request; /* raw services */
  _Atomic bool used_cancel; /* on_cancel was set */
  bool begun;               /* the task of the handler ran */
  front_lock cancel_lock;
  front_on_cancel on_cancel; /* guarded by cancel_lock */
  front_node arrived;
  front_node cancelled;
  uint64_t cancelled_handle;
  front_bytes request_bytes;
  front_bytes answer_bytes;
  aimrt_rpc_context_base_t view; /* context as a service written for AimRT sees it */
  front_context context;
};

enum { FRONT_DELIVER_WAIT, FRONT_DELIVER_CALLBACK, FRONT_DELIVER_QUEUE };

struct front_call {
  front_slot *slot;
  uint32_t index;
  uint32_t runtime; /* index */
  uint32_t kind;    /* FRONT_ENTRY_*; REFUSE also for calls that never got so far */
  uint32_t delivery;
  front_method *method;
  front_context *context; /* NULL = none, or no more used */
  const aimrt_rpc_str_t *backend;
  void *request_message;
  void *response_message;
  uint64_t request_id;
  uint64_t timeout_ns;
  uint64_t engine_id;
  uint64_t timeout_executor;
  uint32_t flags;       /* of the entry */
  bool ended_inline;    /* on the starter's thread, inside its handler */
  bool has_handle;
  bool timed;           /* the timer was armed */
  uint32_t inline_refs; /* references left for the starter to drop with its own */
  uint64_t started_handle; /* what start gives back */
  aimrt_rpc_str_t serialization;
  aimrt_rpc_call_done_fn done; /* NULL: function */
  void *user_data;
  const aimrt_rpc_context_base_t *foreign; /* the client's own; context is a copy of it or, in a direct call, NULL */
  aimrt_rpc_str_t foreign_serialization;   /* what it asks for, valid until it is changed */
  aimrt_function_base_t function;          /* owned, delivery FRONT_DELIVER_CALLBACK */
  uint64_t queue;
  uint64_t tag;
  front_once_event ended;
  /* The outcome; texts lie in text_bytes or are static. */
  aimrt_rpc_code_t code;
  uint32_t detail_count;
  aimrt_rpc_str_t message;
  aimrt_rpc_bytes_t response;
  aimrt_rpc_str_t response_serialization;
  aimrt_rpc_str_t trace;
  aimrt_rpc_str_t native_dialect;
  aimrt_rpc_str_t native_code;
  aimrt_rpc_str_t peer;
  aimrt_rpc_pair_t *details; /* in text_bytes, after the texts */
  front_bytes text_bytes;
  front_bytes response_bytes;
  front_node finished;
  front_timer timer;
  front_call *next; /* free list, or deferred completions */
  char serialization_text[FRONT_MAX_SERIALIZATION_BYTES + 1];
  char response_room[FRONT_MAX_SERIALIZATION_BYTES + 1];
  front_server_call server;
};

static inline front_call *front_server_block(front_server_call *server) {
  return (front_call *)((char *)server - offsetof(front_call, server));
}
static inline uint64_t front_server_handle(const front_server_call *server) {
  return front_word_handle(atomic_load_explicit(&server->slot->word, memory_order_relaxed), server->index);
}
static inline uint64_t front_call_handle(const front_call *call) {
  return front_word_handle(atomic_load_explicit(&call->slot->word, memory_order_relaxed), call->index);
}

/* pool.c */
FRONT_HIDDEN bool front_calls_refill(front_thread *thread);
FRONT_HIDDEN void front_calls_give_back(front_thread *thread);
/* The generations of a slot are used up after 2^32 calls: the object moves to another slot. */
FRONT_HIDDEN bool front_slot_move(uint32_t kind, void *object, front_slot **slot, uint32_t *index, uint64_t state);

/* A block whose client word has the given state. NULL past the limit. */
static inline front_call *front_call_take(front_thread *thread, uint32_t runtime, uint64_t state) {
  if (FRONT_UNLIKELY(thread->calls == NULL) && !front_calls_refill(thread)) return NULL;
  front_call *call = thread->calls;
  state |= (uint64_t)runtime << FRONT_RUNTIME_SHIFT;
  if (FRONT_UNLIKELY(!front_slot_renew(call->slot, state)) &&
      !front_slot_move(AIMRT_RPC_KIND_CALL, call, &call->slot, &call->index, state))
    return NULL;
  thread->calls = call->next;
  thread->call_count--;
  call->runtime = runtime;
  return call;
}
static inline void front_call_give(front_thread *thread, front_call *call) {
  call->next = thread->calls;
  thread->calls = call;
  if (FRONT_UNLIKELY(++thread->call_count > FRONT_THREAD_CALLS)) front_calls_give_back(thread);
}
/* Begins the server side of a taken block. False when no slot is left. */
static inline bool front_server_open(front_server_call *server, uint64_t state) {
  return FRONT_LIKELY(front_slot_renew(server->slot, state)) ||
         front_slot_move(AIMRT_RPC_KIND_SERVER_CALL, server, &server->slot, &server->index, state);
}
/* Calls fn for every block that was ever made. */
FRONT_HIDDEN void front_call_each(void (*fn)(front_call *call, void *arg), void *arg);

FRONT_HIDDEN void front_method_free(front_method *method);
FRONT_HIDDEN void front_service_free(front_service *service);

/* front.c: how a client call ends. */
typedef struct front_result {
  uint32_t code;
  uint32_t detail_count;
  aimrt_rpc_str_t message;
  aimrt_rpc_str_t trace;
  const aimrt_rpc_pair_t *details;
} front_result;
/* Reads a status that a user gives (serve.c). */
FRONT_HIDDEN aimrt_rpc_result_t front_status_read(front_result *result, const aimrt_rpc_status_t *status, aimrt_rpc_error_t *error);
FRONT_HIDDEN bool front_call_claim(front_call *call);
FRONT_HIDDEN void front_call_set_result(front_call *call, const front_result *result);
FRONT_HIDDEN void front_call_deliver(front_thread *thread, front_call *call);
FRONT_HIDDEN void front_call_unref(front_thread *thread, front_call *call, uint32_t count);
/* One more reference for a live handle; NULL when it is stale. */
FRONT_HIDDEN front_call *front_call_ref(uint64_t handle);
/* Clears the handle if it is live; its reference goes too. */
FRONT_HIDDEN void front_call_drop_handle(front_thread *thread, front_call *call, uint64_t handle);
FRONT_HIDDEN void front_call_describe(const front_call *call, aimrt_rpc_outcome_t *outcome);
/* Ends a pending local call early; the reference that the caller holds stays. False when it had ended. */
FRONT_HIDDEN bool front_call_abort(front_call *call, uint32_t code);
FRONT_HIDDEN void front_call_end(front_thread *thread, front_call *call, uint32_t code, const char *text);
FRONT_HIDDEN void front_dispatch(front_thread *thread, front_call *call, aimrt_rpc_bytes_t request);
/* Completions that wait for an outer one run now: before this thread blocks. */
FRONT_HIDDEN void front_run_deferred(front_thread *thread);
FRONT_HIDDEN aimrt_rpc_str_t front_code_text(uint32_t code);
/* Copied as a whole: two halves that are stored one by one cannot be forwarded to the copy into the outcome. */
FRONT_HIDDEN extern const aimrt_rpc_str_t front_ok_text;

/* foreign.c: contexts and closures of modules that were written for AimRT. */
FRONT_HIDDEN extern const aimrt_rpc_context_base_ops_t front_foreign_ops; /* impl = an embedded front_context */
/* Begins the use of a module's context for a call; gives a code. All but a direct call get a copy. */
FRONT_HIDDEN uint32_t front_foreign_use(front_thread *thread, front_call *call, const aimrt_rpc_context_base_t *context);
/* Writes the framework's keys into it, before the call is carried out. */
FRONT_HIDDEN void front_foreign_tell(front_call *call);
/* Moves a closure; a NULL or empty one leaves an empty one. */
FRONT_HIDDEN void front_function_take(aimrt_function_base_t *to, aimrt_function_base_t *from);
/* Destroys a closure that was taken. */
FRONT_HIDDEN void front_function_drop(aimrt_function_base_t *function);
/* call.c: starts a call whose end a closure is told. A code other than 0: it did not start, and callback is still the caller's. */
FRONT_HIDDEN uint32_t front_start_function(aimrt_rpc_method_t method, const aimrt_rpc_context_base_t *context, const void *request,
                                           void *response, aimrt_function_base_t *callback);

/* codec.c: type support. */
FRONT_HIDDEN bool front_types_init(front_types *types, const aimrt_rpc_type_support_t *request,
                                   const aimrt_rpc_type_support_t *response, const aimrt_rpc_str_t *serializations, size_t count);
FRONT_HIDDEN void front_types_free(front_types *types);
/* The interned name when listed; for raw types without a list any name up to FRONT_MAX_SERIALIZATION_BYTES, put into room. */
FRONT_HIDDEN bool front_types_accept(const front_types *types, aimrt_rpc_str_t name, char *room, aimrt_rpc_str_t *out);
FRONT_HIDDEN bool front_type_lists(const aimrt_rpc_type_support_t *type, aimrt_rpc_str_t name);
/* Serializes into bytes, replacing them. */
FRONT_HIDDEN bool front_encode(const aimrt_rpc_type_support_t *type, aimrt_rpc_str_t serialization, const void *message,
                               front_bytes *bytes);
FRONT_HIDDEN bool front_decode(const aimrt_rpc_type_support_t *type, aimrt_rpc_str_t serialization, const void *data, size_t size,
                               void *message);
/* Forgets everything appended so far. */
FRONT_HIDDEN void front_writer_reset(aimrt_rpc_writer_t *writer);

/* serve.c: the server side. */
FRONT_HIDDEN bool front_server_make_messages(front_server_call *server);
FRONT_HIDDEN void front_server_drop_messages(front_server_call *server);
/* Runs the handler, or puts the event into the service's queue. */
FRONT_HIDDEN void front_server_run(front_thread *thread, front_server_call *server);
/* Sets the flag and tells on_cancel or the queue. False when it has finished or was cancelled before. */
FRONT_HIDDEN bool front_server_cancel(front_server_call *server, uint32_t runtime);
FRONT_HIDDEN void front_server_unref(front_thread *thread, front_server_call *server);
FRONT_HIDDEN aimrt_rpc_result_t front_server_finish(front_server_call *server, uint64_t handle, const front_result *result,
                                                    aimrt_rpc_bytes_t response, aimrt_rpc_str_t serialization);
/* Gives back what a retain kept; a no-op for anything else. */
FRONT_HIDDEN void front_server_release(uint64_t handle);
/* Runtimes whose shutdown has cancelled everything: one bit each. */
FRONT_HIDDEN extern _Atomic uint64_t front_cancelled_runtimes;

#endif /* AIMRT_RPC_CAPI_OBJECTS_H_ */
