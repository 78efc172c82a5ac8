"""Lines as the documents of the services show them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from faultinject.learning.formats import FORMATS, OperationNames, Record, Skip
from tests.rows import each_row

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
S3 = (
    f"{OWNER} amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 {OWNER} 3E57427F3EXAMPLE "
    f'{{}} {{}} "{{}}" {{}} {{}} 113 - 7 - "-" "S3Console/0.4" - s9lz= SigV4 '
    "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 "
    "arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP Yes us-east-1"
)
S3_KEY = S3.replace("{} {}", "{} k%2520k", 1)
OSS = (
    '119.140.142.11 - - [02/May/2012:00:00:04 +0800] "{}" {} 64 127 "http://www.example.com/" "{}" '
    '"files.example.com" "505B01695037C2AF032593A4" "true" "16571234" "GetObject" "oss-example" "{}" '
    '64 10 "{}" - - 0 - Standard -'
)
OSS_GET = (
    OSS.replace("{}", "GET /aliyun-logo.png HTTP/1.1", 1)
    .replace("{}", "\0", 1)
    .replace("{}", "curl/7.15.5", 1)
    .replace("{}", "aliyun-logo.png", 1)
    .replace("\0", "{}")
)
COS = (
    "1.0 examplebucket-1250000000 ap-beijing 2018-12-01T11:02:33Z "
    "examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com {} 192.168.0.1 AKID - 83886080 808 "
    "/folder/text.txt {} cos-go-sdk-v5.2.9 {} {} The specified key does not exist. 197 4295 USER "
    "STANDARD 100000000001 4295 100000000001:100000000001"
)
COS_AGENT = (
    "1.0 examplebucket-1250000000 ap-beijing 2018-12-01T11:02:33Z "
    "examplebucket-1250000000.cos.ap-guangzhou.myqcloud.com GetObject 192.168.0.1 - - 0 0 "
    "/folder/text.txt GET Mozilla/5.0 My App 500 Beta {} 197 4295 USER STANDARD 100000000001 4295 - - - - - -"
)
CLOUDFRONT = (
    "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/"
    "index.html\t{}\t-\tMozilla/5.0\t-"
)
HEADER = (
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
    "cs(Referer) cs(User-Agent) cs-uri-query"
)
NGINX = (
    '203.0.113.7 - alice [06/Feb/2019:01:00:38 +0100] "PUT /bucket/a%20b?partNumber=1&uploadId=x '
    'HTTP/1.1" {} 12 "-" "a \\"quoted\\" agent"'
)


def at(*moment):
    return datetime(*moment, tzinfo=UTC).timestamp()


def read(name, *lines, vendor=None):
    """The record of the last line; the lines before it are headers."""
    made = FORMATS[name](OperationNames(vendor or FORMATS[name].vendor))
    *heads, line = lines
    assert all(made.is_header(each) for each in heads)
    assert not made.is_header(line)
    return made.read(line)


@each_row(
    ("name", "line", "expected"),
    [
        ("s3", S3_KEY.format("REST.PUT.PART", "PUT /amzn-s3-demo-bucket1/k?partNumber=1&uploadId=x HTTP/1.1", 503, "SlowDown"),
         (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "SlowDown")),
        ("s3", S3.format("REST.GET.BUCKET", "-", "GET /?list-type=2 HTTP/1.1", 200, "-"), (at(2019, 2, 6, 0, 0, 38), "GET", "ListObjectsV2", 200, "")),
        ("s3", S3.format("REST.GET.VERSIONING", "-", "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1", 200, "-"),
         (at(2019, 2, 6, 0, 0, 38), "GET", "GetBucketVersioning", 200, "")),
        ("s3", S3.format("REST.GET.VERSIONING", "-", "GET /?versioning HTTP/1.1", 200, "-"), (at(2019, 2, 6, 0, 0, 38), "GET", "GetBucketVersioning", 200, "")),
        ("s3", S3.format("REST.GET.ACL", "a/b", "GET /a/b?acl HTTP/1.1", 403, "AccessDenied"), (at(2019, 2, 6, 0, 0, 38), "GET", "GetObjectAcl", 403, "AccessDenied")),
        ("s3", S3.format("WEBSITE.GET.OBJECT", "a.html", "GET /a.html HTTP/1.1", 404, "NoSuchKey"), (at(2019, 2, 6, 0, 0, 38), "GET", "GetObject", 404, "NoSuchKey")),
        ("s3", S3.format("REST.GET.OBJECT", "k", 'GET /k?said="x" HTTP/1.1', 500, "InternalError"), (at(2019, 2, 6, 0, 0, 38), "GET", "GetObject", 500, "InternalError")),
        ("s3", S3.format("REST.GET.OBJECT", "k", "-", 500, "InternalError").replace('"-" 500', "- 500"),
         (at(2019, 2, 6, 0, 0, 38), "GET", "GetObject", 500, "InternalError")),
        ("s3", S3.format("REST.GET.SERVICE", "-", "GET / HTTP/1.1", 200, "-").replace(" amzn-s3-demo-bucket1 ", " - ", 1),
         (at(2019, 2, 6, 0, 0, 38), "GET", "ListBuckets", 200, "")),
        ("s3", S3.format("REST.GET.OBJECT", "k", "GET /k HTTP/1.1", 503, "SlowDown").split(" 113 ")[0], (at(2019, 2, 6, 0, 0, 38), "GET", "GetObject", 503, "SlowDown")),
        ("oss", OSS_GET.format(404, "NoSuchBucket"), (at(2012, 5, 1, 16, 0, 4), "GET", "GetObject", 404, "NoSuchBucket")),
        ("oss", OSS_GET.format(200, "-"), (at(2012, 5, 1, 16, 0, 4), "GET", "GetObject", 200, "")),
        ("oss", OSS.format("PUT /x?partNumber=1&uploadId=u HTTP/1.1", 503, r"says \"hello\" here", "x", "-"), (at(2012, 5, 1, 16, 0, 4), "PUT", "UploadPart", 503, "")),
        ("oss", OSS.format("GET /?prefix=x HTTP/1.1", 503, 'says"hello', "-", "ServiceUnavailable"),
         (at(2012, 5, 1, 16, 0, 4), "GET", "ListObjects", 503, "ServiceUnavailable")),
        ("cos", COS.format("UploadPart", "put", 404, "NoSuchKey"), (at(2018, 12, 1, 11, 2, 33), "PUT", "UploadPart", 404, "NoSuchKey")),
        ("cos", COS.format("InitiateMultipartUpload", "POST", 200, "-"), (at(2018, 12, 1, 11, 2, 33), "POST", "CreateMultipartUpload", 200, "")),
        ("cos", COS.format("SomethingNew", "get", 200, "-"), (at(2018, 12, 1, 11, 2, 33), "GET", None, 200, "")),
        ("cos", COS.format("*", "get", 200, "-"), (at(2018, 12, 1, 11, 2, 33), "GET", None, 200, "")),
        ("cos", COS.format("GetObject", "get", 503, "SlowDown").replace("cos-go-sdk-v5.2.9", "Mozilla/5.0 (X11; 200) 123 x/500"),
         (at(2018, 12, 1, 11, 2, 33), "GET", "GetObject", 503, "SlowDown")),
        ("cos", COS_AGENT.format("200 - -"), (at(2018, 12, 1, 11, 2, 33), "GET", "GetObject", 200, "")),
        ("cos", COS_AGENT.format("404 NoSuchKey The specified key does not exist."), (at(2018, 12, 1, 11, 2, 33), "GET", "GetObject", 404, "NoSuchKey")),
        ("cos", COS_AGENT.replace("Beta", "Beta 1 2 CDN").format("404 - -"), (at(2018, 12, 1, 11, 2, 33), "GET", "GetObject", 404, "")),
        ("cloudfront", CLOUDFRONT.format(502), (at(2019, 12, 4, 21, 2, 31), "GET", "GetObject", 502, "")),
        ("cloudfront", CLOUDFRONT.format(502).replace("\t", " "), (at(2019, 12, 4, 21, 2, 31), "GET", "GetObject", 502, "")),
        ("cloudfront", '{"date":"2019-12-04","time":"21:02:31","sc-status":"503","cs-method":"PUT","cs-uri-stem":"/k","cs-uri-query":"uploadId=x&partNumber=1"}',
         (at(2019, 12, 4, 21, 2, 31), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503), (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503).split(' "-"')[0], (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503).replace("alice", "alice [x] b"), (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503).replace("00:38 +0100", "00:60 -0530"), (at(2019, 2, 6, 6, 30, 59), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503).replace("/bucket/a%20b?", "bucket/a?"), (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503).replace(" HTTP/1.1", ""), (at(2019, 2, 6, 0, 0, 38), "PUT", "UploadPart", 503, "")),
        ("nginx", NGINX.format(503).replace("PUT ", "BREW "), (at(2019, 2, 6, 0, 0, 38), "BREW", None, 503, "")),
    ],
)  # fmt: skip
def test_a_line(name, line, expected):
    """A line gives time, operation and result."""
    assert read(name, line) == Record(*expected)


def test_the_order_of_columns_is_the_header_s():
    """Also where it changes within a file, and for columns that nobody here knows."""
    expected = Record(at(2019, 12, 4, 21, 2, 31), "GET", "ListObjectsV2", 502, "")
    header = "#Fields: sc-status x-new cs-uri-query cs-uri-stem cs-method time date"
    line = "502\t?\tlist-type=2\t/\tGET\t21:02:31\t2019-12-04"
    assert read("cloudfront", "#Version: 1.0", HEADER, header, line) == expected
    assert read("cloudfront", HEADER, line) is None
    assert read("cloudfront", header, line.replace("\t?", "")) is None


def test_the_format_that_is_advised_for_nginx():
    """Its host says where the bucket is, its code what the error is called; neither is a must."""
    line = NGINX.format(503).replace("/bucket/a%20b?partNumber=1&uploadId=x", "/a")
    said = ("PUT", "PutObject", 503, "ServerBusy")
    found = read("nginx", f'{line} host="b.s3.us-east-1.amazonaws.com" code="ServerBusy"', vendor="s3")
    assert (found.method, found.operation, found.status, found.code) == said
    bare = read("nginx", f'{line} host="-" code="-"', vendor="s3")
    assert (bare.operation, bare.code) == ("CreateBucket", "")


def test_an_operation_that_the_vendor_has_not():
    """Of another vendor's log: it is found by the request, or not at all."""
    line = S3.format("REST.GET.BUCKET", "-", "GET /?list-type=2 HTTP/1.1", 200, "-")
    assert read("s3", line, vendor="azure-blob").operation != "ListObjectsV2"
    assert OperationNames("azure-blob").of("GET", "\ud800", "") is None


@each_row(
    ("name", "line", "why"),
    [
        ("s3", S3.format("BATCH.DELETE.OBJECT", "k", "-", 204, "-"), "BATCH.DELETE.OBJECT is no request of a client"),
        ("s3", S3.format("REST.COPY.OBJECT_GET", "k", "-", 200, "-"), "REST.COPY.OBJECT_GET is the reading half of a copy"),
        ("s3", S3.format("REST.GET.OBJECT", "k", "GET /b/k HTTP/1.1", "-", "-"), "no status"),
        ("oss", OSS_GET.format("-", "-"), "no status"),
        ("oss", OSS.format("-", 400, "-", "-", "-"), "no request line"),
        ("cos", COS.format("GetObject", "get", 200, "-").replace("USER", "CDN"), "a CDN's request"),
        ("cloudfront", CLOUDFRONT.format("000"), "the client left before the answer"),
        ("nginx", NGINX.format(499), "the client left before the answer"),
        ("nginx", NGINX.format(444), "nginx closed the connection without an answer"),
        ("nginx", '203.0.113.7 - - [06/Feb/2019:01:00:38 +0100] "\\x16\\x03\\x01" 400 12 "-" "-"', "no request line"),
    ],
)  # fmt: skip
def test_a_line_that_tells_nothing(name, line, why):
    """It is counted, and said why."""
    with pytest.raises(Skip) as caught:
        read(name, line)
    assert str(caught.value) == why


BROKEN = [
        "x", "a b c", "\0\0", "[06/Feb/2019:00:00:38 +0000]", '"' * 1000, "1.0 " * 40, "x\t" * 40,
        "{", "{}", "[]", '{"a":' * 100_000, '"a ' * 9999, " GET" * 9999,
]  # fmt: skip


@each_row("name", FORMATS)
def test_a_broken_line(name):
    """It is none."""
    assert [line for line in BROKEN if read(name, line) is not None] == []


@each_row(
    ("name", "line"),
    [
        ("nginx", NGINX.format(503).replace("06/Feb", "31/Feb")),
        ("nginx", NGINX.format(503).replace("Feb", "Fab")),
        ("nginx", NGINX.format(503).replace("/2019:01", "/2019:25")),
        ("nginx", NGINX.format(503).replace("06/Feb/2019", "01/Jan/0001")),
        ("nginx", NGINX.format(503).replace("06/Feb/2019:01:00:38 +0100", "31/Dec/9999:23:59:59 -1200")),
        ("nginx", NGINX.format(503).replace("+0100", "+9900")),
        ("nginx", NGINX.format(999)),
        ("nginx", NGINX.format("٥٠٣")),
        ("s3", S3_KEY.format("REST.GET.OBJECT", "GET /k HTTP/1.1", "099", "-")),
        ("oss", OSS_GET.format("600", "-")),
        ("cos", COS.format("GetObject", "get", 503, "SlowDown").replace("12-01", "13-01")),
        ("cos", COS.format("GetObject", "get", "-", "-")),
        ("cos", COS.format("GetObject", "brew", 200, "-")),
        ("cos", COS.format("GetObject", "get", 200, "-").split(" 197")[0]),
        ("cloudfront", CLOUDFRONT.format(502).replace("12-04", "12-32")),
        ("cloudfront", CLOUDFRONT.format(502).replace("GET", "ge t")),
        ("cloudfront", CLOUDFRONT.format("OK")),
        ("cloudfront", '{"date":"2019-12-04","time":"21:02:31","sc-status":"503","cs-method":"GET","cs-uri-stem":null}'),
        ("cloudfront", CLOUDFRONT.format(1000)),
    ],
)  # fmt: skip
def test_a_line_with_an_impossible_value(name, line):
    """It is none either: no day, month, hour, status or method is made up."""
    assert read(name, line) is None
