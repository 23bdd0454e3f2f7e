"""The in-process rows of the demo's table. Argument: the shared library of bench_module.cc. Prints one JSON line per row."""

import ctypes
import json
import statistics
import sys
import time

import aimrt_rpc
from local import BODY, QUIET


def median_us(call, count=5000):
    """Calls one after the other; gives the median in microseconds."""
    times = []
    for i in range(-count // 10, count):
        begin = time.perf_counter()
        call()
        if i >= 0:
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6


def row(who, whom, path, us):
    """Prints one row."""
    print(json.dumps({"from": who, "to": whom, "path": path, "status": "OK", "us": us}), flush=True)


with aimrt_rpc.Runtime(config_text=QUIET) as runtime:
    runtime.initialize()
    module = runtime.create_module("python")
    module.serve("pb:/bench.Py/Echo", lambda context, request: request)
    to_python = module.client("pb:/bench.Py/Echo")
    to_cpp = module.client("pb:/bench.Cpp/Echo")
    cpp = ctypes.CDLL(sys.argv[1])
    cpp.bench_attach.argtypes = [ctypes.c_uint64]
    cpp.bench_call.argtypes, cpp.bench_call.restype = [ctypes.c_int32, ctypes.c_uint64, ctypes.c_int32], ctypes.c_double
    if cpp.bench_attach(runtime.handle) != 0:
        sys.exit("the C++ module could not join the runtime")
    runtime.start()
    assert to_cpp.invoke(BODY) == BODY and to_python.invoke(BODY) == BODY
    for whom, kind in (("C++", 1), ("Python", 0)):
        cpp.bench_call(kind, len(BODY), 2000)
        nanoseconds = cpp.bench_call(kind, len(BODY), 20000)
        if nanoseconds < 0:
            sys.exit(f"C++ -> {whom} ended with {-nanoseconds:.0f}")
        row("C++", whom, "one process", nanoseconds / 1000)
    row("Python", "C++", "one process", median_us(lambda: to_cpp.invoke(BODY)))
    row("Python", "Python", "one process", median_us(lambda: to_python.invoke(BODY)))
