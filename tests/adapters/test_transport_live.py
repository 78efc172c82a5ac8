"""Real servers in this process: no log says anything, frameworks keep their contexts, and no thread is held."""

import threading
from contextlib import suppress

import flask
import pytest

from faultinject import Injector, WSGIFaultMiddleware, install
from tests.until import until

from . import live
from .transport import App, last, settle

pytestmark = pytest.mark.live


@pytest.fixture
def streaming():
    """A Flask app whose answers are made while they are streamed, on a real server; each thread that made a piece."""
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
    """Begun on the server's thread, gone on with on another: request, g and teardown are those of the request."""
    port, injector, made, torn = streaming
    seen = live.ask(port, "/drip/a")
    assert seen.status == 200
    chunks = seen.body.split(b"\r\n")
    assert b"".join(chunks[1::2]) == b"/drip/a#0 /drip/a#1 /drip/a#2 /drip/a#3 "
    until(lambda: len(torn) == 3)
    assert (torn, last(injector).did) == (["down", "/drip/a", "down"], "dripped")
    assert made[-1] == "faultinject"
    assert len(set(made)) == 2
    assert [each for each in caplog.records if each.name != "faultinject"] == []


def test_flask_streams_to_the_cut(streaming, caplog):
    """No piece is made behind it, and the generator is closed in its context."""
    port, injector, made, torn = streaming
    seen = live.ask(port, "/cut/a")
    assert (seen.body, seen.end) == (b"9\r\n/cut/a#0 \r\n4\r\n/cut\r\n", "FIN")
    until(lambda: len(torn) == 3)
    assert (torn, last(injector).did, len(made)) == (["down", "/cut/a", "down"], "truncated", 2)
    assert [each for each in caplog.records if each.name != "faultinject"] == []


def test_flask_fails_behind_a_head_that_is_out(streaming, caplog):
    """The client sees a cut; neither server nor log a second answer."""
    port, injector, _, torn = streaming
    seen = live.ask(port, "/drip/fails")
    assert (seen.status, seen.end) == (200, "FIN")
    assert b"\r\n0\r\n" not in seen.body
    until(lambda: len(torn) == 3)
    assert last(injector).did == "app_failed"
    assert [each for each in caplog.records if each.name != "faultinject"] == []
    assert injector.errors == []


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


def test_a_slow_body_holds_no_thread_of_the_server():
    """waitress has two threads here; five slow bodies and five hangs are under way for an hour, and others are answered."""
    injector = Injector("drip,rate=1,path=drip/ hang,path=hang/", seed=1, environ={})
    body = bytes(3600)
    with live.waitress_server(WSGIFaultMiddleware(App(body).wsgi, injector=injector)) as port:
        held = [live.Client(port, f"/{path}/a") for path in ("drip", "hang") for _ in range(5)]
        until(lambda: len(injector.journal.outcomes) == 10)
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
    """Kodo's 612 is cut and slowed on every server; to HEAD, which has nothing of that, it comes whole."""
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
