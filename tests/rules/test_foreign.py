"""Limits of rules that come over HTTP."""

from json import dumps

from faultinject import Scenario
from faultinject.rules.foreign import check_sent_rules
from tests.refusals import refusal
from tests.rows import each_row

OBEYED = (
    "link refresh sourcemap speculation-rules x-content-type-options x-lighttpd-send-file x-litespeed-location"
    " x-lighttpd-send-tempfile x-sendfile x-sendfile2 x-sourcemap x-internal-redirect x-send-file x-rewrite-to"
    " x-accel-redirect x-accel-expires x-archive-files x-reproxy-file access-control-allow-origin"
).split()
LASTING = (
    "accept-ch age alt-svc cache-control cdn-cache-control clear-site-data content-security-policy expires nel pragma"
    " content-security-policy-report-only cross-origin-embedder-policy cross-origin-opener-policy public-key-pins"
    " report-to reporting-endpoints service-worker-allowed set-cookie strict-transport-security surrogate-control vary"
    " permissions-policy set-cookie2 edge-control attribution-report"
).split()
INERT = (
    "content-disposition content-type origin-agent-cluster x-content-type-options x-download-options x-frame-options"
    " x-permitted-cross-domain-policies x-webkit-csp x-xss-protection content-security-policy permissions-policy"
    " content-security-policy-report-only x-content-security-policy cross-origin-embedder-policy referrer-policy"
    " cross-origin-opener-policy cross-origin-resource-policy document-policy integrity-policy feature-policy"
).split()
RIGHT = [
    "cos:SlowDown,times=2,path=photos/",
    "reset http:503,set.x-amz-retry-after=3000,set.connection=close",
    "cos:SlowDown,status=302,set.location=/photos/cat.jpg?a=https://b",
    "cos:SlowDown,message=https://elsewhere.example",
    "edit,drop.etag=,drop.content-range=,drop.content-encoding=,set.etag=one,range=shift",
    'edit,set.content-type=text/plain edit,set.content-type="application/json;charset=utf-8"',
    "",
]


def refused(text, **more):
    """The places and reasons of refusals."""
    return refused_scenario(Scenario(text), **more)


def refused_scenario(scenario, **more):
    """The same of a scenario."""
    return [(each.where, each.message) for each in refusal(check_sent_rules, scenario, **more).problems]


@each_row("text", RIGHT)
def test_what_is_right(text):
    """Ordinary rules, and addresses of the same host."""
    check_sent_rules(Scenario(text))
    check_sent_rules(Scenario(text), more=frozenset(("http2", "after_bytes")))


def test_every_problem_of_every_rule():
    """Each with its rule, in order."""
    text = "cos:SlowDown,set.x-sendfile=/etc/passwd,name=a reset,http2=yes http:503,set.x-sendfile=/"
    file = "a rule that comes over HTTP sets no x-sendfile, which a proxy or a browser obeys"
    found = [("a: set.x-sendfile", file), ("rule-3: set.x-sendfile", file)]
    assert refused(text) == found
    http2 = ("rule-2: http2", "a rule that comes over HTTP has no http2; leave it out")
    assert refused(text, more=frozenset(("http2",))) == [found[0], http2, found[1]]


@each_row(
    "kind",
    ["text/plain", "TEXT/PLAIN; charset=utf-8", "application/json", "application/json;charset=UTF-8", "application/xml ; charset=utf-8"],
)  # fmt: skip
def test_kinds_of_content_that_are_allowed(kind):
    """Those that vendors send."""
    check_sent_rules(Scenario(f'http:503,content_type="{kind}" cos:SlowDown,set.content-type="{kind}"'))


@each_row(
    "kind",
    [
        "text/html", "*/*", "unknown/unknown", "application/unknown", "x", "text/xml", "image/svg+xml", "application/xhtml+xml", "text/javascript",
        "multipart/x-mixed-replace", "text/plain, text/html", "text/plain; charset=utf-7", "text/plain; charset=utf-8; x=y", "text/plain;", ";",
    ],
)  # fmt: skip
def test_every_other_kind_of_content_is_refused(kind):
    """Content types that browsers run, or take for such, are refused."""
    message = (
        "a rule that comes over HTTP sends text/plain, application/json or application/xml, "
        "alone or with charset=utf-8,"
        f" and not {kind}"
    )
    found = [("rule-1: content_type", message), ("rule-2: set.content-type", message)]
    assert refused(f'http:503,content_type="{kind}" cos:SlowDown,set.content-type="{kind}"') == found


def test_headers_that_keep_content_inert():
    """Headers that keep content inert are neither dropped nor set, in any spelling.

    Content that the app only stores stays inert.
    """
    because = "which keeps a browser from running what the app only stores"
    for name in INERT:
        for written in (name, name.upper(), name.replace("-", "_"), f'"{name}"'):
            message = f"a rule that comes over HTTP drops no {name}, {because}"
            assert refused(f"edit,drop.{written}=") == [(f"rule-1: drop.{name}", message)]
            [(where, _)] = refused(f"edit,set.{written}=inline")
            assert where == f"rule-1: set.{name}"
    for name in ("content-disposition", "x-frame-options"):
        message = f"a rule that comes over HTTP sets no {name}, {because}"
        assert refused(f"http:503,set.{name}=x") == [(f"rule-1: set.{name}", message)]
    data = {"fault": "edit", "drop": {"ETag": "", "Content_Type": ""}, "name": "a"}
    [(where, _)] = refused_scenario(Scenario.from_json(dumps({"rules": [data]})))
    assert where == "a: drop.content-type"


@each_row(
    ("rule", "where", "reason"),
    [
        # By these a proxy sends a file, a browser goes elsewhere, or scripts of other sites may read.
        *((f"http:503,set.{name.upper()}=x", f"set.{name}", f"sets no {name}, which a proxy or a browser obeys") for name in OBEYED),
        # Browsers and caches remember them.
        *((f"http:503,set.{name.upper()}=x", f"set.{name}", f"sets no {name}, which lasts longer than the fault") for name in LASTING),
        # Without them a cache in front may keep what is for one user, longer than the fault lasts.
        *(
            (f"edit,drop.{name}=", f"drop.{name}", f"drops no {name}, by which a cache may keep what is not for it")
            for name in ("cache-control", "cdn-cache-control", "expires", "pragma", "surrogate-control", "vary")
        ),
        # The app's own answer becomes none that may hold scripts, as XML may: somebody may have uploaded it.
        *(
            (f"edit,set.content-type={kind}", "set.content-type", f"sends text/plain or application/json, alone or with charset=utf-8, and not {kind}")
            for kind in ("application/xml", "text/html")
        ),
    ],
)  # fmt: skip
def test_what_reaches_beyond_the_answer(rule, where, reason):
    """No rule sets headers that others obey or remember, or drops those that protect content."""
    assert refused(rule) == [(f"rule-1: {where}", f"a rule that comes over HTTP {reason}")]


def test_no_kind_of_content_is_none_either():
    """A browser looks for one itself."""
    [(where, _)] = refused('http:503,set.content-type=""')
    assert where == "rule-1: set.content-type"


@each_row(
    ("name", "text", "path"),
    [
        *(
            (each, "//evil.example/a", "/")
            for each in ("content-location", "location", "x-amz-website-redirect-location")
        ),
        ("location", "https://evil.example/a/b", "/a/b"),
        ("location", "https://evil.example", "/"),
        ("location", "/\\\\evil.example", "/"),
        ("location", "javascript:alert(1)", "/"),
        ("location", " //evil.example", "/"),
    ],
)
def test_addresses_elsewhere(name, text, path):
    """Of another host, however a browser reads them."""
    quoted = f'"{text}"' if " " in text or "\\" in text else text
    shown = text.replace("\\\\", "\\")
    message = f"{shown} may lead to another host; did you mean {path}?"
    assert refused(f"http:503,set.{name}={quoted}") == [(f"rule-1: set.{name}", message)]


@each_row("text", ["/", "/a:b", "/a//b"])
def test_addresses_that_stay(text):
    """A path is accepted as Location, with a colon or second slash too; nothing else is."""
    check_sent_rules(Scenario(f"http:503,set.location={text}"))
    for other in ("a", '""', "//b", '"/\\\\b"'):
        assert len(refused(f"http:503,set.location={other}")) == 1
