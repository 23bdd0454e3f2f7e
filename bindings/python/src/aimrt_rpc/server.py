"""Functions of this program, called from anywhere."""

import asyncio
import inspect
import traceback
from typing import Any, Awaitable, Callable, Optional, Tuple, Union

from . import _core
from ._core import Answer
from ._queue import Serve
from .codec import Codec
from .context import ServerContext
from .errors import RpcError
from .status import Code, Status

Handler = Callable[[ServerContext, Any], Union[Any, Awaitable[Any]]]


def is_async(handler: Handler) -> bool:
    """Whether a handler is a coroutine function (or an object whose call is one)."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


class Adapter:
    """Turns bytes into values around a handler, and whatever it raises into a status."""

    __slots__ = ("_handler", "_log", "_request", "_response", "name")

    def __init__(self, name: str, handler: Handler, request: Codec[Any], response: Codec[Any], log: Callable[[str], None]) -> None:
        self.name, self._handler, self._log = name, handler, log
        self._request, self._response = request, response

    def __call__(self, context: int, request: bytes, serialization: str, call: int) -> Answer:
        """Serves one call on the thread it comes on."""
        value, refused = self._decode(request, serialization)
        if refused is not None:
            return refused
        try:
            result = self._handler(ServerContext(context, call), value)
        except BaseException as error:
            return self._failed(error)
        return self._encode(result, serialization)

    def serve_in_loop(self) -> Serve:
        """Gives the coroutine function that serves one call in an asyncio loop."""

        async def serve(context: int, request: bytes, serialization: str, call: int) -> None:
            value, answer = self._decode(request, serialization)
            if answer is None:
                try:
                    answer = self._encode(await self._handler(ServerContext(context, call), value), serialization)
                except asyncio.CancelledError:
                    _core.finish(call, Code.CANCELLED, b"", "the handler was cancelled")
                    raise
                except BaseException as error:
                    answer = self._failed(error)
            _core.finish(call, *answer)

        return serve

    def _decode(self, request: bytes, serialization: str) -> Tuple[Any, Optional[Answer]]:
        pair = self._request.pair(serialization)
        if pair is None:
            text = "{} has no serialization {!r}; it has {}".format(
                self.name,
                serialization,
                ", ".join(self._request.serializations),
            )
            return None, (Code.SVR_INVALID_SERIALIZATION_TYPE, b"", text, None, ())
        try:
            return pair[1](request), None
        except Exception as error:
            text = f"request of {self.name} cannot be decoded: {type(error).__name__}: {error}"
            return None, (Code.SVR_DESERIALIZATION_FAILED, b"", text, None, ())

    def _encode(self, result: Any, serialization: str) -> Answer:
        pair = self._response.pair(serialization)
        try:
            if pair is None:
                raise ValueError(f"the response has no serialization {serialization!r}")
            body = pair[0](result)
            if not isinstance(body, (bytes, bytearray)):
                raise TypeError(f"expected bytes, got {type(body).__name__}")
            return 0, bytes(body), None, None, ()
        except Exception as error:
            text = f"response of {self.name} cannot be encoded: {type(error).__name__}: {error}"
            self._log(text)
            return Code.SVR_SERIALIZATION_FAILED, b"", text, None, ()

    def _failed(self, error: BaseException) -> Answer:
        if isinstance(error, RpcError):
            status: Status = error.status
            return status.code or Code.SVR_HANDLE_FAILED, b"", status.message or None, None, tuple(status.details.items())
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self._log(f"handler of {self.name} raised\n{trace}")
        return Code.SVR_HANDLE_FAILED, b"", f"{type(error).__name__}: {error}", trace, ()
