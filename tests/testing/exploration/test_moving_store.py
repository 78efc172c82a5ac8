"""Clients download in parts while the store changes, a right and a wrong one per change."""

import contextlib

import pytest
from werkzeug.test import Client

from faultinject import Injector, Scenario, WSGIFaultMiddleware, inject
from faultinject.exceptions import RetryAssertionError
from faultinject.store import ObjectStore

from .service import exploring, left_out

CONTENT = b"0123456789"
HALF = len(CONTENT) // 2
PARTS = [f"bytes={start}-{start + HALF - 1}" for start in (0, HALF)]


@pytest.fixture
def plain():
    """A client past the faults, of a store with two versions of the object."""
    plain = Client(ObjectStore("s3"))
    plain.put("/photos")
    for content in (b"9876543210", CONTENT):
        plain.put("/photos/film", data=content)
    return plain


@pytest.fixture
def client(plain):
    """A client of the same store with faults."""
    return Client(WSGIFaultMiddleware(plain.application, injector=Injector(Scenario([]), environ={})))


def read(client, part, **headers):
    return client.get("/photos/film", headers={"Range": part, **headers})


def says(code, fault):
    """The error of an exploration of this fault at reads; empty if it passes."""
    _, error = exploring(code, f"{fault},method=GET")
    return "" if error is None else str(error)


def holding(read):
    """Code that asserts that it has read the object."""

    def code(client):
        assert read(client) == CONTENT

    return code


def by_range(client):
    """Two parts, put together whatever they are of."""
    return b"".join(read(client, part).data for part in PARTS)


def by_version(client):
    """Two parts of the version that the first one is of; when that is gone, it begins anew."""
    while True:
        first = read(client, PARTS[0])
        etag = first.headers.get("ETag", "")
        second = read(client, PARTS[1], **{"If-Match": etag})
        told = [each.headers.get("Content-Range") for each in (first, second)]
        if (
            (first.status_code, second.status_code) == (206, 206)
            and etag == second.headers.get("ETag")
            and told == [f"bytes {start}-{start + HALF - 1}/{2 * HALF}" for start in (0, HALF)]
        ):
            return first.data + second.data


RANGES = ("edit,range=ignore", "edit,range=shift", "edit,drop.etag", "edit,drop.content-range")


@pytest.mark.parametrize("fault", RANGES)
def test_a_server_that_does_ranges_wrong(client, fault):
    """A careless client takes the whole object in place of a part."""
    with inject(f"{fault},method=GET,times=1"):
        assert (by_range(client) == CONTENT) is (fault != "edit,range=ignore")


def by_slices(client):
    """Two parts, each cut out of what came; it does not look at the Content-Range."""
    found = b""
    for start, part in zip((0, HALF), PARTS, strict=True):
        answer = read(client, part)
        found += answer.data if answer.status_code == 206 else answer.data[start : start + HALF]
    return found


def writes(client):
    """It makes a second version itself."""
    read(client, PARTS[0])
    client.put("/photos/film", data=CONTENT)
    read(client, PARTS[1])


TWO_VERSIONS = (
    "mixed versions: requests 1 and 2 read two versions of /photos/film",
    "GET /photos/film (Range: bytes=5-9)",
)
ASKED = "mixed versions: request 1 asked for bytes=0-4 of /photos/film and got"
ALL_OF_IT = f"{ASKED} all of it, with status 200, and no error was reported"
ANOTHER = f"{ASKED} the Content-Range of another part, and no error was reported"


@pytest.mark.parametrize(
    ("code", "fault", "said"),
    [
        # The wrong client mixes two versions, as its requests show; the right one begins again.
        *((by_range, fault, TWO_VERSIONS) for fault in ("overwrite", "stale", "edit,set.etag=other")),
        *((by_version, fault, ()) for fault in ("overwrite", "stale", "edit,set.etag=other")),
        # A careful client gets the object in spite of wrong ranges.
        *((holding(by_version), fault, ()) for fault in RANGES),
        # Wrong bytes are named if the answer shows them, or if an assertion was misled.
        (holding(by_range), "edit,range=ignore", [ALL_OF_IT]),
        (holding(by_slices), "edit,range=ignore", ()),
        (holding(by_slices), "edit,range=shift", [ANOTHER]),
        # The whole object in place of a part is a lawful answer, and nothing says that the client took it for a part.
        (by_range, "edit,range=ignore", ()),
        (by_range, "corrupt", ()),
        # A client that replaces the object itself between two reads has mixed nothing.
        (writes, "overwrite", ()),
    ],
)
def test_an_exploration(client, code, fault, said):
    """All of this is said, or the exploration passes."""
    error = says(lambda: code(client), fault)
    assert ([each for each in said if each not in error], error == "") == ([], not said)


def test_a_row_says_what_was_asked_for(client):
    """If-Range and If-Match stand behind the address, with the range."""

    def ask():
        read(client, PARTS[1], **{"If-Match": '"x"'})
        assert read(client, PARTS[1], **{"If-Range": '"x"'}).status_code == 200

    said = says(ask, "http:503")
    assert "412 GET /photos/film (Range: bytes=5-9, If-Match)" in said
    assert "GET /photos/film (Range: bytes=5-9, If-Range)  <- http:503" in said


CUT = "truncate,method=GET,keep=0.5,times=1 overwrite,method=GET,skip=1,times=1"


def resumed(client, *, asks):
    """Read, and resume a broken answer; `asks` for the version of the first bytes."""
    first = client.get("/photos/film", buffered=False)
    etag, found = first.headers["ETag"], b""
    try:
        for piece in first.response:
            found += piece
    except Exception:
        version = {"If-Range": etag} if asks else {}
        rest = read(client, f"bytes={len(found)}-", **version)
        found = rest.data if rest.status_code == 200 else found + rest.data
    return found


def test_a_named_call(client, plain):
    """`assert_retries()` names the mixed download; one with If-Range gets the new object."""
    with inject(CUT) as faults:
        with faults.call("load"):
            mixed = resumed(client, asks=False)
        assert mixed[:HALF] == CONTENT[:HALF] != mixed[HALF:]
        with pytest.raises(
            RetryAssertionError,
            match="1 of 1 downloads whose object was replaced meanwhile have bytes of two versions",
        ):
            faults.assert_retries()
    with inject(CUT) as faults:
        with faults.call("load"):
            assert resumed(client, asks=True) == plain.get("/photos/film").data
        assert [each.verdict for each in faults.findings() if each.check == "mixed versions"] == [
            "INCONCLUSIVE"
        ]


MIXED = "1 of 1 downloads whose object was replaced meanwhile have bytes of two versions of it"
TOOK = "1 of 1 downloads accepted bytes that are wrong by the answer's own checksum or Content-Range"
FEW = "Not enough data: 1 of 3 downloads of a replaced object"


def raises(client):
    """It sees that there are two versions, and says so."""
    if len({read(client, part).headers["ETag"] for part in PARTS}) > 1:
        raise ValueError("two versions")


def once(client):
    return read(client, PARTS[1])


def twice(client):
    assert once(client).headers["Content-Range"] != once(client).headers["Content-Range"]


def refused(client):
    once(client)
    raise ValueError("another part")


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("overwrite,skip=1", by_range, MIXED),
        ("edit,set.etag=W/1,skip=1", by_range, MIXED),
        ("stale,skip=1", by_range, MIXED),
        ("edit,range=shift", by_range, TOOK),
        ("overwrite,skip=1", by_version, FEW),
        ("overwrite,skip=1", raises, FEW),
        ("overwrite,skip=2,method=HEAD", by_range, None),
        ("overwrite,method=HEAD", lambda client: (client.head("/photos/film"), writes(client)), FEW),
        # A caller that was told success took the bytes, unless it read again or raised an error.
        ("edit,range=shift", once, TOOK),
        ("edit,range=shift", twice, None),
        ("edit,range=shift", refused, None),
    ],
)
def test_parts_of_a_named_call(client, fault, code, said):
    """Parts of a named call are requests of their own, of one download.

    They are no retries. Nothing is said where nothing moved.
    """
    with inject(f"{fault},times=1" + ",method=GET" * ("method" not in fault)) as faults:
        with contextlib.suppress(ValueError), faults.call("load"):
            code(client)
        found = [each.message for each in faults.findings() if each.check == "mixed versions"]
    assert found == [said] * (said is not None)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("stale", "there is nothing to change"),
        ("edit,drop.x-none", "there is nothing to change"),
        ("truncate,keep_bytes=1MB", "its answer has nothing to cut"),
    ],
)
def test_what_cannot_be_done_is_left_out(client, fault, why):
    """An object that nobody has changed, a header that is not there."""
    exploration, _ = exploring(lambda: client.get("/photos/none"), fault)
    assert left_out(exploration) == [f"left out: {fault.partition(',')[0]} at GetObject /photos/none ({why})"]
