"""Operations of QingStor and JSS are recognised in their SDKs' requests, call by call."""

import inspect
import warnings
from contextlib import suppress

import pytest
import requests

from tests.engine.conftest import Reading

from .sent import place_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from jss_upload.jss import Jss
    from qingstor.sdk.config import Config
    from qingstor.sdk.service.bucket import Bucket
    from qingstor.sdk.service.qingstor import QingStor

READING = Reading("qingstor")
# The SDK's names, where S3 has another.
CALLED = {
    "DeleteBucketCNAME": "DeleteBucketCname",
    "DeleteBucketCORS": "DeleteBucketCors",
    "DeleteMultipleObjects": "DeleteObjects",
    "GetBucketACL": "GetBucketAcl",
    "GetBucketCNAME": "GetBucketCname",
    "GetBucketCORS": "GetBucketCors",
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "InitiateMultipartUpload": "CreateMultipartUpload",
    "ListMultipart": "ListParts",
    "PutBucket": "CreateBucket",
    "PutBucketACL": "PutBucketAcl",
    "PutBucketCNAME": "PutBucketCname",
    "PutBucketCORS": "PutBucketCors",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "UploadMultipart": "UploadPart",
}
VALUES = {
    "acl": [{"grantee": {"type": "group", "name": "QS_ALL_USERS"}, "permission": "READ"}],
    "access_control_request_method": "GET",
    "action": "info",
    "content_md5": "x",
    "cors_rules": [{"allowed_methods": ["GET"], "allowed_origin": "*"}],
    "domain": "photos.example",
    "notifications": [],
    "object_key": "a/key.jpg",
    "object_parts": [{"part_number": 0}],
    "objects": [{"key": "a"}],
    "origin": "http://photos.example",
    "part_number": "1",
    "position": "0",
    "rule": [],
    "rules": [],
    "source_site": "http://photos.example",
    "statement": [],
    "target_bucket": "logs",
    "target_prefix": "x",
    "type": "normal",
    "upload_id": "u",
}


SERVICE = QingStor(Config("id", "key"))


def request_of(bucket, name, **more):
    """The request that the SDK would send, and what it calls it."""
    make = getattr(bucket, f"{name}_request")
    taken = inspect.signature(make).parameters
    made = make(**{key: value for key, value in VALUES.items() if key in taken} | more)
    return made.builder.operation["API"], made.sign()


NAMES = sorted(
    name for name, _ in inspect.getmembers(Bucket, inspect.isfunction) if hasattr(Bucket, f"{name}_request")
)


@pytest.mark.parametrize("virtual", [False, True], ids=["path", "virtual"])
def test_every_call_of_qingstors_sdk_is_what_it_is(virtual, view):
    """No call is read as making, listing or removing a bucket or object, unless it does."""
    config = Config("id", "key")
    config.enable_virtual_host_style = virtual
    bucket = QingStor(config).Bucket("photos", "pek3a")
    for each in NAMES:
        name, sent = request_of(bucket, each)
        key = "a/key.jpg" if "object_key" in inspect.signature(getattr(bucket, each)).parameters else None
        seen = place_of(READING, view(sent.method, sent.url, sent.headers))
        assert seen == (CALLED.get(name, name), "photos", key)
    assert len(NAMES) > 40


def test_qingstors_buckets_are_listed(view):
    """Of all zones."""
    sent = SERVICE.list_buckets_request().sign()
    assert READING.operation(view(sent.method, sent.url, sent.headers)) == "ListBuckets"


@pytest.mark.parametrize(
    ("call", "header", "name"),
    [
        ("put_object", "x_qs_copy_source", "CopyObject"),
        ("put_object", "x_qs_move_source", "MoveObject"),
        ("put_object", "x_qs_fetch_source", "FetchObject"),
        ("upload_multipart", "x_qs_copy_source", "UploadPartCopy"),
    ],
)
def test_qingstor_tells_what_puts_an_object_by_its_source(call, header, name, view):
    """A copy, an object that is moved, and one that QingStor fetches."""
    _, sent = request_of(SERVICE.Bucket("photos", "pek3a"), call, **{header: "/films/b"})
    assert READING.operation(view(sent.method, sent.url, sent.headers)) == name


def test_qingstors_s3_face_has_s3s_parameters(view):
    """A part is told by `uploadId` there."""
    for method, query, name in [
        ("PUT", "partNumber=1&uploadId=u", "UploadPart"),
        ("POST", "uploadId=u", "CompleteMultipartUpload"),
        ("DELETE", "uploadId=u", "AbortMultipartUpload"),
        ("GET", "uploadId=u", "ListParts"),
        ("PUT", "", "PutObject"),
    ]:
        request = view(method, f"https://photos.s3.pek3a.qingstor.com/a?{query}")
        assert place_of(READING, request) == (name, "photos", "a")


def test_jss_has_no_form_that_s3_has_not(monkeypatch, view):
    """All that its SDK can ask for; so S3's table is enough."""
    jss = Jss("http://storage.jd.com", "id", "key")
    bucket, thing = jss.bucket("photos"), jss.bucket("photos").object("a/key.jpg")
    reading = Reading("jss")
    sent = []

    def keep(session, request, **_):
        sent.append(request)
        raise ConnectionError

    monkeypatch.setattr(requests.Session, "send", keep)
    for call, name in [
        (jss.list_buckets, "ListBuckets"),
        (bucket.delete, "DeleteBucket"),
        (bucket.list_object, "ListObjects"),
        (thing.get, "GetObject"),
        (lambda: thing.put_data("x", "key"), "PutObject"),
        (thing.init_multipart_upload, "CreateMultipartUpload"),
        (lambda: thing.upload_part("u", 1, b"x"), "UploadPart"),
        (lambda: thing.complete_multipart_upload("u", []), "CompleteMultipartUpload"),
        (lambda: thing.abort_multipart_upload("u"), "AbortMultipartUpload"),
        (thing.delete, "DeleteObject"),
        (thing.head, "HeadObject"),
    ]:
        with suppress(Exception):  # some calls hide it
            call()
        request = sent.pop()
        assert reading.operation(view(request.method, request.url, request.headers)) == name
