"""Both SDKs of Alibaba read every OSS row, on HEAD from a header.

A 203 is success to them: `put` returns it, and its body is the error.
"""

from xml.etree import ElementTree

import pytest

from faultinject import vendors

from .sdk_clients import oss, oss2, oss_v2
from .told import BUCKET, KEY, of_each_row, raised

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
    return oss_v2(server.url, retry_max_attempts=1, readwrite_timeout=10)


def first_error(call, *arguments):
    error = raised(oss2.exceptions.ServerError, call, *arguments)
    return error.status, error.code, error.message, error.ec, error.details["RequestId"], error.request_id


def second_error(call, *arguments):
    error = raised(oss.exceptions.OperationError, call, *arguments).unwrap()
    assert error.error_fileds["RequestId"] == error.request_id
    return error.status_code, error.code, error.message, error.ec, error.request_id, error.request_id


def wanted(row, sent):
    extras = vendors.get("oss").extras
    codes = (each.value[1:] for each in extras if each.name == "EC" and each.belongs_to(row, row.status))
    return row.status, row.code, row.message, next(codes, ""), sent.request_id, sent.request_id


PLACE = {"bucket": BUCKET, "key": KEY}
FIRST = {
    "get": lambda first: first_error(first.get_object, KEY),
    "put": lambda first: first_error(first.put_object, KEY, b"x" * 100),
    "head": lambda first: first_error(first.head_object, KEY),
}
SECOND = {
    "get": lambda second: second_error(second.get_object, oss.GetObjectRequest(**PLACE)),
    "head": lambda second: second_error(second.head_object, oss.HeadObjectRequest(**PLACE)),
}


@pytest.mark.slow
@of_each_row(ERRORS, FIRST)
def test_rows(row, call, server, first):
    """oss2 reads status, code, message, EC and request id of every row."""
    assert FIRST[call](first) == wanted(row, server.last)
    assert (server.last.bucket, server.last.key) == (BUCKET, KEY)


@pytest.mark.slow
@of_each_row(ERRORS, SECOND)
def test_rows_of_the_newer_sdk(row, call, server, second):
    """The newer SDK does so, too."""
    assert SECOND[call](second) == wanted(row, server.last)
    assert (server.last.bucket, server.last.key) == (BUCKET, KEY)


@of_each_row(CALLBACKS)
def test_a_callback_that_fails_is_success_to_the_sdk(row, server, first):
    """The object is stored, the status is 203, and what failed stands in the body."""
    answer = first.put_object(KEY, b"x" * 100).resp
    root = ElementTree.fromstring(answer.read())
    assert (answer.status, root.findtext("Code"), root.findtext("Message")) == (203, row.code, row.message)


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
    found = dict(raised(oss2.exceptions.ServerError, first.get_object, KEY).details)
    known = {"Code", "Message", "RequestId", "HostId", "EC", "RecommendDoc"}
    assert {name: text for name, text in found.items() if name not in known} == details
    assert found["HostId"] == "127.0.0.1"
    assert found["RecommendDoc"] == f"https://api.aliyun.com/troubleshoot?q={found['EC']}"


def test_a_wrong_position(server, first):
    """oss2 makes a class of its own of this code, and reads the next position off a header."""
    server.use("oss:PositionNotEqualToLength")
    error = raised(oss2.exceptions.PositionNotEqualToLength, first.append_object, KEY, 0, b"x")
    assert (error.next_position, server.last.operation) == (1717, "AppendObject")
