"""Runs the Python examples as a reader would and checks what they print. The C and C++ examples: `make cpp-examples`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import aimrt_rpc

HERE = Path(__file__).resolve().parent
DONE = "Call rpc done, status: suc, code 0, msg: OK"


def free_port():
    """Gives a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command, cwd, limit_s=60):
    """Runs a program to its end; gives what it printed."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit_s)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """The guide's folder with generated stubs and a port of its own."""
    folder = tmp_path_factory.mktemp("guide") / "aimrt_guide"
    shutil.copytree(HERE / "aimrt_guide", folder)
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run(["./generate.sh"], cwd=folder, check=True, env=environment)
    port = str(free_port())
    for name in ("server.yaml", "client.yaml"):
        path = folder / "cfg" / name
        path.write_text(path.read_text().replace("50080", port))
    return folder, port


def test_aimrt_guide_in_one_process(guide):
    text = run(sys.executable, "one_process.py", cwd=guide[0])
    assert "before Start: fail, code 2011, msg: Client side not ready" in text
    assert "in one process: suc, code 0, msg: OK, rsp: echo example msg" in text
    assert "Server handle new rpc call." in text


def test_aimrt_guide_both_programs_in_one_process(guide):
    text = run(sys.executable, "both.py", cwd=guide[0])
    assert DONE in text and '"msg": "echo example msg"' in text


def test_aimrt_guide_as_two_processes(guide):
    folder, port = guide
    server = subprocess.Popen([sys.executable, "-u", "server.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        text = run(sys.executable, "client.py", cwd=folder)
        assert DONE in text and '"msg": "echo example msg"' in text
        url = f"http://127.0.0.1:{port}/rpc/example.ExampleService/GetFooData"
        curl = run("curl", "-s", "-i", "-H", "content-type:application/json", url, "-d", '{"msg": "curl"}', cwd=folder)
        assert curl.startswith("HTTP/1.1 200 OK") and '"msg": "echo curl"' in curl
    finally:
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=60)
    assert server.returncode == 0, output
    assert "meta key: key1, value: value1" in output and "Server handle new rpc call." in output


SUMS = "3 + 4 = 7\n"
BOTH_SUMS = "3 + 4 = 7\n4 - 3 = 1\n"
FAILURE = "from the server: True\nfirst line: Traceback (most recent call last):\nlast line: ValueError: 'spam' is not a number\n"
AIOMAS_GUIDE = {
    "class_service.py": SUMS,
    "dict_service.py": SUMS,
    "dict_hierarchy.py": BOTH_SUMS,
    "class_hierarchy.py": BOTH_SUMS,
    "router_hierarchy.py": BOTH_SUMS,
    "callback.py": "the server says: welcome, Monty\n",
    "remote_failure.py": FAILURE,
    "connected_clients.py": "connected: RpcClient\n",
    "lost_connection.py": "the connection is lost\n",
    "leaving_clients.py": "came - members now: 1\nleft: ConnectionResetError - members now: 0\n",
}


def test_aiomas_guide_is_complete():
    assert sorted(AIOMAS_GUIDE) == sorted(path.name for path in (HERE / "aiomas_guide").glob("*.py"))


@pytest.mark.parametrize("program", AIOMAS_GUIDE)
@pytest.mark.parametrize("name", ["aimrt_rpc.aiomas", "aiomas"])
def test_aiomas_guide(tmp_path, monkeypatch, program, name):
    """As it is, and with the shim's name for the same package: then only the line of the import differs."""
    text = (HERE / "aiomas_guide" / program).read_text()
    if name == "aiomas":
        assert text.count("import aimrt_rpc.aiomas as aiomas\n") == 1
        text = text.replace("import aimrt_rpc.aiomas as aiomas\n", "import aiomas\n")
        monkeypatch.setenv("PYTHONPATH", str(HERE.parent / "build" / "shims" / "aiomas"))  # what make wheel packs
    (tmp_path / program).write_text(text)
    assert run(sys.executable, "-W", "error", program, str(free_port()), cwd=tmp_path) == AIOMAS_GUIDE[program]


def test_ctypes_minimal():
    text = run(sys.executable, "ctypes_minimal/echo.py", aimrt_rpc.loaded_path(), str(free_port()), cwd=HERE)
    assert text.endswith("code 0 answer hello\n")


def test_cpp_python_robot(tmp_path):
    root = HERE.parent
    prefix = tmp_path / "prefix"
    run("make", "--no-print-directory", "install", f"PREFIX={prefix}", cwd=root, limit_s=600)
    source = HERE / "cpp_python_robot"
    run("cmake", "-S", str(source), "-B", str(tmp_path / "build"), f"-DCMAKE_PREFIX_PATH={prefix}", cwd=root)
    run("cmake", "--build", str(tmp_path / "build"), cwd=root, limit_s=600)
    text = run(sys.executable, "main.py", str(tmp_path / "build" / "librobot.so"), cwd=source)
    assert "{'x': 2.5, 'y': 6.0} -> 6.5" in text
    assert "-> 3003 z = -1.5 is below the table" in text
