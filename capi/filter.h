/*
 * filter.h - what the C half gives to the Go half for filters of foreign modules: the structs they see, and calls of their functions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_CAPI_FILTER_H_
#define AIMRT_RPC_CAPI_FILTER_H_

#include "link.h"

/* A call, without its texts: they follow each other in one block, first those of this struct, then key and value of each pair. */
typedef struct front_filter_call {
  uint64_t filter;
  uint64_t request_id;
  uint64_t timeout_ns;
  uint32_t side;
  uint32_t pair_count;
  uint32_t function_name_size;
  uint32_t from_module_size;
  uint32_t peer_size;
  uint32_t serialization_size;
} front_filter_call;

/* Calls a filter; sizes has two entries per pair. 0 when there is no memory for the pairs. */
FRONT_HIDDEN int front_filter_run(aimrt_rpc_filter_fn function, uintptr_t user_data, const front_filter_call *call, const char *texts,
                                  const uint32_t *sizes, const void *request, size_t request_size);

/* Tells a filter how a call ended; texts = message, serialization. */
FRONT_HIDDEN void front_filter_ended(aimrt_rpc_filter_end_fn function, uintptr_t user_data, aimrt_rpc_code_t code, const char *texts,
                                     uint32_t message_size, uint32_t serialization_size, const void *response, size_t response_size);

/* Hidden Go functions, called by filter.c only. */
FRONT_HIDDEN aimrt_rpc_result_t aimrtgo_filter_pass(aimrt_rpc_filter_t filter, aimrt_rpc_filter_end_fn ended, uintptr_t user_data,
                                                    aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error);
FRONT_HIDDEN aimrt_rpc_result_t aimrtgo_filter_end(aimrt_rpc_filter_t filter, front_engine_answer *answer, aimrt_rpc_error_t *error);

#endif /* AIMRT_RPC_CAPI_FILTER_H_ */
