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

import pytest

from faultinject.testing.exploration.store_comparison import StoreComparison

ID = "0123456789abcdef0123"
FILM = b"one two three"


def said(before, after, *runs):
    """Return check, verdict and message of each finding.

    `runs` are the runs without a crash: each is what the store holds at its end, or a pair, after the program has run
    once and after it has run again.
    """
    keeper = StoreComparison()
    for each in runs or [{"/b/film": FILM}, {"/b/film": FILM}]:
        keeper.learn(before, [each, each] if isinstance(each, dict) else each)
    return [(each.check, each.verdict, each.message) for each in keeper.findings(before, after)]


@pytest.mark.parametrize(
    ("content", "check", "message"),
    [
        (None, "object lost", "/b/film is not there; without a crash it has 13 bytes"),
        (b"one", "half written", "/b/film has 3 bytes; without a crash it has 13 bytes"),
        (b"", "half written", "/b/film has 0 bytes; without a crash it has 13 bytes"),
        (b"o", "half written", "/b/film has 1 byte; without a crash it has 13 bytes"),
        (FILM + FILM, "written twice", "/b/film has 26 bytes; without a crash it has 13 bytes"),
        (b"one two two three", "written twice", "/b/film has 17 bytes; without a crash it has 13 bytes"),
        (b"one one two three", "written twice", "/b/film has 17 bytes; without a crash it has 13 bytes"),
        (b"one two four three", "other content", "/b/film has 18 bytes; without a crash it has 13 bytes"),
        (b"four one two three", "other content", "/b/film has 18 bytes; without a crash it has 13 bytes"),
        (b"one two four tree!", "other content", "/b/film has 18 bytes; without a crash it has 13 bytes"),
        (b"two three", "other content", "/b/film has 9 bytes; without a crash it has 13 bytes"),
        (
            b"one two tree!",
            "other content",
            "/b/film differs from what it is without a crash, from byte 9 on",
        ),
    ],
)
def test_an_object(content, check, message):
    """An object that should be there is lost, cut, doubled or changed."""
    after = {} if content is None else {"/b/film": content}
    assert said({}, after) == [(check, "FAIL", message)]


def test_a_key_that_holds_a_signature():
    """It is shown as the journal shows a path: the question mark of a presigned URL was encoded."""
    found = said({}, {"/b/film?X-Amz-Signature=S3CR3T": FILM})
    assert [check for check, *_ in found] == ["object lost", "left behind"]
    assert "S3CR3T" not in repr(found)


@pytest.mark.parametrize(
    ("content", "check", "message"),
    [
        (b"once ", None, None),
        (b"once once ", None, None),
        (b"oncice ", "other content", "/b/log has 7 bytes; without a crash it has 5 or 10 bytes"),
        (b"once on", "half written", "/b/log has 7 bytes; without a crash it has 5 or 10 bytes"),
        (b"once once once ", "written twice", "/b/log has 15 bytes; without a crash it has 5 or 10 bytes"),
        (
            b"once twice",
            "other content",
            "/b/log differs from what it is without a crash, from byte 5 on",
        ),
    ],
)
def test_what_a_second_run_changes(content, check, message):
    """It is as after the first or as after the second, and nothing between."""
    ends = {"/b/log": b"once "}, {"/b/log": b"once once "}
    assert said({}, {"/b/log": content}, ends, ends) == ([(check, "FAIL", message)] if check else [])


def test_what_a_second_run_changes_with_a_time_in_it():
    """The time varies, and may be longer; a third line is more than a second run adds."""
    runs = [({"/b/log": b"job %d;" % at}, {"/b/log": b"job %d;job %d;" % (at, at + 1)}) for at in (100, 110)]
    assert said({}, {"/b/log": b"job 120;"}, *runs) == []
    assert said({}, {"/b/log": b"job 120;job 121;"}, *runs) == []
    assert said({}, {"/b/log": b"job 99;"}, *runs) == []
    runs = [({"/b/log": b"the job %d;" % at}, {"/b/log": b"the job %d;" % at * 2}) for at in (100, 110)]
    third = {"/b/log": b"the job 120;the job 121;the job 122;"}
    assert [each[0] for each in said({}, third, *runs)] == ["other content"]


@pytest.mark.parametrize("name", ["20240101.csv", f"{ID}/cat", "part-000001"])
def test_a_fixed_name_that_looks_like_an_id(name):
    """Every run has it: its content is compared as that of any other."""
    path = f"/b/{name}"
    runs = {path: FILM}, {path: FILM}
    assert said({}, {path: FILM}, *runs) == []
    assert said({}, {path: b"one"}, *runs) == [
        ("half written", "FAIL", f"{path} has 3 bytes; without a crash it has 13 bytes")
    ]
    assert said({}, {}, *runs) == [
        ("object lost", "FAIL", f"{path} is not there; without a crash it has 13 bytes")
    ]
    assert said({path: FILM}, {path: FILM}, {}, {}) == [
        ("not removed", "FAIL", f"{path} is still there; without a crash it is removed")
    ]


def test_what_was_to_be_removed():
    """It was there before; what was not is left behind, and no failure."""
    assert said({"/b/from": b"x"}, {"/b/film": FILM, "/b/from": b"x"}) == [
        ("not removed", "FAIL", "/b/from is still there; without a crash it is removed")
    ]
    assert said({}, {"/b/film": FILM, "/b/lock": b"x"}) == [
        ("left behind", "WARN", "/b/lock (1 byte) is there, and not without a crash")
    ]


def test_what_is_another_in_each_run():
    """Its content cannot be judged; a size that never changes can."""
    ends = {"/b/film": b"run 1"}, {"/b/film": b"run 2"}
    assert said({}, {"/b/film": b"run 3"}, *ends) == []
    assert said({}, {"/b/film": b"run"}, *ends)[0][0] == "half written"
    assert said({}, {"/b/film": b"run 20"}, *ends, {"/b/film": b"run 10"}) == []
    # It is there in some runs only.
    assert said({}, {}, *ends, {}) == []


def test_names_that_are_others_in_each_run():
    """They are counted."""
    ends = {f"/b/{ID}": b"x", f"/b/{ID}1": b"y"}, {f"/b/{ID}2": b"x", f"/b/{ID}3": b"y"}
    assert said({}, {f"/b/{ID}4": b"x", f"/b/{ID}5": b"y"}, *ends) == []
    assert said({}, {f"/b/{ID}4": b"x"}, *ends) == [
        ("object lost", "FAIL", "there is 1 object /b/*, without a crash 2")
    ]
    more = {f"/b/{ID}{number}": b"" for number in range(3)}
    assert said({}, more, *ends, {f"/b/{ID}": b""}) == [
        ("left behind", "WARN", "there are 3 objects /b/*, without a crash 1 to 2")
    ]
    keeper = StoreComparison()
    for each in ends:
        keeper.learn({f"{path}9": content for path, content in each.items()}, [each])
    [found] = keeper.findings(more, more)
    assert (found.check, found.verdict) == ("not removed", "FAIL")
    assert found.message == "there are 3 objects /b/*, without a crash 2"


@pytest.mark.parametrize(
    ("contents", "found"),
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
def test_contents_of_objects_under_drawn_names(contents, found):
    """Whatever they are called, together they hold the same in each run."""

    def parts(*contents):
        return {f"/b/part-{uuid.uuid4()}.csv": each for each in contents}

    runs = parts(FILM, b"x"), parts(b"x", FILM)
    expected = [] if found is None else [(found[0], "FAIL", found[1])]
    assert said({}, parts(*contents), *runs) == expected
    # If their contents differ in each run, too, only their number is compared.
    assert said({}, parts(*contents), *runs, parts(b"y", FILM)) == []


def findings(after, before=(), ends=({"/b/film": FILM},) * 2, **more):
    comparison = StoreComparison("faults")
    for each in ends:
        comparison.learn(dict(before), [each])
    return [
        (each.check, each.verdict, each.message) for each in comparison.findings(dict(before), after, **more)
    ]


@pytest.mark.parametrize("refused", ["/b/lock", "/b/"])
def test_an_object_whose_removal_was_refused(refused):
    """It was to be removed, also where the run itself has made it; another one is left behind."""
    after = {"/b/film": FILM, "/b/lock": b"x"}
    removed = [("not removed", "FAIL", "/b/lock is still there; without faults it is removed")]
    left = [("left behind", "WARN", "/b/lock (1 byte) is there, and not without faults")]
    assert findings(after, refused=[refused]) == removed
    assert findings(after) == findings(after, refused=["/b/loc", "/c/"]) == left
    drawn = {"/b/film": FILM, f"/b/lock-{ID}": b"x"}
    said = "there is 1 object /b/lock-*, without faults 0"
    assert findings(drawn, refused=["/b/", *drawn]) == [("not removed", "FAIL", said)]


COMMIT = b'{"rows": 7, "file": "%s"}\n'


@pytest.mark.parametrize(
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
    [(check, verdict, message)] = findings(usual | more, ends=[usual, usual], lost=True)
    assert (check, verdict) == ("left behind" if said is None else "perhaps written twice", "WARN")
    assert message.startswith(said or "/b/")
    assert findings(usual | more, ends=[usual, usual])[0][0] == "left behind"


def test_what_a_run_that_told_an_error_has_taken_away():
    """Objects from before that right runs leave, under their name or one of its pattern."""

    def gone(before, after, *ends):
        comparison = StoreComparison("faults")
        for each in ends:
            comparison.learn(before, [each])
        return [(each.check, each.verdict, each.message) for each in comparison.gone(before, after)]

    def said(path):
        return [("object lost", "WARN", f"it was there before the run, and is gone: {path}")]

    film, new = {"/b/film": b"old"}, {"/b/film": FILM}
    assert gone(film, {}, new, new) == said("/b/film")
    assert gone(film, film, new, new) == gone(film, new, new, new) == []
    assert gone({"/b/lock": b""}, {}, new, new) == []
    part, parts = {"/b/part-0.csv": b"old"}, [{f"/b/part-{ID}{number}.csv": b"new"} for number in (1, 2)]
    assert gone(part, {}, *parts) == said("/b/part-0.csv")
    assert gone(part, {f"/b/part-{ID}3.csv": b"new"}, *parts) == gone(part, part, *parts) == []


def test_directories_named_by_ids():
    """They are others in each run, too."""
    ends = {f"/b/data/9f/9f{ID}": b""}, {f"/b/data/0a/0a{ID}": b""}
    assert said({}, {f"/b/data/b7/b7{ID}": b""}, *ends) == []
    assert said({}, {f"/b/data/b7/b7{ID}": b"", f"/b/data/c7/c7{ID}": b""}, *ends) == [
        ("left behind", "WARN", "there are 2 objects /b/data/*/*, without a crash 1")
    ]


def learned(*runs):
    """The findings where these runs are right; each is what the store held at its end."""
    keeper = StoreComparison()
    for each in runs:
        keeper.learn({}, [each])
    return lambda after: [
        (each.check, each.verdict, each.message) for each in keeper.findings({}, dict.fromkeys(after, b"x"))
    ]


@pytest.mark.parametrize(
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
    findings = learned({f"/b/{one}": b"x"}, {f"/b/{other}": b"x"})
    assert findings([f"/b/{more}"]) == []
    assert findings([]) == [("object lost", "FAIL", f"there are 0 objects /b/{name}, without a crash 1")]
    assert findings([f"/b/{one}", f"/b/{more}"]) == [
        ("left behind", "WARN", f"there are 2 objects /b/{name}, without a crash 1")
    ]
    assert findings([f"/b/{more}", "/b/lock.lck"]) == [
        ("left behind", "WARN", "/b/lock.lck (1 byte) is there, and not without a crash")
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("x-1234",), ("x-8765",)),
        (("x-1234", "x-9fd3"), ("x-8765", "x-b7a0")),
    ],
)
def test_ids_that_happen_to_have_digits_alone(one, other):
    """The next one may have letters; a number may be longer."""
    findings = learned(*(dict.fromkeys([f"/b/{each}" for each in names], b"x") for names in (one, other)))
    more = ["/b/x-0bad", "/b/x-beef"][: len(one)]
    assert findings(more) == []
    assert findings([*more[1:], "/b/x-10000"]) == []


def test_numbers_of_several_lengths():
    """Numbers of several lengths are counted up; a word is not one of them."""
    findings = learned({"/b/job-99": b"x"}, {"/b/job-100": b"x"})
    assert findings(["/b/job-101", "/b/job-lock"]) == [
        ("left behind", "WARN", "/b/job-lock (1 byte) is there, and not without a crash")
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_several_names_that_are_others(order):
    """Several differing names are of one kind; a name of one run alone may be there or not.

    It is like none of the other run.
    """
    runs = [
        dict.fromkeys(("/b/data-31a333ef", "/b/data-aabbccdd", "/b/cache"), b"x"),
        dict.fromkeys(("/b/data-c283be0f", "/b/data-00112233"), b"x"),
    ]
    findings = learned(*runs[::order])
    assert findings(["/b/data-0f0f0f0f", "/b/data-1e1e1e1e"]) == []
    assert findings(["/b/data-0f0f0f0f", "/b/data-1e1e1e1e", "/b/cache"]) == []
    assert findings(["/b/data-0f0f0f0f"]) == [
        ("object lost", "FAIL", "there is 1 object /b/data-*, without a crash 2")
    ]


def test_names_that_both_runs_have():
    """They are no others, whatever is beside them."""
    findings = learned({"/b/lock": b"x", "/b/a1b2": b"x"}, {"/b/lock": b"x", "/b/c3d4": b"x"})
    assert findings(["/b/lock", "/b/e5f6"]) == []
    assert findings(["/b/e5f6"]) == [
        ("object lost", "FAIL", "/b/lock is not there; without a crash it has 1 byte")
    ]


TIMES = b'{"at": 1795449479.1234567, "ok": true}', b'{"at": 1795449479.2345678, "ok": true}'


@pytest.mark.parametrize(
    ("content", "check"),
    [
        (b'{"at": 1795449499.123456, "ok": true}', None),
        (b'{"at": 1795449501.5, "ok": true}', None),
        (b'{"at": 1795449499.12', "other content"),
        (TIMES[0] + b'{"at": 1795449479.2345678, "ok": true}', "other content"),
        (TIMES[0] * 2, "written twice"),
        (TIMES[0][:20], "half written"),
        (b"", "half written"),
    ],
)
def test_a_number_that_is_longer_or_shorter_in_some_runs(content, check):
    """It is no damage that the fraction of a time ends with a zero; half of the content is."""
    ends = {"/b/film": TIMES[0]}, {"/b/film": TIMES[1]}
    assert [each[0] for each in said({}, {"/b/film": content}, *ends)] == ([check] if check else [])


@pytest.mark.parametrize(
    ("content", "check"),
    [
        (b'{"run": "b2b2", "at": 1795449499.12345, "retries": 1}', None),
        (b'{"run": "a1", "at": 1795449499.123456, "retries": 1}', None),
        (b'{"run": "a1a1", "at": 1795449499.1234, "retries": 12}', None),
        (b'{"run": "a1a1", "at": 1795449499.1234, "retries": ', "other content"),
        (b'{"run"', "half written"),
    ],
)
def test_several_numbers_of_which_only_some_differ_without_a_fault(content, check):
    """A report's time and id may vary in length; a report that breaks off is damage."""
    ends = [
        {"/b/report": b'{"run": "%s", "at": %d.123456, "retries": 0}' % (run, at)}
        for run, at in ((b"a1a1", 1795449479), (b"c3c3", 1795449489))
    ]
    assert [each[0] for each in said({}, {"/b/report": content}, *ends)] == ([check] if check else [])


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


@pytest.mark.parametrize("make", [zipped, tarred, pickled, measured, reported])
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
        comparison = StoreComparison("faults")
        for each in pair:
            comparison.learn({}, [{"/b/k": each}])
        assert not [each for each in some if comparison.findings({}, {"/b/k": each})]
