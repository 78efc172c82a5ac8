"""What findings come to: a word, a sentence and an exit code."""

from __future__ import annotations

import pytest

from faultinject.audit.check_names import FORMER, names
from faultinject.audit.checks import CHECKS
from faultinject.audit.conclusion import DRIVEN, LEFT_OUT, NOT_GIVEN, conclude, know, undecided
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.audit.judge import judge
from faultinject.exceptions import ConfigurationError

from .judged import attempt, call, finding

CLEAN = call(attempt(1, 0.0, None, 200))


def conclusion(*findings, attempts=10, calls=10, evidence=(), left_out=None, not_given=None, **more):
    return conclude(
        findings,
        attempts=attempts,
        calls=calls,
        evidence=evidence,
        left_out=left_out or {},
        not_given=not_given or {},
        **more,
    )


@pytest.mark.parametrize(
    ("verdicts", "strict", "result", "code", "sentence"),
    [
        ([PASS], False, "pass", 0, "PASS: 1 check passed"),
        ([PASS, PASS, INCONCLUSIVE], True, "pass", 0, "PASS: 2 checks passed, 1 not decided"),
        ([WARN, PASS], False, "warn", 0, "WARN: no check failed, 1 check warned: a"),
        ([WARN, WARN], False, "warn", 0, "WARN: no check failed, 2 checks warned: a, b"),
        ([WARN, PASS], True, "fail", 1, "FAIL: 1 check warned (strict: a warning is a failure): a"),
        ([FAIL, WARN, FAIL], False, "fail", 1, "FAIL: 2 checks failed: a, c"),
        (
            [FAIL, WARN, WARN],
            True,
            "fail",
            1,
            "FAIL: 1 check failed: a; 2 checks warned (strict: a warning is a failure): b, c",
        ),
        ([FAIL] * 8, False, "fail", 1, "FAIL: 8 checks failed: a, b, c, d, e, f and 2 more"),
    ],
)
def test_what_was_decided(verdicts, strict, result, code, sentence):
    """The worst verdict is the result; a warning is one only where that was asked for."""
    found = conclusion(*map(finding, "abcdefgh", verdicts), strict=strict)
    assert (found.result, found.exit_code, found.sentence) == (result, code, sentence)


def test_what_two_checks_say_is_told_once():
    """Unless the other is another client's."""
    told = [finding("jitter", FAIL), finding("thundering herd", FAIL, said_by="jitter")]
    assert conclusion(*told).reason == "1 check failed: jitter"
    told[1].client = "curl/8"
    assert conclusion(*told).reason == "2 checks failed: jitter, thundering herd of curl/8"


MET = Evidence([call(), call(), CLEAN])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"attempts": 0, "calls": 0},
            "the journal has no requests. Run the client while faults and journal are on.",
        ),
        (
            {},
            "no call met a fault, and none retried. `faultinject check` shows what the rules match.",
        ),
        (
            {"evidence": [Evidence([CLEAN], driven=True)]},
            "no call met a fault, and none retried. Select more of the plan.",
        ),
        (
            {"not_given": {"refused": 9, "failed": 1}},
            "no call met a fault, and none retried; 10 faults could not be given: 9 refused (more at the same"
            " time than FAULTINJECT_MAX_ACTIVE allows, or HTTP/2 without http2=yes), 1 failed (see the log, or the client"
            " disconnected first). `faultinject check` shows what the rules match.",
        ),
        (
            {"evidence": [MET]},
            "2 calls met a fault or retried, not enough data for any check. Each check says what it needs.",
        ),
        (
            {"evidence": [Evidence([call()])]},
            "1 call met a fault or retried, not enough data for any check. Each check says what it needs.",
        ),
        (
            {"left_out": {"open": 10}},
            "all 10 calls were left out: they may still have been running. Add --finished if the client is done.",
        ),
        (
            {"left_out": {"open": 10}, "evidence": [Evidence([], driven=True)]},
            "all 10 calls were left out: they had not ended at the deadline. Raise the deadline.",
        ),
        (
            {"left_out": {"open": 1}},
            "1 call was left out: it may still have been running, and the others met no fault. Add --finished if the"
            " client is done.",
        ),
        (
            {"left_out": {"shared": 3, "begun earlier": 1}},
            "4 calls were left out: 3 ran at the same time as another call for the same object, which mixes their attempts,"
            " 1 began before the journal, and the others met no fault. Use a different key for each concurrent call."
            " Start the journal before the client.",
        ),
        (
            {"left_out": {"odd": 2}},
            "2 calls were left out: they odd, and the others met no fault.",
        ),
    ],
)
def test_why_nothing_could_be_judged(more, reason):
    """The reason, and what to do about it; it is neither a success nor a failure."""
    found = conclusion(finding("gives up", INCONCLUSIVE), **more)
    assert (found.result, found.exit_code) == ("undecided", 3)
    assert found.sentence == f"Nothing could be judged: {reason}"


def test_every_check_is_ignored():
    """Then there is nothing left to say."""
    found = conclusion()
    assert (found.exit_code, found.reason) == (3, "every check is ignored. Ignore fewer.")


def test_every_reason_has_its_words():
    """Those for which the calls_by_client leaves calls out, and those for which a fault is not given."""
    from faultinject.audit import calls_by_client
    from faultinject.engine.journal_entry import INJECTED

    assert {*LEFT_OUT} == {
        "open",
        "shared",
        "followed",
        "repeated",
        "begun earlier",
        "too many",
        calls_by_client.FURTHER,
    }
    assert not INJECTED & NOT_GIVEN.keys()


TOLD = [
    finding("retry-after", PASS, subject="seconds"),
    finding("retry-after", INCONCLUSIVE, subject="date"),
    finding("gives up", PASS),
    finding("retry budget", INCONCLUSIVE),
    finding("backoff", INCONCLUSIVE, client="curl/8"),
]


@pytest.mark.parametrize(
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
        (["backoff"], ["backoff of curl/8"]),
        (["all"], ["retry-after: date", "backoff of curl/8"]),
        (["all", "retry budget"], ["retry-after: date", "backoff of curl/8", "retry budget"]),
    ],
)
def test_what_is_required(require, missing):
    """A check that is not decided, or says nothing of what is asked, is missing; `all` spares what only a driver decides."""
    assert list(undecided(TOLD, require, driven=False)) == missing
    found = conclusion(*TOLD, require=require)
    assert (found.exit_code, found.result) == ((3, "undecided") if missing else (0, "pass"))
    if missing:
        assert found.sentence == f"Required but not decided: {', '.join(missing)}"


def test_all_asks_for_everything_where_a_driver_made_the_calls():
    """It can decide every check."""
    assert {"retry budget", "overlap", "retry quota"} == DRIVEN
    assert "retry budget" in undecided(TOLD, ["all"], driven=True)
    found = conclusion(*TOLD, evidence=[Evidence([], driven=True)], require=["all"])
    assert found.reason == "retry-after: date, retry budget, backoff of curl/8"


def test_a_failure_stands_above_what_was_not_decided():
    """And says that as well."""
    found = conclusion(finding("a", FAIL), finding("b", INCONCLUSIVE), require=["b"])
    assert (found.exit_code, found.sentence) == (
        1,
        "FAIL: 1 check failed: a; required but not decided: b",
    )


@pytest.mark.parametrize(
    ("ignore", "require", "says"),
    [
        (["retries: 503", "same_byte"], [], "'same_byte' is not a check; did you mean 'same bytes'?"),
        ([], ["permanant"], "'permanant' is not a check; did you mean 'permanent'?"),
        ([], ["zzz: date"], "'zzz: date' is not a check; there are retries, "),
        (["all"], [], "'all' is not a check"),
        ([""], [], "'' is not a check; there are retries, "),
        (["retry-after"], ["retry-after"], "'retry-after' is both ignored and required"),
        (["retry-after"], ["retry-after: date"], "'retry-after: date' is both ignored and required"),
    ],
)
def test_checks_that_are_none(ignore, require, says):
    """A slip would ask for nothing and look as if."""
    with pytest.raises(ConfigurationError) as error:
        know(ignore, require)
    assert says in str(error.value)


@pytest.mark.parametrize(("former", "name"), FORMER.items())
def test_checks_that_had_another_name(former, name):
    """An old name does nothing but say the new one, whatever else it may look like."""
    for given in ((f"{former}: date", ()), ((), f"{former}: date")):
        with pytest.raises(ConfigurationError) as error:
            know(*map(names, given))
        assert str(error.value) == f"'{former}: date' is not a check; did you mean '{name}: date'?"
    assert name in CHECKS
    assert former not in CHECKS


@pytest.mark.parametrize("name", CHECKS)
def test_one_check_that_is_named_alone(name):
    """A single name is no row of letters; most hold a blank."""
    know(names(name), ())
    assert name not in {each.check for each in judge([], ignore=name).findings}
    assert judge([], require=name).conclusion.result == "undecided"


def test_checks_that_are_some():
    """With what they are about, or without; one thing may be ignored of what is required."""
    know(["retry-after: date", "jitter"], ["retry-after", "all", "retries: 503 SlowDown"])
