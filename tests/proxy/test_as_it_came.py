"""Requests reach the server as they were sent, and answers the client, byte for byte."""

import asyncio
import http.client
import threading

import pytest

from .conftest import ask, exchange, hears_nothing, saying, some

pytestmark = pytest.mark.live

ANSWER = (
    b'HTTP/1.1 200 Fine By Me\r\nServer: Behind\r\nx-aMz-ReQuest-id: 1\r\nETag: "a"\r\nX-Two: a\r\nx-two: b\r\n'
    b"Content-Length: 4\r\n\r\nmeow"
)
REQUESTS = {
    "plain": (
        b"GET /a%2Fb//c?x=%41&y HTTP/1.1\r\nhOsT: storage.example:99\r\nX-b: 2\r\nAuthorization: AWS "
        b"a:b=\r\nx-A: 1\r\n\r\n"
    ),
    "sized": b"PUT /k HTTP/1.1\r\nContent-Length: 3\r\nHost: h\r\nAccept-Encoding: identity\r\n\r\nabc",
    "empty": b"PUT /k HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n",
    "odd": b"PATCH *?x HTTP/1.1\r\nHost: h\r\nx: \r\n\r\n",
    "raw": b"GET /%c3%bc%zz?%FF=%% HTTP/1.1\r\nHost: h\r\nX-M: \xe4\r\n\r\n",
    "an empty query": b"GET /k? HTTP/1.1\r\nHost: h\r\n\r\n",
    "slashes and dots": b"GET //./a/../%2e%2E//?x=/?y=../& HTTP/1.1\r\nHost: h\r\n\r\n",
    "a key of every sign": (
        b"GET /photos/a%20b/%C3%BC%2B%26%3D%252F//~.'()*!$@:,;"
        b"%3F%23.txt?X-Amz-Credential=A%2F1%2Fs3&"
        b"X-Amz-Signature=0a HTTP/1.1\r\nHost: h\r\n\r\n"
    ),
    "two hosts of one": b"GET /k HTTP/1.1\r\nX-Host: a\r\nHost: h\r\nX-Forwarded-Host: b\r\nVia: 1.1 c\r\n\r\n",
    "connection": (
        b"GET /k HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, x-a\r\nKeep-Alive: timeout=9\r\nX-A: "
        b"1\r\nTE: trailers\r\n\r\n"
    ),
    "a body to delete": b"DELETE /k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    "another method": b"PROPFIND /k HTTP/1.1\r\nHost: h\r\nDepth: 1\r\n\r\n",
    "blanks": b"GET /k HTTP/1.1\r\nHost: h\r\nX-A: a\t b\r\nX-C: a  b\r\n\r\n",
    "a method of its own": b"MEOW /k HTTP/1.1\r\nHost: h\r\n\r\n",
    "two of one": b"GET /k HTTP/1.1\r\nHost: h\r\nCookie: a\r\nCookie: b\r\n\r\n",
}


def answers(talk):
    while True:
        talk.request()
        talk.say(ANSWER)


OFFERED = b"GET /k HTTP/1.1\r\nHost: h\r\n%b\r\n"
CHANGED = [
    # Blanks around a value are none of it: one stands before it, none behind.
    (OFFERED % b"X-A:  \ta  b \t\r\n", OFFERED % b"X-A: a  b\r\n"),
    # What stands beside the offer of an upgrade goes on, and an offer that is none is left out as well.
    *(
        (OFFERED % offered, OFFERED % goes_on)
        for offered, goes_on in (
            (b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n", b"Connection: keep-alive\r\n"),
            (b"X-A: 1\r\nUpgrade: h2c\r\n", b"X-A: 1\r\n"),
            (b"Connection: Upgrade, keep-alive\r\nUpgrade: h2c\r\n", b"Connection: keep-alive\r\n"),
            (b"connection: X-A , Http2-Settings,te\r\nHTTP2-Settings: AA\r\n", b"connection: X-A ,te\r\n"),
        )
    ),
]


@pytest.mark.parametrize(
    ("sent", "goes_on"),
    [*(pytest.param(each, each, id=name) for name, each in REQUESTS.items()), *CHANGED],
)
def test_a_request(through, sent, goes_on):
    """Method, target, version, names in their case and order, values and body.

    Twice on one connection.
    """
    got, _, server = through(answers, sent * 2, reads=2 * len(ANSWER))
    assert (got, [*map(bytes, server.sent)]) == (ANSWER * 2, [goes_on * 2])


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n",
        b"HTTP/1.1 599 \r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: "
            b"X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-Other: 2\r\n\r\n"
        ),
        b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
        b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
        b'HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 1234\r\nETag: "x"\r\n\r\n',
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX-A: b\r\n\r\n",
        b"HTTP/1.1 999 Request denied\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\x01\r\nX-M: \xe4\r\nSet-Cookie: b\tc\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nX-a: 1\r\nx-A: \x01\r\nX-A: 3\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\n\r\n" + ANSWER,
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Again\r\n\r\n" + ANSWER,
        b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER,
    ],
)
def test_an_answer(through, answer):
    """Status, phrase, names in their case and order, chunks and what stands behind them."""
    got, end, _ = through(saying(answer), REQUESTS["plain"], reads=len(answer))
    assert (got, end) == (answer, "FIN")


@pytest.mark.parametrize("trailers", [b"X-Sum: 1\r\n", b"x-suM: a  b\r\nX-Sum: \xe4\r\nx-sum: \r\n", b""])
def test_chunks_and_trailers_go_on(through, trailers):
    """A body of unknown length stays one, and what stands behind it is as it came."""
    ends = b"\r\n0\r\n" + trailers + b"\r\n"
    request = (
        b"PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc" + ends
    )
    got, end, server = through(saying(ANSWER, until=ends), request, reads=len(ANSWER))
    assert (got, end, bytes(server.sent[0])) == (ANSWER, "FIN", request)


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("ends", ["FIN", "RST"])
def test_an_answer_to_the_end_of_the_connection(behind, front, ends, version):
    """An answer to the connection's end is one for the client too, and a reset stays a reset.

    After a FIN the client cannot know either whether the answer is whole.
    """
    answer = b"HTTP/%b 200 OK\r\nX-Own: 1\r\n\r\n" % version + b"0123456789" * 20_000
    seen = threading.Event()
    with front(behind(saying(answer, seen, ends)).url).connect() as client:
        got = ask(client, REQUESTS["plain"], len(answer))
        seen.set()
        if ends == "RST":
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        else:
            assert client.recv(1) == b""
    assert got.partition(b"\r\n\r\n") == (
        b"HTTP/1.1 200 OK\r\nX-Own: 1", b"\r\n\r\n", answer.partition(b"\r\n\r\n")[2]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "head"),
    [
        # Its length is that of the object.
        (b"HEAD", b"200 OK\r\nContent-Length: 1234"),
        (b"HEAD", b"200 OK\r\nTransfer-Encoding: chunked"),
        (b"HEAD", b"200 OK"),
        # Nothing need say its length.
        (b"GET", b"204 No Content"),
        (b"GET", b"304 Not Modified"),
    ],
)
def test_an_answer_without_a_body(through, method, head):
    """Nothing follows, and the connection goes on."""
    answer = b"HTTP/1.1 " + head + b"\r\nX-a: 1\r\n\r\n"
    asked = REQUESTS["plain"].replace(b"GET", method) * 3
    got, end, server = through(saying(answer, times=3), asked, reads=3 * len(answer))
    assert (got, end, bytes(server.sent[0])) == (answer * 3, "FIN", asked)


@pytest.mark.parametrize("spelled", [b"close", b"Close", b"x, CLOSE"])
def test_whoever_ends_the_connection(through, spelled):
    """The client or the server, however it is spelled."""
    line = b"Connection: " + spelled + b"\r\n\r\n"
    asked, answer = REQUESTS["plain"][:-2] + line, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + line
    said = ANSWER.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert through(answers, asked)[:2] == (said, "FIN")
    assert through(saying(answer), REQUESTS["plain"])[:2] == (answer, "FIN")


def test_a_connection_is_kept_on_both_sides(behind, front):
    """Each client's by one of its own."""
    server = behind(answers)
    proxy = front(server.url)
    clients = [http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20) for _ in range(2)]
    for _ in range(3):
        for each in clients:
            each.request("GET", "/k")
            assert each.getresponse().read() == b"meow"
    assert [each.count(b"GET /k") for each in map(bytes, server.sent)] == [3, 3]
    for each in clients:
        each.close()
        assert server.left.acquire(timeout=20)
    assert server.ended == ["FIN", "FIN"]


@pytest.mark.parametrize(
    ("name", "host"), [("127.0.0.1", b"127.0.0.1"), ("bücher.test", b"xn--bcher-kva.test")]
)
def test_the_host_of_the_server(behind, front, monkeypatch, name, host):
    """`rewrite_host` sends the host of the server, as DNS writes it."""
    connect = asyncio.open_connection
    monkeypatch.setattr(
        asyncio, "open_connection", lambda _, *more, **named: connect("127.0.0.1", *more, **named)
    )
    server = behind(answers)
    url = server.url.replace("127.0.0.1", name)
    exchange(front(url, rewrite_host=True), REQUESTS["plain"], reads=len(ANSWER))
    told = b"%b:%d" % (host, server.port)
    assert bytes(server.sent[0]) == REQUESTS["plain"].replace(b"storage.example:99", told)


EXPECTING = b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"


def test_what_is_expected(behind, front):
    """`100 Continue` is the server's own: not before the server sends it, never if it refuses."""
    asked, go_on = threading.Event(), threading.Event()

    def play(talk):
        saying(asked.set, go_on, b"HTTP/1.1 100 Continue\r\n\r\n")(talk)
        saying(ANSWER, until=b"abc")(talk)
        saying(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")(talk)

    with front(behind(play).url).connect() as client:
        client.sendall(EXPECTING)
        assert asked.wait(60)
        hears_nothing(client)
        go_on.set()
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert ask(client, b"abc", len(ANSWER)) == ANSWER
        got = ask(client, EXPECTING, None)
        assert (got[:17], b"100 Continue" in got) == (b"HTTP/1.1 417 No\r\n", False)


def test_nobody_says_that_it_may_go_on(connected):
    """A client that stops waiting for 100 sends its body, which goes on with no interim answer."""
    with connected(saying(ANSWER, until=b"abc")) as (client, server):
        client.sendall(EXPECTING)
        hears_nothing(client)
        assert ask(client, b"abc", len(ANSWER)) == ANSWER
    assert bytes(server.sent[0]) == EXPECTING + b"abc"


@pytest.mark.parametrize("rule", ["", "http:403"])
def test_a_refusal_before_the_body(connected, rule):
    """A refusal in place of `100 Continue` ends the connection.

    Nobody knows whether a body follows.
    """
    with connected(saying(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), rules=rule) as (client, server):
        client.settimeout(60)
        got = ask(client, EXPECTING, None)  # to the end of the connection
        client.sendall(REQUESTS["plain"])  # no body of that
    if rule:
        assert (got[:24], server.sent) == (b"HTTP/1.1 403 Forbidden\r\n", [])
        assert b"\r\nconnection: close\r\n" in got
    else:
        answer = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nconnection: close\r\n\r\n"
        assert (got, list(map(bytes, server.sent))) == (answer, [EXPECTING])


def test_an_answer_instead_of_the_word_to_go_on(connected):
    """To a client that has sent its body meanwhile: its connection goes on."""
    with connected(saying(ANSWER, until=b"abc", times=2)) as (client, server):
        for _ in range(2):
            assert ask(client, EXPECTING + b"abc", len(ANSWER)) == ANSWER
    assert list(map(bytes, server.sent)) == [(EXPECTING + b"abc") * 2]


@pytest.mark.usefixtures("no_complaint")
def test_nobody_is_told_to_go_on_in_an_answer(front):
    """An app around it may answer first, and read then."""

    async def hasty(proxy, scope, receive, send):
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"4")]})
        reading = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"meow"})
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\nconnection: close\r\n\r\nmeow"
    assert exchange(front("http://127.0.0.1:9", around=hasty, within=15), EXPECTING) == (answer, "FIN")


def test_it_may_go_on_and_does(connected):
    """Interim answers before `100 Continue` are passed on too."""
    before = [b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
    with connected(
        lambda talk: (talk.until(b"\r\n\r\n"), talk.say(*before), talk.until(b"abc"), talk.say(ANSWER))
    ) as (client, _):
        assert ask(client, EXPECTING, len(b"".join(before))) == b"".join(before)
        assert ask(client, b"abc", len(ANSWER)) == ANSWER


def test_the_next_request_goes_by_the_same_connection(behind, front):
    """However soon it comes: no connection is left behind."""
    server = behind(answers)
    client = http.client.HTTPConnection("127.0.0.1", front(server.url).port, timeout=20)
    for _ in range(300):
        client.request("GET", "/k")
        assert client.getresponse().read() == b"meow"
    client.close()
    assert len(server.sent) == 1


def test_a_client_that_is_told_of_a_proxy(behind, front):
    """Its full URL becomes a path, and the URL's host wins over the Host that was sent."""
    server = behind(answers)
    proxy = front(server.url.replace("127.0.0.1", "localhost"))
    asked = b"GET %b HTTP/1.1\r\nhOsT: %b\r\nX-A: 1\r\n\r\n"
    urls = (
        (b"http://localhost:80/a%2Fb?x", b"/a%2Fb?x", b"localhost:80"), (b"http://bucket.localhost/a%2Fb?x", b"/a%2Fb?x", b"bucket.localhost"),
        (b"http://localhost", b"/", b"localhost"), (b"http://localhost?x=/", b"/?x=/", b"localhost"),
        (b"HTTP://u:p@localhost:80/a?http://b/c", b"/a?http://b/c", b"localhost:80"),
    )  # fmt: skip
    for url, _, _ in urls:
        assert exchange(proxy, asked % (url, b"h"), reads=len(ANSWER))[0] == ANSWER
    assert list(map(bytes, server.sent)) == [asked % (path, host) for _, path, host in urls]


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"\r\n"],
    ids=["sized", "chunked", "none"],
)
def test_an_upgrade_is_not_offered(connected, at_once, body):
    """An offered upgrade is ignored, and the rest of the request and its connection go on.

    Java's client offers one with its first request.
    """
    ends = body if b"abc" in body else b"\r\n\r\n"
    offering = b"POST /k HTTP/1.1\r\nHost: h\r\n" + OFFER
    with connected(saying(ANSWER, until=ends, times=3)) as (client, server):
        for _ in range(1 if at_once else 3):
            for piece in [(offering + body) * 3] if at_once else [offering, body[:1], body[1:]]:
                client.sendall(piece)
            expected = ANSWER * 3 if at_once else ANSWER
            assert some(client, len(expected)) == expected
    assert bytes(server.sent[0]) == (b"POST /k HTTP/1.1\r\nHost: h\r\n" + body) * 3


def test_an_answer_that_waits_behind_what_is_said_before(through):
    """It is spelled as it came, also where `100 Continue` goes out while a fault keeps it."""
    play = saying(b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER)
    said = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine By Me\r\nServer: Behind\r\nx-aMz-ReQuest-id: 1\r\n"
    )
    assert through(play, EXPECTING, "latency,delay=500ms,when=after", reads=len(said))[0] == said
