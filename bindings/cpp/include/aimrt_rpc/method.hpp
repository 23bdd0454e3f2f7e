// method<Request, Response> and raw_method: a method this module may call.
//
// Every method is called in these ways, with or without a context in front of the request:
//   invoke_sync     waits; must not be used on the one thread that would have to serve the call (then it fails, it does not hang)
//   invoke          returns at once; the callback comes exactly once, on the thread that ended the call, maybe before invoke returns
//   start           as invoke, and gives a call that can be cancelled, waited for, or delivered through a queue
//   invoke_future   gives a std::future
//   co_invoke       to be awaited in a coroutine (C++20)
// Context, request and response of a typed call stay in use until the call has ended. Raw requests are copied when they need to be.
// A call that cannot even be started (a stale method, no memory) ends like any other, with the reason in its status.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_METHOD_HPP_
#define AIMRT_RPC_METHOD_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/call.hpp>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/detail/await.hpp>
#include <aimrt_rpc/detail/start.hpp>
#include <aimrt_rpc/queue.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstdint>
#include <future>
#include <utility>

namespace aimrt_rpc {

// A small value, owned by the runtime: copy it freely, it is stale after the runtime's release. Any thread.
template <class Request, class Response>
class method {
 public:
  method() noexcept = default;
  explicit method(aimrt_rpc_method_t native) noexcept : native_(native) {}

  status invoke_sync(context &with, const Request &request, Response &response) const {
    return detail::invoke_typed(plan(with.native(), request, response));
  }
  status invoke_sync(const Request &request, Response &response) const {
    return detail::invoke_typed(plan(0, request, response));
  }

  // done: void(const status &).
  template <class F>
  void invoke(context &with, const Request &request, Response &response, F &&done) const noexcept {
    detail::invoke_with(plan(with.native(), request, response), std::forward<F>(done));
  }
  template <class F>
  void invoke(const Request &request, Response &response, F &&done) const noexcept {
    detail::invoke_with(plan(0, request, response), std::forward<F>(done));
  }

  // For call::wait.
  result<call> start(context &with, const Request &request, Response &response) const noexcept {
    return detail::start_waiting(plan(with.native(), request, response));
  }
  // With a callback void(const status &), which does not come when this fails.
  template <class F>
  result<call> start(context &with, const Request &request, Response &response, F &&done) const noexcept {
    return detail::start_calling(plan(with.native(), request, response), std::forward<F>(done));
  }
  // Ends as an event of the queue with this tag. The number given back is only for cancel(); the event owns the call.
  result<aimrt_rpc_call_t> start_on(const queue &to, std::uint64_t tag, context &with, const Request &request,
                                    Response &response) const noexcept {
    return detail::start_queued(plan(with.native(), request, response), to.native(), tag);
  }

  std::future<status> invoke_future(context &with, const Request &request, Response &response) const {
    return detail::future_typed(plan(with.native(), request, response));
  }
  std::future<status> invoke_future(const Request &request, Response &response) const {
    return detail::future_typed(plan(0, request, response));
  }

#if defined(AIMRT_RPC_HAS_COROUTINES)
  // co_await gives the status.
  detail::call_awaiter<status> co_invoke(context &with, const Request &request, Response &response) const noexcept {
    return detail::call_awaiter<status>(plan(with.native(), request, response));
  }
  detail::call_awaiter<status> co_invoke(const Request &request, Response &response) const noexcept {
    return detail::call_awaiter<status>(plan(0, request, response));
  }
#endif

  aimrt_rpc_method_t native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

 private:
  detail::call_plan plan(aimrt_rpc_context_t with, const Request &request, Response &response) const noexcept {
    detail::call_plan made = detail::plan_of(native_, with);
    made.options.request.message = const_cast<Request *>(&request);  // the C interface only reads requests
    made.options.response = &response;
    return made;
  }

  aimrt_rpc_method_t native_ = 0;
};

// The same for a method without type support: bytes in, bytes out.
class raw_method {
 public:
  raw_method() noexcept = default;
  explicit raw_method(aimrt_rpc_method_t native) noexcept : native_(native) {}

  reply invoke_sync(context &with, bytes_view request) const { return detail::invoke_raw(plan(with.native(), request)); }
  reply invoke_sync(bytes_view request) const { return detail::invoke_raw(plan(0, request)); }

  // done: void(const status &, payload_view); the payload lives for the callback.
  template <class F>
  void invoke(context &with, bytes_view request, F &&done) const noexcept {
    detail::invoke_with(plan(with.native(), request), std::forward<F>(done));
  }
  template <class F>
  void invoke(bytes_view request, F &&done) const noexcept {
    detail::invoke_with(plan(0, request), std::forward<F>(done));
  }

  // For call::wait, then reply(std::move(call)).
  result<call> start(context &with, bytes_view request) const noexcept {
    return detail::start_waiting(plan(with.native(), request));
  }
  // With a callback void(const status &, payload_view), which does not come when this fails.
  template <class F>
  result<call> start(context &with, bytes_view request, F &&done) const noexcept {
    return detail::start_calling(plan(with.native(), request), std::forward<F>(done));
  }
  // Ends as an event of the queue with this tag. The number given back is only for cancel(); the event owns the call.
  result<aimrt_rpc_call_t> start_on(const queue &to, std::uint64_t tag, context &with, bytes_view request) const noexcept {
    return detail::start_queued(plan(with.native(), request), to.native(), tag);
  }

  std::future<reply> invoke_future(context &with, bytes_view request) const {
    return detail::future_raw(plan(with.native(), request));
  }
  std::future<reply> invoke_future(bytes_view request) const { return detail::future_raw(plan(0, request)); }

#if defined(AIMRT_RPC_HAS_COROUTINES)
  // co_await gives the reply.
  detail::call_awaiter<reply> co_invoke(context &with, bytes_view request) const noexcept {
    return detail::call_awaiter<reply>(plan(with.native(), request));
  }
  detail::call_awaiter<reply> co_invoke(bytes_view request) const noexcept {
    return detail::call_awaiter<reply>(plan(0, request));
  }
#endif

  aimrt_rpc_method_t native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

 private:
  detail::call_plan plan(aimrt_rpc_context_t with, bytes_view request) const noexcept {
    detail::call_plan made = detail::plan_of(native_, with);
    made.options.request.bytes = request.native();
    return made;
  }

  aimrt_rpc_method_t native_ = 0;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_METHOD_HPP_
