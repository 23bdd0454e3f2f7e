#!/usr/bin/env python3
"""Stress tests: leaks over lives and thousands of objects, floods, storms, peers that are killed.

Usage: run.py [--soak] [name ...]. Without names every program runs. Needs `make build`; the library is taken from AIMRT_RPC_BUILD or
build/. AIMRT_RPC_TEST_FLAGS are further flags for the compiler. With --soak the programs share SOAK_SECONDS (default 600).
The last line is "stress: N passed, N failed".
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("AIMRT_RPC_BUILD", ROOT / "build")).resolve()
LIB = BUILD / "lib"
OUT = BUILD / "tests" / "stress"
PROGRAMS = ("cycles", "churn", "flood", "storms", "peers")
LOOPS = "loops"  # the one in Python
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
# What malloc keeps per thread would count as in use, and arenas make resident memory depend on the scheduler.
MALLOC = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1"
RUN_LIMIT_S = 240
SOAK_SECONDS = 600

passed = 0
failed = 0


def check(condition: bool, text: str) -> None:
    """Counts one check and shows a failure."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"    not true: {text}", file=sys.stderr, flush=True)


def build(name: str) -> Optional[Path]:
    """Compiles a program unless it is newer than its sources; a warning is an error."""
    out = OUT / name
    sources = [HERE / f"{name}.cc", *HERE.glob("*.hpp"), ROOT / "include" / "aimrt_rpc.h"]
    if out.exists() and all(out.stat().st_mtime > source.stat().st_mtime for source in sources):
        return out
    flags = ["-std=c++17", "-g", "-O1", *WARNINGS, *os.environ.get("AIMRT_RPC_TEST_FLAGS", "").split(), "-I", str(ROOT / "include")]
    link = ["-L", str(LIB), "-laimrt_rpc", f"-Wl,-rpath,{LIB}", "-pthread"]
    command = [os.environ.get("CXX", "c++"), *flags, str(HERE / f"{name}.cc"), "-o", str(out), *link]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0, f"{name}.cc compiles: {done.stdout}")
    return out if done.returncode == 0 else None


def run(name: str, command: List[str], environment: Dict[str, str], seconds: int) -> None:
    """Runs a program and adds up what it counted; one that hangs is ended and counts as failed."""
    global passed, failed
    try:
        done = subprocess.run(
            [*command, str(seconds)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + RUN_LIMIT_S,
            env={**os.environ, **environment},
        )
        code, output, complaints = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        code, output, complaints = -1, str(late.stdout or ""), f"{late.stderr!r}\ndid not end within {seconds + RUN_LIMIT_S} s"
    counts = re.findall(rf"^{name}: (\d+) passed, (\d+) failed$", output, re.M)
    for good, bad in counts:
        passed += int(good)
        failed += int(bad)
    facts = [line for line in output.splitlines() if line.startswith("    ")]
    print("\n".join(facts[-40:]), flush=True)
    check(bool(counts) and code == 0, f"{name} ended with {code}\n{output[-1000:] if not counts else ''}{complaints[-4000:]}")


def main() -> int:
    """Runs the programs named in the arguments, or all."""
    soak = "--soak" in sys.argv
    chosen = [a for a in sys.argv[1:] if a != "--soak"] or [*PROGRAMS, LOOPS]
    unknown = [n for n in chosen if n not in PROGRAMS and n != LOOPS]
    if unknown:
        print(f"no program {unknown[0]!r}; there are: {' '.join([*PROGRAMS, LOOPS])}", file=sys.stderr)
        return 2
    library = LIB / "libaimrt_rpc.so"
    if not library.exists():
        print(f"{library} is not there: run make build", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    seconds = int(os.environ.get("SOAK_SECONDS", SOAK_SECONDS)) // len(chosen) if soak else 0
    for name in chosen:
        before = (passed, failed)
        if name == LOOPS:
            python = ROOT / "build" / "venv" / "bin" / "python"
            command = [str(python if python.exists() else sys.executable), str(HERE / "loops.py")]
            paths = str(ROOT / "bindings" / "python" / "src")
            run(name, command, {"PYTHONPATH": paths, "AIMRT_RPC_LIBRARY": str(library), "GLIBC_TUNABLES": MALLOC}, seconds)
        else:
            program = build(name)
            if program is not None:
                run(name, [str(program)], {"GLIBC_TUNABLES": MALLOC}, seconds)
        word = "ok    " if failed == before[1] else "FAILED"
        print(f"  {word} {name}: {passed - before[0]} checks, {failed - before[1]} failed", flush=True)
    print(f"stress: {passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
