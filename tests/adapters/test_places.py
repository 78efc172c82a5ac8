"""A fault keeps its place of `FAULTINJECT_MAX_ACTIVE` while it is under way, and no longer."""

import pytest

from faultinject import Injector, RuleCounts, WSGIFaultMiddleware
from tests.pairs import pairs
from tests.until import until

from . import live
from .conftest import make_environ, serve_wsgi
from .transport import WIRES, App, Taking, settle

FIRST, SECOND = b"x" * 1000, b"the end"


class Asking(Taking):
    """An app that gets another request before it begins its answer, or after the first piece.

    Attributes:
        answered: the statuses that these requests got.
    """

    def __init__(self, injector, **how):
        super().__init__(FIRST, SECOND, **how)
        self.answered = []
        self._inner = WSGIFaultMiddleware(App().wsgi, injector=injector)

    def begin(self):
        self._ask()
        super().begin()

    def __iter__(self):
        for piece in super().__iter__():
            yield piece
            if piece is FIRST:
                self._ask()

    def _ask(self):
        self.answered.append(serve_wsgi(self._inner, make_environ(target="/inner")).status)


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("latency,delay=1ms", [503, 503]),
        ("stall,duration=1ms", [503, 503]),
        ("stall,duration=1ms,after_bytes=5", [503, 503]),
        ("latency,delay=1ms,when=after", [200, 503]),
        ("edit,set.x-a=b", [200, 503]),
        ("corrupt,flips=1", [200, 503]),
        ("stall,duration=1ms,when=after,after_bytes=5", [200, 503]),
        ("stall,duration=1ms,when=after,after_bytes=1003", [200, 200]),
        ("drip,rate=1GB", [200, 200]),
    ],
)
def test_a_place_is_free_when_nothing_more_is_done(send, length, rule, given):
    """A request during the answer gets its fault, however long the app goes on."""
    injector = Injector(
        f"{rule},path=/outer http:503,path=/inner", seed="places", environ={"FAULTINJECT_MAX_ACTIVE": "1"}
    )
    app = Asking(injector, length=length)
    send(injector, "PUT", "/outer", body=b"0123456789", app=app)
    outcomes = injector.journal.outcomes
    assert (app.answered, [each.injected for each in outcomes if each.path == "/outer"][-1]) == (given, True)
    first = next(each.did for each in outcomes if each.path == "/inner")
    assert first == ("answered" if given[0] == 503 else "refused")


FAILS = ["before", "between"]
RULES = [
    "http:503",
    "http:503,delay=1ms",
    "http:503,when=after",
    "latency,delay=1ms",
    "latency,delay=1ms,when=after",
    "reset",
    "reset,when=after",
    "close",
    "hang,duration=1ms",
    "hang,duration=1ms,when=after",
    "truncate",
    "truncate,of=cos:SlowDown",
    "truncate,keep_bytes=99",
    "drip,rate=1MB",
    "drip,of=cos:SlowDown,rate=1MB",
    "corrupt",
    "cos:SlowDown",
    "cos:SlowDown,when=after",
    "cos:InternalError,status=200,delay=1ms",
]


@pytest.mark.parametrize(
    ("wire", "rule", "way"),
    pairs(wire=WIRES, rule=RULES, way=["connection", "inside", "out of reach", *FAILS]),
    indirect=["wire"],
)
def test_a_place_is_given_back(wire, make_injector, out_of_reach, rule, way):
    """The only place is free again after each fault, given in any way, also of a failing app."""
    if way == "out of reach":
        out_of_reach()
    injector = make_injector(rule, FAULTINJECT_MAX_ACTIVE="1")
    for _ in range(3):
        wire(injector, App(fails=way if way in FAILS else ""), inside=way == "inside")
    assert ("refused" in {each.did for each in injector.journal.outcomes}, injector.errors) == (False, [])


PHOTO = b"0123456789" * 360
"""Bytes that drip for an hour."""


@pytest.fixture
def served(request):
    """A server of each kind, its injector allowing one fault at a time: `(injector, port)`."""
    injector = Injector("hang,path=held/", seed=1, environ={"FAULTINJECT_MAX_ACTIVE": "1"})
    with live.serve(request.param, App(PHOTO), injector) as port:
        yield injector, port
    settle()


HELD = {
    # With the status of what comes when it ends.
    "hang": 0,
    "drip,rate=1": 200,
    "http:503,delay=1h": 503,
    "latency,delay=1h": 200,
    "cos:InternalError,status=200,delay=1h": 200,
}
ENDS = {
    "use": lambda injector, held: injector.use("http:500,path=none/"),
    "disable": lambda injector, held: injector.disable(),
    "leaves": lambda injector, held: held.socket.close(),
}


@pytest.mark.live
@pytest.mark.parametrize(
    ("served", "rule", "end"),
    pairs(
        served=live.SERVERS,
        rule=HELD,
        end=ENDS,
        alike={
            "served": lambda name: name == "uvicorn",
            "rule": lambda rule: HELD[rule],
            "end": lambda end: end == "leaves",
        },
    ),
    indirect=["served"],
)
def test_one_at_a_time(served, rule, end):
    """While a fault holds the place, another is refused; its place is free as soon as it ends."""
    injector, port = served
    injector.use(f"{rule},path=held/ http:418,path=next/")
    with live.Client(port, "/held/a") as held:
        until(lambda: injector.journal.outcomes)
        assert (live.ask(port, "/held/b").saw, injector.journal.outcomes[-1].did) == (
            (200, PHOTO, "FIN"),
            "refused",
        )
        assert injector.counts()["rule-1"] == RuleCounts(2, 1)
        ENDS[end](injector, held)
        if end == "leaves":
            until(lambda: live.ask(port, "/next/a").status == 418)
        else:
            seen = held.read()
            assert (seen.status, seen.end) == (HELD[rule], "FIN")
    # An error that was still to come was given to nobody.
    assert injector.journal.outcomes[0].injected == (end != "leaves" or not rule.startswith("http"))
    settle()
    until(lambda: injector.finish() == 0)
