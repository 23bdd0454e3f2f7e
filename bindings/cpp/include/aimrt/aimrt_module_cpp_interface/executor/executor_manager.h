// The executors of the configuration, by name.
#pragma once

#include <string_view>

#include "aimrt_module_cpp_interface/executor/executor.h"

namespace aimrt::executor {

class ExecutorManagerRef {
 public:
  ExecutorManagerRef() = default;
  explicit ExecutorManagerRef(const aimrt_executor_manager_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_executor_manager_base_t* NativeHandle() const { return base_; }

  // A null reference when there is no executor of that name.
  ExecutorRef GetExecutor(std::string_view name) const {
    common::util::details::CheckReference(base_);
    return ExecutorRef(base_->get_executor(base_->impl, util::ToAimRTStringView(name)));
  }

 private:
  const aimrt_executor_manager_base_t* base_ = nullptr;
};

}  // namespace aimrt::executor
