"""The order of runs, requests left out, the stop of an exploration, and incomplete proofs."""

import contextlib
import itertools
import re
import traceback
from xml.etree import ElementTree

import pytest

import faultinject
from faultinject import inject
from faultinject.cli.explore import FORMATS
from faultinject.exceptions import ExplorationFailedError
from faultinject.testing.exploration.causes import RunAway, RunResult
from faultinject.testing.exploration.choices import choices_of
from faultinject.testing.exploration.sweep import Sweep
from tests.rows import each_row

from .service import call, exploring, left_out, passing, scenarios, send, texts

UPLOAD = [
    "POST /b/k?uploads",
    "PUT /b/k?partNumber=1&uploadId=x",
    "PUT /b/k?partNumber=2&uploadId=x",
    "PUT /b/k?partNumber=3&uploadId=x",
    "POST /b/k?uploadId=x",
]


def upload():
    for each in UPLOAD:
        assert call(*each.split(" ", 1))


def part(number):
    return f"method=PUT,path=/b/k,query.partNumber={number},query.uploadId=,times=1"


HALF = "method=PUT,path=/b/a,"
REST = "method=PUT,path=/b/b,"
BEGIN, END = "method=POST,path=/b/k,query.uploads=,times=1", "method=POST,path=/b/k,query.uploadId=,times=1"
ONE = "http:500,method=PUT,path=/b/k"
SAME = ("http:500", "http:500,method=PUT", "http:500,name=mine,path=b/")


@each_row(
    ("requests", "faults", "keys", "expected"),
    [
        # First each operation's first request with every fault, then its last, then those between.
        (UPLOAD, ("reset", "http:500"), {}, [
            *(f"{fault},{place}" for fault in ("reset", "http:500") for place in (BEGIN, part(1), END)),
            *(f"{fault},{part(number)}" for number in (3, 2) for fault in ("reset", "http:500")),
        ]),
        # A read may have an effect, so its answer is lost as well as the request.
        *(
            ([f"{method} /b/k"], ("reset", "reset,when=after"), {}, [f"reset,method={method},path=/b/k,times=1{when}" for when in (",when=after", "")])
            for method in ("GET", "HEAD")
        ),
        # A second fault hits requests that follow the first; an equal one folds into one rule.
        (["PUT /b/a", "PUT /b/b"], ("reset", "http:500"), {"depth": 2}, [
            *(f"{fault},{place}times=1" for place in (HALF, REST) for fault in ("reset", "http:500")),
            *(
                each
                for place in (HALF, REST)
                for each in (
                    f"reset,{place}times=2",
                    f"reset,{place}times=1; http:500,{place}skip=1,times=1",
                    f"http:500,{place}times=1; reset,{place}skip=1,times=1",
                    f"http:500,{place}times=2",
                )
            ),
        ]),
        # Faults that make the same rule are one run, neither missed nor pruned.
        (["PUT /b/k"], SAME, {}, [f"{ONE},times=1"]),
        (["PUT /b/k"], SAME, {"depth": 2}, [f"{ONE},times=1", f"{ONE},times=2"]),
    ],
)  # fmt: skip
def test_order(requests, faults, keys, expected):
    """The scenarios of requests that are retried, in the order of their runs."""
    assert scenarios(requests, *faults, **keys) == expected


def test_what_finds_most_comes_first():
    """Lost answers, cut reads and outages come first in any given order, and as second faults."""
    given = ("http:500", "http:503,from=1", "truncate,method=GET", "reset,when=after")
    assert [text.partition(",")[0] for text in scenarios(["GET /b/k"], *given)] == [
        "reset",
        "truncate",
        "http:503",
        "http:500",
    ]
    exploration = passing(
        lambda: [call("GET", "/b/k"), call("GET", "/b/l")], "http:500", "reset,when=after", depth=2
    )
    second = [text for text in texts(exploration) if "; " in text or "times=2" in text]
    lost = [text.count("when=after") * (1 + ("times=2" in text)) for text in second]
    assert (lost, {*lost}) == (sorted(lost, reverse=True), {0, 1, 2})


def test_codes_that_no_client_sees():
    """A 4xx on HEAD is left out, as it shows no code; 408, 429 and 5xx speak for themselves.

    That is reported.
    """
    faults = ["cos:RequestTimeout", "cos:SlowDown", "cos:RequestTimeout,status=408", "http:400"]
    requests = ["HEAD /b/k", "PUT /b/k", "HEAD /b/l"]
    exploration = passing(lambda: [call(*each.split()) for each in requests], *faults)
    assert [each for each in texts(exploration) if "HEAD,path=/b/k" in each] == [
        "cos:SlowDown,method=HEAD,path=/b/k,times=1",
        "cos:RequestTimeout,method=HEAD,path=/b/k,times=1,status=408",
        "http:400,method=HEAD,path=/b/k,times=1",
    ]
    assert left_out(exploration) == [
        "left out: cos:RequestTimeout on HEAD (its answer has no body that says which error it "
        "is; exhaustive=True brings"
        " it back)"
    ]
    assert ", 2 pruned, 1 left out" in exploration.report()
    every = passing(lambda: [call(*each.split()) for each in requests], *faults, exhaustive=True)
    assert (len(every.runs), left_out(every)) == (len(exploration.runs) + 2, [])
    assert "pruned" not in every.report()


def test_too_many_runs():
    """More than `max_runs` at depth 1 fails before the first run with a fault, with advice."""
    exploration, error = exploring(upload, "reset", "http:500", max_runs=9)
    assert exploration.runs == []
    assert str(error) == (
        "10 runs are needed, and max_runs is 9: 5 requests, 3 of them UploadPart, and 2 faults. Let the code make fewer"
        " requests, say where ('reset,operation=UploadPart'), give fewer faults, or raise max_runs"
    )
    assert len(passing(upload, "reset", "http:500", max_runs=10).runs) == 10


def puts_once():
    assert send("PUT", "/b/k") == 200


def test_a_failed_scenario_is_not_extended():
    """A failed scenario is not extended, so a reported one is minimal."""

    exploration, error = exploring(puts_once, "reset", depth=2)
    assert texts(exploration) == ["reset,method=PUT,path=/b/k,times=1"]
    assert error is not None


NUMBERS = itertools.count()


def puts_and_clears_up():
    if send("PUT", "/b/k") != 200:
        assert call("DELETE", "/b/0123456789abcdef")
    call("PUT", "/b/next")


def takes_new_names_each_time():
    targets = f"PUT /b/{next(NUMBERS):06}", f"GET /b/tmp{next(NUMBERS)}", "PUT /b/123456"
    assert all(call(*each.split()) for each in targets)


def posts_if_it_cannot_put():
    if send("PUT", "/b/k") != 200:
        send("POST", "/b/late")


@each_row(
    ("code", "faults", "expected"),
    [
        # Requests that only a fault causes, such as a clean-up, are points of the second fault.
        (puts_and_clears_up, ["reset,method=PUT", "http:500,method=DELETE"], [
            "reset,method=PUT,path=/b/k,times=1",
            "reset,method=PUT,path=/b/next,times=1",
            "reset,method=PUT,path=/b/k,times=1; http:500,method=DELETE,path=/b/*,times=1",
            "reset,method=PUT,path=/b/next,times=2",
        ]),
        # The second fault is placed by conditions that hold in the next run too.
        (takes_new_names_each_time, ["reset"], [
            "reset,method=PUT,path=/b/*,times=1",
            "reset,operation=GetObject,times=1",
            "reset,method=PUT,path=/b/123456,times=1",
            "reset,method=PUT,path=/b/*,times=2",
            "reset,operation=GetObject,times=2",
            "reset,method=PUT,path=/b/123456,times=2",
        ]),
        # The same second scenario comes once, also where the request comes only because of another fault.
        (posts_if_it_cannot_put, ["http:500,method=PUT", "http:503,path=b/late", "http:503,method=POST"], [
            "http:500,method=PUT,path=/b/k,times=1",
            "http:500,method=PUT,path=/b/k,times=1; http:503,method=POST,path=/b/late,times=1",
        ]),
    ],
)  # fmt: skip
def test_depth_2(code, faults, expected):
    """Each scenario reaches its requests."""
    exploration = passing(code, *faults, depth=2)
    assert [(each.text, each.reached) for each in exploration.runs] == [(each, True) for each in expected]


def swept(**keys):
    """The scenarios of a sweep of its own, by which each run of the upload gets its fault."""
    sweep = Sweep(choices_of(["reset", "http:500"]), **keys)
    found = []
    while (scenario := sweep.next()) is not None:
        with inject(scenario if scenario.rules else "reset,path=nowhere") as faults:
            upload()
        finished = sweep.record(RunResult(["rule-1"] * len(scenario.rules), faults.outcomes, None, 0.0))
        found += [finished.text] if scenario.rules else []
    return found


def test_shares_cover_everything_once():
    """Three shares together make every run, and each of them once."""
    shares = [swept(share=(number, 3)) for number in range(3)]
    assert [len(each) for each in shares] == [4, 3, 3]
    assert sorted(itertools.chain(*shares)) == sorted(swept())


def test_a_scenario_for_the_first_runs():
    """Scenarios that failed last time come first."""
    last = f"http:500,{part(2)}"
    order = swept(first=[last, "gone,by=now"])
    assert (order[0], len(order), len(set(order))) == (last, 10, 10)


def test_not_reached():
    """A fault that reaches no request is reported after three attempts, with the nearest.

    JUnit skips it.
    """
    runs = itertools.count(1)

    def code():
        if next(runs) < 3:
            call("PUT", "/b/k")
        call("PUT", "/b/other")

    exploration = passing(code, "reset")
    assert next(runs) == 2 + 3 + 1 + 1
    first, *rest = exploration.report().splitlines()
    assert rest == ["", "not reached: reset,method=PUT,path=/b/k,times=1 (nearest: PUT /b/other)"]
    assert first.endswith(", 1 not reached")
    cases = ElementTree.fromstring(FORMATS[".xml"](exploration)).iter("testcase")
    assert [[each.tag for each in case] for case in cases] == [["skipped"], ["system-out"]]


@each_row(("second", "reached"), [(True, True), (False, False)])
def test_one_of_three_tries_is_enough(second, reached):
    """A run in which the request does not come is retried; without any request that is said."""
    runs = itertools.count(1)

    def code():
        number = next(runs)
        if number < 3 or (second and number > 3):
            call("PUT", "/b/k")

    exploration, error = exploring(code, "reset")
    assert [each.reached for each in exploration.runs] == [reached]
    said = "not reached: reset,method=PUT,path=/b/k,times=1 (no request was seen)"
    assert (said in str(error)) is (not reached)  # the only fault was injected in no run


def puts():
    call("PUT", "/b/k?X-Amz-Signature=abc")


@each_row(
    ("code", "faults", "keys", "runs", "said"),
    [
        # Requests without a storage operation are narrowed by their method.
        (
            lambda: [call("POST", f"/b/{each}?mine") for each in "abc"], ["reset"], {"max_runs": 1}, 0,
            r"3 requests, 3 of them POST, and 1 fault\. .*\('reset,method=POST'\)",
        ),
        # Code of which no middleware sees a request cannot be explored.
        (lambda: None, ["reset"], {}, 0, "^no middleware saw a request, so there is nothing to explore. Flask, Django, Starlette and FastAPI"),
        # Each rule of the user must be injected once: a wrong one is an error beside a right one.
        *(
            (puts, ["reset,path=b/", wrong], {}, 1, rf"\nincomplete: {re.escape(wrong)} was injected in no run \(nearest: PUT /b/k\)$")
            for wrong in ("reset,path=nowhere/", "reset,query.X-Amz-Signature=abc", "cos:SlowDown,key=z")
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_explored(code, faults, keys, runs, said):
    """It is an error, with the advice."""
    exploration, error = exploring(code, *faults, **keys)
    assert (len(exploration.runs), bool(re.search(said, str(error)))) == (runs, True), error


@each_row(
    ("raised", "allow", "gave_up"),
    [
        (KeyError(), KeyError, [True, False]),
        (KeyError(), (KeyError, AssertionError), [True, True]),
        # A group of exceptions may be given up with when each of them may.
        (
            ExceptionGroup("both", [KeyError(), ExceptionGroup("inner", [KeyError()])]),
            KeyError,
            [True, False],
        ),
        (
            ExceptionGroup("both", [KeyError(), ExceptionGroup("inner", [ValueError()])]),
            KeyError,
            [False, False],
        ),
    ],
)
def test_giving_up(raised, allow, gave_up):
    """Exceptions that the code may give up with are counted, not reported; others still are."""

    def code():
        if send("PUT", "/b/k") != 200:
            raise raised
        assert send("PUT", "/b/other") == 200, "other"

    exploration, _ = exploring(code, "reset", allow=allow)
    assert [(each.failed, each.gave_up) for each in exploration.runs] == [
        (not each, each) for each in gave_up
    ]
    said = f", {gave_up.count(False)} failed, {gave_up.count(True)} gave up cleanly"
    assert (said in exploration.report()) is any(gave_up)


@each_row(
    ("handled", "allow", "ended", "said"),
    [
        # The code may report the fault by what it returns, and a test of the usual result then fails.
        ("nowhere", (), (False, False), "\nnot judged: failed assertions (AssertionError: 503; with `allow=` it is judged: then only the errors named there may end a run)"),
        ("nowhere", AssertionError, (False, True), ", 0 failed, 1 gave up cleanly"),
        ("nowhere", OSError, (True, False), "\nAssertionError: 503\n"),
        # What is asserted of code that has given up must hold.
        ("finally", (), (True, False), "\nAssertionError: 503\n"),
        ("except", (), (True, False), "\nAssertionError: 503\n"),
        # A test may turn the error into its own.
        ("from", (), (False, False), "\nnot judged: failed assertions (AssertionError: 503; "),
    ],
)  # fmt: skip
def test_an_assertion_while_a_fault_stays(handled, allow, ended, said):
    """Whether the run has failed, and whether the code has given up cleanly."""

    def code():
        status = send("PUT", "/b/k")
        try:
            if handled != "nowhere" and status != 200:
                raise OSError(status)
        except OSError as error:
            if handled == "except":
                assert status == 200, status
            if handled == "from":
                raise AssertionError(status) from error
            raise
        finally:
            if handled in ("finally", "nowhere"):
                assert status == 200, status

    exploration, _ = exploring(code, "http:503,from=1", allow=allow)
    assert [(each.failed, each.gave_up) for each in exploration.runs] == [ended]
    assert said in exploration.report()


def test_without_faults_it_fails():
    """A run that fails without faults fails as it would outside: nothing is explored."""
    with pytest.raises(ZeroDivisionError):
        exploring(lambda: 1 / 0, "reset")


def test_runs_that_are_not_independent():
    """The second run without faults fails: what runs share is to be reset."""
    runs = itertools.count()

    def code():
        call("PUT", "/b/k")
        assert next(runs) == 0, "is there already"

    exploration, error = exploring(code, "reset")
    assert str(error) == (
        "the second run without faults fails (AssertionError: is there already), also when it is "
        "repeated, but the first passed:"
        " the runs are not independent; reset what they share"
    )
    assert (type(error.__cause__), exploration.runs) == (AssertionError, [])


def test_a_run_without_faults_that_fails_once():
    """It is repeated, and the report says so."""
    runs = itertools.count(1)

    def code():
        call("PUT", "/b/k")
        assert next(runs) != 2

    exploration = passing(code, "reset")
    assert (next(runs), len(exploration.runs)) == (5, 1)
    said = "not judged: a run without faults (it failed, and passed when it was repeated)"
    assert said in exploration.report().splitlines()


def test_more_requests_than_are_kept(monkeypatch):
    """The journal keeps so many; the first of more are gone from it, and no run would try them."""
    monkeypatch.setattr("faultinject.testing.exploration.sweep.RING_SIZE", 3)
    _, error = exploring(lambda: [call("PUT", "/b/k") for _ in range(3)], "reset")
    assert str(error) == "a run makes 3 requests or more: let the code make fewer of them"


def test_a_client_that_stops_at_410():
    """One that never stops is ended by an answer that nobody retries."""
    seen = []

    def code():
        while (status := send("PUT", "/b/k")) != 200:
            seen.append(status)
            assert status != 410, "gone"

    exploration, error = exploring(code, "http:503,times=1000")
    assert (seen, len(exploration.runs)) == ([503] * 60 + [503, 410], 1)
    assert "RunAway: more than 60 requests in one run" in str(error)
    assert "AssertionError: gone" in "".join(traceback.format_exception(error))
    assert "1 PutObject  503 PUT /b/k  <- http:503  and 60 times more, to 61\n" in str(error)


def takes_410_for_success():
    while (status := send("PUT", "/b/k")) >= 500:
        pass
    return status


def refuses_410():
    assert takes_410_for_success() == 200


def takes_new_names():
    attempts = (send("PUT", f"/b/k{number}") for number in itertools.count())
    assert next(status for status in attempts if status < 500) == 200


def fails_at_410():
    if takes_410_for_success() != 200:
        pytest.fail("gone")


def retries():
    while send("PUT", "/b/k") != 200:
        pass


def tries_whatever_comes():
    while True:
        with contextlib.suppress(Exception):
            return retries()


def groups():
    try:
        retries()
    except RunAway as error:
        raise BaseExceptionGroup("tasks", [error]) from None


def polls_beside_a_job():
    late = send("PUT", "/b/k") != 200
    assert not late or send("PUT", "/b/k") == 200
    polls = [send("GET", "/b/progress") for _ in range(100 if late else 1)]
    assert polls[-1] == (410 if late else 200)


def tries_sixty_times():
    assert 200 in (send("PUT", "/b/k") for _ in range(60))


TOO_MANY = "RunAway: more than {} requests in one run"
LONG = "http:503,times=1000"
NO_ERROR = str(None)


@each_row(
    ("code", "rule", "allow", "said", "ended"),
    [
        # Who retries for ever fails, however it ends when the failure is gone: by an answer that nobody retries.
        *(
            (code, rule, allow, TOO_MANY.format(60), (True, False))
            for code, rule, allow in (
                (refuses_410, "http:503,from=1", ()),
                (refuses_410, LONG, AssertionError),
                (refuses_410, LONG, BaseException),
                (fails_at_410, LONG, pytest.fail.Exception),
                (takes_new_names, "http:503,from=1", ()),
                (takes_410_for_success, LONG, ()),
            )
        ),
        # Who never stops is ended for good by something that is no Exception, also where a task group wraps it.
        (tries_whatever_comes, LONG, Exception, TOO_MANY.format(120), (True, False)),
        (groups, LONG, Exception, "BaseExceptionGroup: tasks", (True, False)),
        # A poll beside a job may exceed the limit and get the final answer; the job ends well.
        (polls_beside_a_job, "http:503,method=PUT", (), NO_ERROR, (False, False)),
        # As many requests as a run may have are none too many.
        (tries_sixty_times, LONG, AssertionError, NO_ERROR, (False, True)),
    ],
)  # fmt: skip
def test_who_has_no_end(code, rule, allow, said, ended):
    """Whether the run with a fault has failed, and whether the client has given up."""
    exploration, error = exploring(code, rule, allow=allow)
    assert [(each.failed, each.gave_up) for each in exploration.runs] == [ended]
    assert (said in str(error), error is None) == (True, said is NO_ERROR)


def test_faults_beside(monkeypatch):
    """A rule beside the explored ones, with any name, does not count as reached."""
    with faultinject.inject("http:500,path=b/beside,name=rule-1") as faults:
        for run in faults.explore("reset,path=b/k", "reset,path=b/other", depth=2):
            with run as inner:
                send("PUT", "/b/beside")
                assert call("PUT", "/b/k")
                assert call("PUT", "/b/other")
            assert [each.rule for each in inner.outcomes if each.fault == "http:500"] == ["rule-1"]
            assert len(run.requests) in (3, 4, 5)
    assert (faults.matched_while_exploring, faults.unfinished) == ({0}, False)


def test_explorationfailed_is_both():
    """ExplorationFailedError is an AssertionError for frameworks, and an error of this package."""
    assert {AssertionError, faultinject.FaultInjectError} <= {*ExplorationFailedError.__mro__}
