"""Containers and agents: importable, not part of this package (see :mod:`._missing`)."""

from typing import Any, NamedTuple

from ._missing import refuse

__all__ = ["SSLCerts", "Container", "Agent"]  # noqa: RUF022 - the original's order


class SSLCerts(NamedTuple):
    """Files for TLS: authority, certificate, key."""

    cafile: str
    certfile: str
    keyfile: str


class Container:
    """A home of agents; creating one raises NotImplementedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse("Container")

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Any:
        """Raises NotImplementedError."""
        refuse("Container.create")


class Agent:
    """An agent; creating one raises NotImplementedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse("Agent")
