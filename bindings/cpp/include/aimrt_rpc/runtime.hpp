// runtime: owns modules, executors, backends and everything registered with them. runtime_ref: somebody else's runtime.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_RUNTIME_HPP_
#define AIMRT_RPC_RUNTIME_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/buffer.hpp>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/detail/guard.hpp>
#include <aimrt_rpc/executor.hpp>
#include <aimrt_rpc/function.hpp>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/module.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/view.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace aimrt_rpc {

enum class runtime_state : std::uint32_t {
  none = AIMRT_RPC_STATE_NONE,
  pre_init = AIMRT_RPC_STATE_PRE_INIT,
  init = AIMRT_RPC_STATE_INIT,
  start = AIMRT_RPC_STATE_START,
  shutting_down = AIMRT_RPC_STATE_SHUTTING_DOWN,
  shutdown = AIMRT_RPC_STATE_SHUTDOWN,
};

// One log line; the texts live for the callback.
struct log_record {
  log_level level = log_level::info;
  std::chrono::system_clock::time_point time;
  std::string_view logger;
  std::string_view file;
  std::uint32_t line = 0;
  std::string_view function;
  std::uint32_t thread_id = 0;
  std::string_view text;
};

struct runtime_options {
  std::string_view config_path;             // AimRT YAML file; empty = none
  std::string_view config_text;             // YAML text, used when config_path is empty
  std::vector<std::string_view> overrides;  // "aimrt.log.core_lvl=Warn"
  unique_function<void(const log_record &)> log;  // instead of the configured log backends; must not block nor call the library
  int log_fd = -1;                          // write log lines to this descriptor; stays open
};

// Where the shutdown runs that a shutdown() asks for.
enum class shutdown_in : std::uint32_t { library_thread = 0, wait = AIMRT_RPC_START_SHUTDOWN_IN_WAIT };

struct host_executor_options {
  std::string_view name;     // required; must not be a configured executor's
  bool thread_safe = false;  // the loop never runs two tasks at the same time
};

// A task for a loop of the host: call it there exactly once.
class host_task {
 public:
  host_task(aimrt_rpc_task_fn run, void *user_data) noexcept : run_(run), user_data_(user_data) {}
  void operator()() const noexcept { run_(user_data_); }

 private:
  aimrt_rpc_task_fn run_;
  void *user_data_;
};

namespace detail {

struct runtime_traits {
  static void release(std::uint64_t native) noexcept { aimrt_rpc_runtime_release(native); }
};

struct log_sink {
  unique_function<void(const log_record &)> f;

  static void write(void *user_data, const aimrt_rpc_log_record_t *native) noexcept {
    log_record record;
    record.level = static_cast<log_level>(native->level);
    record.time = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(native->time_ns)));
    record.logger = from_c(native->logger);
    record.file = from_c(native->file);
    record.line = native->line;
    record.function = from_c(native->function);
    record.thread_id = native->thread_id;
    record.text = from_c(native->text);
    contain_and_report("log callback", [&] { static_cast<log_sink *>(user_data)->f(record); });
  }
  static void free(void *user_data) noexcept { std::unique_ptr<log_sink>(static_cast<log_sink *>(user_data)).reset(); }
};

struct host_loop {
  unique_function<bool(host_task)> f;

  static std::uint8_t post(void *user_data, aimrt_rpc_task_fn run, void *run_user_data) noexcept {
    bool taken = false;
    contain_and_report("host executor",
                       [&] { taken = static_cast<host_loop *>(user_data)->f(host_task(run, run_user_data)); });
    return taken ? 1 : 0;
  }
  static void free(void *user_data) noexcept { std::unique_ptr<host_loop>(static_cast<host_loop *>(user_data)).reset(); }
};

// What can be done with a runtime, owned or not. Self has native().
template <class Self>
class runtime_functions {
 public:
  // Loads the configuration and runs the initialize callbacks on this thread.
  result<void> initialize() const noexcept {
    return run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_runtime_initialize(native(), why); });
  }
  // Starts, waits for shutdown(), and shuts down, all on this thread.
  result<void> start() const noexcept {
    return run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_runtime_start(native(), why); });
  }
  // Starts on this thread and returns when the runtime runs.
  result<void> start_async(shutdown_in where = shutdown_in::library_thread) const noexcept {
    return run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_runtime_start_async(native(), static_cast<std::uint32_t>(where), why);
    });
  }
  // Waits until the runtime has shut down.
  template <class Rep, class Period>
  result<void> wait(std::chrono::duration<Rep, Period> timeout) const noexcept {
    return run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_runtime_wait(native(), to_ns(timeout), why); });
  }
  result<void> wait() const noexcept { return wait(forever); }
  // Asks the runtime to shut down and returns at once; legal in a signal handler and inside callbacks.
  result<void> shutdown() const noexcept {
    const result_code code = aimrt_rpc_runtime_shutdown(native());
    if (code != AIMRT_RPC_RESULT_OK) return error(code);
    return {};
  }
  runtime_state state() const noexcept { return static_cast<runtime_state>(aimrt_rpc_runtime_state(native())); }

  result<aimrt_rpc::module> create_module(module_options options) const {
    return detail::create_module(native(), std::move(options));
  }

  // Gives a loop of the host to the runtime: f(host_task) hands a task over and returns whether the loop took it; it must not run
  // the task itself. Before initialize only.
  template <class F>
  result<executor> host_executor(const host_executor_options &options, F &&f) const {
    auto loop = std::make_unique<host_loop>();
    loop->f = unique_function<bool(host_task)>(std::forward<F>(f));
    aimrt_rpc_host_executor_options_t what = AIMRT_RPC_HOST_EXECUTOR_OPTIONS_INIT;
    what.thread_safe = options.thread_safe ? 1 : 0;
    what.name = to_c(options.name);
    what.post = &host_loop::post;
    what.user_data = loop.get();
    what.user_data_free = &host_loop::free;
    aimrt_rpc_executor_t made = 0;
    auto done =
        run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_runtime_host_executor(native(), &what, &made, why); });
    if (!done) return std::move(done).error();
    static_cast<void>(loop.release());  // the library's now
    return executor(made);
  }

  // The initialization report, a text for people.
  result<buffer> report() const noexcept { return text(&aimrt_rpc_runtime_report); }
  // JSON: who serves and calls what; one method; counters.
  result<buffer> list_methods() const noexcept { return text(&aimrt_rpc_runtime_list_methods); }
  result<buffer> statistics() const noexcept { return text(&aimrt_rpc_runtime_statistics); }
  result<buffer> describe_method(std::string_view name) const noexcept {
    aimrt_rpc_buffer_t made = {nullptr, 0, 0};
    auto done = run([&](aimrt_rpc_error_t *why) {
      return aimrt_rpc_runtime_describe_method(native(), to_c(name), &made, why);
    });
    if (!done) return std::move(done).error();
    return buffer(made);
  }
  // Reads the configuration again and applies what can change while running.
  result<void> reload() const noexcept {
    return run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_runtime_reload(native(), why); });
  }

 private:
  aimrt_rpc_runtime_t native() const noexcept { return static_cast<const Self *>(this)->native(); }

  result<buffer> text(aimrt_rpc_result_t (*ask)(aimrt_rpc_runtime_t, aimrt_rpc_buffer_t *,
                                                aimrt_rpc_error_t *)) const noexcept {
    aimrt_rpc_buffer_t made = {nullptr, 0, 0};
    auto done = run([&](aimrt_rpc_error_t *why) { return ask(native(), &made, why); });
    if (!done) return std::move(done).error();
    return buffer(made);
  }
};

}  // namespace detail

// Somebody else's runtime, for a library that joins one already in the process: never released from here.
class runtime_ref : public detail::runtime_functions<runtime_ref> {
 public:
  explicit runtime_ref(aimrt_rpc_runtime_t native) noexcept : native_(native) {}
  aimrt_rpc_runtime_t native() const noexcept { return native_; }
  explicit operator bool() const noexcept { return native_ != 0; }

 private:
  aimrt_rpc_runtime_t native_;
};

// Its end shuts the runtime down when it still runs, and waits for that. Not inside a callback of this runtime.
class runtime : public detail::runtime_functions<runtime> {
 public:
  runtime() noexcept = default;
  // Takes the ownership of a runtime handle.
  explicit runtime(aimrt_rpc_runtime_t native) noexcept : handle_(native) {}

  // Refuses when the loaded library has another ABI than this header.
  static result<runtime> create(runtime_options options = {}) {
    if (aimrt_rpc_abi_version() != AIMRT_RPC_ABI_VERSION) {
      return error(AIMRT_RPC_RESULT_UNSUPPORTED, "libaimrt_rpc has ABI " + std::to_string(aimrt_rpc_abi_version()) +
                                                     ", this program was compiled for " +
                                                     std::to_string(AIMRT_RPC_ABI_VERSION));
    }
    aimrt_rpc_runtime_options_t native = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
    std::vector<aimrt_rpc_str_t> overrides;
    overrides.reserve(options.overrides.size());
    for (std::string_view one : options.overrides) overrides.push_back(detail::to_c(one));
    native.config_path = detail::to_c(options.config_path);
    native.config_text = detail::to_c(options.config_text);
    native.overrides = overrides.data();
    native.override_count = overrides.size();
    native.log_fd = options.log_fd;
    std::unique_ptr<detail::log_sink> sink;
    if (options.log) {
      sink = std::make_unique<detail::log_sink>();
      sink->f = std::move(options.log);
      native.log = &detail::log_sink::write;
      native.log_user_data = sink.get();
      native.log_user_data_free = &detail::log_sink::free;
    }
    aimrt_rpc_runtime_t made = 0;
    auto done = detail::run([&](aimrt_rpc_error_t *why) { return aimrt_rpc_runtime_create(&native, &made, why); });
    if (!done) return std::move(done).error();
    static_cast<void>(sink.release());  // the library's now
    return runtime(made);
  }

  runtime_ref ref() const noexcept { return runtime_ref(native()); }
  aimrt_rpc_runtime_t native() const noexcept { return handle_.native(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  // Gives up the ownership.
  [[nodiscard]] aimrt_rpc_runtime_t release() noexcept { return handle_.release(); }

 private:
  unique_handle<detail::runtime_traits> handle_;
};

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_RUNTIME_HPP_
