"""Every answer that a fault was done to says so, and is kept by no cache."""

import pytest

from faultinject import Injector

from .transport import App

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


@pytest.mark.parametrize("rule", [*OWN, *GIVEN, LIFTED])
def test_every_fault_is_marked(over, rule):
    """By the rule's name, with nothing else that speaks to caches; whatever the rule sets."""
    injector = Injector(f"{rule},name=mine", seed=1, environ={})
    assert marks(over(injector)) == [("cache-control", "no-store"), ("x-faultinject", "mine")]
    assert injector.journal.outcomes[0].injected


@pytest.mark.parametrize("rule", OWN)
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


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("rule", CHANGED)
def test_a_browser_runs_nothing_of_an_answer_that_is_changed(over, length, rule):
    """If rules may come over HTTP, the app's own answer has an injected answer's headers."""
    injector = guarded(rule, OVER_HTTP[0])
    assert guards(over(injector, length=length)) == GUARDS
    assert injector.journal.outcomes[0].injected


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("environ", [*OVER_HTTP, {**OVER_HTTP[0], "FAULTINJECT_HEADER": "0"}])
def test_wherever_rules_may_come_over_http(over, length, environ):
    """At a path, at an address of its own, and with requests; with a mark and without."""
    for rule in ("edit,drop.etag=", "corrupt"):
        assert guards(over(guarded(rule, environ), length=length)) == GUARDS


@pytest.mark.parametrize("rule", WHOLE)
def test_an_answer_that_is_only_late_is_the_apps_own(over, rule):
    """A browser runs the page of an app that is slow."""
    injector = guarded(rule, OVER_HTTP[0])
    assert guards(over(injector)) == []
    assert [
        did for each in injector.journal.outcomes if (did := each.did) in ("dripped", "delayed", "stalled")
    ]


def test_only_where_rules_may_come_over_http(over):
    """Rules of files, the environment and code may change an answer without limits."""
    for rule in CHANGED:
        assert guards(over(Injector(rule, seed=1, environ={}))) == []


@pytest.mark.parametrize("rule", ["edit,drop.etag=", "truncate"])
def test_what_the_app_says_to_browsers_itself(over, rule):
    """The app's policies stay beside ours; of X-Content-Type-Options only the first one counts."""
    own = [("Content-Security-Policy", "script-src 'none'"), ("CONTENT-SECURITY-POLICY", "img-src *")]
    other = [("x-Content-Type-options", "none"), ("X-Content-Type-Options", "NOSNIFF")]
    found = guards(over(guarded(rule, OVER_HTTP[0]), *own, *other))
    assert found == sorted([*GUARDS, *((name.lower(), text) for name, text in own)])


def test_rules_of_a_file_may_lift_what_keeps_a_browser_from_running_them(over):
    """The writer of the rules runs the server, and may set any header."""
    rule = "edit,drop.content-security-policy=,set.x-content-type-options=none"
    found = over(guarded(rule, OVER_HTTP[0]), ("Content-Security-Policy", "img-src *"))
    assert guards(found) == [("x-content-type-options", "none")]


def test_an_answer_that_nothing_can_be_done_to_keeps_its_headers(over):
    """A body that is shorter than what is kept, and a header that is not there."""
    for rule in ("truncate,keep_bytes=1000", "edit,drop.content-range="):
        assert guards(over(guarded(rule, OVER_HTTP[0]))) == []


def test_a_server_that_shares_the_rules_of_one_with_the_control_api(over, tmp_path):
    """Shared rules may have come over HTTP, except before the first change."""
    place = {"seed": 1, "store": f"file:{tmp_path}"}
    there = Injector("edit,set.x-a=b", environ=OVER_HTTP[0], **place)
    here = Injector("edit,set.x-a=b", environ={}, **place)
    assert guards(over(here)) == []
    there.use("edit,set.x-new=new")
    assert guards(over(here)) == GUARDS
    there.use("http:503")
    assert guards(over(here)) == GUARDS
    assert guards(over(Injector("http:503", environ={}, **place))) == GUARDS
