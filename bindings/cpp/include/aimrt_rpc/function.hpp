// unique_function: a move-only function object; small ones are stored inside without allocating.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_FUNCTION_HPP_
#define AIMRT_RPC_FUNCTION_HPP_

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace aimrt_rpc {

template <class Signature>
class unique_function;

template <class R, class... Args>
class unique_function<R(Args...)> {
 public:
  // Objects up to this size live inside.
  static constexpr std::size_t inline_size = 6 * sizeof(void *);

  unique_function() noexcept = default;
  unique_function(std::nullptr_t) noexcept {}

  template <class F, class Stored = std::decay_t<F>,
            class = std::enable_if_t<!std::is_same_v<Stored, unique_function> && std::is_invocable_r_v<R, Stored &, Args...>>>
  unique_function(F &&f) {
    if constexpr (std::is_pointer_v<Stored> || std::is_member_pointer_v<Stored>) {
      if (f == nullptr) return;
    }
    if constexpr (fits<Stored>) {
      ::new (static_cast<void *>(storage_)) Stored(std::forward<F>(f));
      operations_ = &inline_operations<Stored>;
    } else {
      ::new (static_cast<void *>(storage_)) std::unique_ptr<Stored>(std::make_unique<Stored>(std::forward<F>(f)));
      operations_ = &heap_operations<Stored>;
    }
  }

  unique_function(unique_function &&other) noexcept { take(other); }
  unique_function &operator=(unique_function &&other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  unique_function(const unique_function &) = delete;
  unique_function &operator=(const unique_function &) = delete;
  ~unique_function() { reset(); }

  explicit operator bool() const noexcept { return operations_ != nullptr; }

  // The function must not be empty.
  R operator()(Args... args) { return operations_->call(storage_, std::forward<Args>(args)...); }

 private:
  struct operations {
    R (*call)(void *storage, Args &&...args);
    void (*move)(void *from, void *to);
    void (*destroy)(void *storage);
  };

  template <class F>
  static constexpr bool fits =
      sizeof(F) <= inline_size && alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static F &inside(void *storage) noexcept {
    return *std::launder(reinterpret_cast<F *>(storage));
  }

  template <class F>
  static constexpr operations inline_operations = {
      [](void *storage, Args &&...args) -> R { return inside<F>(storage)(std::forward<Args>(args)...); },
      [](void *from, void *to) {
        ::new (to) F(std::move(inside<F>(from)));
        inside<F>(from).~F();
      },
      [](void *storage) { inside<F>(storage).~F(); }};

  template <class F>
  static constexpr operations heap_operations = {
      [](void *storage, Args &&...args) -> R { return (*inside<std::unique_ptr<F>>(storage))(std::forward<Args>(args)...); },
      [](void *from, void *to) {
        using pointer = std::unique_ptr<F>;
        ::new (to) pointer(std::move(inside<pointer>(from)));
        inside<pointer>(from).~pointer();
      },
      [](void *storage) {
        using pointer = std::unique_ptr<F>;
        inside<pointer>(storage).~pointer();
      }};

  void take(unique_function &other) noexcept {
    if (other.operations_ == nullptr) return;
    other.operations_->move(other.storage_, storage_);
    operations_ = std::exchange(other.operations_, nullptr);
  }
  void reset() noexcept {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

  const operations *operations_ = nullptr;
  alignas(std::max_align_t) unsigned char storage_[inline_size];
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_FUNCTION_HPP_
