"""The judgement of a journal: its clients, the counted and the left out calls, its result."""

import json
import re
from dataclasses import replace
from itertools import accumulate

import pytest

from faultinject.audit.checks import CHECKS, promises
from faultinject.audit.documents import reference
from faultinject.audit.judging import judge, judge_run
from faultinject.audit.profiles import get
from faultinject.audit.reports import render
from faultinject.exceptions import ConfigurationError
from faultinject.journal.call_window import CallWindow
from faultinject.journal.driven_run import DrivenRun
from tests.journals import (
    DELAYED,
    DENIED,
    FINE,
    HIDDEN,
    INTERNAL,
    LATER,
    LOST,
    PID,
    RESET,
    SLOW_DOWN,
    UNSEEN,
    Made,
    attempts,
    call,
    calls,
    fault,
    judged,
    layered,
    line,
    parsed,
    successes,
    text,
)  # fmt: skip
from tests.rows import each_row

from .rows import FAIL, INCONCLUSIVE, PASS, WARN

PROMISES = {name for name, check in CHECKS.items() if check in vars(promises).values()}
QUIET = {"answers", "lost answer", "mixed versions"}
OPEN = len({*CHECKS} - PROMISES - QUIET) - 2
"""The checks without a verdict where two have one."""
BOTO3 = "Boto3/1.44.5 md/Botocore#1.44.5 m/{} cfg/retry-mode#standard Botocore/1.44.5"


def look(*groups, **how):
    """The judgement on these calls and no others."""
    return judged(*groups, **{"fast": None, **how})


def by_name(found):
    """Verdicts by the name of the finding."""
    return {each.name: each.verdict for each in found.findings}


def test_the_checks():
    """Each has its demand and its documents; the documentation has their names and their order."""
    for name, check in CHECKS.items():
        assert check.minimum
        assert re.fullmatch(".+", reference(check.documents))
        assert (check.demand[-1], repr(check)) == (".", f"<Check {name}>")


def test_every_check_is_in_the_report_the_worst_first():
    """Those of a profile where it promises something; and of lost writes where there is one."""
    found = look(calls(5, 1.0, 2.0), calls(3, 0.1, kind=DENIED, at=9))
    order = [[FAIL, WARN, INCONCLUSIVE, PASS].index(each.verdict) for each in found.findings]
    assert (order, found.conclusion.result) == (sorted(order), "fail")
    again = look(calls(5, 1.0, 2.0), profile="aws-2026")
    checks = [{each.check for each in judged.findings} for judged in (found, again)]
    assert checks == [{*CHECKS} - PROMISES - QUIET, {*CHECKS} - QUIET]


def test_what_was_seen_is_counted():
    """Calls, requests, seconds, what joined them, what was left out, lines that were skipped."""
    journal = (
        text(
            calls(4, 1.0, last=FINE, by=None),
            calls(10, kind=FINE, apart=0.1, by=None),
            [call(at=5.0, by=None)],
        )
        + "?\n"
    )
    skipped = {}
    found = judge(parsed(journal, skipped), skipped=skipped, until=7.0)
    assert (found.calls, found.attempts, found.signal) == (15, 19, {"fingerprint": 15})
    assert (found.failed_calls, found.left_out, found.skipped) == (0, {"open": 1}, {"not JSON": 1})
    times = (found.began, found.ended, found.seconds)
    assert times == (1_800_000_000.0, 1_800_000_005.0, pytest.approx(5.0))


def sent(*lines):
    """Requests of which nothing says whose call they are."""
    return [Made([each]) for each in lines]


def torn(at):
    """A download goes on with another version, is refused, and begins anew at this time."""
    get = {"method": "GET", "path": "/bucket/version", "request_bytes": 0, "precondition": "a"}
    cut = line(0.0, fault("truncate", 200, "truncated"), **get)
    refused = line(1.0, FINE | {"status": 412}, **get)
    return [Made([cut, refused, line(at, FINE, **get | {"precondition": None})])]


def corrected(**other):
    """A refused write, and another one that succeeds."""
    refused = line(0.0, FINE | {"status": 412}, precondition="a", body_complete=True)
    return sent(refused, line(2.0, FINE, precondition="b", **{"body_complete": True, **other}))


def expired(again, signed):
    """A read that a fault refused, and another one with a URL of that time."""
    read = {"method": "GET", "query": "X-Amz-Date=…&X-Amz-Signature=…"}
    return [Made([line(0.0, DENIED, **read), line(9.0, again, clock_offset=signed, **read)])]


FAILING, WELL = calls(6, 1.0), calls(6, 1.0, last=FINE, at=1.0)
COPIES = [line(0.0, DELAYED, took=1.0), line(0.3, INTERNAL)]
OLD, NEW = line(0.0, credential="old"), line(0.2, FINE, credential="new")
CROWD = [line(0.0005 * each, INTERNAL if each % 2 else FINE, took=1.0, method="GET") for each in range(700)]
LATER_READS = [
    Made(
        [
            line(at + after, kind, method="GET")
            for after, kind in ((0, INTERNAL), (0.3, INTERNAL), (0.9, FINE))
        ]
    )
    for at in range(100, 400, 10)
]
ONE_OF_FIFTY = [
    line(0.001 * each, INTERNAL if each else FINE, took=0.5, connection=each) for each in range(50)
]


@each_row(
    ("groups", "how", "failed"),
    [
        # Those whose last answer is a failure, or whose caller says so; not those that may go on.
        ([FAILING, WELL], {}, {"503 SlowDown": 6}),
        ([FAILING, WELL], {"until": 2.5}, {}),
        ([calls(1, 1.0, last=FINE, returned=False)], {}, {"503 SlowDown": 1}),
        (
            [[Made([line(9.0, FINE | {"status": 404}, path="/bucket/refused")])], [Made([line(20.0), line(21.0, FINE | {"status": 400})])]],
            {}, {"no fault": 1, "503 SlowDown": 1},
        ),
        # A word that nobody here knows, beside no fault, is of an answer of the app's own.
        ([calls(1, kind=FINE | {"status": 503, "did": "mirrored"}, by=None)], {}, {"no fault": 1}),
        ([torn(2.0)], {}, {}),
        ([torn(20.0)], {}, {"truncated": 1}),
        # The fault that ended a call is named: those before it were retried.
        ([[call(0.5, 0.5, kind=RESET, last=SLOW_DOWN)]], {}, {"503 SlowDown": 1}),
        ([[call(0.5, kind=RESET, last=FINE | {"status": 400})]], {}, {"reset": 1}),
        # The requests of a crowd are shared; the client's later requests are not.
        ([sent(*CROWD), LATER_READS], {}, {}),
        # A failed copy of a successful read, or a repeat with a new token, is not a failed call.
        ([sent(*COPIES)], {}, {}),
        ([[Made([OLD, NEW])]], {}, {}),
        # Where none of the copies succeeds, and where the last request fails.
        ([sent(*(each | INTERNAL for each in COPIES))], {}, {"500 InternalError": 2}),
        ([[Made([OLD, NEW | INTERNAL])]], {}, {"500 InternalError": 1}),
        # The client corrects a refused request; another writer, or another body, corrects nothing.
        ([corrected()], {}, {}),
        ([corrected(principal="other")], {}, {"no fault": 1}),
        ([corrected(request_digest="other")], {}, {"no fault": 1}),
        # A fault refused it, and the client asked with a URL that it had signed anew, or with the same one.
        ([expired(FINE, 0)], {}, {}),
        ([expired(DENIED, -9)], {}, {"403 AccessDenied": 1}),
        # What came again under another id of the SDK may have ended well: only the last of its ids is known to have failed.
        ([layered(3, 0.5, 0.7)], {}, {"503 SlowDown": 3}),
        ([layered(3, 0.5, 0.7, last=FINE)], {}, {}),
        # One success is the answer of two copies, not of fifty callers.
        ([sent(*ONE_OF_FIFTY)], {}, {"500 InternalError": 48}),
        # A call has not failed if its client read the lost write, and reported success.
        *(
            ([[Made([line(0.0, LOST), line(0.1, FINE, method="HEAD")], "write", returned)]], {}, failed)
            for returned, failed in ((True, {}), (False, {"reset": 1, "no fault": 1}), (None, {"reset": 1}))
        ),
    ],
)  # fmt: skip
def test_calls_that_failed_for_good(groups, how, failed):
    """They are counted, by the fault that ended each."""
    found = look(*groups, **how)
    assert (found.failed_after, found.failed_calls) == (failed, sum(failed.values()))


ORDER = {"method": "POST", "path": "/orders"}


def test_a_named_call_is_of_one_caller_whatever_a_crowd_does():
    """A test's label groups requests whose bodies are too many to be told apart."""
    crowd = [
        Made([line(0.1 * each + later, kind, connection=(each + moved) % 20, request_digest=f"{each}", request_bytes=9, **ORDER) for later, moved, kind in ((0, 0, INTERNAL), (0.01, 7, FINE))])
        for each in range(330)
    ]  # fmt: skip
    refused = calls(5, 0.3, kind=DENIED, last=DENIED, at=200, by=None, name="write", returned=False, **ORDER)
    assert by_name(look(crowd, refused))["permanent"] == FAIL


def test_a_finding_shows_each_call_once():
    """However often the client has done in one call what the finding is about."""
    left = calls(1, 0.1, 0.1, 0.1, 0.1, 0.1, kind=DELAYED, left=True)
    asked = calls(1, 0.1, 0.1, 0.1, 0.1, kind=SLOW_DOWN | {"hint": 3.0, "hint_form": "seconds"})
    for check, same in {"overlap": left, "retry-after": asked}.items():
        [found] = [each for each in look(same).findings if each.check == check]
        assert (found.n >= 3, len(found.calls)) == (True, 1)


def test_the_report_as_data():
    """One object of plain data, with examples of calls."""
    found = look(calls(3, 0.5, last=FINE, by=None), profile=None).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert list(found) == [
        "v", "result", "reason", "client", "calls", "attempts", "seconds", "signal", "left_out", "skipped", "not_given",
        "failed_after", "rules", "turnaround", "profile", "findings",
    ]  # fmt: skip
    assert found | {
        "v": 1, "client": "acme/1.0", "profile": "rfc", "result": "pass", "not_given": {},
        "rules": {"rule-1": {"faults": ["cos:SlowDown"], "given": 3, "refused": 0, "failed": 0}},
    } == found  # fmt: skip
    retries = next(each for each in found["findings"] if each["check"] == "retries")
    example, documents = retries.pop("calls")[0], retries["documents"]
    assert retries == {
        "check": "retries",
        "subject": "503 SlowDown",
        "verdict": "PASS",
        "n": 3,
        "message": "503 SlowDown: 3 of 3 calls retried",
        "action": "",
        "reference": reference(CHECKS["retries"].documents),
        "evidence": ["wire", "document"],
        "documents": documents,
    }
    answers = [each["answer"] for each in example["attempts"]]
    table = {"name": "the vendor's table of errors", "binds": "vendor", "vendor": "cos"}
    assert (documents[0], answers) == (table, ["503 SlowDown", "200"])


def test_a_check_can_be_left_out():
    """By its name, or with what it was about."""
    asked = [
        calls(3, 0.5, every=[{"hint": 3.0, "hint_form": form}], at=at)
        for at, form in enumerate(("date", "seconds"))
    ]
    assert by_name(look(*asked))["retry-after: date"] == FAIL
    names = {"retry-after: date", "retry-after: seconds", "jitter"}
    ignored = (["retry-after: date", "jitter"], {"retry-after"})
    said = [names & {*by_name(look(*asked, ignore=ignore))} for ignore in ignored]
    assert said == [{"retry-after: seconds"}, {"jitter"}]


@each_row(
    ("ignore", "require", "says"),
    [
        (["retries: 503", "same_byte"], [], "'same_byte' is not a check; did you mean 'same bytes'?"),
        (["retry-aftr: date"], [], "did you mean 'retry-after: date'?"),
        ([], ["permanant"], "'permanant' is not a check; did you mean 'permanent'?"),
        ([], ["zzz: date"], "'zzz: date' is not a check; there are answers, same bytes, "),
        (["all"], [], "'all' is not a check"),
        ([""], [], "'' is not a check; there are answers, same bytes, "),
        (["retry-after"], ["retry-after"], "'retry-after' is both ignored and required"),
        (["retry-after"], ["retry-after: date"], "'retry-after: date' is both ignored and required"),
    ],
)
def test_checks_that_are_none(ignore, require, says):
    """A slip would ask for nothing and look as if."""
    with pytest.raises(ConfigurationError) as error:
        judge([], ignore=ignore, require=require)
    assert says in str(error.value)


def test_checks_that_are_some():
    """A single name is no row of letters; one thing may be ignored of what is required."""
    for name in CHECKS:
        assert name not in {each.check for each in judge([], ignore=name).findings}
        assert judge([], require=name).conclusion.result == "undecided"
    judge([], ignore=["retry-after: date", "jitter"], require=["retry-after", "all", "retries: 503 SlowDown"])


def test_a_profile_is_a_name_a_file_or_found():
    """By user agent, where nothing is said; a request's features do not make another client."""
    seen = [calls(3, 0.5, user_agent=BOTO3.format(each), at=at) for at, each in enumerate(("a", "b,c"))]
    found = look(*seen, profile=None)
    profile = found.evidence.profile
    assert (profile.name, found.client, found.others) == ("aws-2026", "Boto3/1.44.5 (standard)", {})
    given = [look(*seen, profile=each).evidence.profile for each in ("sre", profile)]
    assert given == [get("sre"), profile]
    with pytest.raises(ConfigurationError, match="is not a profile"):
        look(*seen, profile="nobody")


@pytest.mark.parametrize("made", [[], calls(10, kind=FINE)], ids=["empty", "all is well"])
def test_a_journal_in_which_nothing_went_wrong(made):
    """All checks are undecided, and each has its advice."""
    found = look(made)
    assert (found.client, found.calls, found.conclusion.result) == ("acme/1.0" if made else "a client without a User-Agent", len(made), "undecided")  # fmt: skip
    assert {(each.verdict, each.n, each.message != "") for each in found.findings} == {
        (INCONCLUSIVE, 0, True)
    }


# Whose calls they are


def test_each_client_is_judged_by_itself():
    """A client that retries permanent failures does not spoil another one's verdicts."""
    good, bad = calls(5, 0.5, 1.1), calls(3, 0.5, kind=DENIED, user_agent="bad/2.0 (linux)", by=None)
    found = look(good, bad, calls(50, kind=FINE, user_agent="health/1.0"))
    assert (found.client, list(found.others), found.calls) == ("acme/1.0", ["bad/2.0"], 58)
    by_client = {(each.client, each.name): each.verdict for each in found.findings}
    assert by_client == by_client | {
        ("bad/2.0", "permanent"): WARN,
        ("acme/1.0", "permanent"): INCONCLUSIVE,
        ("acme/1.0", "retries: 503 SlowDown"): PASS,
    }
    assert ("bad/2.0", "retry-after") not in by_client
    first = found.findings[0]
    assert (first.to_dict()["client"], repr(first)[:31]) == ("bad/2.0", "<Finding permanent WARN: 3 of 3")


def test_clients_of_one_name_keep_all_of_it():
    """Two builds of the same version are told apart."""
    found = look(*(calls(3, 0.5, user_agent=f"acme/1.0 {each}") for each in ("a", "b")))
    assert {found.client, *found.others} == {"acme/1.0 a", "acme/1.0 b"}


def test_of_very_many_clients_those_with_the_most_calls_are_judged():
    """The others are counted."""
    about = [{"user_agent": f"acme/{each}", "connection": each, "at": 2.0 * each} for each in range(30)]
    found = look([call(0.5, last=FINE, **each) for each in about])
    left_out = {"further clients": 10}
    assert (found.client, len(found.others), found.calls, found.left_out) == ("acme/0", 19, 30, left_out)


def test_a_driver_that_breaks_its_contract():
    """It is a failure, whatever else is said of its client."""
    first = judge_run([], DrivenRun(7, [], 100.0, failure="3 of 9 calls never ended")).findings[0]
    assert (first.check, first.verdict, first.message) == ("answers", FAIL, "3 of 9 calls never ended")


def test_a_driven_run_is_judged_by_its_own_requests():
    """Requests of other processes, of earlier runs and without a key do not count."""
    own = calls(3, at=10.0)
    path = own[0].lines[0]["path"]
    others = [call(at=11.0, path=path, pid=8), call(at=1.0, path=path), call(at=12.0, path="/token")]
    run = DrivenRun(PID, [each.window("thr") for each in own], LATER)
    assert [(found.calls, found.attempts) for found in [judge_run(attempts(own, others), run)]] == [(3, 3)]


def test_a_call_without_a_request_is_told_once():
    """With the client that has the most calls: it is nobody's."""
    silent = [
        CallWindow("put", 9.0 + 7 * each, 9.1 + 7 * each, False, key=f"silent-{each}") for each in range(11)
    ]
    other = calls(2, kind=FINE, user_agent="other/1.0", name="get", returned=True)
    found = look(calls(3, kind=FINE, name="put", returned=True), calls(3, 0.5), other, calls(1, 0.5, user_agent="other/1.0"), windows=silent)  # fmt: skip
    assert [each.client for each in found.findings if each.check == "retry budget" and each.wrong] == ["acme/1.0"]  # fmt: skip


def test_a_driven_run_is_of_one_client_whatever_it_calls_itself():
    """And what its caller saw is known."""
    made = [
        call(kind=HIDDEN, at=each, by=None, user_agent=f"tool/{each}", name="okerr", returned=True)
        for each in range(3)
    ]
    found = look(made, driven=True)
    assert (found.others, found.signal, by_name(found)["error in 200"]) == ({}, {"told": 3}, FAIL)
    assert len(look(made).others) == 2


def test_a_call_that_never_ended_is_open():
    """A driver's deadline came first."""
    assert look([call(name="thr", ended=False)], driven=True).left_out == {"open": 1}


# What was done to them


def test_faults_that_could_not_be_given_are_counted():
    """Faults that were not given are counted by reason and by rule."""
    made = [
        line(0.0, SLOW_DOWN, path="/1"),
        line(1.0, fault("cos:SlowDown", 200, "refused"), path="/1"),
        line(2.0, fault("reset", 200, "failed"), path="/2", rule="other"),
        line(3.0, FINE | {"did": "failed"}, path="/3"),
        line(4.0, fault("truncate", 200, "nothing_to_cut"), path="/4"),
        line(5.0, FINE, path="/5"),
    ]
    found = look([Made([each]) for each in made])
    assert found.not_given == found.to_dict()["not_given"] == {"refused": 1, "failed": 2, "nothing_to_cut": 1}
    assert found.to_dict()["rules"] == {
        "rule-1": {"faults": ["cos:SlowDown", "truncate"], "given": 1, "refused": 1, "failed": 1},
        "other": {"faults": ["reset"], "given": 0, "refused": 0, "failed": 1},
    }


def test_the_calls_that_may_go_on_and_when_they_must_be_over():
    """A call is awaited for ten seconds, or twice the client's longest wait, after its answer."""
    made = [
        call(1.5, last=FINE, user_agent="waits/1", by=None),
        call(at=3.0, user_agent="waits/1", by=None),
        call(at=5.5, user_agent="waits/1", by=None),
        call(at=4.0, user_agent="unknown/1", by=None),
        call(kind=DELAYED | {"status": None}, at=5.0, took=None, by=None),
        *(call(at=at, path="/b/hot", connection=each, by=None) for each, at in enumerate((6.0, 6.0005))),
        call(at=7.0, path="/b/cut", user_agent="cos/1", attempt_hint={"retry": True}, by=None),
    ]
    assert sorted(look(made, until=8.0).awaited) == pytest.approx([5.501 + 3.0, 4.001 + 10.0, float("inf")])
    assert look(made[:1], until=8.0).awaited == []
    assert [look(calls(4), until=each).left_out for each in (0.2, float("inf"))] == [{"open": 4}, {}]


# How fast a client is


def run(gap=0.002, number=25, kind=FINE, at=0.0, **more):
    """Requests one after the other, each answered after a millisecond."""
    return [
        call(kind=kind, at=at + each * (gap + 0.001), by=None, **{"connection": 1, **more})
        for each in range(number)
    ]


def after(*gaps):
    """The same, with these gaps behind the answers."""
    begins = accumulate((0.001 + each for each in gaps), initial=0.0)
    return [call(kind=FINE, at=each, by=None, connection=1) for each in begins]


CALIBRATED = [call(kind=FINE, at=0.003 * each, name="cal", returned=True, by=None) for each in range(25)]


@each_row(
    ("groups", "how", "expected"),
    [
        # It goes from a success to the next request on its connection, with no other.
        *(
            ([made], {}, {"n": 0})
            for made in (
                run(gap=0.06), run(number=50, kind=SLOW_DOWN), run(number=50, kind=FINE | {"status": 404}), run(number=50, kind=DELAYED), run(number=50, kind=UNSEEN),
                run(number=50, took=None), [one for each in range(50) for one in run(number=1, connection=each)], run(number=50, took=0.01),
                [call(kind=FINE, at=-1, took=100, by=None, connection=1), *run()],
            )
        ),
        # It has a median and a 95th percentile from twenty on; without them half a second counts.
        ([after(*(0.001 * each for each in range(1, 21)))], {}, {"median": 0.0105, "p95": 0.019, "n": 20, "zero": 0.038, "noise": 0.038}),
        ([run(number=20)], {}, {"median": None, "p95": None, "n": 19, "zero": 0.02, "noise": 0.5}),
        # Long gaps belong to the machine's noise, not to the client's speed; pauses to neither.
        ([after(*[0.15, 0.01] * 20, 0.299)], {}, {"median": 0.01, "p95": 0.01, "n": 20, "zero": 0.02, "noise": 0.3}),
        # Gaps to another connection's next request limit only the noise of a client that opens one for each call.
        ([[one for each in range(25) for one in run(number=1, connection=each, at=0.003 * each)]], {}, {"n": 24, "p95": None, "noise": 0.02}),
        ([[one for each in range(4) for one in run(number=1, connection=max(each, 2), at=0.003 * each)]], {}, {"n": 2}),
        ([[one for each in range(25) for one in run(number=1, connection=each, at=0.003 * each, client=f"{each % 2}")]], {}, {"n": 0}),
        # A driven client is measured before the others begin, on any connection; what comes while everything runs at once would spoil it.
        ([CALIBRATED, [call(kind=FINE, at=1 + 0.03 * each, by=None) for each in range(25)]], {"driven": True}, {"median": 0.002, "n": 24}),
    ],
    ids=lambda row: str(row[1:]),
)  # fmt: skip
def test_the_turnaround(groups, how, expected):
    """The gaps of a client that does not wait say how fast it is, and how busy its machine is."""
    found = look(*groups, **how).to_dict()["turnaround"]
    assert {name: found[name] for name in expected} == pytest.approx(expected)


# What it comes to

ALL_FAIL = [calls(12, 1.0, 2.0, at=9), calls(3, 0.5, kind=DENIED, at=90)]
"""It has no jitter, and repeats what is refused."""
WARNED = [calls(3, kind=RESET), calls(3, 0.5, kind=INTERNAL, last=FINE, at=5.0)]
"""It gives up after lost connections."""
RIGHT = [calls(3, 0.5, last=FINE)]


@each_row(
    ("groups", "strict", "result", "code", "sentence"),
    [
        (RIGHT, False, "pass", 0, f"PASS: 2 checks passed, {OPEN} not decided"),
        (RIGHT, True, "pass", 0, f"PASS: 2 checks passed, {OPEN} not decided"),
        (WARNED, False, "warn", 0, "WARN: retries: reset: 0 of 3 calls retried, although such failures are transient"),
        (WARNED, True, "fail", 1, "FAIL: retries: reset: 0 of 3 calls retried, although such failures are transient; strict: a warning is a failure"),
        (ALL_FAIL, False, "fail", 1, "FAIL: permanent: 3 of 3 calls retried after 403 AccessDenied (and 1 more finding)"),
    ],
)  # fmt: skip
def test_what_was_decided(groups, strict, result, code, sentence):
    """The worst verdict is the result; a warning is one only where that was asked for."""
    found = replace(look(*groups), strict=strict).conclusion
    assert (found.result, found.exit_code, found.sentence) == (result, code, sentence)


FEW = calls(2, 0.5)


@each_row(
    ("groups", "how", "reason"),
    [
        ([], {}, "the journal has no requests. Run the client while faults and journal are on."),
        ([successes(3)], {}, "no call met a fault, and none retried. `faultinject check` shows what the rules match."),
        ([successes(3)], {"driven": True}, "no call met a fault, and none retried. Select more of the plan."),
        (
            [calls(9, kind=fault("reset", 200, "refused")), calls(1, kind=fault("reset", 200, "failed"), at=5)], {},
            "no call met a fault, and none retried; 10 faults could not be injected: 9 refused (more at the same time than FAULTINJECT_MAX_ACTIVE"
            " allows, or HTTP/2 without http2=yes), 1 failed (see the log, or the client disconnected first). `faultinject check` shows what the rules match.",
        ),
        ([FEW, successes(1)], {}, "2 calls met a fault or retried, not enough data for any check. Each check says what it needs."),
        ([calls(1, 0.5)], {}, "1 call met a fault or retried, not enough data for any check. Each check says what it needs."),
        ([calls(10)], {"until": 1.0}, "left out: 10 of 10 calls: 10 that may still have been running. Add --finished if the client is done."),
        ([calls(10, ended=False)], {"driven": True}, "left out: 10 of 10 calls: 10 that had not ended at the deadline. Raise the deadline."),
        ([calls(1), successes(1)], {"until": 1.0}, "left out: 1 of 2 calls: 1 that may still have been running. Add --finished if the client is done."),
        (
            [[Made([line(at, SLOW_DOWN, path="/b/hot", connection=each)]) for each, at in enumerate((0.0, 0.0005, 1.0, 1.1))], [Made([line(9, FINE, path="/b/c", user_agent="cos/1", attempt_hint={"retry": True})])], successes(1)], {},
            "left out: 3 of 4 calls: 2 that ran at the same time as another call for the same object, which mixes their attempts,"
            " 1 that began before the journal, or right after a similar call that failed, as a retry does. Use a different key for each concurrent call, or make the calls for one key one after the other. Start the journal before the client, and wrap each call in faults.call().",
        ),
        ([FEW], {"ignore": list(CHECKS)}, "every check is ignored. Ignore fewer."),
    ],
)  # fmt: skip
def test_why_nothing_could_be_judged(groups, how, reason):
    """The reason, and what to do about it; it is neither a success nor a failure."""
    found = look(*groups, **how).conclusion
    assert (found.result, found.exit_code, found.sentence) == (
        "undecided", 3, f"Nothing could be judged: {reason}",
    )  # fmt: skip


@each_row("driven", [True, False])
def test_a_client_whose_requests_do_not_arrive(driven):
    """The first line is the whole cause, and nothing that was never tried passes or warns."""
    cause = f"ENOTFOUND {'example' * 40}.invalid"
    never = [CallWindow("put", each, each + 0.1, False, cause) for each in range(30)]
    found = judge([], windows=never, driven=driven)
    sentence = f"Nothing could be judged: no request arrived: {cause}"
    assert (found.conclusion.exit_code, found.conclusion.sentence) == (3, sentence)
    assert {each.verdict for each in found.findings} == {INCONCLUSIVE}
    first, _, rest = render(found).partition("\n")
    assert (first, "breaker" in rest) == (sentence, False)


ASKED = [calls(3, 3.01, last=FINE, every=[{"hint": 3.0, "hint_form": "seconds"}]), calls(3, 0.3, at=9), calls(1, 0.5, last=FINE, every=[{"hint": 3.0, "hint_form": "date"}], at=20)]  # fmt: skip


@each_row(
    ("require", "missing"),
    [
        ([], []),
        (["gives up"], []),
        (["retry-after: seconds"], []),
        (["retry-after"], ["retry-after: date"]),
        (["retry-after: date", "gives up"], ["retry-after: date"]),
        (["retry-after: x-amz-retry-after"], ["retry-after: x-amz-retry-after"]),
        (["retry quota"], ["retry quota"]),
        (["retry budget"], ["retry budget"]),
    ],
)
def test_what_is_required(require, missing):
    """A check that is not decided, or says nothing of what is asked, is missing."""
    found = look(*ASKED, require=require).conclusion
    said = [
        name for name in missing if re.fullmatch(rf"Required but not decided: {name}: .*\.", found.sentence)
    ]
    assert (found.exit_code, found.result, said) == (*((3, "undecided") if missing else (0, "pass")), missing)


def test_all_that_is_required():
    """`all` leaves out a driver's checks; a failure comes before the undecided checks."""
    found = look(*ASKED, require=["all"]).conclusion
    spared = [each for each in CHECKS if each not in ("retry budget", "overlap", "retry quota")]
    open_ = {
        each.name for each in look(*ASKED).findings if each.verdict == INCONCLUSIVE and each.check in spared
    }
    assert re.fullmatch(rf"\w.*: .* \({len(open_) - 1} more checks too\)", found.reason)
    failed = look(*ALL_FAIL, require=["overlap"]).conclusion
    assert (failed.exit_code, failed.sentence) == (
        1,
        "FAIL: permanent: 3 of 3 calls retried after 403 AccessDenied (and 1 more finding);"
        " required but not decided: overlap",
    )


def test_what_two_checks_say_is_told_once():
    """Waits that repeat also come together: one of two failures."""
    assert re.fullmatch("jitter: no jitter: [^:]*", look(calls(20, 1.0, 2.0)).conclusion.reason)
    other = look(calls(20, 1.0, 2.0), calls(19, 0.5, user_agent="b/1", kind=RESET, at=200))
    assert re.fullmatch(r"jitter of acme/1.0: no jitter: .* \(and 1 more finding\)", other.conclusion.reason)


def test_a_lock_that_was_taken_and_refused_to_its_own_client_is_no_pass():
    """Five conditional writes whose answers were lost, and whose retries were refused."""
    found = look(calls(5, 0.1, kind=LOST, last=FINE | {"status": 412}, guarded=True))
    assert found.conclusion.sentence.startswith("WARN: lost answer: false conflict: 5 of 5 ")


def test_a_torn_journal_is_read_at_its_last_request():
    """Whatever is said: nobody knows what came then."""
    made = attempts(calls(4))
    assert judge(made, until=1_000.0, skipped={"torn": 1}).left_out == {"open": 4}
