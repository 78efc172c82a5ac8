"""Every answer that a fault was done to says so, and is kept by no cache."""

import pytest

from faultinject import Injector
from tests.rows import each_row

from .transport import App, last

BODY = b"the body of the app's own answer"
CACHED = {
    "Cache-Control": "public, max-age=9",
    "CDN-Cache-Control": "max-age=9",
    "Expires": "Fri, 01 Jan 2100 00:00:00 GMT",
}
OWN = ["corrupt", "truncate,keep=0.5", "drip,rate=1MiB", "latency,delay=1ms", "latency,delay=1ms,when=after"]
GIVEN = [
    "cos:SlowDown",
    "http:503",
    "truncate,of=cos:SlowDown",
    "drip,rate=1MiB,of=cos:SlowDown",
    "cos:SlowDown,when=after",
]
LIFTED = "http:503,set.x-faultinject=,set.cache-control=max-age=9"


class Page(App):
    """An answer that caches may keep."""

    def __init__(self, *more, length=True):
        super().__init__(BODY[:9], BODY[9:], length=length)
        self.headers += [("ETag", '"1"'), *CACHED.items(), *more]


@pytest.fixture
def over(wire):
    """From an injector to the headers that a client gets."""
    return lambda injector, *more, **how: wire(injector, Page(*more, **how)).fields


def marks(headers):
    told = ("x-faultinject", "expires")
    return sorted(
        (name.lower(), value)
        for name, value in headers
        if name.lower() in told or name.lower().endswith("cache-control")
    )


@each_row("rule", [*OWN, *GIVEN, LIFTED])
def test_every_fault_is_marked(over, rule):
    """By the rule's name, with nothing else that speaks to caches; whatever the rule sets."""
    injector = Injector(f"{rule},name=mine", seed=1, environ={})
    assert marks(over(injector)) == [("cache-control", "no-store"), ("x-faultinject", "mine")]
    assert last(injector).injected


@each_row("rule", OWN)
def test_not_where_marks_are_off(over, rule):
    """The app's own headers, to the byte."""
    injector = Injector(rule, seed=1, environ={"FAULTINJECT_HEADER": "0"})
    assert marks(over(injector)) == sorted((name.lower(), value) for name, value in CACHED.items())


def test_what_a_rule_sets_counts_where_marks_are_off(over):
    """Then these headers are like any other."""
    injector = Injector(LIFTED, seed=1, environ={"FAULTINJECT_HEADER": "0"})
    assert ("cache-control", "max-age=9") in marks(over(injector))


GUARDS = [("content-security-policy", "default-src 'none'; sandbox"), ("x-content-type-options", "nosniff")]
OVER_HTTP = [
    {"FAULTINJECT_CONTROL": "/_f"},
    {"FAULTINJECT_CONTROL": "127.0.0.1:0"},
    {"FAULTINJECT_ON_REQUEST": "1"},
]
CHANGED = [
    "edit,set.x-new=new", "edit,drop.etag=", "truncate,keep=0.5", "truncate,keep_bytes=20", "corrupt,flips=3",
    "reset,when=after,after_bytes=20",
]  # fmt: skip
WHOLE = [
    "drip,rate=1MiB", "latency,delay=1ms", "latency,delay=1ms,when=after", "stall,duration=1ms",
    "stall,duration=1ms,when=after", "stall,duration=1ms,when=after,after_bytes=20",
]  # fmt: skip


def guarded(rule, environ):
    """An injector whose rules may come over HTTP; the API itself is not opened."""
    injector = Injector(rule, seed=1, environ=environ)
    injector.control = None
    return injector


def guards(headers):
    """The headers by which a browser decides whether to run an answer."""
    names = [name for name, _ in GUARDS]
    return sorted((name.lower(), text) for name, text in headers if name.lower() in names)


OWN_POLICIES = [
    ("Content-Security-Policy", "script-src 'none'"),
    ("CONTENT-SECURITY-POLICY", "img-src *"),
    ("x-Content-Type-options", "none"),
    ("X-Content-Type-Options", "NOSNIFF"),
]
LIFTS = "edit,drop.content-security-policy=,set.x-content-type-options=none"


GUARDED = [
    # The app's own answer that is changed has an injected answer's headers.
    *((rule, OVER_HTTP[0], [], GUARDS) for rule in CHANGED),
    # Wherever rules may come: at a path, at an address of its own, with requests; with a mark and without.
    *(("edit,drop.etag=", environ, [], GUARDS) for environ in OVER_HTTP),
    ("corrupt", {**OVER_HTTP[0], "FAULTINJECT_HEADER": "0"}, [], GUARDS),
    # Rules of files, the environment and code may change an answer without limits.
    *((rule, {}, [], []) for rule in CHANGED),
    # An answer that is only late is the app's own, and so is one that nothing can be done to.
    *((rule, OVER_HTTP[0], [], []) for rule in WHOLE),
    ("edit,drop.content-range=", OVER_HTTP[0], [], []),
    # The app's policies stay beside ours; of X-Content-Type-Options only the first one counts.
    *(
        (rule, OVER_HTTP[0], OWN_POLICIES, [*GUARDS, *OWN_POLICIES[:2]])
        for rule in ("edit,drop.etag=", "truncate,keep=0.5")
    ),
    # The writer of the rules runs the server, and may set any header.
    (LIFTS, OVER_HTTP[0], OWN_POLICIES[:2], [("x-content-type-options", "none")]),
]


@each_row(
    ("rule", "environ", "own", "told", "length"),
    [
        *((*each, length) for each in GUARDED for length in (True, False)),
        ("truncate,keep_bytes=1000", OVER_HTTP[0], [], [], True),
    ],
)
def test_a_browser_runs_nothing_of_an_answer_that_is_changed(over, rule, environ, own, told, length):
    """If rules may come over HTTP, the app's own answer has an injected answer's headers."""
    found = guards(over(guarded(rule, environ), *own, length=length))
    assert found == sorted((name.lower(), text) for name, text in told)


def test_a_server_that_shares_the_rules_of_one_with_the_control_api(over, tmp_path):
    """Shared rules may have come over HTTP, except before the first change."""
    place = {"seed": 1, "store": f"file:{tmp_path}"}
    there = Injector("edit,set.x-a=b", environ=OVER_HTTP[0], **place)
    here = Injector("edit,set.x-a=b", environ={}, **place)
    assert guards(over(here)) == []
    for rule in "edit,set.x-new=new", "http:503":
        there.use(rule)
        assert guards(over(here)) == GUARDS
    assert guards(over(Injector("http:503", environ={}, **place))) == GUARDS
