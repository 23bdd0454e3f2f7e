// Filters in C++: both forms, order, metadata, the end of calls, exceptions.
#include "fixture.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;
using fixture::good;

namespace {

constexpr std::string_view filtered_config = R"yaml(
aimrt:
  log: {core_lvl: Off}
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [inner, debug_log, outer]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [gate]}]
)yaml";

class Filter : public testing::Test {
 protected:
  void SetUp() override {
    rpc::runtime_options options;
    options.config_text = filtered_config;
    runtime = good(rpc::runtime::create(std::move(options)));
    rpc::module_options module;
    module.name = "filters";
    handle = good(runtime.create_module(std::move(module))).rpc_handle();
  }
  void TearDown() override { runtime = rpc::runtime(); }

  template <class Inner, class Outer, class Gate>
  rpc::raw_method begin(Inner &&inner, Outer &&outer, Gate &&gate) {
    EXPECT_TRUE(good(rpc::register_filter(handle, rpc::filter_side::client, "inner", std::forward<Inner>(inner))));
    EXPECT_TRUE(good(rpc::register_filter(handle, rpc::filter_side::client, "outer", std::forward<Outer>(outer))));
    EXPECT_TRUE(good(rpc::register_filter(handle, rpc::filter_side::server, "gate", std::forward<Gate>(gate))));
    EXPECT_TRUE(good(runtime.initialize()));
    good(handle.register_raw_service("pb:/test.Filter/Call",
                                     [](const rpc::context &context, rpc::payload_view, rpc::raw_response &response) {
                                       response.assign(rpc::bytes_view(context.get("trail")));
                                       return rpc::status();
                                     }));
    auto method = good(handle.register_raw_client("pb:/test.Filter/Call"));
    EXPECT_TRUE(good(runtime.start_async()));
    return method;
  }

  rpc::runtime runtime;
  rpc::rpc_handle handle;
};

rpc::status pass(rpc::filtered_call &) { return {}; }

TEST_F(Filter, RunInOrder_ChangeMetadata_SeeTheEnd) {
  std::vector<std::string> steps;
  auto mark = [&steps](std::string name) {
    return [&steps, name](rpc::filtered_call &call) {
      steps.push_back(name + " " + std::string(call.request().text()));
      EXPECT_EQ(call.function_name(), "pb:/test.Filter/Call");
      EXPECT_EQ(call.from_module(), "filters");
      EXPECT_GT(call.request_id(), 0u);
      good(call.set("trail", std::string(call.metadata().find("trail")) + "/" + name));
      good(call.next([&steps, name](const rpc::call_end &end) {
        steps.push_back(name + " end " + std::string(end.response.text()) + (end.ok() ? " ok" : " failed"));
      }));
      EXPECT_EQ(call.next().error().code(), AIMRT_RPC_RESULT_INVALID_STATE);
    };
  };
  auto method = begin(mark("inner"), mark("outer"), mark("gate"));
  EXPECT_EQ(method.invoke_sync("hi").text(), "/outer/inner/gate");
  const std::vector<std::string> want = {"outer hi", "inner hi", "gate hi", "gate end /outer/inner/gate ok",
                                         "inner end /outer/inner/gate ok", "outer end /outer/inner/gate ok"};
  EXPECT_EQ(steps, want);
}

TEST_F(Filter, StatusForm_RejectsWithEverythingTheStatusHas) {
  auto method = begin(pass, pass, [](rpc::filtered_call &call) {
    EXPECT_EQ(call.side(), rpc::filter_side::server);
    return rpc::status(rpc::code::permission_denied, "closed").add_detail("who", "gate").set_trace("here");
  });
  const auto reply = method.invoke_sync("hi");
  EXPECT_EQ(reply.status(), rpc::status(rpc::code::permission_denied, "closed"));
  EXPECT_EQ(reply.status().detail("who"), "gate");
  EXPECT_EQ(reply.status().trace(), "here");
}

TEST_F(Filter, Exception_EndsTheCall) {
  auto method = begin(pass, pass, [](rpc::filtered_call &call) -> rpc::status {
    EXPECT_EQ(call.reject({}).error().code(), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
    throw std::runtime_error("gate is broken");
  });
  EXPECT_EQ(method.invoke_sync("hi").status(), rpc::status(rpc::code::svr_handle_failed, "gate is broken"));
}

TEST_F(Filter, Undecided_EndsTheCall) {
  auto method = begin([](rpc::filtered_call &) {}, pass, pass);
  const auto status = method.invoke_sync("hi").status();
  EXPECT_EQ(status.code(), rpc::code::cli_unknown) << status.to_string();
}

TEST_F(Filter, Captures_DieWithTheRuntime) {
  auto held = std::make_shared<int>(1);
  begin([held](rpc::filtered_call &) { return rpc::status(); }, pass, pass);
  EXPECT_FALSE(rpc::register_filter(handle, rpc::filter_side::client, "late", [held](rpc::filtered_call &) { return rpc::status(); }));
  EXPECT_EQ(held.use_count(), 2);
  runtime = rpc::runtime();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
