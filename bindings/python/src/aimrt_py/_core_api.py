"""Core, CoreOptions, CoreRef, ModuleBase, ModuleInfo: the life cycle of an AimRT program."""

import traceback
from typing import Any, Callable, List, Optional, Tuple

from aimrt_rpc import _abi
from aimrt_rpc._core import _give_back, _lend, give_back, view_of
from aimrt_rpc.errors import LibraryError
from aimrt_rpc.module import Module
from aimrt_rpc.runtime import PACKAGE, Runtime

from ._channel import ChannelHandleRef
from ._refs import ConfiguratorRef, ExecutorManagerRef, LoggerRef, ParameterHandleRef, require
from ._rpc import RpcHandleRef


class ModuleInfo:
    """Name, version and author of a module. All fields may be read and written."""

    def __init__(self) -> None:
        self.name = ""
        self.major_version = 0
        self.minor_version = 0
        self.patch_version = 0
        self.build_version = 0
        self.author = ""
        self.description = ""


class CoreRef:
    """What a module sees of its core. Null (false) without an argument: its methods then raise RuntimeError."""

    __slots__ = ("_info", "_module", "_rpc")

    def __init__(self, module: Optional[Module] = None, info: Optional[ModuleInfo] = None) -> None:
        self._module, self._info = module, info
        self._rpc: Optional[RpcHandleRef] = None

    def __bool__(self) -> bool:
        return self._module is not None

    def _get(self) -> Module:
        found: Module = require(self._module, "CoreRef")
        return found

    def Info(self) -> ModuleInfo:
        """The module's own information."""
        module = self._get()
        if self._info is None:
            self._info = ModuleInfo()
            self._info.name = module.name
        return self._info

    def GetConfigurator(self) -> ConfiguratorRef:
        """The way to the module's configuration file."""
        return ConfiguratorRef(self._get())

    def GetLogger(self) -> LoggerRef:
        """The module's logger."""
        return LoggerRef(self._get())

    def GetExecutorManager(self) -> ExecutorManagerRef:
        """The way to executors."""
        return ExecutorManagerRef(self._get())

    def GetRpcHandle(self) -> RpcHandleRef:
        """The module's rpc handle: registration of services and clients."""
        if self._rpc is None:
            self._rpc = RpcHandleRef(self._get())
        return self._rpc

    def GetChannelHandle(self) -> ChannelHandleRef:
        """The channel handle: accepts and drops, channels are not part of this product."""
        return ChannelHandleRef(self._get())

    def GetParameterHandle(self) -> ParameterHandleRef:
        """The module's parameters."""
        return ParameterHandleRef(self._get())


class ModuleBase:
    """Base class of modules with a life cycle. Call ``super().__init__()``, override all four methods.

    Initialize comes on the thread that called Core.Initialize, Start and Shutdown on the one that called Core.Start. An
    exception in Initialize or Start counts as False and is logged; one in Shutdown is logged.
    """

    def Info(self) -> ModuleInfo:
        """Gives name and version."""
        raise NotImplementedError('Tried to call pure virtual function "ModuleBase::Info"')

    def Initialize(self, core: CoreRef) -> bool:
        """Registers services and clients; True = success."""
        raise NotImplementedError('Tried to call pure virtual function "ModuleBase::Initialize"')

    def Start(self) -> bool:
        """Begins the module's work; True = success."""
        raise NotImplementedError('Tried to call pure virtual function "ModuleBase::Start"')

    def Shutdown(self) -> None:
        """Ends the module's work; RPC still works here."""
        raise NotImplementedError('Tried to call pure virtual function "ModuleBase::Shutdown"')


class CoreOptions:
    """Options of Core.Initialize. ``cfg_file_path``: the YAML file, "" = none."""

    def __init__(self) -> None:
        self.cfg_file_path = ""


class _Registered:
    """One module with a life cycle, between the core and C."""

    def __init__(self, module: ModuleBase, info: ModuleInfo) -> None:
        self.module, self.info = module, info
        self.core: Optional[CoreRef] = None

    def _step(self, name: str, number: int, step: Callable[[CoreRef], Any]) -> int:
        if self.core is None:
            self.core = CoreRef(Module(number), self.info)
        try:
            return 1 if step(self.core) else 0
        except BaseException as problem:
            trace = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
            text = f"{name} module get exception: {type(problem).__name__}: {problem}\n{trace}"
            self.core._get().logger.error(text)
            return 0

    def options(self) -> Tuple[Any, Any]:
        """Makes the C options; the second value keeps what they point to."""
        info, options = self.info, _abi.AIMRT_RPC_MODULE_OPTIONS_INIT()
        views = (view_of(info.name), view_of(PACKAGE), view_of(info.author), view_of(info.description))
        options.name, options.package, options.author, options.description = views
        options.major_version, options.minor_version = info.major_version, info.minor_version
        options.patch_version, options.build_version = info.patch_version, info.build_version
        module = self.module
        callbacks = (
            _abi.aimrt_rpc_module_fn(lambda _, m: self._step("Initialize", m, lambda core: module.Initialize(core))),
            _abi.aimrt_rpc_module_fn(lambda _, m: self._step("Start", m, lambda _core: module.Start())),
            _abi.aimrt_rpc_module_shutdown_fn(lambda _, m: self._shutdown(m)),
        )
        options.initialize, options.start, options.shutdown = callbacks
        lent = _lend((self, callbacks))
        options.user_data, options.user_data_free = lent, give_back
        return options, (views, lent)

    def _shutdown(self, number: int) -> None:
        self._step("Shutdown", number, lambda _core: self.module.Shutdown())


class Core:
    """One AimRT runtime: RegisterModule, Initialize, CreateModule, Start (blocks), Shutdown. Several may live in one process."""

    def __init__(self) -> None:
        self._runtime: Optional[Runtime] = None
        self._waiting: List[ModuleBase] = []
        self._shutdown_asked = False

    def Initialize(self, options: CoreOptions) -> None:
        """Loads the configuration and initializes registered modules, on this thread. Raises RuntimeError; only once."""
        if not isinstance(options, CoreOptions):
            raise TypeError(f"Initialize expects CoreOptions, got {type(options).__name__}")
        if self._runtime is not None:
            raise RuntimeError("Configurator manager can only be initialized once.")
        runtime = _raising(lambda: Runtime(options.cfg_file_path or None))
        try:
            for module in self._waiting:
                self._register(runtime, module)
            _raising(runtime.initialize)
        except BaseException:
            runtime.close()
            raise
        self._runtime = runtime
        if self._shutdown_asked:
            runtime.shutdown()

    @staticmethod
    def _register(runtime: Runtime, module: ModuleBase) -> None:
        try:
            info = module.Info()
        except Exception as problem:
            raise RuntimeError(f"Info() of module {type(module).__name__!r} raised: {problem}") from problem
        if not isinstance(info, ModuleInfo):
            raise RuntimeError(f"Info() of module {type(module).__name__!r} gave {info!r}; expected ModuleInfo")
        made, (_, lent) = _Registered(module, info).options()
        try:
            _raising(lambda: runtime._create_module(made))
        except BaseException:
            _give_back(lent)
            raise

    def RegisterModule(self, module: ModuleBase) -> None:
        """Adds a module with a life cycle, before Initialize. Raises RuntimeError later."""
        if self._runtime is not None:
            raise RuntimeError("Method can only be called when state is 'PreInit'.")
        if not isinstance(module, ModuleBase):
            raise TypeError(f"RegisterModule expects a ModuleBase, got {type(module).__name__}")
        self._waiting.append(module)

    def CreateModule(self, module_name: str) -> CoreRef:
        """Makes a module without a life cycle, between Initialize and Start. Raises RuntimeError, also for a name in use."""
        runtime = self._need("Init")
        return CoreRef(_raising(lambda: runtime.create_module(module_name)))

    def Start(self) -> None:
        """Starts everything and blocks until Shutdown, then shuts everything down on this thread. Raises RuntimeError."""
        _raising(self._need("Init").run)

    def Shutdown(self) -> None:
        """Asks Start to end; returns at once. Any thread, handlers and signal handlers included, and before Start too."""
        self._shutdown_asked = True
        if self._runtime is not None:
            self._runtime.shutdown()

    def GenInitializationReport(self) -> str:
        """The initialization report; between Initialize and Start. Raises RuntimeError otherwise."""
        if self._runtime is None:
            raise RuntimeError("Initialization report can only be generated after initialization is complete.")
        return str(_raising(self._runtime.report))

    def _need(self, state: str) -> Runtime:
        if self._runtime is None:
            raise RuntimeError(f"Method can only be called when state is '{state}'.")
        return self._runtime


def _raising(function: Callable[[], Any]) -> Any:
    """Turns the library's errors into RuntimeError, as AimRT's users expect."""
    try:
        return function()
    except LibraryError as problem:
        raise RuntimeError(problem.message) from problem
