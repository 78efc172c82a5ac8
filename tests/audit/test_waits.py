"""Waits, load, and the promises of profiles about both, for many clients."""

import random
from itertools import accumulate, product
from math import exp

import pytest

from faultinject.journal.call_window import CallWindow
from tests.journals import (
    DELAYED,
    DENIED,
    FINE,
    HUNG,
    ID,
    INTERNAL,
    MARK,
    RESET,
    SLOW_DOWN,
    TOOK,
    Made,
    Policy,
    Traffic,
    call,
    calls,
    client,
    fault,
    finding,
    layered,
    line,
    successes,
    verdict,
)  # fmt: skip
from tests.slowly import slowly

from .rows import FAIL, INCONCLUSIVE, PASS, WARN, each_holds, rows, to

NOISY = {"fast": (0.002, 0.015)}
"""A client on a busy machine: 30 ms are no wait, and waits may differ by as much."""
UNKNOWN = {"fast": None}


def drawn(number, *bounds, low=0.0, seed=1, **more):
    """Calls whose waits are drawn evenly between a share of their bounds and the bounds."""
    draw = random.Random(seed)
    return [
        call(*(draw.uniform(low * each, each) for each in bounds), at=0.04 * i, **more) for i in range(number)
    ]


def spaced(number, *middles, spread, **more):
    """Calls whose waits differ evenly by exactly `spread`, with one long wait in each call."""
    steps = [spread * each / (number - 2) for each in range(number - 1)] + [10 * spread]
    return [call(*(middle + step for middle in middles), at=0.04 * i, **more) for i, step in enumerate(steps)]


def most_of(first, seconds):
    """Three in four of the first calls begin that much later."""
    return lambda number: seconds if number < first and number % 4 else 0.0


def apart(number, *gaps, **more):
    """Calls, one after the other."""
    return calls(number, *gaps, **{"apart": 20.0, **more})


def outage(*attempts, kind=INTERNAL, name="out", at=0.0, **more):
    """Calls that all fail, with these numbers of attempts."""
    return [
        call(*[0.1] * (each - 1), kind=kind, at=at + i * 0.02, name=name, **more)
        for i, each in enumerate(attempts)
    ]


READS_IN_OUTAGE = [
    call(1.0, 2.0, 4.0, kind=INTERNAL, at=100 + 0.02 * each, name="out", method="GET", request_bytes=0, request_digest=None)
    for each in range(120)
]  # fmt: skip
"""An outage of 120 reads, which are retried after 1, 2 and 4 s."""
OF_ANOTHER = [
    *calls(1, 0.002, method="GET", by=None, at=50.01),
    *successes(6, 6, method="GET"),
    *successes(5, 5, method="GET", at=40, wait=0.3),
]
"""Other requests in between, repeated after successes, so that fingerprints prove nothing."""


BACKOFF = rows(
    "backoff",
    # Second and later retries wait: less than 20 ms is no wait, ten waits tell, the first retry may come at once.
    to(WARN, apart(10, 0.0003, 0.0199)),
    to(WARN, apart(10, 0.0003, 0.017), says="after 17 ms (median), and less than 20 ms is taken for none"),
    to(WARN, apart(10, 0.0003, 0.017), says="Wait for more than 20 ms before each retry, also where a test shortens the waits."),
    to(WARN, apart(10, 0.0003, 0.001), says_not="taken for none"),
    to(PASS, apart(10, 0.0003, 0.021)),
    to(INCONCLUSIVE, apart(9, 0.0003, 0.0003)),
    to(INCONCLUSIVE, apart(9, 0.0003, 1.0)),
    # An only retry at once is a warning, where five calls have no other and fail.
    to(WARN, apart(5, 0.001)),
    to(INCONCLUSIVE, apart(4, 0.001)),
    to(PASS, apart(5, 0.5)),
    to(INCONCLUSIVE, apart(5, 0.001, last=FINE)),
    to(INCONCLUSIVE, apart(5, 0.001), calls(1, 0.001, 0.5, at=200)),
    # Nor is it the client's, but its transport's, where a connection that was kept alive broke.
    to(INCONCLUSIVE, calls(1, kind=FINE, connection=7, at=-9), apart(5, 0.0003, kind=RESET, every=[{"connection": 7}, {"connection": 8}]), n=0),
    # Waits that an answer asked for, those between two kinds of failure, and what began before the answer are not its own.
    to(
        INCONCLUSIVE, apart(10, 0.001, 0.001, hint=0.0, hint_form="seconds"), [call(0.001, 0.001, at=20 * each, every=({}, RESET)) for each in range(10)],
        apart(10, -0.0005, -0.0005), apart(3, 1, 1), n=3,
    ),
    # Nor those after an endless wait, a refusal, or a broken connection without an answer's time.
    to(INCONCLUSIVE, apart(9, 1, 1, kind=HUNG), apart(9, 1, 1, kind=fault("http:403", 403)), apart(10, 0.001, 0.001, kind=RESET, every=[{}, {"answered": None}]), n=0),
    to(WARN, unread=calls(10, 0.001, 0.0003)),
    # The calls of an outage are too busy for measuring.
    to(PASS, calls(120, 0.001, 0.001, kind=INTERNAL, name="out"), calls(10, 1.0, 1.0, name="thr", at=50)),
    to(WARN, calls(120, 0.001, 0.001, last=FINE, name="out")),
    # One call that an SDK's id proves is one, however many waits it has: others that look like it prove nothing.
    *(
        to(
            WARN, calls(number, *[0.002] * 4, method="GET"), calls(4, *[0.002] * 4, method="GET", by=None, at=50),
            OF_ANOTHER, n=3 * number + 12, says="grouped by fingerprint" if number == 1 else "backoff",
        )
        for number in (1, 3)
    ),
)  # fmt: skip

STUMBLES = {1: 1.1, 5: 1.2, 9: 1.06, 13: 1.4, 17: 1.3}
"""By the number of the call, the waits of twenty that a machine made longer."""
STUMBLED = [0.401, 0.401, 0.401, 0.401, 0.404, 0.404, 0.407, 0.42, 0.428, 0.485, 0.515, 0.53]


def stumbling(fixed=0.0, number=20):
    """A fixed wait on a machine that stumbles often."""
    return [call(STUMBLES.get(each, 1.0 + fixed * each / 1000), at=each) for each in range(number)]


def in_turn(number, wait):
    """Calls of many threads after one fixed wait, whose retries follow 5 ms after one another."""
    return [call(wait + 0.003 * each, at=0.002 * each) for each in range(number)]


def second_pass(number, pause=0.05):
    """A program that goes through everything, and through all that failed once more."""
    took = 0.05 * (number - 1) + pause
    return [
        *calls(number, took - TOOK, apart=0.05, by=None, last=FINE, connection=1),
        *successes(3, connection=1),
    ]


RIGID = spaced(8, 1.0, 2.0, spread=0.0)
LOOSE = drawn(8, 1.0, 2.0, 4.0, kind=INTERNAL)
LIFTED = spaced(8, 0.21, spread=0.12, kind=RESET)
QUITE_NOISY = {"fast": (0.002, 0.01)}
JITTER = rows(
    "jitter",
    # A client that retries reads alone waits in the outage only: these waits count, unless it waits elsewhere.
    to(WARN, calls(20, name="throttled"), READS_IN_OUTAGE, driven=True, n=360),
    *(
        to(expected, spaced(number, middle, spread=spread))
        for number, middle, spread, expected in (
            (8, 1.0, 0.049, WARN), (8, 1.0, 0.06, INCONCLUSIVE), (8, 1.0, 0.11, INCONCLUSIVE), (8, 1.0, 0.14, PASS),  # 5 % and 12 % of the median
            (7, 1.0, 0.0, INCONCLUSIVE), (8, 0.09, 0.0, INCONCLUSIVE), (8, 0.11, 0.0, WARN),
        )
    ),
    to(WARN, unread=calls(8, 1.0)),
    # Independent callers look as one that asks in rounds: each has waited by itself.
    to(WARN, calls(20, 0.4, by=None, apart=0.002, last=FINE), successes(3), n=20),
    # Nor have waits jitter that many threads make longer by having their turn late.
    to(INCONCLUSIVE, in_turn(50, 0.5)),
    to(PASS, drawn(50, 1.0)),
    # A second pass over what failed is no backoff, however long the first one took; one after a pause is.
    *(to(expected, second_pass(30, pause)) for pause, expected in ((0.05, INCONCLUSIVE), (0.5, WARN))),
    # Rigid below 5 %, or half the noise; random where the shortest is below the median by more than all of it. A wait has to be five times the noise.
    *(to(expected, spaced(8, 0.2, spread=spread), **NOISY) for spread, expected in ((0.014, WARN), (0.016, INCONCLUSIVE), (0.05, INCONCLUSIVE), (0.06, PASS))),
    to(INCONCLUSIVE, spaced(8, 0.14, spread=0), **NOISY),
    to(WARN, spaced(8, 0.16, spread=0), **NOISY),
    # Where nothing is known of the machine it makes no wait rigid, but delays the median by half a second perhaps.
    *(to(expected, spaced(8, 1.0, spread=spread), **UNKNOWN) for spread, expected in ((0.01, WARN), (0.1, INCONCLUSIVE), (0.8, INCONCLUSIVE), (1.0, PASS))),
    to(INCONCLUSIVE, spaced(8, 1.0, spread=0.1), **UNKNOWN, says="of their median Add 20 successful requests"),
    to(INCONCLUSIVE, spaced(8, 1.0, spread=0.1), says="of their median Let more calls fail, for example http:503."),
    # A machine that was busy when most of these calls began may have made equal waits longer, however quiet it was later.
    *(to(expected, drawn(40, 1.0), successes(100), driven=True, late=most_of(40, seconds)) for seconds, expected in ((0.1, PASS), (0.15, INCONCLUSIVE))),
    # Of many waits the shortest three in four are compared.
    to(WARN, [call(1.0 + (0.5 if each % 20 == 0 else 0.001), at=each) for each in range(100)]),
    # Most of the retries decide; kinds are not mixed.
    to(WARN, RIGID, says="no jitter: 8 waits before the first retry were 1.00 s ± 0.1 %"),
    to(PASS, LOOSE),
    to(INCONCLUSIVE, RIGID, LOOSE),
    to(INCONCLUSIVE, spaced(8, 1.0, spread=0.0), LOOSE),
    to(INCONCLUSIVE, [call(1.0, 2.0 + each, at=each) for each in range(8)]),
    # A machine only adds to a wait: a fixed one has a long upper half and no lower one; jitter has both.
    to(INCONCLUSIVE, [call(each) for each in STUMBLED]),
    to(PASS, [call(0.9 - each) for each in STUMBLED]),
    # One that stumbles often hides no fixed wait, where three in four of all retries are alike before each of them.
    to(WARN, stumbling(1.0), says="no jitter: 20 waits before the first retry were 1.01 s ± 1.3 %"),
    to(INCONCLUSIVE, stumbling(1.0, 19)),
    to(INCONCLUSIVE, stumbling(1.0), [call(1.5, at=20.0)]),
    to(WARN, stumbling()),
    to(INCONCLUSIVE, stumbling(), drawn(8, 1.0, low=0.5, kind=INTERNAL)),
    to(INCONCLUSIVE, stumbling(), drawn(8, 1.0, low=0.9, kind=INTERNAL)),
    # Short waits count as well.
    to(PASS, LIFTED, **QUITE_NOISY),
    to(WARN, LIFTED, spaced(8, 0.15, 0.16, spread=0.0), **QUITE_NOISY),
    to(PASS, LIFTED, spaced(8, 0.15, 0.16, spread=0.9), **QUITE_NOISY),
)  # fmt: skip


def together(same, others, wait=1.0):
    """Calls that come back together, and some that do not."""
    return [*calls(same, wait), *(call(2 * wait + each, at=each) for each in range(others))]


def late_first_waits(fixed):
    """A fixed first wait, which a machine makes longer, and two with jitter."""
    draw = random.Random(1)
    return [
        call(fixed + 0.0095 * each, draw.uniform(0, 3), draw.uniform(0, 6), at=3 * each) for each in range(40)
    ]


def at_a_beat(number, period, *, late=0.0, phase=0.2, strays=0):
    """Calls that fail at any time, and retry at the next full beat, but for some `strays`."""
    draw = random.Random(1)
    found = []
    for each in range(number):
        at = draw.uniform(0, 20 * period)
        wait = period - (at + TOOK - phase) % period + draw.uniform(0, late)
        found.append(call(draw.uniform(0, period) if each < strays else wait, at=at))
    return found


HERD = rows(
    "thundering herd",
    # A client that retries reads alone waits in the outage only: these waits count, unless it waits elsewhere.
    to(WARN, calls(20, name="throttled"), READS_IN_OUTAGE, driven=True, n=120),
    # The share of the first retries in one tenth of their wait: 90 % fail, what is certainly more than half warns; 20 decide.
    *(to(expected, together(same, others)) for same, others, expected in ((18, 2, WARN), (17, 3, WARN), (16, 4, WARN), (10, 10, PASS), (19, 0, INCONCLUSIVE))),
    # By hand: of 20, fifteen are 0.75 with a standard error of 0.097, which is 0.498 at least; of 200, 119 are 0.595 with 0.035, 0.505.
    *(to(INCONCLUSIVE, together(same, others), says="; that may be chance Let more calls fail") for same, others in ((15, 5), (11, 9), (118, 82))),
    to(WARN, together(119, 81)),
    to(WARN, calls(20, 1.0, 2.0), says="100 % of them retry within the same 0.10 s"),
    # A machine spreads what comes together, and never brings it together.
    *(to(expected, together(same, others, 0.5), fast=(0.002, noise / 2)) for same, others, noise, expected in ((18, 2, 0.03, WARN), (17, 3, 0.026, WARN), (5, 15, 0.026, PASS))),
    to(INCONCLUSIVE, calls(20, 0.09), says="the first waits are too short to judge Configure waits of 100 ms or more"),
    *(to(INCONCLUSIVE, [call(0.26 + 0.004 * each, at=each) for each in range(20)], **how, says=f"a busy machine may have spread them {action}") for how, action in (({"fast": (0.002, 0.025)}, "Repeat it on an idle machine."), (UNKNOWN, "Add 20 successful"))),
    to(WARN, calls(20, 0.11)),
    to(INCONCLUSIVE, second_pass(30)),
    # Jitter of later waits says nothing of the first ones, which a machine may have spread.
    to(INCONCLUSIVE, late_first_waits(0.9), fast=(0.002, 0.1), says="a busy machine may have spread them"),
    # Kinds of failure are not mixed.
    to(INCONCLUSIVE, calls(15, 1.0), calls(15, 1.0, kind=INTERNAL)),
    to(WARN, calls(20, 1.0), drawn(20, 4.0, kind=INTERNAL)),
    # Those that come back at the same beat: their waits differ, and they come at once.
    *(to(WARN, at_a_beat(40, period), says="first retries came at the same moment of every") for period in (0.5, 1.0, 5.0)),
    to(WARN, at_a_beat(40, 1.0, late=0.05)),
    to(WARN, at_a_beat(40, 1.0, strays=10)),
    to(INCONCLUSIVE, at_a_beat(19, 1.0)),
    # What fails at a beat comes back at one.
    to(PASS, [call(random.Random(each).randrange(1, 5), at=float(each)) for each in range(40)], says_not="moment of every"),
)  # fmt: skip

LAYERED = (1.0, 2.0, 0.01, 1.0, 2.0, 0.01, 1.0, 2.0)
GROWS = rows(
    "backoff grows",
    # A client that retries reads alone waits in the outage only: these waits count, unless it waits elsewhere.
    to(PASS, calls(20, name="throttled"), READS_IN_OUTAGE, driven=True, n=360),
    *(to(expected, calls(3, 1.0, factor)) for factor, expected in ((1.0, WARN), (1.2, WARN), (1.3, PASS), (2.0, PASS))),
    # By fingerprint a caller that asks again looks like a wait that grows steeply.
    *(to(expected, calls(3, 0.5, 0.5 * factor, by=by, apart=90.0)) for factor, by, expected in ((2.0, None, PASS), (9.0, None, INCONCLUSIVE), (9.0, ID, PASS))),
    # It takes six waits before two retries, of 50 ms or more.
    to(INCONCLUSIVE, apart(2, 1.0, 2.0)),
    to(INCONCLUSIVE, apart(6, 1.0)),
    to(INCONCLUSIVE, apart(3, 0.049, 2.0)),
    to(PASS, apart(3, 0.051, 2.0)),
    # By hand: ten waits before each of two retries, half of them exp(scatter) longer and half shorter, growing by 1.5; the standard
    # error is scatter * sqrt(20 / 18 / 5), and 1.15 is reached at 0.2168.
    *(to(expected, [call(exp(sign * scatter), 1.5 * exp(sign * scatter), at=at) for at, sign in enumerate([1, -1] * 5)]) for scatter, expected in ((0.21, PASS), (0.225, INCONCLUSIVE))),
    # Only the first four are looked at: later ones have reached the longest wait.
    to(PASS, calls(3, 0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4)),
    to(WARN, calls(3, 0.5, 0.5, 0.5, 0.5, 60.0)),
    # Where only the first wait is shorter, the others may be the longest wait; one that creeps has not reached it.
    to(WARN, [call(1.0 + each / 50, 1.2, 0.9, 0.6, at=9 * each) for each in range(4)]),
    # It is not hidden by the growth after another kind of failure.
    to(INCONCLUSIVE, [call(0.4, 0.5, 0.5, 0.5, kind=INTERNAL, at=9 * each) for each in range(4)], [call(0.2, 0.4, 0.8, 1.6, at=99 + 9 * each) for each in range(4)]),
    to(INCONCLUSIVE, [call(2.2 + each / 5, 3.1, 3.1, 3.1, at=each) for each in range(4)], says="they are 3.10 s: the longest wait, or always the same one Raise the longest wait"),
    *(to(WARN, calls(4, *waits)) for waits in ((2.9, 3.1, 3.1, 3.1), (1.0, 1.1, 1.21, 1.33), (1.0, 1.15), (3.1, 3.1, 3.1, 2.5))),
    # Wide jitter and few calls do not tell.
    to(INCONCLUSIVE, drawn(6, 1.0, 2.0)),
    to(PASS, drawn(100, 1.0, 2.0, 4.0)),
    to(WARN, drawn(300, 1.0, 1.0, 1.0)),
    # Kinds are judged one by one, and the worst is told.
    to(WARN, calls(3, 1.0, 2.0), calls(3, 1.0, 1.0, kind=INTERNAL)),
    to(PASS, calls(3, 1.0, 2.0), drawn(6, 1.0, 2.0, kind=INTERNAL)),
    # Not by what a machine may add to the later ones.
    *(to(expected, apart(3, 0.1, 0.1 + more), **UNKNOWN) for more, expected in ((0.49, INCONCLUSIVE), (0.51, PASS))),
    *(to(expected, apart(3, 0.1, 0.1 + more), fast=(0.002, 0.02)) for more, expected in ((0.039, INCONCLUSIVE), (0.041, PASS))),
    # What is measured is not to be measured again.
    to(INCONCLUSIVE, apart(3, 0.1, 0.2), **UNKNOWN, says="which a busy machine alone may add Add 20 successful requests one after the other,"),
    to(INCONCLUSIVE, apart(3, 0.1, 0.139), fast=(0.002, 0.02), says="which a busy machine alone may add Repeat it on an idle machine."),
    to(INCONCLUSIVE, apart(3, 0.09, 0.09), fast=(0.002, 0.02), says="Not enough data: 0 of 6 waits of 0.10 s or more"),
    # The saw-tooth of two layers is none that does not grow.
    to(INCONCLUSIVE, calls(6, *LAYERED, by=MARK), says="nested retries mix the w"),
    to(WARN, calls(8, 1.2, 0.4, 0.3, by=MARK)),
    # What a machine may have added to them all hides how they grow; fixed waits have shortest ones that are alike.
    *(to(expected, [call(0.5 + each / 10, 0.3 + each / 10, at=9 * each) for each in range(4)], fast=fast) for fast, expected in (((0.0003, 0.001), WARN), (None, INCONCLUSIVE), ((0.002, 0.2), INCONCLUSIVE))),
    to(INCONCLUSIVE, [call(0.5 + each / 10, 0.3 + each / 10, at=9 * each) for each in range(4)], calls(3, 0.6, 1.8, kind=INTERNAL, at=99), **UNKNOWN, says="the waits change"),
    to(WARN, [call(1.0 + each / 50, 1.0 + (3 - each) / 50, at=9 * each) for each in range(4)], **UNKNOWN),
    *(to(expected, calls(8, 0.5, 0.5), successes(40), driven=True, late=most_of(8, seconds)) for seconds, expected in ((0.1, WARN), (0.15, INCONCLUSIVE))),
    # No machine hides that waits grow, whether it was measured or not.
    *(to(WARN, calls(3, 0.2, 0.2), fast=fast) for fast in ((0.0003, 0.001), None)),
    to(WARN, drawn(36, 0.2, 0.2, low=0.5), **UNKNOWN, says="the waits do not grow: by a factor of 0.98 per retry [0.86, 1.10]"),
)  # fmt: skip


def one_fault(retried, not_retried, *, last=FINE, kind=INTERNAL, **more):
    """Calls with one fault, the first of which are retried."""
    first = calls(retried, 0.2, kind=kind, last=last, **more)
    return [*first, *calls(not_retried, kind=kind, **{"at": 100.0, **more})]


def unheard(number, *, every=1.0, returned=False, at=200.0, **more):
    """Named calls that make no request."""
    return [
        CallWindow("put", at + every * each, at + every * each + 0.1, returned, **more)
        for each in range(number)
    ]


BUDGET = rows(
    "retry budget",
    # The last third of an outage makes 1.1 attempts per call at most; above 70 % of the first third is no budget.
    *(
        to(expected, outage(*[early] * 40, *[2] * 40, *[late] * 40), profile=profile)
        for early, late, profile, expected in ((3, 1, "rfc", PASS), (3, 3, "rfc", WARN), (3, 3, "sre", FAIL), (3, 2, "rfc", INCONCLUSIVE), (4, 3, "rfc", WARN), (1, 1, "sre", PASS))
    ),
    *(to(expected, outage(*[3] * 80, *[2] * more, *[1] * (40 - more))) for more, expected in ((4, PASS), (5, INCONCLUSIVE))),
    # A budget that is never refilled looks the same, also to a driver, so the finding does not promise a refill.
    *(to(PASS, outage(*[3] * 17, 2, *[1] * 102), driven=driven, says="attempts per call 1.9 → 1.0, 35 retries in 120 calls; this does not show whether the budget is refilled") for driven in (False, True)),
    to(PASS, outage(*[1] * 120), says_not="refilled"),
    # Where no call of it is retried, and others are, the budget was used up before.
    to(INCONCLUSIVE, calls(3, 0.1, last=FINE, at=-9), outage(*[1] * 120), says="a budget was used up before, or other calls alone are retried"),
    # It has a hundred calls of one name that all fail.
    to(INCONCLUSIVE, outage(*[3] * 99), n=0),
    to(WARN, outage(*[3] * 100), n=100),
    to(INCONCLUSIVE, outage(*[3] * 99), calls(1, 0.1, last=FINE, name="out", at=5), n=0),
    to(INCONCLUSIVE, outage(*[3] * 60, name="a"), outage(*[3] * 60, name="b"), n=0),
    to(INCONCLUSIVE, calls(200, 0.1), n=0),
    # What is still waiting may try again; who is asked to wait does not save.
    to(INCONCLUSIVE, outage(*[3] * 100), unread=outage(1, ended=False)),
    to(INCONCLUSIVE, outage(*[1] * 120, hint=30.0, hint_form="seconds")),
    # A budget that is used up by retries which succeed, and is not refilled: ten calls without one show it.
    to(WARN, one_fault(12, 30), says="12 of the first 12 calls were retried, none of the 30 behind them, as of a budget that is used up and not refilled"),
    to(WARN, one_fault(3, 10), n=13),
    *(
        to(INCONCLUSIVE, made, n=0)
        for made in (
            one_fault(2, 10), one_fault(3, 9), one_fault(12, 0), one_fault(12, 30, last=INTERNAL), [*one_fault(12, 30), *calls(1, 0.2, kind=INTERNAL, at=200)],
            one_fault(12, 30, method="POST"), one_fault(12, 30, kind=DENIED), one_fault(12, 30, hint=9.0, hint_form="seconds"), [*calls(12, 0.2, last=FINE), *calls(30, kind=INTERNAL, at=50)],
        )
    ),
    # A circuit breaker that does not close: named calls that fail without a request, to the end, and for 60 s.
    to(WARN, calls(91, kind=FINE, name="put", returned=True), windows=unheard(146), says="146 of 237 calls failed without a request, and all of the last 146, for 145 s, as behind a circuit breaker that does not close"),
    to(WARN, calls(3, kind=FINE, name="put"), windows=unheard(11, every=6.0)),
    to(INCONCLUSIVE, windows=unheard(30), fast=None),
    *(
        to(INCONCLUSIVE, calls(3, kind=FINE, name="put"), calls(1, kind=FINE, name="put", at=at), windows=unheard(number, every=every, returned=returned))
        for number, every, returned, at in ((9, 9.0, False, 9.0), (11, 5.9, False, 9.0), (30, 9.0, True, 9.0), (30, 9.0, None, 9.0), (30, 9.0, False, 525.0))
    ),
)  # fmt: skip


def tree(number, *, failures=6, retries=2, pair=0.1, method="PUT", name="upload"):
    """A call in which each failure starts so many retries, which come in pairs."""
    lines = [
        line(
            50.0 * number + each // 2 + each % 2 * pair,
            INTERNAL if each < failures else FINE,
            path=f"/b/tree-{number}",
            method=method,
        )
        for each in range(failures * retries + 1)
    ]
    return [Made(lines, name, True if name else None)]


def warm(number):
    """Requests that leave a connection each."""
    return calls(number, kind=FINE, at=-9.0, connection=None, every=[{"connection": 7}])


def in_a_row(things, length, pause=1.0, *, last=None, at=0.0, **more):
    """SDK calls of three attempts, `length` of them in a row for each thing."""
    return [
        call(0.1, 0.2, kind=INTERNAL, at=at + thing * 0.04 + each * (0.303 + pause), path=f"/b/{at + thing}", last=last if each == length - 1 else None, **more)
        for thing in range(things)
        for each in range(length)
    ]  # fmt: skip


def failed_and_asked_again(after, number=6, *, gaps=(0.1,), kind=INTERNAL, **more):
    """Failed calls of an SDK, whose requests then came again with success."""
    first = [call(*gaps, kind=kind, at=30 * each, path=f"/b/x{each}", **more) for each in range(number)]
    second = [
        call(kind=FINE, at=one.lines[-1]["answered"] + after, path=one.lines[0]["path"], **more)
        for one in first
    ]
    return [*first, *second]


CUT = fault("truncate", 200, "truncated", applied=True)


def cut_and_read_again(number):
    """Cut downloads, repeated at once with another id, as by s3transfer above botocore."""
    return failed_and_asked_again(0.003, number, gaps=(), kind=CUT, method="GET")


DENIED_THEN = [call(0.1, last=FINE, at=1.0, path="/b/0.0"), call(kind=DENIED, at=1.0, path="/b/1.0")]
LATE_ONES = [call(0.1, kind=INTERNAL, at=2.0, path=f"/b/{each}") for each in (0.0, 1.0)]
FALLS = (1, 0.1, 1)


def layers_with_jitter(number, inner=0.4, outer=(0.1, 0.3)):
    """Three times three attempts, whose waits are all drawn."""
    draw = random.Random(5)

    def gaps():
        for each in range(8):
            low, high = outer if each % 3 == 2 else (0.0, inner * 2 ** (each % 3))
            yield draw.uniform(low, high)

    return [call(*gaps(), at=9.0 * each, by=MARK) for each in range(number)]


NESTED = rows(
    "nested retries",
    # Two layers with jitter look like one: only waits that grow on from part to part are of one for sure.
    to(INCONCLUSIVE, layers_with_jitter(30), says="too much alike, to show a second layer"),
    to(PASS, client(Policy(attempts=4), Traffic(calls=30))),
    to(PASS, client(Policy(attempts=6, base=0.2), Traffic(calls=30))),
    to(INCONCLUSIVE, client(Policy(attempts=4, factor=1.0, jitter=0.5), Traffic(calls=30))),
    # By the ids of an SDK: failed calls in a row, each within 10 s of the one before, for two things or more.
    *(
        to(expected, in_a_row(things, length, pause), driven=True)
        for things, length, pause, expected in ((5, 1, 1.0, PASS), (4, 1, 1.0, INCONCLUSIVE), (1, 5, 1.0, INCONCLUSIVE), (3, 3, 1.0, FAIL), (3, 3, 9.9, FAIL), (3, 3, 10.1, PASS))
    ),
    # In a call that a test has a name for it is no caller.
    to(FAIL, in_a_row(3, 3), windows=[CallWindow("upload", -1.0, 99.0, key=f"{each}.0") for each in range(3)], says="a layer above the SDK retries"),
    # An SDK that marks its retries begins anew with a request that has no mark; elsewhere than in one named call it may be a caller.
    to(FAIL, in_a_row(3, 3, by=MARK), windows=[CallWindow("upload", -1.0, 99.0, key=f"{each}.0") for each in range(3)], n=9, says="3 objects were requested by up to 3 SDK calls in a row: a layer above the SDK retries"),
    to(INCONCLUSIVE, in_a_row(3, 3, by=MARK), n=9, says="which requests are of one call is not known"),
    # What its transport sends again at once, as a connection that was used before is lost, has no mark either, and is
    # no layer.
    *(
        to(expected, warm(3), calls(6, 0.3, by=MARK, kind=RESET, at=-5), calls(6, 0.0003, kind=RESET, last=FINE, by=None, every=[{"connection": 7}, {"connection": other}], name="put", returned=True))
        for other, expected in ((8, PASS), (7, INCONCLUSIVE))
    ),
    # Two retries for each failure: more requests than failures explain; a client that polls reads again although all is well.
    to(WARN, *(tree(each) for each in range(8)), n=8, says="104 requests in 8 calls, of which 48 failed: one failure starts several retries"),
    to(WARN, *(tree(each, method="GET", pair=0.0005) for each in range(3)), n=3),
    *(to(INCONCLUSIVE, *(tree(each, **how) for each in range(number)), n=0) for number, how in ((2, {}), (3, {"name": None}), (3, {"method": "GET"}), (3, {"failures": 1}))),
    to(INCONCLUSIVE, *(tree(each, retries=1) for each in range(4)), n=0),
    # Where nobody drives it may be the caller, unless what succeeds is not asked for again.
    to(WARN, in_a_row(3, 3), says="3 objects were requested by up to 3 SDK calls in a row: a layer above the SDK retries, or the caller repeats its call"),
    # Of the same things that fail again much later the longest row is told.
    to(WARN, in_a_row(3, 3), [call(0.1, kind=INTERNAL, at=300.0, path=f"/b/{each}.0") for each in range(3)], says="3 objects were requested by up to 3 SDK calls in a row"),
    to(WARN, in_a_row(3, 3), successes(3, 1)),
    to(FAIL, in_a_row(3, 3, 0.9), successes(41), says="as of 41 successful requests the client repeated none"),
    to(WARN, in_a_row(3, 3, 5.0), successes(41), says="a layer above the SDK retries, or the caller repeats its call"),
    # What a test asks for again in another call is no repeat of the client.
    to(FAIL, in_a_row(3, 3, 0.9), *(calls(1, kind=FINE, at=each + at, by=None, path=f"/b/told{each}", name="get", returned=True) for each in range(100, 141) for at in (0, 0.5))),
    # A layer above an SDK that does not try again is the only one.
    to(PASS, layered(5, 0.5, 0.7), driven=True, says="no second retry layer in 5 failed calls"),
    # Without a driver, two layers or a client that polls look the same.
    *(to(INCONCLUSIVE, layered(5, *gaps, apart=60.0), *more, says="10 failed requests came again" if len(gaps) == 2 else "came again under another id of the SDK, which repeats none") for gaps in ((0.5, 0.7), (0.3, 0.3, 3.0) * 2, [2.0] * 11) for more in ((), (successes(41),))),
    # One answer that came again so hides nothing of the others.
    to(PASS, layered(1, 0.5, kind=INTERNAL), calls(20, at=100)),
    # What an SDK retries itself shows two layers as before.
    to(FAIL, in_a_row(3, 3, 0.9), layered(5, 0.5, method="GET", at=90), successes(41)),
    # Different calls may begin with a HEAD: one after the other, these are no repeats.
    to(INCONCLUSIVE, in_a_row(3, 3, method="HEAD"), driven=True, n=0),
    to(PASS, in_a_row(3, 3, method="HEAD"), in_a_row(5, 1, at=90), driven=True, n=5),
    to(INCONCLUSIVE, calls(8, *FALLS, by=MARK, method="HEAD"), n=0),
    # A row ends with a success or a refusal; calls at once are none.
    to(INCONCLUSIVE, in_a_row(5, 1), DENIED_THEN, LATE_ONES),
    to(WARN, in_a_row(5, 1), LATE_ONES),
    to(PASS, in_a_row(5, 1), in_a_row(5, 1)),
    # A layer above shows also where its last call succeeds.
    to(FAIL, failed_and_asked_again(0.5), successes(41)),
    to(INCONCLUSIVE, failed_and_asked_again(5.0), successes(41)),
    to(FAIL, failed_and_asked_again(5.0), driven=True),
    to(INCONCLUSIVE, failed_and_asked_again(0.5), successes(41, 41)),
    to(PASS, failed_and_asked_again(12.0), successes(41)),
    to(PASS, failed_and_asked_again(12.0), failed_and_asked_again(0.5, 1), successes(41)),
    # What the SDK never retries itself, such as an answer that is cut, has one layer, be it another one; such calls show nothing of the rest.
    *(
        to(expected, cut_and_read_again(8), *more, successes(41, method="GET"))
        for more, expected in (
            ([calls(8, 0.3, last=FINE, method="GET", at=60)], INCONCLUSIVE),
            ([in_a_row(6, 1, method="GET", at=60)], PASS),
            ([in_a_row(3, 3, 0.9, method="GET", at=60)], FAIL),
            ([calls(3, 0.1, kind=CUT, method="GET", at=60)], INCONCLUSIVE),
        )
    ),
    to(INCONCLUSIVE, cut_and_read_again(8), calls(8, 0.3, last=FINE, method="GET", at=60), driven=True),
    to(INCONCLUSIVE, failed_and_asked_again(0.5, method="POST", gaps=()), calls(6, 0.3, last=FINE, at=400), successes(41, method="POST"), n=0),
    # What is never retried says nothing of the layers that retry other failures.
    to(PASS, calls(9, kind=RESET)),
    to(INCONCLUSIVE, calls(9, kind=RESET), calls(9, 0.2, 0.3, last=FINE, at=60), n=0),
    # By the saw-tooth of the waits: p x q attempts, and the wait falls after every p-th, or behind the one that follows it.
    *(
        to(expected, calls(number, *gaps, by=MARK))
        for number, gaps, expected in (
            (5, (1, 2, 0.1, 1, 2, 0.1, 1, 2), WARN), (4, (1, 2, 0.1, 1, 2, 0.1, 1, 2), INCONCLUSIVE),
            (5, (0.0, 0.4, 0.8, 1, 0.0, 0.4, 0.8, 1, 0.0, 0.4, 0.8), WARN),  # the outer layer waits as well
            (7, FALLS, INCONCLUSIVE), (8, FALLS, WARN), (8, (1, 0.49, 1), WARN), (8, (1, 0.51, 1), INCONCLUSIVE), (8, (1, 0.51, 0.4), PASS),
            (8, (1, 0.1, 1, 1, 0.1, 1, 1, 0.1, 1), INCONCLUSIVE),  # 10 attempts are no row of threes
            (6, (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8), PASS), (8, (0.0009, 0.0001, 0.0009), INCONCLUSIVE),
            (6, (1, 0.1, 1, 0.1, 1, 0.1), INCONCLUSIVE),  # 7 is no product, but one layer waits longer each time
            (8, (1, 2, 1, 2, 3, 7), INCONCLUSIVE),  # a budget may have ended one of the layers
            (8, (0.41, 0.46, 0.82), INCONCLUSIVE), (8, (0.41, 0.82, 1.23), PASS),  # it has ended the inner one after a retry
            (8, (1.2, 0.4, 0.3), PASS), (8, (1.2, 0.4, 0.61), WARN),  # what falls and does not rise again waits the wrong way round
            (12, (0.012, 0.025, 0.005, 0.012, 0.025), INCONCLUSIVE), (12, (0.12, 0.25, 0.05, 0.12, 0.25), WARN),  # those of a tight loop do not tell
        )
    ),
    to(WARN, calls(5, 1, 1.2, 0.1, 1, 1.2, 0.1, 1, 1.2, by=MARK), says="9 attempts = 3 × 3: the wait falls by a factor of 12"),
    to(WARN, calls(6, 1, 0.1, 1, 0.1, 1, by=MARK), says="6 attempts = 3 × 2"),
    # Five that failed to the end decide; a conflict after a throttle is no such end.
    to(INCONCLUSIVE, calls(4, 0.1), calls(3, 0.1, last=DENIED)),
    to(PASS, calls(5, 0.1)),
    # One call in ten whose wait rises does not hide the layer; two do.
    to(WARN, [call(*FALLS, at=each, by=MARK) for each in range(9)], [call(0.1, 1, 1, at=20, by=MARK)]),
    to(INCONCLUSIVE, [call(*FALLS, at=each, by=MARK) for each in range(9)], [call(0.1, 1, 1, at=20 + each, by=MARK) for each in range(2)]),
    # Waits that an answer asked for, or that are not known, are no saw-tooth, and hide one; a prime number of attempts has no layers.
    to(INCONCLUSIVE, calls(8, 3, 0.1, 3, 0.1, 3, hint=3.0, hint_form="seconds", by=MARK)),
    to(INCONCLUSIVE, calls(8, *FALLS, every=[{}, HUNG | {"answered": None}], by=MARK)),
    to(INCONCLUSIVE, calls(10, 3, 3, 3, hint=3.0, hint_form="seconds", by=MARK), says="10 failed calls without an id: too few, cut short, or with waits too short or too much alike, to show a second layer"),
    to(PASS, calls(10, 3, 3, 3, hint=3.0, hint_form="seconds")),
    to(PASS, calls(10, 3, 3, hint=3.0, hint_form="seconds", by=MARK)),
    to(PASS, calls(5, by=None)),
    # What ended sooner than others shows nothing: a deadline or a budget may have ended the second layer.
    *(to(expected, calls(9, 1, 2, by=MARK), calls(longest, 1, 2, 4, 8, by=MARK, at=60), says="cut short" if expected == INCONCLUSIVE else "in 17") for longest, expected in ((7, INCONCLUSIVE), (8, PASS))),
    to(INCONCLUSIVE, calls(20, by=MARK), calls(4, 1, 2, by=MARK, at=60), says="20 failed calls"),
    *(to(expected, calls(seen, 1, 2, 4, by=MARK), calls(20 - seen, 3, 3, 3, hint=3.0, hint_form="seconds", by=MARK)) for seen, expected in ((7, INCONCLUSIVE), (8, PASS))),
    # Waits of calls with ids do not count for calls without.
    to(INCONCLUSIVE, calls(4, 1, 2, 4), calls(7, 1, 2, 4, by=MARK), says="7 failed calls without an id: too few, cut short, or with waits too short or too much alike, to show a second layer Let more calls"),
    to(INCONCLUSIVE, calls(3, 1, 2, 4, by=MARK), calls(4, 1, 2, 4, 8, 16, by=MARK), calls(4, 1, 2), says="7 failed calls"),
    to(INCONCLUSIVE, calls(7, 3, 3, 3, by=MARK), calls(9), says="7 failed calls"),
)  # fmt: skip


def slow(number, *copies, delay=0.4, method="PUT", **more):
    """Requests that are answered after `delay`, and their copies, at these seconds after them."""
    gaps, answered = [], delay
    for each in copies:
        gaps.append(each - answered)
        answered = each + TOOK
    every = [{"took": delay}, *[FINE] * len(copies)]
    return calls(number, *gaps, kind=DELAYED, every=every, method=method, apart=1.0, **more)


def copied(*hints, method="PUT", gap=0.1, name="copied"):
    """Three calls of delayed requests, each as long after the one before it."""
    return [
        Made([line(at + gap * place, DELAYED, took=0.4, method=method, path=f"/b/copied{at}", attempt_hint=hint) for place, hint in enumerate(hints)], name)
        for at in range(3)
    ]  # fmt: skip


def given_up(number, gap=0.1, *, after=0.2, **more):
    """Requests that their client has left after so long, and sent again."""
    left = DELAYED | {"left": True}
    return calls(number, gap, kind=left, last=FINE, every=[{"took": after}], apart=1.0, by=None, **more)


DRIVEN = {"driven": True}
A, B = {"invocation": "a-1"}, {"invocation": "b-1"}
OVERLAP = rows(
    "overlap",
    # One copy is one too many; three slow requests decide. Slow is what takes three tenths of a second.
    to(PASS, slow(3), **DRIVEN),
    # A call that a test has a name for is known, whatever ids an SDK sends in it; of others that are slow the number is told.
    to(PASS, slow(3, name="put")),
    to(INCONCLUSIVE, slow(3), n=3, says="copies of a request look like other calls"),
    to(WARN, slow(2), slow(1, 0.1, at=9), **DRIVEN),
    to(WARN, slow(3, 0.1), slow(3, at=9), **DRIVEN, says="a second copy of 3 of 6 slow requests came 0.10 s (median) after the first, before the answer"),
    to(INCONCLUSIVE, slow(2), **DRIVEN),
    to(INCONCLUSIVE, slow(2, 0.1), **DRIVEN),
    to(WARN, slow(3, 0.399), **DRIVEN),
    to(FAIL, slow(3, 0.399, method="POST"), **DRIVEN),
    to(PASS, slow(3, 0.401), **DRIVEN),
    to(PASS, slow(3, delay=0.31), **DRIVEN),
    to(INCONCLUSIVE, slow(3, delay=0.29), **DRIVEN),
    # A hedge is a single copy of a request that changes nothing, after a wait; it is judged by the middle of its waits.
    to(PASS, slow(3, 0.1, method="GET"), **DRIVEN, says="0.10 s (median) after the first, before the answer: these reads are hedged"),
    to(PASS, slow(3, 0.1, method="HEAD"), **DRIVEN),
    to(WARN, slow(3, 0.01, method="GET"), **DRIVEN),
    to(WARN, slow(3, 0.1, 0.2, method="GET"), **DRIVEN),
    to(PASS, slow(1, 0.001, method="GET"), slow(2, 0.15, method="GET", at=9), **DRIVEN),
    to(WARN, slow(2, 0.001, method="GET"), slow(1, 0.15, method="GET", at=9), **DRIVEN),
    # Not where the client may have been busy with other requests, or nobody knows how fast it is; whoever runs a plan cannot send fewer, or others.
    to(INCONCLUSIVE, slow(3, 0.05, method="GET"), *(calls(40, at=float(each), apart=0.001) for each in range(3)), **DRIVEN, fast=(0.002, 0.006), says="too soon to tell a hedge from a copy at once Leave out `--phase`, make every kind of call, raise `--deadline` if calls had not ended, and use an idle machine;"),
    to(INCONCLUSIVE, slow(3, 0.05, method="GET"), **DRIVEN, **UNKNOWN, says="at once Leave out `--phase`"),
    # One of a write is too many, whenever it comes, and beside hedged reads.
    to(WARN, slow(6, 0.1, method="GET"), slow(6, 0.1, at=9), **DRIVEN, says="12 of 12 slow requests came 0.10 s (median) after the first, before the answer; 6 writes among them"),
    # Copies with ids of their own are found by what they ask for: the driver knows that it asked once.
    to(WARN, calls(3, 0.1 - 0.4, kind=DELAYED, every=[{"took": 0.4, "attempt_hint": {"invocation": "a-1"}}, {**FINE, "attempt_hint": {"invocation": "b-1"}}]), **DRIVEN),
    to(WARN, copied({"invocation": "0123456789abcdef"}, {"invocation": "fedcba9876543210"}), **DRIVEN, says="3 of 6 slow requests came 0.10 s (median) after the first, before the answer; 3 writes"),
    to(WARN, calls(3, 0.1 - 0.4, 0.5, kind=DELAYED, every=[{"took": 0.4, "attempt_hint": A}, {**SLOW_DOWN, "attempt_hint": B}, {**FINE, "attempt_hint": B}], name="put"), **DRIVEN),
    to(WARN, copied(A, B, method="GET", gap=0.0001), **DRIVEN),
    to(PASS, copied(A, B, method="GET"), **DRIVEN, says="these reads are hedged"),
    # Another part is no copy, nor is what another call asks for at the same time, or another form that names its key in its body.
    to(PASS, copied({**A, "part": "bytes=0-99"}, {**B, "part": "bytes=100-199"}, method="GET"), **DRIVEN, says="0 of 6 slow requests were sent twice"),
    to(PASS, [Made([line(at, DELAYED, took=0.9, path="/b/k")], f"{at}") for at in (0, 0.4, 3, 3.4)], says="0 of 4 slow requests"),
    to(PASS, [Made([line(at / 10, DELAYED, took=0.4, method="POST", path="/b", key=None)]) for at in range(3)], **DRIVEN, says="0 of 3 slow requests"),
    # Nobody can tell in traffic that nobody drives, unless a test says which requests belong together.
    to(INCONCLUSIVE, slow(3, 0.1, by=None)),
    to(WARN, slow(3, 0.1, by=None, name="get")),
    to(PASS, slow(3, by=None, name="get"), slow(3, 0.1, at=9)),
    # A client that leaves what is under way and asks again has too short a time-out; one that has its answer from a copy has not.
    to(WARN, given_up(3), slow(1), says="gave up after 0.20 s (median) while the server was still at work, and sent the request again: 3 of 4 requests"),
    to(WARN, given_up(3, name="get")),
    to(INCONCLUSIVE, given_up(2)),
    to(INCONCLUSIVE, given_up(3, -0.02, method="GET", name="get")),
    # A server may notice late that a client has left: it has timed out where it did so before half of all.
    to(WARN, given_up(2, 0.002), given_up(2, -0.002, at=9), says="sent the request again: 4 of 4 requests"),
    to(WARN, given_up(8, -0.02, method="GET", name="get"), given_up(4, at=99, method="GET", name="get"), says="gave up after 0.20 s (median) while the server was still at work, and sent the request again: 4 of 12"),
    # One that lets the loser go has sent a write twice all the same.
    to(WARN, given_up(3, -0.02, name="put"), says="sent 3 writes a second time after 0.18 s (median), and then left the first: a hedge whose loser is cancelled, or"),
    to(WARN, given_up(3, -0.02, after=0.4, name="put"), says="a second copy of 3 of 3 slow requests came 0.38 s (median) after the first, before the answer; 3 writes"),
    to(WARN, given_up(3, -0.02), slow(3, at=9), **DRIVEN),
    to(INCONCLUSIVE, given_up(2, -0.02, name="put"), given_up(3, -0.02, at=9, method="GET", name="get")),
)  # fmt: skip

NEW, OLD = {"profile": "aws-2026"}, {"profile": "aws-legacy"}
AGENT = {"user_agent": "cos-python-sdk-v5.1.9.44"}
COS = {"profile": "cos"}
BOTO3 = (
    "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11.7 m/E,b cfg/retry-mode#standard"
    " Botocore/1.44.5"
)


def sent_again(number, *, numbers=(), most=None, kind=RESET, wait=0.0003, anew=1):
    """Calls of five requests, the second of which a transport sent on a `warm` connection."""
    hints = [{"attempt_hint": {"attempt": each, "max": most}} for each in numbers] or [{}] * 5
    every = [{**hint, "connection": 7 + anew * bool(place)} for place, hint in enumerate(hints)]
    every[0] |= kind
    return calls(number, wait, 1, 2, 3, kind=INTERNAL, every=every)


ATTEMPTS = rows(
    "attempts",
    to(None, calls(30, 1.0)),
    # A quota that is used up ends calls after various numbers of attempts; one number in all of them is the client's own.
    *(
        to(expected, calls(some, 0.1, 0.1, kind=INTERNAL, attempt_hint={"max": 6}), calls(others, 0.1, 0.1, 0.1, kind=INTERNAL, attempt_hint={"max": 6}), **NEW)
        for some, others, expected in ((8, 8, INCONCLUSIVE), (3, 8, FAIL), (0, 16, FAIL))
    ),
    # Exactly four for COS: not one more, not one less.
    to(PASS, calls(3, 1, 2, 3), **COS),
    to(INCONCLUSIVE, calls(2, 1, 2, 3), **COS),
    to(FAIL, calls(9, 1, 2, 3), calls(1, 1, 1, 1, 1, at=5), **COS),
    to(FAIL, calls(9, 1, 2, 3), calls(1, 1, 1, at=5), **COS),
    to(FAIL, calls(3, 1, 2, 3, 4), **COS, says="5 attempts in 3 of 3 calls; cos promises 4"),
    # The default of a client that may be configured is no promise; what it says itself is one, on whatever attempt.
    to(INCONCLUSIVE, calls(3, 1, 2, 3, 4, **AGENT), profile=None, says="5 attempts in 3 of 3 calls. The default of Tencent Cloud COS SDK for Python is 4 attempts"),
    to(PASS, calls(3, 1, 2, 3, **AGENT), profile=None),
    to(FAIL, calls(3, 1, 1, 1, 1, every=[{}, {"attempt_hint": {"max": 3}}], **AGENT), profile=None, says="5 attempts in 3 of 3 calls; the client itself says 3"),
    to(PASS, calls(3, 1, 1, every=[{}, {"attempt_hint": {"max": 3}}], **AGENT), profile=None),
    # What an SDK says of one id is no promise of the layer above it, which retries under several.
    to(PASS, layered(3, 1, 2, 3), **COS, driven=True, says="4 attempts in 3 of 3 calls"),
    # Fewer may be a quota that ran dry, but not in the first ten calls; more are always too many.
    to(INCONCLUSIVE, calls(5, 1, 1), calls(5, 1, at=100), **NEW),
    to(FAIL, calls(12, 1), **NEW),
    # There too, if calls at the same time used it up: 35 retries after a server's failure.
    *(
        to(expected, calls(6, 0.3, 0.6, kind=INTERNAL, attempt_hint={"max": 6}, apart=apart), calls(number, 0.3, 0.6, 1.2, kind=INTERNAL, attempt_hint={"max": 6}, apart=apart), **NEW)
        for number, apart, expected in ((8, 0.01, INCONCLUSIVE), (7, 0.01, FAIL), (8, 9.0, FAIL))
    ),
    to(FAIL, calls(5, 1, 1), calls(1, 1, 1, 1, 1, at=9), **NEW),
    # A client says itself how often it tries.
    to(PASS, calls(3, 1, 1, 1, 1, attempt_hint={"max": 5}), **NEW, says="5 attempts in 3 of 3 calls"),
    to(FAIL, calls(3, 1, 1, 1, 1), **NEW, says="aws-2026 promises 3"),
    # A transport sends again by itself what met a dead connection, kept alive before: by the client's own numbers, or at once and elsewhere.
    *(
        to(expected, warm(3), sent_again(3, **more), **how, says=said)
        for more, how, expected, said in (
            ({"numbers": (1, 1, 2, 3, 4), "most": 4}, NEW, PASS, "4 attempts in 3 of 3 calls"),
            ({"numbers": (1, 2, 3, 4, 5), "most": 4}, NEW, FAIL, "5 attempts in 3 of 3 calls; the client itself says 4"),
            ({"numbers": (1, 1, 2, 3, 4), "most": 4, "kind": SLOW_DOWN}, NEW, FAIL, "the client itself says 4"),
            ({}, COS, PASS, "4 attempts in 3 of 3 calls"),
            ({"wait": 0.3}, COS, FAIL, "cos promises 4"),
            ({"kind": CUT}, COS, FAIL, "cos promises 4"),
            ({"anew": 0}, COS, FAIL, "cos promises 4"),
        )
    ),
    to(FAIL, sent_again(3), **COS),
    # Calls that succeeded, were not retried, were refused or a POST, and those of an outage do not count.
    to(PASS, calls(3, 1, last=FINE), calls(3), calls(3, 1, kind=DENIED), calls(3, 1, method="POST"), outage(*[2] * 100, at=50), calls(3, 1, 1), **NEW, n=3),
    to(PASS, calls(5, 1, last=DENIED), calls(3, 1, 2, 3), **COS),
)  # fmt: skip


def longer(number, by, **more):
    """Calls whose first wait is longer than AWS promises after a throttle, one after the other."""
    return calls(number, 1.0 + by, **{"apart": 5.0, **more})


KEPT = [*calls(10, 1.0, 2.0), *calls(10, 0.05, 0.1, kind=INTERNAL), *calls(10, 0.05, 0.1, kind=RESET)]
BOUND = rows(
    "backoff bound",
    to(None, calls(30, 1.0)),
    # Two in a hundred may be late; a third of all, or of those before one retry, are the client's own.
    *(
        to(expected, calls(within, 1.0, apart=5.0), longer(beyond, by, at=900), **NEW)
        for within, beyond, by, expected in (
            (20, 0, 0.0, PASS), (19, 0, 0.0, INCONCLUSIVE), (98, 2, 0.6, PASS), (97, 3, 0.6, INCONCLUSIVE), (97, 3, 0.019, PASS), (67, 33, 0.6, INCONCLUSIVE), (66, 34, 0.6, FAIL), (66, 34, 0.021, FAIL),
        )
    ),
    # A wait without jitter is always at its bound: it may be a quarter late, half is too much.
    to(PASS, calls(20, 1.25, 2.5, 3.75), **COS),
    to(FAIL, calls(20, 1.4, 2.0, 3.0), **COS),
    # Each kind of failure and each retry has its bound.
    to(PASS, KEPT, **NEW),
    to(INCONCLUSIVE, KEPT, calls(9, 0.7, kind=INTERNAL, at=9), **NEW, says="9 of 69 waits are longer than their bound, by up to 0.65 s: 0.70 s before the retry after a server failure, where aws-2026 has at most 50 ms"),
    to(FAIL, KEPT, calls(10, 0.7, kind=INTERNAL, at=9), **NEW, says="; aws-2026 promises at most 50 ms there"),
    # The default of a client that may be configured is measured.
    to(INCONCLUSIVE, calls(20, 9.0, 9.0, **AGENT), profile=None, says="or breaks it, or its machine was busy Repeat it on an idle machine, or give `--profile FILE`"),
    # A HEAD has no body, so that its client cannot see the code that the bound depends on.
    to(INCONCLUSIVE, calls(30, 1.9, method="HEAD"), **NEW, n=0),
    # A slow client has more time; where nothing is known of it, it may be slow.
    *(to(expected, longer(20, by), **NEW, fast=(0.01, 0.049)) for by, expected in ((0.097, PASS), (0.099, FAIL))),
    *(to(expected, longer(20, by), **NEW, **UNKNOWN) for by, expected in ((0.019, PASS), (0.021, INCONCLUSIVE), (0.49, INCONCLUSIVE), (0.51, FAIL))),
    to(INCONCLUSIVE, calls(20, 0.09, kind=INTERNAL), **NEW, fast=(0.01, 0.03), says="20 of 20 waits are within the bounds of aws-2026, if a busy machine has added up to 60 ms Repeat it on an idle machine."),
    to(INCONCLUSIVE, calls(20, 0.09, kind=INTERNAL), **NEW, **UNKNOWN, says="added up to 0.50 s Add 20 successful requests"),
    # A machine that was busy when these calls began may have made their waits longer.
    *(to(expected, calls(20, 1.3), successes(100), driven=True, late=most_of(20, seconds), **NEW) for seconds, expected in ((0.25, FAIL), (0.35, INCONCLUSIVE))),
    # A promise not to wait is not judged: QingStor's first retry comes at once.
    to(INCONCLUSIVE, calls(20, 0.3), profile="qingstor", n=0),
    to(FAIL, calls(20, 0.3, 4.0), profile="qingstor", n=20),
)  # fmt: skip


def first_waits(number, low, high, seed=4, plus=0.0003):
    """Throttled calls with a first wait between two bounds."""
    draw = random.Random(seed)
    return [call(plus + draw.uniform(low, high), at=25 * each) for each in range(number)]


FULL_JITTER = rows(
    "full jitter",
    to(None, calls(30, 1.0)),
    # Half of the range is not the range; 30 waits decide.
    *(
        to(expected, first_waits(number, low, high), **NEW)
        for number, low, high, expected in ((30, 0.0, 1.0, PASS), (29, 0.0, 1.0, INCONCLUSIVE), (30, 0.0, 0.5, FAIL), (30, 0.5, 1.0, FAIL), (30, 0.0, 0.72, INCONCLUSIVE), (30, 1.0, 1.0, FAIL))
    ),
    to(PASS, [call(0.0003 + (each + 0.5) / 30, at=25 * each) for each in range(30)], **NEW),
    # A thousand show any small shift: it has to be a large one.
    to(INCONCLUSIVE, first_waits(1000, 0, 1, 5, 0.1), **NEW),
    to(FAIL, first_waits(1000, 0, 1, 5, 0.3), **NEW),
    # A machine that was busy when these calls began may have made their waits longer.
    *(to(expected, first_waits(60, 0, 1, 5, 0.35), successes(200), driven=True, late=most_of(60, seconds), **NEW) for seconds, expected in ((0.0, FAIL), (0.3, INCONCLUSIVE))),
    # Where nobody measured it, the machine may have made them longer by half a second, and none of them shorter.
    *(to(expected, first_waits(60, low, high), **NEW, **UNKNOWN) for low, high, expected in ((0.0, 0.5, FAIL), (0.5, 1.0, INCONCLUSIVE))),
    to(INCONCLUSIVE, calls(40, 0.9, method="HEAD"), **NEW, n=0),
    to(INCONCLUSIVE, calls(40, 0.9, user_agent=BOTO3), profile=None, says="The default of AWS SDKs, retry mode standard, since November 2026 is full jitter"),
    # Below half a second the client's own time would be part of it.
    to(INCONCLUSIVE, calls(40, 0.03, kind=INTERNAL), **NEW, n=0),
    to(FAIL, calls(40, 0.03, kind=INTERNAL), **OLD, n=40),
    # Nor below twice the noise: that is said, and what to do about it.
    to(INCONCLUSIVE, calls(29, 0.7), **NEW, says="Not enough data: 29 of 30 waits with a bound of 0.50 s or more Let more calls fail, with the kind of failure"),
    to(INCONCLUSIVE, calls(29, 0.7), **NEW, **UNKNOWN, says="Not enough data: 29 of 30 waits with a bound of 1.00 s or more Let more calls fail, with the kind of failure"),
    to(INCONCLUSIVE, calls(40, *[0.04] * 4, 0.7, kind=INTERNAL), **NEW, **UNKNOWN, n=40, says="0 of 30 waits with a bound of 1.00 s or more Add 20 successful requests"),
    to(FAIL, calls(40, *[0.04] * 4, 0.7, kind=INTERNAL), **NEW, n=40),
    # A range that does not begin at nothing: Azure waits 15 to 21 s before the first retry.
    to(PASS, first_waits(30, 15.0, 21.0, 2), profile="azure"),
    to(FAIL, first_waits(30, 0.0, 21.0, 2), profile="azure"),
)  # fmt: skip


def costs(retries, number=120, kind=INTERNAL, **more):
    """An outage with so many retries in all, two a call as long as there are any."""
    return outage(*(1 + min(2, max(0, retries - 2 * each)) for each in range(number)), kind=kind, **more)


QUOTA = rows(
    "retry quota",
    to(None, calls(30, 1.0)),
    # 35 after server errors, 100 after throttles; before November 2026 100 for all, and 50 after time-outs. Where the user agent
    # leaves two SDKs possible, the number of either is right.
    *(
        to(expected, costs(retries, kind=kind), profile=profile)
        for retries, kind, profile, expected in (
            (35, INTERNAL, "aws-2026", PASS), (34, INTERNAL, "aws-2026", FAIL), (36, INTERNAL, "aws-2026", FAIL), (100, INTERNAL, "aws-legacy", PASS), (35, INTERNAL, "aws-legacy", FAIL),
            (35, INTERNAL, "aws-sdk-js", PASS), (50, INTERNAL, "aws-sdk-js", PASS), (42, INTERNAL, "aws-sdk-js", FAIL), (51, INTERNAL, "aws-sdk-js", FAIL), (50, HUNG, "aws-legacy", PASS),
            (100, SLOW_DOWN, "aws-2026", PASS), (35, DENIED, "aws-2026", PASS),
        )
    ),
    # What has not ended may yet come to it, but not from above; two kinds have no promise.
    to(INCONCLUSIVE, costs(34), unread=costs(0, 1, ended=False), **NEW),
    to(FAIL, costs(36), unread=costs(0, 1, ended=False), **NEW),
    to(INCONCLUSIVE, costs(34, 100), costs(1, 20, SLOW_DOWN, at=9), **NEW),
    to(INCONCLUSIVE, costs(35, 99), **NEW),
)  # fmt: skip


test_verdict = each_holds(
    *BACKOFF, *JITTER, *HERD, *GROWS, *BUDGET, *NESTED, *OVERLAP, *ATTEMPTS, *BOUND, *FULL_JITTER, *QUOTA
)


def test_the_herd_is_the_second_sentence_of_waits_that_repeat():
    """People get one finding of both, machines two; a herd with random waits has its own."""
    made = (calls(20, 1.0, 2.0), stumbling(1.0), spaced(20, 1.0, spread=0.13))
    assert [finding("thundering herd", each).said_by for each in made] == ["jitter", "jitter", None]


def decorrelated(seed):
    """Most later waits of AWS's decorrelated jitter are cut off at the longest one."""
    draw = random.Random(seed)

    def longer(wait, _):
        return min(1.5, draw.uniform(0.5, 3 * wait))

    waits = [[*accumulate(range(5), longer, initial=0.5)] for _ in range(30)]
    return [call(*each[1:], at=number) for number, each in enumerate(waits)]


@pytest.mark.parametrize(
    "made",
    [
        *(lambda seed, low=low: drawn(8, 0.5, 1.0, 2.0, low=low, seed=seed) for low in (0.0, 0.5, 0.6)),
        lambda seed: drawn(20, 1.0, low=0.88, seed=seed),
        lambda seed: drawn(8, 0.5, 1.0, 2.0, low=0.88, seed=seed),
        decorrelated,
    ],
    ids=["full", "equal", "25 % to both sides", "12 %, one retry", "12 %, three retries", "decorrelated"],
)
def test_jitter_is_never_called_rigid(made):
    """Five seeds each."""
    assert WARN not in [verdict("jitter", made(seed), fast=(0.0003, 0.001)) for seed in range(5)]


@pytest.mark.parametrize("low", [slowly(0.74), 0.67], ids=["15 % to both sides", "20 % to both sides"])
def test_jitter_is_never_called_a_herd(low):
    """Eleven of twenty waits come together by chance in some of twenty seeds, sixteen in none."""
    found = {verdict("thundering herd", drawn(20, 1.0, low=low, seed=seed)) for seed in range(20)}
    assert found <= {PASS, INCONCLUSIVE}


@pytest.mark.slow
def test_an_even_draw_is_never_said_to_be_another_nor_to_have_a_beat():
    """Full jitter, and waits from one range, are a saw-tooth in at most one of a hundred runs."""
    even = [verdict("full jitter", first_waits(60, 0.0, 1.0, seed), **NEW) for seed in range(20)]
    assert FAIL not in even
    draw = random.Random(3)
    beats = [[call(draw.uniform(0, 2), at=draw.uniform(0, 60)) for _ in range(20)] for _ in range(20)]
    assert {verdict("thundering herd", each) for each in beats} <= {PASS, INCONCLUSIVE}
    teeth = 0
    for attempts, number, _ in product((4, 6, 8, 9, 12), (5, 8, 12), range(15)):
        waits = [
            call(*(draw.uniform(0, 1) for _ in range(attempts - 1)), at=i, by=MARK) for i in range(number)
        ]
        teeth += verdict("nested retries", waits, fast=None) == WARN
    assert teeth <= 5


def test_half_a_second_is_the_shortest_bound_that_tells_of_the_draw(tmp_path):
    """It is not too short itself."""
    path = tmp_path / "own.toml"
    for base, n in ((500, 40), (490, 0)):
        path.write_text(
            f'title = "own"\nreference = "own"\ndistribution = "uniform"\nwaits.any.base = "{base}ms"\n'
        )
        assert finding("full jitter", calls(40, 0.3), profile=str(path)).n == n
