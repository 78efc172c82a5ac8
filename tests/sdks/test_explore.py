"""Real SDKs, explored against the embedded store, survive some faults and not others."""

import io
import warnings
from types import SimpleNamespace

import pytest
import requests

import faultinject
from faultinject import WSGIFaultMiddleware
from faultinject.exceptions import ExplorationFailedError
from faultinject.store import ObjectStore
from tests.on_loopback import on_loopback

from .path_style import client_of
from .sdk_clients import cos as cos_sdk
from .sdk_clients import cos_client

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import botocore.retries.standard
    from boto3.s3.transfer import TransferConfig

MIB = 1 << 20
BUCKET = "photos-1250000000"


class Service:
    """A store on loopback that can be begun anew: with a bucket, and an object `a` in it."""

    def clear(self):
        self.store = ObjectStore("cos")
        self.store.fill(BUCKET, objects=("a",), uploads=(), content=b"meow")

    def serve(self, environ, start_response):
        return self.store(environ, start_response)


@pytest.fixture(scope="module")
def service():
    started = Service()
    with on_loopback(WSGIFaultMiddleware(started.serve, [])) as started.port:
        yield started


@pytest.fixture
def boto(service, monkeypatch):
    """boto3 as it is, but that it does not wait before it tries again."""
    monkeypatch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
    with client_of(f"http://127.0.0.1:{service.port}", retries={"mode": "standard"}) as client:
        yield client


@pytest.fixture
def cos(service, monkeypatch):
    """The COS SDK as it is, but that it does not wait before it tries again."""

    monkeypatch.setattr(cos_client, "time", SimpleNamespace(time=cos_client.time.time, sleep=lambda _: None))
    domain = f"127.0.0.1:{service.port}"
    with requests.Session() as session:
        yield cos_sdk(service.port, domain=domain, retry=3, session=session)


def explore(service, code, *faults):
    """The scenarios that break the code, each the smallest of its kind."""
    exploration = faultinject.explore(*faults)
    try:
        for run in exploration:
            with run:
                service.clear()
                code()
    except ExplorationFailedError as error:
        return exploration, str(error)
    return exploration, ""


@pytest.mark.slow
def test_boto3(service, boto):
    """An upload in parts survives every fault but one: a lost Complete."""

    def upload():
        transfer = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
        boto.upload_fileobj(io.BytesIO(b"x" * 11 * MIB), BUCKET, "big", Config=transfer)

    exploration, said = explore(service, upload, "cos")
    assert [each.reached for each in exploration.runs] == [True] * 43
    assert [each.text for each in exploration.runs if each.failed] == [
        f"reset,method=POST,path=/{BUCKET}/big,query.uploadId=,times=1,when=after"
    ]
    assert "NoSuchUpload" in said
    assert "CompleteMultipartUpload  404 POST" in said


@pytest.mark.slow
def test_boto3_copy(service, boto):
    """An error with status 200 is no success for boto3: put, copy and get raise no alarm."""

    def code():
        boto.put_object(Bucket=BUCKET, Key="a", Body=b"meow")
        boto.copy_object(Bucket=BUCKET, Key="b", CopySource={"Bucket": BUCKET, "Key": "a"})
        assert boto.get_object(Bucket=BUCKET, Key="b")["Body"].read() == b"meow"

    exploration, said = explore(
        service,
        code,
        "cos:SlowDown",
        "reset",
        "reset,when=after",
        "cos:InternalError,status=200,operation=CopyObject",
    )
    assert (said, len(exploration.runs)) == ("", 10)


def test_boto3_short_answers(service, boto):
    """A download goes on after a short answer; a caller that reads the body must retry itself."""

    def download():
        file = io.BytesIO()
        boto.download_fileobj(BUCKET, "a", file, Config=TransferConfig(use_threads=False))
        assert file.getvalue() == b"meow"

    exploration, said = explore(service, download, "truncate,method=GET")
    assert (len(exploration.runs), said) == (1, "")

    def read():
        boto.get_object(Bucket=BUCKET, Key="a")["Body"].read()

    exploration, said = explore(service, read, "truncate")
    assert [each.failed for each in exploration.runs] == [True]
    assert "(GetObject /photos-1250000000/a) gets: truncate" in said


@pytest.mark.slow
def test_cos_sdk(service, cos, tmp_path):
    """A lost Complete breaks an upload in parts by the COS SDK too, whose Host names the bucket."""
    path = tmp_path / "big"
    path.write_bytes(b"x" * 3 * MIB)
    exploration, said = explore(
        service,
        lambda: cos.upload_file(Bucket=BUCKET, Key="big", LocalFilePath=str(path), PartSize=1, MAXThread=3),
        "cos:InternalError",
        "gateway:BadGateway",
        "reset,when=after,operation=CompleteMultipartUpload,vendor=cos",
    )
    assert len(exploration.runs) == 13
    assert [each.text for each in exploration.runs if each.failed] == [
        f"reset,method=POST,path=/big,host={BUCKET}.cos.ap-guangzhou.myqcloud.com,query.uploadId=,vendor=cos,"
        "times=1,when=after"
    ]
    assert "NoSuchUpload" in said


def test_cos_sdk_copy(service, cos):
    """It raises an error that comes with status 200, and tries again what else may pass."""

    def code():
        cos.put_object(Bucket=BUCKET, Key="a", Body=b"meow")
        source = {"Bucket": BUCKET, "Key": "a", "Region": "ap-guangzhou"}
        cos.copy_object(Bucket=BUCKET, Key="b", CopySource=source)
        assert cos.get_object(Bucket=BUCKET, Key="b")["Body"].get_raw_stream().read() == b"meow"

    exploration, said = explore(
        service, code, "cos:InternalError", "reset", "cos:InternalError,status=200,operation=CopyObject"
    )
    assert [each.text for each in exploration.runs if each.failed] == [
        f"cos:InternalError,method=PUT,path=/b,host={BUCKET}.cos.ap-guangzhou.myqcloud.com,times=1,status=200"
    ]
    assert "(CopyObject /b) gets: cos:InternalError with status 200" in said
