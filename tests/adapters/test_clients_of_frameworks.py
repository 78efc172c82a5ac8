"""The frameworks' test clients raise errors that their users' `except` clauses catch."""

import asyncio
import http.client
import inspect
import warnings
from contextlib import nullcontext
from functools import partial
from importlib import import_module, metadata
from types import SimpleNamespace

import django
import flask
import httpx
import pytest
from asgi_lifespan import LifespanManager
from django.conf import settings
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path as django_path
from falcon.testing import TestClient as FalconClient
from fastapi import FastAPI, Request, Response
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from werkzeug.test import Client as WerkzeugClient

import faultinject
from faultinject import ASGIFaultMiddleware, inject
from tests.pairs import pairs
from tests.rows import each_row

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient as StarletteClient
    from webtest import TestApp

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="secret", USE_TZ=True, ROOT_URLCONF=__name__)
    django.setup()

from rest_framework.test import APIClient, RequestsClient


def imported(name):
    """Import a framework in the workers that use it, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


ANSWER = b"0123456789"
stored = []


def put(request):
    stored.append(request.body)
    return HttpResponse(ANSWER)


urlpatterns = [django_path("ok", put)]


def asking(make, content="data", url="/ok", **options):
    """Ask a client that is made anew."""
    return lambda body: make().put(url, **{content: body}, **options)


def of_django(make, **options):
    asks = asking(partial(make, **options), content_type="application/octet-stream")
    return override_settings(ROOT_URLCONF=__name__)(asks)


@override_settings(ROOT_URLCONF=__name__)
async def async_of_django(body):
    return await AsyncClient().put("/ok", body, content_type="application/octet-stream")


async def of_quart(body):
    import quart

    app = quart.Quart(__name__)

    @app.put("/ok")
    async def put():
        stored.append(await quart.request.get_data())
        return ANSWER

    app.asgi_app = ASGIFaultMiddleware(app.asgi_app, [])
    found = await app.test_client().put("/ok", data=body)
    return SimpleNamespace(status_code=found.status_code, content=await found.get_data())


def make_flask():
    app = flask.Flask(__name__)

    @app.put("/ok")
    def put():
        stored.append(flask.request.get_data())
        return ANSWER

    return faultinject.install(app, [], enabled=True)


def make_fastapi():
    app = FastAPI()

    @app.put("/ok")
    async def put(request: Request):
        stored.append(await request.body())
        return Response(ANSWER)

    return faultinject.install(app, [], enabled=True)


def of_fastapi(**options):
    return asking(lambda: StarletteClient(make_fastapi(), **options), "content")


def of_httpx(url="http://app", **options):
    async def ask(body):
        async with LifespanManager(make_fastapi()) as manager:
            transport = httpx.ASGITransport(manager.app, **options)
            async with httpx.AsyncClient(transport=transport, base_url=url) as client:
                return await client.put("/ok", content=body)

    return ask


def make_litestar():
    litestar = imported("litestar")

    @litestar.put("/ok", status_code=200, media_type="application/octet-stream")
    async def put(request: litestar.Request) -> bytes:
        stored.append(await request.body())
        return ANSWER

    # Its logging leaves a thread; if its queue is locked when a later test forks, the child's logging waits for ever.
    return ASGIFaultMiddleware(litestar.Litestar([put], logging_config=None), [])


def of_litestar(**options):
    def ask(body):
        with imported("litestar.testing").TestClient(make_litestar(), **options) as client:
            return client.put("/ok", content=body)

    return ask


OTHER = ("10.0.0.1", 4321)
CLIENTS = {
    "Django": of_django(Client),
    "Django, raise_request_exception=False": of_django(Client, raise_request_exception=False),
    "Django, asynchronous": async_of_django,
    "Django REST framework": of_django(APIClient),
    "Django REST framework's requests": override_settings(ROOT_URLCONF=__name__)(
        asking(RequestsClient, url="http://testserver/ok")
    ),
    "Falcon": lambda body: FalconClient(make_flask()).simulate_put("/ok", body=body),
    "Falcon on ASGI": lambda body: FalconClient(make_fastapi()).simulate_put("/ok", body=body),
    "Quart": of_quart,
    "Flask": asking(lambda: make_flask().test_client()),
    "werkzeug": asking(lambda: WerkzeugClient(make_flask())),
    "WebTest": asking(lambda: TestApp(make_flask()), "params"),
    "FastAPI": of_fastapi(),
    "FastAPI, raise_server_exceptions=False": of_fastapi(raise_server_exceptions=False),
    "FastAPI, client given": of_fastapi(client=OTHER),
    "FastAPI on trio": of_fastapi(backend="trio"),
    "httpx on WSGI": asking(
        lambda: httpx.Client(transport=httpx.WSGITransport(make_flask()), base_url="http://app"), "content"
    ),
    "httpx": of_httpx(),
    "httpx, port given": of_httpx("http://app:8000"),
    "httpx, client given": of_httpx(client=OTHER),
    "httpx, raise_app_exceptions=False": of_httpx(raise_app_exceptions=False),
    "Litestar": of_litestar(),
    "Litestar, raise_server_exceptions=False": of_litestar(raise_server_exceptions=False),
}


def answer_of(client, body=b""):
    """Status and body of the answer to one request."""
    found = CLIENTS[client](body)
    if inspect.isawaitable(found):
        found = asyncio.run(found)
    said = next(getattr(found, name) for name in ("content", "data", "body") if hasattr(found, name))
    return found.status_code, said


ERRORS = {
    "reset": "InjectedReset",
    "close": "InjectedClose",
    "hang,duration=1h": "InjectedTimeout",
    "hang,duration=1h,delay=1h": "InjectedTimeout",
    "reset,when=after": "InjectedReset",
    "close,when=after": "InjectedClose",
    "hang,duration=1h,when=after": "InjectedTimeout",
    "reset,when=after,after_bytes=5": "InjectedReset",
    "close,when=after,after_bytes=5": "InjectedCut",
    "hang,duration=1h,when=after,after_bytes=5": "InjectedTimeout",
    "truncate": "InjectedCut",
    "truncate,of=cos:SlowDown": "InjectedCut",
}


BEFORE = [each for each in ERRORS if "when=after" not in each and not each.startswith("truncate")]


@each_row(
    ("client", "rule", "body"),
    pairs(
        client=CLIENTS,
        rule=ERRORS,
        body=[b"", b"meow"],
        alike={"rule": lambda rule: (ERRORS[rule], rule in BEFORE)},
    ),
)
def test_the_client_gets_the_error(client, rule, body):
    """The client gets its own error at once, and its next request is answered."""
    # Version 0.23 takes an OSError of `send` for a client that has left; its test client then waits for more for ever.
    if client == "Quart" and rule not in BEFORE and metadata.version("quart") >= "0.23":
        pytest.skip("needs a Quart before 0.23")
    stored.clear()
    with inject(rule, times=1, path="ok") as faults:
        with pytest.raises(OSError, match="injected by faultinject") as caught:
            answer_of(client, body)
        assert answer_of(client, body) == (200, ANSWER)
    applied = "when=after" in rule or rule == "truncate"
    found = type(caught.value).__name__, stored, faults.injector.errors
    assert found == (ERRORS[rule], [body] * (1 + applied), [])
    assert (
        faults.outcomes[0].response_bytes == (5 if "after_bytes" in rule or rule == "truncate" else None)
        or "of=" in rule
    )
    assert [(each.did, each.applied) for each in faults.outcomes] == [
        ("truncated" if "truncate" in rule else "raised", applied),
        ("passed", True),
    ]


# Falcon's own say that they have left as soon as they have asked.
@each_row("client", [each for each in CLIENTS if "Falcon" not in each])
def test_faults_that_raise_nothing(client):
    """A slow body is whole, a changed one as long as before, and the upload is noted."""
    stored.clear()
    with inject("drip,rate=200,times=1 corrupt") as faults:
        slow, (status, body) = answer_of(client, b"meow"), answer_of(client, b"purr")
    assert (slow, status, len(body), body == ANSWER) == ((200, ANSWER), 200, 10, False)
    found = [(each.did, each.status, each.response_bytes, each.body_complete) for each in faults.outcomes]
    noted = None if client == "Quart" else True  # no header of its requests says that they have a body
    assert found == [("dripped", 200, 10, noted), ("corrupted", 200, 10, noted)]
    assert (stored, len({each.request_digest for each in faults.outcomes})) == (
        [b"meow", b"purr"],
        2 if noted else 1,
    )
    assert faults.outcomes[0].answered - faults.outcomes[0].arrived >= 0.05


def make_starlette():
    """An app of one page."""
    return Starlette(routes=[Route("/", lambda _: PlainTextResponse(ANSWER))])


def asking_httpx(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://a.example")
    return lambda path: asyncio.run(client.get(path))


# Their users have said that no error of the app is to be raised.
DEAF = {
    "starlette": lambda app: StarletteClient(app, raise_server_exceptions=False).get,
    "starlette on trio": lambda app: StarletteClient(app, raise_server_exceptions=False, backend="trio").get,
    "httpx": asking_httpx,
}
RAISED = {
    "reset": httpx.ReadError,
    "close": httpx.RemoteProtocolError,
    "hang,duration=1h": httpx.ReadTimeout,
    "truncate": httpx.RemoteProtocolError,
}


@pytest.mark.parametrize("client", DEAF)
def test_a_client_that_is_told_to_raise_nothing(client):
    """The option is for the app's errors: these stay a 500, and a connection's error is raised."""

    async def fail(request):
        raise ZeroDivisionError

    app = make_starlette()
    app.add_route("/fails", fail)
    outer = Outer(faultinject.install(app, [], enabled=True))
    get = DEAF[client](outer)
    for rule, error in RAISED.items():
        with inject(rule, times=2, unless={"path": "fails"}) as faults:
            outer.swallows = True
            assert get("/").status_code in (200, 502)
            outer.swallows = False
            assert get("/fails").status_code == 500
            with pytest.raises(error, match="injected"):
                get("/")
            assert (get("/fails").status_code, get("/").content) == (500, ANSWER)
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


async def pass_on(request, call_next):
    """A middleware that adds a header."""
    answer = await call_next(request)
    answer.headers["x-seen"] = "yes"
    return answer


@each_row("client", ["starlette", "httpx"])
@pytest.mark.parametrize("rule", RAISED)
def test_a_client_that_raises_nothing_is_found_from_another_task(client, rule):
    """Starlette's own base class runs what is inside of it in a task of its own."""
    # Outside of the app: the hook of this test run decides in front of an app's own middleware.
    outer = BaseHTTPMiddleware(make_starlette(), dispatch=pass_on)
    with inject(rule), pytest.raises(RAISED[rule], match="injected"):
        DEAF[client](outer)("/")


@pytest.mark.parametrize(
    ("rule", "breaks"),
    [("reset,when=after", True), ("truncate", True), ("drip,rate=1KB", False), ("corrupt", False)],
)
def test_middleware_that_passes_an_answer_on(rule, breaks):
    """Starlette's own base class hands an answer on piece by piece, from a task of its own."""
    app = make_starlette()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    get = StarletteClient(faultinject.install(app, [], enabled=True)).get
    with inject(rule) as faults, pytest.raises(httpx.TransportError) if breaks else nullcontext():
        assert (get("/").headers["x-seen"], faults.outcomes[0].response_bytes) == ("yes", 10)
    assert (faults.injected, faults.outcomes[0].applied) == (1, True)


def test_flask_streams_with_its_context():
    """Every piece is made in the request's context."""
    app = make_flask()

    @app.get("/stream")
    def stream():
        return flask.stream_with_context(flask.request.path for _ in range(2))

    with inject("drip,rate=1KB,times=1 truncate,keep_bytes=9") as faults:
        assert app.test_client().get("/stream").data == b"/stream/stream"
        with pytest.raises(http.client.IncompleteRead) as caught:
            _ = app.test_client().get("/stream").data
        app.test_client().get("/stream")  # left alone, and collected
    assert (faults.injected, caught.value.partial, flask.has_app_context()) == (2, 9, False)
