"""Captured answers of S3, MinIO and R2 are rendered from requests, ids and times."""

import re
from datetime import datetime

import pytest

from faultinject import Rule, vendors
from tests.rows import each_row

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
S3 = f"{DECLARATION}\n<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>%s</RequestId><HostId>%s</HostId></Error>"


def at(text):
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def answer(answer_of):
    """One answer with a message of the test's choice."""

    def ask(address, method="GET", target="/photos/a", *, ids, now=0.0, message=None, **request):
        rule = Rule(address, message=message) if message else address
        return answer_of(rule, method, target, ids=ids, now=now, **request)

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


# Where it was seen, the address, what was asked, and what stood in the body: message, children and ids.
SAMPLES = {
    "pingcap/tiflash#10538": (
        "s3:SlowDown", {}, "Please reduce your request rate.", "", ids(
            "5WYFY5P28HFWHTHX",
            "zRby//pp1PO7Y2mYDdEeTACIDIVxbp3Uk2a4nd8TnGxIxTXxO1Saf1W6RHKjbExBLJ6kcn9/IMsd+i7dMhJg/vgJ3c4fH5Gr1dVWXCtjJm4=",
        ),
    ),
    "yanganto/s3rs#18": (
        "s3:PermanentRedirect",
        {"target": "/", "headers": {"host": "ant-lab.s3-ap-northeast-1.amazonaws.com"}},
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint.",
        "<Endpoint>ant-lab.s3-ap-northeast-1.amazonaws.com</Endpoint><Bucket>ant-lab</Bucket>",
        ids("24035885437204DC", "rfhhIFBaGS2tstKHG3tLVCyQn+JrrFpuNTvA2s+ltQji92zsCwZ0ZbOHnhuDlgeIUP8elpC1rxM="),
    ),
    "versity/versitygw#2042": (
        "s3:InvalidAccessKeyId",
        {"headers": signed("20260414T120000Z", key="something")},
        "The AWS Access Key Id you provided does not exist in our records.",
        "<AWSAccessKeyId>something</AWSAccessKeyId>",
        ids(
            "6J3PDT3BWZH60X21",
            "9ruADyDIVUpRAHP0l9+lmj6cdzOBnebmsnK2t6Mlz0ON56todZ8KtHCvwJN5IVCef+T539V2eefK3nvdxQAAZGEMvAHkkK8S",
        ),
    ),
    "versity/versitygw#1514": (
        "s3:RequestTimeTooSkewed",
        {"headers": signed("20250901T162148Z"), "now": at("2025-09-03T16:21:50.7Z")},
        "The difference between the request time and the current time is too large.",
        "<RequestTime>20250901T162148Z</RequestTime><ServerTime>2025-09-03T16:21:50Z</ServerTime>"
        "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
        ids(
            "2J8ZFVZVVRA4T7CF",
            "CRaDrKRM91F3Ea6WY8n+2BLxPeuJIpDDm+7fIUYYE2fvvRnGocv1/406lhxBURvCDnNt0K5M2oEj7G7NjTbhP18orBtCmzj6",
        ),
    ),
    "versity/versitygw#2044": (
        "s3:PreconditionFailed",
        {"headers": {"if-match": "dummy"}},
        "At least one of the pre-conditions you specified did not hold",
        "<Condition>If-Match</Condition>",
        ids(
            "EDJYEF8WY9Y7JTCZ",
            "lRPUFsH4HVyZBlBmttk3J6rSfmTCapb/jv+9V6nqvineJsJmFTafQucKDz2vosLfE3MP0091SyBELVVik5ILZBPkfHQgv6sA",
        ),
    ),
    "versity/versitygw#1810": (
        "s3:MethodNotAllowed",
        {"method": "POST", "target": "/"},
        "The specified method is not allowed against this resource.",
        "<Method>POST</Method><ResourceType>SERVICE</ResourceType>",
        ids("ZND8QYD5XYMM8FAA", "DNUComNdG7dhjwT1Se8W1rAQCfVZE0I6gAJN1eTn/KsH2+NkyBm8J7XH+QDjP2b6pMepXz/51zE="),
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
        ids("26705387A029219F", "NeotMePfdnUN5teVounG21CxQ8V5e2dfFP/GTolPv4I+TZFeQo2Ab+utM3cah93/wkDS1ZnWlD4="),
    ),
    # The object of the capture had 100 bytes, which no request tells: ours is empty.
    "versity/versitygw#2069": (
        "s3:InvalidRange",
        {"headers": {"range": "bytes=102-200"}},
        "The requested range is not satisfiable",
        "<RangeRequested>bytes=102-200</RangeRequested><ActualObjectSize>0</ActualObjectSize>",
        ids("X22A7FJ34SENFQ6W", "Wd3x60sC5WhLPT+SNpDDAYuUcTBr/RPmNdU0y3Fpmqx1iN4wdioXM4jlYPMbg5MLgVpo9RwgjwM="),
    ),
    "versity/versitygw#1232": (
        "s3:InvalidTag", {"method": "PUT", "target": "/photos?tagging"}, "The TagKey you have provided is invalid", "",
        ids("EHB10251KH3N3ETW", "jn6bBl9XvDhENVSP/Rv86/w8J5IQ8LfxbstPjEtjvssIuo/zawXCvDnu4+Uz1NPDMzuD30PWqsY="),
    ),
    "versity/versitygw#1583": (
        "s3:InvalidTag",
        {"method": "PUT", "headers": {"x-amz-tagging": "te%26st=a&b=c"}},
        "The TagKey you have provided is invalid",
        "<TagKey>te&amp;st</TagKey>",
        ids("6YB4S8X3SZZT293J", "6N27V6OKUeBCku05gtQ+J9LBSB1hoyphi0chHYove/FjEkgEzf9X8c3Vn+hUkE2kkTb+fcpejYk="),
    ),
    "versity/versitygw#2039": (
        "s3:InvalidTag/2",
        {"method": "PUT", "target": "/test?tagging"},
        "The TagValue you have provided is invalid",
        "<TagKey>key</TagKey><TagValue>inv&amp;alid</TagValue>",
        ids(
            "C4GWYHYG95715DTK",
            "L3WwEKwGLgSgKJgY0SG4HP5HpdQtoHAWKS16vlK5661/i1TpuSHFk6Z/Hl5EImoZOYNLnXiarMIyh9KsFaFPLoEmnJU7nggC",
        ),
    ),
    # The digest of the body was another, which no request tells: ours is that of none.
    "versity/versitygw#1525": (
        "s3:BadDigest",
        {"method": "PUT", "target": "/test?tagging", "headers": {"content-md5": "YeIr1pjzMg1uk/zgIoa12w=="}},
        "The Content-MD5 you specified did not match what we received.",
        "<CalculatedDigest>1B2M2Y8AsgTpgAmY7PhCfg==</CalculatedDigest>"
        "<ExpectedDigest>YeIr1pjzMg1uk/zgIoa12w==</ExpectedDigest>",
        ids(
            "8CQGDDTENW9SNGC1",
            "stcmwKu6ouf1vmtO0/tjY4X2MSqZQT+hWMPKjcJyNfMnWnyKeKm4ZA4KSauoNnzrj6ghJ/ABrdUXJJYGMmF0GJt1Rw0MGeMOaLbhywBf6wY=",
        ),
    ),
    "grosskur/lua-resty-aws#2": (
        "s3:XAmzContentSHA256Mismatch",
        {
            "method": "PUT",
            "headers": {"x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        },
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        "<ClientComputedContentSHA256>e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        "</ClientComputedContentSHA256><S3ComputedContentSHA256>"
        "cbb11b06446575cbbed8bac98b3b23abfcb053c3ce9414d95eaf6d0c4dfc4bd6</S3ComputedContentSHA256>",
        ids("D5BE775ED50BEBFE", "Mnd80K6ASh5UMkG9Zi/38nn6zGwl4AW834aVeNCbvzbGE603SfdjOcxhZjpQua/5oP3BDOVFGHg="),
    ),
    "versity/versitygw#2108": (
        "s3:NotImplemented",
        {
            "method": "PUT",
            "target": "/test/obj",
            "headers": {"if-none-match": "something"},
        },
        "A header you provided implies functionality that is not implemented",
        "<Header>If-None-Match</Header><additionalMessage>We don't accept the provided value of If-None-Match header "
        "for this API</additionalMessage>",
        ids(
            "HTS7M0GAXNTG6N1T",
            "S3Ux7wLSFk5QZE9hZyCjMjbFKpSjJDghZHrOXB+kwj/BmJU45l9cd4k1WMYs1fjbLOlCzBlWNNSZVCXfNnOHx8kqM0Y1Qrcj",
        ),
    ),
    "minio/minio-py#166": (
        "s3:InvalidLocationConstraint",
        {"method": "PUT", "target": "/goroutine-standard-region"},
        "The specified location-constraint is not valid",
        "<LocationConstraint>us-east-1</LocationConstraint>",
        ids("C393C08621B4702B", "cfC8xqfh/jhT6RwvDWFsszz5/+QqP73G07SzuKZVjQ/nHJHQzzwJrDsXps8Ld/x+"),
    ),
    # The target was another bucket, which no request tells: ours is the bucket itself.
    "zalando-stups/sevenseconds#29": (
        "s3:InvalidTargetBucketForLogging",
        {
            "method": "PUT",
            "target": "/zalando-mint-logs?logging",
            "message": "The owner for the bucket to be logged and the target bucket must be the same.",
        },
        "The owner for the bucket to be logged and the target bucket must be the same.",
        "<TargetBucket>zalando-mint-logs</TargetBucket>",
        ids("81D384E70B2F779E", "gQUj5alTWruXA6U1EahiS0ZNITlnTPBYQ+3L8AlFsqYd9Os/XGVvlSulSdYLaT55EK8e76jI07U="),
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
        ids(
            "HBA5THVT66QYRCQX",
            "89t7fuO0G7l575RuwlqGbQ99fUWLg2NrATqRdKlYZCIbuznsPiYuUqjulj+vFaoYsiSrS2K7MNE1rWe8TnshE/gVeFWzaxYQ",
        ),
    ),
    "versity/versitygw#2083": (
        "s3:AccessForbidden",
        {"method": "OPTIONS", "target": "/test", "headers": {"origin": "example.com"}},
        "CORSResponse: CORS is not enabled for this bucket.",
        "<Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>",
        ids(
            "Z4ERRATSVNEC7WS7",
            "vs0XgjcuzX88X5Q3DhDzyzsdXEC1DR5bF/vjffLaCFNF/e901s0p0xhmRVOX83FTEbB9S1Vgi/+455TFExqE4b+5wMJb6AOTAsQmcBWIlzE=",
        ),
    ),
    # The region of the capture was eu-central-1, which no request tells.
    "jsoma/flatware#10": (
        "s3:AuthorizationHeaderMalformed",
        {},
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'us-west-2'",
        "<Region>us-west-2</Region>",
        ids("D5F2662865713BDC", "BisYpzkFJqTt3Aw5Lb9PtSGxim8A1nu7ndZrVp04DNNiga64JePe2gpklGTp6DWeycle6MJ4wI8="),
    ),
    "versity/versitygw#2080": (
        "s3:KeyTooLongError",
        {"method": "PUT", "target": f"/test/{'a' * 1025}"},
        "Your key is too long",
        "<Size>1025</Size><MaxSizeAllowed>1024</MaxSizeAllowed>",
        ids("XR51XVPWXSNG0VJJ", "kcPHb0ijLeU4tlWPNuyJ6V1ZMpZ38Sko4aXyt2ukR47z4KIH1joP1UraSNn8ySDxxYMLKGirPHk="),
    ),
    "basho/riak_cs#1233": (
        "s3:KeyTooLongError",
        {"method": "PUT", "target": f"/test/{'a' * 1029}"},
        "Your key is too long",
        "<Size>1029</Size><MaxSizeAllowed>1024</MaxSizeAllowed>",
        ids("7A0D868D37BA08C9", "4vRTdtZV6GAms5oAd0W95d08/KkjBjlLPXSus5fIcb7QzpLqlyuUJYqjiCz73WVdi4B5AMhtHVU="),
    ),
    "cperciva/bsdec2-image-upload#11": (
        "s3:TemporaryRedirect",
        {"method": "PUT", "headers": {"host": "fra-redacted.s3.eu-central-1.amazonaws.com"}},
        "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint "
        "for future requests.",
        "<Endpoint>fra-redacted.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>fra-redacted</Bucket>",
        ids("F51174106260C689", "5nfrlsdBFMWLgNrf2nCKctAccAbpAtV7f4LJQrzZPQR92kXNsshW27XwAFI+bJLKoEigs/VcJVs="),
    ),
    "awslabs/mountpoint-s3": (
        "s3:InvalidToken",
        {"headers": {"x-amz-security-token": "THEREALTOKENGOESHERE"}},
        "The provided token is malformed or otherwise invalid.",
        "<Token-0>THEREALTOKENGOESHERE</Token-0>",
        ids("CBFNVADDAZ8661HK", "rb5dpgYeIFxi8p5BzVK8s8wG/nQ4a7C5kMBp/KWIT4bvOUihugpssMTy7xS0mispbz6IIaX8W1g="),
    ),
    "DataBiosphere/toil#1093": (
        "s3:OperationAborted",
        {"method": "PUT", "target": "/photos"},
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
        "",
        ids("4147B3737B28C799", "mRwjJPIqSZgMNgaqqDnkK7xl9t3HZBGs1Ttm25ODYkjRfnMIyPIS0ZsWDtHBQa/dIV5h0aaNG2o="),
    ),
    "waynehoover/s3_direct_upload#45": (
        "s3:MaxPostPreDataLengthExceeded",
        {"method": "POST", "target": "/photos"},
        "Your POST request fields preceeding the upload file was too large.",
        "<MaxPostPreDataLengthBytes>20480</MaxPostPreDataLengthBytes>",
        ids("9D23B2C9005839DC", "tzLn4c+k9tWoF69pDLBmwDdkHHrHuMR/yNYXi0oeIjaqr72HUGUnPsvwjqnIuLbk"),
    ),
}  # fmt: skip


BARE = S3.removeprefix(f"{DECLARATION}\n")
# What is wrong with the end of an upload; the upload's id was another.
ENDS = {
    "basho/riak_cs#1100": (
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        "",
        ids("7DCAB2138707FE68", "hgAmdxlfDD7YxWsoktlpUx38KltSbSr4SXvjPi6wSQOPtAmnYMQYKYMuaLpvJ7Qn"),
    ),
    "versity/versitygw#2040": (
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        "<ProposedSize>60166</ProposedSize><MinSizeAllowed>5242880</MinSizeAllowed><PartNumber>1</PartNumber>"
        "<ETag>98d3f377a91dbe9c82408ee34ee01ced</ETag>",
        ids(
            "6PMZGZYM3HVNJX30",
            "xY4MHxD9qyQ8Ptvr95gfBmgL5QNHJy7OtP5yr7eHzEunpH0iStKn+j+qwIgqfiR9bFIfWIGpe79d9VEKPJD03nTT",
        ),
    ),
    "versity/versitygw#2036": (
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
        "<UploadId>u</UploadId><PartNumber>1</PartNumber><ETag>e868e0f4719e394144ef36531ee6824c</ETag>",
        ids(
            "3R4SS08N2VR270FV",
            "3BI189RpMofwBuic3tC02o39iSPy7+30SX92gP69L9+Gl4/GKoVcUkcJ0GIRZnNzpu6scSCyNR+87g5d8mTwDruq4b+YiVJC",
        ),
    ),
}


@each_row(
    ("address", "asked", "message", "between", "named", "template"),
    [
        *(pytest.param(*SAMPLES[seen], S3, id=seen) for seen in SAMPLES),
        *(
            pytest.param(
                f"s3:{code}",
                {"method": "POST", "target": "/photos/a?uploadId=u", "body": b"<xml/>"},
                *more,
                BARE,
                id=seen,
            )
            for seen, (code, *more) in ENDS.items()
        ),
    ],
)
def test_captured(address, asked, message, between, named, template, answer):
    """The whole body, and both ids in the headers too.

    CompleteMultipartUpload has no declaration; the size is a part's, not that of the request.
    """
    got = answer(address, ids=named, **asked)
    code = address.partition(":")[2].partition("/")[0]
    assert got.body.decode() == template % (code, message, between, *named.values())
    assert (got.header("x-amz-request-id"), got.header("x-amz-id-2")) == tuple(named.values())
    assert got.header("content-type") == "application/xml"
    assert ("allow" in got.names) is (code == "MethodNotAllowed")


@each_row(
    ("code", "method", "target", "status", "declared"),
    [
        ("EntityTooSmall", "POST", "/photos/a?uploadId=u", None, False),
        ("InternalError", "POST", "/photos/a?uploadId=u", None, True),
        ("EntityTooSmall", "POST", "/photos/a?uploadId=u", 200, True),
        ("EntityTooSmall", "POST", "/photos/a?uploads", None, True),
        ("EntityTooSmall", "PUT", "/photos/a?partNumber=1&uploadId=u", None, True),
        ("EntityTooSmall", "POST", "/photos", None, True),
    ],
)
def test_what_has_no_declaration(code, method, target, status, declared, send, inject_with):
    """A 4xx of CompleteMultipartUpload alone; another size than that of the request, there too."""
    effect = {"status": status} if status else {}
    got = send(inject_with(Rule(f"s3:{code}", **effect)), method, target, body=b"x" * 20)
    assert got.body.startswith(b"<?xml") is declared
    if code == "EntityTooSmall":
        upload = "uploadId" in target and method == "POST"
        assert (b"<ProposedSize>60166<" in got.body) is (b"<PartNumber>1<" in got.body) is upload
        assert (b"<ProposedSize>20<" in got.body) is not upload


@each_row(
    ("method", "target", "allow"),
    [
        # https://github.com/versity/versitygw/issues/1810, https://github.com/brekkylab/backlot/issues/230 and 312
        ("POST", "/", "GET"),
        ("HEAD", "/photos?location", "GET"),
        ("HEAD", "/photos?uploads", "POST, GET"),
        ("HEAD", "/photos?versioning", "GET, PUT"),
        ("HEAD", "/photos?acl", "GET, PUT"),
        ("HEAD", "/photos?tagging", "DELETE, GET, PUT"),
        ("HEAD", "/photos?policy", "DELETE, GET, PUT"),
        ("HEAD", "/photos?versions", "GET"),
        ("HEAD", "/photos/a?acl", "GET, PUT"),
        ("HEAD", "/photos/a?tagging", "DELETE, GET, PUT"),
        ("HEAD", "/photos/a?uploadId=abc123", "DELETE, POST, GET"),
        ("PATCH", "/photos", "HEAD, DELETE, POST, GET, PUT"),
        # Derived: the refused method is not one of them, and what only says how to list is no subresource.
        ("patch", "/photos?list-type=2&prefix=acl", "HEAD, DELETE, POST, GET, PUT"),
        ("PUT", "/photos/a", "HEAD, DELETE, POST, GET"),
        ("PUT", "/photos?analytics&id=1", "DELETE, GET"),
        ("PUT", "/photos?analytics", "GET"),
        ("GET", "/photos/a?partNumber=1&uploadId=u", "PUT"),
        ("DELETE", "/photos?%74agging", "GET, PUT"),
        ("GET", "/", None),
        ("GET", "/photos?location", None),
    ],
)
def test_allowed_methods(method, target, allow, answer):
    """Allow lists the resource's methods in S3's order.

    It is what the operations say; with `exact` it stands between the ids and the type.
    """
    got = answer("s3:MethodNotAllowed", method, target, ids=ids("R", "H"))
    assert got.status == 405
    assert [value for name, value in got.headers if name.lower() == "allow"] == ([allow] if allow else [])


@each_row(
    ("code", "name", "length", "told"),
    [
        ("EntityTooLarge", "ProposedSize", "5", "6442450944"),
        ("EntityTooLarge", "ProposedSize", "5368709120", "6442450944"),
        ("EntityTooLarge", "ProposedSize", "5368709121", "5368709121"),
        ("EntityTooSmall", "ProposedSize", "5242879", "5242879"),
        ("EntityTooSmall", "ProposedSize", "5242880", "60166"),
        ("EntityTooSmall", "ProposedSize", "", "60166"),
        ("IncompleteBody", "NumberBytesExpected", "1", "1"),
        ("IncompleteBody", "NumberBytesExpected", "0", "414435"),
    ],
)
def test_lengths_that_are_no_mistake(site, code, name, length, told):
    """A length within the limit is reported as the captured one.

    https://github.com/versity/versitygw/issues/2040 and 2041
    """
    body = site(f"s3:{code}").decide("PUT /photos/a", CONTENT_LENGTH=length).body.decode()
    assert f"<{name}>{told}</{name}>" in body


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

# https://github.com/minio/minio/issues/2986: what S3 says was signed
SIGNATURE = "190d0f190d9af06017543ad0ef802abf6dee2dcf3836840cbaa13e8750f9f3ed"
SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=AKIAI6SNMUFOVIEFOZJA/20161018/us-east-1/s3/aws4_request, "
    f"SignedHeaders=expect;host;x-amz-content-sha256;x-amz-date, Signature={SIGNATURE}",
    "x-amz-date": "20161018T091707Z",
    "host": "s3.amazonaws.com",
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "expect": "100-continue",
}
TOLD = (
    f"<AWSAccessKeyId>AKIAI6SNMUFOVIEFOZJA</AWSAccessKeyId><StringToSign>{TO_SIGN}</StringToSign>"
    f"<SignatureProvided>{SIGNATURE}</SignatureProvided>"
    f"<StringToSignBytes>{TO_SIGN.encode().hex(' ')}</StringToSignBytes>"
    f"<CanonicalRequest>{CANONICAL}</CanonicalRequest>"
    f"<CanonicalRequestBytes>{CANONICAL.encode().hex(' ')}</CanonicalRequestBytes>"
)
OLD_WAY = "<AWSAccessKeyId>id</AWSAccessKeyId><SignatureProvided>c2ln/+=</SignatureProvided>"
SIGNATURES = [
    ("/", SIGNED, TOLD),
    # Not signed, signed the old way, or not signed right: what is not known is left out.
    ("/photos/a", {}, ""),
    ("/photos/a", {"authorization": ""}, ""),
    ("/photos/a", {"authorization": "AWS4-HMAC-SHA256"}, ""),
    ("/photos/a", {"authorization": "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature="}, ""),
    ("/photos/a", {"authorization": "AWS4-HMAC-SHA256 ,,==,Signature=x, SignedHeaders=host"}, ""),
    ("/photos/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=%FF%", {}, ""),
    ("/photos/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=%E7&X-Amz-Signature=x", {}, ""),
    ("/photos/a", {"authorization": "AWS id:c2ln/+="}, OLD_WAY),
    ("/photos/a?AWSAccessKeyId=id&Expires=1&Signature=c2ln%2F%2B%3D", {}, OLD_WAY),
]
KEYS = [
    # A key within the limit is reported as the shortest beyond it: https://github.com/versity/versitygw/issues/2080
    ("a", 1025),
    ("a" * 1024, 1025),
    ("a" * 1026, 1026),
    ("%E7%8C%AB" * 341, 1025),
    ("%E7%8C%AB" * 342, 1026),
    ("", 1025),
]
NAMES = [f"x-amz-meta-key-{number}" for number in range(100)]
METADATA = [
    # The size counts the bytes of all signed names and values: https://github.com/versity/versitygw/issues/2086
    (signed("20260422T120000Z", names=";".join(["host", *NAMES])) | dict.fromkeys(NAMES, "a" * 25), 3090),
    (signed("20260422T120000Z", names="host;x-amz-meta-a") | {"x-amz-meta-a": "b" * 2047}, 2049),
    ({"x-amz-meta-a": "b"}, 2049),
]


@each_row(
    ("address", "method", "target", "headers", "carried"),
    [
        ("InvalidTag/2", "PUT", "/photos/a", {"x-amz-tagging": "a+b=%3C"}, "<TagKey>a b</TagKey><TagValue>&lt;</TagValue>"),
        ("InvalidTag/3", "PUT", "/photos/a", {"x-amz-tagging": "x=1&x=2"}, "<TagKey>x</TagKey>"),
        ("InvalidTag/3", "PUT", "/photos/a?tagging", {}, "<TagKey>key</TagKey>"),
        ("MissingSecurityHeader", "PUT", "/photos?acl", {}, "<MissingHeaderName>x-amz-acl</MissingHeaderName>"),
        ("MissingSecurityHeader", "PUT", "/photos/a", {}, ""),
        ("NotImplemented", "PUT", "/photos/a", {"transfer-encoding": "gzip"}, "<Header>Transfer-Encoding</Header>"),
        (
            "CrossLocationLoggingProhibitted", "PUT", "/photos?logging", {},
            "<TargetBucketLocation>us-west-2</TargetBucketLocation><SourceBucketLocation>us-east-1</SourceBucketLocation>",
        ),
        ("ExpiredToken", "GET", "/photos?X-Amz-Security-Token=a%2Fb", {}, "<Token-0>a/b</Token-0>"),
        ("ExpiredToken", "GET", "/photos", {}, ""),
        ("InvalidArgument", "GET", "/photos?max-keys=x", {}, "<ArgumentName>max-keys</ArgumentName><ArgumentValue>x</ArgumentValue>"),
        ("InvalidArgument", "GET", "/photos", {}, ""),
        (
            "IncompleteBody", "GET", "/photos/a", {},
            "<NumberBytesExpected>414435</NumberBytesExpected><NumberBytesProvided>0</NumberBytesProvided>",
        ),
        (
            "CrossLocationLoggingProhibited", "PUT", "/photos?logging", {},
            "<TargetBucketLocation>us-west-2</TargetBucketLocation><SourceBucketLocation>us-east-1</SourceBucketLocation>",
        ),
        *(("SignatureDoesNotMatch", "GET", *each) for each in SIGNATURES),
        *(
            ("KeyTooLongError", "PUT", f"/photos/{key}", {}, f"<Size>{told}</Size><MaxSizeAllowed>1024</MaxSizeAllowed>")
            for key, told in KEYS
        ),
        *(
            ("MetadataTooLarge", "PUT", "/photos/a", headers, f"<Size>{told}</Size><MaxSizeAllowed>2048</MaxSizeAllowed>")
            for headers, told in METADATA
        ),
    ],
)  # fmt: skip
def test_more_that_codes_carry(address, method, target, headers, carried, answer):
    """From the request where it says so, left out where nothing is known."""
    got = answer(f"s3:{address}", method, target, headers=headers, ids=ids("R", "H"))
    row = vendors.find(f"s3:{address}")
    assert got.body.decode() == S3 % (row.code, row.message, carried, "R", "H")


def test_signed_headers_that_repeat(answer):
    """Repeated names of signed headers do not repeat a long header.

    The answer is no longer than the request.
    """
    headers = signed("20261120T120000Z", names=";".join(["x-a"] * 2000)) | {"x-a": "v" * 8000}
    got = answer("s3:SignatureDoesNotMatch", headers=headers, ids=ids("R", "H"))
    assert b"<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId><RequestId>" in got.body


def test_a_path_that_was_not_encoded(answer):
    """It is signed as it was sent, in UTF-8."""
    headers = signed("20261120T120000Z")
    got = answer("s3:SignatureDoesNotMatch", target="/photos/é.jpg", headers=headers, ids=ids("R", "H"))
    assert "<CanonicalRequest>GET\n/photos/é.jpg\n" in got.body.decode()


@each_row(
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
    """Location never names another server; a target that could be read so has none."""
    got = answer("s3:TemporaryRedirect", target="/photos/a?b=//c", ids=ids("R", "H"))
    assert got.header("location") == "/photos/a?b=//c"
    for target in ("//evil.example/x", "///x", r"/\evil.example/x", "http://evil.example/x"):
        got = answer("s3:TemporaryRedirect", target=target, ids=ids("R", "H"))
        assert (got.status, "location" in got.names) == (307, False), target


MINIO = (
    f"{DECLARATION}\n<Error><Code>%s</Code><Message>%s</Message>%s<Resource>%s</Resource>"
    "<RequestId>%s</RequestId><HostId>%s</HostId>%s</Error>"
)
MINIO_IDS = ids("173D99C6C413E93D", "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8")


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
    """MinIO's fields have the order of APIErrorResponse, as Go's encoding/xml writes them.

    cmd/api-errors.go
    """
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


@pytest.mark.parametrize("code", ["SlowDownWrite", "NoSuchKey"])
def test_minio_waits_and_heads(code, answer):
    """503 asks for a minute, but not on HEAD, where code and description are headers."""
    asked = [answer(f"minio:{code}", method, ids=MINIO_IDS) for method in ("GET", "HEAD")]
    got, head = ({name.lower(): value for name, value in each.headers} for each in asked)
    common = {
        "x-amz-request-id": MINIO_IDS["request_id"],
        "x-amz-id-2": MINIO_IDS["host_id"],
        "accept-ranges": "bytes",
        "vary": "Origin, Accept-Encoding",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-xss-protection": "1; mode=block",
    }
    told = {"x-minio-error-code": code, "x-minio-error-desc": f'"{vendors.find(f"minio:{code}").message}"'}
    hint = {"retry-after": "60"} if code == "SlowDownWrite" else {}
    body = {"content-type": "application/xml", "content-length": str(len(asked[0].body))}
    assert got == {**common, **body, **hint}
    assert (head, asked[1].body) == ({**common, **told, "content-length": "0"}, b"")


@pytest.mark.parametrize("code", ["PreconditionFailed", "InvalidRange", "TooManyRequests"])
def test_minio_answers_some_heads_as_gets(code, answer):
    """MinIO answers HEAD like GET for conditions, ranges and a full queue.

    cmd/object-handlers-common.go, checkPreconditions; cmd/handler-api.go
    """
    got, head = (answer(f"minio:{code}", method, ids=MINIO_IDS) for method in ("GET", "HEAD"))
    hint = [("Retry-After", "60")] if code == "TooManyRequests" else []
    assert (got.headers, head.body) == ([*head.headers, *hint], b"")
    assert got.header("strict-transport-security") == "max-age=31536000; includeSubDomains"
    assert not {"x-minio-error-code", "x-minio-error-desc"} & {*head.names}


ADMIN = '{"Code":"%s","Message":"%s","Resource":"%s","RequestId":"%s","HostId":"%s"}\n'


@pytest.mark.parametrize("code", ["XMinioAdminConfigNoQuorum", "XMinioServerNotInitialized", "AccessDenied"])
def test_minio_admin(code, answer):
    """MinIO's admin API has the fields in Go's JSON, with a line end, and no hint.

    cmd/api-response.go, writeErrorResponseJSON
    """
    target = "/minio/admin/v3/set-config%3Ca%26b%3E"
    got = answer(f"minio:{code}", "PUT", target, ids=MINIO_IDS)
    message = vendors.find(f"minio:{code}").message
    resource = r"/minio/admin/v3/set-config\u003ca\u0026b\u003e"
    assert got.body.decode() == ADMIN % (code, message, resource, *MINIO_IDS.values())
    assert (got.header("content-type"), got.header("accept-ranges")) == ("application/json", "bytes")
    assert "retry-after" not in got.names


@pytest.mark.parametrize("target", ["/minio/admin", "/minio/health", "/photos/minio/admin/x"])
def test_other_paths_of_minio_are_xml(target, answer):
    """Also a bucket that is called so."""
    got = answer("minio:SlowDownRead", target=target, ids=MINIO_IDS)
    assert (got.body[:5], got.header("retry-after")) == (b"<?xml", "60")


def test_what_only_the_admin_api_says_asks_nobody_to_wait(answer):
    """Errors of the admin API alone have no Retry-After, even a 503 that is retryable."""
    rows = [row for row in vendors.get("minio").errors if row.code.startswith(("XMinioAdmin", "XMinioSite"))]
    assert {row.retryable for row in rows} == {"unstated"}
    for row in (row for row in rows if row.status == 503):
        assert "retry-after" not in answer(row.address, ids=MINIO_IDS).names


def test_reason_phrases():
    """Reason phrases are S3's for one code, Ceph's for a status, Go's for an unknown one."""
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


def test_r2_says_what_was_signed(answer):
    """WWBN/AVideo#9667, and apache/opendal#1689 for the blank that 234 bytes have room for."""
    plain = answer("r2:SignatureDoesNotMatch", ids={"request_id": "7aa62f3b5d6628ac-AMS"})
    assert (len(plain.body), plain.header("content-length")) == (234, "234")
    got = answer("r2:SignatureDoesNotMatch", headers=signed("20241204T084003Z"), ids={"request_id": "r-IAD"})
    children = re.findall(
        "<(StringToSign|StringToSignBytes|CanonicalRequest|CanonicalRequestBytes)>", got.body.decode()
    )
    assert children == ["StringToSign", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes"]


def test_r2(answer):
    """https://github.com/apache/opendal/issues/2904: 145 bytes, and the ray."""
    got = answer("r2:InvalidPart/2", "POST", ids={"request_id": "7faa23b91daf3b12-IAD"})
    message = "All non-trailing parts must have the same length."
    assert got.body.decode() == (
        f"{DECLARATION}<Error><Code>InvalidPart</Code><Message>{message}</Message></Error>"
    )
    assert (got.header("content-length"), got.header("cf-ray")) == ("145", "7faa23b91daf3b12-IAD")
    assert (got.header("content-type"), got.status) == ("application/xml", 400)
