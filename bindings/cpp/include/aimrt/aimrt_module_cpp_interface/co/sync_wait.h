// Blocks the thread until an awaitable has ended.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "aimrt_module_cpp_interface/co/details/awaitable.h"

namespace aimrt::co {
namespace details {

template <typename T>
struct SyncState {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, std::decay_t<std::conditional_t<std::is_void_v<T>, int, T>>>;

  std::optional<Value> value;
  std::exception_ptr error;

  void End() {
    std::lock_guard lock(mutex);
    ended = true;
    changed.notify_all();  // with the lock held: who waits may destroy this as soon as it is free
  }
  void Wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return ended; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
};

template <typename T, typename Awaitable>
Detached RunAndSignal(Awaitable awaitable, SyncState<T>& state) {
  try {
    Awaitable own = std::move(awaitable);  // is gone before the waiting thread goes on
    if constexpr (std::is_void_v<T>) {
      co_await std::move(own);
      state.value.emplace();
    } else {
      state.value.emplace(co_await std::move(own));
    }
  } catch (...) {
    state.error = std::current_exception();
  }
  state.End();
}

}  // namespace details

// The value (for void, of std::monostate); throws what the awaitable throws.
template <typename Awaitable>
auto SyncWait(Awaitable&& awaitable) {
  details::SyncState<details::AwaitResult<Awaitable>> state;
  details::RunAndSignal<details::AwaitResult<Awaitable>, std::decay_t<Awaitable>>(std::forward<Awaitable>(awaitable), state);
  state.Wait();
  if (state.error) std::rethrow_exception(state.error);
  return std::move(state.value);
}

}  // namespace aimrt::co
