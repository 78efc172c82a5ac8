"""The expected view of each fault from a client of any server: one function for each column."""

from contextlib import ExitStack, suppress
from hashlib import sha256
from io import BytesIO
from xml.etree import ElementTree

from faultinject import Injector, WSGIFaultMiddleware
from tests.until import until

from .apps import PIECES, photo, plain_wsgi
from .launch import SEED
from .probe import HOST, request
from .rules import RULES

FAULTS = {}
STREAM = b"".join(PIECES)


def fault(name):
    """Enter a function as a column."""

    def enter(function):
        FAULTS[name] = function
        return function

    return enter


def ending(answer):
    """The ends of an answer for its client."""
    return answer.end or "answered"


def code(body):
    """The code in a vendor's XML error."""
    return ElementTree.fromstring(body).findtext("Code")


def is_photo(answer, size=1000):
    """Whether that is the app's own answer, whole."""
    return answer.status == 200 and answer.whole and answer.body == photo(size)


@fault("latency")
def latency(trial):
    """The app's own answer, late."""
    path, answer = trial.ask("late")
    assert is_photo(answer)
    assert answer.head_at >= 0.1
    return trial.seen(ending(answer), path)


def empty(answer):
    """Whether nothing came, or a gateway's error where the connection could not be reached."""
    return not answer.line or (answer.status == 502 and answer.whole)


def ends(rule, *, ran, seconds=0.0):
    """The connection ends without an answer, no sooner than asked, and the app has run or not."""

    def ended(trial):
        path, answer = trial.ask(rule)
        assert empty(answer)
        assert answer.done_at >= seconds
        assert (trial.server.ran(path), trial.server.outcome(path)["applied"]) == (ran, bool(ran))
        return trial.seen(ending(answer), path)

    return ended


FAULTS |= {
    "hang": ends("hang", ran=0, seconds=0.2),
    "hang, after": ends("hang-after", ran=1, seconds=0.1),
    "reset": ends("reset", ran=0),
    "reset, after": ends("reset-after", ran=1),
    "reset, late": ends("reset-late", ran=0, seconds=0.1),
    "close": ends("close", ran=0),
    "close, after": ends("close-after", ran=1),
}


@fault("hang, client leaves")
def hang_left(trial):
    """A client that gives up is let go of at once."""
    path = trial.path("hang-long")
    with trial.server.connect() as client:
        client.send(request("GET", path))
        trial.server.outcome(path)
        assert client.silent()
    if isinstance(trial.server.address, tuple):
        until(lambda: client.name[1] not in trial.server.clients())
    return trial.seen("let go", path)


@fault("hang, five and others")
def hang_five(trial):
    """Five that hang keep nobody else waiting."""
    with ExitStack() as stack:
        clients = []
        for _ in range(5):
            clients.append(stack.enter_context(trial.server.connect()))
            path = trial.path("hang-long")
            clients[-1].send(request("GET", path))
            trial.server.outcome(path)
        assert all(is_photo(trial.ask("else")[1]) for _ in range(5))
        assert all(client.silent() for client in clients)
        return trial.seen("others answered", path)


@fault("reset, drain=no")
def reset_undrained(trial):
    """The reset comes during the upload, unless the server reads it whole first."""
    return part_of_an_upload(trial, "reset-undrained", empty)


def truncates(rule, kept):
    """The full length is told, and so many bytes of it come."""

    def truncated(trial):
        path, answer = trial.ask(rule)
        assert (answer.status, answer.one("content-length"), answer.body) == (200, "1000", photo(1000)[:kept])
        return trial.seen(ending(answer), path)

    return truncated


FAULTS |= {"truncate": truncates("cut", 500), "truncate, keep=0": truncates("cut-all", 0)}


@fault("truncate, no length")
def truncate_stream(trial):
    """A stream is cut after so many bytes."""
    path, answer = trial.ask("cut-bytes", "stream")
    assert (answer.status, answer.one("content-length"), answer.body) == (200, None, STREAM[:1500])
    end = ending(answer)
    # When the app's iterator raises, granian ends the chunks properly: 7,500 of 7,500 requests on a busy machine. In
    # two of five whole runs the connection ended instead, which is the fault's purpose.
    return trial.seen("answered" if trial.server.name == "granian WSGI" and end == "FIN" else end, path)


@fault("drip")
def drip(trial):
    """No faster than asked, and others are answered meanwhile."""
    path, answer = trial.ask("drip")
    assert is_photo(answer)
    # An answer takes about a second at this rate; a client without the processor for a quarter of it reads all at once.
    assert len(answer.times) >= 2
    assert [size for at, size in answer.times if size > 1000 * at] == []
    with trial.server.connect() as client:
        long = trial.path("drip-long")
        client.send(request("GET", long))
        trial.server.outcome(long)
        others = "waited"
        # Under TLS not even the connection may come about.
        patience = trial.patience(2, "others answered")
        with suppress(TimeoutError), trial.server.connect(patience=patience) as another:
            other = another.ask("GET", trial.path("else"), patience=patience)
            if other.end != "open":
                assert is_photo(other)
                others = "answered"
    return trial.seen(f"{ending(answer)}, others {others}", path)


LONG = bytes(range(250)) * 1200
PART = 100_000
"""Of the long body what comes before a fault in its middle."""


def begin_upload(client, path, size, *, seconds):
    """Send so many bytes of the long body, for which there is no answer within these seconds."""
    client.send(request("PUT", path, more=f"Content-Length: {len(LONG)}\r\n") + LONG[:size])
    early = client.answer(patience=seconds)
    assert (early.line, early.end) == ("", "open")


def in_two_parts(trial, client, first, rest, seconds, early):
    """Send a part and, without an answer to it, the rest; returns the answer and when it came."""
    client.send(first)
    answer = client.answer(patience=trial.patience(seconds, early))
    if answer.end != "open":
        return answer, early
    client.send(rest)
    return client.answer(), "after the whole upload"


def in_an_upload(rule, right):
    """The answer comes after these bytes of the upload, unless the server reads it whole first."""

    def broken(trial):
        path = trial.path(rule, "put")
        with trial.server.connect() as client:
            begin_upload(client, path, PART - 1, seconds=0.2)
            answer, when = in_two_parts(trial, client, LONG[PART - 1 : PART], LONG[PART:], 1.5, "at the byte")
        assert right(answer)
        assert trial.server.ran(path) == 0
        outcome = trial.server.outcome(path, until=lambda outcome: outcome["request_bytes"] is not None)
        assert (outcome["request_bytes"], outcome["body_complete"]) == (PART, False)
        return trial.seen(f"{ending(answer)} {when}", path)

    return broken


FAULTS |= {
    "reset, after_bytes": in_an_upload("reset-middle", empty),
    "close, after_bytes": in_an_upload("close-middle", empty),
    "hang, after_bytes": in_an_upload("hang-middle", lambda answer: empty(answer) and answer.done_at >= 0.2),
    "error, after_bytes": in_an_upload(
        "error-middle", lambda answer: answer.whole and code(answer.body) == "SlowDown"
    ),
}


@fault("stall, after_bytes")
def stall_middle(trial):
    """An upload stops behind so many bytes, for as long as asked, and then is whole."""
    waited = []
    for first in PART - 1, PART:
        path = trial.path("stall-middle", "put")
        with trial.server.connect() as client:
            begin_upload(client, path, first, seconds=1.3)
            client.send(LONG[first:])
            answer = client.answer()
        digest = sha256(LONG).hexdigest().encode()
        assert (answer.status, answer.whole, answer.body) == (200, True, digest)
        waited.append(answer.done_at >= 1)
    # What was a byte short waits for the rest, and then for as long as asked.
    assert waited[0]
    return trial.seen(f"whole, stalled {'after the whole upload' if waited[1] else 'at the byte'}", path)


def in_an_answer(rule, seconds=0.0):
    """Half of the app's answer comes, with its full length; only then the connection ends."""

    def broken(trial):
        path, answer = trial.ask(rule)
        assert (answer.status, answer.one("content-length"), answer.body) == (200, "1000", photo(1000)[:500])
        assert answer.done_at >= seconds
        outcome = trial.server.outcome(path, until=lambda outcome: outcome["response_bytes"] == 500)
        assert outcome["applied"] is True
        return trial.seen(ending(answer), path)

    return broken


FAULTS |= {
    "reset, after, after_bytes": in_an_answer("reset-answer"),
    "close, after, after_bytes": in_an_answer("close-answer"),
    "hang, after, after_bytes": in_an_answer("hang-answer", seconds=0.2),
}


@fault("stall, after, after_bytes")
def stall_answer(trial):
    """So many bytes come, nothing for as long as asked, and then the rest."""
    path, answer = trial.ask("stall-answer")
    assert is_photo(answer)
    assert all(at >= 1 for at, size in answer.times if size > 500)
    paused = any(size == 500 for _, size in answer.times)
    return trial.seen("500 bytes, then the rest" if paused else "late", path)


def flipped(one, other):
    """In how many bytes two bodies differ."""
    assert len(one) == len(other)
    return sum(a != b for a, b in zip(one, other, strict=True))


@fault("corrupt")
def corrupt(trial):
    """Exactly the requested number of bytes is wrong, the same ones for a seed in any process."""
    for rule, flips in ("corrupt", 1), ("corrupt-5", 5):
        path, answer = trial.ask(rule)
        assert (answer.status, answer.whole, flipped(answer.body, photo(1000))) == (200, True, flips)
        if "replay is off" not in trial.server.log:
            assert answer.body == in_process(path)
    return trial.seen(ending(answer), path)


def in_process(path):
    """The body for the first request of that path, with no server at all."""
    app = WSGIFaultMiddleware(plain_wsgi, injector=Injector(RULES, seed=SEED, environ={}))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": HOST, "wsgi.input": BytesIO()}
    return b"".join(app(environ, lambda *_: None))


@fault("error")
def error(trial):
    """The documented error, after the whole upload."""
    path, answer = trial.ask("error", "put", "PUT", b"x" * 300_000)
    assert (answer.status, answer.whole, code(answer.body)) == (503, True, "SlowDown")
    outcome = trial.server.outcome(path, until=lambda outcome: outcome["body_complete"])
    assert (outcome["request_bytes"], outcome["body_complete"]) == (300_000, True)
    return trial.seen(answer.line.partition(" ")[2], path)


@fault("error, drain=no")
def error_undrained(trial):
    """The error while the upload is under way, where the server does not take it whole first."""
    return part_of_an_upload(trial, "error-undrained", lambda answer: answer.status == 503)


def part_of_an_upload(trial, rule, right):
    """Send a small part of an upload; when nothing is said about it, the rest."""
    path = trial.path(rule, "put")
    with trial.server.connect() as client:
        first = request("PUT", path, b"x" * 300_000)[:1000]
        answer, when = in_two_parts(trial, client, first, b"x" * 300_000, 1, "before the whole upload")
    assert right(answer)
    return trial.seen(f"{ending(answer)} {when}", path)


@fault("error, Expect")
def error_expect(trial):
    """A client that waits for 100 Continue before it uploads."""
    path = trial.path("error", "put")
    head, _, body = request("PUT", path, b"x" * 1000, more="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with trial.server.connect() as client:
        client.send(head + b"\r\n\r\n")
        patience = max(trial.patience(1, saw) for saw in ("instead of 100", "after 100"))
        answer = client.answer(patience=patience, interim=True)
        saw = "instead of 100"
        if not answer.line:
            saw = "after 100" if answer.interim else "without 100"
            client.send(body)
            answer = client.answer()
    assert (answer.status, answer.whole, code(answer.body)) == (503, True, "SlowDown")
    return trial.seen(f"503 {saw}", path)


@fault("status=200, late")
def late_error(trial):
    """The head at once, blanks meanwhile, the error last."""
    path, answer = trial.ask("late-error", "put?uploadId=1", "POST", b"<a/>")
    assert (answer.status, answer.whole, code(answer.body)) == (200, True, "InternalError")
    assert answer.times[-1][0] >= max(1, answer.head_at + 0.2)
    return trial.seen(ending(answer), path.partition("?")[0])
