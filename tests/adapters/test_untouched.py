"""A request without a fault gets the app's own answer, down to the objects."""

import asyncio
import sys
from contextlib import suppress
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from werkzeug.middleware.lint import LintMiddleware

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.pairs import pairs
from tests.rows import each_row

from .manners import MANNERS
from .transport import saying

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


def same(some, others):
    """Whether these are the very objects."""
    return [each is other for each, other in zip(some, others, strict=True)] == [True] * len(others)


@each_row("way", WAYS)
def test_the_very_objects(way, servers):
    """The app gets the server's own objects, and its return value is passed on unopened."""
    seen, result = [], iter(())

    def wsgi(*given):
        seen.extend(given)
        return result

    async def asgi(*given):
        seen.extend(given)

    environ, scope = (make("PUT", body=b"cat") for make in (servers.environ, servers.scope))
    before = dict(environ), dict(scope)
    # Nobody but the app calls what else it is given.
    assert WSGIFaultMiddleware(wsgi, injector=WAYS[way]())(environ, None) is result
    asyncio.run(ASGIFaultMiddleware(asgi, injector=WAYS[way]())(scope, receive := object(), send := object()))
    assert same(seen, [environ, None, scope, receive, send])
    # Only what a rule matched is marked, so that it is decided once.
    mark = {"faultinject.decided": True} if way in ("never fires", "spent") else {}
    assert (environ, scope) == (before[0] | mark, before[1] | mark)


@pytest.mark.parametrize("kind", ["lifespan", "websocket", "something new"])
@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
def test_other_scopes_pass(kind, record_all):
    """Only the scope `http` is examined; lifespan, websocket and future ones pass unchanged."""
    seen = []

    async def app(*given):
        seen.extend(given)

    injector = Injector("cos:SlowDown", environ={}, record_all=record_all)
    scope = {"type": kind, "path": "/", "method": "GET", "headers": []}
    given = {**scope}, object(), object()
    asyncio.run(ASGIFaultMiddleware(app, injector=injector)(*given))
    assert same(seen, given)
    assert (given[0], injector.journal.outcomes) == (scope, [])


def half(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    raise LookupError("the app's own")


def answering(status, headers):
    """An app that answers so, with two bytes."""

    def app(environ, start_response):
        start_response(status, headers)
        return [b"ab"]

    return app


def raising(*_):
    raise LookupError("the app's own")


def exchange(app, environ):
    """Everything that a server sees of an app."""
    events = []

    def start_response(status, headers, exc_info=None):
        events.append(("start", status, headers, exc_info and exc_info[0]))
        return lambda piece: events.append(("write", piece))

    try:
        result = app(environ, start_response)
        events.append(("result", type(result)))
        events.extend(result)
        getattr(result, "close", lambda: None)()
    except LookupError as error:
        events.append(error.args)
    return events


APPS = {
    **dict.fromkeys(MANNERS, (200, 10)),
    raising: (None, None),
    half: (200, None),
    answering("OK", [("content-type", "text/plain")]): (None, None),
    answering("200 OK", [(None, 1, 2), ("content-length", 2), "x"]): (200, None),
    answering("200 OK", [("content-length", 2)]): (200, 2),
}
"""Apps, and what the journal says: their status, and how many bytes they answer with."""
RULES = {"elsewhere": ELSEWHERE, "never": NEVER, "spent": SPENT, "none": []}


def recorded(injector, status, size):
    """The journal's lines if every request is recorded."""
    assert injector.errors == []
    found = [(each.did, each.status, each.response_bytes, each.applied) for each in injector.journal.outcomes]
    assert found == [("passed", status, size, True)]


@each_row(("app", "rules", "record_all"), pairs(app=APPS, rules=RULES, record_all=[False, True]))
def test_same_events_as_without(servers, app, rules, record_all):
    """Calls, order, types and bytes equal those without middleware, also with a journal."""
    injector = Injector(RULES[rules], seed=1, environ={}, record_all=record_all)
    wrapped = WSGIFaultMiddleware(app, injector=injector)
    bare, found = (
        exchange(each, servers.environ(**{"wsgi.file_wrapper": FileWrapper})) for each in (app, wrapped)
    )
    assert found == bare
    if record_all:
        recorded(injector, *APPS[app])


START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
PIECE = {"type": "http.response.body", "body": b"a", "more_body": True}
END = {"type": "http.response.body", "body": b"b"}
PATHSEND = {"type": "http.response.pathsend", "path": "/etc/hostname"}


async def reading(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": ()})
    await send({"type": "http.response.body", "body": message["body"]})


async def once(scope, receive, send):
    """With headers that can be looked at once."""
    await saying(START | {"headers": iter(START["headers"])}, PIECE, END)(scope, receive, send)


def returning(scope, receive, send):
    return reading(scope, receive, send)


ASGI_APPS = {
    "plain": (saying(START, END | {"body": b"ab"}), 200, 2),
    "once": (once, 200, 2),
    "pathsend": (
        saying({"type": "http.response.debug", "info": {}}, {"type": START["type"], "status": 206}, PATHSEND),
        206,
        None,
    ),
    "reading": (reading, 200, None),
    "a sync callable that returns its coroutine": (returning, 200, None),
    "raising": (saying(LookupError("the app's own")), None, None),
    "silent": (saying(), None, None),
}


@each_row(("name", "record_all", "rules"), pairs(name=ASGI_APPS, record_all=[False, True], rules=RULES))
def test_same_messages_as_without(servers, name, rules, record_all):
    """Messages, order and bytes equal those without middleware, also with a journal."""
    app, *told = ASGI_APPS[name]
    injector = Injector(RULES[rules], seed=1, environ={}, record_all=record_all)
    found = []
    for each in (app, ASGIFaultMiddleware(app, injector=injector)):
        events = []

        async def send(message, events=events):
            events.append(message | {"headers": [*message.get("headers", ())]})

        with suppress(LookupError):
            asyncio.run(each(servers.scope(), servers.messages(b"body"), send))
            events.append("returned")
        found.append(events)
    assert found[0] == found[1]
    if record_all:
        recorded(injector, *told)


LINTED = [
    "cos:SlowDown", "cos:SlowDown,when=after", "http:503,delay=1ms", "latency,delay=1ms", "latency,delay=1ms,when=after",
    "cos:SlowDown,status=204", "cos:SlowDown,status=304", "http:503,drain=no", NEVER, ELSEWHERE,
]  # fmt: skip
# werkzeug's lint wants a body for HEAD, and of 204 a Content-Length, which RFC 9110 8.6 forbids.
LINTS = [
    (lint, method, rules)
    for lint in (validator, LintMiddleware)
    for method in ("GET", "HEAD", "PUT")
    for rules in LINTED
    if lint is validator or not (method == "HEAD" or "204" in rules)
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("lint", "method", "rules"), LINTS)
@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
def test_lint_around_and_inside(servers, lint, method, rules, record_all):
    """Neither as a server to the app nor as an app to the server do we break PEP 3333."""

    def app(environ, start_response):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1")])
        return [b"" if method == "HEAD" else b"x"]

    injector = Injector(rules, seed=1, environ={}, record_all=record_all)
    environ = servers.environ(method, "/a", body=b"data" if method == "PUT" else b"")
    environ = {name: value for name, value in environ.items() if value != ""}
    environ |= {"SCRIPT_NAME": "", "QUERY_STRING": "", "wsgi.errors": sys.stderr}
    answer = servers.wsgi(lint(WSGIFaultMiddleware(lint(app), injector=injector)), environ)
    assert answer.status in (200, 204, 304, 503)
    assert injector.errors == []
