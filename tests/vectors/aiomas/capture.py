"""Writes the golden files of this folder by running the real aiomas 2.0.1.

Needs the distributions of tests/interop/aiomas-requirements.txt. Run from the root of the repository:
    build/venv-aiomas/bin/python tests/vectors/aiomas/capture.py
"""

import asyncio
import json
import pathlib
import platform
import struct

import aiomas
import msgpack

HERE = pathlib.Path(__file__).parent
OBTAINED = "# Obtained: %s, aiomas 2.0.1 on CPython {} with msgpack {}, by tests/vectors/aiomas/capture.py.\n".format(
    platform.python_version(), msgpack.__version__ if hasattr(msgpack, "__version__") else ".".join(map(str, msgpack.version)))

_unpackb = msgpack.unpackb


def unpackb(data, **options):
    """aiomas 2.0.1 passes an option that msgpack 1.0 removed; the bytes on the wire are the same."""
    options.pop("encoding", None)
    options.update(raw=False, strict_map_key=False)
    return _unpackb(data, **options)


msgpack.unpackb = unpackb
CODECS = [aiomas.JSON, aiomas.MsgPack]


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
    if codec is aiomas.MsgPack:
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


def raw_payloads(codec):
    """Payloads no aiomas sends, and what a server has to do about them."""
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
    probe = msgpack.packb([0, 77, ["none", [], {}]]) if codec is aiomas.MsgPack else b'[0, 77, ["none", [], {}]]'
    answer = msgpack.packb([1, 77, None]) if codec is aiomas.MsgPack else b"[1, 77, null]"
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
    with open(HERE / "provocations.yaml", "w") as f:
        f.write(OBTAINED % "a real RPC server's reaction to payloads of a raw socket")
        f.write("# closed: it closes the connection. silent: no answer, the connection lives. Otherwise the payload it answers.\n")
        f.write('# A traceback is shortened to "exception", as it names places of a machine.\n')
        for codec in CODECS:
            for name, payload, effect in await provocations(codec):
                if isinstance(effect, bytes):
                    kind = (unpackb(effect) if codec is aiomas.MsgPack else json.loads(effect))[0]
                    effect = "exception" if kind == 2 else effect.hex()
                f.write('- {codec: %s, name: "%s", payload: "%s", effect: "%s"}\n' % (codec.__name__, name, payload.hex(), effect))
    with open(HERE / "json_text.yaml", "w") as f:
        f.write(OBTAINED % "json.dumps(json.loads(in)) with default settings")
        f.write(texts())


if __name__ == "__main__":
    import logging
    logging.disable(logging.CRITICAL)
    asyncio.run(main())
