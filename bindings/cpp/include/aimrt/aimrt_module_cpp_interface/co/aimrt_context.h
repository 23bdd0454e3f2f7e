// Executors of AimRT as schedulers of coroutines.
#pragma once

#include <chrono>
#include <coroutine>
#include <optional>
#include <string_view>

#include "aimrt_module_cpp_interface/executor/executor.h"
#include "aimrt_module_cpp_interface/executor/executor_manager.h"

namespace aimrt::co {

class AimRTScheduler {
  struct Awaiter {
    executor::ExecutorRef executor;
    std::optional<std::chrono::system_clock::time_point> time;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const {
      if (time)
        executor.ExecuteAt(*time, [handle] { handle.resume(); });
      else
        executor.Execute([handle] { handle.resume(); });
    }
    void await_resume() const noexcept {}
  };

 public:
  AimRTScheduler() = default;
  explicit AimRTScheduler(executor::ExecutorRef executor) : executor_(executor) {}

  explicit operator bool() const { return static_cast<bool>(executor_); }
  friend bool operator==(const AimRTScheduler& a, const AimRTScheduler& b) { return a.executor_.NativeHandle() == b.executor_.NativeHandle(); }

  executor::ExecutorRef Executor() const { return executor_; }
  std::chrono::system_clock::time_point now() const { return executor_.Now(); }

  Awaiter ScheduleAwaiter() const { return {executor_, std::nullopt}; }
  Awaiter ScheduleAwaiter(std::chrono::system_clock::time_point time) const { return {executor_, time}; }

 private:
  executor::ExecutorRef executor_;
};

class AimRTContext {
 public:
  AimRTContext() = default;
  explicit AimRTContext(executor::ExecutorManagerRef manager) : manager_(manager) {}

  explicit operator bool() const { return static_cast<bool>(manager_); }

  // A null scheduler when there is no executor of that name.
  AimRTScheduler GetScheduler(std::string_view executor_name) const { return AimRTScheduler(manager_.GetExecutor(executor_name)); }

 private:
  executor::ExecutorManagerRef manager_;
};

}  // namespace aimrt::co
