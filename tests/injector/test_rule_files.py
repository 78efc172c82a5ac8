"""The file of rules changes while an app runs: other rules take effect, wrong ones do not."""

import _thread
import functools
import gc
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock
from weakref import WeakSet

import pytest

from faultinject import Injector, RuleCounts, Scenario
from faultinject.exceptions import ConfigurationError, MissingExtraError, StoreUnavailableError
from faultinject.injector import rule_file
from tests.asking import get
from tests.injector.children import in_child
from tests.slowly import others_slowly
from tests.until import until
from tests.virtual_time import Time

ROOT = str(Path(__file__).parents[2])
WITHIN = 60.0
NEXT = "faultinject: the file of rules has changed, the previous rules stay in force: "

pytestmark = [
    pytest.mark.usefixtures("own_directories"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def apart(test):
    """Run a test in a process of its own, as file watcher and signal handlers are per process."""

    @functools.wraps(test)
    def run(*fixtures, **named):
        in_child(functools.partial(test, *fixtures, **named))

    return run


def look():
    """Have all files looked at, as a signal does; it is through then."""
    begun = []

    def start(work, arguments):
        begun.append(threading.Thread(target=work, args=arguments))
        begun[0].start()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", start)
        os.kill(os.getpid(), signal.SIGHUP)
    for each in begun:
        each.join(WITHIN)


def looked(injector, requests=1):
    """The statuses of requests behind a look."""
    look()
    return [get(injector) for _ in range(requests)]


def stays(caplog):
    """Lines of the log about rules that stay in force."""
    return [each for each in caplog.messages if "stay in force" in each]


def watches():
    return [each for each in threading.enumerate() if each.name == "faultinject-watch"]


@pytest.fixture(autouse=True)
def make(monkeypatch):
    """A maker of injectors that look when a signal comes, and not by themselves."""

    def make(path, *, seed=None, **environ):
        environ = {"FAULTINJECT_FILE": str(path), **environ}
        injector = Injector(seed=seed, environ=environ, waits=Time())
        injector.follow_file()
        return injector

    monkeypatch.setitem(sys.modules, "watchfiles", None)
    return make


@pytest.fixture
def watching(make, monkeypatch):
    """One that looks by itself, twenty times a second where nothing informs of changes."""
    monkeypatch.setattr(rule_file, "POLL", 0.05)
    monkeypatch.delitem(sys.modules, "watchfiles")
    pytest.importorskip("watchfiles")
    return make


@pytest.fixture
def file(tmp_path):
    """Rules that can be written again: `file("http:503,times=2")`."""

    def write(*rules, seed=None, path=tmp_path / "rules.toml"):
        lines = [] if seed is None else [f'seed = "{seed}"']
        for each in rules:
            fault, _, more = each.partition(",")
            lines += ["[[rules]]", f'fault = "{fault}"', *filter(None, more.split(","))]
        path.write_text("\n".join(lines) + "\n")
        # As an edit some time later has it.
        moment = next(moments)
        os.utime(path, ns=(moment, moment))
        return path

    moments = iter(range(10**18, 2 * 10**18, 10**9))
    return write


@apart
def test_other_rules_take_effect(file, caplog, make):
    """As by `use()`: counts begin at zero; the log says so."""
    injector = make(file("http:503,times=2"))
    assert [get(injector) for _ in range(3)] == [503, 503, 200]
    path = file("http:500,times=1")
    assert looked(injector, 2) == [500, 200]
    assert injector.counts() == {"rule-1": RuleCounts(2, 1)}
    assert [each for each in caplog.messages if "changed" in each] == [
        f"faultinject: {path} has changed, its rules are in force from now on"
    ]
    assert caplog.messages[-1].endswith("rules http:500,times=1")


@apart
def test_nothing_changes_by_a_touch_or_a_comment(file, caplog, make):
    """The counts go on, also under rules that were put in force since by other means."""
    path = file("http:503,times=2")
    injector = make(path)
    assert get(injector) == 503
    path.touch()
    look()
    path.write_text(f"# a comment\n{path.read_text()}")
    assert looked(injector, 2) == [503, 200]
    injector.use("http:418")
    path.write_text(f"# another\n{path.read_text()}")
    assert looked(injector) == [418]
    assert not [each for each in caplog.messages if "changed" in each]


@apart
def test_a_wrong_file_keeps_the_rules_and_says_why(file, caplog, make):
    """Each mistake with its line; once, until the file is another one."""
    path = file("http:503")
    injector = make(path)
    path.write_text('seed = 1\n[[rules]]\nfault = "cos:SlowDwn"\nprobability = 1.5  # too much\n[[')
    assert looked(injector) == looked(injector) == [503]
    path.write_text('[[rules]]\nfault = "cos:SlowDwn"\nprobability = 1.5\n')
    look()
    path.unlink()
    assert looked(injector) == [503]
    first, *others = stays(caplog)
    assert first.startswith(f"{NEXT}FAULTINJECT_FILE: {path}:5: ")
    assert others == [
        f"{NEXT}FAULTINJECT_FILE: {path}:3: rules[0].probability: 1.5 is not between 0 and 1\n"
        f"FAULTINJECT_FILE: {path}:2: rules[0].fault: cos:SlowDwn is not a documented error of cos; "
        "did you mean cos:SlowDown?",
        f"{NEXT}FAULTINJECT_FILE: {path}: there is no such file",
    ]
    file("http:500")
    assert looked(injector) == [500]


@apart
def test_what_is_wrong_beside_the_file_is_shown_there(file, caplog, make):
    """The excerpt is of the variable, though a name in the file is what makes it wrong."""
    path = file("http:503")
    injector = make(path, FAULTINJECT_RULES="http:500,name=a")
    file("http:502,name = 'a'")
    assert looked(injector) == [503]
    assert stays(caplog) == [
        f"{NEXT}FAULTINJECT_RULES: name: a is already the name of rules[0] (FAULTINJECT_FILE: "
        f"{path}:3); names must be unique\n"
        "  http:500,name=a\n"
        "                ^"
    ]


@apart
def test_no_rule_at_all_switches_off(file, make):
    """At the start that is a mistake; later it is the way to end all faults."""
    path = file("http:503")
    injector = make(path)
    for nothing in ("# none\n", ""):
        path.write_text(nothing)
        assert looked(injector) == [200]
        look()
        file("http:500")
        assert looked(injector) == [500]


@apart
def test_a_file_that_is_being_written(file, monkeypatch, make):
    """The next look sees a change that came while the file was read."""
    injector = make(file("http:503"))
    read = Scenario.from_env

    def late(environ):
        try:
            return read(environ)
        finally:
            file("http:501")

    file("http:500")
    with monkeypatch.context() as patch:
        patch.setattr(Scenario, "from_env", late)
        assert looked(injector) == [500]
    assert looked(injector) == [501]


@apart
def test_what_stands_beside_the_file_stays(file, make):
    """The other variables with rules, and a seed that was given in code; else the file's holds."""
    injector = make(file("http:503,times=1", seed=1), seed=7, FAULTINJECT_RULE_LAST="http:429")
    assert [get(injector) for _ in range(2)] == [503, 429]
    file("http:500,times=1", seed=2)
    assert looked(injector, 2) == [500, 429]
    assert injector.seed == "7"
    other = make(file("http:503", seed=1))
    file("http:500", seed=2)
    look()
    assert other.seed == "2"


@apart
def test_what_is_no_file_is_read_once(tmp_path, make):
    """A pipe is read once, and an impossible file name is a mistake."""
    reading, writing = os.pipe()
    os.write(writing, b'[[rules]]\nfault = "http:503"\n')
    os.close(writing)
    injector = make(f"/dev/fd/{reading}")
    os.close(reading)
    assert get(injector) == 503
    for wrong in (tmp_path, tmp_path / "none" / "rules.toml", "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigurationError, match="FAULTINJECT_FILE"):
            make(wrong)


@apart
def test_off_for_good(file, make):
    """Nothing is looked at where nothing may be injected, or the injector is gone."""
    kept = [make(file("http:503"), FAULTINJECT_ENABLED="0"), make(file("http:503"), APP_ENV="production")]
    make(file("http:503"))
    gc.collect()
    file("http:500")
    look()
    assert [get(each) for each in kept] == [200, 200]


@pytest.mark.parametrize(
    ("what", "error", "told"),
    [
        ("use", StoreUnavailableError("away"), "away"),
        ("use", ConfigurationError("too many"), "too many"),
        ("from_env", ZeroDivisionError("of ours"), "of ours"),
    ],
    ids=["no store", "refused", "an error of ours"],
)
@apart
def test_what_keeps_the_new_rules_away(file, monkeypatch, caplog, what, error, told, make):
    """If new rules fail, the old ones stay, the log says it once, and a later look retries.

    With another file where it was wrong.
    """
    injector = make(file("http:503"))
    with monkeypatch.context() as patch:
        patch.setattr(injector if what == "use" else Scenario, what, Mock(side_effect=error))
        file("http:500")
        look()
        look()
    assert (stays(caplog), get(injector)) == ([f"{NEXT}{told}"], 503)
    if not isinstance(error, StoreUnavailableError):
        file("http:500", seed=1)
    assert looked(injector) == [500]


@pytest.mark.parametrize("same", [True, False])
@apart
def test_others_put_something_in_force_meanwhile(file, monkeypatch, same, make):
    """Rules of others that are the file's stay; the next look replaces other ones.

    A worker of another host with the same file does so.
    """
    injector = make(file("http:503"))
    put, tries = injector.use, []

    def use(scenario, **how):
        tries.append(how.get("expected"))
        if len(tries) == 1:
            put("http:500,times=1" if same else "http:418")
            assert get(injector) == (500 if same else 418)
        return put(scenario, **how)

    monkeypatch.setattr(injector, "use", use)
    file("http:500,times=1")
    look()
    assert get(injector) == (200 if same else 418)
    look()
    assert get(injector) == (200 if same else 500)
    assert len(tries) == (1 if same else 2)


@apart
def test_a_variable_of_blanks(file, make):
    """It names no file."""
    assert get(make(" ", FAULTINJECT_RULES="http:503")) == 503


@apart
def test_where_no_handler_can_be_set(file, monkeypatch, make):
    """Without the main thread no handler is set, and a later injector sets it.

    An interpreter beside the main one, as mod_wsgi has them, and other threads cannot set one.
    """
    before = signal.getsignal(signal.SIGHUP)
    refused = ValueError("signal only works in main thread of the main interpreter")
    with monkeypatch.context() as patch:
        patch.setattr(signal, "signal", Mock(side_effect=refused))
        make(file("http:503"))
    thread = threading.Thread(target=make, args=(file("http:503"),))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGHUP) is before
    make(file("http:503"))
    assert signal.getsignal(signal.SIGHUP) is not before


def replace(path, text):
    """As editors write."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def remove_and_make(path, text):
    """As others do."""
    path.unlink()
    path.write_text(text)


@pytest.mark.parametrize(
    ("edit", "tells"),
    [
        (Path.write_text, "the system"),
        (replace, "the system"),
        (remove_and_make, "the system"),
        (replace, "nothing"),
        (remove_and_make, "gevent"),
    ],
)
@apart
def test_watched(file, edit, tells, watching, monkeypatch):
    """The file is watched from the first request on, whatever replaces it.

    Also where nothing informs of changes.
    """
    import watchfiles

    watch, told = watchfiles.watch, []

    def listen(*paths, **how):
        for changes in watch(*paths, **how):
            told.extend(changes)
            yield changes

    monkeypatch.setattr(watchfiles, "watch", listen if tells == "the system" else None)
    if tells == "gevent":  # a thread that waits outside of Python would keep all its requests waiting
        monkeypatch.setitem(
            sys.modules, "gevent.monkey", SimpleNamespace(is_module_patched="threading".__eq__)
        )
    path = file("http:503")
    injector = watching(path)
    assert not watches()
    assert get(injector) == 503
    assert len(watches()) == 1
    for status in (500, 501):
        edit(path, f'[[rules]]\nfault = "http:{status}"\n')
        # Who writes into the file may be seen before he has written: then there are no rules for a moment.
        until(lambda: [each.fault for each in injector.scenario.rules] == [f"http:{status}"])  # noqa: B023
    assert len(watches()) == 1
    assert bool(told) == (tells == "the system")


@apart
def test_links_as_kubernetes_changes_them(file, tmp_path, watching):
    """A ConfigMap: the file is a link through a link to a folder, and that link is replaced."""
    volume = tmp_path / "volume"
    volume.mkdir()
    for number, fault in enumerate(("http:503", "http:500")):
        (volume / f"..{number}").mkdir()
        file(fault, path=volume / f"..{number}" / "rules.toml")
    (volume / "..data").symlink_to("..0")
    (volume / "rules.toml").symlink_to("..data/rules.toml")
    injector = watching(volume / "rules.toml")
    assert get(injector) == 503
    (volume / "..new").symlink_to("..1")
    (volume / "..new").rename(volume / "..data")
    until(lambda: get(injector) == 500)


@pytest.mark.parametrize("watched", others_slowly([False, True], False.__eq__))
@apart
def test_a_folder_that_is_replaced(file, tmp_path, watching, watched):
    """Without it there is nothing to watch, and it is looked for.

    If it was watched, the other one is seen after a while.
    """
    folder = tmp_path / "folder"
    folder.mkdir()
    path = file("http:503", path=folder / "rules.toml")
    injector = watching(path)
    assert not watched or get(injector) == 503
    folder.rename(tmp_path / "away")
    assert watched or get(injector) == 503
    folder.mkdir()
    file("http:500", path=path)
    until(lambda: get(injector) == 500)


@apart
def test_a_change_while_the_watch_begins(file, monkeypatch, watching):
    """It takes its time, and nothing tells of what changes until it is there."""
    injector = watching(file("http:503"))
    import watchfiles

    watch = watchfiles.watch

    def begin(*given, **how):
        file("http:500")
        return watch(*given, **how)

    monkeypatch.setattr(watchfiles, "watch", begin)
    assert get(injector) in {500, 503}
    until(lambda: get(injector) == 500)


@apart
def test_a_change_before_the_first_request(file, watching):
    """A change before the first request holds for it."""
    injector = watching(file("http:503"))
    file("http:500")
    assert get(injector) == 500


@apart
def test_asked_for_or_not(file, monkeypatch, watching):
    """`1` needs the extra, `0` never looks, and a failed first look lets the request pass."""
    path = file("http:503")
    before = signal.getsignal(signal.SIGHUP)
    silent = watching(path, FAULTINJECT_WATCH="0")
    file("http:500")
    assert (get(silent), watches(), signal.getsignal(signal.SIGHUP)) == (503, [], before)
    with pytest.raises(ConfigurationError, match="FAULTINJECT_WATCH"):
        watching(path, FAULTINJECT_WATCH="often")
    broken = watching(path)
    file("http:501")
    with monkeypatch.context() as patch:
        patch.setattr(Scenario, "from_env", lambda _: 1 / 0)
        get(broken)
    assert broken.failures == 1
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(MissingExtraError, match=r"FAULTINJECT_WATCH=1 needs watchfiles: .*\[watch\]"):
        watching(path, FAULTINJECT_WATCH="1")


@apart
def test_a_hangup(file, watching):
    """SIGHUP reads the file beside another handler; without the extra nothing else does."""
    heard = []
    signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))
    injector = watching(file("http:503"))
    watching(file("http:503"))
    file("http:500")
    os.kill(os.getpid(), signal.SIGHUP)
    until(lambda: get(injector) == 500)
    assert heard == [signal.SIGHUP]


@apart
def test_an_injector_that_comes_during_a_look(file, make):
    """All others are looked at all the same."""
    path = file("http:503")
    injectors = [make(path), make(path)]
    file("http:500")
    steps, comes = [], threading.Thread(target=lambda: injectors.append(make(path)))

    def seen(frame, event, _):
        if frame.f_code is WeakSet.__iter__.__code__ and threading.current_thread() is not comes:
            steps.append(event)
            if steps == ["call", "return", "call"]:
                comes.start()
                # It waits until the look has gone through all of them.
                comes.join(0.2)

    threading.setprofile(seen)
    look()
    threading.setprofile(None)
    comes.join(WITHIN)
    assert [get(each) for each in injectors] == [500, 500, 500]


LOADING = """
import os, sys, threading
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from faultinject import Injector, WSGIFaultMiddleware
injector = Injector(environ={"FAULTINJECT_FILE": sys.argv[1]})
injector.follow_file()
WSGIFaultMiddleware(None, injector=injector)({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
while "watchfiles" not in sys.modules:
    pass
if not os.fork():
    import watchfiles
    os._exit(3)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_fork_right_behind_the_first_request(file, tmp_path):
    """A fork right after the first request does not hang, as the watcher is imported by then.

    A child would wait for ever for an import of another thread of its parent.
    """
    (tmp_path / "watchfiles.py").write_text("import time\ntime.sleep(0.3)\nwatch = None\n")
    command = [sys.executable, "-c", LOADING, str(file("http:503"))]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        try:
            assert process.wait(WITHIN) == 3
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class TestWorkers:
    """A server whose master restarts workers; a worker's injector is made in this process."""

    @pytest.fixture(autouse=True)
    def worker(self, monkeypatch):
        monkeypatch.setenv("RUN_MAIN", "true")  # as a reloader's child has it

    @pytest.fixture
    def store(self, tmp_path):
        return f"file:{tmp_path / 'store'}"

    @pytest.mark.parametrize("shared", [False, True])
    @apart
    def test_a_worker_that_comes_later_goes_on_with_what_the_others_have(
        self, file, caplog, store, shared, make
    ):
        """Also when the file is wrong by then, or went away; it says why."""
        environ = {"FAULTINJECT_STORE": store if shared else "memory:"}
        first = make(file("http:503,times=2", seed=3), **environ)
        assert get(first) == 503
        path = file("http:500,times=2", seed=4)
        assert looked(first) == [500]
        path.write_text("[[rules]")
        second = make(path, **environ)
        assert [get(second) for _ in range(2)] == ([500, 200] if shared else [500, 500])
        assert second.seed == "4"
        assert stays(caplog)
        path.unlink()
        third = make(path, **environ)
        assert [get(third) for _ in range(3)] == ([200] * 3 if shared else [500, 500, 200])
        file("http:501", seed=4)
        assert get(make(path, **environ)) == 501
        with pytest.raises(ConfigurationError, match="FAULTINJECT_RULES"):
            make(path, FAULTINJECT_RULES="http:5x3", **environ)

    @pytest.mark.parametrize("put", [Path.mkdir, lambda path: path.symlink_to(path)], ids=["folder", "loop"])
    @apart
    def test_a_worker_that_comes_when_there_is_no_file_in_its_place(self, file, caplog, put, make):
        """A worker without a file in its place does not end, and takes the next one.

        Its server began with a file.
        """
        path = file("http:503")
        make(path)
        path.unlink()
        put(path)
        second = make(path)
        assert get(second) == 503
        assert stays(caplog)
        path.rename(path.with_name("away"))
        file("http:500")
        assert looked(second) == [500]

    @apart
    def test_one_publishes(self, file, store, caplog, make):
        """One worker publishes, so counts begin at zero once; later changes of others stay."""
        workers = [make(file("http:503"), FAULTINJECT_STORE=store) for _ in range(3)]
        file("http:500,times=2")
        assert looked(workers[1]) == [500]
        assert looked(workers[0], 2) == [500, 200]
        workers[0].use("http:418")
        assert looked(workers[2]) == [418]
        assert len([each for each in caplog.messages if "has changed, its" in each]) == 1

    @pytest.mark.parametrize("master", ["true", "false"])
    @apart
    def test_forked(self, file, monkeypatch, make, master):
        """A forked worker looks at the file before its first request, as its master may be old.

        Also if that master has a master.
        """
        monkeypatch.setenv("RUN_MAIN", master)
        injector = make(file("http:503"))
        assert get(injector) == 503
        file("http:500")
        monkeypatch.setenv("RUN_MAIN", "true")
        assert in_child(lambda: get(injector)) == 500
        assert get(injector) == 503

    @apart
    def test_the_first_of_several_that_start_at_once(self, file, make):
        """The first of several workers began with the rules with which the server began."""
        others = []

        def clock():
            if not others:
                others.append(make(path))
                path.write_text('[[rules]]\nfault = "http:500"\n')
            return 1.0

        path = file("http:503")
        late = Injector(environ={"FAULTINJECT_FILE": str(path)}, clock=clock)
        assert [get(each) for each in (late, *others)] == [500, 503]
        path.write_text("[[")
        assert get(make(path)) == 503

    @apart
    def test_where_nothing_can_be_noted(self, file, tmp_path, monkeypatch, make):
        """A worker does without: its start reads the file, as the first one's does."""
        (tmp_path / f"faultinject-{os.geteuid()}").touch()
        injector = make(file("http:503"))
        file("http:500")
        assert looked(injector) == [500]
        with pytest.raises(ConfigurationError):
            make(file("http:5x3"))

    @apart
    def test_a_note_that_nobody_understands(self, file, tmp_path, make):
        """It is as good as none."""
        make(file("http:503"))
        [note] = (tmp_path / f"faultinject-{os.geteuid()}").iterdir()
        for text in ("{", "[]", '{"begun": "x"}'):
            note.write_text(text)
            assert get(make(file("http:500"))) == 500
