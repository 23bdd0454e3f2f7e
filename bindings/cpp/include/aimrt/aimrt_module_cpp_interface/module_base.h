// The base of modules. Exceptions of a module's functions go to its log and refuse the step; none reaches the runtime.
#pragma once

#include <exception>

#include "aimrt_module_cpp_interface/core.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/log_util.h"

namespace aimrt {

class ModuleBase {
 public:
  ModuleBase() : base_{.info = &OnInfo, .initialize = &OnInitialize, .start = &OnStart, .shutdown = &OnShutdown, .impl = this} {}
  virtual ~ModuleBase() = default;
  ModuleBase(const ModuleBase&) = delete;
  ModuleBase& operator=(const ModuleBase&) = delete;

  // The views in it must stay valid as long as the module lives.
  virtual ModuleInfo Info() const = 0;
  // Methods are registered here. False keeps the runtime from starting.
  virtual bool Initialize(CoreRef core) = 0;
  virtual bool Start() = 0;
  virtual void Shutdown() = 0;

  const aimrt_module_base_t* NativeHandle() const { return &base_; }

 private:
  static ModuleBase& Self(void* impl) { return *static_cast<ModuleBase*>(impl); }

  // Runs a step; false when an exception left it.
  template <typename F>
  bool Step(const char* name, F&& step) noexcept {
    try {
      try {
        return step();
      } catch (const std::exception& e) {
        AIMRT_HL_ERROR(core_.GetLogger(), "{} module get exception: {}", name, e.what());
      } catch (...) {
        AIMRT_HL_ERROR(core_.GetLogger(), "{} module get exception of a type that is not derived from std::exception", name);
      }
    } catch (...) {  // no logger, or no memory for the text
    }
    return false;
  }

  static aimrt_module_info_t OnInfo(void* impl) noexcept {
    try {
      const ModuleInfo info = Self(impl).Info();
      return {.name = util::ToAimRTStringView(info.name),
              .major_version = info.major_version,
              .minor_version = info.minor_version,
              .patch_version = info.patch_version,
              .build_version = info.build_version,
              .author = util::ToAimRTStringView(info.author),
              .description = util::ToAimRTStringView(info.description)};
    } catch (...) {
      return {};
    }
  }
  static bool OnInitialize(void* impl, const aimrt_core_base_t* core) noexcept {
    ModuleBase& self = Self(impl);
    self.core_ = CoreRef(core);
    return self.Step("Initialize", [&] { return self.Initialize(self.core_); });
  }
  static bool OnStart(void* impl) noexcept {
    ModuleBase& self = Self(impl);
    return self.Step("Start", [&] { return self.Start(); });
  }
  static void OnShutdown(void* impl) noexcept {
    ModuleBase& self = Self(impl);
    self.Step("Shutdown", [&] { return self.Shutdown(), true; });
  }

  CoreRef core_;
  aimrt_module_base_t base_;
};

}  // namespace aimrt
