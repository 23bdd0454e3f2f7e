// context->cli(): clients of methods.
#pragma once

#include <string>
#include <utility>

#include "aimrt_module_cpp_interface/context/op_base.h"
#include "aimrt_module_cpp_interface/context/res/service.h"

namespace aimrt::context {

class OpCli : public OpBase {
 public:
  using OpBase::OpBase;

  // A client that calls by f; generated stubs use it.
  template <typename Q, typename P, typename F>
  res::Client<Q, P> Init(std::string name, F&& f) const {
    return res::Client<Q, P>(std::move(name), typename res::Client<Q, P>::Function(std::forward<F>(f)));
  }

  // What Client::Call does, on this context.
  template <typename Q, typename P>
  co::Task<rpc::Status> Call(res::Client<Q, P> client, rpc::ContextRef context, const Q& req, P& rsp) const;
};

}  // namespace aimrt::context
