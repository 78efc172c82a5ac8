"""Callers' results against the answers of their calls, each with its verdict."""

from tests.journals import DENIED, FINE, HIDDEN, HUNG, RESET, SLOW_DOWN, calls, fault

from .rows import FAIL, WARN, each_holds, rows, to
from .test_lost_answers import GONE, LONGER, MISSING, OTHER, REFUSED, get, lost, put, remove, story

TAKEN = FINE | {"status": 409}
EXISTS = fault("s3:PreconditionFailed", 412)
SUCCESS = {"name": "upload", "returned": True}
THRICE = [SLOW_DOWN] * 3
CUT = fault("truncate", 200, "truncated", applied=True)
IF_ABSENT, IF_MATCH = {"guarded": True}, {"guarded": True, "if_match": "ab"}


def told(number, *gaps, **more):
    """Calls whose caller heard of success."""
    return calls(number, *gaps, **SUCCESS, **more)


def heard(*requests, **how):
    """The requests of one caller that heard of success."""
    return story(*requests, **SUCCESS, **how)


def bad(name):
    """Three requests for one object, which all fail."""
    return [put(f"/bucket/{name}", SLOW_DOWN)] * 3


def wide(*last, returned=True):
    """A caller with a read before all other requests, and one behind them."""
    before, after = get("/bucket/list"), get("/bucket/other")
    return story(before, *[after] * 4, *last, after, name="upload", returned=returned)


TABLE = rows(
    "answers",
    # Who tells of an error, of nothing or of what succeeded in the end is right, and nothing is said.
    to(None, calls(3, 0.1, 0.1, name="upload", returned=False), calls(3, 0.1), told(3, 0.1, last=FINE)),
    *(to(FAIL, told(1, 0.1, 0.1, kind=kind), n=1, says="1 of 1 call that the client reported as success had a request that never succeeded: the last answer was") for kind in (SLOW_DOWN, RESET, HUNG, DENIED)),
    to(FAIL, told(8, 0.1, 0.1), told(2, kind=FINE, at=50), n=10, says="8 of 10 calls"),
    to(FAIL, told(1, method="DELETE")),
    to(FAIL, heard(*(put(kind=kind) for kind in THRICE)), heard(put(), at=9), n=2),
    # The app's own refusals and failures are no success either.
    *(to(FAIL, told(1, kind=FINE | {"status": status})) for status in (400, 403, 404, 412, 413, 500, 503)),
    # A multipart upload whose part or whose end failed, and what comes before or behind the write, such as putting parts away.
    to(FAIL, heard(put("/bucket/big", method="POST", query="uploads"), *[put("/bucket/big", SLOW_DOWN, query="partNumber=1&uploadId=…")] * 3, remove("/bucket/big", query="uploadId=…"))),
    to(FAIL, heard(put("/bucket/big", query="partNumber=1&uploadId=…"), put("/bucket/big", SLOW_DOWN, method="POST", query="uploadId=…"))),
    to(FAIL, heard(get("/bucket"), *(put(kind=kind) for kind in THRICE))),
    # So is one that was completed without the part; another upload of the object stands for it.
    to(FAIL, heard(*[put("/bucket/big", SLOW_DOWN, query="partNumber=1&uploadId=ab")] * 3, put("/bucket/big", query="partNumber=2&uploadId=ab"), put("/bucket/big", method="POST", query="uploadId=ab")), says="had a request that never succeeded"),
    to(None, heard(put("/bucket/big", SLOW_DOWN, query="partNumber=1&uploadId=ab"), put("/bucket/big", query="partNumber=1&uploadId=cd"), put("/bucket/big", method="POST", query="uploadId=cd"))),
    # A part that is signed anew is the same part; an upload that is not completed may be gone on with.
    to(None, heard(put("/bucket/big", SLOW_DOWN, query="partNumber=1&sig=a&uploadId=ab"), put("/bucket/big", query="partNumber=1&sig=b&uploadId=ab"), put("/bucket/big", method="POST", query="uploadId=ab"))),
    to(None, heard(put("/bucket/big", SLOW_DOWN, query="partNumber=1&uploadId=ab"), put("/bucket/big", query="partNumber=2&uploadId=ab"))),
    # The lost answer to another write, and a look at another object, say nothing of it.
    to(FAIL, heard(put("/bucket/old", kind=GONE), put("/bucket/old"), *(put(kind=kind) for kind in THRICE))),
    to(FAIL, heard(*(put(kind=kind) for kind in THRICE), get("/bucket/next"))),
    # What was written after a write that failed may stand for it, if only as a letter to somebody who repeats it; a bucket may be there, and a refusal is an answer.
    to(WARN, heard(*(put(kind=kind) for kind in THRICE), put("/bucket/next", **LONGER)), says="had a write fail for good, and perhaps another in its place: the last answer was 503 SlowDown"),
    to(WARN, heard(put(kind=SLOW_DOWN), put("/bucket/next", **OTHER))),
    to(None, heard(put("/bucket", SLOW_DOWN, key=None), put(**LONGER)), heard(put(kind=DENIED), put("/bucket/next", **LONGER), at=9), heard(put(kind=SLOW_DOWN), put(**LONGER), at=20)),
    # So it is with a note to another bucket or service; where it may be the same one, the note may be a commit.
    *(
        to(expected, heard(put(bucket=own), *(put("/notes/table", kind, bucket=other, host=host) for kind in THRICE)))
        for own, other, host, expected in (("bucket", "notes", "127.0.0.1", WARN), (None, None, "notes", WARN), (None, None, "127.0.0.1", FAIL), ("bucket", None, "notes", FAIL))
    ),
    # The app's own success, which it gives above all that, is none.
    to(FAIL, heard(put("/documents/1", bucket=None, host="app", user_agent="test/1", took=2), *(put(kind=kind) for kind in THRICE))),
    # Another place took it; a copy of it got through; the object is there, as a look shows; what is put away later matters less.
    to(None, heard(put(kind=SLOW_DOWN), put("/mirror/table"))),
    to(None, heard(put(), put(kind=SLOW_DOWN))),
    to(None, heard(put(kind=SLOW_DOWN), get())),
    to(None, heard(put(), remove("/bucket/old", SLOW_DOWN))),
    # An error inside of a 200 is another check's.
    to(None, told(1, kind=HIDDEN)),
    # What is there already, or gone already, may be what the caller wanted; not so where it asked for a version.
    *(to(None, told(1, kind=kind, **IF_ABSENT)) for kind in (REFUSED, EXISTS, TAKEN)),
    to(None, told(1, kind=TAKEN, method="POST")),
    to(None, told(1, 0.1, kind=SLOW_DOWN, last=MISSING, method="DELETE")),
    to(FAIL, told(1, kind=REFUSED, **IF_MATCH)),
    to(FAIL, told(1, kind=EXISTS)),
    # After a failure it may be another client's: only a look tells.
    *(to(FAIL, heard(put(kind=SLOW_DOWN, **IF_ABSENT), put(kind=kind, **IF_ABSENT))) for kind in (REFUSED, TAKEN, MISSING)),
    to(None, heard(put(kind=SLOW_DOWN, **IF_ABSENT), put(kind=REFUSED, **IF_ABSENT), get())),
    to(FAIL, heard(put(kind=SLOW_DOWN, **IF_ABSENT), put(kind=REFUSED, **IF_ABSENT), get(kind=MISSING))),
    to(None, told(1, 0.1, last=TAKEN, key=None, path="/bucket", operation="CreateBucket")),
    # Where its own write stands it was right by luck.
    *(to(WARN, lost(1, 0.1, last=last, **IF_ABSENT, **SUCCESS), says="had lost the answer, and nothing was read after") for last in (REFUSED, TAKEN, MISSING, SLOW_DOWN)),
    to(WARN, lost(1, **SUCCESS)),
    to(None, lost(1, 0.1, **SUCCESS), lost(1, 0.1, last=MISSING, method="DELETE", **SUCCESS)),
    to(None, heard(put(kind=GONE, **IF_ABSENT), put(kind=REFUSED, **IF_ABSENT), get())),
    # A caller of a read may have the content from elsewhere; the client of a plan has no other source.
    to(WARN, told(2, 0.1, 0.1, method="GET"), says="2 of 2 calls that the client reported as success had a read fail for good, and perhaps the content from elsewhere: the last answer was 503 SlowDown"),
    to(FAIL, told(1, 0.1, 0.1, method="GET"), driven=True),
    to(None, told(3, kind=DENIED, method="GET"), told(3, 0.1, last=MISSING, method="HEAD", at=9)),
    to(None, heard(get(kind=SLOW_DOWN), get("/mirror/table"))),
    to(WARN, heard(get("/bucket/other"), get(kind=SLOW_DOWN)), says_not="nothing"),
    # A read whose answer was cut or lost each time has not succeeded; who leaves may have read enough.
    *(to(WARN, heard(*[get(kind=kind)] * 3), says="had a read fail for good, and perhaps the content from elsewhere: the last answer was") for kind in (CUT, GONE)),
    to(None, heard(get(kind=CUT), get()), heard(get(kind=FINE | {"left": True}), at=9)),
    # Of calls at the same time nobody knows whose a request is: what fails for good is told as success if all callers that may have sent it heard so.
    to(FAIL, wide(), heard(*bad("a"), at=0.2), heard(*bad("b"), at=0.1), n=3, says="at least 1 of 3 calls that the client reported as success had a request that never succeeded: the last answer was 503 SlowDown"),
    to(FAIL, wide(), heard(*bad("a"), at=0.1), heard(*bad("c"), at=9), n=3, says="at least 1 of 3 calls"),
    to(FAIL, heard(*bad("a")), heard(*bad("b"), at=0.1), says="2 of 2 calls"),
    to(FAIL, wide(), heard(*bad("a"), at=0.1), story(*bad("d"), name="upload", returned=False, at=9), n=2),
    *(to(None, wide(returned=returned), heard(*bad("a"), at=0.1)) for returned in (False, None)),
    # Who sends a first request alone has sent what repeats it.
    to(FAIL, heard(*bad("a")), story(*bad("b"), name="upload", returned=False, at=0.1), n=1, says="1 of 1 call"),
    # What any of these callers has looked at, or written instead, may be the answer.
    to(None, wide(get("/bucket/a")), heard(*bad("a"), at=0.1)),
    to(None, wide(put("/bucket/copy")), heard(*bad("a"), at=0.1)),
    to(WARN, wide(put("/bucket/b", **LONGER)), heard(*bad("a"), at=0.1), says="at least 1 of 2 calls that the client reported as success had a write fail for good, and perhaps another in its place"),
)  # fmt: skip


test_verdict = each_holds(*TABLE)
