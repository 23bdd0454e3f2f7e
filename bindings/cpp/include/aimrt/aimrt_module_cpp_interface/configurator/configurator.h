// Where a module's configuration lies.
#pragma once

#include <string_view>

#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::configurator {

class ConfiguratorRef {
 public:
  ConfiguratorRef() = default;
  explicit ConfiguratorRef(const aimrt_configurator_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_configurator_base_t* NativeHandle() const { return base_; }

  // Empty when the module has no file.
  std::string_view GetConfigFilePath() const {
    common::util::details::CheckReference(base_);
    return util::ToStdStringView(base_->config_file_path(base_->impl));
  }

 private:
  const aimrt_configurator_base_t* base_ = nullptr;
};

}  // namespace aimrt::configurator
