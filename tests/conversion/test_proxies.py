"""A real Envoy accepts the configurations, and gives the faults as often as the rules say."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from werkzeug.test import Client as Middleware

from faultinject import Rule, install, vendors
from tests.asking import app as well
from tests.ports import ReservedPort
from tests.until import STARTS_WITHIN

pytestmark = pytest.mark.live

REQUESTS, CHANCE = 2000, 0.3
LIKELY = 5 * (REQUESTS * CHANCE * (1 - CHANCE)) ** 0.5
"""Five standard deviations."""
ODD = "a\"b'c$d ${e} ;f%g %[path] %REQ(x)% {h}#i\\j\n}\nserver { <é> \t|k"
ODD_HEADER = '\'%[path] %REQ(x)% "$y" {z}; \\n #'


class App(BaseHTTPRequestHandler):
    """Says that it has been asked; a longer answer below /long."""

    protocol_version = "HTTP/1.1"
    # It writes head and body apart: else the body of each answer waits until the proxy has acknowledged the head, for
    # 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"app" if self.path != "/long" else bytes(6000)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_DELETE = do_PATCH = do_GET

    def log_message(self, *_):
        """Nothing."""


class AppServer(ThreadingHTTPServer):
    """A server that logs nothing if a proxy breaks its connection: tests compare the output."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture(scope="module")
def app():
    """The address of an app."""
    server = AppServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def commands(path):
    """The command that checks a configuration, and the command that runs Envoy with it."""
    where = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))
    program = shutil.which("envoy", path=where)
    if program is None:
        pytest.skip("needs envoy")
    usual = [program, "-c", path, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"]
    return [*usual, "--mode", "validate"], usual


@pytest.fixture
def proxy(export, app, tmp_path):
    """Run Envoy with these rules; a function that asks it."""

    @contextmanager
    def run(*rules):
        with ReservedPort() as port:
            found = export("envoy", *rules, listen=f"127.0.0.1:{port}", upstream=app)
            path = tmp_path / "proxy.yaml"
            path.write_text(found.text, encoding="utf-8")
            check, start = commands(path)
            checked = subprocess.run(
                check, capture_output=True, text=True, timeout=STARTS_WITHIN, check=False
            )
            assert checked.returncode == 0, checked.stdout + checked.stderr
            process = subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                end = time.monotonic() + STARTS_WITHIN
                while True:
                    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                        break
                    assert process.poll() is None
                    assert time.monotonic() < end
                    time.sleep(0.05)
                client = Client(port)
                try:
                    yield client
                finally:
                    client.close()
            finally:
                process.terminate()
                process.wait(STARTS_WITHIN)

    return run


class Client:
    """Asks a proxy over one connection, as long as that lasts."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STARTS_WITHIN)

    def close(self):
        """End the connection."""
        self._connection.close()

    def __call__(self, method, target, body=None, **headers):
        """Status, headers and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self._connection.request(method, target, body, named)
            answer = self._connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise


def test_answers_to_requests_that_are_meant(proxy):
    """Exactly the requests that are meant get the vendor's status, headers and body.

    The app answers the rest.
    """
    rules = (
        str(Rule("cos:SlowDown", method="PUT", path="photos/", retry_after=2, set={"x-odd": ODD_HEADER})),
        'http:502,query.up="a b",unless.header.x-a=b*c,host=127.0.*',
        "s3:InternalError,method=GET,bucket=b1,unless.query.acl=",
        "http:501,header.x-there=",
    )
    with proxy(*rules) as ask:
        status, headers, body = ask("PUT", "/photos/a", b"xx")
        given = {
            "content-type": "application/xml",
            "retry-after": "2",
            "x-faultinject": "rule-1",
            "x-odd": ODD_HEADER,
        }
        assert (status, {name: headers[name] for name in given}) == (503, given)
        [row] = [each for each in vendors.get("cos").errors if each.label == "SlowDown"]
        assert f"\t<Code>SlowDown</Code>\n\t<Message>{row.message}</Message>".encode() in body
        assert headers["x-cos-request-id"].encode() in body
        statuses = {
            ("GET", "/photos/a"): 200,
            ("GET", "/x?up=a%20b"): 502,
            ("GET", "/x?y&up=a+b&z"): 502,
            ("GET", "/x?up=ab"): 200,
            ("GET", "/x?sup=a%20b"): 200,
            ("GET", "/b1/k"): 500,
            ("GET", "/b1/k/l?versionId=1"): 500,
            ("GET", "/b1/k?acl"): 200,
            ("GET", "/b1"): 500,
            ("GET", "/b2/k"): 200,
            ("GET", "/"): 200,
        }
        assert {each: ask(*each)[0] for each in statuses} == statuses
        assert ask("GET", "/x?up=a%20b", x_a="bcc")[0] == 200
        assert ask("GET", "/x?up=a%20b", x_a="bc1")[0] == 502
        assert ask("GET", "/x", x_there="1")[0] == 501


def test_nothing_of_a_text_is_configuration(proxy):
    """Quotes, `$`, `;`, a line's end, `%` and brackets in texts are no configuration."""
    path = "p\"q$r;s%t{u} v#w\\x'y(z)"
    with proxy(str(Rule("http:503", message=ODD, path=f"={path}"))) as ask:
        encoded = "".join(f"%{byte:02X}" if not chr(byte).isalnum() else chr(byte) for byte in path.encode())
        status, _, body = ask("GET", f"/{encoded}")
        assert (status, body.decode()) == (503, ODD)
        assert ask("GET", "/p")[0] == 200


def test_paths_are_read_as_they_are_sent(proxy):
    """Two slashes, dots, an encoded slash and a line's end make another path.

    The middleware does the same. No path is the proxy's own.
    """
    rules = (
        "http:501,path==/a//b",
        "http:502,path=/c/d",
        "http:503,path=/o/*/x",
        "http:504,path=/p/?/x",
        "http:505,unless.path=**,path=/",
    )
    targets = [
        "/a//b", "/a/b", "//c/d", "/c//d", "/x/../c/d", "/c/./d", "/c%2Fd", "/c/d%0A", "/c/d", "/c/d?e", "/o/a%2Fb/x", "/o/a/b/x",
        "/p/%20/x", "/p/%C3%A9/x", "/p/ab/x", "/faultinject/1",
    ]  # fmt: skip
    here = Middleware(install(well, " ".join(rules), enabled=True))
    with proxy(*rules) as ask:
        found = {each: ask("GET", each)[0] for each in targets}
    assert found == {each: here.get(each).status_code for each in targets}


def test_an_answer_without_a_text(proxy):
    """Has none: no page of the proxy's own, whatever its status means to the proxy."""
    with proxy("http:503,message=,path=a", "http:499,message=,path=b", "http:418,set.x$y=1,set.x'z=2,path=c") as ask:  # fmt: skip
        assert ask("GET", "/a")[::2] == (503, b"")
        assert ask("GET", "/b")[::2] == (499, b"")
        status, headers, _ = ask("GET", "/c")
        assert (status, headers["x$y"], headers["x'z"]) == (418, "1", "2")


def test_a_header_without_a_value(proxy):
    """It comes, as the others do."""
    with proxy("http:503,set.x-e=,set.x-f=1") as ask:
        status, headers, _ = ask("GET", "/")
    assert (status, headers["x-e"], headers["x-f"]) == (503, "", "1")


def test_the_name_of_the_server(proxy, export):
    """An answer has one, that of the rule."""
    rules = ("http:503,set.server=ours,path=a", "http:503,path=b")
    with proxy(*rules) as ask:
        answers = {path: ask("GET", path)[1].get_all("server") for path in ("/a", "/b", "/app")}
    assert export("envoy", *rules).told("left out") == []
    assert answers["/a"] == ["ours"]
    assert answers["/app"][0].startswith("BaseHTTP")


def test_buckets_and_keys_are_those_of_the_middleware(proxy):
    """Told by the path: a proxy answers a request as the middleware does."""
    rules = (
        "http:503,method=PUT,key=a/",
        "http:504,bucket==b1,header.x-amz-copy-source=",
        "http:505,query.partNumber=,key==k",
        "http:508,bucket=c,key=x/*.jpg",
        "http:509,bucket=d",
        "http:510,unless.header.x-copy=,method=PATCH",
    )
    requests = [
        (method, path + query, headers)
        for method in ("GET", "PUT", "PATCH")
        for path in (
            "/",
            "/b1",
            "/b1/",
            "/b2/a/k",
            "/b1/k",
            "/c/x/y.jpg",
            "/c/x/y/z.jpg",
            "/d",
            "/d/e/f",
            "/dd/e",
        )
        for query in ("", "?acl", "?list-type=2", "?partNumber=1&uploadId=x", "?prefix=a")
        for headers in ({}, {"x-amz-copy-source": "/a/b", "x-copy": "1"})
    ]
    with_faults = install(well, " ".join(rules), enabled=True)
    here = Middleware(with_faults)
    with proxy(*rules) as ask:
        for method, path, headers in requests:
            expected = here.open(path, method=method, headers=headers).status_code
            assert (method, path, headers, ask(method, path, **headers)[0]) == (
                method,
                path,
                headers,
                expected,
            )


@pytest.mark.slow
def test_the_rate(proxy):
    """As many requests fail as the probability says, within five deviations, and none at 0."""
    with proxy("http:500,probability=0", f"http:503,probability={CHANCE}") as ask:
        statuses = [ask("GET", "/x")[0] for _ in range(REQUESTS)]
    assert {*statuses} == {200, 503}
    assert abs(statuses.count(503) - REQUESTS * CHANCE) < LIKELY


def test_slow_answers(proxy):
    """The app's own, at the rate."""
    with proxy("drip,rate=2KiB,path=long") as ask:
        begin = time.monotonic()
        assert ask("GET", "/long")[::2] == (200, bytes(6000))
        assert time.monotonic() - begin >= 1


def test_waits(proxy):
    """Of the app's answer and of an injected one."""
    with proxy("latency,delay=500ms..900ms,path=late", "http:503,delay=700ms,method=PUT") as ask:
        for method, status in (("GET", 200), ("PUT", 503)):
            begin = time.monotonic()
            assert ask(method, "/late" if method == "GET" else "/x")[0] == status
            assert time.monotonic() - begin >= 0.65
