"""The example of Volcengine's document and ids that were recorded come out again from their inputs."""

from __future__ import annotations

import pytest

from faultinject import Rule, vendors

# https://www.volcengine.com/docs/6349/74874, without the blanks of the page; EC as in recorded answers of that code
NO_SUCH_KEY = (
    b'{"Code":"NoSuchKey","Message":"The resource you requested does not exist","RequestId":"4442587FB7D0A2F9",'
    b'"HostId":"","Resource":"/bucketName/objectName","EC":"0017-00000003"}'
)
HOST = [(b"Host", b"bucketName.tos-cn-beijing.volces.com")]


def test_example(send, inject_with, monkeypatch):
    """Code, Message, RequestId, HostId, Resource and EC, in that order, and what the headers repeat."""
    monkeypatch.setattr(vendors.get("tos"), "make_ids", lambda *_: {"request_id": "4442587FB7D0A2F9"})
    rule = Rule("tos:NoSuchKey", message="The resource you requested does not exist")
    injector = inject_with(rule, FAULTINJECT_HEADER="0")
    answer = send(injector, "GET", "/bucketName/objectName")
    assert injector.errors == []
    assert answer.body == NO_SUCH_KEY
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/json"),
        ("content-length", str(len(NO_SUCH_KEY))),
        ("x-tos-request-id", "4442587FB7D0A2F9"),
        ("x-tos-id-2", "4442587FB7D0A2F9"),
        ("x-tos-server-time", "1"),
        ("x-tos-ec", "0017-00000003"),
    ]


def test_head_says_nothing_of_the_body(send, inject_with):
    """The SDK takes a length for a body that broke off."""
    answer = send(inject_with(Rule("tos:NoSuchKey")), "HEAD", "/object", headers=HOST)
    got = {name.lower(): value for name, value in answer.headers}
    assert (answer.status, answer.body, got["content-length"]) == (404, b"", "0")
    assert "content-type" not in got
    assert got["x-tos-ec"] == "0017-00000003"


@pytest.mark.parametrize(
    ("recorded", "time"),
    [
        ("c30c0107cd3a073f6607cd3a-ac103aa8-1rqU4w-PuO-cs-tos-front-azc-2", 0x6607CD3A),
        ("1f1c07a6f1e88f446aa6f1e8-bedb802-1x5pNY-HO-cb-tos-1az-front-azc-16", 0x6AA6F1E8),
    ],
)
def test_ids(recorded, time):
    """The seconds stand in an id twice, once without their first byte."""
    made = vendors.get("tos").make_ids(bytes(range(64)), time)["request_id"]
    for each in (made, recorded):
        assert (each[6:12], each[16:24]) == (f"{time:08x}"[2:], f"{time:08x}")
    assert [len(part) for part in made.split("-")[:3]] == [24, 8, 6]
