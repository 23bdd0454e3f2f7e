"""aimrt_rpc.aiomas: the channel layer, its bytes, what a peer may not send, losing the connection."""

import asyncio
import functools
import json
import socket
import struct

import pytest
from aiomas_helpers import Raw, RawServer, Served, address, address_of, frame, run, turns

from aimrt_rpc import aiomas
from aimrt_rpc.aiomas import channel


class Echo:
    router = aiomas.rpc.Service()

    def __init__(self):
        self.started = 0

    @functools.cached_property
    def gate(self):
        return asyncio.Event()

    @aiomas.expose
    def echo(self, *args, **kwargs):
        return [list(args), kwargs]

    @aiomas.expose
    async def wait(self):
        self.started += 1
        await self.gate.wait()
        return "done"

    @aiomas.expose
    def boom(self):
        raise ValueError("boom")


@pytest.mark.parametrize("kind", ["tcp", "unix", "local"])
def test_request_reply_fail(kind, tmp_path):
    async def main():
        async def serve(chan):
            while True:
                try:
                    request = await chan.recv()
                except ConnectionResetError:
                    return await chan.close()
                if request.content == "fail":
                    await request.fail(ValueError(42))
                elif request.content == "set":
                    with pytest.raises(aiomas.exceptions.SerializationError, match="No serializer found for type"):
                        await request.reply({1})
                    await request.reply("answered otherwise")
                    with pytest.raises(RuntimeError, match="answered before"):
                        await request.reply(1)
                elif request.content != "nothing":
                    await request.reply([request.content])
                del request

        addr = address(kind, tmp_path)
        server = await channel.start_server(addr, serve)
        chan = await channel.open_connection(address_of(server, addr))
        assert await asyncio.gather(*[chan.send(i) for i in range(300)]) == [[i] for i in range(300)]
        with pytest.raises(aiomas.RemoteException) as caught:
            await chan.send("fail")
        assert caught.value.remote_traceback == "ValueError: 42\n"
        assert caught.value.origin == chan.get_extra_info("peername")
        with pytest.raises(aiomas.exceptions.SerializationError, match=r'^No serializer found for type "<class \'set\'>"$'):
            chan.send({1})
        assert await chan.send("set") == "answered otherwise"
        unanswered = chan.send("nothing")
        assert await chan.send("after") == ["after"]
        assert not unanswered.done()
        waiting = asyncio.ensure_future(chan.recv())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match=r"^recv\(\) called while another coroutine is already waiting for incoming data\.$"):
            await chan.recv()
        await chan.close()
        for ended in (waiting, unanswered):
            with pytest.raises(ConnectionResetError, match="Connection closed"):
                await ended
        server.close()
        await server.wait_closed()
        await asyncio.gather(*channel.tasks)

    run(main())


def test_frames_are_those_of_the_original():
    """The frames of the documented session; what the peer sends is written down, ours must be these bytes."""
    ours = [
        '[0, 0, ["math/add", [3], {"b": 4}]]',
        '[0, 1, ["none", [], {}]]',
        '[0, 2, ["cb", [{"__type__": [0, ""]}], {}]]',
        '[1, 0, "Monty"]',
        '[0, 3, ["cb", [{"__type__": [0, "sub"]}], {}]]',
        '[0, 4, ["e", ["\\u00e9\\u20ac\\ud83d\\ude00", 1.0, 1e+16, NaN], {}]]',
    ]

    async def script(raw):
        got = [await raw.payload() for _ in range(3)]
        raw.send([1, 0, 7], [0, 0, ["name", [], {}]])
        got.append(await raw.payload())
        raw.send([1, 1, None], [1, 2, ["Monty"]])
        got += [await raw.payload(), await raw.payload()]
        raw.send([1, 3, {"__type__": [0, "math"]}], [1, 4, 1])
        assert [each.decode() for each in got] == ours
        assert await raw.at_end()
        await raw.close()

    class Client:
        router = aiomas.rpc.Service(["sub"])

        def __init__(self):
            self.sub = aiomas.rpc.ServiceDict()

        @aiomas.expose
        def name(self):
            return "Monty"

    async def main():
        async with RawServer(script) as addr:
            me = Client()
            async with await aiomas.rpc.open_connection(addr, rpc_service=me) as client:
                first = [client.remote.math.add(3, b=4), client.remote.none(), client.remote.cb(me)]
                assert await asyncio.gather(*first) == [7, None, ["Monty"]]
                sub, other = client.remote.cb(me.sub), client.remote.e("é€\U0001f600", 1.0, 1e16, float("nan"))
                assert await sub == client.remote.math
                assert await other == 1

    run(main())


def test_number_is_used_up_when_encoding_fails():
    async def script(raw):
        assert [(await raw.receive())[1] for _ in range(2)] == [0, 2]
        raw.send([1, 0, None], [1, 2, None])
        await raw.at_end()
        await raw.close()

    async def main():
        async with RawServer(script) as addr:
            async with await aiomas.rpc.open_connection(addr) as client:
                first = client.remote.a()
                with pytest.raises(aiomas.exceptions.SerializationError):
                    client.remote.a({1})
                await asyncio.gather(first, client.remote.a())

    run(main())


async def with_raw(service, use, callback=None, **options):
    """Serves a service to a raw client."""
    peers = []

    def connected(peer):
        peers.append(peer)
        if callback is not None:
            callback(peer)

    server = await aiomas.rpc.start_server(("127.0.0.1", 0), service, connected, **options)
    raw = await Raw.connect(address_of(server, ("", 0)))
    await use(raw)
    await raw.close()
    server.close()
    await server.wait_closed()
    for peer in peers:
        await peer.close()


@pytest.mark.parametrize("number", ["text", None, -1, 2**70, 1.5, True])
def test_ids_of_the_peer_come_back_as_they_are(number):
    async def use(raw):
        raw.send([0, number, ["echo", [1], {}]], [0, number, ["echo", [2], {}]])
        assert await raw.receive() == [1, number, [[1], {}]]
        assert await raw.receive() == [1, number, [[2], {}]]

    run(with_raw(Echo(), use))


def test_any_segmentation_and_spacing():
    async def use(raw):
        data = frame(b' [0,0,[ "echo",["\xc3\xa9"],{}]]\n') + frame([0, 1, ["echo", [NAN], {}]])
        for i in range(len(data)):
            raw.writer.write(data[i : i + 1])
            await raw.writer.drain()
            await asyncio.sleep(0)
        assert await raw.receive() == [1, 0, [["é"], {}]]
        assert str((await raw.receive())[2][0][0]) == "nan"

    run(with_raw(Echo(), use))


NAN = float("nan")


@pytest.mark.parametrize("payload", [b"", b"{", b"5", b"[1, 0]", b"[0]", b"\xff\xfe", b"[9, 0, 1]", b"[" * 200 + b"]" * 200])
def test_what_is_no_message_closes_the_connection(payload, caplog):
    told = []

    async def use(raw):
        raw.send([0, 0, ["echo", [1], {}]])
        assert await raw.receive() == [1, 0, [[1], {}]]
        raw.send(payload)
        assert await raw.at_end()
        assert len(told) == 1 and isinstance(told[0], ConnectionResetError)
        assert "closed" in caplog.text

    run(with_raw(Echo(), use, lambda peer: peer.on_connection_reset(told.append)))


@pytest.mark.parametrize("payload", [b"[0, 7]", b"[0, 7, 1, 2]", b"[0, 7, 1"])
def test_request_with_an_id_that_is_no_message_is_answered(payload):
    async def use(raw):
        raw.send(payload)
        kind, number, text = await raw.receive()
        assert (kind, number) == (2, 7) and text.splitlines()[-1].startswith("ValueError: ")
        raw.send([0, 8, ["echo", [1], {}]])
        assert await raw.receive() == [1, 8, [[1], {}]]

    run(with_raw(Echo(), use))


def test_undecodable_reply_fails_pending_calls_as_lost():
    async def script(raw):
        await raw.receive()
        raw.send(b"no json")
        await raw.at_end()
        await raw.close()

    async def main():
        async with RawServer(script) as addr:
            async with await aiomas.rpc.open_connection(addr) as client:
                with pytest.raises(ConnectionResetError, match="a message of the peer"):
                    await client.remote.a()
                with pytest.raises(ConnectionResetError):
                    client.remote.a()

    run(main())


def test_replies_nobody_waits_for_are_ignored():
    async def script(raw):
        await raw.receive()
        raw.send([1, 77, "unknown"], [1, "0", "no number"], [1, 0, "right"], [1, 0, "second"], [2, 0, "late"])
        assert await raw.receive() == [0, 1, ["b", [], {}]]
        raw.send([1, 1.0, "whole"])
        await raw.at_end()
        await raw.close()

    async def main():
        async with RawServer(script) as addr:
            async with await aiomas.rpc.open_connection(addr) as client:
                assert await client.remote.a() == "right"
                assert await client.remote.b() == "whole"

    run(main())


@pytest.mark.parametrize("content", ["text\n", ["ValueError", "42", "line 1\n"], None, {"a": 1}, 5])
def test_exception_content_may_be_any_value(content):
    async def script(raw):
        await raw.receive()
        raw.send([2, 0, content])
        await raw.at_end()
        await raw.close()

    async def main():
        async with RawServer(script) as addr:
            async with await aiomas.rpc.open_connection(addr) as client:
                with pytest.raises(aiomas.RemoteException) as caught:
                    await client.remote.a()
                assert caught.value.remote_traceback == content

    run(main())


def test_failure_array_is_mosaiks_form():
    async def use(raw):
        raw.send([0, 0, ["boom", [], {}]], [0, 1, ["nope", [], {}]])
        kind, number, content = await raw.receive()
        assert (kind, number, content[:2]) == (2, 0, ["ValueError", "boom"])
        assert content[2] == "Traceback (most recent call last):\n" and content[-1] == "ValueError: boom\n"
        assert (await raw.receive())[2][:2] == ["LookupError", 'Name "nope" not found in ""']

    run(with_raw(Echo(), use, failure_array=True))


def test_half_close_ends_the_connection_without_answers():
    async def main():
        service = Echo()

        async def use(raw):
            raw.send([0, 0, ["wait", [], {}]])
            await turns(lambda: service.started)
            raw.writer.write_eof()
            assert await raw.at_end()
            service.gate.set()

        await with_raw(service, use)

    run(main())


def test_truncated_frame_then_end_is_ignored():
    async def script(raw):
        await raw.receive()
        raw.writer.write(b"\x00\x00\x00\x09[1, 0")
        await raw.close()

    async def main():
        async with RawServer(script) as addr:
            async with await aiomas.rpc.open_connection(addr) as client:
                with pytest.raises(ConnectionResetError) as caught:
                    await client.remote.a()
                assert caught.value.args == ()

    run(main())


def test_reset_by_the_peer():
    async def script(raw):
        await raw.receive()
        raw.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.writer.transport.abort()

    async def main():
        told = []
        async with RawServer(script) as addr:
            async with await aiomas.rpc.open_connection(addr, rpc_service=Echo()) as client:
                client.on_connection_reset(told.append)
                with pytest.raises(ConnectionResetError, match="Connection reset by peer"):
                    await client.remote.a()
                assert len(told) == 1 and told[0].errno == 104

    run(main())


def test_connecting_is_tried_again():
    async def main():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            addr = probe.getsockname()
        with pytest.raises(OSError):
            await channel.open_connection(addr)
        opening = asyncio.ensure_future(aiomas.rpc.open_connection(addr, timeout=20))
        await asyncio.sleep(0)
        server = await aiomas.rpc.start_server(addr, Echo())
        async with await opening as client:
            assert await client.remote.echo(1) == [[1], {}]
        server.close()
        await server.wait_closed()
        start = asyncio.get_running_loop().time()
        with pytest.raises(OSError):
            await channel.open_connection(addr, timeout=0.2)
        assert 0.4 < asyncio.get_running_loop().time() - start < 5

    run(main())


def test_unix_refused_is_not_tried_again(tmp_path):
    async def main():
        path = str(tmp_path / "stale")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        with pytest.raises(ConnectionRefusedError):
            await channel.open_connection(path, timeout=None)
        with pytest.raises(FileNotFoundError):
            await channel.open_connection(path + "x")

    run(main())


def test_queue_errors():
    aiomas.local_queue.clear_queue_cache()
    assert aiomas.get_queue("a") is aiomas.get_queue("a")
    assert str(aiomas.get_queue("a")) == repr(aiomas.get_queue("a")) == "LocalQueue('a')"
    with pytest.raises(ValueError, match=r"^Queue ID must be \"str\" not \"<class 'int'>\"$"):
        aiomas.get_queue(5)
    with pytest.raises(ValueError, match=r"^\"/\" not allowed in queue ID \('a/b'\)$"):
        aiomas.get_queue("a/b")

    async def main():
        queue = aiomas.get_queue("a")
        with pytest.raises(ConnectionRefusedError, match=r"^No server started for this local queue instance\.$"):
            await aiomas.rpc.open_connection(queue)
        server = await aiomas.rpc.start_server(queue, Echo())
        assert queue.server is server and server.lq is queue and server.is_serving()
        with pytest.raises(RuntimeError, match=r"^Server is already set\.$"):
            await aiomas.rpc.start_server(queue, Echo())
        async with await aiomas.rpc.open_connection(queue) as client:
            assert client.channel.get_extra_info("peername") == "LocalQueue('a')"
            assert str(client.remote) == "Proxy('Lo', '')"
            server.close()
            assert await client.remote.echo(1) == [[1], {}]
        await server.wait_closed()
        assert queue.server is None
        with pytest.raises(ConnectionRefusedError):
            await aiomas.rpc.open_connection(queue)

    run(main())


def test_callback_and_arguments_of_the_channel_layer():
    async def main():
        ran = asyncio.get_running_loop().create_future()

        async def connected(chan):
            ran.set_result(chan)

        server = await channel.start_server(("127.0.0.1", 0), connected, loop=asyncio.get_running_loop(), backlog=5)
        chan = await channel.open_connection(address_of(server, ("", 0)), loop=asyncio.get_running_loop(), family=socket.AF_INET)
        assert isinstance(await ran, channel.Channel)
        assert isinstance(chan.codec, aiomas.JSON) and chan.transport.get_extra_info("socket") is not None
        assert chan.get_extra_info("nothing", 7) == 7
        await chan.close()
        server.close()
        await (await ran).close()
        with pytest.raises(TypeError, match="'JSON' object is not callable"):
            await channel.open_connection(address_of_nothing(), codec=aiomas.JSON())

    def address_of_nothing():
        return ("127.0.0.1", 1)

    run(main())


def test_sock_is_taken():
    async def main():
        left, right = socket.socketpair()
        service = Echo()
        server_side = []

        def factory():
            return channel.ChannelProtocol(aiomas.JSON(), server_side.append, loop=asyncio.get_running_loop())

        await asyncio.get_running_loop().create_connection(factory, sock=left)
        served = aiomas.rpc.RpcClient(server_side[0], service)
        async with await aiomas.rpc.open_connection((None, None), sock=right) as client:
            assert await client.remote.echo(5) == [[5], {}]
        await served.close()

    run(main())


def test_user_defined_codec():
    class Reversed(aiomas.codecs.Codec):
        def encode(self, data):
            return json.dumps(data, default=self.serialize_obj).encode()[::-1]

        def decode(self, data):
            return json.loads(bytes(data)[::-1], object_hook=self.deserialize_obj)

    class Service(Echo):
        router = aiomas.rpc.Service()

        @aiomas.expose
        async def call_back(self, proxy):
            return await proxy.echo("x")

    async def main():
        mine = Echo()
        async with Served(Service(), codec=Reversed, rpc_service=mine) as client:
            assert await asyncio.gather(*[client.remote.echo(i) for i in range(100)]) == [[[i], {}] for i in range(100)]
            assert await client.remote.call_back(mine) == [["x"], {}]
            with pytest.raises(aiomas.RemoteException, match="ValueError: boom"):
                await client.remote.boom()
            with pytest.raises(aiomas.RemoteException, match='Name "x" not found'):
                await client.remote.x()
            with pytest.raises(aiomas.exceptions.SerializationError):
                client.remote.echo({1})
            with pytest.raises(asyncio.TimeoutError):
                await aiomas.with_options(client.remote, timeout_s=0.01).wait()
            assert await client.remote.echo(1) == [[1], {}]

        async def bad(raw):
            raw.send([0, 0, ["echo", [], {}]])  # not reversed
            assert await raw.at_end()

        await with_raw(Echo(), bad, codec=Reversed)

    run(main())


def test_loop_closed_with_an_open_connection_gives_the_handle_back():
    async def main():
        server = await aiomas.rpc.start_server(aiomas.get_queue("left-open"), Echo())
        client = await aiomas.rpc.open_connection(aiomas.get_queue("left-open"))
        assert await client.remote.echo(1) == [[1], {}]
        server.close()

    run(main())
