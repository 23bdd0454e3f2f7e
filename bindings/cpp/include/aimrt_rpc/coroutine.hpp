// task<T>: a coroutine that is awaited, sync_wait and start_detached: the two ways to begin one. Empty below C++20.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_COROUTINE_HPP_
#define AIMRT_RPC_COROUTINE_HPP_

#include <aimrt_rpc/detail/await.hpp>

#if defined(AIMRT_RPC_HAS_COROUTINES)

#include <aimrt_rpc/detail/guard.hpp>

#include <condition_variable>
#include <coroutine>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace aimrt_rpc {

template <class T>
class task;

namespace detail {

// What a task keeps whatever it returns: who awaits it, and the exception that left it.
class task_promise_base {
 public:
  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      const std::coroutine_handle<> next = ended.promise().next_;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }
  void set_next(std::coroutine_handle<> next) noexcept { next_ = next; }

 protected:
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::coroutine_handle<> next_;
  std::exception_ptr exception_;
};

template <class T>
class task_promise : public task_promise_base {
 public:
  task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U &&value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class task_promise<void> : public task_promise_base {
 public:
  task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const { rethrow(); }
};

}  // namespace detail

// Starts when it is awaited. An exception of its body reaches who awaits it. Must be awaited to its end before it dies.
template <class T = void>
class [[nodiscard]] task {
 public:
  using promise_type = detail::task_promise<T>;

  task() noexcept = default;
  explicit task(std::coroutine_handle<promise_type> body) noexcept : body_(body) {}
  task(task &&other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  task &operator=(task &&other) noexcept {
    if (this != &other) {
      if (body_) body_.destroy();
      body_ = std::exchange(other.body_, nullptr);
    }
    return *this;
  }
  task(const task &) = delete;
  task &operator=(const task &) = delete;
  ~task() {
    if (body_) body_.destroy();
  }

  auto operator co_await() noexcept {
    struct awaiter {
      std::coroutine_handle<promise_type> body;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept {
        body.promise().set_next(waiting);
        return body;
      }
      T await_resume() const { return body.promise().take(); }
    };
    return awaiter{body_};
  }

 private:
  std::coroutine_handle<promise_type> body_;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<task_promise<T>>::from_promise(*this));
}
inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<task_promise<void>>::from_promise(*this));
}

// A coroutine nobody awaits: runs at once, frees itself at its end.
struct detached {
  struct promise_type {
    detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept {
      contain_and_report("detached coroutine", [] { std::rethrow_exception(std::current_exception()); });
    }
  };
};

template <class T>
detached run_detached(task<T> body) {
  co_await std::move(body);
}

struct wait_gate {
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
};

template <class T, class Box>
detached run_for_waiter(task<T> &body, Box &box, std::exception_ptr &failed, wait_gate &gate) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await body;
    } else {
      box.emplace(co_await body);
    }
  } catch (...) {
    failed = std::current_exception();
  }
  const std::lock_guard<std::mutex> lock(gate.mutex);
  gate.open = true;
  gate.opened.notify_one();
}

}  // namespace detail

// Begins a task and does not wait; an exception that leaves it goes to the handler of set_exception_handler.
template <class T>
void start_detached(task<T> body) {
  detail::run_detached(std::move(body));
}

// Begins a task, blocks until it has ended, and gives what it returned. An exception of its body comes out here.
template <class T>
T sync_wait(task<T> body) {
  detail::wait_gate gate;
  std::exception_ptr failed;
  std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>> box;
  detail::run_for_waiter(body, box, failed, gate);
  {
    std::unique_lock<std::mutex> lock(gate.mutex);
    gate.opened.wait(lock, [&] { return gate.open; });
  }
  if (failed) std::rethrow_exception(failed);
  if constexpr (!std::is_void_v<T>) return std::move(*box);
}

}  // namespace aimrt_rpc

#endif  // coroutines

#endif  // AIMRT_RPC_COROUTINE_HPP_
