"""Recorded answers of Alibaba Cloud OSS are rendered from their inputs, byte for byte."""

import base64
from datetime import datetime

import pytest

from faultinject import vendors
from tests.rows import each_row

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
FORM_MESSAGE = (
    "The bucket POST must contain the specified 'OSSAccessKeyId'. If it is specified, please check "
    "the order of the fields"
)
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
# huhx/flutter_oss_aliyun#63, September 2024
SKEWED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>RequestTimeTooSkewed</Code>
  <Message>The difference between the request time and the current time is too large.</Message>
  <RequestId>66F10B88708A5D313649AD20</RequestId>
  <HostId>pixcheese-dev.pixcheese.com</HostId>
  <MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>
  <RequestTime>2024-09-22T06:32:38.000Z</RequestTime>
  <ServerTime>2024-09-23T06:32:40.000Z</ServerTime>
  <EC>0002-00000504</EC>
  <RecommendDoc>https://api.aliyun.com/troubleshoot?q=0002-00000504</RecommendDoc>
</Error>
"""
# pulumi/pulumi#16093, April 2024
ABROAD = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>NoSuchKey</Code>
  <Message>The specified key does not exist.</Message>
  <RequestId>6631665D70888B3338D312E1</RequestId>
  <HostId>chikii-website-sg.oss-ap-southeast-1.aliyuncs.com</HostId>
  <Key>m/gameMall/mail.hhtmm.com</Key>
  <EC>0026-00000001</EC>
  <RecommendDoc>https://api.alibabacloud.com/troubleshoot?q=0026-00000001</RecommendDoc>
</Error>
"""
# Molunerfinn/PicGo#488, May 2020: there was no EC yet
UNKNOWN_KEY_ID = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>InvalidAccessKeyId</Code>
  <Message>The OSS Access Key Id you provided does not exist in our records.</Message>
  <RequestId>5EB007079214783733C13E56</RequestId>
  <HostId>wznote.oss-cn-shenzhen.aliyuncs.com</HostId>
  <OSSAccessKeyId>1</OSSAccessKeyId>
</Error>
"""
# hujinchen/Image_upload_aliyun#2, March 2019: its Content-Length was 339
NOT_ALLOWED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error>
  <Code>MethodNotAllowed</Code>
  <Message>The specified method is not allowed against this resource.</Message>
  <RequestId>5C8F4B9B460E4F9E6CF41682</RequestId>
  <HostId>baima-user.oss-cn-hangzhou.aliyuncs.com</HostId>
  <Method>POST</Method>
  <ResourceType>Object</ResourceType>
</Error>
"""
# apache/seatunnel#6371, February 2024: as much of the header as was printed
HEAD_HOST = "sc-strategy-map.oss-cn-hangzhou.aliyuncs.com"
HEAD_ID = "65D6F9792316833136343709"
HEAD_ERROR = (
    "PD94bWwgdmVyc2lvbj0iMS4wIiBlbmNvZGluZz0iVVRGLTgiPz4KPEVycm9yPgogIDxDb2RlPk5vU3VjaEtleTwvQ29kZT4KICA8TWVzc2FnZT5U"
    "aGUgc3BlY2lmaWVkIGtleSBkb2VzIG5vdCBleGlzdC48L01lc3NhZ2U+CiAgPFJlcXVlc3RJZD42NUQ2Rjk3OTIzMTY4MzMxMzYzNDM3MDk8L1Jl"
    "cXVlc3RJZD4KICA8SG9zdElkPnNjLXN0cmF0ZWd5LW1hcC5vc3MtY24taGFuZ3pob3UuYWxpeXVuY3Mu"
)


@pytest.fixture
def answer_to(answer_of):
    """An answer with the id that was seen."""

    def ask(fault, request_id, host, method="GET", path="/", headers=(), **request):
        headers = [(b"Host", host.encode()), *headers]
        return answer_of(fault, method, path, ids={"request_id": request_id}, headers=headers, **request)

    return ask


RECORDED = {
    "a key that is not there: two spaces of indentation, the key between HostId and EC": (
        "NoSuchKey", "65E86E44D76E913234A3FACA", "npmmirror.oss-cn-shanghai.aliyuncs.com",
        {"path": "/binaries/chromium-browser-snapshots/Win_x64/1181205/chrome-win.zip"}, "0026-00000001", NO_SUCH_KEY,
    ),
    "the same of 2022": (
        "NoSuchKey", "636BA0A2B7A5733230845ECC", "query-storage-aqua.oss-cn-beijing-internal.aliyuncs.com",
        {"path": "/tn71gyrdg/_res/54ca0610-5e6b-4bf0-b1ae-a6f656f67ecc/_t/meta_v1.json"}, "0026-00000001", OLDER,
    ),
    "an argument: apostrophes stay as they are, and an empty value has both tags": (
        "InvalidArgument/2", "67684B970AF7903432D74FD8", "dashscope-file-mgr.oss-cn-beijing.aliyuncs.com",
        {"method": "POST"}, "0002-00000706", INVALID_ARGUMENT,
    ),
    "an endpoint outside China, which sends to the international site": (
        "NoSuchKey", "6631665D70888B3338D312E1", "chikii-website-sg.oss-ap-southeast-1.aliyuncs.com",
        {"path": "/m/gameMall/mail.hhtmm.com"}, "0026-00000001", ABROAD,
    ),
    "a key id that is unknown, of 2020": (
        "InvalidAccessKeyId/2", "5EB007079214783733C13E56", "wznote.oss-cn-shenzhen.aliyuncs.com",
        {"headers": [(b"Authorization", b"OSS 1:c2ln")]}, "0002-00000902", UNKNOWN_KEY_ID,
    ),
}  # fmt: skip


@each_row("seen", RECORDED)
def test_recorded(seen, answer_to):
    """The whole body; newer answers have two more lines, and their EC in a header."""
    fault, request_id, host, asked, ec, body = RECORDED[seen]
    answer = answer_to(f"oss:{fault}", request_id, host, **asked)
    lines = answer.body.splitlines(keepends=True)
    added = [line for line in lines if line.startswith((b"  <EC>", b"  <RecommendDoc>")) and line not in body]
    assert b"".join(line for line in lines if line not in added) == body
    assert len(added) == (0 if b"<EC>" in body else 2)
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/xml"),
        ("content-length", str(len(answer.body))),
        ("x-oss-request-id", request_id),
        ("x-oss-server-time", "1"),
        ("x-oss-ec", ec),
    ]


@each_row(
    ("address", "names"),
    [
        ("oss:InvalidArgument", []),
        ("oss:InvalidAccessKeyId/1", ["EC", "RecommendDoc"]),
        ("oss:AccessDenied", ["EC", "RecommendDoc"]),
        ("oss:AccessDenied/13", []),
        ("oss:NoSuchUpload", []),
    ],
)
def test_what_belongs_to_another_message_is_not_sent(address, names, answer_to):
    """Of a code with several messages each carries its own."""
    asked = [(b"Authorization", b"OSS id:c2ln")]
    answer = answer_to(address, HEAD_ID, HEAD_HOST, path="/a", headers=asked)
    assert [line.split(b">")[0].strip(b" <").decode() for line in answer.body.splitlines()[6:-1]] == names
    assert ("x-oss-ec" in answer.names) == bool(names)


def test_head(answer_to):
    """HEAD has the whole error in a header."""
    answer = answer_to("oss:NoSuchKey", HEAD_ID, HEAD_HOST, "HEAD", "/strategy/1.json")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.names[2:] == ["x-oss-request-id", "x-oss-server-time", "x-oss-ec", "x-oss-err"]
    assert answer.header("x-oss-err").startswith(HEAD_ERROR)
    assert len(base64.b64decode(answer.header("x-oss-err"))) == int(answer.header("content-length"))


@pytest.mark.parametrize(
    "sent",
    [
        {"Date": "Sun, 22 Sep 2024 06:32:38 GMT"},
        {"x-oss-date": "Sun, 22 Sep 2024 06:32:38 GMT", "Date": "Mon, 23 Sep 2024 06:32:40 GMT"},
        {"x-oss-date": "20240922T063238Z"},
    ],
)
def test_a_skewed_clock(sent, answer_to):
    """The allowed skew, the request's time in any form, and the clock's, both to the second."""
    moment = datetime.fromisoformat("2024-09-23T06:32:40.700Z").timestamp()
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]
    host = "pixcheese-dev.pixcheese.com"
    answer = answer_to(
        "oss:RequestTimeTooSkewed", "66F10B88708A5D313649AD20", host, headers=headers, now=moment
    )
    assert answer.body == SKEWED
    assert answer.header("x-oss-ec") == "0002-00000504"


def test_a_time_that_is_none(answer_to):
    """A time that cannot be read is not repeated."""
    body = answer_to("oss:RequestTimeTooSkewed", HEAD_ID, HEAD_HOST, headers=[(b"Date", b"yesterday")]).body
    assert b"<ServerTime>2025-11-20T08:00:00.000Z</ServerTime>" in body
    assert b"RequestTime>" not in body.replace(b"<Code>RequestTimeTooSkewed</Code>", b"")


@each_row(
    ("host", "site"),
    [
        ("photos.oss-eu-central-1-internal.aliyuncs.com", "alibabacloud"),
        ("oss-us-west-1.aliyuncs.com", "alibabacloud"),
        ("photos.us-west-1.oss.aliyuncs.com", "alibabacloud"),
        ("photos.cn-hangzhou.oss.aliyuncs.com", "aliyun"),
        ("photos.oss-cn-beijing-internal.aliyuncs.com", "aliyun"),
        ("photos.oss-accelerate.aliyuncs.com", "aliyun"),
        ("photos.example.com", "aliyun"),
        ("my-photos", "aliyun"),
        ("127.0.0.1", "aliyun"),
    ],
)
def test_whose_site_explains_an_error(host, site, answer_to):
    """The region of the endpoint decides."""
    body = answer_to("oss:NoSuchBucket", HEAD_ID, host).body
    assert (
        f"<RecommendDoc>https://api.{site}.com/troubleshoot?q=0015-00000101</RecommendDoc>".encode() in body
    )


def test_a_wrong_endpoint(answer_to):
    """Bucket and endpoint, which is where the request went: no client is sent to a real one."""
    host = "jeffcott.oss-cn-hangzhou.aliyuncs.com"
    answer = answer_to("oss:AccessDenied/1", "63E03DBE1B08F731365BE4DE", host, path="/a.png")
    assert answer.body.splitlines()[5:-1] == [
        f"  <HostId>{host}</HostId>".encode(),
        b"  <Bucket>jeffcott</Bucket>",
        f"  <Endpoint>{host}</Endpoint>".encode(),
        b"  <EC>0003-00001403</EC>",
        b"  <RecommendDoc>https://api.aliyun.com/troubleshoot?q=0003-00001403</RecommendDoc>",
    ]
    assert answer.header("x-oss-ec") == "0003-00001403"


@pytest.mark.parametrize(("path", "level"), [("/", "Bucket"), ("/a.png", "Object")])
def test_a_method_that_is_not_allowed(path, level, answer_to):
    """Method and sort of resource, and what would be allowed."""
    host = "baima-user.oss-cn-hangzhou.aliyuncs.com"
    assert (len(NOT_ALLOWED), len(OLDER)) == (339, 342)
    answer = answer_to("oss:MethodNotAllowed", "5C8F4B9B460E4F9E6CF41682", host, "POST", path)
    assert (answer.status, answer.body) == (405, NOT_ALLOWED.replace(b"Object", level.encode()))
    assert answer.header("allow") == "GET DELETE HEAD PUT POST OPTIONS"


def test_ids():
    """The id of the 2022 answer begins with its Date, Wed, 09 Nov 2022 12:44:18 GMT."""
    ids = vendors.get("oss").make_ids(bytes(range(64)), 1_667_997_858)
    assert ids == {"request_id": "636BA0A20001020304050607"}


@each_row(
    ("fault", "asked", "told"),
    [
        (
            "oss:BucketAlreadyExists",  # aliyun/aliyun-oss-go-sdk#173
            ("PUT", "/", ()),
            "<Message>The requested bucket name is not available. The bucket namespace is shared by all users of the"
            " system. Please select a different name and try again.</Message>",
        ),
        (
            "oss:PositionNotEqualToLength",  # xxtime/flysystem-aliyun-oss#5
            ("POST", "/log?append&position=3", ()),
            "<Message>Position is not equal to file length</Message>",
        ),
        (
            "oss:SecurityTokenExpired",  # jxxghp/MoviePilot#6295
            ("PUT", "/k", [(b"x-oss-security-token", b"CAIS4A")]),
            "</HostId>\n  <SecurityToken>CAIS4A</SecurityToken>\n  <EC>0002-00000007</EC>\n"
            "  <RecommendDoc>https://api.aliyun.com/troubleshoot?q=0002-00000007</RecommendDoc>\n</Error>\n",
        ),
        (
            "oss:InvalidSecurityToken",
            ("PUT", "/k", ()),
            "  <EC>0002-00000006</EC>\n",
        ),  # matrixorigin/matrixone#12445
        (
            "oss:NoSuchUpload",  # aliyun/aliyun-oss-ios-sdk#209
            ("PUT", "/k?partNumber=1&uploadId=48B5A0736DF6457F8DCDE933CA759DCB", ()),
            "  <UploadId>48B5A0736DF6457F8DCDE933CA759DCB</UploadId>\n",
        ),
    ],
)
def test_words_that_were_seen(fault, asked, told, answer_to):
    """Answers in issues that leave out their ids."""
    method, path, headers = asked
    answer = answer_to(
        fault, "5CDBECD94885000198630FEE", "fhnfile.oss-cn-shenzhen.aliyuncs.com", method, path, headers
    )
    assert told in answer.body.decode()
