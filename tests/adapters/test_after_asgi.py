"""ASGI, `when=after`: the app's effects and background work stay, its answer is dropped."""

from functools import partial

import anyio
import pytest

from faultinject import ASGIFaultMiddleware

from .transport import LEFT, ended, hearing, only, recorder, saying

RULE = "cos:SlowDown,when=after,times=1"


@pytest.fixture(params=["asyncio", "trio"])
def run(request, servers, clock):
    """`run(app, injector)` returns the server's messages and exception, in the time of `clock`."""

    def run(app, injector, receive=None):
        sent, send = recorder()
        upload = [{"type": "http.request", "body": b"upload", "more_body": False}]

        async def stays():
            """Also the end of the answer is one that a server tells."""
            while not upload:
                if sent and sent[-1]["type"] == "http.response.body" and not sent[-1].get("more_body"):
                    return LEFT
                await anyio.sleep(1)
            return upload.pop()

        wrapped, scope = ASGIFaultMiddleware(app, injector=injector), servers.scope("PUT", "/b/k")
        try:
            clock.run(wrapped, scope, receive or stays, send, backend=request.param)
        except Exception as error:
            return sent, error
        return sent, None

    return run


def statuses(sent):
    return [each["status"] for each in sent if each["type"] == "http.response.start"]


START = {"type": "http.response.start", "status": 200, "headers": []}
MISSING, OWN = START | {"status": 404}, START | {"status": 500, "headers": [(b"x-own", b"1")]}
HALF = {"type": "http.response.body", "body": b"own", "more_body": True}
END = {"type": "http.response.body", "body": b" words"}
DEBUG, TRAILERS = (
    {"type": "http.response.debug", "info": {}},
    {"type": "http.response.trailers", "headers": []},
)
MINE = LookupError("mine")


@pytest.mark.parametrize(
    ("said", "out", "did", "error"),
    [
        # A file that the server would send is the last message too.
        ([START, {"type": "http.response.pathsend", "path": "/etc/hostname"}], [503], "answered", None),
        ([START, {"type": "http.response.zerocopysend", "path": "/etc/hostname"}], [503], "answered", None),
        # Behind its end the fault is given: work that fails is the app's own, and nothing else is heard.
        ([START, END, MINE], [503], "answered", MINE),
        ([START, END, END, END], [503], "answered", None),
        ([DEBUG, START, END, TRAILERS], [503], "answered", None),
        ([START, END, OWN, END], [503], "answered", None),
        # Nothing has gone out of what was dropped before: a failure passes unchanged, everything else is replaced.
        ([START, HALF, MISSING, END], [503], "answered", None),
        ([START, HALF, OWN, END], [OWN, END], "app_failed", None),
        # A 5xx of the app goes out message by message, also when it is raised again as Starlette does.
        ([OWN, HALF, END], [OWN, HALF, END], "app_failed", None),
        ([OWN, HALF, END, MINE], [OWN, HALF, END], "app_failed", MINE),
        # Without an end there is no answer: the server gets the app's exception, or makes a 500 itself.
        ([START, MINE], [], "app_failed", MINE),
        ([START], [], "app_failed", None),
        ([], [], "app_failed", None),
    ],
)
def test_what_an_app_says(run, make_injector, said, out, did, error):
    """The fault replaces a whole answer once; a failure passes unchanged and returns the count."""
    injector = make_injector(RULE)
    sent, raised = run(saying(*said), injector)
    assert raised is error
    outcome, given = only(injector), did == "answered"
    if given:
        assert (statuses(sent), len(sent)) == (out, 2)
    else:
        assert [each is own for each, own in zip(sent, out, strict=True)] == [True] * len(out)
    assert (ended(injector), outcome.app_status) == (
        (did, True, 503 if given else None),
        (404 if MISSING in said else 200) if given else None,
    )
    assert injector.counts()["rule-1"].injected == given


def test_a_silent_stream_is_cut(run, make_injector):
    """An app that has begun and says nothing hears a disconnect."""
    heard = []

    async def app(scope, receive, send):
        await receive()
        await send(START)
        heard.extend([await receive(), await receive()])

    injector = make_injector(RULE)
    sent, error = run(app, injector)
    assert (statuses(sent), error, heard, only(injector).did) == ([503], None, [LEFT, LEFT], "app_cut")


def test_an_app_that_works_long_is_not_cut(run, make_injector):
    """The bound is for its answer: a long upload is the app's effect."""
    injector = make_injector(RULE)
    assert (
        statuses(run(saying(partial(anyio.sleep, 3600), START, END), injector)[0]),
        only(injector).did,
    ) == ([503], "answered")


@pytest.mark.parametrize("rule", [RULE, f"{RULE},delay=1h"])
def test_a_client_that_left_before_the_fault_gives_the_take_back(run, make_injector, rule):
    """The app heard it, or the fault while it waited: there is nobody to give it to."""

    async def app(scope, receive, send):
        if "delay" not in rule:
            assert (await receive()) == LEFT
        await saying(START, END)(scope, receive, send)

    injector = make_injector(rule)
    assert (run(app, injector, hearing(LEFT)), only(injector).did, injector.counts()["rule-1"].injected) == (
        ([], None),
        "failed",
        0,
    )


def test_keyboard_interrupt_stays_itself(servers, make_injector):
    """Ctrl-C in an app is not wrapped into a group of exceptions."""
    wrapped = ASGIFaultMiddleware(saying(KeyboardInterrupt()), injector=make_injector(RULE))
    with pytest.raises(KeyboardInterrupt):
        anyio.run(wrapped, servers.scope(), servers.messages(), None)
