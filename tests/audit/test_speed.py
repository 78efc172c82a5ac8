"""A client with a faster clock than the journal's is judged by its own clock."""

from tests.journals import FINE, ID, INTERNAL, SLOW_DOWN, call, calls, finding
from tests.rows import each_row

from .rows import FAIL, INCONCLUSIVE, PASS, WARN, each_holds, rows, to

ASKED = {"hint": 3.0, "hint_form": "seconds"}
SPEED = 20.0
LESS, REAL = "Leave out `--speed`, or give less.", "Leave out `--speed`."


def found(check, *groups, **how):
    return finding(check, *groups, driven=True, **how)


AT_REAL_SPEED, FASTER = {"driven": True}, {"driven": True, "speed": SPEED}
AWS = {"profile": "aws-2026"}
AT_BOUND = calls(20, 0.05, apart=5.0)
"""Waits of a second by the client's clock, as long as AWS promises."""
HINTED = [
    *calls(5, 0.152, last=FINE, every=[ASKED], apart=1.0),
    *calls(5, 0.052, last=FINE, at=20.0, apart=1.0),
]
"""Waits of a twentieth of three seconds: three seconds of a clock twenty times as fast."""


ASKED_FOR_ONE = [
    *calls(5, 0.052, last=FINE, every=[ASKED | {"hint": 1.0}], apart=1.0),
    *calls(5, 0.0025, last=FINE, at=20.0, apart=1.0),
]
STANDING = calls(10, 0.1, 0.1, 0.1, apart=5.0)


def at_once(wait):
    """First waits that differ by less than the machine's noise."""
    return [call(wait + 0.000_025 * (each - 12), at=each) for each in range(24)]


def from_two_seconds(spread, speed):
    """First waits of 2.0 s and `spread` more, by the client's clock."""
    return [call((2.0 + spread * min(each, 6) / 6) / speed, at=each) for each in range(8)]


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


test_verdict = each_holds(
    *rows(
        "retry-after",
        to(FAIL, HINTED, **AT_REAL_SPEED),
        to(PASS, HINTED, **FASTER),
        # It was asked for a second, and half of that is the machine's noise, which is not said of the client.
        *(
            to(INCONCLUSIVE, ASKED_FOR_ONE, fast=(0.001, 0.025), **FASTER, says=says)
            for says in ("seconds: a busy machine may make a wait without Retry-After 1.10 s long", LESS)
        ),
    ),
    *rows(
        "backoff",
        *(
            to(expected, calls(10, gap, gap, apart=5.0), fast=fast, **FASTER)
            for gap, fast, expected in (
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
            )
        ),
        # A hundred other requests in a wait take half a second of the machine.
        *(
            to(expected, calls(101, 0.3, 0.3, apart=apart), fast=(0.002, 0.006), **FASTER)
            for apart, expected in ((0.002, INCONCLUSIVE), (1.0, PASS))
        ),
    ),
    # A loop that waits for nothing takes 6 ms here: 0.12 s by the client's clock.
    *rows(
        "thundering herd",
        *(to(expected, at_once(wait), **FASTER) for wait, expected in ((0.006, INCONCLUSIVE), (0.09, INCONCLUSIVE), (0.11, WARN))),
        to(WARN, at_once(0.11), **AT_REAL_SPEED),
    ),
    # What the machine adds spreads waits of 2.0 to 2.18 s, and makes none of them alike.
    *rows(
        "jitter",
        *(to(expected, from_two_seconds(spread, SPEED), **FASTER) for spread, expected in ((0.18, INCONCLUSIVE), (0.09, WARN))),
        *(to(expected, from_two_seconds(spread, 1.0), **AT_REAL_SPEED) for spread, expected in ((0.18, INCONCLUSIVE), (0.09, WARN))),
    ),
    # A wait that is longer by more than the machine's noise may at a speed be the client's work; one that is short enough
    # is so all the more.
    *rows(
        "backoff bound",
        to(PASS, AT_BOUND, **AWS, **FASTER),
        to(INCONCLUSIVE, calls(20, 0.06, apart=5.0), **AWS, **FASTER),
        to(FAIL, calls(20, 1.2, apart=5.0), **AWS, **AT_REAL_SPEED),
    ),
    # Waits that are all at their bound, or that do not grow, are told in real time alone: the client's work is part of each.
    *rows("full jitter", to(FAIL, calls(40, 1.0, apart=5.0), **AWS, **AT_REAL_SPEED), to(INCONCLUSIVE, calls(40, 0.05, apart=5.0), **AWS, **FASTER)),
    # Of 40 with a bound of a second half is the machine's noise: at a lower speed they are seen.
    *rows("full jitter", to(INCONCLUSIVE, calls(40, 0.03, apart=5.0), **AWS, fast=(0.001, 0.013), **FASTER, n=40, says=f"Not enough data: 0 of 30 waits with a bound of 1.04 s or more {LESS}")),
    # Waits that change by a factor of one are not said to grow.
    *rows(
        "backoff grows",
        *(
            to(INCONCLUSIVE, STANDING, **FASTER, says=says)
            for says in ("the waits change by a factor of 1.00 per retry [", "after throttle failures; at this speed that may be the client's work")
        ),
    ),
    *rows("backoff grows", to(WARN, calls(10, 2.0, 2.0, 2.0, apart=5.0), **AT_REAL_SPEED), to(INCONCLUSIVE, calls(10, 0.1, 0.1, 0.1, apart=5.0), **FASTER)),
    # Layers are told by ids and not by waits, which the client's work makes fall and rise.
    *rows(
        "nested retries",
        *(to(expected, calls(10, 0.1, 0.2, 0.1, 0.2, apart=5.0, by=by), **FASTER) for by, expected in ((ID, PASS), (None, INCONCLUSIVE))),
        # A failed call without ids, whose waits decide nothing, hides none that ids prove.
        *(to(FAIL, repeated(6), calls(1, 0.1, 0.1, at=900.0, by=None), **speed) for speed in (AT_REAL_SPEED, FASTER)),
    ),
    # A call without an end has none by any clock.
    *rows("retries", to(PASS, calls(5, 0.05, last=FINE), [call(0.05, kind=SLOW_DOWN, ended=False, every=[{}, {"took": None}])], **FASTER)),
)  # fmt: skip


PLAN = (
    "Leave out `--phase`, make every kind of call, raise `--deadline` if calls had not ended, and use an idle machine;"
    " if all that was so, the plan does not decide it for this client."
)
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
