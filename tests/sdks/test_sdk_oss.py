"""Both SDKs of Alibaba read every OSS row, on HEAD from a header.

A 203 is success to them: `put` returns it, and its body is the error.
"""

from __future__ import annotations

import warnings
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
def test_rows(server, first, second, subtests):
    """Each SDK reads status, code, message, EC and request id of every row.

    Of two calls the one is HEAD.
    """
    calls = calls_of(first, second)
    for sdk in "oss2", "v2":
        for row, name in with_calls(ERRORS, [each for each in calls if each.startswith(sdk)]):
            with subtests.test(row.label, call=name):
                server.use(row.address)
                got = calls[name]()
                assert (server.last.bucket, server.last.key) == (BUCKET, KEY)
                assert got == wanted(row, server.last)


def test_a_callback_that_fails_is_success_to_the_sdk(server, first, subtests):
    """The object is stored, the status is 203, and what failed stands in the body."""
    for row in CALLBACKS:
        with subtests.test(row.label):
            server.use(row.address)
            answer = first.put_object(KEY, b"x" * 100).resp
            root = ElementTree.fromstring(answer.read())
            got = answer.status, root.findtext("Code"), root.findtext("Message")
            assert got == (203, row.code, row.message)


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


def test_a_wrong_position(server, first):
    """oss2 makes a class of its own of this code, and reads the next position off a header."""
    server.use("oss:PositionNotEqualToLength")
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as caught:
        first.append_object(KEY, 0, b"x")
    assert caught.value.next_position == 1717
    assert server.last.operation == "AppendObject"
