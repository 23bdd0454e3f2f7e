/* A context as a module written for AimRT brings it, without allocation, and a closure that counts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FOREIGN_FIXTURE_H_
#define FOREIGN_FIXTURE_H_

#include "front_fixture.h"
#include "objects.h"

enum { FOREIGN_PAIRS = 16, FOREIGN_TEXT = 96 };

typedef struct foreign {
  aimrt_rpc_context_base_t base;
  bool used;
  aimrt_rpc_context_type_t type;
  uint64_t timeout_ns;
  size_t count;
  char texts[2 * FOREIGN_PAIRS][FOREIGN_TEXT];
  size_t sizes[2 * FOREIGN_PAIRS];
  aimrt_string_view_t views[2 * FOREIGN_PAIRS];
} foreign;

static inline bool foreign_check_used(void *impl) { return ((foreign *)impl)->used; }
static inline void foreign_set_used(void *impl) { ((foreign *)impl)->used = true; }
static inline aimrt_rpc_context_type_t foreign_type(void *impl) { return ((foreign *)impl)->type; }
static inline uint64_t foreign_timeout(void *impl) { return ((foreign *)impl)->timeout_ns; }
static inline void foreign_set_timeout(void *impl, uint64_t timeout) { ((foreign *)impl)->timeout_ns = timeout; }

static inline size_t foreign_find(const foreign *f, aimrt_string_view_t key) {
  size_t i = 0;
  while (i < f->count && (f->sizes[2 * i] != key.len || memcmp(f->texts[2 * i], key.str, key.len) != 0)) i++;
  return i;
}
static inline aimrt_string_view_t foreign_get(void *impl, aimrt_string_view_t key) {
  foreign *f = impl;
  size_t i = foreign_find(f, key);
  return i == f->count ? (aimrt_string_view_t){NULL, 0} : (aimrt_string_view_t){f->texts[2 * i + 1], f->sizes[2 * i + 1]};
}
static inline void foreign_set(void *impl, aimrt_string_view_t key, aimrt_string_view_t val) {
  foreign *f = impl;
  size_t i = foreign_find(f, key);
  CHECK(i < FOREIGN_PAIRS && key.len < FOREIGN_TEXT && val.len < FOREIGN_TEXT);
  if (i == f->count) f->count++;
  memcpy(f->texts[2 * i], key.str, key.len);
  if (val.len != 0) memmove(f->texts[2 * i + 1], val.str, val.len);
  f->sizes[2 * i] = key.len;
  f->sizes[2 * i + 1] = val.len;
}
static inline aimrt_string_view_array_t foreign_pairs(void *impl) {
  foreign *f = impl;
  for (size_t i = 0; i < 2 * f->count; i++) f->views[i] = (aimrt_string_view_t){f->texts[i], f->sizes[i]};
  return (aimrt_string_view_array_t){f->views, 2 * f->count};
}
static inline aimrt_string_view_array_t foreign_keys(void *impl) {
  foreign *f = impl;
  for (size_t i = 0; i < f->count; i++) f->views[i] = (aimrt_string_view_t){f->texts[2 * i], f->sizes[2 * i]};
  return (aimrt_string_view_array_t){f->views, f->count};
}

static inline aimrt_string_view_t foreign_text(const char *text) { return (aimrt_string_view_t){text, strlen(text)}; }
static inline int foreign_is(const foreign *f, const char *key, const char *want) {
  aimrt_string_view_t got = foreign_get((void *)(uintptr_t)f, foreign_text(key));
  return got.len == strlen(want) && (got.len == 0 || memcmp(got.str, want, got.len) == 0);
}

static inline void foreign_begin(foreign *f) {
  static const aimrt_rpc_context_base_ops_t ops = {foreign_check_used, foreign_set_used, foreign_type, foreign_timeout,
                                                   foreign_set_timeout, foreign_get,     foreign_set,  foreign_keys,
                                                   foreign_pairs};
  f->base = (aimrt_rpc_context_base_t){&ops, f};
  f->used = false;
  f->type = AIMRT_RPC_CLIENT_CONTEXT;
  f->timeout_ns = 0;
  f->count = 0;
}

/* What a closure was told. */
typedef struct told {
  ctest_counter times;
  ctest_counter destroyed;
  uint32_t status;
} told;

static inline void told_invoke(void *object, uint32_t status) {
  told *t = *(told **)object;
  t->status = status;
  ctest_add(&t->times);
}
static inline void told_move(void *from, void *to) {
  memcpy(to, from, sizeof(told *));
  memset(from, 0, sizeof(told *));
}
static inline void told_destroy(void *object) { ctest_add(&(*(told **)object)->destroyed); }

static inline aimrt_function_base_t told_closure(told *t) {
  static const aimrt_function_client_callback_ops_t ops = {told_invoke, told_move, told_destroy};
  aimrt_function_base_t closure = {.ops = &ops};
  memcpy(closure.object_buf, &t, sizeof(told *));
  return closure;
}

/* A call of a native number; the closure is taken over when it starts. */
static inline uint32_t foreign_call(front_method *method, foreign *f, number *request, number *response, told *t) {
  aimrt_function_base_t closure = told_closure(t);
  uint32_t code = front_start_function(front_method_handle(method), f == NULL ? NULL : &f->base, request, response, &closure);
  CHECK((closure.ops == NULL) == (code == 0));
  return code;
}

#endif /* FOREIGN_FIXTURE_H_ */
