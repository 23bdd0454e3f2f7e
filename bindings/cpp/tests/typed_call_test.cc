// Calls of protobuf messages and of user-defined types.
#include "fixture.hpp"

#include <aimrt_rpc/type_support_pb.hpp>

#include "echo.pb.h"

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

using aimrt_rpc::test::EchoRequest;
using aimrt_rpc::test::EchoResponse;
namespace rpc = aimrt_rpc;
using namespace std::chrono_literals;
using fixture::good;

// A message of the user's own: a struct of plain numbers.
struct joint_state {
  double position = 0;
  double velocity = 0;
};

template <>
struct aimrt_rpc::type_support<joint_state> {
  static constexpr std::array<std::string_view, 1> serializations = {"raw64"};
  static std::string name() { return "test:joint_state"; }
  static bool serialize(std::string_view, const joint_state &message, writer &to) {
    return to.write({&message, sizeof message});
  }
  static bool deserialize(std::string_view, bytes_view from, joint_state &message) {
    if (from.size() != sizeof message) return false;
    std::memcpy(&message, from.data(), sizeof message);
    return true;
  }
};

namespace {

class TypedCall : public fixture::Runtime {
 protected:
  using method = rpc::method<EchoRequest, EchoResponse>;

  template <class F>
  method serve(F &&handler) {
    const std::string name = "pb:/test.Typed/M" + std::to_string(++served_);
    good((callee.register_service<EchoRequest, EchoResponse>(name, std::forward<F>(handler))));
    far = good((stranger.register_client<EchoRequest, EchoResponse>(name)));
    far_raw = good(module_in("raw" + std::to_string(served_), "three").rpc_handle().register_raw_client(name));
    return good((caller.register_client<EchoRequest, EchoResponse>(name)));
  }

  method far;               // the latest method, called from another package
  rpc::raw_method far_raw;  // and as bytes

 private:
  int served_ = 0;
};

rpc::status echo(const EchoRequest &request, EchoResponse &response) {
  response.set_text(request.text());
  response.set_big_number(request.big_number());
  return {};
}

EchoRequest make_request() {
  EchoRequest request;
  request.set_text("hello");
  request.set_big_number(1234567890123);
  return request;
}

TEST_F(TypedCall, SamePackage_HandsTheMessagesOver) {
  const void *request_seen = nullptr;
  const void *response_seen = nullptr;
  auto m = serve([&](const rpc::context &, const EchoRequest &request, EchoResponse &response) {
    request_seen = &request;
    response_seen = &response;
    return echo(request, response);
  });
  start();
  const EchoRequest request = make_request();
  EchoResponse response;
  EXPECT_EQ(m.invoke_sync(request, response).to_string(), "suc, code 0, msg: OK");
  EXPECT_EQ(response.text(), "hello");
  EXPECT_EQ(request_seen, &request);
  EXPECT_EQ(response_seen, &response);
}

TEST_F(TypedCall, OtherPackage_SerializesBothWays) {
  const void *request_seen = nullptr;
  serve([&](const EchoRequest &request, EchoResponse &response) {
    request_seen = &request;
    return echo(request, response);
  });
  start();
  const EchoRequest request = make_request();
  EchoResponse response;
  response.set_count(5);
  EXPECT_EQ(far.invoke_sync(request, response).to_string(), "suc, code 0, msg: OK");
  EXPECT_EQ(response.text(), "hello");
  EXPECT_EQ(response.big_number(), 1234567890123);
  EXPECT_EQ(response.count(), 0);
  EXPECT_NE(request_seen, &request);
}

TEST_F(TypedCall, RawBytes_InPbAndJson) {
  serve(echo);
  start();
  auto reply = far_raw.invoke_sync(make_request().SerializeAsString());
  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EchoResponse response;
  ASSERT_TRUE(response.ParseFromString(std::string(reply.text())));
  EXPECT_EQ(response.text(), "hello");

  auto context = good(rpc::context::create());
  ASSERT_TRUE(good(context.set_serialization("json")));
  reply = far_raw.invoke_sync(context, R"({"text": "hi", "bigNumber": "7"})");
  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply.text(), R"({"text":"hi","big_number":"7","count":0})");
  EXPECT_EQ(reply.serialization(), "json");

  context = good(rpc::context::create());
  ASSERT_TRUE(good(context.set_serialization("json")));
  reply = far_raw.invoke_sync(context, R"({"text": "hi", "unknown": 1})");
  EXPECT_FALSE(reply.ok());
}

TEST_F(TypedCall, Callback_ResponseIsFilledBefore) {
  auto m = serve(echo);
  start();
  const EchoRequest request = make_request();
  EchoResponse response;
  int calls = 0;
  m.invoke(request, response, [&](const rpc::status &status) {
    ++calls;
    EXPECT_TRUE(status.ok());
    EXPECT_EQ(response.text(), "hello");
  });
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(far.invoke_future(request, response).get().ok());
}

TEST_F(TypedCall, ServerCall_MovesToAnotherThread) {
  std::thread worker;
  auto m = serve([&](rpc::server_call<EchoRequest, EchoResponse> call) {
    EXPECT_EQ(call.context().get("color"), "red");
    worker = std::thread([call = std::move(call)]() mutable {
      call.response().set_text(call.request().text() + " later");
      EXPECT_TRUE(good(call.finish()));
    });
  });
  start();
  const EchoRequest request = make_request();
  for (const auto &via : {m, far}) {
    auto context = good(rpc::context::create());
    ASSERT_TRUE(good(context.set("color", "red")));
    EchoResponse response;
    EXPECT_TRUE(via.invoke_sync(context, request, response).ok());
    EXPECT_EQ(response.text(), "hello later");
    worker.join();
  }
}

TEST_F(TypedCall, HandlerThrows_EndsWithHandleFailedAndItsText) {
  auto m = serve([](const EchoRequest &, EchoResponse &) -> rpc::status { throw std::runtime_error("boom"); });
  start();
  EchoResponse response;
  EXPECT_EQ(m.invoke_sync(make_request(), response), rpc::status(rpc::code::svr_handle_failed, "boom"));
  EXPECT_EQ(far.invoke_sync(make_request(), response), rpc::status(rpc::code::svr_handle_failed, "boom"));
}

TEST_F(TypedCall, HandlerReturnsACode) {
  auto m = serve([](const EchoRequest &, EchoResponse &) -> rpc::status { return rpc::code::permission_denied; });
  start();
  EchoResponse response;
  EXPECT_EQ(m.invoke_sync(make_request(), response), rpc::status(rpc::code::permission_denied));
}

TEST_F(TypedCall, Queue_ServesTypedCalls) {
  auto queue = good(rpc::queue::create());
  good((callee.register_service_on<EchoRequest, EchoResponse>(queue, 1, "pb:/test.Typed/Queued")));
  auto m = good((stranger.register_client<EchoRequest, EchoResponse>("pb:/test.Typed/Queued")));
  start();
  const EchoRequest request = make_request();
  EchoResponse response;
  auto future = m.invoke_future(request, response);
  ASSERT_TRUE(good(queue.wait(30s)));
  good(queue.drain([](rpc::event event) {
    auto call = event.take_server_call<EchoRequest, EchoResponse>();
    static_cast<void>(echo(call.request(), call.response()));
    EXPECT_TRUE(good(call.finish()));
  }));
  EXPECT_TRUE(future.get().ok());
  EXPECT_EQ(response.text(), "hello");
}

TEST_F(TypedCall, OwnType_DirectAndSerialized) {
  good((callee.register_service<joint_state, joint_state>("test:/Arm/Step", [](const joint_state &in, joint_state &out) {
    out = {in.position + in.velocity, in.velocity};
    return rpc::status();
  })));
  auto near = good((caller.register_client<joint_state, joint_state>("test:/Arm/Step")));
  far_raw = good(stranger.register_raw_client("test:/Arm/Step", {{"raw64"}, {}}));
  start();
  joint_state out;
  EXPECT_TRUE(near.invoke_sync({1, 2}, out).ok());
  EXPECT_EQ(out.position, 3);
  const joint_state in = {5, 6};
  auto reply = far_raw.invoke_sync({&in, sizeof in});
  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  ASSERT_EQ(reply.bytes().size(), sizeof out);
  std::memcpy(&out, reply.bytes().data(), sizeof out);
  EXPECT_EQ(out.position, 11);
  EXPECT_FALSE(far_raw.invoke_sync("short").ok());
}

#if defined(AIMRT_RPC_HAS_COROUTINES)
TEST_F(TypedCall, Coroutines_OnBothSides) {
  auto executor = good(module_in("worker", "one").executor("work"));
  auto inner = serve(echo);
  auto outer = serve([&](const rpc::context &, const EchoRequest &request,
                         EchoResponse &response) -> rpc::task<rpc::status> {
    EXPECT_TRUE(good(co_await executor.schedule()));
    EXPECT_TRUE(good(executor.info()).in_current);
    co_return co_await inner.co_invoke(request, response);
  });
  start();
  const EchoRequest request = make_request();
  for (const auto &via : {outer, far}) {
    EchoResponse response;
    auto body = [&]() -> rpc::task<rpc::status> { co_return co_await via.co_invoke(request, response); };
    EXPECT_TRUE(rpc::sync_wait(body()).ok());
    EXPECT_EQ(response.text(), "hello");
  }
}
#endif

}  // namespace
