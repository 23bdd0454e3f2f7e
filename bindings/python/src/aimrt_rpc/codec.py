"""How values become bytes and back: raw bytes, JSON, protobuf messages, or anything of your own."""

import json
from typing import Any, Callable, Dict, Generic, Optional, Sequence, Tuple, Type, TypeVar, Union, cast

T = TypeVar("T")

Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes], Any]


class Codec(Generic[T]):
    """Pairs of functions per serialization name; the first is the default.

    ``Codec({"pb": (encode, decode)})``: ``encode(value) -> bytes`` and ``decode(bytes) -> value``, each raising what it likes
    for a value it cannot take.
    """

    __slots__ = ("_table", "serializations")

    def __init__(self, table: Dict[str, Tuple[Encoder, Decoder]]) -> None:
        if not table:
            raise ValueError("a codec needs at least one serialization; expected {'pb': (encode, decode)}")
        self._table = dict(table)
        self.serializations: Sequence[str] = tuple(table)

    def pair(self, serialization: str) -> Optional[Tuple[Encoder, Decoder]]:
        """Gives (encode, decode) of a serialization, of the default for ""; None when it is not supported."""
        return self._table.get(serialization or self.serializations[0])


def _same(data: bytes) -> bytes:
    return data


RAW: Codec[bytes] = Codec({"pb": (_same, _same), "json": (_same, _same)})
"""Bytes as they are, for both of AimRT's serializations."""

JSON: Codec[Any] = Codec({"json": (lambda value: json.dumps(value).encode("utf-8"), json.loads)})
"""Any value of the json module, UTF-8."""


def protobuf(message: Type[T]) -> Codec[T]:
    """Makes the codec of a protobuf message class: binary by default, and JSON."""
    from google.protobuf import json_format  # only users of protobuf need it installed

    kind = cast(Any, message)
    return Codec(
        {
            "pb": (lambda value: cast(bytes, value.SerializeToString()), kind.FromString),
            "json": (
                lambda value: json_format.MessageToJson(value).encode("utf-8"),
                lambda data: json_format.Parse(data, kind()),
            ),
        }
    )


CodecLike = Union[Codec[T], Type[T], None]


def codec_of(kind: Any) -> Codec[Any]:
    """Turns what a user gave into a codec: a codec, a protobuf message class, or None for raw bytes."""
    if kind is None or kind is bytes:
        return RAW
    if isinstance(kind, Codec):
        return kind
    if isinstance(kind, type) and hasattr(kind, "SerializeToString") and hasattr(kind, "FromString"):
        return protobuf(kind)
    raise TypeError(f"{kind!r} is not a codec; expected aimrt_rpc.Codec, a protobuf message class, bytes or None")
