"""What the binding tests share: configurations, generated stubs, and the proof that nothing leaks."""

import gc
import importlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import aimrt_rpc
from aimrt_rpc import _abi, _core
from aimrt_rpc._lib import lib

ROOT = Path(__file__).resolve().parents[3]
PROTOS = ROOT / "tests" / "fixtures" / "protos"

LOCAL = """
aimrt:
  log: {core_lvl: Warn, default_module_lvl: Warn, backends: [{type: console}]}
  executor:
    executors:
      - {name: work, type: asio_thread, options: {thread_num: 2}}
      - {name: strand, type: asio_strand, options: {bind_asio_thread_executor_name: work}}
      - {name: simple, type: simple_thread}
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local]}]
"""


def free_port():
    """Gives a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http_config(port, listen):
    """A configuration with the http backend: a server on the port, or a client of it."""
    plugin = f"http_options: {{listen_ip: 127.0.0.1, listen_port: {port}}}" if listen else ""
    client = "" if listen else f', options: {{clients_options: [{{func_name: "(.*)", server_url: "http://127.0.0.1:{port}"}}]}}'
    return f"""
aimrt:
  plugin: {{plugins: [{{name: net_plugin, path: "", options: {{thread_num: 2{", " + plugin if plugin else ""}}}}}]}}
  log: {{core_lvl: Warn, default_module_lvl: Warn, backends: [{{type: console}}]}}
  rpc:
    backends: [{{type: http{client}}}]
    clients_options: [{{func_name: "(.*)", enable_backends: [http]}}]
    servers_options: [{{func_name: "(.*)", enable_backends: [http]}}]
"""


def wait_until(condition, limit_s=20.0):
    """Waits for a condition; the limit is a liveness bound."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"{condition} did not come true within {limit_s} s"
        time.sleep(0.001)


KINDS = "RUNTIME MODULE RPC_HANDLE METHOD SERVICE CONTEXT CALL SERVER_CALL QUEUE EXECUTOR TIMER ERROR".split()


def live():
    """Counts what the library holds: handles by kind, objects lent to C, goroutines, threads, descriptors."""
    gc.collect()
    counts = {kind: lib.aimrt_rpc_live_count(getattr(_abi, f"AIMRT_RPC_KIND_{kind}")) for kind in KINDS}
    with aimrt_rpc.Runtime() as probe:
        goroutines = probe.statistics()["guarded_goroutines"]
    other = {"lent objects": _core.lent_count(), "goroutines": goroutines, "threads": named_threads()}
    return {**counts, **other, "descriptors": len(os.listdir("/proc/self/fd"))}


def named_threads():
    """Counts the executor threads of the library, which carry the executors' names. (Go keeps idle threads of its own.)"""
    found = 0
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
        except OSError:  # it ended meanwhile
            continue
        found += name.split(".")[0] in ("work", "simple", "strand", "aimrt_handlers") or name.startswith("aimrt_ha")
    return found


@pytest.fixture(scope="session", autouse=True)
def what_stays():
    """Makes what the library keeps for the life of the process: its eventfd and Go's network poller."""
    with aimrt_rpc.Runtime(config_text=LOCAL) as first:
        first.initialize()
        first.start()


@pytest.fixture(autouse=True)
def nothing_leaks(what_stays):
    """Every test gives back all handles and all objects it lent to C."""
    before = live()
    yield
    end = time.monotonic() + 20
    left = {"not": "looked"}
    while left and time.monotonic() < end:
        left = {kind: count - before[kind] for kind, count in live().items() if count > before[kind]}
    assert left == {}


@pytest.fixture
def runtime():
    """An initialized runtime with the local backend."""
    with aimrt_rpc.Runtime(config_text=LOCAL) as made:
        made.initialize()
        yield made


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """Messages and stubs of tests/fixtures/protos/rpc.proto, by protoc and our plugin; gives (rpc_pb2, rpc_aimrt_rpc_pb2)."""
    out = tmp_path_factory.mktemp("stubs")
    plugin = Path(aimrt_rpc.__file__).parent / "bin" / "protoc_plugin_py_gen_aimrt_py_rpc.py"
    from_source = ROOT / "bindings/python/scripts/protoc_plugin_py_gen_aimrt_py_rpc.py"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"--python_out={out}", "rpc.proto", "common.proto"]
    subprocess.run(command, check=True)
    chosen = plugin if plugin.exists() else from_source
    command[3:] = [f"-I{PROTOS}", f"--aimrt_rpc_out={out}", f"--plugin=protoc-gen-aimrt_rpc={chosen}", "rpc.proto"]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(out))
    yield importlib.import_module("rpc_pb2"), importlib.import_module("rpc_aimrt_rpc_pb2")
    sys.path.remove(str(out))
