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
from .transport import App, Broken, only, recorder, values


def broken(*_, **__):
    raise Broken


BREAK = {"the renderer": "envelope", "the ids": "make_ids"}


def errors(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
@pytest.mark.parametrize("where", BREAK)
def test_the_request_passes_and_it_is_told_once(send, make_injector, caplog, where, record_all):
    """After an error inside, the app answers; it is counted, logged once, and gives all back."""
    rule, environ = "cos:SlowDown,method=PUT,times=1,name=slow", {"FAULTINJECT_MAX_ACTIVE": "1"}
    injector = make_injector(rule, record_all=record_all, **environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vendors.get("cos"), BREAK[where], broken)
        answers = [send(injector, "PUT", "/b/k", body=b"data") for _ in range(3)]
    assert [(each.status, each.body) for each in answers] == [(200, b"app")] * 3
    assert (injector.failures, {type(each) for each in injector.errors}) == (3, {Broken})
    assert errors(caplog) == ["faultinject: rule slow failed, the request passed untouched"]
    found = {(each.did, each.injected, each.request_id) for each in injector.journal.outcomes}
    assert found == {("failed", False, None)}
    if where == "the renderer":
        assert [send(injector, "PUT", "/b/k").status for _ in range(2)] == [503, 200]


def test_a_request_that_cannot_be_read_passes(servers, make_injector, caplog):
    """A test client that gives text instead of bytes gets no fault and no outcome."""
    injector = make_injector("http:503")
    app = ASGIFaultMiddleware(asgi_app, injector=injector)
    scope = servers.scope() | {"headers": [(b"host", "text")]}
    answer = anyio.run(servers.asgi, app, scope, servers.messages())
    found = answer.status, answer.body, injector.failures, injector.journal.outcomes
    assert (found, errors(caplog)) == (
        (200, b"app", 1, []),
        ["faultinject: rule ? failed, the request passed untouched"],
    )


def test_the_rule_that_cannot_read_a_request_is_named(servers, make_injector, caplog):
    """A middleware in front may put anything into an environ."""
    injector = make_injector("http:503,path=other/\nhttp:503,unless.query.a=1,name=slow")
    answer = servers.wsgi(WSGIFaultMiddleware(App().wsgi, injector=injector), servers.environ(QUERY_STRING=5))
    assert (answer.status, injector.failures) == (200, 1)
    assert errors(caplog) == ["faultinject: rule slow failed, the request passed untouched"]


async def receive_text():
    return {"type": "http.request", "body": "text"}


TEXT = {
    "wsgi": {"wsgi.input": SimpleNamespace(read=lambda *_: "text")},
    "asgi": {"receive": receive_text},
}


def test_after_the_body_was_read_the_app_is_never_called(send, make_injector, caplog):
    """It would see an empty upload: a plain 500 says that it was us."""
    injector, app = make_injector("cos:SlowDown,times=1"), App()
    answer = send(injector, "PUT", "/b/k", body=b"data", app=app, **TEXT[send.kind])
    # What is left of the body is nobody's next request.
    headers = [("content-length", "0"), ("x-faultinject", "error"), ("connection", "close")]
    assert answer.wire == (500, headers, b"")
    assert ([type(each) for each in injector.errors], only(injector).did, len(errors(caplog))) == (
        [TypeError],
        "failed",
        1,
    )
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
    assert [[name for name, _ in each] for each in seen] == [
        ["Content-Length", "x-faultinject", "x-added"]
    ] * 2
    assert [each.did for each in injector.journal.outcomes] == ["failed", "failed"]


@pytest.mark.parametrize("own", [None, LookupError])
def test_under_inject_such_an_error_fails_the_block(send, make_injector, monkeypatch, own):
    """A test fails if an error inside kept its faults away, unless it fails by itself."""
    monkeypatch.setattr(vendors.get("cos"), BREAK["the renderer"], broken)
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
    found = values(only(injector), "did", "rule", "hint", "request_id", "status")
    assert found == ("refused", "rule-1", None, None, 200 if record_all else None)


def test_a_request_that_no_server_makes_passes(make_injector):
    """Without the keys that every environ and scope have the app is asked, not us."""
    injector, app = make_injector("cos:SlowDown"), App()
    for _ in range(2):
        environ, scope = {}, {"type": "http"}
        assert WSGIFaultMiddleware(app.wsgi, injector=injector)(environ, lambda *_: None) is app
        anyio.run(ASGIFaultMiddleware(app.asgi, injector=injector), scope, None, recorder()[1])
        assert (environ, scope) == ({}, {"type": "http"})
        injector.disable()
    assert ([type(each) for each in injector.errors], app.ran, injector.failures) == (
        [KeyError, KeyError],
        4,
        2,
    )
