"""Starts the C++ server, calls it as any aiomas service, and gives it an object of ours to call back."""

import subprocess
import sys

import aimrt_rpc.aiomas as aiomas

server = subprocess.Popen([sys.argv[1], "tcp://127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
host, port = server.stdout.readline().strip()[len("tcp://") :].split(":")


class Observer:
    router = aiomas.rpc.Service()

    @aiomas.expose
    def allows(self, step, position):
        print(f"step {step} to {position}")
        return position["z"] > 0


async def main():
    observer = Observer()
    connection = await aiomas.rpc.open_connection((host, int(port)), rpc_service=observer)
    arm = connection.remote.arm
    print(await arm.joints())
    print(await arm.plan({"x": 1, "z": 3}, steps=2, observer=observer))
    for arguments in ({"z": -1}, 1, observer), ({"z": 1}, 0):
        try:
            await arm.plan(*arguments)
        except aiomas.RemoteException as error:
            print(str(error).strip().splitlines()[-1])
    await connection.close()


aiomas.run(main())
sys.exit(server.wait())  # it ends when its first peer has gone
