"""The official COS SDK takes the store for COS."""

import io

import pytest
from qcloud_cos import CosServiceError

BUCKET = "photos-1250000000"


@pytest.fixture
def client(cos_client):
    cos_client.create_bucket(BUCKET)
    return cos_client


def body_of(client, key):
    return client.get_object(BUCKET, key)["Body"].get_raw_stream().read()


def test_buckets_come_and_go(cos_client):
    """Buckets are created, listed, found by HEAD and deleted; the list may be empty."""
    assert cos_client.list_buckets()["Buckets"] is None
    for name in (BUCKET, "b" + BUCKET):
        cos_client.create_bucket(name)
    assert [each["Name"] for each in cos_client.list_buckets()["Buckets"]["Bucket"]] == ["b" + BUCKET, BUCKET]
    assert cos_client.bucket_exists(BUCKET)
    assert cos_client.get_bucket_location(BUCKET) == {"LocationConstraint": None}
    cos_client.delete_bucket(BUCKET)
    assert not cos_client.bucket_exists(BUCKET)


def test_an_object_comes_back_as_it_was_put(client):
    """Content, Content-Type, kept headers and metadata survive; each answer has a request id."""
    key = "a b/cat+%~ü.jpg"
    put = client.put_object(
        BUCKET,
        b"meow",
        key,
        EnableMD5=True,
        ContentType="image/jpeg",
        CacheControl="no-cache",
        Metadata={"x-cos-meta-mood": "sleepy"},
    )
    head = client.head_object(BUCKET, key)
    kept = {
        "ETag": '"4a4be40c96ac6314e91d93f38043a634"',
        "Content-Length": "4",
        "Content-Type": "image/jpeg",
        "Cache-Control": "no-cache",
        "x-cos-meta-mood": "sleepy",
    }
    assert ({name: head[name] for name in kept}, put["ETag"]) == (kept, kept["ETag"])
    assert body_of(client, key) == b"meow"
    assert len({put["x-cos-request-id"], head["x-cos-request-id"], ""}) == 3
    client.delete_object(BUCKET, key)
    assert not client.object_exists(BUCKET, key)


def test_a_stream_of_unknown_length_is_stored(client):
    """A body without Content-Length (Transfer-Encoding: chunked) is stored whole."""
    client.put_object(BUCKET, (piece for piece in (b"one", b"two")), "stream")
    assert body_of(client, "stream") == b"onetwo"


def test_copy_keeps_or_replaces_headers(client):
    """CopyObject copies content and headers; `Replaced` takes the request's headers instead."""
    client.put_object(BUCKET, b"meow", "old", ContentType="image/jpeg")
    source = {"Bucket": BUCKET, "Key": "old", "Region": "ap-guangzhou"}
    copied = client.copy_object(BUCKET, "kept", source)
    assert copied["ETag"] == '"4a4be40c96ac6314e91d93f38043a634"'
    client.copy_object(BUCKET, "changed", source, CopyStatus="Replaced", ContentType="image/png")
    assert [client.head_object(BUCKET, key)["Content-Type"] for key in ("kept", "changed")] == [
        "image/jpeg",
        "image/png",
    ]
    assert body_of(client, "changed") == b"meow"


def test_delete_objects(client):
    """Several objects are deleted at once, quietly or not; a missing one counts as deleted.

    One that cannot be deleted is reported.
    """
    for key in ("a", "b", "c"):
        client.put_object(BUCKET, b"x", key)
    deleted = client.delete_objects(BUCKET, {"Object": [{"Key": "a"}, {"Key": "gone"}]})
    assert deleted == {"Deleted": [{"Key": "a"}, {"Key": "gone"}]}
    long = "k" * 1025
    quiet = client.delete_objects(BUCKET, {"Object": [{"Key": "b"}, {"Key": long}], "Quiet": "true"})
    [failure] = quiet["Error"]
    assert (list(quiet), failure["Key"], failure["Code"]) == (["Error"], long, "KeyTooLong")
    assert [each["Key"] for each in client.list_objects(BUCKET)["Contents"]] == ["c"]


def test_upload_file_in_parts_and_resumed(client, tmp_path):
    """upload_file splits a file, and resumes an unfinished upload; a download is checked."""
    content = bytes(range(256)) * 4096 * 2 + b"tail"
    file = tmp_path / "big"
    file.write_bytes(content)
    started = client.create_multipart_upload(BUCKET, "big", ContentType="image/jpeg")
    client.upload_part(BUCKET, "big", content[: 1024 * 1024], 1, started["UploadId"])
    done = client.upload_file(BUCKET, "big", str(file), PartSize=1, MAXThread=3, EnableMD5=True)
    assert (done["Key"], done["ETag"][-3:]) == ("big", '-3"')
    head = client.head_object(BUCKET, "big")
    assert (head["Content-Type"], head["Content-Length"]) == ("image/jpeg", str(len(content)))
    assert "Upload" not in client.list_multipart_uploads(BUCKET)
    fetched, records = tmp_path / "fetched", str(tmp_path / "records")
    client.download_file(BUCKET, "big", str(fetched), PartSize=1, EnableCRC=True, DumpRecordDir=records)
    assert fetched.read_bytes() == content


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        (lambda c: c.get_object(BUCKET, "gone"), 404, "NoSuchKey"),
        (lambda c: c.list_objects("gone-1250000000"), 404, "NoSuchBucket"),
        (lambda c: c.create_bucket(BUCKET), 409, "BucketAlreadyExists"),
        (lambda c: c.put_object(BUCKET, io.BytesIO(b"x"), "k", ContentMD5="aaaa"), 400, "InvalidDigest"),
        (lambda c: c.upload_part(BUCKET, "k", b"x", 1, "gone"), 404, "NoSuchUpload"),
        (lambda c: c.get_bucket_acl(BUCKET), 501, "NotImplemented"),
    ],
)
def test_the_sdk_reads_our_errors(client, act, status, code):
    """A real mistake gets the vendor's documented error: code, message, resource and ids."""
    with pytest.raises(CosServiceError) as caught:
        act(client)
    error = caught.value
    assert (error.get_status_code(), error.get_error_code()) == (status, code)
    assert "Unknown" not in (error.get_error_msg(), error.get_request_id(), error.get_trace_id())
    assert error.get_resource_location().startswith("/")
