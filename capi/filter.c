/*
 * filter.c - filters of foreign modules: what they see of a call and of its end, and the functions that a forwarder cannot serve because
 * they take a callback or a status.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "filter.h"

#include <stdlib.h>

#include "objects.h"

/* Pairs that need no memory of their own. */
#define PAIRS_ON_STACK 16u

static aimrt_rpc_str_t take(const char **at, uint32_t size) {
  const aimrt_rpc_str_t text = {size == 0 ? NULL : *at, size};
  *at += size;
  return text;
}

int front_filter_run(aimrt_rpc_filter_fn function, uintptr_t user_data, const front_filter_call *call, const char *texts,
                     const uint32_t *sizes, const void *request, size_t request_size) {
  aimrt_rpc_pair_t few[PAIRS_ON_STACK];
  aimrt_rpc_pair_t *pairs = few;
  if (call->pair_count > PAIRS_ON_STACK) {
    pairs = calloc(call->pair_count, sizeof *pairs);
    if (pairs == NULL) return 0;
  }
  aimrt_rpc_filter_call_t shown = {
      .struct_size = (uint32_t)sizeof shown,
      .side = call->side,
      .request = {request, request_size},
      .request_id = call->request_id,
      .timeout_ns = call->timeout_ns,
      .metadata = pairs,
      .metadata_count = call->pair_count,
  };
  shown.function_name = take(&texts, call->function_name_size);
  shown.from_module = take(&texts, call->from_module_size);
  shown.peer = take(&texts, call->peer_size);
  shown.serialization = take(&texts, call->serialization_size);
  for (uint32_t i = 0; i < call->pair_count; i++) {
    pairs[i].key = take(&texts, sizes[2 * i]);
    pairs[i].value = take(&texts, sizes[2 * i + 1]);
  }
  function((void *)user_data, call->filter, &shown);
  if (pairs != few) free(pairs);
  return 1;
}

void front_filter_ended(aimrt_rpc_filter_end_fn function, uintptr_t user_data, aimrt_rpc_code_t code, const char *texts,
                        uint32_t message_size, uint32_t serialization_size, const void *response, size_t response_size) {
  aimrt_rpc_filter_end_t end = {.struct_size = (uint32_t)sizeof end, .code = code, .response = {response, response_size}};
  end.message = take(&texts, message_size);
  end.serialization = take(&texts, serialization_size);
  function((void *)user_data, &end);
}

aimrt_rpc_result_t aimrt_rpc_filter_next(aimrt_rpc_filter_t filter, aimrt_rpc_filter_end_fn ended, void *user_data,
                                         aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  return aimrtgo_filter_pass(filter, ended, (uintptr_t)user_data, user_data_free, error);
}

aimrt_rpc_result_t aimrt_rpc_filter_reject(aimrt_rpc_filter_t filter, const aimrt_rpc_status_t *status, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (front_handle_find(AIMRT_RPC_KIND_FILTER, filter) == NULL)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "0x%llx is not a live filter handle", (unsigned long long)filter);
  if (status == NULL) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "status is NULL");
  front_result read;
  aimrt_rpc_result_t result = front_status_read(&read, status, error);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  if (read.code == AIMRT_RPC_CODE_OK)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "status.code is OK: a call that is to succeed must be passed on");
  front_engine_answer answer = {
      .code = read.code, .message = read.message, .trace = read.trace, .details = read.details, .detail_count = read.detail_count};
  return aimrtgo_filter_end(filter, &answer, error);
}
