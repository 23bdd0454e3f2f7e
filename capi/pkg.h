/* Pkg files: opening one, and the calls into it that Go cannot make itself. Names and infos are views of the file's own memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AIMRT_RPC_CAPI_PKG_H_
#define AIMRT_RPC_CAPI_PKG_H_

#include "../include/aimrt_rpc_compat.h"
#include "front.h"

/* The four functions of an open file. */
typedef struct front_pkg {
  size_t (*num)(void);
  const aimrt_string_view_t *(*names)(void);
  const aimrt_module_base_t *(*create)(aimrt_string_view_t name);
  void (*destroy)(const aimrt_module_base_t *module);
} front_pkg;

#define FRONT_PKG_OPEN 0u
#define FRONT_PKG_NOT_LOADED 1u /* text is the system's */
#define FRONT_PKG_NO_SYMBOL 2u  /* text is the symbol */

/* Opens a file for the rest of the process. canonical gets its path; both texts end in NUL and are cut to their size. */
FRONT_HIDDEN uint32_t front_pkg_open(const char *path, uint8_t deep_bind, front_pkg *out, char *text, size_t text_size, char *canonical,
                                     size_t canonical_size);

FRONT_HIDDEN uint64_t front_pkg_num(const front_pkg *pkg);
/* False when the file has no list. */
FRONT_HIDDEN uint8_t front_pkg_name(const front_pkg *pkg, uint64_t index, aimrt_rpc_str_t *name_out);
/* NULL when the file refuses. */
FRONT_HIDDEN const aimrt_module_base_t *front_pkg_create(const front_pkg *pkg, const char *name, size_t size);
FRONT_HIDDEN void front_pkg_destroy(const front_pkg *pkg, const aimrt_module_base_t *module);

/* A function the module must have and has not; NULL when it has all. */
FRONT_HIDDEN const char *front_pkg_missing(const aimrt_module_base_t *module);
/* What the module says about itself, and its life cycle, as options of aimrt_rpc_module_create. package is borrowed. */
FRONT_HIDDEN void front_pkg_options(const aimrt_module_base_t *module, const char *package, aimrt_rpc_module_options_t *options_out);

#endif /* AIMRT_RPC_CAPI_PKG_H_ */
