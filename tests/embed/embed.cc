// A C++ program that links the library, makes a runtime and embeds CPython, whose aimrt_rpc joins that runtime: one library, one set of
// handles, calls in all directions, threads that come and go, and an interpreter that ends before the runtime does.
//
// Argument: "bridge", where the interpreter ends while C++ calls it; "again", where a second one begins then; "ctypes" (with
// AIMRT_RPC_NO_BRIDGE=1), where the runtime is released first. The last line is "embed: N passed, N failed".
// "probe" only tells whether this CPython's own ctypes survives a second interpreter in one process (3.12's does not): exit code 0.
//
// SPDX-License-Identifier: Apache-2.0
#include <Python.h>

#include <aimrt_rpc.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "../stress/check.hpp"

namespace {

constexpr int kThreads = 8;
constexpr int kThreadRounds = 40;
constexpr unsigned kLimitSeconds = 120;  // only a hang takes so long

constexpr const char *kConfig =
    "aimrt:\n"
    "  log: {core_lvl: Off}\n"
    "  rpc:\n"
    "    backends: [{type: local}]\n"
    "    clients_options: [{func_name: '(.*)', enable_backends: [local]}]\n"
    "    servers_options: [{func_name: '(.*)', enable_backends: [local]}]\n";

// Serves embed.Cpp/Upper.
void upper(void *, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  const aimrt_rpc_bytes_t in = request->payload.bytes;
  if (in.size == 0) {
    aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
    status.code = 4711;
    status.message = text("nothing to do");
    static_cast<void>(aimrt_rpc_call_finish(call, &status, nullptr, nullptr));
    return;
  }
  std::string out;
  for (size_t i = 0; i < in.size; i++) out.push_back(static_cast<char>(std::toupper(in.data[i])));
  const aimrt_rpc_payload_t response = {bytes(out), {nullptr, 0}, nullptr};
  static_cast<void>(aimrt_rpc_call_finish(call, nullptr, &response, nullptr));
}

struct answer {
  aimrt_rpc_code_t code = AIMRT_RPC_CODE_UNKNOWN;
  std::string body, message;
};

answer ask(aimrt_rpc_method_t method, const std::string &request) {
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.request.bytes = bytes(request);
  answer got;
  aimrt_rpc_call_t call = 0;
  aimrt_rpc_error_t error = 0;
  const aimrt_rpc_result_t result = aimrt_rpc_call_invoke(method, &options, &got.code, &call, &error);
  if (result != AIMRT_RPC_RESULT_OK) CHECK_RESULT(result, error);
  aimrt_rpc_outcome_t outcome = {};
  outcome.struct_size = sizeof outcome;
  if (aimrt_rpc_call_outcome(call, &outcome, nullptr) == AIMRT_RPC_RESULT_OK) {
    got.body.assign(reinterpret_cast<const char *>(outcome.response.bytes.data), outcome.response.bytes.size);
    got.message.assign(outcome.message.data, outcome.message.size);
  }
  aimrt_rpc_call_release(call);
  return got;
}

// The C++ side of the runtime.
struct side {
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_method_t upper = 0, reverse = 0, twice = 0;

  side() {
    aimrt_rpc_error_t error = 0;
    aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
    options.config_text = text(kConfig);
    CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), error);
    CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), error);
    aimrt_rpc_module_options_t me = AIMRT_RPC_MODULE_OPTIONS_INIT;
    me.name = text("cpp");
    aimrt_rpc_module_t module = 0;
    CHECK_RESULT(aimrt_rpc_module_create(runtime, &me, &module, &error), error);
    const aimrt_rpc_handle_t rpc = aimrt_rpc_module_rpc_handle(module);
    aimrt_rpc_service_options_t service = AIMRT_RPC_SERVICE_OPTIONS_INIT;
    service.name = text("pb:/embed.Cpp/Upper");
    service.handler = ::upper;
    CHECK_RESULT(aimrt_rpc_handle_register_service(rpc, &service, nullptr, &error), error);
    upper = client(rpc, "pb:/embed.Cpp/Upper");
    reverse = client(rpc, "pb:/embed.Py/Reverse");
    twice = client(rpc, "pb:/embed.Py/Twice");
  }

  static aimrt_rpc_method_t client(aimrt_rpc_handle_t rpc, const char *name) {
    aimrt_rpc_client_options_t options = AIMRT_RPC_CLIENT_OPTIONS_INIT;
    options.name = text(name);
    aimrt_rpc_method_t method = 0;
    aimrt_rpc_error_t error = 0;
    CHECK_RESULT(aimrt_rpc_handle_register_client(rpc, &options, &method, &error), error);
    return method;
  }

  // Calls Python from threads that come and go.
  void from_threads() const {
    std::atomic<int> good{0};
    for (int round = 0; round < kThreadRounds; round++) {
      std::vector<std::thread> threads;
      for (int i = 0; i < kThreads; i++)
        threads.emplace_back([&] {
          for (int n = 0; n < 5; n++) good += ask(reverse, "abc").body == "cba" ? 1 : 0;
        });
      for (std::thread &thread : threads) thread.join();
    }
    CHECK(good == kThreads * kThreadRounds * 5, "%d good answers", good.load());
  }
};

// Calls a function of joins.py; one that raises has failed.
void python(const char *function, aimrt_rpc_runtime_t runtime) {
  PyObject *module = PyImport_ImportModule("joins");
  PyObject *result = module == nullptr ? nullptr : PyObject_CallMethod(module, function, "K", static_cast<unsigned long long>(runtime));
  CHECK(result != nullptr, "%s raised", function);
  if (result == nullptr) PyErr_Print();
  Py_XDECREF(result);
  Py_XDECREF(module);
}

// Lets go of the interpreter lock.
class unlocked {
 public:
  unlocked() : state_(PyEval_SaveThread()) {}
  ~unlocked() { PyEval_RestoreThread(state_); }
  unlocked(const unlocked &) = delete;
  unlocked &operator=(const unlocked &) = delete;

 private:
  PyThreadState *state_;
};

uint64_t live() { return aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY); }

void both_directions(const side &cpp) {
  python("one_library", cpp.runtime);
  const uint64_t before = live();
  python("hold_context", cpp.runtime);
  CHECK(live() == before + 1, "%" PRIu64 " handles instead of %" PRIu64, live(), before + 1);
  python("drop_context", cpp.runtime);
  CHECK(live() == before, "%" PRIu64 " handles instead of %" PRIu64, live(), before);
  python("wrong_handles", cpp.runtime);
  python("join", cpp.runtime);
  aimrt_rpc_error_t error = 0;
  CHECK_RESULT(aimrt_rpc_runtime_start_async(cpp.runtime, 0, &error), error);
  python("call", cpp.runtime);
  {
    const unlocked other_threads;
    CHECK(ask(cpp.reverse, "hello").body == "olleh", "C++ to Python");
    CHECK(ask(cpp.twice, "ab").body == "ABAB", "C++ to Python to C++");
    cpp.from_threads();
  }
  // With the lock held, as C++ code does that Python called.
  CHECK(ask(cpp.twice, "ab").body == "ABAB", "C++ to Python to C++ with the interpreter lock held");
  python("few_threads", cpp.runtime);
  python("leave", cpp.runtime);
  python("own_runtime", cpp.runtime);
  CHECK(ask(cpp.reverse, "still").body == "llits", "after Python left");
}

// The interpreter ends while C++ calls it: each call ends, with an answer or with 1009.
void end_while_called(const side &cpp) {
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, refused{0}, strange{0};
  std::vector<std::thread> threads;
  {
    const unlocked other_threads;
    for (int i = 0; i < kThreads; i++)
      threads.emplace_back([&] {
        while (!stop) {
          const answer got = ask(cpp.twice, "abc");  // gives the interpreter lock up in the middle, and wants it back
          if (got.code == AIMRT_RPC_CODE_OK && got.body == "ABCABC")
            answered++;
          else if (got.code == AIMRT_RPC_CODE_SVR_NOT_READY && !got.message.empty())
            refused++;
          else
            strange++;
        }
      });
    while (answered < kThreads * 10 && strange == 0) std::this_thread::yield();
  }
  CHECK(Py_FinalizeEx() == 0, "the interpreter did not end well");
  const int from = refused;
  while (refused < from + kThreads * 10 && strange == 0) std::this_thread::yield();
  stop = true;
  for (std::thread &thread : threads) thread.join();
  CHECK(answered > 0 && refused > 0 && strange == 0, "%d answered, %d refused, %d strange", answered.load(), refused.load(), strange.load());
  CHECK(ask(cpp.upper, "up").body == "UP", "C++ to C++ without an interpreter");
}

void begin() {
  Py_InitializeEx(0);
  CHECK(Py_IsInitialized() != 0, "no interpreter");
}

int probe() {
  for (int i = 0; i < 2; i++) {
    Py_InitializeEx(0);
    if (PyRun_SimpleString("import asyncio, ctypes, json, threading") != 0 || Py_FinalizeEx() != 0) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  alarm(kLimitSeconds);
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "probe") return probe();
  if (mode != "bridge" && mode != "again" && mode != "ctypes") {
    std::fprintf(stderr, "usage: embed bridge|again|ctypes|probe\n");
    return 2;
  }
  {
    const side cpp;
    begin();
    both_directions(cpp);
    if (mode == "ctypes") {
      const unlocked other_threads;  // handlers may still run
      aimrt_rpc_runtime_release(cpp.runtime);
    } else {
      end_while_called(cpp);
    }
    if (mode == "again") {
      begin();
      python("own_runtime", cpp.runtime);
    }
    if (mode != "bridge") CHECK(Py_FinalizeEx() == 0, "the interpreter did not end well");
    aimrt_rpc_runtime_release(cpp.runtime);  // where it was released above, this does nothing
  }
  CHECK(live() == 0, "%" PRIu64 " handles are left", live());
  return check_end("embed");
}
