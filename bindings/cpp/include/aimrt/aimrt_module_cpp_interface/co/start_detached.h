// Runs an awaitable that nobody waits for, beginning now on this thread. An exception that leaves it ends the process.
#pragma once

#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/co/details/awaitable.h"

namespace aimrt::co {
namespace details {

template <typename Awaitable>
Detached RunDetached(Awaitable awaitable) {
  static_cast<void>(co_await std::move(awaitable));
}

}  // namespace details

template <typename Awaitable>
void StartDetached(Awaitable&& awaitable) {
  details::RunDetached<std::decay_t<Awaitable>>(std::forward<Awaitable>(awaitable));
}

}  // namespace aimrt::co
