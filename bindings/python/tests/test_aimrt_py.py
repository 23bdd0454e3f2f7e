"""aimrt_py: what programs written for AimRT's Python package expect. Facts from AimRT 1.7.0."""

import datetime
import importlib.util
import inspect
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import aimrt_py
from conftest import LOCAL, ROOT, free_port, http_config, wait_until

REFERENCE_STUB = ROOT / "tests/fixtures/reference_stub/rpc_aimrt_rpc_pb2.py"


@pytest.fixture
def config(tmp_path):
    """Writes a configuration file and gives its path."""

    def write(text=LOCAL, name="cfg.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def core_of(path):
    core = aimrt_py.Core()
    options = aimrt_py.CoreOptions()
    options.cfg_file_path = path
    core.Initialize(options)
    return core


class Running:
    """A core that was started in a thread, as all of AimRT's programs do."""

    def __init__(self, core):
        self.core, self.problem = core, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            self.core.Start()
        except RuntimeError as problem:
            self.problem = problem

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.core.Shutdown()
        self.thread.join(30)
        assert not self.thread.is_alive()


def until_started(proxy, request):
    """Calls until the runtime is up; gives (status, response)."""
    answer = []

    def ready():
        answer[:] = proxy.GetFooData(request)
        return answer[0].Code() != 2011

    wait_until(ready)
    return tuple(answer)


# Stubs of AimRT's generator use tuple[...], so they need Python 3.9 (AimRT itself needs 3.10).
STUBS = ["our stubs"] + (["stubs as AimRT's generator writes them"] if sys.version_info >= (3, 9) else [])


@pytest.fixture(params=STUBS)
def stub(request, stubs):
    """The two kinds of stub modules; gives (messages, stub module)."""
    messages, ours = stubs
    if request.param == "our stubs":
        return messages, ours
    spec = importlib.util.spec_from_file_location("reference_rpc_aimrt_rpc_pb2", REFERENCE_STUB)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return messages, module


def make_service(messages, stub_module, handler=None):
    class Service(stub_module.ExampleService):
        def GetFooData(self, ctx_ref, req):
            if handler is not None:
                return handler(ctx_ref, req)
            return aimrt_py.RpcStatus(), messages.GetFooDataRsp(msg="echo " + req.msg)

    return Service()


@pytest.fixture
def pair(config, stub):
    """Starts one core with service and proxy; gives a function (handler) -> (proxy, messages)."""
    running = []

    def start(handler=None):
        messages, module = stub
        core = core_of(config())
        server, client = core.CreateModule("Server"), core.CreateModule("Client")
        service = make_service(messages, module, handler)
        assert server.GetRpcHandle().RegisterService(service)
        assert module.ExampleServiceProxy.RegisterClientFunc(client.GetRpcHandle())
        proxy = module.ExampleServiceProxy(client.GetRpcHandle())
        assert proxy.GetFooData(messages.GetFooDataReq())[0].Code() == 2011
        running.append(Running(core))
        wait_until(lambda: core._runtime.state.name == "START")
        return proxy, messages

    yield start
    while running:  # and forget it: pytest keeps this function for a while
        running.pop().__exit__()


def test_call_and_answer(pair):
    proxy, messages = pair()
    status, rsp = proxy.GetFooData(messages.GetFooDataReq(msg="example msg"))
    assert status.OK() and bool(status) and status.Code() == aimrt_py.RpcStatusRetCode.OK
    assert status.ToString() == "suc, code 0, msg: OK"
    assert rsp.msg == "echo example msg"


def test_context_travels_and_comes_back_filled(pair):
    seen = {}

    def handler(ctx_ref, req):
        seen.update({k: ctx_ref.GetMetaValue(k) for k in ctx_ref.GetMetaKeys()}, type=ctx_ref.GetType(), text=ctx_ref.ToString())
        seen["timeout"] = ctx_ref.Timeout()
        return aimrt_py.RpcStatus(), type(req).DESCRIPTOR.file.message_types_by_name["GetFooDataRsp"]._concrete_class()

    proxy, messages = pair(handler)
    ctx = aimrt_py.RpcContext()
    assert ctx.GetType() == aimrt_py.RpcContextType.AIMRT_RPC_CLIENT_CONTEXT and ctx.Timeout() == datetime.timedelta(0)
    ctx.SetTimeout(datetime.timedelta(seconds=30))
    ctx.SetMetaValue("key1", "value1")
    status, _ = proxy.GetFooData(ctx, messages.GetFooDataReq())
    assert status.OK(), status.ToString()
    assert seen["key1"] == "value1" and seen["timeout"] == datetime.timedelta(seconds=30)
    assert seen["type"] == aimrt_py.RpcContextType.AIMRT_RPC_SERVER_CONTEXT
    assert seen["aimrt-serialization_type"] == "pb" and seen["aimrt-backend"] == "local"
    assert seen["aimrt-function_name"] == "pb:/aimrt.protocols.example.ExampleService/GetFooData"
    assert seen["aimrt-response_id"] == seen["aimrt-request_id"]
    assert seen["text"].startswith("Server context, timeout: 30000ms, meta: {{")
    assert ctx.CheckUsed() and ctx.GetMetaValue("aimrt-request_id") == seen["aimrt-request_id"]
    assert proxy.GetFooData(ctx, messages.GetFooDataReq())[0].Code() == 2003
    ctx.Reset()
    assert not ctx.CheckUsed() and ctx.GetMetaKeys() == []
    assert proxy.GetFooData(aimrt_py.RpcContextRef(ctx), messages.GetFooDataReq())[0].OK()


def test_json_both_ways(pair):
    proxy, messages = pair()
    ctx = aimrt_py.RpcContext()
    ctx.SetSerializationType("json")
    status, rsp = proxy.GetFooData(ctx, messages.GetFooDataReq(msg="ü"))
    assert status.OK() and rsp.msg == "echo ü"


def test_other_serialization_is_2005(pair):
    proxy, messages = pair()
    ctx = aimrt_py.RpcContext()
    ctx.SetSerializationType("zzz")
    assert proxy.GetFooData(ctx, messages.GetFooDataReq())[0].Code() == 2005


def test_status_of_the_handler_and_its_response_both_arrive(pair):
    proxy, messages = pair(lambda ctx, req: (aimrt_py.RpcStatus(1234), _rsp(req, "why")))
    status, rsp = proxy.GetFooData(messages.GetFooDataReq())
    assert status.Code() == 1234 and not status and rsp.msg == "why"
    assert status.ToString() == "fail, code 1234, msg: Unknown code"


def _rsp(req, text):
    module = sys.modules[type(req).__module__]
    return module.GetFooDataRsp(msg=text)


@pytest.mark.parametrize(
    "handler",
    [
        lambda ctx, req: 1 / 0,
        lambda ctx, req: None,
        lambda ctx, req: aimrt_py.RpcStatus(),
        lambda ctx, req: ("not a status", _rsp(req, "")),
        lambda ctx, req: sys.exit(3),
    ],
    ids=["raises", "gives None", "gives a status only", "gives a text as status", "exits"],
)
def test_handler_that_fails_is_1008(pair, handler):
    proxy, messages = pair(handler)
    assert proxy.GetFooData(messages.GetFooDataReq())[0].Code() == 1008


def test_handler_that_is_a_coroutine_is_1008(pair):
    async def handler(ctx, req):
        return aimrt_py.RpcStatus(), None

    proxy, messages = pair(handler)
    assert proxy.GetFooData(messages.GetFooDataReq())[0].Code() == 1008


def test_wrong_response_type_is_1005(stubs, config):
    messages, module = stubs
    core = core_of(config())
    ref = core.CreateModule("M")
    assert ref.GetRpcHandle().RegisterService(make_service(messages, module, lambda ctx, req: (aimrt_py.RpcStatus(), "a text")))
    assert module.ExampleServiceProxy.RegisterClientFunc(ref.GetRpcHandle())
    proxy = module.ExampleServiceProxy(ref.GetRpcHandle())
    with Running(core):
        assert until_started(proxy, messages.GetFooDataReq())[0].Code() == 1005


def test_wrong_request_type_is_2006(stubs, config):
    messages, module = stubs
    core = core_of(config())
    ref = core.CreateModule("M")
    assert module.ExampleServiceProxy.RegisterClientFunc(ref.GetRpcHandle())
    status, rsp = module.ExampleServiceProxy(ref.GetRpcHandle()).GetFooData(messages.GetBarDataRsp())
    assert status.Code() == 2006 and rsp == messages.GetFooDataRsp()


def test_method_nobody_wrote_is_1002(pair):
    proxy, messages = pair()
    assert proxy.GetBarData(messages.GetBarDataReq())[0].Code() == 1002


def test_arguments_of_a_proxy(pair):
    proxy, messages = pair()
    with pytest.raises(TypeError, match=r"GetFooData expects 1 or 2 arguments, got 3"):
        proxy.GetFooData(1, 2, 3)
    with pytest.raises(TypeError, match=r"ctx must be 'aimrt_py.RpcContext' or 'aimrt_py.RpcContextRef', got <class 'str'>"):
        proxy.GetFooData("ctx", messages.GetFooDataReq())


def test_default_context(pair):
    seen = []
    proxy, messages = pair(lambda ctx, req: (seen.append(ctx.GetMetaValue("robot")), (aimrt_py.RpcStatus(), _rsp(req, "")))[1])
    default = aimrt_py.RpcContext()
    default.SetMetaValue("robot", "r2")
    proxy.SetDefaultContextSharedPtr(default)
    assert proxy.GetDefaultContextSharedPtr() is default
    for _ in range(2):  # a copy each time: the default itself is never used up
        assert proxy.GetFooData(messages.GetFooDataReq())[0].OK()
    assert proxy.GetFooData(aimrt_py.RpcContext(), messages.GetFooDataReq())[0].OK()
    assert seen == ["r2", "r2", ""]


def test_unregistered_function_is_2001(stubs, config):
    messages, module = stubs
    core = core_of(config())
    ref = core.CreateModule("M")
    proxy = module.ExampleServiceProxy(ref.GetRpcHandle())
    with Running(core):
        assert proxy.GetFooData(messages.GetFooDataReq())[0].Code() == 2001


def test_proxy_without_handle(stubs):
    messages, module = stubs
    with pytest.raises(RuntimeError, match=r"Reference is null\.$"):
        module.ExampleServiceProxy().GetFooData(messages.GetFooDataReq())


def test_registration_twice_and_late_gives_false(stubs, config):
    messages, module = stubs
    core = core_of(config())
    ref = core.CreateModule("M")
    handle = ref.GetRpcHandle()
    assert handle.RegisterService(make_service(messages, module))
    assert not handle.RegisterService(make_service(messages, module))
    assert module.ExampleServiceProxy.RegisterClientFunc(handle)
    assert not module.ExampleServiceProxy.RegisterClientFunc(handle)
    with Running(core):
        wait_until(lambda: core._runtime.state.name == "START")
        assert not handle.RegisterService("other.Name", make_service(messages, module))


def test_service_under_another_name(stubs, config):
    messages, module = stubs
    core = core_of(config())
    ref = core.CreateModule("M")
    service = make_service(messages, module)
    assert ref.GetRpcHandle().RegisterService("my_name", service) and service.ServiceName() == "my_name"
    types = aimrt_py.PyPbTypeSupport()
    types.SetTypeName("pb:aimrt.protocols.example.GetFooDataReq")
    types.SetSerializationTypesSupportedList(["pb", "json"])
    assert ref.GetRpcHandle().PbRegisterClientFunc("pb:/my_name/GetFooData", types, types)
    with Running(core):
        wait_until(lambda: core._runtime.state.name == "START")
        ctx = aimrt_py.RpcContext()
        body = messages.GetFooDataReq(msg="x").SerializeToString()
        status, data = ref.GetRpcHandle().PbInvoke("pb:/my_name/GetFooData", aimrt_py.RpcContextRef(ctx), body)
        assert status.OK() and messages.GetFooDataRsp.FromString(data).msg == "echo x"
        assert ref.GetRpcHandle().PbInvoke("pb:/my_name/GetFooData", aimrt_py.RpcContextRef(), body)[0].Code() == 2003


def test_status_class():
    assert aimrt_py.RpcStatus(aimrt_py.RpcStatusRetCode.TIMEOUT).ToString() == "fail, code 2, msg: Timeout"
    assert aimrt_py.RpcStatus(1002).ToString() == "fail, code 1002, msg: Server not implemented"
    assert aimrt_py.RpcStatus(4294967295).Code() == 4294967295
    for wrong in (-1, 1.5, "1", 1 << 32):
        with pytest.raises(TypeError):
            aimrt_py.RpcStatus(wrong)


def test_context_class():
    ctx = aimrt_py.RpcContext()
    assert ctx.ToString() == "Client context, timeout: 0ms, meta: {}"
    ctx.SetTimeout(1.5)
    ctx.SetToAddr("http://127.0.0.1:1")
    ctx.SetFunctionName("pb:/a/B")
    ctx.SetMetaValue("k", "v")
    assert ctx.Timeout() == datetime.timedelta(seconds=1.5)
    assert (ctx.GetToAddr(), ctx.GetFunctionName(), ctx.GetSerializationType()) == ("http://127.0.0.1:1", "pb:/a/B", "")
    assert sorted(ctx.GetMetaKeys()) == ["aimrt-function_name", "aimrt-to_addr", "k"]
    ctx.SetUsed()
    assert ctx.CheckUsed()
    with pytest.raises(TypeError):
        ctx.SetTimeout(3)
    null = aimrt_py.RpcContextRef()
    assert not null
    with pytest.raises(RuntimeError, match=r"Reference is null\.$"):
        null.GetMetaKeys()
    assert aimrt_py.aimrt_rpc_context_type_t is aimrt_py.RpcContextType


def test_null_references_raise():
    for ref, call in [
        (aimrt_py.CoreRef(), "GetLogger"),
        (aimrt_py.LoggerRef(), "GetLogLevel"),
        (aimrt_py.ExecutorRef(), "Name"),
        (aimrt_py.ConfiguratorRef(), "GetConfigFilePath"),
        (aimrt_py.RpcHandleRef(), "_get"),
    ]:
        assert not ref
        with pytest.raises(RuntimeError, match=r"Reference is null\.$"):
            getattr(ref, call)()


def test_life_cycle_errors(config):
    core = aimrt_py.Core()
    with pytest.raises(RuntimeError, match="'Init'"):
        core.CreateModule("early")
    with pytest.raises(RuntimeError):
        core.GenInitializationReport()
    options = aimrt_py.CoreOptions()
    options.cfg_file_path = config()
    core.Initialize(options)
    with pytest.raises(RuntimeError, match="only be initialized once"):
        core.Initialize(options)
    with pytest.raises(RuntimeError, match="'PreInit'"):
        core.RegisterModule(aimrt_py.ModuleBase())
    core.CreateModule("m")
    with pytest.raises(RuntimeError):
        core.CreateModule("m")
    assert "AimRT Initialization Report Begin" in core.GenInitializationReport()
    core.Shutdown()
    core.Shutdown()
    core.Start()  # returns at once: the shutdown was asked for before
    with pytest.raises(RuntimeError):
        core.CreateModule("late")


class Recorder(aimrt_py.ModuleBase):
    """A module that notes what happens to it, and where."""

    def __init__(self, name, events, fail=None):
        super().__init__()
        self.name, self.events, self.fail = name, events, fail

    def Info(self):
        info = aimrt_py.ModuleInfo()
        info.name, info.major_version = self.name, 3
        return info

    def _note(self, what):
        self.events.append((self.name, what, threading.current_thread().name))
        if self.fail == what:
            raise ValueError("as asked")
        return True

    def Initialize(self, core):
        assert core and core.Info().name == self.name and core.Info().major_version == 3
        self.logger = core.GetLogger()
        return self._note("Initialize")

    def Start(self):
        return self._note("Start")

    def Shutdown(self):
        self._note("Shutdown")


def test_modules_live_and_end_in_order(config):
    events = []
    core = aimrt_py.Core()
    modules = [Recorder("a", events), Recorder("b", events)]
    for module in modules:
        core.RegisterModule(module)
    options = aimrt_py.CoreOptions()
    options.cfg_file_path = config()
    core.Initialize(options)
    with Running(core) as running:
        wait_until(lambda: core._runtime.state.name == "START")
        name = running.thread.name
    here = threading.current_thread().name
    assert events == [
        ("a", "Initialize", here),
        ("b", "Initialize", here),
        ("a", "Start", name),
        ("b", "Start", name),
        ("b", "Shutdown", name),
        ("a", "Shutdown", name),
    ]


@pytest.mark.parametrize("step", ["Initialize", "Start"])
def test_module_that_fails(config, step):
    events = []
    core = aimrt_py.Core()
    core.RegisterModule(Recorder("good", events))
    core.RegisterModule(Recorder("bad", events, fail=step))
    options = aimrt_py.CoreOptions()
    options.cfg_file_path = config()
    if step == "Initialize":
        with pytest.raises(RuntimeError, match=r"'bad'|\"bad\""):
            core.Initialize(options)
    else:
        core.Initialize(options)
        with pytest.raises(RuntimeError, match=r"'bad'|\"bad\""):
            core.Start()
        assert ("good", "Shutdown") in [e[:2] for e in events]
    assert ("bad", "Shutdown") not in [e[:2] for e in events]


def test_method_not_overridden_is_named(config, capfd):
    class Lazy(aimrt_py.ModuleBase):
        def Info(self):
            info = aimrt_py.ModuleInfo()
            info.name = "lazy"
            return info

    core = aimrt_py.Core()
    core.RegisterModule(Lazy())
    options = aimrt_py.CoreOptions()
    options.cfg_file_path = config()
    with pytest.raises(RuntimeError, match="lazy"):
        core.Initialize(options)
    assert 'pure virtual function "ModuleBase::Initialize"' in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("aimrt:\n  rpc: {backends: [{type: htpp}]}\n", ["2:", "htpp", "http"]),
        ("aimrt:\n  rpc: {backends: [{type: zenoh}]}\n", ["2:", "zenoh", "local"]),
        ("aimrt:\n  executor: {executors: [{name: a, type: asio_thred}]}\n", ["2:", "asio_thred", "asio_thread"]),
        (
            "aimrt:\n  executor:\n    executors:\n      - {name: a, type: asio_thread, options: {thread_num: abc}}\n",
            ["4:", "thread_num", "abc"],
        ),
        ("aimrt:\n  rpc: [\n", ["2:8:", "syntax"]),
        ("aimrt:\n  rpc: 3\n", ["2:", "aimrt.rpc"]),
        ("aimrt:\n  plugin: {plugins: [{name: nett_plugin, path: x}]}\n", ["nett_plugin", "net_plugin"]),
    ],
    ids=["backend", "backend of another product", "executor", "type of an option", "syntax", "not a map", "plugin"],
)
def test_configuration_errors_name_file_line_and_nearest(config, text, says):
    path = config(text)
    with pytest.raises(RuntimeError) as caught:
        core_of(path)
    for part in [*says, Path(path).name]:
        assert part in str(caught.value), str(caught.value)


def test_missing_configuration_file():
    with pytest.raises(RuntimeError, match=r"/nowhere/at_all\.yaml"):
        core_of("/nowhere/at_all.yaml")


def test_unknown_key_is_a_warning_with_the_nearest(config, capfd):
    core = core_of(config(LOCAL.replace("    backends: [{type: local}]", "    backends: [{type: local}]\n    client_options: []")))
    with Running(core):
        wait_until(lambda: core._runtime.state.name == "START")
    core._runtime.close()  # everything is written then
    text = "".join(capfd.readouterr())
    assert "- Unused options: 'aimrt.rpc.client_options'! Did you mean: 'aimrt.rpc.clients_options'?" in text


def test_logging_functions_write_utf8_and_position(config, capfd):
    core = core_of(config())
    logger = core.CreateModule("talker").GetLogger()
    assert logger.GetLogLevel() == 3
    aimrt_py.info(logger, "not written")
    aimrt_py.warn(logger, "h\u00e9llo w\u00f6rld \u4f60\u597d")
    core._runtime.close()  # everything is written then
    text = "".join(capfd.readouterr())
    line = next(x for x in text.splitlines() if "h\u00e9llo w\u00f6rld \u4f60\u597d" in x)
    assert "[Warn]" in line and "[talker]" in line and "test_aimrt_py.py:" in line
    assert "not written" not in text


def test_executors(config):
    core = core_of(config())
    manager = core.CreateModule("m").GetExecutorManager()
    work = manager.GetExecutor("work")
    assert work and (work.Name(), work.Type(), work.ThreadSafe(), work.SupportTimerSchedule()) == (
        "work",
        "asio_thread",
        False,
        True,
    )
    assert not manager.GetExecutor("nobody") and not manager.GetExecutor("aimrt_main")
    done = threading.Event()
    work.Execute(lambda: 1 / 0)  # logged, and the executor goes on
    work.Execute(done.set)
    assert done.wait(20)
    later = threading.Event()
    work.ExecuteAfter(datetime.timedelta(milliseconds=1), later.set)
    assert later.wait(20)
    at = threading.Event()
    work.ExecuteAt(work.Now() + datetime.timedelta(milliseconds=1), at.set)
    assert at.wait(20)
    with pytest.raises(RuntimeError, match="does not support timer scheduling"):
        manager.GetExecutor("simple").ExecuteAfter(datetime.timedelta(0), at.set)
    core.Shutdown()
    core.Start()
    work.Execute(done.clear)  # after shutdown: dropped with a log line


def test_parameters_configuration_and_channels(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the module's configuration is written to ./cfg/tmp
    core = core_of(config(LOCAL + "m:\n  speed: 3\n"))
    ref = core.CreateModule("m")
    path = ref.GetConfigurator().GetConfigFilePath()
    assert path == "./cfg/tmp/temp_cfg_file_for_m.yaml" and "speed: 3" in Path(path).read_text()
    parameters = ref.GetParameterHandle()
    assert parameters.GetParameter("a") == ""
    parameters.SetParameter("a", "1")
    assert parameters.GetParameter("a") == "1"
    publisher = ref.GetChannelHandle().GetPublisher("topic")
    assert aimrt_py.RegisterPublishType(publisher, object)
    aimrt_py.Publish(publisher, object())
    assert aimrt_py.Subscribe(ref.GetChannelHandle().GetSubscriber("topic"), object, print)


def test_version_numbers_let_generated_stubs_in():
    assert aimrt_py.AimRT_RUNTIME_VERSION_INT == 1007000
    assert aimrt_py.AIMRT_MIN_GENCODE_VERSION_INT == 10000


def test_module_contents():
    names = """Core CoreOptions CoreRef ModuleBase ModuleInfo ConfiguratorRef LoggerRef ExecutorManagerRef ExecutorRef
    ParameterHandleRef RpcStatus RpcStatusRetCode RpcContext RpcContextRef RpcContextType RpcHandleRef ServiceBase ProxyBase
    PyPbTypeSupport AimRT_RUNTIME_VERSION_INT AIMRT_MIN_GENCODE_VERSION_INT trace debug info warn error fatal ChannelHandleRef
    PublisherRef SubscriberRef RegisterPublishType Publish Subscribe inspect""".split()
    assert [n for n in names if not hasattr(aimrt_py, n)] == []


def test_several_cores_in_one_process_talk_over_http(stubs, config):
    messages, module = stubs
    port = free_port()
    server = core_of(config(http_config(port, True), "server.yaml"))
    assert server.CreateModule("S").GetRpcHandle().RegisterService(make_service(messages, module))
    client = core_of(config(http_config(port, False), "client.yaml"))
    ref = client.CreateModule("C")
    assert module.ExampleServiceProxy.RegisterClientFunc(ref.GetRpcHandle())
    proxy = module.ExampleServiceProxy(ref.GetRpcHandle())
    with Running(server), Running(client):
        wait_until(lambda: server._runtime.state.name == "START")
        status, rsp = until_started(proxy, messages.GetFooDataReq(msg="http"))
        assert (status.ToString(), rsp.msg) == ("suc, code 0, msg: OK", "echo http")
        ctx = aimrt_py.RpcContext()
        ctx.SetSerializationType("json")
        ctx.SetMetaValue("Key Two", "v 2/\u00e9")
        assert proxy.GetFooData(ctx, messages.GetFooDataReq(msg="json"))[1].msg == "echo json"


def test_port_in_use_is_an_error_of_start(config):
    port = free_port()
    first, second = (core_of(config(http_config(port, True), f"{i}.yaml")) for i in range(2))
    with Running(first):
        wait_until(lambda: first._runtime.state.name == "START")
        with pytest.raises(RuntimeError, match=str(port)):
            second.Start()


def test_interrupt_ends_a_server_in_order(tmp_path, config):
    path = config()
    program = tmp_path / "server.py"
    program.write_text(
        "import aimrt_py, signal, threading\n"
        "class M(aimrt_py.ModuleBase):\n"
        "    def __init__(self, name):\n        super().__init__(); self.name = name\n"
        "    def Info(self):\n        i = aimrt_py.ModuleInfo(); i.name = self.name; return i\n"
        "    def Initialize(self, core): return True\n"
        "    def Start(self):\n        print('started', self.name, flush=True); return True\n"
        "    def Shutdown(self): print('shutdown', self.name, flush=True)\n"
        "core = aimrt_py.Core()\n"
        "modules = [M('a'), M('b')]\n"
        "for m in modules: core.RegisterModule(m)\n"
        "signal.signal(signal.SIGINT, lambda *_: core.Shutdown())\n"
        f"o = aimrt_py.CoreOptions(); o.cfg_file_path = {path!r}\n"
        "core.Initialize(o)\n"
        "t = threading.Thread(target=core.Start); t.start()\n"
        "while t.is_alive(): t.join(1.0)\n"
        "print('end', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("started b"):
            break
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read().split("\n")
    assert process.wait(30) == 0
    words = [line for line in rest if line.startswith(("shutdown", "end"))]
    assert words == ["shutdown b", "shutdown a", "end"]
    assert time.monotonic() - begin < 10  # the aim is 1 s; a liveness bound here


def test_every_public_name_has_a_doc_string():
    import aimrt_rpc

    missing = []
    for package in (aimrt_py, aimrt_rpc):
        for name in package.__all__:
            thing = getattr(package, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)) or thing.__module__.startswith(("typing", "enum")):
                continue
            if not thing.__doc__:
                missing.append(f"{package.__name__}.{name}")
            for part, value in vars(thing).items() if inspect.isclass(thing) else ():
                if inspect.isfunction(value) and not part.startswith("_") and not value.__doc__:
                    missing.append(f"{package.__name__}.{name}.{part}")
    assert missing == []
