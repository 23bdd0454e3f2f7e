"""The two ends of a co-simulation, each as an aiomas program: PACKAGE is the real aiomas or ours.

mosaik.py PACKAGE master                  listens, prints {"ready": address}; drives the simulator that connects, prints {"said": ...}
mosaik.py PACKAGE simulator HOST:PORT     connects and is driven; its failures are lists when PACKAGE is ours

mosaik.py channel master                  the master on mosaik-api-v3's own channel
"""

import asyncio
import sys

import peer

TIME_RESOLUTION = 0.5


class Unknown(Exception):
    """What the simulator raises."""


async def drive(call, failure):
    """Does what mosaik does with a simulator; ``call`` asks it, ``failure`` gives what a failed call said."""
    said = [await call("init", ["sid-0"], {"time_resolution": TIME_RESOLUTION, "step_size": 2})]
    said.append(await call("create", [2, "A"], {"init_val": 3}))
    said.append(await call("create", [1, "B"], {"init_val": 9}))
    said.append(await call("setup_done", [], {}))
    said.append(await call("step", [0, {"1.0": {"val_in": {"sid-0.0.0": 5}}}, 10], {}))
    said.append(await call("get_data", [{"0.0": ["val_out"], "0.1": ["val_out", "dummy_out"], "1.0": ["val_out"]}], {}))
    said.append(await call("example_method", [[1, {"a": None}]], {}))
    said.append(await failure(call("create", [1, "C"], {"init_val": 0})))
    said.append(await failure(call("example_method", [], {"wrong": 1})))
    said.append(await call("example_method", ["alive"], {}))
    return said


async def aiomas_master(aiomas):
    """Serves what simulators ask for, and drives the one that connects."""
    progress = aiomas.rpc.ServiceDict({"get_progress": aiomas.expose(lambda: 42.5)})
    connected = asyncio.get_event_loop().create_future()
    server = await aiomas.rpc.start_server(("127.0.0.1", 0), progress, connected.set_result)
    peer.tell(ready=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    client = await connected

    async def failure(call):
        try:
            return ["no failure", await call]
        except aiomas.RemoteException as e:
            return shortened(e.remote_traceback)

    def call(name, args, kwargs):
        return getattr(client.remote, name)(*args, **kwargs)

    peer.tell(said=await drive(call, failure))
    lost = client.remote.stop()
    try:
        await lost
    except ConnectionResetError:
        peer.tell(stopped=True)
    await client.close()
    server.close()


def shortened(content):
    """The parts of a failure that do not name a place: type, text, whether lines of a traceback follow."""
    if not isinstance(content, (list, tuple)):
        return ["text", content.splitlines()[-1]]
    return [*content[:2], "".join(content[2:]).startswith("Traceback (most recent call last):\n")]


async def channel_master():
    """The same on the channel of mosaik's own API."""
    from mosaik_api_v3.connection import Channel, EndOfRequests, RemoteException

    connected = asyncio.get_event_loop().create_future()

    async def accept(reader, writer):
        connected.set_result(Channel(reader, writer, "simulator"))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    peer.tell(ready=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    channel = await connected

    async def serve():
        try:
            while True:
                request = await channel.next_request()
                if request.content[0] == "get_progress":
                    await request.set_result(42.5)
                else:
                    try:
                        raise Unknown(request.content[0])
                    except Unknown as e:
                        await request.set_exception(e)
        except EndOfRequests:
            pass

    serving = asyncio.ensure_future(serve())

    async def failure(call):
        try:
            return ["no failure", await call]
        except RemoteException as e:
            return shortened([e.remote_type, e.remote_msg, *e.further_args])

    peer.tell(said=await drive(lambda name, args, kwargs: channel.send([name, args, kwargs]), failure))
    try:
        await channel.send(["stop", [], {}])
    except asyncio.IncompleteReadError:
        peer.tell(stopped=True)
    await serving
    await channel.close()
    server.close()


async def simulator(aiomas, address):
    """A simulator in the manner of mosaik's example, which asks its master back while it steps."""

    class Simulator:
        router = aiomas.rpc.Service()

        def __init__(self):
            self.models = []
            self.master = None
            self.progress = None
            self.stopped = asyncio.get_event_loop().create_future()

        @aiomas.expose
        def init(self, sid, time_resolution, step_size):
            return {"api_version": "3.0", "type": "time-based", "models": {}, "sid": sid, "times": [time_resolution, step_size]}

        @aiomas.expose
        def create(self, num, model, init_val):
            if model not in "AB":
                raise Unknown(f"model {model}")
            self.models.append([init_val] * num)
            return [{"eid": f"{len(self.models) - 1}.{i}", "type": model, "rel": []} for i in range(num)]

        @aiomas.expose
        def setup_done(self):
            return None

        @aiomas.expose
        async def step(self, time, inputs, max_advance):
            self.progress = await self.master.get_progress()
            try:
                await self.master.nothing_like_this()
            except aiomas.RemoteException as e:
                self.refusal = shortened(e.remote_traceback)
            return time + 2

        @aiomas.expose
        def get_data(self, outputs):
            return {"outputs": outputs, "progress": self.progress, "refusal": self.refusal}

        @aiomas.expose
        def example_method(self, value):
            return value

        @aiomas.expose
        async def stop(self):
            self.stopped.set_result(None)
            await asyncio.get_event_loop().create_future()

    own = Simulator()
    options = {"failure_array": True} if aiomas.__name__ == peer.OURS else {}
    client = await aiomas.rpc.open_connection(peer.address_of("tcp", address), rpc_service=own, **options)
    own.master = client.remote
    await own.stopped
    await client.close()


def main():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    if sys.argv[1] == "channel":
        loop.run_until_complete(channel_master())
    else:
        aiomas = peer.load(sys.argv[1])
        loop.run_until_complete(aiomas_master(aiomas) if sys.argv[2] == "master" else simulator(aiomas, sys.argv[3]))


if __name__ == "__main__":
    main()
