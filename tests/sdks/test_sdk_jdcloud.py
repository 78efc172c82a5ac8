"""boto3 reads every row of JD Cloud's S3-compatible service: code, message, resource and request id."""

from __future__ import annotations

import pytest

from faultinject import vendors

from .path_style import CALLS, RESOURCE, client_of, error_of, wrong_heads
from .told import with_calls

ROWS = vendors.get("jdcloud").errors
ERRORS = [row for row in ROWS if row.status >= 400]
REDIRECTS = [row for row in ROWS if row.status < 400]


@pytest.fixture(scope="module")
def client(server):
    made = client_of(server.url, "cn-north-1")
    yield made
    made.close()


def read(response, server):
    """What boto3 says of an error, and how many ids there are."""
    error, told = response["Error"], response["ResponseMetadata"]
    headers = told["HTTPHeaders"]
    ids = {told["RequestId"], headers["x-req-id"], server.outcomes[-1].request_id}
    return (
        error["Code"],
        error["Message"],
        error["Resource"],
        error["statusCode"],
        told["HTTPStatusCode"],
        len(ids),
    )


@pytest.mark.slow
def test_rows(server, client):
    wrong = []
    for row, operation in with_calls(ERRORS, CALLS):
        server.use(row.address, operation=operation)
        found = read(error_of(CALLS[operation], client), server)
        if found != (row.code, row.message, RESOURCE, str(row.status), row.status, 1):
            wrong.append((row.label, found))
    assert wrong == []


def test_redirects(server, client):
    """With the bucket's region in a header boto3 follows a redirect once; without it it would ask 80 times."""
    for row in REDIRECTS:
        server.use(row.address, set={"x-amz-bucket-region": "cn-north-1"})
        found = read(error_of(CALLS["GetObject"], client), server)
        assert found == (row.code, row.message, RESOURCE, str(row.status), row.status, 1)


def test_head(server, client):
    """HEAD: the status is the code, the id is in a header."""
    assert wrong_heads(ERRORS, server, client) == []
