// A module that calls each of the services by every kind of proxy, from its Start and from an executor, and prints how each call
// ended: "call <module> <service> <proxy> <joint> <code> <text>", and whether the callback came on the caller's thread: "thread ...".
#pragma once

#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "aimrt_module_cpp_interface/aimrt_module_cpp_interface.h"
#include "robot.aimrt_rpc.pb.h"

namespace probe {

using robot::arm::MoveReq;
using robot::arm::MoveRsp;

constexpr std::string_view kServices[] = {"arm.sync", "arm.async", "arm.co", "arm.context", "arm.nested"};

class ArmClient : public aimrt::ModuleBase {
 public:
  explicit ArmClient(std::string name) : name_(std::move(name)) {}
  aimrt::ModuleInfo Info() const override { return {.name = name_}; }

  bool Initialize(aimrt::CoreRef core) override {
    core_ = core;
    for (const auto service : kServices) {
      if (!robot::arm::RegisterArmClientFunc(core.GetRpcHandle(), service)) return false;
    }
    MoveRsp rsp;
    robot::arm::ArmSyncProxy early(core.GetRpcHandle(), kServices[0]);
    Print(kServices[0], "early", "elbow", early.Move(MoveReq(), rsp), rsp);
    return true;
  }

  bool Start() override {
    for (const auto service : kServices) {
      for (const char* joint : {"elbow", "status", "throw"}) CallAll(service, joint);
    }
    scope_.spawn(aimrt::co::On(aimrt::co::AimRTScheduler(core_.GetExecutorManager().GetExecutor("own")), Loop()));
    return true;
  }

  void Shutdown() override { aimrt::co::SyncWait(scope_.complete()); }

 private:
  aimrt::logger::LoggerRef GetLogger() const { return core_.GetLogger(); }

  void Print(std::string_view service, const char* proxy, const std::string& joint, aimrt::rpc::Status status, const MoveRsp& rsp) {
    std::printf("call %s %s %s %s %u %s, %d\n", name_.c_str(), std::string(service).c_str(), proxy, joint.c_str(), status.Code(),
                rsp.text().c_str(), static_cast<int>(rsp.last().number()));
    std::fflush(stdout);
  }

  std::shared_ptr<aimrt::rpc::Context> NewContext(const aimrt::rpc::ProxyBase& proxy, const char* serialization) {
    auto context = proxy.NewContextSharedPtr();
    context->SetMetaValue("who", name_);
    context->SetSerializationType(serialization);
    context->SetTimeout(std::chrono::seconds(5));
    return context;
  }

  void CallAll(std::string_view service, const std::string& joint) {
    const auto handle = core_.GetRpcHandle();
    MoveReq req;
    req.set_joint(joint);
    req.set_load(std::string(1 << 20, 'x'));
    MoveRsp sync_rsp, async_rsp, future_rsp, co_rsp;
    robot::arm::ArmSyncProxy sync(handle, service);
    Print(service, "sync", joint, sync.Move(NewContext(sync, "pb"), req, sync_rsp), sync_rsp);
    robot::arm::ArmAsyncProxy async(handle, service);
    std::promise<std::pair<aimrt::rpc::Status, std::thread::id>> done;
    const auto context = NewContext(async, "json");
    async.Move(context, req, async_rsp, [&done](aimrt::rpc::Status status) { done.set_value({status, std::this_thread::get_id()}); });
    const auto [status, thread] = done.get_future().get();
    Print(service, "async", joint, status, async_rsp);
    if (joint == "elbow") {
      std::printf("thread %s %s %s\n", name_.c_str(), std::string(service).c_str(), thread == std::this_thread::get_id() ? "own" : "other");
    }
    robot::arm::ArmFutureProxy future(handle, service);
    const auto kept = NewContext(future, "pb");
    const auto future_status = future.Move(kept, req, future_rsp).get();
    Print(service, "future", joint, future_status, future_rsp);
    robot::arm::ArmCoProxy co(handle, service);
    const auto co_context = NewContext(co, "pb");
    Print(service, "co", joint, *aimrt::co::SyncWait(co.Move(co_context, req, co_rsp)), co_rsp);
  }

  // Many calls in one coroutine.
  aimrt::co::Task<void> Loop() {
    int good = 0;
    robot::arm::ArmCoProxy proxy(core_.GetRpcHandle(), "arm.sync");
    MoveReq req;
    for (int i = 0; i < 1000; ++i) {
      MoveRsp rsp;
      good += (co_await proxy.Move(req, rsp)).OK() ? 1 : 0;
    }
    std::printf("loop %s %d\n", name_.c_str(), good);
    std::fflush(stdout);
  }

  std::string name_;
  aimrt::CoreRef core_;
  aimrt::co::AsyncScope scope_;
};

}  // namespace probe
