// awaitable | Then(f), or Then(awaitable, f): runs the awaitable and then f with its value.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/co/details/awaitable.h"
#include "aimrt_module_cpp_interface/co/task.h"

namespace aimrt::co {
namespace details {

template <typename F, typename T>
struct ThenResult : std::invoke_result<F, T> {};
template <typename F>
struct ThenResult<F, void> : std::invoke_result<F> {};

template <typename F>
struct ThenPart {
  F f;
};

}  // namespace details

template <typename Awaitable, typename F>
Task<typename details::ThenResult<F, details::AwaitResult<Awaitable>>::type> Then(Awaitable awaitable, F f) {
  if constexpr (std::is_void_v<details::AwaitResult<Awaitable>>) {
    co_await std::move(awaitable);
    co_return std::invoke(std::move(f));
  } else {
    co_return std::invoke(std::move(f), co_await std::move(awaitable));
  }
}

template <typename F>
details::ThenPart<std::decay_t<F>> Then(F&& f) {
  return {std::forward<F>(f)};
}

template <typename Awaitable, typename F>
  requires details::Awaitable<std::decay_t<Awaitable>>
auto operator|(Awaitable&& awaitable, details::ThenPart<F> part) {
  return Then(std::decay_t<Awaitable>(std::forward<Awaitable>(awaitable)), std::move(part.f));
}

}  // namespace aimrt::co
