// queue: events with a file descriptor to poll, for programs with an event loop of their own.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_QUEUE_HPP_
#define AIMRT_RPC_QUEUE_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/call.hpp>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/server_call.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/view.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace aimrt_rpc {

enum class event_kind : std::uint32_t {
  call_finished = AIMRT_RPC_EVENT_CALL_FINISHED,
  call_arrived = AIMRT_RPC_EVENT_CALL_ARRIVED,
  call_cancelled = AIMRT_RPC_EVENT_CALL_CANCELLED,
  shutdown = AIMRT_RPC_EVENT_SHUTDOWN,
  wake = AIMRT_RPC_EVENT_WAKE,
};

// One event. What it carries is released when it dies, unless taken: a finished call is given back, a call that arrived is answered
// with code::svr_handle_failed.
class event {
 public:
  // Takes the ownership of what a C event carries.
  explicit event(const aimrt_rpc_event_t &native) noexcept : native_(native) {}
  event(event &&other) noexcept : native_(other.native_) { other.native_.call = 0; }
  event &operator=(event &&other) noexcept {
    if (this != &other) {
      drop();
      native_ = other.native_;
      other.native_.call = 0;
    }
    return *this;
  }
  event(const event &) = delete;
  event &operator=(const event &) = delete;
  ~event() { drop(); }

  event_kind kind() const noexcept { return static_cast<event_kind>(native_.kind); }
  // What start_on or register_service_on was given; of a shutdown event the native runtime handle.
  std::uint64_t tag() const noexcept { return native_.tag; }

  // call_finished: how the call ended, and its raw answer, which lives as long as this event or the call taken from it.
  aimrt_rpc::status status() const { return aimrt_rpc::status(native_.code, detail::from_c(native_.message)); }
  payload_view payload() const noexcept {
    return {bytes_view(native_.payload.bytes), detail::from_c(native_.payload.serialization)};
  }
  call take_call() noexcept { return call(std::exchange(native_.call, 0)); }

  // call_arrived: the call to answer. Only one take, and only the form the service was registered with.
  template <class Request, class Response>
  server_call<Request, Response> take_server_call() noexcept {
    return {std::exchange(native_.call, 0), native_.payload, native_.response};
  }
  raw_server_call take_raw_server_call() noexcept { return {std::exchange(native_.call, 0), native_.payload}; }

  // The handle in the event: of call_cancelled the server call that nobody waits for any more, to be compared with native() of
  // the server calls still held.
  aimrt_rpc_call_t native_call() const noexcept { return native_.call; }

 private:
  void drop() noexcept {
    if (native_.call == 0) return;
    if (kind() == event_kind::call_finished) {
      call(native_.call);
    } else if (kind() == event_kind::call_arrived) {
      raw_server_call(native_.call, native_.payload);
    }
    native_.call = 0;
  }

  aimrt_rpc_event_t native_;
};

namespace detail {
struct queue_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_queue_release(native); }
};
}  // namespace detail

class queue {
 public:
  queue() noexcept = default;

  static result<queue> create() noexcept {
    aimrt_rpc_queue_t native = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_queue_create(&native, why); });
    if (!done) return std::move(done).error();
    queue made;
    made.handle_.reset(native);
    return made;
  }

  // Readable while events wait. Never read from it, never close it.
  int fd() const noexcept { return aimrt_rpc_queue_fd(handle_.native()); }

  // Hands up to limit waiting events to f(event), in order, and gives their number. One thread at a time.
  template <class F>
  result<std::size_t> drain(F &&f, std::size_t limit = SIZE_MAX) const noexcept {
    std::size_t total = 0;
    while (total < limit) {
      std::array<aimrt_rpc_event_t, 32> batch;
      const std::size_t room = limit - total < batch.size() ? limit - total : batch.size();
      std::size_t count = 0;
      auto done = detail::run([&](aimrt_rpc_error_t *why) {
        return aimrt_rpc_queue_drain(handle_.native(), batch.data(), room, &count, why);
      });
      if (!done) return std::move(done).error();
      for (std::size_t i = 0; i < count; ++i) {
        detail::contain_and_report("queue callback", [&] { f(event(batch[i])); });
      }
      total += count;
      if (count < room) break;
    }
    return total;
  }

  // Waits until an event is there; TIMEOUT otherwise.
  template <class Rep, class Period>
  result<void> wait(std::chrono::duration<Rep, Period> timeout) const noexcept {
    return detail::run(
        [&](aimrt_rpc_error_t *why) { return aimrt_rpc_queue_wait(handle_.native(), detail::to_ns(timeout), why); });
  }

  // Puts a wake event with this tag into the queue.
  result<void> wake(std::uint64_t tag = 0) const noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_queue_wake(handle_.native(), tag, why); });
  }

  aimrt_rpc_queue_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

 private:
  unique_handle<detail::queue_traits> handle_;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_QUEUE_HPP_
