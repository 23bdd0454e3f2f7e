"""Cases in which both ends, or none, are in one process: the API's surface and its texts.

    alone.py PACKAGE FOLDER CASE...     runs the named cases, prints one {"case", "ok", "detail"} each

A case takes the package under test. Where ours differs by decision, the case asks ``ours``.
"""

import asyncio
import os
import socket
import ssl
import struct
import sys
import time
import traceback
import warnings
from pathlib import Path

import peer
from cases import connection_lost, raises

ALL = {}
LIMIT_S = 60
# Where sockets of the cases lie.
FOLDER = Path()


def case(function):
    ALL[function.__name__] = function
    return function


def ours(aiomas):
    return aiomas.__name__ == peer.OURS


def refuses(kind, text, call):
    """Expects an exception at once."""
    try:
        value = call()
    except BaseException as e:
        assert type(e) is kind and (text is None or str(e) == text), f"{type(e).__name__}: {e}\nexpected\n{kind.__name__}: {text}"
        return e
    raise AssertionError(f"{value!r} came, expected {kind.__name__}: {text}")


def simple(aiomas):
    """A class of services with one method."""

    class Simple:
        router = aiomas.rpc.Service()

        @router.expose
        def echo(self, *values):
            return list(values)

        def __repr__(self):
            return "<simple>"

    return Simple


def port_of(server):
    return server.sockets[0].getsockname()[1]


async def pair(aiomas, service, callback=None, **options):
    """A server on a free port and a client of it."""
    server = await aiomas.rpc.start_server(("127.0.0.1", 0), service, callback, **options)
    client = await aiomas.rpc.open_connection(("127.0.0.1", port_of(server)), **options)
    return server, client


# --- names ------------------------------------------------------------------------------------------------------------------


@case
def names(aiomas):
    assert aiomas.__version__ == "2.0.1"
    for name in "expose serializable get_queue run make_ssl_server_context make_ssl_client_context AiomasError RemoteException".split():
        assert name in aiomas.__all__ and hasattr(aiomas, name), name
    for name in "Container Agent SSLCerts JSON MsgPack MsgPackBlosc AsyncioClock ExternalClock".split():
        assert name in aiomas.__all__ and hasattr(aiomas, name), name
    for name in "agent channel clocks codecs exceptions local_queue rpc subproc util".split():
        assert type(getattr(aiomas, name)) is type(sys), name
    listed = "open_connection start_server rpc_service_process expose _handle_request Service ServiceDict Router RpcClient Proxy"
    assert set(listed.split()) <= set(aiomas.rpc.__all__) and all(hasattr(aiomas.rpc, name) for name in listed.split())
    channel = aiomas.channel
    assert (channel.REQUEST, channel.RESULT, channel.EXCEPTION) == (0, 1, 2)
    assert channel.Header.size == 4 and channel.Header.pack(258) == b"\0\0\1\2" and channel.DEFAULT_CODEC is aiomas.JSON
    assert aiomas.expose is aiomas.rpc.expose and aiomas.serializable is aiomas.codecs.serializable
    assert aiomas.get_queue is aiomas.local_queue.get_queue and aiomas.run is aiomas.util.run
    assert issubclass(aiomas.RemoteException, aiomas.AiomasError) and aiomas.AiomasError.__bases__ == (Exception,)
    assert aiomas.exceptions.SerializationError.__bases__ == (Exception,) and not hasattr(aiomas, "SerializationError")


# --- codecs -----------------------------------------------------------------------------------------------------------------


@case
def json_bytes(aiomas):
    codec = aiomas.JSON()
    for value, encoded in [
        ([1, "a", None, True], b'[1, "a", null, true]'),
        ({"a": 1, "b": [1.0, 1e16, 1e-07, 0.1]}, b'{"a": 1, "b": [1.0, 1e+16, 1e-07, 0.1]}'),
        ([float("nan"), float("inf"), float("-inf")], b"[NaN, Infinity, -Infinity]"),
        ("é€😀\x00", b'"\\u00e9\\u20ac\\ud83d\\ude00\\u0000"'),
        ((1, (2,)), b"[1, [2]]"),
        ({1: 2, None: 3, 1.5: 4}, b'{"1": 2, "null": 3, "1.5": 4}'),
        (2**70, b"1180591620717411303424"),
    ]:
        assert bytes(codec.encode(value)) == encoded, codec.encode(value)
    assert codec.decode(bytearray(b'[1,{"a":[2.0]},"\xc3\xa9"]')) == [1, {"a": [2.0]}, "é"]
    assert type(codec.decode(b"[1, 1.0]")[0]) is int and type(codec.decode(b"[1, 1.0]")[1]) is float


@case
def msgpack_bytes(aiomas):
    codec = aiomas.MsgPack()
    for value, encoded in [
        ((0, 0, ("math/add", (3,), {"b": 4})), "930000 93 a8 6d6174682f616464 91 03 81 a1 62 04"),
        (["é€😀", {"k": (1, 2)}], "92 a9 c3a9e282acf09f9880 81 a16b 92 0102"),
        ([1.5, -1, 2**40, b"\0"], "94 cb3ff8000000000000 ff cf0000010000000000 c40100"),
        ("x" * 32, "d920" + "78" * 32),
        (2**64 - 1, "cfffffffffffffffff"),
        (-(2**63), "d38000000000000000"),
    ]:
        assert bytes(codec.encode(value)).hex() == encoded.replace(" ", ""), bytes(codec.encode(value)).hex()
    decoded = codec.decode(bytearray.fromhex("92 92 01 91 02 81 92 01 02 a1 61"))
    assert decoded == ((1, (2,)), {(1, 2): "a"}), decoded


@case
def blosc_chunks(aiomas):
    codec = aiomas.MsgPackBlosc()
    for value in ([0, 0, ["f", [], {}]], "x" * 100000, list(range(20000)), b"\0" * (1 << 20), [f"text {i}" for i in range(5000)], ""):
        chunk = bytes(codec.encode(value))
        assert chunk[:2] == b"\x02\x01" and struct.unpack("<I", chunk[12:16])[0] == len(chunk), chunk[:16].hex()
        back = codec.decode(bytearray(chunk))
        assert back == (tuple(value) if isinstance(value, list) else value) or back == (0, 0, ("f", (), {}))
    assert codec.decode(bytearray.fromhex("02011308 04000000 01000000 14000000 93010007")) == (1, 0, 7)


@case
def codec_texts(aiomas):
    error = aiomas.exceptions.SerializationError

    class Mine:
        def __repr__(self):
            return "<mine>"

    kind = str(Mine)
    for codec_class in (aiomas.JSON, aiomas.MsgPack, aiomas.MsgPackBlosc):
        codec = codec_class()
        refuses(error, f'No serializer found for type "{kind}"', lambda codec=codec: codec.serialize_obj(Mine()))
        refuses(error, None, lambda codec=codec: codec.encode([Mine()]))
        codec.add_serializer(Mine, lambda m: [1, "r"], lambda r: ("back", r))
        assert str(codec) == f"{codec_class.__name__}[Mine]", str(codec)
        refuses(
            ValueError,
            f'There is already a serializer for type "{kind}"',
            lambda codec=codec: codec.add_serializer(Mine, None, None),
        )
        sequence = list if codec_class is aiomas.JSON else tuple
        assert codec.decode(codec.encode({"a": Mine()})) == {"a": ("back", sequence([1, "r"]))}
        assert codec.serialize_obj(Mine()) == {"__type__": (0, [1, "r"])}, codec.serialize_obj(Mine())
        refuses(error, f'No serializer found for type "{set}"', lambda codec=codec: codec.serialize_obj({1}))

        class Child(Mine):
            pass

        refuses(error, None, lambda codec=codec, child=Child: codec.encode(child()))

        def fail(_):
            raise KeyError("why")

        codec.add_serializer(set, fail, None)
        refuses(error, "Could not serialize object \"{1}\": 'why'", lambda codec=codec: codec.encode([{1}]))
    assert aiomas.JSON().decode(b'{"a": {"b": 1}}') == {"a": {"b": 1}}
    codec = aiomas.JSON()
    codec.add_serializer(Mine, None, lambda r: ("mine", r))
    assert codec.decode(b'{"__type__": [0, 5], "dropped": 1}') == ("mine", 5)


@case
def own_codecs(aiomas):
    class Reversed(aiomas.codecs.Codec):
        def encode(self, data):
            import json

            return json.dumps(data, default=self.serialize_obj).encode()[::-1]

        def decode(self, data):
            import json

            return json.loads(bytes(data)[::-1].decode(), object_hook=self.deserialize_obj)

    async def run():
        service = simple(aiomas)()
        server, client = await pair(aiomas, service, codec=Reversed)
        assert await client.remote.echo(1, "a", [2]) == [1, "a", [2]]
        await raises(aiomas.RemoteException, None, client.remote.nothing())
        await client.close()
        server.close()

    aiomas.run(run())
    refuses(NotImplementedError, None, lambda: aiomas.codecs.Codec().encode(1))


@case
def serializable(aiomas):
    @aiomas.serializable
    class A:
        def __init__(self, x, y=2):
            self.x = x
            self._y = y

        @property
        def y(self):
            return self._y

    @aiomas.serializable(repr=False)
    class B:
        def __init__(self, z):
            self.z = z

    a = A(1)
    assert repr(a) == "A(x=1, y=2)" and a.__asdict__() == {"x": 1, "y": 2}
    assert A.__fromdict__({"x": 3, "y": 4}).y == 4 and repr(B(1)).startswith("<")
    serializer = A.__serializer__()
    assert serializer[0] is A and len(serializer) == 3
    codec = aiomas.JSON()
    codec.add_serializer(*serializer)
    codec.add_serializer(*B.__serializer__())
    assert repr(codec.decode(codec.encode([A(B(5))]))).startswith("[A(x=<")
    assert bytes(codec.encode(B(1))) == b'{"__type__": [1, {"z": 1}]}'


# --- services and routers ---------------------------------------------------------------------------------------------------


@case
def expose(aiomas):
    def function():
        pass

    assert aiomas.expose(function) is function and function.__rpc__ is True
    refuses(ValueError, '"5" is not callable.', lambda: aiomas.expose(5))
    assert aiomas.rpc.Service.expose is aiomas.expose and aiomas.rpc.Router.expose is aiomas.expose


@case
def service_descriptor(aiomas):
    rpc = aiomas.rpc
    Simple = simple(aiomas)
    one, two = Simple(), Simple()
    assert type(Simple.router) is rpc.Service and type(one.router) is rpc.Router
    assert one.router is one.router and one.router is not two.router and one.__dict__["router"] is one.router
    assert one.router.obj is one and one.router.name == "" and one.router.parent is None and one.router.path == ""
    refuses(AttributeError, "Read-only attribute.", lambda: setattr(one, "router", 5))

    class Missing:
        router = rpc.Service(["sub"])

    refuses(AttributeError, None, lambda: Missing().router)

    class Slots:
        __slots__ = ("x",)
        router = rpc.Service()

    refuses(AttributeError, None, lambda: Slots().router)


@case
def hierarchy(aiomas):
    rpc = aiomas.rpc
    Simple = simple(aiomas)
    leaf = Simple()

    class Root:
        router = rpc.Service(["leaf"])

        def __init__(self):
            self.leaf = leaf

        def __repr__(self):
            return "<root>"

    root = Root()
    assert root.router.path == "" and leaf.router.path == "leaf" and leaf.router.parent is root.router and leaf.router.name == "leaf"
    assert root.router.resolve("leaf/echo") == leaf.echo
    top = rpc.ServiceDict({"root": root})
    assert leaf.router.path == "root/leaf" and top.router.resolve("root/leaf/echo")(1) == [1]
    refuses(ValueError, '"<simple>" is already a sub service of "<root>"', lambda: top.router.set_sub_router(leaf.router, "again"))
    refuses(ValueError, '"5" is not a valid router.', lambda: top.router.set_sub_router(5, "x"))
    refuses(AttributeError, None, lambda: root.router.add("nothing"))
    refuses(LookupError, 'Name "x" not found in "root/leaf"', lambda: top.router.resolve("root/leaf/x/y"))
    refuses(LookupError, 'Name "" not found in ""', lambda: top.router.resolve(""))


@case
def service_dict(aiomas):
    rpc = aiomas.rpc
    assert rpc.ServiceDict().dict == {} and rpc.ServiceDict({}).router.path == ""
    content = {}
    service = rpc.ServiceDict(content)
    assert service.dict is content
    refuses(LookupError, 'Name "f" not found in ""', lambda: service.router.resolve("f"))
    content["f"] = lambda: 1
    refuses(LookupError, '"aiomas.rpc.ServiceDict.f" is not exposed', lambda: service.router.resolve("f"))
    function = content["f"] = aiomas.expose(lambda: 2)
    assert service.router.resolve("f") is function
    del content["f"]
    assert service.router.resolve("f") is function, "a resolved path is kept"
    service.dict = {"g": aiomas.expose(lambda: 3)}
    refuses(LookupError, None, lambda: service.router.resolve("g"))
    late = simple(aiomas)()
    content["late"] = late
    refuses(LookupError, None, lambda: service.router.resolve("late/echo"))
    assert late.router.path == ""
    assert service.router.resolve("late/echo")(1) == [1], "reachable once its router exists"


# --- connections ------------------------------------------------------------------------------------------------------------


@case
def bad_arguments(aiomas):
    Simple = simple(aiomas)

    async def run():
        await raises(ValueError, '"5" is not a valid RPC service.', aiomas.rpc.start_server(("127.0.0.1", 0), 5))
        await raises(ValueError, f'"{Simple}" is not a valid RPC service.', aiomas.rpc.start_server(("127.0.0.1", 0), Simple))
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), Simple())
        address = ("127.0.0.1", port_of(server))
        await raises(ValueError, '"5" is not a valid RPC service', aiomas.rpc.open_connection(address, rpc_service=5))
        for call in (aiomas.rpc.open_connection(5), aiomas.rpc.start_server(5, Simple())):
            error = await raises(ValueError, None, call)
            assert str(error).startswith("Unknown address type: "), error
        await raises(TypeError, "'JSON' object is not callable", aiomas.rpc.open_connection(address, codec=aiomas.JSON()))

        def taken():
            return (object, str, str)

        text = f'There is already a serializer for type "{object}"'
        await raises(ValueError, text, aiomas.rpc.open_connection(address, extra_serializers=[taken]))
        server.close()

    aiomas.run(run())


@case
def refused(aiomas):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = ("127.0.0.1", taken.getsockname()[1])

    async def run():
        await raises(ConnectionRefusedError, None, aiomas.rpc.open_connection(address))
        begin = time.monotonic()
        await raises(ConnectionRefusedError, None, aiomas.rpc.open_connection(address, timeout=0.2))
        assert 0.4 < time.monotonic() - begin < 5, "the first pause is half a second long, and then the time is over"
        missing = str(FOLDER / "missing")
        await raises(FileNotFoundError, None, aiomas.rpc.open_connection(missing))
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(FOLDER / "stale"))
        stale.close()
        await raises(ConnectionRefusedError, None, aiomas.rpc.open_connection(str(FOLDER / "stale"), timeout=30))

    aiomas.run(run())


@case
def client_before_server(aiomas):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = ("127.0.0.1", taken.getsockname()[1])
    for where in (address, str(FOLDER / "early")):

        async def run(where=where):
            early = asyncio.ensure_future(aiomas.rpc.open_connection(where, timeout=None))
            await asyncio.sleep(0.01)
            server = await aiomas.rpc.start_server(where, simple(aiomas)())
            client = await early
            assert await client.remote.echo(1) == [1]
            await client.close()
            server.close()

        aiomas.run(run())


@case
def runs_share_one_loop(aiomas):
    Simple = simple(aiomas)
    server = aiomas.run(aiomas.rpc.start_server(("127.0.0.1", 0), Simple()))
    client = aiomas.run(aiomas.rpc.open_connection(("127.0.0.1", port_of(server))))

    async def call():
        return await client.remote.echo("between two runs")

    assert aiomas.run(call()) == ["between two runs"]
    assert aiomas.run(until=client.remote.echo("a future")) == ["a future"]
    assert aiomas.run(client.close()) is None
    server.close()
    aiomas.run(server.wait_closed())
    loop = asyncio.get_event_loop()
    loop.call_soon(loop.stop)
    assert aiomas.run() is None and not loop.is_closed()


@case
def connected_callback(aiomas):
    seen, unheard = [], []

    def callback(client):
        seen.append(client)
        if len(seen) == 1:
            raise ValueError("in the callback")

    async def never(client):
        unheard.append(client)

    async def run():
        asyncio.get_event_loop().set_exception_handler(lambda loop, facts: None)
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), simple(aiomas)(), callback)
        address = ("127.0.0.1", port_of(server))
        first = await aiomas.rpc.open_connection(address)
        assert await first.remote.echo(1) == [1], "an exception in the callback leaves the connection alone"
        second = await aiomas.rpc.open_connection(address)
        assert await second.remote.echo(2) == [2]
        assert type(seen[1]) is aiomas.rpc.RpcClient and repr(seen[1]).startswith("<aiomas.rpc.RpcClient object at 0x")
        assert seen[1].channel.get_extra_info("peername")[1] == second.channel.get_extra_info("sockname")[1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            other = await aiomas.rpc.start_server(("127.0.0.1", 0), simple(aiomas)(), never)
            third = await aiomas.rpc.open_connection(("127.0.0.1", port_of(other)))
            assert await third.remote.echo(3) == [3]
            assert unheard == [], "a coroutine function is called, and its coroutine left"
        for client in (first, second, third):
            await client.close()
        server.close()
        other.close()

    aiomas.run(run())


@case
def closed_listener_serves_on(aiomas):
    async def run():
        server, client = await pair(aiomas, simple(aiomas)())
        address = ("127.0.0.1", port_of(server))
        server.close()
        assert await client.remote.echo(1) == [1]
        await raises(ConnectionRefusedError, None, aiomas.rpc.open_connection(address))
        if ours(aiomas):
            await asyncio.wait_for(server.wait_closed(), LIMIT_S)
            assert await client.remote.echo(2) == [2]
        await client.close()

    aiomas.run(run())


@case
def handlers_outlive_their_connection(aiomas):
    class Slow:
        router = aiomas.rpc.Service()

        def __init__(self):
            self.go, self.begun, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        @aiomas.expose
        async def wait(self):
            self.begun.set()
            await self.go.wait()
            self.ended.set()
            return 1

    async def run():
        slow = Slow()
        server, client = await pair(aiomas, slow)
        call = client.remote.wait()
        await slow.begun.wait()
        await client.close()
        await connection_lost(call)
        slow.go.set()
        await asyncio.wait_for(slow.ended.wait(), LIMIT_S)
        server.close()

    aiomas.run(run())


@case
def one_service_in_two_servers(aiomas):
    async def run():
        service = simple(aiomas)()
        first, one = await pair(aiomas, service)
        second, two = await pair(aiomas, service)
        assert await asyncio.gather(one.remote.echo(1), two.remote.echo(2)) == [[1], [2]]
        for end in (one, two):
            await end.close()
        for end in (first, second):
            end.close()

    aiomas.run(run())


@case
def channels(aiomas):
    async def handle(channel):
        request = await channel.recv()
        assert type(request) is aiomas.channel.Request
        await request.reply(request.content)
        await channel.close()

    async def run():
        server = await aiomas.channel.start_server(("127.0.0.1", 0), handle)
        channel = await aiomas.channel.open_connection(("127.0.0.1", port_of(server)))
        assert await channel.send({"a": 1}) == {"a": 1}
        await connection_lost(channel.recv())
        await channel.close()
        server.close()

    aiomas.run(run())


@case
def tls_refusals(aiomas):
    """Who has no certificate, or one of another authority, or another name, gets no connection; the server serves on."""
    fine, other = (Path(os.environ[name]) for name in ("AIOMAS_CERTIFICATES", "AIOMAS_OTHER_CERTIFICATES"))

    def files(folder, ca=None):
        return [str((ca or folder) / "ca.pem"), str(folder / "device.pem"), str(folder / "device.key")]

    async def refused(address, context, kinds, **options):
        try:
            client = await aiomas.rpc.open_connection(address, ssl=context, **options)
            await client.remote.echo(1)
        except kinds:
            return
        raise AssertionError("it was let in")

    async def run():
        asyncio.get_event_loop().set_exception_handler(lambda loop, facts: None)
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), simple(aiomas)(), ssl=aiomas.make_ssl_server_context(*files(fine)))
        address = ("127.0.0.1", port_of(server))
        context = aiomas.make_ssl_client_context(*files(fine))
        assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
        await refused(address, aiomas.make_ssl_client_context(*files(other)), ssl.SSLCertVerificationError)
        await refused(address, context, ssl.SSLCertVerificationError, server_hostname="elsewhere.example")
        await refused(address, aiomas.make_ssl_client_context(*files(other, ca=fine)), (ssl.SSLError, ConnectionError))
        nobody = ssl.create_default_context(cafile=str(fine / "ca.pem"))
        await refused(address, nobody, (ssl.SSLError, ConnectionError))
        await refused(address, None, ConnectionError)
        client = await aiomas.rpc.open_connection(address, ssl=context)
        assert await client.remote.echo(1) == [1]
        assert client.channel.get_extra_info("cipher")[1] == "TLSv1.2" and client.channel.get_extra_info("peercert")
        await client.close()
        server.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        aiomas.run(run())


# --- util and the queue inside a process ------------------------------------------------------------------------------------


@case
def util(aiomas):
    assert aiomas.util.obj_from_str("collections:OrderedDict.fromkeys").__name__ == "fromkeys"
    for name in ("x", "a:b:c"):
        refuses(ValueError, f'Malformed object name "{name}": Expected "module:object"', lambda name=name: aiomas.util.obj_from_str(name))
    kind, serialize, deserialize = aiomas.util.arrow_serializer()
    moment = kind(2026, 1, 2)
    assert deserialize(serialize(moment)) == moment


@case
def queue_texts(aiomas):
    queues = aiomas.local_queue
    queue = aiomas.get_queue("texts")
    assert queue is aiomas.get_queue("texts") and type(queue) is queues.LocalQueue and queue.queue_id == "texts"
    assert aiomas.get_queue("others") is not queue
    refuses(ValueError, f'Queue ID must be "str" not "{int}"', lambda: aiomas.get_queue(5))
    error = refuses(ValueError, None, lambda: aiomas.get_queue("a/b"))
    assert str(error).startswith('"/" not allowed in queue ID'), error
    queues.clear_queue_cache()
    assert aiomas.get_queue("texts") is not queue


@case
def queue_as_transport(aiomas):
    """Works on all Pythons with ours; with the original up to 3.9."""
    if not ours(aiomas) and sys.version_info >= (3, 10):
        return
    Simple = simple(aiomas)

    class Own(Simple):
        @aiomas.expose
        async def call(self, proxy):
            return [await proxy.echo("back"), str(proxy)]

    async def run():
        for codec in (aiomas.JSON, aiomas.MsgPack, aiomas.MsgPackBlosc):
            queue = aiomas.get_queue("transport " + codec.__name__)
            text = "No server started for this local queue instance."
            await raises(ConnectionRefusedError, text, aiomas.rpc.open_connection(queue, codec=codec))
            clients = []
            server = await aiomas.rpc.start_server(queue, Own(), clients.append, codec=codec)
            await raises(RuntimeError, "Server is already set.", aiomas.rpc.start_server(queue, Own(), codec=codec))
            own = Simple()
            client = await aiomas.rpc.open_connection(queue, rpc_service=own, codec=codec)
            assert list(await client.remote.echo(1, "a")) == [1, "a"]
            results = await asyncio.gather(*[client.remote.echo(i) for i in range(1000)])
            assert [result[0] for result in results] == list(range(1000))
            called = await client.remote.call(own)
            assert list(called[0]) == ["back"] and called[1] == "Proxy('Lo', '')", called
            failure = await raises(aiomas.RemoteException, None, client.remote.nothing())
            assert failure.origin == f"LocalQueue('transport {codec.__name__}')", failure.origin
            assert str(client.remote) == "Proxy('Lo', '')"
            pending = client.remote.echo("pending")
            await client.close()
            await connection_lost(pending)
            await connection_lost(lambda client=client: client.remote.echo(1))
            server.close()
            await asyncio.wait_for(server.wait_closed(), LIMIT_S)

    aiomas.run(run())


def main():
    global FOLDER
    aiomas = peer.load(sys.argv[1])
    FOLDER = Path(sys.argv[2])
    for name in sys.argv[3:]:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            ALL[name](aiomas)
            detail = ""
        except BaseException:
            detail = traceback.format_exc()
        peer.tell(case=name, ok=not detail, detail=detail)


if __name__ == "__main__":
    main()
