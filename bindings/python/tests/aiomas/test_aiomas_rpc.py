"""aimrt_rpc.aiomas: services, proxies, errors; the texts are those of aiomas 2.0.1."""

import asyncio
import copy
import functools
import gc
import pickle
import weakref

import pytest
from aiomas_helpers import Served, address, address_of, run, turns

from aimrt_rpc import aiomas


class Math:
    router = aiomas.rpc.Service()

    @router.expose
    def add(self, a, b):
        return a + b

    @aiomas.expose
    async def slow_add(self, a, b):
        await asyncio.sleep(0)
        return a + b


class Root:
    router = aiomas.rpc.Service(["math"])

    def __init__(self):
        self.math = Math()
        self.log = []

    @functools.cached_property
    def gate(self):
        return asyncio.Event()

    @aiomas.expose
    def echo(self, *args, **kwargs):
        return [list(args), kwargs]

    @aiomas.expose
    def value(self, value):
        return value

    @aiomas.expose
    def fail(self):
        raise ValueError('"spam" is not a number')

    @aiomas.expose
    async def fail_later(self):
        await asyncio.sleep(0)
        raise KeyError("spam")

    @aiomas.expose
    def note(self, number):
        self.log.append(number)

    @aiomas.expose
    async def note_later(self, number):
        self.log.append(number)

    @aiomas.expose
    async def wait(self):
        await self.gate.wait()
        return "done"

    @aiomas.expose
    def get_math(self):
        return {"services": [self.math, self]}

    @aiomas.expose
    async def call_back(self, proxy, *args):
        return await proxy.name(*args)

    @aiomas.expose
    def same(self, first, second):
        return [first == second, hash(first) == hash(second), first.a == second.a, first.a == first.b]

    @aiomas.expose
    def not_serializable(self):
        return {1, 2}

    @aiomas.expose
    def base_exception(self):
        raise GeneratorExit("out")

    def hidden(self):
        """Not exposed."""


CODECS = ["JSON", "MsgPack", "MsgPackBlosc"]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", ["tcp", "unix", "local"])
def test_call_every_codec_and_transport(kind, codec, tmp_path):
    async def main():
        async with Served(Root(), address(kind, tmp_path), codec=getattr(aiomas, codec)) as client:
            assert await client.remote.math.add(3, b=4) == 7
            assert await client.remote.math.slow_add(3, 4) == 7
            results = await asyncio.gather(*[client.remote.math.add(i, i) for i in range(1000)])
            assert results == [2 * i for i in range(1000)]
            with pytest.raises(aiomas.RemoteException, match="spam"):
                await client.remote.fail()

    run(main())


VALUES = [None, True, False, 0, -1, 2**62, -(2**63), 1.5, 1e300, "", "é€\U0001f600", 'a\\n"b', [], [1, [2, [3]]], {"a": {"b": [1]}}]


@pytest.mark.parametrize("codec", CODECS)
def test_values(codec):
    def listed(value):
        if isinstance(value, (list, tuple)):
            return [listed(each) for each in value]
        return {key: listed(each) for key, each in value.items()} if isinstance(value, dict) else value

    async def main():
        async with Served(Root(), codec=getattr(aiomas, codec)) as client:
            for value in VALUES:
                got = await client.remote.value(value)
                assert listed(got) == value
                assert type(listed(got)) is type(value)
            assert isinstance(await client.remote.value([1]), list if codec == "JSON" else tuple)
            if codec == "JSON":
                assert await client.remote.value(2**70) == 2**70
                assert str(await client.remote.value(float("nan"))) == "nan"
                assert await client.remote.value(float("-inf")) == float("-inf")
            else:
                assert await client.remote.value({1: b"\x00\xff", (1, 2): None}) == {1: b"\x00\xff", (1, 2): None}

    run(main())


def test_json_keys_become_texts():
    async def main():
        async with Served(Root()) as client:
            assert await client.remote.value({2: 1, 1.5: 2, None: 3, True: 4}) == {"2": 1, "1.5": 2, "null": 3, "true": 4}
            with pytest.raises(TypeError, match="keys must be str, int, float, bool or None, not tuple"):
                client.remote.value({(1, 2): 3})
            assert await client.remote.value(1) == 1

    run(main())


RESOLVED = [
    ("", 'LookupError: Name "" not found in ""'),
    ("/echo", 'LookupError: Name "" not found in ""'),
    ("echo/", 'LookupError: Name "" not found in "echo"'),
    ("nope", 'LookupError: Name "nope" not found in ""'),
    ("math/nope", 'LookupError: Name "nope" not found in "math"'),
    ("hidden", 'LookupError: "test_aiomas_rpc.Root.hidden" is not exposed'),
    ("router/add", 'LookupError: "test_aiomas_rpc.Root.router" is not exposed'),
    ("echo/__func__", 'LookupError: Name "__func__" not found in "echo"'),
    ("__class__", 'LookupError: "test_aiomas_rpc.Root.__class__" is not exposed'),
    ("math", "TypeError: 'Math' object is not callable"),
    ("dict/f", 'LookupError: "aiomas.rpc.ServiceDict.f" is not exposed'),
    ("dict/number", 'LookupError: "aiomas.rpc.ServiceDict.number" is not exposed'),
    ("dict/dict", 'LookupError: Name "dict" not found in "dict"'),
    ("dict", "TypeError: 'ServiceDict' object is not callable"),
]


def test_resolve_texts():
    async def main():
        root = Root()
        root.dict = aiomas.rpc.ServiceDict({"f": len, "number": 5})
        root.router.add("dict")
        async with Served(root) as client:
            for path, text in RESOLVED:
                with pytest.raises(aiomas.RemoteException) as caught:
                    await client.channel.send((path, (), {}))
                assert caught.value.remote_traceback.splitlines()[-1] == text, path

    run(main())


@pytest.mark.parametrize(
    "content, text",
    [
        (["value", None, {}], "TypeError: test_aiomas_rpc.Root.value() argument after * must be an iterable, not NoneType"),
        (["value", [], None], "TypeError: test_aiomas_rpc.Root.value() argument after ** must be a mapping, not NoneType"),
        (["value", [], []], "TypeError: test_aiomas_rpc.Root.value() argument after ** must be a mapping, not list"),
        ([5, [], {}], "TypeError: path of the request is int, expected str"),
        (["value", []], "TypeError: the content of a request is [path, args, kwargs]: not enough values to unpack (expected 3, got 2)"),
        (7, "TypeError: the content of a request is [path, args, kwargs]: cannot unpack non-iterable int object"),
        (
            ["value", [{"__type__": [9, 1]}], {}],
            "aiomas.exceptions.SerializationError: __type__ is [9, 1], expected [type id, representation] with a type id below 1",
        ),
    ],
)
def test_request_that_cannot_be_understood_is_answered(content, text):
    async def main():
        async with Served(Root()) as client:
            with pytest.raises(aiomas.RemoteException) as caught:
                await client.channel.send(content)
            # how functions are named in such a text differs between versions of Python
            assert (
                caught.value.remote_traceback.splitlines()[-1]
                .replace("value()", "test_aiomas_rpc.Root.value()")
                .replace("test_aiomas_rpc.Root.test_aiomas_rpc.Root.", "test_aiomas_rpc.Root.")
                == text
            )
            assert await client.channel.send(["echo", "ab", {}]) == [["a", "b"], {}]

    run(main())


def test_remote_exception():
    async def main():
        async with Served(Root()) as client:
            peer = client.channel.get_extra_info("peername")
            for call, last in (
                (client.remote.fail, 'ValueError: "spam" is not a number\n'),
                (client.remote.fail_later, "KeyError: 'spam'\n"),
                (client.remote.base_exception, "GeneratorExit: out\n"),
            ):
                with pytest.raises(aiomas.RemoteException) as caught:
                    await call()
                error = caught.value
                assert error.origin == peer
                assert error.remote_traceback.startswith("Traceback (most recent call last):\n  File ")
                assert error.remote_traceback.endswith(last)
                assert error.args == (peer, error.remote_traceback)
                assert str(error) == f"Origin: {peer}\n{error.remote_traceback}"
                again = pickle.loads(pickle.dumps(error))
                assert (type(again), again.args) == (aiomas.RemoteException, error.args)
            with pytest.raises(aiomas.RemoteException) as caught:
                await client.remote.not_serializable()
            assert 'SerializationError: Could not serialize object "{1, 2}": No serializer found' in str(caught.value)
            with pytest.raises(aiomas.RemoteException, match="missing 1 required positional argument"):
                await client.remote.value()

    run(main())


def test_serialization_error_is_raised_by_the_call_and_nothing_is_sent():
    async def main():
        async with Served(Root()) as client:
            with pytest.raises(aiomas.exceptions.SerializationError, match=r'Could not serialize object "\{1\}": No ser'):
                client.remote.value({1})
            with pytest.raises(aiomas.exceptions.SerializationError, match=r"Cannot send serice proxy\."):
                client.remote.value(Math())
            with pytest.raises(aiomas.exceptions.SerializationError, match=r'found for type "<class \'aiomas.rpc.Proxy\'>"'):
                client.remote.value(client.remote)
            assert await client.remote.value(1) == 1

    run(main())


def test_proxies_and_services_both_ways():
    async def main():
        class Client:
            router = aiomas.rpc.Service(["sub"])

            def __init__(self):
                self.sub = aiomas.rpc.ServiceDict({"name": aiomas.expose(lambda *args: ["sub", *args])})

            @aiomas.expose
            def name(self, *args):
                return ["Monty", *args]

        mine = Client()
        async with Served(Root(), rpc_service=mine) as client:
            assert await client.remote.call_back(mine) == ["Monty"]
            assert await client.remote.call_back(mine.sub, 1) == ["sub", 1]
            assert await client.remote.same(mine, mine) == [True, True, True, False]
            got = await client.remote.get_math()
            assert got == {"services": [client.remote.math, client.remote]}
            assert await got["services"][0].add(1, 2) == 3
            with pytest.raises(aiomas.exceptions.SerializationError, match="is not exposed for this connection"):
                client.remote.value(Client())

    run(main())


def test_proxy():
    async def main():
        async with Served(Root()) as client:
            remote = client.remote
            host = client.channel.get_extra_info("peername")
            assert str(remote.sub.ping) == f"Proxy({host!r}, 'sub/ping')"
            assert repr(remote.sub).startswith(f"<aiomas.rpc.Proxy({host!r}, 'sub') at 0x")
            assert remote == client.remote and remote is not client.remote
            assert hash(remote.a.b) == hash(client.remote.a.b)
            assert remote.a != remote.b
            assert (remote == None) is False  # noqa: E711
            assert remote != 5
            kept = remote.sub
            assert remote.sub is kept
            gone = weakref.ref(remote.other)
            gc.collect()
            assert gone() is None
            for i in range(1000):
                getattr(remote, f"name{i}")
            assert len(remote._cache) <= 65 and remote.sub is kept
            with pytest.raises(AttributeError, match=r"No RPC function name specified\."):
                remote()
            future = remote.value(1)
            assert asyncio.isfuture(future)
            assert await future == 1
            assert len({remote.a, client.remote.a, remote.b}) == 2
            with pytest.raises(TypeError):
                await remote.sub

    run(main())


def test_requests_start_in_order_and_fire_and_forget():
    async def main():
        root = Root()
        async with Served(root) as client:
            for i in range(100):
                client.remote.note(i)
            await client.remote.note(100)
            assert root.log == list(range(101))
            root.log.clear()
            await asyncio.gather(*[client.remote.note_later(i) for i in range(100)])
            assert root.log == list(range(100))

    run(main())


def test_cancelled_call_leaves_the_connection_alone():
    async def main():
        root = Root()
        async with Served(root) as client:
            other = client.remote.wait()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.remote.wait(), 0.01)
            for _ in range(1000):
                client.remote.wait().cancel()
            assert await client.remote.value(1) == 1
            assert len(client.channel._pending) < 600  # cancelled ones are swept out as the number grows
            root.gate.set()
            assert await other == "done"
            assert await client.remote.value(2) == 2
            assert not client.channel._pending or all(each.done() for each in client.channel._pending.values())

    run(main())


def test_quirks_of_resolving():
    async def main():
        functions = {"f": aiomas.expose(lambda: "old")}
        service = aiomas.rpc.ServiceDict(functions)
        assert service.dict is functions and aiomas.rpc.ServiceDict().dict == {}
        async with Served(service) as client:
            assert await client.remote.f() == "old"
            functions["f"] = aiomas.expose(lambda: "new")
            functions["g"] = aiomas.expose(lambda: "g")
            functions["late"] = Math()
            assert await client.remote.f() == "old"  # what was found stays found
            assert await client.remote.g() == "g"
            with pytest.raises(aiomas.RemoteException, match="is not exposed"):
                await client.remote.late.add(1, 2)
            assert functions["late"].router.path == ""  # touching the router exposes it
            assert await client.remote.late.add(1, 2) == 3

    run(main())


def test_cached_paths_are_bounded():
    root = aiomas.rpc.ServiceDict({"f": aiomas.expose(lambda: 1)})
    root.dict["loop"] = root
    path = "f"
    for _ in range(200):
        path = "loop/" + path
        assert root.router.resolve(path)() == 1
    root.router._cache.update({str(i): len for i in range(5000)})
    size = len(root.router._cache)
    assert root.router.resolve("loop/" + path)() == 1
    assert len(root.router._cache) == size


def test_exposure_rules():
    class Base:
        router = aiomas.rpc.Service()

        @aiomas.expose
        def a(self):
            return "a"

        @aiomas.expose
        def b(self):
            return "b"

    class Derived(Base):
        def b(self):
            return "hidden"

    service = Derived()
    assert service.router.resolve("a")() == "a"
    with pytest.raises(LookupError, match=r'Derived\.b" is not exposed'):
        service.router.resolve("b")
    for function in (aiomas.expose, aiomas.rpc.Service.expose, aiomas.rpc.Router.expose, Base.router.expose):
        with pytest.raises(ValueError, match=r'^"5" is not callable\.$'):
            function(5)


def test_router():
    root, math = Root(), Math()
    assert Root.router is Root.__dict__["router"]
    assert root.router is root.router and root.router.obj is root
    assert (root.router.path, root.math.router.path, root.math.router.name) == ("", "math", "math")
    assert root.math.router.parent is root.router
    with pytest.raises(AttributeError, match=r"Read-only attribute\."):
        root.router = 5
    with pytest.raises(ValueError, match=r'^"5" is not a valid router\.$'):
        root.router.set_sub_router(5, "x")
    with pytest.raises(ValueError, match=f'^"{root.math}" is already a sub service of "{root}"$'):
        root.router.set_sub_router(root.math.router, "again")
    with pytest.raises(AttributeError):
        root.router.add("nothing")
    root.other = math
    root.router.add("other")
    assert root.router.resolve("other/add")(1, 2) == 3

    class Missing:
        router = aiomas.rpc.Service(["nothing"])

    half = Missing()
    with pytest.raises(AttributeError):
        half.router  # noqa: B018
    assert half.router.path == ""  # the second time it is there

    class Slots:
        __slots__ = ()
        router = aiomas.rpc.Service()

    with pytest.raises(AttributeError):
        Slots().router  # noqa: B018


@pytest.mark.parametrize("bad", [5, None, Math, object()])
def test_not_a_service(bad):
    async def main():
        with pytest.raises(ValueError) as caught:
            await aiomas.rpc.start_server(("127.0.0.1", 0), bad)
        assert str(caught.value) == f'"{bad}" is not a valid RPC service.'
        if bad is not None:
            with pytest.raises(ValueError) as caught:
                await aiomas.rpc.open_connection(("127.0.0.1", 1), rpc_service=bad)
            assert str(caught.value) == f'"{bad}" is not a valid RPC service'

    run(main())


@pytest.mark.parametrize("addr", [5, None, ["127.0.0.1", 5]])
def test_not_an_address(addr):
    async def main():
        for attempt in (aiomas.rpc.open_connection(addr), aiomas.rpc.start_server(addr, Math())):
            with pytest.raises(ValueError) as caught:
                await attempt
            assert str(caught.value) == f"Unknown address type: {addr}"

    run(main())


def test_client_connected_cb_and_service_task():
    seen = []

    async def main():
        def connected(client):
            seen.append(client)
            client.on_connection_reset(lambda exc: seen.append(exc))
            raise RuntimeError("in the callback")

        async with Served(Math(), callback=connected) as client:
            assert await client.remote.add(1, 2) == 3
            assert client.service is None
            assert repr(client).startswith("<aiomas.rpc.RpcClient object at 0x")
            with pytest.raises(RuntimeError, match=r"^This RpcClient instance has no RPC service running\.$"):
                client.on_connection_reset(None)
            with pytest.raises(ValueError, match=r'^5 must be "None" or callable but is neither$'):
                seen[0].on_connection_reset(5)
            assert isinstance(seen[0].service, asyncio.Task) and not seen[0].service.done()
        await seen[0].service
        assert [type(each) for each in seen[1:]] == [ConnectionResetError]
        assert seen[1].args == ()

    run(main(), expect_faults=1)


def test_coroutine_function_as_client_connected_cb_is_never_run():
    async def main():
        ran = []

        async def connected(client):
            ran.append(client)

        server = await aiomas.rpc.start_server(("127.0.0.1", 0), Math(), connected)
        async with await aiomas.rpc.open_connection(address_of(server, ("", 0))) as client:
            assert await client.remote.add(1, 2) == 3
        server.close()
        await server.wait_closed()
        assert ran == []

    run(main())


@pytest.mark.parametrize("with_service", [False, True])
def test_connection_reset_by_own_close(with_service):
    async def main():
        told = []
        async with Served(Root(), rpc_service=Math() if with_service else None) as client:
            if with_service:
                client.on_connection_reset(lambda exc: told.append("replaced"))
                client.on_connection_reset(told.append)
            pending = client.remote.wait()
            await client.close()
            with pytest.raises(ConnectionResetError, match=r"^Connection closed$"):
                await pending
            with pytest.raises(ConnectionResetError, match=r"^Connection closed$"):
                client.remote.value(1)
            with pytest.raises(ConnectionResetError, match=r"^Connection closed$"):
                await client.channel.recv()
            await client.close()
            assert client.channel.transport is None
            assert str(client.remote).startswith("Proxy(('127.0.0.1', ")
            assert [str(each) for each in told] == (["Connection closed"] if with_service else [])

    run(main())


def test_server_closes_connection_in_a_handler():
    async def main():
        served = []

        class Closing:
            router = aiomas.rpc.Service()

            @aiomas.expose
            async def close(self):
                for client in served:
                    await client.close()

        async with Served(Closing(), callback=served.append) as client:
            with pytest.raises(ConnectionResetError) as caught:
                await client.remote.close()
            assert caught.value.args == ()
            with pytest.raises(ConnectionResetError, match=r"^Connection closed$"):
                client.remote.close()

    run(main())


def test_request_to_a_side_without_service_is_refused():
    async def main():
        async with (served := Served(Root())):
            await turn_until_connected(served)
            with pytest.raises(aiomas.RemoteException, match=r"No RPC service running for this side of the connection\."):
                await served.peers[0].remote.name()

    async def turn_until_connected(served):
        while not served.peers:
            await asyncio.sleep(0)

    run(main())


def test_one_service_in_several_servers_and_run_of_the_original(tmp_path):
    service = Math()
    loop = asyncio.new_event_loop()
    servers = [
        aiomas.run(aiomas.rpc.start_server(addr, service), loop=loop)
        for addr in (("127.0.0.1", 0), str(tmp_path / "s"), aiomas.get_queue("several"))
    ]

    async def call(addr):
        async with await aiomas.rpc.open_connection(addr) as client:
            return await client.remote.add(3, 4)

    reached = [servers[0].sockets[0].getsockname(), str(tmp_path / "s"), aiomas.get_queue("several")]
    assert [aiomas.run(call(addr), loop) for addr in reached] == [7, 7, 7]
    for server in servers:
        server.close()
        aiomas.run(server.wait_closed(), loop)
    loop.close()


def test_run_makes_a_loop_where_there_is_none():
    asyncio.set_event_loop(None)

    async def answer():
        return 42

    try:
        assert aiomas.run(answer()) == 42
        assert aiomas.run(answer()) == 42
    finally:
        asyncio.get_event_loop_policy().get_event_loop().close()
        asyncio.set_event_loop(None)


def test_wait_closed_does_not_wait_for_open_connections():
    async def main():
        async with (served := Served(Math())) as client:
            assert await client.remote.add(1, 2) == 3
            served.server.close()
            await served.server.wait_closed()
            assert await client.remote.add(2, 2) == 4  # goes on being served

    run(main())


def test_service_process_cancelled_stops_serving():
    async def main():
        async with (served := Served(Math())) as client:
            assert await client.remote.add(1, 2) == 3
            served.peers[0].service.cancel()
            await asyncio.wait({served.peers[0].service})
            late = client.remote.add(1, 2)
            await turns(lambda: served.peers[0].channel._in_queue)
            assert not late.done()
            late.cancel()

    run(main())


def test_keyboard_interrupt_in_a_handler_ends_the_program_after_the_answer():
    class Ending:
        router = aiomas.rpc.Service()

        @aiomas.expose
        def end(self):
            raise KeyboardInterrupt("enough")

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(aiomas.rpc.start_server(aiomas.get_queue("ending"), Ending()))
    client = loop.run_until_complete(aiomas.rpc.open_connection(aiomas.get_queue("ending")))
    call = client.remote.end()
    with pytest.raises(KeyboardInterrupt, match="enough"):
        loop.run_forever()
    with pytest.raises(aiomas.RemoteException, match="KeyboardInterrupt: enough"):
        loop.run_until_complete(call)
    server.close()
    loop.run_until_complete(client.close())
    loop.run_until_complete(server.wait_closed())
    loop.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda: aiomas.Container.create(("localhost", 1)),
        lambda: aiomas.Agent(None),
        lambda: aiomas.AsyncioClock(),
        lambda: aiomas.ExternalClock("2020-01-01"),
        lambda: aiomas.subproc.Manager(None),
        lambda: run(aiomas.subproc.start(("localhost", 1))),
    ],
)
def test_agent_layer_says_that_it_is_missing(use):
    with pytest.raises(NotImplementedError, match="belongs to the agent layer"):
        use()


def test_names_of_the_original():
    names = "expose serializable get_queue run make_ssl_server_context make_ssl_client_context AiomasError RemoteException Container"
    names += " Agent SSLCerts JSON MsgPack MsgPackBlosc AsyncioClock ExternalClock"
    assert aiomas.__all__[:16] == names.split()
    assert aiomas.__version__ == "2.0.1"
    for module in "agent channel clocks codecs exceptions local_queue rpc subproc util".split():
        for name in getattr(getattr(aiomas, module), "__all__", []):
            assert hasattr(getattr(aiomas, module), name), name
    for name in aiomas.__all__:
        assert hasattr(aiomas, name)
    assert issubclass(aiomas.RemoteException, aiomas.AiomasError)
    assert not issubclass(aiomas.exceptions.SerializationError, aiomas.AiomasError)
    assert copy.copy(aiomas.SSLCerts("a", "b", "c")).keyfile == "c"


def test_public_names_have_doc_strings():
    for module in [aiomas] + [getattr(aiomas, name) for name in "channel codecs exceptions local_queue rpc util".split()]:
        assert module.__doc__
        for name, value in vars(module).items():
            if name.startswith("_") or not str(getattr(value, "__module__", "")).startswith(("aimrt_rpc.aiomas", "aiomas")):
                continue
            if isinstance(value, type) or callable(value):
                assert value.__doc__, f"{module.__name__}.{name}"
            for key, member in vars(value).items() if isinstance(value, type) else ():
                if not key.startswith("_") and (callable(member) or isinstance(member, property)):
                    assert member.__doc__, f"{module.__name__}.{name}.{key}"
