// The scheduler that goes on where it is.
#pragma once

#include <coroutine>

namespace aimrt::co {

class InlineScheduler {
 public:
  friend bool operator==(const InlineScheduler&, const InlineScheduler&) = default;
  std::suspend_never ScheduleAwaiter() const noexcept { return {}; }
};

}  // namespace aimrt::co
