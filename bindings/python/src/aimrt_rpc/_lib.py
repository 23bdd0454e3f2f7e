"""Finds and loads ``libaimrt_rpc.so``; the only module that does.

The order: a copy that is already in the process (a C++ program that embeds Python must not get two runtimes), the file
named by ``AIMRT_RPC_LIBRARY``, the wheel's own ``lib/`` folder, the system's search path. The ABI version is compared
before anything else is called.
"""

import ctypes
import os
from pathlib import Path
from typing import List, Optional, Tuple

from . import _abi

SONAME = f"libaimrt_rpc.so.{_abi.AIMRT_RPC_ABI_VERSION}"
ENVIRONMENT = "AIMRT_RPC_LIBRARY"
_RTLD_NOLOAD = 4  # <dlfcn.h>; the os module of CPython has it on Linux, PyPy's does not


def _candidates() -> List[Tuple[str, str, int]]:
    """Lists (where it was looked for, path, dlopen mode) in the order of the module's doc string."""
    found = [("already in the process", SONAME, _RTLD_NOLOAD | os.RTLD_NOW)]
    named = os.environ.get(ENVIRONMENT)
    if named:
        found.append(("environment variable " + ENVIRONMENT, named, os.RTLD_NOW))
    else:
        wheel = Path(__file__).resolve().parent / "lib" / SONAME
        if wheel.exists():
            found.append(("the installed package", str(wheel), os.RTLD_NOW))
        found.append(("the system's library path", SONAME, os.RTLD_NOW))
    return found


def _load() -> Tuple[ctypes.CDLL, str]:
    tried = []
    for where, path, mode in _candidates():
        try:
            library = ctypes.CDLL(path, mode=mode)
        except OSError as error:
            if not mode & _RTLD_NOLOAD:
                tried.append(f"{where}: {error}")
            continue
        _check(library, where)
        return library, path
    raise ImportError("{} cannot be loaded ({})".format(SONAME, "; ".join(tried)))


def _check(library: ctypes.CDLL, where: str) -> None:
    try:
        abi = library.aimrt_rpc_abi_version
    except AttributeError:
        raise ImportError(f"the {SONAME} found as {where} has no aimrt_rpc_abi_version; it is another library") from None
    abi.restype = ctypes.c_uint32
    if abi() != _abi.AIMRT_RPC_ABI_VERSION:
        raise ImportError(
            f"the library found as {where} has ABI version {abi()}, this package needs {_abi.AIMRT_RPC_ABI_VERSION}; "
            "install library and package from one release"
        )


lib, path = _load()
_abi.bind(lib)
pid: int = os.getpid()


def loaded_path() -> str:
    """Gives the file the library was loaded from, for diagnostics."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            if "libaimrt_rpc" in line:
                return line.split(maxsplit=5)[-1].strip()
    return path


def library_version() -> Optional[str]:
    """Gives the version of the loaded library as ``major.minor.patch``."""
    number: int = lib.aimrt_rpc_version()
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
