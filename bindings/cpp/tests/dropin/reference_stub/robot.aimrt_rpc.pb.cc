// Written by hand, see the header.
#include "robot.aimrt_rpc.pb.h"

#include "aimrt_module_cpp_interface/co/inline_scheduler.h"
#include "aimrt_module_cpp_interface/co/on.h"
#include "aimrt_module_cpp_interface/co/start_detached.h"
#include "aimrt_module_cpp_interface/co/then.h"
#include "aimrt_module_protobuf_interface/util/protobuf_type_support.h"

#include "aimrt_module_cpp_interface.h"

namespace robot {
namespace arm {

static constexpr std::string_view kRpcType = "pb";
static constexpr std::string_view kArmName = "robot.arm.Arm";

ArmSyncService::ArmSyncService() : aimrt::rpc::ServiceBase(kRpcType, kArmName) {
#define EACH(M, Q, P)                                                                                                             \
  {                                                                                                                               \
    aimrt::rpc::ServiceFunc f([this](const aimrt_rpc_context_base_t* ctx, const void* req, void* rsp, aimrt_function_base_t* cb) { \
      aimrt::rpc::ServiceCallback answer(cb);                                                                                     \
      aimrt::rpc::ContextRef ctx_ref(ctx);                                                                                        \
      auto status = M(ctx_ref, *static_cast<const Q*>(req), *static_cast<P*>(rsp));                                               \
      answer(status.Code());                                                                                                      \
    });                                                                                                                           \
    RegisterServiceFunc(#M, nullptr, aimrt::GetProtobufMessageTypeSupport<Q>(), aimrt::GetProtobufMessageTypeSupport<P>(),        \
                        std::move(f));                                                                                            \
  }
  ARM_METHODS(EACH)
#undef EACH
}

ArmAsyncService::ArmAsyncService() : aimrt::rpc::ServiceBase(kRpcType, kArmName) {
#define EACH(M, Q, P)                                                                                                             \
  {                                                                                                                               \
    aimrt::rpc::ServiceFunc f([this](const aimrt_rpc_context_base_t* ctx, const void* req, void* rsp, aimrt_function_base_t* cb) { \
      auto answer = std::make_shared<aimrt::rpc::ServiceCallback>(cb);                                                            \
      aimrt::rpc::ContextRef ctx_ref(ctx);                                                                                        \
      M(ctx_ref, *static_cast<const Q*>(req), *static_cast<P*>(rsp),                                                              \
        [answer{std::move(answer)}](aimrt::rpc::Status status) { (*answer)(status.Code()); });                                    \
    });                                                                                                                           \
    RegisterServiceFunc(#M, nullptr, aimrt::GetProtobufMessageTypeSupport<Q>(), aimrt::GetProtobufMessageTypeSupport<P>(),        \
                        std::move(f));                                                                                            \
  }
  ARM_METHODS(EACH)
#undef EACH
}

ArmCoService::ArmCoService() : aimrt::rpc::CoServiceBase(kRpcType, kArmName) {
#define EACH(M, Q, P)                                                                                                             \
  {                                                                                                                               \
    aimrt::rpc::ServiceFunc f([this](const aimrt_rpc_context_base_t* ctx, const void* req, void* rsp, aimrt_function_base_t* cb) { \
      auto handle = std::make_unique<const aimrt::rpc::CoRpcHandle>(                                                              \
          [this](aimrt::rpc::ContextRef c, const void* q, void* p) -> aimrt::co::Task<aimrt::rpc::Status> {                       \
            return M(c, *static_cast<const Q*>(q), *static_cast<P*>(p));                                                          \
          });                                                                                                                     \
      aimrt::rpc::ServiceCallback answer(cb);                                                                                     \
      aimrt::rpc::ContextRef ctx_ref(ctx);                                                                                        \
      auto* ptr = handle.get();                                                                                                   \
      aimrt::co::StartDetached(                                                                                                   \
          aimrt::co::On(aimrt::co::InlineScheduler(), filter_mgr_.InvokeRpc(*ptr, ctx_ref, req, rsp)) |                           \
          aimrt::co::Then([handle{std::move(handle)}, answer{std::move(answer)}](aimrt::rpc::Status status) {                     \
            answer(status.Code());                                                                                                \
          }));                                                                                                                    \
    });                                                                                                                           \
    RegisterServiceFunc(#M, nullptr, aimrt::GetProtobufMessageTypeSupport<Q>(), aimrt::GetProtobufMessageTypeSupport<P>(),        \
                        std::move(f));                                                                                            \
  }
  ARM_METHODS(EACH)
#undef EACH
}

bool RegisterArmClientFunc(aimrt::rpc::RpcHandleRef rpc_handle_ref, std::string_view service_name) {
#define EACH(M, Q, P)                                                                                                       \
  if (!(rpc_handle_ref.RegisterClientFunc(kRpcType, service_name, #M, nullptr, aimrt::GetProtobufMessageTypeSupport<Q>(),   \
                                          aimrt::GetProtobufMessageTypeSupport<P>())))                                      \
    return false;
  ARM_METHODS(EACH)
#undef EACH
  return true;
}
bool RegisterArmClientFunc(aimrt::rpc::RpcHandleRef rpc_handle_ref) { return RegisterArmClientFunc(rpc_handle_ref, kArmName); }

#define PROXY(KIND, BASE)                                                                                                             \
  KIND::KIND(aimrt::rpc::RpcHandleRef rpc_handle_ref) : aimrt::rpc::BASE(rpc_handle_ref, kRpcType, kArmName) {}                      \
  KIND::KIND(aimrt::rpc::RpcHandleRef rpc_handle_ref, std::string_view name) : aimrt::rpc::BASE(rpc_handle_ref, kRpcType, name) {}
PROXY(ArmSyncProxy, SyncProxyBase)
PROXY(ArmAsyncProxy, AsyncProxyBase)
PROXY(ArmFutureProxy, FutureProxyBase)
PROXY(ArmCoProxy, CoProxyBase)
#undef PROXY

#define EACH(M, Q, P)                                                                                                                   \
  aimrt::rpc::Status ArmSyncProxy::M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp) {                                            \
    const std::string& name = aimrt::rpc::GetFullFuncName(rpc_type_, service_name_, #M);                                                \
    return Invoke(name, ctx_ref, req, rsp);                                                                                             \
  }                                                                                                                                     \
  void ArmAsyncProxy::M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp, std::function<void(aimrt::rpc::Status)>&& callback) {     \
    const std::string& name = aimrt::rpc::GetFullFuncName(rpc_type_, service_name_, #M);                                                \
    Invoke(name, ctx_ref, req, rsp, std::move(callback));                                                                               \
  }                                                                                                                                     \
  std::future<aimrt::rpc::Status> ArmFutureProxy::M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp) {                             \
    const std::string& name = aimrt::rpc::GetFullFuncName(rpc_type_, service_name_, #M);                                                \
    return Invoke(name, ctx_ref, req, rsp);                                                                                             \
  }                                                                                                                                     \
  aimrt::co::Task<aimrt::rpc::Status> ArmCoProxy::M(aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp) {                             \
    const std::string& name = aimrt::rpc::GetFullFuncName(rpc_type_, service_name_, #M);                                                \
    co_return co_await Invoke(name, ctx_ref, req, rsp);                                                                                 \
  }
ARM_METHODS(EACH)
#undef EACH

void ArmCoClient::Init(const std::shared_ptr<::aimrt::context::Context>& ctx_ptr, std::string service_name) {
  const ::aimrt::rpc::RpcHandleRef rpc_handle = ::aimrt::context::Context::GetRawRef(*ctx_ptr).GetRpcHandle();
  if (not service_name.empty()) {
    RegisterArmClientFunc(rpc_handle, service_name);
  } else {
    RegisterArmClientFunc(rpc_handle);
    service_name = kArmName;
  }
  auto proxy = std::make_shared<ArmCoProxy>(rpc_handle);
  proxy->SetServiceName(service_name);
#define EACH(M, Q, P)                                                                                                        \
  this->M = ctx_ptr->cli().Init<Q, P>(                                                                                       \
      kRpcType.data() + std::string(":/") + service_name + "/" #M,                                                           \
      [proxy](aimrt::rpc::ContextRef ctx_ref, const Q& req, P& rsp) -> ::aimrt::co::Task<::aimrt::rpc::Status> {             \
        co_return co_await proxy->M(ctx_ref, req, rsp);                                                                      \
      });
  ARM_METHODS(EACH)
#undef EACH
}

void ArmCoServer::Init(const std::shared_ptr<::aimrt::context::Context>& ctx_ptr, std::string service_name) {
  if (service_name.empty()) service_name = kArmName;
  ctx_ = ctx_ptr;
  impl_ = std::make_shared<ArmAimRTImpl>(std::weak_ptr<::aimrt::context::Context>(ctx_ptr), shared_from_this());
#define EACH(M, Q, P) this->M = ctx_ptr->srv().Init<Q, P>(kRpcType.data() + std::string(":/") + service_name + "/" #M);
  ARM_METHODS(EACH)
#undef EACH
  ::aimrt::context::Context::GetRawRef(*ctx_ptr).GetRpcHandle().RegisterService(service_name, impl_.get());
}

#define NAMES(CLASS)                                                                  \
  std::vector<std::string> CLASS::GetMethodNames(std::string service_name) {          \
    if (service_name.empty()) service_name = kArmName;                                \
    return {std::string(kRpcType) + ":/" + service_name + "/Move",                    \
            std::string(kRpcType) + ":/" + service_name + "/Stop"};                   \
  }
NAMES(ArmCoClient)
NAMES(ArmCoServer)
#undef NAMES

ArmAimRTImpl::ArmAimRTImpl(std::weak_ptr<::aimrt::context::Context> ctx, std::shared_ptr<ArmCoServer> res)
    : ctx_(std::move(ctx)), res_(std::move(res)) {}

// One generation of stubs takes the result as a status, the next awaits it.
aimrt::co::Task<aimrt::rpc::Status> ArmAimRTImpl::Move(aimrt::rpc::ContextRef ctx_ref, const MoveReq& req, MoveRsp& rsp) {
  auto ctx = ctx_.lock();
  ctx->LetMe();
  co_return ctx->srv().Serving(res_->Move, ctx_ref, req, rsp);
}
aimrt::co::Task<aimrt::rpc::Status> ArmAimRTImpl::Stop(aimrt::rpc::ContextRef ctx_ref, const StopReq& req, StopRsp& rsp) {
  auto ctx = ctx_.lock();
  ctx->LetMe();
  co_return co_await ctx->srv().Serving(res_->Stop, ctx_ref, req, rsp);
}

}  // namespace arm
}  // namespace robot
