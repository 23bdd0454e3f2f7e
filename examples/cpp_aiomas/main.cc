// A robot arm in C++ that programs written for aiomas call. It prints its address and runs until its first peer has gone.
#include <aimrt_rpc/aimrt_rpc.hpp>
#include <aimrt_rpc/aiomas.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;
namespace aiomas = aimrt_rpc::aiomas;

namespace {

using position = std::map<std::string, double>;

template <class T>
T need(rpc::result<T> what) {
  if (what) return std::move(*what);
  std::fprintf(stderr, "%s\n", what.error().to_string().c_str());
  std::exit(1);
}
void need(const rpc::result<void> &what) {
  if (what) return;
  std::fprintf(stderr, "%s\n", what.error().to_string().c_str());
  std::exit(1);
}

// Plans a way. The observer is an object of the peer, which is asked about every step before the answer goes out.
aiomas::answer<std::vector<position>> plan(const aiomas::caller &who, position to, int steps, std::optional<rpc::value> observer) {
  if (steps < 1) return rpc::status(rpc::code::invalid_argument, "steps is " + std::to_string(steps) + ", at least 1 is needed");
  std::vector<position> way;
  for (int i = 1; i <= steps; ++i) {
    way.emplace_back();
    for (const auto &axis : to) way.back()[axis.first] = axis.second * i / steps;
  }
  if (!observer) return way;
  auto over = who.over();
  if (!over) return rpc::status::from_error(over.error());
  auto proxy = aiomas::proxy::from(*over, observer->view());
  if (!proxy) return rpc::status::from_error(proxy.error());
  auto allows = proxy->bind<bool(int, position)>("allows");
  if (!allows) return rpc::status::from_error(allows.error());
  for (int i = 0; i < steps; ++i) {
    const auto allowed = allows->invoke_sync(i + 1, way[static_cast<std::size_t>(i)]);
    if (!allowed) return allowed.status();
    if (!allowed.value()) return rpc::status(rpc::code::permission_denied, "step " + std::to_string(i + 1) + " is not allowed");
  }
  return way;
}

}  // namespace

int main(int argc, char **argv) {
  const std::string address = argc > 1 ? argv[1] : "tcp://127.0.0.1:5555";
  auto runtime = need(rpc::runtime::create({}));
  need(runtime.initialize());
  rpc::module_options options;
  options.name = "arm";
  const auto handle = need(runtime.create_module(std::move(options))).rpc_handle();

  auto router = need(rpc::router::create(handle));
  need(aiomas::serve(router, "arm/plan", plan, {"to", "steps", "observer"}));
  need(aiomas::serve(router, "arm/joints", [] { return std::vector<std::string>{"shoulder", "elbow", "wrist"}; }));
  need(runtime.start_async());

  rpc::connection_options link;
  link.address = address;
  link.serves = router.native();
  std::promise<void> gone;
  std::atomic<int> peers{0};
  auto listener = need(rpc::listener::listen(handle, link, [&](rpc::connection peer) {
    if (peers++ == 0) need(peer.on_close([&](std::string_view) { gone.set_value(); }));
  }));
  std::printf("%s\n", need(listener.address()).c_str());
  std::fflush(stdout);
  gone.get_future().wait();
  return 0;
}
