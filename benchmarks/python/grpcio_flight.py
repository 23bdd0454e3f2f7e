"""Unary gRPC calls of bytes between two Python processes with grpcio, with several calls in flight.

grpcio_flight.py serve PORT, grpcio_flight.py call PORT COUNT. For 64 B and 1 KiB and 1, 16 and 128 calls in flight the caller prints two
JSON lines, in microseconds: the median of a call, and the time per call that the rate comes to.
"""

import json
import statistics
import sys
import threading
import time
from concurrent import futures

import grpc

PATH = "/bench.Echo/Do"


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", {"Do": handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None)


def measure(call, message, flight, count):
    """Keeps a number of calls in flight; gives the median of a call and the time per call, in microseconds."""
    times = []
    room = threading.Semaphore(flight)

    def done(future, began):
        times.append(time.perf_counter() - began)
        room.release()
        assert future.result() == message

    start = time.perf_counter()
    for _ in range(count):
        room.acquire()
        began = time.perf_counter()
        future = call.future(message, timeout=30)
        future.add_done_callback(lambda future, began=began: done(future, began))
    for _ in range(flight):
        room.acquire()
    total = time.perf_counter() - start
    return statistics.median(times) * 1e6, total / count * 1e6


def measure_one(call, message, count):
    """measure without futures, for one call in flight."""
    times = []
    start = time.perf_counter()
    for _ in range(count):
        began = time.perf_counter()
        assert call(message, timeout=30) == message
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6, (time.perf_counter() - start) / count * 1e6


def main(port, count):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(PATH)
        measure_one(call, b"warm up", count // 10)
        for size in (64, 1024):
            for flight in (1, 16, 128):
                message = b"x" * size
                figures = measure_one(call, message, count) if flight == 1 else measure(call, message, flight, count)
                for kind, value in zip(("p50", "each"), figures):
                    print(json.dumps({"name": f"grpc.grpcio.{size}.{flight}.{kind}", "unit": "us", "value": round(value, 3)}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        main(int(sys.argv[2]), int(sys.argv[3]))
