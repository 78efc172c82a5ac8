"""The little of B2's API that there is, through b2sdk and by hand."""

from __future__ import annotations

import io
from hashlib import sha1

import pytest
from werkzeug.test import Client

from faultinject.store.b2 import B2Store

from .conftest import serving


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_files_by_the_sdk(version):
    """What is uploaded is downloaded again, by the sdk's interface of either version."""
    sdk = pytest.importorskip(f"b2sdk.{version}")
    errors = pytest.importorskip(f"b2sdk.{version}.exception")
    store = B2Store()
    store.fill("photos", objects=["cat"], uploads=[], content=b"meow")
    with serving(store) as port:
        api = sdk.B2Api(sdk.InMemoryAccountInfo())
        address = f"http://127.0.0.1:{port}"
        api.session.authorize_account(address, "id", "key")
        bucket = api.get_bucket_by_name("photos")
        bucket.upload_bytes(b"woof", "a b/dog")
        read = []
        for name in ("cat", "a b/dog"):
            content = io.BytesIO()
            bucket.download_file_by_name(name).save(content)
            read.append(content.getvalue())
        with pytest.raises(errors.FileNotPresent):
            bucket.download_file_by_name("cow")
    assert read == [b"meow", b"woof"]


def ask(path, content=b"", **headers):
    return Client(B2Store()).post(path, data=content, headers=headers)


def test_an_upload_whose_content_is_another_is_refused():
    """The digest is that of the content, or of what stands before it."""
    path = "/b2api/v4/b2_upload_file/photos/c001"
    told = {"X-Bz-File-Name": "cat", "X-Bz-Content-Sha1": "1" * 40}
    refused = ask(path, b"meow", **told)
    assert (refused.status_code, refused.json["code"]) == (400, "bad_request")
    behind = b"meow" + b"9" * 40
    assert ask(path, behind, **{**told, "X-Bz-Content-Sha1": "hex_digits_at_end"}).status_code == 400
    digest = sha1(b"meow", usedforsecurity=False).hexdigest()
    assert ask(path, b"meow", **{**told, "X-Bz-Content-Sha1": digest}).json["contentLength"] == 4
    behind = b"meow" + digest.encode()
    assert ask(path, behind, **{**told, "X-Bz-Content-Sha1": "hex_digits_at_end"}).json["fileName"] == "cat"


def test_what_stands_before_the_calls_comes_back():
    """A client may be told an address of its own, by which its requests are told from others."""
    answer = ask("/any/b2api/v4/b2_get_upload_url", b'{"bucketId": "photos"}')
    assert answer.json["uploadUrl"] == "http://localhost/any/b2api/v4/b2_upload_file/photos/c001"


def test_nothing_else_is_there():
    """It is refused with the vendor's own error."""
    answer = ask("/b2api/v4/b2_delete_bucket", b"{}")
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
