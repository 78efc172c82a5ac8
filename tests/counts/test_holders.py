"""Servers that count in one directory: told of each other, and none refused for the sake of a dead one."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from faultinject.counts import begun, private
from faultinject.counts.directory import StoreDirectory
from faultinject.counts.owner import described, lives
from faultinject.exceptions import ConfigurationError, StoreInUse, StoreUnavailable

HOW = "file:here?replace"

SERVER = """
import os, sys
from faultinject.exceptions import FaultInjectError
from faultinject.counts.directory import StoreDirectory
from faultinject.counts import holders

path, rules = sys.argv[1:]
try:
    store = StoreDirectory(path)
    generation = store.agree({"rules": rules}, rules=1, agreed=rules, replace="file:here?replace")
    print(generation, flush=True)
except FaultInjectError as error:
    print(type(error).__name__, error, flush=True)
for line in sys.stdin:
    if line == "fork\\n":
        if os.fork():
            print("forked", flush=True)
            os._exit(0)
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Private directories are the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / f"faultinject-{os.geteuid()}"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def worker(monkeypatch):
    """This process is one of several of the server that is its parent."""
    monkeypatch.setattr(begun, "server_process", os.getppid)


def agree(path, rules, *, replace=HOW):
    """Take part; gives the store and the generation."""
    store = StoreDirectory(path)
    return store, store.agree({"rules": rules}, rules=1, agreed=rules, replace=replace)


def first_line(ran):
    return ran.stdout.readline().strip()


def test_other_rules_are_refused(process, path):
    """While the server that counts by them is alive; the message says who, since when, and what to do."""
    other = process(SERVER, path, "a")
    assert first_line(other) == "1"
    with pytest.raises(StoreInUse) as refused:
        agree(path, "b")
    [began] = [each.read_text().split("\n")[2] for each in Path(path).glob("holder-*")]
    assert str(refused.value) == (
        f"the store {path!r} is in use by other rules, those of process {other.pid} since {began}: "
        f"end that server, name another directory, or replace its rules with {HOW}"
    )
    assert StoreDirectory(path).read() == (1, {"rules": "a"}), "nothing was changed"
    assert agree(path, "a")[1] == 1, "the same rules take part"


def test_who_says_so_replaces(process, path):
    """And is then the one whose rules others must have."""
    assert first_line(process(SERVER, path, "a")) == "1"
    store, generation = agree(path, "b", replace="")
    assert (generation, store.read()) == (2, (2, {"rules": "b"}))
    late = process(SERVER, path, "a")
    assert first_line(late).startswith("StoreInUse the store ")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_dead_server_is_no_hindrance(process, path, end):
    """However it ended; what it has left is removed."""
    other = process(SERVER, path, "a")
    assert first_line(other) == "1"
    other.send_signal(end)
    other.wait()
    store, generation = agree(path, "b")
    assert generation == 2
    assert [each.name for each in Path(path).glob("holder-*")] == [f"holder-{described(os.getpid())}"]
    del store


def test_a_server_lives_as_long_as_any_of_its_processes(process, path):
    """Its first one has ended, and a child that it has forked goes on."""
    other = process(SERVER, path, "a")
    assert first_line(other) == "1"
    other.stdin.write("fork\n")
    other.stdin.flush()
    assert first_line(other) == "forked"
    other.wait()
    with pytest.raises(StoreInUse):
        agree(path, "b")


def test_one_process_may_change_its_mind(path):
    """Other rules of the same process take the place of its own, as `use()` does."""
    one, _ = agree(path, "a")
    assert agree(path, "b")[1] == 2
    assert one.generation == 2


@pytest.mark.usefixtures("worker")
def test_a_later_worker_finds_what_was_put_in_force_since(path):
    """It begins neither by its own rules nor at zero; a server that was reloaded with other rules begins anew."""
    one, _ = agree(path, "a")
    one.publish({"rules": "used"}, rules=1)
    assert agree(path, "a")[1] == 2
    assert one.read() == (2, {"rules": "used"})
    assert agree(path, "b")[1] == 3


@pytest.mark.usefixtures("worker")
def test_a_later_worker_never_begins_at_zero(path):
    """Whatever file of the store is gone: what counts in it goes on, and the later one waits until all is there."""
    one, _ = agree(path, "a")
    scenario = Path(path, "scenario-1")
    kept = scenario.read_bytes()
    scenario.unlink()
    with pytest.raises(StoreUnavailable, match=r"/store has lost its scenario$"):
        agree(path, "a")
    Path(path, "generation").unlink()
    with pytest.raises(StoreUnavailable, match=r"/store has lost its scenario$"):
        agree(path, "a")
    assert one.generation == 1
    scenario.write_bytes(kept)
    StoreDirectory(path).number.write(1)
    assert agree(path, "a")[1] == 1


@pytest.mark.usefixtures("worker")
def test_a_later_worker_finds_another_directory(path, place):
    """One that was made in the place of the first; what that had is told by what stands beside it."""
    agree(path, "a")
    Path(path).rename(f"{path}.away")
    with pytest.raises(
        StoreUnavailable, match=r"/store was removed and replaced while this server was running$"
    ):
        agree(path, "a")
    assert not os.path.lexists(path), "nothing is in the way of what was moved away"
    StoreDirectory(path).publish({"rules": "a"}, rules=1)
    with pytest.raises(
        StoreUnavailable, match=r"/store was removed and replaced while this server was running$"
    ):
        agree(path, "a")
    assert os.path.lexists(path), "it is somebody's"
    StoreDirectory(path).remove()
    Path(f"{path}.away").rename(path)
    assert agree(path, "a")[1] == 1
    [note] = place.iterdir()
    note.write_text("another")
    assert agree(path, "b", replace="")[1] == 2, "who replaces begins anew"
    assert agree(path, "b")[1] == 2


@pytest.mark.usefixtures("worker")
def test_no_place_for_a_note(path, place):
    """Then a directory that was made anew is taken for the first one."""
    place.write_text("a file of somebody")
    assert agree(path, "a")[1] == 1
    assert agree(path, "a")[1] == 1


@pytest.mark.usefixtures("worker")
def test_notes_of_dead_servers_are_removed(path, place, process):
    """Those of others are left."""
    other = process("input()")
    agree(path, "a")
    dead = place / f"{described(other.pid)}-{'0' * 32}"
    dead.write_text("x")
    assert private.clean_up_dead_owners() == 0
    other.kill()
    other.wait()
    assert private.clean_up_dead_owners() == 1
    (place / dead.name).symlink_to(place)
    assert private.clean_up_dead_owners() == 0, "a link is none of ours"
    assert len([*place.iterdir()]) == 2


def test_workers_that_are_all_gone_for_a_moment(process, path):
    """The master is alive, and will start others."""
    master = process("input()")
    agree(path, "a")
    for each in Path(path).glob("holder-*"):
        each.unlink()
    Path(path, f"holder-{described(master.pid)}").write_text("workers\na\n")
    with pytest.raises(StoreInUse, match=rf"those of process {master.pid}: end"):
        agree(path, "b")
    Path(path, f"holder-{described(master.pid)}").write_text("\na\nyesterday")
    assert agree(path, "b")[1] == 2, "one process that has dropped its store"


@pytest.mark.parametrize("content", [b"", b"\xff", b"a\nb", b"a\nb\nc\nd"])
def test_a_holders_file_that_is_damaged(path, content):
    """Is that of nobody."""
    agree(path, "a")
    for name in ("holder-1-2-3", "holder-half"):
        Path(path, name).write_bytes(content)
    assert agree(path, "b")[1] == 2
    assert len([*Path(path).glob("holder-*")]) == 1


def test_a_holders_file_that_cannot_be_read(path, tmp_path):
    """No link is followed."""
    agree(path, "a")
    Path(path, "holder-1-2-3").symlink_to(tmp_path / "victim")
    assert agree(path, "b")[1] == 2
    assert not (tmp_path / "victim").exists()


def test_a_number_that_is_given_again(process):
    """A process is told from a later one of the same number by when it began, and from one of another container."""
    other = process("input()")
    text = described(other.pid)
    pid, began, namespace = text.split("-")
    assert lives(text)
    assert not lives(f"{pid}-{int(began) + 1}-{namespace}")
    assert not lives(f"{pid}-{began}-{int(namespace) + 1}")
    assert not lives("half")
    assert not lives(f"half-{namespace}")


def test_a_session_of_a_number_that_is_given_again(process, path):
    """A directory whose owner's number is another process's now is free."""
    other = process("input()")
    pid, began, namespace = described(other.pid).split("-")
    store = StoreDirectory(path)
    Path(path, "owner").write_text(f"{pid}-{began}-{namespace}")
    with pytest.raises(ConfigurationError, match=f"in use by the session of process {pid}"):
        store.claim()
    Path(path, "owner").write_text(f"{pid}-{int(began) - 1}-{namespace}")
    store.claim()
    assert Path(path, "owner").read_text() == described(os.getpid())
