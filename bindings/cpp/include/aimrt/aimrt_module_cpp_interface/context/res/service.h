// One method of a service, as its client and as its server. context.h has the functions that need the context.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "aimrt_module_cpp_interface/co/task.h"
#include "aimrt_module_cpp_interface/context/details/concepts.h"
#include "aimrt_module_cpp_interface/context/details/thread_context.h"
#include "aimrt_module_cpp_interface/context/res/base.h"
#include "aimrt_module_cpp_interface/executor/executor.h"
#include "aimrt_module_cpp_interface/rpc/rpc_context.h"
#include "aimrt_module_cpp_interface/rpc/rpc_status.h"

namespace aimrt::context {

class OpCli;
class OpSrv;

namespace res {

// A small value, to be copied freely. Calls use the context of the thread they are made on: LetMe comes before them on a new thread.
template <typename Q, typename P>
class Client : public details::Base {
  friend class ::aimrt::context::OpCli;

 public:
  using Function = std::function<co::Task<rpc::Status>(rpc::ContextRef, const Q&, P&)>;

  Client() = default;

  co::Task<rpc::Status> Call(const Q& req, P& rsp) const { return Call(rpc::ContextRef(), req, rsp); }
  co::Task<rpc::Status> Call(rpc::ContextRef context, const Q& req, P& rsp) const;
  // The response, or nothing when the call failed.
  co::Task<std::optional<P>> Call(const Q& req) const { return Call(rpc::ContextRef(), req); }
  co::Task<std::optional<P>> Call(rpc::ContextRef context, const Q& req) const {
    std::optional<P> rsp(std::in_place);
    const rpc::Status status = co_await Call(context, req, *rsp);
    if (!status.OK()) rsp.reset();
    co_return rsp;
  }

  co::Task<rpc::Status> operator()(const Q& req, P& rsp) const { return Call(req, rsp); }
  co::Task<rpc::Status> operator()(rpc::ContextRef context, const Q& req, P& rsp) const { return Call(context, req, rsp); }
  co::Task<std::optional<P>> operator()(const Q& req) const { return Call(req); }
  co::Task<std::optional<P>> operator()(rpc::ContextRef context, const Q& req) const { return Call(context, req); }

 private:
  Client(std::string name, Function function) : Base(std::move(name)), function_(std::make_shared<Function>(std::move(function))) {}

  std::shared_ptr<Function> function_;
};

// The handler must be set before requests arrive; until then they are answered with 1002.
template <typename Q, typename P>
class Server : public details::Base {
  friend class ::aimrt::context::OpSrv;

 public:
  using Function = std::function<co::Task<rpc::Status>(rpc::ContextRef, const Q&, P&)>;

  Server() = default;

  // The handler runs where the request arrives. It takes (const Q&, P&) or (ContextRef, const Q&, P&) and gives a Status or nothing, or
  // is a coroutine that does.
  template <concepts::Service<Q, P> F>
  void ServeInline(F&& f) {
    function_ = std::make_shared<Function>(Wrap(std::forward<F>(f)));
  }
  // The handler runs on an executor.
  template <concepts::Service<Q, P> F>
  void ServeOn(executor::ExecutorRef executor, F&& f);

 private:
  explicit Server(std::string name) : Base(std::move(name)) {}

  template <typename F>
  static Function Wrap(F&& f) {
    return [f = std::make_shared<std::decay_t<F>>(std::forward<F>(f))](rpc::ContextRef context, const Q& req, P& rsp) {
      return Run<std::decay_t<F>>(f, context, req, rsp);
    };
  }

  template <typename F>
  static decltype(auto) Invoke(F& f, rpc::ContextRef context, const Q& req, P& rsp) {
    if constexpr (concepts::ServiceWithContext<F, Q, P>)
      return f(context, req, rsp);
    else
      return f(req, rsp);
  }

  template <typename F>
  static co::Task<rpc::Status> Run(std::shared_ptr<F> f, rpc::ContextRef context, const Q& req, P& rsp) {
    using R = decltype(Invoke(*f, context, req, rsp));
    if constexpr (std::is_same_v<R, rpc::Status>) {
      const context::details::ServingScope scope(context);
      co_return Invoke(*f, context, req, rsp);
    } else if constexpr (std::is_void_v<R>) {
      const context::details::ServingScope scope(context);
      Invoke(*f, context, req, rsp);
      co_return rpc::Status();
    } else if constexpr (std::is_same_v<R, co::Task<rpc::Status>>) {
      co_return co_await Invoke(*f, context, req, rsp);
    } else {
      co_await Invoke(*f, context, req, rsp);
      co_return rpc::Status();
    }
  }

  std::shared_ptr<Function> function_;
};

}  // namespace res
}  // namespace aimrt::context
