// Protobuf messages as JSON texts: names as in the .proto file, fields with default values printed.
#pragma once

#include <string>
#include <string_view>

#include <google/protobuf/message.h>
#include <google/protobuf/stubs/common.h>
#include <google/protobuf/util/json_util.h>

namespace aimrt {
namespace details {

inline google::protobuf::util::JsonPrintOptions JsonOptions(bool whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = whitespace;
  options.preserve_proto_field_names = true;
#if GOOGLE_PROTOBUF_VERSION >= 5026000
  options.always_print_fields_with_no_presence = true;
#else
  options.always_print_primitive_fields = true;
#endif
  return options;
}

}  // namespace details

// Empty when the message has no JSON form.
inline std::string Pb2PrettyJson(const google::protobuf::Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, details::JsonOptions(true)).ok()) return {};
  return text;
}

inline std::string Pb2CompactJson(const google::protobuf::Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, details::JsonOptions(false)).ok()) return {};
  return text;
}

// False for a text that is no JSON form of the message; an unknown field is one.
inline bool Json2Pb(std::string_view text, google::protobuf::Message& message) {
  message.Clear();
  return google::protobuf::util::JsonStringToMessage({text.data(), text.size()}, &message, google::protobuf::util::JsonParseOptions()).ok();
}

}  // namespace aimrt
