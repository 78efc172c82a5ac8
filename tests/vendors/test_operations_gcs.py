"""Google Cloud Storage's operations, recognised in what its own SDK really sends."""

import io
from types import SimpleNamespace

import pytest
import requests
from google.api_core.iam import Policy
from google.auth.credentials import AnonymousCredentials, Signing
from google.cloud import storage

from tests.engine.conftest import Reading
from tests.pairs import pairs
from tests.rows import each_row

from .sent import SentError, place_of, sent_by

READING = Reading("gcs")


class Nowhere(requests.Session):
    """Ends every request before it is sent."""

    is_mtls = False

    def request(self, method, url, data=None, headers=None, **_):
        raise SentError(requests.Request(method, url, data=data, headers=headers).prepare())


@pytest.fixture(scope="module", params=["https://storage.googleapis.com", "http://127.0.0.1:9000"])
def client(request):
    made = storage.Client(
        project="shop",
        credentials=AnonymousCredentials(),
        _http=Nowhere(),
        client_options={"api_endpoint": request.param},
    )
    # It would ask for a bucket's metadata from a thread of its own, which goes on when the test is over.
    vars(made)["_bucket_metadata_cache"] = None
    return made


def photos(client):
    return client.bucket("photos")


def cat(client):
    return photos(client).blob(KEY)


KEY = "2026/ü cat.jpg"
PIECE = 256 * 1024
CALLS = [
    # operation, bucket, key, the call
    ("storage.buckets.list", None, None, lambda c: list(c.list_buckets())),
    ("storage.buckets.insert", None, None, lambda c: c.create_bucket("photos")),
    ("storage.buckets.get", "photos", None, lambda c: c.get_bucket("photos")),
    ("storage.buckets.patch", "photos", None, lambda c: photos(c).patch()),
    ("storage.buckets.update", "photos", None, lambda c: photos(c).update()),
    ("storage.buckets.delete", "photos", None, lambda c: photos(c).delete()),
    ("storage.buckets.restore", "photos", None, lambda c: c.restore_bucket("photos", 1)),
    ("storage.buckets.getIamPolicy", "photos", None, lambda c: photos(c).get_iam_policy()),
    ("storage.buckets.setIamPolicy", "photos", None, lambda c: photos(c).set_iam_policy(Policy())),
    ("storage.buckets.testIamPermissions", "photos", None, lambda c: photos(c).test_iam_permissions(["x"])),
    ("storage.buckets.lockRetentionPolicy", "photos", None, lambda c: locked(c).lock_retention_policy()),
    ("storage.bucket_acl.list", "photos", None, lambda c: photos(c).acl.reload()),
    ("storage.default_object_acl.list", "photos", None, lambda c: photos(c).default_object_acl.reload()),
    ("storage.notifications.list", "photos", None, lambda c: list(photos(c).list_notifications())),
    ("storage.notifications.get", "photos", None, lambda c: photos(c).get_notification("3")),
    ("storage.notifications.insert", "photos", None, lambda c: photos(c).notification("topic").create()),
    ("storage.objects.list", "photos", None, lambda c: list(photos(c).list_blobs(prefix="2026/"))),
    ("storage.objects.get", "photos", KEY, lambda c: photos(c).get_blob(KEY)),
    ("storage.objects.get", "photos", KEY, lambda c: cat(c).reload()),
    ("storage.objects.get", "photos", KEY, lambda c: cat(c).download_as_bytes()),
    ("storage.objects.get", "photos", KEY, lambda c: cat(c).download_as_bytes(start=0, end=3)),
    ("storage.objects.patch", "photos", KEY, lambda c: cat(c).patch()),
    ("storage.objects.update", "photos", KEY, lambda c: cat(c).update()),
    ("storage.objects.delete", "photos", KEY, lambda c: cat(c).delete()),
    ("storage.objects.compose", "photos", KEY, lambda c: cat(c).compose([photos(c).blob("a")])),
    ("storage.objects.rewrite", "photos", KEY, lambda c: cat(c).rewrite(c.bucket("films").blob("a/b"))),
    (
        "storage.objects.copy",
        "photos",
        "new/k",
        lambda c: films(c).copy_blob(films(c).blob("a/b"), photos(c), "new/k"),
    ),
    ("storage.objects.move", "films", "new/k", lambda c: films(c).move_blob(films(c).blob("a/b"), "new/k")),
    ("storage.objects.restore", "photos", KEY, lambda c: photos(c).restore_blob(KEY, generation=1)),
    ("storage.object_acl.list", "photos", KEY, lambda c: cat(c).acl.reload()),
    ("storage.objects.getIamPolicy", "photos", KEY, lambda c: cat(c).get_iam_policy()),
    # The name of what is uploaded at once is in the body.
    ("storage.objects.insert", "photos", None, lambda c: cat(c).upload_from_string("x")),
    ("storage.objects.insert", "photos", None, lambda c: cat(c).create_resumable_upload_session()),
    (
        "storage.objects.insert",
        "photos",
        None,
        lambda c: photos(c).blob(KEY, chunk_size=PIECE).upload_from_file(io.BytesIO(b"x")),
    ),
    ("storage.serviceaccount.get", None, None, lambda c: c.get_service_account_email()),
    ("storage.hmacKey.list", None, None, lambda c: list(c.list_hmac_keys())),
    ("storage.hmacKey.create", None, None, lambda c: c.create_hmac_key("x@y")),
    ("storage.hmacKey.get", None, None, lambda c: c.get_hmac_key_metadata("access")),
]


def locked(client):
    bucket = photos(client)
    vars(bucket)["_properties"] |= {"metageneration": 1, "retentionPolicy": {"retentionPeriod": 1}}
    return bucket


def films(client):
    return client.bucket("films")


@pytest.mark.parametrize("hidden", [False, True], ids=["raw", "decoded"])
def test_what_the_sdk_sends_is_recognised(client, view, hidden):
    """Every call that has a request of its own; object names are one segment with `%2F` in it.

    A server that decodes slashes hides little: words and method still show the operation. The name then spans
    segments; what stands behind it is still seen.
    """
    slashes = 0
    for *expected, call in CALLS:
        request = sent_by(call, client)
        url = request.url.replace("%2F", "/") if hidden else request.url
        seen = view(request.method, url, request.headers)
        slashes += "%2F" in seen["RAW_URI"]
        assert [*place_of(READING, seen)] == expected, url
    assert (slashes > 10) is not hidden


def test_each_call_has_an_identity_of_its_own(client, view):
    """Routes of one bucket or object have identities of their own; a retry has the same.

    As S3's sub-resources have.
    """
    found = {}
    for name, _, _, call in CALLS:
        request = sent_by(call, client)
        seen = view(request.method, request.url, request.headers)
        found.setdefault(READING.identify(seen)[0], set()).add(name)
    assert {exact: names for exact, names in found.items() if len(names) > 1} == {}
    asked = {each.partition("?")[0] for each in found} | {each.partition("&")[0] for each in found}
    assert asked > {f"GET /photos/{KEY}", "GET /photos/?iam", "GET /photos/"}


def test_the_pieces_of_a_resumable_upload_are_read_by_their_query(view):
    """Google's session address says the name; the session's id is volatile."""
    base = "http://127.0.0.1:9000/upload/storage/v1/b/photos/o?uploadType=resumable"
    for method, operation in [
        ("POST", "storage.objects.insert"),
        ("PUT", "storage.objects.insert"),
        ("DELETE", "storage.objects.delete"),
    ]:
        seen = view(method, f"{base}&name=2026%2Fcat.jpg&upload_id=ABg5-123")
        again = view(method, f"{base}&name=2026%2Fcat.jpg&upload_id=another")
        assert place_of(READING, seen) == (operation, "photos", "2026/cat.jpg")
        assert READING.identify(seen) == READING.identify(again)


class Signer(AnonymousCredentials, Signing):
    """Signs anything, with nothing."""

    signer_email = "me@example.com"
    signer = SimpleNamespace(key_id="1")

    def sign_bytes(self, message):
        return b"signature"


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("version", ["v2", "v4"])
def test_signed_addresses_are_those_of_the_xml_api(client, view, style, version):
    """A signed URL belongs to the XML API, and has the JSON API's names: objects get and insert."""
    for method, operation in [
        ("GET", "storage.objects.get"),
        ("HEAD", "storage.objects.get"),
        ("PUT", "storage.objects.insert"),
        ("POST", "storage.objects.insert"),
    ]:
        url = cat(client).generate_signed_url(
            expiration=600 if version == "v4" else 2_000_000_000,
            version=version,
            method=method,
            credentials=Signer(),
            virtual_hosted_style=style == "virtual",
            api_access_endpoint="https://storage.googleapis.com",
        )
        seen = view(method, url)
        assert READING.operation(seen) == operation
        assert READING.read_address(seen) == ("photos", KEY)
        assert READING.identify(seen)[0] == f"{method} /photos/{KEY}"


@each_row(
    ("method", "path", "place"),
    [
        ("GET", "/storage/v1/b/photos/o/a%2Facl", ("storage.objects.get", "photos", "a/acl")),
        ("GET", "/storage/v1/b/photos/o/a/acl", ("storage.object_acl.list", "photos", "a")),
        ("DELETE", "/storage/v1/b/photos/o/a/acl", ("storage.objects.delete", "photos", "a/acl")),
        ("DELETE", "/storage/v1/b/photos/o/a/acl/user-x", ("storage.object_acl.delete", "photos", "a")),
        ("POST", "/storage/v1/b/photos/o/watch", ("storage.objects.watchAll", "photos", None)),
        ("POST", "/storage/v1/b/photos/o/bulkRestore", ("storage.objects.bulkRestore", "photos", None)),
        ("GET", "/storage/v1/b/photos/o/watch", ("storage.objects.get", "photos", "watch")),
        ("POST", "/storage/v1/b/photos/o/watch%2Fme", ("storage.objects.patch", "photos", "watch/me")),
        ("POST", "/storage/v1/b/photos/o/a/b/compose", ("storage.objects.compose", "photos", "a/b")),
        ("GET", "/storage/v1/b/photos/o/a//b/", ("storage.objects.get", "photos", "a//b/")),
        ("GET", "/storage/v1/b/photos/o/..", ("storage.objects.get", "photos", "..")),
        ("get", "/storage/v1/b/photos", ("storage.buckets.get", "photos", None)),
        ("BREW", "/storage/v1/b/photos", (None, "photos", None)),
        ("GET", "/storage/v1/b/", (None, None, None)),
        ("GET", "/storage/v1/b/photos/o/", (None, None, None)),
        ("GET", "/storage/v1/else", (None, None, None)),
        ("POST", "/batch/storage/v1", (None, None, None)),
        ("GET", "/", (None, None, None)),
        ("GET", "//", (None, None, None)),
        ("GET", "/photos", (None, None, None)),
    ],
)
def test_what_no_sdk_sends_is_read_as_well_as_can_be(view, method, path, place):
    """Or left alone."""
    seen = view(method, f"http://127.0.0.1:9000{path}")
    assert place_of(READING, seen) == place


# --- the XML API: what it has beside S3's operations, and calls otherwise in the query

XML_READING = Reading("gcs-xml")
# https://docs.cloud.google.com/storage/docs/xml-api: put-bucket-metadata, get-bucket-metadata, resumable-upload
DOCUMENTED = [
    ("GET", "/?billing", "GetBucketBilling"),
    ("GET", "/?cors", "GetBucketCors"),
    ("GET", "/?encryptionConfig", "GetBucketEncryption"),
    ("GET", "/?lifecycle", "GetBucketLifecycleConfiguration"),
    ("GET", "/?location", "GetBucketLocation"),
    ("GET", "/?logging", "GetBucketLogging"),
    ("GET", "/?object-lock", "GetObjectLockConfiguration"),
    ("GET", "/?storageClass", "GetBucketStorageClass"),
    ("GET", "/?tagging", "GetBucketTagging"),
    ("GET", "/?versioning", "GetBucketVersioning"),
    ("GET", "/?websiteConfig", "GetBucketWebsite"),
    ("PUT", "/?billing", "PutBucketBilling"),
    ("PUT", "/?cors", "PutBucketCors"),
    ("PUT", "/?encryptionConfig", "PutBucketEncryption"),
    ("PUT", "/?lifecycle", "PutBucketLifecycleConfiguration"),
    ("PUT", "/?logging", "PutBucketLogging"),
    ("PUT", "/?object-lock", "PutObjectLockConfiguration"),
    ("PUT", "/?storageClass", "PutBucketStorageClass"),
    ("PUT", "/?tagging", "PutBucketTagging"),
    ("PUT", "/?versioning", "PutBucketVersioning"),
    ("PUT", "/?websiteConfig", "PutBucketWebsite"),
    ("PUT", "/k?compose", "ComposeObject"),
    ("PUT", "/k?upload_id=u", "ResumeUpload"),
    ("DELETE", "/k?upload_id=u", "CancelResumableUpload"),
    ("PUT", "/", "CreateBucket"),
    ("GET", "/", "ListObjects"),
    ("DELETE", "/k", "DeleteObject"),
]


@each_row(
    ("host", "documented"),
    pairs(
        host=["photos.storage.googleapis.com", "photos.storage.mtls.googleapis.com"],
        documented=DOCUMENTED,
        alike={"documented": lambda documented: documented[0]},
    ),
)
def test_what_the_documents_have(view, host, documented):
    """None of the settings of a bucket is read as its creation, or as a list of what is in it."""
    method, path, name = documented
    request = view(method, f"https://{host}{path}")
    assert place_of(XML_READING, request) == (name, "photos", "k" if path[:2] == "/k" else None)


@pytest.mark.parametrize(
    ("method", "query", "name"),
    [
        ("GET", "encryption", "GetBucketEncryption"),
        ("PUT", "encryption", "PutBucketEncryption"),
        ("GET", "website", "GetBucketWebsite"),
        ("PUT", "website", "PutBucketWebsite"),
    ],
)
def test_s3s_clients_ask_as_s3_does(view, method, query, name):
    """The API exists for them."""
    assert XML_READING.operation(view(method, f"https://photos.storage.googleapis.com/?{query}")) == name


@pytest.mark.parametrize(
    ("method", "operation"),
    [("PUT", "ResumeUpload"), ("DELETE", "CancelResumableUpload"), ("GET", "GetObject")],
)
def test_a_resumable_upload_to_the_xml_api(view, method, operation):
    """To cancel it deletes no object."""
    seen = view(method, "https://storage.googleapis.com/photos/2026/cat.jpg?upload_id=ABg5-123")
    assert place_of(XML_READING, seen) == (operation, "photos", "2026/cat.jpg")
