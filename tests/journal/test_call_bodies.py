"""Whether the attempts of a call sent the same body, as far as the journal tells."""

from __future__ import annotations

import pytest

from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import FINGERPRINT, Call

# What the journal has of a body: its length, its digest, whether all of it was read.
READ, OTHER = (4, "a", True), (4, "b", True)
PASSED, SHORTER = (4, None, None), (2, None, None)
EMPTY, CHUNKED, CUT = (0, None, None), (None, None, None), (3, "c", False)


def call(*bodies, method="PUT", seeds=None):
    names = ("request_bytes", "request_digest", "body_complete")
    attempts = [
        Attempt({**dict(zip(names, each, strict=True)), "method": method, "seed": seed, "did": "passed"})
        for each, seed in zip(bodies, seeds or "1" * len(bodies), strict=True)
    ]
    return Call(attempts, FINGERPRINT)


@pytest.mark.parametrize(
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
    ],
)
def test_same_bytes(bodies, same):
    """Two lengths or two digests that differ prove it; what is not known leaves it open, and proves nothing."""
    assert call(*bodies).same_bytes is same


def test_what_differs():
    """The attempts that show it: the latest of the one kind, and the first of the other."""
    found = call(READ, PASSED, SHORTER, EMPTY)
    assert found.other_bytes == (found.attempts[1], found.attempts[2])
    found = call(READ, PASSED, OTHER)
    assert found.other_bytes == (found.attempts[0], found.attempts[2])
    assert call(READ, PASSED).other_bytes is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_methods_without_a_body(method):
    """Where no length is said, there is none; a PUT may be chunked."""
    assert call(CHUNKED, CHUNKED, method=method).same_bytes is True
    assert call(CHUNKED, CHUNKED).same_bytes is None


def test_digests_of_two_seeds():
    """They are keyed with the seed, and say nothing of each other; lengths do."""
    assert call(READ, OTHER, seeds="12").same_bytes is True
    assert call(READ, (5, "b", True), seeds="12").same_bytes is False
