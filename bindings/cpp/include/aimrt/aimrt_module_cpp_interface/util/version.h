// The version of AimRT whose interface this is, as text and as a number for the guards of generated stubs.
#pragma once

#include <cstdint>
#include <string_view>

#ifndef AIMRT_RUNTIME_VERSION
  #define AIMRT_RUNTIME_VERSION "1.7.0"
#endif

// The oldest generation of stubs that compiles against these headers.
#ifndef AIMRT_MIN_GENCODE_VERSION
  #define AIMRT_MIN_GENCODE_VERSION "1.0.0"
#endif

namespace aimrt::util {

// major * 1'000'000 + minor * 1'000 + patch of "major.minor.patch"; what follows the patch is not looked at.
constexpr uint32_t VersionToInt(std::string_view version) {
  uint32_t parts[3] = {0, 0, 0};
  size_t part = 0;
  for (const char c : version) {
    if (c == '.' && part < 2) {
      ++part;
    } else if (c >= '0' && c <= '9') {
      parts[part] = parts[part] * 10 + static_cast<uint32_t>(c - '0');
    } else {
      break;
    }
  }
  return parts[0] * 1'000'000 + parts[1] * 1'000 + parts[2];
}

constexpr std::string_view GetAimRTRuntimeVersion() { return AIMRT_RUNTIME_VERSION; }

}  // namespace aimrt::util

#define AIMRT_RUNTIME_VERSION_INT (::aimrt::util::VersionToInt(AIMRT_RUNTIME_VERSION))
#define AIMRT_MIN_GENCODE_VERSION_INT (::aimrt::util::VersionToInt(AIMRT_MIN_GENCODE_VERSION))
