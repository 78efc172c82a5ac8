"""A rule does the same to a request whether it is the only candidate or one of several."""

import logging

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faultinject import Rule, vendors

UNLIKE = ("pid", "seq", "answered", "elapsed", "arrived", "request_id")


def come_to(send, injector, requests):
    answers = [send(injector, method, target, **more).wire for method, target, more in requests]
    outcomes = [each.to_dict() for each in injector.journal.outcomes]
    for each in outcomes:
        assert (each["elapsed"] is None) == (each["answered"] is None)
        for name in UNLIKE:
            del each[name]
    assert injector.errors == []
    return answers, outcomes, injector.counts()["rule-1"], injector.finish()


FAULTS = st.sampled_from(
    [f"{name}:@all" for name in vendors.names()] + ["http:503", "http:404", "reset", "close"]
)
CONDITIONS = st.sampled_from(
    [
        {},
        {"method": ["PUT", "HEAD"]},
        {"path": "photos/"},
        {"path": "photos/**"},
        {"bucket": "photos"},
        {"method": "PUT", "path": "/photos/"},
        {"unless": {"header": {"x-test": "b"}}},
        {"size": "1.."},
    ]
)
TRIGGERS = st.sampled_from(
    [
        {},
        {"times": 2},
        {"times": 1, "per": "key"},
        {"probability": 0.5},
        {"skip": 1, "every": 2},
        {"per": "call", "times": 1},
        {"above": "1/s"},
        {"probability": 0.5, "times": 1},
    ]
)
EFFECTS = st.sampled_from(
    [
        {},
        {"retry_after": 2},
        {"cors": False},
        {"drain": False},
        {"set": {"x-a": "b"}},
        {"message": "ü<&"},
        {"resource": "/a<b>"},
        {"set": {"connection": "close"}},
        {"retry_after": 2, "hint": "date"},
    ]
)
METHODS = st.sampled_from(["GET", "PUT", "PUT", "POST", "HEAD", "head", "OPTIONS", "DELETE"])
TARGETS = st.sampled_from(
    [
        "/photos/a.jpg",
        "/photos/",
        "/photos",
        "/",
        "/photos/%C3%BC~'b",
        "/photos/a%2Fb",
        "/films/0123456789ab",
        "/photos/a?uploadId=x&partNumber=1",
        "/photos/a%3Fsig%3Dx",
        "//x",
        f"/photos/{'k' * 2050}",
        "/photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d",
    ]
)
HEADERS = st.lists(
    st.sampled_from(
        [
            ("origin", "https://web.example"),
            ("authorization", "AWS AKID:c2ln"),
            ("x-test", "b"),
            ("if-match", '"e"'),
            ("content-type", "multipart/form-data; boundary=b"),
            ("content-type", "text/plain"),
            ("user-agent", "t"),
            ("expect", "100-continue"),
            ("host", "photos.cos.ap-x.myqcloud.com"),
            ("x-auth-token", "secret"),
        ]
    ),
    max_size=3,
    unique_by=lambda each: each[0],
)
BODIES = st.sampled_from([b"", b"", b"data", b"--b\r\n--b--", b"x" * 70_000])
REQUESTS = st.lists(
    st.tuples(METHODS, TARGETS, st.fixed_dictionaries({"headers": HEADERS, "body": BODIES})),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(fault=FAULTS, conditions=CONDITIONS, triggers=TRIGGERS, effects=EFFECTS, requests=REQUESTS)
@example("cos:SlowDown", {}, {"times": 2}, {}, [("PUT", "/photos/a.jpg", {"body": b"data"})] * 3)
@example("http:503", {}, {}, {}, [("GET", "/photos/a.jpg", {})])
def test_it_comes_to_the_same(
    send, make_injector, caplog, record_all, fault, conditions, triggers, effects, requests
):
    """Answers, outcomes, counts and places, of any rule and any requests."""
    caplog.set_level(logging.ERROR, "faultinject")
    if fault.partition(":")[0] in ("reset", "close"):
        effects = {}
    elif fault.startswith("http:"):
        effects = {name: value for name, value in effects.items() if name != "resource"}
    rule = Rule(fault, **conditions, **triggers, **effects)
    never = Rule(fault, header={"x-never": "sent"})  # it makes two candidates of one
    ways = [
        come_to(send, make_injector(rules, record_all=record_all), requests)
        for rules in ([rule], [rule, never])
    ]
    assert ways[0] == ways[1]
