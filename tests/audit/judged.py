"""Judgements for reports to show: their findings and their journals are made by hand."""

from dataclasses import replace

from faultinject import Attempt, Call, Finding
from tests import journals
from tests.journals import FINE, SLOW_DOWN, Made, fault, quick

from .rows import FAIL, INCONCLUSIVE, PASS, WARN

FAST = quick(0.0003, 0.0015, number=21)
"""Requests of a client that takes 0.3 ms between two, or 1.5."""


def attempt(seq, arrived, what="cos:SlowDown", status=503, *, answered=..., **more):
    """One request, answered a millisecond later; no fault is the app's own answer."""
    kind = FINE | {"status": status} if what is None else fault(what, status)
    fields = {
        "method": "GET",
        "path": "/photos/cat.jpg",
        "request_bytes": 0,
        "request_digest": "0",
        "seq": seq,
    }
    made = journals.line(arrived, kind, **{**fields, **more})
    return made if answered is ... else made | {"answered": answered}


def call(*attempts, name=None, returned=None, error=None):
    """Requests that belong together."""
    lines = [dict(each) for each in attempts or (attempt(1, 0.0), attempt(2, 0.501, None, 200))]
    hint = {"invocation": f"a-{next(journals.numbers)}-b"}
    for each in lines:
        each["attempt_hint"] = each["attempt_hint"] or hint
    return Made(lines, name, returned, error)


def as_call(made):
    """The same as a finding has it."""
    return Call(
        [Attempt.of(each) for each in made.lines],
        "fingerprint",
        name=made.name,
        returned=made.returned,
        error=made.error,
    )


def apart(made):
    """A call as in a journal with several like it: its requests have numbers and their own path."""
    number = next(journals.numbers)
    lines = [
        each | {"seq": next(journals.numbers), "path": f"{each['path']}/{number}"} for each in made.lines
    ]
    return replace(made, lines=lines)


def finding(check, verdict, message="something", n=5, reference="RFC 9110 10.2.3", calls=(), **more):
    """A verdict."""
    return Finding(
        check=check,
        verdict=verdict,
        n=n,
        message=message,
        reference=reference,
        calls=[as_call(each) for each in calls],
        **more,
    )


def judgement(*findings, made=None, driven=False, profile="rfc", **more):
    """A judgement of these findings."""
    found = [
        finding(
            "retry-after", FAIL, "seconds: 5 of 5 retried after 0.50 s instead of 3 s", calls=[
                call(attempt(1, 0.0, hint=3.0, hint_form="seconds"), attempt(2, 0.501, None, 200))
            ], subject="seconds", action="Wait as long as the answer asks.",
        ),
        finding("retry budget", WARN, "requests per operation 3.0 → 3.0", 120, "SRE book", action="Limit the retries in an outage."),
        finding("thundering herd", INCONCLUSIVE, "first retry after 71 ms: too short to tell", 20, action="Give it a longer backoff."),
        finding("overlap", INCONCLUSIVE, "no slow requests", 0, action="Delay some answers."),
        finding("non-idempotent retry", INCONCLUSIVE, "no slow requests", 0, action="Delay some answers."),
        finding("retries", PASS, "12 of 12 tried again", 12, subject="503 SlowDown"),
        finding("retries", PASS, "10 of 10 tried again", 10, subject="500"),
        finding("gives up", PASS, "never more than 3 attempts", 12),
    ]  # fmt: skip
    made = [apart(each) for each in ([call()] if made is None else made)]
    until = float("inf")
    judged = journals.judged(
        [] if driven else FAST, made, fast=None, driven=driven, profile=profile, until=until
    )
    values = {
        "client": "Boto3/1.44.5",
        "calls": 1243,
        "attempts": 3531,
        "seconds": 6.0123,
        "signal": {"SDK id": 1200, "fingerprint": 43},
        "left_out": {},
        "rules": {},
        "failed_after": {},
        "began": None,
        "ended": None,
        "findings": list(findings) or found,
    }
    return replace(judged, **{**values, **more})


def given(rule, faults, refused):
    """The results of a rule's faults: so many given, so many refused."""
    kinds = [SLOW_DOWN] * faults + [fault("cos:SlowDown", 200, "refused")] * refused
    made = [
        call(attempt(each, each, kind["fault"], kind["status"], did=kind["did"], rule=rule))
        for each, kind in enumerate(kinds)
    ]
    return journals.judged(made).rules
