#!/usr/bin/env python3
"""The protoc plugin under the name that AimRT's users type.

    protoc --aimrt_rpc_out=DIR --plugin=protoc-gen-aimrt_rpc=./protoc_plugin_py_gen_aimrt_py_rpc.py x.proto

The generator is the program protoc-gen-aimrt_rpc. This script finds it and becomes it, without touching protoc's
request on the standard input. Places, first one wins: the file named by AIMRT_RPC_PROTOC_PLUGIN, the folder of this
script, the installed wheel (aimrt_rpc/bin), PATH. Only the standard library is imported, nothing of the wheel.
"""

import importlib.util
import os
import shutil
import sys
from typing import List, NoReturn, Optional, Tuple

PROGRAM = "protoc-gen-aimrt_rpc"
OVERRIDE = "AIMRT_RPC_PROTOC_PLUGIN"
# Set for the program that is started, so that a wrapper on PATH that leads back here ends with a message, not a loop.
RUNNING = "AIMRT_RPC_PROTOC_PLUGIN_RUNNING"


def is_program(path: str) -> bool:
    """Whether the path is an executable file."""
    return os.path.isfile(path) and os.access(path, os.X_OK)


def wheel_folder() -> Optional[str]:
    """The folder for programs inside the installed package aimrt_rpc, found without importing the package."""
    try:
        spec = importlib.util.find_spec("aimrt_rpc")
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return os.path.join(next(iter(spec.submodule_search_locations)), "bin")


def find_program() -> Tuple[Optional[str], List[str]]:
    """The program's path, or None, and a line for every place that was looked at."""
    override = os.environ.get(OVERRIDE)
    if override:
        # An explicit choice is not silently replaced by another program.
        if is_program(override):
            return override, []
        return None, [f"{OVERRIDE}={override}: not an executable file"]
    looked = [f"{OVERRIDE}: not set"]
    folders = [("beside this script", os.path.dirname(os.path.realpath(__file__)))]
    wheel = wheel_folder()
    if wheel is None:
        looked.append(f"installed wheel: {sys.executable} has no package aimrt_rpc")
    else:
        folders.append(("installed wheel", wheel))
    for place, folder in folders:
        path = os.path.join(folder, PROGRAM)
        if is_program(path):
            return path, looked
        looked.append(f"{place}: no program {path}")
    on_path = shutil.which(PROGRAM)
    if on_path is None:
        looked.append(f"PATH: no {PROGRAM}")
    return on_path, looked


def fail(*lines: str) -> NoReturn:
    """Ends the process with a message; protoc adds that its plugin failed."""
    sys.stderr.write("\n    ".join(lines) + "\n")
    sys.exit(1)


def main() -> NoReturn:
    """Replaces this process by the generator; the form for console scripts."""
    script = os.path.basename(__file__)
    path, looked = find_program()
    if path is None:
        fail(
            f"{script}: the program {PROGRAM} was not found; looked at",
            *looked,
            f"Install the wheel aimrt-rpc for this Python, or set {OVERRIDE} to the program.",
        )
    if os.environ.get(RUNNING) == os.path.realpath(path):
        fail(f"{script}: {path} leads back to this script; set {OVERRIDE} to the program itself")
    os.environ[RUNNING] = os.path.realpath(path)
    try:
        os.execv(path, [path, *sys.argv[1:]])
    except OSError as error:
        fail(f"{script}: cannot run {path}: {error.strerror}; was it built for this machine?")


if __name__ == "__main__":
    main()
