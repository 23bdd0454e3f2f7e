#!/usr/bin/env python3
"""Six modules in one process, four in two Pkgs and two in Python, call each other in all 30 ordered pairs.

Usage: run.py FOLDER, the folder with the generated stubs and, in plain/ and asan/, the Pkgs. Runs with the Python that has protobuf;
needs `make build`. Each variant is one process of program.py; in asan/ the Pkgs have AddressSanitizer, which is loaded into Python
first. An overrun and a leak made on purpose in the modules show that it looks.
The table at the end has the good answers of each pair; the last line is "pairs: N passed, N failed".
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIBRARY = ROOT / "build" / "lib" / "libaimrt_rpc.so"
SOURCES = ROOT / "bindings" / "python" / "src"
NAMES = ("Arm", "Base", "Camera", "Drive", "Ears", "Face")
VARIANTS = ("plain", "asan")
ASKED = 8  # of each pair: pb and json, 1 KiB and 1 MiB, one after the other and all at once
RUN_LIMIT_S = 60
# Leaks count where the Pkgs take part. CPython keeps memory until the end, and what only Go's memory points to looks lost.
OF_CPP = ("libpairs_", "libprotobuf", "libstdc++")
SHOWN_PROBLEMS = 10

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


def runtime_file(name: str) -> str:
    """Asks the compiler where one of its run-time libraries is."""
    command = [os.environ.get("CXX", "c++"), f"-print-file-name={name}"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def environment(variant: str, fault: str) -> Dict[str, str]:
    """The environment of a process; with the fault "" its modules do as they should."""
    made = {**os.environ, "PYTHONPATH": str(SOURCES), "AIMRT_RPC_LIBRARY": str(LIBRARY), "PAIRS_FAULT": fault}
    made["PYTHONDONTWRITEBYTECODE"] = "1"
    if variant == "asan":
        # AddressSanitizer takes hold of exceptions when it is loaded, so the C++ library must be there by then.
        made["LD_PRELOAD"] = f"{runtime_file('libasan.so')}:{runtime_file('libstdc++.so')}"
        made["LSAN_OPTIONS"] = "exitcode=0"  # of errors too; complaints() looks at both
        made["PYTHONMALLOC"] = "malloc"  # in arenas of Python's own the search for leaks does not see pointers
    return made


def complaints(out: str) -> List[str]:
    """What AddressSanitizer says about the C++ side: the heads of its errors, and the leaks."""
    leaks = [block for block in out.split("\n\n") if " leak of " in block and any(name in block for name in OF_CPP)]
    return re.findall(r"ERROR: AddressSanitizer: .*", out) + leaks


def run(folder: Path, variant: str, fault: str = "") -> "subprocess.CompletedProcess[str]":
    """Runs the program; one that hangs is ended and its exit code is that of the kill."""
    place = folder / variant
    shutil.copy(HERE / "config.yaml", place)
    (place / "results.json").unlink(missing_ok=True)
    command = [sys.executable, str(HERE / "program.py"), str(folder / "python"), "config.yaml", "results.json"]
    with subprocess.Popen(
        command,
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment(variant, fault),
    ) as program:
        try:
            out = program.communicate(timeout=RUN_LIMIT_S)[0]
        except subprocess.TimeoutExpired:
            program.kill()
            out = program.communicate()[0]
    return subprocess.CompletedProcess(command, program.returncode, out, "")


def test_pairs(folder: Path, variant: str) -> Dict[str, int]:
    """All pairs; gives the good answers of each."""
    ended = run(folder, variant)
    results = folder / variant / "results.json"
    found: Dict[str, Any] = json.loads(results.read_text()) if results.exists() else {"good": {}, "problems": []}
    check(ended.returncode == 0, f"{variant}: exit {ended.returncode}: {ended.stdout[-4000:]}")
    said = complaints(ended.stdout)
    check(not said, f"{variant}: {len(said)} complaints: {' '.join(said)[:4000]}")
    for problem in found["problems"][:SHOWN_PROBLEMS]:
        print(f"    {variant}: {problem}", file=sys.stderr)
    for asker in NAMES:
        for target in NAMES:
            if asker != target:
                count = found["good"].get(f"{asker} {target}", 0)
                check(count == ASKED, f"{variant}: {count} of {ASKED} answers of {target} to {asker} are good")
    good: Dict[str, int] = found["good"]
    return good


def test_faults(folder: Path) -> None:
    """AddressSanitizer finds what is wrong in a module, and names the place; an overrun ends the process before its results."""
    results = folder / "asan" / "results.json"
    for fault, kind, to_the_end in (("overrun", "heap-buffer-overflow", False), ("leak", "Direct leak of ", True)):
        ended = run(folder, "asan", fault)
        found = any(kind in line for line in complaints(ended.stdout)) and "in pairs::Module<" in ended.stdout
        check(found and results.exists() == to_the_end, f"{fault}: exit {ended.returncode}: {ended.stdout[-4000:]}")


def table(good: Dict[str, Dict[str, int]]) -> List[str]:
    """One line for each asker; a cell has the good answers plain and with AddressSanitizer."""
    lines = [f"  good answers of {ASKED}, plain / with AddressSanitizer", "  asker " + "".join(f"{name:>8}" for name in NAMES)]
    for asker in NAMES:
        cells = ["-" if asker == name else "/".join(str(good[v].get(f"{asker} {name}", 0)) for v in VARIANTS) for name in NAMES]
        lines.append(f"  {asker:6}" + "".join(f"{cell:>8}" for cell in cells))
    return lines


def main() -> int:
    """Runs the variants and prints the table."""
    if not LIBRARY.exists():
        print(f"{LIBRARY} is not there: run make build", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]).resolve()
    good = {variant: test_pairs(folder, variant) for variant in VARIANTS}
    test_faults(folder)
    print("\n".join(table(good)))
    print(f"pairs: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
