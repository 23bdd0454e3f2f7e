"""The process of the test: aimrt_py hosts the two Pkgs and two modules of its own, and a conductor sends each on its tours.

Usage: program.py FOLDER CONFIG RESULTS, the folder with the generated stubs, the configuration, the file for the counts.
Every answer is compared here, whole, with what only the right module could have given to the right question. All tours are made
twice: one after the other, and with all six modules asking at once.
"""

import itertools
import json
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import modules_aimrt_rpc_pb2 as stubs
import peer_pb2

import aimrt_py

NAMES = ("Arm", "Base", "Camera", "Drive", "Ears", "Face")
PYTHON_NAMES = NAMES[4:]
SERIALIZATIONS = ("pb", "json")
LOAD_BYTES = (1 << 10, 1 << 20)
CALL_LIMIT = timedelta(seconds=30)  # only a hang takes so long
START_LIMIT_S = 30
NOT_READY = 2011
REVERSED = slice(None, None, -1)


def load_of(name, size):
    """The bytes a module sends: all values in order, from its first letter on."""
    start = ord(name[0])
    return (bytes(range(start, 256)) + bytes(range(start))) * (size // 256)


def text_of(target):
    """The text it sends, with letters that JSON writes in its own way."""
    return f'"Grüße\\\n" to {target}'


def context_for(proxy, serialization):
    """A client context."""
    context = proxy.NewContextSharedPtr()
    context.SetSerializationType(serialization)
    context.SetTimeout(CALL_LIMIT)
    return context


def proxies_for(handle, names):
    """Registers and makes a proxy for each name."""
    made = {}
    for name in names:
        proxy = getattr(stubs, name + "Proxy")
        assert proxy.RegisterClientFunc(handle), name
        made[name] = proxy(handle)
    return made


class Member(aimrt_py.ModuleBase):
    """A module that answers every other one and asks the one it is told to."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.service = type(name, (getattr(stubs, name),), {"Ask": self.ask, "Tour": self.tour})()

    def Info(self):
        info = aimrt_py.ModuleInfo()
        info.name = self.name
        return info

    def Initialize(self, core):
        handle = core.GetRpcHandle()
        self.proxies = proxies_for(handle, [name for name in NAMES if name != self.name])
        return handle.RegisterService(self.service)

    def Start(self):
        return True

    def Shutdown(self):
        pass

    def ask(self, context, question):
        answer = peer_pb2.Answer(answerer=self.name, asker=question.asker, number=question.number)
        answer.serialization = context.GetSerializationType()
        answer.text = f"{question.text} from {self.name}"
        answer.load = question.load[REVERSED]
        return aimrt_py.RpcStatus(), answer

    def tour(self, context, request):
        target = request.target
        question = peer_pb2.Question(asker=self.name, text=text_of(target), number=request.number)
        question.load = load_of(self.name, request.load_bytes)
        status, answer = self.proxies[target].Ask(context_for(self.proxies[target], request.serialization), question)
        return aimrt_py.RpcStatus(), peer_pb2.TourRsp(code=status.Code(), answer=answer)


class Conductor:
    """Sends modules on tours and counts the good answers of each pair."""

    def __init__(self, handle):
        self.proxies = proxies_for(handle, NAMES)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.good, self.problems = Counter(), []

    def tour(self, asker, request):
        """One tour, without a judgement."""
        proxy = self.proxies[asker]
        return proxy.Tour(context_for(proxy, "pb"), request)

    def until_started(self):
        """Calls until the runtime is up."""
        end = time.monotonic() + START_LIMIT_S
        while self.tour("Ears", peer_pb2.TourReq(target="Face", serialization="pb"))[0].Code() == NOT_READY:
            assert time.monotonic() < end, f"the runtime is not up after {START_LIMIT_S} s"

    def all_of(self, asker):
        """Has one module ask all the others, in every way."""
        others = [name for name in NAMES if name != asker]
        for target, serialization, size in itertools.product(others, SERIALIZATIONS, LOAD_BYTES):
            with self.lock:
                number = next(self.numbers)
            request = peer_pb2.TourReq(target=target, serialization=serialization, number=number, load_bytes=size)
            wanted = peer_pb2.Answer(answerer=target, asker=asker, serialization=serialization, number=number)
            wanted.text = f"{text_of(target)} from {target}"
            wanted.load = load_of(asker, size)[REVERSED]
            status, got = self.tour(asker, request)
            good = status.OK() and got == peer_pb2.TourRsp(answer=wanted)
            with self.lock:
                self.good[asker, target] += good
                if not good:
                    self.problems.append(f"{asker} asks {target}, {serialization}, {size} bytes: {describe(status, got, wanted)}")


def describe(status, got, wanted):
    """Says what is wrong with an answer, without its load."""
    if not status.OK() or got.code:
        return f"the tour ended with {status.ToString()}, the call with code {got.code}"
    loads = "equal" if got.answer.load == wanted.load else f"different, {len(got.answer.load)} bytes"
    wanted.ClearField("load")
    got.answer.ClearField("load")
    return f"got {got.answer} instead of {wanted}, loads {loads}"


def main():
    options = aimrt_py.CoreOptions()
    options.cfg_file_path = sys.argv[2]
    core = aimrt_py.Core()
    for name in PYTHON_NAMES:
        core.RegisterModule(Member(name))
    core.Initialize(options)
    conductor = Conductor(core.CreateModule("Conductor").GetRpcHandle())
    running = threading.Thread(target=core.Start)
    running.start()
    try:
        conductor.until_started()
        for name in NAMES:
            conductor.all_of(name)
        together = [threading.Thread(target=conductor.all_of, args=(name,)) for name in NAMES]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
    finally:
        core.Shutdown()
        running.join()
    counts = {f"{asker} {target}": count for (asker, target), count in conductor.good.items()}
    Path(sys.argv[3]).write_text(json.dumps({"good": counts, "problems": conductor.problems}))


if __name__ == "__main__":
    main()
