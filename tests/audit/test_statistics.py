"""The arithmetic below the checks."""

import doctest
import random

import pytest

from faultinject.audit import matching, statistics
from faultinject.audit.checks import words
from faultinject.audit.profiles import profile
from faultinject.audit.statistics import most_within, slope, uniform


@pytest.mark.parametrize("module", [matching, profile, statistics, words], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_are_right(module):
    """They are what a reader trusts."""
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed


def test_the_line_through_points_and_its_error():
    """By hand: y = 1, 2, 4, 5 at x = 1, 2, 3, 4 has slope 1.4, standard error sqrt(0.02)."""
    found, error = slope([(1, 1), (2, 2), (3, 4), (4, 5)])
    assert found == pytest.approx(1.4)
    assert error == pytest.approx(0.02**0.5)


def test_two_points_have_no_error_to_speak_of():
    """Any line goes through them."""
    assert slope([(1, 1), (2, 3)]) == (2, float("inf"))


@pytest.mark.parametrize(
    ("size", "expected"), [(0.15, 1.0), (1.0, 0.27), (1.2238, 0.1), (1.3581, 0.05), (1.6276, 0.01)]
)
def test_the_probability_of_a_distance_from_evenness(size, expected):
    """The table of Kolmogorov's distribution; 30 values, every one as far below its place."""
    distance = size / (30**0.5 + 0.12 + 0.11 / 30**0.5)
    values = [max(0.0, (each + 1) / 30 - distance) for each in range(30)]
    assert uniform(values) == pytest.approx((distance, expected), rel=0.01)


def test_even_values_have_even_probabilities():
    """Of 400 draws about one in a hundred falls below 0.01: the test neither sleeps nor cries wolf."""
    draw = random.Random(7)
    low = sum(uniform([draw.random() for _ in range(40)])[1] < 0.01 for _ in range(400))
    assert 0 < low < 14


def test_values_outside_of_the_range_count_as_its_ends():
    """A wait may be a little shorter than nothing, by the clock."""
    assert uniform([-1.0] * 20 + [2.0] * 20) == uniform([0.0] * 20 + [1.0] * 20)


def test_the_fullest_window_is_found_anywhere():
    """At the end as well as at the beginning, and for one value."""
    assert most_within([5, 1, 9, 9.4, 9.5], 0.5) == 3
    assert most_within([1], 0.5) == 1
