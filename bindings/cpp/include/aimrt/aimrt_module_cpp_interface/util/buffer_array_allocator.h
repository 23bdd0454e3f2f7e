// Allocators that a serializer can be given: any one behind a reference, and one that takes each buffer from the heap.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::util {

class BufferArrayAllocatorRef {
 public:
  BufferArrayAllocatorRef() = default;
  explicit BufferArrayAllocatorRef(const aimrt_buffer_array_allocator_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_buffer_array_allocator_t* NativeHandle() const { return base_; }

  bool Reserve(aimrt_buffer_array_t* array, size_t capacity) const {
    common::util::details::CheckReference(base_);
    return base_->reserve(base_->impl, array, capacity);
  }
  aimrt_buffer_t Allocate(aimrt_buffer_array_t* array, size_t size) const {
    common::util::details::CheckReference(base_);
    return base_->allocate(base_->impl, array, size);
  }
  void Release(aimrt_buffer_array_t* array) const {
    common::util::details::CheckReference(base_);
    base_->release(base_->impl, array);
  }

 private:
  const aimrt_buffer_array_allocator_t* base_ = nullptr;
};

namespace details {

// The descriptors of an array on the heap; they grow from 2 by doubling.
inline bool ReserveDescriptors(aimrt_buffer_array_t* array, size_t capacity) {
  if (capacity <= array->capacity) return true;
  if (capacity > SIZE_MAX / sizeof(aimrt_buffer_t)) return false;
  void* const grown = std::realloc(array->data, capacity * sizeof(aimrt_buffer_t));
  if (grown == nullptr) return false;
  array->data = static_cast<aimrt_buffer_t*>(grown);
  array->capacity = capacity;
  return true;
}
inline bool MakeRoom(aimrt_buffer_array_t* array) {
  return array->len < array->capacity || ReserveDescriptors(array, array->capacity == 0 ? 2 : array->capacity * 2);
}

}  // namespace details

// One heap block for each buffer.
class SimpleBufferArrayAllocator {
 public:
  static const aimrt_buffer_array_allocator_t* NativeHandle() {
    static constexpr aimrt_buffer_array_allocator_t kBase{.reserve = &Reserve, .allocate = &Allocate, .release = &Release, .impl = nullptr};
    return &kBase;
  }

 private:
  static bool Reserve(void*, aimrt_buffer_array_t* array, size_t capacity) { return details::ReserveDescriptors(array, capacity); }
  static aimrt_buffer_t Allocate(void*, aimrt_buffer_array_t* array, size_t size) {
    if (!details::MakeRoom(array)) return {nullptr, 0};
    void* const data = std::malloc(size == 0 ? 1 : size);
    if (data == nullptr) return {nullptr, 0};
    return array->data[array->len++] = {data, size};
  }
  static void Release(void*, aimrt_buffer_array_t* array) {
    for (size_t i = 0; i < array->len; ++i) std::free(array->data[i].data);
    std::free(array->data);
    *array = {nullptr, 0, 0};
  }
};

// Buffers of one array lie one behind the other in a single memory block as long as it has room; the block belongs to the allocator.
// One allocator serves one array at a time.
class FlatBufferArrayAllocator {
 public:
  explicit FlatBufferArrayAllocator(void* block, size_t size) : block_(static_cast<char*>(block)), size_(size) {
    base_ = {.reserve = &Reserve, .allocate = &Allocate, .release = &Release, .impl = this};
  }
  FlatBufferArrayAllocator(const FlatBufferArrayAllocator&) = delete;
  FlatBufferArrayAllocator& operator=(const FlatBufferArrayAllocator&) = delete;

  const aimrt_buffer_array_allocator_t* NativeHandle() const { return &base_; }
  size_t Used() const { return used_; }

 private:
  static bool Reserve(void*, aimrt_buffer_array_t* array, size_t capacity) { return details::ReserveDescriptors(array, capacity); }
  static aimrt_buffer_t Allocate(void* impl, aimrt_buffer_array_t* array, size_t size) {
    auto& self = *static_cast<FlatBufferArrayAllocator*>(impl);
    if (size > self.size_ - self.used_ || !details::MakeRoom(array)) return {nullptr, 0};
    char* const data = self.block_ + self.used_;
    self.used_ += size;
    return array->data[array->len++] = {data, size};
  }
  static void Release(void* impl, aimrt_buffer_array_t* array) {
    static_cast<FlatBufferArrayAllocator*>(impl)->used_ = 0;
    std::free(array->data);
    *array = {nullptr, 0, 0};
  }

  char* block_;
  size_t size_;
  size_t used_ = 0;
  aimrt_buffer_array_allocator_t base_;
};

}  // namespace aimrt::util
