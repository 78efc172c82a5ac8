"""Values that are right and that hardly any request can have."""

from __future__ import annotations

import pytest

from faultinject import Rule, Scenario, vendors
from faultinject.vendors import operations_of

METHODS = {
    *"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR".split(),
    *"MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT REBIND REPORT".split(),
    *"SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL QUERY".split(),
}
"""Those of IANA's registry but CONNECT."""
DECODED = "values are compared after decoding; did you mean"


def test_a_doubt_says_what_may_be_meant(golden):
    """Each in exact words, `doubts.txt`; also behind `unless.`, where such a value keeps nobody away."""

    def doubt(text):
        key, _, value = text.partition("=")
        [told] = Rule("http:503", **{key: [value, "GET"]}).doubts()
        assert Rule("http:503", unless={key: value}).doubts() == [f"unless.{told}"]
        return told

    golden("doubts.txt", doubt)


def test_a_doubt_of_a_query():
    """Value and name are compared decoded, a slash as well."""
    assert Rule("http:503", query={"prefix": "a%2Fb", "tag%5B%5D": "x", "c%20": "%20"}).doubts() == [
        f"query.c%20=%20: {DECODED}  ?",
        f"query.prefix=a%2Fb: {DECODED} a/b?",
        f"query.tag%5B%5D=x: {DECODED} tag[]?",
    ]


NO_BODY, ANSWER = "has no body", "; did you mean when=after, the answer's body?"


@pytest.mark.parametrize(
    ("rule", "doubt"),
    [
        ("reset,method=GET,after_bytes=4KiB", f"a GET {NO_BODY}{ANSWER}"),
        ("stall,method==head,method=get,after_bytes=4KiB", f"a GET or HEAD {NO_BODY}{ANSWER}"),
        ("cos:SlowDown,method=GET,after_bytes=4KiB", f"a GET {NO_BODY}"),
        ("http:503,method=HEAD,after_bytes=4KiB", f"a HEAD {NO_BODY}"),
        ("hang,method=HEAD,when=after,after_bytes=4KiB", f"an answer to HEAD {NO_BODY}"),
    ],
)
def test_a_doubt_of_a_place_in_a_body(rule, doubt):
    """Where the requests that are meant have no such body."""
    assert Scenario.parse(rule).rules[0].doubts() == [f"after_bytes=4KiB: {doubt}"]


@pytest.mark.parametrize(
    "rule",
    [
        "reset,after_bytes=4KiB",
        "reset,method=GET,method=PUT,after_bytes=4KiB",
        "reset,method=*,after_bytes=4KiB",
        "reset,method=GET",
        "reset,method=GET,when=after,after_bytes=4KiB",
        "reset,method=GET,method=HEAD,when=after,after_bytes=4KiB",
        "reset,when=after,after_bytes=4KiB",
    ],
)
def test_no_doubt_of_a_place_in_a_body(rule):
    """Where some of them may have one."""
    assert Scenario.parse(rule).rules[0].doubts() == []


@pytest.mark.parametrize(
    "keys",
    [
        {"method": "P*", "host": "*.example.com", "bucket": "photos-*"},
        {"path": ["/a%2Fb", "/100%", "/a?b", "=/a?x=1", "**/x"], "key": "a%2Fb"},
        {"header": {"x": "http://a%20b"}, "query": {"a": "b/c"}, "client": "testclient", "size": "1.."},
        {"host": ["::1", "[::1]", "::*", "=", "h:"], "key": ["/", "/**", "=/a"], "query": {"a+b": "100%"}},
    ],
)
def test_nothing_is_said_of_the_rest(keys):
    """A warning that is none is worse than none."""
    assert Rule("http:503", **keys).doubts() == []


def test_no_method_of_the_registry_is_doubted(for_all):
    """In any case, all forty."""
    assert len(METHODS) == 39
    for_all(METHODS, lambda each: not Rule("http:503", method=each.lower()).doubts() or 1 / 0)


def test_every_operation_comes_with_a_method_of_the_registry():
    """Or the tables would be doubted."""
    for name in vendors.names():
        assert {each.method for each in operations_of(vendors.get(name)).rows} <= METHODS | {"CONNECT"}
