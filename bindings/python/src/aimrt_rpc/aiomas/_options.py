"""What can be said about a connection beyond what the original knows."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional


@dataclass(frozen=True)
class Limits:
    """Bounds of one connection, or of one server. Every number is at least 1.

    ``max_frame_size``: bytes of one payload in either direction; a larger one of the peer closes the connection.
    ``max_depth``: nesting of arrays and maps in one payload.
    ``max_pending``: own calls without a reply; a further one raises :class:`.LimitError`.
    ``max_open``: calls of the peer without a reply; a further one is answered with an exception.
    ``max_held_size``: bytes that wait in this end because the peer does not read its replies, or because nobody takes its
    requests. Above 1 MiB the peer is not read from. An end that waits for replies itself has to go on reading: above
    ``max_held_size`` it answers calls with an exception, above twice this size and one frame the connection is closed.
    ``max_connections``: connections of one server; further ones are closed at once.
    """

    max_frame_size: int = 64 << 20
    max_depth: int = 128
    max_pending: int = 65536
    max_open: int = 65536
    max_held_size: int = 64 << 20
    max_connections: int = 10_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or not 0 < value < 1 << 32:
                raise ValueError(f"{name} is {value!r}, expected a number from 1 to {(1 << 32) - 1}")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Options:
    """What a channel is told beyond its codec."""

    limits: Limits = DEFAULT_LIMITS
    failure_array: bool = False
    authenticate: Optional[Callable[[Dict[str, Any]], bool]] = None


DEFAULT_OPTIONS = Options()
