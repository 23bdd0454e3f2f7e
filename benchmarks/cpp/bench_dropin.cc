// What a call costs that a module written for AimRT makes through the headers at AimRT's include paths: proxies and a service of
// generated stubs, in one package and across two, beside an indirect call of the same handler and the protobuf round trip of the same
// message. Every call is timed; the median cost of reading the clock is taken off. Prints one JSON object {name, unit, value} per
// line; the unit "allocations" is per call, in this program and the C half of the library. A call inside one package that allocates
// after warm-up ends the program with an error. Argument: seconds per measurement.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "aimrt_module_cpp_interface/aimrt_module_cpp_interface.h"
#include "core/aimrt_core.h"
#include "dropin.aimrt_rpc.pb.h"

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
}

namespace {
thread_local std::uint64_t allocations = 0;
}

// The whole process allocates through these (C++ operator new too): glibc lets a program replace them.
extern "C" void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
extern "C" void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
extern "C" void* realloc(void* old, std::size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}

namespace {

using namespace aimrt_rpc::bench;
using aimrt::rpc::ContextRef;
using aimrt::rpc::Status;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLeastSamples = 2000;  // of them the 99.9th percentile is the second largest
constexpr std::size_t kMostSamples = 200000;
constexpr std::size_t kWarmUp = 200;

double seconds = 0.3;
std::uint32_t clock_ns = 0;  // what the two ends of a measured call add to it

void MustBe(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "bench_dropin: %s\n", what);
  std::exit(1);
}

void Print(const std::string& name, const char* unit, double value) {
  std::printf("{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.3f}\n", name.c_str(), unit, value);
  std::fflush(stdout);
}

struct Samples {
  std::vector<std::uint32_t> ns;
  std::uint64_t allocations = 0;
};

// One clock reading per call: the end of one is the beginning of the next.
class Timer {
 public:
  explicit Timer(std::size_t count) { samples_.ns.reserve(count); }
  void Begin() {
    allocations_ = allocations;
    last_ = Clock::now();
  }
  void Lap() {
    const auto now = Clock::now();
    samples_.ns.push_back(static_cast<std::uint32_t>(std::chrono::nanoseconds(now - last_).count()));
    last_ = now;
  }
  Samples End() {
    samples_.allocations = allocations - allocations_;
    return std::move(samples_);
  }

 private:
  Samples samples_;
  std::uint64_t allocations_ = 0;
  Clock::time_point last_;
};

template <typename F>
Samples Time(F& call, std::size_t count) {
  Timer timer(count);
  timer.Begin();
  for (std::size_t i = 0; i < count; ++i) {
    call();
    timer.Lap();
  }
  return timer.End();
}

double Percentile(std::vector<std::uint32_t>& ns, double part) {
  const auto at = ns.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(ns.size() - 1));
  std::nth_element(ns.begin(), at, ns.end());
  return *at > clock_ns ? *at - clock_ns : 1.0;  // never 0: figures are divided by each other
}

// How many calls fit into the time, from some that warm up.
std::size_t CountFor(const Samples& warm) {
  double total = 0;
  for (const auto ns : warm.ns) total += ns;
  const double wanted = seconds * 1e9 * static_cast<double>(warm.ns.size()) / std::max(total, 1.0);
  return std::clamp(static_cast<std::size_t>(wanted), kLeastSamples, kMostSamples);
}

// run(count) gives the samples of so many calls; each thread makes its own run by make().
template <typename Make>
void Measure(const std::string& name, int threads, bool may_allocate, Make make) {
  std::vector<Samples> all(static_cast<std::size_t>(threads));
  std::latch ready(threads);
  const auto body = [&](Samples& samples) {
    auto run = make();
    const std::size_t count = CountFor(run(kWarmUp));
    ready.arrive_and_wait();
    samples = run(count);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(body, std::ref(all[static_cast<std::size_t>(i)]));
  body(all[0]);
  for (auto& other : others) other.join();
  Samples sum;
  for (auto& one : all) {
    sum.ns.insert(sum.ns.end(), one.ns.begin(), one.ns.end());
    sum.allocations += one.allocations;
  }
  Print(name + ".p50", "ns", Percentile(sum.ns, 0.5));
  Print(name + ".p99", "ns", Percentile(sum.ns, 0.99));
  Print(name + ".p999", "ns", Percentile(sum.ns, 0.999));
  Print(name + ".allocations", "allocations", static_cast<double>(sum.allocations) / static_cast<double>(sum.ns.size()));
  MustBe(may_allocate || sum.allocations == 0, (name + " allocates after warm-up").c_str());
}

class Service : public EchoSyncService {
  Status Run(ContextRef, const Frame& req, Frame& rsp) override {
    rsp = req;
    return Status();
  }
};

Frame MakeFrame(std::size_t size) {
  Frame frame;
  frame.set_number(1700000000123456789);
  while (frame.ByteSizeLong() < size) frame.mutable_load()->append(size - frame.ByteSizeLong() > 16 ? size - frame.ByteSizeLong() - 16 : 1, 'x');
  MustBe(frame.ByteSizeLong() == size, "a message has another size than wanted");
  return frame;
}

void MeasureClock() {
  auto nothing = [] {};
  auto samples = Time(nothing, kMostSamples);
  const double median = Percentile(samples.ns, 0.5);
  clock_ns = static_cast<std::uint32_t>(median);
  Print("floor.dropin.clock", "ns", median);
}

void Copy(const Frame& in, Frame& out) { out = in; }

void Floors(std::size_t size, int threads) {
  const std::string end = "." + std::to_string(size) + "." + std::to_string(threads);
  Measure("floor.dropin.indirect" + end, threads, false, [size] {
    return [req = MakeFrame(size), rsp = Frame()](std::size_t count) mutable {
      void (*volatile indirect)(const Frame&, Frame&) = &Copy;
      auto call = [&] { indirect(req, rsp); };
      return Time(call, count);
    };
  });
  Measure("floor.dropin.protobuf" + end, threads, true, [size] {
    return [req = MakeFrame(size), seen = Frame(), rsp = Frame(), bytes = std::string(size, '\0')](std::size_t count) mutable {
      bool good = true;
      const int length = static_cast<int>(bytes.size());
      auto call = [&] {
        good = req.SerializeToArray(bytes.data(), length) && seen.ParseFromArray(bytes.data(), length) && good;
        good = seen.SerializeToArray(bytes.data(), length) && rsp.ParseFromArray(bytes.data(), length) && good;
      };
      auto samples = Time(call, count);
      MustBe(good, "the protobuf round trip went wrong");
      return samples;
    };
  });
}

aimrt::co::Task<void> TimeCo(EchoCoProxy& proxy, const Frame& req, Frame& rsp, std::size_t count, std::size_t& good, Samples& samples) {
  Timer timer(count);
  timer.Begin();
  for (std::size_t i = 0; i < count; ++i) {
    good += (co_await proxy.Run(req, rsp)).OK() ? 1 : 0;
    timer.Lap();
  }
  samples = timer.End();
}

void Check(std::size_t good, std::size_t count, const Frame& req, const Frame& rsp) {
  MustBe(good == count && rsp.load().size() == req.load().size() && rsp.number() == req.number(), "a measured call went wrong");
}

void Calls(const std::string& where, aimrt::rpc::RpcHandleRef handle, std::size_t size, int threads) {
  const std::string end = "." + std::to_string(size) + "." + std::to_string(threads);
  const bool may_allocate = where == "far";
  Measure("dropin." + where + ".sync" + end, threads, may_allocate, [=] {
    return [req = MakeFrame(size), rsp = Frame(), proxy = std::make_unique<EchoSyncProxy>(handle)](std::size_t count) mutable {
      std::size_t good = 0;
      auto call = [&] { good += proxy->Run(req, rsp).OK() ? 1 : 0; };
      auto samples = Time(call, count);
      Check(good, count, req, rsp);
      return samples;
    };
  });
  // The service answers on the caller's thread, so that the callback has come when the call returns.
  Measure("dropin." + where + ".async" + end, threads, may_allocate, [=] {
    return [req = MakeFrame(size), rsp = Frame(), proxy = std::make_unique<EchoAsyncProxy>(handle)](std::size_t count) mutable {
      std::size_t good = 0;
      auto call = [&] { proxy->Run(req, rsp, [&good](Status status) { good += status.OK() ? 1 : 0; }); };
      auto samples = Time(call, count);
      Check(good, count, req, rsp);
      return samples;
    };
  });
  Measure("dropin." + where + ".co" + end, threads, may_allocate, [=] {
    return [req = MakeFrame(size), rsp = Frame(), proxy = std::make_unique<EchoCoProxy>(handle)](std::size_t count) mutable {
      std::size_t good = 0;
      Samples samples;
      aimrt::co::SyncWait(TimeCo(*proxy, req, rsp, count, good, samples));
      Check(good, count, req, rsp);
      return samples;
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) seconds = std::atof(argv[1]);
  MeasureClock();
  Service service;
  aimrt::runtime::core::AimRTCore core;
  core.Initialize({});
  const auto module_in = [&core](std::string_view package, std::string_view name) {
    return aimrt::CoreRef(core.GetModuleManager().CreateModule(package, name)).GetRpcHandle();
  };
  const auto server = module_in("one", "Server"), near = module_in("one", "Near"), far = module_in("two", "Far");
  MustBe(server.RegisterService(&service), "the service was refused");
  MustBe(RegisterEchoClientFunc(near) && RegisterEchoClientFunc(far), "a client was refused");
  auto ended = core.AsyncStart();
  for (const int threads : {1, 2}) {
    for (const std::size_t size : {std::size_t{64}, std::size_t{1} << 10, std::size_t{64} << 10, std::size_t{1} << 20}) {
      if (threads > 1 && size > 1 << 10) continue;
      Floors(size, threads);
      if (size <= 1 << 10) Calls("near", near, size, threads);
      if (threads == 1) Calls("far", far, size, threads);
    }
  }
  core.Shutdown();
  ended.get();
  return 0;
}
