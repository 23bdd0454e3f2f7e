/* Counting checks for the C programs of this folder. Every program ends with check_end, whose line the runner adds up.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ABI_CHECK_H_
#define TESTS_ABI_CHECK_H_

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "aimrt_rpc.h"

static atomic_int check_passed;
static atomic_int check_failed;

#define CHECK(condition, ...)                                             \
  do {                                                                    \
    if (condition) {                                                      \
      atomic_fetch_add(&check_passed, 1);                                 \
    } else {                                                              \
      atomic_fetch_add(&check_failed, 1);                                 \
      fprintf(stderr, "%s:%d: not true: %s: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                       \
      fputc('\n', stderr);                                                \
    }                                                                     \
  } while (0)

/* Checks a result and shows the text of the error, which it frees. */
#define CHECK_RESULT(got, want, error)                                                                                       \
  do {                                                                                                                       \
    aimrt_rpc_result_t got_ = (got);                                                                                         \
    aimrt_rpc_str_t text_ = aimrt_rpc_error_message(error);                                                                  \
    CHECK(got_ == (want), "result %d (%s), wanted %d; error: %.*s", got_, aimrt_rpc_result_string(got_), (int)(want),       \
          (int)text_.size, text_.data == NULL ? "" : text_.data);                                                            \
    aimrt_rpc_error_free(error);                                                                                             \
    (error) = 0;                                                                                                             \
  } while (0)

static inline aimrt_rpc_str_t check_str(const char *text) { return (aimrt_rpc_str_t){text, strlen(text)}; }

static inline int check_end(const char *name) {
  printf("%s: %d passed, %d failed\n", name, atomic_load(&check_passed), atomic_load(&check_failed));
  return atomic_load(&check_failed) == 0 ? 0 : 1;
}

#endif /* TESTS_ABI_CHECK_H_ */
