// A module that serves the arm five times: by a sync, an async and a coroutine service, by the context API, and by a service that calls
// another one.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "aimrt_module_cpp_interface/aimrt_module_cpp_interface.h"
#include "robot.aimrt_rpc.pb.h"

namespace probe {

using robot::arm::MoveReq;
using robot::arm::MoveRsp;

// "throw" throws, "status" gives a number of its own, anything else works.
inline aimrt::rpc::Status Serve(aimrt::rpc::ContextRef context, const MoveReq& req, MoveRsp& rsp) {
  if (req.joint() == "throw") throw std::runtime_error("the joint is stuck");
  rsp.set_text("moved " + req.joint() + " for " + std::string(context.GetMetaValue("who")));
  rsp.mutable_last()->set_number(static_cast<int64_t>(req.load().size()));
  return aimrt::rpc::Status(req.joint() == "status" ? 4242u : 0u);
}

class SyncArm : public robot::arm::ArmSyncService {
  aimrt::rpc::Status Move(aimrt::rpc::ContextRef context, const MoveReq& req, MoveRsp& rsp) override { return Serve(context, req, rsp); }
};

// Answers on an executor; an exception before that is its answer too.
class AsyncArm : public robot::arm::ArmAsyncService {
 public:
  explicit AsyncArm(aimrt::executor::ExecutorRef executor) : executor_(executor) {}

 private:
  void Move(aimrt::rpc::ContextRef context, const MoveReq& req, MoveRsp& rsp, std::function<void(aimrt::rpc::Status)>&& callback) override {
    const auto status = Serve(context, req, rsp);
    executor_.Execute([status, callback = std::move(callback)] { callback(status); });
  }
  aimrt::executor::ExecutorRef executor_;
};

class CoArm : public robot::arm::ArmCoService {
 public:
  explicit CoArm(aimrt::executor::ExecutorRef executor) : scheduler_(executor) {
    RegisterFilter([](aimrt::rpc::ContextRef context, const void* req, void* rsp, const aimrt::rpc::CoRpcHandle& next)
                       -> aimrt::co::Task<aimrt::rpc::Status> { co_return co_await next(context, req, rsp); });
  }

 private:
  aimrt::co::Task<aimrt::rpc::Status> Move(aimrt::rpc::ContextRef context, const MoveReq& req, MoveRsp& rsp) override {
    co_await aimrt::co::Schedule(scheduler_);
    co_return Serve(context, req, rsp);
  }
  aimrt::co::AimRTScheduler scheduler_;
};

// Hands its calls on to another service.
class NestedArm : public robot::arm::ArmCoService {
 public:
  explicit NestedArm(aimrt::rpc::RpcHandleRef handle) : proxy_(handle, "arm.co") {}

 private:
  aimrt::co::Task<aimrt::rpc::Status> Move(aimrt::rpc::ContextRef context, const MoveReq& req, MoveRsp& rsp) override {
    const auto inner = proxy_.NewContextSharedPtr(context);
    inner->SetMetaValue("who", context.GetMetaValue("who"));
    co_return co_await proxy_.Move(inner, req, rsp);
  }
  robot::arm::ArmCoProxy proxy_;
};

class ArmServer : public aimrt::ModuleBase {
 public:
  aimrt::ModuleInfo Info() const override { return {.name = "ArmServer", .major_version = 1}; }

  bool Initialize(aimrt::CoreRef core) override {
    core_ = core;
    const auto work = core.GetExecutorManager().GetExecutor("work");
    AIMRT_CHECK_ERROR_THROW(work, "There is no executor 'work'.");
    async_ = std::make_unique<AsyncArm>(work);
    co_ = std::make_unique<CoArm>(work);
    const auto handle = core.GetRpcHandle();
    nested_ = std::make_unique<NestedArm>(handle);
    const bool good = handle.RegisterService("arm.sync", &sync_) && handle.RegisterService("arm.async", async_.get()) &&
                      handle.RegisterService("arm.co", co_.get()) && handle.RegisterService("arm.nested", nested_.get()) &&
                      robot::arm::RegisterArmClientFunc(handle, "arm.co");
    AIMRT_CHECK_ERROR_THROW(good, "A service was refused.");
    ctx_ = aimrt::context::Context::Letme(core);
    const auto server = ctx_->CreateServer<robot::arm::ArmCoServer>("arm.context");
    server->Move.ServeOn(work, [](aimrt::rpc::ContextRef context, const MoveReq& req, MoveRsp& rsp) { return Serve(context, req, rsp); });
    return true;
  }
  bool Start() override { return true; }
  void Shutdown() override { ctx_->StopRunning(); }

 private:
  aimrt::logger::LoggerRef GetLogger() const { return core_.GetLogger(); }

  aimrt::CoreRef core_;
  SyncArm sync_;
  std::unique_ptr<AsyncArm> async_;
  std::unique_ptr<CoArm> co_;
  std::unique_ptr<NestedArm> nested_;
  std::shared_ptr<aimrt::context::Context> ctx_;
};

}  // namespace probe
