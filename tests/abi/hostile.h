/* Calls every function of the header with arguments that cannot be meant. hostile_gen.c is generated from the header.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ABI_HOSTILE_H_
#define TESTS_ABI_HOSTILE_H_

#include "aimrt_rpc.h"

#define HOSTILE_ANY INT64_MIN /* the header promises no particular value */

typedef struct hostile_row {
  const char *name;
  uint32_t kind;          /* of its first handle parameter, AIMRT_RPC_KIND_ANY = none */
  uint8_t gives_result;   /* returns aimrt_rpc_result_t */
  uint8_t needs_pointers; /* a NULL cannot be meant */
  int64_t stale;          /* what it returns for a stale handle */
  int64_t (*call)(uint64_t handle, int null_pointers);
} hostile_row;

extern const hostile_row hostile_rows[];
extern const size_t hostile_row_count;

/* Arguments that would be good. */
aimrt_rpc_str_t hostile_str(void);
aimrt_rpc_bytes_t hostile_bytes(void);

/* Checks that a failed function left an output zeroed. */
void hostile_zeroed(const void *output, size_t size, const char *function, const char *parameter);
/* Checks the error object of a call and frees it. */
void hostile_error(int64_t result, aimrt_rpc_error_t error);

#endif /* TESTS_ABI_HOSTILE_H_ */
