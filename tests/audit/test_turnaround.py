"""How fast a client is when it does not wait."""

from __future__ import annotations

import pytest

from faultinject.audit.evidence import Turnaround
from faultinject.audit.turnaround import Meter

from .traffic import request


def measured(*attempts, client="uploader/1.0", **options):
    meter = Meter(lambda attempt: attempt.user_agent, **options)
    for each in attempts:
        meter.add(each)
    return meter.turnaround(client)


def run(gap=0.002, count=25, **more):
    """Successes one after the other, each answered after a millisecond."""
    return [request(number * (gap + 0.001), **more) for number in range(count)]


def test_the_median_and_the_95th_percentile():
    """Of twenty gaps one may be long."""
    gaps = [0.001 * (1 + number) for number in range(20)]
    at, attempts = 0.0, [request(0.0)]
    for gap in gaps:
        at += 0.001 + gap
        attempts.append(request(at))
    found = measured(*attempts)
    assert (found.median, found.p95, found.n) == (pytest.approx(0.011), pytest.approx(0.019), 20)
    assert found.zero == pytest.approx(0.038)
    assert found.noise == pytest.approx(0.038)


def test_too_few_say_nothing():
    """Twenty it takes; without them the least that is ever assumed holds."""
    assert measured(*run(count=20)) == Turnaround(n=19)
    assert Turnaround(n=19).zero == 0.02
    assert Turnaround(n=19).noise == 0.01
    assert measured(*run(count=21)).n == 20


@pytest.mark.parametrize(
    "attempts",
    [
        run(gap=0.06),
        [request(number * 0.003, "503") for number in range(50)],
        [request(number * 0.003, "404") for number in range(50)],
        [request(number * 0.003, "slow") for number in range(50)],
        [request(number * 0.003, "?") for number in range(50)],
        [request(number * 0.003, took=None) for number in range(50)],
        [request(number * 0.003, connection=number) for number in range(50)],
        [request(number * 0.003, client=str(number)) for number in range(50)],
        [request(number * 0.003, took=0.01) for number in range(50)],
        [request(0, took=100, connection=1), *run()],
    ],
    ids=[
        "long gaps", "after a fault", "after an error", "after a delay", "unknown answers", "no answers",
        "new connections", "other machines", "requests at once", "beside another request",
    ],
)  # fmt: skip
def test_what_is_no_turnaround(attempts):
    """The time from a success to the next request on its connection, with nobody else under way."""
    assert measured(*attempts).n == 0


def test_a_driver_takes_any_connection():
    """One thing after the other, by a client that keeps none."""
    attempts = [request(number * 0.003, connection=number) for number in range(50)]
    assert measured(*attempts, driven=True).n == 49


def test_other_clocks_are_not_compared():
    """Machines differ by more than a turn-around."""
    attempts = run()
    for number, each in enumerate(attempts):
        each.clock = number % 2
    assert measured(*attempts).n == 0


def test_each_client_for_itself(monkeypatch):
    """Of more clients than anybody has, and of more requests, no more is kept."""
    meter = Meter(lambda attempt: attempt.user_agent)
    for number, agent in enumerate(("slow", "fast")):
        for each in run(gap=(0.01, 0.001)[number], user_agent=agent):
            each.arrived += 10 * number
            each.answered += 10 * number
            meter.add(each)
    assert meter.turnaround("slow").median == pytest.approx(0.01)
    assert meter.turnaround("fast").median == pytest.approx(0.001)
    assert meter.turnaround("unseen") == Turnaround()
    monkeypatch.setattr("faultinject.audit.turnaround.MOST", 22)
    monkeypatch.setattr("faultinject.audit.turnaround.CLIENTS", 1)
    meter = Meter(lambda attempt: "one" if attempt.arrived < 1000.06 else "two")
    for each in run(count=40):
        meter.add(each)
    assert (meter.turnaround("one").n, meter.turnaround("two").n) == (19, 0)
    meter = Meter(lambda attempt: "one")
    for each in run(count=40):
        meter.add(each)
    assert meter.turnaround("one").n == 22
