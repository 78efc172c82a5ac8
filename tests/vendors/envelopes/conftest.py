"""Requests through both middlewares in process."""

import asyncio
import logging

import pytest

from faultinject import Injector, Rule, vendors
from tests.adapters.conftest import NOW, Asgi, Wsgi


class InText:
    """A way in, which takes text, for headers of any bytes."""

    def __init__(self, way):
        self._way = way
        self.kind = way.kind

    def __call__(self, injector, method="GET", target="/", *, headers=(), **more):
        pairs = [tuple(each.decode("latin-1") for each in pair) for pair in headers]
        return self._way(injector, method, target, pairs, **more)


@pytest.fixture
def send(request):
    """`send(injector, method, target, …)` gives an adapter's `Answer`; a target may be bytes.

    It goes by WSGI, unless a test asks for the other: that both give the same bytes is proved beside the adapters.
    """
    if getattr(request, "param", "wsgi") == "wsgi":
        yield InText(Wsgi())
        return
    with asyncio.Runner() as runner:
        yield InText(Asgi(lambda function, *args: runner.run(function(*args))))


@pytest.fixture
def inject_with(caplog):
    """Make injectors with the given environment alone, and a clock that stands still.

    Only errors are logged, not that each of them is on.
    """
    caplog.set_level(logging.ERROR, "faultinject")

    def make(rules, *, seed="envelopes", clock=lambda: NOW, **environ):
        return Injector(rules, seed=seed, clock=clock, environ=environ)

    return make


@pytest.fixture
def answer_of(send, inject_with, monkeypatch):
    """The answer of one rule without our marks, with the test's ids and time.

    Nothing went wrong.
    """

    def ask(rule, method="GET", target="/", *, ids=None, now=NOW, headers=(), **request):
        rule = Rule(rule) if isinstance(rule, str) else rule
        if ids is not None:
            monkeypatch.setattr(vendors.get(rule.fault.partition(":")[0]), "make_ids", lambda *_: ids)
        injector = inject_with(rule, clock=lambda: now, FAULTINJECT_HEADER="0")
        pairs = headers.items() if isinstance(headers, dict) else headers
        sent = [tuple(each if type(each) is bytes else each.encode() for each in pair) for pair in pairs]
        answer = send(injector, method, target, headers=sent, **request)
        assert injector.errors == []
        return answer

    return ask
