"""One peer of the interop tests: the real aiomas or ours, as server or as client, in a process of its own.

    peer.py PACKAGE server CODEC tcp|unix|tls ADDRESS                    serves until stdin ends; first prints {"ready": [address, ...]}
    peer.py PACKAGE client CODEC tcp|unix|tls ADDRESSES PEER CASE...     runs cases of cases.py, prints one {"case", "ok", "detail"} each

PACKAGE is the name to import: ``aiomas`` or ``aimrt_rpc.aiomas``. PEER is the server's package: it decides what a client may expect.
An address is a path or HOST:PORT; a server has three: RPC, RPC with serializers, the channel layer. A client gets them with commas.
With tls, the certificates lie in the folder that AIOMAS_CERTIFICATES names.
"""

import asyncio
import importlib
import importlib.util
import json
import os
import sys
import traceback
import warnings

import cases
import service

CASE_LIMIT_S = 60
OURS = "aimrt_rpc.aiomas"


def load(package):
    """Imports the package under test; the real one needs an option of its msgpack calls dropped, the bytes stay the same."""
    if package == "aiomas" and importlib.util.find_spec("aimrt_rpc") is None:
        import msgpack

        unpackb = msgpack.unpackb

        def without_encoding(data, **options):
            options.pop("encoding", None)
            options.update(raw=False, strict_map_key=False)
            return unpackb(data, **options)

        msgpack.unpackb = without_encoding
    aiomas = importlib.import_module(package)
    print(f"{package} is {aiomas.__file__}", file=sys.stderr)
    return aiomas


def tell(**facts):
    print(json.dumps(facts), flush=True)


def address_of(network, text):
    if network == "unix":
        return text
    host, _, port = text.rpartition(":")
    return (host, int(port))


def contexts(aiomas):
    """The TLS contexts of both sides, made by the helpers under test."""
    folder = os.environ["AIOMAS_CERTIFICATES"]
    files = [os.path.join(folder, name) for name in ("ca.pem", "device.pem", "device.key")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return aiomas.make_ssl_server_context(*files), aiomas.make_ssl_client_context(*files)


def bound(network, address, server):
    """Says where the server listens, with the port that was chosen for it."""
    return address if network == "unix" else f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def serve(aiomas, codec, network, address):
    """Serves the tree of service.py and a channel beside it until stdin ends."""
    root, point = service.make(aiomas)
    options = {"codec": codec}
    if network == "tls":
        options["ssl"] = contexts(aiomas)[0]
    serializers = [service.custom_serializer, point.__serializer__]
    plain, rich, low = (f"{address}.{kind}" if network == "unix" else address for kind in ("plain", "rich", "low"))
    servers = [
        await aiomas.rpc.start_server(address_of(network, plain), root, root.connected, **options),
        await aiomas.rpc.start_server(address_of(network, rich), root, root.connected, extra_serializers=serializers, **options),
        await aiomas.channel.start_server(address_of(network, low), service.serve_channel, **options),
    ]
    tell(ready=[bound(network, name, server) for name, server in zip((plain, rich, low), servers)])
    await asyncio.get_event_loop().run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()
    await root.leave(aiomas.__name__ == OURS)


async def run_cases(context, names):
    """Runs the named cases; what the loop complains about while a case of ours runs is a failure of that case."""
    for name in names:
        complaints = []
        asyncio.get_event_loop().set_exception_handler(lambda _, facts, to=complaints: to.append(repr(facts)))
        try:
            await asyncio.wait_for({**cases.ALL, **cases.DYING}[name](context), CASE_LIMIT_S)
            detail = ""
        except (Exception, asyncio.CancelledError):
            detail = traceback.format_exc()
        finally:
            await context.close()
        if context.ours and complaints:
            detail += "\nthe event loop reported: " + "\n".join(complaints)
        tell(case=name, ok=not detail, detail=detail)


def main():
    package, mode, codec_name, network, address = sys.argv[1:6]
    aiomas = load(package)
    codec = getattr(aiomas, codec_name)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    if mode == "server":
        loop.run_until_complete(serve(aiomas, codec, network, address))
    else:
        context = cases.Context(aiomas, codec, network, [address_of(network, text) for text in address.split(",")])
        context.ours, context.peer_ours = package == OURS, sys.argv[6] == OURS
        if network == "tls":
            context.options["ssl"] = contexts(aiomas)[1]
        loop.run_until_complete(run_cases(context, sys.argv[7:]))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


if __name__ == "__main__":
    main()
