// Reading and writing JSON values in place. The literals NaN, Infinity and -Infinity are accepted and written, as Python does.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_DETAIL_VALUE_JSON_HPP_
#define AIMRT_RPC_DETAIL_VALUE_JSON_HPP_

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif

namespace aimrt_rpc::detail {

enum class value_kind : std::uint8_t { none, null, boolean, integer, floating, string, bytes, array, map, ext };

// What a value is, and its content where that is a number.
struct value_head {
  value_kind kind = value_kind::none;
  bool truth = false;
  bool negative = false;    // an integer below 0: bits are those of the int64
  bool fits = true;         // an integer has at most 64 bits
  std::uint64_t bits = 0;   // an integer
  double number = 0;        // an integer or a float
  std::size_t body = 0;     // MsgPack: where the content of a text or of bytes begins
  std::size_t size = 0;     // MsgPack: its bytes, or the count of elements
};

// How deep values may nest before they are called unreadable.
inline constexpr std::size_t value_max_depth = 128;

// Goes over the elements of an array, or over keys and values of a map in turn.
struct value_cursor {
  std::string_view data;  // the whole value
  std::size_t begin = 0;  // of the present item
  std::size_t end = 0;    // behind it; begin == end: there is none
  std::size_t left = 0;   // MsgPack: items after this one
  bool good = false;      // false: no such value, or its bytes ended early
  std::size_t (*skip)(std::string_view data, std::size_t at, std::size_t depth) noexcept = nullptr;
  void (*advance)(value_cursor &at) noexcept = nullptr;

  bool more() const noexcept { return begin != end; }
  std::string_view item() const noexcept { return data.substr(begin, end - begin); }
  void next() noexcept { advance(*this); }
  // Takes the item at a place.
  void take(std::size_t place) noexcept {
    const std::size_t after = skip(data, place, 0);
    good = after != 0;
    begin = good ? place : 0;
    end = good ? after : 0;
  }
  void finish(bool well) noexcept {
    begin = end = 0;
    good = well;
  }
};

// ---- JSON, reading -----------------------------------------------------------------------------------------------------------

inline std::size_t json_space(std::string_view data, std::size_t at) noexcept {
  while (at < data.size() && (data[at] == ' ' || data[at] == '\n' || data[at] == '\t' || data[at] == '\r')) ++at;
  return at;
}

inline bool json_is(std::string_view data, std::size_t at, std::string_view literal) noexcept {
  return data.substr(at, literal.size()) == literal;
}

// Behind the string that begins at a place; 0 when it does not end.
inline std::size_t json_skip_string(std::string_view data, std::size_t at) noexcept {
  for (++at; at < data.size(); ++at) {
    if (data[at] == '\\') {
      ++at;
    } else if (data[at] == '"') {
      return at + 1;
    }
  }
  return 0;
}

inline std::size_t json_skip(std::string_view data, std::size_t at, std::size_t depth) noexcept {
  if (at >= data.size() || depth > value_max_depth) return 0;
  const char first = data[at];
  if (first == '"') return json_skip_string(data, at);
  if (first != '[' && first != '{') {
    std::size_t end = at;
    while (end < data.size() && std::string_view(",]} \n\t\r:").find(data[end]) == std::string_view::npos) ++end;
    return end == at ? 0 : end;
  }
  const char close = first == '[' ? ']' : '}';
  at = json_space(data, at + 1);
  if (at < data.size() && data[at] == close) return at + 1;
  while (at < data.size()) {
    if (at = json_skip(data, at, depth + 1); at == 0) return 0;
    at = json_space(data, at);
    if (at >= data.size()) return 0;
    if (data[at] == close) return at + 1;
    if (data[at] != ',' && !(close == '}' && data[at] == ':')) return 0;
    at = json_space(data, at + 1);
  }
  return 0;
}

inline double json_number(std::string_view text) noexcept {
  double number = 0;
#if defined(__cpp_lib_to_chars)
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc::result_out_of_range) {
    return text.find("e-") != text.npos || text.find("E-") != text.npos ? 0.0 : (text[0] == '-' ? -HUGE_VAL : HUGE_VAL);
  }
#else
  std::istringstream in{std::string(text)};
  in.imbue(std::locale::classic());
  in >> number;
#endif
  return number;
}

inline value_head json_head_of_number(std::string_view text) noexcept {
  value_head found;
  if (text == "NaN" || text == "Infinity" || text == "-Infinity") {
    found.kind = value_kind::floating;
    found.number = text == "NaN" ? std::numeric_limits<double>::quiet_NaN()
                                 : (text[0] == '-' ? -1 : 1) * std::numeric_limits<double>::infinity();
    return found;
  }
  if (text.empty() || !(text[0] == '-' || (text[0] >= '0' && text[0] <= '9'))) return found;
  found.number = json_number(text);
  found.kind = text.find_first_of(".eE") == text.npos ? value_kind::integer : value_kind::floating;
  if (found.kind == value_kind::floating) return found;
  const char *end = text.data() + text.size();
  if (text[0] == '-') {
    std::int64_t number = 0;
    found.fits = std::from_chars(text.data(), end, number).ec == std::errc();
    found.negative = number < 0;
    found.bits = static_cast<std::uint64_t>(number);
  } else {
    found.fits = std::from_chars(text.data(), end, found.bits).ec == std::errc();
  }
  return found;
}

inline value_head json_head(std::string_view data) noexcept {
  value_head found;
  const std::size_t at = json_space(data, 0);
  if (at >= data.size()) return found;
  switch (data[at]) {
    case '"': found.kind = value_kind::string; return found;
    case '[': found.kind = value_kind::array; return found;
    case '{': found.kind = value_kind::map; return found;
    case 'n': found.kind = json_is(data, at, "null") ? value_kind::null : value_kind::none; return found;
    case 't':
    case 'f':
      found.truth = json_is(data, at, "true");
      found.kind = found.truth || json_is(data, at, "false") ? value_kind::boolean : value_kind::none;
      return found;
    default: break;
  }
  const std::size_t end = json_skip(data, at, 0);
  return end == 0 ? found : json_head_of_number(data.substr(at, end - at));
}

inline void json_advance(value_cursor &at) noexcept {
  const std::size_t behind = json_space(at.data, at.end);
  if (behind >= at.data.size()) return at.finish(false);
  const char found = at.data[behind];
  if (found == ']' || found == '}') return at.finish(true);
  if (found != ',' && found != ':') return at.finish(false);
  at.take(json_space(at.data, behind + 1));
}

inline value_cursor json_open(std::string_view data, value_kind wanted) noexcept {
  value_cursor at;
  at.data = data;
  at.skip = json_skip;
  at.advance = json_advance;
  const std::size_t open = json_space(data, 0);
  const bool array = wanted == value_kind::array;
  if (open >= data.size() || data[open] != (array ? '[' : '{')) return at;
  const std::size_t first = json_space(data, open + 1);
  if (first < data.size() && data[first] == (array ? ']' : '}')) {
    at.good = true;
  } else {
    at.take(first);
  }
  return at;
}

inline void append_utf8(std::string &out, std::uint32_t rune) {
  const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
  if (rune < 0x80) return byte(rune);
  if (rune < 0x800) {
    byte(0xc0 | rune >> 6);
  } else {
    if (rune < 0x10000) {
      byte(0xe0 | rune >> 12);
    } else {
      byte(0xf0 | rune >> 18);
      byte(0x80 | (rune >> 12 & 0x3f));
    }
    byte(0x80 | (rune >> 6 & 0x3f));
  }
  byte(0x80 | (rune & 0x3f));
}

inline bool json_hex(std::string_view data, std::size_t at, std::uint32_t &out) noexcept {
  if (at + 4 > data.size()) return false;
  const auto parsed = std::from_chars(data.data() + at, data.data() + at + 4, out, 16);
  return parsed.ec == std::errc() && parsed.ptr == data.data() + at + 4;
}

// The rune of "\uXXXX" whose digits begin at a place, with the other half of a pair; a half alone becomes U+FFFD. at moves behind it.
inline bool json_rune(std::string_view data, std::size_t &at, std::uint32_t &rune) noexcept {
  if (!json_hex(data, at, rune)) return false;
  at += 4;
  if (rune < 0xd800 || rune > 0xdfff) return true;
  std::uint32_t low = 0;
  if (rune < 0xdc00 && json_is(data, at, "\\u") && json_hex(data, at + 2, low) && low >= 0xdc00 && low <= 0xdfff) {
    at += 6;
    rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
  } else {
    rune = 0xfffd;
  }
  return true;
}

// Unescapes a string value.
inline bool json_string(std::string_view data, std::string &out) {
  std::size_t at = json_space(data, 0);
  if (at >= data.size() || data[at] != '"') return false;
  const std::size_t end = json_skip_string(data, at);
  if (end == 0) return false;
  out.clear();
  for (++at; at + 1 < end;) {
    const char c = data[at++];
    if (c != '\\') {
      out += c;
      continue;
    }
    constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    const char escaped = data[at++];
    std::uint32_t rune = 0;
    if (const std::size_t which = from.find(escaped); which != from.npos) {
      out += to[which];
    } else if (escaped == 'u' && json_rune(data, at, rune)) {
      append_utf8(out, rune);
    } else {
      return false;
    }
  }
  return true;
}

// ---- JSON, writing -----------------------------------------------------------------------------------------------------------

inline void json_quote(std::string &out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

inline void json_float(std::string &out, double number) {
  if (std::isnan(number) || std::isinf(number)) {
    out += std::isnan(number) ? "NaN" : (number < 0 ? "-Infinity" : "Infinity");
    return;
  }
  const std::size_t begin = out.size();
#if defined(__cpp_lib_to_chars)
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, number);
  out.append(text, static_cast<std::size_t>(written.ptr - text));
#else
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(std::numeric_limits<double>::max_digits10);
  text << number;
  out += text.str();
#endif
  if (out.find_first_of(".e", begin) == out.npos) out += ".0";  // a float stays one
}

}  // namespace aimrt_rpc::detail

#endif  // AIMRT_RPC_DETAIL_VALUE_JSON_HPP_
