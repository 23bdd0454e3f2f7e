#!/usr/bin/env python3
"""aiomas' RPC layer beside the real aiomas 2.0.1, in turn: calls, latency, and the CPU time of the servers.

compare.py [WORDS ...] runs the cells whose names have all the words ("MsgPack", "64", "cpp" ...), prints one table and writes
build/bench/aiomas.json. ``BENCH_ROUNDS`` (default 3) and ``BENCH_SECONDS`` (default 1.0 per cell) say how often and how long.

A cell is a pair of ends, a codec, the bytes of the echoed text and the calls in flight. Pairs: ``py`` is Python at both ends, ours beside
the real one; ``cpp`` and ``go`` are servers of ours with the real client, beside the real server with the real client.
"""

import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "benchmarks/aiomas"
BENCH = ROOT / "build/bench"
sys.path.insert(0, str(ROOT / "tests/interop/aiomas_py"))

import environments  # noqa: E402 - the tests' own way to the two packages

SECONDS = os.environ.get("BENCH_SECONDS", "1.0")
SIZES = {64: "64 B", 4096: "4 KiB", 262144: "256 KiB"}
IN_FLIGHT = (1, 16, 256)
CODECS = ("JSON", "MsgPack")
# The subjects: server and client.
PAIRS = {
    "real": (environments.REAL, environments.REAL),
    "py": (environments.OURS, environments.OURS),
    "cpp": ("cpp", environments.REAL),
    "go": ("go", environments.REAL),
}
CELLS = [(codec, size, flight) for codec in CODECS for size in SIZES for flight in IN_FLIGHT]
# What is reported: name, pair, cell and key of the figure.
KEYS = {"each": "time per call", "p50": "median", "cpu": "server CPU per call"}
ROWS = [
    (f"aiomas, {pair}, {codec}, {SIZES[size]}, {flight} in flight, {KEYS[key]} / real", pair, f"{codec}.{size}.{flight}.{key}")
    for pair, keys in (("py", ("each", "p50", "cpu")), ("cpp", ("cpu",)), ("go", ("cpu",)))
    for codec, size, flight in CELLS
    for key in keys
    if key != "p50" or flight == 1
]


def prepare():
    """Builds the servers and makes the two environments."""
    BENCH.mkdir(parents=True, exist_ok=True)
    include = [f"-I{ROOT}/include", f"-I{ROOT}/bindings/cpp/include"]
    library = [f"-L{ROOT}/build/lib", f"-Wl,-rpath,{ROOT}/build/lib", "-laimrt_rpc"]
    server = ["g++", "-std=c++17", "-O2", *include, str(HERE / "server.cc"), "-o", str(BENCH / "aiomas_cpp"), *library]
    subprocess.run(server, cwd=ROOT, check=True)
    subprocess.run(["go", "build", "-o", str(BENCH / "aiomas_go"), "./benchmarks/aiomas/goserver"], cwd=ROOT, check=True)
    for subject in (environments.REAL, environments.OURS):
        environments.command(subject)


def command(subject):
    """Gives the program of a subject and its environment."""
    if subject in ("cpp", "go"):
        return [str(BENCH / f"aiomas_{subject}")], dict(os.environ)
    python, environment = environments.command(subject)
    return [python, str(HERE / "endpoint.py"), subject], environment


def measure(pair, codec, size, flight):
    """Runs one cell; gives what the client prints."""
    program, environment = command(PAIRS[pair][0])
    server = subprocess.Popen([*program, "serve", codec], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        port = server.stdout.readline().strip()
        program, environment = command(PAIRS[pair][1])
        numbers = [port, str(server.pid), str(size), str(flight), str(float(SECONDS))]
        done = subprocess.run([*program, "call", codec, *numbers], stdout=subprocess.PIPE, text=True, env=environment, timeout=120)
        if not port or done.returncode != 0:
            sys.exit(f"bench: aiomas {pair} {codec} {size} {flight} ended with {server.poll()} (server) and {done.returncode} (client)")
        return json.loads(done.stdout)
    finally:
        server.stdin.close()
        server.wait(60)


def one_round(chosen=lambda name: True):
    """Runs every cell once, the subjects in turn; gives the figures in microseconds."""
    figures = []
    for codec, size, flight in CELLS:
        cell = f"{codec}.{size}.{flight}"
        pairs = [pair for pair in PAIRS if pair != "real" and chosen(f"{pair}.{cell}")]
        for pair in ["real", *pairs] if pairs else []:
            got = measure(pair, codec, size, flight)
            for key, value in (("each", 1e6 / got["rate"]), ("p50", got["p50"]), ("cpu", got["server_cpu"])):
                figures.append({"name": f"aiomas.{pair}.{cell}.{key}", "unit": "us", "value": value})
    return figures


def main(*words):
    """Measures, writes the file, prints the table."""
    prepare()
    values = defaultdict(list)
    for _ in range(int(os.environ.get("BENCH_ROUNDS", "3"))):
        for figure in one_round(lambda name: all(word in name.split(".") for word in words)):
            values[figure["name"]].append(figure["value"])
    results = []
    for name, pair, cell in ROWS:
        if f"aiomas.{pair}.{cell}" not in values:
            continue
        mine, theirs = (statistics.median(values[f"aiomas.{which}.{cell}"]) for which in (pair, "real"))
        results.append({"name": name, "ours": round(mine, 2), "real": round(theirs, 2), "times_better": round(theirs / mine, 2)})
        print(f"{name:70} {mine:10.1f} {theirs:10.1f} us  {theirs / mine:6.2f} times better", flush=True)
    (BENCH / "aiomas.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
