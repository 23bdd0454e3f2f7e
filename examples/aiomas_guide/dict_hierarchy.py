"""A tree of services below a dict: one more dict, and an instance of a class."""

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


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    print("3 + 4 =", await connection.remote.addition.add(3, 4))
    print("4 - 3 =", await connection.remote.subtraction.sub(4, 3))
    await connection.close()


root = aiomas.rpc.ServiceDict(
    {
        "addition": aiomas.rpc.ServiceDict({"add": add}),
        "subtraction": Subtraction(),  # an instance, not the class
    }
)
server = aiomas.run(aiomas.rpc.start_server(ADDRESS, root))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
