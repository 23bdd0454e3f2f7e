"""Peers as processes: start, wait until they are ready, talk, end."""

import json
import queue
import subprocess
import threading
from pathlib import Path

import environments

HERE = Path(__file__).resolve().parent
START_LIMIT_S = 120
ANSWER_LIMIT_S = 180
END_LIMIT_S = 60


class Program:
    """A running script of this folder that prints one JSON object per line. One that does not start fails the test."""

    def __init__(self, subject, script, *args, variables=None, shim=False, cwd=None):
        python, environment = environments.command(subject, shim)
        args = [
            environments.package_of(str(arg)) if arg in (environments.REAL, environments.OURS, *environments.OTHERS) else arg
            for arg in args
        ]
        self.name = " ".join([subject, script, *map(str, args)])
        self.process = subprocess.Popen(
            [python, "-B", str(HERE / script), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment, **(variables or {})},
            cwd=cwd,
        )
        self.lines = queue.Queue()
        self.errors = []
        self._readers = [threading.Thread(target=self._read, daemon=True), threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    @property
    def error_text(self):
        return "".join(self.errors)

    def next(self, limit_s=ANSWER_LIMIT_S):
        """The next line, decoded; None when the program ended."""
        try:
            line = self.lines.get(timeout=limit_s)
        except queue.Empty:
            self.kill()
            raise AssertionError(f"{self.name} says nothing for {limit_s} s\n{self.error_text}") from None
        return None if line is None else json.loads(line)

    def expect(self, key, limit_s=START_LIMIT_S):
        """The next line, which has to have this key."""
        line = self.next(limit_s)
        if line is None:
            self._join()
        assert line is not None and key in line, f"{self.name} printed {line}, expected {key!r}\n{self.error_text}"
        return line

    def tell(self, **facts):
        self.process.stdin.write(json.dumps(facts) + "\n")
        self.process.stdin.flush()

    def end(self):
        """Ends its input and waits for it; gives its exit code."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            code = self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} does not end\n{self.error_text}") from None
        self._join()
        return code

    def kill(self):
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()
        self._join()

    def _join(self):
        for reader in self._readers:
            reader.join(END_LIMIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def server(subject, codec, network, folder, variables=None):
    """Starts peer.py as a server; gives it with its addresses: RPC, RPC with serializers, channel layer."""
    address = str(folder / "s") if network == "unix" else "127.0.0.1:0"
    program = Program(subject, "peer.py", subject, "server", codec, network, address, variables=variables)
    return program, program.expect("ready")["ready"]
