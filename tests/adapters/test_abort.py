"""`abort`: the app's own failures end all faults, on both interfaces; injected ones do not."""

import io
import logging
from wsgiref.util import FileWrapper

import pytest

from faultinject import ASGIFaultMiddleware, Scenario, WSGIFaultMiddleware

from .transport import App

WHY = "5xx>50%/1m,min=4: {} of {} requests ({} %) failed by themselves within 1 m"


class ClientDisconnect(Exception):
    """As Starlette raises in an app whose client has left."""


@pytest.fixture
def aborting(make_injector):
    """An injector whose rules end when more than half of at least four answers are failures."""

    def make(rules="http:418,path=/tea", abort="5xx>50%/1m,min=4", **environ):
        return make_injector(Scenario(rules, abort=abort), **environ)

    return make


def ask(send, injector, target, app, times=1):
    """The statuses, or the names of what was raised."""
    got = []
    for _ in range(times):
        try:
            got.append(send(injector, target=target, app=app).status)
        except Exception as error:
            got.append(type(error).__name__)
    return got


def test_failures_of_the_app_end_all_faults(send, aborting, caplog):
    """Failures without a matching rule count too; one ERROR has the numbers."""
    injector = aborting()
    good, bad = App(), App(status=503)
    assert ask(send, injector, "/", good) + ask(send, injector, "/", bad, 2) == [200, 503, 503]
    assert (ask(send, injector, "/tea", good), injector.enabled, injector.disarmed) == ([418], True, "")
    assert ask(send, injector, "/", bad, 3) + ask(send, injector, "/tea", good) == [503] * 3 + [200]
    why = WHY.format(3, 4, 75)
    assert (injector.enabled, injector.disarmed) == (False, why)
    said = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert said == [f"faultinject is off: {why}; nothing is injected until it is enabled again by hand"]
    assert (good.closed, bad.closed) == (good.ran, bad.ran)


@pytest.mark.parametrize(
    ("rule", "fails"),
    [
        ("http:503", True),
        ("http:503,when=after", True),
        ("reset", True),
        ("http:418", False),
        ("latency,delay=1ms", False),
    ],
)
@pytest.mark.parametrize("injected", ["no", "yes"])
def test_injected_failures_count_where_asked(send, aborting, rule, fails, injected):
    """Three of four answers of the whole service are failures: two faults, and one of the app."""
    abort = f"5xx>70%/1m,min=4,injected={injected}"
    injector = aborting(f"{rule},path=/tea,times=2", abort)
    ask(send, injector, "/tea", App(), 2)
    ask(send, injector, "/", App())
    ask(send, injector, "/", App(status=503))
    ends = fails and injected == "yes"
    assert injector.disarmed == f"{abort}: 3 of 4 requests (75 %) failed within 1 m" * ends


class Generator(App):
    """Under WSGI it begins its answer only when the server reads the first piece."""

    def wsgi(self, environ, start_response):
        yield from super().wsgi(environ, start_response)


@pytest.mark.parametrize(
    ("rule", "app", "got", "counts"),
    [
        # What is injected is no failure, whether the app ran or not: what counts is its own answer.
        ("http:503", App(), 503, False),
        ("cos:InternalError", App(), 500, False),
        ("http:503,when=after", App(), 503, False),
        ("cos:SlowDown,delay=1ms", App(), 503, False),
        # An app that answers 500 itself beneath a fault.
        ("latency,delay=1ms", App(status=500), 500, True),
        ("http:418,when=after", App(status=500), 500, True),
        ("truncate", App(status=500), None, True),
        ("http:418,probability=0", App(status=500), 500, True),
        # An exception before its answer, and in the middle of it, also of a failure: one request counts once.
        ("http:418,path=/tea", App(fails="before"), "Broken", True),
        ("http:418,path=/tea", App(fails="between"), "Broken", True),
        ("http:418,path=/tea", App(fails="between", status=500), "Broken", True),
        ("http:418,path=/tea", Generator(status=500), 500, True),
        ("http:418,path=/tea", Generator(fails="before"), "Broken", True),
        ("http:418,path=/tea", Generator(fails="between"), "Broken", True),
        ("http:418,path=/tea", Generator(), 200, False),
        # A client that leaves, by the names that frameworks have for it.
        ("http:418,path=/tea", App(fails="before", error=ClientDisconnect), "ClientDisconnect", False),
    ],
)
def test_what_is_a_failure(send, aborting, rule, app, got, counts):
    """Of the app's own; what it raises comes out as it was."""
    injector = aborting(rule)
    found = ask(send, injector, "/", app, 3)
    assert injector.disarmed == ""
    found += ask(send, injector, "/", app)
    assert (found, injector.disarmed) == (
        [got] * 4 if got else found,
        WHY.format(4, 4, 100) if counts else "",
    )


def test_middleware_inside_and_outside_counts_once(send, aborting):
    """Two layers of one injector count a request once; an inner injector's fault is no failure."""
    injector = aborting(abort="5xx>50%/1m,min=4")
    layer = WSGIFaultMiddleware if send.kind == "wsgi" else ASGIFaultMiddleware
    twice = layer(getattr(App(status=500), send.kind), injector=injector)
    ask(send, injector, "/", twice, 3)
    assert injector.disarmed == ""
    inner = aborting("http:503", abort="5xx>1%/1m")
    ask(send, injector, "/", layer(getattr(App(), send.kind), injector=inner), 9)
    assert (injector.disarmed, inner.disarmed) == ("", "")
    ask(send, injector, "/", twice, 1)
    one, other = aborting(), aborting()
    ask(send, one, "/", layer(getattr(App(status=500), send.kind), injector=other), 4)
    assert {injector.disarmed, one.disarmed, other.disarmed} == {WHY.format(4, 4, 100)}


@pytest.mark.parametrize(
    "made", [[b"app"], FileWrapper(io.BytesIO(b"app")), object()], ids=["list", "file", "any"]
)
def test_bodies_pass_untouched(aborting, servers, made):
    """A WSGI app's list and file are returned as they are, so the server knows their length."""
    environ = servers.environ(**{"wsgi.file_wrapper": FileWrapper})
    wrapped = WSGIFaultMiddleware(lambda _, start: start("200 OK", []) or made, injector=aborting())
    assert wrapped(environ, lambda *_: None) is made


def test_an_answer_that_is_begun_anew(aborting, servers):
    """With `exc_info`, an error replaces the answer: the request becomes one failure."""
    injector = aborting(abort="5xx>50%/1m,min=2")

    def app(environ, start_response):
        start_response("200 OK", [])
        for _ in range(2):
            start_response("500 X", [], (None, None, None))
        start_response("200 OK", [], (None, None, None))
        return iter(())

    wrapped = WSGIFaultMiddleware(app, injector=injector)
    for said in "", "5xx>50%/1m,min=2: 2 of 2 requests (100 %) failed by themselves within 1 m":
        wrapped(servers.environ(), lambda *_: None)
        assert injector.disarmed == said
