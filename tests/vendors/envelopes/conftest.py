"""Requests through both middlewares in process."""

from __future__ import annotations

import asyncio
import base64
import logging
import re

import pytest

from faultinject import Injector, Rule, vendors
from tests.adapters.conftest import NOW, Asgi, Wsgi

from .layout import parse


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


@pytest.fixture(scope="session")
def read_back():
    """Parse a body by its Content-Type into pairs of place and text; a malformed one fails."""
    return parse


@pytest.fixture(scope="session")
def id_shape():
    """The constant part of an id: its form, and the time in it."""

    def shape(vendor, name, value):
        if vendor == "cos":
            value = base64.b64decode(value, validate=True).decode("ascii")
        forms = {
            ("cos", "request_id"): r"([0-9a-f]{8})_[0-9a-f]{1,8}_[0-9a-f]{1,4}_[0-9a-f]{1,6}",
            ("cos", "trace_id"): r"(8efc6b2d3b069ca89454d10b9ef00187)[0-9a-f]{96}",
            ("qingstor", "request_id"): r"()[0-9a-f]{16}",
            ("jss", "request_id"): r"()[0-9A-F]{16}",
            ("qiniu-mix", "request_id"): r"([0-9a-f]{8})[0-9a-f]{16}",
        }
        found = re.fullmatch(forms.get((vendor, name), "()[!-~]+"), value)
        assert found is not None, value
        return found[1]

    return shape
