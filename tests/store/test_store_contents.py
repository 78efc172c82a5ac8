"""A store's contents can be taken, changed and put back, and there before the first request."""

import io

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore
from faultinject.store.wsgi import ResettableStore, change
from tests.rows import each_row

from .conftest import begun, ended


def filled(vendor="s3"):
    store = ResettableStore(vendor)
    client = Client(store)
    assert client.put("/photos").status_code == 200
    for name, content in (("cat", b"meow"), ("dog", b"woof")):
        client.put(f"/photos/{name}", data=content, headers={"x-amz-meta-mood": "sleepy"})
    upload = begun(client, "/photos/film")
    assert client.put(f"/photos/film?partNumber=1&uploadId={upload}", data=b"film").status_code == 200
    return store, client, upload


def test_put_back():
    """Buckets, objects with settings, and uploads with parts come back as they were taken."""
    store, client, upload = filled()
    store.saved_contents = store.contents
    assert len(store.saved_contents) == 4
    for _ in range(2):
        client.delete("/photos/dog")
        for path in ("/photos/cat", "/photos/owl", f"/photos/film?partNumber=2&uploadId={upload}", "/films"):
            client.put(path, data=b"more" if path.count("/") == 2 else b"")
        assert store.contents != store.saved_contents
        store.reset()
        assert store.contents == store.saved_contents
        answer = client.get("/photos/cat")
        assert (answer.data, answer.headers["x-amz-meta-mood"]) == (b"meow", "sleepy")
        assert client.get(f"/photos/film?uploadId={upload}").text.count("<PartNumber>") == 1
    store.saved_contents = {}
    store.reset()
    assert (store.contents, client.get("/photos/cat").status_code) == ({}, 404)


def test_a_change_leaves_everything_else():
    """A change adds, replaces and removes what it names; objects go with their bucket."""
    store, client, _ = filled()
    before = store.contents
    client.put("/films")
    client.put("/photos/cat", data=b"purr")
    client.delete("/photos/dog")
    after = store.contents
    client.put("/films/late", data=b"x")
    client.put("/photos/owl", data=b"hoot")
    contents = store.contents
    change(contents, after, before)
    store.replace_contents(contents)
    found = {key: each.blocks for (_, kind, key), each in store.contents.items() if kind == "object"}
    assert found == {"cat": (b"meow",), "dog": (b"woof",), "owl": (b"hoot",)}
    assert [name for name, kind, _ in store.contents if kind == "bucket"] == ["photos"]


def test_a_request_under_way_ends_in_the_old_store():
    """A body that comes late leaves nothing in the store of the next test."""
    store = ResettableStore("s3")
    client = Client(store)
    client.put("/photos")
    store.saved_contents = store.contents

    class Late(io.BytesIO):
        """A body at whose reading the store is reset."""

        def readinto(self, buffer):
            store.reset()
            return super().readinto(buffer)

    late = Late(b"meow")
    assert client.put("/photos/cat", input_stream=late, content_length=4).status_code == 200
    assert late.tell() == 4
    assert client.get("/photos/cat").status_code == 404


@pytest.fixture
def store():
    """A store that holds something before the first request."""
    made = ObjectStore("cos")
    made.fill("photos", objects=["a"], uploads=["up"], content=b"meow")
    return made


def test_what_was_filled_in_is_there(store):
    """Objects are read like any other; an upload's id is its key, its one part has the number 1."""
    client, etag = Client(store), '"4a4be40c96ac6314e91d93f38043a634"'
    assert ended(client, "/photos/up", "up", etag).status_code == 200
    answers = [client.get(f"/photos/{key}") for key in ("a", "up")]
    assert [(each.status_code, each.data) for each in answers] == [(200, b"meow")] * 2
    assert answers[0].headers["ETag"] == etag


def test_what_was_filled_in_is_counted(store):
    """Everything is within the budget, and what is deleted is given back."""
    client = Client(store)
    for path in ("/photos/a", "/photos/up?uploadId=up", "/photos"):
        client.delete(path)
    assert store.buckets.used == 0
    with pytest.raises(Exception, match="full"):
        ObjectStore("cos", max_bytes=2000).fill("photos", objects=["a"], uploads=[], content=bytes(2000))


@each_row(
    ("vendor", "path", "size", "item", "most"),
    [
        ("s3", "/photos?list-type=2", "&max-keys=9999", "<Key>", 1000),
        ("gcs", "/storage/v1/b/photos/o?projection=full", "&maxResults=9999", 'storage#object"', 1000),
        ("azure-blob", "/account/photos?restype=container&comp=list", "&maxresults=9999", "<Name>", 5000),
    ],
)
def test_the_largest_page(vendor, path, size, item, most):
    """It has no more objects, whatever is asked for, and no empty list of prefixes."""
    made = ObjectStore(vendor)
    made.fill("photos", objects=map(str, range(most + 1)), uploads=[], content=b"")
    pages = [Client(made).get(path + more).text for more in ("", size)]
    assert [(page.count(item), "refixes" in page) for page in pages] == [(most, False)] * 2
