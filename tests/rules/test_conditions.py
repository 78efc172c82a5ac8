"""Each condition matches its requests, on WSGI and ASGI alike."""

import pytest

from faultinject import Rule, Scenario
from tests.decisions import condition, meets, view
from tests.house import rooms
from tests.rows import each_row


def wsgi(method="GET", path="/", query="", headers=(), client="127.0.0.1"):
    environ = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query}
    if client is not None:
        environ["REMOTE_ADDR"] = client
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_LENGTH" else f"HTTP_{key}"] = value
    return view(environ)


def asgi(method="GET", path="/", query="", headers=(), client="127.0.0.1"):
    return view(
        {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            "client": None if client is None else (client, 1234),
        }
    )


TABLE = [
    # condition, a request that meets it, one that does not
    ({"method": "put"}, {"method": "PUT"}, {"method": "POST"}),
    ({"method": ["PUT", "POST"]}, {"method": "post"}, {"method": "GET"}),
    ({"method": "P*"}, {"method": "PATCH"}, {"method": "GET"}),
    ({"method": "=PUT"}, {"method": "PUT"}, {"method": "GET"}),
    ({"path": "photos/"}, {"path": "/photos/a"}, {"path": "/photos"}),
    ({"path": ["a", "b"]}, {"path": "/b"}, {"path": "/c"}),
    ({"path": ["a", "b", "c"]}, {"path": "/c"}, {"path": "/d"}),
    (
        {"host": "Example.COM"},
        {"headers": [("Host", "example.com:80")]},
        {"headers": [("Host", "example.org")]},
    ),
    ({"host": "*.example.com"}, {"headers": [("Host", "a.example.com")]}, {}),
    ({"host": "=Example.com"}, {"headers": [("Host", "EXAMPLE.com")]}, {}),
    ({"header": {"X-Test": "a*"}}, {"headers": [("x-test", "abc")]}, {"headers": [("x-test", "b")]}),
    ({"header": {"x_test": ""}}, {"headers": [("X-Test", "anything")]}, {"headers": [("X-Other", "1")]}),
    ({"header": {"x-test": ["a", "b"]}}, {"headers": [("x-test", "b")]}, {"headers": [("x-test", "c")]}),
    ({"header": {"x-test": "ü"}}, {"headers": [("x-test", "ü")]}, {"headers": [("x-test", "u")]}),
    ({"unless": {"method": "GET", "path": "a"}}, {"method": "PUT"}, {"method": "PUT", "path": "/a"}),
    ({"query": {"uploads": ""}}, {"query": "uploads"}, {"query": "upload"}),
    ({"query": {"a": "1"}}, {"query": "a=2&a=1"}, {"query": "a=2"}),
    ({"query": {"tags[]": "x y"}}, {"query": "tags%5B%5D=x+y"}, {"query": "tags=x+y"}),
    ({"operation": "PutObject"}, {"method": "PUT", "path": "/b/k"}, {"method": "GET", "path": "/b/k"}),
    ({"operation": "*Object"}, {"method": "GET", "path": "/b/k"}, {"method": "PUT", "path": "/b"}),
    ({"operation": "=PutObject"}, {"method": "PUT", "path": "/b/k"}, {"method": "BREW", "path": "/b/k"}),
    ({"bucket": "photos*"}, {"path": "/photos-1/k"}, {"path": "/"}),
    ({"bucket": "=photos"}, {"path": "/photos"}, {"path": "/photo/s"}),
    ({"key": "2024/**"}, {"path": "/b/2024/x"}, {"path": "/b"}),
    ({"key": "*.jpg"}, {"path": "/b/.jpg"}, {"path": "/b/a/x.jpg"}),
    ({"client": "127.0.0.1"}, {}, {"client": "127.0.0.2"}),
    ({"client": "10.0.0.0/8"}, {"client": "10.1.2.3"}, {"client": "11.1.2.3"}),
    ({"client": "10.0.0.1/8"}, {"client": "10.9.9.9"}, {"client": "testclient"}),
    ({"client": "10.0.0.1"}, {"client": "::ffff:10.0.0.1"}, {"client": "::ffff:10.0.0.2"}),
    ({"client": "10.0.0.0/8"}, {"client": "::ffff:10.0.0.2"}, {"client": "::1"}),
    ({"client": "10.0.*"}, {"client": "::ffff:10.0.0.2"}, {"client": "::ffff:10.1.0.2"}),
    ({"client": "=10.0.0.1"}, {"client": "::ffff:10.0.0.1"}, {"client": "::1"}),
    ({"client": "::1"}, {"client": "0:0:0:0:0:0:0:1"}, {"client": None}),
    ({"client": "TestClient"}, {"client": "testclient"}, {"client": "other"}),
    ({"client": "test*"}, {"client": "testclient"}, {"client": "x:y"}),
    ({"client": "=testclient"}, {"client": "testclient"}, {"client": "test"}),
    ({"sample": "header.X-User:1"}, {"headers": [("x-user", "a")]}, {"headers": [("x-users", "a")]}),
    ({"sample": ["client:0", "bucket:1"]}, {"path": "/b"}, {}),
    ({"size": "5..10"}, {"headers": [("Content-Length", "7")]}, {"headers": [("Content-Length", "11")]}),
    ({"size": "5.."}, {"headers": [("Content-Length", "5000")]}, {"headers": [("Content-Length", "4")]}),
    ({"size": ["1", "..0"]}, {"headers": [("Content-Length", "0")]}, {}),
]


@pytest.mark.parametrize("made", [wsgi, asgi])
@each_row(("keys", "met", "not_met"), TABLE)
def test_a_condition_holds_for_what_it_describes(made, keys, met, not_met):
    """Each row: one condition, a request that meets it and one that does not."""
    rule = Rule("http:503", **keys)
    assert (meets(rule, made(**met)), meets(rule, made(**not_met))) == (True, False)


def test_a_query_that_nobody_encoded_is_read_as_utf_8():
    """Its names as its values: curl sends it as it is written."""
    rule = Rule("http:503", query={"ü": "ü"})
    sent = asgi(query="ü=ü"), wsgi(query="ü=ü".encode().decode("latin-1"))
    assert [meets(rule, each) for each in sent] == [True, True]


def test_what_looks_like_another_thing_is_taken():
    """A host with a colon is refused only for a port; odd client names are accepted.

    Test clients report names, also such as begin and end unlike an address.
    """
    for text in ("http:503,host=::1,host=[::1],host=a:b", "http:503,client=testclient,client=X1"):
        assert str(Scenario.parse(text)) == text


@each_row(
    ("key", "values", "fields"),
    [
        ("client", [f"10.0.{number}.1" for number in range(250)], {"client": "10.0.249.1"}),
        ("method", ["GET", "HEAD", "POST", "DELETE", "PUT"], {"method": "PUT"}),
    ],
)
def test_the_last_of_many_plain_values_is_found_as_fast_as_one(key, values, fields):
    """The last of many plain values is found as fast as one, in a set.

    A list of clients may be long, and a method is compared on each request.
    """
    seen = wsgi(**fields)
    many, one = condition(Rule("http:503", **{key: values})), condition(Rule("http:503", **{key: values[-1]}))
    assert many(seen)
    assert rooms(lambda: many(seen)) == rooms(lambda: one(seen))
