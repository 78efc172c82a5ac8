"""The store changes while a client reads: another writer, or answers before the last change."""

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from faultinject import Injector, Scenario, WSGIFaultMiddleware
from faultinject.store import ObjectStore

from .conftest import client_of

FIRST, SECOND = b"first version", b"second version"


def behind(rules, app):
    """A client of an app behind faults, and the injector."""
    injector = Injector(Scenario(rules), environ={})
    return Client(WSGIFaultMiddleware(app, injector=injector)), injector


@pytest.fixture(params=["s3", "cos", "oss", "tos"])
def store(request):
    """From rules to a client of a store whose object was written twice, and the injector."""

    def make(rules):
        plain = client_of(request.param, k=FIRST)
        plain.put("/photos/k", data=SECOND)
        return behind(rules, plain.application)

    return make


def did(injector):
    """The journal's word for each request."""
    return [each.did for each in injector.journal.outcomes]


def test_another_writer_comes_first(store):
    """The request gets the new object, as long as the old one, with another ETag.

    Later requests get it too.
    """
    client, injector = store("overwrite,method=GET,skip=1,times=1")
    before = client.get("/photos/k")
    moved = client.get("/photos/k", headers={"Range": "bytes=3-"})
    after = client.get("/photos/k")
    assert (before.data, len(after.data), moved.data) == (SECOND, len(SECOND), after.data[3:])
    assert all(one != other for one, other in zip(before.data, after.data, strict=True))
    assert moved.headers["ETag"] == after.headers["ETag"] != before.headers["ETag"]
    assert (did(injector), moved.headers["x-faultinject"]) == (["passed", "overwritten", "passed"], "rule-1")


@pytest.mark.parametrize("header", ["If-Match", "If-Range"])
def test_a_client_that_asks_for_the_version_it_knows(store, header):
    """If-Match is refused; If-Range gets the whole of the new object."""
    client, _ = store("overwrite,method=GET,skip=1")
    etag = client.get("/photos/k").headers["ETag"]
    moved = client.get("/photos/k", headers={"Range": "bytes=3-", header: etag})
    assert moved.status_code == (412 if header == "If-Match" else 200)


def test_another_writer_comes_before_a_write(store):
    """A write on the condition that the object is as it was read is refused."""
    client, injector = store("overwrite,method=PUT")
    match = {"If-Match": client.get("/photos/k").headers["ETag"]}
    assert client.put("/photos/k", data=b"third", headers=match).status_code == 412
    assert did(injector) == ["overwritten"]


def test_there_is_nothing_to_overwrite(store):
    """No object, no content, no key: it does not count."""
    client, injector = store("overwrite,unless.key=empty,times=1 overwrite,key=empty")
    for path in ("/photos/none", "/photos", "/none/k"):
        client.get(path)
    client.put("/photos/empty", data=b"")
    client.get("/photos/empty")
    assert {*did(injector)} == {"nothing_to_cut"}


def test_an_older_version(store):
    """A read sees the object before its last change, and a write goes to the current one."""
    client, injector = store("stale,unless.method=DELETE")
    assert client.get("/photos/k").data == FIRST
    assert int(client.head("/photos/k").headers["Content-Length"]) == len(FIRST)
    client.put("/photos/k", data=b"third")
    assert client.get("/photos/k").data == SECOND
    client.delete("/photos/k")
    assert client.get("/photos/k").data == b"third"
    client.put("/photos/new", data=b"new")
    assert client.get("/photos/new").status_code == 404
    assert [each for each in did(injector) if each != "stale"] == ["nothing_to_cut"] * 2


def test_an_older_version_than_an_upload():
    """The parts that were put together are the last change."""
    inner = ObjectStore("oss")
    inner.fill("photos", objects=["k"], uploads=["k"], content=FIRST)
    client, _ = behind("stale,method=GET", inner)
    client.put("/photos/k", data=SECOND)
    assert client.post("/photos/k?uploadId=k", headers={"x-oss-complete-all": "yes"}).status_code == 200
    assert client.get("/photos/k").data == SECOND


def test_a_list_without_the_newest_key(store):
    """A list is the one before the last change in the bucket."""
    client, _ = store("stale,path=/photos,method=GET")
    client.put("/photos/new", data=b"new")
    assert b"new</Key>" not in client.get("/photos").data.replace(b'"new"', b"new</Key>")
    client.delete("/photos/k")
    assert b"new" in client.get("/photos").data


def test_what_is_not_known_any_more(store):
    """Without an older version a read is not changed.

    An object that nobody has changed, a bucket that is gone, and a long object of which no older version is kept.
    """
    client, injector = store("stale,method=GET")
    for path in ("/photos/other", "/gone/k"):
        client.get(path)
    for size, older in ((1 << 20, 1 << 20), ((1 << 20) + 1, len(b"short"))):
        client.put("/photos/long", data=bytes(size))
        client.put("/photos/long", data=b"short")
        assert len(client.get("/photos/long").data) == older
    for number in range(64):
        client.put(f"/photos/{number}", data=b"x")
    assert client.get("/photos/k").data == SECOND
    assert did(injector) == [*["nothing_to_cut"] * 2, "stale", *["nothing_to_cut"] * 2]


def test_an_app_that_is_no_store_refuses():
    """The rule is not carried out, and does not count."""
    client, injector = behind("overwrite", Response(b"app"))
    assert (client.get("/photos/k").data, did(injector)) == (b"app", ["refused"])


@pytest.mark.parametrize("vendor", ["gcs", "azure-blob"])
def test_stores_with_other_apis(vendor):
    """Google's and Azure's stores move as well."""
    inner = ObjectStore(vendor)
    inner.fill("photos", objects=["k"], uploads=(), content=FIRST)
    path = "/storage/v1/b/photos/o/k?alt=media" if vendor == "gcs" else "/account/photos/k"
    client, _ = behind("overwrite,skip=1,times=1 stale,skip=2", inner)
    first, second, third = (client.get(path) for _ in range(3))
    assert (first.data, third.data, len(second.data)) == (FIRST, FIRST, len(FIRST))
    assert second.data != FIRST and first.headers["ETag"] != second.headers["ETag"]
