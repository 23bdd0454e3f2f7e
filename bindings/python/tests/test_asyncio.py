"""The native API under asyncio: awaited calls, async handlers, cancellation."""

import asyncio
import gc
import threading

import pytest

import aimrt_rpc
from aimrt_rpc import Code, RpcError, Runtime, _abi, _core
from aimrt_rpc._lib import lib
from aimrt_rpc._queue import loop_queue
from conftest import LOCAL, wait_until


def server_calls():
    """Counts the requests that nobody has answered."""
    return lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_SERVER_CALL)


def run(body):
    """Runs a coroutine with an initialized runtime."""

    async def inner():
        with Runtime(config_text=LOCAL) as runtime:
            runtime.initialize()
            return await asyncio.wait_for(body(runtime), 60)

    return asyncio.run(inner())


def test_awaited_call_to_a_plain_handler():
    async def body(runtime):
        module = runtime.create_module("m")
        module.serve("pb:/a/B", lambda _, request: request[::-1])
        method = module.client("pb:/a/B")
        runtime.start()
        assert await method.invoke_async(b"abc") == b"cba"

    run(body)


def test_async_handlers_run_in_the_loop_side_by_side():
    async def body(runtime):
        module = runtime.create_module("m")
        everybody = asyncio.Event()
        inside = 0

        async def handler(context, request):
            nonlocal inside
            inside += 1
            if inside == 64:
                everybody.set()
            await everybody.wait()  # only when all 64 are inside at once does any go on
            return request

        module.serve("pb:/a/B", handler)
        method = module.client("pb:/a/B")
        runtime.start()
        bodies = [b"%d" % i for i in range(64)]
        assert await asyncio.gather(*[method.invoke_async(b) for b in bodies]) == bodies

    run(body)


def test_thousands_in_flight():
    async def body(runtime):
        module = runtime.create_module("m")

        async def handler(context, request):
            await asyncio.sleep(0)
            return request

        module.serve("pb:/a/B", handler)
        method = module.client("pb:/a/B")
        runtime.start()
        bodies = [b"%d" % i for i in range(10_000)]
        assert await asyncio.gather(*[method.invoke_async(b) for b in bodies]) == bodies

    run(body)


def test_cancelling_the_task_cancels_the_handler():
    async def body(runtime):
        module = runtime.create_module("server")
        entered, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(context, request):
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        module.serve("pb:/a/B", handler)
        method = module.client("pb:/a/B")
        runtime.start()
        task = asyncio.ensure_future(method.invoke_async(b""))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await cancelled.wait()

    run(body)


def test_handler_cancelled_before_its_first_step_has_answered():
    async def body(runtime):
        server, client = runtime.create_module("server", "one"), runtime.create_module("client", "two")

        async def handler(context, request):
            raise AssertionError("the call was cancelled before")

        server.serve("pb:/a/B", handler)
        method = client.client("pb:/a/B")
        runtime.start()
        # Both events are in the queue when the loop looks next.
        assert _core.cancel(_core.start(method.handle, 0, b"", None, loop_queue().handle, 0))
        while not server_calls():
            await asyncio.sleep(0)
        while server_calls():
            await asyncio.sleep(0)

    run(body)


def test_loop_that_ends_under_a_handler_answers(runtime):
    answers = []

    async def handler(context, request):
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    async def serve():
        runtime.create_module("server", "one").serve("pb:/a/B", handler)

    def call(method):
        with pytest.raises(RpcError) as caught:
            method.invoke(b"", timeout=30)
        answers.append(caught.value.code)

    def lose_a_loop():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(serve())
        method = runtime.create_module("client", "two").client("pb:/a/B")
        runtime.start()
        caller = threading.Thread(target=call, args=(method,))
        caller.start()
        loop.run_forever()
        loop.close()

    lose_a_loop()
    wait_until(lambda: gc.collect() >= 0 and answers)
    assert answers == [Code.SVR_NOT_READY]


def test_handler_raises():
    async def body(runtime):
        module = runtime.create_module("m")

        async def handler(context, request):
            raise ValueError("bad joint")

        module.serve("pb:/a/B", handler)
        method = module.client("pb:/a/B")
        runtime.start()
        with pytest.raises(aimrt_rpc.RemoteError, match="bad joint"):
            await method.invoke_async(b"")

    run(body)


def test_blocking_call_from_the_loop_that_serves_it_is_an_error_not_a_deadlock():
    async def body(runtime):
        module = runtime.create_module("m")

        async def handler(context, request):
            return request

        module.serve("pb:/a/B", handler)
        method = module.client("pb:/a/B")
        runtime.start()
        assert await method.invoke_async(b"x") == b"x"
        with pytest.raises(aimrt_rpc.Deadlock):
            method.invoke(b"x")

    run(body)


def test_serving_with_a_coroutine_needs_a_loop(runtime):
    async def handler(context, request):
        return request

    with pytest.raises(RuntimeError, match="no running event loop"):
        runtime.create_module("m").serve("pb:/a/B", handler)


def test_loops_come_and_go(runtime):
    module = runtime.create_module("m")
    module.serve("pb:/a/B", lambda _, request: request)
    method = module.client("pb:/a/B")
    runtime.start()
    for i in range(20):
        assert asyncio.run(method.invoke_async(b"%d" % i)) == b"%d" % i


def test_call_before_start_is_2011(runtime):
    method = runtime.create_module("m").client("pb:/a/B")

    async def body():
        await method.invoke_async(b"")

    with pytest.raises(RpcError) as caught:
        asyncio.run(body())
    assert caught.value.code == Code.CLI_NOT_READY


def test_close_ends_waiting_calls():
    async def body():
        runtime = Runtime(config_text=LOCAL)
        runtime.initialize()
        module = runtime.create_module("m")
        entered = asyncio.Event()

        async def handler(context, request):
            entered.set()
            await asyncio.Event().wait()

        module.serve("pb:/a/B", handler)
        method = module.client("pb:/a/B")
        runtime.start()
        task = asyncio.ensure_future(method.invoke_async(b""))
        await entered.wait()
        await asyncio.get_running_loop().run_in_executor(None, runtime.close)
        with pytest.raises((RpcError, asyncio.CancelledError)):
            await asyncio.wait_for(task, 30)

    asyncio.run(body())
