// A Pkg with the server and a client beside it.
#include "aimrt_pkg_c_interface/aimrt_pkg_c_interface.h"
#include "client.hpp"
#include "server.hpp"

static std::tuple<std::string_view, std::function<aimrt::ModuleBase*()>> aimrt_module_register_array[] = {
    {"ArmServer", []() -> aimrt::ModuleBase* { return new probe::ArmServer(); }},
    {"NearClient", []() -> aimrt::ModuleBase* { return new probe::ArmClient("NearClient"); }},
};

AIMRT_PKG_MAIN(aimrt_module_register_array)
