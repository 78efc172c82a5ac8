"""`x-faultinject-rules`: a request's own faults, where `FAULTINJECT_ON_REQUEST` allows them."""

import re
from functools import partial

import pytest

from faultinject import ASGIFaultMiddleware, RuleCounts, Scenario, WSGIFaultMiddleware

from .conftest import NOW, Asgi, make_scope
from .transport import App, Broken

RULES = "x-faultinject-rules"
ALLOWED = {"FAULTINJECT_ON_REQUEST": "1"}


@pytest.fixture
def ask(send):
    """`ask(injector, text, …)`: status, the rule that answered, and what is said of wrong rules."""

    def call(injector, text, target="/photos/cat.jpg", headers=(), **more):
        answer = send(injector, target=target, headers=[*headers, (RULES, text)], **more)
        said = (answer.header(name) or None for name in ("x-faultinject", "x-faultinject-refused"))
        return (answer.status, *said)

    return call


@pytest.fixture
def allowing(make_injector):
    """An injector under which requests may ask; its own rule answers those for `/tea`."""
    return lambda rules="http:418,path=/tea", **more: make_injector(rules, **{**ALLOWED, **more})


def test_a_request_gets_what_it_asks_for(ask, allowing):
    """Whatever the scenario says; the journal says that it was asked for."""
    injector = allowing()
    assert ask(injector, "cos:SlowDown") == (503, "on-request", None)
    assert ask(injector, "http:404,name=mine,path=/b http:410", target="/tea") == (410, "on-request-2", None)
    assert [(each.rule, each.fault, each.status) for each in injector.journal.outcomes] == [
        ("on-request", "cos:SlowDown", 503),
        ("on-request-2", "http:410", 410),
    ]
    assert injector.counts() == {"rule-1": RuleCounts(0, 0)}


def test_a_browser_runs_nothing_of_what_a_request_asks_for(send, allowing, make_injector):
    """Its answer says so; one of a server that takes no rules over HTTP does not."""

    def guards(injector, *headers, target="/tea"):
        answer = send(injector, target=target, headers=headers)
        return answer.header("x-content-type-options"), answer.header("content-security-policy")

    assert guards(allowing(), (RULES, "http:503")) == ("nosniff", "default-src 'none'; sandbox")
    assert guards(allowing(), (RULES, "edit,set.x-new=new")) == ("nosniff", "default-src 'none'; sandbox")
    assert guards(make_injector("http:418")) == ([], [])


def test_the_log_says_that_requests_may_ask(ask, allowing, make_injector, caplog):
    """Anybody who reaches the app can add faults, so the start logs it."""
    told = (
        "faultinject: FAULTINJECT_ON_REQUEST lets every request ask for its own faults,"
        " in the header x-faultinject-rules"
    )
    ask(make_injector("http:418,path=/tea"), "http:503")
    assert told not in caplog.messages
    ask(allowing(), "http:503")
    assert caplog.messages[-1] == told


PASSED = (200, None, None)
PREFLIGHT = [("origin", "https://a"), ("access-control-request-method", "PUT")]
LONGEST = "http:503,message=".ljust(2048, "x")
"""As many bytes as are read."""
TWICE = [(503, "on-request", None)] * 2 + [PASSED]


@pytest.mark.parametrize(
    ("texts", "how", "got"),
    [
        # A request whose own rules match gets no other fault; any other is decided as usual.
        (["http:404,path=/b"], {"target": "/tea"}, [(418, "rule-1", None)]),
        (["http:404,times=0"], {"target": "/tea"}, [PASSED]),
        # `times` is of all requests with the same text, and of no other.
        (["http:503,times=2"] * 3 + ["http:503,times=2,method=GET"] * 3, {}, TWICE * 2),
        # The longest header that is read, and five rules.
        ([LONGEST], {}, [(503, "on-request", None)]),
        ([f"{'http:503,path=/b ' * 4}http:504"], {}, [(504, "on-request-5", None)]),
        # Preflights are left alone, as by every rule.
        (["http:503"], {"method": "OPTIONS", "headers": PREFLIGHT}, [PASSED]),
    ],
)
def test_what_each_request_gets(ask, allowing, texts, how, got):
    """By its header, whatever others have asked for."""
    injector = allowing()
    assert [ask(injector, text, **how) for text in texts] == got


def test_nothing_is_asked_where_it_is_not_allowed(ask, make_injector):
    """By default; nor while faults are off."""
    assert ask(make_injector("http:418,path=/tea"), "http:503") == (200, None, None)
    off = make_injector("http:418", **ALLOWED)
    off.disable()
    assert ask(off, "http:503") == (200, None, None)
    assert ask(make_injector("http:418", STAGE="prod", **ALLOWED), "http:503") == (200, None, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cos:Slowdown", "cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?"),
        ("http:503,times=x http:1", "rule 1: times: x is not a whole number of 0 or more"),
        ("", "no rules; there may be 1 to 5"),
        ("http:503 " * 6, "6 rules; there may be 1 to 5"),
        ("http:503," + "x" * 2040, "more than 2048 bytes"),
        ("http:503,keep=0.5", None),
        (
            "edit,drop.Content_Type=",
            "rule-1: drop.content-type: a rule that comes over HTTP drops no content-type,"
            " which keeps a browser from running what the app only stores",
        ),
        ("reset,http2=yes", "rule-1: http2: a rule that comes over HTTP has no http2; leave it out"),
        (
            "http:503,set.location=//evil.example",
            "rule-1: set.location: //evil.example may lead to another host; did you mean /?",
        ),
        ("http:503,kéy=1", None),
    ],
)
def test_wrong_rules_give_no_fault(ask, allowing, text, why):
    """The scenario's rules hold, and the answer says in one line of ASCII what is wrong."""
    injector = allowing()
    *got, said = ask(injector, text)
    assert (got, ask(injector, text, target="/tea")) == ([200, None], (418, "rule-1", said))
    assert re.fullmatch("[ -~]{1,200}", said)
    assert said == (why or said)


def test_every_request_is_noted_once(ask, allowing):
    """Also where the journal records all of them."""
    injector = allowing(record_all=True)
    for text, target in (
        ("http:503", "/"),
        ("http:503,path=/b", "/"),
        ("http:503,path=/b", "/tea"),
        ("x", "/"),
    ):
        ask(injector, text, target=target)
    assert [(each.rule, each.status) for each in injector.journal.outcomes if each.final is not False] == [
        ("on-request", 503),
        (None, 200),
        ("rule-1", 418),
        (None, 200),
    ]


def test_layers_ask_once(send, allowing):
    """Middleware around middleware: the request is decided by the outer one."""
    injector = allowing()
    layer = WSGIFaultMiddleware if send.kind == "wsgi" else ASGIFaultMiddleware
    twice = layer(send.app, injector=injector)
    got = [send(injector, headers=[(RULES, "http:503,every=2")], app=twice).status for _ in range(4)]
    assert got == [200, 503, 200, 503]


def test_an_error_of_ours_lets_the_request_pass(ask, allowing):
    """And is told like every other."""
    injector = allowing(now=iter([0.0] * 3).__next__)
    assert any(ask(injector, "http:503", target="/tea") == (200, None, None) for _ in range(9))
    assert {type(each) for each in injector.errors} <= {StopIteration, RuntimeError}
    assert injector.errors


def test_the_apps_failures_are_watched_as_ever(ask, make_injector):
    """A requested fault is not a failure of the app."""
    injector = make_injector(Scenario("http:418,path=/tea", abort="5xx>50%/1m,min=2"), **ALLOWED)
    assert ([ask(injector, "http:503")[0] for _ in range(4)], injector.disarmed) == ([503] * 4, "")
    for _ in range(2):
        with pytest.raises(Broken):
            ask(injector, "http:503,when=after", app=App(fails="before"))
    assert injector.disarmed.startswith("5xx>50%/1m,min=2: 2 of 2")


def test_several_headers_are_one_text(allowing):
    """As a WSGI server gives them: rules are not pieced together."""
    got = []

    async def app(scope, receive, send):
        got.append(scope.keys() - make_scope().keys())
        await App().asgi(scope, receive, send)

    answer = Asgi()(allowing(), headers=[(RULES, "http:503"), (RULES, "http:504")], app=app)
    assert got == [set()]
    assert "http:504 needs a value" in answer.header("x-faultinject-refused")


def test_only_so_many_texts_are_kept(ask, allowing):
    """The one used longest ago is forgotten, with its counts."""
    injector = allowing()
    texts = [f"http:501,times=1,name=n{number}" for number in range(257)]
    assert [ask(injector, texts[0])[0] for _ in range(2)] == [501, 200]
    assert [ask(injector, each)[0] for each in texts[1:]] == [501] * 256
    assert (ask(injector, texts[2])[0], ask(injector, texts[0])[0]) == (200, 501)


CHANGES = {
    "off": lambda injector: injector.disable(),
    "other rules": lambda injector: injector.use("http:418,path=/tea"),
    "a moment": lambda injector: injector.enable(until=NOW + 40),
    "the end of the process": lambda injector: injector.finish(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_wait_that_was_asked_for_ends_as_every_other(ask, allowing, clock, change):
    """And what was counted by the header goes on; the same text waits again."""
    times = 2 if change == "off" else 1
    injector, text = allowing(now=clock.unix, waits=clock), f"http:503,delay=1h,times={times}"
    for _ in range(times):
        injector.enable()
        clock.at(clock.now + 30, partial(CHANGES[change], injector))
        ask(injector, text)
    assert 30 * times <= clock.now < 100
    injector.enable()
    assert ask(injector, text) == (200, None, None)


class Changing(App):
    """An app while whose work something changes."""

    def __init__(self, change):
        super().__init__(bytes(3600))
        self.begin = change


@pytest.mark.parametrize("change", ["off", "other rules", "the end of the process"])
@pytest.mark.parametrize("text", ["latency,delay=1h,when=after", "drip,rate=1"])
def test_a_wait_that_would_begin_behind_the_switch_does_not(ask, allowing, clock, change, text):
    """Each dripping piece is a wait of its own; requests after the process's end do not wait."""
    injector = allowing(waits=clock)
    app = Changing(partial(CHANGES[change], injector))
    assert [ask(injector, text, app=app)[::2] for _ in range(2)] == [(200, None)] * 2
    assert clock.now < 60
