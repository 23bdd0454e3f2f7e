#!/usr/bin/env python3
"""Runs the steps of a make target with progress and a summary.

Each step is one command; its output goes to build/log/<target>-<step>.log and is shown when the step fails. A step's
counts of passed, failed and skipped tests are read from the closing lines its runner prints. The last line is
"N passed, N failed, N skipped", and the exit code is 1 when any step failed.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "log"


class Step(NamedTuple):
    """One command of a target. A step that only prepares counts no tests."""

    name: str
    command: str
    limit_s: int = 600
    show: bool = False  # print its output as it comes (a demo, a table)
    needs: Tuple[str, ...] = ()  # run only when these steps worked


class Counts(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: object) -> "Counts":
        assert isinstance(other, Counts)
        return Counts(*(a + b for a, b in zip(self, other)))


BOOTSTRAP = Step("bootstrap", "tools/bootstrap.sh", 900)
PREPARE = [
    BOOTSTRAP,
    Step("build", "make --no-print-directory build", 900),
]

TARGETS: Dict[str, List[Step]] = {}


def read_counts(text: str) -> Optional[Counts]:
    """Adds up what the test runners in this output say they ran; None when none of them spoke."""
    total, spoke = Counts(), False
    for line in text.splitlines():
        line = line.strip()
        plain = re.fullmatch(r"(?:[\w-]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", line)
        if plain:
            total += Counts(int(plain[1]), int(plain[2]), int(plain[3] or 0))
            spoke = True
        elif re.match(r"(=+ )?\d+ (passed|failed|error|skipped).* in [\d.]+s", line):  # pytest
            found = {w: int(n) for n, w in re.findall(r"(\d+) (passed|failed|errors?|skipped)", line)}
            failed = found.get("failed", 0) + found.get("error", 0) + found.get("errors", 0)
            total += Counts(found.get("passed", 0), failed, found.get("skipped", 0))
            spoke = True
        elif re.fullmatch(r"ok [a-z_0-9]+", line):  # a case of the C half's programs; a failed one ends its program
            total += Counts(1, 0, 0)
            spoke = True
        elif re.match(r"--- (PASS|FAIL|SKIP): ", line):  # go test -v, top level
            word = line[4:8]
            total += Counts(int(word == "PASS"), int(word == "FAIL"), int(word == "SKIP"))
            spoke = True
    return total if spoke else None


def run_step(target: str, step: Step) -> Tuple[bool, Optional[Counts], float]:
    """Runs one step; gives whether it worked, its counts, and its duration in seconds."""
    log = LOGS / f"{target}-{step.name}.log"
    begin = time.monotonic()
    chunks: List[str] = []
    with log.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", step.command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        watchdog = subprocess.Popen(  # ends the whole process group of a step that hangs
            ["bash", "-c", f"sleep {step.limit_s}; kill -KILL -- -{process.pid}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            out.write(line)
            chunks.append(line)
            if step.show:
                print("    " + line, end="", flush=True)
        code = process.wait()
        os.killpg(watchdog.pid, 9)
        watchdog.wait()
    elapsed = time.monotonic() - begin
    if elapsed >= step.limit_s:
        print(f"    the step did not end within {step.limit_s} s and was killed", flush=True)
    counts = read_counts("".join(chunks))
    if code != 0:
        print(f"    exit code {code}; the whole output is in {log.relative_to(ROOT)}", flush=True)
        if not step.show:
            for line in chunks[-60:]:
                print("    | " + line, end="")
    return code == 0, counts, elapsed


def main(target: str) -> int:
    """Runs the steps of a target in order and prints the summary."""
    steps = TARGETS[target]
    only = os.environ.get("STEPS", "")
    if only:
        steps = [s for s in steps if s.name in only.split(",")]
    LOGS.mkdir(parents=True, exist_ok=True)
    results = []
    for number, step in enumerate(steps, 1):
        broken = [n for n in step.needs if any(r[0] == n and not r[1] for r in results)]
        print(f"[{number}/{len(steps)}] {step.name} ...", flush=True)
        if broken:
            print(f"    not run: {', '.join(broken)} did not work", flush=True)
            results.append((step.name, False, None, 0.0))
            continue
        ok, counts, elapsed = run_step(target, step)
        results.append((step.name, ok, counts, elapsed))
        note = f", {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped" if counts else ""
        print(f"    {'ok' if ok else 'FAILED'} in {elapsed:.1f} s{note}", flush=True)
        if not ok and step.name in ("bootstrap", "build"):
            break
    print(f"\n{target}: summary")
    total = Counts()
    for name, ok, counts, elapsed in results:
        counted = counts if counts is not None else Counts(int(ok), int(not ok), 0)
        if not ok and counted.failed == 0:
            counted += Counts(0, 1, 0)
        total += counted
        numbers = f"{counted.passed:5} passed {counted.failed:3} failed {counted.skipped:3} skipped"
        print(f"  {'ok    ' if ok else 'FAILED'} {name:24} {elapsed:7.1f} s  {numbers}")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 0 if all(ok for _, ok, _, _ in results) else 1


# --- the steps of each target ---------------------------------------------------------------------------------------------

GO = "go test -count=1 -v"
PY = "build/venv/bin/python"
PYTHON_CODE = "bindings/python tools tests benchmarks examples/examples_test.py"
RUFF = "--config bindings/python/pyproject.toml"
INSTALL = f"{PY} -m pip install -q --disable-pip-version-check --no-deps --force-reinstall build/wheel/*.whl"
WHEEL = [Step("wheel", f"make --no-print-directory wheel && {INSTALL}", 900, needs=("build",))]
AIOMAS = f"{PY} -m pytest -q -p no:cacheprovider tests/interop/aiomas_py"
EXAMPLES = f"{PY} -m pytest -q -p no:cacheprovider examples/examples_test.py"
GRPC_PEERS = "make --no-print-directory grpc-peers"
GENERATED = "'*_gen*' '*_abi.py' capi/exports.map docs/c-api.md docs/status.md"

TARGETS["lint"] = [
    BOOTSTRAP,
    Step("gofmt", 'test -z "$(gofmt -l $(git ls-files "*.go") | tee /dev/stderr)"'),
    Step("go-vet", "go vet ./... && cd tests/interop && go vet ./..."),
    Step("staticcheck", "build/tools/staticcheck ./... && cd tests/interop && ../../build/tools/staticcheck ./..."),
    Step(
        "generated",
        f"make --no-print-directory generate && git diff --exit-code -- {GENERATED}",
    ),
    Step("ruff", f"build/venv/bin/ruff check {RUFF} {PYTHON_CODE} && build/venv/bin/ruff format --check {RUFF} {PYTHON_CODE}"),
    Step("mypy", "cd bindings/python && ../../build/venv/bin/mypy"),
]

TARGETS["test"] = [
    *PREPARE,
    *WHEEL,
    Step("go", f"{GO} -race ./...", 1200),
    Step("fuzz", "FUZZTIME=20s python3 tools/fuzz.py runtime/wire/aiomas runtime/value runtime/transport/framed", 600),
    Step("fuzz-mqtt", "FUZZTIME=6s python3 tools/fuzz.py runtime/wire/aimrtmqtt runtime/transport/mqttx", 120),
    Step("interop", f"{GRPC_PEERS} && cd tests/interop && {GO} ./...", 900),
    Step("interop-aiomas", AIOMAS, 900, needs=("wheel",)),
    Step("c-half", "make --no-print-directory -C capi/ctest run-executor run-front", 1200),
    Step("abi", "make --no-print-directory abi-test", 900, needs=("build",)),
    Step("pkg", "make --no-print-directory pkg-test", 300, needs=("build",)),
    Step("cpp", "make --no-print-directory cpp-test", 1200, needs=("build",)),
    Step("dropin-programs", "make --no-print-directory -j2 dropin-programs pairs-programs", 1200, needs=("build",)),
    Step("dropin", "make --no-print-directory dropin-test dropin-pkg-test dropin-cmake-test", 600, needs=("dropin-programs",)),
    Step("pairs", "make -s --no-print-directory pairs-test", 300, show=True, needs=("dropin-programs",)),
    Step("cpp-examples", "make --no-print-directory cpp-examples", 900, needs=("build",)),
    Step("conformance", "make --no-print-directory conformance-test", 900, needs=("build",)),
    Step("embed", "make --no-print-directory embed-test", 900, needs=("build",)),
    Step("stress", "make --no-print-directory stress-test", 900, needs=("build",)),
    Step("pythons", "python3 tools/pythons.py", 1200, needs=("wheel",)),
    Step("examples", EXAMPLES, 600, needs=("wheel",)),
]

TARGETS["demo"] = [*PREPARE, *WHEEL, Step("demo", f"{PY} tools/demo.py", 600, show=True, needs=("wheel",))]
TARGETS["bench"] = [*PREPARE, *WHEEL, Step("bench", f"{PY} benchmarks/run.py", 3600, show=True, needs=("wheel",))]
TARGETS["interop"] = [
    *PREPARE,
    *WHEEL,
    Step("http-peers", f"{GO} ./runtime/backend/http ./runtime/transport/httpx ./runtime/wire/aimrthttp", 900),
    Step("grpc-peers", f"{GO} ./runtime/backend/grpc ./runtime/transport/h2 ./runtime/wire/aimrtgrpc", 900),
    Step("go-peers", f"{GRPC_PEERS} && cd tests/interop && {GO} ./...", 1800),
    Step("aiomas-peers", f"INTEROP_FULL=1 {AIOMAS}", 1800, show=True, needs=("wheel",)),
    Step("examples", EXAMPLES, 600, needs=("wheel",)),
]
TARGETS["conformance"] = [
    *PREPARE,
    Step("languages", "make --no-print-directory conformance-full", 3600),
    Step("http2", "tools/h2spec.sh", 600),
    Step("grpc", "make --no-print-directory grpc-conformance", 900),
    Step("grpc-server", "make --no-print-directory connect-server", 600),
    Step("grpc-client", "make --no-print-directory connect-client", 600),
]
TARGETS["soak"] = [*PREPARE, Step("soak", "make --no-print-directory soak-test", 7200, show=True, needs=("build",))]
TARGETS["fuzz"] = [Step("fuzz", "python3 tools/fuzz.py", 7200, show=True)]

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TARGETS:
        print(f"usage: tools/steps.py {{{'|'.join(TARGETS)}}}", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
