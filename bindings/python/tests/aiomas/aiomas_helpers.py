"""What the aiomas tests share: one way to run a coroutine, addresses, a raw peer."""

import asyncio
import gc
import itertools
import json
import struct

from aimrt_rpc import _abi, aiomas
from aimrt_rpc._lib import lib

_numbers = itertools.count()


def run(coroutine, expect_faults=0):
    """Runs a coroutine in a loop of its own; no exception may be left to the loop, no connection in the library."""
    faults = []

    async def bounded():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        return await asyncio.wait_for(coroutine, 30)

    gc.collect()
    before = lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_CONNECTION)
    result = asyncio.run(bounded())
    gc.collect()
    assert lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_CONNECTION) == before
    assert expect_faults is None or len(faults) == expect_faults, faults
    return result


def address(kind, tmp_path):
    """Gives an address to listen on: tcp, unix, local."""
    if kind == "tcp":
        return ("127.0.0.1", 0)
    return str(tmp_path / "socket") if kind == "unix" else aiomas.get_queue(f"test-{next(_numbers)}")


def address_of(server, addr):
    """Gives the address to connect to."""
    return server.sockets[0].getsockname()[:2] if isinstance(addr, tuple) else addr


class Served:
    """A server and a client of it, as context: ``async with Served(service) as client``."""

    def __init__(self, service, addr=("127.0.0.1", 0), callback=None, rpc_service=None, server=None, client=None, **both):
        self.service, self.addr, self.callback, self.rpc_service = service, addr, callback, rpc_service
        self.server_options, self.client_options = dict(both, **(server or {})), dict(both, **(client or {}))
        self.peers = []

    def _connected(self, peer):
        self.peers.append(peer)
        if self.callback is not None:
            self.callback(peer)

    async def __aenter__(self):
        self.server = await aiomas.rpc.start_server(self.addr, self.service, self._connected, **self.server_options)
        self.reached = address_of(self.server, self.addr)
        self.client = await aiomas.rpc.open_connection(self.reached, rpc_service=self.rpc_service, **self.client_options)
        return self.client

    async def __aexit__(self, *_):
        await self.client.close()
        self.server.close()
        await self.server.wait_closed()
        for peer in self.peers:
            await peer.close()


def frame(payload):
    """Puts the header in front of a payload; values are dumped as JSON."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return struct.pack("!L", len(data)) + data


class Raw:
    """A peer that writes what it likes."""

    @classmethod
    async def connect(cls, addr):
        raw = cls()
        raw.reader, raw.writer = await asyncio.open_connection(*addr)
        return raw

    def send(self, *payloads):
        self.writer.write(b"".join(frame(each) for each in payloads))

    async def payload(self):
        size = struct.unpack("!L", await self.reader.readexactly(4))[0]
        return await self.reader.readexactly(size)

    async def receive(self):
        return json.loads(await self.payload())

    async def at_end(self):
        return await self.reader.read() == b""

    async def close(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass


class RawServer:
    """A server that writes what it likes: ``script(raw)`` is run for its one client."""

    def __init__(self, script):
        self.script = script

    async def __aenter__(self):
        async def serve(reader, writer):
            raw = Raw()
            raw.reader, raw.writer = reader, writer
            try:
                await self.script(raw)
            finally:
                self.done.set_result(None)

        self.done = asyncio.get_running_loop().create_future()
        self.server = await asyncio.start_server(serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()

    async def __aexit__(self, *_):
        await self.done
        self.server.close()


async def turns(condition, limit=100_000):
    """Lets the loop turn until a condition is true."""
    for _ in range(limit):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{condition} did not come true in {limit} turns")
