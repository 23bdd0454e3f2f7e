// An executor: somewhere tasks run, now or at a time.
#pragma once

#include <chrono>
#include <string_view>
#include <utility>

#include "aimrt_module_cpp_interface/util/function.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/dynamiclatch.h"
#include "util/exception.h"
#include "util/time_util.h"

namespace aimrt::executor {

using Task = util::Function<aimrt_function_executor_task_ops_t>;

class ExecutorRef {
 public:
  ExecutorRef() = default;
  explicit ExecutorRef(const aimrt_executor_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_executor_base_t* NativeHandle() const { return base_; }

  std::string_view Type() const { return util::ToStdStringView(Base()->type(base_->impl)); }
  std::string_view Name() const { return util::ToStdStringView(Base()->name(base_->impl)); }

  // Whether two tasks never run at once.
  bool ThreadSafe() const { return Base()->is_thread_safe(base_->impl); }
  bool IsInCurrentExecutor() const { return Base()->is_in_current_executor(base_->impl); }
  bool SupportTimerSchedule() const { return Base()->is_support_timer_schedule(base_->impl); }

  // Runs the task later, on the executor.
  void Execute(Task&& task) const { Base()->execute(base_->impl, task.NativeHandle()); }

  // Runs the task at once when this thread belongs to the executor, else like Execute.
  void Dispatch(Task&& task) const {
    if (IsInCurrentExecutor())
      Task(std::move(task))();
    else
      Execute(std::move(task));
  }

  std::chrono::system_clock::time_point Now() const { return common::util::GetTimePointFromTimestampNs(Base()->now(base_->impl)); }

  // A time in the past is now. Throws when the executor has no timer.
  void ExecuteAt(std::chrono::system_clock::time_point time, Task&& task) const {
    AIMRT_ASSERT(SupportTimerSchedule(), "Executor '{}' of type '{}' has no timer.", Name(), Type());
    base_->execute_at_ns(base_->impl, common::util::GetTimestampNs(time), task.NativeHandle());
  }
  void ExecuteAfter(std::chrono::nanoseconds delay, Task&& task) const {
    ExecuteAt(Now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(delay), std::move(task));
  }

  // Counts the task in the latch while it waits and runs; false, and no task, when the latch is closed.
  bool TryExecute(common::util::DynamicLatch& latch, Task&& task) const {
    if (!latch.TryAdd()) return false;
    Execute([count = Count(latch), task = std::move(task)] { task(); });
    return true;
  }

 private:
  // Lowers the latch when the task has run, and also when it is dropped unrun.
  class Count {
   public:
    explicit Count(common::util::DynamicLatch& latch) : latch_(&latch) {}
    Count(Count&& other) noexcept : latch_(std::exchange(other.latch_, nullptr)) {}
    Count& operator=(Count&&) = delete;
    ~Count() {
      if (latch_ != nullptr) latch_->CountDown();
    }

   private:
    common::util::DynamicLatch* latch_;
  };

  const aimrt_executor_base_t* Base() const {
    common::util::details::CheckReference(base_);
    return base_;
  }

  const aimrt_executor_base_t* base_ = nullptr;
};

}  // namespace aimrt::executor
