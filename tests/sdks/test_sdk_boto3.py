"""boto3 reads code, message, id and extras of the vendors that speak S3, beside S3 itself."""

import pytest

from faultinject import RuleCounts, vendors

from .path_style import CALLS, KEY, RESOURCE, client_of, error_of
from .told import PAGES, with_calls

REGION = "us-east-1"
DETAILS = {
    "NoSuchKey": f"No such object: photos/{KEY}",
    "SlowDown": f"Changing object photos/{KEY} too quickly, please slow down",
}
SIGNED = ("StringToSign", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes")


@pytest.fixture(scope="module")
def client(server):
    with client_of(server.url) as made:
        yield made


READS = {
    "cos": {"Resource": "/photos/cat%20pictures/%E7%8C%AB%26.jpg"},  # the path as it was sent
    "gcs-xml": {},
    "jdcloud": {"Resource": RESOURCE},
    "kodo-s3": {"Resource": RESOURCE},
    "minio": {"Key": KEY, "BucketName": "photos", "Resource": RESOURCE},
    "r2": {},
    "rgw": {"Message": None, "BucketName": "photos"},  # Ceph's messages are empty
    "swift": {},
}
"""The fields that boto3 reads beside code and message, by vendor."""


def read(row):
    """boto3's reading of an error: the status alone of an answer without S3's XML."""
    no_body = row.vendor == "rgw" and (row.form == "swift" or row.status == 301)
    if row.form in PAGES or no_body:
        return {"Code": str(row.status)}
    more = {"statusCode": str(row.status)} if row.vendor == "jdcloud" else {}
    if row.vendor == "gcs-xml" and row.code in DETAILS:
        more = {"Details": DETAILS[row.code]}
    return {"Code": row.code, "Message": row.message, **READS[row.vendor], **more}


QUICK = ("kodo-s3",)
ID_IN_BODIES = ("jdcloud", "kodo-s3", "minio", "swift")
"""Vendors whose request id boto3 finds in its own place.

That of the others is among the headers alone, or of two kinds.
"""


def rows_of(vendor):
    """The rows for boto3.

    A 304 has no body; Swift's own rows are for clients of Swift; MinIO's many with 400 its own SDK reads.
    """
    return [
        row
        for row in vendors.get(vendor).errors
        if row.status not in (None, 304)
        and (vendor != "swift" or row.form == "s3api")
        and (vendor != "minio" or row.status not in (206, 400))
    ]


def use(server, row):
    """Put a row in force, with the region that boto3 would otherwise ask for up to 80 times."""
    moves = row.status < 400 or row.code == "IllegalLocationConstraintException"
    server.use(row.address, **({"set": {"x-amz-bucket-region": REGION}} if moves else {}))


def id_of(row, told):
    """The id in the first of the headers that carry it."""
    vendor = vendors.get(row.vendor)
    return told["HTTPHeaders"][(vendor.form_of(row).id_headers or vendor.id_headers)[0][0].lower()]


@pytest.mark.parametrize(
    "vendor", [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in READS]
)
def test_rows(vendor, server, client, subtests):
    """Every row by one of three calls; a redirect is followed once."""
    for row, operation in with_calls(rows_of(vendor), CALLS):
        with subtests.test(row.address, operation=operation):
            use(server, row)
            answer = error_of(CALLS[operation], client)
            error, told, sent = answer["Error"], answer["ResponseMetadata"], server.outcomes[-1]
            wanted = read(row)
            assert {name: error.get(name) for name in wanted} == wanted
            assert (told["HTTPStatusCode"], id_of(row, told)) == (row.status, sent.request_id)
            assert vendor not in ID_IN_BODIES or told["RequestId"] == sent.request_id
            assert "HostId" not in error
            # A fault of Swift reads the address as Swift does.
            place = server.outcomes[0].bucket, server.outcomes[0].key
            assert place == ((None, None) if vendor == "swift" else ("photos", KEY))


@pytest.mark.parametrize(
    "vendor", [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in READS]
)
def test_head(vendor, server, client, subtests):
    """On HEAD the status is the code, and the id is in a header.

    At a 400, and at a redirect, boto3 asks for the bucket's region.
    """
    for row in [row for row in rows_of(vendor) if row.status > 400]:
        with subtests.test(row.address):
            use(server, row)
            answer = error_of(client.head_object, Bucket="photos", Key=KEY)
            assert answer["Error"]["Code"] == str(row.status)
            assert id_of(row, answer["ResponseMetadata"]) == server.last.request_id


def test_what_r2_says_was_signed(server, client):
    """All of it where the signature is wrong, and nothing else anywhere."""
    for row in vendors.get("r2").errors:
        use(server, row)
        error = error_of(CALLS["GetObject"], client)["Error"]
        more = SIGNED if row.code == "SignatureDoesNotMatch" else ()
        assert [name for name in error if name not in ("Code", "Message")] == [*more]


def test_minios_range(server, client):
    """The size that the object has stands behind the rest."""
    server.use("minio:InvalidRange")
    answer = error_of(CALLS["GetObject"], client)
    assert [*answer["Error"]] == ["Code", "Message", "Key", "BucketName", "Resource", "ActualObjectSize"]


@pytest.mark.parametrize("address", ["jss:SlowDown", "qiniu-mix:SlowDown", "qingstor:permission_denied"])
def test_json_envelopes_are_not_read(address, server, client):
    """Of a JSON envelope boto3 knows the status."""
    row = vendors.find(address)
    server.use(address)
    assert error_of(CALLS["GetObject"], client)["Error"]["Code"] == str(row.status)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "attempts"),
    [("cos:SlowDown", 3), ("cos:InternalError", 3), ("cos:RequestTimeout", 3), ("cos:AccessDenied", 1)],
)
def test_default_attempts(address, attempts, server):
    """By default boto3 makes three attempts, also at 400 RequestTimeout, and numbers them."""
    server.use(address, times=attempts)
    with client_of(server.url, retries={}) as client:
        assert error_of(CALLS["GetObject"], client)["Error"]["Code"] == vendors.find(address).code
        assert [each.attempt_hint["attempt"] for each in server.outcomes] == [*range(1, attempts + 1)]
        assert client.get_object(Bucket="photos", Key=KEY)["Body"].read() == b"meow"
    assert server.counts() == RuleCounts(attempts + 1, attempts)
