"""A wait ends when another process changes the rules or switches, though no request comes."""

import os
import threading
import time
from itertools import chain, repeat
from unittest.mock import DEFAULT, Mock

import pytest

from faultinject import Injector
from faultinject.engine.plan import Plan
from tests.adapters.conftest import Asgi
from tests.asking import get
from tests.injector.children import in_children
from tests.until import until

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = [
    pytest.mark.live,
    pytest.mark.usefixtures("looked_at_often"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

HOUR = 3600.0
RULES = "http:503,delay=1h"


@pytest.fixture(autouse=True)
def wakes(monkeypatch):
    """A wait looks a hundred times a second, instead of twice."""
    monkeypatch.setattr(Plan.pauses, "__defaults__", (0.01,))


def make(store, rules=RULES, **environ):
    return Injector(rules, store=store, seed=1, environ=environ)


def by_task(injector):
    Asgi()(injector)


def begun(injector, how=get, **asked):
    """A thread that waits an hour, once it does."""
    thread = threading.Thread(target=how, args=(injector,), kwargs=asked, daemon=True)
    thread.start()
    until(lambda: injector.journal.outcomes)
    return thread


def over(thread):
    thread.join(60)
    return not thread.is_alive()


@pytest.mark.parametrize("how", [get, by_task])
@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.disable(),
        lambda one: one.use("http:500"),
        lambda one: one.remove("rule-1"),
        lambda one: one.enable(until=time.time() + 0.05),
    ],
)
def test_what_others_change_ends_waits(shared, change, how):
    """Off, other rules, or a moment at which it goes off: in a process that gets no request."""
    one, other = make(shared), make(shared)
    thread = begun(other, how)
    change(one)
    assert over(thread)


@pytest.mark.parametrize("how", [get, by_task])
def test_a_moment_that_is_named_meanwhile_ends_waits(store, how):
    """It began when there was none; one that is later, or none any more, ends nothing."""
    injector = make(store)
    thread = begun(injector, how)
    for moment in (time.time() + HOUR, None):
        injector.enable(until=moment)
        thread.join(0.05)
        assert thread.is_alive()
    injector.enable(until=time.time() + 0.05)
    assert over(thread)


def test_what_a_request_has_asked_for_ends_too(shared):
    """Its rules are none of the scenario's, and off is off."""
    one, other = (make(shared, "http:418,path=none", FAULTINJECT_ON_REQUEST="1") for _ in range(2))
    thread = begun(other, get, HTTP_X_FAULTINJECT_RULES="http:503,delay=1h")
    one.disable()
    assert over(thread)


def test_a_wait_in_another_process(shared):
    """A child that only waits: another one switches off."""
    injector = make(shared)
    reader, writer = os.pipe()

    def waits():
        thread = begun(injector)
        os.write(writer, b"waits")
        return over(thread) and not injector.state.on

    def switches_off():
        os.read(reader, 5)
        injector.disable()

    assert in_children(waits, switches_off) == [True, None]
    os.close(reader)
    os.close(writer)


def test_a_wait_goes_on_whatever_goes_wrong(shared, monkeypatch):
    """A failed look at the store is repeated."""
    one, other = make(shared), make(shared)
    fails = [OSError(24, "Too many open files")] * 3
    # What it returns behind them has the real one called.
    catch_up = Mock(wraps=other.catch_up, side_effect=chain(fails, repeat(DEFAULT)))
    thread = begun(other)
    monkeypatch.setattr(other, "catch_up", catch_up)
    one.disable()
    assert over(thread)
    assert catch_up.call_count > len(fails)
