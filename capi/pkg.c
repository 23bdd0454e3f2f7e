/*
 * pkg.c - Pkg files of AimRT: dlopen, the four functions, and the life cycle of a module in them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pkg.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_text(char *to, size_t size, const char *text) { (void)snprintf(to, size, "%s", text == NULL ? "" : text); }

/* A function of the file; the union is how ISO C lets a data pointer become one. */
typedef union symbol {
  void *address;
  size_t (*num)(void);
  const aimrt_string_view_t *(*names)(void);
  const aimrt_module_base_t *(*create)(aimrt_string_view_t name);
  void (*destroy)(const aimrt_module_base_t *module);
} symbol;

/* The file that a function came from; path is what it was asked for by. */
static void put_canonical(const void *function, const char *path, char *to, size_t size) {
  Dl_info info;
  if (dladdr(function, &info) != 0 && info.dli_fname != NULL && info.dli_fname[0] != 0) path = info.dli_fname;
  char *real = realpath(path, NULL);
  put_text(to, size, real == NULL ? path : real);
  free(real);
}

uint32_t front_pkg_open(const char *path, uint8_t deep_bind, front_pkg *out, char *text, size_t text_size, char *canonical,
                        size_t canonical_size) {
  static const char *const names[4] = {"AimRTDynlibGetModuleNum", "AimRTDynlibGetModuleNameList", "AimRTDynlibCreateModule",
                                       "AimRTDynlibDestroyModule"};
  int mode = RTLD_NOW | RTLD_LOCAL;
#ifdef RTLD_DEEPBIND
  if (deep_bind != 0) mode |= RTLD_DEEPBIND;
#endif
  (void)dlerror();
  void *library = dlopen(path, mode);
  if (library == NULL) {
    put_text(text, text_size, dlerror());
    return FRONT_PKG_NOT_LOADED;
  }
  symbol found[4];
  for (size_t i = 0; i < 4; i++) {
    found[i].address = dlsym(library, names[i]);
    if (found[i].address != NULL) continue;
    put_text(text, text_size, names[i]); /* it stays open all the same: its constructors may have started something */
    return FRONT_PKG_NO_SYMBOL;
  }
  *out = (front_pkg){found[0].num, found[1].names, found[2].create, found[3].destroy};
  put_canonical(found[0].address, path, canonical, canonical_size);
  return FRONT_PKG_OPEN;
}

uint64_t front_pkg_num(const front_pkg *pkg) { return pkg->num(); }

uint8_t front_pkg_name(const front_pkg *pkg, uint64_t index, aimrt_rpc_str_t *name_out) {
  const aimrt_string_view_t *list = pkg->names();
  *name_out = (aimrt_rpc_str_t){NULL, 0};
  if (list == NULL) return 0;
  if (list[index].str != NULL) *name_out = (aimrt_rpc_str_t){list[index].str, list[index].len};
  return 1;
}

const aimrt_module_base_t *front_pkg_create(const front_pkg *pkg, const char *name, size_t size) {
  return pkg->create((aimrt_string_view_t){name, size});
}

void front_pkg_destroy(const front_pkg *pkg, const aimrt_module_base_t *module) { pkg->destroy(module); }

const char *front_pkg_missing(const aimrt_module_base_t *module) {
  if (module->info == NULL) return "info";
  if (module->initialize == NULL) return "initialize";
  if (module->start == NULL) return "start";
  return module->shutdown == NULL ? "shutdown" : NULL;
}

/* ---- Life cycle --------------------------------------------------------------------------------------------------------- */

static uint8_t initialize(void *user_data, aimrt_rpc_module_t module) {
  const aimrt_module_base_t *base = user_data;
  const void *core = aimrt_rpc_module_core(module);
  return core != NULL && base->initialize(base->impl, core) ? 1 : 0;
}

static uint8_t start(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  const aimrt_module_base_t *base = user_data;
  return base->start(base->impl) ? 1 : 0;
}

static void shut_down(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  const aimrt_module_base_t *base = user_data;
  base->shutdown(base->impl);
}

static aimrt_rpc_str_t view(aimrt_string_view_t text) { return (aimrt_rpc_str_t){text.str, text.str == NULL ? 0 : text.len}; }

void front_pkg_options(const aimrt_module_base_t *module, const char *package, aimrt_rpc_module_options_t *options_out) {
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  aimrt_module_info_t info = module->info(module->impl);
  options.name = view(info.name);
  options.author = view(info.author);
  options.description = view(info.description);
  options.major_version = info.major_version;
  options.minor_version = info.minor_version;
  options.patch_version = info.patch_version;
  options.build_version = info.build_version;
  options.package = (aimrt_rpc_str_t){package, strlen(package)};
  options.initialize = initialize;
  options.start = start;
  options.shutdown = shut_down;
  options.user_data = (void *)(uintptr_t)module;
  *options_out = options;
}
