// Typed calls and handlers over connections, with C++ functions as the types:
//
//   aiomas::serve(router, "math/add", [](int a, int b) { return a + b; });
//   auto add = aiomas::bind<int(int, int)>(connection, "math/add");
//   auto sum = add->invoke_sync(1, 2);  // sum.ok(), sum.value()
//
// Arguments and results are the types of value.hpp. A peer in Python calls connection.remote.math.add(1, 2).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_AIOMAS_HPP_
#define AIMRT_RPC_AIOMAS_HPP_

#include <aimrt_rpc/connection.hpp>
#include <aimrt_rpc/coroutine.hpp>
#include <aimrt_rpc/server_call.hpp>
#include <aimrt_rpc/value.hpp>

#include <cstddef>
#include <future>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace aimrt_rpc::aiomas {

// ---- Results -----------------------------------------------------------------------------------------------------------------

// How a call ended, and what it gave when it ended well. A handler may return one too: a value, or the status of its failure.
template <class R>
class [[nodiscard]] answer {
 public:
  answer() = default;
  answer(aimrt_rpc::status why) : status_(std::move(why)) {}
  answer(aimrt_rpc::code why) : status_(why) {}
  answer(R what) : value_(std::move(what)) {}

  // Not OK when there is no value: a call whose result is of another type has code::cli_deserialization_failed.
  const aimrt_rpc::status &status() const noexcept { return status_; }
  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  // ok() must be true.
  R &value() & noexcept { return checked(), *value_; }
  const R &value() const & noexcept { return checked(), *value_; }
  R &&value() && noexcept { return checked(), std::move(*value_); }

 private:
  void checked() const noexcept {
    if (!value_) detail::result_misuse("the value of a failed call was read", status_.to_string());
  }

  aimrt_rpc::status status_;
  std::optional<R> value_;
};

template <>
class [[nodiscard]] answer<void> {
 public:
  answer() noexcept = default;
  answer(aimrt_rpc::status why) : status_(std::move(why)) {}
  answer(aimrt_rpc::code why) : status_(why) {}

  const aimrt_rpc::status &status() const noexcept { return status_; }
  bool ok() const noexcept { return status_.ok(); }
  explicit operator bool() const noexcept { return ok(); }

 private:
  aimrt_rpc::status status_;
};

namespace detail_aiomas {

// The answer in what came back.
template <class R>
answer<R> read_answer(const status &how, payload_view payload) {
  if (!how.ok()) return answer<R>(how);
  if constexpr (std::is_void_v<R>) {
    return {};
  } else {
    auto made = value_view(payload).get<R>();
    if (made) return answer<R>(std::move(*made));
    return answer<R>(status(code::cli_deserialization_failed, made.error().message()));
  }
}

// [args, {}] of a call; empty when a value is of the other encoding.
template <class... Args>
std::string write_call(value_encoding encoding, const Args &...args) {
  value_writer to(encoding);
  to.array(2);
  to.array(sizeof...(Args));
  (to.write(args), ...);
  to.map(0);
  return to.good() ? to.bytes() : std::string();
}

#if defined(AIMRT_RPC_HAS_COROUTINES)
// Awaits the raw call and reads its answer.
template <class R>
class answer_awaiter {
 public:
  answer_awaiter(raw_method method, std::string request) : request_(std::move(request)), call_(method.co_invoke(request_)) {}
  bool await_ready() const noexcept { return call_.await_ready(); }
  bool await_suspend(std::coroutine_handle<> waiting) noexcept { return call_.await_suspend(waiting); }
  answer<R> await_resume() {
    const reply got = call_.await_resume();
    return read_answer<R>(got.status(), got.payload());
  }

 private:
  std::string request_;
  detail::call_awaiter<reply> call_;
};
#endif

}  // namespace detail_aiomas

// ---- Calling -----------------------------------------------------------------------------------------------------------------

template <class Signature>
class remote;

// A function of the peer: a small value, stale when no reference to its connection is left. Every form of call ends exactly once.
template <class R, class... Args>
class remote<R(Args...)> {
 public:
  remote() noexcept = default;
  remote(raw_method method, value_encoding encoding) noexcept : method_(method), encoding_(encoding) {}

  // Waits for the answer; not on the one thread that would have to serve a call back.
  answer<R> invoke_sync(const Args &...args) const {
    const reply got = method_.invoke_sync(write(args...));
    return detail_aiomas::read_answer<R>(got.status(), got.payload());
  }
  answer<R> invoke_sync(context &with, const Args &...args) const {
    const reply got = method_.invoke_sync(with, write(args...));
    return detail_aiomas::read_answer<R>(got.status(), got.payload());
  }
  // done: void(answer<R>), on the thread that ended the call.
  template <class F>
  void invoke(const Args &...args, F &&done) const {
    method_.invoke(write(args...), [f = std::forward<F>(done)](const status &how, payload_view payload) mutable {
      f(detail_aiomas::read_answer<R>(how, payload));
    });
  }
  std::future<answer<R>> invoke_future(const Args &...args) const {
    auto promise = std::make_unique<std::promise<answer<R>>>();
    std::future<answer<R>> future = promise->get_future();
    invoke(args..., [promise = std::move(promise)](answer<R> got) { promise->set_value(std::move(got)); });
    return future;
  }
#if defined(AIMRT_RPC_HAS_COROUTINES)
  // co_await gives the answer.
  detail_aiomas::answer_awaiter<R> co_invoke(const Args &...args) const { return {method_, write(args...)}; }
#endif

  raw_method raw() const noexcept { return method_; }
  explicit operator bool() const noexcept { return static_cast<bool>(method_); }

 private:
  std::string write(const Args &...args) const { return detail_aiomas::write_call(encoding_, args...); }

  raw_method method_;
  value_encoding encoding_ = value_encoding::json;
};

// The function at a path of the peer.
template <class Signature>
result<remote<Signature>> bind(const connection &to, std::string_view path) {
  auto method = to.method(path);
  if (!method) return std::move(method).error();
  auto encoding = to.encoding();
  if (!encoding) return std::move(encoding).error();
  return remote<Signature>(*method, *encoding);
}

// A service of the peer that came as a value: a reference to the connection, and a path. Any thread.
class proxy {
 public:
  proxy() = default;
  proxy(connection to, std::string path) : connection_(std::move(to)), path_(std::move(path)) {}

  // Of a received value; NOT_FOUND when it is no reference.
  static result<proxy> from(const connection &over, value_view received) {
    auto path = over.reference_path(received);
    if (!path) return std::move(path).error();
    auto shared = over.share();
    if (!shared) return std::move(shared).error();
    return proxy(std::move(*shared), std::move(*path));
  }

  // The function of that name below the service; "" is the service itself.
  template <class Signature>
  result<remote<Signature>> bind(std::string_view name) const {
    std::string whole = path_;
    if (!whole.empty() && !name.empty()) whole += '/';
    return aiomas::bind<Signature>(connection_, whole.append(name));
  }

  const std::string &path() const noexcept { return path_; }
  const aimrt_rpc::connection &over() const noexcept { return connection_; }
  friend bool operator==(const proxy &a, const proxy &b) noexcept {
    return a.connection_.native() == b.connection_.native() && a.path_ == b.path_;
  }
  friend bool operator!=(const proxy &a, const proxy &b) noexcept { return !(a == b); }

 private:
  connection connection_;
  std::string path_;
};

// ---- Serving -----------------------------------------------------------------------------------------------------------------

// Who called: the first parameter of a handler that wants to know.
class caller {
 public:
  explicit caller(raw_server_call &call) noexcept : call_(call) {}

  // The connection the call came over, to call back or to make references.
  result<aimrt_rpc::connection> over() const noexcept { return connection::of(call_.native()); }
  const aimrt_rpc::context &context() const noexcept { return call_.context(); }
  // Nobody waits for the answer any more.
  bool cancelled() const noexcept { return aimrt_rpc_call_cancelled(call_.native()) != 0; }

 private:
  raw_server_call &call_;
};

namespace detail_aiomas {

template <class F>
struct signature : signature<decltype(&F::operator())> {};
template <class R, class... Args>
struct signature<R (*)(Args...)> {
  using result_type = R;
  using arguments = std::tuple<std::decay_t<Args>...>;
  static constexpr bool wants_caller = false;
};
template <class R, class... Args>
struct signature<R (*)(const caller &, Args...)> : signature<R (*)(Args...)> {
  static constexpr bool wants_caller = true;
};
template <class R, class... Args>
struct signature<R (*)(Args...) noexcept> : signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct signature<R (C::*)(Args...)> : signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct signature<R (C::*)(Args...) const> : signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct signature<R (C::*)(Args...) noexcept> : signature<R (*)(Args...)> {};
template <class C, class R, class... Args>
struct signature<R (C::*)(Args...) const noexcept> : signature<R (*)(Args...)> {};

template <class T>
inline constexpr bool is_optional_v = false;
template <class T>
inline constexpr bool is_optional_v<std::optional<T>> = true;
template <class T>
inline constexpr bool is_answer_v = false;
template <class T>
inline constexpr bool is_answer_v<answer<T>> = true;

// What is wrong with the arguments of a call, as Python says it.
inline status refuse(std::string text) { return status(code::invalid_argument, std::move(text)); }

// The arguments of one call: positional ones first, then named ones; an std::optional may be left out.
struct call_arguments {
  value_view positional, named;
  std::size_t count = 0;  // of the positional ones
  std::size_t used = 0;   // of the named ones
  status bad;

  call_arguments(payload_view request, std::size_t most) {
    const value_view whole(request);
    positional = whole.at(0);
    named = whole.at(1);
    count = positional.size();
    if (positional.kind() != value_kind::array || (named.kind() != value_kind::map && named.kind() != value_kind::none)) {
      bad = refuse("the request is not [args, kwargs]");
    } else if (count > most) {
      bad = refuse("takes " + std::to_string(most) + " arguments, but " + std::to_string(count) + " were given");
    }
  }

  template <class T>
  void read(std::size_t index, std::string_view name, T &out) {
    if (!bad.ok()) return;
    value_view found;
    if (index < count) {
      found = positional.at(index);
    } else if (!name.empty()) {
      found = named.find(name);
      if (found.kind() != value_kind::none) ++used;
    }
    if (found.kind() == value_kind::none) {
      if (!is_optional_v<T>) bad = refuse("missing argument " + called(index, name));
      return;
    }
    auto made = found.get<T>();
    if (made) {
      out = std::move(*made);
    } else {
      bad = refuse("argument " + called(index, name) + ": " + std::string(made.error().message()));
    }
  }

  void finish() {
    if (bad.ok() && named.size() != used) bad = refuse("got an unexpected keyword argument");
  }

  static std::string called(std::size_t index, std::string_view name) {
    return name.empty() ? std::to_string(index + 1) : "'" + std::string(name) + "'";
  }
};

// A C++ function as a raw handler.
template <class F>
class typed_function {
 public:
  typed_function(F f, std::vector<std::string> names) : f_(std::move(f)), names_(std::move(names)) {}

  void operator()(raw_server_call call) {
    using arguments = typename signature<F>::arguments;
    constexpr std::size_t size = std::tuple_size_v<arguments>;
    arguments args{};
    call_arguments from(call.request(), size);
    read(from, args, std::make_index_sequence<size>());
    from.finish();
    if (!from.bad.ok()) {
      static_cast<void>(call.finish(from.bad));
      return;
    }
    if constexpr (signature<F>::wants_caller) {
      const caller who(call);
      finish(call, [&] { return std::apply([&](auto &&...arg) { return f_(who, std::move(arg)...); }, std::move(args)); });
    } else {
      finish(call, [&] { return std::apply([&](auto &&...arg) { return f_(std::move(arg)...); }, std::move(args)); });
    }
  }

 private:
  template <class Tuple, std::size_t... I>
  void read(call_arguments &from, Tuple &args, std::index_sequence<I...>) const {
    (from.read(I, I < names_.size() ? std::string_view(names_[I]) : std::string_view(), std::get<I>(args)), ...);
  }

  template <class Run>
  static void finish(raw_server_call &call, Run &&run) {
    using R = typename signature<F>::result_type;
    const value_encoding encoding = encoding_of(call.request().serialization);
    if constexpr (std::is_void_v<R>) {
      run();
      answer_with(call, status(), nullptr, encoding);
    } else if constexpr (std::is_same_v<R, status>) {
      answer_with(call, run(), nullptr, encoding);
    } else if constexpr (is_answer_v<R>) {
      R made = run();
      if constexpr (std::is_same_v<R, answer<void>>) {
        answer_with(call, made.status(), nullptr, encoding);
      } else if (made.ok()) {
        answer_with(call, status(), made.value(), encoding);
      } else {
        answer_with(call, made.status().ok() ? status(code::svr_handle_failed, "the handler gave no answer") : made.status(), nullptr, encoding);
      }
    } else {
      answer_with(call, status(), run(), encoding);
    }
  }

  template <class T>
  static void answer_with(raw_server_call &call, const status &how, const T &what, value_encoding encoding) {
    value_writer to(encoding);
    to.write(what);
    if (!to.good()) {
      static_cast<void>(call.finish(status(code::svr_serialization_failed, "the result is a value of another encoding")));
    } else if (how.ok()) {
      static_cast<void>(call.finish(to.bytes(), serialization_name(encoding)));
    } else {
      static_cast<void>(call.finish(how));
    }
  }

  F f_;
  std::vector<std::string> names_;
};

}  // namespace detail_aiomas

// Serves a path with a C++ function: any callable that is no template. Its parameters are types of value.hpp; the first may be
// `const caller &`. It returns such a type, nothing, a status, or an answer. names are those of the parameters, for peers that give
// arguments by name; a parameter that is an std::optional may be left out. It runs on several threads at once; an exception ends the call
// with its what().
template <class F>
result<service> serve(const router &at, std::string_view path, F &&f, std::initializer_list<std::string_view> names = {},
                      const service_options &options = {}) {
  return at.register_raw_service(
      path, detail_aiomas::typed_function<std::decay_t<F>>(std::forward<F>(f), std::vector<std::string>(names.begin(), names.end())),
      options);
}

}  // namespace aimrt_rpc::aiomas

#endif  // AIMRT_RPC_AIOMAS_HPP_
