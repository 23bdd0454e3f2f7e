// value_view and value_writer: values of JSON and MsgPack, as calls over a connection carry them, without a tree in between.
//
// What has a codec: bool, integers, float and double, std::string (written also from views and literals), nullptr, std::optional,
// std::vector, std::map and std::unordered_map with strings as keys, std::pair and std::tuple (arrays of that length), value (any value,
// encoded), value_view. Other types: specialise value_codec. An integer is read as a float where a float is wanted, never the other way.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_VALUE_HPP_
#define AIMRT_RPC_VALUE_HPP_

#include <aimrt_rpc/detail/value_json.hpp>
#include <aimrt_rpc/detail/value_msgpack.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace aimrt_rpc {

enum class value_encoding : std::uint8_t { json, msgpack };

// "json" or "msgpack": the serialization of payloads that carry values.
inline std::string_view serialization_name(value_encoding encoding) noexcept {
  return encoding == value_encoding::json ? "json" : "msgpack";
}
// Everything that is not "json" is read as MsgPack.
inline value_encoding encoding_of(std::string_view serialization) noexcept {
  return serialization == "json" ? value_encoding::json : value_encoding::msgpack;
}

using value_kind = detail::value_kind;

// The kind's name for texts.
inline std::string_view kind_name(value_kind kind) noexcept {
  constexpr std::string_view names[] = {"nothing", "null", "bool", "int", "float", "string", "bytes", "array", "map", "ext"};
  return names[static_cast<std::size_t>(kind)];
}

class value_view;

// How a type is written and read: `static void write(value_writer &, const T &)` and `static bool read(value_view, T &)`.
template <class T, class = void>
struct value_codec;

// One encoded value, borrowed. Bytes that are no value have kind none.
class value_view {
 public:
  value_view() noexcept = default;
  value_view(std::string_view bytes, value_encoding encoding) noexcept : bytes_(bytes), encoding_(encoding) {}
  explicit value_view(payload_view payload) noexcept : value_view(payload.text(), encoding_of(payload.serialization)) {}

  value_kind kind() const noexcept { return head().kind; }
  std::string_view bytes() const noexcept { return bytes_; }
  value_encoding encoding() const noexcept { return encoding_; }
  bool is_null() const noexcept { return kind() == value_kind::null; }

  // The value as a type, or what it is instead.
  template <class T>
  result<T> get() const {
    T made{};
    if (value_codec<T>::read(*this, made)) return result<T>(std::move(made));
    std::string text(kind_name(kind()));
    if (encoding_ == value_encoding::json) text.append(" ").append(bytes_.substr(0, 40));
    return error(AIMRT_RPC_RESULT_INVALID_ARGUMENT, text + " cannot be read as the type that is wanted");
  }

  // Calls f(value_view) for every element of an array, until f gives false. False when this is no array, or f stopped.
  template <class F>
  bool each(F &&f) const {
    detail::value_cursor at = open(value_kind::array);
    for (; at.more(); at.next()) {
      if (!f(value_view(at.item(), encoding_))) return false;
    }
    return at.good;
  }
  // Calls f(key, value_view) for every entry of a map whose key is a string; otherwise as each.
  template <class F>
  bool each_entry(F &&f) const {
    detail::value_cursor at = open(value_kind::map);
    std::string key;
    for (; at.more(); at.next()) {
      if (!value_view(at.item(), encoding_).read_string(key)) return false;
      at.next();
      if (!at.more() || !f(std::string_view(key), value_view(at.item(), encoding_))) return false;
    }
    return at.good;
  }
  // The element of an array, the entry of a map; kind none when it is not there.
  value_view at(std::size_t index) const {
    value_view found;
    each([&](value_view item) { return index-- != 0 || (found = item, false); });
    return found;
  }
  value_view find(std::string_view key) const {
    value_view found;
    each_entry([&](std::string_view name, value_view item) { return name != key || (found = item, false); });
    return found;
  }
  // Elements of an array or entries of a map; 0 for anything else.
  std::size_t size() const {
    std::size_t count = 0;
    if (kind() == value_kind::map) {
      each_entry([&](std::string_view, value_view) { return ++count, true; });
    } else {
      each([&](value_view) { return ++count, true; });
    }
    return count;
  }

  // The primitives of codecs; false, and nothing written, when this is something else or does not fit.
  bool read_bool(bool &out) const noexcept {
    const detail::value_head found = head();
    if (found.kind == value_kind::boolean) out = found.truth;
    return found.kind == value_kind::boolean;
  }
  template <class T>
  bool read_integer(T &out) const noexcept {
    const detail::value_head found = head();
    if (found.kind != value_kind::integer || !found.fits) return false;
    if (found.negative) {
      const auto number = static_cast<std::int64_t>(found.bits);
      if (std::is_unsigned_v<T> || number < static_cast<std::int64_t>(std::numeric_limits<T>::min())) return false;
    } else if (found.bits > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
      return false;
    }
    out = static_cast<T>(found.bits);
    return true;
  }
  bool read_float(double &out) const noexcept {
    const detail::value_head found = head();
    if (found.kind != value_kind::floating && found.kind != value_kind::integer) return false;
    out = found.number;
    return true;
  }
  bool read_string(std::string &out) const {
    if (encoding_ == value_encoding::json) return detail::json_string(bytes_, out);
    const detail::value_head found = head();
    if (found.kind != value_kind::string) return false;
    out.assign(bytes_.substr(found.body, found.size));
    return true;
  }

 private:
  detail::value_head head() const noexcept {
    return encoding_ == value_encoding::json ? detail::json_head(bytes_) : detail::msgpack_head(bytes_);
  }
  detail::value_cursor open(value_kind wanted) const noexcept {
    return encoding_ == value_encoding::json ? detail::json_open(bytes_, wanted) : detail::msgpack_open(bytes_, wanted);
  }

  std::string_view bytes_;
  value_encoding encoding_ = value_encoding::json;
};

// One encoded value, owned: of any kind, kept as it came or made by a value_writer.
class value {
 public:
  value() = default;
  value(std::string bytes, value_encoding encoding) : bytes_(std::move(bytes)), encoding_(encoding) {}
  explicit value(value_view view) : value(std::string(view.bytes()), view.encoding()) {}

  value_view view() const noexcept { return {bytes_, encoding_}; }
  const std::string &bytes() const noexcept { return bytes_; }
  value_encoding encoding() const noexcept { return encoding_; }

 private:
  std::string bytes_ = "null";
  value_encoding encoding_ = value_encoding::json;
};

// Writes one value. An array or a map says first how many elements or entries follow, and closes itself after them.
class value_writer {
 public:
  explicit value_writer(value_encoding encoding) : encoding_(encoding) {}

  value_encoding encoding() const noexcept { return encoding_; }
  const std::string &bytes() const & noexcept { return out_; }
  value finish() && { return value(std::move(out_), encoding_); }
  // False when an encoded value of the other encoding was to be written. Such a value is refused, not converted.
  bool good() const noexcept { return good_; }

  void null() { plain("null", '\xc0'); }
  void boolean(bool truth) { truth ? plain("true", '\xc3') : plain("false", '\xc2'); }
  template <class T, class = std::enable_if_t<std::is_integral_v<T>>>
  void integer(T number) {
    begin();
    if (encoding_ == value_encoding::json) {
      out_ += std::to_string(number);
    } else if (number < T{}) {
      detail::msgpack_negative(out_, static_cast<std::int64_t>(number));
    } else {
      detail::msgpack_unsigned(out_, static_cast<std::uint64_t>(number));
    }
    end();
  }
  void floating(double number) {
    begin();
    encoding_ == value_encoding::json ? detail::json_float(out_, number) : detail::msgpack_float(out_, number);
    end();
  }
  void string(std::string_view text) {
    begin();
    encoding_ == value_encoding::json ? detail::json_quote(out_, text) : detail::msgpack_text(out_, text);
    end();
  }
  void array(std::size_t count) { open(count, '[', ']', '\x90', '\xdc'); }
  // Keys and values follow in turn: string(key), then the value.
  void map(std::size_t count) { open(count * 2, '{', '}', '\x80', '\xde'); }
  // A value that is encoded already.
  void encoded(value_view what) {
    begin();
    good_ = good_ && what.encoding() == encoding_ && !what.bytes().empty();
    out_ += what.bytes();
    end();
  }

  template <class T>
  void write(const T &what) {
    value_codec<T>::write(*this, what);
  }
  void write(const char *text) { string(text); }
  void write(std::string_view text) { string(text); }

 private:
  struct level {
    std::size_t left, total;
    char close;
  };

  void plain(std::string_view json, char msgpack) {
    begin();
    encoding_ == value_encoding::json ? out_.append(json) : out_.append(1, msgpack);
    end();
  }
  void begin() {
    if (encoding_ != value_encoding::json || levels_.empty()) return;
    const level &in = levels_.back();
    if (in.left == in.total) return;
    const bool after_key = in.close == '}' && (in.total - in.left) % 2 == 1;
    out_ += after_key ? ": " : ", ";
  }
  void end() {
    while (!levels_.empty() && --levels_.back().left == 0) close();
  }
  void close() {
    if (encoding_ == value_encoding::json) out_ += levels_.back().close;
    levels_.pop_back();
  }
  void open(std::size_t items, char json_open, char json_close, char fix, char wide) {
    begin();
    if (encoding_ == value_encoding::json) {
      out_ += json_open;
    } else {
      detail::msgpack_count(out_, json_close == '}' ? items / 2 : items, fix, wide);
    }
    levels_.push_back({items, items, json_close});
    if (items != 0) return;
    close();
    end();
  }

  value_encoding encoding_;
  bool good_ = true;
  std::string out_;
  std::vector<level> levels_;
};

// ---- Codecs ----------------------------------------------------------------------------------------------------------------

template <>
struct value_codec<bool> {
  static void write(value_writer &to, bool what) { to.boolean(what); }
  static bool read(value_view from, bool &out) noexcept { return from.read_bool(out); }
};

template <class T>
struct value_codec<T, std::enable_if_t<std::is_integral_v<T>>> {
  static void write(value_writer &to, T what) { to.integer(what); }
  static bool read(value_view from, T &out) noexcept { return from.read_integer(out); }
};

template <class T>
struct value_codec<T, std::enable_if_t<std::is_floating_point_v<T>>> {
  static void write(value_writer &to, T what) { to.floating(static_cast<double>(what)); }
  static bool read(value_view from, T &out) noexcept {
    double number = 0;
    if (!from.read_float(number)) return false;
    out = static_cast<T>(number);
    return true;
  }
};

template <>
struct value_codec<std::string> {
  static void write(value_writer &to, const std::string &what) { to.string(what); }
  static bool read(value_view from, std::string &out) { return from.read_string(out); }
};

template <>
struct value_codec<std::string_view> {
  static void write(value_writer &to, std::string_view what) { to.string(what); }
};

template <std::size_t N>
struct value_codec<char[N]> {
  static void write(value_writer &to, const char *what) { to.string(what); }
};

template <>
struct value_codec<std::nullptr_t> {
  static void write(value_writer &to, std::nullptr_t) { to.null(); }
  static bool read(value_view from, std::nullptr_t &) noexcept { return from.is_null(); }
};

template <>
struct value_codec<value_view> {
  static void write(value_writer &to, value_view what) { to.encoded(what); }
};

template <>
struct value_codec<value> {
  static void write(value_writer &to, const value &what) { to.encoded(what.view()); }
  static bool read(value_view from, value &out) {
    out = value(from);
    return from.kind() != value_kind::none;
  }
};

template <class T>
struct value_codec<std::optional<T>> {
  static void write(value_writer &to, const std::optional<T> &what) { what ? to.write(*what) : to.null(); }
  static bool read(value_view from, std::optional<T> &out) {
    out.reset();
    return from.is_null() || value_codec<T>::read(from, out.emplace());
  }
};

template <class T>
struct value_codec<std::vector<T>> {
  static void write(value_writer &to, const std::vector<T> &what) {
    to.array(what.size());
    for (const auto &item : what) to.write(static_cast<const T &>(item));
  }
  static bool read(value_view from, std::vector<T> &out) {
    out.clear();
    return from.each([&](value_view item) {
      T made{};
      if (!value_codec<T>::read(item, made)) return false;
      out.push_back(std::move(made));
      return true;
    });
  }
};

namespace detail {

template <class Map>
struct map_codec {
  static void write(value_writer &to, const Map &what) {
    to.map(what.size());
    for (const auto &entry : what) {
      to.string(entry.first);
      to.write(entry.second);
    }
  }
  static bool read(value_view from, Map &out) {
    out.clear();
    return from.each_entry([&](std::string_view key, value_view item) {
      return value_codec<typename Map::mapped_type>::read(item, out[std::string(key)]);
    });
  }
};

template <class Tuple, std::size_t... I>
bool read_tuple(value_view from, Tuple &out, std::index_sequence<I...>) {
  std::size_t index = 0;
  const auto one = [&](value_view item) {
    bool good = false;
    static_cast<void>(((I == index && (good = value_codec<std::tuple_element_t<I, Tuple>>::read(item, std::get<I>(out)))) || ...));
    ++index;
    return good;
  };
  return from.each(one) && index == sizeof...(I);
}

template <class Tuple>
struct tuple_codec {
  static void write(value_writer &to, const Tuple &what) {
    to.array(std::tuple_size_v<Tuple>);
    std::apply([&](const auto &...item) { (to.write(item), ...); }, what);
  }
  static bool read(value_view from, Tuple &out) {
    return read_tuple(from, out, std::make_index_sequence<std::tuple_size_v<Tuple>>());
  }
};

}  // namespace detail

template <class T>
struct value_codec<std::map<std::string, T>> : detail::map_codec<std::map<std::string, T>> {};
template <class T>
struct value_codec<std::unordered_map<std::string, T>> : detail::map_codec<std::unordered_map<std::string, T>> {};
template <class... T>
struct value_codec<std::tuple<T...>> : detail::tuple_codec<std::tuple<T...>> {};
template <class A, class B>
struct value_codec<std::pair<A, B>> : detail::tuple_codec<std::pair<A, B>> {};

// Encodes anything that has a codec.
template <class T>
value encode_value(const T &what, value_encoding encoding) {
  value_writer to(encoding);
  to.write(what);
  return std::move(to).finish();
}

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_VALUE_HPP_
