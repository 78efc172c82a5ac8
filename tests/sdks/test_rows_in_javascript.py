"""The SDKs for JavaScript read status, code, message and id of every row, except known gaps.

They run in Node, from the folder whose node_modules have them; each has a program in the folder `javascript`.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest

from faultinject import vendors

from .processes import in_node
from .told import S3_LIKE, use_all

pytestmark = pytest.mark.slow

DRIVERS = Path(__file__).parent / "javascript"
OF_CHUNKS = (
    ". Set [requestStreamBufferSize=number e.g. 65_536] in client constructor to instruct AWS SDK to buffer your input "
    "stream."
)
SERVICE_VERSION = (
    "The provided service version is not enabled on this storage account. Please see "
    "https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services for additional "
    "information.\n"
)
OF_OBJECTS = (
    "The object photos/{} exceeded the rate limit for object mutation operations (create, update, and delete). "
    "Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429."
)


def whole(row, sent):
    """The report of an SDK that hides nothing: status, code, message and request id."""
    return sent.status, row.code, row.message, sent.request_id


def with_quotes_numbered(text):
    """With the quotes as Go writes them into XML and HTML."""
    return text.replace("'", "&#39;").replace('"', "&#34;")


def by_aws(row, sent):
    """AWS's SDK words an empty message (RGW's), advises on chunks, and misreads Google's page."""
    if row.form == "html":
        return sent.status, "Error", None, sent.request_id
    message = row.message or "UnknownError"
    if row.code == "InvalidChunkSizeError" and sent.method == "PUT":
        message += OF_CHUNKS
    return sent.status, row.code, message, sent.request_id


def by_minio(row, sent):
    """MinIO's SDK gives no status, and reads nothing of a retryable error."""
    if sent.status in (408, 429, 499, 500, 502, 503, 504, 520):
        return (
            None,
            None,
            f"Request failed after 0 retries: Error: Retryable HTTP status: {sent.status}",
            None,
        )
    return None, row.code, row.message, sent.request_id


def by_azure(row, sent):
    """Azure's message ends in id and time, which its program drops; the version has own words.

    It has words of its own for the service's version.
    """
    message = f"{row.message}\nRequestId:{sent.request_id}\nTime:"
    if row.code == "InvalidHeaderValue":
        message = SERVICE_VERSION
    return sent.status, row.code, message, sent.request_id


GONE = (Path(vendors.__file__).parent / "gcs" / "envelope-gone.json").read_text() % {
    "message": "Backend Error"
}
"""The body of `gcs:Gone`, whose own code and reason are others than the answer's."""


def by_google(row, sent):
    """Google's download error is a text without reason; an empty answer gives phrase or nothing."""
    download = sent.operation == "storage.objects.get"
    reason = None if download or row.form in ("html", "empty") else row.code
    message = row.message
    if row.form == "gone":
        # JSON in a download, too, where it does not read it; elsewhere it goes by the body's own code.
        told = (sent.status, None, GONE) if download else (503, "backendError", row.message)
        return (*told, sent.request_id)
    if row.form == "empty":
        message = "" if download else row.reason or HTTPStatus(sent.status).phrase
    elif row.code == "notFound":
        message = f"No such object: photos/{sent.key}"
    elif row.code == "rateLimitExceeded" and not download:
        message = OF_OBJECTS.format(sent.key)
    return sent.status, reason, with_quotes_numbered(message) if download else message, sent.request_id


def by_qiniu(row, sent):
    """Kodo's code is the status, but for one row that has a code beside it."""
    return sent.status, "BadToken" if row.label == "401/5" else None, row.message, sent.request_id


def by_tos(row, sent):
    """It does not read the body of a failed download."""
    if sent.operation == "GetObject":
        return sent.status, None, "", sent.request_id
    return whole(row, sent)


class Client(NamedTuple):
    """One SDK: its package, its program, its vendors, and its reading of their errors."""

    package: str
    program: str
    vendors: tuple[str, ...]
    says: Callable = whole
    operations: tuple[str, str] = ("GetObject", "PutObject")
    attempts_at_5xx: int = 1
    told_by: Callable = lambda key: {"key": key}


CLIENTS = (
    Client(
        "@aws-sdk/client-s3", "aws_sdk_s3.js", S3_LIKE, by_aws, told_by=lambda key: {"path": f"photos/{key}"}
    ),
    Client("minio", "minio.js", ("minio",), by_minio),
    # It does not let its retries be turned off.
    Client("cos-nodejs-sdk-v5", "cos_nodejs_sdk_v5.js", ("cos",), attempts_at_5xx=4),
    Client("ali-oss", "ali_oss.js", ("oss",)),
    Client("esdk-obs-nodejs", "esdk_obs_nodejs.js", ("obs",)),
    Client(
        "@azure/storage-blob",
        "azure_storage_blob.js",
        ("azure-blob",),
        by_azure,
        ("blob.download", "block_blob.upload"),
    ),
    Client(
        "@google-cloud/storage",
        "google_cloud_storage.js",
        ("gcs",),
        by_google,
        ("storage.objects.get", "storage.objects.insert"),
    ),
    # The key of an upload is in its body: the requests say it in User-Agent too.
    Client(
        "qiniu",
        "qiniu.js",
        ("kodo",),
        by_qiniu,
        ("stat", "upload"),
        told_by=lambda key: {"header": {"user-agent": f"={key}"}},
    ),
    Client("@volcengine/tos-sdk", "tos_sdk.js", ("tos",), by_tos),
)


def rows_of(client):
    """Those that come as errors, and not in the dialect of Swift, which is at other paths."""
    rows = (row for vendor in client.vendors for row in vendors.get(vendor).errors)
    return [
        row
        for row in rows
        if (row.status is None or row.status >= 400)
        and (row.form == "s3api" if row.vendor == "swift" else row.form != "swift")
    ]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.package)
def test_rows(client, server):
    """Two calls a row, which the server knows by the key, give the last answer of each call."""
    rows = use_all(
        server, {f"row-{number}/cat.jpg": row for number, row in enumerate(rows_of(client))}, client.told_by
    )
    keys = "".join(f"{key}\n" for key in rows)
    said = in_node(client.package, DRIVERS / client.program, server.url, given=keys)
    answers = [json.loads(line) for line in said.splitlines()]
    assert [(key, operation) for key, operation, _ in answers] == [
        (key, operation) for key in rows for operation in client.operations
    ]
    sent = {}
    for outcome in server.outcomes:
        sent.setdefault((outcome.fault, outcome.method == "GET"), []).append(outcome)
    for key, operation, said in answers:
        row = rows[key]
        *before, last = sent.pop((row.address, operation == client.operations[0]))
        attempts = client.attempts_at_5xx if last.status >= 500 else 1
        known = None if row.vendor == "swift" else operation  # it has none for requests in S3's dialect
        found = (tuple(said), last.status, last.operation, 1 + len(before))
        assert found == (client.says(row, last), row.status or 400, known, attempts), (row.address, operation)
    assert sent == {}
