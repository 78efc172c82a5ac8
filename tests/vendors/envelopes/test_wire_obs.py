"""Captured answers of OBS are rendered from requests, ids and times, byte for byte."""

from datetime import datetime

import pytest

from faultinject import Rule, vendors
from tests.rows import each_row

ANSWER = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Error><Code>%s</Code><Message>%s</Message>'
    "<RequestId>%s</RequestId><HostId>%s</HostId>%s</Error>"
)
RESERVED = [
    (
        "x-reserved",
        "amazon, aws and amazon web services are trademarks or registered trademarks of Amazon Technologies, Inc",
    )
]
"""The header of answers to requests signed as S3's: huaweicloud/huaweicloud-obs-obsfs#2."""
HOST = {"Host": "example-bucket.obs.cn-north-4.myhuaweicloud.com"}
# Address, when, the request's headers, the message, both ids, and what the code carries.
CAPTURES = {
    "curl of obs.ap-southeast-3, 30 November 2023": (
        "obs:AccessDenied", "2023-11-30T08:20:22Z", {}, "Anonymous access is forbidden for this operation",
        ("0000018C1F508F2F9012234EA17641CE", "Z9v+cC1sRnaWw6x0vi8pxxYA0YVnKxbYHUPAFpnxkX8sLV44u5b02Z+ailn2wCnR"),
        "",
    ),
    "s3curl of obs.ap-southeast-1, 8 May 2020": (
        "obs:InvalidAccessKeyId/2", "2020-05-08T17:15:30Z", {"Authorization": "AWS 01PJTUUPZUJITI8GV1JU:c2ln"},
        "The AWS Access Key Id you provided does not exist in our records.",
        ("00000171F548F0B140089ED03178BF71", "8tgnuSvk/MHa2wdx2Qey22w5zyJ1FaVomGztgp53G/I0cBQ8rbA70YMlpwSngjFN"),
        "<AWSAccessKeyId>01PJTUUPZUJITI8GV1JU</AWSAccessKeyId>",
    ),
    "upload with a date of seven weeks before, 14 October 2021": (
        "obs:RequestTimeTooSkewed", "2021-10-14T03:17:08.663Z", {"x-amz-date": "20210824T061826Z"},
        "The difference between the request time and the current time is too large.",
        ("0000017C7CCDB5B7804FB8999087250B", "b2mYGM1RhdcyhPNXOpuOSYVonBRXWAowp5FlInLyRzUOf9pJq1g02DoSkcewFIKF"),
        "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>"
        "<RequestTime>20210824T061826Z</RequestTime><ServerTime>2021-10-14T03:17:08.663Z</ServerTime>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("seen", CAPTURES)
def test_captured(seen, method, answer_of):
    """The whole body, and both ids in headers too; HEAD gets the headers and no code."""
    address, when, asked, message, (request_id, id_2), carried = CAPTURES[seen]
    moment = datetime.fromisoformat(when).timestamp()
    # The message of the anonymous request is not that of a row.
    rule = Rule(address, message=message) if address == "obs:AccessDenied" else Rule(address)
    ids = {"request_id": request_id, "id_2": id_2}
    answer = answer_of(rule, method, "/object", ids=ids, now=moment, headers={**HOST, **asked})
    code = address[4:].partition("/")[0]
    own = "amz" if "Authorization" in asked else "obs"
    body = (ANSWER % (code, message, request_id, id_2, carried)).encode()
    assert (answer.status, answer.body) == (403, body if method == "GET" else b"")
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/xml"),
        ("content-length", str(len(body))),
        (f"x-{own}-request-id", request_id),
        (f"x-{own}-id-2", id_2),
        *(RESERVED if own == "amz" else []),
    ]


S3 = [
    ({"Authorization": "AWS key:c2ln"}, ""),
    ({"Authorization": "AWS4-HMAC-SHA256 Credential=key/20250101/region/s3/aws4_request"}, ""),
    ({}, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"),
    ({}, "AWSAccessKeyId=key&Expires=1&Signature=c2ln"),
]
OWN = [
    ({}, ""),
    ({"Authorization": "OBS key:c2ln"}, ""),
    ({"Authorization": "OBS key:c2ln"}, "AWSAccessKeyId=key"),
    ({}, "AccessKeyId=key&Expires=1&Signature=c2ln"),
]


@each_row(
    ("asked", "query", "own"),
    [(*each, own) for own, those in {"amz": S3, "obs": OWN}.items() for each in those],
)
def test_who_signs_the_s3_way_is_answered_with_its_headers(asked, query, own, send, inject_with):
    """Both ids, in the body too, under S3's names or the vendor's."""
    headers = [(name.encode(), value.encode()) for name, value in {**HOST, **asked}.items()]
    answer = send(inject_with("obs:SlowDown"), "GET", f"/object?{query}", headers=headers)
    carried = [name for name in answer.names if name.endswith(("request-id", "id-2"))]
    assert carried == [f"x-{own}-request-id", f"x-{own}-id-2"]
    assert all(answer.header(name) in answer.body.decode() for name in carried)


def test_ids():
    """The milliseconds stand in the middle, as in `000001697692CC5380E9D272E6D8F830` of 2019.

    Of 13 March 2019.
    """
    ids = vendors.get("obs").make_ids(bytes([0, 152, *range(62)]), 1_552_472_523)
    assert ids["request_id"] == "0000016976961E110001020304050607".replace(
        "6976961E11", f"{1_552_472_523_152:X}"[-10:]
    )
    assert len(ids["id_2"]) == 64


def test_a_bucket_that_is_not_there(answer_of):
    """The message has no full stop, and the bucket's name follows both ids.

    huaweicloud/huaweicloud-sdk-java-obs#58
    """
    ids = {
        "request_id": "0000017C11ADD169951127911DBDB09D",
        "id_2": "6Znivw4MmdSwirEClq1nZ3gKpNE6pFJppcuG/zUYdGzEkKw+Zb6EIzPQNRZ74Pw2",
    }
    answer = answer_of(Rule("obs:NoSuchBucket"), "PUT", "/", ids=ids, headers=HOST)
    told = ("NoSuchBucket", "The specified bucket does not exist", *ids.values())
    body = ANSWER % (*told, "<BucketName>example-bucket</BucketName>")
    assert (answer.status, answer.body.decode()) == (404, body)


@each_row(
    ("fault", "method", "path", "headers", "part"),
    [
        # CherryHQ/cherry-studio#11301: the key is behind the ids
        ("NoSuchKey", "GET", "/a/b.zip", HOST, b"</HostId><Key>a/b.zip</Key></Error>"),
        # huaweicloud/huaweicloud-service-broker#74
        (
            "BucketNotEmpty",
            "DELETE",
            "/",
            HOST,
            b"<Message>The bucket you tried to delete is not empty</Message>",
        ),
        # OBS's own clients are told so in OBS's words, and not which it was.
        (
            "InvalidAccessKeyId",
            "GET",
            "/object",
            {"Authorization": "OBS key:c2ln"},
            b"<Message>The OBS Access Key Id you provided does not exist in our records.</Message>",
        ),
    ],
)
def test_words_that_were_seen(fault, method, path, headers, part, answer_of):
    """Answers in issues that leave out their ids."""
    body = answer_of(f"obs:{fault}", method, path, headers=headers).body
    assert part in body
    assert b"AccessKeyId>key<" not in body
