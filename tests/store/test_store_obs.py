"""The official SDK of Huawei Cloud takes the store for OBS, in its own dialect and in S3's."""

import pytest

BIG = bytes(range(256)) * 1024


@pytest.fixture(params=["obs", "v4"])
def client(request, serve):
    obs = pytest.importorskip("obs")
    made = obs.ObsClient(
        access_key_id="id",
        secret_access_key="key",
        server=f"http://127.0.0.1:{serve('obs')}",
        signature=request.param,
        path_style=True,
        max_retry_count=0,
        is_signature_negotiation=False,
    )
    assert made.createBucket("photos").status == 200
    yield made
    made.close()


def test_objects(client):
    """Put, head, get, list, copy and delete."""
    from obs import DeleteObjectsRequest, Object

    put = client.putContent("photos", "a/ü b", b"meow", metadata={"mood": "sleepy"})
    head = client.getObjectMetadata("photos", "a/ü b")
    copied = client.copyObject("photos", "a/ü b", "photos", "copy")
    page = client.listObjects("photos", max_keys=1).body
    gone = client.deleteObjects("photos", DeleteObjectsRequest(quiet=False, objects=[Object("copy")]))
    seen = {
        "buckets": [each.name for each in client.listBuckets().body.buckets],
        "head": (head.status, head.body.etag, dict(head.header)["mood"]),
        "content": client.getObject("photos", "a/ü b", loadStreamInMemory=True).body.buffer,
        "copy": copied.body.etag,
        "page": ([each.key for each in page.contents], page.next_marker, page.is_truncated),
        "prefixes": [each.prefix for each in client.listObjects("photos", delimiter="/").body.commonPrefixs],
        "deleted": [each.key for each in gone.body.deleted],
        "last": client.deleteObject("photos", "a/ü b").status,
    }
    assert seen == {
        "buckets": ["photos"],
        "head": (200, put.body.etag, "sleepy"),
        "content": b"meow",
        "copy": put.body.etag,
        "page": (["a/ü b"], "a/ü b", True),
        "prefixes": ["a/"],
        "deleted": ["copy"],
        "last": 204,
    }


def test_the_signature_that_it_finds_out_about(serve):
    """The SDK asks for the API's version of service and bucket, and goes on with any."""
    obs = pytest.importorskip("obs")
    server = f"http://127.0.0.1:{serve('obs')}"
    client = obs.ObsClient(
        access_key_id="id", secret_access_key="key", server=server, path_style=True, max_retry_count=0
    )
    made = [client.createBucket("photos"), client.putContent("photos", "k", b"meow")]
    assert [each.status for each in made] == [200, 200]
    assert client.getObject("photos", "k", loadStreamInMemory=True).body.buffer == b"meow"
    client.close()


def test_parts(client, tmp_path):
    """By hand and by the SDK's own threads."""
    from obs import CompleteMultipartUploadRequest, CompletePart

    upload = client.initiateMultipartUpload("photos", "k").body.uploadId
    part = client.uploadPart("photos", "k", 1, upload, object=b"film").body.etag
    assert [each.size for each in client.listParts("photos", "k", upload).body.parts] == [4]
    assert [each.key for each in client.listMultipartUploads("photos").body.upload] == ["k"]
    wanted = CompleteMultipartUploadRequest([CompletePart(1, part)])
    assert client.completeMultipartUpload("photos", "k", upload, wanted).body.etag.endswith('-1"')
    (tmp_path / "big").write_bytes(BIG)
    sent = client.uploadFile("photos", "big", str(tmp_path / "big"), partSize=100 * 1024, taskNum=2)
    assert sent.status == 200
    assert client.getObject("photos", "big", loadStreamInMemory=True).body.buffer == BIG


def test_errors(client):
    """Code, message and id; HEAD has no code."""
    asked = [client.getObject("photos", "gone"), client.getObjectMetadata("photos", "gone")]
    assert [(each.status, each.errorCode, each.errorMessage, len(each.requestId)) for each in asked] == [
        (404, "NoSuchKey", "The specified key does not exist.", 32),
        (404, None, None, 32),
    ]


def test_keys_deleted_percent_encoded(client):
    """The document has them so when its EncodingType says it, and the answer as well."""
    from obs import DeleteObjectsRequest, Object

    keys = ["a/ü b+&%41", "k"]
    for key in keys:
        client.putContent("photos", key, b"meow")
    long = "ü" * 600
    asked = DeleteObjectsRequest(False, [Object(key) for key in (*keys, long)], encoding_type="url")
    gone = client.deleteObjects("photos", asked).body
    assert (gone.encoding_type, [each.key for each in gone.deleted]) == ("url", keys)
    assert [(each.key, each.code) for each in gone.error] == [(long, "KeyTooLongError")]
    assert client.listObjects("photos").body.contents == []
