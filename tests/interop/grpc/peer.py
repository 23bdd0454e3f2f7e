"""grpcio as the peer of the grpc backend: messages are bytes, so no stubs are needed.

peer.py serve sync|aio: serves /peer.Echo/Do, prints its port, ends with its input; prints "here" for a call that waits and
"gone" when its caller has left.
peer.py call sync|aio ADDRESS: runs all cases against a server and prints one line each, "ok NAME" or "failed NAME: WHY".
"""

import asyncio
import sys
import threading
from concurrent import futures

import grpc
import grpc.aio

PATH = "/peer.Echo/Do"
MOST = 64 << 20
OPTIONS = [("grpc.max_receive_message_length", MOST + 5), ("grpc.max_send_message_length", 2 * MOST)]
SIZES = [0, 1, 300, 70_000, 5 << 20, MOST]
TIMEOUT = 30


def say(text):
    print(text, flush=True)


def meta_of(context):
    out = {}
    for key, value in context.invocation_metadata():
        out.setdefault(key, []).append(value)
    return out


def answer_to(meta, request, timed):
    """What the server answers when it does not fail or wait."""
    if meta.get("do") == ["meta"]:
        return f"{meta['key'][0]}|{meta['key-bin'][0].hex()}|{','.join(meta['more'])}|{str(timed).lower()}".encode()
    return request


def serve_sync():
    def do(request, context):
        meta = meta_of(context)
        if meta.get("do") == ["fail"]:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "Ärger 100 %")
        if meta.get("do") == ["wait"]:
            left = threading.Event()
            context.add_callback(left.set)
            say("here")
            left.wait(TIMEOUT)
            say("gone")
            return b""
        remaining = context.time_remaining()
        return answer_to(meta, request, remaining is not None and remaining < 3600)

    server = grpc.server(futures.ThreadPoolExecutor(8), options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("peer.Echo", {"Do": grpc.unary_unary_rpc_method_handler(do)}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    say(port)
    sys.stdin.read()
    server.stop(None).wait()


async def serve_aio():
    async def do(request, context):
        meta = meta_of(context)
        if meta.get("do") == ["fail"]:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "Ärger 100 %")
        if meta.get("do") == ["wait"]:
            say("here")
            try:
                await asyncio.get_running_loop().create_future()  # until it is cancelled
            finally:
                say("gone")
        remaining = context.time_remaining()
        return answer_to(meta, request, remaining is not None and remaining < 3600)

    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("peer.Echo", {"Do": grpc.unary_unary_rpc_method_handler(do)}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    say(port)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(None)


def expect(got, want):
    if got != want:
        raise AssertionError(f"{got!r:.200}, expected {want!r:.200}")


def outcome(error):
    return error.code(), error.details()


META = (("do", "meta"), ("key", "value"), ("key-bin", b"\x00\xc3\xa4\xff"), ("more", "1"), ("more", "2"))

WAITING = (("do", "waiting"),)

# Cases: name, path, request, metadata, timeout, what the answer or (code, text) must be.
CASES = [(f"{size} bytes", PATH, b"\xa5\n" * (size // 2) + b"x" * (size % 2), (), TIMEOUT, None) for size in SIZES] + [
    ("metadata", PATH, b"", META, TIMEOUT, b"value|00c3a4ff|1,2|true"),
    ("own code", PATH, b"", (("do", "fail"),), TIMEOUT, (grpc.StatusCode.UNKNOWN, "Ärger 100 %")),
    ("panic", PATH, b"", (("do", "panic"),), TIMEOUT, (grpc.StatusCode.INTERNAL, "on purpose")),
    ("unknown method", "/peer.Echo/Nothing", b"", (), TIMEOUT, (grpc.StatusCode.UNIMPLEMENTED, "/peer.Echo/Nothing")),
    ("too large", PATH, b"x" * (MOST + 1), (), TIMEOUT, (grpc.StatusCode.RESOURCE_EXHAUSTED, "max_message_bytes")),
    ("deadline", PATH, b"", (("do", "wait"),), 0.05, (grpc.StatusCode.DEADLINE_EXCEEDED, "")),
]


def judge(case, got):
    """Compares an answer, or a (code, text), with what the case asks for."""
    want = case[2] if case[5] is None else case[5]
    if isinstance(want, tuple):
        expect(got[0], want[0])
        expect(want[1] in got[1], True)
    else:
        expect(got, want)


def report(name, check):
    try:
        check()
        say(f"ok {name}")
    except AssertionError as error:
        say(f"failed {name}: {error}")


def call_sync(address):
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        for case in CASES:
            try:
                got = channel.unary_unary(case[1])(case[2], metadata=case[3], timeout=case[4])
            except grpc.RpcError as error:
                got = outcome(error)
            report(case[0], lambda case=case, got=got: judge(case, got))
        future = channel.unary_unary(PATH).future(b"", metadata=(("do", "wait"),), timeout=TIMEOUT)
        while channel.unary_unary(PATH)(b"", metadata=WAITING, timeout=TIMEOUT) == b"0":
            pass  # until the call has arrived
        future.cancel()
        report("cancel", lambda: expect(future.code(), grpc.StatusCode.CANCELLED))


async def call_aio(address):
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        for case in CASES:
            try:
                got = await channel.unary_unary(case[1])(case[2], metadata=case[3], timeout=case[4])
            except grpc.RpcError as error:
                got = outcome(error)
            report(case[0], lambda case=case, got=got: judge(case, got))
        waiting = channel.unary_unary(PATH)(b"", metadata=(("do", "wait"),), timeout=TIMEOUT)
        while await channel.unary_unary(PATH)(b"", metadata=WAITING, timeout=TIMEOUT) == b"0":
            pass  # until the call has arrived
        waiting.cancel()
        code = await waiting.code()
        report("cancel", lambda: expect(code, grpc.StatusCode.CANCELLED))
        many = await asyncio.gather(*(channel.unary_unary(PATH)(b"%d" % i, timeout=TIMEOUT) for i in range(200)))
        report("200 at once", lambda: expect(many, [b"%d" % i for i in range(200)]))


if __name__ == "__main__":
    mode, kind = sys.argv[1:3]
    if mode == "serve":
        serve_sync() if kind == "sync" else asyncio.run(serve_aio())
    elif kind == "sync":
        call_sync(sys.argv[3])
    else:
        asyncio.run(call_aio(sys.argv[3]))
