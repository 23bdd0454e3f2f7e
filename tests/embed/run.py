#!/usr/bin/env python3
"""Builds embed.cc for every CPython on the machine that can be embedded, and runs it.

Usage: run.py [version ...]. Needs `make build`. An interpreter counts when its `python3-config --embed` names a libpython that is
there; when the machine has none and this runs as root, Debian's python3-dev is installed, else one skipped test is counted. So is
one for each CPython that cannot run twice in one process.
The last line is "embed: N passed, N failed, N skipped".
"""

import glob
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIB = ROOT / "build" / "lib"
OUT = ROOT / "build" / "tests" / "embed"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
LIMIT_S = 150

passed = 0
failed = 0
skipped = 0


class Interpreter(NamedTuple):
    """A CPython that can be embedded."""

    version: str
    home: str
    compile_flags: List[str]
    link_flags: List[str]


def check(condition: bool, text: str) -> None:
    """Counts one check and shows a failure."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"    not true: {text}", file=sys.stderr)


def config_flags(config: str, *options: str) -> List[str]:
    """Asks a python3-config for flags; none when it has no answer."""
    done = subprocess.run([config, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.split() if done.returncode == 0 else []


def configs(version: str) -> List[str]:
    """Lists the python3-config programs of a version: pyenv's, then the system's."""
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    found = sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}-config"), reverse=True)
    return found + [f for f in (f"/usr/bin/python{version}-config", f"/usr/local/bin/python{version}-config") if Path(f).exists()]


def find(version: str) -> List[Interpreter]:
    """Finds the interpreter of a version whose library is there; at most one."""
    for config in configs(version):
        compile_flags = [f for f in config_flags(config, "--includes") if f.startswith("-I")]
        link_flags = config_flags(config, "--ldflags", "--embed")
        folders = [f[2:] for f in link_flags if f.startswith("-L")] + ["/usr/lib", *glob.glob("/usr/lib/*-linux-gnu")]
        header = any(Path(f[2:], "Python.h").exists() for f in compile_flags)
        if header and any(glob.glob(f"{folder}/libpython{version}*") for folder in folders):
            # A folder without a run path would need LD_LIBRARY_PATH.
            run_path = [f"-Wl,-rpath,{folder}" for folder in folders if Path(folder, f"libpython{version}.so").exists()]
            return [Interpreter(version, str(Path(config).parent.parent), compile_flags, [*link_flags, *run_path])]
    return []


def find_all(versions: List[str]) -> List[Interpreter]:
    """Finds all, installing Debian's development files when there are none."""
    found = [one for version in versions for one in find(version)]
    if found or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    print("  no interpreter can be embedded; installing python3-dev", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "python3-dev"]):
        subprocess.run(["apt-get", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return [one for version in versions for one in find(version)]


def build(python: Interpreter) -> Path:
    """Compiles the program against an interpreter."""
    out = OUT / f"embed-{python.version}"
    include = ["-I", str(ROOT / "include"), *(f"-isystem{flag[2:]}" for flag in python.compile_flags)]
    link = ["-L", str(LIB), "-laimrt_rpc", f"-Wl,-rpath,{LIB}", *python.link_flags, "-pthread"]
    compiler = os.environ.get("CXX", "c++")
    command = [compiler, "-std=c++17", "-g", "-O1", *WARNINGS, *include, str(HERE / "embed.cc"), "-o", str(out), *link]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0, f"embed.cc compiles for CPython {python.version}: {done.stdout}")
    return out


def execute(program: Path, python: Interpreter, mode: str) -> Tuple[int, str]:
    """Runs the program; gives exit code and output."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT / "bindings" / "python" / "src")]),
        "PYTHONHOME": python.home,
        "PYTHONDONTWRITEBYTECODE": "1",
        "EMBED_LIBRARY": str(LIB / "libaimrt_rpc.so"),
        "AIMRT_RPC_NO_BRIDGE": "1" if mode == "ctypes" else "",
    }
    try:
        done = subprocess.run(
            [str(program), mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            env=environment,
        )
    except subprocess.TimeoutExpired as late:
        return -1, f"{late.stdout!r}\ndid not end within {LIMIT_S} s"
    return done.returncode, done.stdout


def run(program: Path, python: Interpreter, mode: str) -> None:
    """Runs the program and adds up what it counted."""
    global passed, failed
    code, output = execute(program, python, mode)
    counts = re.findall(r"^embed: (\d+) passed, (\d+) failed$", output, re.M)
    for good, bad in counts:
        passed += int(good)
        failed += int(bad)
    check(bool(counts) and code == 0, f"CPython {python.version} {mode} ended with {code}\n{output[-6000:]}")


def run_all(program: Path, python: Interpreter) -> None:
    """Runs every mode that this interpreter can do."""
    global skipped
    run(program, python, "ctypes")
    if execute(program, python, "probe")[0] == 0:
        run(program, python, "again")
        return
    run(program, python, "bridge")
    skipped += 1
    print(f"  skipped: a second interpreter; CPython {python.version} itself crashes when ctypes is imported there", flush=True)


def main() -> int:
    """Goes through the interpreters (or the versions named as arguments)."""
    if not (LIB / "libaimrt_rpc.so").exists():
        print(f"{LIB / 'libaimrt_rpc.so'} is not there: run make build", file=sys.stderr)
        return 2
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    global skipped
    interpreters = find_all(sys.argv[1:] or list(VERSIONS))
    if not interpreters:
        skipped = 1
        print("  skipped: no CPython 3.8 to 3.13 with its library and headers is here, and none could be installed", flush=True)
    for python in interpreters:
        before = failed
        program = build(python)
        if program.exists():
            run_all(program, python)
        print(f"  {'ok    ' if failed == before else 'FAILED'} CPython {python.version} in {python.home}", flush=True)
    print(f"embed: {passed} passed, {failed} failed, {skipped} skipped")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
