"""Downloads of one version of an object, or of two, for many clients."""

from tests.journals import FINE, MARK, calls, fault

from .rows import FAIL, INCONCLUSIVE, PASS, WARN, each_holds, rows, to

ONE, TWO = {"etag": "1111"}, {"etag": "2222"}
CUT = fault("truncate", 200, "truncated", applied=True, response_bytes=50, **ONE)
MOVED = fault("overwrite", 206, "overwritten", applied=True, range="bytes=50-", response_bytes=50)
REST, WHOLE = MOVED | TWO, FINE | TWO | {"response_bytes": 100}
FALSE = fault("corrupt", 200, "corrupted", applied=True, checksum=True, response_bytes=100) | ONE
OTHER = fault("edit,range=shift", 206, "edited", applied=True, range="bytes=50-", response_bytes=50) | ONE
UNMARKED = FINE | TWO | {"status": 206, "range": "bytes=50-", "response_bytes": 50}
PART = {"attempt_hint": {"part": "bytes=50-"}}
NO_VERDICT = None
"""The check has nothing that it could say anything of."""


def reads(number, last, kind=CUT, **more):
    """Downloads of which the first answer was cut, and what came then."""
    return calls(number, 0.1, kind=kind, last=last, method="GET", **{"request_bytes": 0, **more})


def read_once(number, answer, **more):
    """Downloads of one request each."""
    return calls(number, kind=answer, **{"method": "GET", "request_bytes": 0, "name": "load", **more})


test_verdict = each_holds(*rows(
        "mixed versions",
        # The first half is of one version, the rest of another; the caller got an error, or nobody says what.
        to(FAIL, reads(1, REST), n=1, says="1 of 1 downloads whose object was replaced meanwhile have bytes of two versions"),
        to(FAIL, reads(3, REST, returned=True, name="load"), n=3),
        to(PASS, reads(3, REST, returned=False, name="load"), n=3),
        to(WARN, reads(1, REST, by=None)),
        # The rest from the very byte, and up to a named end; another part.
        to(WARN, reads(1, REST, by=None, every=[{}, {"attempt_hint": {"part": "bytes=50-99"}}])),
        to(NO_VERDICT, reads(1, REST, by=None, every=[{}, {"attempt_hint": {"part": "bytes=60-99"}}])),
        # One version, begun anew, answered with the whole by If-Range, refused by If-Match.
        to(NO_VERDICT, reads(3, REST | ONE)),
        to(PASS, reads(3, WHOLE), n=3, says="3 of 3 downloads whose object was replaced meanwhile have one version of it"),
        to(PASS, reads(3, WHOLE | {"range": "bytes=50-"}), n=3),
        to(PASS, reads(3, FINE | {"status": 412, "if_match": "1111", "range": "bytes=50-"}), n=3),
        to(INCONCLUSIVE, reads(2, WHOLE), n=2, says="Replace the object in more downloads"),
        # The client asks for the rest of the broken answer all the same, beside the whole one.
        to(
            INCONCLUSIVE,
            *(reads(1, WHOLE, path=f"/b/{each}", at=each) for each in range(3)),
            *(calls(1, kind=UNMARKED, method="GET", path=f"/b/{each}", at=each + 0.5, by=None, attempt_hint=PART["attempt_hint"]) for each in range(3)),
            n=0,
        ),
        # Nothing of the first answer came; another object; a version that nobody knows.
        to(PASS, reads(3, REST, CUT | {"response_bytes": 0})),
        to(NO_VERDICT, reads(3, REST | {"etag": None})),
        to(NO_VERDICT, reads(3, REST, every=[{}, {"path": "/bucket/other"}], name="load")),
        # Two parts, of which one is asked for again.
        to(FAIL, reads(3, REST, REST | ONE | {"range": "bytes=0-49"}, name="load")),
        to(NO_VERDICT, reads(3, REST, REST, name="load")),
        # The caller itself wrote between the two.
        to(PASS, calls(3, 0.1, 0.1, kind=CUT, last=REST, returned=True, request_bytes=0, name="load", every=[{"method": "GET"}, FINE | {"method": "PUT"}, {"method": "GET"}])),
        # Another writer replaced it, in calls whose second request has no mark, though the client marks its retries.
        *(
            to(expected, calls(1, 0.1, by=MARK, at=-50), reads(3, UNMARKED, by=None, every=[{}, PART], returned=returned, name=name))
            for expected, returned, name in ((FAIL, True, "load"), (INCONCLUSIVE, None, None))
        ),
        # So of an SDK that begins a call of its own with it, which others may have made as well.
        to(INCONCLUSIVE, read_once(1, CUT, name=None, path="/bucket/a"), read_once(1, UNMARKED, at=0.1, name=None, path="/bucket/a", **PART), n=1, says="1 download went on with another version"),
        *(
            to(NO_VERDICT, read_once(1, CUT, name=None, path="/bucket/a"), read_once(1, rest, at=0.1, name=None, path="/bucket/a", **PART))
            for rest in (UNMARKED | ONE, UNMARKED | {"etag": None}, WHOLE)
        ),
        # A checksum, or a range, that the bytes are not of, and that nobody saw, or read again; who says nothing was told nothing.
        to(FAIL, read_once(3, FALSE, returned=True), n=3, says="3 of 3 downloads accepted bytes that are wrong by"),
        to(FAIL, reads(3, OTHER, kind=CUT, returned=True, name="load"), n=3, says="3 of 3 downloads accepted bytes that are wrong by"),
        to(NO_VERDICT, reads(3, REST | ONE, kind=OTHER, returned=True, name="load")),
        to(NO_VERDICT, reads(3, OTHER, returned=False, name="load")),
        to(NO_VERDICT, reads(3, OTHER)),
        to(NO_VERDICT, read_once(3, FALSE, returned=False)),
        to(NO_VERDICT, read_once(3, FALSE)),
        to(NO_VERDICT, read_once(3, FALSE | {"checksum": False}, returned=True)),
        to(NO_VERDICT, read_once(3, FALSE, returned=True, method="HEAD")),
        to(NO_VERDICT),
    ))  # fmt: skip
