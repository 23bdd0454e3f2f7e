"""RpcContext and RpcContextRef."""

import weakref
from datetime import timedelta
from enum import IntEnum
from typing import List, Optional, Union

from aimrt_rpc import _core
from aimrt_rpc._lib import lib

_TO_ADDR = "aimrt-to_addr"
_SERIALIZATION = "aimrt-serialization_type"
_FUNCTION = "aimrt-function_name"
_MAX_NS = int(timedelta.max.total_seconds()) * 1_000_000_000


class RpcContextType(IntEnum):
    """Which side of a call a context belongs to."""

    AIMRT_RPC_CLIENT_CONTEXT = 0
    AIMRT_RPC_SERVER_CONTEXT = 1


def _text(value: Union[str, bytes]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError(f"expected str or bytes, got {type(value).__name__}")


class _ContextMethods:
    """What a context and a reference to one have in common."""

    __slots__ = ()

    def _number(self) -> int:
        raise NotImplementedError

    def CheckUsed(self) -> bool:
        """Whether a call has used the context."""
        return bool(lib.aimrt_rpc_context_used(self._number()))

    def SetUsed(self) -> None:
        """Marks the context as used."""
        lib.aimrt_rpc_context_set_used(self._number())

    def GetType(self) -> RpcContextType:
        """Client or server."""
        return RpcContextType(lib.aimrt_rpc_context_kind(self._number()))

    def Timeout(self) -> timedelta:
        """The timeout; zero = not set, ``timedelta.max`` = none was sent."""
        nanoseconds = _core.context_timeout_ns(self._number())
        if nanoseconds >= _MAX_NS:
            return timedelta.max
        return timedelta(microseconds=nanoseconds / 1000)

    def SetTimeout(self, timeout: Union[timedelta, float]) -> None:
        """Sets the timeout: a timedelta or a float of seconds. Raises TypeError for an int, as AimRT does, ValueError below 0."""
        if isinstance(timeout, timedelta):
            seconds = timeout.total_seconds()
        elif isinstance(timeout, float):
            seconds = timeout
        else:
            raise TypeError(f"SetTimeout expects datetime.timedelta or float seconds, got {type(timeout).__name__}")
        if seconds < 0:
            raise ValueError(f"SetTimeout expects a timeout of at least 0, got {timeout!r}")
        _core.context_set_timeout_ns(self._number(), int(seconds * 1_000_000_000))

    def GetMetaValue(self, key: Union[str, bytes]) -> str:
        """A metadata value, "" when absent."""
        return _core.context_get(self._number(), _text(key))

    def SetMetaValue(self, key: Union[str, bytes], value: Union[str, bytes]) -> None:
        """Sets a metadata value."""
        _core.context_set(self._number(), _text(key), _text(value))

    def GetMetaKeys(self) -> List[str]:
        """The metadata keys, in no order."""
        return list(dict(_core.context_metadata(self._number())))

    def GetToAddr(self) -> str:
        """The target address, "" = where the rules send the call."""
        return _core.context_get(self._number(), _TO_ADDR)

    def SetToAddr(self, addr: Union[str, bytes]) -> None:
        """Sets the target address, for example ``http://127.0.0.1:50080``."""
        _core.context_set(self._number(), _TO_ADDR, _text(addr))

    def GetSerializationType(self) -> str:
        """``pb``, ``json`` or "" = the default."""
        return _core.context_get(self._number(), _SERIALIZATION)

    def SetSerializationType(self, serialization_type: Union[str, bytes]) -> None:
        """Sets the serialization of request and response."""
        _core.context_set(self._number(), _SERIALIZATION, _text(serialization_type))

    def GetFunctionName(self) -> str:
        """The full function name, ``pb:/package.Service/Method``."""
        return _core.context_get(self._number(), _FUNCTION)

    def SetFunctionName(self, func_name: Union[str, bytes]) -> None:
        """Sets the function name."""
        _core.context_set(self._number(), _FUNCTION, _text(func_name))

    def ToString(self) -> str:
        """``Client context, timeout: 5000ms, meta: {{"k":"v"}}``."""
        return _core.context_text(self._number())


class RpcContext(_ContextMethods):
    """A client context: timeout and metadata of one call. Reset() makes it usable for another."""

    __slots__ = ("__weakref__", "_closer", "_handle")

    def __init__(self) -> None:
        self._own(_core.context_create())

    def _own(self, handle: int) -> None:
        self._handle = handle
        self._closer = weakref.finalize(self, _core.context_release, handle)

    @classmethod
    def _copy_of(cls, other: "RpcContext") -> "RpcContext":
        made = cls.__new__(cls)
        made._own(_core.context_copy(other._handle))
        return made

    def _number(self) -> int:
        return self._handle

    def Reset(self) -> None:
        """Clears the used flag, the timeout and all metadata."""
        _core.context_reset(self._handle)


class RpcContextRef(_ContextMethods):
    """A reference to a context. Without an argument it is null: false, and its methods raise RuntimeError.

    A reference to an RpcContext keeps it alive; the one a handler gets is valid until the handler returns.
    """

    __slots__ = ("_context", "_handle")

    def __init__(self, context: Optional[RpcContext] = None) -> None:
        if context is not None and not isinstance(context, RpcContext):
            raise TypeError(f"RpcContextRef expects an RpcContext, got {type(context).__name__}")
        self._context = context
        self._handle = context._handle if context is not None else 0

    def _number(self) -> int:
        if not self._handle:
            raise RuntimeError("RpcContextRef: Reference is null.")
        return self._handle

    def __bool__(self) -> bool:
        return self._handle != 0


def server_ref(handle: int) -> RpcContextRef:
    """Makes the reference a handler gets."""
    ref = RpcContextRef.__new__(RpcContextRef)
    ref._handle = handle
    ref._context = None
    return ref
