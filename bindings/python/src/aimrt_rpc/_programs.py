"""The console scripts of the wheel: each replaces itself with the program of that name in ``aimrt_rpc/bin``."""

import os
import sys
from pathlib import Path

BIN = Path(__file__).resolve().parent / "bin"


def _become(program: str) -> None:
    path = BIN / program
    if not path.exists():
        sys.exit(f"{program} is not in {BIN}; it comes with the aimrt-rpc wheel, or from `make programs`")
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | 0o111)  # installers may drop the mode of data files
    os.execv(path, [program, *sys.argv[1:]])


def protoc_plugin() -> None:
    """Runs protoc-gen-aimrt_rpc, the plugin that writes Python stubs."""
    _become("protoc-gen-aimrt_rpc")
