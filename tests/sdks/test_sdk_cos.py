"""The COS SDK reads every COS row; hidden parts are compared in the bytes that it got.

It hides: on HEAD all but the status (404 becomes a code of its own); it takes 2xx and 3xx for success.
"""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
import requests

from faultinject import RuleCounts, vendors

from .sdk_clients import CosServiceError, cos
from .told import KEY, of_each_row, raised

BUCKET = "photos-1250000000"
RESOURCE = "/cat%20pictures/%E7%8C%AB%26%3C1%3E.jpg"
ROWS = vendors.get("cos").errors
ERRORS = [row for row in ROWS if row.status is None or row.status >= 400]
REDIRECTS = [row for row in ROWS if row.status is not None and row.status < 400]


@pytest.fixture(scope="module")
def session():
    """The SDK's connections, which keep each answer as it came."""
    with requests.Session() as session:
        session.got = []
        session.hooks["response"].append(lambda answer, **_: session.got.append(answer))
        yield session


@pytest.fixture(scope="module")
def client(server, session):
    """Without retries: one call is one attempt."""
    return cos(server.port, session=session, retry=0)


CALLS = {
    "get": lambda client: client.get_object(BUCKET, KEY),
    "put": lambda client: client.put_object(BUCKET, b"x" * 100, KEY),
    "delete": lambda client: client.delete_object(BUCKET, KEY),
    "initiate": lambda client: client.create_multipart_upload(BUCKET, KEY),
}


@of_each_row(ERRORS, CALLS)
def test_rows(row, call, server, client, session):
    """Status, code, message, resource and ids are read off the body, and agree with the headers."""
    session.got.clear()
    error = raised(CosServiceError, CALLS[call], client)
    [got] = session.got
    assert (
        error.get_status_code(),
        error.get_error_code(),
        error.get_error_msg(),
        error.get_resource_location(),
        error.get_request_id(),
        error.get_trace_id(),
    ) == (
        row.status or 400,
        row.code,
        row.message,
        RESOURCE,
        got.headers["x-cos-request-id"],
        got.headers["x-cos-trace-id"],
    )
    sent = server.last
    assert (sent.request_id, sent.bucket, sent.key) == (error.get_request_id(), BUCKET, KEY)


@pytest.mark.parametrize("row", REDIRECTS, ids=lambda row: row.label)
def test_redirect_is_success_to_the_sdk(row, server, client):
    """The SDK takes 301 and 307 for success, and the error for the object.

    The bytes hold the row, and there is no Location.
    """
    server.use(row.address)
    got = client.get_object(BUCKET, KEY)
    root = ElementTree.fromstring(got["Body"].get_raw_stream().read())
    assert [(each.tag, each.text) for each in root] == [
        ("Code", row.code),
        ("Message", row.message),
        ("Resource", RESOURCE),
        ("RequestId", got["x-cos-request-id"]),
        ("TraceId", got["x-cos-trace-id"]),
    ]
    assert "Location" not in got
    assert server.last.request_id == got["x-cos-request-id"]


@pytest.mark.slow
@of_each_row(ERRORS)
def test_heads(row, server, client, session):
    """On HEAD the SDK knows the status alone, with its own code for 404; the headers are GET's."""
    raised(CosServiceError, client.get_object, BUCKET, KEY)
    session.got.clear()
    error = raised(CosServiceError, client.head_object, BUCKET, KEY)
    [got] = session.got
    sent = server.outcomes[1]
    if row.status == 404:
        assert error.get_digest_msg() == {
            "code": "NoSuchResource",
            "message": "The Resource You Head Not Exist",
            "resource": f"http://127.0.0.1:{server.port}{RESOURCE}",
            "requestid": sent.request_id,
            "traceid": got.headers["x-cos-trace-id"],
        }
    else:
        assert (error.get_error_code(), error.get_request_id()) == ("Unknown", "Unknown")
    named = ("Content-Type", "x-cos-request-id", "Content-Length")
    found = error.get_status_code(), got.status_code, got.content, *(got.headers[name] for name in named)
    length = str(server.outcomes[0].response_bytes)
    assert found == (sent.status, row.status or 400, b"", "application/xml", sent.request_id, length)


def test_a_missing_object_does_not_exist(server, client):
    """`object_exists` believes a 404 and nothing else."""
    server.use("cos:NoSuchKey")
    assert client.object_exists(BUCKET, KEY) is False
    server.use("cos:AccessDenied")
    raised(CosServiceError, client.object_exists, BUCKET, KEY)


def test_not_modified_is_success_to_the_sdk(server, client):
    """A 304 has no body and no Content-Type, and the SDK takes it."""
    server.use("cos:PreconditionFailed", status=304)
    head = client.head_object(BUCKET, KEY)
    assert head["x-cos-request-id"] == server.last.request_id
    assert not {"Content-Type", "Content-Length"} & head.keys()


def test_a_gateway_has_no_ids(server, client, session):
    """A load balancer's answer is no error of COS, and the SDK reads nothing of it."""
    server.use("gateway:ServiceUnavailable")
    session.got.clear()
    error = raised(CosServiceError, client.get_object, BUCKET, KEY)
    assert (error.get_status_code(), error.get_error_code()) == (503, "Unknown")
    assert not any(name.lower().startswith("x-cos") for name in session.got[0].headers)
    assert "nginx" in error.get_origin_msg()


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchKey", "RequestTimeout"])
def test_client_errors_are_not_retried(code, server, session):
    """With its own settings the SDK gives up on a 4xx at once."""
    server.use(f"cos:{code}", times=2)
    raised(CosServiceError, cos(server.port, session=session).get_object, BUCKET, KEY)
    assert server.counts() == RuleCounts(1, 1)


@pytest.mark.slow
def test_default_attempts(server, session):
    """By default the SDK makes four attempts at a 503, 1, 2 and 3 s apart.

    It marks the last three.
    """
    server.use("cos:SlowDown", times=4)
    client = cos(server.port, session=session)
    error, outcomes = raised(CosServiceError, client.put_object, BUCKET, b"x" * 100, KEY), server.outcomes
    assert (error.get_error_code(), error.get_request_id()) == ("SlowDown", outcomes[-1].request_id)
    assert [each.attempt_hint for each in outcomes] == [None, *[{"retry": True}] * 3]
    gaps = [after.arrived - before.arrived for before, after in pairwise(outcomes)]
    assert all(gap > least - 0.1 for gap, least in zip(gaps, (1, 2, 3), strict=True))
    assert len({each.request_digest for each in outcomes}) == 1
    client.put_object(BUCKET, b"x" * 100, KEY)
    assert server.counts() == RuleCounts(5, 4)
