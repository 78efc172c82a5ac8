"""The digest of a body in AWS's chunks is that of its content, whatever its signatures."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faultinject import Injector
from tests.pairs import pairs

from .conftest import SENDS, Asgi
from .transport import hearing, only, values

LONGEST_LINE = 4096
"""Bytes; a longer one is no head of a chunk."""
RULES = {"an answer of ours": "s3:SlowDown", "the app": "s3:SlowDown,path=elsewhere/"}
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED = [("x-amz-content-sha256", STREAMING)]
HEADERS = {
    "signed": SIGNED,
    "trailer": [("x-amz-content-sha256", f"{STREAMING}-TRAILER"), ("content-encoding", "aws-chunked")],
    "ecdsa": [("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")],
    "unsigned": [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")],
    "encoding": [("content-encoding", "gzip, AWS-chunked"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")],
}
CONTENT = bytes(range(256)) * 700
"""Longer than a piece that an adapter reads."""


def chunked(content, signature="0b" * 32, size=65_536, *, trailers=()):
    """A body as minio-go sends it."""
    sign = b";chunk-signature=" + signature.encode()
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(each), sign, each) for each in pieces)
    return body + b"0%b\r\n" % sign + b"".join(each + b"\r\n" for each in trailers) + b"\r\n"


def digested(send, make_injector, rule, headers, *bodies):
    """The digests of these bodies, one PUT each, with their sizes on the wire."""
    injector = make_injector(rule, record_all=True)
    for body in bodies:
        send(injector, "PUT", "/photos/cat", headers, body)
    outcomes = injector.journal.outcomes
    assert [(each.request_bytes, each.body_complete) for each in outcomes] == [
        (len(each), True) for each in bodies
    ]
    return [each.request_digest for each in outcomes]


@pytest.mark.parametrize(
    ("send", "rule", "headers", "large"),
    pairs(send=SENDS, rule=RULES, headers=HEADERS, large=[False, True]),
    indirect=["send"],
)
def test_signatures_do_not_change_the_digest(send, make_injector, rule, headers, large):
    """Only the content changes the digest, not the sizes of chunks."""
    rule, headers, content = RULES[rule], HEADERS[headers], CONTENT if large else b"cat"
    first, again, cut, other = digested(
        send, make_injector, rule, headers,
        chunked(content), chunked(content, "1c" * 32), chunked(content, "2d" * 32, 1000), chunked(content[:-1] + b"!"),
    )  # fmt: skip
    assert first == again == cut is not None
    assert other != first
    assert [first] == digested(send, make_injector, rule, (), content)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_other_headers_say_nothing_of_chunks(send, make_injector, rule):
    """Then what looks like chunks is the content."""
    for headers in ((), [("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("content-encoding", "gzip")]):
        first, again = digested(
            send, make_injector, rule, headers, chunked(b"cat"), chunked(b"cat", "1c" * 32)
        )
        assert first != again


BROKEN = {
    "no chunks": b"a film of a cat",
    "no size": b";chunk-signature=%b\r\ncat\r\n0\r\n\r\n",
    "not hexadecimal": b"0x3;chunk-signature=%b\r\ncat\r\n0\r\n\r\n",
    "negative": b"-3;chunk-signature=%b\r\ncat\r\n0\r\n\r\n",
    "longer than its size": b"3;chunk-signature=%b\r\ncats\r\n0\r\n\r\n",
    "shorter than its size": b"4;chunk-signature=%b\r\ncat\r\n0\r\n\r\n",
    "cut in a head": b"3;chunk-signature=%b",
    "cut in the content": b"3;chunk-signature=%b\r\nca",
    "cut behind the content": b"3;chunk-signature=%b\r\ncat",
    "no last chunk": b"3;chunk-signature=%b\r\ncat\r\n",
    "no end": b"3;chunk-signature=%b\r\ncat\r\n0\r\n",
    "cut in a trailer": b"3\r\ncat\r\n0\r\nx-amz-trailer-signature:%b",
    "no empty line": b"3\r\ncat\r\n0\r\nx-amz-trailer-signature:%b\r\n",
    "no trailer": b"3\r\ncat\r\n0\r\nx-amz-trailer-signature=%b\r\n\r\n",
    "a line more": b"3;chunk-signature=%b\r\ncat\r\n0\r\n\r\n\r\n",
    "more behind the end": b"3;chunk-signature=%b\r\ncat\r\n0\r\n\r\nx",
    "other line ends": b"3;chunk-signature=%b\ncat\n0\n\n",
    "an endless head": b"3;chunk-signature=%b" + b"x" * LONGEST_LINE + b"\r\ncat\r\n0\r\n\r\n",
    "an endless trailer": b"3\r\ncat\r\n0\r\na:%b" + b"x" * LONGEST_LINE + b"\r\n\r\n",
    "a size without bounds": b"f" * 3000 + b";chunk-signature=%b\r\ncat\r\n0\r\n\r\n",
}


@pytest.mark.parametrize(
    ("send", "rule", "body"), pairs(send=SENDS, rule=RULES, body=BROKEN), indirect=["send"]
)
def test_chunks_that_cannot_be_read(send, make_injector, rule, body):
    """The digest is that of the bytes as sent: no content is taken for another one."""
    rule, body = RULES[rule], BROKEN[body].replace(b"%b", b"0b" * 32)
    assert digested(send, make_injector, rule, SIGNED, body) == digested(send, make_injector, rule, (), body)


def test_an_empty_body_says_nothing_of_chunks(send, make_injector):
    """minio-go sends the header with an empty file too, and no chunk."""
    injector = make_injector(RULES["an answer of ours"])
    send(injector, "PUT", "/photos/cat", SIGNED)
    assert (only(injector).request_bytes, only(injector).request_digest) == (0, None)


@pytest.mark.parametrize("rule", ["s3:SlowDown", "s3:SlowDown,path=elsewhere/", "reset"])
def test_chunks_without_content_are_0_bytes(send, make_injector, rule):
    """A stream that was not rewound is an empty body, although its last chunk takes bytes."""
    injector = make_injector(rule, record_all=True)
    body = chunked(b"", trailers=[b"x-amz-checksum-crc32:AAAAAA=="])
    for length, sent in (("0", body), ("3", chunked(b"cat"))):
        send(injector, "PUT", "/photos/cat", [*SIGNED, ("x-amz-decoded-content-length", length)], sent)
    assert [each.request_bytes for each in injector.journal.outcomes] == [0, len(chunked(b"cat"))]


def test_a_body_that_is_cut(send, make_injector):
    """A body that is not well-formed is digested as the client sent it."""
    body = chunked(CONTENT)
    injector = make_injector("http:503,after_bytes=100000")
    send(injector, "PUT", "/photos/cat", SIGNED, body)
    digests = digested(send, make_injector, "http:503", (), body[:100_000])
    assert values(only(injector), "request_bytes", "body_complete", "request_digest") == (
        100_000,
        False,
        *digests,
    )


@pytest.mark.parametrize("frame", [chunked, lambda form, _: form], ids=["chunks", "no chunks"])
@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary={}", 'Multipart/Mixed; charset=x; boundary="{}"']
)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_content_with_boundaries(send, make_injector, rule, kind, frame):
    """Neither a form's boundary nor signatures change its digest, in chunks or not."""

    def sent(boundary, signature):
        headers = [*SIGNED, ("content-type", kind.format(boundary))]
        form = "".join(f"--{boundary}\r\npart {number}\r\n" for number in range(9000)).encode()
        [found] = digested(send, make_injector, rule, headers, frame(form, signature))
        return found

    assert sent("===========56==", "0b" * 32) == sent("bbbbbbbb-cccc", "1c" * 32) is not None


def digest(headers, *pieces):
    """The digest of a body that comes in these pieces."""
    injector = Injector("http:503", seed=1, environ={})
    told = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    receive = hearing(*told, {"type": "http.request"})
    Asgi()(injector, "PUT", "/photos/cat", [*headers, ("transfer-encoding", "chunked")], receive=receive)
    return only(injector).request_bytes, only(injector).request_digest


LINES = st.sampled_from(
    (b"3;chunk-signature=0b\r\n", b"a\r\n", b"0\r\n", b"a:b\r\n", b"\r\n", b"cat\r\n", b"\r", b"x")
)


FORMS = [
    [("content-type", f"multipart/form-data; boundary={boundary}")] for boundary in ("a", "ab", "aab", "aba")
]


@given(
    headers=st.sampled_from((SIGNED, *FORMS)),
    data=st.lists(LINES, max_size=8).map(b"".join)
    | st.lists(st.sampled_from((b"a", b"b")), max_size=30).map(b"".join)
    | st.binary(max_size=60).map(lambda each: chunked(each, "0b", 7)),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
@example(headers=SIGNED, data=chunked(b"cat", trailers=[b"x-amz-trailer-signature:0b"]), cuts=range(200))
@example(headers=SIGNED, data=b"3;" + b"x" * LONGEST_LINE + b"\r\ncat\r\n0\r\n\r\n", cuts=[100, 101])
@example(
    headers=SIGNED,
    data=b"3;" + b"x" * (LONGEST_LINE - 4) + b"\r\ncat\r\n0\r\n\r\n",
    cuts=[LONGEST_LINE - 1, LONGEST_LINE],
)
def test_the_digest_does_not_depend_on_the_pieces(headers, data, cuts):
    """Pieces of the network do not change it, even within the head of a chunk, or a boundary."""
    edges = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    pieces = digest(headers, *(data[start:end] for start, end in pairwise(edges)))
    assert (pieces, pieces[0]) == (digest(headers, data), len(data))


@given(content=st.binary(max_size=60), size=st.integers(1, 70), signature=st.sampled_from(("0b", "1c*")))
def test_the_digest_is_that_of_the_content(content, size, signature):
    """Of any content, in chunks of any size."""
    assert digest(SIGNED, chunked(content, signature, size))[1] == digest((), content)[1]
