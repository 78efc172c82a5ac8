"""The directory that processes share: whom it serves, and how a scenario comes into force."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from faultinject.counts import directory as directory_module
from faultinject.counts.directory import StoreDirectory
from faultinject.counts.generation import Generation
from faultinject.counts.lines import whole_lines
from faultinject.counts.owner import described
from faultinject.engine.counting import Take
from faultinject.exceptions import ConfigurationError, StoreBusy, StoreUnavailable
from tests.descriptors import opened

SCENARIO = {"rules": ["http:503"], "seed": "1"}


@pytest.fixture
def store(tmp_path):
    return StoreDirectory(str(tmp_path / "store"))


def names(path):
    """What is in a directory."""
    return {each.name for each in Path(path).iterdir()}


def refused(path, why, **named):
    """A directory is refused for a reason, with what to do about it."""
    with pytest.raises(ConfigurationError) as failed:
        StoreDirectory(str(path), **named)
    assert str(failed.value) == f"the store {str(path)!r} {why}"


def test_everything_is_private(store):
    """The directory 0700, each file 0600."""
    store.publish(SCENARIO, rules=1)
    store.claim()
    store.attach()
    assert Path(store.path).stat().st_mode & 0o777 == 0o700
    files = {each.name: each.stat().st_mode & 0o777 for each in Path(store.path).iterdir()}
    assert files == dict.fromkeys(
        ("version", "lock", "generation", "scenario-1", "counts-1", "owner", "attached"), 0o600
    )


def test_paths_are_absolute(tmp_path, monkeypatch):
    """A server that changes its directory afterwards finds everything."""
    monkeypatch.chdir(tmp_path)
    store = StoreDirectory("store")
    assert (store.path, store.journal) == (f"{tmp_path}/store", f"{tmp_path}/store/journal")


def test_it_is_left_open_by_nobody(tmp_path):
    """A store that is dropped closes what it had open, also one that was refused."""
    store = StoreDirectory(str(tmp_path / "store"))
    store.publish(SCENARIO, rules=1)
    store.join()
    assert sys.platform != "linux" or opened(tmp_path)
    (tmp_path / "store" / "version").write_text("1\n")
    del store
    with pytest.raises(ConfigurationError):
        StoreDirectory(str(tmp_path / "store"))
    gc.collect()
    assert opened(tmp_path) == {}


def test_what_cannot_serve_is_refused(tmp_path, monkeypatch):
    """Each with what would be right."""
    refused(tmp_path / "no" / "store", "cannot be made: make the directory above it first")
    refused(tmp_path / "store", "is not there: make the directory, or name another", make=False)
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
    old = tmp_path / "old"
    StoreDirectory(str(old))
    (old / "version").write_text("1\n")
    refused(old, "was made by another version of faultinject: remove it, or name another directory")
    real = os.open
    for error, told in (
        (PermissionError(13, "x"), "is not writable"),
        (OSError(5, "Bad luck"), "cannot be used (Bad luck)"),
    ):

        def failing(path, *rest, error=error, **named):
            if path == "lock":
                raise error
            return real(path, *rest, **named)

        monkeypatch.setattr(os, "open", failing)
        refused(tmp_path / "new", f"{told}: name another directory")
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    refused(tmp_path / "old", "belongs to another user: name a directory of your own")


NOBODY = """
import os, sys
from faultinject.exceptions import ConfigurationError
from faultinject.counts.directory import StoreDirectory
os.seteuid(65534)
for path in sys.argv[1:]:
    try:
        StoreDirectory(path)
    except ConfigurationError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_gets_nowhere(process):
    """For real: neither into a directory of root, nor where nothing may be written."""
    with TemporaryDirectory() as place:
        mine, closed = Path(place, "mine"), Path(place, "closed")
        StoreDirectory(str(mine))
        closed.mkdir(0o500)
        os.chown(closed, 65534, 65534)
        mine.chmod(0o755)
        Path(place).chmod(0o711)
        told = process(NOBODY, mine, closed).stdout.read().splitlines()
    assert told == [
        f"the store {str(mine)!r} belongs to another user: name a directory of your own",
        f"the store {str(closed)!r} is not writable: name another directory",
    ]


@pytest.mark.parametrize(
    "name", ["version", "lock", "generation", "scenario-1", "counts-1", "journal", "owner"]
)
def test_links_are_not_followed(tmp_path, name):
    """A file that is a link to somebody's own is never written to or read."""
    victim = tmp_path / "victim"
    victim.write_text("{}\n")
    place = tmp_path / "store"
    place.mkdir(0o700)
    (place / name).symlink_to(victim)
    with suppress(ConfigurationError, StoreUnavailable, OSError):
        store = StoreDirectory(str(place))
        store.read()
        store.claim()
        store.publish(SCENARIO, rules=1)
        store.new_lines()
    assert victim.read_text() == "{}\n"


def test_a_scenario_comes_into_force(store):
    """Everybody who has the directory open sees the next generation, and its counts begin at zero."""
    other = StoreDirectory(store.path, make=False)
    assert (other.generation, other.read(), other.join()) == (0, (0, {}), (0, {}, None))
    assert store.publish(SCENARIO, rules=1) == 1
    assert other.generation == other.number.read() == 1
    assert other.read() == (1, SCENARIO)
    generation, data, counts = other.join()
    assert (generation, data) == (1, SCENARIO)
    assert counts.take(Take(0, "", 1))
    assert not store.join()[2].take(Take(0, "", 1))
    assert other.publish({"rules": []}, rules=0) == 2
    assert store.generation == 2
    assert not counts.take(Take(0, "", 1)), "who still decides by the old one counts there"
    assert store.join()[2].take(Take(0, "", 1))
    assert {each for each in names(store.path) if each.startswith("counts")} == {"counts-2"}


def test_more_rules_go_on_counting(store):
    """The counts of a scenario that only grows stay."""
    store.publish(SCENARIO, rules=1)
    store.join()[2].match([(0, "", "/", None)], 0.0)
    assert store.publish({"rules": []}, rules=2, keep_counts=True) == 2
    assert store.join()[2].matched(0) == 1
    assert store.publish({}, rules=2, keep_counts=True) == 3
    assert store.join()[2].matched(0) == 1
    assert store.publish({}, rules=2) == 4
    assert store.join()[2].matched(0) == 0


def test_keeping_counts_that_are_not_there(store):
    """The first scenario has nothing to go on from."""
    assert store.publish(SCENARIO, rules=1, keep_counts=True) == 1
    assert store.join()[2].matched(0) == 0


def test_equal_processes_agree(store):
    """The first publishes, the others join; what differs is put in force anew."""
    assert store.agree({"rules": ("a", "b")}, rules=1) == 1
    assert StoreDirectory(store.path).agree({"rules": ("a", "b")}, rules=1) == 1
    assert store.agree({"rules": ["b"], "seed": 1}, rules=1) == 2
    assert store.agree({"rules": ["b"], "seed": 2}, rules=1, same=lambda found: found["rules"] == ["b"]) == 2
    assert store.read() == (2, {"rules": ["b"], "seed": 1})


def test_there_may_be_so_many_rules(store):
    """The contract of the file: an error before anything changes."""
    for publish in (store.publish, store.agree):
        with pytest.raises(
            ConfigurationError, match=r"^the store `file:` holds at most 65536 rules, not 65537$"
        ):
            publish({}, rules=65_537)
    assert store.publish({}, rules=65_536) == 1


def test_many_publish_at_once(store, in_many_threads):
    """Each gets a generation of its own, and a reader always finds scenario and counts that belong together."""
    stores = [StoreDirectory(store.path) for _ in range(8)]

    def work(thread):
        found = []
        for number in range(10):
            found.append(stores[thread].publish({"by": [thread, number]}, rules=1))
            generation, data, counts = stores[thread].join()
            assert data["by"]
            assert generation >= found[-1]
            assert counts.matched(0) == 0
        return found

    assert sorted(each for some in in_many_threads(8, work) for each in some) == list(range(1, 81))


def test_killed_while_publishing(store):
    """Until the last step the old scenario is in force, and what lies about is in nobody's way."""
    store.publish(SCENARIO, rules=1)
    for name in ("counts-2", "scenario-2", "counts-7", "scenario-7"):
        Path(store.path, name).write_text("half")
    assert store.join()[:2] == (1, SCENARIO)
    assert store.publish({}, rules=1) == 2
    assert store.join()[2].matched(0) == 0
    assert names(store.path) == {"version", "lock", "generation", "scenario-2", "counts-2"}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"counts": 1}'])
def test_a_damaged_scenario(store, content):
    """It cannot be read, and the next takes its place."""
    store.publish(SCENARIO, rules=1)
    Path(store.path, "scenario-1").write_text(content)
    for read in (store.read, store.join):
        with pytest.raises(StoreUnavailable, match=r"^.*/scenario-1 cannot be read: "):
            read()
    assert store.agree(SCENARIO, rules=1) == 2
    assert store.read() == (2, SCENARIO)


def test_counts_that_are_gone_or_damaged(store):
    """Said by name, not tried for ever."""
    store.publish(SCENARIO, rules=1)
    counts = Path(store.path, "counts-1")
    os.truncate(counts, 0)
    with pytest.raises(StoreUnavailable, match=r"^.*/counts-1 is damaged$"):
        store.join()
    counts.unlink()
    with pytest.raises(StoreUnavailable, match=r"^.*/counts-1 is gone$"):
        store.join()
    counts.symlink_to("version")
    with pytest.raises(StoreUnavailable, match=r"^.*/counts-1 cannot be read: .*symbolic link"):
        store.join()


def test_a_scenario_that_is_gone(store):
    """As after the session has ended."""
    store.publish(SCENARIO, rules=1)
    store.remove()
    with pytest.raises(StoreUnavailable, match=r"^.*/scenario-1 is gone$"):
        store.read()


def test_replaced_between_scenario_and_counts(store, monkeypatch):
    """Who reads a scenario just before the next one looks again."""
    store.publish(SCENARIO, rules=1)
    real = directory_module.FileCounts

    def late(*values, **named):
        monkeypatch.setattr(directory_module, "FileCounts", real)
        store.publish({}, rules=1)
        return real(*values, **named)

    monkeypatch.setattr(directory_module, "FileCounts", late)
    generation, data, counts = store.join()
    assert (generation, data, counts.matched(0)) == (2, {}, 0)


def test_a_lock_that_is_held_too_long(store, monkeypatch):
    """Opening and publishing wait longer than a request does, and not for ever."""
    monkeypatch.setattr(directory_module, "PATIENCE", 0.01)
    with Path(store.lock.path).open("r+") as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy):
            StoreDirectory(store.path)
        with pytest.raises(StoreBusy):
            store.publish(SCENARIO, rules=1)
    assert store.read() == (0, {})


def test_a_scenario_that_finds_no_place(store, monkeypatch):
    """The old one stays in force."""
    store.publish(SCENARIO, rules=1)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directory_module, "make_table", full)
    with pytest.raises(StoreUnavailable, match=r"^.*/store: No space left on device$"):
        store.publish({}, rules=1)
    monkeypatch.undo()
    assert store.join()[:2] == (1, SCENARIO)
    assert store.publish({}, rules=1) == 2


def test_new_lines_of_the_journal(store):
    """Each line once; one that is half written is read when it is whole."""
    assert store.new_lines() == ([], 0)
    with Path(store.journal).open("ab", 0) as journal:
        journal.write(b'{"v":1,"seq":0}\n{"v":1,"seq":1}\n{"v":1,')
        lines, offset = store.new_lines()
        assert [each["seq"] for each in lines] == [0, 1]
        assert store.new_lines(offset) == ([], offset)
        journal.write('"seq":2,"path":"/é{"}\n'.encode())
        lines, offset = store.new_lines(offset)
        assert lines == [{"v": 1, "seq": 2, "path": "/é{"}]
        assert offset == Path(store.journal).stat().st_size


@pytest.mark.parametrize(
    ("data", "lines", "length"),
    [
        (b"", [], 0),
        (b'{"v":1}', [], 0),
        (b'{"v":1}\n', [{"v": 1}], 8),
        # A disk was full in the middle of a line: the next one stands behind the part.
        (b'{"v":1,"path":"/a{"v":1,"seq":7}\n', [{"v": 1, "seq": 7}], 33),
        (b'\n\nnothing\n{"v":1}\n12\n\xff\n{"v"', [{"v": 1}], 23),
    ],
)
def test_lines_of_others(data, lines, length):
    """What is no line is left out."""
    assert whole_lines(data) == (lines, length)


def test_two_sessions_on_one_directory(store):
    """Refused while the first is alive; its own process may claim again, and a dead one is no hindrance."""
    store.claim()
    store.claim()
    owner = Path(store.path, "owner")
    assert owner.read_text() == described(os.getpid())
    owner.write_text(described(os.getppid()))
    with pytest.raises(ConfigurationError) as failed:
        store.claim()
    assert str(failed.value) == (
        f"the store {store.path!r} is in use by the session of process {os.getppid()}: "
        "end that session, or name another directory"
    )
    for left in (described(os.getppid()).replace("-", "-1", 1), "half", "", "\udcff"):
        owner.write_text(left, errors="surrogateescape")
        store.claim()
        assert owner.read_text() == described(os.getpid())


def test_taking_part_is_noted(store):
    """The session knows whether anybody else was ever there."""
    assert not store.attached
    StoreDirectory(store.path).attach()
    assert store.attached


def test_a_word_that_cannot_be_opened():
    """The system's own error, and nothing to close."""
    with pytest.raises(OSError, match="Bad file descriptor"):
        Generation(-1)


def test_it_can_be_removed(store):
    """With everything of ours; who has it open is told, and what is not ours stays."""
    store.publish(SCENARIO, rules=1)
    counts = store.join()[2]
    foreign = Path(store.path, "notes")
    foreign.touch()
    store.remove()
    assert names(store.path) == {"notes"}
    foreign.unlink()
    store.remove()
    assert not os.path.lexists(store.path)
    with pytest.raises(StoreUnavailable, match=r"^the store's .*/lock was removed$"):
        for _ in range(16):
            counts.match([(0, "", "/", None)], 0.0)
    assert store.generation == 1
    with pytest.raises(StoreUnavailable):
        store.publish(SCENARIO, rules=1)
    store.remove()


def test_what_is_published_is_json(store):
    """Any text and number."""
    data = json.loads('{"a": [1, 2.5, null, true], "b": {"\\u00e9\\ud83d\\ude00": "\\ud800"}}')
    store.publish(data, rules=1)
    assert store.read() == (1, data)
