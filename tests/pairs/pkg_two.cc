// The second Pkg: modules with coroutines; one asks by futures, one by coroutines.
#include "aimrt_pkg_c_interface/aimrt_pkg_c_interface.h"
#include "member.hpp"

static std::tuple<std::string_view, std::function<aimrt::ModuleBase*()>> aimrt_module_register_array[] = {
    {"Camera", []() -> aimrt::ModuleBase* { return new pairs::Module<pairs::CoPeer, pairs::PeerFutureProxy>("Camera"); }},
    {"Drive", []() -> aimrt::ModuleBase* { return new pairs::Module<pairs::CoPeer, pairs::PeerCoProxy>("Drive"); }},
};

AIMRT_PKG_MAIN(aimrt_module_register_array)
