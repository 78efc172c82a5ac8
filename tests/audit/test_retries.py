"""Retries, hints and the effects of retries on data, for many clients."""

import random

from faultinject.journal.call_window import CallWindow
from tests.journals import (
    DELAYED,
    DENIED,
    FINE,
    HIDDEN,
    HUNG,
    ID,
    INTERNAL,
    LOST,
    MARK,
    RESET,
    SLOW_DOWN,
    TOOK,
    call,
    calls,
    fault,
    layered,
    line,
    successes,
    verdict,
)  # fmt: skip
from tests.rows import each_row

from .rows import FAIL, INCONCLUSIVE, PASS, WARN, each_holds, rows, to

PLAIN = fault("http:429", 429)
CUT = fault("truncate", 200, "truncated", applied=True)
RETRIED = fault("cos:ServiceUnavailable", 503)
"""An answer that the client does try again after, where it gives up after another one."""
OWN = fault("jss:InvalidCallback", 567)
NO_VERSION = fault("http:505", 505)
NOT_BUILT = fault("cos:NotImplemented", 501)
LET_BE = fault("qiniu-mix:OperationAborted", 409)
MISSING = fault("s3:NoSuchKey", 404)
ABSENT = FINE | {"status": 404}
TOKEN = fault("b2:expired_auth_token", 401)
REFRESH = fault("gcs:authError", 401)
CONFLICT = fault("gcs:conflict", 409)
REFETCH = fault("r2:PreconditionFailed", 412)
LOOK = fault("azure-blob:OperationTimedOut", 500)
FORM = {"user_agent": "QiniuPython/7.18.0", "method": "POST"}
LOOKS = {"by": None}
ASKED = {"hint": 3.0, "hint_form": "seconds"}
LEFT_UPLOAD = fault("cos:SlowDown", did="failed", left=True)
NO_VERDICT = None
"""The check has nothing that it could say anything of."""


def refused(number, *gaps, **more):
    return calls(number, *gaps, kind=DENIED, **more)


def waiter(*gaps, kind=MISSING, **more):
    """Calls in which a client waits until an object is there."""
    return calls(3, *gaps, apart=50.0, kind=kind, **{"by": None, "method": "HEAD", "name": "wait", **more})


def alone(number, *gaps, **more):
    """One after the other, nothing else in between."""
    return calls(number, *gaps, apart=100.0, by=None, **more)


def side_by_side(number, *, at=0.0, apart=0.005, **more):
    """Calls of as many callers, each with a connection of its own."""
    return [call(at=at + apart * each, by=None, connection=each, **more) for each in range(number)]


def spent(*more):
    """A client that tries again twice, and then what it does."""
    return [*calls(3, 0.5, 0.5, kind=INTERNAL, at=-40), *more]


def deletion(at, kind, size):
    """A request of an SDK for the deletion of many objects."""
    return call(
        kind=kind,
        at=at,
        method="POST",
        path="/bucket",
        query="delete",
        request_bytes=size,
        request_digest=f"{at}",
    )


def met(*faults, last=FINE | {"status": 400}, number=3, **more):
    """Calls that get these faults, one after the other, and then what the app says."""
    return calls(number, *[0.2] * len(faults), last=last, every=faults, **{"by": None, "kind": FINE, **more})


def lost_and_read(returned, answer, method="HEAD", kind=LOST, write="PUT"):
    """A write whose answer is lost, and behind it another request for the object, in one call."""
    found = call(kind=kind, returned=returned, name="write", method=write)
    wrote = found.lines[0]
    found.lines.append(
        line(
            wrote["answered"] + 0.001,
            answer,
            **{name: wrote[name] for name in ("path", "key", "connection")},
            method=method,
            request_digest="e",
        )
    )
    return found


def elsewhere(number):
    """Named calls that write to another place after one failure, and return."""
    made = []
    for each in range(number):
        found = call(at=10 + 3 * each, name="write", returned=True)
        found.lines.append(line(10.1 + 3 * each, FINE, path=f"/mirror/{each}", key=str(each)))
        made.append([found])
    return made


def copied_by_hand(place):
    """A named call that uploads an object after a copy of it has failed."""
    made = call(at=10 + 3 * place, name="copy", returned=True, operation="CopyObject", request_bytes=0)
    copied = made.lines[0]
    uploaded = {"operation": "PutObject", "request_bytes": 100, "request_digest": "e"}
    made.lines.append(
        line(copied["answered"] + 0.1, FINE, path=copied["path"], key=copied["key"], **uploaded)
    )
    return made


OPEN = "the circuit is open"
GETS, PUTS = (calls(12, 0.2, at=50, method=method, name=method.lower()) for method in ("GET", "PUT"))
"""The calls of another client of the same kind while its breaker is closed."""


def unheard(number, name="put", at=10.0):
    """Named calls that make no request."""
    return [
        CallWindow(name, at + each, at + each + 0.1, False, OPEN, key=f"silent-{each}")
        for each in range(number)
    ]


def returning(number, name, at, apart=0.1):
    """Named calls that take a second and return, whether or not they make a request."""
    return [CallWindow(name, at + apart * each, at + apart * each + 1.0, True) for each in range(number)]


def renewed(things):
    """Two named calls of each thing in turn, and a third one that overlaps with both."""
    made = [
        call(*[0.3] * 12, at=20 * each + at, by=None, path=f"/bucket/thing-{each}")
        for each in range(things)
        for at in (0, 5)
    ]
    told = [
        CallWindow("put", 20 * each + began, 20 * each + ended, False)
        for each in range(things)
        for began, ended in ((-0.1, 3.7), (4.9, 8.7), (-0.2, 8.3))
    ]
    return made, told


def storm(things, depth=3, apart=0.2, **more):
    """Each failure starts two retries, `depth` times over."""
    return [
        call(at=20 * thing + apart * level + 0.0004 * each, path=f"/bucket/storm-{thing}", by=None, connection=1000 * thing + 100 * level + each, **more)
        for thing in range(things)
        for level in range(depth + 1)
        for each in range(2**level)
    ]  # fmt: skip


def above(things, pause, kind=DENIED, **more):
    """Two calls of an SDK for each thing, one `pause` seconds after the other."""
    return [
        call(kind=kind, at=20 * each + at, path=f"/bucket/thing-{each}", **more)
        for each in range(things)
        for at in (0, pause)
    ]


def asked_twice(things, pause, *, beside=False):
    """Of each such thing two named calls, and others beside them, which overlap with both."""
    return [
        CallWindow(name, 20 * each + at - early, 20 * each + at + 1)
        for each in range(things)
        for name, at, early in (("get", 0, 0.1), ("get", pause, 0.1), *[("other", 0, 0.2), ("other", pause, 0.2)] * beside)
    ]  # fmt: skip


RENEWED = renewed(3)


RETRIES = rows(
    "retries",
    # Nine of ten pass, none fails, and three decide.
    to(INCONCLUSIVE, calls(2, 0.5)),
    to(PASS, calls(3, 0.5), says="503 SlowDown: 3 of 3 calls retried"),
    to(FAIL, calls(3), says="although the vendor documents it as retryable"),
    to(INCONCLUSIVE, calls(2)),
    to(PASS, calls(1), calls(9, 0.5, at=1)),
    # A layer above an SDK that retries nothing gives each attempt an id of its own; so does a caller that repeats its call.
    to(INCONCLUSIVE, layered(3, 0.5, 0.7), n=9, says="0 of 9 calls retried after 503 SlowDown (9), but 6 requests came again under another id of the SDK, which repeats none: a layer above it retries them, or the caller asks again To decide, run"),
    # An answer after which nothing came again, while other answers were retried, has no retries.
    to({"500 InternalError": INCONCLUSIVE, "503 SlowDown": WARN}, layered(10, 0.5, 0.7, kind=INTERNAL), calls(29, at=20), says="0 of 29 calls retried, although"),
    # A queue may send again after minutes what failed; a job that runs again sends what succeeded, too.
    to(INCONCLUSIVE, above(3, 70.0, SLOW_DOWN, by=None), says="0 of 6 calls retried after 503 SlowDown (6), but the same requests came again 70.0 s later or more, unlike those that succeeded"),
    to(INCONCLUSIVE, above(3, 70.0, SLOW_DOWN, by=None), calls(6, kind=FINE, by=None)),
    to(FAIL, above(3, 70.0, SLOW_DOWN, by=None), successes(20, 10, wait=200.0)),
    to(FAIL, above(1, 70.0, SLOW_DOWN, by=None), calls(6, at=0.005, apart=0.005, by=None)),
    # Another body is another upload, and where nothing succeeded nobody knows what comes again.
    to(FAIL, [call(at=at + 200 * each, path=f"/bucket/thing-{each}", by=None, request_digest=f"{at}") for each in range(3) for at in (0.0, 70.0)], calls(6, kind=FINE, by=None)),
    # Where no request follows for seconds, five failures in a row may have opened a circuit breaker: of named calls that ended before nobody asks.
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, calls(6, apart=0.05), calls(3, 0.3, at=9.0, method="GET", kind=INTERNAL)),
    # So may those of callers who come one after the other, at a pace that others of the client's turnarounds have as
    # well.
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, calls(9, kind=FINE, apart=0.04, at=-9, connection=1), calls(6, apart=0.05), calls(3, 0.3, at=9.0, method="GET", kind=INTERNAL)),
    to(WARN, calls(6, apart=0.2), calls(1, kind=FINE, at=9.0), says="a circuit breaker may have ended 6 of them, as no request followed"),
    # What a transport sends again at once is no first wait of the client's own.
    to({"503 SlowDown": WARN, "reset": PASS}, calls(3, kind=FINE, at=-9, connection=7), calls(6, apart=0.2), calls(3, 0.0003, kind=RESET, last=FINE, at=20, by=None, every=[{"connection": 7}, {"connection": 8}])),
    # Nor is the request with a new token.
    to({"503 SlowDown": WARN, "401 authError": PASS}, calls(6, apart=0.2), calls(3, 0.001, kind=REFRESH, last=FINE, at=20, every=[{"credential": "t"}, {"credential": "u"}])),
    to(FAIL, calls(6, apart=0.2), calls(1, kind=FINE, at=3.0)),
    to(FAIL, calls(6, apart=0.2, name="put", returned=False)),
    # So may those side by side, on connections that were used before, where nothing follows.
    *(
        to(expected, side_by_side(8, kind=FINE, at=-9), side_by_side(number, apart=apart), then)
        for number, apart, then, expected in (
            (8, 0.005, [], WARN),
            (4, 0.005, [], FAIL),
            (8, 0.2, [], WARN),
            (8, 0.005, calls(1, kind=FINE, at=0.5), FAIL),
        )
    ),
    to(WARN, side_by_side(8, apart=0.0004)),
    to(FAIL, side_by_side(8)),
    to(FAIL, calls(8, kind=FINE, at=-9, connection=1), calls(8, apart=0.005, connection=1)),
    # One caller would have sent the next request sooner, as behind its successes.
    to(WARN, calls(8, kind=FINE, at=-9, connection=1), calls(8, apart=0.015, connection=1)),
    # One of several callers takes the connection that the wait of another one has left.
    to(WARN, side_by_side(4, kind=FINE, at=-9), [call(at=0.001 * each, by=None, connection=each // 2 % 4) for each in range(16)]),
    # A client that goes to another place instead, and whose callers hear of success, may do without.
    *(to(WARN, *elsewhere(3), says=said) for said in ("0 of 3 calls retried", "; the callers of 3 heard of success, perhaps from another place")),
    to({"503 SlowDown": WARN}, *elsewhere(4), calls(9, 0.5, method="GET", at=100)),
    # Of another method, of which nothing came again, that says nothing.
    to(FAIL, layered(1, 0.5, method="GET"), calls(50, at=10), says="never retries: 0 of 50 calls retried"),
    to({"503 SlowDown": INCONCLUSIVE}, layered(3, 0.5, 0.7), calls(3, 0.5, method="GET", at=0.01), says="0 of 9 PUT, 3 of 3 GET retried, but 6 requests came again"),
    to(INCONCLUSIVE, layered(1, 0.5)),
    to(FAIL, layered(3, 0.5), calls(4, at=100.0, apart=2.0)),
    to(INCONCLUSIVE, layered(3, 11.0), says="came again 11.0 s later or more"),
    *(to(INCONCLUSIVE, layered(4, *[2.0] * 11, method=method, apart=40.0)) for method in ("GET", "HEAD")),
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, layered(3, 0.5, 0.7), calls(3, 0.5, kind=INTERNAL, at=20)),
    to(INCONCLUSIVE, calls(2), calls(8, 0.5, at=1), says="8 of 10 calls retried: a retry budget or a deadline may be the cause"),
    # The first ten calls tell; a budget that ran dry later is no reason.
    to(PASS, calls(10, 0.5), calls(90, at=100, apart=1.0)),
    to(INCONCLUSIVE, calls(9, 0.5), calls(90, at=100, apart=1.0)),
    # A client that tries nothing again: one finding for all that it got.
    to(FAIL, calls(2, apart=2.0), calls(2, kind=INTERNAL, apart=2.0), calls(2, kind=RESET, apart=2.0), refused(5, apart=2.0), n=6, subject=None, says="0 of 6 calls retried after"),
    # The vendor says so of what it documents; of lost connections and cut answers nobody does.
    to(FAIL, calls(2, apart=2.0), calls(2, kind=INTERNAL, apart=2.0), calls(2, kind=RESET, apart=2.0), calls(2, kind=CUT, apart=2.0), says="although the vendor documents 503 SlowDown and 500 InternalError as retryable"),
    to(WARN, calls(3, kind=fault("http:503", 503)), calls(2, kind=RESET), says="although such failures are transient"),
    # What is said of an error agrees with the vendor's table, which states nothing of this one.
    *(to(WARN, calls(3, kind=fault("kodo:573", 573)), *more, says="although such failures usually pass; the vendor does not state it") for more in ([], [calls(2, kind=RESET)])),
    # A client that sends copies of what is slow, and asks for nothing again that failed, never retries.
    to(FAIL, calls(6, -0.2, kind=DELAYED, took=0.4, method="GET", by=None), calls(5, at=20, by=None), driven=True, says="0 of 5 calls retried"),
    to({"503 SlowDown": FAIL, "reset": INCONCLUSIVE}, calls(6, -0.2, kind=DELAYED, took=0.4, method="GET", by=None), calls(5, at=20, by=None), calls(1, 0.5, kind=RESET, at=30, by=None), driven=True),
    # A client whose last copies were not answered before the run was over never retries either: a breaker may have ended the calls before.
    to(WARN, calls(6, -0.2, kind=DELAYED, took=0.4, method="GET", name="read", returned=True, at=40), calls(5, at=20, apart=0.05), calls(3, -0.2, kind=fault("latency", None, "delayed"), last=FINE, took=0.4, method="GET", at=60, name="read", returned=True), says="never retries"),
    # Lost connections are no answers: it may be right not to send some of them twice.
    to(WARN, calls(5, kind=RESET)),
    # A call under way that was retried shows that the client does so; so may what cannot be told apart.
    to(INCONCLUSIVE, calls(5), unread=calls(1, 0.5)),
    to(INCONCLUSIVE, calls(5), [call(kind=SLOW_DOWN, at=50 + each, path="/bucket/hot", by=None, connection=each, took=3.0) for each in (0, 1)]),
    # Who is asked to wait longer than five seconds may give up.
    to(FAIL, calls(5, apart=6.0, hint=5.0, hint_form="seconds")),
    to(INCONCLUSIVE, calls(5, hint=5.1, hint_form="seconds")),
    # One that ends the call by its form alone says nothing of the answer.
    *(
        to({"503 SlowDown": expected}, calls(3, hint + 0.01, hint=hint, hint_form="seconds"), calls(3, at=50, hint=3.0, hint_form="date"), calls(3, 0.3, at=70))
        for hint, expected in ((4.0, PASS), (3.9, INCONCLUSIVE))
    ),
    # It does not of a method that is never retried, whatever the form.
    to({"503 SlowDown": FAIL}, calls(3, 4.01, hint=4.0, hint_form="seconds"), calls(3, at=50, hint=3.0, hint_form="date", method="GET"), calls(3, 0.3, at=70), driven=True, says="GET is never retried"),
    # What nobody calls worth another try is no fault when it gets none.
    *(to(INCONCLUSIVE, calls(5, kind=kind), n=0) for kind in (NOT_BUILT, OWN, NO_VERSION, DENIED, HIDDEN, HUNG, REFETCH)),
    # What is retried nevertheless is shown; a document may ask for it.
    *(to(PASS, calls(3, 0.5, kind=kind)) for kind in (OWN, LET_BE, TOKEN, REFRESH, CONFLICT, LOOK)),
    *(to(INCONCLUSIVE, calls(10, kind=kind), n=0) for kind in (TOKEN, REFRESH, CONFLICT, LOOK)),
    # With the token that was refused a retry is in vain, where the document asks for a new one.
    *(
        to({answer: expected}, calls(3, 0.5, kind=kind, credential="t"), calls(1, 0.5, kind=kind, credential=other, at=9), successes(3, credential="v"), says=says)
        for kind, answer in ((TOKEN, "401 expired_auth_token"), (REFRESH, "401 authError"))
        # The service of a test may give the same token again.
        for other, expected, says in (("u", WARN, "4 of 4 calls retried with the token that was refused"), ("t", PASS, "4 of 4"), (None, PASS, "4 of 4"))
    ),
    to({"401 authError": WARN}, calls(3, 0.5, 0.5, kind=REFRESH, last=FINE, every=[{"credential": "t"}, {"credential": "t"}, {"credential": "u"}])),
    to({"401 authError": PASS}, calls(3, 0.5, kind=REFRESH, last=FINE, every=[{"credential": "t"}, {"credential": "u"}])),
    to({"409 conflict": PASS}, calls(3, 0.5, kind=CONFLICT, credential="t")),
    # Of one without a token, and where no document asks for a new one, it is not known.
    to({"401 authError": PASS}, calls(3, 0.5, kind=REFRESH, last=FINE), calls(1, 0.5, kind=REFRESH, last=FINE, every=[{"credential": "t"}, {"credential": "u"}])),
    to({"503 SlowDown": PASS}, *(calls(3, 0.5, credential=each) for each in ("t", "u"))),
    to(FAIL, calls(3, kind=LET_BE)),
    to(FAIL, calls(3, kind=fault("qingstor:upstream_failed", 503))),
    to(WARN, calls(3, kind=fault("http:599", 599))),
    # No client has to repeat a POST; one that repeats others is asked about the rest, but for what may have taken effect.
    to(INCONCLUSIVE, calls(5, method="POST")),
    to(PASS, calls(5, method="POST"), calls(3, 0.5)),
    to({"503 SlowDown": PASS, "429": WARN}, calls(3, 0.5, **FORM), calls(3, kind=PLAIN, **FORM)),
    to({"503 SlowDown": PASS}, calls(3, 0.5, user_agent=FORM["user_agent"]), calls(3, kind=PLAIN, **FORM)),
    # A request to another service than object storage is not compared with the retried ones.
    to({"503 SlowDown": PASS}, calls(3, 0.5, method="POST"), calls(3, kind=PLAIN, method="POST")),
    to({"503 SlowDown": PASS}, calls(3, 0.5, method="POST", operation="CreateMultipartUpload"), calls(3, kind=PLAIN, method="POST")),
    to({"reset": PASS}, calls(3, 0.5, kind=HIDDEN, last=FINE, **FORM), calls(4, kind=LOST, **FORM), calls(3, 0.5, kind=RESET, user_agent=FORM["user_agent"])),
    # Each answer has a finding of its own.
    to({"503 SlowDown": PASS, "429": WARN, "reset": PASS}, calls(4, 0.5), calls(3, kind=PLAIN), calls(3, 0.1, kind=RESET, last=FINE)),
    to({"503 SlowDown": WARN, "503 ServiceUnavailable": PASS}, calls(3), calls(3, 0.5, kind=RETRIED)),
    # A retry does not change a 501 or 505.
    to({"501 NotImplemented": WARN, "503 SlowDown": PASS}, calls(3, 0.5, kind=NOT_BUILT), calls(3, 0.5, at=9)),
    to({"505": WARN, "503 SlowDown": PASS}, calls(3, 0.5, kind=NO_VERSION), calls(4, kind=NO_VERSION), calls(3, 0.5, at=9), says="3 of 7 calls retried, although a retry cannot succeed"),
    # Who looks at the object behind a write whose answer was lost, and tells of success, need not write again; who only tells of it has looked at nothing.
    *(
        to({"reset": expected}, [lost_and_read(*how) for _ in range(4)], calls(3, 0.5, kind=RESET, method="GET"), calls(1, kind=RESET), driven=True)
        for how, expected in (
            ((True, FINE), PASS),
            ((False, FINE), WARN),
            ((True, MISSING), WARN),
            ((True, FINE, "PUT"), WARN),
            # What was removed is gone, and not there.
            ((True, ABSENT, "HEAD", LOST, "DELETE"), PASS),
            ((True, FINE, "HEAD", LOST, "DELETE"), WARN),
            ((True, DENIED, "HEAD", LOST, "DELETE"), WARN),
        )
    ),
    to({"reset": WARN}, calls(4, kind=LOST, returned=True, at=-1), calls(3, 0.5, kind=RESET, method="GET"), driven=True),
    # What was not carried out is not there, whoever looks and tells of success.
    to({"503 SlowDown": FAIL}, [lost_and_read(True, FINE, kind=SLOW_DOWN) for _ in range(4)], calls(3, 0.5, method="GET", at=9), driven=True),
    # A circuit breaker opens before the first wait is over: it ends calls without a retry, and others of that name without a request.
    *(
        to({"503 SlowDown": expected}, calls(number, name="put", returned=False, error=OPEN), GETS, windows=unheard(4, at=0.04 * number), driven=driven, **said)
        for number, driven, expected, said in (
            (5, True, INCONCLUSIVE, {"says": "an open circuit breaker may have ended 5 of 17 calls, PUT, before a retry Repeat it with the client's circuit breaker off"}),
            (5, False, INCONCLUSIVE, {}),
            # Those that failed a first wait before it opened had been retried by then.
            (10, True, FAIL, {"says": "0 of 4 PUT, 12 of 12 GET retried: PUT is never retried"}),
            (10, False, FAIL, {}),
            # Fewer than three failures open nothing.
            (2, True, PASS, {"says": "0 of 2 PUT, 12 of 12 GET retried"}),
        )
    ),
    # What callers hear from an open breaker and from no refusal says what ended a call, however late a busy machine was.
    *(
        to({"503 SlowDown": expected}, calls(10, name="put", returned=False, error=OPEN), refused(3, at=-90, name="put", returned=False, error=error), GETS, windows=unheard(4, at=0.4), driven=driven)
        for error, expected in (("403 AccessDenied", INCONCLUSIVE), (OPEN, FAIL))
        for driven in (True, False)
    ),
    # Heard at other times too, it says nothing of a breaker.
    to({"503 SlowDown": FAIL}, calls(10, name="put", returned=False, error=OPEN), refused(3, at=-90, name="put", returned=False, error="403"), calls(6, apart=60.0, at=100, name="put", returned=False, error=OPEN), calls(12, 0.2, at=900, method="GET", name="get"), windows=unheard(4, at=0.4), driven=True),
    # Nothing else without a request is one: before the first failure, minutes after the last, of another name, with another error, with none, behind a refusal.
    *(
        to({"503 SlowDown": FAIL}, calls(5, name="put", returned=False, error=error), GETS, windows=[silent], driven=True)
        for error, silent in (
            (OPEN, unheard(1, at=-5)[0]),
            (OPEN, unheard(1, at=200)[0]),
            (OPEN, unheard(1, "other", at=0.2)[0]),
            ("503", unheard(1, at=0.2)[0]),
            (None, CallWindow("put", 0.2, 0.3, False, None, key="silent")),
        )
    ),
    to({"503 SlowDown": FAIL}, calls(5, name="put", returned=False, error=OPEN), refused(1, at=0.2, name="put", returned=False), GETS, windows=unheard(4, at=0.3), driven=True),
    # A client that hides its errors hides those of an open breaker: its calls return without a request.
    *(
        to(expected, calls(6, apart=0.005, connection=1), windows=[*returning(6, "put", 0.0, apart=0.005), *returning(4, name, 0.2)])
        for name, expected in (("put", WARN), ("page", FAIL))
    ),
    # Where nobody drives, calls may have names of their own, and clients a breaker each.
    to({"503 SlowDown": INCONCLUSIVE}, *(calls(1, at=0.04 * each, name=f"put {each}", returned=False, error=OPEN) for each in range(5)), GETS, windows=unheard(4, "put 9", at=0.2)),
    to({"503 SlowDown": INCONCLUSIVE, "500 InternalError": PASS}, calls(5, name="put", returned=False, error=OPEN), GETS, calls(30, 0.5, kind=INTERNAL, user_agent="other/1.0"), windows=unheard(4, at=0.2)),
    # One that opens by the share of failures lets successes come between them; what was retried until then counts.
    to({"503 SlowDown": INCONCLUSIVE}, *([*calls(1, at=0.1 * each, name="put", returned=False, error=OPEN), *calls(1, kind=FINE, at=0.1 * each - 0.05, name="put")] for each in range(3)), GETS, windows=unheard(4, at=0.26), driven=True),
    to({"503 SlowDown": PASS}, calls(3, 0.1, name="put", returned=False, error=OPEN), GETS, windows=unheard(4, at=0.3), driven=True),
    # A retry that was on its way when it opened may succeed; what begins behind that shows that it is closed.
    *(
        to({"503 SlowDown": expected}, calls(5, name="put", returned=False, error=OPEN), [call(kind=FINE, at=at, name="put")], GETS, windows=unheard(4, at=0.24), driven=True)
        for at, expected in ((0.17, INCONCLUSIVE), (0.2, FAIL))
    ),
    # Another client of the driver has shown what its callers hear then: the last of these may have opened their own, and no call followed.
    *(
        to({"503 SlowDown": expected}, calls(5, name="reads", method="GET", returned=False, error=error), PUTS, calls(5, at=80, name="put", returned=False, error=OPEN), windows=unheard(4, at=80.2), driven=True)
        for error, expected in ((OPEN, INCONCLUSIVE), ("503", FAIL))
    ),
    # What asks for a wait is ended by it also later.
    *(
        to({"503 SlowDown": expected}, calls(4, name="put", returned=False, error=OPEN, apart=1.0, hint=hint, hint_form=hint and "seconds"), GETS, windows=unheard(4, at=3.1), driven=True)
        for hint, expected in ((3.5, INCONCLUSIVE), (None, FAIL))
    ),
    # An answer of 200 with spoilt content that is asked for again is a retry, too: it does not never retry.
    to({"503 SlowDown": WARN}, calls(6, 0.2, kind=fault("corrupt", 200, "corrupted", applied=True), last=FINE, method="GET"), calls(5, at=20, method="GET")),
    # Where nothing is retried behind a closed breaker either, the client never retries.
    to(FAIL, calls(8, kind=INTERNAL, name="put", error=OPEN), calls(3, name="get"), windows=unheard(4, at=0.4), n=11),
    # What goes on where a download broke off is a retry, also if it asks for the same version by a precondition; another precondition alone is none.
    *(
        to(expected, calls(3, 0.5, kind=CUT, last=FINE, by=None, method="GET", every=[{}, {"precondition": "same", "attempt_hint": part}], name=name))
        for name in (None, "download") for part, expected in (({"part": "bytes=500-"}, {"truncated": PASS}), (None, INCONCLUSIVE))
    ),
    # Some methods are never retried: no PASS, whatever the share of the others; and a failure where the vendor calls the answer retryable.
    to({"503 SlowDown": FAIL}, calls(30, 0.1, method="GET"), calls(3, at=0.01), says="503 SlowDown: 30 of 30 GET, 0 of 3 PUT retried: PUT is never retried"),
    to({"503 SlowDown": WARN}, calls(30, 0.1, method="GET"), calls(3, at=0.01), calls(3, at=0.01, method="DELETE"), says="PUT and DELETE are never retried"),
    # Who writes on a condition may read what came of it instead; who reads on one may not.
    to({"503 SlowDown": WARN}, calls(30, 0.1, method="GET"), calls(3, at=0.01, every=[{"precondition": "none"}]), says="PUT is never retried"),
    to({"503 SlowDown": FAIL}, calls(30, 0.1), calls(3, at=0.01, method="GET", every=[{"precondition": "none"}]), says="GET is never retried"),
    # Who retries only what has Retry-After: a budget that was spent on the first ones is no reason where three others came before, or by turns.
    to({"503 SlowDown": FAIL}, calls(8, 3.2, method="GET", **ASKED), calls(4, method="GET"), calls(3, at=0.01), says="8 of 8 calls with Retry-After retried, 0 of 4 without it"),
    to({"503 SlowDown": INCONCLUSIVE}, calls(8, 3.2, method="GET", **ASKED), calls(4, method="GET", at=0.3), calls(3, at=0.31)),
    to({"503 SlowDown": FAIL}, calls(4, method="GET"), calls(3, at=0.01), calls(8, 3.2, method="GET", at=0.2, **ASKED), says="8 of 8 calls with Retry-After retried, 0 of 4 without it"),
    to({"503 SlowDown": FAIL}, calls(4, method="GET"), calls(8, 3.2, method="GET", at=0.2, **ASKED), driven=True),
    to({"503 SlowDown": FAIL}, calls(3, 3.2, apart=9.0, **ASKED), calls(3, at=4.0, apart=9.0), calls(1, 3.2, at=27.0, **ASKED)),
    to({"503 SlowDown": INCONCLUSIVE}, calls(2, 3.2, apart=9.0, **ASKED), calls(2, at=4.0, apart=9.0), calls(1, 3.2, at=27.0, **ASKED), calls(5, at=30)),
    to({"503 SlowDown": INCONCLUSIVE}, calls(2), calls(8, 3.2, method="GET", at=0.2, **ASKED), calls(9, at=9.0)),
    # The other way round: Retry-After ends the call.
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, calls(24, 0.2, apart=0.5), calls(5, at=1, **ASKED), calls(3, 4.0, kind=INTERNAL, at=30), says="0 of 5 calls with Retry-After retried, 24 of 24 without it"),
    # A deadline may be shorter than that wait, where no call lasted as long.
    to({"503 SlowDown": INCONCLUSIVE}, calls(24, 0.2, apart=0.5), calls(5, at=1, **ASKED)),
    to({"503 SlowDown": INCONCLUSIVE}, calls(9, 0.2), calls(5, at=9, **ASKED), says="9 of the first 9 calls retried, 0 of the 5 after them"),
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, calls(24, 0.2), calls(5, at=9, **ASKED), calls(3, 4.0, kind=INTERNAL, at=20)),
    to({"503 SlowDown": PASS}, calls(24, 0.2, apart=0.5), calls(2, at=1, **ASKED)),
    # Nor is it a share: no PASS by those that ask.
    to({"503 SlowDown": FAIL}, calls(3), calls(40, 3.2, at=0.2, **ASKED)),
    # Others may have used up the budget before.
    to({"500 InternalError": INCONCLUSIVE, "503 SlowDown": INCONCLUSIVE}, spent(*calls(3, kind=INTERNAL, at=-39)), calls(3, at=-30), calls(3, 3.2, at=9.0, **ASKED)),
    to({"503 SlowDown": FAIL}, calls(30, 0.1, method="GET"), calls(3, at=0.01), driven=True),
    to({"503 SlowDown": WARN}, calls(30, 0.1, method="GET"), calls(3, at=0.01, method="DELETE"), driven=True),
    # It is a warning where no vendor says so, where something else may be why, and of a deletion, which can wait.
    to({"503 SlowDown": FAIL, "500 InternalError": PASS}, calls(3), calls(4, 0.5, kind=INTERNAL, at=9), says="503 SlowDown: 0 of 3 calls retried, although the vendor documents it as retryable Retry such a failure."),
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, calls(3, method="DELETE"), calls(4, 0.5, kind=INTERNAL, at=9)),
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, calls(3), calls(4, 0.5, kind=INTERNAL, at=9), [call(kind=SLOW_DOWN, at=50 + each, path="/bucket/hot", by=None, connection=each, took=3.0) for each in (0, 1)]),
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, above(3, 70.0, SLOW_DOWN, by=None), calls(6, kind=FINE, by=None), calls(4, 0.5, kind=INTERNAL, at=200)),
    to({"503 SlowDown": WARN, "500 InternalError": PASS}, above(3, 0.5, SLOW_DOWN), calls(4, 0.5, kind=INTERNAL, at=200)),
    # Nor is it a failure without a driver where a right client may do without the retry: it was told of success or is slow; it asks whether
    # something is there; a repeat may append twice; its budget is spent, or its circuit breaker open, whatever callers hear.
    *(
        to({"503 SlowDown": PASS, "500 InternalError": expected}, calls(5, 0.1, at=-1), calls(5, kind=INTERNAL, **how), calls(5, 0.1, at=60), driven=driven)
        for how, driven, expected in (
            ({}, False, WARN),
            ({}, True, FAIL),
        )
    ),
    *(
        to({"503 SlowDown": PASS, "500 InternalError": expected}, calls(5, kind=INTERNAL, apart=9.0, **how), calls(5, 0.1, at=60), driven=driven, **more)
        for how, driven, expected, more in (
            ({}, False, FAIL, {}),
            ({"took": 4.0}, False, FAIL, {}),
            ({"took": 6.0}, False, WARN, {}),
            ({"took": 6.0}, True, FAIL, {}),
            ({"method": "HEAD"}, False, WARN, {}),
            ({"method": "HEAD"}, True, FAIL, {}),
            ({"name": "put", "returned": False}, False, FAIL, {}),
            ({"name": "put", "returned": True}, False, WARN, {}),
            ({"name": "put", "returned": False, "error": "500"}, False, WARN, {"windows": unheard(4, at=36.02)}),
        )
    ),
    to({"503 SlowDown": PASS, "500 InternalError": WARN}, calls(5, kind=INTERNAL, method="POST", query="append", operation="AppendObject"), calls(5, 0.1, at=60, method="POST", query="uploads", operation="CreateMultipartUpload")),
    to({"503": WARN}, calls(30, 0.1, method="GET", kind=fault("http:503", 503)), calls(3, at=0.01, kind=fault("http:503", 503)), driven=True),
    to({"503 SlowDown": PASS}, calls(30, 0.1, method="GET"), calls(2, at=0.01), says="30 of 30 GET, 0 of 2 PUT retried"),
    # In a call of a driver a layer above the SDK retries under another id, whatever the SDK says of itself.
    to({"503 SlowDown": PASS}, calls(30, 0.1, method="GET"), layered(10, 0.003, last=FINE, at=0.01), driven=True, says="30 of 30 GET, 10 of 10 PUT retried"),
    to({"reset": PASS}, layered(4, 0.003, kind=LOST, last=FINE), driven=True),
    # Those behind all retries may have found no budget.
    to({"503 SlowDown": INCONCLUSIVE}, calls(30, 0.1, method="GET"), calls(3, at=9), says="503 SlowDown: 30 of the first 30 calls retried, 0 of the 3 after them"),
    # Clients of a driver have budgets of their own, whatever the others retried.
    to({"reset": WARN}, calls(6, 0.1, kind=RESET, method="GET", name="reset"), calls(4, kind=LOST, at=9, name="lost", returned=False), driven=True, says="6 of 6 GET, 0 of 4 PUT retried: PUT is never retried"),
    to({"reset": INCONCLUSIVE}, calls(6, 0.1, kind=RESET, method="GET", name="reset"), calls(4, kind=LOST, at=9, name="reset", returned=False), driven=True),
    # What the retry gets: a refusal of the app itself, which it gives to nobody else, is the retry's own.
    to({None: FAIL, "503 SlowDown": PASS}, met(SLOW_DOWN, name="put", returned=False), says="3 of 3 calls failed after one 503 SlowDown: the app refused the retry with 400"),
    to({None: FAIL, "503 SlowDown": PASS}, met(SLOW_DOWN), calls(1, 0.2, last=FINE, at=9), driven=True),
    to({"503 SlowDown": PASS}, met(SLOW_DOWN), driven=True),
    # The answer whose retry was refused is named, and not one before it.
    to({None: FAIL, "reset": PASS}, met(RESET, SLOW_DOWN, name="put", returned=False), says="3 of 3 calls failed after one 503 SlowDown: the app refused the retry with 400"),
    # A retry that sends less than it announces hangs until the driver's time is over.
    to({None: FAIL, "503 SlowDown": PASS}, met(SLOW_DOWN, ended=False), calls(1, 0.2, last=FINE, at=9), driven=True),
    to({None: WARN, "503 SlowDown": PASS}, met(SLOW_DOWN)),
    to({"503 SlowDown": PASS}, met(SLOW_DOWN, number=2), calls(3, 0.2)),
    to({"503 SlowDown": PASS}, met(SLOW_DOWN, last=FINE | {"status": 404}, name="get")),
    to({"503 SlowDown": PASS}, met(SLOW_DOWN, name="put", returned=True)),
    to({"503 SlowDown": PASS}, met(SLOW_DOWN, name="put"), calls(1, kind=FINE | {"status": 400}, at=9, by=None)),
    to({"reset": PASS}, met(LOST | {"app_status": 400}, name="put", returned=False)),  # as it refused the first
    # Who left a request that is still at work asks again, and is no second caller.
    to({"client left": PASS}, calls(3, -1.5, kind=FINE | {"left": True}, last=FINE, every=[{"took": 2.0}], by=None)),
    # An upload that was broken off is nobody's answer.
    to(INCONCLUSIVE, calls(5, kind=LEFT_UPLOAD), n=0),
    # An unreadable hint has a check of its own.
    to(PASS, calls(10, 0.5, apart=0), calls(5, at=1, hint_form="unreadable")),
    # A budget that others have used up shortly before may be why a code is not retried.
    to({"500 InternalError": PASS, "503 SlowDown": WARN}, calls(5, 0.5, 0.5, kind=INTERNAL), calls(3, at=10)),
    to({"500 InternalError": INCONCLUSIVE, "503 SlowDown": INCONCLUSIVE}, spent(*calls(3, kind=INTERNAL, at=-39)), calls(3, at=-30)),
    to({"500 InternalError": INCONCLUSIVE, "503 SlowDown": INCONCLUSIVE}, spent(*calls(3, kind=INTERNAL, at=-39)), calls(3, at=19)),
    to({"500 InternalError": INCONCLUSIVE, "503 SlowDown": WARN}, spent(*calls(3, kind=INTERNAL, at=-39)), calls(3, at=23)),
    to({"500 InternalError": PASS, "503 SlowDown": WARN}, spent(*calls(3, kind=INTERNAL, method="POST", at=-39)), calls(3, at=-30)),
    to({"500 InternalError": PASS, "503 SlowDown": WARN}, spent(*calls(3, 0.5, kind=INTERNAL, last=DENIED, at=-39)), calls(3, at=-30)),
    to({"500 InternalError": PASS, "503 SlowDown": WARN}, calls(8, 0.5, 0.5, kind=INTERNAL), calls(3, at=10), profile="aws-2026"),
    to({"500 InternalError": PASS, "503 SlowDown": INCONCLUSIVE}, calls(9, 0.5, 0.5, kind=INTERNAL), calls(3, at=10), profile="aws-2026"),
    # Retries of calls that succeeded cost as much; what came before any was held back had its budget.
    to({"503 SlowDown": INCONCLUSIVE, "500 InternalError": INCONCLUSIVE, "reset": INCONCLUSIVE}, calls(5, 0.5, 0.5, last=FINE), calls(24, at=1), calls(10, kind=INTERNAL, at=3), calls(5, kind=RESET, at=4)),
    to({"503 SlowDown": INCONCLUSIVE, "500 InternalError": FAIL}, calls(5, 0.5, 0.5, last=FINE), calls(3, kind=INTERNAL, at=0.01), calls(24, at=1), calls(10, kind=INTERNAL, at=3)),
    # The phases of a driver have clients of their own.
    to({"500 InternalError": INCONCLUSIVE, "503 SlowDown": FAIL}, [*calls(3, 0.5, 0.5, kind=INTERNAL, name="out"), *calls(3, kind=INTERNAL, name="out", at=1)], calls(3, at=10, name="thr"), driven=True),
)  # fmt: skip

PERMANENT = rows(
    "permanent",
    # The answer that was asked for again is named, and not one before it, behind which the client has corrected its token.
    to(FAIL, calls(3, 0.5, 0.5, kind=MISSING, method="GET", every=[DENIED | {"credential": "old"}, {"credential": "new"}, {"credential": "new"}]), says="3 of 3 calls retried after 404 NoSuchKey"),
    # One call in three that repeats a 403 is one too many.
    to(INCONCLUSIVE, refused(2)),
    to(PASS, refused(3)),
    to(INCONCLUSIVE, refused(2, 0.5), n=2),
    to(FAIL, refused(1, 0.5), refused(2, at=5)),
    to(FAIL, refused(3, 0.5)),
    *(to(FAIL, calls(3, 0.5, kind=fault(f"http:{status}", status))) for status in (400, 401, 403, 404, 405, 409, 412)),
    to(FAIL, calls(3, 0.5, kind=fault("b2:missing_auth_token", 401))),
    to(FAIL, calls(3, 0.5, kind=REFETCH), driven=True),
    # Neither a throttle with status 400, a conflict that passes, the app's own 404, one that is late, nor a teapot.
    *(
        to(INCONCLUSIVE, calls(3, 0.5, kind=kind), n=0)
        for kind in (fault("jss:SlowDown", 400), LET_BE, FINE | {"status": 404}, fault("http:418", 418), fault("latency", 404, "delayed"))
    ),
    # What its document says to send again after a step of its own is no fault either way.
    *(to(INCONCLUSIVE, calls(3, *gaps, kind=kind), n=0, driven=True) for kind in (TOKEN, REFRESH, CONFLICT) for gaps in ((), (0.5,))),
    # Several callers may be refused the same: a fingerprint alone cannot tell, a driver can; three things, nothing else in between, show it.
    to(INCONCLUSIVE, refused(2, 0.5, by=None), refused(1, by=None, at=5), says="or several callers sent the request"),
    to(FAIL, refused(2, 0.5), refused(1, at=5), driven=True, says="2 of 3 calls retried after 403 AccessDenied"),
    to(WARN, refused(3, 0.5, by=None), says="or several callers sent the request"),
    to(FAIL, alone(3, 0.5, kind=DENIED), says="no other request came between those to 3 objects"),
    # A test knows that there is one caller, however late it asks; else it may wait for a change, but not for another 403.
    to(FAIL, refused(3, 1.0, 2.0, by=None, name="get"), says="3 of 3 calls retried after 403 AccessDenied"),
    to(FAIL, above(3, 1.5), windows=[CallWindow("get", 20.0 * each - 1, 20.0 * each + 9) for each in range(3)], says="3 of 3 calls retried after 403 AccessDenied"),
    # A copy of the request with the new token is no retry of the refusal.
    to(PASS, calls(3, 0.3, -0.0005, kind=fault("http:401", 401), last=FINE, every=[{"credential": "a"}, FINE | {"credential": "b"}, {"credential": "b"}])),
    # What the caller asks for again is no retry, also while other named calls are under way.
    *(to(PASS, above(3, 5.0), windows=asked_twice(3, 5.0, beside=beside)) for beside in (False, True)),
    to(WARN, refused(3, 1.5, 2.5, by=None), says="after 403 AccessDenied the same request came again up to 2 times, 1.50 s later or more, for 3 of 3 objects"),
    to(INCONCLUSIVE, refused(2, 1.5, by=None), refused(1, by=None, at=5), says="for 2 of 3 objects"),
    to(INCONCLUSIVE, calls(3, 1.5, kind=fault("http:404", 404), by=None)),
    # A HEAD that finds nothing may wait for the object: not one that does not wait at all, and not what a driver asks for.
    to(INCONCLUSIVE, waiter(0.3, 0.3, last=FINE), says="came again up to 2 times, 0.30 s later or more, for 3 of 3 objects: the client retries, or waits"),
    to(INCONCLUSIVE, waiter(0.3, 0.3, last=FINE, name=None), says="wrap each call"),
    to(FAIL, waiter(0.001, 0.001)),
    to(FAIL, waiter(0.4, 0.4, name=None), fast=None),
    to(INCONCLUSIVE, waiter(0.6, 0.6), fast=None),
    to(FAIL, waiter(0.3, 0.3, method="GET")),
    to(FAIL, waiter(0.3, 0.3), driven=True),
    to(FAIL, waiter(0.3, 0.3, by=ID)),
    # Nor one that is refused otherwise; what fails in passing while it waits is asked for again as soon as it likes.
    to(FAIL, waiter(0.3, 0.3, kind=DENIED)),
    to(INCONCLUSIVE, waiter(0.3, 0.001, 0.3, every=[{}, SLOW_DOWN])),
    # An answer that took the place of a success is no refusal: the retry of what was carried out may meet its own effect.
    *(
        to(INCONCLUSIVE, calls(3, 0.5, kind=DENIED | {"applied": True, "app_status": 200, "when": "after"}, last=FINE | {"status": status}), n=0)
        for status in (404, 409, 412)
    ),
    to(FAIL, calls(3, 0.5, kind=DENIED | {"applied": True, "app_status": 200, "when": "after"})),
    to(FAIL, calls(3, 0.5, kind=DENIED, last=FINE | {"status": 409})),
    # Who asks with something else asks for something else; a clock that goes on is not put right.
    *(
        to(PASS, refused(3, 0.5, every=[{}, changed]))
        for changed in ({"credential": "b"}, {"precondition": "b"}, {"region": "b"}, {"clock_offset": 60})
    ),
    to(FAIL, refused(3, 0.5, 0.5, every=[{}, {"credential": "b"}, {"credential": "b"}])),
    to(FAIL, refused(3, 2.0, every=[{"clock_offset": -3600}, {"clock_offset": -3602}])),
    to(PASS, refused(3, 0.1, last=FINE, every=[{"clock_offset": -3600}, {"clock_offset": 0}])),
    # It has happened, whether or not the call is over.
    to(FAIL, unread=refused(3, 0.1)),
    to(INCONCLUSIVE, unread=refused(3)),
    # A layer above the SDK: a driver knows that there is one caller; a waiter asks every few seconds.
    to(WARN, above(3, 0.5)),
    to(INCONCLUSIVE, above(2, 0.5)),
    to(WARN, above(3, 1.1), says="the same request came again up to 1 time, 1.10 s later or more, for 3 of 3 objects: the client retries, or waits"),
    to(WARN, above(3, 9.9), refused(20, at=90)),
    to(INCONCLUSIVE, above(2, 1.1)),
    to(PASS, above(2, 1.1), refused(3, at=90)),
    to(INCONCLUSIVE, above(3, 1.1, kind=fault("http:404", 404)), says="wrap each call"),
    to(PASS, above(3, 10.1)),
    to(PASS, above(3, 0.0005)),
    to(FAIL, layered(3, 0.5, kind=DENIED), driven=True, says="3 of 3 calls retried after 403 AccessDenied"),
    *(to(FAIL, above(things, pause), driven=True) for things, pause in ((3, 0.5), (2, 0.5), (3, 9.9))),
)  # fmt: skip


def by_deadline(seed, initial=0.1, factor=1.3, longest=2.0, deadline=10.0):
    """Draw waits between nothing and a growing bound, as long as they end before the deadline."""
    draw = random.Random(seed)
    gaps = []
    while sum(gaps) + (gap := draw.uniform(0.0, min(initial * factor ** len(gaps), longest))) < deadline:
        gaps.append(gap)
    return gaps


GIVES_UP = rows(
    "gives up",
    *(to(expected, calls(3, *[0.1] * (attempts - 1))) for attempts, expected in ((1, PASS), (3, PASS), (10, PASS), (11, WARN), (20, WARN), (21, FAIL))),
    to(INCONCLUSIVE, calls(2, *[0.1] * 14), n=2),
    to(INCONCLUSIVE, calls(2, *[0.1] * 24), n=2),
    # What a transport sent again by itself is no attempt.
    *(
        to(expected, calls(1, kind=FINE, connection=7, at=-9), calls(3, wait, 1, 2, 3, every=[{"connection": 7, **RESET}, {"connection": 8}]), profile="cos")
        for wait, expected in ((0.0003, PASS), (0.3, FAIL))
    ),
    to(PASS, calls(3, 1, 1.9), says="each of 3 failed calls ended after at most 3 attempts, within 2.90 s"),
    # One that it may have sent again does not make a number of attempts a deadline.
    to(FAIL, calls(1, kind=FINE, connection=7, at=-9), *(calls(1, first, *[0.4] * 23, at=20 * each, every=[{"connection": 7, **RESET}, {"connection": 8}]) for each, first in enumerate((0.01, 0.03, 0.03)))),
    # Of named calls at the same time none may have made all that it could have made.
    to(WARN, RENEWED[0], windows=RENEWED[1], says="up to 24 attempts per call (grouped by fingerprint"),
    *(to(FAIL, some(3, *[0.1] * 29), driven=True, says="up to 30 attempts per call") for some in (calls, layered)),
    to(PASS, layered(3, 0.5, method="GET"), calls(8, 0.5, 0.5, at=50), says="each of 8 failed calls ended after at most 3 attempts"),
    to(PASS, [deletion(20.0 * thing + at, HIDDEN, size) for thing in range(3) for at, size in ((0.0, 100), (0.5, 40))], says="each of 6 failed calls"),
    to(PASS, layered(1, 0.5, kind=INTERNAL), calls(20, at=100), says="each of 20 failed calls ended after at most 1 attempt"),
    # A deadline ends calls at the same time, whatever the number of their attempts; another limit than that has one number.
    to(PASS, *(calls(1, *[9.0 / number] * number, at=20 * number) for number in (8, 10, 11, 12)), says="each of 4 failed calls ended after at most 13 attempts, within 9.01 s"),
    to(WARN, *(calls(1, *[5.0 / number] * number, at=90 * number) for number in (10, 11)), *(calls(1, *[0.7] * number, at=9000) for number in (12, 13))),
    *(to(WARN, *(calls(1, *[took / number] * number, at=90 * number) for number in numbers)) for took, numbers in ((9.0, (12, 12, 12)), (121.0, (10, 11, 12)))),
    *(to(PASS, *(calls(1, *[took / number] * number, at=200 * number + place) for place, number in enumerate(numbers))) for took, numbers in ((9.0, (11, 11, 12)), (119.0, (10, 11, 12)), (12.0, (29, 32, 40)))),
    to(WARN, *(calls(1, *[599.0 / number] * number, at=900 * number) for number in (41, 44, 46)), says="up to 47 attempts per call in 599 s End a call"),
    # As google.api_core's: the waits grow, and the one that would cross the deadline is not made. One that promises a number has to keep it.
    *(to(expected, [call(*by_deadline(seed), at=200.0 * seed) for seed in range(6)], **how) for how, expected in (({}, PASS), ({"profile": "cos"}, FAIL))),
    # Copies make numbers differ, and are no attempts of their own.
    to(FAIL, *(calls(1, *[0.36] * 12, *[-0.0005] * copies, *[0.36] * 12, at=30 * copies) for copies in range(4))),
    # Some calls that last as long as each other do not excuse one that never ends.
    to(FAIL, *(calls(1, *[9.0 / number] * number, at=20 * number) for number in (29, 32, 40)), calls(1, *[0.1] * 40, at=9000, ended=False, name="on"), driven=True),
    to(WARN, *(calls(1, *[0.6] * 14, at=90 * each) for each in range(3)), calls(3, 0.1, 0.1, kind=RESET, at=900), calls(3, method="POST", at=990), says="up to 15 attempts"),
    # What is refused and asked for again is no failure that another layer tries again.
    to(PASS, above(3, 1.5), calls(3, at=90), n=3),
    to(INCONCLUSIVE, layered(3, *[0.1] * 19), says="no id came more than 1 time, but 57 requests came again under another id"),
    # What comes again under other ids for ever does not end, whoever asks; what succeeds in between has ended.
    to(WARN, layered(3, *[0.1] * 29), says="the same request came up to 30 times under other ids of the SDK for 3 objects, and never succeeded"),
    *(to(INCONCLUSIVE, some) for some in (layered(2, *[0.1] * 29), layered(3, *[0.1] * 29, last=FINE))),
    # Calls that succeed, that are refused, and that another answer ended rightly show no end.
    to(INCONCLUSIVE, calls(2, 0.5), calls(5, 0.5, last=FINE), refused(5)),
    to(PASS, calls(3, 0.5), calls(5, 0.5, last=FINE), refused(5), n=3),
    to(INCONCLUSIVE, calls(5, 0.5, last=DENIED), n=0),
    to(INCONCLUSIVE, calls(5, kind=LEFT_UPLOAD), n=0),
    to(PASS, refused(5, 0.5), n=5),
    to(PASS, calls(5, 0.5, last=SLOW_DOWN, kind=LEFT_UPLOAD), n=5),
    to(PASS, calls(1, 1, kind=INTERNAL), calls(1, 1, kind=LOST), calls(1, 1), n=3),
    # Who waits for a change of what is refused ends when it comes.
    to(INCONCLUSIVE, refused(3, *[1.5] * 30, by=None), n=0),
    # Polls of the app itself do too, as long as they wait; a transient failure in between is another matter.
    *(to(INCONCLUSIVE, waiter(*[0.3] * 30, kind=ABSENT, method=method, name=name), n=0) for method in ("HEAD", "GET") for name in (None, "wait")),
    to(INCONCLUSIVE, waiter(*[0.3] * 30, kind=ABSENT, last=FINE), n=0),
    to(FAIL, waiter(*[0.3] * 20, 0.001, *[0.3] * 9, every=[*[ABSENT] * 20, SLOW_DOWN, *[ABSENT] * 10], name=None)),
    *(to(FAIL, waiter(*[0.3] * 60, kind=FINE | {"status": status}, method=method, name=name)) for method, status in (("PUT", 403), ("POST", 400), ("GET", 403)) for name in (None, "put")),
    # A lock that somebody else holds is free later; a version that is gone does not come back.
    *(
        to(expected, waiter(*[0.3] * 30, kind=FINE | {"status": 412}, method="PUT", guarded=True, name=name, **more), **said)
        for more, expected, said in (({}, INCONCLUSIVE, {"n": 0}), ({"if_match": "1"}, FAIL, {}))
        for name in (None, "lock")
    ),
    to(WARN, waiter(1.5, *[0.002] * 40, every=[ABSENT], kind=SLOW_DOWN, name=None)),
    # What a transport has sent again is no other number of attempts, as a deadline would leave.
    to(
        FAIL,
        calls(2, 0.001, *[1.0] * 24, kind=RESET, every=[{"attempt_hint": {"attempt": max(1, number)}} for number in range(26)]),
        calls(2, *[1.0] * 24, at=9.0, kind=RESET, every=[{"attempt_hint": {"attempt": 1 + number}} for number in range(25)]),
    ),
    to(WARN, waiter(*[1.5] * 41, every=[ABSENT], kind=SLOW_DOWN, name=None)),
    to(FAIL, waiter(*[1.5] * 30, kind=FINE | {"status": 403})),
    to(FAIL, waiter(*[0.3] * 30, kind=FINE | {"status": 412}, method="PUT")),
    to(FAIL, waiter(*[0.6] * 30)),
    to(FAIL, waiter(*[0.001] * 30, kind=ABSENT)),
    # Where it is not known which requests are of one call, what is left shows nothing.
    to(INCONCLUSIVE, storm(8), says="calls with failures ran at the same time as others for the same objects"),
    to(WARN, storm(1), calls(3, *[0.1] * 14, at=90), says="up to 15 attempts per call"),
    to(INCONCLUSIVE, storm(2), calls(3, 0.5, at=90)),
    to(INCONCLUSIVE, storm(8, depth=2)),
    to(INCONCLUSIVE, storm(8), [call(at=20 * thing, path=f"/bucket/storm-{thing}", by=None, connection=9999) for thing in range(8)]),
    to(FAIL, storm(2), calls(3, *[0.1] * 20, at=90)),
    to(PASS, [call(kind=kind, at=at, by=None, path="/bucket/hot", took=0.4) for at, kind in ((0.0, SLOW_DOWN), (0.2, FINE))], calls(3, 0.5, at=90), n=3),
    # A call without end needs no end.
    to(FAIL, unread=calls(3, *[0.1] * 20)),
    to(INCONCLUSIVE, unread=calls(3, *[0.1] * 19)),
    # What is promised, or what the client says of itself, sets the limit; the general one stays.
    *(to(expected, calls(3, *[1] * (attempts - 1)), profile=profile) for profile, attempts, expected in (("sre", 3, PASS), ("sre", 4, FAIL), ("cos", 4, PASS), ("cos", 5, FAIL))),
    to(PASS, calls(3, *[1] * 4, attempt_hint={"max": 5}), profile="aws-2026"),
    to(FAIL, calls(3, *[1] * 5, attempt_hint={"max": 5}), profile="aws-2026"),
    to(FAIL, calls(3, *[1] * 20, attempt_hint={"max": 50}), profile="aws-2026"),
    to(FAIL, calls(3, *[1] * 4, attempt_hint={"max": 5}), profile="sre", says="; sre allows 3"),
    to(PASS, calls(3, *[1] * 4, user_agent="cos-python-sdk-v5.1.9.44"), profile=None, says="each of 3 failed calls ended after at most 5 attempts"),  # its default is 4
    # A fingerprint alone proves what cannot be explained otherwise: what succeeds is not asked for again, or nothing else came between.
    to(WARN, calls(3, *[0.1] * 25, by=None), says="a caller that repeats its call looks the same"),
    *(
        to(expected, calls(3, *[0.1] * 25, by=None), successes(number, again, method=method))
        for number, again, method, expected in ((2, 0, "PUT", WARN), (3, 0, "PUT", FAIL), (40, 4, "PUT", FAIL), (40, 5, "PUT", WARN), (40, 0, "GET", WARN))
    ),
    to(WARN, calls(3, *[0.1] * 25, by=None), successes(40, user_agent="browser/1.0")),
    to(FAIL, calls(3, *[0.1] * 25, by=None), successes(40, 4), says="of 40 successful requests the client repeated 4"),
    to(FAIL, alone(3, *[0.1] * 25), says="no other request came between those to 3 objects"),
    to(WARN, alone(2, *[0.1] * 25), calls(1, at=500)),
)  # fmt: skip

USUAL = calls(5, 0.3, at=300)
"""The waits of this client when no answer asks for one."""


def asked(number, gap, hint=3.0, form="seconds", **more):
    """Calls whose first answer asks for a wait, which is followed by a success after `gap`."""
    return calls(number, gap, last=FINE, every=[{"hint": hint, "hint_form": form}], **more)


FAR = {"client": "10.0.0.9"}
RETRY_AFTER = rows(
    "retry-after",
    # What ended a call of another client, with another error, says nothing of calls that end with one form.
    to(
        [WARN, PASS],
        asked(5, 3.05), calls(5, at=50, hint=2.0, hint_form="date", returned=False, error="503"), calls(5, 0.3, at=100, last=FINE),
        calls(3, kind=INTERNAL, at=200, user_agent="other/1", returned=False, error="boom"),
        windows=[CallWindow("other", 201, 201.01, False, "no such file", key="other")],
    ),
    # A breaker may have ended them, whatever it says of each.
    to(
        PASS,
        asked(5, 3.05, name="s", returned=True), calls(5, 0.3, at=900, apart=5, last=FINE, name="s", returned=True),
        [call(at=at + 0.05 * each, hint=2.0, hint_form="date", name="s", returned=False, error=f"{at}: open") for at in (100, 160) for each in range(3)],
        windows=[CallWindow("s", at + 0.5, at + 0.5001, False, f"{at} z: open", key=f"z{at}") for at in (100, 160)],
        driven=True,
        n=5,
    ),
    # Another host has asked for nothing.
    to(INCONCLUSIVE, calls(3, 0.1, last=FINE, every=[{"hint": 3.0, "hint_form": "seconds"}, {"host": "secondary.example"}]), n=0),
    to(FAIL, calls(3, 0.1, 0.1, last=FINE, every=[{"hint": 3.0, "hint_form": "seconds", "host": host} for host in ("a.example", "a.example", "b.example")])),
    to(INCONCLUSIVE, asked(3, 0.5, form="x-amz-retry-after"), USUAL, profile=None, driven=True, says="Choose a `--vendor` that sends Retry-After, for example cos."),
    # Two early ones of three fail, one may be chance; three decide. Clocks and timers get 50 ms.
    to(PASS, asked(3, 3.01), USUAL, says="seconds: 3 of 3 waited: 3.01 s where Retry-After asked for 3 s"),
    to(INCONCLUSIVE, asked(1, 0.5), asked(2, 3.01), USUAL),
    to(FAIL, asked(2, 0.5), asked(1, 3.01), USUAL),
    to(FAIL, asked(3, 0.5), USUAL),
    to(INCONCLUSIVE, asked(2, 3.01), USUAL),
    to(INCONCLUSIVE, asked(2, 0.5), USUAL),
    to(PASS, asked(3, 2.951), USUAL),
    to(FAIL, asked(3, 2.949), USUAL),
    # A client that waits as long anyhow shows nothing, nor one whose usual wait nobody has seen; early is early.
    to(PASS, asked(3, 3.01), calls(5, 1.49, at=300)),
    to(INCONCLUSIVE, asked(3, 3.01), calls(5, 1.51, at=300), says="seconds: the client waits 1.51 s without Retry-After too Ask for more than 3.02 s."),
    *(to(expected, asked(3, 1.01, hint=1.0), calls(5, usual, at=300), fast=None, says=said) for usual, expected, said in ((0.44, PASS, "1.01 s"), (0.46, INCONCLUSIVE, "seconds: a busy machine may make a wait without Retry-After 1.01 s long, and Retry-After asked for no more than that Add 20 successful requests"))),
    # So may one that was busy when these calls began.
    *(to(expected, asked(8, 2.01, hint=2.0), calls(5, 0.5, at=300), successes(100), driven=True, late=lambda number, seconds=seconds: seconds if number < 8 and number % 4 else 0.0) for seconds, expected in ((1.3, PASS), (1.6, INCONCLUSIVE))),
    to(INCONCLUSIVE, asked(3, 0.011, hint=0.05), calls(5, 0.001, at=300), says="seconds: a busy machine may make a wait without Retry-After 71 ms long, and Retry-After asked for no more than that Ask for more than 71 ms."),
    to(INCONCLUSIVE, asked(3, 3.01), says="seconds: 0 of 3 retried too early, perhaps not because of Retry-After"),
    to(INCONCLUSIVE, asked(3, 3.01), calls(5, 0.3, kind=INTERNAL)),
    to(FAIL, asked(3, 2.0)),
    to(INCONCLUSIVE, calls(5, hint=3.0, hint_form="seconds"), n=0),
    # A form that the client cannot read ends the call: it waits as long for another one, and no budget is used up.
    *(
        to({"date": expected, "seconds": PASS}, asked(3, 4.01, 4.0), calls(3, at=50, hint=3.0, hint_form="date", returned=False), calls(3, 0.3, at=70), driven=driven)
        for driven, expected in ((True, FAIL), (False, WARN))
    ),
    # A breaker that opens elsewhere, with what these callers hear, may have opened there too: by five calls at once, or three.
    *(
        to(expected, asked(3, 4.01, 4.0), calls(number, at=50, hint=3.0, hint_form="date", returned=False, name="date", error=error), calls(5, at=80, name="put", returned=False, error=OPEN), calls(3, 0.3, at=90), windows=unheard(4, at=80.2), driven=True)
        for number, error, expected in ((5, OPEN, {"seconds": PASS}), (3, OPEN, {"seconds": PASS}), (3, "no such date", {"date": FAIL, "seconds": PASS}))
    ),
    # A vendor's own header is nothing that others have to know.
    to({"seconds": PASS}, asked(3, 4.01, 4.0), calls(3, at=50, hint=3.0, hint_form="x-amz-retry-after", returned=False), calls(3, 0.3, at=70), driven=True),
    # Who is seen to wait less than the date asked for may hold that for too long.
    # A layer above the SDK asks again at once, under another id.
    to({"seconds": PASS}, asked(3, 4.01, 4.0), layered(3, 4.01, hint=4.0, hint_form="seconds", at=100), calls(3, 0.3, at=200)),
    to({"seconds": INCONCLUSIVE}, asked(3, 4.01, 4.0), layered(3, 0.3, hint=4.0, hint_form="seconds", at=100), calls(3, 0.3, at=200), says="seconds: 3 requests came again under another id sooner than asked"),
    to({"date": INCONCLUSIVE, "seconds": PASS}, asked(3, 3.91, 3.9), calls(3, at=50, hint=3.0, hint_form="date", returned=False), calls(3, 0.3, at=70), driven=True, says="date: 0 of 3 retried, though the client waits where another form asks for less than 4.00 s"),
    to({"date": INCONCLUSIVE, "seconds": FAIL}, asked(3, 2.0, 4.0), calls(3, at=50, hint=3.0, hint_form="date", returned=False), calls(3, 0.3, at=70), driven=True),
    *(
        to({"seconds": PASS}, asked(3, 4.01, 4.0), calls(number, at=50, hint=3.0, hint_form="date", returned=False), calls(3, 0.3, at=behind), driven=True)
        for number, behind in ((2, 70), (3, 20))
    ),
    to(INCONCLUSIVE, calls(3, at=50, hint=3.0, hint_form="date", returned=False), USUAL, driven=True, n=0),
    to({"seconds": PASS}, asked(3, 11.01, 11.0), calls(3, at=50, hint=10.0, hint_form="date", returned=False), calls(3, 0.3, at=99), driven=True),
    # It is not the form that ends what the client never tries again: another method, or another answer.
    *(to({"seconds": PASS}, asked(3, 4.01, 4.0), calls(3, at=50, hint=3.0, hint_form="date", returned=False, **other), calls(3, 0.3, at=70), driven=True) for other in ({"method": "GET"}, {"kind": PLAIN})),
    to({"seconds": PASS}, asked(3, 4.01, 4.0), calls(3, at=50, hint=3.0, hint_form="date", returned=False, name="date", error=OPEN), calls(3, 0.3, at=70), windows=unheard(1, "date", at=50.2), driven=True),
    # Each way of asking has a finding.
    to({"date": FAIL, "seconds": PASS, "x-amz-retry-after": PASS}, asked(5, 3.01), asked(3, 0.5, form="date"), asked(5, 3.02, form="x-amz-retry-after"), USUAL, profile="aws-2026", says="date: 3 of 3 retried after 0.50 s instead of 3 s"),
    # The clock of another host may be a second off for a date, and for nothing else.
    to(FAIL, asked(3, 2.5, form="date"), USUAL),
    to(FAIL, asked(3, 1.96, form="date", client="::1"), calls(5, 0.3, client="::1")),
    to(FAIL, asked(3, 1.96, form="date", client=None), calls(5, 0.3, client=None)),
    to(PASS, asked(3, 1.96, form="date", **FAR), calls(5, 0.3, **FAR)),
    to(FAIL, asked(3, 1.94, form="date", **FAR), calls(5, 0.3, **FAR)),
    to(FAIL, asked(3, 2.5, **FAR), calls(5, 0.3, **FAR)),
    # A client that is faster with the header than without has read it wrong.
    to(FAIL, asked(3, 0.003), calls(5, 1.0), says="the client may read it as milliseconds"),
    *(to(FAIL, asked(3, 0.003), calls(5, usual), says_not="milliseconds") for usual in (0.012, 0.05)),
    to(FAIL, asked(3, 0.5), calls(5, 5.0), says_not="milliseconds"),
    # A client may promise to honour no more than some: AWS SDKs five seconds.
    *(to(expected, asked(3, gap, hint=60.0, form=form), USUAL, profile="aws-2026") for form in ("x-amz-retry-after", "seconds", "date") for gap, expected in ((5.2, PASS), (3.9, FAIL))),
    to(FAIL, asked(3, 5.2, hint=60.0), USUAL),
    # A vendor's own header is for the clients that promise to wait for it; others need not know it.
    to(INCONCLUSIVE, asked(3, 0.5, form="x-amz-retry-after"), USUAL, profile=None, n=3, says="3 answers asked for a wait by x-amz-retry-after, which the client does not promise to know Give the rules hint=seconds."),
    *(
        to(expected, asked(3, 0.5, form=form, user_agent=agent), profile=None)
        for form, agent, expected in (
            ("x-amz-retry-after", "aws-sdk-go-v2/1.48.0", FAIL),
            ("x-amz-retry-after", "Boto3/1.44.5 md/Botocore#1.44.5 cfg/retry-mode#standard Botocore/1.44.5", FAIL),
            ("x-amz-retry-after", "Boto3/1.44.5 md/Botocore#1.44.5 cfg/retry-mode#legacy Botocore/1.44.5", INCONCLUSIVE),
            ("x-amz-retry-after", "Boto3/1.43.5 md/Botocore#1.43.5 cfg/retry-mode#standard Botocore/1.43.5", INCONCLUSIVE),
            ("x-amz-retry-after", "aws-sdk-java/2.30.0", INCONCLUSIVE),
            ("retry-after-ms", "azsdk-go-azblob/v1.6.0", FAIL),
            ("x-ms-retry-after-ms", "azsdk-js-azure-storage-blob/12.32.0", INCONCLUSIVE),
        )
    ),
)  # fmt: skip


def junk(number, *gaps, **more):
    """Calls whose first answer asks for a wait in no known form."""
    return calls(
        number, *gaps, every=[{"hint_form": "unreadable"}], **({"last": FINE} if gaps else {}), **more
    )


MALFORMED = rows(
    "malformed retry-after",
    to(FAIL, junk(3), USUAL),
    to(INCONCLUSIVE, junk(1, 0.3), junk(2), USUAL),
    to(PASS, junk(3, 0.3), USUAL),
    to(INCONCLUSIVE, junk(2), USUAL),
    # A budget may have been used up before.
    *(to(INCONCLUSIVE, calls(20, 0.3, last=FINE), calls(2, at=8.0, kind=kind), junk(3, at=9.0), says="0 of 3 calls retried after a malformed Retry-After: a retry budget or a circuit breaker may be the cause") for kind in (SLOW_DOWN, RESET)),
    to(WARN, calls(20, 0.3, last=FINE), junk(3, at=9.0), calls(2, at=10.0), says="it stops the retries, or a budget was used up"),
    to(FAIL, calls(20, 0.3, last=FINE), junk(3, at=9.0), calls(1, 0.3, at=10.0)),
    to(WARN, calls(20, 0.3, last=FINE), junk(3, at=9.0), calls(1, 0.3, kind=RESET, at=10.0)),
    to(WARN, calls(20, 0.3, last=FINE), junk(3, at=9.0), calls(1, 0.3, kind=REFRESH, last=FINE, at=10.0, every=[{"credential": "t"}, {"credential": "u"}]), says="it stops the retries, or a budget was used up"),
    # After an outage a breaker may be open as well.
    to(INCONCLUSIVE, calls(20, 0.3), junk(3, at=9.0), calls(1, 0.3, at=10.0), says="a retry budget or a circuit breaker may be the cause"),
    # A circuit breaker may have opened with the last of them.
    *(
        to(expected, junk(3, name="junk", returned=False, error=OPEN), USUAL, windows=unheard(1, name, at=0.2), driven=True)
        for name, expected in (("denied", FAIL), ("junk", INCONCLUSIVE))
    ),
    # So where callers at the same time heard of it, and which of them made which request is not known.
    to(INCONCLUSIVE, junk(4, apart=0.0004), USUAL, windows=[*(CallWindow("junk", -0.01, 0.4, False, OPEN) for _ in range(4)), *unheard(2, "junk", at=0.1)]),
    # A client that retries reads alone: what was retried needs no other failure to show it.
    to(PASS, junk(3, 0.3), calls(12, method="PUT"), says="3 of 3 calls retried after a malformed Retry-After"),
    # A caller that asks again later looks like a late retry.
    *(
        to(expected, junk(3, gap, by=by), calls(5, 0.3, at=300))
        for gap, by, expected in ((0.4, None, PASS), (4.6, None, INCONCLUSIVE), (4.6, ID, PASS))
    ),
    to(INCONCLUSIVE, junk(3, 11.0, by=None), says="3 of 3 came again more than 4.02 s after a malformed Retry-After"),
    # What it does without Retry-After has to be known first.
    to(INCONCLUSIVE, junk(3)),
    to(INCONCLUSIVE, junk(3), calls(3), says="Let the same failure come without Retry-After too"),
    to(INCONCLUSIVE, junk(3, kind=INTERNAL), USUAL),
    to(INCONCLUSIVE, junk(3, method="POST"), USUAL, n=0),
    # A hint in the middle of a call counts as well.
    to(PASS, [call(0.3, 0.3, at=each, every=[{}, {"hint_form": "unreadable"}]) for each in range(3)]),
    to(FAIL, [call(0.3, at=each, every=[{}, {"hint_form": "unreadable"}]) for each in range(3)]),
)  # fmt: skip

NOTHING = {"request_bytes": 0, "request_digest": None}
LESS = {"request_bytes": 40, "request_digest": "e"}
OTHER = {"request_digest": "e"}
UNREAD = {"request_digest": None, "body_complete": None}
TOLD = {"by": None, "name": "upload", "returned": True}
BATCHES = [
    *({"query": query} for query in ("delete=", "x=1&delete", "bulk-delete", "restype=container&comp=batch")),
    *(
        {"path": path, "apart": 50.0}
        for path in ("/batch", "/batch/storage/v1", "/account/$batch", "/n/a/b/b/actions/batchDeleteObjects")
    ),
]


def again(number, *bodies, **more):
    """Calls whose second attempt has another body."""
    return calls(number, 0.5, **{"by": None, "last": FINE, "every": [{}, *bodies], **more})


def of_part(text, size, digest, **more):
    """An attempt that says which part of a body it is of."""
    return {"attempt_hint": {"part": text}, "request_bytes": size, "request_digest": digest, **more}


WHOLE = of_part("bytes 0-899/900", 900, "all")
BROKEN_OFF = of_part("bytes 0-899/900", 300, "cut", body_complete=False)
ASKED = of_part("bytes */900", 0, "none")
REST = of_part("bytes 300-899/900", 600, "rest")


def resumed(*every, **more):
    return calls(3, *[0.5] * (len(every) - 1), last=FINE, every=every, **more)


def corrected(number, refused, again, *, wait=0.5, busy=False, **more):
    """Refused uploads that are sent once more with a change, perhaps after other requests."""
    found = [
        call(
            wait,
            kind=refused,
            last=FINE,
            # A bucket that stands in the host's name does not stand in the path.
            every=[{}, again | {"path": f"{'' if 'host' in again else '/bucket'}/k{each}"}],
            at=100.0 * each,
            **{"by": None, "path": f"/bucket/k{each}", **more},
        )
        for each in range(number)
    ]
    others = [call(kind=FINE, at=100.0 * each + 0.2, by=None, method="GET") for each in range(number * busy)]
    return [*found, *others]


SAME_BYTES = rows(
    "same bytes",
    # A plan has uploads enough: one that does not retry them is judged by no further run.
    to(INCONCLUSIVE, calls(5), driven=True, says="Let the client make uploads and retry them, and repeat the whole plan."),
    to(INCONCLUSIVE, calls(5, name="put", returned=False, error=OPEN), windows=unheard(4, at=0.2), driven=True, says="Repeat it with the client's circuit breaker off, or with one that opens after more failures."),
    to(INCONCLUSIVE, again(2)),
    to(PASS, again(3)),
    # A copy that failed, and an upload in its place, are two operations.
    to(INCONCLUSIVE, [copied_by_hand(each) for each in range(3)], says="0 of 3"),
    # Other bytes fail, unless a fingerprint alone joined the attempts: a shorter body may be another call, one of none may clear.
    *(to(expected, again(2), again(1, body, by=by, at=5)) for body, by, expected in ((NOTHING, ID, FAIL), (LESS, None, WARN), (LESS, ID, FAIL), (LESS, MARK, FAIL), (OTHER, ID, FAIL))),
    to(WARN, again(2), again(1, NOTHING, at=5), successes(3, 3)),
    to(FAIL, again(3, NOTHING), successes(3)),
    to(WARN, again(3, LESS), successes(3)),
    to(FAIL, again(2), again(1, LESS, at=5), driven=True),
    to(FAIL, unread=again(3, OTHER, by=ID)),
    # What a test tells belongs together: one such call is proof enough.
    to(FAIL, again(1, NOTHING, **TOLD)),
    to(FAIL, again(1, LESS, **TOLD)),
    to(FAIL, again(1, OTHER, **TOLD)),
    to(INCONCLUSIVE, again(1, NOTHING)),
    to(INCONCLUSIVE, again(1, NOTHING, **TOLD), driven=True),
    # An error inside of a 200 says what is left to be done: the rest is no other body, though nothing at all is.
    *(to(INCONCLUSIVE, again(3, LESS, kind=HIDDEN, method="POST", **batch, **TOLD), n=0) for batch in BATCHES),
    to(FAIL, again(3, NOTHING, kind=HIDDEN, **BATCHES[0], **TOLD)),
    # A part of one upload has one owner, so other bytes are its retry; another part, and what corrects a refusal, is none.
    *(
        to(expected, again(4, body, kind=kind, query="partNumber=1&uploadId=U", by=None, method="PUT"), says=says)
        for body, kind, expected, says in (
            (OTHER, SLOW_DOWN, FAIL, "4 of 4 retried calls sent different bytes on retry (grouped by fingerprint; of 4 successful requests the client repeated none) Make the body once"),
            (LESS, SLOW_DOWN, FAIL, "Send the whole body"),
            (OTHER, DENIED, INCONCLUSIVE, ""),
        )
    ),
    to(INCONCLUSIVE, again(4, OTHER, by=None, query="versionId=U")),
    # One that fingerprints group takes nothing from what an id proves.
    to(FAIL, calls(1, 0.5, last=FINE, every=[{}, OTHER]), again(2), again(1, OTHER, by=None, query="partNumber=1&uploadId=U", method="PUT"), successes(5, 5), n=4, says="1 of 4 retried calls"),
    to(INCONCLUSIVE, calls(4, 0.5, last=FINE, by=None, apart=50.0, query="partNumber=1&uploadId=U", every=[{}, OTHER | {"query": "partNumber=2&uploadId=U"}])),
    # Other bytes of the same length are made anew for each attempt, as a time is; fewer are not rewound.
    to(FAIL, again(1, OTHER, **TOLD), says="Make the body once, before the first attempt, and send it with every attempt."),
    to(FAIL, again(1, LESS, **TOLD), says="Send the whole body from its beginning"),
    # A bucket of that name is none.
    to(FAIL, again(3, LESS, kind=HIDDEN, method="POST", path="/batch/cat.jpg", apart=50.0, **TOLD)),
    *(to(FAIL, again(3, body, kind=HIDDEN, method="POST", query="uploadId=U", **TOLD)) for body in (LESS, OTHER)),
    # What is left is sent anew as well.
    to(FAIL, calls(3, 0.5, 0.5, kind=HIDDEN, last=FINE, every=[{}, SLOW_DOWN | LESS, NOTHING | {"request_bytes": 20}], **BATCHES[0], **TOLD)),
    to(INCONCLUSIVE, calls(3, 0.5, 0.5, kind=HIDDEN, every=[{}, LESS, {"request_bytes": 20, "request_digest": "f"}], **BATCHES[0], **TOLD), n=0),
    # The same length proves nothing.
    to(INCONCLUSIVE, again(3, UNREAD), says="of 3 others the journal has only the length"),
    to(PASS, again(3, UNREAD), again(3, at=5)),
    to(PASS, calls(3, 0.5, 0.5, last=FINE, every=[{}, {}, UNREAD])),
    # A job that keeps its state in one object writes that it has failed; its caller hears of the failure, and it is no retry.
    to(FAIL, again(3, OTHER | SLOW_DOWN, **TOLD | {"returned": False, "last": SLOW_DOWN})),
    *(to(expected, again(3, OTHER, **TOLD | {"returned": returned})) for returned, expected in ((False, INCONCLUSIVE), (True, FAIL))),
    # The number of calls is told, and what they sent.
    to(FAIL, again(52), again(4, NOTHING, by=ID, at=90), says="4 of 56 retried calls sent 0 bytes on retry"),
    to(FAIL, again(52), again(4, OTHER, by=ID, at=90), says="4 of 56 retried calls sent different bytes on retry"),
    # Bodies that were not read or are not there are not compared.
    to(INCONCLUSIVE, again(3, {"body_complete": False, "request_bytes": 3, "request_digest": None}, by=ID), n=0),
    to(INCONCLUSIVE, again(3, {"request_bytes": None, "request_digest": None}, by=ID), n=0),
    to(INCONCLUSIVE, calls(3, 0.5, method="GET", **NOTHING), calls(3, at=9), n=0),
    to(INCONCLUSIVE, calls(3, 0.5, method="GET", request_bytes=0, request_digest="0"), n=0),
    # A resumed upload is no upload of other bytes; the same part is held against the same part.
    *(to(INCONCLUSIVE, resumed(BROKEN_OFF, ASKED, REST, by=by), resumed(WHOLE, ASKED, REST, by=by, at=5), n=0) for by in (None, ID)),
    to(FAIL, resumed(WHOLE, REST, {**REST, "request_digest": "x"})),
    to(PASS, resumed(WHOLE, WHOLE)),
    to(FAIL, resumed(WHOLE, {**WHOLE, **NOTHING})),
    # Whatever else has changed: a token, a region, a clock or a host makes another call of it, and no other upload.
    *(
        to(expected, corrected(5, refused, NOTHING | other, **how), n=5, says="5 of 5 retried calls sent 0 bytes on retry")
        for refused in (DENIED, SLOW_DOWN, fault("http:401", 401), fault("s3:ExpiredToken", 400), fault("s3:RequestTimeTooSkewed", 403), fault("s3:PermanentRedirect", 301))
        for other in ({"credential": "new"}, {"principal": "new"}, {"region": "b"}, {"clock_offset": 900}, {"host": "bucket.b.example"})
        for how, expected in ((TOLD, FAIL), ({"by": ID}, FAIL), ({}, FAIL))
    ),
    to(FAIL, corrected(1, DENIED, NOTHING | {"credential": "new"}, **TOLD)),
    to(INCONCLUSIVE, corrected(1, DENIED, NOTHING | {"credential": "new"})),
    to(WARN, corrected(3, DENIED, NOTHING | {"credential": "new"}, busy=True), successes(3, 3)),
    to(INCONCLUSIVE, corrected(5, DENIED, NOTHING | {"credential": "new", "client": "10.0.0.1"})),
    to(INCONCLUSIVE, corrected(5, DENIED, NOTHING | {"credential": "new"}, wait=11.0)),
    # Fewer bytes or others may be another caller's, who has another token; what a test or an id tells of is not.
    *(to(expected, corrected(5, SLOW_DOWN, body | {"credential": "new"}, **how)) for body in (LESS, OTHER) for how, expected in (({}, INCONCLUSIVE), (TOLD, FAIL), ({"by": ID}, FAIL))),
    *(to(PASS, corrected(5, refused, {"credential": "new"}, **TOLD), n=5) for refused in (DENIED, SLOW_DOWN)),
    # With another precondition it is a write for another version of the object, such as that of another writer; an empty one is lost all the same.
    *(to(expected, corrected(5, SLOW_DOWN, body | {"precondition": "new"}, precondition="old", **TOLD)) for body, expected in ((OTHER, INCONCLUSIVE), (NOTHING, FAIL), ({}, PASS))),
    # A body that was refused may be corrected; a form holds the token itself.
    *(to(expected, corrected(5, kind, OTHER | {"credential": "new"}, method=method, **TOLD)) for kind, method, expected in ((fault("http:401", 401), "PUT", FAIL), (fault("http:401", 401), "POST", INCONCLUSIVE), (FINE | {"status": 412}, "PUT", INCONCLUSIVE), (fault("cos:MalformedXML", 400), "PUT", INCONCLUSIVE))),
)  # fmt: skip


def lost(number, *gaps, last=FINE, **more):
    """POST requests whose answer is lost after the app has run."""
    return calls(number, *gaps, kind=LOST, last=last if gaps else None, **{"method": "POST", **more})


def told_twice(gap):
    """Three lost POST requests, each of which another call of the test sends again."""
    kinds = {"first": LOST, "second": FINE}
    return [
        call(kind=kinds[name], method="POST", by=None, path=f"/bucket/t{each}", name=name, at=200.0 * each + gap * number)
        for each in range(3)
        for number, name in enumerate(kinds)
    ]  # fmt: skip


STORAGE = [
    {"operation": "CreateMultipartUpload"}, {"operation": "CompleteMultipartUpload"},
    {"path": "/upload/storage/v1/b/bucket/o", "operation": None, "apart": 100.0},
    {"user_agent": "QiniuPython/7.18.0 (Linux; x86_64; ) Python/3.11.7"}, {"user_agent": "aliyun-sdk-python/2.19.1(Linux/6.1/x86_64;3.11.7)"},
    {"user_agent": "obs-sdk-python/3.24.6"}, {"user_agent": "backblaze-b2/2.13.1 python/3.11.7"}, {"user_agent": "python-swiftclient-4.8.0"},
    {"user_agent": "bce-sdk-python/0.9.79/3.11.7/linux"}, {"user_agent": "ve-tos-python-sdk/2.9.3(linux/x86_64;3.11.7)"},
    {"user_agent": "Boto3/1.44.5 md/Botocore#1.44.5", "operation": "PostObject"},
]  # fmt: skip
"""Requests that storage SDKs repeat, which the service allows."""
KEYS = ("0123456789abcdef", "fedcba9876543210")


def keyed(at, second=FINE):
    """A POST that is sent again with another Idempotency-Key."""
    return [
        call(kind=LOST if n == 0 else second, at=at + 0.1 * n, by=None, path=f"/bucket/{at}", method="POST", guarded=True, attempt_hint={"invocation": key})
        for n, key in enumerate(KEYS)
    ]  # fmt: skip


def at_one_time(kind, **more):
    """Two requests for one object at the same time, of callers who may be several."""
    return [call(kind=kind, at=99, path="/bucket/one", by=None, **more) for _ in range(2)]


NOT_IDEMPOTENT = rows(
    "non-idempotent retry",
    to(PASS, lost(3), says="0 of 3 lost POSTs were retried"),
    to(INCONCLUSIVE, lost(3), at_one_time(LOST, method="POST"), n=2, says="which requests are of one call is not known"),
    to(FAIL, lost(1, 0.5), lost(2, at=5)),
    to(FAIL, lost(3, 0.5), says="3 of 3 lost POSTs were retried, 3 took effect twice"),
    # The end of an upload and a deletion of many objects do nothing else the second time.
    *(
        to(INCONCLUSIVE, lost(3, 0.5, query=query, operation=operation), n=0)
        for query, operation in (("uploadId=id-1", "CompleteMultipartUpload"), ("delete", "DeleteObjects"))
    ),
    # An app of one's own may append what comes under such a parameter, and then has it twice.
    *(to(FAIL, lost(3, 0.5, query=query, operation=None)) for query in ("upload_id=7", "delete=1")),
    # One that failed before anything was lost is retried rightly.
    to(PASS, calls(3, 0.5, last=LOST, method="POST"), n=3),
    to(INCONCLUSIVE, lost(2, 0.5)),
    to(INCONCLUSIVE, lost(2)),
    # Under another id of the SDK, or too late for a retry, a layer above it retries, or the caller asks again; other bodies, and what
    # has one Idempotency-Key, do not count.
    *(to(INCONCLUSIVE, layered(3, gap, kind=LOST, last=FINE, method="POST", apart=200.0), says="3 of 3 lost POSTs came again in another call") for gap in (0.5, 11.0, 90.0)),
    *(to(INCONCLUSIVE, lost(3, gap, by=None, apart=200.0), says="3 of 3 lost POSTs came again in another call") for gap in (61.0, 700.0)),
    # Behind the end of a call that a test tells of, its caller asks again.
    *(to(PASS, told_twice(gap)) for gap in (1.0, 90.0)),
    to(FAIL, lost(3, 0.5), layered(3, 11.0, kind=LOST, last=FINE, method="POST", at=200.0)),
    to(PASS, layered(3, 11.0, kind=LOST, last=FINE | {"request_digest": "e"}, method="POST")),
    to(PASS, lost(3, 700.0, guarded=True, attempt_hint={"invocation": KEYS[0]})),
    to(FAIL, lost(3, 0.5, method="PATCH")),
    to(INCONCLUSIVE, lost(3, 0.5, method="PUT")),
    to(INCONCLUSIVE, lost(3, 0.5, method="DELETE")),
    # A key makes it safe, a precondition where it keeps the second one off: what is made of that is another check.
    to(PASS, lost(3, 0.5, guarded=True, attempt_hint={"invocation": KEYS[0]}), says="without an Idempotency-Key"),
    to(FAIL, lost(3, 0.5, guarded=True), says="3 of 3 lost POSTs were retried, 3 took effect twice"),
    # An SDK with ids of its own sends the caller's key too; another key each time does not make it safe.
    to(PASS, lost(3, 0.5, guarded=True, attempt_hint={"key": KEYS[0]})),
    to(FAIL, lost(3, 0.5, guarded=True, every=[{"attempt_hint": {"key": key}} for key in KEYS])),
    to(INCONCLUSIVE, lost(3, 0.5, guarded=True, last=FINE | {"status": 412}), n=0),
    to(PASS, lost(3), lost(1, 0.5, guarded=True, last=INTERNAL, at=5), n=4),
    # Nothing has taken effect where the app did not run.
    to(INCONCLUSIVE, calls(3, 0.5, kind=RESET, last=FINE, method="POST"), n=0),
    # Effects are counted: the second time it may fail, or nobody knows.
    to(FAIL, lost(3, 0.5), lost(1, 0.5, last=FINE | {"status": 409}, at=5), lost(1, 0.5, last=RESET, at=6), says="5 of 5 lost POSTs were retried, 3 took effect twice"),
    to(FAIL, lost(3, 0.5, last=LOST), says="3 of 3 lost POSTs were retried, 3 took effect twice"),
    to(FAIL, lost(3, 0.5, last=FINE | {"status": None}), says="3 took effect twice"),
    *(to(WARN, lost(3, 0.5, **fields)) for fields in STORAGE),
    to(WARN, lost(3, 0.5, **STORAGE[0]), says="SDKs repeat a lost CreateMultipartUpload by themselves, and the first upload stays open until"),
    # `POST /orders` reads as the upload of a form; only a storage SDK means that.
    to(FAIL, lost(3, 0.5, operation="PostObject")),
    to(FAIL, lost(3, 0.5, **STORAGE[0]), lost(1, 0.5, at=5)),
    # One told POST that took effect twice is proof enough.
    to(FAIL, lost(1, 0.5, name="order", returned=True)),
    to(INCONCLUSIVE, lost(1, 0.5, name="order", returned=True, last=RESET)),
    # Another key does not make it safe, and another body may be another call.
    to(WARN, *map(keyed, (0, 20, 40)), says="3 of 3 lost POSTs were retried with another Idempotency-Key"),
    to(FAIL, *map(keyed, (0, 20, 40)), windows=[CallWindow("order", at - 0.1, at + 2, True) for at in (0, 20, 40)]),
    # An app that knows the order by its content refused the second one.
    to(WARN, *(keyed(at, FINE | {"status": 409}) for at in (0, 20, 40)), windows=[CallWindow("order", at - 0.1, at + 2, True) for at in (0, 20, 40)]),
    to(INCONCLUSIVE, [call(kind=kind, at=each + at, by=None, path=f"/bucket/{each}", method="POST", request_digest=f"{at}", request_bytes=100 + round(10 * at)) for each in range(3) for at, kind in ((0, LOST), (0.1, FINE))]),
)  # fmt: skip


def hidden(number, *gaps, last=FINE, **more):
    """Calls that get an error in a 200."""
    return calls(number, *gaps, kind=HIDDEN, last=last if gaps else None, **more)


def busy(vendor):
    """A server error of a vendor."""
    return INTERNAL | {"fault": f"{vendor}:InternalError"}


NO_HIDDEN = (
    "MinIO documents no error in an answer of 200"
    " Judge a client of a service that documents one, for example s3."
)
ERROR_IN_200 = rows(
    "error in 200",
    to(PASS, hidden(3, 0.1)),
    # Of requests for one object at the same time, also beside calls that are right.
    to(INCONCLUSIVE, hidden(3, 0.1), at_one_time(HIDDEN), n=2, says="which requests are of one call is not known"),
    to(PASS, hidden(3, returned=False)),
    to(WARN, hidden(1), hidden(2, 0.1, at=5)),
    to(FAIL, hidden(1, returned=True), hidden(2, at=5)),
    to(INCONCLUSIVE, hidden(2, 0.1)),
    to(INCONCLUSIVE, hidden(2)),
    to(FAIL, hidden(3, returned=True), says="3 of 3 errors in a 200 were reported to the caller as success"),
    # Tried again, and then believed.
    to(FAIL, hidden(3, 0.1, returned=True, last=HIDDEN)),
    to(PASS, hidden(3, 0.1, returned=True)),
    to(FAIL, hidden(1, returned=True)),
    to(INCONCLUSIVE, hidden(1, returned=True), driven=True),
    # A plan causes none where the service documents none; elsewhere it had too few.
    *(
        to(INCONCLUSIVE, calls(3, 0.1, kind=busy(vendor), returned=False), driven=True, n=0, says=says)
        for vendor, says in (("minio", NO_HIDDEN), ("s3", "Not enough data: 0 of 3 answers of 200 with an error in it"))
    ),
    to(INCONCLUSIVE, calls(3, 0.1, kind=busy("minio")), says="for example s3:InternalError,status=200"),
    # A client that sends what is left under another id has read the errors; one that goes on to the next batch has not.
    *(
        to(expected, [deletion(at, kind, size) for thing in range(3) for at, kind, size in ((20.0 * thing, HIDDEN, 100), (20.0 * thing + 0.5, FINE, rest))])
        for rest, expected in ((40, PASS), (100, WARN))
    ),
    *(to(PASS, [deletion(20.0 * thing + at, kind, size) for thing in range(3) for at, kind, size in ((0.0, HIDDEN, 100), (0.5, FINE, 40))], windows=[CallWindow("purge", 20.0 * thing - 1, 20.0 * thing + 2, returned) for thing in range(3)]) for returned in (True, False)),
    # What would show more is an error of the vendor seen that documents such errors; else one of S3.
    to(INCONCLUSIVE, calls(1, kind=fault("cos:InternalError", 503)), says="Send more, for example cos:InternalError,status=200"),
    to(INCONCLUSIVE, calls(1, kind=fault("jss:InternalError", 503)), says="for example s3:InternalError,status=200"),
    to(INCONCLUSIVE, says="for example s3:InternalError,status=200,times=1,per=call"),
)  # fmt: skip


test_verdict = each_holds(*RETRIES, *PERMANENT, *GIVES_UP, *RETRY_AFTER, *MALFORMED, *SAME_BYTES, *NOT_IDEMPOTENT, *ERROR_IN_200)  # fmt: skip


def asked_again(number, wait, at, by):
    """Objects refused three times, each time under another id of the SDK, or without any."""
    return [
        call(
            kind=DENIED,
            at=at + 60.0 * thing + (wait + TOOK) * again,
            by=by,
            method="GET",
            path=f"/b/{at}-{thing}",
        )
        for thing in range(number)
        for again in range(3)
    ]


@each_row("by", [ID, None])
def test_more_that_is_asked_for_again_after_a_refusal_is_no_less(by):
    """The number of objects counts, however soon each is asked for again."""
    worst = [PASS, INCONCLUSIVE, WARN, FAIL]
    found = {
        (soon, later): worst.index(
            verdict(
                "permanent",
                asked_again(soon, 0.3, 0.0, by),
                asked_again(later, 3.0, 500.0, by),
                refused(3, at=900),
            )
        )
        for soon in range(4)
        for later in range(4)
    }
    for (soon, later), here in found.items():
        assert here >= max(found.get((soon - 1, later), 0), found.get((soon, later - 1), 0)), (soon, later)
    assert found[1, 2] >= worst.index(WARN)
