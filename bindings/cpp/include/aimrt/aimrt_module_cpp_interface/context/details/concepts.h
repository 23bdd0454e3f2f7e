// The forms that handlers of services and of subscriptions may have.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>

#include "aimrt_module_cpp_interface/channel/channel_context.h"
#include "aimrt_module_cpp_interface/co/task.h"
#include "aimrt_module_cpp_interface/rpc/rpc_context.h"
#include "aimrt_module_cpp_interface/rpc/rpc_status.h"
#include "aimrt_module_cpp_interface/util/type_support.h"

namespace aimrt::context::concepts {

template <typename T>
concept SupportedMessage = requires { GetMessageTypeSupport<T>(); };

template <typename R>
concept ServiceResult = std::is_void_v<R> || std::same_as<R, rpc::Status> || std::same_as<R, co::Task<void>> || std::same_as<R, co::Task<rpc::Status>>;

template <typename F, typename Q, typename P>
concept ServiceWithContext = std::is_invocable_v<F&, rpc::ContextRef, const Q&, P&> && ServiceResult<std::invoke_result_t<F&, rpc::ContextRef, const Q&, P&>>;
template <typename F, typename Q, typename P>
concept ServiceWithoutContext = std::is_invocable_v<F&, const Q&, P&> && ServiceResult<std::invoke_result_t<F&, const Q&, P&>>;
template <typename F, typename Q, typename P>
concept Service = ServiceWithContext<F, Q, P> || ServiceWithoutContext<F, Q, P>;

template <typename F, typename T>
concept Subscriber = std::is_invocable_v<F&, channel::ContextRef, std::shared_ptr<const T>> || std::is_invocable_v<F&, std::shared_ptr<const T>> ||
                     std::is_invocable_v<F&, channel::ContextRef, const T&> || std::is_invocable_v<F&, const T&>;

}  // namespace aimrt::context::concepts
