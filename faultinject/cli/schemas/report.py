"""Verdicts: the report on a journal; the results of a conformance run hold one for each client."""

from __future__ import annotations

from faultinject.audit.findings import VERDICTS
from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import COUNT, COUNTS, NUMBER, SECONDS, TEXT, WORDS, YES, Schema

RESULT = forms.one_of("fail", "warn", "pass", "undecided")


def _call() -> Schema:
    null = forms.or_null
    attempt = forms.record(
        {
            "time": (NUMBER, "When it arrived, unix seconds."),
            "pid": (null(COUNT), "The process that noted it."),
            "seq": (null(COUNT), "Its number there."),
            "answer": (TEXT, "What it got."),
            "waited": (null(NUMBER), "Seconds from the end of the attempt before; null for the first."),
            "hint": (null(NUMBER), "The wait that the answer asked for, seconds."),
            "request_bytes": (null(COUNT), "Bytes of its body."),
        }
    )
    return forms.record(
        {
            "name": (null(TEXT), "The test's or the driver's name for it."),
            "method": (TEXT, "The method."),
            "path": (TEXT, "The path."),
            "signal": (TEXT, "How its attempts were recognised."),
            "returned": (null(YES), "Whether the caller got a result (true) or an error (false)."),
            "error": (null(TEXT), "The error that the client's call raised."),
            "attempts": (forms.listed(attempt), "Its attempts in order."),
        }
    )


def _finding() -> Schema:
    return forms.record(
        {
            "check": (WORDS, "The name of the check."),
            "subject": (forms.or_null(TEXT), "What it is about, where a check looks at several things."),
            "verdict": (forms.one_of(*VERDICTS), "What the check says."),
            "n": (COUNT, "How many calls, waits or requests it rests on."),
            "message": (WORDS, "What is so, in one line, with its numbers."),
            "action": (
                TEXT,
                "What to do, in one sentence; for INCONCLUSIVE how to decide it. Empty for PASS.",
            ),
            "reference": (WORDS, "The document that asks for it."),
            "calls": (
                forms.listed(_call()),
                "Up to five calls that show it; none in results of all clients.",
            ),
        },
        optional={"client": (TEXT, "Whose calls these are, where there are several clients.")},
    )


def judgement() -> Schema:
    """The form of a report."""
    null = forms.or_null
    turnaround = forms.record(
        {
            "median": (null(SECONDS), "Seconds from an answer to the next request, where nothing waits."),
            "p95": (null(SECONDS), "The same at the 95th percentile."),
            "n": (COUNT, "The sample size."),
            "busy": (null(NUMBER), "Null: not measured."),
            "zero": (null(SECONDS), "Seconds; a shorter gap is not a wait."),
            "noise": (null(SECONDS), "By how much the machine may make a wait longer, seconds."),
        }
    )
    rule = forms.record(
        {
            "faults": (forms.listed(TEXT), "The faults that it chose."),
            "given": (COUNT, "How many were given."),
            "refused": (COUNT, "How many were refused."),
            "failed": (COUNT, "How many failed."),
        }
    )
    return forms.record(
        {
            "v": ({"const": 1}, "The version of the format."),
            "result": (RESULT, "What it comes to."),
            "reason": (WORDS, "The same in words: what is wrong, or why nothing could be judged."),
            "client": (TEXT, "The client with the most calls, by its user agent."),
            "calls": (COUNT, "How many calls there were."),
            "attempts": (COUNT, "How many requests."),
            "seconds": (SECONDS, "From the first request to the last."),
            "signal": (COUNTS, "How many calls were grouped by what."),
            "left_out": (COUNTS, "How many calls do not count, by reason."),
            "skipped": (COUNTS, "How many lines were not read, by reason."),
            "not_given": (COUNTS, "How many faults could not be given, by the journal's `did`."),
            "failed_after": (COUNTS, "How many calls failed for good, by the first fault that they got."),
            "rules": (
                {"type": "object", "additionalProperties": rule},
                "By rule, the results of its faults.",
            ),
            "turnaround": (turnaround, "How fast the client is when it does not wait."),
            "profile": (WORDS, "The name of the profile that it is judged by."),
            "findings": (forms.listed(_finding()), "Every verdict, the worst first."),
        }
    )


def report() -> Schema:
    """Of `report --format json`."""
    return forms.published(
        "report",
        1,
        "faultinject report",
        "What clients did about faults, as `faultinject report --format json` writes it. Times are seconds.",
        judgement(),
    )
