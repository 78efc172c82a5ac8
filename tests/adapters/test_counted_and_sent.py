"""An answer is the app's own without a mark, or it is counted: journal and client agree."""

from itertools import product

import pytest

from faultinject import ASGIFaultMiddleware, Injector, RuleCounts, WSGIFaultMiddleware
from tests.rows import each_row

from .conftest import make_environ, make_scope, messages
from .transport import TESTCLIENT, App, Broken, only, recorder, saying, values

RULES = [
    "cos:SlowDown",
    "cos:SlowDown,when=after",
    "http:503,delay=1ms",
    "latency,delay=1ms",
    "latency,delay=1ms,when=after",
    "stall,duration=1ms",
    "stall,duration=1ms,when=after",
    *(f"stall,duration=1ms,when=after,after_bytes={size}" for size in (0, 4, 10)),
    *(f"stall,duration=1ms,after_bytes={size}" for size in (0, 2, 4)),
    *(f"http:503,after_bytes={size}" for size in (0, 2, 4, 5)),
    "hang,duration=1ms",
    "reset",
    "reset,when=after",
    *(f"close,when=after,after_bytes={size}" for size in (0, 7, 10)),
    "truncate",
    *(f"truncate,keep_bytes={size}" for size in (0, 7, 10)),
    *(f"truncate,of=cos:SlowDown{more}" for more in ("", ",keep_bytes=3", ",keep_bytes=100000")),
    "drip,rate=1MiB",
    "drip,rate=1MiB,of=cos:SlowDown",
    "corrupt",
    "corrupt,flips=1000",
]


class Writing(App):
    """An old app, which calls what `start_response` returns."""

    def wsgi(self, environ, start_response):
        write = start_response(f"{self.status} Status", self.headers)
        for piece in self.pieces:
            write(piece)
        return []


APPS = {
    "sized": App,
    "unsized": lambda: App(length=False),
    "late": lambda: App(b"", b"", b"0123456", b"789", length=False),
    "empty": lambda: App(b""),
    "empty and unsized": lambda: App(b"", length=False),
    "without content": lambda: App(b"", status=204, length=False),
    "failing": lambda: App(status=500),
    "writing": Writing,
    "writing, unsized": lambda: Writing(length=False),
}


@each_row("rule", RULES)
def test_it_is_the_apps_own_or_it_is_counted(send, clock, rule):
    """Whatever the fault, the method and the body; so `times=1` gives one."""
    of_upload = "after_bytes" in rule and "when=after" not in rule
    methods = (("GET", b""), ("PUT", b"data")) if of_upload else (("GET", b""), ("HEAD", b""))
    for (name, made), (method, sent) in product(APPS.items(), methods):
        app = made()
        injector = Injector(f"{rule},times=1", seed=1, environ={}, waits=clock)
        counted = []
        for _ in range(2):
            try:
                answer = send(injector, method, "/b/k", body=sent, app=app)
                own = (answer.status, answer.body) == (app.status, b"".join(app.pieces))
                counted.append(not own or "x-faultinject" in answer.names)
            except OSError:
                counted.append(True)
        assert [each.injected for each in injector.journal.outcomes] == counted, (name, method)
        assert injector.counts()["rule-1"].injected == sum(counted), (name, method)


@pytest.mark.parametrize("error", ["s3:SlowDown", "azure-blob:ServerBusy"])
@each_row("rule", ["truncate", "truncate,keep_bytes=1MiB", "drip,rate=1MiB"])
def test_a_documented_error_of_head_is_not_cut(send, clock, error, rule):
    """It is an answer as without the rule, and `times` counts it."""
    injector = Injector(f"{rule},of={error},times=2", seed=1, environ={}, waits=clock)
    answers = [send(injector, "HEAD", app=App()).status for _ in range(5)]
    found = [(each.did, each.response_bytes) for each in injector.journal.outcomes]
    assert (answers, found, injector.counts()["rule-1"]) == (
        [503] * 2 + [200] * 3,
        [("answered", 0)] * 2 + [("passed", None)] * 3,
        RuleCounts(5, 2),
    )


@pytest.mark.parametrize("error", ["s3:SlowDown", "azure-blob:ServerBusy"])
def test_a_documented_error_of_which_more_is_kept_than_it_has(send, error):
    """As without `truncate`."""
    injector = Injector(f"truncate,of={error},keep_bytes=1MiB", seed=1, environ={})
    answer = send(injector, app=App())
    assert values(only(injector), "did", "applied", "final") == ("answered", False, None)
    assert only(injector).response_bytes == len(answer.body) == int(answer.header("content-length"))


def test_the_head_of_an_app_that_fails_before_its_first_piece_still_goes_out(clock):
    """A head that waits for its body is the app's own, as without a fault."""
    injector = Injector("drip,rate=1MiB", seed=1, environ={})
    start = {"type": "http.response.start", "status": 200, "headers": []}
    app = saying(start, {"type": "http.response.body", "body": b"", "more_body": True}, Broken())
    sent, send = recorder()
    with pytest.raises(Broken):
        clock.run(ASGIFaultMiddleware(app, injector=injector), make_scope(**TESTCLIENT), messages(), send)
    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": []}
    ]  # not `start`, which may be changed
    assert injector.journal.outcomes[0].did == "app_failed"


WHOLE = ("corrupt", "drip", "stall,duration=1ms,when=after,after_bytes=")
LATE = "s3:InternalError,status=200,delay=1ms"


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
@pytest.mark.parametrize("rule", [*(each for each in RULES if each.startswith(WHOLE)), LATE])
@pytest.mark.parametrize("length", [True, False])
def test_the_journal_has_the_end_before_the_client_has_it(clock, interface, rule, length):
    """A client that has read the whole answer finds its line at once."""
    injector, app = Injector(rule, seed=1, environ={}, waits=clock), App(length=length)
    got, said = bytearray(), []

    def take(piece, *, more):
        got.extend(piece)
        if not said and (not more or (length and rule != LATE and len(got) == 10)):
            said.extend(injector.journal.outcomes)

    async def send(message):
        if message["type"] == "http.response.body":
            take(message.get("body", b""), more=message.get("more_body", False))

    if interface == "asgi":
        scope = make_scope("POST", "/b/k?uploadId=1", **TESTCLIENT)
        clock.run(ASGIFaultMiddleware(app.asgi, injector=injector), scope, messages(), send)
    else:
        environ = make_environ("POST", "/b/k?uploadId=1", **{"faultinject.in_process": True})
        for each in WSGIFaultMiddleware(app.wsgi, injector=injector)(environ, lambda *_: None):
            take(each, more=True)
        take(b"", more=False)
    assert (said, [each.final for each in said]) == (injector.journal.outcomes, [True])
