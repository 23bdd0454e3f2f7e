/*
 * compat.c - the core table of a module: configurator, executors, logger, allocator, parameters.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "executor.h"

extern void aimrtgo_executor_log(uintptr_t runtime, int32_t level, char *text);

static _Atomic(compat_module *) all_modules;

/* ---- The module behind a table ------------------------------------------------------------------------------------------ */

#define MAX_LOG_BYTES 2048u

void compat_log(const compat_module *module, int32_t level, const char *format, ...) {
  char text[MAX_LOG_BYTES];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (!front_guards_forked()) aimrtgo_executor_log((uintptr_t)module->runtime_id, level, text);
}

uint32_t compat_state(const compat_module *module) {
  front_thread *thread = front_guards_forked() ? NULL : front_thread_self();
  if (thread == NULL) return AIMRT_RPC_STATE_NONE;
  uint32_t state = AIMRT_RPC_STATE_NONE;
  front_read_begin(thread);
  const front_module *found = front_handle_find(AIMRT_RPC_KIND_MODULE, module->handle);
  if (found != NULL) state = front_runtime_get_state(found->runtime);
  front_read_end(thread);
  return state;
}

bool compat_any(uint64_t runtime_id, bool (*fn)(compat_module *module, const void *arg), const void *arg) {
  for (compat_module *m = atomic_load_explicit(&all_modules, memory_order_acquire); m != NULL; m = m->next)
    if (m->runtime_id == runtime_id && fn(m, arg)) return true;
  return false;
}

static aimrt_string_view_t keep(aimrt_rpc_str_t text) { return compat_view(front_str_copy(text.data, text.size)); }

/* ---- Configurator ------------------------------------------------------------------------------------------------------- */

/* The path is known when the configuration has been read; the copy outlives the runtime. */
static aimrt_string_view_t config_file_path(void *impl) {
  compat_module *module = impl;
  front_lock_acquire(&module->lock);
  if (module->config_path.size == 0) {
    aimrt_rpc_str_t path = aimrt_rpc_module_config_path(module->handle);
    if (path.size != 0) module->config_path = front_str_copy(path.data, path.size);
  }
  aimrt_string_view_t known = compat_view(module->config_path);
  front_lock_release(&module->lock);
  return known;
}

/* ---- Logger ------------------------------------------------------------------------------------------------------------- */

static aimrt_log_level_t get_log_level(void *impl) {
  return (aimrt_log_level_t)aimrt_rpc_module_log_level(((const compat_module *)impl)->handle);
}

static aimrt_rpc_str_t c_text(const char *text) { return (aimrt_rpc_str_t){text, text == NULL ? 0 : strlen(text)}; }

static void write_log(void *impl, aimrt_log_level_t level, uint32_t line, const char *file_name, const char *function_name,
                      const char *log_data, size_t log_data_size) {
  aimrt_rpc_log_record_t record = {.struct_size = (uint32_t)sizeof record,
                                   .level = (uint32_t)level,
                                   .line = line,
                                   .file = c_text(file_name),
                                   .function = c_text(function_name),
                                   .text = {log_data, log_data_size}};
  (void)aimrt_rpc_module_log(((const compat_module *)impl)->handle, &record);
}

/* ---- Allocator ---------------------------------------------------------------------------------------------------------- */

static void *get_thread_local_buf(void *impl, size_t buf_size) {
  (void)impl;
  front_thread *thread = front_guards_forked() ? NULL : front_thread_self();
  if (thread == NULL || buf_size > COMPAT_MAX_SCRATCH_BYTES) return NULL;
  if (thread->scratch != NULL && thread->scratch_size >= buf_size) return thread->scratch;
  size_t size = COMPAT_FIRST_SCRATCH_BYTES;
  while (size < buf_size) size *= 2;
  free(thread->scratch);
  thread->scratch = malloc(size);
  thread->scratch_size = thread->scratch == NULL ? 0 : size;
  return thread->scratch;
}

/* ---- Parameters --------------------------------------------------------------------------------------------------------- */

/* A value on loan: the closure, which its reader moves away, and the value behind it. The closure's state is the address of the block. */
typedef struct loan {
  aimrt_function_base_t release;
  char value[];
} loan;

static loan *loan_of(void *object) {
  loan *block;
  memcpy(&block, object, sizeof block);
  return block;
}

static void loan_set(void *object, loan *block) { memcpy(object, &block, sizeof block); }

static void loan_end(void *object) {
  loan *block = loan_of(object);
  loan_set(object, NULL);
  free(block);
}

static void loan_move(void *from_object, void *to_object) {
  loan_set(to_object, loan_of(from_object));
  loan_set(from_object, NULL);
}

static const aimrt_function_parameter_val_release_callback_ops_t loan_ops = {loan_end, loan_move, loan_end};

static aimrt_parameter_val_view_holder_t get_parameter(void *impl, aimrt_string_view_t key) {
  aimrt_parameter_val_view_holder_t holder = {{NULL, 0}, NULL};
  aimrt_rpc_buffer_t value;
  if (aimrt_rpc_module_parameter_get(((const compat_module *)impl)->handle, compat_text(key), &value, NULL) != AIMRT_RPC_RESULT_OK ||
      value.size == 0)
    return holder;
  loan *block = malloc(sizeof *block + value.size);
  if (block != NULL) {
    memcpy(block->value, value.data, value.size);
    block->release.ops = &loan_ops;
    loan_set(block->release.object_buf, block);
    holder = (aimrt_parameter_val_view_holder_t){{block->value, value.size}, &block->release};
  }
  aimrt_rpc_buffer_release(&value);
  return holder;
}

static void set_parameter(void *impl, aimrt_string_view_t key, aimrt_string_view_t val) {
  const compat_module *module = impl;
  aimrt_rpc_error_t error;
  if (aimrt_rpc_module_parameter_set(module->handle, compat_text(key), compat_text(val), &error) == AIMRT_RPC_RESULT_OK) return;
  aimrt_rpc_str_t why = aimrt_rpc_error_message(error);
  compat_log(module, AIMRT_RPC_LOG_LEVEL_WARN, "Parameter '%.*s' of module '%.*s' is not set: %.*s", (int)key.len, key.str,
             (int)module->info.name.len, module->info.name.str, (int)why.size, why.data);
  aimrt_rpc_error_free(error);
}

/* ---- Executors ---------------------------------------------------------------------------------------------------------- */

static void task_run(void *arg) {
  aimrt_function_base_t *task = arg;
  const aimrt_function_executor_task_ops_t *ops = task->ops;
  ops->invoker(task->object_buf);
}

static void task_destroy(void *arg) {
  front_function_drop(arg);
  free(arg);
}

static aimrt_string_view_t executor_type(void *impl) { return compat_view(((const compat_executor *)impl)->type); }
static aimrt_string_view_t executor_name(void *impl) { return compat_view(((const compat_executor *)impl)->name); }
static bool executor_is_thread_safe(void *impl) { return ((const compat_executor *)impl)->thread_safe; }
static bool executor_has_timers(void *impl) { return ((const compat_executor *)impl)->timers; }

static bool executor_is_current(void *impl) {
  front_executor_lease lease;
  if (front_guards_forked() || !front_executor_lend(((const compat_executor *)impl)->handle, &lease)) return false;
  bool current = front_executor_is_current(lease.executor);
  front_executor_return(&lease);
  return current;
}

static uint64_t executor_now(void *impl) {
  front_executor_lease lease;
  uint64_t now = 0;
  if (!front_guards_forked() && front_executor_lend(((const compat_executor *)impl)->handle, &lease)) {
    now = front_executor_now_ns(lease.executor);
    front_executor_return(&lease);
  }
  return now != 0 ? now : front_clock_ns(CLOCK_REALTIME);
}

static void explain_refusal(const compat_executor *executor, aimrt_rpc_result_t result) {
  const char *why = aimrt_rpc_result_string(result);
  if (result == AIMRT_RPC_RESULT_LIMIT || result == AIMRT_RPC_RESULT_UNSUPPORTED) return; /* the executor itself tells */
  if (result == AIMRT_RPC_RESULT_INVALID_STATE || result == AIMRT_RPC_RESULT_INVALID_HANDLE) why = "it has shut down";
  compat_log(executor->module, AIMRT_RPC_LOG_LEVEL_ERROR, "Executor '%.*s' of type %.*s does not run a task: %s.",
             (int)executor->name.size, executor->name.data, (int)executor->type.size, executor->type.data, why);
}

/* at_ns 0 = soon. */
static void post(const compat_executor *executor, uint64_t at_ns, aimrt_function_base_t *task) {
  if (task == NULL || task->ops == NULL) return;
  front_executor_lease lease;
  aimrt_rpc_result_t result = AIMRT_RPC_RESULT_INVALID_HANDLE;
  if (!front_guards_forked() && front_executor_lend(executor->handle, &lease)) {
    aimrt_function_base_t *own = malloc(sizeof *own);
    result = AIMRT_RPC_RESULT_OUT_OF_MEMORY;
    if (own != NULL) {
      front_function_take(own, task);
      front_executor_task posted = {.run = task_run, .destroy = task_destroy, .arg = own};
      result = at_ns == 0 ? front_executor_post(lease.executor, posted)
                          : front_executor_post_at(lease.executor, at_ns, posted, NULL);
      if (result != AIMRT_RPC_RESULT_OK) task_destroy(own);
    }
    front_executor_return(&lease);
  }
  if (result == AIMRT_RPC_RESULT_OK) return;
  front_function_drop(task); /* one that was taken over is empty */
  explain_refusal(executor, result);
}

static void executor_execute(void *impl, aimrt_function_base_t *task) { post(impl, 0, task); }

static void executor_execute_at(void *impl, uint64_t tp, aimrt_function_base_t *task) { post(impl, tp == 0 ? 1 : tp, task); }

/* The caller holds the lock of the module. */
static compat_executor *find_executor(const compat_module *module, aimrt_rpc_str_t name) {
  compat_executor *executor = module->executors;
  while (executor != NULL && !front_str_equal(executor->name, name)) executor = executor->next;
  return executor;
}

static compat_executor *new_executor(compat_module *module, aimrt_rpc_str_t name, uint64_t handle) {
  front_executor_lease lease;
  compat_executor *executor = calloc(1, sizeof *executor);
  if (executor == NULL || !front_executor_lend(handle, &lease)) {
    free(executor);
    return NULL;
  }
  const char *type = front_executor_type_text(lease.executor);
  executor->base = (aimrt_executor_base_t){
      .type = executor_type,
      .name = executor_name,
      .is_thread_safe = executor_is_thread_safe,
      .is_in_current_executor = executor_is_current,
      .is_support_timer_schedule = executor_has_timers,
      .execute = executor_execute,
      .now = executor_now,
      .execute_at_ns = executor_execute_at,
      .impl = executor,
  };
  executor->handle = handle;
  executor->module = module;
  executor->type = front_str_copy(type, strlen(type));
  executor->name = front_str_copy(name.data, name.size);
  executor->thread_safe = front_executor_is_thread_safe(lease.executor);
  executor->timers = front_executor_has_timers(lease.executor);
  front_executor_return(&lease);
  return executor;
}

static const aimrt_executor_base_t *get_executor(void *impl, aimrt_string_view_t executor_name) {
  compat_module *module = impl;
  aimrt_rpc_str_t name = compat_text(executor_name);
  front_lock_acquire(&module->lock);
  compat_executor *known = find_executor(module, name);
  front_lock_release(&module->lock);
  if (known != NULL) return &known->base;
  aimrt_rpc_executor_t handle;
  compat_executor *made = NULL;
  if (aimrt_rpc_module_executor(module->handle, name, &handle, NULL) == AIMRT_RPC_RESULT_OK)
    made = new_executor(module, name, handle);
  if (made == NULL) {
    compat_log(module, AIMRT_RPC_LOG_LEVEL_WARN, "Can not find executor '%.*s'.", (int)name.size, name.data);
    return NULL;
  }
  front_lock_acquire(&module->lock);
  known = find_executor(module, name);
  if (known == NULL) {
    made->next = module->executors;
    module->executors = made;
  }
  front_lock_release(&module->lock);
  if (known == NULL) return &made->base;
  free((void *)(uintptr_t)made->name.data); /* another thread was faster */
  free((void *)(uintptr_t)made->type.data);
  free(made);
  return &known->base;
}

/* ---- Core --------------------------------------------------------------------------------------------------------------- */

static aimrt_module_info_t core_info(void *impl) { return ((const compat_module *)impl)->info; }
static const aimrt_configurator_base_t *core_configurator(void *impl) { return &((const compat_module *)impl)->configurator; }
static const aimrt_executor_manager_base_t *core_executors(void *impl) { return &((const compat_module *)impl)->executor_manager; }
static const aimrt_logger_base_t *core_logger(void *impl) { return &((const compat_module *)impl)->logger; }
static const aimrt_allocator_base_t *core_allocator(void *impl) { return &((const compat_module *)impl)->allocator; }
static const aimrt_rpc_handle_base_t *core_rpc(void *impl) { return &((const compat_module *)impl)->rpc; }
static const aimrt_channel_handle_base_t *core_channel(void *impl) { return &((const compat_module *)impl)->channel; }
static const aimrt_parameter_handle_base_t *core_parameters(void *impl) { return &((const compat_module *)impl)->parameters; }

static void fill_tables(compat_module *module) {
  module->core = (aimrt_core_base_t){
      .info = core_info,
      .configurator = core_configurator,
      .executor_manager = core_executors,
      .logger = core_logger,
      .allocator_handle = core_allocator,
      .rpc_handle = core_rpc,
      .channel_handle = core_channel,
      .parameter_handle = core_parameters,
      .impl = module,
  };
  module->configurator = (aimrt_configurator_base_t){config_file_path, module};
  module->executor_manager = (aimrt_executor_manager_base_t){get_executor, module};
  module->logger = (aimrt_logger_base_t){get_log_level, write_log, module};
  module->allocator = (aimrt_allocator_base_t){get_thread_local_buf, module};
  module->parameters = (aimrt_parameter_handle_base_t){get_parameter, set_parameter, module};
  compat_rpc_init(module);
  compat_channel_init(module);
}

/* By the thread that frees the module. */
static void close_tables(compat_module *module) {
  compat_channel_close(module);
  compat_rpc_close(module);
}

/* Copies what the tables need of a live module; a read section keeps it alive. */
static bool describe(compat_module *module, front_module *found) {
  module->info = found->info;
  module->info.name = keep(found->name);
  module->info.author = keep(compat_text(found->info.author));
  module->info.description = keep(compat_text(found->info.description));
  module->package = front_str_copy(found->package.data, found->package.size);
  module->rpc_handle = found->rpc_handle;
  module->runtime_id = found->runtime->go_id;
  module->handle = front_handle_new(AIMRT_RPC_KIND_MODULE, found);
  return module->info.name.str != NULL && module->package.data != NULL && module->handle != 0;
}

static void discard(compat_module *module) {
  (void)front_handle_drop(AIMRT_RPC_KIND_MODULE, module->handle);
  free((void *)(uintptr_t)module->info.name.str);
  free((void *)(uintptr_t)module->info.author.str);
  free((void *)(uintptr_t)module->info.description.str);
  free((void *)(uintptr_t)module->package.data);
  free(module);
}

static void publish(compat_module *module) {
  compat_module *first = atomic_load_explicit(&all_modules, memory_order_relaxed);
  do {
    module->next = first;
  } while (!atomic_compare_exchange_weak_explicit(&all_modules, &first, module, memory_order_release, memory_order_relaxed));
}

const void *aimrt_rpc_module_core(aimrt_rpc_module_t module) {
  front_thread *thread = front_guards_forked() ? NULL : front_thread_self();
  if (thread == NULL) return NULL;
  front_read_begin(thread);
  front_module *found = front_handle_find(AIMRT_RPC_KIND_MODULE, module);
  compat_module *known = found == NULL ? NULL : atomic_load_explicit(&found->compat, memory_order_acquire);
  front_read_end(thread);
  if (found == NULL) return NULL;
  if (known != NULL) return &known->core;
  compat_module *made = calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  fill_tables(made);
  front_read_begin(thread);
  found = front_handle_find(AIMRT_RPC_KIND_MODULE, module);
  bool first = found != NULL && describe(made, found) &&
               atomic_compare_exchange_strong_explicit(&found->compat, &known, made, memory_order_acq_rel, memory_order_acquire);
  if (first) {
    found->compat_handle = made->handle;
    found->compat_close = close_tables;
  }
  front_read_end(thread);
  if (first) {
    publish(made);
    return &made->core;
  }
  discard(made);
  return known == NULL ? NULL : &known->core;
}
