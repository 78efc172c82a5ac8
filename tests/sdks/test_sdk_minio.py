"""The MinIO SDK reads every MinIO row, and boto3 what it sends beside them; boto3 reads RGW's and R2's.

On HEAD the MinIO SDK goes by the status and has words of its own; what MinIO says stands in two headers.
"""

from __future__ import annotations

import json
import warnings
from contextlib import closing

import pytest
import urllib3

from faultinject import Rule, vendors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
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


@pytest.fixture(scope="module")
def boto(server):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    session = boto3.Session("id", "key", region_name="us-east-1")
    with closing(session.client("s3", endpoint_url=server.url, config=config)) as made:
        yield made


def use_all(server, rows):
    """All rows at once, each for the key that its place in the table is."""
    server.injector.use([Rule(row.address, path=f"/photos/a {row.row}/") for row in rows])
    server.injector.journal.clear()


@pytest.mark.slow
def test_rows(server, client):
    """Code, message, both ids, resource, bucket and key of every row."""
    use_all(server, ERRORS)
    wrong = []
    for row in ERRORS:
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
        if got != (
            row.code,
            row.message,
            sent.request_id,
            HOST_ID,
            "photos",
            key,
            f"/photos/{key}",
            row.status,
            wait,
        ):
            wrong.append((row.label, got))
    assert wrong == []


@pytest.mark.slow
def test_head(server, client):
    """HEAD: the SDK's own words for the status; MinIO's are in its headers, and no hint."""
    use_all(server, ERRORS)
    wrong = []
    # At 409 the SDK trips over its own table of words.
    for row in (row for row in ERRORS if row.status != 409):
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
            if got != wanted or "Retry-After" in headers:
                wrong.append((row.label, got))
        elif error.status_code != row.status:
            wrong.append((row.label, error.status_code))
    assert wrong == []


def test_headers_of_head(server):
    """What the SDK does not hand on of a HEAD: code, description and both ids."""
    server.use("minio:SlowDownRead")
    got = server.raw("HEAD", "/photos/x").headers
    assert got["x-minio-error-code"] == "SlowDownRead"
    assert got["x-minio-error-desc"] == f'"{vendors.find("minio:SlowDownRead").message}"'
    assert (got["x-amz-request-id"], got["x-amz-id-2"]) == (server.last.request_id, HOST_ID)
    assert got["accept-ranges"] == "bytes"


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


def test_error_in_200_is_none_to_boto3(server, boto):
    """An upload completed with 200 and an error; the MinIO SDK takes it for success, see `test_errors_in_200.py`."""
    assert vendors.get("minio").errors_in_200 == ("CompleteMultipartUpload",)
    server.use("minio:InternalError", status=200)
    with pytest.raises(ClientError) as caught:
        boto.complete_multipart_upload(
            Bucket="photos", Key="x", UploadId="upload", MultipartUpload={"Parts": []}
        )
    assert caught.value.response["Error"]["Code"] == "InternalError"
    assert server.last.operation == "CompleteMultipartUpload"


def errors_of(boto, server, rows, call):
    """What boto3 says of each row, with the answer's headers."""
    use_all(server, rows)
    for row in rows:
        with pytest.raises(ClientError) as caught:
            call(Bucket="photos", Key=f"a {row.row}/x")
        answer = caught.value.response
        yield row, answer["Error"], answer["ResponseMetadata"], server.outcomes[-1]


@pytest.mark.slow
def test_boto3_reads_minio(server, boto):
    """boto3: what stands between message and ids, and behind them."""
    # The many rows with 400 differ in code and message alone, which the SDK above reads.
    rows = [row for row in ERRORS if row.status != 400]
    wrong = []
    for row, error, metadata, sent in errors_of(boto, server, rows, boto.get_object):
        key = f"a {row.row}/x"
        wanted = {"Code": row.code, "Message": row.message, "Key": key, "BucketName": "photos"}
        wanted["Resource"] = f"/photos/{key}"
        if row.code == "InvalidRange":
            wanted["ActualObjectSize"] = "0"
        ids = (metadata["RequestId"], metadata["HostId"])
        if list(error.items()) != list(wanted.items()) or ids != (sent.request_id, HOST_ID):
            wrong.append((row.label, error, ids))
    assert wrong == []


@pytest.mark.slow
def test_boto3_reads_rgw(server, boto):
    """RGW: code, bucket and request id; its messages are empty, and of its Swift dialect boto3 knows the status."""
    # Without a region in the answer boto3 asks on and on at a 301; 304 has no body.
    rows = [row for row in vendors.get("rgw").errors if row.status not in (301, 304)]
    wrong = []
    for row, error, metadata, sent in errors_of(boto, server, rows, boto.get_object):
        headers = metadata["HTTPHeaders"]
        if row.form == "swift":
            got, wanted = error["Code"], str(row.status)
            same = headers["x-trans-id"] == headers["x-openstack-request-id"] == sent.request_id
        else:
            got = (*error.items(), metadata["RequestId"])
            wanted = (("Code", row.code), ("Message", None), ("BucketName", "photos"), sent.request_id)
            same = headers["x-amz-request-id"] == sent.request_id
        if got != wanted or not same:
            wrong.append((row.label, got))
    assert wrong == []


def test_boto3_reads_r2(server, boto):
    """R2: code and message, and what was signed if the signature is wrong; the ray is among the headers."""
    signed = ("StringToSign", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes")
    wrong = []
    for row, error, metadata, sent in errors_of(boto, server, vendors.get("r2").errors, boto.get_object):
        more = {name: error.pop(name, None) for name in signed}
        assert all(more.values()) if row.code == "SignatureDoesNotMatch" else not any(more.values())
        got = (error, metadata["HTTPHeaders"]["cf-ray"], "HostId" in metadata)
        if got != ({"Code": row.code, "Message": row.message}, sent.request_id, False):
            wrong.append((row.label, got))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["rgw", "r2"])
def test_boto3_heads(vendor, server, boto):
    """HEAD: the status is the code."""
    # As above; with 400 boto3 asks the bucket too, which gets the app's 200.
    rows = [row for row in vendors.get(vendor).errors if row.status not in (301, 304, 400)]
    found = vendors.get(vendor)
    wrong = []
    for row, error, metadata, sent in errors_of(boto, server, rows, boto.head_object):
        name = (found.form_of(row).id_headers or found.id_headers)[0][0].lower()
        if (error["Code"], metadata["HTTPHeaders"][name]) != (str(row.status), sent.request_id):
            wrong.append((row.label, error))
    assert wrong == []
