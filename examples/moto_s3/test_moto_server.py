"""The marker reaches moto's own server in a thread of the test process."""

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

import faultinject


@pytest.fixture
def s3() -> Iterator[object]:
    """A client of the server, with the bucket `photos`."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="key",
    )
    client.create_bucket(Bucket="photos")
    yield client
    client.close()
    server.stop()


@pytest.mark.faultinject("s3:SlowDown", times=2, bucket="photos", operation="PutObject")
def test_upload_survives_two_slowdowns(s3: object, faults: faultinject.Faults) -> None:
    """The requests of the fixture get no fault."""
    s3.put_object(Bucket="photos", Key="cat.jpg", Body=b"meow")
    assert [each.status for each in faults.outcomes] == [503, 503, 200]
