"""The short path between generated stubs and the library; the contract is in cmd/protoc-gen-aimrt_rpc/README.md, section 3."""

import inspect
from functools import update_wrapper
from typing import Any, Callable, Optional, Tuple

from google.protobuf import json_format

from aimrt_rpc import _core
from aimrt_rpc._core import Answer

from ._context import RpcContext, RpcContextRef, server_ref
from ._rpc import ProxyBase, RpcHandleRef, ServiceBase, add_method, failed, invoke, service_log
from ._status import RpcStatus

_SERIALIZATIONS = ("pb", "json")
_INVALID_SERIALIZATION = 1004
_SERIALIZATION_FAILED = 1005
_DESERIALIZATION_FAILED = 1007
_CLI_INVALID_SERIALIZATION = 2005
_CLI_SERIALIZATION_FAILED = 2006
_CLI_DESERIALIZATION_FAILED = 2008


def _to_json(message: Any) -> bytes:
    return json_format.MessageToJson(message).encode("utf-8")


def register_service_method(service: ServiceBase, method_name: str, Req: Any, Rsp: Any, handler_name: str) -> None:
    """Adds a method of a generated service; the handler is looked up on the instance at every call."""
    from_bytes = Req.FromString
    parse_json = json_format.Parse

    def adapter(context: int, request: bytes, serialization: str, call: int) -> Answer:
        if serialization == "pb":
            parse: Callable[[bytes], Any] = from_bytes
        elif serialization == "json":
            parse = lambda data: parse_json(data, Req())  # noqa: E731 - the rare branch
        else:
            text = f"{service._aimrt_name}/{method_name} has pb and json, not {serialization!r}"
            return _INVALID_SERIALIZATION, b"", text, None, ()
        try:
            message = parse(request)
        except BaseException as error:
            text = f"request of {service._aimrt_name}/{method_name} is no {Req.DESCRIPTOR.full_name}: {error}"
            service_log(service, text)
            return _DESERIALIZATION_FAILED, b"", text, None, ()
        result = None
        try:
            result = getattr(service, handler_name)(server_ref(context), message)
            status, response = result
            code = status._code
        except BaseException as error:
            return _not_a_reply(service, method_name, error, result)
        try:
            if not isinstance(response, Rsp):
                raise TypeError(f"expected {Rsp.DESCRIPTOR.full_name}, got {type(response).__name__}")
            return code, response.SerializeToString() if serialization == "pb" else _to_json(response), None, None, ()
        except BaseException as error:
            text = f"response of {service._aimrt_name}/{method_name} cannot be serialized: {error}"
            if not code:
                service_log(service, text)
            return code or _SERIALIZATION_FAILED, b"", text, None, ()

    add_method(service, method_name, _SERIALIZATIONS, adapter)


def _not_a_reply(service: ServiceBase, method: str, error: BaseException, result: Any) -> Answer:
    """Says what is wrong with a handler's result, or what it raised."""
    if result is None and not isinstance(error, TypeError):
        return failed(service, method, error)
    if inspect.iscoroutine(result):
        result.close()
        return failed(service, method, TypeError("the handler is a coroutine function; expected a plain function"))
    if result is not None:
        error = TypeError(f"the handler returned {result!r}; expected (aimrt_py.RpcStatus, response)")
    return failed(service, method, error)


def register_client_method(rpc_handle: RpcHandleRef, full_func_name: str, Req: Any, Rsp: Any) -> bool:
    """Registers a function that a generated proxy calls; False when it is refused."""
    return rpc_handle._register_client(full_func_name, _SERIALIZATIONS)


def proxy_method(full_func_name: str, Req: Any, Rsp: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives the decorator that turns the declaration of a proxy method into the method."""
    method_name = full_func_name.rsplit("/", 1)[-1]
    from_bytes = Rsp.FromString

    def call(self: ProxyBase, *args: Any) -> Tuple[RpcStatus, Any]:
        if len(args) == 1:
            context: Optional[Any] = None if self._aimrt_default is None else ProxyBase.NewContextSharedPtr(self)
            request = args[0]
        else:
            context, request = _context_and_request(method_name, args)
        module = self._aimrt_rpc._module
        if module is None:
            raise RuntimeError("RpcHandleRef: Reference is null.")
        number, serialization = 0, "pb"
        if context is not None:
            number = context._handle
            serialization = context.GetSerializationType() or "pb"
            if serialization not in _SERIALIZATIONS:
                module.logger.debug(f"{full_func_name} has pb and json, not {serialization!r}")
                return RpcStatus(_CLI_INVALID_SERIALIZATION), Rsp()
        try:
            if not isinstance(request, Req):
                raise TypeError(f"expected {Req.DESCRIPTOR.full_name}, got {type(request).__name__}")
            body = request.SerializeToString() if serialization == "pb" else _to_json(request)
        except BaseException as error:
            module.logger.error(f"request of {full_func_name} cannot be serialized: {error}")
            return RpcStatus(_CLI_SERIALIZATION_FAILED), Rsp()
        method = module.clients.get(full_func_name)
        if method is None:
            code, data, _ = invoke(module, full_func_name, number, body, serialization)
        else:
            code, data, _ = _core.invoke(method, number, body, serialization)
        if code == 0 and serialization == "pb":
            try:
                return RpcStatus(), from_bytes(data)
            except BaseException as error:
                module.logger.debug(f"response of {full_func_name} is no {Rsp.DESCRIPTOR.full_name}: {error}")
                return RpcStatus(_CLI_DESERIALIZATION_FAILED), Rsp()
        return _reply(code, data, serialization, Rsp)

    return lambda declaration: update_wrapper(call, declaration)


def _context_and_request(method_name: str, args: Tuple[Any, ...]) -> Tuple[Any, Any]:
    if len(args) != 2:
        raise TypeError(f"{method_name} expects 1 or 2 arguments, got {len(args)}")
    context, request = args
    if isinstance(context, RpcContext):
        return context, request
    if isinstance(context, RpcContextRef):
        return (context if context else None), request
    raise TypeError(f"ctx must be 'aimrt_py.RpcContext' or 'aimrt_py.RpcContextRef', got {type(context)}")


def _reply(code: int, data: bytes, serialization: str, Rsp: Any) -> Tuple[RpcStatus, Any]:
    """The less common ends: JSON, and a status other than OK, which is never replaced."""
    try:
        response = Rsp.FromString(data) if serialization == "pb" else json_format.Parse(data, Rsp())
    except BaseException:
        return RpcStatus(code or _CLI_DESERIALIZATION_FAILED), Rsp()
    return RpcStatus(code), response
