"""AimRT's Python API for RPC, on top of libaimrt_rpc.

Programs and generated stubs written for AimRT's own ``aimrt_py`` run unchanged. What differs, and why, is in
docs/dialects/aimrt.md.
"""

import inspect  # noqa: F401 - AimRT's package shows this name, programs use it

from ._channel import (
    ChannelHandleRef,
    Publish,
    PublisherRef,
    RegisterPublishType,
    Subscribe,
    SubscriberRef,
)
from ._context import RpcContext, RpcContextRef, RpcContextType
from ._core_api import Core, CoreOptions, CoreRef, ModuleBase, ModuleInfo
from ._refs import (
    ConfiguratorRef,
    ExecutorManagerRef,
    ExecutorRef,
    LoggerRef,
    ParameterHandleRef,
    debug,
    error,
    fatal,
    info,
    trace,
    warn,
)
from ._rpc import ProxyBase, PyPbTypeSupport, RpcHandleRef, ServiceBase
from ._status import RpcStatus, RpcStatusRetCode

aimrt_rpc_context_type_t = RpcContextType
"""The name the manual uses for RpcContextType."""

AimRT_RUNTIME_VERSION_INT = 1007000
"""Version of AimRT's API this package follows: major * 1000000 + minor * 1000 + patch. Generated stubs check it."""

AIMRT_MIN_GENCODE_VERSION_INT = 10000
"""Oldest stubs that run on this package."""

__all__ = [
    "AIMRT_MIN_GENCODE_VERSION_INT",
    "AimRT_RUNTIME_VERSION_INT",
    "ChannelHandleRef",
    "ConfiguratorRef",
    "Core",
    "CoreOptions",
    "CoreRef",
    "ExecutorManagerRef",
    "ExecutorRef",
    "LoggerRef",
    "ModuleBase",
    "ModuleInfo",
    "ParameterHandleRef",
    "ProxyBase",
    "Publish",
    "PublisherRef",
    "PyPbTypeSupport",
    "RegisterPublishType",
    "RpcContext",
    "RpcContextRef",
    "RpcContextType",
    "RpcHandleRef",
    "RpcStatus",
    "RpcStatusRetCode",
    "ServiceBase",
    "Subscribe",
    "SubscriberRef",
    "aimrt_rpc_context_type_t",
    "debug",
    "error",
    "fatal",
    "info",
    "trace",
    "warn",
]
