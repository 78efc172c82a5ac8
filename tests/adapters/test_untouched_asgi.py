"""ASGI: what is not injected is the app's own, down to the objects."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from faultinject import ASGIFaultMiddleware, Injector
from tests.pairs import pairs

ELSEWHERE = "cos:SlowDown,path=elsewhere/"
NEVER = "cos:SlowDown,probability=0"
SPENT = "cos:SlowDown,times=0"


def injector_for(rules, **environ):
    return Injector(rules, seed=1, environ=environ)


def disabled():
    injector = injector_for("cos:SlowDown")
    injector.disable()
    return injector


WAYS = {
    "off": disabled,
    "killed": lambda: injector_for("cos:SlowDown", FAULTINJECT_ENABLED="0"),
    "production": lambda: injector_for("cos:SlowDown", ENV="production"),
    "expired": lambda: injector_for("cos:SlowDown", FAULTINJECT_EXPIRES="0s"),
    "unmatched": lambda: injector_for(ELSEWHERE),
    "another method": lambda: injector_for("cos:SlowDown,method=DELETE"),
    "never fires": lambda: injector_for(NEVER),
    "spent": lambda: injector_for(SPENT),
}


async def receive():
    raise AssertionError("nobody but the app calls it")


async def send(message):
    raise AssertionError("nobody but the app calls it")


@pytest.mark.parametrize("way", WAYS)
def test_the_very_objects(way, servers):
    """The app gets the server's own scope, receive and send."""
    seen = []

    async def app(*given):
        seen.extend(given)

    scope = servers.scope()
    before = dict(scope)
    asyncio.run(ASGIFaultMiddleware(app, injector=WAYS[way]())(scope, receive, send))
    assert all(got is given for got, given in zip(seen, (scope, receive, send), strict=True))
    scope.pop("faultinject.decided", None)
    assert scope == before


@pytest.mark.parametrize("kind", ["lifespan", "websocket", "something new"])
@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
def test_other_scopes_pass(kind, record_all):
    """Only `http` is looked at: lifespan, websocket and what is yet to be invented pass as they are."""
    seen = []

    async def app(*given):
        seen.extend(given)

    injector = Injector("cos:SlowDown", environ={}, record_all=record_all)
    scope = {"type": kind, "path": "/", "method": "GET", "headers": []}
    asyncio.run(ASGIFaultMiddleware(app, injector=injector)(scope, receive, send))
    assert all(got is given for got, given in zip(seen, (scope, receive, send), strict=True))
    assert scope == {"type": kind, "path": "/", "method": "GET", "headers": []}
    assert injector.journal.outcomes == []


async def plain(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ab"})


async def streaming(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": iter([(b"content-length", b"2")])})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body", "body": b"b"})


async def pathsend(scope, receive, send):
    await send({"type": "http.response.debug", "info": {}})
    await send({"type": "http.response.start", "status": 206})
    await send({"type": "http.response.pathsend", "path": "/etc/hostname"})


async def reading(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": ()})
    await send({"type": "http.response.body", "body": message["body"]})


async def raising(scope, receive, send):
    raise LookupError("the app's own")


async def silent(scope, receive, send):
    pass


async def exchange(app, scope, servers):
    events = []

    async def send(message):
        headers = message.get("headers")
        if headers is not None:
            message = {**message, "headers": list(headers)}
        events.append(message)

    try:
        await app(scope, servers.messages(b"body"), send)
    except LookupError as error:
        events.append(error.args)
    return events


@pytest.mark.parametrize(
    ("app", "record_all", "rules"),
    pairs(
        app=[plain, streaming, pathsend, reading, raising, silent],
        record_all=[False, True],
        rules=[ELSEWHERE, NEVER, SPENT, ()],
    ),
)
def test_same_messages_as_without(servers, app, rules, record_all):
    """Messages, order and bytes are those without middleware, also where every request is recorded."""
    injector = Injector(rules, seed=1, environ={}, record_all=record_all)
    bare = asyncio.run(exchange(app, servers.scope(), servers))
    wrapped = asyncio.run(exchange(ASGIFaultMiddleware(app, injector=injector), servers.scope(), servers))
    assert wrapped == bare
    assert injector.errors == []
    if record_all:
        [outcome] = injector.journal.outcomes
        status = {pathsend: 206, raising: None, silent: None}.get(app, 200)
        length = 2 if app is plain else None
        assert (outcome.did, outcome.status, outcome.response_bytes, outcome.applied) == (
            "passed",
            status,
            length,
            True,
        )


def test_the_wrapper_is_an_async_function():
    """uvicorn takes a sync callable for ASGI 2."""
    injector = injector_for("http:503")

    def app(scope, receive, send):
        return plain(scope, receive, send)

    app.title = "mine"
    wrapped = ASGIFaultMiddleware(app, injector=injector)
    assert inspect.iscoroutinefunction(wrapped)
    assert (wrapped.app, wrapped.injector, wrapped.title) == (app, injector, "mine")


def test_a_sync_asgi3_callable_is_awaited(servers):
    """An app that returns its coroutine works as before."""

    def app(scope, receive, send):
        return plain(scope, receive, send)

    wrapped = ASGIFaultMiddleware(app, injector=injector_for(ELSEWHERE))
    assert asyncio.run(servers.asgi(wrapped, servers.scope(), servers.messages())).body == b"ab"


def test_the_decision_is_marked_only_where_a_rule_matched(servers):
    """`faultinject.decided` appears in the scope of a request that a rule was for, and of no other."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope.get("faultinject.decided"))

    wrapped = ASGIFaultMiddleware(app, injector=injector_for(f"{NEVER},path=here/"))
    for target in ("/here/a", "/there"):
        asyncio.run(wrapped(servers.scope("GET", target), receive, send))
    assert seen == [True, None]
