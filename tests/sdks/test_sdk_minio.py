"""The MinIO SDK reads every MinIO row.

On HEAD the MinIO SDK goes by the status and has words of its own; what MinIO says stands in two headers.
"""

from __future__ import annotations

import json
import warnings

import pytest
import urllib3

from faultinject import Rule, vendors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from minio import Minio
    from minio.credentials import StaticProvider
    from minio.error import MinioAdminException, S3Error, ServerError
    from minio.minioadmin import MinioAdmin

HOST_ID = "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8"
ROWS = vendors.get("minio").errors
# The SDK takes 206 for success.
ERRORS = [row for row in ROWS if row.status != 206]
ANSWERED = (301, 307, 400, 403, 404, 405, 501)
"""The statuses that the SDK has words for on HEAD."""


@pytest.fixture(scope="module")
def client(server):
    pool = urllib3.PoolManager(retries=False, timeout=60)
    yield Minio(
        f"127.0.0.1:{server.port}",
        access_key="id",
        secret_key="secret-key",
        secure=False,
        region="us-east-1",
        http_client=pool,
    )
    pool.clear()


def use_all(server, rows):
    """All rows at once, each for the key that its place in the table is."""
    server.injector.use([Rule(row.address, path=f"/photos/a {row.row}/") for row in rows])
    server.injector.journal.clear()


@pytest.mark.slow
def test_rows(server, client, subtests):
    """Code, message, both ids, resource, bucket and key of every row."""
    use_all(server, ERRORS)
    for row in ERRORS:
        with subtests.test(row.label):
            key = f"a {row.row}/猫&.jpg"
            with pytest.raises(S3Error) as caught:
                client.get_object("photos", key)
            error, sent = caught.value, server.outcomes[-1]
            got = (
                error.code,
                error.message,
                error.request_id,
                error.host_id,
                error.bucket_name,
                error.object_name,
                error.resource,
                error.response.status,
                error.response.headers.get("Retry-After"),
            )
            # The admin API alone answers so, and asks nobody to wait.
            admins = row.code.startswith(("XMinioAdmin", "XMinioSiteReplication"))
            wait = "60" if row.status in (429, 503) and not admins else None
            assert got == (
                row.code,
                row.message,
                sent.request_id,
                HOST_ID,
                "photos",
                key,
                f"/photos/{key}",
                row.status,
                wait,
            )


@pytest.mark.slow
def test_head(server, client, subtests):
    """HEAD: the SDK's own words for the status; MinIO's are in its headers, and no hint."""
    use_all(server, ERRORS)
    # At 409 the SDK trips over its own table of words.
    for row in (row for row in ERRORS if row.status != 409):
        with subtests.test(row.label):
            with pytest.raises((S3Error, ServerError)) as caught:
                client.stat_object("photos", f"a {row.row}/x")
            error, sent = caught.value, server.outcomes[-1]
            if row.status in ANSWERED:
                headers = error.response.headers
                got = (
                    error.request_id,
                    error.host_id,
                    headers["x-minio-error-code"],
                    headers["x-minio-error-desc"],
                )
                wanted = (sent.request_id, HOST_ID, row.code, f'"{row.message}"')
                assert got == wanted
                assert "Retry-After" not in headers
            else:
                assert error.status_code == row.status


def test_the_admin_sdk(server):
    """The API below /minio/admin answers in JSON, which the SDK hands on as it is."""
    admin = MinioAdmin(
        endpoint=f"127.0.0.1:{server.port}",
        credentials=StaticProvider("id", "secret-key"),
        secure=False,
        http_client=urllib3.PoolManager(retries=False, timeout=60),
    )
    server.use("minio:XMinioAdminConfigNoQuorum")
    with pytest.raises(MinioAdminException) as caught:
        admin.info()
    row, sent = vendors.find("minio:XMinioAdminConfigNoQuorum"), server.last
    status, _, body = str(caught.value).partition(", Body: ")
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
