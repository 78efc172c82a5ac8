"""The official Azure SDK takes the store for Azure Blob Storage."""

from datetime import UTC, datetime, timedelta

import pytest

BIG = bytes(range(256)) * 1024
PIECE = 100_000


@pytest.fixture
def service(serve):
    """The SDK's client of an account, with small pieces and no retries; any credential does."""
    blob = pytest.importorskip("azure.storage.blob")
    sizes = dict.fromkeys(
        ("max_block_size", "max_single_put_size", "max_single_get_size", "max_chunk_get_size"), PIECE
    )
    url = f"http://127.0.0.1:{serve('azure-blob')}/account"
    with blob.BlobServiceClient(url, credential="a2V5", retry_total=0, **sizes) as client:
        yield client


@pytest.fixture
def photos(service):
    return service.create_container("photos")


def check(*refused):
    """Check that the SDK reads the code and status that stand beside each call."""
    from azure.core.exceptions import HttpResponseError

    for number, (call, expected) in enumerate(refused):
        with pytest.raises(HttpResponseError) as caught:
            call()
        code = caught.value.error_code
        assert (getattr(code, "value", code), caught.value.status_code) == expected, number


def test_containers(service):
    """Containers are made with metadata, found, listed in pages, changed and deleted with blobs.

    Listings have a prefix too.
    """
    for name in ("photos", "photos-2", "films"):
        service.create_container(name, metadata={"mood": "sleepy"}).upload_blob("k", b"x")
    pages = service.list_containers(name_starts_with="photos", include_metadata=True, results_per_page=1)
    shown = [[(each.name, each.metadata) for each in page] for page in pages.by_page()]
    assert shown == [[("photos", {"mood": "sleepy"})], [("photos-2", {"mood": "sleepy"})]]
    photos = service.get_container_client("photos")
    before = photos.get_container_properties()
    photos.set_container_metadata({"mood": "awake"})
    after = photos.get_container_properties()
    assert (before.metadata, after.metadata) == ({"mood": "sleepy"}, {"mood": "awake"})
    assert before.etag != after.etag
    service.delete_container("photos")
    left = [(each.name, each.metadata) for each in service.list_containers()]
    assert (photos.exists(), left) == (False, [("films", None), ("photos-2", None)])


def test_blobs(photos):
    """Uploaded with properties and metadata, downloaded whole and in part, changed, deleted."""
    from azure.storage.blob import ContentSettings

    blob = photos.get_blob_client("a/ü b+c.jpg")
    put = blob.upload_blob(
        b"meow",
        metadata={"mood": "sleepy"},
        content_settings=ContentSettings("image/jpeg", cache_control="no-cache"),
    )
    known = blob.get_blob_properties()
    told = known.content_settings
    seen = {
        "blob": (known.size, known.metadata, known.etag),
        "content": (told.content_type, told.cache_control, bytes(told.content_md5)),
        "whole": blob.download_blob().readall(),
        "range": blob.download_blob(offset=1, length=2, validate_content=True).readall(),
    }
    assert seen == {
        "blob": (4, {"mood": "sleepy"}, put["etag"]),
        "content": ("image/jpeg", "no-cache", bytes(put["content_md5"])),
        "whole": b"meow",
        "range": b"eo",
    }
    blob.set_blob_metadata({"mood": "awake"})
    blob.set_http_headers(ContentSettings("image/png"))
    changed = blob.get_blob_properties()
    told = changed.content_settings
    assert (changed.metadata, told.content_type, told.cache_control) == ({"mood": "awake"}, "image/png", None)
    assert (changed.creation_time, changed.size) == (known.creation_time, 4)
    blob.delete_blob()
    assert not blob.exists()


def test_blobs_of_several_pieces(photos):
    """A blob is staged in blocks and fetched in ranges, also a stream or an empty blob.

    The stream's length is unknown.
    """
    blob = photos.upload_blob("big", BIG)
    committed, staged = blob.get_block_list("all")
    assert ([each.size for each in committed], staged) == ([PIECE, PIECE, len(BIG) - 2 * PIECE], [])
    photos.upload_blob("stream", iter([BIG, BIG]))
    photos.upload_blob("empty", b"")
    contents = {"big": BIG, "stream": BIG + BIG, "empty": b""}
    assert {
        each: photos.download_blob(each, validate_content=True).readall() for each in contents
    } == contents


def test_blocks(photos):
    """Staged blocks wait until a list names them; a new list may reuse committed ones.

    It drops the rest.
    """
    from azure.storage.blob import BlobBlock, BlobType

    blob = photos.get_blob_client("k")
    for name, content in (("a", b"A"), ("b", b"B"), ("c", b"C")):
        blob.stage_block(name, content)
    assert [(each.id, each.size) for each in blob.get_block_list("uncommitted")[1]] == [
        ("a", 1),
        ("b", 1),
        ("c", 1),
    ]
    assert not blob.exists()
    blob.commit_block_list([BlobBlock("b"), BlobBlock("a")], metadata={"mood": "sleepy"})
    assert blob.download_blob().readall() == b"BA"
    blob.stage_block_from_url("d", blob.url, source_offset=1, source_length=1)
    blob.stage_block("a", b"new")
    blob.commit_block_list([BlobBlock("a"), BlobBlock("b"), BlobBlock("d"), BlobBlock("d")])
    assert blob.download_blob().readall() == b"newBAA"
    blob.stage_block("x", b"unused")
    blob.upload_blob(b"whole", overwrite=True)
    assert blob.get_block_list("all") == ([], [])
    assert blob.get_blob_properties().blob_type is BlobType.BLOCKBLOB
    check((lambda: blob.commit_block_list([BlobBlock("a")]), ("InvalidBlockList", 400)))
    blob.stage_block("x", b"unused")
    blob.delete_blob()
    check((lambda: blob.commit_block_list([BlobBlock("x")]), ("InvalidBlockList", 400)))


def test_copies(photos):
    """A copy is there at once by all three ways, with the source's metadata unless given."""
    source = photos.upload_blob("a/ü b", b"meow", metadata={"mood": "sleepy"})
    copy = photos.get_blob_client("copy")
    assert copy.start_copy_from_url(source.url)["copy_status"] == "success"
    known = copy.get_blob_properties()
    assert (known.copy.status, known.copy.progress, known.metadata) == ("success", "4/4", {"mood": "sleepy"})
    assert copy.start_copy_from_url(source.url, metadata={"a": "b"}, requires_sync=True)["copy_id"]
    assert copy.get_blob_properties().metadata == {"a": "b"}
    copy.upload_blob_from_url(f"{source.url}?sig=signed", overwrite=True)
    assert (copy.download_blob().readall(), copy.get_blob_properties().copy.id) == (b"meow", None)
    [listed] = photos.list_blobs(name_starts_with="copy")
    assert listed.etag == copy.get_blob_properties().etag


def test_append_blobs(photos):
    """Append blobs are made empty and grow, under conditions on offset and length."""
    from azure.core import MatchConditions

    changed = {"etag": '"other"', "match_condition": MatchConditions.IfNotModified}
    log = photos.get_blob_client("log")
    log.create_append_blob(metadata={"mood": "sleepy"})
    first, second = log.append_block(b"meow"), log.append_block(b"purr", appendpos_condition=4)
    assert [(each["blob_append_offset"], each["blob_committed_block_count"]) for each in (first, second)] == [
        ("0", 1),
        ("4", 2),
    ]
    photos.get_blob_client("copy").start_copy_from_url(log.url)
    for name in ("log", "copy"):
        known = photos.get_blob_client(name).get_blob_properties()
        told = known.blob_type, known.append_blob_committed_block_count, known.size, known.metadata
        assert told == ("AppendBlob", 2, 8, {"mood": "sleepy"})
        assert photos.download_blob(name).readall() == b"meowpurr"
    assert [(each.name, each.blob_type) for each in photos.list_blobs()] == [
        ("copy", "AppendBlob"),
        ("log", "AppendBlob"),
    ]
    photos.upload_blob("log", b"!", blob_type="AppendBlob")
    assert photos.download_blob("log").readall() == b"meowpurr!"
    check(
        (lambda: log.append_block(b"!", appendpos_condition=4), ("AppendPositionConditionNotMet", 412)),
        (lambda: log.append_block(b"!", maxsize_condition=9), ("MaxBlobSizeConditionNotMet", 412)),
        (lambda: log.append_block(b"!", **changed), ("ConditionNotMet", 412)),
        (lambda: log.stage_block("a", b"!"), ("InvalidBlobType", 409)),
        (lambda: log.commit_block_list([]), ("InvalidBlobType", 409)),
        (lambda: photos.get_blob_client("gone").append_block(b"!"), ("BlobNotFound", 404)),
    )
    log.upload_blob(b"block", overwrite=True)
    check((lambda: log.append_block(b"!"), ("InvalidBlobType", 409)))


def test_listings(photos):
    """Flat and by a delimiter, page by page; names that XML cannot have come back whole."""
    names = ["a/1", "a/2", "b", "c/1", "e&<\x01\ufffe", "ü"]
    for name in reversed(names):
        photos.upload_blob(name, b"xyz", metadata={"mood": name[0]} if name < "c" else None)
    flat = photos.list_blobs(results_per_page=2, include=["metadata"])
    pages = [[(each.name, each.size, each.metadata) for each in page] for page in flat.by_page()]
    told = [(name, 3, {"mood": name[0]} if name < "c" else {}) for name in names]
    assert pages == [told[:2], told[2:4], told[4:]]
    found = [
        photos.walk_blobs(results_per_page=1),
        photos.walk_blobs(name_starts_with="a/"),
        photos.list_blobs(start_from="b", results_per_page=1),
    ]
    assert [[each.name for each in those] for those in found] == [
        ["a/", "b", "c/", names[4], "ü"],
        ["a/1", "a/2"],
        names[2:],
    ]


def test_conditions(photos):
    """An existing blob is overwritten only on request, and only in the version that is meant."""
    from azure.core import MatchConditions

    blob = photos.upload_blob("k", b"1")
    first = blob.get_blob_properties().etag
    hour, now = timedelta(hours=1), datetime.now(UTC)
    other = {"etag": '"other"', "match_condition": MatchConditions.IfNotModified}
    same = {"etag": first, "match_condition": MatchConditions.IfModified}
    gone = photos.get_blob_client("gone")
    source_other = {"source_etag": '"other"', "source_match_condition": MatchConditions.IfNotModified}
    source_same = {"source_etag": first, "source_match_condition": MatchConditions.IfModified}
    refused, unfit = ("ConditionNotMet", 412), ("SourceConditionNotMet", 412)
    check(
        (lambda: blob.upload_blob(b"2"), ("BlobAlreadyExists", 409)),
        (lambda: blob.upload_blob(b"2", overwrite=True, **other), refused),
        (lambda: blob.upload_blob(b"2", overwrite=True, **same), refused),
        (lambda: blob.delete_blob(**other), refused),
        (lambda: blob.delete_blob(if_unmodified_since=now - hour), refused),
        (lambda: blob.set_blob_metadata({}, if_modified_since=now + hour), refused),
        (lambda: blob.download_blob(**other), refused),
        (lambda: blob.download_blob(**same), ("ConditionNotMet", 304)),
        (lambda: gone.start_copy_from_url(blob.url, **source_other), unfit),
        (lambda: gone.start_copy_from_url(blob.url, **source_same), unfit),
        (lambda: gone.upload_blob(b"2", overwrite=True, **other), refused),
    )
    blob.upload_blob(b"2", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    blob.set_blob_metadata({"a": "b"}, if_unmodified_since=now + hour)
    blob.delete_blob(if_modified_since=now - hour)


def test_conditions_of_containers(service, photos):
    """A container with all that is in it goes only if it is as old as is said."""
    photos.upload_blob("k", b"x")
    hour, now = timedelta(hours=1), datetime.now(UTC)
    refused = ("ConditionNotMet", 412)
    check(
        (lambda: photos.delete_container(if_unmodified_since=now - hour), refused),
        (lambda: photos.delete_container(if_modified_since=now + hour), refused),
        (lambda: photos.set_container_metadata({"a": "b"}, if_modified_since=now + hour), refused),
    )
    assert (photos.download_blob("k").readall(), photos.get_container_properties().metadata) == (b"x", {})
    photos.set_container_metadata({"a": "b"}, if_modified_since=now - hour)
    photos.delete_container(if_unmodified_since=now + hour, if_modified_since=now - hour)
    assert not photos.exists()


def test_blobs_that_have_blocks_only(photos):
    """Listed when they are asked for, between the others."""
    for name in ("a", "c"):
        photos.upload_blob(name, b"x")
    photos.get_blob_client("b").stage_block("1", b"meow")
    listed = photos.list_blobs(include=["uncommittedblobs"], results_per_page=2)
    assert [(each.name, each.size, each.etag is None) for each in listed] == [
        ("a", 1, False),
        ("b", 0, True),
        ("c", 1, False),
    ]
    assert [each.name for each in photos.list_blobs()] == ["a", "c"]


def test_deletions_in_a_batch(photos):
    """One request deletes many blobs, and reports each: by the SDK, and by obstore for paths."""
    from azure.storage.blob import PartialBatchErrorException

    for name in ("a/ü b", "k", "l", "m", "n"):
        photos.upload_blob(name, b"x")
    assert [each.status_code for each in photos.delete_blobs("a/ü b", "k")] == [202, 202]
    with pytest.raises(PartialBatchErrorException) as caught:
        photos.delete_blobs("gone", "l")
    parts = [(each.status_code, each.headers.get("x-ms-error-code")) for each in caught.value.parts]
    assert parts == [(404, "BlobNotFound"), (202, None)]
    [refused] = photos.delete_blobs("m", delete_snapshots="only", raise_on_any_failure=False)
    assert (refused.status_code, refused.headers["x-ms-error-code"]) == (400, "UnsupportedHeader")
    obstore = pytest.importorskip("obstore")
    from obstore.store import AzureStore

    address = {"endpoint": photos.primary_endpoint.rpartition("/")[0], "account_name": "account"}
    store = AzureStore("photos", **address, account_key="a2V5", client_options={"allow_http": True})
    obstore.delete(store, ["m", "n"])
    assert list(photos.list_blobs()) == []


def test_there_are_no_snapshots(photos):
    """Deleting snapshots alone keeps the blob, and a copy of a past version is refused."""
    blob = photos.upload_blob("k", b"x")
    copy, refused = photos.get_blob_client("copy"), ("UnsupportedQueryParameter", 400)
    snapshot, version = f"{blob.url}?snapshot=2026-11-20T12:00:00.0000000Z", f"{blob.url}?versionid="
    check(
        (lambda: blob.delete_blob(delete_snapshots="only"), ("UnsupportedHeader", 400)),
        (lambda: copy.start_copy_from_url(snapshot), refused),
        (lambda: copy.start_copy_from_url(version), refused),
    )
    assert [each.name for each in photos.list_blobs()] == ["k"]
    blob.delete_blob(delete_snapshots="include")
    assert not blob.exists()


def test_what_is_not_there(service, photos):
    """The SDK reads which thing it is that is missing, also where the answer has no body."""
    gone, nowhere = photos.get_blob_client("gone"), service.get_blob_client("nowhere", "k")
    no_blob, no_container = ("BlobNotFound", 404), ("ContainerNotFound", 404)
    check(
        (gone.download_blob, no_blob),
        (gone.delete_blob, no_blob),
        (gone.get_blob_properties, no_blob),
        (gone.get_block_list, no_blob),
        (lambda: gone.set_blob_metadata({}), no_blob),
        (lambda: nowhere.upload_blob(b"x"), no_container),
        (lambda: nowhere.stage_block("a", b"x"), no_container),
        (lambda: service.create_container("photos"), ("ContainerAlreadyExists", 409)),
        (lambda: service.delete_container("nowhere"), no_container),
    )
