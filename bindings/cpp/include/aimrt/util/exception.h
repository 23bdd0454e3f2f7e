// The exception of this C++ interface, and assertions that throw it.
#pragma once

#include <concepts>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "util/format.h"

namespace aimrt::common::util {

class AimRTException : public std::exception {
 public:
  AimRTException() = default;

  template <typename... Args>
    requires std::constructible_from<std::string, Args...>
  AimRTException(Args&&... args) : text_(std::forward<Args>(args)...) {}

  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

namespace details {

// "[file:line @function]: text", the form of all texts that say where they come from.
inline std::string TextWithPlace(const std::source_location& place, std::string_view text) {
  std::string result = "[";
  result.append(place.file_name()).append(":").append(std::to_string(place.line()));
  result.append(" @").append(place.function_name()).append("]: ").append(text);
  return result;
}

[[noreturn]] inline void ThrowAt(const std::source_location& place, std::string_view text) {
  throw AimRTException(TextWithPlace(place, text));
}

// Every function of a Ref starts with it.
inline void CheckReference(const void* reference, const std::source_location& place = std::source_location::current()) {
  if (reference == nullptr) [[unlikely]]
    ThrowAt(place, "Reference is null.");
}

}  // namespace details
}  // namespace aimrt::common::util

#define AIMRT_ASSERT_WITH_LOC(__location__, __condition__, __format__, ...)                                \
  do {                                                                                                     \
    if (!(__condition__)) [[unlikely]] {                                                                   \
      ::aimrt::common::util::details::ThrowAt(__location__, ::aimrt_fmt::format(__format__ __VA_OPT__(, ) __VA_ARGS__)); \
    }                                                                                                      \
  } while (0)

#define AIMRT_ASSERT(__condition__, __format__, ...) \
  AIMRT_ASSERT_WITH_LOC(std::source_location::current(), __condition__, __format__ __VA_OPT__(, ) __VA_ARGS__)
