// Between AimRT's string views and those of C++.
#pragma once

#include <string>
#include <string_view>

#include "aimrt_rpc_compat.h"

namespace aimrt::util {

inline aimrt_string_view_t ToAimRTStringView(std::string_view text) { return {text.data(), text.size()}; }
inline aimrt_string_view_t ToAimRTStringView(const std::string& text) { return {text.data(), text.size()}; }
inline aimrt_string_view_t ToAimRTStringView(const char* text) { return ToAimRTStringView(std::string_view(text)); }

inline std::string_view ToStdStringView(aimrt_string_view_t text) { return {text.str, text.len}; }
inline std::string ToStdString(aimrt_string_view_t text) { return std::string(ToStdStringView(text)); }

}  // namespace aimrt::util
