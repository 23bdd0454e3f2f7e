"""One event queue per asyncio loop: results and requests arrive in the loop's own thread, in batches."""

import asyncio
import os
import weakref
from typing import Any, Callable, Coroutine, Dict, Optional, Set, Tuple

from . import _abi, _core

_FINISHED = _abi.AIMRT_RPC_EVENT_CALL_FINISHED
_ARRIVED = _abi.AIMRT_RPC_EVENT_CALL_ARRIVED
_CANCELLED = _abi.AIMRT_RPC_EVENT_CALL_CANCELLED

Result = Tuple[int, bytes, _core.Failure]
# serve(context, request, serialization, call): ends with _core.finish
Serve = Callable[[int, bytes, str, int], Coroutine[Any, Any, None]]


def _release(queue: int, unanswered: Set[int]) -> None:
    """Ends the requests whose handlers died with their loop, and gives the queue back."""
    for call in unanswered:
        _core.finish(call, _abi.AIMRT_RPC_CODE_SVR_NOT_READY, b"", "the event loop of the handler has ended")
    _core.queue_release(queue)


class LoopQueue:
    """The queue of one running loop. Everything here happens in that loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._queue, self._fd = _core.queue_create()
        self._pending: Dict[int, asyncio.Future[Result]] = {}
        self._services: Dict[int, Serve] = {}
        self._tasks: Dict[int, asyncio.Task[None]] = {}
        self._unanswered: Set[int] = set()  # the keys of _tasks, in a place that keeps nothing alive
        self._next_tag = 1
        self._loop = weakref.ref(loop)
        loop.add_reader(self._fd, self._on_readable)  # from here on the loop keeps this object, and nobody else does
        self._closer = weakref.finalize(self, _release, self._queue, self._unanswered)

    @property
    def handle(self) -> int:
        """The number of the queue in the C interface."""
        return self._queue

    @property
    def idle(self) -> bool:
        """Whether no call and no handler is under way."""
        return not self._pending and not self._tasks

    def add_service(self, serve: Serve) -> int:
        """Gives the tag under which requests for this handler arrive."""
        tag = self._next_tag
        self._next_tag += 1
        self._services[tag] = serve
        return tag

    def remove_service(self, tag: int) -> None:
        """Forgets a handler whose registration was refused."""
        self._services.pop(tag, None)

    async def invoke(self, method: int, context: int, request: bytes, serialization: Optional[str]) -> Result:
        """Starts a call and awaits its end; cancelling the task cancels the call."""
        tag = self._next_tag
        self._next_tag = tag + 1
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._pending[tag] = future
        try:
            call = _core.start(method, context, request, serialization, self._queue, tag)
        except BaseException:
            del self._pending[tag]
            raise
        try:
            return await future
        except asyncio.CancelledError:
            _core.cancel(call)  # the event still comes and removes the entry of _pending
            raise

    def _on_readable(self) -> None:
        pending = self._pending
        while True:
            events = _core.drain(self._queue)
            for kind, tag, call, code, payload, failure, serialization, context in events:
                if kind == _FINISHED:
                    future = pending.pop(tag, None)
                    if future is not None and not future.done():
                        future.set_result((code, payload, failure))
                elif kind == _ARRIVED:
                    self._arrived(tag, call, payload, serialization, context)
                elif kind == _CANCELLED:
                    task = self._tasks.get(call)
                    if task is not None:
                        task.cancel()
            if len(events) < 256:
                return

    def _arrived(self, tag: int, call: int, request: bytes, serialization: str, context: int) -> None:
        serve = self._services.get(tag)
        if serve is None:
            _core.finish(call, _abi.AIMRT_RPC_CODE_SVR_NOT_READY, b"")
            return
        task = asyncio.get_running_loop().create_task(serve(context, request, serialization, call))
        self._tasks[call] = task
        self._unanswered.add(call)
        task.add_done_callback(lambda ended: self._ended(call, ended))

    def _ended(self, call: int, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(call, None)
        self._unanswered.discard(call)
        if task.cancelled():  # maybe before its first step, and then nobody has answered
            _core.finish(call, _abi.AIMRT_RPC_CODE_CANCELLED, b"", "the handler was cancelled")


# By the loop's id. The values are weak: handlers often hold their loop, so holding them here would keep both for ever.
_queues: "weakref.WeakValueDictionary[int, LoopQueue]" = weakref.WeakValueDictionary()


def loop_queue() -> LoopQueue:
    """Gives the queue of the running loop. Raises RuntimeError when no loop runs in this thread."""
    loop = asyncio.get_running_loop()
    queue = _queues.get(id(loop))
    if queue is None or queue._loop() is not loop:
        queue = _queues[id(loop)] = LoopQueue(loop)
    return queue


def _forget_all() -> None:
    _queues.clear()


os.register_at_fork(after_in_child=_forget_all)
