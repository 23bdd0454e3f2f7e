"""Peers that speak mosaik's API: its own package as simulator and as master, and bytes on a socket."""

import json
import socket
import subprocess

import environments
import program
import pytest
from environments import OURS, REAL
from raw import Raw

SUBJECTS = pytest.mark.parametrize("subject", [OURS, REAL], ids=["ours", "real"])


@SUBJECTS
def test_master_drives_the_example_simulator_of_mosaik(subject):
    """The simulator is the example that comes with mosaik-api-v3; what it answers and how it fails reaches us unchanged."""
    with program.Program(subject, "mosaik.py", subject, "master") as master:
        address = master.expect("ready")["ready"]
        python, environment = environments.command(REAL)
        row = [python, "-m", "example_sim.mosaik", address]
        simulator = subprocess.Popen(row, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        try:
            said = master.expect("said")["said"]
            assert master.expect("stopped") == {"stopped": True}
            output, _ = simulator.communicate(timeout=program.END_LIMIT_S)
        finally:
            simulator.kill()
        assert simulator.returncode == 0, output
        assert master.end() == 0, master.error_text
    assert said[0]["api_version"].startswith("3.") and said[0]["extra_methods"] == ["example_method"]
    assert said[1] == [{"eid": "0.0", "type": "A", "rel": []}, {"eid": "0.1", "type": "A", "rel": []}]
    assert said[2] == [{"eid": "1.0", "type": "B", "rel": []}]
    assert said[3:7] == [None, 2, {"0.0": {"val_out": 5}, "0.1": {"val_out": 5}, "1.0": {"val_out": 5}}, [1, {"a": None}]]
    assert said[7] == ["KeyError", "'C'", True]
    assert said[8][0] == "TypeError" and "wrong" in said[8][1] and said[8][2] is True
    assert said[9] == "alive"


def test_simulator_is_driven_by_the_channel_of_mosaik():
    """Ours as simulator: its failures have the form that mosaik unpacks, with type and text, and mosaik's failures reach it."""
    said = drive(OURS)
    assert said[7] == ["Unknown", "model C", True]
    assert said[8][0] == "TypeError" and "wrong" in said[8][1] and said[8][2] is True


def test_the_original_as_simulator_fails_in_characters():
    """Why ours has the option: the text of the original is unpacked to single characters. The rest of the session is the same."""
    said = drive(REAL)
    assert said[7][:2] == ["T", "r"]


def drive(subject):
    with program.Program(REAL, "mosaik.py", "channel", "master") as master:
        address = master.expect("ready")["ready"]
        with program.Program(subject, "mosaik.py", subject, "simulator", address) as simulator:
            said = master.expect("said")["said"]
            assert master.expect("stopped") == {"stopped": True}
            assert simulator.end() == 0, simulator.error_text
        assert master.end() == 0, master.error_text
    assert said[0]["sid"] == "sid-0" and said[0]["times"] == [0.5, 2]
    assert [part["eid"] for part in said[1] + said[2]] == ["0.0", "0.1", "1.0"]
    assert said[3:5] == [None, 2] and said[5]["progress"] == 42.5
    assert said[5]["refusal"] == ["Unknown", "nothing_like_this", True]
    assert said[6] == [1, {"a": None}] and said[9] == "alive"
    return said


@SUBJECTS
def test_simulator_and_exact_frames(subject):
    """Byte for byte what mosaik's own encoder gives for the same values, but for the failure of the original."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(program.START_LIMIT_S)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with program.Program(subject, "mosaik.py", subject, "simulator", address) as simulator, Raw(listener.accept()[0]) as raw:
            raw.send(json.dumps([0, 0, ["create", [1, "A"], {"init_val": 0}]]).encode())
            assert raw.frame() == json.dumps([1, 0, [{"eid": "0.0", "type": "A", "rel": []}]]).encode()
            raw.send(json.dumps([0, 1, ["step", [0, {}, 1], {}]]).encode())
            assert raw.frame() == json.dumps([0, 0, ["get_progress", [], {}]]).encode()
            raw.send(json.dumps([1, 0, 1.5]).encode())
            assert raw.frame() == json.dumps([0, 1, ["nothing_like_this", [], {}]]).encode()
            raw.send(json.dumps([2, 1, ["Refused", "no", "line"]]).encode())
            assert raw.frame() == json.dumps([1, 1, 2]).encode()
            raw.send(json.dumps([0, 2, ["create", [1, "Z"], {"init_val": 0}]]).encode())
            kind, number, content = json.loads(raw.frame())
            assert (kind, number) == (2, 2)
            if subject == OURS:
                assert content[:3] == ["Unknown", "model Z", "Traceback (most recent call last):\n"]
                assert content[-1] == "Unknown: model Z\n" and all(line.endswith("\n") for line in content[2:])
            else:
                assert content.startswith("Traceback (most recent call last):\n")
            raw.send(json.dumps([0, 3, ["stop", [], {}]]).encode())
            assert raw.frame() is None
            assert simulator.end() == 0, simulator.error_text
