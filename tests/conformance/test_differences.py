"""What a new version of a client changed: said where chance does not explain it, and only there."""

from __future__ import annotations

import random
from copy import deepcopy

from faultinject.conformance.differences import Difference, differences

from .test_numbers import DENIED, FINE, HIDDEN, calls, measured, named


def curve(*waits):
    """Numbers of a client whose first waits after a throttle are these."""
    return measured([each for wait in waits for each in named("thr", 1, wait)])


def drawn(low, high, seed):
    """Twenty waits, drawn evenly."""
    draw = random.Random(seed)
    return curve(*(draw.uniform(low, high) for _ in range(20)))


def test_two_runs_of_one_client_do_not_differ():
    """Whatever chance draws: of 40 pairs, none."""
    assert [
        each for seed in range(40) for each in differences(drawn(0, 1, seed), drawn(0, 1, seed + 100))
    ] == []


def test_longer_waits_are_a_change():
    """Where the median moves by more than chance, a quarter and 50 ms."""
    assert list(differences(drawn(0, 1, 1), drawn(1, 2, 2))) == [
        Difference("wait before retry 1 (throttle error)", "0.47 s", "1.59 s")
    ]
    assert list(differences(curve(*[1.0] * 20), curve(*[1.2] * 20))) == []
    assert list(differences(curve(*[0.01] * 20), curve(*[0.05] * 20))) == []
    assert list(differences(curve(*[1.0] * 7), curve(*[2.0] * 20))) == []


def test_jitter_is_a_change():
    """The same median, and another spread."""
    [found] = differences(curve(*[0.5] * 20), drawn(0, 1, 3))
    assert found.what == "wait before retry 1 (throttle error), half of them"
    assert found.before == "0.50 s to 0.50 s"
    narrow = [1.0 + each / 100 for each in range(8)]
    wide = [*narrow[:4], 0.9, 0.9, 1.3, 1.3]
    assert list(differences(curve(*narrow), curve(*wide))) == []


def test_habits_that_changed():
    """Hints, codes, resets, errors in a 200, bodies and overlap, each in words."""
    hint = {"hint": 3.0, "hint_form": "seconds"}
    old = measured(
        calls(3, 1.0, last=FINE, every=[hint]), calls(3, kind=DENIED), calls(3, kind=HIDDEN, about={"returned": True})
    )  # fmt: skip
    new = measured(
        calls(3, 3.0, last=FINE, every=[hint]),
        calls(3, 1.0, kind=DENIED, every=[{}, {"request_bytes": 0}]),
        calls(3, kind=HIDDEN, about={"returned": False}),
    )
    assert list(differences(old, new)) == [
        Difference("hint: seconds", "not obeyed", "obeyed"),
        Difference("after 403 AccessDenied", "not retried", "retried"),
        Difference("error in 200", "taken for success", "noticed"),
    ]


def test_what_is_done_a_little_more_often_is_chance():
    """One of three more; and what was not seen in one of the runs is no change."""
    old = measured(calls(2, 1.0, kind=DENIED), calls(1, kind=DENIED))
    assert list(differences(old, measured(calls(3, 1.0, kind=DENIED)))) == []
    assert list(differences(old, measured())) == []
    some = measured(calls(2, kind=DENIED), calls(1, 1.0, kind=DENIED))
    assert [each.before for each in differences(some, measured(calls(3, 1.0, kind=DENIED)))] == [
        "some retried"
    ]


def test_results_of_older_versions_have_no_numbers():
    """Nothing is said of them."""
    assert list(differences(None, deepcopy(measured()))) == list(differences(measured(), None)) == []


def test_a_retry_that_only_one_run_has_is_not_compared():
    """The number of attempts says it."""
    assert list(differences(measured(named("thr", 9, 1.0)), measured(named("thr", 9, 1.0, 2.0)))) == []
