#!/usr/bin/env python3
"""Runs Pkgs built with the C++ headers in aimrt_main, and the program in app mode, and checks what their calls gave.

Usage: run.py FOLDER, the folder with the Pkg files and the program. Needs `make build`.
The last line is "dropin: N passed, N failed".
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[4]
MAIN = ROOT / "build" / "bin" / "aimrt_main"
RUN_LIMIT_S = 60
THROWING = ("arm.sync", "arm.async", "arm.co", "arm.context")  # their handlers throw; arm.nested passes the status of arm.co on
SERVICES = (*THROWING, "arm.nested")
PROXIES = ("sync", "async", "future", "co")
LOAD_BYTES = 1 << 20

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


def run(folder: Path, arguments: List[str], environment: Optional[Dict[str, str]] = None) -> "subprocess.CompletedProcess[str]":
    """Runs a program in the folder; a program that hangs is ended and its exit code is that of the kill."""
    with subprocess.Popen(
        arguments,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
    ) as program:
        try:
            out = program.communicate(timeout=RUN_LIMIT_S)[0]
        except subprocess.TimeoutExpired:
            program.kill()
            out = program.communicate()[0]
        return subprocess.CompletedProcess(arguments, program.returncode, out, "")


def check_calls(module: str, out: str) -> None:
    """Every service by every proxy: a good call, a status of the service's own, an exception; and calls too early."""
    calls = {}
    for line in re.findall(rf"^call {module} (.*)$", out, re.M):
        service, proxy, joint, code, text = line.split(" ", 4)
        calls[service, proxy, joint] = (int(code), text)
    for service in SERVICES:
        for proxy in PROXIES:
            for joint, code, text in (
                ("elbow", 0, f"moved elbow for {module}, {LOAD_BYTES}"),
                ("status", 4242, f"moved status for {module}, {LOAD_BYTES}"),
                ("throw", 1008, ", 0"),
            ):
                got = calls.get((service, proxy, joint))
                check(got == (code, text), f"{module} {service} {proxy} {joint}: {got}, want {(code, text)}")
        failures = out.count(f"Service func 'pb:/{service}/Move' failed, request ")
        wanted = len(PROXIES) if service in THROWING else 0
        check(failures >= wanted and (failures > 0) == (wanted > 0), f"what() of {service} stands in the log: {failures} lines")
        thread = "own" if service == "arm.sync" else "other"
        check(
            f"thread {module} {service} {thread}\n" in out, f"{module}: the callback of {service} comes on the caller's thread or another"
        )
    check("]Service func 'pb:/arm.sync/Move' failed, request 9: the joint is stuck\n" in out, "a failure's log line")
    early = calls.get(("arm.sync", "early", "elbow"))
    check(early == (2011, ", 0"), f"{module}: a call in Initialize: {early}")
    check(f"loop {module} 1000\n" in out, f"{module}: a thousand calls in one coroutine")


def test_pkgs(folder: Path) -> None:
    """A client in the server's Pkg and one in another: same package and other package."""
    shutil.copy(HERE / "run.yaml", folder)
    ended = run(folder, [str(MAIN), "--cfg_file_path=run.yaml", "--running_duration=1"])
    check(ended.returncode == 0 and ended.stdout.endswith("AimRT exit.\n"), f"exit {ended.returncode}: {ended.stdout[-2000:]}")
    check_calls("NearClient", ended.stdout)
    check_calls("FarClient", ended.stdout)


def test_throwing_modules(folder: Path) -> None:
    """Exceptions of a module's steps go to its log and end the program cleanly."""
    (folder / "broken.yaml").write_text(
        "aimrt:\n  log: {backends: [{type: console, options: {color: false}}]}\n  module: {pkgs: [{path: ./libarm_broken.so}]}\n"
    )
    for step, code, last in (
        ("initialize", 255, "AimRT run with exception and exit. Init module 'Broken' failed.\n"),
        ("start", 255, "AimRT run with exception and exit. Start module 'Broken' failed.\n"),
        ("shutdown", 0, "AimRT exit.\n"),
    ):
        ended = run(folder, [str(MAIN), "--cfg_file_path=broken.yaml", "--running_duration=1"], {"BROKEN_STEP": step})
        line = f"]{step.capitalize()} module get exception: broken in {step}\n"
        check(line in ended.stdout, f"the log line of {step}: {ended.stdout[-2000:]}")
        check(ended.returncode == code and last in ended.stdout, f"{step}: exit {ended.returncode}: {ended.stdout[-2000:]}")


def test_app(folder: Path) -> None:
    """The program that holds the runtime, with AddressSanitizer in it: its own checks, and the same calls."""
    config = (HERE / "run.yaml").read_text().split("  module:\n")[0]
    (folder / "app.yaml").write_text(config)
    ended = run(folder, [str(folder / "app"), "app.yaml"])
    counts = re.search(r"^app: (\d+) passed, (\d+) failed$", ended.stdout, re.M)
    good = counts is not None and counts[2] == "0" and ended.returncode == 0
    check(good, f"the program in app mode: exit {ended.returncode}: {ended.stdout[-4000:]}")
    for module in ("NearClient", "FarClient"):
        check_calls(module, ended.stdout)


def main() -> int:
    """Runs the tests and prints the counts."""
    folder = Path(sys.argv[1]).resolve()
    for test in (test_pkgs, test_throwing_modules, test_app):
        before = failed
        test(folder)
        print(f"  {'ok    ' if failed == before else 'FAILED'} {test.__name__}", file=sys.stderr)
    print(f"dropin: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
