"""Codecs: how values become bytes, with serializers for types of the user.

A codec instance belongs to one connection and holds its table of serializers. :class:`JSON`, :class:`MsgPack` and
:class:`MsgPackBlosc` are known to the library; any other subclass of :class:`Codec` works too, more slowly.
"""

import inspect
import json
import struct
from typing import Any, Callable, Dict, List, Optional, Tuple, Type, TypeVar, Union, overload

from .exceptions import SerializationError

try:
    import msgpack  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:
    msgpack = None
try:
    import blosc  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:
    blosc = None

__all__ = ["serializable", "Codec", "JSON", "MsgPack", "MsgPackBlosc"]  # noqa: RUF022 - the original's order

Serialize = Callable[[Any], Any]
Deserialize = Callable[[Any], Any]
# What an extra serializer gives when it is called.
Serializer = Tuple[type, Serialize, Deserialize]
T = TypeVar("T")

_TYPE_KEY = "__type__"
# In encoded values up to this long the key is searched: without it no map means an object. Longer ones have all their maps looked at.
_SEARCHED_SIZE = 4096


@overload
def serializable(cls: Type[T], repr: bool = True) -> Type[T]: ...
@overload
def serializable(cls: None = None, repr: bool = True) -> Callable[[Type[T]], Type[T]]: ...
def serializable(cls: Optional[Type[T]] = None, repr: bool = True) -> Union[Type[T], Callable[[Type[T]], Type[T]]]:
    """Class decorator that makes instances serializable: pass ``Class.__serializer__`` as an extra serializer.

    What is sent are the attributes named like the parameters of the class. Adds ``__asdict__()``, ``__fromdict__(dict)``,
    ``__serializer__()`` and, unless ``repr`` is false, a ``__repr__``.
    """

    def decorate(target: Type[T]) -> Type[T]:
        names = list(inspect.signature(target).parameters)

        def as_dict(self: Any) -> Dict[str, Any]:
            return {name: getattr(self, name) for name in names}

        def from_dict(own: Callable[..., Any], attributes: Dict[str, Any]) -> Any:
            return own(**attributes)

        def serializer(own: Any) -> Serializer:
            return own, own.__asdict__, own.__fromdict__

        def text(self: Any) -> str:
            return "{}({})".format(type(self).__name__, ", ".join(f"{name}={getattr(self, name)!r}" for name in names))

        made: Any = target
        made.__asdict__ = as_dict
        made.__fromdict__ = classmethod(from_dict)
        made.__serializer__ = classmethod(serializer)
        if repr:
            made.__repr__ = text
        return target

    return decorate if cls is None else decorate(cls)


class Codec:
    """Base of all codecs: the table of serializers. A subclass has ``encode`` and ``decode``."""

    def __init__(self) -> None:
        self._types: Dict[type, Tuple[int, Serialize]] = {}
        self._deserializers: List[Deserialize] = []

    def __str__(self) -> str:
        return "{}[{}]".format(type(self).__name__, ", ".join(known.__name__ for known in self._types))

    def encode(self, data: Any) -> bytes:
        """Encodes a value."""
        raise NotImplementedError(f"{type(self).__name__} has no encode()")

    def decode(self, data: bytes) -> Any:
        """Decodes what ``encode`` made, given as any object of bytes."""
        raise NotImplementedError(f"{type(self).__name__} has no decode()")

    def add_serializer(self, type: type, serialize: Serialize, deserialize: Deserialize) -> None:
        """Adds functions for a type: ``serialize`` makes a value the codec knows, ``deserialize`` makes the object again.

        Only objects of exactly this type are meant. Both ends of a connection add the same types in the same order.
        Raises ValueError for a type that was added before.
        """
        if type in self._types:
            raise ValueError(f'There is already a serializer for type "{type}"')
        self._types[type] = (len(self._deserializers), serialize)
        self._deserializers.append(deserialize)

    def serialize_obj(self, obj: Any) -> Any:
        """Makes the map that stands for an object of an added type. Raises :class:`SerializationError`."""
        found = self._types.get(type(obj)) or self._types.get(object)
        if found is None:
            raise SerializationError(f'No serializer found for type "{type(obj)}"')
        try:
            return {_TYPE_KEY: (found[0], found[1](obj))}
        except Exception as error:
            raise SerializationError(f'Could not serialize object "{obj!r}": {error}') from error

    def deserialize_obj(self, obj_repr: Dict[Any, Any]) -> Any:
        """Makes the object again that a decoded map stands for; other maps come back as they are."""
        if _TYPE_KEY not in obj_repr:
            return obj_repr
        described = obj_repr[_TYPE_KEY]
        try:
            number, representation = described
            if not isinstance(number, int) or number < 0:
                raise IndexError(number)
            deserialize = self._deserializers[number]
        except (TypeError, ValueError, IndexError):
            raise SerializationError(
                f"__type__ is {described!r}, expected [type id, representation] with a type id below {len(self._deserializers)}"
            ) from None
        return deserialize(representation)


def _maps_may_mean_objects(codec: Codec) -> bool:
    """Says whether a subclass wants to see every decoded map."""
    return type(codec).deserialize_obj is not Codec.deserialize_obj


class JSON(Codec):
    """JSON as the standard library writes it."""

    def __init__(self) -> None:
        super().__init__()
        every_map = _maps_may_mean_objects(self)
        self._objects: Any = json.JSONDecoder(object_hook=self.deserialize_obj)
        self._plain: Any = self._objects if every_map else json.JSONDecoder()
        # The encoder of the standard library prepares itself anew for each value; what it prepares is the same each time.
        self._markers: Dict[int, Any] = {}
        make: Any = getattr(json.encoder, "c_make_encoder", None)
        self._encode_parts: Optional[Callable[[Any, int], Any]] = None
        if make is not None:
            text: Any = json.encoder.encode_basestring_ascii
            self._encode_parts = make(self._markers, self.serialize_obj, text, None, ": ", ", ", False, False, True)

    def encode(self, data: Any) -> bytes:
        """Encodes a value."""
        return self._encode_text(data).encode()

    def _encode_text(self, data: Any) -> str:
        if self._encode_parts is None or self._markers:  # no accelerator, or a serializer encodes something itself
            return json.dumps(data, default=self.serialize_obj)
        try:
            return "".join(self._encode_parts(data, 0))
        except BaseException:
            self._markers.clear()
            raise

    def decode(self, data: bytes) -> Any:
        """Decodes a value; maps that stand for objects become these."""
        return self._decode_text(str(data, "utf-8"))

    def _decode_text(self, text: str) -> Any:
        # a key can hide behind escapes
        decoder = self._objects if len(text) > _SEARCHED_SIZE or _TYPE_KEY in text or "\\" in text else self._plain
        try:
            value, end = decoder.scan_once(text, 0)
        except StopIteration:
            end = -1
        return value if end == len(text) else decoder.decode(text)  # blanks around it, or an error to be raised


# A packer keeps the buffer of the largest value it ever packed; after one of more bytes than this it is made anew.
_PACKER_KEEPS = 1 << 20


class MsgPack(Codec):
    """MessagePack with texts and bytes kept apart. Arrays become tuples."""

    def __init__(self) -> None:
        if msgpack is None:
            raise ImportError(self._missing)
        super().__init__()
        self._every_map = _maps_may_mean_objects(self)
        self._packing = False
        self._pack = self._packer()
        self._options: Dict[str, Any] = {"use_list": False, "raw": False}
        if msgpack.version >= (0, 6):
            self._options["strict_map_key"] = False

    _missing = 'Please install "msgpack-python" to use the MsgPack codec: pip install -U aiomas[mp]'

    def _packer(self) -> Callable[[Any], bytes]:
        pack: Callable[[Any], bytes] = msgpack.Packer(use_bin_type=True, default=self.serialize_obj).pack
        return pack

    def encode(self, data: Any) -> bytes:
        """Encodes a value."""
        if self._packing:  # a serializer encodes something itself
            inner: bytes = msgpack.packb(data, use_bin_type=True, default=self.serialize_obj)
            return inner
        self._packing = True
        try:
            packed: bytes = self._pack(data)
        except BaseException:
            self._pack = self._packer()
            raise
        finally:
            self._packing = False
        if len(packed) > _PACKER_KEEPS:
            self._pack = self._packer()
        return packed

    def decode(self, data: bytes) -> Any:
        """Decodes a value; maps that stand for objects become these."""
        if self._every_map or len(data) > _SEARCHED_SIZE or b"__type__" in data:
            return msgpack.unpackb(data, object_hook=self.deserialize_obj, **self._options)
        return msgpack.unpackb(data, **self._options)


_BLOSC_HEADER = struct.Struct("<4B3I")
_BLOSC_STORED = 0x02


class MsgPackBlosc(MsgPack):
    """MessagePack in Blosc chunks.

    On a connection the library makes and reads the chunks; the ``blosc`` package is used only to :meth:`decode` compressed
    chunks by hand.
    """

    _missing = 'Please install "msgpack-python" and "blosc" to use the MsgPackBlosc codec: pip install -U aiomas[mpb]'

    def encode(self, data: Any) -> bytes:
        """Encodes a value into a chunk that is stored, not compressed."""
        packed = super().encode(data)
        size = len(packed)
        return _BLOSC_HEADER.pack(2, 1, 0x03, 8, size, size, size + _BLOSC_HEADER.size) + packed

    def decode(self, data: bytes) -> Any:
        """Decodes a chunk."""
        chunk = bytes(data)
        if len(chunk) < _BLOSC_HEADER.size:
            raise ValueError(f"a Blosc chunk has a header of {_BLOSC_HEADER.size} bytes, got {len(chunk)} bytes")
        if not chunk[2] & _BLOSC_STORED:
            if blosc is None:
                raise ImportError(self._missing)
            return super().decode(blosc.decompress(chunk))
        size = _BLOSC_HEADER.unpack_from(chunk)[4]
        if size != len(chunk) - _BLOSC_HEADER.size:
            raise ValueError(f"a Blosc chunk says it holds {size} bytes, it has {len(chunk) - _BLOSC_HEADER.size}")
        return super().decode(chunk[_BLOSC_HEADER.size :])


def encode_content(codec: Codec) -> Callable[[Any], Any]:
    """Gives how a codec encodes contents that the library puts into payloads: as text when :func:`has_texts`, else as bytes."""
    if isinstance(codec, MsgPackBlosc):
        return super(MsgPackBlosc, codec).encode
    return codec._encode_text if isinstance(codec, JSON) and has_texts(codec) else codec.encode


def decode_content(codec: Codec) -> Callable[[Any], Any]:
    """Gives how a codec decodes contents that the library took out of payloads."""
    if isinstance(codec, MsgPackBlosc):
        return super(MsgPackBlosc, codec).decode
    return codec._decode_text if isinstance(codec, JSON) and has_texts(codec) else codec.decode


def has_texts(codec: Codec) -> bool:
    """Says whether the contents that the library takes and gives are texts."""
    return library_number(codec) == 0


def library_number(codec: Codec) -> int:
    """Gives the number by which the library knows a codec; 3 for one of the user."""
    numbers: List[Tuple[Type[Codec], int]] = [(MsgPackBlosc, 2), (MsgPack, 1), (JSON, 0)]
    for known, number in numbers:
        if isinstance(codec, known):
            changed = type(codec).encode is not known.encode or type(codec).decode is not known.decode
            return 3 if changed else number
    return 3
