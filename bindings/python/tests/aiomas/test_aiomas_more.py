"""aimrt_rpc.aiomas beyond the original: deadlines, types, tokens, TLS, clients that connect again or block."""

import asyncio
import dataclasses
import socket
import subprocess
import threading
import time
from typing import Awaitable, Dict, List, Optional

import pytest
from aiomas_helpers import Raw, RawServer, Served, address, address_of, run, turns

from aimrt_rpc import aiomas


class Service:
    router = aiomas.rpc.Service(["sub"])

    def __init__(self):
        self.sub = aiomas.rpc.ServiceDict({"echo": aiomas.expose(lambda value: value)})
        self.calls = 0
        self.closed = []

    @aiomas.expose
    def echo(self, value):
        self.calls += 1
        return value

    @aiomas.expose
    async def never(self):
        self.calls += 1
        await asyncio.get_running_loop().create_future()

    @aiomas.expose
    def fail(self):
        raise ValueError("boom")

    @aiomas.expose
    def services(self):
        return [self.sub]

    @aiomas.expose
    def point(self, p):
        return {"x": p["y"], "y": p["x"]}

    @aiomas.expose
    def points(self, count):
        return {"all": [{"x": i, "y": -i} for i in range(count)]}


# --- deadlines


def test_deadline():
    async def main():
        service = Service()
        async with Served(service) as client:
            timed = aiomas.with_options(client.remote, timeout_s=0.02)
            with pytest.raises(asyncio.TimeoutError, match=r"^no reply within 0\.02 s$"):
                await timed.never()
            patient = aiomas.with_options(client.remote, timeout_s=20)
            assert await patient.echo(1) == 1
            assert await patient.sub.echo(2) == 2
            assert patient == client.remote and patient.sub == client.remote.sub
            kept = patient.sub
            assert patient.sub is kept and isinstance(kept.echo, type(patient))
            cancelled = patient.never()
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            assert await client.remote.echo(3) == 3
            assert client.channel._pending == {}
            with pytest.raises(AttributeError, match=r"No RPC function name specified\."):
                patient()
        with pytest.raises(ValueError, match="timeout_s is 0, expected"):
            aiomas.with_options(client.remote, timeout_s=0)

    run(main())


def test_deadline_takes_no_remote_name():
    names = ["timeout_s", "_timeout_s", "with_options", "call", "_send", "send", "typed"]

    async def main():
        service = aiomas.rpc.ServiceDict({name: aiomas.expose(lambda name=name, **kwargs: [name, kwargs]) for name in names})
        async with Served(service) as client:
            for name in names:
                assert await getattr(client.remote, name)(timeout_s=1, proxy=2) == [name, {"timeout_s": 1, "proxy": 2}]

    run(main())


# --- tokens and TLS


@pytest.mark.parametrize("kind", ["tcp", "local"])
def test_token(kind, tmp_path):
    async def main():
        service, connected = Service(), []
        addr = address(kind, tmp_path)
        server = await aiomas.rpc.start_server(addr, service, connected.append, auth_token="s3cret-é")
        reached = address_of(server, addr)
        async with await aiomas.rpc.open_connection(reached, auth_token="s3cret-é") as client:
            assert await client.remote.echo(1) == 1
            assert len(connected) == 1
        for wrong in ("", "s3cret", "s3cret-éx"):
            with pytest.raises(aiomas.AuthenticationError, match="did not accept the token"):
                await aiomas.rpc.open_connection(reached, auth_token=wrong)
        async with await aiomas.rpc.open_connection(reached) as client:
            with pytest.raises((aiomas.RemoteException, ConnectionResetError)):
                await client.remote.echo(1)
            await turns(lambda: client.channel.transport is None)
        assert service.calls == 1 and len(connected) == 1
        server.close()
        for peer in connected:
            await peer.close()

    run(main())


@pytest.mark.parametrize("first", [["__auth__", [], {}], ["__auth__", [5], {}], ["__auth__", ["t"], {"a": 1}], 5, ["echo", ["t"], {}]])
def test_first_request_has_to_be_the_token(first):
    async def main():
        service = Service()
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), service, auth_token="t")
        raw = await Raw.connect(address_of(server, ("", 0)))
        raw.send([0, 0, first], [0, 1, ["echo", [1], {}]])
        assert (await raw.receive())[0] == 2
        assert await raw.at_end()
        assert service.calls == 0
        await raw.close()
        server.close()

    run(main())


def test_token_on_the_wire_and_what_comes_with_it():
    async def main():
        service = Service()
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), service, auth_token="t")
        raw = await Raw.connect(address_of(server, ("", 0)))
        raw.send([0, 0, ["__auth__", ["t"], {}]], [0, 1, ["echo", [1], {}]])
        assert [await raw.receive(), await raw.receive()] == [[1, 0, None], [1, 1, 1]]
        await raw.close()
        server.close()

        async def script(raw):
            assert await raw.receive() == [0, 0, ["__auth__", ["t"], {}]]
            await raw.close()

        async with RawServer(script) as addr:
            with pytest.raises(aiomas.AuthenticationError):
                await aiomas.rpc.open_connection(addr, auth_token="t")

    run(main())


def test_client_that_shows_no_token_is_closed(monkeypatch):
    async def main():
        monkeypatch.setattr(aiomas.rpc, "_AUTH_WAIT_S", 0.02)
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), Service(), auth_token="t")
        raw = await Raw.connect(address_of(server, ("", 0)))
        assert await raw.at_end()
        await raw.close()
        server.close()

    run(main())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and certificates it has signed for localhost and for two clients; made by the openssl program."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("localhost", "friend", "stranger"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        openssl(*signed, "-out", f"{name}.pem", "-extfile", "names")

    def files(name):
        return str(folder / "ca.pem"), str(folder / f"{name}.pem"), str(folder / f"{name}.key")

    return files


def test_tls_with_the_helpers(certificates):
    server_ssl = aiomas.make_ssl_server_context(*certificates("localhost"))
    friend, stranger = (aiomas.make_ssl_client_context(*certificates(name)) for name in ("friend", "stranger"))

    def named(certificate):
        return (("commonName", "friend"),) in certificate["subject"]

    def blocking(port):
        with aiomas.BlockingClient(("localhost", port), ssl=friend) as client:
            return client.remote.echo("over TLS")

    async def main():
        server = await aiomas.rpc.start_server(("localhost", 0), Service(), ssl=server_ssl, authenticate=named)
        port = server.sockets[0].getsockname()[1]
        async with await aiomas.rpc.open_connection(("localhost", port), ssl=friend) as client:
            assert await client.remote.echo("x" * 300_000) == "x" * 300_000
            assert client.channel.get_extra_info("ssl_object").version() == "TLSv1.2"
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, blocking, port) == "over TLS"
        with pytest.raises((ConnectionResetError, OSError)):
            refused = await aiomas.rpc.open_connection(("localhost", port), ssl=stranger)
            await refused.remote.echo(1)
        with pytest.raises(OSError):  # another host name
            await aiomas.rpc.open_connection(("localhost", port), ssl=friend, server_hostname="elsewhere")
        server.close()
        await server.wait_closed()

    run(main(), expect_faults=None)


# --- connecting again


def test_reconnecting_client():
    async def main():
        service, peers, connected = Service(), [], []
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), service, peers.append)
        addr = address_of(server, ("", 0))
        async with await aiomas.open_reconnecting(addr, connected_cb=connected.append) as client:
            remote = client.remote
            assert str(remote) == f"Proxy({addr!r}, '')"
            assert await remote.echo(1) == 1
            open_call = remote.never()
            await turns(lambda: service.calls == 2)
            server.close()
            await peers[0].close()
            with pytest.raises(ConnectionResetError):  # was sent, so it is not repeated
                await open_call
            assert client.client is None
            waiting = [remote.echo(i) for i in range(5)]
            cancelled = remote.echo("cancelled")
            cancelled.cancel()
            timed = aiomas.with_options(remote, timeout_s=0.01).echo(0)
            with pytest.raises(ConnectionResetError, match=r"no connection within 0\.01 s"):
                await timed
            server = await aiomas.rpc.start_server(addr, service, peers.append)
            assert await asyncio.gather(*waiting) == list(range(5))
            assert await aiomas.with_options(remote, timeout_s=20).echo(7) == 7
            assert (len(connected), service.calls) == (2, 8)
            assert client.client is connected[1]
        with pytest.raises(ConnectionResetError, match="Connection closed"):
            remote.echo(1)
        server.close()
        await server.wait_closed()
        for peer in peers:
            await peer.close()

    run(main())


def test_reconnecting_client_bounds_what_waits():
    async def main():
        peers = []
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), Service(), peers.append)
        with pytest.raises(OSError):
            await aiomas.open_reconnecting(str(server))
        client = await aiomas.open_reconnecting(address_of(server, ("", 0)), max_waiting=2, max_wait_s=20)
        assert await client.remote.echo(1) == 1
        server.close()
        await peers[0].close()
        await turns(lambda: client.client is None)
        waiting = [client.remote.echo(i) for i in range(2)]
        with pytest.raises(aiomas.LimitError, match="2 calls wait for a connection, limit max_waiting"):
            client.remote.echo(3)
        await client.close()
        for each in waiting:
            with pytest.raises(ConnectionResetError, match="Connection closed"):
                await each

    run(main())


# --- without a loop


class Background:
    """A server in a thread of its own."""

    def __init__(self, addr=("127.0.0.1", 0), service=None, **options):
        self.addr, self.service, self.options = addr, service or Service(), options

    def __enter__(self):
        ready = threading.Event()

        async def main():
            self.loop, self.end, peers = asyncio.get_running_loop(), asyncio.Event(), []
            server = await aiomas.rpc.start_server(self.addr, self.service, peers.append, **self.options)
            self.reached = address_of(server, self.addr)
            ready.set()
            await self.end.wait()
            server.close()
            for peer in peers:
                await peer.close()

        self.thread = threading.Thread(target=asyncio.run, args=(main(),))
        self.thread.start()
        assert ready.wait(20)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.end.set)
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("codec", [aiomas.JSON, aiomas.MsgPack, aiomas.MsgPackBlosc])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_blocking_client(kind, codec, tmp_path):
    with Background(address(kind, tmp_path), codec=codec) as server:
        with aiomas.BlockingClient(server.reached, codec=codec) as client:
            assert client.remote.echo("é" * 100_000) == "é" * 100_000
            assert client.remote.sub.echo(2) == 2
            assert client.remote.services()[0].echo(3) == 3
            with pytest.raises(aiomas.RemoteException, match="ValueError: boom"):
                client.remote.fail()
            with pytest.raises(aiomas.exceptions.SerializationError, match="Cannot send serice proxy"):
                client.remote.echo(Service())
            with pytest.raises(aiomas.exceptions.SerializationError, match="No serializer found"):
                client.remote.echo({1})
            with pytest.raises(TimeoutError, match=r"no reply within 0\.02 s"):
                aiomas.with_options(client.remote, timeout_s=0.02).never()
            results = [None] * 8

            def work(place):
                results[place] = [client.remote.echo([place, i]) for i in range(50)]

            threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            for place in range(8):
                assert [list(each) for each in results[place]] == [[place, i] for i in range(50)]
        with pytest.raises(ConnectionResetError, match="Connection closed"):
            client.remote.echo(1)
        client.close()


def test_blocking_client_token_and_limits():
    with Background(auth_token="t") as server:
        with aiomas.BlockingClient(server.reached, auth_token="t", limits=aiomas.Limits(max_frame_size=1000)) as client:
            assert client.remote.echo(1) == 1
            with pytest.raises(aiomas.LimitError):
                client.remote.echo("x" * 2000)
            assert client.remote.echo(1) == 1
        with pytest.raises(aiomas.AuthenticationError):
            aiomas.BlockingClient(server.reached, auth_token="u")
    with pytest.raises(ValueError, match="Unknown address type: 5"):
        aiomas.BlockingClient(5)
    with pytest.raises(OSError):
        aiomas.BlockingClient(server.reached)

    class Own(aiomas.codecs.Codec):
        """Not known to the library."""

    with pytest.raises(ValueError, match="codec is Own, a blocking client knows"):
        aiomas.BlockingClient(server.reached, codec=Own)


def test_blocking_client_loses_its_connection():
    with Background() as server:
        client = aiomas.BlockingClient(server.reached, timeout_s=None)
        ended = []

        def wait():
            try:
                client.remote.never()
            except ConnectionResetError as error:
                ended.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        while server.service.calls == 0:
            time.sleep(0)
        client.close()
        thread.join(20)
        assert len(ended) == 1
    with Background() as server:
        client = aiomas.BlockingClient(server.reached)
        assert client.remote.echo(1) == 1
    with pytest.raises(ConnectionResetError):
        client.remote.echo(1)


def test_blocking_client_refuses_calls_of_the_peer():
    answers = []

    def serve(listener):
        made, _ = listener.accept()
        with made:
            made.recv(1000)
            request, reply = b'[0, 0, ["name", [], {}]]', b"[1, 0, 7]"
            made.sendall(len(request).to_bytes(4, "big") + request + len(reply).to_bytes(4, "big") + reply)
            answers.append(made.recv(1000))

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with aiomas.BlockingClient(listener.getsockname()) as client:
            assert client.remote.echo(1) == 7
            thread.join(20)
    assert b'[2, 0, "LookupError: No RPC service running' in answers[0]


# --- types


@dataclasses.dataclass
class Point:
    x: int
    y: int


@dataclasses.dataclass
class Cloud:
    all: List[Point]
    name: Optional[str] = None


class SubInterface:
    async def echo(self, value: int) -> int:
        """Gives the value back."""


class Interface:
    sub: SubInterface

    async def echo(self, value: Optional[Point]) -> Optional[Point]:
        """Gives the value back."""

    def point(self, p: Point) -> "Awaitable[Point]":
        """Swaps."""

    async def points(self, count: int = 3) -> Cloud:
        """Makes some."""

    async def fail(self) -> Point:
        """Fails."""


class Mapped:
    async def echo(self, value: Dict[str, List[Point]]) -> Dict[str, List[Point]]:
        """Gives the value back."""


def test_typed():
    async def main():
        async with Served(Service()) as client:
            stub = aiomas.typed(client.remote, Interface)
            assert await stub.point(Point(1, 2)) == Point(2, 1)
            assert await stub.points(2) == Cloud([Point(0, 0), Point(1, -1)])
            assert await stub.echo(None) is None
            assert await stub.echo(Point(1, 2)) == Point(1, 2)
            assert await stub.sub.echo(5) == 5
            value = {"a": [Point(1, 2)], "b": []}
            assert await aiomas.typed(client.remote, Mapped).echo(value) == value
            with pytest.raises(TypeError, match="missing a required argument: 'p'"):
                stub.point()
            with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
                stub.echo(1, z=1)
            with pytest.raises(AttributeError, match=r'^Interface has no "pont", did you mean "point"\?$'):
                stub.pont  # noqa: B018
            with pytest.raises(TypeError, match=r"the result has \['z'\], Point has only \['x', 'y'\]"):
                await stub.echo({"z": 1})
            with pytest.raises(TypeError, match="the result is int, expected a map with the fields of Point"):
                await stub.echo(5)
            with pytest.raises(aiomas.RemoteException, match="boom"):
                await stub.fail()
            assert repr(stub).startswith("<Interface at Proxy(")

    run(main())


def test_typed_without_a_loop():
    with Background() as server, aiomas.BlockingClient(server.reached) as client:
        stub = aiomas.typed(client.remote, Interface)
        assert stub.point(Point(1, 2)) == Point(2, 1)
        assert stub.sub.echo(5) == 5
