// Buffer arrays as protobuf streams.
#pragma once

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>

#include <google/protobuf/io/zero_copy_stream.h>

#include "aimrt_rpc_compat.h"

namespace aimrt {

// Appends to a buffer array, each buffer twice as large as the one before it.
class BufferArrayZeroCopyOutputStream final : public google::protobuf::io::ZeroCopyOutputStream {
 public:
  static constexpr size_t kFirst = 1024;
  static constexpr size_t kLargest = size_t{64} << 20;

  BufferArrayZeroCopyOutputStream(aimrt_buffer_array_t* array, const aimrt_buffer_array_allocator_t* allocator)
      : array_(array), allocator_(allocator) {}

  bool Next(void** data, int* size) override {
    const aimrt_buffer_t buffer = allocator_->allocate(allocator_->impl, array_, next_);
    if (buffer.data == nullptr) return false;
    next_ = std::min(next_ * 2, kLargest);
    count_ += static_cast<int64_t>(buffer.len);
    *data = buffer.data;
    *size = static_cast<int>(buffer.len);
    return true;
  }
  void BackUp(int count) override {
    if (array_->len == 0) return;
    array_->data[array_->len - 1].len -= static_cast<size_t>(count);
    count_ -= count;
  }
  int64_t ByteCount() const override { return count_; }

 private:
  aimrt_buffer_array_t* array_;
  const aimrt_buffer_array_allocator_t* allocator_;
  size_t next_ = kFirst;
  int64_t count_ = 0;
};

class BufferArrayZeroCopyInputStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit BufferArrayZeroCopyInputStream(aimrt_buffer_array_view_t array) : array_(array) {}

  bool Next(const void** data, int* size) override {
    while (index_ < array_.len) {
      const aimrt_buffer_view_t& buffer = array_.data[index_];
      const size_t left = buffer.len - offset_;
      if (left == 0) {
        ++index_;
        offset_ = 0;
        continue;
      }
      const size_t part = std::min<size_t>(left, INT_MAX);
      *data = static_cast<const char*>(buffer.data) + offset_;
      *size = static_cast<int>(part);
      offset_ += part;
      count_ += static_cast<int64_t>(part);
      return true;
    }
    return false;
  }
  void BackUp(int count) override {
    offset_ -= static_cast<size_t>(count);
    count_ -= count;
  }
  bool Skip(int count) override {
    const void* data = nullptr;
    int size = 0;
    while (count > 0) {
      if (!Next(&data, &size)) return false;
      if (size > count) BackUp(size - count);
      count -= std::min(size, count);
    }
    return true;
  }
  int64_t ByteCount() const override { return count_; }

 private:
  aimrt_buffer_array_view_t array_;
  size_t index_ = 0;
  size_t offset_ = 0;
  int64_t count_ = 0;
};

}  // namespace aimrt
