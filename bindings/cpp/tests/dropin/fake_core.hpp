// A host for the tests of the drop-in headers: AimRT's C structs filled by hand, without the library. It has one executor with a thread
// and a timer, a logger that keeps lines, parameters, and an rpc handle that runs a service on the caller's thread or later.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "aimrt_rpc_compat.h"

namespace fake {

inline std::string text(aimrt_string_view_t view) { return {view.str, view.len}; }
inline aimrt_string_view_t view(const std::string &value) { return {value.data(), value.size()}; }

// A closure taken over from the other side, by the rules of the C interface.
template <class Ops>
class taken {
 public:
  explicit taken(aimrt_function_base_t *from) {
    if (from == nullptr || from->ops == nullptr) return;
    ops_ = static_cast<const Ops *>(from->ops);
    from->ops = nullptr;
    ops_->relocator(from->object_buf, base_.object_buf);
    base_.ops = ops_;
  }
  taken(const taken &) = delete;
  taken &operator=(const taken &) = delete;
  ~taken() {
    if (base_.ops != nullptr) ops_->destroyer(base_.object_buf);
  }
  template <class... Args>
  void operator()(Args... args) {
    ops_->invoker(base_.object_buf, args...);
  }
  aimrt_function_base_t *base() { return &base_; }
  explicit operator bool() const { return base_.ops != nullptr; }

 private:
  aimrt_function_base_t base_{};
  const Ops *ops_ = nullptr;
};
using task = taken<aimrt_function_executor_task_ops_t>;
using service = taken<aimrt_function_service_func_ops_t>;
using callback = taken<aimrt_function_client_callback_ops_t>;

class executor {
 public:
  executor() : base_{}, thread_([this] { run(); }) {
    base_.type = [](void *) { return aimrt_string_view_t{"fake_thread", 11}; };
    base_.name = [](void *impl) { return view(self(impl).name); };
    base_.is_thread_safe = [](void *) { return true; };
    base_.is_in_current_executor = [](void *impl) { return self(impl).thread_.get_id() == std::this_thread::get_id(); };
    base_.is_support_timer_schedule = [](void *impl) { return self(impl).has_timer; };
    base_.execute = [](void *impl, aimrt_function_base_t *f) { self(impl).add(0, f); };
    base_.now = [](void *) { return now(); };
    base_.execute_at_ns = [](void *impl, uint64_t at, aimrt_function_base_t *f) { self(impl).add(at, f); };
    base_.impl = this;
  }
  ~executor() { stop(); }
  // Runs nothing more; tasks that wait are dropped.
  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
    tasks_.clear();
  }

  std::string name = "work";
  bool has_timer = true;
  const aimrt_executor_base_t *base() const { return &base_; }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  static executor &self(void *impl) { return *static_cast<executor *>(impl); }
  static uint64_t now() {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  }
  void add(uint64_t at, aimrt_function_base_t *f) {
    auto one = std::make_unique<task>(f);
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    tasks_.emplace(at, std::move(one));
    changed_.notify_all();
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (tasks_.empty()) {
        changed_.wait(lock);
      } else if (const uint64_t at = tasks_.begin()->first, time = now(); at > time) {
        changed_.wait_for(lock, std::chrono::nanoseconds(at - time));
      } else {
        auto one = std::move(tasks_.begin()->second);
        tasks_.erase(tasks_.begin());
        lock.unlock();
        (*one)();
        one.reset();
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<uint64_t, std::unique_ptr<task>> tasks_;
  bool stopping_ = false;
  aimrt_executor_base_t base_;
  std::thread thread_;
};

struct log_line {
  uint32_t level;
  uint32_t line;
  std::string file, function, text;
};

// When the end of a call reaches its caller.
enum class delivery { inside_invoke, on_executor };

class core {
 public:
  core() {
    base_.info = [](void *impl) {
      aimrt_module_info_t info{};
      info.name = view(self(impl).name);
      info.major_version = 1;
      info.patch_version = 3;
      return info;
    };
    base_.configurator = [](void *impl) -> const aimrt_configurator_base_t * { return &self(impl).configurator_; };
    base_.executor_manager = [](void *impl) -> const aimrt_executor_manager_base_t * { return &self(impl).manager_; };
    base_.logger = [](void *impl) -> const aimrt_logger_base_t * { return &self(impl).logger_; };
    base_.allocator_handle = [](void *impl) -> const aimrt_allocator_base_t * { return &self(impl).allocator_; };
    base_.rpc_handle = [](void *impl) -> const aimrt_rpc_handle_base_t * { return &self(impl).rpc_; };
    base_.channel_handle = [](void *impl) -> const aimrt_channel_handle_base_t * { return &self(impl).channel_; };
    base_.parameter_handle = [](void *impl) -> const aimrt_parameter_handle_base_t * { return &self(impl).parameter_; };
    base_.impl = this;
    configurator_ = {[](void *impl) { return view(self(impl).config_path); }, this};
    manager_ = {[](void *impl, aimrt_string_view_t wanted) -> const aimrt_executor_base_t * {
                  return text(wanted) == self(impl).work.name ? self(impl).work.base() : nullptr;
                },
                this};
    logger_ = {[](void *impl) { return self(impl).log_level; },
               [](void *impl, aimrt_log_level_t level, uint32_t line, const char *file, const char *function, const char *data, size_t size) {
                 std::lock_guard lock(self(impl).mutex_);
                 self(impl).lines.push_back({static_cast<uint32_t>(level), line, file, function, std::string(data, size)});
               },
               this};
    allocator_ = {[](void *impl, size_t size) -> void * {
                    self(impl).scratch_.resize(size);
                    return self(impl).scratch_.data();
                  },
                  this};
    parameter_ = {&get_parameter, &set_parameter, this};
    rpc_ = {&register_service, &register_client, &invoke, &merge, this};
    publisher_ = {[](void *, const aimrt_type_support_base_t *) { return true; },
                  [](void *impl, aimrt_string_view_t type, const aimrt_channel_context_base_t *ctx, const void *msg) {
                    self(impl).publish(text(type), ctx, msg);
                  },
                  [](void *) { return aimrt_string_view_t{"topic", 5}; },
                  [](void *, const aimrt_channel_context_base_t *, const aimrt_channel_context_base_t *) {}, this};
    subscriber_ = {[](void *impl, const aimrt_type_support_base_t *, aimrt_function_base_t *f) {
                     self(impl).subscribers_.emplace_back(f);
                     return true;
                   },
                   [](void *) { return aimrt_string_view_t{"topic", 5}; }, this};
    channel_ = {[](void *impl, aimrt_string_view_t) -> const aimrt_channel_publisher_base_t * { return &self(impl).publisher_; },
                [](void *impl, aimrt_string_view_t) -> const aimrt_channel_subscriber_base_t * { return &self(impl).subscriber_; },
                [](void *, const aimrt_channel_context_base_t *, const aimrt_channel_context_base_t *) {}, this};
  }
  core(const core &) = delete;
  core &operator=(const core &) = delete;

  const aimrt_core_base_t *base() const { return &base_; }

  std::string name = "fake";
  std::string config_path = "/etc/robot.yaml";
  aimrt_log_level_t log_level = AIMRT_LOG_LEVEL_TRACE;
  std::vector<log_line> lines;
  std::map<std::string, std::string> parameters;
  std::vector<std::string> clients;      // registered method names
  std::vector<std::string> merged;       // keys that merge copies
  delivery deliver = delivery::inside_invoke;
  std::string refuse;                    // a method name whose registration is refused
  std::string failure_text;              // what the last failed handler left in its context
  int published = 0, released = 0;
  std::map<std::string, std::unique_ptr<service>> services;
  executor work;

 private:
  static core &self(void *impl) { return *static_cast<core *>(impl); }

  // The value and its closure live in one heap object, which the closure frees.
  struct loan {
    std::string value;
    aimrt_function_base_t release{};
  };
  static aimrt_parameter_val_view_holder_t get_parameter(void *impl, aimrt_string_view_t key) {
    static const aimrt_function_parameter_val_release_callback_ops_t ops = {
        [](void *object) { delete *static_cast<loan **>(object); },
        [](void *from, void *to) { *static_cast<loan **>(to) = *static_cast<loan **>(from); }, [](void *) {}};
    const auto found = self(impl).parameters.find(text(key));
    if (found == self(impl).parameters.end()) return {{nullptr, 0}, nullptr};
    auto *one = new loan{found->second, {}};
    one->release.ops = &ops;
    *reinterpret_cast<loan **>(one->release.object_buf) = one;
    return {view(one->value), &one->release};
  }
  static void set_parameter(void *impl, aimrt_string_view_t key, aimrt_string_view_t value) { self(impl).parameters[text(key)] = text(value); }

  static bool register_service(void *impl, aimrt_string_view_t method, const void *, const aimrt_type_support_base_t *,
                               const aimrt_type_support_base_t *, aimrt_function_base_t *f) {
    if (text(method) == self(impl).refuse) return false;
    return self(impl).services.emplace(text(method), std::make_unique<service>(f)).second;
  }
  static bool register_client(void *impl, aimrt_string_view_t method, const void *, const aimrt_type_support_base_t *,
                              const aimrt_type_support_base_t *) {
    if (text(method) == self(impl).refuse) return false;
    for (const auto &known : self(impl).clients)
      if (known == text(method)) return false;
    self(impl).clients.push_back(text(method));
    return true;
  }

  // One call on its way: the server's context shows the client's metadata and takes writes of its own.
  struct call {
    core *host;
    std::map<std::string, std::string> meta;
    std::vector<aimrt_string_view_t> pairs;
    uint64_t timeout;
    aimrt_rpc_context_base_t base;
    callback done;

    call(core *owner, const aimrt_rpc_context_base_t *client, aimrt_function_base_t *f)
        : host(owner), timeout(client->ops->get_timeout_ns(client->impl)), base{&ops, this}, done(f) {
      const auto array = client->ops->get_meta_key_vals(client->impl);
      for (size_t i = 0; i < array.len; i += 2) meta[text(array.str_array[i])] = text(array.str_array[i + 1]);
    }
    static call &self(void *impl) { return *static_cast<call *>(impl); }
    static const aimrt_rpc_context_base_ops_t ops;
  };

  static void invoke(void *impl, aimrt_string_view_t method, const aimrt_rpc_context_base_t *ctx, const void *req, void *rsp,
                     aimrt_function_base_t *f) {
    core &host = self(impl);
    const auto found = host.services.find(text(method));
    if (ctx == nullptr || ctx->ops->get_type(ctx->impl) != AIMRT_RPC_CLIENT_CONTEXT || ctx->ops->check_used(ctx->impl) ||
        found == host.services.end()) {
      callback refused(f);
      refused(static_cast<uint32_t>(found == host.services.end() ? AIMRT_RPC_STATUS_SVR_NOT_FOUND : AIMRT_RPC_STATUS_CLI_INVALID_CONTEXT));
      return;
    }
    ctx->ops->set_used(ctx->impl);
    const std::string key = AIMRT_RPC_CONTEXT_KEY_REQUEST_ID, id = std::to_string(++host.requests_);
    ctx->ops->set_meta_val(ctx->impl, view(key), view(id));
    static const aimrt_function_service_callback_ops_t finish = {
        [](void *object, uint32_t code) { end(*static_cast<call **>(object), code); },
        [](void *from, void *to) { *static_cast<call **>(to) = std::exchange(*static_cast<call **>(from), nullptr); },
        [](void *) {}};
    auto *one = new call(&host, ctx, f);
    aimrt_function_base_t answer{};
    answer.ops = &finish;
    *reinterpret_cast<call **>(answer.object_buf) = one;
    (*found->second)(static_cast<const aimrt_rpc_context_base_t *>(&one->base), req, rsp, &answer);
  }
  static void end(call *one, uint32_t code) {
    core &host = *one->host;
    if (const auto found = one->meta.find("aimrt-status_message"); found != one->meta.end()) host.failure_text = found->second;
    if (host.deliver == delivery::inside_invoke) {
      one->done(code);
      delete one;
      return;
    }
    struct later {
      call *one;
      uint32_t code;
    };
    static const aimrt_function_executor_task_ops_t run = {[](void *object) {
                                                             auto *l = *static_cast<later **>(object);
                                                             l->one->done(l->code);
                                                           },
                                                           [](void *from, void *to) { *static_cast<later **>(to) = *static_cast<later **>(from); },
                                                           [](void *object) {
                                                             auto *l = *static_cast<later **>(object);
                                                             delete l->one;
                                                             delete l;
                                                           }};
    aimrt_function_base_t f{};
    f.ops = &run;
    *reinterpret_cast<later **>(f.object_buf) = new later{one, code};
    host.work.base()->execute(host.work.base()->impl, &f);
  }
  static void merge(void *impl, const aimrt_rpc_context_base_t *from, const aimrt_rpc_context_base_t *to) {
    for (const std::string &key : self(impl).merged)
      if (const auto value = from->ops->get_meta_val(from->impl, view(key)); value.len != 0) to->ops->set_meta_val(to->impl, view(key), value);
  }

  void publish(const std::string &, const aimrt_channel_context_base_t *ctx, const void *msg) {
    ++published;
    static const aimrt_function_subscriber_release_callback_ops_t ops = {
        [](void *object) { ++*static_cast<int **>(object)[0]; }, [](void *from, void *to) { *static_cast<int **>(to) = *static_cast<int **>(from); },
        [](void *) {}};
    for (auto &one : subscribers_) {
      aimrt_function_base_t release{};
      release.ops = &ops;
      *reinterpret_cast<int **>(release.object_buf) = &released;
      one(ctx, msg, &release);
    }
  }

  std::mutex mutex_;
  std::vector<char> scratch_;
  int requests_ = 0;
  std::list<taken<aimrt_function_subscriber_callback_ops_t>> subscribers_;
  aimrt_core_base_t base_{};
  aimrt_configurator_base_t configurator_{};
  aimrt_executor_manager_base_t manager_{};
  aimrt_logger_base_t logger_{};
  aimrt_allocator_base_t allocator_{};
  aimrt_parameter_handle_base_t parameter_{};
  aimrt_rpc_handle_base_t rpc_{};
  aimrt_channel_publisher_base_t publisher_{};
  aimrt_channel_subscriber_base_t subscriber_{};
  aimrt_channel_handle_base_t channel_{};
};

inline const aimrt_rpc_context_base_ops_t core::call::ops = {
    [](void *) { return false; },
    [](void *) {},
    [](void *) { return AIMRT_RPC_SERVER_CONTEXT; },
    [](void *impl) { return self(impl).timeout; },
    [](void *impl, uint64_t timeout) { self(impl).timeout = timeout; },
    [](void *impl, aimrt_string_view_t key) {
      const auto found = self(impl).meta.find(text(key));
      return found == self(impl).meta.end() ? aimrt_string_view_t{nullptr, 0} : view(found->second);
    },
    [](void *impl, aimrt_string_view_t key, aimrt_string_view_t value) { self(impl).meta[text(key)] = text(value); },
    [](void *impl) {
      self(impl).pairs.clear();
      for (const auto &[key, value] : self(impl).meta) self(impl).pairs.push_back(view(key));
      return aimrt_string_view_array_t{self(impl).pairs.data(), self(impl).pairs.size()};
    },
    [](void *impl) {
      self(impl).pairs.clear();
      for (const auto &[key, value] : self(impl).meta) {
        self(impl).pairs.push_back(view(key));
        self(impl).pairs.push_back(view(value));
      }
      return aimrt_string_view_array_t{self(impl).pairs.data(), self(impl).pairs.size()};
    }};

}  // namespace fake
