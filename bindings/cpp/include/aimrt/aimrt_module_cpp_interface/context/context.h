// A module's surroundings as one object: logger, executors, clients, servers, topics, and whether it is to go on.
#pragma once

#include <atomic>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "aimrt_module_cpp_interface/co/aimrt_context.h"
#include "aimrt_module_cpp_interface/co/schedule.h"
#include "aimrt_module_cpp_interface/context/details/concepts.h"
#include "aimrt_module_cpp_interface/context/details/thread_context.h"
#include "aimrt_module_cpp_interface/context/op_cli.h"
#include "aimrt_module_cpp_interface/context/op_log.h"
#include "aimrt_module_cpp_interface/context/op_pub.h"
#include "aimrt_module_cpp_interface/context/op_srv.h"
#include "aimrt_module_cpp_interface/context/op_sub.h"
#include "aimrt_module_cpp_interface/core.h"

namespace aimrt::context {

enum class ChannelState { kOn, kOff };
enum class RpcState { kOn, kOff };

// Made by std::make_shared. Any thread may ask it; handlers and topics are set up while the module initializes.
class Context : public std::enable_shared_from_this<Context> {
  using Place = std::source_location;

 public:
  Context() = default;
  explicit Context(CoreRef core) : core_(core) {}

  // A new context, bound to this thread.
  static std::shared_ptr<Context> Letme(CoreRef core) {
    auto context = std::make_shared<Context>(core);
    context->LetMe();
    return context;
  }

  CoreRef GetRawRef() const { return core_; }
  static CoreRef GetRawRef(const Context& context) { return context.core_; }
  logger::LoggerRef GetLogger() const { return core_.GetLogger(); }
  std::string_view GetConfigFilePath() const { return core_.GetConfigurator().GetConfigFilePath(); }

  // Binds the context to this thread, weakly.
  void LetMe() { details::g_thread_ctx.ctx_ptr = weak_from_this(); }

  void StopRunning() { running_ = false; }
  [[nodiscard]] bool Running() const { return running_; }

  void SetPubState(ChannelState state) { pub_state_ = state; }
  [[nodiscard]] ChannelState GetPubState() const { return pub_state_; }
  void SetSubState(ChannelState state) { sub_state_ = state; }
  [[nodiscard]] ChannelState GetSubState() const { return sub_state_; }
  void SetCliState(RpcState state) { cli_state_ = state; }
  [[nodiscard]] RpcState GetCliState() const { return cli_state_; }
  void SetSrvState(RpcState state) { srv_state_ = state; }
  [[nodiscard]] RpcState GetSrvState() const { return srv_state_; }

  OpPub pub(const Place& place = Place::current()) { return {*this, place}; }
  OpSub sub(const Place& place = Place::current()) { return {*this, place}; }
  OpCli cli(const Place& place = Place::current()) { return {*this, place}; }
  OpSrv srv(const Place& place = Place::current()) { return {*this, place}; }
  OpLog log(const Place& place = Place::current()) { return {*this, place}; }

  // Throws when there is no executor of that name.
  executor::ExecutorRef CreateExecutor(std::string_view name, const Place& place = Place::current()) {
    const executor::ExecutorRef executor = core_.GetExecutorManager().GetExecutor(name);
    if (!executor) common::util::details::ThrowAt(place, "There is no executor '" + std::string(name) + "'.");
    return executor;
  }

  template <typename T>
  res::Publisher<T> CreatePublisher(std::string_view topic, const Place& place = Place::current()) {
    return pub(place).template Init<T>(std::string(topic));
  }
  template <typename T>
  res::Subscriber<T> CreateSubscriber(std::string_view topic, const Place& place = Place::current()) {
    return sub(place).template Init<T>(std::string(topic));
  }
  template <typename T, concepts::Subscriber<T> F>
  res::Subscriber<T> CreateSubscriber(std::string_view topic, F&& f, const Place& place = Place::current()) {
    return CreateSubscriber<T>(topic, executor::ExecutorRef(), std::forward<F>(f), place);
  }
  template <typename T, concepts::Subscriber<T> F>
  res::Subscriber<T> CreateSubscriber(std::string_view topic, executor::ExecutorRef executor, F&& f, const Place& place = Place::current()) {
    auto subscriber = sub(place).template Init<T>(std::string(topic));
    sub(place).SubscribeOn(subscriber, executor, std::forward<F>(f));
    return subscriber;
  }

  // Of the classes SCoClient and SCoServer in generated stubs.
  template <typename CoClient>
  CoClient CreateClient(std::string_view service_name = "") {
    CoClient client;
    client.Init(shared_from_this(), std::string(service_name));
    return client;
  }
  template <typename CoServer>
  std::shared_ptr<CoServer> CreateServer(std::string_view service_name = "") {
    auto server = std::make_shared<CoServer>();
    server->Init(shared_from_this(), std::string(service_name));
    return server;
  }

 private:
  CoreRef core_;
  std::atomic<bool> running_ = true;
  std::atomic<ChannelState> pub_state_ = ChannelState::kOn;
  std::atomic<ChannelState> sub_state_ = ChannelState::kOn;
  std::atomic<RpcState> cli_state_ = RpcState::kOn;
  std::atomic<RpcState> srv_state_ = RpcState::kOn;
};

// Whether the context of this thread is to go on.
inline bool Running() { return details::ExpectContext()->Running(); }

inline CoreRef OpBase::Core() const { return context_.GetRawRef(); }

template <typename Q, typename P>
co::Task<rpc::Status> OpCli::Call(res::Client<Q, P> client, rpc::ContextRef context, const Q& req, P& rsp) const {
  // Not a coroutine of this object, which is gone when the task runs.
  return [](Context& self, res::Client<Q, P> one, rpc::ContextRef ctx, const Q& q, P& p) -> co::Task<rpc::Status> {
    if (self.GetCliState() != RpcState::kOn) co_return rpc::Status(AIMRT_RPC_STATUS_CLI_NOT_READY);
    const auto function = one.function_;
    if (!function) co_return rpc::Status(AIMRT_RPC_STATUS_CLI_FUNC_NOT_REGISTERED);
    rpc::Context own;
    if (const auto& active = details::g_thread_ctx.active_rpc_context; !ctx && active) {
      self.GetRawRef().GetRpcHandle().MergeServerContextToClientContext(*active, own);
      ctx = own;
    }
    co_return co_await (*function)(ctx, q, p);
  }(context_, std::move(client), context, req, rsp);
}

template <typename Q, typename P>
co::Task<rpc::Status> res::Client<Q, P>::Call(rpc::ContextRef context, const Q& req, P& rsp) const {
  return [](Client self, rpc::ContextRef ctx, const Q& q, P& p) -> co::Task<rpc::Status> {
    const auto owner = context::details::ExpectContext();
    co_return co_await owner->cli().Call(std::move(self), ctx, q, p);
  }(*this, context, req, rsp);
}

template <typename Q, typename P>
Serving OpSrv::Serving(const res::Server<Q, P>& server, rpc::ContextRef context, const Q& req, P& rsp) const {
  return context::Serving([](Context& self, auto function, rpc::ContextRef ctx, const Q& q, P& p) -> co::Task<rpc::Status> {
    if (!self.Running() || self.GetSrvState() != RpcState::kOn) co_return rpc::Status(AIMRT_RPC_STATUS_SVR_NOT_READY);
    if (!function) co_return rpc::Status(AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED);
    const auto alive = self.shared_from_this();
    co_return co_await (*function)(ctx, q, p);
  }(context_, server.function_, context, req, rsp));
}

template <typename Q, typename P>
template <concepts::Service<Q, P> F>
void res::Server<Q, P>::ServeOn(executor::ExecutorRef executor, F&& f) {
  if (!executor) common::util::details::ThrowAt(std::source_location::current(), "Executor of a server is null.");
  function_ = std::make_shared<Function>(
      [executor, handler = std::make_shared<Function>(Wrap(std::forward<F>(f)))](rpc::ContextRef context, const Q& req, P& rsp) {
        return [](executor::ExecutorRef exe, std::shared_ptr<Function> h, std::weak_ptr<Context> owner, rpc::ContextRef ctx, const Q& q,
                  P& p) -> co::Task<rpc::Status> {
          co_await co::Schedule(co::AimRTScheduler(exe));
          context::details::g_thread_ctx.ctx_ptr = owner;
          context::details::g_thread_ctx.exe = exe;
          co_return co_await (*h)(ctx, q, p);
        }(executor, handler, context::details::g_thread_ctx.ctx_ptr, context, req, rsp);
      });
}

template <typename T>
void OpPub::Publish(const res::Publisher<T>& publisher, channel::ContextRef context, const T& msg) const {
  if (!publisher.publisher_) Fail("The publisher has not been initialized.");
  if (context_.GetPubState() == ChannelState::kOn) channel::Publish<T>(publisher.publisher_, context, msg);
}

template <typename T>
void res::Publisher<T>::Publish(channel::ContextRef context, const T& msg) const {
  context::details::ExpectContext()->pub().Publish(*this, context, msg);
}

template <typename T, concepts::Subscriber<T> F>
void OpSub::SubscribeOn(const res::Subscriber<T>& subscriber, executor::ExecutorRef executor, F&& f) const {
  const auto run = [f = std::make_shared<std::decay_t<F>>(std::forward<F>(f)), owner = context_.weak_from_this()](
                       channel::ContextRef ctx, const std::shared_ptr<const T>& msg) {
    const auto self = owner.lock();
    if (!self || self->GetSubState() != ChannelState::kOn) return;
    self->LetMe();
    const auto invoke = [&]() -> decltype(auto) {
      using G = std::decay_t<F>;
      if constexpr (std::is_invocable_v<G&, channel::ContextRef, std::shared_ptr<const T>>)
        return (*f)(ctx, msg);
      else if constexpr (std::is_invocable_v<G&, std::shared_ptr<const T>>)
        return (*f)(msg);
      else if constexpr (std::is_invocable_v<G&, channel::ContextRef, const T&>)
        return (*f)(ctx, *msg);
      else
        return (*f)(*msg);
    };
    if constexpr (std::is_same_v<decltype(invoke()), co::Task<void>>)
      co::StartDetached(invoke() | co::Then([f, msg] {}));
    else
      invoke();
  };
  const bool taken = channel::Subscribe<T>(
      subscriber.subscriber_, [run, executor](channel::ContextRef ctx, const std::shared_ptr<const T>& msg) {
        if (!executor) {
          run(ctx, msg);
          return;
        }
        executor.Execute([run, own = std::make_shared<channel::Context>(ctx), msg] { run(*own, msg); });
      });
  if (!taken) Fail("The subscription was refused for topic '" + std::string(subscriber.GetName()) + "'.");
}

template <typename T>
template <typename F>
void res::Subscriber<T>::SubscribeInline(F&& f) const {
  context::details::ExpectContext()->sub().SubscribeInline(*this, std::forward<F>(f));
}
template <typename T>
template <typename F>
void res::Subscriber<T>::SubscribeOn(executor::ExecutorRef executor, F&& f) const {
  context::details::ExpectContext()->sub().SubscribeOn(*this, executor, std::forward<F>(f));
}

}  // namespace aimrt::context

// With it the log macros work outside modules: the logger of the thread's context, else the one that writes to stderr. Set it to 0
// when the program has a global GetLogger of its own.
#ifndef AIMRT_CONTEXT_DEFINE_GLOBAL_LOGGER_HANDLE
  #define AIMRT_CONTEXT_DEFINE_GLOBAL_LOGGER_HANDLE 1
#endif

#if AIMRT_CONTEXT_DEFINE_GLOBAL_LOGGER_HANDLE
inline aimrt::logger::LoggerRef GetLogger() {
  if (const auto context = aimrt::context::details::g_thread_ctx.ctx_ptr.lock(); context && context->GetRawRef()) return context->GetLogger();
  return aimrt::logger::GetSimpleLoggerRef();
}
#endif
