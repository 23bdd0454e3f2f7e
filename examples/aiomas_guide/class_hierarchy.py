"""A tree of services below a class: the class names its sub-services, each instance holds its own."""

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
    router = aiomas.rpc.Service(["addition", "subtraction"])

    def __init__(self):
        self.addition = aiomas.rpc.ServiceDict({"add": add})
        self.subtraction = Subtraction()


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    print("3 + 4 =", await connection.remote.addition.add(3, 4))
    print("4 - 3 =", await connection.remote.subtraction.sub(4, 3))
    await connection.close()


server = aiomas.run(aiomas.rpc.start_server(ADDRESS, Root()))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
