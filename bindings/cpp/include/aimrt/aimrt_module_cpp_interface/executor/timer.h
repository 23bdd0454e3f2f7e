// Periodic tasks on any executor with a timer.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/executor/executor.h"

namespace aimrt::executor {

// Ticks lie on start + n * period. A tick that comes late is run once, those it hid are left out; the phase stays.
class TimerBase {
 public:
  virtual ~TimerBase() = default;
  TimerBase(const TimerBase&) = delete;
  TimerBase& operator=(const TimerBase&) = delete;

  // Starts anew: the next tick is one period from now.
  virtual void Reset() = 0;
  // No tick begins after it; one that is running ends.
  virtual void Cancel() = 0;
  [[nodiscard]] virtual bool IsCancelled() const = 0;
  [[nodiscard]] virtual std::chrono::system_clock::time_point NextCallTime() const = 0;
  // Runs the task on this thread, out of turn.
  virtual void ExecuteTask() = 0;

  [[nodiscard]] std::chrono::nanoseconds Period() const { return period_; }
  [[nodiscard]] std::chrono::nanoseconds TimeUntilNextCall() const { return NextCallTime() - executor_.Now(); }
  [[nodiscard]] ExecutorRef Executor() const { return executor_; }

 protected:
  TimerBase(ExecutorRef executor, std::chrono::nanoseconds period) : executor_(executor), period_(period) {}

  ExecutorRef executor_;
  std::chrono::nanoseconds period_;
};

template <typename TaskType>
class Timer : public TimerBase, public std::enable_shared_from_this<Timer<TaskType>> {
 public:
  Timer(ExecutorRef executor, std::chrono::nanoseconds period, TaskType&& task)
      : TimerBase(executor, period), task_(std::forward<TaskType>(task)) {
    AIMRT_ASSERT(executor, "Executor of a timer is null.");
    AIMRT_ASSERT(executor.SupportTimerSchedule(), "Executor '{}' of type '{}' has no timer.", executor.Name(), executor.Type());
    AIMRT_ASSERT(period.count() > 0, "Period of a timer is {} ns, it must be positive.", period.count());
  }

  void Reset() override {
    std::lock_guard lock(mutex_);
    ++round_;
    cancelled_ = false;
    next_ = executor_.Now() + ToSystem(period_);
    Arm();
  }

  void Cancel() override {
    std::lock_guard lock(mutex_);
    ++round_;
    cancelled_ = true;
  }

  bool IsCancelled() const override {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }

  std::chrono::system_clock::time_point NextCallTime() const override {
    std::lock_guard lock(mutex_);
    return next_;
  }

  void ExecuteTask() override {
    if constexpr (std::is_invocable_v<std::decay_t<TaskType>&, TimerBase&>)
      std::invoke(task_, static_cast<TimerBase&>(*this));
    else
      std::invoke(task_);
  }

 private:
  static std::chrono::system_clock::duration ToSystem(std::chrono::nanoseconds d) {
    return std::chrono::duration_cast<std::chrono::system_clock::duration>(d);
  }

  // With the lock held. The tick holds the timer weakly: a timer nobody owns ends.
  void Arm() {
    executor_.ExecuteAt(next_, [weak = this->weak_from_this(), round = round_] {
      if (auto self = weak.lock()) self->Tick(round);
    });
  }

  void Tick(uint64_t round) {
    {
      std::lock_guard lock(mutex_);
      if (round != round_) return;
    }
    ExecuteTask();
    std::lock_guard lock(mutex_);
    if (round != round_) return;
    const auto period = ToSystem(period_);
    const auto now = executor_.Now();
    next_ += period;
    if (next_ <= now) next_ += ((now - next_) / period + 1) * period;
    Arm();
  }

  std::decay_t<TaskType> task_;
  mutable std::mutex mutex_;
  uint64_t round_ = 0;  // of starts and cancels; a tick of an older round does nothing
  bool cancelled_ = true;
  std::chrono::system_clock::time_point next_{};
};

template <typename TaskType>
  requires(std::is_invocable_v<std::decay_t<TaskType>&> || std::is_invocable_v<std::decay_t<TaskType>&, TimerBase&>)
std::shared_ptr<TimerBase> CreateTimer(ExecutorRef executor, std::chrono::nanoseconds period, TaskType&& task, bool auto_start = true) {
  auto timer = std::make_shared<Timer<TaskType>>(executor, period, std::forward<TaskType>(task));
  if (auto_start) timer->Reset();
  return timer;
}

}  // namespace aimrt::executor
