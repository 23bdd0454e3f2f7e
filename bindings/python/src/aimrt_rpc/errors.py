"""Exceptions of the native API.

Two families, as in the C header: :class:`LibraryError` says that a function of the library did not do its job,
:class:`RpcError` says how a call ended.
"""

from typing import Dict, Mapping, Optional, Tuple, Type

from . import _abi
from .status import Code, Status


class LibraryError(Exception):
    """A function of the library could not do its job.

    ``result`` is the ``AIMRT_RPC_RESULT_*`` number, ``details`` holds facts such as ``file``, ``line`` or ``nearest``.
    """

    def __init__(self, result: int, message: str, details: Optional[Mapping[str, str]] = None) -> None:
        super().__init__(message)
        self.result = result
        self.message = message
        self.details: Dict[str, str] = dict(details or {})


class InvalidHandle(LibraryError, ValueError):
    """The object was closed, or is of another kind."""


class InvalidArgument(LibraryError, ValueError):
    """An argument cannot be meant; the text says which and what was expected."""


class InvalidState(LibraryError, RuntimeError):
    """Not possible in this state of the runtime's life cycle."""


class NotFound(LibraryError, KeyError):
    """No object of that name; the text names the nearest."""

    def __str__(self) -> str:
        return self.message  # KeyError would show the repr


class AlreadyExists(LibraryError, ValueError):
    """The name is taken."""


class ConfigError(LibraryError, ValueError):
    """The configuration is not usable; the text names file, line and option."""


class Forked(LibraryError, RuntimeError):
    """Called in a child of ``fork()``: use the spawn start method, or fork before importing."""


class Deadlock(LibraryError, RuntimeError):
    """A blocking call from the one thread that would have to serve it."""


class WaitTimeout(LibraryError, TimeoutError):
    """A wait ended before what it waited for."""


_BY_RESULT: Dict[int, Type[LibraryError]] = {
    _abi.AIMRT_RPC_RESULT_INVALID_HANDLE: InvalidHandle,
    _abi.AIMRT_RPC_RESULT_INVALID_ARGUMENT: InvalidArgument,
    _abi.AIMRT_RPC_RESULT_INVALID_STATE: InvalidState,
    _abi.AIMRT_RPC_RESULT_NOT_FOUND: NotFound,
    _abi.AIMRT_RPC_RESULT_ALREADY_EXISTS: AlreadyExists,
    _abi.AIMRT_RPC_RESULT_CONFIG: ConfigError,
    _abi.AIMRT_RPC_RESULT_FORKED: Forked,
    _abi.AIMRT_RPC_RESULT_DEADLOCK: Deadlock,
    _abi.AIMRT_RPC_RESULT_TIMEOUT: WaitTimeout,
}


def library_error(result: int, message: str, details: Tuple[Tuple[str, str], ...] = ()) -> LibraryError:
    """Makes the exception that fits a result."""
    return _BY_RESULT.get(result, LibraryError)(result, message, dict(details))


class RpcError(Exception):
    """A call ended with a status other than OK.

    Catch this class for any of them; ``status`` has code, name, message and remote trace.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(str(status))
        self.status = status

    @property
    def code(self) -> int:
        """The status code, AimRT's numbers below 3000."""
        return self.status.code

    @property
    def name(self) -> str:
        """The name of the code, for example ``TIMEOUT``."""
        return self.status.name

    @property
    def message(self) -> str:
        """What the service or the library said."""
        return self.status.message

    @property
    def details(self) -> Mapping[str, str]:
        """Key/value facts that came with the status."""
        return self.status.details


class Timeout(RpcError, TimeoutError):
    """The call's deadline passed."""


class Cancelled(RpcError):
    """The call was cancelled."""


class ConnectionLost(RpcError, ConnectionError):
    """The connection broke while the call was open, or there is none."""


class RemoteError(RpcError):
    """The handler failed; ``status.trace`` may hold its stack text."""


_BY_CODE: Dict[int, Type[RpcError]] = {
    Code.TIMEOUT: Timeout,
    Code.CANCELLED: Cancelled,
    Code.CONNECTION_LOST: ConnectionLost,
    Code.UNAVAILABLE: ConnectionLost,
    Code.SVR_HANDLE_FAILED: RemoteError,
    Code.REMOTE_EXCEPTION: RemoteError,
}


def rpc_error(status: Status) -> RpcError:
    """Makes the exception that fits a status."""
    return _BY_CODE.get(status.code, RpcError)(status)
