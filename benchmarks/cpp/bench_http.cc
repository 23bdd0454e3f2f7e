// Calls over the http, the grpc or the mqtt backend between two processes.
//
// bench_http serve PORT [http|grpc|mqttQOS] serves an echo until its input ends, after printing "ready".
// bench_http call PORT SIZE COUNT [http|grpc|mqttQOS] calls it COUNT times, one after the other, and prints the median as one JSON
// line, microseconds. Over mqtt PORT is the broker's, and QOS 0 to 2.
#include <aimrt_rpc/aimrt_rpc.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;

namespace {

constexpr std::string_view function = "pb:/bench.Echo/Say";

std::string config(const std::string &port, bool serve, const std::string &kind) {
  const std::string backend = kind.substr(0, 4), qos = kind.substr(4);
  const std::string at = "listen_ip: 127.0.0.1, listen_port: " + port;
  std::string plugin = "net_plugin", options = "thread_num: 2", rule = "server_url: 'http://127.0.0.1:" + port + "'";
  if (backend == "mqtt") {
    plugin = "mqtt_plugin";
    options = "broker_addr: 'tcp://127.0.0.1:" + port + "', client_id: " + (serve ? "bench_server" : "bench_client");
    rule = "qos: " + qos;
  } else if (backend == "grpc") {
    plugin = "grpc_plugin";
    if (serve) options += ", " + at;
  } else if (serve) {
    options += ", http_options: {" + at + "}";
  }
  const std::string rules = (serve ? "servers_options" : "clients_options") + std::string(": [{func_name: '.*', ") + rule + "}]";
  const std::string list = !serve || backend == "mqtt" ? ", options: {" + rules + "}" : "";
  return "aimrt: {log: {core_lvl: Warn, default_module_lvl: Warn, backends: [{type: console}]},\n"
         "  plugin: {plugins: [{name: " + plugin + ", path: '', options: {" + options + "}}]},\n"
         "  rpc: {backends: [{type: " + backend + list + "}], clients_options: [{func_name: '.*', enable_backends: [" + backend + "]}],\n"
         "        servers_options: [{func_name: '.*', enable_backends: [" + backend + "]}]}}\n";
}

template <class T>
T need(rpc::result<T> got, const char *what) {
  if (got) return std::move(got).value();
  std::fprintf(stderr, "bench_http: %s: %s\n", what, got.error().to_string().c_str());
  std::exit(1);
}

void need(const rpc::result<void> &got, const char *what) {
  if (got) return;
  std::fprintf(stderr, "bench_http: %s: %s\n", what, got.error().to_string().c_str());
  std::exit(1);
}

int serve(const rpc::runtime &runtime, const rpc::module &module) {
  auto service = need(module.rpc_handle().register_raw_service(function,
                                                               [](rpc::payload_view request, rpc::raw_response &response) -> rpc::status {
                                                                 response.assign(request.text());
                                                                 return {};
                                                               }),
                      "serve");
  need(runtime.start_async(), "start");
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

int call(const rpc::runtime &runtime, const rpc::module &module, const std::string &backend, std::size_t size, int count) {
  const auto method = need(module.rpc_handle().register_raw_client(function), "client");
  need(runtime.start_async(), "start");
  const std::string body(size, 'x');
  std::vector<double> times;
  for (int i = -count / 10; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const rpc::reply reply = method.invoke_sync(std::string_view(body));
    const auto end = std::chrono::steady_clock::now();
    if (!reply.status().ok() || reply.text().size() != size) {
      std::fprintf(stderr, "bench_http: %s\n", reply.status().to_string().c_str());
      return 1;
    }
    if (i >= 0) times.push_back(std::chrono::duration<double, std::micro>(end - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + count / 2, times.end());
  std::printf("{\"name\": \"cpp.%s.%zu\", \"unit\": \"us\", \"value\": %.3f}\n", backend.c_str(), size,
              times[static_cast<std::size_t>(count / 2)]);
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const int needed = mode == "serve" ? 3 : mode == "call" ? 5 : 0;
  const std::string backend = argc == needed + 1 ? argv[needed] : "http";
  const bool mqtt = backend == "mqtt0" || backend == "mqtt1" || backend == "mqtt2";
  if (needed == 0 || argc < needed || argc > needed + 1 || (backend != "http" && backend != "grpc" && !mqtt)) {
    std::fprintf(stderr, "usage: bench_http serve PORT [http|grpc|mqttQOS] | bench_http call PORT SIZE COUNT [http|grpc|mqttQOS]\n");
    return 2;
  }
  const std::string text = config(argv[2], mode == "serve", backend);
  rpc::runtime_options options;
  options.config_text = text;
  const auto runtime = need(rpc::runtime::create(std::move(options)), "create");
  need(runtime.initialize(), "initialize");
  rpc::module_options me;
  me.name = "bench";
  const auto module = need(runtime.create_module(std::move(me)), "module");
  if (mode == "serve") return serve(runtime, module);
  return call(runtime, module, backend, static_cast<std::size_t>(std::atoi(argv[3])), std::atoi(argv[4]));
}
