"""Prints the table of results at the end of a run: one row per test and combination of subjects."""

import re
from collections import Counter

TABLE = {}


def pytest_runtest_logreport(report):
    if report.when != "call" and report.outcome == "passed":
        return
    path, _, name = report.nodeid.partition("::")
    subject = re.search(r"(?:ours|real)[\d.]*(?: to (?:ours|real)[\d.]*, \w+ over \w+)?", name.partition("[")[2])
    key = (path.rsplit("/", 1)[-1], subject.group() if subject else "")
    TABLE.setdefault(key, Counter())[report.outcome] += 1


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("table of results")
    for (file, subject), counts in TABLE.items():
        numbers = "".join(f"{counts[outcome]:5} {outcome}" for outcome in ("passed", "failed", "skipped") if counts[outcome])
        terminalreporter.write_line(f"  {file:22} {subject:38} {numbers}")
