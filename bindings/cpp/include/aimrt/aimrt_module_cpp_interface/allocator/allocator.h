// Scratch memory of the calling thread.
#pragma once

#include <cstddef>

#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::allocator {

class AllocatorRef {
 public:
  AllocatorRef() = default;
  explicit AllocatorRef(const aimrt_allocator_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_allocator_base_t* NativeHandle() const { return base_; }

  // A larger request moves the memory of the thread; nullptr above the host's limit.
  void* GetThreadLocalBuf(size_t size) const {
    common::util::details::CheckReference(base_);
    return base_->get_thread_local_buf(base_->impl, size);
  }

 private:
  const aimrt_allocator_base_t* base_ = nullptr;
};

}  // namespace aimrt::allocator
