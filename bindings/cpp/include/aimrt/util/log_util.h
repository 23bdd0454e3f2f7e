// Log macros. They work on anything with GetLogLevel() and Log(level, line, file, function, text, size): the logger of a module, the
// simple logger below. The short forms use AIMRT_DEFAULT_LOGGER_HANDLE, a GetLogger() found where the macro stands.
// Arguments are evaluated only when the level is enabled.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <source_location>
#include <sstream>
#include <string>
#include <string_view>

#include <sys/syscall.h>
#include <unistd.h>

#include "util/exception.h"
#include "util/format.h"
#include "util/time_util.h"

namespace aimrt::common::util {

constexpr uint32_t kLogLevelTrace = 0;
constexpr uint32_t kLogLevelDebug = 1;
constexpr uint32_t kLogLevelInfo = 2;
constexpr uint32_t kLogLevelWarn = 3;
constexpr uint32_t kLogLevelError = 4;
constexpr uint32_t kLogLevelFatal = 5;

// Writes everything to stderr; for code that runs before there is a module.
class SimpleLogger {
 public:
  static uint32_t GetLogLevel() { return kLogLevelTrace; }

  static void Log(uint32_t level, uint32_t line, const char* file_name, const char* function_name, const char* log_data, size_t log_data_size) {
    static constexpr const char* kNames[] = {"Trace", "Debug", "Info", "Warn", "Error", "Fatal"};
    if (level > kLogLevelFatal) level = kLogLevelFatal;
    const auto now = std::chrono::system_clock::now();
    const auto us = GetTimestampUs(now);
    const std::string time = GetTimeStr(static_cast<std::time_t>(us / 1'000'000));
    std::fprintf(stderr, "[%s.%06u][%s][%ld][%s:%u @%s]%.*s\n", time.c_str(), static_cast<unsigned>(us % 1'000'000), kNames[level],
                 static_cast<long>(::syscall(SYS_gettid)), file_name, static_cast<unsigned>(line), function_name, static_cast<int>(log_data_size), log_data);
  }
};

namespace details {

template <typename Logger>
void LogText(const Logger& logger, uint32_t level, const std::source_location& place, const char* function, std::string_view text) {
  logger.Log(level, place.line(), place.file_name(), function, text.data(), text.size());
}

// Whether a period has passed since the call site spoke last; the first call speaks. Not for several threads at once.
class IntervalGate {
 public:
  bool Pass(uint32_t interval_ms) {
    const auto now = std::chrono::steady_clock::now();
    if (spoken_ && now - last_ < std::chrono::milliseconds(interval_ms)) return false;
    spoken_ = true;
    last_ = now;
    return true;
  }

 private:
  std::chrono::steady_clock::time_point last_{};
  bool spoken_ = false;
};

}  // namespace details
}  // namespace aimrt::common::util

#define AIMRT_HANDLE_LOG(__lgr__, __lvl__, __fmt__, ...)                                                               \
  do {                                                                                                                 \
    const auto& aimrt_log_lgr = __lgr__;                                                                               \
    if ((__lvl__) >= aimrt_log_lgr.GetLogLevel()) {                                                                    \
      ::aimrt::common::util::details::LogText(aimrt_log_lgr, __lvl__, std::source_location::current(), __FUNCTION__,   \
                                              ::aimrt_fmt::format(__fmt__ __VA_OPT__(, ) __VA_ARGS__));                \
    }                                                                                                                  \
  } while (0)

#define AIMRT_HANDLE_LOG_STREAM(__lgr__, __lvl__, __stream__)                                                          \
  do {                                                                                                                 \
    const auto& aimrt_log_lgr = __lgr__;                                                                               \
    if ((__lvl__) >= aimrt_log_lgr.GetLogLevel()) {                                                                    \
      std::ostringstream aimrt_log_stream;                                                                             \
      aimrt_log_stream << __stream__;                                                                                  \
      ::aimrt::common::util::details::LogText(aimrt_log_lgr, __lvl__, std::source_location::current(), __FUNCTION__,   \
                                              aimrt_log_stream.str());                                                 \
    }                                                                                                                  \
  } while (0)

#define AIMRT_HANDLE_LOG_ONCE(__lgr__, __lvl__, __fmt__, ...)                                                          \
  do {                                                                                                                 \
    static bool aimrt_log_spoken = false;                                                                              \
    if (!aimrt_log_spoken) {                                                                                           \
      aimrt_log_spoken = true;                                                                                         \
      AIMRT_HANDLE_LOG(__lgr__, __lvl__, __fmt__ __VA_OPT__(, ) __VA_ARGS__);                                          \
    }                                                                                                                  \
  } while (0)

#define AIMRT_HANDLE_LOG_IF(__lgr__, __lvl__, __cond__, __fmt__, ...)                                                  \
  do {                                                                                                                 \
    if (__cond__) AIMRT_HANDLE_LOG(__lgr__, __lvl__, __fmt__ __VA_OPT__(, ) __VA_ARGS__);                              \
  } while (0)

#define AIMRT_HANDLE_LOG_INTERVAL(__lgr__, __lvl__, __interval_ms__, __fmt__, ...)                                     \
  do {                                                                                                                 \
    static ::aimrt::common::util::details::IntervalGate aimrt_log_gate;                                                \
    if (aimrt_log_gate.Pass(__interval_ms__)) AIMRT_HANDLE_LOG(__lgr__, __lvl__, __fmt__ __VA_OPT__(, ) __VA_ARGS__);  \
  } while (0)

#define AIMRT_HANDLE_LOG_EVERY(__lgr__, __lvl__, __n__, __fmt__, ...)                                                  \
  do {                                                                                                                 \
    static uint64_t aimrt_log_count = 0;                                                                               \
    if (aimrt_log_count++ % (__n__) == 0) AIMRT_HANDLE_LOG(__lgr__, __lvl__, __fmt__ __VA_OPT__(, ) __VA_ARGS__);      \
  } while (0)

#define AIMRT_HANDLE_CHECK_LOG(__lgr__, __expr__, __lvl__, __fmt__, ...)                                               \
  do {                                                                                                                 \
    if (!(__expr__)) [[unlikely]]                                                                                      \
      AIMRT_HANDLE_LOG(__lgr__, __lvl__, __fmt__ __VA_OPT__(, ) __VA_ARGS__);                                          \
  } while (0)

#define AIMRT_HANDLE_LOG_THROW(__lgr__, __lvl__, __fmt__, ...)                                                         \
  do {                                                                                                                 \
    const auto& aimrt_log_lgr = __lgr__;                                                                               \
    std::string aimrt_log_text = ::aimrt_fmt::format(__fmt__ __VA_OPT__(, ) __VA_ARGS__);                              \
    if ((__lvl__) >= aimrt_log_lgr.GetLogLevel()) {                                                                    \
      ::aimrt::common::util::details::LogText(aimrt_log_lgr, __lvl__, std::source_location::current(), __FUNCTION__,   \
                                              aimrt_log_text);                                                         \
    }                                                                                                                  \
    throw ::aimrt::common::util::AimRTException(std::move(aimrt_log_text));                                            \
  } while (0)

#define AIMRT_HANDLE_CHECK_LOG_THROW(__lgr__, __expr__, __lvl__, __fmt__, ...)                                         \
  do {                                                                                                                 \
    if (!(__expr__)) [[unlikely]]                                                                                      \
      AIMRT_HANDLE_LOG_THROW(__lgr__, __lvl__, __fmt__ __VA_OPT__(, ) __VA_ARGS__);                                    \
  } while (0)

#ifndef AIMRT_DEFAULT_LOGGER_HANDLE
  #define AIMRT_DEFAULT_LOGGER_HANDLE GetLogger()
#endif

#define AIMRT_HL_TRACE(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG(__lgr__, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_TRACE_INTERVAL(__lgr__, __ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(__lgr__, ::aimrt::common::util::kLogLevelTrace, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_TRACE(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(__lgr__, __expr__, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_TRACE_THROW(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(__lgr__, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_TRACE_THROW(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(__lgr__, __expr__, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_TRACE(__fmt__, ...) \
  AIMRT_HANDLE_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_TRACE_STREAM(__stream__) \
  AIMRT_HANDLE_LOG_STREAM(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelTrace, __stream__)
#define AIMRT_TRACE_ONCE(__fmt__, ...) \
  AIMRT_HANDLE_LOG_ONCE(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_TRACE_IF(__cond__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_IF(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelTrace, __cond__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_TRACE_EVERY(__n__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_EVERY(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelTrace, __n__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_TRACE_INTERVAL(__ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelTrace, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_TRACE(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_TRACE_THROW(__fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_TRACE_THROW(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelTrace, __fmt__ __VA_OPT__(, ) __VA_ARGS__)

#define AIMRT_HL_DEBUG(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG(__lgr__, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_DEBUG_INTERVAL(__lgr__, __ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(__lgr__, ::aimrt::common::util::kLogLevelDebug, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_DEBUG(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(__lgr__, __expr__, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_DEBUG_THROW(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(__lgr__, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_DEBUG_THROW(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(__lgr__, __expr__, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_DEBUG(__fmt__, ...) \
  AIMRT_HANDLE_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_DEBUG_STREAM(__stream__) \
  AIMRT_HANDLE_LOG_STREAM(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelDebug, __stream__)
#define AIMRT_DEBUG_ONCE(__fmt__, ...) \
  AIMRT_HANDLE_LOG_ONCE(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_DEBUG_IF(__cond__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_IF(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelDebug, __cond__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_DEBUG_EVERY(__n__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_EVERY(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelDebug, __n__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_DEBUG_INTERVAL(__ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelDebug, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_DEBUG(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_DEBUG_THROW(__fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_DEBUG_THROW(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelDebug, __fmt__ __VA_OPT__(, ) __VA_ARGS__)

#define AIMRT_HL_INFO(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG(__lgr__, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_INFO_INTERVAL(__lgr__, __ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(__lgr__, ::aimrt::common::util::kLogLevelInfo, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_INFO(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(__lgr__, __expr__, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_INFO_THROW(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(__lgr__, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_INFO_THROW(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(__lgr__, __expr__, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_INFO(__fmt__, ...) \
  AIMRT_HANDLE_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_INFO_STREAM(__stream__) \
  AIMRT_HANDLE_LOG_STREAM(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelInfo, __stream__)
#define AIMRT_INFO_ONCE(__fmt__, ...) \
  AIMRT_HANDLE_LOG_ONCE(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_INFO_IF(__cond__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_IF(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelInfo, __cond__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_INFO_EVERY(__n__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_EVERY(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelInfo, __n__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_INFO_INTERVAL(__ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelInfo, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_INFO(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_INFO_THROW(__fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_INFO_THROW(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelInfo, __fmt__ __VA_OPT__(, ) __VA_ARGS__)

#define AIMRT_HL_WARN(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG(__lgr__, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_WARN_INTERVAL(__lgr__, __ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(__lgr__, ::aimrt::common::util::kLogLevelWarn, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_WARN(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(__lgr__, __expr__, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_WARN_THROW(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(__lgr__, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_WARN_THROW(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(__lgr__, __expr__, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_WARN(__fmt__, ...) \
  AIMRT_HANDLE_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_WARN_STREAM(__stream__) \
  AIMRT_HANDLE_LOG_STREAM(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelWarn, __stream__)
#define AIMRT_WARN_ONCE(__fmt__, ...) \
  AIMRT_HANDLE_LOG_ONCE(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_WARN_IF(__cond__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_IF(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelWarn, __cond__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_WARN_EVERY(__n__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_EVERY(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelWarn, __n__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_WARN_INTERVAL(__ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelWarn, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_WARN(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_WARN_THROW(__fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_WARN_THROW(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelWarn, __fmt__ __VA_OPT__(, ) __VA_ARGS__)

#define AIMRT_HL_ERROR(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG(__lgr__, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_ERROR_INTERVAL(__lgr__, __ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(__lgr__, ::aimrt::common::util::kLogLevelError, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_ERROR(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(__lgr__, __expr__, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_ERROR_THROW(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(__lgr__, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_ERROR_THROW(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(__lgr__, __expr__, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_ERROR(__fmt__, ...) \
  AIMRT_HANDLE_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_ERROR_STREAM(__stream__) \
  AIMRT_HANDLE_LOG_STREAM(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelError, __stream__)
#define AIMRT_ERROR_ONCE(__fmt__, ...) \
  AIMRT_HANDLE_LOG_ONCE(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_ERROR_IF(__cond__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_IF(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelError, __cond__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_ERROR_EVERY(__n__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_EVERY(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelError, __n__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_ERROR_INTERVAL(__ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelError, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_ERROR(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_ERROR_THROW(__fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_ERROR_THROW(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelError, __fmt__ __VA_OPT__(, ) __VA_ARGS__)

#define AIMRT_HL_FATAL(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG(__lgr__, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_FATAL_INTERVAL(__lgr__, __ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(__lgr__, ::aimrt::common::util::kLogLevelFatal, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_FATAL(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(__lgr__, __expr__, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_FATAL_THROW(__lgr__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(__lgr__, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_HL_CHECK_FATAL_THROW(__lgr__, __expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(__lgr__, __expr__, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_FATAL(__fmt__, ...) \
  AIMRT_HANDLE_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_FATAL_STREAM(__stream__) \
  AIMRT_HANDLE_LOG_STREAM(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelFatal, __stream__)
#define AIMRT_FATAL_ONCE(__fmt__, ...) \
  AIMRT_HANDLE_LOG_ONCE(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_FATAL_IF(__cond__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_IF(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelFatal, __cond__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_FATAL_EVERY(__n__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_EVERY(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelFatal, __n__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_FATAL_INTERVAL(__ms__, __fmt__, ...) \
  AIMRT_HANDLE_LOG_INTERVAL(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelFatal, __ms__, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_FATAL(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_FATAL_THROW(__fmt__, ...) \
  AIMRT_HANDLE_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)
#define AIMRT_CHECK_FATAL_THROW(__expr__, __fmt__, ...) \
  AIMRT_HANDLE_CHECK_LOG_THROW(AIMRT_DEFAULT_LOGGER_HANDLE, __expr__, ::aimrt::common::util::kLogLevelFatal, __fmt__ __VA_OPT__(, ) __VA_ARGS__)

