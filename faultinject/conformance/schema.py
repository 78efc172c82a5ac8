"""The JSON Schema of what `faultinject conformance -o FILE.json` writes: the league as open data."""

from __future__ import annotations

from faultinject.audit.findings import VERDICTS
from faultinject.conformance.numbers import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SECONDS: Schema = {"type": "number", "minimum": 0}
_COUNTS: Schema = {"type": "array", "items": _COUNT}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _about(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _object(properties: dict[str, Schema], description: str = "") -> Schema:
    """An object that has all of these and no others."""
    found: Schema = {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip
    return _about(found, description) if description else found


def league_schema() -> Schema:
    """The JSON Schema (2020-12) of results, version 1."""
    return {
        "$schema": DIALECT,
        "title": "What storage clients do about errors",
        "description": "Results of `faultinject conformance -o FILE.json`. Times are seconds.",
        **_object(
            {
                "v": _about({"const": 1}, "Of this form."),
                "result": {"enum": ["pass", "fail", "warn", "undecided"]},
                "reason": _about(_TEXT, "The result in words."),
                "made": _about({"type": "string", "format": "date"}, "The day, UTC."),
                "faultinject": _about(_TEXT, "The version that measured."),
                "python": _TEXT,
                "system": _TEXT,
                "machine": _object(
                    {"cores": {"type": ["integer", "null"], "minimum": 1}, "processor": _TEXT, "release": _TEXT},
                    "Where it was measured.",
                ),
                "seed": _about(_TEXT, "Of every draw of faultinject."),
                "deadline": _about(_SECONDS, "How long each client had."),
                "complete": _about({"type": "boolean"}, "Whether nobody interrupted it."),
                "all": _about({"type": "boolean"}, "Whether every client that is installed was asked for."),
                "skipped": {
                    "type": "array",
                    "items": _object({"client": _TEXT, "title": _TEXT, "install": _TEXT}),
                    "description": "Clients that have a driver and are not installed, and what installs them.",
                },
                "failed": {
                    "type": "array",
                    "items": _object({"client": _TEXT, "reason": _TEXT}),
                    "description": "Clients that could not be started.",
                },
                "clients": {"type": "array", "items": _client()},
            }
        ),
    }  # fmt: skip


def _client() -> Schema:
    return _object(
        {
            "client": _about(_TEXT, "As `--client` takes it."),
            "title": _TEXT,
            "note": _about(_TEXT, "What is not its default, or empty."),
            "version": _or_null(_TEXT),
            "language": _about(_TEXT, "What it is written in, or empty."),
            "service": _about(_TEXT, "The vendor whose errors it got."),
            "seconds": _about(_SECONDS, "How long its run took."),
            "late": _about(_SECONDS, "19 of 20 calls were asked for at most so long after their time."),
            "failure": _about(_or_null(_TEXT), "What it did against the contract, or null."),
            "facts": {"type": "object"},
            "numbers": _numbers(),
            "report": {
                "type": "object",
                "properties": {"findings": {"type": "array", "items": _finding()}},
                "required": ["findings"],
                "description": "The report on its requests: `faultinject report --format json`.",
            },
        }
    )


def _finding() -> Schema:
    return {
        "type": "object",
        "properties": {
            "check": _TEXT, "subject": _or_null(_TEXT), "verdict": {"enum": list(VERDICTS)}, "n": _COUNT,
            "message": _TEXT, "reference": _TEXT,
        },
        "required": ["check", "subject", "verdict", "n", "message", "reference"],
    }  # fmt: skip


def _numbers() -> Schema:
    spread = {"n": _COUNT, "median": _SECONDS, "low": _SECONDS, "high": _SECONDS}
    again = _object({"calls": _COUNT, "retried": _COUNT})
    waits = _object(
        {"retry": {"type": "integer", "minimum": 1}, **spread, "waits": {"type": "array", "items": _SECONDS}},
        "The waits before one retry: half of them are between `low` and `high`.",
    )
    hint = _object(
        {
            "answers": _about(_COUNT, "Answers that asked for a wait."),
            "retried": _COUNT,
            "obeyed": _about(_or_null(_COUNT), "Retries that came no earlier; null where no length can be read."),
            "asked": _about(_or_null(_SECONDS), "Median."),
            "waited": _about(_or_null(_SECONDS), "Median."),
        }
    )  # fmt: skip
    row = _object(
        {
            "answer": _about(_TEXT, "The first answer of a call, such as `503 SlowDown`."),
            "documented": _about(
                _TEXT, "What the vendor's document says of trying again; – where it does not."
            ),
            "calls": _COUNT,
            "retried": _COUNT,
        }
    )
    gives_up = _object(spread) | {"type": ["object", "null"]}
    return _object(
        {
            "attempts": _object({"fewest": _COUNT, "most": _COUNT}) | {"type": ["object", "null"]},
            "backoff": _object({kind: {"type": "array", "items": waits} for kind in KINDS}),
            "jitter": {
                "type": ["number", "null"],
                "minimum": 0,
                "description": "Standard deviation by mean of waits before the same retry; null where they are too short.",
            },
            "hints": {"type": "object", "additionalProperties": hint, "description": "By form."},
            "retried": {"type": "array", "items": row},
            "budget": _object(
                {
                    "calls": _COUNT,
                    "requests": _COUNT,
                    "retries": _COUNT,
                    "step": _about(_SECONDS, "What one number of the two lists is about."),
                    "first_attempts": _COUNTS,
                    "later_attempts": _COUNTS,
                },
                "The outage, in which every request fails.",
            ),
            "resets": _about(again, "Connections reset before the request was carried out."),
            "lost": _about(again, "Answers lost after it was."),
            "hidden": _about(
                _object({"calls": _COUNT, "retried": _COUNT, "noticed": _COUNT}),
                "Errors in a 200; noticed: retried, or the caller got an error.",
            ),
            "bytes": _object({"compared": _COUNT, "same": _COUNT}, "Bodies of uploads that were retried."),
            "overlap": _object(
                {"calls": _COUNT, "overlapping": _COUNT},
                "Retried calls, and those whose next attempt came before the last one's answer.",
            ),
            "gives_up": _about(
                _object(dict.fromkeys(KINDS, gives_up)), "Seconds until a call that always fails ends."
            ),
        }
    )
