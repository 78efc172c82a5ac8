"""Counts in a directory survive damage to lock, files and disk, and the end of processes."""

import errno
import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import pytest

from faultinject import Injector
from faultinject.counts import file_counts
from faultinject.counts.patience import waiting
from faultinject.counts.store import Take, open_store
from faultinject.exceptions import ConfigurationError, StoreBusyError, StoreUnavailableError
from tests.asking import get
from tests.descriptors import opened
from tests.full_disk import room_for
from tests.locked import locked
from tests.refusals import refusal
from tests.until import until

from .opened import open_counts

KIB = 1024
KEY = [(0, "", "/", None)]


@pytest.fixture
def url(new_url):
    return new_url("file")


@pytest.fixture
def store(url):
    """The directory of `url`."""
    return Path(url.removeprefix("file:"))


def n_of(counts, identity="/"):
    """The number of earlier matches of an identity."""
    return counts.match([(0, "", identity, None)], 0.0)[0][1]


def nobody_has_the_lock(store):
    """Take it for a moment; the system refuses it where somebody has it."""
    with (store / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def n_of_patiently(counts):
    """The same, repeated while other processes keep the lock: nothing was counted then.

    They keep it for long on a busy machine, and a hold is waited for once: whoever asks again at once gets no answer.
    """

    def asked():
        with suppress(StoreBusyError):
            return [n_of(counts)]

    [number] = until(asked, "the store is always busy")
    return number


@pytest.mark.usefixtures("now")
def test_what_is_spent_is_read_without_the_lock(url, store):
    """A spent rule is refused without the lock; anything else needs it, or goes without.

    It goes without where others have the lock.
    """
    counts, other = open_counts(url), open_counts(url)
    whole, part = Take(0, "", 1), Take(0, "mine", 1)
    assert [counts.take(each) for each in (whole, part)] == [True, True]
    with locked(store / "lock"):
        assert [counts.take(whole), counts.take(part), other.take(whole)] == [False] * 3
        for each in (part, Take(1, "", 1), Take(0, "yours", 1)):
            with pytest.raises(StoreBusyError):
                other.take(each)
        with pytest.raises(StoreBusyError, match=r"^another process held .*/lock for more than 50 ms$"):
            n_of(counts)
        counts.give_back(part)
    assert (n_of(counts), counts.take(part)) == (0, False), "nothing was counted, and nothing given back"
    counts.give_back(part)
    assert counts.take(part)


def test_a_hold_lasts_from_the_match_to_its_takes(url, store):
    """Nobody comes between."""
    counts, other = open_counts(url), open_counts(url)
    assert counts.match([(0, "mine", "/a", None)], 0.0, True) == [(0, 0, True)]
    with pytest.raises(BlockingIOError):
        nobody_has_the_lock(store)
    for ask in (Take(0, "mine", 1), Take(1, "", 1)):
        assert [counts.take(ask, True) for _ in range(2)] == [True, False]
    counts.release()
    nobody_has_the_lock(store)
    assert other.match([(0, "mine", "/a", None)], 0.0) == [(1, 1, True)]


def test_the_last_rule_has_its_place(url):
    """The last rule has a place of its own; no store is given more rules.

    `test_more_rules_than_there_is_room_for`
    """
    counts = open_counts(url)
    counts.note_injected(0)
    for rule in (65_535, 65_534):
        assert counts.match([(rule, "", "/", None)], 0.0) == [(0, 0, True)]
    assert open_counts(url).totals([0, 65_534, 65_535]) == [(0, 1, 0), (1, 0, 0), (1, 0, 0)]


def test_what_is_noted_while_others_have_the_lock(url, store, now):
    """A note is known here at once, and to the others as soon as nobody has the lock.

    The first note waits a little for it: a process that ends soon is counted all the same.
    """
    counts, other = open_counts(url), open_counts(url)
    began = now[0]
    with locked(store / "lock"):
        counts.note_injected(0)
        assert now[0] > began
        for _ in range(2):
            counts.note_injected(0)
        counts.note_injected(0, -1)
        counts.note_failed(0)
        assert counts.match([(0, "", "/a", None)], 0.0, True, [0]) == [(0, -os.getpid(), True)]
        assert counts.totals([0, 1]) + other.totals([0]) == [(1, 2, 1), (0, 0, 0), (0, 0, 0)]
        for _ in range(9):
            counts.note_failed(1)
    for rule in (0, 1):
        counts.note_injected(rule)
    assert other.totals([0, 1]) == counts.totals([0, 1]) == [(1, 3, 1), (0, 1, 9)]


def test_no_counter_is_left(url, monkeypatch):
    """The process knows what it counts; no row is begun where others have theirs."""
    monkeypatch.setattr(file_counts, "MOST_COUNTERS", 1)
    counts, other = open_counts(url), open_counts(url)
    for rule in (0, 1):
        counts.note_injected(rule)
    assert counts.totals([0, 1]) + other.totals([0, 1]) == [(0, 1, 0)] * 3 + [(0, 0, 0)]


def test_threads_note_every_request_once(url, in_many_threads):
    """Without the lock of the store."""
    counts = open_counts(url)

    def work(_):
        for _ in range(200):
            counts.match([(0, "", "/a", None)], 0.0, False, [0])
            counts.note_injected(0)

    in_many_threads(32, work)
    assert open_counts(url).totals([0]) == [(32 * 200, 32 * 200, 0)]


FORKED = """
import os, sys
from faultinject.counts.store import Take, open_store
from faultinject.counts.patience import waiting
from tests.counts.opened import open_counts
counts = open_counts(sys.argv[1])
counts.note_injected(0)
first = counts.match([(0, "", "/a", None)], 0.0, False, [0])[0][1]
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
counts.note_injected(0)
print(counts.take(Take(0, "", 1)), counts.match([(0, "", "/a", None)], 0.0, False, [0])[0][1] - first, flush=True)
"""


def test_a_child_notes_for_itself(url, process):
    """A child does not repeat its parent's notes, and both count together."""
    assert process(FORKED, url).communicate()[0] == "True -1\nFalse 0\n"
    assert open_counts(url).totals([0]) == [(3, 3, 0)]


def test_records_of_one_kind_leave_those_of_others(url):
    """Notes by thousands of rules change no count of a scope or an identity."""
    counts = open_counts(url)

    def match():
        asked = [(0, f"scope {number}", f"/{number}", None) for number in range(2000)]
        return [counts.match([each], 0.0)[0][:2] for each in asked]

    assert match() == [(0, 0)] * 2000
    for rule in range(2000):
        counts.note_injected(rule)
    assert match() == [(1, 1)] * 2000


def test_the_file_is_sparse(url, store):
    """A few pages on the disk, whatever its length."""
    open_counts(url).match([(65_535, "scope", "identity", None)], 0.0)
    found = [each.stat() for each in store.iterdir()]
    assert sum(each.st_blocks * 512 for each in found) <= 300 * KIB < sum(each.st_size for each in found)


KILLED_AT_EACH_LINE = """
import os, shutil, signal, sys
from faultinject.counts.store import Take, open_store
from faultinject.counts.patience import waiting
from tests.counts.opened import open_counts

place, full, step = sys.argv[1], sys.argv[2] == "full", int(sys.argv[3])
mine, yours = [(0, "mine", "/mine", (1, 1.0))], [(1, "yours", "/yours", (1, 1.0))]
ask = Take(0, "mine", 2)

def live(counts, line, report):
    left = [line]

    def trace(frame, event, _):
        if event == "call":
            return trace if "faultinject" in frame.f_code.co_filename else None
        if event == "line":
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
        return trace

    sys.settrace(trace)
    counts.match(mine, 5.0)
    for _ in range(3):
        if counts.take(ask):
            os.write(report, b"+")
    counts.give_back(ask)
    sys.settrace(None)
    os.write(report, b".")

if full:  # what is new takes the place of what was matched longest ago
    counts = open_counts(f"file:{place}/full")
    for first in range(0, 200_000, 500):
        counts.match([(2, f"{number}", f"/{number}", None) for number in range(first, first + 500)], 0.0)
    del counts
for line in range(0, 10_000, step):
    url = f"file:{place}/{line}"
    if full:
        shutil.copytree(f"{place}/full", f"{place}/{line}")
    counts = open_counts(url)
    assert counts.match(yours, 5.0) == [(0, 0, False)]
    assert counts.take(Take(1, "yours", 2))
    reports, report = os.pipe()
    pid = os.fork()
    if not pid:
        live(open_counts(url), line, report)
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(report)
    told = os.read(reports, 100).decode()
    os.close(reports)
    assert counts.match(yours, 5.0) == [(1, 1, True)]
    assert [counts.take(Take(1, "yours", 2)) for _ in range(2)] == [True, False]
    [(place_, n, _)] = counts.match(mine, 5.0)
    left = sum(counts.take(ask) for _ in range(4))
    shutil.rmtree(f"{place}/{line}")
    if told[-1:] == ".":
        assert (told, place_, n, left) == ("++.", 1, 1, 1), (told, place_, n, left)
        break
    taken = told.count("+")
    assert (place_, n) in ((0, 0), (1, 0), (1, 1)), (line, place_, n)
    # What was given back may be taken again; of a take that nobody was told of nothing is known.
    assert 2 <= taken + left + 1 <= 4, (line, told, left)
print(line > 100)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    ("how", "step"),
    [
        pytest.param("empty", 1, marks=pytest.mark.slow),
        pytest.param("full", 3, marks=pytest.mark.slow),
        ("empty", 11),
    ],
)
def test_killed_at_any_line(tmp_path, process, how, step):
    """A process that dies at any line leaves nothing half done, and loses one take at most.

    Nobody is kept waiting.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    ran = process(KILLED_AT_EACH_LINE, tmp_path, how, step, env=environ)
    assert ran.communicate()[0] == "True\n"


KILLED = """
import os, sys
from faultinject.counts.store import Take, open_store
from faultinject.counts.patience import waiting
from tests.counts.opened import open_counts
from faultinject.exceptions import StoreBusyError

counts = open_counts(sys.argv[1])
print("ready", flush=True)
file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
number = 0
while True:
    number += 1
    try:
        counts.match([(0, f"{os.getpid()}/{number}", f"{os.getpid()}/{number}", None)], 0.0, True)
    except StoreBusyError:
        continue
    taken = counts.take(Take(0, "", 100_000), True)
    counts.release()
    if taken:
        os.write(file, b".")
"""


def test_kill_9_in_the_middle(url, tmp_path, process):
    """Kills at any moment, with the lock too, cost one injection each at most; others go on."""
    counts = open_counts(url)
    injected = tmp_path / "injected"
    for _ in range(3):
        killed = [process(KILLED, url, injected) for _ in range(2)]
        for each in killed:
            assert each.stdout.readline() == "ready\n"
        for _ in range(50):
            n_of_patiently(counts)
        for each in killed:
            each.kill()
            each.wait()
    seen = injected.stat().st_size
    assert n_of_patiently(counts) == 150
    assert [counts.take(Take(0, "", seen + more)) for more in (7, 0)] == [True, False]


def test_a_page_that_finds_no_place(url, now, monkeypatch):
    """An error that names the file, nothing counted, and right again afterwards; a note is kept."""
    counts, other = open_counts(url), open_counts(url)
    with room_for(KIB):
        with pytest.raises(StoreUnavailableError, match=rf"/counts-1: {os.strerror(errno.EFBIG)}$"):
            n_of(counts)
        counts.note_injected(1)
        assert (counts.totals([1])[0][1], other.totals([1])[0][1]) == (1, 0)
        with pytest.raises(StoreUnavailableError, match=os.strerror(errno.EFBIG)):
            open_counts(f"{url}-new")
    counts.note_injected(1)
    now[0] += 2
    assert (other.totals([1])[0][1], n_of(counts)) == (2, 0)


def run(*words):
    """Whether a command of the system succeeds."""
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def mounted(request, tmp_path):
    """A small file system of the test, of the size that its parameter says."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={request.param},mode=700", "tmpfs", tmp_path]
    if shutil.which("mount") is None or not run(*command):
        pytest.skip("no file system may be mounted here")
    yield tmp_path
    assert run("umount", "-l", tmp_path)


def fill(place):
    """Leave no room; what is removed again makes it."""
    filler = Path(place, "filler")
    with filler.open("wb", 0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    return filler


def make(place, rules="http:503,times=3"):
    return Injector(rules, seed=1, store=f"file:{place}/store", environ={})


@pytest.mark.parametrize("mounted", ["256k"], indirect=True)
def test_no_room_later(mounted, caplog, now):
    """Without room requests pass, counted, and logged once; with room injection goes on.

    It never exceeds its limit.
    """
    injector = make(mounted, "http:503,times=3,per=key")
    filler = fill(mounted)
    statuses = {get(injector, f"/b/{number}") for number in range(64)}
    assert (statuses, injector.counts()["rule-1"].failed) == ({200}, 64)
    assert caplog.text.count("nothing is injected while the store is unavailable") == 1
    filler.unlink()
    now[0] += 2.0
    assert [get(injector, "/b/cat") for _ in range(5)] == [503] * 3 + [200] * 2
    assert "the store is available again; 64 requests passed without a decision" in caplog.text


@pytest.mark.parametrize("mounted", ["512k"], indirect=True)
def test_no_room_for_other_rules(mounted):
    """Those in force stay, with their counts."""
    injector = make(mounted)
    assert get(injector) == 503
    filler = fill(mounted)
    with pytest.raises(StoreUnavailableError, match=r"[Nn]o space left"):
        injector.use("http:500")
    assert [get(injector) for _ in range(3)] == [503, 503, 200]
    filler.unlink()
    injector.use("http:500,times=1")
    assert [get(injector) for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("mounted", ["1m"], indirect=True)
def test_read_only(mounted):
    """The system refuses read-only while a process counts; a read-only store is refused."""
    counts = open_counts(f"file:{mounted}/store")
    assert not run("mount", "-o", "remount,ro", mounted), "files are open for writing"
    assert counts.take(Take(0, "", 1))
    del counts
    assert run("mount", "-o", "remount,ro", mounted)
    with pytest.raises(ConfigurationError, match=r"/store' is not writable: name another directory$"):
        open_counts(f"file:{mounted}/store")


@pytest.mark.parametrize("how", ["the lock", "the directory", "another directory"])
def test_a_store_that_others_would_not_find(url, store, tmp_path, how, now):
    """A store that others would not find is reported within sixteen requests.

    Put back, it counts on where it was.
    """
    counts = open_counts(url)

    def match():
        now[0] += 60
        return n_of(counts)

    for _ in range(20):
        match()
    (lost := store / "lock" if how == "the lock" else store).rename(tmp_path / "kept")
    if how == "another directory":
        open_counts(url)
    with pytest.raises(StoreUnavailableError, match=r"^the store's .*/lock was removed[:,] "):
        for _ in range(16):
            match()
    if how == "another directory":
        shutil.rmtree(store)
    (tmp_path / "kept").rename(lost)
    number = match()
    assert [match() for _ in range(20)] == [*range(number + 1, number + 21)]


CALLS = {
    "match": lambda counts: counts.match([(0, "mine", "/", None)], 0.0),
    "match and hold": lambda counts: counts.match(KEY, 0.0, True),
    "take": lambda counts: counts.take(Take(0, "", 99)),
    "take of a scope": lambda counts: counts.take(Take(0, "mine", 99)),
}


BOUND = "5xx>5%/1m"


def answer_of_the_app(store, _):
    """Whoever notes it takes the system's word, too."""
    with suppress(OSError):
        store.answers(BOUND, 1.0).add(0, 0, 1, 1, print)


UNDER_THE_LOCK = {
    **{name: lambda _, counts, call=call: call(counts) for name, call in CALLS.items()},
    "give back": lambda _, counts: counts.give_back(Take(0, "", 99)),
    "a note": lambda _, counts: counts.note_injected(0),
    "an answer of the app": answer_of_the_app,
    "other rules": lambda store, _: store.publish({"next_place": 1}, anew=True),
    "no rules": lambda store, _: store.withdraw(),
}


@contextmanager
def unreadable(store):
    """The files' numbers are a directory's meanwhile, of which nothing can be read."""
    kept = {
        number: os.dup(number)
        for number, path in opened(store).items()
        if Path(path).name.startswith(("answers-", "counts-"))
    }
    directory = os.open(store, os.O_RDONLY)
    for number in kept:
        os.dup2(directory, number)
    try:
        yield
    finally:
        os.close(directory)
        for number, file in kept.items():
            os.dup2(file, number)
            os.close(file)


@pytest.mark.parametrize("fails", [lambda _: room_for(0), unreadable], ids=["to write", "to read"])
@pytest.mark.parametrize("what", UNDER_THE_LOCK)
def test_the_system_refuses(url, store, what, fails, now, monkeypatch):
    """Whatever fails under the lock gives it back, to the threads of this process and to others."""
    monkeypatch.setattr(waiting, "queue_timeout", 0.01)
    directory = open_store(url)
    directory.begin({"scenario": "{}", "seed": "1", "next_place": 1}, chosen=False)
    _, _, counts = directory.counts()
    directory.answers(BOUND, 1.0)
    with fails(store), suppress(StoreUnavailableError):
        UNDER_THE_LOCK[what](directory, counts)
    nobody_has_the_lock(store)
    now[0] += 60
    assert n_of(counts) == 0


def test_what_cannot_be_read_is_told_as_far_as_this_process_knows(url, store):
    """And is noted, for later."""
    counts = open_counts(url)
    n_of(counts)
    counts.note_injected(0)
    with unreadable(store):
        counts.note_injected(0)
        assert (counts.totals([0]), counts.requests(), counts.injected()) == ([(0, 2, 0)], 0, 2)
    assert (counts.totals([0]), counts.requests(), counts.injected()) == ([(1, 2, 0)], 1, 2)


def test_files_are_cut_under_a_running_process(new_url, now):
    """Files cut under a running process give nothing false, and nobody keeps the lock.

    Also when they are as long as before.
    """

    def is_damaged(ask, *given):
        now[0] += 60
        told = str(refusal(ask, *given, sort=StoreUnavailableError))
        return told.endswith(("/counts-1 was cut short", "/counts-1 is damaged"))

    for (call, ask), length, longer in product(CALLS.items(), (0, 4096, 4097, -9), (False, True)):
        url = new_url("file")
        counts = open_counts(url)
        counts.match([(0, "mine", "/", None)], 0.0)
        assert counts.take(Take(0, "", 1)), call
        counts.note_injected(0)
        [file] = Path(url.removeprefix("file:")).glob("counts-*")
        size = file.stat().st_size
        os.truncate(file, length % size)
        if longer:
            os.truncate(file, size)
        for _ in range(2):
            assert is_damaged(ask, counts)
        counts.give_back(Take(0, "", 99))
        counts.note_injected(0)
        assert is_damaged(counts.match, KEY, 0.0, False, [0])
        assert counts.totals([0])[0][1] == 2, "what this process knows itself"
        error = refusal(open_counts, url, sort=StoreUnavailableError)
        assert ("/counts-1 is damaged" if longer else "was cut short") in str(error)
        nobody_has_the_lock(file.parent)


def test_the_number_in_force_is_cut(url, store, caplog):
    """The rules stay in force; once somebody changes them all is well."""
    injector = Injector("http:503", seed=1, store=url, environ={})
    for length in (0, 1, 7, 8):  # at last as long as before
        os.truncate(store / "lock", length)
        assert get(injector) == 503
    assert caplog.text.count("the previous ones stay in force") == 2, "once for each reason"
    injector.use("http:500")
    assert get(injector) == 500
    os.truncate(store / "lock", 0)
    with pytest.raises(ConfigurationError, match=r"has lost its lock: remove it, or name another directory$"):
        open_counts(url)
