/*
 * queue.c - event queues. Nodes lie in the calls they tell about, so a push neither allocates nor fails for want of memory.
 *
 * A queue's lock is held for a few instructions and one system call at the edge between empty and not; nothing is called under it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

typedef struct front_queue {
  front_lock lock;         /* guards all fields down to runtimes */
  uint64_t handle;         /* 0 = released; the memory is kept */
  front_node *first;
  front_node *last;
  uint64_t count;
  uint32_t wakes;
  uint32_t waiters;
  int fd;
  uint64_t runtimes;       /* one bit per runtime whose shutdown event this queue gets */
  _Atomic uint64_t owner;  /* serial of the thread that drained last, 0 = none */
  _Atomic uint32_t change; /* futex word of aimrt_rpc_queue_wait */
  struct front_queue *next_idle;
  struct front_queue *next; /* all queues, ever */
} front_queue;

static front_lock queues_lock; /* guards the two below */
static front_queue *idle_queues;
static front_queue *all_queues;

static front_queue *find_queue(uint64_t handle) { return front_handle_find(AIMRT_RPC_KIND_QUEUE, handle); }

/* The caller holds the lock. */
static void append(front_queue *queue, front_node *node) {
  node->next = NULL;
  node->queued = true;
  if (queue->first == NULL) {
    queue->first = node;
    /* The counter of an eventfd that is only written at this edge cannot overflow, so the write cannot fail. */
    (void)eventfd_write(queue->fd, 1);
  } else {
    queue->last->next = node;
  }
  queue->last = node;
  queue->count++;
  (void)atomic_fetch_add_explicit(&queue->change, 1, memory_order_release);
}

/* Locks the queue of a live handle; NULL when it is stale. */
static front_queue *lock_queue(uint64_t handle) {
  front_queue *queue = find_queue(handle);
  if (queue == NULL) return NULL;
  front_lock_acquire(&queue->lock);
  if (queue->handle == handle) return queue;
  front_lock_release(&queue->lock);
  return NULL;
}

static void unlock_and_wake(front_queue *queue) {
  bool sleepers = queue->waiters != 0;
  front_lock_release(&queue->lock);
  if (sleepers) front_futex_wake_all(&queue->change);
}

bool front_queue_push(uint64_t handle, front_node *node, uint32_t runtime) {
  front_queue *queue = lock_queue(handle);
  if (queue == NULL) return false;
  queue->runtimes |= UINT64_C(1) << runtime;
  append(queue, node);
  unlock_and_wake(queue);
  return true;
}

bool front_queue_owned(uint64_t handle, const front_thread *thread) {
  front_queue *queue = find_queue(handle);
  return queue != NULL && atomic_load_explicit(&queue->owner, memory_order_relaxed) == thread->serial;
}

bool front_queue_holds(uint64_t handle, const front_node *node) {
  front_queue *queue = lock_queue(handle);
  if (queue == NULL) return false;
  bool held = node->queued;
  front_lock_release(&queue->lock);
  return held;
}

/* ---- Public ------------------------------------------------------------------------------------------------------------- */

static aimrt_rpc_result_t stale_queue(uint64_t handle, aimrt_rpc_error_t *error) {
  return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live queue", (unsigned long long)handle);
}

aimrt_rpc_result_t aimrt_rpc_queue_create(aimrt_rpc_queue_t *queue_out, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (queue_out != NULL) *queue_out = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (queue_out == NULL) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "queue_out is NULL");
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return front_fail(error, AIMRT_RPC_RESULT_IO, "no descriptor for a queue: %s", strerror(errno));
  front_lock_acquire(&queues_lock);
  front_queue *queue = idle_queues;
  if (queue != NULL) idle_queues = queue->next_idle;
  if (queue == NULL && (queue = calloc(1, sizeof *queue)) != NULL) {
    queue->next = all_queues;
    all_queues = queue;
  }
  front_lock_release(&queues_lock);
  uint64_t handle = 0;
  if (queue != NULL) {
    front_lock_acquire(&queue->lock);
    queue->fd = fd;
    queue->runtimes = 0;
    atomic_store_explicit(&queue->owner, 0, memory_order_relaxed);
    handle = queue->handle = front_handle_new(AIMRT_RPC_KIND_QUEUE, queue);
    front_lock_release(&queue->lock);
  }
  if (handle == 0) {
    (void)close(fd);
    return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for a queue");
  }
  *queue_out = handle;
  return AIMRT_RPC_RESULT_OK;
}

int32_t aimrt_rpc_queue_fd(aimrt_rpc_queue_t queue) {
  if (front_guards_forked()) return -1;
  front_queue *found = lock_queue(queue);
  if (found == NULL) return -1;
  int fd = found->fd;
  front_lock_release(&found->lock);
  return fd;
}

/* The same state under another handle; the last generation of a slot stays as it is. */
static uint64_t next_generation(uint64_t word) {
  uint64_t next = word + FRONT_STATE_MASK + 1;
  return next >> 56 == word >> 56 ? next : word;
}

/* Turns a node into the event of a finished call. The event's reference becomes the handle's, or goes when the user kept the handle. */
static void take_finished(front_node *node, aimrt_rpc_event_t *event) {
  front_call *call = node->object;
  uint64_t word = atomic_load_explicit(&call->slot->word, memory_order_acquire);
  event->code = call->code;
  event->message = call->message;
  event->payload = (aimrt_rpc_payload_t){call->response, call->response_serialization, call->response_message};
  event->response = call->response_message;
  uint64_t wanted;
  do {
    if ((word & FRONT_LIVE) != 0)
      wanted = word - FRONT_REF; /* not the last one: the handle has its own */
    else
      wanted = next_generation(word) | FRONT_LIVE; /* the user has released the handle he got at start: a new one for the event */
  } while (!front_word_swap(call->slot, &word, wanted));
  event->call = front_word_handle(wanted, call->index);
}

static void take_event(front_thread *thread, front_node *node, aimrt_rpc_event_t *event) {
  memset(event, 0, sizeof *event);
  event->kind = node->kind;
  event->tag = node->tag;
  if (node->kind == AIMRT_RPC_EVENT_CALL_FINISHED) {
    take_finished(node, event);
  } else if (node->kind == AIMRT_RPC_EVENT_CALL_ARRIVED) {
    front_server_call *server = node->object;
    event->call = front_server_handle(server);
    event->payload.serialization = server->serialization;
    event->payload.message = server->request_message;
    if (server->request_message == NULL) event->payload.bytes = server->request;
    event->response = server->response_message;
  } else if (node->kind == AIMRT_RPC_EVENT_CALL_CANCELLED) {
    front_server_call *server = node->object;
    event->call = server->cancelled_handle;
    front_server_unref(thread, server);
  } else {
    free(node);
  }
}

aimrt_rpc_result_t aimrt_rpc_queue_drain(aimrt_rpc_queue_t queue, aimrt_rpc_event_t *events_out, size_t capacity, size_t *count_out,
                                         aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (count_out != NULL) *count_out = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (count_out == NULL || (events_out == NULL && capacity != 0))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "events_out or count_out is NULL");
  front_thread *thread = front_thread_self();
  if (thread == NULL) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for the record of this thread");
  front_queue *found = lock_queue(queue);
  if (found == NULL) return stale_queue(queue, error);
  atomic_store_explicit(&found->owner, thread->serial, memory_order_relaxed);
  front_node *first = found->first;
  front_node *end = first;
  size_t count = 0;
  for (; end != NULL && count < capacity; end = end->next, count++) {
    end->queued = false;
    if (end->kind == AIMRT_RPC_EVENT_WAKE) found->wakes--;
  }
  found->first = end;
  found->count -= count;
  eventfd_t value;
  if (count != 0 && end == NULL) (void)eventfd_read(found->fd, &value);
  front_lock_release(&found->lock);
  for (size_t i = 0; i < count; i++) {
    front_node *next = first->next;
    take_event(thread, first, &events_out[i]);
    first = next;
  }
  *count_out = count;
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_queue_wait(aimrt_rpc_queue_t queue, uint64_t timeout_ns, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  front_thread *thread = front_thread_self();
  if (thread != NULL) front_run_deferred(thread);
  uint64_t deadline = timeout_ns == FRONT_NEVER ? FRONT_NEVER : front_add_ns(front_monotonic_ns(), timeout_ns);
  bool in_time = true;
  for (;;) {
    front_queue *found = lock_queue(queue);
    if (found == NULL) return stale_queue(queue, error);
    bool ready = found->first != NULL;
    uint32_t change = atomic_load_explicit(&found->change, memory_order_relaxed);
    bool sleep = !ready && in_time && timeout_ns != 0;
    if (sleep) found->waiters++;
    front_lock_release(&found->lock);
    if (ready) return AIMRT_RPC_RESULT_OK;
    if (!sleep) return front_fail(error, AIMRT_RPC_RESULT_TIMEOUT, "no event came in time");
    in_time = front_futex_wait(&found->change, change, deadline);
    front_lock_acquire(&found->lock);
    found->waiters--;
    front_lock_release(&found->lock);
  }
}

static front_node *new_node(uint32_t kind, uint64_t tag) {
  front_node *node = calloc(1, sizeof *node);
  if (node == NULL) return NULL;
  node->kind = kind;
  node->tag = tag;
  return node;
}

aimrt_rpc_result_t aimrt_rpc_queue_wake(aimrt_rpc_queue_t queue, uint64_t tag, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  front_node *node = new_node(AIMRT_RPC_EVENT_WAKE, tag);
  if (node == NULL) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for a wake event");
  front_queue *found = lock_queue(queue);
  if (found == NULL) {
    free(node);
    return stale_queue(queue, error);
  }
  if (found->wakes == FRONT_MAX_QUEUE_WAKES) {
    front_lock_release(&found->lock);
    free(node);
    return front_fail(error, AIMRT_RPC_RESULT_LIMIT, "%u wake events wait in the queue already", FRONT_MAX_QUEUE_WAKES);
  }
  found->wakes++;
  append(found, node);
  unlock_and_wake(found);
  return AIMRT_RPC_RESULT_OK;
}

void front_queues_push_shutdown(uint32_t runtime, uint64_t runtime_handle) {
  front_lock_acquire(&queues_lock);
  front_queue *queue = all_queues;
  front_lock_release(&queues_lock);
  uint64_t bit = UINT64_C(1) << runtime;
  for (; queue != NULL; queue = queue->next) { /* next never changes once the queue is in the list */
    front_node *node = new_node(AIMRT_RPC_EVENT_SHUTDOWN, runtime_handle);
    if (node == NULL) return;
    front_lock_acquire(&queue->lock);
    bool concerned = queue->handle != 0 && (queue->runtimes & bit) != 0;
    if (concerned) {
      queue->runtimes &= ~bit;
      append(queue, node);
      unlock_and_wake(queue);
    } else {
      front_lock_release(&queue->lock);
      free(node);
    }
  }
}

/* Nobody will drain this node any more. */
static void abandon(front_thread *thread, front_node *node) {
  aimrt_rpc_event_t event;
  take_event(thread, node, &event);
  if (event.kind == AIMRT_RPC_EVENT_CALL_FINISHED) aimrt_rpc_call_release(event.call);
  if (event.kind == AIMRT_RPC_EVENT_CALL_ARRIVED) {
    const aimrt_rpc_str_t none = {NULL, 0};
    (void)front_finish_raw(event.call, AIMRT_RPC_CODE_SVR_NOT_READY, none, none, (aimrt_rpc_bytes_t){NULL, 0}, none, NULL);
  }
}

void aimrt_rpc_queue_release(aimrt_rpc_queue_t queue) {
  if (front_guards_forked()) return;
  front_queue *found = front_handle_drop(AIMRT_RPC_KIND_QUEUE, queue);
  front_thread *thread = found == NULL ? NULL : front_thread_self();
  if (found == NULL) return;
  front_lock_acquire(&found->lock);
  front_node *node = found->first;
  int fd = found->fd;
  found->first = NULL;
  found->handle = 0;
  found->count = 0;
  found->wakes = 0;
  found->fd = -1;
  for (front_node *n = node; n != NULL; n = n->next) n->queued = false;
  (void)atomic_fetch_add_explicit(&found->change, 1, memory_order_release);
  unlock_and_wake(found);
  (void)close(fd);
  while (node != NULL && thread != NULL) {
    front_node *next = node->next;
    abandon(thread, node);
    node = next;
  }
  front_lock_acquire(&queues_lock);
  found->next_idle = idle_queues;
  idle_queues = found;
  front_lock_release(&queues_lock);
}
