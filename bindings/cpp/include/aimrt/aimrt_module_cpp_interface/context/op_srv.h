// context->srv(): servers of methods.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/co/sync_wait.h"
#include "aimrt_module_cpp_interface/context/op_base.h"
#include "aimrt_module_cpp_interface/context/res/service.h"

namespace aimrt::context {

// A call being served: to be awaited. Stubs of AimRT 1.3 and later 1.x that take it for a Status block for it.
class [[nodiscard]] Serving : public co::Task<rpc::Status> {
 public:
  explicit Serving(co::Task<rpc::Status>&& task) : Task(std::move(task)) {}
  operator rpc::Status() && { return *co::SyncWait(static_cast<co::Task<rpc::Status>&&>(*this)); }
};

class OpSrv : public OpBase {
 public:
  using OpBase::OpBase;

  // A server without a handler; generated stubs use it.
  template <typename Q, typename P>
  res::Server<Q, P> Init(std::string name) const {
    return res::Server<Q, P>(std::move(name));
  }

  // Serves one request: 1009 when the context has stopped or its servers are off, 1002 without a handler.
  template <typename Q, typename P>
  context::Serving Serving(const res::Server<Q, P>& server, rpc::ContextRef context, const Q& req, P& rsp) const;

  template <typename Q, typename P, typename F>
  void ServeInline(res::Server<Q, P>& server, F&& f) const {
    server.ServeInline(std::forward<F>(f));
  }
  template <typename Q, typename P, typename F>
  void ServeOn(res::Server<Q, P>& server, executor::ExecutorRef executor, F&& f) const {
    server.ServeOn(executor, std::forward<F>(f));
  }
};

}  // namespace aimrt::context
