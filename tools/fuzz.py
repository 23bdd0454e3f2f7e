#!/usr/bin/env python3
"""Runs every Go fuzz target of the project for FUZZTIME each (default 30s), one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

ROOT = Path(__file__).resolve().parent.parent


def targets() -> Iterator[Tuple[str, str]]:
    """Gives (package folder, function) of every fuzz target git knows."""
    files = subprocess.run(["git", "ls-files", "*_test.go"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for file in files.splitlines():
        for name in re.findall(r"^func (Fuzz\w+)\(", (ROOT / file).read_text(), re.MULTILINE):
            yield str(Path(file).parent), name


def main() -> int:
    """Runs them and counts."""
    duration = os.environ.get("FUZZTIME", "30s")
    passed = failed = 0
    for package, name in targets():
        print(f"{package} {name} for {duration}", flush=True)
        command = ["go", "test", f"./{package}", "-run", "^$", "-fuzz", f"^{name}$", "-fuzztime", duration, "-fuzzminimizetime", "20x"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            passed += 1
        else:
            failed += 1
            print(done.stdout)
    print(f"fuzz: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
