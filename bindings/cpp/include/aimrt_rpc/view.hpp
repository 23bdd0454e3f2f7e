// Views: borrowed text and bytes, and a borrowed list of key/value pairs.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_VIEW_HPP_
#define AIMRT_RPC_VIEW_HPP_

#include <aimrt_rpc.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

namespace aimrt_rpc {

namespace detail {

template <class T>
inline constexpr bool is_byte_like_v = std::is_same_v<T, std::byte> || std::is_same_v<T, unsigned char> ||
                                       std::is_same_v<T, char> || std::is_same_v<T, signed char>;

// A contiguous container of byte-like elements: std::string, std::vector<std::byte>, std::span<const std::byte>, ...
template <class C, class = void>
struct is_byte_container : std::false_type {};
template <class C>
struct is_byte_container<C, std::void_t<decltype(std::declval<const C &>().data()), decltype(std::declval<const C &>().size())>>
    : std::bool_constant<is_byte_like_v<std::remove_cv_t<std::remove_pointer_t<decltype(std::declval<const C &>().data())>>>> {};

inline aimrt_rpc_str_t to_c(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view from_c(aimrt_rpc_str_t text) noexcept {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

}  // namespace detail

// Borrowed bytes. Made from any contiguous container of bytes or characters; text() shows them as characters.
class bytes_view {
 public:
  constexpr bytes_view() noexcept = default;
  bytes_view(const void *data, std::size_t size) noexcept : data_(static_cast<const std::byte *>(data)), size_(size) {}
  bytes_view(aimrt_rpc_bytes_t bytes) noexcept : bytes_view(bytes.data, bytes.size) {}
  bytes_view(const char *text) noexcept : bytes_view(std::string_view(text)) {}  // without the terminating NUL
  template <class C, class = std::enable_if_t<detail::is_byte_container<C>::value>>
  bytes_view(const C &container) noexcept : bytes_view(container.data(), container.size()) {}

  constexpr const std::byte *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr const std::byte *begin() const noexcept { return data_; }
  constexpr const std::byte *end() const noexcept { return data_ + size_; }
  constexpr std::byte operator[](std::size_t index) const noexcept { return data_[index]; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char *>(data_), size_}; }
  aimrt_rpc_bytes_t native() const noexcept { return {reinterpret_cast<const std::uint8_t *>(data_), size_}; }

 private:
  const std::byte *data_ = nullptr;
  std::size_t size_ = 0;
};

inline bool operator==(bytes_view a, bytes_view b) noexcept { return a.text() == b.text(); }
inline bool operator!=(bytes_view a, bytes_view b) noexcept { return !(a == b); }

// An encoded message with the name of its serialization.
struct payload_view {
  bytes_view bytes;
  std::string_view serialization;

  std::string_view text() const noexcept { return bytes.text(); }
};

// A borrowed list of key/value pairs: metadata of a context, details of a status.
class pairs_view {
 public:
  using value_type = std::pair<std::string_view, std::string_view>;

  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = pairs_view::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type *;
    using reference = value_type;

    explicit iterator(const aimrt_rpc_pair_t *at) noexcept : at_(at) {}
    value_type operator*() const noexcept { return {detail::from_c(at_->key), detail::from_c(at_->value)}; }
    iterator &operator++() noexcept {
      ++at_;
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator old = *this;
      ++at_;
      return old;
    }
    friend bool operator==(iterator a, iterator b) noexcept { return a.at_ == b.at_; }
    friend bool operator!=(iterator a, iterator b) noexcept { return a.at_ != b.at_; }

   private:
    const aimrt_rpc_pair_t *at_;
  };

  pairs_view() noexcept = default;
  pairs_view(const aimrt_rpc_pair_t *pairs, std::size_t count) noexcept : pairs_(pairs), count_(count) {}

  iterator begin() const noexcept { return iterator(pairs_); }
  iterator end() const noexcept { return iterator(pairs_ + count_); }
  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  value_type operator[](std::size_t index) const noexcept { return *iterator(pairs_ + index); }

  // The value of the first pair with this key; empty when there is none.
  std::string_view find(std::string_view key) const noexcept {
    for (value_type pair : *this) {
      if (pair.first == key) return pair.second;
    }
    return {};
  }

 private:
  const aimrt_rpc_pair_t *pairs_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_VIEW_HPP_
