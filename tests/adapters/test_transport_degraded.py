"""Where a mechanism is missing: the next best is done, and the journal says what that was."""

import pytest

from faultinject import WSGIFaultMiddleware

from .transport import App, loopback, read

pytestmark = pytest.mark.live

SERVERS = "faultinject.adapters.servers."


def last(injector):
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.status


@pytest.fixture
def only_fin(monkeypatch):
    """No way to send an RST."""
    monkeypatch.setattr(SERVERS + "UNSPEC", False)
    monkeypatch.setattr(SERVERS + "Connection._linger", lambda self: False)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_becomes_a_close(wire, make_injector, only_fin, when):
    """A FIN instead of an RST is told as one."""
    injector = make_injector(f"reset,when={when}")
    seen = wire(injector)
    assert (seen.raw, seen.end, seen.error) == (b"", "FIN", None)
    assert last(injector) == ("closed", None)
    assert injector.counts()["rule-1"]["injected"] == 1


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


def no_thread(_):
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("held", [True, False], ids=["not to be taken over", "no more threads"])
@pytest.mark.parametrize(
    ("rule", "saw"),
    [("hang,duration=50ms", (0, b"", "FIN")), ("drip,rate=1KB", (200, b"0123456789", "FIN"))],
)
def test_the_server_s_thread_does_it(wire, make_injector, monkeypatch, held, rule, saw):
    """What cannot be taken over, or finds no thread, is over before the adapter returns."""
    if held:
        monkeypatch.setattr(SERVERS + "Connection.detach_from_server", lambda self: False)
    monkeypatch.setattr("threading.Thread.start", None if held else no_thread)
    injector = make_injector(rule)
    seen = wire(injector)
    assert seen.saw == saw
    assert injector.journal.outcomes[-1].injected
    assert injector._services.active == 0


def test_a_client_that_reads_nothing(servers, make_injector, monkeypatch):
    """It is given up where what is written past the server has no room for a while."""
    monkeypatch.setattr("faultinject.adapters.wsgi.PATIENCE", 0.05)
    app, injector = App(bytes(50_000_000), bytes(50_000_000)), make_injector("truncate,keep=0.9,times=1")
    with loopback() as (client, server):
        environ = servers.environ(**{"werkzeug.socket": server})
        assert WSGIFaultMiddleware(app.wsgi, injector=injector)(environ, lambda *_: None) == []
        raw, end = read(client)
    assert (len(raw) < 50_000_000, end) == (True, "FIN")
    assert (last(injector)[0], app.closed) == ("failed", 1)
    assert injector.counts()["rule-1"]["injected"] == 0


def test_an_error_of_ours_on_a_thread_of_its_own(wire, make_injector, monkeypatch, caplog):
    """It is told once, and the place is given back."""
    monkeypatch.setattr("faultinject.adapters.wsgi.wait", None)
    monkeypatch.setattr("faultinject.adapters.asgi.of_send", None)
    injector = make_injector("hang", FAULTINJECT_MAX_ACTIVE="1")
    wire(injector)
    if wire.kind == "wsgi":
        assert len(injector.errors) == 1
    assert injector._services.active == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_below_tls(wire, make_injector, when):
    """RST and FIN act below it; no byte is ever written past the server, which speaks it."""
    tls = {"encrypted": True}
    assert wire(make_injector(f"reset,when={when}"), **tls).end == "RST"
    assert wire(make_injector(f"close,when={when}"), **tls).saw == (0, b"", "FIN")
    seen = wire(make_injector(f"cos:SlowDown,exact=yes,when={when}"), **tls)
    assert (seen.status, seen.headers.get("server"), seen.headers.get("connection")) == (503, None, None)
    seen = wire(make_injector("truncate"), **tls)
    assert (seen.saw, seen.headers.get("connection")) == ((200, b"01234", "FIN"), None)
    seen = wire(make_injector("drip,rate=1KB"), **tls)
    assert (seen.saw, seen.headers.get("connection")) == ((200, b"0123456789", "FIN"), None)
