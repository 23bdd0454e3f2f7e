"""What a caller may set before a call and read after it, and what a handler sees of a call."""

import weakref
from datetime import timedelta
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from . import _core
from ._lib import lib

Timeout = Union[timedelta, float, int, None]
"""A duration: a timedelta, or a number of seconds; None = the dialect's default."""

_TO_ADDR = "aimrt-to_addr"


def timeout_ns(timeout: Timeout) -> int:
    """Turns a duration into nanoseconds; 0 for None. Raises ValueError for a negative one."""
    if timeout is None:
        return 0
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds < 0:
        raise ValueError(f"timeout is {timeout!r}; expected a duration of at least 0 seconds")
    return int(seconds * 1_000_000_000)


class Context:
    """A client context: timeout, target and metadata of one call.

    Used once; :meth:`reset` makes it usable again. One thread or task at a time. Any of the arguments may be left out.
    ``target`` is an address such as ``"http://127.0.0.1:50080"``.
    """

    __slots__ = ("__weakref__", "_closer", "_handle")

    def __init__(
        self,
        *,
        timeout: Timeout = None,
        target: Optional[str] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._handle: int = _core.context_create()
        self._closer = weakref.finalize(self, _core.context_release, self._handle)
        if timeout is not None:
            _core.context_set_timeout_ns(self._handle, timeout_ns(timeout))
        if target is not None:
            _core.context_set(self._handle, _TO_ADDR, target)
        for key, value in (metadata or {}).items():
            _core.context_set(self._handle, key, value)

    @property
    def handle(self) -> int:
        """The number of the context in the C interface."""
        return self._handle

    @property
    def timeout(self) -> timedelta:
        """The timeout, zero when not set. After a call: what was applied."""
        return timedelta(microseconds=_core.context_timeout_ns(self._handle) / 1000)

    @timeout.setter
    def timeout(self, value: Timeout) -> None:
        _core.context_set_timeout_ns(self._handle, timeout_ns(value))

    @property
    def target(self) -> str:
        """Where the call goes, "" = where the rules send it."""
        return _core.context_get(self._handle, _TO_ADDR)

    @target.setter
    def target(self, value: str) -> None:
        _core.context_set(self._handle, _TO_ADDR, value)

    def __getitem__(self, key: str) -> str:
        """Gives a metadata value; raises KeyError when the key is absent."""
        value = _core.context_get(self._handle, key)
        if value or any(k == key for k, _ in _core.context_metadata(self._handle)):
            return value
        raise KeyError(key)

    def __setitem__(self, key: str, value: str) -> None:
        _core.context_set(self._handle, key, value)

    def __delitem__(self, key: str) -> None:
        _core.context_remove(self._handle, key)

    def get(self, key: str, default: str = "") -> str:
        """Gives a metadata value, or the default."""
        return _core.context_get(self._handle, key) or default

    def metadata(self) -> Dict[str, str]:
        """Gives all metadata; the last value wins for a key with several."""
        return dict(_core.context_metadata(self._handle))

    def metadata_pairs(self) -> List[Tuple[str, str]]:
        """Gives all metadata in order, with repeated keys."""
        return list(_core.context_metadata(self._handle))

    def reset(self) -> None:
        """Makes the context as new. Raises InvalidState while a call uses it."""
        _core.context_reset(self._handle)

    def __str__(self) -> str:
        return _core.context_text(self._handle)

    def close(self) -> None:
        """Gives the context back now instead of when it is collected."""
        self._closer()

    def __enter__(self) -> "Context":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class ServerContext:
    """What a handler sees of the call it serves; valid until the handler is done."""

    __slots__ = ("_call", "_handle")

    def __init__(self, handle: int, call: int) -> None:
        self._handle, self._call = handle, call

    @property
    def handle(self) -> int:
        """The number of the context in the C interface."""
        return self._handle

    @property
    def timeout(self) -> timedelta:
        """The timeout the caller gave."""
        return timedelta(microseconds=_core.context_timeout_ns(self._handle) / 1000)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return bool(lib.aimrt_rpc_call_cancelled(self._call))

    def get(self, key: str, default: str = "") -> str:
        """Gives a metadata value, or the default."""
        return _core.context_get(self._handle, key) or default

    def metadata(self) -> Dict[str, str]:
        """Gives all metadata the caller sent."""
        return dict(_core.context_metadata(self._handle))

    def __str__(self) -> str:
        return _core.context_text(self._handle)
