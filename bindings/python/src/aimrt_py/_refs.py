"""The small references a module gets from its core: logger, executors, parameters, configuration."""

import sys
from datetime import datetime, timedelta
from typing import Any, Callable, Optional, Union

from aimrt_rpc.errors import LibraryError, NotFound
from aimrt_rpc.executor import Executor
from aimrt_rpc.module import Module

TRACE, DEBUG, INFO, WARN, ERROR, FATAL = range(6)


def require(value: Any, name: str) -> Any:
    """Gives what a reference points to; raises RuntimeError for a null reference."""
    if value is None:
        raise RuntimeError(f"{name}: Reference is null.")
    return value


class LoggerRef:
    """Writes log lines for a module."""

    __slots__ = ("_module",)

    def __init__(self, module: Optional[Module] = None) -> None:
        self._module = module

    def __bool__(self) -> bool:
        return self._module is not None

    def GetLogLevel(self) -> int:
        """The lowest level written, 0 trace to 5 fatal, 6 off."""
        return int(require(self._module, "LoggerRef").logger.level)

    def Log(self, lvl: int, line: int, file_name: str, function_name: str, log_data: str, log_data_size: int = -1) -> None:
        """Writes one line. ``log_data_size`` counts bytes of UTF-8; the whole text is written when it is less than that."""
        module = require(self._module, "LoggerRef")
        if int(lvl) >= module.logger.level:
            module.logger.write(int(lvl), str(log_data), file_name, line, function_name)


def _log(logger: LoggerRef, level: int, message: str) -> None:
    if level < logger.GetLogLevel():
        return
    frame = sys._getframe(2)
    code = frame.f_code
    require(logger._module, "LoggerRef").logger.write(level, str(message), code.co_filename, frame.f_lineno, code.co_name)


def trace(logger: LoggerRef, log_str: str) -> None:
    """Writes a line of level trace, with the caller's file and line."""
    _log(logger, TRACE, log_str)


def debug(logger: LoggerRef, log_str: str) -> None:
    """Writes a line of level debug, with the caller's file and line."""
    _log(logger, DEBUG, log_str)


def info(logger: LoggerRef, log_str: str) -> None:
    """Writes a line of level info, with the caller's file and line."""
    _log(logger, INFO, log_str)


def warn(logger: LoggerRef, log_str: str) -> None:
    """Writes a line of level warn, with the caller's file and line."""
    _log(logger, WARN, log_str)


def error(logger: LoggerRef, log_str: str) -> None:
    """Writes a line of level error, with the caller's file and line."""
    _log(logger, ERROR, log_str)


def fatal(logger: LoggerRef, log_str: str) -> None:
    """Writes a line of level fatal, with the caller's file and line. The program goes on."""
    _log(logger, FATAL, log_str)


class ConfiguratorRef:
    """Tells a module where its configuration is."""

    __slots__ = ("_module",)

    def __init__(self, module: Optional[Module] = None) -> None:
        self._module = module

    def __bool__(self) -> bool:
        return self._module is not None

    def GetConfigFilePath(self) -> str:
        """Path of the module's own configuration file, "" when it has none."""
        return str(require(self._module, "ConfiguratorRef").config_path)


class ParameterHandleRef:
    """Parameters of a module, kept in memory."""

    __slots__ = ("_module",)

    def __init__(self, module: Optional[Module] = None) -> None:
        self._module = module

    def __bool__(self) -> bool:
        return self._module is not None

    def GetParameter(self, key: str) -> str:
        """A parameter, "" when it is not set."""
        return str(require(self._module, "ParameterHandleRef").parameter(key))

    def SetParameter(self, key: str, value: str) -> None:
        """Sets a parameter; "" erases it."""
        require(self._module, "ParameterHandleRef").set_parameter(key, value)


class ExecutorRef:
    """A named executor. Null (false) when it was not found."""

    __slots__ = ("_executor",)

    def __init__(self, executor: Optional[Executor] = None) -> None:
        self._executor = executor

    def __bool__(self) -> bool:
        return self._executor is not None

    def _get(self) -> Executor:
        found: Executor = require(self._executor, "ExecutorRef")
        return found

    def Type(self) -> str:
        """Its type in the configuration."""
        return self._get().type

    def Name(self) -> str:
        """Its name in the configuration."""
        return self._get().name

    def ThreadSafe(self) -> bool:
        """Whether its tasks never run at the same time."""
        return self._get().thread_safe

    def IsInCurrentExecutor(self) -> bool:
        """Whether the calling thread is running one of its tasks."""
        return self._get().in_current

    def SupportTimerSchedule(self) -> bool:
        """Whether ExecuteAt and ExecuteAfter work."""
        return self._get().has_timers

    def Now(self) -> datetime:
        """Its clock, local time without a zone."""
        return self._get().now()

    def Execute(self, task: Callable[[], Any]) -> None:
        """Runs a task soon. After shutdown, or with a full queue, the task is dropped with an error log."""
        self._guarded(self._get().post, task)

    def ExecuteAt(self, tp: datetime, task: Callable[[], Any]) -> None:
        """Runs a task at a local time. Raises RuntimeError when the executor has no timers."""
        self._need_timers()
        self._guarded(self._get().post_at, tp, task)

    def ExecuteAfter(self, dt: Union[timedelta, float], task: Callable[[], Any]) -> None:
        """Runs a task after a delay. Raises RuntimeError when the executor has no timers."""
        self._need_timers()
        delay = dt if isinstance(dt, timedelta) else timedelta(seconds=dt)
        self._guarded(self._get().post_after, delay, task)

    def _need_timers(self) -> None:
        if not self._get().has_timers:
            raise RuntimeError("ExecutorRef: Current executor does not support timer scheduling.")

    def _guarded(self, post: Callable[..., Any], *arguments: Any) -> None:
        try:
            post(*arguments)
        except LibraryError as problem:
            self._get()._log(f"a task is dropped: {problem}")


class ExecutorManagerRef:
    """Finds executors by name."""

    __slots__ = ("_module",)

    def __init__(self, module: Optional[Module] = None) -> None:
        self._module = module

    def __bool__(self) -> bool:
        return self._module is not None

    def GetExecutor(self, executor_name: str) -> ExecutorRef:
        """The executor of that name; a null reference and a warning when there is none."""
        module: Module = require(self._module, "ExecutorManagerRef")
        try:
            return ExecutorRef(module.executor(executor_name))
        except NotFound as problem:
            module.logger.warn(str(problem))
            return ExecutorRef()
