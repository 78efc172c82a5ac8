"""Tests that hang: `tests/test_limits.py` runs them, and looks how they end."""

import re
import threading

import pytest

from tests import conftest

conftest.CLEARS_UP_WITHIN = 1.0
lock = threading.Lock()


@pytest.fixture
def takes_it_too():
    yield
    lock.acquire()


def test_a_loop():
    while True:
        pass


def test_a_lock():
    with lock:
        lock.acquire()


def test_a_lock_that_clearing_up_takes_too(takes_it_too):
    lock.acquire()
    lock.acquire()


def test_a_pattern_that_lets_no_other_thread_go_on():
    thread = threading.Thread(target=re.match, args=("(a+)+$", "a" * 60 + "b"), daemon=True)
    thread.start()
    thread.join()


def test_that_is_right():
    pass
