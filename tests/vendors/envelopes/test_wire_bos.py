"""The example of Baidu's document, and recorded ids, are rendered from their inputs."""

import base64
import uuid

import pytest

from faultinject import Rule, vendors

IDS = {
    "request_id": "4db2b34d-654d-4d8a-b49b-3049ca786409",
    "debug_id": "Huhfp8Zre243zqGeZSLoeTJJ3dUcxbgphwQFlhjGxMlJT8fXAZS0X9WjeDY7phK9OJTX7YJR1on0vNpf8WFMbA==",
}
# https://cloud.baidu.com/doc/BOS/s/Ajwvysfpl, without the blanks of the page
NO_SUCH_KEY = (
    b'{"code":"NoSuchKey","message":"The resource you requested does not exist",'
    b'"requestId":"4db2b34d-654d-4d8a-b49b-3049ca786409"}'
)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_example(method, answer_of):
    """Code, message and requestId, in that order, and both ids in headers."""
    rule = Rule("bos:NoSuchKey", message="The resource you requested does not exist")
    answer = answer_of(rule, method, "/bucket/object", ids=IDS)
    assert (answer.status, answer.body) == (404, NO_SUCH_KEY if method == "GET" else b"")
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/json; charset=utf-8"),
        ("content-length", str(len(NO_SUCH_KEY))),
        ("x-bce-request-id", IDS["request_id"]),
        ("x-bce-debug-id", IDS["debug_id"]),
    ]


def test_ids():
    """A random GUID, and 64 bytes in base64 as recorded."""
    made = vendors.get("bos").make_ids(bytes(range(64)), 0)
    for each in (made, IDS):
        assert uuid.UUID(each["request_id"]).version == 4
        assert len(base64.b64decode(each["debug_id"], validate=True)) == 64
