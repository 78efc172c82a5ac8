"""A client that does not make the calls it was asked for fails by name.

Otherwise it would hide a failure behind undecided verdicts.
"""

from contextlib import suppress
from dataclasses import replace

import pytest

from faultinject.conformance.driving import run
from faultinject.conformance.plan import ETAG

from .conftest import Direct, short


class Noticing(Direct):
    """Ends an upload that nobody has begun; sees the error in a 200, and tries again."""

    def complete(self, key):
        document = f"<CompleteMultipartUpload>{ETAG}</CompleteMultipartUpload>"
        assert any(b"<Error>" not in self.ask("POST", f"{key}?uploadId=own", document) for _ in range(9))


class Elsewhere(Direct):
    """Ends the upload of an object of another name."""

    def complete(self, key, etag):
        super().complete(f"own-{key}", etag)


class Unknowing(Direct):
    """Says that it can end uploads, and does not know how."""

    def complete(self, key):
        raise NotImplementedError("unknown call: complete")


class Astray(Direct):
    """Has left out a character of the bucket's name."""

    def __init__(self, endpoint, bucket):
        super().__init__(endpoint, bucket[:-1])


class Silent(Direct):
    """Takes for done what it has not begun."""

    def put(self, key):
        pass


class Hopeful(Direct):
    """Writes in vain, and says nothing of it to its caller."""

    def put(self, key):
        with suppress(OSError, ValueError):
            super().put(key)


def test_a_client_that_hides_from_its_caller_that_a_write_failed():
    """The write whose answer alone was lost was carried out: that is no lie."""
    done = run(Hopeful, name="hopeful", phases=short("cal", "throttled", "lost", "denied"))
    found = done.judgement.findings[0]
    assert (done.failure, found.check, found.verdict, found.message) == (
        "",
        "answers",
        "FAIL",
        (
            "1 of 3 calls that the client reported as success had a request that never succeeded: the "
            "last answer was 503 SlowDown"
        ),
    )


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (
            Noticing,
            "the call complete error-in-200-001 asked for an upload that is not there (POST /conformance-1250000000/error-in-200-001?uploadId=own:"
            " 404): the id of the upload is error-in-200-001, and so is the key of its object",
        ),
        (
            Elsewhere,
            "it sent no request for its complete calls, such as the call complete error-in-200-001, although it says that it can do"
            " complete; it answered 'ValueError: 404 for own-error-in-200-001?uploadId=own-error-in-200-001'",
        ),
        (
            Unknowing,
            "it sent no request for its complete calls, such as the call complete error-in-200-001, although it says that it can do"
            " complete; it answered 'NotImplementedError: unknown call: complete'",
        ),
        (
            Astray,
            "the call get cal-001 met no fault and failed (GET 127.0.0.1/conformance-125000000/cal-001: 404): its object is in the"
            " bucket conformance-1250000000",
        ),
        (
            Silent,
            "it answered that the call put lost-001 had succeeded, and sent no request whose path has the segment lost-001",
        ),
    ],
)  # fmt: skip
def test_a_client_that_does_something_else(client, says):
    """The finding is the first one, and the result is FAIL."""
    done = run(client, name="strange", phases=short("cal", "lost", "error-in-200"))
    finding, result = done.judgement.findings[0], done.judgement.conclusion.result
    assert (finding.name, finding.verdict, finding.message) == ("answers", "FAIL", says)
    assert (done.failure, result) == (says, "fail")


def test_a_client_that_does_what_it_is_asked_for():
    """An upload that a second attempt finds ended is no breach, nor are calls without faults.

    Their faults were never passed on.
    """
    assert run(Direct, name="direct", phases=short()).failure == ""


class Broken(Direct):
    """A client that lets nothing through after three failures in a row.

    A retry of its write is refused so, and so are later calls.
    """

    failures = 0

    def ask(self, method, key, body=None):
        while True:
            if self.failures == 3:
                raise RuntimeError("the circuit is open")
            try:
                return super().ask(method, key, body)
            except OSError:
                self.failures += 1


class Unbroken(Direct):
    """Begins no uploads, and does not try again what is lost."""

    def post(self, key):
        raise RuntimeError("the circuit is open")


@pytest.mark.parametrize(("client", "right"), [(Broken, True), (Unbroken, False)])
def test_a_circuit_breaker_is_no_breach(client, right):
    """A circuit breaker that blocks calls after failed writes is no breach.

    It blocks, for example, the uploads of the same phase.
    """
    phases = short("cal", "lost", calls=(("put", 3), ("post", 1)))
    phases = [replace(each, every=0.1, fault="reset") for each in phases]
    assert ("no request for its post calls" in run(client, name="broken", phases=phases).failure) is not right


class Thrice(Direct):
    """Ends an upload again that it has ended: an earlier attempt was what was asked for."""

    def complete(self, key, etag):
        for _ in range(2):
            super().complete(key, etag)
        with pytest.raises(ValueError, match="404"):
            super().complete(key, etag)


class Lost(Direct):
    """Its requests never arrive: it may not trust the certificate, which is told elsewhere."""

    def get(self, key):
        raise OSError("no route")


@pytest.mark.parametrize(
    ("client", "phases", "answers"),
    [(Thrice, ("error-in-200",), [(200, True), (200, False), (404, False)]), (Lost, ("cal", "denied"), [])],
)
def test_what_is_no_breach(client, phases, answers):
    """An upload that a later attempt finds ended, and requests that do not arrive."""
    done = run(client, name="right", phases=short(*phases))
    assert (done.failure, [(each.status, each.injected) for each in done.outcomes]) == ("", answers)
