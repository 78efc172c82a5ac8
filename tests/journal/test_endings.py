"""A process that wrote into a journal says once, last, that it has ended; no other says it."""

import json
import os
import subprocess
import sys
import time

import pytest

from faultinject.injector.injector import JoinedInjector, Joining
from faultinject.journal.reading import Writers, read
from tests import journals
from tests.asking import get
from tests.journals import HUNG, end_of, parsed, written

pytestmark = pytest.mark.live

HEAD = """
import io, json, os, sys, threading, time
from faultinject import Injector, WSGIFaultMiddleware

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []

def ask(app, path="/a", **more):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO(), **more}
    return b"".join(app(environ, lambda *_: None))

def written():
    with open("journal") as file:
        return len(file.readlines())

def faulty(rules="http:503,path=a"):
    return WSGIFaultMiddleware(app, injector=Injector(rules))
"""


@pytest.fixture
def lines(tmp_path):
    """Run Python code whose requests go into a journal: the journal's lines."""

    def run(code, *, journal="journal", ends=0, reads=True, **options):
        path = tmp_path / journal
        environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
        environ["FAULTINJECT_JOURNAL"] = options.pop("given", str(path))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", HEAD + code],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            **options,
        )
        assert (done.returncode, done.stderr.replace("faultinject is on", "").count("Traceback")) == (ends, 0)
        if not reads:
            return path.stat().st_size
        return read_back(path) if path.exists() else []

    return run


def kinds(lines):
    """A letter for each line: `l` a request, `f` a final line, `e` the end."""
    return "".join("e" if each.get("ended") else "f" if each.get("final") else "l" for each in lines)


def read_back(path):
    """The lines of a file."""
    return [json.loads(each) for each in path.read_text().splitlines()]


def test_a_process_that_has_written_says_that_it_has_ended(lines):
    """The last line has every field, all null but four, and counts as no request."""
    *requests, last = lines("ask(faulty()); ask(faulty())")
    assert [each["status"] for each in requests] == [503, 503]
    assert list(last) == [*journals.line(), "ended", "parent"]
    told = {name: value for name, value in last.items() if value is not None}
    own = {name: told[name] for name in ("time", "arrived")}
    assert told == {"v": 1, "pid": requests[0]["pid"], "ended": True, **own}
    assert told["arrived"] > requests[1]["arrived"]
    assert told["time"] - told["arrived"] == pytest.approx(
        requests[0]["time"] - requests[0]["arrived"], abs=1
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    ["sys.exit(3)", "raise SystemExit(3)", "threading.Thread(target=ask, args=[APP]).start(); sys.exit(3)"],
)
def test_however_it_ends(lines, code):
    """The end comes after the threads for which the interpreter waits."""
    found = lines(f"APP = faulty(); ask(APP); {code}", ends=3)
    assert (kinds(found)[-1], kinds(found).count("e"), found[-1]["pid"]) == ("e", 1, found[0]["pid"])


UNDER_WAY = """
def late(environ, start_response):
    threading.Event().wait()
app = WSGIFaultMiddleware(late, injector=Injector("{rule},path=a"))
threading.Thread(target=lambda: ask(app), daemon=True).start()
while not written():
    time.sleep(0.01)
"""
SPAWN = f"""
import runpy
sys.path.insert(0, "")
with open("served.py", "w") as file:
    file.write({HEAD!r} + "def work():\\n    ask(faulty())\\n")
with open("main.py", "w") as file:
    file.write('''
import multiprocessing
from served import work
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
''')
runpy.run_path("main.py", run_name="__main__")
"""


SAID = {
    "who has written nothing": ("faulty()", ""),
    "who is killed": ("ask(faulty()); os.kill(os.getpid(), 9)", "l"),
    "who is told to end": ("ask(faulty()); os.kill(os.getpid(), 15)", "l"),
    "who leaves at once": ("ask(faulty()); os._exit(0)", "l"),
    "a spawned child ends in both ways, and says so once": (SPAWN, "le"),
    "one line for a file, whoever writes into it, and by whatever path": (
        "app = faulty(); os.environ['FAULTINJECT_JOURNAL'] = 'journal'\n"
        "other = faulty(); ask(app); ask(other); ask(app)",
        "llle",
    ),
    "a wait ends with the process: its request's second line comes first": (
        UNDER_WAY.format(rule="http:503,delay=10m"),
        "lfe",
    ),
    "what never ends is waited for a second": (UNDER_WAY.format(rule="http:503,when=after"), "le"),
    "an end that cannot be written is no error": (
        "app = faulty(); ask(app); os.closerange(3, 100)",
        "l",
    ),
    "a file that is rotated behind the last line has the end": (
        "app = faulty(); ask(app); os.rename('journal', 'old'); os.symlink('old', 'journal')",
        "le",
    ),
    "so has one that is emptied": ("app = faulty(); ask(app); os.truncate('journal', 0)", "e"),
    "and of two apps that are told of it while the first one serves": (
        "app = faulty(); ask(app); os.truncate('journal', 0); other = faulty(); ask(app)",
        "le",
    ),
    "who goes on ends again, and only the last line counts": (
        "injector = Injector('http:503'); app = WSGIFaultMiddleware(app, injector=injector); ask(app)\n"
        "injector.journal.end(); injector.journal.end(); ask(app)",
        "lele",
    ),
    "signals that are survived say nothing": (
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
        "app = faulty(); ask(app); os.kill(os.getpid(), signal.SIGTERM); ask(app)",
        "lle",
    ),
}
"""Code of a process, and the letters of its lines."""


@pytest.mark.parametrize(("code", "said"), SAID.values(), ids=SAID)
def test_what_is_said(lines, code, said):
    """A process that has written says last that it has ended, unless it is killed."""
    began = time.monotonic()
    ends = -9 if ", 9)" in code else -15 if ", 15)" in code else 0
    assert kinds(lines(code, ends=ends)) == said
    assert time.monotonic() - began < 30


FORK = """
def child(*work):
    pid = os.fork()
    if not pid:
        for each in work:
            each()
        sys.exit(0)
    os.waitpid(pid, 0)
    print(pid)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_forked_child_speaks_for_itself(lines):
    """If it has written; its parent's lines are its parent's."""
    found = lines(FORK + "app = faulty(); ask(app); child(); child(lambda: ask(app)); ask(app)")
    pids = [each["pid"] for each in found]
    assert kinds(found) == "llele"
    assert [each == pids[0] for each in pids] == [True, False, False, True, True]
    assert pids[1] == pids[2]


MULTI = """
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    app = faulty()
    processes = [context.Process(target=ask, args=[app]) for _ in range(2)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    {more}
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.parametrize("more", ["", "ask(app)"])
def test_children_of_multiprocessing(lines, more):
    """Children that skip the interpreter's end say it too, and name the parent.

    The parent may start another child.
    """
    found = lines(MULTI.format(more=more))
    ends = [each for each in found if each.get("ended")]
    assert len(ends) == (3 if more else 2)
    assert sorted(each["pid"] for each in ends) == sorted({each["pid"] for each in found if each not in ends})
    parents = [each["parent"] for each in ends if each["parent"] is not None]
    assert [each.split("-")[0].isdecimal() for each in parents] == [True, True]


def test_each_file_is_told(lines, tmp_path):
    """A process with two journals ends in both."""
    found = lines(
        "ask(faulty()); other = WSGIFaultMiddleware(app, injector=Injector('http:500', journal='other')); ask(other)"
    )
    assert [kinds(found), kinds(read_back(tmp_path / "other"))] == ["le", "le"]


BLOCK = """
import gc
from faultinject import inject
os.environ["X"] = "1"
def block():
    with inject("http:503,path=a") as faults:
        ask(WSGIFaultMiddleware(app, []))
        {inside}
block()
gc.collect()
{after}
"""


def test_a_file_that_is_closed_by_then(lines, tmp_path):
    """A block closes its file behind its told lines, also from another directory."""
    (tmp_path / "sub").mkdir()
    found = lines(BLOCK.format(inside="pass", after="os.chdir('sub')"), given="journal")
    assert (kinds(found), ["told" in each for each in found]) == ("lle", [False, True, False])


@pytest.mark.parametrize("after", ["os.remove('journal')", "os.rename('journal', 'old')"])
def test_a_file_that_is_gone_is_not_made_anew(lines, tmp_path, after):
    """Nor is another one written to that has its name now."""
    code = BLOCK.format(inside="pass", after=after)
    assert lines(code + "\nopen('journal', 'w').close()") == []
    lines(
        code + "\nassert not os.path.exists('journal'); open('last', 'w').close()",
        journal="last",
        given=str(tmp_path / "journal"),
    )


def test_the_end_is_said_where_the_last_lines_are(lines, tmp_path):
    """The end is written where the last lines are, and a renamed file gets neither."""
    code = (
        "app = faulty(); ask(app); os.rename('journal', 'journal.1'); open('journal', 'w').close(); ask(app)"
    )
    assert kinds(lines(code)) == "le"
    assert kinds(read_back(tmp_path / "journal.1")) == "l"


@pytest.mark.parametrize(
    ("room", "more"),
    # In the last two the end has room behind a line that is lost; in the last a second writer keeps the file open.
    [(100, ""), (1000, "ask(app, '/a' * 1000)"), (1000, "other = faulty(); ask(app, '/a' * 1000)")],
    ids=["no room for it", "no room for a line", "another writer"],
)
def test_a_full_file_has_no_end(lines, room, more):
    """It takes no more than 1 GiB, and what is not there must not look as if it were."""
    full = (1 << 30) - room
    assert lines(f"app = faulty(); ask(app); os.truncate('journal', {full}); {more}", reads=False) == full


# In this process


@pytest.mark.parametrize(("ends", "said"), [(True, "le"), (False, "l")])
def test_a_journal_can_be_ended_alone(tmp_path, ends, said):
    """As a conformance run does, whose process goes on; without a file there is nothing to say.

    The journal of a test session has no end; its owner reads it.
    """
    path = tmp_path / "journal"
    for file in (str(path), None):
        injector = JoinedInjector("http:503", Joining(ends=ends), environ={}, journal=file)
        injector.journal.end()
        get(injector)
        injector.journal.end()
    assert kinds(read_back(path)) == said


# Who has written


FIRST = journals.line(0, HUNG, took=None, pid=7)


def lines_of(*parts):
    """A journal of ends, and of requests: when, and of which process."""
    return written(
        *(
            each if isinstance(each, dict) else journals.line(each[0], pid=each[1], seq=round(each[0]))
            for each in parts
        )
    )


@pytest.fixture
def journal(tmp_path):
    """Writes such a journal: its path."""

    def write(*parts, name="journal"):
        path = tmp_path / name
        path.write_text(lines_of(*parts))
        return str(path)

    return write


def read_writers(*paths):
    """Read what is known of the writers, and count the requests."""
    writers, skipped = Writers(), {}
    requests = len(list(read(paths, writers=writers, skipped=skipped)))
    assert skipped == {}
    return writers, requests


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(0, 7)], False),
        ([(0, 7), end_of(7)], True),
        ([(0, 7), (1, 8), end_of(7)], False),
        ([(0, 7), (1, 8), end_of(8), end_of(7)], True),
        ([(0, 7), end_of(7), (1, 7)], False),
        ([(0, 7), end_of(7), (1, 7), end_of(7)], True),
        ([(0, 7), (1, 8), end_of(8), (2, 7)], False),
        ([(0, 7), end_of(8)], False),
        ([end_of(7)], True),
        # A process that writes a final line has not ended.
        ([FIRST, end_of(7), {**FIRST, "answered": 30.0, "final": True}], False),
    ],
    ids="runs ended sibling both again twice recycled other alone final".split(),
)
def test_whether_all_have_ended(journal, parts, expected):
    """All have ended if every writer has, and none has gone on, nor a process of its number."""
    writers, requests = read_writers(journal(*parts))
    assert (writers.over, requests) == (
        expected,
        sum(each is FIRST or not isinstance(each, dict) for each in parts),
    )


def test_one_number_in_two_files(journal):
    """They may be of two containers, each with a first process."""
    one, two = journal((0, 1), end_of(1), name="1"), journal((1, 1), name="2")
    assert [read_writers(*each)[0].over for each in ((one, two), (one,))] == [False, True]


def test_what_is_known_of_the_writers(journal):
    """Each parent that may start another process, and the latest answer, or arrival."""
    ends = [end_of(each, parent="5-6-7") for each in (7, 8)]
    writers, _ = read_writers(journal((5, 7), (2, 7), *ends))
    assert writers.parents == {"5-6-7"}
    assert writers.latest == pytest.approx(1_800_000_005.001, abs=1e-4)
    assert Writers().latest == float("-inf")


@pytest.mark.parametrize("wrong", [{"pid": None}, {"pid": "7"}, {"pid": True}, {"parent": 5}])
def test_an_end_that_is_damaged(wrong):
    """It is counted as any other line."""
    skipped = {}
    assert len(parsed(lines_of((0, 7), {**end_of(7), **wrong}), skipped)) == 1
    assert skipped == {"damaged": 1}
