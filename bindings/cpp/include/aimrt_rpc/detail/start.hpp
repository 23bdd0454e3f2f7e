// The one implementation below every way to call a method: fill the options, start, deliver exactly once.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_DETAIL_START_HPP_
#define AIMRT_RPC_DETAIL_START_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/call.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/detail/pool.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/view.hpp>

#include <future>
#include <type_traits>
#include <utility>

namespace aimrt_rpc::detail {

// The method and the options of a call that is about to start.
struct call_plan {
  aimrt_rpc_method_t method;
  aimrt_rpc_call_options_t options;
};

inline call_plan plan_of(aimrt_rpc_method_t method, aimrt_rpc_context_t with) noexcept {
  call_plan plan = {method, AIMRT_RPC_CALL_OPTIONS_INIT};
  plan.options.context = with;
  return plan;
}

// Calls f with what it wants to know of an outcome: (status), or (status, payload_view).
template <class F>
void deliver(F &f, const aimrt_rpc_outcome_t &outcome) {
  if constexpr (std::is_invocable_v<F &, status, payload_view>) {
    f(status(outcome), payload_view{bytes_view(outcome.response.bytes), from_c(outcome.response.serialization)});
  } else {
    f(status(outcome));
  }
}
template <class F>
void deliver(F &f, const error &why) {
  if constexpr (std::is_invocable_v<F &, status, payload_view>) {
    f(status::from_error(why), payload_view{});
  } else {
    f(status::from_error(why));
  }
}

// What a call with a callback remembers.
template <class F>
struct completion {
  template <class G>
  explicit completion(G &&g) noexcept(std::is_nothrow_constructible_v<F, G>) : f(std::forward<G>(g)) {}

  static void done(void *user_data, aimrt_rpc_call_t, const aimrt_rpc_outcome_t *outcome) noexcept {
    auto *self = static_cast<completion *>(user_data);
    contain_and_report("completion callback", [&] { deliver(self->f, *outcome); });
    pool_destroy(self);
  }

  F f;
};

// Starts with a callback. On failure the callback has not come and will not.
template <class F>
result_code start_with(call_plan plan, F &&f, aimrt_rpc_call_t *call_out, aimrt_rpc_error_t *why) noexcept {
  using node = completion<std::decay_t<F>>;
  node *remembered = pool_make<node>(std::forward<F>(f));
  if (remembered == nullptr) return AIMRT_RPC_RESULT_OUT_OF_MEMORY;
  plan.options.done = &node::done;
  plan.options.user_data = remembered;
  const result_code code = aimrt_rpc_call_start(plan.method, &plan.options, call_out, why);
  if (code != AIMRT_RPC_RESULT_OK) pool_destroy(remembered);
  return code;
}

// Starts with a callback that comes exactly once whatever happens.
template <class F>
void invoke_with(call_plan plan, F &&f) noexcept {
  using node = completion<std::decay_t<F>>;
  node *remembered = pool_make<node>(std::forward<F>(f));
  if (remembered == nullptr) {
    contain_and_report("completion callback", [&] {
      std::decay_t<F> last(std::forward<F>(f));
      deliver(last, error(AIMRT_RPC_RESULT_OUT_OF_MEMORY));
    });
    return;
  }
  plan.options.done = &node::done;
  plan.options.user_data = remembered;
  aimrt_rpc_error_t why = 0;
  const result_code code = aimrt_rpc_call_start(plan.method, &plan.options, nullptr, &why);
  if (code == AIMRT_RPC_RESULT_OK) return;
  const error reason(code, why);
  contain_and_report("completion callback", [&] { deliver(remembered->f, reason); });
  pool_destroy(remembered);
}

// Starts without callback: the caller waits.
inline result<call> start_waiting(const call_plan &plan) noexcept {
  aimrt_rpc_call_t native = 0;
  auto done = run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_call_start(plan.method, &plan.options, &native, why); });
  if (!done) return std::move(done).error();
  return call(native);
}

template <class F>
result<call> start_calling(const call_plan &plan, F &&f) noexcept {
  aimrt_rpc_call_t native = 0;
  auto done = run([&](aimrt_rpc_error_t *why) { return start_with(plan, std::forward<F>(f), &native, why); });
  if (!done) return std::move(done).error();
  return call(native);
}

// Starts for a queue, which owns the call: its event releases it.
inline result<aimrt_rpc_call_t> start_queued(call_plan plan, aimrt_rpc_queue_t queue, std::uint64_t tag) noexcept {
  aimrt_rpc_call_t native = 0;
  plan.options.queue = queue;
  plan.options.tag = tag;
  auto done = run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_call_start(plan.method, &plan.options, &native, why); });
  if (!done) return std::move(done).error();
  return native;
}

// Starts and waits; the call is the way to texts and bytes.
inline result<call> invoke_and_wait(const call_plan &plan, aimrt_rpc_code_t &code) noexcept {
  aimrt_rpc_call_t native = 0;
  aimrt_rpc_error_t why = 0;
  const result_code done = aimrt_rpc_call_invoke(plan.method, &plan.options, &code, &native, &why);
  if (done != AIMRT_RPC_RESULT_OK) return error(done, why);
  return call(native);
}

inline status invoke_typed(const call_plan &plan) {
  aimrt_rpc_code_t code = AIMRT_RPC_CODE_OK;
  auto done = invoke_and_wait(plan, code);
  if (!done) return status::from_error(done.error());
  if (code == AIMRT_RPC_CODE_OK) return status();
  auto how = done->ended();
  return how ? std::move(*how) : status(static_cast<aimrt_rpc::code>(code));
}

inline reply invoke_raw(const call_plan &plan) {
  aimrt_rpc_code_t code = AIMRT_RPC_CODE_OK;
  auto done = invoke_and_wait(plan, code);
  if (!done) return reply(status::from_error(done.error()));
  return reply(std::move(*done));
}

inline std::future<status> future_typed(const call_plan &plan) {
  std::promise<status> promise;
  std::future<status> future = promise.get_future();
  invoke_with(plan, [promise = std::move(promise)](status how) mutable { promise.set_value(std::move(how)); });
  return future;
}

// Remembers the promise of a raw call. The call itself carries the bytes, so it goes into the reply.
struct reply_promise {
  static void done(void *user_data, aimrt_rpc_call_t native, const aimrt_rpc_outcome_t *) noexcept {
    auto *self = static_cast<reply_promise *>(user_data);
    contain_and_report("future of a call", [&] { self->promise.set_value(reply(call(native))); });
    pool_destroy(self);
  }

  std::promise<reply> promise;
};

inline std::future<reply> future_raw(call_plan plan) {
  auto *remembered = pool_make<reply_promise>();
  if (remembered == nullptr) return {};
  std::future<reply> future = remembered->promise.get_future();
  plan.options.done = &reply_promise::done;
  plan.options.user_data = remembered;
  aimrt_rpc_call_t native = 0;  // comes to done as well, which owns it
  aimrt_rpc_error_t why = 0;
  const result_code code = aimrt_rpc_call_start(plan.method, &plan.options, &native, &why);
  if (code != AIMRT_RPC_RESULT_OK) {
    remembered->promise.set_value(reply(status::from_error(error(code, why))));
    pool_destroy(remembered);
  }
  return future;
}

}  // namespace aimrt_rpc::detail

#endif  // AIMRT_RPC_DETAIL_START_HPP_
