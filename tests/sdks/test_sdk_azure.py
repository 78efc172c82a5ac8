"""Azure's SDK reads code, message, id and time of every row, and on HEAD the code's header."""

import re

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, LinearRetry

from faultinject import RuleCounts, vendors

from .told import BUCKET, KEY, of_each_row, raised

ROWS = vendors.get("azure-blob").errors
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z"
QUICK = LinearRetry(backoff=0, random_jitter_range=0, retry_total=2)
CREDENTIAL = {"account_name": "account", "account_key": "a2V5"}


def blob_of(server, **options):
    account = BlobServiceClient(f"{server.url}/account", credential=CREDENTIAL, **options)
    return account.get_blob_client(BUCKET, KEY)


@pytest.fixture(scope="module")
def blob(server):
    with blob_of(server, retry_total=0) as made:
        yield made


def error_of(server, row, call):
    """The error of a call; status, phrase, code, id and echoes of the request are right."""
    error = raised(HttpResponseError, call)
    headers, request = error.response.headers, error.response.request.headers
    sent = server.outcomes[-1]  # for a 416 it asks again, without a range
    assert (error.status_code, error.error_code, error.reason) == (row.status or 400, row.code, row.message)
    assert (headers["x-ms-error-code"], headers["x-ms-request-id"]) == (row.code, sent.request_id)
    for name in ("x-ms-client-request-id", "x-ms-version"):
        assert headers[name] == request[name]
    assert ("WWW-Authenticate" in headers) == (row.status == 401)
    assert (sent.bucket, sent.key) == (BUCKET, KEY)
    return error


def without_body(row, error):
    """The SDK's message for an answer without a body."""
    return f"Operation returned an invalid status '{error.reason}'\nErrorCode:{row.code}"


CALLS = {
    "get": lambda blob: blob.download_blob().readall(),
    "put": lambda blob: blob.upload_blob(b"x" * 100, overwrite=True),
    "delete": lambda blob: blob.delete_blob(),
}


@pytest.mark.slow
@of_each_row(ROWS, CALLS)
def test_rows(row, call, server, blob):
    """Each row's message is the document's, with the answer's id and time, by three calls."""
    error = error_of(server, row, lambda: CALLS[call](blob))
    message = f"{row.message}\nRequestId:{server.outcomes[-1].request_id}\nTime:"
    if row.status == 304:
        assert error.message == without_body(row, error)
    else:
        assert re.search(f"{re.escape(message)}{TIME}\nErrorCode:{row.code}(\n|$)", error.message)


@pytest.mark.slow
@of_each_row(ROWS)
def test_head(row, server, blob):
    """HEAD has no body: the code is in its header, and the phrase is the message."""
    error = error_of(server, row, blob.get_blob_properties)
    assert error.message == without_body(row, error)


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [("ServerBusy", 3), ("OperationTimedOut", 3), ("BlobNotFound", 1), ("ContainerBeingDeleted", 1)],
)
def test_its_own_retries(fault, attempts, server):
    """With a quick policy the SDK retries 5xx and gives up on 4xx."""
    server.use(f"azure-blob:{fault}")
    with blob_of(server, retry_policy=QUICK) as blob:
        raised(HttpResponseError, blob.delete_blob)  # a download leaves the connections of its attempts open
    assert server.counts() == RuleCounts(attempts, attempts)


def test_failed_copy_source_is_retried(server):
    """The copy source's answer is in headers of its own, and makes the SDK retry a 404."""
    server.use("azure-blob:CannotVerifyCopySource", status=404)
    with blob_of(server, retry_policy=QUICK) as blob:
        error = raised(HttpResponseError, blob.start_copy_from_url, f"{server.url}/account/photos/dog.jpg")
    assert error.response.headers["x-ms-copy-source-error-code"] == "OperationTimedOut"
    assert server.counts() == RuleCounts(3, 3)
