// The barrier between user callbacks and C: no exception passes it.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_DETAIL_GUARD_HPP_
#define AIMRT_RPC_DETAIL_GUARD_HPP_

#include <atomic>
#include <cstdio>
#include <exception>
#include <utility>

namespace aimrt_rpc {

// Told of an exception that left a callback nobody can answer for: a completion callback, a task, a module's shutdown.
// where is the kind of callback, what the exception's text. Comes on the thread of the callback; must not throw.
using exception_handler = void (*)(const char *where, const char *what);

namespace detail {

inline void print_exception(const char *where, const char *what) {
  std::fprintf(stderr, "aimrt_rpc: an exception left a %s: %s\n", where, what);
}

inline std::atomic<exception_handler> unhandled{&print_exception};

// Runs f; an exception goes to on_exception(what).
template <class F, class OnException>
void contain(F &&f, OnException &&on_exception) noexcept {
  try {
    std::forward<F>(f)();
  } catch (const std::exception &e) {
    std::forward<OnException>(on_exception)(e.what());
  } catch (...) {
    std::forward<OnException>(on_exception)("an exception that is not a std::exception");
  }
}

// Runs f; an exception goes to the process-wide handler.
template <class F>
void contain_and_report(const char *where, F &&f) noexcept {
  contain(std::forward<F>(f), [where](const char *what) { unhandled.load(std::memory_order_acquire)(where, what); });
}

}  // namespace detail

// Replaces what happens with such exceptions (default: one line on stderr) and gives the handler before; nullptr restores the default.
inline exception_handler set_exception_handler(exception_handler handler) noexcept {
  return detail::unhandled.exchange(handler != nullptr ? handler : &detail::print_exception, std::memory_order_acq_rel);
}

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_DETAIL_GUARD_HPP_
