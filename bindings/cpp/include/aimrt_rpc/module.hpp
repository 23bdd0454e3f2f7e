// module: a part of the program with a name, a package, a logger and RPC registrations.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_MODULE_HPP_
#define AIMRT_RPC_MODULE_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/buffer.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/executor.hpp>
#include <aimrt_rpc/function.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/rpc_handle.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace aimrt_rpc {

enum class log_level : std::uint32_t {
  trace = AIMRT_RPC_LOG_LEVEL_TRACE,
  debug = AIMRT_RPC_LOG_LEVEL_DEBUG,
  info = AIMRT_RPC_LOG_LEVEL_INFO,
  warn = AIMRT_RPC_LOG_LEVEL_WARN,
  error = AIMRT_RPC_LOG_LEVEL_ERROR,
  fatal = AIMRT_RPC_LOG_LEVEL_FATAL,
  off = AIMRT_RPC_LOG_LEVEL_OFF,
};

// A small value; the module lives as long as its runtime: copy it freely. Any thread.
class module {
 public:
  module() noexcept = default;
  explicit module(aimrt_rpc_module_t native) noexcept : native_(native) {}

  std::string_view name() const noexcept { return detail::from_c(aimrt_rpc_module_name(native_)); }
  // The module's own configuration file, empty when there is none.
  std::string_view config_path() const noexcept { return detail::from_c(aimrt_rpc_module_config_path(native_)); }

  // The lowest level the module's logger writes.
  aimrt_rpc::log_level log_level() const noexcept {
    return static_cast<aimrt_rpc::log_level>(aimrt_rpc_module_log_level(native_));
  }
  // Writes one log line; the place is the caller's.
  void log(aimrt_rpc::log_level level, std::string_view text, std::string_view file = __builtin_FILE(),
           std::uint32_t line = __builtin_LINE(), std::string_view function = __builtin_FUNCTION()) const noexcept {
    aimrt_rpc_log_record_t record = {};
    record.struct_size = sizeof record;
    record.level = static_cast<std::uint32_t>(level);
    record.line = line;
    record.file = detail::to_c(file);
    record.function = detail::to_c(function);
    record.text = detail::to_c(text);
    static_cast<void>(aimrt_rpc_module_log(native_, &record));
  }

  // A configured executor, or one the host registered; NOT_FOUND names the nearest.
  result<aimrt_rpc::executor> executor(std::string_view executor_name) const noexcept {
    aimrt_rpc_executor_t found = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_module_executor(native_, detail::to_c(executor_name), &found, why);
    });
    if (!done) return std::move(done).error();
    return aimrt_rpc::executor(found);
  }

  // A parameter of the module; a missing one is empty.
  result<std::string> parameter(std::string_view parameter_key) const {
    aimrt_rpc_buffer_t value = {nullptr, 0, 0};
    auto done = detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_module_parameter_get(native_, detail::to_c(parameter_key), &value, why);
    });
    if (!done) return std::move(done).error();
    return buffer(value).to_string();
  }
  // An empty value erases it.
  result<void> set_parameter(std::string_view parameter_key, std::string_view value) const noexcept {
    return detail::run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_module_parameter_set(native_, detail::to_c(parameter_key), detail::to_c(value), why);
    });
  }

  aimrt_rpc::rpc_handle rpc_handle() const noexcept {
    return aimrt_rpc::rpc_handle(aimrt_rpc_module_rpc_handle(native_));
  }

  aimrt_rpc_module_t native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

 private:
  aimrt_rpc_module_t native_ = 0;
};

// The callbacks take part in the life cycle of a module made before initialize; each may be empty. An error they return, or an
// exception that leaves them, refuses the step and is written to the module's log.
struct module_options {
  std::string_view name;     // required, unique in the runtime
  std::string_view package;  // modules of one package exchange native messages; empty = "core"
  std::string_view author;
  std::string_view description;
  std::uint32_t major_version = 0;
  std::uint32_t minor_version = 0;
  std::uint32_t patch_version = 0;
  std::uint32_t build_version = 0;
  unique_function<result<void>(aimrt_rpc::module)> initialize;
  unique_function<result<void>(aimrt_rpc::module)> start;
  unique_function<void(aimrt_rpc::module)> shutdown;
};

namespace detail {

struct module_callbacks {
  unique_function<result<void>(aimrt_rpc::module)> initialize;
  unique_function<result<void>(aimrt_rpc::module)> start;
  unique_function<void(aimrt_rpc::module)> shutdown;

  static std::uint8_t step(unique_function<result<void>(aimrt_rpc::module)> &f, aimrt_rpc_module_t native,
                           const char *name) noexcept {
    const aimrt_rpc::module self(native);
    bool good = false;
    contain(
        [&] {
          auto done = f(self);
          good = done.has_value();
          if (!good) self.log(log_level::error, std::string(name) + " refused: " + done.error().to_string());
        },
        [&](const char *what) {
          good = false;
          self.log(log_level::error, std::string("an exception left ") + name + ": " + what);
        });
    return good ? 1 : 0;
  }

  static std::uint8_t on_initialize(void *user_data, aimrt_rpc_module_t native) noexcept {
    return step(static_cast<module_callbacks *>(user_data)->initialize, native, "initialize");
  }
  static std::uint8_t on_start(void *user_data, aimrt_rpc_module_t native) noexcept {
    return step(static_cast<module_callbacks *>(user_data)->start, native, "start");
  }
  static void on_shutdown(void *user_data, aimrt_rpc_module_t native) noexcept {
    const aimrt_rpc::module self(native);
    contain([&] { static_cast<module_callbacks *>(user_data)->shutdown(self); },
            [&](const char *what) { self.log(log_level::error, std::string("an exception left shutdown: ") + what); });
  }
  static void free(void *user_data) noexcept {
    std::unique_ptr<module_callbacks>(static_cast<module_callbacks *>(user_data)).reset();
  }
};

inline result<aimrt_rpc::module> create_module(aimrt_rpc_runtime_t runtime, module_options &&options) {
  aimrt_rpc_module_options_t native = AIMRT_RPC_MODULE_OPTIONS_INIT;
  native.major_version = options.major_version;
  native.minor_version = options.minor_version;
  native.patch_version = options.patch_version;
  native.build_version = options.build_version;
  native.name = to_c(options.name);
  native.package = to_c(options.package);
  native.author = to_c(options.author);
  native.description = to_c(options.description);
  native.initialize = options.initialize ? &module_callbacks::on_initialize : nullptr;
  native.start = options.start ? &module_callbacks::on_start : nullptr;
  native.shutdown = options.shutdown ? &module_callbacks::on_shutdown : nullptr;
  std::unique_ptr<module_callbacks> callbacks;
  if (options.initialize || options.start || options.shutdown) {
    callbacks = std::make_unique<module_callbacks>();
    callbacks->initialize = std::move(options.initialize);
    callbacks->start = std::move(options.start);
    callbacks->shutdown = std::move(options.shutdown);
    native.user_data = callbacks.get();
    native.user_data_free = &module_callbacks::free;
  }
  aimrt_rpc_module_t made = 0;
  auto done = run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_module_create(runtime, &native, &made, why); });
  if (!done) return std::move(done).error();
  static_cast<void>(callbacks.release());  // the library's now
  return aimrt_rpc::module(made);
}

}  // namespace detail

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_MODULE_HPP_
