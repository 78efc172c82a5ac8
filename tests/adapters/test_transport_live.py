"""Real servers in this process: nothing is left behind, no log says anything, frameworks keep their contexts."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress
from pathlib import Path

import flask
import pytest

from faultinject import ASGIFaultMiddleware, Injector, Rule, WSGIFaultMiddleware, install
from tests.until import until

from . import live
from .transport import App, settle

pytestmark = pytest.mark.live

RULES = [
    Rule("reset", path="reset/"),
    Rule("close", path="close/"),
    Rule("hang", duration="20ms", path="hang/"),
    Rule("hang", path="left/"),
    Rule("truncate", path="cut/"),
    Rule("drip", rate="1KB", path="drip/"),
    Rule("corrupt", path="corrupt/"),
    Rule("cos:SlowDown", exact=True, path="exact/"),
    Rule("cos:InternalError", status=200, delay="20ms", path="late/"),
    Rule("reset", when="after", path="after/"),
    Rule("http:503", delay="20ms", path="delay/"),
    Rule("http:503", drain=False, path="unread/"),
    Rule("cos:SlowDown", exact=True, drain=False, path="exact-unread/"),
    Rule("http:503", set={"connection": "close"}, path="closes/"),
]
SAW = {
    "reset": (0, "RST"),
    "close": (0, "FIN"),
    "hang": (0, "FIN"),
    "cut": (200, "FIN"),
    "drip": (200, "FIN"),
    "corrupt": (200, "FIN"),
    "exact": (503, "FIN"),
    "late": (200, "FIN"),
    "after": (0, "RST"),
    "delay": (503, "FIN"),
    "unread": (503, "FIN"),
    "exact-unread": (503, "FIN"),
    "closes": (503, "FIN"),
    "else": (200, "FIN"),
}


def descriptors():
    """How many this process holds; those of threads that are about to end are waited for."""
    settle()
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) if Path("/proc/self/fd").exists() else 0


def ask_for_everything(port):
    """Every fault once, and one client that leaves a hang."""
    for path, expected in SAW.items():
        for method, body in (("GET", b""), ("PUT", b"x" * 100_000)):
            seen = live.ask(port, f"/{path}/a", method, body)
            assert (seen.status, seen.end) == expected, path
    with live.Client(port, "/left/a"):
        pass


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=pytest.mark.slow) if each == "werkzeug" else each for each in live.SERVERS],
)
def test_nothing_is_left_behind(name, caplog):
    """Descriptors, threads and places after many faults are as before; the server has met nothing odd."""
    injector = Injector(RULES, seed=1, environ={})
    app = App()

    def wsgi(environ, start_response):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        return app.wsgi(environ, start_response)

    async def asgi(scope, receive, send):
        while (await receive()).get("more_body"):
            pass  # what an app leaves unread, uvicorn resets
        await app.asgi(scope, receive, send)

    wrapped = WSGIFaultMiddleware(wsgi, injector=injector)
    if name == "uvicorn":
        wrapped = ASGIFaultMiddleware(asgi, injector=injector)
    caplog.clear()
    with live.SERVERS[name](wrapped) as port:
        ask_for_everything(port)
        injector.use(injector.scenario)  # the hang that was left ends here at the latest
        before, threads = descriptors(), threading.active_count()
        for _ in range(2):
            ask_for_everything(port)
        injector.use(injector.scenario)
        until(lambda: descriptors() <= before and threading.active_count() <= threads)
        said = [
            each.getMessage() for each in caplog.records if each.name not in ("faultinject", "waitress.queue")
        ]
        assert said == []
    # A client that has left may be met when all else is over: nobody has waited for its answer.
    until(lambda: injector.finish() == 0)
    settle()
    assert injector.errors == []


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


def last(injector):
    return injector.journal.outcomes[-1].did


def test_flask_streams_slowly_in_its_context(streaming, caplog):
    """Begun on the server's thread, gone on with on another: request, g and teardown are those of the request."""
    port, injector, made, torn = streaming
    seen = live.ask(port, "/drip/a")
    assert seen.status == 200
    chunks = seen.body.split(b"\r\n")
    assert b"".join(chunks[1::2]) == b"/drip/a#0 /drip/a#1 /drip/a#2 /drip/a#3 "
    until(lambda: len(torn) == 3)
    assert (torn, last(injector)) == (["down", "/drip/a", "down"], "dripped")
    assert made[-1] == "faultinject"
    assert len(set(made)) == 2
    assert [each for each in caplog.records if each.name != "faultinject"] == []


def test_flask_streams_to_the_cut(streaming, caplog):
    """No piece is made behind it, and the generator is closed in its context."""
    port, injector, made, torn = streaming
    seen = live.ask(port, "/cut/a")
    assert (seen.body, seen.end) == (b"9\r\n/cut/a#0 \r\n4\r\n/cut\r\n", "FIN")
    until(lambda: len(torn) == 3)
    assert (torn, last(injector), len(made)) == (["down", "/cut/a", "down"], "truncated", 2)
    assert [each for each in caplog.records if each.name != "faultinject"] == []


def test_flask_fails_behind_a_head_that_is_out(streaming, caplog):
    """The client sees a cut; neither server nor log a second answer."""
    port, injector, _, torn = streaming
    seen = live.ask(port, "/drip/fails")
    assert (seen.status, seen.end) == (200, "FIN")
    assert b"\r\n0\r\n" not in seen.body
    until(lambda: len(torn) == 3)
    assert last(injector) == "app_failed"
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
    assert last(injector) == "dripped"
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
