// On(scheduler, awaitable): first goes to the scheduler, then runs the awaitable there.
#pragma once

#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/co/details/awaitable.h"
#include "aimrt_module_cpp_interface/co/inline_scheduler.h"
#include "aimrt_module_cpp_interface/co/schedule.h"
#include "aimrt_module_cpp_interface/co/task.h"

namespace aimrt::co {

template <typename Scheduler, typename Awaitable>
Task<details::AwaitResult<Awaitable>> On(Scheduler scheduler, Awaitable awaitable) {
  co_await Schedule(scheduler);
  co_return co_await std::move(awaitable);
}

// Nowhere to go: the awaitable itself.
template <typename Awaitable>
std::decay_t<Awaitable> On(InlineScheduler, Awaitable&& awaitable) {
  return std::forward<Awaitable>(awaitable);
}

}  // namespace aimrt::co
