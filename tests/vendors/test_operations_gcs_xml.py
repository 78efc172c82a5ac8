"""Operations of Google's XML API: what it has beside S3's, and calls otherwise in the query."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Reading
from tests.pairs import pairs
from tests.rows import each_row

from .sent import place_of

READING = Reading("gcs-xml")
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
    assert place_of(READING, request) == (name, "photos", "k" if path[:2] == "/k" else None)


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
    assert READING.operation(view(method, f"https://photos.storage.googleapis.com/?{query}")) == name
