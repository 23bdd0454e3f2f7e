// Pooled blocks for what one call needs to remember: after warm-up a call allocates nothing.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_DETAIL_POOL_HPP_
#define AIMRT_RPC_DETAIL_POOL_HPP_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

namespace aimrt_rpc::detail {

inline constexpr std::size_t pool_block_size = 128;      // bytes of one block
inline constexpr std::uint32_t pool_thread_limit = 64;   // blocks one thread keeps
inline constexpr std::uint32_t pool_shared_limit = 4096; // blocks kept for all threads
inline constexpr std::uint32_t pool_batch = 32;          // blocks moved at once between a thread and the shared list

union pool_block {
  pool_block *next;
  alignas(std::max_align_t) unsigned char bytes[pool_block_size];
};

// Calls that start on one thread and end on another move blocks through here, a batch at a time. Never destroyed: the library's
// threads may finish calls while the process exits.
struct pool_shared {
  std::mutex mutex;
  pool_block *head = nullptr;
  std::uint32_t count = 0;
};
inline pool_shared shared_pool;

struct pool_thread {
  pool_block *head;
  std::uint32_t count;
  bool closed;  // the thread is ending: nothing is kept any more
};
inline thread_local pool_thread thread_pool = {nullptr, 0, false};

inline void pool_give_shared(std::uint32_t count) noexcept {
  while (count-- > 0) {
    pool_block *block = thread_pool.head;
    thread_pool.head = block->next;
    --thread_pool.count;
    {
      const std::lock_guard<std::mutex> lock(shared_pool.mutex);
      if (shared_pool.count < pool_shared_limit) {
        block->next = shared_pool.head;
        shared_pool.head = block;
        ++shared_pool.count;
        continue;
      }
    }
    ::operator delete(block);
  }
}

// Gives the blocks of an ending thread to the others.
struct pool_thread_guard {
  pool_thread_guard() noexcept = default;
  pool_thread_guard(const pool_thread_guard &) = delete;
  pool_thread_guard &operator=(const pool_thread_guard &) = delete;
  ~pool_thread_guard() {
    pool_give_shared(thread_pool.count);
    thread_pool.closed = true;
  }
};

// Must be called before a thread keeps its first block.
inline void pool_guard_thread() noexcept {
  static thread_local pool_thread_guard guard;
  static_cast<void>(guard);
}

inline void *pool_refill() noexcept {
  if (!thread_pool.closed) {
    pool_guard_thread();
    const std::lock_guard<std::mutex> lock(shared_pool.mutex);
    while (shared_pool.head != nullptr && thread_pool.count < pool_batch) {
      pool_block *block = shared_pool.head;
      shared_pool.head = block->next;
      --shared_pool.count;
      block->next = thread_pool.head;
      thread_pool.head = block;
      ++thread_pool.count;
    }
    if (thread_pool.head != nullptr) {
      pool_block *block = thread_pool.head;
      thread_pool.head = block->next;
      --thread_pool.count;
      return block;
    }
  }
  return ::operator new(sizeof(pool_block), std::nothrow);
}

inline void *pool_take() noexcept {
  pool_block *block = thread_pool.head;
  if (block == nullptr) return pool_refill();
  thread_pool.head = block->next;
  --thread_pool.count;
  return block;
}

inline void pool_give(void *memory) noexcept {
  if (thread_pool.closed) {
    ::operator delete(memory);
    return;
  }
  if (thread_pool.head == nullptr) pool_guard_thread();
  auto *block = static_cast<pool_block *>(memory);
  block->next = thread_pool.head;
  thread_pool.head = block;
  if (++thread_pool.count > pool_thread_limit) pool_give_shared(pool_batch);
}

// Makes a T in a pooled block, or on the heap when it is too big; nullptr when out of memory or when its constructor throws.
template <class T, class... Args>
T *pool_make(Args &&...args) noexcept {
  static_assert(alignof(T) <= alignof(std::max_align_t), "over-aligned objects do not fit into pooled blocks");
  void *memory = sizeof(T) <= sizeof(pool_block) ? pool_take() : ::operator new(sizeof(T), std::nothrow);
  if (memory == nullptr) return nullptr;
  if constexpr (std::is_nothrow_constructible_v<T, Args...>) {
    return ::new (memory) T(std::forward<Args>(args)...);
  } else {
    try {
      return ::new (memory) T(std::forward<Args>(args)...);
    } catch (...) {
      if (sizeof(T) <= sizeof(pool_block)) {
        pool_give(memory);
      } else {
        ::operator delete(memory);
      }
      return nullptr;
    }
  }
}

template <class T>
void pool_destroy(T *object) noexcept {
  object->~T();
  if constexpr (sizeof(T) <= sizeof(pool_block)) {
    pool_give(object);
  } else {
    ::operator delete(object);
  }
}

// The same as a function the C interface can call.
template <class T>
void pool_destroy_erased(void *object) noexcept {
  pool_destroy(static_cast<T *>(object));
}

}  // namespace aimrt_rpc::detail

#endif  // AIMRT_RPC_DETAIL_POOL_HPP_
