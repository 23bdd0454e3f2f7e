// Everything of the C++ interface but protobuf (type_support_pb.hpp).
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_AIMRT_RPC_HPP_
#define AIMRT_RPC_AIMRT_RPC_HPP_

#include <aimrt_rpc/buffer.hpp>
#include <aimrt_rpc/call.hpp>
#include <aimrt_rpc/context.hpp>
#include <aimrt_rpc/coroutine.hpp>
#include <aimrt_rpc/error.hpp>
#include <aimrt_rpc/executor.hpp>
#include <aimrt_rpc/filter.hpp>
#include <aimrt_rpc/function.hpp>
#include <aimrt_rpc/handle.hpp>
#include <aimrt_rpc/method.hpp>
#include <aimrt_rpc/module.hpp>
#include <aimrt_rpc/queue.hpp>
#include <aimrt_rpc/result.hpp>
#include <aimrt_rpc/rpc_handle.hpp>
#include <aimrt_rpc/runtime.hpp>
#include <aimrt_rpc/server_call.hpp>
#include <aimrt_rpc/service.hpp>
#include <aimrt_rpc/status.hpp>
#include <aimrt_rpc/type_support.hpp>
#include <aimrt_rpc/view.hpp>

#endif  // AIMRT_RPC_AIMRT_RPC_HPP_
