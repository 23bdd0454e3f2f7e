// Written by hand for robot.proto: a stub that uses every name of the headers that stubs of AimRT's own generator use, and no other.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aimrt_module_cpp_interface/co/task.h"
#include "aimrt_module_cpp_interface/context/context.h"
#include "aimrt_module_cpp_interface/rpc/rpc_handle.h"
#include "aimrt_module_cpp_interface/rpc/rpc_status.h"
#include "aimrt_module_cpp_interface/util/version.h"

#include "aimrt_module_cpp_interface.h"

#include "robot.pb.h"

static_assert(1000000 <= AIMRT_RUNTIME_VERSION_INT, "headers too old");
static_assert(AIMRT_MIN_GENCODE_VERSION_INT <= 1000000, "stub too old");

namespace robot {
namespace arm {

// clang-format off
#define ARM_METHODS(EACH) EACH(Move, ::robot::arm::MoveReq, ::robot::arm::MoveRsp) EACH(Stop, ::robot::arm::StopReq, ::robot::arm::StopRsp)
// clang-format on

class ArmSyncService : public aimrt::rpc::ServiceBase {
 public:
  ArmSyncService();
  ~ArmSyncService() override = default;
#define EACH(M, Q, P) \
  virtual aimrt::rpc::Status M(aimrt::rpc::ContextRef, const Q&, P&) { return aimrt::rpc::Status(AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED); }
  ARM_METHODS(EACH)
#undef EACH
};

class ArmAsyncService : public aimrt::rpc::ServiceBase {
 public:
  ArmAsyncService();
  ~ArmAsyncService() override = default;
#define EACH(M, Q, P)                                                                                                   \
  virtual void M(aimrt::rpc::ContextRef, const Q&, P&, std::function<void(aimrt::rpc::Status)>&& callback) {            \
    callback(aimrt::rpc::Status(AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED));                                                 \
  }
  ARM_METHODS(EACH)
#undef EACH
};

class ArmCoService : public aimrt::rpc::CoServiceBase {
 public:
  ArmCoService();
  ~ArmCoService() override = default;
#define EACH(M, Q, P)                                                                        \
  virtual aimrt::co::Task<aimrt::rpc::Status> M(aimrt::rpc::ContextRef, const Q&, P&) {      \
    co_return aimrt::rpc::Status(AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED);                      \
  }
  ARM_METHODS(EACH)
#undef EACH
};

bool RegisterArmClientFunc(aimrt::rpc::RpcHandleRef rpc_handle_ref, std::string_view service_name);
bool RegisterArmClientFunc(aimrt::rpc::RpcHandleRef rpc_handle_ref);

#define PROXY(KIND, BASE)                                                                                     \
  explicit KIND(aimrt::rpc::RpcHandleRef rpc_handle_ref);                                                     \
  explicit KIND(aimrt::rpc::RpcHandleRef rpc_handle_ref, std::string_view service_name);                      \
  ~KIND() = default;                                                                                          \
  static bool RegisterClientFunc(aimrt::rpc::RpcHandleRef handle) { return RegisterArmClientFunc(handle); }   \
  static bool RegisterClientFunc(aimrt::rpc::RpcHandleRef handle, std::string_view service_name) {            \
    return RegisterArmClientFunc(handle, service_name);                                                       \
  }

class ArmSyncProxy : public aimrt::rpc::SyncProxyBase {
 public:
  PROXY(ArmSyncProxy, SyncProxyBase)
#define EACH(M, Q, P)                                                         \
  aimrt::rpc::Status M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp); \
  aimrt::rpc::Status M(const Q& req, P& rsp) { return M(aimrt::rpc::ContextRef(), req, rsp); }
  ARM_METHODS(EACH)
#undef EACH
};

class ArmAsyncProxy : public aimrt::rpc::AsyncProxyBase {
 public:
  PROXY(ArmAsyncProxy, AsyncProxyBase)
#define EACH(M, Q, P)                                                                                                        \
  void M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp, std::function<void(aimrt::rpc::Status)>&& callback);          \
  void M(const Q& req, P& rsp, std::function<void(aimrt::rpc::Status)>&& callback) {                                         \
    M(aimrt::rpc::ContextRef(), req, rsp, std::move(callback));                                                              \
  }
  ARM_METHODS(EACH)
#undef EACH
};

class ArmFutureProxy : public aimrt::rpc::FutureProxyBase {
 public:
  PROXY(ArmFutureProxy, FutureProxyBase)
#define EACH(M, Q, P)                                                                      \
  std::future<aimrt::rpc::Status> M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp); \
  std::future<aimrt::rpc::Status> M(const Q& req, P& rsp) { return M(aimrt::rpc::ContextRef(), req, rsp); }
  ARM_METHODS(EACH)
#undef EACH
};

class ArmCoProxy : public aimrt::rpc::CoProxyBase {
 public:
  PROXY(ArmCoProxy, CoProxyBase)
#define EACH(M, Q, P)                                                                          \
  aimrt::co::Task<aimrt::rpc::Status> M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp); \
  aimrt::co::Task<aimrt::rpc::Status> M(const Q& req, P& rsp) { return M(aimrt::rpc::ContextRef(), req, rsp); }
  ARM_METHODS(EACH)
#undef EACH
};
#undef PROXY

class ArmCoClient {
 public:
  void Init(const std::shared_ptr<::aimrt::context::Context>& ctx_ptr, std::string service_name = "");
#define EACH(M, Q, P) ::aimrt::context::res::Client<Q, P> M;
  ARM_METHODS(EACH)
#undef EACH
  static std::vector<std::string> GetMethodNames(std::string service_name = {});
  static constexpr bool IS_PROXY = true;
};

class ArmAimRTImpl;

class ArmCoServer : public std::enable_shared_from_this<ArmCoServer> {
 public:
  void Init(const std::shared_ptr<::aimrt::context::Context>& ctx_ptr, std::string service_name = "");
#define EACH(M, Q, P) ::aimrt::context::res::Server<Q, P> M;
  ARM_METHODS(EACH)
#undef EACH
  static std::vector<std::string> GetMethodNames(std::string service_name = {});
  static constexpr bool IS_PROXY = false;

 private:
  std::weak_ptr<::aimrt::context::Context> ctx_;
  std::shared_ptr<ArmAimRTImpl> impl_;
};

class ArmAimRTImpl final : public ArmCoService {
 public:
  ArmAimRTImpl(std::weak_ptr<::aimrt::context::Context> ctx, std::shared_ptr<ArmCoServer> res);
#define EACH(M, Q, P) aimrt::co::Task<aimrt::rpc::Status> M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp) override;
  ARM_METHODS(EACH)
#undef EACH

 private:
  std::weak_ptr<::aimrt::context::Context> ctx_;
  std::shared_ptr<ArmCoServer> res_;
};

}  // namespace arm
}  // namespace robot
