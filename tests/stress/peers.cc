// Peers that die with SIGKILL in the middle of calls over http: a server that comes back on its port, and a client that does not.
//
// Arguments: seconds (0 = the short form). With "serve PORT" and "call PORT" it is such a peer itself.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "rig.hpp"

extern char **environ;

namespace {

constexpr int kKills = 5;
constexpr size_t kCallers = 4;
constexpr size_t kWindow = 16;         // calls each caller keeps open
constexpr size_t kGood = 300;          // calls that must go well between two kills
constexpr size_t kMost = 2000000;      // calls of one run
constexpr size_t kHeld = 200;          // calls of the client that dies
constexpr uint64_t kCall_ns = 10 * second_ns;
constexpr const char *kHold = "pb:/stress.Hold/Call";

// A process of this program that says when it is ready. It ends with SIGKILL.
class peer {
 public:
  peer(const char *self, const char *role, const std::string &port) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) std::exit(2);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::array<std::string, 3> words = {self, role, port};
    std::array<char *, 4> arguments = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    const int failed = posix_spawn(&pid_, self, &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    pollfd ready = {ends[0], POLLIN, 0};
    char letter = 0;
    const bool said = failed == 0 && poll(&ready, 1, static_cast<int>(liveness_ns / 1000000)) == 1 && read(ends[0], &letter, 1) == 1;
    close(ends[0]);
    CHECK(said, "the peer (%s) does not begin: %s", role, std::strerror(failed));
  }
  ~peer() {
    kill(pid_, SIGKILL);
    int status = 0;
    CHECK(waitpid(pid_, &status, 0) == pid_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the peer ended by itself, status %#x", status);
  }
  peer(const peer &) = delete;
  peer &operator=(const peer &) = delete;

 private:
  pid_t pid_ = 0;
};

void say_ready() {
  std::printf("r");
  std::fflush(stdout);
}

// Lives until it is killed.
[[noreturn]] void serve(const std::string &port) {
  held_calls held;
  const rig r(http_config(port, true, false));
  r.serve(echo_name, echo);
  r.serve(kHold, held_calls::hold, &held);
  r.start();
  say_ready();
  for (;;) pause();
}

[[noreturn]] void call(const std::string &port) {
  ledger book(kHeld);
  const rig r(http_config(port, false, true));
  const aimrt_rpc_method_t method = r.client(kHold);
  r.start();
  for (size_t i = 0; i < kHeld; i++) start(method, book, i, "held", liveness_ns);
  say_ready();
  for (;;) pause();
}

// Threads that go on calling whatever happens to the server.
class callers {
 public:
  explicit callers(aimrt_rpc_method_t method) {
    for (size_t i = 0; i < kCallers; i++)
      threads_.emplace_back([this, method] {
        while (!stop_) {
          const size_t number = next_++;
          if (number >= kMost || (number >= kCallers * kWindow && !book_.wait(number - kCallers * kWindow))) return;
          start(method, book_, number, "are you there?", kCall_ns);
        }
      });
  }
  bool reach(aimrt_rpc_code_t code, size_t more) {
    const size_t before = book_.of(code);
    return becomes_true([&] { return book_.of(code) >= before + more; });
  }
  void finish() {
    stop_ = true;
    for (std::thread &thread : threads_) thread.join();
    const size_t started = std::min(next_.load(), kMost);
    CHECK(book_.wait(started), "%zu of %zu calls ended", book_.ended(), started);
    book_.check_first("a server that is killed", started, {AIMRT_RPC_CODE_OK, AIMRT_RPC_CODE_CLI_UNKNOWN, AIMRT_RPC_CODE_SVR_NOT_READY});
  }

 private:
  ledger book_{kMost};
  std::atomic<bool> stop_{false};
  std::atomic<size_t> next_{0};
  std::vector<std::thread> threads_;
};

// The client's calls end at once when the server dies, with a code and a text, and go well again when it is back.
void server_killed(const char *self, const std::string &port) {
  const rig r(http_config(port, false, true));
  const aimrt_rpc_method_t method = r.client(echo_name), hold = r.client(kHold);
  r.start();
  auto server = std::make_unique<peer>(self, "serve", port);
  callers threads(method);
  for (int i = 0; i < kKills; i++) {
    CHECK(threads.reach(AIMRT_RPC_CODE_OK, kGood), "kill %d: calls do not go well", i);
    ledger waiting(kWindow);
    for (size_t n = 0; n < kWindow; n++) start(hold, waiting, n, "wait", liveness_ns);
    CHECK(threads.reach(AIMRT_RPC_CODE_OK, kGood), "kill %d: calls do not go well beside those that wait", i);
    const auto begin = std::chrono::steady_clock::now();
    server.reset();
    CHECK(waiting.wait_all(), "kill %d: %zu of %zu calls that the server held ended", i, waiting.ended(), kWindow);
    CHECK(std::chrono::steady_clock::now() - begin < liveness / 4, "kill %d: held calls ended late", i);
    waiting.check("calls held by a server that is killed", {AIMRT_RPC_CODE_CLI_UNKNOWN});
    CHECK(threads.reach(AIMRT_RPC_CODE_CLI_UNKNOWN, kWindow), "kill %d: calls to nobody do not fail", i);
    server = std::make_unique<peer>(self, "serve", port);
  }
  CHECK(threads.reach(AIMRT_RPC_CODE_OK, kGood), "calls do not go well at the end");
  threads.finish();
}

// The server is told that nobody waits any more, its answers are lost, and others are served.
void client_killed(const char *self, const std::string &port) {
  held_calls held;
  const rig r(http_config(port, true, true));
  r.serve(echo_name, echo);
  r.serve(kHold, held_calls::hold, &held);
  const aimrt_rpc_method_t method = r.client(echo_name);
  r.start();
  {
    const peer client(self, "call", port);
    CHECK(held.wait(kHeld), "%zu of %zu calls arrived", held.arrived(), kHeld);
  }
  size_t told = 0, lost = 0;
  for (aimrt_rpc_call_t one : held.take()) {
    told += becomes_true([&] { return aimrt_rpc_call_cancelled(one) == 1; }) ? 1 : 0;
    lost += aimrt_rpc_call_finish(one, nullptr, nullptr, nullptr) == AIMRT_RPC_RESULT_LOST ? 1 : 0;
  }
  CHECK(told == kHeld && lost == kHeld, "of %zu handlers %zu were told and %zu answers were lost", kHeld, told, lost);
  CHECK(becomes_true([] { return aimrt_rpc_live_count(AIMRT_RPC_KIND_SERVER_CALL) == 0; }), "calls of the dead client are left");
  CHECK(invoke(method, "next") == AIMRT_RPC_CODE_OK, "the next client is not served");
}

}  // namespace

int main(int argc, char **argv) {
  if (argc == 3 && std::string(argv[1]) == "serve") serve(argv[2]);
  if (argc == 3 && std::string(argv[1]) == "call") call(argv[2]);
  duration time(argc, argv);
  warm_up();
  const std::string port = free_port();
  const nothing_left all("peers");
  while (time.again()) {
    server_killed(argv[0], port);
    client_killed(argv[0], port);
  }
  all.check();
  return check_end("peers");
}
