"""A store that holds something before the first request."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore

from .conftest import ended


@pytest.fixture
def store():
    made = ObjectStore("cos")
    made.fill("photos", objects=["a"], uploads=["up"], content=b"meow")
    return made


def test_what_it_holds_is_there(store):
    """Objects are read like any other; an upload's id is its key, its one part has the number 1."""
    client, etag = Client(store), '"4a4be40c96ac6314e91d93f38043a634"'
    assert ended(client, "/photos/up", "up", etag).status_code == 200
    answers = [client.get(f"/photos/{key}") for key in ("a", "up")]
    assert [(each.status_code, each.data) for each in answers] == [(200, b"meow")] * 2
    assert answers[0].headers["ETag"] == etag


def test_what_it_holds_is_counted(store):
    """Everything is within the budget, and what is deleted is given back."""
    client = Client(store)
    for path in ("/photos/a", "/photos/up?uploadId=up", "/photos"):
        client.delete(path)
    assert store.buckets.used == 0
    with pytest.raises(Exception, match="full"):
        ObjectStore("cos", max_bytes=2000).fill("photos", objects=["a"], uploads=[], content=bytes(2000))
