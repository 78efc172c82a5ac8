"""Answers of Alibaba Cloud OSS that were seen on the wire come out again, byte for byte, from their inputs."""

from __future__ import annotations

import base64

import pytest

from faultinject import Rule, vendors

# an answer of npmmirror.com's bucket, March 2024
NO_SUCH_KEY = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>NoSuchKey</Code>
  <Message>The specified key does not exist.</Message>
  <RequestId>65E86E44D76E913234A3FACA</RequestId>
  <HostId>npmmirror.oss-cn-shanghai.aliyuncs.com</HostId>
  <Key>binaries/chromium-browser-snapshots/Win_x64/1181205/chrome-win.zip</Key>
  <EC>0026-00000001</EC>
  <RecommendDoc>https://api.aliyun.com/troubleshoot?q=0026-00000001</RecommendDoc>
</Error>
"""
# apache/opendal#917, November 2022: its Content-Length was 342, and there was no EC yet
OLDER = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>NoSuchKey</Code>
  <Message>The specified key does not exist.</Message>
  <RequestId>636BA0A2B7A5733230845ECC</RequestId>
  <HostId>query-storage-aqua.oss-cn-beijing-internal.aliyuncs.com</HostId>
  <Key>tn71gyrdg/_res/54ca0610-5e6b-4bf0-b1ae-a6f656f67ecc/_t/meta_v1.json</Key>
</Error>
"""
# oldmanpushcart/dashscope4j, December 2024: a form without a key
FORM_MESSAGE = "The bucket POST must contain the specified 'OSSAccessKeyId'. If it is specified, please check the order of the fields"
INVALID_ARGUMENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>InvalidArgument</Code>
  <Message>{FORM_MESSAGE}</Message>
  <RequestId>67684B970AF7903432D74FD8</RequestId>
  <HostId>dashscope-file-mgr.oss-cn-beijing.aliyuncs.com</HostId>
  <ArgumentName>OSSAccessKeyId</ArgumentName>
  <ArgumentValue></ArgumentValue>
  <EC>0002-00000706</EC>
  <RecommendDoc>https://api.aliyun.com/troubleshoot?q=0002-00000706</RecommendDoc>
</Error>
""".encode()
# apache/seatunnel#6371, February 2024: as much of the header as was printed
HEAD_HOST = "sc-strategy-map.oss-cn-hangzhou.aliyuncs.com"
HEAD_ID = "65D6F9792316833136343709"
HEAD_ERROR = (
    "PD94bWwgdmVyc2lvbj0iMS4wIiBlbmNvZGluZz0iVVRGLTgiPz4KPEVycm9yPgogIDxDb2RlPk5vU3VjaEtleTwvQ29kZT4KICA8TWVzc2FnZT5U"
    "aGUgc3BlY2lmaWVkIGtleSBkb2VzIG5vdCBleGlzdC48L01lc3NhZ2U+CiAgPFJlcXVlc3RJZD42NUQ2Rjk3OTIzMTY4MzMxMzYzNDM3MDk8L1Jl"
    "cXVlc3RJZD4KICA8SG9zdElkPnNjLXN0cmF0ZWd5LW1hcC5vc3MtY24taGFuZ3pob3UuYWxpeXVuY3Mu"
)


@pytest.fixture
def answer_to(send, inject_with, monkeypatch):
    """The answer of a rule without our marks, with the id that was seen."""

    def ask(fault, request_id, host, method="GET", path="/", headers=(), **keys):
        monkeypatch.setattr(vendors.get("oss"), "make_ids", lambda *_: {"request_id": request_id})
        injector = inject_with(Rule(fault, **keys), FAULTINJECT_HEADER="0")
        answer = send(injector, method, path, headers=[(b"Host", host.encode()), *headers])
        assert injector.errors == []
        return answer

    return ask


def test_a_key_that_is_not_there(answer_to):
    """Two spaces of indentation, the key between HostId and EC, a line end at the end."""
    path = "/binaries/chromium-browser-snapshots/Win_x64/1181205/chrome-win.zip"
    host = "npmmirror.oss-cn-shanghai.aliyuncs.com"
    answer = answer_to("oss:NoSuchKey", "65E86E44D76E913234A3FACA", host, path=path)
    assert answer.body == NO_SUCH_KEY
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/xml"),
        ("content-length", str(len(NO_SUCH_KEY))),
        ("x-oss-request-id", "65E86E44D76E913234A3FACA"),
        ("x-oss-server-time", "1"),
        ("x-oss-ec", "0026-00000001"),
    ]


def test_an_older_answer(answer_to):
    """What was added since are two lines."""
    path = "/tn71gyrdg/_res/54ca0610-5e6b-4bf0-b1ae-a6f656f67ecc/_t/meta_v1.json"
    host = "query-storage-aqua.oss-cn-beijing-internal.aliyuncs.com"
    body = answer_to("oss:NoSuchKey", "636BA0A2B7A5733230845ECC", host, path=path).body
    lines = body.splitlines(keepends=True)
    added = [line for line in lines if line.startswith((b"  <EC>", b"  <RecommendDoc>"))]
    assert (len(OLDER), len(added)) == (342, 2)
    assert b"".join(line for line in lines if line not in added) == OLDER


def test_an_argument(answer_to):
    """Apostrophes stay as they are, and an empty value has both tags."""
    host = "dashscope-file-mgr.oss-cn-beijing.aliyuncs.com"
    answer = answer_to("oss:InvalidArgument", "67684B970AF7903432D74FD8", host, "POST", message=FORM_MESSAGE)
    assert answer.body == INVALID_ARGUMENT


def test_head(answer_to):
    """HEAD has the whole error in a header."""
    answer = answer_to("oss:NoSuchKey", HEAD_ID, HEAD_HOST, "HEAD", "/strategy/1.json")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.names[2:] == ["x-oss-request-id", "x-oss-server-time", "x-oss-ec", "x-oss-err"]
    assert answer.header("x-oss-err").startswith(HEAD_ERROR)
    assert len(base64.b64decode(answer.header("x-oss-err"))) == int(answer.header("content-length"))


def test_a_skewed_clock(answer_to):
    """The request's time as it was sent, the clock's, and what is allowed."""
    sent = [(b"Date", b"Tue, 20 Dec 2020 08:48:18 GMT")]
    body = answer_to("oss:RequestTimeTooSkewed", HEAD_ID, HEAD_HOST, headers=sent).body
    assert body.splitlines()[6:9] == [
        b"  <RequestTime>Tue, 20 Dec 2020 08:48:18 GMT</RequestTime>",
        b"  <ServerTime>2025-11-20T08:00:00.250Z</ServerTime>",
        b"  <MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
    ]


def test_ids():
    """The id of the answer of 2022 begins with the time of its Date, Wed, 09 Nov 2022 12:44:18 GMT."""
    ids = vendors.get("oss").make_ids(bytes(range(64)), 1_667_997_858)
    assert ids == {"request_id": "636BA0A20001020304050607"}
