"""Baidu's SDK reads every BOS row; a 203 is success to it.

On HEAD it has the status and the request id alone.
"""

import json
from contextlib import suppress

import pytest

from faultinject import vendors
from tests.rows import each_row

from .sdk_clients import BceHttpClientError, BceServerError, NoRetryPolicy, bos
from .told import BUCKET, KEY, of_each_row, raised

ROWS = vendors.get("bos").errors
ERRORS = [row for row in ROWS if row.status >= 400]


@pytest.fixture(scope="module")
def client(server):
    """Without retries; a 403 is asked once more all the same, at once."""
    return bos(server.url, connection_timeout_in_mills=10_000, retry_policy=NoRetryPolicy())


def error_of(call, *arguments):
    error = raised(BceHttpClientError, call, *arguments).last_error
    assert isinstance(error, BceServerError)
    return error


CALLS = {
    "get": lambda client: client.get_object(BUCKET, KEY),
    "put": lambda client: client.put_object_from_string(BUCKET, KEY, "x" * 100),
    "delete": lambda client: client.delete_object(BUCKET, KEY),
    "initiate": lambda client: client.initiate_multipart_upload(BUCKET, KEY),
}


@pytest.mark.slow
@of_each_row(ERRORS, CALLS)
def test_rows(row, call, server, client):
    """Status, code, message and request id of every row, by one of four calls."""
    error, sent = error_of(CALLS[call], client), server.outcomes[-1]
    assert (sent.bucket, sent.key) == (BUCKET, KEY)
    got = error.status_code, error.code, str(error), error.request_id
    assert got == (row.status, row.code, row.message, sent.request_id)


@pytest.mark.slow
@of_each_row(ERRORS)
def test_head(row, server, client):
    """HEAD: the status and the request id; the message is the reason phrase."""
    error = error_of(client.get_object_meta_data, BUCKET, KEY)
    got = error.status_code, error.code, error.request_id
    assert got == (row.status, None, server.outcomes[-1].request_id)


def test_what_failed_behind_a_stored_object_is_success_to_the_sdk(server, client):
    """The SDK returns a 203; what failed stands in the body, which it does not look at."""
    for row in ROWS:
        if row.status == 203:
            server.use(row.address)
            answer = client.put_object_from_string(BUCKET, KEY, "x")
            assert answer.metadata.bce_request_id == server.last.request_id
            got = json.loads(server.raw("PUT", f"/{BUCKET}/x").body)
            assert (got["code"], got["message"]) == (row.code, row.message)


OPERATIONS = {
    "AppendObject": lambda client: client.append_object_from_string(BUCKET, KEY, "x"),
    "CompleteMultipartUpload": lambda client: client.complete_multipart_upload(
        BUCKET, KEY, "u", [{"partNumber": 1, "eTag": "a"}]
    ),
    "CopyObject": lambda client: client.copy_object(BUCKET, "a", BUCKET, KEY),
    "CreateMultipartUpload": lambda client: client.initiate_multipart_upload(BUCKET, KEY),
    "DeleteObjects": lambda client: client.delete_multiple_objects(BUCKET, ["a"]),
    "FetchObject": lambda client: client.fetch_object(BUCKET, KEY, "http://a.example/b", fetch_mode="sync"),
    "GetBucketCors": lambda client: client.get_bucket_cors(BUCKET),
    "GetBucketInventoryConfiguration": lambda client: client.get_bucket_inventory(BUCKET, "i"),
    "GetBucketLocation": lambda client: client.get_bucket_location(BUCKET),
    "GetBucketStorageClass": lambda client: client.get_bucket_storage_class(BUCKET),
    "GetObjectLockConfiguration": lambda client: client.get_bucket_object_lock(BUCKET),
    "GetUserQuota": lambda client: client.get_user_quota(),
    "HeadObject": lambda client: client.get_object_meta_data(BUCKET, KEY),
    "ListBucketReplication": lambda client: client.list_bucket_replication(BUCKET),
    "ListBuckets": lambda client: client.list_buckets(),
    "ListMultipartUploads": lambda client: client.list_multipart_uploads(BUCKET),
    "ListObjectVersions": lambda client: client.list_objects_versions(BUCKET),
    "ListObjects": lambda client: client.list_objects(BUCKET),
    "ListParts": lambda client: client.list_parts(BUCKET, KEY, "u"),
    "PutSymlink": lambda client: client.put_object_symlink(BUCKET, KEY, "link"),
    "RestoreObject": lambda client: client.restore_object(BUCKET, KEY, 1),
    "UploadPartCopy": lambda client: client.upload_part_copy(BUCKET, "a", BUCKET, KEY, "u", 1, 1, 0),
}


@each_row("operation", OPERATIONS)
def test_operations(operation, server, client):
    """A rule can name each operation of the SDK."""
    server.use("bos:InternalError", operation=operation)
    with suppress(BceHttpClientError, ValueError):
        OPERATIONS[operation](client)
    assert server.outcomes
