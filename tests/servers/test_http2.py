"""HTTP/2: answers change stream by stream; only `http2=yes` lets faults break connections."""

from contextlib import suppress

import pytest
from h2.exceptions import InvalidBodyLengthError

from tests.slowly import others_slowly

from .apps import photo
from .faults import code, flipped
from .http2 import Http2
from .launch import SERVERS, UNREACHABLE
from .trial import Trial

# The one that shows its connection stands for the others in the default suite.
NAMES = others_slowly(("hypercorn", "granian ASGI", "granian WSGI"), "hypercorn".__eq__)


@pytest.fixture(params=NAMES)
def trial(request, pool):
    """A server that speaks HTTP/2."""
    if why := SERVERS[request.param].missing:
        pytest.skip(why)
    return Trial(pool.get(request.param), "HTTP/2")


def both(trial, rule, target="photos/1000", method="GET", body=b""):
    """A request with a fault and an innocent one on one connection, and their ends."""
    path = trial.path(rule, target)
    with Http2(trial.server.address) as client:
        faulty = client.ask(path, method, body)
        other = client.ask(trial.path("else", "photos/77"))
        client.wait(faulty, other)
    assert (client.end, other.status, other.body, other.end) == ("", 200, photo(77), "answered")
    return path, faulty, client.ended == [other, faulty]


@pytest.mark.parametrize("rule", ["reset", "close", "hang", "hang-long", "cut", "cut-error"])
def test_what_would_hurt_other_streams_is_refused(trial, rule):
    """The app's own answer comes, and the journal says why."""
    path, faulty, _ = both(trial, rule)
    assert (faulty.status, faulty.body, faulty.end, trial.did(path, "refused")) == (
        200,
        photo(1000),
        "answered",
        "refused",
    )


@pytest.mark.parametrize(
    ("rule", "did"),
    [("later", "delayed"), ("drip", "dripped"), ("corrupt", "corrupted"), ("error", "answered")],
)
def test_what_concerns_one_stream_is_done(trial, rule, did):
    """Another stream of the same connection is answered meanwhile."""
    path, faulty, meanwhile = both(trial, rule)
    if rule == "error":
        assert (faulty.end, faulty.status, code(faulty.body)) == ("answered", 503, "SlowDown")
    else:
        wrong = flipped(faulty.body, photo(1000))
        assert (faulty.end, faulty.status, wrong) == ("answered", 200, rule == "corrupt")
    assert meanwhile or rule not in ("later", "drip")
    assert rule != "later" or faulty.head_at >= 1
    assert rule != "drip" or faulty.done_at >= 0.25
    assert trial.did(path, did) == did


@pytest.mark.parametrize("rule", ["drip-long", "stall-answer-long"])
def test_a_stream_that_its_client_cancels(trial, rule):
    """Its fault ends, and takes no place among the faults under way any more."""
    if trial.server.name == "granian WSGI":
        pytest.skip("it tells an app nothing of its client")
    path = trial.path(rule)
    with Http2(trial.server.address) as client:
        client.cancel(client.ask(path))
        outcome = trial.server.outcome(path, until=lambda outcome: outcome.get("final"))
    assert (outcome["left"], outcome["response_bytes"] < 1000) == (True, True)


@pytest.mark.parametrize("rule", ["error-undrained", "then-error-undrained-late"])
def test_an_error_before_the_end_of_an_upload(trial, rule):
    """Other streams of the connection go on, and so does it itself once the upload has ended."""
    with Http2(trial.server.address) as client:
        faulty = client.ask(f"/{rule}/t1/put", "PUT", b"x" * 1000, more=True)
        if trial.server.name == "granian WSGI":
            client.go_on(faulty, b"x")
        client.wait_for_body(faulty)
        other = client.ask("/else/t0/photos/77")
        client.wait(other)
        if trial.server.name != "granian WSGI":
            # A client may go on sending behind its answer; else the rest of the body is waited for.
            client.go_on(faulty, b"x")
        client.wait(faulty)
        last = client.ask("/else/t0/photos/7")
        client.wait(last)
    assert (faulty.status, code(faulty.body), client.end, [stream.body for stream in (other, last)]) == (
        503,
        "SlowDown",
        "",
        [photo(77), photo(7)],
    )


def test_a_late_error(trial):
    """The head at once, the error last."""
    path, faulty, meanwhile = both(trial, "late-error", "put", "POST", b"<a/>")
    assert (faulty.status, code(faulty.body), faulty.end) == (200, "InternalError", "answered")
    assert meanwhile
    assert faulty.done_at >= max(1, faulty.head_at + 0.2)
    assert trial.did(path, "answered") == "answered"


@pytest.mark.parametrize(
    ("rule", "end", "did"),
    [
        ("reset-http2", "RST", "reset"),
        ("close-http2", "FIN", "closed"),
        ("hang-http2", "FIN", "closed"),
        ("cut-http2", "FIN", "truncated"),
    ],
)
def test_a_whole_connection_is_broken_when_the_rule_says_so(trial, rule, end, did):
    """The connection ends for all of its streams; another connection does not see it."""
    path = trial.path(rule)
    with Http2(trial.server.address) as client:
        faulty = client.ask(path)
        if trial.server.name in UNREACHABLE and rule == "cut-http2":
            with suppress(InvalidBodyLengthError):  # the server ends the stream, or resets it
                client.wait(faulty)
            assert faulty.body == photo(1000)[:500]
            return
        client.wait(faulty)
        if trial.server.name in UNREACHABLE:
            assert (faulty.status, trial.did(path, "answered")) == (502, "answered")
            return
        assert rule != "hang-http2" or not faulty.status
        body = photo(1000)[:500] if rule == "cut-http2" else b""
        assert (faulty.end, client.end, faulty.body, trial.did(path, did)) == ("", end, body, did)
    both(trial, "late")
