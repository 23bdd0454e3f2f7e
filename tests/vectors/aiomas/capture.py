"""Writes the golden files of this folder by running the real aiomas 2.0.1, blosc and mosaik-api.

Needs the distributions of tests/interop/aiomas-requirements.txt. Run from the root of the repository:
    build/venv-aiomas/bin/python tests/vectors/aiomas/capture.py
"""

import asyncio
import json
import pathlib
import platform
import struct

import aiomas
import blosc
import mosaik_api_v3.connection as mosaik
import msgpack

HERE = pathlib.Path(__file__).parent
OBTAINED = "# Obtained: %s, aiomas 2.0.1 on CPython {} with msgpack {} and blosc {}, by tests/vectors/aiomas/capture.py.\n".format(
    platform.python_version(), msgpack.__version__ if hasattr(msgpack, "__version__") else ".".join(map(str, msgpack.version)), blosc.__version__)

_unpackb = msgpack.unpackb


def unpackb(data, **options):
    """aiomas 2.0.1 passes an option that msgpack 1.0 removed; the bytes on the wire are the same."""
    options.pop("encoding", None)
    options.update(raw=False, strict_map_key=False)
    return _unpackb(data, **options)


msgpack.unpackb = unpackb
CODECS = [aiomas.JSON, aiomas.MsgPack, aiomas.MsgPackBlosc]


def kind(codec, payload):
    """The first element of a message, whatever serializers its content needs."""
    if codec is aiomas.JSON:
        return json.loads(payload)[0]
    return unpackb(blosc.decompress(payload) if codec is aiomas.MsgPackBlosc else payload)[0]


class Sub:
    router = aiomas.rpc.Service()

    @aiomas.expose
    def ping(self):
        return "pong"


class Server:
    router = aiomas.rpc.Service(["math"])

    def __init__(self):
        self.math = aiomas.rpc.ServiceDict({"add": aiomas.expose(lambda a, b: a + b)})

    @aiomas.expose
    def none(self):
        return None

    @aiomas.expose
    async def cb(self, proxy):
        return [await proxy.name()]

    @aiomas.expose
    async def cb_sub(self, proxy):
        return await proxy.ping()

    @aiomas.expose
    def give(self):
        return self.math

    @aiomas.expose
    def echo(self, *args, **kwargs):
        return list(args) + [kwargs]


class Client:
    router = aiomas.rpc.Service(["sub"])

    def __init__(self):
        self.sub = Sub()

    @aiomas.expose
    def name(self):
        return "Monty"


class Tap:
    """A TCP relay that notes the frames of both directions in order."""

    def __init__(self, port):
        self.port, self.frames = port, []

    async def start(self):
        self.server = await asyncio.start_server(self.relay, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def relay(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self.pump(reader, up_writer, ">"), self.pump(up_reader, writer, "<"))

    async def pump(self, reader, writer, mark):
        try:
            while True:
                header = await reader.readexactly(4)
                payload = await reader.readexactly(struct.unpack("!L", header)[0])
                self.frames.append((mark, header + payload))
                writer.write(header + payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def session(codec):
    server = await aiomas.rpc.start_server(("127.0.0.1", 0), Server(), codec=codec)
    tap = Tap(server.sockets[0].getsockname()[1])
    me = Client()
    client = await aiomas.rpc.open_connection(("127.0.0.1", await tap.start()), rpc_service=me, codec=codec)
    r = client.remote
    await r.math.add(3, b=4)
    await r.none()
    await r.cb(me)
    await r.cb_sub(me.sub)
    await r.give()
    await r.echo(True, False, None, 0, -1, 127, 128, -32, -33, 2**31, -2**31 - 1, 2**40, 2**63 - 1, -2**63, 2**64 - 1)
    await r.echo(1.0, 0.1, 1e16, 1e-07, -0.0, float("inf"), float("nan"))
    await r.echo("", "\u00e9\u20ac\U0001f600", '"\\/\b\f\n\r\t\x00\x7f', "x" * 40, "y" * 300)
    await r.echo([], [[[]]], {"k": {"n": [1, {"m": None}]}}, list(range(20)), {str(i): i for i in range(20)}, key="w\u00e4rt", other=[])
    if codec is not aiomas.JSON:
        await r.echo(b"", b"\x00\xff" * 3, b"z" * 300, {1: 2, None: 3, (1, 2): 4})
    await client.close()
    return tap.frames


async def channel(codec):
    """The layer below RPC: any content, and an exception that was never raised has no machine's paths in its text."""
    async def serve(c):
        try:
            while True:
                request = await c.recv()
                if request.content == "fail":
                    await request.fail(ValueError('"sp\u00e4m"\nsecond line'))
                else:
                    await request.reply(request.content)
        except ConnectionError:
            await c.close()
    server = await aiomas.channel.start_server(("127.0.0.1", 0), serve, codec=codec)
    tap = Tap(server.sockets[0].getsockname()[1])
    client = await aiomas.channel.open_connection(("127.0.0.1", await tap.start()), codec=codec)
    await client.send("ohai")
    await client.send({"a": [1, 2.5]})
    try:
        await client.send("fail")
    except aiomas.RemoteException:
        pass
    for _ in range(130):  # ids in MsgPack change their width
        await client.send(None)
    await client.close()
    return tap.frames[:6] + tap.frames[-2:]


def pack_chunk(data, **options):
    """One chunk, as the codec makes it unless the options say otherwise."""
    return blosc.compress(data, typesize=options.pop("typesize", 8), **options)


def broken_chunks():
    """Chunks that are none; what one of them holds would be a sound call."""
    data = msgpack.packb([0, 1, ["echo", [0.0] * 40, {}]])
    short, packed = pack_chunk(msgpack.packb([0, 1, ["echo", [1], {}]])), pack_chunk(data)
    assert short[2] & 2 and not packed[2] & 2
    def patched(chunk, at, *values):
        return chunk[:at] + bytes(values) + chunk[at + len(values):]
    return [
        ("empty payload", b""), ("header cut", short[:15]), ("stored data cut", short[:-1]), ("stored data too long", short + b"\0"), ("plain MsgPack", data),
        ("version 3", patched(short, 0, 3)), ("size of the chunk wrong", patched(packed, 12, len(packed) - 1)), ("block size 0", patched(packed, 8, 0, 0, 0, 0)),
        ("offset outside", patched(packed, 16, 255, 255)), ("stream length outside", patched(packed, 20, 255, 255)), ("compressed data cut", packed[:-1]),
        ("size 2^32-1", patched(packed, 4, 255, 255, 255, 255)), ("copy from before the data", patched(packed, 24, 0, 0, 0x3f, 0xff)),
    ]


def raw_payloads(codec):
    """Payloads no aiomas sends, and what a server has to do about them."""
    if codec is aiomas.MsgPackBlosc:
        kept = ("truncated", "trailing byte", "not an array", "array of 2", "type 5", "array bomb", "id text", "id 2^64-1", "ext argument", "path a number")
        return broken_chunks() + [(name, pack_chunk(data)) for name, data in raw_payloads(aiomas.MsgPack) if name in kept]
    if codec is aiomas.MsgPack:
        pack = lambda v: msgpack.packb(v, use_bin_type=True)
        call = lambda id: pack([0, id, ["echo", [1], {}]])
        return [
            ("empty payload", b""), ("truncated", call(0)[:-1]), ("trailing byte", call(0) + b"\xc0"), ("unused byte", b"\xc1"),
            ("not an array", pack({"a": 1})), ("array of 2", pack([0, 0])), ("array of 4", pack([0, 0, ["echo", [], {}], 1])),
            ("type 5", pack([5, 0, None])), ("type is text", pack(["0", 0, None])), ("type -1", pack([-1, 0, None])),
            ("text is not UTF-8", b"\x93\x00\x00\x93\xa2\xff\xfe\x90\x80"), ("array bomb", b"\x93\x00\x00\xdd\xff\xff\xff\xff"),
            ("result nobody asked for", pack([1, 7, None])), ("type is float", pack([0.0, 1, ["echo", [1], {}]])),
            ("type is false", pack([False, 1, ["echo", [1], {}]])), ("id text", call("x")), ("id nil", call(None)), ("id negative", call(-5)),
            ("id array", call([1, "a"])), ("id 2^64-1", call(2**64 - 1)), ("id uint64 form", b"\x93\x00\xcf\0\0\0\0\0\0\0\x07\x93\xa4echo\x91\x01\x80"),
            ("str8 form of a short path", b"\x93\x00\x00\x93\xd9\x04echo\x91\x01\x80"), ("ext argument", b"\x93\x00\x00\x93\xa4echo\x91\xd4\x05\x01\x80"),
            ("content no triple", pack([0, 0, ["echo", [1]]])), ("content nil", pack([0, 0, None])), ("path a number", pack([0, 0, [5, [], {}]])),
        ]
    call = lambda id: ('[0, %s, ["echo", [1], {}]]' % id).encode()
    return [
        ("empty payload", b""), ("blanks only", b"  "), ("truncated", call("0")[:-1]), ("trailing comma", b'[0, 0, ["echo", [1,], {}]]'),
        ("two values", call("0") + b" 1"), ("not UTF-8", b'[0, 0, ["ec\xff", [], {}]]'), ("control character", b'[0, 0, ["echo", ["\x01"], {}]]'),
        ("leading zero", call("00")), ("bad escape", b'[0, 0, ["echo", ["\\x"], {}]]'), ("lone dot", call("1.")), ("plus sign", call("+1")),
        ("single quotes", b"[0, 0, ['echo', [], {}]]"), ("key without quotes", b'[0, 0, ["echo", [], {a: 1}]]'), ("byte order mark", b"\xef\xbb\xbf" + call("0")),
        ("not an array", b'{"a": 1}'), ("a number", b"5"), ("array of 2", b"[0, 0]"), ("array of 4", b'[0, 0, ["echo", [], {}], 1]'),
        ("type 5", b"[5, 0, null]"), ("type is text", b'["0", 0, null]'), ("type -1", b"[-1, 0, null]"), ("type null", b"[null, 0, null]"),
        ("result nobody asked for", b"[1, 7, null]"), ("compact", b'[0,0,["echo",[1],{}]]'), ("blanks everywhere", b' [ 0\t,\n0 , [ "echo" , [ 1 ] , { } ] ]\r\n'),
        ("raw UTF-8", '[0, 0, ["echo", ["\u00e9\u20ac\U0001f600"], {}]]'.encode()), ("non-finite", b'[0, 0, ["echo", [NaN, Infinity, -Infinity], {}]]'),
        ("escaped path", b'[0, 0, ["\\u0065cho", [1], {}]]'), ("lone surrogate", b'[0, 0, ["echo", ["\\ud800"], {}]]'),
        ("type is float", b'[0.0, 1, ["echo", [1], {}]]'), ("type is false", b'[false, 1, ["echo", [1], {}]]'), ("type is -0", b'[-0, 1, ["echo", [1], {}]]'),
        ("type is 0e5", b'[0e5, 1, ["echo", [1], {}]]'), ("id text", call('"x\\u00e9"')), ("id null", call("null")), ("id negative", call("-5")),
        ("id 2^70", call(str(2**70))), ("id float", call("1.5")), ("id array", call('[1, "a"]')), ("id map", call('{"a": 1}')),
        ("content no triple", b'[0, 0, ["echo", [1]]]'), ("content null", b"[0, 0, null]"), ("path a number", b"[0, 0, [5, [], {}]]"),
    ]


async def provoke(port, codec, payload):
    """What the server does about one payload: "closed", "silent", or the payload it answers."""
    probe, answer = codec().encode([0, 77, ["none", [], {}]]), codec().encode([1, 77, None])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(struct.pack("!L", len(payload)) + payload)
        # Handlers start in the order of arrival and none() answers at once; the pause lets the first answer come first.
        await asyncio.sleep(0.05)
        writer.write(struct.pack("!L", len(probe)) + probe)
        got = await reader.readexactly(struct.unpack("!L", await reader.readexactly(4))[0])
        return "silent" if got == answer else got
    except (asyncio.IncompleteReadError, ConnectionError):
        return "closed"
    finally:
        writer.close()


async def provocations(codec):
    server = await aiomas.rpc.start_server(("127.0.0.1", 0), Server(), codec=codec)
    port = server.sockets[0].getsockname()[1]
    return [(name, payload, await provoke(port, codec, payload)) for name, payload in raw_payloads(codec)]


class Guide:
    """The service of the documented session."""
    router = aiomas.rpc.Service(["math"])

    def __init__(self):
        self.math = aiomas.rpc.ServiceDict({"add": aiomas.expose(lambda a, b: a + b)})

    @aiomas.expose
    def none(self):
        return None

    @aiomas.expose
    def boom(self):
        raise ValueError('"spam" is not a number')

    @aiomas.expose
    async def cb(self, proxy):
        return [await proxy.name()] if not str(proxy).endswith("'sub')") else await proxy.ping()

    @aiomas.expose
    def give(self):
        return self.math

    @aiomas.expose
    def echo(self, value):
        return value


class Answer:
    """Something with a serializer of its own."""

    def __init__(self, number):
        self.number = number


async def documented(codec, extra=()):
    """The session that the documents of this project show: ids 0 to 2 and 9 to 13, with one more call per id between."""
    def serializer():
        return Answer, lambda a: a.number, Answer
    options = {"codec": codec, "extra_serializers": [serializer] if extra else []}
    server = await aiomas.rpc.start_server(("127.0.0.1", 0), Guide(), **options)
    tap = Tap(server.sockets[0].getsockname()[1])
    me = Client()
    client = await aiomas.rpc.open_connection(("127.0.0.1", await tap.start()), rpc_service=me, **options)
    r = client.remote
    await r.math.add(3, b=4)
    await r.none()
    try:
        await r.boom()
    except aiomas.RemoteException:
        pass
    for _ in range(6):
        await r.none()
    await r.cb(me)
    await r.cb(me.sub)
    await r.give()
    await r.echo([None, True, 1, -1, 2**40, 1.5, "\u00e9\u20ac\U0001f600", {"k": (1, 2)}, []])
    await r.echo(Answer(42) if extra else None)
    await client.close()
    # The traceback names places of a machine.
    return [(mark, frame) for mark, frame in tap.frames if kind(codec, frame[4:]) != 2]


async def sibling():
    """mosaik's implementation at both ends: its failure content is an array."""
    done = asyncio.Event()

    async def serve(reader, writer):
        channel = mosaik.Channel(reader, writer)
        first = await channel.next_request()
        await first.set_result({"api_version": "3.0", "models": {}})
        second = await channel.next_request()
        await second.set_exception(ValueError('"sp\u00e4m" is no model'))
        await done.wait()
        await channel.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    tap = Tap(server.sockets[0].getsockname()[1])
    client = mosaik.Channel(*await asyncio.open_connection("127.0.0.1", await tap.start()))
    await client.send(["init", ["sim-0"], {"time_resolution": 1.0}])
    try:
        await client.send(["create", [1, "A"], {}])
    except mosaik.RemoteException:
        pass
    done.set()
    await client.close()
    return tap.frames


def chunks():
    """Chunks of the real package: (name, data as [hex, times] pairs, chunk). The codec's own settings come first."""
    def case(name, *parts, blocksize=0, **options):
        blosc.set_blocksize(blocksize)
        return name, [[part.hex(), times] for part, times in parts], pack_chunk(b"".join(part * times for part, times in parts), **options)
    counted = bytes(range(256))
    rows = b"".join(struct.pack(">d", 20 + i / 64) for i in range(32))
    return [
        case("empty"), case("one byte", (b"x", 1)), case("7 bytes", (b"abcdefg", 1)), case("8 bytes", (b"abcdefgh", 1)), case("127 equal bytes", (b"a", 127)),
        case("128 equal bytes", (b"a", 128)), case("short last block", (b"abc", 50)), case("stored, blocks not split", (counted, 3)), case("stored, blocks split", (counted, 4), (b"\x01", 1)),
        case("1023 bytes", (rows, 3), (b"ab", 127), (b"c", 1)), case("split", (rows, 16)), case("split, short last block", (rows, 16), (b"tail!", 1)),
        case("long distance", (counted, 5), (bytes(range(1, 255, 3)), 1), (b"\0", 20000), (counted, 5)), case("300000 zeros", (b"\0", 300000)),
        case("two blocks of 1 MiB", (b"\0", 1 << 20), (b"ab", 1000), (b"\x07", 1 << 19)),
        case("three small blocks", (rows, 12), blocksize=1024), case("three small blocks, last short", (rows, 11), (b"abcdefghi", 10), blocksize=1024),
        case("no shuffle", (b"some text, ", 60), shuffle=blosc.NOSHUFFLE), case("element size 4", (b"abcd1234", 100), typesize=4), case("element size 1", (b"abcd", 200), typesize=1),
        case("element size 3", (b"abc", 300), typesize=3), case("element size 255", (b"abc", 300), typesize=255), case("level 1", (b"abcd5678", 500), clevel=1),
        case("level 0", (b"abcd5678", 50), clevel=0), case("lz4", (b"abcd5678", 50), cname="lz4"), case("zlib", (b"abcd5678", 50), cname="zlib"),
        case("zstd", (b"abcd5678", 50), cname="zstd"), case("bit shuffle", (b"abcd5678", 50), shuffle=blosc.BITSHUFFLE),
        case("lz4, bit shuffle", (b"abcd5678", 50), cname="lz4", shuffle=blosc.BITSHUFFLE), case("lz4, stored", (b"abcd5678", 1), cname="lz4"),
    ]


TEXTS = [
    "0", "-0", "7", "-12", str(2**70), "0.0", "-0.0", "1.0", "0.1", "1e5", "1E+5", "100000000000000000000.0", "1e15", "1e16", "1.5e16", "123456789012345680.0",
    "0.0001", "0.00001", "0.000123", "1e-7", "2.5e-10", "5e-324", "1.7976931348623157e308", "1e400", "-1e400", "9007199254740993.0", "3.141592653589793", "0.30000000000000004",
    "NaN", "Infinity", "-Infinity", "null", "true", "false", '""', '"a\\/b"', '"\\u0041\\u00E9\\u007f"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00\\ud83d"', '"\\u0000\\u001f"',
    '"\\b\\f\\n\\r\\t\\"\\\\"', '"\u00e9\u20ac\U0001f600\u007f\u2028"', "[]", "[ ]", "{}", "{ }", "[1,2,[3,[]]]", '{"a":1,"b":[true,null],"c":{"d":"e"}}', ' [ 1 , { "k" : "v:,]" } ] ',
    '{"":[{}]}', '"[1,2]"',
]


def quoted(text):
    """A YAML string; YAML has no surrogate pairs."""
    return '"' + "".join("\\U%08x" % ord(c) if ord(c) > 0xFFFF else json.dumps(c)[1:-1] for c in text) + '"'


def texts():
    return "".join("- {in: %s, out: %s}\n" % (quoted(t), quoted(json.dumps(json.loads(t)))) for t in TEXTS)


async def main():
    with open(HERE / "sessions.yaml", "w") as f:
        f.write(OBTAINED % "frames between two real peers")
        f.write("# Frames with header, in the order of the wire. \">\" goes from the client to the server. Nothing else is sent.\n")
        for layer, run in (("rpc", session), ("channel", channel)):
            for codec in CODECS:
                f.write("- layer: %s\n  codec: %s\n  frames:\n" % (layer, codec.__name__))
                for mark, frame in await run(codec):
                    f.write('    - ["%s", "%s"]\n' % (mark, frame.hex()))
    with open(HERE / "documented.yaml", "w") as f:
        f.write(OBTAINED % "frames between two real peers")
        f.write("# The session that the documents show; replies with a traceback are left out. Frames as in sessions.yaml.\n")
        for extra in (False, True):
            for codec in CODECS:
                f.write("- layer: rpc\n  codec: %s\n  extra_serializers: %d\n  frames:\n" % (codec.__name__, extra))
                for mark, frame in await documented(codec, extra):
                    f.write('    - ["%s", "%s"]\n' % (mark, frame.hex()))
    with open(HERE / "mosaik.yaml", "w") as f:
        f.write("# Obtained: frames between two peers of mosaik-api-v3 3.0.16 on CPython %s, by tests/vectors/aiomas/capture.py.\n" % platform.python_version())
        f.write("# The sibling protocol: frames of JSON as aiomas', the content of a failure is an array.\n")
        f.write("- layer: rpc\n  codec: JSON\n  frames:\n")
        for mark, frame in await sibling():
            f.write('    - ["%s", "%s"]\n' % (mark, frame.hex()))
    with open(HERE / "blosc.yaml", "w") as f:
        f.write("# Obtained: chunks of blosc %s (c-blosc %s) on CPython %s, by tests/vectors/aiomas/capture.py.\n" % (blosc.__version__, blosc.blosclib_version.split()[0], platform.python_version()))
        f.write("# The data is given as [bytes, times] pairs. aiomas sends what typesize 8 and the other settings of blosc.compress give.\n")
        for name, parts, chunk in chunks():
            f.write('- {name: "%s", data: %s, chunk: "%s"}\n' % (name, json.dumps(parts), chunk.hex()))
    with open(HERE / "provocations.yaml", "w") as f:
        f.write(OBTAINED % "a real RPC server's reaction to payloads of a raw socket")
        f.write("# closed: it closes the connection. silent: no answer, the connection lives. Otherwise the payload it answers.\n")
        f.write('# A traceback is shortened to "exception", as it names places of a machine.\n')
        for codec in CODECS:
            for name, payload, effect in await provocations(codec):
                if isinstance(effect, bytes):
                    effect = "exception" if kind(codec, effect) == 2 else effect.hex()
                f.write('- {codec: %s, name: "%s", payload: "%s", effect: "%s"}\n' % (codec.__name__, name, payload.hex(), effect))
    with open(HERE / "json_text.yaml", "w") as f:
        f.write(OBTAINED % "json.dumps(json.loads(in)) with default settings")
        f.write(texts())


if __name__ == "__main__":
    import logging
    logging.disable(logging.CRITICAL)
    asyncio.run(main())
