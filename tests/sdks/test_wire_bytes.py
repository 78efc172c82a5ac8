"""Byte for byte what leaves the socket, for what no SDK shows."""

import re

import pytest

COS = ["Content-Type: application/xml", "x-cos-request-id: {id}", "x-cos-trace-id: {trace}"]
QINGSTOR = ["Content-Type: application/json", "x-qs-request-id: {id}"]
JSS = ["Content-Type: application/json;charset=UTF-8", "x-jss-request-id: {id}"]
MIX = ["Content-Type: application/json", "X-Request-Id: {id}"]
SAMPLES = [
    ("cos:SlowDown", "503 Slow Down", COS, 429),
    ("cos:NoSuchKey", "404 Not Found", COS, 439),
    ("qingstor:too_many_buckets", "403 Forbidden", QINGSTOR, 204),
    ("jss:SlowDown", "400 Bad Request", JSS, 131),
    ("jss:NoSuchKey", "404 Not Found", JSS, 133),
    ("qiniu-mix:SlowDown", "503 Service Unavailable", MIX, 133),
    ("qiniu-mix:NoSuchKey", "404 Not Found", MIX, 142),
    ("jss:InvalidCallback", "567 Unknown", JSS, 141),
    ("gateway:BadGateway", "502 Bad Gateway", ["Content-Type: text/html"], 150),
]
samples = pytest.mark.parametrize(
    ("address", "status", "headers", "length"), SAMPLES, ids=[each[0] for each in SAMPLES]
)


def ask(server, method, target=b"/bucket/photos/cat.jpg?x=1"):
    got = server.wire(b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % (method, target))
    head, body = got.split(b"\r\n\r\n", 1)
    status, *lines = head.decode("latin-1").split("\r\n")
    # these three are the server's own
    own = [line for line in lines if line.partition(":")[0] not in ("Server", "Date", "Connection")]
    return status.partition(" ")[2], own, body


@samples
def test_sample(address, status, headers, length, unmarked_server):
    """Status line, headers in order and body length are those of the published samples."""
    unmarked_server.use(address)
    got = ask(unmarked_server, b"GET")
    outcome = unmarked_server.last
    trace = re.search(b"<TraceId>(.*)</TraceId>", got[2])
    lines = [line.format(id=outcome.request_id, trace=trace and trace[1].decode()) for line in headers]
    assert got[:2] == (status, [lines[0], f"Content-Length: {length}", *lines[1:]])
    assert len(got[2]) == length
    assert (outcome.request_id or "nginx").encode() in got[2]


@samples
def test_no_byte_of_a_body_leaks_on_head(address, status, headers, length, unmarked_server):
    """HEAD's answer ends with its headers on a server that strips nothing; they are GET's."""
    unmarked_server.use(address)
    got = ask(unmarked_server, b"HEAD")
    assert (got[0], got[1][1], got[2]) == (status, f"Content-Length: {length}", b"")
    assert [line.partition(":")[0] for line in got[1][2:]] == [line.partition(":")[0] for line in headers[1:]]


def test_reset_content_has_an_empty_body(unmarked_server):
    """A 205 has an empty body, framed by an empty chunk."""
    unmarked_server.use("cos:SlowDown", status=205)
    got = unmarked_server.raw("GET", "/bucket/key")
    assert (got.status, got.body, "content-type" in got.headers) == (205, b"", False)
    assert got.headers["x-cos-request-id"] == unmarked_server.last.request_id
