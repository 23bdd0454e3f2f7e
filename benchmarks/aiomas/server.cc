// Serves echo over aiomas' RPC layer from C++, for the benchmark beside the real aiomas: server serve JSON|MsgPack prints its port and
// ends with its input.
#include <aimrt_rpc/aimrt_rpc.hpp>
#include <aimrt_rpc/aiomas.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace rpc = aimrt_rpc;

namespace {

template <class T>
T need(rpc::result<T> got, const char *what) {
  if (got) return std::move(got).value();
  std::fprintf(stderr, "server: %s: %s\n", what, got.error().to_string().c_str());
  std::exit(1);
}

void need(const rpc::result<void> &got, const char *what) {
  if (got) return;
  std::fprintf(stderr, "server: %s: %s\n", what, got.error().to_string().c_str());
  std::exit(1);
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 3 || arguments[1] != std::string_view("serve")) {
    std::fprintf(stderr, "server: expected serve JSON|MsgPack\n");
    return 2;
  }
  rpc::runtime_options quiet;
  quiet.config_text = "aimrt: {log: {core_lvl: Warn, backends: [{type: console}]}}";
  const auto runtime = need(rpc::runtime::create(std::move(quiet)), "create");
  need(runtime.initialize(), "initialize");
  rpc::module_options me;
  me.name = "echo";
  const auto module = need(runtime.create_module(std::move(me)), "module");
  auto served = need(rpc::router::create(module.rpc_handle()), "router");
  rpc::service_options quick;
  quick.non_blocking = true;
  [[maybe_unused]] const auto echo = need(rpc::aiomas::serve(served, "echo", [](std::string text) { return text; }, {}, quick), "serve");
  need(runtime.start_async(), "start");
  rpc::connection_options options;
  options.address = "127.0.0.1:0";
  options.codec = arguments[2] == std::string_view("JSON") ? rpc::connection_codec::json : rpc::connection_codec::msgpack;
  options.serves = served.native();
  auto listening = need(rpc::listener::listen(module.rpc_handle(), options), "listen");
  const std::string address = need(listening.address(), "address");
  std::printf("%s\n", address.substr(address.rfind(':') + 1).c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
