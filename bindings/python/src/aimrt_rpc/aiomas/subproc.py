"""Containers in processes of their own: importable, not part of this package (see :mod:`._missing`)."""

from typing import Any

from . import agent
from ._missing import refuse


class Manager(agent.Agent):
    """The agent of a subprocess; creating one raises NotImplementedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse("subproc.Manager")


async def start(addr: Any, **container_kwargs: Any) -> None:
    """Raises NotImplementedError."""
    refuse("subproc.start")
