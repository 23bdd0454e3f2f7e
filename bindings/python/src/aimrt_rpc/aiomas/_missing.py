"""The agent layer of the original, which is not part of this package: names that can be imported and say so when used."""

from typing import Any


class AgentLayerMissing(NotImplementedError):
    """Something of the agent layer was used."""


def refuse(name: str) -> Any:
    """Raises the error for a name of the agent layer."""
    raise AgentLayerMissing(
        f"aiomas.{name} belongs to the agent layer, which aimrt_rpc.aiomas does not have; "
        "use rpc.start_server() and rpc.open_connection(), or install the original aiomas in an environment of its own"
    )
