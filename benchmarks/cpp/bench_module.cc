// A C++ module that a Python process loads with ctypes and joins to its own runtime: echo in C++, and a loop that calls Python.
//
// bench_attach(runtime) makes module "cpp" there, serves pb:/bench.Cpp/Echo and registers pb:/bench.Py/Echo as a client; before start.
// bench_call(cpp, size, count) calls the echo in C++ (1) or Python (0) and gives the median in nanoseconds, or a negative status code.
#include <aimrt_rpc/aimrt_rpc.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;

namespace {
rpc::raw_method to_python;
rpc::raw_method to_cpp;
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
  auto own = module->rpc_handle().register_raw_client("pb:/bench.Cpp/Echo");
  if (!own) return own.error().code();
  to_cpp = *own;
  return 0;
}

extern "C" __attribute__((visibility("default"))) double bench_call(std::int32_t cpp, std::uint64_t size, std::int32_t count) {
  const std::string body(size, 'x');
  const rpc::raw_method &method = cpp != 0 ? to_cpp : to_python;
  constexpr int batch = 10;  // reading the clock twice costs as much as a call
  std::vector<double> times;
  for (std::int32_t i = 0; i < count; i += batch) {
    const auto begin = std::chrono::steady_clock::now();
    for (int j = 0; j < batch; ++j) {
      const rpc::reply reply = method.invoke_sync(std::string_view(body));
      if (!reply.status().ok()) return -static_cast<double>(reply.status().code());
    }
    const auto end = std::chrono::steady_clock::now();
    times.push_back(std::chrono::duration<double, std::nano>(end - begin).count() / batch);
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}
