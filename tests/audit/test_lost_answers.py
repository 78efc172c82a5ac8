"""A client's reaction to the lost answer of its write, for many clients."""

from faultinject.journal.call_window import CallWindow
from tests.journals import (
    DENIED,
    FINE,
    INTERNAL,
    LOST,
    MARK,
    RESET,
    SLOW_DOWN,
    Made,
    call,
    calls,
    fault,
    layered,
    line,
)

from .rows import FAIL, INCONCLUSIVE, PASS, WARN, each_holds, rows, to

GONE = LOST | {"app_status": 200}
REFUSED, MISSING = FINE | {"status": 412}, FINE | {"status": 404}
GAVE_ERROR = fault("http:503", 503, applied=True, when="after", app_status=200)
CONFLICT, UNDID, TWICE, ERROR = "false conflict", "undid its own write", "wrote twice", "told an error"
AGAIN = "or why it wrote the object again"
KEY, OTHER_KEY = ({"invocation": each} for each in ("0123456789abcdef", "fedcba9876543210"))


def lost(number, *gaps, last=FINE, **more):
    """Writes that were carried out, whose answers were lost, and the answers to their retries."""
    return calls(number, *gaps, **{"kind": GONE, "last": last if gaps else None, **more})


class Story(Made):
    """One caller's requests for several objects, one after the other."""

    def window(self, name="call"):
        """The call windows that a test reports."""
        return CallWindow(self.name, self.lines[0]["arrived"], self.lines[-1]["answered"], self.returned)


def story(*requests, apart=0.5, at=0.0, name=None, returned=None):
    """Make requests from (method, path, answer, fields); with `name` they are one named call."""
    lines = [
        line(
            at + apart * place,
            kind,
            **{"method": method, "path": path, "key": path.rpartition("/")[2], **own},
        )
        for place, (method, path, kind, own) in enumerate(requests)
    ]
    return [Story(lines, name, returned)]


def put(path="/bucket/table", kind=FINE, **own):
    return ("PUT", path, kind, own)


def get(path="/bucket/table", kind=FINE):
    return ("GET", path, kind, {"request_bytes": 0, "request_digest": None})


def remove(path="/bucket/table", kind=FINE, **own):
    return ("DELETE", path, kind, {"request_bytes": 0, "request_digest": None, **own})


def order(key, kind=GONE):
    """A POST with an Idempotency-Key."""
    return ("POST", "/orders", kind, {"operation": None, "guarded": key is not None, "attempt_hint": key})


COMMIT = put("/bucket/data"), put(kind=GONE, guarded=True), put(kind=REFUSED, guarded=True)
"""A file, and the object that names it: its answer is lost, and the retry is refused."""
AT_ONCE = story(*[put(kind=GONE, guarded=True)] * 2, *[put(kind=REFUSED, guarded=True)] * 2, apart=0.0005)
"""Two callers' writes of one object at the same time, and the refusals of their retries."""
UNPAIRED = "which requests are of one call is not known"
OTHER = {"request_digest": "e"}
LONGER = {"request_bytes": 200, "request_digest": "e"}

TABLE = rows(
    "lost answer",
    # Where no answer of a write was lost, it says nothing; nor of a read, or of what the app refused.
    to(None, calls(3, 0.1, kind=RESET, last=FINE), lost(3, 0.1, method="GET"), lost(3, 0.1, operation="b2_list_file_names", method="POST")),
    to(None, lost(3, 0.1, kind=LOST | {"app_status": 412}), calls(3, 0.1, kind=FINE | {"status": 412, "left": True})),
    to(None, calls(3, kind=fault("latency", 404, "delayed", applied=True))),
    # It wrote the same again, or told success.
    to(PASS, lost(3, 0.1), n=3, says="3 of 3 lost writes were repeated without harm"),
    to(INCONCLUSIVE, lost(2, 0.1), says="Not enough data: 2 of 3 lost writes Lose more answers"),
    # Two callers write the object at the same time: whose write a refusal was for is not known, however well others do.
    *(to(INCONCLUSIVE, AT_ONCE, *others, n=2, says=UNPAIRED) for others in ((), (lost(3, 0.1, at=99),))),
    to(PASS, lost(3, 0.1, kind=GAVE_ERROR), lost(3, 0.1, kind=FINE | {"left": True}, at=9), n=6),
    to(PASS, lost(5, returned=True), n=5, says="the callers of 5 of 5 lost writes heard the truth"),
    # A refusal that is told as success without a look may have been for another client's write.
    to(INCONCLUSIVE, lost(3, 0.1, last=REFUSED, guarded=True, returned=True), lost(2, returned=True, at=9), n=3, says=f"for 3 of 5 lost writes the journal does not show whose write a refusal was for, {AGAIN} To decide, run `faultinject explore`"),
    to(PASS, lost(3, 0.1, method="DELETE")),
    # The loser of a race is let go of.
    to(PASS, calls(3, -0.5, kind=FINE, last=FINE | {"left": True}, every=[{"took": 1.0}])),
    to(PASS, lost(3, 0.1, method="POST", operation="CreateMultipartUpload")),
    to(PASS, lost(3, 0.1, method="POST", guarded=True, attempt_hint=KEY)),
    to(PASS, lost(3, 0.1, method="POST", guarded=True, attempt_hint={"key": "0123456789abcdef"})),
    to(PASS, layered(3, 0.1, kind=LOST, last=FINE), driven=True, says="3 of 3 lost writes were repeated without harm"),
    to({CONFLICT: FAIL}, layered(3, 0.1, kind=LOST, last=REFUSED, guarded=True, returned=False), driven=True, n=3, says="the retry got 412; the caller saw an error"),
    # It took its own write for another's, whatever the write was.
    to({CONFLICT: FAIL}, lost(5, 0.1, last=REFUSED, guarded=True, returned=False), n=5, says="5 of 5 writes were carried out, the answer was lost, and the retry got 412; the caller saw an error Read the object"),
    # Where nobody says what the caller heard, the client may have found out.
    to({CONFLICT: WARN}, lost(5, 0.1, last=REFUSED, guarded=True), n=5, says="and the retry got 412 Read the object"),
    *(to({CONFLICT: WARN}, lost(1, 0.1, last=FINE | {"status": status}, method=method)) for method, status in (("PUT", 409), ("DELETE", 412), ("POST", 404), ("POST", 409))),
    to({CONFLICT: WARN}, lost(1, 0.1, last=REFUSED, by=MARK, guarded=True)),
    # A removal that finds nothing has reached its aim; who reports it as a failure all the same is told so.
    to(PASS, lost(3, 0.1, method="DELETE", last=MISSING), says="3 of 3 lost writes were repeated without harm"),
    to(PASS, lost(3, 0.1, method="DELETE", last=MISSING, query="uploadId=…")),
    to(PASS, lost(3, 0.1, method="DELETE", last=MISSING, name="clean", returned=True), says="heard the truth"),
    to({ERROR: WARN}, lost(3, 0.1, method="DELETE", last=MISSING, name="clean", returned=False), says="told an error: 3 of 3 writes (removals) were carried out, and the last answer was 404; the caller saw an error Look whether the object is gone"),
    to({CONFLICT: FAIL}, lost(3, 0.1, method="DELETE", last=REFUSED, name="clean", returned=False), says="3 of 3 writes (removals) were carried out, the answer was lost, and the retry got 412; the caller saw an error"),
    to(INCONCLUSIVE, story(put("/bucket/a"), put("/bucket/b"), remove("/bucket/a", GONE), remove("/bucket/a", MISSING), remove("/bucket/b"), name="clean", returned=True), says="Not enough data: 1 of 3"),
    to({CONFLICT: FAIL}, lost(1, 0.1, last=REFUSED, by=None, guarded=True, name="lock", returned=False)),
    to({CONFLICT: FAIL}, lost(2, 0.1, last=REFUSED, by=None, guarded=True, returned=False), driven=True),
    to({CONFLICT: WARN}, unread=lost(1, 0.1, last=REFUSED, guarded=True)),
    to({CONFLICT: WARN}, lost(3, 0.1), lost(1, 0.1, last=REFUSED, guarded=True, at=5), n=1, says="1 of 4 writes were"),
    # A fingerprint alone may be another caller that wants the same lock; for three things, or with nobody else about, it is a warning.
    to({CONFLICT: WARN}, lost(3, 0.1, last=REFUSED, by=None), says="(grouped by fingerprint)"),
    to({CONFLICT: WARN}, lost(1, 0.1, last=REFUSED, by=None)),
    to({CONFLICT: INCONCLUSIVE}, lost(2, 0.1, last=REFUSED, by=None), says="or another caller sent it"),
    # Who reads it afterwards may know; only a named call tells.
    to(INCONCLUSIVE, story(*COMMIT, get()), says="for 1 of 1 lost writes the journal does not show what the client reported to its caller"),
    to(INCONCLUSIVE, story(put(kind=GONE), get())),
    to({CONFLICT: FAIL}, story(*COMMIT, get(), name="commit", returned=False)),
    to(INCONCLUSIVE, story(*COMMIT, get(), name="commit", returned=True), says="Not enough data: 1 of 3"),
    # The look may fail as well: then that is the error which its caller heard of.
    to({ERROR: WARN}, story(*COMMIT, get(kind=RESET), name="commit", returned=False), says="the last answer was reset; the caller saw an error"),
    to({ERROR: WARN}, story(*COMMIT, get(kind=RESET), get(kind=DENIED), name="commit", returned=False), says="the last answer was 403 AccessDenied"),
    to({ERROR: WARN}, story(*COMMIT, get("/bucket", RESET), name="commit", returned=False), says="the last answer was reset; the caller saw an error"),
    to({CONFLICT: FAIL}, story(*COMMIT, get("/bucket", RESET), get("/bucket"), name="commit", returned=False)),
    to({CONFLICT: FAIL}, story(*COMMIT, get(kind=RESET), get(), name="commit", returned=False)),
    to(INCONCLUSIVE, story(*COMMIT, get(kind=RESET)), says=AGAIN),
    to(INCONCLUSIVE, story(*COMMIT, get(kind=RESET), get(), name="commit", returned=True), says="Not enough data: 1 of 3"),
    # It removed or overwrote what it had written: the object itself, or what that names.
    to({UNDID: WARN}, story(*COMMIT, remove()), says="after 1 of 1 writes whose answer was lost the client removed or overwrote what it had written itself, for example by DELETE /bucket/table (grouped by fingerprint) Remove and"),
    to({UNDID: FAIL}, story(*COMMIT, remove("/bucket/data"), name="commit", returned=False), says="DELETE /bucket/data"),
    to({UNDID: FAIL}, story(*COMMIT, remove(), name="lock", returned=True)),
    to({UNDID: FAIL}, story(*COMMIT, get(), remove(), name="lock", returned=False)),
    to({UNDID: FAIL}, story(*COMMIT, get(), remove("/bucket/data"), name="commit", returned=False)),
    # Who has read it and knows may let a lock go, or put away what it needs no more.
    *(to(INCONCLUSIVE, story(*COMMIT, get(), remove(path), **named), says=AGAIN) for path in ("/bucket/table", "/bucket/data") for named in ({}, {"name": "commit", "returned": True})),
    to(INCONCLUSIVE, story(*COMMIT, remove("/bucket/data"), name="commit", returned=True), says=AGAIN),
    to({UNDID: FAIL}, story(put("/bucket/data"), put(kind=GONE, guarded=True), remove("/bucket/data"), name="commit", returned=False)),
    to({UNDID: FAIL}, story(*COMMIT, put(**OTHER), name="commit", returned=True), says="by PUT /bucket/table"),
    to({UNDID: FAIL}, lost(1, 0.1, every=[{}, {"request_bytes": 10, "request_digest": "e"}]), says="Remove and"),
    to({UNDID: FAIL}, lost(1, 0.1, every=[{}, {"request_bytes": 0, "request_digest": None}]), says="from its beginning"),
    # It is no such thing: what others wrote, what comes later or for another caller, a part that is put aside, a removal that failed.
    *(
        to({CONFLICT: WARN}, story(*COMMIT, *more))
        for more in (
            [remove("/bucket/other")], [put("/bucket/more"), remove("/bucket/data")], [remove(kind=INTERNAL)],
            [remove(client="10.0.0.1")], [remove(test="t")], [remove(query="uploadId=…")],
        )
    ),
    to({CONFLICT: WARN}, story(*COMMIT, remove(), apart=11.0)),
    # A refusal is enough, whatever asked for it; and another body right behind a loss may be a retry or another write.
    to({UNDID: WARN}, story(put("/bucket/data"), put(kind=GONE), put(kind=FINE | {"status": 409}), remove("/bucket/data"))),
    to(None, story(put(kind=GONE), put(**LONGER))),
    # Nor what it has not written itself before: its write failed, it removed it or only read it, another client wrote it, or an earlier call.
    *(
        to({CONFLICT: WARN}, story(before, *COMMIT[1:], remove("/bucket/data")))
        for before in (put("/bucket/data", SLOW_DOWN), remove("/bucket/data"), get("/bucket/data"), put("/bucket/data", client="10.0.0.1"))
    ),
    to({CONFLICT: FAIL}, story(put("/bucket/data"), at=-9), story(*COMMIT[1:], remove("/bucket/data"), name="commit", returned=False)),
    to({CONFLICT: FAIL}, story(*COMMIT, name="commit", returned=False), story(remove("/bucket/elsewhere"))),
    # After an error it is a way back: nothing stands. Without a precondition it does not name what was written before.
    to(INCONCLUSIVE, story(put(kind=GONE), remove()), says="Not enough data: 1 of 3"),
    to(INCONCLUSIVE, story(put(kind=GONE, query="partNumber=1&uploadId=…"), remove(query="uploadId=…")), says="Not enough data: 1 of 3"),
    to({ERROR: WARN}, story(put(kind=GONE, method="POST", query="uploadId=…"), remove(query="uploadId=…"), name="upload", returned=False)),
    to({ERROR: WARN}, story(put("/bucket/data"), put(kind=GONE), remove("/bucket/data"), name="upload", returned=False)),
    to(INCONCLUSIVE, story(put("/bucket/data"), put(kind=GONE), remove("/bucket/data")), says=AGAIN),
    # It wrote the same once more, where once more is too much.
    to({TWICE: FAIL}, lost(1, 0.1, method="POST"), says="1 of 1 writes whose answer was lost took effect twice, for example by POST /bucket/k"),
    to({TWICE: FAIL}, lost(1, 0.1, method="PATCH", last=LOST)),
    to({TWICE: FAIL}, lost(1, 0.1, operation="append_blob.append_block")),
    to(PASS, lost(3, 0.1, operation="AppendObject", method="POST", guarded=True)),
    to({TWICE: WARN}, lost(1, 0.1, method="POST", by=None)),
    # A key that is made anew for each attempt keeps nothing off: in one named call that is sure, else another caller may have sent it.
    to({TWICE: FAIL}, story(order(KEY), order(OTHER_KEY, FINE), name="order", returned=True), says="by POST /orders"),
    to({TWICE: FAIL}, story(order(None), order(KEY, FINE), name="order", returned=True)),
    to(INCONCLUSIVE, story(order(KEY), order(OTHER_KEY, FINE)), says=AGAIN),
    to(INCONCLUSIVE, story(order(KEY), order(KEY, FINE), name="order", returned=True), says="Not enough data: 1 of 3"),
    to(INCONCLUSIVE, story(order(KEY), order(KEY, FINE), order(OTHER_KEY, FINE)), says="Not enough data: 1 of 3"),
    to({ERROR: WARN}, story(order(KEY), order(OTHER_KEY, SLOW_DOWN), name="order", returned=False)),
    to({TWICE: FAIL}, story(*COMMIT, get(), put(guarded=True, **LONGER), name="append", returned=True), says="by PUT /bucket/table"),
    to({TWICE: FAIL}, story(put(kind=GONE), get(), put(**LONGER), name="append", returned=True)),
    to(INCONCLUSIVE, story(*COMMIT, get(), put(guarded=True), name="merge", returned=True), says="Not enough data"),
    to(INCONCLUSIVE, story(*COMMIT, get(), put(guarded=True, **OTHER), name="renew", returned=True), says=AGAIN),
    to(INCONCLUSIVE, story(*COMMIT, get(), put(guarded=True, **LONGER))),
    to(INCONCLUSIVE, story(*COMMIT, get(), put(query="x-id=PutObject"), name="merge", returned=True), says="Not enough data"),
    to({CONFLICT: FAIL}, story(*COMMIT, get(), put("/bucket/log"), name="commit", returned=False)),
    # A new name for each attempt: what names the right one, or removes the other, makes the first harmless, in this call or in a later one.
    *(
        to(INCONCLUSIVE, story(put("/bucket/t/a", GONE), put("/bucket/t/b"), *more, name="append", returned=True), says="why it wrote the object again To decide, run `faultinject explore`")
        for more in ([], [put("/bucket/meta/v2", **LONGER)], [remove("/bucket/t/a")])
    ),
    # Who has read it knew; a caller of an error may write the next one of many.
    *(
        to(expected, story(put("/bucket/a", GONE), *more, **how), says="Not enough data" if expected == INCONCLUSIVE else "told an error")
        for more, how, expected in (
            ([put("/bucket/b")], {"name": "upload", "returned": False}, {ERROR: WARN}),
            ([get("/bucket/a"), put("/bucket/b")], {"name": "upload", "returned": True}, INCONCLUSIVE),
            ([put("/bucket/a"), put("/bucket/b")], {"name": "upload", "returned": True}, INCONCLUSIVE),
            ([put("/bucket/b", **OTHER)], {"name": "upload", "returned": True}, INCONCLUSIVE),
            ([put("/copies/b")], {"name": "upload", "returned": True}, INCONCLUSIVE),
        )
    ),
    to(INCONCLUSIVE, story(*(put(path, kind, request_bytes=0, request_digest=None) for path, kind in (("/bucket/a", GONE), ("/bucket/b", FINE))), name="mark", returned=True), says="Not enough data"),
    # Its own removal is the reaction, also where that answer is lost too and it then writes anew; behind a lost removal it may.
    to({UNDID: WARN}, story(*COMMIT, remove(kind=GONE), put(guarded=True))),
    to({UNDID: FAIL}, story(*COMMIT, remove(kind=GONE), put(guarded=True), name="lock", returned=True), n=1, says="by DELETE /bucket/table"),
    to(INCONCLUSIVE, story(remove(kind=GONE), put(), name="replace", returned=True), says="Not enough data"),
    to({UNDID: FAIL}, story(*COMMIT, remove(), put(guarded=True), name="lock", returned=True)),
    # Its caller heard of an error: at once, or when the retries failed too.
    to({ERROR: WARN}, lost(1, returned=False), says="1 of 1 writes were carried out, and the last answer was reset; the caller saw an error Read the object before you report"),
    to({ERROR: WARN}, lost(2, 0.1, last=SLOW_DOWN, returned=False), n=2, says="the last answer was 503 SlowDown"),
    to({ERROR: WARN}, lost(1, kind=GAVE_ERROR, returned=False), lost(1, kind=FINE | {"left": True}, at=3, returned=False), says="503 or client left"),
    # Where nothing says so, it may have found out otherwise.
    *(to(INCONCLUSIVE, lost(3, *gaps, **more), n=3, says=AGAIN) for gaps, more in (((), {}), ((0.1,), {"last": SLOW_DOWN}))),
    to(INCONCLUSIVE, story(put("/bucket/a", GONE), put("/bucket/b")), says=AGAIN),
    to(None, unread=lost(1)),
    # Nothing stands where an upload was begun and has come to no object; the last request of one makes the object.
    *(to(PASS, lost(3, method=method, query=query)) for method, query in (("POST", "uploads="), ("PUT", "partNumber=1&uploadId=…"), ("PUT", "comp=block&blockid=…"))),
    *(to({ERROR: WARN}, lost(3, method=method, query=query, returned=False)) for method, query in (("POST", "uploadId=…"), ("PUT", "comp=blocklist"), ("POST", "uploadType=media&name=cat"))),
    # Another layer asks again under an id of its own: it is the same write.
    to(PASS, [each for number in range(3) for kind, at in ((GONE, 0), (FINE, 0.5)) for each in [call(kind=kind, at=at + number, path=f"/bucket/{number}")]]),
    to({CONFLICT: WARN}, [call(kind=kind, at=at, path="/bucket/table", guarded=True) for kind, at in ((GONE, 0), (REFUSED, 0.5))]),
    # A driver's calls have keys of their own: what is removed under another one is another call's.
    to(
        {CONFLICT: FAIL}, [call(kind=FINE, at=-1, path="/bucket/data")],
        calls(1, 0.1, kind=GONE, last=REFUSED, guarded=True, returned=False, ended=False, path="/bucket/table"), [call(kind=FINE, at=0.2, method="DELETE", returned=True, path="/bucket/data")], driven=True,
    ),
    # The worst first.
    to([FAIL, WARN, WARN], lost(1, at=20, returned=False), lost(1, 0.1, last=REFUSED, at=10), lost(1, 0.1, method="POST"), n=[1, 1, 1]),
)  # fmt: skip


test_verdict = each_holds(*TABLE)
