"""A server behind that is down, slow, resets, speaks an older HTTP, or none."""

import asyncio
import socket
import threading
from contextlib import ExitStack

import pytest

from faultinject.proxy.target import Target
from faultinject.proxy.upstream import LIMITS
from tests.ports import ReservedPort
from tests.refusals import refusal
from tests.until import until

from .conftest import ask, busy, by_reset, exchange, hears_nothing, saying, some, up_to

pytestmark = pytest.mark.live

REQUEST = b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n"
ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
EARLY = b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
UPLOAD = b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n"
EXPECTING = UPLOAD.replace(b"Host: h\r\n", b"Host: h\r\nExpect: 100-continue\r\n")


@pytest.fixture
def down():
    """The port of a server that is down."""
    with ReservedPort() as port:
        yield port


def told(got):
    """The status of an answer, and its body."""
    return int(got[9:12]), got.partition(b"\r\n\r\n")[2].decode()


def test_it_is_down(front, caplog, down):
    """The answer and the log say so, and the client's connection ends."""
    got, end = exchange(front(f"http://127.0.0.1:{down}"), REQUEST)
    why = f"faultinject: http://127.0.0.1:{down} cannot be reached: it refuses connections"
    assert (got[:26], b"connection: close" in got, end) == (b"HTTP/1.1 502 Bad Gateway\r\n", True, "FIN")
    assert (told(got), why in caplog.messages) == ((502, f"{why}\n"), True)


@pytest.mark.parametrize("host", ["255.255.255.255", "a" * 64], ids=["no address", "no name"])
def test_it_cannot_be_reached(front, host):
    """By what the system says, or the name alone."""
    status, why = told(exchange(front(f"http://{host}:9"), REQUEST)[0])
    assert (status, f"faultinject: http://{host}:9 cannot be reached: " in why) == (502, True)


def test_it_takes_no_connection(front, monkeypatch):
    """There is an end to the wait."""
    monkeypatch.setattr(LIMITS, "connect", 0.2)
    with ExitStack() as stack:
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0)).getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        got, _ = exchange(front(f"http://127.0.0.1:{port}"), REQUEST)
    assert told(got) == (504, f"faultinject: http://127.0.0.1:{port} accepted no connection within 0.2 s\n")


def test_it_says_nothing(through, monkeypatch):
    """There is an end to that as well."""
    monkeypatch.setattr(LIMITS, "silent", 0.2)
    got, _, server = through(saying(), REQUEST)
    assert told(got) == (504, f"faultinject: {server.url} sent nothing for 0.2 s\n")


def test_it_takes_nothing(connected, monkeypatch):
    """The client is told so, however much it has still to send."""
    monkeypatch.setattr(LIMITS, "lingers", 600)
    monkeypatch.setattr(LIMITS, "silent", 0.2)
    over = threading.Event()
    with connected(lambda talk: over.wait(60)) as (client, server):
        client.sendall(UPLOAD.replace(b"200000", b"90000000"))
        for _ in range(90):
            client.sendall(b"x" * 1_000_000)
        got = some(client, None)
    over.set()
    assert told(got) == (504, f"faultinject: {server.url} accepted no bytes for 0.2 s\n")


@pytest.mark.parametrize("answers", [True, False])
def test_a_request_takes_long(connected, monkeypatch, answers):
    """A server that waits for the rest is not silent, however long; it may be so behind it."""
    monkeypatch.setattr(LIMITS, "silent", 0.2)
    goes_on = threading.Event()
    with connected(lambda talk: (talk.request(), goes_on.wait(60), talk.say(ANSWERED))) as (client, _):
        client.sendall(UPLOAD + b"x" * 100_000)
        for _ in range(2):
            hears_nothing(client)
        if answers:
            monkeypatch.setattr(LIMITS, "silent", 600)
        client.sendall(b"x" * 100_000)
        if answers:
            hears_nothing(client)  # its time begins with its last byte
        else:
            assert some(client, 12) == b"HTTP/1.1 504"
        goes_on.set()
        assert not answers or some(client, len(ANSWERED)) == ANSWERED


@pytest.mark.slow
def test_it_breaks_the_connection_while_the_client_sends(connected, caplog):
    """A client that sends first and reads later gets the begun answer and its end."""

    def play(talk):
        talk.until(b"\r\n\r\n")
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        talk.connection.settimeout(2)
        sent = 0
        while sent < 200_000_000:
            try:
                sent += talk.connection.send(b"x" * 100_000)
            except TimeoutError:
                if sent > 2_000_000:  # all buffers on the way are full; a proxy that is only late takes more
                    full.set()
                    break
        talk.end("RST")

    full = threading.Event()
    with connected(play) as (client, server):
        client.sendall(UPLOAD.replace(b"200000", b"90000000"))
        for _ in range(90):
            client.sendall(b"x" * 1_000_000)
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        with pytest.raises(ConnectionResetError):
            while client.recv(1_000_000):
                pass
    assert full.is_set()
    [told] = caplog.messages
    assert told.startswith(f"faultinject: {server.url} broke the connection")


@pytest.mark.parametrize("before", [b"", ANSWERED], ids=["at first", "later"])
@pytest.mark.parametrize("end", ["FIN", "RST"])
@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_it_ends_the_connection(through, caplog, before, said, end):
    """The client sees the same end at the same place as without us; the log names the server."""

    def play(talk):
        if before:
            saying(before)(talk)
        saying(said, end)(talk)

    got, seen, server = through(play, REQUEST * 2 if before else REQUEST)
    assert (seen, got[: len(before)]) == (end, before)
    [told] = caplog.messages
    ways = (" ended the connection ", " broke the connection: ")
    assert told.startswith(tuple(f"faultinject: {server.url}{way}" for way in ways))
    if said.endswith(b"abc") and end == "FIN":
        assert got == before + said
    else:
        assert said.startswith(got.removeprefix(before))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "is not HTTP: "), (b"\0\0\0\0\r\n\r\n", "is not HTTP: "),
        (b"HTTP/1.1 200\r\nno colon\r\n\r\n", "is not HTTP: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "is not HTTP: "),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
         "{url} goes on with another protocol (101), which nobody has asked for\n"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000 + b"\r\n\r\n",
         "the answer of {url} has a head of more than 262,144 bytes, the most that this proxy reads\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
         "the answer of {url} has another Transfer-Encoding than chunked, which does not go through this proxy\n"),
        (b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=SECRET\0\r\nContent-Length: 0\r\n\r\n",
         "faultinject: the answer of {url} is not HTTP: illegal header line: …\n"),
        (b"HTTP/1.1 200 OK\r\nAuthorization SECRET\r\n\r\n", "faultinject: the answer of {url} is not HTTP: illegal header line: …\n"),
        (b"SECRET that's of another body's\r\n\r\n", "faultinject: the answer of {url} is not HTTP: illegal status line: …\n"),
    ],
    ids=["another protocol", "zeros", "no colon", "two lengths", "switching", "a long head", "another encoding",
         "a secret value", "a secret without a colon", "a secret status line"],
)  # fmt: skip
def test_what_cannot_go_on(through, caplog, said, why):
    """The client is told so, and why; what was said is repeated neither to it nor in the log."""
    got, _, server = through(saying(said), REQUEST)
    assert got.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert why.format(url=server.url).encode() in got
    assert "SECRET" not in caplog.text + got.decode()


def test_a_chunk_that_is_none(through):
    """Nothing can be said any more: the connection is reset."""
    play = saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
    got, end, _ = through(play, REQUEST)
    assert (end, b"0\r\n\r\n" in got) == ("RST", False)


def test_it_says_more_than_it_has_said(through):
    """The answer has its length, the excess is dropped, and the next request opens a connection."""
    play = saying(ANSWERED + b"HTTP/1.1 500 Evil\r\n\r\n")
    got, _, server = through(play, REQUEST * 2, reads=2 * len(ANSWERED))
    assert (got, len(server.sent)) == (ANSWERED * 2, 2)


@pytest.mark.parametrize(
    "last", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"], ids=["", "with a word"]
)
def test_it_ends_a_connection_between_two_requests(connected, last):
    """The client keeps its own: its next request goes by another one, and gets its own answer."""
    ended = threading.Event()
    with connected(saying(ANSWERED, last, "FIN", ended.set), saying(ANSWERED)) as (client, server):
        assert ask(client, REQUEST, len(ANSWERED)) == ANSWERED
        assert ended.wait(60)
        assert ask(client, REQUEST, len(ANSWERED)) == ANSWERED
    assert [bytes(each) for each in server.sent] == [REQUEST] * 2


@pytest.mark.parametrize(
    ("target", "more", "status"),
    [
        (b"/k", b"Expect: 1\r\n", 413), (b"/k", b"", 413), (b"/down", b"", 502), (b"http://other/k", b"", 421),
        (b"/k", b"X: " + b"x" * 900_000, 431),
    ],
    ids=["early, another expectation", "early", "down", "another server", "a long head"],
)  # fmt: skip
def test_an_answer_while_the_client_sends(behind, front, down, target, more, status):
    """It can be read whole, however much is sent behind it: no reset destroys it."""
    url = f"http://127.0.0.1:{down}" if target == b"/down" else behind(saying(EARLY)).url
    request = b"PUT %b HTTP/1.1\r\nHost: h\r\n%bContent-Length: 90000000\r\n\r\n" % (target, more)
    with front(url).connect() as client:
        got = ask(client, request + b"x" * 1000, None)
        for _ in range(20):
            client.sendall(b"x" * 1_000_000)
    assert (told(got)[0], b"onnection: close\r\n" in got) == (status, True)


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_an_answer_and_the_end_come_while_the_proxy_is_busy(behind, front, caplog, loop, pieces):
    """The answer arrives although the loop reads it late, and the upload meets a reset."""
    told, ended = threading.Event(), threading.Event()
    url = behind(saying(told, EARLY, "FIN", ended.set)).url
    with front(url, around=busy(told, ended, pieces), loop=loop).connect() as client:
        got = ask(client, UPLOAD + b"x" * 200_000, None)
    assert (got, caplog.messages) == (EARLY, [])


def test_the_secret_for_a_proxy(behind, front):
    """Proxy-Authorization, from the URL in HTTP_PROXY, is not sent to the server."""
    server = behind(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    host = server.url.removeprefix("http://").encode()
    exchange(
        front(server.url),
        b"GET http://%b/k HTTP/1.1\r\nHost: %b\r\nProxy-Authorization: Basic dTpw\r\nAuthorization: x\r\n\r\n"
        % (host, host),
    )
    assert bytes(server.sent[0]) == b"GET /k HTTP/1.1\r\nHost: %b\r\nAuthorization: x\r\n\r\n" % host


def test_who_sends_without_end(behind, either, monkeypatch):
    """Behind an answer so much is taken and dropped, and then no more."""
    monkeypatch.setattr(LIMITS, "dropped", 1_000_000)
    monkeypatch.setattr(LIMITS, "lingers", 600)
    with either(behind(saying(EARLY)).url).connect() as client:
        client.sendall(UPLOAD.replace(b"200000", b"90000000"))
        up_to(client, EARLY)
        with pytest.raises(OSError):
            for _ in range(90):
                client.sendall(b"x" * 1_000_000)


@pytest.mark.parametrize(
    ("request_", "answer"), [(UPLOAD, EARLY), (REQUEST, ANSWERED)], ids=["it sends", "it is idle"]
)
@pytest.mark.usefixtures("no_complaint")
def test_the_proxy_ends_behind_an_answer(behind, front, either, monkeypatch, request_, answer):
    """The proxy's end does not wait for a client that has its answer, and logs nothing."""
    monkeypatch.setattr(LIMITS, "lingers", 600)
    with either(behind(saying(answer)).url, within=15).connect() as client:
        client.sendall(request_)
        up_to(client, answer)
        front.ends()


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "last"])
@pytest.mark.parametrize("before", [b"", ANSWERED[:-1], ANSWERED], ids=["all", "a part", "nothing"])
@pytest.mark.usefixtures("no_complaint")
def test_the_proxy_ends_while_a_request_is_under_way(behind, front, either, before, more):
    """Its client gets the rest of its answer, and need not say that it has seen the end."""
    asked, goes_on = threading.Event(), threading.Event()
    proxy = either(behind(saying(asked.set, before, goes_on, ANSWERED.removeprefix(before))).url, within=15)
    with proxy.connect() as client:
        client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n"))
        assert asked.wait(60)
        got = up_to(client, before[-4:])
        proxy.server.should_exit = True
        until(lambda: is_refused(proxy))
        goes_on.set()
        while not got.endswith(b"\r\n\r\na"):
            got += some(client, 1) or pytest.fail("it ends")
        front.ends()


def is_refused(proxy):
    """Whether the proxy takes no connections any more."""
    with socket.socket() as new:
        return new.connect_ex(("127.0.0.1", proxy.port)) != 0


@pytest.mark.parametrize("rule", ["close,drain=no", "reset,drain=no"])
def test_a_fault_ends_the_connection_while_the_client_sends(through, rule):
    """Nothing is said behind the end."""
    got, end, _ = through(saying(), UPLOAD + b"x", rule)
    assert (got, end) == (b"", "FIN" if "close" in rule else "RST")


@pytest.mark.slow
@pytest.mark.usefixtures("no_complaint")
def test_it_says_1xx_without_end(connected):
    """Endless 1xx answers to a client that reads nothing let the server wait; no memory grows.

    When the client leaves, nothing has gone wrong.
    """
    waits = threading.Event()
    head = b"HTTP/1.1 102 Processing\r\nX: %b\r\n\r\n" % (b"x" * 10_000)

    def play(talk):
        talk.until(b"\r\n\r\n")
        talk.connection.settimeout(3)
        try:
            for _ in range(100):
                talk.say(head * 100)
        except TimeoutError:
            waits.set()

    with connected(play, within=15) as (client, server):
        client.sendall(REQUEST)
        assert waits.wait(60)
    assert server.left.acquire(timeout=60)


@pytest.mark.parametrize("request_", [UPLOAD + b"x" * 1000, EXPECTING], ids=["it sends", "it waits for 100"])
def test_the_client_leaves(connected, caplog, request_):
    """If the client leaves before the answer, the server sees it and is blamed for nothing."""
    asked = threading.Event()
    with connected(saying(asked.set)) as (client, server):
        client.sendall(request_)
        assert asked.wait(60)
    assert server.left.acquire(timeout=20)
    assert (server.ended, caplog.messages) == (["FIN"], [])


@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_the_client_leaves_before_the_proxy_has_looked(behind, front, caplog, loop):
    """With a request, and by a reset, which leaves the connection without an address."""
    busy_now, left, asked = threading.Event(), threading.Event(), threading.Event()

    async def busy(proxy, scope, receive, send):
        if scope["path"] == "/busy":
            busy_now.set()
            assert left.wait(60)  # in the loop's own thread
        else:
            asked.set()
        await proxy(scope, receive, send)

    proxy = front(behind(saying(ANSWERED)).url, around=busy, loop=loop)
    with proxy.connect() as client:
        client.sendall(REQUEST.replace(b"/k", b"/busy"))
        assert busy_now.wait(60)
        with proxy.connect() as other:
            by_reset(other)
            other.sendall(REQUEST)
        left.set()
        assert some(client, len(ANSWERED)) == ANSWERED
    assert asked.wait(60)
    front.ends()
    assert caplog.messages == []


def test_the_client_leaves_an_upload_that_is_stuck(behind, front, caplog):
    """If a client leaves a stuck upload, the server's later end is not blamed on the server."""
    asked, left = threading.Event(), threading.Event()

    async def gives_much(proxy, scope, _, send):
        async def much():
            return {"type": "http.request", "body": bytes(64 << 20), "more_body": True}

        await proxy(scope, much, send)

    server = behind(saying(asked.set, left, "RST"))
    proxy = front(server.url, around=gives_much)
    with proxy.connect() as client:
        by_reset(client)
        client.sendall(b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 67108865\r\n\r\n")
        assert asked.wait(60)
    until(lambda: not proxy.server.server_state.connections)
    left.set()
    assert server.left.acquire(timeout=20)
    front.ends()
    assert caplog.messages == []


def test_the_client_leaves_before_there_is_a_connection(behind, front, monkeypatch):
    """A connection that opens after the client has left is closed at once.

    Nobody will ever say that the body may come.
    """
    under_way = threading.Event()
    connect = asyncio.open_connection

    async def slow(*arguments, **more):
        found = await connect(*arguments, **more)
        under_way.set()
        while proxy.server.server_state.connections:
            await asyncio.sleep(0.01)
        return found

    monkeypatch.setattr(asyncio, "open_connection", slow)
    server = behind(lambda talk: None)
    proxy = front(server.url)
    with proxy.connect() as client:
        client.sendall(EXPECTING)
        assert under_way.wait(60)
    assert server.left.acquire(timeout=20)


def test_it_ends_a_connection_while_a_fault_keeps_the_next_request(connected):
    """The server's early end is hidden: the request and its body go by another connection."""
    waits, go_on = threading.Event(), threading.Event()

    async def slow(proxy, scope, receive, send):
        if scope["method"] == "PUT":
            waits.set()
            await asyncio.to_thread(go_on.wait, 60)
        await proxy(scope, receive, send)

    plays = saying(ANSWERED, waits, "FIN"), saying(ANSWERED, until=b"x" * 200_000)
    with connected(*plays, around=slow) as (client, server):
        assert ask(client, REQUEST, len(ANSWERED)) == ANSWERED
        client.sendall(UPLOAD)
        hears_nothing(client)
        go_on.set()
        assert ask(client, b"x" * 200_000, len(ANSWERED)) == ANSWERED
    assert [bytes(each) for each in server.sent] == [REQUEST, UPLOAD + b"x" * 200_000]


def test_the_proxy_ends(behind, front):
    """In the middle of an answer: the client is not told that this was all of it."""
    with front(behind(saying(b"HTTP/1.1 200 OK\r\n\r\nabc")).url, within=0.1).connect() as client:
        client.sendall(REQUEST)
        got = client.recv(1000)
        front.ends()
        with pytest.raises(ConnectionResetError):
            while piece := client.recv(1000):
                got += piece
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_app_around_it_waits_no_longer(through):
    """It may give an answer of its own: the connection is still there."""

    async def patient(proxy, scope, receive, send):
        try:
            async with asyncio.timeout(0.2):
                await proxy(scope, receive, send)
        except TimeoutError:
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 504, "headers": headers})
            await send({"type": "http.response.body"})

    got, end, _ = through(saying(), REQUEST, around=patient)
    assert (got.partition(b"\r\n")[0], end) == (b"HTTP/1.1 504 Gateway Timeout", "FIN")


@pytest.mark.parametrize("fails", ["before", "between"])
def test_an_app_around_it_fails(through, front, capsys, fails):
    """The log has a failing app's error, and so has the client, unless an answer has begun."""

    async def failing(proxy, scope, receive, send):
        async def fail(message):
            await send(message)
            raise LookupError("mine")

        if fails == "before":
            raise LookupError("mine")
        await proxy(scope, receive, fail)

    got, end, _ = through(saying(ANSWERED), REQUEST * 2, around=failing, within=15)
    front.ends()
    logged = capsys.readouterr().err
    assert (end, logged.count("LookupError: mine"), "never retrieved" in logged) == ("FIN", 1, False)
    if fails == "between":
        assert ANSWERED.startswith(got)
    else:
        assert told(got) == (500, "faultinject: an error in the proxy: its log has the details\n")
        assert b" Internal Server Error\r\n" in got and b"\r\nConnection: close\r\n" in got


def test_an_app_around_it_does_more_with_each_message(through):
    """An app around it may report an end twice or be slow: the connection behind stays."""

    async def busy(proxy, scope, receive, send):
        told = []

        async def again():
            told.append(await receive() if len(told) != 1 else told[0])
            return told[-1]

        async def slow(message):
            await send(message)
            await asyncio.sleep(0.05)

        await proxy(scope, again, slow)

    got, _, server = through(saying(ANSWERED, times=2), REQUEST * 2, around=busy, reads=2 * len(ANSWERED))
    assert (got, list(map(bytes, server.sent))) == (ANSWERED * 2, [REQUEST * 2])


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (lambda talk: talk.connection.close(), "cannot be reached"),
        (lambda talk: talk.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak TLS as it should"),
    ],
    ids=["ends the connection", "speaks no TLS"],
)
def test_no_handshake(behind, front, play, why):
    """A failed handshake is reported in the library's words, or in ours if there are none."""
    url = behind(play).url.replace("http:", "https:")
    status, said = told(exchange(front(url), REQUEST)[0])
    assert (status, said.startswith(f"faultinject: {url} {why}: ")) == (502, True)
    assert not said.endswith(": \n")


@pytest.mark.parametrize(
    ("refused", "status"),
    [(b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405), (b"\x16\x03\x01\0\0\r\n\r\n", 400)],
    ids=["a tunnel", "garbage"],
)
def test_what_is_refused_comes_behind_other_answers(through, refused, status):
    """Each ANSWERED has its request, also where a client sends them all at once."""
    got, end, _ = through(saying(ANSWERED, times=2), REQUEST * 2 + refused)
    assert (got.startswith(ANSWERED * 2 + b"HTTP/1.1 %d " % status), end) == (True, "FIN")


@pytest.mark.parametrize(
    "length", [b"Content-Length: 1\r\nConnection: close\r\n", b""], ids=["sized", "to the end"]
)
@pytest.mark.usefixtures("no_complaint")
def test_what_is_refused_behind_the_last_answer(through, length):
    """Behind the end of a connection nothing is said, and that is no error."""
    play = saying(b"HTTP/1.1 200 OK\r\n%b\r\na" % length, "FIN")
    got, end, _ = through(play, REQUEST + b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", within=15)
    assert (got.partition(b"\r\n\r\n")[2], end) == (b"a", "FIN")


CHUNKED = b"PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.mark.parametrize("rest", [b"zz\r\n", b"0\r\nX: " + b"x" * 900_000, b"3;" + b"x" * 900_000])
def test_a_request_that_ends_in_garbage(through, caplog, rest):
    """Garbage at the end, or no end, is refused with the reason; the server is not blamed."""
    got, _, server = through(lambda talk: None, CHUNKED + rest)
    assert got.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
    assert server.url not in caplog.text
    assert server.left.acquire(timeout=20)


def test_a_request_that_ends_in_garbage_behind_its_answer(connected):
    """No second one is written into the first."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
    with connected(saying(answer, until=b"abc\r\n")) as (client, server):
        assert ask(client, CHUNKED, len(answer)) == answer
        client.sendall(b"zz\r\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1000)
    assert server.left.acquire(timeout=20)


@pytest.mark.parametrize(
    ("request_", "status", "why"),
    [
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405, "this proxy makes no tunnels: use its address as the endpoint, not as HTTPS_PROXY"),
        (b"GET http://other/k HTTP/1.1\r\nHost: other\r\n\r\n", 421, "this proxy goes to {url} only"),
        (b"GET other:80 HTTP/1.1\r\nHost: other\r\n\r\n", 421, "this proxy goes to {url} only"),
        (b"GET /k HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 400_000 + b"\r\n\r\n", 431, "a request's line and headers have at most 262144 bytes here"),
        (b"GET /" + b"x" * 400_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431, "a request's line and headers have at most 262144 bytes here"),
        (b"GET /k HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 900_000, 431, "a request's line and headers have at most 262144 bytes here"),
        (b"GET /k HTTP/1.1\r\n\r\n", 400, "the request cannot go on: Missing mandatory Host: header"),
        (b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "the client did not send a request of HTTP/1.1"),
        (b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "the request cannot go on: conflicting Content-Length headers"),
        (b"GET /k HTTP/2.0\r\nHost: h\r\n\r\n", 400, "the client did not send a request of HTTP/1.1"),
        (b"GET /k HTTP/0.9\r\nHost: h\r\n\r\n", 400, "the client did not send a request of HTTP/1.1"),
        (b"GET /k HTTP/1.0\r\nHost: h\r\n\r\n", 400, "the client did not send a request of HTTP/1.1"),
        (b"GET /k HTTP/1.1\r\nHost: h\r\nCookie: sid=SECRET\0\r\n\r\n", 400, "the request cannot go on: illegal header line: …"),
    ],
    ids=["a tunnel", "another server", "no URL", "a long head", "a long target", "a head without end", "no host", "a length and chunks", "two lengths", "a later version", "an earlier one", "HTTP/1.0", "a secret"],
)  # fmt: skip
def test_what_is_not_passed_on(through, caplog, request_, status, why):
    """Nothing of it reaches the server; log and client get the same words, without secrets."""
    got, _, server = through(saying(), request_)
    said = f"faultinject: {why.format(url=server.url)}"
    logged = [each.getMessage() for each in caplog.records if each.name == "faultinject"]
    assert (told(got), logged, b"".join(server.sent)) == ((status, f"{said}\n"), [said], b"")
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("127.0.0.1:9000", "--to 127.0.0.1:9000 is not the URL of a server, such as http://127.0.0.1:9000; did you mean http://127.0.0.1:9000?"),
        ("ftp://h", "--to ftp://h is not the URL of a server, such as http://127.0.0.1:9000"),
        ("http://", "--to http://: no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
        ("http://h:x", "--to http://h:x: no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
        ("http://me:secret@h", "--to h: leave out the part before the @; requests keep their own credentials"),
        ("http://me@h", "--to h: leave out the part before the @; requests keep their own credentials"),
        ("http://h/p", "--to http://h/p: leave out the part after the host; requests keep their own path, which is signed"),
        ("http://h:0", "--to http://h:0: no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
        ("http://h ", "--to http://h : no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
        ("http://h\n", "--to http://h\\n: no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
        ("http://..:80", "--to http://..:80: no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
        ("h:9000/p", "--to h:9000/p is not the URL of a server, such as http://127.0.0.1:9000; did you mean http://h:9000?"),
        ("[::1]:9000", "--to [::1]:9000 is not the URL of a server, such as http://127.0.0.1:9000; did you mean http://[::1]:9000?"),
        ("h:90000", "--to h:90000 is not the URL of a server, such as http://127.0.0.1:9000"),
        ("h:0", "--to h:0 is not the URL of a server, such as http://127.0.0.1:9000"),
        ("http://h:90000", "--to http://h:90000: no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
        ("http://a\\b", "--to http://a\\b: no host and port can be read from this URL; a valid one looks like http://127.0.0.1:9000"),
    ],
)  # fmt: skip
def test_no_server(url, why):
    """A wrong URL gives an error with the reason and a right example."""
    assert str(refusal(Target, url)) == why


@pytest.mark.parametrize(
    "url",
    [
        "https://h/c?sv=1&sig=SECRET", "https://h?sig=SECRET", "http://h/#SECRET", "u:SECRET@h:9", "SECRET@h", "http://u:SE/CRET@h",
        "http://u:SECRET@h/c?sig=SECRET", "http://u:SECRET@", "//u:SECRET@h", "h:9?sig=SECRET", "http://u:SECRET@[::1",
    ],
)  # fmt: skip
def test_a_secret_is_not_told(url):
    """Neither a password nor a signed URL's query, which people paste."""
    told = str(refusal(Target, url))
    assert "SE" not in told and "CRET" not in told


@pytest.mark.parametrize(
    ("url", "authority", "serves"),
    [
        ("http://[::1]:9", "[::1]", True), ("http://[::1]:9", "[::1]:80", True), ("http://[::1]:9", "u@[::1]:80", True),
        ("http://[::1]:9", "[::2]", False), ("http://h", "H:80", True), ("http://h", "b.h", True), ("http://h", "bh", False),
        ("http://h", "[::1]", False), ("http://h", "", False),
    ],
)  # fmt: skip
def test_whose_url_it_is(url, authority, serves):
    """A host, one below it, or an address, with any port."""
    assert Target(url).serves(authority) is serves
