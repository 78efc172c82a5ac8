"""Real servers and raw sockets: what leaves the machine, byte by byte, and what hostile requests do."""

from __future__ import annotations

import json
import re
import socket
import threading
from xml.etree import ElementTree

import pytest

from faultinject import ASGIFaultMiddleware, Injector, Rule, WSGIFaultMiddleware
from tests.pairs import pairs

from . import live

pytestmark = pytest.mark.live


def wsgi_app(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"app"]


async def asgi_app(scope, receive, send):
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"3")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"app"})


def werkzeug_server(injector):
    return live.werkzeug_server(WSGIFaultMiddleware(wsgi_app, injector=injector))


def waitress_server(injector):
    return live.waitress_server(WSGIFaultMiddleware(wsgi_app, injector=injector))


def uvicorn_server(injector):
    app = ASGIFaultMiddleware(asgi_app, injector=injector)
    return live.uvicorn_server(app, h11_max_incomplete_event_size=300_000)


class Connection:
    """A client that sends bytes and reads one answer after the other."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")

    def ask(self, data, *, head=False):
        self.socket.sendall(data)
        status = self.file.readline()
        if status[:5] != b"HTTP/":
            return ["HTTP/0.9", "", ""], {}, status + self.file.read()
        assert re.fullmatch(rb"HTTP/1\.[01] \d{3} ?[^\r\n]*\r\n", status), status
        headers = []
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, colon, value = line.rstrip(b"\r\n").partition(b":")
            assert colon
            headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
        fields = dict(headers)
        code = int(status.split()[1])
        if head or code in (204, 304):
            body = b""
        elif "content-length" in fields:
            body = self.file.read(int(fields["content-length"]))
            assert len(body) == int(fields["content-length"])
        elif fields.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.file.readline(), 16):
                body += self.file.read(size)
                self.file.readline()
            self.file.readline()
        else:
            body = self.file.read()
        return status.decode("latin-1").split(None, 2), fields, body

    def close(self):
        self.file.close()
        self.socket.close()


SERVERS = {"werkzeug": werkzeug_server, "waitress": waitress_server, "uvicorn": uvicorn_server}
SANITY = [
    Rule("cos:SlowDown", path="slow/", name="slow"),
    Rule("cos:SlowDown", status=567, path="odd/", name="odd"),
    Rule("cos:SlowDown", status=204, path="empty/", name="empty"),
    Rule("cos:SlowDown", status=205, path="reset/", name="reset"),
    Rule("cos:SlowDown", status=304, path="same/", name="same"),
    Rule("http:503", when="after", path="after/", name="after"),
]


def check_sanity(port):
    """A connection, kept while the server keeps it, through everything that could leave it out of step."""
    client = Connection(port)

    def ask(method, target, body=b""):
        nonlocal client
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n"
        answer = client.ask(head.encode() + body, head=method == "HEAD")
        if answer[1].get("connection") == "close":
            assert client.file.read() == b""
            client.close()
            client = Connection(port)
        return answer

    try:
        for _ in range(2):
            status, headers, body = ask("GET", "/slow/a")
            assert (status[1], headers["x-faultinject"]) == ("503", "slow")
            assert ElementTree.fromstring(body)[0].text == "SlowDown"
            status, of_head, _ = ask("HEAD", "/slow/a")
            assert (status[1], of_head["content-length"]) == ("503", headers["content-length"])
            status, headers, body = ask("PUT", "/slow/a", b"x" * 200_000)
            assert (status[1], len(body)) == ("503", int(headers["content-length"]))
            for target, code in (
                ("/odd/a", "567"),
                ("/empty/a", "204"),
                ("/reset/a", "205"),
                ("/same/a", "304"),
            ):
                assert ask("GET", target)[0][1] == code
                assert ask("HEAD", target)[0][1] == code
            assert ask("GET", "/after/a")[0][1] == "503"
            assert ask("PUT", "/after/a", b"data")[0][1] == "503"
            assert ask("HEAD", "/after/a")[0][1] == "503"
            assert ask("GET", "/else")[2] == b"app"
    finally:
        client.close()


@pytest.mark.parametrize("server", SERVERS)
def test_keep_alive_stays_in_step(server):
    """HEAD, 204, 205, 304, 567, uploads and `after` on one connection: not a byte too many or too few."""
    injector = Injector(SANITY, seed=1, environ={})
    with SERVERS[server](injector) as port:
        check_sanity(port)
    assert injector.errors == []
    assert {each.did for each in injector.journal.outcomes} == {"answered"}
    assert len(injector.journal.outcomes) == 2 * 14


LONG = b"/" + b"p" * 100_000
TARGETS = {
    "100 kB": LONG,
    "NUL": b"/a%00b",
    "a raw NUL": b"/a\x00b",
    "CR LF": b"/a%0d%0aX-Evil:%201%0d%0a%0d%0abody",
    "a raw CR": b"/a\rX-Evil: 1",
    "markup": b"/<b>&'\"%3C%26%22",
    "invalid UTF-8": b"/%ff%fe%c3(",
    "raw bytes": b"/\xff\xc3\xbc",
    "an encoded slash": b"/a%2Fb%2fc",
    "dot segments": b"/../..//a/./b",
    "absolute form": b"http://evil.example/a?b",
    "empty": b"",
    "only a query": b"?a=b",
    "no slash": b"a",
    "asterisk": b"*",
    "percent": b"/%",
    "bidi": b"/%e2%80%ae%f0%9f%92%a9",
    "a long query": b"/a?" + b"q" * 50_000,
}
HEADS = {
    "plain": b"Host: 127.0.0.1\r\n",
    "IPv6": b"Host: [::1]:8080\r\n",
    "odd host": b"Host: a b<\xff>\r\n",
    "tokens": b"Host: h\r\nAuthorization: Bearer SECRET\r\nCookie: s=SECRET\r\nX-Amz-Security-Token: SECRET\r\n",
}
# What a server itself says to what it does not take for HTTP.
OWN = {"400", "404", "413", "414", "431", "500", "501", "505"}


@pytest.fixture(scope="module", params=SERVERS)
def hostile(request):
    """A server of each kind where every request gets each vendor's envelope in turn."""
    rules = [
        Rule("cos:SlowDown", header={"x-vendor": "cos"}),
        Rule("jss:SlowDown", header={"x-vendor": "jss"}),
        Rule("qiniu-mix:SlowDown", header={"x-vendor": "qiniu-mix"}),
    ]
    injector = Injector(rules, seed=1, environ={}, record_all=True)
    with SERVERS[request.param](injector) as port:
        yield injector, port


@pytest.mark.parametrize(
    ("hostile", "target", "head"),
    pairs(hostile=SERVERS, target=TARGETS, head=HEADS, alike={"head": lambda head: head == "plain"}),
    indirect=["hostile"],
)
def test_hostile_requests(hostile, target, head):
    """Answered by the server itself, or by us: well-formed, escaped, journalled without a secret."""
    injector, port = hostile
    for vendor in ("cos", "jss", "qiniu-mix"):
        injector.journal.clear()
        client = Connection(port)
        start = b"GET " + TARGETS[target] + b" HTTP/1.1\r\nx-vendor: " + vendor.encode() + b"\r\n"
        try:
            status, headers, body = client.ask(start + HEADS[head] + b"Connection: close\r\n\r\n")
        finally:
            client.close()
        assert "x-evil" not in headers
        outcomes = injector.journal.outcomes
        assert injector.errors == []
        if status[0] == "HTTP/0.9":  # what werkzeug takes a request line of two words for
            assert target == "empty"
            continue
        if "x-faultinject" not in headers:
            assert status[1] in OWN
            assert outcomes == []
            continue
        [outcome] = outcomes
        assert outcome.fault == f"{vendor}:SlowDown"
        if vendor == "cos":
            texts = [each.text for each in ElementTree.fromstring(body)]
        else:
            texts = list(json.loads(body).values())
        assert len(texts) in (4, 5)
        line = json.dumps(outcome.to_dict(), ensure_ascii=False)
        assert "SECRET" not in line
        assert len(outcome.path) <= 2048
        assert len(outcome.query) <= 2048


def test_no_host_and_http_1_0(hostile):
    """A request without a Host is one of an unknown host."""
    injector, port = hostile
    injector.journal.clear()
    client = Connection(port)
    status, _, _ = client.ask(b"GET /a HTTP/1.0\r\nx-vendor: cos\r\n\r\n")
    client.close()
    assert status[1] == "503"
    assert [each.host for each in injector.journal.outcomes] == [""]


WAITS = [
    "http:503,delay=1h",
    "latency,delay=1h",
    "http:503,delay=1h,when=after",
    "latency,delay=1h,when=after",
]


@pytest.mark.parametrize("rule", WAITS)
def test_a_wait_does_not_keep_uvicorn_from_its_end(rule):
    """uvicorn waits for what is under way when it is told to stop: the wait ends, the fault is given."""
    injector = Injector(rule, seed=1, environ={})
    begun = threading.Event()
    injector.journal.follow(lambda _: begun.set())
    statuses = []

    def ask(port):
        client = Connection(port)
        statuses.append(client.ask(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")[0][1])
        client.close()

    with uvicorn_server(injector) as port:
        client = threading.Thread(target=ask, args=(port,))
        client.start()
        assert begun.wait(60)
    client.join(60)
    assert statuses == ["200" if rule.startswith("latency") else "503"]
