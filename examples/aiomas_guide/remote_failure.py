"""An exception on the other side: it comes as RemoteException, with the peer's address and the traceback's text."""

import sys

import aimrt_rpc.aiomas as aiomas

ADDRESS = ("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5555)


@aiomas.expose
def parse(text):
    raise ValueError(f"{text!r} is not a number")


async def client():
    connection = await aiomas.rpc.open_connection(ADDRESS)
    try:
        await connection.remote.parse("spam")
    except aiomas.RemoteException as e:
        lines = e.remote_traceback.splitlines()
        print("from the server:", e.origin == ADDRESS)
        print("first line:", lines[0])
        print("last line:", lines[-1])
    await connection.close()


server = aiomas.run(aiomas.rpc.start_server(ADDRESS, aiomas.rpc.ServiceDict({"parse": parse})))
aiomas.run(client())
server.close()
aiomas.run(server.wait_closed())
