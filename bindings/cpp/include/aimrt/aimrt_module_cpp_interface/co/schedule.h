// co_await Schedule(s): go on where the scheduler runs things; ScheduleAfter and ScheduleAt: later.
#pragma once

#include <chrono>

#include "aimrt_module_cpp_interface/co/aimrt_context.h"
#include "aimrt_module_cpp_interface/co/inline_scheduler.h"

namespace aimrt::co {

template <typename Scheduler>
auto Schedule(const Scheduler& scheduler) {
  return scheduler.ScheduleAwaiter();
}

template <typename Rep, typename Period>
auto ScheduleAfter(const AimRTScheduler& scheduler, std::chrono::duration<Rep, Period> delay) {
  return scheduler.ScheduleAwaiter(scheduler.now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(delay));
}

inline auto ScheduleAt(const AimRTScheduler& scheduler, std::chrono::system_clock::time_point time) { return scheduler.ScheduleAwaiter(time); }

}  // namespace aimrt::co
