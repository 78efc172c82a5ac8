"""Google's own SDK takes the store for Cloud Storage."""

import io
from functools import partial

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


def check(*refused):
    """Check that each call is refused by a class of Google's error, maybe with words of it."""
    from google.api_core.exceptions import GoogleAPICallError

    for number, (call, name, *words) in enumerate(refused):
        with pytest.raises(GoogleAPICallError, match="".join(words) or None) as caught:
            call()
        assert type(caught.value).__name__ == name, number


def test_buckets(gcs):
    """Made, found, listed by prefix, deleted."""
    names = ["films", "photos", "photos_2"]
    assert [gcs.create_bucket(name).name for name in names] == names
    assert gcs.get_bucket("photos").storage_class == "STANDARD"
    assert [each.name for each in gcs.list_buckets(prefix="photos", page_size=1)] == ["photos", "photos_2"]
    gcs.bucket("films").delete()
    assert not gcs.bucket("films").exists()
    film = gcs.bucket("films").blob("k")
    check(
        (lambda: gcs.create_bucket("photos"), "Conflict", "you already own it"),
        (
            lambda: film.upload_from_string(b"x", retry=None),
            "NotFound",
            "The specified bucket does not exist",
        ),
    )


def test_what_is_written_is_read(photos):
    """Bytes, size, description and digests come back as they were sent, whatever the name."""
    blob = photos.blob("a/ü b.jpg")
    blob.metadata = {"Mood": "slöepy"}
    blob.cache_control = "no-cache"
    blob.upload_from_string(b"meow\0", content_type="image/jpeg", retry=None)
    assert blob.download_as_bytes(retry=None) == b"meow\0"
    assert blob.download_as_bytes(start=1, end=2, retry=None) == b"eo"
    again = photos.blob("a/ü b.jpg")
    again.reload(retry=None)
    names = ("etag", "generation", "time_created", "updated")
    assert [getattr(again, name) for name in names] == [getattr(blob, name) for name in names]
    written = {
        "size": 5,
        "metageneration": 1,
        "md5_hash": "ZpgVRS6C9cxmi7n3gsO3fg==",
        "crc32c": "AeifxQ==",
        "metadata": {"Mood": "slöepy"},
        "cache_control": "no-cache",
        "content_type": "image/jpeg",
    }
    for each in (blob, again):
        assert {name: getattr(each, name) for name in written} == written


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
    made, source = photos.blob("k"), photos.blob("a")
    made.compose([source], if_source_generation_match=[first])
    check(
        (lambda: made.compose([source], if_source_generation_match=[first + 1]), "PreconditionFailed"),
        (lambda: made.compose([source, photos.blob("gone")]), "NotFound", "No such object: photos/gone"),
        (
            lambda: made.compose([source], delete_source_objects=True),
            "BadRequest",
            "support deleteSourceObjects",
        ),
        (lambda: made.compose([source, composed]), "BadRequest"),
    )
    assert photos.blob("k").download_as_bytes() == b"a"


def test_storage_classes(photos):
    """Storage classes are set by upload or rewrite; a copy has the usual class."""
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
    check((blob.patch, "BadRequest"))


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
    bucket = gcs.bucket("kept")
    bucket.versioning_enabled = True
    check((bucket.create, "BadRequest", "the embedded store does not support versioning"))
    assert not bucket.exists()
    bucket.versioning_enabled = False
    bucket.create()
    assert bucket.exists()


def test_what_the_store_has_not_is_refused_in_words(photos, gcs, tmp_path):
    """Nothing is done in its place."""
    from google.cloud.storage.transfer_manager import upload_chunks_concurrently

    blob = photos.blob("k")
    blob.upload_from_string(b"x")
    photos.blob("k/acl").upload_from_string(b"y")
    trailing = {"include_trailing_delimiter": True}

    def in_a_batch():
        with gcs.batch():
            blob.delete()

    none = "the embedded store does not support "
    check(
        (lambda: list(photos.list_blobs(match_glob="k*")), "BadRequest", none, "matchGlob"),
        (lambda: list(photos.list_blobs(**trailing)), "BadRequest", none, "includeTrailingDelimiter"),
        (in_a_batch, "BadRequest", none, "batches"),
    )
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
    blob = photos.blob("a/b")
    blob.metadata = {"of": "me"}
    blob.upload_from_string(b"x", content_type="text/plain")
    check(
        (lambda: photos.move_blob(blob, "c/d", if_source_generation_match=1), "PreconditionFailed"),
        (lambda: photos.move_blob(blob, "c/d", if_generation_match=1), "PreconditionFailed"),
        (lambda: photos.move_blob(blob, "a/b"), "BadRequest"),
    )
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
    check((lambda: photos.move_blob(blob, "e"), "NotFound"))


def test_changes(photos):
    """A patch changes what it names, an update all; each is a new metageneration."""
    blob = photos.blob("k")
    blob.metadata = {"a": "1", "b": "2"}
    blob.content_language = "en"
    blob.upload_from_string(b"x")
    first = blob.generation
    blob.metadata = {"a": "3", "b": None}
    blob.patch()
    blob.reload()
    assert (blob.metadata, blob.metageneration, blob.content_language) == ({"a": "3"}, 2, "en")
    blob.metadata = {"c": "4"}
    blob.update()
    blob.reload()
    assert (blob.metadata, blob.metageneration, blob.generation) == ({"c": "4"}, 3, first)
    assert blob.download_as_bytes() == b"x"


def test_listings(photos):
    """By prefix, delimiter and span, page by page."""
    names = ["a/1", "a/2", "b", "c/1", "ü"]
    for name in reversed(names):
        photos.blob(name).upload_from_string(b"x")
    walked = photos.list_blobs(delimiter="/", page_size=1)
    assert ([each.name for each in walked], walked.prefixes) == (["b", "ü"], {"a/", "c/"})
    refused = ("include_trailing_delimiter", "soft_deleted", "include_folders_as_prefixes")
    asked = [
        {"page_size": 2},
        {"prefix": "a/"},
        {"start_offset": "a/2", "end_offset": "c"},
        dict.fromkeys(refused, False),
    ]
    found = [[each.name for each in photos.list_blobs(**keys)] for keys in asked]
    assert found == [names, ["a/1", "a/2"], ["a/2", "b"], names]


def test_conditions(photos):
    """A write happens only to the generation that is meant; 0 means none."""
    blob = photos.blob("k")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    blob.upload_from_string(b"2", if_generation_match=first, if_metageneration_match=1)
    for each in (
        {"if_generation_match": 0},
        {"if_generation_match": first},
        {"if_generation_not_match": blob.generation},
        {"if_metageneration_match": 2},
    ):
        whole, pieces = photos.blob("k"), photos.blob("k", chunk_size=CHUNK)
        check(
            (partial(whole.upload_from_string, b"3", **each), "PreconditionFailed"),
            (partial(pieces.upload_from_file, io.BytesIO(b"3"), **each), "PreconditionFailed"),
        )
    old, copy = photos.blob("k", generation=first), photos.blob("copy")
    check(
        (lambda: copy.rewrite(photos.blob("k"), if_source_generation_match=first), "PreconditionFailed"),
        (lambda: photos.blob("k").delete(if_generation_match=first), "PreconditionFailed"),
        (old.download_as_bytes, "NotFound", "No such object: photos/k"),
        (lambda: blob.download_as_bytes(if_etag_match="CAE="), "PreconditionFailed"),
        (lambda: blob.reload(if_etag_not_match=blob.etag), "NotModified"),
    )
    assert blob.download_as_bytes(if_etag_match=blob.etag) == b"2"
    blob.delete(if_generation_match=blob.generation)
    check((blob.delete, "NotFound", "No such object: photos/k"))
