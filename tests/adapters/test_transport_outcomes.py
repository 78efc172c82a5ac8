"""Each fault on a real connection and in process: the client's view and the journal's."""

import time
from unittest.mock import Mock

import pytest

from faultinject import RuleCounts
from tests.pairs import pairs

from .transport import WIRES, App, Broken, WsgiWire, only, values

WHOLE = b"0123456789"


def last(injector):
    """The journal's final outcome: the action, the app's run, status and bytes."""
    return values(injector.journal.outcomes[-1], "did", "applied", "status", "response_bytes")


def counted(injector):
    return injector.counts()["rule-1"]


SLOW = [
    "hang,duration=20ms",
    "hang,duration=20ms,when=after",
    "s3:InternalError,status=200,delay=20ms",
    "drip,of=s3:SlowDown,rate=10KiB",
]


@pytest.mark.parametrize("rule", SLOW)
def test_a_request_has_one_line_or_two(wire, make_injector, rule):
    """A reader would take a third line for one that is there twice, and say so in the report."""
    injector, lines = make_injector(rule), []
    injector.journal.follow(lines.append)
    wire(injector, App(WHOLE), method="PUT", upload=[b"an upload"])
    assert [line.final for line in lines] == [None, True]


PIECES = [(WHOLE,), (b"01234", b"", b"56789"), (b"", b"0123456", b"78", b"9")]
ENDS = {
    "reset": ("RST", "reset"),
    "reset,delay=20ms": ("RST", "reset"),
    "close": ("FIN", "closed"),
    "hang,duration=20ms": ("FIN", "closed"),
}


@pytest.mark.parametrize(
    ("wire", "rule", "kept", "pieces"),
    pairs(wire=WIRES, rule=ENDS, kept=["before", "after", 0, 1, 5, 9], pieces=PIECES),
    indirect=["wire"],
)
def test_a_connection_ends(wire, make_injector, rule, kept, pieces):
    """Without a byte, or behind so many of the app's answer; `after` the app has run to its end."""
    app = App(*pieces)
    when = "before" if kept == "before" else "after"
    of_answer = f",after_bytes={kept}" if kept in range(10) else ""
    injector = make_injector(f"{rule},when={when}{of_answer}")
    began = time.monotonic()
    seen = wire(injector, app)
    assert time.monotonic() - began >= (0.02 if "20ms" in rule else 0)
    end, did = ENDS[rule]
    assert (seen.end, seen.error, injector.errors) == (end, None, [])
    if of_answer:
        assert (seen.status, seen.body, seen.headers["content-length"]) == (200, WHOLE[:kept], "10")
    else:
        assert seen.raw == b""
    ran = when == "after"
    assert last(injector) == (did, ran, *((200, kept) if of_answer else (None, None)))
    assert (only(injector).when, app.ran, app.closed, counted(injector)) == (when, ran, ran, RuleCounts(1, 1))


SHAPED = {
    # How many of ten bytes come, how many of them are others, and what was done.
    "truncate,keep=0.59": (5, 0, "truncated"),
    "truncate,keep=0": (0, 0, "truncated"),
    "truncate,keep_bytes=3": (3, 0, "truncated"),
    "truncate,keep_bytes=9": (9, 0, "truncated"),
    "drip,rate=200": (10, 0, "dripped"),
    "stall,when=after,duration=50ms,after_bytes=0": (10, 0, "stalled"),
    "stall,when=after,duration=50ms,after_bytes=5": (10, 0, "stalled"),
    "stall,when=after,duration=50ms,after_bytes=9": (10, 0, "stalled"),
    "corrupt": (10, 1, "corrupted"),
    "corrupt,flips=3": (10, 3, "corrupted"),
}


@pytest.mark.parametrize(
    ("wire", "rule", "length", "pieces", "inside"),
    pairs(
        wire=WIRES,
        rule=SHAPED,
        length=[False, True],
        pieces=PIECES,
        inside=[False, True],
        # The share of an unknown length is one of the first piece.
        allowed=lambda _, rule, length, pieces, __: length or "keep=" not in rule or pieces == (WHOLE,),
    ),
    indirect=["wire"],
)
def test_a_body_is_cut_slow_or_wrong(wire, make_injector, rule, length, pieces, inside):
    """As many bytes as asked, in no less time; a client in this process meets a cut as an error."""
    app = App(*pieces, length=length)
    injector = make_injector(rule, record_all=True)
    began = time.monotonic()
    seen = wire(injector, app, inside=inside)
    assert time.monotonic() - began >= (0.05 if rule.startswith(("drip", "stall")) else 0)
    kept, wrong, did = SHAPED[rule]
    assert (
        len(seen.body),
        seen.end,
        sum(one != other for one, other in zip(seen.body, WHOLE, strict=False)),
    ) == (kept, "FIN", wrong)
    if kept or not inside:
        assert (seen.status, seen.headers.get("content-length")) == (200, "10" if length else None)
    if inside and kept < 10:
        assert (seen.error.partial, seen.error.expected) == (kept, 10 - kept if length else None)
    else:
        assert seen.error is None
    assert (last(injector), app.ran, app.closed, counted(injector)) == (
        (did, True, 200, kept),
        1,
        1,
        RuleCounts(1, 1),
    )


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
        assert (seen.status, seen.body[:60], len(seen.body)) == (503, whole[:60], kept)
        assert (seen.headers["content-length"], seen.headers["x-faultinject"], last(injector)) == (
            str(len(whole)),
            "rule-1",
            (did, False, 503, kept),
        )
        assert only(injector).request_id in seen.headers["x-cos-request-id"]
        assert (app.ran, counted(injector), isinstance(seen.error, ConnectionError)) == (
            0,
            RuleCounts(1, 1),
            inside and did == "truncated",
        )


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
    assert (last(injector)[0], counted(injector), isinstance(seen.error, Broken)) == (
        "dripped" if met else "app_failed",
        RuleCounts(1, met),
        True,
    )
    if wire.kind == "wsgi":
        assert app.closed == (fails == "between")
    wire(injector, App(), inside=inside)
    assert (injector.journal.outcomes[-1].injected, counted(injector)) == (not met, RuleCounts(2, 1))


def test_an_app_that_fails_behind_changed_bytes(wire, make_injector):
    """The fault counts, because the client has received it."""
    injector = make_injector("corrupt,flips=10,times=1")
    seen = wire(injector, App(fails="between"))
    assert seen.body and not b"0123456789".startswith(seen.body)
    assert (last(injector)[0], counted(injector)) == ("corrupted", RuleCounts(1, 1))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("rule", ["reset", "close", "hang,duration=50ms"])
def test_a_gateway_answers_when_nothing_else_can_be_done(wire, make_injector, out_of_reach, rule, when):
    """A server without access to its connection answers 502, as a load balancer would."""
    out_of_reach()
    injector = make_injector(f"{rule},when={when}")
    seen = wire(injector)
    assert (seen.status, seen.headers["content-type"], seen.error) == (502, "text/html", None)
    assert b"<h1>502 Bad Gateway</h1>" in seen.body
    size = len(seen.body)
    assert (seen.headers["content-length"], last(injector), counted(injector).injected) == (
        str(size),
        ("answered", when == "after", 502, size),
        1,
    )
    assert only(injector).fault == rule.partition(",")[0]
    assert only(injector).elapsed is None or only(injector).elapsed >= (0.05 if "hang" in rule else 0)


CUTS = {
    "truncate,keep_bytes=7": "truncated",
    "truncate,keep_bytes=0": "truncated",
    "truncate,of=cos:SlowDown,keep=0.1": "truncated",
    # No reset is claimed.
    "reset,when=after,after_bytes=7": "closed",
    "hang,duration=10ms,when=after,after_bytes=7": "closed",
}


@pytest.mark.parametrize(
    ("wire", "rule", "length"), pairs(wire=WIRES, rule=CUTS, length=[False, True]), indirect=["wire"]
)
def test_a_cut_becomes_the_server_s_own(wire, make_injector, out_of_reach, rule, length):
    """It sends what is let through, and gets an error: servers close the connection then."""
    out_of_reach()
    app = App(length=length)
    injector = make_injector(rule)
    seen = wire(injector, app)
    assert isinstance(seen.error, ConnectionAbortedError)
    found = only(injector).did, only(injector).response_bytes, app.closed
    assert found == (CUTS[rule], len(seen.body), "of=" not in rule)
    if "of=" not in rule:
        assert seen.body == (b"" if "keep_bytes=0" in rule else b"0123456")


def test_the_server_s_thread_does_it(servers, make_injector, monkeypatch):
    """A hang that finds no thread is over before the WSGI adapter returns."""
    monkeypatch.setattr("threading.Thread.start", Mock(side_effect=RuntimeError("can't start new thread")))
    injector = make_injector("hang,duration=50ms")
    assert (WsgiWire(servers)(injector).saw, only(injector).injected, injector.finish()) == (
        (0, b"", "FIN"),
        True,
        0,
    )
