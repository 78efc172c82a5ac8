"""The little of Swift's API that there is, through python-swiftclient and by hand."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from faultinject.store.swift import SwiftStore

from .conftest import serving

NOT_FOUND = "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>"  # swob's own, as the catalogue has it


def test_objects_by_the_sdk():
    """What is written is read back, with the ETag of the content; what is not there is Swift's 404."""
    swift = pytest.importorskip("swiftclient")
    store = SwiftStore()
    store.fill("photos", objects=["cat"], uploads=[], content=b"meow")
    with serving(store) as port:
        connection = swift.Connection(
            preauthurl=f"http://127.0.0.1:{port}/v1/AUTH_x", preauthtoken="t", retries=0
        )
        etag = connection.put_object("photos", "a b/dog", b"woof")
        assert connection.get_object("photos", "a b/dog")[1] == b"woof"
        head, content = connection.get_object("photos", "cat")
        assert (head["etag"], content) == ("4a4be40c96ac6314e91d93f38043a634", b"meow")
        assert connection.head_object("photos", "a b/dog")["etag"] == etag
        with pytest.raises(swift.ClientException) as caught:
            connection.get_object("photos", "cow")
        connection.close()
    assert (caught.value.http_status, caught.value.http_response_content.decode()) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/v1/AUTH_x/photos/cat", 405), ("GET", "/v1/AUTH_x/photos", 404), ("GET", "/info", 404)],
)
def test_nothing_else_is_there(method, path, status):
    """It is refused with the vendor's own error."""
    answer = Client(SwiftStore()).open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "text/html; charset=UTF-8")
