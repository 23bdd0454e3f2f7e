"""Bytes against a server or a client: malformed input, segmentation, exact frames, the end of a connection.

Each test runs against the real aiomas too, with the original's behaviour; where ours is better by decision, the test says both.
"""

import json
import select
import socket
import struct

import program
import pytest
import yaml
from environments import OURS, REAL, ROOT
from raw import CODECS, LIMIT_S, Raw, encode, plain

VECTORS = ROOT / "tests" / "vectors" / "aiomas"
PROVOCATIONS = yaml.safe_load((VECTORS / "provocations.yaml").read_text())
SUBJECTS = pytest.mark.parametrize("subject", [OURS, REAL], ids=["ours", "real"])
EACH_CODEC = pytest.mark.parametrize("codec", CODECS)
# Payloads of provocations.yaml that ours answers with a failure, as their id can be read; the original closes the connection.
ANSWERED = {
    "JSON": {
        *("truncated", "trailing comma", "two values", "control character", "bad escape", "single quotes", "key without quotes"),
        *("array of 2", "array of 4"),
    },
    "MsgPack": {"truncated", "trailing byte", "array of 2", "array of 4", "text is not UTF-8", "array bomb"},
    "MsgPackBlosc": {"truncated", "trailing byte", "array of 2", "array bomb"},
}
# What a peer that never reads may make a server hold, and the replies that are asked of it.
FLOOD_BYTES = 256 << 20
HELD_BYTES = 64 << 20


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A running server per subject and codec; all end well."""
    running = {}

    def get(subject, codec):
        if (subject, codec) not in running:
            running[subject, codec] = program.server(subject, codec, "tcp", tmp_path_factory.mktemp("server"))
        return running[subject, codec][1][0]

    yield get
    for (subject, _), (server, _) in running.items():
        code = server.end()
        assert code == 0 or subject == REAL, server.error_text


@pytest.fixture
def callers():
    """Starts a client against a raw server of the test; gives the client program and the server's end of the connection."""
    started = []

    def start(subject, codec, *options):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(program.START_LIMIT_S)
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            caller = program.Program(subject, "caller.py", subject, codec, address, *options)
            started.append(caller)
            raw = Raw(listener.accept()[0])
        caller.expect("ready")
        return caller, raw

    yield start
    for caller in started:
        with caller:
            code = caller.end()
            assert code == 0, caller.error_text


# --- a server and malformed requests ----------------------------------------------------------------------------------------


@SUBJECTS
@pytest.mark.parametrize("row", PROVOCATIONS, ids=lambda row: f"{row['codec']}, {row['name']}")
def test_server_and_provocations(servers, subject, row):
    """Every payload of tests/vectors/aiomas/provocations.yaml. Ours answers whatever has an id, and lives on."""
    codec, name, effect = row["codec"], row["name"], row["effect"]
    with Raw.connect(servers(subject, codec)) as raw:
        raw.send(bytes.fromhex(row["payload"]))
        if subject == OURS and (effect == "silent" or name in ANSWERED[codec]):
            answer = raw.frame()
            assert answer is not None and plain_start(codec, answer) == 2, answer
            assert raw.alive(codec) == (True, [])
        elif effect == "silent" or (subject == OURS and name == "result nobody asked for"):
            assert raw.alive(codec) == (True, [])
        elif effect == "closed":
            assert raw.frame() is None
        else:
            answer = raw.frame()
            assert answer is not None, "it closed the connection"
            if effect == "exception":
                assert plain_start(codec, answer) == 2
            else:
                assert plain(codec, answer) == plain(codec, bytes.fromhex(effect))


def plain_start(codec, payload):
    """The kind of a message."""
    if codec == "JSON":
        return json.loads(payload)[0]
    if codec == "MsgPackBlosc" and not payload[2] & 2:
        return 2  # only a traceback is long enough to be compressed
    data = plain(codec, payload)
    assert data[0] == 0x93
    return data[1]


ARGUMENTS = [
    ('[0, 0, ["echo", "ab", {}]]', [1, 0, ["a", "b", {}]]),
    ('[0, 0, ["echo", {"k": 1}, {}]]', [1, 0, ["k", {}]]),
    ('[0, 0, ["echo", null, {}]]', "TypeError: service.make.<locals>.Root.echo() argument after * must be an iterable, not NoneType"),
    ('[0, 0, ["echo", 5, {}]]', "TypeError: service.make.<locals>.Root.echo() argument after * must be an iterable, not int"),
    ('[0, 0, ["echo", [], null]]', "TypeError: service.make.<locals>.Root.echo() argument after ** must be a mapping, not NoneType"),
    ('[0, 0, ["echo", [], []]]', "TypeError: service.make.<locals>.Root.echo() argument after ** must be a mapping, not list"),
]


@SUBJECTS
@pytest.mark.parametrize("payload, expected", ARGUMENTS, ids=[row[0] for row in ARGUMENTS])
def test_server_and_odd_arguments(servers, subject, payload, expected):
    with Raw.connect(servers(subject, "JSON")) as raw:
        raw.send(payload.encode())
        answer = json.loads(raw.frame())
        if isinstance(expected, list):
            assert answer == expected
        else:
            assert answer[:2] == [2, 0] and answer[2].splitlines()[-1] == expected
        assert raw.alive("JSON") == (True, [])


@SUBJECTS
@EACH_CODEC
def test_server_and_segments(servers, subject, codec):
    """Any segmentation: byte by byte, many frames at once, a frame cut anywhere."""
    frames = [encode(codec, [0, number, ["give_back", [number], {}]]) for number in range(20)]
    answers = [plain(codec, encode(codec, [1, number, number])) for number in range(20)]
    stream = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
    with Raw.connect(servers(subject, codec)) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in (1, 3, 7, len(stream)):
            for start in range(0, len(stream), cut):
                raw.socket.sendall(stream[start : start + cut])
            assert [plain(codec, raw.frame()) for _ in answers] == answers


@SUBJECTS
def test_server_and_equal_ids(servers, subject):
    with Raw.connect(servers(subject, "JSON")) as raw:
        raw.send(*[encode("JSON", [0, 7, ["give_back", [n], {}]]) for n in (1, 2)])
        assert sorted(raw.frame() for _ in range(2)) == [b"[1, 7, 1]", b"[1, 7, 2]"]


@SUBJECTS
@EACH_CODEC
def test_server_and_a_cut_frame(servers, subject, codec):
    """A frame that ends in the middle is dropped with its connection; the next connection is served."""
    with Raw.connect(servers(subject, codec)) as raw:
        raw.socket.sendall(b"\0\0\0\x10" + encode(codec, [0, 0, ["echo", [], {}]])[:5])
        raw.end()
        assert raw.frame() is None
    with Raw.connect(servers(subject, codec)) as raw:
        assert raw.alive(codec) == (True, [])


@SUBJECTS
@EACH_CODEC
def test_server_and_a_half_closed_connection(servers, subject, codec):
    """The end of the peer's input is the end of the connection; an answer may have been on its way in ours."""
    with Raw.connect(servers(subject, codec)) as raw:
        raw.send(encode(codec, [0, 0, ["wait", ["never"], {}]]))
        raw.end()
        assert raw.frame() is None
    with Raw.connect(servers(subject, codec)) as raw:
        assert raw.alive(codec) == (True, [])


@EACH_CODEC
@pytest.mark.parametrize("header", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"], ids=["4 GiB", "2 GiB"])
def test_server_refuses_frames_above_its_limit(servers, codec, header):
    """Ours closes; the original would wait for the bytes, however many a header claims."""
    with Raw.connect(servers(OURS, codec)) as raw:
        raw.socket.sendall(header)
        assert raw.frame() is None


@SUBJECTS
@EACH_CODEC
def test_server_and_a_depth_bomb(servers, subject, codec):
    deep = b"[" * 200_000 if codec == "JSON" else b"\x91" * 200_000
    if codec == "MsgPackBlosc":
        deep = bytes((2, 1, 3, 8)) + struct.pack("<III", len(deep), len(deep), len(deep) + 16) + deep
    with Raw.connect(servers(subject, codec)) as raw:
        raw.send(deep)
        assert raw.frame() is None
    with Raw.connect(servers(subject, codec)) as raw:
        assert raw.alive(codec) == (True, [])


def test_server_and_a_peer_that_never_reads(servers):
    """Ours stops reading when its answers are not taken: what it holds stays bounded. Then every answer comes, in order."""
    part = "x" * (1 << 16)
    with Raw.connect(servers(OURS, "JSON")) as raw:
        sent, pending, number = 0, b"", 0
        raw.socket.setblocking(False)
        while sent < FLOOD_BYTES:
            if not pending:
                payload = encode("JSON", [0, number, ["give_back", [part], {}]])
                pending, number = struct.pack(">I", len(payload)) + payload, number + 1
            if not select.select([], [raw.socket], [], 2)[1]:
                break
            taken = raw.socket.send(pending)
            sent, pending = sent + taken, pending[taken:]
        assert sent < HELD_BYTES, f"the server took {sent} bytes of a peer that reads nothing"
        raw.socket.settimeout(LIMIT_S)
        whole = number - 1 if pending else number
        for expected in range(whole):
            assert json.loads(raw.frame())[:2] == [1, expected]
        if pending:
            raw.socket.sendall(pending)
            assert json.loads(raw.frame())[:2] == [1, whole]
        assert raw.alive("JSON") == (True, [])


# --- a client and malformed replies -----------------------------------------------------------------------------------------


def call(caller, path, args, tag):
    caller.tell(call=path, args=args, tag=tag)
    assert caller.expect("started")["started"] == tag


def outcome(caller, tag):
    caller.tell(**{"await": tag})
    return caller.expect("tag")


@SUBJECTS
def test_client_sends_these_bytes(callers, subject):
    """Call by call the bytes of the original: what json.dumps gives, ids from 0."""
    caller, raw = callers(subject, "JSON")
    for number, (path, args) in enumerate([("math/add", [3]), ("none", []), ("é", ["é€😀", 1.0, None, {"a": [True]}])]):
        call(caller, path, args, number)
        assert raw.frame() == json.dumps([0, number, [path, args, {}]]).encode()
        raw.send(json.dumps([1, number, number]).encode())
        assert outcome(caller, number) == {"tag": number, "result": number}


@SUBJECTS
def test_client_compresses_what_can_be_compressed(callers, subject):
    caller, raw = callers(subject, "MsgPackBlosc")
    text = " ".join(f"text {number}" for number in range(10_000))
    call(caller, "f", [text], 0)
    payload = raw.frame()
    assert payload[:2] == b"\x02\x01" and len(payload) < 0.7 * len(text)
    raw.send(encode("MsgPackBlosc", [1, 0, None]))
    assert outcome(caller, 0) == {"tag": 0, "result": None}


@SUBJECTS
@EACH_CODEC
def test_client_takes_answers_in_any_order_and_segmentation(callers, subject, codec):
    caller, raw = callers(subject, codec)
    for number in range(4):
        call(caller, "f", [number], number)
        assert raw.frame() is not None
    raw.send(*[encode(codec, [1, number, number * 10]) for number in (2, 0)])
    for byte in struct.pack(">I", len(encode(codec, [1, 3, 30]))) + encode(codec, [1, 3, 30]):
        raw.socket.sendall(bytes([byte]))
    raw.send(encode(codec, [2, 1, "ValueError: from afar\n"]))
    assert [outcome(caller, n).get("result") for n in (0, 2, 3)] == [0, 20, 30]
    failure = outcome(caller, 1)
    assert failure["raised"] == "RemoteException" and failure["args"][1] == "ValueError: from afar\n"


UNDECODABLE = {
    "JSON": [b"", b"nonsense", b"[1, 0", b"[1, 0]", b"5", b"\xff"],
    "MsgPack": [b"", b"\xc1", b"\x92\x01\x00", b"\x05", b"\x93\x01\x00\xa2\xff\xfe"],
}


@SUBJECTS
@pytest.mark.parametrize("codec, payload", [(codec, payload) for codec in UNDECODABLE for payload in UNDECODABLE[codec]])
def test_client_and_an_undecodable_reply(callers, subject, codec, payload):
    """The connection ends. Pending calls of ours get ConnectionResetError; of the original the decoder's own error."""
    caller, raw = callers(subject, codec)
    for tag in (0, 1):
        call(caller, "f", [], tag)
        raw.frame()
    raw.send(payload)
    assert raw.frame() is None
    for tag in (0, 1):
        failure = outcome(caller, tag)
        assert "raised" in failure, failure
        assert subject == REAL or failure["raised"] == "ConnectionResetError", failure


@SUBJECTS
@pytest.mark.parametrize("content", ['{"__type__": [9, ""]}', '{"__type__": 5}'])
def test_client_and_a_result_of_no_known_type(callers, subject, content):
    """Ours fails the one call; the original ends the connection."""
    caller, raw = callers(subject, "JSON")
    for tag in (0, 1):
        call(caller, "f", [], tag)
        raw.frame()
    raw.send(f"[1, 0, {content}]".encode())
    if subject == REAL:
        assert raw.frame() is None
        assert outcome(caller, 1)["raised"] == outcome(caller, 0)["raised"] != "ConnectionResetError"
    else:
        raw.send(b"[1, 1, 5]")
        assert outcome(caller, 0)["raised"] == "SerializationError"
        assert outcome(caller, 1) == {"tag": 1, "result": 5}


@SUBJECTS
@EACH_CODEC
@pytest.mark.parametrize("stray", ["unknown id", "second reply"])
def test_client_and_a_reply_nobody_waits_for(callers, subject, codec, stray):
    """Ours ignores it; the original ends the connection, and with it all pending calls."""
    caller, raw = callers(subject, codec)
    call(caller, "f", [], 0)
    call(caller, "g", [], 1)
    raw.frame(), raw.frame()
    if stray == "second reply":
        raw.send(encode(codec, [1, 0, "first"]))
        assert outcome(caller, 0)["result"] == "first"
    raw.send(encode(codec, [1, 0 if stray == "second reply" else 70, "stray"]))
    if subject == REAL:
        assert raw.frame() is None
        assert outcome(caller, 1)["raised"] == "KeyError"
    else:
        raw.send(encode(codec, [1, 1, "awaited"]))
        assert outcome(caller, 1)["result"] == "awaited"


@SUBJECTS
@EACH_CODEC
def test_client_and_an_unknown_kind_of_message(callers, subject, codec):
    caller, raw = callers(subject, codec)
    call(caller, "f", [], 0)
    raw.frame()
    raw.send(encode(codec, [5, 0, None]))
    assert raw.frame() is None
    failure = outcome(caller, 0)
    if subject == REAL:
        assert failure["raised"] == "RuntimeError" and failure["args"] == ["Invalid message type 5"]
    else:
        assert failure["raised"] == "ConnectionResetError"


@SUBJECTS
@EACH_CODEC
def test_client_and_the_late_reply_to_a_cancelled_call(callers, subject, codec):
    caller, raw = callers(subject, codec)
    call(caller, "f", [], 0)
    call(caller, "g", [], 1)
    raw.frame(), raw.frame()
    caller.tell(cancel=0)
    caller.expect("cancelled")
    raw.send(encode(codec, [1, 0, "late"]))
    if subject == REAL:
        assert raw.frame() is None
        assert outcome(caller, 1) == {"tag": 1, "raised": "RuntimeError", "args": ["Request was cancelled."]}
    else:
        raw.send(encode(codec, [1, 1, "in time"]))
        assert outcome(caller, 1) == {"tag": 1, "result": "in time"}


@SUBJECTS
@pytest.mark.parametrize("content", [["Type", "text", "line 1", "line 2"], "text", None, 5, {"a": [1]}, []], ids=repr)
def test_client_and_any_value_as_failure(callers, subject, content):
    caller, raw = callers(subject, "JSON")
    call(caller, "f", [], 0)
    raw.frame()
    raw.send(encode("JSON", [2, 0, content]))
    failure = outcome(caller, 0)
    assert failure["raised"] == "RemoteException" and failure["args"][1] == content, failure
    assert failure["args"][0] == list(raw.socket.getsockname())


@SUBJECTS
@EACH_CODEC
def test_client_and_a_request_it_has_no_service_for(callers, subject, codec):
    caller, raw = callers(subject, codec)
    raw.send(encode(codec, [0, 0, ["name", ["x"], {}]]))
    call(caller, "f", [], 0)
    answers = [raw.frame()]
    while plain_start(codec, answers[-1]) == 2:  # ours may say that nothing is served here
        assert subject == OURS
        answers.append(raw.frame())
    raw.send(encode(codec, [1, 0, "fine"]))
    assert outcome(caller, 0)["result"] == "fine"


@SUBJECTS
@EACH_CODEC
def test_client_serves_while_it_waits(callers, subject, codec):
    caller, raw = callers(subject, codec, "serving")
    call(caller, "f", [], 0)
    assert raw.frame() is not None
    raw.send(encode(codec, [0, 0, ["name", ["x"], {}]]), encode(codec, [0, "other", ["fail", ["y"], {}]]))
    assert plain(codec, raw.frame()) == plain(codec, encode(codec, [1, 0, "Monty x"]))
    assert plain_start(codec, raw.frame()) == 2
    raw.send(encode(codec, [1, 0, None]))
    assert outcome(caller, 0) == {"tag": 0, "result": None}


@SUBJECTS
@pytest.mark.parametrize("how", ["fin", "reset", "cut frame"])
def test_client_whose_connection_is_lost(callers, subject, how):
    """Every pending call ends, every later call fails at once, the callback hears of it once."""
    caller, raw = callers(subject, "JSON", "serving")
    for tag in range(3):
        call(caller, "f", [], tag)
        raw.frame()
    if how == "reset":
        raw.reset()
    else:
        if how == "cut frame":
            raw.socket.sendall(b'\0\0\0\x10[1, 0, "x')
        raw.socket.close()
    expected = [104, "Connection reset by peer"] if how == "reset" else []
    for tag in range(3):
        assert outcome(caller, tag) == {"tag": tag, "raised": "ConnectionResetError", "args": expected}
    caller.tell(resets=True)
    assert caller.expect("resets")["resets"] == ["ConnectionResetError", expected]
    caller.tell(call="f", args=[], tag=3)
    assert caller.expect("tag")["raised"] == "ConnectionResetError"


def test_client_refuses_frames_above_its_limit(callers):
    caller, raw = callers(OURS, "JSON")
    call(caller, "f", [], 0)
    raw.frame()
    raw.socket.sendall(b"\xff\xff\xff\xff")
    assert raw.frame() is None
    assert outcome(caller, 0)["raised"] == "ConnectionResetError"
