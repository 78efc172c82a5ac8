"""HTTP/2: many requests share a connection, so no fault breaks it."""

import pytest

from faultinject import RuleCounts
from tests.pairs import pairs

from .transport import WIRES, App, ended, last

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
        outcome = last(injector)
        assert (outcome.fault, outcome.injected) == (rule.partition(",")[0], False)
        assert (*ended(injector), outcome.response_bytes) == ("refused", True, None, None)
    assert (app.ran, app.closed, injector.counts()["rule-1"]) == (2, 2, RuleCounts(2, 0))
    wire(injector, app)
    assert (last(injector).injected, injector.counts()["rule-1"], injector.finish()) == (
        True,
        RuleCounts(3, 1),
        0,
    )
