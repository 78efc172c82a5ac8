"""What a store holds is taken, changed and put back."""

from __future__ import annotations

import io

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore
from faultinject.store.contents import ResettableStore, change, contents_of, put_into


def test_put_back():
    """Buckets with their settings, objects with theirs, uploads with their parts, and as many bytes."""
    store, other = ObjectStore("s3"), ObjectStore("s3")
    client = Client(store)
    client.put("/photos")
    client.put("/photos/cat", data=b"meow", headers={"x-amz-meta-mood": "sleepy"})
    store.fill("films", objects=["a"], uploads=["b"], content=b"film")
    contents = contents_of(store)
    put_into(other, contents)
    assert contents_of(other) == contents
    assert other.used_bytes == store.used_bytes
    answer = Client(other).get("/photos/cat")
    assert (answer.data, answer.headers["x-amz-meta-mood"]) == (b"meow", "sleepy")
    assert b"<PartNumber>1</PartNumber>" in Client(other).get("/films/b?uploadId=b").data


def test_later_requests_do_not_change_what_was_taken():
    """Neither to the store that it was taken from, nor to the one that it was put into."""
    store, other = ObjectStore("s3"), ObjectStore("s3")
    store.fill("films", objects=["a"], uploads=["b"], content=b"film")
    contents = contents_of(store)
    put_into(other, contents)
    for each in (store, other):
        client = Client(each)
        client.put("/films/c", data=b"new")
        client.delete("/films/a")
        client.put("/films/b?partNumber=2&uploadId=b", data=b"more")
    third = ObjectStore("s3")
    put_into(third, contents)
    assert contents_of(third) == contents
    assert len(contents) == 3


def test_a_change_leaves_everything_else():
    """What was added, replaced and removed, and no more; an object whose bucket is gone goes with it."""
    store = ResettableStore("s3")
    client = Client(store)
    client.put("/photos")
    client.put("/photos/cat", data=b"meow")
    client.put("/photos/dog", data=b"woof")
    before = store.contents
    client.put("/films")
    client.put("/photos/cat", data=b"purr")
    client.delete("/photos/dog")
    after = store.contents
    client.put("/films/late", data=b"x")
    client.put("/photos/owl", data=b"hoot")
    contents = store.contents
    change(contents, after, before)
    store.hold(contents)
    found = {key: each.blocks for (_, kind, key), each in store.contents.items() if kind == "object"}
    assert found == {"cat": (b"meow",), "dog": (b"woof",), "owl": (b"hoot",)}
    assert [name for name, kind, _ in store.contents if kind == "bucket"] == ["photos"]


@pytest.mark.parametrize("vendor", ["azure-blob", "cos", "gcs", "qingstor", "s3"])
def test_reset(vendor):
    """To what is kept, at first nothing."""
    store = ResettableStore(vendor)
    filled = ObjectStore(vendor)
    filled.fill("photos", objects=["cat"], uploads=["film"], content=b"meow")
    store.hold(contents_of(filled))
    assert len(store.contents) == 3
    store.kept = store.contents
    store.hold({})
    store.reset()
    assert store.contents == contents_of(filled)
    store.kept = {}
    store.reset()
    assert store.contents == {}


def test_a_request_under_way_ends_in_the_old_store():
    """A body that comes late leaves nothing in the store of the next test."""
    store = ResettableStore("s3")
    client = Client(store)
    client.put("/photos")
    store.kept = store.contents

    class Late(io.BytesIO):
        """A body at whose reading the store is reset."""

        def readinto(self, buffer):
            store.reset()
            resets.append(len(buffer))
            return super().readinto(buffer)

    resets = []
    assert client.put("/photos/cat", input_stream=Late(b"meow"), content_length=4).status_code == 200
    assert resets
    assert client.get("/photos/cat").status_code == 404
