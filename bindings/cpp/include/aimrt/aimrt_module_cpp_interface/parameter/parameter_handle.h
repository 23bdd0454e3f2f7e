// Named values of a module that others may change while it runs.
#pragma once

#include <string>
#include <string_view>

#include "aimrt_module_cpp_interface/util/function.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::parameter {

using ParameterValReleaseCallback = util::Function<aimrt_function_parameter_val_release_callback_ops_t>;

class ParameterHandleRef {
 public:
  ParameterHandleRef() = default;
  explicit ParameterHandleRef(const aimrt_parameter_handle_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_parameter_handle_base_t* NativeHandle() const { return base_; }

  // Empty when there is no such parameter.
  std::string GetParameter(std::string_view key) const {
    common::util::details::CheckReference(base_);
    const auto loan = base_->get_parameter(base_->impl, util::ToAimRTStringView(key));
    std::string value = util::ToStdString(loan.parameter_val);
    if (ParameterValReleaseCallback release(loan.release_callback); release) release();
    return value;
  }

  // An empty value removes the parameter.
  void SetParameter(std::string_view key, std::string_view value) const {
    common::util::details::CheckReference(base_);
    base_->set_parameter(base_->impl, util::ToAimRTStringView(key), util::ToAimRTStringView(value));
  }

 private:
  const aimrt_parameter_handle_base_t* base_ = nullptr;
};

}  // namespace aimrt::parameter
