/*
 * runtime.c - the C side of runtimes and modules: state, waiting, shutdown from a signal handler, what modules ask often.
 *
 * The records of runtimes are static, so that a thread which waits for one may outlive it. Everything else of a runtime is freed when its
 * last call has ended; until then the record stays in the graveyard.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdlib.h>

typedef enum record_use { RECORD_IDLE, RECORD_ALIVE, RECORD_BURIED } record_use;

static front_lock records_lock; /* guards uses */
static record_use uses[FRONT_MAX_RUNTIMES];
static front_runtime records[FRONT_MAX_RUNTIMES];

/* ---- Life of a runtime -------------------------------------------------------------------------------------------------- */

static void free_text(aimrt_rpc_str_t text) { free((void *)(uintptr_t)text.data); }

static void free_passed_keys(front_runtime *runtime) {
  for (uint32_t i = 0; i < runtime->passed_key_count; i++) free_text(runtime->passed_keys[i]);
  free(runtime->passed_keys);
  runtime->passed_keys = NULL;
  runtime->passed_key_count = 0;
}

/* No call is open, no handler runs and no handle is live. */
static void free_contents(front_runtime *runtime) {
  for (front_method *method = runtime->methods; method != NULL;) {
    front_method *next = method->next;
    front_method_free(method);
    method = next;
  }
  for (front_service *service = runtime->services; service != NULL;) {
    front_service *next = service->next;
    front_service_free(service);
    service = next;
  }
  for (front_module *module = runtime->modules; module != NULL;) {
    front_module *next = module->next;
    free_text(module->name);
    free_text(module->package);
    free_text(module->config_path);
    free((void *)(uintptr_t)module->info.author.str);
    free((void *)(uintptr_t)module->info.description.str);
    if (module->compat_close != NULL && !front_guards_exiting()) module->compat_close(module->compat);
    free(module);
    module = next;
  }
  for (front_counter *counter = runtime->counters; counter != NULL;) {
    front_counter *next = counter->next;
    free_text(counter->name);
    free(counter);
    counter = next;
  }
  free_passed_keys(runtime);
  runtime->methods = NULL;
  runtime->services = NULL;
  runtime->modules = NULL;
  runtime->counters = NULL;
}

/* Frees what is buried and has no open calls any more. */
static void visit_graveyard(void) {
  for (uint32_t i = 0; i < FRONT_MAX_RUNTIMES; i++) {
    front_lock_acquire(&records_lock);
    /* Taken out while it is freed, because user_data_free may call in. */
    bool mine = uses[i] == RECORD_BURIED && front_open_calls(i) == 0 && !front_handlers_run(i);
    if (mine) uses[i] = RECORD_ALIVE;
    front_lock_release(&records_lock);
    if (!mine) continue;
    free_contents(&records[i]);
    front_lock_acquire(&records_lock);
    uses[i] = RECORD_IDLE;
    front_lock_release(&records_lock);
  }
}

front_runtime *front_runtime_new(uint64_t go_id) {
  visit_graveyard();
  uint32_t index = 0;
  front_lock_acquire(&records_lock);
  while (index < FRONT_MAX_RUNTIMES && uses[index] != RECORD_IDLE) index++;
  if (index < FRONT_MAX_RUNTIMES) uses[index] = RECORD_ALIVE;
  front_lock_release(&records_lock);
  if (index == FRONT_MAX_RUNTIMES) return NULL;
  front_runtime *runtime = &records[index];
  runtime->index = index;
  runtime->go_id = go_id;
  atomic_store_explicit(&runtime->state, AIMRT_RPC_STATE_PRE_INIT, memory_order_relaxed);
  atomic_store_explicit(&runtime->start_flags, 0, memory_order_relaxed);
  atomic_store_explicit(&runtime->shutdown_requested, 0, memory_order_relaxed);
  atomic_store_explicit(&runtime->shutdown_claimed, 0, memory_order_relaxed);
  atomic_store_explicit(&runtime->pool, 0, memory_order_relaxed);
  (void)atomic_fetch_and_explicit(&front_cancelled_runtimes, ~(UINT64_C(1) << index), memory_order_release);
  runtime->handle = front_handle_new(AIMRT_RPC_KIND_RUNTIME, runtime);
  if (runtime->handle != 0) return runtime;
  front_lock_acquire(&records_lock);
  uses[index] = RECORD_IDLE;
  front_lock_release(&records_lock);
  return NULL;
}

void front_runtime_free(front_runtime *runtime) {
  front_lock_acquire(&runtime->lock);
  for (front_module *module = runtime->modules; module != NULL; module = module->next) front_module_drop(module);
  for (front_method *method = runtime->methods; method != NULL; method = method->next)
    (void)front_handle_drop(AIMRT_RPC_KIND_METHOD, method->handle);
  for (front_service *service = runtime->services; service != NULL; service = service->next)
    (void)front_handle_drop(AIMRT_RPC_KIND_SERVICE, service->handle);
  front_lock_release(&runtime->lock);
  (void)front_handle_drop(AIMRT_RPC_KIND_RUNTIME, runtime->handle);
  (void)atomic_fetch_add_explicit(&runtime->change, 1, memory_order_release);
  front_futex_wake_all(&runtime->change);
  /* A thread that found a method before its handle was dropped has counted its call by the end of its read section. */
  front_read_wait();
  front_lock_acquire(&records_lock);
  uses[runtime->index] = RECORD_BURIED;
  front_lock_release(&records_lock);
  visit_graveyard();
}

aimrt_rpc_runtime_t front_runtime_handle(const front_runtime *runtime) { return runtime->handle; }

uint32_t front_runtime_index(const front_runtime *runtime) { return runtime->index; }

uint64_t front_go_id(uint32_t kind, uint64_t handle) {
  front_thread *thread = front_guards_forked() ? NULL : front_thread_self();
  if (thread == NULL) return 0;
  uint64_t id = 0;
  front_read_begin(thread);
  void *object = front_handle_find(kind, handle);
  if (object != NULL) switch (kind) {
      case AIMRT_RPC_KIND_RUNTIME: id = ((front_runtime *)object)->go_id; break;
      case AIMRT_RPC_KIND_MODULE:
      case AIMRT_RPC_KIND_RPC_HANDLE: id = ((front_module *)object)->go_id; break;
      case AIMRT_RPC_KIND_METHOD: id = ((front_method *)object)->go_id; break;
      case AIMRT_RPC_KIND_SERVICE: id = ((front_service *)object)->go_id; break;
      default: break;
    }
  front_read_end(thread);
  return id;
}

/* ---- State and waiting -------------------------------------------------------------------------------------------------- */

static void announce(front_runtime *runtime) {
  (void)atomic_fetch_add_explicit(&runtime->change, 1, memory_order_seq_cst);
  front_futex_wake_all(&runtime->change);
}

void front_runtime_set_state(front_runtime *runtime, uint32_t state) {
  atomic_store_explicit(&runtime->state, state, memory_order_seq_cst);
  announce(runtime);
}

uint32_t front_runtime_get_state(const front_runtime *runtime) {
  return atomic_load_explicit(&runtime->state, memory_order_acquire);
}

void front_runtime_set_start_flags(front_runtime *runtime, uint32_t flags) {
  atomic_store_explicit(&runtime->start_flags, flags, memory_order_release);
}

uint8_t front_runtime_shutdown_requested(const front_runtime *runtime) {
  return atomic_load_explicit(&runtime->shutdown_requested, memory_order_acquire) != 0 ? 1 : 0;
}

/* Async-signal-safe: atomics, a futex wake and a write to an eventfd. */
void front_runtime_request_shutdown(front_runtime *runtime) {
  int former = errno;
  atomic_store_explicit(&runtime->shutdown_requested, 1, memory_order_seq_cst);
  announce(runtime);
  (void)front_guards_raise(runtime->index);
  errno = former;
}

uint8_t front_runtime_claim_shutdown(front_runtime *runtime) {
  return atomic_exchange_explicit(&runtime->shutdown_claimed, 1, memory_order_acq_rel) == 0 ? 1 : 0;
}

uint8_t front_runtime_wait_done(front_runtime *runtime, uint64_t timeout_ns) {
  uint64_t deadline = timeout_ns == FRONT_NEVER ? FRONT_NEVER : front_add_ns(front_monotonic_ns(), timeout_ns);
  for (;;) {
    uint32_t change = atomic_load_explicit(&runtime->change, memory_order_seq_cst);
    if (front_runtime_get_state(runtime) == AIMRT_RPC_STATE_SHUTDOWN) return 1;
    if (!front_futex_wait(&runtime->change, change, deadline))
      return front_runtime_get_state(runtime) == AIMRT_RPC_STATE_SHUTDOWN ? 1 : 0;
  }
}

static front_runtime *find_runtime(uint64_t handle) {
  return front_guards_forked() ? NULL : front_handle_find(AIMRT_RPC_KIND_RUNTIME, handle);
}

static aimrt_rpc_result_t stale_runtime(uint64_t handle, aimrt_rpc_error_t *error) {
  if (front_guards_forked()) return front_fail_forked(error);
  return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live runtime", (unsigned long long)handle);
}

aimrt_rpc_result_t aimrt_rpc_runtime_wait(aimrt_rpc_runtime_t runtime, uint64_t timeout_ns, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  front_runtime *found = find_runtime(runtime);
  if (found == NULL) return stale_runtime(runtime, error);
  front_thread *thread = front_thread_self();
  if (thread != NULL) front_run_deferred(thread);
  uint64_t deadline = timeout_ns == FRONT_NEVER ? FRONT_NEVER : front_add_ns(front_monotonic_ns(), timeout_ns);
  for (;;) {
    uint32_t change = atomic_load_explicit(&found->change, memory_order_seq_cst);
    uint32_t state = front_runtime_get_state(found);
    if (find_runtime(runtime) == NULL || state == AIMRT_RPC_STATE_SHUTDOWN) return AIMRT_RPC_RESULT_OK;
    if (state < AIMRT_RPC_STATE_START)
      return front_fail(error, AIMRT_RPC_RESULT_INVALID_STATE, "the runtime has not been started");
    bool in_wait = (atomic_load_explicit(&found->start_flags, memory_order_acquire) & AIMRT_RPC_START_SHUTDOWN_IN_WAIT) != 0;
    if (in_wait && front_runtime_shutdown_requested(found) && front_runtime_claim_shutdown(found)) {
      aimrtgo_runtime_run_shutdown(found->go_id);
      continue;
    }
    if (!front_futex_wait(&found->change, change, deadline)) {
      if (front_runtime_get_state(found) == AIMRT_RPC_STATE_SHUTDOWN) return AIMRT_RPC_RESULT_OK;
      return front_fail(error, AIMRT_RPC_RESULT_TIMEOUT, "the runtime has not shut down in time");
    }
  }
}

aimrt_rpc_result_t aimrt_rpc_runtime_start(aimrt_rpc_runtime_t runtime, aimrt_rpc_error_t *error) {
  aimrt_rpc_result_t result = aimrt_rpc_runtime_start_async(runtime, AIMRT_RPC_START_SHUTDOWN_IN_WAIT, error);
  return result == AIMRT_RPC_RESULT_OK ? aimrt_rpc_runtime_wait(runtime, FRONT_NEVER, error) : result;
}

aimrt_rpc_result_t aimrt_rpc_runtime_shutdown(aimrt_rpc_runtime_t runtime) {
  if (front_guards_forked()) return AIMRT_RPC_RESULT_FORKED;
  front_runtime *found = front_handle_find(AIMRT_RPC_KIND_RUNTIME, runtime);
  if (found == NULL) return AIMRT_RPC_RESULT_INVALID_HANDLE;
  front_runtime_request_shutdown(found);
  return AIMRT_RPC_RESULT_OK;
}

uint32_t aimrt_rpc_runtime_state(aimrt_rpc_runtime_t runtime) {
  front_runtime *found = find_runtime(runtime);
  return found == NULL ? AIMRT_RPC_STATE_NONE : front_runtime_get_state(found);
}

/* ---- Calls of a runtime ------------------------------------------------------------------------------------------------- */

uint64_t front_runtime_open_calls(front_runtime *runtime) { return front_open_calls(runtime->index); }

uint8_t front_runtime_call_count(front_runtime *runtime, uint32_t index, aimrt_rpc_str_t *name_out, uint64_t *calls_out) {
  front_lock_acquire(&runtime->lock);
  const front_counter *counter = runtime->counters;
  while (counter != NULL && index-- > 0) counter = counter->next;
  if (counter != NULL) {
    *name_out = counter->name;
    *calls_out = atomic_load_explicit(&counter->calls, memory_order_relaxed);
  }
  front_lock_release(&runtime->lock);
  return counter != NULL;
}

typedef struct cancel_sweep {
  uint32_t runtime;
  uint64_t count;
} cancel_sweep;

static void cancel_one(front_call *call, void *arg) {
  cancel_sweep *sweep = arg;
  front_thread *thread = front_thread_self();
  uint64_t mask = (uint64_t)(FRONT_MAX_RUNTIMES - 1) << FRONT_RUNTIME_SHIFT;
  uint64_t word = atomic_load_explicit(&call->slot->word, memory_order_acquire);
  bool told = false;
  /* A reference first, so that the block is still this call when it is aborted. */
  while ((word & FRONT_CALL_PENDING) != 0 && (word & mask) >> FRONT_RUNTIME_SHIFT == sweep->runtime) {
    if (!front_word_swap(call->slot, &word, word + FRONT_REF)) continue;
    told = front_call_abort(call, AIMRT_RPC_CODE_CANCELLED);
    front_call_unref(thread, call, 1);
    break;
  }
  if (front_server_cancel(&call->server, sweep->runtime)) told = true;
  if (told) sweep->count++;
}

uint64_t front_runtime_cancel_calls(front_runtime *runtime) {
  cancel_sweep sweep = {runtime->index, 0};
  if (front_thread_self() == NULL) return 0;
  (void)atomic_fetch_or_explicit(&front_cancelled_runtimes, UINT64_C(1) << runtime->index, memory_order_release);
  front_call_each(cancel_one, &sweep);
  return sweep.count;
}

void front_runtime_push_shutdown(front_runtime *runtime) { front_queues_push_shutdown(runtime->index, runtime->handle); }

uint8_t front_runtime_set_handler_pool(front_runtime *runtime, aimrt_rpc_executor_t pool) {
  if (pool != 0 && front_handle_find(AIMRT_RPC_KIND_EXECUTOR, pool) == NULL) return 0;
  atomic_store_explicit(&runtime->pool, pool, memory_order_relaxed);
  return 1;
}

uint8_t front_runtime_set_passed_keys(front_runtime *runtime, const char *texts, const uint32_t *sizes, uint32_t count) {
  free_passed_keys(runtime);
  if (count == 0) return 1;
  runtime->passed_keys = calloc(count, sizeof *runtime->passed_keys);
  if (runtime->passed_keys == NULL) return 0;
  for (uint32_t i = 0; i < count; i++) {
    runtime->passed_keys[i] = front_str_copy(texts, sizes[i]);
    if (runtime->passed_keys[i].data == NULL) return 0;
    runtime->passed_key_count++;
    texts += sizes[i];
  }
  return 1;
}

/* ---- Modules ------------------------------------------------------------------------------------------------------------ */

front_module *front_module_new(front_runtime *runtime, uint64_t go_id, const char *name, size_t name_size, const char *package,
                               size_t package_size) {
  front_module *module = calloc(1, sizeof *module);
  if (module == NULL) return NULL;
  module->go_id = go_id;
  module->runtime = runtime;
  module->name = front_str_copy(name, name_size);
  module->package = front_str_copy(package, package_size);
  atomic_store_explicit(&module->log_level, AIMRT_RPC_LOG_LEVEL_INFO, memory_order_relaxed);
  if (module->name.data != NULL && module->package.data != NULL) {
    module->handle = front_handle_new(AIMRT_RPC_KIND_MODULE, module);
    module->rpc_handle = front_handle_new(AIMRT_RPC_KIND_RPC_HANDLE, module);
  }
  if (module->handle != 0 && module->rpc_handle != 0) {
    front_lock_acquire(&runtime->lock);
    module->next = runtime->modules;
    runtime->modules = module;
    front_lock_release(&runtime->lock);
    return module;
  }
  front_module_drop(module);
  free_text(module->name);
  free_text(module->package);
  free(module);
  return NULL;
}

aimrt_rpc_module_t front_module_handle(const front_module *module) { return module->handle; }

aimrt_rpc_handle_t front_module_rpc(const front_module *module) { return module->rpc_handle; }

void front_module_set_log_level(front_module *module, uint32_t level) {
  atomic_store_explicit(&module->log_level, level, memory_order_relaxed);
}

uint8_t front_module_set_config_path(front_module *module, const char *path, size_t size) {
  free_text(module->config_path);
  module->config_path = front_str_copy(path, size);
  return module->config_path.data != NULL ? 1 : 0;
}

uint8_t front_module_set_info(front_module *module, uint32_t major, uint32_t minor, uint32_t patch, uint32_t build,
                              const char *author, size_t author_size, const char *description, size_t description_size) {
  aimrt_rpc_str_t texts[2] = {front_str_copy(author, author_size), front_str_copy(description, description_size)};
  module->info = (aimrt_module_info_t){.major_version = major,
                                       .minor_version = minor,
                                       .patch_version = patch,
                                       .build_version = build,
                                       .author = {texts[0].data, texts[0].size},
                                       .description = {texts[1].data, texts[1].size}};
  return texts[0].data != NULL && texts[1].data != NULL ? 1 : 0;
}

void front_module_drop(front_module *module) {
  (void)front_handle_drop(AIMRT_RPC_KIND_MODULE, module->handle);
  (void)front_handle_drop(AIMRT_RPC_KIND_RPC_HANDLE, module->rpc_handle);
  (void)front_handle_drop(AIMRT_RPC_KIND_MODULE, module->compat_handle);
}

/* What a live module says about itself; all zero for a stale handle. */
typedef struct module_facts {
  bool live;
  uint32_t log_level;
  uint64_t go_id;
  uint64_t rpc_handle;
  aimrt_rpc_str_t name;
  aimrt_rpc_str_t config_path;
} module_facts;

static module_facts facts_of(aimrt_rpc_module_t handle) {
  module_facts facts = {.live = false};
  front_thread *thread = front_guards_forked() ? NULL : front_thread_self();
  if (thread == NULL) return facts;
  front_read_begin(thread);
  front_module *module = front_handle_find(AIMRT_RPC_KIND_MODULE, handle);
  if (module != NULL)
    facts = (module_facts){true,         atomic_load_explicit(&module->log_level, memory_order_relaxed),
                           module->go_id, module->rpc_handle,
                           module->name, module->config_path};
  front_read_end(thread);
  return facts;
}

aimrt_rpc_str_t aimrt_rpc_module_name(aimrt_rpc_module_t module) { return facts_of(module).name; }

aimrt_rpc_str_t aimrt_rpc_module_config_path(aimrt_rpc_module_t module) { return facts_of(module).config_path; }

uint32_t aimrt_rpc_module_log_level(aimrt_rpc_module_t module) {
  module_facts facts = facts_of(module);
  return facts.live ? facts.log_level : AIMRT_RPC_LOG_LEVEL_OFF;
}

aimrt_rpc_handle_t aimrt_rpc_module_rpc_handle(aimrt_rpc_module_t module) { return facts_of(module).rpc_handle; }

void aimrt_rpc_module_release(aimrt_rpc_module_t module) {
  if (!front_guards_forked()) (void)front_handle_drop(AIMRT_RPC_KIND_MODULE, module);
}

aimrt_rpc_result_t aimrt_rpc_module_log(aimrt_rpc_module_t module, const aimrt_rpc_log_record_t *record) {
  if (front_guards_forked()) return AIMRT_RPC_RESULT_FORKED;
  module_facts facts = facts_of(module);
  if (!facts.live) return AIMRT_RPC_RESULT_INVALID_HANDLE;
  aimrt_rpc_log_record_t known = {.struct_size = 0};
  aimrt_rpc_result_t result = front_struct_read(&known, sizeof known, record, "aimrt_rpc_log_record_t", NULL);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  if (known.level >= AIMRT_RPC_LOG_LEVEL_OFF || !front_view_ok(known.file.data, known.file.size) ||
      !front_view_ok(known.function.data, known.function.size) || !front_view_ok(known.text.data, known.text.size))
    return AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  return known.level < facts.log_level ? AIMRT_RPC_RESULT_OK : aimrtgo_module_log(facts.go_id, &known);
}
