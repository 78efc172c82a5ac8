"""The frameworks' own test clients under each fault that breaks a connection, with and without a body."""

import asyncio
import warnings

import django
import falcon
import falcon.asgi
import flask
import httpx
import pytest
import quart
from asgi_lifespan import LifespanManager
from django.conf import settings
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path as django_path
from falcon.testing import ASGIConductor
from falcon.testing import TestClient as FalconClient
from fastapi import FastAPI, Request, Response

import faultinject
from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware, inject
from tests.pairs import pairs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import litestar
    from litestar.testing import AsyncTestClient
    from litestar.testing import TestClient as LitestarClient
    from starlette.testclient import TestClient as StarletteClient
    from webtest import TestApp

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="secret", USE_TZ=True, ROOT_URLCONF=__name__)
    django.setup()

from rest_framework.test import APIClient, RequestsClient

ANSWER = b"0123456789"
stored = []


def put(request):
    stored.append(request.body)
    return HttpResponse(ANSWER)


urlpatterns = [django_path("ok", put)]


def of_django(make, **options):
    def ask(body):
        with override_settings(ROOT_URLCONF=__name__):
            found = make(**options).put("/ok", body, content_type="application/octet-stream")
        return found.status_code, found.content

    return ask


def async_of_django(body):
    async def ask():
        with override_settings(ROOT_URLCONF=__name__):
            return await AsyncClient().put("/ok", body, content_type="application/octet-stream")

    found = asyncio.run(ask())
    return found.status_code, found.content


def requests_of_django(body):
    with override_settings(ROOT_URLCONF=__name__):
        found = RequestsClient().put("http://testserver/ok", data=body)
    return found.status_code, found.content


class Stores:
    """A resource of Falcon's."""

    def on_put(self, request, response):
        stored.append(request.bounded_stream.read())
        response.data = ANSWER


class AsyncStores:
    """The same for ASGI."""

    async def on_put(self, request, response):
        stored.append(await request.stream.read())
        response.data = ANSWER


def of_falcon(body):
    app = falcon.App()
    app.add_route("/ok", Stores())
    found = FalconClient(WSGIFaultMiddleware(app, [])).simulate_put("/ok", body=body)
    return found.status_code, found.content


def falcon_asgi():
    app = falcon.asgi.App()
    app.add_route("/ok", AsyncStores())
    return ASGIFaultMiddleware(app, [])


def async_of_falcon(body):
    found = FalconClient(falcon_asgi()).simulate_put("/ok", body=body)
    return found.status_code, found.content


def conductor_of_falcon(body):
    async def ask():
        async with ASGIConductor(falcon_asgi()) as conductor:
            return await conductor.simulate_put("/ok", body=body)

    found = asyncio.run(ask())
    return found.status_code, found.content


def of_quart(body):
    async def ask():
        app = quart.Quart(__name__)

        @app.put("/ok")
        async def put():
            stored.append(await quart.request.get_data())
            return ANSWER

        app.asgi_app = ASGIFaultMiddleware(app.asgi_app, [])
        found = await app.test_client().put("/ok", data=body)
        return found.status_code, await found.get_data()

    return asyncio.run(ask())


def make_flask():
    app = flask.Flask(__name__)

    @app.put("/ok")
    def put():
        stored.append(flask.request.get_data())
        return ANSWER

    return faultinject.install(app, [], enabled=True)


def of_flask(body):
    found = make_flask().test_client().put("/ok", data=body)
    return found.status_code, found.data


def of_webtest(body):
    found = TestApp(make_flask()).put("/ok", body)
    return found.status_int, found.body


def make_fastapi():
    app = FastAPI()

    @app.put("/ok")
    async def put(request: Request):
        stored.append(await request.body())
        return Response(ANSWER)

    return faultinject.install(app, [], enabled=True)


def of_fastapi(**options):
    def ask(body):
        found = StarletteClient(make_fastapi(), **options).put("/ok", content=body)
        return found.status_code, found.content

    return ask


def of_httpx(**options):
    def ask(body):
        async def put():
            async with LifespanManager(make_fastapi()) as manager:
                transport = httpx.ASGITransport(manager.app, **options)
                async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
                    return await client.put("/ok", content=body)

        found = asyncio.run(put())
        return found.status_code, found.content

    return ask


def make_litestar():
    @litestar.put("/ok", status_code=200, media_type="application/octet-stream")
    async def put(request: litestar.Request) -> bytes:
        stored.append(await request.body())
        return ANSWER

    return ASGIFaultMiddleware(litestar.Litestar([put]), [])


def of_litestar(**options):
    def ask(body):
        with LitestarClient(make_litestar(), **options) as client:
            found = client.put("/ok", content=body)
        return found.status_code, found.content

    return ask


def async_of_litestar(body):
    async def ask():
        async with AsyncTestClient(make_litestar()) as client:
            return await client.put("/ok", content=body)

    found = asyncio.run(ask())
    return found.status_code, found.content


CLIENTS = {
    "Django": of_django(Client),
    "Django, raise_request_exception=False": of_django(Client, raise_request_exception=False),
    "Django, asynchronous": async_of_django,
    "Django REST framework": of_django(APIClient),
    "Django REST framework's requests": requests_of_django,
    "Falcon": of_falcon,
    "Falcon on ASGI": async_of_falcon,
    "Falcon's conductor": conductor_of_falcon,
    "Quart": of_quart,
    "Flask": of_flask,
    "WebTest": of_webtest,
    "FastAPI": of_fastapi(),
    "FastAPI, raise_server_exceptions=False": of_fastapi(raise_server_exceptions=False),
    "httpx": of_httpx(),
    "httpx, raise_app_exceptions=False": of_httpx(raise_app_exceptions=False),
    "Litestar": of_litestar(),
    "Litestar, raise_server_exceptions=False": of_litestar(raise_server_exceptions=False),
    "Litestar, asynchronous": async_of_litestar,
}
ERRORS = {
    "reset": "InjectedReset",
    "close": "InjectedClose",
    "hang,duration=1h": "InjectedTimeout",
    "reset,when=after": "InjectedReset",
    "close,when=after": "InjectedClose",
    "hang,duration=1h,when=after": "InjectedTimeout",
    "reset,when=after,after_bytes=5": "InjectedReset",
    "close,when=after,after_bytes=5": "InjectedCut",
    "hang,duration=1h,when=after,after_bytes=5": "InjectedTimeout",
    "truncate": "InjectedCut",
    "truncate,of=cos:SlowDown": "InjectedCut",
}


@pytest.mark.parametrize(("client", "rule", "body"), pairs(client=CLIENTS, rule=ERRORS, body=[b"", b"meow"]))
def test_the_client_gets_the_error(client, rule, body):
    """One of ours, which its own `except` clauses catch, at once, and the next request gets its answer."""
    stored.clear()
    ask = CLIENTS[client]
    with inject(rule, times=1, path="ok") as faults:
        with pytest.raises(OSError, match="injected by faultinject") as caught:
            ask(body)
        assert ask(body) == (200, ANSWER)
    assert type(caught.value).__name__ == ERRORS[rule]
    applied = "when=after" in rule or rule == "truncate"
    assert stored == [body] * (1 + applied)
    assert [(each.did, each.applied) for each in faults.outcomes] == [
        ("truncated" if "truncate" in rule else "raised", applied),
        ("passed", True),
    ]
    assert faults.injector.errors == []
