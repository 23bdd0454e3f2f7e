#!/usr/bin/env python3
"""Runs the Python binding tests on every CPython from 3.8 to 3.13 that is on the machine; counts those that are missing.

Each interpreter gets an environment under build/venvs with the wheel of build/wheel installed. The last line adds up what pytest
counted: "N passed, N failed, N skipped", where a missing interpreter counts as one skipped.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
PACKAGES = ("pytest", "protobuf", "grpcio-tools", "msgpack")


def find(version: str) -> Optional[str]:
    """Finds an interpreter of a version: on the path, or in pyenv's folder."""
    candidates = [shutil.which(f"python{version}") or ""]
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    candidates += sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python3"), reverse=True)
    for candidate in candidates:
        if not candidate:
            continue
        probe = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(probe, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


def environment(version: str, interpreter: str) -> str:
    """Makes the environment of a version, with the wheel of this build; gives its interpreter."""
    folder = ROOT / "build" / "venvs" / version
    python = str(folder / "bin" / "python")
    ready = folder / ".ready"
    if not ready.exists() or ready.read_text() != " ".join(PACKAGES):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
        ready.write_text(" ".join(PACKAGES))
    wheel = next((ROOT / "build" / "wheel").glob("*.whl"))
    install = ["install", "-q", "--disable-pip-version-check", "--no-deps", "--force-reinstall", str(wheel)]
    subprocess.run([python, "-m", "pip", *install], check=True)
    return python


def test(python: str) -> Tuple[int, List[int]]:
    """Runs the tests; gives the exit code and what pytest counted: passed, failed, skipped."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "bindings/python/tests"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|skipped)", last)}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    return done.returncode, [counts.get("passed", 0), failed, counts.get("skipped", 0)]


def main() -> int:
    """Goes through the versions (or those named as arguments)."""
    total, code = [0, 0, 0], 0
    for version in sys.argv[1:] or VERSIONS:
        interpreter = find(version)
        if interpreter is None:
            print(f"CPython {version}: not on this machine, counted as one skipped", flush=True)
            total[2] += 1
            continue
        print(f"CPython {version}: {interpreter}", flush=True)
        ended, counts = test(environment(version, interpreter))
        total = [a + b for a, b in zip(total, counts)]
        if ended != 0:
            code = 1
            if counts[1] == 0:
                total[1] += 1
    print(f"pythons: {total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return code


if __name__ == "__main__":
    sys.exit(main())
