"""Requests through both middlewares in process."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import re
import threading
from typing import NamedTuple

import pytest

from faultinject import ASGIFaultMiddleware, Injector, Rule, WSGIFaultMiddleware, vendors

from .layout import parse

NOW = 1_763_625_600.25
"""The fixed clock of these tests: 0x691eca80 seconds and a bit."""


class Answer(NamedTuple):
    status: int
    headers: list
    body: bytes

    @property
    def names(self):
        return [name.lower() for name, _ in self.headers]

    def header(self, name):
        [value] = [value for each, value in self.headers if each.lower() == name.lower()]
        return value


def untouched_wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("x-app", "yes")])
    return [b"app"]


async def untouched_asgi(scope, receive, send):
    headers = [(b"content-type", b"text/plain"), (b"x-app", b"yes")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"app"})


class Wsgi:
    """One request the way a WSGI server makes it: bytes of path, query and headers as latin-1 text."""

    lower_case = False

    def __call__(
        self,
        injector,
        method="GET",
        target="/",
        *,
        path=None,
        query=b"",
        headers=(),
        body=b"",
        more=(),
        without=(),
    ):
        if path is None:
            path, query = split(target)
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path).decode("latin-1"),
            "RAW_URI": (path + (b"?" + query if query else b"")).decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_HOST": "127.0.0.1",
        }
        for name, value in headers:
            key = name.decode("latin-1").upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            environ[key] = value.decode("latin-1")
        environ.update(more)
        for name in without:
            del environ[name]
        started = []
        chunks = WSGIFaultMiddleware(untouched_wsgi, injector=injector)(
            environ, lambda *each: started.append(each)
        )
        [(status, got)] = started
        assert re.fullmatch(r"[2-7]\d\d \S.*", status)
        assert all(type(text) is str for pair in got for text in pair)
        return Answer(int(status[:3]), list(got), b"".join(chunks))


class Asgi:
    """One request the way an ASGI server makes it: decoded path, raw bytes beside it.

    Args:
        run: runs a coroutine in the thread that made this; other threads make a loop of their own.
    """

    lower_case = True

    def __init__(self, run):
        self.run = run
        self.thread = threading.get_ident()

    def __call__(
        self,
        injector,
        method="GET",
        target="/",
        *,
        path=None,
        query=b"",
        headers=(),
        body=b"",
        more=(),
        without=(),
    ):
        if path is None:
            path, query = split(target)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "client": ("127.0.0.1", 50000),
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"content-length", str(len(body)).encode()),
                *((name.lower(), value) for name, value in headers),
            ],
        }
        if any(name.lower() == b"host" for name, _ in headers):
            del scope["headers"][0]
        scope.update(more)
        for name in without:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0].upper() != name[5:].encode()]
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        run = self.run if threading.get_ident() == self.thread else asyncio.run
        run(ASGIFaultMiddleware(untouched_asgi, injector=injector)(scope, receive, send))
        start, end = sent
        assert (start["type"], end["type"]) == ("http.response.start", "http.response.body")
        assert not end.get("more_body")
        assert all(type(data) is bytes for pair in start["headers"] for data in pair)
        assert all(name == name.lower() for name, _ in start["headers"])
        got = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], got, end.get("body", b""))


def split(target):
    path, _, query = target.encode().partition(b"?")
    return path, query


def unquote(path):
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), path)


@pytest.fixture(params=["wsgi", "asgi"])
def send(request):
    """`send(injector, method, target, …)` gives the `Answer` of an adapter."""
    if request.param == "wsgi":
        yield Wsgi()
        return
    with asyncio.Runner() as runner:
        yield Asgi(runner.run)


@pytest.fixture
def inject_with(caplog):
    """A maker of injectors that see no environment but the one given and a clock that stands still.

    That each of them is on goes without saying: only errors are logged.
    """
    caplog.set_level(logging.ERROR, "faultinject")

    def make(rules, *, seed="envelopes", clock=lambda: NOW, **environ):
        return Injector(rules, seed=seed, clock=clock, environ=environ)

    return make


@pytest.fixture
def answer_of(send, inject_with, monkeypatch):
    """The answer of one rule without our marks, with ids and time of the test's choice; nothing went wrong."""

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
    """From Content-Type and body to pairs of place and text, in order; fails on a malformed body."""
    return parse


@pytest.fixture(scope="session")
def id_shape():
    """From vendor, name of the id and value to what of it is not chance: its form, and the time in it."""

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
