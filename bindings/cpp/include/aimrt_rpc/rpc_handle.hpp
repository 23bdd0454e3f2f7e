// rpc_handle: where a module registers what it serves and what it calls.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_RPC_HANDLE_HPP_
#define AIMRT_RPC_RPC_HANDLE_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/executor.hpp>
#include <aimrt_rpc/method.hpp>
#include <aimrt_rpc/queue.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/service.hpp>
#include <aimrt_rpc/type_support.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace aimrt_rpc {

struct service_options {
  bool non_blocking = false;   // the handler never blocks: it may run on the thread that read the request
  executor run_on;             // calls from other processes run there instead of on a thread of the pool; calls inside the
                               // process run on the caller's thread
  std::vector<std::string_view> serializations;  // of raw bytes, the first is the default; none = any, default "pb"
  bytes_view descriptor;       // serialized FileDescriptorSet for reflection
};

struct client_options {
  std::vector<std::string_view> serializations;  // as in service_options
  bytes_view descriptor;
};

namespace detail {

inline aimrt_rpc_service_options_t service_options_of(std::string_view name, const service_options &options) noexcept {
  aimrt_rpc_service_options_t native = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  native.name = to_c(name);
  native.flags = options.non_blocking ? AIMRT_RPC_SERVICE_NON_BLOCKING : 0u;
  native.descriptor = options.descriptor.native();
  native.executor = options.run_on.native();
  return native;
}

inline std::vector<aimrt_rpc_str_t> names_to_c(const std::vector<std::string_view> &names) {
  std::vector<aimrt_rpc_str_t> native;
  native.reserve(names.size());
  for (std::string_view name : names) native.push_back(to_c(name));
  return native;
}

// Registers with register_at(options, service_out, error): in an rpc handle, or in a router.
template <class Register>
result<service> register_native(Register &&register_at, aimrt_rpc_service_options_t &native, const service_options &options) {
  const std::vector<aimrt_rpc_str_t> serializations = names_to_c(options.serializations);
  native.serializations = serializations.data();
  native.serialization_count = serializations.size();
  aimrt_rpc_service_t made = 0;
  auto done = run([&](aimrt_rpc_error_t *why) { return register_at(&native, &made, why); });
  if (!done) return std::move(done).error();
  return service(made);
}

template <class Handler, class Register, class F>
result<service> register_handler(Register &&register_at, aimrt_rpc_service_options_t native, const service_options &options, F &&f) {
  auto handler = std::make_unique<Handler>(std::forward<F>(f));
  native.handler = &Handler::serve;
  native.user_data = handler.get();
  native.user_data_free = &destroy_handler<Handler>;
  auto made = register_native(register_at, native, options);
  if (made) static_cast<void>(handler.release());  // the library's now
  return made;
}

}  // namespace detail

// A small value, owned by the runtime. Registration is possible while the runtime is in state INIT.
class rpc_handle {
 public:
  rpc_handle() noexcept = default;
  explicit rpc_handle(aimrt_rpc_handle_t native) noexcept : native_(native) {}

  // Serves a method ("pb:/package.Service/Method") with a handler of one of the forms listed in service.hpp.
  template <class Request, class Response, class F>
  result<service> register_service(std::string_view name, F &&f, const service_options &options = {}) const {
    using handler = detail::typed_handler<std::decay_t<F>, Request, Response>;
    aimrt_rpc_service_options_t native = detail::service_options_of(name, options);
    native.request_type = detail::type_table_of<Request>();
    native.response_type = detail::type_table_of<Response>();
    return detail::register_handler<handler>(here(), native, options, std::forward<F>(f));
  }
  // The same for bytes.
  template <class F>
  result<service> register_raw_service(std::string_view name, F &&f, const service_options &options = {}) const {
    return detail::register_handler<detail::raw_handler<std::decay_t<F>>>(here(), detail::service_options_of(name, options),
                                                                          options, std::forward<F>(f));
  }

  // Serves a method through a queue: its calls are call_arrived events with this tag.
  template <class Request, class Response>
  result<service> register_service_on(const queue &to, std::uint64_t tag, std::string_view name,
                                      const service_options &options = {}) const {
    aimrt_rpc_service_options_t native = detail::service_options_of(name, options);
    native.request_type = detail::type_table_of<Request>();
    native.response_type = detail::type_table_of<Response>();
    return register_queue(native, options, to, tag);
  }
  result<service> register_raw_service_on(const queue &to, std::uint64_t tag, std::string_view name,
                                          const service_options &options = {}) const {
    return register_queue(detail::service_options_of(name, options), options, to, tag);
  }

  // Makes a method callable for this module.
  template <class Request, class Response>
  result<method<Request, Response>> register_client(std::string_view name, const client_options &options = {}) const {
    auto made = register_any(name, options, detail::type_table_of<Request>(), detail::type_table_of<Response>());
    if (!made) return std::move(made).error();
    return method<Request, Response>(*made);
  }
  result<raw_method> register_raw_client(std::string_view name, const client_options &options = {}) const {
    auto made = register_any(name, options, nullptr, nullptr);
    if (!made) return std::move(made).error();
    return raw_method(*made);
  }

  // Finds a method this module has registered; the types must be those of the registration.
  template <class Request, class Response>
  result<method<Request, Response>> find_client(std::string_view name) const noexcept {
    auto found = find_any(name);
    if (!found) return std::move(found).error();
    return method<Request, Response>(*found);
  }
  result<raw_method> find_raw_client(std::string_view name) const noexcept {
    auto found = find_any(name);
    if (!found) return std::move(found).error();
    return raw_method(*found);
  }

  // Copies the pass-through metadata of an incoming call into the context of an outgoing one.
  result<void> merge_context(const context &server, context &client) const noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_handle_merge_context(native_, server.native(), client.native(), why);
    });
  }

  aimrt_rpc_handle_t native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

 private:
  auto here() const noexcept {
    return [native = native_](const aimrt_rpc_service_options_t *options, aimrt_rpc_service_t *made, aimrt_rpc_error_t *why) {
      return aimrt_rpc_handle_register_service(native, options, made, why);
    };
  }

  result<service> register_queue(aimrt_rpc_service_options_t native, const service_options &options, const queue &to,
                                 std::uint64_t tag) const {
    native.queue = to.native();
    native.tag = tag;
    return detail::register_native(here(), native, options);
  }

  result<aimrt_rpc_method_t> register_any(std::string_view name, const client_options &options,
                                          const aimrt_rpc_type_support_t *request,
                                          const aimrt_rpc_type_support_t *response) const {
    const std::vector<aimrt_rpc_str_t> serializations = detail::names_to_c(options.serializations);
    aimrt_rpc_client_options_t native = AIMRT_RPC_CLIENT_OPTIONS_INIT;
    native.name = detail::to_c(name);
    native.request_type = request;
    native.response_type = response;
    native.serializations = serializations.data();
    native.serialization_count = serializations.size();
    native.descriptor = options.descriptor.native();
    aimrt_rpc_method_t made = 0;
    auto done = detail::run(
        [&](aimrt_rpc_error_t *why) { return aimrt_rpc_handle_register_client(native_, &native, &made, why); });
    if (!done) return std::move(done).error();
    return made;
  }

  result<aimrt_rpc_method_t> find_any(std::string_view name) const noexcept {
    aimrt_rpc_method_t found = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_handle_find_client(native_, detail::to_c(name), &found, why);
    });
    if (!done) return std::move(done).error();
    return found;
  }

  aimrt_rpc_handle_t native_ = 0;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_RPC_HANDLE_HPP_
