"""How a client backs off: `backoff`, `jitter`, `thundering herd`, `backoff grows`."""

import random
from math import exp

import pytest

from faultinject.audit.evidence import Turnaround
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.journal.calls import FINGERPRINT

from .made import FAST, FINE, INTERNAL, RESET, TOOK, UNKNOWN, call, calls, finding, verdict

NOISY = Turnaround(0.002, 0.015, 20)
"""A client on a busy machine: 30 ms are no wait, and waits may differ by as much."""


def drawn(number, *bounds, low=0.0, seed=1, **more):
    """Calls whose waits are drawn evenly between a share of their bounds and the bounds."""
    draw = random.Random(seed)
    return [
        call(*(draw.uniform(low * each, each) for each in bounds), at=0.04 * i, **more) for i in range(number)
    ]


def spaced(number, *middles, spread, **more):
    """Calls whose waits differ by exactly `spread`, evenly; the longest of each but one is far off."""
    steps = [spread * each / (number - 2) for each in range(number - 1)] + [10 * spread]
    return [call(*(middle + step for middle in middles), at=0.04 * i, **more) for i, step in enumerate(steps)]


@pytest.mark.parametrize(
    ("number", "later", "expected"),
    [(10, 0.0199, FAIL), (10, 0.021, PASS), (9, 0.0003, INCONCLUSIVE), (9, 1.0, INCONCLUSIVE)],
)
def test_second_and_later_retries_wait(number, later, expected):
    """Less than 20 ms is no wait, and 10 waits tell; the first retry may come at once."""
    assert verdict("backoff", calls(number, 0.0003, later)) == expected


@pytest.mark.parametrize(
    ("later", "expected"), [(0.029, FAIL), (0.031, INCONCLUSIVE), (0.149, INCONCLUSIVE), (0.151, PASS)]
)
def test_a_slow_machine_raises_what_counts_as_no_wait(later, expected):
    """Twice the turn-around's p95 is none for sure; a tight loop was seen to take 0.11 s when too much went on."""
    assert verdict("backoff", calls(10, 0.001, later, apart=1.0), turnaround=NOISY) == expected


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.019, FAIL), (0.021, INCONCLUSIVE), (0.299, INCONCLUSIVE), (0.301, PASS)]
)
def test_a_wait_no_longer_than_requests_are_late_may_be_none(gap, expected):
    """A tight loop on a machine that is busy looks like a wait."""
    busy = Turnaround(0.002, 0.005, 25, busy=0.3)
    assert verdict("backoff", calls(10, 0.001, gap), turnaround=busy) == expected
    only = {FAIL: WARN}.get(expected, expected)
    assert verdict("backoff", calls(5, gap), turnaround=busy) == only


@pytest.mark.parametrize(
    ("gap", "stalled", "expected"),
    [
        (0.064, 0.0, PASS),
        (0.064, 0.06, INCONCLUSIVE),
        (0.019, 0.018, FAIL),
        (0.51, 0.5, INCONCLUSIVE),
        (0.54, 0.5, PASS),
    ],
)
def test_what_the_machine_tells_of_each_wait_counts_beside_what_a_driver_measures(gap, stalled, expected):
    """First requests were 10 ms late, and a tight loop took 64 ms on a machine that kept work waiting all the time."""
    every = [{"stalled": 7.0}, {"stalled": 7.0}, {"stalled": 7.0 + stalled}]
    busy = Turnaround(0.002, 0.005, 25, busy=0.01)
    assert verdict("backoff", calls(10, 0.001, gap, every=every), turnaround=busy) == expected
    only = {FAIL: WARN}.get(expected, expected)
    assert verdict("backoff", calls(5, gap, every=[every[0], every[2]]), turnaround=busy) == only


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.019, FAIL), (0.052, INCONCLUSIVE), (0.49, INCONCLUSIVE), (0.51, PASS)]
)
def test_where_nothing_is_known_of_the_machine_a_short_wait_may_be_none(gap, expected):
    """A tight loop takes 52 to 110 ms on a busy machine; no machine that still answers takes half a second."""
    assert verdict("backoff", calls(10, 0.001, gap, apart=1.0), turnaround=UNKNOWN) == expected


@pytest.mark.parametrize(
    ("gap", "stalled", "expected"),
    [
        (0.06, 0.0, PASS),
        (0.06, 0.01, INCONCLUSIVE),
        (0.11, 0.05, INCONCLUSIVE),
        (0.019, 0.01, FAIL),
        (1.06, 0.5, PASS),
        (1.04, 0.5, INCONCLUSIVE),
    ],
)
def test_a_machine_tells_how_much_of_a_wait_may_be_its_own_doing(gap, stalled, expected):
    """Twice the time for which it kept work waiting meanwhile."""
    every = [{"stalled": 7.0}, {"stalled": 7.0}, {"stalled": 7.0 + stalled}]
    assert verdict("backoff", calls(10, 0.001, gap, every=every, apart=2.0), turnaround=UNKNOWN) == expected


@pytest.mark.parametrize(
    ("apart", "gap", "turnaround", "expected"),
    [
        (2.0, 0.3, UNKNOWN, PASS),
        (0.0, 0.3, UNKNOWN, INCONCLUSIVE),
        (0.0, 0.56, UNKNOWN, PASS),
        (0.0, 0.54, UNKNOWN, INCONCLUSIVE),
        (0.0, 0.3, FAST, PASS),
        (0.0, 0.11, FAST, INCONCLUSIVE),
        (0.0, 0.019, FAST, FAIL),
    ],
)
def test_a_client_that_has_many_calls_under_way_works_for_all_of_them(apart, gap, turnaround, expected):
    """A tight loop in a hundred threads takes 0.2 s: 5 ms for each other call, less where the client is seen to be fast."""
    found = calls(101, 0.001, gap, apart=apart, every=[{"stalled": 7.0}] * 3)
    assert verdict("backoff", found, turnaround=turnaround) == expected


@pytest.mark.parametrize(("apart", "expected"), [(5.0, PASS), (0.0, INCONCLUSIVE)])
@pytest.mark.parametrize(
    ("check", "gap"), [("jitter", 1.0), ("jitter", 0.8), ("thundering herd", 0.8), ("backoff grows", 0.1)]
)
def test_work_for_other_calls_differs_and_grows_as_waits_do(check, gap, apart, expected):
    """Nothing is said of what may be such work."""
    found = [
        call(gap * each, 2 * gap * each, at=apart * i, every=[{"stalled": 7.0}] * 3)
        for i, each in enumerate([1.0, 1.2, 1.4] * 34)
    ]
    said = finding(check, found, turnaround=UNKNOWN)
    assert said.verdict == expected
    is_most = apart == 0 and gap < 1
    assert ("Let fewer calls run at once" in said.message) == is_most


@pytest.mark.parametrize(
    ("took", "pids", "expected"),
    [
        (0.099, (7,), INCONCLUSIVE),  # four others take 0.4 s
        (0.01, (7,), PASS),
        (0.099, (7, 8), PASS),  # by two processes
        (0.12, (7,), PASS),  # not in turn: the server takes several at once
    ],
)
def test_a_server_that_answers_in_turn_keeps_a_tight_loop_waiting(took, pids, expected):
    """Five calls, each of which comes back when the other four have been answered."""
    found = []
    for number in range(5):
        at, pid = 0.1 * number, pids[number % len(pids)]
        every = [{"answered": at + 0.5 * i + took, "stalled": 7.0, "pid": pid} for i in range(5)]
        found.append(call(*[0.5 - took] * 4, at=at, every=every))
    assert verdict("backoff", found, turnaround=UNKNOWN) == expected


def test_a_client_on_another_machine_has_a_busyness_of_its_own():
    """What this machine kept waiting says nothing of that one."""
    every = [{"stalled": 7.0, "client": "10.0.0.9"}] * 3
    assert verdict("backoff", calls(10, 0.001, 0.06, every=every), turnaround=UNKNOWN) == INCONCLUSIVE


def test_waits_of_calls_that_go_on_are_over():
    """What has already happened needs no ending."""
    assert verdict("backoff", [], open=calls(10, 0.001, 0.0003)) == FAIL
    assert verdict("jitter", [], open=calls(8, 1.0)) == FAIL


@pytest.mark.parametrize(("gap", "expected"), [(0.019, WARN), (0.49, INCONCLUSIVE), (0.51, PASS)])
def test_an_only_retry_that_nothing_can_be_compared_with_has_to_wait_long(gap, expected):
    """Half a second is longer than any machine takes to do nothing."""
    assert verdict("backoff", calls(5, gap, apart=1.0), turnaround=UNKNOWN) == expected


@pytest.mark.parametrize(("spread", "expected"), [(0.29, INCONCLUSIVE), (0.31, PASS), (0.01, FAIL)])
def test_waits_that_differ_by_no_more_than_requests_are_late_may_be_rigid(spread, expected):
    """In a driven run that is known."""
    busy = Turnaround(0.002, 0.005, 25, busy=0.3)
    assert verdict("jitter", spaced(8, 1.0, spread=spread), turnaround=busy) == expected


@pytest.mark.parametrize(
    ("number", "gap", "last", "expected"),
    [
        (5, 0.001, None, WARN),
        (4, 0.001, None, INCONCLUSIVE),
        (5, 0.5, None, PASS),
        (5, 0.001, FINE, INCONCLUSIVE),
    ],
)
def test_an_only_retry_at_once_is_a_warning(number, gap, last, expected):
    """One immediate retry is allowed; a client that has no other has nothing left for an outage."""
    assert verdict("backoff", calls(number, gap, last=last)) == expected


def test_one_retry_is_the_only_one_when_no_failed_call_has_more():
    """Five calls of two attempts beside one of three: there is a second retry, which is not yet known."""
    assert verdict("backoff", calls(5, 0.001), calls(1, 0.001, 0.5)) == INCONCLUSIVE


def test_waits_that_an_answer_asked_for_are_not_the_clients_own():
    """Nor are those before another kind of failure, nor what began before the answer."""
    hinted = calls(10, 0.001, 0.001, hint=0.0, hint_form="seconds")
    mixed = [call(0.001, 0.001, at=each, every=({}, RESET)) for each in range(10)]
    early = calls(10, -0.0005, -0.0005)
    assert finding("backoff", hinted, mixed, early, calls(3, 1, 1)).n == 3


def test_waits_after_a_failure_that_is_none_of_the_three_kinds_are_not_measured():
    """A client-side time-out is not seen by the server, and a forbidden request has no wait of its own."""
    hung = {"fault": "hang", "status": None, "did": "closed"}
    denied = {"fault": "http:403", "status": 403, "did": "answered"}
    unanswered = calls(10, 0.001, 0.001, kind=RESET, every=[{}, {"answered": None}])
    assert finding("backoff", calls(9, 1, 1, kind=hung), calls(9, 1, 1, kind=denied), unanswered).n == 0


@pytest.mark.parametrize(
    ("number", "middle", "spread", "expected"),
    [
        (8, 1.0, 0.049, FAIL),  # below 5 % of the median
        (8, 1.0, 0.06, INCONCLUSIVE),
        (8, 1.0, 0.11, INCONCLUSIVE),
        (8, 1.0, 0.14, PASS),  # above 12 %
        (7, 1.0, 0.0, INCONCLUSIVE),
        (8, 0.09, 0.0, INCONCLUSIVE),  # shorter than 100 ms
        (8, 0.11, 0.0, FAIL),
    ],
)
def test_waits_that_repeat_are_rigid(number, middle, spread, expected):
    """One outlier in eight does not make them random."""
    assert verdict("jitter", spaced(number, middle, spread=spread)) == expected


@pytest.mark.parametrize(("spread", "expected"), [(0.029, FAIL), (0.05, INCONCLUSIVE), (0.095, PASS)])
def test_a_busy_machine_may_spread_waits(spread, expected):
    """Rigid below the noise, random above three times as much."""
    assert verdict("jitter", spaced(8, 0.4, spread=spread), turnaround=NOISY) == expected


def test_a_busy_machine_makes_short_waits_unreadable():
    """The median has to be ten times the noise."""
    assert verdict("jitter", spaced(8, 0.29, spread=0), turnaround=NOISY) == INCONCLUSIVE
    assert verdict("jitter", spaced(8, 0.31, spread=0), turnaround=NOISY) == FAIL


@pytest.mark.parametrize(
    ("spread", "expected"), [(0.01, FAIL), (0.1, INCONCLUSIVE), (1.4, INCONCLUSIVE), (1.6, PASS)]
)
def test_where_nothing_is_known_of_the_machine_it_may_be_a_busy_one(spread, expected):
    """It makes no wait rigid, but spreads it by half a second perhaps, to both ends."""
    assert verdict("jitter", spaced(8, 1.0, spread=spread), turnaround=UNKNOWN) == expected


@pytest.mark.parametrize(
    ("gap", "turnaround", "expected"),
    [(0.2, FAST, WARN), (0.2, UNKNOWN, INCONCLUSIVE), (2.4, UNKNOWN, INCONCLUSIVE), (2.6, UNKNOWN, WARN)],
)
def test_short_waits_that_do_not_grow_may_be_the_machines(gap, turnaround, expected):
    """As long as nothing is known of it."""
    assert verdict("backoff grows", calls(3, gap, gap), turnaround=turnaround) == expected


def test_of_many_waits_the_longest_twentieth_is_left_out():
    """A machine that stumbles five times in a hundred waits makes no jitter."""
    stumbled = [call(1.0 + (0.5 if each % 20 == 0 else 0.001), at=each) for each in range(100)]
    assert verdict("jitter", stumbled) == FAIL


def test_most_of_the_retries_decide():
    """Two rigid of three fail, one rigid keeps the rest from passing, kinds are not mixed."""
    rigid, loose = spaced(8, 1.0, 2.0, spread=0.0), drawn(8, 1.0, 2.0, 4.0, kind=INTERNAL)
    assert verdict("jitter", rigid) == FAIL
    assert verdict("jitter", loose) == PASS
    assert verdict("jitter", rigid, loose) == INCONCLUSIVE
    assert verdict("jitter", spaced(8, 1.0, spread=0.0), loose) == INCONCLUSIVE


def test_a_machine_only_adds_to_a_wait():
    """A fixed wait on a busy machine has a long upper half and no lower one; jitter has both."""
    stumbled = [0.401, 0.401, 0.401, 0.401, 0.404, 0.404, 0.407, 0.42, 0.428, 0.485, 0.515, 0.53]
    assert verdict("jitter", [call(each) for each in stumbled]) == INCONCLUSIVE
    assert verdict("jitter", [call(0.9 - each) for each in stumbled]) == PASS


STUMBLES = {1: 1.1, 5: 1.2, 9: 1.06, 13: 1.4, 17: 1.3}
"""By the number of the call, the waits of twenty that a machine made longer."""


def test_a_machine_that_stumbles_often_hides_no_fixed_wait():
    """As on one whose processors somebody else uses, too, which nothing in the journal tells; the herd is the same finding."""
    found = [call(STUMBLES.get(each, 1.0 + each / 1000), at=each) for each in range(20)]
    assert finding("jitter", found).message == (
        "no jitter: 75 % of the waits repeat to within 1.88 % (medians 1.01 s)"
    )
    assert finding("thundering herd", found).said_by == "jitter"
    assert verdict("jitter", found[:19]) == INCONCLUSIVE
    assert verdict("jitter", found, [call(1.5, at=20.0)]) == INCONCLUSIVE


def test_a_fixed_wait_now_and_then_is_jitter_elsewhere():
    """Three in four of all retries have to be alike before each of them."""
    found = [call(STUMBLES.get(each, 1.0), at=each) for each in range(20)]
    assert verdict("jitter", found) == FAIL
    assert verdict("jitter", found, drawn(8, 1.0, low=0.5, kind=INTERNAL)) == INCONCLUSIVE
    assert verdict("jitter", found, drawn(8, 1.0, low=0.94, kind=INTERNAL)) == INCONCLUSIVE


@pytest.mark.parametrize("bounds", [(20, 1.0), (8, 0.5, 1.0, 2.0)], ids=["one retry", "three retries"])
def test_little_jitter_is_never_called_rigid(bounds):
    """Twelve per cent of the wait, in twenty waits before one retry or eight before each of three; two hundred seeds."""
    found = [verdict("jitter", drawn(*bounds, low=0.88, seed=seed)) for seed in range(200)]
    assert FAIL not in found


@pytest.mark.parametrize("seed", range(20))
def test_jitter_up_to_the_longest_wait_is_never_called_rigid(seed):
    """AWS's decorrelated jitter has most of its later waits cut off at the longest one: the others are shorter."""
    draw = random.Random(seed)
    found = []
    for each in range(30):
        waits = [0.5]
        for _ in range(5):
            waits.append(min(1.5, draw.uniform(0.5, 3 * waits[-1])))
        found.append(call(*waits[1:], at=each))
    assert verdict("jitter", found) != FAIL


def test_waits_that_only_a_busy_machine_made_long_enough_do_not_decide():
    """One group that it lifted over ten times its noise, beside two rigid ones that are too short; jitter in all passes."""
    noisy = Turnaround(0.002, 0.01, 25)
    lifted = spaced(8, 0.21, spread=0.12, kind=RESET)
    assert verdict("jitter", lifted, turnaround=noisy) == PASS
    assert verdict("jitter", lifted, spaced(8, 0.15, 0.16, spread=0.0), turnaround=noisy) == INCONCLUSIVE
    assert verdict("jitter", lifted, spaced(8, 0.15, 0.16, spread=0.9), turnaround=noisy) == PASS


def test_half_of_the_retries_do_not_decide():
    """One rigid, one random: more calls have to tell."""
    found = [call(1.0, 2.0 + each, at=each) for each in range(8)]
    assert verdict("jitter", found) == INCONCLUSIVE


@pytest.mark.parametrize("low", [0.0, 0.5, 0.6], ids=["full", "equal", "25 % to both sides"])
@pytest.mark.parametrize("seed", range(20))
def test_jitter_is_never_called_rigid(low, seed):
    """Full, equal and ±25 % jitter, eight waits each."""
    assert verdict("jitter", drawn(8, 0.5, 1.0, 2.0, low=low, seed=seed)) != FAIL


def test_the_herd_is_the_second_sentence_of_waits_that_repeat():
    """Both say the same: people are told once, machines find both."""
    herd = calls(20, 1.0, 2.0)
    assert finding("jitter", herd).message == (
        "no jitter: the waits repeat to within 0.1 % (medians 1.00, 2.00 s)"
    )
    found = finding("thundering herd", herd)
    assert (found.verdict, found.said_by) == (FAIL, "jitter")
    assert found.message == "if all calls fail together, 100 % of them retry within the same 0.10 s"


@pytest.mark.parametrize(
    ("together", "apart", "expected"),
    [(18, 2, FAIL), (17, 3, WARN), (11, 9, WARN), (10, 10, PASS), (19, 0, INCONCLUSIVE)],
)
def test_clients_come_back_apart(together, apart, expected):
    """The share of the first retries in one tenth of their wait: 90 % fail, more than half warn; 20 decide."""
    found = [*calls(together, 1.0), *(call(2.0 + each, at=each) for each in range(apart))]
    assert verdict("thundering herd", found) == expected


def test_a_crowd_that_is_random_for_all_that_stands_alone():
    """Jitter of a few per cent is no rigid wait, and a herd nevertheless."""
    found = spaced(20, 1.0, spread=0.13)
    assert (verdict("jitter", found), finding("thundering herd", found).said_by) == (PASS, None)


@pytest.mark.parametrize(
    ("together", "apart", "noise", "expected"),
    [
        (18, 2, 0.03, FAIL),
        (17, 3, 0.026, INCONCLUSIVE),
        (17, 3, 0.024, WARN),
        (5, 15, 0.026, PASS),
    ],
)
def test_a_machine_that_spreads_waits_itself_hides_a_herd(together, apart, noise, expected):
    """Below 90 % the tenth of the wait has to be twice the noise, unless the waits are random for certain."""
    found = [*calls(together, 0.5), *(call(1.0 + each, at=each) for each in range(apart))]
    assert verdict("thundering herd", found, turnaround=Turnaround(0.002, noise / 2, 20)) == expected


def test_short_first_waits_tell_nothing_of_a_herd():
    """Below 100 ms the tenth of a wait is the machine's."""
    assert finding("thundering herd", calls(20, 0.09)).message.startswith("the first waits are too short")
    assert verdict("thundering herd", calls(20, 0.11)) == FAIL


def test_kinds_of_failure_are_not_mixed_in_a_herd():
    """15 after a throttle and 15 after a server error are not 30."""
    assert verdict("thundering herd", calls(15, 1.0), calls(15, 1.0, kind=INTERNAL)) == INCONCLUSIVE
    assert verdict("thundering herd", calls(20, 1.0), drawn(20, 4.0, kind=INTERNAL)) == FAIL


@pytest.mark.parametrize(("factor", "expected"), [(1.0, WARN), (1.2, WARN), (1.3, PASS), (2.0, PASS)])
def test_waits_grow(factor, expected):
    """Less than 1.25 times a retry is no growth."""
    assert verdict("backoff grows", calls(3, 1.0, factor)) == expected


@pytest.mark.parametrize(
    ("number", "gaps", "expected"),
    [
        (3, (1.0, 2.0), PASS),
        (2, (1.0, 2.0), INCONCLUSIVE),  # four waits
        (6, (1.0,), INCONCLUSIVE),  # one retry
        (3, (0.049, 2.0), INCONCLUSIVE),  # the first is too short to be measured
        (3, (0.051, 2.0), PASS),
    ],
)
def test_growth_needs_six_waits_before_two_retries(number, gaps, expected):
    """Of 50 ms or more."""
    assert verdict("backoff grows", calls(number, *gaps, apart=5.0)) == expected


@pytest.mark.parametrize(("scatter", "expected"), [(0.21, PASS), (0.225, INCONCLUSIVE)])
def test_growth_is_sure_within_two_point_six_standard_errors(scatter, expected):
    """By hand: ten waits before each of two retries, half of them exp(scatter) longer and half shorter, growing by 1.5.

    The standard error is scatter × sqrt(20 / 18 / 5); 1.15 is reached at 0.2168.
    """
    found = [
        call(exp(sign * scatter), 1.5 * exp(sign * scatter), at=at) for at, sign in enumerate([1, -1] * 5)
    ]
    assert verdict("backoff grows", found) == expected


def test_later_retries_have_reached_the_longest_wait():
    """Only the first four are looked at."""
    assert verdict("backoff grows", calls(3, 0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4)) == PASS
    assert verdict("backoff grows", calls(3, 0.5, 0.5, 0.5, 0.5, 60.0)) == WARN


def test_wide_jitter_and_few_calls_do_not_tell_whether_waits_grow():
    """Full jitter with three attempts in six calls; more calls decide."""
    assert verdict("backoff grows", drawn(6, 1.0, 2.0)) == INCONCLUSIVE
    assert verdict("backoff grows", drawn(100, 1.0, 2.0, 4.0)) == PASS
    assert verdict("backoff grows", drawn(300, 1.0, 1.0, 1.0)) == WARN


def test_one_kind_of_failure_without_growth_is_enough_for_a_warning():
    """Kinds are judged one by one, and the worst is told."""
    assert verdict("backoff grows", calls(3, 1.0, 2.0), calls(3, 1.0, 1.0, kind=INTERNAL)) == WARN
    assert verdict("backoff grows", calls(3, 1.0, 2.0), drawn(6, 1.0, 2.0, kind=INTERNAL)) == PASS


def test_the_saw_tooth_of_two_layers_is_not_judged_for_growth():
    """It would be called waits that do not grow."""
    sawtooth = calls(6, 1.0, 2.0, 0.01, 1.0, 2.0, 0.01, 1.0, 2.0, signal=FINGERPRINT)
    found = finding("backoff grows", sawtooth)
    assert (found.verdict, found.message[:24]) == (INCONCLUSIVE, "nested retries mix the w")


def test_the_calls_of_an_outage_are_too_busy_for_measuring():
    """120 calls at once delay each other; they count for budget and quota."""
    outage = calls(120, 0.001, 0.001, about={"name": "out"})
    assert finding("backoff", outage, calls(10, 1.0, 1.0, about={"name": "thr"})).verdict == PASS
    assert finding("backoff", outage[:99]).verdict == FAIL


def at_a_beat(number, period, *, late=0.0, seed=1, phase=0.2, strays=0):
    """Calls that fail whenever, and come back at the next full beat; `strays` wait as long as they like."""
    draw = random.Random(seed)
    found = []
    for each in range(number):
        at = draw.uniform(0, 20 * period)
        wait = period - (at + TOOK - phase) % period + draw.uniform(0, late)
        found.append(call(draw.uniform(0, period) if each < strays else wait, at=at))
    return found


@pytest.mark.parametrize("period", [0.5, 1.0, 5.0])
def test_clients_that_come_back_at_the_same_beat_are_a_herd(period):
    """At the next full half second, second, five: their waits differ, and they come at once."""
    found = finding("thundering herd", at_a_beat(40, period))
    assert found.verdict == FAIL
    assert "fall in the same tenth of every" in found.message
    assert verdict("thundering herd", at_a_beat(40, period, late=period / 20)) == FAIL
    assert verdict("thundering herd", at_a_beat(40, period, strays=10)) == WARN
    assert verdict("thundering herd", at_a_beat(19, period)) == INCONCLUSIVE


@pytest.mark.parametrize("seed", range(20))
def test_full_jitter_has_no_beat(seed):
    """Whatever a beat may be."""
    draw = random.Random(seed)
    found = [call(draw.uniform(0, 2), at=draw.uniform(0, 60)) for _ in range(20)]
    assert verdict("thundering herd", found) in (PASS, INCONCLUSIVE)


def test_who_fails_at_a_beat_comes_back_at_one():
    """What is asked for every second and waits 2 s comes back in the same beat; its waits tell that anyway."""
    draw = random.Random(1)
    found = [call(draw.randrange(1, 5), at=float(each)) for each in range(40)]
    assert "tenth of every" not in finding("thundering herd", found).message
