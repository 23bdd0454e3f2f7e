// Small helpers for texts.
#pragma once

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace aimrt::common::util {

// Hash and equality by which maps with text keys can be searched with any kind of text.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

inline std::string& Trim(std::string& text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), is_space).base(), text.end());
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  return text;
}

inline std::string& StrToLower(std::string& text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}
inline std::string& StrToUpper(std::string& text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

inline bool StartsWith(std::string_view text, std::string_view pattern) { return text.starts_with(pattern); }
inline bool EndsWith(std::string_view text, std::string_view pattern) { return text.ends_with(pattern); }

inline std::string& ReplaceString(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return text;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

// The parts of a text between separators; trim takes the spaces off each part, clear leaves empty parts out.
template <typename T = std::string>
std::vector<T> SplitToVec(std::string_view text, std::string_view separator, bool trim = true, bool clear = true) {
  std::vector<T> parts;
  if (text.empty() || separator.empty()) return parts;
  for (size_t begin = 0;;) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    std::string part(text.substr(begin, end - begin));
    if (trim) Trim(part);
    if (!clear || !part.empty()) {
      if constexpr (std::is_same_v<T, std::string>) {
        parts.push_back(std::move(part));
      } else {
        T value{};
        std::istringstream(part) >> value;
        parts.push_back(std::move(value));
      }
    }
    if (end == text.size()) return parts;
    begin = end + separator.size();
  }
}

template <typename Container>
std::string JoinVec(const Container& values, std::string_view separator) {
  std::ostringstream text;
  bool first = true;
  for (const auto& value : values) {
    if (!first) text << separator;
    first = false;
    text << value;
  }
  return std::move(text).str();
}

template <typename Container>
std::string Container2Str(const Container& values) {
  return "[" + JoinVec(values, ",") + "]";
}

template <typename Map>
std::string Map2Str(const Map& map) {
  std::ostringstream text;
  text << "{";
  bool first = true;
  for (const auto& [key, value] : map) {
    if (!first) text << ",";
    first = false;
    text << "\"" << key << "\":\"" << value << "\"";
  }
  text << "}";
  return std::move(text).str();
}

}  // namespace aimrt::common::util
