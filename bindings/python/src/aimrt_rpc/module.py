"""A module: the part of a program that serves and calls methods under one name."""

import ctypes
import sys
from typing import Any, Dict, Optional, Type, TypeVar, Union

from . import _abi, _core
from ._core import check, new_error, take_buffer, text_of, view_of
from ._lib import lib
from ._queue import loop_queue
from .client import Method
from .codec import Codec, codec_of
from .executor import Executor
from .server import Adapter, Handler, is_async

Req = TypeVar("Req")
Rsp = TypeVar("Rsp")


class Logger:
    """Writes log lines through the runtime. Any thread."""

    __slots__ = ("_module",)

    def __init__(self, module: int) -> None:
        self._module = module

    @property
    def level(self) -> int:
        """The lowest level that is written: 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 fatal, 6 off."""
        return int(lib.aimrt_rpc_module_log_level(self._module))

    def log(self, level: int, text: str, depth: int = 1) -> None:
        """Writes a line; the source position is that of the caller ``depth`` frames up."""
        if level < self.level:
            return
        code = sys._getframe(depth)
        self.write(level, text, code.f_code.co_filename, code.f_lineno, code.f_code.co_name)

    def write(self, level: int, text: str, file: str, line: int, function: str) -> None:
        """Writes a line with a given source position."""
        record = _abi.aimrt_rpc_log_record_t()
        record.struct_size = ctypes.sizeof(record)
        record.level, record.line = level, line
        views = (view_of(file), view_of(function), view_of(text))
        record.file, record.function, record.text = views
        check(lib.aimrt_rpc_module_log(self._module, ctypes.byref(record)))

    def debug(self, text: str) -> None:
        """Writes a line of level debug."""
        self.log(1, text, 2)

    def info(self, text: str) -> None:
        """Writes a line of level info."""
        self.log(2, text, 2)

    def warn(self, text: str) -> None:
        """Writes a line of level warn."""
        self.log(3, text, 2)

    def error(self, text: str) -> None:
        """Writes a line of level error."""
        self.log(4, text, 2)


class Module:
    """A module of a runtime; made by :meth:`Runtime.create_module`. Any thread."""

    __slots__ = ("_handle", "_rpc", "clients", "logger")

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.clients: Dict[str, int] = {}
        """Numbers of the methods registered by name, for bindings that call by name."""
        self._rpc = int(lib.aimrt_rpc_module_rpc_handle(handle))
        self.logger = Logger(handle)

    @property
    def handle(self) -> int:
        """The number of the module in the C interface."""
        return self._handle

    @property
    def rpc_handle(self) -> int:
        """The number of the module's rpc handle in the C interface."""
        return self._rpc

    @property
    def name(self) -> str:
        """The module's name."""
        return text_of(lib.aimrt_rpc_module_name(self._handle))

    @property
    def config_path(self) -> str:
        """Path of the module's own configuration file, "" when it has none."""
        return text_of(lib.aimrt_rpc_module_config_path(self._handle))

    def serve(
        self,
        name: str,
        handler: Handler,
        *,
        request: Any = None,
        response: Any = None,
        executor: Optional[Executor] = None,
    ) -> None:
        """Serves a method with ``handler(context, request)``; before the runtime starts.

        The handler gives the response value or raises: :class:`RpcError` to answer with a status of its own, anything else
        becomes 1008 with the exception's text. A coroutine function is served in the loop that runs now. ``request`` and
        ``response`` are codecs or protobuf message classes; None means raw bytes. ``executor``: where a plain function runs for
        calls from the network. Raises AlreadyExists, InvalidState.
        """
        codec = codec_of(request)
        adapter = Adapter(name, handler, codec, codec_of(response), self.logger.error)
        if not is_async(handler):
            _core.register_service(self._rpc, name, tuple(codec.serializations), adapter, executor.handle if executor else 0)
            return
        if executor is not None:
            raise ValueError(f"{name}: a coroutine function runs in its loop; executor must be None")
        queue = loop_queue()
        tag = queue.add_service(adapter.serve_in_loop())
        try:
            _core.register_queue_service(self._rpc, name, tuple(codec.serializations), queue.handle, tag)
        except BaseException:
            queue.remove_service(tag)
            raise

    def client(
        self,
        name: str,
        *,
        request: "Union[Codec[Req], Type[Req], None]" = None,
        response: "Union[Codec[Rsp], Type[Rsp], None]" = None,
    ) -> "Method[Req, Rsp]":
        """Registers a method this module calls; before the runtime starts. Codecs as in :meth:`serve`."""
        codec = codec_of(request)
        handle = _core.register_client(self._rpc, name, tuple(codec.serializations))
        return Method(name, handle, codec, codec_of(response))

    def executor(self, name: str) -> Executor:
        """Finds a configured executor; raises NotFound with the nearest name."""
        out, error, view = _abi.aimrt_rpc_executor_t(0), new_error(), view_of(name)
        check(lib.aimrt_rpc_module_executor(self._handle, view, ctypes.byref(out), ctypes.byref(error)), error)
        return Executor(int(out.value), self.logger.error)

    def parameter(self, key: str) -> str:
        """Gives a parameter of the module, "" when it is not set."""
        out, error, view = _abi.aimrt_rpc_buffer_t(), new_error(), view_of(key)
        check(lib.aimrt_rpc_module_parameter_get(self._handle, view, ctypes.byref(out), ctypes.byref(error)), error)
        return take_buffer(out).decode("utf-8")

    def set_parameter(self, key: str, value: str) -> None:
        """Sets a parameter of the module; "" erases it."""
        error, views = new_error(), (view_of(key), view_of(value))
        check(lib.aimrt_rpc_module_parameter_set(self._handle, *views, ctypes.byref(error)), error)
