// unique_handle: the one place where handles are owned.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_HANDLE_HPP_
#define AIMRT_RPC_HANDLE_HPP_

#include <cstdint>
#include <utility>

namespace aimrt_rpc {

// Owns one handle of the library; Traits has `static void release(std::uint64_t) noexcept`. Move-only; 0 = none.
template <class Traits>
class unique_handle {
 public:
  using native_type = std::uint64_t;

  constexpr unique_handle() noexcept = default;
  // Takes the ownership of a handle.
  constexpr explicit unique_handle(native_type native) noexcept : native_(native) {}
  unique_handle(unique_handle &&other) noexcept : native_(other.release()) {}
  unique_handle &operator=(unique_handle &&other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  unique_handle(const unique_handle &) = delete;
  unique_handle &operator=(const unique_handle &) = delete;
  ~unique_handle() {
    if (native_ != 0) Traits::release(native_);
  }

  native_type native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

  // Gives up the ownership.
  [[nodiscard]] native_type release() noexcept { return std::exchange(native_, 0); }

  // Releases what is owned and owns another handle instead.
  void reset(native_type native = 0) noexcept {
    const native_type old = std::exchange(native_, native);
    if (old != 0) Traits::release(old);
  }

 private:
  native_type native_ = 0;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_HANDLE_HPP_
