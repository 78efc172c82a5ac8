"""A store after a crash is compared with one without a crash."""

import hashlib
import io
import itertools
import json
import pickle
import random
import tarfile
import uuid
import zipfile
import zlib

from faultinject.testing.exploration.store_comparison import StoreComparison
from tests.rows import each_row

ID = "0123456789abcdef0123"
FILM = b"one two three"


def learned(*runs, before=(), without=()):
    """A comparison that knows these runs.

    Each is what the store holds at its end, or a pair: after the program has run once, and after it has run again.
    """
    comparison = StoreComparison(*without)
    for each in runs or [{"/b/film": FILM}, {"/b/film": FILM}]:
        comparison.learn(dict(before), [each, each] if isinstance(each, dict) else each)
    return comparison


def told(findings):
    """Check, verdict and message of each."""
    return [(each.check, each.verdict, each.message) for each in findings]


def said(before, after, *runs):
    """Tell the findings after a crash."""
    return told(learned(*runs, before=before).findings(before, after))


ONCE_OR_TWICE = [({"/b/film": b"once "}, {"/b/film": b"once once "})] * 2


@each_row(
    ("content", "runs", "check", "message"),
    [
        # An object that should be there is lost, cut, doubled or changed.
        (None, [], "object lost", "is not there; without a crash it has 13 bytes"),
        (b"one", [], "half written", "has 3 bytes; without a crash it has 13 bytes"),
        (b"", [], "half written", "has 0 bytes; without a crash it has 13 bytes"),
        (b"o", [], "half written", "has 1 byte; without a crash it has 13 bytes"),
        (FILM + FILM, [], "written twice", "has 26 bytes; without a crash it has 13 bytes"),
        (b"one two two three", [], "written twice", "has 17 bytes; without a crash it has 13 bytes"),
        (b"one one two three", [], "written twice", "has 17 bytes; without a crash it has 13 bytes"),
        (b"one two four three", [], "other content", "has 18 bytes; without a crash it has 13 bytes"),
        (b"four one two three", [], "other content", "has 18 bytes; without a crash it has 13 bytes"),
        (b"one two four tree!", [], "other content", "has 18 bytes; without a crash it has 13 bytes"),
        (b"two three", [], "other content", "has 9 bytes; without a crash it has 13 bytes"),
        (b"one two tree!", [], "other content", "differs from what it is without a crash, from byte 9 on"),
        # What a second run changes is as after the first or as after the second, and nothing between.
        (b"once ", ONCE_OR_TWICE, None, None),
        (b"once once ", ONCE_OR_TWICE, None, None),
        (b"oncice ", ONCE_OR_TWICE, "other content", "has 7 bytes; without a crash it has 5 or 10 bytes"),
        (b"once on", ONCE_OR_TWICE, "half written", "has 7 bytes; without a crash it has 5 or 10 bytes"),
        (
            b"once once once ",
            ONCE_OR_TWICE,
            "written twice",
            "has 15 bytes; without a crash it has 5 or 10 bytes",
        ),
        (
            b"once twice",
            ONCE_OR_TWICE,
            "other content",
            "differs from what it is without a crash, from byte 5 on",
        ),
    ],
)
def test_an_object(content, runs, check, message):
    """The one object that should be there is lost, cut, doubled or changed."""
    after = {} if content is None else {"/b/film": content}
    assert said({}, after, *runs) == ([(check, "FAIL", f"/b/film {message}")] if check else [])


def test_a_key_that_holds_a_signature():
    """It is shown as the journal shows a path: the question mark of a presigned URL was encoded."""
    found = said({}, {"/b/film?X-Amz-Signature=S3CR3T": FILM})
    assert [check for check, *_ in found] == ["object lost", "left behind"]
    assert "S3CR3T" not in repr(found)


def here(*names, content=b"x"):
    """A store that holds these objects."""
    return {f"/b/{name}": content for name in names}


def found(check, verdict="FAIL"):
    """A shorthand for a finding of this check alone, with its message."""
    return lambda message: [(check, verdict, message)]


lost, left, stays, half, other = map(
    found,
    ("object lost", "left behind", "not removed", "half written", "other content"),
    ("FAIL", "WARN", *["FAIL"] * 3),
)
TIMED, DRAWN = (
    [({"/b/log": text % at}, {"/b/log": more % ((at, at + 1)[: more.count(b"%d")])}) for at in (100, 110)]
    for text, more in ((b"job %d;", b"job %d;job %d;"), (b"the job %d;", b"the job %d;the job %d;"))
)
EACH = {"/b/film": b"run 1"}, {"/b/film": b"run 2"}
IDS = here(ID, f"{ID}1"), here(f"{ID}2", f"{ID}3")
DATED = here(f"data/9f/9f{ID}"), here(f"data/0a/0a{ID}")
SOME = here("data-31a333ef", "data-aabbccdd", "cache"), here("data-c283be0f", "data-00112233")
NUMBERED = here("job-99"), here("job-100")


@each_row(
    ("before", "after", "runs", "findings"),
    [
        # The time varies, and may be longer; a third line is more than a second run adds.
        *(({}, {"/b/log": content}, TIMED, []) for content in (b"job 120;", b"job 120;job 121;", b"job 99;")),
        ({}, {"/b/log": b"the job 120;the job 121;the job 122;"}, DRAWN, other("/b/log has 36 bytes; without a crash it has 12 or 24 bytes")),
        # A fixed name that looks like an id: its content is compared as that of any other.
        *(
            (before, after, [runs, runs], findings(f"/b/{name}"))
            for name in ("20240101.csv", f"{ID}/cat", "part-000001")
            for before, after, runs, findings in (
                ({}, here(name), here(name), lambda path: []),
                ({}, here(name, content=b"one"), here(name, content=FILM), lambda path: half(f"{path} has 3 bytes; without a crash it has 13 bytes")),
                ({}, {}, here(name), lambda path: lost(f"{path} is not there; without a crash it has 1 byte")),
                (here(name), here(name), {}, lambda path: stays(f"{path} is still there; without a crash it is removed")),
            )
        ),
        # An object that was there before was to be removed; another one is left behind, and no failure.
        (here("from"), {"/b/film": FILM, "/b/from": b"x"}, [], stays("/b/from is still there; without a crash it is removed")),
        ({}, {"/b/film": FILM, "/b/lock": b"x"}, [], left("/b/lock (1 byte) is there, and not without a crash")),
        # A content that is another one in each run cannot be judged; a size that never changes can.
        ({}, {"/b/film": b"run 3"}, EACH, []),
        ({}, {"/b/film": b"run"}, EACH, half("/b/film has 3 bytes; without a crash it has 5 bytes")),
        ({}, {"/b/film": b"run 20"}, [*EACH, {"/b/film": b"run 10"}], []),
        ({}, {}, [*EACH, {}], []),  # it is there in some runs only
        # Names that are others in each run are counted.
        ({}, here(f"{ID}4", f"{ID}5"), IDS, []),
        ({}, here(f"{ID}4"), IDS, lost("there is 1 object /b/*, without a crash 2")),
        ({}, here(f"{ID}0", f"{ID}1", f"{ID}2", content=b""), [*IDS, here(ID, content=b"")], left("there are 3 objects /b/*, without a crash 1 to 2")),
        ({}, here(f"data/b7/b7{ID}"), DATED, []),
        ({}, here(f"data/b7/b7{ID}", f"data/c7/c7{ID}"), DATED, left("there are 2 objects /b/data/*/*, without a crash 1")),
        # Ids that happen to have digits alone: the next one may have letters; a number may be longer.
        ({}, here("x-0bad"), [here("x-1234"), here("x-8765")], []),
        ({}, here("x-10000"), [here("x-1234"), here("x-8765")], []),
        ({}, here("x-0bad", "x-beef"), [here("x-1234", "x-9fd3"), here("x-8765", "x-b7a0")], []),
        ({}, here("x-beef", "x-10000"), [here("x-1234", "x-9fd3"), here("x-8765", "x-b7a0")], []),
        # Numbers of several lengths are counted up; a word is not one of them.
        ({}, here("job-101", "job-lock"), NUMBERED, left("/b/job-lock (1 byte) is there, and not without a crash")),
        # Several names are of one kind; a name of one run alone may be there or not.
        *(
            ({}, here("data-0f0f0f0f", *more), runs, findings)
            for runs in (SOME, SOME[::-1])
            for more, findings in (
                (["data-1e1e1e1e"], []),
                (["data-1e1e1e1e", "cache"], []),
                ([], lost("there is 1 object /b/data-*, without a crash 2")),
            )
        ),
        # A name that both runs have is no other, whatever is beside it.
        ({}, here("lock", "e5f6"), [here("lock", "a1b2"), here("lock", "c3d4")], []),
        ({}, here("e5f6"), [here("lock", "a1b2"), here("lock", "c3d4")], lost("/b/lock is not there; without a crash it has 1 byte")),
    ],
)  # fmt: skip
def test_what_is_found(before, after, runs, findings):
    """By what the store held before and after the crash, and what runs without one leave."""
    assert said(before, after, *runs) == findings


def test_names_that_were_to_be_removed_are_counted_too():
    """So they are if those from before are others in each run."""
    more = here(f"{ID}0", f"{ID}1", f"{ID}2", content=b"")
    keeper = StoreComparison()
    for each in IDS:
        keeper.learn({f"{path}9": content for path, content in each.items()}, [each])
    assert told(keeper.findings(more, more)) == [
        ("not removed", "FAIL", "there are 3 objects /b/*, without a crash 2")
    ]


@each_row(
    ("contents", "finding"),
    [
        ((FILM, b"x"), None),
        ((b"x", FILM), None),
        (
            (FILM, b"one"),
            ("other content", "an object /b/part-*.csv has 3 bytes; without a crash it has 1 byte"),
        ),
        (
            (b"one", b"x"),
            ("half written", "an object /b/part-*.csv has 3 bytes; without a crash it has 13 bytes"),
        ),
        (
            (FILM * 2, b"x"),
            ("written twice", "an object /b/part-*.csv has 26 bytes; without a crash it has 13 bytes"),
        ),
    ],
)
def test_contents_of_objects_under_drawn_names(contents, finding):
    """Whatever they are called, together they hold the same in each run."""

    def parts(*contents):
        return {f"/b/part-{uuid.uuid4()}.csv": each for each in contents}

    runs = parts(FILM, b"x"), parts(b"x", FILM)
    assert said({}, parts(*contents), *runs) == ([] if finding is None else found(finding[0])(finding[1]))
    # If their contents differ in each run, too, only their number is compared.
    assert said({}, parts(*contents), *runs, parts(b"y", FILM)) == []


@each_row("refused", ["/b/lock", "/b/"])
def test_an_object_whose_removal_was_refused(refused):
    """It was to be removed, also where the run itself has made it; another one is left behind."""
    comparison = learned(without=["faults"])
    locked, drawn = {"/b/film": FILM, "/b/lock": b"x"}, {"/b/film": FILM, f"/b/lock-{ID}": b"x"}
    removed = stays("/b/lock is still there; without faults it is removed")
    kept = left("/b/lock (1 byte) is there, and not without faults")
    for after, kinds, expected in (
        (locked, [refused], removed),
        (locked, [], kept),
        (locked, ["/b/loc", "/c/"], kept),
        (drawn, ["/b/", *drawn], stays("there is 1 object /b/lock-*, without faults 0")),
    ):
        assert told(comparison.findings({}, after, refused=kinds)) == expected


COMMIT = b'{"rows": 7, "file": "%s"}\n'


@each_row(
    ("more", "said"),
    [
        ({f"/b/part-{ID}": b"day 7"}, "equal to /b/part-9: "),
        ({"/b/part-10": b"day 7"}, "equal to /b/part-9: "),
        ({"/b/log/2": COMMIT % ID.encode()}, "equal to /b/log/1, but for ids, numbers and order: "),
        (
            {"/b/log/2": b'{"file": "%s1", "rows": 8}\n' % ID.encode()},
            "equal to /b/log/1, but for ids, numbers and order: ",
        ),
        ({"/b/part-10": b"week 7"}, None),
        ({"/b/lock": b""}, None),
        ({"/b/more/2": COMMIT % ID.encode()}, None),
    ],
)
def test_what_may_be_written_twice(more, said):
    """After a lost answer an object more that is equal to another one; else it is left behind."""
    usual = {"/b/part-9": b"day 7", "/b/log/1": COMMIT % f"{ID}0".encode(), "/b/empty": b""}
    comparison = learned(usual, usual, without=["faults"])
    [(check, verdict, message)] = told(comparison.findings({}, usual | more, lost=True))
    assert (check, verdict) == ("left behind" if said is None else "perhaps written twice", "WARN")
    assert message.startswith(said or "/b/")
    assert comparison.findings({}, usual | more)[0].check == "left behind"


def test_what_a_run_that_told_an_error_has_taken_away():
    """Objects from before that right runs leave, under their name or one of its pattern."""

    film, new = {"/b/film": b"old"}, {"/b/film": FILM}
    part, parts = {"/b/part-0.csv": b"old"}, [{f"/b/part-{ID}{number}.csv": b"new"} for number in (1, 2)]
    for before, after, ends, gone in (
        (film, {}, [new, new], ["/b/film"]),
        (film, film, [new, new], []),
        (film, new, [new, new], []),
        ({"/b/lock": b""}, {}, [new, new], []),
        (part, {}, parts, ["/b/part-0.csv"]),
        (part, {f"/b/part-{ID}3.csv": b"new"}, parts, []),
        (part, part, parts, []),
    ):
        assert told(learned(*ends, before=before, without=["faults"]).removed_objects(before, after)) == [
            ("object lost", "WARN", f"it was there before the run, and is gone: {path}") for path in gone
        ]


@each_row(
    ("one", "other", "more", "name"),
    [
        ("data-31a333ef", "data-c283be0f", "data-00aa11bb", "data-*"),
        ("data-31a333ef", "data-c283be0f", "data-1234567a", "data-*"),
        ("data-1234567a", "data-12345678", "data-00aa11bb", "data-*"),
        ("tmpab_3x9qz", "tmpq1w2e3r4", "tmpzz__zz0a", "*"),
        ("2026-11-23T16-05-10.877", "2026-11-23T16-05-10.013", "2026-11-24T00-00-00.001", "*-*-*-*-*.*"),
        ("run-ab12cd/part-0", "run-0f9e8d/part-0", "run-aaaaaa/part-0", "run-*/part-*"),
        (f"{ID}/job-99998", f"{ID}1/job-99999", f"{ID}2/job-100000", "*/job-*"),
        ("job-99", "job-100", "job-101", "job-*"),
        ("user-al", "user-bob", "user-carol", "user-*"),
    ],
)
def test_names_that_two_runs_show_to_be_others(one, other, more, name):
    """They are counted, whatever makes them; what is left behind beside them keeps its own name."""
    for names, findings in (
        ([more], []),
        ([], lost(f"there are 0 objects /b/{name}, without a crash 1")),
        ([one, more], left(f"there are 2 objects /b/{name}, without a crash 1")),
        ([more, "lock.lck"], left("/b/lock.lck (1 byte) is there, and not without a crash")),
    ):
        assert said({}, here(*names), here(one), here(other)) == findings


TIMES = b'{"at": 1795449479.1234567, "ok": true}', b'{"at": 1795449479.2345678, "ok": true}'
REPORTS = [
    b'{"run": "%s", "at": %d.123456, "retries": 0}' % (run, at)
    for run, at in ((b"a1a1", 1795449479), (b"c3c3", 1795449489))
]


@each_row(
    ("ends", "content", "check"),
    [
        # It is no damage that the fraction of a time ends with a zero; half of the content is.
        (TIMES, b'{"at": 1795449499.123456, "ok": true}', None),
        (TIMES, b'{"at": 1795449501.5, "ok": true}', None),
        (TIMES, b'{"at": 1795449499.12', "other content"),
        (TIMES, TIMES[0] + b'{"at": 1795449479.2345678, "ok": true}', "other content"),
        (TIMES, TIMES[0] * 2, "written twice"),
        (TIMES, TIMES[0][:20], "half written"),
        (TIMES, b"", "half written"),
        # A report's time and id may vary in length; a report that breaks off is damage.
        (REPORTS, b'{"run": "b2b2", "at": 1795449499.12345, "retries": 1}', None),
        (REPORTS, b'{"run": "a1", "at": 1795449499.123456, "retries": 1}', None),
        (REPORTS, b'{"run": "a1a1", "at": 1795449499.1234, "retries": 12}', None),
        (REPORTS, b'{"run": "a1a1", "at": 1795449499.1234, "retries": ', "other content"),
        (REPORTS, b'{"run"', "half written"),
    ],
)
def test_numbers_that_are_longer_or_shorter_in_some_runs(ends, content, check):
    """Also where only some of several numbers differ without a fault."""
    found = said({}, {"/b/film": content}, *({"/b/film": each} for each in ends))
    assert [each[0] for each in found] == ([check] if check else [])


def packed(number):
    """A compressed record of a run, which says when it was and under which id."""
    digits = hashlib.sha256(str(number).encode()).hexdigest()
    return zlib.compress(
        b'{"manifests": [], "properties": {}, "id": "%s", "at": %d}'
        % (digits[:30].encode(), int(digits[30:50], 16))
    )


def test_what_is_compressed_differs_in_its_length_too():
    """Compressed content of equal length in two runs may differ in length in a third."""
    some = sorted(map(packed, range(300)), key=len)
    one, other = (each for each in some if len(each) == len(some[150])), some[150]
    ends = [{"/b/snapshot": next(one)}, {"/b/snapshot": other}]
    assert len({len(each) for each in some}) > 3
    assert [said({}, {"/b/snapshot": each}, *ends) for each in some] == [[]] * len(some)
    for cut in (other[:-30], other[: len(other) // 2], other + other):
        assert [each[0] for each in said({}, {"/b/snapshot": cut}, *ends)] != []


def test_a_long_word_before_what_differs_is_read_once():
    """A long text before a difference is read once, or this would not end."""
    ends = [{"/b/report": b"x" * 300_000 + b" at %d.125" % at} for at in (1795449479, 1795449489)]
    cut = {"/b/report": b"x" * 200_000 + b" at 1795449499.125"}
    assert [each[0] for each in said({}, cut, *ends)] == ["other content"]


def test_a_binary_record_that_is_damaged():
    """A record with a drawn number in its head breaks off, or lacks a common piece."""
    rest = random.Random(1).randbytes(100_000)

    def record(number, size=16):
        return b"\x93NUM" + random.Random(number).randbytes(size) + rest

    ends = [{"/b/s": record(number)} for number in (1, 2)]
    whole = record(3)
    assert said({}, {"/b/s": whole}, *ends) == []
    assert all(
        said({}, {"/b/s": each}, *ends)
        for each in (whole[:-1], whole[:-6000], whole[:40_000] + whole[46_000:])
    )
    # What was drawn may be longer or shorter the next time.
    assert [said({}, {"/b/s": record(3, size)}, *ends) for size in (2, 15, 17, 4000)] == [[]] * 4


def zipped(draw):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", json.dumps({"took": draw.random(), "rows": list(range(50))}))
        archive.writestr("b.txt", "fixed" * 40)
    return file.getvalue()


def tarred(draw):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        content = repr([draw.random() for _ in range(5)]).encode()
        (member := tarfile.TarInfo("a")).size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def pickled(draw):
    return pickle.dumps({"took": draw.random(), "said": str(draw.random()), "fixed": list(range(100))})


def measured(draw):
    rows = [f"{number},{draw.randint(0, 10**4)},{draw.random()}" for number in range(20)]
    return "\n".join(["number,count,took", *rows, ""]).encode()


def reported(draw):
    return json.dumps({"took": draw.random(), "rows": [draw.randint(0, 99) for _ in range(9)]}).encode()


@each_row("make", [zipped, tarred, pickled, measured, reported])
def test_two_lengths_that_are_the_same_by_chance(make):
    """A third length of varying content is no damage, whatever the format."""
    draw = random.Random(7)
    some = [make(draw) for _ in range(60)]
    # Each pair of the same length was made by two runs that are right.
    pairs = [
        (one, other) for one, other in itertools.pairwise(sorted(some, key=len)) if len(one) == len(other)
    ]
    assert len(pairs) > 10
    for pair in pairs:
        comparison = learned(*({"/b/k": each} for each in pair), without=["faults"])
        assert not [each for each in some if comparison.findings({}, {"/b/k": each})]


def job(draw, rows=20, **more):
    return json.dumps({"at": draw.random(), "rows": rows, "run": draw.randbytes(8).hex(), **more}).encode()


def table(draw, *numbers):
    return b"".join(b"%d;%d\n" % (number, draw.getrandbits(32)) for number in numbers)


def in_any_order(draw):
    return table(draw, *draw.sample(range(5), 5))


def in_a_format(draw, rows=20):
    return b"\0" + job(draw, rows)


@each_row(
    ("make", "wrong", "lacking"),
    [
        (job, lambda draw: job(draw, 10), "1 word"),
        (lambda draw: job(draw, sizes=[20, 30]), lambda draw: job(draw, 30, sizes=[30]), "2 words"),
        (lambda draw: job(draw, sizes=[20, 30]), lambda draw: job(draw, 30, sizes=[20, 5]), "1 word"),
        (job, job, None),
        # A log may have more to tell, and rows may come in any order.
        (job, lambda draw: job(draw, log="sent again"), None),
        (lambda draw: table(draw, 20, 21, 22), lambda draw: table(draw, 21, 22), "1 word"),
        (lambda draw: table(draw, 20, 21, 22), lambda draw: table(draw, 21, 22, 20), None),
        (in_any_order, lambda draw: table(draw, 1, 2), None),
        # Only a text has words.
        (in_a_format, lambda draw: in_a_format(draw, 10), None),
    ],
)
def test_words_beside_what_differs_in_each_run(make, wrong, lacking):
    """A time or an id in a text hides no other change, if enough right runs agree on it."""
    draw = random.Random(3)
    for path in ("/b/k", "/b/part-{}"):
        comparison = StoreComparison("faults")
        for runs in range(1, 6):
            comparison.learn({}, [{path.format(uuid.UUID(int=draw.getrandbits(128))): make(draw)}])
            after = {path.format(uuid.UUID(int=draw.getrandbits(128))): wrong(draw)}
            findings = comparison.findings({}, after)
            if 1 < runs < 5:
                assert findings == []
                assert comparison.lacks_words(after) or lacking is None
        message = f"{path.format('*')} lacks {lacking} that it has in each run without faults"
        assert [(*each[:2], each[2].partition(",")[0]) for each in told(findings)] == (
            [] if lacking is None else [("other content", "WARN", message)]
        )
