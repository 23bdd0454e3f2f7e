"""A server that notices when clients leave: a callback of the connection is called with the reason."""

import asyncio
import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


class Club:
    router = aiomas.rpc.Service()

    def __init__(self):
        self.members = []
        self.empty = asyncio.Event()

    def connected(self, client):
        def left(reason):
            self.members.remove(client)
            print("left:", type(reason).__name__, "- members now:", len(self.members))
            self.empty.set()

        client.on_connection_reset(left)
        self.members.append(client)
        print("came - members now:", len(self.members))


async def main():
    club = Club()
    server = await aiomas.rpc.start_server(ADDRESS, club, club.connected)
    connection = await aiomas.rpc.open_connection(ADDRESS)
    await connection.close()
    await club.empty.wait()
    server.close()
    await server.wait_closed()


aiomas.run(main())
