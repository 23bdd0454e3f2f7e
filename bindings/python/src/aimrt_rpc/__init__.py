"""libaimrt_rpc for Python: typed, blocking and asyncio.

    import aimrt_rpc

    with aimrt_rpc.Runtime() as runtime:
        runtime.initialize()
        module = runtime.create_module("demo")
        module.serve("pb:/demo.Echo/Say", lambda context, request: request)
        say = module.client("pb:/demo.Echo/Say")
        runtime.start()
        assert say.invoke(b"hello") == b"hello"

``aimrt_py`` (AimRT's own API) is in the same distribution.
"""

from ._lib import library_version, loaded_path
from .client import Method
from .codec import JSON, RAW, Codec, protobuf
from .context import Context, ServerContext
from .errors import (
    AlreadyExists,
    Cancelled,
    ConfigError,
    ConnectionLost,
    Deadlock,
    Forked,
    InvalidArgument,
    InvalidHandle,
    InvalidState,
    LibraryError,
    NotFound,
    RemoteError,
    RpcError,
    Timeout,
    WaitTimeout,
)
from .executor import Executor, Timer
from .module import Logger, Module
from .runtime import Runtime, State
from .status import Code, Status

__version__ = "0.1.0"

__all__ = [
    "JSON",
    "RAW",
    "AlreadyExists",
    "Cancelled",
    "Code",
    "Codec",
    "ConfigError",
    "ConnectionLost",
    "Context",
    "Deadlock",
    "Executor",
    "Forked",
    "InvalidArgument",
    "InvalidHandle",
    "InvalidState",
    "LibraryError",
    "Logger",
    "Method",
    "Module",
    "NotFound",
    "RemoteError",
    "RpcError",
    "Runtime",
    "ServerContext",
    "State",
    "Status",
    "Timeout",
    "Timer",
    "WaitTimeout",
    "library_version",
    "loaded_path",
    "protobuf",
]
