"""boto3, path style, works with the XML dialects."""

from __future__ import annotations

import io

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(params=["cos", "qiniu-mix"])
def vendor(request):
    return request.param


@pytest.fixture
def client(serve, boto, vendor):
    made = boto(serve(vendor))
    made.create_bucket(Bucket="photos")
    return made


def test_objects_and_metadata(client):
    """Put, head, get with a range, copy and delete; metadata and Content-Type are kept."""
    put = client.put_object(
        Bucket="photos", Key="a/b c+ü", Body=b"meow", Metadata={"mood": "sleepy"}, ContentType="x/y"
    )
    head = client.head_object(Bucket="photos", Key="a/b c+ü")
    assert {key: head[key] for key in ("ETag", "ContentLength", "ContentType", "Metadata")} == {
        "ETag": put["ETag"],
        "ContentLength": 4,
        "ContentType": "x/y",
        "Metadata": {"mood": "sleepy"},
    }
    got = client.get_object(Bucket="photos", Key="a/b c+ü", Range="bytes=1-2", ChecksumMode="ENABLED")
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()) == (206, b"eo")
    source = {"Bucket": "photos", "Key": "a/b c+ü"}
    copied = client.copy_object(Bucket="photos", Key="copy", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
    assert client.head_object(Bucket="photos", Key="copy")["Metadata"] == {"mood": "sleepy"}
    client.copy_object(
        Bucket="photos",
        Key="copy",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"mood": "awake"},
    )
    assert client.head_object(Bucket="photos", Key="copy")["Metadata"] == {"mood": "awake"}
    client.delete_object(Bucket="photos", Key="copy")
    with pytest.raises(ClientError) as caught:
        client.head_object(Bucket="photos", Key="copy")
    assert caught.value.response["Error"]["Code"] == "404"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_streams_with_trailing_checksums(serve, boto):
    """Over TLS boto3 sends streams aws-chunked with a trailing checksum: stored decoded, and named so no more."""
    port = serve("cos", ssl_context="adhoc")
    client = boto(port, scheme="https")
    client.create_bucket(Bucket="photos")
    content = b"0123456789" * 20_000
    sent = []
    client.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(dict(request.headers))
    )
    client.put_object(Bucket="photos", Key="k", Body=io.BytesIO(content), ContentEncoding="gzip")
    got = client.get_object(Bucket="photos", Key="k")
    assert (got["Body"].read(), got["ContentEncoding"]) == (content, "gzip")
    assert sent[0]["X-Amz-Content-SHA256"] == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def test_listings_by_paginator(client):
    """Both listings page through keys and common prefixes; nothing is shown twice or lost."""
    keys = ["a/1", "a/2", "b", "c/1", "ü&<"]
    for key in keys:
        client.put_object(Bucket="photos", Key=key, Body=b"")
    for operation in ("list_objects", "list_objects_v2"):
        pages = list(
            client.get_paginator(operation).paginate(
                Bucket="photos", Delimiter="/", PaginationConfig={"PageSize": 1}
            )
        )
        found = [each["Key"] for page in pages for each in page.get("Contents", [])]
        found += [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        assert found == ["b", "ü&<", "a/", "c/"]
        assert len(pages) == 4
    second = client.list_objects_v2(Bucket="photos", StartAfter="b", MaxKeys=1)
    assert (second["KeyCount"], second["Contents"][0]["Key"], second["IsTruncated"]) == (1, "c/1", True)


def test_buckets(client):
    """Buckets are listed, found and deleted; a region has no name."""
    assert [each["Name"] for each in client.list_buckets()["Buckets"]] == ["photos"]
    client.head_bucket(Bucket="photos")
    assert client.get_bucket_location(Bucket="photos")["LocationConstraint"] is None
    client.create_bucket(Bucket="west", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    client.delete_bucket(Bucket="west")
    assert [each["Name"] for each in client.list_buckets()["Buckets"]] == ["photos"]


def test_multipart_upload(client):
    """Initiate, upload, list, complete; the ETag says how many parts."""
    upload = client.create_multipart_upload(Bucket="photos", Key="big")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(
                Bucket="photos", Key="big", UploadId=upload, PartNumber=number, Body=b"%d" % number * 5
            )["ETag"],
        }
        for number in (1, 2)
    ]
    listed = client.list_parts(Bucket="photos", Key="big", UploadId=upload)["Parts"]
    assert [(each["PartNumber"], each["ETag"], each["Size"]) for each in listed] == [
        (each["PartNumber"], each["ETag"], 5) for each in parts
    ]
    [pending] = client.list_multipart_uploads(Bucket="photos")["Uploads"]
    assert (pending["Key"], pending["UploadId"]) == ("big", upload)
    done = client.complete_multipart_upload(
        Bucket="photos", Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert done["ETag"].endswith('-2"')
    assert client.get_object(Bucket="photos", Key="big")["Body"].read() == b"1111122222"


def test_delete_objects(client):
    """Several objects are deleted at once, quietly or not."""
    for key in ("a", "b"):
        client.put_object(Bucket="photos", Key=key, Body=b"x")
    loud = client.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "a"}]})
    assert [each["Key"] for each in loud["Deleted"]] == ["a"]
    quiet = client.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert "Contents" not in client.list_objects(Bucket="photos")


def test_conditional_writes(client):
    """If-None-Match and If-Match guard a put; a missing object with If-Match is 404."""
    first = client.put_object(Bucket="photos", Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="photos", Key="k", Body=b"2", IfNoneMatch="*")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    client.put_object(Bucket="photos", Key="k", Body=b"3", IfMatch=first["ETag"])
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="photos", Key="gone", Body=b"4", IfMatch=first["ETag"])
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_errors_of_the_cos_dialect_are_read(serve, boto):
    """boto3 reads code and message of the COS envelope."""
    client = boto(serve("cos"))
    with pytest.raises(client.exceptions.NoSuchBucket) as caught:
        client.list_objects(Bucket="gone")
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("NoSuchBucket", "The specified bucket does not exist.")


def test_pages_of_buckets(serve, boto):
    """A token leads on; a prefix is heeded, and said."""
    client = boto(serve("s3"))
    for name in ("films", "photos", "photos-2"):
        client.create_bucket(Bucket=name)
    paginator = client.get_paginator("list_buckets")
    pages = paginator.paginate(PaginationConfig={"PageSize": 2})
    assert [[each["Name"] for each in page["Buckets"]] for page in pages] == [
        ["films", "photos"],
        ["photos-2"],
    ]
    page = client.list_buckets(Prefix="photos")
    assert ([each["Name"] for each in page["Buckets"]], page["Prefix"]) == (["photos", "photos-2"], "photos")
    assert "ContinuationToken" not in page
