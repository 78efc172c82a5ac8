"""Judgements made by hand, for reports to show."""

from __future__ import annotations

from faultinject.audit.evidence import Evidence, Turnaround
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN, Finding
from faultinject.audit.judge import Judgement
from faultinject.audit.profiles import get
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import FINGERPRINT, Call


def attempt(seq, arrived, fault="cos:SlowDown", status=503, **more):
    """One request, answered a millisecond later; `fault=None` is the app's own answer."""
    fields = {
        "time": 1_800_000_000.0 + arrived,
        "arrived": arrived,
        "answered": arrived + 0.001,
        "pid": 7,
        "seq": seq,
        "method": "GET",
        "path": "/photos/cat.jpg",
        "query": "",
        "fault": fault,
        "did": "passed" if fault is None else "answered",
        "status": status,
        "body_complete": True,
        "request_bytes": 0,
        "request_digest": "0",
    }
    return Attempt({**fields, **more})


def call(*attempts, **more):
    """Attempts that belong together."""
    return Call(attempts or (attempt(1, 0.0), attempt(2, 0.501, None, 200)), FINGERPRINT, **more)


def finding(check, verdict, message="something", n=5, reference="RFC 9110 10.2.3", calls=(), **more):
    """A verdict."""
    return Finding(check, verdict, n, message, reference, calls, **more)


def judgement(*findings, **more):
    """A judgement of these findings."""
    found = [
        finding(
            "retry-after", FAIL, "seconds: 5 of 5 retried after 0.50 s instead of 3 s", calls=[
                call(attempt(1, 0.0, hint=3.0, hint_form="seconds"), attempt(2, 0.501, None, 200))
            ], subject="seconds",
        ),
        finding("retry budget", WARN, "requests per operation 3.0 → 3.0", 120, "SRE book"),
        finding("thundering herd", INCONCLUSIVE, "first retry after 71 ms: too short to tell", 20),
        finding("overlap", INCONCLUSIVE, "no slow requests", 0),
        finding("non-idempotent retry", INCONCLUSIVE, "no slow requests", 0),
        finding("retries", PASS, "12 of 12 tried again", 12, subject="503 SlowDown"),
        finding("retries", PASS, "10 of 10 tried again", 10, subject="500"),
        finding("gives up", PASS, "never more than 3 attempts", 12),
    ]  # fmt: skip
    values = {
        "client": "Boto3/1.44.5",
        "calls": 1243,
        "attempts": 3531,
        "seconds": 6.0123,
        "signal": {"SDK id": 1200, "fingerprint": 43},
        "left_out": {},
        "turnaround": Turnaround(0.0003, 0.0015, 20),
        "profile": get("rfc"),
        "findings": list(findings) or found,
        "evidence": Evidence([call()]),
    }
    return Judgement(**{**values, **more})
