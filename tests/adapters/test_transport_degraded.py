"""Where a mechanism is missing: the next best is done, and the journal says what that was."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware

from . import live
from .transport import App, loopback, read

pytestmark = pytest.mark.live

CONNECTION = "faultinject.adapters.connection."


def last(injector):
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.status


@pytest.fixture
def only_fin(monkeypatch):
    """No way to send an RST."""
    monkeypatch.setattr(CONNECTION + "UNSPEC", False)
    monkeypatch.setattr(CONNECTION + "LINGER", False)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_becomes_a_close(wire, make_injector, only_fin, when):
    """A FIN instead of an RST is told as one."""
    injector = make_injector(f"reset,when={when}")
    seen = wire(injector)
    assert (seen.raw, seen.end, seen.error) == (b"", "FIN", None)
    assert last(injector) == ("closed", None)
    assert injector.counts()["rule-1"]["injected"] == 1


@pytest.mark.parametrize("missing", ["UNSPEC", "LINGER"])
def test_one_way_to_reset_is_enough(wire, make_injector, monkeypatch, missing):
    """Linux' own, or that of all systems with dup2."""
    monkeypatch.setattr(CONNECTION + missing, False)
    injector = make_injector("reset")
    assert (wire(injector).end, last(injector)) == ("RST", ("reset", None))


@pytest.mark.parametrize("handle", ["NATIVE", "DESCRIPTORS"])
def test_one_way_to_the_connection_is_enough(wire, make_injector, monkeypatch, handle):
    """The server's handle, or the peer's name among the descriptors of the process."""
    monkeypatch.setattr(CONNECTION + handle, ())
    injector = make_injector("reset")
    assert (wire(injector).end, last(injector)) == ("RST", ("reset", None))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("rule", ["reset", "close", "hang,duration=50ms"])
def test_a_gateway_answers_when_nothing_else_can_be_done(wire, make_injector, out_of_reach, rule, when):
    """A server that does not let us is one behind a load balancer that lost it: 502, and told as an answer."""
    out_of_reach()
    injector = make_injector(f"{rule},when={when}")
    seen = wire(injector)
    assert (seen.status, seen.error) == (502, None)
    assert b"<h1>502 Bad Gateway</h1>" in seen.body
    assert seen.headers["content-type"] == "text/html"
    assert last(injector) == ("answered", 502)
    outcome = injector.journal.outcomes[-1]
    assert (outcome.fault, outcome.applied) == (rule.partition(",")[0], when == "after")
    assert outcome.response_bytes == len(seen.body) == int(seen.headers["content-length"])
    assert outcome.elapsed is None or outcome.elapsed >= (0.05 if "hang" in rule else 0)
    assert injector.counts()["rule-1"]["injected"] == 1


def test_a_head_request_gets_no_body_from_the_gateway(wire, make_injector, out_of_reach):
    """As any answer to HEAD."""
    out_of_reach()
    assert wire(make_injector("reset"), method="HEAD").body == b""


@pytest.mark.parametrize("length", [False, True])
@pytest.mark.parametrize(
    "rule", ["truncate,keep_bytes=7", "truncate,keep_bytes=0", "truncate,of=cos:SlowDown,keep=0.1"]
)
def test_a_cut_becomes_the_server_s_own(wire, make_injector, out_of_reach, rule, length):
    """It sends what is let through, and gets an error: servers close the connection then."""
    out_of_reach()
    app = App(length=length)
    injector = make_injector(rule)
    seen = wire(injector, app)
    assert isinstance(seen.error, ConnectionAbortedError)
    assert last(injector)[0] == "truncated"
    kept = injector.journal.outcomes[-1].response_bytes
    assert (len(seen.body), app.closed) == (kept, "of=" not in rule)
    if kept and "of=" not in rule:
        assert seen.body == b"0123456"


@pytest.mark.parametrize("length", [False, True])
def test_a_slow_body_becomes_the_server_s_own(wire, make_injector, out_of_reach, length):
    """It sends the pieces as they are due, on its own thread."""
    out_of_reach()
    app = App(length=length)
    injector = make_injector("drip,rate=100")
    seen = wire(injector, app)
    assert (seen.status, seen.body, seen.error) == (200, b"0123456789", None)
    outcome = injector.journal.outcomes[-1]
    assert (outcome.did, outcome.response_bytes, app.closed) == ("dripped", 10, 1)
    assert outcome.answered - outcome.arrived >= 0.1


def test_what_cannot_be_taken_over_holds_its_thread(wire, make_injector, monkeypatch):
    """A hang or a slow body then takes place on the server's own thread, and is over before the adapter returns."""
    monkeypatch.setattr(CONNECTION + "Connection.take_over", lambda self: False)
    monkeypatch.setattr("threading.Thread.start", None)
    for rule, saw in (
        ("hang,duration=50ms", (0, b"", "FIN")),
        ("drip,rate=1KB", (200, b"0123456789", "FIN")),
    ):
        injector = make_injector(rule)
        assert wire(injector).saw == saw
        assert injector.journal.outcomes[-1].injected
        assert injector._services.active == 0


def test_no_thread_is_left(servers, make_injector, monkeypatch):
    """A system that gives no thread any more: the server's own one does the rest."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", start)
    for rule in ("hang,duration=50ms", "drip,rate=1KB"):
        injector = make_injector(rule)
        with loopback() as (client, server):
            environ = servers.environ(**{"werkzeug.socket": server})
            WSGIFaultMiddleware(App().wsgi, injector=injector)(environ, lambda *_: None)
            assert read(client)[1] == "FIN"
        assert injector.journal.outcomes[-1].injected
        assert injector._services.active == 0


def test_an_error_of_ours_on_a_thread_of_its_own(wire, make_injector, monkeypatch, caplog):
    """It is told once, and the place is given back."""
    monkeypatch.setattr("faultinject.adapters.wsgi_socket.wait", None)
    monkeypatch.setattr("faultinject.adapters.asgi_socket.of_scope", None)
    injector = make_injector("hang", FAULTINJECT_MAX_ACTIVE="1")
    wire(injector)
    if wire.kind == "wsgi":
        assert len(injector.errors) == 1
    assert injector._services.active == 0


@pytest.mark.parametrize("software", ["gunicorn/27.0.1", "WSGIServer/0.2 CPython/3.11.7", None])
@pytest.mark.parametrize("rule", ["reset", "close", "hang,duration=10ms"])
def test_servers_that_close_when_an_app_raises(servers, make_injector, out_of_reach, software, rule):
    """gunicorn, wsgiref and uWSGI do, without a byte."""
    out_of_reach()
    injector = make_injector(rule)
    said = {"uwsgi.version": b"2"} if software is None else {"SERVER_SOFTWARE": software}
    with pytest.raises(ConnectionResetError):
        WSGIFaultMiddleware(App().wsgi, injector=injector)(servers.environ(**said), None)
    assert last(injector) == ("closed", None)


@pytest.mark.parametrize("rule", ["reset", "reset,when=after", "hang,duration=10ms"])
def test_gunicorn_s_asgi_worker_closes_when_an_app_is_cancelled(servers, make_injector, out_of_reach, rule):
    """Its `send` says whose it is: a function of its module, or a method."""
    import asyncio

    out_of_reach()
    injector = make_injector(rule)

    async def send(message):
        raise AssertionError("nothing is sent")

    send.__module__ = "gunicorn.asgi.protocol"
    wrapped = ASGIFaultMiddleware(App().asgi, injector=injector)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(wrapped(servers.scope(), servers.messages(), send))
    assert last(injector) == ("closed", None)
    assert injector._services.active == 0


APP = """
from faultinject import WSGIFaultMiddleware
from faultinject.adapters import connection

connection.DESCRIPTORS, connection.NATIVE = (), False

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])
    return [b"0123456789"]

app = WSGIFaultMiddleware(app, "reset,path=reset/ close,path=close/ hang,path=hang/,duration=50ms truncate,path=cut/", seed=1)
"""
WSGIREF = """
from wsgiref.simple_server import WSGIRequestHandler, make_server
from served import app
WSGIRequestHandler.log_message = lambda *_: None
server = make_server("127.0.0.1", 0, app)
print("Listening at: http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def process(command, folder):
    """A server in a process of its own: its port, as it says it."""
    import re

    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            for line in server.stdout:
                if found := re.search(r"http://127.0.0.1:(\d+)", line):
                    yield int(found[1])
                    break
        finally:
            server.terminate()
            server.communicate(timeout=300)


@pytest.mark.parametrize("name", ["gunicorn", "wsgiref"])
def test_without_any_mechanism(tmp_path, name):
    """gunicorn's sync worker and wsgiref close on an error of the app: what the client sees is that."""
    (tmp_path / "served.py").write_text(APP)
    (tmp_path / "server.py").write_text(WSGIREF)
    gunicorn = ["-m", "gunicorn", "-b", "127.0.0.1:0", "--no-control-socket", "served:app"]
    with process([sys.executable, *(gunicorn if name == "gunicorn" else ["server.py"])], tmp_path) as port:
        for path in ("reset", "close", "hang"):
            began = time.monotonic()
            assert live.ask(port, f"/{path}/a").saw == (0, b"", "FIN")
            assert time.monotonic() - began >= (0.05 if path == "hang" else 0)
        seen = live.ask(port, "/cut/a")
        assert (seen.saw, seen.headers["content-length"]) == ((200, b"01234", "FIN"), "10")
        assert live.ask(port, "/else").saw == (200, b"0123456789", "FIN")


@pytest.mark.parametrize("name", live.SERVERS)
def test_servers_that_answer_500_to_any_error(out_of_reach, name):
    """There the gateway's page is given; a cut is a cut on each of them."""
    out_of_reach()
    injector = Injector(
        "reset,path=reset/ hang,path=hang/,duration=50ms truncate,path=cut/", seed=1, environ={}
    )
    wsgi = WSGIFaultMiddleware(App().wsgi, injector=injector)
    app = ASGIFaultMiddleware(App().asgi, injector=injector) if name == "uvicorn" else wsgi
    with live.SERVERS[name](app) as port:
        for path in ("reset", "hang"):
            assert live.ask(port, f"/{path}/a").status == 502
            assert last(injector) == ("answered", 502)
        seen = live.ask(port, "/cut/a")
    assert (seen.saw, seen.headers["content-length"]) == ((200, b"01234", "FIN"), "10")
    assert last(injector) == ("truncated", 200)


TLS = SimpleNamespace(wsgi={"wsgi.url_scheme": "https"}, asgi={"scheme": "https"})


@pytest.mark.parametrize("when", ["before", "after"])
def test_below_tls(wire, make_injector, monkeypatch, when):
    """RST and FIN act below it; no byte is ever written past the server, which speaks it."""
    monkeypatch.setattr(CONNECTION + "NATIVE", False)
    tls = getattr(TLS, wire.kind)
    assert wire(make_injector(f"reset,when={when}"), **tls).end == "RST"
    assert wire(make_injector(f"close,when={when}"), **tls).saw == (0, b"", "FIN")
    seen = wire(make_injector(f"cos:SlowDown,exact=yes,when={when}"), **tls)
    assert (seen.status, seen.headers.get("server"), seen.headers.get("connection")) == (503, None, None)
    seen = wire(make_injector("truncate"), **tls)
    assert (seen.saw, seen.headers.get("connection")) == ((200, b"01234", "FIN"), None)
    seen = wire(make_injector("drip,rate=1KB"), **tls)
    assert (seen.saw, seen.headers.get("connection")) == ((200, b"0123456789", "FIN"), None)
