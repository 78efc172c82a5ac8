"""Errors inside faultinject never break the app; too many faults at once are not begun."""

import io
import logging
from types import SimpleNamespace

import anyio
import pytest
from werkzeug.test import EnvironBuilder

from faultinject import ASGIFaultMiddleware, Rule, WSGIFaultMiddleware, inject, vendors
from faultinject.exceptions import InjectionFailedError

from .conftest import asgi_app
from .transport import App, recorder


class Broken(Exception):
    """An error that no code of ours raises."""


def broken(*_, **__):
    raise Broken


BREAK = {
    "the renderer": lambda patch: patch.setattr(vendors.get("cos"), "envelope", broken),
    "the ids": lambda patch: patch.setattr(vendors.get("cos"), "make_ids", broken),
}


def errors(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
@pytest.mark.parametrize("where", BREAK)
def test_the_request_passes_and_it_is_told_once(send, make_injector, caplog, where, record_all):
    """After an error inside, the app answers; it is counted, logged once, and gives all back."""
    rule, environ = "cos:SlowDown,method=PUT,times=1,name=slow", {"FAULTINJECT_MAX_ACTIVE": "1"}
    injector = make_injector(rule, record_all=record_all, **environ)
    with pytest.MonkeyPatch.context() as patch:
        BREAK[where](patch)
        for _ in range(3):
            answer = send(injector, "PUT", "/b/k", body=b"data")
            assert (answer.status, answer.body) == (200, b"app")
    assert injector.failures == 3
    assert {type(each) for each in injector.errors} == {Broken}
    [told] = errors(caplog)
    assert told == "faultinject: rule slow failed, the request passed untouched"
    assert {(each.did, each.injected, each.request_id) for each in injector.journal.outcomes} == {
        ("failed", False, None)
    }
    if where == "the renderer":
        assert [send(injector, "PUT", "/b/k").status for _ in range(2)] == [503, 200]


def test_a_request_that_cannot_be_read_passes(servers, make_injector, caplog):
    """A test client that gives text instead of bytes gets no fault and no outcome."""
    injector = make_injector("http:503")
    app = ASGIFaultMiddleware(asgi_app, injector=injector)
    scope = servers.scope() | {"headers": [(b"host", "text")]}
    answer = anyio.run(servers.asgi, app, scope, servers.messages())
    assert (answer.status, answer.body) == (200, b"app")
    assert injector.failures == 1
    assert errors(caplog) == ["faultinject: rule ? failed, the request passed untouched"]
    assert [*injector.journal.outcomes] == []


def test_after_the_body_was_read_the_app_is_never_called(send, servers, make_injector, caplog):
    """It would see an empty upload: a plain 500 says that it was us."""
    injector, app = make_injector("cos:SlowDown,times=1"), App()

    async def receive():
        return {"type": "http.request", "body": "text"}

    if send.kind == "wsgi":
        text = SimpleNamespace(read=lambda *_: "text")
        answer = send(injector, "PUT", "/b/k", body=b"data", app=app, **{"wsgi.input": text})
    else:
        wrapped = ASGIFaultMiddleware(app.asgi, injector=injector)
        answer = anyio.run(servers.asgi, wrapped, servers.scope("PUT", "/b/k", body=b"data"), receive)
    # What is left of the body is nobody's next request.
    assert answer.wire == (
        500,
        [("content-length", "0"), ("x-faultinject", "error"), ("connection", "close")],
        b"",
    )
    assert [type(each) for each in injector.errors] == [TypeError]
    assert [each.did for each in injector.journal.outcomes] == ["failed"]
    assert len(errors(caplog)) == 1
    assert (send(injector, "PUT", "/b/k").status, app.ran) == (503, 0)


def test_what_middleware_adds_to_such_an_answer_is_not_in_the_next_one(servers, make_injector):
    """Also where no server is between: each answer has headers of its own."""
    injector, seen = make_injector("cos:SlowDown"), []

    def start_response(_status, headers, *_):
        headers.append(("x-added", "yes"))
        seen.append(headers)

    for _ in range(2):
        body = io.BytesIO(b"da")
        body.close()
        environ = EnvironBuilder("/b/k", method="PUT", data=b"data").get_environ() | {"wsgi.input": body}
        WSGIFaultMiddleware(None, injector=injector)(environ, start_response)
    assert [[*dict(each)] for each in seen] == [["Content-Length", "x-faultinject", "x-added"]] * 2
    assert [len(each) for each in seen] == [3, 3]
    assert [each.did for each in injector.journal.outcomes] == ["failed", "failed"]


@pytest.mark.parametrize("own", [None, LookupError])
def test_under_inject_such_an_error_fails_the_block(send, make_injector, monkeypatch, own):
    """A test fails if an error inside kept its faults away, unless it fails by itself."""
    BREAK["the renderer"](monkeypatch)
    with pytest.raises(own or InjectionFailedError) as caught, inject("cos:SlowDown"):
        assert send(make_injector([])).status == 200
        if own:
            raise own
    assert own or isinstance(caught.value.__cause__, Broken)


@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
def test_refused_is_the_apps_own_answer(send, make_injector, record_all):
    """Nothing of the fault that was refused is in the outcome."""
    injector = make_injector(
        Rule("cos:SlowDown", retry_after=2), record_all=record_all, FAULTINJECT_MAX_ACTIVE="0"
    )
    assert send(injector).status == 200
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.rule, outcome.hint, outcome.request_id) == ("refused", "rule-1", None, None)
    assert outcome.status == (200 if record_all else None)


def test_a_request_that_no_server_makes_passes(make_injector):
    """Without the keys that every environ and scope have the app is asked, not us."""
    injector, app = make_injector("cos:SlowDown"), App()
    for _ in range(2):
        environ, scope = {}, {"type": "http"}
        assert WSGIFaultMiddleware(app.wsgi, injector=injector)(environ, lambda *_: None) is app
        anyio.run(ASGIFaultMiddleware(app.asgi, injector=injector), scope, None, recorder()[1])
        assert (environ, scope) == ({}, {"type": "http"})
        injector.disable()
    assert [type(each) for each in injector.errors] == [KeyError, KeyError]
    assert (app.ran, injector.failures) == (4, 2)
