"""boto3, path style, works with the XML dialects."""

import io
import zlib
from base64 import b64encode
from hashlib import md5, sha256

import pytest
from botocore.exceptions import ClientError

from .conftest import begun, client_of, ended


@pytest.fixture(params=["cos", "qiniu-mix"])
def vendor(request):
    return request.param


@pytest.fixture
def photos(serve, boto):
    """A maker of clients of a vendor's store that has the bucket `photos` with these keys."""

    def make(vendor, *keys):
        made = boto(serve(vendor))
        made.create_bucket(Bucket="photos")
        for key in keys:
            made.put_object(Bucket="photos", Key=key, Body=b"meow")
        return made

    return make


@pytest.fixture
def client(photos, vendor):
    return photos(vendor)


def code_of(call, *given, **named):
    """The code by which the store refuses a call; None where it does it."""
    try:
        call(*given, **named)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def place_of_parts(client, key):
    """Begin an upload; gives the place of its parts."""
    at = {"Bucket": "photos", "Key": key}
    return {**at, "UploadId": client.create_multipart_upload(**at)["UploadId"]}


def test_objects_and_metadata(client):
    """Put, head, get with a range, copy and delete; metadata and Content-Type are kept."""
    source, copy = {"Bucket": "photos", "Key": "a/b c+ü"}, {"Bucket": "photos", "Key": "copy"}
    put = client.put_object(**source, Body=b"meow", Metadata={"mood": "sleepy"}, ContentType="x/y")
    head = client.head_object(**source)
    assert {key: head[key] for key in ("ETag", "ContentLength", "ContentType", "Metadata")} == {
        "ETag": put["ETag"],
        "ContentLength": 4,
        "ContentType": "x/y",
        "Metadata": {"mood": "sleepy"},
    }
    got = client.get_object(**source, Range="bytes=1-2", ChecksumMode="ENABLED")
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()) == (206, b"eo")
    for change, mood in (
        ({}, "sleepy"),
        ({"MetadataDirective": "REPLACE", "Metadata": {"mood": "awake"}}, "awake"),
    ):
        copied = client.copy_object(**copy, CopySource=source, **change)["CopyObjectResult"]["ETag"]
        assert (copied, client.head_object(**copy)["Metadata"]) == (put["ETag"], {"mood": mood})
    client.delete_object(**copy)
    assert code_of(client.head_object, **copy) == "404"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_streams_with_trailing_checksums(serve, boto):
    """Over TLS boto3 sends aws-chunked streams with a trailing checksum; the store decodes them.

    The stored object is no longer named aws-chunked.
    """
    client = boto(serve("cos", ssl_context="adhoc"), scheme="https")
    client.create_bucket(Bucket="photos")
    content = b"0123456789" * 20_000
    sent = []
    client.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(dict(request.headers))
    )
    client.put_object(Bucket="photos", Key="k", Body=io.BytesIO(content), ContentEncoding="gzip")
    got = client.get_object(Bucket="photos", Key="k")
    assert (got["Body"].read(), got["ContentEncoding"]) == (content, "gzip")
    assert sent[0]["X-Amz-Content-SHA256"] == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def test_listings_by_paginator(client):
    """Both listings page through keys and common prefixes; nothing is shown twice or lost."""
    keys = ["a/1", "a/2", "b", "c/1", "ü&<"]
    for key in keys:
        client.put_object(Bucket="photos", Key=key, Body=b"")
    for operation in ("list_objects", "list_objects_v2"):
        paginator, page_size = client.get_paginator(operation), {"PageSize": 1}
        pages = list(paginator.paginate(Bucket="photos", Delimiter="/", PaginationConfig=page_size))
        shown = [
            each for page in pages for name in ("Contents", "CommonPrefixes") for each in page.get(name, ())
        ]
        assert [each.get("Key", each.get("Prefix")) for each in shown] == ["a/", "b", "c/", "ü&<"]
        assert len(pages) == 4
    second = client.list_objects_v2(Bucket="photos", StartAfter="b", MaxKeys=1)
    told = [second[name] for name in ("KeyCount", "IsTruncated", "StartAfter")]
    assert (told, second["Contents"][0]["Key"]) == ([1, True, "b"], "c/1")
    assert "StartAfter" not in client.list_objects_v2(Bucket="photos")  # only if it was sent


def test_buckets_of_a_prefix(serve, boto):
    """They are on one page, whatever its size; the prefix is said."""
    client = boto(serve("s3"))
    for name in ("films", "photos", "photos-2"):
        client.create_bucket(Bucket=name)
    page = client.list_buckets(Prefix="photos", MaxBuckets=1)
    assert ([each["Name"] for each in page["Buckets"]], page["Prefix"]) == (["photos", "photos-2"], "photos")
    assert "ContinuationToken" not in page


ALGORITHMS = {"CRC32": zlib.crc32(b"meow").to_bytes(4), "SHA256": sha256(b"meow").digest()}
"""Those that boto3 works out by itself, of the content `meow`."""


@pytest.mark.parametrize("vendor", ["s3", "minio"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksums_are_kept(photos, algorithm, vendor):
    """A whole object's checksum is in the answer to its put, in reads that ask, and in copies."""
    client = photos(vendor)
    field, value = f"Checksum{algorithm}", b64encode(ALGORITHMS[algorithm]).decode()
    put = client.put_object(Bucket="photos", Key="k", Body=b"meow", ChecksumAlgorithm=algorithm)
    copied = client.copy_object(Bucket="photos", Key="copy", CopySource="photos/k")["CopyObjectResult"]
    heads = [client.head_object(Bucket="photos", Key=key, ChecksumMode="ENABLED") for key in ("k", "copy")]
    got = client.get_object(Bucket="photos", Key="k")
    for each in (put, copied, *heads, got):
        assert (each[field], each["ChecksumType"]) == (value, "FULL_OBJECT")
    other = "CRC32C"
    copied = client.copy_object(Bucket="photos", Key="copy", CopySource="photos/k", ChecksumAlgorithm=other)
    head = client.head_object(Bucket="photos", Key="copy", ChecksumMode="ENABLED")
    assert copied["CopyObjectResult"][f"Checksum{other}"] == head[f"Checksum{other}"]
    assert field not in head
    assert field not in client.head_object(Bucket="photos", Key="k")
    assert field not in client.get_object(Bucket="photos", Key="k", Range="bytes=0-1")


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_checksums_of_parts(photos, kind):
    """Of an object that came in parts: a checksum of its parts' checksums, or of all its bytes.

    A copied part has the upload's kind of checksum too.
    """
    client = photos("s3", "source")
    place = {"Bucket": "photos", "Key": "k"}
    upload = client.create_multipart_upload(**place, ChecksumAlgorithm="CRC32", ChecksumType=kind)
    assert (upload["ChecksumAlgorithm"], upload["ChecksumType"]) == ("CRC32", kind)
    place["UploadId"] = upload["UploadId"]
    sums = [zlib.crc32(data).to_bytes(4) for data in (b"me", b"ow")]
    made = [
        client.upload_part(**place, PartNumber=1, Body=b"me", ChecksumAlgorithm="CRC32"),
        client.upload_part_copy(
            **place, PartNumber=2, CopySource="photos/source", CopySourceRange="bytes=2-3"
        )["CopyPartResult"],
    ]
    assert [each["ChecksumCRC32"] for each in made] == [b64encode(each).decode() for each in sums]
    parts = [
        {"PartNumber": 1, "ETag": made[0]["ETag"], "ChecksumCRC32": made[0]["ChecksumCRC32"]},
        {"PartNumber": 2, "ETag": made[1]["ETag"]},
    ]
    listed = client.list_parts(**place)
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ("CRC32", kind)
    assert [each["ChecksumCRC32"] for each in listed["Parts"]] == [each["ChecksumCRC32"] for each in made]
    whole = b64encode(ALGORITHMS["CRC32"]).decode()
    joined = f"{b64encode(zlib.crc32(b''.join(sums)).to_bytes(4)).decode()}-2"
    value = whole if kind == "FULL_OBJECT" else joined
    end = {**place, "MultipartUpload": {"Parts": parts}}
    assert code_of(client.complete_multipart_upload, **end, ChecksumCRC32="AAAAAA==") == "BadDigest"
    done = client.complete_multipart_upload(**end, ChecksumCRC32=value)
    got = client.get_object(Bucket="photos", Key="k")
    copied = client.copy_object(Bucket="photos", Key="copy", CopySource="photos/k")["CopyObjectResult"]
    assert got["Body"].read() == b"meow"
    told = [(each["ChecksumCRC32"], each["ChecksumType"]) for each in (done, got, copied)]
    assert told == [(value, kind), (value, kind), (whole, "FULL_OBJECT")]


@pytest.mark.parametrize(("algorithm", "whole"), [("CRC32", False), ("CRC64NVME", True)])
def test_what_has_no_checksum(algorithm, whole):
    """A part without one leaves the whole without, unless it is one of all bytes by itself.

    An algorithm that there is not is refused.
    """
    client = client_of("s3")
    assert client.post("/photos/k?uploads", headers={"x-amz-checksum-algorithm": "MD4"}).status_code == 400
    upload = begun(client, "/photos/k", headers={"x-amz-checksum-algorithm": algorithm})
    etag = client.put(f"/photos/k?partNumber=1&uploadId={upload}", data=b"meow").headers["ETag"]
    done = ended(client, "/photos/k", upload, etag).text
    assert ("<ChecksumType>FULL_OBJECT<" in done, "Checksum" in done) == (whole, whole)


def test_the_access_list_of_an_object(photos):
    """Its owner, and nobody else, has full control."""
    client = photos("s3", "k")
    listed = client.list_objects(Bucket="photos")["Contents"][0]["Owner"]
    grant = {"Grantee": {**listed, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
    for answer in (client.get_object_acl(Bucket="photos", Key="k"), client.get_bucket_acl(Bucket="photos")):
        assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/xml"
        assert (answer["Owner"], answer["Grants"]) == (listed, [grant])
    assert code_of(client.get_object_acl, Bucket="photos", Key="missing") == "NoSuchKey"
    assert code_of(client.get_bucket_acl, Bucket="missing") == "NoSuchBucket"


def test_owners_and_versioning(photos):
    """The second listing names owners only on request; an unversioned bucket says so."""
    client = photos("s3", "k")
    listings = [
        client.list_objects(Bucket="photos"),
        client.list_objects_v2(Bucket="photos", FetchOwner=True),
        client.list_objects_v2(Bucket="photos"),
    ]
    enabled = {"VersioningConfiguration": {"Status": "Enabled"}}
    assert ["Owner" in each["Contents"][0] for each in listings] == [True, True, False]
    assert "Status" not in client.get_bucket_versioning(Bucket="photos")
    assert [
        code_of(client.get_bucket_versioning, Bucket="nowhere"),
        code_of(client.put_bucket_versioning, Bucket="photos", **enabled),
    ] == ["NoSuchBucket", "NotImplemented"]


@pytest.mark.parametrize("vendor", ["s3", "minio"])
def test_a_range_past_the_end_tells_the_size(photos, vendor):
    """smart_open takes the end of the object from there, and reads nothing any more if it is 0."""
    with pytest.raises(ClientError) as caught:
        photos(vendor, "k").get_object(Bucket="photos", Key="k", Range="bytes=9-")
    assert caught.value.response["Error"]["ActualObjectSize"] == "4"


@pytest.mark.parametrize("vendor", ["s3", "minio"])
def test_a_copy_onto_itself_has_to_change_something(photos, vendor):
    """S3 and MinIO refuse one that changes nothing, such as a touch without MetadataDirective."""
    client = photos(vendor, "k")
    copy = {"Bucket": "photos", "Key": "k", "CopySource": {"Bucket": "photos", "Key": "k"}}
    with pytest.raises(ClientError, match=r"\(InvalidRequest\).* trying to copy an object to itself"):
        client.copy_object(**copy)
    client.copy_object(**copy, StorageClass="STANDARD_IA")
    client.copy_object(**copy, MetadataDirective="REPLACE", Metadata={"mood": "awake"})
    client.copy_object(**{**copy, "Key": "other"})
    assert client.head_object(Bucket="photos", Key="k")["Metadata"] == {"mood": "awake"}


@pytest.mark.parametrize(("vendor", "code"), [("s3", None), ("minio", "BucketAlreadyOwnedByYou")])
def test_a_bucket_is_made_again(photos, vendor, code):
    """S3 in us-east-1 accepts the same bucket again, and keeps its content; others answer 409.

    S3's other regions do the same.
    """
    client = photos(vendor, "cat")
    assert code_of(client.create_bucket, Bucket="photos") == code
    assert client.get_object(Bucket="photos", Key="cat")["Body"].read() == b"meow"
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    assert code_of(client.create_bucket, Bucket="photos", **elsewhere) == "BucketAlreadyOwnedByYou"


@pytest.mark.parametrize("vendor", ["s3", "minio"])
def test_parts_of_a_finished_object(photos, vendor):
    """An object can be read part by part; one that came whole, or a copy, is its part 1.

    Transfer managers for Java and Go read so.
    """
    client = photos(vendor)
    at = {"Bucket": "photos", "Key": "cat"}
    upload = place_of_parts(client, "cat")
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**upload, PartNumber=number, Body=content)["ETag"]}
        for number, content in ((1, b"meow"), (4, b"purr!"))
    ]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    client.copy_object(**{**at, "Key": "copy"}, CopySource=at)
    client.put_object(**{**at, "Key": "empty"})

    def part(key, number):
        try:
            got = client.get_object(Bucket="photos", Key=key, PartNumber=number)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return got.get("PartsCount"), got.get("ContentRange"), got["Body"].read()

    found = {
        ("cat", 1): (2, "bytes 0-3/9", b"meow"),
        ("cat", 2): "InvalidPartNumber",
        ("cat", 4): (2, "bytes 4-8/9", b"purr!"),
        ("copy", 1): (None, "bytes 0-8/9", b"meowpurr!"),
        ("copy", 2): "InvalidPartNumber",
        ("empty", 1): (None, None, b""),
    }
    assert {each: part(*each) for each in found} == found
    head = client.head_object(**at, PartNumber=4)
    assert (head["ContentLength"], head["PartsCount"], head["ETag"]) == (
        5,
        2,
        client.head_object(**at)["ETag"],
    )


@pytest.mark.parametrize(("vendor", "marker"), [("s3", None), ("minio", "a")])
def test_the_next_marker(photos, vendor, marker):
    """S3's first listing has none unless there is a delimiter; the second has its token."""
    client = photos(vendor, "a", "b/c", "d")
    page = client.list_objects(Bucket="photos", MaxKeys=1)
    assert (page["IsTruncated"], page.get("NextMarker")) == (True, marker)
    assert client.list_objects(Bucket="photos", MaxKeys=2, Delimiter="/")["NextMarker"] == "b/"
    assert client.list_objects_v2(Bucket="photos", MaxKeys=1)["NextContinuationToken"]


@pytest.mark.parametrize(("vendor", "status"), [("s3", 404), ("minio", 200)])
def test_a_plus_in_a_source(vendor, status):
    """It is a blank to S3, so that a client which does not encode it finds no object."""
    client = client_of(vendor, **{"a+b": b"x"})
    asked = [{"x-amz-copy-source": source} for source in ("photos/a+b", "photos/a%2Bb")]
    answers = [client.put("/photos/copy", headers=headers) for headers in asked]
    assert [each.status_code for each in answers] == [status, 200]


@pytest.mark.parametrize(("vendor", "code"), [("s3", None), ("cos", "BucketNotEmpty")])
def test_a_bucket_goes_with_its_uploads(photos, vendor, code):
    """S3 deletes a bucket with unfinished uploads; other vendors refuse.

    A test that has failed leaves such uploads. Others want them to be given up first.
    """
    client = photos(vendor)
    client.create_multipart_upload(Bucket="photos", Key="cat")
    assert code_of(client.delete_bucket, Bucket="photos") == code


RANGES = {
    "bytes=1-3": None,
    "bytes=1-4": "InvalidArgument",
    "bytes=1-": "InvalidArgument",
    "bytes=-3": "InvalidArgument",
    "bytes=-5": "InvalidArgument",
    "bytes=3-1": "InvalidArgument",
    "bytes=4-5": "InvalidRange",
    "bytes=3-3": None,
}


@pytest.mark.parametrize(
    ("vendor", "codes"), [("s3", RANGES), ("cos", RANGES | dict.fromkeys([*RANGES][1:5]))], ids=["s3", "cos"]
)
def test_a_range_of_a_source_has_to_be_in_it(photos, vendor, codes):
    """S3 wants first and last, and both in the source, where a range of a read is cut."""
    client = photos(vendor, "cat")
    copy = place_of_parts(client, "copy") | {"PartNumber": 1, "CopySource": "photos/cat"}
    found = {each: code_of(client.upload_part_copy, **copy, CopySourceRange=each) for each in codes}
    assert found == codes


def test_what_s3_says_of_an_object(photos):
    """A one-request copy has its content's MD5 as tag; an object without a type gets S3's own.

    Whatever the source was made of.
    """
    client = photos("s3")
    upload = place_of_parts(client, "cat")
    tag = client.upload_part(**upload, PartNumber=1, Body=b"meow")["ETag"]
    whole = client.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}
    )
    copied = client.copy_object(Bucket="photos", Key="copy", CopySource="photos/cat")["CopyObjectResult"][
        "ETag"
    ]
    head = client.head_object(Bucket="photos", Key="copy")
    assert whole["ETag"] != copied == head["ETag"] == f'"{md5(b"meow", usedforsecurity=False).hexdigest()}"'
    assert head["ContentType"] == "binary/octet-stream"


@pytest.mark.parametrize(("vendor", "code"), [("s3", "MalformedXML"), ("minio", None), ("cos", None)])
def test_a_list_of_parts_without_etags(photos, vendor, code):
    """S3 wants them; of the others nobody has said so."""
    client = photos(vendor)
    upload = place_of_parts(client, "cat")
    client.upload_part(**upload, PartNumber=1, Body=b"meow")
    parts = {"Parts": [{"PartNumber": 1}]}
    assert code_of(client.complete_multipart_upload, **upload, MultipartUpload=parts) == code
