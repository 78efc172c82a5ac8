"""What one request was, by its journal line."""

from __future__ import annotations

import pytest

from faultinject.journal.call_window import CallWindow
from tests.audit.traffic import request


@pytest.mark.parametrize(
    ("attempt", "kind", "answer"),
    [
        (request(0), None, "200"),
        (request(0, "?"), None, "?"),
        (request(0, "404"), "client", "404"),
        (request(0, "500"), "server", "500"),
        (request(0, "503"), "throttle", "503 SlowDown"),
        (request(0, "200", status=429), "throttle", "429"),
        (request(0, "200", status=503), "server", "503"),
        (request(0, "500", fault="cos:InternalError"), "server", "500 InternalError"),
        (request(0, "503", fault="cos:NoSuchKey", status=404), "client", "404 NoSuchKey"),
        (request(0, "503", fault="cos:InternalError", status=200), "hidden", "200 InternalError"),
        (request(0, "503", fault="s3:SlowDown"), "throttle", "503 SlowDown"),
        (request(0, "503", fault="azure-blob:ServerBusy/3"), "throttle", "503 ServerBusy"),
        (request(0, "503", fault="kodo:612", status=612), "client", "612"),
        (request(0, "503", fault="kodo:573", status=573), "throttle", "573"),
        (request(0, "reset"), "transport", "reset"),
        (request(0, "reset", did="raised"), "transport", "raised"),
        (request(0, "reset", did="truncated", fault="truncate,at=50%", status=200), "transport", "truncated"),
        (request(0, "reset", did="closed", fault="close,when=after"), "transport", "close"),
        (request(0, "reset", did="closed", fault=None), "transport", "closed"),
        (request(0, "hang"), "timeout", "hang"),
        (request(0, "slow"), None, "200"),
        (request(0, "slow", did="delayed", status=None, applied=True), None, "?"),
        (request(0, "slow", did="delayed", status=None, applied=False), "timeout", "latency"),
        (request(0, "?", did="app_failed"), "server", "500"),
        (request(0, "?", did="failed", applied=False), "server", "500"),
        (request(0, "?", did="failed", applied=True), None, "?"),
        (request(0, "503", did="nothing_to_cut", status=200), None, "200"),
        (request(0, "503", fault="cos:NotThere"), "server", "503"),
    ],
    ids=str,
)
def test_what_an_answer_was(attempt, kind, answer):
    """In one word for the checks, and in one or two for people."""
    assert (attempt.kind, attempt.answer) == (kind, answer)
    assert attempt.failed is (kind is not None)


def test_what_is_told_shows_what_came_of_it():
    """In a debugger and in a failing test."""
    assert repr(CallWindow("upload", 0, 1)) == "<CallWindow upload: ?>"
    assert repr(CallWindow("upload", 0, 1, True)) == "<CallWindow upload: returned>"
    assert repr(CallWindow("upload", 0, None, False, "no")) == "<CallWindow upload: failed>"
    assert repr(request(0, "503")) == "<Attempt PUT '/photos/cat.jpg' 503 SlowDown>"
