"""aimrt_rpc.aiomas: codecs and serializers."""

import pytest
from aiomas_helpers import Served, run

from aimrt_rpc import aiomas
from aimrt_rpc.aiomas import codecs
from aimrt_rpc.aiomas.exceptions import SerializationError


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)


def point_serializer():
    return Point, lambda point: [point.x, point.y], lambda value: Point(*value)


@aiomas.serializable
class Named:
    def __init__(self, x, y=2):
        self.x, self.y = x, y


@codecs.serializable(repr=False)
class Silent:
    def __init__(self, inner):
        self.inner = inner


def test_serializable():
    assert repr(Named(1)) == "Named(x=1, y=2)"
    assert Named(1).__asdict__() == {"x": 1, "y": 2}
    assert Named.__fromdict__({"x": 5, "y": 6}).y == 6
    assert Named.__serializer__() == (Named, Named.__asdict__, Named.__fromdict__)
    assert repr(Silent(1)).startswith("<")
    codec = aiomas.JSON()
    codec.add_serializer(*Named.__serializer__())
    codec.add_serializer(*Silent.__serializer__())
    data = codec.encode(Silent([Named(1, None)]))
    assert data == b'{"__type__": [1, {"inner": [{"__type__": [0, {"x": 1, "y": null}]}]}]}'
    assert repr(codec.decode(data).inner) == "[Named(x=1, y=None)]"
    assert str(codec) == "JSON[Named, Silent]"


@pytest.mark.parametrize("make", [aiomas.JSON, aiomas.MsgPack, aiomas.MsgPackBlosc])
def test_codec(make):
    codec = make()
    assert str(codec) == f"{make.__name__}[]"
    for error in (SerializationError,):
        with pytest.raises(error, match=r'^No serializer found for type "<class \'test_aiomas_codecs.Point\'>"$'):
            codec.encode([Point(1, 2)])
    codec.add_serializer(*point_serializer())
    for _ in range(3):
        assert codec.decode(codec.encode({"a": [Point(1, 2), "é"]}))["a"][0] == Point(1, 2)
        with pytest.raises(Exception):  # noqa: B017 - which one is the serializer's of the codec
            codec.encode([[Point(1, 2), object()]])
    with pytest.raises(ValueError, match=r'^There is already a serializer for type "<class \'test_aiomas_codecs.Point\'>"$'):
        codec.add_serializer(*point_serializer())
    with pytest.raises(SerializationError, match=r'^Could not serialize object "<test_aiomas_codecs.Point object at 0x\w+>": .*no'):
        bad = Point(1, 2)
        del bad.x
        codec.encode(bad)
    for value in ({"__type__": 5}, {"__type__": [1, 2]}, {"__type__": [-1, 2]}, {"__type__": ["a", 2]}):
        with pytest.raises(SerializationError, match=r"expected \[type id, representation\]"):
            codec.decode(codec.encode(value))
    assert codec.decode(bytearray(codec.encode([1]))) in ([1], (1,))
    with pytest.raises(NotImplementedError):
        codecs.Codec().encode(1)


def test_serializer_that_encodes_by_itself():
    for make in (aiomas.JSON, aiomas.MsgPack):
        codec = make()
        codec.add_serializer(Point, lambda point, codec=codec: list(codec.encode([point.x])), lambda value: bytes(value))
        assert codec.decode(codec.encode([Point(7, 0), Point(8, 0)]))[0] == codec.encode([7])


def test_json_hidden_key():
    codec = aiomas.JSON()
    codec.add_serializer(*point_serializer())
    assert codec.decode(b'[{"\\u005f_type__": [0, [1, 2]]}]') == [Point(1, 2)]
    assert codec.decode(b" [1 ] ") == [1]
    for bad in (b"", b"[1", b"1 2"):
        with pytest.raises(ValueError):
            codec.decode(bad)


def test_json_circular():
    codec, value = aiomas.JSON(), []
    value.append(value)
    for _ in range(2):
        with pytest.raises(ValueError, match="Circular"):
            codec.encode(value)
    assert codec.encode([[1]]) == b"[[1]]"


def test_msgpack_integers():
    codec = aiomas.MsgPack()
    assert codec.decode(codec.encode([2**64 - 1, -(2**63)])) == (2**64 - 1, -(2**63))
    with pytest.raises(SerializationError, match=r"No serializer found for type \"<class 'int'>\""):
        codec.encode(2**64)
    assert codec.encode([1]) == b"\x91\x01"
    big = codec.encode(b"x" * (2 << 20))
    assert len(big) == (2 << 20) + 5 and codec.encode(1) == b"\x01"


def test_blosc_chunks_by_hand():
    codec = aiomas.MsgPackBlosc()
    assert codec.encode(7) == bytes.fromhex("02010308 01000000 01000000 11000000 07")
    assert codec.decode(bytes.fromhex("02011308 04000000 01000000 14000000 93010007")) == (1, 0, 7)
    for bad in (b"", b"\x02\x01\x13\x08\x09\x00\x00\x00" + b"\x00" * 9):
        with pytest.raises(ValueError, match="Blosc chunk"):
            codec.decode(bad)


@pytest.mark.parametrize("missing, text", [("MsgPack", "mp"), ("MsgPackBlosc", "mpb")])
def test_missing_packages(monkeypatch, missing, text):
    monkeypatch.setattr(codecs, "msgpack", None)
    packages = '"msgpack-python"' if text == "mp" else '"msgpack-python" and "blosc"'
    with pytest.raises(ImportError) as caught:
        getattr(aiomas, missing)()
    assert str(caught.value) == f"Please install {packages} to use the {missing} codec: pip install -U aiomas[{text}]"


class Service:
    router = aiomas.rpc.Service()

    @aiomas.expose
    def swap(self, point):
        return {"point": Point(point.y, point.x), "self": self}


@pytest.mark.parametrize("codec", [aiomas.JSON, aiomas.MsgPack, aiomas.MsgPackBlosc])
def test_extra_serializers_over_rpc(codec):
    async def main():
        calls = []

        def counted():
            calls.append(1)
            return point_serializer()

        async with Served(Service(), codec=codec, extra_serializers=[counted, Named.__serializer__]) as client:
            assert await client.remote.swap(Point(1, 2)) == {"point": Point(2, 1), "self": client.remote}
            assert str(client.channel.codec) == f"{codec.__name__}[Point, Named, object]"
            if codec is not aiomas.JSON:
                with pytest.raises(SerializationError, match=r'^Could not serialize object "18446744073709551616": No serializer fou'):
                    client.remote.swap(2**64)
            assert await client.remote.swap(Point("a", None)) == {"point": Point(None, "a"), "self": client.remote}
        assert len(calls) == 2

    run(main())


def test_object_cannot_be_registered_for_rpc():
    async def main():
        server = await aiomas.rpc.start_server(("127.0.0.1", 0), Service())
        taken = [lambda: (object, str, str)]
        with pytest.raises(ValueError, match=r"^There is already a serializer for type \"<class 'object'>\"$"):
            await aiomas.rpc.open_connection(server.sockets[0].getsockname(), extra_serializers=taken)
        server.close()
        await server.wait_closed()

    run(main())


def test_codec_that_wants_every_map():
    class Upper(aiomas.JSON):
        def deserialize_obj(self, obj_repr):
            found = super().deserialize_obj(obj_repr)
            return {key.upper(): value for key, value in found.items()} if isinstance(found, dict) else found

    assert Upper().decode(b'{"a": {"b": 1}}') == {"A": {"B": 1}}
