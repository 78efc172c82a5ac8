"""A client with a faster clock than the journal's is judged by its own clock."""

from tests.journals import FINE, ID, INTERNAL, SLOW_DOWN, call, calls, finding
from tests.rows import each_row

from .rows import FAIL, INCONCLUSIVE, PASS, WARN

ASKED = {"hint": 3.0, "hint_form": "seconds"}
SPEED = 20.0
LESS, REAL = "Leave out `--speed`, or give less.", "Leave out `--speed`."


def found(check, *groups, **how):
    return finding(check, *groups, driven=True, **how)


@each_row(("speed", "expected"), [(1.0, FAIL), (SPEED, PASS)])
def test_what_it_was_asked_to_wait_for_passes_by_its_own_clock(speed, expected):
    """A twentieth of three seconds is three seconds of a clock that runs twenty times as fast."""
    asked = calls(5, 0.152, last=FINE, every=[ASKED], apart=1.0)
    usual = calls(5, 0.052, last=FINE, at=20.0, apart=1.0)
    assert found("retry-after", asked, usual, speed=speed).verdict == expected


def test_what_the_noise_hides_of_retry_after_is_not_said_of_the_client():
    """It was asked for a second, and half of that is the machine's noise."""
    asked = calls(5, 0.052, last=FINE, every=[ASKED | {"hint": 1.0}], apart=1.0)
    usual = calls(5, 0.0025, last=FINE, at=20.0, apart=1.0)
    said = found("retry-after", asked, usual, fast=(0.001, 0.025), speed=SPEED)
    assert said.message.startswith("seconds: a busy machine may make a wait without Retry-After 1.10 s long")
    assert said.action == LESS


@each_row(
    ("gap", "fast", "expected"),
    [
        # Twice the turn-around's p95 by the machine's clock is no wait for sure, and by the client's it may be one.
        (0.0009, (0.0003, 0.001), WARN),
        (0.0011, (0.0003, 0.001), INCONCLUSIVE),
        (0.021, (0.0003, 0.001), PASS),
        # Where it is not measured half a second of the machine's is what the machine may do.
        (0.0011, None, INCONCLUSIVE),
        (0.49, None, INCONCLUSIVE),
        (0.51, None, PASS),
        # A turn-around as slow as this is still one.
        (0.1, (0.03, 0.04), PASS),
        (0.079, (0.03, 0.04), INCONCLUSIVE),
    ],
)
def test_how_late_the_machine_may_be_counts_so_many_times(gap, fast, expected):
    """No verdict rests on what the machine may have done."""
    assert found("backoff", calls(10, gap, gap, apart=5.0), fast=fast, speed=SPEED).verdict == expected


@each_row(("apart", "expected"), [(0.002, INCONCLUSIVE), (1.0, PASS)])
def test_its_work_for_other_requests_counts_so_many_times(apart, expected):
    """A hundred requests in a wait take half a second of the machine."""
    crowd = calls(101, 0.3, 0.3, apart=apart)
    assert found("backoff", crowd, fast=(0.002, 0.006), speed=SPEED).verdict == expected


@each_row(
    ("wait", "speed", "expected"),
    [(0.006, SPEED, INCONCLUSIVE), (0.09, SPEED, INCONCLUSIVE), (0.11, SPEED, WARN), (0.11, 1.0, WARN)],
)
def test_retries_at_once_are_no_herd_by_a_faster_clock(wait, speed, expected):
    """A loop that waits for nothing takes 6 ms here: 0.12 s by the client's clock."""
    made = [call(wait + 0.000_025 * (each - 12), at=each) for each in range(24)]
    assert found("thundering herd", made, speed=speed).verdict == expected


@each_row(
    ("spread", "speed", "expected"),
    [(0.18, SPEED, INCONCLUSIVE), (0.09, SPEED, WARN), (0.18, 1.0, INCONCLUSIVE), (0.09, 1.0, WARN)],
)
def test_jitter_that_is_undecided_in_real_time_is_not_rigid_by_a_faster_clock(spread, speed, expected):
    """Waits of 2.0 to 2.18 s: what the machine adds spreads them, and makes none of them alike."""
    made = [call((2.0 + spread * min(each, 6) / 6) / speed, at=each) for each in range(8)]
    assert found("jitter", made, speed=speed).verdict == expected


AT_BOUND = calls(20, 0.05, apart=5.0)
"""Waits of a second by the client's clock, as long as AWS promises."""


@each_row(
    ("groups", "speed", "expected"),
    [
        ((AT_BOUND,), SPEED, PASS),
        # Longer by more than the machine's noise in real time: perhaps by its noise at that speed.
        ((calls(20, 0.06, apart=5.0),), SPEED, INCONCLUSIVE),
        ((calls(20, 1.2, apart=5.0),), 1.0, FAIL),
    ],
)
def test_a_wait_that_is_too_long_is_told_in_real_time_alone(groups, speed, expected):
    """At a speed it may be the client's work; one that is short enough is so all the more."""
    assert found("backoff bound", *groups, profile="aws-2026", speed=speed).verdict == expected


@each_row(("speed", "expected"), [(1.0, FAIL), (SPEED, INCONCLUSIVE)])
def test_waits_that_are_not_evenly_drawn_are_told_in_real_time_alone(speed, expected):
    """All of them at their bound."""
    made = calls(40, 1.0 / speed, apart=5.0)
    assert found("full jitter", made, profile="aws-2026", speed=speed).verdict == expected


@each_row(("speed", "expected"), [(1.0, WARN), (SPEED, INCONCLUSIVE)])
def test_waits_that_do_not_grow_are_told_in_real_time_alone(speed, expected):
    """The client's work is part of each, and makes them alike."""
    wait = 2.0 / speed
    assert found("backoff grows", calls(10, wait, wait, wait, apart=5.0), speed=speed).verdict == expected


@each_row(("by", "expected"), [(ID, PASS), (None, INCONCLUSIVE)])
def test_layers_are_told_by_ids_and_not_by_waits(by, expected):
    """The client's work makes waits that fall and rise."""
    made = calls(10, 0.1, 0.2, 0.1, 0.2, apart=5.0, by=by)
    assert found("nested retries", made, speed=SPEED).verdict == expected


def repeated(number, **more):
    """Failed SDK calls, after each of which the same is asked for again with success."""
    first = calls(number, 0.1, apart=30.0, **more)
    return [
        *first,
        *(
            call(kind=FINE, at=each.lines[-1]["answered"] + 0.05, path=each.lines[0]["path"])
            for each in first
        ),
    ]


@each_row("speed", [1.0, SPEED])
def test_a_layer_that_ids_prove_is_told_at_any_speed(speed):
    """It is found beside a failed call without ids, whose waits decide nothing."""
    without = calls(1, 0.1, 0.1, at=900.0, by=None)
    assert found("nested retries", repeated(6), without, speed=speed).verdict == FAIL


PLAN = "Repeat the whole plan, with every kind of call, on an idle machine; raise `--deadline` if calls had not ended."
STANDING = calls(10, 0.1, 0.1, 0.1, apart=5.0)
SERVER_ERRORS = {"kind": INTERNAL, "apart": 5.0}


@each_row(
    ("check", "groups", "action"),
    [
        ("backoff", [calls(10, 0.0011, 0.0011, apart=5.0)], LESS),
        ("jitter", [calls(8, 0.09, apart=5.0)], LESS),
        ("jitter", [[call(0.1 + 0.002 * each, at=each) for each in range(8)]], LESS),
        ("thundering herd", [calls(20, 0.09, apart=5.0)], LESS),
        ("thundering herd", [[call(0.095 + 0.0015 * each, at=each) for each in range(20)]], LESS),
        ("backoff bound", [calls(20, 0.0025, **SERVER_ERRORS)], LESS),
        ("backoff bound", [calls(20, 0.1, **SERVER_ERRORS)], REAL),
        ("backoff grows", [STANDING], REAL),
        ("backoff grows", [calls(10, 0.1, 0.115, at=3.0, apart=5.0)], REAL),
        ("backoff grows", [calls(10, 0.06, 0.075, apart=5.0)], LESS),
        ("backoff grows", [calls(10, 0.02, 0.02, apart=5.0)], LESS),
        ("backoff grows", [], PLAN),
        ("full jitter", [calls(40, 0.05, apart=5.0)], REAL),
        ("full jitter", [calls(40, 0.002, **SERVER_ERRORS)], PLAN),
        ("nested retries", [calls(10, 0.1, 0.2, 0.1, apart=5.0, by=None)], REAL),
    ],
)
def test_the_advice_helps(check, groups, action):
    """More calls, a client that is measured once more and an idle machine do not."""
    said = found(check, *groups, profile="aws-2026", speed=SPEED)
    assert (said.verdict, said.action) == (INCONCLUSIVE, action), said
    assert (said.n > 0) == (action in (LESS, REAL)), "a text without -v has no advice where nothing was seen"


def test_waits_that_the_noise_hides_at_that_speed_are_seen_at_a_lower_one():
    """40 with a bound of a second, of which the machine's noise is half."""
    said = found(
        "full jitter", calls(40, 0.03, apart=5.0), profile="aws-2026", fast=(0.001, 0.013), speed=SPEED
    )
    assert said.message == "Not enough data: 0 of 30 waits with a bound of 1.04 s or more"
    assert (said.n, said.action) == (40, LESS)


def test_waits_that_do_not_grow_are_not_said_to_grow():
    """They change by a factor of one."""
    said = found("backoff grows", STANDING, speed=SPEED).message
    assert said.startswith("the waits change by a factor of 1.00 per retry [")
    assert said.endswith("after throttle failures; at this speed that may be the client's work")


def test_a_call_without_an_end_has_none():
    """By no clock."""
    open_ = call(0.05, kind=SLOW_DOWN, ended=False, every=[{}, {"took": None}])
    assert found("retries", calls(5, 0.05, last=FINE), [open_], speed=SPEED).verdict == PASS
