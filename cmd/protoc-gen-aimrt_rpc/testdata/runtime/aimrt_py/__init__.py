"""The part of aimrt_py that generated stubs touch, recording what they ask for."""

import enum

AimRT_RUNTIME_VERSION_INT = 1007000
AIMRT_MIN_GENCODE_VERSION_INT = 10000


class RpcStatusRetCode(enum.IntEnum):
    OK = 0
    SVR_NOT_IMPLEMENTED = 1002


class RpcStatus:
    def __init__(self, code=RpcStatusRetCode.OK):
        self.code = code


class RpcContext:
    pass


class RpcContextRef:
    pass


class RpcHandleRef:
    pass


class ServiceBase:
    def __init__(self, rpc_type, service_name):
        self.init_arguments = (rpc_type, service_name)


class ProxyBase:
    def __init__(self, rpc_handle_ref, rpc_type, service_name):
        self.init_arguments = (rpc_handle_ref, rpc_type, service_name)
