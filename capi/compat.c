/*
 * compat.c - the tables through which modules written for AimRT see the library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

const void *aimrt_rpc_module_core(aimrt_rpc_module_t module) {
  (void)module;
  return NULL;
}
