"""Azure's own SDK reads every row: code, message, id and time, and on HEAD the code from its header."""

from __future__ import annotations

import re

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, LinearRetry

from faultinject import vendors

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
    """What the SDK says where it was sent no body."""
    return f"Operation returned an invalid status '{error.reason}'\nErrorCode:{row.code}"


@pytest.mark.slow
def test_rows(server, blob):
    """Every row by one of three calls: the message is the document's, with the id and the time of the answer."""
    calls = {
        "get": lambda: blob.download_blob().readall(),
        "put": lambda: blob.upload_blob(b"x" * 100, overwrite=True),
        "delete": blob.delete_blob,
    }
    wrong = []
    for row, name in with_calls(ROWS, calls):
        use(server, row)
        error = caught(calls[name])
        check(error, row, server)
        message = f"{row.message}\nRequestId:{server.outcomes[-1].request_id}\nTime:"
        if row.status == 304:
            right = error.message == without_body(row, error)
        else:
            right = re.search(f"{re.escape(message)}{TIME}\nErrorCode:{row.code}(\n|$)", error.message)
        if not right:
            wrong.append((name, row.label, error.message))
    assert wrong == []


@pytest.mark.slow
def test_head(server, blob):
    """HEAD has no body: the code is in its header, and the phrase is the message."""
    wrong = []
    for row in ROWS:
        use(server, row)
        error = caught(blob.get_blob_properties)
        check(error, row, server)
        if error.message != without_body(row, error):
            wrong.append((row.label, error.message))
    assert wrong == []


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [("ServerBusy", 3), ("OperationTimedOut", 3), ("BlobNotFound", 1), ("ContainerBeingDeleted", 1)],
)
def test_its_own_retries(fault, attempts, server):
    """With a policy of its own that does not wait, the SDK tries again after 5xx and gives up on 4xx."""
    server.use(f"azure-blob:{fault}")
    policy = LinearRetry(backoff=0, random_jitter_range=0, retry_total=2)
    with blob_of(server, retry_policy=policy) as blob:
        caught(blob.delete_blob)  # a download leaves the connections of its attempts open
    assert server.counts() == {"matched": attempts, "injected": attempts}


def test_failed_copy_source_is_retried(server):
    """What the copy source answered is in headers of its own, and the SDK tries again after a 404 because of them."""
    server.use("azure-blob:CannotVerifyCopySource", status=404)
    policy = LinearRetry(backoff=0, random_jitter_range=0, retry_total=2)
    with blob_of(server, retry_policy=policy) as blob:
        error = caught(lambda: blob.start_copy_from_url(f"{server.url}/account/photos/dog.jpg"))
    assert error.response.headers["x-ms-copy-source-error-code"] == "OperationTimedOut"
    assert server.counts() == {"matched": 3, "injected": 3}


def test_exact_head(unmarked_server):
    """The head on the wire: the message as phrase, the vendor's order of headers, and no body for HEAD."""
    unmarked_server.use("azure-blob:BlobNotFound", exact=True)
    request = (
        b"HEAD /account/photos/cat HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"x-ms-version: 2019-07-07\r\nx-ms-client-request-id: mine\r\n\r\n"
    )
    head = unmarked_server.wire(request).decode("latin-1").split("\r\n")
    assert head[0] == "HTTP/1.1 404 The specified blob does not exist."
    assert [each.partition(":")[0] for each in head[1:-2]] == [
        "Content-Length",
        "Server",
        "x-ms-request-id",
        "x-ms-client-request-id",
        "x-ms-version",
        "x-ms-error-code",
        "Date",
        "Connection",
    ]
    assert {"Content-Length: 0", "x-ms-client-request-id: mine", "x-ms-version: 2019-07-07"} < {*head}
