"""aimrt_rpc.aiomas: limits, and peers that do not read."""

import asyncio
import functools

import pytest
from aiomas_helpers import Raw, Served, address_of, run, turns

from aimrt_rpc import aiomas
from aimrt_rpc.aiomas import channel

MIB = 1 << 20


class Big:
    router = aiomas.rpc.Service()

    def __init__(self):
        self.runs = 0

    @functools.cached_property
    def gate(self):
        return asyncio.Event()

    @aiomas.expose
    def big(self, size):
        self.runs += 1
        return "x" * size

    @aiomas.expose
    async def big_later(self, size):
        self.runs += 1
        await asyncio.sleep(0)
        return "x" * size

    @aiomas.expose
    def take(self, text):
        self.runs += 1
        return len(text)

    @aiomas.expose
    async def wait(self):
        self.runs += 1
        await self.gate.wait()


def held_by(peer):
    """Counts what an end holds in memory for a peer that does not read."""
    transport = peer.channel.transport
    return peer.channel._held_size + transport.get_write_buffer_size()


async def settled(peer, service):
    """Waits until an end does nothing more."""
    last, same = None, 0
    while same < 2000:
        now = (service.runs, held_by(peer))
        last, same = now, same + 1 if now == last else 0
        await asyncio.sleep(0)


async def raw_client(service, **options):
    """Gives (server, its end, a raw client that is connected)."""
    peers = []
    server = await aiomas.rpc.start_server(("127.0.0.1", 0), service, peers.append, **options)
    raw = await Raw.connect(address_of(server, ("", 0)))
    await turns(lambda: peers)
    return server, peers[0], raw


@pytest.mark.parametrize("method", ["big", "big_later"])
def test_reader_that_is_slow_grows_no_memory(method):
    """Asks for 512 MiB and reads nothing: requests wait in the sockets, then in the client."""

    async def main():
        service = Big()
        server, peer, raw = await raw_client(service)
        for i in range(2000):
            raw.send([0, i, [method, [256 << 10], {}]])
        await turns(lambda: service.runs > 0)
        await settled(peer, service)
        assert held_by(peer) < 8 * MIB, held_by(peer)
        if method == "big":
            assert service.runs < 100
        for i in range(2000):  # now it reads: everything arrives, in order of arrival for plain functions
            kind, number, text = await raw.receive()
            assert (kind, len(text)) == (1, 256 << 10)
            assert method == "big_later" or number == i
        await raw.close()
        server.close()
        await peer.close()

    run(main())


def test_reading_is_paused_while_the_peer_does_not_read():
    async def main():
        service = Big()
        server, peer, raw = await raw_client(service)
        for i in range(100_000):
            raw.send([0, i, ["big", [10_000], {}]])
        await turns(lambda: peer.channel._reading_paused, 10_000_000)
        assert not peer.channel.transport.is_reading()
        await settled(peer, service)
        assert service.runs < 2000
        raw.writer.transport.abort()
        server.close()
        await peer.close()

    run(main())


def test_both_ends_send_much_without_a_standstill():
    """Each end asks the other for 40 MB at once; were both to stop reading, neither would go on."""

    async def main():
        mine, theirs = Big(), Big()
        async with (served := Served(theirs, rpc_service=mine)) as client:
            await turns(lambda: served.peers)
            ways = [client.remote.take("x" * 100_000) for _ in range(400)]
            ways += [served.peers[0].remote.take("x" * 100_000) for _ in range(400)]
            ways += [client.remote.big_later(100_000) for _ in range(400)]
            ways += [served.peers[0].remote.big_later(100_000) for _ in range(400)]
            results = await asyncio.gather(*ways)
            assert results[:800] == [100_000] * 800 and {len(each) for each in results[800:]} == {100_000}

    run(main())


def test_end_that_waits_itself_refuses_instead_of_holding_more():
    async def main():
        service = Big()
        server, peer, raw = await raw_client(service, limits=aiomas.Limits(max_held_size=2 * MIB))
        waiting = peer.remote.ask()  # so it has to go on reading
        assert (await raw.receive())[2] == ["ask", [], {}]
        for i in range(20_000):
            raw.send([0, i, ["big", [100_000], {}]])
        sending = asyncio.ensure_future(raw.writer.drain())
        await turns(lambda: service.runs > 0)
        await settled(peer, service)
        assert held_by(peer) < 8 * MIB
        refused = 0
        for _ in range(20_000):
            kind, _, text = await raw.receive()
            refused += kind == 2 and "max_held_size 2097152" in text
        assert 0 < refused < 20_000
        await sending
        raw.send([1, 0, "asked"])
        assert await waiting == "asked"
        await raw.close()
        server.close()
        await peer.close()

    run(main())


def test_frame_limit():
    async def main():
        limits = aiomas.Limits(max_frame_size=1000)
        async with Served(Big(), server={"limits": limits}) as client:
            assert await client.remote.take("x" * 900) == 900
            with pytest.raises(aiomas.RemoteException, match=r"Serialized message is too long \(1002\)\.  Maximum length is 1000\."):
                await client.remote.big(1000)
            with pytest.raises(ConnectionResetError):
                await client.remote.take("x" * 1000)
        async with Served(Big(), client={"limits": limits}) as client:
            with pytest.raises(ValueError, match=r"^Serialized message is too long \(\d+\)\.  Maximum length is 1000\.$"):
                client.remote.take("x" * 1000)
            assert await client.remote.take("x") == 1

    run(main())


def test_depth_limit():
    async def main():
        async with Served(Big(), server={"limits": aiomas.Limits(max_depth=10)}) as client:
            deep = "x"
            for _ in range(20):
                deep = [deep]
            with pytest.raises((aiomas.RemoteException, ConnectionResetError)):
                await client.remote.take(deep)

    run(main())


def test_pending_limit_does_not_count_cancelled_calls():
    async def main():
        service = Big()
        async with Served(service, client={"limits": aiomas.Limits(max_pending=3)}) as client:
            calls = [client.remote.wait() for _ in range(3)]
            with pytest.raises(aiomas.LimitError, match="3 wait for their reply"):
                client.remote.wait()
            calls[0].cancel()
            calls.append(client.remote.wait())
            service.gate.set()
            assert await asyncio.gather(*calls[1:]) == [None] * 3

    run(main())


@pytest.mark.parametrize("own_codec", [False, True])
def test_open_limit_refuses_further_calls(own_codec):
    class Own(aiomas.JSON):
        def encode(self, data):
            return super().encode(data)

    async def main():
        service = Big()
        codec = Own if own_codec else aiomas.JSON
        async with Served(service, server={"limits": aiomas.Limits(max_open=3)}, codec=codec) as client:
            calls = [client.remote.wait() for _ in range(3)]
            with pytest.raises(aiomas.RemoteException, match=r"3 requests of this connection wait for their reply, limit"):
                await client.remote.wait()
            service.gate.set()
            assert await asyncio.gather(*calls) == [None] * 3
            assert await client.remote.wait() is None

    run(main())


def test_connection_limit(caplog):
    async def main():
        async with (served := Served(Big(), server={"limits": aiomas.Limits(max_connections=1)})) as client:
            refused = await Raw.connect(served.reached)
            assert await refused.at_end()
            assert "limit max_connections" in caplog.text
            await refused.close()
            assert await client.remote.take("x") == 1
            await client.close()
            await turns(lambda: served.peers[0].channel.transport is None)
            await asyncio.sleep(0)
            async with await aiomas.rpc.open_connection(served.reached) as second:
                assert await second.remote.take("x") == 1

    run(main())


@pytest.mark.parametrize("bad", [{"max_depth": 0}, {"max_open": 1 << 40}, {"max_pending": "a"}])
def test_limits_are_checked(bad):
    with pytest.raises(ValueError, match=f"^{next(iter(bad))} is .*, expected a number from 1 to 4294967295$"):
        aiomas.Limits(**bad)


def test_queue_of_the_channel_layer_pauses_reading():
    async def main():
        got = []
        server = await channel.start_server(("127.0.0.1", 0), got.append)
        raw = await Raw.connect(address_of(server, ("", 0)))
        for i in range(100_000):
            raw.send([0, i, i])
        await turns(lambda: got and got[0]._reading_paused, 10_000_000)
        assert len(got[0]._in_queue) < 20_000
        for i in range(100_000):
            request = await got[0].recv()
            assert request.content == i
        await raw.close()
        server.close()
        await got[0].close()

    run(main())


def test_call_that_nobody_reads_fails_before_memory_does(monkeypatch):
    async def main():
        monkeypatch.setattr(channel, "_MAX_UNSENT", 4 * MIB)
        gate = asyncio.Event()

        async def idle(reader, writer):
            await gate.wait()
            writer.close()

        server = await asyncio.start_server(idle, "127.0.0.1", 0, limit=1000)
        client = await aiomas.rpc.open_connection(server.sockets[0].getsockname())
        with pytest.raises(aiomas.LimitError, match="bytes wait because the peer does not read"):
            while True:
                client.remote.take("x" * MIB).cancel()
                await asyncio.sleep(0)
        client.channel.transport.abort()
        gate.set()
        await client.close()
        server.close()

    run(main())


def test_close_cuts_off_a_peer_that_does_not_read(monkeypatch):
    async def main():
        monkeypatch.setattr(channel, "_CLOSE_WAIT_S", 0.05)
        service = Big()
        server, peer, raw = await raw_client(service)
        raw.send(*[[0, i, ["big", [MIB], {}]] for i in range(50)])
        await turns(lambda: service.runs > 0)
        await settled(peer, service)
        await peer.close()
        assert peer.channel._connected is None or peer.channel._connected.is_closing()
        raw.writer.transport.abort()
        server.close()
        await turns(lambda: peer.channel._connected is None)

    run(main())
