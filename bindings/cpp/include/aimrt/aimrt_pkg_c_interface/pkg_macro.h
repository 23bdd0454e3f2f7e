// AIMRT_PKG_MAIN(modules) defines the entry points of a Pkg from an array of (name, function that makes the module):
//
//   static std::tuple<std::string_view, std::function<aimrt::ModuleBase*()>> modules[] = {
//       {"Arm", []() -> aimrt::ModuleBase* { return new Arm(); }}};
//   AIMRT_PKG_MAIN(modules)
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <string_view>
#include <tuple>
#include <vector>

#include "aimrt_module_cpp_interface/module_base.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_pkg_c_interface/pkg_main.h"

namespace aimrt::pkg::details {

template <typename Modules>
const aimrt_string_view_t* Names(const Modules& modules) {
  static const std::vector<aimrt_string_view_t> kNames = [&] {
    std::vector<aimrt_string_view_t> names;
    for (const auto& module_tuple : modules) names.push_back(util::ToAimRTStringView(std::string_view(std::get<0>(module_tuple))));
    return names;
  }();
  return kNames.data();
}

// NULL for an unknown name, and when the module cannot be made.
template <typename Modules>
const aimrt_module_base_t* Create(const Modules& modules, aimrt_string_view_t name) noexcept {
  try {
    for (const auto& module_tuple : modules) {
      if (std::string_view(std::get<0>(module_tuple)) != util::ToStdStringView(name)) continue;
      ModuleBase* const module_ptr = std::get<1>(module_tuple)();
      return module_ptr == nullptr ? nullptr : module_ptr->NativeHandle();
    }
  } catch (...) {  // the host says which module of which file it could not get
  }
  return nullptr;
}

inline void Destroy(const aimrt_module_base_t* module_ptr) {
  if (module_ptr != nullptr) delete static_cast<ModuleBase*>(module_ptr->impl);
}

}  // namespace aimrt::pkg::details

#define AIMRT_PKG_MAIN(__modules__)                                                                                      \
  extern "C" {                                                                                                           \
  AIMRT_PKG_EXPORT size_t AimRTDynlibGetModuleNum() { return std::size(__modules__); }                                   \
  AIMRT_PKG_EXPORT const aimrt_string_view_t* AimRTDynlibGetModuleNameList() {                                           \
    return ::aimrt::pkg::details::Names(__modules__);                                                                    \
  }                                                                                                                      \
  AIMRT_PKG_EXPORT const aimrt_module_base_t* AimRTDynlibCreateModule(aimrt_string_view_t module_name) {                 \
    return ::aimrt::pkg::details::Create(__modules__, module_name);                                                      \
  }                                                                                                                      \
  AIMRT_PKG_EXPORT void AimRTDynlibDestroyModule(const aimrt_module_base_t* module_ptr) {                                \
    ::aimrt::pkg::details::Destroy(module_ptr);                                                                          \
  }                                                                                                                      \
  }
