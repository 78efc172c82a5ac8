"""Counts in a file: shared, bounded, and right whatever happens to a process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from faultinject.counts import table as table_module
from faultinject.counts import tallies
from faultinject.counts.directory import StoreDirectory
from faultinject.counts.file_counts import FileCounts
from faultinject.counts.filelock import FileLock
from faultinject.counts.memory import KEPT
from faultinject.counts.table import FIRST_RULE, SIZE, WAYS, make_table
from faultinject.engine.counting import Take
from faultinject.exceptions import StoreBusy, StoreUnavailable

KIB = 1024


def n_of(counts, identity, rule=0):
    """How often an identity had matched a rule before."""
    return counts.match([(rule, "", identity, None)], 0.0)[0][1]


def place_of(counts, scope, rule=0):
    """How many matches a scope had before."""
    return counts.match([(rule, scope, "same", None)], 0.0)[0][0]


@pytest.mark.parametrize("how", ["fork", "spawn", "preload"])
def test_processes_count_exactly(tmp_path, how):
    """Four processes with four threads, 10,000 matches: each number once, exactly `times` takes."""
    path = str(tmp_path / "store")
    StoreDirectory(path).publish({}, rules=2)
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name("hammer.py"), how, path], stdout=subprocess.PIPE, check=True
    )
    told = json.loads(ran.stdout)
    found = told["found"]
    assert told["matched"] == told["injected"] == len(found) == 10_000
    assert sorted(n for _, _, n, _, _ in found) == list(range(10_000))
    assert sorted(place for scope, place, _, _, _ in found if scope == "half") == list(range(4 * 4 * 312))
    assert sum(taken for _, _, _, taken, _ in found) == 100
    assert sum(taken for _, _, _, _, taken in found) == 50


@pytest.fixture
def elsewhere(tmp_path):
    """For its block another process has the lock: what is opened anew is a stranger to `flock`."""

    @contextmanager
    def held():
        file = os.open(tmp_path / "lock", os.O_RDWR)
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(file)

    return held


def test_what_is_spent_is_read_without_the_lock(make_file_counts, elsewhere):
    """A `no` needs neither the lock nor a system call; whatever is not known to be spent does."""
    counts, other = make_file_counts(), make_file_counts(0)
    whole, part = Take(0, "", 1), Take(0, "mine", 1)
    assert [counts.take(each) for each in (whole, part)] == [True, True]
    with elsewhere():
        assert [counts.take(each) for each in (whole, part)] == [False, False]
        assert not other.take(whole)
        for each in (part, Take(1, "", 1), Take(0, "yours", 1)):
            with pytest.raises(StoreBusy):
                other.take(each)
        for call in (lambda: n_of(counts, "/a"), lambda: counts.give_back(part)):
            with pytest.raises(StoreBusy):
                call()
    assert n_of(counts, "/a") == 0, "nothing was counted"
    counts.give_back(part)
    assert counts.take(part)


def test_where_nothing_depends_on_a_number_no_lock_is_taken(make_file_counts, elsewhere):
    """Rules that nothing limits, and those whose limit is reached: that they matched is counted all the same."""
    counts, other = make_file_counts(), make_file_counts(0)
    free, spent, part = (0, "", "/a", None), (1, "", "/a", None), (2, "mine", "/a", None)
    for rule, scope in ((1, ""), (2, "mine")):
        assert counts.match_without_lock([(rule, scope, "/a", None)], [1]) is None, "not spent yet"
        assert counts.take(Take(rule, scope, 1))
    for each in (counts, other):
        each.note_injected(0)
    with elsewhere():
        [(_, own, exceeds)] = counts.match_without_lock([free], [0])
        [(_, others, _)] = other.match_without_lock([free], [0])
        assert (own, others, exceeds) == (-1, -2, True), "each process has a number of its own"
        assert counts.match_without_lock([free, spent, part], [0, 1, 1]) == [(0, -1, True)] * 3
        assert counts.match_without_lock([(2, "yours", "/a", None)], [1]) is None
        assert counts.match_without_lock([free, (3, "", "/a", None)], [0, 1]) is None
        assert [counts.matched(rule) for rule in range(4)] == [3, 1, 1, 0]
    assert n_of(counts, "/a") == 0, "of identities nothing was counted"
    assert other.matched(0) == 4
    counts.give_back(Take(1, "", 1))
    assert counts.match_without_lock([spent], [1]) is None


def test_a_scope_that_is_spent_stays_among_those_matched_last(make_file_counts):
    """Rivals for its place push out others."""
    counts = make_file_counts()
    ask = Take(0, "mine", 1)
    counts.match([(0, "mine", "/a", None)], 0.0)
    assert counts.take(ask)
    bucket = key_of(0, "mine")[:2]
    for number in range(WAYS):
        key = bytes([*bucket, *number.to_bytes(14, "big")])
        counts._words[table_module.SEQUENCE] += 1
        counts._table.scopes.row(key, counts._words[table_module.SEQUENCE])
        assert counts.match_without_lock([(0, "mine", "/a", None)], [1])
    assert not counts.take(ask)


def test_a_hold_lasts_from_the_match_to_its_takes(make_file_counts, elsewhere):
    """Nobody comes between, and the lock is asked for once."""
    counts, other = make_file_counts(), make_file_counts(0)
    asked = []
    real = counts._lock._flock
    counts._lock._flock = lambda *given: (asked.append(given[1]), real(*given))[1]
    assert counts.match([(0, "mine", "/a", None)], 0.0, True) == [(0, 0, True)]
    outside = os.open(counts._lock.path, os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(outside, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert counts.take(Take(0, "mine", 1), True)
    assert not counts.take(Take(0, "mine", 1), True)
    assert counts.take(Take(1, "", 1), True)
    assert not counts.take(Take(1, "", 1), True)
    counts.release()
    assert asked == [fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN]
    fcntl.flock(outside, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(outside)
    assert other.match([(0, "mine", "/a", None)], 0.0) == [(1, 1, True)]


def test_a_match_that_fails_holds_nothing(make_file_counts):
    """Whatever it was, others get the lock."""
    counts = make_file_counts()
    with pytest.raises(IndexError):
        counts.match([(65_536, "", "/", None)], 0.0, True)
    assert n_of(make_file_counts(0), "/a") == 0


def test_what_is_noted_while_others_have_the_lock(make_file_counts, elsewhere):
    """It waits for nobody: this process knows it, and the others from the first moment at which nobody has the lock."""
    counts, other = make_file_counts(), make_file_counts(0)
    with elsewhere():
        for _ in range(3):
            counts.note_injected(0)
        counts.note_undone(0)
        counts.note_failed(0)
        assert counts.match_without_lock([(0, "", "/a", None)], [0]) == [(0, -os.getpid(), True)]
        assert counts.totals([0, 1]) == [(1, 2, 1), (0, 0, 0)]
        assert other.totals([0]) == [(0, 0, 0)]
    counts.note_injected(0)
    assert other.totals([0]) == counts.totals([0]) == [(1, 3, 1)]


def test_a_note_that_was_put_off_waits_in_the_end(make_file_counts, elsewhere, monkeypatch):
    """A process that ends soon is counted all the same; where even waiting is in vain, it goes on."""
    counts, other = make_file_counts(), make_file_counts(0)
    asked = []
    real = FileLock.acquire
    monkeypatch.setattr(FileLock, "acquire", lambda lock, *patience: (asked.append(1), real(lock, 0.001)))
    with elsewhere():
        for _ in range(9):
            counts.note_failed(0)
        assert len(asked) == 1
        assert other.totals([0]) == [(0, 0, 0)]
        monkeypatch.setattr(FileLock, "acquire_at_once", lambda _: False)
        for _ in range(7):
            other.note_injected(1)
    other.note_injected(1)
    assert len(asked) == 2
    assert make_file_counts(0).totals([1]) == [(0, 8, 0)]


def test_more_tallies_than_there_is_room_for(make_file_counts, elsewhere, monkeypatch):
    """Then they are added up under the lock, as soon as it can be had."""
    monkeypatch.setattr(tallies, "MOST_TALLIES", 2)
    counts, other, third = make_file_counts(), make_file_counts(0), make_file_counts(0)
    for each in (counts, other, third):
        each.note_injected(7)
    with elsewhere():
        third.note_injected(7)
        third.note_failed(7)
        assert third.totals([7]) == [(0, 4, 1)]
        assert other.totals([7]) == [(0, 3, 0)]
    third.note_undone(7)
    third.note_injected(8)
    assert [each.totals([7, 8]) for each in (counts, other, third)] == [[(0, 3, 1), (0, 1, 0)]] * 3


def test_a_note_that_finds_no_place(make_file_counts, monkeypatch):
    """On a full disk the process keeps it to itself, and no request is the worse for it."""
    counts, other = make_file_counts(), make_file_counts(0)
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    counts.note_injected(0)
    assert (counts.injected(0), other.injected(0)) == (1, 0)
    monkeypatch.undo()
    counts.note_injected(0)
    assert (counts.injected(0), other.injected(0)) == (2, 2)


def test_threads_note_every_request_once(make_file_counts, in_many_threads):
    """Without the lock of the store."""
    counts = make_file_counts()

    def work(_):
        for _ in range(200):
            counts.match_without_lock([(0, "", "/a", None)], [0])
            counts.note_injected(0)

    in_many_threads(32, work)
    assert make_file_counts(0).totals([0]) == [(32 * 200, 32 * 200, 0)]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_notes_in_rows_of_its_own(make_file_counts):
    """What its parent has noted is not noted again, and each writes on."""
    counts = make_file_counts()
    counts.note_injected(0)
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        counts.note_injected(0)
        os.write(tell, str(counts._tallies.process).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    counts.note_injected(0)
    assert os.read(told, 10) == b"2"
    assert counts.injected(0) == make_file_counts(0).injected(0) == 3
    os.close(told)
    os.close(tell)


def test_what_a_fork_changes(make_file_counts, monkeypatch):
    """In the parent nothing, in a child once."""
    counts = make_file_counts()
    counts.note_injected(0)
    tallies.after_fork()
    counts.note_injected(0)
    assert (counts._tallies.process, counts.injected(0)) == (1, 2)
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    tallies.after_fork()
    assert counts._tallies.process == pid + 1
    counts.note_injected(0)
    tallies.after_fork()
    assert (counts._tallies.process, counts.injected(0)) == (2, 3)


def test_the_place_of_a_scope_may_become_anothers(make_file_counts):
    """A scope that had to make room begins anew, though this process remembers where it stood."""
    counts = make_file_counts()
    ask = Take(0, "old", 1)
    assert [counts.take(ask) for _ in range(2)] == [True, False]
    number, bucket = 0, key_of(0, "old")[:2]
    rivals = 0
    while rivals < WAYS:
        number += 1
        if same_bucket(key_of(0, str(number)), bucket):
            rivals += 1
            assert counts.take(Take(0, str(number), 1))
    assert [counts.take(ask) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("part", ["identity", "scope"])
def test_the_rows_of_a_match_may_become_anothers(make_file_counts, part):
    """Matched again and again, then crowded out by another process: it begins anew, and nobody else's count is touched."""
    counts, other = make_file_counts(), make_file_counts(0)
    key = [(0, "old", "/old", None)]
    assert [counts.match(key, 0.0) for _ in range(4)] == [[(n, n, True)] for n in range(4)]
    table, text = (other._table.identities, "/old") if part == "identity" else (other._table.scopes, "old")
    rivals = [bytes([*key_of(0, text)[:2], *number.to_bytes(14, "big")]) for number in range(WAYS)]
    rows = [table.row(rival, 100 + number) for number, rival in enumerate(rivals)]
    begun = (4, 0) if part == "identity" else (0, 4)
    assert counts.match(key, 0.0) == [(*begun, True)]
    kept = [
        other._words[row]
        for row, rival in zip(rows, rivals, strict=True)
        if other._map[table.place(rival, row)[0]] == rival
    ]
    assert kept == [0] * (WAYS - 1)
    assert counts.match(key, 0.0) == [(begun[0] + 1, begun[1] + 1, True)]


def test_what_is_matched_again_and_again_stays_among_those_matched_last(make_file_counts):
    """Others make room first, though this process knows where it stands and need not look."""
    counts = make_file_counts()
    key = (0, "kept", "/kept", None)
    for number in range(4):
        assert counts.match([key], 0.0) == [(number, number, True)]
        for table, text in ((counts._table.identities, "/kept"), (counts._table.scopes, "kept")):
            for rival in range(WAYS - 1):
                name = bytes([*key_of(0, text)[:2], *(100 * number + rival).to_bytes(14, "big")])
                table.row(name, counts._words[table_module.SEQUENCE])


def key_of(rule, text):
    from faultinject.counts.file_counts import _key

    return _key(rule, text)


def same_bucket(key, bucket):
    return key[0] == bucket[0] and key[1] >> 4 == bucket[1] >> 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "count", [n_of, pytest.param(place_of, marks=pytest.mark.slow)], ids=["identities", "scopes"]
)
def test_the_pairs_matched_last_are_kept(make_file_counts, count):
    """Of the 65,536 matched last hardly one is lost; of the longest forgotten nothing is left."""
    counts = make_file_counts()
    for number in range(3 * KEPT):
        count(counts, f"/{number}")
    last = range(2 * KEPT + 10, 3 * KEPT)
    kept = sum(count(counts, f"/{number}") == 1 for number in last[::-7])
    assert kept >= len(last[::-7]) - 10
    assert os.fstat(counts._table.pages._file).st_size == SIZE
    assert sum(count(counts, f"/{number}") for number in range(0, KEPT // 2, 13)) < 100


def test_the_tables_do_not_crowd_each_other_out(make_file_counts):
    """A flood of identities forgets no scope, and a flood of scopes no identity and no rule."""
    counts = make_file_counts()
    assert counts.match([(0, "scope", "identity", None)], 0.0) == [(0, 0, True)]
    assert counts.take(Take(0, "", 1))
    for number in range(2000):
        table = counts._table
        key = bytes([*key_of(0, "scope")[:2], *number.to_bytes(14, "big")])
        table.identities.row(key, 10 + number)
    assert counts.match([(0, "scope", "other", None)], 0.0) == [(1, 0, True)]
    for number in range(2000):
        key = bytes([*key_of(0, "identity")[:2], *number.to_bytes(14, "big")])
        table.scopes.row(key, 10_000 + number)
    assert counts.match([(0, "", "identity", None)], 0.0) == [(2, 1, True)]
    assert not counts.take(Take(0, "", 1))


def test_the_places_that_a_process_remembers_are_few(make_file_counts):
    """Scopes without end need no memory without end, and long ones none."""
    counts = make_file_counts()
    for number in range(5000):
        assert counts.take(Take(0, f"/{number}", 1))
    assert counts.take(Take(0, "x" * 1000, 1))
    assert len(counts._places) < 4097
    assert max(len(scope) for _, scope in counts._places) < 10
    assert not counts.take(Take(0, "x" * 1000, 1))
    assert not counts.take(Take(0, "/0", 1))


def test_the_rows_that_a_process_remembers_are_few(make_file_counts):
    """Identities without end need no memory without end, those that come once none at all, and long ones neither."""
    counts = make_file_counts()
    for number in range(5000):
        assert n_of(counts, f"/{number}") == 0
    assert counts._rows == {}
    for number in range(5000):
        assert n_of(counts, f"/{number}") == 1
    assert 0 < len(counts._rows) <= 4096
    long = "x" * 1000
    for n in range(3):
        assert counts.match([(0, long, "/a", None), (0, "a", long, None)], 0.0) == [
            (n, n, True),
            (n, n, True),
        ]
    assert max(len(scope) + len(identity) for _, scope, identity, _ in counts._rows) < 10


def test_the_file_is_sparse_and_private(make_file_counts, tmp_path):
    """A few pages on the disk, whatever its length; nobody else reads it."""
    counts = make_file_counts()
    counts.match([(65_535, "scope", "identity", None)], 0.0)
    found = (tmp_path / "counts-0").stat()
    assert found.st_mode & 0o777 == 0o600
    assert found.st_blocks * 512 <= 256 * KIB < found.st_size


def test_rules_have_their_number(make_file_counts):
    """One beyond the last is an error, never somebody else's count."""
    counts = make_file_counts()
    assert counts.match([(65_535, "", "/", None)], 0.0) == [(0, 0, True)]
    for call in (
        counts.matched,
        lambda rule: counts.match([(rule, "", "/", None)], 0.0),
    ):
        with pytest.raises(IndexError):
            call(65_536)


@pytest.mark.parametrize("spoilt", ["short", "version"])
def test_a_damaged_file_is_refused(tmp_path, spoilt):
    """Reading behind its end would kill the process."""
    path = tmp_path / "counts-0"
    make_table(str(path))
    if spoilt == "short":
        os.truncate(path, 4096)
    else:
        with path.open("r+b") as file:
            file.write(b"\xff" * 8)
    with pytest.raises(StoreUnavailable, match=r"^.*/counts-0 is damaged$"):
        FileCounts(str(path), FileLock.open(str(tmp_path / "lock")))


def test_its_file_is_closed_with_it(make_file_counts):
    """A scenario that was replaced leaves nothing open."""
    counts = make_file_counts()
    file = counts._table.pages._file
    n_of(counts, "/")
    del counts
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


class Killed(BaseException):
    """The process is no more."""


class Dying:
    """A memory that ends the process before its so-many-th write."""

    def __init__(self, memory, left):
        self.memory = memory
        self.left = left

    def __getitem__(self, index):
        return self.memory[index]

    def __setitem__(self, index, value):
        if not self.left:
            raise Killed
        self.left.pop()
        self.memory[index] = value


def dying(counts, writes):
    """Let these counts end before the write of that number."""
    left = [None] * writes
    table = counts._table
    words = Dying(counts._words, left)
    counts._words = words
    counts._seconds = Dying(counts._seconds, left)
    for each in (table.identities, table.scopes):
        each._words = words
        each._map = Dying(each._map, left)


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_killed_between_any_two_writes(make_file_counts, full):
    """Nothing is half done: no injection too many, at most one lost, nobody else's count is touched."""
    written = 0
    while True:
        counts = make_file_counts()
        assert counts.match([(1, "yours", "/yours", (1, 1.0))], 5.0) == [(0, 0, False)]
        assert counts.take(Take(1, "yours", 2))
        if full:
            for key in range(WAYS):
                counts._table.scopes.row(bytes([*key_of(0, "mine")[:2], *key.to_bytes(14, "big")]), 1)
                counts._table.identities.row(bytes([*key_of(0, "/mine")[:2], *key.to_bytes(14, "big")]), 1)
        dying(counts, written)
        ask = Take(0, "mine", 2)
        taken = 0
        done = False
        try:
            counts.match([(0, "mine", "/mine", (1, 1.0))], 5.0)
            for _ in range(3):
                taken += counts.take(ask)
            counts.give_back(ask)
            done = True
        except Killed:
            pass
        other = make_file_counts(written)
        assert other.match([(1, "yours", "/yours", (1, 1.0))], 5.0) == [(1, 1, True)]
        assert [other.take(Take(1, "yours", 2)) for _ in range(2)] == [True, False]
        [(place, n, _)] = other.match([(0, "mine", "/mine", (1, 1.0))], 5.0)
        assert (place, n) in ((0, 0), (1, 0), (1, 1))
        left = sum(other.take(ask) for _ in range(4))
        if done:
            assert (place, n, taken, left) == (1, 1, 2, 1)
            break
        assert taken + left in (1, 2)
        written += 1
    assert written > 15


KILLED = """
import os, sys
from faultinject.engine.counting import Take
from faultinject.counts.directory import StoreDirectory

counts = StoreDirectory(sys.argv[1]).join()[2]
print("ready", flush=True)
file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
number = 0
while True:
    number += 1
    counts.match([(0, f"{os.getpid()}/{number}", f"{os.getpid()}/{number}", None)], 0.0, True)
    taken = counts.take(Take(0, "", 100_000), True)
    counts.release()
    if taken:
        os.write(file, b".")
"""


def test_kill_9_in_the_middle(tmp_path, process):
    """Processes are killed at any moment: the others go on, each kill costs at most one injection."""
    store = StoreDirectory(str(tmp_path / "store"))
    store.publish({}, rules=1)
    counts = store.join()[2]
    injected = tmp_path / "injected"
    for _ in range(6):
        killed = [process(KILLED, store.path, injected) for _ in range(2)]
        for each in killed:
            assert each.stdout.readline() == "ready\n"
        while n_of(counts, "/mine") % 50 != 49:
            pass
        for each in killed:
            each.kill()
            each.wait()
    seen = injected.stat().st_size
    used = counts._words[counts._table.rule(0) + table_module.OUT]
    assert seen <= used <= seen + 12
    assert n_of(counts, "/mine") == 300


FLOOD = """
import sys
from faultinject.exceptions import StoreUnavailable
from faultinject.counts.directory import StoreDirectory

store = StoreDirectory(sys.argv[1])
store.publish({}, rules=1)
counts = store.join()[2]
done = 0
try:
    for number in range(100_000):
        counts.match([(0, f"/{number}", f"/{number}", None)], 0.0)
        done += 1
except (OSError, StoreUnavailable) as error:
    print("no space left")
assert done
assert [counts.match([(0, "/0", "/0", None)], 0.0) for _ in range(2)] == [[(1, 1, True)], [(2, 2, True)]]
try:
    store.publish({"rules": "x" * 100_000}, rules=1)
except StoreUnavailable as error:
    print(error)
assert store.read() == (1, {})
counts.match([(0, "/0", "/0", None)], 0.0)
"""


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_full_disk_kills_nobody(small_disk, process):
    """A memory map on a full disk ends the process by SIGBUS; here it is an error, and what is counted goes on."""
    store = small_disk / "store"
    flood = process(FLOOD, store)
    told = flood.stdout.read().splitlines()
    assert flood.wait() == 0
    assert told == ["no space left", f"{store}: No space left on device"]


def test_a_page_that_finds_no_place(make_file_counts):
    """The limit of a file's size stands for the full disk: an error, nothing counted, and right again afterwards."""
    counts = make_file_counts()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * FIRST_RULE, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as failed:
            n_of(counts, "/a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert failed.value.errno == errno.EFBIG
    assert n_of(counts, "/a") == 0


def test_a_page_that_finds_half_a_place(make_file_counts, tmp_path, monkeypatch):
    """A write that ends early is none."""
    counts = make_file_counts()
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: real(file, data[:100], at))
    with pytest.raises(StoreUnavailable, match="no space left"):
        n_of(counts, "/a")
    with pytest.raises(StoreUnavailable, match="no space left"):
        make_table(str(tmp_path / "more"))
    monkeypatch.undo()
    assert n_of(counts, "/a") == 0
