// server_call<Request, Response> and raw_server_call: a call being served. Movable to any thread; answered exactly once.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_SERVER_CALL_HPP_
#define AIMRT_RPC_SERVER_CALL_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/call.hpp>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/detail/pool.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/view.hpp>

#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

namespace aimrt_rpc {

namespace detail {

// A handler that runs on this thread. When an exception unwinds the handler and its server_call with it, the answer is left to
// whoever catches the exception, because only the catcher has its text.
struct serving_frame {
  aimrt_rpc_call_t native;
  int exceptions;  // std::uncaught_exceptions() at the start of the handler
  bool dropped;
  serving_frame *outer;
};
inline thread_local serving_frame *serving = nullptr;

inline bool left_to_catcher(aimrt_rpc_call_t native) noexcept {
  for (serving_frame *frame = serving; frame != nullptr; frame = frame->outer) {
    if (frame->native == native && std::uncaught_exceptions() > frame->exceptions) {
      frame->dropped = true;
      return true;
    }
  }
  return false;
}

template <class F>
struct cancel_node {
  template <class G>
  explicit cancel_node(G &&g) : f(std::forward<G>(g)) {}
  static void cancelled(void *user_data, aimrt_rpc_call_t) noexcept {
    contain_and_report("cancel callback", [&] { static_cast<cancel_node *>(user_data)->f(); });
  }
  F f;
};

// What both forms share: the duty to answer.
class server_call_base {
 public:
  server_call_base(server_call_base &&other) noexcept
      : native_(std::exchange(other.native_, 0)), payload_(other.payload_), response_(other.response_),
        context_(std::move(other.context_)) {}
  server_call_base &operator=(server_call_base &&other) noexcept {
    if (this != &other) {
      drop();
      native_ = std::exchange(other.native_, 0);
      payload_ = other.payload_;
      response_ = other.response_;
      context_ = std::move(other.context_);
    }
    return *this;
  }
  server_call_base(const server_call_base &) = delete;
  server_call_base &operator=(const server_call_base &) = delete;

  // Metadata and timeout of the call.
  aimrt_rpc::context &context() noexcept {
    if (!context_.get()) context_ = borrowed_context(aimrt_rpc_call_context(native_));
    return context_.get();
  }

  // Nobody waits for the answer any more: cancelled, timed out, connection lost, shutdown.
  bool cancelled() const noexcept { return aimrt_rpc_call_cancelled(native_) != 0; }

  // f() comes once when the call is cancelled, on any thread; at once when it is cancelled already. It must not block.
  template <class F>
  result<void> on_cancel(F &&f) noexcept {
    using node = cancel_node<std::decay_t<F>>;
    node *remembered = pool_make<node>(std::forward<F>(f));
    if (remembered == nullptr) return error(AIMRT_RPC_RESULT_OUT_OF_MEMORY);
    auto done = run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_call_on_cancel(native_, &node::cancelled, remembered, &pool_destroy_erased<node>, why);
    });
    if (!done) pool_destroy(remembered);
    return done;
  }

  // Keeps request, context and this call's handle usable after finish, as long as the object given back lives.
  result<unique_handle<call_traits>> retain() noexcept {
    auto done = run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_call_retain(native_, why); });
    if (!done) return std::move(done).error();
    return unique_handle<call_traits>(native_);
  }

  aimrt_rpc_call_t native() const noexcept { return native_; }
  // Gives up the duty to answer: whoever has the native handle must.
  void forget() noexcept { native_ = 0; }

  // False after finish and when moved from.
  explicit operator bool() const noexcept { return native_ != 0; }

 protected:
  server_call_base(aimrt_rpc_call_t native, const aimrt_rpc_payload_t &payload, void *response) noexcept
      : native_(native), payload_(payload), response_(response), context_(0) {}
  ~server_call_base() { drop(); }

  result<void> finish_with(const status &how, const aimrt_rpc_payload_t *response) noexcept {
    const aimrt_rpc_call_t native = std::exchange(native_, 0);
    if (native == 0) return error(AIMRT_RPC_RESULT_INVALID_HANDLE);
    return run([&](aimrt_rpc_error_t *why) { return finish_call(native, how, response, why); });
  }

  const aimrt_rpc_payload_t &payload() const noexcept { return payload_; }
  void *native_response() const noexcept { return response_; }

 private:
  void drop() noexcept {
    if (native_ == 0 || left_to_catcher(native_)) return;
    const status how(code::svr_handle_failed, "the handler gave up the call without an answer");
    static_cast<void>(finish_call(std::exchange(native_, 0), how, nullptr, nullptr));
  }

  aimrt_rpc_call_t native_;
  aimrt_rpc_payload_t payload_;
  void *response_;
  borrowed_context context_;
};

}  // namespace detail

// Answers with finish(), on any thread, once. A server_call that dies unanswered ends its call with code::svr_handle_failed.
template <class Request, class Response>
class server_call : public detail::server_call_base {
 public:
  server_call(aimrt_rpc_call_t native, const aimrt_rpc_payload_t &payload, void *response) noexcept
      : server_call_base(native, payload, response) {}

  // Live until finish.
  const Request &request() const noexcept { return *static_cast<const Request *>(payload().message); }
  Response &response() noexcept { return *static_cast<Response *>(native_response()); }

  // LOST when nobody waited any more.
  result<void> finish(const status &how = status()) noexcept { return finish_with(how, nullptr); }
};

// The same for bytes.
class raw_server_call : public detail::server_call_base {
 public:
  raw_server_call(aimrt_rpc_call_t native, const aimrt_rpc_payload_t &payload) noexcept
      : server_call_base(native, payload, nullptr) {}

  // Lives until finish.
  payload_view request() const noexcept {
    return {bytes_view(payload().bytes), detail::from_c(payload().serialization)};
  }

  // Answers OK with bytes, which are copied. An empty serialization means the request's. LOST when nobody waited any more.
  result<void> finish(bytes_view response, std::string_view serialization = {}) noexcept {
    const aimrt_rpc_payload_t answer = {response.native(), detail::to_c(serialization), nullptr};
    return finish_with(status(), &answer);
  }
  // Answers with a status and maybe bytes.
  result<void> finish(const status &how, bytes_view response = {}, std::string_view serialization = {}) noexcept {
    const aimrt_rpc_payload_t answer = {response.native(), detail::to_c(serialization), nullptr};
    return finish_with(how, &answer);
  }
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_SERVER_CALL_HPP_
