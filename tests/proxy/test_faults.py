"""Faults in front of a server behind: its requests, its answers and its connections."""

import re
from functools import partial

import pytest

from .conftest import ask, exchange, hears_nothing, saying, some

pytestmark = pytest.mark.live

LAST = b"GET /photos/cat HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
GET = b"GET /photos/cat HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /photos/cat HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nmeow"
ANSWER = b"HTTP/1.1 200 Fine\r\nX-Own: 1\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKED = b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"


def answers(talk, answer=ANSWER):
    while True:
        talk.request()
        talk.say(answer)


def test_an_error_instead(behind, front):
    """The vendor's, and nothing reaches the server; the next request goes on."""
    server = behind(answers)
    proxy = front(server.url, "cos:SlowDown,times=1")
    got, _ = exchange(proxy, PUT + GET + LAST)
    first, _, rest = got.partition(b"</Error>")
    assert (first[:13], b"<Code>SlowDown</Code>" in first) == (b"HTTP/1.1 503 ", True)
    assert rest.strip().startswith(ANSWER) and bytes(server.sent[0]).startswith(GET)
    assert [(each.did, each.status) for each in proxy.injector.journal.outcomes] == [
        ("answered", 503),
        ("passed", None),
        ("passed", None),
    ]


def test_an_error_instead_of_an_answer_to_head(through):
    """Its head alone, with the length of what a GET would get; the next request goes on."""
    got, _, _ = through(answers, GET.replace(b"GET", b"HEAD") + LAST, "http:503,times=1")
    first, _, rest = got.partition(b"\r\n\r\n")
    assert (first[:13], rest[:15], rest[-10:]) == (b"HTTP/1.1 503 ", ANSWER[:15], ANSWER[-10:])
    assert re.search(rb"(?i)\r\ncontent-length: [1-9]", first)


def test_an_error_after_it_was_done(through):
    """The server has done it, and the client does not get to know."""
    got, _, server = through(answers, PUT, "cos:InternalError,when=after,set.connection=close")
    assert (got[:13], b"Fine" in got) == (b"HTTP/1.1 500 ", False)
    assert bytes(server.sent[0]) == PUT


NOT_FOUND = {
    "sized": b"HTTP/1.1 404 Quite Absent\r\nX-MINE: 1\r\nX-Odd: a\x01\r\nCONTENT-Length: 4\r\n\r\nbusy",
    "chunked": b"HTTP/1.1 404 Quite Absent\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\nX-Mine: 1\r\n\r\n",
    "to the end": b"HTTP/1.1 404 Quite Absent\r\nX-MINE: 1\r\n\r\nbusy",
}


@pytest.mark.parametrize("own", NOT_FOUND)
@pytest.mark.parametrize("error", ["cos:NoSuchKey", "http:404"])
def test_an_error_of_the_same_status(through, capsys, own, error):
    """An error of the same status takes nothing over from the answer that it replaces.

    No phrase, no spelling, no length, no trailer.
    """
    play = saying(NOT_FOUND[own], *(["FIN"] if own == "to the end" else []))
    instead, _, _ = through(play, LAST, f"{error},when=after")
    head, _, body = instead.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert body and b"content-length: %d\r\n" % len(body) in head
    assert [each for each in (b"x-mine", b"quite absent", b"\x01") if each in instead.lower()] == []
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        ("reset", "RST"),
        ("close", "FIN"),
        ("reset,when=after", "RST"),
        ("close,when=after", "FIN"),
        ("reset,after_bytes=2", "RST"),
    ],
)
def test_the_connection_ends(through, rule, end):
    """The client's; that to the server ends as it does when a client leaves."""
    got, seen, server = through(answers, PUT, rule)
    assert (got, seen) == (b"", end)
    after = "when=after" in rule
    assert not after or server.left.acquire(timeout=60)
    assert [bytes(each) for each in server.sent] == [PUT] * after


@pytest.mark.parametrize("answer", [ANSWER, CHUNKED], ids=["sized", "chunked"])
def test_an_answer_is_cut(through, answer):
    """Its head is that of the server behind."""
    got, _, _ = through(partial(answers, answer=answer), GET, "truncate")
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 Fine\r\n")
    assert 0 < len(re.findall(rb"\d", body.partition(b"\r\n")[2] if answer == CHUNKED else body)) < 10


@pytest.mark.parametrize(
    "head", [b"Connection: close\r\nContent-Length: 10\r\n", b""], ids=["sized", "to the end"]
)
def test_an_answer_stalls_behind_which_the_connection_ends(behind, front, head):
    """As any other; and the proxy's end ends it."""
    play = saying(b"HTTP/1.1 200 OK\r\n%b\r\n0123456789" % head, "FIN")
    with front(
        behind(play).url, "stall,duration=1h,when=after,after_bytes=5", within=300
    ).connect() as client:
        client.sendall(GET)
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            got += some(client, 1) or pytest.fail("it ends")
        assert some(client, 5) == b"01234"
        hears_nothing(client)
        front.ends()
        assert some(client, None) == b"56789"


def test_an_answer_is_marked(through):
    """A late answer is marked, and the server's header names keep their case."""
    got, _, _ = through(answers, LAST, "latency,delay=1ms")
    head = got.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 200 Fine\r\n")
    assert b"\r\nX-Own: 1\r\n" in head and b"\r\nx-faultinject: rule-1" in head


def test_an_upload_breaks_in_its_middle_that_waits_to_be_asked_for(connected):
    """The proxy asks for it itself: the server must not see the request."""
    head = PUT.replace(b"Host: h", b"Host: h\r\nExpect: 100-continue").removesuffix(b"meow")
    with connected(answers, rules="reset,after_bytes=2") as (client, server):
        assert ask(client, head, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"meow")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert server.sent == []


def test_a_share(behind, front):
    """As often as the rule says, by the seed, on one connection."""
    proxy = front(behind(answers).url, "cos:SlowDown,probability=0.3,set.x-a=b")
    got, _ = exchange(proxy, GET * 199 + LAST)
    failed = got.count(b"HTTP/1.1 503 ")
    assert failed + got.count(b"HTTP/1.1 200 Fine") == 200
    assert failed == proxy.injector.counts()["rule-1"].injected
    assert 30 < failed < 90


@pytest.mark.parametrize("rule", ["reset", "close", "reset,when=after"])
@pytest.mark.usefixtures("no_complaint")
def test_the_connection_ends_before_what_else_was_asked(through, rule):
    """A client that sends several requests at once sees the end, and nothing has gone wrong."""
    asked = b"".join(b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % each for each in (b"a", b"b", b"c"))
    _, _, server = through(answers, asked, f"{rule},path=b", within=15)
    assert b"/c" not in b"".join(server.sent)
