// connection, listener, router: links to peers that call in both directions, over sockets the runtime owns.
//
// A method at a path of the peer is a raw_method and is called like every other; its payload is the array [args, kwargs], its response one
// value, in the encoding of the connection. aiomas.hpp has typed calls and handlers on top.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_CONNECTION_HPP_
#define AIMRT_RPC_CONNECTION_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/buffer.hpp>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/function.hpp>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/method.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/rpc_handle.hpp>
#include <aimrt_rpc/service.hpp>
#include <aimrt_rpc/value.hpp>
#include <aimrt_rpc/view.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aimrt_rpc {

namespace detail {

struct router_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_router_release(native); }
};
struct listener_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_listener_release(native); }
};
struct connection_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_connection_release(native); }
};

// What a C function gives in a buffer.
template <class F>
result<buffer> run_for_buffer(F &&f) noexcept {
  aimrt_rpc_buffer_t made = {nullptr, 0, 0};
  auto done = run([&](aimrt_rpc_error_t *why) { return f(&made, why); });
  if (!done) return std::move(done).error();
  return buffer(made);
}

}  // namespace detail

// What one end of a connection serves, by path ("math/add"). One router may serve many connections and be changed meanwhile. When it dies,
// connections and listeners that have it go on serving; its services live as long as the runtime. Any thread.
class router {
 public:
  router() noexcept = default;
  // Takes the ownership of a router handle.
  explicit router(aimrt_rpc_router_t native) noexcept : handle_(native) {}

  static result<router> create(const rpc_handle &of) noexcept {
    aimrt_rpc_router_t made = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_router_create(of.native(), &made, why); });
    if (!done) return std::move(done).error();
    return router(made);
  }

  // Serves a path with a raw handler of one of the forms in service.hpp.
  template <class F>
  result<service> register_raw_service(std::string_view path, F &&f, const service_options &options = {}) const {
    const auto here = [native = native()](const aimrt_rpc_service_options_t *with, aimrt_rpc_service_t *made,
                                          aimrt_rpc_error_t *why) { return aimrt_rpc_router_register(native, with, made, why); };
    return detail::register_handler<detail::raw_handler<std::decay_t<F>>>(here, detail::service_options_of(path, options), options,
                                                                          std::forward<F>(f));
  }
  // Takes out a path with all that is below it; NOT_FOUND names the nearest.
  result<void> remove(std::string_view path) const noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_router_remove(native(), detail::to_c(path), why); });
  }
  // Puts another router under a path, its only place.
  result<void> attach(std::string_view path, const router &sub) const noexcept {
    return detail::run(
        [&](aimrt_rpc_error_t *why) { return aimrt_rpc_router_attach(native(), detail::to_c(path), sub.native(), why); });
  }

  aimrt_rpc_router_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  [[nodiscard]] aimrt_rpc_router_t release() noexcept { return handle_.release(); }

 private:
  unique_handle<detail::router_traits> handle_;
};

enum class connection_codec : std::uint32_t {
  json = AIMRT_RPC_CONNECTION_CODEC_JSON,
  msgpack = AIMRT_RPC_CONNECTION_CODEC_MSGPACK,
  msgpack_blosc = AIMRT_RPC_CONNECTION_CODEC_MSGPACK_BLOSC,
};

struct connection_options {
  std::string_view address;  // required: "tcp://host:port" (listen: port 0 = any), "unix:///path", "local://name"
  connection_codec codec = connection_codec::json;  // both ends must have the same
  aimrt_rpc_router_t serves = 0;                    // router::native(): what this end serves
  std::string_view dialect;                         // empty = "aiomas"
  std::chrono::nanoseconds timeout{0};  // dial: how long to try; 0 = once, forever = for ever
  bool reconnect = false;               // dial: connect again when the peer has gone
  bool failure_array = false;           // tell failures as mosaik does
  std::string_view tls_ca, tls_certificate, tls_key;  // PEM files; TLS is used when one of them is given
  std::string_view tls_server_name;
  std::vector<std::string_view> allowed_peers;  // names in certificates; none = every verified peer
  std::string_view token;                       // listen: demanded from a peer first; dial: given
  std::uint64_t reference_type = 0;             // what both ends number references with
  std::uint32_t max_frame_size = 0;             // limits; 0 = default
  std::uint32_t max_depth = 0;
  std::uint32_t max_pending_count = 0;
  std::uint32_t max_open_count = 0;
  std::uint64_t max_pending_size = 0;
  std::uint32_t max_connection_count = 0;  // listen
};

namespace detail {

inline aimrt_rpc_connection_options_t connection_options_of(const connection_options &options,
                                                            const std::vector<aimrt_rpc_str_t> &allowed) noexcept {
  aimrt_rpc_connection_options_t native = AIMRT_RPC_CONNECTION_OPTIONS_INIT;
  native.flags = (options.reconnect ? AIMRT_RPC_CONNECTION_RECONNECT : 0u) |
                 (options.failure_array ? AIMRT_RPC_CONNECTION_FAILURE_ARRAY : 0u);
  native.codec = static_cast<std::uint32_t>(options.codec);
  native.max_connection_count = options.max_connection_count;
  native.dialect = to_c(options.dialect);
  native.address = to_c(options.address);
  native.router = options.serves;
  native.timeout_ns = to_ns(options.timeout);
  native.tls_ca = to_c(options.tls_ca);
  native.tls_certificate = to_c(options.tls_certificate);
  native.tls_key = to_c(options.tls_key);
  native.tls_server_name = to_c(options.tls_server_name);
  native.allowed_peers = allowed.data();
  native.allowed_peer_count = allowed.size();
  native.token = to_c(options.token);
  native.reference_type = options.reference_type;
  native.max_frame_size = options.max_frame_size;
  native.max_depth = options.max_depth;
  native.max_pending_count = options.max_pending_count;
  native.max_open_count = options.max_open_count;
  native.max_pending_size = options.max_pending_size;
  return native;
}

template <class F>
struct closed_callback {
  static void closed(void *user_data, aimrt_rpc_connection_t, aimrt_rpc_str_t reason) noexcept {
    contain_and_report("closed callback", [&] { static_cast<closed_callback *>(user_data)->f(from_c(reason)); });
  }
  F f;
};

}  // namespace detail

// One reference to a link to a peer. The last one to a connection that was dialled closes it; one that a listener accepted goes on. Methods
// of a connection are stale when no reference is left. Any thread.
class connection {
 public:
  connection() noexcept = default;
  // Takes one reference over.
  explicit connection(aimrt_rpc_connection_t native) noexcept : handle_(native) {}

  // Connects and waits until that is done.
  static result<connection> dial(const rpc_handle &of, const connection_options &options) {
    const std::vector<aimrt_rpc_str_t> allowed = detail::names_to_c(options.allowed_peers);
    const aimrt_rpc_connection_options_t native = detail::connection_options_of(options, allowed);
    aimrt_rpc_connection_t made = 0;
    auto done =
        detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_handle_dial(of.native(), &native, &made, why); });
    if (!done) return std::move(done).error();
    return connection(made);
  }
  // The connection a call being served came over; NOT_FOUND when it came in another way.
  static result<connection> of(aimrt_rpc_call_t served) noexcept {
    aimrt_rpc_connection_t made = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_call_connection(served, &made, why); });
    if (!done) return std::move(done).error();
    return connection(made);
  }
  // One more reference.
  result<connection> share() const noexcept {
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_connection_retain(native(), why); });
    if (!done) return std::move(done).error();
    return connection(native());
  }

  // The method at a path of the peer.
  result<raw_method> method(std::string_view path) const noexcept {
    aimrt_rpc_method_t made = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_connection_method(native(), detail::to_c(path), &made, why);
    });
    if (!done) return std::move(done).error();
    return raw_method(made);
  }
  // How values are encoded.
  result<value_encoding> encoding() const noexcept {
    std::uint32_t codec = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_connection_encoding(native(), &codec, why); });
    if (!done) return std::move(done).error();
    return codec == AIMRT_RPC_CONNECTION_CODEC_JSON ? value_encoding::json : value_encoding::msgpack;
  }

  // "tcp://127.0.0.1:5555".
  result<std::string> peer() const {
    auto text = detail::run_for_buffer([&](aimrt_rpc_buffer_t *out, aimrt_rpc_error_t *why) {
      return aimrt_rpc_connection_peer(native(), out, nullptr, why);
    });
    if (!text) return std::move(text).error();
    return text->to_string();
  }
  // The name in the peer's certificate, empty when it proved none.
  result<std::string> peer_identity() const {
    aimrt_rpc_buffer_t identity = {nullptr, 0, 0};
    auto text = detail::run_for_buffer([&](aimrt_rpc_buffer_t *out, aimrt_rpc_error_t *why) {
      return aimrt_rpc_connection_peer(native(), out, &identity, why);
    });
    const buffer owned(identity);
    if (!text) return std::move(text).error();
    return owned.to_string();
  }

  // A value that refers to a service of this end, for an argument or a result; "" refers to all that is served.
  result<value> reference(std::string_view path) const {
    auto how = encoding();
    if (!how) return std::move(how).error();
    auto bytes = detail::run_for_buffer([&](aimrt_rpc_buffer_t *out, aimrt_rpc_error_t *why) {
      return aimrt_rpc_connection_reference(native(), detail::to_c(path), out, why);
    });
    if (!bytes) return std::move(bytes).error();
    return value(bytes->to_string(), *how);
  }
  // The path of the peer's service that a received value refers to; NOT_FOUND when it is no reference.
  result<std::string> reference_path(value_view received) const {
    auto path = detail::run_for_buffer([&](aimrt_rpc_buffer_t *out, aimrt_rpc_error_t *why) {
      return aimrt_rpc_connection_reference_path(native(), bytes_view(received.bytes()).native(), out, why);
    });
    if (!path) return std::move(path).error();
    return path->to_string();
  }

  // f: void(std::string_view reason). Comes once when the connection has ended for good, on a thread of the library or inside this
  // function; must not block.
  template <class F>
  result<void> on_close(F &&f) const {
    using node = detail::closed_callback<std::decay_t<F>>;
    auto remembered = std::unique_ptr<node>(new node{std::forward<F>(f)});
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_connection_on_close(native(), &node::closed, remembered.get(), &detail::destroy_handler<node>, why);
    });
    if (done) static_cast<void>(remembered.release());  // the library's now
    return done;
  }

  // Begins to close; open calls end with code::connection_lost.
  result<void> close() const noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_connection_close(native(), why); });
  }

  aimrt_rpc_connection_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  [[nodiscard]] aimrt_rpc_connection_t release() noexcept { return handle_.release(); }

 private:
  unique_handle<detail::connection_traits> handle_;
};

namespace detail {

struct connected_callback {
  static void connected(void *user_data, aimrt_rpc_connection_t native) noexcept {
    if (aimrt_rpc_connection_retain(native, nullptr) != AIMRT_RPC_RESULT_OK) return;
    connection made(native);
    contain_and_report("connected callback", [&] { static_cast<connected_callback *>(user_data)->f(std::move(made)); });
  }
  unique_function<void(connection)> f;
};

}  // namespace detail

// Accepts connections until it dies, which closes those it accepted; it must not die inside one of its callbacks.
class listener {
 public:
  listener() noexcept = default;
  // Takes the ownership of a listener handle.
  explicit listener(aimrt_rpc_listener_t native) noexcept : handle_(native) {}

  // connected, when given, comes for each connection before its first call is served, on a thread of the library; must not block.
  static result<listener> listen(const rpc_handle &of, const connection_options &options,
                                 unique_function<void(connection)> connected = {}) {
    const std::vector<aimrt_rpc_str_t> allowed = detail::names_to_c(options.allowed_peers);
    aimrt_rpc_connection_options_t native = detail::connection_options_of(options, allowed);
    std::unique_ptr<detail::connected_callback> callback;
    if (connected) {
      callback.reset(new detail::connected_callback{std::move(connected)});
      native.connected = &detail::connected_callback::connected;
      native.user_data = callback.get();
      native.user_data_free = &detail::destroy_handler<detail::connected_callback>;
    }
    aimrt_rpc_listener_t made = 0;
    auto done =
        detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_handle_listen(of.native(), &native, &made, why); });
    if (!done) return std::move(done).error();
    static_cast<void>(callback.release());  // the library's now
    return listener(made);
  }

  // Where it listens, in the form that dial takes.
  result<std::string> address() const {
    auto text = detail::run_for_buffer(
        [&](aimrt_rpc_buffer_t *out, aimrt_rpc_error_t *why) { return aimrt_rpc_listener_address(native(), out, why); });
    if (!text) return std::move(text).error();
    return text->to_string();
  }

  aimrt_rpc_listener_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  [[nodiscard]] aimrt_rpc_listener_t release() noexcept { return handle_.release(); }

 private:
  unique_handle<detail::listener_traits> handle_;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_CONNECTION_HPP_
