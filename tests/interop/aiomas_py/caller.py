"""A client that does what it is told: caller.py PACKAGE CODEC HOST:PORT [serving].

Reads one JSON command per line, prints one JSON answer per command:
    {"call": path, "args": [...], "tag": t}   starts a call: {"started": t} or {"tag": t, "raised": class, "args": [...]}
    {"await": t}                              waits for its end: {"tag": t, "result": value} or {"tag": t, "raised": ..., "args": ...}
    {"cancel": t}                             cancels it: {"cancelled": t}
    {"resets": true}                          waits for the connection's end: {"resets": [class, args]}
With ``serving`` the client has a service of its own: name(x), fail(x).
"""

import asyncio
import json
import sys

import peer


def failure(tag, error):
    peer.tell(tag=tag, raised=type(error).__name__, args=json.loads(json.dumps(error.args, default=repr)))


async def talk(aiomas, codec, address, serving):
    """Connects and carries out commands until stdin ends."""

    class Own:
        router = aiomas.rpc.Service()

        @aiomas.expose
        def name(self, suffix):
            return "Monty " + suffix

        @aiomas.expose
        def fail(self, text):
            raise LookupError(text)

    loop = asyncio.get_event_loop()
    client = await aiomas.rpc.open_connection(address, rpc_service=Own() if serving else None, codec=codec)
    reset = loop.create_future()
    if serving:
        client.on_connection_reset(lambda error: reset.done() or reset.set_result(error))
    calls = {}
    peer.tell(ready=True)
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        command = json.loads(line)
        if "call" in command:
            try:
                calls[command["tag"]] = getattr(client.remote, command["call"])(*command["args"])
                peer.tell(started=command["tag"])
            except Exception as e:
                failure(command["tag"], e)
        elif "await" in command:
            try:
                peer.tell(tag=command["await"], result=await calls[command["await"]])
            except Exception as e:
                failure(command["await"], e)
        elif "cancel" in command:
            calls[command["cancel"]].cancel()
            peer.tell(cancelled=command["cancel"])
        elif "resets" in command:
            error = await reset
            peer.tell(resets=[type(error).__name__, json.loads(json.dumps(error.args, default=repr))])
    try:
        await client.close()
    except Exception:
        if aiomas.__name__ == peer.OURS:  # the original raises here what ended the connection
            raise


def main():
    package, codec, address = sys.argv[1:4]
    aiomas = peer.load(package)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(talk(aiomas, getattr(aiomas, codec), peer.address_of("tcp", address), "serving" in sys.argv[4:]))
    loop.close()


if __name__ == "__main__":
    main()
