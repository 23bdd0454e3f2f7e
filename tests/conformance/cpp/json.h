// The JSON of the control lines: read by protobuf into a Struct, written by hand.
#ifndef AIMRT_RPC_TESTS_CONFORMANCE_JSON_H_
#define AIMRT_RPC_TESTS_CONFORMANCE_JSON_H_

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace json {

inline std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out += '"';
}

// One value of a command; what is not there reads as empty.
class value {
 public:
  explicit value(const google::protobuf::Value &native) : native_(&native) {}

  value operator[](const std::string &key) const {
    const auto &fields = native_->struct_value().fields();
    const auto found = fields.find(key);
    return value(found == fields.end() ? google::protobuf::Value::default_instance() : found->second);
  }
  bool present() const { return native_->kind_case() != google::protobuf::Value::KIND_NOT_SET; }
  const std::string &text() const { return native_->string_value(); }
  std::int64_t number() const { return static_cast<std::int64_t>(native_->number_value()); }
  bool truth() const { return native_->bool_value(); }
  std::vector<value> items() const {
    std::vector<value> out;
    for (const auto &item : native_->list_value().values()) out.emplace_back(item);
    return out;
  }

 private:
  const google::protobuf::Value *native_;
};

// A whole line, which owns what its values point to.
class document {
 public:
  explicit document(std::string_view line) {
    const auto status = google::protobuf::util::JsonStringToMessage({line.data(), line.size()}, &native_);
    if (!status.ok()) throw std::runtime_error("not JSON: " + status.ToString());
  }
  value root() const { return value(native_); }

 private:
  google::protobuf::Value native_;
};

}  // namespace json

#endif  // AIMRT_RPC_TESTS_CONFORMANCE_JSON_H_
