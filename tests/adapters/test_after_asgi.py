"""ASGI, `when=after`: the app's effects stay, its answer is dropped, its background work goes on."""

from __future__ import annotations

import anyio
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from faultinject import ASGIFaultMiddleware

RULE = "cos:SlowDown,when=after,times=1"


@pytest.fixture(params=["asyncio", "trio"])
def run(request, servers):
    """`run(app, injector)`: what reached the server, as messages, and the exception that did; in the time of `clock`."""

    def run(app, injector, receive=None, **more):
        sent = []

        async def send(message):
            sent.append(message)

        async def stays():
            if not left:
                await anyio.sleep_forever()
            return left.pop()

        left = [{"type": "http.request", "body": b"upload", "more_body": False}]
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        error = None
        try:
            runs = request.getfixturevalue("clock").run if "clock" in request.fixturenames else anyio.run
            runs(wrapped, servers.scope("PUT", "/b/k", **more), receive or stays, send, backend=request.param)
        except Exception as caught:
            error = caught
        return sent, error

    return run


def statuses(sent):
    return [each["status"] for each in sent if each["type"] == "http.response.start"]


def only(injector):
    [outcome] = injector.journal.outcomes
    return outcome


async def start(send, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})


def test_given_at_the_last_message(run, make_injector):
    """Not before the app has said all, and then at once, while the app still runs."""
    log = []

    async def app(scope, receive, send):
        assert (await receive())["body"] == b"upload"
        await send({"type": "http.response.debug", "info": {}})
        await start(send)
        await body(send, b"a", more=True)
        log.append(only(injector).final)
        await body(send, b"b")
        log.append(only(injector).final)
        await send({"type": "http.response.trailers", "headers": []})

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert error is None
    assert log == [None, True]
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    assert statuses(sent) == [503]
    outcome = only(injector)
    assert (outcome.did, outcome.when, outcome.applied, outcome.status) == ("answered", "after", True, 503)


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
def test_files_are_not_sent(run, make_injector, kind):
    """A file that the server would send is the last message too."""

    async def app(scope, receive, send):
        await start(send)
        await send({"type": kind, "path": "/etc/hostname"})

    injector = make_injector(RULE)
    sent, _ = run(app, injector)
    assert statuses(sent) == [503]
    assert only(injector).did == "answered"


def test_background_work_goes_on(run, make_injector):
    """Starlette's background tasks run after the answer, and after the fault in its place."""
    done = []

    async def later():
        done.append(only(injector).final)

    async def home(request):
        return PlainTextResponse("x", background=BackgroundTask(later))

    injector = make_injector(RULE)
    sent, error = run(Starlette(routes=[Route("/b/k", home, methods=["PUT"])]), injector)
    assert (statuses(sent), done, error) == ([503], [True], None)


def test_background_work_that_fails_is_the_apps_own(run, make_injector):
    """The fault was given; the exception still reaches the server's log."""

    async def app(scope, receive, send):
        await start(send)
        await body(send)
        raise LookupError("mine")

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert statuses(sent) == [503]
    assert repr(error) == "LookupError('mine')"
    assert only(injector).did == "answered"


def test_an_app_that_raises_passes(run, make_injector):
    """Its own exception reaches the server as it is, and the take goes back."""

    async def app(scope, receive, send):
        await start(send)
        raise LookupError("mine")

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (sent, repr(error)) == ([], "LookupError('mine')")
    assert (only(injector).did, only(injector).applied, only(injector).status) == ("app_failed", True, None)
    assert injector.counts()["rule-1"]["injected"] == 0


@pytest.mark.parametrize("then", [None, LookupError("mine")])
def test_the_apps_own_failure_passes_unchanged(run, make_injector, then):
    """A 5xx of the app goes out message by message, also when it is raised again as Starlette does."""
    own = [
        {"type": "http.response.start", "status": 500, "headers": [(b"x-own", b"1")]},
        {"type": "http.response.body", "body": b"own", "more_body": True},
        {"type": "http.response.body", "body": b" words"},
    ]

    async def app(scope, receive, send):
        for message in own:
            await send(message)
        if then:
            raise then

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert sent == own
    assert all(got is given for got, given in zip(sent, own, strict=True))
    assert error is then
    assert only(injector).did == "app_failed"
    assert run(app, injector)[0] == own
    assert [each.did for each in injector.journal.outcomes] == ["app_failed", "app_failed"]


@pytest.mark.parametrize("status", [404, 500])
def test_an_app_may_begin_anew(clock, run, make_injector, status):
    """Nothing has gone out of what was dropped before: a failure passes unchanged, everything else is replaced."""

    async def app(scope, receive, send):
        await start(send)
        await body(send, b"half", more=True)
        await start(send, status)
        await body(send, b"own words")

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    failed = status == 500
    assert (statuses(sent), error) == ([500 if failed else 503], None)
    assert (only(injector).did, only(injector).app_status) == (
        ("app_failed", None) if failed else ("answered", 404)
    )
    assert (sent[-1]["body"] == b"own words") == failed


def test_an_app_that_begins_anew_behind_its_end_is_not_heard(run, make_injector):
    """The fault was the answer: a second one would be an error of ours to the server."""

    async def app(scope, receive, send):
        await start(send)
        await body(send)
        await start(send, 500)
        await body(send, b"own words")

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (statuses(sent), len(sent), error) == ([503], 2, None)
    assert only(injector).did == "answered"


def test_an_app_that_only_shows_that_it_lives_is_cut(clock, run, make_injector):
    """Empty messages do not end the ten seconds of an answer that has begun."""

    async def app(scope, receive, send):
        await start(send)
        while True:
            await anyio.sleep(1)
            await body(send, more=True)

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (statuses(sent), error, only(injector).did) == ([503], None, "app_cut")


@pytest.mark.parametrize("begins", [False, True])
def test_an_app_without_an_end_has_failed(run, make_injector, begins):
    """An app that returns before it has answered: the server's own 500 is the answer."""

    async def app(scope, receive, send):
        if begins:
            await start(send)

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (sent, error, only(injector).did) == ([], None, "app_failed")


def test_too_many_bytes_are_cut(run, make_injector):
    """Past 128 MiB the app's send says that the client left."""
    half = bytes(65 << 20)
    said = []

    async def app(scope, receive, send):
        await start(send)
        while True:
            await body(send, half, more=True)
            said.append(len(half))

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (statuses(sent), said, error) == ([503], [65 << 20] * 2, None)
    assert (only(injector).did, only(injector).injected, only(injector).applied) == ("app_cut", True, True)


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_an_endless_stream_is_cut(clock, run, make_injector, spec):
    """An app that streams for ever and one that waits to hear that the client left both end."""
    closed, streams = [], []

    async def events():
        try:
            while True:
                yield b"x"
                await anyio.sleep(1)
        finally:
            closed.append(True)

    async def home(request):
        # Kept until the event loop ends, which closes it: Starlette leaves one open that is cut in the midst of a send.
        streams.append(events())
        return StreamingResponse(streams[-1])

    injector = make_injector(RULE)
    app = Starlette(routes=[Route("/b/k", home, methods=["PUT"])])
    sent, error = run(app, injector, asgi={"version": "3.0", "spec_version": spec})
    assert (statuses(sent), closed, error) == ([503], [True], None)
    assert only(injector).did == "app_cut"


def test_a_silent_stream_is_cut(clock, run, make_injector):
    """An app that has begun and says nothing hears a disconnect."""
    heard = []

    async def app(scope, receive, send):
        await receive()
        await start(send)
        heard.append(await receive())
        heard.append(await receive())

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (statuses(sent), error) == ([503], None)
    assert heard == [{"type": "http.disconnect"}, {"type": "http.disconnect"}]
    assert only(injector).did == "app_cut"


def test_an_app_that_works_long_is_not_cut(clock, run, make_injector):
    """The bound is for its answer: a long upload is the app's effect."""

    async def app(scope, receive, send):
        await anyio.sleep(3600)
        await start(send)
        await body(send)

    injector = make_injector(RULE)
    assert statuses(run(app, injector)[0]) == [503]
    assert only(injector).did == "answered"


def test_a_client_that_left_before_the_fault_gives_the_take_back(run, make_injector):
    """The app heard it; there is nobody to give the fault to."""

    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.disconnect"
        await start(send)
        await body(send)

    async def gone():
        return {"type": "http.disconnect"}

    injector = make_injector(RULE)
    sent, error = run(app, injector, gone)
    assert (sent, error, only(injector).did) == ([], None, "failed")
    assert injector.counts()["rule-1"]["injected"] == 0


def test_a_client_that_leaves_during_the_delay_gives_the_take_back(run, make_injector):
    """It is listened for while the fault waits."""

    async def app(scope, receive, send):
        await start(send)
        await body(send)

    async def gone():
        return {"type": "http.disconnect"}

    injector = make_injector("cos:SlowDown,when=after,times=1,delay=1h")
    sent, error = run(app, injector, gone)
    assert (sent, error, only(injector).did) == ([], None, "failed")


def test_kept_headers_may_be_looked_at_once(run, make_injector):
    """Headers may be any iterable; only the CORS ones of the app are kept."""

    async def app(scope, receive, send):
        await start(send, headers=iter([(b"access-control-allow-origin", b"*"), (b"etag", b"x")]))
        await body(send)

    sent, _ = run(app, make_injector(RULE))
    names = [name for name, _ in sent[0]["headers"]]
    assert b"access-control-allow-origin" in names
    assert b"etag" not in names


def test_a_server_that_cancels_gives_the_take_back(servers, make_injector):
    """Cancelled while the app runs: the fault was not given."""
    import asyncio

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    injector = make_injector(RULE)

    async def scenario():
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        task = asyncio.ensure_future(wrapped(servers.scope(), servers.messages(), None))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert injector.counts()["rule-1"] == {"matched": 1, "injected": 0}


def test_keyboard_interrupt_stays_itself(servers, make_injector):
    """Ctrl-C in an app is not wrapped into a group of exceptions."""

    async def app(scope, receive, send):
        raise KeyboardInterrupt

    wrapped = ASGIFaultMiddleware(app, injector=make_injector(RULE))
    with pytest.raises(KeyboardInterrupt):
        anyio.run(wrapped, servers.scope(), servers.messages(), None)


def test_what_an_app_says_after_its_end_is_dropped(run, make_injector):
    """The fault is given once."""

    async def app(scope, receive, send):
        await start(send)
        for _ in range(3):
            await body(send, b"x")

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (statuses(sent), len(sent), error) == ([503], 2, None)


def test_an_app_that_listens_itself_is_waited_with(run, make_injector):
    """While the app's own task waits for a disconnect we do not take its messages away."""
    heard = []

    async def listen(receive):
        heard.append(await receive())

    async def app(scope, receive, send):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, receive)
            await anyio.lowlevel.checkpoint()
            await start(send)
            await body(send)
            tasks.cancel_scope.cancel()

    async def receive():
        await anyio.sleep_forever()

    injector = make_injector("cos:SlowDown,when=after,delay=5ms")
    sent, error = run(app, injector, receive)
    assert (statuses(sent), heard, error) == ([503], [], None)
