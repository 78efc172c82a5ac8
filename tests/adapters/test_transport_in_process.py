"""Test clients of all kinds under each fault: what their user's own `except` clauses catch."""

import asyncio
import http.client
import warnings

import flask
import httpx
import pytest
import requests
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from werkzeug.test import Client

import faultinject
from faultinject import inject
from tests.pairs import pairs
from tests.rows import row_by_row

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that it would rather have httpx2
    from starlette.testclient import TestClient

TEXT = "0123456789"


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "10")])
    return [TEXT.encode()]


def make_flask():
    app = flask.Flask(__name__)
    app.get("/", endpoint="home")(lambda: TEXT)
    app.get("/path", endpoint="path")(lambda: flask.request.path)
    app.get("/stream", endpoint="stream")(
        lambda: flask.stream_with_context(flask.request.path for _ in range(2))
    )
    return app


def make_starlette():
    async def home(request):
        return PlainTextResponse(TEXT)

    return Starlette(routes=[Route("/", home)])


def make_fastapi():
    app = FastAPI()
    app.get("/", response_class=PlainTextResponse)(lambda: TEXT)
    return app


def ask_httpx(app):
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://a.example") as client:
        found = client.get("/")
    return found.status_code, found.content


def ask_asgi(app, url="http://a.example", **options):
    async def ask():
        transport = httpx.ASGITransport(app, **options)
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            return await client.get("/")

    found = asyncio.run(ask())
    return found.status_code, found.content


def ask_starlette(app, **options):
    with TestClient(app, **options) as client:
        found = client.get("/")
    return found.status_code, found.content


def ask_werkzeug(app):
    with Client(app).get("/") as found:
        return found.status_code, found.data


def ask_flask(app):
    found = app.test_client().get("/")
    return found.status_code, found.data


OTHER = ("10.0.0.1", 4321)
CLIENTS = {
    "werkzeug": (lambda: wsgi, ask_werkzeug),
    "flask": (make_flask, ask_flask),
    "flask by werkzeug": (make_flask, ask_werkzeug),
    "httpx.WSGITransport": (make_flask, ask_httpx),
    "httpx.ASGITransport": (make_starlette, ask_asgi),
    "httpx.ASGITransport, port given": (make_starlette, lambda app: ask_asgi(app, "http://app:8000")),
    "httpx.ASGITransport, client given": (make_starlette, lambda app: ask_asgi(app, client=OTHER)),
    "TestClient": (make_starlette, ask_starlette),
    "TestClient, client given": (make_starlette, lambda app: ask_starlette(app, client=OTHER)),
    "TestClient on trio": (make_starlette, lambda app: ask_starlette(app, backend="trio")),
    "FastAPI": (make_fastapi, ask_starlette),
}


def asking_httpx(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def get(path):
        async def ask():
            return await httpx.AsyncClient(transport=transport, base_url="http://a.example").get(path)

        return asyncio.run(ask())

    return get


# Their users have said that no error of the app is to be raised.
DEAF = {
    "TestClient": lambda app: TestClient(app, raise_server_exceptions=False).get,
    "TestClient on trio": lambda app: TestClient(app, raise_server_exceptions=False, backend="trio").get,
    "httpx.ASGITransport": asking_httpx,
}
ERRORS = {
    "reset": [httpx.ReadError, httpx.TransportError, requests.ConnectionError, ConnectionResetError],
    "close": [httpx.RemoteProtocolError, requests.ConnectionError, http.client.RemoteDisconnected],
    "hang,duration=1h": [httpx.ReadTimeout, httpx.TimeoutException, requests.Timeout, TimeoutError],
    "truncate": [
        httpx.RemoteProtocolError,
        requests.exceptions.ChunkedEncodingError,
        http.client.IncompleteRead,
    ],
}
AFTER = [f"{rule},when=after" for rule in ERRORS if rule != "truncate"]


@pytest.fixture(params=CLIENTS)
def ask(request):
    """One request by a client of each kind: status and body."""
    make, ask = CLIENTS[request.param]
    app = faultinject.install(make(), [], enabled=True)
    return lambda: ask(app)


FAMILY = {each: CLIENTS[each][0] for each in CLIENTS}.get


@pytest.mark.parametrize(
    ("ask", "rule"),
    pairs(
        ask=CLIENTS,
        rule=[*ERRORS, *AFTER],
        alike={"ask": FAMILY, "rule": lambda rule: rule == "truncate"},
    ),
    indirect=["ask"],
)
def test_the_client_s_own_error(ask, rule):
    """Caught by whichever library's class; the third request meets no fault any more."""
    with inject(rule, times=2) as faults:
        for each in ERRORS[rule.removesuffix(",when=after")][:2]:
            with pytest.raises(each):
                ask()
        assert ask() == (200, TEXT.encode())
    assert (faults.injected, faults.attempts) == (2, 3)
    assert {each.did for each in faults.outcomes} == {
        "truncated" if rule == "truncate" else "raised",
        "passed",
    }
    assert [each.applied for each in faults.outcomes] == [rule == "truncate" or "after" in rule] * 2 + [True]
    assert faults.injector.errors == []


@pytest.mark.parametrize("client", DEAF)
def test_a_client_that_is_told_to_raise_nothing(client):
    """That is said of the app's errors, not of the connection's: the app's own is still a 500, before and after."""

    async def fail(request):
        raise ZeroDivisionError

    app = Starlette(routes=[Route("/photo", lambda _: PlainTextResponse(TEXT)), Route("/fails", fail)])
    outer = Outer(faultinject.install(app, [], enabled=True))
    get = DEAF[client](outer)
    for rule, errors in ERRORS.items():
        with inject(rule, times=2, path="photo") as faults:
            outer.swallows = True
            assert get("/photo").status_code in (200, 502)
            outer.swallows = False
            assert get("/fails").status_code == 500
            with pytest.raises(errors[0], match="injected"):
                get("/photo")
            assert get("/fails").status_code == 500
            assert get("/photo").text == TEXT
        assert faults.injected == 2


class Outer:
    """A middleware that makes an answer of its own of an error, where it is told so."""

    def __init__(self, app):
        self._app = app
        self.swallows = False

    async def __call__(self, scope, receive, send):
        begun = []

        async def note(message):
            begun.append(message)
            await send(message)

        try:
            await self._app(scope, receive, note)
        except OSError:
            if not self.swallows:
                raise
            if not begun:
                await send({"type": "http.response.start", "status": 502, "headers": []})
            await send({"type": "http.response.body"})


@pytest.mark.parametrize("client", [each for each in DEAF if "trio" not in each])
@pytest.mark.parametrize("rule", ERRORS)
def test_a_client_that_raises_nothing_is_found_from_another_task(client, rule):
    """Starlette's own base class runs what is inside of it in a task of its own."""
    app = make_starlette()

    async def dispatch(request, call_next):
        return await call_next(request)

    app.add_middleware(faultinject.ASGIFaultMiddleware, rules=[])
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    with inject(rule), pytest.raises(ERRORS[rule][0], match="injected"):
        DEAF[client](app)("/")


def test_faults_that_raise_nothing(ask):
    """A slow body is whole, a changed one as long as before."""
    with inject("drip,rate=200") as faults:
        assert ask() == (200, TEXT.encode())
    [outcome] = faults.outcomes
    assert (outcome.did, outcome.status, outcome.response_bytes) == ("dripped", 200, 10)
    assert outcome.answered - outcome.arrived >= 0.05
    with inject("corrupt") as faults:
        status, body = ask()
    assert (status, len(body), body == TEXT.encode()) == (200, 10, False)
    assert [each.did for each in faults.outcomes] == ["corrupted"]


@pytest.mark.parametrize("rule", ["drip,rate=1KB", "corrupt", "truncate,keep=0.9"])
def test_flask_s_contexts_stay_as_they_are(rule):
    """`with client:` keeps the request's context, a streamed answer has it, and no other one is left behind."""
    app = faultinject.install(make_flask(), [], enabled=True)
    with inject(rule, path="path") as faults, app.test_client() as client:
        if rule.startswith("truncate"):
            with pytest.raises(OSError, match="4 of 5 bytes"):
                _ = client.get("/path").data
        else:
            assert len(client.get("/path").data) == 5
        assert flask.request.path == "/path"
    assert not flask.has_request_context()
    assert faults.injected == 1


def test_flask_streams_with_its_context():
    """Every piece is made in the request's context."""
    app = faultinject.install(make_flask(), [], enabled=True)
    with inject("drip,rate=1KB") as faults:
        assert app.test_client().get("/stream").data == b"/stream/stream"
    assert faults.injected == 1
    with inject("truncate,keep_bytes=9"), pytest.raises(http.client.IncompleteRead) as caught:
        _ = app.test_client().get("/stream").data
    assert caught.value.partial == 9
    with inject("truncate,keep_bytes=9"):
        app.test_client().get("/stream")  # left alone, and collected
    assert not flask.has_app_context()


@row_by_row("rule", ["reset,when=after", "hang,when=after", "truncate", "corrupt"])
@row_by_row("streams", [False, True])
def test_what_an_app_does_behind_its_answer_is_done(rule, streams):
    """Background tasks are effects of the app: they run, also when the client meets an error."""
    done = []

    async def home(request):
        task = BackgroundTask(done.append, "done")
        if not streams:
            return PlainTextResponse(TEXT, background=task)
        return StreamingResponse(iter([TEXT]), background=task)

    app = faultinject.install(Starlette(routes=[Route("/", home)]), [], enabled=True)
    with inject(rule) as faults:
        if rule == "corrupt":
            ask_starlette(app)
        else:
            with pytest.raises(OSError, match="injected"):
                ask_starlette(app)
    assert done == ["done"]
    assert faults.injected == 1


@pytest.mark.parametrize("rule", ["reset,when=after", "truncate", "drip,rate=1KB", "corrupt"])
def test_middleware_that_passes_an_answer_on(rule):
    """Starlette's own base class hands an answer on piece by piece, from a task of its own."""
    app = make_starlette()

    async def dispatch(request, call_next):
        answer = await call_next(request)
        answer.headers["x-seen"] = "yes"
        return answer

    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    faultinject.install(app, [], enabled=True)
    with inject(rule) as faults:
        if rule.startswith(("reset", "truncate")):
            with pytest.raises(httpx.TransportError):
                ask_starlette(app)
        else:
            status, body = ask_starlette(app)
            assert (status, len(body)) == (200, 10)
    assert faults.injected == 1
    [outcome] = faults.outcomes
    assert outcome.applied


def test_errors_are_raised_outside_of_the_app_s_own_handlers():
    """An app that answers its own errors does not answer ours."""
    app = make_flask()
    app.register_error_handler(Exception, lambda error: ("handled", 500))
    faultinject.install(app, [], enabled=True)
    with inject("reset"), pytest.raises(ConnectionResetError):
        ask_flask(app)
    fast = make_fastapi()
    fast.add_exception_handler(Exception, lambda request, error: PlainTextResponse("handled", 500))
    faultinject.install(fast, [], enabled=True)
    with inject("reset"), pytest.raises(ConnectionResetError):
        ask_starlette(fast)
