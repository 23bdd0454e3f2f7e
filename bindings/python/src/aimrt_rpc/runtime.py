"""The runtime: configuration, life cycle, modules."""

import atexit
import ctypes
import enum
import json
import os
import sys
import threading
import weakref
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Union

from . import _abi, _core
from ._core import check, new_error, take_buffer, text_of, view_of
from ._lib import lib
from .errors import LibraryError, library_error
from .module import Module

PACKAGE = "core-py"
"""Package of modules written in Python: they exchange bytes without serializing again."""

# How long a wait of the main thread may keep a signal handler of Python from running.
_SIGNAL_SLICE_NS = 50_000_000
_FOREVER = (1 << 64) - 1

LogFunction = Callable[[Dict[str, Any]], None]


class State(enum.IntEnum):
    """Life cycle of a runtime."""

    NONE = _abi.AIMRT_RPC_STATE_NONE
    PRE_INIT = _abi.AIMRT_RPC_STATE_PRE_INIT
    INIT = _abi.AIMRT_RPC_STATE_INIT
    START = _abi.AIMRT_RPC_STATE_START
    SHUTTING_DOWN = _abi.AIMRT_RPC_STATE_SHUTTING_DOWN
    SHUTDOWN = _abi.AIMRT_RPC_STATE_SHUTDOWN


def _log_record(record: Any) -> Dict[str, Any]:
    return {
        "level": record.level,
        "logger": text_of(record.logger),
        "text": text_of(record.text),
        "file": text_of(record.file),
        "line": record.line,
        "function": text_of(record.function),
        "thread_id": record.thread_id,
        "time_ns": record.time_ns,
    }


class Runtime:
    """One RPC runtime: create, :meth:`initialize`, register, :meth:`start`, call, :meth:`close`.

    ``config`` is the path of an AimRT YAML file, ``config_text`` the YAML itself; neither means the embedded default (local
    backend, loopback only). ``overrides`` are ``"aimrt.log.core_lvl=Warn"`` texts applied last. ``log`` receives every log
    line as a dict instead of the configured log backends, on a thread of the library. As a context manager it closes at the end.
    Every method raises :class:`LibraryError` (a subclass) when it cannot do its job.
    """

    def __init__(
        self,
        config: "Union[str, os.PathLike[str], None]" = None,
        *,
        config_text: str = "",
        overrides: Iterable[str] = (),
        log: Optional[LogFunction] = None,
    ) -> None:
        options = _abi.AIMRT_RPC_RUNTIME_OPTIONS_INIT()
        options.log_fd = -1
        path = view_of(os.fspath(config)) if config is not None else view_of("")
        text, over = view_of(config_text), [view_of(o) for o in overrides]
        options.config_path, options.config_text = path, text
        array = (_abi.aimrt_rpc_str_t * len(over))(*over)
        options.overrides = ctypes.cast(array, type(options.overrides))
        options.override_count = len(over)
        lent = 0
        if log is not None:
            callback = _abi.aimrt_rpc_log_fn(lambda _, record: log(_log_record(record.contents)))
            lent = _core._lend(callback)
            options.log, options.log_user_data, options.log_user_data_free = callback, lent, _core.give_back
        out, error = _abi.aimrt_rpc_runtime_t(0), new_error()
        result = lib.aimrt_rpc_runtime_create(ctypes.byref(options), ctypes.byref(out), ctypes.byref(error))
        if result != 0 and lent:
            _core._give_back(lent)
        check(result, error)
        self._handle = int(out.value)
        self.modules: List[Module] = []
        _open[self._handle] = self
        self._closer: Callable[[], object] = weakref.finalize(self, _release, self._handle)

    @classmethod
    def from_handle(cls, handle: int) -> "Runtime":
        """Joins a runtime that somebody else in this process made: a C++ program with an embedded interpreter, say.

        ``handle`` is its number in the C interface. The runtime stays its owner's: neither :meth:`close` nor the end of the
        interpreter shuts it down. Calls of Python handlers that come after the interpreter's end are answered with 1009; where the
        interpreter works through ctypes alone (PyPy, a second interpreter of one process) the owner must release the runtime first.
        Raises InvalidHandle when there is no such runtime.
        """
        joined = cls.__new__(cls)
        joined._handle = handle
        joined.modules = []
        joined._closer = lambda: None
        if joined.state == State.NONE:
            text = f"{handle:#x} is not the handle of a runtime in this process"
            raise library_error(_abi.AIMRT_RPC_RESULT_INVALID_HANDLE, text)
        return joined

    @property
    def handle(self) -> int:
        """The number of the runtime in the C interface: what a C++ library loaded into this process needs to join it."""
        return self._handle

    @property
    def state(self) -> State:
        """Where in its life cycle the runtime is."""
        return State(lib.aimrt_rpc_runtime_state(self._handle))

    def _run(self, function: Any, *arguments: Any) -> None:
        error = new_error()
        check(function(self._handle, *arguments, ctypes.byref(error)), error)

    def _text(self, function: Any, *arguments: Any) -> str:
        out, error = _abi.aimrt_rpc_buffer_t(), new_error()
        check(function(self._handle, *arguments, ctypes.byref(out), ctypes.byref(error)), error)
        return take_buffer(out).decode("utf-8")

    def initialize(self) -> None:
        """Loads the configuration, makes executors, log and backends, initializes registered modules on this thread.

        Raises ConfigError naming file, line and option.
        """
        self._run(lib.aimrt_rpc_runtime_initialize)

    def create_module(self, name: str, package: str = PACKAGE) -> Module:
        """Makes a module without life-cycle callbacks; between :meth:`initialize` and :meth:`start`."""
        options = _abi.AIMRT_RPC_MODULE_OPTIONS_INIT()
        views = (view_of(name), view_of(package))
        options.name, options.package = views
        module = self._create_module(options)
        self.modules.append(module)
        return module

    def _create_module(self, options: Any) -> Module:
        out, error = _abi.aimrt_rpc_module_t(0), new_error()
        check(
            lib.aimrt_rpc_module_create(self._handle, ctypes.byref(options), ctypes.byref(out), ctypes.byref(error)),
            error,
        )
        return Module(int(out.value))

    def start(self) -> None:
        """Starts the runtime and returns; from then on calls are served and may be made."""
        self._run(lib.aimrt_rpc_runtime_start_async, 0)

    def run(self) -> None:
        """Starts the runtime and blocks until :meth:`shutdown`, which then happens on this thread.

        In the main thread signal handlers run meanwhile; KeyboardInterrupt shuts the runtime down and is raised again.
        """
        self._run(lib.aimrt_rpc_runtime_start_async, _abi.AIMRT_RPC_START_SHUTDOWN_IN_WAIT)
        try:
            self._wait_in_slices()
        except BaseException:
            lib.aimrt_rpc_runtime_shutdown(self._handle)
            self._wait(_FOREVER)
            raise

    def _wait_in_slices(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            self._wait(_FOREVER)
            return
        while not self._wait(_SIGNAL_SLICE_NS):
            pass  # back in the interpreter: handlers of signals run here

    def _wait(self, timeout_ns: int) -> bool:
        error = new_error()
        result = lib.aimrt_rpc_runtime_wait(self._handle, timeout_ns, ctypes.byref(error))
        if result == _abi.AIMRT_RPC_RESULT_TIMEOUT:
            lib.aimrt_rpc_error_free(error)
            return False
        check(result, error)
        return True

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until the runtime has shut down, at most ``timeout`` seconds; False when it still runs."""
        if timeout is None:
            self._wait_in_slices()
            return True
        return self._wait(int(timeout * 1_000_000_000))

    def shutdown(self) -> None:
        """Asks the runtime to shut down and returns at once; from any thread, handler or signal handler."""
        check(lib.aimrt_rpc_runtime_shutdown(self._handle))

    def report(self) -> str:
        """Gives the initialization report; after :meth:`initialize` and before :meth:`start`."""
        return self._text(lib.aimrt_rpc_runtime_report)

    def reload(self) -> None:
        """Reads the configuration again and applies log levels and rpc rules; raises for what needs a new start."""
        self._run(lib.aimrt_rpc_runtime_reload)

    def methods(self) -> List[Mapping[str, Any]]:
        """Lists the methods served and called."""
        found: List[Mapping[str, Any]] = json.loads(self._text(lib.aimrt_rpc_runtime_list_methods))
        return found

    def describe_method(self, name: str) -> Mapping[str, Any]:
        """Describes one method; raises NotFound with the nearest name."""
        view = view_of(name)
        found: Mapping[str, Any] = json.loads(self._text(lib.aimrt_rpc_runtime_describe_method, view))
        return found

    def statistics(self) -> Mapping[str, Any]:
        """Gives counters: calls, executors, goroutines, memory."""
        found: Mapping[str, Any] = json.loads(self._text(lib.aimrt_rpc_runtime_statistics))
        return found

    def close(self) -> None:
        """Shuts down when it still runs, waits for that, and releases everything. Again, or when joined, it is a no-op."""
        self._closer()

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<aimrt_rpc.Runtime {self._handle:#x} {self.state.name}>"


# Runtimes that are open, so that the end of the interpreter can close them while handlers may still run Python code.
_open: "weakref.WeakValueDictionary[int, Runtime]" = weakref.WeakValueDictionary()


def _release(handle: int) -> None:
    _open.pop(handle, None)
    lib.aimrt_rpc_runtime_release(handle)


def _close_all() -> None:
    """Stops every runtime before the interpreter goes down: nothing may call into Python after that."""
    for runtime in list(_open.values()):
        try:
            runtime.close()
        except LibraryError as error:
            print(f"aimrt_rpc: closing a runtime at exit: {error}", file=sys.stderr)
    _core.stop()


atexit.register(_close_all)
