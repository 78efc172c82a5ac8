"""Numbers of a client, each measured from a journal of calls."""

from types import SimpleNamespace

from msgspec import to_builtins

from faultinject.conformance.results import numbers_of
from faultinject.journal.call_window import CallWindow
from tests.journals import (
    DENIED,
    FINE,
    HIDDEN,
    INTERNAL,
    LOST,
    RESET,
    SLOW_DOWN,
    call,
    calls,
    judged,
    layered,
)


def measured(*groups, windows=()):
    """The numbers of a run in which these calls were made."""
    judgement = judged(*groups, fast=None)
    return to_builtins(numbers_of(SimpleNamespace(judgement=judgement, windows=windows)))


def test_nothing_was_measured():
    """Nothing is made up."""
    assert measured() == {
        "attempts": None,
        "backoff": {"throttle": [], "server": []},
        "jitter": None,
        "hints": {},
        "retried": [],
        "budget": {"calls": 0, "requests": 0, "retries": 0},
        "resets": {"calls": 0, "retried": 0},
        "lost": {"calls": 0, "retried": 0},
        "hidden": {"calls": 0, "retried": 0, "noticed": 0},
        "bytes": {"compared": 0, "same": 0},
        "overlap": {"calls": 0, "overlapping": 0},
        "gives_up": {"throttle": None, "server": None},
    }


def test_the_backoff_curve():
    """By kind of failure and retry: the median, where half of the waits are, and all of them."""
    throttled = [call(each, 2 * each, name="throttled") for each in (1.0, 1.2, 1.4, 1.6, 5.0)]
    found = measured(throttled, calls(1, 0.2, name="server-error", kind=INTERNAL))
    first, second = found["backoff"]["throttle"]
    assert first == {
        "retry": 1, "n": 5, "median": 1.4, "low": 1.2, "high": 1.6, "waits": [1.0, 1.2, 1.4, 1.6, 5.0],
    }  # fmt: skip
    once = [{"retry": 1, "n": 1, "median": 0.2, "low": 0.2, "high": 0.2, "waits": [0.2]}]
    assert (second["retry"], second["median"], found["backoff"]["server"]) == (2, 2.8, once)
    assert (found["attempts"], found["jitter"]) == ({"fewest": 2, "most": 3}, 0.732)


def test_an_attempt_before_the_answer_is_no_wait():
    """It overlaps."""
    found = measured(calls(3, -0.0005, 1.0, name="throttled"))
    assert [each["retry"] for each in found["backoff"]["throttle"]] == [2]
    assert found["overlap"] == {"calls": 3, "overlapping": 3}


def test_hints_by_form():
    """Answers with hints, and retries that came no earlier; an unreadable hint is never obeyed."""
    asked = {"hint": 3.0, "hint_form": "seconds"}
    obedient = calls(2, 3.0, last=FINE, every=[asked])
    early = calls(1, 1.0, last=FINE, every=[asked])
    silent = calls(1, every=[asked])
    junk = calls(1, 0.5, last=FINE, every=[{"hint_form": "unreadable"}])
    assert measured(obedient, early, silent, junk)["hints"] == {
        "seconds": {"answers": 4, "retried": 3, "obeyed": 2, "asked": 3.0, "waited": 3.0},
        "unreadable": {"answers": 1, "retried": 1, "obeyed": None, "asked": None, "waited": 0.5},
    }
    assert measured(silent)["hints"]["seconds"]["waited"] is None


def test_codes_that_are_tried_again():
    """By first answer, with what the vendor's document says; without the outage."""
    found = measured(
        calls(3, 1.0, kind=SLOW_DOWN), calls(2, kind=DENIED), calls(4, 1.0, name="out", kind=INTERNAL)
    )
    assert found["retried"] == [
        {"answer": "503 SlowDown", "documented": "try again", "calls": 3, "retried": 3},
        {"answer": "403 AccessDenied", "documented": "not stated", "calls": 2, "retried": 0},
    ]


def test_the_outage():
    """Its calls, its requests, and those of them that are retries."""
    assert measured(calls(2, 0.25, name="out", kind=INTERNAL), calls(1, name="out", kind=INTERNAL))["budget"] == {
        "calls": 3, "requests": 5, "retries": 2,
    }  # fmt: skip


def test_broken_connections_and_errors_in_a_200():
    """Resets and lost answers are counted apart; an error retried or reported is noticed."""
    swallowed = calls(1, kind=HIDDEN, returned=True)
    told = calls(1, kind=HIDDEN, returned=False)
    again = calls(1, 0.1, kind=HIDDEN, last=FINE)
    other_id = layered(1, 0.1, kind=HIDDEN, last=FINE)
    found = measured(
        calls(2, 0.1, kind=RESET, last=FINE), calls(3, kind=LOST), swallowed, told, again, other_id
    )
    assert {name: found[name] for name in ("resets", "lost", "hidden")} == {
        "resets": {"calls": 2, "retried": 2},
        "lost": {"calls": 3, "retried": 0},
        "hidden": {"calls": 4, "retried": 2, "noticed": 3},
    }


def test_bodies():
    """Only uploads that were retried have bytes to compare."""
    other = calls(1, 0.1, every=[{}, {"request_bytes": 0}])
    assert measured(calls(2, 0.1), other, calls(1))["bytes"] == {"compared": 3, "same": 2}


def test_until_it_gives_up():
    """The time until the caller gets an error; open and successful calls have none."""
    windows = [
        CallWindow("throttled", 0.0, 3.0, False, key="throttled-001"),
        CallWindow("throttled", 0.0, 5.0, False, key="throttled-002"),
        CallWindow("throttled", 0.0, None, key="throttled-003"),
        CallWindow("server-error", 0.0, 1.0, True, key="server-error-001"),
    ]
    assert measured(windows=windows)["gives_up"] == {
        "throttle": {"n": 2, "median": 4.0, "low": 3.5, "high": 4.5},
        "server": None,
    }
