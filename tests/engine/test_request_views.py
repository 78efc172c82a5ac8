"""The request views: WSGI and ASGI answer the same questions with the same words."""

import pytest

from tests.decisions import view as view_of
from tests.rows import each_row

HEADERS = [("Host", "H"), ("X-Test", "a")]


def wsgi(method="GET", mount="", path=b"/", raw=None, query="", headers=HEADERS, **more):
    """As a server makes it: bytes as Latin-1 text."""
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": mount,
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": query,
    }
    if raw is not None:
        environ["RAW_URI"] = raw
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return view_of(environ | more)


def asgi(method="GET", mount="", path=b"/", raw=None, query="", headers=HEADERS, **more):
    """As a server makes it: the path decoded, mount point included."""
    scope = {
        "type": "http",
        "method": method,
        "root_path": mount,
        "path": mount + path.decode("utf-8", "replace"),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "http_version": "1.1",
    }
    if raw is not None:
        scope["raw_path"] = raw.encode("latin-1")
    return view_of(scope | more)


@pytest.fixture(params=[wsgi, asgi], ids=["wsgi", "asgi"])
def view(request):
    return request.param


TARGETS = [
    # path as the server decodes it, raw target, path, raw path
    (b"/a/b", "/a/b", "/a/b", "/a/b"),
    (b"/a/b", None, "/a/b", "/a/b"),
    (b"/a b", "/a%20b", "/a b", "/a%20b"),
    (b"/a b", None, "/a b", "/a%20b"),
    (b"/a/b", "/a%2Fb", "/a%2Fb", "/a%2Fb"),
    (b"/a/b", "/a%2fb", "/a%2Fb", "/a%2fb"),
    ("/ü".encode(), "/%C3%BC", "/ü", "/%C3%BC"),
    ("/ü".encode(), None, "/ü", "/%C3%BC"),
    (b"/\xff", "/%FF", "/\ufffd", "/%FF"),
    (b"/[x]|", "/[x]|", "/[x]|", "/[x]|"),
    (b"/%41", "/%2541", "/%41", "/%2541"),
    (b"/a", "/a?x=/b", "/a", "/a"),
    (b"/a", "http://h/a?x", "/a", "/a"),
    (b"/rewritten", "/sent", "/rewritten", "/rewritten"),
    (b"//a/../b/", "//a/../b/", "//a/../b/", "//a/../b/"),
    (b"", "", "", ""),
]


@each_row(("path", "raw", "decoded", "sent"), TARGETS)
def test_path_and_raw_path(view, path, raw, decoded, sent):
    """The path is decoded once from the raw target, `%2F` kept; a rewritten path counts."""
    request = view(path=path, raw=raw)
    assert (request.path, request.raw_path, request.mount, request.below) == (decoded, sent, "", decoded)


MOUNTED = [
    # mount, path below, raw target, path, below, raw path
    ("/m", b"/a", "/m/a", "/m/a", "/a", "/m/a"),
    ("/m", b"/a/b", "/m/a%2Fb", "/m/a%2Fb", "/a%2Fb", "/m/a%2Fb"),
    ("/m", b"/a", None, "/m/a", "/a", "/m/a"),
    ("/m", b"/a", "/a", "/m/a", "/a", "/m/a"),
    ("/m n", b"/a b", "/a%20b", "/m n/a b", "/a b", "/m%20n/a%20b"),
    ("/m", b"", "/m", "/m", "", "/m"),
]


@each_row(("mount", "path", "raw", "decoded", "below", "sent"), MOUNTED)
def test_mount_point(view, mount, path, raw, decoded, below, sent):
    """The mount point is part of the path, and apart from what bucket and key are read from."""
    request = view(mount=mount, path=path, raw=raw)
    assert (request.path, request.mount, request.below, request.raw_path) == (decoded, mount, below, sent)


def test_root_path_that_only_looks_like_one():
    """`/api` is no mount point of `/apix`: an older server left it out of the path."""
    scope = {"method": "GET", "root_path": "/api", "path": "/apix", "headers": []}
    requests = [view_of(scope), view_of(scope | {"root_path": "/api/", "path": "/api/x"})]
    assert [(each.path, each.below) for each in requests] == [("/api/apix", "/apix"), ("/api/x", "/x")]


def test_method_query_and_headers(view):
    """As sent; header names in any case, several values, none."""
    request = view(
        "pUt",
        query="a=1&b&c=%20+&a=2&=x&%61=3",
        headers=[*HEADERS, ("Content-Type", "x"), ("Content-Length", "3")],
    )
    assert (request.method, request.query) == ("pUt", "a=1&b&c=%20+&a=2&=x&%61=3")
    assert [request.query_values(each) for each in "abcd"] == [("1", "2", "3"), ("",), ("  ",), ()]
    names = ("x-test", "content-type", "content-length", "x-none")
    assert [request.header(each) for each in names] == [("a",), ("x",), ("3",), ()]


def test_absent_content_headers():
    """An empty Content-Type is absent, as servers give it; another empty header is there."""
    request = wsgi(CONTENT_TYPE="", CONTENT_LENGTH="", HTTP_X_EMPTY="")
    names = ("content-type", "content-length", "x-empty")
    assert [request.header(each) for each in names] == [(), (), ("",)]
    assert (request.content_length, request.has_body) == (None, False)


@each_row(
    ("host", "name"),
    [
        # HTTP/1.0 needs none.
        (None, ""),
        ("Photos.Example:8080", "photos.example"),
        ("[::1]:80", "[::1]"),
        ("[FE80::1]", "[fe80::1]"),
        ("h", "h"),
        ("", ""),
        (":80", ""),
        ("[", "[]"),
        ("Photos.Example.", "photos.example"),
        ("photos.example.:8080", "photos.example"),
        ("photos..", "photos."),
        (".", ""),
    ],
)
def test_host(view, host, name):
    """Without its port and the dot that ends a full name, in lower case."""
    assert view(headers=[] if host is None else [("Host", host)]).host == name


@each_row(
    ("length", "number", "body"),
    [
        ("5", 5, True),
        ("0", 0, False),
        ("-1", None, False),
        ("5x", None, False),
        ("²", None, False),
        ("9" * 30, None, False),
    ],
)
def test_content_length(view, length, number, body):
    """A number of bytes, or nothing."""
    request = view(headers=[("Content-Length", length)])
    assert (request.content_length, request.has_body) == (number, body)


def test_chunked_body(view):
    """A transfer encoding announces a body."""
    requests = [
        view(headers=[("Transfer-Encoding", "chunked")]),
        view(),
        asgi(http_version="2"),
        asgi(http_version="2", headers=[("content-length", "0")]),
    ]
    assert [each.has_body for each in requests] == [True, False, True, False]


def test_client(view):
    """The address as the server reports it, or nothing."""
    reported = [wsgi(REMOTE_ADDR="10.0.0.1"), asgi(client=("10.0.0.1", 5)), asgi(client=["10.0.0.1", 5])]
    absent = [wsgi(REMOTE_ADDR=""), view(), asgi(client=None)]
    assert [each.client for each in reported + absent] == ["10.0.0.1"] * 3 + [None] * 3


def test_text_that_no_server_gives():
    """Text beyond Latin-1 in an environ breaks PEP 3333, not us."""
    assert wsgi(PATH_INFO="/\u6876").path == "/?"


def test_header_names_fold_alike():
    """`x_test` and `x-test` are one name, and each value counts.

    A WSGI server cannot tell them apart, and joins the values.
    """
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x_test", b"1"), (b"X-Test", b"2")]}
    assert view_of(scope).header("x-test") == ("1", "2")


@pytest.mark.parametrize(
    ("environ", "scope", "shared"),
    [
        ({"SERVER_PROTOCOL": "HTTP/2"}, {"http_version": "2"}, True),
        ({"SERVER_PROTOCOL": "HTTP/2.0"}, {"http_version": "2.0"}, True),
        ({"SERVER_PROTOCOL": "HTTP/3"}, {"http_version": "3"}, True),
        ({"SERVER_PROTOCOL": "HTTP/1.1"}, {"http_version": "1.1"}, False),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, {"http_version": "1.0"}, False),
        ({"SERVER_PROTOCOL": ""}, {"http_version": ""}, False),
        ({}, {}, False),
    ],
)
def test_a_connection_is_shared_since_http_2(environ, scope, shared):
    """There the end of a connection would end other requests as well."""
    assert (wsgi(**environ).http2, asgi(**scope).http2) == (shared, shared)


@each_row(
    ("asked", "version", "length"),
    [
        ({"method": "PUT"}, "1.1", 0),
        ({"method": "POST"}, "1.0", 0),
        ({"method": "PATCH", "CONTENT_LENGTH": ""}, "1.1", 0),
        ({"method": "PUT", "CONTENT_LENGTH": "5"}, "1.1", 5),
        ({"method": "PUT", "HTTP_TRANSFER_ENCODING": "chunked"}, "1.1", None),
        ({"method": "PUT"}, "2", None),
        ({"method": "PUT"}, "", None),
        ({"method": "GET"}, "1.1", None),
        ({"method": "DELETE"}, "1.1", None),
    ],
)
def test_a_body_that_nobody_announces(site, asked, version, length):
    """A body without a length is empty over HTTP/1.x (RFC 9112, 6.3), unknown over HTTP/2.

    Of a chunked body that was not read nobody knows either.
    """
    made = site("http:503,drain=no")
    made.ask(f"{asked.pop('method')} /b/k", SERVER_PROTOCOL=f"HTTP/{version}", **asked)
    [outcome] = made.outcomes
    assert outcome.request_bytes == length
