"""Serves one method and calls it over http, with nothing but ctypes. Arguments: libaimrt_rpc.so and a free port."""

import ctypes
import sys

library, port = ctypes.CDLL(sys.argv[1]), sys.argv[2]
kept = []  # C borrows what we hand over: it has to stay


def words(*values):  # every struct of the header is a row of 64-bit words
    kept.append((ctypes.c_uint64 * len(values))(*values))
    return kept[-1]


def options(*values):  # ... and an options struct begins with its size
    return words(8 * len(values), *values[1:])


def text(string):  # address and size
    kept.append(ctypes.create_string_buffer(string.encode()))
    return ctypes.addressof(kept[-1]), len(kept[-1].value)


def do(function, *arguments):
    result = getattr(library, "aimrt_rpc_" + function)(*arguments)
    if result != 0:
        sys.exit(f"{function}: result {result}")


@ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64))
def echo(user_data, call, request):
    do("call_finish", ctypes.c_uint64(call), None, words(request[2], request[3], 0, 0, 0), None)


config = """aimrt:
  plugin: {plugins: [{name: net_plugin, path: "", options: {thread_num: 2, http_options: {listen_ip: 127.0.0.1, listen_port: PORT}}}]}
  rpc:
    backends: [{type: http, options: {clients_options: [{func_name: ".*", server_url: "http://127.0.0.1:PORT"}]}}]
    clients_options: [{func_name: ".*", enable_backends: [http]}]
    servers_options: [{func_name: ".*", enable_backends: [http]}]
"""
library.aimrt_rpc_module_rpc_handle.restype = ctypes.c_uint64
name = text("pb:/demo.Echo/Say")
runtime, module, method, call = (ctypes.c_uint64() for _ in range(4))

# What a program does, in 13 lines:
do("runtime_create", options(0, 0, 0, *text(config.replace("PORT", port)), *[0] * 7, 0xFFFFFFFF), ctypes.byref(runtime), None)
do("runtime_initialize", runtime, None)
do("module_create", runtime, options(0, 0, 0, *text("echo"), *[0] * 11), ctypes.byref(module), None)
rpc = ctypes.c_uint64(library.aimrt_rpc_module_rpc_handle(module))
handler = ctypes.cast(echo, ctypes.c_void_p).value
do("handle_register_service", rpc, options(0, 0, *name, *[0] * 6, handler, *[0] * 5), None, None)
do("handle_register_client", rpc, options(0, 0, *name, *[0] * 6), ctypes.byref(method), None)
do("runtime_start_async", runtime, 0, None)
do("call_invoke", method, options(0, 0, *text("hello"), *[0] * 8), ctypes.byref(ctypes.c_uint32()), ctypes.byref(call), None)
outcome = options(*[0] * 18)
do("call_outcome", call, outcome, None)
print("code", outcome[0] >> 32, "answer", ctypes.string_at(outcome[3], outcome[4]).decode())
library.aimrt_rpc_runtime_release(runtime)
