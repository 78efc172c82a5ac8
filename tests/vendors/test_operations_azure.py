"""Azure Blob's operations are recognised in its SDK's requests, built and really sent."""

import inspect
from importlib import import_module

import pytest
from azure.core.pipeline.transport import HttpTransport
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, StandardBlobTier, generate_blob_sas
from azure.storage.blob import __version__ as version
from packaging.version import Version

from faultinject import vendors
from faultinject.vendors.operations import operations_of
from tests.engine.conftest import Reading
from tests.rows import each_row

from .sent import SentError, place_of, sent_by

KEY = "a2V5"
READING = Reading("azure-blob", ("storage.example",))
# The SDK says in the Accept header alone that it would like another format.
SAME_FORM = {
    f"container.list_blob_{each}_segment_apache_arrow": f"container.list_blob_{each}_segment"
    for each in ("flat", "hierarchy")
}
VALUES = {
    "content": b"x",
    "content_length": 1,
    "blob_content_length": 512,
    "legal_hold": True,
    "version": "2026-02-06",
    "delimiter": "/",
    "sequence_number_action": "increment",
}
PLACES = {"service": ("", None, None), "container": ("/photos", "photos", None)}
"""Path, bucket and key; elsewhere they are a blob's."""
PREFIXES = [
    "http://127.0.0.1:10000/account",
    "http://[::1]:10000/account",
    "http://azurite:10000/account",
    "https://account.blob.core.windows.net",
    "https://ACCOUNT.Blob.Core.Windows.NET:443",
    "https://account.blob.storage.example:8443",
    "https://storage.example/account",
]


NAMES = operations_of(vendors.get("azure-blob")).names
NEWER = Version(version).release[:2] > (12, 31)
"""Than the SDK that the table was read from: it may have learnt operations."""


def builders():
    """Each operation's name with the function of the SDK that writes its request."""
    for group in ("append_blob", "blob", "block_blob", "container", "page_blob", "service"):
        module = import_module(f"azure.storage.blob._generated.operations._{group}_operations")
        for name, build in vars(module).items():
            called = f"{group}.{name[6:-8]}"
            if name.startswith("build_") and name.endswith("_request") and (not NEWER or called in NAMES):
                yield called, build


def keys_of(name, build, *, record_all):
    """The arguments that a request must have, or all that it can, without its address."""
    keys = {}
    for each in inspect.signature(build).parameters.values():
        required = each.default is each.empty and each.kind is not each.VAR_KEYWORD
        text = str(each.annotation)
        if each.name in VALUES and (required or record_all):
            keys[each.name] = VALUES[each.name]
        elif required or (record_all and "str" in text and "dict" not in text and "list" not in text):
            keys[each.name] = "x"
    if name == "page_blob.get_page_ranges_diff":
        # Either is, though the SDK does not insist.
        keys |= {"prevsnapshot": "x"} if record_all else {"prev_snapshot_url": "http://x/a/b"}
    return keys


@pytest.mark.parametrize("record_all", [False, True], ids=["least", "fullest"])
def test_every_operation_is_recognised(view, record_all):
    """Everything that the SDK can write is recognised, with the account in path or Host.

    Azurite has the path style.
    """
    expected, found = {}, {}
    for name, build in builders():
        keys = keys_of(name, build, record_all=record_all)
        path, *place = PLACES.get(name.partition(".")[0], ("/photos/2026/cat.jpg", "photos", "2026/cat.jpg"))
        for prefix in PREFIXES:
            request = build(**{**keys, "url": prefix + path})
            expected[name, prefix] = SAME_FORM.get(name, name), *place
            found[name, prefix] = place_of(READING, view(request.method, request.url, request.headers))
    assert found == expected
    assert len(found) == 71 * len(PREFIXES)


def test_the_operations_are_the_sdks():
    """No name more, none less."""
    assert operations_of(vendors.get("azure-blob")).names == {name for name, _ in builders()}
    assert {each: operations_of(vendors.get("azure-blob")).twin(each) for each in SAME_FORM} == SAME_FORM


class Nowhere(HttpTransport):
    """Ends every request before it is sent."""

    def send(self, request, **kwargs):
        raise SentError(request)

    def open(self):
        pass

    def close(self):
        pass

    def __exit__(self, *args):
        pass


def client_of(url, credential=KEY):
    if credential == KEY:
        credential = {"account_name": "account", "account_key": KEY}
    return BlobServiceClient(url, credential=credential, transport=Nowhere(), retry_total=0)


CALLS = [
    # operation, bucket, key, the call
    ("service.list_containers_segment", None, None, lambda c: list(c.list_containers())),
    ("service.get_properties", None, None, lambda c: c.get_service_properties()),
    ("service.get_account_info", None, None, lambda c: c.get_account_information()),
    ("service.get_statistics", None, None, lambda c: c.get_service_stats()),
    ("service.filter_blobs", None, None, lambda c: list(c.find_blobs_by_tags("a='b'"))),
    ("container.create", "photos", None, lambda c: c.create_container("photos")),
    ("container.delete", "photos", None, lambda c: c.delete_container("photos")),
    ("container.get_properties", "photos", None, lambda c: in_photos(c).get_container_properties()),
    ("container.set_metadata", "photos", None, lambda c: in_photos(c).set_container_metadata({"a": "b"})),
    ("container.get_access_policy", "photos", None, lambda c: in_photos(c).get_container_access_policy()),
    ("container.set_access_policy", "photos", None, lambda c: in_photos(c).set_container_access_policy({})),
    ("container.list_blob_flat_segment", "photos", None, lambda c: list(in_photos(c).list_blobs())),
    (
        "container.list_blob_hierarchy_segment",
        "photos",
        None,
        lambda c: list(in_photos(c).walk_blobs(name_starts_with="2026/")),
    ),
    ("container.acquire_lease", "photos", None, lambda c: in_photos(c).acquire_lease()),
    ("container.submit_batch", "photos", None, lambda c: in_photos(c).delete_blobs("a", "b")),
    ("block_blob.upload", "photos", "a b/ü.jpg", lambda c: blob(c, "a b/ü.jpg").upload_blob(b"x")),
    (
        "block_blob.upload",
        "$root",
        "cat.jpg",
        lambda c: c.get_blob_client("$root", "cat.jpg").upload_blob(b"x"),
    ),
    ("append_blob.create", "photos", "k", lambda c: blob(c).create_append_blob()),
    ("append_blob.append_block", "photos", "k", lambda c: blob(c).append_block(b"x")),
    ("page_blob.create", "photos", "k", lambda c: blob(c).create_page_blob(512)),
    ("page_blob.resize", "photos", "k", lambda c: blob(c).resize_blob(1024)),
    ("page_blob.update_sequence_number", "photos", "k", lambda c: blob(c).set_sequence_number("increment")),
    ("page_blob.upload_pages", "photos", "k", lambda c: blob(c).upload_page(bytes(512), 0, 512)),
    ("page_blob.clear_pages", "photos", "k", lambda c: blob(c).clear_page(0, 512)),
    ("page_blob.get_page_ranges", "photos", "k", lambda c: list(blob(c).list_page_ranges())),
    (
        "page_blob.get_page_ranges_diff",
        "photos",
        "k",
        lambda c: list(blob(c).list_page_ranges(previous_snapshot="2026-11-20T12:00:00.0000000Z")),
    ),
    ("blob.download", "photos", "k", lambda c: blob(c).download_blob().readall()),
    ("blob.get_properties", "photos", "k", lambda c: blob(c).get_blob_properties()),
    ("blob.delete", "photos", "k", lambda c: blob(c).delete_blob()),
    ("blob.undelete", "photos", "k", lambda c: blob(c).undelete_blob()),
    ("blob.set_http_headers", "photos", "k", lambda c: blob(c).set_http_headers()),
    ("blob.set_metadata", "photos", "k", lambda c: blob(c).set_blob_metadata({"a": "b"})),
    ("blob.set_tags", "photos", "k", lambda c: blob(c).set_blob_tags({"a": "b"})),
    ("blob.get_tags", "photos", "k", lambda c: blob(c).get_blob_tags()),
    ("blob.set_tier", "photos", "k", lambda c: blob(c).set_standard_blob_tier(StandardBlobTier.COOL)),
    ("blob.create_snapshot", "photos", "k", lambda c: blob(c).create_snapshot()),
    ("blob.start_copy_from_url", "photos", "k", lambda c: blob(c).start_copy_from_url("http://x/a/b")),
    (
        "blob.copy_from_url",
        "photos",
        "k",
        lambda c: blob(c).start_copy_from_url("http://x/a/b", requires_sync=True),
    ),
    ("block_blob.put_blob_from_url", "photos", "k", lambda c: blob(c).upload_blob_from_url("http://x/a/b")),
    ("blob.abort_copy_from_url", "photos", "k", lambda c: blob(c).abort_copy("id")),
    ("blob.acquire_lease", "photos", "k", lambda c: blob(c).acquire_lease()),
    ("block_blob.stage_block", "photos", "k", lambda c: blob(c).stage_block("id", b"x")),
    (
        "block_blob.stage_block_from_url",
        "photos",
        "k",
        lambda c: blob(c).stage_block_from_url("id", "http://x/a/b"),
    ),
    ("block_blob.commit_block_list", "photos", "k", lambda c: blob(c).commit_block_list(["id"])),
    ("block_blob.get_block_list", "photos", "k", lambda c: blob(c).get_block_list()),
]


def in_photos(client):
    return client.get_container_client("photos")


def blob(client, name="k"):
    return client.get_blob_client("photos", name)


@pytest.mark.parametrize("url", ["http://127.0.0.1:10000/account", "https://account.blob.core.windows.net"])
def test_what_public_calls_send_is_recognised(view, url):
    """Signed with the account's key, path style and host style."""
    client = client_of(url)
    for *expected, call in CALLS:
        request = sent_by(call, client)
        assert request.headers["Authorization"].startswith("SharedKey account:")
        assert [*place_of(READING, view(request.method, request.url, request.headers))] == expected


@pytest.mark.parametrize("url", ["http://127.0.0.1:10000/account", "https://account.blob.core.windows.net"])
def test_a_shared_access_signature_misleads_nobody(view, url):
    """A signature's parameters mark no operation, and are no part of the identity."""
    permission = BlobSasPermissions(read=True, write=True, delete=True)
    signature = generate_blob_sas(
        "account", "photos", "k", account_key=KEY, permission=permission, expiry="2030-01-01T00:00:00Z"
    )
    for name, call in [
        ("blob.download", lambda each: each.download_blob()),
        ("block_blob.upload", lambda each: each.upload_blob(b"x")),
        ("blob.set_metadata", lambda each: each.set_blob_metadata({})),
        ("blob.delete", lambda each: each.delete_blob()),
    ]:
        request = sent_by(call, blob(client_of(url, signature)))
        seen = view(request.method, request.url, request.headers)
        query = "?comp=metadata" if name == "blob.set_metadata" else ""
        read = "sig=" in seen["QUERY_STRING"], READING.operation(seen), READING.identify(seen)[0]
        assert read == (True, name, f"{request.method} /photos/k{query}")


@each_row(
    ("method", "target", "operation"),
    [
        ("GET", "/photos/k?comp=metadata", None),
        ("HEAD", "/photos/k?comp=metadata", None),
        ("GET", "/photos?restype=container&comp=metadata", None),
        ("HEAD", "/photos?restype=container&comp=metadata", None),
        ("GET", "/photos/k?comp=other", None),
        ("DELETE", "/photos/k?comp=other", None),
        ("PUT", "/photos?restype=container&comp=other", None),
        ("GET", "/photos/k?comp", None),
        ("GET", "/photos/k?%63omp=metadata", None),
        ("GET", "/photos/k?company=metadata", "blob.download"),
        ("GET", "/photos/k?timeout=3", "blob.download"),
        ("GET", "/photos?restype=container", "container.get_properties"),
        ("HEAD", "/photos?restype=container", "container.get_properties"),
        ("HEAD", "/photos?restype=container&comp=acl", "container.get_access_policy"),
    ],
)
def test_what_the_service_documents_and_the_sdk_does_not_send(view, method, target, operation):
    """Another `comp` is another operation; one that the SDK has no word for has none here.

    https://learn.microsoft.com/rest/api/storageservices: get-blob-metadata, get-container-metadata,
    get-container-properties, get-container-acl.
    """
    seen = view(method, f"https://account.blob.core.windows.net{target}")
    assert READING.live(seen).operation == operation


def test_another_comp_is_no_upload(view):
    """Nor with the header that makes it one."""
    url = "https://account.blob.core.windows.net/photos/k"
    sent = {"x-ms-blob-type": "BlockBlob"}
    assert READING.operation(view("PUT", url, sent)) == "block_blob.upload"
    assert READING.operation(view("PUT", f"{url}?comp=other", sent)) is None
