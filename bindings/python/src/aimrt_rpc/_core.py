"""The operations the packages are built on: plain Python values in, plain Python values out.

Everything here exists twice: in ctypes, below, and for the hot operations as C built-ins made by the library's CPython
bridge (:mod:`._bridge`), which replace the ctypes functions of the same name when the interpreter allows. No ctypes object
leaves this module. Handles are plain integers.
"""

import ctypes
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import _abi, _bridge
from ._lib import lib
from .errors import library_error

Pairs = Tuple[Tuple[str, str], ...]
# What a call that failed says beside its code: message, remote trace, details. None for one that ended well.
Failure = Optional[Tuple[str, str, Pairs]]
# One received event: kind, tag, call, code, payload bytes, failure, serialization, context.
Event = Tuple[int, int, int, int, bytes, Failure, str, int]
# What a handler answers: code, response, message, trace, details.
Answer = Tuple[int, bytes, Optional[str], Optional[str], Pairs]
# handler(context, request, serialization, call)
RawHandler = Callable[[int, bytes, str, int], Answer]

_str_t = _abi.aimrt_rpc_str_t
_DRAIN_BATCH = 256

# Objects lent to C (callbacks and what they need), by an id that travels as user_data. The library calls the free callback
# when it needs them no more.
_lent: Dict[int, Any] = {}
_lent_lock = threading.Lock()
_lent_next = 1


def _lend(value: Any) -> int:
    global _lent_next
    with _lent_lock:
        number = _lent_next
        _lent_next += 1
        _lent[number] = value
    return number


def _give_back(user_data: Optional[int]) -> None:
    if user_data is not None:
        _lent.pop(user_data, None)


give_back = _abi.aimrt_rpc_free_fn(_give_back)


def lent_count() -> int:
    """Counts the Python objects that the library holds on to; tests assert that it returns to where it was."""
    return len(_lent)


def text_of(view: Any) -> str:
    """Decodes a borrowed text view."""
    return ctypes.string_at(view.data, view.size).decode("utf-8") if view.size else ""


def view_of(text: "str | bytes") -> Any:
    """Makes a text view; the caller keeps the struct (which keeps the bytes) for as long as C may read it."""
    data = text.encode("utf-8") if isinstance(text, str) else text
    view = _str_t(_address(data), len(data))
    view.keep = data
    return view


def _address(data: bytes) -> Optional[int]:
    """Gives where the bytes of an object stand; the caller keeps the object."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value


def _array(views: Sequence[Any]) -> Any:
    """Makes a C array of text views; the caller keeps it."""
    array: Any = (_str_t * len(views))(*views)
    array.keep = views
    return array


def _fail(result: int, message: str, details: Tuple[Tuple[str, str], ...] = ()) -> None:
    """Raises the exception for a failed function; the bridge calls this too."""
    raise library_error(result, message, details)


def check(result: int, error: Any = None) -> None:
    """Raises when a function of the library failed, with the text and details of its error object."""
    if result == 0:
        return
    details: List[Tuple[str, str]] = []
    message = lib.aimrt_rpc_result_string(result).decode()
    if error is not None and error.value:
        message = text_of(lib.aimrt_rpc_error_message(error)) or message
        pair = _abi.aimrt_rpc_pair_t()
        while lib.aimrt_rpc_error_detail(error, len(details), ctypes.byref(pair)) == 0:
            details.append((text_of(pair.key), text_of(pair.value)))
        lib.aimrt_rpc_error_free(error)
    _fail(result, message, tuple(details))


def new_error() -> Any:
    """Makes the last argument of a function that can fail."""
    return _abi.aimrt_rpc_error_t(0)


def _was_in_time(result: int, error: Any) -> bool:
    """Gives whether an operation on a call came before its end; raises for any other failure."""
    if result in (_abi.AIMRT_RPC_RESULT_LOST, _abi.AIMRT_RPC_RESULT_INVALID_HANDLE):
        lib.aimrt_rpc_error_free(error)
        return False
    check(result, error)
    return True


def take_buffer(buffer: Any) -> bytes:
    """Copies an owned buffer and releases it."""
    data = ctypes.string_at(buffer.data, buffer.size) if buffer.size else b""
    lib.aimrt_rpc_buffer_release(ctypes.byref(buffer))
    return data


# --- contexts -------------------------------------------------------------------------------------------------------------


def context_create() -> int:
    """Makes a client context."""
    out, error = _abi.aimrt_rpc_context_t(0), new_error()
    check(lib.aimrt_rpc_context_create(ctypes.byref(out), ctypes.byref(error)), error)
    return int(out.value)


def context_copy(context: int) -> int:
    """Makes a client context that owns a copy of everything in another one."""
    out, error = _abi.aimrt_rpc_context_t(0), new_error()
    check(lib.aimrt_rpc_context_copy(context, ctypes.byref(out), ctypes.byref(error)), error)
    return int(out.value)


def context_release(context: int) -> None:
    """Gives a client context back."""
    lib.aimrt_rpc_context_release(context)


def context_reset(context: int) -> None:
    """Clears used flag, timeout and metadata."""
    error = new_error()
    check(lib.aimrt_rpc_context_reset(context, ctypes.byref(error)), error)


def context_get(context: int, key: str) -> str:
    """Gives the value of a metadata key, "" when absent."""
    return text_of(lib.aimrt_rpc_context_get(context, view_of(key)))


def context_set(context: int, key: str, value: str) -> None:
    """Sets a metadata key."""
    error = new_error()
    check(lib.aimrt_rpc_context_set(context, view_of(key), view_of(value), ctypes.byref(error)), error)


def context_timeout_ns(context: int) -> int:
    """Gives the timeout, 0 when not set."""
    return int(lib.aimrt_rpc_context_timeout_ns(context))


def context_set_timeout_ns(context: int, timeout_ns: int) -> None:
    """Sets the timeout."""
    check(lib.aimrt_rpc_context_set_timeout_ns(context, timeout_ns))


def context_add(context: int, key: str, value: str) -> None:
    """Adds a further value to a metadata key."""
    error = new_error()
    check(lib.aimrt_rpc_context_add(context, view_of(key), view_of(value), ctypes.byref(error)), error)


def context_remove(context: int, key: str) -> None:
    """Removes a metadata key."""
    error = new_error()
    check(lib.aimrt_rpc_context_remove(context, view_of(key), ctypes.byref(error)), error)


def context_metadata(context: int) -> List[Tuple[str, str]]:
    """Gives all metadata."""
    pairs, count, error = ctypes.POINTER(_abi.aimrt_rpc_pair_t)(), ctypes.c_size_t(0), new_error()
    check(lib.aimrt_rpc_context_metadata(context, ctypes.byref(pairs), ctypes.byref(count), ctypes.byref(error)), error)
    return [(text_of(pairs[i].key), text_of(pairs[i].value)) for i in range(count.value)]


def context_text(context: int) -> str:
    """Writes the context as AimRT does."""
    out, error = _abi.aimrt_rpc_buffer_t(), new_error()
    check(lib.aimrt_rpc_context_to_string(context, ctypes.byref(out), ctypes.byref(error)), error)
    return take_buffer(out).decode("utf-8")


def merge_context(rpc_handle: int, server_context: int, client_context: int) -> None:
    """Copies pass-through metadata from an incoming call's context into an outgoing one's."""
    error = new_error()
    check(lib.aimrt_rpc_handle_merge_context(rpc_handle, server_context, client_context, ctypes.byref(error)), error)


# --- calls, client side ---------------------------------------------------------------------------------------------------


def _call_options(context: int, request: bytes, serialization: Optional[str]) -> Any:
    options = _abi.AIMRT_RPC_CALL_OPTIONS_INIT()
    options.context = context
    options.request.bytes.data = _address(request)
    options.request.bytes.size = len(request)
    options.keep = [request]
    if serialization:
        view = view_of(serialization)
        options.request.serialization = view
        options.keep.append(view)
    return options


def _outcome(call: int) -> Tuple[int, bytes, Failure]:
    """Reads how a call ended: code, response, failure."""
    outcome, error = _abi.aimrt_rpc_outcome_t(), new_error()
    outcome.struct_size = ctypes.sizeof(outcome)
    check(lib.aimrt_rpc_call_outcome(call, ctypes.byref(outcome), ctypes.byref(error)), error)
    body = outcome.response.bytes
    data = ctypes.string_at(body.data, body.size) if body.size else b""
    if not outcome.code:
        return 0, data, None
    pairs = [outcome.details[i] for i in range(outcome.detail_count)]
    details = tuple((text_of(pair.key), text_of(pair.value)) for pair in pairs)
    return outcome.code, data, (text_of(outcome.message), text_of(outcome.trace), details)


def invoke(method: int, context: int, request: bytes, serialization: Optional[str]) -> Tuple[int, bytes, Failure]:
    """Calls and waits; gives (code, response, failure). Releases the GIL."""
    options = _call_options(context, request, serialization)
    code, call, error = _abi.aimrt_rpc_code_t(0), _abi.aimrt_rpc_call_t(0), new_error()
    check(
        lib.aimrt_rpc_call_invoke(method, ctypes.byref(options), ctypes.byref(code), ctypes.byref(call), ctypes.byref(error)),
        error,
    )
    try:
        return _outcome(call.value)
    finally:
        lib.aimrt_rpc_call_release(call)


def start(method: int, context: int, request: bytes, serialization: Optional[str], queue: int, tag: int) -> int:
    """Starts a call whose end arrives in a queue; gives the call."""
    options = _call_options(context, request, serialization)
    options.queue, options.tag = queue, tag
    call, error = _abi.aimrt_rpc_call_t(0), new_error()
    check(lib.aimrt_rpc_call_start(method, ctypes.byref(options), ctypes.byref(call), ctypes.byref(error)), error)
    return int(call.value)


def cancel(call: int) -> bool:
    """Cancels a call; False when it had ended."""
    error = new_error()
    result = lib.aimrt_rpc_call_cancel(call, ctypes.byref(error))
    return _was_in_time(result, error)


# --- calls, server side ---------------------------------------------------------------------------------------------------


def finish(
    call: int,
    code: int,
    response: bytes,
    message: Optional[str] = None,
    trace: Optional[str] = None,
    details: Pairs = (),
) -> bool:
    """Ends a call being served; False when nobody waited for it any more."""
    status = _abi.AIMRT_RPC_CALL_STATUS_INIT()
    status.code = code
    views = (view_of(message or ""), view_of(trace or ""))
    status.message, status.trace = views
    kept = [(view_of(key), view_of(value)) for key, value in details]  # the texts live as long as these
    pairs = (_abi.aimrt_rpc_pair_t * len(kept))(*[_abi.aimrt_rpc_pair_t(*pair) for pair in kept])
    status.details = ctypes.cast(pairs, type(status.details))
    status.detail_count = len(details)
    payload = _abi.aimrt_rpc_payload_t()
    payload.bytes.data = _address(response)
    payload.bytes.size = len(response)
    error = new_error()
    result = lib.aimrt_rpc_call_finish(call, ctypes.byref(status), ctypes.byref(payload), ctypes.byref(error))
    return _was_in_time(result, error)


def _describe(options: Any, name: str, serializations: Sequence[str]) -> Any:
    """Fills in what service and client options have in common."""
    options.keep = (view_of(name), _array([view_of(s) for s in serializations]))
    options.name = options.keep[0]
    options.serializations = ctypes.cast(options.keep[1], type(options.serializations))
    options.serialization_count = len(serializations)
    return options


def _handle_request(user_data: int, call: int, request: Any) -> None:
    handler: RawHandler = _lent[user_data]
    payload = request.contents.payload
    body = ctypes.string_at(payload.bytes.data, payload.bytes.size) if payload.bytes.size else b""
    try:
        answer = handler(lib.aimrt_rpc_call_context(call), body, text_of(payload.serialization), call)
    except BaseException as error:
        answer = (_abi.AIMRT_RPC_CODE_SVR_HANDLE_FAILED, b"", f"{type(error).__name__}: {error}", None, ())
    finish(call, *answer)


_handle_request_c = _abi.aimrt_rpc_handler_fn(_handle_request)


def register_service(rpc_handle: int, name: str, serializations: Sequence[str], handler: RawHandler, executor: int) -> int:
    """Serves a raw method with a Python function that runs on the thread the call comes on; gives the service."""
    options = _describe(_abi.AIMRT_RPC_SERVICE_OPTIONS_INIT(), name, serializations)
    options.handler = _handle_request_c
    options.user_data = _lend(handler)
    options.user_data_free = give_back
    options.executor = executor
    return _register_service(rpc_handle, options)


def register_queue_service(rpc_handle: int, name: str, serializations: Sequence[str], queue: int, tag: int) -> int:
    """Serves a raw method whose calls arrive in a queue; gives the service."""
    options = _describe(_abi.AIMRT_RPC_SERVICE_OPTIONS_INIT(), name, serializations)
    options.queue, options.tag = queue, tag
    return _register_service(rpc_handle, options)


def _register_service(rpc_handle: int, options: Any) -> int:
    out, error = _abi.aimrt_rpc_service_t(0), new_error()
    result = lib.aimrt_rpc_handle_register_service(rpc_handle, ctypes.byref(options), ctypes.byref(out), ctypes.byref(error))
    if result != 0:
        _give_back(options.user_data)
    check(result, error)
    return int(out.value)


def register_client(rpc_handle: int, name: str, serializations: Sequence[str]) -> int:
    """Registers a raw method this module calls; gives the method."""
    options = _describe(_abi.AIMRT_RPC_CLIENT_OPTIONS_INIT(), name, serializations)
    out, error = _abi.aimrt_rpc_method_t(0), new_error()
    check(
        lib.aimrt_rpc_handle_register_client(rpc_handle, ctypes.byref(options), ctypes.byref(out), ctypes.byref(error)),
        error,
    )
    return int(out.value)


# --- queues ---------------------------------------------------------------------------------------------------------------


def queue_create() -> Tuple[int, int]:
    """Makes a queue; gives (queue, descriptor to poll)."""
    out, error = _abi.aimrt_rpc_queue_t(0), new_error()
    check(lib.aimrt_rpc_queue_create(ctypes.byref(out), ctypes.byref(error)), error)
    return int(out.value), int(lib.aimrt_rpc_queue_fd(out))


def queue_release(queue: int) -> None:
    """Gives a queue back."""
    lib.aimrt_rpc_queue_release(queue)


def drain(queue: int) -> List[Event]:
    """Takes up to 256 events; calls that finished are released, their bytes copied."""
    events = (_abi.aimrt_rpc_event_t * _DRAIN_BATCH)()
    count, error = ctypes.c_size_t(0), new_error()
    check(lib.aimrt_rpc_queue_drain(queue, events, _DRAIN_BATCH, ctypes.byref(count), ctypes.byref(error)), error)
    out: List[Event] = []
    for event in events[: count.value]:
        body = event.payload.bytes
        data = ctypes.string_at(body.data, body.size) if body.size else b""
        finished = event.kind == _abi.AIMRT_RPC_EVENT_CALL_FINISHED
        failure = _outcome(event.call)[2] if finished and event.code else None
        context = lib.aimrt_rpc_call_context(event.call) if event.kind == _abi.AIMRT_RPC_EVENT_CALL_ARRIVED else 0
        out.append((event.kind, event.tag, event.call, event.code, data, failure, text_of(event.payload.serialization), context))
        if finished:
            lib.aimrt_rpc_call_release(event.call)
    return out


# --- host-driven connections ----------------------------------------------------------------------------------------------

# One event of a connection: kind (AIMRT_RPC_CONNECTION_EVENT_*), number of the request, content.
HostedEvent = Tuple[int, int, bytes]
_HOSTED_BATCH = 64


def _bytes_view(data: bytes) -> Any:
    """Makes a view of bytes; the caller keeps the struct."""
    view = _abi.aimrt_rpc_bytes_t()
    view.data, view.size, view.keep = _address(data), len(data), data
    return view


def _bytes_of(view: Any) -> bytes:
    """Copies a borrowed view."""
    return ctypes.string_at(view.data, view.size) if view.size else b""


def hosted_create(codec: int, max_frame: int, max_depth: int, max_pending: int, max_open: int) -> int:
    """Makes a connection whose bytes the host moves; a limit of 0 is the default. Gives the connection."""
    options = _abi.AIMRT_RPC_CONNECTION_HOSTED_OPTIONS_INIT()
    options.codec, options.max_frame_size, options.max_depth = codec, max_frame, max_depth
    options.max_pending_count, options.max_open_count = max_pending, max_open
    out, error = _abi.aimrt_rpc_connection_t(0), new_error()
    check(lib.aimrt_rpc_connection_create_hosted(ctypes.byref(options), ctypes.byref(out), ctypes.byref(error)), error)
    return int(out.value)


def hosted_feed(connection: int, data: bytes) -> Tuple[List[HostedEvent], bytes, Optional[str]]:
    """Takes received bytes; gives events, bytes to send at once, and why the connection has to be closed or None."""
    events = (_abi.aimrt_rpc_connection_event_t * _HOSTED_BATCH)()
    out: List[HostedEvent] = []
    view, count = _bytes_view(data), _HOSTED_BATCH
    while count == _HOSTED_BATCH:
        got, error = ctypes.c_size_t(0), new_error()
        result = lib.aimrt_rpc_connection_feed(connection, view, events, _HOSTED_BATCH, ctypes.byref(got), ctypes.byref(error))
        check(result, error)
        count, view = got.value, _bytes_view(b"")
        for event in events[:count]:
            if event.kind == _abi.AIMRT_RPC_CONNECTION_EVENT_FAILED:
                return out, _hosted_output(connection), _bytes_of(event.content).decode("utf-8", "replace")
            out.append((event.kind, event.number, _bytes_of(event.content)))
    return out, _hosted_output(connection), None


def _hosted_output(connection: int) -> bytes:
    """Takes what the library sends by itself."""
    view, error = _abi.aimrt_rpc_bytes_t(), new_error()
    check(lib.aimrt_rpc_connection_take_output(connection, ctypes.byref(view), ctypes.byref(error)), error)
    return _bytes_of(view)


def hosted_request(connection: int, content: bytes) -> Tuple[int, bytes]:
    """Makes a request of an encoded value; gives (number, frame to send)."""
    number, frame, error = ctypes.c_uint64(0), _abi.aimrt_rpc_bytes_t(), new_error()
    result = lib.aimrt_rpc_connection_request(
        connection, _bytes_view(content), ctypes.byref(number), ctypes.byref(frame), ctypes.byref(error)
    )
    check(result, error)
    return number.value, _bytes_of(frame)


def hosted_reply(connection: int, number: int, kind: int, content: bytes) -> bytes:
    """Answers a request of the peer with an encoded value, as result or as exception; gives the frame to send."""
    frame, error = _abi.aimrt_rpc_bytes_t(), new_error()
    result = lib.aimrt_rpc_connection_reply(connection, number, kind, _bytes_view(content), ctypes.byref(frame), ctypes.byref(error))
    check(result, error)
    return _bytes_of(frame)


# As above for the JSON codec, whose contents are texts: in the bridge they take one copy less.


def hosted_feed_text(connection: int, data: bytes) -> Tuple[List[Tuple[int, int, str]], bytes, Optional[str]]:
    """Takes received bytes as :func:`hosted_feed`; contents are texts."""
    events, output, failure = hosted_feed(connection, data)
    return [(kind, number, content.decode("utf-8")) for kind, number, content in events], output, failure


def hosted_request_text(connection: int, content: str) -> Tuple[int, bytes]:
    """Makes a request of an encoded value as :func:`hosted_request`."""
    return hosted_request(connection, content.encode("utf-8"))


def hosted_reply_text(connection: int, number: int, kind: int, content: str) -> bytes:
    """Answers a request of the peer as :func:`hosted_reply`."""
    return hosted_reply(connection, number, kind, content.encode("utf-8"))


def hosted_frame(connection: int, payload: bytes) -> bytes:
    """Puts the header in front of a payload of an opaque connection."""
    frame, error = _abi.aimrt_rpc_bytes_t(), new_error()
    check(lib.aimrt_rpc_connection_frame(connection, _bytes_view(payload), ctypes.byref(frame), ctypes.byref(error)), error)
    return _bytes_of(frame)


def _hosted_found(result: int, error: Any) -> bool:
    """Gives whether a request was there; raises for any other failure."""
    if result == _abi.AIMRT_RPC_RESULT_NOT_FOUND:
        lib.aimrt_rpc_error_free(error)
        return False
    check(result, error)
    return True


def hosted_forget(connection: int, number: int) -> bool:
    """Gives an own request up; False when it had its reply or was given up."""
    error = new_error()
    return _hosted_found(lib.aimrt_rpc_connection_forget(connection, number, ctypes.byref(error)), error)


def hosted_drop(connection: int, number: int) -> bool:
    """Closes a request of the peer without a reply; False when it was answered or dropped."""
    error = new_error()
    return _hosted_found(lib.aimrt_rpc_connection_drop(connection, number, ctypes.byref(error)), error)


def hosted_end_of_input(connection: int) -> int:
    """Says that the peer sends nothing more; gives the bytes of a frame that will never be complete."""
    left, error = ctypes.c_uint64(0), new_error()
    check(lib.aimrt_rpc_connection_end_of_input(connection, ctypes.byref(left), ctypes.byref(error)), error)
    return left.value


def hosted_counts(connection: int) -> Tuple[int, int]:
    """Counts (own requests without a reply, requests of the peer without a reply)."""
    return lib.aimrt_rpc_connection_pending_count(connection), lib.aimrt_rpc_connection_open_count(connection)


def hosted_release(connection: int) -> None:
    """Gives a connection back."""
    lib.aimrt_rpc_connection_release(connection)


def stop() -> None:
    """Keeps everything out of the interpreter from now on; the last step at its end. ctypes does so by itself."""


# The bridge replaces what it can do faster; what is missing there stays as defined above.
bridged: Tuple[str, ...] = ()
_builtins = _bridge.load(lib, _fail)
if _builtins is not None:
    globals().update(_builtins)
    bridged = tuple(sorted(_builtins))
