"""The little of B2's native API that there is, through b2sdk and by hand."""

from __future__ import annotations

import io
from hashlib import sha1

import pytest
from werkzeug.test import Client

from faultinject.store.plan_stores import B2Store
from tests.on_loopback import on_loopback


def test_a_file_by_the_sdk():
    """The SDK asks for an upload address, uploads a file, and downloads new and old files whole."""
    b2sdk = pytest.importorskip("b2sdk.v3")
    raw = b2sdk.B2RawHTTPApi(b2sdk.B2Http())
    store = B2Store()
    store.fill("photos", objects=["old.jpg"], uploads=["u"], content=b"purr")
    with on_loopback(store) as port:
        there = f"http://127.0.0.1:{port}"
        address = raw.get_upload_url(f"{there}/any", "token", "photos")
        assert address["uploadUrl"].startswith(f"{there}/any/b2api/v4/b2_upload_file/photos/")
        account = b2sdk.InMemoryAccountInfo()
        account.set_auth_data(
            account_id="account", auth_token="token", api_url=f"{there}/any", download_url=there,
            recommended_part_size=100_000_000, absolute_minimum_part_size=5_000_000, application_key="key",
            realm=there, s3_api_url=there, application_key_id="id",
            allowed={"buckets": None, "capabilities": b2sdk.ALL_CAPABILITIES, "namePrefix": None},
        )  # fmt: skip
        bucket = b2sdk.Bucket(b2sdk.B2Api(account), "photos", name="photos")
        version = bucket.upload_bytes(b"meow", "a b.jpg")
        assert (version.file_name, version.size, version.content_sha1) == (
            "a b.jpg",
            4,
            sha1(b"meow").hexdigest(),
        )
        for name, content in (("a b.jpg", b"meow"), ("old.jpg", b"purr")):
            into = io.BytesIO()
            bucket.download_file_by_name(name).save(into)
            assert into.getvalue() == content
    raw.b2_http.session.close()


def test_a_body_with_its_digits_or_without():
    """The SHA-1 stands in the header, or behind the content."""
    store = Client(B2Store())
    for digits, behind in ((sha1(b"meow").hexdigest(), b""), ("hex_digits_at_end", b"0" * 40)):
        headers = {"X-Bz-File-Name": "a%20b.jpg", "X-Bz-Content-Sha1": digits}
        answer = store.post("/b2api/v4/b2_upload_file/photos/x", data=b"meow" + behind, headers=headers)
        assert (answer.status_code, answer.json["contentSha1"]) == (200, sha1(b"meow").hexdigest())
        assert store.get("/file/photos/a%20b.jpg").data == b"meow"


def test_nothing_else_is_there():
    """It is refused in B2's form."""
    answer = Client(B2Store()).post("/b2api/v4/b2_hide_file")
    assert (answer.status_code, answer.json["code"], answer.json["status"]) == (404, "not_found", 404)
