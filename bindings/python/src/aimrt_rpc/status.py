"""How a call ended."""

from dataclasses import dataclass, field
from typing import Mapping

from ._status_gen import TEXTS, Code

__all__ = ["Code", "Status"]


@dataclass(frozen=True)
class Status:
    """Outcome of a call; immutable.

    ``code`` is AimRT's number below 3000 and ours from there; a service may also give any number of its own.
    ``message`` is empty when the code says all; ``trace`` is stack text of the remote failure when the peer sent it.
    """

    code: int = 0
    message: str = ""
    trace: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.code == 0

    @property
    def name(self) -> str:
        """The name of the code, ``UNKNOWN_CODE`` for a number of the service's own."""
        try:
            return Code(self.code).name
        except ValueError:
            return "UNKNOWN_CODE"

    @property
    def text(self) -> str:
        """The standard text of the code."""
        return TEXTS.get(self.code, "Unknown code")

    def __str__(self) -> str:
        head = f"{self.name} ({self.code})"
        return f"{head}: {self.message or self.text}"
