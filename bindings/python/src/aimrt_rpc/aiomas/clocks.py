"""Clocks of agents: importable, not part of this package (see :mod:`._missing`)."""

from typing import Any

from ._missing import refuse

__all__ = ["BaseClock", "AsyncioClock", "ExternalClock", "TimerHandle"]  # noqa: RUF022 - the original's order


class BaseClock:
    """A clock; creating one raises NotImplementedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse(type(self).__name__)


class AsyncioClock(BaseClock):
    """The loop's clock; creating one raises NotImplementedError."""


class ExternalClock(BaseClock):
    """A clock that is set from outside; creating one raises NotImplementedError."""


class TimerHandle:
    """A call in the future; creating one raises NotImplementedError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse("TimerHandle")
