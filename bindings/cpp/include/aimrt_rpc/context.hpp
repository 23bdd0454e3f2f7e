// context: what a caller says about a call besides its request, and what a handler sees of that.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_CONTEXT_HPP_
#define AIMRT_RPC_CONTEXT_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/buffer.hpp>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/view.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aimrt_rpc {

namespace detail {

// Nanoseconds of a duration for the C interface: below zero is 0, more than fits is "for ever".
template <class Rep, class Period>
std::uint64_t to_ns(std::chrono::duration<Rep, Period> span) noexcept {
  if (span <= span.zero()) return 0;
  // In seconds of a double: the integers of a long duration would overflow in nanoseconds.
  using seconds = std::chrono::duration<double>;
  if (seconds(span) >= seconds(std::chrono::nanoseconds::max())) return UINT64_MAX;
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(span).count());
}

struct context_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_context_release(native); }
};

}  // namespace detail

// For ever, as a timeout of wait functions.
inline constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();

// The metadata keys that have a meaning of their own.
namespace key {
inline constexpr std::string_view target = "aimrt-to_addr";
inline constexpr std::string_view serialization = "aimrt-serialization_type";
inline constexpr std::string_view function_name = "aimrt-function_name";
}  // namespace key

// Client contexts are made by create() and serve one call at a time (reset() between two calls). Handlers get a server context,
// which is borrowed: it ends with the call. One thread at a time.
class context {
 public:
  // No context: a call made with it takes all defaults.
  context() noexcept = default;

  static result<context> create() noexcept {
    context made;
    aimrt_rpc_context_t native = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_context_create(&native, why); });
    if (!done) return std::move(done).error();
    made.handle_.reset(native);
    return made;
  }
  // Takes the ownership of a client context, or borrows a server context.
  static context adopt(aimrt_rpc_context_t native) noexcept {
    context made;
    made.handle_.reset(native);
    return made;
  }

  // A context that owns a copy of everything in this one.
  result<context> copy() const noexcept {
    aimrt_rpc_context_t native = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_context_copy(handle_.native(), &native, why); });
    if (!done) return std::move(done).error();
    return adopt(native);
  }
  // Makes a used client context ready for the next call: clears timeout and metadata too.
  result<void> reset() noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_context_reset(handle_.native(), why); });
  }

  bool is_server() const noexcept { return aimrt_rpc_context_kind(handle_.native()) == AIMRT_RPC_CONTEXT_KIND_SERVER; }
  bool used() const noexcept { return aimrt_rpc_context_used(handle_.native()) != 0; }
  void set_used() noexcept { aimrt_rpc_context_set_used(handle_.native()); }

  // 0 = not set.
  std::chrono::nanoseconds timeout() const noexcept {
    const std::uint64_t ns = aimrt_rpc_context_timeout_ns(handle_.native());
    return std::chrono::nanoseconds(ns > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(ns));
  }
  template <class Rep, class Period>
  result<void> set_timeout(std::chrono::duration<Rep, Period> timeout) noexcept {
    const result_code code = aimrt_rpc_context_set_timeout_ns(handle_.native(), detail::to_ns(timeout));
    if (code != AIMRT_RPC_RESULT_OK) return error(code);
    return {};
  }
  // What is left until the deadline of the call; nothing when it has none.
  std::optional<std::chrono::nanoseconds> deadline_left() const noexcept {
    const std::uint64_t ns = aimrt_rpc_context_deadline_left_ns(handle_.native());
    if (ns > INT64_MAX) return std::nullopt;
    return std::chrono::nanoseconds(static_cast<std::int64_t>(ns));
  }

  // The value of a metadata key, empty when absent. Valid until the context changes.
  std::string_view get(std::string_view name) const noexcept {
    return detail::from_c(aimrt_rpc_context_get(handle_.native(), detail::to_c(name)));
  }
  // Sets a metadata key, replacing every value it had.
  result<void> set(std::string_view name, std::string_view value) noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_context_set(handle_.native(), detail::to_c(name), detail::to_c(value), why);
    });
  }
  // Adds a further value to a metadata key.
  result<void> add(std::string_view name, std::string_view value) noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_context_add(handle_.native(), detail::to_c(name), detail::to_c(value), why);
    });
  }
  // Removes a metadata key with all its values; an absent key is fine.
  result<void> remove(std::string_view name) noexcept {
    return detail::run(
        [&](aimrt_rpc_error_t *why) { return aimrt_rpc_context_remove(handle_.native(), detail::to_c(name), why); });
  }
  // All metadata at once. Valid until the context changes or is asked again.
  result<pairs_view> metadata() const noexcept {
    const aimrt_rpc_pair_t *pairs = nullptr;
    std::size_t count = 0;
    auto done = detail::run(
        [&](aimrt_rpc_error_t *why) { return aimrt_rpc_context_metadata(handle_.native(), &pairs, &count, why); });
    if (!done) return std::move(done).error();
    return pairs_view(pairs, count);
  }

  // Whom the call is for ("http://127.0.0.1:50080"), empty = as configured.
  std::string_view target() const noexcept { return get(key::target); }
  result<void> set_target(std::string_view target) noexcept { return set(key::target, target); }
  // "pb", "json", ..., empty = the method's first.
  std::string_view serialization() const noexcept { return get(key::serialization); }
  result<void> set_serialization(std::string_view name) noexcept { return set(key::serialization, name); }
  std::string_view function_name() const noexcept { return get(key::function_name); }

  // `Client context, timeout: 5000ms, meta: {{"k":"v"}}`
  std::string to_string() const {
    aimrt_rpc_buffer_t text = {nullptr, 0, 0};
    if (aimrt_rpc_context_to_string(handle_.native(), &text, nullptr) != AIMRT_RPC_RESULT_OK) return {};
    return buffer(text).to_string();
  }

  aimrt_rpc_context_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  // Gives up the ownership.
  [[nodiscard]] aimrt_rpc_context_t release() noexcept { return handle_.release(); }

 private:
  unique_handle<detail::context_traits> handle_;
};

namespace detail {

// The context of a call being served, borrowed: its end does not release anything.
class borrowed_context {
 public:
  explicit borrowed_context(aimrt_rpc_context_t native) noexcept : context_(context::adopt(native)) {}
  borrowed_context(borrowed_context &&other) noexcept = default;
  borrowed_context &operator=(borrowed_context &&other) noexcept {
    drop();
    context_ = std::move(other.context_);
    return *this;
  }
  borrowed_context(const borrowed_context &) = delete;
  borrowed_context &operator=(const borrowed_context &) = delete;
  ~borrowed_context() { drop(); }

  aimrt_rpc::context &get() noexcept { return context_; }

 private:
  void drop() noexcept { static_cast<void>(context_.release()); }

  aimrt_rpc::context context_;
};

}  // namespace detail

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_CONTEXT_HPP_
