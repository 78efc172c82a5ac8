"""A report on twice as many requests takes twice as long, by the lines of Python that run."""

import sys

import pytest

from faultinject.audit.judging import judge
from faultinject.journal.call_window import CallWindow
from tests.journals import FINE, INTERNAL, LOST, Made, attempts, line
from tests.slowly import slowly

GROWTH = 2.5
"""By how much twice the requests may take longer."""


def hot_key(number):
    """100 requests for one object are always under way, and some fail."""
    for each in range(number):
        yield line(
            0.005 * each, INTERNAL if each % 20 == 0 else FINE, took=0.5, method="GET", connection=each % 100
        )


def crowds(number):
    """Bursts of more requests for one object than can be told apart, each followed by a few."""
    for each in range(number):
        at = 0.0005 * each if each % 500 < 400 else 2.0 + each % 500
        yield line(600.0 * (each // 500) + at, FINE if each % 2 else INTERNAL, took=1.0, method="GET")


def upload(at, kind, each, **more):
    """A request with a body of its own."""
    return line(at, kind, request_bytes=each, request_digest=f"{each}", **more)


ORDER = {"method": "POST", "path": "/orders"}


def never_tried_again(number):
    """Uploads to one key, each with another body, of which half fail."""
    for each in range(number):
        yield upload(0.05 * each, FINE if each % 2 else INTERNAL, each)


def orders(number):
    """100 a second, all of which are under way for long."""
    for each in range(number):
        yield upload(0.01 * each, FINE, each, took=60.0, **ORDER)


def pooled_orders(number):
    """Orders that fail and are retried at once, on whatever connection of a pool is free."""
    for each in range(number // 2):
        yield upload(0.05 * each, INTERNAL, each, connection=each % 7, **ORDER)
        yield upload(0.05 * each + 0.01, FINE, each, connection=(each + 3) % 7, **ORDER)


def lost_writes(number):
    """One object is written 200 times a second, and each answer is lost."""
    for each in range(number // 2):
        yield upload(0.01 * each, LOST, each)
        yield upload(0.01 * each + 0.005, FINE, each)


def named(number):
    """Calls that a test has named, 100 at a time."""
    for each in range(number // 2):
        yield line(0.01 * each, INTERNAL, method="GET", connection=each % 50)
        yield line(0.01 * each + 0.9, FINE, method="GET", connection=each % 50)


def behind_a_breaker(number):
    """Named calls, of which each second one makes no request, with a different error each."""
    for each in range(number):
        yield line(0.01 * each, INTERNAL, method="GET", path=f"/b/{each}", connection=each % 50)


def refused_by_it(number):
    """The call windows that a test reports."""
    return [
        CallWindow(
            f"call {each}", 0.005 * each - 0.001, 0.005 * each + 0.003, False, f"{each}th request refused"
        )
        for each in range(2 * number)
    ]


def windows(number):
    """The windows of the calls and of the test."""
    return [
        CallWindow(None, 0.0, 0.02 * number),
        *(CallWindow(f"call {each}", 0.01 * each - 0.01, 0.01 * each + 0.95) for each in range(number // 2)),
    ]


def lines_run(shape, number):
    """Count the lines of Python that the verdict on these requests runs."""
    read = attempts(Made(list(shape(number))))
    told = {named: windows, behind_a_breaker: refused_by_it}.get(shape, lambda number: ())(number)
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert judge(read, windows=told, until=float("inf")).attempts == number
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("shape", "number", "most"),
    [
        slowly(hot_key, 500, 2_000),
        (crowds, 500, 2_000),
        (pooled_orders, 500, 2_000),
        slowly(orders, 500, 1_500),
        slowly(never_tried_again, 1000, 4_500),
        slowly(lost_writes, 1000, 6_000),
        slowly(named, 1000, 4_000),
        slowly(behind_a_breaker, 1000, 4_000),
    ],
)
def test_the_time_grows_with_the_number_of_requests(shape, number, most):
    """And not with its square; nor does a request take long because many others are under way.

    The number is larger than that of the requests that are compared with one another.
    """
    lines_run(shape, 10)  # what is loaded, or remembered, once
    once, twice = (lines_run(shape, each) for each in (number, 2 * number))
    assert twice < min(GROWTH * once, most * 2 * number)
