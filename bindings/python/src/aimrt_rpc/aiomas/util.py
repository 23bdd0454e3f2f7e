"""Helpers: running a loop, TLS contexts, finding objects by name."""

import asyncio
import importlib
import ssl
import warnings
from typing import Any, Optional

from .codecs import Serializer

__all__ = [  # noqa: RUF022 - the original's order
    "arrow_serializer",
    "run",
    "make_ssl_client_context",
    "make_ssl_server_context",
    "obj_from_str",
]


def arrow_serializer() -> Serializer:
    """Gives the serializer for ``arrow.Arrow``: its text. Raises ImportError when arrow is not installed."""
    arrow = importlib.import_module("arrow")
    return arrow.Arrow, str, arrow.get


def run(until: Any = None, loop: Optional[asyncio.AbstractEventLoop] = None) -> Any:
    """Runs the current event loop, for ever or until a coroutine or future is done, and gives its result.

    The loop stays open: servers that were started in one run go on in the next. Where there is no current loop, one is made.
    """
    loop = loop or _current_loop()
    return loop.run_forever() if until is None else loop.run_until_complete(until)


def _current_loop() -> asyncio.AbstractEventLoop:
    loop: Optional[asyncio.AbstractEventLoop]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there is no current loop yet is fine here
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError:
            loop = None
        if loop is None or loop.is_closed():
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
    return loop


def make_ssl_server_context(cafile: str, certfile: str, keyfile: str) -> ssl.SSLContext:
    """Makes a context for servers: TLS 1.2, clients need a certificate that ``cafile`` has signed."""
    context = _make_context(ssl.PROTOCOL_TLS_SERVER, cafile, certfile, keyfile)
    context.options |= ssl.OP_SINGLE_ECDH_USE
    return context


def make_ssl_client_context(cafile: str, certfile: str, keyfile: str) -> ssl.SSLContext:
    """Makes a context for clients: TLS 1.2, the server's certificate must be signed by ``cafile`` and name the host."""
    context = _make_context(ssl.PROTOCOL_TLS_CLIENT, cafile, certfile, keyfile)
    context.check_hostname = True
    return context


def _make_context(protocol: int, cafile: str, certfile: str, keyfile: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDH+AESGCM")
    context.options |= ssl.OP_NO_COMPRESSION
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=cafile)
    context.load_cert_chain(certfile=certfile, keyfile=keyfile)
    return context


def obj_from_str(obj_path: str) -> Any:
    """Gives the object that ``"package.module:Class.attribute"`` names. Raises ValueError for another form."""
    module, colon, name = obj_path.partition(":")
    if not colon or not module or not name or ":" in name:
        raise ValueError(f'Malformed object name "{obj_path}": Expected "module:object"')
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
