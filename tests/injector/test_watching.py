"""Events of all processes in order: from a cursor on, bounded, with the number missed."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from faultinject import Injector
from faultinject.counts import file_journal
from faultinject.exceptions import StoreUnavailableError
from faultinject.journal import writing
from tests.asking import get
from tests.full_disk import room_for
from tests.injector.children import in_child
from tests.locked import locked
from tests.until import until

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
RULE = "http:503,times=2"


def make(store, rules=RULE, **how):
    injector = Injector(rules, store=store, environ={}, **how)
    injector.share_outcomes()
    return injector


def ask(injector, *paths):
    """Ask for each of these paths."""
    for path in paths:
        get(injector, path)


def told(found):
    return [(each.path, each.did) for each in found]


def all_of(injector, after="", limit=500):
    """All events from a cursor on, call by call; the cursor, and the number dropped."""
    found, dropped = [], 0
    for _ in range(10_000):
        some, after, missing = injector.events(after, limit)
        found += some
        dropped += missing
        if not some:
            return told(found), after, dropped
    raise AssertionError(f"there is always more behind {after}")


def test_from_a_cursor_on(store):
    """Each call goes on where the last one ended; nothing new keeps the cursor."""
    injector = make(store)
    assert injector.events() == ([], "", 0)
    ask(injector, *(f"/{number}" for number in range(5)))
    expected = [(f"/{n}", "answered" if n < 2 else "passed") for n in range(5)]
    first, cursor, dropped = injector.events(limit=2)
    assert (told(first), dropped) == (expected[:2], 0)
    assert first[0].rule == "rule-1"
    rest, cursor, dropped = injector.events(cursor)
    assert (told(rest), dropped) == (expected[2:], 0)
    assert injector.events(cursor) == ([], cursor, 0)
    assert injector.events("", 0)[0] == []
    get(injector, "/5")
    assert told(injector.events(cursor)[0]) == [("/5", "passed")]
    assert all_of(injector, limit=1)[0] == [*expected, ("/5", "passed")]


@pytest.mark.parametrize("cursor", ["nonsense", "3:9.1.None", "x.0.0.0", "7:"])
def test_a_cursor_of_somebody_else(store, cursor):
    """All that is kept is told."""
    injector = make(store)
    get(injector, "/0")
    found, _, dropped = injector.events(cursor)
    assert (told(found), dropped) == ([("/0", "answered")], 0)


def test_the_end_of_a_request_comes_as_one_of_its_own(store):
    """With the same number."""
    injector = make(store, "http:503")
    body = {"CONTENT_LENGTH": "5", "wsgi.input": Path(__file__).open("rb")}  # noqa: SIM115
    get(injector, "/0", "PUT", **body)
    body["wsgi.input"].close()
    first, last = injector.events()[0]
    assert (first.seq, first.final, last.final) == (last.seq, None, True)
    [one], cursor, _ = injector.events(limit=1)
    assert one == first
    assert injector.events(cursor)[0] == [last]


def test_what_the_ring_has_dropped_is_counted(monkeypatch):
    """Also for somebody who has read some of it."""
    monkeypatch.setattr(writing, "RING_SIZE", 3)
    injector = make("memory:")
    ask(injector, "/0")
    cursor = injector.events()[1]
    ask(injector, "/1", "/2", "/3", "/4", "/5")
    found, last, dropped = injector.events(cursor)
    assert ([each.path for each in found], dropped) == (["/3", "/4", "/5"], 2)
    assert injector.events()[2] == 3
    assert injector.events(last) == ([], last, 0)
    injector.journal.clear()
    get(injector, "/again")
    assert [each.path for each in injector.events(last)[0]] == ["/again"]


def test_nothing_is_written_unless_somebody_asked(tmp_path):
    """No file, and `events` is of this process."""
    injector = Injector(RULE, store=f"file:{tmp_path}/store", environ={})
    get(injector, "/0")
    assert told(injector.events()[0]) == [("/0", "answered")]
    assert not list(tmp_path.glob("store/journal*"))
    injector.share_outcomes()
    get(injector, "/1")
    assert told(injector.events()[0]) == [("/1", "answered")]
    assert [each.stat().st_mode & 0o777 for each in tmp_path.glob("store/journal*")] == [0o600]


@pytest.mark.usefixtures("looked_at_often")
def test_what_all_processes_did(shared):
    """Whoever reads; with the number of the process, and also after the rules were replaced."""
    injector = make(shared)
    get(injector, "/parent")
    assert len(injector.events()[0]) == 1

    def asked():
        get(injector, "/child")
        injector.events()
        return os.getpid()

    here, child = os.getpid(), in_child(asked)
    other = make(shared)
    get(other, "/other")
    assert len(other.events()[0]) == 3
    found, cursor, _ = injector.events()
    assert [(each.path, each.pid) for each in found] == [
        ("/parent", here),
        ("/child", child),
        ("/other", here),
    ]
    injector.use("http:500")
    until(lambda: get(other, "/500") == 500)
    assert other.events(cursor)[0][-1].status == 500


@pytest.mark.usefixtures("own_directories")
def test_a_fork_brings_the_directory():
    """Events after a fork are shared."""
    injector = make(None)
    in_child(lambda: get(injector, "/child"))
    get(injector, "/parent")
    assert [each.path for each in injector.events()[0]] == ["/child", "/parent"]


@pytest.fixture
def journal(tmp_path):
    """An injector, and the file of the journal with its first line."""
    injector = make(f"file:{tmp_path}/store", "http:503")
    get(injector, "/first")
    [file] = tmp_path.glob("store/journal-*")
    return injector, file


@pytest.fixture
def small(monkeypatch):
    """Files of a few lines."""
    monkeypatch.setattr(file_journal, "LARGEST", 3_000)


@pytest.mark.usefixtures("small")
def test_files_are_bounded_and_dropped_lines_counted(tmp_path):
    """A reader that keeps up misses nothing; one that does not is told how much it missed."""
    injector = make(f"file:{tmp_path}/store", "http:503")
    seen, cursor, old = [], "", ""
    for number in range(60):
        get(injector, f"/{number}")
        some, cursor, dropped = injector.events(cursor)
        seen += [each.path for each in some]
        assert dropped == 0
        old = old or cursor
    assert seen == [f"/{number}" for number in range(60)]
    files = sorted(tmp_path.glob("store/journal-*"))
    assert len(files) == 2
    assert sum(each.stat().st_size for each in files) < 10_000
    for after, read in (("", 0), (old, 1)):
        found, last, dropped = all_of(injector, after)
        assert (dropped, found[-1]) == (60 - len(found) - read, ("/59", "answered"))
        assert injector.events(last) == ([], last, 0)
    get(make(f"file:{tmp_path}/store?replace", "http:500"), "/late")
    assert all_of(injector, cursor)[0] == [("/late", "answered")]


@pytest.mark.usefixtures("small")
def test_a_full_file_takes_more_while_the_lock_is_held(tmp_path, monkeypatch):
    """A request waits for the lock a moment only."""
    injector = make(f"file:{tmp_path}/store", "http:503")
    ask(injector, *(f"/{number}" for number in range(8)))
    monkeypatch.setattr(file_journal, "LARGEST", 1)
    with locked(tmp_path / "store/lock"):
        get(injector, "/held")
        first = Injector("http:503", store=None, environ={})
        first.journal.share = file_journal.FileJournal(injector._count_storage.store).add
        get(first, "/lost")
    monkeypatch.setattr(file_journal, "LARGEST", 3_000)
    found, cursor, dropped = all_of(injector)
    assert (found[-1][0], dropped) == ("/held", 0)
    get(first, "/found")
    assert all_of(injector, cursor)[::2] == ([("/found", "answered")], 0)


def test_a_line_that_is_half_written_waits(journal):
    """A reader takes it when it is whole."""
    injector, file = journal
    _, cursor, _ = injector.events()
    line = file.read_bytes()
    file.write_bytes(line + line[:40])
    assert injector.events(cursor) == ([], cursor, 0)
    file.write_bytes(line + line)
    assert told(injector.events(cursor)[0]) == [("/first", "answered")]


@pytest.mark.parametrize(("room", "why"), [(100, "no space left"), (0, os.strerror(errno.EFBIG))])
def test_where_a_disk_is_full_lines_are_lost(journal, caplog, room, why):
    """The app goes on, and the log says so once each time."""
    injector, file = journal
    for _ in range(2):
        with room_for(file.stat().st_size + room):
            ask(injector, "/lost0", "/lost1", "/lost2")
        get(injector, "/last")
    found, _, dropped = all_of(injector)
    assert ([each[0] for each in found], dropped) == (["/first", "/last", "/last"], 0)
    assert [each for each in caplog.messages if "shared journal" in each] == [
        f"faultinject: the shared journal in {file.parent} cannot be written to, lines are dropped: {why}",
    ] * 2


def test_a_file_that_is_gone(journal):
    """Another process has removed it: the next line begins another one."""
    injector, file = journal
    file.unlink()
    get(injector, "/second")
    assert all_of(injector)[0] == [("/second", "answered")]


def test_a_directory_that_is_gone(journal, caplog):
    """Nothing breaks; what a reader is about to open may be gone, too."""
    injector, file = journal
    cursor = injector.events()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_journal.FileJournal, "_numbers", lambda _: [7])
        assert injector.events(cursor)[::2] == ([], 6)
    with file.open("ab") as other:
        other.write(b"no line of ours\n")
    assert injector.events(cursor)[::2] == ([], 0)
    shutil.rmtree(file.parent)
    assert get(injector, "/second") == 503
    assert injector.events() == ([], "", 0)
    assert "No such file or directory" in caplog.text


def test_a_journal_that_cannot_be_read(journal, monkeypatch):
    """The message names the directory."""
    injector, _ = journal
    monkeypatch.setattr(os, "listdir", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(StoreUnavailableError, match=r"the journal in .*store: Permission denied"):
        injector.events()


def test_a_journal_that_raises_breaks_no_request(caplog):
    """The log says so."""
    injector = make("memory:")
    injector.journal.share = Mock(side_effect=ZeroDivisionError)
    assert get(injector, "/0") == 503
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]


def test_a_killed_process_leaves_whole_lines(tmp_path):
    """The lines of a killed process stay, whole."""
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[2]);"
        "import test_watching as t; i = t.make(sys.argv[1]); [t.get(i, f'/{n}') for n in range(3)];"
        "os.kill(os.getpid(), 9)"
    )
    where = f"file:{tmp_path}/store"
    ran = subprocess.run([sys.executable, "-c", program, where, Path(__file__).parent], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert [each[0] for each in all_of(make(where, RULE))[0]] == ["/0", "/1", "/2"]
