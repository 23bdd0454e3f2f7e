// Everything a module gets from its runtime.
#pragma once

#include <cstdint>
#include <string_view>

#include "aimrt_module_cpp_interface/allocator/allocator.h"
#include "aimrt_module_cpp_interface/channel/channel_handle.h"
#include "aimrt_module_cpp_interface/configurator/configurator.h"
#include "aimrt_module_cpp_interface/executor/executor_manager.h"
#include "aimrt_module_cpp_interface/logger/logger.h"
#include "aimrt_module_cpp_interface/parameter/parameter_handle.h"
#include "aimrt_module_cpp_interface/rpc/rpc_handle.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt {

struct ModuleInfo {
  std::string_view name = {};

  uint32_t major_version = 0;
  uint32_t minor_version = 0;
  uint32_t patch_version = 0;
  uint32_t build_version = 0;

  std::string_view author = {};
  std::string_view description = {};
};

class CoreRef {
 public:
  CoreRef() = default;
  explicit CoreRef(const aimrt_core_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_core_base_t* NativeHandle() const { return base_; }

  // The module as the runtime knows it.
  ModuleInfo Info() const {
    const aimrt_module_info_t info = Base()->info(base_->impl);
    return {.name = util::ToStdStringView(info.name),
            .major_version = info.major_version,
            .minor_version = info.minor_version,
            .patch_version = info.patch_version,
            .build_version = info.build_version,
            .author = util::ToStdStringView(info.author),
            .description = util::ToStdStringView(info.description)};
  }

  configurator::ConfiguratorRef GetConfigurator() const { return configurator::ConfiguratorRef(Base()->configurator(base_->impl)); }
  allocator::AllocatorRef GetAllocator() const { return allocator::AllocatorRef(Base()->allocator_handle(base_->impl)); }
  executor::ExecutorManagerRef GetExecutorManager() const { return executor::ExecutorManagerRef(Base()->executor_manager(base_->impl)); }
  logger::LoggerRef GetLogger() const { return logger::LoggerRef(Base()->logger(base_->impl)); }
  rpc::RpcHandleRef GetRpcHandle() const { return rpc::RpcHandleRef(Base()->rpc_handle(base_->impl)); }
  channel::ChannelHandleRef GetChannelHandle() const { return channel::ChannelHandleRef(Base()->channel_handle(base_->impl)); }
  parameter::ParameterHandleRef GetParameterHandle() const { return parameter::ParameterHandleRef(Base()->parameter_handle(base_->impl)); }

 private:
  const aimrt_core_base_t* Base() const {
    common::util::details::CheckReference(base_);
    return base_;
  }

  const aimrt_core_base_t* base_ = nullptr;
};

}  // namespace aimrt
