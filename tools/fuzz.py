#!/usr/bin/env python3
"""Runs the Go fuzz targets of the project for FUZZTIME each (default 30s), one per processor at a time.

Without arguments all targets, otherwise those of the folders that are named.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, List, Tuple

ROOT = Path(__file__).resolve().parent.parent
ATTEMPTS = 2


def targets() -> Iterator[Tuple[str, str]]:
    """Gives (package folder, function) of every fuzz target git knows."""
    files = subprocess.run(["git", "ls-files", "*_test.go"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for file in files.splitlines():
        for name in re.findall(r"^func (Fuzz\w+)\(", (ROOT / file).read_text(), re.MULTILINE):
            yield str(Path(file).parent), name


def run(target: Tuple[str, str]) -> bool:
    """Runs one target and shows what it printed when it failed."""
    package, name = target
    duration = os.environ.get("FUZZTIME", "30s")
    print(f"{package} {name} for {duration}", flush=True)
    limits = ["-fuzztime", duration, "-fuzzminimizetime", "20x", "-parallel", "1"]
    command = ["go", "test", f"./{package}", "-run", "^$", "-fuzz", f"^{name}$", *limits]
    for _ in range(ATTEMPTS):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            return True
        # On a loaded machine Go's engine may take its own end for a failure; a finding always names its input.
        if "context deadline exceeded" not in done.stdout or "Failing input" in done.stdout:
            break
    print(done.stdout)
    return False


def main(packages: List[str]) -> int:
    """Runs them and counts."""
    chosen = [t for t in targets() if not packages or t[0] in packages]
    without = set(packages) - {t[0] for t in chosen}
    if without:
        print(f"no fuzz target in {', '.join(sorted(without))}; there are some in {', '.join(sorted({t[0] for t in targets()}))}")
        return 2
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(run, chosen))
    print(f"fuzz: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
