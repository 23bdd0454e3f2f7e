// type_support of protobuf messages: serializations "pb" and "json". The only header here that includes protobuf.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_TYPE_SUPPORT_PB_HPP_
#define AIMRT_RPC_TYPE_SUPPORT_PB_HPP_

#include <aimrt_rpc/type_support.hpp>

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace aimrt_rpc {

namespace detail {

// One line, names as in the .proto file, fields with default values printed: what AimRT's C++ modules write.
inline bool pb_to_json(const google::protobuf::Message &message, writer &to) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
#if GOOGLE_PROTOBUF_VERSION >= 5026000
  options.always_print_fields_with_no_presence = true;
#else
  options.always_print_primitive_fields = true;
#endif
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return false;
  return to.write(text);
}

// Reads both field name forms; an unknown field is an error.
inline bool pb_from_json(bytes_view from, google::protobuf::Message &message) {
  const std::string_view text = from.text();
  const google::protobuf::util::JsonParseOptions options;
  message.Clear();
  return google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, &message, options).ok();
}

inline bool pb_to_bytes(const google::protobuf::Message &message, writer &to) {
  if (!message.IsInitialized()) return false;
  const std::size_t size = message.ByteSizeLong();
  if (size == 0) return true;
  if (size > INT_MAX) return false;
  std::byte *at = to.append(size);
  if (at == nullptr) return false;
  // ByteSizeLong has cached the sizes of all sub-messages.
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t *>(at));
  return true;
}

inline bool pb_from_bytes(bytes_view from, google::protobuf::Message &message) {
  if (from.size() > INT_MAX) return false;
  return message.ParseFromArray(from.data(), static_cast<int>(from.size()));
}

}  // namespace detail

template <class T>
struct type_support<T, std::enable_if_t<std::is_base_of_v<google::protobuf::Message, T>>> {
  static constexpr std::array<std::string_view, 2> serializations = {"pb", "json"};

  static std::string name() { return "pb:" + std::string(T::descriptor()->full_name()); }

  static bool serialize(std::string_view serialization, const T &message, writer &to) {
    if (serialization == "pb") return detail::pb_to_bytes(message, to);
    return serialization == "json" && detail::pb_to_json(message, to);
  }

  static bool deserialize(std::string_view serialization, bytes_view from, T &message) {
    if (serialization == "pb") return detail::pb_from_bytes(from, message);
    return serialization == "json" && detail::pb_from_json(from, message);
  }
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_TYPE_SUPPORT_PB_HPP_
