// A place where awaitables are started and where one can wait for all of them.
#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "aimrt_module_cpp_interface/co/details/awaitable.h"

namespace aimrt::co {

class AsyncScope {
  // Outlives the scope as long as something spawned runs.
  struct State {
    bool Enter() {
      std::lock_guard lock(mutex);
      if (closed) return false;
      ++running;
      return true;
    }
    void Leave() {
      std::vector<std::coroutine_handle<>> ready;
      {
        std::lock_guard lock(mutex);
        if (--running == 0 && closed) ready.swap(waiting);
      }
      for (const auto handle : ready) handle.resume();
    }
    void Close() {
      std::lock_guard lock(mutex);
      closed = true;
    }

    std::mutex mutex;
    size_t running = 0;
    bool closed = false;
    std::vector<std::coroutine_handle<>> waiting;
  };

  struct [[nodiscard]] AllDone {
    std::shared_ptr<State> state;

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) const {
      const std::shared_ptr<State> keep = state;  // this may be gone as soon as the lock is free
      std::lock_guard lock(keep->mutex);
      keep->closed = true;
      if (keep->running == 0) return false;
      keep->waiting.push_back(handle);
      return true;
    }
    void await_resume() const noexcept {}
  };

  template <typename Awaitable>
  static details::Detached Run(std::shared_ptr<State> state, Awaitable awaitable) {
    {
      Awaitable own = std::move(awaitable);  // is gone before the scope counts it as done
      static_cast<void>(co_await std::move(own));
    }
    state->Leave();
  }

 public:
  AsyncScope() = default;
  AsyncScope(const AsyncScope&) = delete;
  AsyncScope& operator=(const AsyncScope&) = delete;

  // Starts the awaitable now, on this thread. Nothing happens once the scope is closed. An exception that leaves it ends the process.
  template <typename Awaitable>
  void spawn(Awaitable&& awaitable) {
    if (state_->Enter()) Run<std::decay_t<Awaitable>>(state_, std::forward<Awaitable>(awaitable));
  }

  // Awaited, these close the scope and end when everything spawned has ended.
  AllDone complete() { return {state_}; }
  AllDone cleanup() { return {state_}; }

  void request_stop() { state_->Close(); }

 private:
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace aimrt::co
