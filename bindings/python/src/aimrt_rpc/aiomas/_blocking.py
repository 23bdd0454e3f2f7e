"""A client for threads that have no event loop."""

import socket
import ssl as tls
import threading
import time
from typing import Any, Callable, Optional, Sequence, Type

from .. import _abi, _core
from ..errors import LibraryError
from . import codecs
from ._options import DEFAULT_LIMITS, Limits
from .channel import DEFAULT_CODEC, Address, make_codec
from .exceptions import AuthenticationError, LimitError, RemoteException, SerializationError
from .rpc import AUTH_PATH, Proxy

# Bytes read from the socket at once.
_READ_SIZE = 256 << 10


class BlockingClient:
    """A connection whose calls wait for their result: ``client.remote.math.add(3, 4)`` gives 7.

    Any thread may call; calls of several threads are made one after another. ``addr`` is a tuple of host and port, or the path
    of a Unix socket. ``timeout_s``: how long connecting and each call may take, None for ever; then it raises TimeoutError,
    and a late reply is ignored. ``ssl``: a context; ``server_hostname`` is the name its certificate must have, the host
    unless given. The peer cannot call this client: it has no service.
    """

    def __init__(
        self,
        addr: Address,
        *,
        codec: Optional[Type[codecs.Codec]] = None,
        extra_serializers: Sequence[Callable[[], codecs.Serializer]] = (),
        timeout_s: Optional[float] = 30.0,
        limits: Limits = DEFAULT_LIMITS,
        ssl: Optional[tls.SSLContext] = None,
        server_hostname: Optional[str] = None,
        auth_token: Optional[str] = None,
    ) -> None:
        made = make_codec(codec or DEFAULT_CODEC, extra_serializers)
        self._channel = _BlockingChannel(made, timeout_s, limits)
        self._channel._connect(addr, ssl, server_hostname)
        if auth_token is not None:
            try:
                self._channel.send((AUTH_PATH, (auth_token,), {}))
            except (RemoteException, ConnectionResetError) as error:
                self.close()
                raise AuthenticationError(f"the server {addr} did not accept the token") from error

    def __enter__(self) -> "BlockingClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def remote(self) -> Proxy:
        """A new proxy to the root service of the peer; calling one of its functions gives the result itself."""
        return Proxy(self._channel, "")  # type: ignore[arg-type]

    def close(self) -> None:
        """Closes the connection. A call of another thread raises ConnectionResetError; a second time does nothing."""
        self._channel._close()


class _BlockingChannel:
    """What the proxies of a blocking client send to."""

    _handle = 0

    def __init__(self, codec: codecs.Codec, timeout_s: Optional[float], limits: Limits) -> None:
        number = codecs.library_number(codec)
        if number == _abi.AIMRT_RPC_CONNECTION_CODEC_OPAQUE:
            raise ValueError(f"codec is {type(codec).__name__}, a blocking client knows JSON, MsgPack and MsgPackBlosc")
        self.codec = codec
        codec.add_serializer(object, self._serialize, self._deserialize)
        texts = codecs.has_texts(codec)
        self._hosted_feed: Callable[..., Any] = _core.hosted_feed_text if texts else _core.hosted_feed
        self._hosted_request: Callable[..., Any] = _core.hosted_request_text if texts else _core.hosted_request
        self._hosted_reply: Callable[..., bytes] = _core.hosted_reply_text if texts else _core.hosted_reply
        self._dumps = codecs.encode_content(codec)
        self._loads = codecs.decode_content(codec)
        self._timeout_s = timeout_s
        self._limits = limits
        self._lock = threading.Lock()
        self._socket: Optional[socket.socket] = None
        self._peername: Any = None
        self._handle = _core.hosted_create(number, limits.max_frame_size, limits.max_depth, limits.max_pending, limits.max_open)

    def __del__(self) -> None:
        if self._handle:
            _core.hosted_release(self._handle)

    def _connect(self, addr: Address, context: Optional[tls.SSLContext], server_hostname: Optional[str]) -> None:
        if isinstance(addr, tuple):
            made = socket.create_connection(addr, timeout=self._timeout_s)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server_hostname = server_hostname or addr[0]
        elif isinstance(addr, str):
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(self._timeout_s)
            try:
                made.connect(addr)
            except BaseException:
                made.close()
                raise
        else:
            raise ValueError(f"Unknown address type: {addr}")
        if context is not None:
            made = context.wrap_socket(made, server_hostname=server_hostname)
        self._socket = made
        self._peername = made.getpeername()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Gives the address of the peer; nothing else is known."""
        return self._peername if name == "peername" else default

    def send(self, content: Any) -> Any:
        """Sends a request and waits for its result."""
        return self.send_timed(content, self._timeout_s)

    def send_timed(self, content: Any, timeout_s: Optional[float]) -> Any:
        """Sends a request and waits that many seconds for its result."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        data = self._dumps(content)
        if not self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise TimeoutError(f"calls of other threads took more than {timeout_s} s")
        try:
            return self._call(data, deadline, timeout_s)
        finally:
            self._lock.release()

    def _call(self, data: Any, deadline: Optional[float], timeout_s: Optional[float]) -> Any:
        if self._socket is None:
            raise ConnectionResetError("Connection closed")
        try:
            number, frame = self._hosted_request(self._handle, data)
        except LibraryError as error:
            limit = error.result == _abi.AIMRT_RPC_RESULT_LIMIT
            raise (LimitError if limit else SerializationError)(str(error)) from error
        try:
            self._wait(deadline)
            self._send(frame)
            while True:
                reply = self._receive(number, deadline)
                if reply is not None:
                    break
        except socket.timeout:
            _core.hosted_forget(self._handle, number)
            raise TimeoutError(f"no reply within {timeout_s} s") from None
        kind, content = reply
        value = self._loads(content)
        if kind == _abi.AIMRT_RPC_CONNECTION_EVENT_EXCEPTION:
            raise RemoteException(self._peername, value)
        return value

    def _wait(self, deadline: Optional[float]) -> None:
        """Gives the next operation of the socket the time that is left."""
        if self._socket is not None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise socket.timeout
            self._socket.settimeout(left)

    def _send(self, data: bytes) -> None:
        """Writes all; when that fails, part of it may have been sent, so nothing can follow."""
        assert self._socket is not None
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error) from error

    def _receive(self, number: int, deadline: Optional[float]) -> Any:
        """Reads once; gives the reply to a request when it has come. Requests of the peer are refused."""
        self._wait(deadline)
        if self._socket is None:
            raise ConnectionResetError("Connection closed")
        try:
            data = self._socket.recv(_READ_SIZE)
        except socket.timeout:
            raise
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost(None)
        events, output, error_text = self._hosted_feed(self._handle, data)
        found: Optional[Any] = None
        for kind, got, content in events:
            if kind == _abi.AIMRT_RPC_CONNECTION_EVENT_REQUEST:
                text = "LookupError: No RPC service running for this side of the connection.\n"
                exception = _abi.AIMRT_RPC_CONNECTION_EVENT_EXCEPTION
                output += self._hosted_reply(self._handle, got, exception, self._dumps(text))
            elif got == number:
                found = (kind, content)
        if output:
            self._send(output)
        if error_text is not None:
            raise self._lost(ConnectionResetError(error_text))
        return found

    def _lost(self, error: Optional[OSError]) -> ConnectionResetError:
        """Closes the connection and gives what its calls raise."""
        self._shut()
        if isinstance(error, ConnectionResetError):
            return error
        return ConnectionResetError() if error is None else ConnectionResetError(str(error))

    def _close(self) -> None:
        made = self._socket
        if made is not None:
            try:
                made.shutdown(socket.SHUT_RDWR)  # ends what another thread waits for
            except OSError:
                pass
        with self._lock:
            self._shut()

    def _shut(self) -> None:
        made, self._socket = self._socket, None
        if made is not None:
            made.close()

    def _serialize(self, obj: Any) -> Any:
        if hasattr(obj, "router") and not isinstance(obj, Proxy):
            raise SerializationError("No RPC service running for this side of the connection.  Cannot send serice proxy.")
        raise SerializationError(f'No serializer found for type "{type(obj)}"')

    def _deserialize(self, path: str) -> Proxy:
        return Proxy(self, path)  # type: ignore[arg-type]
