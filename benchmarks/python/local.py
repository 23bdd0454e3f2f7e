"""Calls inside one Python process, and their floors. Prints one JSON line {name, unit, value} per figure, microseconds per call.

Run with AIMRT_RPC_NO_BRIDGE=1 it measures the ctypes form of the binding.
"""

import asyncio
import ctypes
import json
import sys
import time

import rpc_aimrt_rpc_pb2
import rpc_pb2

import aimrt_py
import aimrt_rpc
from aimrt_rpc import _core
from aimrt_rpc._lib import lib

QUIET = """
aimrt:
  log: {core_lvl: Warn, default_module_lvl: Warn, backends: [{type: console}]}
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local]}]
"""
BODY = b"x" * 64


def show(name, seconds, calls):
    """Prints one figure."""
    print(json.dumps({"name": name, "unit": "us", "value": round(seconds / calls * 1e6, 4)}), flush=True)


def timed(name, function, calls=20000):
    """Measures the best of five rounds: what the code costs when nothing else runs."""
    for _ in range(calls // 10):
        function()
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(calls):
            function()
        best = min(best, time.perf_counter() - begin)
    show(name, best, calls)


def native():
    """Bytes through the native API: raw operation, blocking call, asyncio with 1 and 64 in flight."""
    with aimrt_rpc.Runtime(config_text=QUIET) as runtime:
        runtime.initialize()
        module = runtime.create_module("m")
        module.serve("pb:/bench.Raw/Echo", lambda context, request: request)
        method = module.client("pb:/bench.Raw/Echo")
        _core.register_service(module.rpc_handle, "pb:/bench.Bare/Echo", ("pb",), lambda c, q, s, n: (0, q, None, None, ()), 0)
        bare = _core.register_client(module.rpc_handle, "pb:/bench.Bare/Echo", ("pb",))
        runtime.start()
        invoke = _core.invoke
        timed("py.bytes", lambda: invoke(bare, 0, BODY, None))
        timed("py.native", lambda: method.invoke(BODY))
        for width in (1, 64):
            asyncio.run(in_loop(method, width))


async def in_loop(method, width, calls=20000):
    """Measures awaited calls with a number of them in flight."""

    async def worker(share):
        for _ in range(share):
            await method.invoke_async(BODY)

    await worker(1000)
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        await asyncio.gather(*[worker(calls // width) for _ in range(width)])
        best = min(best, time.perf_counter() - begin)
    show(f"py.asyncio.{width}", best, calls // width * width)


def stubs(folder):
    """A protobuf message of 64 bytes through aimrt_py and generated stubs."""

    class Service(rpc_aimrt_rpc_pb2.ExampleService):
        def GetFooData(self, ctx_ref, req):
            rsp = rpc_pb2.GetFooDataRsp()
            rsp.msg = req.msg
            return aimrt_py.RpcStatus(), rsp

    path = folder + "/quiet.yaml"
    with open(path, "w") as file:
        file.write(QUIET)
    core, options = aimrt_py.Core(), aimrt_py.CoreOptions()
    options.cfg_file_path = path
    core.Initialize(options)
    ref = core.CreateModule("m")
    service = Service()
    assert ref.GetRpcHandle().RegisterService(service)
    assert rpc_aimrt_rpc_pb2.ExampleServiceProxy.RegisterClientFunc(ref.GetRpcHandle())
    proxy = rpc_aimrt_rpc_pb2.ExampleServiceProxy(ref.GetRpcHandle())
    core._runtime.start()
    request = rpc_pb2.GetFooDataReq(msg="x" * 62)
    assert proxy.GetFooData(request)[0].OK()
    timed("py.stub", lambda: proxy.GetFooData(request))
    core._runtime.close()


def floors():
    """What cannot be beaten: a Python call, a ctypes call that does nothing, a protobuf round trip of the same message."""
    request = rpc_pb2.GetFooDataReq(msg="x" * 62)
    from_request, from_response = rpc_pb2.GetFooDataReq.FromString, rpc_pb2.GetFooDataRsp.FromString

    def protobuf():
        got = from_request(request.SerializeToString())
        response = rpc_pb2.GetFooDataRsp()
        response.msg = got.msg
        return from_response(response.SerializeToString())

    timed("floor.protobuf", protobuf)
    version = ctypes.CDLL(lib._name).aimrt_rpc_abi_version
    timed("floor.ctypes", version)
    timed("floor.python", lambda: BODY)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    floors()
    native()
    stubs(sys.argv[1])
