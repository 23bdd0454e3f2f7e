"""The channel layer: requests and replies of any content over one connection.

asyncio owns the sockets. Each connection has one host-driven connection of the library, which parses frames, numbers
requests, matches replies and holds to the limits; values are encoded and decoded here.
"""

import asyncio
import collections
import functools
import logging
import struct
import traceback
import types
import weakref
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Deque, Dict, List, Optional, Sequence, Set, Tuple, Type

from .. import _abi, _core
from ..errors import LibraryError
from . import codecs, local_queue
from ._options import DEFAULT_LIMITS, DEFAULT_OPTIONS, Limits, Options
from .exceptions import LimitError, RemoteException, SerializationError

__all__ = [  # noqa: RUF022 - the original's order
    "REQUEST",
    "RESULT",
    "EXCEPTION",
    "DEFAULT_CODEC",
    "open_connection",
    "start_server",
    "Header",
    "Request",
    "Channel",
    "ChannelProtocol",
]

REQUEST = 0
RESULT = 1
EXCEPTION = 2
DEFAULT_CODEC = codecs.JSON
Header = struct.Struct("!L")

log = logging.getLogger("aimrt_rpc.aiomas")

Address = Any  # (host, port), a path, or a LocalQueue
Loop = asyncio.AbstractEventLoop
if TYPE_CHECKING:
    Future = asyncio.Future[Any]
else:  # no subscript on Python 3.8
    Future = asyncio.Future

_REQUESTED = _abi.AIMRT_RPC_CONNECTION_EVENT_REQUEST
_RESULT = _abi.AIMRT_RPC_CONNECTION_EVENT_RESULT
_EXCEPTION = _abi.AIMRT_RPC_CONNECTION_EVENT_EXCEPTION
_FRAME = _abi.AIMRT_RPC_CONNECTION_EVENT_FRAME
_OPAQUE = _abi.AIMRT_RPC_CONNECTION_CODEC_OPAQUE

# glibc gives the memory of a large message back to the system and takes it anew for the next one, page fault by page fault, until a block
# of this size has been freed once. The pages are never touched.
_HEAP_SLACK = 2 << 20
bytes(_HEAP_SLACK)

# What the library is told for RESULT and EXCEPTION.
_REPLY_KINDS = (0, _RESULT, _EXCEPTION)
# Pending calls are looked through for cancelled ones when there are this many, then when their number has doubled.
_SWEEP_AT = 256
# Frames are collected up to this many bytes before they are written.
_WRITE_SIZE = 256 << 10
# Bytes read from a socket at once.
_READ_SIZE = 256 << 10
# Bytes that wait for the peer to read; above it, further requests wait too and reading is paused, when it may be.
_HELD_HIGH = 1 << 20
# Bytes of own requests that the transport holds because the peer does not read; above it calls raise LimitError.
_MAX_UNSENT = 256 << 20
# Seconds that close() waits for the transport to send what is left, before it is cut off.
_CLOSE_WAIT_S = 5.0
# What a queued request weighs beside its bytes.
_QUEUED_SIZE = 256
# Turns of the loop that a closed server waits, so that connections whose end has been received are told.
_TURNS = 4
# Seconds between two attempts to connect: the first, the growth, the longest.
_RETRY_S = (0.5, 1.5, 30.0)


class Request:
    """A request of the peer, given by :meth:`Channel.recv`. Answer it once, with a result or with an exception.

    The peer waits for ever when the object goes without either.
    """

    __slots__ = ("_channel", "_content", "_number")

    def __init__(self, content: Any, message_id: int, protocol: "ChannelProtocol") -> None:
        self._content = content
        self._number = message_id
        self._channel = protocol.channel

    @property
    def content(self) -> Any:
        """What the peer sent."""
        return self._content

    def __del__(self) -> None:
        if self._number >= 0:
            self._channel._drop(self._number)

    async def reply(self, result: Any) -> None:
        """Answers with a result; waits while the peer does not read. Raises when the result cannot be encoded."""
        channel = self._channel
        if channel._write_paused:
            await channel._writable()
        number = self._take_number()
        try:
            channel._reply(number, RESULT, channel._dumps(result))
        except BaseException:
            self._number = number
            raise

    async def fail(self, exception: BaseException) -> None:
        """Answers with an exception: the peer's call raises :class:`.RemoteException` with its traceback."""
        channel = self._channel
        if channel._write_paused:
            await channel._writable()
        channel._fail(self._take_number(), exception)

    def _take_number(self) -> int:
        number = self._number
        if number < 0:
            raise RuntimeError("This request was answered before.")
        self._number = -1
        return number


class Channel:
    """One end of a connection: sends requests, receives those of the peer. Both ends may do both.

    Made by :func:`open_connection` and :func:`start_server`. Everything belongs to the thread of its event loop.
    """

    _handle = 0

    def __init__(self, protocol: "ChannelProtocol", codec: codecs.Codec, transport: asyncio.Transport, loop: Loop) -> None:
        options = protocol.options
        limits = options.limits
        number = codecs.library_number(codec)
        self._protocol = protocol
        self._codec = codec
        self._transport: Optional[asyncio.Transport] = transport
        self._connected: Optional[asyncio.Transport] = transport  # None when the transport has said that it is done
        self._loop = loop
        self._options = options
        self._peername = transport.get_extra_info("peername")
        texts = codecs.has_texts(codec)
        self._hosted_feed: Callable[..., Any] = _core.hosted_feed_text if texts else _core.hosted_feed
        self._hosted_request: Callable[..., Tuple[int, bytes]] = _core.hosted_request_text if texts else _core.hosted_request
        self._hosted_reply: Callable[..., bytes] = _core.hosted_reply_text if texts else _core.hosted_reply
        self._dumps = codecs.encode_content(codec)
        self._loads = codecs.decode_content(codec)
        self._handle = _core.hosted_create(number, limits.max_frame_size, limits.max_depth, limits.max_pending, limits.max_open)
        self._envelope: Optional[_Envelope] = _Envelope(codec, self._handle, limits) if number == _OPAQUE else None
        if self._envelope is not None:
            self._dumps = self._loads = _same
        # own requests
        self._pending: Dict[int, Future] = {}
        self._sweep_at = _SWEEP_AT
        # requests of the peer: those that nobody has taken yet, and how many have no reply
        self._on_request: Optional[RequestHandler] = None
        self._in_queue: Deque[Tuple[int, Any, int]] = collections.deque()
        self._open = 0
        self._waiter: Optional[Future] = None
        # bytes on the way out
        self._out: List[bytes] = []
        self._out_size = 0
        self._flush_scheduled = False
        self._write_paused = False
        self._unsent: Deque[bytes] = collections.deque()  # what the transport has no room for
        self._unsent_size = 0
        self._held: Deque[bytes] = collections.deque()
        self._held_size = 0  # of held replies and of requests that nobody has taken
        self._drain_waiters: Deque[Future] = collections.deque()
        self._reading_paused = False
        # the end
        self._lost: Optional[ConnectionResetError] = None
        self._on_lost: Optional[Callable[[ConnectionResetError], None]] = None
        self._ended = loop.create_future()

    def __del__(self) -> None:
        if self._handle:
            _core.hosted_release(self._handle)

    @property
    def codec(self) -> codecs.Codec:
        """The codec of this connection."""
        return self._codec

    @property
    def transport(self) -> Optional[asyncio.Transport]:
        """The transport, None after the connection was closed."""
        return self._transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Gives what the transport knows under a name, for example ``"peername"``, which is known after the end too."""
        if name == "peername":
            return default if self._peername is None else self._peername
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    # --- own requests -----------------------------------------------------------------------------------------------------

    def send(self, content: Any) -> Future:
        """Sends a request and gives the future of its reply.

        Cancelling the future drops the call here: its reply is ignored. Raises :class:`.SerializationError` and what the
        codec raises, :class:`.LimitError`, and ConnectionResetError when the connection is closed.
        """
        if self._lost is not None:
            raise ConnectionResetError(*(self._lost.args or ("Connection closed",)))
        try:
            data = self._dumps(content)
        except BaseException:
            self._skip_number()
            raise
        if self._write_paused:
            self._check_unsent()
        if self._envelope is not None and len(self._pending) >= self._options.limits.max_pending and not self._sweep():
            raise LimitError(f"{len(self._pending)} calls wait for their reply, limit max_pending")
        try:
            number, frame = self._hosted_request(self._handle, data) if self._envelope is None else self._envelope.request(data)
        except LibraryError as error:
            number, frame = self._request_again(data, error)
        future = self._loop.create_future()
        self._pending[number] = future
        if len(self._pending) >= self._sweep_at:
            self._sweep()
        if self._reading_paused:
            self._resume_reading()
        if self._write_paused:
            self._unsent.append(frame)
            self._unsent_size += len(frame)
            return future
        if not self._flush_scheduled:
            if len(self._pending) == 1 and self._transport is not None:  # nothing else is likely to come along
                self._transport.write(frame)
                return future
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        self._out_size += len(frame)
        return future

    def send_timed(self, content: Any, timeout_s: float) -> Future:
        """As :meth:`send`; when the reply has not come after that many seconds, the future raises asyncio.TimeoutError."""
        future = self.send(content)
        timer = self._loop.call_later(timeout_s, _time_out, future, timeout_s)
        future.add_done_callback(functools.partial(self._timed_ended, next(reversed(self._pending)), timer))
        return future

    def _timed_ended(self, number: int, timer: asyncio.TimerHandle, _: Future) -> None:
        """Forgets a call whose caller waits no more."""
        timer.cancel()
        if self._pending.pop(number, None) is not None and self._handle:
            _core.hosted_forget(self._handle, number)

    def _skip_number(self) -> None:
        """Uses up the number of a request that could not be encoded, as peers expect."""
        if self._envelope is not None:
            self._envelope.next_number += 1
            return
        try:
            _core.hosted_request(self._handle, b"")
        except LibraryError:
            pass

    def _check_unsent(self) -> None:
        unsent = self._unsent_size + (0 if self._transport is None else self._transport.get_write_buffer_size())
        if unsent > _MAX_UNSENT:
            raise LimitError(f"{unsent} bytes wait because the peer does not read, limit {_MAX_UNSENT}")

    def _request_again(self, data: Any, error: LibraryError) -> Tuple[int, bytes]:
        """Tries a refused request once more without the cancelled calls; raises what a caller understands."""
        if error.result == _abi.AIMRT_RPC_RESULT_LIMIT and self._sweep():
            try:
                return self._hosted_request(self._handle, data)
            except LibraryError as second:
                error = second
        raise self._refused(data, error) from error

    def _refused(self, data: Any, error: LibraryError) -> Exception:
        """Says what a content that the library refused means."""
        limits = self._options.limits
        if error.result != _abi.AIMRT_RPC_RESULT_LIMIT:
            return SerializationError(str(error))
        if len(data) + _ENVELOPE_ROOM > limits.max_frame_size:
            return ValueError(f"Serialized message is too long ({len(data)}).  Maximum length is {limits.max_frame_size}.")
        return LimitError(str(error))

    def _sweep(self) -> bool:
        """Forgets calls whose callers wait no more; says whether there were any."""
        dropped = [number for number, future in self._pending.items() if future.done()]
        for number in dropped:
            del self._pending[number]
            if self._handle:
                _core.hosted_forget(self._handle, number)
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._pending))
        return bool(dropped)

    # --- requests of the peer ---------------------------------------------------------------------------------------------

    async def recv(self) -> Request:
        """Waits for the next request of the peer. Raises ConnectionResetError when the connection is closed."""
        if self._waiter is not None:
            raise RuntimeError("recv() called while another coroutine is already waiting for incoming data.")
        while True:
            while self._in_queue:
                number, content, size = self._in_queue.popleft()
                self._held_size -= size
                if self._reading_paused:
                    self._check_reading()
                try:
                    value = self._loads(content)
                except Exception as error:
                    self._fail(number, error)
                    continue
                return Request(value, number, self._protocol)
            if self._lost is not None:
                raise ConnectionResetError(*(self._lost.args or ("Connection closed",)))
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _serve(self, handler: "Optional[RequestHandler]") -> None:
        """Hands all requests of the peer to a function, at once and in order; None: to recv()."""
        self._on_request = handler
        self._work_off()

    def _requested(self, number: int, content: Any, size: int) -> None:
        """Takes a request: to the handler, or to the queue when there is none or the peer does not read."""
        self._open += 1
        if self._on_request is not None and self._held_size < _HELD_HIGH and not self._in_queue:
            self._on_request(number, content)
            return
        limit = self._options.limits.max_held_size
        if self._held_size > limit and self._pending:
            self._fail(number, LimitError(f"{self._held_size} bytes wait in this connection, limit max_held_size {limit}"))
            return
        size += _QUEUED_SIZE
        self._in_queue.append((number, content, size))
        self._held_size += size
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _work_off(self) -> None:
        """Hands queued requests to the handler while the peer reads the replies."""
        while self._in_queue and self._on_request is not None and len(self._held) == 0:
            number, content, size = self._in_queue.popleft()
            self._held_size -= size
            self._on_request(number, content)
        if self._reading_paused:
            self._check_reading()

    def _reply(self, number: int, kind: int, content: Any) -> None:
        """Answers a request of the peer; does nothing when the connection is gone."""
        if self._lost is not None:
            return
        if self._envelope is None:
            try:
                frame = self._hosted_reply(self._handle, number, _REPLY_KINDS[kind], content)
            except LibraryError as error:
                self._reply_refused(number, kind, content, error)
                return
        else:
            frame = self._envelope.reply(number, kind, content)
        self._open -= 1
        if self._write_paused:
            self._held.append(frame)
            self._held_size += len(frame)
            self._check_reading()
            return
        self._out.append(frame)
        self._out_size += len(frame)
        if self._out_size > _WRITE_SIZE:
            self._flush()
        elif not self._flush_scheduled:
            if self._open == 0:  # nothing else is likely to come along
                self._flush()
            else:
                self._flush_scheduled = True
                self._loop.call_soon(self._flush)

    def _reply_refused(self, number: int, kind: int, content: Any, error: LibraryError) -> None:
        """Answers with why a reply cannot be sent."""
        if error.result == _abi.AIMRT_RPC_RESULT_NOT_FOUND:
            raise RuntimeError("This request was answered before.") from None
        if kind == RESULT:
            self._fail(number, self._refused(content, error))
            return
        log.error("an exception cannot be sent to %s, the peer gets no reply: %s", self._peername, error)
        self._drop(number)

    def _fail(self, number: int, exception: BaseException) -> None:
        """Answers a request of the peer with an exception."""
        if self._lost is not None:
            return
        lines = traceback.format_exception(type(exception), exception, exception.__traceback__)
        content: Any = "".join(lines).encode("utf-8", "backslashreplace").decode()
        if self._options.failure_array:
            content = [type(exception).__name__, str(exception), *content.splitlines(keepends=True)]
        self._reply(number, EXCEPTION, self._dumps(content))

    def _drop(self, number: int) -> None:
        """Closes a request of the peer without a reply."""
        if self._lost is None:
            self._open -= 1
            if self._envelope is None:
                _core.hosted_drop(self._handle, number)
            else:
                self._envelope.drop(number)

    # --- bytes ------------------------------------------------------------------------------------------------------------

    def _received(self, data: bytes) -> None:
        """Takes received bytes: resolves the replies, hands on the requests, writes all answers in one piece."""
        if self._lost is not None:
            return
        self._flush_scheduled = True  # here, at the end
        try:
            events, output, error = self._hosted_feed(self._handle, data if type(data) is bytes else bytes(data))
            if output:
                self._out.append(output)
                self._out_size += len(output)
            pending = self._pending
            for kind, number, content in events:
                if kind == _REQUESTED:
                    self._requested(number, content, len(content))
                elif kind == _FRAME:
                    self._frame_received(content)
                else:
                    future = pending.pop(number, None)
                    if future is not None and not future.done():
                        self._resolve(future, kind, content)
            if error is not None:
                raise _Broken(error)
        except _Broken as broken:
            self._flush()
            self._break(str(broken))
        else:
            self._flush()
            if self._held_size > _HELD_HIGH:
                self._check_reading()

    def _resolve(self, future: Future, kind: int, content: Any) -> None:
        """Ends an own request with the reply of the peer."""
        try:
            value = self._loads(content)
        except Exception as error:
            future.set_exception(error)
            return
        if kind == _RESULT:
            future.set_result(value)
        else:
            future.set_exception(RemoteException(self._peername, value))

    def _frame_received(self, payload: bytes) -> None:
        """Takes a payload of a codec that only Python knows."""
        envelope = self._envelope
        assert envelope is not None
        kind, number, content = envelope.open(payload)
        if kind != REQUEST:
            future = self._pending.pop(number, None)
            if future is not None and not future.done():
                self._resolve(future, _REPLY_KINDS[kind], content)
        elif self._open >= self._options.limits.max_open:
            text = f"{self._open} requests of this connection wait for their reply, limit max_open"
            self._open += 1
            self._fail(number, LimitError(text))
        else:
            self._requested(number, content, len(payload))

    def _flush(self) -> None:
        """Writes what has been collected."""
        self._flush_scheduled = False
        out, size = self._out, self._out_size
        if not out:
            return
        self._out, self._out_size = [], 0
        if self._transport is None:
            return
        if size <= _WRITE_SIZE and not self._unsent:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            return
        self._unsent.extend(out)
        self._unsent_size += size
        self._write_unsent()

    def _write_unsent(self) -> None:
        """Writes what waited, as long as the transport has room: what it has to keep it copies."""
        unsent = self._unsent
        while unsent and not self._write_paused and self._transport is not None:
            piece = [unsent.popleft()]
            size = len(piece[0])
            while unsent and size + len(unsent[0]) <= _WRITE_SIZE:
                piece.append(unsent.popleft())
                size += len(piece[-1])
            self._unsent_size -= size
            self._transport.write(b"".join(piece))

    def _pause_writing(self) -> None:
        self._write_paused = True

    def _resume_writing(self) -> None:
        """Sends what waited for the peer to read, as long as the transport has room."""
        self._write_paused = False
        self._write_unsent()
        while self._held and not self._write_paused and self._transport is not None:
            piece: List[bytes] = []
            size = 0
            while self._held and size < _WRITE_SIZE:
                piece.append(self._held.popleft())
                size += len(piece[-1])
            self._held_size -= size
            self._transport.write(b"".join(piece))
        if not self._write_paused:
            self._let_one_write()
            self._work_off()

    async def _writable(self) -> None:
        """Waits until the peer reads; the replies that wait here go on one by one."""
        while self._write_paused and self._lost is None:
            waiter = self._loop.create_future()
            self._drain_waiters.append(waiter)
            try:
                await waiter
            finally:
                self._loop.call_soon(self._let_one_write)  # after the reply of the one that waited

    def _let_one_write(self) -> None:
        while self._drain_waiters and (not self._write_paused or self._lost is not None):
            waiter = self._drain_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _check_reading(self) -> None:
        """Stops reading while too much waits, unless this end waits for replies itself; reads again when it has gone."""
        limit = self._options.limits.max_held_size
        if self._held_size > 2 * limit + self._options.limits.max_frame_size:  # one more message always has room
            self._break(f"{self._held_size} bytes wait because the peer does not read, limit max_held_size {limit}")
        elif self._reading_paused:
            if self._held_size <= _HELD_HIGH // 2:
                self._resume_reading()
        elif self._held_size > _HELD_HIGH and not self._pending:
            transport = self._transport
            if transport is not None and not transport.is_closing():
                self._reading_paused = True
                transport.pause_reading()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # --- the end ----------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Closes the connection: what was sent goes out, own calls raise ConnectionResetError. A second time does nothing.

        A peer that does not read is cut off after 5 seconds.
        """
        self._close()
        if self._connected is None:
            return
        await asyncio.wait({self._ended}, timeout=_CLOSE_WAIT_S)
        if self._connected is not None:
            self._connected.abort()

    def _close(self) -> None:
        transport = self._transport
        if transport is None:
            return
        self._flush()
        for frame in (*self._unsent, *self._held):
            transport.write(frame)
        self._in_queue.clear()
        self._finish(ConnectionResetError("Connection closed"))
        transport.close()

    def _break(self, why: str) -> None:
        """Closes the connection because of what the peer did."""
        transport = self._transport
        if transport is None:
            return
        log.error("connection with %s closed: %s", self._peername, why)
        self._finish(ConnectionResetError(why))
        transport.close()

    def _connection_lost(self, exc: Optional[BaseException]) -> None:
        """Takes the end of the transport, which is the last thing that happens here."""
        if isinstance(exc, ConnectionResetError):
            reset = exc
        else:
            reset = ConnectionResetError() if exc is None else ConnectionResetError(str(exc))
            reset.__cause__ = exc
        self._finish(reset)
        self._connected = None
        handle, self._handle = self._handle, 0
        _core.hosted_release(handle)
        if not self._ended.done():
            self._ended.set_result(self._lost)

    def _finish(self, exc: ConnectionResetError) -> None:
        """Ends everything that waits for this connection, once."""
        if self._lost is not None:
            return
        self._lost = exc
        self._transport = None
        self._out = []
        self._unsent.clear()
        self._unsent_size = 0
        self._held.clear()
        self._held_size = 0
        pending, self._pending = self._pending, {}
        for future in pending.values():
            if not future.done():
                mine = ConnectionResetError(*exc.args)
                mine.__cause__ = exc.__cause__
                future.set_exception(mine)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        waiters, self._drain_waiters = self._drain_waiters, collections.deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._on_lost is not None:
            on_lost, self._on_lost = self._on_lost, None
            on_lost(exc)
        self._on_request = None


# handler(number, encoded content): answers through Channel._reply or Channel._fail
RequestHandler = Callable[[int, Any], None]
# Bytes that the envelope of a content takes at most: brackets, message type, number.
_ENVELOPE_ROOM = 32


class _Broken(Exception):
    """The peer sent what it may not send."""


def _same(value: Any) -> Any:
    return value


def _time_out(future: Future, timeout_s: float) -> None:
    if not future.done():
        future.set_exception(asyncio.TimeoutError(f"no reply within {timeout_s} s"))


class _Envelope:
    """Makes and reads the payloads of a codec that the library does not know."""

    def __init__(self, codec: codecs.Codec, handle: int, limits: Limits) -> None:
        self._codec = codec
        self._handle = handle
        self._limits = limits
        self.next_number = 0
        self._next_token = 0
        self._ids: Dict[int, Any] = {}

    def _frame(self, payload: bytes) -> bytes:
        if len(payload) > self._limits.max_frame_size:
            raise ValueError(f"Serialized message is too long ({len(payload)}).  Maximum length is {self._limits.max_frame_size}.")
        return _core.hosted_frame(self._handle, payload)

    def request(self, content: Any) -> Tuple[int, bytes]:
        """Gives number and frame of a request."""
        number = self.next_number
        self.next_number += 1
        return number, self._frame(self._codec.encode([REQUEST, number, content]))

    def reply(self, token: int, kind: int, content: Any) -> bytes:
        """Gives the frame of a reply. When the content cannot be sent, the frame says why, as an exception."""
        if token not in self._ids:
            raise RuntimeError("This request was answered before.")
        number = self._ids[token]
        frame = self._frame(self._codec.encode([kind, number, content]))
        del self._ids[token]
        return frame

    def drop(self, token: int) -> None:
        """Closes a request of the peer without a reply."""
        self._ids.pop(token, None)

    def open(self, payload: bytes) -> Tuple[int, int, Any]:
        """Gives kind, number and content of a payload. Raises :class:`_Broken`."""
        try:
            kind, number, content = self._codec.decode(payload)
        except Exception as error:
            raise _Broken(f"a payload of the peer cannot be decoded: {type(error).__name__}: {error}") from error
        if kind not in (REQUEST, RESULT, EXCEPTION):
            raise _Broken(f"Invalid message type {kind}")
        if kind != REQUEST:
            return int(kind), number if isinstance(number, int) else -1, content
        token = self._next_token
        self._next_token += 1
        self._ids[token] = number
        return kind, token, content


ChannelCallback = Callable[[Channel], Any]


class ChannelProtocol(asyncio.BufferedProtocol):
    """What asyncio talks to: makes the :class:`Channel` of a connection and passes everything on to it."""

    channel: Channel

    def __init__(
        self,
        codec: codecs.Codec,
        client_connected_cb: Optional[ChannelCallback] = None,
        *,
        loop: Loop,
        options: Options = DEFAULT_OPTIONS,
        server: "Optional[_Connections]" = None,
    ) -> None:
        self.options = options
        self._codec = codec
        self._connected = client_connected_cb
        self._loop = loop
        self._server = server
        self._refused = False
        self._buffer = _buffer_of(loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Makes the channel and tells the callback about it."""
        assert isinstance(transport, asyncio.Transport)
        self.channel = Channel(self, self._codec, transport, self._loop)
        why = self._refusal(transport)
        if why:
            log.warning("connection of %s refused: %s", transport.get_extra_info("peername"), why)
            self._refused = True
            self.channel._finish(ConnectionResetError(why))
            transport.abort()
            return
        if self._server is not None:
            self._server.count += 1
        if self._connected is None:
            return
        try:
            result = self._connected(self.channel)
        except Exception as error:
            context = {"message": "Exception in client_connected_cb", "exception": error, "transport": transport, "protocol": self}
            self._loop.call_exception_handler(context)
            return
        if asyncio.iscoroutine(result):
            task = self._loop.create_task(result)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def _refusal(self, transport: asyncio.Transport) -> Optional[str]:
        """Says why a connection may not be used, None when it may."""
        limits = self.options.limits
        if self._server is not None and self._server.count >= limits.max_connections:
            return f"there are {self._server.count} connections, limit max_connections"
        authenticate = self.options.authenticate
        if authenticate is not None:
            try:
                if not authenticate(transport.get_extra_info("peercert") or {}):
                    return "its certificate was not accepted"
            except Exception as error:
                return f"its certificate could not be looked at: {type(error).__name__}: {error}"
        return None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Gives where received bytes go: one place for all connections of a loop, as each is looked at before the next."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Passes received bytes on."""
        self.channel._received(self._buffer[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        """Passes received bytes on."""
        self.channel._received(data)

    def eof_received(self) -> None:
        """Lets the transport close: the peer waits for nothing."""

    def pause_writing(self) -> None:
        """Lets replies wait, because the peer does not read."""
        self.channel._pause_writing()

    def resume_writing(self) -> None:
        """Sends what waited."""
        self.channel._resume_writing()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Ends the channel."""
        if self._server is not None and not self._refused:
            self._server.count -= 1
        self.channel._connection_lost(exc)


# Where the connections of a loop receive. Large pieces made anew for each read cost more than all else in a small call.
_buffers: "weakref.WeakKeyDictionary[Loop, memoryview]" = weakref.WeakKeyDictionary()


def _buffer_of(loop: Loop) -> memoryview:
    """Gives the buffer of a loop."""
    found = _buffers.get(loop)
    if found is None:
        found = _buffers[loop] = memoryview(bytearray(_READ_SIZE))
    return found


# Tasks that the package has started: a loop itself keeps no task alive.
tasks: "Set[asyncio.Task[Any]]" = set()


class _Connections:
    """How many connections a server has."""

    count = 0


def make_codec(codec: Optional[Type[codecs.Codec]], extra_serializers: Sequence[Callable[[], codecs.Serializer]]) -> codecs.Codec:
    """Makes the codec of one connection."""
    made = (codec or DEFAULT_CODEC)()
    for serializer in extra_serializers:
        made.add_serializer(*serializer())
    return made


async def open_connection(
    addr: Address,
    *,
    loop: Optional[Loop] = None,
    codec: Optional[Type[codecs.Codec]] = None,
    extra_serializers: Sequence[Callable[[], codecs.Serializer]] = (),
    timeout: Optional[float] = 0,
    limits: Limits = DEFAULT_LIMITS,
    failure_array: bool = False,
    authenticate: Optional[Callable[[Dict[str, Any]], bool]] = None,
    **kwds: Any,
) -> Channel:
    """Connects to a server and gives the channel.

    ``addr`` is a tuple of host and port, the path of a Unix socket, or a :class:`.LocalQueue`. ``timeout``: seconds in which
    a refused connection is tried again, 0 for one attempt, None for ever. ``limits``: see :class:`.Limits`.
    ``failure_array``: exceptions are sent to the peer as mosaik does, as a list. ``authenticate``: is called with the
    certificate of the peer and says whether it is accepted. Further keyword arguments go to the loop's
    ``create_connection`` or ``create_unix_connection``.
    """
    loop = loop or asyncio.get_running_loop()
    options = Options(limits, failure_array, authenticate)
    made = make_codec(codec, extra_serializers)
    own_loop = loop

    def factory() -> ChannelProtocol:
        return ChannelProtocol(made, loop=own_loop, options=options)

    retried: Tuple[Type[OSError], ...]
    connect: Callable[[], Awaitable[Tuple[Any, Any]]]
    if isinstance(addr, tuple):
        retried = (OSError,)
        connect = functools.partial(loop.create_connection, factory, *addr, **kwds)
    elif isinstance(addr, str):
        retried = (FileNotFoundError,)
        connect = functools.partial(loop.create_unix_connection, factory, addr, **kwds)
    elif isinstance(addr, local_queue.LocalQueue):
        retried = (ConnectionRefusedError,)
        connect = functools.partial(local_queue.create_connection, factory, addr, loop=loop, **kwds)
    else:
        raise ValueError(f"Unknown address type: {addr}")
    _, protocol = await _connect(loop, connect, retried, timeout)
    channel: Channel = protocol.channel
    if channel._lost is not None:
        raise ConnectionResetError(*channel._lost.args)
    return channel


async def _connect(
    loop: Loop, connect: Callable[[], Awaitable[Tuple[Any, Any]]], retried: Tuple[Type[OSError], ...], timeout: Optional[float]
) -> Tuple[Any, Any]:
    """Tries to connect until it works or the time is over."""
    start = loop.time()
    pause, growth, longest = _RETRY_S
    while True:
        try:
            return await connect()
        except retried:
            if timeout is not None and loop.time() - start >= timeout:
                raise
        await asyncio.sleep(pause)
        pause = min(pause * growth, longest)


async def start_server(
    addr: Address,
    client_connected_cb: ChannelCallback,
    *,
    loop: Optional[Loop] = None,
    codec: Optional[Type[codecs.Codec]] = None,
    extra_serializers: Sequence[Callable[[], codecs.Serializer]] = (),
    limits: Limits = DEFAULT_LIMITS,
    failure_array: bool = False,
    authenticate: Optional[Callable[[Dict[str, Any]], bool]] = None,
    **kwds: Any,
) -> Any:
    """Listens on an address and gives asyncio's server.

    ``client_connected_cb`` is called with the channel of each connection; a coroutine function is run as a task. The other
    arguments are those of :func:`open_connection`; further ones go to the loop's ``create_server`` or
    ``create_unix_server``. Closing the server stops listening; open connections go on. ``wait_closed()`` does not wait for
    them, on any version of Python.
    """
    loop = loop or asyncio.get_running_loop()
    options = Options(limits, failure_array, authenticate)
    connections = _Connections()
    own_loop = loop

    def factory() -> ChannelProtocol:
        made = make_codec(codec, extra_serializers)
        return ChannelProtocol(made, client_connected_cb, loop=own_loop, options=options, server=connections)

    server: Any
    if isinstance(addr, tuple):
        server = await loop.create_server(factory, *addr, **kwds)
    elif isinstance(addr, str):
        server = await loop.create_unix_server(factory, addr, **kwds)
    elif isinstance(addr, local_queue.LocalQueue):
        return await local_queue.create_server(factory, addr, **kwds)
    else:
        raise ValueError(f"Unknown address type: {addr}")
    try:
        server.wait_closed = types.MethodType(_wait_closed, server)
    except AttributeError:  # the server of another kind of loop
        log.debug("wait_closed() of %r is the loop's own", server)
    return server


async def _wait_closed(server: Any) -> None:
    """Lets the loop turn, so that connections whose end has been received are told; open ones are not waited for."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
