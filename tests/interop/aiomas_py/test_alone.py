"""The API's surface and texts, in a process each, with the real aiomas and with ours; ours on every CPython that has an environment."""

import os
import subprocess

import alone
import environments  # first: it makes the project's tools importable
import program
import pytest
import pythons
from environments import FULL, OTHER_VERSIONS, OTHERS, OURS, REAL

MISSING = """
import sys
sys.modules["msgpack"] = None
sys.modules["blosc"] = None
import importlib
aiomas = importlib.import_module({package!r})
for codec in (aiomas.MsgPack, aiomas.MsgPackBlosc):
    try:
        codec()
    except ImportError as e:
        print(e)
assert aiomas.JSON().encode(1) == b"1"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    known = {}

    def run(subject):
        if subject not in known:
            said, folder = {}, tmp_path_factory.mktemp("alone")
            variables = {
                "AIOMAS_CERTIFICATES": str(environments.certificates(folder / "certificates")),
                "AIOMAS_OTHER_CERTIFICATES": str(environments.certificates(folder / "others")),
            }
            with program.Program(subject, "alone.py", subject, folder, *alone.ALL, variables=variables) as running:
                while (line := running.next()) is not None:
                    said[line["case"]] = line
                known[subject] = said, running.end(), running.error_text
        return known[subject]

    return run


@pytest.mark.parametrize("subject", [OURS, REAL, *OTHERS], ids=environments.label)
@pytest.mark.parametrize("case", alone.ALL)
def test_case(ran, subject, case):
    said, code, errors = ran(subject)
    assert case in said, errors
    assert said[case]["ok"], said[case]["detail"]
    assert code == 0, errors


@pytest.mark.parametrize("subject", [OURS, REAL, *OTHERS], ids=environments.label)
def test_codecs_say_what_to_install(subject):
    python, environment = environments.command(subject)
    code = MISSING.format(package=environments.package_of(subject))
    done = subprocess.run([python, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    text = "Please install {} to use the {} codec: pip install -U aiomas[{}]"
    assert done.stdout.splitlines() == [
        text.format('"msgpack-python"', "MsgPack", "mp"),
        text.format('"msgpack-python" and "blosc"', "MsgPackBlosc", "mpb"),
    ]


if FULL:

    @pytest.mark.parametrize("version", OTHER_VERSIONS)
    def test_version_is_on_this_machine(version):
        """Without it, ours is not run on this version; that is counted."""
        if not pythons.find(version):
            pytest.skip(f"CPython {version} is not on this machine")
