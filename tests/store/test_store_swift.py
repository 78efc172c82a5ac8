"""The little of Swift's API that there is, through python-swiftclient and by hand."""

from __future__ import annotations

from hashlib import md5

import pytest
from werkzeug.test import Client

from faultinject.store.plan_stores import SwiftStore
from tests.on_loopback import on_loopback


def test_an_object_by_the_client():
    """A written object is read with its content's tag, and a missing one is 404."""
    swift = pytest.importorskip("swiftclient.client")
    store = SwiftStore()
    store.fill("photos", objects=["old.jpg"], uploads=["u"], content=b"purr")
    with on_loopback(store) as port:
        there = swift.Connection(
            preauthurl=f"http://127.0.0.1:{port}/v1/AUTH_test", preauthtoken="token", retries=0
        )
        assert there.put_object("photos", "a b.jpg", b"meow") == md5(b"meow").hexdigest()
        headers, content = there.get_object("photos", "a b.jpg")
        assert (headers["etag"], content) == (md5(b"meow").hexdigest(), b"meow")
        assert there.get_object("photos", "old.jpg")[1] == b"purr"
        with pytest.raises(swift.ClientException) as caught:
            there.get_object("photos", "new.jpg")
        there.close()
    assert (caught.value.http_status, caught.value.http_response_headers["x-trans-id"][:2]) == (404, "tx")


def test_nothing_else_is_there():
    """Other methods are refused."""
    assert Client(SwiftStore()).post("/v1/AUTH_test/photos/cat.jpg").status_code == 405
