"""Lines as the documents of the services show them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from faultinject.learning.formats import FORMATS, Skip
from faultinject.learning.record import Record
from faultinject.learning.writing import operation_of

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
S3 = f'{OWNER} amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 {OWNER} 3E57427F3EXAMPLE {{}} k "{{}}" {{}} {{}} 113 - 7 - "-" "S3Console/0.4" - s9lz= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 - -'
OSS = '119.140.142.11 - - [02/May/2012:00:00:04 +0800] "GET /aliyun-logo.png HTTP/1.1" {} 64 127 "http://www.example.com/" "curl/7.15.5" "oss-example.oss-cn-hangzhou.aliyuncs.com" "505B01695037C2AF032593A4" "true" "16571234" "GetObject" "oss-example" "%2Faliyun-logo.png" 64 10 "{}" - -'
COS = "1.0 examplebucket-1250000000 ap-beijing 2018-12-01T11:02:33Z examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com {} 192.168.0.1 AKID - 83886080 808 /folder/text.txt put cos-go-sdk-v5.2.9 {} {} - 197 4295 USER STANDARD 100000000001 4295"
CLOUDFRONT = "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t{}\t-\tMozilla/5.0\t-"
HEADER = "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query"
NGINX = '203.0.113.7 - alice [06/Feb/2019:01:00:38 +0100] "PUT /bucket/a%20b?partNumber=1&uploadId=x HTTP/1.1" {} 12 "-" "a \\"quoted\\" agent"'


def at(*moment):
    return datetime(*moment, tzinfo=UTC).timestamp()


def read(name, line):
    made = FORMATS[name](operation_of(FORMATS[name].vendor))
    if name == "cloudfront":
        assert made.heed(HEADER)
    assert not made.heed(line)
    return made.read(line)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("s3", S3.format("REST.PUT.PART", "PUT /amzn-s3-demo-bucket1/k?partNumber=1&uploadId=x HTTP/1.1", 503, "SlowDown"),
         (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "SlowDown")),
        ("s3", S3.format("REST.GET.BUCKET", "GET /?list-type=2 HTTP/1.1", 200, "-"), (at(2019, 2, 6, 0, 0, 38), "GET", "ListObjectsV2", 200, "")),
        ("s3", S3.format("REST.GET.VERSIONING", "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1", 200, "-"),
         (at(2019, 2, 6, 0, 0, 38), "GET", "GetBucketVersioning", 200, "")),
        ("oss", OSS.format(404, "NoSuchBucket"), (at(2012, 5, 1, 16, 0, 4), "GET", "GetObject", 404, "NoSuchBucket")),
        ("oss", OSS.format(200, "-"), (at(2012, 5, 1, 16, 0, 4), "GET", "GetObject", 200, "")),
        ("cos", COS.format("UploadPart", 404, "NoSuchKey"), (at(2018, 12, 1, 11, 2, 33), "PUT", "UploadPart", 404, "NoSuchKey")),
        ("cos", COS.format("InitiateMultipartUpload", 200, "-"), (at(2018, 12, 1, 11, 2, 33), "PUT", "CreateMultipartUpload", 200, "")),
        ("cloudfront", CLOUDFRONT.format(502), (at(2019, 12, 4, 21, 2, 31), "GET", "GetObject", 502, "")),
        ("nginx", NGINX.format(503), (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503).split(' "-"')[0], (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "")),
    ],
)  # fmt: skip
def test_a_line(name, line, expected):
    """When, what was asked for, and what came of it."""
    assert read(name, line) == Record(*expected)


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        (
            "s3",
            S3.format("BATCH.DELETE.OBJECT", "-", 204, "-"),
            "BATCH.DELETE.OBJECT is no request of a client",
        ),
        ("s3", S3.format("REST.GET.OBJECT", "GET /b/k HTTP/1.1", "-", "-"), "no status"),
        ("cos", COS.format("GetObject", 200, "-").replace("USER", "CDN"), "a CDN's request"),
        ("cloudfront", CLOUDFRONT.format("000"), "the client left before the answer"),
        ("nginx", NGINX.format(499), "the client left before the answer"),
        (
            "nginx",
            '203.0.113.7 - - [06/Feb/2019:01:00:38 +0100] "\\x16\\x03\\x01" 400 12 "-" "-"',
            "no request line",
        ),
    ],
)
def test_a_line_that_tells_nothing(name, line, why):
    """It is counted, and said why."""
    with pytest.raises(Skip) as caught:
        read(name, line)
    assert str(caught.value) == why


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "line", ["x", "a b c", "\0\0", "[06/Feb/2019:00:00:38 +0000]", '"' * 1000, "1.0 " * 40, "x\t" * 40]
)
def test_a_broken_line(name, line):
    """It is none."""
    assert read(name, line) is None
