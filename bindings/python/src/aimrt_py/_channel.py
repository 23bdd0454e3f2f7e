"""AimRT's channels are not part of this product: publishing is accepted and dropped, with one warning per topic."""

from typing import Any, Callable, Optional, Set

from aimrt_rpc.module import Module

from ._refs import require


class PublisherRef:
    """Accepts messages of one topic and drops them."""

    __slots__ = ("_module", "_topic")

    def __init__(self, module: Optional[Module] = None, topic: str = "") -> None:
        self._module, self._topic = module, topic

    def __bool__(self) -> bool:
        return self._module is not None

    def GetTopic(self) -> str:
        """The topic's name."""
        return self._topic

    def _drop(self) -> None:
        module: Module = require(self._module, "PublisherRef")
        if (module.handle, self._topic) not in _warned:
            _warned.add((module.handle, self._topic))
            module.logger.warn(f"topic {self._topic!r}: channels are not part of aimrt_rpc, published messages are dropped")


class SubscriberRef:
    """Accepts subscriptions of one topic; nothing ever arrives."""

    __slots__ = ("_module", "_topic")

    def __init__(self, module: Optional[Module] = None, topic: str = "") -> None:
        self._module, self._topic = module, topic

    def __bool__(self) -> bool:
        return self._module is not None

    def GetTopic(self) -> str:
        """The topic's name."""
        return self._topic


class ChannelHandleRef:
    """The way to publishers and subscribers."""

    __slots__ = ("_module",)

    def __init__(self, module: Optional[Module] = None) -> None:
        self._module = module

    def __bool__(self) -> bool:
        return self._module is not None

    def GetPublisher(self, topic: str) -> PublisherRef:
        """A publisher that drops what it is given."""
        return PublisherRef(require(self._module, "ChannelHandleRef"), topic)

    def GetSubscriber(self, topic: str) -> SubscriberRef:
        """A subscriber that never hears anything."""
        return SubscriberRef(require(self._module, "ChannelHandleRef"), topic)


_warned: Set[Any] = set()


def RegisterPublishType(publisher: PublisherRef, msg_type: Any) -> bool:
    """Accepts a message type."""
    require(publisher._module, "PublisherRef")
    return True


def Publish(publisher: PublisherRef, *ctx_and_msg: Any) -> None:
    """Drops a message; one warning per topic."""
    publisher._drop()


def Subscribe(subscriber: SubscriberRef, msg_type: Any, callback: Callable[..., Any]) -> bool:
    """Accepts a subscription; the callback is never called."""
    require(subscriber._module, "SubscriberRef")
    return True
