"""Python's share of the stress tests: runtimes, asyncio loops and threads that come and go, over http and in the process.

Argument: seconds (0 = the short form). The last line is "loops: N passed, N failed".
"""

import asyncio
import gc
import os
import socket
import sys
import threading
import time
from pathlib import Path

import aimrt_rpc
from aimrt_rpc import _abi, _core
from aimrt_rpc._lib import lib

ROUNDS = 15  # samples of memory
CALLS = 100
THREADS = 12
MEMORY_LIMIT = 12 << 20
LIMIT_S = 60.0  # only a hang takes so long

passed = 0
failed = 0


def check(condition, text):
    """Counts one check and shows a failure."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"not true: {text}", file=sys.stderr)


def free_port():
    """Gives a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def config(backend):
    """Everything over one backend, to the process itself."""
    port = free_port()
    plugin = f"  plugin: {{plugins: [{{name: net_plugin, options: {{http_options: {{listen_ip: 127.0.0.1, listen_port: {port}}}}}}}]}}\n"
    options = f", options: {{clients_options: [{{func_name: '(.*)', server_url: 'http://127.0.0.1:{port}'}}]}}"
    return (
        "aimrt:\n  log: {core_lvl: Off, backends: [{type: console}]}\n"
        + (plugin if backend == "http" else "")
        + f"  rpc:\n    backends: [{{type: {backend}{options if backend == 'http' else ''}}}]\n"
        + f"    clients_options: [{{func_name: '(.*)', enable_backends: [{backend}]}}]\n"
        + f"    servers_options: [{{func_name: '(.*)', enable_backends: [{backend}]}}]\n"
    )


def counts():
    """What must not grow: handles, objects lent to C, descriptors."""
    gc.collect()
    return {
        **{f"handles of kind {kind}": lib.aimrt_rpc_live_count(kind) for kind in range(1, _abi.AIMRT_RPC_KIND_TASK + 1)},
        "lent objects": _core.lent_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "Python threads": threading.active_count(),
    }


def resident():
    """Memory of the process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def call_all(say, slow):
    """Calls side by side, some of them cancelled; gives how many went well."""
    tasks = [asyncio.create_task(say.invoke_async(b"x" * n, timeout=LIMIT_S)) for n in range(CALLS)]
    waiting = [asyncio.create_task(slow.invoke_async(b"", timeout=LIMIT_S)) for _ in range(10)]
    good = sum(answer == b"x" * n for n, answer in enumerate(await asyncio.gather(*tasks)))
    for task in waiting:
        task.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    return good if all(isinstance(e, asyncio.CancelledError) for e in ended) else -1


def one_life(backend):
    """A runtime with a loop, threads and calls of both kinds, from beginning to end."""

    async def main():
        forever = asyncio.Event()

        async def wait(context, request):
            await forever.wait()

        async def echo(context, request):
            return request

        with aimrt_rpc.Runtime(config_text=config(backend)) as runtime:
            runtime.initialize()
            # Two packages, so that a cancelled call ends at once.
            server, client = runtime.create_module("server", "one"), runtime.create_module("client", "two")
            server.serve("pb:/loops.Echo/Call", echo)
            server.serve("pb:/loops.Wait/Call", wait)
            server.serve("pb:/loops.Plain/Call", lambda context, request: request)
            say, slow, plain = (client.client(f"pb:/loops.{name}/Call") for name in ("Echo", "Wait", "Plain"))
            runtime.start()
            good = await call_all(say, slow)
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(plain.invoke(b"thread", timeout=LIMIT_S))) for _ in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.get_running_loop().run_in_executor(None, thread.join)
            return good, answers

    good, answers = asyncio.run(main())
    check(good == CALLS, f"{backend}: {good} of {CALLS} calls went well")
    check(answers == [b"thread"] * THREADS, f"{backend}: threads got {answers}")


def settled(before):
    """Waits until nothing is more than before; gives what is."""
    end = time.monotonic() + LIMIT_S
    while True:
        left = {what: (before[what], now) for what, now in counts().items() if now > before[what]}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.01)


def main():
    """Repeats lives and compares what is left."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    end = time.monotonic() + seconds
    for backend in ("local", "http"):
        one_life(backend)  # what is made once stays
    before = counts()
    memory = []
    while len(memory) < ROUNDS or time.monotonic() < end:
        for backend in ("local", "http"):
            one_life(backend)
        memory.append(resident())
    left = settled(before)
    check(not left, f"left: {left}")
    third = len(memory) // 3
    grown = min(memory[2 * third :]) - min(memory[third : 2 * third])
    check(grown <= MEMORY_LIMIT, f"resident memory grew by {grown} bytes")
    print(f"    {len(memory)} rounds, resident memory {grown // 1024:+} KiB, {memory[-1] // 1024} KiB in all")
    print(f"loops: {passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
