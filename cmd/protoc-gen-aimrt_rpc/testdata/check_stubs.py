"""Runs generated stubs on the recording aimrt_py of testdata/runtime. The Go test gives both directories in PYTHONPATH."""

import importlib
import inspect
import sys
import types
import typing
import unittest

import aimrt_py
from aimrt_py import _stub


def define_messages(module_name, *paths):
    """Makes a message module: "Outer.Inner" is a class Inner inside a class Outer."""
    parts = module_name.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except ImportError:
                sys.modules[name] = types.ModuleType(name)
                if end < len(parts):
                    sys.modules[name].__path__ = [d + "/" + "/".join(parts[:end]) for d in sys.path]
        if end > 1:
            setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], sys.modules[name])
    for path in paths:
        *outer, name = path.split(".")
        holder = sys.modules[module_name]
        for part in outer:
            holder = getattr(holder, part)
        setattr(holder, name, type(name, (), {"path": path}))
    return sys.modules[module_name]


RPC = define_messages("rpc_pb2", "GetFooDataReq", "GetFooDataRsp", "GetBarDataReq", "GetBarDataRsp")
COMMON = define_messages("common_pb2", "ExampleFoo", "ExampleBar")
NESTED = define_messages("nested_pb2", "Outer", "Outer.Inner", "Outer.Inner.Leaf", "Outer.Answer")
BASE = define_messages("geometry.base_pb2", "Frame", "Frame.Pose")
FACADE = define_messages("geometry.facade_pb2", "Units")
EMPTY = define_messages("google.protobuf.empty_pb2", "Empty")
PLAIN = define_messages("no_package_pb2", "Ping", "Pong")
WORDS = define_messages("in.keywords_pb2", "None", "None.class")
define_messages("uses_keywords_pb2")
NOTES = define_messages("my_file_pb2", "Note")
SEVERAL = define_messages("several_pb2", "Thing")
TICK = define_messages("streaming_pb2", "Tick")
define_messages("imports_streaming_pb2")
define_messages("optional_pb2", "Setting")
define_messages("editions_pb2", "Query")


def load(module_name):
    return importlib.import_module(module_name)


class StubTest(unittest.TestCase):
    def setUp(self):
        _stub.registered_methods.clear()
        _stub.registered_clients.clear()
        _stub.refused_clients.clear()

    def test_service_registers_its_methods_in_order(self):
        class Impl(load("rpc_aimrt_rpc_pb2").ExampleService):
            pass

        service = Impl()
        self.assertEqual(service.init_arguments, ("pb", "aimrt.protocols.example.ExampleService"))
        self.assertEqual(
            _stub.registered_methods,
            [
                (service, "GetFooData", RPC.GetFooDataReq, RPC.GetFooDataRsp, "GetFooData"),
                (service, "GetBarData", RPC.GetBarDataReq, RPC.GetBarDataRsp, "GetBarData"),
            ],
        )

    def test_method_nobody_overrides_answers_not_implemented(self):
        status, rsp = load("rpc_aimrt_rpc_pb2").ExampleService().GetFooData(None, None)
        self.assertEqual(status.code, 1002)
        self.assertIsInstance(rsp, RPC.GetFooDataRsp)

    def test_proxy_methods_get_function_name_and_types(self):
        handle = aimrt_py.RpcHandleRef()
        proxy = load("rpc_aimrt_rpc_pb2").ExampleServiceProxy(handle)
        self.assertEqual(proxy.init_arguments, (handle, "pb", "aimrt.protocols.example.ExampleService"))
        name = "pb:/aimrt.protocols.example.ExampleService/GetBarData"
        self.assertEqual(proxy.GetBarData(1, 2), (name, RPC.GetBarDataReq, RPC.GetBarDataRsp, (1, 2)))

    def test_proxy_has_a_null_handle_by_default(self):
        proxy = load("rpc_aimrt_rpc_pb2").ExampleServiceProxy()
        self.assertIsInstance(proxy.init_arguments[0], aimrt_py.RpcHandleRef)

    def test_register_client_func_registers_all(self):
        handle = aimrt_py.RpcHandleRef()
        self.assertIs(load("rpc_aimrt_rpc_pb2").ExampleServiceProxy.RegisterClientFunc(handle), True)
        prefix = "pb:/aimrt.protocols.example.ExampleService/"
        self.assertEqual(
            _stub.registered_clients,
            [
                (handle, prefix + "GetFooData", RPC.GetFooDataReq, RPC.GetFooDataRsp),
                (handle, prefix + "GetBarData", RPC.GetBarDataReq, RPC.GetBarDataRsp),
            ],
        )

    def test_register_client_func_stops_at_the_first_failure(self):
        _stub.refused_clients.add("pb:/aimrt.protocols.example.ExampleService/GetFooData")
        self.assertIs(load("rpc_aimrt_rpc_pb2").ExampleServiceProxy.RegisterClientFunc(None), False)
        self.assertEqual(len(_stub.registered_clients), 1)

    def test_stub_shows_the_modules_it_imports(self):
        stub = load("rpc_aimrt_rpc_pb2")
        self.assertIs(stub.rpc_pb2, RPC)
        self.assertIs(stub.common_pb2, COMMON)
        self.assertIs(stub.overload, typing.overload)

    def test_comments_become_doc_strings(self):
        stub = load("rpc_aimrt_rpc_pb2")
        for cls in (stub.ExampleService, stub.ExampleServiceProxy):
            self.assertEqual(cls.__doc__, "Answers questions about foo and bar.")
            self.assertEqual(cls.GetFooData.__doc__, "Returns the foo that belongs to the message.")
            self.assertEqual(cls.GetBarData.__doc__, "Returns the bar.")
        several = load("several_aimrt_rpc_pb2")
        self.assertEqual(
            inspect.getdoc(several.First),
            'First service.\n\nSays "hello", shows a \\ backslash, a """triple quote""" and ends with a "quote"',
        )
        self.assertEqual(inspect.getdoc(several.FirstProxy.Get), "\u8bfb\u53d6 one thing.\n  Indented line.\n\nLast line.")
        self.assertEqual(several.Second.__doc__, "Ends with a backslash \\")

    def test_annotations_name_the_messages(self):
        stub = load("rpc_aimrt_rpc_pb2")
        hints = typing.get_type_hints(stub.ExampleService.GetFooData)
        self.assertEqual(hints["req"], RPC.GetFooDataReq)
        self.assertEqual(hints["ctx_ref"], aimrt_py.RpcContextRef)
        if sys.version_info >= (3, 11):
            declarations = typing.get_overloads(inspect.unwrap(stub.ExampleServiceProxy.GetFooData))
            names = [list(inspect.signature(d).parameters) for d in declarations]
            self.assertEqual(names, [["self", "req"], ["self", "ctx", "req"], ["self", "ctx_ref", "req"]])

    def test_all_services_come_before_all_proxies(self):
        names = [
            name
            for name, value in vars(load("several_aimrt_rpc_pb2")).items()
            if inspect.isclass(value) and issubclass(value, (aimrt_py.ServiceBase, aimrt_py.ProxyBase))
        ]
        self.assertEqual(names, ["First", "Nothing", "Second", "FirstProxy", "NothingProxy", "SecondProxy"])

    def test_service_without_methods(self):
        stub = load("several_aimrt_rpc_pb2")
        stub.Nothing()
        self.assertEqual(_stub.registered_methods, [])
        self.assertIs(stub.NothingProxy.RegisterClientFunc(None), True)

    def test_file_without_package_has_a_leading_dot(self):
        stub = load("no_package_aimrt_rpc_pb2")
        self.assertEqual(stub.Echo().init_arguments, ("pb", ".Echo"))
        self.assertEqual(stub.EchoProxy().Say(0), ("pb:/.Echo/Say", PLAIN.Ping, PLAIN.Pong, (0,)))

    def test_nested_and_publicly_imported_messages(self):
        proxy = load("nested_aimrt_rpc_pb2").NestedProxy()
        self.assertEqual(proxy.Own()[1:3], (NESTED.Outer.Inner.Leaf, NESTED.Outer.Answer))
        self.assertEqual(proxy.Public()[1:3], (BASE.Frame.Pose, BASE.Frame))
        self.assertEqual(proxy.Direct()[1:3], (FACADE.Units, EMPTY.Empty))

    def test_names_python_cannot_write(self):
        stub = load("in.keywords_aimrt_rpc_pb2")
        none = getattr(WORDS, "None")
        service = stub.Words()
        self.assertEqual(service.init_arguments, ("pb", "in.lambda.Words"))
        self.assertEqual(
            [(entry[1], entry[4]) for entry in _stub.registered_methods],
            [(n, n) for n in ("import", "__hidden", "overload", "match", "ServiceName")],
        )
        proxy = stub.WordsProxy()
        for _, name, req, rsp, handler in list(_stub.registered_methods):
            status, answer = getattr(service, handler)(None, None)
            self.assertEqual(status.code, 1002)
            self.assertIsInstance(answer, rsp)
            self.assertEqual(getattr(proxy, name)(), ("pb:/in.lambda.Words/" + name, req, rsp, ()))
            self.assertEqual(getattr(stub.Words, name).__name__, name)
            self.assertEqual(getattr(stub.WordsProxy, name).__qualname__, "WordsProxy." + name)
        self.assertEqual(getattr(proxy, "import")()[1:3], (none, getattr(none, "class")))
        self.assertEqual(getattr(stub.Words, "import").__doc__, "Its name is a Python keyword.")
        self.assertEqual(typing.get_type_hints(stub.Words.match)["req"], none)

    def test_service_with_a_keyword_as_name(self):
        stub = load("in.keywords_aimrt_rpc_pb2")
        cls = getattr(stub, "class")
        self.assertEqual((cls.__name__, cls.__qualname__), ("class", "class"))
        self.assertEqual(cls().init_arguments, ("pb", "in.lambda.class"))
        self.assertEqual(stub.classProxy().Say()[0], "pb:/in.lambda.class/Say")

    def test_messages_of_a_keyword_module(self):
        req, rsp = load("uses_keywords_aimrt_rpc_pb2").UsesKeywordsProxy().Get()[1:3]
        self.assertEqual((req.path, rsp.path), ("None", "None.class"))

    def test_dashes_in_file_names(self):
        self.assertEqual(load("my_file_aimrt_rpc_pb2").NotesProxy().Add()[1:3], (NOTES.Note, NOTES.Note))

    def test_streaming_methods_of_an_imported_file_are_left_out(self):
        clock = load("streaming_aimrt_rpc_pb2").ClockProxy
        self.assertTrue(hasattr(clock, "Now"))
        self.assertFalse(any(hasattr(clock, name) for name in ("Watch", "Feed", "Chat")))
        self.assertEqual(load("imports_streaming_aimrt_rpc_pb2").WatchmakerProxy().Adjust()[1], TICK.Tick)

    def test_a_runtime_outside_the_version_range_is_refused(self):
        for name, value, text in (
            ("AimRT_RUNTIME_VERSION_INT", 999999, "older"),
            ("AIMRT_MIN_GENCODE_VERSION_INT", 1000001, "too old"),
        ):
            before = getattr(aimrt_py, name)
            stub = load("rpc_aimrt_rpc_pb2")
            setattr(aimrt_py, name, value)
            try:
                with self.assertRaisesRegex(AssertionError, text):
                    importlib.reload(stub)
            finally:
                setattr(aimrt_py, name, before)


if __name__ == "__main__":
    unittest.main()
