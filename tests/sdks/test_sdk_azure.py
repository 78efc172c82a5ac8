"""Azure's SDK reads code, message, id and time of every row, and on HEAD the code's header."""

from __future__ import annotations

import re

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, LinearRetry

from faultinject import RuleCounts, vendors

from .told import with_calls

CONTAINER = "photos"
KEY = "cat pictures/猫&<1>.jpg"
ROWS = vendors.get("azure-blob").errors
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z"
CREDENTIAL = {"account_name": "account", "account_key": "a2V5"}


def blob_of(server, **options):
    account = BlobServiceClient(f"{server.url}/account", credential=CREDENTIAL, **options)
    return account.get_blob_client(CONTAINER, KEY)


@pytest.fixture(scope="module")
def blob(server):
    with blob_of(server, retry_total=0) as made:
        yield made


def use(server, row, **keys):
    """Put a row in force; one without a documented status is sent with 400."""
    server.use(row.address, **({} if row.status else {"status": 400}), **keys)


def caught(call):
    with pytest.raises(HttpResponseError) as raised:
        call()
    return raised.value


def check(error, row, server):
    """Status, phrase, code and id, and what is an echo of the request."""
    headers, request = error.response.headers, error.response.request.headers
    sent = server.outcomes[-1]  # for a 416 it asks again, without a range
    assert (error.status_code, error.error_code) == (row.status or 400, row.code)
    assert error.reason == row.message
    assert (headers["x-ms-error-code"], headers["x-ms-request-id"]) == (row.code, sent.request_id)
    for name in ("x-ms-client-request-id", "x-ms-version"):
        assert headers[name] == request[name]
    assert ("WWW-Authenticate" in headers) == (row.status == 401)
    assert (sent.bucket, sent.key) == (CONTAINER, KEY)


def without_body(row, error):
    """The SDK's message for an answer without a body."""
    return f"Operation returned an invalid status '{error.reason}'\nErrorCode:{row.code}"


@pytest.mark.slow
def test_rows(server, blob, subtests):
    """Each row's message is the document's, with the answer's id and time, by three calls."""
    calls = {
        "get": lambda: blob.download_blob().readall(),
        "put": lambda: blob.upload_blob(b"x" * 100, overwrite=True),
        "delete": blob.delete_blob,
    }
    for row, name in with_calls(ROWS, calls):
        with subtests.test(row.label, call=name):
            use(server, row)
            error = caught(calls[name])
            check(error, row, server)
            message = f"{row.message}\nRequestId:{server.outcomes[-1].request_id}\nTime:"
            if row.status == 304:
                assert error.message == without_body(row, error)
            else:
                assert re.search(f"{re.escape(message)}{TIME}\nErrorCode:{row.code}(\n|$)", error.message)


@pytest.mark.slow
def test_head(server, blob, subtests):
    """HEAD has no body: the code is in its header, and the phrase is the message."""
    for row in ROWS:
        with subtests.test(row.label):
            use(server, row)
            error = caught(blob.get_blob_properties)
            check(error, row, server)
            assert error.message == without_body(row, error)


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [("ServerBusy", 3), ("OperationTimedOut", 3), ("BlobNotFound", 1), ("ContainerBeingDeleted", 1)],
)
def test_its_own_retries(fault, attempts, server):
    """With a quick policy the SDK retries 5xx and gives up on 4xx."""
    server.use(f"azure-blob:{fault}")
    policy = LinearRetry(backoff=0, random_jitter_range=0, retry_total=2)
    with blob_of(server, retry_policy=policy) as blob:
        caught(blob.delete_blob)  # a download leaves the connections of its attempts open
    assert server.counts() == RuleCounts(attempts, attempts)


def test_failed_copy_source_is_retried(server):
    """The copy source's answer is in headers of its own, and makes the SDK retry a 404."""
    server.use("azure-blob:CannotVerifyCopySource", status=404)
    policy = LinearRetry(backoff=0, random_jitter_range=0, retry_total=2)
    with blob_of(server, retry_policy=policy) as blob:
        error = caught(lambda: blob.start_copy_from_url(f"{server.url}/account/photos/dog.jpg"))
    assert error.response.headers["x-ms-copy-source-error-code"] == "OperationTimedOut"
    assert server.counts() == RuleCounts(3, 3)
