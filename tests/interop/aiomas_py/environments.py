"""The interpreters of the two subjects, and what else a run needs: sources of the original, certificates.

``real`` is the environment that tests/interop/aiomas uses too: the last release of aiomas with what it needs. ``ours`` has the wheel and
the shim of this build, installed by pip. Both are made once under build/ and made again when what they are made of changes.
"""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import pythons  # noqa: E402 - the project's own way to find interpreters

BUILD = ROOT / "build"
REQUIREMENTS = ROOT / "tests" / "interop" / "aiomas-requirements.txt"
RELEASE = "2.0.1"
INSTALL_ATTEMPTS = 4
INSTALL_LIMIT_S = 300
REAL, OURS = "aiomas", "aimrt_rpc.aiomas"
# The long form runs ours on the oldest and the newest CPython too: a subject is "<package>@<version>" then.
OTHER_VERSIONS = ("3.8", "3.13")
FULL = bool(os.environ.get("INTEROP_FULL"))
OTHERS = [f"{OURS}@{version}" for version in OTHER_VERSIONS if pythons.find(version)] if FULL else []


def package_of(subject):
    """The name that a subject's program imports."""
    return subject.partition("@")[0]


def label(subject):
    """A subject's short name."""
    package, _, version = subject.partition("@")
    return {OURS: "ours", REAL: "real"}[package] + version


def run(*command, limit_s=INSTALL_LIMIT_S, **options):
    """Runs a program to its end; gives its output, fails with it."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit_s, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}"
    return done.stdout


@contextlib.contextmanager
def locked(path):
    """Keeps two test programs from making the same folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made(folder, mark, *steps, base=None):
    """Makes an environment unless its mark says that it is what is wanted; a registry may answer late, so it is tried again."""
    python = folder / "bin" / "python"
    with locked(folder.with_suffix(".lock")):
        note = folder / "installed.txt"
        if note.exists() and note.read_text() == mark:
            return python
        base = base or os.environ.get("PYTHON", sys.executable)
        for attempt in range(INSTALL_ATTEMPTS):
            try:
                run(base, "-m", "venv", "--clear", str(folder))
                for step in steps:
                    run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *step)
                break
            except (AssertionError, subprocess.TimeoutExpired):
                if attempt + 1 == INSTALL_ATTEMPTS:
                    raise
        note.write_text(mark)
    return python


def real_python():
    """The interpreter that has the real aiomas."""
    return made(BUILD / "venv-aiomas", REQUIREMENTS.read_text(), ("-r", str(REQUIREMENTS)))


def wheels():
    """The wheel of this build, and the shim distribution that gives the name aiomas."""
    found = [sorted(folder.glob(pattern)) for folder, pattern in ((BUILD / "wheel", "*.whl"), (BUILD / "wheel" / "shims", "aiomas-*.whl"))]
    assert all(found), "build/wheel has no wheel or no shim; make wheel builds them"
    return [paths[-1] for paths in found]


def ours_python(version=""):
    """The interpreter that has this build's wheel and shim; of a version of CPython, when one is named."""
    wheel, shim = wheels()
    digest = hashlib.sha256(wheel.read_bytes() + shim.read_bytes() + REQUIREMENTS.read_bytes()).hexdigest()
    constraints = () if version else ("-c", str(REQUIREMENTS))  # not every version has what is pinned
    folder = BUILD / f"venv-aiomas-ours{version and '-'}{version}"
    return made(folder, digest, (*constraints, str(wheel), f"{shim}[mpb]"), base=pythons.find(version) if version else None)


def command(subject, shim=False):
    """Gives the interpreter of a subject and the environment variables it runs with; ``shim``: the name aiomas is ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if subject == REAL:
        return str(real_python()), environment
    version = subject.partition("@")[2]
    if (
        os.environ.get("AIMRT_RPC_TREE") and not version
    ):  # a developer's shortcut: the package of this tree and the library just built, no wheel
        library = next((BUILD / "lib").glob("libaimrt_rpc.so.1"))
        path = f"{ROOT / 'bindings/python/src'}{f':{BUILD}/shims/aiomas' if shim else ''}"
        environment.update(PYTHONPATH=path, AIMRT_RPC_LIBRARY=str(library))
        return str(real_python()), environment
    return str(ours_python(version)), environment


def sources(folder):
    """Downloads the source distribution of the original and unpacks it; gives its root."""
    root = folder / f"aiomas-{RELEASE}"
    with locked(folder.with_suffix(".lock")):
        if not (root / "README.rst").exists():
            folder.mkdir(parents=True, exist_ok=True)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            for attempt in range(INSTALL_ATTEMPTS):
                try:
                    run(*pip, "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "-d", str(folder), f"aiomas=={RELEASE}")
                    break
                except (AssertionError, subprocess.TimeoutExpired):
                    if attempt + 1 == INSTALL_ATTEMPTS:
                        raise
            run("tar", "-xzf", str(folder / f"aiomas-{RELEASE}.tar.gz"), "-C", str(folder))
    return root


def certificates(folder):
    """Makes a fresh authority and one certificate for both sides, named as the guide names them: ca.pem, device.pem, device.key."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names.txt").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for step in (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout device.key -out device.csr -subj /CN=localhost",
        "x509 -req -in device.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out device.pem -days 2 -extfile names.txt",
    ):
        run("openssl", *step.split(), cwd=folder)
    return folder
