"""One protobuf message of 64 bytes between two Python processes: ours over http, grpc or mqtt, or grpcio.

network.py KIND serve PORT, network.py KIND call PORT COUNT, with KIND http, grpc, grpcio or mqtt0 to mqtt2 (its QoS; PORT is the broker's).
The caller prints the median as one JSON line, in microseconds.
"""

import json
import statistics
import sys
import time
from concurrent import futures

import rpc_pb2

FUNCTION = "pb:/example.ExampleService/GetFooData"


def config(kind, port, listen):
    """A configuration with one backend."""
    backend, qos = kind[:4], kind[4:]
    at = f"listen_ip: 127.0.0.1, listen_port: {port}"
    name, plugin = {
        "http": ("net_plugin", "thread_num: 2" + (f", http_options: {{{at}}}" if listen else "")),
        "grpc": ("grpc_plugin", "thread_num: 2" + (f", {at}" if listen else "")),
        "mqtt": ("mqtt_plugin", f"broker_addr: 'tcp://127.0.0.1:{port}', client_id: {'server' if listen else 'client'}"),
    }[backend]
    rule = f"qos: {qos}" if qos else f"server_url: 'http://127.0.0.1:{port}'"
    rules = f"{'servers' if listen else 'clients'}_options: [{{func_name: '.*', {rule}}}]"
    options = f", options: {{{rules}}}" if qos or not listen else ""
    return f"""aimrt:
  log: {{core_lvl: Warn, default_module_lvl: Warn, backends: [{{type: console}}]}}
  plugin: {{plugins: [{{name: {name}, path: "", options: {{{plugin}}}}}]}}
  rpc:
    backends: [{{type: {backend}{options}}}]
    clients_options: [{{func_name: ".*", enable_backends: [{backend}]}}]
    servers_options: [{{func_name: ".*", enable_backends: [{backend}]}}]
"""


def answer(request):
    """What both servers do."""
    return rpc_pb2.GetFooDataRsp(msg=request.msg)


def measure(name, call, count):
    """Calls one after the other and prints the median."""
    request = rpc_pb2.GetFooDataReq(msg="x" * 62)
    times = []
    for i in range(-count // 10, count):
        begin = time.perf_counter()
        response = call(request)
        if i >= 0:
            times.append(time.perf_counter() - begin)
        assert response.msg == request.msg
    print(json.dumps({"name": name, "unit": "us", "value": round(statistics.median(times) * 1e6, 3)}))


def ours(backend, mode, port, count):
    """A runtime of ours with one backend."""
    import aimrt_rpc

    with aimrt_rpc.Runtime(config_text=config(backend, port, mode == "serve")) as runtime:
        runtime.initialize()
        module = runtime.create_module("m")
        kinds = {"request": rpc_pb2.GetFooDataReq, "response": rpc_pb2.GetFooDataRsp}
        if mode == "serve":
            module.serve(FUNCTION, lambda context, request: answer(request), **kinds)
            runtime.start()
            print("ready", flush=True)
            sys.stdin.read()
            return
        method = module.client(FUNCTION, **kinds)
        runtime.start()
        measure(f"py.{backend}.64", method.invoke, count)


def grpcio(mode, port, count):
    """The peer."""
    import grpc
    import rpc_pb2_grpc

    class Service(rpc_pb2_grpc.ExampleServiceServicer):
        def GetFooData(self, request, context):
            return answer(request)

    if mode == "serve":
        server = grpc.server(futures.ThreadPoolExecutor(4))
        rpc_pb2_grpc.add_ExampleServiceServicer_to_server(Service(), server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        print("ready", flush=True)
        sys.stdin.read()
        server.stop(None)
        return
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        measure("grpcio.64", rpc_pb2_grpc.ExampleServiceStub(channel).GetFooData, count)


if __name__ == "__main__":
    kind, mode, port = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    if kind == "grpcio":
        grpcio(mode, int(port), count)
    else:
        ours(kind, mode, int(port), count)
