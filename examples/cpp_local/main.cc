// Serves and calls methods of protobuf messages and of raw bytes, all in one process and without any configuration.
#include <aimrt_rpc/aimrt_rpc.hpp>
#include <aimrt_rpc/type_support_pb.hpp>

#include "greeter.pb.h"

#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace rpc = aimrt_rpc;

namespace {

using greet_method = rpc::method<example::GreetRequest, example::GreetResponse>;

// Serves two methods. What a module registers in initialize is called for the whole life of the runtime.
rpc::module_options greeter() {
  rpc::module_options options;
  options.name = "greeter";
  options.initialize = [](rpc::module self) -> rpc::result<void> {
    static std::atomic<int> greeted{0};  // handlers may run on several threads at once
    auto greet = self.rpc_handle().register_service<example::GreetRequest, example::GreetResponse>(
        "pb:/example.Greeter/Greet",
        [](const rpc::context &context, const example::GreetRequest &request,
           example::GreetResponse &response) -> rpc::status {
          if (request.name().empty()) return {rpc::code::invalid_argument, "whom shall I greet?"};
          const std::string_view language = context.get("language");
          response.set_text((language == "fr" ? "bonjour " : "hello ") + request.name());
          response.set_greeted_before(greeted++);
          return {};
        });
    if (!greet) return std::move(greet).error();

    auto reverse = self.rpc_handle().register_raw_service(
        "pb:/example.Greeter/Reverse", [](rpc::payload_view request, rpc::raw_response &response) -> rpc::status {
          response.assign(std::string(request.text().rbegin(), request.text().rend()));
          return {};
        });
    if (!reverse) return std::move(reverse).error();
    return {};
  };
  return options;
}

void call_everything(const greet_method &greet, const rpc::raw_method &reverse) {
  example::GreetRequest request;
  example::GreetResponse response;
  request.set_name("robot");

  // Waiting for the answer.
  auto context = rpc::context::create().value();
  context.set("language", "fr").value();
  rpc::status status = greet.invoke_sync(context, request, response);
  std::printf("sync: %s -> %s\n", status.to_string().c_str(), response.text().c_str());

  // With a callback: it comes once, whatever happens.
  greet.invoke(request, response, [&](const rpc::status &how) {
    std::printf("callback: %s -> %s (%d before)\n", how.to_string().c_str(), response.text().c_str(),
                response.greeted_before());
  });

  // With a future, and a service that refuses.
  const example::GreetRequest nobody;
  status = greet.invoke_future(nobody, response).get();
  std::printf("future: %s\n", status.to_string().c_str());

  // Bytes.
  const rpc::reply reply = reverse.invoke_sync("stressed");
  std::printf("raw: %s -> %.*s\n", reply.status().to_string().c_str(), static_cast<int>(reply.text().size()),
              reply.text().data());
}

rpc::result<void> run() {
  auto runtime = rpc::runtime::create();
  if (!runtime) return std::move(runtime).error();

  greet_method greet;
  rpc::raw_method reverse;
  rpc::module_options caller;
  caller.name = "caller";
  caller.initialize = [&](rpc::module self) -> rpc::result<void> {
    auto typed = self.rpc_handle().register_client<example::GreetRequest, example::GreetResponse>("pb:/example.Greeter/Greet");
    if (!typed) return std::move(typed).error();
    auto raw = self.rpc_handle().register_raw_client("pb:/example.Greeter/Reverse");
    if (!raw) return std::move(raw).error();
    greet = *typed;
    reverse = *raw;
    return {};
  };

  auto made = runtime->create_module(greeter());
  if (!made) return std::move(made).error();
  made = runtime->create_module(std::move(caller));
  if (!made) return std::move(made).error();
  auto done = runtime->initialize();
  if (!done) return done;
  done = runtime->start_async();
  if (!done) return done;
  call_everything(greet, reverse);
  return {};  // the runtime shuts down when it goes out of scope
}

}  // namespace

int main() {
  auto done = run();
  if (done) return 0;
  std::fprintf(stderr, "cpp_local: %s\n", done.error().to_string().c_str());
  return 1;
}
