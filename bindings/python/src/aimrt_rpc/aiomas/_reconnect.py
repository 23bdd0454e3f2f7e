"""A client that connects again when its connection is lost."""

import asyncio
import collections
import random
from typing import Any, Callable, Deque, Optional, Tuple

from . import codecs
from .channel import Address, Future, log
from .exceptions import AuthenticationError, LimitError
from .rpc import Proxy, RpcClient, open_connection

# Seconds between two attempts: the first, the growth, the longest. Each is shortened by up to half, so that clients of a
# server that comes back do not all come at once.
_FIRST_PAUSE_S = 0.1
_GROWTH = 2.0
_LONGEST_PAUSE_S = 10.0


async def open_reconnecting(
    addr: Address,
    *,
    connected_cb: Optional[Callable[[RpcClient], Any]] = None,
    max_waiting: int = 1000,
    max_wait_s: float = 30.0,
    **kwds: Any,
) -> "ReconnectingClient":
    """Connects to a server and gives a client that does so again whenever the connection is lost.

    A call that was sent is never repeated: when the connection goes, it raises ConnectionResetError. Calls made meanwhile wait
    for the next connection, up to ``max_waiting`` of them (then :class:`.LimitError`) and ``max_wait_s`` seconds (then
    ConnectionResetError). ``connected_cb`` is called with the :class:`.RpcClient` of each connection. The other arguments are
    those of :func:`.rpc.open_connection`. The first connection has to work.
    """
    client = ReconnectingClient(addr, connected_cb, max_waiting, max_wait_s, kwds)
    await client._open()
    return client


class ReconnectingClient:
    """A client whose proxies survive the loss of a connection; made by :func:`open_reconnecting`.

    Proxies that the server has sent belong to one connection and end with it.
    """

    def __init__(
        self,
        addr: Address,
        connected_cb: Optional[Callable[[RpcClient], Any]],
        max_waiting: int,
        max_wait_s: float,
        kwds: Any,
    ) -> None:
        self._channel = _ReconnectingChannel(asyncio.get_running_loop(), max_waiting, max_wait_s)
        self._addr = addr
        self._connected_cb = connected_cb
        self._kwds = kwds
        self._client: Optional[RpcClient] = None
        self._task: Optional[asyncio.Task[None]] = None
        self._closed = False

    async def __aenter__(self) -> "ReconnectingClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def remote(self) -> Proxy:
        """A new proxy to the root service of the server, whichever connection there is."""
        return Proxy(self._channel, "")  # type: ignore[arg-type]

    @property
    def client(self) -> Optional[RpcClient]:
        """The client of the present connection, None while there is none."""
        client = self._client
        return None if client is None or client.channel._lost is not None else client

    async def close(self) -> None:
        """Closes the connection and makes no other one. Calls that wait raise ConnectionResetError."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._channel._end(ConnectionResetError("Connection closed"))
        if self._client is not None:
            await self._client.close()

    async def _open(self) -> None:
        client = await open_connection(self._addr, **self._kwds)
        self._client = client
        client.channel._ended.add_done_callback(self._lost)
        if self._connected_cb is not None:
            self._connected_cb(client)
        self._channel._connected(client)

    def _lost(self, _: Future) -> None:
        self._client = None
        self._channel._client = None
        if not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        """Tries until there is a connection, or until the server says that this client is not wanted."""
        pause = _FIRST_PAUSE_S
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            try:
                await self._open()
                return
            except (OSError, asyncio.TimeoutError) as error:
                log.info("no connection with %s yet: %s", self._addr, error)
            except AuthenticationError as error:
                self._channel._end(ConnectionResetError(str(error)))
                return
            pause = min(pause * _GROWTH, _LONGEST_PAUSE_S)


class _ReconnectingChannel:
    """What the proxies of a reconnecting client send to: the present channel, or a queue while there is none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_waiting: int, max_wait_s: float) -> None:
        self._loop = loop
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._client: Optional[RpcClient] = None
        self._waiting: Deque[Tuple[Any, Optional[float], Future]] = collections.deque()
        self._ended: Optional[ConnectionResetError] = None
        self._peername: Any = "not connected"

    @property
    def codec(self) -> Optional[codecs.Codec]:
        """The codec of the present connection."""
        return None if self._client is None else self._client.channel.codec

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Gives what the present transport knows, and the last ``"peername"``."""
        if name == "peername":
            return self._peername
        return default if self._client is None else self._client.channel.get_extra_info(name, default)

    def send(self, content: Any, timeout_s: Optional[float] = None) -> Future:
        """Sends a request now or when there is a connection."""
        if self._ended is not None:
            raise ConnectionResetError(*self._ended.args)
        channel = None if self._client is None else self._client.channel
        if channel is not None and channel._lost is None:
            return channel.send(content) if timeout_s is None else channel.send_timed(content, timeout_s)
        while self._waiting and self._waiting[0][2].done():
            self._waiting.popleft()
        if len(self._waiting) >= self._max_waiting:
            raise LimitError(f"{len(self._waiting)} calls wait for a connection, limit max_waiting")
        future = self._loop.create_future()
        wait_s = self._max_wait_s if timeout_s is None else min(timeout_s, self._max_wait_s)
        timer = self._loop.call_later(wait_s, self._give_up, future, wait_s)
        future.add_done_callback(lambda _: timer.cancel())
        self._waiting.append((content, timeout_s, future))
        return future

    send_timed = send

    def _give_up(self, future: Future, wait_s: float) -> None:
        if not future.done():
            future.set_exception(ConnectionResetError(f"no connection within {wait_s} s"))

    def _connected(self, client: RpcClient) -> None:
        """Sends what waited."""
        self._client = client
        self._peername = client.channel.get_extra_info("peername")
        waiting, self._waiting = self._waiting, collections.deque()
        for content, timeout_s, future in waiting:
            if future.done():
                continue
            try:
                sent = self.send(content, timeout_s)
            except Exception as error:
                future.set_exception(error)
                continue
            _join(sent, future)

    def _end(self, why: ConnectionResetError) -> None:
        """Refuses everything from now on."""
        self._ended = self._ended or why
        waiting, self._waiting = self._waiting, collections.deque()
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(ConnectionResetError(*why.args))


def _join(source: Future, target: Future) -> None:
    """Lets one future end as another does, and be cancelled with it."""

    def ended(_: Future) -> None:
        if target.done():
            return
        if source.cancelled():
            target.cancel()
        elif source.exception() is not None:
            error = source.exception()
            assert error is not None
            target.set_exception(error)
        else:
            target.set_result(source.result())

    def given_up(_: Future) -> None:
        if target.cancelled() or not source.done():
            source.cancel()

    source.add_done_callback(ended)
    target.add_done_callback(given_up)
