// Services and proxies of a stub, over the hand-made host. Built with a stub of our generator and with the reference stub.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "aimrt_module_protobuf_interface/aimrt_module_protobuf_interface.h"
#include "fake_core.hpp"
#include "robot.aimrt_rpc.pb.h"

namespace {

using namespace aimrt;
using namespace std::chrono_literals;
using namespace robot::arm;

void Serve(const MoveReq& req, MoveRsp& rsp) { rsp.set_text("moved " + req.joint()); }

// Services of all three kinds, with the same behaviour: "throw" throws, "status" gives a number of its own.
class SyncArm : public ArmSyncService {
 public:
  rpc::Status Move(rpc::ContextRef context, const MoveReq& req, MoveRsp& rsp) override {
    seen = context.ToString();
    if (req.joint() == "throw") throw std::runtime_error("the joint is stuck");
    if (req.joint() == "odd") throw 5;
    Serve(req, rsp);
    return req.joint() == "status" ? rpc::Status(4242u) : rpc::Status();
  }
  std::string seen;
};

class AsyncArm : public ArmAsyncService {
 public:
  void Move(rpc::ContextRef, const MoveReq& req, MoveRsp& rsp, std::function<void(rpc::Status)>&& callback) override {
    if (req.joint() == "throw") throw std::runtime_error("the joint is stuck");
    if (req.joint() == "drop") return;
    Serve(req, rsp);
    const rpc::Status status(req.joint() == "status" ? 4242u : 0u);
    if (!executor) {
      callback(status);
      if (req.joint() == "twice") callback(rpc::Status(1u));
      return;
    }
    executor.Execute([callback = std::move(callback), status] { callback(status); });
  }
  executor::ExecutorRef executor;
};

class CoArm : public ArmCoService {
 public:
  co::Task<rpc::Status> Move(rpc::ContextRef, const MoveReq& req, MoveRsp& rsp) override {
    if (executor) co_await co::Schedule(co::AimRTScheduler(executor));
    if (req.joint() == "throw") throw std::runtime_error("the joint is stuck");
    Serve(req, rsp);
    co_return rpc::Status(req.joint() == "status" ? 4242u : 0u);
  }
  executor::ExecutorRef executor;
};

MoveReq Request(const std::string& joint) {
  MoveReq req;
  req.set_joint(joint);
  return req;
}

class Stubs : public ::testing::Test {
 protected:
  fake::core host;
  CoreRef core{host.base()};
  rpc::RpcHandleRef handle = core.GetRpcHandle();
  executor::ExecutorRef work = core.GetExecutorManager().GetExecutor("work");

  // Calls Move by every kind of proxy; all must agree.
  uint32_t Call(const std::string& joint, std::string* text = nullptr) {
    const MoveReq req = Request(joint);
    std::vector<uint32_t> codes;
    std::vector<std::string> texts;
    const auto add = [&](rpc::Status status, const MoveRsp& rsp) {
      codes.push_back(status.Code());
      texts.push_back(rsp.text());
    };
    MoveRsp sync_rsp, async_rsp, future_rsp, co_rsp;
    add(ArmSyncProxy(handle).Move(req, sync_rsp), sync_rsp);
    std::promise<rpc::Status> done;
    ArmAsyncProxy(handle).Move(req, async_rsp, [&done](rpc::Status status) { done.set_value(status); });
    add(done.get_future().get(), async_rsp);
    add(ArmFutureProxy(handle).Move(req, future_rsp).get(), future_rsp);
    ArmCoProxy proxy(handle);
    add(*co::SyncWait(proxy.Move(req, co_rsp)), co_rsp);
    for (size_t i = 1; i < codes.size(); ++i) {
      EXPECT_EQ(codes[i], codes[0]) << "proxy " << i;
      EXPECT_EQ(texts[i], texts[0]) << "proxy " << i;
    }
    if (text != nullptr) *text = texts[0];
    return codes[0];
  }

  void CheckService(rpc::ServiceBase& service) {
    ASSERT_TRUE(handle.RegisterService(&service));
    ASSERT_TRUE(ArmSyncProxy::RegisterClientFunc(handle));
    for (const auto deliver : {fake::delivery::inside_invoke, fake::delivery::on_executor}) {
      host.deliver = deliver;
      std::string text;
      EXPECT_EQ(Call("elbow", &text), 0u);
      EXPECT_EQ(text, "moved elbow");
      EXPECT_EQ(Call("status"), 4242u);
      host.failure_text.clear();
      EXPECT_EQ(Call("throw"), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_HANDLE_FAILED));
      EXPECT_EQ(host.failure_text, "the joint is stuck");
    }
  }
};

TEST_F(Stubs, SyncService) {
  SyncArm arm;
  CheckService(arm);
  EXPECT_EQ(Call("odd"), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_HANDLE_FAILED));
  EXPECT_NE(host.failure_text, "");
  EXPECT_NE(arm.seen.find("\"aimrt-function_name\":\"pb:/robot.arm.Arm/Move\""), std::string::npos) << arm.seen;
}

TEST_F(Stubs, AsyncService) {
  AsyncArm arm;
  CheckService(arm);
}

TEST_F(Stubs, AsyncService_ThatAnswersLater) {
  AsyncArm arm;
  arm.executor = work;
  CheckService(arm);
}

TEST_F(Stubs, AsyncService_ThatDropsItsCallbackOrCallsItTwice_AnswersOnce) {
  AsyncArm arm;
  ASSERT_TRUE(handle.RegisterService(&arm));
  EXPECT_EQ(Call("drop"), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_HANDLE_FAILED));
  EXPECT_EQ(Call("twice"), 0u);
}

TEST_F(Stubs, CoService) {
  CoArm arm;
  CheckService(arm);
}

TEST_F(Stubs, CoService_OnAnExecutor) {
  CoArm arm;
  arm.executor = work;
  CheckService(arm);
}

TEST_F(Stubs, UnimplementedMethods_Answer1002) {
  StopRsp rsp;
  const auto check = [&](rpc::ServiceBase& service) {
    host.services.clear();
    ASSERT_TRUE(handle.RegisterService(&service));
    EXPECT_EQ(ArmSyncProxy(handle).Stop(StopReq(), rsp).Code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED));
  };
  SyncArm sync;
  check(sync);
  AsyncArm async;
  check(async);
  CoArm co;
  check(co);
}

TEST_F(Stubs, Registration) {
  SyncArm arm;
  EXPECT_TRUE(handle.RegisterService("left", &arm));
  EXPECT_EQ(arm.ServiceName(), "left");
  EXPECT_TRUE(host.services.count("pb:/left/Move") == 1 && host.services.count("pb:/left/Stop") == 1);
  SyncArm second;
  host.refuse = "pb:/robot.arm.Arm/Move";
  EXPECT_FALSE(handle.RegisterService(&second));
  EXPECT_EQ(host.services.count("pb:/robot.arm.Arm/Stop"), 1u) << "goes on after a refusal";
  EXPECT_FALSE(RegisterArmClientFunc(handle));
  EXPECT_TRUE(host.clients.empty()) << "stops at the first refusal";
  host.refuse.clear();
  EXPECT_TRUE(rpc::RegisterClientFunc<ArmCoProxy>(handle));
  EXPECT_FALSE(rpc::RegisterClientFunc<ArmSyncProxy>(handle)) << "once per module";
  EXPECT_TRUE(rpc::RegisterClientFunc<ArmSyncProxy>(handle, "left"));
  EXPECT_EQ(host.clients.back(), "pb:/left/Stop");
}

TEST_F(Stubs, ProxyNames) {
  SyncArm arm;
  ASSERT_TRUE(handle.RegisterService("left", &arm));
  MoveRsp rsp;
  ArmSyncProxy proxy(handle);
  EXPECT_EQ(proxy.RpcType(), "pb");
  EXPECT_EQ(proxy.ServiceName(), "robot.arm.Arm");
  EXPECT_EQ(proxy.Move(Request("a"), rsp).Code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_NOT_FOUND));
  proxy.SetServiceName("left");
  EXPECT_TRUE(proxy.Move(Request("a"), rsp));
  EXPECT_TRUE(ArmSyncProxy(handle, "left").Move(Request("a"), rsp));
}

TEST_F(Stubs, Contexts) {
  SyncArm arm;
  ASSERT_TRUE(handle.RegisterService(&arm));
  ArmSyncProxy proxy(handle);
  MoveRsp rsp;
  const auto context = proxy.NewContextSharedPtr();
  context->SetTimeout(3s);
  context->SetMetaValue("who", "test");
  EXPECT_TRUE(proxy.Move(context, Request("a"), rsp));
  EXPECT_NE(arm.seen.find("timeout: 3000ms"), std::string::npos) << arm.seen;
  EXPECT_EQ(context->GetFunctionName(), "pb:/robot.arm.Arm/Move");
  EXPECT_EQ(context->GetMetaValue("aimrt-request_id"), "1");
  EXPECT_EQ(proxy.Move(context, Request("a"), rsp).Code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_CLI_INVALID_CONTEXT)) << "used";
  context->Reset();
  EXPECT_TRUE(proxy.Move(*context, Request("a"), rsp));

  const auto usual = std::make_shared<rpc::Context>();
  usual->SetMetaValue("usual", "yes");
  proxy.SetDefaultContextSharedPtr(usual);
  EXPECT_EQ(proxy.GetDefaultContextSharedPtr(), usual);
  EXPECT_TRUE(proxy.Move(Request("a"), rsp));
  EXPECT_NE(arm.seen.find("\"usual\":\"yes\""), std::string::npos) << arm.seen;
  EXPECT_FALSE(usual->CheckUsed()) << "calls use copies";

  host.merged = {"trace"};
  rpc::Context server(AIMRT_RPC_SERVER_CONTEXT);
  server.SetMetaValue("trace", "7");
  server.SetMetaValue("other", "8");
  const auto merged = proxy.NewContextSharedPtr(server);
  EXPECT_EQ(merged->GetMetaValue("trace"), "7");
  EXPECT_EQ(merged->GetMetaValue("other"), "");
  EXPECT_EQ(merged->GetMetaValue("usual"), "yes");
}

TEST_F(Stubs, AsyncCall_KeepsItsContextUntilTheEnd) {
  AsyncArm arm;
  arm.executor = work;
  host.deliver = fake::delivery::on_executor;
  ASSERT_TRUE(handle.RegisterService(&arm));
  MoveRsp rsp;
  std::promise<uint32_t> code;
  const MoveReq req = Request("a");
  {
    ArmAsyncProxy proxy(handle);
    proxy.Move(req, rsp, [&](rpc::Status status) { code.set_value(status.Code()); });
  }
  EXPECT_EQ(code.get_future().get(), 0u);
}

// A filter writes its name into the order on the way in and on the way out.
auto Filter(std::string* order, std::string name) {
  return [order, name](rpc::ContextRef context, const void* req, void* rsp, const rpc::CoRpcHandle& next) -> co::Task<rpc::Status> {
    *order += "<" + name;
    const auto status = co_await next(context, req, rsp);
    *order += name + ">";
    co_return status;
  };
}

TEST_F(Stubs, CoFilters_LastRegisteredIsOutermost) {
  std::string order;
  CoArm arm;
  arm.RegisterFilter(Filter(&order, "s1"));
  arm.RegisterFilter(Filter(&order, "s2"));
  ASSERT_TRUE(handle.RegisterService(&arm));
  for (const bool later : {false, true}) {
    if (later) {
      arm.executor = work;
      host.deliver = fake::delivery::on_executor;
    }
    order.clear();
    ArmCoProxy proxy(handle);
    proxy.RegisterFilter(Filter(&order, "c1"));
    proxy.RegisterFilter(Filter(&order, "c2"));
    MoveRsp rsp;
    const MoveReq req = Request("a");
    EXPECT_EQ(co::SyncWait(proxy.Move(req, rsp))->Code(), 0u);
    EXPECT_EQ(order, "<c2<c1<s2<s1s1>s2>c1>c2>");
    EXPECT_EQ(rsp.text(), "moved a");
  }
}

TEST_F(Stubs, CoFilters_MayAnswerRepeatAndThrow) {
  CoArm arm;
  ASSERT_TRUE(handle.RegisterService(&arm));
  ArmCoProxy proxy(handle);
  MoveRsp rsp;
  const MoveReq req = Request("a");
  int calls = 0;
  proxy.RegisterFilter([&calls](rpc::ContextRef context, const void* q, void* p, const rpc::CoRpcHandle& next) -> co::Task<rpc::Status> {
    ++calls;
    if (context.GetMetaValue("answer") == "yes") co_return rpc::Status(77u);
    if (context.GetMetaValue("throw") == "yes") throw std::runtime_error("filtered");
    rpc::Context again(context);
    static_cast<void>(co_await next(context, q, p));
    co_return co_await next(again, q, p);
  });
  EXPECT_EQ(co::SyncWait(proxy.Move(req, rsp))->Code(), 0u);
  rpc::Context context;
  context.SetMetaValue("answer", "yes");
  EXPECT_EQ(co::SyncWait(proxy.Move(context, req, rsp))->Code(), 77u);
  rpc::Context broken;
  broken.SetMetaValue("throw", "yes");
  EXPECT_THROW(co::SyncWait(proxy.Move(broken, req, rsp)), std::runtime_error) << "a client filter throws to its caller";
  EXPECT_EQ(calls, 3);

  CoArm guarded;
  guarded.RegisterFilter([](rpc::ContextRef, const void*, void*, const rpc::CoRpcHandle&) -> co::Task<rpc::Status> {
    throw std::runtime_error("not you");
    co_return rpc::Status();
  });
  host.services.clear();
  ASSERT_TRUE(handle.RegisterService(&guarded));
  EXPECT_EQ(ArmSyncProxy(handle).Move(req, rsp).Code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_HANDLE_FAILED));
  EXPECT_EQ(host.failure_text, "not you");
}

TEST_F(Stubs, CoCalls_ThatEndAtOnce_DoNotDeepenTheStack) {
  CoArm arm;
  ASSERT_TRUE(handle.RegisterService(&arm));
  const auto loop = [](rpc::RpcHandleRef h) -> co::Task<int> {
    ArmCoProxy proxy(h);
    const MoveReq req = Request("a");
    int good = 0;
    for (int i = 0; i < 50'000; ++i) {
      MoveRsp rsp;
      good += (co_await proxy.Move(req, rsp)).OK() ? 1 : 0;
    }
    co_return good;
  };
  EXPECT_EQ(*co::SyncWait(loop(handle)), 50'000);
}

TEST_F(Stubs, SyncCall_WaitsForACallbackOfAnotherThread) {
  // A host that ends each call on a thread of its own, before, while or after the caller begins to wait.
  struct Ends {
    std::vector<std::thread> threads;
    uint32_t calls = 0;
  } ends;
  aimrt_rpc_handle_base_t base = *handle.NativeHandle();
  base.impl = &ends;
  base.invoke = [](void* impl, aimrt_string_view_t, const aimrt_rpc_context_base_t*, const void*, void*, aimrt_function_base_t* f) {
    auto& self = *static_cast<Ends*>(impl);
    auto done = std::make_shared<fake::callback>(f);
    self.threads.emplace_back([done, code = ++self.calls] { (*done)(code); });
  };
  ArmSyncProxy proxy{rpc::RpcHandleRef(&base)};
  const MoveReq req;
  for (uint32_t i = 1; i <= 200; ++i) {
    MoveRsp rsp;
    EXPECT_EQ(proxy.Move(req, rsp).Code(), i);
  }
  for (auto& thread : ends.threads) thread.join();
}

TEST_F(Stubs, CoCall_GoesOnOnTheThreadOfTheCallback) {
  // A host that ends the call on another thread before invoke returns.
  aimrt_rpc_handle_base_t base = *handle.NativeHandle();
  base.invoke = [](void*, aimrt_string_view_t, const aimrt_rpc_context_base_t*, const void*, void*, aimrt_function_base_t* f) {
    fake::callback done(f);
    std::thread([&done] { done(0u); }).join();
  };
  const auto call = [](rpc::RpcHandleRef h) -> co::Task<std::thread::id> {
    ArmCoProxy proxy(h);
    const MoveReq req;
    MoveRsp rsp;
    static_cast<void>(co_await proxy.Move(req, rsp));
    co_return std::this_thread::get_id();
  };
  EXPECT_NE(*co::SyncWait(call(rpc::RpcHandleRef(&base))), std::this_thread::get_id());
}

// --- context API -----------------------------------------------------------------------------------------------------------

class ContextApi : public Stubs {
 protected:
  std::shared_ptr<context::Context> ctx = context::Context::Letme(core);
};

TEST_F(ContextApi, BindsThreadsAndStops) {
  EXPECT_TRUE(context::Running());
  EXPECT_EQ(context::details::ExpectContext(), ctx);
  EXPECT_EQ(ctx->GetRawRef().NativeHandle(), host.base());
  EXPECT_EQ(ctx->GetConfigFilePath(), "/etc/robot.yaml");
  EXPECT_EQ(ctx->CreateExecutor("work").Name(), "work");
  EXPECT_THROW(ctx->CreateExecutor("nowhere"), common::util::AimRTException);
  ctx->StopRunning();
  EXPECT_FALSE(context::Running());
  std::thread([] { EXPECT_THROW(context::Running(), common::util::AimRTException); }).join();
}

TEST_F(ContextApi, LogsWithPlace) {
  ctx->log().Warn("heat {}", 90);
  AIMRT_INFO("by the global logger");
  ASSERT_EQ(host.lines.size(), 2u);
  EXPECT_EQ(host.lines[0].text, "heat 90");
  EXPECT_EQ(host.lines[0].line, static_cast<uint32_t>(__LINE__) - 4u);
  EXPECT_EQ(host.lines[1].text, "by the global logger");
}

TEST_F(ContextApi, ClientCallsServer_InEveryForm) {
  auto server = ctx->CreateServer<ArmCoServer>();
  auto client = ctx->CreateClient<ArmCoClient>();
  EXPECT_EQ(ArmCoClient::GetMethodNames(), (std::vector<std::string>{"pb:/robot.arm.Arm/Move", "pb:/robot.arm.Arm/Stop"}));
  EXPECT_EQ(ArmCoServer::GetMethodNames("x")[1], "pb:/x/Stop");
  EXPECT_TRUE(ArmCoClient::IS_PROXY && !ArmCoServer::IS_PROXY);
  EXPECT_EQ(client.Move.GetName(), "pb:/robot.arm.Arm/Move");
  const MoveReq req = Request("a");
  MoveRsp rsp;
  EXPECT_EQ(co::SyncWait(client.Move(req, rsp))->Code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED));

  const auto works = [&](const char* form) {
    ctx->LetMe();
    MoveRsp got;
    EXPECT_EQ(co::SyncWait(client.Move.Call(req, got))->Code(), 0u) << form;
    EXPECT_EQ(got.text(), "moved a") << form;
  };
  server->Move.ServeInline([](rpc::ContextRef, const MoveReq& q, MoveRsp& p) { return Serve(q, p), rpc::Status(); });
  works("status, context");
  server->Move.ServeInline([](const MoveReq& q, MoveRsp& p) { Serve(q, p); });
  works("void");
  server->Move.ServeInline([](const MoveReq& q, MoveRsp& p) -> co::Task<rpc::Status> {
    Serve(q, p);
    co_return rpc::Status();
  });
  works("task of status");
  server->Move.ServeInline([](rpc::ContextRef, const MoveReq& q, MoveRsp& p) -> co::Task<void> {
    Serve(q, p);
    co_return;
  });
  works("task of void, context");
  std::thread::id where;
  server->Move.ServeOn(work, [&where](const MoveReq& q, MoveRsp& p) {
    where = std::this_thread::get_id();
    EXPECT_TRUE(context::Running());
    Serve(q, p);
  });
  works("on an executor");
  EXPECT_EQ(where, host.work.id());

  const auto answer = co::SyncWait(client.Move(req));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->text(), "moved a");
  server->Move.ServeInline([](const MoveReq&, MoveRsp&) { return rpc::Status(1u); });
  EXPECT_FALSE(co::SyncWait(client.Move(req))->has_value());
  server->Move.ServeInline([](const MoveReq&, MoveRsp&) { throw std::runtime_error("cold"); });
  EXPECT_EQ(co::SyncWait(client.Move(req, rsp))->Code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_HANDLE_FAILED));
  EXPECT_EQ(host.failure_text, "cold");
  rpc::Context own;
  server->Stop.ServeInline([](const StopReq&, StopRsp&) {});
  StopRsp stop;
  EXPECT_EQ(co::SyncWait(client.Stop(own, StopReq(), stop))->Code(), 0u);
  EXPECT_EQ(own.GetFunctionName(), "pb:/robot.arm.Arm/Stop");
}

TEST_F(ContextApi, States) {
  auto server = ctx->CreateServer<ArmCoServer>("arm2");
  auto client = ctx->CreateClient<ArmCoClient>("arm2");
  server->Move.ServeInline([](const MoveReq& q, MoveRsp& p) { Serve(q, p); });
  const MoveReq req = Request("a");
  MoveRsp rsp;
  const auto code = [&] { return co::SyncWait(client.Move(req, rsp))->Code(); };
  EXPECT_EQ(code(), 0u);
  ctx->SetSrvState(context::RpcState::kOff);
  EXPECT_EQ(code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_NOT_READY));
  ctx->SetCliState(context::RpcState::kOff);
  EXPECT_EQ(code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_CLI_NOT_READY));
  ctx->SetCliState(context::RpcState::kOn);
  ctx->SetSrvState(context::RpcState::kOn);
  ctx->StopRunning();
  EXPECT_EQ(code(), static_cast<uint32_t>(AIMRT_RPC_STATUS_SVR_NOT_READY));
  std::thread([&] { EXPECT_THROW(co::SyncWait(client.Move(req, rsp)), common::util::AimRTException) << "no LetMe here"; }).join();
  MoveRsp none;
  EXPECT_EQ(co::SyncWait((context::res::Client<MoveReq, MoveRsp>()(req, none)))->Code(),
            static_cast<uint32_t>(AIMRT_RPC_STATUS_CLI_FUNC_NOT_REGISTERED));
}

TEST_F(ContextApi, Topics) {
  std::string got;
  const auto a = ctx->CreateSubscriber<MoveReq>("topic", [&](std::shared_ptr<const MoveReq> msg) { got += "a" + msg->joint(); });
  const auto b = ctx->CreateSubscriber<MoveReq>("topic", [&](channel::ContextRef, const MoveReq& msg) -> co::Task<void> {
    got += "b" + msg.joint();
    co_return;
  });
  EXPECT_EQ(a.GetName(), "topic");
  const auto publisher = ctx->CreatePublisher<MoveReq>("topic");
  publisher.Publish(Request("1"));
  EXPECT_EQ(got, "a1b1");
  ctx->SetSubState(context::ChannelState::kOff);
  publisher.Publish(Request("2"));
  EXPECT_EQ(got, "a1b1");
  EXPECT_EQ(host.published, 2);
  ctx->SetPubState(context::ChannelState::kOff);
  publisher.Publish(Request("3"));
  EXPECT_EQ(host.published, 2);
  std::promise<std::string> later;
  ctx->SetSubState(context::ChannelState::kOn);
  ctx->SetPubState(context::ChannelState::kOn);
  const auto c = ctx->CreateSubscriber<MoveReq>("topic", work, [&](const MoveReq& msg) { later.set_value(msg.joint()); });
  const MoveReq last = Request("4");  // lives until it is released
  publisher.Publish(last);
  EXPECT_EQ(later.get_future().get(), "4");
}

}  // namespace
