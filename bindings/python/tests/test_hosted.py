"""Connections whose bytes the host moves, through the bridge and through ctypes: both must do the same."""

import os
import subprocess
import sys

import pytest

from aimrt_rpc import _abi, _core, errors

REQUEST, RESULT, EXCEPTION, FRAME = (
    _abi.AIMRT_RPC_CONNECTION_EVENT_REQUEST,
    _abi.AIMRT_RPC_CONNECTION_EVENT_RESULT,
    _abi.AIMRT_RPC_CONNECTION_EVENT_EXCEPTION,
    _abi.AIMRT_RPC_CONNECTION_EVENT_FRAME,
)
CALL = b'["add", [1, 2], {}]'


@pytest.fixture
def make():
    """Makes connections that are gone after the test."""
    made = []

    def one(codec=0, max_frame=0, max_depth=0, max_pending=0, max_open=0):
        made.append(_core.hosted_create(codec, max_frame, max_depth, max_pending, max_open))
        return made[-1]

    yield one
    for connection in made:
        _core.hosted_release(connection)


def test_request_and_reply_meet_by_number(make):
    client, server = make(), make()
    frames = [_core.hosted_request(client, CALL) for _ in range(3)]
    assert [number for number, _ in frames] == [0, 1, 2]
    assert _core.hosted_counts(client) == (3, 0)
    stream = b"".join(frame for _, frame in frames)
    events = []
    for i in range(0, len(stream), 5):
        got, output, error = _core.hosted_feed(server, stream[i : i + 5])
        assert (output, error) == (b"", None)
        events += got
    assert events == [(REQUEST, i, CALL) for i in range(3)]
    assert _core.hosted_drop(server, 0) is True and _core.hosted_drop(server, 0) is False
    replies = _core.hosted_reply(server, 2, RESULT, b"3") + _core.hosted_reply(server, 1, EXCEPTION, b'"bad"')
    assert _core.hosted_counts(server) == (0, 0)
    assert _core.hosted_feed(client, replies) == ([(RESULT, 2, b"3"), (EXCEPTION, 1, b'"bad"')], b"", None)
    assert _core.hosted_forget(client, 0) is True and _core.hosted_forget(client, 0) is False


def test_texts_are_the_contents_of_json(make):
    client, server = make(), make()
    text = '["add", ["\u00e4 \u20ac \U0001f600", "' + "x" * 300_000 + '"], {}]'
    number, frame = _core.hosted_request_text(client, text)
    events = []
    for i in range(0, len(frame), 65536):
        events += _core.hosted_feed_text(server, frame[i : i + 65536])[0]
    assert events == [(REQUEST, 0, text)]
    reply = _core.hosted_reply_text(server, 0, RESULT, text)
    assert _core.hosted_feed_text(client, reply + frame[:100]) == ([(RESULT, number, text)], b"", None)
    with pytest.raises(errors.LibraryError):
        _core.hosted_request_text(client, "[1")


def test_frames_in_pieces_arrive_whole_beside_others(make):
    opaque, peer = make(3), make(3)
    payloads = [bytes([65 + i % 26]) * size for i, size in enumerate((10, 70_000, 300_000, 1, 1_500_000, 40_000, 0, 270_000))]
    stream = b"".join(_core.hosted_frame(opaque, payload) for payload in payloads)
    for piece in (1000, 65_536, 262_144, len(stream)):
        got = []
        for i in range(0, len(stream), piece):
            got += _core.hosted_feed(peer, stream[i : i + piece])[0]
        assert [content for _, _, content in got] == payloads


def test_every_codec_carries_contents(make):
    text = b"\xda\x10\x00" + b"x" * 4096  # a text of 4096 bytes in MsgPack
    for codec, content in ((0, b'"' + b"x" * 4096 + b'"'), (1, text), (2, text)):
        client, server = make(codec), make(codec)
        number, frame = _core.hosted_request(client, content)
        assert (len(frame) < 1000) == (codec == 2)  # compressed
        assert _core.hosted_feed(server, frame)[0] == [(REQUEST, 0, content)]
        assert _core.hosted_feed(client, _core.hosted_reply(server, 0, RESULT, content))[0] == [(RESULT, number, content)]


def test_more_events_than_one_batch(make):
    connection = make(codec=3)
    frames = [_core.hosted_frame(connection, b"%d" % i) for i in range(1000)]
    events, _, error = _core.hosted_feed(connection, b"".join(frames))
    assert error is None and [content for _, _, content in events] == [b"%d" % i for i in range(1000)]
    assert {kind for kind, _, _ in events} == {FRAME}


def test_large_contents(make):
    client, server = make(), make()
    content = b'"' + b"x" * (3 << 20) + b'"'
    frame = _core.hosted_request(client, content)[1]
    half = len(frame) // 2
    assert _core.hosted_feed(server, frame[:half])[0] == []
    assert _core.hosted_feed(server, frame[half:])[0] == [(REQUEST, 0, content)]


def test_bad_bytes_come_after_what_was_sound(make):
    connection = make(max_frame=200)
    good = b"\0\0\0\x09[0, 7, 1]"
    events, output, error = _core.hosted_feed(connection, good + b"\0\0\0\x06[0, 8," + good + b"\0\0\1\0" + good)
    assert events == [(REQUEST, 0, b"1"), (REQUEST, 1, b"1")]
    assert output[4:].startswith(b'[2, 8, "Traceback (most recent call last):')
    assert error == "a frame of the peer: 256 is more than MaxFrameBytes 200"
    with pytest.raises(errors.InvalidState, match="256 is more than MaxFrameBytes 200"):
        _core.hosted_feed(connection, good)


def test_refusals(make):
    client = make(max_pending=1)
    _core.hosted_request(client, b"1")
    with pytest.raises(errors.LibraryError, match="MaxPending") as limit:
        _core.hosted_request(client, b"1")
    assert limit.value.result == _abi.AIMRT_RPC_RESULT_LIMIT
    assert _core.hosted_forget(client, 0)
    with pytest.raises(errors.InvalidArgument, match="malformed JSON at byte 1"):
        _core.hosted_request(client, b"[")
    with pytest.raises(errors.NotFound):
        _core.hosted_reply(client, 5, RESULT, b"1")
    with pytest.raises(errors.LibraryError, match="opaque"):
        _core.hosted_frame(client, b"x")
    with pytest.raises(errors.InvalidArgument, match="codec is 4"):
        make(codec=4)
    with pytest.raises(errors.InvalidHandle):
        _core.hosted_feed(0, b"x")
    with pytest.raises((TypeError, AttributeError)):
        _core.hosted_feed(client, "text")


def test_end_of_input(make):
    client, server = make(), make()
    _core.hosted_feed(server, _core.hosted_request(client, CALL)[1] + b"\0\0")
    _core.hosted_request(server, CALL)
    assert _core.hosted_end_of_input(server) == 2
    assert _core.hosted_counts(server) == (0, 1)
    with pytest.raises(errors.InvalidState, match="peer has ended"):
        _core.hosted_request(server, CALL)
    assert _core.hosted_feed(client, _core.hosted_reply(server, 0, RESULT, b"3"))[0] == [(RESULT, 0, b"3")]


def test_nothing_is_left():
    before = _core.lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_ANY)
    connection = _core.hosted_create(1, 0, 0, 0, 0)
    assert _core.lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_CONNECTION) >= 1
    _core.hosted_release(connection)
    _core.hosted_release(connection)
    assert _core.lib.aimrt_rpc_live_count(_abi.AIMRT_RPC_KIND_ANY) == before


@pytest.mark.skipif(not _core.bridged, reason="this is the run without the bridge")
def test_the_same_without_the_bridge():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "AIMRT_RPC_NO_BRIDGE": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0 and "10 passed, 1 skipped" in done.stdout, done.stdout
