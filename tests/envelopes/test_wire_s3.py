"""Answers of S3, MinIO, Ceph and R2 as they were captured, byte for byte, made from their requests, ids and times."""

from __future__ import annotations

from datetime import datetime

import pytest

from faultinject import Rule, vendors

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
S3 = f"{DECLARATION}\n<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>%s</RequestId><HostId>%s</HostId></Error>"
MINIO_HOST = "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8"


def at(text):
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def answer(send, inject_with, monkeypatch):
    """One answer with ids and time of the test's choice."""

    def ask(address, method="GET", target="/photos/a", *, ids, now=0.0, message=None, headers=(), **more):
        vendor = vendors.get(address.partition(":")[0])
        monkeypatch.setattr(vendor, "make_ids", lambda *_: ids)
        words = {"message": message} if message else {}
        injector = inject_with(Rule(address, **words), clock=lambda: now, FAULTINJECT_HEADER="0")
        sent = [(name.encode(), value.encode()) for name, value in dict(headers).items()]
        got = send(injector, method, target, headers=sent, **more)
        assert injector.errors == []
        return got

    return ask


def ids(request_id, host_id):
    return {"request_id": request_id, "host_id": host_id}


def signed(date, *, key="AKIDEXAMPLE", region="us-east-1", names="host;x-amz-date"):
    """The headers of a signed request."""
    return {
        "authorization": f"AWS4-HMAC-SHA256 Credential={key}/{date[:8]}/{region}/s3/aws4_request, "
        f"SignedHeaders={names}, Signature=5ca1ab1e",
        "x-amz-date": date,
    }


SLOW = "zRby//pp1PO7Y2mYDdEeTACIDIVxbp3Uk2a4nd8TnGxIxTXxO1Saf1W6RHKjbExBLJ6kcn9/IMsd+i7dMhJg/vgJ3c4fH5Gr1dVWXCtjJm4="
MOVED = "rfhhIFBaGS2tstKHG3tLVCyQn+JrrFpuNTvA2s+ltQji92zsCwZ0ZbOHnhuDlgeIUP8elpC1rxM="
UNKNOWN = "9ruADyDIVUpRAHP0l9+lmj6cdzOBnebmsnK2t6Mlz0ON56todZ8KtHCvwJN5IVCef+T539V2eefK3nvdxQAAZGEMvAHkkK8S"
SKEWED = "CRaDrKRM91F3Ea6WY8n+2BLxPeuJIpDDm+7fIUYYE2fvvRnGocv1/406lhxBURvCDnNt0K5M2oEj7G7NjTbhP18orBtCmzj6"
CONDITION = "lRPUFsH4HVyZBlBmttk3J6rSfmTCapb/jv+9V6nqvineJsJmFTafQucKDz2vosLfE3MP0091SyBELVVik5ILZBPkfHQgv6sA"
METHOD = "DNUComNdG7dhjwT1Se8W1rAQCfVZE0I6gAJN1eTn/KsH2+NkyBm8J7XH+QDjP2b6pMepXz/51zE="
REGION = "BisYpzkFJqTt3Aw5Lb9PtSGxim8A1nu7ndZrVp04DNNiga64JePe2gpklGTp6DWeycle6MJ4wI8="
EXPIRED = "NeotMePfdnUN5teVounG21CxQ8V5e2dfFP/GTolPv4I+TZFeQo2Ab+utM3cah93/wkDS1ZnWlD4="
RANGE = "Wd3x60sC5WhLPT+SNpDDAYuUcTBr/RPmNdU0y3Fpmqx1iN4wdioXM4jlYPMbg5MLgVpo9RwgjwM="
CHUNK = "89t7fuO0G7l575RuwlqGbQ99fUWLg2NrATqRdKlYZCIbuznsPiYuUqjulj+vFaoYsiSrS2K7MNE1rWe8TnshE/gVeFWzaxYQ"
FORBIDDEN = "vs0XgjcuzX88X5Q3DhDzyzsdXEC1DR5bF/vjffLaCFNF/e901s0p0xhmRVOX83FTEbB9S1Vgi/+455TFExqE4b+5wMJb6AOTAsQmcBWIlzE="
# Where it was seen, the address, what was asked, and what stood in the body: message, children and ids.
SAMPLES = {
    "pingcap/tiflash#10538": (
        "s3:SlowDown", {}, "Please reduce your request rate.", "", ids("5WYFY5P28HFWHTHX", SLOW),
    ),
    "yanganto/s3rs#18": (
        "s3:PermanentRedirect",
        {"target": "/", "headers": {"host": "ant-lab.s3-ap-northeast-1.amazonaws.com"}},
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint.",
        "<Endpoint>ant-lab.s3-ap-northeast-1.amazonaws.com</Endpoint><Bucket>ant-lab</Bucket>",
        ids("24035885437204DC", MOVED),
    ),
    "versity/versitygw#2042": (
        "s3:InvalidAccessKeyId",
        {"headers": signed("20260414T120000Z", key="something")},
        "The AWS Access Key Id you provided does not exist in our records.",
        "<AWSAccessKeyId>something</AWSAccessKeyId>",
        ids("6J3PDT3BWZH60X21", UNKNOWN),
    ),
    "versity/versitygw#1514": (
        "s3:RequestTimeTooSkewed",
        {"headers": signed("20250901T162148Z"), "now": at("2025-09-03T16:21:50.7Z")},
        "The difference between the request time and the current time is too large.",
        "<RequestTime>20250901T162148Z</RequestTime><ServerTime>2025-09-03T16:21:50Z</ServerTime>"
        "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
        ids("2J8ZFVZVVRA4T7CF", SKEWED),
    ),
    "versity/versitygw#2044": (
        "s3:PreconditionFailed",
        {
            "headers": {"if-match": "dummy"},
            "message": "At least one of the pre-conditions you specified did not hold",
        },
        "At least one of the pre-conditions you specified did not hold",
        "<Condition>If-Match</Condition>",
        ids("EDJYEF8WY9Y7JTCZ", CONDITION),
    ),
    "versity/versitygw#1810": (
        "s3:MethodNotAllowed",
        {"method": "POST", "target": "/"},
        "The specified method is not allowed against this resource.",
        "<Method>POST</Method><ResourceType>SERVICE</ResourceType>",
        ids("ZND8QYD5XYMM8FAA", METHOD),
    ),
    "aluxian/squirrel-updates-server#21": (
        "s3:AccessDenied/2",
        {
            "target": "/photos/a?X-Amz-Date=20170814T160353Z&X-Amz-Expires=300",
            "now": at("2017-08-14T17:01:57Z"),
        },
        "Request has expired",
        "<X-Amz-Expires>300</X-Amz-Expires><Expires>2017-08-14T16:08:53Z</Expires>"
        "<ServerTime>2017-08-14T17:01:57Z</ServerTime>",
        ids("26705387A029219F", EXPIRED),
    ),
    # The object of the capture had 100 bytes, which no request tells: ours is empty.
    "versity/versitygw#2069": (
        "s3:InvalidRange",
        {"headers": {"range": "bytes=102-200"}, "message": "The requested range is not satisfiable"},
        "The requested range is not satisfiable",
        "<RangeRequested>bytes=102-200</RangeRequested><ActualObjectSize>0</ActualObjectSize>",
        ids("X22A7FJ34SENFQ6W", RANGE),
    ),
    "versity/versitygw#1232": (
        "s3:InvalidTag", {"method": "PUT", "target": "/photos?tagging"}, "The TagKey you have provided is invalid", "",
        ids("EHB10251KH3N3ETW", "jn6bBl9XvDhENVSP/Rv86/w8J5IQ8LfxbstPjEtjvssIuo/zawXCvDnu4+Uz1NPDMzuD30PWqsY="),
    ),
    "versity/versitygw#1493": (
        "s3:OwnershipControlsNotFoundError",
        {"target": "/versity-gwtest-bucket-luke-four-2?ownershipControls"},
        "The bucket ownership controls were not found",
        "<BucketName>versity-gwtest-bucket-luke-four-2</BucketName>",
        ids("AK914B0TN5AP6EER", "eJ73GAXhZAN25j/FCRTUilfPLugRr12FkpUf3JWSCxBPaJUKH8kOw7kCsbwTk4G8O+XbJpwlK3I="),
    ),
    "versity/versitygw#1683": (
        "s3:InvalidChunkSizeError",
        {"method": "PUT"},
        "Only the last chunk is allowed to have a size less than 8192 bytes",
        "<Chunk>2</Chunk><BadChunkSize>3</BadChunkSize>",
        ids("HBA5THVT66QYRCQX", CHUNK),
    ),
    "versity/versitygw#2083": (
        "s3:AccessForbidden",
        {"method": "OPTIONS", "target": "/test", "headers": {"origin": "example.com"}},
        "CORSResponse: CORS is not enabled for this bucket.",
        "<Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>",
        ids("Z4ERRATSVNEC7WS7", FORBIDDEN),
    ),
    # The region of the capture was eu-central-1, which no request tells.
    "jsoma/flatware#10": (
        "s3:AuthorizationHeaderMalformed",
        {
            "message": "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'us-west-2'"
        },
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'us-west-2'",
        "<Region>us-west-2</Region>",
        ids("D5F2662865713BDC", REGION),
    ),
}  # fmt: skip


@pytest.mark.parametrize("seen", SAMPLES)
def test_captured(seen, answer):
    """The whole body, and both ids in the headers too."""
    address, asked, message, between, named = SAMPLES[seen]
    got = answer(address, ids=named, **asked)
    code = address.partition(":")[2].partition("/")[0]
    assert got.body.decode() == S3 % (code, message, between, named["request_id"], named["host_id"])
    assert (got.header("x-amz-request-id"), got.header("x-amz-id-2")) == tuple(named.values())
    assert got.header("content-type") == "application/xml"


TO_SIGN = """AWS4-HMAC-SHA256
20161018T091707Z
20161018/us-east-1/s3/aws4_request
9977fec5206b9a221f83b69fe0de934fc76de632d276964e02329e51ca90c413"""
CANONICAL = """GET
/

expect:100-continue
host:s3.amazonaws.com
x-amz-content-sha256:UNSIGNED-PAYLOAD
x-amz-date:20161018T091707Z

expect;host;x-amz-content-sha256;x-amz-date
UNSIGNED-PAYLOAD"""


def test_captured_signature(answer):
    """https://github.com/minio/minio/issues/2986: what S3 says was signed."""
    names = "expect;host;x-amz-content-sha256;x-amz-date"
    signature = "190d0f190d9af06017543ad0ef802abf6dee2dcf3836840cbaa13e8750f9f3ed"
    headers = signed("20161018T091707Z", key="AKIAI6SNMUFOVIEFOZJA", names=names)
    headers["authorization"] = headers["authorization"].replace("5ca1ab1e", signature)
    headers |= {
        "host": "s3.amazonaws.com",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "expect": "100-continue",
    }
    got = answer("s3:SignatureDoesNotMatch", target="/", headers=headers, ids=ids("R", "H"))
    between = (
        f"<AWSAccessKeyId>AKIAI6SNMUFOVIEFOZJA</AWSAccessKeyId><StringToSign>{TO_SIGN}</StringToSign>"
        f"<SignatureProvided>{signature}</SignatureProvided>"
        f"<StringToSignBytes>{TO_SIGN.encode().hex(' ')}</StringToSignBytes>"
        f"<CanonicalRequest>{CANONICAL}</CanonicalRequest>"
        f"<CanonicalRequestBytes>{CANONICAL.encode().hex(' ')}</CanonicalRequestBytes>"
    )
    message = vendors.find("s3:SignatureDoesNotMatch").message
    assert got.body.decode() == S3 % ("SignatureDoesNotMatch", message, between, "R", "H")


@pytest.mark.parametrize(
    ("target", "headers", "carried"),
    [
        ("/photos/a", {}, ""),
        ("/photos/a", {"authorization": ""}, ""),
        ("/photos/a", {"authorization": "AWS4-HMAC-SHA256"}, ""),
        ("/photos/a", {"authorization": "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature="}, ""),
        ("/photos/a", {"authorization": "AWS4-HMAC-SHA256 ,,==,Signature=x, SignedHeaders=host"}, ""),
        ("/photos/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=%FF%", {}, ""),
        ("/photos/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=%E7&X-Amz-Signature=x", {}, ""),
        (
            "/photos/a",
            {"authorization": "AWS id:c2ln/+="},
            "<AWSAccessKeyId>id</AWSAccessKeyId><SignatureProvided>c2ln/+=</SignatureProvided>",
        ),
        (
            "/photos/a?AWSAccessKeyId=id&Expires=1&Signature=c2ln%2F%2B%3D",
            {},
            "<AWSAccessKeyId>id</AWSAccessKeyId><SignatureProvided>c2ln/+=</SignatureProvided>",
        ),
    ],
)
def test_signatures_that_are_none(target, headers, carried, answer):
    """Not signed, signed the old way, or not signed right: what is not known is left out."""
    got = answer("s3:SignatureDoesNotMatch", target=target, headers=headers, ids=ids("R", "H"))
    message = vendors.find("s3:SignatureDoesNotMatch").message
    assert got.body.decode() == S3 % ("SignatureDoesNotMatch", message, carried, "R", "H")


def test_signed_headers_that_repeat(answer):
    """Names that stand there again and again do not repeat a long header: the answer is no longer than the request."""
    headers = signed("20261120T120000Z", names=";".join(["x-a"] * 2000)) | {"x-a": "v" * 8000}
    got = answer("s3:SignatureDoesNotMatch", headers=headers, ids=ids("R", "H"))
    assert b"<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId><RequestId>" in got.body


def test_a_path_that_was_not_encoded(answer):
    """It is signed as it was sent, in UTF-8."""
    headers = signed("20261120T120000Z")
    got = answer("s3:SignatureDoesNotMatch", target="/photos/é.jpg", headers=headers, ids=ids("R", "H"))
    assert "<CanonicalRequest>GET\n/photos/é.jpg\n" in got.body.decode()


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Date=20260230T999999Z&X-Amz-Expires=x",
        "X-Amz-Date=20261320T000000Z&X-Amz-Expires=60",
        "X-Amz-Date=00000101T000000Z&X-Amz-Expires=60",
        "X-Amz-Date=99991231T235959Z&X-Amz-Expires=60",
        "X-Amz-Date=2026112%30T120000&X-Amz-Expires=60",
        "X-Amz-Date=%C2%B2%C2%B20261120T000000&X-Amz-Expires=60",
        "X-Amz-Expires=60",
        "X-Amz-Date=20261120T120000Z&X-Amz-Expires=-60",
        "X-Amz-Date=20261120T120000Z&X-Amz-Expires=9999999999999999999999",
    ],
)
def test_expiries_that_are_none(query, answer):
    """A time that is none is left out."""
    got = answer("s3:AccessDenied/2", target=f"/photos/a?{query}", ids=ids("R", "H"))
    assert b"<Expires>" not in got.body
    assert b"<ServerTime>1970-01-01T00:00:00Z</ServerTime>" in got.body


def test_redirect_stays_here(answer):
    """Location never names another server: for a target that clients would read as one there is none."""
    got = answer("s3:TemporaryRedirect", target="/photos/a?b=//c", ids=ids("R", "H"))
    assert got.header("location") == "/photos/a?b=//c"
    for target in ("//evil.example/x", "///x", r"/\evil.example/x", "http://evil.example/x"):
        got = answer("s3:TemporaryRedirect", target=target, ids=ids("R", "H"))
        assert (got.status, "location" in got.names) == (307, False), target


MINIO = (
    f"{DECLARATION}\n<Error><Code>%s</Code><Message>%s</Message>%s<Resource>%s</Resource>"
    "<RequestId>%s</RequestId><HostId>%s</HostId>%s</Error>"
)
MINIO_IDS = ids("173D99C6C413E93D", MINIO_HOST)


@pytest.mark.parametrize(
    ("code", "target", "headers", "before", "resource", "behind"),
    [
        ("SlowDownRead", "/", {}, "", "/", ""),
        ("NoSuchBucket", "/photos", {}, "<BucketName>photos</BucketName>", "/photos", ""),
        (
            "NoSuchKey", "/photos/a%26b%20%27c%27/%E7%8C%AB%22%0A%09", {},
            "<Key>a&amp;b &#39;c&#39;/猫&#34;&#xA;&#x9;</Key><BucketName>photos</BucketName>",
            "/photos/a&amp;b &#39;c&#39;/猫&#34;&#xA;&#x9;", "",
        ),
        (
            "InvalidRange", "/photos/a", {"range": "bytes=7-9"}, "<Key>a</Key><BucketName>photos</BucketName>",
            "/photos/a", "<ActualObjectSize>0</ActualObjectSize><RangeRequested>7-9</RangeRequested>",
        ),
    ],
)  # fmt: skip
def test_minio(code, target, headers, before, resource, behind, answer):
    """The fields of cmd/api-errors.go's APIErrorResponse in their order, as Go's encoding/xml writes them."""
    got = answer(f"minio:{code}", target=target, headers=headers, ids=MINIO_IDS)
    message = vendors.find(f"minio:{code}").message
    named = MINIO_IDS.values()
    assert got.body.decode() == MINIO % (code, message, before, resource, *named, behind)
    assert (got.header("x-amz-request-id"), got.header("x-amz-id-2")) == tuple(named)


def test_minio_escapes_as_go(answer):
    """Quotes of both kinds are written as numbers."""
    got = answer("minio:AuthorizationQueryParametersError/2", ids=MINIO_IDS)
    written = "X-Amz-Date must be in the ISO8601 Long Format &#34;yyyyMMdd&#39;T&#39;HHmmss&#39;Z&#39;&#34;"
    assert f"<Message>{written}</Message>" in got.body.decode()


@pytest.mark.parametrize("code", ["SlowDownWrite", "TooManyRequests", "NoSuchKey"])
def test_minio_waits_and_heads(code, answer):
    """503 and 429 ask for a minute, but not on HEAD, where code and description are headers."""
    row = vendors.find(f"minio:{code}")
    got = answer(f"minio:{code}", ids=MINIO_IDS)
    head = answer(f"minio:{code}", "HEAD", ids=MINIO_IDS)
    assert ("retry-after" in got.names) == (row.status in (429, 503))
    assert (
        "60" in [value for name, value in got.headers if name.lower() == "retry-after"] or code == "NoSuchKey"
    )
    assert not {"x-minio-error-code", "x-minio-error-desc"} & {*got.names}
    assert (head.body, head.header("content-length")) == (b"", "0")
    assert not {"retry-after", "content-type"} & {*head.names}
    assert (head.header("x-minio-error-code"), head.header("x-minio-error-desc")) == (
        code,
        f'"{row.message}"',
    )
    for each in (got, head):
        assert (each.header("accept-ranges"), each.header("vary")) == ("bytes", "Origin, Accept-Encoding")


RGW_ID = "tx000003ac6e5b4d5a9c8f6-0064a1b2c3-4d3f-default"


@pytest.mark.parametrize(("target", "bucket"), [("/", ""), ("/photos/a", "<BucketName>photos</BucketName>")])
def test_rgw(target, bucket, answer):
    """The fields of rgw_err::dump, with the message empty."""
    got = answer("rgw:NoSuchKey", target=target, ids=ids(RGW_ID, "4d3f-default-default"))
    assert got.body.decode() == (
        f"{DECLARATION}<Error><Code>NoSuchKey</Code><Message></Message>{bucket}"
        f"<RequestId>{RGW_ID}</RequestId><HostId>4d3f-default-default</HostId></Error>"
    )
    assert (got.header("x-amz-request-id"), got.header("accept-ranges")) == (RGW_ID, "bytes")


def test_rgw_swift(answer):
    """The plain formatter of src/rgw/rgw_formats.cc writes the code and nothing else."""
    got = answer("rgw:QuotaExceeded/2", ids=ids(RGW_ID, "4d3f-default-default"))
    assert (got.status, got.body) == (413, b"QuotaExceeded")
    assert got.header("content-type") == "text/plain; charset=utf-8"
    assert got.header("x-trans-id") == got.header("x-openstack-request-id") == RGW_ID
    assert "x-amz-request-id" not in got.names


def test_reason_phrases():
    """Phrases of their own: S3's for one code, Ceph's for a status, Go's for one that it knows no name for."""
    phrases = {
        "s3:SlowDown": "Slow Down",
        "s3:ServiceUnavailable": None,
        "rgw:SlowDown": "Slow Down",
        "rgw:ServiceUnavailable": "Slow Down",
        "rgw:Rate_Limited": "Rate Limited",
        "rgw:NoSuchKey": None,
        "minio:ClientDisconnected": "status code 499",
        "minio:SlowDownRead": None,
        "r2:ServiceUnavailable": None,
    }
    rows = {address: vendors.find(address) for address in phrases}
    assert phrases == {
        address: vendors.get(row.vendor).reason(row, row.message) for address, row in rows.items()
    }


def test_r2(answer):
    """https://github.com/apache/opendal/issues/2904: 145 bytes, and the ray."""
    got = answer("r2:InvalidPart/2", "POST", ids={"request_id": "7faa23b91daf3b12-IAD"})
    message = "All non-trailing parts must have the same length."
    assert got.body.decode() == (
        f"{DECLARATION}<Error><Code>InvalidPart</Code><Message>{message}</Message></Error>"
    )
    assert (got.header("content-length"), got.header("cf-ray")) == ("145", "7faa23b91daf3b12-IAD")
    assert (got.header("content-type"), got.status) == ("application/xml", 400)
