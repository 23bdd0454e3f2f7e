// What all parts of co share: how anything is awaited, and coroutines that nobody awaits.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/util/details/block_pool.h"

namespace aimrt::co::details {

template <typename A>
decltype(auto) GetAwaiter(A&& awaitable) {
  if constexpr (requires { std::forward<A>(awaitable).operator co_await(); })
    return std::forward<A>(awaitable).operator co_await();
  else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); })
    return operator co_await(std::forward<A>(awaitable));
  else
    return std::forward<A>(awaitable);
}

template <typename A>
concept Awaitable = requires(A&& awaitable) { GetAwaiter(std::forward<A>(awaitable)).await_ready(); };

// What co_await gives for an awaitable that is moved in.
template <typename A>
using AwaitResult = decltype(GetAwaiter(std::declval<std::decay_t<A>&&>()).await_resume());

// Base of promises: frames come from the pool of the thread.
struct PooledFrame {
  static void* operator new(size_t size) { return util::details::BlockPool::Allocate(size); }
  static void operator delete(void* frame, size_t size) noexcept { util::details::BlockPool::Release(frame, size); }
};

// A coroutine that starts at once, ends alone and has nobody to throw to.
struct Detached {
  struct promise_type : PooledFrame {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
};

}  // namespace aimrt::co::details
