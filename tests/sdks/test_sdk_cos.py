"""The COS SDK reads every COS row; it takes 2xx and 3xx for success."""

from __future__ import annotations

import warnings
from xml.etree import ElementTree

import pytest
import requests

from faultinject import vendors

from .calls import with_calls

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from qcloud_cos import CosConfig, CosS3Client, CosServiceError

BUCKET = "photos-1250000000"
KEY = "cat pictures/猫&<1>.jpg"
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
def make_client(server, session):
    def make(**options):
        config = CosConfig(
            Region="ap-guangzhou", SecretId="id", SecretKey="key", Scheme="http", IP="127.0.0.1", Port=server.port,
            Timeout=10,
        )  # fmt: skip
        return CosS3Client(config, session=session, **options)

    return make


@pytest.fixture(scope="module")
def client(make_client):
    """Without retries: one call is one attempt."""
    return make_client(retry=0)


CALLS = {
    "get": lambda client: client.get_object(BUCKET, KEY),
    "put": lambda client: client.put_object(BUCKET, b"x" * 100, KEY),
    "delete": lambda client: client.delete_object(BUCKET, KEY),
    "initiate": lambda client: client.create_multipart_upload(BUCKET, KEY),
}


def test_rows(server, client, session):
    """Status, code, message, resource and ids are read off the body, and agree with the headers."""
    for row, call in with_calls(ERRORS, CALLS):
        server.use(row.address)
        session.got.clear()
        with pytest.raises(CosServiceError) as caught:
            CALLS[call](client)
        error = caught.value
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
        assert server.last.request_id == error.get_request_id()
        assert (server.last.bucket, server.last.key) == (BUCKET, KEY)


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


def test_a_missing_object_does_not_exist(server, client):
    """`object_exists` believes a 404 and nothing else."""
    server.use("cos:NoSuchKey")
    assert client.object_exists(BUCKET, KEY) is False
    server.use("cos:AccessDenied")
    with pytest.raises(CosServiceError):
        client.object_exists(BUCKET, KEY)
