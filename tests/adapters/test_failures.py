"""Errors inside faultinject never break the app; too many faults at once are not begun."""

from __future__ import annotations

import logging
import re
import threading

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, Rule, WSGIFaultMiddleware, inject, vendors
from faultinject.counts.memory import MemoryCounts
from faultinject.engine.body_digest import BodyDigest
from faultinject.engine.compiled_rule import CompiledRule
from faultinject.engine.request import ASGIRequest, WSGIRequest
from faultinject.exceptions import InjectionFailed
from faultinject.rules.conditions import Method


class Broken(Exception):
    """An error that no code of ours raises."""


def broken(*_, **__):
    raise Broken


BREAK = {
    "a condition": lambda patch: patch.setattr(Method, "compile", lambda *_: broken),
    "the making of a rule": lambda patch: patch.setattr(CompiledRule, "__init__", broken),
    "the count": lambda patch: patch.setattr(MemoryCounts, "match", broken),
    "the draw": lambda patch: patch.setattr("faultinject.engine.compiled_rule.drawer", lambda *_: broken),
    "the take": lambda patch: patch.setattr(MemoryCounts, "take", broken),
    "the renderer": lambda patch: patch.setattr(vendors.get("cos"), "envelope", broken),
    "the ids": lambda patch: patch.setattr(vendors.get("cos"), "make_ids", broken),
    "the snapshot": lambda patch: [
        patch.setattr(view, "snapshot", broken) for view in (WSGIRequest, ASGIRequest)
    ],
    "the request view": lambda patch: [
        patch.setattr(view, "__init__", broken) for view in (WSGIRequest, ASGIRequest)
    ],
}


def errors(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
@pytest.mark.parametrize("where", BREAK)
def test_the_request_passes_and_it_is_told_once(send, make_injector, monkeypatch, caplog, where, record_all):
    """The app's own answer, with its own body read by itself; counted each time, logged once."""
    injector = make_injector("cos:SlowDown,method=PUT,times=100,name=slow", record_all=record_all)
    BREAK[where](monkeypatch)
    for _ in range(3):
        answer = send(injector, "PUT", "/b/k", body=b"data")
        assert (answer.status, answer.body) == (200, b"app")
    assert injector.failures == 3
    assert all(isinstance(each, Broken) for each in injector.errors)
    [told] = errors(caplog)
    assert re.fullmatch(r"faultinject: rule (slow|\?) failed, the request passed untouched", told)
    assert [each for each in injector.journal.outcomes if each.injected] == []
    if where not in ("the request view", "the snapshot"):
        assert {each.did for each in injector.journal.outcomes} == {"failed"}
        assert {each.request_id for each in injector.journal.outcomes} == {None}


@pytest.mark.parametrize("where", ["a condition", "the renderer"])
def test_the_log_names_the_rule(send, make_injector, monkeypatch, caplog, where):
    """Once for every rule, by its name."""
    injector = make_injector(
        ["cos:SlowDown,name=first,method=PUT", "cos:InternalError,name=second,method=GET"]
    )
    BREAK[where](monkeypatch)
    for method in ("PUT", "GET", "PUT", "GET"):
        send(injector, method)
    assert [each.split()[2] for each in errors(caplog)] == ["first", "second"]


@pytest.mark.parametrize("where", ["the renderer", "the snapshot"])
def test_a_take_whose_answer_could_not_be_made_goes_back(send, make_injector, where):
    """`times=1` still gives one once what was broken works again."""
    injector = make_injector("cos:SlowDown,times=1")
    with pytest.MonkeyPatch.context() as patch:
        BREAK[where](patch)
        assert send(injector).status == 200
    assert send(injector).status == 503
    assert send(injector).status == 200


def test_after_the_body_was_read_the_app_is_never_called(send, make_injector, monkeypatch, caplog):
    """It would see an empty upload: a plain 500 says that it was us."""
    injector = make_injector("cos:SlowDown,times=1")

    def app(*_):
        raise AssertionError("not called")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BodyDigest, "hexdigest", broken)
        # A body with boundaries, whose digest takes more than one step.
        kind = [("content-type", "multipart/form-data; boundary=b")]
        answer = send(injector, "PUT", "/b/k", body=b"data", headers=kind, app=app)
    # What is left of the body is nobody's next request.
    ends = [("connection", "close")] if send.kind == "asgi" else []
    assert answer.wire == (500, [("content-length", "0"), ("x-faultinject", "error"), *ends], b"")
    assert [type(each) for each in injector.errors] == [Broken]
    assert [each.did for each in injector.journal.outcomes] == ["failed"]
    assert len(errors(caplog)) == 1
    assert send(injector, "PUT", "/b/k").status == 503


def test_under_inject_such_an_error_fails_the_block(send, make_injector, monkeypatch):
    """A test that was not given its faults must not pass; the error inside is the cause."""
    injector = make_injector([])
    BREAK["the renderer"](monkeypatch)
    with pytest.raises(InjectionFailed) as caught, inject("cos:SlowDown"):
        assert send(injector).status == 200
    assert isinstance(caught.value.__cause__, Broken)


def test_a_block_that_fails_keeps_its_own_error(send, make_injector, monkeypatch):
    """What the test itself says stands above."""
    injector = make_injector([])
    BREAK["the renderer"](monkeypatch)
    with pytest.raises(LookupError), inject("cos:SlowDown"):
        send(injector)
        raise LookupError


def test_errors_kept_are_bounded(send, make_injector, monkeypatch):
    """A server that runs for days with a broken rule does not fill its memory."""
    injector = make_injector("cos:SlowDown")
    BREAK["the renderer"](monkeypatch)
    for _ in range(130):
        send(injector)
    assert (len(injector.errors), injector.failures) == (100, 130)


def test_a_broken_journal_does_not_break_the_answer(send, make_injector, monkeypatch, tmp_path, caplog):
    """What cannot be written is told; the fault is given as decided."""
    injector = make_injector("cos:SlowDown", FAULTINJECT_JOURNAL=str(tmp_path / "journal"))
    monkeypatch.setattr("faultinject.journal.writing.values", broken)
    assert send(injector).status == 503
    assert errors(caplog)


def test_too_many_at_once_are_refused_by_wsgi(servers, make_injector):
    """`FAULTINJECT_MAX_ACTIVE`: one more passes, is counted as refused, and takes nothing from `times`."""
    injector = make_injector("http:503,times=3,delay=1h", FAULTINJECT_MAX_ACTIVE="2")
    entered = threading.Barrier(3, timeout=10)
    leave = threading.Event()
    statuses = []

    def hold(seconds):
        entered.wait()
        assert leave.wait(10)
        injector._own.ended = True

    def app(environ, start_response):
        start_response("200 OK", [])
        return []

    def one():
        wrapped = WSGIFaultMiddleware(app, injector=injector)
        statuses.append(servers.wsgi(wrapped, servers.environ()).status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultinject.adapters.alarm.Alarm.sleep", lambda _, seconds, *__, **___: hold(seconds))
        threads = [threading.Thread(target=one) for _ in range(2)]
        for each in threads:
            each.start()
        entered.wait()
        one()
        assert statuses == [200]
        leave.set()
        for each in threads:
            each.join(10)
    assert statuses == [200, 503, 503]
    assert sorted(each.did for each in injector.journal.outcomes) == ["answered", "answered", "refused"]
    assert injector.counts() == {"rule-1": {"matched": 3, "injected": 2}}
    one()
    one()
    assert statuses[3:] == [503, 200]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_too_many_at_once_are_refused_by_asgi(servers, make_injector, backend):
    """The same under ASGI."""
    injector = make_injector("http:503,times=3,delay=40ms", FAULTINJECT_MAX_ACTIVE="2")
    statuses = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def one():
        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def receive():
            await anyio.sleep_forever()

        await ASGIFaultMiddleware(app, injector=injector)(servers.scope(), receive, send)

    async def scenario():
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)

    anyio.run(scenario, backend=backend)
    assert statuses == [200, 503, 503]
    assert injector.counts() == {"rule-1": {"matched": 3, "injected": 2}}


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


def test_every_place_is_given_back(send, make_injector):
    """However a fault ends, its place is free again."""

    def fails(*_):
        raise LookupError

    injector = make_injector("cos:SlowDown,when=after", FAULTINJECT_MAX_ACTIVE="1")
    for _ in range(3):
        with pytest.raises(LookupError):
            send(injector, app=fails)
    assert send(injector).status == 503


def test_a_request_that_no_server_makes_passes(servers, make_injector):
    """Without the keys that every environ and scope have the app is asked, not us."""
    asked = []

    async def asgi(scope, receive, send):
        asked.append(scope)

    def wsgi(environ, start_response):
        asked.append(environ)
        return []

    injector = make_injector("cos:SlowDown")
    assert WSGIFaultMiddleware(wsgi, injector=injector)({}, None) == []
    anyio.run(ASGIFaultMiddleware(asgi, injector=injector), {"type": "http"}, None, None)
    assert [type(each) for each in injector.errors] == [KeyError, KeyError]
    injector.disable()
    assert WSGIFaultMiddleware(wsgi, injector=injector)({}, None) == []
    anyio.run(ASGIFaultMiddleware(asgi, injector=injector), {"type": "http"}, None, None)
    assert asked == [{}, {"type": "http"}, {}, {"type": "http"}]
    assert injector.failures == 2
