// The closures that travel with services and calls, and the names of methods.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "aimrt_module_cpp_interface/rpc/rpc_co_filter.h"
#include "aimrt_module_cpp_interface/rpc/rpc_context.h"
#include "aimrt_module_cpp_interface/rpc/rpc_status.h"
#include "aimrt_module_cpp_interface/util/details/block_pool.h"
#include "aimrt_module_cpp_interface/util/function.h"
#include "aimrt_rpc_compat.h"

namespace aimrt::rpc {

using ServiceCallback = util::Function<aimrt_function_service_callback_ops_t>;
using ClientCallback = util::Function<aimrt_function_client_callback_ops_t>;
using ServiceFunc = util::Function<aimrt_function_service_func_ops_t>;

// "pb:/package.Service/Method"
inline std::string GetFullFuncName(std::string_view rpc_type, std::string_view service_name, std::string_view func_name) {
  std::string name;
  name.reserve(rpc_type.size() + service_name.size() + func_name.size() + 3);
  return name.append(rpc_type).append(":/").append(service_name).append("/").append(func_name);
}

// "/package.Service/Method" of such a name; a text without ":/" as it is.
inline std::string_view GetFuncNameWithoutPrefix(std::string_view full_func_name) {
  const size_t at = full_func_name.find(":/");
  return at == std::string_view::npos ? full_func_name : full_func_name.substr(at + 1);
}

namespace details {

// The end of a served call, told once: by the service, or with 1008 by who sees that it will not come.
class Answer {
 public:
  Answer(const aimrt_rpc_context_base_t* context, aimrt_function_base_t* callback) : context_(context), callback_(callback) {}
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() {
    if (!told_.load(std::memory_order_acquire)) Lost();
  }

  void Tell(uint32_t code) {
    if (!told_.exchange(true, std::memory_order_acq_rel) && callback_) callback_(code);
  }

  // In a catch block.
  void TellException() {
    if (!told_.exchange(true, std::memory_order_acq_rel)) {
      const Status status = HandleFailed(context_);
      if (callback_) callback_(status.Code());
    }
  }

 private:
  void Lost() {
    try {
      context_.SetMetaValue(kStatusMessageKey, "the service dropped its callback without an answer");
    } catch (...) {  // no memory for the text
    }
    Tell(AIMRT_RPC_STATUS_SVR_HANDLE_FAILED);
  }

  ContextRef context_;
  ServiceCallback callback_;
  std::atomic<bool> told_ = false;
};

// A service closure of a type with this name answers exceptions itself; any other gets an Answer between itself and the host.
template <typename F>
concept AnswersExceptions = requires { typename F::AnswersExceptions; };

}  // namespace details
}  // namespace aimrt::rpc

namespace aimrt::util::details {

template <typename F>
struct Invocation<aimrt_function_service_func_ops_t, F> {
  template <typename, typename...>
  static void Run(F& f, const aimrt_rpc_context_base_t* context, const void* req, void* rsp, aimrt_function_base_t* callback) {
    if constexpr (rpc::details::AnswersExceptions<F>) {
      f(context, req, rsp, callback);
    } else {
      auto answer = std::allocate_shared<rpc::details::Answer>(BlockAllocator<rpc::details::Answer>(), context, callback);
      rpc::ServiceCallback tell([answer](uint32_t code) { answer->Tell(code); });
      try {
        f(context, req, rsp, tell.NativeHandle());
      } catch (...) {
        answer->TellException();
      }
    }
  }
};

}  // namespace aimrt::util::details
