// Memory for what lives as long as one call: coroutine frames, closures too large for their buffer, contexts. Each thread keeps blocks
// it freed and takes them again, so that calls after the first allocate nothing.
#pragma once

#include <cstddef>
#include <new>

namespace aimrt::util::details {

class BlockPool {
 public:
  static constexpr size_t kStep = 64;           // sizes are rounded up to multiples of it
  static constexpr size_t kLargest = 4096;      // larger blocks are not kept
  static constexpr size_t kKeptPerSize = 32;    // blocks of one size that a thread keeps at most

  static void* Allocate(size_t size) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // the sanitizers are to see every block
    if (Shelf* const shelf = ShelfFor(size); shelf != nullptr && shelf->first != nullptr) {
      Free* const block = shelf->first;
      shelf->first = block->next;
      --shelf->count;
      return block;
    }
#endif
    return ::operator new(Rounded(size));
  }

  static void Release(void* block, [[maybe_unused]] size_t size) noexcept {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (Shelf* const shelf = ShelfFor(size); shelf != nullptr && shelf->count < kKeptPerSize) {
      shelf->first = ::new (block) Free{shelf->first};
      ++shelf->count;
      return;
    }
#endif
    ::operator delete(block);
  }

 private:
  struct Free {
    Free* next;
  };
  struct Shelf {
    Free* first = nullptr;
    size_t count = 0;
  };
  struct Shelves {
    Shelf of[kLargest / kStep];
    ~Shelves() {
      Gone() = true;  // what is freed on this thread from now on goes back at once
      for (Shelf& shelf : of) {
        while (shelf.first != nullptr) {
          Free* const block = shelf.first;
          shelf.first = block->next;
          ::operator delete(block);
        }
      }
    }
  };

  static constexpr size_t Rounded(size_t size) { return (size + kStep - 1) / kStep * kStep; }
  static bool& Gone() {
    static thread_local bool gone = false;
    return gone;
  }
  static Shelf* ShelfFor(size_t size) {
    if (size == 0 || size > kLargest || Gone()) return nullptr;
    static thread_local Shelves shelves;
    return &shelves.of[(size - 1) / kStep];
  }
};

// For std::allocate_shared and containers of one call.
template <typename T>
struct BlockAllocator {
  using value_type = T;
  BlockAllocator() = default;
  template <typename U>
  BlockAllocator(const BlockAllocator<U>&) {}
  T* allocate(size_t n) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return static_cast<T*>(BlockPool::Allocate(n * sizeof(T)));
  }
  void deallocate(T* p, size_t n) noexcept { BlockPool::Release(p, n * sizeof(T)); }
  template <typename U>
  bool operator==(const BlockAllocator<U>&) const {
    return true;
  }
};

}  // namespace aimrt::util::details
