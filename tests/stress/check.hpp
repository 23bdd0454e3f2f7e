// Counting checks for the C++ programs of tests/stress and tests/embed. Every program ends with check_end, whose line the runner adds up.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_STRESS_CHECK_HPP_
#define TESTS_STRESS_CHECK_HPP_

#include <aimrt_rpc.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

inline std::atomic<int> check_passed{0};
inline std::atomic<int> check_failed{0};

#define CHECK(condition, ...)                                                          \
  do {                                                                                 \
    if (condition) {                                                                   \
      check_passed++;                                                                  \
    } else {                                                                           \
      check_failed++;                                                                  \
      std::fprintf(stderr, "%s:%d: not true: %s: ", __FILE__, __LINE__, #condition);   \
      std::fprintf(stderr, __VA_ARGS__);                                               \
      std::fputc('\n', stderr);                                                        \
    }                                                                                  \
  } while (0)

// Checks that a function did its job and shows the text of the error, which it frees.
#define CHECK_RESULT(got, error)                                                                                  \
  do {                                                                                                            \
    const aimrt_rpc_result_t got_ = (got);                                                                        \
    const aimrt_rpc_str_t why_ = aimrt_rpc_error_message(error);                                                  \
    CHECK(got_ == AIMRT_RPC_RESULT_OK, "result %d (%s): %.*s", got_, aimrt_rpc_result_string(got_),               \
          static_cast<int>(why_.size), why_.data == nullptr ? "" : why_.data);                                    \
    aimrt_rpc_error_free(error);                                                                                  \
    (error) = 0;                                                                                                  \
  } while (0)

inline aimrt_rpc_str_t text(std::string_view view) { return {view.data(), view.size()}; }
inline aimrt_rpc_bytes_t bytes(std::string_view view) { return {reinterpret_cast<const uint8_t *>(view.data()), view.size()}; }

inline int check_end(const char *name) {
  std::printf("%s: %d passed, %d failed\n", name, check_passed.load(), check_failed.load());
  return check_failed == 0 ? 0 : 1;
}

#endif  // TESTS_STRESS_CHECK_HPP_
