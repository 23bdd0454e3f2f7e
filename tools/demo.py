#!/usr/bin/env python3
"""The main job, shown: run by `make demo` in build/venv after the wheel is installed.

(a) The two programs of AimRT's Python RPC guide, in one process and as two processes over http, with stubs made by our protoc plugin.
(b) A Python process that loads a C++ library: Python calls C++, which calls Python.
(c) A table: who called whom, how it ended, how long the median call took.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
Row = Tuple[str, str, str, str, float]


def say(text: str) -> None:
    """Prints a progress line."""
    print(f"\n== {text}", flush=True)


def free_port() -> str:
    """Gives a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def run(*command: str, cwd: Path, show: bool = True, **env: str) -> str:
    """Runs a program and shows what it prints; ends the demo when it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, env={**os.environ, **env}
    )
    if show or done.returncode != 0:
        print("".join(f"   {line}\n" for line in done.stdout.splitlines()), end="", flush=True)
    if done.returncode != 0:
        sys.exit(f"demo: {' '.join(command)} ended with {done.returncode}")
    return done.stdout


def expect(text: str, *parts: str) -> None:
    """Ends the demo when a program did not print what it should."""
    for part in parts:
        if part not in text:
            sys.exit(f"demo: the output above has no {part!r}")


def guide_folder(work: Path) -> Path:
    """Copies the guide's programs and generates their stubs."""
    folder = work / "aimrt_guide"
    shutil.copytree(ROOT / "examples/aimrt_guide", folder)
    run("./generate.sh", cwd=folder, PYTHON=PYTHON)
    port = free_port()
    for name in ("server.yaml", "client.yaml"):
        path = folder / "cfg" / name
        path.write_text(path.read_text().replace("50080", port))
    return folder


@contextmanager
def program(*command: str, cwd: Path, **env: str) -> Iterator["subprocess.Popen[str]"]:
    """Runs a program beside the demo, shows its output, interrupts it at the end as Ctrl-C would."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **env})

    def copy() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"   server: {line}", end="", flush=True)

    thread = threading.Thread(target=copy)
    thread.start()
    try:
        yield process
    finally:
        begin = time.monotonic()
        process.send_signal(2)
        process.wait(60)
        thread.join()
        print(f"   (the server ended {time.monotonic() - begin:.2f} s after Ctrl-C with {process.returncode})", flush=True)


def guide(work: Path) -> Path:
    """Part (a)."""
    say("The AimRT guide: generate messages and stubs with protoc and our plugin")
    folder = guide_folder(work)
    print("   rpc_pb2.py, rpc_aimrt_rpc_pb2.py")
    say("The guide's service and client on one Core: the call stays in the process")
    expect(run(PYTHON, "one_process.py", cwd=folder), "in one process: suc, code 0, msg: OK, rsp: echo example msg")
    say("The guide's two programs as they are, in one process")
    expect(run(PYTHON, "both.py", cwd=folder), "Call rpc done, status: suc, code 0, msg: OK")
    say("The guide's two programs as two processes, over http")
    with program(PYTHON, "-u", "server.py", cwd=folder):
        expect(run(PYTHON, "client.py", cwd=folder), "Call rpc done, status: suc, code 0, msg: OK")
    return folder


def robot(work: Path) -> None:
    """Part (b)."""
    say("A Python process with a C++ robot arm in it: build the C++ library against an installed tree")
    prefix, build = work / "prefix", work / "robot"
    run("make", "--no-print-directory", "install", f"PREFIX={prefix}", cwd=ROOT, show=False)
    source = ROOT / "examples/cpp_python_robot"
    run("cmake", "-S", str(source), "-B", str(build), f"-DCMAKE_PREFIX_PATH={prefix}", cwd=ROOT, show=False)
    run("cmake", "--build", str(build), cwd=ROOT, show=False)
    say("Python calls robot.Arm/Move in C++, which asks robot.Safety/Allows in Python")
    expect(run(PYTHON, "main.py", str(build / "librobot.so"), cwd=source), "-> 6.5", "-> 3003 z = -1.5 is below the table")


def table(work: Path, folder: Path) -> None:
    """Part (c)."""
    say("Who calls whom: 64 bytes, one call after the other (build and measure, some seconds)")
    flags = ["-std=c++17", "-O2", f"-I{ROOT}/include", f"-I{ROOT}/bindings/cpp/include", f"-L{ROOT}/build/lib"]
    flags += [f"-Wl,-rpath,{ROOT}/build/lib"]
    source = ROOT / "benchmarks/cpp"
    module, http = str(work / "module.so"), str(work / "http")
    shared = ["-fPIC", "-shared", "-fvisibility=hidden"]
    run("g++", *flags, *shared, str(source / "bench_module.cc"), "-o", module, "-laimrt_rpc", cwd=ROOT)
    run("g++", *flags, str(source / "bench_http.cc"), "-o", http, "-laimrt_rpc", cwd=ROOT)
    paths = os.pathsep.join([str(ROOT / "benchmarks/python"), str(folder)])
    rows = [
        (row["from"], row["to"], row["path"], row["status"], row["us"])
        for row in lines(run(PYTHON, str(ROOT / "benchmarks/python/demo_table.py"), module, cwd=work, show=False, PYTHONPATH=paths))
    ]
    rows += over_http(work, http, paths)
    print(f"   {'from':18} {'to':18} {'path':24} {'status':8} {'p50':>10}")
    for who, whom, path, status, us in rows:
        print(f"   {who:18} {whom:18} {path:24} {status:8} {us:8.2f} us")


def lines(text: str) -> List[Dict[str, Any]]:
    """Reads the JSON lines of a program's output."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def over_http(work: Path, http: str, paths: str) -> List[Row]:
    """The rows of two processes."""
    network = str(ROOT / "benchmarks/python/network.py")
    rows: List[Row] = []
    for who, serve, call in [
        ("C++", [http, "serve"], [http, "call"]),
        ("Python", [PYTHON, network, "http", "serve"], [PYTHON, network, "http", "call"]),
    ]:
        port = free_port()
        environment = {**os.environ, "PYTHONPATH": paths}
        server = subprocess.Popen([*serve, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert server.stdout is not None and server.stdin is not None
        server.stdout.readline()
        size = ["64"] if who == "C++" else []
        [figure] = lines(run(*call, port, *size, "1000", cwd=work, show=False, PYTHONPATH=paths))
        rows.append((f"{who}, process A", f"{who}, process B", "http", "OK", figure["value"]))
        server.stdin.close()
        server.wait(30)
    return rows


def main() -> None:
    """Runs the three parts in a folder that goes away."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folder = guide(work)
        robot(work)
        table(work, folder)
    say("done: C++ and Python called each other in one process and across two")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
