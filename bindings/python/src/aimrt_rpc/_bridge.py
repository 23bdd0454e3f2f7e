"""Hands CPython's own functions to the library, which gives back C built-ins for the hot operations.

Nothing is compiled and no Python symbol is in the library: the addresses of stable-ABI functions are read with ctypes and
passed in one table, so one binary serves every CPython from 3.8 on. On other interpreters, on free-threaded builds, when
CPython's symbols are not in the global scope, or with ``AIMRT_RPC_NO_BRIDGE=1``, :func:`load` gives None and the ctypes
functions of :mod:`._core` stay.
"""

import ctypes
import os
import sys
import sysconfig
from typing import Any, Callable, Dict, Optional

# The order is part of the contract with capi/pybridge.c.
FUNCTIONS = (
    "PyBytes_FromStringAndSize",
    "PyBytes_AsStringAndSize",
    "PyObject_CallFunctionObjArgs",
    "Py_IncRef",
    "Py_DecRef",
    "PyLong_FromLongLong",
    "PyLong_FromUnsignedLongLong",
    "PyLong_AsUnsignedLongLong",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyGILState_Check",
    "PyGILState_Ensure",
    "PyGILState_GetThisThreadState",
    "PyThreadState_Clear",
    "PyThreadState_DeleteCurrent",
    "PyCFunction_NewEx",
    "PyDict_New",
    "PyDict_SetItemString",
    "PyErr_Occurred",
    "PyErr_WriteUnraisable",
    "PyTuple_New",
    "PyTuple_SetItem",
    "PyTuple_GetItem",
    "PyTuple_Size",
    "PyList_New",
    "PyList_Append",
    "PyUnicode_FromStringAndSize",
    "PyUnicode_AsUTF8AndSize",
    "PyUnicode_InternFromString",
    "PyBool_FromLong",
)


def _usable() -> bool:
    return (
        sys.implementation.name == "cpython"
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and not os.environ.get("AIMRT_RPC_NO_BRIDGE")
    )


def load(lib: ctypes.CDLL, fail: Callable[..., None]) -> Optional[Dict[str, Any]]:
    """Gives the dict of built-ins, or None where the bridge cannot work.

    ``fail(result, message)`` raises the exception of a failed operation.
    """
    if not _usable():
        return None
    table = (ctypes.c_void_p * (len(FUNCTIONS) + 2))()
    for index, name in enumerate(FUNCTIONS):
        try:
            function = getattr(ctypes.pythonapi, name)
        except AttributeError:
            return None
        table[index] = ctypes.cast(function, ctypes.c_void_p)
    table[len(FUNCTIONS)] = id(None)
    table[len(FUNCTIONS) + 1] = id(fail)
    boot = ctypes.PyDLL(lib._name).aimrt_rpc_python_bridge
    boot.restype = ctypes.c_void_p
    boot.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    address = boot(ctypes.addressof(table), len(table))
    if not address:
        return None
    builtins: Dict[str, Any] = ctypes.cast(address, ctypes.py_object).value
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(builtins))  # the cast took a reference of its own
    return builtins
