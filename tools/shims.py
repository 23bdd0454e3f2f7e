#!/usr/bin/env python3
"""Builds the shim distributions: one wheel per folder of bindings/python/shims, made from its shim.json.

A shim's package and its sub-packages hand out what the target's have; its other modules are the target's modules themselves, under a
second name. So an attribute has one identity, whatever name it was reached by, and there is no code here that could differ.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

ROOT = Path(__file__).resolve().parent.parent
SHIMS = ROOT / "bindings" / "python" / "shims"
STAGE = ROOT / "build" / "shims"
KEYS = {"name", "version", "summary", "target", "modules", "requires", "extras"}

PACKAGE = '''"""The name {name} for {target}."""

from typing import Any, List

import {target} as _target
from {target} import *
from {target} import __all__ as __all__
{imports}
def __getattr__(name: str) -> Any:
    return getattr(_target, name)


def __dir__() -> List[str]:
    return dir(_target)
'''

MODULE = '''"""The name {name} for {target}."""

import sys

import {target} as _target
from {target} import *

sys.modules[__name__] = _target
'''

PROJECT = """[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = {name}
version = {version}
description = {summary}
requires-python = ">=3.8"
license = {{ text = "Apache-2.0" }}
dependencies = {requires}

[project.optional-dependencies]
{extras}

[tool.setuptools]
packages = {packages}

[tool.setuptools.package-data]
{package} = ["py.typed"]
"""


def read(folder: Path) -> Dict[str, Any]:
    """Reads a shim.json; ends the program when a key is missing or unknown."""
    path = folder / "shim.json"
    shim: Dict[str, Any] = json.loads(path.read_text())
    if set(shim) != KEYS:
        sys.exit(f"{path.relative_to(ROOT)}: its keys are {sorted(shim)}, expected {sorted(KEYS)}")
    return shim


def own_version() -> str:
    """The version of the distribution that a shim stands on."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "bindings/python/pyproject.toml").read_text(), re.MULTILINE)
    if found is None:
        sys.exit("bindings/python/pyproject.toml has no version")
    return found[1]


def write(shim: Dict[str, Any], folder: Path) -> None:
    """Writes the source tree of a shim."""
    package = shim["name"].replace("-", "_")
    modules: List[str] = shim["modules"]
    packages = {""} | {module.rpartition(".")[0] for module in modules}
    for module in [*modules, *packages]:
        name, target = (".".join(filter(None, (start, module))) for start in (package, shim["target"]))
        path = folder.joinpath(*name.split("."))
        if module in packages:
            below = sorted(m.rpartition(".")[2] for m in modules if m.rpartition(".")[0] == module)
            imports = "".join(f"from {name} import {m} as {m}\n" for m in below) + "\n"
            path.mkdir(parents=True, exist_ok=True)
            path.joinpath("__init__.py").write_text(PACKAGE.format(name=name, target=target, imports=imports))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".py").write_text(MODULE.format(name=name, target=target))
    (folder / package / "py.typed").touch()
    quoted = {key: json.dumps(shim[key]) for key in ("name", "version", "summary")}
    (folder / "pyproject.toml").write_text(
        PROJECT.format(
            **quoted,
            requires=json.dumps([f"aimrt-rpc=={own_version()}", *shim["requires"]]),
            extras="\n".join(f"{name} = {json.dumps(needs)}" for name, needs in shim["extras"].items()),
            packages=json.dumps(sorted(".".join(filter(None, (package, name))) for name in packages)),
            package=package,
        )
    )


def build(python: Path, out: Path) -> List[Path]:
    """Writes and packs every shim; gives the wheels."""
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    for folder in sorted(path.parent for path in SHIMS.glob("*/shim.json")):
        staged = STAGE / folder.name
        staged.mkdir(parents=True)
        write(read(folder), staged)
        shutil.copy(ROOT / "LICENSE", staged)
        command = [str(python), "-m", "pip", "wheel", "-q", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-build-isolation", "-w", str(out), str(staged)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stdout}\nshims: the command above ended with {done.returncode}")
    return sorted(out.glob("*.whl"))


def main() -> None:
    """Builds the shims alone; make wheel builds them with the wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=ROOT / "build" / "wheel" / "shims", type=Path)
    for wheel in build(ROOT / "build" / "venv" / "bin" / "python", parser.parse_args().out.resolve()):
        print(f"shims: {wheel.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
