"""A class as an RPC service: its exposed methods can be called from afar."""

import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


class Calculator:
    router = aiomas.rpc.Service()

    @aiomas.expose
    def add(self, a, b):
        return a + b


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    total = await connection.remote.add(3, 4)
    print("3 + 4 =", total)
    await connection.close()


server = aiomas.run(aiomas.rpc.start_server(ADDRESS, Calculator()))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
