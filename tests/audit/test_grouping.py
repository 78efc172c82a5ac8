"""Attempts are grouped by the client's ids, a test's labels or fingerprints, or are shared."""

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject.audit.grouping import group
from faultinject.journal.call_window import CallWindow
from tests.journals import (
    DELAYED,
    DENIED,
    FINE,
    HIDDEN,
    HUNG,
    ID,
    INTERNAL,
    LATER,
    LOST,
    RESET,
    SLOW_DOWN,
    UNSEEN,
    Made,
    Policy,
    attempts,
    call,
    fault,
    judged,
    line,
    successes,
    threads,
)  # fmt: skip
from tests.rows import each_row

from .rows import FAIL, INCONCLUSIVE, PASS, WARN

KINDS = {
    "503": SLOW_DOWN, "500": INTERNAL, "reset": RESET, "hang": HUNG, "hidden": HIDDEN, "slow": DELAYED, "200": FINE, "404": FINE | {"status": 404}, "?": UNSEEN,
    "denied": DENIED, "absent": fault("cos:NoSuchKey", 404), "stale": fault("cos:PreconditionFailed", 412), "locked": fault("http:401", 401),
}  # fmt: skip


def r(at, answer="200", *, body=None, id=None, number=None, retry=None, **more):
    """One request at a time, and what it got."""
    given = {"invocation": id, "attempt": number, "retry": retry}
    hint = {name: value for name, value in given.items() if value is not None}
    seen = KINDS[answer]["fault"] is not None and body is not None
    fields = {
        "path": "/photos/cat.jpg",
        "request_bytes": len(body or ""),
        "request_digest": body if seen else None,
        "body_complete": True if seen else None,
        "attempt_hint": hint or None,
        "principal": "a" * 16,
    }
    return line(at, KINDS[answer], **{**fields, **more})


def w(name, began, ended, **more):
    """The call windows that a test reports."""
    return CallWindow(name, began, ended, **more)


def told_of(call):
    """Write a call as a line: its name, its answers, its signal and its state."""
    marks = [call.signal] if call.signal not in ("fingerprint", "told") else []
    marks += [word for word in ("shared", "cut") if getattr(call, word)]
    marks += [] if call.closed else ["open"]
    answers = " ".join(each.answer.partition(" ")[0] for each in call.attempts)
    name = f"{call.name}: " if call.name else ""
    return f"{name}{answers}" + (f" [{', '.join(marks)}]" if marks else "")


def grouped(requests, **how):
    """The calls, by their beginning."""
    ordered = sorted(requests, key=lambda each: each["arrived"])
    return group(attempts(Made(ordered)), **{"until": LATER, **how})


def g(requests, *expected, **how):
    """A row: requests, and their calls."""
    return requests, expected, how


def both(first, *, at=1, answer="503", **change):
    """A failure, and the same again but for a change."""
    return [r(0, "503", **first), r(at, answer, **{**first, **change})]


BODY = {"body": "12345"}
LOOKS = [
    # The everyday case: the same request again, until it succeeds; the next one is another call.
    g([r(0, "503"), r(1, "503"), r(3), r(3.1)], "503 503 200", "200"),
    # Whatever tells two requests apart tells their calls apart.
    *(
        g(both({}, **change), "503", "503")
        for change in (
            {"method": "GET"}, {"path": "/photos/dog.jpg"}, {"query": "partNumber=2"}, {"client": "10.0.0.1"}, {"user_agent": "other/1.0"}, {"principal": "b" * 16}, {"test": "t"},
        )
    ),
    g(both(BODY, body="other"), "503", "503"),
    g(both(BODY, request_bytes=50), "503", "503"),
    # Where it goes does not; nor words of a user agent that change, nor digests of two seeds.
    *(g(both({}, answer="200", **change), "503 200") for change in ({"host": "backup.example"}, {"connection": 40_001}, {"pid": 8})),
    g(both({"user_agent": "Boto3/1.44.5 m/Z,b cfg/retry-mode#standard"}, user_agent="Boto3/1.44.5 m/Z,b,E cfg/retry-mode#standard"), "503 503"),
    g(both(BODY, principal="b" * 16, request_digest="other", seed="1"), "503 503"),
    # A request that passes is told by its length; a body that was cut has none.
    g(both(BODY, answer="200"), "503 200"),
    g(both(BODY, answer="200", body="123456"), "503", "200"),
    g(both(BODY, answer="200", request_bytes=None), "503 200"),
    g(both({"request_bytes": 3, "request_digest": "part", "body_complete": False}, answer="200", body="12345", request_bytes=5), "503 200"),
    # A body that was not rewound: shorter, with one call waiting there, and no reason to doubt it.
    g([r(0, "503", **BODY), r(1, "503"), r(2, "503", **BODY)], "503 503 503"),
    g([r(0, "503", **BODY), r(0.1, "503", body="123456"), r(1, "503")], "503", "503", "503"),
    g([r(0, "503", **BODY), r(0.1, body="1234")], "503 200"),
    g([r(0, "503", **BODY), r(0.1, body="1234"), r(1, **BODY)], "503 200 [shared]", "200 [shared]"),
    g([r(0, "503", **BODY), r(0.1, "503", body="1234"), r(1, **BODY)], "503 503 200 [shared]"),
    g([r(0, "503", **BODY), r(0.1, "503", body="123"), r(0.2, "503", body="1234567"), r(1, body="1234567")], "503 503 [shared]", "503 200"),
    g(
        [r(0, "503", body="123456"), r(0.1, "503", body="1234"), r(1, body="123456"), r(2, "503", **BODY), r(2.1, body="1234")],
        "503 503 200 [shared]", "503 200 [shared]",
    ),
    g([r(0, "503", **BODY), r(0.1, body="1234", retry=True)], "503 200 [retry mark]"),
    # Who marks its retries marks each, in the order of the journal: clocks of two machines cannot be compared.
    g([r(0, "503"), r(1, retry=True), r(1, "503", path="/2"), r(2, path="/2")], "503 200 [retry mark]", "503 [retry mark]", "200 [retry mark]"),
    # No retry comes after a minute, nor after an answer that nobody saw; after any failure one may.
    g(both({}, at=60), "503 503"),
    g(both({}, at=60.2), "503", "503"),
    g([r(0, "?"), r(1)], "?", "200"),
    *(g([r(0, answer), r(0.5)], f"{answer if answer != 'hidden' else '200'} 200") for answer in ("503", "500", "reset", "hidden", "404")),
    # Who hung may come again before the end.
    g([r(0, "hang", took=None), r(2, "503"), r(3)], "hang 503 200"),
]  # fmt: skip

MARKED = [r(-9, "503"), r(-8, retry=True)]
SHARED = [
    # While another is under way or is delayed: two callers, or a hedge.
    g([r(0, "503", took=0.4), r(0.2), r(1)], "503 200 [shared]", "200 [shared]"),
    g([r(0, "slow", took=None), r(0.2)], "200 [shared, open]", "200 [shared]"),
    # Two failed calls that wait at once, here by a mark that begins the second.
    g([*MARKED, r(0, "503"), r(0.1, "503"), r(1, retry=True)], "503 200 [retry mark, shared]", "503 200 [retry mark, shared]", "503 [retry mark, shared]"),
    # At once on another connection, when the first lives on; which is learnt after the call was told.
    g([r(0, "503", connection=1), r(0.01, connection=2), r(0.3, connection=2, path="/2")], "503 200", "200"),
    g([r(0, "503", connection=1), r(0.01, connection=2), r(0.4, connection=1, path="/3")], "503 200 [shared]", "200"),
    g([r(0, "503", connection=1), r(0.01, connection=2), r(61, connection=1)], "503 200", "200"),
    *(
        g([r(**{"at": 0, "answer": "503", **first}), r(**{"at": 0.01, "connection": 2, **second}), r(1, path="/2")], f"{first.get('answer', '503')} 200{signal}", "200")
        for first, second, signal in (
            ({}, {"connection": 40_000}, ""), ({"answer": "reset"}, {}, ""), ({}, {"at": 0.05}, ""), ({"connection": None}, {}, ""), ({"id": "1-2"}, {"id": "1-2"}, " [SDK id]"),
        )
    ),
    # A shared key stays shared, before and after.
    g([r(0, "503"), r(0.1), r(0.3, took=0.2), r(0.4), r(300, "503"), r(301)], "503 200 [shared]", "200 [shared]", "200 [shared]", "503 200 [shared]"),
    # Different bodies on one key share nothing; of each body what is known of it counts.
    g([r(0, "503", **BODY), r(1, "503", **BODY), r(0.0005, "503", body="1234567"), r(0.9, "503", body="1234567")], "503 503", "503 503"),
    g(
        [r(0, "503", took=0.4, connection=1, **BODY), r(0.2, "503", took=0.4, connection=2, **BODY), r(0.1, "503", body="123456"), r(0.9, "503", body="123456"), r(0.95, **BODY)],
        "503 200 [shared]", "503 503", "503 [shared]",
    ),
    # Of two that wait the one on the same connection goes on: a guess, and said to be one.
    g([r(0, "503", connection=1, took=0.01), r(0.001, "503", connection=2, took=0.01), r(1, connection=2)], "503 [shared]", "503 200 [shared]"),
]  # fmt: skip

BY_WORD = [
    # An id joins whatever looks alike, after minutes, and what it was not known to have failed.
    g([r(at + each / 1000, "503", id=f"{each}-x") for each in range(20) for at in (0, 1, 2)], *["503 503 503 [SDK id]"] * 20),
    g([r(0, "503", id="x-1"), r(50, "503", id="x-1"), r(130, id="x-1")], "503 503 200 [SDK id]"),
    g([r(0, "?", id="x-1"), r(1, id="x-1", number=2)], "? 200 [SDK id]"),
    g([r(0, "slow", took=0.4, id="x-1"), r(0.2, id="x-1")], "200 200 [SDK id]"),
    g([r(0, took=0.4, id="x-1"), r(0.2, id="x-1")], "200 200 [SDK id]"),
    # A key of the caller's own may be in every call of it.
    g([r(0, "503", id="0123456789abcdef"), r(61, id="0123456789abcdef")], "503 [SDK id]", "200 [SDK id]"),
    # Resumable uploads send one id with each of their requests; some callers use one key for everything.
    *(g([r(0, "503", id="x-1"), r(1, id="x-1", **change)], "503 [SDK id]", "200 [SDK id]") for change in ({"path": "/2"}, {"query": "partNumber=2"}, {"method": "POST"})),
    g([r(0, id="x-1"), r(1, id="x-1")], "200 [SDK id]", "200 [SDK id]"),
    g([r(-0.5, took=50, path="/2"), r(0, id="x-1"), r(1, id="x-1"), r(2, id="x-1")], "200", *["200 [SDK id]"] * 3),
    # Numbers and marks: who counts from one, or was ever seen marking, begins a call.
    g([r(0, "503", number=1), r(1, "503", number=2), r(2, "503", number=1)], "503 503 [retry mark]", "503 [retry mark]"),
    g([r(0, "503", path="/1"), r(1, retry=True, path="/1"), r(2, "503"), r(3, "503")], "503 200 [retry mark]", "503 [retry mark]", "503 [retry mark]"),
    *(
        g([r(0, "503", **more), r(1, **{**more, **({"number": 3} if "number" in more else {})})], f"503 200 [{signal}, cut]")
        for more, signal in (({"retry": True}, "retry mark"), ({"number": 2}, "retry mark"), ({"number": 2, "id": "x-1"}, "SDK id"))
    ),
    # An SDK that sends ids may leave them out with some requests, such as those of a resumable upload.
    g([r(0, "503", id="x-1", number=1), r(1, id="x-1", number=2), r(2, "503", path="/2"), r(3, path="/2")], "503 200 [SDK id]", "503 200"),
    g([r(0, "denied"), r(5, retry=True, credential="b")], "403 200 [retry mark]"),
    g([r(0, "denied", id="a-1"), r(5, id="a-1", credential="b")], "403 200 [SDK id]"),
]  # fmt: skip

ENDS = [
    # A failed call is open until it was quiet: ten seconds of a client that never retried, else twice its longest wait.
    g([r(0, "503", took=0)], "503 [open]", until=None),
    g([r(0, "503", took=0)], "503 [open]", until=9.9),
    g([r(0, "503", took=0)], "503", until=10.1),
    *(
        g([r(0, "503", took=0, path="/1"), r(wait, path="/1"), r(9, "503", took=0)], "503 200", f"503{mark}", until=9 + quiet + plus)
        for wait, quiet in ((0.5, 2.0), (3.0, 6.0))
        for plus, mark in ((-0.1, " [open]"), (0.1, ""))
    ),
    g([r(0, "503", took=0, path="/1", user_agent="slow"), r(5, path="/1", user_agent="slow"), r(6, "503", took=0, path="/2"), r(6.1, path="/2"), r(9, "503", took=0)], "503 200", "503 200", "503", until=11.5),
    g([r(0, "503"), r(1)], "503 200", until=None),
    g([r(0)], "200", until=None),
    g([r(0, "slow", took=None)], "200 [open]", until=5),
    g([r(0, "503"), r(30, path="/2")], "503", "200", until=-500),
]  # fmt: skip

PARTS = [
    # A download goes on where it broke off; another part of the same object is another one.
    *(
        g([r(0, "reset", method="GET", attempt_hint=first and {"part": first}), r(0.5, method="GET", attempt_hint=second and {"part": second})], *expected)
        for first, second, expected in (
            (None, "bytes=500-", ["reset 200"]), (None, None, ["reset 200"]), ("bytes=0-999", "bytes=0-999", ["reset 200"]), ("bytes=0-999", "bytes=500-999", ["reset 200"]),
            ("bytes=0-999", "bytes=1000-1999", ["reset", "200"]), ("bytes=0-999", "bytes=500-1999", ["reset", "200"]), (None, "bytes=0-99", ["reset", "200"]),
            ("bytes=500-", "bytes=0-", ["reset", "200"]), (None, "bytes=-500", ["reset", "200"]), ("items=1", "bytes=1-", ["reset", "200"]),
        )
    ),
    # The rest is asked for of the version whose beginning is there; another precondition of the whole object is another call's.
    g([r(0, "reset", method="GET"), r(0.5, method="GET", attempt_hint={"part": "bytes=500-"}, precondition="v1")], "reset 200"),
    g([r(0, "reset", method="GET"), r(0.5, method="GET", precondition="v1")], "reset", "200"),
    # An upload by asking how far it came, or with what is left; a part farther on is another's.
    *(
        g([r(0, "reset", attempt_hint={"part": first}, body="1234567890"), r(0.5, attempt_hint=second and {"part": second}, body="12345678901")], *expected)
        for first, second, expected in (
            ("bytes 0-899/900", "bytes */900", ["reset 200"]), ("bytes 0-255/900", "bytes 100-899/900", ["reset 200"]), ("bytes 0-255/900", "bytes 256-511/900", ["reset 200"]),
            ("bytes 0-255/900", "bytes 600-899/900", ["reset", "200"]), ("bytes 0-255/900", None, ["reset", "200"]),
        )
    ),
]  # fmt: skip

DRIVEN = {"driven": True}
BY_DRIVER = [
    # Each call has its own key: a second copy is of the same call, whatever it carries and whenever it comes.
    g([r(0, "slow", took=0.4, **BODY), r(0.2)], "200 200", **DRIVEN),
    g([r(0, "503"), r(55, "503"), r(160, "503")], "503 503 503", **DRIVEN),
    # By the key in the path; what is used twice belongs to the call that began last; one that never ended is open.
    g(
        [r(0, "503", path="/b/k1"), r(0.001, "503", path="/b/k2"), r(1, path="/b/k1")], "thr: 503 200", "thr: 503",
        windows=[w("thr", 0, 1.1, key="k1"), w("thr", 0, 1.5, key="k2"), w("out", 0, 1.5, key="k3")], **DRIVEN,
    ),
    g([r(at, "503", path="/b/k") for at in (0, 1, 2)], "one: 503 503", "two: 503", windows=[w("one", 0, 1.5, key="k"), w("two", 2, 3, key="k")], **DRIVEN),
    g([r(0, "503", path="/b/k")], "thr: 503 [open]", windows=[w("thr", 0, None, key="k")], **DRIVEN),
]  # fmt: skip

KEYED = {"path": "/b/k"}
FRAME = {"windows": [w("one", 0, 9, key="k"), w("two", 100, 109, key="k")], **DRIVEN}
ONCE = {"number": 1, **KEYED}


def part(at, first, answer="503", *, last=None, own=True):
    """A request for a hundred bytes, or for the last ones, with its own id or without."""
    hint = {"part": f"bytes={first}-{first + 99 if last is None else last}"}
    return r(
        at,
        answer,
        method="GET",
        **KEYED,
        attempt_hint=hint | ({"invocation": f"{at}-{first}"} if own else {}),
    )


LAYERS = [
    # What an SDK sends once under each of its ids in one call of a driver is that call: a layer above the SDK tries again, however late.
    g([r(1, "503", id="a-1", **ONCE), r(1.5, "503", id="b-1", **ONCE), r(30, id="c-1", **ONCE)], "one: 503 503 200", **FRAME),
    g([r(1, "reset", id="a-1", **ONCE), r(2, method="HEAD", id="b-1", **KEYED), r(3, id="c-1", number=2, **KEYED)], "one: reset 200", "one: 200 [SDK id]", **FRAME),
    # Where the SDK tries again as well, there are two layers; an Idempotency-Key is the caller's.
    g([r(1, "503", id="a-1", **KEYED), r(2, "503", id="b-1", **KEYED), r(3, id="b-1", **KEYED)], "one: 503 [SDK id]", "one: 503 200 [SDK id]", **FRAME),
    g([r(at, "503", id=key, **KEYED) for at, key in ((1, "0123456789abcdef"), (2, "fedcba9876543210"))], "one: 503 [SDK id]", "one: 503 [SDK id]", **FRAME),
    # Of another call, at the same time, after a success, for another part or with another body it is none.
    g([r(1, "503", id="a-1", **KEYED), r(101, id="b-1", **KEYED)], "one: 503 [SDK id]", "two: 200 [SDK id]", **FRAME),
    g([r(1, "503", took=1, id="a-1", **KEYED), r(1.5, id="b-1", **KEYED)], "one: 503 [SDK id]", "one: 200 [SDK id]", **FRAME),
    g([r(1, id="a-1", **KEYED), r(2, "503", id="b-1", **KEYED)], "one: 200 [SDK id]", "one: 503 [SDK id]", **FRAME),
    g([r(1, "503", id="a-1", body="a", **KEYED), r(2, "503", id="b-1", body="b", **KEYED)], "one: 503 [SDK id]", "one: 503 [SDK id]", **FRAME),
    g([part(1, 0), part(1.002, 100), part(2, 200)], *["one: 503 [SDK id]"] * 3, **FRAME),
    # Parts that are fetched at the same time are each retried.
    g([part(1, 0), part(1.002, 100), part(2, 0), part(2.1, 100)], "one: 503 503", "one: 503 503", **FRAME),
    # So without ids; a download that goes on, or begins anew, is one, and so are parts of which none failed.
    g([part(1, 0, own=False), part(1.002, 100, own=False), part(2, 0, own=False), part(2.1, 200, own=False)], "one: 503 503", "one: 503", "one: 503", **FRAME),
    g([r(1, "reset", method="GET", **KEYED), part(2, 50, last="", own=False), r(3, method="GET", **KEYED)], "one: reset 503 200", **FRAME),
    g([part(1, 0, "slow", own=False), part(2, 100, own=False)], "one: 200 503", **FRAME),
    # Behind a write of the client's own the answer may be another one, whatever the ids.
    g([r(1, "absent", id="a-1", method="HEAD", **KEYED), r(2, id="b-1", **KEYED), r(3, id="c-1", method="HEAD", **KEYED)], "one: 404 [SDK id]", "one: 200 [SDK id]", "one: 200 [SDK id]", **FRAME),
    g([r(1, "absent", method="HEAD", **KEYED), r(2, **KEYED), r(3, method="HEAD", **KEYED)], "one: 404", "one: 200", "one: 200", **FRAME),
    # One id is one call all the same; and what other calls write or send does not count.
    g([r(1, "absent", id="a-1", method="HEAD", **KEYED), r(2, id="b-1", **KEYED), r(3, id="a-1", method="HEAD", **KEYED)], "one: 404 200 [SDK id]", "one: 200 [SDK id]", **FRAME),
    g([r(8, "503", id="a-1", **KEYED), r(101, id="a-1", **KEYED)], "503 200 [SDK id]", **FRAME),
    *(
        g([r(1, "denied", id=first, **KEYED), r(2, method="POST", path=path), r(3, "denied", id=second, **KEYED)], "one: 403 403", "200", **FRAME)
        for first, second in ((None, None), ("a-1", "b-1")) for path in ("/b", "/other")
    ),
    # So it is in a call that a test has a name for, and not across two of them.
    g([r(1, "503", id="a-1"), r(2, id="b-1")], "upload: 503 200", windows=[w("upload", 0, 9)]),
    g([r(1, "503", id="a-1"), r(2, id="b-1")], "one: 503 [SDK id]", "two: 200 [SDK id]", windows=[w("one", 0, 1.5), w("two", 1.6, 9)]),
    g([r(1, "503", id="a-1"), r(2, id="b-1")], "503 [SDK id]", "200 [SDK id]", **DRIVEN),
]  # fmt: skip

UPLOAD = [w("upload", 0, 9)]
TWO = [*UPLOAD, w("upload", -1, 8)]
SLOW = [r(0, "slow", took=0.5), r(0.15), r(0.2)]
FIRST, SECOND = ({"attempt_hint": {"part": part}} for part in ("bytes=0-99", "bytes=100-199"))
BY_TEST = [
    # Another part, which is asked for at the same time, is not retried in the place of one.
    g([r(0.1, "503", method="GET", **FIRST), r(0.2, method="GET", **SECOND), r(0.9, method="GET", **FIRST)], "upload: 503 200", "upload: 200", windows=UPLOAD),
    # A sequential loop on one key that always fails looks like one call; the test knows better.
    g([r(at, "503") for at in (0, 0.5, 1, 1.5)], "503 503 503 503"),
    g([r(at, "503") for at in (0, 0.5, 1, 1.5)], "1: 503 503", "2: 503 503", windows=[w("1", -0.1, 0.9), w("2", 0.95, 2)]),
    # Several requests of one named call are kept apart, as are the calls of an SDK in it.
    g([r(0, "503", query="a"), r(1, query="a"), r(2, query="b")], "upload: 503 200", "upload: 200", windows=UPLOAD),
    g([r(0, "503", id="x-1"), r(1, "503", id="x-1"), r(2, "503", id="y-1")], "upload: 503 503 [SDK id]", "upload: 503 [SDK id]", windows=UPLOAD),
    # What comes before and after, or has no key of one.
    g(
        [r(1, path="/1"), r(5, path="/2"), r(8, path="/3"), r(10, path="/b/k"), r(21, path="/b/k"), r(22, path="/b/other")], "200", "a: 200", "200", "200", "b: 200", "200",
        windows=[w("a", 4, 6), w("b", 20, 30, key="k"), w("c", 20, 30, key="k", test="t")],
    ),
    # One within another holds what arrives in it; one merely in its time takes nothing from it.
    g([r(1, "503"), r(5, "503"), r(8, "503")], "out: 503 503", "in: 503", windows=[w("out", 0, 10), w("in", 4, 6, within=[0.0])]),
    g([r(3, "503"), r(5)], "long: 503 200", windows=[w("long", 0, 10), w("short", 4, 6)]),
    # Where two overlap, only what one of them alone can hold is its own.
    g(
        [r(1, "503", path="/1"), r(5, path="/1"), r(6, "503", path="/e"), r(7, path="/e"), r(8, "503", path="/2"), r(12, "503", path="/2")], "a: 503 200", "503 200", "b: 503 503",
        windows=[w("a", 0, 10), w("b", 4, 14)],
    ),
    # Under xdist the windows of other workers overlap; a test that is over closes its calls.
    g([r(1, "503", test="a"), r(2, "503", test="b"), r(3, test="c")], "1: 503", "2: 503", "200", windows=[w("1", 0, 10, test="a"), w("2", 0, 10, test="b")]),
    g([r(1, test="t"), r(2, "503", test="t", path="/2"), r(3, test="t", path="/3"), r(5.1, test="u")], "200", "503", "200", "200", windows=[w(None, 0, 5, test="t")], until=None),
    g([r(1, took=0.1), r(1.2, path="/2"), r(3, path="/3")], "200", "200", "200", windows=[w(None, 0, 1.05), w(None, 1, None)]),
    # Something tries on in the background: by its id a call whose beginning is elsewhere; across an open border it is of neither.
    g([r(1, "503", id="x-1", number=1), r(3, id="x-1", number=2)], "a: 503 [SDK id]", "b: 200 [SDK id, cut]", windows=[w("a", 0, 2), w("b", 2.5, 4)]),
    g([r(1, "503", id="x-1"), r(5, id="x-1")], "503 200 [SDK id]", windows=[w("out", 0, 10), w("in", 4, 6, within=[0.0])]),
    g([r(1, "503")], "a: 503 [open]", windows=[w("a", 0, None)]),
    # Copies, also on connections that are used on, and other bytes are of the call that a test names; not for another caller.
    g([*SLOW, r(3, path="/2")], "upload: 200 200 200", "upload: 200", windows=UPLOAD),
    # A client that marks its retries does not mark a copy.
    g([r(-2, "503"), r(-1, retry=True), *SLOW], "503 200 [retry mark]", "upload: 200 200 200", windows=UPLOAD),
    g([r(1, "slow", took=0.5, connection=1), r(1.15, connection=2), r(1.16, connection=3), r(1.165, path="/2", connection=2)], "upload: 200 200 200", "upload: 200", windows=UPLOAD),
    g([r(0.1, "503", body="a"), r(0.2, "503", body="b")], "upload: 503 503", windows=UPLOAD),
    g([r(0.1, "503", body="a"), r(0.2, "503", body="b")], "503", "503"),
    g([r(0.1, "503", body="a"), r(0.2, "503", body="b")], "503", "503", windows=[w(None, 0, 9)]),
    g([r(0.1, "503", body="a"), r(0.2, "503", body="b")], "503", "503", windows=TWO),
    g([r(0.1, "503", body="a"), r(0.2, body="b", principal="b" * 16)], "upload: 503", "upload: 200", windows=UPLOAD),
    g([r(0.1, "denied", body="a"), r(0.2, body="bb")], "upload: 403", "upload: 200", windows=UPLOAD),
]  # fmt: skip

READ = {"method": "GET"}
SIGNED = {"query": "X-Amz-Date=…&X-Amz-Signature=…"}
CHANGES = [
    # A presigned URL that is signed anew behind a refusal is another one; the same one is sent again, however long after that.
    *(
        g([r(0, "denied", clock_offset=0, **SIGNED, **READ), r(2.2, clock_offset=now, **SIGNED, **READ)], *expected)
        for now, expected in ((0, ["403", "200"]), (-2, ["403 200"]))
    ),
    g([r(0, "denied", clock_offset=0, **READ), r(2.2, clock_offset=0, **READ)], "403 200"),
    g([r(0, "503", clock_offset=0, **SIGNED, **READ), r(2.2, clock_offset=0, **SIGNED, **READ)], "503 200"),
    # What is asked with something else is another call: a new token after a 401, a new If-Match after a 412, another key.
    *(g([r(0, "locked"), r(0.1, **change)], "401", "200") for change in ({"credential": "b"}, {"precondition": "b"}, {"region": "b"}, {"clock_offset": -3600}, {"principal": "b" * 16})),
    # So is a part that is asked for behind a refusal of the whole: there is nothing that it could be the rest of.
    g([r(0, "locked", method="GET"), r(0.1, method="GET", attempt_hint={"part": "bytes=500-"}, precondition="b")], "401", "200"),
    g([r(0, "locked", credential="a"), r(0.1, credential="b", seed="1")], "401 200"),
    # What came with something changed has ended the call: the old token that comes again begins another.
    g([r(0, "locked", credential="a"), r(0.1, "503", credential="b"), r(0.2, "locked", credential="a")], "401", "503", "401"),
    # A write in between may let what was refused succeed: of it, its bucket, or a part; not a read, nor after a server error.
    *(
        g([r(0, "absent", **READ), r(0.1, path=path, method=method), r(0.2, **READ)], *expected)
        for path, method, expected in (
            ("/photos/cat.jpg", "PUT", ["404", "200", "200"]), ("/photos/cat.jpg", "DELETE", ["404", "200", "200"]), ("/photos", "PUT", ["404", "200", "200"]),
            ("/photos/cat.jpg/part", "POST", ["404", "200", "200"]), ("/photos/dog.jpg", "PUT", ["404 200", "200"]), ("/photos/cat.jpg", "HEAD", ["404 200", "200"]),
        )
    ),
    g([r(0, "503", **READ), r(0.1, method="PUT"), r(0.2, **READ)], "503 200", "200"),
    # The same request for another body is another caller's.
    g([r(0, "denied", body="a"), r(0.1, body="bb"), r(0.2, body="a")], "403 200", "200"),
    # Who logs in, anywhere, may ask again.
    g([r(0, "locked"), r(0.1, method="POST", path="/login"), r(0.2)], "401", "200", "200"),
    g([r(0, "locked"), r(0.1, "404", method="POST", path="/login"), r(0.2)], "401 200", "404"),
    g([r(0, "locked"), r(0.1, path="/login", **READ), r(0.2)], "401 200", "200"),
    # Who asks again a second later for what was refused may wait for a change.
    g([r(0, "absent"), r(0.9)], "404 200"),
    g([r(0, "absent"), r(1.1)], "404 200"),
    # Who reads again after a 412 has done what it asks for; an older read does not count.
    *(
        g([r(0, refusal, precondition="a"), r(0.1, answer, method=method, path=path), r(0.2, precondition="a")], *expected)
        for refusal, answer, method, path, expected in (
            ("stale", "200", "GET", "/photos/cat.jpg", ["412", "200", "200"]), ("stale", "200", "HEAD", "/photos/cat.jpg", ["412", "200", "200"]),
            ("stale", "200", "GET", "/photos/dog.jpg", ["412 200", "200"]), ("stale", "404", "GET", "/photos/cat.jpg", ["412 200", "404"]), ("denied", "200", "GET", "/photos/cat.jpg", ["403 200", "200"]),
        )
    ),
    g([r(0, **READ), r(0.1, "stale"), r(0.2)], "200", "412 200"),
    # Another body right after a failure is another request.
    g([r(0, "503", body="a"), r(0.1, "503", body="bb"), r(0.2, body="bb")], "503", "503 200"),
]  # fmt: skip


@each_row(
    ("requests", "expected", "how"),
    [*LOOKS, *SHARED, *BY_WORD, *ENDS, *PARTS, *BY_DRIVER, *LAYERS, *BY_TEST, *CHANGES],
)
def test_calls(requests, expected, how):
    """By their beginning."""
    assert [told_of(each) for each in grouped(requests, **how)] == [*expected]


def test_what_is_told_of_a_call_is_kept():
    """Its caller's result and error; of several requests it is known of the last."""
    first, second = grouped(
        [r(0, "503", query="a"), r(1, query="b")], windows=[w("upload", -1, 3, returned=False, error="no")]
    )
    said = [(each.returned, each.error, each.signal) for each in (first, second)]
    assert said == [(None, None, "told"), (False, "no", "told")]


def left_out(*groups, **how):
    """Count the calls that are left out, by reason, in a journal of only these requests."""
    return judged(*groups, fast=None, **how).left_out


def of(*requests):
    return [Made([each]) for each in requests]


OWN, OTHER = "0123456789abcdef", "fedcba9876543210"
POLLED = {"followed": 1, "begun earlier": 1}


@each_row(
    ("requests", "expected"),
    [
        # Nobody can tell whether that was one call, so that neither counts as over.
        ([r(0, "503", credential="a"), r(0.1, "503", credential="b")], POLLED),
        ([r(0, "503", body="a"), r(0.1, "503", body="bb")], POLLED),
        ([r(0, "503", body="a", hint=3.0), r(12.9, "503", body="b")], POLLED),
        ([r(0, "stale", precondition="a", body="1"), r(0.1, "stale", precondition="a", body="22")], POLLED),
        # An Idempotency-Key per attempt is no key.
        ([r(0, "503", method="POST", id=OWN), r(0.1, "503", method="POST", id=OTHER)], POLLED),
        # Later, from another caller, for another thing, after a success, with another id of an SDK, or another write: another call.
        ([r(0, "503", body="a"), r(10.5, "503", body="b")], {}),
        ([r(0, "503", body="a"), r(0.1, "503", body="b", principal="b" * 16)], {}),
        ([r(0, "503", body="a"), r(0.1, "503", body="b", path="/2")], {}),
        ([r(0, body="a"), r(0.1, "503", body="b")], {}),
        ([r(0, "503", id="1-2-3"), r(0.1, "503", id="4-5-6")], {}),
        ([r(0, "503", id=OWN), r(10.5, "503", id=OTHER)], {}),
        ([r(0, "503", body="a", id=OWN), r(0.1, "503", body="b", id=OTHER)], {}),
        ([r(0, "stale", precondition="a", body="1"), r(0.1, "stale", precondition="b", body="22")], {}),
        # Of a client that is seen to keep its bytes another body is another call, also right after a failure.
        ([r(at + each, "503", body=f"body {at:02}") for at in range(0, 12, 3) for each in (0, 0.5, 1.5)], {}),
        ([r(at, "503", body=f"body {at:02}") for at in range(0, 12, 3)], {"followed": 1, "begun earlier": 3}),
        # A shared key and a beginning that is missing.
        ([r(at, "503", connection=each) for each, at in enumerate((0.0, 0.0005, 1.0, 1.1))], {"shared": 2}),
        ([r(0, user_agent="cos/1", retry=True)], {"begun earlier": 1}),
    ],
)  # fmt: skip
def test_what_may_be_of_two_calls_counts_for_none(requests, expected):
    """It is left out, and counted."""
    assert left_out(of(*requests)) == expected


# Habits: what comes again although all is well


def beats(fails=(10, 20, 30, 40), kind=LOST, **more):
    """A heartbeat: equal requests, every second, a few of which fail."""
    return of(*(line(at, kind if at in fails else FINE, path="/beat", **more) for at in range(60)))


def by_name(*groups, **how):
    """Verdicts by the finding's name."""
    return {each.name: each.verdict for each in judged(*groups, fast=None, **how).findings}


def loop(*rounds, fails=(), **more):
    """A script that puts twenty objects, and does so again: some writes of the first time fail."""
    return of(
        *(
            line(start + at / 10, SLOW_DOWN if start == 0 and at in fails else FINE, path=f"/b/{at}", **more)
            for start in rounds
            for at in range(20)
        )
    )


def pooled(reached):
    """Make requests that fail three times and are retried on any free connection, and successes."""
    return of(
        *(
            line(each * 0.1 + 0.01 * turn, SLOW_DOWN, path=f"/{each}", connection=1 + (each + turn) % 3)
            for each in range(6)
            for turn in range(3)
        ),
        *(line(50 + each, FINE, path=f"/there/{each}", connection=1) for each in range(reached)),
    )


def workers(number, keys, kind, **more):
    """Workers with a connection each, none of which retries, ask for the same things 8 ms apart."""
    return of(
        *(
            line(
                0.2 * key + 0.008 * each,
                kind,
                path=f"/photos/{key}",
                connection=1 + each,
                method="GET",
                **more,
            )
            for key in range(keys)
            for each in range(number)
        )
    )


@each_row(("number", "keys", "kind"), [(2, 6, DENIED), (3, 12, SLOW_DOWN), (25, 12, SLOW_DOWN)])
def test_workers_that_ask_for_the_same_do_not_retry(number, keys, kind):
    """Workers that do nothing else meanwhile each go on with their own connection."""
    found = workers(number, keys, kind, user_agent="acme/1.0")
    assert left_out(found)["shared"] >= keys - 1
    assert FAIL not in by_name(found).values()


def posts(number, apart=0.02, waits=(8.5, 17.1, 17.1), at=0.0):
    """As many bodies of one length, each sent to one address again and again until it is taken."""
    return [
        line(
            at + apart * each + sum(waits[:turn]) + 0.001 * turn,
            FINE if turn == len(waits) else SLOW_DOWN,
            path="/collect",
            method="POST",
            request_bytes=512,
            request_digest=f"body {each}",
        )
        for each in range(number)
        for turn in range(len(waits) + 1)
    ]


@each_row(("number", "shared"), [(300, False), (310, True)])
def test_of_too_many_calls_at_a_time_nothing_is_said(number, shared):
    """Of none of them, before and after, since what is left of one may look like a whole one."""
    found = grouped([*posts(6, at=-900, apart=100), *posts(number), *posts(6, at=900, apart=100)])
    assert {call.shared for call in found} == {shared}


def shared_pool(kind, *waits, things=3, number=4, method="GET"):
    """Workers with a connection each read one object in turn, with waits between the reads."""
    return of(
        *(
            line(
                20 * thing + 0.07 * each + sum(waits[:turn]) + 0.014 * each * turn,
                kind,
                path=f"/hot/{thing}",
                connection=1 + each,
                method=method,
            )
            for thing in range(things)
            for each in range(number)
            for turn in range(len(waits) + 1)
        )
    )


def state_written(*kinds, sizes=(120, 100, 110), objects=5):
    """Objects that are written anew again and again, each time with another length."""
    return of(
        *(
            line(
                20 * each + 3 * turn,
                kind,
                path=f"/state/{each}",
                request_bytes=size,
                request_digest=f"{turn}",
            )
            for each in range(objects)
            for turn, (kind, size) in enumerate(zip(kinds, sizes, strict=True))
        )
    )


def others(kind, *gaps):
    """Calls of the same client that an SDK's ids tell apart."""
    return [call(*gaps, kind=kind, at=900 + each) for each in range(6)]


def batches(number=12):
    """A collector sends to one address every five seconds, three times each, and then drops it."""
    return [
        call(0.5, 0.5, at=5 * each, by=None, path="/collect", method="POST", request_bytes=300 + each, request_digest=f"{each}")
        for each in range(number)
    ]  # fmt: skip


TURNS = [
    call(0.3, 0.3, 0.3, at=0.01 * at, by=None, every=[{"connection": (each + at) % 3} for each in range(4)])
    for at in range(3)
]
ROUND = loop(0.0, fails=(1, 5, 9, 13))
TWO_ROUNDS = loop(0.0, 4.0, fails=(1, 5, 9, 13))
SENT_TWICE = [line(at, SLOW_DOWN, path="/collect", method="POST", request_bytes=512, request_digest="twice", took=0.2) for at in (-30, -29.9)]  # fmt: skip


@each_row(
    ("made", "expected"),
    [
        # Polls come every second; a retry a tenth of a second after a failure is found.
        (beats(method="POST"), {"repeated": 4}),
        ([*beats(kind=SLOW_DOWN), *of(*(line(at + 0.1, FINE, path="/beat") for at in (10, 20, 30, 40)))], {}),
        # A second round over the same objects is no retry: it is as late as after a success. A client's own is sooner.
        (TWO_ROUNDS, {"repeated": 4}),
        ([*ROUND, *loop(4.0)], {"repeated": 4}),
        (loop(0.0, 0.7, fails=(1, 5, 9, 13)), {}),
        ([*ROUND, *of(line(4.1, FINE, path="/b/1"))], {}),
        # Retries on any free connection of a pool are found if the client does not repeat its successes.
        (pooled(6), {}),
        (pooled(0), {"shared": 5}),
        (TURNS, {"shared": 3}),
        ([*TURNS, *successes(5)], {}),
        # A body that is sent twice at once is no doubt of others, not even where all are of one length.
        (of(*posts(9, waits=(0.3, 0.4)), *SENT_TWICE), {"shared": 2}),
    ],
)
def test_what_comes_again_is_a_retry_or_left_out(made, expected):
    """It is counted by the reason."""
    assert left_out(made) == expected


OWN_BODIES = of(*(r(0.001 * each, "503", took=0.0003, body=f"now is {each:05}") for each in range(700)))
"""A tight loop with a time stamp in its body."""
UNTIMED = of(line(100, HUNG, path="/beat", answered=None), line(101, FINE, path="/beat"))
"""A heartbeat's request of which nobody knows when it ended, and the next one."""


@pytest.mark.parametrize(
    "made",
    [beats(method="POST"), [*beats(method="POST"), *UNTIMED], TWO_ROUNDS, OWN_BODIES],
    ids=["heartbeat", "untimed heartbeat", "second round", "tight loop"],
)
def test_what_comes_again_by_habit_is_no_retry(made):
    """Nothing is said against it."""
    found = by_name(made)
    retries = {verdict for name, verdict in found.items() if "retries" in name}
    assert not ({FAIL, WARN} & {*found.values()} or PASS in retries)


def read_again(**change):
    """An SDK reads what was refused, and a layer above it reads again with something changed."""
    return [
        call(
            kind=kind,
            at=10 * thing + after,
            path=f"/photos/{thing}",
            method="GET",
            **(change if after else {}),
        )
        for thing in range(3)
        for after, kind in ((0.0, KINDS["absent"]), (0.2, FINE))
    ]


WRITES_BETWEEN = [call(kind=FINE, at=10 * thing + 0.1, path=f"/photos/{thing}") for thing in range(3)]


@each_row(
    ("made", "expected"),
    [
        (pooled(6), {"gives up": PASS}),
        # Hundreds of requests with their own bodies at a time are not said to lack retries.
        (OWN_BODIES, {"gives up": INCONCLUSIVE, "retries": INCONCLUSIVE}),
        # An SDK that reads again what was refused retries, unless it wrote or changed something in between.
        (read_again(), {"permanent": WARN}),
        ([*read_again(), *WRITES_BETWEEN], {"permanent": PASS}),
        *(
            (read_again(**change), {"permanent": PASS})
            for change in ({"credential": "b"}, {"precondition": "b"}, {"principal": "b" * 16})
        ),
        # Callers of one thing together make more attempts than each of them, and one does not retry for the other.
        (workers(4, 6, DENIED), {"permanent": INCONCLUSIVE}),
        (workers(4, 6, SLOW_DOWN), {"backoff": INCONCLUSIVE}),
        (shared_pool(DENIED, 0.45, 0.45), {"permanent": INCONCLUSIVE, "gives up": INCONCLUSIVE}),
        (shared_pool(SLOW_DOWN, 0.3, 0.6, 1.2), {"gives up": INCONCLUSIVE, "backoff grows": INCONCLUSIVE}),
        # What other calls show does not decide it for these.
        ([*shared_pool(SLOW_DOWN, 0.3, 0.6, 1.2), *others(SLOW_DOWN, 0.3)], {"nested retries": INCONCLUSIVE}),
        ([*shared_pool(DENIED, 0.45, 0.45), *others(DENIED)], {"permanent": INCONCLUSIVE}),
        (
            [*shared_pool(SLOW_DOWN, 0.3, 0.6, method="PUT"), *others(SLOW_DOWN, 0.3)],
            {"same bytes": INCONCLUSIVE},
        ),
        # A shorter body is what was not rewound; of an object that is written again and again it is the next one.
        (state_written(INTERNAL, FINE, FINE), {"same bytes": INCONCLUSIVE}),
        (state_written(INTERNAL, FINE, FINE, sizes=(120, 100, 120)), {"same bytes": INCONCLUSIVE}),
        # Where a client sends each body again, the next one is another call, be it right behind a failure.
        (batches(), {"gives up": PASS, "jitter": WARN}),
    ],
)
def test_whose_requests_they_are_changes_what_is_said(made, expected):
    """Of everyday programs: a fingerprint alone would blame one caller for what several do."""
    found = by_name(made)
    assert {name: found[name] for name in expected} == expected


def busy_threads(number, keys, seed, share):
    """Threads with a connection each, that ask for any of a few keys."""
    draw = random.Random(seed)
    found, free = [], [0.0] * number
    for _ in range(400):
        thread = min(range(number), key=free.__getitem__)
        kind = SLOW_DOWN if draw.random() < share else FINE
        asked = {"path": f"/photos/{draw.randrange(keys)}", "method": "GET", "connection": 40_000 + thread}
        found.append(line(free[thread], kind, took=0.0002, **asked))
        free[thread] += draw.uniform(0.3, 1.5)
    return of(*found)


def test_many_threads_over_few_keys_are_no_endless_call():
    """Connections that take turns are of several callers."""
    for seed, share in product(range(5), (0.5, 1.0)):
        found = by_name(busy_threads(16, 5, seed, share))
        assert not {FAIL, WARN} & {found[name] for name in ("gives up", "permanent", "backoff")}


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        (lambda draw: draw.expovariate(20), INCONCLUSIVE),
        (lambda draw: 0.001, WARN),
        (lambda draw: draw.uniform(0, 0.1), WARN),
    ],
    ids=["by chance", "a tight loop", "jitter"],
)
def test_attempts_that_come_by_chance_may_be_of_several_callers(gaps, expected):
    """Behind a server that closes each connection, many callers look like one endless call."""
    for seed in range(5):
        draw = random.Random(seed)
        made = [call(*(gaps(draw) for _ in range(59)), at=100.0, by=None, path=f"/photos/{thing}", method="GET", took=0.0002, connection=1) for thing in range(3)]  # fmt: skip
        assert by_name(made)["gives up"] == expected


# The truth of many callers at once


def recovered(made, **how):
    """Calculate the share of calls that were found exactly, and the share of shared ones."""
    truth = {each["seq"]: number for number, one in enumerate(made) for each in one.lines}
    found = group(attempts(made), until=10_000.0, **how)
    exact = [
        one
        for one in found
        if len({truth[each.seq] for each in one.attempts}) == 1
        and len(one.attempts) == len(made[truth[one.first.seq]].lines)
    ]
    sure = [one for one in found if not one.shared]
    return (
        len(exact) / len(made),
        sum(not one.shared for one in exact) / len(sure) if sure else None,
        1 - len(sure) / len(found),
    )


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("concurrent", [1, 10, 50])
def test_calls_for_different_things_are_found_exactly(concurrent, share):
    """Calls with their own keys, or with different bodies, are found, with ids and without."""
    for keys, seed in product(("own", "bodies"), range(3)):
        made = threads(concurrent, Policy(), share=share, keys=keys, by=ID, seed=seed)
        assert recovered(made)[::2] == (1, 0)
        _, sure, shared = recovered(threads(concurrent, Policy(), share=share, keys=keys, seed=seed))
        assert (sure, shared < 0.5) == (1, True)


def test_calls_for_the_same_thing():
    """Calls for one key are found by ids; by fingerprint only those that do not overlap."""
    for share in (0.3, 1.0):
        assert recovered(threads(20, Policy(), requested=40, share=share, keys="one", by=ID))[::2] == (1, 0)
        _, sure, shared = recovered(threads(20, Policy(), requested=40, share=share, keys="one"))
        assert (sure in (None, 1), shared > 0.5) == (True, True)
    few = recovered(threads(1, Policy(), requested=40, share=0.3, keys="one"))
    loop = threads(1, Policy(), requested=10, keys="one")
    assert (few[0] >= 0.9, few[2], recovered(loop)[0] < 0.2) == (True, 0, True)
    windows = [
        CallWindow(f"{number}", one.lines[0]["arrived"] - 0.0001, one.lines[-1]["answered"])
        for number, one in enumerate(loop)
    ]
    assert recovered(loop, windows=windows)[::2] == (1, 0)


# Whatever comes

requests = st.builds(
    r,
    st.floats(0, 200),
    st.sampled_from(["200", "503", "reset", "slow", "hang", "?"]),
    took=st.sampled_from([None, 0.001, 0.5, 30.0]),
    path=st.sampled_from(["/1", "/2"]),
    connection=st.sampled_from([None, 1, 2]),
    body=st.sampled_from([None, "12345", "123456"]),
    id=st.sampled_from([None, None, "x-1", "y-1"]),
    number=st.sampled_from([None, None, 1, 2]),
    test=st.sampled_from([None, "t"]),
)
windows = st.builds(
    lambda name, began, length, test, key: w(
        name, began, None if length is None else began + length, test=test, key=key
    ),
    st.sampled_from([None, "a", "b"]),
    st.floats(0, 200),
    st.sampled_from([None, 1.0, 50.0]),
    st.sampled_from([None, "t"]),
    st.sampled_from([None, None, "1"]),
)


@given(st.lists(requests, max_size=30), st.lists(windows, max_size=4), st.booleans(), st.floats(0, 400))
def test_every_request_is_in_one_call(made, told, driven, until):
    """None is lost, none is there twice, and a call is of one path and in order."""
    found = grouped(made, windows=told, driven=driven, until=until)
    assert sorted(each.seq for one in found for each in one.attempts) == sorted(each["seq"] for each in made)
    for one in found:
        paths, times = {each.path for each in one.attempts}, [each.arrived for each in one.attempts]
        assert (len(paths), times, driven and one.shared) == (1, sorted(times), False)


@given(st.lists(requests, max_size=30), st.floats(0, 200))
def test_what_a_cut_leaves_of_a_call_is_its_beginning(made, cut):
    """A journal that ends earlier has the same calls, shorter, and closes none that lost a part."""
    whole = {each.seq: one for one in grouped(made, until=None) for each in one.attempts}
    for one in grouped([each for each in made if each["arrived"] < cut], until=None):
        beginning = whole[one.first.seq].attempts[: len(one.attempts)]
        assert [each.seq for each in one.attempts] == [each.seq for each in beginning]
