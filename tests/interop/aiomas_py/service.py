"""The services that peer.py serves: one tree that has every kind of service, function and failure.

``make`` takes the package under test, so that the same tree is served by the real aiomas and by ours.
"""

import asyncio
import os


class Custom:
    """A value with a serializer of its own."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(other) is Custom and other.value == self.value

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return f"Custom({self.value!r})"


def custom_serializer():
    return (Custom, lambda custom: [custom.value], lambda parts: Custom(parts[0]))


class Problem(Exception):
    """An exception whose name carries its module on the wire."""


def make(aiomas):
    """Gives the root service, the record of connections, and the class of serializable points."""
    expose = aiomas.expose

    @aiomas.codecs.serializable
    class Point:
        def __init__(self, x, y):
            self.x = x
            self.y = y

    class Leaf:
        router = aiomas.rpc.Service()

        def __init__(self, name):
            self.name = name

        @expose
        def ping(self):
            return "pong of " + self.name

    class Branch:
        router = aiomas.rpc.Service(["leaf"])

        def __init__(self):
            self.leaf = Leaf("declared")
            self.added = Leaf("added")
            self.router.add("added")
            self.elsewhere = Leaf("set")
            self.router.set_sub_router(self.elsewhere.router, "elsewhere")

    class Base:
        @expose
        def inherited(self):
            return "inherited"

        @expose
        def overridden(self):
            return "never seen"

    @expose
    def add(a, b=10, *rest, **named):
        return [a + b, list(rest), named]

    def hidden():
        return "never seen"

    calls = aiomas.rpc.ServiceDict({"add": add, "hidden": hidden, "deeper": aiomas.rpc.ServiceDict({"leaf": Leaf("deeper")})})

    class Root(Base):
        router = aiomas.rpc.Service(["branch", "calls"])

        def __init__(self):
            self.branch = Branch()
            self.calls = calls
            self.events = {}
            self.started = []
            self.clients = []
            self.resets = []
            self.kept = None

        # --- values
        @expose
        def echo(self, *args, **kwargs):
            return [*args, kwargs]

        @expose
        def give_back(self, value):
            return value

        @expose
        def describe(self, value):
            """Says what the value was decoded to."""
            return repr(value)

        @expose
        def custom(self, value):
            return [repr(value), value, Custom("made here")]

        @expose
        def point(self, value):
            return [repr(value), Point(value.y, value.x)]

        # --- exposure
        def overridden(self):
            return "hidden by the override"

        def unexposed(self):
            return "never seen"

        @staticmethod
        @expose
        def static(value):
            return value

        @classmethod
        @expose
        def of_class(cls):
            return cls.__name__

        @expose
        async def coroutine(self, value):
            await asyncio.sleep(0)
            return value

        @expose
        def future(self):
            return asyncio.get_event_loop().create_future()

        # --- failures
        @expose
        def boom(self, text):
            raise ValueError(text)

        @expose
        def problem(self, text):
            raise Problem(text)

        @expose
        def chained(self):
            try:
                raise KeyError("inner")
            except KeyError as e:
                raise RuntimeError("outer") from e

        @expose
        def unserializable(self):
            return [1, {"a": object()}]

        @expose
        async def relay_failure(self, proxy, text):
            return await proxy.fail(text)

        @expose
        async def cancelled(self):
            raise asyncio.CancelledError

        # --- order and cancellation
        def event(self, name):
            return self.events.setdefault(name, asyncio.Event())

        @expose
        async def wait(self, name):
            self.started.append(name)
            await self.event(name).wait()
            return name

        @expose
        def release(self, name):
            self.event(name).set()

        @expose
        async def started_of(self, prefix, count):
            """Waits until so many calls of these names have started; gives their names in that order."""
            while len(found := [name for name in self.started if name.startswith(prefix)]) < count:
                await asyncio.sleep(0)
            return found

        @expose
        def replace(self, name):
            """Replaces a function of the dict service that may have been called before."""
            self.calls.dict[name] = expose(lambda: "new")

        @expose
        def install(self, name):
            self.calls.dict[name] = expose(lambda: "old")

        # --- services and proxies
        @expose
        async def call_back(self, proxy, value):
            return await proxy.name(value)

        @expose
        async def call_path(self, proxy):
            return [await proxy.leaf.ping(), await proxy.table.twice(4)]

        @expose
        async def call_leaf(self, proxy):
            return await proxy.ping()

        @expose
        async def compare(self, a, b, other):
            return [a == b, hash(a) == hash(b), a == other, len({a, b, other}), await a.name("a"), await b.name("b")]

        @expose
        async def deep(self, values):
            """Finds proxies at any depth."""
            return [await values["list"][0].name("list"), await values["map"]["key"].leaf.ping()]

        @expose
        async def bounce(self, proxy, depth):
            """Both sides call each other in turns."""
            return depth if depth == 0 else await proxy.bounce(depth - 1)

        @expose
        def keep(self, proxy):
            self.kept = proxy

        @expose
        async def call_kept(self):
            return await self.kept.name("kept")

        @expose
        def same_as_kept(self, proxy):
            return proxy == self.kept

        @expose
        def give(self, which):
            return {"root": self, "branch": self.branch, "leaf": self.branch.leaf, "calls": self.calls}[which]

        @expose
        def give_many(self):
            return {"services": [self.branch.leaf, {"again": self.branch.leaf}]}

        @expose
        def give_foreign(self):
            return Leaf("in no tree")

        # --- connections
        @expose
        def pid(self):
            return os.getpid()

        @expose
        async def close_all(self):
            """Closes the connections that there are now."""
            clients, self.clients = self.clients, []
            for client in clients:
                await client.close()

        @expose
        def reset_record(self):
            return list(self.resets)

        @expose
        def saw_the_end(self):
            """Whether a watched call and its connection both ended as lost."""
            ends = [record[:2] for record in self.resets]
            return ["watch", "ConnectionResetError"] in ends and ["reset", "ConnectionResetError"] in ends

        @expose
        def connections(self):
            return len(self.clients)

        @expose
        async def watch(self, proxy, name):
            """Calls back and notes how the call ended; the answer nobody hears any more."""
            try:
                self.started.append(name)
                await proxy.hang()
                self.resets.append([name, "answered"])
            except BaseException as e:
                self.resets.append([name, type(e).__name__, str(e)])
                raise

        async def leave(self, ours):
            """Ends what this side began, as a program does before its loop ends. The original's close may raise what ended the link."""
            for event in self.events.values():
                event.set()
            await asyncio.gather(*[client.close() for client in self.clients], return_exceptions=not ours)

        def connected(self, client):
            self.clients.append(client)

            def forget(exc):
                self.resets.append(["reset", type(exc).__name__])
                if client in self.clients:
                    self.clients.remove(client)

            client.on_connection_reset(forget)

    return Root(), Point


async def serve_channel(channel):
    """The channel layer's server: answers, or fails when it is told to."""
    try:
        while True:
            request = await channel.recv()
            if isinstance(request.content, dict) and "fail" in request.content:
                await request.fail(ValueError(request.content["fail"]))
            else:
                await request.reply(["reply", request.content])
    except ConnectionError:
        pass
    finally:
        await channel.close()
