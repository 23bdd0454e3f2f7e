// A queue between threads. Its length is bounded only when max_size is given.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <queue>
#include <utility>

#include "util/exception.h"

namespace aimrt::common::util {

template <class T>
class BlockQueue {
 public:
  static constexpr std::size_t kUnlimited = SIZE_MAX;

  explicit BlockQueue(std::size_t max_size = kUnlimited) : max_size_(max_size) {}
  ~BlockQueue() { Stop(); }
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;

  // Waits for room when the queue is full. Throws after Stop.
  void Enqueue(T item) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return stopped_ || items_.size() < max_size_; });
    if (stopped_) throw AimRTException("BlockQueue is stopped.");
    items_.push(std::move(item));
    filled_.notify_one();
  }

  // Waits for an item. Throws after Stop.
  T Dequeue() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return stopped_ || !items_.empty(); });
    if (stopped_) throw AimRTException("BlockQueue is stopped.");
    return Take();
  }

  std::optional<T> TryDequeue() {
    std::lock_guard lock(mutex_);
    if (stopped_ || items_.empty()) return std::nullopt;
    return Take();
  }

  void Stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    filled_.notify_all();
    room_.notify_all();
  }

  std::size_t Size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }

  bool IsRunning() const {
    std::lock_guard lock(mutex_);
    return !stopped_;
  }

 private:
  T Take() {
    T item = std::move(items_.front());
    items_.pop();
    room_.notify_one();
    return item;
  }

  const std::size_t max_size_;
  mutable std::mutex mutex_;
  std::condition_variable filled_, room_;
  std::queue<T> items_;
  bool stopped_ = false;
};

}  // namespace aimrt::common::util
