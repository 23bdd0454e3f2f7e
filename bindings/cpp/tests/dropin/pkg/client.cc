// A Pkg with a client alone.
#include "aimrt_pkg_c_interface/aimrt_pkg_c_interface.h"
#include "client.hpp"

static std::tuple<std::string_view, std::function<aimrt::ModuleBase*()>> aimrt_module_register_array[] = {
    {"FarClient", []() -> aimrt::ModuleBase* { return new probe::ArmClient("FarClient"); }},
};

AIMRT_PKG_MAIN(aimrt_module_register_array)
