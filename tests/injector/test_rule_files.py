"""The file of rules changes while an app runs: other rules take effect, wrong ones do not."""

from __future__ import annotations

import gc
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from weakref import WeakSet

import pytest

from faultinject import Injector, Scenario, WSGIFaultMiddleware
from faultinject.counts import begun, private
from faultinject.exceptions import ConfigurationError, Conflict, MissingExtra, StoreUnavailable
from faultinject.injector import file_watch, rule_file, server_note
from faultinject.injector import instances as registry

WITHIN = 20.0


def app(environ, start_response):
    start_response("200 OK", [])
    return [b"app"]


def get(injector, path="/"):
    statuses = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    list(
        WSGIFaultMiddleware(app, injector=injector)(
            environ, lambda status, _: statuses.append(int(status[:3]))
        )
    )
    return statuses[0]


def until(true):
    end = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """No file, watch, handler or private directory of another test."""
    monkeypatch.setattr(registry, "_all", WeakSet())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, value in {"_files": WeakSet(), "_watch": None, "_heeded": False, "_previous": None}.items():
        monkeypatch.setattr(file_watch, name, value)
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)
    if file_watch._watch is not None:
        file_watch._watch.end()


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


def make(path, *, seed=None, **environ):
    """An injector that looks when it is told to."""
    return Injector(seed=seed, environ={"FAULTINJECT_FILE": str(path), "FAULTINJECT_WATCH": "0", **environ})


def watching(path, **environ):
    """One that looks by itself."""
    injector = make(path, FAULTINJECT_WATCH="", **environ)
    injector.heed_file()
    return injector


def test_other_rules_take_effect(file, caplog):
    """As by `use()`: counts begin at zero; the log says so."""
    injector = make(file("http:503,times=2"))
    assert [get(injector) for _ in range(3)] == [503, 503, 200]
    path = file("http:500,times=1")
    injector._file.look()
    assert [get(injector) for _ in range(2)] == [500, 200]
    assert injector.counts() == {"rule-1": {"matched": 2, "injected": 1}}
    assert [each for each in caplog.messages if "changed" in each] == [
        f"faultinject: {path} has changed, its rules are in force from now on"
    ]
    assert caplog.messages[-1].endswith("rules http:500,times=1")


def test_nothing_changes_by_a_touch_or_a_comment(file, caplog):
    """The counts go on, also under rules that were put in force since by other means."""
    path = file("http:503,times=2")
    injector = make(path)
    assert get(injector) == 503
    path.touch()
    injector._file.look(closely=False)
    path.write_text(f"# a comment\n{path.read_text()}")
    injector._file.look()
    assert [get(injector) for _ in range(2)] == [503, 200]
    injector.use("http:418")
    path.write_text(f"# another\n{path.read_text()}")
    injector._file.look()
    assert get(injector) == 418
    assert not [each for each in caplog.messages if "changed" in each]


def test_what_is_in_force_already_goes_on(file):
    """Somebody else was faster."""
    injector = make(file("http:503,times=2"))
    injector.use("http:500,times=2")
    assert get(injector) == 500
    file("http:500,times=2")
    injector._file.look()
    assert [get(injector) for _ in range(2)] == [500, 200]


def test_a_wrong_file_keeps_the_rules_and_says_why(file, caplog):
    """Each mistake with its line and a caret below it; once, until the file is another one."""
    path = file("http:503")
    injector = make(path)
    path.write_text('seed = 1\n[[rules]]\nfault = "cos:SlowDwn"\nprobability = 1.5  # too much\n[[')
    injector._file.look()
    injector._file.look()
    assert get(injector) == 503
    [told] = [each for each in caplog.messages if "stay in force" in each]
    assert f"FAULTINJECT_FILE: {path}:5: " in told
    path.write_text('[[rules]]\nfault = "cos:SlowDwn"\nprobability = 1.5\n')
    caplog.clear()
    injector._file.look()
    [told] = caplog.messages
    assert told == (
        "faultinject: the file of rules has changed, the previous rules stay in force: "
        f"FAULTINJECT_FILE: {path}:3: rules[0].probability: 1.5 is not between 0 and 1\n"
        "  probability = 1.5\n"
        "                ^^^\n"
        f"FAULTINJECT_FILE: {path}:2: rules[0].fault: cos:SlowDwn is not a documented error of cos; "
        "did you mean cos:SlowDown?\n"
        '  fault = "cos:SlowDwn"\n'
        "          ^^^^^^^^^^^^^"
    )
    path.unlink()
    caplog.clear()
    injector._file.look(closely=False)
    assert caplog.messages == [
        "faultinject: the file of rules has changed, the previous rules stay in force: "
        f"FAULTINJECT_FILE: {path}: there is no such file"
    ]
    file("http:500")
    injector._file.look(closely=False)
    assert get(injector) == 500


def test_what_is_wrong_beside_the_file_is_shown_there(file, caplog):
    """The excerpt is of the variable, though a name in the file is what makes it wrong."""
    path = file("http:503")
    injector = make(path, FAULTINJECT_RULES="http:500,name=a")
    caplog.clear()
    file("http:502,name = 'a'")
    injector._file.look()
    assert caplog.messages == [
        "faultinject: the file of rules has changed, the previous rules stay in force: "
        f"FAULTINJECT_RULES: name: a is already the name of rules[0] ({path}:3); names must be unique\n"
        "  http:500,name=a\n"
        "                ^"
    ]
    assert get(injector) == 503


def test_no_rule_at_all_switches_off(file):
    """At the start that is a mistake; later it is the way to end all faults."""
    path = file("http:503")
    injector = make(path)
    path.write_text("# none\n")
    injector._file.look()
    assert get(injector) == 200
    file("http:500")
    injector._file.look()
    path.write_text("")
    injector._file.look(closely=False)
    assert get(injector) == 200
    injector._file.look(closely=False)
    file("http:500")
    injector._file.look()
    assert get(injector) == 500


@pytest.mark.parametrize("text", ["", "[["], ids=["empty", "half"])
def test_a_file_that_is_being_written(file, monkeypatch, caplog, text):
    """What it has for a moment is neither put in force nor told: here between the look at it and the reading."""
    path = file("http:503")
    injector = make(path)
    read = Scenario.from_env

    def late(environ):
        monkeypatch.setattr(Scenario, "from_env", read)
        path.write_text(text)
        try:
            return read(environ)
        finally:
            file("http:501")

    file("http:500")
    monkeypatch.setattr(Scenario, "from_env", late)
    injector._file.look()
    assert get(injector) == 501
    assert sum("changed" in each for each in caplog.messages) == 1


def test_a_file_that_never_rests(file, monkeypatch):
    """The rules before stay in force, and the look ends."""
    injector = make(file("http:503"))
    file("http:500")
    monkeypatch.setattr(rule_file.RuleFile, "_digest", lambda _: object())
    injector._file.look()
    assert get(injector) == 503


def test_a_look_within_a_look(file, monkeypatch):
    """What is put in force may ask whether there is something new: the look that goes on sees to it."""
    injector = make(file("http:503"))
    file("http:500")
    real, looks = Scenario.from_env, []

    def again(environ):
        looks.append(environ)
        injector._file.look()
        return real(environ)

    monkeypatch.setattr(Scenario, "from_env", again)
    injector._file.look()
    assert (get(injector), len(looks)) == (500, 1)


def test_what_stands_beside_the_file_stays(file):
    """The other variables with rules, and a seed that was given in code; else the file's holds."""
    injector = make(file("http:503,times=1", seed=1), seed=7, FAULTINJECT_RULE_LAST="http:429")
    assert [get(injector) for _ in range(2)] == [503, 429]
    file("http:500,times=1", seed=2)
    injector._file.look()
    assert [get(injector) for _ in range(2)] == [500, 429]
    assert injector.seed == "7"
    other = make(file("http:503", seed=1))
    file("http:500", seed=2)
    other._file.look()
    assert other.seed == "2"


def test_what_is_no_file_is_read_once(tmp_path):
    """What was in a pipe is gone; a name that no file can have is a mistake."""
    reading, writing = os.pipe()
    os.write(writing, b'[[rules]]\nfault = "http:503"\n')
    os.close(writing)
    injector = make(f"/dev/fd/{reading}")
    assert injector._file is None
    os.close(reading)
    for wrong in (tmp_path, tmp_path / "none" / "rules.toml", "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigurationError, match="FAULTINJECT_FILE"):
            make(wrong)


def test_off_for_good(file):
    """Nothing is looked at where nothing may be injected, or the injector is gone."""
    assert make(file("http:503"), FAULTINJECT_ENABLED="0")._file is None
    assert make(file("http:503"), APP_ENV="production")._file is None
    injector = make(file("http:503"))
    found = injector._file
    del injector
    gc.collect()
    file("http:500")
    found.look()


def test_a_store_that_is_away(file, monkeypatch, caplog):
    """The rules stay, the log says it once, and the next look tries again."""
    injector = make(file("http:503"))
    put = injector.use

    def use(*_, **__):
        raise StoreUnavailable("away")

    monkeypatch.setattr(injector, "use", use)
    path = file("http:500")
    for _ in range(2):
        injector._file.look(closely=False)
    assert [each for each in caplog.messages if "away" in each] == [
        "faultinject: the file of rules has changed, the previous rules stay in force: away"
    ]

    def refuse(*_, **__):
        raise ConfigurationError("too many")

    monkeypatch.setattr(injector, "use", refuse)
    path.touch()
    injector._file.look(closely=False)
    injector._file.look()
    assert [each for each in caplog.messages if "too many" in each] == [
        "faultinject: the file of rules has changed, the previous rules stay in force: too many"
    ]
    assert get(injector) == 503
    monkeypatch.setattr(injector, "use", put)
    file("http:501")
    injector._file.look()
    assert get(injector) == 501


@pytest.mark.parametrize("same", [True, False])
def test_others_put_something_in_force_meanwhile(file, monkeypatch, same):
    """The same, as a worker of another host with the same file does; or something else, which the file's rules follow."""
    monkeypatch.setattr(rule_file, "SETTLES_WITHIN", 0)
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
    injector._file.look()
    assert get(injector) == (200 if same else 500)
    assert len(tries) == (1 if same else 2)


def test_others_never_rest(file, monkeypatch, caplog):
    """The rules are put in force at a later look."""
    monkeypatch.setattr(rule_file, "SETTLES_WITHIN", 0)
    injector = make(file("http:503"))
    put = injector.use

    def use(*_, **__):
        raise Conflict("another generation")

    monkeypatch.setattr(injector, "use", use)
    file("http:500")
    injector._file.look()
    assert "the previous rules stay in force: others change what is in force at every moment" in caplog.text
    monkeypatch.setattr(injector, "use", put)
    injector._file.look()
    assert get(injector) == 500


def test_a_variable_of_blanks(file):
    """It names no file."""
    assert make(" ", FAULTINJECT_RULES="http:503")._file is None


def test_an_error_of_ours_ends_no_watch(file, monkeypatch, caplog):
    """The log has it."""
    injector = make(file("http:503"))
    monkeypatch.setattr(injector._file, "_take_over", lambda *_: 1 / 0)
    file("http:500")
    file_watch._look(injector._file)
    assert "the previous rules stay in force: division by zero" in caplog.text


def test_where_no_handler_can_be_set(file, monkeypatch):
    """In an interpreter beside the main one, as mod_wsgi has them."""

    def refuse(*_):
        raise ValueError("signal only works in main thread of the main interpreter")

    with monkeypatch.context() as patch:
        patch.setattr(file_watch.signal, "signal", refuse)
        watching(file("http:503"))
    assert not file_watch._heeded


def test_whether_there_is_a_terminal(monkeypatch):
    """It can be opened."""
    monkeypatch.setattr(file_watch, "TERMINAL", os.devnull)
    assert file_watch._terminal()
    monkeypatch.setattr(file_watch, "TERMINAL", "/dev/none")
    assert not file_watch._terminal()


def replace(path, text):
    """As editors write."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


EDITS = {
    "in its place": lambda path, text: path.write_text(text),
    "another one moved there": replace,
    "removed and made": lambda path, text: (path.unlink(), path.write_text(text)),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("polls", [False, True])
def test_watched(file, edit, polls, monkeypatch):
    """From the first request on, however the file is written, and where nothing tells of changes."""
    if polls:
        monkeypatch.setattr(file_watch, "POLL", 0.02)
        monkeypatch.setitem(sys.modules, "watchfiles._rust_notify", None)
    path = file("http:503")
    injector = watching(path)
    assert file_watch._watch is None
    assert get(injector) == 503
    watch = file_watch._watch
    for status in (500, 501):
        edit(path, f'[[rules]]\nfault = "http:{status}"\n')
        until(lambda: injector.plan.rules[0].fault == f"http:{status}")  # noqa: B023
        assert get(injector) == status
    assert file_watch._watch is watch
    another = watching(path)
    assert get(another) == 501
    assert file_watch._watch is watch, "one thread a process"


def test_links_as_kubernetes_changes_them(file, tmp_path):
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
    until(lambda: injector.plan.rules[0].fault == "http:500")


def test_a_folder_that_is_replaced(file, tmp_path, monkeypatch):
    """It is seen after a while, and what comes then at once."""
    monkeypatch.setattr(file_watch, "LONGEST", 0.2)
    folder = tmp_path / "folder"
    folder.mkdir()
    injector = watching(file("http:503", path=folder / "rules.toml"))
    assert get(injector) == 503
    folder.rename(tmp_path / "away")
    until(lambda: not file_watch._folders())
    folder.mkdir()
    file("http:500", path=folder / "rules.toml")
    until(lambda: injector.plan.rules[0].fault == "http:500")


def test_a_change_while_the_watch_begins(file, monkeypatch):
    """It takes its time, and nothing tells of what changes until it is there."""
    notifier = file_watch._notifier

    def begin(paths):
        file("http:500")
        return notifier(paths)

    monkeypatch.setattr(file_watch, "LONGEST", 3600.0)
    monkeypatch.setattr(file_watch, "_notifier", begin)
    injector = watching(file("http:503"))
    assert get(injector) in {500, 503}
    until(lambda: injector.plan.rules[0].fault == "http:500")


def test_a_change_before_the_first_request(file):
    """That request has the new rules already."""
    injector = watching(file("http:503"))
    file("http:500")
    assert get(injector) == 500


def test_greenlets_poll(monkeypatch):
    """A thread that waits outside of Python would keep all requests of gevent waiting."""

    class Monkey:
        is_module_patched = staticmethod("threading".__eq__)

    monkeypatch.setitem(sys.modules, "gevent.monkey", Monkey)
    assert file_watch._notifier(["/"]) is None
    monkeypatch.delitem(sys.modules, "gevent.monkey")
    assert file_watch._notifier([]) is None
    assert file_watch._notifier(["/"]) is not None


def test_asked_for_or_not(file, monkeypatch, caplog):
    """`1` needs the extra; `0` never looks; a first look that fails is an error of ours that lets the request pass."""
    path = file("http:503")
    before = signal.getsignal(signal.SIGHUP)
    silent = make(path, FAULTINJECT_WATCH="0")
    silent.heed_file()
    file("http:500")
    assert get(silent) == 503
    assert file_watch._watch is None
    assert signal.getsignal(signal.SIGHUP) is before
    with pytest.raises(ConfigurationError, match="FAULTINJECT_WATCH"):
        make(path, FAULTINJECT_WATCH="often")
    broken = watching(path)
    monkeypatch.setattr(file_watch, "begin", lambda file: 1 / 0)
    assert get(broken) == 500
    assert broken.failures == 1
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(MissingExtra, match=r"FAULTINJECT_WATCH=1 needs watchfiles: .*\[watch\]"):
        make(path, FAULTINJECT_WATCH="1").heed_file()
    watching(path)


def test_a_hangup(file):
    """It reads the file, whoever heeds it, too; without the extra nothing else does."""
    heard = []
    signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))
    injector = watching(file("http:503"))
    watching(file("http:503"))
    file("http:500")
    os.kill(os.getpid(), signal.SIGHUP)
    until(lambda: injector.plan.rules[0].fault == "http:500")
    assert heard == [signal.SIGHUP]


def test_a_hangup_of_a_terminal_that_is_gone(monkeypatch):
    """It ends the process, as it would without us; with a terminal, or where there never was one, it does not."""
    ended = []
    monkeypatch.setattr(file_watch.os, "kill", lambda pid, number: ended.append((pid, number)))
    monkeypatch.setattr(file_watch, "_previous", signal.SIG_DFL)
    for had, has in ((False, False), (True, True)):
        monkeypatch.setattr(file_watch, "_has_terminal", had)
        monkeypatch.setattr(file_watch, "_terminal", lambda has=has: has)
        file_watch._on_hangup(signal.SIGHUP, None)
        assert not ended
    monkeypatch.setattr(file_watch, "_terminal", lambda: False)
    file_watch._on_hangup(signal.SIGHUP, None)
    assert ended == [(os.getpid(), signal.SIGHUP)]


PROGRAM = """
import os, sys, time
sys.path.insert(0, {root!r})
from faultinject import Injector
injector = Injector(environ={{"FAULTINJECT_FILE": {path!r}}})
injector.heed_file()
print("ready", flush=True)
time.sleep(60)
"""


def test_who_closes_the_terminal_ends_the_program(file):
    """A server in a terminal does not live on when the window is closed."""
    root = str(Path(rule_file.__file__).parents[2])
    program = PROGRAM.format(root=root, path=str(file("http:503")))
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{program}",
        ],
        stdin=terminal,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(terminal)
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
    os.close(controller)
    assert process.wait(WITHIN) == -signal.SIGHUP


def test_only_the_main_thread_heeds_signals(file):
    """Elsewhere Python has no handlers."""
    from threading import Thread

    injector = make(file("http:503"), FAULTINJECT_WATCH="")
    before = signal.getsignal(signal.SIGHUP)
    thread = Thread(target=injector.heed_file)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGHUP) is before


def test_a_program_that_ends(file, monkeypatch):
    """No thread is begun any more, and none outlives the interpreter."""
    ends = []

    def refuse(end):
        raise RuntimeError("can't register atexit after shutdown")

    monkeypatch.setattr(file_watch.threading, "_register_atexit", refuse)
    injector = watching(file("http:503"))
    assert get(injector) == 503
    assert not file_watch._watch.is_alive()
    file_watch._watch.end()
    assert not ends


class TestWorkers:
    """A server whose master starts workers again; here a worker's injector is made in this process."""

    @pytest.fixture(autouse=True)
    def worker(self, monkeypatch):
        for each in (begun, server_note):
            monkeypatch.setattr(each, "server_process", os.getppid)

    @pytest.fixture
    def store(self, tmp_path):
        return f"file:{tmp_path / 'store'}"

    def test_a_wrong_file_at_the_first_start_is_refused(self, file):
        with pytest.raises(ConfigurationError, match="http:5x3"):
            make(file("http:5x3"))

    @pytest.mark.parametrize("shared", [False, True])
    def test_a_worker_that_comes_later_goes_on_with_what_the_others_have(self, file, caplog, store, shared):
        """Also when the file is wrong by then, or went away; it says why."""
        environ = {"FAULTINJECT_STORE": store if shared else "memory:"}
        first = make(file("http:503,times=2", seed=3), **environ)
        assert get(first) == 503
        path = file("http:500,times=2", seed=4)
        first._file.look()
        assert get(first) == 500
        path.write_text("[[rules]")
        second = make(path, **environ)
        assert [get(second) for _ in range(2)] == ([500, 200] if shared else [500, 500])
        assert second.seed == "4"
        assert "stay in force" in caplog.text
        path.unlink()
        third = make(path, **environ)
        assert [get(third) for _ in range(3)] == ([200] * 3 if shared else [500, 500, 200])
        file("http:501", seed=4)
        assert get(make(path, **environ)) == 501
        with pytest.raises(ConfigurationError, match="FAULTINJECT_RULES"):
            make(path, FAULTINJECT_RULES="http:5x3", **environ)

    @pytest.mark.parametrize("there", ["a folder", "a pipe", "a loop"])
    def test_a_worker_that_comes_when_there_is_no_file_in_its_place(self, file, caplog, monkeypatch, there):
        """Its server began with one, so it does not end by what stands there now, and heeds the next one."""
        monkeypatch.setattr("faultinject.rules.files.PATIENCE", 0.1)
        path = file("http:503")
        make(path)
        path.unlink()
        if there == "a folder":
            path.mkdir()
        elif there == "a pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(path)
        second = make(path)
        assert get(second) == 503
        assert "stay in force" in caplog.text
        if there == "a folder":
            path.rmdir()
        else:
            path.unlink()
        file("http:500")
        second._file.look()
        assert get(second) == 500

    def test_one_publishes(self, file, store, caplog):
        """The others find the same in force: counts begin at zero once. What somebody else put in force since stays."""
        workers = [make(file("http:503"), FAULTINJECT_STORE=store) for _ in range(3)]
        file("http:500,times=2")
        workers[0]._file.look()
        assert get(workers[1]) == 500
        workers[1]._file.look()
        assert get(workers[0]) == 500
        assert get(workers[0]) == 200
        workers[0].use("http:418")
        workers[2]._file.look()
        assert get(workers[2]) == 418
        assert len([each for each in caplog.messages if "has changed, its" in each]) == 1

    def test_forked(self, file, monkeypatch):
        """A child of a master that has read the file looks at it before its first request."""
        monkeypatch.setattr(server_note, "server_process", os.getpid)
        injector = watching(file("http:503"))
        assert get(injector) == 503
        file_watch._watch.end()
        file("http:500")
        monkeypatch.setattr(server_note, "server_process", os.getppid)
        file_watch._after_fork()
        assert file_watch._watch is None
        monkeypatch.setitem(sys.modules, "watchfiles", None)
        injector.after_fork()
        assert get(injector) == 500
        injector.after_fork()
        assert file_watch._watch is None

    def test_the_first_of_several_that_start_at_once(self, file):
        """What it began with is what the server began with."""
        note = make(file("http:503"))._file._note
        note.begin(Scenario("http:500"))
        assert note.begun() == Scenario("http:503")

    def test_where_nothing_can_be_noted(self, file, tmp_path, monkeypatch):
        """A worker does without: its start reads the file, as the first one's does."""
        (tmp_path / f"faultinject-{os.geteuid()}").touch()
        injector = make(file("http:503"))
        file("http:500")
        injector._file.look()
        assert get(injector) == 500
        with pytest.raises(ConfigurationError):
            make(file("http:5x3"))

    def test_a_note_that_nobody_understands(self, file, tmp_path):
        """It is as good as none."""
        make(file("http:503"))
        [note] = [
            each for each in Path(private.private_parent()).iterdir() if not each.name.endswith(".lock")
        ]
        for text in ("{", "[]", '{"begun": "x"}'):
            note.write_text(text)
            assert get(make(file("http:500"))) == 500

    def test_a_worker_that_was_stopped_holds_up_nobody(self, file, monkeypatch):
        """The others wait for a while, and go on."""
        monkeypatch.setattr(server_note, "PATIENCE", 0.05)
        note = make(file("http:503"))._file._note
        with note.alone():
            injector = make(file("http:500"))
        assert get(injector) == 500
