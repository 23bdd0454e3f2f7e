"""A connection that ends during a call: whoever waits for the answer gets ConnectionResetError."""

import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


class Bouncer:
    router = aiomas.rpc.Service()

    def __init__(self):
        self.guests = []

    @aiomas.expose
    async def throw_out_everybody(self):
        while self.guests:
            await self.guests.pop().close()


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    try:
        await connection.remote.throw_out_everybody()
    except ConnectionResetError:
        print("the connection is lost")


bouncer = Bouncer()
server = aiomas.run(aiomas.rpc.start_server(ADDRESS, bouncer, bouncer.guests.append))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
