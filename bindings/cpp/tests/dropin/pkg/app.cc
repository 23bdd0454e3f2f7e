// App mode: a program that holds the runtime, with modules of its own and one without code. Prints "app: N passed, N failed".
#include <cstdio>
#include <fstream>
#include <string>

#include "aimrt_module_cpp_interface/aimrt_module_cpp_interface.h"
#include "aimrt_module_protobuf_interface/aimrt_module_protobuf_interface.h"
#include "client.hpp"
#include "core/aimrt_core.h"
#include "server.hpp"

namespace {

using aimrt::runtime::core::AimRTCore;

int passed = 0, failed = 0;

void Check(bool good, const char* what) {
  (good ? passed : failed) += 1;
  if (!good) std::printf("not true: %s\n", what);
}

std::string WhatOf(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

void RunOnce(const std::string& config, bool async) {
  probe::ArmServer server;
  probe::ArmClient near("NearClient"), far("FarClient");
  std::string states;
  AimRTCore core;
  core.RegisterHookFunc(AimRTCore::State::kPostInitLog, [&] { states += "log "; });
  core.RegisterHookFunc(AimRTCore::State::kPreStart, [&] { states += "start "; });
  core.RegisterHookFunc(AimRTCore::State::kPostShutdown, [&] { states += "end"; });
  core.GetModuleManager().RegisterModule(server.NativeHandle());
  core.GetModuleManager().RegisterModule(near.NativeHandle());
  core.GetModuleManager().RegisterModule("other", far.NativeHandle());
  Check(!WhatOf([&] { core.GetModuleManager().CreateModule("Early"); }).empty(), "no module is created before Initialize");
  AimRTCore::Options options;
  options.cfg_file_path = config;
  core.Initialize(options);
  Check(core.GetState() == AimRTCore::State::kPostInit, "state after Initialize");
  Check(!WhatOf([&] { core.Initialize(options); }).empty(), "Initialize works once");

  aimrt::CoreRef module_handle(core.GetModuleManager().CreateModule("Outside"));
  Check(module_handle.Info().name == "Outside", "name of a created module");
  Check(!WhatOf([&] { core.GetModuleManager().CreateModule("Outside"); }).empty(), "a name is used once");
  Check(core.GenInitializationReport().find("NearClient") != std::string::npos, "report names the modules");
  const auto handle = module_handle.GetRpcHandle();
  Check(robot::arm::RegisterArmClientFunc(handle, "arm.sync"), "client methods are registered before Start");
  robot::arm::ArmSyncProxy proxy(handle, "arm.sync");
  const auto call = [&] {
    robot::arm::MoveReq req;
    robot::arm::MoveRsp rsp;
    req.set_joint("elbow");
    auto context = proxy.NewContextSharedPtr();
    context->SetMetaValue("who", "app");
    const auto status = proxy.Move(context, req, rsp);
    return status.ToString() + " " + rsp.text();
  };
  Check(call() == "fail, code 2011, msg: Client side not ready ", "a call before Start");
  if (async) {
    auto ended = core.AsyncStart();
    Check(core.GetState() == AimRTCore::State::kPostStart, "state after AsyncStart");
    Check(call() == "suc, code 0, msg: OK moved elbow for app", "a call while the runtime runs");
    core.Shutdown();
    core.Shutdown();
    ended.get();
  } else {
    std::string answer;
    std::thread caller;
    core.RegisterHookFunc(AimRTCore::State::kPostStart, [&] {
      caller = std::thread([&] {
        answer = call();
        core.Shutdown();
      });
    });
    core.Start();
    caller.join();
    Check(answer == "suc, code 0, msg: OK moved elbow for app", "a call while Start blocks");
  }
  Check(states == "log start end", "hooks run");
  Check(call() == "fail, code 2011, msg: Client side not ready ", "a call after Shutdown");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string config = argc > 1 ? argv[1] : "";
  RunOnce(config, true);
  RunOnce(config, false);
  {
    AimRTCore never_started;
    never_started.Initialize({});
    Check(!WhatOf([&] { never_started.RegisterHookFunc(AimRTCore::State::kMaxStateNum, [] {}); }).empty(), "a state that is none");
  }
  const std::string missing = WhatOf([] {
    AimRTCore core;
    AimRTCore::Options options;
    options.cfg_file_path = "no_such_file.yaml";
    core.Initialize(options);
  });
  Check(missing.find("no_such_file.yaml") != std::string::npos, "a missing configuration is named");
  std::printf("app: %d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
