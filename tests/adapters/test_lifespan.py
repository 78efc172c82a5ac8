"""ASGI: wrong rules stop a server at its start; at its end the journal has its own."""

import asyncio
import json
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from faultinject.adapters import forget
from faultinject.exceptions import ConfigurationError

from .conftest import make_scope, messages, serve_asgi
from .transport import App, hearing, recorder, saying

MESSAGE = "cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?"


async def app(scope, receive, send):
    await send({"type": "app", "scope": scope["type"]})


def run(wrapped, scope, *messages):
    sent, send = recorder()
    with pytest.raises(ConfigurationError) if scope["type"] == "lifespan" else nullcontext():
        asyncio.run(wrapped(scope, hearing(*messages), send))
    return sent


def test_lifespan_startup_fails_with_the_message(caplog):
    """The message comes before the exception, and the log has it as an ERROR."""
    wrapped = ASGIFaultMiddleware(app, "cos:Slowdown")
    [failed] = run(wrapped, {"type": "lifespan"}, {"type": "lifespan.startup"})
    assert (failed["type"], failed["message"].split()[0]) == ("lifespan.startup.failed", "faultinject:")
    [record] = caplog.records
    assert (record.levelname, all(MESSAGE in text for text in (failed["message"], record.getMessage()))) == (
        "ERROR",
        True,
    )


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_without_lifespan_requests_pass(kind):
    """The app is served as it is; wrong rules inject nothing."""
    wrapped = ASGIFaultMiddleware(app, "cos:Slowdown")
    assert (run(wrapped, {"type": kind}), wrapped.app is app) == ([{"type": "app", "scope": kind}], True)


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"FAULTINJECT_RULES": "cos:Slowdown"}, "FAULTINJECT_RULES"),
        ({"FAULTINJECT_RULES": "http:503", "FAULTINJECT_JOURNAL": "/nowhere/at/all"}, "FAULTINJECT_JOURNAL"),
        ({"FAULTINJECT_RULES": "http:503", "FAULTINJECT_STOR": "x"}, "FAULTINJECT_STORE"),
        ({}, "has no rule"),
    ],
)
def test_wrong_environment_is_the_same(monkeypatch, variables, where):
    """Also where the environment is wrong; WSGI middleware raises at once."""
    forget()
    for name in [each for each in os.environ if each.startswith("FAULTINJECT_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    [failed] = run(ASGIFaultMiddleware(app), {"type": "lifespan"}, {"type": "lifespan.startup"})
    assert where in failed["message"]
    with pytest.raises(ConfigurationError, match=where):
        WSGIFaultMiddleware(app)


SHUTDOWN = ["lifespan.startup.complete", "lifespan.shutdown.failed"]


def serve(injector, *, ask=True):
    """Start, one request, shut down: each message, and whether each journal line then is an end."""
    said, read = [], Path(injector.journal.path).read_text

    async def send(message):
        ends = [bool(json.loads(each).get("ended")) for each in read().splitlines()]
        said.append((message["type"], ends))

    async def request():
        wrapped = ASGIFaultMiddleware(App().asgi, injector=injector)
        await serve_asgi(wrapped, make_scope(target="/a"), messages())

    start, end = ({"type": each} for each in SHUTDOWN)
    app = saying(start, *[request] * ask, end)
    asyncio.run(ASGIFaultMiddleware(app, injector=injector)({"type": "lifespan"}, None, send))
    return said


@pytest.mark.parametrize("rule", ["http:503,path=a", "http:503,path=b"])
def test_the_end_is_there_before_the_server_is_told(tmp_path, rule):
    """After its answers, and once."""
    injector = Injector(rule, environ={}, journal=str(tmp_path / "journal"))
    (before, nothing), (after, [*others, last]) = serve(injector)
    assert ([before, after], nothing, set(others), last) == (SHUTDOWN, [], {False}, True)


def test_who_has_written_nothing_says_nothing(tmp_path):
    """A worker that was never asked."""
    injector = Injector("http:503", environ={}, journal=str(tmp_path / "journal"))
    assert serve(injector, ask=False) == [(each, []) for each in SHUTDOWN]
