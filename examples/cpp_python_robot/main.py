"""A Python program with a C++ robot arm in its process: calls robot.Arm/Move in C++, which asks robot.Safety/Allows here.

Argument: the shared library that robot.cc was built into.
"""

import ctypes
import sys
from typing import Any, Dict

import aimrt_rpc


def allows(context: aimrt_rpc.ServerContext, to: Dict[str, Any]) -> Dict[str, Any]:
    """Serves robot.Safety/Allows: the arm stays above the table."""
    if to["z"] < 0:
        return {"allowed": False, "reason": f"z = {to['z']} is below the table"}
    return {"allowed": True}


def main(library: str) -> int:
    """Joins both languages in one runtime and moves the arm."""
    with aimrt_rpc.Runtime() as runtime:
        robot = ctypes.CDLL(library)
        robot.robot_attach.argtypes = [ctypes.c_uint64]
        robot.robot_attach.restype = ctypes.c_int32
        if robot.robot_attach(runtime.handle) != 0:
            raise SystemExit("the arm cannot join the runtime")

        runtime.initialize()
        brain = runtime.create_module("brain")
        brain.serve("pb:/robot.Safety/Allows", allows, request=aimrt_rpc.JSON, response=aimrt_rpc.JSON)
        move = brain.client("pb:/robot.Arm/Move", request=aimrt_rpc.JSON, response=aimrt_rpc.JSON)
        runtime.start()

        for to in ({"x": 2.5, "y": 6.0}, {"x": 2.5, "y": 6.0, "z": 3.5}, {"z": -1.5}):
            try:
                print(to, "->", move.invoke(to)["distance"])
            except aimrt_rpc.RpcError as refused:
                print(to, "->", refused.code, refused.message)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
