"""WSGI: what is not injected is the app's own, down to the objects."""

from __future__ import annotations

import io
import sys
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from werkzeug.middleware.lint import LintMiddleware

from faultinject import Injector, WSGIFaultMiddleware, install
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


@pytest.fixture(params=WAYS, ids=list(WAYS))
def injector(request):
    return WAYS[request.param]()


class Result:
    """An answer that says when it is closed."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.closed = 0

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        self.closed += 1


def test_the_very_objects(injector, servers):
    """The app gets the server's own environ and start_response, and its own return value goes back unopened."""
    seen = []
    result = Result([b"x"])

    def app(environ, start_response):
        seen.extend((environ, start_response))
        return result

    def start_response(*_):
        raise AssertionError("nobody but the app calls it")

    environ = servers.environ()
    before = dict(environ)
    got = WSGIFaultMiddleware(app, injector=injector)(environ, start_response)
    assert got is result
    assert result.closed == 0
    assert seen[0] is environ
    assert seen[1] is start_response
    environ.pop("faultinject.decided", None)
    assert environ == before


def streaming(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    yield b"a"
    yield b"b"


def late_start(environ, start_response):
    def pieces():
        start_response("200 OK", [("content-type", "text/plain")])
        yield b"ab"

    return Result(pieces())


def writing(environ, start_response):
    write = start_response("200 OK", [("content-type", "text/plain")])
    write(b"a")
    return [b"b"]


def correcting(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    try:
        raise LookupError("late")
    except LookupError:
        start_response("404 Not Found", [("content-type", "text/plain")], sys.exc_info())
    return [b"none"]


def by_name(environ, start_response):
    start_response(status="200 OK", headers=[("content-type", "text/plain")], exc_info=None)
    return [b"ab"]


def file(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "2")])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"ab"))


def raising(environ, start_response):
    raise LookupError("the app's own")


def half(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    raise LookupError("the app's own")


def odd(environ, start_response):
    start_response("OK", [("content-type", "text/plain")])
    return [b""]


def odd_headers(environ, start_response):
    start_response("200 OK", [(None, 1, 2), ("content-length", 2), "x"])
    return [b"ab"]


def int_length(environ, start_response):
    start_response("200 OK", [("content-length", 2)])
    return [b"ab"]


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
        events.append(("closed", getattr(result, "closed", None)))
    except LookupError as error:
        events.append(error.args)
    return events


APPS = [
    streaming,
    late_start,
    writing,
    correcting,
    by_name,
    file,
    raising,
    half,
    odd,
    odd_headers,
    int_length,
]
RULES = {"elsewhere": ELSEWHERE, "never": NEVER, "spent": SPENT, "none": []}


@pytest.mark.parametrize(
    ("app", "rules", "record_all"), pairs(app=APPS, rules=RULES, record_all=[False, True])
)
def test_same_events_as_without(servers, app, rules, record_all):
    """Calls, order, types and bytes are those without middleware, also where every request is recorded."""
    injector = Injector(RULES[rules], seed=1, environ={}, record_all=record_all)
    bare = exchange(app, servers.environ(**{"wsgi.file_wrapper": FileWrapper}))
    wrapped = exchange(
        WSGIFaultMiddleware(app, injector=injector), servers.environ(**{"wsgi.file_wrapper": FileWrapper})
    )
    if record_all and app is by_name:
        bare[0] = ("start", *bare[0][1:])
    assert wrapped == bare
    assert injector.errors == []
    if record_all:
        [outcome] = injector.journal.outcomes
        assert outcome.did == "passed"
        status = {correcting: 404, raising: None, odd: None}.get(app, 200)
        assert outcome.status == status
        assert outcome.applied is True


def test_result_is_the_apps_own_where_everything_is_recorded(servers):
    """Recording wraps start_response alone; the body is the app's very object, so sendfile stays."""
    result = FileWrapper(io.BytesIO(b"x"))

    def app(environ, start_response):
        start_response("200 OK", [("content-length", "1")])
        return result

    injector = Injector([], environ={}, record_all=True)
    assert WSGIFaultMiddleware(app, injector=injector)(servers.environ(), lambda *_: None) is result
    [outcome] = injector.journal.outcomes
    assert (outcome.status, outcome.response_bytes, outcome.did) == (200, 1, "passed")


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


def test_attributes_are_forwarded():
    """The wrapper shows the app, the injector and what the app had put on itself."""

    class App:
        def __init__(self):
            self.config = {"a": 1}

        def __call__(self, environ, start_response):
            return []

    app, injector = App(), injector_for("http:503")
    wrapped = WSGIFaultMiddleware(app, injector=injector)
    assert (wrapped.app, wrapped.injector, wrapped.config) == (app, injector, app.config)
    assert type(wrapped) is type(lambda: 0)


def test_the_decision_is_marked_only_where_a_rule_matched(servers):
    """`faultinject.decided` appears in the environ of a request that a rule was for, and of no other."""
    seen = []

    def app(environ, start_response):
        seen.append(environ.get("faultinject.decided"))
        return []

    wrapped = WSGIFaultMiddleware(app, injector=injector_for(f"{NEVER},path=here/"))
    wrapped(servers.environ("GET", "/here/a"), None)
    wrapped(servers.environ("GET", "/there"), None)
    assert seen == [True, None]


def test_install_off_returns_the_very_object(monkeypatch):
    """Off means off."""
    monkeypatch.delenv("FAULTINJECT_ENABLED", raising=False)
    app = object()
    assert install(app) is app
