"""What `faultinject control` prints for programs: the state of a server, and its journal."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import COUNT, NUMBER, TEXT, WORDS, YES, Schema
from faultinject.cli.schemas.journal import journal as journal_line


def state() -> Schema:
    """Of every command but `rules --json`, which prints a file of rules, and `journal --json`."""
    null = forms.or_null
    numbers = {
        "matched": (COUNT, "How many requests met the conditions."),
        "injected": (COUNT, "How many got the fault."),
        "failed": (COUNT, "How many could not be decided."),
    }
    rule = forms.record(
        {
            "name": (WORDS, "What the rule is called."),
            "given": (null(TEXT), "The name that it was given; null where its place names it."),
            "text": (WORDS, "Its text."),
            "rule": ({"type": "object"}, "Its keys, as in a file of rules."),
            "fault": (WORDS, "Its fault."),
            "vendor": (null(TEXT), "The vendor of a documented error, or null."),
            "says": (TEXT, "The fault in words."),
            "enabled": (YES, "Whether requests can match it."),
            **numbers,
            "times": (null(COUNT), "How many faults it gives at most; null: no limit."),
            "spent": (YES, "Whether it has given all of them."),
        }
    )
    return forms.published(
        "control",
        1,
        "faultinject control",
        "The state of a server, as `faultinject control status --json` and every command that changes something print it.",
        forms.record(
            {
                "v": ({"const": 1}, "The version of the format."),
                "generation": (COUNT, "How many changes came before."),
                "on": (YES, "Whether faults are switched on."),
                "enabled": (YES, "Whether the process that answers may inject."),
                "until": (null(NUMBER), "When that ends, unix seconds; null: never."),
                "expires": (null(NUMBER), "What FAULTINJECT_EXPIRES says, unix seconds, or null."),
                "now": (NUMBER, "The server's time, unix seconds."),
                "seed": (TEXT, "What the draws depend on."),
                "production": (null(TEXT), "The variable that says that this is production, or null."),
                "store": (TEXT, "Where counts are kept."),
                "max_active": (COUNT, "How many faults at the same time in a process."),
                "active": (COUNT, "How many are under way in the process that answers."),
                "refused": (COUNT, "How many were not given because that were too many."),
                "undecided": (COUNT, "How many requests passed because of the store."),
                "failures": (COUNT, "How many errors there were in faultinject itself."),
                "disarmed": (TEXT, "Why faults were switched off where nobody asked for it, or empty."),
                "rules": (forms.listed(rule), "The rules in order."),
                "totals": (forms.record(numbers), "Their sums."),
            }
        ),
    )


def journal() -> Schema:
    """Of `control journal --json`."""
    line = journal_line()
    outcome = {
        key: value for key, value in line.items() if key not in ("$schema", "$id", "title", "description")
    }
    return forms.published(
        "control-journal",
        1,
        "faultinject control journal",
        "The latest requests, as `faultinject control journal --json` prints them; with --follow each is a line.",
        forms.record(
            {
                "v": ({"const": 1}, "The version of the format."),
                "outcomes": (forms.listed(outcome), "The requests in order."),
                "cursor": (TEXT, "Where a later call goes on."),
                "dropped": (COUNT, "How many older ones are no longer kept."),
            }
        ),
    )
