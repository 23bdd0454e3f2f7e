// result<T>: a value, or the error that prevented it. Works like std::expected<T, error> where that exists, but never throws.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_RESULT_HPP_
#define AIMRT_RPC_RESULT_HPP_

#include <aimrt_rpc/error.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif
#if defined(__cpp_lib_expected)
#include <expected>
#endif

namespace aimrt_rpc {

namespace detail {

// Reading the value of a failed result, or the error of a good one, is a bug of the caller: say so and stop.
[[noreturn]] inline void result_misuse(const char *what, const std::string &text) noexcept {
  std::fprintf(stderr, "aimrt_rpc: %s: %s\n", what, text.c_str());
  std::abort();
}

}  // namespace detail

template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;
  using error_type = aimrt_rpc::error;

  result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
  result(error_type why) noexcept : error_(std::move(why)) {}

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  T &value() & noexcept { return checked(), *value_; }
  const T &value() const & noexcept { return checked(), *value_; }
  T &&value() && noexcept { return checked(), std::move(*value_); }
  T &operator*() & noexcept { return value(); }
  const T &operator*() const & noexcept { return value(); }
  T &&operator*() && noexcept { return std::move(*this).value(); }
  T *operator->() noexcept { return &value(); }
  const T *operator->() const noexcept { return &value(); }

  error_type &error() & noexcept { return checked_error(), error_; }
  const error_type &error() const & noexcept { return checked_error(), error_; }
  error_type &&error() && noexcept { return checked_error(), std::move(error_); }

  template <class U>
  T value_or(U &&other) && {
    return has_value() ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
  }

  // f(value) must return a result; an error is handed on.
  template <class F>
  auto and_then(F &&f) && -> std::invoke_result_t<F, T &&> {
    if (!has_value()) return std::move(error_);
    return std::forward<F>(f)(std::move(*value_));
  }

  // Makes a result of f(value); an error is handed on.
  template <class F>
  auto transform(F &&f) && -> result<std::invoke_result_t<F, T &&>> {
    if (!has_value()) return std::move(error_);
    if constexpr (std::is_void_v<std::invoke_result_t<F, T &&>>) {
      std::forward<F>(f)(std::move(*value_));
      return {};
    } else {
      return std::forward<F>(f)(std::move(*value_));
    }
  }

  // f(error) must return a result of the same type; a value is handed on.
  template <class F>
  result or_else(F &&f) && {
    if (has_value()) return std::move(*this);
    return std::forward<F>(f)(std::move(error_));
  }

#if defined(__cpp_lib_expected)
  std::expected<T, error_type> to_expected() && {
    if (has_value()) return std::move(*value_);
    return std::unexpected(std::move(error_));
  }
#endif

 private:
  void checked() const noexcept {
    if (!has_value()) detail::result_misuse("the value of a failed result was read", error_.to_string());
  }
  void checked_error() const noexcept {
    if (has_value()) detail::result_misuse("the error of a good result was read", "there is none");
  }

  std::optional<T> value_;
  error_type error_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;
  using error_type = aimrt_rpc::error;

  result() noexcept = default;
  result(error_type why) noexcept : error_(std::move(why)) {}

  bool has_value() const noexcept { return error_.code() == AIMRT_RPC_RESULT_OK; }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const noexcept {
    if (!has_value()) detail::result_misuse("the value of a failed result was read", error_.to_string());
  }

  error_type &error() & noexcept { return checked_error(), error_; }
  const error_type &error() const & noexcept { return checked_error(), error_; }
  error_type &&error() && noexcept { return checked_error(), std::move(error_); }

  template <class F>
  auto and_then(F &&f) && -> std::invoke_result_t<F> {
    if (!has_value()) return std::move(error_);
    return std::forward<F>(f)();
  }
  template <class F>
  result or_else(F &&f) && {
    if (has_value()) return {};
    return std::forward<F>(f)(std::move(error_));
  }

#if defined(__cpp_lib_expected)
  std::expected<void, error_type> to_expected() && {
    if (has_value()) return {};
    return std::unexpected(std::move(error_));
  }
#endif

 private:
  void checked_error() const noexcept {
    if (has_value()) detail::result_misuse("the error of a good result was read", "there is none");
  }

  error_type error_;
};

namespace detail {

// Runs a C function that takes an error out parameter last and gives a result<void>.
template <class F>
result<void> run(F &&f) noexcept {
  aimrt_rpc_error_t native = 0;
  const result_code code = f(&native);
  if (code == AIMRT_RPC_RESULT_OK) return {};
  return aimrt_rpc::error(code, native);
}

}  // namespace detail

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_RESULT_HPP_
