// The runtime inside a program of the user's: AimRT's app mode over libaimrt_rpc, for the calls that programs make.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "aimrt_module_cpp_interface/core.h"
#include "aimrt_module_cpp_interface/logger/logger.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc/runtime.hpp"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::runtime::core {

class AimRTCore;

namespace module {

// Modules of the program. Those that have code are registered before Initialize; after it and before Start a name gets a core table.
class ModuleManager {
  friend class ::aimrt::runtime::core::AimRTCore;

 public:
  ModuleManager() = default;
  ModuleManager(const ModuleManager&) = delete;
  ModuleManager& operator=(const ModuleManager&) = delete;

  // The module stays the caller's and must outlive the runtime.
  void RegisterModule(const aimrt_module_base_t* module_ptr) { RegisterModule("core", module_ptr); }
  void RegisterModule(std::string_view pkg, const aimrt_module_base_t* module_ptr) {
    AIMRT_ASSERT(!runtime_, "Modules are registered before Initialize.");
    AIMRT_ASSERT(module_ptr != nullptr, "Module to register is null.");
    registered_.emplace_back(std::string(pkg), module_ptr);
  }

  const aimrt_core_base_t* CreateModule(std::string_view name) { return CreateModule("core", name); }
  const aimrt_core_base_t* CreateModule(std::string_view pkg, std::string_view name) {
    aimrt_module_info_t info{};
    info.name = util::ToAimRTStringView(name);
    return Create(pkg, info, nullptr);
  }
  const aimrt_core_base_t* CreateModule(aimrt_module_info_t info) { return Create("core", info, nullptr); }

 private:
  static const aimrt_core_base_t* Table(aimrt_rpc_module_t native) {
    return static_cast<const aimrt_core_base_t*>(aimrt_rpc_module_core(native));
  }

  // With code: the module takes part in the life cycle. Without: the runtime must have been initialized.
  const aimrt_core_base_t* Create(std::string_view pkg, const aimrt_module_info_t& info, const aimrt_module_base_t* code) {
    AIMRT_ASSERT(runtime_, "Modules are created after Initialize.");
    aimrt_rpc::module_options options;
    options.name = util::ToStdStringView(info.name);
    options.package = pkg;
    options.author = util::ToStdStringView(info.author);
    options.description = util::ToStdStringView(info.description);
    options.major_version = info.major_version;
    options.minor_version = info.minor_version;
    options.patch_version = info.patch_version;
    options.build_version = info.build_version;
    if (code != nullptr) {
      options.initialize = [code](aimrt_rpc::module self) { return Result(code->initialize(code->impl, Table(self.native()))); };
      options.start = [code](aimrt_rpc::module) { return Result(code->start(code->impl)); };
      options.shutdown = [code](aimrt_rpc::module) { code->shutdown(code->impl); };
    }
    auto made = runtime_.create_module(std::move(options));
    if (!made) throw common::util::AimRTException(made.error().to_string());
    return code == nullptr ? Table(made->native()) : nullptr;
  }

  static aimrt_rpc::result<void> Result(bool good) {
    if (!good) return aimrt_rpc::error(AIMRT_RPC_RESULT_MODULE, "the module returned false");
    return {};
  }

  std::vector<std::pair<std::string, const aimrt_module_base_t*>> registered_;
  aimrt_rpc::runtime_ref runtime_{0};
};

}  // namespace module

// Order of calls: RegisterModule..., Initialize, CreateModule..., Start or AsyncStart, Shutdown. What cannot be done throws.
class AimRTCore {
 public:
  struct Options {
    std::string cfg_file_path;  // empty: the local backend, loopback only
  };

// The subsystems, in the order of initialization and start; shutdown goes the other way.
#define AIMRT_CORE_STATES_OF(PHASE, EACH) EACH(PHASE, Configurator) EACH(PHASE, Plugin) EACH(PHASE, MainThread) EACH(PHASE, GuardThread) \
  EACH(PHASE, Executor) EACH(PHASE, Log) EACH(PHASE, Allocator) EACH(PHASE, Rpc) EACH(PHASE, Channel) EACH(PHASE, Parameter) EACH(PHASE, Modules)
#define AIMRT_CORE_STATES_BACK(PHASE, EACH) EACH(PHASE, Modules) EACH(PHASE, Parameter) EACH(PHASE, Channel) EACH(PHASE, Rpc) \
  EACH(PHASE, Allocator) EACH(PHASE, Log) EACH(PHASE, Executor) EACH(PHASE, GuardThread) EACH(PHASE, MainThread) EACH(PHASE, Plugin) \
  EACH(PHASE, Configurator)
#define AIMRT_CORE_STATE(PHASE, PART) kPre##PHASE##PART, kPost##PHASE##PART,
  enum class State : uint32_t {
    kPreInit,
    AIMRT_CORE_STATES_OF(Init, AIMRT_CORE_STATE)
    kPostInit,
    kPreStart,
    AIMRT_CORE_STATES_OF(Start, AIMRT_CORE_STATE)
    kPostStart,
    kPreShutdown,
    AIMRT_CORE_STATES_BACK(Shutdown, AIMRT_CORE_STATE)
    kPostShutdown,
    kMaxStateNum,
  };
#undef AIMRT_CORE_STATE
#undef AIMRT_CORE_STATES_OF
#undef AIMRT_CORE_STATES_BACK

  using HookTask = std::function<void()>;

  AimRTCore() = default;
  AimRTCore(const AimRTCore&) = delete;
  AimRTCore& operator=(const AimRTCore&) = delete;
  ~AimRTCore() {
    Shutdown();
    if (waiter_.joinable()) waiter_.join();
  }

  void Initialize(const Options& options) {
    AIMRT_ASSERT(!runtime_, "The core has been initialized before.");
    Pass(State::kPreInit);
    aimrt_rpc::runtime_options native;
    native.config_path = options.cfg_file_path;
    auto made = aimrt_rpc::runtime::create(std::move(native));
    if (!made) throw common::util::AimRTException(made.error().to_string());
    runtime_ = std::move(*made);
    manager_.runtime_ = runtime_.ref();
    for (const auto& [pkg, code] : manager_.registered_) manager_.Create(pkg, code->info(code->impl), code);
    PassBefore(State::kPreInit, State::kPostInit);
    Check(runtime_.initialize());
    PassAfter(State::kPreInit, State::kPostInit);
  }

  // Returns after Shutdown.
  void Start() {
    AIMRT_ASSERT(runtime_, "The core has not been initialized.");
    PassBefore(State::kPreStart, State::kPostStart, true);
    Check(runtime_.start_async(aimrt_rpc::shutdown_in::wait));
    PassAfter(State::kPreStart, State::kPostStart);
    Wait();
  }

  // Returns when the runtime runs; the future is ready after Shutdown.
  std::future<void> AsyncStart() {
    AIMRT_ASSERT(runtime_, "The core has not been initialized.");
    PassBefore(State::kPreStart, State::kPostStart, true);
    Check(runtime_.start_async());
    PassAfter(State::kPreStart, State::kPostStart);
    std::promise<void> ended;
    auto future = ended.get_future();
    waiter_ = std::thread([this, ended = std::move(ended)]() mutable {
      try {
        Wait();
        ended.set_value();
      } catch (...) {
        ended.set_exception(std::current_exception());
      }
    });
    return future;
  }

  // Any thread, any number of times; also inside callbacks and, unless there are hooks that must not, in a signal handler. Does not wait.
  void Shutdown() {
    if (!runtime_ || shutdown_asked_.exchange(true)) return;
    PassBefore(State::kPreShutdown, State::kPostShutdown, true);
    static_cast<void>(runtime_.shutdown());
  }

  module::ModuleManager& GetModuleManager() { return manager_; }
  State GetState() const { return state_; }

  // The runtime has one step where AimRT has one per subsystem: hooks of the Pre states of a phase run before it, those of the Post
  // states after it, in the order of the states. Hooks are registered before Start.
  void RegisterHookFunc(State state, HookTask&& hook) {
    AIMRT_ASSERT(state < State::kMaxStateNum, "{} is not a state.", static_cast<uint32_t>(state));
    AIMRT_ASSERT(state_ < State::kPreStart, "Hooks are registered before Start.");
    hooks_[static_cast<size_t>(state)].push_back(std::move(hook));
  }

  std::string GenInitializationReport() const {
    AIMRT_ASSERT(runtime_, "The core has not been initialized.");
    auto report = runtime_.report();
    if (!report) throw common::util::AimRTException(report.error().to_string());
    return report->to_string();
  }

  // For the program's own lines, to stderr; a module's lines go through its CoreRef.
  logger::LoggerRef GetLogger() const { return logger::GetSimpleLoggerRef(); }

 private:
  static void Check(aimrt_rpc::result<void> done) {
    if (!done) throw common::util::AimRTException(done.error().to_string());
  }

  void Wait() {
    Check(runtime_.wait());
    PassAfter(State::kPreShutdown, State::kPostShutdown);
  }

  void Pass(State state) {
    state_ = state;
    for (const auto& hook : hooks_[static_cast<size_t>(state)]) hook();
  }
  // Between the two ends of a phase Pre and Post states alternate.
  void PassBefore(State first, State last, bool with_first = false) {
    if (with_first) Pass(first);
    for (uint32_t s = static_cast<uint32_t>(first) + 1; s < static_cast<uint32_t>(last); s += 2) Pass(static_cast<State>(s));
  }
  void PassAfter(State first, State last) {
    for (uint32_t s = static_cast<uint32_t>(first) + 2; s < static_cast<uint32_t>(last); s += 2) Pass(static_cast<State>(s));
    Pass(last);
  }

  module::ModuleManager manager_;
  aimrt_rpc::runtime runtime_;
  std::atomic<State> state_ = State::kPreInit;
  std::atomic<bool> shutdown_asked_ = false;
  std::array<std::vector<HookTask>, static_cast<size_t>(State::kMaxStateNum)> hooks_;  // do not change from Start on
  std::thread waiter_;
};

}  // namespace aimrt::runtime::core
