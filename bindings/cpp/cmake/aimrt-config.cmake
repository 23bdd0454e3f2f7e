# find_package(aimrt) for projects that were written for AimRT: the same as find_package(aimrt_rpc).
include(CMakeFindDependencyMacro)
find_dependency(aimrt_rpc PATHS "${CMAKE_CURRENT_LIST_DIR}/../aimrt_rpc" NO_DEFAULT_PATH)
