// The return type of coroutines.
#pragma once

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

#include "aimrt_module_cpp_interface/co/details/awaitable.h"

namespace aimrt::co {

template <typename T = void>
class Task;

namespace details {

class TaskPromiseBase : public PooledFrame {
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      const TaskPromiseBase& promise = self.promise();
      if (Beginning::End(promise.beginning_)) return std::noop_coroutine();
      return promise.continuation_;
    }
    void await_resume() noexcept {}
  };

 public:
  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }

  // True when the awaiter stays suspended; then this and the awaiter may be gone.
  bool Start(std::coroutine_handle<> self, std::coroutine_handle<> continuation) {
    const Beginning beginning;
    continuation_ = continuation;
    beginning_ = beginning.GetName();
    self.resume();
    return !beginning.HasEnded();
  }

 private:
  std::coroutine_handle<> continuation_;
  Beginning::Name beginning_;
};

template <typename T>
class TaskPromise : public TaskPromiseBase {
  using Stored = std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>, T>;

 public:
  Task<T> get_return_object() noexcept;
  template <typename U = T>
    requires std::is_convertible_v<U&&, T>
  void return_value(U&& value) {
    if constexpr (std::is_reference_v<T>)
      result_.template emplace<1>(std::addressof(value));
    else
      result_.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { result_.template emplace<2>(std::current_exception()); }
  T Result() {
    if (result_.index() == 2) std::rethrow_exception(std::get<2>(result_));
    if constexpr (std::is_reference_v<T>)
      return static_cast<T>(*std::get<1>(result_));
    else
      return std::move(std::get<1>(result_));
  }

 private:
  std::variant<std::monostate, Stored, std::exception_ptr> result_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  void Result() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

}  // namespace details

// Runs when it is awaited, once; gives its value or throws its exception to who awaits it, on the thread where it ended. A task that was never awaited runs nothing.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = details::TaskPromise<T>;
  using value_type = T;

  Task() noexcept = default;
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> handle;
      bool await_ready() noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> continuation) { return handle.promise().Start(handle, continuation); }
      T await_resume() { return handle.promise().Result(); }
    };
    return Awaiter{handle_};
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

template <typename T>
Task<T> details::TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> details::TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

}  // namespace aimrt::co
