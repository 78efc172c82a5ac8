"""Published answers of Qiniu's Kodo and of its S3-compatible service, byte for byte."""

import base64
import struct

import pytest

from faultinject import Rule, vendors
from tests.rows import each_row

PUBLISHED_IDS = {
    "glQAAACAWbyt_cMY": 1_784_548_800,  # Date: Mon, 20 Jul 2026 12:00:00 GMT
    "ThYAAGCGip0DE80W": 1_642_990_345,  # Date: Mon, 24 Jan 2022 02:12:25 GMT, oncemi/OnceMi.AspNetCore.OSS#11
    "nwwAAL2W6WcIBAwV": 1_516_591_608,  # time:1516591608, qiniu/android-sdk#293
    "lV4AAJqVlOxMg60U": 1_489_991_418,  # 2017-03-20, qiniu/java-sdk#284
    "dn4AAAASMyj0BqcW": 1_632_281_035,  # 2021-09-22, zfile-dev/zfile#283
    "h30AAADtWUgneWwX": 1_687_857_169,  # 2023-06-27, halo-dev/plugin-s3#44
}
SAMPLES = [
    # the whole answer: comparison with Qiniu's MIX service, 2026
    ("kodo:612", "612 status code 612", 37, '{"error":"no such file or directory"}'),
    # oncemi/OnceMi.AspNetCore.OSS#11: ContentLength:45
    ("kodo:401/5", "401 Unauthorized", 45, '{"error":"bad token","error_code":"BadToken"}'),
    # huhuanming/qiniu_upload#38
    ("kodo:401", "401 Unauthorized", 21, '{"error":"bad token"}'),
    # icattlecoder/7niu#2
    ("kodo:401/2", "401 Unauthorized", 31, '{"error":"token not specified"}'),
    ("kodo:631", "631 status code 631", 26, '{"error":"no such bucket"}'),
    ("kodo:614", "614 status code 614", 23, '{"error":"file exists"}'),
]


@pytest.mark.parametrize("vendor", ["kodo", "kodo-s3"])
def test_ids(vendor):
    """From process number, second and nanoseconds the published ids come out."""
    for text, second in PUBLISHED_IDS.items():
        process, nanoseconds = struct.unpack("<IQ", base64.urlsafe_b64decode(text))
        entropy = struct.pack("<HI", process, nanoseconds % 10**9) + bytes(58)
        assert nanoseconds // 10**9 == second
        assert vendors.get(vendor).make_ids(entropy, second) == {"request_id": text}


@each_row(("address", "line", "length", "body"), SAMPLES)
def test_answer(address, line, length, body, send, inject_with):
    """Body and headers, in order; the reason phrase where the adapter can say one."""
    injector = inject_with([Rule(address)], FAULTINJECT_HEADER="0")
    answer = send(injector, "POST", "/stat/cGhvdG9zOmNhdC5qcGc=")
    assert (answer.status, answer.body, len(answer.body)) == (int(line[:3]), body.encode(), length)
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/json"),
        ("content-length", str(length)),
        ("x-reqid", injector.journal.outcomes[0].request_id),
        ("x-log", "X-Log"),
    ]
    row = vendors.find(address)
    assert f"{row.status} {row.reason or 'Unauthorized'}" == line


def test_s3_answer(send, inject_with):
    """Kodo's S3 answer has these elements in order, the decoded path, and its id in two headers.

    halo-dev/plugin-s3#44
    """
    injector = inject_with([Rule("kodo-s3:NotSupportAnonymous")], FAULTINJECT_HEADER="0")
    target = "/QQ%E6%B5%8F%E8%A7%88%E5%99%A8%E6%88%AA%E5%9B%BE20220225103916.png"
    answer = send(injector, "GET", target, headers=[(b"Host", b"blog.s3.cn-south-1.qiniucs.com")])
    id_ = injector.journal.outcomes[0].request_id
    assert answer.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>NotSupportAnonymous</Code><Message>request must have signature info</Message>"
        f"<Resource>/QQ浏览器截图20220225103916.png</Resource><RequestId>{id_}</RequestId></Error>"
    )
    assert (answer.status, answer.header("x-amz-request-id"), answer.header("x-reqid")) == (400, id_, id_)
    assert "x-amz-id-2" not in answer.names
