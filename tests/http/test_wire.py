"""Bytes that are written on the connection itself: the vendors' own heads, chunks, and what has no body."""

from __future__ import annotations

import pytest

from faultinject import vendors
from faultinject.http import Framing, Head, can_be_written, has_no_body, late_start, length_of
from tests.rows import row_by_row

NOW = 1_784_548_800.75
DATE = "Mon, 20 Jul 2026 12:00:00 GMT"
# Status line and headers in the order in which the vendors' own answers have them; the connection always ends.
HEADS = {
    "cos:SlowDown": [
        "HTTP/1.1 503 Slow Down",
        "Content-Type: application/xml",
        "Content-Length: LENGTH",
        "Connection: close",
        f"Date: {DATE}",
        "Server: tencent-cos",
        "x-cos-request-id: ID",
        "x-cos-trace-id: ID",
    ],
    "cos:NoSuchKey": [
        "HTTP/1.1 404 Not Found",
        "Content-Type: application/xml",
        "Content-Length: LENGTH",
        "Connection: close",
        f"Date: {DATE}",
        "Server: tencent-cos",
        "x-cos-request-id: ID",
        "x-cos-trace-id: ID",
    ],
    "qingstor:too_many_buckets": [
        "HTTP/1.1 403 Forbidden",
        "Server: QingStor",
        f"Date: {DATE}",
        "Content-Type: application/json",
        "Content-Length: LENGTH",
        "Connection: close",
        "x-qs-request-id: ID",
    ],
    "jss:SlowDown": [
        "HTTP/1.1 400 Bad Request",
        "Server: nginx",
        f"Date: {DATE}",
        "Content-Type: application/json;charset=UTF-8",
        "Content-Length: LENGTH",
        "Connection: close",
        "x-jss-request-id: ID",
    ],
    "qiniu-mix:SlowDown": [
        "HTTP/1.1 503 Service Unavailable",
        "Content-Type: application/json",
        "Content-Length: LENGTH",
        f"Date: {DATE}",
        "X-Request-Id: ID",
        "Connection: close",
    ],
    "gateway:BadGateway": [
        "HTTP/1.1 502 Bad Gateway",
        "Server: nginx",
        f"Date: {DATE}",
        "Content-Type: text/html",
        "Content-Length: LENGTH",
        "Connection: close",
    ],
    "azure-blob:BlobNotFound": [
        "HTTP/1.1 404 The specified blob does not exist.",
        "Content-Length: LENGTH",
        "Content-Type: application/xml",
        "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
        "x-ms-request-id: ID",
        "x-ms-error-code: BlobNotFound",
        f"Date: {DATE}",
        "Connection: close",
    ],
    "b2:service_unavailable": [
        "HTTP/1.1 503 Service Unavailable",
        "Server: nginx",
        f"Date: {DATE}",
        "Content-Type: application/json;charset=utf-8",
        "Content-Length: LENGTH",
        "Connection: close",
        "Cache-Control: max-age=0, no-cache, no-store",
        "Strict-Transport-Security: max-age=63072000",
    ],
    "bos:SlowDown": [
        "HTTP/1.1 503 Service Unavailable",
        "Content-Length: LENGTH",
        "Content-Type: application/json; charset=utf-8",
        "Connection: close",
        f"Date: {DATE}",
        "Server: BceBos",
        "x-bce-request-id: ID",
        "x-bce-debug-id: ID",
    ],
    "gcs:backendError": [
        "HTTP/1.1 500 Internal Server Error",
        "X-GUploader-UploadID: ID",
        "Content-Type: application/json; charset=UTF-8",
        "Cache-Control: no-cache, no-store, max-age=0, must-revalidate",
        "Pragma: no-cache",
        "Expires: Mon, 01 Jan 1990 00:00:00 GMT",
        f"Date: {DATE}",
        "Vary: Origin, X-Origin",
        "Content-Length: LENGTH",
        "Server: UploadServer",
        "Connection: close",
    ],
    "gcs-xml:NoSuchKey": [
        "HTTP/1.1 404 Not Found",
        "Content-Type: application/xml; charset=UTF-8",
        "Content-Length: LENGTH",
        f"Date: {DATE}",
        "Expires: EXPIRES",
        "Cache-Control: private, max-age=0",
        "X-GUploader-UploadID: ID",
        "Server: UploadServer",
        "Connection: close",
    ],
    "jdcloud:NoSuchKey": [
        "HTTP/1.1 404 Not Found",
        "Server: JDCloudOSS",
        f"Date: {DATE}",
        "Content-Type: application/xml",
        "Content-Length: LENGTH",
        "Connection: close",
        "x-req-id: ID",
        "x-amz-request-id: ID",
    ],
    "kodo:612": [
        "HTTP/1.1 612 status code 612",
        "Server: openresty",
        f"Date: {DATE}",
        "Content-Type: application/json",
        "Content-Length: LENGTH",
        "Connection: close",
        "X-Log: X-Log",
        "X-Reqid: ID",
    ],
    "kodo-s3:SlowDown": [
        "HTTP/1.1 503 Service Unavailable",
        "Server: openresty",
        f"Date: {DATE}",
        "Content-Type: application/xml",
        "Content-Length: LENGTH",
        "Connection: close",
        "x-amz-request-id: ID",
        "X-Reqid: ID",
    ],
    "minio:SlowDownRead": [
        "HTTP/1.1 503 Service Unavailable",
        "Accept-Ranges: bytes",
        "Content-Length: LENGTH",
        "Content-Type: application/xml",
        "Retry-After: 60",
        "Server: MinIO",
        "Strict-Transport-Security: max-age=31536000; includeSubDomains",
        "Vary: Origin, Accept-Encoding",
        "X-Amz-Id-2: ID",
        "X-Amz-Request-Id: ID",
        "X-Content-Type-Options: nosniff",
        "X-Xss-Protection: 1; mode=block",
        f"Date: {DATE}",
        "Connection: close",
    ],
    "obs:SlowDown": [
        "HTTP/1.1 503 Service Unavailable",
        "Server: OBS",
        "x-obs-request-id: ID",
        "x-obs-id-2: ID",
        "Content-Type: application/xml",
        f"Date: {DATE}",
        "Content-Length: LENGTH",
        "Connection: close",
    ],
    "oss:TotalQpsLimitExceeded": [
        "HTTP/1.1 503 Service Unavailable",
        "Server: AliyunOSS",
        f"Date: {DATE}",
        "Content-Type: application/xml",
        "Content-Length: LENGTH",
        "Connection: close",
        "x-oss-request-id: ID",
        "x-oss-server-time: 1",
        "x-oss-ec: 0004-00000302",
    ],
    "r2:TooManyRequests": [
        "HTTP/1.1 429 Too Many Requests",
        f"Date: {DATE}",
        "Content-Type: application/xml",
        "Content-Length: LENGTH",
        "Connection: close",
        "Server: cloudflare",
        "cf-ray: ID",
    ],
    "rgw:SlowDown": [
        "HTTP/1.1 503 Slow Down",
        "Content-Length: LENGTH",
        "x-amz-request-id: ID",
        "Accept-Ranges: bytes",
        "Content-Type: application/xml",
        "Server: Ceph Object Gateway (reef)",
        f"Date: {DATE}",
        "Connection: close",
    ],
    "s3:SlowDown": [
        "HTTP/1.1 503 Slow Down",
        "x-amz-request-id: ID",
        "x-amz-id-2: ID",
        "Content-Type: application/xml",
        "Content-Length: LENGTH",
        f"Date: {DATE}",
        "Connection: close",
        "Server: AmazonS3",
    ],
    "swift:503": [
        "HTTP/1.1 503 Service Unavailable",
        "Content-Length: LENGTH",
        "Content-Type: text/html; charset=UTF-8",
        "X-Trans-Id: ID",
        "X-Openstack-Request-Id: ID",
        f"Date: {DATE}",
        "Connection: close",
    ],
    "tos:SlowDown": [
        "HTTP/1.1 503 Service Unavailable",
        f"Date: {DATE}",
        "Server: TosServer",
        "x-tos-id-2: ID",
        "x-tos-request-id: ID",
        "x-tos-server-time: 1",
        "Content-Type: application/json",
        "Content-Length: LENGTH",
        "Connection: close",
    ],
}


def exact_head(action):
    return action.head.decode("latin-1")


@row_by_row("address", HEADS)
def test_an_exact_head_is_the_vendors_own(site, address):
    """Reason phrase, names, order, one Server and one Date; length and ids are those of the body."""
    action = site(f"{address},exact=yes", now=NOW, FAULTINJECT_HEADER="0").decide(
        "GET /bucket/photos/cat.jpg?x=1"
    )
    vendor = vendors.get(address.partition(":")[0])
    given = {name.lower(): value for name, value in action.headers}
    told = exact_head(action)
    assert told.endswith("\r\n\r\n")
    expected = [
        line.replace("LENGTH", str(len(action.body)))
        .replace("EXPIRES", given.get("expires", ""))
        .replace(": ID", f": {given.get(line.partition(':')[0].lower())}")
        for line in HEADS[address]
    ]
    assert told.splitlines() == [*expected, ""]
    if vendor.id not in WITHOUT_IDS_IN_BODY:
        assert all(given[name.lower()] in action.body.decode() for name, _ in vendor.id_headers)


WITHOUT_IDS_IN_BODY = {"bos", "gcs", "gcs-xml", "kodo", "r2", "swift"}
"""Their ids are in headers alone, at least one of them."""


def test_every_vendor_has_a_head():
    """Each of these says in which order its headers come."""
    shown = {each.partition(":")[0] for each in HEADS}
    assert shown <= set(vendors.names())
    assert all("Content-Type" in vendors.get(each).head for each in shown)


def test_what_is_not_the_vendors_own_comes_last(site):
    """The marks, what the rule sets and CORS, in their order; a Server of the rule stands for the vendor's."""
    made = site("cos:SlowDown,exact=yes,set.server=mine,set.x-a=b,retry_after=2s,name=slow")
    action = made.decide("GET /b/k", headers=[("Origin", "https://a.example")])
    names = [line.partition(":")[0] for line in exact_head(action).splitlines()[1:-1]]
    assert names == [
        "Content-Type", "Content-Length", "Connection", "Date", "server", "x-cos-request-id", "x-cos-trace-id",
        "Retry-After", "x-faultinject", "Cache-Control", "x-a", "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Vary",
    ]  # fmt: skip
    assert "server: mine\r\n" in exact_head(action)


def test_a_header_that_comes_twice_comes_twice():
    """Two Vary headers of the app's own answer both reach the browser."""
    cos = vendors.get("cos")
    told = Head("503 Slow Down", cos.head, cos.server).write(
        [("Vary", "Origin"), ("Date", "then"), ("vary", "Accept")], NOW
    )
    assert told == (
        b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nDate: then\r\nServer: tencent-cos\r\n"
        b"Vary: Origin\r\nvary: Accept\r\n\r\n"
    )


@row_by_row(
    ("rule", "status_line"),
    [
        ("cos:SlowDown,status=429", "429 Too Many Requests"),
        ("cos:SlowDown,status=567", "567 Unknown"),
        ("cos:SlowDown,status=503", "503 Slow Down"),
        ("cos:InternalError", "500 Internal Server Error"),
        ("qiniu-mix:SlowDown", "503 Service Unavailable"),
    ],
)
def test_the_vendors_phrase_belongs_to_its_own_status(site, rule, status_line):
    """Another status has the standard phrase, or says that there is none."""
    action = site(f"{rule},exact=yes").decide()
    assert exact_head(action).partition("\r\n")[0] == f"HTTP/1.1 {status_line}"


def test_without_exact_the_server_words_the_head(site):
    """The vendor's phrase, which only WSGI servers send, and nothing to write."""
    action = site("cos:SlowDown").decide()
    assert (action.head, action.status_line, action.needs_socket) == (None, "503 Slow Down", False)
    assert site("cos:SlowDown,exact=yes").decide().needs_socket


# --- the app's own answer, past its server -----------------------------------------------------------------


@pytest.mark.parametrize("chunks", [True, False])
@pytest.mark.parametrize("sized", [True, False])
def test_a_body_is_in_chunks_where_its_length_is_not_known(sized, chunks):
    """And the client understands them; else the end of the connection is its end."""
    headers = [("X-A", "1"), *([("content-length", "9")] if sized else [])]
    framing = Framing("200 OK", headers, now=NOW, server="", chunks=chunks)
    assert (b"Transfer-Encoding: chunked\r\n" in framing.head) is (chunks and not sized)
    if chunks and not sized:
        assert [framing.frame(b"x" * 26), framing.end] == [b"1a\r\n" + b"x" * 26 + b"\r\n", b"0\r\n\r\n"]
    else:
        assert [framing.frame(b"x" * 26), framing.end] == [b"x" * 26, b""]


@pytest.mark.parametrize(
    ("headers", "server", "lines"),
    [
        ([], "", [f"Date: {DATE}", "Transfer-Encoding: chunked"]),
        ([], "gunicorn/1", [f"Date: {DATE}", "Server: gunicorn/1", "Transfer-Encoding: chunked"]),
        ([("date", "d"), ("SERVER", "s"), ("Content-Length", "3")], "gunicorn/1", ["date: d", "SERVER: s", "Content-Length: 3"]),
        (
            [("Set-Cookie", "a"), ("Connection", "keep-alive"), ("KEEP-ALIVE", "timeout=5"), ("Set-Cookie", "b"),
             ("transfer-encoding", "chunked"), ("X-Ü", "é")],
            "",
            ["Set-Cookie: a", "Set-Cookie: b", "X-Ü: é", f"Date: {DATE}", "Transfer-Encoding: chunked"],
        ),
    ],
)  # fmt: skip
def test_an_apps_head_has_one_date_one_server_and_ends_the_connection(headers, server, lines):
    """The app's own where it has them; what it says of the connection is not true any more."""
    framing = Framing("299 Odd Phrase", headers, now=NOW, server=server, chunks=True)
    assert framing.head.decode("latin-1") == "\r\n".join(
        ["HTTP/1.1 299 Odd Phrase", *lines, "Connection: close", "", ""]
    )


# --- small facts -------------------------------------------------------------------------------------------


@row_by_row(
    ("method", "status", "headers", "none"),
    [
        ("GET", 200, [], False),
        ("GET", 200, [("Content-Length", "1")], False),
        ("GET", 200, [("content-length", "0")], True),
        ("HEAD", 200, [("Content-Length", "5")], True),
        ("head", 500, [], True),
        ("GET", 204, [("Content-Length", "5")], True),
        ("GET", 205, [], True),
        ("GET", 304, [("Content-Length", "5")], True),
        ("GET", 100, [], True),
        ("GET", 103, [("Content-Length", "5")], True),
        ("POST", 503, [], False),
        ("OPTIONS", 206, [("Content-Length", "5")], False),
    ],
)
def test_what_has_no_body(method, status, headers, none):
    """There is nothing to cut, to slow down or to change in it."""
    assert has_no_body(method, status, headers) is none


@row_by_row(
    ("headers", "length"),
    [
        ([], None),
        ([("X", "1")], None),
        ([("X", "1"), ("CONTENT-length", " 12 ")], 12),
        ([("Content-Length", "1"), ("Content-Length", "2")], 1),
        *(([("Content-Length", text)], None) for text in ("", "-1", "1.5", "0x1", "١", "9" * 20, "1, 1")),
        ([("Content-Length", "9" * 19)], int("9" * 19)),
    ],
)
def test_a_length_is_read_or_is_not_known(headers, length):
    """Whatever an app writes there."""
    assert length_of(headers) == length


@row_by_row(
    ("body", "start"),
    [
        (b"<?xml version='1.0' encoding='utf-8' ?>\n<Error>?></Error>", b"<?xml version='1.0' encoding='utf-8' ?>\n"),
        (b"<?xml version='1.0'?>\n\n<Error>", b"<?xml version='1.0'?>\n"),
        (b"<?xml version='1.0'?><Error>\n", b"<?xml version='1.0'?>"),
        (b"<?xml version='1.0'?>", b"<?xml version='1.0'?>"),
        (b'{"code":"?>"}', b""),
        (b"<html>", b""),
        (b"", b""),
    ],
)  # fmt: skip
def test_nothing_stands_before_an_xml_declaration(body, start):
    """So it goes out before the blanks; of anything else nothing does."""
    assert body[: late_start(body)] == start


def test_every_late_envelope_has_a_start():
    """The body of every vendor, as it is sent: blanks may stand between its start and the rest."""
    from xml.etree import ElementTree as etree

    for name in vendors.names():
        vendor = vendors.get(name)
        ids = vendor.make_ids(bytes(64), 0)
        body = vendor.render(code="C", message="<?xml ?>", status=200, resource="/b/k", ids=ids)
        start = late_start(body)
        late = body[:start] + b"  " + body[start:]
        if body.removeprefix(b"\xef\xbb\xbf")[:5] == b"<?xml":
            assert etree.fromstring(late).findtext("Code") == "C"
        else:
            assert late == b"  " + body


@row_by_row(
    ("line", "headers", "may"),
    [
        ("200 OK", [("A", "é b")], True),
        ("200 OK", [("A", "中")], False),
        ("200 OK\r\nX: y", [], False),
        ("200 OK", [("A", "b\nc")], False),
        ("200 OK", [("A\r", "b")], False),
        ("200 OK", [("A", "\0")], False),
        ("200 OK", [], True),
    ],
)
def test_heads_that_can_be_written(line, headers, may):
    """What ends a line early, or is no Latin-1, is left to the server."""
    assert can_be_written(line, headers) is may
