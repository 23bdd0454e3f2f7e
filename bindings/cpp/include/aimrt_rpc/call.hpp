// call: a call this program has started, and reply: what came back for raw bytes.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_CALL_HPP_
#define AIMRT_RPC_CALL_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/view.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

namespace aimrt_rpc {

namespace detail {

struct call_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_call_release(native); }
};

inline aimrt_rpc_outcome_t empty_outcome() noexcept {
  aimrt_rpc_outcome_t outcome = {};
  outcome.struct_size = sizeof outcome;
  return outcome;
}

}  // namespace detail

// Cancels a call by its handle, for calls whose ownership is with a queue; see call::cancel.
inline result<void> cancel(aimrt_rpc_call_t call) noexcept {
  return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_call_cancel(call, why); });
}

// A started call. Dropping it does not stop the call: a running one goes on, and its callback still comes.
class call {
 public:
  call() noexcept = default;
  // Takes the ownership of a call handle.
  explicit call(aimrt_rpc_call_t native) noexcept : handle_(native) {}

  // Waits until the call has ended; only for calls started without callback and queue.
  template <class Rep, class Period>
  result<void> wait(std::chrono::duration<Rep, Period> timeout) const noexcept {
    return detail::run(
        [&](aimrt_rpc_error_t *why) { return aimrt_rpc_call_wait(handle_.native(), detail::to_ns(timeout), why); });
  }
  result<void> wait() const noexcept { return wait(forever); }

  // Ends the call at once with AIMRT_RPC_CODE_CANCELLED, unless it has ended (then LOST). A direct call ends when its handler does.
  result<void> cancel() const noexcept { return aimrt_rpc::cancel(handle_.native()); }

  // How the call ended; INVALID_STATE while it runs. Views live until this object dies.
  result<aimrt_rpc_outcome_t> outcome() const noexcept {
    aimrt_rpc_outcome_t ended = detail::empty_outcome();
    auto done =
        detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_call_outcome(handle_.native(), &ended, why); });
    if (!done) return std::move(done).error();
    return ended;
  }
  // The same as a status that owns its texts.
  result<status> ended() const {
    auto how = outcome();
    if (!how) return std::move(how).error();
    return status(*how);
  }

  aimrt_rpc_call_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  // Gives up the ownership.
  [[nodiscard]] aimrt_rpc_call_t release() noexcept { return handle_.release(); }

 private:
  unique_handle<detail::call_traits> handle_;
};

// What a raw call gave: its status and the bytes of the answer, which live as long as this object.
class [[nodiscard]] reply {
 public:
  reply() noexcept = default;
  // A call that could not be started.
  explicit reply(aimrt_rpc::status why) noexcept : status_(std::move(why)) {}
  // An ended call.
  explicit reply(call ended) : call_(std::move(ended)) {
    auto how = call_.outcome();
    if (how) {
      outcome_ = *how;
      status_ = aimrt_rpc::status(outcome_);
    } else {
      status_ = aimrt_rpc::status::from_error(how.error());
    }
  }

  const aimrt_rpc::status &status() const noexcept { return status_; }
  bool ok() const noexcept { return status_.ok(); }
  explicit operator bool() const noexcept { return ok(); }
  bytes_view bytes() const noexcept { return outcome_.response.bytes; }
  std::string_view text() const noexcept { return bytes().text(); }
  std::string_view serialization() const noexcept { return detail::from_c(outcome_.response.serialization); }
  payload_view payload() const noexcept { return {bytes(), serialization()}; }
  // Who answered: "http://127.0.0.1:50080", "local".
  std::string_view peer() const noexcept { return detail::from_c(outcome_.peer); }

 private:
  call call_;
  aimrt_rpc_outcome_t outcome_ = detail::empty_outcome();
  aimrt_rpc::status status_;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_CALL_HPP_
