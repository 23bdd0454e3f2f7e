#!/usr/bin/env python3
"""Runs every benchmark beside its floor or peer, alternating in one run, and writes build/bench/results.json.

Absolute times differ from machine to machine and from minute to minute; what is worth quoting is the ratio of two figures of one run.
Each program runs BENCH_ROUNDS times (default 3) in turn with the others; the median counts, spread is (max - min) / median.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks/aiomas"))

import compare as aiomas  # noqa: E402 - a program of its own too

BENCH = ROOT / "build" / "bench"
PYTHON = str(ROOT / "build/venv/bin/python")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))

# What is reported: name, subject, peer (keys of figures below), unit.
ROWS: List[Tuple[str, str, str]] = [
    ("C++ -> C++, same package, waiting", "cpp.direct.sync", "floor.indirect"),
    ("C++ -> C++, same package, callback", "cpp.direct.callback", "floor.indirect"),
    ("C++ -> C++, same package, protobuf 64 B, waiting", "cpp.direct.pb64", "floor.cpp.protobuf"),
    ("C++ -> C++, other package, protobuf 64 B", "cpp.cross.pb64", "floor.cpp.protobuf"),
    ("Python -> Python, bytes, bridge / ctypes form", "py.bytes", "ctypes.py.bytes"),
    ("Python -> Python, bytes / one empty ctypes call", "py.bytes", "floor.ctypes"),
    ("Python -> Python, native API, bytes / ctypes form", "py.native", "ctypes.py.native"),
    ("Python -> Python, aimrt_py stub 64 B / protobuf alone", "py.stub", "floor.protobuf"),
    ("Python -> Python, aimrt_py stub 64 B, bridge / ctypes form", "py.stub", "ctypes.py.stub"),
    ("Python asyncio, 1 in flight / blocking call", "py.asyncio.1", "py.native"),
    ("Python asyncio, 64 in flight / blocking call", "py.asyncio.64", "py.native"),
    ("Python -> C++, 64 B / one empty ctypes call", "py.to.cpp", "floor.ctypes"),
    ("C++ -> Python, 64 B / one empty ctypes call", "cpp.to.py", "floor.ctypes"),
    ("http, two processes, C++, 64 B / TCP ping-pong", "cpp.http.64", "tcp.64"),
    ("http, two processes, C++, 1 KiB / bare net/http", "cpp.http.1024", "http.1024"),
    ("http, two processes, C++, 1 KiB / TCP ping-pong", "cpp.http.1024", "tcp.1024"),
    ("http, two processes, C++, 64 KiB / bare net/http", "cpp.http.65536", "http.65536"),
    ("http, two processes, Python, 64 B / grpcio", "py.http.64", "grpcio.64"),
    ("grpc, two processes, Python, 64 B / grpcio", "py.grpc.64", "grpcio.64"),
    ("grpc, two processes, C++, 64 B / TCP ping-pong", "cpp.grpc.64", "tcp.64"),
    ("grpc, two processes, C++, 1 KiB / TCP ping-pong", "cpp.grpc.1024", "tcp.1024"),
] + [
    (
        f"grpc, two processes, Go, {text}, {flight} in flight, {what} / {peer}",
        f"grpc.ours.{size}.{flight}.{key}",
        f"grpc.{peer}.{size}.{flight}.{key}",
    )
    for peer in ("grpcgo", "grpcio")
    for size, text in (("64", "64 B"), ("1024", "1 KiB"))
    for flight in ("1", "16", "128")
    for key, what in (("p50", "median"), ("each", "time per call"))
]
ROWS += [
    (
        f"AimRT's C++ headers, {package}, {kind}, {text}, {threads} thread{'s' * (threads > 1)}, {mark} / {floor}",
        f"dropin.{where}.{kind}.{size}.{threads}.{key}",
        f"floor.dropin.{peer}.{size}.{threads}.{key}",
    )
    for where, package, floor, peer, cells in (
        ("near", "same package", "indirect call", "indirect", ((64, 1), (1024, 1), (64, 2), (1024, 2))),
        ("far", "other package", "protobuf", "protobuf", ((64, 1), (1024, 1), (65536, 1), (1048576, 1))),
    )
    for size, threads in cells
    for text in ({64: "64 B", 1024: "1 KiB", 65536: "64 KiB", 1048576: "1 MiB"}[size],)
    for kind in ("sync", "async", "co")
    for key, mark in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9"))
]
ROWS += [
    (f"mqtt QoS {qos}, two processes, {who}, 64 B / {what}", f"{subject}.mqtt{qos}.64", peer.format(qos))
    for qos in range(3)
    for who, subject in (("C++", "cpp"), ("Python", "py"))
    for what, peer in (("TCP ping-pong", "tcp.64"), ("raw paho", "paho.mqtt{}.64"))
]
ROWS += [(name, f"aiomas.{pair}.{cell}", f"aiomas.real.{cell}") for name, pair, cell in aiomas.ROWS]


def run(*command: str, **env: str) -> List[Dict[str, Any]]:
    """Runs a program and reads the JSON lines it prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **env}, timeout=600)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def free_port() -> str:
    """Gives a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def server(*command: str) -> Iterator[str]:
    """Runs a server that prints one line when it is ready and ends with its input; gives the line."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None
    try:
        line = process.stdout.readline()
        if not line:
            sys.exit(f"bench: {' '.join(command)} ended with {process.wait()} before it was ready")
        yield line
    finally:
        process.stdin.close()
        process.wait(30)


@contextmanager
def broker() -> Iterator[str]:
    """Runs a Mosquitto that sends at once; gives its port."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n" + "user root\n" * (os.geteuid() == 0))
        conf.flush()
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
        program = shutil.which("mosquitto", path=path)
        if program is None:
            sys.exit("bench: mosquitto is not installed; tools/bootstrap.sh installs it on Debian")
        process = subprocess.Popen([program, "-c", conf.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                        break
                time.sleep(0.05)
            else:
                sys.exit("bench: mosquitto did not begin to listen")
            yield port
        finally:
            process.terminate()
            process.wait(30)


def over_mqtt(here: str) -> List[Dict[str, Any]]:
    """Calls over a broker at every QoS: ours from C++ and Python, and paho without RPC."""
    figures: List[Dict[str, Any]] = []
    with broker() as port:
        for qos in ("0", "1", "2"):
            kind = f"mqtt{qos}"
            with server(str(BENCH / "bench_http"), "serve", port, kind):
                figures += run(str(BENCH / "bench_http"), "call", port, "64", "4000", kind)
            with server(str(BENCH / "mqttbench"), "serve", port, qos):
                figures += run(str(BENCH / "mqttbench"), "call", port, qos, "64", "4000")
            with server(PYTHON, f"{here}/network.py", kind, "serve", port):
                figures += run(PYTHON, f"{here}/network.py", kind, "call", port, "2000")
    return figures


def dropin_steps(source: Path, flags: List[str]) -> List[List[str]]:
    """Gives the commands that build the program over the headers at AimRT's include paths."""
    headers = ROOT / "bindings/cpp/include/aimrt"
    parts = ("aimrt_module_cpp_interface", "aimrt_module_c_interface", "aimrt_module_protobuf_interface", "aimrt_pkg_c_interface", "util")
    plugin = str(BENCH / "protoc-gen-aimrt_rpc")
    stub = [f"--plugin=protoc-gen-aimrt_rpc={plugin}", f"--aimrt_rpc_out=lang=cpp:{BENCH}"]
    files = [str(source / "bench_dropin.cc"), str(BENCH / "dropin.pb.cc"), str(BENCH / "dropin.aimrt_rpc.pb.cc")]
    include = [f"-I{headers}", *(f"-I{headers / part}" for part in parts), f"-I{BENCH}"]
    libraries = ["-laimrt_rpc", "-lprotobuf", "-pthread"]
    return [
        ["go", "build", "-o", plugin, "./cmd/protoc-gen-aimrt_rpc"],
        ["protoc", f"-I{source}", f"--cpp_out={BENCH}", *stub, str(source / "dropin.proto")],
        ["g++", *flags, "-std=c++20", "-DFMT_HEADER_ONLY", *include, *files, "-o", str(BENCH / "bench_dropin"), *libraries],
    ]


def prepare(stubs: str) -> None:
    """Builds the programs and the stubs."""
    BENCH.mkdir(parents=True, exist_ok=True)
    aiomas.prepare()
    flags = [
        "-std=c++17",
        "-O2",
        f"-I{ROOT}/include",
        f"-I{ROOT}/bindings/cpp/include",
        f"-L{ROOT}/build/lib",
        f"-Wl,-rpath,{ROOT}/build/lib",
    ]
    source = ROOT / "benchmarks/cpp"
    proto = source / "bench.proto"
    steps = [
        ["go", "build", "-o", str(BENCH / "pingpong"), "./benchmarks/pingpong"],
        ["protoc", f"-I{source}", f"--cpp_out={BENCH}", str(proto)],
        [
            "g++",
            *flags,
            f"-I{BENCH}",
            str(source / "bench_local.cc"),
            str(BENCH / "bench.pb.cc"),
            "-o",
            str(BENCH / "bench_local"),
            "-laimrt_rpc",
            "-lprotobuf",
            "-pthread",
        ],
        ["g++", *flags, str(source / "bench_http.cc"), "-o", str(BENCH / "bench_http"), "-laimrt_rpc"],
        *dropin_steps(source, flags),
        [
            "g++",
            *flags,
            "-fPIC",
            "-shared",
            "-fvisibility=hidden",
            str(source / "bench_module.cc"),
            "-o",
            str(BENCH / "bench_module.so"),
            "-laimrt_rpc",
        ],
    ]
    for step in steps:
        subprocess.run(step, cwd=ROOT, check=True)
    # grpc-go and paho's client are modules of the tests and never of the product.
    for name in ("grpcbench", "mqttbench"):
        subprocess.run(["go", "build", "-o", str(BENCH / name), f"./{name}"], cwd=ROOT / "tests/interop", check=True)
    guide = ROOT / "examples/aimrt_guide"
    plugin = "import aimrt_rpc, pathlib; print(pathlib.Path(aimrt_rpc.__file__).parent / 'bin' / 'protoc-gen-aimrt_rpc')"
    path = subprocess.run([PYTHON, "-c", plugin], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    protoc = [PYTHON, "-m", "grpc_tools.protoc", f"-I{guide}"]
    subprocess.run([*protoc, f"--python_out={stubs}", f"--grpc_python_out={stubs}", "rpc.proto"], check=True)
    subprocess.run([*protoc, f"--aimrt_rpc_out={stubs}", f"--plugin=protoc-gen-aimrt_rpc={path}", "rpc.proto"], check=True)


def one_round(stubs: str) -> List[Dict[str, Any]]:
    """Runs every program once; gives its figures."""
    here = str(ROOT / "benchmarks/python")
    env = {"PYTHONPATH": os.pathsep.join([here, stubs])}
    figures = run(str(BENCH / "bench_local"))
    figures += run(str(BENCH / "bench_dropin"))
    figures += run(PYTHON, f"{here}/local.py", stubs, **env)
    for figure in run(PYTHON, f"{here}/local.py", stubs, AIMRT_RPC_NO_BRIDGE="1", **env):
        figures.append({**figure, "name": "ctypes." + figure["name"]})
    figures += run(PYTHON, f"{here}/mixed.py", str(BENCH / "bench_module.so"), **env)
    with server(str(BENCH / "pingpong"), "serve") as ports:
        tcp, web = ports.split()
        cpp, grpc = free_port(), free_port()
        network = str(BENCH / "bench_http")
        with server(network, "serve", cpp), server(network, "serve", grpc, "grpc"):
            for size in ("64", "1024", "65536"):
                figures += run(str(BENCH / "pingpong"), "tcp", tcp, size, "4000")
                figures += run(network, "call", cpp, size, "4000")
                figures += run(network, "call", grpc, size, "4000", "grpc")
                figures += run(str(BENCH / "pingpong"), "http", web, size, "4000")
    os.environ.update(env)
    for kind in ("http", "grpc", "grpcio"):
        port = free_port()
        with server(PYTHON, f"{here}/network.py", kind, "serve", port):
            figures += run(PYTHON, f"{here}/network.py", kind, "call", port, "2000")
    for kind in ("ours", "grpcgo"):
        with server(str(BENCH / "grpcbench"), kind, "serve") as port:
            figures += run(str(BENCH / "grpcbench"), kind, "call", port.strip(), "20000")
    port = free_port()
    with server(PYTHON, f"{here}/grpcio_flight.py", "serve", port):
        figures += run(PYTHON, f"{here}/grpcio_flight.py", "call", port, "2000")
    return figures + over_mqtt(here) + aiomas.one_round()


def main() -> None:
    """Measures, writes the file, prints the table."""
    values: Dict[str, List[float]] = defaultdict(list)  # times in us, and counts
    units: Dict[str, str] = {}
    with tempfile.TemporaryDirectory() as stubs:
        prepare(stubs)
        for number in range(ROUNDS):
            print(f"bench: round {number + 1} of {ROUNDS}", flush=True)
            for figure in one_round(stubs):
                scale = 1e-3 if figure["unit"] == "ns" else 1.0
                values[figure["name"]].append(figure["value"] * scale)
                units[figure["name"]] = "us" if figure["unit"] in ("ns", "us") else figure["unit"]
    results = []
    for name, subject, peer in ROWS:
        missing = [key for key in (subject, peer) if key not in values]
        if missing:
            sys.exit(f"bench: no program measured {', '.join(missing)}; there are {', '.join(sorted(values))}")
        mine, theirs = statistics.median(values[subject]), statistics.median(values[peer])
        spread = (max(values[subject]) - min(values[subject])) / mine
        results.append(
            {
                "name": name, "subject": subject, "peer": peer, "unit": units[subject], "subject_value": round(mine, 4),
                "peer_value": round(theirs, 4), "ratio": round(mine / theirs, 3), "runs": ROUNDS, "spread": round(spread, 3),
            }
        )  # fmt: skip
    (BENCH / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{'':80} {'ours':>10} {'beside':>10}   ratio  spread   (us)")
    for row in results:
        print(f"{row['name']:80} {row['subject_value']:10.3f} {row['peer_value']:10.3f} {row['ratio']:7.2f} {row['spread']:7.2f}")


if __name__ == "__main__":
    main()
