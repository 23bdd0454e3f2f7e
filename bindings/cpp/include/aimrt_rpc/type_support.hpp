// type_support: how a C++ type becomes bytes and back. Specialise it for your own message types; type_support_pb.hpp does so for
// protobuf messages.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_TYPE_SUPPORT_HPP_
#define AIMRT_RPC_TYPE_SUPPORT_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/view.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace aimrt_rpc {

// Collects the bytes of one serialization.
class writer {
 public:
  explicit writer(aimrt_rpc_writer_t *native) noexcept : native_(native) {}

  // Appends size writable bytes; nullptr when out of memory.
  std::byte *append(std::size_t size) noexcept { return reinterpret_cast<std::byte *>(aimrt_rpc_writer_append(native_, size)); }
  // Gives back the last size bytes of the latest append.
  void trim(std::size_t size) noexcept { aimrt_rpc_writer_trim(native_, size); }
  // Appends a copy of bytes; false when out of memory.
  bool write(bytes_view bytes) noexcept {
    if (bytes.empty()) return true;
    std::byte *to = append(bytes.size());
    if (to == nullptr) return false;
    std::memcpy(to, bytes.data(), bytes.size());
    return true;
  }

 private:
  aimrt_rpc_writer_t *native_;
};

// A specialisation has these static members:
//   std::string name();                        "pb:package.Message"; equal names in one package mean the same C++ type
//   constexpr std::array<std::string_view, N> serializations;   at least one, the first is the default
//   bool serialize(std::string_view serialization, const T &message, writer &to);
//   bool deserialize(std::string_view serialization, bytes_view from, T &message);
// T must be default constructible, copy assignable and move assignable. The functions run on any thread; an exception counts as false.
template <class T, class Enable = void>
struct type_support;

namespace detail {

template <class T, class = void>
struct has_type_support : std::false_type {};
template <class T>
struct has_type_support<T, std::void_t<decltype(type_support<T>::serializations.size())>> : std::true_type {};

// An object that is never destroyed: runtimes may use it until the process ends.
template <class T>
class immortal {
 public:
  template <class... Args>
  explicit immortal(Args &&...args) {
    ::new (static_cast<void *>(storage_)) T(std::forward<Args>(args)...);
  }
  T &get() noexcept { return *std::launder(reinterpret_cast<T *>(storage_)); }

 private:
  alignas(T) unsigned char storage_[sizeof(T)];
};

// The C table of one type. Made once per type, lives for ever.
template <class T>
class type_table {
 public:
  static const aimrt_rpc_type_support_t *get() {
    static immortal<type_table> table;
    return &table.get().native_;
  }

  type_table() : name_(support::name()) {
    for (std::size_t i = 0; i < serializations_.size(); ++i) serializations_[i] = to_c(support::serializations[i]);
    native_.struct_size = sizeof native_;
    native_.name = to_c(name_);
    native_.create = &create;
    native_.destroy = &destroy;
    native_.copy = &copy;
    native_.move = &move;
    native_.serialize = &serialize;
    native_.deserialize = &deserialize;
    native_.serializations = serializations_.data();
    native_.serialization_count = serializations_.size();
  }

 private:
  using support = type_support<T>;

  template <class F>
  static std::uint8_t guarded(F &&f) noexcept {
    bool good = false;
    contain([&] { good = f(); }, [&](const char *) { good = false; });
    return good ? 1 : 0;
  }

  static void *create(void *) {
    T *made = nullptr;
    contain([&] { made = std::make_unique<T>().release(); }, [](const char *) {});
    return made;
  }
  static void destroy(void *, void *message) { std::unique_ptr<T>(static_cast<T *>(message)).reset(); }
  static std::uint8_t copy(void *, const void *from, void *to) {
    return guarded([&] { return *static_cast<T *>(to) = *static_cast<const T *>(from), true; });
  }
  static std::uint8_t move(void *, void *from, void *to) {
    return guarded([&] { return *static_cast<T *>(to) = std::move(*static_cast<T *>(from)), true; });
  }
  static std::uint8_t serialize(void *, aimrt_rpc_str_t serialization, const void *message, aimrt_rpc_writer_t *to) {
    return guarded([&] {
      writer out(to);
      return support::serialize(from_c(serialization), *static_cast<const T *>(message), out);
    });
  }
  static std::uint8_t deserialize(void *, aimrt_rpc_str_t serialization, aimrt_rpc_bytes_t bytes, void *message) {
    return guarded([&] { return support::deserialize(from_c(serialization), bytes_view(bytes), *static_cast<T *>(message)); });
  }

  std::string name_;
  std::array<aimrt_rpc_str_t, std::tuple_size<std::decay_t<decltype(support::serializations)>>::value> serializations_ = {};
  aimrt_rpc_type_support_t native_ = {};
};

template <class T>
const aimrt_rpc_type_support_t *type_table_of() {
  static_assert(has_type_support<T>::value,
                "no type_support<T>: include <aimrt_rpc/type_support_pb.hpp> for protobuf messages, or specialise aimrt_rpc::type_support");
  return type_table<T>::get();
}

}  // namespace detail

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_TYPE_SUPPORT_HPP_
