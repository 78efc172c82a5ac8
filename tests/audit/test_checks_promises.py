"""What only a profile promises: `attempts`, `backoff bound`, `full jitter`, `retry quota`."""

import random

import pytest

from faultinject.audit.evidence import Turnaround
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS
from faultinject.audit.lateness import LateTime, LateTimes
from faultinject.audit.profiles.profile import Profile, Waits

from .made import (
    DENIED,
    FAST,
    FINE,
    INTERNAL,
    RESET,
    SLOW_DOWN,
    UNKNOWN,
    call,
    calls,
    finding,
    findings,
    verdict,
)


@pytest.mark.parametrize("name", ["attempts", "backoff bound", "full jitter", "retry quota"])
def test_what_is_not_promised_is_not_judged(name):
    """The RFCs promise none of it: no line at all."""
    assert findings(name, calls(30, 1.0), profile="rfc") == []
    assert findings(name, calls(30, 1.0), profile="aws-2026") != []


def test_a_finding_on_a_promise_names_who_promises():
    """The profile's own reference."""
    assert finding("attempts", calls(3, 1, 1, 1), profile="cos").reference.startswith("cos-python-sdk-v5")


@pytest.mark.parametrize(
    ("right", "attempts", "wrong", "expected"),
    [(3, 4, 0, PASS), (2, 4, 0, INCONCLUSIVE), (9, 5, 1, FAIL), (9, 3, 1, FAIL), (0, 5, 3, FAIL)],
)
def test_a_call_that_never_succeeds_makes_the_promised_attempts(right, attempts, wrong, expected):
    """Exactly four for COS: not one more, not one less."""
    found = [*calls(right, 1, 2, 3), *calls(wrong, *[1] * (attempts - 1))]
    assert verdict("attempts", found, profile="cos") == expected


def test_fewer_attempts_may_be_a_quota_that_ran_dry():
    """Not when the first ten calls have fewer; more attempts are always too many."""
    full, short = calls(5, 1, 1), [call(1, at=100 + each) for each in range(5)]
    assert verdict("attempts", full, short, profile="aws-2026") == INCONCLUSIVE
    assert verdict("attempts", calls(12, 1), profile="aws-2026") == FAIL
    assert verdict("attempts", full, calls(1, 1, 1, 1), profile="aws-2026") == FAIL


def test_a_client_says_itself_how_often_it_tries():
    """`amz-sdk-request: max=5` is what its user has set."""
    told = {"attempt_hint": {"max": 5}}
    assert (
        finding("attempts", calls(3, 1, 1, 1, 1, **told), profile="aws-2026").message
        == "5 attempts in 3 of 3 calls"
    )
    assert finding("attempts", calls(3, 1, 1, 1, 1), profile="aws-2026").message == (
        "5 attempts in 3 of 3 calls; aws-2026 promises 3"
    )


def test_who_is_known_by_the_user_agent_only_may_be_set_otherwise():
    """The message says so; whoever chooses a profile knows."""
    found = calls(3, 1, 2, 3, 4)
    assert finding("attempts", found, profile="cos", detected=True).message == (
        "5 attempts in 3 of 3 calls; cos promises 4, unless configured otherwise"
    )
    assert finding("attempts", found, profile="cos").message == "5 attempts in 3 of 3 calls; cos promises 4"


def test_calls_whose_attempts_were_not_the_clients_choice_do_not_count():
    """Those that succeeded, were not tried again, are forbidden or a POST, and those of an outage."""
    outage = calls(100, 1, kind=INTERNAL, about={"name": "out"})
    others = [
        *calls(3, 1, last=FINE), *calls(3), *calls(3, 1, kind=DENIED), *calls(3, 1, method="POST"), *outage,
    ]  # fmt: skip
    assert finding("attempts", others, calls(3, 1, 1), profile="aws-2026").n == 3


def test_a_call_that_another_answer_ended_does_not_count():
    """A conflict after a throttle: the client was right to stop."""
    assert finding("attempts", calls(5, 1, last=DENIED), calls(3, 1, 2, 3), profile="cos").verdict == PASS


def test_a_wait_without_jitter_is_always_at_its_bound():
    """So it may be a quarter late; half is too much."""
    assert verdict("backoff bound", calls(20, 1.25, 2.5, 3.75), profile="cos") == PASS
    assert verdict("backoff bound", calls(20, 1.4, 2.0, 3.0), profile="cos") == FAIL


def late(number, by, bound=1.0, apart=5.0, **more):
    """Calls with a first wait that much longer than promised, one after the other."""
    return calls(number, bound + by, apart=apart, **more)


@pytest.mark.parametrize(
    ("within", "beyond", "by", "expected"),
    [
        (20, 0, 0.0, PASS),
        (19, 0, 0.0, INCONCLUSIVE),
        (98, 2, 0.6, PASS),  # 2 %
        (97, 3, 0.54, FAIL),
        (97, 3, 0.5, INCONCLUSIVE),  # by little, and seldom
        (75, 25, 0.05, INCONCLUSIVE),
        (74, 26, 0.05, INCONCLUSIVE),  # often, and by as little as a quick machine may be late
        (74, 26, 0.08, FAIL),  # often, and by more
        (75, 25, 0.08, INCONCLUSIVE),
        (97, 3, 0.026, PASS),  # no longer than the overhead
        (20, 1, 0.6, INCONCLUSIVE),  # one alone
        (20, 2, 0.6, FAIL),
    ],
)
def test_waits_stay_below_their_bound(within, beyond, by, expected):
    """Two in a hundred may be late; AWS promises 1 s at most before the first retry of a throttled call."""
    held = calls(within, 1.0, apart=5.0), late(beyond, by)
    assert verdict("backoff bound", *held, profile="aws-2026") == expected


def test_each_kind_of_failure_and_each_retry_has_its_bound():
    """AWS: 50 ms, 100 ms after a server error or a reset, 1 s, 2 s after a throttle."""
    kept = [*calls(10, 1.0, 2.0), *calls(10, 0.05, 0.1, kind=INTERNAL), *calls(10, 0.05, 0.1, kind=RESET)]
    assert verdict("backoff bound", kept, profile="aws-2026") == PASS
    found = finding("backoff bound", kept, calls(4, 0.7, kind=INTERNAL), profile="aws-2026")
    assert found.verdict == FAIL
    assert (
        found.message
        == "4 of 64 waits are longer than aws-2026 promises: 0.70 s before retry 1, at most 50 ms"
    )


def test_a_slow_client_has_more_time():
    """25 ms and twice the turn-around's p95; and what it may take at most, to be late for sure."""
    slow = Turnaround(0.01, 0.05, 20)
    assert verdict("backoff bound", late(20, 0.12), profile="aws-2026", turnaround=slow) == PASS
    assert verdict("backoff bound", late(20, 0.26), profile="aws-2026", turnaround=slow) == INCONCLUSIVE
    assert verdict("backoff bound", late(20, 0.28), profile="aws-2026", turnaround=slow) == FAIL


def test_where_nothing_is_known_of_a_client_it_may_be_slow():
    """Beyond 25 ms and 100 ms nothing is said, before half a second more no machine alone explains it."""
    assert verdict("backoff bound", late(20, 0.12), profile="aws-2026", turnaround=UNKNOWN) == PASS
    assert verdict("backoff bound", late(20, 0.62), profile="aws-2026", turnaround=UNKNOWN) == INCONCLUSIVE
    assert verdict("backoff bound", late(20, 0.63), profile="aws-2026", turnaround=UNKNOWN) == FAIL


@pytest.mark.parametrize(
    ("by", "stalled", "expected"),
    [
        (0.2, 0.0, FAIL),
        (0.2, 0.1, INCONCLUSIVE),
        (0.4, 0.1, FAIL),
        (2.0, 0.9, FAIL),
        (2.0, 1.0, INCONCLUSIVE),
    ],
)
def test_a_machine_that_tells_how_long_work_waited_explains_no_more(by, stalled, expected):
    """Twice what it kept waiting: of two processors one may have been free all that time."""
    every = [{"stalled": 5.0}, {"stalled": 5.0 + stalled}]
    found = late(20, by, every=every)
    assert verdict("backoff bound", found, profile="aws-2026", turnaround=UNKNOWN) == expected


@pytest.mark.parametrize(
    ("apart", "by", "expected"), [(5.0, 0.2, FAIL), (0.0, 0.2, INCONCLUSIVE), (0.0, 0.3, FAIL)]
)
def test_a_client_with_many_calls_under_way_has_work_to_do(apart, by, expected):
    """5 ms for each of 19 others, beyond 25 ms and 100 ms, and 50 ms of a machine that kept nothing waiting."""
    found = late(20, by, apart=apart, every=[{"stalled": 5.0}] * 2)
    assert verdict("backoff bound", found, profile="aws-2026", turnaround=UNKNOWN) == expected


@pytest.mark.parametrize(("by", "expected"), [(0.07, INCONCLUSIVE), (0.08, FAIL)])
def test_on_a_quiet_machine_fifty_milliseconds_more_are_late(by, expected):
    """27 ms and 50 ms."""
    quiet = Turnaround(0.0003, 0.001, 25, busy=0.01)
    found = [*calls(97, 1.0), *late(3, by)]
    assert verdict("backoff bound", found, profile="aws-2026", turnaround=quiet) == expected


@pytest.mark.parametrize(
    ("number", "by", "expected"),
    [
        (3, 0.31, INCONCLUSIVE),
        (30, 0.31, INCONCLUSIVE),
        (40, 0.31, INCONCLUSIVE),
        (3, 0.34, FAIL),
        (1, 0.34, PASS),
        (30, 0.02, PASS),
    ],
)
def test_a_wait_is_late_by_more_than_requests_are(number, by, expected):
    """In a driven run that is known: 27 ms, and 300 ms for the machine."""
    busy = Turnaround(0.0003, 0.001, 25, busy=0.3)
    found = [*calls(97, 1.0), *late(number, by)]
    assert verdict("backoff bound", found, profile="aws-2026", turnaround=busy) == expected


def test_a_promise_not_to_wait_is_not_judged():
    """QingStor's first retry comes at once, as soon as the machine can."""
    assert finding("backoff bound", calls(20, 0.3), profile="qingstor").n == 0
    assert finding("backoff bound", calls(20, 0.3, 2.0), profile="qingstor").n == 20


def drawn(number, low, high, seed=1):
    """Throttled calls with a first wait between two shares of a second."""
    draw = random.Random(seed)
    return [call(FAST.median + draw.uniform(low, high), at=each) for each in range(number)]


@pytest.mark.parametrize(
    ("number", "low", "high", "expected"),
    [
        (30, 0.0, 1.0, PASS),
        (29, 0.0, 1.0, INCONCLUSIVE),
        (30, 0.0, 0.5, FAIL),
        (30, 0.5, 1.0, FAIL),
        (30, 0.0, 0.72, INCONCLUSIVE),
        (30, 1.0, 1.0, FAIL),
    ],
)
def test_waits_are_drawn_evenly(number, low, high, expected):
    """Half of the range is not the range; 30 waits decide."""
    assert verdict("full jitter", drawn(number, low, high, seed=4), profile="aws-2026") == expected


@pytest.mark.parametrize("seed", range(20))
def test_an_even_draw_does_not_fail(seed):
    """Twenty seeds of full jitter."""
    assert verdict("full jitter", drawn(60, 0.0, 1.0, seed), profile="aws-2026") != FAIL


def test_many_waits_that_a_machine_makes_a_little_longer_are_still_an_even_draw():
    """A thousand show any small shift: it has to be a large one."""
    draw = random.Random(5)
    found = [call(0.1 + draw.uniform(0, 1), at=each) for each in range(1000)]
    assert verdict("full jitter", found, profile="aws-2026") == INCONCLUSIVE
    found = [call(0.2 + draw.uniform(0, 1), at=each) for each in range(1000)]
    assert verdict("full jitter", found, profile="aws-2026") == FAIL


@pytest.mark.parametrize(
    ("low", "high", "stalled", "expected"),
    [
        (0.4, 1.4, 0.0, FAIL),
        (0.4, 1.4, 0.1, FAIL),
        (0.4, 1.4, 0.2, INCONCLUSIVE),
        (0.6, 1.0, 0.2, INCONCLUSIVE),
        (0.0, 0.5, 0.2, FAIL),
        (0.0, 0.5, 2.0, FAIL),
        (1.0, 1.0, 0.2, FAIL),
    ],
)
def test_a_machine_makes_waits_longer_and_never_shorter(low, high, stalled, expected):
    """By twice the time for which it kept work waiting; half of the range stays half of it on any machine."""
    draw = random.Random(6)
    every = [{"stalled": 5.0}, {"stalled": 5.0 + stalled}]
    found = [call(draw.uniform(low, high), at=each, every=every) for each in range(100)]
    assert verdict("full jitter", found, profile="aws-2026") == expected


def test_waits_that_end_while_the_driver_is_late_are_no_draw():
    """Those of the other times decide, if they are enough."""
    draw = random.Random(7)
    late = LateTimes([LateTime(0.0, 59.0)])
    late_ones = [call(draw.uniform(0.6, 1.6), at=each, kind=SLOW_DOWN) for each in range(50)]
    short, long = (
        [call(draw.uniform(*each), at=100.0 + i) for i in range(30)] for each in ((0, 1), (0.5, 1))
    )
    verdicts = [
        verdict("full jitter", late_ones, more, profile="aws-2026", late_times=late)
        for more in ([], short, long[1:], long)
    ]
    assert verdicts == [INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE, FAIL]
    assert finding("full jitter", late_ones, profile="aws-2026", late_times=late).message.endswith(
        "but the machine was late. Reduce its load"
    )


def test_short_bounds_tell_nothing_of_the_draw():
    """The client's own time would be part of it: below half a second nothing is taken."""
    assert finding("full jitter", calls(40, 0.03, kind=INTERNAL), profile="aws-2026").n == 0
    assert finding("full jitter", calls(40, 0.03, kind=INTERNAL), profile="aws-legacy").n == 40


@pytest.mark.parametrize(("base", "n"), [(0.5, 40), (0.49, 0)])
def test_half_a_second_is_the_shortest_bound_that_tells_of_the_draw(base, n):
    """It is not too short itself."""
    own = Profile("own", "own", "", waits={"any": Waits(base=base)}, distribution="uniform")
    assert finding("full jitter", calls(40, 0.3), profile=own).n == n


def test_a_range_that_does_not_begin_at_nothing_is_known():
    """Azure waits 15 to 21 s before the first retry."""
    draw = random.Random(2)
    found = [call(draw.uniform(15, 21), at=each) for each in range(30)]
    assert verdict("full jitter", found, profile="azure") == PASS
    assert verdict("full jitter", drawn(30, 0.0, 21.0), profile="azure") == FAIL


def outage(retries, number=120, kind=INTERNAL, closed=True):
    """Calls that all fail, with so many retries in all, two a call as long as there are any."""
    about = {"name": "out", "closed": closed}
    spent = [min(2, max(0, retries - 2 * each)) for each in range(number)]
    return [call(*[0.1] * each, kind=kind, at=0.02 * i, about=about) for i, each in enumerate(spent)]


@pytest.mark.parametrize(
    ("retries", "kind", "profile", "expected"),
    [
        (35, INTERNAL, "aws-2026", PASS),
        (34, INTERNAL, "aws-2026", FAIL),
        (36, INTERNAL, "aws-2026", FAIL),
        (100, INTERNAL, "aws-2026", FAIL),
        (100, INTERNAL, "aws-legacy", PASS),
        (35, INTERNAL, "aws-legacy", FAIL),
        (100, SLOW_DOWN, "aws-2026", PASS),
        (35, DENIED, "aws-2026", PASS),
    ],
)
def test_an_outage_costs_exactly_the_promised_retries(retries, kind, profile, expected):
    """35 after server errors, 100 after throttles, 100 for all before November 2026."""
    assert verdict("retry quota", outage(retries, kind=kind), profile=profile) == expected


def test_an_outage_that_has_not_ended_may_yet_come_to_the_promised_retries():
    """But not from above."""
    running = outage(0, 1, closed=False)
    assert verdict("retry quota", outage(34), open=running, profile="aws-2026") == INCONCLUSIVE
    assert verdict("retry quota", outage(36), open=running, profile="aws-2026") == FAIL


def test_an_outage_of_two_kinds_has_no_promise():
    """Each kind has its own price."""
    mixed = [*outage(34, 100), *outage(1, 20, SLOW_DOWN)]
    assert verdict("retry quota", mixed, profile="aws-2026") == INCONCLUSIVE
    assert verdict("retry quota", outage(35, 99), profile="aws-2026") == INCONCLUSIVE
