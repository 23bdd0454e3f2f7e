// A closure that can be handed to the other side of the C interface. Move-only; Ops is one of the aimrt_function_*_ops_t.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/util/details/block_pool.h"
#include "aimrt_rpc_compat.h"
#include "util/log_util.h"

namespace aimrt::util {

template <typename Ops>
class Function;

namespace details {

template <typename T>
struct IsFunction : std::false_type {};
template <typename Ops>
struct IsFunction<Function<Ops>> : std::true_type {};

// Tells of an exception that left a closure nobody waits for. In a catch block.
inline void ReportException() noexcept {
  try {
    try {
      throw;
    } catch (const std::exception& e) {
      AIMRT_HL_ERROR(common::util::SimpleLogger(), "An exception left a callback: {}", e.what());
    } catch (...) {
      AIMRT_HL_ERROR(common::util::SimpleLogger(), "An exception left a callback, of a type that is not derived from std::exception");
    }
  } catch (...) {  // no memory for the text
  }
}

// How a closure of type F behind Ops is invoked; specialised where exceptions need an answer (services).
template <typename Ops, typename F>
struct Invocation {
  template <typename R, typename... Args>
  static R Run(F& f, Args... args) {
    if constexpr (std::is_void_v<R>) {
      try {
        f(static_cast<Args>(args)...);
      } catch (...) {
        ReportException();
      }
    } else {
      return f(static_cast<Args>(args)...);
    }
  }
};

// Where the closure lies: in the buffer of the function object when it fits, else on the heap.
template <typename F>
struct Storage {
  static constexpr bool kInside = sizeof(F) <= AIMRT_FUNCTION_LOCAL_BUF_SIZE && alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

  static F& Get(void* object) {
    if constexpr (kInside)
      return *std::launder(static_cast<F*>(object));
    else
      return **std::launder(static_cast<F**>(object));
  }
  template <typename G>
  static void Make(void* object, G&& f) {
    if constexpr (kInside)
      ::new (object) F(std::forward<G>(f));
    else
      ::new (object) F*(New(std::forward<G>(f)));
  }
  static void Relocate(void* from, void* to) noexcept {
    if constexpr (kInside) {
      F& source = Get(from);
      ::new (to) F(std::move(source));
      std::destroy_at(&source);
    } else {
      ::new (to) F*(&Get(from));
    }
  }
  static void Destroy(void* object) noexcept {
    F* const f = &Get(object);
    std::destroy_at(f);
    if constexpr (!kInside) Free(f);
  }

 private:
  static constexpr bool kPooled = alignof(F) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
  template <typename G>
  static F* New(G&& f) {
    void* block = nullptr;
    if constexpr (kPooled)
      block = BlockPool::Allocate(sizeof(F));
    else
      block = ::operator new(sizeof(F), std::align_val_t{alignof(F)});
    try {
      return ::new (block) F(std::forward<G>(f));
    } catch (...) {
      Free(block);
      throw;
    }
  }
  static void Free(void* block) noexcept {
    if constexpr (kPooled)
      BlockPool::Release(block, sizeof(F));
    else
      ::operator delete(block, std::align_val_t{alignof(F)});
  }
};

template <typename Ops, typename F, typename Invoker>
struct Table;
template <typename Ops, typename F, typename R, typename... Args>
struct Table<Ops, F, R (*)(void*, Args...)> {
  // No exception reaches the other side. One that leaves a closure with a result ends the process.
  static R Invoke(void* object, Args... args) noexcept {
    return Invocation<Ops, F>::template Run<R, Args...>(Storage<F>::Get(object), args...);
  }
  static constexpr Ops kOps{.invoker = &Invoke, .relocator = &Storage<F>::Relocate, .destroyer = &Storage<F>::Destroy};
};

template <typename Invoker, typename F>
struct IsInvocable;
template <typename R, typename... Args, typename F>
struct IsInvocable<R (*)(void*, Args...), F> : std::bool_constant<std::is_invocable_r_v<R, F&, Args...>> {};

template <typename R, typename... Args>
R CallInvoker(R (*invoker)(void*, Args...), void* object, std::type_identity_t<Args>... args) {
  return invoker(object, args...);
}

}  // namespace details

template <typename Ops>
class Function {
  using Invoker = decltype(Ops::invoker);

 public:
  using OpsType = Ops;

  Function() noexcept { base_.ops = nullptr; }
  Function(std::nullptr_t) noexcept { base_.ops = nullptr; }

  // Takes a function object over; NULL gives an empty function.
  explicit Function(aimrt_function_base_t* function) noexcept { Take(function); }

  template <typename F>
    requires(!details::IsFunction<std::decay_t<F>>::value && !std::is_same_v<std::decay_t<F>, aimrt_function_base_t*> &&
             details::IsInvocable<decltype(Ops::invoker), std::decay_t<F>>::value)
  Function(F&& f) {
    using D = std::decay_t<F>;
    base_.ops = nullptr;
    if constexpr (requires { f == nullptr; }) {
      if (f == nullptr) return;
    }
    details::Storage<D>::Make(base_.object_buf, std::forward<F>(f));
    base_.ops = &details::Table<Ops, D, Invoker>::kOps;
  }

  Function(Function&& other) noexcept { Take(&other.base_); }
  Function(const Function&) = delete;

  Function& operator=(Function&& other) noexcept {
    if (this != &other) {
      Clear();
      Take(&other.base_);
    }
    return *this;
  }
  Function& operator=(std::nullptr_t) noexcept {
    Clear();
    return *this;
  }
  template <typename F>
    requires(!details::IsFunction<std::decay_t<F>>::value && std::constructible_from<Function, F>)
  Function& operator=(F&& f) {
    return *this = Function(std::forward<F>(f));
  }
  Function& operator=(const Function&) = delete;

  ~Function() { Clear(); }

  // Not to be used on an empty function.
  template <typename... Args>
  auto operator()(Args&&... args) const noexcept {
    return details::CallInvoker(static_cast<const Ops*>(base_.ops)->invoker, base_.object_buf, std::forward<Args>(args)...);
  }

  explicit operator bool() const noexcept { return base_.ops != nullptr; }
  friend bool operator==(const Function& f, std::nullptr_t) noexcept { return !f; }

  // The object to hand over; who takes it leaves this function empty.
  aimrt_function_base_t* NativeHandle() noexcept { return &base_; }

 private:
  void Clear() noexcept {
    if (base_.ops == nullptr) return;
    const auto* ops = static_cast<const Ops*>(std::exchange(base_.ops, nullptr));
    ops->destroyer(base_.object_buf);
  }
  void Take(aimrt_function_base_t* from) noexcept {
    base_.ops = nullptr;
    if (from == nullptr || from->ops == nullptr) return;
    base_.ops = std::exchange(from->ops, nullptr);
    static_cast<const Ops*>(base_.ops)->relocator(from->object_buf, base_.object_buf);
  }

  alignas(void*) mutable aimrt_function_base_t base_;
};

}  // namespace aimrt::util
