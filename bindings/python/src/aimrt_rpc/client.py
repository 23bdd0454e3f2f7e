"""Methods of other modules, called with values."""

from typing import Any, Generic, Mapping, Optional, Tuple, TypeVar

from . import _core
from ._queue import loop_queue
from .codec import Codec
from .context import Context, Timeout
from .errors import RpcError, rpc_error
from .status import Code, Status

Req = TypeVar("Req")
Rsp = TypeVar("Rsp")


class Method(Generic[Req, Rsp]):
    """A method this module may call; made by :meth:`Module.client`.

    Both ways of calling take the request value and, all optional: ``timeout`` (timedelta or seconds), ``target`` (an address),
    ``metadata`` (texts), or a ready ``context`` instead of these three, and ``serialization`` (the default is the codec's first).
    They give the response value and raise :class:`RpcError` for any status other than OK.
    """

    __slots__ = ("_handle", "_request", "_response", "name")

    def __init__(self, name: str, handle: int, request: Codec[Any], response: Codec[Any]) -> None:
        self.name = name
        self._handle = handle
        self._request, self._response = request, response

    @property
    def handle(self) -> int:
        """The number of the method in the C interface."""
        return self._handle

    def invoke(
        self,
        request: Req,
        *,
        timeout: Timeout = None,
        target: Optional[str] = None,
        metadata: Optional[Mapping[str, str]] = None,
        context: Optional[Context] = None,
        serialization: str = "",
    ) -> Rsp:
        """Calls and waits, in any thread; other Python threads run meanwhile. See the class for the arguments."""
        made = self._context(timeout, target, metadata, context)
        body = self._encode(request, serialization)
        answer = _core.invoke(self._handle, made.handle if made else 0, body, serialization or None)
        return self._decode(answer, serialization)

    async def invoke_async(
        self,
        request: Req,
        *,
        timeout: Timeout = None,
        target: Optional[str] = None,
        metadata: Optional[Mapping[str, str]] = None,
        context: Optional[Context] = None,
        serialization: str = "",
    ) -> Rsp:
        """Calls and awaits in the running loop; cancelling the task cancels the call. See the class for the arguments."""
        made = self._context(timeout, target, metadata, context)
        body = self._encode(request, serialization)
        answer = await loop_queue().invoke(self._handle, made.handle if made else 0, body, serialization or None)
        return self._decode(answer, serialization)

    @staticmethod
    def _context(
        timeout: Timeout, target: Optional[str], metadata: Optional[Mapping[str, str]], context: Optional[Context]
    ) -> Optional[Context]:
        if context is not None:
            if timeout is not None or target is not None or metadata is not None:
                raise ValueError("give either a context, or timeout, target and metadata; not both")
            return context
        if timeout is None and target is None and metadata is None:
            return None
        return Context(timeout=timeout, target=target, metadata=metadata)

    def _encode(self, request: Req, serialization: str) -> bytes:
        pair = self._request.pair(serialization)
        if pair is None:
            known = ", ".join(self._request.serializations)
            text = f"{self.name} has no serialization {serialization!r}; it has {known}"
            raise rpc_error(Status(Code.CLI_INVALID_SERIALIZATION_TYPE, text))
        try:
            return pair[0](request)
        except Exception as error:
            text = f"request of {self.name} cannot be encoded: {type(error).__name__}: {error}"
            raise RpcError(Status(Code.CLI_SERIALIZATION_FAILED, text)) from error

    def _decode(self, answer: Tuple[int, bytes, _core.Failure], serialization: str) -> Rsp:
        code, body, failure = answer
        if code:
            message, trace, details = failure or ("", "", ())
            raise rpc_error(Status(code, message, trace, dict(details)))
        pair = self._response.pair(serialization)
        try:
            if pair is None:
                raise ValueError(f"the response has no serialization {serialization!r}")
            return pair[1](body)  # type: ignore[no-any-return]
        except Exception as error:
            text = f"response of {self.name} cannot be decoded: {type(error).__name__}: {error}"
            raise RpcError(Status(Code.CLI_DESERIALIZATION_FAILED, text)) from error
