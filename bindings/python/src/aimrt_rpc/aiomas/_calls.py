"""Calls with a deadline. No attribute of a proxy is taken away from the remote names for it."""

import weakref
from typing import Any, Dict, Optional

from .channel import Future
from .rpc import Proxy


def with_options(proxy: Proxy, *, timeout_s: float) -> Proxy:
    """Gives a proxy to the same place whose calls have a deadline; so have those of the proxies below it.

    ``timeout_s``: seconds after which a call raises asyncio.TimeoutError; its late reply is ignored, the handler at the peer
    goes on. Example: ``await with_options(client.remote, timeout_s=2.0).math.add(3, 4)``.
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s is {timeout_s!r}, expected a number of seconds above 0")
    return TimedProxy(proxy._channel, proxy._path, timeout_s)


class TimedProxy(Proxy):
    """A proxy whose calls have a deadline; made by :func:`with_options`."""

    __slots__ = ("_timeout_s",)

    def __init__(self, channel: Any, path: str, timeout_s: float) -> None:
        super().__init__(channel, path)
        self._timeout_s = timeout_s

    def __getattr__(self, name: str) -> "TimedProxy":
        cache: Dict[str, weakref.ref[Proxy]] = self._cache or {}
        known: Optional[Proxy] = cache[name]() if name in cache else None
        if isinstance(known, TimedProxy):
            return known
        path = self._path
        child = TimedProxy(self._channel, f"{path}/{name}" if path else name, self._timeout_s)
        self._cache = {key: each for key, each in cache.items() if each() is not None}
        self._cache[name] = weakref.ref(child)
        return child

    def __call__(self, *args: Any, **kwargs: Any) -> Future:
        path = self._path
        if not path:
            raise AttributeError("No RPC function name specified.")
        return self._channel.send_timed((path, args, kwargs), self._timeout_s)
