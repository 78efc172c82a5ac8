"""Google's own SDK takes the store for Cloud Storage."""

from __future__ import annotations

import io

import pytest

BIG = bytes(range(256)) * 3000
CHUNK = 256 * 1024


@pytest.fixture
def gcs(serve, monkeypatch):
    """Google's own client; no thread of it asks for a bucket, which would outlive the test."""
    storage = pytest.importorskip("google.cloud.storage")
    from google.auth.credentials import AnonymousCredentials

    client = storage.Client(
        project="p",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://127.0.0.1:{serve('gcs')}"},
    )
    monkeypatch.setattr(client, "_bucket_metadata_cache", None, raising=False)
    yield client
    client.close()


@pytest.fixture
def photos(gcs):
    return gcs.create_bucket("photos")


def test_buckets(gcs):
    """Made, found, listed by prefix, deleted."""
    from google.api_core.exceptions import Conflict, NotFound

    for name in ("films", "photos", "photos_2"):
        assert gcs.create_bucket(name).name == name
    assert gcs.get_bucket("photos").storage_class == "STANDARD"
    assert [each.name for each in gcs.list_buckets(prefix="photos", page_size=1)] == ["photos", "photos_2"]
    with pytest.raises(Conflict, match="you already own it"):
        gcs.create_bucket("photos")
    gcs.bucket("films").delete()
    assert not gcs.bucket("films").exists()
    with pytest.raises(NotFound, match="The specified bucket does not exist"):
        gcs.bucket("films").blob("k").upload_from_string(b"x", retry=None)


def test_what_is_written_is_read(photos):
    """Bytes, size, description and digests come back as they were sent, whatever the name."""
    blob = photos.blob("a/ü b.jpg")
    blob.metadata = {"Mood": "slöepy"}
    blob.cache_control = "no-cache"
    blob.upload_from_string(b"meow\0", content_type="image/jpeg", retry=None)
    assert (blob.size, blob.metageneration) == (5, 1)
    assert blob.download_as_bytes(retry=None) == b"meow\0"
    assert blob.download_as_bytes(start=1, end=2, retry=None) == b"eo"
    again = photos.blob("a/ü b.jpg")
    again.reload(retry=None)
    for name in ("size", "md5_hash", "crc32c", "etag", "generation", "time_created", "updated"):
        assert getattr(again, name) == getattr(blob, name)
    assert (again.md5_hash, again.crc32c) == ("ZpgVRS6C9cxmi7n3gsO3fg==", "AeifxQ==")
    assert (again.metadata, again.cache_control, again.content_type) == (
        {"Mood": "slöepy"},
        "no-cache",
        "image/jpeg",
    )


@pytest.mark.parametrize("size", [0, 1000, CHUNK, 2 * CHUNK, len(BIG)])
@pytest.mark.parametrize("told", [True, False])
def test_resumable_uploads(photos, size, told):
    """Chunk by chunk, of a length that is known or not; the SDK checks the digest of the whole."""
    blob = photos.blob("big", chunk_size=CHUNK)
    blob.upload_from_file(io.BytesIO(BIG[:size]), size=size if told else None, content_type="x/y")
    assert (blob.size, blob.content_type) == (size, "x/y")
    assert photos.blob("big").download_as_bytes() == BIG[:size]


def test_files(photos):
    """The SDK's file objects, which upload and fetch by chunks."""
    with photos.blob("file").open("wb", chunk_size=CHUNK) as file:
        file.write(BIG)
    with photos.blob("file").open("rb", chunk_size=CHUNK) as file:
        file.seek(CHUNK)
        assert file.read() == BIG[CHUNK:]


def test_copies(photos, gcs):
    """Copied, rewritten and composed; the description comes along unless another is given."""
    source = photos.blob("a/1")
    source.metadata = {"mood": "sleepy"}
    source.upload_from_string(b"meow", content_type="image/jpeg")
    other = gcs.create_bucket("other")
    copy = photos.copy_blob(source, other, "b/ü")
    assert (copy.name, copy.bucket.name, copy.metadata, copy.content_type) == (
        "b/ü",
        "other",
        {"mood": "sleepy"},
        "image/jpeg",
    )
    named = photos.blob("renamed")
    named.metadata = {"a": "b"}
    assert named.rewrite(source) == (None, 4, 4)
    named.reload()
    assert (named.metadata, named.md5_hash) == ({"a": "b"}, source.md5_hash)
    composed = photos.blob("composed")
    composed.content_type = "x/y"
    composed.compose([source, named])
    assert (composed.download_as_bytes(), composed.content_type) == (b"meowmeow", "x/y")
    photos.rename_blob(named, "moved")
    assert [each.name for each in photos.list_blobs()] == ["a/1", "composed", "moved"]


def test_composites(photos):
    """Objects are composed by name; the result has their number and no MD5.

    Each source may be meant in one generation only.
    """
    from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed

    for name in ("a", "b"):
        photos.blob(name).upload_from_string(name)
    composed = photos.blob("composed")
    composed.compose([photos.blob("a"), photos.blob("b")])
    composed.compose([photos.blob("composed"), photos.blob("a")])
    assert (composed.component_count, composed.md5_hash) == (3, None)
    assert composed.download_as_bytes(checksum="crc32c") == b"aba"
    assert photos.copy_blob(composed, photos, "copy").component_count == 3
    composed.update_storage_class("COLDLINE")
    assert (composed.component_count, composed.md5_hash) == (1, None)
    first = photos.get_blob("a").generation
    photos.blob("k").compose([photos.blob("a")], if_source_generation_match=[first])
    with pytest.raises(PreconditionFailed):
        photos.blob("k").compose([photos.blob("a")], if_source_generation_match=[first + 1])
    with pytest.raises(NotFound, match="No such object: photos/gone"):
        photos.blob("k").compose([photos.blob("a"), photos.blob("gone")])
    with pytest.raises(BadRequest, match="the embedded store does not support deleteSourceObjects"):
        photos.blob("k").compose([photos.blob("a")], delete_source_objects=True)
    with pytest.raises(BadRequest):
        photos.blob("k").compose([photos.blob("a"), composed])
    assert photos.blob("k").download_as_bytes() == b"a"


def test_storage_classes(photos):
    """Storage classes are set by upload or rewrite; a copy has the usual class."""
    from google.api_core.exceptions import BadRequest

    blob = photos.blob("k")
    blob.storage_class = "archive"
    blob.upload_from_string(b"x")
    blob.storage_class = "Archive"
    blob.patch()
    composed = photos.blob("composed")
    composed.compose([blob])
    assert [each.storage_class for each in photos.list_blobs()] == ["ARCHIVE", "ARCHIVE"]
    blob.update_storage_class("NEARLINE")
    assert (blob.storage_class, photos.get_blob("k").storage_class) == ("NEARLINE", "NEARLINE")
    blob.metadata = {"a": "b"}
    blob.patch()
    blob.update()
    assert photos.get_blob("k").storage_class == "NEARLINE"
    assert photos.copy_blob(blob, photos, "copy").storage_class == "STANDARD"
    blob.storage_class = "COLDLINE"
    with pytest.raises(BadRequest):
        blob.patch()


def test_versions(photos, gcs):
    """An unversioned bucket lists live objects only, and can be deleted with them."""
    for name in ("a", "b"):
        photos.blob(name).upload_from_string(b"1")
        photos.blob(name).upload_from_string(b"2")
    assert [each.name for each in photos.list_blobs(versions=True)] == ["a", "b"]
    photos.delete(force=True)
    assert not photos.exists()


def test_a_bucket_with_versioning_is_refused(gcs):
    """A bucket with versioning is refused, as it would lose what its client takes for kept.

    If the request sets versioning to off, the bucket is made.
    """
    from google.api_core.exceptions import BadRequest

    bucket = gcs.bucket("kept")
    bucket.versioning_enabled = True
    with pytest.raises(BadRequest, match="the embedded store does not support versioning"):
        bucket.create()
    assert not bucket.exists()
    bucket.versioning_enabled = False
    bucket.create()
    assert bucket.exists()


def test_what_the_store_has_not_is_refused_in_words(photos, gcs, tmp_path):
    """Nothing is done in its place."""
    from google.api_core.exceptions import BadRequest
    from google.cloud.storage.transfer_manager import upload_chunks_concurrently

    blob = photos.blob("k")
    blob.upload_from_string(b"x")
    photos.blob("k/acl").upload_from_string(b"y")
    for words, refused in (
        ("matchGlob", lambda: list(photos.list_blobs(match_glob="k*"))),
        ("includeTrailingDelimiter", lambda: list(photos.list_blobs(include_trailing_delimiter=True))),
    ):
        with pytest.raises(BadRequest, match=f"the embedded store does not support {words}"):
            refused()
    with pytest.raises(BadRequest, match="the embedded store does not support batches"), gcs.batch():
        blob.delete()
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3)
    with pytest.raises(Exception, match="Request failed with status code") as caught:
        upload_chunks_concurrently(file, photos.blob("m"), chunk_size=2, worker_type="thread")
    assert (
        "the embedded store does not support the XML API here; --vendor gcs-xml does"
        in caught.value.response.text
    )
    assert [each.name for each in photos.list_blobs()] == ["k", "k/acl"]


def test_a_move(photos):
    """The object has another name and generation, its description stays, and the source is gone.

    Neither itself nor an object that is not there is moved, and preconditions hold for both names.
    """
    from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed

    blob = photos.blob("a/b")
    blob.metadata = {"of": "me"}
    blob.upload_from_string(b"x", content_type="text/plain")
    with pytest.raises(PreconditionFailed):
        photos.move_blob(blob, "c/d", if_source_generation_match=1)
    with pytest.raises(PreconditionFailed):
        photos.move_blob(blob, "c/d", if_generation_match=1)
    with pytest.raises(BadRequest):
        photos.move_blob(blob, "a/b")
    moved = photos.move_blob(blob, "c/d", if_generation_match=0, if_source_generation_match=blob.generation)
    assert (moved.name, moved.metageneration, moved.metadata, moved.content_type) == (
        "c/d",
        1,
        {"of": "me"},
        "text/plain",
    )
    assert moved.generation > blob.generation
    assert [each.name for each in photos.list_blobs()] == ["c/d"]
    assert moved.download_as_bytes() == b"x"
    with pytest.raises(NotFound):
        photos.move_blob(blob, "e")


def test_changes(photos):
    """A patch changes what it names, an update all; each is a new metageneration."""
    blob = photos.blob("k")
    blob.metadata = {"a": "1", "b": "2"}
    blob.content_language = "en"
    blob.upload_from_string(b"x")
    blob.metadata = {"a": "3", "b": None}
    blob.patch()
    blob.reload()
    assert (blob.metadata, blob.metageneration, blob.content_language) == ({"a": "3"}, 2, "en")
    blob.metadata = {"c": "4"}
    blob.update()
    blob.reload()
    assert (blob.metadata, blob.metageneration, blob.generation) == ({"c": "4"}, 3, blob.generation)
    assert blob.download_as_bytes() == b"x"


def test_listings(photos):
    """By prefix, delimiter and span, page by page."""
    names = ["a/1", "a/2", "b", "c/1", "ü"]
    for name in reversed(names):
        photos.blob(name).upload_from_string(b"x")
    assert [each.name for each in photos.list_blobs(page_size=2)] == names
    walked = photos.list_blobs(delimiter="/", page_size=1)
    assert ([each.name for each in walked], walked.prefixes) == (["b", "ü"], {"a/", "c/"})
    assert [each.name for each in photos.list_blobs(prefix="a/")] == ["a/1", "a/2"]
    assert [each.name for each in photos.list_blobs(start_offset="a/2", end_offset="c")] == ["a/2", "b"]
    refused = dict.fromkeys(
        ("include_trailing_delimiter", "soft_deleted", "include_folders_as_prefixes"), False
    )
    assert [each.name for each in photos.list_blobs(**refused)] == names


def test_conditions(photos):
    """A write happens only to the generation that is meant; 0 means none."""
    from google.api_core.exceptions import NotFound, NotModified, PreconditionFailed

    blob = photos.blob("k")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    blob.upload_from_string(b"2", if_generation_match=first, if_metageneration_match=1)
    for condition in (
        {"if_generation_match": 0},
        {"if_generation_match": first},
        {"if_generation_not_match": blob.generation},
        {"if_metageneration_match": 2},
    ):
        with pytest.raises(PreconditionFailed):
            photos.blob("k").upload_from_string(b"3", **condition)
        with pytest.raises(PreconditionFailed):
            photos.blob("k", chunk_size=CHUNK).upload_from_file(io.BytesIO(b"3"), **condition)
    with pytest.raises(PreconditionFailed):
        photos.blob("copy").rewrite(photos.blob("k"), if_source_generation_match=first)
    with pytest.raises(PreconditionFailed):
        photos.blob("k").delete(if_generation_match=first)
    with pytest.raises(NotFound, match="No such object: photos/k"):
        photos.blob("k", generation=first).download_as_bytes()
    with pytest.raises(PreconditionFailed):
        blob.download_as_bytes(if_etag_match="CAE=")
    with pytest.raises(NotModified):
        blob.reload(if_etag_not_match=blob.etag)
    assert blob.download_as_bytes(if_etag_match=blob.etag) == b"2"
    blob.delete(if_generation_match=blob.generation)
    with pytest.raises(NotFound, match="No such object: photos/k"):
        blob.delete()
