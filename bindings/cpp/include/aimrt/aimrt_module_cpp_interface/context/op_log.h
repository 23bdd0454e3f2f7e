// context->log().Info("...", ...): log lines with the place of the call of log().
#pragma once

#include <string_view>
#include <utility>

#include "aimrt_module_cpp_interface/context/op_base.h"
#include "util/format.h"
#include "util/log_util.h"

namespace aimrt::context {

class OpLog : public OpBase {
 public:
  using OpBase::OpBase;

  template <typename... Args>
  void Trace(aimrt_fmt::format_string<Args...> text, Args&&... args) const {
    Write(common::util::kLogLevelTrace, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void Debug(aimrt_fmt::format_string<Args...> text, Args&&... args) const {
    Write(common::util::kLogLevelDebug, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void Info(aimrt_fmt::format_string<Args...> text, Args&&... args) const {
    Write(common::util::kLogLevelInfo, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void Warn(aimrt_fmt::format_string<Args...> text, Args&&... args) const {
    Write(common::util::kLogLevelWarn, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void Error(aimrt_fmt::format_string<Args...> text, Args&&... args) const {
    Write(common::util::kLogLevelError, text, std::forward<Args>(args)...);
  }
  template <typename... Args>
  void Fatal(aimrt_fmt::format_string<Args...> text, Args&&... args) const {
    Write(common::util::kLogLevelFatal, text, std::forward<Args>(args)...);
  }

 private:
  template <typename... Args>
  void Write(uint32_t level, aimrt_fmt::format_string<Args...> text, Args&&... args) const {
    const logger::LoggerRef logger = Core().GetLogger();
    if (level < logger.GetLogLevel()) return;
    common::util::details::LogText(logger, level, place_, place_.function_name(), aimrt_fmt::format(text, std::forward<Args>(args)...));
  }
};

}  // namespace aimrt::context
