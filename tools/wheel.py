#!/usr/bin/env python3
"""Builds the wheel: library, packages, header, programs; no compiler is needed to install it. Beside it, the shims.

With the zig C compiler (the `ziglang` package of build/venv) the library needs only glibc 2.17 and the wheel is tagged
manylinux_2_17; ``--system-cc`` takes the C compiler of this machine instead and tags the wheel with this machine's glibc. The files are
staged under build/, the source tree stays as it is.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import shims

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "wheel-stage"
GLIBC_FLOOR = "2.17"


def run(command: List[str], env: Dict[str, str]) -> None:
    """Runs one command in the project's root; ends the program with its output when it fails."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\nwheel: the command above ended with {done.returncode}")


def zig_compiler() -> str:
    """Writes a small script that stands for the C compiler and gives its path.

    Go hands every compiler flag through; the few that zig's linker does not know are left out there, and the version script, which GNU ld
    finds through LIBRARY_PATH, is named with its folder.
    """
    script = STAGE / "zigcc"
    machine = platform.machine()
    script.write_text(
        "#!/usr/bin/env bash\n"
        "args=()\n"
        'for a in "$@"; do case "$a" in\n'
        "  -Wl,--compress-debug-sections=*|-Wl,--build-id=*) ;;\n"
        f'  -Wl,--version-script=*) args+=("-Wl,--version-script={ROOT}/capi/exports.map") ;;\n'
        '  *) args+=("$a") ;;\n'
        "esac; done\n"
        f'exec "{sys.executable if has_zig(sys.executable) else ROOT / "build/venv/bin/python"}" -m ziglang cc'
        f' -target {machine}-linux-gnu.{GLIBC_FLOOR} "${{args[@]}}"\n'
    )
    script.chmod(0o755)
    return str(script)


def has_zig(python: str) -> bool:
    """Tells whether an interpreter has the ziglang package."""
    return subprocess.run([python, "-c", "import ziglang"], stderr=subprocess.DEVNULL).returncode == 0


def main() -> None:
    """Stages the files, builds library and programs, and packs the wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="build/wheel", type=Path)
    parser.add_argument("--system-cc", action="store_true", help="use the C compiler of this machine")
    options = parser.parse_args()
    shutil.rmtree(STAGE, ignore_errors=True)
    package = STAGE / "src" / "aimrt_rpc"
    shutil.copytree(ROOT / "bindings/python/src", STAGE / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "bindings/python/pyproject.toml", STAGE)
    shutil.copy(ROOT / "LICENSE", STAGE)
    for folder in ("lib", "bin", "include"):
        (package / folder).mkdir(exist_ok=True)
    shutil.copy(ROOT / "include/aimrt_rpc.h", package / "include")
    shutil.copy(ROOT / "bindings/python/scripts/protoc_plugin_py_gen_aimrt_py_rpc.py", package / "bin")

    env = {} if options.system_cc else {"CC": zig_compiler()}
    print("wheel: building library and programs", flush=True)
    build = "build/wheel-build"
    run(["make", "--no-print-directory", "build", "programs", f"BUILD={build}"], env)
    library = sorted((ROOT / build / "lib").glob("libaimrt_rpc.so.*.*.*"))[-1]
    shutil.copy(library, package / "lib" / "libaimrt_rpc.so.1")
    for program in (ROOT / build / "bin").iterdir():
        shutil.copy(program, package / "bin" / program.name)

    glibc = platform.libc_ver()[1] if options.system_cc else GLIBC_FLOOR
    tag = f"manylinux_{glibc.replace('.', '_')}_{platform.machine()}"
    (STAGE / "setup.cfg").write_text(f"[bdist_wheel]\npython_tag = py3\nplat_name = {tag}\n")
    (STAGE / "setup.py").write_text(
        "from setuptools import setup\nfrom setuptools.dist import Distribution\n\n\n"
        "class Binary(Distribution):\n    def has_ext_modules(self):\n        return True\n\n\n"
        "from setuptools.command.bdist_wheel import bdist_wheel\n\n\n"
        "class AnyPython(bdist_wheel):\n    def get_tag(self):\n"
        f"        return 'py3', 'none', '{tag}'\n\n\n"
        "setup(distclass=Binary, cmdclass={'bdist_wheel': AnyPython})\n"
    )
    out = (ROOT / options.out).resolve()
    shutil.rmtree(out, ignore_errors=True)
    run(
        [
            str(ROOT / "build/venv/bin/python"),
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(out),
            str(STAGE),
        ],
        {},
    )
    wheel = next(out.glob("*.whl"))
    print(f"wheel: {wheel.relative_to(ROOT)}, {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
    for shim in shims.build(ROOT / "build/venv/bin/python", out / "shims"):
        print(f"wheel: {shim.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    main()
