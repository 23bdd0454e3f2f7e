"""Calls between Python and a C++ module in one process. Argument: the module's shared library. Prints JSON lines, microseconds."""

import ctypes
import sys

import aimrt_rpc
from aimrt_rpc import _core
from local import BODY, QUIET, show, timed

with aimrt_rpc.Runtime(config_text=QUIET) as runtime:
    runtime.initialize()
    module = runtime.create_module("python")
    _core.register_service(module.rpc_handle, "pb:/bench.Py/Echo", ("pb",), lambda c, q, s, n: (0, q, None, None, ()), 0)
    to_cpp = _core.register_client(module.rpc_handle, "pb:/bench.Cpp/Echo", ("pb",))
    cpp = ctypes.CDLL(sys.argv[1])
    cpp.bench_attach.argtypes = [ctypes.c_uint64]
    cpp.bench_call.argtypes, cpp.bench_call.restype = [ctypes.c_int32, ctypes.c_uint64, ctypes.c_int32], ctypes.c_double
    if cpp.bench_attach(runtime.handle) != 0:
        sys.exit("the C++ module could not join the runtime")
    runtime.start()
    invoke = _core.invoke
    code, answer, message = invoke(to_cpp, 0, BODY, None)
    if code != 0 or answer != BODY:
        sys.exit(f"Python -> C++ ended with {code}: {message}")
    timed("py.to.cpp", lambda: invoke(to_cpp, 0, BODY, None))
    for name, kind in (("cpp.to.py", 0), ("cpp.to.cpp", 1)):
        cpp.bench_call(kind, len(BODY), 2000)
        nanoseconds = cpp.bench_call(kind, len(BODY), 50000)
        if nanoseconds < 0:
            sys.exit(f"{name} ended with {-nanoseconds:.0f}")
        show(name, nanoseconds * 1e-9, 1)
