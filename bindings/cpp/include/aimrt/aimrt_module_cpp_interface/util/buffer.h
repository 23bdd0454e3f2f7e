// Arrays of buffers, the form of encoded messages: one that owns its buffers, one that looks at others'.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "aimrt_module_cpp_interface/util/buffer_array_allocator.h"
#include "aimrt_rpc_compat.h"

namespace aimrt::util {

class BufferArray {
 public:
  explicit BufferArray(const aimrt_buffer_array_allocator_t* allocator = SimpleBufferArrayAllocator::NativeHandle()) : allocator_(allocator) {}
  explicit BufferArray(BufferArrayAllocatorRef allocator) : allocator_(allocator.NativeHandle()) {}
  ~BufferArray() { Release(); }
  BufferArray(const BufferArray&) = delete;
  BufferArray& operator=(const BufferArray&) = delete;
  BufferArray(BufferArray&& other) noexcept : array_(std::exchange(other.array_, {})), allocator_(other.allocator_) {}
  BufferArray& operator=(BufferArray&& other) noexcept {
    if (this != &other) {
      Release();
      array_ = std::exchange(other.array_, {});
      allocator_ = other.allocator_;
    }
    return *this;
  }

  size_t Size() const { return array_.len; }
  size_t Capacity() const { return array_.capacity; }
  aimrt_buffer_t* Data() const { return array_.data; }
  bool Reserve(size_t capacity) { return allocator_->reserve(allocator_->impl, &array_, capacity); }
  aimrt_buffer_t NewBuffer(size_t size) { return allocator_->allocate(allocator_->impl, &array_, size); }

  // Bytes in all buffers together.
  size_t BufferSize() const {
    size_t size = 0;
    for (size_t i = 0; i < array_.len; ++i) size += array_.data[i].len;
    return size;
  }

  std::string JoinToString() const {
    std::string text;
    text.reserve(BufferSize());
    for (size_t i = 0; i < array_.len; ++i)
      if (array_.data[i].len != 0) text.append(static_cast<const char*>(array_.data[i].data), array_.data[i].len);
    return text;
  }

  aimrt_buffer_array_t* BufferArrayNativeHandle() { return &array_; }
  const aimrt_buffer_array_t* BufferArrayNativeHandle() const { return &array_; }
  const aimrt_buffer_array_allocator_t* AllocatorNativeHandle() const { return allocator_; }
  aimrt_buffer_array_with_allocator_t BufferArrayWithAllocatorNativeHandle() { return {&array_, allocator_}; }

 private:
  void Release() {
    if (array_.data != nullptr || array_.len != 0) allocator_->release(allocator_->impl, &array_);
  }

  aimrt_buffer_array_t array_{nullptr, 0, 0};
  const aimrt_buffer_array_allocator_t* allocator_;
};

// Owns nothing but the descriptors it had to make.
class BufferArrayView {
 public:
  BufferArrayView() = default;
  explicit BufferArrayView(const std::vector<aimrt_buffer_view_t>& views) : BufferArrayView(views.data(), views.size()) {}
  explicit BufferArrayView(std::vector<aimrt_buffer_view_t>&& views) : own_(std::move(views)), view_{own_.data(), own_.size()} {}
  BufferArrayView(const aimrt_buffer_view_t* views, size_t count) : view_{views, count} {}
  explicit BufferArrayView(aimrt_buffer_array_view_t view) : view_(view) {}
  explicit BufferArrayView(aimrt_buffer_view_t view) : own_{view}, view_{own_.data(), 1} {}
  explicit BufferArrayView(const aimrt_buffer_array_t& array) : view_(FromArray(array)) {}
  explicit BufferArrayView(const BufferArray& array) : view_(FromArray(*array.BufferArrayNativeHandle())) {}
  BufferArrayView(const void* data, size_t size) : BufferArrayView(aimrt_buffer_view_t{data, size}) {}

  BufferArrayView(const BufferArrayView& other) { *this = other; }
  BufferArrayView& operator=(const BufferArrayView& other) {
    if (this == &other) return *this;
    own_ = other.own_;
    view_ = other.view_;
    if (!own_.empty()) view_.data = own_.data();
    return *this;
  }
  BufferArrayView(BufferArrayView&&) noexcept = default;
  BufferArrayView& operator=(BufferArrayView&&) noexcept = default;

  size_t Size() const { return view_.len; }
  const aimrt_buffer_view_t* Data() const { return view_.data; }
  aimrt_buffer_array_view_t NativeHandle() const { return view_; }

  size_t BufferSize() const {
    size_t size = 0;
    for (size_t i = 0; i < view_.len; ++i) size += view_.data[i].len;
    return size;
  }
  std::string JoinToString() const { return Join<std::string>(); }
  std::vector<char> JoinToCharVector() const { return Join<std::vector<char>>(); }

 private:
  // A buffer and a view of one have the same layout; the C interface says so.
  static aimrt_buffer_array_view_t FromArray(const aimrt_buffer_array_t& array) {
    static_assert(sizeof(aimrt_buffer_t) == sizeof(aimrt_buffer_view_t));
    return {reinterpret_cast<const aimrt_buffer_view_t*>(array.data), array.len};
  }
  template <typename Bytes>
  Bytes Join() const {
    Bytes bytes;
    bytes.reserve(BufferSize());
    for (size_t i = 0; i < view_.len; ++i) {
      const char* const data = static_cast<const char*>(view_.data[i].data);
      if (view_.data[i].len != 0) bytes.insert(bytes.end(), data, data + view_.data[i].len);
    }
    return bytes;
  }

  std::vector<aimrt_buffer_view_t> own_;
  aimrt_buffer_array_view_t view_{nullptr, 0};
};

}  // namespace aimrt::util
