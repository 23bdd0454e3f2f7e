// Which context a thread works for.
#pragma once

#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "aimrt_module_cpp_interface/executor/executor.h"
#include "aimrt_module_cpp_interface/rpc/rpc_context.h"
#include "util/exception.h"

namespace aimrt::context {

class Context;

namespace details {

struct ThreadContext {
  std::weak_ptr<Context> ctx_ptr;
  executor::ExecutorRef exe;
  std::optional<rpc::ContextRef> active_rpc_context;  // of the call that this thread is serving
};

inline thread_local ThreadContext g_thread_ctx;

// The context that LetMe bound to this thread. Throws when there is none or when it is gone.
inline std::shared_ptr<Context> ExpectContext(const std::source_location& place = std::source_location::current()) {
  if (auto context = g_thread_ctx.ctx_ptr.lock()) return context;
  common::util::details::ThrowAt(place, "Broken context !");
}

// Says for its life that the thread serves a call.
class ServingScope {
 public:
  explicit ServingScope(rpc::ContextRef context) : before_(std::exchange(g_thread_ctx.active_rpc_context, context)) {}
  ServingScope(const ServingScope&) = delete;
  ServingScope& operator=(const ServingScope&) = delete;
  ~ServingScope() { g_thread_ctx.active_rpc_context = before_; }

 private:
  std::optional<rpc::ContextRef> before_;
};

}  // namespace details
}  // namespace aimrt::context
