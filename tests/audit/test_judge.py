"""From attempts to a judgement."""

import json

import pytest

from faultinject.audit import calls_by_client
from faultinject.audit.checks import CHECKS
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, VERDICTS, WARN
from faultinject.audit.judge import judge
from faultinject.audit.matching import UNNAMED
from faultinject.audit.profiles import get
from faultinject.exceptions import ConfigurationError
from faultinject.journal.call_window import CallWindow

from .made import DENIED, FINE, HIDDEN, INTERNAL, SLOW_DOWN, attempt, call, calls

NAMES = [
    "retries", "permanent", "gives up", "backoff", "jitter", "thundering herd", "backoff grows", "retry-after", "malformed retry-after", "same bytes",
    "non-idempotent retry", "error in 200", "retry budget", "nested retries", "overlap", "attempts", "backoff bound", "full jitter", "retry quota",
]  # fmt: skip
BOTO3 = "Boto3/1.44.5 md/Botocore#1.44.5 m/{} cfg/retry-mode#standard Botocore/1.44.5"


def attempts(*groups):
    """The attempts of calls, in order of arrival."""
    return sorted(
        (each for group in groups for one in group for each in one.attempts), key=lambda each: each.arrived
    )


def verdicts(judgement):
    """Verdicts by the name of the finding."""
    return {each.name: each.verdict for each in judgement.findings}


def test_the_checks_and_their_order():
    """The names are what scripts look for, and the order is that of the report."""
    assert list(CHECKS) == NAMES


@pytest.mark.parametrize("check", CHECKS.values(), ids=str)
def test_a_check_says_what_it_demands(check):
    """What it asks for in one sentence, who asks for it, what it needs to see."""
    assert check.demand.endswith(".")
    assert check.reference
    assert "\n" not in check.reference
    assert check.minimum
    assert repr(check) == f"<Check {check.name}>"


def test_every_check_is_in_the_report_the_worst_first():
    """Those of a profile where it promises something."""
    found = judge(attempts(calls(5, 1.0, 2.0), calls(3, 0.1, kind=DENIED, at=9)), until=100.0)
    assert {each.check for each in found.findings} == set(NAMES[:15])
    order = [VERDICTS.index(each.verdict) for each in found.findings]
    assert order == sorted(order)
    assert found.warned
    again = judge(attempts(calls(5, 1.0, 2.0)), until=100.0, profile="aws-2026")
    assert {each.check for each in again.findings} == set(NAMES)


def test_what_was_seen_is_counted():
    """Calls, requests, seconds, what joined them, what was left out, lines that were skipped."""
    found = judge(
        attempts(calls(4, 1.0, last=FINE), calls(10, kind=FINE, apart=0.1), [call(at=5.0)]),
        skipped={"not JSON": 2},
        until=7.0,
    )
    assert (found.calls, found.attempts, found.signal) == (15, 19, {"fingerprint": 15})
    assert (found.left_out, found.skipped) == ({"open": 1}, {"not JSON": 2})
    assert found.seconds == pytest.approx(5.0)
    assert (found.evidence.clean, len(found.evidence.calls), len(found.evidence.open)) == (10, 4, 1)


def test_what_something_was_done_to_or_went_wrong_is_evidence():
    """A slow answer and an error of the app's own; nothing else."""
    slow = call(kind={"fault": "latency", "status": 200, "did": "delayed"}, at=1.0)
    own = call(kind=FINE | {"status": 500}, at=2.0)
    found = judge(attempts([slow, own], calls(5, kind=FINE, at=4.0)), until=60.0)
    assert [each.first.arrived for each in found.evidence.calls] == [1.0, 2.0]
    assert found.evidence.clean == 5


def test_the_report_as_data():
    """One object of plain data, with examples of calls."""
    found = judge(attempts(calls(3, 0.5, last=FINE)), until=60.0).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert list(found) == [
        "v", "result", "reason", "client", "calls", "attempts", "seconds", "signal", "left_out", "skipped", "not_given",
        "rules", "turnaround", "profile", "findings",
    ]  # fmt: skip
    assert (found["v"], found["client"], found["profile"]) == (1, "acme/1.0", "rfc")
    assert (found["result"], found["not_given"]) == ("pass", {})
    assert found["turnaround"] == {
        "median": None,
        "p95": None,
        "n": 2,
        "busy": None,
        "zero": 0.02,
        "noise": 0.01,
    }
    retries = next(each for each in found["findings"] if each["check"] == "retries")
    example = retries.pop("calls")[0]
    assert retries == {
        "check": "retries",
        "subject": "503 SlowDown",
        "verdict": "PASS",
        "n": 3,
        "message": "503 SlowDown: 3 of 3 calls retried",
        "reference": CHECKS["retries"].reference,
    }
    assert [each["answer"] for each in example["attempts"]] == ["503 SlowDown", "200"]


def test_a_check_can_be_left_out():
    """By its name, or with what it was about."""
    asked = {"every": [{"hint": 3.0, "hint_form": "date"}]}
    other = {"every": [{"hint": 3.0, "hint_form": "seconds"}]}
    seen = attempts(calls(3, 0.5, **asked), calls(3, 0.5, **other))
    assert verdicts(judge(seen, until=60.0))["retry-after: date"] == WARN
    found = verdicts(judge(seen, until=60.0, ignore=["retry-after: date", "jitter"]))
    assert "retry-after: seconds" in found
    assert not {"retry-after: date", "jitter"} & set(found)
    assert "retry-after: seconds" not in verdicts(judge(seen, until=60.0, ignore={"retry-after"}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("retry-aftr", "did you mean 'retry-after'?"), ("zzz: ever", "there are retries, permanent, gives up")],
)
def test_a_check_that_is_not_there_cannot_be_left_out(name, expected):
    """A slip would hide nothing and look as if."""
    with pytest.raises(ConfigurationError, match=expected):
        judge([], ignore=[name])


def test_a_profile_is_a_name_a_file_or_found():
    """By user agent, where nothing is said; a request's features do not make another client."""
    seen = attempts(
        calls(3, 0.5, user_agent=BOTO3.format("a")), calls(3, 0.5, user_agent=BOTO3.format("b,c"))
    )
    found = judge(seen, until=60.0)
    assert (found.profile.name, found.client, found.others) == ("aws-2026", "Boto3/1.44.5 (standard)", {})
    assert found.evidence.detected
    assert judge(seen, profile="sre").profile.name == "sre"
    assert not judge(seen, profile="sre").evidence.detected
    assert judge(seen, profile=get("cos")).profile is get("cos")
    with pytest.raises(ConfigurationError, match="is not a profile"):
        judge(seen, profile="nobody")


def test_an_empty_journal_has_a_judgement():
    """Nothing is decided, and everything says what would decide it."""
    found = judge([])
    assert (found.client, found.calls, found.seconds, found.failed, found.warned) == (
        UNNAMED,
        0,
        0.0,
        False,
        False,
    )
    assert {each.verdict for each in found.findings} == {INCONCLUSIVE}
    assert all(each.message and not each.n for each in found.findings)


def test_a_journal_in_which_nothing_went_wrong():
    """It has a client, and nothing to say of it."""
    found = judge(attempts(calls(10, kind=FINE)))
    assert (found.client, found.calls, found.evidence.clean) == ("acme/1.0", 10, 10)
    assert {each.verdict for each in found.findings} == {INCONCLUSIVE}


def test_each_client_is_judged_by_itself():
    """One that repeats what is forbidden does not spoil the other; findings say whose they are."""
    good, bad = calls(5, 0.5, 1.1), calls(3, 0.5, kind=DENIED, user_agent="bad/2.0 (linux)")
    found = judge(attempts(good, bad), until=60.0)
    assert (found.client, list(found.others)) == ("acme/1.0", ["bad/2.0"])
    by_client = {(each.client, each.name): each.verdict for each in found.findings}
    assert by_client["bad/2.0", "permanent"] == WARN
    assert by_client["acme/1.0", "permanent"] == INCONCLUSIVE
    assert by_client["acme/1.0", "retries: 503 SlowDown"] == PASS
    assert ("bad/2.0", "retry-after") not in by_client
    assert found.findings[0].to_dict()["client"] == "bad/2.0"
    assert found.evidence.calls[0].first.user_agent == "acme/1.0"


def test_clients_of_one_name_keep_all_of_it():
    """Two builds of the same version are told apart."""
    two = [calls(3, 0.5, user_agent=f"acme/1.0 {each}") for each in ("a", "b")]
    found = judge(attempts(*two), until=60.0)
    assert {found.client, *found.others} == {"acme/1.0 a", "acme/1.0 b"}


def test_a_client_without_a_fault_is_not_mentioned():
    """A health check is no client to judge."""
    found = judge(attempts(calls(3, 0.5), calls(50, kind=FINE, user_agent="health/1.0")), until=60.0)
    assert (found.client, found.others, found.calls) == ("acme/1.0", {}, 53)


def test_shared_keys_and_cut_beginnings_count_for_nothing():
    """They are counted, and said."""
    shared = [
        attempt(at, SLOW_DOWN, path="/b/hot", connection=each)
        for each, at in enumerate((0.0, 0.0005, 1.0, 1.1))
    ]
    cut = [attempt(2.0, FINE, path="/b/cut", user_agent="cos/1", attempt_hint={"retry": True})]
    found = judge([*shared, *cut], until=60.0)
    assert found.left_out["shared"] >= 2
    assert found.left_out["begun earlier"] == 1
    assert found.evidence.calls == []


def test_what_is_kept_has_an_end(monkeypatch):
    """Later calls are counted and left out."""
    monkeypatch.setattr(calls_by_client, "MOST", 6)
    found = judge(attempts(calls(5, 0.5)), until=60.0)
    assert (len(found.evidence.calls), found.left_out) == (3, {"too many": 2})


def test_very_many_clients_are_told_apart_up_to_an_end(monkeypatch):
    """Those with the most calls are judged, the rest is counted."""
    monkeypatch.setattr(calls_by_client, "CLIENTS", 30)
    seen = [call(0.5, at=each, user_agent=f"acme/{each}") for each in range(50)]
    found = judge(attempts(seen), until=500.0)
    assert (found.client, len(found.others)) == ("further clients", 19)
    assert found.left_out == {"further clients": 11}
    assert found.calls == 50


def told(name, key, began, ended=None, returned=None):
    return CallWindow(name, began, ended, returned, None, key=key)


def test_a_driven_run_is_of_one_client_whatever_it_calls_itself():
    """And what its caller saw is known."""
    made = [
        attempt(at, HIDDEN, path=f"/b/okerr-{each}", user_agent=f"tool/{each}")
        for each, at in enumerate((1, 1.1, 1.2))
    ]
    seen = [
        told("okerr", f"okerr-{each}", one.arrived - 0.1, one.arrived + 0.1, True)
        for each, one in enumerate(made)
    ]
    found = judge(made, driven=True, told=seen)
    assert (found.others, found.evidence.driven, found.signal) == ({}, True, {"told": 3})
    assert verdicts(found)["error in 200"] == FAIL
    undriven = judge(made, until=60.0)
    assert len(undriven.others) == 2


def test_a_driven_client_is_measured_before_the_others_begin():
    """What comes while everything runs at once would spoil the turn-around."""
    cal = attempts(calls(25, kind=FINE, apart=0.003))
    busy = attempts([call(kind=FINE, at=1 + 0.03 * i) for i in range(25)])
    for number, each in enumerate(cal):
        each.path = f"/b/cal-{number}"
    seen = [told("cal", f"cal-{i}", each.arrived, each.arrived + 0.002, True) for i, each in enumerate(cal)]
    found = judge([*cal, *busy], driven=True, told=seen)
    assert found.turnaround.median == pytest.approx(0.002)
    assert found.turnaround.n == 24
    assert judge([*cal, *busy]).turnaround.n > 30
    assert len(found.evidence.calls) == 50


def test_how_late_requests_come_is_measured_in_a_driven_run():
    """From the beginning of a call to its first request, in nine of ten; neither before the others begin nor in an outage."""
    seen, made = [], []
    for number in range(10):
        for name, delay in (("cal", 5.0), ("thr", 0.01 * (number + 1)), ("out", 7.0)):
            seen.append(told(name, f"{name}-{number}", number, number + 9, False))
            made += [
                attempt(number + delay + again, SLOW_DOWN, path=f"/b/{name}-{number}") for again in (0.0, 0.5)
            ]
    made.sort(key=lambda each: each.arrived)
    assert judge(made, driven=True, told=seen).turnaround.busy == pytest.approx(0.09)
    assert judge(made, told=seen).turnaround.busy is None


def test_a_call_that_never_ended_is_open():
    """A driver's deadline came first."""
    made = [attempt(1.0, SLOW_DOWN, path="/b/thr-1")]
    found = judge(made, driven=True, told=[told("thr", "thr-1", 0.9)], until=100.0)
    assert (found.left_out, found.evidence.calls) == ({"open": 1}, [])


def test_warnings_are_no_failures():
    """They count where somebody asks for strictness."""
    found = judge(attempts(calls(3), calls(3, 0.5, kind=INTERNAL, last=FINE, at=5.0)), until=60.0)
    assert (found.failed, found.warned) == (False, True)
    assert found.findings[0].verdict == WARN
    assert repr(found.findings[0]).startswith("<Finding retries: 503 SlowDown WARN: 503 SlowDown: 0 of 3")


def test_faults_that_could_not_be_given_are_counted():
    """By what was done instead, whatever else the call met; what passed without a rule is none."""
    made = [
        attempt(0.0, SLOW_DOWN, path="/1"),
        attempt(1.0, {"fault": "cos:SlowDown", "did": "refused", "status": 200}, path="/1"),
        attempt(2.0, {"fault": "reset", "did": "failed", "status": 200}, path="/2"),
        attempt(3.0, {"fault": None, "did": "failed", "status": 200}, path="/3"),
        attempt(4.0, {"fault": "truncate", "did": "nothing_to_cut", "status": 200}, path="/4"),
        attempt(5.0, FINE, path="/5"),
    ]
    found = judge(made, until=60.0)
    assert found.not_given == {"refused": 1, "failed": 2, "nothing_to_cut": 1}
    assert found.to_dict()["not_given"] == found.not_given


def test_the_calls_that_may_go_on_and_when_they_must_be_over():
    """Ten seconds after the last answer, or twice the client's longest wait; those that count for nothing do not count."""
    waits = call(1.5, last=FINE, user_agent="waits/1")
    gave_up = call(at=3.0, user_agent="waits/1")
    unknown = call(at=4.0, user_agent="unknown/1")
    hangs = call(
        kind={"fault": "latency", "did": "delayed", "status": None}, at=5.0, every=[{"answered": None}]
    )
    shared = [attempt(at, SLOW_DOWN, path="/b/hot", connection=each) for each, at in enumerate((6.0, 6.0005))]
    cut = [attempt(7.0, SLOW_DOWN, path="/b/cut", user_agent="cos/1", attempt_hint={"retry": True})]
    made = [*attempts([waits, gave_up, unknown, hangs]), *shared, *cut]
    found = sorted(judge(made, until=8.0).awaited)
    assert found == pytest.approx([3.001 + 3.0, 4.001 + 10.0, float("inf")])
    assert judge(attempts([waits]), until=8.0).awaited == []


def test_a_client_that_is_done():
    """Nothing is open when somebody says so, but for what was never answered."""
    made = attempts(calls(4))
    assert judge(made, until=0.2).left_out == {"open": 4}
    assert judge(made, until=float("inf")).left_out == {}
