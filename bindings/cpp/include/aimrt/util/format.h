// aimrt_fmt is the namespace that formats: std where the compiler has it, else the fmt library. AIMRT_USE_FMT_LIB asks for fmt.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <version>

#if defined(AIMRT_USE_FMT_LIB) || !defined(__cpp_lib_format)
  #if !__has_include(<fmt/format.h>)
    #error "the compiler has no std::format and there is no fmt library: install it (Debian: libfmt-dev)"
  #endif
  #include <fmt/chrono.h>
  #include <fmt/core.h>
  #include <fmt/format.h>
  #include <fmt/ranges.h>
  #define aimrt_fmt fmt
#else
  #include <format>
  #define aimrt_fmt std
#endif
