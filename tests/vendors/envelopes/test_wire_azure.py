"""Recorded answers of Azure Blob Storage are rendered from their inputs, byte for byte."""

import re

import pytest

from faultinject import vendors
from tests.rows import each_row

REQUEST_ID = "148ba281-f01e-0065-5de9-4d0c4b000000"
CLIENT_ID = "54d4dd87-b16e-4571-8fb9-50076e3832db"
ANSWERED = 1_593_416_684.0
# recordings of azure-sdk-for-js, 29 June 2020
BLOB_NOT_FOUND = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><Error><Code>BlobNotFound</Code><Message>The specified blob '
    b"does not exist.\nRequestId:148ba281-f01e-0065-5de9-4d0c4b000000\nTime:2020-06-29T07:44:45.0880620Z</Message>"
    b"</Error>"
)
HEAD = (
    b"HTTP/1.1 404 The specified blob does not exist.\r\n"
    b"Content-Length: 215\r\n"
    b"Content-Type: application/xml\r\n"
    b"x-ms-request-id: 148ba281-f01e-0065-5de9-4d0c4b000000\r\n"
    b"x-ms-client-request-id: 54d4dd87-b16e-4571-8fb9-50076e3832db\r\n"
    b"x-ms-version: 2019-07-07\r\n"
    b"x-ms-error-code: BlobNotFound\r\n"
)
SENT = [(b"x-ms-version", b"2019-07-07"), (b"x-ms-client-request-id", CLIENT_ID.encode())]


@pytest.fixture
def answer_to(answer_of):
    """An answer with the ids and at the time that were seen."""
    ids = {"request_id": REQUEST_ID, "time": "2020-06-29T07:44:45.0880620Z"}

    def ask(fault, method="GET", path="/photos/cat", headers=SENT):
        return answer_of(f"azure-blob:{fault}", method, path, ids=ids, now=ANSWERED, headers=headers)

    return ask


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head(method, answer_to):
    """The recorded head, from the headers of the request; on HEAD it says nothing of a body.

    The body has a three-byte mark, and id and time in its message: 215 bytes, as recorded.
    """
    vendor = vendors.get("azure-blob")
    row = vendor.find("BlobNotFound")
    answer = answer_to("BlobNotFound", method)
    line, *headers = HEAD.decode().splitlines()
    # of what recordings have on HEAD only the chunks of no body are left out
    recorded = {*headers} if method == "GET" else {"Content-Length: 0", *headers[2:]}
    assert f"HTTP/1.1 {answer.status} {vendor.reason(row, row.message)}" == line
    assert {f"{name}: {value}".lower() for name, value in answer.headers} == {
        each.lower() for each in recorded
    }
    assert answer.body == (BLOB_NOT_FOUND if method == "GET" else b"")


def test_nothing_is_echoed_that_was_not_sent(answer_to):
    names = answer_to("BlobNotFound", headers=[]).names
    assert sorted(names) == ["content-length", "content-type", "x-ms-error-code", "x-ms-request-id"]


@each_row(
    ("fault", "path", "end"),
    [
        (
            "InvalidHeaderValue",
            "/photos/cat",
            b"</Message><HeaderName>x-ms-version</HeaderName><HeaderValue>2019-07-07</HeaderValue></Error>",
        ),
        (
            "MissingRequiredHeader",
            "/photos/cat",
            b"</Message><HeaderName>x-ms-blob-type</HeaderName></Error>",
        ),
        (
            "InvalidQueryParameterValue",
            "/photos/cat?comp=a%3Cb",
            b"</Message><QueryParameterName>comp</QueryParameterName>"
            b"<QueryParameterValue>a&lt;b</QueryParameterValue><Reason></Reason></Error>",
        ),
        (  # apostrophes stay as they are
            "InvalidQueryParameterValue",
            "/photos/cat?comp=it's%20%3C1%3E%20%26apos;",
            b"<QueryParameterValue>it's &lt;1&gt; &amp;apos;</QueryParameterValue><Reason></Reason></Error>",
        ),
        (
            "InvalidXmlDocument",
            "/photos/cat",
            b"</Message><LineNumber>0</LineNumber><LinePosition>0</LinePosition><Reason></Reason></Error>",
        ),
    ],
)
def test_what_codes_carry(fault, path, end, answer_to):
    """Fields behind the message are filled from the request."""
    assert answer_to(fault, path=path).body.endswith(end)


DATE, OTHER = b"Thu, 01 Jan 1970 00:00:00 GMT", b"Fri, 02 Jan 1970 00:00:00 GMT"
# Azure/azure-sdk-for-js#5433
TOO_OLD = b"<AuthenticationErrorDetail>Request date header too old: '%s'</AuthenticationErrorDetail>"


@each_row(
    ("headers", "told"),
    [
        ([(b"x-ms-date", DATE)], TOO_OLD % DATE),
        ([(b"date", DATE)], TOO_OLD % DATE),
        ([(b"date", DATE), (b"x-ms-date", OTHER)], TOO_OLD % OTHER),
        ([], b""),
    ],
)
def test_a_date_that_is_too_old(headers, told, answer_to):
    """The date is x-ms-date, or Date; without both nothing is said of it."""
    body = answer_to("AuthenticationFailed", headers=headers).body
    assert body.endswith(b"\nTime:2020-06-29T07:44:45.0880620Z</Message>" + told + b"</Error>")


def test_challenge(answer_to):
    """A 401 says where to get a token."""
    wanted = (
        "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize "
        "resource_id=https://storage.azure.com"
    )
    assert answer_to("NoAuthenticationInformation").header("www-authenticate") == wanted
    assert "www-authenticate" not in answer_to("AuthenticationFailed").names


def test_made_ids_have_the_form_of_seen_ones():
    """New ids have the recorded form: `01e`, six zeros, and a time with seven digits.

    The second group ends in 01e, the id in six zeros; the time is the answer's, with seven digits of its second.
    """
    make_ids = vendors.get("azure-blob").make_ids
    form = r"[0-9a-f]{8}-[0-9a-f]01e-00[0-9a-f]{2}-[0-9a-f]{4}-[0-9a-f]{6}0{6}"
    assert re.fullmatch(form, REQUEST_ID)
    for entropy in (bytes(64), bytes(range(64)), b"\xff" * 64):
        ids = make_ids(entropy, 1_593_416_684)
        assert re.fullmatch(form, ids["request_id"])
        assert re.fullmatch(r"2020-06-29T07:44:44\.\d{7}Z", ids["time"])
