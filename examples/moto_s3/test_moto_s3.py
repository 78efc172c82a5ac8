"""boto3 against moto's own server, which answers as Tencent COS does when a rule says so."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto_s3.server import s3_with_faults

import faultinject
from faultinject import RuleCounts

Connect = Callable[[str], tuple[object, faultinject.Injector]]
PHOTO = b"12345678" * 1000


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """From rules to a client of a server with these rules, and with the bucket `photos`."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.001)
    with ExitStack() as stack:

        def start(rules: str) -> tuple[object, faultinject.Injector]:
            url, injector = stack.enter_context(s3_with_faults(rules))
            client = boto3.client(
                "s3",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="key",
                aws_secret_access_key="secret",
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 3}, s3={"addressing_style": "path"}
                ),
            )
            stack.callback(client.close)
            client.create_bucket(Bucket="photos")
            return client, injector

        yield start


def test_two_slowdowns_are_two_retries(connect: Connect) -> None:
    """boto3 knows COS's SlowDown for what it is, and sends the same bytes again."""
    s3, injector = connect("cos:SlowDown,times=2,operation=PutObject,bucket=photos")
    answer = s3.put_object(Bucket="photos", Key="2026/cat.jpg", Body=PHOTO)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert s3.get_object(Bucket="photos", Key="2026/cat.jpg")["Body"].read() == PHOTO
    assert injector.counts() == {"rule-1": RuleCounts(3, 2)}


def test_three_slowdowns_are_too_many(connect: Connect) -> None:
    """Three attempts are all that the client was given."""
    s3, injector = connect("cos:SlowDown,operation=PutObject")
    with pytest.raises(ClientError, match="reached max retries: 2"):
        s3.put_object(Bucket="photos", Key="cat.jpg", Body=PHOTO)
    assert injector.counts() == {"rule-1": RuleCounts(3, 3)}


def test_boto3_reads_every_field_of_the_error(connect: Connect) -> None:
    """The error of COS is that of S3 with one more field, and boto3 reads them all.

    boto3 drops the request id of the body; COS has it in a header too.
    """
    s3, injector = connect("cos:AccessDenied,operation=GetObject")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="photos", Key="2026/cat.jpg")
    [outcome] = injector.journal.outcomes
    answer = caught.value.response
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert answer["Error"] == {
        "Code": "AccessDenied",
        "Message": "Access Denied.",
        "Resource": "/photos/2026/cat.jpg",
        "TraceId": headers["x-cos-trace-id"],
    }
    assert headers["x-cos-request-id"] == outcome.request_id
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_part_of_an_upload_fails_and_the_upload_does_not(connect: Connect) -> None:
    """One part of three is repeated, nothing else, and the object is whole."""
    s3, injector = connect("cos:InternalError,operation=UploadPart,query.partNumber=2,times=1")
    part = bytes(5 << 20)
    upload = s3.create_multipart_upload(Bucket="photos", Key="film")["UploadId"]
    tags = [
        s3.upload_part(Bucket="photos", Key="film", UploadId=upload, PartNumber=number, Body=part)["ETag"]
        for number in (1, 2, 3)
    ]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(
        Bucket="photos", Key="film", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert s3.head_object(Bucket="photos", Key="film")["ContentLength"] == 3 * len(part)
    assert injector.counts() == {"rule-1": RuleCounts(2, 1)}
