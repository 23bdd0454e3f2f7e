"""Who is connected: a callback of the server gets an RpcClient for every new connection."""

import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


def connected(client):
    print("connected:", type(client).__name__)


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    await connection.close()


server = aiomas.run(aiomas.rpc.start_server(ADDRESS, aiomas.rpc.ServiceDict({}), connected))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
