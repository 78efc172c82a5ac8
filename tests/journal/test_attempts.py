"""Facts about a request from its journal line, and whether two requests sent the same body."""

from faultinject import Attempt, Call
from faultinject.journal.call_window import CallWindow
from tests.journals import DELAYED, FINE, HIDDEN, HUNG, INTERNAL, RESET, SLOW_DOWN, UNSEEN, fault, line
from tests.rows import each_row


@each_row(
    ("kind", "means", "answer"),
    [
        (FINE, None, "200"),
        (UNSEEN, None, "?"),
        (FINE | {"status": 404}, "client", "404"),
        (fault("http:500", 500), "server", "500"),
        (SLOW_DOWN, "throttle", "503 SlowDown"),
        (FINE | {"status": 429}, "throttle", "429"),
        (FINE | {"status": 503}, "server", "503"),
        (INTERNAL, "server", "500 InternalError"),
        (fault("cos:NoSuchKey", 404), "client", "404 NoSuchKey"),
        (HIDDEN, "hidden", "200 InternalError"),
        (fault("s3:SlowDown", 503), "throttle", "503 SlowDown"),
        (fault("jss:SlowDown", 400), "throttle", "400 SlowDown"),
        (fault("azure-blob:ServerBusy/3", 503), "throttle", "503 ServerBusy"),
        (fault("kodo:612", 612), "client", "612"),
        (fault("kodo:573", 573), "throttle", "573"),
        (RESET, "transport", "reset"),
        (RESET | {"did": "raised"}, "transport", "raised"),
        (fault("truncate,at=50%", 200, "truncated"), "transport", "truncated"),
        (fault("close,when=after", did="closed"), "transport", "close"),
        (fault(None, did="closed"), "transport", "closed"),
        (HUNG, "timeout", "hang"),
        (DELAYED, None, "200"),
        (DELAYED | {"status": None, "applied": True}, None, "?"),
        (DELAYED | {"status": None}, "timeout", "latency"),
        (DELAYED | {"left": True, "applied": True}, "timeout", "client left"),
        (UNSEEN | {"did": "failed", "applied": False, "left": True}, "timeout", "client left"),
        (UNSEEN | {"did": "app_failed"}, "server", "500"),
        (UNSEEN | {"did": "failed", "applied": False}, "server", "500"),
        (UNSEEN | {"did": "failed"}, None, "?"),
        (fault("cos:SlowDown", 200, "nothing_to_cut"), None, "200"),
        (fault("cos:NotThere", 503), "server", "503"),
    ],
)
def test_what_an_answer_was(kind, means, answer):
    """In one word for the checks, and in one or two for people."""
    attempt = Attempt.of(line(0, kind))
    assert (attempt.kind, attempt.answer, attempt.failed) == (means, answer, means is not None)


def test_what_is_told_shows_what_came_of_it():
    """In a debugger and in a failing test."""
    attempt = Attempt.of(line(0, SLOW_DOWN, path="/photos/cat.jpg"))
    told = [
        CallWindow("upload", 0, 1),
        CallWindow("upload", 0, 1, True),
        CallWindow("upload", 0, None, False),
    ]
    assert [repr(each) for each in (*told, attempt, Call([attempt], "told"))] == [
        "<CallWindow upload: ?>",
        "<CallWindow upload: returned>",
        "<CallWindow upload: failed>",
        "<Attempt PUT '/photos/cat.jpg' 503 SlowDown>",
        "<Call PUT '/photos/cat.jpg': 503 SlowDown>",
    ]


# What the journal has of a body: its length, its digest, whether all of it was read.
READ, OTHER = (4, "a", True), (4, "b", True)
PASSED, SHORTER = (4, None, None), (2, None, None)
EMPTY, CHUNKED, CUT = (0, None, None), (None, None, None), (3, "c", False)


def call(*bodies, method="PUT", seeds=None, parts=None):
    names = ("request_bytes", "request_digest", "body_complete")
    hints = [part and {"part": part} for part in parts or [None] * len(bodies)]
    attempts = [
        Attempt.of(
            line(0, FINE, method=method, seed=seed, attempt_hint=hint, **dict(zip(names, each, strict=True)))
        )
        for each, seed, hint in zip(bodies, seeds or "1" * len(bodies), hints, strict=True)
    ]
    return Call(attempts, "fingerprint")


@each_row(
    ("bodies", "same"),
    [
        ([READ], None),
        ([READ, PASSED], True),
        ([PASSED, PASSED], True),
        ([READ, READ], True),
        ([READ, OTHER], False),
        ([READ, PASSED, OTHER], False),
        ([PASSED, READ, PASSED, SHORTER], False),
        ([READ, EMPTY], False),
        ([CHUNKED, READ], None),
        ([CHUNKED, READ, EMPTY], False),
        ([READ, CUT], None),
        ([CUT, READ, PASSED], None),
        ([CHUNKED, CHUNKED], None),
    ],
)
def test_same_bytes(bodies, same):
    """Different lengths or digests prove a difference; unknown ones prove nothing."""
    assert call(*bodies).same_bytes is same


@each_row(
    ("bodies", "parts", "first", "second"),
    [
        ([READ, PASSED, SHORTER, EMPTY], None, 1, 2),
        ([READ, PASSED, OTHER], None, 0, 2),
        ([READ, OTHER, READ], "abb", 1, 2),
    ],
)
def test_what_differs(bodies, parts, first, second):
    """The attempts that show it: the latest of the one kind, and the first of the other."""
    found = call(*bodies, parts=parts)
    assert found.other_bytes == (found.attempts[first], found.attempts[second])
    assert call(READ, PASSED).other_bytes is None


def test_what_digests_show():
    """Two or more of whole bodies, and nothing else that differs."""
    shown = [([READ, READ], True), ([READ, CUT], False), ([READ, PASSED], False), ([READ, OTHER], False)]
    assert [call(*bodies).same_digests for bodies, _ in shown] == [same for _, same in shown]


def test_bodies_that_are_not_there_and_digests_of_two_seeds():
    """A GET without a length has no body, and digests of two seeds are not compared.

    Digests are keyed with the seed. Lengths are still compared.
    """
    assert {call(CHUNKED, CHUNKED, method=method).same_bytes for method in ("GET", "HEAD", "DELETE")} == {
        True
    }
    assert call(READ, OTHER, seeds="12").same_bytes is True
    assert call(READ, (5, "b", True), seeds="12").same_bytes is False
