"""Each fault on a real connection, and in a client's own process: what is seen, and what the journal says."""

import pytest

from tests.pairs import pairs

from .transport import WIRES, App, Broken

WHOLE = b"0123456789"


def last(injector):
    """What the journal says in the end: what was done, whether the app ran, status and bytes."""
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
    assert counted(injector) == {"matched": 1, "injected": 1}
    assert injector.errors == []


@pytest.mark.parametrize(
    ("wire", "rule", "when"),
    pairs(
        wire=WIRES,
        rule=["reset", "close", "hang,duration=1h", "hang,duration=1h,delay=1h"],
        when=["before", "after"],
    ),
    indirect=["wire"],
)
def test_inside_it_is_raised_at_once(wire, make_injector, rule, when):
    """There is no connection to end, and nobody waits for an end that is known."""
    app = App()
    injector = make_injector(f"{rule},when={when}")
    seen = wire(injector, app, inside=True)
    kinds = {"reset": ConnectionResetError, "close": ConnectionResetError, "hang": TimeoutError}
    assert isinstance(seen.error, kinds[rule.partition(",")[0]])
    assert seen.raw == b""
    assert "injected by faultinject, rule rule-1" in str(seen.error)
    assert last(injector) == ("raised", when == "after", None, None)
    assert (app.ran, app.closed) == ((1, 1) if when == "after" else (0, 0))
    assert counted(injector) == {"matched": 1, "injected": 1}


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
    """The full Content-Length, fewer bytes, the end; the app is closed once, and asked for nothing beyond."""
    app = App(*pieces)
    injector = make_injector(rule)
    seen = wire(injector, app)
    assert seen.saw == (200, WHOLE[:kept], "FIN")
    assert (seen.headers["content-length"], seen.headers["connection"]) == ("10", "close")
    assert seen.error is None
    assert last(injector) == ("truncated", True, 200, kept)
    assert (app.ran, app.closed) == (1, 1)
    assert counted(injector) == {"matched": 1, "injected": 1}


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
    """The share is one of the first piece; chunks are marked, and their end does not come."""
    app = App(b"0123456789", b"abc", length=False)
    injector = make_injector("truncate")
    seen = wire(injector, app, inside=inside)
    assert seen.body == (b"01234" if inside else b"5\r\n01234\r\n")
    if inside:
        assert (seen.error.partial, seen.error.expected) == (5, None)
    else:
        assert (seen.headers["transfer-encoding"], seen.end) == ("chunked", "FIN")
    assert last(injector) == ("truncated", True, 200, 5)


def test_an_old_client_gets_no_chunks(wire, make_injector):
    """HTTP/1.0 knows none: the body ends where the connection does."""
    old = {"SERVER_PROTOCOL": "HTTP/1.0"} if wire.kind == "wsgi" else {"http_version": "1.0"}
    seen = wire(make_injector("truncate,keep_bytes=7"), App(length=False), **old)
    assert seen.saw == (200, b"0123456", "FIN")
    assert "transfer-encoding" not in seen.headers


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
    chunked = "transfer-encoding" in seen.headers
    assert chunked == (wire.kind == "wsgi" and not inside and not length)
    assert seen.body == (b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n" if chunked else WHOLE)
    assert (seen.status, seen.end, seen.error) == (200, "FIN", None)
    assert last(injector) == ("dripped", True, 200, 10)
    outcome = injector.journal.outcomes[-1]
    assert outcome.answered - outcome.arrived >= 0.1
    assert (app.closed, counted(injector)) == (1, {"matched": 1, "injected": 1})


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
        assert (app.ran, counted(injector)) == (0, {"matched": 1, "injected": 1})
        assert isinstance(seen.error, ConnectionError) == (inside and did == "truncated")


NOTHING = {
    "HEAD": {"method": "HEAD"},
    "204": {"app": {"status": 204}},
    "304": {"app": {"status": 304}},
    "no bytes": {"app": {"pieces": (b"",)}},
    "no bytes and no length": {"app": {"pieces": (b"",), "length": False}},
}


@pytest.mark.parametrize(
    ("wire", "rule", "nothing", "inside"),
    pairs(
        wire=WIRES,
        rule=["truncate", "truncate,keep_bytes=0", "drip,rate=20", "corrupt"],
        nothing=NOTHING,
        inside=[False, True],
    ),
    indirect=["wire"],
)
def test_nothing_to_cut(wire, make_injector, rule, nothing, inside):
    """The answer passes, and the next one that has a body gets what `times` allows."""
    injector = make_injector(f"{rule},times=1", record_all=True)
    given = dict(NOTHING[nothing].get("app", {}))
    app = App(*given.pop("pieces", ()), **given)
    app.pieces = () if nothing != "no bytes" and "no bytes" not in nothing else app.pieces
    method = NOTHING[nothing].get("method", "GET")
    seen = wire(injector, app, method, inside=inside)
    assert (seen.status, seen.end, seen.error) == (app.status, "FIN", None)
    assert seen.body in (b"", b"0\r\n\r\n")
    assert last(injector)[:3] == ("nothing_to_cut", True, app.status)
    assert counted(injector) == {"matched": 1, "injected": 0}
    assert app.closed == 1
    wire(injector, App(b"0"), inside=inside)
    assert injector.journal.outcomes[-1].injected
    wire(injector, App(b"0"), inside=inside)
    assert last(injector)[0] == "passed"
    assert counted(injector) == {"matched": 3, "injected": 1}


def test_more_is_kept_than_there_is(wire, make_injector):
    """`keep_bytes` of the whole body or beyond: known from its length at once, without one at its end."""
    for length in (True, False):
        injector = make_injector("truncate,keep_bytes=10,times=1")
        seen = wire(injector, App(length=length))
        assert seen.body in (WHOLE, b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n")
        assert last(injector)[0] == "nothing_to_cut"
        assert counted(injector) == {"matched": 1, "injected": 0}


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
    """Its own failure goes out, and the take goes back; what had gone out past the server is cut off there."""
    app = App(fails=fails)
    injector = make_injector(f"{rule},times=1")
    seen = wire(injector, app, inside=inside)
    assert last(injector)[0] == "app_failed"
    assert counted(injector) == {"matched": 1, "injected": 0}
    past = not inside and fails == "between" and rule.startswith(("truncate", "drip"))
    past = past and (wire.kind == "wsgi" or rule.startswith("truncate"))
    if wire.kind == "wsgi":
        assert (seen.error is None) == past
        assert app.closed == (fails == "between")
    else:
        assert isinstance(seen.error, Broken)
    if past:
        assert seen.saw == (200, b"01234", "FIN")
        assert seen.headers["content-length"] == "10"
    wire(injector, App(), inside=inside)
    assert injector.journal.outcomes[-1].injected
    assert counted(injector) == {"matched": 2, "injected": 1}
