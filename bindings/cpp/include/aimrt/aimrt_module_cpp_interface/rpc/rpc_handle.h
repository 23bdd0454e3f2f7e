// Services, proxies, and the handle by which a module registers both. Generated stubs derive from the bases here.
#pragma once

#include <atomic>
#include <concepts>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "aimrt_module_cpp_interface/co/start_detached.h"
#include "aimrt_module_cpp_interface/co/task.h"
#include "aimrt_module_cpp_interface/rpc/rpc_co_filter.h"
#include "aimrt_module_cpp_interface/rpc/rpc_context.h"
#include "aimrt_module_cpp_interface/rpc/rpc_handle_base.h"
#include "aimrt_module_cpp_interface/rpc/rpc_status.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::rpc {

class RpcHandleRef;

// A service collects its methods when it is made and hands them over when it is registered, once. It must live as long as the
// runtime may call it.
class ServiceBase {
  friend class RpcHandleRef;

 public:
  ServiceBase(std::string_view rpc_type, std::string_view service_name) : rpc_type_(rpc_type), service_name_(service_name) {}
  virtual ~ServiceBase() = default;
  ServiceBase(const ServiceBase&) = delete;
  ServiceBase& operator=(const ServiceBase&) = delete;

  void SetServiceName(std::string_view service_name) { service_name_ = service_name; }
  std::string_view RpcType() const { return rpc_type_; }
  std::string_view ServiceName() const { return service_name_; }

  void RegisterServiceFunc(std::string_view func_name, const void* custom_type_support_ptr, const aimrt_type_support_base_t* req_type_support,
                           const aimrt_type_support_base_t* rsp_type_support, ServiceFunc&& service_func) {
    service_func_wrapper_vec_.push_back(
        {std::string(func_name), custom_type_support_ptr, req_type_support, rsp_type_support, std::move(service_func)});
  }

 protected:
  struct ServiceFuncWrapper {
    std::string func_name;
    const void* custom_type_support_ptr;
    const aimrt_type_support_base_t* req_type_support;
    const aimrt_type_support_base_t* rsp_type_support;
    ServiceFunc service_func;
  };

  std::string rpc_type_;
  std::string service_name_;
  std::vector<ServiceFuncWrapper> service_func_wrapper_vec_;
};

class CoServiceBase : public ServiceBase {
 public:
  using ServiceBase::ServiceBase;

  // Before the service is registered. The last one is outermost.
  template <typename T>
    requires std::constructible_from<CoRpcFilter, T>
  void RegisterFilter(T&& filter) {
    filter_mgr_.RegisterFilter(CoRpcFilter(std::forward<T>(filter)));
  }
  const CoFilterManager& GetFilterManager() const { return filter_mgr_; }
  CoFilterManager& GetFilterManager() { return filter_mgr_; }

 protected:
  CoFilterManager filter_mgr_;
};

class RpcHandleRef {
 public:
  RpcHandleRef() = default;
  explicit RpcHandleRef(const aimrt_rpc_handle_base_t* base) : base_(base) {}

  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_rpc_handle_base_t* NativeHandle() const { return base_; }

  // Registers every method of the service, also after one was refused; true when all were taken.
  bool RegisterService(ServiceBase* service) const {
    common::util::details::CheckReference(base_);
    AIMRT_ASSERT(service != nullptr, "Service to register is null.");
    bool all = true;
    for (auto& method : service->service_func_wrapper_vec_) {
      const std::string name = GetFullFuncName(service->rpc_type_, service->service_name_, method.func_name);
      const bool taken = base_->register_service_func(base_->impl, util::ToAimRTStringView(name), method.custom_type_support_ptr,
                                                      method.req_type_support, method.rsp_type_support, method.service_func.NativeHandle());
      all = all && taken;
    }
    return all;
  }

  bool RegisterService(std::string_view service_name, ServiceBase* service) const {
    AIMRT_ASSERT(service != nullptr, "Service '{}' to register is null.", service_name);
    service->SetServiceName(service_name);
    return RegisterService(service);
  }

  bool RegisterClientFunc(std::string_view full_func_name, const void* custom_type_support_ptr,
                          const aimrt_type_support_base_t* req_type_support, const aimrt_type_support_base_t* rsp_type_support) const {
    common::util::details::CheckReference(base_);
    return base_->register_client_func(base_->impl, util::ToAimRTStringView(full_func_name), custom_type_support_ptr, req_type_support,
                                       rsp_type_support);
  }
  bool RegisterClientFunc(std::string_view rpc_type, std::string_view service_name, std::string_view func_name,
                          const void* custom_type_support_ptr, const aimrt_type_support_base_t* req_type_support,
                          const aimrt_type_support_base_t* rsp_type_support) const {
    return RegisterClientFunc(GetFullFuncName(rpc_type, service_name, func_name), custom_type_support_ptr, req_type_support, rsp_type_support);
  }

  // The callback comes once, on the thread that ended the call, maybe before this returns. Context, request and response must live
  // until then.
  void Invoke(std::string_view full_func_name, ContextRef context, const void* req, void* rsp, ClientCallback&& callback) const {
    common::util::details::CheckReference(base_);
    base_->invoke(base_->impl, util::ToAimRTStringView(full_func_name), context.NativeHandle(), req, rsp, callback.NativeHandle());
  }
  void Invoke(std::string_view rpc_type, std::string_view service_name, std::string_view func_name, ContextRef context, const void* req,
              void* rsp, ClientCallback&& callback) const {
    Invoke(GetFullFuncName(rpc_type, service_name, func_name), context, req, rsp, std::move(callback));
  }

  // Copies the metadata that is to travel on from a call being served to one about to be made.
  void MergeServerContextToClientContext(ContextRef server_context, ContextRef client_context) const {
    common::util::details::CheckReference(base_);
    base_->merge_server_context_to_client_context(base_->impl, server_context.NativeHandle(), client_context.NativeHandle());
  }

 private:
  const aimrt_rpc_handle_base_t* base_ = nullptr;
};

template <typename Proxy>
bool RegisterClientFunc(RpcHandleRef rpc_handle) {
  return Proxy::RegisterClientFunc(rpc_handle);
}
template <typename Proxy>
bool RegisterClientFunc(RpcHandleRef rpc_handle, std::string_view service_name) {
  return Proxy::RegisterClientFunc(rpc_handle, service_name);
}

// Several calls of one proxy may run at once. The name and the default context are set while none does.
class ProxyBase {
 public:
  ProxyBase(RpcHandleRef rpc_handle, std::string_view rpc_type, std::string_view service_name)
      : rpc_handle_ref_(rpc_handle), rpc_type_(rpc_type), service_name_(service_name) {}
  virtual ~ProxyBase() = default;
  ProxyBase(const ProxyBase&) = delete;
  ProxyBase& operator=(const ProxyBase&) = delete;

  void SetServiceName(std::string_view service_name) {
    service_name_ = service_name;
    for (auto& method : methods_) method.full_name = GetFullFuncName(rpc_type_, service_name_, method.name);
  }
  std::string_view RpcType() const { return rpc_type_; }
  std::string_view ServiceName() const { return service_name_; }

  // A copy of the default context, or a fresh one; what travels on from the call being served is merged in.
  std::shared_ptr<Context> NewContextSharedPtr(ContextRef server_context = ContextRef()) const {
    using Allocator = util::details::BlockAllocator<Context>;
    auto context = default_ctx_ptr_ ? std::allocate_shared<Context>(Allocator(), *default_ctx_ptr_) : std::allocate_shared<Context>(Allocator());
    if (server_context) rpc_handle_ref_.MergeServerContextToClientContext(server_context, context);
    return context;
  }

  void SetDefaultContextSharedPtr(const std::shared_ptr<Context>& context) { default_ctx_ptr_ = context; }
  std::shared_ptr<Context> GetDefaultContextSharedPtr() const { return default_ctx_ptr_; }

 protected:
  // The methods of a generated proxy, in the order by which FullFuncName knows them.
  void SetMethods(std::initializer_list<std::string_view> names) {
    for (const auto name : names) methods_.push_back({std::string(name), GetFullFuncName(rpc_type_, service_name_, name)});
  }
  std::string_view FullFuncName(size_t method) const { return methods_[method].full_name; }

  RpcHandleRef rpc_handle_ref_;
  std::string rpc_type_;
  std::string service_name_;
  std::shared_ptr<Context> default_ctx_ptr_;

 private:
  struct Method {
    std::string name;
    std::string full_name;
  };
  std::vector<Method> methods_;
};

namespace details {

// Waits for the one callback of a call. A call that has ended when invoke returns costs no lock and makes none.
class SyncCall {
 public:
  ClientCallback Callback() {
    return [this](uint32_t code) {
      code_ = code;
      if (turn_.exchange(kEnded, std::memory_order_acq_rel) != kWaiting) return;
      std::lock_guard lock(waiter_->mutex);
      waiter_->ended = true;
      waiter_->changed.notify_one();  // with the lock held: the waiting thread may destroy it as soon as it is free
    };
  }
  Status Wait() {
    if (turn_.load(std::memory_order_acquire) == kEnded) return Status(code_);
    Waiter waiter;
    waiter_ = &waiter;  // before the callback can see that somebody waits
    if (turn_.exchange(kWaiting, std::memory_order_acq_rel) != kEnded) {
      std::unique_lock lock(waiter.mutex);
      waiter.changed.wait(lock, [&waiter] { return waiter.ended; });
    }
    return Status(code_);
  }

 private:
  enum Turn : unsigned char { kInvoking, kWaiting, kEnded };
  struct Waiter {
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
  };

  std::atomic<Turn> turn_ = kInvoking;
  uint32_t code_ = 0;
  Waiter* waiter_ = nullptr;
};

// co_await of a call. A call that ends on this thread before invoke returns does not suspend; else the callback resumes, on its thread.
class CallAwaiter {
 public:
  CallAwaiter(RpcHandleRef rpc_handle, std::string_view full_func_name, ContextRef context, const void* req, void* rsp)
      : rpc_handle_(rpc_handle), full_func_name_(full_func_name), context_(context), req_(req), rsp_(rsp) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    const co::details::Beginning beginning;
    handle_ = handle;
    beginning_ = beginning.GetName();
    const RpcHandleRef rpc_handle = rpc_handle_;  // this may be gone before invoke returns
    rpc_handle.Invoke(full_func_name_, context_, req_, rsp_, [this](uint32_t code) {
      code_ = code;
      if (!co::details::Beginning::End(beginning_)) handle_.resume();
    });
    return !beginning.HasEnded();
  }
  Status await_resume() const noexcept { return Status(code_); }

 private:
  RpcHandleRef rpc_handle_;
  std::string_view full_func_name_;
  ContextRef context_;
  const void* req_;
  void* rsp_;
  std::coroutine_handle<> handle_;
  uint32_t code_ = 0;
  co::details::Beginning::Name beginning_;
};

}  // namespace details

// Calls block the thread.
class SyncProxyBase : public ProxyBase {
 public:
  using ProxyBase::ProxyBase;

 protected:
  template <typename Req, typename Rsp>
  Status Invoke(std::string_view full_func_name, ContextRef context, const Req& req, Rsp& rsp) {
    std::optional<Context> own;
    if (!context) {
      if (default_ctx_ptr_)
        own.emplace(*default_ctx_ptr_);
      else
        own.emplace();
      context = *own;
    }
    context.SetFunctionName(full_func_name);
    details::SyncCall call;
    rpc_handle_ref_.Invoke(full_func_name, context, static_cast<const void*>(&req), static_cast<void*>(&rsp), call.Callback());
    return call.Wait();
  }
};

// The callback comes on the thread that ended the call, maybe before the call returns.
class AsyncProxyBase : public ProxyBase {
 public:
  using ProxyBase::ProxyBase;

 protected:
  template <typename Req, typename Rsp>
  void Invoke(std::string_view full_func_name, ContextRef context, const Req& req, Rsp& rsp, std::function<void(Status)>&& callback) {
    std::shared_ptr<Context> own;
    if (!context) context = own = NewContextSharedPtr();
    context.SetFunctionName(full_func_name);
    rpc_handle_ref_.Invoke(full_func_name, context, static_cast<const void*>(&req), static_cast<void*>(&rsp),
                           [own = std::move(own), callback = std::move(callback)](uint32_t code) { callback(Status(code)); });
  }
};

class FutureProxyBase : public ProxyBase {
 public:
  using ProxyBase::ProxyBase;

 protected:
  template <typename Req, typename Rsp>
  std::future<Status> Invoke(std::string_view full_func_name, ContextRef context, const Req& req, Rsp& rsp) {
    std::shared_ptr<Context> own;
    if (!context) context = own = NewContextSharedPtr();
    context.SetFunctionName(full_func_name);
    std::promise<Status> promise;
    auto future = promise.get_future();
    rpc_handle_ref_.Invoke(full_func_name, context, static_cast<const void*>(&req), static_cast<void*>(&rsp),
                           [own = std::move(own), promise = std::move(promise)](uint32_t code) mutable { promise.set_value(Status(code)); });
    return future;
  }
};

// A call begins when it is awaited; who awaits goes on at once, or on the thread that ended the call.
class CoProxyBase : public ProxyBase {
 public:
  using ProxyBase::ProxyBase;

  // The last one is outermost.
  template <typename T>
    requires std::constructible_from<CoRpcFilter, T>
  void RegisterFilter(T&& filter) {
    filter_mgr_.RegisterFilter(CoRpcFilter(std::forward<T>(filter)));
  }
  const CoFilterManager& GetFilterManager() const { return filter_mgr_; }
  CoFilterManager& GetFilterManager() { return filter_mgr_; }

 protected:
  // The name must live until the call has ended.
  template <typename Req, typename Rsp>
  co::Task<Status> Invoke(std::string_view full_func_name, ContextRef context, const Req& req, Rsp& rsp) {
    return InvokeBytes(full_func_name, context, static_cast<const void*>(&req), static_cast<void*>(&rsp));
  }

  CoFilterManager filter_mgr_;

 private:
  co::Task<Status> InvokeBytes(std::string_view full_func_name, ContextRef context, const void* req, void* rsp) {
    std::optional<Context> own;
    if (!context) {
      if (default_ctx_ptr_)
        own.emplace(*default_ctx_ptr_);
      else
        own.emplace();
      context = *own;
    }
    context.SetFunctionName(full_func_name);
    if (filter_mgr_.Empty()) co_return co_await details::CallAwaiter(rpc_handle_ref_, full_func_name, context, req, rsp);
    const CoRpcHandle call = [rpc_handle = rpc_handle_ref_, full_func_name](ContextRef c, const void* q, void* p) -> co::Task<Status> {
      co_return co_await details::CallAwaiter(rpc_handle, full_func_name, c, q, p);
    };
    co_return co_await filter_mgr_.InvokeRpc(call, context, req, rsp);
  }
};

namespace details {

// The service closures of generated stubs: they turn exceptions into status 1008 themselves, and a call costs them no memory.

template <typename Req, typename Rsp, typename Method>
class SyncMethod {
 public:
  using AnswersExceptions = void;
  explicit SyncMethod(Method method) : method_(std::move(method)) {}
  void operator()(const aimrt_rpc_context_base_t* context, const void* req, void* rsp, aimrt_function_base_t* callback) {
    const ServiceCallback answer(callback);
    const ContextRef context_ref(context);
    Status status;
    try {
      status = method_(context_ref, *static_cast<const Req*>(req), *static_cast<Rsp*>(rsp));
    } catch (...) {
      status = HandleFailed(context_ref);
    }
    if (answer) answer(status.Code());
  }

 private:
  Method method_;
};

template <typename Req, typename Rsp, typename Method>
class AsyncMethod {
  // std::function makes it by new: from the pool.
  struct Callback {
    std::shared_ptr<Answer> answer;
    void operator()(Status status) const { answer->Tell(status.Code()); }
    static void* operator new(size_t size) { return util::details::BlockPool::Allocate(size); }
    static void operator delete(void* block, size_t size) noexcept { util::details::BlockPool::Release(block, size); }
    static void* operator new(size_t, void* place) noexcept { return place; }
  };

 public:
  using AnswersExceptions = void;
  explicit AsyncMethod(Method method) : method_(std::move(method)) {}
  void operator()(const aimrt_rpc_context_base_t* context, const void* req, void* rsp, aimrt_function_base_t* callback) {
    auto answer = std::allocate_shared<Answer>(util::details::BlockAllocator<Answer>(), context, callback);
    try {
      method_(ContextRef(context), *static_cast<const Req*>(req), *static_cast<Rsp*>(rsp), Callback{answer});
    } catch (...) {
      answer->TellException();
    }
  }

 private:
  Method method_;
};

template <typename Req, typename Rsp, typename Method>
class CoMethod {
 public:
  using AnswersExceptions = void;
  CoMethod(const CoFilterManager& filters, Method method) : filters_(&filters), method_(std::move(method)) {}
  void operator()(const aimrt_rpc_context_base_t* context, const void* req, void* rsp, aimrt_function_base_t* callback) {
    if (filters_->Empty())
      Serve(method_, ContextRef(context), req, rsp, ServiceCallback(callback));
    else
      ServeFiltered(filters_, method_, ContextRef(context), req, rsp, ServiceCallback(callback));
  }

 private:
  static co::details::Detached Serve(Method method, ContextRef context, const void* req, void* rsp, ServiceCallback answer) {
    Status status;
    try {
      status = co_await method(context, *static_cast<const Req*>(req), *static_cast<Rsp*>(rsp));
    } catch (...) {
      status = HandleFailed(context);
    }
    if (answer) answer(status.Code());
  }
  static co::details::Detached ServeFiltered(const CoFilterManager* filters, Method method, ContextRef context, const void* req, void* rsp,
                                             ServiceCallback answer) {
    const CoRpcHandle handle = [method](ContextRef c, const void* q, void* p) mutable -> co::Task<Status> {
      return method(c, *static_cast<const Req*>(q), *static_cast<Rsp*>(p));
    };
    Status status;
    try {
      status = co_await filters->InvokeRpc(handle, context, req, rsp);
    } catch (...) {  // a filter that throws before its first suspension
      status = HandleFailed(context);
    }
    if (answer) answer(status.Code());
  }

  const CoFilterManager* filters_;
  Method method_;
};

template <typename Req, typename Rsp, typename Method>
ServiceFunc MakeSyncMethod(Method method) {
  return ServiceFunc(SyncMethod<Req, Rsp, Method>(std::move(method)));
}
template <typename Req, typename Rsp, typename Method>
ServiceFunc MakeAsyncMethod(Method method) {
  return ServiceFunc(AsyncMethod<Req, Rsp, Method>(std::move(method)));
}
template <typename Req, typename Rsp, typename Method>
ServiceFunc MakeCoMethod(const CoFilterManager& filters, Method method) {
  return ServiceFunc(CoMethod<Req, Rsp, Method>(filters, std::move(method)));
}

// Without filters.
template <typename Req, typename Rsp, typename Method>
ServiceFunc MakeCoMethod(Method method) {
  static const CoFilterManager kNone;
  return ServiceFunc(CoMethod<Req, Rsp, Method>(kNone, std::move(method)));
}

}  // namespace details
}  // namespace aimrt::rpc
