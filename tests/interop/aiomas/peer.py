"""The real aiomas as a peer of the Go tests beside this file.

    peer.py server JSON|MsgPack|MsgPackBlosc tcp|unix ADDRESS     serves until stdin ends; prints {"ready": port or path}
    peer.py client JSON|MsgPack|MsgPackBlosc tcp|unix ADDRESS     connects, prints {"ready": ...}, then answers one JSON command per line

Commands of the client: {"op": "call"|"start", "path": "a/b", "args": [...], "kwargs": {...}}, {"op":
"finish"|"cancel"} for the started call,
{"op": "callback"} (passes the own service), {"op": "many", "count": n}, {"op": "bytes"}, {"op": "close"}.
"""

import asyncio
import json
import os
import sys

import aiomas
import msgpack

_unpackb = msgpack.unpackb


def unpackb(data, **options):
    """aiomas 2.0.1 passes an option that msgpack 1.0 removed; the bytes on the wire are the same."""
    options.pop("encoding", None)
    options.update(raw=False, strict_map_key=False)
    return _unpackb(data, **options)


msgpack.unpackb = unpackb


class Sub:
    router = aiomas.rpc.Service()

    @aiomas.expose
    def ping(self):
        return "pong"


class Root:
    router = aiomas.rpc.Service(["sub"])

    def __init__(self):
        self.sub = Sub()
        self.events = {}

    def event(self, name):
        return self.events.setdefault(name, asyncio.Event())

    @aiomas.expose
    def echo(self, *args, **kwargs):
        return [*list(args), kwargs]

    @aiomas.expose
    def boom(self, text):
        raise ValueError(text)

    @aiomas.expose
    async def wait(self, name):
        await self.event(name).wait()
        return name

    @aiomas.expose
    def release(self, name):
        self.event(name).set()

    @aiomas.expose
    def give(self):
        return self.sub

    @aiomas.expose
    async def callback(self, proxy):
        return [await proxy.name("x"), await proxy.sub.ping()]

    @aiomas.expose
    def name(self, suffix):
        return "Monty " + suffix


def tell(**facts):
    print(json.dumps(facts), flush=True)


async def lines():
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            os._exit(0)  # whoever started us is gone; open connections must not keep us
        yield line


def address(network, text):
    if network == "unix":
        return text
    host, _, port = text.rpartition(":")
    return host, int(port)


async def serve(codec, network, text, **options):
    server = await aiomas.rpc.start_server(address(network, text), Root(), codec=codec, **options)
    tell(ready=text if network == "unix" else server.sockets[0].getsockname()[1])
    async for _ in lines():
        pass


def plain(value):
    """What JSON can show of a value: tuples are lists, bytes are named."""
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return value


async def many(client, count):
    futures = [client.remote.echo(i, text=f"\u00e4{i}") for i in range(count)]
    answers = await asyncio.gather(*futures)
    return sum(list(a) == [i, {"text": f"\u00e4{i}"}] for i, a in enumerate(answers))


class Commands:
    def __init__(self, client, service):
        self.client, self.service, self.started = client, service, None

    def begin(self, command):
        target = self.client.remote
        for name in command["path"].split("/"):
            target = getattr(target, name)
        return target(*command.get("args", []), **command.get("kwargs", {}))

    async def run(self, command):
        op = command["op"]
        if op == "call":
            return await self.begin(command)
        if op == "start":
            self.started = self.begin(command)
            return "started"
        if op == "finish":
            return await self.started
        if op == "cancel":
            return self.started.cancel()
        if op == "callback":
            return await self.client.remote.callback(self.service)
        if op == "many":
            return await many(self.client, command["count"])
        if op == "bytes":
            return await self.client.remote.echo(b"\x00\xff", {1: (2, None)})
        if op == "close":
            await self.client.close()
            return "closed"
        raise LookupError(op)


async def command_loop(codec, network, text, **options):
    service = Root()
    client = await aiomas.rpc.open_connection(address(network, text), rpc_service=service, codec=codec, **options)
    commands = Commands(client, service)
    tell(ready=text)
    async for line in lines():
        try:
            tell(result=plain(await commands.run(json.loads(line))))
        except BaseException as e:
            tell(raised=type(e).__name__, text=str(e), remote=getattr(e, "remote_traceback", None))


if __name__ == "__main__":
    mode, codec, network, where = sys.argv[1:]
    asyncio.run({"server": serve, "client": command_loop}[mode](getattr(aiomas, codec), network, where))
