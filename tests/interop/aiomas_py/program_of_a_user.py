"""A program that was written for aiomas: test_shim.py runs it with the original and with the shim, and compares what it prints."""

import asyncio
import sys

import aiomas
from aiomas import RemoteException, expose, rpc
from aiomas.codecs import JSON, MsgPack, MsgPackBlosc, serializable
from aiomas.exceptions import SerializationError
from aiomas.rpc import Proxy, Service, ServiceDict


@serializable
class Reading:
    def __init__(self, place, degrees):
        self.place = place
        self.degrees = degrees


class Station:
    router = Service(["log"])

    def __init__(self):
        self.readings = []
        self.log = ServiceDict({"size": expose(lambda: len(self.readings))})
        self.listeners = []

    @expose
    def subscribe(self, listener):
        assert isinstance(listener, Proxy)
        self.listeners.append(listener)

    @expose
    async def report(self, reading):
        self.readings.append(reading)
        return await asyncio.gather(*[listener.hear(reading) for listener in self.listeners])


class Listener:
    router = Service()

    @expose
    def hear(self, reading):
        if reading.degrees > 40:
            raise ValueError("too hot")
        return repr(reading)


async def session(address, codec):
    options = {"codec": codec, "extra_serializers": [Reading.__serializer__]}
    listener = Listener()
    connection = await rpc.open_connection(address, rpc_service=listener, **options)
    station = connection.remote
    await station.subscribe(listener)
    print(codec.__name__, list(await station.report(Reading("Oslo", 3))), await station.log.size())
    try:
        await station.report(Reading("Cairo", 45))
    except RemoteException as e:
        print(e.remote_traceback.splitlines()[-2], str(e).startswith(f"Origin: {e.origin}\n"))
    try:
        station.report(object)
    except SerializationError as e:
        print(e)
    await connection.close()


def main():
    path = sys.argv[1]
    for codec in (JSON, MsgPack, MsgPackBlosc):
        address = f"{path}.{codec.__name__}"
        server = aiomas.run(rpc.start_server(address, Station(), codec=codec, extra_serializers=[Reading.__serializer__]))
        aiomas.run(session(address, codec))
        server.close()
        aiomas.run(server.wait_closed())
    print(aiomas.__version__)


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    main()
