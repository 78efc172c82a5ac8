"""Values that are right and that hardly any request can have."""

from __future__ import annotations

import pytest

from faultinject import vendors
from faultinject.http.wire import COMMON, METHODS
from faultinject.rules.rule import Rule
from faultinject.vendors.operations import operations_of

NO_METHOD = "HTTP knows no such method"
DECODED = "it is compared decoded; did you mean"


@pytest.mark.parametrize(
    ("key", "value", "doubt"),
    [
        ("method", "PUTT", f"{NO_METHOD}; did you mean PUT?"),
        ("method", "=putt", f"{NO_METHOD}; did you mean PUT?"),
        ("method", "GTE", f"{NO_METHOD}; did you mean GET?"),
        ("method", "PROPFINDS", f"{NO_METHOD}; did you mean PROPFIND?"),
        ("method", "PURGE", NO_METHOD),
        ("method", "=P*", NO_METHOD),
        ("method", "X*", "no method that HTTP knows is like this"),
        ("method", "PUT|get", "| does not separate methods; did you mean method=PUT,method=GET?"),
        ("method", "PUT|GTE", NO_METHOD),
        ("method", "connect", "a CONNECT is never matched"),
        ("host", "https://example.com/x", "a Host has neither scheme nor path; did you mean example.com?"),
        ("host", "*.example.com/", "a Host has neither scheme nor path; did you mean *.example.com?"),
        ("host", "http://h:8000/", "a Host has neither scheme nor path; did you mean h?"),
        ("host", "h:*", "the port is not looked at; did you mean h?"),
        ("host", "/x", "a Host has neither scheme nor path"),
        ("bucket", "photos/", "the name of a bucket has no /; did you mean photos?"),
        ("bucket", "=/photos/2024/", "the name of a bucket has no /; did you mean bucket=photos,key=2024?"),
        ("bucket", "/", "the name of a bucket has no /"),
        ("path", "http://h/a", "a path has neither scheme nor host; did you mean /a?"),
        ("path", "/a?x=1", "? stands for one character; did you mean path=/a,query.x=1?"),
        ("path", "/a%20b/%C3%A9", f"{DECODED} /a b/é?"),
        ("path", "é%2fb", f"{DECODED} é%2Fb?"),
        ("key", "a%20b", f"{DECODED} a b?"),
        ("path", "/a%0Ab", f"{DECODED} /a\\nb?"),
        ("key", "/a/b", "a key begins behind the slash; did you mean a/b?"),
        ("client", "Localhost", "servers report addresses; did you mean client=127.0.0.1,client=::1?"),
    ],
)
def test_a_doubt_says_what_may_be_meant(key, value, doubt):
    """Also behind `unless.`, where such a value keeps nobody away."""
    assert Rule("http:503", **{key: [value, "GET"]}).doubts() == [f"{key}={value}: {doubt}"]
    assert Rule("http:503", unless={key: value}).doubts() == [f"unless.{key}={value}: {doubt}"]


def test_a_doubt_of_a_query():
    """Value and name are compared decoded, a slash as well."""
    assert Rule("http:503", query={"prefix": "a%2Fb", "tag%5B%5D": "x", "c%20": "%20"}).doubts() == [
        f"query.c%20=%20: {DECODED}  ?",
        f"query.prefix=a%2Fb: {DECODED} a/b?",
        f"query.tag%5B%5D=x: {DECODED} tag[]?",
    ]


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
    assert len(METHODS) == 40
    assert METHODS.issuperset(COMMON)
    for_all(METHODS - {"CONNECT"}, lambda each: not Rule("http:503", method=each.lower()).doubts() or 1 / 0)


def test_every_operation_comes_with_a_method_of_the_registry():
    """Or the tables would be doubted."""
    for name in vendors.names():
        assert {each.method for each in operations_of(vendors.get(name)).rows} <= METHODS
