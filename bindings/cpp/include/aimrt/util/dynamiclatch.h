// A counter that many may raise and lower until it is closed, and that one can wait for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace aimrt::common::util {

class DynamicLatch {
 public:
  DynamicLatch() = default;
  DynamicLatch(const DynamicLatch&) = delete;
  DynamicLatch& operator=(const DynamicLatch&) = delete;

  // False once the latch is closed; then the count stays as it is.
  bool TryAdd(std::size_t n = 1) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    count_ += n;
    return true;
  }

  void CountDown(std::size_t n = 1) {
    std::lock_guard lock(mutex_);
    count_ -= n < count_ ? n : count_;
    if (count_ == 0) zero_.notify_all();
  }

  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    if (count_ == 0) zero_.notify_all();
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    zero_.wait(lock, [this] { return count_ == 0; });
  }

  void CloseAndWait() {
    Close();
    Wait();
  }

  std::size_t GetCurrentCount() const {
    std::lock_guard lock(mutex_);
    return count_;
  }

  bool IsClosed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable zero_;
  std::size_t count_ = 0;
  bool closed_ = false;
};

}  // namespace aimrt::common::util

namespace aimrt::util {
using common::util::DynamicLatch;
}  // namespace aimrt::util
