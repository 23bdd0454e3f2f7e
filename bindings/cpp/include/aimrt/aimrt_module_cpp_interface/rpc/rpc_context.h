// What goes along with a call: timeout and metadata. A Context owns them, a ContextRef points to somebody's.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aimrt_module_cpp_interface/util/details/meta_store.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::rpc {

class ContextRef;

namespace details {

// The accessors that a Context and a ContextRef share; Self gives NativeHandle().
template <typename Self>
class ContextAccess {
 public:
  bool CheckUsed() const { return Ops()->check_used(Impl()); }
  void SetUsed() const { Ops()->set_used(Impl()); }
  aimrt_rpc_context_type_t GetType() const { return Ops()->get_type(Impl()); }

  // 0 = not set.
  std::chrono::nanoseconds Timeout() const { return std::chrono::nanoseconds(Ops()->get_timeout_ns(Impl())); }
  void SetTimeout(std::chrono::nanoseconds timeout) const { Ops()->set_timeout_ns(Impl(), static_cast<uint64_t>(timeout.count())); }

  // Empty when the key is not there. Views live until the next change of the context.
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
    keys.reserve(array.len);
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

  std::string_view GetToAddr() const { return GetMetaValue(AIMRT_RPC_CONTEXT_KEY_TO_ADDR); }
  void SetToAddr(std::string_view value) const { SetMetaValue(AIMRT_RPC_CONTEXT_KEY_TO_ADDR, value); }
  std::string_view GetSerializationType() const { return GetMetaValue(AIMRT_RPC_CONTEXT_KEY_SERIALIZATION_TYPE); }
  void SetSerializationType(std::string_view value) const { SetMetaValue(AIMRT_RPC_CONTEXT_KEY_SERIALIZATION_TYPE, value); }
  std::string_view GetFunctionName() const { return GetMetaValue(AIMRT_RPC_CONTEXT_KEY_FUNCTION_NAME); }
  void SetFunctionName(std::string_view value) const { SetMetaValue(AIMRT_RPC_CONTEXT_KEY_FUNCTION_NAME, value); }

  // Client context, timeout: 5000ms, meta: {{"k":"v"},{"k2":"v2"}}
  std::string ToString() const {
    std::string text = GetType() == AIMRT_RPC_CLIENT_CONTEXT ? "Client" : GetType() == AIMRT_RPC_SERVER_CONTEXT ? "Server" : "Unknown";
    text.append(" context, timeout: ").append(std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(Timeout()).count()));
    text.append("ms, meta: {");
    const auto array = GetMetaKeyValsArray();
    for (size_t i = 0; i + 1 < array.len; i += 2) {
      if (i != 0) text.append(",");
      text.append("{\"").append(util::ToStdStringView(array.str_array[i])).append("\":\"");
      text.append(util::ToStdStringView(array.str_array[i + 1])).append("\"}");
    }
    return text.append("}");
  }

 private:
  const aimrt_rpc_context_base_t* Base() const {
    const aimrt_rpc_context_base_t* base = static_cast<const Self*>(this)->NativeHandle();
    common::util::details::CheckReference(base);
    return base;
  }
  const aimrt_rpc_context_base_ops_t* Ops() const { return Base()->ops; }
  void* Impl() const { return static_cast<const Self*>(this)->NativeHandle()->impl; }
};

}  // namespace details

// One thread at a time. A client context serves one call; Reset makes it ready for the next.
class Context : public details::ContextAccess<Context> {
 public:
  explicit Context(aimrt_rpc_context_type_t type = AIMRT_RPC_CLIENT_CONTEXT) : base_{&kOps, this}, type_(type) {}
  explicit Context(const ContextRef& other);
  // A copy has the metadata, the timeout and the type, and has not been used.
  Context(const Context& other) : ContextAccess(), base_{&kOps, this}, type_(other.type_), timeout_ns_(other.timeout_ns_), meta_(other.meta_) {}
  Context(Context&& other) : Context(static_cast<const Context&>(other)) {}
  Context& operator=(const Context&) = delete;
  Context& operator=(Context&&) = delete;

  const aimrt_rpc_context_base_t* NativeHandle() const { return &base_; }

  void Reset() {
    used_ = false;
    timeout_ns_ = 0;
    meta_.Clear();
  }

 private:
  static Context& Self(void* impl) { return *static_cast<Context*>(impl); }
  static const aimrt_rpc_context_base_ops_t kOps;

  aimrt_rpc_context_base_t base_;
  aimrt_rpc_context_type_t type_;
  bool used_ = false;
  uint64_t timeout_ns_ = 0;
  util::details::MetaStore meta_;
};

inline const aimrt_rpc_context_base_ops_t Context::kOps{
    .check_used = [](void* impl) { return Self(impl).used_; },
    .set_used = [](void* impl) { Self(impl).used_ = true; },
    .get_type = [](void* impl) { return Self(impl).type_; },
    .get_timeout_ns = [](void* impl) { return Self(impl).timeout_ns_; },
    .set_timeout_ns = [](void* impl, uint64_t timeout) { Self(impl).timeout_ns_ = timeout; },
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
  explicit ContextRef(const aimrt_rpc_context_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_rpc_context_base_t* NativeHandle() const { return base_; }

 private:
  const aimrt_rpc_context_base_t* base_ = nullptr;
};

inline Context::Context(const ContextRef& other) : base_{&kOps, this}, type_(other.GetType()) {
  SetTimeout(other.Timeout());
  const auto array = other.GetMetaKeyValsArray();
  for (size_t i = 0; i + 1 < array.len; i += 2)
    SetMetaValue(util::ToStdStringView(array.str_array[i]), util::ToStdStringView(array.str_array[i + 1]));
}

}  // namespace aimrt::rpc
