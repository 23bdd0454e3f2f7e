// A type support behind a reference.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "aimrt_module_cpp_interface/util/buffer.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::util {

class TypeSupportRef {
 public:
  TypeSupportRef() = default;
  explicit TypeSupportRef(const aimrt_type_support_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_type_support_base_t* NativeHandle() const { return base_; }

  std::string_view TypeName() const { return ToStdStringView(Base()->type_name(base_->impl)); }
  void* Create() const { return Base()->create(base_->impl); }
  void Destroy(void* msg) const { Base()->destroy(base_->impl, msg); }
  std::shared_ptr<void> CreateSharedPtr() const {
    return {Create(), [self = *this](void* msg) { self.Destroy(msg); }};
  }
  void Copy(const void* from, void* to) const { Base()->copy(base_->impl, from, to); }
  void Move(void* from, void* to) const { Base()->move(base_->impl, from, to); }

  bool Serialize(std::string_view type, const void* msg, const aimrt_buffer_array_allocator_t* allocator, aimrt_buffer_array_t* array) const {
    return Base()->serialize(base_->impl, ToAimRTStringView(type), msg, allocator, array);
  }
  bool Serialize(std::string_view type, const void* msg, aimrt_buffer_array_with_allocator_t array) const {
    return Serialize(type, msg, array.allocator, array.buffer_array);
  }
  bool Deserialize(std::string_view type, aimrt_buffer_array_view_t bytes, void* msg) const {
    return Base()->deserialize(base_->impl, ToAimRTStringView(type), bytes, msg);
  }

  size_t SerializationTypesSupportedNum() const { return Base()->serialization_types_supported_num(base_->impl); }
  const aimrt_string_view_t* SerializationTypesSupportedList() const { return Base()->serialization_types_supported_list(base_->impl); }
  std::span<const aimrt_string_view_t> SerializationTypesSupportedListSpan() const {
    return {SerializationTypesSupportedList(), SerializationTypesSupportedNum()};
  }
  const void* CustomTypeSupportPtr() const { return Base()->custom_type_support_ptr(base_->impl); }

  std::string_view DefaultSerializationType() const { return ToStdStringView(SerializationTypesSupportedList()[0]); }
  bool CheckSerializationTypeSupported(std::string_view type) const {
    for (const auto& supported : SerializationTypesSupportedListSpan())
      if (ToStdStringView(supported) == type) return true;
    return false;
  }

  // The encoded message as one text; empty when the type support refuses.
  std::string SimpleSerialize(std::string_view type, const void* msg) const {
    BufferArray array;
    if (!Serialize(type, msg, array.AllocatorNativeHandle(), array.BufferArrayNativeHandle())) return {};
    return array.JoinToString();
  }

 private:
  const aimrt_type_support_base_t* Base() const {
    common::util::details::CheckReference(base_);
    return base_;
  }

  const aimrt_type_support_base_t* base_ = nullptr;
};

}  // namespace aimrt::util

namespace aimrt {
namespace details {

// Specialised for the message types that have a type support: static const aimrt_type_support_base_t* Get().
template <typename Msg>
struct MessageTypeSupport;

}  // namespace details

// The type support of a C++ message type, the same pointer as long as the program or Pkg is loaded. The header of the kind of message
// must be included: aimrt_module_protobuf_interface/util/protobuf_type_support.h.
template <typename Msg>
  requires requires { details::MessageTypeSupport<Msg>::Get(); }
const aimrt_type_support_base_t* GetMessageTypeSupport() {
  return details::MessageTypeSupport<Msg>::Get();
}

}  // namespace aimrt
