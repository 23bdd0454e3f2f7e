// What goes along with a published message.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aimrt_module_cpp_interface/util/details/meta_store.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::channel {

class ContextRef;

namespace details {

// The accessors that a Context and a ContextRef share; Self gives NativeHandle().
template <typename Self>
class ContextAccess {
 public:
  bool CheckUsed() const { return Ops()->check_used(Impl()); }
  void SetUsed() const { Ops()->set_used(Impl()); }
  aimrt_channel_context_type_t GetType() const { return Ops()->get_type(Impl()); }

  std::string_view GetMetaValue(std::string_view key) const {
    return util::ToStdStringView(Ops()->get_meta_val(Impl(), util::ToAimRTStringView(key)));
  }
  void SetMetaValue(std::string_view key, std::string_view value) const {
    Ops()->set_meta_val(Impl(), util::ToAimRTStringView(key), util::ToAimRTStringView(value));
  }
  aimrt_string_view_array_t GetMetaKeysArray() const { return Ops()->get_meta_keys(Impl()); }
  aimrt_string_view_array_t GetMetaKeyValsArray() const { return Ops()->get_meta_key_vals(Impl()); }
  std::vector<std::string_view> GetMetaKeys() const {
    const auto array = GetMetaKeysArray();
    std::vector<std::string_view> keys;
    for (size_t i = 0; i < array.len; ++i) keys.push_back(util::ToStdStringView(array.str_array[i]));
    return keys;
  }
  std::unordered_map<std::string_view, std::string_view> GetMetaKeyVals() const {
    const auto array = GetMetaKeyValsArray();
    std::unordered_map<std::string_view, std::string_view> pairs;
    for (size_t i = 0; i + 1 < array.len; i += 2)
      pairs.emplace(util::ToStdStringView(array.str_array[i]), util::ToStdStringView(array.str_array[i + 1]));
    return pairs;
  }

  std::string_view GetSerializationType() const { return GetMetaValue(AIMRT_CHANNEL_CONTEXT_KEY_SERIALIZATION_TYPE); }
  void SetSerializationType(std::string_view value) const { SetMetaValue(AIMRT_CHANNEL_CONTEXT_KEY_SERIALIZATION_TYPE, value); }

  std::string ToString() const {
    std::string text = GetType() == AIMRT_CHANNEL_PUBLISHER_CONTEXT ? "Publisher" : "Subscriber";
    text.append(" context, meta: {");
    const auto array = GetMetaKeyValsArray();
    for (size_t i = 0; i + 1 < array.len; i += 2) {
      if (i != 0) text.append(",");
      text.append("{\"").append(util::ToStdStringView(array.str_array[i])).append("\":\"");
      text.append(util::ToStdStringView(array.str_array[i + 1])).append("\"}");
    }
    return text.append("}");
  }

 private:
  const aimrt_channel_context_base_ops_t* Ops() const {
    const aimrt_channel_context_base_t* base = static_cast<const Self*>(this)->NativeHandle();
    common::util::details::CheckReference(base);
    return base->ops;
  }
  void* Impl() const { return static_cast<const Self*>(this)->NativeHandle()->impl; }
};

}  // namespace details

class Context : public details::ContextAccess<Context> {
 public:
  explicit Context(aimrt_channel_context_type_t type = AIMRT_CHANNEL_PUBLISHER_CONTEXT) : base_{&kOps, this}, type_(type) {}
  explicit Context(const ContextRef& other);
  Context(const Context& other) : ContextAccess(), base_{&kOps, this}, type_(other.type_), meta_(other.meta_) {}
  Context& operator=(const Context&) = delete;

  const aimrt_channel_context_base_t* NativeHandle() const { return &base_; }

  void Reset() {
    used_ = false;
    meta_.Clear();
  }

 private:
  static Context& Self(void* impl) { return *static_cast<Context*>(impl); }
  static const aimrt_channel_context_base_ops_t kOps;

  aimrt_channel_context_base_t base_;
  aimrt_channel_context_type_t type_;
  bool used_ = false;
  util::details::MetaStore meta_;
};

inline const aimrt_channel_context_base_ops_t Context::kOps{
    .check_used = [](void* impl) { return Self(impl).used_; },
    .set_used = [](void* impl) { Self(impl).used_ = true; },
    .get_type = [](void* impl) { return Self(impl).type_; },
    .get_meta_val = [](void* impl, aimrt_string_view_t key) { return util::ToAimRTStringView(Self(impl).meta_.Get(util::ToStdStringView(key))); },
    .set_meta_val = [](void* impl, aimrt_string_view_t key,
                       aimrt_string_view_t value) { Self(impl).meta_.Set(util::ToStdStringView(key), util::ToStdStringView(value)); },
    .get_meta_keys = [](void* impl) { return Self(impl).meta_.Keys(); },
    .get_meta_key_vals = [](void* impl) { return Self(impl).meta_.KeyVals(); }};

class ContextRef : public details::ContextAccess<ContextRef> {
 public:
  ContextRef() = default;
  ContextRef(const Context& context) : base_(context.NativeHandle()) {}
  ContextRef(const Context* context) : base_(context == nullptr ? nullptr : context->NativeHandle()) {}
  ContextRef(const std::shared_ptr<Context>& context) : ContextRef(context.get()) {}
  explicit ContextRef(const aimrt_channel_context_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_channel_context_base_t* NativeHandle() const { return base_; }

 private:
  const aimrt_channel_context_base_t* base_ = nullptr;
};

inline Context::Context(const ContextRef& other) : base_{&kOps, this}, type_(other.GetType()) {
  const auto array = other.GetMetaKeyValsArray();
  for (size_t i = 0; i + 1 < array.len; i += 2)
    SetMetaValue(util::ToStdStringView(array.str_array[i]), util::ToStdStringView(array.str_array[i + 1]));
}

}  // namespace aimrt::channel
