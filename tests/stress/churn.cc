// Contexts, calls, queues, errors, tasks and threads by the thousand in one runtime that stays: nothing grows.
//
// Argument: seconds (0 = the short form).
// SPDX-License-Identifier: Apache-2.0
#include "rig.hpp"

namespace {

constexpr int kRounds = 12;  // samples of memory
constexpr int kContexts = 1000;
constexpr int kCalls = 600;
constexpr int kQueues = 100;
constexpr int kErrors = 1000;
constexpr int kTasks = 1000;
constexpr int kThreads = 60;
constexpr int kThreadsAtOnce = 12;

// Everything a context can hold, and copies that outlive it.
void contexts() {
  for (int i = 0; i < kContexts; i++) {
    aimrt_rpc_error_t error = 0;
    aimrt_rpc_context_t context = 0, copy = 0;
    must(aimrt_rpc_context_create(&context, &error), error, "context");
    for (int n = 0; n < 12; n++) {
      const std::string key = "key-" + std::to_string(n);
      must(aimrt_rpc_context_set(context, text(key), text(std::string(static_cast<size_t>(n) * 30, 'v')), &error), error, "set");
      must(aimrt_rpc_context_add(context, text(key), text("another"), &error), error, "add");
    }
    must(aimrt_rpc_context_copy(context, &copy, &error), error, "copy");
    aimrt_rpc_context_release(context);
    aimrt_rpc_buffer_t view = {nullptr, 0, 0};
    must(aimrt_rpc_context_to_string(copy, &view, &error), error, "text");
    aimrt_rpc_buffer_release(&view);
    if (i % 2 == 0) must(aimrt_rpc_context_reset(copy, &error), error, "reset");
    aimrt_rpc_context_release(copy);
  }
}

// Calls whose handles are released before, at and after their end.
void calls(aimrt_rpc_method_t method) {
  const std::string request(300, 'r');
  ledger book(kCalls);
  for (size_t i = 0; i < kCalls; i++) {
    if (i % 3 == 0) {
      start(method, book, i, request);
      continue;
    }
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    options.request.bytes = bytes(request);
    aimrt_rpc_call_t call = 0;
    aimrt_rpc_error_t error = 0;
    must(aimrt_rpc_call_start(method, &options, &call, &error), error, "call");
    if (i % 3 == 1) {  // nobody looks at it any more
      aimrt_rpc_call_release(call);
      book.end(i, AIMRT_RPC_CODE_OK);
      continue;
    }
    must(aimrt_rpc_call_wait(call, liveness_ns, &error), error, "wait");
    aimrt_rpc_outcome_t outcome = {};
    outcome.struct_size = sizeof outcome;
    must(aimrt_rpc_call_outcome(call, &outcome, &error), error, "outcome");
    book.end(i, outcome.response.bytes.size == request.size() ? outcome.code : AIMRT_RPC_CODE_UNKNOWN);
    aimrt_rpc_call_release(call);
  }
  CHECK(book.wait_all() && book.of(AIMRT_RPC_CODE_OK) == kCalls, "%zu of %d calls went well", book.of(AIMRT_RPC_CODE_OK), kCalls);
}

// Queues that are released with events in them, and with calls that end for them later.
void queues(aimrt_rpc_method_t method) {
  for (int i = 0; i < kQueues; i++) {
    aimrt_rpc_error_t error = 0;
    aimrt_rpc_queue_t queue = 0;
    must(aimrt_rpc_queue_create(&queue, &error), error, "queue");
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    options.queue = queue;
    std::array<aimrt_rpc_call_t, 4> made{};
    for (aimrt_rpc_call_t &call : made) must(aimrt_rpc_call_start(method, &options, &call, &error), error, "call");
    must(aimrt_rpc_queue_wake(queue, 7, &error), error, "wake");
    if (i % 2 == 0) {
      for (size_t events_left = made.size() + 1; events_left > 0;) {
        must(aimrt_rpc_queue_wait(queue, liveness_ns, &error), error, "wait");
        std::array<aimrt_rpc_event_t, 3> events{};
        size_t got = 0;
        must(aimrt_rpc_queue_drain(queue, events.data(), events.size(), &got, &error), error, "drain");
        for (size_t n = 0; n < got; n++) aimrt_rpc_call_release(events[n].call);
        events_left -= got;
      }
    }
    aimrt_rpc_queue_release(queue);
  }
}

void errors() {
  int silent = 0;
  for (int i = 0; i < kErrors; i++) {
    aimrt_rpc_error_t error = 0;
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    const aimrt_rpc_result_t result = i % 2 == 0 ? aimrt_rpc_runtime_initialize(0, &error) : aimrt_rpc_call_start(0, &options, nullptr, &error);
    silent += result != AIMRT_RPC_RESULT_OK && aimrt_rpc_error_message(error).size > 0 ? 0 : 1;
    aimrt_rpc_error_free(error);
  }
  CHECK(silent == 0, "%d failures have no text", silent);
}

void count(void *user_data) { (*static_cast<std::atomic<int> *>(user_data))++; }

// Tasks now and later, some of them cancelled: every one is run or given back.
void tasks(aimrt_rpc_executor_t executor) {
  std::atomic<int> over{0};
  for (int i = 0; i < kTasks; i++) {
    aimrt_rpc_error_t error = 0;
    if (i % 4 == 0) {
      must(aimrt_rpc_executor_post(executor, [](void *) {}, &over, count, &error), error, "post");
      continue;
    }
    aimrt_rpc_timer_t timer = 0;
    const uint64_t delay_ns = i % 4 == 1 ? 3600 * second_ns : 1000;
    must(aimrt_rpc_executor_post_after(executor, delay_ns, [](void *) {}, &over, count, &timer, &error), error, "post_after");
    if (i % 4 < 3) static_cast<void>(aimrt_rpc_timer_cancel(timer, nullptr));  // the short ones may have run
    aimrt_rpc_timer_release(timer);
  }
  CHECK(becomes_true([&] { return over == kTasks; }), "%d of %d tasks came to an end", over.load(), kTasks);
}

// Threads that use everything once and go.
void threads(const rig &r, aimrt_rpc_method_t method) {
  std::atomic<int> good{0};
  for (int i = 0; i < kThreads; i += kThreadsAtOnce) {
    std::vector<std::thread> wave;
    for (int n = 0; n < kThreadsAtOnce; n++)
      wave.emplace_back([&] {
        const aimrt_rpc_code_t code = invoke(method, "from a thread");
        aimrt_rpc_buffer_t json = {nullptr, 0, 0};  // and one visit to Go
        if (aimrt_rpc_runtime_statistics(r.runtime, &json, nullptr) == AIMRT_RPC_RESULT_OK) aimrt_rpc_buffer_release(&json);
        std::atomic<bool> ran{false};
        aimrt_rpc_error_t error = 0;
        must(aimrt_rpc_executor_post(
                 r.executor("work"), [](void *flag) { *static_cast<std::atomic<bool> *>(flag) = true; }, &ran, nullptr, &error),
             error, "post");
        good += becomes_true([&] { return ran.load(); }) && code == AIMRT_RPC_CODE_OK ? 1 : 0;
      });
    for (std::thread &thread : wave) thread.join();
  }
  CHECK(good == kThreads, "of %d young threads %d could work", kThreads, good.load());
}

}  // namespace

int main(int argc, char **argv) {
  duration time(argc, argv);
  warm_up();
  const nothing_left all("churn");
  const std::string port = free_port();
  {
    const rig local(path::direct, port), serialized(path::serialized, port), http(path::http, port);
    std::vector<aimrt_rpc_method_t> methods;
    for (const rig *r : {&local, &serialized, &http}) {
      r->serve(echo_name, echo);
      methods.push_back(r->client(echo_name));
      r->start();
    }
    // The connections of the http backend stay open, and with them descriptors and goroutines: they are counted at the end.
    trend memory("churn", trend::c_limit_with_go);
    do {
      for (int round = 0; round < kRounds; round++) {
        contexts();
        errors();
        tasks(local.executor("work"));
        for (aimrt_rpc_method_t method : methods) {
          calls(method);
          queues(method);
          threads(local, method);
        }
        memory.sample();
      }
    } while (time.soaking() && time.again());
    memory.check();
  }
  all.check();
  return check_end("churn");
}
