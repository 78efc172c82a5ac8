"""The shared directory: its users, the fate of its files, and changes of rules."""

import gc
import os
import signal
import sys
from contextlib import contextmanager, suppress

import pytest

from faultinject import Injector
from faultinject.exceptions import (
    ConfigurationError,
    FaultInjectError,
    StoreBusyError,
    StoreInUseError,
    StoreUnavailableError,
)
from tests.asking import get
from tests.descriptors import opened
from tests.locked import locked
from tests.refusals import refusal


@pytest.fixture
def store(tmp_path):
    """The place of a store."""
    return tmp_path / "store"


def make(store, rules="http:503,times=2", **more):
    return Injector(rules, store=f"file:{store}", environ={}, **{"seed": 1, **more})


def names(path):
    """The names in a directory."""
    return {each.name for each in path.iterdir()}


def refused(path, why):
    """A directory is refused for a reason, with what to do about it."""
    assert str(refusal(make, path)) == f"the store {str(path)!r} {why}"


def test_everything_is_private(store, tmp_path, monkeypatch):
    """The directory is 0700 and each file 0600, and a later change of directory does no harm."""
    monkeypatch.chdir(tmp_path)
    injector = make("store")
    assert (get(injector), injector.store) == (503, f"file:{store}")
    modes = store.stat().st_mode & 0o777, {each.stat().st_mode & 0o777 for each in store.iterdir()}
    assert modes == (0o700, {0o600})


def test_it_is_left_open_by_nobody(store):
    """A dropped store closes its files, also if it was refused, or its rules were replaced."""
    injector = make(store)
    injector.share_outcomes()
    get(injector)
    assert sys.platform != "linux" or opened(store)
    injector.use("http:500")
    get(injector)
    del injector
    gc.collect()
    (store / "version").write_text("1\n")
    refused(store, "was made by another version of faultinject: remove it, or name another directory")
    gc.collect()
    assert opened(store) == {}


def test_what_cannot_serve_is_refused(tmp_path, monkeypatch):
    """Each with what would be right."""
    refused(tmp_path / "no" / "store", "cannot be made: make the directory above it first")
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "is no directory: name a directory itself")
    (tmp_path / "link").symlink_to(tmp_path)
    refused(tmp_path / "link", "is a symbolic link: name a directory itself")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    refused(shared, "can be written to by other users: chmod 700 it, or name another directory")
    full = tmp_path / "full"
    full.mkdir(0o700)
    (full / "thesis.tex").touch()
    refused(full, "holds other files: name an empty or a new directory")
    assert names(full) == {"thesis.tex"}
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    refused(tmp_path / "full", "belongs to another user: name a directory of your own")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "x"), "is not writable"),
        (OSError(5, "Bad luck"), "cannot be used (Bad luck)"),
    ],
)
def test_what_the_system_refuses(tmp_path, monkeypatch, error, told):
    """In its words where we have none."""
    real = os.open

    def failing(path, *rest, **named):
        if path == "lock":
            raise error
        return real(path, *rest, **named)

    monkeypatch.setattr(os, "open", failing)
    refused(tmp_path / "new", f"{told}: name another directory")


FILES = ("version", "lock", "scenario-1", "counts-1")


@pytest.mark.parametrize("name", [*FILES, "journal-0", "users"])
def test_links_are_not_followed(tmp_path, store, name):
    """A file that is a link to somebody's own is never written to or read."""
    victim = tmp_path / "victim"
    victim.write_text("{}\n")
    store.mkdir(0o700)
    (store / name).symlink_to(victim)
    with suppress(FaultInjectError):
        injector = make(store)
        injector.share_outcomes()
        assert get(injector) == 503
        injector.use("http:500")
        injector.events()
    assert victim.read_text() == "{}\n"


SPOILT = {
    "gone": lambda each: each.unlink(),
    "empty": lambda each: os.truncate(each, 0),
    "text": lambda each: each.write_text("[]\n"),
    "half": lambda each: each.write_text("{\n"),
    "zeros": lambda each: each.write_bytes(bytes(each.stat().st_size)),
    "a link": lambda each: (each.unlink(), each.symlink_to("nowhere")),
}


@contextmanager
def works_or_names(store):
    """An error names the store."""
    try:
        yield
    except FaultInjectError as error:
        assert str(store) in str(error)


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_spoilt(store, name, how, now):
    """No damage to a file fails a request or injects too much; the store reports it or works.

    Any file, in any way. Once rules are put in force by hand, or the directory is replaced, all is well.
    """
    many = "http:503,times=25"
    injector = make(store, many)
    assert get(injector) == 503
    SPOILT[how](store / name)
    found = []
    for _ in range(40):
        now[0] += 60
        found.append(get(injector))
    assert set(found) <= {200, 503} and found.count(503) < 25
    with works_or_names(store):
        late = make(store, many)
        assert [get(late) for _ in range(30)].count(503) <= 25
    with works_or_names(store):
        injector.use("http:500,times=1")
        assert [get(injector) for _ in range(3)] in ([500, 200, 200], [200] * 3)
    for each in store.iterdir():
        each.unlink()
    store.rmdir()
    anew = make(store)
    assert [get(anew) for _ in range(3)] == [503, 503, 200]


def test_killed_while_publishing(store):
    """Until the last step the old scenario is in force, and what lies about is in nobody's way."""
    injector = make(store)
    for name in ("counts-2", "scenario-2", "counts-7", "scenario-7"):
        (store / name).write_text("half")
    assert get(make(store)) == 503
    injector.use("http:500")
    assert get(make(store, "http:500")) == 500
    assert {"counts-7", "scenario-7", "counts-1"}.isdisjoint(names(store))


@pytest.mark.usefixtures("now")
def test_a_lock_that_is_held_too_long(store):
    """Opening and changing wait longer than a request does, and not for ever."""
    injector = make(store)
    with locked(store / "lock"):
        for change, given in (make, store), (injector.use, "http:500"):
            assert "for more than 2000 ms" in str(refusal(change, given, sort=StoreBusyError))
        assert get(injector) == 200
    assert get(injector) == 503


@pytest.mark.slow
def test_more_rules_than_there_is_room_for(store):
    """An error before anything changes."""
    with pytest.raises(ConfigurationError, match=r"^the store `file:` holds at most 65536 rules, not 65537$"):
        make(store, ["http:503,path=never"] * 65_537)
    assert get(make(store)) == 503


SERVER = """
import os, sys
from faultinject import Injector
from faultinject.exceptions import FaultInjectError

url, rules = sys.argv[1:]
try:
    injector = Injector(rules, store=url, environ={}, seed=1)
    print("serves", flush=True)
except FaultInjectError as error:
    print(type(error).__name__, error, flush=True)
for line in sys.stdin:
    if line == "fork\\n":
        if os.fork():
            print("forked", flush=True)
            os._exit(0)
"""


@pytest.fixture
def serve(process, store):
    """Another process that counts in the store, or says why it does not."""

    def start(rules="http:503,times=2"):
        ran = process(SERVER, f"file:{store}", rules)
        return ran, ran.stdout.readline().strip()

    return start


def test_a_dead_server_is_no_hindrance(serve, store):
    """A dead server is no hindrance, however it ended; one that forked lives on in its children."""
    other, _ = serve()
    other.stdin.write("fork\n")
    other.stdin.flush()
    assert other.stdout.readline() == "forked\n"
    other.wait()
    with pytest.raises(StoreInUseError):
        make(store, "http:500")
    other.stdin.close()  # the child ends behind its last line
    assert other.stdout.read() == ""
    for rules, end in ("http:503", signal.SIGTERM), ("http:502", signal.SIGKILL):
        again, said = serve(rules)
        assert said == "serves"
        again.send_signal(end)
        again.wait()
    assert get(make(store, "http:500")) == 500


def test_a_scenario_that_is_lost(store, tmp_path, now):
    """A process that comes later does not begin at zero; put back, all go on."""
    one = make(store)
    assert get(one) == 503
    (store / "scenario-1").rename(tmp_path / "scenario-1")
    with pytest.raises(StoreUnavailableError, match=r"has lost its scenario$"):
        make(store)
    assert get(one) == 503
    (tmp_path / "scenario-1").rename(store / "scenario-1")
    now[0] += 60
    assert [get(each) for each in (make(store), one)] == [200, 200]
