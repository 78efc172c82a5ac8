"""WSGI and ASGI are two ways of carrying out the same decisions."""

import logging

import pytest

from faultinject import Rule, vendors
from tests.slowly import FOUNDING, others_slowly

from .transport import App

UNLIKE = ("arrived", "answered", "elapsed", "seq", "request_id")
"""Fields of an outcome that depend on the clock, or on the requests before."""


def first(vendor, keep):
    return next(row for row in vendors.get(vendor).errors if keep(row))


def rules_of(vendor):
    """The faults by which each vendor is compared."""
    return [
        Rule(first(vendor, lambda row: (row.status or 0) >= 400).address),
        Rule(first(vendor, lambda row: (row.status or 0) >= 500).address),
        Rule(f"{vendor}:@all", probability=0.7),
        Rule(f"{vendor}:@server", when="after"),
    ]


RULES = [
    *(Rule(f"http:{status}") for status in (400, 418, 429, 500, 503, 567, 599)),
    Rule("cos:SlowDown", status=429, message="<&\"'> \u00fc \u6162\r\n\u202e", resource="/a<b>&c"),
    Rule("jss:SlowDown", message='say "no" \\ \x00', resource="/\u6876/\u952e"),
    Rule("cos:InvalidAddressingHeader", status=400),
    Rule("qiniu-mix:SlowDown", retry_after="1500ms"),
    Rule("qiniu-mix:SlowDown", retry_after="1500ms", hint="date"),
    Rule("http:503", retry_after=0),
    Rule("http:503", message="", content_type="text/html"),
    Rule(
        "http:503",
        message="\u4e0d",
        set={"location": "/x", "X-Amz-Retry-After": "3000", "cache-control": "private"},
    ),
    Rule("http:503", set={"content-type": "text/x", "vary": "Cookie", "x-faultinject": "hidden"}),
    Rule("cos:SlowDown", cors=False),
    Rule("cos:SlowDown", drain=False),
    Rule("cos:SlowDown", when="after", retry_after=5),
    Rule("http:503", when="after", cors=False),
    Rule("http:503", delay="1ms"),
    Rule("http:503", delay="1ms..2ms", when="after"),
    Rule("latency", delay="1ms..2ms"),
    Rule("latency", delay="1ms", when="after"),
    *(Rule("cos:SlowDown", status=status) for status in (200, 204, 205, 301, 304, 567)),
    *(Rule("cos:SlowDown", status=status, when="after") for status in (204, 304)),
    Rule("http:503", times=2, per="key"),
    Rule("http:503", skip=1, every=2),
    Rule("http:503", times=1, per="call"),
    Rule("http:503", times=1, per="client"),
    Rule("http:503", probability=0.5, method=["PUT", "HEAD"], unless={"path": "photos/b/"}),
    Rule("http:503", operation="UploadPart"),
    Rule("http:503", bucket="photos", key="**/*.jpg"),
    Rule("http:503", host="*.example"),
    Rule("http:503", header={"x-test": "a*"}, query={"partNumber": ""}),
    Rule("http:503", client="127.0.0.0/8", size="2..5"),
    Rule("http:503", path="photos/b c%2Fd.jpg"),
    Rule("http:503", path="**/\u00fc.jpg"),
    Rule("http:503", method="OPTIONS"),
]

REQUESTS = [
    ("GET", "/photos/a.jpg", {}),
    ("HEAD", "/photos/a.jpg", {}),
    ("GET", "/photos/a.jpg", {"headers": [("origin", "https://web.example"), ("X-Test", "abc")]}),
    (
        "PUT",
        "/photos/b%20c%2Fd.jpg?partNumber=1&uploadId=x&x=%2F",
        {"body": b"data", "headers": [("X-Test", "abc")]},
    ),
    ("PUT", "/photos/%C3%BC.jpg", {"body": b"x" * 70_000}),
    (
        "POST",
        "/photos?delete",
        {"body": b"--b\r\n", "headers": [("content-type", "multipart/form-data; boundary=b")]},
    ),
    ("OPTIONS", "/photos/a.jpg", {"headers": [("access-control-request-method", "PUT"), ("origin", "x")]}),
    ("get", "/", {"headers": [("origin", "bad\tname")]}),
    ("GET", "/%FF%00<a>'\"", {"headers": [("user-agent", "t\u00fc")]}),
    ("CONNECT", "/x", {}),
    ("GET", "/x", {"headers": [("upgrade", "websocket")]}),
    ("GET", "/photos/a.jpg", {}),
]

ROW_REQUESTS = [
    (
        method,
        "/photos/%C3%BC/a%2Fb.jpg?uploadId=x%20y&partNumber=3&versionId=",
        {
            "headers": [
                ("range", "bytes=9-"),
                ("if-match", '"e"'),
                ("authorization", "AWS4-HMAC-SHA256 Credential=A/2"),
            ]
        },
    )
    # Methods of equal length, as some envelopes contain the method; a POST, which ends an upload, has another envelope.
    for method in ("COPY", "HEAD")
]


def without_connection(wire):
    """Remove `Connection` from an answer, which depends on the server if a body is left unread."""
    status, headers, body = wire
    return status, [each for each in headers if each[0] != "connection"], body


@pytest.fixture
def compare(both, make_injector, caplog):
    """`compare(rule, requests)` compares both adapters' bytes and outcomes."""
    caplog.set_level(logging.ERROR, "faultinject")  # thousands of injectors need not say that they are on

    def run(rule, requests, *, record_all=False):
        seen = []
        for send in both:
            injector = make_injector([rule], record_all=record_all)
            answers = [
                without_connection(send(injector, method, target, **more).wire)
                for method, target, more in requests
            ]
            outcomes = [each.to_dict() for each in injector.journal.outcomes]
            for each in outcomes:
                assert (each["elapsed"] is None) == (each["answered"] is None)
                for name in UNLIKE:
                    del each[name]
            seen.append((answers, outcomes, injector.counts(), injector.errors))
        assert (seen[0], seen[0][3]) == (seen[1], [])
        return seen[0][0]

    return run


def test_same_scenario_same_answers_and_outcomes(compare):
    """For one scenario, bytes, headers, statuses and outcomes are equal under WSGI and ASGI."""
    for number, rule in enumerate(RULES):
        compare(rule, REQUESTS, record_all=bool(number % 2))


@pytest.mark.parametrize("vendor", vendors.names())
def test_same_answers_of_every_vendor(compare, vendor):
    """The errors of each vendor are equal, single and drawn ones, before and after the app."""
    for number, rule in enumerate(rules_of(vendor)):
        compare(rule, REQUESTS, record_all=bool(number % 2))


@pytest.mark.parametrize("vendor", others_slowly(vendors.names(), FOUNDING.__contains__))
def test_every_row_is_the_same_under_both(compare, vendor, subtests):
    """Both adapters read a row's other fields from the request in the same way."""
    for row in vendors.get(vendor).errors:
        with subtests.test(row.address):
            compare(
                Rule(row.address) if row.status is not None else Rule(row.address, status=400), ROW_REQUESTS
            )


def test_cors_before_names_what_script_may_read(send, make_injector):
    """With an Origin, a script can read every header of an injected answer."""
    answer = send(make_injector("cos:SlowDown,name=slow"), headers=[("origin", "https://web.example")])
    names = "Content-Type, Content-Length, x-cos-request-id, x-cos-trace-id, x-faultinject, Cache-Control"
    assert {
        name.lower(): value for name, value in answer.headers if name.lower().startswith(("access", "vary"))
    } == {
        "access-control-allow-origin": "https://web.example",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": names,
        "vary": "Origin",
    }


def test_cors_after_is_the_apps_own(send, make_injector):
    """After the app, its own CORS headers are kept and nothing else of it."""
    answer = send(make_injector("http:503,when=after"), headers=[("origin", "https://web.example")])
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "19"),
        ("x-faultinject", "rule-1"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "https://app.example"),
        ("vary", "Origin"),
    ]


@pytest.mark.parametrize(
    "vendor", ["s3:SlowDown", "http:503", "reset", "gateway:BadGateway", "http:503,vendor=s3"]
)
def test_an_encoded_slash_of_a_key(send, make_injector, vendor):
    """A fault without a vendor reads the key as an S3 request; a path keeps its slash encoded."""
    injector = make_injector(
        f"{vendor},key=x/y,times=0 {vendor},key=x/*,times=0 {vendor},path=photos/x/y,times=0"
    )
    for target in ("/photos/x/y", "/photos/x%2Fy", "/photos/x%2fy"):
        send(injector, "GET", target)
    assert (
        [each.matched for each in injector.counts().values()],
        {each.key for each in injector.journal.outcomes},
    ) == ([3, 3, 1], {"x/y"})


@pytest.mark.parametrize(
    "rule", ["header.x-city=Montréal", "header.x-city=Mon*éal", "header.x-city==Montréal"]
)
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_letters_of_a_header(send, make_injector, rule, charset):
    """They are matched as the client meant them, whether a server hands out bytes or text."""
    injector = make_injector(f"http:503,{rule}")
    city = "Montréal".encode(charset).decode("latin-1")
    assert (
        send(injector, headers=[("x-city", city)]).status,
        send(injector, headers=[("x-city", city.replace("M", "m"))]).status,
    ) == (503, 200)
    assert send(make_injector(f"http:503,unless.{rule}"), headers=[("x-city", city)]).status == 200


@pytest.mark.parametrize("noted", [True, False])
def test_an_app_that_fails_shows_its_status_where_all_is_noted(send, make_injector, noted):
    """With `when=after` a 5xx of the app's own goes on record like any answer that passes."""
    injector = make_injector("http:500,when=after,times=1", record_all=noted)
    send(injector, "GET", "/b", app=App(status=507))
    [outcome] = injector.journal.outcomes
    status = 507 if noted else None
    assert (outcome.did, outcome.status, outcome.answered is None) == ("app_failed", status, not noted)
