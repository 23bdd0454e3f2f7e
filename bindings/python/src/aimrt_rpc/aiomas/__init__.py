"""aiomas' RPC and channel layers on libaimrt_rpc: change ``import aiomas`` to ``import aimrt_rpc.aiomas as aiomas``.

Names, signatures and error texts are those of aiomas 2.0.1, peers cannot tell the difference. What is new is listed in
docs/dialects/aiomas.md. The agent layer (containers, agents, clocks, subprocesses) can be imported but not used.
"""

from . import agent, channel, clocks, codecs, exceptions, local_queue, rpc, subproc, util  # noqa: F401
from ._blocking import BlockingClient
from ._calls import with_options
from ._options import Limits
from ._reconnect import ReconnectingClient, open_reconnecting
from ._typed import typed
from .agent import Agent, Container, SSLCerts
from .clocks import AsyncioClock, ExternalClock
from .codecs import JSON, MsgPack, MsgPackBlosc, serializable
from .exceptions import AiomasError, AuthenticationError, LimitError, RemoteException
from .local_queue import get_queue
from .rpc import expose
from .util import make_ssl_client_context, make_ssl_server_context, run

__version__ = "2.0.1"

__all__ = [  # noqa: RUF022 - the original's order
    # Decorators
    "expose",
    "serializable",
    # Functions
    "get_queue",
    "run",
    "make_ssl_server_context",
    "make_ssl_client_context",
    # Exceptions
    "AiomasError",
    "RemoteException",
    # Classes
    "Container",
    "Agent",
    "SSLCerts",
    "JSON",
    "MsgPack",
    "MsgPackBlosc",
    "AsyncioClock",
    "ExternalClock",
    # New here
    "AuthenticationError",
    "BlockingClient",
    "LimitError",
    "Limits",
    "ReconnectingClient",
    "open_reconnecting",
    "typed",
    "with_options",
]
