"""Conditions through the middleware: absent values, `unless`, and a request's origin."""

from itertools import product

import pytest

from tests.rows import each_row


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"target": "CONNECT /b/k"}, "a tunnel"),
        (
            {"target": "GET /b/k", "headers": [("Upgrade", "websocket"), ("Connection", "Upgrade")]},
            "a websocket",
        ),
        ({"target": "POST /b/k", "headers": [("Upgrade", "WebSocket")]}, "a websocket"),
        ({"target": "OPTIONS /b/k", "headers": [("Access-Control-Request-Method", "PUT")]}, "a preflight"),
    ],
)
@pytest.mark.parametrize(
    "rules", ["http:503", "http:503,path=b/** http:502,method=*", "http:503,header.upgrade="]
)
def test_what_is_never_matched(site, rules, asked, why):
    """Upgrades, CONNECT and preflights pass, and are not even counted."""
    made = site(rules)
    assert (made.ask(**asked), {*made.counts.values()}, made.outcomes) == (None, {(0, 0)}, []), why


PREFLIGHT = {"target": "OPTIONS /b/k", "headers": [("Access-Control-Request-Method", "PUT")]}


@each_row(
    ("rules", "answered"),
    [
        *(
            row
            for method in ("OPTIONS", "options", "Options")
            for row in (
                (f"http:503,method={method}", "rule-1"),
                (f"http:503,method=PUT,method={method}", "rule-1"),
                (f"http:503,unless.method={method}", None),
                (f"http:500 http:503,method={method}", "rule-2"),
            )
        ),
        ("http:503,method=PUT", None),
        # By its name: a pattern names no operation of its own.
        *(
            (f"http:503,vendor={vendor},{keys}", answered)
            for vendor in ("s3", "minio")
            for keys, answered in (
                ("operation=OptionsObject", "rule-1"),
                ("operation==OptionsObject", "rule-1"),
                ("operation=PutObject,operation=OptionsObject", "rule-1"),
                ("operation=Options*", None),
                ("operation=*", None),
                ("operation=PutObject", None),
                ("unless.operation=OptionsObject", None),
            )
        ),
    ],
)
def test_a_preflight_is_matched_when_method_or_operation_is_asked_for(site, rules, answered):
    """Alone or among others; `unless` asks for nothing, and who does not ask counts nothing."""
    made = site(rules)
    assert made.ask(**PREFLIGHT) == answered
    assert made.counts == {name: (1, 1) if name == answered else (0, 0) for name in made.counts}
    if answered:
        assert made.ask("OPTIONS /b/k") == "rule-1", "an OPTIONS of one's own"


@pytest.mark.parametrize(
    "asked",
    [
        {"target": "OPTIONS /b/k"},
        {"target": "PUT /b/k", "headers": [("Access-Control-Request-Method", "PUT")]},
        {"target": "GET /b/k", "headers": [("Upgrade", " H2C "), ("HTTP2-Settings", "AAMAAABk")]},
        {"target": "GET /b/k", "headers": [("Connection", "upgrade")]},
    ],
)
def test_what_only_looks_like_it_is_matched(site, asked):
    """An OPTIONS of one's own, an offer of HTTP/2 that servers ignore."""
    assert site("http:503").ask(**asked) == "rule-1"


UNLESS = [
    ("unless.method=GET", {"target": "GET /b/k"}, {"target": "PUT /b/k"}),
    ("unless.path=health", {"target": "GET /health"}, {"target": "GET /healthy"}),
    ("unless.path=a/,unless.path=b/", {"target": "GET /b/k"}, {"target": "GET /c/k"}),
    ("unless.header.x-user=7", {"headers": [("X-User", "7")]}, {"headers": [("X-User", "8")]}),
    ("unless.header.x-user=", {"headers": [("X-User", "8")]}, {}),
    ("unless.query.dry=", {"target": "PUT /b/k?dry"}, {"target": "PUT /b/k?dr=y"}),
    ("unless.host=*.internal", {"host": "a.internal:80"}, {"host": "internal"}),
    ("unless.bucket=logs", {"target": "PUT /logs/k"}, {"target": "PUT /log/s"}),
    ("unless.key=*.tmp", {"target": "PUT /b/a.tmp"}, {"target": "PUT /b/a/b.tmp"}),
    ("unless.operation=List*", {"target": "GET /b"}, {"target": "GET /b/k"}),
    ("unless.client=10.0.0.0/8", {"REMOTE_ADDR": "10.1.1.1"}, {"REMOTE_ADDR": "11.1.1.1"}),
    ("unless.size=..10", {"body": b"123"}, {"body": b"12345678901"}),
    ("unless.method=GET,unless.path=b/", {"target": "GET /c"}, {"target": "PUT /c"}),
    ("unless.method=GET,unless.path=b/", {"target": "PUT /b/k"}, {"target": "PUT /c"}),
    ("path=b/,unless.key=k", {"target": "PUT /b/k"}, {"target": "PUT /b/l"}),
    ("path=b/,method=PUT,unless.key=k", {"target": "GET /b/l"}, {"target": "PUT /b/l"}),
]


@pytest.mark.parametrize(("keys", "kept_away", "met"), UNLESS)
def test_any_unless_that_holds_keeps_the_rule_away(site, keys, kept_away, met):
    """It does not count the request either."""
    made = site(f"http:503,drain=no,{keys}")
    assert (made.ask(**kept_away), made.counts, made.ask(**met)) == (None, {"rule-1": (0, 0)}, "rule-1")


def test_all_conditions_must_hold_and_any_value_will_do(site):
    """Three conditions of two values each: eight ways to match, every other one misses."""
    made = site("http:503,method=PUT,method=POST,path=a/,path=b/,query.x=1,query.x=2")
    for method, path, x in product(("PUT", "POST", "GET"), "abc", "123"):
        hit = "rule-1" if method != "GET" and path != "c" and x != "3" else None
        assert made.ask(f"{method} /{path}/k?x={x}") == hit
