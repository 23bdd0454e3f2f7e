// Conversions between time points and numbers, and their text forms.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>

namespace aimrt::common::util {

inline uint64_t GetTimestampNs(std::chrono::system_clock::time_point t) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count());
}
inline uint64_t GetTimestampUs(std::chrono::system_clock::time_point t) { return GetTimestampNs(t) / 1'000; }
inline uint64_t GetTimestampMs(std::chrono::system_clock::time_point t) { return GetTimestampNs(t) / 1'000'000; }

inline uint64_t GetCurTimestampNs() { return GetTimestampNs(std::chrono::system_clock::now()); }
inline uint64_t GetCurTimestampUs() { return GetCurTimestampNs() / 1'000; }
inline uint64_t GetCurTimestampMs() { return GetCurTimestampNs() / 1'000'000; }

inline std::chrono::system_clock::time_point GetTimePointFromTimestampNs(uint64_t ns) {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(ns)));
}
inline std::chrono::system_clock::time_point GetTimePointFromTimestampUs(uint64_t us) { return GetTimePointFromTimestampNs(us * 1'000); }
inline std::chrono::system_clock::time_point GetTimePointFromTimestampMs(uint64_t ms) { return GetTimePointFromTimestampNs(ms * 1'000'000); }

inline std::tm TimeT2TmLocal(std::time_t t) {
  std::tm result{};
  localtime_r(&t, &result);
  return result;
}
inline std::tm TimeT2TmGmt(std::time_t t) {
  std::tm result{};
  gmtime_r(&t, &result);
  return result;
}

// "YYYYmmddHHMMSS", or with the usual separators "YYYY-mm-dd HH:MM:SS".
inline std::string GetTimeStr(const std::tm& t, bool separators = true) {
  char text[32];
  std::strftime(text, sizeof(text), separators ? "%Y-%m-%d %H:%M:%S" : "%Y%m%d%H%M%S", &t);
  return text;
}
inline std::string GetTimeStr(std::time_t t, bool separators = true) { return GetTimeStr(TimeT2TmLocal(t), separators); }
inline std::string GetCurTimeStr() { return GetTimeStr(std::time(nullptr)); }

}  // namespace aimrt::common::util
