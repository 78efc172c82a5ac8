"""An error in an answer with status 200: declaration and blanks first, the error last. Some SDKs see it, some do not."""

from __future__ import annotations

import io
import time
import warnings
from types import SimpleNamespace

import pytest

from faultinject import vendors
from faultinject.store import ObjectStore

from .conftest import running
from .path_style import ClientError, client_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oss2
    from minio import Minio
    from minio.commonconfig import CopySource

CALLS = {
    "CopyObject": lambda client: client.copy_object(
        Bucket="photos", Key="k", CopySource={"Bucket": "photos", "Key": "plain"}
    ),
    "UploadPartCopy": lambda client: client.upload_part_copy(
        Bucket="photos", Key="k", CopySource="photos/plain", UploadId="u", PartNumber=1
    ),
    "CompleteMultipartUpload": lambda client: client.complete_multipart_upload(
        Bucket="photos", Key="k", UploadId="u", MultipartUpload={"Parts": [{"ETag": '"e"', "PartNumber": 1}]}
    ),
}
XML_VENDORS = ("s3", "minio", "rgw", "oss", "obs", "cos", "jdcloud", "kodo-s3")
"""Those whose errors are XML and whose clients may well be boto3."""


@pytest.fixture
def boto(server, monkeypatch):
    """boto3 with two attempts in each call and no wait between them."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    client = client_of(server.url, "us-east-1", retries={"total_max_attempts": 2, "mode": "standard"})
    yield client
    client.close()


@pytest.mark.parametrize("delay", [{}, {"delay": "20ms"}], ids=["at once", "late"])
def test_boto3_takes_it_for_an_error_and_tries_again(server, boto, for_all, delay):
    """It makes a 500 of it, for every vendor's envelope; the first of two such answers is tried again."""

    def check(pair):
        vendor, operation = pair
        row = next(each for each in vendors.get(vendor).errors if each.status == 500 and not each.form)
        server.use(row.address, status=200, operation=operation, **delay)
        with pytest.raises(ClientError) as caught:
            CALLS[operation](boto)
        said = caught.value.response
        assert said["Error"]["Code"] == row.code
        assert (said["Error"].get("Message") or "") == row.message
        assert [(each.operation, each.status, each.did) for each in server.outcomes] == [
            (operation, 200, "answered")
        ] * 2

    for_all([(vendor, operation) for vendor in XML_VENDORS for operation in CALLS], check)


@pytest.mark.slow
def test_what_goes_over_the_wire(server, for_all):
    """At once: the envelope alone. Late: its declaration and the line's end, blanks, the rest; without a length."""

    def check(vendor):
        row = next(each for each in vendors.get(vendor).errors if each.status == 500 and not each.form)
        server.use(row.address, status=200)
        at_once = server.raw("POST", "/photos/k?uploadId=u")
        assert at_once.headers["content-length"] == str(len(at_once.body))
        # One each fifth of a second, and fewer on a busy machine, or on one that stands still for a while.
        server.use(row.address, status=200, delay="3s")
        late = server.raw("POST", "/photos/k?uploadId=u")
        assert "content-length" not in late.headers
        declaration, end, rest = late.body.partition(b"?>\n")
        assert rest[:2] == b"  "
        told = rest.lstrip(b" ")
        assert told.lstrip()[:6] == b"<Error"
        assert at_once.body.startswith(declaration + end)
        assert len(declaration + end + told) == len(at_once.body)

    for_all(("s3", "oss", "minio"), check)


def test_oss2_takes_it_for_success(server):
    """Neither end of an upload nor copy looks into the body: the caller believes in an object that is not there."""
    bucket = oss2.Bucket(oss2.Auth("id", "key"), server.url, "photos", is_path_style=True)
    server.use("oss:InternalError", status=200)
    assert bucket.complete_multipart_upload("k", "u", [oss2.models.PartInfo(1, "e")]).status == 200
    assert bucket.copy_object("photos", "plain", "k").status == 200
    assert [each.operation for each in server.outcomes] == ["CompleteMultipartUpload", "CopyObject"]


def test_the_operations_are_those_that_the_vendors_document():
    """S3 has three of them, MinIO one."""
    assert set(vendors.get("s3").errors_in_200) == set(CALLS)
    assert vendors.get("minio").errors_in_200 == ("CompleteMultipartUpload",)


def minio(server):
    place = f"127.0.0.1:{server.port}"
    return Minio(place, access_key="id", secret_key="secret-key", secure=False, region="us-east-1")


def test_minio_takes_the_end_of_an_upload_for_success():
    """It looks into the body and finds nothing amiss: the caller believes in an object that is not there."""
    part = 5 * 1024 * 1024
    with running(ObjectStore("minio")) as server:
        client = minio(server)
        client.make_bucket("photos")
        server.use("minio:InternalError", status=200, operation="CompleteMultipartUpload")
        done = client.put_object("photos", "k", io.BytesIO(bytes(part + 1)), part + 1, part_size=part)
        assert (done.object_name, done.etag) == ("k", None)
        assert server.last.fault == "minio:InternalError"
        assert list(client.list_objects("photos")) == []


def test_minio_misses_the_etag_of_a_copy(server):
    """And says so, where it could have said what failed."""
    client = minio(server)
    server.use("minio:InternalError", status=200, operation="CopyObject")
    with pytest.raises(ValueError, match="ETag"):
        client.copy_object("photos", "k", CopySource("photos", "plain"))
    assert server.last.operation == "CopyObject"
