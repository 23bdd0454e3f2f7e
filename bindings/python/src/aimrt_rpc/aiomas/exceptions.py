"""Exceptions of the aiomas API."""

from typing import Any, Callable, Tuple


class AiomasError(Exception):
    """Base of what this package raises about calls and connections."""


class RemoteException(AiomasError):
    """The peer answered a call with an exception.

    ``origin`` is the address of the peer, ``remote_traceback`` what it sent: the text of a traceback, or any other value (a
    mosaik peer sends a list of type name, message and lines).
    """

    def __init__(self, origin: Any, remote_traceback: Any) -> None:
        super().__init__(origin, remote_traceback)
        self.origin = origin
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        return f"Origin: {self.origin}\n{self.remote_traceback}"

    def __reduce__(self) -> Tuple[Callable[..., Any], Tuple[Any, ...]]:
        return _remote_exception, (self.origin, self.remote_traceback)


class SerializationError(Exception):
    """A value cannot be encoded or decoded by the codec of its connection."""

    def __reduce__(self) -> Tuple[Callable[..., Any], Tuple[Any, ...]]:
        return _serialization_error, self.args


class LimitError(AiomasError):
    """A limit of the connection would be passed; the text names it. Nothing was sent."""


class AuthenticationError(AiomasError):
    """The server did not accept the token or the certificate of this client."""


def _remote_exception(*args: Any) -> RemoteException:
    return RemoteException(*args)


def _serialization_error(*args: Any) -> SerializationError:
    return SerializationError(*args)


# Tracebacks travel to the peer, and users look for these names in them. Pickles name the functions above instead.
for _class in (AiomasError, RemoteException, SerializationError):
    _class.__module__ = "aiomas.exceptions"
