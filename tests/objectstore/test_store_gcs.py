"""The little of Cloud Storage's JSON API that there is, through Google's SDK and by hand."""

from __future__ import annotations

import json

import pytest
from werkzeug.test import Client

from faultinject.objectstore.gcs import GcsStore

from .conftest import serving

storage = pytest.importorskip("google.cloud.storage")


@pytest.fixture
def gcs(monkeypatch):
    """Google's own client before a store."""
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    with serving(GcsStore()) as port:
        client = storage.Client(
            project="p",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": f"http://127.0.0.1:{port}"},
        )
        yield client
        client.close()


def test_what_is_written_is_read(gcs):
    """Bytes, size and digest come back as they were sent, whatever the name."""
    blob = gcs.bucket("photos").blob("a/ü b.jpg")
    blob.upload_from_string(b"meow\0", retry=None)
    assert (blob.size, blob.generation, blob.metageneration) == (5, 1, 1)
    assert blob.download_as_bytes(retry=None) == b"meow\0"
    again = gcs.bucket("photos").blob("a/ü b.jpg")
    again.reload(retry=None)
    assert (again.size, again.md5_hash, again.etag) == (5, blob.md5_hash, blob.etag)


def test_what_is_not_there(gcs):
    """The SDK reads the refusal as one."""
    from google.api_core.exceptions import NotFound

    with pytest.raises(NotFound, match="No such object: photos/gone"):
        gcs.bucket("photos").blob("gone").download_as_bytes(retry=None)


def test_a_filled_store():
    """What it is filled with is there; uploads are of no account."""
    store = GcsStore(clock=lambda: 0)
    store.fill("photos", objects=["a"], uploads=["b"], content=b"meow")
    client = Client(store)
    shown = client.get("/storage/v1/b/photos/o/a").json
    assert (shown["name"], shown["size"], shown["updated"]) == ("a", "4", "1970-01-01T00:00:00.000Z")
    assert client.get("/storage/v1/b/photos/o/a?alt=media").data == b"meow"
    assert client.get("/download/storage/v1/b/photos/o/b?alt=media").status_code == 404


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"meow", "text/plain"),
        (b"", "multipart/related; boundary=x"),
        (b"--x\r\n\r\n{}\r\n--x\r\n\r\nmeow\r\n--x--", "multipart/related; boundary=x"),
        (b"--x\r\n\r\n[]\r\n--x\r\n\r\nmeow\r\n--x--", "multipart/related; boundary=x"),
        (b"--x\r\n\r\nmeow\r\n--x--", "multipart/related; boundary=x"),
    ],
)
def test_an_upload_that_is_none(body, content_type):
    """It is refused in Google's form."""
    answer = Client(GcsStore()).post("/upload/storage/v1/b/photos/o", data=body, content_type=content_type)
    assert (answer.status_code, answer.json["error"]["message"]) == (400, "This is no multipart upload.")


def test_an_upload_may_be_named_in_the_query():
    """As the API allows."""
    body = b"--x\r\n\r\n{}\r\n--x\r\n\r\nmeow\r\n--x--"
    client = Client(GcsStore())
    answer = client.post(
        "/upload/storage/v1/b/photos/o?name=k", data=body, content_type="multipart/related; boundary=x"
    )
    assert answer.json["name"] == "k"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/storage/v1/b/photos", 404), ("PUT", "/storage/v1/b/b/o/o", 405)]
)
def test_what_there_is_not_of_the_api(method, path, status):
    """It is refused in Google's form."""
    answer = Client(GcsStore()).open(path, method=method, data=b"x")
    assert (answer.status_code, json.loads(answer.data)["error"]["code"]) == (status, status)
