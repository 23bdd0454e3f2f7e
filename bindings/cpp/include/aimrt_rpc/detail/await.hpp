// Awaiting a call with co_await, where the compiler has coroutines.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_DETAIL_AWAIT_HPP_
#define AIMRT_RPC_DETAIL_AWAIT_HPP_

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
#define AIMRT_RPC_HAS_COROUTINES 1

#include <aimrt_rpc/detail/start.hpp>

#include <atomic>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace aimrt_rpc::detail {

// Lives in the frame of the awaiting coroutine; nothing is allocated. Answer is status (typed methods) or reply (raw ones).
// The coroutine goes on at once when the call ended inside its start, else on the thread that ended it.
template <class Answer>
class call_awaiter {
 public:
  explicit call_awaiter(const call_plan &plan) noexcept : plan_(plan) {}
  call_awaiter(const call_awaiter &) = delete;
  call_awaiter &operator=(const call_awaiter &) = delete;

  bool await_ready() const noexcept { return false; }

  bool await_suspend(std::coroutine_handle<> waiting) noexcept {
    waiting_ = waiting;
    plan_.options.done = &call_awaiter::done;
    plan_.options.user_data = this;
    // Written by the library maybe after the coroutine has gone on: must not be a part of its frame.
    aimrt_rpc_call_t native = 0;
    aimrt_rpc_error_t why = 0;
    const result_code code =
        aimrt_rpc_call_start(plan_.method, &plan_.options, std::is_same_v<Answer, reply> ? &native : nullptr, &why);
    if (code != AIMRT_RPC_RESULT_OK) {
      answer_ = Answer(status::from_error(error(code, why)));
      return false;
    }
    return !ended_.exchange(true, std::memory_order_acq_rel);
  }

  Answer await_resume() noexcept { return std::move(answer_); }

 private:
  static void done(void *user_data, aimrt_rpc_call_t native, const aimrt_rpc_outcome_t *outcome) noexcept {
    auto *self = static_cast<call_awaiter *>(user_data);
    if constexpr (std::is_same_v<Answer, reply>) {
      static_cast<void>(outcome);
      self->answer_ = reply(call(native));
    } else {
      static_cast<void>(native);
      self->answer_ = status(*outcome);
    }
    if (self->ended_.exchange(true, std::memory_order_acq_rel)) self->waiting_.resume();
  }

  call_plan plan_;
  std::coroutine_handle<> waiting_;
  std::atomic<bool> ended_{false};
  Answer answer_;
};

}  // namespace aimrt_rpc::detail

#endif  // coroutines

#endif  // AIMRT_RPC_DETAIL_AWAIT_HPP_
