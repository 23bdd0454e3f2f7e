"""RpcHandleRef, ServiceBase, ProxyBase, PyPbTypeSupport: what generated stubs are built on."""

import traceback
from typing import Any, Callable, List, Optional, Tuple, Union

from aimrt_rpc import _core
from aimrt_rpc._core import Answer
from aimrt_rpc.errors import LibraryError
from aimrt_rpc.module import Module

from ._context import RpcContext, RpcContextRef, server_ref
from ._refs import require
from ._status import RpcStatus

_HANDLE_FAILED = 1008
_NOT_REGISTERED = 2001
_INVALID_CONTEXT = 2003

Reply = Tuple[RpcStatus, bytes]
ServiceFunction = Callable[[RpcContextRef, bytes], Tuple[RpcStatus, Union[str, bytes]]]


class PyPbTypeSupport:
    """Name and serializations of a message type. Messages cross the library as bytes."""

    def __init__(self) -> None:
        self._name = ""
        self._serializations: List[str] = []

    def SetTypeName(self, type_name: str) -> None:
        """Sets the name, for example ``pb:package.Message``."""
        self._name = type_name

    def SetSerializationTypesSupportedList(self, serialization_types: List[str]) -> None:
        """Sets the serializations, the first is the default."""
        self._serializations = list(serialization_types)

    def TypeName(self) -> str:
        """The name that was set."""
        return self._name

    def SerializationTypesSupportedList(self) -> List[str]:
        """The serializations that were set."""
        return list(self._serializations)


def _serializations(type_support: Any) -> Tuple[str, ...]:
    if not isinstance(type_support, PyPbTypeSupport):
        raise TypeError(f"expected PyPbTypeSupport, got {type(type_support).__name__}")
    return tuple(type_support._serializations) or ("pb",)


class _Method:
    """One method of a service, between its function and the library."""

    __slots__ = ("adapter", "name", "serializations", "service")

    def __init__(self, service: "ServiceBase", name: str, serializations: Tuple[str, ...], adapter: Any) -> None:
        self.service, self.name, self.serializations, self.adapter = service, name, serializations, adapter


class ServiceBase:
    """Base class of generated services: subclass the generated class, override its methods, register an instance."""

    def __init__(self, rpc_type: str, service_name: str) -> None:
        self._aimrt_type, self._aimrt_name = rpc_type, service_name
        self._aimrt_methods: List[_Method] = []
        self._aimrt_log: Optional[Callable[[str], None]] = None

    def RpcType(self) -> str:
        """``pb`` for protobuf services."""
        return self._aimrt_type

    def ServiceName(self) -> str:
        """``package.Service``, or what SetServiceName set."""
        return self._aimrt_name

    def SetServiceName(self, service_name: str) -> None:
        """Serves under another name; before the service is registered."""
        self._aimrt_name = service_name

    def PbRegisterServiceFunc(self, method_name: str, req_type_support: Any, rsp_type_support: Any, service_func: ServiceFunction) -> None:
        """Adds a method: ``service_func(ctx_ref, request_bytes) -> (RpcStatus, response str or bytes)``."""
        serializations = _serializations(req_type_support)
        _serializations(rsp_type_support)
        if not callable(service_func):
            raise TypeError(f"service_func of {method_name} is not callable: {service_func!r}")

        def adapter(context: int, request: bytes, serialization: str, call: int) -> Answer:
            try:
                status, response = service_func(server_ref(context), request)
                code = status.Code()
                return code, response.encode("utf-8") if isinstance(response, str) else response, None, None, ()
            except BaseException as error:
                return failed(self, method_name, error)

        add_method(self, method_name, serializations, adapter)


def add_method(service: ServiceBase, name: str, serializations: Tuple[str, ...], adapter: Any) -> None:
    """Adds a method in the library's own form to a service."""
    service._aimrt_methods.append(_Method(service, name, serializations, adapter))


def service_log(service: ServiceBase, text: str) -> None:
    """Writes an error line through the logger of the module that serves."""
    log = service._aimrt_log
    if log is not None:
        log(text)


def failed(service: ServiceBase, method: str, error: BaseException) -> Answer:
    """Logs what a handler raised and gives the answer for it."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    service_log(service, f"handler {service._aimrt_name}/{method} raised\n{trace}")
    return _HANDLE_FAILED, b"", f"{type(error).__name__}: {error}", trace, ()


class RpcHandleRef:
    """The rpc handle of a module. Null (false) without an argument: its methods then raise RuntimeError."""

    __slots__ = ("_module",)

    def __init__(self, module: Optional[Module] = None) -> None:
        self._module = module

    def __bool__(self) -> bool:
        return self._module is not None

    def _get(self) -> Module:
        found: Module = require(self._module, "RpcHandleRef")
        return found

    def RegisterService(self, *args: Any) -> bool:
        """RegisterService(service) or RegisterService(service_name, service). False, with an error log, when it is refused."""
        if len(args) == 2 and isinstance(args[0], str):
            ServiceBase.SetServiceName(args[1], args[0])
        service = args[-1] if args else None
        if len(args) not in (1, 2) or not isinstance(service, ServiceBase):
            raise TypeError(f"RegisterService expects (service) or (service_name, service), got {args!r}")
        module = self._get()
        service._aimrt_log = module.logger.error
        for method in service._aimrt_methods:
            name = f"{service._aimrt_type}:/{service._aimrt_name}/{method.name}"
            try:
                _core.register_service(module.rpc_handle, name, method.serializations, method.adapter, 0)
            except LibraryError as error:
                module.logger.error(f"service function {name} is not registered: {error}")
                return False
        return True

    def PbRegisterClientFunc(self, func_name: str, req_type_support: Any, rsp_type_support: Any) -> bool:
        """Registers a function this module calls. False, with an error log, when it is refused."""
        serializations = _serializations(req_type_support)
        _serializations(rsp_type_support)
        return self._register_client(func_name, serializations)

    def _register_client(self, func_name: str, serializations: Tuple[str, ...]) -> bool:
        module = self._get()
        try:
            module.clients[func_name] = _core.register_client(module.rpc_handle, func_name, serializations)
        except LibraryError as error:
            module.logger.error(f"client function {func_name} is not registered: {error}")
            return False
        return True

    def PbInvoke(self, func_name: str, ctx_ref: RpcContextRef, req_buf: Union[str, bytes]) -> Reply:
        """Calls and waits; other threads run meanwhile. Gives (status, response bytes)."""
        module = self._get()
        if not isinstance(ctx_ref, RpcContextRef):
            raise TypeError(f"PbInvoke expects RpcContextRef, got {type(ctx_ref).__name__}")
        if not ctx_ref._handle:
            return RpcStatus(_INVALID_CONTEXT), b""
        request = req_buf.encode("utf-8") if isinstance(req_buf, str) else req_buf
        code, response, _ = invoke(module, func_name, ctx_ref._handle, request, ctx_ref.GetSerializationType() or None)
        return RpcStatus(code), response


def invoke(module: Module, func_name: str, context: int, request: bytes, serialization: Optional[str]) -> Tuple[int, bytes, _core.Failure]:
    """Calls a registered function by name."""
    method = module.clients.get(func_name)
    if method is None:
        module.logger.warn(f"{func_name} is not registered as a client function of module {module.name}")
        return _NOT_REGISTERED, b"", None
    return _core.invoke(method, context, request, serialization)


class ProxyBase:
    """Base class of generated proxies."""

    def __init__(self, rpc_handle_ref: RpcHandleRef, rpc_type: str, service_name: str) -> None:
        self._aimrt_rpc = rpc_handle_ref
        self._aimrt_type, self._aimrt_name = rpc_type, service_name
        self._aimrt_default: Optional[RpcContext] = None

    def RpcType(self) -> str:
        """``pb`` for protobuf services."""
        return self._aimrt_type

    def ServiceName(self) -> str:
        """``package.Service``, or what SetServiceName set."""
        return self._aimrt_name

    def SetServiceName(self, service_name: str) -> None:
        """Sets what ServiceName gives; generated calls keep the name they were generated with."""
        self._aimrt_name = service_name

    def NewContextSharedPtr(self, ctx_ref: Optional[RpcContextRef] = None) -> RpcContext:
        """A copy of the default context, or a fresh one. With a handler's ctx_ref the pass-through metadata is copied into it."""
        made = RpcContext() if self._aimrt_default is None else RpcContext._copy_of(self._aimrt_default)
        if ctx_ref is not None and ctx_ref:
            _core.merge_context(self._aimrt_rpc._get().rpc_handle, ctx_ref._handle, made._handle)
        return made

    def GetDefaultContextSharedPtr(self) -> Optional[RpcContext]:
        """The context that calls without one start from; None when there is none."""
        return self._aimrt_default

    def SetDefaultContextSharedPtr(self, ctx: Optional[RpcContext]) -> None:
        """Sets the context that calls without one start from."""
        if ctx is not None and not isinstance(ctx, RpcContext):
            raise TypeError(f"the default context is an RpcContext or None, got {type(ctx).__name__}")
        self._aimrt_default = ctx
