// Calls of raw bytes, in every form of client and handler.
#include "fixture.hpp"

#include <atomic>
#include <cerrno>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;
using namespace std::chrono_literals;
using fixture::good;

namespace {

class RawCall : public fixture::Runtime {
 protected:
  // Serves `handler` under a fresh name and gives a method that calls it from the same package.
  template <class F>
  rpc::raw_method serve(F &&handler) {
    const std::string name = "pb:/test.Raw/M" + std::to_string(++served_);
    good(callee.register_raw_service(name, std::forward<F>(handler)));
    far = good(stranger.register_raw_client(name));
    return good(caller.register_raw_client(name));
  }

  rpc::raw_method far;  // the latest method, called from another package

 private:
  int served_ = 0;
};

rpc::status echo(rpc::payload_view request, rpc::raw_response &response) {
  response.assign(request.bytes);
  return {};
}

TEST_F(RawCall, InvokeSync_GivesTheBytes) {
  auto method = serve(echo);
  start();
  auto reply = method.invoke_sync("hello");
  EXPECT_EQ(reply.status().to_string(), "suc, code 0, msg: OK");
  EXPECT_EQ(reply.text(), "hello");
  EXPECT_EQ(far.invoke_sync(std::string(100'000, 'x')).bytes().size(), 100'000u);
  EXPECT_EQ(method.invoke_sync("").text(), "");
  rpc::reply moved = std::move(reply);
  EXPECT_EQ(moved.text(), "hello");
}

TEST_F(RawCall, Invoke_CallbackComesOnceWithTheBytes) {
  auto method = serve(echo);
  start();
  int calls = 0;
  method.invoke("hello", [&](const rpc::status &status, rpc::payload_view payload) {
    ++calls;
    EXPECT_TRUE(status.ok()) << status.to_string();
    EXPECT_EQ(payload.text(), "hello");
  });
  EXPECT_EQ(calls, 1);
}

TEST_F(RawCall, InvokeOfNoMethod_EndsWithFuncNotRegistered) {
  int calls = 0;
  rpc::raw_method().invoke("hello", [&](const rpc::status &status) {
    ++calls;
    EXPECT_EQ(status.code(), rpc::code::cli_func_not_registered) << status.to_string();
    EXPECT_EQ(status.native_code(), "-1");
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(rpc::raw_method().invoke_sync("hello").status().code(), rpc::code::cli_func_not_registered);
  EXPECT_EQ(rpc::raw_method().invoke_future("hello").get().status().code(), rpc::code::cli_func_not_registered);
  auto context = good(rpc::context::create());
  EXPECT_FALSE(rpc::raw_method().start(context, "hello"));
}

TEST_F(RawCall, BeforeStart_EndsWithNotReady) {
  auto method = serve(echo);
  EXPECT_EQ(method.invoke_sync("hello").status().code(), rpc::code::cli_not_ready);
}

TEST_F(RawCall, Context_MetadataReachesTheHandler) {
  std::string seen, served;
  auto method = serve([&](const rpc::context &context, rpc::payload_view request, rpc::raw_response &response) {
    EXPECT_TRUE(context.is_server());
    seen = context.get("color");
    served = context.function_name();
    response.set_view(request.bytes);
    return rpc::status();
  });
  start();
  auto context = good(rpc::context::create());
  ASSERT_TRUE(good(context.set("color", "red")));
  EXPECT_FALSE(context.used());
  EXPECT_TRUE(method.invoke_sync(context, "hello").ok());
  EXPECT_TRUE(context.used());
  EXPECT_EQ(seen, "red");
  EXPECT_EQ(served, "pb:/test.Raw/M1");
  EXPECT_EQ(method.invoke_sync(context, "hello").status().code(), rpc::code::cli_invalid_context);
  ASSERT_TRUE(good(context.reset()));
  ASSERT_TRUE(good(context.set("color", "blue")));
  EXPECT_TRUE(far.invoke_sync(context, "hello").ok());
  EXPECT_EQ(seen, "blue");
}

TEST_F(RawCall, HandlerStatus_TravelsWithMessageAndDetails) {
  auto method = serve([](rpc::payload_view, rpc::raw_response &) {
    rpc::status how(1234u, "no such joint");
    how.add_detail("joint", "7").set_trace("somewhere");
    return how;
  });
  start();
  for (const auto &via : {method, far}) {
    const auto reply = via.invoke_sync("hello");
    EXPECT_EQ(reply.status().number(), 1234u);
    EXPECT_EQ(reply.status().message(), "no such joint");
    EXPECT_EQ(reply.status().detail("joint"), "7");
    EXPECT_EQ(reply.status().trace(), "somewhere");
  }
}

TEST_F(RawCall, HandlerThrows_EndsWithHandleFailedAndItsText) {
  auto method = serve([](rpc::payload_view, rpc::raw_response &) -> rpc::status { throw std::runtime_error("boom"); });
  auto odd = serve([](rpc::payload_view, rpc::raw_response &) -> rpc::status { throw 3; });
  auto later = serve([](rpc::raw_server_call) { throw std::runtime_error("late boom"); });
  auto kept = serve([](rpc::raw_server_call &&) { throw std::runtime_error("kept boom"); });
  start();
  EXPECT_EQ(method.invoke_sync("x").status(), rpc::status(rpc::code::svr_handle_failed, "boom"));
  EXPECT_EQ(odd.invoke_sync("x").status().code(), rpc::code::svr_handle_failed);
  EXPECT_EQ(later.invoke_sync("x").status(), rpc::status(rpc::code::svr_handle_failed, "late boom"));
  EXPECT_EQ(kept.invoke_sync("x").status(), rpc::status(rpc::code::svr_handle_failed, "kept boom"));
}

TEST_F(RawCall, ServerCallThatDies_EndsWithHandleFailed) {
  auto method = serve([](rpc::raw_server_call) {});
  start();
  EXPECT_EQ(method.invoke_sync("x").status().code(), rpc::code::svr_handle_failed);
}

TEST_F(RawCall, HandlerAnswersLater_OnAnotherThread) {
  std::thread worker;
  auto method = serve([&](rpc::raw_server_call call) {
    worker = std::thread([call = std::move(call)]() mutable {
      const std::string answer = std::string(call.request().text()) + " later";
      EXPECT_TRUE(good(call.finish(answer)));
      EXPECT_FALSE(call);
      EXPECT_EQ(call.finish("again").error().code(), AIMRT_RPC_RESULT_INVALID_HANDLE);
    });
  });
  start();
  EXPECT_EQ(method.invoke_sync("hello").text(), "hello later");
  worker.join();
  auto future = far.invoke_future("far");
  EXPECT_EQ(future.get().text(), "far later");
  worker.join();
}

TEST_F(RawCall, StartAndWait_GivesTheReply) {
  serve(echo);
  start();
  auto context = good(rpc::context::create());
  auto call = good(far.start(context, "hello"));
  ASSERT_TRUE(good(call.wait()));
  const rpc::reply reply(std::move(call));
  EXPECT_EQ(reply.text(), "hello");
  EXPECT_FALSE(reply.peer().empty());
}

TEST_F(RawCall, Cancel_EndsASerializedCallAtOnceAndTellsTheHandler) {
  fixture::gate cancelled, ended;
  std::unique_ptr<rpc::raw_server_call> held;
  serve([&](rpc::raw_server_call call) {
    EXPECT_TRUE(good(call.on_cancel([&] { cancelled.open(); })));
    held = std::make_unique<rpc::raw_server_call>(std::move(call));
  });
  start();
  auto context = good(rpc::context::create());
  rpc::status how;
  auto call = good(far.start(context, "hello", [&](const rpc::status &status) {
    how = status;
    ended.open();
  }));
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->cancelled());
  EXPECT_TRUE(good(call.cancel()));
  EXPECT_TRUE(ended.wait());
  EXPECT_TRUE(cancelled.wait());
  EXPECT_EQ(how.code(), rpc::code::cancelled);
  EXPECT_TRUE(held->cancelled());
  EXPECT_EQ(held->finish("late").error().code(), AIMRT_RPC_RESULT_LOST);
  EXPECT_EQ(call.cancel().error().code(), AIMRT_RPC_RESULT_LOST);
}

TEST_F(RawCall, Timeout_EndsASerializedCall) {
  std::unique_ptr<rpc::raw_server_call> held;
  serve([&](rpc::raw_server_call call) { held = std::make_unique<rpc::raw_server_call>(std::move(call)); });
  start();
  auto context = good(rpc::context::create());
  ASSERT_TRUE(good(context.set_timeout(20ms)));
  EXPECT_EQ(context.timeout(), 20ms);
  EXPECT_EQ(far.invoke_sync(context, "hello").status().code(), rpc::code::timeout);
  EXPECT_EQ(held->finish("late").error().code(), AIMRT_RPC_RESULT_LOST);
}

TEST_F(RawCall, CallbackThatThrows_IsReportedAndContained) {
  static std::string reported;
  reported.clear();
  auto method = serve(echo);
  start();
  const auto before = rpc::set_exception_handler([](const char *where, const char *what) {
    reported = std::string(where) + ": " + what;
  });
  method.invoke("x", [](const rpc::status &) { throw std::runtime_error("from a callback"); });
  rpc::set_exception_handler(before);
  EXPECT_EQ(reported, "completion callback: from a callback");
}

TEST_F(RawCall, ChainOfCallbacks_DoesNotGrowTheStack) {
  auto method = serve([](rpc::payload_view, rpc::raw_response &) { return rpc::status(); });
  start();
  struct chain {
    rpc::raw_method method;
    int left;
    void next() {
      method.invoke("x", [this](const rpc::status &status) {
        ASSERT_TRUE(status.ok());
        if (--left > 0) next();
      });
    }
  };
  chain c = {method, 300'000};
  c.next();
  EXPECT_EQ(c.left, 0);
}

TEST_F(RawCall, Queue_CarriesBothSides) {
  auto queue = good(rpc::queue::create());
  good(callee.register_raw_service_on(queue, 7, "pb:/test.Raw/Queued"));
  auto method = good(caller.register_raw_client("pb:/test.Raw/Queued"));
  start();
  auto context = good(rpc::context::create());
  good(method.start_on(queue, 8, context, "hello"));

  std::vector<std::uint64_t> tags;
  std::string answer;
  while (answer.empty()) {
    pollfd poll_for = {queue.fd(), POLLIN, 0};
    ASSERT_EQ(poll(&poll_for, 1, 30'000), 1);
    good(queue.drain([&](rpc::event event) {
      tags.push_back(event.tag());
      if (event.kind() == rpc::event_kind::call_arrived) {
        auto call = event.take_raw_server_call();
        EXPECT_TRUE(good(call.finish(std::string(call.request().text()) + " queued")));
      } else if (event.kind() == rpc::event_kind::call_finished) {
        EXPECT_TRUE(event.status().ok());
        answer = event.payload().text();
      }
    }));
  }
  EXPECT_EQ(answer, "hello queued");
  EXPECT_EQ(tags, (std::vector<std::uint64_t>{7, 8}));
  EXPECT_EQ(good(queue.drain([](const rpc::event &) {})), 0u);
}

TEST_F(RawCall, Queue_ArrivedCallNobodyTakes_EndsWithHandleFailed) {
  auto queue = good(rpc::queue::create());
  good(callee.register_raw_service_on(queue, 7, "pb:/test.Raw/Queued"));
  auto method = good(caller.register_raw_client("pb:/test.Raw/Queued"));
  start();
  auto future = method.invoke_future("hello");
  ASSERT_TRUE(good(queue.wait(30s)));
  good(queue.drain([](const rpc::event &) {}));
  EXPECT_EQ(future.get().status().code(), rpc::code::svr_handle_failed);
}

TEST_F(RawCall, Queue_WakeAndTimeout) {
  auto queue = good(rpc::queue::create());
  EXPECT_EQ(queue.wait(1ms).error().code(), AIMRT_RPC_RESULT_TIMEOUT);
  ASSERT_TRUE(good(queue.wake(42)));
  ASSERT_TRUE(good(queue.wait(0ms)));
  int seen = 0;
  good(queue.drain([&](const rpc::event &event) {
    EXPECT_EQ(event.kind(), rpc::event_kind::wake);
    EXPECT_EQ(event.tag(), 42u);
    ++seen;
  }));
  EXPECT_EQ(seen, 1);
}

TEST_F(RawCall, FindClient_NamesTheNearest) {
  serve(echo);
  EXPECT_TRUE(caller.find_raw_client("pb:/test.Raw/M1"));
  auto missing = caller.find_raw_client("pb:/test.Raw/M2");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), AIMRT_RPC_RESULT_NOT_FOUND);
  EXPECT_NE(missing.error().to_string().find("pb:/test.Raw/M1"), std::string::npos) << missing.error().to_string();
}

TEST_F(RawCall, RegisterTwice_RefusesAndFreesTheHandler) {
  auto alive = std::make_shared<int>(0);
  auto handler = [alive](rpc::payload_view, rpc::raw_response &) { return rpc::status(); };
  good(callee.register_raw_service("pb:/test.Raw/Twice", handler));
  EXPECT_EQ(alive.use_count(), 3);
  auto second = callee.register_raw_service("pb:/test.Raw/Twice", handler);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), AIMRT_RPC_RESULT_ALREADY_EXISTS);
  EXPECT_EQ(alive.use_count(), 3);
  runtime = rpc::runtime();
  EXPECT_EQ(alive.use_count(), 2);
}

#if defined(AIMRT_RPC_HAS_COROUTINES)

TEST_F(RawCall, CoInvoke_InlineAndLater) {
  std::thread worker;
  auto method = serve(echo);
  auto later = serve([&](rpc::raw_server_call call) {
    worker = std::thread([call = std::move(call)]() mutable { good(call.finish(call.request().bytes)); });
  });
  start();
  auto body = [&]() -> rpc::task<std::string> {
    auto first = co_await method.co_invoke("a");
    auto context = good(rpc::context::create());
    auto second = co_await later.co_invoke(context, "b");
    auto third = co_await rpc::raw_method().co_invoke("c");
    EXPECT_EQ(third.status().code(), rpc::code::cli_func_not_registered);
    co_return std::string(first.text()) + std::string(second.text());
  };
  EXPECT_EQ(rpc::sync_wait(body()), "ab");
  worker.join();
}

TEST_F(RawCall, CoroutineHandler_MayAwaitOtherCalls) {
  auto inner = serve(echo);
  auto outer = serve([&](rpc::payload_view request, rpc::raw_response &response) -> rpc::task<rpc::status> {
    if (request.text() == "throw") throw std::runtime_error("boom in a coroutine");
    auto reply = co_await inner.co_invoke(request.bytes);
    response.assign(std::string(reply.text()) + "!");
    co_return rpc::status();
  });
  start();
  EXPECT_EQ(outer.invoke_sync("hey").text(), "hey!");
  EXPECT_EQ(far.invoke_sync("hey").text(), "hey!");
  EXPECT_EQ(outer.invoke_sync("throw").status(), rpc::status(rpc::code::svr_handle_failed, "boom in a coroutine"));
}

TEST_F(RawCall, LongCoroutineLoop_DoesNotGrowTheStack) {
  auto method = serve(echo);
  start();
  auto body = [&]() -> rpc::task<int> {
    int done = 0;
    for (int i = 0; i < 100'000; ++i) done += (co_await method.co_invoke("x")).ok() ? 1 : 0;
    co_return done;
  };
  EXPECT_EQ(rpc::sync_wait(body()), 100'000);
}

#endif

}  // namespace
