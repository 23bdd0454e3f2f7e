"""Remote procedure calls: trees of services, and proxies to those of the peer.

A service is an object with a router: a class with ``router = Service()``, or a :class:`ServiceDict`. Requests start in the
order in which they arrive; plain functions run at once, coroutine functions as tasks.
"""

import asyncio
import hmac
import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional, TypeVar

from . import channel as channels
from .channel import RESULT, Address, Channel, Future, log, tasks
from .exceptions import AuthenticationError, RemoteException, SerializationError

__all__ = [  # noqa: RUF022 - the original's order
    "open_connection",
    "start_server",
    "rpc_service_process",
    "expose",
    "_handle_request",
    "Service",
    "ServiceDict",
    "Router",
    "RpcClient",
    "Proxy",
]

F = TypeVar("F", bound=Callable[..., Any])
# The path of the call that carries the token of a client, before any other call.
AUTH_PATH = "__auth__"
# Seconds in which a client has to show its token.
_AUTH_WAIT_S = 10.0
# Paths that a router remembers. A tree with loops has any number of paths, and the peer chooses among them.
_MAX_CACHED_PATHS = 4096
# Children of a proxy that are looked at before dead ones are removed.
_MAX_DEAD_CHILDREN = 64

# Results of these types are no coroutines.
_PLAIN = frozenset({int, str, float, bool, type(None), list, tuple, dict, bytes})


def expose(func: F) -> F:
    """Marks a function or method that peers may call. Raises ValueError for what cannot be called."""
    if not callable(func):
        raise ValueError(f'"{func}" is not callable.')
    func.__rpc__ = True  # type: ignore[attr-defined]
    return func


class Router:
    """The place of one service in a tree, and the way from paths to functions."""

    def __init__(self, obj: Any) -> None:
        obj.__rpc__ = True
        obj.__rpc_entry__ = obj.dict.__getitem__ if isinstance(obj, ServiceDict) else obj.__getattribute__
        self.obj = obj
        self.name = ""
        self.parent: Optional[Router] = None
        self._cache: Dict[str, Callable[..., Any]] = {}

    expose = staticmethod(expose)

    @property
    def path(self) -> str:
        """The names from the root to here, joined by slashes; empty for the root."""
        names: List[str] = []
        router: Optional[Router] = self
        while router is not None and router.parent is not None:
            names.append(router.name)
            router = router.parent
        return "/".join(reversed(names))

    @property
    def root(self) -> "Router":
        """The router at the top of the tree."""
        router = self
        while router.parent is not None:
            router = router.parent
        return router

    def resolve(self, path: str) -> Callable[..., Any]:
        """Gives the function that a path names from here. Raises LookupError, which says how far the path was known.

        A path that was found stays found, also when the service changes.
        """
        found = self._cache.get(path)
        if found is not None:
            return found
        current = self.obj
        walked: List[str] = []
        for name in path.split("/"):
            try:
                entry = current.__rpc_entry__(name)
            except (AttributeError, KeyError):
                raise LookupError('Name "{}" not found in "{}"'.format(name, "/".join(walked))) from None
            if not hasattr(entry, "__rpc__"):
                raise LookupError(f'"{_class_name(current)}.{name}" is not exposed')
            walked.append(name)
            current = entry
        if len(self._cache) < _MAX_CACHED_PATHS:
            self._cache[path] = current
        function: Callable[..., Any] = current
        return function

    def add(self, name: str) -> None:
        """Adds the service that is the object's attribute of that name."""
        self.set_sub_router(getattr(self.obj, name).router, name)

    def set_sub_router(self, router: "Router", name: str) -> None:
        """Adds a service under a name. Raises ValueError for no router, and for one that has its place already."""
        if type(router) is not Router:
            raise ValueError(f'"{router}" is not a valid router.')
        if router.parent is not None:
            raise ValueError(f'"{router.obj}" is already a sub service of "{router.parent.obj}"')
        router.name = name
        router.parent = self


def _class_name(obj: Any) -> str:
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


class Service:
    """Makes the instances of a class services: ``router = Service()`` in its body.

    ``sub_routers`` are names of attributes that hold services; they are added when the router of an instance is first used.
    """

    def __init__(self, sub_routers: Iterable[str] = ()) -> None:
        self._sub_routers = sub_routers

    expose = staticmethod(expose)

    def __get__(self, instance: Any, cls: Optional[type] = None) -> Any:
        if instance is None:
            return self
        router = instance.__dict__.get("router")
        if router is None:
            router = instance.__dict__["router"] = Router(instance)
            for name in self._sub_routers:
                router.add(name)
        return router

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError("Read-only attribute.")


class ServiceDict:
    """A service made of a dict: names to exposed functions and to services."""

    def __init__(self, dict: Optional[Dict[str, Any]] = None) -> None:
        self.dict: Dict[str, Any] = {} if dict is None else dict
        self.router = Router(self)
        for name, entry in self.dict.items():
            if _is_rpc_service(entry):
                self.router.set_sub_router(entry.router, name)


def _is_rpc_service(obj: Any) -> bool:
    try:
        return isinstance(obj.router, Router)
    except AttributeError:
        return False


class Proxy:
    """A service or function of the peer.

    Attributes are proxies to what is below; calling one sends the call at once and gives the future of its result. Two
    proxies are equal when they have the same channel and path.
    """

    __slots__ = ("__weakref__", "_cache", "_channel", "_path", "_str")

    def __init__(self, channel: Channel, path: str) -> None:
        self._channel = channel
        self._path = path
        self._cache: Optional[Dict[str, weakref.ref[Proxy]]] = None
        self._str: Optional[str] = None

    def __getattr__(self, name: str) -> "Proxy":
        cache = self._cache
        if cache is None:
            cache = self._cache = {}
        else:
            known = cache.get(name)
            child = None if known is None else known()
            if child is not None:
                return child
            if len(cache) >= _MAX_DEAD_CHILDREN:
                self._cache = cache = {key: each for key, each in cache.items() if each() is not None}
        path = self._path
        child = Proxy(self._channel, f"{path}/{name}" if path else name)
        cache[name] = weakref.ref(child)
        return child

    def __call__(self, *args: Any, **kwargs: Any) -> Future:
        path = self._path
        if not path:
            raise AttributeError("No RPC function name specified.")
        return self._channel.send((path, args, kwargs))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Proxy):
            return NotImplemented
        return self._channel is other._channel and self._path == other._path

    def __hash__(self) -> int:
        return hash((id(self._channel), self._path))

    def __str__(self) -> str:
        if self._str is None:
            self._str = f"Proxy({self._channel.get_extra_info('peername')[:2]!r}, {self._path!r})"
        return self._str

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{self} at {id(self):#x}>"


class _Dispatcher:
    """Runs the requests of one connection."""

    def __init__(self, channel: Channel, router: Router) -> None:
        self._channel = channel
        self._router = router
        self._loads = channel._loads
        self._loop = channel._loop

    def request(self, number: int, content: Any) -> None:
        """Runs the function that a request names and answers with its result."""
        channel = self._channel
        try:
            try:
                path, args, kwargs = self._loads(content)
            except Exception as error:
                raise _not_a_call(error) from None
            if type(path) is not str:
                raise TypeError(f"path of the request is {type(path).__name__}, expected str")
            result = self._router.resolve(path)(*args, **kwargs)
            if type(result) not in _PLAIN and asyncio.iscoroutine(result):
                self._start(number, result)
                return
            channel._reply(number, RESULT, channel._dumps(result))
        except Exception as error:
            channel._fail(number, error)
        except BaseException as error:
            self._raised_base(number, error)

    def _start(self, number: int, coroutine: Any) -> None:
        task = self._loop.create_task(self._finish(number, coroutine))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _finish(self, number: int, coroutine: Any) -> None:
        """Waits for a handler and answers with its result."""
        channel = self._channel
        try:
            result = await coroutine
            if channel._write_paused:
                await channel._writable()
            channel._reply(number, RESULT, channel._dumps(result))
        except Exception as error:
            if channel._write_paused:
                await channel._writable()
            channel._fail(number, error)
        except BaseException as error:
            channel._fail(number, error)
            raise

    def _raised_base(self, number: int, error: BaseException) -> None:
        """Answers for a handler that wants the program to end; it ends after the requests that came with this one."""
        self._channel._fail(number, error)
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            self._loop.call_soon(_raise, error)


def _raise(error: BaseException) -> None:
    raise error


def _not_a_call(error: Exception) -> Exception:
    """Says what is wrong with the content of a request."""
    if isinstance(error, SerializationError):
        return error
    return TypeError(f"the content of a request is [path, args, kwargs]: {error}")


class RpcClient:
    """One end of a connection: proxies to the peer's services, and this end's own service."""

    def __init__(self, channel: Channel, rpc_service: Any = None) -> None:
        self._channel = channel
        self._router: Optional[Router] = None
        self._service: Optional[asyncio.Task[None]] = None
        self._callback: Optional[Callable[[ConnectionResetError], Any]] = None
        channel.codec.add_serializer(object, self._serialize_obj, self._deserialize_obj)
        if rpc_service is None:
            channel._serve(self._refuse)
            return
        self._router = rpc_service.router
        channel._on_lost = self._connection_reset
        self._service = channel._loop.create_task(rpc_service_process(self, rpc_service.router, channel))
        tasks.add(self._service)
        self._service.add_done_callback(tasks.discard)
        channel._serve(_Dispatcher(channel, rpc_service.router).request)

    async def __aenter__(self) -> "RpcClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def channel(self) -> Channel:
        """The connection."""
        return self._channel

    @property
    def service(self) -> "Optional[asyncio.Task[None]]":
        """The task that lasts as long as this end's service is served; None when it has none."""
        return self._service

    @property
    def remote(self) -> Proxy:
        """A new proxy to the root service of the peer."""
        return Proxy(self._channel, "")

    def on_connection_reset(self, callback: Optional[Callable[[ConnectionResetError], Any]]) -> None:
        """Sets the function that is called once when the connection has ended, with the exception that says why.

        There is one at a time; None removes it. Raises RuntimeError when this end has no service, and ValueError.
        """
        if self._service is None:
            raise RuntimeError("This RpcClient instance has no RPC service running.")
        if callback is not None and not callable(callback):
            raise ValueError(f'{callback} must be "None" or callable but is neither')
        self._callback = callback

    async def close(self) -> None:
        """Closes the connection. Open calls raise ConnectionResetError; a second time does nothing."""
        await self._channel.close()

    def _connection_reset(self, exc: ConnectionResetError) -> None:
        callback, self._callback = self._callback, None
        if callback is None:
            return
        try:
            callback(exc)
        except Exception as error:
            context = {"message": "Exception in the callback of on_connection_reset()", "exception": error}
            self._channel._loop.call_exception_handler(context)

    def _refuse(self, number: int, content: Any) -> None:
        """Answers a request although this end has no service."""
        channel = self._channel
        if channel._waiter is None:
            channel._fail(number, LookupError("No RPC service running for this side of the connection."))
            return
        channel._on_request = None  # somebody takes requests by hand
        channel._open -= 1
        channel._requested(number, content, len(content) if isinstance(content, (bytes, str)) else 0)

    def _serialize_obj(self, obj: Any) -> str:
        """Gives the path of a service that is sent to the peer."""
        if not _is_rpc_service(obj):
            raise SerializationError(f'No serializer found for type "{type(obj)}"')
        if self._router is None:
            raise SerializationError("No RPC service running for this side of the connection.  Cannot send serice proxy.")
        router: Router = obj.router
        if router.root is not self._router.root:
            raise SerializationError(f'RPC service "{obj!r}" is not exposed for this connection')
        return router.path

    def _deserialize_obj(self, path: str) -> Proxy:
        """Makes the proxy of a service that the peer has sent."""
        return Proxy(self._channel, path)


async def rpc_service_process(rpc_client: RpcClient, router: Router, channel: Channel) -> None:
    """Serves a router to the peer of a channel until the connection ends, or until it is cancelled."""
    if channel._on_request is None:
        channel._serve(_Dispatcher(channel, router).request)
    try:
        await asyncio.shield(channel._ended)
    finally:
        if channel._lost is None:
            channel._serve(None)


async def _handle_request(request: Any, loop: asyncio.AbstractEventLoop, router: Router) -> None:
    """Runs the function that a request names and answers with its result."""
    try:
        try:
            path, args, kwargs = request.content
        except (TypeError, ValueError) as error:
            raise _not_a_call(error) from None
        result = router.resolve(path)(*args, **kwargs)
        if asyncio.iscoroutine(result):
            result = await result
        await request.reply(result)
    except Exception as error:
        await request.fail(error)


async def open_connection(addr: Address, *, rpc_service: Any = None, auth_token: Optional[str] = None, **kwds: Any) -> RpcClient:
    """Connects to a server and gives the client.

    ``rpc_service`` is this end's own service, for calls of the server. ``auth_token`` is shown to the server before anything
    else; raises :class:`.AuthenticationError` when it is not accepted. The other arguments are those of
    :func:`.channel.open_connection`.
    """
    if rpc_service is not None and not _is_rpc_service(rpc_service):
        raise ValueError(f'"{rpc_service}" is not a valid RPC service')
    channel = await channels.open_connection(addr, **kwds)
    try:
        client = RpcClient(channel, rpc_service)
        if auth_token is not None:
            await _show_token(channel, auth_token)
    except BaseException:
        await channel.close()
        raise
    return client


async def _show_token(channel: Channel, token: str) -> None:
    try:
        await channel.send((AUTH_PATH, (token,), {}))
    except (RemoteException, ConnectionResetError) as error:
        raise AuthenticationError(f"the server {channel.get_extra_info('peername')} did not accept the token") from error


async def start_server(
    addr: Address,
    rpc_service: Any,
    client_connected_cb: Optional[Callable[[RpcClient], Any]] = None,
    *,
    auth_token: Optional[str] = None,
    **kwds: Any,
) -> Any:
    """Serves a service and gives asyncio's server.

    ``client_connected_cb`` is a plain function that gets the :class:`RpcClient` of each connection before any of its requests
    is run. ``auth_token``: the first request of a client has to be a call of ``__auth__`` with this text, otherwise the
    connection is closed. The other arguments are those of :func:`.channel.start_server`.
    """
    if not _is_rpc_service(rpc_service):
        raise ValueError(f'"{rpc_service}" is not a valid RPC service.')

    def connected(channel: Channel) -> None:
        if auth_token is None:
            admit(channel)
        else:
            _Gate(channel, auth_token, admit)

    def admit(channel: Channel) -> None:
        client = RpcClient(channel, rpc_service)
        # The task of its service keeps the client.
        if client_connected_cb is not None:
            result = client_connected_cb(client)
            if asyncio.iscoroutine(result):
                result.close()
                log.warning("client_connected_cb is a coroutine function, which is never run; it has to be a plain function")

    return await channels.start_server(addr, connected, **kwds)


class _Gate:
    """Lets the requests of a client in after it has shown its token."""

    def __init__(self, channel: Channel, token: str, admit: Callable[[Channel], None]) -> None:
        self._channel = channel
        self._token = token.encode()
        self._admit = admit
        self._timer = channel._loop.call_later(_AUTH_WAIT_S, self._close, f"no token within {_AUTH_WAIT_S} s")
        channel._on_lost = self._lost
        channel._serve(self._request)

    def _request(self, number: int, content: Any) -> None:
        channel = self._channel
        try:
            path, args, kwargs = channel._loads(content)
            shown = args[0] if path == AUTH_PATH and len(args) == 1 and not kwargs else None
        except Exception:
            shown = None
        if not isinstance(shown, str) or not hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), self._token):
            channel._fail(number, AuthenticationError("the first request has to be a call of __auth__ with the token"))
            channel._flush()
            self._close("it did not show the token")
            return
        self._timer.cancel()
        channel._on_lost = None
        channel._reply(number, RESULT, channel._dumps(None))
        self._admit(channel)

    def _lost(self, _: ConnectionResetError) -> None:
        self._timer.cancel()

    def _close(self, why: str) -> None:
        self._timer.cancel()
        self._channel._break(why)


# Their names are in texts that travel to the peer.
for _class in (Service, ServiceDict, Router, RpcClient, Proxy):
    _class.__module__ = "aiomas.rpc"
