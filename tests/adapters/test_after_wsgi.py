"""WSGI, `when=after`: the app's effects stay, its answer is dropped piece by piece."""

import io
from types import SimpleNamespace
from unittest.mock import Mock
from wsgiref.util import FileWrapper

import pytest

from faultinject import WSGIFaultMiddleware

from .manners import debugged
from .transport import App, Taking, ended, only

RULE = "cos:SlowDown,when=after,times=1"
HALF = bytes(65 << 20)
"""More than half of what an app may say."""


def run(servers, app, injector, **more):
    """The events at the server and in the app, in their order."""
    return servers.wsgi(WSGIFaultMiddleware(app, injector=injector), servers.environ("PUT", "/b/k", **more))


def test_effects_stay_and_the_answer_goes(servers, make_injector):
    """The app reads its upload, ends and is closed once; then the client sees only the fault."""
    injector, app, started = make_injector(RULE), Taking(status=201), []

    def start_response(status, headers):
        started.append((status, app.body, app.given, app.closed))

    environ = servers.environ("PUT", "/b/k", body=b"upload")
    result = WSGIFaultMiddleware(app.wsgi, injector=injector)(environ, start_response)
    assert (ended(injector), only(injector).when, started) == (
        ("answered", True, 503),
        "after",
        [("503 Slow Down", b"upload", 2, 1)],
    )
    assert b"SlowDown" in b"".join(result)


@pytest.mark.parametrize("status", [500, 503, 599])
def test_the_apps_own_failure_passes_unchanged(servers, make_injector, status):
    """A 5xx of the app goes out as it is: the very result, the very headers."""
    injector, app, started = make_injector(RULE), App(status=status), []
    wrapped = WSGIFaultMiddleware(app.wsgi, injector=injector)
    assert wrapped(servers.environ(), lambda *each: started.append(each)) is app
    assert (started, app.given, only(injector).did, only(injector).status) == (
        [(f"{status} Status", app.headers)],
        0,
        "app_failed",
        None,
    )


class Silent(App):
    """An app that does not begin its answer."""

    def wsgi(self, environ, start_response):
        return self


@pytest.mark.parametrize(
    ("error", "app"),
    [
        *((each, App(fails="before", error=each)) for each in (LookupError, SystemExit)),
        *((each, App(fails="between", error=each)) for each in (LookupError, SystemExit)),
        (AssertionError, Silent(b"", b"x")),
    ],
)
def test_an_app_that_raises_passes(servers, make_injector, error, app):
    """The app's exception, a worker's end, or a missing start pass on, and return the count."""
    injector = make_injector(RULE)
    with pytest.raises(error):
        run(servers, app.wsgi, injector)
    assert (app.closed, injector.counts()["rule-1"].injected) == (app.fails != "before", 0)
    assert (ended(injector), run(servers, App().wsgi, injector).status) == (("app_failed", True, None), 503)


def anew(start_response, status="500 Internal Server Error", headers=(("x-own", "1"),)):
    """Begin an answer anew, as long as nothing of it has gone out."""
    start_response(status, [*headers], (LookupError, LookupError(), None))


def as_pieces(*own):
    """An app that begins its answer anew between the pieces."""

    def app(environ, start_response, said):
        start_response("200 OK", [])

        def pieces():
            yield from said
            anew(start_response)
            yield from own

        return pieces()

    return app


def as_file(*written):
    """An app that begins anew after it has called `write`, and returns a file."""

    def app(environ, start_response, said):
        write = start_response("200 OK", [])
        for piece in said:
            write(piece)
        anew(start_response)
        for piece in written:
            write(piece)
        return FileWrapper(io.BytesIO(OWN.removeprefix(b"".join(written))), 4)

    return app


def late(*own):
    """A generator that begins its answer late."""

    def app(environ, start_response, said):
        yield from [b""] * len(said) * len(own)
        start_response("500 Internal Server Error", [("x-own", "1")])
        yield from own

    return app


OWN = b"own words"
TURNING = {
    "pieces": (as_pieces(b"", b"own", b" words"), OWN),
    "the end": (as_pieces(), b""),
    "a file": (as_file(), OWN),
    "write": (as_file(b"own"), OWN),
    "a debugger": (debugged(as_file(b"own")), OWN),
    "late": (late(OWN), OWN),
    "late and empty": (late(), b""),
}


@pytest.mark.parametrize("said", [[], [b""], [b"", b"half"]], ids=len)
@pytest.mark.parametrize(("app", "body"), TURNING.values(), ids=TURNING)
def test_an_answer_that_turns_into_a_failure_passes_unchanged(servers, make_injector, app, body, said):
    """The app may begin its answer again until the end, since nothing has been sent."""
    injector, noted = make_injector(RULE), App()

    def around(*given):
        noted.pieces = app(*given, said)
        return noted

    answer = run(servers, around, injector, **{"wsgi.file_wrapper": FileWrapper})
    assert (answer.wire, noted.closed) == ((500, [("x-own", "1")], body), 1)
    assert (only(injector).did, injector.counts()["rule-1"].injected) == ("app_failed", 0)


@pytest.mark.parametrize("kind", [iter, list])
def test_an_answer_that_turns_into_another_is_replaced(servers, make_injector, kind):
    """Until its end the app may replace status and headers; the journal has the last status."""

    def app(environ, start_response):
        start_response("200 OK", [("x-first", "1"), ("vary", "a")])
        yield b"half"
        anew(start_response, "404 Not Found", [("vary", "b")])
        yield b"none"

    injector = make_injector(RULE)
    answer = run(servers, lambda *given: kind(app(*given)), injector)
    assert (answer.status, answer.header("vary"), only(injector).did, only(injector).app_status) == (
        503,
        "b",
        "answered",
        404,
    )


def test_a_file_is_not_read(servers, make_injector):
    """A `file_wrapper` would have been sent by the kernel: it is closed, not read."""
    file = SimpleNamespace(read=None, close=Mock())

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)

    injector = make_injector(RULE)
    assert run(servers, app, injector, **{"wsgi.file_wrapper": FileWrapper}).status == 503
    assert (file.close.call_count, only(injector).did) == (1, "answered")


class Complaining(App):
    """One that fails when it is cut off."""

    def close(self):
        super().close()
        raise LookupError


def test_too_many_bytes_are_cut(send, make_injector):
    """Past 128 MiB the answer is closed, or `send` says that the client left.

    An error that the app raises then is dropped.
    """
    app, injector = Complaining(*[HALF] * 9), make_injector(RULE)
    assert send(injector, app=app).status == 503
    # ASGI tells the app when it sends the next piece.
    assert (app.given, app.closed) == ((2, 1) if send.kind == "wsgi" else (3, 0))
    assert (ended(injector), only(injector).injected) == (("app_cut", True, 503), True)


@pytest.mark.parametrize(("starts", "piece"), [(True, b"x"), (True, b""), (False, b"")])
def test_too_long_is_cut(servers, clock, make_injector, starts, piece):
    """The limit is ten seconds of answer or of empty pieces, not of the app's work before."""

    def app(environ, start_response):
        clock.now += 60
        if starts:
            start_response("200 OK", [])
        for _ in range(99):
            clock.now += 3
            yield piece

    injector = make_injector(RULE, waits=clock)
    assert (run(servers, app, injector).status, 72 <= clock.now <= 75) == (503, True)
    assert (only(injector).did, only(injector).app_status) == ("app_cut", 200 if starts else None)
