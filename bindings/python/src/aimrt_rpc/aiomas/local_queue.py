"""Connections inside one process and one event loop, without a socket: the same frames through memory, in a fixed order."""

import asyncio
import collections
from typing import Any, Callable, Deque, Dict, Optional, Set, Tuple

__all__ = [  # noqa: RUF022 - the original's order
    "get_queue",
    "clear_queue_cache",
    "create_connection",
    "create_server",
    "LocalQueue",
    "LocalQueueServer",
    "LocalQueueTransport",
]

StreamProtocol = Any  # has what asyncio.Protocol has
ProtocolFactory = Callable[[], StreamProtocol]

# Bytes on their way to the other end above which its writer is told to pause, and at which it may go on.
_HIGH_WATER = 64 << 10
_LOW_WATER = 16 << 10

_queues: "Dict[str, LocalQueue]" = {}


def get_queue(queue_id: str) -> "LocalQueue":
    """Gives the queue of that name, always the same. Raises ValueError when it is no text or has a slash."""
    if not isinstance(queue_id, str):
        raise ValueError(f'Queue ID must be "str" not "{type(queue_id)}"')
    if "/" in queue_id:
        raise ValueError(f'"/" not allowed in queue ID ({queue_id!r})')
    return _queues.setdefault(queue_id, LocalQueue(queue_id))


def clear_queue_cache() -> None:
    """Forgets all queues; those in use go on."""
    _queues.clear()


class LocalQueue:
    """The address of a server in this process."""

    def __init__(self, queue_id: str) -> None:
        self._queue_id = queue_id
        self._server: Optional[LocalQueueServer] = None

    def __str__(self) -> str:
        return f"LocalQueue({self._queue_id!r})"

    __repr__ = __str__

    @property
    def queue_id(self) -> str:
        """The name."""
        return self._queue_id

    @property
    def server(self) -> "Optional[LocalQueueServer]":
        """The server that listens, None when there is none."""
        return self._server

    def set_server(self, server: "LocalQueueServer") -> None:
        """Attaches a server. Raises RuntimeError when there is one."""
        if self._server is not None:
            raise RuntimeError("Server is already set.")
        self._server = server

    def unset_server(self) -> None:
        """Detaches the server."""
        self._server = None

    def new_connection(self, protocol: StreamProtocol, loop: asyncio.AbstractEventLoop) -> "LocalQueueTransport":
        """Connects a protocol with the server. Raises ConnectionRefusedError when there is none."""
        if self._server is None:
            raise ConnectionRefusedError("No server started for this local queue instance.")
        return self._server.new_connection(protocol, loop)


class LocalQueueTransport(asyncio.Transport):
    """One end of a connection through memory."""

    def __init__(self, lq: LocalQueue, protocol: StreamProtocol, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__({"peername": str(lq), "sockname": str(lq)})
        self._protocol = protocol
        self._loop = loop
        self._peer: Optional[LocalQueueTransport] = None
        self._arriving: Deque[bytes] = collections.deque()
        self._size = 0  # bytes in _arriving
        self._scheduled = False
        self._reading = True
        self._full = False  # the peer's protocol was told to pause
        self._closing = False
        self._ended = False  # the peer sends nothing more
        self._lost = loop.create_future()

    def _join(self, peer: "LocalQueueTransport") -> None:
        self._peer, peer._peer = peer, self

    def write(self, data: Any) -> None:
        """Sends bytes; they arrive in a later turn of the loop."""
        peer = self._peer
        if not data or self._closing or peer is None or peer._closing:
            return
        peer._arriving.append(bytes(data))
        peer._size += len(data)
        if peer._size > _HIGH_WATER and not peer._full:
            peer._full = True
            self._protocol.pause_writing()
        peer._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._reading:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        """Hands what has arrived to the protocol, then the end."""
        self._scheduled = False
        if self._closing or not self._reading:
            return
        if self._arriving:
            data = b"".join(self._arriving)
            self._arriving.clear()
            self._size = 0
            self._relieve()
            self._protocol.data_received(data)
        if self._ended and not self._arriving and not self._closing:
            if not self._protocol.eof_received():
                self.close()

    def _relieve(self) -> None:
        """Lets the peer write again."""
        peer = self._peer
        if self._full and self._size <= _LOW_WATER:
            self._full = False
            if peer is not None and not peer._closing:
                self._loop.call_soon(peer._protocol.resume_writing)

    def pause_reading(self) -> None:
        """Lets what arrives wait."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hands on what waited."""
        self._reading = True
        if self._arriving or self._ended:
            self._schedule()

    def is_reading(self) -> bool:
        """Says whether received bytes are handed on."""
        return self._reading

    def is_closing(self) -> bool:
        """Says whether the transport closes or is closed."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """Gives the bytes the peer has not taken."""
        return 0 if self._peer is None else self._peer._size

    def can_write_eof(self) -> bool:
        """Says that one direction alone cannot be ended."""
        return False

    def set_protocol(self, protocol: StreamProtocol) -> None:
        """Replaces the protocol."""
        self._protocol = protocol

    def get_protocol(self) -> StreamProtocol:
        """Gives the protocol."""
        return self._protocol

    def close(self) -> None:
        """Ends the connection; what was written arrives."""
        if self._closing:
            return
        self._closing = True
        self._arriving.clear()
        self._size = 0
        if self._peer is not None:
            self._peer._ended = True
            self._peer._schedule()
        self._loop.call_soon(self._end)

    def abort(self) -> None:
        """Ends the connection at once; what was written is lost."""
        if self._peer is not None and not self._closing:
            self._peer._arriving.clear()
            self._peer._size = 0
        self.close()

    def _end(self) -> None:
        self._protocol.connection_lost(None)
        if not self._lost.done():
            self._lost.set_result(None)


class LocalQueueServer(asyncio.AbstractServer):
    """Listens on a queue."""

    def __init__(self, protocol_factory: ProtocolFactory, lq: LocalQueue) -> None:
        self._factory = protocol_factory
        self._lq = lq
        self._transports: Set[LocalQueueTransport] = set()
        lq.set_server(self)

    @property
    def lq(self) -> LocalQueue:
        """The queue."""
        return self._lq

    @property
    def sockets(self) -> Tuple[Any, ...]:
        """No sockets."""
        return ()

    def is_serving(self) -> bool:
        """Says whether the server listens."""
        return self._lq.server is self

    async def start_serving(self) -> None:
        """Does nothing: the server listens from the beginning."""

    async def serve_forever(self) -> None:
        """Waits until it is cancelled, then closes the server."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.close()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Gives the running loop, which is where the server works."""
        return asyncio.get_running_loop()

    def new_connection(self, protocol: StreamProtocol, loop: asyncio.AbstractEventLoop) -> LocalQueueTransport:
        """Makes both ends of a connection and gives the client's."""
        served = self._factory()
        mine = LocalQueueTransport(self._lq, served, loop)
        theirs = LocalQueueTransport(self._lq, protocol, loop)
        mine._join(theirs)
        self._transports.add(mine)
        mine._lost.add_done_callback(lambda _: self._transports.discard(mine))
        served.connection_made(mine)
        protocol.connection_made(theirs)
        return theirs

    def close(self) -> None:
        """Stops listening; open connections go on."""
        if self._lq.server is self:
            self._lq.unset_server()

    async def wait_closed(self) -> None:
        """Waits until the connections that are ending have ended."""
        ending = [each._lost for each in self._transports if each._closing or each._ended]
        if ending:
            await asyncio.wait(ending)


async def create_connection(
    protocol_factory: ProtocolFactory, lq: LocalQueue, *, loop: Optional[asyncio.AbstractEventLoop] = None, **kwds: Any
) -> Tuple[LocalQueueTransport, StreamProtocol]:
    """Connects with the server of a queue, as a loop's method of the same name. Further arguments mean nothing here."""
    protocol = protocol_factory()
    return lq.new_connection(protocol, loop or asyncio.get_running_loop()), protocol


async def create_server(protocol_factory: ProtocolFactory, lq: LocalQueue, **kwds: Any) -> LocalQueueServer:
    """Listens on a queue, as a loop's method of the same name. Further arguments mean nothing here."""
    return LocalQueueServer(protocol_factory, lq)
