"""The delays that are drawn for a rule."""

from hashlib import blake2b
from math import log
from statistics import fmean, median, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject import Rule
from faultinject.engine.draw import LONGEST_DELAY, delays

DIGESTS = [blake2b(b"%d" % number, digest_size=32).digest() for number in range(20_000)]


def drawer(delay):
    """A function from a digest to the seconds of a rule's delay."""
    return delays(Rule("latency", delay=delay).value("delay"))


@pytest.mark.parametrize(("center", "sigma"), [("80ms", 0.4), ("2s", 0.1), ("10ms", 1.5)])
def test_a_log_normal_delay(center, sigma):
    """The draws have the median, and their logarithms the standard deviation."""
    draw = drawer(f"lognormal:{center}:{sigma}")
    drawn = [draw(digest) for digest in DIGESTS]
    expected = Rule("latency", delay=center).value("delay")[0]
    assert median(drawn) == pytest.approx(expected, rel=0.05 * max(1, sigma))
    logs = [log(each) for each in drawn]
    assert fmean(logs) == pytest.approx(log(expected), abs=0.03 * sigma)
    assert stdev(logs) == pytest.approx(sigma, rel=0.02)


@given(st.binary(min_size=32, max_size=32), st.floats(0.001, 10), st.integers(1, 3_600_000))
def test_bounds(digest, sigma, milliseconds):
    """Each draw is above 0 and at most an hour, and the same for the same digest."""
    one, other = (drawer(f"lognormal:{milliseconds}ms:{sigma:.6f}")(digest) for _ in range(2))
    assert 0 < one == other <= LONGEST_DELAY


def test_a_later_share_is_never_shorter():
    """The delay grows with the bytes that it is drawn from, as the even one does."""
    shares = [bytes(16) + number.to_bytes(8, "big") + bytes(8) for number in range(0, 2**64, 2**54)]
    for delay in ("lognormal:80ms:0.4", "100ms..2s"):
        drawn = [drawer(delay)(share) for share in shares]
        assert drawn == sorted(drawn)
