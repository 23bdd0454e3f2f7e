"""A peer that dies in mid-call: kill -9 of the server's process, kill -9 of the client's process."""

import time

import program
import pytest
from environments import OURS, REAL
from raw import CODECS, Raw, encode, plain

PAIRS = pytest.mark.parametrize(
    "client, server, codec",
    [(client, server, codec) for client, server in ((OURS, REAL), (REAL, OURS), (OURS, OURS), (REAL, REAL)) for codec in CODECS],
    ids=lambda value: {OURS: "ours", REAL: "real"}.get(value, value),
)
PENDING = 100


def call(caller, path, args, tag):
    caller.tell(call=path, args=args, tag=tag)
    assert caller.expect("started")["started"] == tag


def outcome(caller, tag):
    caller.tell(**{"await": tag})
    return caller.expect("tag")


@PAIRS
def test_server_is_killed_in_mid_call(client, server, codec, tmp_path):
    """All pending calls end at once, later calls are refused, the callback hears of it, the client's process ends well."""
    serving, addresses = program.server(server, codec, "tcp", tmp_path)
    with serving, program.Program(client, "caller.py", client, codec, addresses[0], "serving") as caller:
        caller.expect("ready")
        for tag in range(PENDING):
            call(caller, "wait", [f"never {tag}"], tag)
        call(caller, "started_of", ["never", PENDING], PENDING)
        assert len(outcome(caller, PENDING)["result"]) == PENDING
        serving.kill()
        for tag in range(PENDING):
            assert outcome(caller, tag)["raised"] == "ConnectionResetError"
        caller.tell(resets=True)
        assert caller.expect("resets")["resets"][0] == "ConnectionResetError"
        caller.tell(call="wait", args=["more"], tag=PENDING + 1)
        assert caller.expect("tag")["raised"] == "ConnectionResetError"
        assert caller.end() == 0, caller.error_text


@PAIRS
def test_client_is_killed_in_mid_call(client, server, codec, tmp_path):
    """The server's own calls to the dead client end, its callback hears of it, other connections do not notice."""
    serving, addresses = program.server(server, codec, "tcp", tmp_path)
    yes = plain(codec, encode(codec, [1, 2, True]))
    with serving, Raw.connect(addresses[0]) as watcher:
        row = ["peer.py", client, "client", codec, "tcp", ",".join(addresses), server, "dies_in_mid_call"]
        with program.Program(client, *row) as dying:
            assert dying.expect("about")["about"] == "to die"
            watcher.send(encode(codec, [0, 1, ["started_of", ["watch", 1], {}]]))
            assert watcher.frame() is not None
            dying.kill()
        answer, end = None, time.monotonic() + program.END_LIMIT_S
        while answer != yes and time.monotonic() < end:
            watcher.send(encode(codec, [0, 2, ["saw_the_end", [], {}]]))
            answer = plain(codec, watcher.frame())
        assert answer == yes
        watcher.end()
        assert watcher.frame() is None
        assert serving.end() == 0, serving.error_text
