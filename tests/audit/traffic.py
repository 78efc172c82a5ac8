"""Requests made by hand, as a journal has them."""

from __future__ import annotations

import json

from faultinject.audit.grouping import Grouper
from faultinject.journal.attempts import Attempt

ANSWERS = {
    "503": {"fault": "cos:SlowDown", "did": "answered", "status": 503},
    "500": {"fault": "http:500", "did": "answered", "status": 500},
    "reset": {"fault": "reset", "did": "reset", "status": None},
    "hang": {"fault": "hang", "did": "closed", "status": None},
    "hidden": {"fault": "cos:InternalError", "did": "answered", "status": 200},
    "slow": {"fault": "latency", "did": "delayed", "status": 200},
    "200": {"fault": None, "did": "passed", "status": 200, "applied": True},
    "404": {"fault": None, "did": "passed", "status": 404, "applied": True},
    "?": {"fault": None, "did": "passed", "status": None, "applied": True},
}


def fields(
    at, answer="200", *, took=0.001, seq=None, body=None, invocation=None, number=None, retry=None, **more
):
    """The fields of a journal line: a request at a time, in seconds, and what it got.

    `body` is the text of a body that was read; without one, that of a request which has none.
    """
    hint = {"invocation": invocation, "attempt": number, "retry": retry}
    hint = {name: value for name, value in hint.items() if value is not None}
    passed = ANSWERS[answer]["did"] == "passed"
    found = {
        "v": 1,
        "time": 1_800_000_000.0 + at,
        "arrived": 1000.0 + at,
        "answered": None if took is None else 1000.0 + at + took,
        "pid": 7,
        "seq": round(at * 10_000) if seq is None else seq,
        "generation": 0,
        "connection": 40_000,
        "principal": "a" * 16,
        "test": None,
        "method": "PUT",
        "path": "/photos/cat.jpg",
        "query": "",
        "host": "storage.example",
        "client": "127.0.0.1",
        "operation": "PutObject",
        "bucket": "photos",
        "key": "cat.jpg",
        "request_bytes": len(body or ""),
        "request_digest": None if passed or not body else body,
        "body_complete": None if passed or not body else True,
        "user_agent": "uploader/1.0",
        "attempt_hint": hint or None,
        "rule": None if passed else "rule-1",
        "when": None if passed else "before",
        "applied": False,
        "guarded": False,
        "hint": None,
        "hint_form": None,
        "response_bytes": 0,
        "request_id": None,
        "elapsed": took,
        "seed": "0",
        "n": None if passed else 0,
    }
    return {**found, **ANSWERS[answer], **more}


def request(at, answer="200", **more):
    """The same as an attempt."""
    return Attempt(fields(at, answer, **more))


def line(at, answer="200", **more):
    """The same as a line."""
    return json.dumps(fields(at, answer, **more), ensure_ascii=False, separators=(",", ":")) + "\n"


def grouped(*attempts, until=None, **options):
    """The calls in the order in which they were told; `until` counts from the first request's clock as `at` does."""
    calls = []
    grouper = Grouper(tell=calls.append, **options)
    for each in sorted(attempts, key=lambda attempt: attempt.arrived):
        grouper.add(each)
    grouper.end(None if until is None else 1000.0 + until)
    return calls


def shape(calls):
    """What is in them: the answers of each, by its beginning."""
    return [" ".join(each.answer.partition(" ")[0] for each in call.attempts) for call in by_beginning(calls)]


def by_beginning(calls):
    return sorted(calls, key=lambda call: call.first.arrived)
