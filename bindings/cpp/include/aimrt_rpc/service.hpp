// service: a method this module serves, and the forms a handler may have.
//
//   typed   status(const context &, const Request &, Response &)      answers when it returns
//           status(const Request &, Response &)
//           void(server_call<Request, Response>)                      answers later, on any thread
//           task<status>(const context &, const Request &, Response &)   a coroutine (C++20), also without context
//   raw     status(const context &, payload_view, raw_response &)     also without context
//           void(raw_server_call)
//           task<status>(const context &, payload_view, raw_response &)  also without context
// Handlers run on several threads at once. An exception ends the call with code::svr_handle_failed and its what().
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_SERVICE_HPP_
#define AIMRT_RPC_SERVICE_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/coroutine.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/server_call.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace aimrt_rpc {

// A small value, owned by the runtime.
class service {
 public:
  service() noexcept = default;
  explicit service(aimrt_rpc_service_t native) noexcept : native_(native) {}
  aimrt_rpc_service_t native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

 private:
  aimrt_rpc_service_t native_ = 0;
};

// The answer of a raw handler: bytes it points to, or bytes it gives away.
class raw_response {
 public:
  raw_response() noexcept = default;
  raw_response(const raw_response &) = delete;
  raw_response &operator=(const raw_response &) = delete;

  // Answers with bytes that outlive the handler: a constant, or a part of the request.
  void set_view(bytes_view bytes) noexcept { view_ = bytes; }
  // Answers with a copy.
  void assign(bytes_view bytes) {
    own_.assign(bytes.begin(), bytes.end());
    view_ = own_;
  }
  void assign(std::vector<std::byte> bytes) noexcept {
    own_ = std::move(bytes);
    view_ = own_;
  }
  // The serialization of the bytes; without it the request's. The text must outlive the handler.
  void set_serialization(std::string_view name) noexcept { serialization_ = name; }

  bytes_view bytes() const noexcept { return view_; }
  std::string_view serialization() const noexcept { return serialization_; }

 private:
  bytes_view view_;
  std::string_view serialization_;
  std::vector<std::byte> own_;
};

namespace detail {

inline status handle_failed(const char *what) { return status(code::svr_handle_failed, what); }

template <class R>
inline constexpr bool is_task_v = false;
#if defined(AIMRT_RPC_HAS_COROUTINES)
template <>
inline constexpr bool is_task_v<task<status>> = true;
#endif

// Calls a handler that may or may not want the context.
template <class F, class... Args>
decltype(auto) call_handler(F &f, aimrt_rpc::context &with, Args &&...args) {
  if constexpr (std::is_invocable_v<F &, const context &, Args...>) {
    return f(std::as_const(with), std::forward<Args>(args)...);
  } else {
    static_cast<void>(with);
    return f(std::forward<Args>(args)...);
  }
}

template <class F, class Void, class... Args>
struct handler_result {
  static_assert(!std::is_void_v<Void>, "this handler has none of the forms that aimrt_rpc/service.hpp lists");
};
template <class F, class... Args>
struct handler_result<F, std::enable_if_t<std::is_invocable_v<F &, const context &, Args...>>, Args...> {
  static constexpr bool wants_context = true;
  using type = std::invoke_result_t<F &, const context &, Args...>;
};
template <class F, class... Args>
struct handler_result<
    F, std::enable_if_t<!std::is_invocable_v<F &, const context &, Args...> && std::is_invocable_v<F &, Args...>>, Args...> {
  static constexpr bool wants_context = false;
  using type = std::invoke_result_t<F &, Args...>;
};

// The context of a call for handlers that want it; the others save the question.
inline borrowed_context context_for(aimrt_rpc_call_t call, bool wanted) noexcept {
  return borrowed_context(wanted ? aimrt_rpc_call_context(call) : 0);
}

// Runs a handler that takes the call itself.
template <class F, class Call>
void serve_later(F &f, Call arrived) noexcept {
  serving_frame frame = {arrived.native(), std::uncaught_exceptions(), false, serving};
  serving = &frame;
  contain([&] { f(std::move(arrived)); },
          [&](const char *what) {
            const bool still_here = static_cast<bool>(arrived);
            if (still_here || frame.dropped) {
              static_cast<void>(finish_call(frame.native, handle_failed(what), nullptr, nullptr));
            } else {
              unhandled.load(std::memory_order_acquire)("handler that had given its call away", what);
            }
            if (still_here) arrived.forget();
          });
  serving = frame.outer;
}

#if defined(AIMRT_RPC_HAS_COROUTINES)
// The handler object is shared: a runtime may be released while a coroutine still uses what the handler captured.
template <class F, class Request, class Response>
detached serve_coroutine(std::shared_ptr<F> f, server_call<Request, Response> arrived) {
  status how;
  try {
    how = co_await call_handler(*f, arrived.context(), arrived.request(), arrived.response());
  } catch (const std::exception &e) {
    how = handle_failed(e.what());
  } catch (...) {
    how = handle_failed("an exception that is not a std::exception");
  }
  static_cast<void>(arrived.finish(how));
}

template <class F>
detached serve_coroutine(std::shared_ptr<F> f, raw_server_call arrived) {
  status how;
  raw_response response;
  try {
    how = co_await call_handler(*f, arrived.context(), arrived.request(), response);
  } catch (const std::exception &e) {
    how = handle_failed(e.what());
  } catch (...) {
    how = handle_failed("an exception that is not a std::exception");
  }
  static_cast<void>(arrived.finish(how, response.bytes(), response.serialization()));
}
#endif

template <class F, class Request, class Response>
struct typed_handler {
  using call_type = server_call<Request, Response>;

  template <class G>
  explicit typed_handler(G &&g) : f(std::make_shared<F>(std::forward<G>(g))) {}

  static void serve(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) noexcept {
    auto *self = static_cast<typed_handler *>(user_data);
    if constexpr (std::is_invocable_v<F &, call_type>) {
      serve_later(*self->f, call_type(call, request->payload, request->response));
    } else {
      using found = handler_result<F, void, const Request &, Response &>;
      static_assert(std::is_same_v<typename found::type, status> || is_task_v<typename found::type>,
                    "a handler must return aimrt_rpc::status, or aimrt_rpc::task<aimrt_rpc::status>");
      if constexpr (is_task_v<typename found::type>) {
#if defined(AIMRT_RPC_HAS_COROUTINES)
        serve_coroutine(self->f, call_type(call, request->payload, request->response));
#endif
      } else {
        status how;
        contain(
            [&] {
              borrowed_context with = context_for(call, found::wants_context);
              how = call_handler(*self->f, with.get(), *static_cast<const Request *>(request->payload.message),
                                 *static_cast<Response *>(request->response));
            },
            [&](const char *what) { how = handle_failed(what); });
        static_cast<void>(finish_call(call, how, nullptr, nullptr));
      }
    }
  }

  std::shared_ptr<F> f;
};

template <class F>
struct raw_handler {
  template <class G>
  explicit raw_handler(G &&g) : f(std::make_shared<F>(std::forward<G>(g))) {}

  static void serve(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) noexcept {
    auto *self = static_cast<raw_handler *>(user_data);
    if constexpr (std::is_invocable_v<F &, raw_server_call>) {
      serve_later(*self->f, raw_server_call(call, request->payload));
    } else {
      using found = handler_result<F, void, payload_view, raw_response &>;
      static_assert(std::is_same_v<typename found::type, status> || is_task_v<typename found::type>,
                    "a handler must return aimrt_rpc::status, or aimrt_rpc::task<aimrt_rpc::status>");
      if constexpr (is_task_v<typename found::type>) {
#if defined(AIMRT_RPC_HAS_COROUTINES)
        serve_coroutine(self->f, raw_server_call(call, request->payload));
#endif
      } else {
        status how;
        raw_response response;
        contain(
            [&] {
              borrowed_context with = context_for(call, found::wants_context);
              const payload_view payload = {bytes_view(request->payload.bytes), from_c(request->payload.serialization)};
              how = call_handler(*self->f, with.get(), payload, response);
            },
            [&](const char *what) { how = handle_failed(what); });
        const aimrt_rpc_payload_t answer = {response.bytes().native(), to_c(response.serialization()), nullptr};
        static_cast<void>(finish_call(call, how, &answer, nullptr));
      }
    }
  }

  std::shared_ptr<F> f;
};

template <class Handler>
void destroy_handler(void *handler) noexcept {
  std::unique_ptr<Handler>(static_cast<Handler *>(handler)).reset();
}

}  // namespace detail

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_SERVICE_HPP_
