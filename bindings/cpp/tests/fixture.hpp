// A runtime with modules for tests: registrations happen between initialize and start.
#ifndef BINDINGS_CPP_TESTS_FIXTURE_HPP_
#define BINDINGS_CPP_TESTS_FIXTURE_HPP_

#include <aimrt_rpc/aimrt_rpc.hpp>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace fixture {

inline constexpr std::string_view config = R"yaml(
aimrt:
  log:
    core_lvl: Off
  executor:
    executors:
      - name: work
        type: asio_thread
        options:
          thread_num: 2
  rpc:
    backends:
      - type: local
    clients_options:
      - func_name: "(.*)"
        enable_backends: [local]
    servers_options:
      - func_name: "(.*)"
        enable_backends: [local]
)yaml";

// A port of the loopback that nobody listens on.
inline std::string free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool got = bind(fd, reinterpret_cast<const sockaddr *>(&address), size) == 0 &&
                   getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) == 0;
  EXPECT_TRUE(got) << "no free port";
  close(fd);
  return std::to_string(ntohs(address.sin_port));
}

// Everything over http, to the process itself.
inline std::string http_config(const std::string &port) {
  return "aimrt: {log: {core_lvl: Off}, executor: {executors: [{name: work, type: asio_thread, options: {thread_num: 2}}]},\n"
         "  plugin: {plugins: [{name: net_plugin, options: {http_options: {listen_ip: 127.0.0.1, listen_port: " + port +
         "}}}]},\n"
         "  rpc: {backends: [{type: http, options: {clients_options: [{func_name: '.*', server_url: 'http://127.0.0.1:" + port +
         "'}]}}],\n"
         "        clients_options: [{func_name: '.*', enable_backends: [http]}],\n"
         "        servers_options: [{func_name: '.*', enable_backends: [http]}]}}\n";
}

// The value of a good result; a failed one fails the test with its text and gives T{}.
template <class T>
T good(aimrt_rpc::result<T> what) {
  if (!what) {
    ADD_FAILURE() << what.error().to_string();
    return T{};
  }
  return std::move(*what);
}
inline bool good(const aimrt_rpc::result<void> &what) {
  if (!what) ADD_FAILURE() << what.error().to_string();
  return what.has_value();
}

class Runtime : public testing::Test {
 protected:
  void SetUp() override {
    aimrt_rpc::runtime_options options;
    options.config_text = config;
    runtime = good(aimrt_rpc::runtime::create(std::move(options)));
    ASSERT_TRUE(runtime);
    ASSERT_TRUE(good(runtime.initialize()));
    // Same package: native messages are handed over. Another package: everything is serialized.
    caller = module_in("caller", "one").rpc_handle();
    callee = module_in("callee", "one").rpc_handle();
    stranger = module_in("stranger", "two").rpc_handle();
  }

  // Before the members of a derived fixture that handlers use go.
  void TearDown() override { runtime = aimrt_rpc::runtime(); }

  aimrt_rpc::module module_in(std::string_view name, std::string_view package) {
    aimrt_rpc::module_options options;
    options.name = name;
    options.package = package;
    return good(runtime.create_module(std::move(options)));
  }

  void start() { ASSERT_TRUE(good(runtime.start_async())); }

  aimrt_rpc::runtime runtime;
  aimrt_rpc::rpc_handle caller, callee, stranger;
};

// Opened once, waited for with a limit.
class gate {
 public:
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait(std::chrono::seconds limit = std::chrono::seconds(30)) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace fixture

#endif  // BINDINGS_CPP_TESTS_FIXTURE_HPP_
