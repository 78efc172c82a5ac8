"""Real servers here: nothing is logged, contexts are kept, and no thread is held."""

import subprocess
import sys
import threading
from contextlib import suppress

import flask
import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware, install
from tests.until import until

from . import live
from .transport import App, last, settle

pytestmark = pytest.mark.live


@pytest.fixture
def streaming():
    """A Flask app that streams its answers on a real server, and notes the thread of each piece."""
    app = flask.Flask(__name__)
    made, torn = [], []

    @app.get("/<path:name>")
    def stream(name):
        @flask.stream_with_context
        def pieces():
            try:
                for number in range(4):
                    made.append(threading.current_thread().name)
                    flask.g.number = number
                    yield f"{flask.request.path}#{number} "
                    if "fails" in name and number == 1:
                        raise LookupError(flask.request.path)
                    assert flask.g.number == number
            finally:
                torn.append(flask.request.path)

        return flask.Response(pieces())

    app.teardown_request(lambda error: torn.append("down"))
    rules = "drip,rate=500,path=drip/ truncate,keep_bytes=13,path=cut/ corrupt,path=corrupt/"
    injector = Injector(rules, seed=1, environ={})
    install(app, injector=injector, enabled=True)
    with live.werkzeug_server(app) as port:
        yield port, injector, made, torn
    settle()


def test_flask_streams_slowly_in_its_context(streaming, caplog):
    """On the server's thread: request, g and teardown are those of the request."""
    port, injector, made, torn = streaming
    seen = live.ask(port, "/drip/a")
    assert seen.status == 200
    chunks = seen.body.split(b"\r\n")
    assert b"".join(chunks[1::2]) == b"/drip/a#0 /drip/a#1 /drip/a#2 /drip/a#3 "
    until(lambda: len(torn) == 3)
    assert (torn, last(injector).did) == (["down", "/drip/a", "down"], "dripped")
    assert len(set(made)) == 1
    assert [each for each in caplog.records if each.name != "faultinject"] == []


def test_flask_streams_to_the_cut(streaming, caplog):
    """No piece is made behind it, and the generator is closed in its context."""
    port, injector, made, torn = streaming
    seen = live.ask(port, "/cut/a")
    assert (seen.body, seen.end) == (b"9\r\n/cut/a#0 \r\n4\r\n/cut\r\n", "FIN")
    until(lambda: len(torn) == 3)
    assert (torn, last(injector).did, len(made)) == (["down", "/cut/a", "down"], "truncated", 2)
    assert [each for each in caplog.records if each.name != "faultinject"] == []


def test_flask_fails_behind_a_head_that_is_out(streaming):
    """The client sees a cut, and no second answer."""
    port, injector, _, torn = streaming
    seen = live.ask(port, "/drip/fails")
    assert (seen.status, seen.end) == (200, "FIN")
    assert b"\r\n0\r\n" not in seen.body
    until(lambda: len(torn) == 3)
    assert (last(injector).did, injector.errors) == ("dripped", [])


def test_a_client_that_leaves_flask_s_stream(streaming):
    """The generator is closed where it runs, in its context."""
    port, injector, made, torn = streaming
    injector.use("drip,rate=1,path=drip/")
    with live.Client(port, "/drip/a") as client:
        assert client.socket.recv(1)  # it leaves the rest unread, so with an RST
        until(lambda: made)
    until(lambda: len(torn) == 3)
    settle()
    assert last(injector).did == "dripped"
    assert len(made) < 4


def test_a_hang_holds_no_thread_of_the_server():
    """waitress has two threads here; five hangs are under way, and others are answered."""
    injector = Injector("hang,path=hang/", seed=1, environ={})
    body = bytes(3600)
    with live.waitress_server(WSGIFaultMiddleware(App(body).wsgi, injector=injector)) as port:
        held = [live.Client(port, "/hang/a") for _ in range(5)]
        until(lambda: len(injector.journal.outcomes) == 5)
        for _ in range(5):
            assert live.ask(port).saw == (200, body, "FIN")
        injector.disable()
        for each in held:
            with each, suppress(OSError):
                assert each.read().end == "FIN"
    settle()


@pytest.mark.parametrize("name", live.SERVERS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("rule", ["drip,rate=1KB", "truncate,keep_bytes=5"])
def test_a_status_that_http_does_not_know(name, method, rule):
    """Kodo's 612 is cut and slowed on every server; HEAD gets it whole."""
    injector = Injector(f"{rule},of=kodo:612", seed=1, environ={})
    with live.serve(name, App(), injector) as port:
        seen = live.ask(port, "/photos/1", method)
        settle()
    cut = rule.startswith("truncate")
    body = b'{"error":"no such file or directory"}'[: 5 if cut else None]
    assert seen.raw.partition(b"\r\n")[0] == b"HTTP/1.1 612 status code 612"
    assert seen.body == (body if method == "GET" else b"")
    did = "answered" if method == "HEAD" else "truncated" if cut else "dripped"
    assert (last(injector).did, last(injector).status) == (did, 612)


async def go_on(request, call_next):
    """A middleware that does nothing, and runs the app in a task of its own."""
    return await call_next(request)


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("rule", "body", "end", "did"),
    [
        ("reset,when=after,after_bytes=7", b"0123456", "RST", "reset"),
        ("close,when=after,after_bytes=7", b"0123456", "FIN", "closed"),
        ("truncate,keep_bytes=3", b"012", "FIN", "truncated"),
        ("reset", b"", "RST", "reset"),
        ("reset,when=after", b"", "RST", "reset"),
        ("close", b"", "FIN", "closed"),
    ],
)
def test_a_middleware_outside_ends_no_cut_answer_well(rule, body, end, did, length):
    """An answer that the journal calls cut is cut, beneath the middleware that hides the server."""
    injector = Injector(rule, seed=1, environ={})
    app = BaseHTTPMiddleware(ASGIFaultMiddleware(App(length=length).asgi, injector=injector), dispatch=go_on)
    with live.uvicorn_server(app) as port:
        seen = [live.ask(port) for _ in range(2)]
    assert [each.end for each in seen] == [end, end]
    if length:
        assert [each.body for each in seen] == [body, body]
    assert not any(each.body.endswith(b"0\r\n\r\n") for each in seen)
    assert [each.did for each in injector.journal.outcomes] == [did, did]


def test_the_log_names_the_order_once():
    """In a process of its own, as it says so once a process."""
    script = """
from starlette.middleware.base import BaseHTTPMiddleware
from faultinject import ASGIFaultMiddleware, Injector
from tests.adapters import live
from tests.adapters.test_transport_live import go_on
from tests.adapters.transport import App
inner = ASGIFaultMiddleware(App().asgi, injector=Injector("reset", seed=1, environ={}))
with live.uvicorn_server(BaseHTTPMiddleware(inner, dispatch=go_on)) as port:
    print([live.ask(port).end for _ in range(2)])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "['RST', 'RST']\n"
    assert ran.stderr.count("put faultinject outermost") == 1
