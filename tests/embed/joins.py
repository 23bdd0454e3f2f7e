"""The Python half of embed.cc: what the embedded interpreter does in the C++ program's runtime.

Every function is called from C++ by name with the runtime's handle; one that raises has failed. Python 3.8 and later.
"""

import os
import sys
from pathlib import Path

import aimrt_rpc
from aimrt_rpc import _abi, _core
from aimrt_rpc._lib import lib

REVERSE = "pb:/embed.Py/Reverse"
TWICE = "pb:/embed.Py/Twice"
UPPER = "pb:/embed.Cpp/Upper"
state = {}


def live():
    """Counts the live handles of every kind."""
    return lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_ANY)


def files():
    """Lists the library's files that are mapped into the process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "libaimrt_rpc" in line}


def one_library(handle):
    """Both languages are in one copy of the library: one file mapped, and each side's handles count on the other."""
    assert len(files()) == 1, files()
    assert Path(aimrt_rpc.loaded_path()).resolve() == Path(os.environ["EMBED_LIBRARY"]).resolve(), aimrt_rpc.loaded_path()
    assert lib.aimrt_rpc_runtime_state(handle) == _abi.AIMRT_RPC_STATE_INIT
    bridged = not os.environ.get("AIMRT_RPC_NO_BRIDGE")
    assert bool(_core.bridged) == bridged, _core.bridged


def hold_context(_):
    """Leaves one more handle, for C++ to count."""
    state["context"] = aimrt_rpc.Context()
    assert state["context"].handle


def drop_context(_):
    """Gives that handle back."""
    del state["context"]


def wrong_handles(handle):
    """What is not a runtime cannot be joined, and nothing is left of the attempt."""
    before = live()
    for wrong in (0, 1, handle + 1, (1 << 64) - 1):
        try:
            aimrt_rpc.Runtime.from_handle(wrong)
        except aimrt_rpc.InvalidHandle as error:
            assert f"{wrong:#x}" in str(error), error
        else:
            raise AssertionError(f"{wrong:#x} was joined")
    assert live() == before


def twice(context, request):
    """Asks C++ in the middle of serving C++."""
    return state["upper"].invoke(request) * 2


def join(handle):
    """Makes a module in the C++ program's runtime, serves and calls there."""
    runtime = state["runtime"] = aimrt_rpc.Runtime.from_handle(handle)
    assert runtime.state == aimrt_rpc.State.INIT and runtime.handle == handle
    module = runtime.create_module("python")
    module.serve(REVERSE, lambda context, request: request[::-1])
    module.serve(TWICE, twice)
    state["upper"] = module.client(UPPER)
    names = {(method["name"], method["module"]) for method in runtime.methods()}
    assert {(REVERSE, "python"), (UPPER, "python"), (UPPER, "cpp")} <= names, names


def call(_):
    """Calls C++."""
    assert state["upper"].invoke(b"hello", timeout=30) == b"HELLO"
    try:
        state["upper"].invoke(b"", timeout=30)
    except aimrt_rpc.RpcError as error:
        assert (error.code, error.message) == (4711, "nothing to do"), error
    else:
        raise AssertionError("the status of the C++ handler did not arrive")


def leave(_):
    """Closing a joined runtime leaves it to its owner."""
    state["runtime"].close()
    with state["runtime"]:
        pass
    assert state["runtime"].state == aimrt_rpc.State.START


def few_threads(_):
    """Threads of C++ that are gone have left no thread state behind."""
    assert len(sys._current_frames()) == 1, sys._current_frames()


def own_runtime(_):
    """A runtime of Python's own beside the C++ program's."""
    before = live()
    with aimrt_rpc.Runtime() as runtime:
        runtime.initialize()
        module = runtime.create_module("own")
        module.serve("pb:/own.Echo/Say", lambda context, request: request)
        say = module.client("pb:/own.Echo/Say")
        runtime.start()
        assert say.invoke(b"again") == b"again"
    assert live() == before
