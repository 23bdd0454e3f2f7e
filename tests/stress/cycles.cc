// Runtimes made, used, shut down and released, again and again, in every state they can be released in: nothing stays behind.
//
// Argument: seconds (0 = the short form).
// SPDX-License-Identifier: Apache-2.0
#include "rig.hpp"

namespace {

constexpr int kRounds = 12;      // samples of memory
constexpr int kCyclesPerRound = 4;
constexpr size_t kCalls = 24;    // per cycle

void nothing(void *) {}

// A whole life. The ways to end it take turns.
void live(path p, const std::string &port, int turn) {
  ledger book(kCalls);
  {
    const rig r(p, port);
    r.serve(echo_name, echo);
    const aimrt_rpc_method_t method = r.client(echo_name);
    r.start(turn % 3 == 1 ? AIMRT_RPC_START_SHUTDOWN_IN_WAIT : 0);
    for (size_t i = 0; i < kCalls; i++) start(method, book, i, std::string(i * 40, 'x'));
    CHECK(book.wait_all(), "%zu of %zu calls ended", book.ended(), kCalls);
    aimrt_rpc_timer_t timer = 0;
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_executor_post_after(r.executor("work"), 3600 * second_ns, nothing, nullptr, nullptr, &timer, &error), error, "timer");
    aimrt_rpc_timer_release(timer);  // the task itself waits until the runtime ends
    if (turn % 3 != 0) {
      must(aimrt_rpc_runtime_shutdown(r.runtime), 0, "shutdown");
      must(aimrt_rpc_runtime_wait(r.runtime, liveness_ns, &error), error, "wait");
    }
  }
  CHECK(book.of(AIMRT_RPC_CODE_OK) == kCalls, "%s: %zu of %zu calls went well", name_of(p), book.of(AIMRT_RPC_CODE_OK), kCalls);
}

// Lives that end early: not initialized, not started, refused.
void die_early(const std::string &port) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  must(aimrt_rpc_runtime_create(nullptr, &runtime, &error), error, "create");
  aimrt_rpc_runtime_release(runtime);

  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = text("aimrt: {log: {core_lvl: Off}, rpc: {backends: [{type: nonsense}]}}");
  must(aimrt_rpc_runtime_create(&options, &runtime, &error), error, "create");
  CHECK(aimrt_rpc_runtime_initialize(runtime, &error) == AIMRT_RPC_RESULT_CONFIG, "a backend of no type");
  aimrt_rpc_error_free(error);
  aimrt_rpc_runtime_release(runtime);

  const rig unstarted(http_config(port, true, true));
  unstarted.serve(echo_name, echo);
  static_cast<void>(unstarted.client(echo_name));

  const rig first(http_config(port, true, true)), second(http_config(port, true, true));
  first.start();
  error = 0;
  CHECK(aimrt_rpc_runtime_start_async(second.runtime, 0, &error) == AIMRT_RPC_RESULT_IO, "a port that is taken");
  aimrt_rpc_error_free(error);
}

template <class F>
void repeat(const std::string &what, uint64_t c_limit, F &&f, duration &time) {
  f(0);  // what is made once stays
  const nothing_left check(what);
  trend memory(what, c_limit);
  int turn = 0;
  do {
    for (int round = 0; round < kRounds; round++) {
      for (int i = 0; i < kCyclesPerRound; i++) f(turn++);
      memory.sample();
    }
  } while (time.soaking() && time.again());
  check.check();
  memory.check();
}

}  // namespace

int main(int argc, char **argv) {
  const std::string port = free_port();
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 0;
  std::string share = std::to_string(seconds / 4);
  std::array<char *, 2> own = {argv[0], share.data()};
  for (path p : paths) {
    duration time(2, own.data());
    const uint64_t c_limit = p == path::http ? trend::c_limit_with_go : trend::c_limit;
    repeat(std::string("runtimes, ") + name_of(p), c_limit, [&](int turn) { live(p, port, turn); }, time);
  }
  duration time(2, own.data());
  repeat("runtimes that end early", trend::c_limit_with_go, [&](int) { die_early(port); }, time);
  return check_end("cycles");
}
