"""How retries amplify load: `retry budget`, `nested retries`, `overlap`."""

import random
from itertools import product

import pytest

from faultinject.audit.evidence import Contrast, Turnaround
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.journal.calls import FINGERPRINT, SDK_ID, TOLD

from .made import DENIED, FAST, FINE, INTERNAL, call, calls, finding, verdict

OUT = {"about": {"name": "out"}}


def outage(*attempts, name="out", closed=True):
    """Calls that all fail, with these numbers of attempts."""
    about = {"name": name, "closed": closed}
    return [
        call(*[0.1] * (each - 1), kind=INTERNAL, at=i * 0.02, about=about) for i, each in enumerate(attempts)
    ]


@pytest.mark.parametrize(
    ("early", "late", "profile", "expected"),
    [
        (3, 1, "rfc", PASS),
        (3, 3, "rfc", WARN),
        (3, 3, "sre", FAIL),
        (3, 2, "rfc", INCONCLUSIVE),  # 67 % of the first third
        (4, 3, "rfc", WARN),  # 75 %
        (1, 1, "sre", PASS),
    ],
)
def test_a_client_saves_retries_when_nothing_works(early, late, profile, expected):
    """The last third of an outage makes 1.1 attempts per call at most; above 70 % of the first third is no budget."""
    assert (
        verdict("retry budget", outage(*[early] * 40, *[2] * 40, *[late] * 40), profile=profile) == expected
    )


@pytest.mark.parametrize(("more", "expected"), [(4, PASS), (5, INCONCLUSIVE)])
def test_a_tenth_of_a_retry_is_saved_enough(more, expected):
    """44 requests for 40 calls are 1.1 a call."""
    assert verdict("retry budget", outage(*[3] * 80, *[2] * more, *[1] * (40 - more))) == expected


def test_the_numbers_of_an_outage_are_told():
    """What everybody compares: attempts per call, and retries in all."""
    attempts = [3] * 17 + [2] + [1] * 102
    assert (
        finding("retry budget", outage(*attempts)).message
        == "attempts per call 1.9 → 1.0, 35 retries in 120 calls"
    )


def test_an_outage_has_a_hundred_calls_of_one_client_that_all_fail():
    """Anything else is ordinary traffic."""
    assert finding("retry budget", outage(*[3] * 99)).n == 0
    assert finding("retry budget", outage(*[3] * 100)).n == 100
    assert finding("retry budget", outage(*[3] * 99), calls(1, 0.1, last=FINE, about={"name": "out"})).n == 0
    assert finding("retry budget", outage(*[3] * 60, name="a"), outage(*[3] * 60, name="b")).n == 0
    assert finding("retry budget", calls(200, 0.1)).n == 0


def test_an_outage_that_has_not_ended_is_not_judged():
    """What is still waiting may try again."""
    assert verdict("retry budget", outage(*[3] * 100), open=outage(1, closed=False)) == INCONCLUSIVE


def rows(things, length, pause=1.0, *, kind=INTERNAL, last=None, signal=SDK_ID):
    """SDK calls of three attempts, `length` of them in a row for each thing."""
    return [
        call(
            0.1, 0.2, kind=kind, at=thing * 0.04 + each * (0.303 + pause), path=f"/b/{thing}", signal=signal,
            last=last if each == length - 1 else None,
        )
        for thing in range(things)
        for each in range(length)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("things", "length", "pause", "expected"),
    [
        (5, 1, 1.0, PASS),
        (4, 1, 1.0, INCONCLUSIVE),  # four failed calls
        (1, 5, 1.0, INCONCLUSIVE),  # one thing alone
        (3, 3, 1.0, FAIL),
        (3, 3, 9.9, FAIL),
        (3, 3, 10.1, PASS),
    ],
)
def test_a_layer_above_an_sdk_is_seen_by_its_ids(things, length, pause, expected):
    """Failed calls of the SDK in a row, each within 10 s of the one before, for two things or more.

    Where nobody drives and nothing is known of what the client asks for again anyway, it may be the caller.
    """
    found = rows(things, length, pause)
    assert verdict("nested retries", found, driven=True) == expected
    assert verdict("nested retries", found, contrast=Contrast({"PUT": (0, 3)})) == expected
    assert verdict("nested retries", found) == {FAIL: WARN}.get(expected, expected)
    assert verdict("nested retries", found, contrast=Contrast({"PUT": (1, 3)})) == {FAIL: WARN}.get(
        expected, expected
    )


def test_a_row_ends_with_a_success_or_a_forbidden_call():
    """What came after that is something new."""
    good = call(0.1, last=FINE, at=1.0, path="/b/0", signal=SDK_ID)
    denied = call(kind=DENIED, at=1.0, path="/b/1", signal=SDK_ID)
    late = [call(0.1, kind=INTERNAL, at=2.0, path=f"/b/{each}", signal=SDK_ID) for each in (0, 1)]
    assert verdict("nested retries", rows(5, 1), [good, denied], late) == PASS
    assert verdict("nested retries", rows(5, 1), late) == WARN


def test_calls_at_once_are_no_row():
    """Two callers want the same thing."""
    assert verdict("nested retries", rows(5, 1), rows(5, 1)) == PASS


def test_the_row_may_be_the_callers_own_loop_where_nobody_drives():
    """The message says so, or why it is not."""
    told = "3 objects were requested by up to 3 SDK calls in a row: a layer above the SDK retries"
    assert finding("nested retries", rows(3, 3)).message == f"{told}, or the caller repeats its call"
    assert finding("nested retries", rows(3, 3), contrast=Contrast({"PUT": (0, 41)})).message == (
        f"{told}, as of 41 successful requests the client repeated none"
    )
    assert finding("nested retries", rows(3, 3), driven=True).message.endswith(
        "a layer above the SDK retries"
    )


@pytest.mark.parametrize(
    ("number", "gaps", "expected"),
    [
        (5, (1, 2, 0.1, 1, 2, 0.1, 1, 2), WARN),  # 9 = 3 × 3, the wait falls by 20
        (4, (1, 2, 0.1, 1, 2, 0.1, 1, 2), INCONCLUSIVE),  # four failed calls
        (
            5,
            (0.0, 0.4, 0.8, 1, 0.0, 0.4, 0.8, 1, 0.0, 0.4, 0.8),
            WARN,
        ),  # 12 = 3 × 4, and the outer layer waits as well
        (7, (1, 0.1, 1), PASS),  # seven falls
        (8, (1, 0.1, 1), WARN),  # eight
        (8, (1, 0.49, 1), WARN),
        (8, (1, 0.51, 1), PASS),
        (8, (1, 0.6, 1), PASS),  # it falls, but by less than 2
        (8, (1, 0.1, 1, 1, 0.1, 1, 1, 0.1, 1), PASS),  # 10 attempts are no row of threes
        (6, (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8), PASS),
        (6, (0.0009, 0.0001, 0.0009), PASS),  # none of these is a wait
        (6, (1, 0.1, 1, 0.1, 1, 0.1), PASS),  # 7 is no product
    ],
)
def test_layers_are_seen_by_the_saw_tooth_of_their_waits(number, gaps, expected):
    """p × q attempts, and the wait falls after every p-th, or behind the one that follows it."""
    assert verdict("nested retries", calls(number, *gaps, signal=FINGERPRINT)) == expected


def test_calls_that_another_answer_ended_were_not_given_up():
    """Five that failed to the end decide; a conflict after a throttle is no end of that sort."""
    assert verdict("nested retries", calls(4, 0.1), calls(3, 0.1, last=DENIED)) == INCONCLUSIVE
    assert verdict("nested retries", calls(5, 0.1)) == PASS


def test_the_product_is_told():
    """How many layers, and how much the wait falls."""
    looks = {"signal": FINGERPRINT}
    assert finding("nested retries", calls(5, 1, 1.2, 0.1, 1, 1.2, 0.1, 1, 1.2, **looks)).message == (
        "9 attempts = 3 × 3: the wait falls by a factor of 12 after every third attempt"
    )
    assert "6 attempts = 3 × 2" in finding("nested retries", calls(6, 1, 0.1, 1, 0.1, 1, **looks)).message


def test_waits_that_only_become_shorter_are_no_saw_tooth():
    """What falls and does not rise again is one layer that waits the wrong way round."""
    looks = {"signal": FINGERPRINT}
    assert verdict("nested retries", calls(8, 1.2, 0.4, 0.3, **looks)) == PASS
    assert verdict("nested retries", calls(8, 1.2, 0.4, 0.61, **looks)) == WARN
    assert verdict("backoff grows", calls(8, 1.2, 0.4, 0.3, **looks)) == WARN


def test_full_jitter_is_no_saw_tooth():
    """Waits drawn at random fall and rise."""
    draw = random.Random(3)
    found = [
        call(*(draw.uniform(0, 2**each) for each in range(5)), at=i, signal=FINGERPRINT) for i in range(40)
    ]
    assert verdict("nested retries", found) == PASS


@pytest.mark.parametrize("attempts", [4, 6, 8, 9, 12])
def test_waits_at_random_are_no_saw_tooth(attempts):
    """Of waits drawn evenly from one range, which is where full jitter ends, one set in a hundred may look like it."""
    draw = random.Random(attempts)
    sets = [
        [
            call(*(draw.uniform(0, 1) for _ in range(attempts - 1)), at=i, signal=FINGERPRINT)
            for i in range(number)
        ]
        for number in (5, 8, 12)
        for _ in range(100)
    ]
    assert sum(verdict("nested retries", found) != PASS for found in sets) <= 3


def test_nine_of_ten_falls_are_enough():
    """One call in ten whose wait rises does not hide the layer; two do."""
    falling = [call(1, 0.1, 1, at=each, signal=FINGERPRINT) for each in range(9)]
    rising = [call(0.1, 1, 1, at=each, signal=FINGERPRINT) for each in range(2)]
    assert verdict("nested retries", falling, rising[:1]) == WARN
    assert verdict("nested retries", falling, rising) == PASS


def test_waits_that_an_answer_asked_for_are_no_saw_tooth():
    """The client does as it is told."""
    asked = {"hint": 3.0, "hint_form": "seconds", "signal": FINGERPRINT}
    assert verdict("nested retries", calls(8, 3, 0.1, 3, 0.1, 3, **asked)) == PASS


def test_waits_that_are_not_known_are_left_out():
    """A connection that hung has no answer to count from."""
    hung = [{}, {"answered": None}]
    assert verdict("nested retries", calls(8, 1, 0.1, 1, every=hung, signal=FINGERPRINT)) == PASS


def slow(number, copy=None, delay=0.4, **more):
    """Requests that are answered after `delay`, and `copy` seconds after they came a second time."""
    kind = {"fault": "latency", "status": 200, "did": "delayed"}
    found = []
    for each in range(number):
        gaps = () if copy is None else (copy - delay,)
        made = call(
            *gaps, kind=kind, last=FINE if gaps else None, at=each, every=[{"answered": each + delay}], **more
        )
        found.append(made)
    return found


@pytest.mark.parametrize(
    ("single", "doubled", "expected"),
    [(3, 0, PASS), (2, 1, FAIL), (0, 3, FAIL), (2, 0, INCONCLUSIVE), (0, 2, INCONCLUSIVE)],
)
def test_a_slow_request_is_not_sent_a_second_time(single, doubled, expected):
    """One copy is one too many; three slow requests decide."""
    assert verdict("overlap", slow(single), slow(doubled, 0.1), driven=True) == expected


@pytest.mark.parametrize(
    ("method", "copies", "expected"),
    [
        ("GET", [0.1], PASS),
        ("HEAD", [0.1], PASS),
        ("PUT", [0.1], FAIL),
        ("GET", [0.01], FAIL),
        ("GET", [0.1, 0.2], FAIL),
    ],
)
def test_one_more_chance_for_a_slow_read_is_allowed(method, copies, expected):
    """A hedge is a single copy of a request that changes nothing, after a wait."""
    found = slow(3, method=method)
    others = [
        call(kind=FINE, at=each + after, path=one.first.path, method=method)
        for each, one in enumerate(found)
        for after in copies
    ]
    said = finding("overlap", found, others, driven=True)
    assert said.verdict == expected
    if expected == PASS:
        assert said.message == "3 of 3 slow requests were hedged: one copy of a read, after 0.10 s (median)"


@pytest.mark.parametrize(("late", "expected"), [(1, PASS), (2, FAIL)])
def test_a_hedge_is_judged_by_the_middle_of_its_waits(late, expected):
    """On a busy machine a request may come so late that its copy comes with it."""
    found = slow(3, method="GET")
    afters = [0.001] * late + [0.15] * (3 - late)
    others = [
        call(kind=FINE, at=each + after, path=one.first.path, method="GET")
        for each, (one, after) in enumerate(zip(found, afters, strict=True))
    ]
    assert verdict("overlap", found, others, driven=True) == expected


@pytest.mark.parametrize(
    ("turnaround", "after", "stalled", "expected"),
    [
        (FAST, 0.032, 0.0, PASS),
        (FAST, 0.032, 0.03, INCONCLUSIVE),
        (FAST, 0.15, 0.01, PASS),
        (FAST, 0.15, 0.14, INCONCLUSIVE),
        (Turnaround(), 0.039, 0.0, INCONCLUSIVE),
        (Turnaround(), 0.06, 0.0, PASS),
    ],
)
def test_a_busy_machine_may_send_a_copy_so_late_that_it_looks_like_a_hedge(
    turnaround, after, stalled, expected
):
    """Both are sent at once, and one gets no processor for 32 ms."""
    found = slow(3, method="GET", stalled=7.0)
    others = [
        call(kind=FINE, at=each + after, path=one.first.path, method="GET", stalled=7.0 + stalled)
        for each, one in enumerate(found)
    ]
    assert verdict("overlap", found, others, driven=True, turnaround=turnaround) == expected


@pytest.mark.parametrize(
    ("number", "apart", "after", "expected"),
    [
        (8, 0.01, 0.08, INCONCLUSIVE),
        (5, 0.008, 0.15, PASS),
        (1, 0.01, 0.08, PASS),
        (20, 0.01, 0.15, INCONCLUSIVE),
    ],
)
def test_a_client_with_much_to_send_may_send_a_copy_so_late_that_it_looks_like_a_hedge(
    number, apart, after, expected
):
    """All are sent at once, and each takes its time; a hedge comes after a time in which nothing is sent."""
    slowly = {"fault": "latency", "status": 200, "did": "delayed"}
    found = []
    for turn, place in product(range(3), range(number)):
        at, read = turn + place * apart, {"path": f"/{turn}/{place}", "method": "GET"}
        found.append(call(kind=slowly, at=at, every=[{"answered": at + 0.5}], **read))
        found.append(call(kind=FINE, at=at + after, **read))
    assert verdict("overlap", found, driven=True) == expected


def failed_and_asked_again(after, number=6):
    """Calls of an SDK that failed to the end, after which the same was asked for again with success."""
    return [
        call(0.1, kind=INTERNAL, at=each, path=f"/b/{each}", about={"again": after}) for each in range(number)
    ]


@pytest.mark.parametrize(
    ("after", "got", "driven", "expected"),
    [
        (0.5, (0, 41), False, FAIL),
        (5.0, (0, 41), False, INCONCLUSIVE),  # the caller may come anyhow
        (0.5, (41, 41), False, INCONCLUSIVE),
        (5.0, (0, 0), True, FAIL),
        (None, (0, 41), False, PASS),
    ],
)
def test_a_layer_above_shows_also_where_its_last_call_succeeds(after, got, driven, expected):
    """Such a call is not kept where nobody drives."""
    found = failed_and_asked_again(after)
    assert verdict("nested retries", found, contrast=Contrast({"PUT": got}), driven=driven) == expected


def test_one_thing_that_is_asked_for_again_shows_no_layer():
    """Two do."""
    others = failed_and_asked_again(None)
    [one] = failed_and_asked_again(0.5, 1)
    assert verdict("nested retries", others, [one]) == PASS


@pytest.mark.parametrize(("times", "expected"), [(1, PASS), (10, WARN)])
def test_a_tight_loop_on_a_busy_machine_has_no_layers(times, expected):
    """What falls has to be a wait, not how long the client takes without one."""
    gaps = [times * each for each in (0.012, 0.025, 0.005, 0.012, 0.025)]
    assert verdict("nested retries", calls(12, *gaps, signal=FINGERPRINT)) == expected


def test_answers_that_ask_to_wait_hide_what_a_budget_does():
    """A client that gives up because it is asked to wait has not run out of retries."""
    hinted = [
        call(kind=INTERNAL, at=i * 0.02, about={"name": "out"}, hint=30.0, hint_form="seconds")
        for i in range(120)
    ]
    assert verdict("retry budget", hinted) == INCONCLUSIVE


def test_how_soon_the_copy_comes_is_told():
    """The client's patience."""
    assert finding("overlap", slow(3), slow(3, 0.1), driven=True).message == (
        "3 of 6 slow requests were sent twice, the copy after 0.10 s at the earliest"
    )


@pytest.mark.parametrize(("copy", "expected"), [(0.399, FAIL), (0.401, PASS)])
def test_a_request_after_the_answer_is_no_copy(copy, expected):
    """Only what comes before it."""
    assert verdict("overlap", slow(3, copy), driven=True) == expected


@pytest.mark.parametrize(("delay", "expected"), [(0.31, PASS), (0.29, INCONCLUSIVE)])
def test_slow_is_what_takes_three_tenths_of_a_second(delay, expected):
    """Anything shorter makes nobody impatient."""
    assert verdict("overlap", slow(3, delay=delay), driven=True) == expected


def test_copies_with_ids_of_their_own_are_found_by_what_they_ask_for():
    """Two calls of an SDK, as far as its ids tell; the driver knows that it asked once."""
    found = slow(3, signal=SDK_ID)
    copies = [
        call(kind=FINE, at=each + 0.1, path=one.first.path, signal=SDK_ID) for each, one in enumerate(found)
    ]
    assert verdict("overlap", found, copies, driven=True) == FAIL


def test_copies_cannot_be_told_in_traffic_that_nobody_drives():
    """Unless a test says which requests belong together."""
    assert verdict("overlap", slow(3, 0.1)) == INCONCLUSIVE
    assert verdict("overlap", slow(3, 0.1, signal=TOLD)) == FAIL
    assert verdict("overlap", slow(3, signal=TOLD), slow(3, 0.1)) == PASS
