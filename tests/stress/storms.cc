// Storms: calls cancelled while they are answered, and runtimes shut down or released while eight threads call, for every path of a call
// and every way its end is delivered. Each call ends exactly once, with a code that says why.
//
// Argument: seconds (0 = the short form).
// SPDX-License-Identifier: Apache-2.0
#include "rig.hpp"

namespace {

enum class way { wait, callback, queue };
constexpr size_t kWays = 3;

// Takes the ends of calls out of a queue into a ledger.
class drainer {
 public:
  explicit drainer(ledger &book) : book_(book) {
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_queue_create(&queue, &error), error, "queue");
    thread_ = std::thread([this] { run(); });
  }
  ~drainer() {
    stop_ = true;
    static_cast<void>(aimrt_rpc_queue_wake(queue, 0, nullptr));
    thread_.join();
    aimrt_rpc_queue_release(queue);
  }
  drainer(const drainer &) = delete;
  drainer &operator=(const drainer &) = delete;

  aimrt_rpc_queue_t queue = 0;

 private:
  void run() {
    std::array<aimrt_rpc_event_t, 64> events{};
    while (!stop_) {
      static_cast<void>(aimrt_rpc_queue_wait(queue, liveness_ns, nullptr));
      size_t got = 0;
      static_cast<void>(aimrt_rpc_queue_drain(queue, events.data(), events.size(), &got, nullptr));
      for (size_t i = 0; i < got; i++) {
        if (events[i].kind != AIMRT_RPC_EVENT_CALL_FINISHED) continue;
        book_.end(events[i].tag, events[i].code);
        aimrt_rpc_call_release(events[i].call);
      }
    }
  }

  ledger &book_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Answers what a service holds, on a thread of its own, until it goes; what comes last is answered too.
class answerer {
 public:
  explicit answerer(held_calls &held) : thread_([this, &held] {
    while (!stop_ || held.arrived() > answered_)
      for (aimrt_rpc_call_t call : held.take()) {
        static_cast<void>(aimrt_rpc_call_finish(call, nullptr, nullptr, nullptr));
        answered_++;
      }
  }) {}
  ~answerer() {
    stop_ = true;
    thread_.join();
  }
  answerer(const answerer &) = delete;
  answerer &operator=(const answerer &) = delete;

 private:
  std::atomic<bool> stop_{false};
  size_t answered_ = 0;
  std::thread thread_;
};

// ---- Cancelling ----------------------------------------------------------------------------------------------------------

constexpr size_t kStarters = 4;
constexpr size_t kCancellers = 2;
constexpr size_t kCallsPerStarter = 1500;
constexpr size_t kCancelCalls = kStarters * kCallsPerStarter;

struct cancel_storm {
  ledger book{kCancelCalls};
  std::vector<std::atomic<aimrt_rpc_call_t>> calls = std::vector<std::atomic<aimrt_rpc_call_t>>(kCancelCalls);
  std::vector<std::atomic<bool>> cancelled = std::vector<std::atomic<bool>>(kCancelCalls);
  std::atomic<bool> over{false};
  std::atomic<size_t> took{0}, late{0}, strange{0};

  void begin(aimrt_rpc_method_t method, aimrt_rpc_queue_t queue, size_t number) {
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    options.request.bytes = bytes("storm");
    const auto how = static_cast<way>(number % kWays);
    auto user = std::make_unique<booked>(booked{&book, number});
    if (how == way::callback) {
      options.done = &booked::done;
      options.user_data = user.release();
    } else if (how == way::queue) {
      options.queue = queue;
      options.tag = number;
    }
    aimrt_rpc_error_t error = 0;
    aimrt_rpc_call_t call = 0;
    must(aimrt_rpc_call_start(method, &options, &call, &error), error, "call");
    calls[number] = call;
    if (how != way::wait) return;
    must(aimrt_rpc_call_wait(call, liveness_ns, &error), error, "wait");
    aimrt_rpc_outcome_t outcome = {};
    outcome.struct_size = sizeof outcome;
    must(aimrt_rpc_call_outcome(call, &outcome, &error), error, "outcome");
    book.end(number, outcome.code);
    aimrt_rpc_call_release(call);
  }

  // Goes over the calls again and again, in steps that meet young and old ones; most handles are stale by then.
  void cancel(size_t from) {
    for (size_t i = from; !over; i = (i + 7) % kCancelCalls) {
      const aimrt_rpc_call_t call = calls[i];
      if (call == 0) continue;
      switch (aimrt_rpc_call_cancel(call, nullptr)) {
        case AIMRT_RPC_RESULT_OK:
          cancelled[i] = true;
          took++;
          break;
        case AIMRT_RPC_RESULT_LOST:
        case AIMRT_RPC_RESULT_INVALID_HANDLE:
          late++;
          break;
        default:
          strange++;
      }
    }
  }
};

// Gives how many cancels came in time.
size_t cancelling(path p, const std::string &port) {
  const std::string what = std::string("cancelling, ") + name_of(p);
  cancel_storm storm;
  {
    held_calls held;
    const answerer answers(held);  // outlives the runtime: requests of cancelled calls may arrive late
    const rig r(p, port);
    r.serve(echo_name, held_calls::hold, &held);
    const aimrt_rpc_method_t method = r.client(echo_name);
    r.start();
    drainer drain(storm.book);
    std::vector<std::thread> starters, cancellers;
    for (size_t n = 0; n < kStarters; n++)
      starters.emplace_back([&, n] {
        for (size_t i = 0; i < kCallsPerStarter; i++) storm.begin(method, drain.queue, i * kStarters + n);
      });
    for (size_t n = 0; n < kCancellers; n++) cancellers.emplace_back([&, n] { storm.cancel(n); });
    for (std::thread &thread : starters) thread.join();
    CHECK(storm.book.wait_all(), "%s: %zu calls ended", what.c_str(), storm.book.ended());
    storm.over = true;
    for (std::thread &thread : cancellers) thread.join();
  }
  storm.book.check(what.c_str(), {AIMRT_RPC_CODE_OK, AIMRT_RPC_CODE_CANCELLED});
  size_t ignored = 0, uncalled = 0;
  for (size_t i = 0; i < kCancelCalls; i++) {
    const bool ended_so = storm.book.code_of(i) == AIMRT_RPC_CODE_CANCELLED;
    ignored += storm.cancelled[i] && !ended_so ? 1 : 0;
    uncalled += !storm.cancelled[i] && ended_so ? 1 : 0;
  }
  CHECK(storm.strange == 0, "%s: %zu strange results", what.c_str(), storm.strange.load());
  // A direct call ends as its handler says.
  CHECK(p == path::direct || ignored == 0, "%s: %zu cancelled calls ended otherwise", what.c_str(), ignored);
  CHECK(uncalled == 0, "%s: %zu calls ended as cancelled and nobody cancelled them", what.c_str(), uncalled);
  return storm.took;
}

// ---- Shutting down -------------------------------------------------------------------------------------------------------

constexpr size_t kCallers = 8;
constexpr size_t kWindow = 8;         // calls that one thread keeps open
constexpr size_t kBefore = 300;       // calls that end before the shutdown
constexpr size_t kMost = 400000;      // calls of one storm; the storm ends there

// Eight threads that call until they are told to stop, or until their runtime is gone.
class callers {
 public:
  callers(aimrt_rpc_method_t method, way how) : method_(method), how_(how), drain_(book_) {
    for (size_t i = 0; i < kCallers; i++) threads_.emplace_back([this] { run(); });
  }
  // Waits until calls end.
  bool going() { return book_.wait(std::min(book_.ended() + kBefore, kMost)); }
  void stop() {
    stop_ = true;
    for (std::thread &thread : threads_) thread.join();
  }
  size_t started() const { return std::min(next_.load(), kMost); }
  size_t refused() const { return refused_; }
  size_t strange() const { return strange_; }
  ledger &book() { return book_; }

 private:
  void run() {
    while (!stop_) {
      const size_t number = next_++;
      if (number >= kMost) return;
      if (how_ != way::wait) static_cast<void>(becomes_open(number));
      if (!one(number)) return;
    }
  }
  // Keeps the number of open calls down.
  bool becomes_open(size_t number) {
    return number < kCallers * kWindow || book_.wait(number - kCallers * kWindow);
  }
  // False when there is no runtime any more; the call counts as ended, for it never began.
  bool one(size_t number) {
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    options.request.bytes = bytes("storm");
    aimrt_rpc_call_t call = 0;
    aimrt_rpc_result_t result = AIMRT_RPC_RESULT_OK;
    if (how_ == way::wait) {
      aimrt_rpc_code_t code = AIMRT_RPC_CODE_UNKNOWN;
      result = aimrt_rpc_call_invoke(method_, &options, &code, &call, nullptr);
      if (result == AIMRT_RPC_RESULT_OK) book_.end(number, code);
      aimrt_rpc_call_release(call);
    } else if (how_ == way::callback) {
      auto user = std::make_unique<booked>(booked{&book_, number});
      options.done = &booked::done;
      options.user_data = user.get();
      result = aimrt_rpc_call_start(method_, &options, nullptr, nullptr);
      if (result == AIMRT_RPC_RESULT_OK) static_cast<void>(user.release());
    } else {
      options.queue = drain_.queue;
      options.tag = number;
      result = aimrt_rpc_call_start(method_, &options, &call, nullptr);
    }
    if (result == AIMRT_RPC_RESULT_OK) return true;
    (result == AIMRT_RPC_RESULT_INVALID_HANDLE ? refused_ : strange_)++;
    book_.end(number, AIMRT_RPC_CODE_CLI_NOT_READY);
    return false;
  }

  aimrt_rpc_method_t method_;
  way how_;
  ledger book_{kMost};
  drainer drain_;
  std::atomic<bool> stop_{false};
  std::atomic<size_t> next_{0}, refused_{0}, strange_{0};
  std::vector<std::thread> threads_;
};

// release: without a word before. Else shut down, wait, and let the callers see a runtime that does not run.
void shutting_down(path p, way how, bool release, const std::string &port) {
  const char *names[kWays] = {"wait", "callback", "queue"};
  const std::string what = std::string(release ? "releasing, " : "shutting down, ") + name_of(p) + ", " + names[static_cast<size_t>(how)];
  held_calls held;
  auto r = std::make_unique<rig>(p, port);
  auto answers = std::make_unique<answerer>(held);
  r->serve(echo_name, held_calls::hold, &held);
  const aimrt_rpc_method_t method = r->client(echo_name);
  r->start();
  callers threads(method, how);
  CHECK(threads.going(), "%s: %zu calls ended", what.c_str(), threads.book().ended());
  if (!release) {
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_runtime_shutdown(r->runtime), 0, "shutdown");
    const aimrt_rpc_result_t result = aimrt_rpc_runtime_wait(r->runtime, liveness_ns, &error);
    CHECK_RESULT(result, error);
    CHECK(threads.going(), "%s: calls do not end after the shutdown", what.c_str());
    CHECK(threads.book().of(AIMRT_RPC_CODE_CLI_NOT_READY) > 0, "%s: no call was refused", what.c_str());
    threads.stop();
  }
  r.reset();
  if (release) threads.stop();
  answers.reset();
  CHECK(threads.book().wait(threads.started()), "%s: %zu of %zu calls ended", what.c_str(), threads.book().ended(), threads.started());
  CHECK(threads.strange() == 0, "%s: %zu strange results", what.c_str(), threads.strange());
  CHECK(threads.refused() <= kCallers, "%s: %zu results without a handle", what.c_str(), threads.refused());
  // Over http the server may be gone before the client, whose connections are refused then.
  if (p == path::http)
    threads.book().check_first(what.c_str(), threads.started(),
                               {AIMRT_RPC_CODE_OK, AIMRT_RPC_CODE_CLI_NOT_READY, AIMRT_RPC_CODE_CANCELLED, AIMRT_RPC_CODE_SVR_NOT_READY,
                                AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR, AIMRT_RPC_CODE_CLI_UNKNOWN});
  else
    threads.book().check_first(what.c_str(), threads.started(), {AIMRT_RPC_CODE_OK, AIMRT_RPC_CODE_CLI_NOT_READY, AIMRT_RPC_CODE_CANCELLED});
}

}  // namespace

int main(int argc, char **argv) {
  duration time(argc, argv);
  warm_up();
  const std::string port = free_port();
  const nothing_left all("storms");
  while (time.again()) {
    size_t took = 0;
    for (path p : paths) {
      took += cancelling(p, port);
      for (way how : {way::wait, way::callback, way::queue})
        for (bool release : {false, true}) shutting_down(p, how, release, port);
    }
    CHECK(took > 0, "no cancel came in time");
  }
  all.check();
  return check_end("storms");
}
