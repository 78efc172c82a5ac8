"""What the client got is what the journal and the counts say: an answer is the app's own, without a mark, or it is counted."""

from itertools import product

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from tests.pairs import pairs
from tests.rows import row_by_row

from .conftest import make_environ, make_scope, messages, serve_asgi, serve_wsgi
from .transport import TESTCLIENT, App, Broken, recorder, saying

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
APPS = {
    "sized": App,
    "unsized": lambda: App(length=False),
    "late": lambda: App(b"", b"", b"0123456", b"789", length=False),
    "empty": lambda: App(b""),
    "empty and unsized": lambda: App(b"", length=False),
    "without content": lambda: App(b"", status=204, length=False),
    "failing": lambda: App(status=500),
}


def over_wsgi(app, injector, method, body, *, writes=False):
    def old(environ, start_response):
        write = start_response(f"{app.status} Status", app.headers)
        for piece in app.pieces:
            write(piece)
        return []

    environ = make_environ(method, "/b/k", body=body, **{"faultinject.in_process": True})
    return serve_wsgi(WSGIFaultMiddleware(old if writes else app.wsgi, injector=injector), environ)


def by_write(app, injector, method, body):
    return over_wsgi(app, injector, method, body, writes=True)


def over_asgi(app, injector, method, body):
    scope = make_scope(method, "/b/k", body=body, **TESTCLIENT)
    return anyio.run(serve_asgi, ASGIFaultMiddleware(app.asgi, injector=injector), scope, messages(body))


@row_by_row(
    ("over", "rule"),
    pairs(
        over=[over_wsgi, by_write, over_asgi],
        rule=RULES,
        alike={"rule": lambda rule: (rule.partition(",")[0], "when=after" in rule)},
    ),
)
def test_it_is_the_apps_own_or_it_is_counted(over, rule):
    """Whatever the fault, the method and the body; so `times=1` gives one."""
    of_upload = "after_bytes" in rule and "when=after" not in rule
    methods = (("GET", b""), ("PUT", b"data")) if of_upload else (("GET", b""), ("HEAD", b""))
    for (name, made), (method, sent) in product(APPS.items(), methods):
        app = made()
        whole = b"".join(app.pieces)
        injector = Injector(f"{rule},times=1", seed=1, environ={})
        owns = []
        for _ in range(2):
            try:
                answer = over(app, injector, method, sent)
            except OSError:
                owns.append(False)
            else:
                same = (answer.status, answer.body) == (app.status, whole)
                owns.append(same and "x-faultinject" not in {name.lower() for name, _ in answer.headers})
        assert [not each.injected for each in injector.journal.outcomes] == owns, (name, method)
        assert injector.counts()["rule-1"]["injected"] == owns.count(False), (name, method)


@pytest.mark.parametrize("over", [over_wsgi, over_asgi])
@pytest.mark.parametrize("error", ["s3:SlowDown", "azure-blob:ServerBusy"])
def test_a_documented_error_that_is_not_cut_was_answered(over, error):
    """To HEAD, and where more is kept than it has: as without `truncate`, and `times` counts it."""
    for rule in (
        f"truncate,of={error}",
        f"truncate,of={error},keep_bytes=1MiB",
        f"drip,of={error},rate=1MiB",
    ):
        app = App()
        injector = Injector(f"{rule},times=2", seed=1, environ={})
        answers = [over(app, injector, "HEAD", b"") for _ in range(5)]
        assert [each.status for each in answers] == [503, 503, 200, 200, 200]
        assert [each.did for each in injector.journal.outcomes] == ["answered"] * 2 + ["passed"] * 3
        assert injector.counts()["rule-1"] == {"matched": 5, "injected": 2}
        assert (injector.journal.outcomes[0].status, injector.journal.outcomes[0].response_bytes) == (503, 0)
    injector = Injector(f"truncate,of={error},keep_bytes=1MiB", seed=1, environ={})
    answer = over(App(), injector, "GET", b"")
    [outcome] = injector.journal.outcomes
    assert (outcome.did, outcome.applied, outcome.final) == ("answered", False, None)
    assert outcome.response_bytes == len(answer.body) == int(answer.header("content-length"))


def test_the_head_of_an_app_that_fails_before_its_first_piece_still_goes_out():
    """As it does without a fault: a head that waits for its body to be known is the app's all the same."""
    injector = Injector("drip,rate=1MiB", seed=1, environ={})
    start = {"type": "http.response.start", "status": 200, "headers": []}
    app = saying(start, {"type": "http.response.body", "body": b"", "more_body": True}, Broken())
    sent, send = recorder()
    with pytest.raises(Broken):
        anyio.run(ASGIFaultMiddleware(app, injector=injector), make_scope(**TESTCLIENT), messages(), send)
    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": []}
    ]  # not `start`, which may be changed
    assert injector.journal.outcomes[0].did == "app_failed"
