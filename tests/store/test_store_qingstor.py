"""The official QingStor SDK takes the store for QingStor."""

import pytest
from qingstor.sdk.config import Config
from qingstor.sdk.service.qingstor import QingStor

from .conftest import client_of


@pytest.fixture
def service(serve):
    config = Config("id", "key")
    config.host, config.port, config.protocol = "127.0.0.1", serve("qingstor"), "http"
    service = QingStor(config)
    yield service
    service.client.close()


@pytest.fixture
def bucket(service):
    made = service.Bucket("photos", "")
    assert made.put().status_code == 201
    return made


def test_buckets(service, bucket):
    """Buckets are listed, found and deleted, with QingStor's statuses."""
    listed = service.list_buckets()
    assert (listed["count"], [each["name"] for each in listed["buckets"]]) == (1, ["photos"])
    answers = [bucket.head(), bucket.delete(), bucket.head()]
    assert [each.status_code for each in answers] == [200, 204, 404]


def test_objects(bucket):
    """Put, head, get with a range, copy and delete; metadata and Content-Type are kept."""
    put = bucket.put_object(
        "a/ü b", body=b"meow", content_type="image/jpeg", x_qs_meta_data={"mood": "sleepy"}
    )
    assert (put.status_code, put.headers["ETag"]) == (201, '"4a4be40c96ac6314e91d93f38043a634"')
    head = bucket.head_object("a/ü b")
    names = ("Content-Length", "Content-Type", "x-qs-meta-mood")
    assert [head.headers[name] for name in names] == ["4", "image/jpeg", "sleepy"]
    answers = [
        bucket.get_object("a/ü b", range="bytes=1-2"),
        bucket.put_object("copy", x_qs_copy_source="/photos/a/ü b"),
        bucket.get_object("copy"),
        bucket.delete_object("copy"),
        bucket.head_object("copy"),
    ]
    assert [each.status_code for each in answers] == [206, 201, 200, 204, 404]
    assert [answers[0].content, answers[2].content] == [b"eo", b"meow"]


def test_listing(bucket):
    """A listing shows what QingStor's shows, and pages by `next_marker`."""
    for key in ("a/1", "a/2", "b", "c"):
        bucket.put_object(key, body=b"x", content_type="text/plain")
    page = bucket.list_objects(delimiter="/", limit="2")
    [entry] = page.pop("keys")
    del entry["created"], entry["modified"]
    assert entry == {
        "key": "b",
        "size": 1,
        "mime_type": "text/plain",
        "etag": '"9dd4e461268c8034f5c8564e155c67a6"',
        "encrypted": False,
        "storage_class": "STANDARD",
    }
    assert dict(page) == {
        "name": "photos",
        "prefix": "",
        "delimiter": "/",
        "marker": "",
        "next_marker": "b",
        "limit": 2,
        "has_more": True,
        "owner": {"id": "faultinject", "name": "faultinject"},
        "common_prefixes": ["a/"],
    }
    last = bucket.list_objects(marker="b", prefix="c")
    assert ([each["key"] for each in last["keys"]], last["has_more"]) == (["c"], False)


def test_multipart(bucket):
    """Uploads and parts are listed; copied parts count; giving up drops all."""
    bucket.put_object("source", body=b"0123456789")
    upload = bucket.initiate_multipart_upload("k")["upload_id"]
    bucket.upload_multipart(
        "k", part_number="0", upload_id=upload, x_qs_copy_source="/photos/source", x_qs_copy_range="bytes=2-4"
    )
    bucket.upload_multipart("k", part_number="1", upload_id=upload, body=b"xyz")
    parts = bucket.list_multipart("k", upload_id=upload)
    later = bucket.list_multipart("k", upload_id=upload, part_number_marker="0")
    pending = bucket.list_multipart_uploads()["uploads"]
    seen = {
        "count": parts["count"],
        "parts": [(each["part_number"], each["size"]) for each in parts["object_parts"]],
        "later": [each["part_number"] for each in later["object_parts"]],
        "uploads": [(each["key"], each["upload_id"]) for each in pending],
    }
    assert seen == {"count": 2, "parts": [(0, 3), (1, 3)], "later": [1], "uploads": [("k", upload)]}
    done = bucket.complete_multipart_upload(
        "k", upload_id=upload, object_parts=[{"part_number": 0}, {"part_number": 1}]
    )
    assert (done.status_code, bucket.get_object("k").content) == (201, b"234xyz")
    other = bucket.initiate_multipart_upload("k")["upload_id"]
    assert bucket.abort_multipart_upload("k", upload_id=other).status_code == 204
    assert bucket.list_multipart_uploads()["uploads"] == []


def test_delete_multiple_objects(bucket):
    """Several objects are deleted at once, quietly or not; the SDK's Content-MD5 is checked."""
    for key, how, deleted in (("a", {}, [{"key": "a"}]), ("b", {"quiet": True}, [])):
        bucket.put_object(key, body=b"x")
        # the SDK demands the argument and sends a digest of its own
        answer = bucket.delete_multiple_objects(content_md5="any", objects=[{"key": key}], **how)
        assert dict(answer) == {"deleted": deleted, "errors": []}
    assert bucket.list_objects()["keys"] == []


def test_errors(service, bucket):
    """The SDK reads code, message and request id of QingStor's envelope."""
    answer = bucket.get_object("gone")
    assert (answer.status_code, answer["code"]) == (404, "object_not_exists")
    assert answer["request_id"] == answer.headers["x-qs-request-id"]
    refused = [
        service.Bucket("gone", "").list_objects(),
        bucket.put(),
        bucket.put_object("k", x_qs_fetch_source="http://example.com/x"),
    ]
    codes = ["bucket_not_exists", "bucket_already_exists", "method_not_allowed"]
    assert [each["code"] for each in refused] == codes


def test_a_bucket_has_no_location():
    """The location of a bucket is empty."""
    assert client_of("qingstor").get("/photos?location").json == {"location": ""}
