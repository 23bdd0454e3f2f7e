// A C++ module that a Python process loads with ctypes and joins to its own runtime: echo in C++, and a loop that calls Python.
//
// bench_attach(runtime) makes module "cpp" there, serves pb:/bench.Cpp/Echo and registers pb:/bench.Py/Echo as a client; before start.
// bench_call(size, count) calls the Python echo count times and gives nanoseconds per call, or a negative status code.
#include <aimrt_rpc/aimrt_rpc.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace rpc = aimrt_rpc;

namespace {
rpc::raw_method to_python;
}

extern "C" __attribute__((visibility("default"))) std::int32_t bench_attach(std::uint64_t runtime) {
  rpc::module_options me;
  me.name = "cpp";
  auto module = rpc::runtime_ref(runtime).create_module(std::move(me));
  if (!module) return module.error().code();
  auto served = module->rpc_handle().register_raw_service("pb:/bench.Cpp/Echo", [](rpc::payload_view request, rpc::raw_response &response) -> rpc::status {
    response.assign(request.text());
    return {};
  });
  if (!served) return served.error().code();
  auto method = module->rpc_handle().register_raw_client("pb:/bench.Py/Echo");
  if (!method) return method.error().code();
  to_python = *method;
  return 0;
}

extern "C" __attribute__((visibility("default"))) double bench_call(std::uint64_t size, std::int32_t count) {
  const std::string body(size, 'x');
  const auto begin = std::chrono::steady_clock::now();
  for (std::int32_t i = 0; i < count; ++i) {
    const rpc::reply reply = to_python.invoke_sync(std::string_view(body));
    if (!reply.status().ok()) return -static_cast<double>(reply.status().code());
  }
  const auto end = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::nano>(end - begin).count() / count;
}
