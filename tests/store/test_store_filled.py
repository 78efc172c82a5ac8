"""A store that holds something before the first request."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore


@pytest.fixture
def store():
    made = ObjectStore("cos")
    made.fill("photos", objects=["a"], uploads=["up"], content=b"meow")
    return made


def test_objects_are_there(store):
    """They are read like any other."""
    answer = Client(store).get("/photos/a")
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (
        200,
        b"meow",
        '"4a4be40c96ac6314e91d93f38043a634"',
    )


def test_uploads_can_be_completed(store):
    """An upload's id is its key, its one part has the number 1."""
    client = Client(store)
    part = "<Part><PartNumber>1</PartNumber><ETag>4a4be40c96ac6314e91d93f38043a634</ETag></Part>"
    document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
    assert client.post("/photos/up?uploadId=up", data=document).status_code == 200
    assert client.get("/photos/up").data == b"meow"


def test_what_it_holds_is_counted(store):
    """Everything is within the budget, and what is deleted is given back."""
    client = Client(store)
    client.delete("/photos/a")
    client.delete("/photos/up?uploadId=up")
    client.delete("/photos")
    assert store.buckets.used == 0
    with pytest.raises(Exception, match="full"):
        ObjectStore("cos", max_bytes=2000).fill("photos", objects=["a"], uploads=[], content=bytes(2000))
