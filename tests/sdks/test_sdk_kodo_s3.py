"""boto3 reads every row of Kodo's S3-compatible service: code, message, resource, and Kodo's id as request id."""

from __future__ import annotations

import pytest

from faultinject import vendors

from .path_style import CALLS, RESOURCE, client_of, error_of, wrong_heads
from .told import with_calls

ROWS = vendors.get("kodo-s3").errors


@pytest.fixture(scope="module")
def client(server):
    made = client_of(server.url, "cn-east-1")
    yield made
    made.close()


def test_rows(server, client):
    wrong = []
    for row, operation in with_calls(ROWS, CALLS):
        server.use(row.address, operation=operation)
        response = error_of(CALLS[operation], client)
        error, told = response["Error"], response["ResponseMetadata"]
        ids = {told["RequestId"], told["HTTPHeaders"]["x-reqid"], server.last.request_id}
        found = (error["Code"], error["Message"], error["Resource"], told["HTTPStatusCode"], len(ids))
        if found != (row.code, row.message, RESOURCE, row.status, 1) or told.get("HostId"):
            wrong.append((row.label, found, ids))
    assert wrong == []


def test_head(server, client):
    """HEAD: the status is the code, the id is in a header."""
    assert wrong_heads(ROWS, server, client) == []


def test_unverified_rows_say_why():
    """Three rows were seen in answers of Qiniu's; each of the others says that it was not."""
    seen = [row.code for row in ROWS if not row.unverified]
    assert seen == ["AccessDenied", "NoSuchKey", "NotSupportAnonymous"]
    assert all(row.note for row in ROWS if row.unverified)
