// The logger of a module. The macros are in util/log_util.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aimrt_rpc_compat.h"
#include "util/exception.h"
#include "util/log_util.h"

namespace aimrt::logger {

class LoggerRef {
 public:
  LoggerRef() = default;
  explicit LoggerRef(const aimrt_logger_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_logger_base_t* NativeHandle() const { return base_; }

  uint32_t GetLogLevel() const {
    common::util::details::CheckReference(base_);
    return static_cast<uint32_t>(base_->get_log_level(base_->impl));
  }

  void Log(uint32_t level, uint32_t line, const char* file_name, const char* function_name, const char* log_data, size_t log_data_size) const {
    common::util::details::CheckReference(base_);
    base_->log(base_->impl, static_cast<aimrt_log_level_t>(level), line, file_name, function_name, log_data, log_data_size);
  }

 private:
  const aimrt_logger_base_t* base_ = nullptr;
};

// Writes everything to stderr; for code that runs without a module.
inline LoggerRef GetSimpleLoggerRef() {
  static constexpr aimrt_logger_base_t kBase{
      .get_log_level = [](void*) { return AIMRT_LOG_LEVEL_TRACE; },
      .log = [](void*, aimrt_log_level_t level, uint32_t line, const char* file_name, const char* function_name, const char* log_data,
                size_t log_data_size) {
        common::util::SimpleLogger::Log(static_cast<uint32_t>(level), line, file_name, function_name, log_data, log_data_size);
      },
      .impl = nullptr};
  return LoggerRef(&kBase);
}

}  // namespace aimrt::logger
