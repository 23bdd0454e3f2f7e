// After the first calls, calls through the headers allocate nothing. The host here is one function that allocates nothing either.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>

#include "robot.aimrt_rpc.pb.h"

namespace {
std::atomic<long> allocations = 0;
}

void* operator new(size_t size) {
  ++allocations;
  if (void* block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

namespace {

using namespace aimrt;
using namespace robot::arm;

// Runs the one service on the caller's thread, with the client's context.
struct Host {
  rpc::ServiceFunc service;
  aimrt_rpc_handle_base_t base{
      .register_service_func =
          [](void* impl, aimrt_string_view_t name, const void*, const aimrt_type_support_base_t*, const aimrt_type_support_base_t*,
             aimrt_function_base_t* f) {
            if (util::ToStdStringView(name).ends_with("/Move")) static_cast<Host*>(impl)->service = rpc::ServiceFunc(f);
            return true;
          },
      .register_client_func = [](void*, aimrt_string_view_t, const void*, const aimrt_type_support_base_t*,
                                 const aimrt_type_support_base_t*) { return true; },
      .invoke =
          [](void* impl, aimrt_string_view_t, const aimrt_rpc_context_base_t* ctx, const void* req, void* rsp, aimrt_function_base_t* f) {
            const std::string_view id = "1";
            ctx->ops->set_meta_val(ctx->impl, util::ToAimRTStringView(AIMRT_RPC_CONTEXT_KEY_REQUEST_ID), util::ToAimRTStringView(id));
            static_cast<Host*>(impl)->service(ctx, req, rsp, f);
          },
      .merge_server_context_to_client_context = [](void*, const aimrt_rpc_context_base_t*, const aimrt_rpc_context_base_t*) {},
      .impl = this};
};

class SyncArm : public ArmSyncService {
  rpc::Status Move(rpc::ContextRef, const MoveReq& req, MoveRsp& rsp) override {
    rsp.set_text(req.joint());
    return rpc::Status();
  }
};
class AsyncArm : public ArmAsyncService {
  void Move(rpc::ContextRef, const MoveReq& req, MoveRsp& rsp, std::function<void(rpc::Status)>&& callback) override {
    rsp.set_text(req.joint());
    callback(rpc::Status());
  }
};
class CoArm : public ArmCoService {
  co::Task<rpc::Status> Move(rpc::ContextRef, const MoveReq& req, MoveRsp& rsp) override {
    rsp.set_text(req.joint());
    co_return rpc::Status();
  }
};

template <typename F>
long AllocationsOf(F&& call) {
  for (int i = 0; i < 10; ++i) call();
  const long before = allocations;
  for (int i = 0; i < 100; ++i) call();
  return allocations - before;
}

template <typename Service>
void CheckCalls() {
  Host host;
  const rpc::RpcHandleRef handle(&host.base);
  Service service;
  ASSERT_TRUE(handle.RegisterService(&service));
  MoveReq req;
  req.set_joint("elbow");
  MoveRsp rsp;
  ArmSyncProxy sync(handle);
  ArmAsyncProxy async(handle);
  ArmCoProxy co(handle);
  int good = 0;
  EXPECT_EQ(AllocationsOf([&] { good += sync.Move(req, rsp).OK() ? 1 : 0; }), 0) << "sync proxy";
  EXPECT_EQ(AllocationsOf([&] { async.Move(req, rsp, [&good](rpc::Status status) { good += status.OK() ? 1 : 0; }); }), 0) << "async proxy";
  EXPECT_EQ(AllocationsOf([&] { good += co::SyncWait(co.Move(req, rsp))->OK() ? 1 : 0; }), 0) << "co proxy";
  EXPECT_EQ(good, 330);
}

TEST(Allocations, SyncService) { CheckCalls<SyncArm>(); }
TEST(Allocations, AsyncService) { CheckCalls<AsyncArm>(); }
TEST(Allocations, CoService) { CheckCalls<CoArm>(); }

}  // namespace
