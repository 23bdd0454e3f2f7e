// What all parts of co share: how anything is awaited, and coroutines that nobody awaits.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
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

// Something that was begun in await_suspend and has not returned yet. When it ends meanwhile, on the same thread, the awaiting coroutine
// goes on by not suspending, so that a loop over such things does not deepen the stack. When it ends on another thread, the coroutine goes
// on there at once; await_suspend must touch nothing of it afterwards. Every thread has a list of what it is beginning.
class Beginning {
 public:
  // Names a beginning also after it is over, from any thread.
  struct Name {
    const Beginning* beginning = nullptr;
    uint64_t number = 0;
  };

  Beginning() : outer_(Innermost()), number_(++Count()) { Innermost() = this; }
  Beginning(const Beginning&) = delete;
  Beginning& operator=(const Beginning&) = delete;
  ~Beginning() { Innermost() = outer_; }

  Name GetName() const { return {this, number_}; }
  bool HasEnded() const { return ended_; }

  // True when it was still going on, on this thread: who began it takes care of the coroutine.
  static bool End(const Name& name) {
    for (Beginning* b = Innermost(); b != nullptr; b = b->outer_) {
      if (b != name.beginning) continue;
      if (b->number_ != name.number) return false;
      return b->ended_ = true;
    }
    return false;
  }

 private:
  // Not inlined: a coroutine may go on in another thread than where it computed the address.
  [[gnu::noinline]] static Beginning*& Innermost() {
    static thread_local Beginning* innermost = nullptr;
    return innermost;
  }
  [[gnu::noinline]] static uint64_t& Count() {
    static thread_local uint64_t count = 0;
    return count;
  }

  Beginning* outer_;
  uint64_t number_;
  bool ended_ = false;
};

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
