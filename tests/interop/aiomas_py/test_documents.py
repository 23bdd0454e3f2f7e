"""The executable examples of the original's documentation, run with the name aiomas as the shim distribution gives it.

The texts come from the source distribution, which the test downloads; nothing of them is kept here. The agent layer's examples are left
out: it is not part of this product. The same run with the real aiomas shows that the examples are right.
"""

import re
import shutil
import socket
from pathlib import Path

import environments
import program
import pytest

# File of the source distribution -> how many of its blocks are outside the agent layer. Together 23.
PORTABLE = {
    "README.rst": 2,
    "docs/guides/rpc.rst": 10,
    "docs/guides/channel.rst": 7,
    "docs/guides/tls.rst": 3,
    "src/aiomas/codecs.py": 1,
}
BLOCKS = [(file, number) for file, count in PORTABLE.items() for number in range(1, count + 1)]


def test_all_portable_examples_are_listed():
    assert len(BLOCKS) == 23


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Runs a file once per subject; gives what each block said."""
    root = environments.sources(environments.BUILD / "aiomas-sources")
    folder = tmp_path_factory.mktemp("documents")
    environments.certificates(folder / "tests" / "certs")  # where the guide looks for them
    known = {}

    def run(subject, file):
        if (subject, file) not in known:
            text = shutil.copy(root / file, folder / Path(file).name)  # the package's own folder must not be importable
            row = ["document.py", text, free_port(), PORTABLE[file]]
            with program.Program(subject, *row, shim=True, cwd=folder) as document:
                said = {}
                while (line := document.next()) is not None:
                    said[line["block"]] = line
                known[subject, file] = said, document.end(), document.error_text
        return known[subject, file]

    return run


@pytest.mark.parametrize("subject", [environments.OURS, environments.REAL, *environments.OTHERS], ids=environments.label)
@pytest.mark.parametrize("file, number", BLOCKS, ids=lambda value: str(value))
def test_example(ran, subject, file, number):
    said, code, errors = ran(subject, file)
    assert number in said, errors
    assert said[number]["examples"] > 0 and said[number]["failures"] == "", said[number]["failures"]
    assert code == 0, errors
    package = "aiomas" if subject == environments.REAL else "aimrt_rpc/aiomas"
    assert re.search(rf"^aiomas\.rpc is .*/(site-packages|src)/{package}/rpc\.py$", errors, re.MULTILINE), errors
