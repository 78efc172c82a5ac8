"""Results of a conformance run: who was measured, on what machine, and each client's numbers."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import COUNT, DAY, NUMBER, SECONDS, TEXT, WHOLE, WORDS, YES, Fields, Schema
from faultinject.cli.schemas.report import RESULT, judgement
from faultinject.conformance.numbers import KINDS


def league() -> Schema:
    """Of `conformance --json` and `conformance -o FILE.json`."""
    machine: Fields = {
        "cores": (forms.or_null(WHOLE), "How many processors it has; null where nobody knows."),
        "processor": (TEXT, "Its kind."),
        "release": (TEXT, "Of the operating system."),
    }
    skipped: Fields = {
        "client": (WORDS, "As `--client` takes it."),
        "title": (WORDS, "For people."),
        "install": (WORDS, "What installs it."),
    }
    failed: Fields = {
        "client": (WORDS, "As `--client` takes it."),
        "reason": (WORDS, "Why it could not be started."),
    }
    return forms.published(
        "conformance",
        1,
        "faultinject conformance results",
        "What storage clients did in a fixed plan of faults, as `faultinject conformance --json` prints it and"
        " `-o FILE.json` writes it. Times are seconds.",
        forms.record(
            {
                "v": ({"const": 1}, "The version of the format."),
                "result": (RESULT, "What it comes to."),
                "reason": (WORDS, "The same in words."),
                "made": (DAY, "The day of the run, UTC."),
                "faultinject": (WORDS, "The version of faultinject."),
                "python": (WORDS, "The version of Python."),
                "system": (TEXT, "The operating system."),
                "machine": (forms.record(machine), "Where it was measured."),
                "seed": (TEXT, "Of every draw of faultinject."),
                "deadline": (SECONDS, "How long each client had that is not known to need longer, seconds."),
                "complete": (YES, "Whether nobody interrupted it."),
                "all": (YES, "Whether every client that is installed was asked for."),
                "skipped": (
                    forms.listed(forms.record(skipped)),
                    "Clients that have a driver and are not installed.",
                ),
                "failed": (forms.listed(forms.record(failed)), "Clients that could not be started."),
                "clients": (forms.listed(_client()), "Each client's results."),
            },
            optional={"command": (WORDS, "The command that makes these results again.")},
        ),
    )


def _client() -> Schema:
    null = forms.or_null
    return forms.record(
        {
            "client": (WORDS, "As `--client` takes it."),
            "title": (TEXT, "For people."),
            "note": (TEXT, "What is not its default, or empty."),
            "version": (null(TEXT), "Of the client; null where nobody knows."),
            "language": (TEXT, "What it is written in, or empty."),
            "service": (TEXT, "The vendor whose errors it got."),
            "seconds": (SECONDS, "How long the run took."),
            "deadline": (SECONDS, "How long it could have taken."),
            "late": (NUMBER, "How late calls began, seconds: how busy the machine was."),
            "failure": (null(TEXT), "What the client did against the contract; null for nothing."),
            "facts": (_facts(), "What was measured, in short."),
            "numbers": (_numbers(), "Everything that was measured."),
            "report": (judgement(), "The verdict, as `faultinject report` writes it."),
        }
    )


def _facts() -> Schema:
    waits = forms.listed(SECONDS)
    outage: Fields = {
        "calls": (COUNT, "How many calls were made while nothing worked."),
        "requests": (COUNT, "How many requests."),
        "retries": (NUMBER, "How many of them are retries."),
    }
    return forms.record(
        {
            "attempts": (
                forms.or_null({"type": "array", "items": COUNT, "minItems": 2, "maxItems": 2}),
                "Attempts of a call that always fails: the fewest and the most.",
            ),
            "throttled": (waits, "By number of retry the median wait after a throttle error, seconds."),
            "failed": (waits, "The same when the server fails."),
            "outage": (forms.record(outage), "What was sent while nothing worked."),
        }
    )


SPREAD: Fields = {
    "n": (COUNT, "How many."),
    "median": (SECONDS, "Seconds."),
    "low": (SECONDS, "A quarter of them are shorter."),
    "high": (SECONDS, "A quarter of them are longer."),
}
RETRIED: Fields = {"calls": (COUNT, "How many calls."), "retried": (COUNT, "How many of them were retried.")}


def _numbers() -> Schema:
    null = forms.or_null
    waits = forms.record(
        {
            "retry": (WHOLE, "The number of the retry."),
            **SPREAD,
            "waits": (forms.listed(SECONDS), "Every wait before it, the shortest first."),
        }
    )
    hint = forms.record(
        {
            "answers": (COUNT, "Answers that asked for a wait."),
            "retried": (COUNT, "How many of them were followed by a retry."),
            "obeyed": (null(COUNT), "Retries that came no earlier; null where no length can be read."),
            "asked": (null(SECONDS), "The median of what was asked for; null where no length can be read."),
            "waited": (null(SECONDS), "The median of the waits; null without a retry."),
        }
    )
    row = forms.record(
        {
            "answer": (WORDS, "The first answer of a call, such as `503 SlowDown`."),
            "documented": (TEXT, "What the vendor's document says of a retry; – where it does not."),
            **RETRIED,
        }
    )
    attempts: Fields = {"fewest": (COUNT, "The fewest."), "most": (COUNT, "The most.")}
    budget: Fields = {
        "calls": (COUNT, "How many calls."),
        "requests": (COUNT, "How many requests."),
        "retries": (COUNT, "How many of them are retries."),
    }
    compared: Fields = {
        "compared": (COUNT, "Uploads that were retried."),
        "same": (COUNT, "Those that sent the same body each time."),
    }
    overlap: Fields = {
        "calls": (COUNT, "Calls that were retried."),
        "overlapping": (COUNT, "Those whose next attempt came before the last one's answer."),
    }
    noticed: Fields = {**RETRIED, "noticed": (COUNT, "Retried, or the caller got an error.")}
    of_kinds = dict.fromkeys(KINDS)
    return forms.record(
        {
            "attempts": (
                null(forms.record(attempts)),
                "Of a call that always fails; null without such a call.",
            ),
            "backoff": (
                forms.record(
                    {kind: (forms.listed(waits), "The waits before each retry.") for kind in of_kinds}
                ),
                "By kind of failure.",
            ),
            "jitter": (
                null(SECONDS),
                "The deviation of waits before the same retry by their mean; null where they are too short.",
            ),
            "hints": ({"type": "object", "additionalProperties": hint}, "By form of the hint."),
            "retried": (forms.listed(row), "What each answer led to."),
            "budget": (forms.record(budget), "The outage, in which every request fails."),
            "resets": (forms.record(RETRIED), "Connections reset before the request was carried out."),
            "lost": (forms.record(RETRIED), "Answers lost after it was."),
            "hidden": (forms.record(noticed), "Errors in an answer with status 200."),
            "bytes": (forms.record(compared), "Bodies of uploads."),
            "overlap": (forms.record(overlap), "Attempts of one call at the same time."),
            "gives_up": (
                forms.record(
                    {
                        kind: (
                            null(forms.record(SPREAD)),
                            "Seconds until the call ends; null without such a call.",
                        )
                        for kind in of_kinds
                    }
                ),
                "By kind of failure.",
            ),
        }
    )
