"""The MinIO SDK reads every MinIO row.

On HEAD the MinIO SDK goes by the status and has words of its own; what MinIO says stands in two headers.
"""

import json

import pytest
import urllib3

from faultinject import vendors

from .sdk_clients import MinioAdmin, MinioAdminException, S3Error, ServerError, StaticProvider, minio
from .told import of_each_row, raised

HOST_ID = "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8"
ROWS = vendors.get("minio").errors
# The SDK takes 206 for success.
ERRORS = [row for row in ROWS if row.status != 206]
ANSWERED = (301, 307, 400, 403, 404, 405, 501)
"""The statuses that the SDK has words for on HEAD."""


def pool():
    return urllib3.PoolManager(retries=False, timeout=60)


@pytest.fixture(scope="module")
def client(server):
    with pool() as http_client:
        yield minio(server.port, http_client=http_client)


KEY = "a b/猫&.jpg"


@pytest.mark.slow
@of_each_row(ERRORS)
def test_rows(row, server, client):
    """Code, message, both ids, resource, bucket and key of every row."""
    error = raised(S3Error, client.get_object, "photos", KEY)
    # The admin API alone answers so, and asks nobody to wait.
    admins = row.code.startswith(("XMinioAdmin", "XMinioSiteReplication"))
    wait = "60" if row.status in (429, 503) and not admins else None
    assert (
        error.code,
        error.message,
        error.request_id,
        error.host_id,
        error.bucket_name,
        error.object_name,
        error.resource,
        error.response.status,
        error.response.headers.get("Retry-After"),
    ) == (
        row.code,
        row.message,
        server.last.request_id,
        HOST_ID,
        "photos",
        KEY,
        f"/photos/{KEY}",
        row.status,
        wait,
    )


@pytest.mark.slow
# At 409 the SDK trips over its own table of words.
@of_each_row([row for row in ERRORS if row.status != 409])
def test_head(row, server, client):
    """HEAD: the SDK's own words for the status; MinIO's are in its headers, and no hint."""
    error = raised((S3Error, ServerError), client.stat_object, "photos", KEY)
    if row.status not in ANSWERED:
        assert error.status_code == row.status
        return
    headers, ids = error.response.headers, (error.request_id, error.host_id)
    assert (*ids, headers["x-minio-error-code"], headers["x-minio-error-desc"], "Retry-After" in headers) == (
        server.last.request_id,
        HOST_ID,
        row.code,
        f'"{row.message}"',
        False,
    )


def test_the_admin_sdk(server):
    """The API below /minio/admin answers in JSON, which the SDK hands on as it is."""
    with pool() as http_client:
        admin = MinioAdmin(
            endpoint=f"127.0.0.1:{server.port}",
            credentials=StaticProvider("id", "secret-key"),
            secure=False,
            http_client=http_client,
        )
        server.use("minio:XMinioAdminConfigNoQuorum")
        said = str(raised(MinioAdminException, admin.info))
    row, sent = vendors.find("minio:XMinioAdminConfigNoQuorum"), server.last
    status, _, body = said.partition(", Body: ")
    assert status == "admin request failed; Status: 503"
    assert json.loads(body) == {
        "Code": row.code,
        "Message": row.message,
        "Resource": sent.path,
        "RequestId": sent.request_id,
        "HostId": HOST_ID,
    }


def test_own_operation(server, client):
    """A client that listens to a bucket asks for what S3 has not."""
    server.use("minio:AccessDenied", operation="ListenNotification")
    with pytest.raises(S3Error), client.listen_bucket_notification("photos") as events:
        next(events)
    assert (server.last.operation, server.last.bucket) == ("ListenNotification", "photos")
