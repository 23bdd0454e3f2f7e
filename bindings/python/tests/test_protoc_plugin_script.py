"""The script that stands for the protoc plugin: where it looks for the program, and what it says when there is none."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[1] / "scripts" / "protoc_plugin_py_gen_aimrt_py_rpc.py"
PROGRAM = "protoc-gen-aimrt_rpc"


def make_program(path, text):
    """A program that repeats its standard input behind a word of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nprintf '%s ' '{text}' \"$@\"\nexec {shutil.which('cat')}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def place(tmp_path):
    """A copy of the script alone in a folder, and an environment in which nothing can be found."""
    script = tmp_path / "scripts" / SCRIPT.name
    script.parent.mkdir()
    shutil.copy2(SCRIPT, script)
    (tmp_path / "empty").mkdir()
    env = {"PATH": str(tmp_path / "empty"), "PYTHONPATH": str(tmp_path / "site")}
    return tmp_path, script, env


def run(script, env, *args):
    command = [sys.executable, "-s", str(script), *args]
    return subprocess.run(command, input=b"request", env=env, capture_output=True, timeout=60, check=False)


def answer(result):
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode()


def fake_wheel(root):
    package = root / "site" / "aimrt_rpc"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('the script must not import the package')\n")
    return make_program(package / "bin" / PROGRAM, "wheel")


def test_override_wins_over_everything(place):
    root, script, env = place
    make_program(script.parent / PROGRAM, "beside")
    env["AIMRT_RPC_PROTOC_PLUGIN"] = str(make_program(root / "own" / "generator", "override"))
    assert answer(run(script, env)) == "override request"


def test_program_beside_the_script_wins_over_the_wheel(place):
    root, script, env = place
    make_program(script.parent / PROGRAM, "beside")
    fake_wheel(root)
    assert answer(run(script, env)) == "beside request"


def test_link_to_the_script_finds_the_program_beside_the_script(place):
    root, script, env = place
    make_program(script.parent / PROGRAM, "beside")
    link = root / "elsewhere.py"
    link.symlink_to(script)
    assert answer(run(link, env)) == "beside request"


def test_wheel_wins_over_path_and_is_not_imported(place):
    root, script, env = place
    fake_wheel(root)
    make_program(root / "empty" / PROGRAM, "path")
    assert answer(run(script, env)) == "wheel request"


def test_program_on_path(place):
    root, script, env = place
    hide_wheel(root)
    make_program(root / "empty" / PROGRAM, "path")
    assert answer(run(script, env, "--help")) == "path --help request"


def hide_wheel(root):
    """Makes sure that an aimrt_rpc installed for this Python is not found: an earlier one has no program."""
    (root / "site" / "aimrt_rpc").mkdir(parents=True)
    (root / "site" / "aimrt_rpc" / "__init__.py").write_text("")


def test_nothing_found_lists_every_place(place):
    root, script, env = place
    hide_wheel(root)
    result = run(script, env)
    text = result.stderr.decode()
    assert result.returncode == 1
    assert "the program protoc-gen-aimrt_rpc was not found; looked at" in text
    for line in (
        "AIMRT_RPC_PROTOC_PLUGIN: not set",
        f"beside this script: no program {script.parent / PROGRAM}",
        f"installed wheel: no program {root / 'site' / 'aimrt_rpc' / 'bin' / PROGRAM}",
        "PATH: no protoc-gen-aimrt_rpc",
        "Install the wheel aimrt-rpc",
    ):
        assert line in text


def test_wrong_override_is_an_error_although_others_exist(place):
    root, script, env = place
    make_program(script.parent / PROGRAM, "beside")
    env["AIMRT_RPC_PROTOC_PLUGIN"] = str(root / "missing")
    result = run(script, env)
    assert result.returncode == 1
    assert f"AIMRT_RPC_PROTOC_PLUGIN={root / 'missing'}: not an executable file" in result.stderr.decode()
    assert result.stdout == b""


def test_file_that_is_not_executable_is_passed_over(place):
    root, script, env = place
    fake_wheel(root)
    make_program(script.parent / PROGRAM, "beside").chmod(0o644)
    assert answer(run(script, env)) == "wheel request"


def test_wrapper_that_leads_back_ends_with_a_message(place):
    root, script, env = place
    hide_wheel(root)
    wrapper = root / "empty" / PROGRAM
    wrapper.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    wrapper.chmod(0o755)
    result = run(script, env)
    assert result.returncode == 1
    assert "leads back to this script" in result.stderr.decode()


def test_program_for_another_machine_is_named(place):
    _, script, env = place
    program = script.parent / PROGRAM
    program.write_bytes(b"\x7fELF of some other machine")
    program.chmod(0o755)
    result = run(script, env)
    assert result.returncode == 1
    assert f"cannot run {program}" in result.stderr.decode()


def test_script_is_executable():
    assert os.access(SCRIPT, os.X_OK)
