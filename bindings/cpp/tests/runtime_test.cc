// Life cycle, modules, executors, logs, host loops.
#include "fixture.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;
using namespace std::chrono_literals;
using fixture::good;

namespace {

rpc::runtime make_runtime() {
  rpc::runtime_options options;
  options.config_text = fixture::config;
  return good(rpc::runtime::create(std::move(options)));
}

TEST(RuntimeLife, Callbacks_ComeInOrderOnTheThreadThatDrives) {
  auto runtime = make_runtime();
  std::vector<std::string> steps;
  const auto here = std::this_thread::get_id();
  rpc::module_options options;
  options.name = "arm";
  options.initialize = [&](rpc::module self) -> rpc::result<void> {
    EXPECT_EQ(std::this_thread::get_id(), here);
    EXPECT_EQ(self.name(), "arm");
    steps.push_back("initialize");
    return {};
  };
  options.start = [&](rpc::module) -> rpc::result<void> {
    steps.push_back("start");
    return runtime.shutdown();
  };
  options.shutdown = [&](rpc::module) { steps.push_back("shutdown"); };
  ASSERT_TRUE(good(runtime.create_module(std::move(options))));
  EXPECT_EQ(runtime.state(), rpc::runtime_state::pre_init);
  ASSERT_TRUE(good(runtime.initialize()));
  EXPECT_EQ(runtime.state(), rpc::runtime_state::init);
  ASSERT_TRUE(good(runtime.start()));
  EXPECT_EQ(runtime.state(), rpc::runtime_state::shutdown);
  EXPECT_EQ(steps, (std::vector<std::string>{"initialize", "start", "shutdown"}));
}

TEST(RuntimeLife, ModuleThatRefusesOrThrows_StopsInitialize) {
  for (const bool throws : {false, true}) {
    auto runtime = make_runtime();
    rpc::module_options options;
    options.name = "arm";
    options.initialize = [&](rpc::module) -> rpc::result<void> {
      if (throws) throw std::runtime_error("no motor");
      return rpc::error(AIMRT_RPC_RESULT_MODULE, "no motor");
    };
    ASSERT_TRUE(good(runtime.create_module(std::move(options))));
    auto done = runtime.initialize();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), AIMRT_RPC_RESULT_MODULE);
    EXPECT_NE(done.error().message().find("arm"), std::string::npos) << done.error().to_string();
  }
}

TEST(RuntimeLife, WhatCallbacksCapture_DiesWithTheRuntime) {
  auto alive = std::make_shared<int>(0);
  {
    auto runtime = make_runtime();
    rpc::module_options options;
    options.name = "arm";
    options.initialize = [alive](rpc::module) -> rpc::result<void> { return {}; };
    ASSERT_TRUE(good(runtime.create_module(std::move(options))));
    EXPECT_EQ(alive.use_count(), 2);
    rpc::module_options again;
    again.name = "arm";
    again.initialize = [alive](rpc::module) -> rpc::result<void> { return {}; };
    EXPECT_EQ(runtime.create_module(std::move(again)).error().code(), AIMRT_RPC_RESULT_ALREADY_EXISTS);
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(RuntimeLife, BadConfiguration_NamesLine) {
  rpc::runtime_options options;
  options.config_text = "aimrt:\n  rpc:\n    backends: [{type: carrier_pigeon}]\n";
  auto runtime = good(rpc::runtime::create(std::move(options)));
  auto done = runtime.initialize();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), AIMRT_RPC_RESULT_CONFIG) << done.error().to_string();
  EXPECT_NE(done.error().message().find(":3:"), std::string::npos) << done.error().to_string();
  EXPECT_NE(done.error().message().find("carrier_pigeon"), std::string::npos) << done.error().to_string();
}

TEST(RuntimeLife, WaitAndShutdownFromAnotherThread) {
  auto runtime = make_runtime();
  EXPECT_EQ(runtime.wait(0s).error().code(), AIMRT_RPC_RESULT_INVALID_STATE);
  ASSERT_TRUE(good(runtime.initialize()));
  EXPECT_FALSE(good(runtime.report()).text().empty());
  ASSERT_TRUE(good(runtime.start_async(rpc::shutdown_in::wait)));
  EXPECT_EQ(runtime.wait(1ms).error().code(), AIMRT_RPC_RESULT_TIMEOUT);
  std::thread stopper([&] { EXPECT_TRUE(good(runtime.ref().shutdown())); });
  EXPECT_TRUE(good(runtime.wait(30s)));
  stopper.join();
  EXPECT_EQ(runtime.state(), rpc::runtime_state::shutdown);
}

// A shutdown event of one runtime must not end the next one, which has its place in the tables.
TEST(RuntimeLife, RuntimeAfterRuntime_StaysUpUntilAsked) {
  for (int i = 0; i < 500; ++i) {
    auto runtime = make_runtime();
    ASSERT_TRUE(good(runtime.initialize()));
    ASSERT_TRUE(good(runtime.start_async()));
    EXPECT_EQ(runtime.wait(200us).error().code(), AIMRT_RPC_RESULT_TIMEOUT) << "round " << i;
  }
}

TEST(RuntimeLog, Callback_GetsTheModulesLines) {
  std::mutex mutex;
  std::vector<std::string> lines;
  rpc::runtime_options options;
  options.config_text = "aimrt: {log: {core_lvl: Off, default_module_lvl: Info}}";
  options.log = [&](const rpc::log_record &record) {
    const std::lock_guard<std::mutex> lock(mutex);
    lines.push_back(std::string(record.logger) + ":" + std::string(record.text) + ":" + std::to_string(record.line));
  };
  int line = 0;
  {
    auto runtime = good(rpc::runtime::create(std::move(options)));
    rpc::module_options arm;
    arm.name = "arm";
    auto module = good(runtime.create_module(std::move(arm)));
    ASSERT_TRUE(good(runtime.initialize()));
    module.log(rpc::log_level::debug, "not this one");
    line = __LINE__ + 1;
    module.log(rpc::log_level::info, "moving");
  }
  const std::lock_guard<std::mutex> lock(mutex);
  EXPECT_NE(std::find(lines.begin(), lines.end(), "arm:moving:" + std::to_string(line)), lines.end());
  for (const std::string &one : lines) EXPECT_EQ(one.find("not this one"), std::string::npos);
}

using RuntimeThings = fixture::Runtime;

TEST_F(RuntimeThings, Executor_RunsTasksNowAndLater) {
  auto module = module_in("worker", "one");
  auto executor = good(module.executor("work"));
  auto missing = module.executor("wrok");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), AIMRT_RPC_RESULT_NOT_FOUND);
  start();
  fixture::gate ran, later;
  auto move_only = std::make_unique<int>(5);
  ASSERT_TRUE(good(executor.post([&, p = std::move(move_only)] {
    EXPECT_EQ(*p, 5);
    EXPECT_TRUE(good(executor.info()).in_current);
    ran.open();
  })));
  EXPECT_TRUE(ran.wait());
  const auto info = good(executor.info());
  EXPECT_EQ(info.name, "work");
  EXPECT_FALSE(info.in_current);
  const auto begin = std::chrono::steady_clock::now();
  good(executor.post_after(5ms, [&] { later.open(); }));
  EXPECT_TRUE(later.wait());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 5ms);

  auto alive = std::make_shared<int>(0);
  auto timer = good(executor.post_at(std::chrono::system_clock::now() + 1h, [alive] { ADD_FAILURE(); }));
  EXPECT_EQ(alive.use_count(), 2);
  EXPECT_TRUE(good(timer.cancel()));
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(timer.cancel().error().code(), AIMRT_RPC_RESULT_LOST);
}

TEST_F(RuntimeThings, Executor_AtShutdown_GivesBackWhatDidNotRun) {
  auto executor = good(module_in("worker", "one").executor("work"));
  start();
  auto alive = std::make_shared<int>(0);
  good(executor.post_after(1h, [alive] { ADD_FAILURE(); }));
  runtime = rpc::runtime();
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(executor.post([] {}).error().code(), AIMRT_RPC_RESULT_INVALID_HANDLE);
}

TEST_F(RuntimeThings, Parameters_SetGetErase) {
  auto module = module_in("worker", "one");
  EXPECT_EQ(good(module.parameter("speed")), "");
  ASSERT_TRUE(good(module.set_parameter("speed", "3")));
  EXPECT_EQ(good(module.parameter("speed")), "3");
  ASSERT_TRUE(good(module.set_parameter("speed", "")));
  EXPECT_EQ(good(module.parameter("speed")), "");
}

TEST_F(RuntimeThings, Introspection_NamesMethods) {
  good(callee.register_raw_service("pb:/test.Raw/Seen", [](rpc::payload_view, rpc::raw_response &) { return rpc::status(); }));
  EXPECT_NE(good(runtime.list_methods()).text().find("pb:/test.Raw/Seen"), std::string_view::npos);
  EXPECT_NE(good(runtime.describe_method("pb:/test.Raw/Seen")).text().find("callee"), std::string_view::npos);
  EXPECT_EQ(runtime.describe_method("pb:/test.Raw/Sen").error().code(), AIMRT_RPC_RESULT_NOT_FOUND);
  EXPECT_FALSE(good(runtime.statistics()).text().empty());
}

TEST_F(RuntimeThings, Context_TextAndMetadata) {
  auto context = good(rpc::context::create());
  ASSERT_TRUE(good(context.set_timeout(5s)));
  ASSERT_TRUE(good(context.set("k", "v")));
  EXPECT_EQ(context.to_string(), R"(Client context, timeout: 5000ms, meta: {{"k":"v"}})");
  ASSERT_TRUE(good(context.add("k", "w")));
  EXPECT_EQ(good(context.metadata()).size(), 2u);
  auto copy = good(context.copy());
  ASSERT_TRUE(good(context.remove("k")));
  EXPECT_TRUE(good(context.metadata()).empty());
  EXPECT_EQ(good(copy.metadata()).find("k"), "v");
  EXPECT_EQ(context.set("", "v").error().code(), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
}

// A loop of the host, run by the thread of the test.
class host_loop {
 public:
  bool push(rpc::host_task task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(task);
    changed_.notify_one();
    return true;
  }
  void run_one() {
    std::unique_lock<std::mutex> lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, 30s, [this] { return !tasks_.empty(); }));
    const rpc::host_task task = tasks_.front();
    tasks_.pop_front();
    lock.unlock();
    task();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<rpc::host_task> tasks_;
};

class OverHttp : public fixture::Runtime {
 protected:
  void SetUp() override {
    rpc::runtime_options options;
    const std::string text = fixture::http_config(fixture::free_port());
    options.config_text = text;
    runtime = good(rpc::runtime::create(std::move(options)));
    main_loop = good(runtime.host_executor({"main_loop", true}, [this](rpc::host_task task) { return loop.push(task); }));
    ASSERT_TRUE(good(runtime.initialize()));
    worker = module_in("worker", "one");
    callee = worker.rpc_handle();
    caller = module_in("caller", "two").rpc_handle();
  }

  // Serves a method whose handler runs on an executor, and tells where it ran.
  rpc::raw_method serve_on(rpc::executor executor, bool &inside, std::thread::id &thread) {
    rpc::service_options options;
    options.run_on = executor;
    good(callee.register_raw_service(
        "pb:/test.Raw/Placed",
        [&, executor](const rpc::context &context, rpc::payload_view request, rpc::raw_response &response) {
          inside = good(executor.info()).in_current;
          thread = std::this_thread::get_id();
          response.assign(std::string(request.text()) + " " + std::string(context.get("color")));
          return rpc::status();
        },
        options));
    return good(caller.register_raw_client("pb:/test.Raw/Placed"));
  }

  host_loop loop;
  rpc::executor main_loop;
  rpc::module worker;
};

TEST_F(OverHttp, Handler_RunsOnTheExecutorItNames) {
  bool inside = false;
  std::thread::id thread;
  auto method = serve_on(good(worker.executor("work")), inside, thread);
  start();
  auto context = good(rpc::context::create());
  ASSERT_TRUE(good(context.set("color", "red")));
  const auto reply = method.invoke_sync(context, "hello");
  EXPECT_EQ(reply.status().to_string(), "suc, code 0, msg: OK");
  EXPECT_EQ(reply.text(), "hello red");
  EXPECT_EQ(reply.peer().substr(0, 17), "http://127.0.0.1:") << reply.peer();
  EXPECT_TRUE(inside);
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST_F(OverHttp, Handler_RunsInTheHostsLoop) {
  bool inside = false;
  std::thread::id thread;
  auto method = serve_on(main_loop, inside, thread);
  start();
  auto future = method.invoke_future("hello");
  loop.run_one();
  EXPECT_EQ(future.get().text(), "hello ");
  EXPECT_TRUE(inside);
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST_F(OverHttp, HandlerStatus_Travels) {
  good(callee.register_raw_service("pb:/test.Raw/Refuses", [](rpc::payload_view, rpc::raw_response &) -> rpc::status {
    return {rpc::code::permission_denied, "not this arm"};
  }));
  auto method = good(caller.register_raw_client("pb:/test.Raw/Refuses"));
  auto nobody = good(caller.register_raw_client("pb:/test.Raw/Nobody"));
  start();
  EXPECT_EQ(method.invoke_sync("x").status(), rpc::status(rpc::code::permission_denied, "not this arm"));
  EXPECT_EQ(nobody.invoke_sync("x").status().code(), rpc::code::svr_not_found);
  auto context = good(rpc::context::create());
  ASSERT_TRUE(good(context.set_target("http://127.0.0.1:" + fixture::free_port())));
  EXPECT_FALSE(method.invoke_sync(context, "x").ok());
}

TEST_F(OverHttp, Cancel_EndsACallAtOnce) {
  fixture::gate arrived, ended;
  std::unique_ptr<rpc::raw_server_call> held;
  good(callee.register_raw_service("pb:/test.Raw/Slow", [&](rpc::raw_server_call call) {
    held = std::make_unique<rpc::raw_server_call>(std::move(call));
    arrived.open();
  }));
  auto method = good(caller.register_raw_client("pb:/test.Raw/Slow"));
  start();
  auto context = good(rpc::context::create());
  rpc::status how;
  auto call = good(method.start(context, "x", [&](const rpc::status &status) {
    how = status;
    ended.open();
  }));
  ASSERT_TRUE(arrived.wait());
  EXPECT_TRUE(good(call.cancel()));
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(how.code(), rpc::code::cancelled);
}

}  // namespace
