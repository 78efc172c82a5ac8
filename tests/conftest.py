"""Fixtures and pytest hooks of the whole suite."""

import asyncio
import faulthandler
import gc
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from ast import literal_eval
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.machinery import PathFinder
from pathlib import Path
from types import SimpleNamespace

import httpcore
import pytest

from faultinject.hooks import __path__ as hooks
from tests.forked import Launcher
from tests.until import STARTS_WITHIN, until

# Collecting makes much that stays and little garbage: who looks for it meanwhile finds none
# (`pytest_collection_finish`).
gc.disable()

pytest_plugins = ["pytester"]
assert httpcore  # httpx keeps its errors, and must find the same ones after a run of pytest within pytest
ROOT = Path(__file__).parents[1]

# A failure in a helper of tests says what it compared, as one in a test does.
names = {f"tests.{path.stem}" for path in Path(__file__).parent.iterdir()}
pytest.register_assert_rewrite(*names - sys.modules.keys())


class AsInstalled:
    """Finds what is tested, and Hypothesis, as Python does.

    pytest would compile the assertions of each package that has a plugin otherwise: in each worker, in each fresh
    clone.
    """

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.startswith(("faultinject.", "hypothesis.")):
            return PathFinder.find_spec(name, path, target)
        return None


sys.meta_path.insert(0, AsInstalled)

from hypothesis import HealthCheck, settings  # noqa: E402 - the lines above let it be found
from hypothesis.internal.conjecture import providers  # noqa: E402

# How long an example takes says how busy the machine is. What fails must fail again: other input than the last run's
# comes with `--hypothesis-profile=explore`.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "suite", settings.get_profile("explore"), derandomize=True, database=None, max_examples=25
)
settings.load_profile("suite")

# What is shown is as wide as the terminal and coloured as it wishes, whoever starts the tests.
os.environ["COLUMNS"] = "120"
for variable in ("FORCE_COLOR", "PY_COLORS", "CLICOLOR_FORCE", "NO_COLOR"):
    os.environ.pop(variable, None)

# What each worker and each process that a test starts would compile anew otherwise takes a third of the whole run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# With awscrt, which one of the clients here is, botocore signs by it: not as most users have it, and past the tests'
# eyes.
os.environ["BOTO_DISABLE_CRT"] = "true"

# Google's client would ask for buckets from threads of its own, which outlive a test.
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"

LIVE = {
    "clients",
    "conformance",
    "control",
    "counts",
    "examples",
    "hooks",
    "plugins",
    "pytest_plugin",
    "sdks",
    "server",
    "servers",
    "typing",
}
"""Folders whose tests start servers, processes or SDKs; a module elsewhere says so itself."""


def pytest_addoption(parser):
    """Add `--update-golden` and `--whole`.

    After a change of messages: `pytest --update-golden tests/rules`, then read the diff.
    """
    parser.addoption(
        "--update-golden", action="store_true", help="write golden files anew from what is said today"
    )
    parser.addoption(
        "--whole",
        action="store_true",
        help="run every case of the products that `tests/pairs.py` makes small",
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish():
    """Save coverage's data, because xdist kills a worker that takes 10 s to end.

    A worker may take that long on a busy machine.
    """
    coverage = sys.modules.get("coverage")
    running = None if coverage is None else coverage.Coverage.current()
    if running is not None:
        running.save()


def pytest_terminal_summary(terminalreporter):
    """Say in one line what the tests that were skipped lack.

    Their names go to the file that `SKIPPED` names: `.ci/run` tries them again with more installed.
    """
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(each.longrepr[2].removeprefix("Skipped: ") for each in skipped)
    if reasons:
        lacking = "; ".join(f"{number}: {reason}" for reason, number in sorted(reasons.items()))
        terminalreporter.write_line(f"{sum(reasons.values())} skipped ({lacking})")
    if path := os.environ.get("SKIPPED"):
        Path(path).write_text("\n".join(sorted({each.nodeid for each in skipped})), encoding="utf-8")


SIGNALS = [getattr(signal, each) for each in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, each)]
LOGGERS = [logging.getLogger(each) for each in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")]


@pytest.fixture(autouse=True)
def no_test_leaves_anything_to_the_next():
    """Put back the signal handlers and loggers that a command has changed in a test.

    A command that runs in a test honours signals as a service does, and sets the log levels of all servers of this
    process. A server that has ended is informed for as long as the process lives, and would be disturbed by later
    tests that change the clock. A process that has loaded gunicorn's arbiter takes itself for one of several.
    """
    heeded = [(number, signal.getsignal(number)) for number in SIGNALS]
    logged = [(each, each.level, each.propagate, each.handlers[:]) for each in LOGGERS]
    yield
    for logger, level, propagate, handlers in logged:
        if (logger.level, logger.propagate, logger.handlers) != (level, propagate, handlers):
            logger.setLevel(level)
            logger.propagate = propagate
            logger.handlers[:] = handlers
    for number, handler in heeded:
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    sys.modules.pop("gunicorn.arbiter", None)
    end = time.monotonic() + 60
    while any(each.name == "faultinject redis" for each in threading.enumerate()):
        assert time.monotonic() < end, "it hangs, or always has more to do"
        time.sleep(0.005)


@pytest.fixture
def golden(request):
    """Compare a golden file: `golden(name, say)` expects `say(input)` below each `>>> input`.

    The file stands beside the test.

    A case is added as an input with nothing below it, then written with `--update-golden`. An input that begins with a
    quote is a Python string.
    """

    def check(name, say):
        path = request.path.with_name(name)
        written = path.read_text(encoding="utf-8")
        inputs = re.findall(r"^>>> (.*)$", written, re.MULTILINE)
        assert 0 < len(set(inputs)) == len(inputs), f"no inputs in {path}, or one twice"
        texts = [literal_eval(each) if each[0] in "'\"" else each for each in inputs]
        said = (
            "\n\n".join(f">>> {each}\n{say(text)}" for each, text in zip(inputs, texts, strict=True)) + "\n"
        )
        if request.config.option.update_golden and said != written:
            path.write_text(said, encoding="utf-8")
            written = said
        assert written == said, f"{path.relative_to(ROOT)} differs; pytest --update-golden writes it anew"
        return texts

    return check


SLOW_LIMIT = pytest.mark.timeout(900)
"""A bound for a hang of slow tests, no measure: `timeout` in pyproject.toml, but for them."""

CLEARS_UP_WITHIN = 60.0

ONLY_SLOW = ("slow", "slow and not alone", "alone")


@cache
def says_slow(path):
    """Whether a module may have a slow test.

    It has `@pytest.mark.slow`, `others_slowly(…)`, or a mark from elsewhere whose name has SLOW.
    """
    return bool(re.search(r"mark\.slow|slowly|SLOW", path.read_text(encoding="utf-8")))


def pytest_ignore_collect(collection_path, config):
    """Do not import modules without the tests that are asked for.

    An import takes a worker longer than many tests. Without `live` tests these are whole folders, and with them the
    SDKs and servers.
    """
    if config.option.markexpr in ONLY_SLOW and collection_path.match("test_*.py"):
        return not says_slow(collection_path) or None
    if config.option.markexpr == "not live" and collection_path.is_dir():
        folder = collection_path.relative_to(ROOT).parts if collection_path.is_relative_to(ROOT) else ()
        return not LIVE.isdisjoint(folder) or None
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector, name, obj):
    """Make no cases of a slow test that would be deselected; that takes longer than many tests."""
    config = collector.config
    if (
        config.option.markexpr == "not slow"
        and name.startswith("test")
        and any(each.name == "slow" for each in getattr(obj, "pytestmark", ()))
        and not any("::" in each for each in config.args)
    ):
        return []
    return None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Begin each worker with another part of a folder.

    Modules that one worker has rewritten for its assertions the others only load.
    """
    report = yield
    given = getattr(collector.config, "workerinput", None)
    if given is not None and isinstance(collector, pytest.Dir):
        first = len(report.result) * int(given["workerid"].removeprefix("gw")) // given["workercount"]
        report.result = report.result[first:] + report.result[:first]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark slow tests, and tests with a real process or connection (`wire`), as `live`.

    All workers have the tests in one order.
    """
    items.sort(key=lambda item: str(item.path))
    live = {path: not LIVE.isdisjoint(path.relative_to(ROOT).parts) for path in {each.path for each in items}}
    for item in items:
        connects = "wire" in getattr(item, "fixturenames", ())
        slow = item.get_closest_marker("slow")
        if slow and not says_slow(item.path):
            raise pytest.UsageError(
                f"{item.nodeid} is slow: its module has to say so, or `-m slow` leaves it out"
            )
        if slow and not item.config.option.whole:
            item.add_marker(SLOW_LIMIT)
        if connects or live[item.path] or slow:
            item.add_marker("live")


def pytest_collection_finish():
    """Exclude everything collected from later garbage collections, and have uvicorn end sooner.

    What was collected stays to the end, with the little garbage in it.
    """
    gc.freeze()
    gc.enable()
    if server := sys.modules.get("uvicorn.server"):
        # It looks ten times a second whether it is to end, then waits as long: most tests take less time than that.
        server.asyncio = SimpleNamespace(
            **vars(asyncio) | {"sleep": lambda seconds: asyncio.sleep(seconds / 10)}
        )


def pytest_xdist_auto_num_workers(config):
    """Start more workers than processors, because live tests wait, and slow ones most of all."""
    return (os.cpu_count() or 1) * {"not live": 1, "not slow": 2}.get(config.option.markexpr, 3)


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    """Let commands of tests react to SIGHUP and SIGINT if the suite runs in the background."""
    if config.option.whole:
        from tests.pairs import WHOLE

        os.environ[WHOLE] = "1"
    for name in ("SIGHUP", "SIGINT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    if config.pluginmanager.hasplugin("faulthandler"):
        config.pluginmanager.register(Watchdog(config))
    # Hypothesis would parse the modules that are loaded, in each worker, and draw from what stands in them: other
    # values where others are loaded.
    if config.getoption("hypothesis_profile", None) is None:
        providers.is_local_module_file = lambda _: False
    # To seed before each phase of each test takes longer than many tests do; none draws from what is seeded.
    if hasattr(config.option, "randomly_reset_seed"):
        config.option.randomly_reset_seed = False


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    """Let an xdist worker send one message for a passed test; six take longer than most tests."""
    options = session.config.option
    if options.durations or options.xmlpath or options.verbose > 0:
        return
    for worker in session.config.pluginmanager.get_plugins():
        if hasattr(worker, "sendevent"):
            worker.sendevent = partial(tell_what_matters, worker.sendevent)


def tell_what_matters(tell, name, **said):
    """Leave out that a test begins and ends, and that a phase or a row of it passed."""
    report = said.get("data") if name == "testreport" else None
    part = report is not None and (report["when"] != "call" or report.get("_report_type") == "SubTestReport")
    if name in ("logstart", "logfinish") or (part and report["outcome"] == "passed"):
        return
    tell(name, **said)


class Watchdog:
    """Ends a process in which a test's limit cannot end the test.

    The test hangs anew while it clears up, or lets no signal in.

    It shows the stacks of all threads, and xdist names the test. A failure lifts the limits of pytest's plugins.

    To set it starts a thread, and to lift it waits for the thread's end: on a busy machine longer than most tests
    take. So a worker that has its next tests lets it stand for a tenth of the limit, by which it is longer.
    """

    def __init__(self, config):
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            self.file = os.fdopen(os.dup(2), "w")
        plugins = config.pluginmanager.get_plugins()
        self.queue = next((each.torun for each in plugins if hasattr(each, "torun")), None)
        self.limit = self.renewed = None

    def end_after(self, seconds, limit=None):
        faulthandler.dump_traceback_later(seconds, exit=True, file=self.file)
        self.limit, self.renewed = limit, time.monotonic()

    def lift(self):
        faulthandler.cancel_dump_traceback_later()
        self.limit = None

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session):
        """End a run whose test modules hang while they are imported."""
        self.end_after(session.config.getvalue("timeout") or float(session.config.getini("timeout")))
        try:
            return (yield)
        finally:
            self.lift()

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, settings):
        stands = settings.timeout / 10
        if self.limit != settings.timeout or time.monotonic() > self.renewed + stands:
            self.end_after(settings.timeout + stands + CLEARS_UP_WITHIN, settings.timeout)

    @pytest.hookimpl(trylast=True)
    def pytest_exception_interact(self):
        self.end_after(CLEARS_UP_WITHIN)

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_cancel_timer(self):
        """Lift it where no test follows at once: a worker may be idle for as long as the others run."""
        if self.queue is not None:
            with self.queue.lock() as waiting:
                if waiting:
                    return
        self.lift()

    def pytest_unconfigure(self):
        self.lift()
        self.file.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Hide the session and PYTHONPATH of a marked run from each test's environment."""
    given = {name: os.environ.pop(name, None) for name in ("FAULTINJECT_SESSION", "PYTHONPATH")}
    rest = [each for each in (given["PYTHONPATH"] or "").split(os.pathsep) if each and each not in hooks]
    if rest:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    try:
        return (yield)
    finally:
        os.environ.pop("PYTHONPATH", None)
        os.environ |= {name: value for name, value in given.items() if value is not None}


@pytest.fixture
def in_many_threads():
    """Run a function of the thread's number in many threads at once; gives the results in order.

    They take turns after each step.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def run(count, work):
        gate = threading.Barrier(count)

        def one(number):
            gate.wait(60)
            return work(number)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    yield run
    sys.setswitchinterval(before)


@pytest.fixture(scope="session")
def launcher():
    """The launcher that starts the program."""
    found = Launcher()
    yield found
    found.close()


class RedisServer:
    """A Redis or Valkey server of its own on a Unix socket, which keeps nothing on disk."""

    def __init__(self, program, folder, *options):
        self.socket = f"{folder}/s"
        self.url = f"unix://{self.socket}"
        self._command = [
            program,
            "--port",
            "0",
            "--unixsocket",
            self.socket,
            "--save",
            "",
            "--hz",
            "1",  # it looks around ten times a second otherwise, to the end of the run
            "--dir",
            str(folder),
            *options,
        ]
        self.start()

    def start(self):
        """It answers when this returns."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until(self._answers, patience=STARTS_WITHIN)

    def client(self):
        import redis

        return redis.Redis(unix_socket_path=self.socket)

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        """With it goes all that it knew."""
        self._process.kill()
        self._process.wait()

    def _answers(self):
        import redis

        try:
            with self.client() as client:
                return client.ping()
        except redis.exceptions.AuthenticationError:
            return True
        except redis.exceptions.ConnectionError:
            return False


@pytest.fixture(scope="session")
def start_redis(tmp_path_factory):
    """Start a server with these options; all are ended with the run."""
    pytest.importorskip("redis", reason="of the extra redis")
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("needs redis-server or valkey-server")
    from faultinject.counts.patience import waiting

    started = []

    def start(*options):
        started.append(RedisServer(program, tmp_path_factory.mktemp("r"), *options))
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "answer", 10.0)  # the machine may be busy
        yield start
    for each in started:
        each.kill()


@pytest.fixture(scope="session")
def redis_server(start_redis):
    """One for all tests that leave it as it is: each has a prefix of its own."""
    return start_redis()


@pytest.fixture
def redis_prefix():
    """One that no other test has."""
    return f"t{os.urandom(6).hex()}"
