// Coroutines around the calls of one proxy or one service.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "aimrt_module_cpp_interface/co/task.h"
#include "aimrt_module_cpp_interface/rpc/rpc_context.h"
#include "aimrt_module_cpp_interface/rpc/rpc_status.h"

namespace aimrt::rpc {

using CoRpcHandle = std::function<co::Task<Status>(ContextRef, const void*, void*)>;
using CoRpcFilter = std::function<co::Task<Status>(ContextRef, const void*, void*, const CoRpcHandle&)>;

namespace details {

// Where the text of an exception stands in the context of a call being served, for the host to log and pass on.
constexpr std::string_view kStatusMessageKey = AIMRT_RPC_CONTEXT_KEY_PREFIX "status_message";

// What a service's exception becomes. To be called where it is caught.
inline Status HandleFailed(ContextRef server_context) noexcept {
  try {
    try {
      throw;
    } catch (const std::exception& e) {
      server_context.SetMetaValue(kStatusMessageKey, e.what());
    } catch (...) {
      server_context.SetMetaValue(kStatusMessageKey, "exception of a type that is not derived from std::exception");
    }
  } catch (...) {  // no memory for the text
  }
  return Status(AIMRT_RPC_STATUS_SVR_HANDLE_FAILED);
}

}  // namespace details

class CoFilterManager {
 public:
  CoFilterManager() = default;
  CoFilterManager(const CoFilterManager&) = delete;
  CoFilterManager& operator=(const CoFilterManager&) = delete;

  // The filter registered last is outermost: it sees a call first and its end last.
  void RegisterFilter(CoRpcFilter&& filter) { filters_.push_back(std::move(filter)); }

  // Runs the filters around a handle. On the server side an exception becomes status 1008, on the client side it goes to who awaits.
  co::Task<Status> InvokeRpc(const CoRpcHandle& handle, ContextRef context, const void* req, void* rsp) const {
    if (context && context.GetType() == AIMRT_RPC_SERVER_CONTEXT) return Serve(handle, context, req, rsp);
    if (filters_.empty()) return handle(context, req, rsp);
    return Run(handle, context, req, rsp);
  }

  bool Empty() const { return filters_.empty(); }
  void Clear() { filters_.clear(); }

 private:
  co::Task<Status> Run(CoRpcHandle handle, ContextRef context, const void* req, void* rsp) const {
    co_return co_await RunFrom(filters_.size(), handle, context, req, rsp);
  }

  co::Task<Status> Serve(CoRpcHandle handle, ContextRef context, const void* req, void* rsp) const {
    try {
      co_return co_await RunFrom(filters_.size(), handle, context, req, rsp);
    } catch (...) {
      co_return details::HandleFailed(context);
    }
  }

  // The filters below `left`, then the handle.
  co::Task<Status> RunFrom(size_t left, const CoRpcHandle& handle, ContextRef context, const void* req, void* rsp) const {
    if (left == 0) return handle(context, req, rsp);
    return RunFilter(left, handle, context, req, rsp);
  }
  co::Task<Status> RunFilter(size_t left, const CoRpcHandle& handle, ContextRef context, const void* req, void* rsp) const {
    const CoRpcHandle next = [this, left, &handle](ContextRef c, const void* q, void* p) { return RunFrom(left - 1, handle, c, q, p); };
    co_return co_await filters_[left - 1](context, req, rsp, next);
  }

  std::vector<CoRpcFilter> filters_;
};

}  // namespace aimrt::rpc
