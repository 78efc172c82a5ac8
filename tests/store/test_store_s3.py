"""S3 and those who speak it as it is: boto3 and minio-py."""

import io

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


SPEAKERS = ("cos", "gcs-xml", "jdcloud", "kodo-s3", "minio", "obs", "r2", "rgw", "s3")
"""Vendors with S3's requests and documents; Qiniu MIX has errors in JSON."""


def test_boto3_and_all_who_speak_s3(serve, boto):
    """Each dialect of S3 can put, head, list, copy and delete, and names a missing object."""
    found = {}
    for vendor in SPEAKERS:
        client = boto(serve(vendor))
        client.create_bucket(Bucket="photos")
        client.put_object(Bucket="photos", Key="a/ü b", Body=b"meow", Metadata={"mood": "sleepy"})
        client.copy_object(Bucket="photos", Key="copy", CopySource={"Bucket": "photos", "Key": "a/ü b"})
        listed = [each["Key"] for each in client.list_objects_v2(Bucket="photos")["Contents"]]
        deleted = client.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "a/ü b"}]})["Deleted"]
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket="photos", Key="a/ü b")
        found[vendor] = (listed, deleted, caught.value.response["Error"]["Code"])
    expected = ["a/ü b", "copy"], [{"Key": "a/ü b"}], "NoSuchKey"
    assert found == dict.fromkeys(SPEAKERS, expected)


def test_names_in_the_host(serve):
    """Virtual-host style, as in the cloud: the request goes through the store as its proxy."""
    import boto3
    from botocore.config import Config

    proxy = {"http": f"http://127.0.0.1:{serve('s3')}"}
    client = boto3.client(
        "s3",
        endpoint_url="http://s3.eu-central-1.amazonaws.com",
        region_name="eu-central-1",
        aws_access_key_id="id",
        aws_secret_access_key="key",
        config=Config(s3={"addressing_style": "virtual"}, proxies=proxy, retries={"total_max_attempts": 1}),
    )
    hosts = []
    client.meta.events.register("before-send.s3", lambda request, **_: hosts.append(request.url))
    client.create_bucket(Bucket="photos")
    client.put_object(Bucket="photos", Key="a/ü b", Body=b"meow")
    assert client.get_object(Bucket="photos", Key="a/ü b", Range="bytes=1-2")["Body"].read() == b"eo"
    assert [each["Key"] for each in client.list_objects_v2(Bucket="photos")["Contents"]] == ["a/ü b"]
    client.close()
    assert {each.split("/")[2] for each in hosts} == {"photos.s3.eu-central-1.amazonaws.com"}


def test_files(serve, boto, tmp_path):
    """The transfer manager uploads in parts, by several threads, and fetches in ranges."""
    from boto3.s3.transfer import TransferConfig

    client = boto(serve("s3"))
    client.create_bucket(Bucket="photos")
    (tmp_path / "sent").write_bytes(bytes(range(256)) * 4096 * 12)
    sizes = TransferConfig(multipart_threshold=MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    client.upload_file(
        str(tmp_path / "sent"), "photos", "film", Config=sizes, ExtraArgs={"Metadata": {"a": "b"}}
    )
    head = client.head_object(Bucket="photos", Key="film")
    assert (head["ContentLength"], head["Metadata"], head["ETag"][-3:]) == (12 * MIB, {"a": "b"}, '-3"')
    client.download_file("photos", "film", str(tmp_path / "got"), Config=sizes)
    assert (tmp_path / "got").read_bytes() == (tmp_path / "sent").read_bytes()
    client.copy({"Bucket": "photos", "Key": "film"}, "photos", "copy", Config=sizes)
    assert client.head_object(Bucket="photos", Key="copy")["ContentLength"] == 12 * MIB


@pytest.fixture
def minio(serve):
    import urllib3
    from minio import Minio

    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        client = Minio(
            endpoint=f"127.0.0.1:{serve('minio')}",
            access_key="id",
            secret_key="key",
            secure=False,
            http_client=pool,
        )
        client.make_bucket(bucket_name="photos")
        yield client


def test_minio(minio):
    """minio-py: objects, a stream in parts, listings, copies, deletions one by one and together."""
    from minio.commonconfig import CopySource
    from minio.deleteobjects import DeleteObject

    minio.put_object(
        bucket_name="photos", object_name="a/ü b", data=io.BytesIO(b"meow"), length=4, metadata={"mood": "x"}
    )
    film = io.BytesIO(bytes(6 * MIB))
    made = minio.put_object(bucket_name="photos", object_name="film", data=film, length=-1, part_size=5 * MIB)
    got = minio.get_object(bucket_name="photos", object_name="a/ü b", offset=1, length=2)
    try:
        assert (made.etag[-2:], got.read()) == ("-2", b"eo")
    finally:
        got.close()
        got.release_conn()
    source = CopySource(bucket_name="photos", object_name="a/ü b")
    minio.copy_object(bucket_name="photos", object_name="copy", source=source)
    known = minio.stat_object(bucket_name="photos", object_name="copy")
    together = [DeleteObject("copy"), DeleteObject("film")]
    seen = {
        "buckets": [each.name for each in minio.list_buckets()],
        "gone": minio.bucket_exists(bucket_name="gone"),
        "copy": (known.size, known.metadata["x-amz-meta-mood"]),
        "names": sorted(each.object_name for each in minio.list_objects(bucket_name="photos")),
        "every": [each.object_name for each in minio.list_objects(bucket_name="photos", recursive=True)],
        "failed": list(minio.remove_objects(bucket_name="photos", delete_object_list=together)),
    }
    assert seen == {
        "buckets": ["photos"],
        "gone": False,
        "copy": (4, "x"),
        "names": ["a/", "copy", "film"],
        "every": ["a/ü b", "copy", "film"],
        "failed": [],
    }
    minio.remove_object(bucket_name="photos", object_name="a/ü b")
    minio.remove_bucket(bucket_name="photos")


def test_minio_s_own_errors(minio):
    """minio-py reads MinIO's code also from HEAD, where it stands in a header."""
    from minio.error import S3Error

    for ask in (minio.get_object, minio.stat_object):
        with pytest.raises(S3Error) as caught:
            ask(bucket_name="photos", object_name="gone")
        assert caught.value.code == "NoSuchKey"
