// Filters: functions around every call of the methods whose rule names them in enable_filters, between stock filters and others.
//
//   status(filtered_call &)   OK passes the call on, any other status ends it
//   void(filtered_call &)     passes it on with next(), which can also tell how it ended, or ends it with reject()
// A filter decides before it returns. It comes on several threads at once and must not block. An exception ends the call with its what().
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_FILTER_HPP_
#define AIMRT_RPC_FILTER_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/rpc_handle.hpp>
#include <aimrt_rpc/service.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace aimrt_rpc {

enum class filter_side : std::uint32_t {
  client = AIMRT_RPC_FILTER_SIDE_CLIENT,
  server = AIMRT_RPC_FILTER_SIDE_SERVER,
};

// How a call ended, as a filter sees it; views of the callback's length.
struct call_end {
  aimrt_rpc::code code;
  std::string_view message;
  payload_view response;  // empty for native messages, and for a call that failed

  bool ok() const noexcept { return code == aimrt_rpc::code::ok; }
};

namespace detail {

template <class F>
struct end_callback {
  template <class G>
  explicit end_callback(G &&g) : f(std::forward<G>(g)) {}
  static void ended(void *user_data, const aimrt_rpc_filter_end_t *end) noexcept {
    contain_and_report("filter's end", [&] {
      static_cast<end_callback *>(user_data)->f(call_end{static_cast<aimrt_rpc::code>(end->code), from_c(end->message),
                                                         {bytes_view(end->response), from_c(end->serialization)}});
    });
  }
  F f;
};

}  // namespace detail

// A call on its way through a filter; usable inside the filter only. Views live as long.
class filtered_call {
 public:
  filtered_call(aimrt_rpc_filter_t native, const aimrt_rpc_filter_call_t &call) noexcept : native_(native), call_(&call) {}
  filtered_call(const filtered_call &) = delete;
  filtered_call &operator=(const filtered_call &) = delete;

  filter_side side() const noexcept { return static_cast<filter_side>(call_->side); }
  std::string_view function_name() const noexcept { return detail::from_c(call_->function_name); }
  // The calling module, empty when it is in another process.
  std::string_view from_module() const noexcept { return detail::from_c(call_->from_module); }
  // Who calls, as far as known; empty on the client side.
  std::string_view peer() const noexcept { return detail::from_c(call_->peer); }
  // Without bytes for native messages of one package, which are not encoded.
  payload_view request() const noexcept { return {bytes_view(call_->request), detail::from_c(call_->serialization)}; }
  std::uint64_t request_id() const noexcept { return call_->request_id; }
  // 0 = default, UINT64_MAX = none.
  std::uint64_t timeout_ns() const noexcept { return call_->timeout_ns; }
  // As it was when the filter began.
  pairs_view metadata() const noexcept { return {call_->metadata, call_->metadata_count}; }

  // Sets a metadata key for what comes after this filter.
  result<void> set(std::string_view key, std::string_view value) noexcept {
    return detail::run(
        [&](aimrt_rpc_error_t *why) { return aimrt_rpc_filter_set(native_, detail::to_c(key), detail::to_c(value), why); });
  }
  result<void> remove(std::string_view key) noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_filter_remove(native_, detail::to_c(key), why); });
  }

  // Passes the call on; it may be over when this returns.
  result<void> next() noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_filter_next(native_, nullptr, nullptr, nullptr, why); });
  }
  // The same; f(const call_end &) comes once when the call has ended, on the thread that ends it, and must not block.
  template <class F>
  result<void> next(F &&f) {
    using node = detail::end_callback<std::decay_t<F>>;
    auto remembered = std::make_unique<node>(std::forward<F>(f));
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_filter_next(native_, &node::ended, remembered.get(), &detail::destroy_handler<node>, why);
    });
    if (done) static_cast<void>(remembered.release());  // the library's now
    return done;
  }
  // Ends the call; the status must not be OK.
  result<void> reject(const status &how) {
    const aimrt_rpc_status_t plain = AIMRT_RPC_CALL_STATUS_INIT;
    return detail::run([&](aimrt_rpc_error_t *why) {
      return detail::lend_status(how, [&](const aimrt_rpc_status_t *native) {
        return aimrt_rpc_filter_reject(native_, native != nullptr ? native : &plain, why);
      });
    });
  }

 private:
  aimrt_rpc_filter_t native_;
  const aimrt_rpc_filter_call_t *call_;
};

namespace detail {

template <class F>
struct filter_function {
  using answer = std::invoke_result_t<F &, filtered_call &>;
  static_assert(std::is_void_v<answer> || std::is_same_v<answer, status>, "a filter returns void or aimrt_rpc::status");

  template <class G>
  explicit filter_function(G &&g) : f(std::forward<G>(g)) {}

  static void around(void *user_data, aimrt_rpc_filter_t filter, const aimrt_rpc_filter_call_t *native) noexcept {
    F &f = static_cast<filter_function *>(user_data)->f;
    filtered_call call(filter, *native);
    contain(
        [&] {
          if constexpr (std::is_void_v<answer>) {
            f(call);
          } else {
            const status how = f(call);
            static_cast<void>(how.ok() ? call.next() : call.reject(how));
          }
        },
        [&](const char *what) {
          const code failed = call.side() == filter_side::server ? code::svr_handle_failed : code::cli_unknown;
          if (!call.reject(status(failed, what))) unhandled.load(std::memory_order_acquire)("filter that had decided", what);
        });
  }
  F f;
};

}  // namespace detail

// Registers a filter that rules may name: before initialize, or inside a module's initialize before the functions that need it.
template <class F>
result<void> register_filter(const rpc_handle &at, filter_side side, std::string_view name, F &&f) {
  using function = detail::filter_function<std::decay_t<F>>;
  auto made = std::make_unique<function>(std::forward<F>(f));
  aimrt_rpc_filter_options_t options = AIMRT_RPC_FILTER_OPTIONS_INIT;
  options.side = static_cast<std::uint32_t>(side);
  options.name = detail::to_c(name);
  options.around = &function::around;
  options.user_data = made.get();
  options.user_data_free = &detail::destroy_handler<function>;
  auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_handle_register_filter(at.native(), &options, why); });
  if (done) static_cast<void>(made.release());  // the library's now
  return done;
}

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_FILTER_HPP_
