"""Places for faults under way: a bound that is exact under threads, and costs nothing before it is reached."""

import sys
import threading
import tracemalloc

import pytest

from faultinject.engine.services import Services


def services(most):
    return Services(
        journal=print, clock=float, monotonic=float, failed=print, expired=print, most_active=most
    )


@pytest.mark.parametrize("most", [0, 1, 3])
def test_as_many_as_there_are_places(most):
    """And again when they are given back."""
    made = services(most)
    for _ in range(3):
        assert [made.begin() for _ in range(most + 2)] == [True] * most + [False] * 2
        assert made.active == most
        for _ in range(most):
            made.finish()
        assert made.active == 0


def test_places_cost_nothing():
    """It is a counter: a million places that nobody takes are no memory."""
    tracemalloc.start()
    kept = services(1_000_000)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept.active == 0
    assert used < 10_000


def test_threads_take_no_more_than_there_are():
    """And each place that is free is given."""
    made = services(5)
    under_way = []
    most = []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work():
        for _ in range(2_000):
            if made.begin():
                under_way.append(None)
                most.append(len(under_way))
                under_way.pop()
                made.finish()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    sys.setswitchinterval(before)
    assert 1 <= max(most) <= 5
    assert [made.begin() for _ in range(7)] == [True] * 5 + [False] * 2
