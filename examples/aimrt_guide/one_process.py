"""The service of server.py and the steps of client.py on one Core: the call never leaves the process."""

import threading

import aimrt_py
import rpc_aimrt_rpc_pb2
import rpc_pb2
from server import ExampleServiceImpl


def main():
    core = aimrt_py.Core()
    options = aimrt_py.CoreOptions()
    options.cfg_file_path = "cfg/local.yaml"
    core.Initialize(options)

    server = core.CreateModule("NormalRpcServerPymodule")
    assert server.GetRpcHandle().RegisterService(ExampleServiceImpl(server.GetLogger()))
    client = core.CreateModule("NormalRpcClientPyModule")
    assert rpc_aimrt_rpc_pb2.ExampleServiceProxy.RegisterClientFunc(client.GetRpcHandle())
    proxy = rpc_aimrt_rpc_pb2.ExampleServiceProxy(client.GetRpcHandle())

    request = rpc_pb2.GetFooDataReq(msg="before start")
    status, _ = proxy.GetFooData(request)
    print(f"before Start: {status.ToString()}")

    thread = threading.Thread(target=core.Start)
    thread.start()
    while status.Code() == 2011:  # until Start has got so far
        request.msg = "example msg"
        status, response = proxy.GetFooData(request)
    print(f"in one process: {status.ToString()}, rsp: {response.msg}")

    core.Shutdown()
    thread.join()


if __name__ == "__main__":
    main()
