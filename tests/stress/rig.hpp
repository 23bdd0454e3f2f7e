// What the stress programs share: runtimes made of one line, calls that are accounted for, and a census of everything that could leak.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_STRESS_RIG_HPP_
#define TESTS_STRESS_RIG_HPP_

#include <aimrt_rpc.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.hpp"

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;  // memory is kept back on purpose, so its amount says nothing
#else
inline constexpr bool sanitized = false;
#endif

inline constexpr uint64_t second_ns = 1000000000;
inline constexpr uint64_t liveness_ns = 60 * second_ns;  // only a hang takes so long
inline constexpr std::chrono::seconds liveness(60);

// ---- Setting up ----------------------------------------------------------------------------------------------------------

// A program that cannot be set up tests nothing.
inline void must(aimrt_rpc_result_t result, aimrt_rpc_error_t error, const char *what) {
  if (result == AIMRT_RPC_RESULT_OK) return;
  const aimrt_rpc_str_t why = aimrt_rpc_error_message(error);
  std::fprintf(stderr, "%s: %s: %.*s\n", what, aimrt_rpc_result_string(result), static_cast<int>(why.size), why.data);
  std::exit(2);
}

// A port of the loopback that nobody listens on, below those that the system gives to clients: a server can come back to it.
inline std::string free_port() {
  for (int i = 0; i < 10000; i++) {
    const auto port = static_cast<uint16_t>(12000 + (getpid() * 7 + i) % 20000);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const bool got = bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
    close(fd);
    if (got) return std::to_string(port);
  }
  std::fprintf(stderr, "no free port\n");
  std::exit(2);
}

inline std::string rules(const std::string &backend) {
  return "    clients_options: [{func_name: '(.*)', enable_backends: [" + backend + "]}]\n" +
         "    servers_options: [{func_name: '(.*)', enable_backends: [" + backend + "]}]\n";
}

inline constexpr const char *common_config =
    "aimrt:\n"
    "  log: {core_lvl: Off}\n"
    "  executor:\n"
    "    executors:\n"
    "      - {name: work, type: asio_thread, options: {thread_num: 2}}\n"
    "      - {name: narrow, type: simple_thread, options: {queue_threshold: 100}}\n";
inline constexpr size_t narrow_queue = 100;

inline std::string local_config() { return common_config + std::string("  rpc:\n    backends: [{type: local}]\n") + rules("local"); }

// A server on the port, a client of it, or both; limits are options of the backend.
inline std::string http_config(const std::string &port, bool serves, bool calls, const std::string &limits = "") {
  std::string out = common_config;
  if (serves) out += "  plugin: {plugins: [{name: net_plugin, options: {http_options: {listen_ip: 127.0.0.1, listen_port: " + port + "}}}]}\n";
  std::string options;
  if (calls) options = "clients_options: [{func_name: '(.*)', server_url: 'http://127.0.0.1:" + port + "'}]";
  if (!limits.empty()) options += (options.empty() ? "" : ", ") + ("limits: {" + limits + "}");
  return out + "  rpc:\n    backends: [{type: http, options: {" + options + "}}]\n" + rules("http");
}

// How a call travels: inside one package, between two, or over the network.
enum class path { direct, serialized, http };
inline constexpr std::array<path, 3> paths = {path::direct, path::serialized, path::http};
inline const char *name_of(path p) { return p == path::direct ? "direct" : p == path::serialized ? "serialized" : "http"; }

// A runtime with one module that serves and one that calls.
class rig {
 public:
  explicit rig(const std::string &config, bool one_package = false) {
    aimrt_rpc_error_t error = 0;
    aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
    options.config_text = text(config);
    must(aimrt_rpc_runtime_create(&options, &runtime, &error), error, "create");
    must(aimrt_rpc_runtime_initialize(runtime, &error), error, "initialize");
    server_ = module("server", "one");
    client_ = module("client", one_package ? "one" : "two");
  }
  rig(path p, const std::string &port) : rig(p == path::http ? http_config(port, true, true) : local_config(), p == path::direct) {}
  ~rig() { aimrt_rpc_runtime_release(runtime); }
  rig(const rig &) = delete;
  rig &operator=(const rig &) = delete;

  void serve(const char *name, aimrt_rpc_handler_fn handler, void *user_data = nullptr, aimrt_rpc_executor_t executor = 0) const {
    aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
    options.name = text(name);
    options.handler = handler;
    options.user_data = user_data;
    options.executor = executor;
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_handle_register_service(aimrt_rpc_module_rpc_handle(server_), &options, nullptr, &error), error, name);
  }
  aimrt_rpc_method_t client(const char *name) const {
    aimrt_rpc_client_options_t options = AIMRT_RPC_CLIENT_OPTIONS_INIT;
    options.name = text(name);
    aimrt_rpc_method_t method = 0;
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_handle_register_client(aimrt_rpc_module_rpc_handle(client_), &options, &method, &error), error, name);
    return method;
  }
  aimrt_rpc_executor_t executor(const char *name) const {
    aimrt_rpc_executor_t found = 0;
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_module_executor(client_, text(name), &found, &error), error, name);
    return found;
  }
  void start(uint32_t flags = 0) const {
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_runtime_start_async(runtime, flags, &error), error, "start");
  }

  aimrt_rpc_runtime_t runtime = 0;

 private:
  aimrt_rpc_module_t module(const char *name, const char *package) const {
    aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
    options.name = text(name);
    options.package = text(package);
    aimrt_rpc_module_t made = 0;
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_module_create(runtime, &options, &made, &error), error, name);
    return made;
  }

  aimrt_rpc_module_t server_ = 0, client_ = 0;
};

inline constexpr const char *echo_name = "pb:/stress.Echo/Call";

// Answers with the request.
inline void echo(void *, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  static_cast<void>(aimrt_rpc_call_finish(call, nullptr, &request->payload, nullptr));
}

// ---- Waiting -------------------------------------------------------------------------------------------------------------

// Waits for a condition that nobody announces.
inline bool becomes_true(const std::function<bool()> &condition) {
  const auto end = std::chrono::steady_clock::now() + liveness;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// How long a program repeats itself: 0 seconds means once, which is the form of `make test`.
class duration {
 public:
  duration(int argc, char **argv, int position = 1) : end_(std::chrono::steady_clock::now()) {
    if (argc > position) seconds_ = std::atoi(argv[position]);
    end_ += std::chrono::seconds(seconds_);
    alarm(static_cast<unsigned>(seconds_) + 300);  // only a hang takes so long
  }
  bool again() {
    const bool first = rounds_++ == 0;
    return first || std::chrono::steady_clock::now() < end_;
  }
  int rounds() const { return rounds_; }
  bool soaking() const { return seconds_ > 0; }

 private:
  int seconds_ = 0;
  int rounds_ = 0;
  std::chrono::steady_clock::time_point end_;
};

// ---- Calls and how they ended --------------------------------------------------------------------------------------------

// One account per call: each must end exactly once.
class ledger {
 public:
  explicit ledger(size_t calls) : ended_(calls) {}

  void end(size_t call, aimrt_rpc_code_t code) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_[call].times++ == 0) done_++;
    ended_[call].code = code;
    codes_[code]++;
    changed_.notify_all();
  }
  // Waits until this many calls have ended.
  bool wait(size_t calls) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, liveness, [&] { return done_ >= calls; });
  }
  bool wait_all() { return wait(ended_.size()); }
  size_t ended() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_;
  }
  size_t of(aimrt_rpc_code_t code) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = codes_.find(code);
    return found == codes_.end() ? 0 : found->second;
  }
  aimrt_rpc_code_t code_of(size_t call) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ended_[call].code;
  }
  // Checks that every call ended once, and with one of these codes.
  void check(const char *what, std::initializer_list<aimrt_rpc_code_t> allowed) const { check_first(what, ended_.size(), allowed); }
  void check_first(const char *what, size_t calls, std::initializer_list<aimrt_rpc_code_t> allowed) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t twice = 0, never = 0, strange = 0;
    for (size_t i = 0; i < calls; i++) {
      twice += ended_[i].times > 1 ? 1 : 0;
      never += ended_[i].times == 0 ? 1 : 0;
    }
    std::string seen;
    for (const auto &[code, count] : codes_) {
      seen += " " + std::to_string(count) + "x" + std::to_string(code);
      if (std::find(allowed.begin(), allowed.end(), code) == allowed.end()) strange += count;
    }
    CHECK(twice == 0 && never == 0, "%s: of %zu calls %zu ended twice and %zu never", what, calls, twice, never);
    CHECK(strange == 0, "%s: %zu calls ended strangely; codes:%s", what, strange, seen.c_str());
    std::printf("    %s:%s\n", what, seen.c_str());
  }

 private:
  struct account {
    uint32_t times = 0;
    aimrt_rpc_code_t code = AIMRT_RPC_CODE_UNKNOWN;
  };
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<account> ended_;
  std::map<aimrt_rpc_code_t, size_t> codes_;
  size_t done_ = 0;
};

// A call with a callback, for a ledger.
struct booked {
  ledger *book;
  size_t number;

  static void done(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome) {
    std::unique_ptr<booked> self(static_cast<booked *>(user_data));
    aimrt_rpc_call_release(call);
    self->book->end(self->number, outcome->code);
  }
};

// A context with a timeout, released when it goes: the library keeps it for a call that uses it.
class timeout {
 public:
  explicit timeout(uint64_t ns) {
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_context_create(&context, &error), error, "context");
    must(aimrt_rpc_context_set_timeout_ns(context, ns), 0, "timeout");
  }
  ~timeout() { aimrt_rpc_context_release(context); }
  timeout(const timeout &) = delete;
  timeout &operator=(const timeout &) = delete;

  aimrt_rpc_context_t context = 0;
};

// Starts a call that ends in the ledger.
inline void start(aimrt_rpc_method_t method, ledger &book, size_t number, std::string_view request, uint64_t timeout_ns = liveness_ns) {
  const timeout limit(timeout_ns);
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.context = limit.context;
  options.request.bytes = bytes(request);
  options.done = &booked::done;
  auto user = std::make_unique<booked>(booked{&book, number});
  options.user_data = user.get();
  aimrt_rpc_error_t error = 0;
  const aimrt_rpc_result_t result = aimrt_rpc_call_start(method, &options, nullptr, &error);
  if (result == AIMRT_RPC_RESULT_OK)
    static_cast<void>(user.release());
  else
    CHECK_RESULT(result, error);
}

// Calls and waits; gives how the call ended.
inline aimrt_rpc_code_t invoke(aimrt_rpc_method_t method, std::string_view request, uint64_t timeout_ns = liveness_ns) {
  const timeout limit(timeout_ns);
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.context = limit.context;
  options.request.bytes = bytes(request);
  aimrt_rpc_code_t code = AIMRT_RPC_CODE_UNKNOWN;
  aimrt_rpc_call_t call = 0;
  aimrt_rpc_error_t error = 0;
  const aimrt_rpc_result_t result = aimrt_rpc_call_invoke(method, &options, &code, &call, &error);
  if (result != AIMRT_RPC_RESULT_OK) CHECK_RESULT(result, error);
  aimrt_rpc_call_release(call);
  return code;
}

// Calls that a service holds until somebody ends them.
class held_calls {
 public:
  static void hold(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *) {
    auto *self = static_cast<held_calls *>(user_data);
    const std::lock_guard<std::mutex> lock(self->mutex_);
    self->calls_.push_back(call);
    self->arrived_++;
    self->changed_.notify_all();
  }
  // Waits until this many have come in all.
  bool wait(size_t calls) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, liveness, [&] { return arrived_ >= calls; });
  }
  std::vector<aimrt_rpc_call_t> take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(calls_, {});
  }
  size_t arrived() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return arrived_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<aimrt_rpc_call_t> calls_;
  size_t arrived_ = 0;
};

// ---- Census --------------------------------------------------------------------------------------------------------------

inline constexpr uint32_t kind_count = AIMRT_RPC_KIND_TASK + 1;

// Reads a number of a JSON object; the names asked for are unique in it.
inline uint64_t number_in(std::string_view json, const std::string &key) {
  const size_t at = json.find("\"" + key + "\":");
  return at == std::string_view::npos ? 0 : std::strtoull(json.data() + at + key.size() + 3, nullptr, 10);
}

inline size_t entries_of(const char *folder) {
  size_t count = 0;
  DIR *dir = opendir(folder);
  while (dir != nullptr && readdir(dir) != nullptr) count++;
  if (dir != nullptr) closedir(dir);
  return count;
}

// Counts this process's threads whose name begins so.
inline size_t threads_of(const std::string &prefix) {
  size_t count = 0;
  DIR *dir = opendir("/proc/self/task");
  for (const dirent *one = nullptr; dir != nullptr && (one = readdir(dir)) != nullptr;) {
    std::string name;
    std::getline(std::ifstream(std::string("/proc/self/task/") + one->d_name + "/comm"), name);
    count += !name.empty() && name.compare(0, prefix.size(), prefix) == 0 ? 1 : 0;
  }
  if (dir != nullptr) closedir(dir);
  return count;
}

struct census {
  std::array<uint64_t, kind_count> handles{};
  size_t files = 0, threads = 0, own_threads = 0;  // own: those of executors and of the pool for handlers
  uint64_t goroutines = 0, go_heap = 0, c_heap = 0, resident = 0;

  // The goroutines are those that the library starts; the Go runtime has some more of its own.
  static census take() {
    census c;
    for (uint32_t kind = 0; kind < kind_count; kind++) c.handles[kind] = aimrt_rpc_live_count(kind);
    c.files = entries_of("/proc/self/fd");
    c.threads = threads_of("");
    for (const char *name : {"work", "narrow", "aimrt_ha"}) c.own_threads += threads_of(name);
    aimrt_rpc_error_t error = 0;
    aimrt_rpc_runtime_t probe = 0;
    aimrt_rpc_buffer_t json = {nullptr, 0, 0};
    must(aimrt_rpc_runtime_create(nullptr, &probe, &error), error, "probe");
    must(aimrt_rpc_runtime_statistics(probe, &json, &error), error, "statistics");
    const std::string_view view(reinterpret_cast<const char *>(json.data), json.size);
    c.goroutines = number_in(view, "guarded_goroutines");
    c.go_heap = number_in(view, "heap_bytes");
    aimrt_rpc_buffer_release(&json);
    aimrt_rpc_runtime_release(probe);
    const struct mallinfo2 heap = mallinfo2();
    c.c_heap = heap.uordblks + heap.hblkhd;
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> pages;
    c.resident = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    return c;
  }

  std::string more_than(const census &before) const {
    std::string out;
    const auto note = [&](const std::string &what, uint64_t now, uint64_t then) {
      if (now > then) out += " " + what + " " + std::to_string(then) + " -> " + std::to_string(now);
    };
    for (uint32_t kind = 1; kind < kind_count; kind++) note("handles of kind " + std::to_string(kind), handles[kind], before.handles[kind]);
    note("descriptors", files, before.files);
    note("threads of the library", own_threads, before.own_threads);
    note("goroutines", goroutines, before.goroutines);
    return out;
  }
};

// Makes what a process makes once and keeps: the poller of Go's network code, the library's own descriptors, first blocks of every pool.
inline void warm_up() {
  ledger book(64);
  const rig r(path::http, free_port());
  r.serve(echo_name, echo);
  const aimrt_rpc_method_t method = r.client(echo_name);
  r.start();
  for (size_t i = 0; i < 64; i++) start(method, book, i, "warm up");
  CHECK(book.wait_all(), "%zu calls ended", book.ended());
}

// The system threads that Go may keep for later. It never gives one back, and has at times as many as there are calls between Go and C.
inline constexpr size_t spare_threads = 200;

// Everything that was open when it was made is all that is open when the work is done.
class nothing_left {
 public:
  explicit nothing_left(std::string what) : what_(std::move(what)), before_(census::take()) {}
  void check() const {
    std::string left;
    const bool settled = becomes_true([&] {
      left = census::take().more_than(before_);
      return left.empty();
    });
    CHECK(settled, "%s leaves:%s", what_.c_str(), left.c_str());
    const size_t threads = census::take().threads;
    CHECK(threads <= before_.threads + spare_threads, "%s leaves %zu threads, there were %zu", what_.c_str(), threads, before_.threads);
  }

 private:
  std::string what_;
  census before_;
};

// Memory over the rounds of one kind of work. The least of the later rounds must not be much more than the least of the earlier ones, so
// what a garbage collector leaves lying about for a while does not matter. The runner turns the per-thread caches of malloc off: their
// content would count as in use.
class trend {
 public:
  static constexpr uint64_t c_limit = 64 << 10, go_limit = 3 << 20, resident_limit = 12 << 20;
  // Each thread that carries calls keeps up to 64 of their blocks, and Go adds threads when it likes to.
  static constexpr uint64_t c_limit_with_go = 4 << 20;

  explicit trend(std::string what, uint64_t c_limit_of_this = c_limit) : what_(std::move(what)), c_limit_(c_limit_of_this) {}
  void sample() {
    const census now = census::take();
    const memory one = {now.c_heap, now.go_heap, now.resident};
    if (count_ == samples_.size()) halve();
    if (rounds_++ % stride_ == 0)
      samples_[count_++] = one;
    else
      samples_[count_ - 1] = least(samples_[count_ - 1], one);
  }
  void check() const {
    if (sanitized) return;
    CHECK(count_ >= 6, "%s has only %zu samples", what_.c_str(), count_);
    // The first third is for warming up.
    const size_t third = count_ / 3;
    memory before = samples_[third], after = samples_[2 * third];
    for (size_t i = third; i < 2 * third; i++) before = least(before, samples_[i]);
    for (size_t i = 2 * third; i < count_; i++) after = least(after, samples_[i]);
    check_one("C heap", before.c_heap, after.c_heap, c_limit_);
    check_one("Go heap", before.go_heap, after.go_heap, go_limit);
    check_one("resident memory", before.resident, after.resident, resident_limit);
  }

 private:
  struct memory {
    uint64_t c_heap, go_heap, resident;
  };

  static memory least(const memory &a, const memory &b) {
    return {std::min(a.c_heap, b.c_heap), std::min(a.go_heap, b.go_heap), std::min(a.resident, b.resident)};
  }
  // Makes room: of each two samples the lesser stays. A list that grows would be a leak of its own.
  void halve() {
    for (size_t i = 0; i < samples_.size() / 2; i++) samples_[i] = least(samples_[2 * i], samples_[2 * i + 1]);
    count_ = samples_.size() / 2;
    stride_ *= 2;
    rounds_ = 0;
  }
  void check_one(const char *kind, uint64_t before, uint64_t after, uint64_t limit) const {
    const auto grown = static_cast<int64_t>(after - before);
    CHECK(grown <= static_cast<int64_t>(limit), "%s: %s grew by %lld bytes to %llu", what_.c_str(), kind, static_cast<long long>(grown),
          static_cast<unsigned long long>(after));
    std::printf("    %s: %s %+lld KiB, %llu KiB in all\n", what_.c_str(), kind, static_cast<long long>(grown) / 1024,
                static_cast<unsigned long long>(after) / 1024);
  }

  std::string what_;
  uint64_t c_limit_;
  std::array<memory, 96> samples_{};
  size_t count_ = 0, stride_ = 1, rounds_ = 0;
};

#endif  // TESTS_STRESS_RIG_HPP_
