// buffer: bytes the library has made, given back when the object dies.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_BUFFER_HPP_
#define AIMRT_RPC_BUFFER_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/view.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace aimrt_rpc {

class buffer {
 public:
  buffer() noexcept = default;
  // Takes the ownership of a buffer of the C interface.
  explicit buffer(aimrt_rpc_buffer_t native) noexcept : native_(native) {}
  buffer(buffer &&other) noexcept : native_(std::exchange(other.native_, empty())) {}
  buffer &operator=(buffer &&other) noexcept {
    if (this != &other) {
      aimrt_rpc_buffer_release(&native_);
      native_ = std::exchange(other.native_, empty());
    }
    return *this;
  }
  buffer(const buffer &) = delete;
  buffer &operator=(const buffer &) = delete;
  ~buffer() {
    if (native_.token != 0 || native_.data != nullptr) aimrt_rpc_buffer_release(&native_);
  }

  const std::byte *data() const noexcept { return reinterpret_cast<const std::byte *>(native_.data); }
  std::size_t size() const noexcept { return native_.size; }
  bytes_view view() const noexcept { return {native_.data, native_.size}; }
  std::string_view text() const noexcept { return view().text(); }
  std::string to_string() const { return std::string(text()); }

  // Gives up the ownership; aimrt_rpc_buffer_release is then the caller's duty.
  [[nodiscard]] aimrt_rpc_buffer_t release() noexcept { return std::exchange(native_, empty()); }
  const aimrt_rpc_buffer_t &native() const noexcept { return native_; }

 private:
  static constexpr aimrt_rpc_buffer_t empty() noexcept { return {nullptr, 0, 0}; }

  aimrt_rpc_buffer_t native_ = empty();
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_BUFFER_HPP_
