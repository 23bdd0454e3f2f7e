// executor: where tasks and handlers run. timer: a task posted for later.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_EXECUTOR_HPP_
#define AIMRT_RPC_EXECUTOR_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/detail/await.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/detail/pool.hpp>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/view.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace aimrt_rpc {

namespace detail {

struct timer_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_timer_release(native); }
};

template <class F>
struct posted {
  template <class G>
  explicit posted(G &&g) noexcept(std::is_nothrow_constructible_v<F, G>) : f(std::forward<G>(g)) {}
  static void run(void *user_data) noexcept {
    contain_and_report("task of an executor", [&] { static_cast<posted *>(user_data)->f(); });
  }
  F f;
};

}  // namespace detail

// Dropping it does not cancel the task.
class timer {
 public:
  timer() noexcept = default;
  // Takes the ownership of a timer handle.
  explicit timer(aimrt_rpc_timer_t native) noexcept : handle_(native) {}

  // LOST when the task has run or is running.
  result<void> cancel() const noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_timer_cancel(handle_.native(), why); });
  }
  aimrt_rpc_timer_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

 private:
  unique_handle<detail::timer_traits> handle_;
};

struct executor_info {
  std::string_view name;  // valid until the runtime is released
  std::string_view type;
  bool thread_safe = false;  // its tasks never run at the same time
  bool has_timers = false;   // post_after and post_at work
  bool in_current = false;   // the calling thread is running a task of this executor
  std::uint64_t queued = 0;  // tasks waiting
  std::chrono::system_clock::time_point now;
};

// A small value, owned by the runtime: copy it freely. Any thread. Tasks are void() and may be move-only; a small one allocates nothing.
class executor {
 public:
  executor() noexcept = default;
  explicit executor(aimrt_rpc_executor_t native) noexcept : native_(native) {}

  // Runs a task soon. LIMIT when the executor's queue is full.
  template <class F>
  result<void> post(F &&f) const noexcept {
    using node = detail::posted<std::decay_t<F>>;
    node *task = detail::pool_make<node>(std::forward<F>(f));
    if (task == nullptr) return error(AIMRT_RPC_RESULT_OUT_OF_MEMORY);
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_executor_post(native_, &node::run, task, &detail::pool_destroy_erased<node>, why);
    });
    if (!done) detail::pool_destroy(task);
    return done;
  }

  // Runs a task after a delay.
  template <class Rep, class Period, class F>
  result<timer> post_after(std::chrono::duration<Rep, Period> delay, F &&f) const noexcept {
    return post_later(&aimrt_rpc_executor_post_after, detail::to_ns(delay), std::forward<F>(f));
  }
  // Runs a task at a time of the executor's clock; a time in the past means soon.
  template <class Duration, class F>
  result<timer> post_at(std::chrono::time_point<std::chrono::system_clock, Duration> at, F &&f) const noexcept {
    return post_later(&aimrt_rpc_executor_post_at, detail::to_ns(at.time_since_epoch()), std::forward<F>(f));
  }

  result<executor_info> info() const noexcept {
    aimrt_rpc_executor_info_t native = {};
    native.struct_size = sizeof native;
    const result_code code = aimrt_rpc_executor_info(native_, &native);
    if (code != AIMRT_RPC_RESULT_OK) return error(code);
    executor_info info;
    info.name = detail::from_c(native.name);
    info.type = detail::from_c(native.type);
    info.thread_safe = native.thread_safe != 0;
    info.has_timers = native.has_timers != 0;
    info.in_current = native.in_current != 0;
    info.queued = native.queued;
    info.now = std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::nanoseconds(static_cast<std::int64_t>(native.now_ns))));
    return info;
  }

#if defined(AIMRT_RPC_HAS_COROUTINES)
  // co_await moves the coroutine to this executor; it gives result<void>, and on failure the coroutine goes on where it was.
  auto schedule() const noexcept {
    struct awaiter {
      executor to;
      result<void> posted = {};
      bool await_ready() const noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> waiting) noexcept {
        // Once posted, the coroutine may run and end elsewhere: the result is written only when it was not.
        auto done = to.post([waiting] { waiting.resume(); });
        if (done) return true;
        posted = std::move(done);
        return false;
      }
      result<void> await_resume() noexcept { return std::move(posted); }
    };
    return awaiter{*this};
  }
#endif

  aimrt_rpc_executor_t native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

 private:
  template <class Post, class F>
  result<timer> post_later(Post how, std::uint64_t time_ns, F &&f) const noexcept {
    using node = detail::posted<std::decay_t<F>>;
    node *task = detail::pool_make<node>(std::forward<F>(f));
    if (task == nullptr) return error(AIMRT_RPC_RESULT_OUT_OF_MEMORY);
    aimrt_rpc_timer_t native = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return how(native_, time_ns, &node::run, task, &detail::pool_destroy_erased<node>, &native, why);
    });
    if (!done) {
      detail::pool_destroy(task);
      return std::move(done).error();
    }
    return timer(native);
  }

  aimrt_rpc_executor_t native_ = 0;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_EXECUTOR_HPP_
