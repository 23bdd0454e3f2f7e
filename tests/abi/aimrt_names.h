/* The names that AimRT's own RPC headers put into a translation unit, declared here as their binary contract describes them. A program
 * includes both, in either order, so none of them may clash with ours.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ABI_AIMRT_NAMES_H_
#define TESTS_ABI_AIMRT_NAMES_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *str;
  size_t len;
} aimrt_string_view_t;

typedef enum {
  AIMRT_RPC_CLIENT_CONTEXT = 0,
  AIMRT_RPC_SERVER_CONTEXT = 1,
} aimrt_rpc_context_type_t;

typedef enum {
  AIMRT_RPC_STATUS_OK = 0,
  AIMRT_RPC_STATUS_UNKNOWN = 1,
  AIMRT_RPC_STATUS_TIMEOUT = 2,
  AIMRT_RPC_STATUS_SVR_UNKNOWN = 1000,
  AIMRT_RPC_STATUS_SVR_NOT_FOUND = 1003,
  AIMRT_RPC_STATUS_CLI_UNKNOWN = 2000,
  AIMRT_RPC_STATUS_CLI_NO_BACKEND_TO_HANDLE = 2009,
} aimrt_rpc_status_code_t;

typedef struct {
  bool (*check_used)(void *impl);
  void (*set_used)(void *impl);
  aimrt_rpc_context_type_t (*get_type)(void *impl);
  uint64_t (*get_timeout_ns)(void *impl);
  void (*set_timeout_ns)(void *impl, uint64_t timeout_ns);
} aimrt_rpc_context_base_ops_t;

typedef struct {
  const aimrt_rpc_context_base_ops_t *ops;
  void *impl;
} aimrt_rpc_context_base_t;

typedef struct {
  bool (*register_service_func)(void *impl, aimrt_string_view_t func_name);
  void *impl;
} aimrt_rpc_handle_base_t;

#define AIMRT_RPC_CONTEXT_KEY_PREFIX "aimrt-"
#define AIMRT_RPC_CONTEXT_KEY_TO_ADDR "aimrt-to_addr"
#define AIMRT_RPC_CONTEXT_KEY_SERIALIZATION_TYPE "aimrt-serialization_type"
#define AIMRT_RPC_CONTEXT_KEY_FUNCTION_NAME "aimrt-function_name"
#define AIMRT_RPC_CONTEXT_KEY_BACKEND "aimrt-backend"

#ifdef __cplusplus
}
#endif

#endif /* TESTS_ABI_AIMRT_NAMES_H_ */
