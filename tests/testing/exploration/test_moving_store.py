"""Clients that download in parts while the store moves: for each movement one that gets it right, and one that does not."""

import contextlib

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

import faultinject
from faultinject import Injector, Scenario, WSGIFaultMiddleware, inject
from faultinject.exceptions import ExplorationFailed, RetryAssertionError
from faultinject.store import ObjectStore

CONTENT = b"0123456789"
HALF = len(CONTENT) // 2
PARTS = [f"bytes={start}-{start + HALF - 1}" for start in (0, HALF)]


def store():
    """A client of a store that holds the object, written twice, so that there is an older version."""
    inner = ObjectStore("s3")
    plain = Client(inner)
    plain.put("/photos")
    for content in (b"9876543210", CONTENT):
        plain.put("/photos/film", data=content)
    return Client(WSGIFaultMiddleware(inner, injector=Injector(Scenario([]), environ={}))), plain


def by_range(client):
    """Two parts, put together whatever they are of."""
    return b"".join(client.get("/photos/film", headers={"Range": part}).data for part in PARTS)


def by_version(client):
    """Two parts of the version that the first one is of; when that is gone, it begins anew."""
    while True:
        first = client.get("/photos/film", headers={"Range": PARTS[0]})
        etag = first.headers.get("ETag", "")
        second = client.get("/photos/film", headers={"Range": PARTS[1], "If-Match": etag})
        told = [each.headers.get("Content-Range") for each in (first, second)]
        if (
            (first.status_code, second.status_code) == (206, 206)
            and etag == second.headers.get("ETag")
            and told == [f"bytes {start}-{start + HALF - 1}/{2 * HALF}" for start in (0, HALF)]
        ):
            return first.data + second.data


@pytest.mark.parametrize("fault", ["overwrite", "stale", "edit,set.etag=other"])
def test_an_exploration(fault):
    """The wrong client ends well with bytes of two versions, which its requests show; the right one begins anew."""
    client, _ = store()
    exploration = faultinject.explore(f"{fault},method=GET")
    with pytest.raises(
        ExplorationFailed, match=r"mixed versions: requests 1 and 2 read two versions of /photos/film"
    ) as caught:
        for run in exploration:
            with run:
                by_range(client)
    assert "GET /photos/film (Range: bytes=5-9)" in str(caught.value)
    for run in faultinject.explore(f"{fault},method=GET"):
        with run:
            by_version(client)


@pytest.mark.parametrize(
    "fault", ["edit,range=ignore", "edit,range=shift", "edit,drop.etag", "edit,drop.content-range"]
)
def test_a_server_that_does_ranges_wrong(fault):
    """The right client begins anew, and has the object; one that looks at nothing has the whole in place of a part."""
    client, _ = store()
    for run in faultinject.explore(f"{fault},method=GET"):
        with run:
            assert by_version(client) == CONTENT
    with inject(f"{fault},method=GET,times=1"):
        assert (by_range(client) == CONTENT) is (fault != "edit,range=ignore")


def by_slices(client):
    """Two parts, each cut out of what came; it does not look at the Content-Range."""
    found = b""
    for start, part in zip((0, HALF), PARTS, strict=True):
        answer = client.get("/photos/film", headers={"Range": part})
        found += answer.data if answer.status_code == 206 else answer.data[start : start + HALF]
    return found


@pytest.mark.parametrize(
    ("fault", "wrong", "quiet", "said"),
    [
        (
            "edit,range=ignore",
            by_range,
            (by_version, by_slices),
            "request 1 asked for bytes=0-4 of /photos/film and got all of it, with status 200, which the code took for that part",
        ),
        (
            "edit,range=shift",
            by_slices,
            (by_version,),
            "request 1 asked for bytes=0-4 of /photos/film and got the Content-Range of another part, which the code took for that one",
        ),
    ],
)
def test_bytes_that_are_not_those_of_the_range(fault, wrong, quiet, said):
    """They are named where the answer says so itself, or where an assertion says that something wrong was taken."""
    client, _ = store()
    with pytest.raises(ExplorationFailed) as caught:
        for run in faultinject.explore(f"{fault},method=GET"):
            with run:
                assert wrong(client) == CONTENT
    assert f"mixed versions: {said}" in str(caught.value)
    for right in quiet:
        for run in faultinject.explore(f"{fault},method=GET"):
            with run:
                assert right(client) == CONTENT


def test_a_range_that_nobody_knows_to_be_taken():
    """The whole object in place of a part is a lawful answer: where nothing says that it was taken for one, nothing is said."""
    client, _ = store()
    for run in faultinject.explore("edit,range=ignore,method=GET", "corrupt,method=GET"):
        with run:
            by_range(client)


def test_a_writer_of_its_own():
    """Who replaces the object itself between two reads has mixed nothing."""
    client, _ = store()
    for run in faultinject.explore("overwrite,method=GET"):
        with run:
            client.get("/photos/film", headers={"Range": PARTS[0]})
            client.put("/photos/film", data=CONTENT)
            client.get("/photos/film", headers={"Range": PARTS[1]})


def test_a_row_says_what_was_asked_for():
    """If-Range and If-Match stand behind the address, with the range."""
    client, _ = store()

    def ask():
        for each in ("If-Match", "If-Range"):
            asked = client.get("/photos/film", headers={"Range": PARTS[1], each: '"x"'})
        assert asked.status_code == 200

    with pytest.raises(ExplorationFailed) as caught:
        for run in faultinject.explore("http:503,method=GET"):
            with run:
                ask()
    assert "412 GET /photos/film (Range: bytes=5-9, If-Match)" in str(caught.value)
    assert "GET /photos/film (Range: bytes=5-9, If-Range)  <- http:503" in str(caught.value)


CUT = "truncate,method=GET,keep=0.5,times=1 overwrite,method=GET,skip=1,times=1"


def resumed(client, *, asks):
    """Read, and go on where the answer breaks off; `asks` for the version that the first bytes are of."""
    first = client.get("/photos/film", buffered=False)
    etag, found = first.headers["ETag"], b""
    try:
        for piece in first.response:
            found += piece
    except Exception:
        version = {"If-Range": etag} if asks else {}
        rest = client.get("/photos/film", headers={"Range": f"bytes={len(found)}-", **version})
        found = rest.data if rest.status_code == 200 else found + rest.data
    return found


def test_a_named_call():
    """`assert_retries()` names the mixed download; one with If-Range gets the whole of the new object."""
    client, plain = store()
    with inject(CUT) as faults:
        with faults.call("load"):
            mixed = resumed(client, asks=False)
        assert mixed[:HALF] == CONTENT[:HALF] != mixed[HALF:]
        with pytest.raises(
            RetryAssertionError,
            match="1 of 1 downloads whose object was replaced meanwhile are made of two versions",
        ):
            faults.assert_retries()
    with inject(CUT) as faults:
        with faults.call("load"):
            assert resumed(client, asks=True) == plain.get("/photos/film").data
        assert [each.verdict for each in faults.findings() if each.check == "mixed versions"] == [
            "INCONCLUSIVE"
        ]


def once(client):
    return client.get("/photos/film", headers={"Range": PARTS[1]})


def test_a_named_call_that_took_other_bytes():
    """Its caller was told success; the one that reads again, or tells an error, has not taken them."""

    def twice(client):
        assert once(client).headers["Content-Range"] != once(client).headers["Content-Range"]

    def refused(client):
        once(client)
        raise ValueError("another part")

    client, _ = store()
    for code, fails in ((once, True), (twice, False), (refused, False)):
        with inject("edit,range=shift,times=1") as faults:
            with contextlib.suppress(ValueError), faults.call("load"):
                code(client)
            found = [each.message for each in faults.findings() if each.check == "mixed versions"]
        took = "1 of 1 downloads took bytes of which the answer said that they are not the object's"
        assert found == ([took] if fails else [])


def test_what_cannot_be_done_is_left_out():
    """An object that nobody has changed, a header that is not there, and an app that is no store."""
    client, _ = store()
    app = Client(WSGIFaultMiddleware(Response(b"app"), injector=Injector(Scenario([]), environ={})))
    for asked, fault, why in (
        (client, "stale", "there is nothing to change"),
        (client, "edit,drop.x-none", "there is nothing to change"),
        (client, "truncate,keep_bytes=1MB", "its answer has nothing to cut"),
        (app, "overwrite", "only the embedded store can do it"),
    ):
        exploration = faultinject.explore(fault)
        with contextlib.suppress(ExplorationFailed):
            for run in exploration:
                with run:
                    asked.get("/photos/none")
        name = fault.partition(",")[0]
        assert f"left out: {name} at GetObject /photos/none ({why})" in exploration.report()
