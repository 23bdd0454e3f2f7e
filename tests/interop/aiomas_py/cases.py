"""What a client sees of a server: the cases that peer.py runs in the client's process, for every pair of packages, codec and transport.

A case is a coroutine function that takes a Context and raises when something is not as the original has it. Where our behaviour is better
by decision (docs/dialects/aiomas.md), the case says both: what the original does, and what ours does.
"""

import asyncio
import math

import service

CONCURRENT_CALLS = 10_000
LARGE = 3 << 20
HUGE_INT = 2**70
ALL = {}


DYING = {}


def case(function):
    ALL[function.__name__] = function
    return function


def dying(function):
    """A case whose process is killed while it runs; only test_lost.py names it."""
    DYING[function.__name__] = function
    return function


class Context:
    """What a case needs: the package, how to reach the server, and who is who."""

    def __init__(self, aiomas, codec, network, addresses):
        self.aiomas = aiomas
        self.codec = codec
        self.network = network
        self.address, self.rich_address, self.channel_address = addresses
        self.options = {}
        self.ours = False
        self.peer_ours = False
        self._open = []

    @property
    def json(self):
        return self.codec is self.aiomas.JSON

    async def connect(self, service=None, **options):
        options = {"codec": self.codec, **self.options, **options}
        address = self.rich_address if "extra_serializers" in options else self.address
        client = await self.aiomas.rpc.open_connection(address, rpc_service=service, **options)
        self._open.append(client)
        return client

    async def channel(self, **options):
        channel = await self.aiomas.channel.open_connection(self.channel_address, codec=self.codec, **{**self.options, **options})
        self._open.append(channel)
        return channel

    async def close(self):
        while self._open:
            await self._open.pop().close()

    def decoded(self, value):
        """What a value is after its way through the codec: JSON gives lists, MsgPack tuples."""
        kind = list if self.json else tuple
        if isinstance(value, (list, tuple)):
            return kind(self.decoded(item) for item in value)
        if isinstance(value, dict):
            return {self.decoded(key): self.decoded(item) for key, item in value.items()}
        return value

    def make_client_service(self):
        aiomas, expose = self.aiomas, self.aiomas.expose

        class Leaf:
            router = aiomas.rpc.Service()

            @expose
            def ping(self):
                return "pong of the client"

        class Client:
            router = aiomas.rpc.Service(["leaf", "table"])

            def __init__(self):
                self.leaf = Leaf()
                self.table = aiomas.rpc.ServiceDict({"twice": expose(lambda n: 2 * n)})
                self.server = None

            @expose
            def name(self, suffix):
                return "Monty " + str(suffix)

            @expose
            def fail(self, text):
                raise LookupError(text)

            @expose
            async def bounce(self, depth):
                return await self.server.bounce(self, depth)

            @expose
            async def hang(self):
                await asyncio.get_event_loop().create_future()

        return Client()


async def raises(kind, text, awaitable_or_call):
    """Expects an exception of exactly this class (or one of these); its text, when one is given. Gives the exception."""
    try:
        result = awaitable_or_call() if callable(awaitable_or_call) else awaitable_or_call
        if asyncio.isfuture(result) or asyncio.iscoroutine(result):
            result = await result
    except BaseException as e:
        assert type(e) in (kind if isinstance(kind, tuple) else (kind,)), f"{type(e).__name__}({e}), expected {kind}({text})"
        assert text is None or str(e) == text, f"{e}\nexpected\n{text}"
        return e
    raise AssertionError(f"{result!r} came, expected {kind}({text})")


async def connection_lost(awaitable_or_call):
    """Expects the end of the connection. Which of the two texts comes depends in the original on who notices first."""
    error = await raises(ConnectionResetError, None, awaitable_or_call)
    assert error.args in ((), ("Connection closed",)), error.args


async def remote_failure(context, call, *lines):
    """Expects a RemoteException whose text ends with these lines; gives it."""
    error = await raises(context.aiomas.RemoteException, None, call)
    last = error.remote_traceback.splitlines()[-len(lines) :]
    assert last == list(lines), f"{error.remote_traceback}\nexpected at its end\n{lines}"
    return error


def same(value, expected):
    """Compares values and the types of all their parts; NaN equals NaN."""
    assert type(value) is type(expected), f"{value!r} is a {type(value).__name__}, expected a {type(expected).__name__}"
    if isinstance(expected, (list, tuple)):
        assert len(value) == len(expected), f"{value!r}, expected {expected!r}"
        for a, b in zip(value, expected):
            same(a, b)
    elif isinstance(expected, dict):
        assert list(map(repr, value)) == list(map(repr, expected)), f"keys of {value!r}, expected {expected!r}"
        for a, b in zip(value.values(), expected.values()):
            same(a, b)
    else:
        nan = isinstance(expected, float) and math.isnan(expected) and math.isnan(value)
        assert nan or repr(value) == repr(expected), f"{value!r:.200}, expected {expected!r:.200}"


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


# --- values -----------------------------------------------------------------------------------------------------------------

PLAIN = [
    *[None, True, False, 0, 1, -1, 31, 32, 127, 128, 255, 256, 65535, 65536, -32, -33, -128, -129, -32769, 2**31, 2**32, 2**53 + 1],
    *[2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0.0, -0.0, 1.0, 0.1, -1.5, 1e16, 1e-7, 5e-324, 1.7976931348623157e308],
    *[float("inf"), float("-inf"), float("nan"), "", "a", "é€😀", '"\\/\b\f\n\r\t\0\x1f\x7f', "\u2028\ufeff", "x" * 31, "x" * 32],
    *[
        "x" * 255,
        "x" * 256,
        "é" * 40000,
        [],
        [[]],
        {},
        {"a": {}},
        {"": 0},
        {"a": [1, {"b": None}]},
        {"é": "€"},
        list(range(15)),
        list(range(16)),
    ],
    *[list(range(70000)), {str(i): i for i in range(15)}, {str(i): i for i in range(16)}, {str(i): i for i in range(70000)}],
    *[(), (1, (2, [3])), [[1, "a"], {"k": (1, 2)}]],
]


@case
async def values_of_every_kind(c):
    remote = (await c.connect()).remote
    for value in PLAIN:
        same(await remote.give_back(value), c.decoded(value))


@case
async def values_as_the_server_sees_them(c):
    remote = (await c.connect()).remote
    for value in PLAIN:
        assert await remote.describe(value) == repr(c.decoded(value))


@case
async def values_of_this_codec_only(c):
    remote = (await c.connect()).remote
    if c.json:
        same(await remote.give_back(HUGE_INT), HUGE_INT)
        same(await remote.give_back(-HUGE_INT), -HUGE_INT)
        same(await remote.give_back({1: "a", 1.5: "b", False: "c", None: "d"}), {"1": "a", "1.5": "b", "false": "c", "null": "d"})
        same(await remote.give_back({1: "a", "1": "b"}), {"1": "b"})
        same(await remote.give_back("\ud800"), "\ud800")
        await raises(TypeError, "keys must be str, int, float, bool or None, not tuple", lambda: remote.give_back({(1, 2): 3}))
    else:
        for value in (b"", b"\0\xff", b"x" * 255, b"x" * 256, b"x" * 70000, {1: "a", None: "b", (1, 2): "c", b"k": "d"}):
            same(await remote.give_back(value), value)
        text = 'Could not serialize object "%d": No serializer found for type "<class \'int\'>"'
        for value in (2**64, -(2**63) - 1):
            await raises(c.aiomas.exceptions.SerializationError, text % value, lambda value=value: remote.give_back(value))
    assert await remote.give_back("still there") == "still there"


@case
async def values_large(c):
    remote = (await c.connect()).remote
    text = "0123456789abcdef" * (LARGE // 16)
    results = await asyncio.gather(remote.give_back(text), remote.give_back("small"), remote.give_back([text]))
    assert results[0] == text and results[1] == "small" and results[2][0] == text


@case
async def values_deep(c):
    remote = (await c.connect()).remote
    same(await remote.give_back(nested(100)), c.decoded(nested(100)))


@case
async def arguments(c):
    remote = (await c.connect()).remote
    same(await remote.echo(), c.decoded([{}]))
    same(
        await remote.echo(1, "a", k=[1], path="x", args=(), kwargs={}),
        c.decoded([1, "a", {"k": [1], "path": "x", "args": [], "kwargs": {}}]),
    )
    same(await remote.calls.add(1), c.decoded([11, [], {}]))
    same(await remote.calls.add(1, 2, 3, z=4), c.decoded([3, [3], {"z": 4}]))
    same(await remote.calls.add(b=1, a=2), c.decoded([3, [], {}]))


@case
async def wrong_arguments(c):
    remote = (await c.connect()).remote
    # How a function is named in such a text depends on the server's Python, so only the end is compared.
    for call, text in [
        (remote.branch.leaf.ping(1), "ping() takes 1 positional argument but 2 were given"),
        (remote.calls.add(), "add() missing 1 required positional argument: 'a'"),
    ]:
        failure = await raises(c.aiomas.RemoteException, None, call)
        assert failure.remote_traceback.startswith("Traceback (most recent call last):\n")
        last = failure.remote_traceback.splitlines()[-1]
        assert last.startswith("TypeError: ") and last.endswith(text), last
    await remote_failure(c, remote.calls(), "TypeError: 'ServiceDict' object is not callable")
    await remote_failure(c, remote.branch(), "TypeError: 'Branch' object is not callable")


# --- hierarchies and exposure -----------------------------------------------------------------------------------------------


@case
async def nested_services(c):
    remote = (await c.connect()).remote
    assert await remote.branch.leaf.ping() == "pong of declared"
    assert await remote.branch.added.ping() == "pong of added"
    assert await remote.branch.elsewhere.ping() == "pong of set"
    assert await remote.calls.deeper.leaf.ping() == "pong of deeper"
    assert await getattr(remote, "branch/leaf").ping() == "pong of declared"


@case
async def exposure(c):
    remote = (await c.connect()).remote
    assert await remote.inherited() == "inherited"
    assert await remote.static(3) == 3
    assert await remote.of_class() == "Root"
    assert await remote.coroutine([1]) == c.decoded([1])
    await remote_failure(c, remote.overridden(), 'LookupError: "service.make.<locals>.Root.overridden" is not exposed')
    await remote_failure(c, remote.unexposed(), 'LookupError: "service.make.<locals>.Root.unexposed" is not exposed')
    await remote_failure(c, remote.calls.hidden(), 'LookupError: "aiomas.rpc.ServiceDict.hidden" is not exposed')
    await remote_failure(c, remote.router.add(), 'LookupError: "service.make.<locals>.Root.router" is not exposed')


@case
async def names_not_found(c):
    remote = (await c.connect()).remote
    for path, name, walked in [
        ("nothing", "nothing", ""),
        ("branch/nothing", "nothing", "branch"),
        ("branch/leaf/nothing/more", "nothing", "branch/leaf"),
        ("calls/nothing", "nothing", "calls"),
        ("calls/deeper/leaf/x", "x", "calls/deeper/leaf"),
        ("/echo", "", ""),
        ("echo/", "", "echo"),
        ("é", "é", ""),
    ]:
        await remote_failure(c, getattr(remote, path)(), f'LookupError: Name "{name}" not found in "{walked}"')
    await raises(AttributeError, "No RPC function name specified.", lambda: remote())


@case
async def resolved_functions_stay(c):
    remote = (await c.connect()).remote
    await remote.install("first")
    assert await remote.calls.first() == "old"
    await remote.replace("first")
    assert await remote.calls.first() == "old", "a function that was called once is kept"
    await remote.install("second")
    await remote.replace("second")
    assert await remote.calls.second() == "new", "a function that was not called yet is looked up"
    await remote_failure(c, remote.calls.third(), 'LookupError: Name "third" not found in "calls"')
    await remote.install("third")
    assert await remote.calls.third() == "old", "a failed look-up is not kept"


# --- proxies and callbacks --------------------------------------------------------------------------------------------------


@case
async def proxies(c):
    client = await c.connect()
    remote = client.remote
    assert type(remote) is c.aiomas.rpc.Proxy
    assert remote is not client.remote and remote == client.remote and hash(remote) == hash(client.remote)
    branch = remote.branch
    leaf = branch.leaf
    assert remote.branch is branch and branch.leaf is leaf, "a proxy that is held is given again"
    assert leaf == client.remote.branch.leaf and leaf != branch
    assert len({leaf, remote.branch.leaf, remote.branch}) == 2
    other = await c.connect()
    assert other.remote != remote
    assert str(leaf) == f"Proxy({c.address[:2]!r}, 'branch/leaf')", str(leaf)
    assert repr(remote).startswith("<aiomas.rpc.Proxy(") and " at 0x" in repr(remote), repr(remote)
    assert repr(client).startswith("<aiomas.rpc.RpcClient object at 0x"), repr(client)
    await raises(TypeError, None, lambda: asyncio.ensure_future(remote))
    if c.ours:
        assert (remote == None) is False and remote != 5 and not remote == "x"  # noqa: E711
    else:
        await raises(AttributeError, "'NoneType' object has no attribute '_channel'", lambda: remote == None)  # noqa: E711


@case
async def callbacks(c):
    own = c.make_client_service()
    client = await c.connect(own)
    remote = client.remote
    assert await remote.call_back(own, "x") == "Monty x"
    same(await remote.call_path(own), c.decoded(["pong of the client", 8]))
    assert await remote.call_leaf(own.leaf) == "pong of the client"
    same(await remote.deep({"list": [own], "map": {"key": own}}), c.decoded(["Monty list", "pong of the client"]))
    own.server = remote
    assert await remote.bounce(own, 8) == 0
    results = await asyncio.gather(*[remote.call_back(own, i) for i in range(500)])
    assert results == [f"Monty {i}" for i in range(500)]


@case
async def a_proxy_passed_twice_is_equal(c):
    own = c.make_client_service()
    remote = (await c.connect(own)).remote
    same(await remote.compare(own, own, own.leaf), c.decoded([True, True, False, 2, "Monty a", "Monty b"]))
    await remote.keep(own)
    assert await remote.call_kept() == "Monty kept", "a received proxy lives as long as its connection"
    assert await remote.same_as_kept(own) is True
    assert await remote.same_as_kept(own.leaf) is False
    second = c.make_client_service()
    other = (await c.connect(second)).remote
    assert await other.same_as_kept(second) is False, "equal paths on two connections are two proxies"


@case
async def failures_of_callbacks(c):
    own = c.make_client_service()
    remote = (await c.connect(own)).remote
    failure = await raises(c.aiomas.RemoteException, None, remote.relay_failure(own, "spam"))
    text = failure.remote_traceback
    assert text.count("Traceback (most recent call last):\n") == 2, text
    assert "\nLookupError: spam\n" in text and "aiomas.exceptions.RemoteException: Origin: " in text, text
    await remote_failure(c, remote.call_leaf(own), 'LookupError: Name "ping" not found in ""', "")


@case
async def services_as_results(c):
    client = await c.connect()
    remote = client.remote
    leaf = await remote.give("leaf")
    assert type(leaf) is c.aiomas.rpc.Proxy and leaf == remote.branch.leaf and await leaf.ping() == "pong of declared"
    assert await remote.give("root") == client.remote
    same(await (await remote.give("calls")).add(1, 1), c.decoded([2, [], {}]))
    many = await remote.give_many()
    assert many["services"][0] == many["services"][1]["again"] == leaf
    text = '" is not exposed for this connection'
    failure = await raises(c.aiomas.RemoteException, None, remote.give_foreign())
    last = failure.remote_traceback.splitlines()[-1]
    assert last.startswith('aiomas.exceptions.SerializationError: Could not serialize object "<service.make.<locals>.Leaf object at 0x'), (
        last
    )
    assert ': RPC service "<service.make.<locals>.Leaf object at 0x' in last and last.endswith(text), last


@case
async def what_cannot_be_sent(c):
    error = c.aiomas.exceptions.SerializationError
    own = c.make_client_service()
    remote = (await c.connect(own)).remote
    alone = (await c.connect()).remote

    class Thing:
        def __repr__(self):
            return "<thing>"

    kind = "<class 'cases.what_cannot_be_sent.<locals>.Thing'>"
    await raises(error, f'Could not serialize object "<thing>": No serializer found for type "{kind}"', lambda: remote.echo(Thing()))
    await raises(
        error, f'Could not serialize object "<thing>": No serializer found for type "{kind}"', lambda: remote.echo([{"a": (Thing(),)}])
    )
    await raises(error, 'Could not serialize object "{1}": No serializer found for type "<class \'set\'>"', lambda: remote.echo({1}))
    await raises(error, None, lambda: remote.echo(remote.branch))
    await raises(error, None, lambda: remote.echo(remote.branch))
    await raises(error, None, lambda: remote.echo(Thing))
    no_service = "No RPC service running for this side of the connection.  Cannot send serice proxy."
    await raises(error, f'Could not serialize object "{own!r}": {no_service}', lambda: alone.echo(own))
    stranger = c.make_client_service()
    foreign = f'Could not serialize object "{stranger!r}": RPC service "{stranger!r}" is not exposed for this connection'
    await raises(error, foreign, lambda: remote.echo(stranger))
    if c.json:
        await raises(error, None, lambda: remote.echo(b"bytes"))
    assert await remote.give_back("still there") == "still there"


@case
async def results_that_cannot_be_sent(c):
    remote = (await c.connect()).remote
    failure = await raises(c.aiomas.RemoteException, None, remote.unserializable())
    last = failure.remote_traceback.splitlines()[-1]
    assert last.startswith('aiomas.exceptions.SerializationError: Could not serialize object "<object object at 0x'), last
    assert last.endswith("No serializer found for type \"<class 'object'>\""), last
    failure = await raises(c.aiomas.RemoteException, None, remote.future())
    assert failure.remote_traceback.splitlines()[-1].endswith("No serializer found for type \"<class '_asyncio.Future'>\"")
    assert await remote.give_back(1) == 1


@case
async def custom_objects(c):
    point = service.make(c.aiomas)[1]
    serializers = [service.custom_serializer, point.__serializer__]
    own = c.make_client_service()
    remote = (await c.connect(own, extra_serializers=serializers)).remote
    shown, back, made = await remote.custom(service.Custom("x"))
    assert shown == "Custom('x')" and back == service.Custom("x") and made == service.Custom("made here")
    assert await remote.give_back({"a": [service.Custom(1)]}) == {"a": c.decoded([service.Custom(1)])}
    shown, turned = await remote.point(point(1, 2))
    assert shown == "Point(x=1, y=2)" and repr(turned) == "Point(x=2, y=1)" and turned.__asdict__() == {"x": 2, "y": 1}
    assert await remote.call_back(own, "with serializers") == "Monty with serializers"
    assert await remote.call_leaf(own.leaf) == "pong of the client"


# --- failures ---------------------------------------------------------------------------------------------------------------


@case
async def exceptions(c):
    aiomas = c.aiomas
    client = await c.connect()
    remote = client.remote
    failure = await remote_failure(c, remote.boom('"spam" is not a number'), 'ValueError: "spam" is not a number')
    assert isinstance(failure, aiomas.AiomasError) and isinstance(failure, Exception)
    origin = client.channel.get_extra_info("peername")
    assert origin == c.address and failure.origin == origin, failure.origin
    assert failure.args == (origin, failure.remote_traceback)
    assert str(failure) == f"Origin: {origin}\n{failure.remote_traceback}"
    text = failure.remote_traceback
    assert text.startswith("Traceback (most recent call last):\n  File ") and text.endswith("\n") and "in boom" in text, text
    await remote_failure(c, remote.problem("own class"), "service.Problem: own class")
    chained = await remote_failure(c, remote.chained(), "RuntimeError: outer")
    assert "KeyError: 'inner'" in chained.remote_traceback
    assert "\nThe above exception was the direct cause of the following exception:\n" in chained.remote_traceback
    await remote_failure(c, remote.boom("two\nlines"), "ValueError: two", "lines")
    await remote_failure(c, remote.boom("é€😀"), "ValueError: é€😀")
    results = await asyncio.gather(*[remote.boom(str(i)) for i in range(100)], return_exceptions=True)
    assert [str(e).splitlines()[-1] for e in results] == [f"ValueError: {i}" for i in range(100)]


@case
async def a_handler_that_is_cancelled(c):
    remote = (await c.connect()).remote
    if c.peer_ours:
        failure = await raises(c.aiomas.RemoteException, None, remote.cancelled())
        assert "CancelledError" in failure.remote_traceback.splitlines()[-1], failure.remote_traceback
    else:
        never = remote.cancelled()
        assert await remote.give_back(1) == 1 and not never.done(), "the original never answers"
        if c.ours:
            never.cancel()


# --- order, many calls, cancellation ----------------------------------------------------------------------------------------


@case
async def calls_start_in_order_and_end_in_any(c):
    remote = (await c.connect()).remote
    names = [f"order-{id(c)}-{i}" for i in range(10)]
    calls = [remote.wait(name) for name in names]
    assert list(await remote.started_of(f"order-{id(c)}-", len(names))) == names
    done = []
    for name, call in zip(names, calls):
        call.add_done_callback(lambda _, name=name: done.append(name))
    for name in reversed(names):
        await remote.release(name)
        await calls[names.index(name)]
    await asyncio.sleep(0)
    assert done == names[::-1]


@case
async def ten_thousand_calls_at_once(c):
    remote = (await c.connect()).remote
    calls = [remote.give_back(i) for i in range(CONCURRENT_CALLS)]
    assert all(asyncio.isfuture(call) for call in calls)
    assert await asyncio.gather(*calls) == list(range(CONCURRENT_CALLS))


@case
async def ten_thousand_calls_open_at_once(c):
    remote = (await c.connect()).remote
    name = f"many-{id(c)}"
    calls = [remote.wait(name) for _ in range(CONCURRENT_CALLS)]
    assert len(await remote.started_of(name, CONCURRENT_CALLS)) == CONCURRENT_CALLS
    await remote.release(name)
    assert await asyncio.gather(*calls) == [name] * CONCURRENT_CALLS


@case
async def fire_and_forget(c):
    remote = (await c.connect()).remote
    name = f"forget-{id(c)}"
    waiting = remote.wait(name)
    remote.release(name)
    assert await waiting == name


@case
async def a_cancelled_call_and_its_late_reply(c):
    remote = (await c.connect()).remote
    one, two = f"late-{id(c)}", f"other-{id(c)}"
    cancelled, other = remote.wait(one), remote.wait(two)
    await raises(asyncio.TimeoutError, None, asyncio.wait_for(cancelled, 0.01))
    assert cancelled.cancelled()
    if c.ours:
        await remote.release(one)
        assert await remote.give_back("after the late reply") == "after the late reply"
        await remote.release(two)
        assert await other == two
    else:
        last = remote.release(one)
        await raises(RuntimeError, "Request was cancelled.", other)
        results = await asyncio.gather(last, return_exceptions=True)
        assert results[0] is None or type(results[0]) is RuntimeError
        await raises((ConnectionResetError, RuntimeError), None, lambda: remote.give_back(1))


# --- connections ------------------------------------------------------------------------------------------------------------


@case
async def own_close(c):
    client = await c.connect(c.make_client_service())
    seen = []
    client.on_connection_reset(seen.append)
    pending = client.remote.wait("never")
    await client.close()
    await connection_lost(pending)
    await connection_lost(lambda: client.remote.give_back(1))
    for _ in range(100):
        if seen:
            break
        await asyncio.sleep(0)
    assert len(seen) == 1 and type(seen[0]) is ConnectionResetError, seen
    await client.close()


@case
async def closed_by_the_server(c):
    client = await c.connect(c.make_client_service())
    gone = asyncio.get_event_loop().create_future()
    client.on_connection_reset(gone.set_result)
    waiting = client.remote.wait("never")
    error = await raises(ConnectionResetError, None, client.remote.close_all())
    assert error.args == ()
    await raises(ConnectionResetError, "", waiting)
    assert type(await gone) is ConnectionResetError
    await connection_lost(lambda: client.remote.give_back(1))


@case
async def the_server_hears_of_the_end(c):
    first = await c.connect()
    second = await c.connect()
    before = len(await second.remote.reset_record())
    count = await second.remote.connections()
    await first.close()
    for _ in range(10000):
        record = await second.remote.reset_record()
        if len(record) > before and await second.remote.connections() < count:
            break
    assert list(record[-1]) == ["reset", "ConnectionResetError"], record
    assert await second.remote.connections() < count


@case
async def on_connection_reset_rules(c):
    plain = await c.connect()
    await raises(RuntimeError, "This RpcClient instance has no RPC service running.", lambda: plain.on_connection_reset(print))
    assert plain.service is None
    serving = await c.connect(c.make_client_service())
    assert isinstance(serving.service, asyncio.Task)
    await raises(ValueError, '5 must be "None" or callable but is neither', lambda: serving.on_connection_reset(5))
    replaced, kept = [], []
    serving.on_connection_reset(replaced.append)
    serving.on_connection_reset(kept.append)
    await serving.close()
    for _ in range(100):
        if kept:
            break
        await asyncio.sleep(0)
    assert not replaced and len(kept) == 1
    third = await c.connect(c.make_client_service())
    third.on_connection_reset(replaced.append)
    third.on_connection_reset(None)
    await third.close()
    await asyncio.sleep(0)
    assert not replaced


@case
async def many_connections(c):
    clients = await asyncio.gather(*[c.connect() for _ in range(50)])
    results = await asyncio.gather(*[client.remote.give_back(i) for i, client in enumerate(clients)])
    assert results == list(range(50))


@case
async def channel_layer(c):
    aiomas = c.aiomas
    channel = await c.channel()
    assert type(channel) is aiomas.channel.Channel and type(channel.codec) is c.codec
    call = channel.send("ohai")
    assert asyncio.isfuture(call)
    same(await call, c.decoded(["reply", "ohai"]))
    same(await channel.send([1, {"a": None}]), c.decoded(["reply", [1, {"a": None}]]))
    failure = await raises(aiomas.RemoteException, None, channel.send({"fail": "42"}))
    assert failure.remote_traceback == "ValueError: 42\n"
    assert str(failure) == f"Origin: {channel.get_extra_info('peername')}\nValueError: 42\n"
    await raises(aiomas.exceptions.SerializationError, None, lambda: channel.send(object()))
    same(await channel.send("again"), c.decoded(["reply", "again"]))
    assert channel.transport is not None and channel.get_extra_info("nothing", 7) == 7
    waiting = asyncio.ensure_future(channel.recv())
    await asyncio.sleep(0)
    text = "recv() called while another coroutine is already waiting for incoming data."
    await raises(RuntimeError, text, channel.recv())
    await channel.close()
    assert channel.transport is None
    await connection_lost(waiting)
    await connection_lost(lambda: channel.send(1))


@case
async def own_codec(c):
    """A codec class of the user's own: here one that wraps the codec of this run, so that the peer needs none."""

    class Counting(c.codec):
        encoded = 0

        def encode(self, data):
            Counting.encoded += 1
            return super().encode(data)

        def decode(self, data):
            Counting.encoded += 1000
            return super().decode(data)

    own = c.make_client_service()
    client = await c.connect(own, codec=Counting)
    assert await client.remote.give_back("x") == "x"
    assert Counting.encoded == 1001, Counting.encoded
    assert await client.remote.call_back(own, "y") == "Monty y"
    await remote_failure(c, client.remote.boom("z"), "ValueError: z")
    assert str(client.channel.codec) == "Counting[object]"


@case
async def wrong_codec(c):
    """Both ends have to agree; a client that speaks another codec is cut off."""
    other = c.aiomas.MsgPack if c.json else c.aiomas.JSON
    client = await c.connect(codec=other)
    await raises(ConnectionResetError, None, client.remote.give_back(1))


@dying
async def dies_in_mid_call(c):
    """The server calls this client, and waits for an answer that never comes."""
    own = c.make_client_service()
    client = await c.connect(own)
    call = client.remote.watch(own, "watch")
    print('{"about": "to die"}', flush=True)
    await call
