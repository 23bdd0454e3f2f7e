/*
 * executors_api.c - executors by handle: what aimrt_rpc.h says about them on top of executor.h.
 *
 * An executor's memory goes at its release, so the table holds a counted reference whose own memory is kept.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "executor.h"
#include "objects.h"

#include <stdlib.h>

typedef struct front_executor_ref {
  _Atomic uint64_t handle; /* 0 while idle */
  _Atomic uint32_t users;  /* the handle, and every lease; 0 while idle */
  front_executor *executor;
  struct front_executor_ref *next;
} front_executor_ref;

/* A task posted for later. */
typedef struct front_timer_ref {
  uint64_t executor;
  uint64_t id;
  struct front_timer_ref *next;
} front_timer_ref;

static front_lock refs_lock; /* guards the two below */
static front_executor_ref *idle_refs;
static front_timer_ref *idle_timers;

/* ---- References --------------------------------------------------------------------------------------------------------- */

static void give_ref(front_executor_ref *ref) {
  front_lock_acquire(&refs_lock);
  ref->next = idle_refs;
  idle_refs = ref;
  front_lock_release(&refs_lock);
}

aimrt_rpc_executor_t front_executor_publish(struct front_executor *executor) {
  front_lock_acquire(&refs_lock);
  front_executor_ref *ref = idle_refs;
  if (ref != NULL) idle_refs = ref->next;
  front_lock_release(&refs_lock);
  if (ref == NULL) ref = calloc(1, sizeof *ref);
  if (ref == NULL) return 0;
  ref->executor = executor;
  atomic_store_explicit(&ref->users, 1, memory_order_release);
  uint64_t handle = front_handle_new(AIMRT_RPC_KIND_EXECUTOR, ref);
  atomic_store_explicit(&ref->handle, handle, memory_order_release);
  if (handle != 0) return handle;
  atomic_store_explicit(&ref->users, 0, memory_order_relaxed);
  give_ref(ref);
  return 0;
}

static void drop_user(front_executor_ref *ref) {
  if (atomic_fetch_sub_explicit(&ref->users, 1, memory_order_acq_rel) != 1) return;
  front_executor_release(ref->executor);
  ref->executor = NULL;
  give_ref(ref);
}

void front_executor_withdraw(aimrt_rpc_executor_t handle) {
  front_executor_ref *ref = front_handle_drop(AIMRT_RPC_KIND_EXECUTOR, handle);
  if (ref == NULL) return;
  atomic_store_explicit(&ref->handle, 0, memory_order_release);
  drop_user(ref);
}

bool front_executor_lend(uint64_t handle, front_executor_lease *lease) {
  front_executor_ref *ref = front_handle_find(AIMRT_RPC_KIND_EXECUTOR, handle);
  if (ref == NULL) return false;
  uint32_t users = atomic_load_explicit(&ref->users, memory_order_acquire);
  do {
    if (users == 0) return false;
  } while (!atomic_compare_exchange_weak_explicit(&ref->users, &users, users + 1, memory_order_acq_rel, memory_order_acquire));
  if (atomic_load_explicit(&ref->handle, memory_order_acquire) != handle) {
    drop_user(ref); /* it has gone to another executor meanwhile */
    return false;
  }
  *lease = (front_executor_lease){ref->executor, ref};
  return true;
}

void front_executor_return(const front_executor_lease *lease) { drop_user(lease->ref); }

/* ---- Posting ------------------------------------------------------------------------------------------------------------ */

static aimrt_rpc_result_t explain(aimrt_rpc_result_t result, const front_executor *executor, aimrt_rpc_error_t *error) {
  const char *name = front_executor_name(executor);
  switch (result) {
    case AIMRT_RPC_RESULT_OK: return result;
    case AIMRT_RPC_RESULT_LIMIT: return front_fail(error, result, "the queue of executor \"%s\" is full", name);
    case AIMRT_RPC_RESULT_INVALID_STATE: return front_fail(error, result, "executor \"%s\" has shut down", name);
    case AIMRT_RPC_RESULT_UNSUPPORTED:
      return front_fail(error, result, "executor \"%s\" of type %s has no timers", name, front_executor_type_text(executor));
    default: return front_fail(error, result, "executor \"%s\": %s", name, aimrt_rpc_result_string(result));
  }
}

static aimrt_rpc_result_t lend(aimrt_rpc_executor_t executor, aimrt_rpc_task_fn task, front_executor_lease *lease,
                               aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (!front_executor_lend(executor, lease))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live executor", (unsigned long long)executor);
  if (task != NULL) return AIMRT_RPC_RESULT_OK;
  front_executor_return(lease);
  return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "task is NULL");
}

aimrt_rpc_result_t aimrt_rpc_executor_post(aimrt_rpc_executor_t executor, aimrt_rpc_task_fn task, void *user_data,
                                           aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error) {
  front_executor_lease lease;
  aimrt_rpc_result_t result = lend(executor, task, &lease, error);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  result = explain(front_executor_post(lease.executor, (front_executor_task){task, user_data_free, user_data}), lease.executor,
                   error);
  front_executor_return(&lease);
  return result;
}

static front_timer_ref *take_timer(void) {
  front_lock_acquire(&refs_lock);
  front_timer_ref *timer = idle_timers;
  if (timer != NULL) idle_timers = timer->next;
  front_lock_release(&refs_lock);
  return timer != NULL ? timer : calloc(1, sizeof *timer);
}

static void give_timer(front_timer_ref *timer) {
  front_lock_acquire(&refs_lock);
  timer->next = idle_timers;
  idle_timers = timer;
  front_lock_release(&refs_lock);
}

static aimrt_rpc_result_t post_timed(aimrt_rpc_executor_t executor, bool absolute, uint64_t time_ns, aimrt_rpc_task_fn task,
                                     void *user_data, aimrt_rpc_free_fn user_data_free, aimrt_rpc_timer_t *timer_out,
                                     aimrt_rpc_error_t *error) {
  if (timer_out != NULL) *timer_out = 0;
  front_executor_lease lease;
  aimrt_rpc_result_t result = lend(executor, task, &lease, error);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  front_timer_ref *timer = NULL;
  aimrt_rpc_timer_t handle = 0;
  if (timer_out != NULL) {
    timer = take_timer();
    if (timer != NULL) {
      timer->executor = executor;
      timer->id = 0;
      handle = front_handle_new(AIMRT_RPC_KIND_TIMER, timer);
    }
    if (handle == 0) {
      if (timer != NULL) give_timer(timer);
      front_executor_return(&lease);
      return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for a timer");
    }
  }
  front_executor_task wanted = {task, user_data_free, user_data};
  uint64_t id = 0;
  result = absolute ? front_executor_post_at(lease.executor, time_ns, wanted, &id)
                    : front_executor_post_after(lease.executor, time_ns, wanted, &id);
  if (result == AIMRT_RPC_RESULT_OK && timer_out != NULL) {
    timer->id = id;
    *timer_out = handle;
  } else if (handle != 0) {
    aimrt_rpc_timer_release(handle);
  }
  result = explain(result, lease.executor, error);
  front_executor_return(&lease);
  return result;
}

aimrt_rpc_result_t aimrt_rpc_executor_post_after(aimrt_rpc_executor_t executor, uint64_t delay_ns, aimrt_rpc_task_fn task,
                                                 void *user_data, aimrt_rpc_free_fn user_data_free, aimrt_rpc_timer_t *timer_out,
                                                 aimrt_rpc_error_t *error) {
  return post_timed(executor, false, delay_ns, task, user_data, user_data_free, timer_out, error);
}

aimrt_rpc_result_t aimrt_rpc_executor_post_at(aimrt_rpc_executor_t executor, uint64_t time_ns, aimrt_rpc_task_fn task,
                                              void *user_data, aimrt_rpc_free_fn user_data_free, aimrt_rpc_timer_t *timer_out,
                                              aimrt_rpc_error_t *error) {
  return post_timed(executor, true, time_ns, task, user_data, user_data_free, timer_out, error);
}

aimrt_rpc_result_t aimrt_rpc_timer_cancel(aimrt_rpc_timer_t timer, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  front_timer_ref *found = front_handle_find(AIMRT_RPC_KIND_TIMER, timer);
  if (found == NULL)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live timer", (unsigned long long)timer);
  front_executor_lease lease;
  aimrt_rpc_result_t result = AIMRT_RPC_RESULT_LOST;
  if (front_executor_lend(found->executor, &lease)) {
    result = front_executor_cancel(lease.executor, found->id);
    front_executor_return(&lease);
  }
  return result == AIMRT_RPC_RESULT_OK ? result : front_fail(error, result, "the task has run, is running, or was cancelled");
}

void aimrt_rpc_timer_release(aimrt_rpc_timer_t timer) {
  if (front_guards_forked()) return;
  front_timer_ref *found = front_handle_drop(AIMRT_RPC_KIND_TIMER, timer);
  if (found != NULL) give_timer(found);
}

aimrt_rpc_result_t aimrt_rpc_executor_info(aimrt_rpc_executor_t executor, aimrt_rpc_executor_info_t *info_out) {
  if (info_out == NULL) return AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  aimrt_rpc_executor_info_t info = {.struct_size = (uint32_t)sizeof info};
  uint32_t size = info_out->struct_size;
  if (size < 8 || size > 65536) return AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  memset((char *)info_out + sizeof size, 0, size - sizeof size);
  if (front_guards_forked()) return AIMRT_RPC_RESULT_FORKED;
  front_executor_lease lease;
  if (!front_executor_lend(executor, &lease)) return AIMRT_RPC_RESULT_INVALID_HANDLE;
  front_executor_statistics statistics;
  front_executor_statistics_get(lease.executor, &statistics);
  info.thread_safe = front_executor_is_thread_safe(lease.executor) ? 1 : 0;
  info.has_timers = front_executor_has_timers(lease.executor) ? 1 : 0;
  info.in_current = front_executor_is_current(lease.executor) ? 1 : 0;
  const char *name = front_executor_name(lease.executor);
  const char *type = front_executor_type_text(lease.executor);
  info.name = (aimrt_rpc_str_t){name, strlen(name)};
  info.type = (aimrt_rpc_str_t){type, strlen(type)};
  info.now_ns = front_executor_now_ns(lease.executor);
  if (info.now_ns == 0) info.now_ns = front_clock_ns(CLOCK_REALTIME);
  info.queued = statistics.queued;
  info.struct_size = size;
  memcpy(info_out, &info, size < sizeof info ? size : sizeof info);
  front_executor_return(&lease);
  return AIMRT_RPC_RESULT_OK;
}
