"""The server's half of PEP 3333, without a connection."""

from __future__ import annotations

import sys

import pytest

from faultinject.server.answer import Answer


@pytest.fixture
def sent():
    return []


@pytest.fixture
def answer(sent):
    """An answer to a GET, on a connection that may be kept."""
    return Answer(sent.append, method="GET", version="HTTP/1.1", name="server/1", keeps=lambda: True)


def body(sent):
    return b"".join(sent).partition(b"\r\n\r\n")[2]


def head(sent):
    return b"".join(sent).partition(b"\r\n\r\n")[0].decode().split("\r\n")


def test_nothing_goes_out_before_the_first_byte(answer, sent):
    """So that an app can still change its mind; head and first piece go out together."""
    answer.start_response("200 OK", [])
    answer.write(b"")
    assert (sent, answer.begun) == ([], False)
    answer.write(b"first")
    assert len(sent) == 1
    assert body(sent) == b"5\r\nfirst\r\n"


def test_one_piece_has_a_length(answer, sent):
    """Where the app gives it as a list: no chunks are needed."""
    answer.start_response("200 OK", [])
    answer.run([b"all of it"])
    assert "Content-Length: 9" in head(sent)
    assert body(sent) == b"all of it"
    assert answer.keeps


@pytest.mark.parametrize("pieces", [[], iter(()), [b""], iter([b"", b""])])
def test_an_answer_without_a_byte(answer, sent, pieces):
    """Its length is known too."""
    answer.start_response("200 OK", [])
    answer.run(pieces)
    assert "Content-Length: 0" in head(sent)
    assert body(sent) == b""


def test_what_was_written_before(answer, sent):
    """The old way of WSGI goes before what the app returns."""
    write = answer.start_response("200 OK", [])
    write(b"one ")
    answer.run([b"two"])
    assert body(sent) == b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"


def test_date_and_server_are_the_app_s_where_it_has_them(answer, sent):
    """Each stands there once; the connection is the server's alone."""
    answer.start_response(
        "200 Fine",
        [
            ("date", "today"),
            ("SERVER", "own"),
            ("Keep-Alive", "x"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "x"),
        ],
    )
    answer.run([b"x"])
    assert head(sent) == ["HTTP/1.1 200 Fine", "date: today", "SERVER: own", "Content-Length: 1"]


def test_a_head_that_is_changed(answer, sent):
    """With the error that is the reason for it."""
    answer.start_response("200 OK", [])
    try:
        raise LookupError("x")
    except LookupError:
        answer.start_response("500 Broken", [], sys.exc_info())
    answer.run([b""])
    assert head(sent)[0] == "HTTP/1.1 500 Broken"


def test_a_head_that_has_gone_out_cannot_be_changed(answer):
    """The error goes on its way."""
    answer.start_response("200 OK", [])
    answer.write(b"x")
    with pytest.raises(LookupError, match="the reason"):
        try:
            raise LookupError("the reason")
        except LookupError:
            answer.start_response("500 Broken", [], sys.exc_info())


def test_a_second_head_without_a_reason(answer):
    """It is a mistake of the app."""
    answer.start_response("200 OK", [])
    with pytest.raises(AssertionError, match="a second time"):
        answer.start_response("200 OK", [])


def test_no_head_at_all(answer):
    """Likewise."""
    with pytest.raises(AssertionError, match="has not called start_response"):
        answer.run([b"x"])


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 OK\r\nX: y", []),
        ("OK", []),
        ("2000 OK", []),
        ("200 OK", [("X", "a\r\nSet-Cookie: b")]),
        ("200 OK", [("X: y\r\n", "")]),
        ("200 OK", [("X", "€")]),
    ],
)
def test_what_is_no_head(answer, status, headers):
    """Nobody can smuggle a header, or an answer, through a value."""
    with pytest.raises(ValueError, match="not the head of an answer"):
        answer.start_response(status, headers)


def test_a_status_without_a_phrase(answer, sent):
    """It is one."""
    answer.start_response("567", [])
    answer.run([b"x"])
    assert head(sent)[0] == "HTTP/1.1 567"


def test_a_failure(answer, sent):
    """A 500 as long as nothing has gone out, whatever the app had said; behind that the connection ends."""
    answer.start_response("200 OK", [("Content-Length", "5")])
    answer.fail()
    assert (head(sent)[0], body(sent), answer.keeps) == (
        "HTTP/1.1 500 Internal Server Error",
        b"Internal Server Error",
        True,
    )
    answer.fail()
    assert (len(sent), answer.keeps) == (1, False)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "199 Odd"])
def test_answers_that_have_no_body(answer, sent, status):
    """Whatever the app gives, and whatever length it tells."""
    answer.start_response(status, [("Content-Length", "9")])
    answer.run([b"something"])
    assert (body(sent), answer.keeps) == (b"", True)
