"""A process that wrote into a journal says once, last, that it has ended; no other says it."""

import json
import os
import subprocess
import sys
import time

import pytest

from faultinject import Injector
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
        return [json.loads(each) for each in path.read_text().splitlines()] if path.exists() else []

    return run


def ended(lines):
    """The processes that said that they ended, in order."""
    return [each["pid"] for each in lines if each.get("ended")]


def kind_of(line):
    return "e" if line.get("ended") else "f" if line.get("final") else "l"


def test_a_process_that_has_written_says_that_it_has_ended(lines):
    """The last line has every field, all null but four, and counts as no request."""
    *requests, last = lines("ask(faulty()); ask(faulty())")
    assert [each["status"] for each in requests] == [503, 503]
    assert list(last) == [*journals.line(), "ended", "parent"]
    told = {name: value for name, value in last.items() if value is not None}
    assert told.keys() == {"v", "time", "arrived", "pid", "ended"}
    assert (told["v"], told["pid"], told["ended"]) == (1, requests[0]["pid"], True)
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
    assert ended(found) == [found[0]["pid"]]
    assert found[-1]["ended"]


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
"""Code of a process, and its lines: `l` a request, `f` a final line, `e` the end."""


@pytest.mark.parametrize(("code", "said"), SAID.values(), ids=SAID)
def test_what_is_said(lines, code, said):
    """A process that has written says last that it has ended, unless it is killed."""
    began = time.monotonic()
    ends = -9 if ", 9)" in code else -15 if ", 15)" in code else 0
    assert "".join(kind_of(each) for each in lines(code, ends=ends)) == said
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
    own, other = found[0]["pid"], found[1]["pid"]
    assert own != other
    assert [(each["pid"], bool(each.get("ended"))) for each in found] == [
        (own, False),
        (other, False),
        (other, True),
        (own, False),
        (own, True),
    ]


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
    writers = {each["pid"] for each in found if not each.get("ended")}
    assert len(writers) == (3 if more else 2)
    assert sorted(ended(found)) == sorted(writers)
    parents = [each["parent"] for each in found if each.get("ended")]
    assert sum(each is not None for each in parents) == 2
    assert all(each.split("-")[0].isdecimal() for each in parents if each)


def test_each_file_is_told(lines, tmp_path):
    """A process with two journals ends in both."""
    found = lines(
        "ask(faulty()); other = WSGIFaultMiddleware(app, injector=Injector('http:500', journal='other')); ask(other)"
    )
    other = [json.loads(each) for each in (tmp_path / "other").read_text().splitlines()]
    assert [[bool(each.get("ended")) for each in one] for one in (found, other)] == [[False, True]] * 2


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
    assert [("told" in each, bool(each.get("ended"))) for each in found] == [
        (False, False),
        (True, False),
        (False, True),
    ]


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
    assert [bool(each.get("ended")) for each in lines(code)] == [False, True]
    moved = [json.loads(each) for each in (tmp_path / "journal.1").read_text().splitlines()]
    assert [bool(each.get("ended")) for each in moved] == [False]


@pytest.mark.parametrize("more", ["", "ask(app)"], ids=["no room for it", "no room for a line"])
def test_a_full_file_has_no_end(lines, more):
    """It takes no more than 1 GiB, and what is not there must not look as if it were."""
    full = (1 << 30) - 100
    assert lines(f"app = faulty(); ask(app); os.truncate('journal', {full}); {more}", reads=False) == full


# In this process


def kinds(path):
    return [bool(json.loads(each).get("ended")) for each in path.read_text().splitlines()]


def test_a_journal_can_be_ended_alone(tmp_path):
    """As a conformance run does, whose process goes on; without a file there is nothing to say."""
    path = tmp_path / "journal"
    injector = Injector("http:503", environ={}, journal=str(path))
    injector.journal.end()
    get(injector)
    injector.journal.end()
    assert kinds(path) == [False, True]
    Injector("http:503", environ={}).journal.end()


def test_a_journal_that_is_nobodys_business_has_no_end(tmp_path):
    """The journal of a test session has no end; its owner reads it."""
    path = tmp_path / "journal"
    injector = JoinedInjector("http:503", Joining(ends=False), environ={}, journal=str(path))
    get(injector)
    injector.journal.end()
    assert kinds(path) == [False]


# Who has written


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


def over(*paths):
    writers, skipped = Writers(), {}
    found = len(list(read(paths, writers=writers, skipped=skipped)))
    return writers.over, found, skipped


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
    ],
    ids="runs ended sibling both again twice recycled other alone".split(),
)
def test_whether_all_have_ended(journal, parts, expected):
    """All have ended if every writer has, and none has gone on, nor a process of its number."""
    assert over(journal(*parts)) == (expected, sum(not isinstance(each, dict) for each in parts), {})


def test_one_number_in_two_files(journal):
    """They may be of two containers, each with a first process."""
    one, two = journal((0, 1), end_of(1), name="1"), journal((1, 1), name="2")
    assert over(one, two)[0] is False
    assert over(one)[0] is True


def test_a_final_line_is_a_line_too(journal):
    """A process that writes a final line has not ended."""
    first = journals.line(0, HUNG, took=None, pid=7)
    assert over(journal(first, end_of(7), {**first, "answered": 30.0, "final": True}))[0] is False


def test_parents_are_remembered(journal):
    """Each that may start another process."""
    writers = Writers()
    list(
        read(
            [journal((0, 7), end_of(7, parent="5-6-7"), end_of(8, parent="5-6-7"))],
            writers=writers,
        )
    )
    assert writers.parents == {"5-6-7"}


def test_when_the_last_thing_was(journal):
    """The latest answer, or arrival."""
    writers = Writers()
    assert writers.latest == float("-inf")
    list(read([journal((5, 7), (2, 7))], writers=writers))
    assert writers.latest == pytest.approx(1_800_000_005.001, abs=1e-4)


@pytest.mark.parametrize("wrong", [{"pid": None}, {"pid": "7"}, {"pid": True}, {"parent": 5}])
def test_an_end_that_is_damaged(wrong):
    """It is counted as any other line."""
    skipped = {}
    assert len(parsed(lines_of((0, 7), {**end_of(7), **wrong}), skipped)) == 1
    assert skipped == {"damaged": 1}
