"""Echo over aiomas' RPC layer, as server or as client, with the real package or with ours.

endpoint.py PACKAGE serve CODEC
    serves on a free port, prints the port, and ends with its input
endpoint.py PACKAGE call CODEC PORT SERVER_PID SIZE IN_FLIGHT SECONDS
    prints one JSON line: calls, calls/s, p50 of a call, CPU time of the server's process and of its own per call, in microseconds

PACKAGE is ``aiomas`` or ``aimrt_rpc.aiomas``, CODEC is ``JSON`` or ``MsgPack``. ``echo`` gives back the one text that it gets.
"""

import asyncio
import importlib
import json
import statistics
import sys
import time

WARM_UP_CALLS = 100
# Linux: the clock of the CPU time of a process is named by its id.
CPU_OF_A_PROCESS = 2


def load(name):
    """Imports the package; with the real one msgpack >= 1.0 is given the option that it passes and that was removed."""
    if name == "aiomas":
        import msgpack

        unpackb = msgpack.unpackb

        def with_removed_option(data, encoding=None, **options):
            return unpackb(data, raw=False, strict_map_key=False, **options)

        msgpack.unpackb = with_removed_option
    return importlib.import_module(name)


def cpu_time(process):
    """Gives the CPU time that all threads of a process have used, in seconds."""
    return time.clock_gettime((~process << 3) | CPU_OF_A_PROCESS)


async def serve(aiomas, codec):
    """Serves until the input ends."""

    class Root:
        router = aiomas.rpc.Service()

        @aiomas.expose
        def echo(self, text):
            return text

    server = await aiomas.rpc.start_server(("127.0.0.1", 0), Root(), codec=codec)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def call(aiomas, codec, port, process, size, in_flight, seconds):
    """Keeps that many calls open for that long; prints the figures."""
    client = await aiomas.rpc.open_connection(("127.0.0.1", port), codec=codec)
    echo, text, times = client.remote.echo, "x" * size, []
    for _ in range(WARM_UP_CALLS):
        assert await echo(text) == text

    async def caller():
        now = time.perf_counter()
        while now < end:
            got = await echo(text)
            then, now = now, time.perf_counter()
            times.append(now - then)
            assert len(got) == size

    server, own, begin = cpu_time(process), time.process_time(), time.perf_counter()
    end = begin + seconds
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    took, own, server = time.perf_counter() - begin, time.process_time() - own, cpu_time(process) - server
    calls = len(times)
    figures = {"calls": calls, "rate": calls / took, "p50": statistics.median(times) * 1e6}
    print(json.dumps({**figures, "server_cpu": server / calls * 1e6, "client_cpu": own / calls * 1e6}))
    await client.close()


def main(package, mode, codec, *numbers):
    """Runs one end."""
    aiomas = load(package)
    work = serve if mode == "serve" else call
    asyncio.run(work(aiomas, getattr(aiomas, codec), *(float(n) if "." in n else int(n) for n in numbers)))


if __name__ == "__main__":
    main(*sys.argv[1:])
