"""Huawei's SDK returns code, message and both ids of every OBS row.

It hides: on HEAD all but the status and the request id. boto3, which signs as S3 does, reads them too.
"""

import socket

import pytest

from faultinject import vendors
from tests.rows import each_row

from .path_style import client_of, error_of
from .sdk_clients import CompleteMultipartUploadRequest, CompletePart, DeleteObjectsRequest, Object, obs
from .told import BUCKET, KEY, of_each_row

ROWS = vendors.get("obs").errors


@pytest.fixture(scope="module")
def at_home():
    """Every name of the vendor is this machine."""
    resolve = socket.getaddrinfo

    def here(host, *more, **named):
        return resolve("127.0.0.1" if str(host).endswith(".myhuaweicloud.com") else host, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", here)
        yield


@pytest.fixture(scope="module", params=["virtual-host", "path-style"])
def client(server, request, at_home):
    """Without retries.

    It signs OBS's own way where the bucket is in the Host, else as an S3 request.
    """
    url = server.url
    if request.param == "virtual-host":
        url = f"http://obs.cn-north-4.myhuaweicloud.com:{server.port}"
    with obs(url, max_retry_count=0) as made:
        yield made


CALLS = {
    "get": lambda client: client.getObject(BUCKET, KEY, loadStreamInMemory=True),
    "put": lambda client: client.putContent(BUCKET, KEY, "x" * 100),
    "delete": lambda client: client.deleteObject(BUCKET, KEY),
    "initiate": lambda client: client.initiateMultipartUpload(BUCKET, KEY),
}


@pytest.mark.slow
@of_each_row(ROWS, CALLS)
def test_rows(row, call, server, client):
    """Status, code, message and both ids of every row are read; none has a resource.

    One of four calls reads each row.
    """
    result, sent = CALLS[call](client), server.last
    assert (sent.bucket, sent.key) == (BUCKET, KEY)
    got = result.status, result.errorCode, result.errorMessage, result.resource, result.requestId
    assert got == (row.status, row.code, row.message, None, sent.request_id)
    assert result.hostId == dict(result.header)["id-2"]


@pytest.mark.slow
@of_each_row(ROWS)
def test_head(row, server, client):
    """HEAD: the status and the request id are all there is."""
    result = client.getObjectMetadata(BUCKET, KEY)
    got = result.status, result.errorCode, result.errorMessage, result.requestId
    assert got == (row.status, None, None, server.last.request_id)


@pytest.mark.parametrize("code", ["NoSuchKey", "AccessDenied", "InvalidAccessKeyId/2"])
@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_boto3(signature, code, server):
    """boto3 finds both ids in headers named as S3's; on HEAD there is nothing else.

    Of a 5xx to HEAD it reads nothing.
    """
    with client_of(server.url, "cn-north-4", signature_version=signature) as client:
        for call in (client.get_object, client.head_object):
            server.use(f"obs:{code}")
            found = error_of(call, Bucket=BUCKET, Key=KEY)["ResponseMetadata"]
            headers = found["HTTPHeaders"]
            assert found["RequestId"] == headers["x-amz-request-id"] == server.last.request_id
            assert (found["HostId"], len(found["HostId"])) == (headers["x-amz-id-2"], 64)
            assert not any(name.startswith("x-obs-") for name in headers)


PARTS = CompleteMultipartUploadRequest([CompletePart(1, "etag")])
OPERATIONS = {
    "AppendObject": lambda client: client.appendObject(BUCKET, KEY, {"content": "x", "position": 0}),
    "CompleteMultipartUpload": lambda client: client.completeMultipartUpload(BUCKET, KEY, "u", PARTS),
    "CopyObject": lambda client: client.copyObject(BUCKET, "a", BUCKET, KEY),
    "CreateBucket": lambda client: client.createBucket(BUCKET),
    "CreateMultipartUpload": lambda client: client.initiateMultipartUpload(BUCKET, KEY),
    "DeleteObjects": lambda client: client.deleteObjects(BUCKET, DeleteObjectsRequest(objects=[Object("a")])),
    "GetBucketCustomDomain": lambda client: client.getBucketCustomDomain(BUCKET),
    "GetBucketLocation": lambda client: client.getBucketLocation(BUCKET),
    "GetBucketQuota": lambda client: client.getBucketQuota(BUCKET),
    "GetBucketStorageInfo": lambda client: client.getBucketStorageInfo(BUCKET),
    "GetBucketStoragePolicy": lambda client: client.getBucketStoragePolicy(BUCKET),
    "ListBuckets": lambda client: client.listBuckets(),
    "ListMultipartUploads": lambda client: client.listMultipartUploads(BUCKET),
    "ListObjectVersions": lambda client: client.listVersions(BUCKET),
    "ListObjects": lambda client: client.listObjects(BUCKET),
    "ListParts": lambda client: client.listParts(BUCKET, KEY, "u"),
    "RenameObject": lambda client: client.renameFile(BUCKET, KEY, "b"),
    "RestoreObject": lambda client: client.restoreObject(BUCKET, KEY, 1),
    "SetBucketQuota": lambda client: client.setBucketQuota(BUCKET, 1),
    "SetObjectMetadata": lambda client: client.setObjectMetadata(BUCKET, KEY, metadata={"a": "b"}),
    "TruncateObject": lambda client: client.truncateFile(BUCKET, KEY, 1),
    "UploadPart": lambda client: client.uploadPart(BUCKET, KEY, 1, "u", "x"),
    "UploadPartCopy": lambda client: client.copyPart(BUCKET, KEY, 1, "u", f"{BUCKET}/a"),
}


@each_row("operation", OPERATIONS)
def test_operations(operation, server, client):
    """A rule can name each operation of the SDK."""
    server.use("obs:InternalError", operation=operation)
    assert OPERATIONS[operation](client).errorCode == "InternalError"
