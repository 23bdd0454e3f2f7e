// How client and handlers deal in bytes (raw) and in protobuf messages (message), behind one set of names.
#ifndef AIMRT_RPC_TESTS_CONFORMANCE_FORMS_H_
#define AIMRT_RPC_TESTS_CONFORMANCE_FORMS_H_

#include "frame.pb.h"
#include "json.h"

#include <aimrt_rpc/aimrt_rpc.hpp>
#include <aimrt_rpc/type_support_pb.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace rpc = aimrt_rpc;
using conformance::Frame;

// More than a double can hold.
constexpr std::uint64_t full_number = UINT64_MAX;

inline std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + 7);
  return out;
}

inline std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1u) != 0 ? 0xEDB88320u : 0u);
      made[i] = c;
    }
    return made;
  }();
  std::uint32_t crc = UINT32_MAX;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFFu] ^ (crc >> 8);
  return ~crc;
}

inline std::string size_and_crc(std::string_view bytes) {
  return "\"size\":" + std::to_string(bytes.size()) + ",\"crc\":" + std::to_string(crc32(bytes));
}

struct raw {
  using call_type = rpc::raw_server_call;
  using method_type = rpc::raw_method;

  static std::string text_of(const call_type &call) { return std::string(call.request().text()); }
  static auto answer(call_type &call, std::string_view text) { return call.finish(text); }
  static auto echo(call_type &call) { return call.finish(std::string(call.request().text())); }
  static auto fail(call_type &call, const rpc::status &how) { return call.finish(how); }

  template <class F>
  static rpc::result<rpc::service> serve_later(const rpc::rpc_handle &to, const std::string &name,
                                               const rpc::service_options &options, F f) {
    return to.register_raw_service(name, std::move(f), options);
  }
  // f(context, request text, set(answer), echo()) gives the status.
  template <class F>
  static rpc::result<rpc::service> serve_now(const rpc::rpc_handle &to, const std::string &name,
                                             const rpc::service_options &options, F f) {
    return to.register_raw_service(
        name,
        [f](const rpc::context &with, rpc::payload_view request, rpc::raw_response &response) -> rpc::status {
          return f(with, std::string(request.text()), [&](std::string_view text) { response.assign(rpc::bytes_view(text)); },
                   [&] { response.set_view(request.bytes); });
        },
        options);
  }
};

struct message {
  using call_type = rpc::server_call<Frame, Frame>;
  using method_type = rpc::method<Frame, Frame>;

  static std::string text_of(const call_type &call) { return call.request().some_text(); }
  static auto answer(call_type &call, std::string_view text) {
    set(call.response(), text);
    return call.finish();
  }
  static auto echo(call_type &call) {
    call.response() = call.request();
    return call.finish();
  }
  static auto fail(call_type &call, const rpc::status &how) { return call.finish(how); }

  template <class F>
  static rpc::result<rpc::service> serve_later(const rpc::rpc_handle &to, const std::string &name,
                                               const rpc::service_options &options, F f) {
    return to.register_service<Frame, Frame>(name, std::move(f), options);
  }
  template <class F>
  static rpc::result<rpc::service> serve_now(const rpc::rpc_handle &to, const std::string &name,
                                             const rpc::service_options &options, F f) {
    return to.register_service<Frame, Frame>(
        name,
        [f](const rpc::context &with, const Frame &request, Frame &response) -> rpc::status {
          return f(with, request.some_text(), [&](std::string_view text) { set(response, text); }, [&] { response = request; });
        },
        options);
  }

  static void set(Frame &frame, std::string_view text) {
    frame.set_some_text(std::string(text));
    frame.set_big_number(full_number);
  }
};

#endif  // AIMRT_RPC_TESTS_CONFORMANCE_FORMS_H_
