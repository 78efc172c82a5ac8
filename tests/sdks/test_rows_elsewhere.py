"""Clients in Rust, C++, C and Go read every row that they can reach, but for known gaps.

They are libraries for Python here, `native_clients.py`; the programs have `test_rows_of_programs.py`.
"""

import html
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pairs import in_turn

from .processes import output
from .told import (
    BUCKET,
    DIALECT,
    EVERYTHING,
    ID_IN_HEADERS_ALONE,
    S3_LIKE,
    Told,
    id_header,
    in_xml,
    page_hides,
    rows_of,
    s3_rows,
    sent,
    use_all,
    with_azures_id,
    wrong,
)

pytestmark = pytest.mark.slow

SAYS_NOTHING = {"class": None, "text": "", "name": None}


def ask(client, vendor, server, call, rows, **variables):
    """Run a client, and return its report on each row."""
    if find_spec(client) is None:
        pytest.skip(f"{client} is not installed: it is of the extra conformance-native")
    program = Path(__file__).with_name("native_clients.py")
    said = json.loads(output(sys.executable, program, client, vendor, server.url, call, *rows, **variables))
    return {key: said.get(key, SAYS_NOTHING) for key in rows}


# object_store


def by_object_store(error):
    """Its text has the status and the body as it came; the headers are nowhere."""
    found = re.search(r"non-2xx status code: (\d+) [^:]*: (.*?)\n\nDebug source", error["text"], re.DOTALL)
    return in_xml(int(found[1]), found[2]) if found else Told()


@pytest.mark.parametrize(("vendor", "call"), in_turn([*S3_LIKE, "azure-blob"], ["get", "put"]))
def test_object_store(vendor, call, server):
    """obstore reads status, code, message and id of every row, but no id in headers alone."""
    rows = use_all(server, s3_rows(vendor))
    told = {key: by_object_store(error) for key, error in ask("obstore", vendor, server, call, rows).items()}
    hidden = ("request_id",) if vendor in ID_IN_HEADERS_ALONE else ()
    assert wrong(told, sent(server, rows), rows, lambda row: (*page_hides(row), *hidden)) == []


# OpenDAL

RUST_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def from_rust(text):
    """The text between quotes, as Rust prints it for programmers."""
    return re.sub(
        r"\\(u\{([0-9a-f]+)\}|.)",
        lambda found: chr(int(found[2], 16)) if found[2] else RUST_ESCAPES.get(found[1], found[1]),
        text,
    )


def by_opendal(error, header):
    """Read opendal's text: status, headers and the error's fields, or an unknown body as sent."""
    text = error["text"]
    found = re.search(r"Parts \{ status: (\d+)", text)
    request_id = re.search(rf'"(?:{header}|x-amz-request-id)": "([^"]*)"', text)
    if not found or not request_id:
        return Told()
    body = re.search(r" => (.*?)\n\nContext:", text, re.DOTALL)
    told = Told(int(found[1]), None, body and body[1], request_id[1])
    if body is None or not re.match(r"\w+ \{ ", body[1]):
        return told
    said = {name: from_rust(value) for name, value in re.findall(r'\b(\w+): "((?:[^"\\]|\\.)*)"', body[1])}
    assert said.get("request_id", "") in ("", told.request_id)
    return with_azures_id(told.but(code=said.get("reason", said.get("code")), message=said["message"]))


@pytest.mark.parametrize(
    ("vendor", "call"), in_turn([*S3_LIKE, "azure-blob", "cos-itself", "obs-itself"], ["get", "put"])
)
def test_opendal(vendor, call, server):
    """opendal reads status, code, message and id of every row; a page has no code.

    By its service for S3 or by the vendor's.
    """
    catalogue = vendor.removesuffix("-itself")
    rows, header = s3_rows(catalogue), id_header(catalogue)
    use_all(server, rows)
    proxy = {"http_proxy": server.url} if catalogue != vendor else {}
    said = ask("opendal", vendor, server, call, rows, **proxy)
    told = {key: by_opendal(said[key], header).without(*page_hides(row)) for key, row in rows.items()}
    assert wrong(told, sent(server, rows), rows, page_hides) == []


GCS_NAMES_THE_OBJECT = ("notFound", "rateLimitExceeded")
"""Codes whose message names the object in a download or an upload.

In all else the message is the table's.
"""


@pytest.mark.parametrize("call", ["get", "put"])
def test_opendal_gcs(call, server):
    """JSON at uploads, with every word; downloads are answered with a text, which has no code."""
    rows = use_all(
        server, rows_of("gcs"), lambda key: {"query.name": key} if call == "put" else {"path": f"**/{key}"}
    )
    said, told = ask("opendal", "gcs", server, call, rows), {}
    for key, row in rows.items():
        found = by_opendal(said[key], id_header("gcs")).without(*page_hides(row))
        if row.form == "gone":  # in JSON also of a download, with another reason than its name
            assert found.code == "backendError"
            found = found.but(code=row.code)
        text = found.message and (html.unescape(found.message) if call == "get" else found.message)
        if row.code in GCS_NAMES_THE_OBJECT and f"{BUCKET}/{key}" in text:
            text = row.message
        told[key] = found.but(message=text)

    def hides(row):
        return (*(("code",) if call == "get" and row.form != "gone" else ()), *page_hides(row))

    assert wrong(told, sent(server, rows), rows, hides) == []


@pytest.mark.parametrize("call", ["get", "put"])
def test_opendal_swift(call, server):
    """Swift's own rows, whose code is the status; it takes the text out of the page."""
    rows = use_all(
        server, {key: row for key, row in rows_of("swift").items() if row.form != DIALECT["swift"]}
    )
    said = ask("opendal", "swift-itself", server, call, rows)
    told = {key: by_opendal(error, id_header("swift")) for key, error in said.items()}
    assert wrong(told, sent(server, rows), rows, lambda row: ("code",)) == []


# pyarrow, which is AWS's SDK for C++


def by_aws_cpp(error):
    """Read an unknown error with status and code, and a known one by its name or number.

    The message comes as XML writes it, without the blanks at its ends.
    """
    found = re.search(
        r"AWS Error (?:UNKNOWN \(HTTP status (\d+)\)|([A-Z_]+)|\[code \d+\]) during PutObject operation: "
        r"(?:Unable to parse ExceptionName: (.*?) Message: )?(.*?)(?: \(Request ID: (\S+)\))?$",
        error["text"],
        re.DOTALL,
    )
    if not found:
        return Told()
    status, own, code, message, request_id = found.groups()
    return Told(status and int(status), code or own, html.unescape(message).strip(), request_id)


def named_by_aws_cpp(code):
    """The spelling of a code that the AWS SDK for C++ knows."""
    if code == "InternalError":
        return "INTERNAL_FAILURE"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code.removesuffix("Error")).upper()


PYARROW = in_turn(S3_LIKE, ["put", "get"])


@pytest.mark.parametrize("vendor", [vendor for vendor, call in PYARROW if call == "put"])
def test_pyarrow_writes(vendor, server):
    """pyarrow reads message and id of every row, with status and code or its own name.

    It reads no id from headers alone.
    """
    rows = use_all(server, s3_rows(vendor))
    said = ask("pyarrow", vendor, server, "put", rows)
    told = {key: by_aws_cpp(said[key]).without(*page_hides(row)) for key, row in rows.items()}
    was = sent(server, rows)
    for key, row in rows.items():
        was[key] = was[key].but(message=row.message.strip())
        if told[key].status is None:
            own = told[key].code
            was[key] = was[key].but(status=None, code=own and named_by_aws_cpp(row.code))
        if vendor in ID_IN_HEADERS_ALONE:
            was[key] = was[key].without("request_id")
    assert wrong(told, was, rows, page_hides) == []
    known = {row.code for key, row in rows.items() if told[key].status is None}
    assert {"AccessDenied", "NoSuchKey"} & {row.code for row in rows.values()} <= known


@pytest.mark.parametrize("vendor", [vendor for vendor, call in PYARROW if call == "get"])
def test_pyarrow_reads(vendor, server):
    """pyarrow asks for the head, and reports its status alone.

    404 is a file that is not there, 401 and 403 a name.
    """
    rows = use_all(server, s3_rows(vendor))
    told = {}
    for key, error in ask("pyarrow", vendor, server, "get", rows).items():
        found = re.search(
            r"AWS Error (?:UNKNOWN \(HTTP status (\d+)\)|ACCESS_DENIED) during HeadObject", error["text"]
        )
        status = int(found[1] or 403) if found else 404 if error["class"] == "FileNotFoundError" else None
        told[key] = Told(status)
    was = {
        key: each.but(status=403) if each.status == 401 else each for key, each in sent(server, rows).items()
    }
    assert wrong(told, was, rows, lambda row: ("code", "message", "request_id")) == []


def test_pyarrow_hides_errors_that_are_longer_than_the_object(server):
    """pyarrow reads as many bytes as the head announced, here 4, and no error fits into them."""
    rows = use_all(server, rows_of("s3"), method="GET")

    said = {error["text"] for error in ask("pyarrow", "s3", server, "get", rows).values()}
    sent(server, rows)
    assert len(said) == 1
    assert "Failed to flush response stream" in said.pop()


# AWS's Common Runtime, in C

CRT_TRIES_AGAIN = {
    "AWS_ERROR_S3_INTERNAL_ERROR",
    "AWS_ERROR_S3_REQUEST_TIMEOUT",
    "AWS_ERROR_S3_REQUEST_TIME_TOO_SKEWED",
    "AWS_ERROR_S3_SLOW_DOWN",
}
"""The names that it reports alone, of errors that it would retry."""
CRT_CODES = ("internalerror", "requesttimetooskewed", "requesttimeout", "slowdown")
"""In small letters, as it does not look at them."""
CRT_STATUSES = (500, 502, 503, 504)


@pytest.mark.parametrize(("vendor", "call"), in_turn(S3_LIKE, ["get", "put"]))
def test_awscrt(vendor, call, server):
    """The exception has status, headers and body, or a name alone for retryable errors."""
    rows = use_all(server, s3_rows(vendor))
    told, names = {}, {}
    for key, error in ask("awscrt", vendor, server, call, rows).items():
        if "headers" not in error:
            names[key], told[key] = error["name"], Told()
            continue
        headers = {name.lower(): value for name, value in error["headers"]}
        request_id = headers.get(id_header(vendor), headers.get("x-amz-request-id"))
        found = in_xml(error["status"], error["body"])
        assert found.request_id in (None, request_id)
        told[key] = found.but(request_id=request_id)

    def again(row):
        return row.status in CRT_STATUSES or row.code.lower() in CRT_CODES

    assert set(names.values()) <= CRT_TRIES_AGAIN
    assert {row.label for key, row in rows.items() if key in names} == {
        row.label for row in rows.values() if again(row)
    }

    def hides(row):
        return EVERYTHING if again(row) else page_hides(row)

    assert wrong(told, sent(server, rows), rows, hides) == []
