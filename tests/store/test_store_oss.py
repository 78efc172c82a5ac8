"""Both official SDKs of Alibaba Cloud take the store for OSS."""

import pytest

BIG = bytes(range(256)) * 1024
PART = 100 * 1024


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return str(path)


@pytest.fixture
def first(serve):
    """oss2 and a client of the service; the bucket is in the path, as the host is an address."""
    oss2 = pytest.importorskip("oss2")
    url = f"http://127.0.0.1:{serve('oss')}"
    session = oss2.Session()
    auth = oss2.Auth("id", "key")
    bucket = oss2.Bucket(auth, url, "photos", session=session)
    bucket.create_bucket()
    yield oss2, oss2.Service(auth, url, session=session), bucket
    session.session.close()


def test_oss2(first, file, tmp_path):
    """Objects, listings, parts, copies and deletions, as oss2 has them."""
    oss2, service, bucket = first
    put = bucket.put_object("a/ü b.jpg", b"meow", headers={"x-oss-meta-mood": "sleepy"})
    head = bucket.head_object("a/ü b.jpg")
    bucket.copy_object("photos", "a/ü b.jpg", "copy")
    store = oss2.ResumableStore(root=str(tmp_path))
    oss2.resumable_upload(
        bucket, "big", file, multipart_threshold=PART, part_size=PART, num_threads=2, store=store
    )
    seen = {
        "buckets": [each.name for each in oss2.BucketIterator(service)],
        "head": (head.etag, head.content_length, head.headers["x-oss-meta-mood"]),
        "range": bucket.get_object("a/ü b.jpg", byte_range=(1, 2)).read(),
        "big": bucket.get_object("big").read(),
        "objects": [each.key for each in oss2.ObjectIterator(bucket, max_keys=1)],
        "walked": [each.key for each in oss2.ObjectIteratorV2(bucket, delimiter="/", max_keys=1)],
        "deleted": sorted(bucket.batch_delete_objects(["big", "copy"]).deleted_keys),
    }
    assert seen == {
        "buckets": ["photos"],
        "head": (put.etag, 4, "sleepy"),
        "range": b"eo",
        "big": BIG,
        "objects": ["a/ü b.jpg", "big", "copy"],
        "walked": ["a/", "big", "copy"],
        "deleted": ["big", "copy"],
    }
    bucket.delete_object("a/ü b.jpg")
    assert not bucket.object_exists("a/ü b.jpg")
    bucket.delete_bucket()


def test_oss2_s_multipart_uploads(first):
    """Listed while they are under way, made of copies too, given up."""
    oss2, _, bucket = first
    bucket.put_object("source", b"meow")
    upload = bucket.init_multipart_upload("k").upload_id
    bucket.upload_part("k", upload, 1, b"p")
    bucket.upload_part_copy("photos", "source", (0, 1), "k", upload, 2)
    parts = [(each.part_number, each.size) for each in oss2.PartIterator(bucket, "k", upload, max_parts=1)]
    assert parts == [(1, 1), (2, 2)]
    pending = oss2.MultipartUploadIterator(bucket)
    assert [(each.key, each.upload_id) for each in pending] == [("k", upload)]
    bucket.abort_multipart_upload("k", upload)
    assert list(oss2.MultipartUploadIterator(bucket)) == []


def test_oss2_reads_the_errors(first):
    """Code and message, also from HEAD, where they stand in a header."""
    oss2, _, bucket = first
    told = (404, "NoSuchKey", "The specified key does not exist.")
    for call in (bucket.get_object, bucket.head_object):
        with pytest.raises(oss2.exceptions.NoSuchKey) as caught:
            call("gone")
        assert (caught.value.status, caught.value.code, caught.value.message) == told


@pytest.mark.parametrize(
    ("asked", "standard", "ignored"),
    [
        ((1, 3), (206, b"eow"), (206, b"eow")),
        ((1, 9), (206, b"eow"), (200, b"meow")),
        ((9, None), (416, "InvalidRange"), (200, b"meow")),
        ((None, 4), (206, b"meow"), (206, b"meow")),
        ((None, 9), (206, b"meow"), (200, b"meow")),
    ],
)
def test_ranges_that_reach_beyond_the_object(first, asked, standard, ignored):
    """OSS ignores ranges beyond the object, unless the standard's behaviour is asked for.

    So a client that reads too far gets all of it once more.
    """
    oss2, _, bucket = first
    bucket.put_object("cat", b"meow")

    def read(**headers):
        try:
            got = bucket.get_object("cat", byte_range=asked, headers=headers)
        except oss2.exceptions.ServerError as error:
            return error.status, error.code
        return got.status, got.read()

    assert (read(), read(**{"x-oss-range-behavior": "standard"})) == (ignored, standard)


def test_a_page_of_a_client_that_names_no_number(first):
    """100 objects, so that a client which reads the first page only does not see all."""
    _, _, bucket = first
    for number in range(101):
        bucket.put_object(f"{number:03}", b"")
    page = bucket.list_objects(max_keys="")
    assert (len(page.object_list), page.is_truncated, page.next_marker) == (100, True, "099")


@pytest.fixture
def second(serve):
    """alibabacloud-oss-v2, and a client of it; the bucket is there."""
    oss = pytest.importorskip("alibabacloud_oss_v2")
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("id", "key")
    config.region = "cn-hangzhou"
    config.endpoint = f"http://127.0.0.1:{serve('oss')}"
    config.use_path_style = True
    config.retry_max_attempts = 1
    client = oss.Client(config)
    client.put_bucket(oss.PutBucketRequest(bucket="photos"))
    return oss, client


def test_the_second_sdk(second, file):
    """alibabacloud-oss-v2: objects, listings, an upload in parts, a copy, deletions, an error."""
    oss, client = second
    place = {"bucket": "photos", "key": "a/ü b"}
    client.put_object(oss.PutObjectRequest(**place, body=b"meow", metadata={"mood": "sleepy"}))
    assert client.head_object(oss.HeadObjectRequest(**place)).metadata == {"mood": "sleepy"}
    with client.get_object(oss.GetObjectRequest(**place, range_header="bytes=1-2")).body as body:
        assert body.read() == b"eo"
    copy = oss.CopyObjectRequest(bucket="photos", key="copy", source_bucket="photos", source_key="a/ü b")
    client.copy_object(copy)
    uploader = client.uploader(part_size=PART, parallel_num=2)
    uploader.upload_file(oss.PutObjectRequest(bucket="photos", key="big"), file)
    for pages in (
        client.list_objects_paginator().iter_page(oss.ListObjectsRequest(bucket="photos", max_keys=2)),
        client.list_objects_v2_paginator().iter_page(oss.ListObjectsV2Request(bucket="photos", max_keys=2)),
    ):
        assert [[each.key for each in page.contents] for page in pages] == [["a/ü b", "big"], ["copy"]]
    keys = [oss.DeleteObject(key=key) for key in ("big", "copy", "a/ü b")]
    gone = client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(bucket="photos", objects=keys))
    assert [each.key for each in gone.deleted_objects] == ["big", "copy", "a/ü b"]
    with pytest.raises(oss.exceptions.OperationError) as caught:
        client.get_object(oss.GetObjectRequest(**place))
    assert caught.value.unwrap().code == "NoSuchKey"


def test_the_second_sdk_copies_in_parts(second):
    """It reads a copied part's document only under its own root."""
    oss, client = second
    client.put_object(oss.PutObjectRequest(bucket="photos", key="big", body=BIG))
    source = {"source_bucket": "photos", "source_key": "big"}
    place = {"bucket": "photos", "key": "k"}
    upload = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(**place)).upload_id
    ask = oss.UploadPartCopyRequest(**place, **source, part_number=1, upload_id=upload)
    etag = client.head_object(oss.HeadObjectRequest(bucket="photos", key="big")).etag
    assert client.upload_part_copy(ask).etag == etag
    copier = client.copier(
        part_size=PART, multipart_copy_threshold=PART, parallel_num=2, disable_shallow_copy=True
    )
    copier.copy(oss.CopyObjectRequest(bucket="photos", key="copy", **source))
    with client.get_object(oss.GetObjectRequest(bucket="photos", key="copy")).body as body:
        assert body.read() == BIG


def test_the_second_sdk_ends_an_upload_without_a_list(second):
    """`x-oss-complete-all: yes` takes the parts that are there, in their order."""
    oss, client = second
    place = {"bucket": "photos", "key": "k"}
    upload = client.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(**place)).upload_id
    for number, data in ((7, b"c"), (2, b"b"), (1, b"a")):
        client.upload_part(oss.UploadPartRequest(**place, part_number=number, upload_id=upload, body=data))
    end = oss.CompleteMultipartUploadRequest(**place, upload_id=upload, complete_all="yes")
    client.complete_multipart_upload(end)
    with client.get_object(oss.GetObjectRequest(**place)).body as body:
        assert body.read() == b"abc"
    with pytest.raises(oss.exceptions.OperationError) as caught:
        client.complete_multipart_upload(end)
    assert caught.value.unwrap().code == "NoSuchUpload"


def test_oss2_deletes_keys_that_xml_has_not(first):
    """oss2 asks, in the query, for percent-encoded keys in the answer; it sends plain ones."""
    oss2, _, bucket = first
    keys = ["a/ü b+%20&", "k"]
    for key in keys:
        bucket.put_object(key, b"x")
    assert sorted(bucket.batch_delete_objects(keys).deleted_keys) == keys
    assert list(oss2.ObjectIterator(bucket)) == []


def test_buckets_on_one_page(second):
    """The paginator of the second SDK ends behind it."""
    oss, client = second
    for name in ("films", "photos-2"):
        client.put_bucket(oss.PutBucketRequest(bucket=name))
    pages = client.list_buckets_paginator().iter_page(oss.ListBucketsRequest(max_keys=2))
    assert [[each.name for each in page.buckets] for page in pages] == [["films", "photos", "photos-2"]]


def test_oss2_s_pages_of_buckets(first):
    """Its iterator."""
    oss2, service, _ = first
    for name in ("films", "photos-2"):
        oss2.Bucket(service.auth, service.endpoint, name, session=service.session).create_bucket()
    names = [each.name for each in oss2.BucketIterator(service, max_keys=1)]
    assert names == ["films", "photos", "photos-2"]
    assert [each.name for each in oss2.BucketIterator(service, prefix="f")] == ["films"]
