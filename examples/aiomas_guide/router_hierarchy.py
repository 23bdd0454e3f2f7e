"""A tree of services that is put together while the program runs, with both methods of the router."""

import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


@aiomas.expose
def add(a, b):
    return a + b


class Subtraction:
    router = aiomas.rpc.Service()

    @aiomas.expose
    def sub(self, a, b):
        return a - b


class Root:
    router = aiomas.rpc.Service()  # names no sub-service

    def __init__(self):
        self.addition = aiomas.rpc.ServiceDict({"add": add})
        self.router.add("addition")  # the attribute of this name
        self.subtraction = Subtraction()
        self.router.set_sub_router(self.subtraction.router, "subtraction")  # any router, under any name


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    print("3 + 4 =", await connection.remote.addition.add(3, 4))
    print("4 - 3 =", await connection.remote.subtraction.sub(4, 3))
    await connection.close()


server = aiomas.run(aiomas.rpc.start_server(ADDRESS, Root()))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
