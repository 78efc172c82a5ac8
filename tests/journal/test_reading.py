"""Any journal gives a right answer or a clear message, and counts what it skips."""

import gzip
import io
import itertools
import json
import random
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultinject import Injector, Outcome
from faultinject.audit.grouping import group
from faultinject.exceptions import ReportError
from faultinject.journal.reading import of_outcomes, read
from tests import journals
from tests.asking import get
from tests.journals import DELAYED, FINE, HUNG, SLOW_DOWN, written
from tests.rows import each_row

KINDS = {"200": FINE, "503": SLOW_DOWN, "hang": HUNG, "slow": DELAYED}


def fields(at, answer="200", *, took=0.001, invocation=None, number=None, **more):
    """The fields of a request at a time; its clock is a thousand seconds ahead of `at`."""
    hint = {"invocation": invocation, "attempt": number}
    hint = {name: value for name, value in hint.items() if value is not None} or None
    own = {
        "path": "/photos/cat.jpg",
        "time": journals.UNIX + at,
        "seq": round(at * 10_000),
        "attempt_hint": hint,
    }
    return journals.line(1000.0 + at, KINDS[answer], took=took, **{**own, **more})


def line(at, answer="200", **more):
    """The same as a line."""
    return written(fields(at, answer, **more))


def shape(calls):
    """The answers of each call."""
    return [" ".join(each.answer.partition(" ")[0] for each in one.attempts) for one in calls]


@pytest.fixture
def journal(tmp_path):
    """Writes lines to a file and reads them: the attempts, and what was skipped."""
    numbers = itertools.count(1)

    def written(*lines, name=None):
        path = tmp_path / (name or f"{next(numbers)}.jsonl")
        path.write_bytes(b"".join(each if isinstance(each, bytes) else each.encode() for each in lines))
        return str(path)

    return written


def found(*paths):
    skipped = {}
    return list(read(paths, skipped=skipped)), skipped


def times(attempts):
    return [round(each.arrived - 1000, 6) for each in attempts]


def test_blanks_around_a_line(journal):
    """They are none of it; what stands behind it makes it none of ours."""
    texts = [line(at) for at in range(3)]
    made = texts[0] + " " + texts[1].rstrip("\n") + " \n" + texts[2].rstrip("\n") + " x\n"
    attempts, skipped = found(journal(made))
    assert (times(attempts), skipped) == ([0, 1], {"not JSON": 1})


ODD = [
    *[{name: value} for name in ("arrived", "answered", "hint", "seq", "status", "request_bytes", "applied", "body_complete",
        "path", "host", "attempt_hint", "generation", "request_id", "final", "v") for value in (None, True, 0, -1, 1.0, 1e11, 1e12,
        2**70, "x", "\ud800", "é", "\U0001f600", "\x7f", "\0", [], {}, {"attempt": 2}, {"attempt": True}, {"invocation": 1})],
    {"ended": True}, {"ended": False}, {"ended": True, "pid": "7"}, {"ended": True, "parent": 3}, {"clock": 3},
]  # fmt: skip


def test_a_line_is_read_alike_by_either_library(journal):
    """msgspec takes no line that the standard library would not, and reads no other value in it.

    Half of a surrogate pair, in a field that nobody knows, has the standard library read a line.
    """
    good = line(-1)
    whole = fields(0, "503", invocation="x")
    odd = [written({**whole, **each}).rstrip("\n").encode("utf-8", "surrogatepass") for each in ODD]
    for quick in [*odd, *_spelled(written(whole).rstrip("\n"))]:
        plain = quick.replace(b'"n":', b'"zz":"\\ud800","n":', 1)
        said = [_outcome(journal(good, b"\n" + each + b"\n")) for each in (quick, plain)]
        assert said[0] == said[1], quick


def _spelled(text):
    """A line in forms that are none, or are others than JSON has them."""
    lines = [
        text,
        text.replace("{", " {", 1),
        text[:-2],
        text + "x",
        text.replace("}", ', "x": "\\q"}'),
        text * 2,
    ]
    lines += [
        text.replace('"n"', f'"n": {each}, "n"', 1)
        for each in ("NaN", "01", "1e999", "[" * 2000, '"\\ud800"')
    ]
    return [*(each.encode() for each in lines), text.encode().replace(b"query", b"quer\xff")]


def _outcome(path):
    """The content that is read of a file, with 1 and 1.0 distinct."""
    attempts, skipped = found(path)
    return repr([[getattr(each, name) for name in each.__struct_fields__] for each in attempts]), skipped


def test_what_the_generator_writes_is_a_journal():
    """By its published schema: what is tested with it may come of a server."""
    console, validate = (pytest.importorskip(each) for each in ("tests.console", "jsonschema"))
    schema = json.loads(console.command("schema", "journal").stdout)
    check = validate.Draft202012Validator(schema)
    asked = journals.Traffic(calls=2, hint="date")
    made = [*journals.client(journals.Policy(), asked), *journals.calls(1, 1.0, kind=HUNG)]
    assert [*map(check.is_valid, [journals.end_of(7), journals.line(path=None)])] == [True, False]
    assert all(map(check.is_valid, journals.lines(made)))


def test_a_line_becomes_an_attempt(journal):
    """Every field that a judgement needs, as it was written."""
    expected = {
        "arrived": 1000.0,
        "answered": 1000.001,
        "path": "/photos/cat.jpg",
        "status": 503,
        "answer": "503 SlowDown",
        "kind": "throttle",
        "hint": 3.0,
        "hint_form": "seconds",
        "attempt_hint": {"invocation": "x", "attempt": 1},
        "clock": 0,
        "seed": "0",
    }
    # Readers ignore what they do not know, as of a later time.
    later = {"colour": "red", "attempt_hint": {**expected["attempt_hint"], "colour": "red"}}
    for more in ({"invocation": "x", "number": 1}, later):
        [attempt], skipped = found(journal(line(0, "503", hint=3.0, hint_form="seconds", **more)))
        assert ({each: getattr(attempt, each) for each in expected}, skipped) == (expected, {})
        assert not hasattr(attempt, "colour")


def test_what_the_journal_writes_is_read(tmp_path):
    """The writer's own lines; the ring gives the same."""
    path = tmp_path / "journal.jsonl"
    injector = Injector("cos:SlowDown,times=1", environ={"FAULTINJECT_JOURNAL": str(path)})
    environ = {
        "CONTENT_LENGTH": "4", "HTTP_HOST": "h", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "5000", "wsgi.url_scheme": "http",
    }  # fmt: skip
    for _ in range(2):
        get(injector, "/b/k", "PUT", **environ, **{"wsgi.input": io.BytesIO(b"data")})
    attempts, skipped = found(str(path))
    assert (shape(group(attempts)), skipped) == (["503 200"], {})
    same = of_outcomes(injector.journal.outcomes)
    assert [(each.to_dict(), each.clock, each.kind, each.failed) for each in same] == [
        (each.to_dict(), each.clock, each.kind, each.failed) for each in attempts
    ]


def test_outcomes_come_in_order_and_once():
    """Those of several processes are put together anyhow; a final one stands for its first."""
    lines = [fields(2, took=None), fields(1), {**fields(2), "final": True}]
    attempts = of_outcomes(Outcome.of(each) for each in lines)
    assert (times(attempts), attempts[1].answered is None) == ([1, 2], False)


def test_a_final_line_ends_the_attempt_of_its_first(journal):
    """One request, two lines; who holds the attempt learns its end."""
    late = {**fields(0, "hang", took=30), "final": True}
    path = journal(line(0, "hang", took=None), line(1), json.dumps(late) + "\n")
    attempts, skipped = found(path)
    assert (times(attempts), attempts[0].answered, skipped) == ([0, 1], 1030, {})


def many(number, first=1):
    """So many lines, a hundredth of a second apart, each of another bucket."""
    made = line(0, seq=0, bucket="B", path="/P", arrived=-1.0, answered=None, time=-1.0)
    return [
        made.replace('"seq":0', f'"seq":{first + each}').replace('"/P"', f'"/{first + each}"').replace('"B"', f'"b{first + each}"')
        .replace('"arrived":-1.0', f'"arrived":{1000 + first + each / 100}').replace('"time":-1.0', f'"time":{journals.UNIX + first + each / 100}')
        for each in range(number)
    ]  # fmt: skip


def test_a_long_journal(journal):
    """A final line is learned however late, and a line too late to be sorted is not lost.

    A line that is there twice counts once, and texts from long ago are read as any.
    """
    begun, late = (
        line(0, "hang", took=None, seq=0),
        written({**fields(0, "hang", took=500, seq=0), "final": True}),
    )
    whole = many(16_000)
    attempts, skipped = found(
        journal(begun, *whole[:6_000], late, line(0.5, path="/late", seq=900_000), whole[100])
    )
    assert (len(attempts), attempts[0].answered, skipped) == (6_002, 1500, {"there twice": 1})
    assert "/late" in {each.path for each in attempts}
    attempts, skipped = found(journal(begun, *whole, late, *whole[:300]))
    assert (len(attempts), attempts[0].answered, skipped) == (16_001, 1500, {"there twice": 300})
    assert [each.bucket for each in attempts[1:]] == [f"b{each}" for each in range(1, 16_001)]
    assert attempts[1].user_agent is attempts[2].user_agent


def test_a_final_line_alone_is_its_request(journal):
    """The journal was cut before the first line; the final one says everything."""
    attempts, skipped = found(journal(json.dumps({**fields(0, "503"), "final": True}) + "\n"))
    assert ([each.answer for each in attempts], skipped) == (["503 SlowDown"], {})


NONE_OF_OURS = [
    ("Hello\n", "not JSON"),
    ("\xff\n".encode("latin-1"), "not JSON"),
    ("[" * 5_000 + "\n", "not JSON"),
    ('{"x":' + "[" * 5_000 + "\n", "not JSON"),
    (line(1).replace("1001.0", "NaN"), "not JSON"),
    (line(1).replace("1001.0", "1" * 5_000), "not JSON"),
    ("[1, 2]\n", "another tool's"),
    ("17\n", "another tool's"),
    ('{"level": "info", "msg": "started"}\n', "another tool's"),
    ('{"v": 1, "msg": "started"}\n', "another tool's"),
    ('{"v": true, "arrived": 1}\n', "another tool's"),
    (line(1, v=2), "of a later version"),
    ('{"v":2,"arrived":"soon"}\n', "of a later version"),
    (line(1, seq="7"), "damaged"),
    (line(1, pid=None), "damaged"),
    (line(1, path=None), "damaged"),
    (line(1, arrived=1e300), "damaged"),
    (line(1, arrived=10**400), "damaged"),
    (line(1, time=-1e13), "damaged"),
    (line(1, hint=1e13), "damaged"),
    (line(1, answered="1"), "damaged"),
    (line(1, applied=None), "damaged"),
    (line(1, body_complete=1), "damaged"),
    (line(1, status=503.0), "damaged"),
    (line(1, attempt_hint=[]), "damaged"),
    (line(1, attempt_hint={"invocation": 5}), "damaged"),
    (line(1, attempt_hint={"attempt": True}), "damaged"),
    (b'{"path":"' + b"x" * (1 << 20) + b'"}\n', "longer than 1 MiB"),
]
THREE = [line(at) for at in range(3)]
PARTS = [line(1)[:50] + line(2), line(3)[:50] + line(4)[:50] + "\n"]


@each_row(
    ("files", "expected", "skipped"),
    [
        # A request that takes long to decide may be written after thousands that came later.
        ([[3, 1, 2, 0]], [0, 1, 2, 3], {}),
        ([[*range(1, 5001), 0]], [*range(5001)], {}),
        # Files are merged, as of one a worker.
        ([[line(at, pid=2) for at in (1, 3, 5)], [line(at, pid=1) for at in (0, 2, 4)]], [0, 1, 2, 3, 4, 5], {}),
        # The same process, number and time, once more in its file or in a second one, count once.
        ([[*THREE, THREE[1]]], [0, 1, 2], {"there twice": 1}),
        ([THREE, THREE], [0, 1, 2], {"there twice": 3}),
        # The same process and number at another time are another process: the file was written on after a restart.
        ([[line(0, seq=0), line(1, seq=1), line(600, seq=0), line(601, seq=1)]], [0, 1, 600, 601], {}),
        # Every container's first process is number 1.
        ([[line(0, pid=1), line(2, pid=1)], [line(1, pid=1, arrived=5.0, answered=5.1)]], [0, (1, 1), 2], {}),
        # An empty file is the journal of a server without requests, and takes nothing from others.
        *(row for empty in ("", "\n\n") for row in (([[empty]], [], {}), ([[line(0)], [empty]], [0], {}))),
        # A line that is not one of ours is skipped, and those around it are read.
        *(([[line(0), each, "\n", line(2)]], [0, 2], {why: 1}) for each, why in NONE_OF_OURS),
        # The writer was killed in the middle of the last line; a whole one that only lacks its end is read.
        *(([[line(0), line(1)[:cut]]], [0], {"torn": 1}) for cut in (1, 100, -2)),
        ([[line(0), line(1)[:-1]]], [0, 1], {}),
        # A line stands behind a part of one: a disk was full, and somebody made room.
        ([[line(0), *PARTS]], [0, 2], {"not JSON": 1}),
    ],
    ids=lambda row: str(row)[:80],
)  # fmt: skip
def test_what_is_read(journal, files, expected, skipped):
    """The times of the requests, and the machine if it is not the first one.

    A number in a file is the line of that time.
    """
    texts = ([line(each) if isinstance(each, int) else each for each in lines] for lines in files)
    attempts, said = found(*(journal(*each) for each in texts))
    seen = [
        (at, each.clock) if each.clock else at for each, at in zip(attempts, times(attempts), strict=True)
    ]
    assert (seen, said) == (expected, skipped)


# Clocks


def test_machines_with_other_clocks_are_put_on_one_scale(journal):
    """By their unix time; their requests never join, for the gap between them is not known."""
    here = journal(line(0, "503"), line(5, path="/2"))
    there = journal(
        line(1, arrived=70_000.0, answered=70_000.5), line(2, "slow", took=None, arrived=70_001.0)
    )
    attempts, _ = found(here, there)
    clocks = [each.clock for each in attempts]
    assert (times(attempts), clocks) == ([0, 1, 2, 5], [0, 1, 1, 0])
    assert attempts[1].answered - attempts[1].arrived == pytest.approx(0.5)
    assert shape(group(attempts)) == ["503", "200", "200", "200"]


def test_a_unix_clock_that_is_set_changes_nothing(journal):
    """The monotonic clock counts, within a process and in later ones on the same machine."""
    lines = [
        line(0, "503"), line(1, "503", time=5.0), line(2, "503", time=6.0, pid=8), line(3, time=7.0),
    ]  # fmt: skip
    attempts, _ = found(journal(*lines))
    assert shape(group(attempts)) == ["503 503 503 200"]


def test_on_one_machine_the_unix_clock_says_nothing(journal):
    """A test that freezes the time beside a server that does not."""
    frozen = journal(
        line(0, "503", time=5.0),
        line(2, "hang", took=None, time=5.0, pid=7),
        json.dumps({**fields(2, "hang", took=1, time=5.0), "final": True}) + "\n",
    )
    attempts = list(read([frozen, journal(line(1, "503", pid=8))], one_machine=True))
    clocks = {each.clock for each in attempts}
    assert (shape(group(attempts)), clocks, attempts[2].answered) == (["503 503 hang"], {0}, 1003)


# Bad input


@pytest.mark.parametrize("name", ["journal.gz", "journal.jsonl"])
def test_a_gzip_file_is_known_by_its_beginning(journal, name):
    """Whatever it is called."""
    assert times(found(journal(gzip.compress(line(0).encode() + line(1).encode()), name=name))[0]) == [0, 1]


def test_a_gzip_file_whose_end_is_missing(journal):
    """The part of a gzip file that can be unpacked is read."""
    lines = "".join(line(at, path=f"/{random.Random(at).random()}") for at in range(2_000))
    packed = gzip.compress(lines.encode())
    attempts, skipped = found(journal(packed[: len(packed) // 2]))
    assert 100 < len(attempts) < 2_000
    assert skipped["torn"] >= 1
    assert found(journal(packed[: len(packed) // 2] + b"\xff" * 1_000))[1] == skipped
    wrong = packed[:-8] + bytes(8)
    assert found(journal(wrong))[1] == {"torn": 1}
    with pytest.raises(ReportError, match="ended before"):
        found(journal(packed[:50]))


def test_what_begins_like_a_gzip_file_and_is_none(journal):
    """A message, no traceback."""
    with pytest.raises(ReportError, match=r"bad\.jsonl: Unknown compression method"):
        found(journal(b"\x1f\x8b\x00\x00" * 10, name="bad.jsonl"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Hello\n", "1 line, none of them from a faultinject journal: not JSON"),
        ("Hello\n[]\n[]\n", "3 lines, none of them from a faultinject journal: 1 not JSON, 2 another tool's"),
        (line(0, v=2) * 1_200, "1,200 lines, none of them from a faultinject journal: of a later version"),
        ("x" * (3 << 20), "1 line, none of them from a faultinject journal: longer than 1 MiB"),
    ],
    ids=["a line", "lines", "a later version", "no lines"],
)
def test_a_file_that_is_no_journal(journal, content, message):
    """A message that names it, though another file is fine."""
    good = journal(line(0))
    with pytest.raises(ReportError) as caught:
        found(good, journal(content, name="other.log"))
    assert str(caught.value).endswith(f"other.log: {message}")


@each_row(
    ("name", "says"),
    [
        ("nowhere.jsonl", r"cannot read .*nowhere\.jsonl: No such file or directory"),
        (".", "cannot read .*: Is a directory"),
        ("nul\0", r"nul\\x00: no file can have such a name"),
    ],
)
def test_a_file_that_is_not_there(tmp_path, name, says):
    """The system's own words."""
    with pytest.raises(ReportError, match=says):
        found(str(tmp_path / name))


def test_the_standard_input(monkeypatch):
    """`-`, gzipped or not, or empty; it is not ours to close."""
    for data, expected in ((line(0).encode(), [0]), (gzip.compress(line(0).encode()), [0]), (b"", [])):
        stream = io.BufferedReader(io.BytesIO(data))
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        assert (times(found("-")[0]), stream.closed) == (expected, False)


def test_a_disk_that_fails(monkeypatch):
    """In the middle of a file: a message, whatever was read before."""

    class Failing(io.RawIOBase):
        parts = [line(0).encode()]

        def readable(self):
            return True

        def readinto(self, buffer):
            if not self.parts:
                raise OSError(5, "Input/output error")
            part = self.parts.pop()
            buffer[: len(part)] = part
            return len(part)

    failing = SimpleNamespace(buffer=io.BufferedReader(Failing()))
    for stdin, why in ((failing, "Input/output error"), (None, "it is closed")):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(ReportError, match=f"^cannot read the standard input: {why}$"):
            found("-")


def test_who_stops_reading_leaves_nothing_open(journal):
    """A reader that is dropped in the middle closes its files."""
    attempts = read([journal(line(0), line(1)), journal(line(2))])
    next(attempts)
    attempts.close()


def test_a_file_name_is_shown_escaped(journal):
    """It goes to a terminal."""
    with pytest.raises(ReportError, match=r"a\\nb: 1 line, none of them"):
        found(journal("Hello\n", name="a\nb"))


anything = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.builds(
            lambda at, cut, final: (line(at, **final)[:cut] if cut else line(at, **final)).encode(),
            st.sampled_from([0, 1, 2, 5, 1000]),
            st.one_of(st.none(), st.integers(1, 500)),
            st.sampled_from([{}, {"final": True}, {"pid": 8}, {"time": 5.0}]),
        ),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(anything)
def test_anything_is_read_or_refused(tmp_path_factory, parts):
    """Whatever bytes: attempts in order, or one clear error."""
    path = tmp_path_factory.getbasetemp() / "anything.jsonl"
    path.write_bytes(b"\n".join(parts))
    try:
        attempts = list(read([str(path)]))
    except ReportError as error:
        assert "anything.jsonl" in str(error)
    else:
        assert attempts or not path.read_bytes().strip()
        assert times(attempts) == sorted(times(attempts))
