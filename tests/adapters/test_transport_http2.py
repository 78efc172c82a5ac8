"""HTTP/2: many requests share a connection, so no fault breaks it."""

import pytest

from faultinject import RuleCounts
from tests.pairs import pairs

from .transport import WIRES, App, last

BREAKING = ["reset", "close", "hang,duration=10ms", "reset,when=after"]
CUTTING = ["truncate", "truncate,of=cos:SlowDown", "reset,when=after,after_bytes=1"]
VERSIONS = {"wsgi": ["HTTP/2", "HTTP/2.0", "HTTP/3"], "asgi": ["2", "2.0", "3"]}
KEYS = {"wsgi": "SERVER_PROTOCOL", "asgi": "http_version"}


@pytest.fixture
def http2(wire, request):
    """A server's environ or scope of such a request."""
    return {KEYS[wire.kind]: VERSIONS[wire.kind][getattr(request, "param", 0)]}


@pytest.mark.parametrize(
    ("wire", "http2", "rule"),
    pairs(wire=WIRES, http2=range(3), rule=[*BREAKING, *CUTTING]),
    indirect=["wire", "http2"],
)
def test_the_request_passes(wire, make_injector, http2, rule):
    """Untouched, told as refused; the take is left for one that has a connection of its own."""
    app = App()
    injector = make_injector(f"{rule},times=1")
    for _ in range(2):
        seen = wire(injector, app, **http2)
        assert (seen.saw, seen.headers.get("connection")) == ((200, b"0123456789", "FIN"), None)
        assert (last(injector).did, last(injector).fault) == ("refused", rule.partition(",")[0])
        assert (last(injector).applied, last(injector).injected) == (True, False)
    assert (app.ran, app.closed) == (2, 2)
    assert injector.counts()["rule-1"] == RuleCounts(2, 0)
    wire(injector, app)
    assert last(injector).injected
    assert injector.counts()["rule-1"] == RuleCounts(3, 1)
    assert injector.finish() == 0


@pytest.mark.parametrize("rule", BREAKING)
def test_asked_for_the_whole_connection_is_broken(wire, make_injector, http2, rule):
    """`http2=yes` means it."""
    injector = make_injector(f"{rule},http2=yes")
    seen = wire(injector, **http2)
    assert (seen.raw, seen.end) == (b"", "RST" if rule.startswith("reset") else "FIN")
    assert last(injector).did == ("reset" if rule.startswith("reset") else "closed")


def test_asked_for_an_answer_is_cut(wire, make_injector, http2):
    """The server sends what is let through, in its own frames; then the whole connection ends."""
    injector = make_injector("truncate,http2=yes")
    seen = wire(injector, **http2)
    assert (seen.saw, seen.headers.get("connection"), seen.error) == ((200, b"01234", "FIN"), None, None)
    assert (last(injector).did, last(injector).response_bytes) == ("truncated", 5)


def test_asked_for_an_answer_ends_in_a_reset(wire, make_injector, http2):
    """Behind what the server has sent of it."""
    injector = make_injector("reset,when=after,after_bytes=5,http2=yes")
    seen = wire(injector, **http2)
    assert (seen.saw, seen.error) == ((200, b"01234", "RST"), None)
    assert (last(injector).did, last(injector).response_bytes) == ("reset", 5)


@pytest.mark.parametrize("rule", ["drip,rate=1KB", "corrupt", "cos:SlowDown", "latency,delay=1ms"])
def test_what_breaks_nothing_is_done(wire, make_injector, http2, rule):
    """Through the server: no byte of ours is written beside its frames."""
    injector = make_injector(rule, record_all=True)
    seen = wire(injector, **http2)
    assert seen.status == (503 if "cos" in rule else 200)
    assert len(seen.body) == int(seen.headers["content-length"])
    assert {"connection", "server", "date"}.isdisjoint(seen.headers)
    assert last(injector).injected


@pytest.mark.parametrize(
    "old", [{"wsgi": "HTTP/1.1", "asgi": "1.1"}, {"wsgi": "HTTP/1.0", "asgi": "1.0"}, {}]
)
def test_older_versions_have_connections_of_their_own(wire, make_injector, old):
    """Also where a server does not say the version."""
    more = {KEYS[wire.kind]: old.get(wire.kind, "")}
    assert wire(make_injector("reset"), **more).end == "RST"
