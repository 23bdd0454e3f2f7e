// Reading and writing MsgPack values in place.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_DETAIL_VALUE_MSGPACK_HPP_
#define AIMRT_RPC_DETAIL_VALUE_MSGPACK_HPP_

#include <aimrt_rpc/detail/value_json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace aimrt_rpc::detail {

// ---- MsgPack, reading --------------------------------------------------------------------------------------------------------

inline std::uint64_t msgpack_big_endian(std::string_view data, std::size_t at, std::size_t size) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) number = number << 8 | static_cast<unsigned char>(data[at + i]);
  return number;
}

inline value_head msgpack_integer(std::uint64_t bits, bool negative) noexcept {
  value_head found;
  found.kind = value_kind::integer;
  found.bits = bits;
  found.negative = negative;
  found.number = negative ? static_cast<double>(static_cast<std::int64_t>(bits)) : static_cast<double>(bits);
  return found;
}

// The head of a number of a fixed width: 0xca to 0xd3.
inline value_head msgpack_number(unsigned char type, std::uint64_t bits, std::size_t width) noexcept {
  value_head found;
  if (type >= 0xcc) {
    const bool is_signed = type >= 0xd0;
    const auto shift = static_cast<unsigned>(64 - 8 * width);
    const bool negative = is_signed && (bits << shift >> 63) != 0;
    if (negative && width < 8) bits |= ~std::uint64_t{0} << (8 * width);
    found = msgpack_integer(bits, negative);
  } else if (type == 0xca) {
    const auto narrow = static_cast<std::uint32_t>(bits);
    float number = 0;
    std::memcpy(&number, &narrow, sizeof number);
    found.kind = value_kind::floating;
    found.number = static_cast<double>(number);
  } else {
    found.kind = value_kind::floating;
    std::memcpy(&found.number, &bits, sizeof found.number);
  }
  found.body = 1 + width;
  return found;
}

// A kind whose size or count of so many bytes stands behind the type.
struct msgpack_sized {
  value_kind kind;
  std::uint8_t width;
  std::uint8_t more;  // bytes between size and content: the type of an ext
};

inline msgpack_sized msgpack_sized_of(unsigned char type) noexcept {
  switch (type) {
    case 0xc4: return {value_kind::bytes, 1, 0};
    case 0xc5: return {value_kind::bytes, 2, 0};
    case 0xc6: return {value_kind::bytes, 4, 0};
    case 0xc7: return {value_kind::ext, 1, 1};
    case 0xc8: return {value_kind::ext, 2, 1};
    case 0xc9: return {value_kind::ext, 4, 1};
    case 0xd9: return {value_kind::string, 1, 0};
    case 0xda: return {value_kind::string, 2, 0};
    case 0xdb: return {value_kind::string, 4, 0};
    case 0xdc: return {value_kind::array, 2, 0};
    case 0xdd: return {value_kind::array, 4, 0};
    case 0xde: return {value_kind::map, 2, 0};
    case 0xdf: return {value_kind::map, 4, 0};
    default: return {value_kind::none, 0, 0};
  }
}

inline value_head msgpack_short(value_kind kind, std::size_t size) noexcept {
  value_head found;
  found.kind = kind;
  found.body = 1;
  found.size = size;
  return found;
}

// The head of the value at the beginning of data; kind none when its bytes are not all there (elements of arrays and maps apart).
inline value_head msgpack_head(std::string_view data) noexcept {
  if (data.empty()) return {};
  const auto type = static_cast<unsigned char>(data[0]);
  value_head found;
  if (type <= 0x7f || type >= 0xe0) {
    found = msgpack_integer(static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int8_t>(type))), type >= 0xe0);
    found.body = 1;
  } else if (type <= 0x8f) {
    found = msgpack_short(value_kind::map, type & 0x0fu);
  } else if (type <= 0x9f) {
    found = msgpack_short(value_kind::array, type & 0x0fu);
  } else if (type <= 0xbf) {
    found = msgpack_short(value_kind::string, type & 0x1fu);
  } else if (type == 0xc0 || type == 0xc2 || type == 0xc3) {
    found = msgpack_short(type == 0xc0 ? value_kind::null : value_kind::boolean, 0);
    found.truth = type == 0xc3;
  } else if (type >= 0xd4 && type <= 0xd8) {
    found = msgpack_short(value_kind::ext, std::size_t{1} << (type - 0xd4));
    found.body = 2;
  } else if (type >= 0xca && type <= 0xd3) {
    constexpr std::uint8_t widths[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
    const std::size_t width = widths[type - 0xca];
    if (data.size() < 1 + width) return {};
    return msgpack_number(type, msgpack_big_endian(data, 1, width), width);
  } else {
    const msgpack_sized sized = msgpack_sized_of(type);
    if (sized.kind == value_kind::none || data.size() < std::size_t{1} + sized.width + sized.more) return {};
    found = msgpack_short(sized.kind, msgpack_big_endian(data, 1, sized.width));
    found.body = std::size_t{1} + sized.width + sized.more;
  }
  const bool flat = found.kind == value_kind::string || found.kind == value_kind::bytes || found.kind == value_kind::ext;
  if (flat && (found.body > data.size() || data.size() - found.body < found.size)) return {};
  return found;
}

inline std::size_t msgpack_skip(std::string_view data, std::size_t at, std::size_t depth) noexcept {
  if (at >= data.size() || depth > value_max_depth) return 0;
  const value_head found = msgpack_head(data.substr(at));
  switch (found.kind) {
    case value_kind::none: return 0;
    case value_kind::string:
    case value_kind::bytes:
    case value_kind::ext: return at + found.body + found.size;
    case value_kind::array:
    case value_kind::map: break;
    default: return at + found.body;
  }
  at += found.body;
  for (std::size_t left = found.kind == value_kind::map ? 2 * found.size : found.size; left > 0; --left) {
    if (at = msgpack_skip(data, at, depth + 1); at == 0) return 0;
  }
  return at;
}

inline void msgpack_advance(value_cursor &at) noexcept {
  if (at.left == 0) return at.finish(true);
  --at.left;
  at.take(at.end);
}

inline value_cursor msgpack_open(std::string_view data, value_kind wanted) noexcept {
  value_cursor at;
  at.data = data;
  at.skip = msgpack_skip;
  at.advance = msgpack_advance;
  const value_head found = msgpack_head(data);
  if (found.kind != wanted) return at;
  at.left = wanted == value_kind::map ? 2 * found.size : found.size;
  at.end = found.body;
  if (at.left == 0) {
    at.finish(true);
  } else {
    msgpack_advance(at);
  }
  return at;
}

// ---- MsgPack, writing --------------------------------------------------------------------------------------------------------

inline void msgpack_put(std::string &out, char type, std::uint64_t number, unsigned width) {
  out += type;
  for (unsigned at = width; at > 0; --at) out += static_cast<char>(static_cast<unsigned char>(number >> (8 * (at - 1))));
}

inline void msgpack_unsigned(std::string &out, std::uint64_t number) {
  if (number < 0x80) {
    out += static_cast<char>(number);
  } else if (number <= 0xff) {
    msgpack_put(out, '\xcc', number, 1);
  } else if (number <= 0xffff) {
    msgpack_put(out, '\xcd', number, 2);
  } else if (number <= 0xffffffff) {
    msgpack_put(out, '\xce', number, 4);
  } else {
    msgpack_put(out, '\xcf', number, 8);
  }
}

inline void msgpack_negative(std::string &out, std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  if (number >= -32) {
    out += static_cast<char>(number);
  } else if (number >= INT8_MIN) {
    msgpack_put(out, '\xd0', bits, 1);
  } else if (number >= INT16_MIN) {
    msgpack_put(out, '\xd1', bits, 2);
  } else if (number >= INT32_MIN) {
    msgpack_put(out, '\xd2', bits, 4);
  } else {
    msgpack_put(out, '\xd3', bits, 8);
  }
}

inline void msgpack_float(std::string &out, double number) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  msgpack_put(out, '\xcb', bits, 8);
}

inline void msgpack_text(std::string &out, std::string_view text) {
  if (text.size() < 32) {
    out += static_cast<char>(static_cast<unsigned char>(0xa0u | text.size()));
  } else if (text.size() <= 0xff) {
    msgpack_put(out, '\xd9', text.size(), 1);
  } else if (text.size() <= 0xffff) {
    msgpack_put(out, '\xda', text.size(), 2);
  } else {
    msgpack_put(out, '\xdb', text.size(), 4);
  }
  out += text;
}

// The head of an array or map; wide is the type with two bytes, its successor the one with four.
inline void msgpack_count(std::string &out, std::size_t count, char fix, char wide) {
  if (count < 16) {
    out += static_cast<char>(static_cast<unsigned char>(fix) | static_cast<unsigned char>(count));
  } else if (count <= 0xffff) {
    msgpack_put(out, wide, count, 2);
  } else {
    msgpack_put(out, static_cast<char>(static_cast<unsigned char>(wide) + 1), count, 4);
  }
}

}  // namespace aimrt_rpc::detail

#endif  // AIMRT_RPC_DETAIL_VALUE_MSGPACK_HPP_
