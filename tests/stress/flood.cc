// Ten thousand calls in flight over http against services that do not keep up: each ends exactly once, with OK or a code that says why.
//
// Argument: seconds (0 = the short form).
// SPDX-License-Identifier: Apache-2.0
#include "rig.hpp"

namespace {

constexpr size_t kCalls = 10000;
constexpr size_t kPool = 256;          // threads for handlers that block
constexpr size_t kConnections = 1000;  // of a client to one server
constexpr uint64_t kShort_ns = second_ns / 2;
constexpr const char *kSlow = "pb:/stress.Slow/Call";

void send(aimrt_rpc_method_t method, ledger &book, uint64_t timeout_ns = liveness_ns) {
  const std::string request(200, 'q');
  for (size_t i = 0; i < kCalls; i++) start(method, book, i, request, timeout_ns);
}

// A handler that keeps its thread until a gate opens.
class gate {
 public:
  static void serve(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
    static_cast<gate *>(user_data)->pass();
    echo(nullptr, call, request);
  }
  bool wait_inside(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, liveness, [&] { return inside_ >= count; });
  }
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  void pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    inside_++;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t inside_ = 0;
  bool open_ = false;
};

// Handlers keep their threads. The server takes a limited number of calls, runs as many as its pool or its executor has threads, and
// refuses the rest at once; what it took is served when the gate opens.
void blocking_handlers(const char *what, const std::string &config, const char *executor, size_t threads, size_t taken) {
  gate closed;
  ledger book(kCalls);
  const rig r(config);
  r.serve(kSlow, gate::serve, &closed, executor == nullptr ? 0 : r.executor(executor));
  const aimrt_rpc_method_t method = r.client(kSlow);
  r.start();
  send(method, book);
  CHECK(closed.wait_inside(threads), "%s: %zu threads are not in use", what, threads);
  CHECK(book.wait(kCalls - taken), "%s: %zu calls ended while the gate was closed", what, book.ended());
  CHECK(book.of(AIMRT_RPC_CODE_OK) == 0, "%s: %zu calls went through a closed gate", what, book.of(AIMRT_RPC_CODE_OK));
  closed.open();
  CHECK(book.wait_all(), "%s: %zu calls ended", what, book.ended());
  book.check(what, {AIMRT_RPC_CODE_OK, AIMRT_RPC_CODE_RESOURCE_EXHAUSTED});
  CHECK(book.of(AIMRT_RPC_CODE_OK) == taken, "%s: %zu calls were served, not %zu", what, book.of(AIMRT_RPC_CODE_OK), taken);
}

// Calls that are kept without a thread and answered later: as many as there are connections at one time, and all of them in the end.
void late_answers(const std::string &port) {
  held_calls held;
  ledger book(kCalls);
  const rig r(path::http, port);
  r.serve(kSlow, held_calls::hold, &held);
  const aimrt_rpc_method_t method = r.client(kSlow);
  r.start();
  send(method, book);
  CHECK(held.wait(kConnections), "%zu calls arrived", held.arrived());
  CHECK(book.ended() == 0, "%zu calls ended before their answer", book.ended());
  size_t answered = 0, lost = 0;
  while (answered < kCalls && held.wait(answered + 1))
    for (aimrt_rpc_call_t call : held.take()) {
      lost += aimrt_rpc_call_finish(call, nullptr, nullptr, nullptr) == AIMRT_RPC_RESULT_OK ? 0 : 1;
      answered++;
    }
  CHECK(book.wait_all(), "%zu calls ended", book.ended());
  CHECK(lost == 0, "%zu answers were lost", lost);
  book.check("late answers", {AIMRT_RPC_CODE_OK});
}

// Nobody answers: every call times out, those on a connection and those that wait for one.
void no_answers(const std::string &port) {
  held_calls held;
  ledger book(kCalls);
  {
    const rig r(path::http, port);
    r.serve(kSlow, held_calls::hold, &held);
    const aimrt_rpc_method_t method = r.client(kSlow);
    r.start();
    send(method, book, kShort_ns);
    CHECK(book.wait_all(), "%zu calls ended", book.ended());
    book.check("no answers", {AIMRT_RPC_CODE_CLI_UNKNOWN});  // AimRT's code for a timeout over http
    size_t untold = 0, taken = 0;
    for (aimrt_rpc_call_t call : held.take()) {
      untold += becomes_true([&] { return aimrt_rpc_call_cancelled(call) == 1; }) ? 0 : 1;
      taken += aimrt_rpc_call_finish(call, nullptr, nullptr, nullptr) == AIMRT_RPC_RESULT_LOST ? 0 : 1;
    }
    CHECK(untold == 0, "%zu handlers are not told that their client is gone", untold);
    CHECK(taken == 0, "%zu answers that nobody waits for were taken", taken);
    ledger again(1);
    start(method, again, 0, "after the flood");
    CHECK(becomes_true([&] {
            for (aimrt_rpc_call_t call : held.take()) static_cast<void>(aimrt_rpc_call_finish(call, nullptr, nullptr, nullptr));
            return again.ended() == 1;
          }),
          "no call gets through after the flood");
    again.check("after the flood", {AIMRT_RPC_CODE_OK});
  }
}

// Few connections and a short queue in front of them: what finds no room is refused at once, and the rest is served.
void short_queue(const std::string &port) {
  constexpr size_t kQueue = 1000, kFew = 8;
  held_calls held;
  ledger book(kCalls);
  const std::string limits = "max_connections_per_host: " + std::to_string(kFew) + ", max_pending_calls: " + std::to_string(kQueue);
  const rig r(http_config(port, true, true, limits));
  r.serve(kSlow, held_calls::hold, &held);
  const aimrt_rpc_method_t method = r.client(kSlow);
  r.start();
  send(method, book);
  CHECK(held.wait(kFew), "%zu calls arrived", held.arrived());
  CHECK(book.wait(kCalls - kQueue - kFew), "%zu calls were refused", book.ended());
  const bool served = becomes_true([&] {
    for (aimrt_rpc_call_t call : held.take()) static_cast<void>(aimrt_rpc_call_finish(call, nullptr, nullptr, nullptr));
    return book.ended() == kCalls;
  });
  CHECK(served, "%zu calls ended", book.ended());
  book.check("a short queue", {AIMRT_RPC_CODE_OK, AIMRT_RPC_CODE_RESOURCE_EXHAUSTED});
  // While the first calls arrive, some more may find room.
  CHECK(book.of(AIMRT_RPC_CODE_OK) >= kQueue && book.of(AIMRT_RPC_CODE_OK) <= kQueue + 2 * kFew, "%zu calls went well",
        book.of(AIMRT_RPC_CODE_OK));
}

}  // namespace

int main(int argc, char **argv) {
  duration time(argc, argv);
  warm_up();
  const std::string port = free_port();
  const nothing_left all("flood");
  while (time.again()) {
    blocking_handlers("handlers that block", http_config(port, true, true, "max_calls: 500"), nullptr, kPool, 500);
    blocking_handlers("a narrow executor", http_config(port, true, true), "narrow", 1, 1 + narrow_queue);
    late_answers(port);
    no_answers(port);
    short_queue(port);
  }
  all.check();
  return check_end("flood");
}
