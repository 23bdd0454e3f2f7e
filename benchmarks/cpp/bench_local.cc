// What a call inside one process costs, beside the floors it can be compared with: an indirect function call, and the protobuf
// round trip of the same message. Prints one JSON object {name, unit, value} per line. Argument: seconds per measurement.
#include <aimrt_rpc/aimrt_rpc.hpp>
#include <aimrt_rpc/type_support_pb.hpp>

#include "bench.pb.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;
using aimrt_rpc::bench::Message;

namespace {

double seconds = 0.2;
constexpr int repeats = 5;

template <class T>
T must(rpc::result<T> what) {
  if (!what) {
    std::fprintf(stderr, "bench_local: %s\n", what.error().to_string().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*what);
}

void must_be(bool good, const char *what) {
  if (good) return;
  std::fprintf(stderr, "bench_local: %s\n", what);
  std::exit(1);
}

// Prints the best of some repeats: on a busy machine the others measure the neighbours. One f() stands for `calls` of them.
template <class F>
void measure(const char *name, F &&f, int calls = 1) {
  using clock = std::chrono::steady_clock;
  const auto timed = [&](std::uint64_t count) {
    const auto begin = clock::now();
    for (std::uint64_t i = 0; i < count; ++i) f();
    return std::chrono::duration<double>(clock::now() - begin).count();
  };
  std::uint64_t count = 64;
  double took = timed(count);
  while (took < seconds / 4) {
    count *= 2;
    took = timed(count);
  }
  double best = took;
  count = std::max<std::uint64_t>(count, static_cast<std::uint64_t>(static_cast<double>(count) * seconds / took));
  for (int i = 0; i < repeats; ++i) best = i == 0 ? timed(count) : std::min(best, timed(count));
  std::printf("{\"name\": \"%s\", \"unit\": \"ns\", \"value\": %.1f}\n", name, best * 1e9 / static_cast<double>(count) / calls);
  std::fflush(stdout);
}

Message make_message() {
  Message message;  // 64 bytes on the wire
  message.set_name("arm/joint/7/bench");
  message.set_stamp(1700000000123456789);
  message.set_x(1.5);
  message.set_y(-2.5);
  message.set_z(3.5);
  message.set_flags(7);
  while (message.ByteSizeLong() < 64) message.mutable_name()->push_back('x');
  return message;
}

void floors(const Message &message) {
  struct thunk {
    static void call(const Message &in, Message &out) { out.set_stamp(in.stamp()); }
  };
  void (*volatile indirect)(const Message &, Message &) = &thunk::call;
  Message out;
  measure("floor.indirect", [&] { indirect(message, out); });

  std::string bytes(message.ByteSizeLong(), '\0');
  Message request, response;
  measure("floor.cpp.protobuf", [&] {
    must_be(message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())), "serialize");
    must_be(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())), "parse");
    must_be(request.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())), "serialize");
    must_be(response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())), "parse");
  });
}

struct methods {
  rpc::raw_method raw, raw_far;
  rpc::method<Message, Message> tiny;            // the handler sets one number
  rpc::method<Message, Message> echo, echo_far;  // the handler copies the message
};

rpc::rpc_handle module_in(const rpc::runtime &runtime, std::string_view name, std::string_view package) {
  rpc::module_options options;
  options.name = name;
  options.package = package;
  return must(runtime.create_module(std::move(options))).rpc_handle();
}

methods set_up(const rpc::runtime &runtime) {
  const auto callee = module_in(runtime, "callee", "one");
  const auto near = module_in(runtime, "near", "one");
  const auto far = module_in(runtime, "far", "two");
  must(callee.register_raw_service("pb:/bench/Raw", [](rpc::payload_view request, rpc::raw_response &response) {
    response.set_view(request.bytes);
    return rpc::status();
  }));
  must(callee.register_service<Message, Message>("pb:/bench/Tiny", [](const Message &request, Message &response) {
    response.set_stamp(request.stamp());
    return rpc::status();
  }));
  must(callee.register_service<Message, Message>("pb:/bench/Echo", [](const Message &request, Message &response) {
    response = request;
    return rpc::status();
  }));
  methods made;
  made.raw = must(near.register_raw_client("pb:/bench/Raw"));
  made.raw_far = must(far.register_raw_client("pb:/bench/Raw"));
  made.tiny = must(near.register_client<Message, Message>("pb:/bench/Tiny"));
  made.echo = must(near.register_client<Message, Message>("pb:/bench/Echo"));
  made.echo_far = must(far.register_client<Message, Message>("pb:/bench/Echo"));
  return made;
}

void calls(const methods &m, const Message &request) {
  const std::string bytes(64, 'x');
  Message response;
  std::uint64_t bad = 0;

  measure("cpp.direct.sync", [&] { bad += !m.tiny.invoke_sync(request, response); });
  measure("cpp.direct.callback", [&] { m.tiny.invoke(request, response, [&bad](const rpc::status &s) { bad += !s; }); });
  auto context = must(rpc::context::create());
  measure("cpp.direct.context", [&] {
    bad += !context.reset();
    bad += !m.tiny.invoke_sync(context, request, response);
  });
#if defined(AIMRT_RPC_HAS_COROUTINES)
  measure(
      "cpp.direct.coroutine",
      [&] {
        auto body = [&]() -> rpc::task<void> {
          for (int i = 0; i < 1000; ++i) bad += !co_await m.tiny.co_invoke(request, response);
        };
        rpc::sync_wait(body());
      },
      1000);
#endif
  measure("cpp.direct.pb64", [&] { bad += !m.echo.invoke_sync(request, response); });
  measure("cpp.direct.raw64", [&] { bad += m.raw.invoke_sync(bytes).bytes().size() != 64; });
  measure("cpp.direct.raw64.callback", [&] {
    m.raw.invoke(bytes, [&bad](const rpc::status &s, rpc::payload_view p) { bad += !s || p.bytes.size() != 64; });
  });
  measure("cpp.cross.pb64", [&] { bad += !m.echo_far.invoke_sync(request, response); });
  measure("cpp.cross.pb64.callback",
          [&] { m.echo_far.invoke(request, response, [&bad](const rpc::status &s) { bad += !s; }); });
  measure("cpp.cross.raw64", [&] { bad += m.raw_far.invoke_sync(bytes).bytes().size() != 64; });
  must_be(bad == 0, "a measured call went wrong");
}

}  // namespace

int main(int argc, char **argv) {
  if (argc > 1) seconds = std::atof(argv[1]);
  const Message message = make_message();
  must_be(message.ByteSizeLong() == 64, "the message must have 64 bytes");
  floors(message);
  auto runtime = must(rpc::runtime::create());
  must(runtime.initialize());
  const methods made = set_up(runtime);
  must(runtime.start_async());
  calls(made, message);
  return 0;
}
