"""Each fault on a real connection and in process: the client's view and the journal's."""

import pytest

from faultinject import RuleCounts
from tests.pairs import pairs

from .transport import WIRES, App, Broken

WHOLE = b"0123456789"


def last(injector):
    """The journal's final outcome: the action, the app's run, status and bytes."""
    outcome = injector.journal.outcomes[-1]
    return outcome.did, outcome.applied, outcome.status, outcome.response_bytes


def counted(injector):
    return injector.counts()["rule-1"]


BREAKING = {
    "reset": (b"", "RST", "reset"),
    "close": (b"", "FIN", "closed"),
    "hang,duration=50ms": (b"", "FIN", "closed"),
}


@pytest.mark.parametrize(
    ("wire", "rule", "when"), pairs(wire=WIRES, rule=BREAKING, when=["before", "after"]), indirect=["wire"]
)
def test_a_connection_ends_without_a_byte(wire, make_injector, rule, when):
    """On the connection itself, and told as it was done; `after` the app has run to its end."""
    app = App()
    injector = make_injector(f"{rule},when={when}")
    seen = wire(injector, app)
    body, end, did = BREAKING[rule]
    assert (seen.raw, seen.end, seen.error) == (body, end, None)
    assert last(injector) == (did, when == "after", None, None)
    assert (app.ran, app.closed) == ((1, 1) if when == "after" else (0, 0))
    assert injector.journal.outcomes[-1].when == when
    assert counted(injector) == RuleCounts(1, 1)
    assert injector.errors == []


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("truncate", 5),
        ("truncate,keep=0", 0),
        ("truncate,keep=0.999", 9),
        ("truncate,keep_bytes=0", 0),
        ("truncate,keep_bytes=7", 7),
    ],
)
@pytest.mark.parametrize("pieces", [(b"0123456789",), (b"01234", b"", b"56789"), (b"", b"01234567", b"89")])
def test_a_cut_body(wire, make_injector, rule, kept, pieces):
    """The client gets the full Content-Length and fewer bytes; the app is closed once."""
    app = App(*pieces)
    injector = make_injector(rule)
    seen = wire(injector, app)
    assert seen.saw == (200, WHOLE[:kept], "FIN")
    assert seen.headers["content-length"] == "10"
    assert seen.error is None
    assert last(injector) == ("truncated", True, 200, kept)
    assert (app.ran, app.closed) == (1, 1)
    assert counted(injector) == RuleCounts(1, 1)


@pytest.mark.parametrize("keep", [0, 3, 9])
def test_inside_a_cut_body_is_an_error(wire, make_injector, keep):
    """As a client raises it that has read fewer bytes than were announced."""
    app = App()
    injector = make_injector(f"truncate,keep_bytes={keep}")
    seen = wire(injector, app, inside=True)
    assert seen.body == WHOLE[:keep]
    assert (seen.error.partial, seen.error.expected) == (keep, 10 - keep)
    assert last(injector) == ("truncated", True, 200, keep)
    assert app.closed == 1


@pytest.mark.parametrize("inside", [False, True])
def test_a_cut_body_without_a_length(wire, make_injector, inside):
    """The share is one of the first piece."""
    app = App(b"0123456789", b"abc", length=False)
    injector = make_injector("truncate")
    seen = wire(injector, app, inside=inside)
    assert seen.body == b"01234"
    if inside:
        assert (seen.error.partial, seen.error.expected) == (5, None)
    else:
        assert seen.end == "FIN"
    assert last(injector) == ("truncated", True, 200, 5)


@pytest.mark.parametrize(
    ("wire", "length", "inside"),
    pairs(wire=WIRES, length=[False, True], inside=[False, True]),
    indirect=["wire"],
)
def test_a_slow_body(wire, make_injector, inside, length):
    """All of it, in no less time than the rate says."""
    app = App(length=length)
    injector = make_injector("drip,rate=100", record_all=True)
    seen = wire(injector, app, inside=inside)
    assert (*seen.saw, seen.error) == (200, WHOLE, "FIN", None)
    assert last(injector) == ("dripped", True, 200, 10)
    outcome = injector.journal.outcomes[-1]
    assert outcome.answered - outcome.arrived >= 0.1
    assert (app.closed, counted(injector)) == (1, RuleCounts(1, 1))


@pytest.mark.parametrize(
    ("wire", "flips", "length", "inside"),
    pairs(wire=WIRES, flips=[1, 3, 1000], length=[False, True], inside=[False, True]),
    indirect=["wire"],
)
def test_a_changed_body(wire, make_injector, inside, length, flips):
    """As many bytes as before, so many of them others, in the same places every time."""
    injector = make_injector(f"corrupt,flips={flips}")
    app = App(length=length)
    bodies = set()
    for _ in range(2):
        seen = wire(injector, app, inside=inside)
        bodies.add(seen.body)
        assert len(seen.body) == 10
        changed = sum(one != other for one, other in zip(seen.body, WHOLE, strict=True))
        assert changed == min(flips, 10 if length else 5)
        assert (seen.status, seen.error) == (200, None)
        assert last(injector) == ("corrupted", True, 200, 10)
    assert len(bodies) == 2
    again = make_injector(f"corrupt,flips={flips}")
    assert wire(again, App(length=length), inside=inside).body in bodies
    assert app.closed == 2


@pytest.mark.parametrize("inside", [False, True])
def test_of_a_documented_error(wire, make_injector, inside):
    """Its body is cut or slow, and the app does not run."""
    whole = wire(make_injector("cos:SlowDown")).body
    for rule, did, kept in (
        ("truncate,of=cos:SlowDown,keep_bytes=100", "truncated", 100),
        ("drip,of=cos:SlowDown,rate=10KB", "dripped", len(whole)),
    ):
        app = App()
        injector = make_injector(rule)
        seen = wire(injector, app, inside=inside)
        assert (seen.status, seen.body[:60]) == (503, whole[:60])
        assert (len(seen.body), seen.headers["content-length"]) == (kept, str(len(whole)))
        assert seen.headers["x-faultinject"] == "rule-1"
        assert last(injector) == (did, False, 503, kept)
        assert injector.journal.outcomes[-1].request_id in seen.headers["x-cos-request-id"]
        assert (app.ran, counted(injector)) == (0, RuleCounts(1, 1))
        assert isinstance(seen.error, ConnectionError) == (inside and did == "truncated")


@pytest.mark.parametrize(
    ("wire", "rule", "fails", "inside"),
    pairs(
        wire=WIRES,
        rule=["truncate,keep=0.9", "drip,rate=1KB", "corrupt", "reset,when=after"],
        fails=["before", "between"],
        inside=[False, True],
    ),
    indirect=["wire"],
)
def test_an_app_that_fails(wire, make_injector, rule, fails, inside):
    """Its own failure goes out, and the take goes back unless the client has met the fault."""
    app = App(fails=fails)
    injector = make_injector(f"{rule},times=1")
    seen = wire(injector, app, inside=inside)
    met = fails == "between" and rule.startswith("drip")
    assert last(injector)[0] == ("dripped" if met else "app_failed")
    assert counted(injector) == RuleCounts(1, int(met))
    assert isinstance(seen.error, Broken)
    if wire.kind == "wsgi":
        assert app.closed == (fails == "between")
    wire(injector, App(), inside=inside)
    assert injector.journal.outcomes[-1].injected is not met
    assert counted(injector) == RuleCounts(2, 1)


@pytest.mark.parametrize("wire", WIRES, indirect=True)
def test_an_app_that_fails_behind_changed_bytes(wire, make_injector):
    """What the client has received decides: the fault counts."""
    injector = make_injector("corrupt,flips=10,times=1")
    seen = wire(injector, App(fails="between"))
    assert seen.body and not b"0123456789".startswith(seen.body)
    assert (last(injector)[0], counted(injector)) == ("corrupted", RuleCounts(1, 1))
