"""Records the calls of generated stubs; the contract is section 3 of the plugin's README."""

import functools

registered_methods = []
registered_clients = []
refused_clients = set()


def register_service_method(service, method_name, Req, Rsp, handler_name, /):
    registered_methods.append((service, method_name, Req, Rsp, handler_name))


def register_client_method(rpc_handle, full_func_name, Req, Rsp, /):
    registered_clients.append((rpc_handle, full_func_name, Req, Rsp))
    return full_func_name not in refused_clients


def proxy_method(full_func_name, Req, Rsp, /):
    def decorate(declaration):
        @functools.wraps(declaration)
        def method(self, *args):
            return full_func_name, Req, Rsp, args

        return method

    return decorate
