// error: why a function of this library did not do its job. How a remote call ended is a status (status.hpp), never an error.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_ERROR_HPP_
#define AIMRT_RPC_ERROR_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace aimrt_rpc {

using result_code = aimrt_rpc_result_t;  // AIMRT_RPC_RESULT_*

namespace detail {
struct error_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_error_free(native); }
};
}  // namespace detail

// Owns the library's explanation of a failure. Move-only; holds no memory when the library gave none.
class [[nodiscard]] error {
 public:
  error() noexcept = default;
  explicit error(result_code code) noexcept : code_(code) {}
  // Takes the ownership of a C error handle.
  error(result_code code, aimrt_rpc_error_t native) noexcept : code_(code), native_(native) {}
  error(result_code code, std::string text) noexcept : code_(code), text_(std::move(text)) {}
  error(result_code code, const char *text) : code_(code), text_(text) {}

  // AIMRT_RPC_RESULT_*: the kind of failure.
  result_code code() const noexcept { return code_; }

  // What is wrong with which value. Lives as long as this object stays where it is.
  std::string_view message() const noexcept {
    if (!text_.empty()) return text_;
    if (native_) {
      const std::string_view text = detail::from_c(aimrt_rpc_error_message(native_.native()));
      if (!text.empty()) return text;
    }
    return aimrt_rpc_result_string(code_);
  }

  // The index-th detail (file, line, option, nearest ...), nothing past the last one.
  std::optional<std::pair<std::string_view, std::string_view>> detail(std::uint32_t index) const noexcept {
    aimrt_rpc_pair_t pair = {{nullptr, 0}, {nullptr, 0}};
    if (aimrt_rpc_error_detail(native_.native(), index, &pair) != AIMRT_RPC_RESULT_OK) return std::nullopt;
    return std::make_pair(detail::from_c(pair.key), detail::from_c(pair.value));
  }

  // The value of a detail by its key, empty when there is none.
  std::string_view detail(std::string_view key) const noexcept {
    for (std::uint32_t index = 0;; ++index) {
      const auto pair = detail(index);
      if (!pair) return {};
      if (pair->first == key) return pair->second;
    }
  }

  // "INVALID_STATE text: message" in one line for logs.
  std::string to_string() const {
    std::string text(aimrt_rpc_result_string(code_));
    const std::string_view more = message();
    if (more != text) text.append(": ").append(more);
    return text;
  }

  aimrt_rpc_error_t native() const noexcept { return native_.native(); }

 private:
  result_code code_ = AIMRT_RPC_RESULT_OK;
  unique_handle<detail::error_traits> native_;
  std::string text_;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_ERROR_HPP_
