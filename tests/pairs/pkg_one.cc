// The first Pkg: a module with sync calls and one with callbacks.
#include "aimrt_pkg_c_interface/aimrt_pkg_c_interface.h"
#include "member.hpp"

static std::tuple<std::string_view, std::function<aimrt::ModuleBase*()>> aimrt_module_register_array[] = {
    {"Arm", []() -> aimrt::ModuleBase* { return new pairs::Module<pairs::SyncPeer, pairs::PeerSyncProxy>("Arm"); }},
    {"Base", []() -> aimrt::ModuleBase* { return new pairs::Module<pairs::AsyncPeer, pairs::PeerAsyncProxy>("Base"); }},
};

AIMRT_PKG_MAIN(aimrt_module_register_array)
