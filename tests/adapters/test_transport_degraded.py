"""If a mechanism is missing, the next best is done, and the journal names it."""

import pytest

from .transport import App

pytestmark = pytest.mark.live

CONNECTION = "faultinject.adapters.connection."


def last(injector):
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.status


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("rule", ["reset", "close", "hang,duration=50ms"])
def test_a_gateway_answers_when_nothing_else_can_be_done(wire, make_injector, out_of_reach, rule, when):
    """A server without access to its connection answers 502, as a load balancer would."""
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
    assert injector.counts()["rule-1"].injected == 1


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
def test_the_server_s_thread_does_it(wire, make_injector, monkeypatch, held):
    """A hang that cannot be taken over, or finds no thread, is over before the adapter returns."""
    if held:
        monkeypatch.setattr(CONNECTION + "Connection.detach_from_server", lambda self: False)
    monkeypatch.setattr("threading.Thread.start", None if held else no_thread)
    injector = make_injector("hang,duration=50ms")
    assert wire(injector).saw == (0, b"", "FIN")
    assert injector.journal.outcomes[-1].injected
    assert injector._services.active == 0
