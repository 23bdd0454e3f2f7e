#!/usr/bin/env python3
"""Checks the binary contract of the library: header, layouts, exports, hostile arguments, old callers, fork, signals.

Usage: run.py [name ...]. Without names every test runs. Needs `make build`; the library is taken from AIMRT_RPC_BUILD or build/.
AIMRT_RPC_TEST_FLAGS are further flags for the compiler.
The last line is "abi: N passed, N failed".
"""

import ctypes
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("AIMRT_RPC_BUILD", ROOT / "build")).resolve()
LIBRARY = BUILD / "lib" / "libaimrt_rpc.so"
OUT = ROOT / "build" / "tests" / "abi"
MAX_TLS_BYTES = 256
RUN_LIMIT_S = 120
SIGNALS_LIMIT_S = 400
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
INCLUDE = ["-I", str(ROOT / "include"), "-I", str(HERE)]
LINK = ["-pthread", "-ldl", "-L", str(BUILD / "lib"), "-laimrt_rpc", f"-Wl,-rpath,{BUILD / 'lib'}"]

passed = 0
failed = 0


def check(condition: bool, text: str) -> None:
    """Counts one check and shows a failure."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"    not true: {text}", file=sys.stderr)


def command(
    arguments: Sequence[str], environment: Optional[Dict[str, str]] = None, limit_s: int = RUN_LIMIT_S
) -> "subprocess.CompletedProcess[str]":
    """Runs a program; one that hangs is ended and counts as failed."""
    try:
        return subprocess.run(
            arguments, capture_output=True, text=True, errors="replace", timeout=limit_s, env={**os.environ, **(environment or {})}
        )
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(arguments, -1, str(late.stdout or ""), f"did not end within {limit_s} s\n{late.stderr!r}\n")


def build(target: str, sources: List[str], language: str = "c11", link: bool = True) -> Path:
    """Compiles sources into a program, or one source into an object; a warning is an error."""
    compiler = [os.environ.get("CC", "cc")] if language == "c11" else [os.environ.get("CXX", "c++"), "-x", "c++"]
    out = OUT / target
    flags = [f"-std={language}", "-D_GNU_SOURCE", "-g", "-O1", *WARNINGS, *INCLUDE, *os.environ.get("AIMRT_RPC_TEST_FLAGS", "").split()]
    result = command([*compiler, *flags, *([] if link else ["-c"]), *sources, "-o", str(out), *(LINK if link else [])])
    check(result.returncode == 0, f"{target} compiles as {language}: {result.stdout}{result.stderr}")
    return out


def run(program: Path, arguments: Sequence[str] = (), limit_s: int = RUN_LIMIT_S) -> str:
    """Runs a test program and adds up what it counted."""
    global passed, failed
    result = command([str(program), *arguments], limit_s=limit_s)
    counts = re.findall(r"^[\w ]+: (\d+) passed, (\d+) failed$", result.stdout, re.M)
    for good, bad in counts:
        passed += int(good)
        failed += int(bad)
    if result.stderr:
        print(result.stderr[-4000:], file=sys.stderr, end="")
    check(bool(counts) and result.returncode == 0, f"{program.name} ends with {result.returncode}\n{result.stdout[-2000:]}")
    return result.stdout


def test_header() -> None:
    """C11 and C++17, twice, beside AimRT's names in both orders, in one program."""
    first = build("header_first.o", [str(HERE / "header_first.c")], link=False)
    build("header_first_cpp.o", [str(HERE / "header_first.c")], "c++17", link=False)
    second = build("header_second.o", [str(HERE / "header_second.c")], link=False)
    second_cpp = build("header_second_cpp.o", [str(HERE / "header_second.c")], "c++17", link=False)
    run(build("header_c", [str(HERE / "header_main.c"), str(first), str(second)]))
    run(build("header_cpp", [str(HERE / "header_main.c"), str(first), str(second_cpp)]))


def cross_compilers() -> Dict[str, List[str]]:
    """Compilers for aarch64 by language: the distribution's when it is installed, else the one that builds the wheel."""
    if shutil.which("aarch64-linux-gnu-gcc") and shutil.which("aarch64-linux-gnu-g++"):
        return {"c11": ["aarch64-linux-gnu-gcc"], "c++17": ["aarch64-linux-gnu-g++", "-x", "c++"]}
    zig = [str(ROOT / "build/venv/bin/python"), "-m", "ziglang"]
    return {
        "c11": [*zig, "cc", "-target", "aarch64-linux-gnu"],
        "c++17": [*zig, "c++", "-target", "aarch64-linux-gnu", "-x", "c++"],
    }


def test_compat() -> None:
    """AimRT's structs have AimRT's layout, in C and C++, on x86-64 and aarch64, beside our header in both orders."""
    source = str(HERE / "compat_layout.c")
    for language, cross in cross_compilers().items():
        build("compat_layout.o", [source], language, link=False)
        flags = [f"-std={language}", *WARNINGS, *INCLUDE, "-c", source, "-o", str(OUT / "compat_layout_aarch64.o")]
        for order in ([], ["-DCOMPAT_AFTER_NATIVE"]):
            result = command([*cross, *order, *flags])
            check(result.returncode == 0, f"the layout on aarch64 as {language} {order}: {result.stdout}{result.stderr}")
    machine = command(["readelf", "-h", str(OUT / "compat_layout_aarch64.o")]).stdout
    check("AArch64" in machine, f"the cross compiler compiles for aarch64: {machine}")
    program = build("compat_after.o", [source, "-DCOMPAT_AFTER_NATIVE"], link=False)
    check(program.exists(), "the native header may come first")


def abi_module() -> types.ModuleType:
    """Loads the generated Python declarations alone, without the package around them."""
    spec = importlib.util.spec_from_file_location("_abi", ROOT / "bindings/python/src/aimrt_rpc/_abi.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_layout() -> None:
    """Sizes, offsets and constants equal in C, C++, Go and Python (C and C++ by the assertions that header_main.c includes)."""
    table = json.loads((HERE / "layout_gen.json").read_text())
    abi = abi_module()
    for row in table["structs"]:
        python = abi.STRUCTURES[row["name"]]
        check(ctypes.sizeof(python) == row["size"], f"size of {row['name']} in Python is {ctypes.sizeof(python)}, not {row['size']}")
        check(ctypes.alignment(python) == row["align"], f"alignment of {row['name']} in Python")
        for field in row["fields"]:
            there = getattr(python, field["name"])
            check((there.offset, there.size) == (field["offset"], field["size"]), f"{row['name']}.{field['name']} in Python")
    for name, value in table["constants"].items():
        check(getattr(abi, name) == value, f"{name} in Python")
    check(sorted(abi.FUNCTIONS) == sorted(table["functions"]), "Python knows every function")
    result = command(["go", "-C", str(HERE / "golayout"), "run", "."], {"CGO_ENABLED": "1"})
    check(result.returncode == 0, f"the Go side: {result.stderr}")
    go = json.loads(result.stdout) if result.returncode == 0 else {}
    for row in table["structs"]:
        want = {"size": row["size"], "align": row["align"], "fields": {f["name"]: [f["offset"], f["size"]] for f in row["fields"]}}
        check(go.get(row["name"]) == want, f"{row['name']} in Go is {go.get(row['name'])}, not {want}")


def test_exports() -> None:
    """Exactly the functions of the header are visible, the soname is right, and every copy of the list agrees."""
    declared = json.loads((HERE / "layout_gen.json").read_text())["functions"]
    listed = re.findall(r"^\s+(aimrt_rpc_\w+);$", (ROOT / "capi/exports.map").read_text(), re.M)
    check(listed == declared, "exports.map lists what the header declares")
    result = command(["nm", "-D", "--defined-only", str(LIBRARY)])
    visible = sorted(line.split()[-1] for line in result.stdout.splitlines())
    check(visible == sorted(declared), f"visible but not declared: {set(visible) - set(declared)}, missing: {set(declared) - set(visible)}")
    dynamic = command(["readelf", "-dW", str(LIBRARY)]).stdout
    soname = re.search(r"SONAME.*\[(.+)\]", dynamic)
    check(soname is not None and soname[1] == f"libaimrt_rpc.so.{abi_module().AIMRT_RPC_ABI_VERSION}", f"soname {soname and soname[1]}")
    needed = re.findall(r"NEEDED.*\[(.+)\]", dynamic)
    check(all(re.match(r"(libc|libpthread|libdl|ld-linux.*)\.so", n) for n in needed), f"needed libraries {needed}")
    check("TEXTREL" not in dynamic, "no text relocations")
    headers = command(["readelf", "-lW", str(LIBRARY)]).stdout
    check("GNU_RELRO" in headers and not re.search(r"GNU_STACK.*RWE", headers), "read-only relocations, no executable stack")


def test_tls() -> None:
    """Own thread-local storage stays small: with more, a late dlopen fails when the static block is full."""
    headers = command(["readelf", "-lW", str(LIBRARY)]).stdout
    sizes = [int(m, 16) for m in re.findall(r"^\s+TLS\s+\S+\s+\S+\s+\S+\s+\S+\s+(0x[0-9a-f]+)", headers, re.M)]
    check(len(sizes) <= 1 and sum(sizes) < MAX_TLS_BYTES, f"thread-local storage of {sizes} bytes, the limit is {MAX_TLS_BYTES}")
    print(f"    thread-local storage: {sum(sizes)} bytes; file: {LIBRARY.stat().st_size / 2**20:.2f} MiB")


def world_program(name: str, *more: str) -> Path:
    return build(name, [str(HERE / f"{name}.c"), str(HERE / "world.c"), *(str(HERE / m) for m in more)])


def test_hostile() -> None:
    """Every function survives NULL, 0, stale and wrong-kind handles."""
    run(world_program("hostile", "hostile_gen.c"))


def test_sizes() -> None:
    """Structs of older and newer callers."""
    run(world_program("sizes"))


def test_echo() -> None:
    """Calls from C to C, and the life cycle around them."""
    run(world_program("echo"))


def test_engine() -> None:
    """Calls that Go carries out."""
    run(build("engine", [str(HERE / "engine.c")]))


def test_filters() -> None:
    """Filters of C modules."""
    run(build("filters", [str(HERE / "filters.c")]))


def test_hosted() -> None:
    """Connections whose bytes the host moves."""
    run(world_program("hosted"))


def test_links() -> None:
    """Connections whose sockets the runtime owns."""
    run(world_program("links"))


def test_life() -> None:
    """Who runs the shutdown, queues, executors, log, reload, limits."""
    run(world_program("life"))


def test_leave() -> None:
    """The host exits while threads call."""
    program = world_program("leave")
    for _ in range(30):
        run(program)


def test_forked() -> None:
    """In a child of fork() every function answers FORKED and none hangs."""
    run(world_program("forked", "hostile_gen.c"))


def test_signals() -> None:
    """Shutdown from a plain signal handler under storms of signals."""
    run(world_program("signals"), limit_s=SIGNALS_LIMIT_S)


def test_copies() -> None:
    """Two copies of the library in one process."""
    names = []
    for word in (b"one", b"two"):
        file = OUT / f"libaimrt_{word.decode()}.so"
        text = LIBRARY.read_bytes()
        own = b"libaimrt_rpc.so.1\0"
        check(text.count(own) == 1, "the soname stands once in the file")
        file.write_bytes(text.replace(own, b"libaimrt_" + word + b".so.1\0"))
        names.append(str(file))
    print("    " + run(build("copies", [str(HERE / "copies.c")]), names).split("copies:")[0].strip().replace("\n", "\n    "))


TESTS: Dict[str, Callable[[], None]] = {
    name[5:]: function for name, function in list(globals().items()) if name.startswith("test_") and callable(function)
}


def main() -> int:
    names = sys.argv[1:] or list(TESTS)
    unknown = [n for n in names if n not in TESTS]
    if unknown:
        print(f"no test {unknown[0]!r}; there are: {' '.join(TESTS)}", file=sys.stderr)
        return 2
    if not LIBRARY.exists():
        print(f"{LIBRARY} is not there: run make build", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for name in names:
        before = (passed, failed)
        TESTS[name]()
        print(
            f"  {'ok    ' if failed == before[1] else 'FAILED'} {name}: {passed - before[0]} checks, {failed - before[1]} failed",
            flush=True,
        )
    print(f"abi: {passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
