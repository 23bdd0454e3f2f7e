"""Stubs with types over proxies: an interface is a class whose methods and attributes describe a service."""

import asyncio
import collections.abc
import dataclasses
import difflib
import functools
import inspect
import typing
from typing import Any, Callable, Dict, List, Optional, Type, TypeVar

from .rpc import Proxy

T = TypeVar("T")
Convert = Callable[[Any], Any]


def typed(proxy: Proxy, interface: Type[T]) -> T:
    """Gives a stub for the service at a proxy that type checkers know as the interface.

    Methods of the interface, ``async def`` or plain ones, are the functions of the service: arguments are checked against the
    signature before anything is sent (TypeError), dataclasses are sent as maps and made again from the result when the return
    type says so, also in ``List``, ``Dict`` and ``Optional``. Annotated attributes whose type is a class with methods are
    services below. Other names raise AttributeError. Calls are sent at once, as with a proxy.
    """
    stub: Any = _Stub(proxy, interface)
    return stub  # type: ignore[no-any-return]


class _Stub:
    """Checks and converts for one interface."""

    def __init__(self, proxy: Proxy, interface: type) -> None:
        self._proxy = proxy
        self._interface = interface

    def __repr__(self) -> str:
        return f"<{self._interface.__name__} at {self._proxy}>"

    def __getattr__(self, name: str) -> Any:
        made: Any
        function = inspect.getattr_static(self._interface, name, None)
        if inspect.isfunction(function):
            made = functools.partial(_call, getattr(self._proxy, name), *_described(function))
        else:
            below = _hints(self._interface).get(name)
            if not isinstance(below, type):
                raise AttributeError(self._unknown(name))
            made = _Stub(getattr(self._proxy, name), below)
        self.__dict__[name] = made
        return made

    def _unknown(self, name: str) -> str:
        known = [each for each in dir(self._interface) if not each.startswith("_")]
        near = difflib.get_close_matches(name, known + list(_hints(self._interface)), 1)
        return f'{self._interface.__name__} has no "{name}"' + (f', did you mean "{near[0]}"?' if near else "")


def _call(proxy: Proxy, signature: inspect.Signature, convert: Optional[Convert], *args: Any, **kwargs: Any) -> Any:
    signature.bind(None, *args, **kwargs)
    sent = proxy(*[_plain(each) for each in args], **{key: _plain(each) for key, each in kwargs.items()})
    if convert is None:
        return sent
    if asyncio.isfuture(sent):
        return asyncio.ensure_future(_converted(sent, convert))
    return convert(sent)


async def _converted(future: Any, convert: Convert) -> Any:
    return convert(await future)


@functools.lru_cache(maxsize=1024)
def _described(function: Any) -> Any:
    """Gives signature of a method and how its results are converted."""
    result = _hints(function).get("return")
    if typing.get_origin(result) in (collections.abc.Awaitable, collections.abc.Coroutine, asyncio.Future):
        result = typing.get_args(result)[-1]
    return inspect.signature(function), _converter(result)


def _hints(described: Any) -> Dict[str, Any]:
    return typing.get_type_hints(described)


def _plain(value: Any) -> Any:
    """Makes a map of a dataclass, at any depth of lists and maps."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if type(value) in (list, tuple):
        return [_plain(each) for each in value]
    if type(value) is dict:
        return {key: _plain(each) for key, each in value.items()}
    return value


def _converter(wanted: Any) -> Optional[Convert]:
    """Gives how a decoded value becomes one of a type; None when it is that already."""
    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        return functools.partial(_make, wanted)
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    inner = [_converter(each) for each in args]
    if not any(inner):
        return None
    if origin is typing.Union and len(args) == 2 and type(None) in args:
        made = inner[0] or inner[1]
        return lambda value: None if value is None or made is None else made(value)
    first, last = inner[0], inner[-1]
    if origin in (list, tuple, collections.abc.Sequence, collections.abc.Iterable) and first is not None:
        return lambda value: [first(each) for each in value]
    if origin in (dict, collections.abc.Mapping) and last is not None:
        return lambda value: {key: last(each) for key, each in value.items()}
    return None


@functools.lru_cache(maxsize=1024)
def _fields(wanted: Any) -> Dict[str, Optional[Convert]]:
    """Gives how the fields of a dataclass are converted."""
    hints = _hints(wanted)
    return {field.name: _converter(hints.get(field.name)) for field in dataclasses.fields(wanted)}


def _make(wanted: Any, value: Any) -> Any:
    """Makes a dataclass of a map. Raises TypeError, which names what is missing or too much."""
    fields = _fields(wanted)
    if not isinstance(value, dict):
        raise TypeError(f"the result is {type(value).__name__}, expected a map with the fields of {wanted.__name__}")
    unknown: List[str] = [str(key) for key in value if key not in fields]
    if unknown:
        raise TypeError(f"the result has {unknown}, {wanted.__name__} has only {list(fields)}")
    return wanted(**{key: (fields[key] or _same)(each) for key, each in value.items()})


def _same(value: Any) -> Any:
    return value
