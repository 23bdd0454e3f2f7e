"""A dict of functions as an RPC service, for programs that need no class."""

import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


@aiomas.expose
def add(a, b):
    return a + b


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    print("3 + 4 =", await connection.remote.add(3, 4))
    await connection.close()


server = aiomas.run(aiomas.rpc.start_server(ADDRESS, aiomas.rpc.ServiceDict({"add": add})))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
