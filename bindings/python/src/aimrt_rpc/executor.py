"""Named executors of the configuration: where tasks run."""

import ctypes
import traceback
import weakref
from datetime import datetime, timedelta
from typing import Any, Callable, Optional

from . import _abi, _core
from ._core import check, new_error, text_of
from ._lib import lib

Task = Callable[[], Any]
Log = Callable[[str], None]


def _run(user_data: int) -> None:
    task, log = _core._lent[user_data]
    try:
        task()
    except BaseException as error:
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        log(f"a task raised and is ignored\n{trace}")


_run_c = _abi.aimrt_rpc_task_fn(_run)


class Timer:
    """A task posted for later."""

    __slots__ = ("__weakref__", "_closer", "_handle")

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._closer = weakref.finalize(self, lib.aimrt_rpc_timer_release, handle)

    def cancel(self) -> bool:
        """Cancels the task; False when it has run or is running."""
        error = new_error()
        result = lib.aimrt_rpc_timer_cancel(self._handle, ctypes.byref(error))
        if result == _abi.AIMRT_RPC_RESULT_LOST:
            lib.aimrt_rpc_error_free(error)
            return False
        check(result, error)
        return True


class Executor:
    """A named executor. Any thread."""

    __slots__ = ("_handle", "_log")

    def __init__(self, handle: int, log: Log) -> None:
        self._handle, self._log = handle, log

    @property
    def handle(self) -> int:
        """The number of the executor in the C interface."""
        return self._handle

    def _info(self) -> Any:
        info = _abi.aimrt_rpc_executor_info_t()
        info.struct_size = ctypes.sizeof(info)
        check(lib.aimrt_rpc_executor_info(self._handle, ctypes.byref(info)))
        return info

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return text_of(self._info().name)

    @property
    def type(self) -> str:
        """Its type in the configuration, for example ``asio_thread``."""
        return text_of(self._info().type)

    @property
    def thread_safe(self) -> bool:
        """Whether its tasks never run at the same time."""
        return bool(self._info().thread_safe)

    @property
    def has_timers(self) -> bool:
        """Whether tasks can be posted for later."""
        return bool(self._info().has_timers)

    @property
    def in_current(self) -> bool:
        """Whether the calling thread is running a task of this executor."""
        return bool(self._info().in_current)

    def now(self) -> datetime:
        """The executor's clock, as local time without a zone."""
        return datetime.fromtimestamp(self._info().now_ns / 1e9)

    def post(self, task: Task) -> None:
        """Runs a task soon; an exception in it is logged. Raises LibraryError when the queue is full or closed."""
        self._post(lib.aimrt_rpc_executor_post, task)

    def post_after(self, delay: timedelta, task: Task) -> Timer:
        """Runs a task after a delay. Raises LibraryError when the executor has no timers."""
        out = _abi.aimrt_rpc_timer_t(0)
        nanoseconds = max(0, int(delay.total_seconds() * 1_000_000_000))
        self._post(lib.aimrt_rpc_executor_post_after, task, nanoseconds, out)
        return Timer(int(out.value))

    def post_at(self, time: datetime, task: Task) -> Timer:
        """Runs a task at a time (local when it has no zone). Raises LibraryError when the executor has no timers."""
        out = _abi.aimrt_rpc_timer_t(0)
        self._post(lib.aimrt_rpc_executor_post_at, task, max(0, int(time.timestamp() * 1_000_000_000)), out)
        return Timer(int(out.value))

    def _post(self, function: Any, task: Task, when: Optional[int] = None, out: Any = None) -> None:
        lent, error = _core._lend((task, self._log)), new_error()
        arguments = [_run_c, lent, _core.give_back]
        if when is not None:
            arguments = [when, *arguments, ctypes.byref(out)]
        result = function(self._handle, *arguments, ctypes.byref(error))
        if result != 0:
            _core._give_back(lent)
        check(result, error)
