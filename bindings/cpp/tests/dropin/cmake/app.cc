// The smallest program in app mode.
#include <cstdio>

#include "core/aimrt_core.h"

#include "aimrt_module_cpp_interface/core.h"
#include "robot.aimrt_rpc.pb.h"
#include "util/log_util.h"

int main() {
  aimrt::runtime::core::AimRTCore core;
  core.Initialize({});
  const aimrt::CoreRef handle(core.GetModuleManager().CreateModule("App"));
  const bool registered = robot::arm::RegisterArmClientFunc(handle.GetRpcHandle());
  auto ended = core.AsyncStart();
  robot::arm::ArmSyncProxy proxy(handle.GetRpcHandle());
  robot::arm::MoveRsp rsp;
  const auto status = proxy.Move(robot::arm::MoveReq(), rsp);
  core.Shutdown();
  ended.wait();
  std::printf("%d %s\n", registered ? 1 : 0, status.ToString().c_str());
  return 0;
}
