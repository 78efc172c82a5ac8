"""Both of Alibaba's SDKs read every OSS row, and both find it in a header of an answer to HEAD.

A 203 is success to them: `put` returns it, and its body is the error.
"""

from __future__ import annotations

import base64
import warnings
from datetime import datetime, timedelta
from xml.etree import ElementTree

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_oss_v2.exceptions import OperationError

from faultinject import vendors

from .told import with_calls

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # oss2 holds invalid escapes and a deprecated import
    import oss2

BUCKET = "photos"
KEY = "cat pictures/猫&<1>.jpg"
ROWS = vendors.get("oss").errors
ERRORS = [row for row in ROWS if row.status >= 400]
CALLBACKS = [row for row in ROWS if row.status == 203]


@pytest.fixture(scope="module")
def first(server):
    """oss2 makes one attempt at these calls."""
    session = oss2.Session()
    yield oss2.Bucket(oss2.Auth("id", "key"), server.url, BUCKET, session=session, connect_timeout=60)
    session.session.close()


@pytest.fixture(scope="module")
def second(server):
    """The newer SDK, without retries."""
    config = oss.config.load_default()
    config.region, config.endpoint, config.use_path_style = "cn-hangzhou", server.url, True
    config.retry_max_attempts, config.readwrite_timeout = 1, 10
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("id", "key")
    return oss.Client(config)


def first_error(call):
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        call()
    error = caught.value
    return error.status, error.code, error.message, error.ec, error.details["RequestId"], error.request_id


def second_error(call):
    with pytest.raises(OperationError) as caught:
        call()
    error = caught.value.unwrap()
    assert error.error_fileds["RequestId"] == error.request_id
    return error.status_code, error.code, error.message, error.ec, error.request_id, error.request_id


def wanted(row, sent):
    extras = vendors.get("oss").extras
    codes = (each.value[1:] for each in extras if each.name == "EC" and each.belongs_to(row, row.status))
    return row.status, row.code, row.message, next(codes, ""), sent.request_id, sent.request_id


def calls_of(first, second):
    place = {"bucket": BUCKET, "key": KEY}
    return {
        "oss2 get": lambda: first_error(lambda: first.get_object(KEY)),
        "oss2 put": lambda: first_error(lambda: first.put_object(KEY, b"x" * 100)),
        "v2 get": lambda: second_error(lambda: second.get_object(oss.GetObjectRequest(**place))),
        "oss2 head": lambda: first_error(lambda: first.head_object(KEY)),
        "v2 head": lambda: second_error(lambda: second.head_object(oss.HeadObjectRequest(**place))),
    }


@pytest.mark.slow
def test_rows(server, first, second):
    """Status, code, message, EC and request id of every row, from each SDK; of two calls the one is HEAD."""
    wrong = []
    calls = calls_of(first, second)
    for sdk in "oss2", "v2":
        for row, name in with_calls(ERRORS, [each for each in calls if each.startswith(sdk)]):
            server.use(row.address)
            got = calls[name]()
            assert (server.last.bucket, server.last.key) == (BUCKET, KEY)
            if got != wanted(row, server.last):
                wrong.append((name, row.label, got))
    assert wrong == []


def test_a_callback_that_fails_is_success_to_the_sdk(server, first):
    """The object is stored, the status is 203, and what failed stands in the body."""
    wrong = []
    for row in CALLBACKS:
        server.use(row.address)
        answer = first.put_object(KEY, b"x" * 100).resp
        root = ElementTree.fromstring(answer.read())
        got = answer.status, root.findtext("Code"), root.findtext("Message")
        if got != (203, row.code, row.message):
            wrong.append((row.label, got))
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "details"),
    [
        ("NoSuchKey", {"Key": KEY}),
        ("NoSuchBucket", {"BucketName": BUCKET}),
        ("InvalidAccessKeyId/1", {}),
        ("InvalidAccessKeyId", {"OSSAccessKeyId": "id"}),
        ("InvalidArgument/2", {"ArgumentName": "OSSAccessKeyId", "ArgumentValue": None}),
    ],
)
def test_details(code, details, server, first):
    """oss2 hands out what stands between HostId and EC."""
    server.use(f"oss:{code}")
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        first.get_object(KEY)
    found = dict(caught.value.details)
    known = {"Code", "Message", "RequestId", "HostId", "EC", "RecommendDoc"}
    assert {name: text for name, text in found.items() if name not in known} == details
    assert found["HostId"] == "127.0.0.1"
    assert found["RecommendDoc"] == f"https://api.aliyun.com/troubleshoot?q={found['EC']}"


def test_a_wrong_endpoint(server, first):
    """The bucket, and the endpoint to send to: this server."""
    server.use("oss:AccessDenied/1")
    with pytest.raises(oss2.exceptions.AccessDenied) as caught:
        first.get_object(KEY)
    details = caught.value.details
    assert (details["Bucket"], details["Endpoint"]) == (BUCKET, f"127.0.0.1:{server.port}")
    assert details["EC"] == caught.value.ec == "0003-00001403"


def test_clocks(server, first):
    """A skewed clock is answered with both times in one form; oss2 sends its own as Date."""
    server.use("oss:RequestTimeTooSkewed")
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        first.get_object(KEY)
    details = caught.value.details
    assert details["MaxAllowedSkewMilliseconds"] == "900000"
    sent, now = (datetime.fromisoformat(details[name]) for name in ("RequestTime", "ServerTime"))
    assert abs(now - sent) < timedelta(minutes=1)
    assert details["RequestTime"].endswith(".000Z")
    assert details["ServerTime"].endswith(".000Z")


def test_a_wrong_position(server, first):
    """oss2 makes a class of its own of this code, and reads the next position off a header."""
    server.use("oss:PositionNotEqualToLength")
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as caught:
        first.append_object(KEY, 0, b"x")
    assert caught.value.next_position == 1717
    assert server.last.operation == "AppendObject"


def test_the_header_of_head_is_the_body_of_get(server):
    """x-oss-err is base64 of the very bytes that GET gets, but for the id."""
    server.use("oss:NoSuchKey")
    got = server.raw("GET", f"/{BUCKET}/cat.jpg")
    head = server.raw("HEAD", f"/{BUCKET}/cat.jpg")
    assert "x-oss-err" not in got.headers
    body = base64.b64decode(head.headers["x-oss-err"], validate=True)
    ids = [each.headers["x-oss-request-id"].encode() for each in (got, head)]
    assert (head.body, body) == (b"", got.body.replace(*ids))


OPERATIONS = {
    "CompleteMultipartUpload": lambda bucket: bucket.complete_multipart_upload(KEY, "u", []),
    "CopyObject": lambda bucket: bucket.copy_object(BUCKET, "a", KEY),
    "CreateMultipartUpload": lambda bucket: bucket.init_multipart_upload(KEY),
    "CreateSelectObjectMeta": lambda bucket: bucket.create_select_object_meta(KEY),
    "DeleteObjects": lambda bucket: bucket.batch_delete_objects(["a", "b"]),
    "GetBucketAccelerateConfiguration": lambda bucket: bucket.get_bucket_transfer_acceleration(),
    "GetBucketInfo": lambda bucket: bucket.get_bucket_info(),
    "GetBucketInventoryConfiguration": lambda bucket: bucket.get_bucket_inventory_configuration("i"),
    "GetBucketStat": lambda bucket: bucket.get_bucket_stat(),
    "GetLiveChannelStat": lambda bucket: bucket.get_live_channel_stat("channel"),
    "GetObject": lambda bucket: bucket.get_object(KEY, process="image/resize,w_10"),
    "GetObjectMeta": lambda bucket: bucket.get_object_meta(KEY),
    "GetSymlink": lambda bucket: bucket.get_symlink(KEY),
    "ListBucketInventoryConfigurations": lambda bucket: bucket.list_bucket_inventory_configurations(),
    "ListObjectVersions": lambda bucket: bucket.list_object_versions(),
    "ListObjectsV2": lambda bucket: bucket.list_objects_v2(),
    "ListParts": lambda bucket: bucket.list_parts(KEY, "u"),
    "ProcessObject": lambda bucket: bucket.process_object(KEY, "image/resize,w_10"),
    "PutBucketReplication": lambda bucket: bucket.put_bucket_replication(oss2.models.ReplicationRule()),
    "PutSymlink": lambda bucket: bucket.put_symlink(KEY, "link"),
    "RestoreObject": lambda bucket: bucket.restore_object(KEY),
    "SelectObjectContent": lambda bucket: bucket.select_object(KEY, "select * from ossobject"),
    "UploadPart": lambda bucket: bucket.upload_part(KEY, "u", 1, b"x"),
    "UploadPartCopy": lambda bucket: bucket.upload_part_copy(BUCKET, "a", (0, 9), KEY, "u", 1),
}


def test_operations(server, first):
    """What oss2 is asked to do is what a rule can name."""
    wrong = []
    for operation, call in OPERATIONS.items():
        server.use("oss:InternalError", operation=operation)
        try:
            call(first)
        except oss2.exceptions.ServerError as error:
            assert error.code == "InternalError"
        if not server.outcomes:
            wrong.append(operation)
    assert wrong == []
