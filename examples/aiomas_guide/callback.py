"""Calls in both directions: the client passes its own service, the server gets a proxy of it and calls back before it answers."""

import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


class Guest:
    router = aiomas.rpc.Service()

    def __init__(self, name):
        self.name = name

    @aiomas.expose
    def get_name(self):
        return self.name

    async def visit(self):
        connection = await aiomas.rpc.open_connection(ADDRESS, rpc_service=self)  # so that the server can call us
        print("the server says:", await connection.remote.greet(self))
        await connection.close()


class Host:
    router = aiomas.rpc.Service()

    @aiomas.expose
    async def greet(self, guest):
        return f"welcome, {await guest.get_name()}"


server = aiomas.run(aiomas.rpc.start_server(ADDRESS, Host()))
aiomas.run(Guest("Monty").visit())
server.close()
aiomas.run(server.wait_closed())
