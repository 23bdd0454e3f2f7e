// The type support of protobuf messages: serializations "pb" and "json".
#pragma once

#include <climits>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/message.h>

#include "aimrt_module_cpp_interface/util/buffer.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_module_cpp_interface/util/type_support.h"
#include "aimrt_module_protobuf_interface/util/protobuf_tools.h"
#include "aimrt_module_protobuf_interface/util/protobuf_zero_copy_stream.h"
#include "aimrt_rpc_compat.h"

namespace aimrt {
namespace details {

// One buffer of the exact size; none for an empty message.
inline bool PbToBuffers(const google::protobuf::Message& message, const aimrt_buffer_array_allocator_t* allocator, aimrt_buffer_array_t* array) {
  if (!message.IsInitialized()) return false;
  const size_t size = message.ByteSizeLong();
  if (size == 0) return true;
  if (size > INT_MAX) return false;
  const aimrt_buffer_t buffer = allocator->allocate(allocator->impl, array, size);
  if (buffer.data == nullptr) return false;
  message.SerializeWithCachedSizesToArray(static_cast<uint8_t*>(buffer.data));
  return true;
}

inline bool PbFromBuffers(aimrt_buffer_array_view_t array, google::protobuf::Message& message) {
  if (array.len == 1 && array.data[0].len <= INT_MAX) return message.ParseFromArray(array.data[0].data, static_cast<int>(array.data[0].len));
  BufferArrayZeroCopyInputStream stream(array);
  return message.ParseFromZeroCopyStream(&stream);
}

inline bool JsonToBuffers(const google::protobuf::Message& message, const aimrt_buffer_array_allocator_t* allocator, aimrt_buffer_array_t* array) {
  const std::string text = Pb2CompactJson(message);
  if (text.empty()) return false;
  const aimrt_buffer_t buffer = allocator->allocate(allocator->impl, array, text.size());
  if (buffer.data == nullptr) return false;
  text.copy(static_cast<char*>(buffer.data), text.size());
  return true;
}

inline bool JsonFromBuffers(aimrt_buffer_array_view_t array, google::protobuf::Message& message) {
  if (array.len == 0) return false;
  if (array.len == 1) return Json2Pb({static_cast<const char*>(array.data[0].data), array.data[0].len}, message);
  return Json2Pb(util::BufferArrayView(array).JoinToString(), message);
}

template <std::derived_from<google::protobuf::Message> Msg>
struct MessageTypeSupport<Msg> {
  // Made when first asked for and never destroyed: the runtime may use it until the process ends.
  static const aimrt_type_support_base_t* Get() {
    static const std::string& name = *new std::string("pb:" + std::string(Msg::descriptor()->full_name()));
    static const aimrt_type_support_base_t kBase{
        .type_name = [](void*) { return util::ToAimRTStringView(name); },
        .create = [](void*) -> void* { return new Msg(); },
        .destroy = [](void*, void* msg) { delete static_cast<Msg*>(msg); },
        .copy = [](void*, const void* from, void* to) { *static_cast<Msg*>(to) = *static_cast<const Msg*>(from); },
        .move = [](void*, void* from, void* to) { *static_cast<Msg*>(to) = std::move(*static_cast<Msg*>(from)); },
        .serialize = &Serialize,
        .deserialize = &Deserialize,
        .serialization_types_supported_num = [](void*) { return size_t{2}; },
        .serialization_types_supported_list = [](void*) { return kTypes; },
        .custom_type_support_ptr = [](void*) -> const void* { return Msg::descriptor(); },
        .impl = nullptr};
    return &kBase;
  }

 private:
  static constexpr aimrt_string_view_t kTypes[] = {{"pb", 2}, {"json", 4}};

  static bool Serialize(void*, aimrt_string_view_t type, const void* msg, const aimrt_buffer_array_allocator_t* allocator,
                        aimrt_buffer_array_t* array) noexcept {
    try {
      const Msg& message = *static_cast<const Msg*>(msg);
      if (util::ToStdStringView(type) == "pb") return PbToBuffers(message, allocator, array);
      return util::ToStdStringView(type) == "json" && JsonToBuffers(message, allocator, array);
    } catch (...) {
      return false;
    }
  }
  static bool Deserialize(void*, aimrt_string_view_t type, aimrt_buffer_array_view_t array, void* msg) noexcept {
    try {
      Msg& message = *static_cast<Msg*>(msg);
      if (util::ToStdStringView(type) == "pb") return PbFromBuffers(array, message);
      return util::ToStdStringView(type) == "json" && JsonFromBuffers(array, message);
    } catch (...) {
      return false;
    }
  }
};

}  // namespace details

template <std::derived_from<google::protobuf::Message> Msg>
const aimrt_type_support_base_t* GetProtobufMessageTypeSupport() {
  return details::MessageTypeSupport<Msg>::Get();
}

}  // namespace aimrt
