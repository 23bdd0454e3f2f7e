"""The shim distribution: pip installs it, an unchanged program runs with it, and every name is the one of aimrt_rpc.aiomas."""

import json
import subprocess
import sys
from pathlib import Path

import environments  # first: it makes the project's tools importable
import pytest
import shims
from environments import REAL, run

HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "program_of_a_user.py"
# What tells the two names apart: they are printed with the place the class comes from.
WITH_REAL = "import runpy, sys, peer; peer.load('aiomas'); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
MODULES = ("agent", "channel", "clocks", "codecs", "exceptions", "local_queue", "rpc", "subproc", "util")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a fresh environment into which pip installed wheel and shim; without blosc, which the library does not need."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    run(sys.executable, "-m", "venv", str(folder))
    wheel, shim = environments.wheels()
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run(*pip, "-c", str(environments.REQUIREMENTS), str(wheel), f"{shim}[mp]")
    return str(folder / "bin" / "python")


def evaluate(python, code):
    """Runs a program text that prints one JSON value."""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pip_reads_name_and_version(python):
    shown = dict(line.split(": ", 1) for line in run(python, "-m", "pip", "show", "aiomas").splitlines() if ": " in line)
    assert shown["Name"] == "aiomas" and shown["Version"] == "2.0.1" and "aimrt-rpc" in shown["Requires"]
    run(python, "-m", "pip", "check")


def test_metadata_and_module_tell_the_same_version(python):
    code = "import json, aiomas, importlib.metadata as m; print(json.dumps([aiomas.__version__, m.version('aiomas')]))"
    assert evaluate(python, code) == ["2.0.1", "2.0.1"]


def test_both_extras_exist(python):
    code = "import json, importlib.metadata as m; print(json.dumps(m.metadata('aiomas').get_all('Provides-Extra')))"
    assert sorted(evaluate(python, code)) == ["mp", "mpb"]
    assert "msgpack" in run(python, "-m", "pip", "list") and "blosc" not in run(python, "-m", "pip", "list")


@pytest.mark.parametrize("first", ["import aiomas", "import aiomas.rpc", "from aiomas import codecs", "import aimrt_rpc.aiomas"])
def test_every_name_has_one_identity(python, first):
    """Whatever is imported first, by either name."""
    code = f"""
{first}
import importlib, json
import aiomas, aimrt_rpc.aiomas
from aiomas.rpc import Proxy
import aiomas.rpc as again
names = {MODULES!r}
strange = [n for n in names if importlib.import_module("aiomas." + n) is not importlib.import_module("aimrt_rpc.aiomas." + n)]
strange += [n for n in names if getattr(aiomas, n) is not getattr(aimrt_rpc.aiomas, n)]
strange += [n for n in aiomas.__all__ if getattr(aiomas, n) is not getattr(aimrt_rpc.aiomas, n)]
strange += [] if Proxy is again.Proxy is aiomas.rpc.Proxy is aimrt_rpc.aiomas.rpc.Proxy else ["Proxy"]
aiomas.channel.DEFAULT_CODEC = "changed"
strange += [] if aimrt_rpc.aiomas.channel.DEFAULT_CODEC == "changed" else ["DEFAULT_CODEC"]
print(json.dumps(strange))
"""
    assert evaluate(python, code) == []


def test_public_names_are_those_of_the_original(python):
    """Every public name of every module of the real aiomas exists, and each module's __all__ is the same."""
    code = f"""
import importlib, json
found = {{"": importlib.import_module("aiomas"), **{{n: importlib.import_module("aiomas." + n) for n in {MODULES!r}}}}}
print(json.dumps({{n: [sorted(getattr(m, "__all__", [])), [a for a in dir(m) if getattr(m, "__all__", None)]] for n, m in found.items()}}))
"""
    real = evaluate(str(environments.real_python()), code)
    ours = evaluate(python, code)
    for module, (listed, names) in real.items():
        assert set(listed) <= set(ours[module][0]), f"aiomas.{module}: __all__"
        missing = [name for name in listed if name not in ours[module][1]]
        assert not missing, f"aiomas.{module} has no {missing}; it has {names}"


def test_an_unchanged_program_runs(python, tmp_path):
    """It prints what it prints with the original."""
    ours = run(python, str(PROGRAM), str(tmp_path / "ours"), limit_s=60)
    real = run(str(environments.command(REAL)[0]), "-c", WITH_REAL, str(PROGRAM), str(tmp_path / "real"), limit_s=60, cwd=HERE)
    assert "aimrt_rpc" not in real
    assert ours.splitlines() == [line for line in real.splitlines() if not line.startswith("aiomas is ")]
    assert "JSON [\"Reading(place='Oslo', degrees=3)\"] 1" in ours and "ValueError: too hot True" in ours


def test_a_shim_may_have_packages_in_packages(tmp_path):
    """What tools/shims.py writes for any shim.json: the same modules under both names, at every depth, whatever is imported first."""
    for path, text in {
        "target/__init__.py": "__all__ = ['top']\ntop, _hidden = 1, 2\n",
        "target/client/__init__.py": "from target.client.auth import Token\n__all__ = ['Token']\n",
        "target/client/auth/__init__.py": "__all__ = ['Token']\nclass Token: pass\n",
        "target/client/auth/plain.py": "__all__ = ['login']\nstate = []\ndef login(): state.append(1)\n",
        "target/types.py": "_private = 3\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    modules = ["client", "client.auth", "client.auth.plain", "types"]
    shim = {"name": "the-name", "version": "1.2", "summary": "s", "target": "target", "modules": modules, "requires": [], "extras": {}}
    shims.write(shim, tmp_path)
    assert f'"aimrt-rpc=={shims.own_version()}"' in (tmp_path / "pyproject.toml").read_text()
    for first in ("the_name", "the_name.client.auth.plain", "target.client.auth.plain", "target.types", "the_name.types"):
        code = f"""
import {first}
import json, target.types, target.client.auth.plain, the_name.types, the_name.client.auth.plain
from the_name.client.auth.plain import login
login()
print(json.dumps([
    the_name.types is target.types, the_name.types._private, the_name.client.auth.plain is target.client.auth.plain,
    target.client.auth.plain.state, the_name.client.Token is target.client.auth.Token, the_name.top, the_name._hidden,
    the_name.client.auth.Token is target.client.Token, "_hidden" in dir(the_name)]))
"""
        done = subprocess.run([sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [True, 3, True, [1], True, 1, 2, True, True], first


@pytest.mark.parametrize("name", ["Container", "Agent", "AsyncioClock", "ExternalClock", "SSLCerts"])
def test_the_agent_layer_can_be_imported_and_says_that_it_is_not_here(python, name):
    code = f"""
import json, aiomas
try:
    getattr(aiomas, {name!r})(*["x"] * 3)
    print(json.dumps(""))
except Exception as e:
    print(json.dumps([type(e).__mro__[1].__name__, type(e).__name__, str(e)]))
"""
    said = evaluate(python, code)
    if name == "SSLCerts":
        assert said == "", "a tuple of file names, which needs no agent layer"
    else:
        assert "NotImplementedError" in said[:2] and name in said[2], said
