"""WSGI, `when=after`: the app's effects stay, its answer is dropped piece by piece."""

from __future__ import annotations

import io
import sys
from wsgiref.util import FileWrapper

import pytest

from faultinject import WSGIFaultMiddleware

RULE = "cos:SlowDown,when=after,times=1"
HALF = bytes(65 << 20)
"""More than half of what an app may say."""


class Body:
    """An answer that notes what is done with it."""

    def __init__(self, pieces, log):
        self.pieces = iter(pieces)
        self.log = log

    def __iter__(self):
        return self

    def __next__(self):
        piece = next(self.pieces)
        self.log.append(piece)
        return piece

    def close(self):
        self.log.append("close")


def only(injector):
    [outcome] = injector.journal.outcomes
    return outcome


def run(servers, app, injector, **more):
    """What reached the server, and in which order the app's things happened."""
    return servers.wsgi(WSGIFaultMiddleware(app, injector=injector), servers.environ("PUT", "/b/k", **more))


def test_effects_stay_and_the_answer_goes(servers, make_injector):
    """The app runs to its end, is closed once before anything leaves, and the client sees the fault alone."""
    log = []

    def app(environ, start_response):
        start_response("201 Created", [("etag", "x"), ("set-cookie", "a=b")])
        return Body([b"a", b"b"], log)

    def start_response(status, headers):
        log.append(status)

    injector = make_injector(RULE)
    wrapped = WSGIFaultMiddleware(app, injector=injector)
    result = wrapped(servers.environ("PUT", "/b/k"), start_response)
    assert log == [b"a", b"b", "close", "503 Slow Down"]
    assert b"SlowDown" in b"".join(result)
    outcome = only(injector)
    assert (outcome.did, outcome.when, outcome.applied, outcome.status) == ("answered", "after", True, 503)


def test_an_app_that_raises_passes(servers, make_injector):
    """Its own exception reaches the server, and the take goes back."""

    def app(environ, start_response):
        raise LookupError("mine")

    injector = make_injector(RULE)
    with pytest.raises(LookupError, match="mine"):
        run(servers, app, injector)
    assert (only(injector).did, only(injector).applied, only(injector).status) == ("app_failed", True, None)
    assert injector.counts()["rule-1"]["injected"] == 0
    assert run(servers, lambda *_: (_[1]("200 OK", []) and []) or [], injector).status == 503


def test_an_app_that_raises_in_its_body_is_closed_once(servers, make_injector):
    """Raised between pieces: closed, passed on, taken back."""
    log = []

    def app(environ, start_response):
        def pieces():
            yield b"a"
            raise LookupError("mine")

        start_response("200 OK", [])
        return Body(pieces(), log)

    injector = make_injector(RULE)
    with pytest.raises(LookupError, match="mine"):
        run(servers, app, injector)
    assert log == [b"a", "close"]
    assert only(injector).did == "app_failed"


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Busy", "599 X"])
def test_the_apps_own_failure_passes_unchanged(servers, make_injector, status):
    """A 5xx of the app goes out as it is: the very result, the very headers."""
    log = []
    body = Body([b"own"], log)

    def app(environ, start_response):
        start_response(status, [("x-own", "1")])
        return body

    injector = make_injector(RULE)
    wrapped = WSGIFaultMiddleware(app, injector=injector)
    started = []
    assert wrapped(servers.environ(), lambda *each: started.append(each)) is body
    assert started == [(status, [("x-own", "1")])]
    assert log == []
    assert (only(injector).did, only(injector).status) == ("app_failed", None)


def test_a_failure_that_a_generator_tells_late_passes_unchanged(servers, make_injector):
    """Also where start_response is called with the first piece, or again with exc_info."""
    log = []

    def late(environ, start_response):
        def pieces():
            start_response("500 Internal Server Error", [("x-own", "1")])
            yield b"own"
            yield b" words"

        return Body(pieces(), log)

    def corrected(environ, start_response):
        start_response("200 OK", [])
        try:
            raise LookupError
        except LookupError:
            start_response("500 Internal Server Error", [("x-own", "1")], sys.exc_info())
        return Body([b"own words"], log)

    def empty(environ, start_response):
        def pieces():
            start_response("500 Internal Server Error", [("x-own", "1")])
            return
            yield

        return Body(pieces(), log)

    for app, body in ((late, b"own words"), (corrected, b"own words"), (empty, b"")):
        injector = make_injector(RULE)
        assert run(servers, app, injector).wire == (500, [("x-own", "1")], body)
        assert only(injector).did == "app_failed"
        assert log.pop() == "close"
        assert "close" not in log


def anew(start_response, status="500 Internal Server Error"):
    """Begin an answer anew, as long as nothing of it has gone out."""
    try:
        raise LookupError
    except LookupError:
        start_response(status, [("x-own", "1")], sys.exc_info())


def as_pieces(environ, start_response, said):
    start_response("200 OK", [])

    def pieces():
        yield from said
        anew(start_response)
        yield b""
        yield b"own"
        yield b" words"

    return pieces()


def as_end(environ, start_response, said):
    start_response("200 OK", [])

    def pieces():
        yield from said
        anew(start_response)

    return pieces()


def as_file(environ, start_response, said):
    write = start_response("200 OK", [])
    for piece in said:
        write(piece)
    anew(start_response)
    return FileWrapper(io.BytesIO(b"own words"), 4)


def by_write(environ, start_response, said):
    write = start_response("200 OK", [])
    for piece in said:
        write(piece)
    anew(start_response)
    write(b"own")
    return FileWrapper(io.BytesIO(b" words"), 4)


def by_a_debugger(environ, start_response, said):
    yield from by_write(environ, start_response, said)


@pytest.mark.parametrize("said", [[], [b""], [b"", b"half"]], ids=len)
@pytest.mark.parametrize(
    ("app", "body"),
    [
        (as_pieces, b"own words"),
        (as_end, b""),
        (as_file, b"own words"),
        (by_write, b"own words"),
        (by_a_debugger, b"own words"),
    ],
)
def test_an_answer_that_turns_into_a_failure_passes_unchanged(servers, make_injector, app, body, said):
    """Nothing has gone out of what was dropped before: the app may begin anew until its answer is at its end."""
    injector = make_injector(RULE)
    answer = run(servers, lambda *each: app(*each, said), injector, **{"wsgi.file_wrapper": FileWrapper})
    assert answer.wire == (500, [("x-own", "1")], body)
    assert (only(injector).did, injector.counts()["rule-1"]["injected"]) == ("app_failed", 0)


def test_an_answer_that_turns_into_another_is_replaced(servers, make_injector):
    """The journal has the status that the app ended with."""

    def app(environ, start_response):
        start_response("200 OK", [])

        def pieces():
            yield b"half"
            anew(start_response, "404 Not Found")
            yield b"none"

        return pieces()

    injector = make_injector(RULE)
    assert run(servers, app, injector).status == 503
    assert (only(injector).did, only(injector).app_status) == ("answered", 404)


def test_an_app_that_never_starts_its_answer_has_failed(servers, make_injector):
    """Without start_response there is no answer: the server gets to know, and the take goes back."""
    injector = make_injector(RULE)
    with pytest.raises(AssertionError, match="start_response"):
        run(servers, lambda *_: [b"", b"x"], injector)
    assert (only(injector).did, injector.counts()["rule-1"]["injected"]) == ("app_failed", 0)


def test_a_file_is_not_read(servers, make_injector):
    """A `file_wrapper` would have been sent by the kernel: it is closed, not read."""

    class File:
        closed = 0

        def read(self, *_):
            raise AssertionError("not read")

        def close(self):
            self.closed += 1

    file = File()

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)

    injector = make_injector(RULE)
    assert run(servers, app, injector, **{"wsgi.file_wrapper": FileWrapper}).status == 503
    assert file.closed == 1
    assert only(injector).did == "answered"


def test_too_many_bytes_are_cut(servers, make_injector):
    """Past 128 MiB the app is closed early, and the outcome says `app_cut`."""
    log = []

    def app(environ, start_response):
        def forever():
            while True:
                yield HALF

        start_response("200 OK", [])
        return Body(forever(), log)

    injector = make_injector(RULE)
    assert run(servers, app, injector).status == 503
    assert log == [HALF, HALF, "close"]
    assert (only(injector).did, only(injector).injected, only(injector).applied) == ("app_cut", True, True)


@pytest.mark.parametrize("catches", ["", "goes on", "fails"])
def test_an_app_that_writes_is_told_that_the_client_left(servers, make_injector, catches):
    """`write()` raises as it does when the client is gone; that, and what the app says then, is no failure of the app."""
    written = []

    def app(environ, start_response):
        write = start_response("200 OK", [])
        try:
            for _ in range(100):
                write(HALF)
                written.append(HALF)
        except OSError:
            if not catches:
                raise
            if catches == "fails":
                anew(start_response)
                with pytest.raises(OSError, match="left"):
                    write(b"own words")
        return []

    injector = make_injector(RULE)
    assert run(servers, app, injector).status == 503
    assert written == [HALF]
    assert only(injector).did == "app_cut"


def test_too_long_is_cut(servers, clock, make_injector):
    """Ten seconds from the start of its answer, not of its work: a long upload is the app's effect."""

    def app(environ, start_response):
        clock.now += 60

        def slow():
            while True:
                clock.now += 3
                yield b"x"

        start_response("200 OK", [])
        return slow()

    injector = make_injector(RULE, waits=clock)
    assert run(servers, app, injector).status == 503
    assert clock.now == 72
    assert only(injector).did == "app_cut"


def test_an_answer_that_is_cut_as_it_is_written_is_closed(servers, make_injector):
    """A debugger around an old app: `write()` raises while the first piece is asked for."""
    log = []

    def app(environ, start_response):
        def pieces():
            write = start_response("200 OK", [])
            while True:
                write(HALF)
            yield

        return Body(pieces(), log)

    injector = make_injector(RULE)
    assert run(servers, app, injector).status == 503
    assert log == ["close"]
    assert only(injector).did == "app_cut"


@pytest.mark.parametrize("starts", [False, True])
def test_an_app_that_only_shows_that_it_lives_is_cut(servers, clock, make_injector, starts):
    """Empty pieces, of which a server sends nothing, count for the ten seconds, whether the answer is started or not."""

    def app(environ, start_response):
        if starts:
            start_response("200 OK", [])
        while True:
            clock.now += 3
            yield b""

    injector = make_injector(RULE, waits=clock)
    assert run(servers, app, injector).status == 503
    assert clock.now == 15
    assert (only(injector).did, only(injector).app_status) == ("app_cut", 200 if starts else None)


def test_a_worker_that_is_stopped_gives_the_take_back(servers, make_injector):
    """SystemExit passes, and the fault was not given."""

    def app(environ, start_response):
        raise SystemExit

    injector = make_injector(RULE)
    with pytest.raises(SystemExit):
        run(servers, app, injector)
    assert injector.counts()["rule-1"]["injected"] == 0


def test_the_app_reads_the_body_itself(servers, make_injector):
    """Nothing is drained before the app: the upload is what takes effect."""
    got = []

    def app(environ, start_response):
        got.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return []

    injector = make_injector(RULE)
    environ = servers.environ("PUT", "/b/k", body=b"upload")
    assert servers.wsgi(WSGIFaultMiddleware(app, injector=injector), environ).status == 503
    assert got == [b"upload"]


def test_two_lines_in_the_journal(servers, make_injector, tmp_path):
    """One when it is decided, a final one when the end is known."""
    import json

    path = tmp_path / "journal"
    injector = make_injector(RULE, FAULTINJECT_JOURNAL=str(path))
    run(servers, lambda _, start: (start("200 OK", []) and []) or [], injector)
    first, last = map(json.loads, path.read_text().splitlines())
    assert "final" not in first
    assert (last["final"], last["seq"], last["pid"], last["applied"]) == (
        True,
        first["seq"],
        first["pid"],
        True,
    )
    assert first["answered"] is None
    assert last["answered"] is not None


def test_started_twice_and_nothing_to_close(servers, make_injector):
    """start_response called again with exc_info before anything left, and a plain list as the answer."""

    def app(environ, start_response):
        start_response("200 OK", [("x-first", "1"), ("vary", "a")])
        try:
            raise LookupError
        except LookupError:
            start_response("404 Not Found", [("vary", "b")], sys.exc_info())
        return [b"x"]

    injector = make_injector(RULE)
    assert run(servers, app, injector).header("vary") == "b"
    assert only(injector).did == "answered"

    def late(environ, start_response):
        yield b""
        start_response("500 Internal Server Error", [])
        yield b"own"

    class Iterable:
        def __init__(self, pieces):
            self.pieces = pieces

        def __iter__(self):
            return iter(self.pieces)

    answer = run(servers, lambda *each: Iterable(late(*each)), make_injector(RULE))
    assert (answer.status, answer.body) == (500, b"own")
