#!/usr/bin/env python3
"""Loads Pkg files that owe nothing to the library's headers, in aimrt_main and in a host, and bad ones with the texts they must give.

Usage: run.py [name ...]. Without names every test runs. Needs `make build`; library and program are taken from AIMRT_RPC_BUILD or build/.
AIMRT_RPC_TEST_FLAGS are further flags for the compiler of the Pkg files.
The last line is "pkg: N passed, N failed".
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("AIMRT_RPC_BUILD", ROOT / "build")).resolve()
MAIN = BUILD / "bin" / "aimrt_main"
OUT = ROOT / "build" / "tests" / "pkg"
RUN_LIMIT_S = 60
EM_AARCH64, EM_X86_64 = 183, 62

passed = 0
failed = 0


def check(condition: bool, text: str) -> None:
    """Counts one check and shows a failure."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"    not true: {text}", file=sys.stderr)


def compile_c(target: str, sources: Sequence[str], *flags: str) -> Path:
    """Compiles a Pkg file, or with no -shared among the flags a program; a warning is an error."""
    out = OUT / target
    arguments = [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-fno-strict-aliasing", "-pthread"]
    arguments += ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(HERE), *flags]
    arguments += os.environ.get("AIMRT_RPC_TEST_FLAGS", "").split()
    arguments += [*(str(HERE / s) for s in sources), "-o", str(out)]
    if "-shared" not in flags:
        arguments += ["-L", str(BUILD / "lib"), "-laimrt_rpc", f"-Wl,-rpath,{BUILD / 'lib'}"]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    check(result.returncode == 0, f"{target} compiles: {result.stdout}{result.stderr}")
    return out


def pkg(target: str, sources: Sequence[str], *flags: str) -> Path:
    """A Pkg file as AimRT's own builds make them: hidden symbols, position independent."""
    return compile_c(target, sources, "-shared", "-fPIC", "-fvisibility=hidden", *flags)


class Ended:
    """What a program has said and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out[-3000:]}\n{self.err[-3000:]}"


def run(
    arguments: Sequence[str],
    signals: Optional[Tuple[str, int]] = None,
    environment: Optional[Dict[str, str]] = None,
    look: Optional[Callable[[int], None]] = None,
) -> Ended:
    """Runs a program in OUT. signals = (line to wait for, signal to send then); look gets the process before that."""
    program = subprocess.Popen(
        arguments,
        cwd=OUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
    )
    seen = ""
    if signals is not None:
        assert program.stdout is not None
        for line in program.stdout:
            seen += line
            if signals[0] in line:
                if look is not None:
                    look(program.pid)
                program.send_signal(signals[1])
                break
    try:
        out, err = program.communicate(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        program.kill()
        out, err = program.communicate()
        return Ended(-1, seen + out, err + f"\ndid not end within {RUN_LIMIT_S} s")
    return Ended(program.returncode, seen + out, err)


def counts(ended: Ended) -> None:
    """Adds up what the Pkg files counted: the last line of each name."""
    global passed, failed
    last: Dict[str, Tuple[int, int]] = {}
    for name, good, bad in re.findall(r"^(\w+): (\d+) passed, (\d+) failed$", ended.out, re.M):
        last[name] = (int(good), int(bad))
    check(bool(last) and ended.code == 0, f"the probe ran: {ended}")
    for good_count, bad_count in last.values():
        passed += good_count
        failed += bad_count
        if bad_count:
            print("\n".join(line for line in ended.out.splitlines() if "FAILED" in line), file=sys.stderr)


CONFIG = """
aimrt:
  configurator: {temp_cfg_path: ./tmp}
  log:
    core_lvl: Info
    backends:
      - type: console
        options: {color: false}
  executor:
    executors:
      - {name: work, type: asio_thread}
      - {name: plain, type: simple_thread}
  rpc:
    backends:
      - {type: local, options: {timeout_executor: work}}
    clients_options:
      - {func_name: "(.*)", enable_backends: [local]}
    servers_options:
      - {func_name: "(.*)", enable_backends: [local]}
  module:
"""


def config(name: str, pkgs: List[str], modules: str = "", more: str = "") -> str:
    """Writes a configuration; each of pkgs is the inside of a YAML map."""
    text = CONFIG + "    pkgs:\n" + "".join(f"      - {{{p}}}\n" for p in pkgs) + modules + more
    (OUT / name).write_text(text)
    return name


PROBE_MODULES = "    modules:\n      - {name: Client, log_lvl: Debug}\n"
PROBE_END = "Client:\n  end: signal\n"


def main(config_name: str, *flags: str, **options: Any) -> Ended:
    """Runs aimrt_main."""
    return run([str(MAIN), f"--cfg_file_path={config_name}", *flags], **options)


# --- probes ---------------------------------------------------------------------------------------------------------------


def test_other_package() -> None:
    """Client and server in two files: serialized calls, timeouts, addresses, and every other handle of a module."""
    ended = main(config("two.yaml", ["path: ./libprobe_server.so", "path: ./libprobe_client.so"], PROBE_MODULES, PROBE_END))
    counts(ended)
    check(ended.out.startswith("AimRT start, version: ") and ended.out.endswith("AimRT exit.\n"), f"first and last line: {ended}")
    line = re.search(r"\[Debug\].*\[Client\]\[some/folder/file.cc:42 @Function\]a line for people", ended.out)
    check(line is not None and "below the level" not in ended.out, f"the module's own log level: {ended}")
    check(ended.out.count("messages of topic 'news'") == 1, f"one warning per topic: {ended}")
    check("Can not find executor 'nobody'." in ended.out, f"an executor nobody knows: {ended}")
    again = f"Service func 'pb:/test.Probe/Echo' is registered repeatedly, module 'Server', pkg path '{OUT}/libprobe_server.so'"
    check(again in ended.out, f"a second registration: {ended}")
    order = [ended.out.index(f"destroyed {name}") for name in ("Client", "Server")]
    check(order == sorted(order), f"modules are destroyed in reverse order: {ended}")


def test_same_package() -> None:
    """Both in one file: messages go by pointer, without serialization and timeout."""
    counts(main(config("one.yaml", ["path: ./libprobe_both.so"], PROBE_MODULES, PROBE_END)))


def test_host() -> None:
    """In a program of its own, three runtimes one after the other, with modules of the program beside them."""
    program = compile_c("host", ["host.c"], "-rdynamic", "-I", str(ROOT / "include"))
    for pkgs in (["path: ./libprobe_both.so"], ["path: ./libprobe_server.so", "path: ./libprobe_client.so"]):
        counts(run([str(program), config("host.yaml", pkgs, PROBE_MODULES, "Client:\n  end: host\n")]))


HTTP_CONFIG = """
aimrt:
  plugin:
    plugins:
      - name: net_plugin
        path: ./libaimrt_net_plugin.so
        options: {http_options}
  log:
    backends:
      - type: console
        options: {{color: false}}
  rpc:
    backends:
      - type: http
        options:
          clients_options:
            - {{func_name: "(.*)", server_url: "http://127.0.0.1:{port}"}}
    clients_options:
      - {{func_name: "(.*)", enable_backends: [http]}}
    servers_options:
      - {{func_name: "(.*)", enable_backends: [http]}}
  module:
    pkgs: [{{path: {path}}}]
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_http() -> None:
    """Client and server in two processes of aimrt_main, over http."""
    port = free_port()
    listen = f"{{http_options: {{listen_ip: 127.0.0.1, listen_port: {port}}}}}"
    (OUT / "http_server.yaml").write_text(HTTP_CONFIG.format(http_options=listen, port=port, path="./libprobe_server.so"))
    (OUT / "http_client.yaml").write_text(HTTP_CONFIG.format(http_options="{}", port=port, path="./libprobe_remote.so"))
    server = subprocess.Popen([str(MAIN), "--cfg_file_path=http_server.yaml"], cwd=OUT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    seen = ""
    for line in server.stdout:
        seen += line
        if "AimRT start completed." in line:
            break
    counts(main("http_client.yaml"))
    server.send_signal(signal.SIGTERM)
    try:
        out, _ = server.communicate(timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        out, _ = server.communicate()
    counts(Ended(server.returncode, seen + out, ""))


# --- configuration --------------------------------------------------------------------------------------------------------


def report_of(ended: Ended) -> str:
    """The module table of the initialization report."""
    found = re.search(r"\]\. Module Info List\n(.*?)(\n\[|\n-----)", ended.out, re.S)
    return found[1] if found else ""


def test_selection() -> None:
    """enable_modules, disable_modules, modules[].enable, order, and names that are nowhere."""
    both = "path: ./libprobe_both.so"
    stop = ["--running_duration=1"]
    ended = main(config("enable.yaml", [both + ", enable_modules: [Server, Sever]"]), *stop)
    check(ended.code == 0 and "Server" in report_of(ended) and "Client" not in report_of(ended), f"enable_modules: {ended}")
    check("has no module 'Sever'! Did you mean: 'Server'?" in ended.out, f"a name that the file does not have: {ended}")
    ended = main(config("disable.yaml", [both + ", disable_modules: [Client]"]), *stop)
    check(ended.code == 0 and "Server" in report_of(ended) and "Client" not in report_of(ended), f"disable_modules: {ended}")
    ended = main(config("both_lists.yaml", [both + ", enable_modules: [Server], disable_modules: [Server]"]), *stop)
    check(ended.code == 0 and "Server" in report_of(ended) and "disable_modules" in ended.out, f"both lists: {ended}")
    off = "    modules:\n      - {name: Client, enable: false}\n      - {name: Ghost, log_lvl: Warn}\n"
    ended = main(config("off.yaml", [both], off), *stop)
    check(ended.code == 0 and "Client" in report_of(ended), f"a disabled module is created: {ended}")
    check("the probe has run" not in ended.out and "module is disabled" in ended.out, f"and not initialized: {ended}")
    check("Unused Module Options Warning" in ended.out and "Ghost" in ended.out, f"settings of a missing module: {ended}")
    order = report_of(main(config("order.yaml", ["path: ./libprobe_client.so", "path: ./libprobe_server.so"]), *stop))
    check(0 < order.index("Client") < order.index("Server"), f"files in the order of the configuration: {order}")
    if "sanitize" in os.environ.get("AIMRT_RPC_TEST_FLAGS", ""):
        return  # the sanitizers refuse RTLD_DEEPBIND
    deep = main(config("deep.yaml", ["path: ./libprobe_both.so, dlopen_deepbind: true, enable_modules: [Server]"]), *stop)
    check(deep.code == 0 and "Server" in report_of(deep), f"dlopen_deepbind: {deep}")


def test_module_files() -> None:
    """cfg_file_path as given; else the module's root key in a file; variables of the environment in paths."""
    (OUT / "own.yaml").write_text("end: signal\n")
    modules = "    modules:\n      - {name: Client, log_lvl: Debug, cfg_file_path: ./own.yaml}\n"
    counts(main(config("own_file.yaml", ["path: '${PROBE_DIR}/libprobe_both.so'"], modules), environment={"PROBE_DIR": str(OUT)}))
    counts(main(config("key.yaml", ["path: ./libprobe_both.so"], PROBE_MODULES, PROBE_END)))
    check((OUT / "tmp/temp_cfg_file_for_Client.yaml").read_text() == "end: signal\n", "the root key of a module as a file")


# --- aimrt_main -----------------------------------------------------------------------------------------------------------


def test_flags() -> None:
    """Flags in every spelling, the usage, the version, and mistakes."""
    usage = run([str(MAIN)])
    check(usage.code == 0 and "--cfg_file_path" in usage.out, f"without arguments: {usage}")
    for flag in ("--help", "-h", "--h"):
        check(run([str(MAIN), flag]).out == usage.out, flag)
    for flag in ("--version", "-v"):
        check(re.fullmatch(r"AimRT Version: \d+\.\d+\.\d+\n", run([str(MAIN), flag]).out) is not None, flag)
    for arguments, text in (
        (["--foo"], "ERROR: unknown command line flag 'foo'"),
        (["--nofoo=1"], "ERROR: unknown command line flag 'nofoo'"),
        (["--nocfg_file_path"], "ERROR: unknown command line flag 'nocfg_file_path'"),
        (["--running_duration=x"], "ERROR: illegal value 'x' specified for int32 flag 'running_duration'"),
        (["--register_signal=maybe"], "ERROR: illegal value 'maybe' specified for bool flag 'register_signal'"),
        (["--cfg_file_path"], "ERROR: flag '--cfg_file_path' is missing its argument"),
    ):
        ended = run([str(MAIN), *arguments])
        check(ended.code == 1 and ended.err == text + "\n" and ended.out == "", f"{arguments}: {ended}")
    ended = run([str(MAIN), "-cfg_file_path", "", "-running_duration", "1", "--noregister_signal"])
    check(ended.code == 0 and ended.out.endswith("AimRT exit.\n"), f"an empty runtime: {ended}")


def test_dumps() -> None:
    """The configuration in force and the report go to files."""
    name = config("dump.yaml", ["path: ./libprobe_server.so"])
    paths = ["--dump_cfg_file_path=cfg_out.yaml", "--dump_init_report_path", "report_out.txt"]
    ended = main(name, "--dump_cfg_file", "--dump_init_report=true", *paths, "--running_duration=1")
    check(ended.code == 0, f"with dumps: {ended}")
    text = (OUT / "cfg_out.yaml").read_text()
    check(text.startswith("aimrt:\n") and "default_module_lvl: Info" in text, f"defaults are filled in: {text}")
    check("dlopen_deepbind" not in text, "an option of ours is shown only where it is used")
    again = main("cfg_out.yaml", "--running_duration=1")
    check(again.code == 0 and "Server" in report_of(again), f"the dump is a configuration: {again}")
    report = (OUT / "report_out.txt").read_text()
    check("AimRT Initialization Report Begin" in report and "Server" in report and f"{OUT}/libprobe_server.so" in report, report)
    ended = main(name, "--dump_cfg_file", "--dump_cfg_file_path=./no/such/folder/x.yaml", "--running_duration=1")
    check(ended.code == 255 and "cannot write ./no/such/folder/x.yaml" in ended.err, f"a folder that is not there: {ended}")


def test_signals() -> None:
    """SIGINT and SIGTERM shut down; with --noregister_signal they do what the system says."""
    name = config("signals.yaml", ["path: ./libprobe_server.so"])
    for number in (signal.SIGINT, signal.SIGTERM):
        ended = main(name, signals=("AimRT start completed.", number))
        check(ended.code == 0 and ended.out.endswith("AimRT exit.\n"), f"{number}: {ended}")
    ended = main(name, "--register_signal=false", signals=("AimRT start completed.", signal.SIGTERM))
    check(ended.code == -signal.SIGTERM and "AimRT exit." not in ended.out, f"without handlers: {ended}")
    early = main(name, signals=("AimRT start, version", signal.SIGTERM))
    check(early.code == 0 and early.out.endswith("AimRT exit.\n"), f"a signal before the runtime runs: {early}")


def test_main_thread() -> None:
    """aimrt.main_thread names and places the thread that initializes; what the system refuses is a warning."""
    name = config("thread.yaml", ["path: ./libprobe_server.so"])
    text = (OUT / name).read_text()
    cpu = min(os.sched_getaffinity(0))
    section = f"aimrt:\n  main_thread: {{name: robot_main, thread_bind_cpu: [{cpu}]}}\n"
    (OUT / name).write_text(text.replace("aimrt:\n", section, 1))
    seen: List[str] = []

    def look(pid: int) -> None:
        seen.append(Path(f"/proc/{pid}/task/{pid}/comm").read_text().strip())
        seen.append(str(os.sched_getaffinity(pid)))

    ended = main(name, signals=("AimRT start completed.", signal.SIGTERM), look=look)
    check(ended.code == 0 and seen == ["robot_main", str({cpu})], f"name and affinity: {seen} {ended}")
    (OUT / name).write_text(text.replace("aimrt:\n", "aimrt:\n  main_thread: {thread_bind_cpu: [4096]}\n", 1))
    ended = main(name, "--running_duration=1")
    check(ended.code == 0 and "main thread is not placed as configured" in ended.out + ended.err, f"no such cpu: {ended}")


EXECUTOR_LIST = """    executors:
      - {{name: bound, type: simple_thread, options: {{thread_bind_cpu: [{cpu}], thread_sched_policy: SCHED_OTHER}}}}
      - {{name: pool_of_two, type: asio_thread, options: {{thread_num: 2, thread_bind_cpu: [{cpu}]}}}}
      - {{name: a_long_name_of_threads, type: tbb_thread, options: {{thread_num: 2}}}}
      - {{name: wheel, type: time_wheel, options: {{dt_us: 10000, thread_bind_cpu: [{cpu}]}}}}
      - {{name: urgent, type: simple_thread, options: {{thread_sched_policy: "SCHED_FIFO:7"}}}}
"""


def test_threads() -> None:
    """Threads of aimrt.executor and aimrt.guard_thread as the kernel shows them: names, processors, policy."""
    name = config("threads.yaml", ["path: ./libprobe_server.so"])
    cpu = max(os.sched_getaffinity(0))
    text = (OUT / name).read_text().replace("    executors:\n", EXECUTOR_LIST.format(cpu=cpu), 1)
    text = text.replace("aimrt:\n", f"aimrt:\n  guard_thread: {{name: log_of_robot, thread_bind_cpu: [{cpu}]}}\n", 1)
    (OUT / name).write_text(text)
    seen: Dict[str, Tuple[str, int, int]] = {}

    def look(pid: int) -> None:
        for task in Path(f"/proc/{pid}/task").iterdir():
            number = int(task.name)
            scheduled = (os.sched_getscheduler(number), os.sched_getparam(number).sched_priority)
            seen[(task / "comm").read_text().strip()] = (str(os.sched_getaffinity(number)), *scheduled)

    ended = main(name, signals=("AimRT start completed.", signal.SIGTERM), look=look)
    check(ended.code == 0, f"ends: {ended}")
    every = str(os.sched_getaffinity(0))
    for thread in ("bound", "pool_of_two.0", "pool_of_two.1", "wheel", "log_of_robot"):
        check(seen.get(thread) == (str({cpu}), os.SCHED_OTHER, 0), f"{thread} on processor {cpu}: {seen}")
    for number in (0, 1):
        check(seen.get(f"a_long_n..ads.{number}") == (every, os.SCHED_OTHER, 0), f"thread {number} of a long name: {seen}")
    refused_policy = "thread_sched_policy 'SCHED_FIFO:7'" in ended.out + ended.err
    policy = (os.SCHED_OTHER, 0) if refused_policy else (os.SCHED_FIFO, 7)
    check(seen.get("urgent") == (every, *policy), f"policy in force, or a warning: {seen} {ended}")


# --- bad files ------------------------------------------------------------------------------------------------------------


def refused(text: str, pkgs: List[str], never: str = "start Bad") -> None:
    """A configuration with such files ends with 255 and this text, and nothing has been started."""
    ended = main(config("bad.yaml", pkgs))
    check(ended.code == 255, f"ends with 255: {ended}")
    check(ended.err.count("AimRT run with exception and exit. ") == 1 and text in ended.err, f"{text!r}: {ended}")
    check(never not in ended.out and "AimRT exit." not in ended.out, f"not {never!r}: {ended}")


def wrong(target: str, reason: str) -> str:
    """A file that is wrong in one way."""
    return str(pkg(target, ["bad.c"], f"-DWRONG={reason}"))


def test_bad_files() -> None:
    """What cannot be loaded, what says nonsense about itself."""
    missing = "path: ./nowhere.so"
    refused("bad.yaml:22:16: ", [missing])
    refused("aimrt.module.pkgs[0].path: Load dynamic lib failed, lib path ./nowhere.so, error info ", [missing])
    refused("cannot open shared object file", [missing])
    (OUT / "text.so").write_text("this is not a library\n")
    refused("Load dynamic lib failed, lib path ./text.so, error info ", ["path: ./text.so"])
    data = bytearray((OUT / "libprobe_server.so").read_bytes())
    machine = struct.unpack_from("<H", data, 18)[0]
    struct.pack_into("<H", data, 18, EM_X86_64 if machine == EM_AARCH64 else EM_AARCH64)
    (OUT / "other_machine.so").write_bytes(data)
    refused("Load dynamic lib failed, lib path ./other_machine.so, error info ", ["path: ./other_machine.so"])
    (OUT / "empty.c").write_text("int nothing_of_use = 1;\n")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", str(OUT / "empty.c"), "-o", str(OUT / "empty.so")], check=True)
    refused("Cannot find symbol 'AimRTDynlibGetModuleNum' in lib ./empty.so.", ["path: ./empty.so"])
    for reason, text in (
        ("NO_CREATE_FUNCTION", "Cannot find symbol 'AimRTDynlibCreateModule' in lib {path}."),
        ("NO_MODULES", "No module in lib {path}."),
        ("NO_LIST", "Module name list is null in lib {path}."),
        ("EMPTY_NAME", "Module name index [0] is empty in lib {path}."),
        ("NULL_NAME", "Module name index [0] is empty in lib {path}."),
        ("REPEATED_NAME", "Module name 'Bad' repeated in lib {path}."),
        ("CREATES_NOTHING", "Cannot create module 'Bad' in lib {path}."),
        ("OTHER_NAME", "Require module name 'Bad', but get module name 'Worse' in lib {path}."),
        ("NULL_FUNCTION", "module 'Bad' of lib {path} has no function start"),
        ("TOO_MANY", "at most 4096 are accepted"),
    ):
        path = wrong(f"bad_{reason.lower()}.so", reason)
        refused(text.format(path=path), [f"path: {path}"], "initialize Bad")
    good = str(OUT / "libprobe_server.so")
    copy = str(OUT / "libprobe_copy.so")
    shutil.copy(good, copy)
    refused(f"Duplicate module 'Server' in lib {good} and {copy}.", [f"path: {good}", f"path: {copy}"])
    refused("Duplicate module 'Server' in lib", [f"path: {good}", f"path: {good}"])


def test_refusals() -> None:
    """A module that refuses in Initialize or Start ends the program; what had started is shut down."""
    no = wrong("bad_initialize.so", "INITIALIZE_FALSE")
    refused("Init module 'Bad' failed.", [f"path: {no}"])
    no = wrong("bad_start.so", "START_FALSE")
    ended = main(config("start.yaml", ["path: ./libprobe_server.so", f"path: {no}"]))
    check(ended.code == 255 and "AimRT run with exception and exit. Start module 'Bad' failed." in ended.err, f"start: {ended}")
    check("shutdown Bad" not in ended.out and "destroyed Server" in ended.out, f"what had started is shut down: {ended}")
    ended = main("nowhere.yaml")
    check(ended.code == 255 and "nowhere.yaml: no such file" in ended.err, f"a missing configuration: {ended}")


TESTS: Dict[str, Callable[[], None]] = {
    name[5:]: function for name, function in list(globals().items()) if name.startswith("test_") and callable(function)
}


def prepare() -> None:
    """Builds the probes."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    pkg("libprobe_both.so", ["pkg.c", "kit.c", "server.c", "client.c"], "-DWITH_SERVER", "-DWITH_CLIENT")
    pkg("libprobe_server.so", ["pkg.c", "kit.c", "server.c"], "-DWITH_SERVER")
    pkg("libprobe_remote.so", ["pkg.c", "kit.c", "remote.c"], "-DWITH_REMOTE")
    pkg("libprobe_client.so", ["pkg.c", "kit.c", "client.c"], "-DWITH_CLIENT")


def run_tests() -> int:
    names = sys.argv[1:] or list(TESTS)
    unknown = [n for n in names if n not in TESTS]
    if unknown:
        print(f"no test {unknown[0]!r}; there are: {' '.join(TESTS)}", file=sys.stderr)
        return 2
    if not MAIN.exists():
        print(f"{MAIN} is not there: run make build", file=sys.stderr)
        return 2
    prepare()
    for name in names:
        before = (passed, failed)
        TESTS[name]()
        print(
            f"  {'ok    ' if failed == before[1] else 'FAILED'} {name}: {passed - before[0]} checks, {failed - before[1]} failed",
            flush=True,
        )
    print(f"pkg: {passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(run_tests())
