"""The reference program of the conformance suites in Python; see ../README.md for the commands.

It uses the public API of aimrt_rpc. The frame_pb2 module of ../frame.proto must be on the path.
"""

import asyncio
import gc
import json
import sys
import threading
import time
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor

import frame_pb2

import aimrt_rpc
from aimrt_rpc import _abi, _core
from aimrt_rpc._lib import lib

FULL_NUMBER = (1 << 64) - 1
THIRD = "pb:/conformance.Third/Answer"
CODECS = {"pb": (bytes, bytes), "json": (bytes, bytes)}
# The most calls that block at the same time: those of a burst, and a few.
THREADS = 256
QUIT_WITHIN_S = 10

say_lock = threading.Lock()


def say(**line):
    """Writes one answer."""
    with say_lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def pattern(size):
    """The request of a given size."""
    return bytes((i * 31 + 7) & 255 for i in range(256)) * (size // 256) + bytes((i * 31 + 7) & 255 for i in range(size % 256))


def codec_of(registration):
    """The codec of a registration: frames, or bytes with the serializations given."""
    if registration["form"] == "message":
        return frame_pb2.Frame
    return aimrt_rpc.Codec({name: CODECS[name] for name in registration["serializations"]})


class Raw:
    """How a handler or a caller deals in bytes."""

    @staticmethod
    def make(text, body, serialization):
        """A request, or an answer of a text."""
        return body if text is None else text.encode()

    @staticmethod
    def text(value):
        """The text of a request."""
        return value.decode()

    @staticmethod
    def tell(value, want_text):
        """Describes a response."""
        told = {"size": len(value), "crc": zlib.crc32(value)}
        if want_text:
            told["text"] = value.decode("utf-8", "replace")
        return told


class Message:
    """How a handler or a caller deals in frames."""

    @staticmethod
    def make(text, body, serialization):
        """A request, or an answer of a text."""
        return frame_pb2.Frame(body=body, some_text=text or "", big_number=FULL_NUMBER)

    @staticmethod
    def text(value):
        """The text of a request."""
        return value.some_text

    @staticmethod
    def tell(value, want_text):
        """Describes a response."""
        body = value.body
        return {"size": len(body), "crc": zlib.crc32(body), "text": value.some_text, "number": str(value.big_number)}


FORMS = {"raw": Raw, "message": Message}


def milliseconds(delta):
    """Whole milliseconds of a timedelta."""
    return round(delta.total_seconds() * 1000)


class Hold:
    """A call of method Hold."""

    def __init__(self):
        self.arrived, self.unasked, self.released, self.answered = (asyncio.Event() for _ in range(4))


class Program:
    """The state of this program. Everything runs in the loop, except what blocks."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.threads = ThreadPoolExecutor(THREADS)
        self.runtime = None
        self.clients, self.contexts, self.tasks, self.holds, self.groups = {}, {}, {}, {}, {}
        self.commands = set()

    # --- commands -----------------------------------------------------------------------------------------------------

    async def run(self, command):
        """Carries out one command and answers."""
        try:
            say(id=command["id"], ok=await getattr(self, "do_" + command["do"])(command))
        except BaseException as error:
            traceback.print_exc()
            say(id=command["id"], error=f"{type(error).__name__}: {error}")

    async def do_open(self, command):
        """Makes the runtime with its modules."""
        self.runtime = aimrt_rpc.Runtime(config_text=command["config"], log=lambda r: print(r["text"], file=sys.stderr))
        self.runtime.initialize()
        for described in command["modules"]:
            module = self.runtime.create_module(described["name"], described["package"])
            for one in described["call"] or []:
                codec = codec_of(one)
                self.clients[one["function"]] = module.client(one["function"], request=codec, response=codec)
            for one in described["serve"] or []:
                codec = codec_of(one)
                module.serve(one["function"], self.handler(one), request=codec, response=codec)
        self.runtime.start()
        addresses = self.runtime.statistics()["addresses"]
        return {"address": "".join(addresses.get(backend, "") for backend in ("http", "grpc", "aiomas"))}

    def context(self, command):
        """Makes or finds the context of a call; None when the call has none."""
        name = command["context"]
        if name == "none":
            return None
        context = self.contexts.get(name) if name else None
        if context is None:
            context = aimrt_rpc.Context()
        elif not command["reset"]:
            return context
        else:
            context.reset()
        if name:
            self.contexts[name] = context
        if command["timeout_ms"]:
            context.timeout = command["timeout_ms"] / 1000
        if command["target"]:
            context.target = command["target"]
        for key, value in command["metadata"] or []:
            context[key] = value
        return context

    async def do_call(self, command):
        """Makes one call and tells how it ended."""
        form, text = FORMS[command["form"]], command.get("text")
        method, context = self.clients[command["function"]], self.context(command)
        body = pattern(command["size"]) if text is None else b""
        request = form.make(text, body, command["serialization"])
        arguments = {"context": context, "serialization": command["serialization"]}
        try:
            if command["later"]:
                task = self.loop.create_task(method.invoke_async(request, **arguments))
                self.tasks[command["as"]] = task
                try:
                    response = await task
                finally:
                    del self.tasks[command["as"]]
            else:
                response = await self.loop.run_in_executor(self.threads, lambda: method.invoke(request, **arguments))
            out = {"code": 0, "message": "OK", "response": form.tell(response, text is not None or not command["size"])}
        except aimrt_rpc.RpcError as error:
            out = {"code": error.code, "message": error.message or error.status.text}
        except asyncio.CancelledError:
            out = {"code": int(aimrt_rpc.Code.CANCELLED), "message": "the task was cancelled"}
        if context is not None:
            used = bool(lib.aimrt_rpc_context_used(context.handle))
            out["context"] = {"used": used, "timeout_ms": milliseconds(context.timeout), "metadata": context.metadata()}
        return out

    async def do_burst(self, command):
        """Makes many calls at the same time."""
        outcomes, wrong = {}, 0
        count = command["count"]
        texts = [f"{command['text']} {count} {i}" for i in range(count)]
        calls = [self.do_call({**command, "text": text, "as": f"{command['as']}/{i}"}) for i, text in enumerate(texts)]
        for text, ended in zip(texts, await asyncio.gather(*calls)):
            code = str(ended["code"])
            outcomes[code] = outcomes.get(code, 0) + 1
            wrong += code == "0" and ended["response"]["text"] != text
        return {"outcomes": outcomes, "wrong": wrong}

    async def do_cancel(self, command):
        """Cancels a call of style later."""
        self.tasks[command["as"]].cancel()
        return {}

    def hold(self, key):
        """The place of a held call; who waits for one that has not come makes it."""
        return self.holds.setdefault(key, Hold())

    async def do_arrived(self, command):
        """Waits until a call of method Hold is there."""
        await self.hold(command["key"]).arrived.wait()
        return {}

    async def do_unasked(self, command):
        """Waits until its handler knows that nobody waits."""
        await self.hold(command["key"]).unasked.wait()
        return {}

    async def do_release(self, command):
        """Lets its handler answer."""
        hold = self.hold(command["key"])
        if command.get("force") and not hold.arrived.is_set():
            return {}
        await hold.arrived.wait()
        hold.released.set()
        await hold.answered.wait()
        return {"finished": "unknown"}

    # --- handlers -----------------------------------------------------------------------------------------------------

    def handler(self, registration):
        """The handler of a method: a function, or a coroutine function when it answers later."""
        form, method = FORMS[registration["form"]], registration["method"]
        if method == "Nest":
            return self.nest_later(form) if registration["later"] else self.nest_now(form)
        if method in ("Hold", "Gather"):
            return getattr(self, method.lower() + "_handler")(form)
        now = getattr(self, "serve_" + {"PbOnly": "echo"}.get(method, method.lower()))(form)
        if not registration["later"]:
            return now

        async def later(context, request):
            await asyncio.sleep(0)
            return now(context, request)

        return later

    def serve_echo(self, form):
        """Answers with the request."""
        return lambda context, request: request

    def serve_status(self, form):
        """Ends with the code and the text of the request."""

        def serve(context, request):
            number, _, text = form.text(request).partition(" ")
            if int(number) == 0:
                return request
            raise aimrt_rpc.RpcError(aimrt_rpc.Status(int(number), text))

        return serve

    def serve_fail(self, form):
        """Raises."""

        def serve(context, request):
            raise ValueError(form.text(request))

        return serve

    def serve_context(self, form):
        """Answers with the context as JSON."""

        def serve(context, request):
            seen = {"timeout_ms": milliseconds(context.timeout), "metadata": context.metadata()}
            return form.make(json.dumps(seen), b"", "")

        return serve

    def serve_third(self, form):
        """Says who called."""

        def serve(context, request):
            return form.make(f"third got {form.text(request)} from {context.get('aimrt-from_module')}", b"", "")

        return serve

    def nest_now(self, form):
        """Calls the third module and waits."""
        return lambda context, request: form.make(self.clients[THIRD].invoke(form.text(request).encode()).decode(), b"", "")

    def nest_later(self, form):
        """Calls the third module and awaits."""

        async def serve(context, request):
            answer = await self.clients[THIRD].invoke_async(form.text(request).encode())
            return form.make(answer.decode(), b"", "")

        return serve

    def hold_handler(self, form):
        """Answers when it is released, also when nobody waits any more."""

        async def serve(context, request):
            hold = self.hold(form.text(request))
            hold.arrived.set()
            while not hold.released.is_set():
                try:
                    await hold.released.wait()
                except asyncio.CancelledError:
                    hold.unasked.set()
            self.loop.call_soon(hold.answered.set)
            return request

        return serve

    def gather_handler(self, form):
        """Answers when all calls of the group have arrived."""

        async def serve(context, request):
            group, count, _ = form.text(request).split(" ")
            complete, members = self.groups.setdefault(group, (asyncio.Event(), []))
            members.append(request)
            if len(members) == int(count):
                complete.set()
            await complete.wait()
            return request

        return serve

    # --- the end ------------------------------------------------------------------------------------------------------

    async def quit(self):
        """Closes everything and counts what is left."""
        await asyncio.gather(*self.commands)
        for context in self.contexts.values():
            context.close()
        if self.runtime is not None:
            await self.loop.run_in_executor(None, self.runtime.close)
        self.threads.shutdown()
        self.runtime = None
        self.clients.clear()
        end = time.monotonic() + QUIT_WITHIN_S
        while True:
            gc.collect()
            left = {"calls": lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_CALL), "lent objects": _core.lent_count()}
            left["server calls"] = lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_SERVER_CALL)
            left["contexts"] = lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_CONTEXT)
            left["runtimes"] = lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_RUNTIME)
            if not any(left.values()) or time.monotonic() > end:
                return left
            await asyncio.sleep(0.001)


async def main():
    """Reads commands until quit."""
    program = Program()
    say(id=0, ok={"language": "python", "capabilities": ["cancels_later"]})
    while True:
        line = await program.loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            sys.exit("the runner is gone")
        command = json.loads(line)
        if command["do"] == "quit":
            say(id=command["id"], ok=await program.quit())
            return
        task = program.loop.create_task(program.run(command))
        program.commands.add(task)
        task.add_done_callback(program.commands.discard)


if __name__ == "__main__":
    asyncio.run(main())
