"""The native API, blocking: life cycle, calls, contexts, statuses, errors."""

import asyncio
import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

import aimrt_rpc
from aimrt_rpc import Code, Context, RpcError, Runtime, Status
from conftest import LOCAL, ROOT, wait_until

ECHO = "pb:/demo.Echo/Say"


def echo(context, request):
    return b"echo " + request


def started(runtime, handler=echo, name=ECHO, **kinds):
    """Serves and calls one method in one runtime and starts it; gives the method."""
    module = runtime.create_module("echo")
    module.serve(name, handler, **kinds)
    method = module.client(name, **kinds)
    runtime.start()
    return method


def test_invoke_gives_the_handlers_answer(runtime):
    assert started(runtime).invoke(b"hello") == b"echo hello"


def test_no_configuration_means_local_backend():
    with Runtime() as runtime:
        runtime.initialize()
        assert started(runtime).invoke(b"x") == b"echo x"


@pytest.mark.parametrize("size", [0, 1, 255, 65536, 1 << 20])
def test_every_size_comes_back(runtime, size):
    body = os.urandom(size)
    assert started(runtime, lambda _, request: request).invoke(body) == body


def test_handler_sees_timeout_and_metadata(runtime):
    seen = {}

    def handler(context, request):
        seen.update(context.metadata(), timeout=context.timeout)
        return b""

    started(runtime, handler).invoke(b"", timeout=2.5, metadata={"key": "välue"})
    assert seen["key"] == "välue"
    assert seen["timeout"] == timedelta(seconds=2.5)
    assert seen["aimrt-function_name"] == ECHO
    assert seen["aimrt-backend"] == "local"


def test_context_shows_what_the_call_did_and_is_used_once(runtime):
    method = started(runtime)
    with Context() as context:
        method.invoke(b"", context=context)
        assert context["aimrt-backend"] == "local"
        assert context["aimrt-request_id"] == "1"
        with pytest.raises(RpcError) as caught:
            method.invoke(b"", context=context)
        assert caught.value.code == Code.CLI_INVALID_CONTEXT
        context.reset()
        assert method.invoke(b"again", context=context) == b"echo again"


def test_handler_raises_gives_1008_with_text(runtime):
    def handler(context, request):
        raise KeyError("no such arm")

    with pytest.raises(aimrt_rpc.RemoteError) as caught:
        started(runtime, handler).invoke(b"")
    assert caught.value.code == Code.SVR_HANDLE_FAILED
    assert "KeyError" in caught.value.message and "no such arm" in caught.value.message
    assert "in handler" in caught.value.status.trace and "Traceback" in caught.value.status.trace


def test_handler_chooses_its_status(runtime):
    def handler(context, request):
        raise RpcError(Status(4242, "arm is busy", details={"joint": "3", "retry": "später"}))

    method = started(runtime, handler)
    for call in (lambda: method.invoke(b""), lambda: asyncio.run(method.invoke_async(b""))):
        with pytest.raises(RpcError) as caught:
            call()
        assert (caught.value.code, caught.value.message) == (4242, "arm is busy")
        assert caught.value.details == {"joint": "3", "retry": "später"}


def test_json_values(runtime):
    method = started(runtime, lambda _, v: {"sum": sum(v)}, request=aimrt_rpc.JSON, response=aimrt_rpc.JSON)
    assert method.invoke([1, 2, 3]) == {"sum": 6}


def test_unencodable_request_is_2006(runtime):
    method = started(runtime, request=aimrt_rpc.JSON, response=aimrt_rpc.JSON)
    with pytest.raises(RpcError) as caught:
        method.invoke(object())
    assert caught.value.code == Code.CLI_SERIALIZATION_FAILED


def test_call_before_start_and_after_shutdown_is_2011(runtime):
    module = runtime.create_module("m")
    module.serve(ECHO, echo)
    method = module.client(ECHO)
    with pytest.raises(RpcError) as caught:
        method.invoke(b"")
    assert caught.value.code == Code.CLI_NOT_READY
    runtime.start()
    runtime.shutdown()
    assert runtime.wait(20)
    with pytest.raises(RpcError) as caught:
        method.invoke(b"")
    assert caught.value.code == Code.CLI_NOT_READY


def test_nobody_serves_it_is_1003(runtime):
    module = runtime.create_module("m")
    method = module.client("pb:/demo.Nobody/Home")
    runtime.start()
    with pytest.raises(RpcError) as caught:
        method.invoke(b"")
    assert caught.value.code == Code.SVR_NOT_FOUND


@pytest.mark.parametrize("target", ["nonsense", "http://127.0.0.1:1", "LOCAL://x", "local://x?module_name=nobody"])
def test_target_that_cannot_be_reached_is_2004(runtime, target):
    with pytest.raises(RpcError) as caught:
        started(runtime).invoke(b"", target=target)
    assert caught.value.code == Code.CLI_INVALID_ADDR


def test_target_in_this_process(runtime):
    assert started(runtime).invoke(b"x", target="local://anything?module_name=echo") == b"echo x"


def test_name_registered_twice_is_refused(runtime):
    module = runtime.create_module("m")
    module.serve(ECHO, echo)
    with pytest.raises(aimrt_rpc.AlreadyExists, match=r"demo\.Echo"):
        module.serve(ECHO, echo)


def test_registration_after_start_is_refused(runtime):
    module = runtime.create_module("m")
    runtime.start()
    with pytest.raises(aimrt_rpc.InvalidState):
        module.serve(ECHO, echo)


def test_module_name_in_use(runtime):
    runtime.create_module("m")
    with pytest.raises(aimrt_rpc.AlreadyExists, match=r"'m'|\"m\""):
        runtime.create_module("m")


def test_nested_call_in_a_handler(runtime):
    module = runtime.create_module("m")
    module.serve("pb:/demo.Inner/Say", echo)
    inner = module.client("pb:/demo.Inner/Say")
    module.serve("pb:/demo.Outer/Say", lambda _, request: inner.invoke(request) + b"!")
    outer = module.client("pb:/demo.Outer/Say")
    runtime.start()
    assert outer.invoke(b"x") == b"echo x!"


def test_many_threads(runtime):
    method = started(runtime)
    wrong = []

    def work(number):
        for i in range(500):
            body = b"%d.%d" % (number, i)
            if method.invoke(body) != b"echo " + body:
                wrong.append(body)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_methods_describe_statistics_report(runtime):
    module = runtime.create_module("m")
    module.serve(ECHO, echo)
    method = module.client(ECHO)
    assert "AimRT Initialization Report Begin" in runtime.report()
    assert {(m["name"], m["side"]) for m in runtime.methods()} >= {(ECHO, "server"), (ECHO, "client")}
    with pytest.raises(aimrt_rpc.NotFound, match=r"demo\.Echo/Say"):
        runtime.describe_method("pb:/demo.Echo/Sy")
    runtime.start()
    method.invoke(b"")
    statistics = runtime.statistics()
    assert statistics["calls"] == {ECHO: 1} and statistics["open_calls"] == 0 and statistics["handles"]["runtime"] >= 1


def test_executors_run_tasks(runtime):
    module = runtime.create_module("m")
    work = module.executor("work")
    assert (work.name, work.type, work.thread_safe, work.has_timers) == ("work", "asio_thread", False, True)
    done, inside = threading.Event(), []

    def task():
        inside.append(work.in_current)
        done.set()

    work.post(task)
    assert done.wait(20) and inside == [True] and not work.in_current
    later = threading.Event()
    module.executor("strand").post_after(timedelta(milliseconds=5), later.set)
    assert later.wait(20)
    timer = work.post_after(timedelta(hours=1), later.clear)
    assert timer.cancel() and not timer.cancel()
    with pytest.raises(aimrt_rpc.LibraryError):
        module.executor("simple").post_after(timedelta(0), later.set)
    with pytest.raises(aimrt_rpc.NotFound, match="work"):
        module.executor("wrok")


def test_parameters(runtime):
    module = runtime.create_module("m")
    assert module.parameter("speed") == ""
    module.set_parameter("speed", "3 m/s")
    assert module.parameter("speed") == "3 m/s"


def test_log_lines_arrive_in_the_sink():
    lines = []
    with Runtime(config_text=LOCAL, log=lines.append) as runtime:
        runtime.initialize()
        module = runtime.create_module("talker")
        module.logger.warn("höt")
        module.logger.debug("not written")
        wait_until(lambda: any(line["text"] == "höt" for line in lines))
    line = next(line for line in lines if line["text"] == "höt")
    assert (line["level"], line["logger"], line["function"]) == (3, "talker", "test_log_lines_arrive_in_the_sink")
    assert line["file"].endswith("test_native.py")
    assert not any(line["text"] == "not written" for line in lines)


def test_close_twice_and_use_after_close():
    runtime = Runtime(config_text=LOCAL)
    runtime.initialize()
    method = started(runtime)
    runtime.close()
    runtime.close()
    assert runtime.state is aimrt_rpc.State.NONE
    with pytest.raises(aimrt_rpc.InvalidHandle):
        method.invoke(b"")
    with pytest.raises(aimrt_rpc.InvalidHandle):
        runtime.start()


def test_joined_runtime_stays_its_owners(runtime):
    joined = aimrt_rpc.Runtime.from_handle(runtime.handle)
    assert joined.state == aimrt_rpc.State.INIT
    joined.create_module("server").serve("pb:/test.Join/Say", lambda context, request: request + b"!")
    say = runtime.create_module("client").client("pb:/test.Join/Say")
    runtime.start()
    joined.close()
    with joined:
        assert say.invoke(b"hello") == b"hello!"
    assert runtime.state == aimrt_rpc.State.START


def test_joining_what_is_no_runtime(runtime):
    module = runtime.create_module("other")
    for handle in (0, module.handle):
        with pytest.raises(aimrt_rpc.InvalidHandle, match=f"{handle:#x}"):
            aimrt_rpc.Runtime.from_handle(handle)


def test_close_while_threads_call():
    runtime = Runtime(config_text=LOCAL)
    runtime.initialize()
    method = started(runtime)
    ends, begun = [], threading.Event()

    def work():
        try:
            while True:
                method.invoke(b"x")
                begun.set()
        except (RpcError, aimrt_rpc.InvalidHandle) as error:
            ends.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    runtime.close()
    for thread in threads:
        thread.join(20)
    assert len(ends) == 4


def run_python(code, **env):
    """Runs a program in a fresh interpreter; gives (exit code, output)."""
    paths = os.pathsep.join([str(ROOT / "bindings/python/tests"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, **env}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, timeout=60, env=environment)
    return done.returncode, done.stdout


def test_interpreter_ends_with_an_open_runtime():
    code = (
        "import aimrt_rpc, threading\n"
        "r = aimrt_rpc.Runtime(); r.initialize(); m = r.create_module('m')\n"
        "m.serve('pb:/a/B', lambda c, q: q); f = m.client('pb:/a/B'); r.start()\n"
        "t = threading.Thread(target=lambda: [f.invoke(b'x') for _ in range(10**9)], daemon=True); t.start()\n"
        "f.invoke(b''); print('end')\n"
    )
    code_, output = run_python(code)
    assert code_ == 0 and "end" in output, output


def test_after_fork_everything_fails_at_once():
    code = (
        "import os, aimrt_rpc\n"
        "r = aimrt_rpc.Runtime(); r.initialize(); m = r.create_module('m')\n"
        "m.serve('pb:/a/B', lambda c, q: q); f = m.client('pb:/a/B'); r.start(); f.invoke(b'')\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    for act in (lambda: f.invoke(b'x'), lambda: aimrt_rpc.Runtime(), lambda: m.serve('pb:/c/D', print)):\n"
        "        try: act(); print('no error')\n"
        "        except aimrt_rpc.Forked as e: print('forked:', e)\n"
        "    os._exit(7)\n"
        "print('child', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if hasattr(os, 'waitstatus_to_exitcode') else 7)\n"
        "assert f.invoke(b'parent') == b'parent'\n"
    )
    code_, output = run_python(code)
    assert code_ == 0, output
    assert output.count("forked:") == 3 and "no error" not in output and "spawn" in output, output


def test_ctypes_fallback_does_the_same():
    code = (
        "import aimrt_rpc\n"
        "from aimrt_rpc import _core\n"
        "assert _core.bridged == ()\n"
        "r = aimrt_rpc.Runtime(); r.initialize(); m = r.create_module('m')\n"
        "m.serve('pb:/a/B', lambda c, q: q + c.get('k').encode()); f = m.client('pb:/a/B'); r.start()\n"
        "assert f.invoke(b'x', metadata={'k': 'v'}) == b'xv'\n"
        "import asyncio\n"
        "async def main(): return await asyncio.gather(*[f.invoke_async(b'%d' % i) for i in range(100)])\n"
        "assert asyncio.run(main()) == [b'%d' % i for i in range(100)]\n"
        "r.close(); print('fine')\n"
    )
    code_, output = run_python(code, AIMRT_RPC_NO_BRIDGE="1")
    assert code_ == 0 and "fine" in output, output


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the bridge is for CPython")
def test_bridge_is_in_use():
    from aimrt_rpc import _core

    assert {"invoke", "start", "drain", "finish", "register_service", "context_get"} <= set(_core.bridged)
