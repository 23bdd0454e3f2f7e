/* Calls of C function pointers for the Go half: cgo cannot call one, and a file with //export may hold no definitions but static inline
 * ones. User data travels as a number, because a foreign language may put any value there and Go must not see it as a pointer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AIMRT_RPC_CAPI_BRIDGE_H_
#define AIMRT_RPC_CAPI_BRIDGE_H_

#include <stdint.h>
#include <time.h>

#include "executor.h"
#include "front.h"

/* Hidden Go functions that C code of this file calls. */
extern void aimrtgo_task_run(uintptr_t id);
extern void aimrtgo_task_drop(uintptr_t id);
extern void aimrtgo_executor_log(uintptr_t runtime, int32_t level, char *text);

static inline uint8_t bridge_module(aimrt_rpc_module_fn function, uintptr_t user_data, aimrt_rpc_module_t module) {
  return function((void *)user_data, module);
}

static inline void bridge_module_shutdown(aimrt_rpc_module_shutdown_fn function, uintptr_t user_data, aimrt_rpc_module_t module) {
  function((void *)user_data, module);
}

static inline void bridge_free(aimrt_rpc_free_fn function, uintptr_t user_data) { function((void *)user_data); }

/* The log sink's record is made here, so that Go passes texts and numbers only. texts = logger, file, function, text in one block. */
typedef struct bridge_log_line {
  int64_t time_ns;
  uint32_t level;
  uint32_t line;
  uint32_t thread_id;
  uint32_t logger_size;
  uint32_t file_size;
  uint32_t function_size;
  uint32_t text_size;
} bridge_log_line;

static inline void bridge_log(aimrt_rpc_log_fn function, uintptr_t user_data, const bridge_log_line *line, const char *texts) {
  const char *file = texts + line->logger_size;
  const char *where = file + line->file_size;
  aimrt_rpc_log_record_t record = {
      .struct_size = (uint32_t)sizeof record,
      .level = line->level,
      .line = line->line,
      .thread_id = line->thread_id,
      .time_ns = line->time_ns,
      .logger = {texts, line->logger_size},
      .file = {file, line->file_size},
      .function = {where, line->function_size},
      .text = {where + line->function_size, line->text_size},
  };
  function((void *)user_data, &record);
}

/* ---- Executors ---------------------------------------------------------------------------------------------------------- */

static inline void bridge_task_run(void *arg) { aimrtgo_task_run((uintptr_t)arg); }
static inline void bridge_task_drop(void *arg) { aimrtgo_task_drop((uintptr_t)arg); }
static inline void bridge_executor_log(void *arg, int level, const char *text) {
  aimrtgo_executor_log((uintptr_t)arg, level, (char *)text);
}

static inline void bridge_executor_logs_to(front_executor_options *options, uintptr_t runtime) {
  options->log = bridge_executor_log;
  options->log_arg = (void *)runtime;
}

static inline front_executor_task bridge_task(uintptr_t id) {
  return (front_executor_task){.run = bridge_task_run, .destroy = bridge_task_drop, .arg = (void *)id};
}

/* Posts a Go task; when it is refused it stays with Go. */
static inline aimrt_rpc_result_t bridge_post(front_executor *executor, uintptr_t id) {
  return front_executor_post(executor, bridge_task(id));
}

static inline aimrt_rpc_result_t bridge_post_after(front_executor *executor, uint64_t delay_ns, uintptr_t id, uint64_t *timer_out) {
  return front_executor_post_after(executor, delay_ns, bridge_task(id), timer_out);
}

static inline aimrt_rpc_result_t bridge_executor_shutdown(front_executor *executor, uint64_t grace_ns) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return front_executor_shutdown(executor, (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec + grace_ns);
}

static inline void bridge_host_executor(front_executor_options *out, const aimrt_rpc_host_executor_options_t *in) {
  out->host_post = in->post;
  out->host_user_data = in->user_data;
  out->host_user_data_free = in->user_data_free;
  out->host_thread_safe = in->thread_safe;
}

#endif /* AIMRT_RPC_CAPI_BRIDGE_H_ */
