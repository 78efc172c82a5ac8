"""Clients without a socket are recognised, and get errors that their own `except` catches."""

import asyncio
import copy
import errno
import http.client
import io
import pickle
import subprocess
import sys
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import a2wsgi
import aiohttp
import httpx
import pytest
import requests
import urllib3
from werkzeug.wrappers import Response

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware

from . import live
from .transport import hearing, only, recorder

FAULTS = {"reset": "reset", "closed": "close", "timeout": "hang", "cut": "truncate,keep_bytes=3"}


def error_of(kind, rule=None, length=True):
    """Return the error that a client of this process gets for such a fault."""
    name = "" if rule is None else f",name={rule}"
    marked = "0" if rule is None else "1"

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "10")] if length else [])
        return [b"0123456789"]

    injector = Injector(f"{FAULTS[kind]}{name}", seed=1, environ={"FAULTINJECT_HEADER": marked})
    try:
        b"".join(WSGIFaultMiddleware(app, injector=injector)(bare_environ(), lambda *_: None))
    except OSError as error:
        return error.with_traceback(None)


KINDS = {kind: partial(error_of, kind) for kind in FAULTS}
reset_error, closed_error, timeout_error, cut_error = KINDS.values()


def in_process(environ):
    """Whether the client of this environ gets an error of its own."""
    injector = Injector("reset", seed=1, environ={})
    with suppress(ConnectionResetError):
        WSGIFaultMiddleware(None, injector=injector)(environ, lambda *_: None)
    return only(injector).did == "raised"


async def in_process_scope(scope):
    """The same under ASGI."""
    injector = Injector("reset", seed=1, environ={})
    with suppress(ConnectionResetError):
        wrapped = ASGIFaultMiddleware(None, injector=injector)
        await wrapped(scope, hearing({"type": "http.request"}), recorder()[1])
    return only(injector).did == "raised"


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def bare_environ(**more):
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/a",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **more,
    }


@pytest.mark.parametrize(
    "sign",
    [
        {"SERVER_SOFTWARE": "gunicorn/27.0.1"},
        {"SERVER_SOFTWARE": ""},
        {"gunicorn.socket": None},
        {"werkzeug.socket": None},
        {"uwsgi.version": b"2.0.31"},
        {"REMOTE_PORT": "44216"},  # eventlet, twisted
        {"asgi.scope": {"asgi": {"version": "3.0", "spec_version": "2.3"}}},  # a2wsgi
        {"wsgi.multiprocess": True},  # hypercorn, tornado; the bridges of uvicorn, starlette and asgiref
    ],
    ids="".join,
)
def test_one_sign_of_a_server_is_enough(sign):
    """Servers share no sign, so that each of them counts alone.

    WebTest, webob and requests-wsgi-adapter set nothing but what PEP 3333 asks for: no sign at all.
    """
    assert in_process(bare_environ())
    assert not in_process(bare_environ(**sign))


def test_a_wsgi_app_in_an_asgi_app_is_in_process_as_that_is():
    """a2wsgi shows the test client's scope."""
    injector = Injector("reset", seed=1, environ={})
    app = a2wsgi.WSGIMiddleware(WSGIFaultMiddleware(None, injector=injector))

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            await client.get("/a")

    with pytest.raises(httpx.ReadError, match="injected"):
        asyncio.run(ask())
    assert injector.journal.outcomes[-1].did == "raised"


def test_a_client_below_a_server_is_the_server_s():
    """An app that is called by werkzeug's test client from another app still has its connection."""
    inner = WSGIFaultMiddleware(None, injector=Injector("reset", seed=1, environ={}))

    def outer(environ, start_response):
        return Response.from_app(inner, environ)(environ, start_response)

    with live.werkzeug_server(outer) as port, pytest.raises(urllib3.exceptions.ProtocolError, match="reset"):
        urllib3.request("GET", f"http://127.0.0.1:{port}/a", retries=False)


HTTP = {"type": "http", "method": "GET", "path": "/a", "query_string": b"", "headers": []}
PLAIN = {"version": "3.0"}
FULL = {"version": "3.0", "spec_version": "2.3"}


@pytest.mark.parametrize(
    "scope",
    [
        {"client": ("10.0.0.1", 1), "extensions": {"http.response.debug": {}}, "asgi": FULL},
        {"client": ("testclient", 50000), "server": ["testserver", 80]},
        {"client": None, "server": None, "asgi": None, "extensions": None},
        {"asgi": PLAIN},
    ],
    ids=[
        "starlette client",
        "starlette early",
        "nothing said",
        "async-asgi-testclient",
    ],
)
def test_scopes_of_test_clients(scope):
    """One sign of a test client is enough."""
    assert asyncio.run(in_process_scope(HTTP | scope))


def server_scope(client, asgi=FULL, server=("127.0.0.1", 80), **more):
    return HTTP | {"asgi": asgi, "client": client, "server": server} | more


@pytest.mark.parametrize(
    "scope",
    [
        server_scope(("127.0.0.1", 44216), state={}),
        server_scope(("127.0.0.1", 123)),
        server_scope(("testclient", 50000)),
        server_scope(("127.0.0.1", "123"), extensions={"http.response.pathsend": {}}),
        server_scope(["127.0.0.1", 123], asgi=PLAIN, server=["127.0.0.1", 80]),
        server_scope(["127.0.0.1", 123], asgi=PLAIN, server=["/run/app.sock", None]),
        server_scope(("10.0.0.9", 0), asgi=PLAIN, server=["127.0.0.1", 80]),
        server_scope(None, server=("/run/app.sock", None)),
    ],
    ids=[
        "uvicorn",
        "port 123",
        "a proxy's header",
        "granian",
        "daphne",
        "daphne, unix",
        "daphne, a proxy's header",
        "uvicorn, unix",
    ],
)
def test_scopes_of_servers(scope):
    """A client at a port that test clients like, or with a forged name, is still a real one."""
    assert not asyncio.run(in_process_scope(scope))


CAUGHT = {
    "reset": [
        httpx.ReadError,
        requests.ConnectionError,
        urllib3.exceptions.ProtocolError,
        aiohttp.ClientOSError,
        ConnectionResetError,
    ],
    "closed": [
        httpx.RemoteProtocolError,
        requests.ConnectionError,
        urllib3.exceptions.ProtocolError,
        aiohttp.ServerDisconnectedError,
        http.client.RemoteDisconnected,
        ConnectionResetError,
    ],
    "timeout": [
        httpx.ReadTimeout,
        requests.ReadTimeout,
        urllib3.exceptions.ReadTimeoutError,
        aiohttp.SocketTimeoutError,
        TimeoutError,
    ],
    "cut": [
        httpx.RemoteProtocolError,
        requests.exceptions.ChunkedEncodingError,
        urllib3.exceptions.ProtocolError,
        urllib3.exceptions.IncompleteRead,
        aiohttp.ClientPayloadError,
        http.client.IncompleteRead,
        ConnectionError,
    ],
}
GENERAL = [
    httpx.TransportError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    aiohttp.ClientError,
    OSError,
]


@pytest.mark.parametrize(
    ("kind", "expected"), [(kind, each) for kind, classes in CAUGHT.items() for each in classes + GENERAL]
)
def test_each_librarys_own_class_catches(kind, expected):
    """`except` of a library's exact class, and of its widest."""
    error = KINDS[kind]()
    with pytest.raises(expected):
        raise error


@pytest.mark.parametrize(
    ("kind", "others"),
    [
        ("reset", [TimeoutError, httpx.TimeoutException, requests.Timeout, http.client.HTTPException]),
        ("closed", [TimeoutError, httpx.NetworkError, requests.Timeout]),
        ("timeout", [ConnectionError, httpx.NetworkError, requests.ConnectionError, aiohttp.ClientOSError]),
        (
            "cut",
            [
                ConnectionResetError,
                TimeoutError,
                requests.ConnectionError,
                httpx.NetworkError,
                aiohttp.ClientConnectionError,
            ],
        ),
    ],
)
def test_other_kinds_do_not_catch(kind, others):
    """A retry on time-outs only does not retry a reset, and so on."""
    assert [each for each in others if isinstance(KINDS[kind](), each)] == []


@pytest.mark.parametrize(
    ("kind", "text", "number"),
    [
        ("reset", "[Errno {}] Connection reset by peer", errno.ECONNRESET),
        ("closed", "Remote end closed connection without response", None),
        ("timeout", "Read timed out", None),
        ("cut", "Connection closed after 3 of 10 bytes of the body", None),
    ],
)
def test_the_text_says_what_happened_and_who_did_it(kind, text, number):
    """Readable alone in a log; the rule's name where there is one."""
    error = KINDS[kind]("slow")
    said = f"{text.format(errno.ECONNRESET)} (injected by faultinject, rule slow)"
    shown = f"{type(error).__name__}({', '.join(map(repr, error.args))})"
    assert (str(error), error.errno, repr(error)) == (said, number, shown)


def test_attributes_that_users_of_the_libraries_read(make):
    """No library's constructor has run, but nothing that it would have set is missing."""
    error = make()
    assert (error.request, error.response) == (None, None)
    error.request = request = httpx.Request("GET", "http://app/")
    assert (error.request, make().request) == (request, None)


MADE = "(injected by faultinject, rule rule-1)"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("timeout", {"pool": None, "url": None}),
        ("closed", {"line": "", "message": f"Remote end closed connection without response {MADE}"}),
        ("reset", {"strerror": f"Connection reset by peer {MADE}"}),
        ("cut", {"partial": 3, "expected": 7}),
    ],
)
def test_attributes_of_one_kind(kind, told):
    """As the library of that class documents them; `expected` is what was still to come."""
    error = KINDS[kind]()
    assert {name: getattr(error, name) for name in told} == told


def test_a_cut_of_an_unknown_length():
    """Nobody knows what was still to come."""
    error = cut_error(length=False)
    text = f"Connection closed after 3 bytes of the body {MADE}"
    assert (error.partial, error.expected, str(error)) == (3, None, text)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_copies_and_pickles(make, clone):
    """Everything comes along, also what was set later."""
    error = make("slow")
    error.add_note("second try")
    copied, same = ((type(each), each.args, vars(each), str(each)) for each in (clone(error), error))
    assert (copied, copied[2]["__notes__"]) == (same, ["second try"])


BARE = """
import io, pickle, sys
from faultinject import Injector, WSGIFaultMiddleware

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"0123456789"]

def error_of(rule):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/a", "wsgi.input": io.BytesIO(), "wsgi.version": (1, 0)}
    try:
        b"".join(WSGIFaultMiddleware(app, injector=Injector(rule, seed=1, environ={}))(environ, lambda *_: None))
    except OSError as error:
        return error

if len(sys.argv) > 1:
    made = [pickle.loads(bytes.fromhex(each)) for each in sys.argv[1:]]
else:
    made = [error_of(each) for each in ("reset", "close", "hang", "truncate,keep_bytes=3")]
libraries = {"httpx", "httpx2", "requests", "urllib3", "aiohttp", "http"}
assert not libraries & set(sys.modules), libraries & set(sys.modules)
for each in made:
    print(*(cls.__name__ for cls in type(each).__mro__), "|", each)
"""
PLAINEST = """\
InjectedReset Injected ConnectionResetError ConnectionError OSError Exception BaseException object | \
[Errno {}] Connection reset by peer (injected by faultinject, rule rule-1)
InjectedClose Injected ConnectionResetError ConnectionError OSError Exception BaseException object | \
Remote end closed connection without response (injected by faultinject, rule rule-1)
InjectedTimeout Injected TimeoutError OSError Exception BaseException object | \
Read timed out (injected by faultinject, rule rule-1)
InjectedCut Injected ConnectionError OSError Exception BaseException object | \
Connection closed after {} of the body (injected by faultinject, rule rule-1)
"""


@pytest.mark.parametrize(
    ("kinds", "size"),
    [
        # Nothing is imported for an error: without a client it is the operating system's.
        ([], "3 bytes"),
        # A process that collects errors need not have the client.
        (KINDS, "3 of 10 bytes"),
    ],
    ids=["made there", "pickles"],
)
def test_with_no_library_loaded_they_are_plain(kinds, size):
    """Errors that are made there, and pickles from a process that has the libraries."""
    command = [sys.executable, "-c", BARE, *(pickle.dumps(KINDS[each]()).hex() for each in kinds)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert found.stdout == PLAINEST.format(errno.ECONNRESET, size)


@pytest.mark.parametrize("kind", KINDS)
def test_httpx2_is_a_library_like_httpx(monkeypatch, kind):
    """Starlette's client is one of it; what is loaded at the time of the error counts."""
    name = CAUGHT[kind][0].__name__
    theirs = type(name, (OSError,), {"__str__": lambda error: error.theirs})
    assert not isinstance(KINDS[kind](), theirs)
    monkeypatch.setitem(sys.modules, "httpx2", SimpleNamespace(**{name: theirs}))
    error = KINDS[kind]()
    assert {theirs, CAUGHT[kind][0]} <= {*type(error).__mro__}
    assert "injected by faultinject" in str(error)


@pytest.mark.parametrize(
    ("name", "module", "make", "stays", "goes"),
    [
        # An older aiohttp has no class of its own for a time-out while reading.
        (
            "aiohttp.client_exceptions",
            SimpleNamespace(ServerTimeoutError=aiohttp.ServerTimeoutError),
            timeout_error,
            aiohttp.ServerTimeoutError,
            aiohttp.SocketTimeoutError,
        ),
        # Without urllib3 the cut is still `http.client`'s.
        ("urllib3.exceptions", None, cut_error, http.client.IncompleteRead, urllib3.exceptions.HTTPError),
    ],
    ids=["an older aiohttp", "the standard library alone"],
)
def test_a_library_that_lacks_a_class(monkeypatch, name, module, make, stays, goes):
    """The class of another library, or a wider one, still catches it."""
    monkeypatch.setitem(sys.modules, name, module)
    assert (isinstance(make(), stays), isinstance(make(), goes)) == (True, False)


@pytest.mark.parametrize(
    "module",
    [
        *(
            SimpleNamespace(ReadError=error)
            for error in (
                type("ReadError", (UnicodeDecodeError,), {}),
                type("ReadError", (BaseException,), {}),
                "text",
                httpx.ReadError,
            )
        ),
        None,
    ],
    ids=["layout", "no exception", "no class", "another one's", "blocked"],
)
def test_what_cannot_be_a_base_is_left_out(monkeypatch, module):
    """One odd library costs its own class only, not the others'."""
    monkeypatch.setitem(sys.modules, "httpx2", module)
    classes = type(reset_error()).__mro__
    assert {*CAUGHT["reset"]} <= {*classes}
    assert [each.__name__ for each in classes].count("ReadError") == 1
