"""What is said of rules: `check --json`, `explore --json` and `learn --json`."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import (
    COUNT,
    COUNTS,
    NUMBER,
    SECONDS,
    SHARE,
    TEXT,
    WHOLE,
    WORDS,
    YES,
    Schema,
)
from faultinject.learning.formats import FORMATS


def _problems() -> Schema:
    problem = forms.record(
        {
            "where": (TEXT, "The place: a file and line, a variable, an argument."),
            "message": (WORDS, "What is wrong, and what would be right."),
            "excerpt": (TEXT, "The text there, with a caret below; may be empty."),
        }
    )
    return forms.record(
        {
            "ok": ({"const": False}, "Rules that cannot be read are not right."),
            "problems": ({**forms.listed(problem), "minItems": 1}, "Every mistake."),
        }
    )


def _environment() -> Schema:
    null = forms.or_null
    return forms.record(
        {
            "enabled": (YES, "Whether a server would put faults around its app."),
            "switch": (null(YES), "The same as the environment says it; null for nothing."),
            "variables": ({"type": "object", "additionalProperties": TEXT}, "The variables that are set."),
            "seed": (null(TEXT), "The seed; null: one is chosen."),
            "production": (null(TEXT), "The variable that says that this is production."),
            "production_allowed": (YES, "Whether faults are allowed there."),
            "expires": (null(NUMBER), "When faults end, unix seconds."),
            "abort": (null(TEXT), "The bound of the app's own failures, which ends all faults."),
            "header": (YES, "Whether injected answers are marked."),
            "endpoints": (forms.listed(TEXT), "Further hosts of the storage."),
            "store": (null(TEXT), "Where counts are kept."),
            "journal": (null(TEXT), "The journal's file."),
            "max_active": (null(COUNT), "How many faults at the same time."),
            "on_request": (YES, "Whether requests may ask for faults of their own."),
        }
    )


def check() -> Schema:
    """Of `check --json`."""
    null = forms.or_null
    rule = forms.record(
        {
            "name": (WORDS, "The rule's name."),
            "rule": (WORDS, "Its text."),
            "words": (WORDS, "What it means."),
            "rate": (SHARE, "The share of attempts that it answers, of those that meet all conditions."),
            "sampled": (SHARE, "The share of users, tenants or keys that its sample chooses; 1 without one."),
            "dead": (null(TEXT), "Why it never fires; null where it does."),
            "warnings": (forms.listed(TEXT), "What is doubtful about it."),
        }
    )
    reading = {"type": "object", "additionalProperties": null(TEXT)}
    request = forms.record(
        {
            "method": (WORDS, "Its method."),
            "target": (TEXT, "Its path and query."),
            "host": (TEXT, "Its Host."),
            "read": (forms.listed(reading), "How it is read: identity, bucket, key and operation."),
            "matches": (forms.listed(TEXT), "The rules whose conditions it meets."),
            "attempts": (
                null(forms.listed(null(TEXT))),
                "What its first attempts get, null for the app's answer; null without a seed.",
            ),
        }
    )
    explained = forms.record(
        {
            "ok": (YES, "Whether every rule can fire, and one of them for the request."),
            "rules": (forms.listed(rule), "Each rule."),
            "untouched": (SHARE, "The share of attempts that no rule answers."),
            "all_fail": (
                forms.listed(SHARE),
                "The chance that the first 1, 2, … attempts of a call all fail.",
            ),
            "seed": (null(TEXT), "The seed."),
            "abort": (null(TEXT), "The bound of the app's own failures, which ends all faults."),
        },
        optional={
            "request": (request, "With --request: how it is taken."),
            "environment": (_environment(), "Where the rules are the environment's: its settings."),
        },
    )
    return forms.published(
        "check",
        1,
        "faultinject check",
        "What rules mean and come to, or what is wrong with them, as `faultinject check --json` prints it.",
        {"anyOf": [explained, _problems()]},
    )


def explore() -> Schema:
    """Of `explore --json`."""
    texts = forms.listed(TEXT)
    finding = forms.record(
        {
            "error": (TEXT, "What went wrong."),
            "audit": (texts, "What the second judge says."),
            "scenario": (texts, "The smallest rules that show it."),
            "marker": (TEXT, "The same as a pytest marker."),
            "alike": (texts, "Other runs that fail alike."),
            "requests": (texts, "The requests of that run."),
        },
        optional={
            "killed_after": (COUNT, "How many of them came before the command was killed, where it was."),
            "failed_after": (
                COUNT,
                "How many of them came before the command failed, where it was run again.",
            ),
        },
    )
    return forms.published(
        "explore",
        1,
        "faultinject exploration",
        "The result of every fault at every request of a command, as `faultinject explore --json` prints it.",
        forms.record(
            {
                "v": ({"const": 1}, "The version of the format."),
                "requests": (texts, "The requests of a run without faults."),
                "faults": (texts, "The faults that were tried."),
                "depth": (WHOLE, "How many faults there are in a run at most."),
                "runs": (COUNT, "How many runs were made."),
                "seconds": (SECONDS, "How long it took."),
                "backoff": (SHARE, "The share of the time in which the client waited after a fault."),
                "failed": (COUNT, "How many runs failed."),
                "gave_up": (COUNT, "How many gave up cleanly."),
                "pruned": (COUNT, "How many were left out because another one shows the same."),
                "not_run": (COUNT, "How many were not made because of max_runs."),
                "left_out": (texts, "What was not tried, and what brings it back."),
                "not_reached": (texts, "Faults whose request did not come."),
                "incomplete": (texts, "What makes the sweep no proof."),
                "warnings": (texts, "What is suspicious and no failure."),
                "findings": (forms.listed(finding), "Failures, those alike as one."),
            }
        ),
    )


def learn() -> Schema:
    """Of `learn --json`."""
    whole: Schema = {"type": "integer"}
    rule = forms.record(
        {
            "rule": ({"type": "object"}, "The rule, as a file of rules has it."),
            "failed": (WHOLE, "How many requests of its kind had this error in its window."),
            "requests": (WHOLE, "How many requests of its kind there were."),
            "low": (SHARE, "The lower end of the interval in which the true share lies with 95 %."),
            "high": (SHARE, "Its upper end."),
            "begin": (whole, "When its window begins, unix seconds."),
            "end": (whole, "When it ends, unix seconds."),
        }
    )
    example = forms.record(
        {
            "file": (WORDS, "The file, as it was named."),
            "line": (WHOLE, "The line's number, from 1."),
        }
    )
    left_out = forms.record(
        {
            "kind": (WORDS, "The operation, or the method where the log tells no operation."),
            "error": (WORDS, "The error's code, or its status."),
            "failed": (WHOLE, "How many requests had it."),
            "why": (WORDS, "Why no rule was made of it."),
        }
    )
    return forms.published(
        "learn",
        1,
        "faultinject learn",
        "The errors of access logs as rules, with their numbers, as `faultinject learn --json` prints them.",
        forms.record(
            {
                "v": ({"const": 1}, "The version of the format."),
                "format": (forms.one_of(*FORMATS), "The format of the logs, as `--format` has it."),
                "log": (WORDS, "The same in words."),
                "files": (forms.listed(WORDS), "The logs."),
                "begin": (whole, "The second of the first request, unix seconds."),
                "end": (whole, "The second after the last request, unix seconds."),
                "requests": (WHOLE, "How many requests were counted."),
                "lines": (WHOLE, "How many lines were read, without headers and blank ones."),
                "broken": (COUNT, "How many lines are of another form."),
                "examples": (forms.listed(example), "The first of these."),
                "skipped": (COUNTS, "How many lines count for nothing, by the reason."),
                "rules": (forms.listed(rule), "One for each kind of request, error and window."),
                "left_out": (forms.listed(left_out), "Errors that no rule was made of."),
            }
        ),
    )
