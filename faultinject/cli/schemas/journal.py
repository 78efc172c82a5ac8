"""One line of a journal."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import COUNT, NUMBER, STATUS, TEXT, YES, Fields, Schema
from faultinject.engine.journal_entry import INJECTED

NOT_INJECTED = ("passed", "app_failed", "nothing_to_cut", "refused", "failed")
"""What `did` says of a request that got the app's own answer."""


def _hint() -> Schema:
    return forms.record(
        {},
        optional={
            "invocation": (TEXT, "What all attempts of a call have in common by the client's own word."),
            "attempt": (COUNT, "The number of the attempt."),
            "max": (COUNT, "How many attempts there will be at most."),
            "retry": (YES, "Whether the client says that this is a retry."),
        },
    )


def _every() -> Fields:
    null = forms.or_null
    return {
        "v": ({"const": 1}, "The version of the format."),
        "time": (NUMBER, "When the request arrived, unix seconds."),
        "arrived": (NUMBER, "The same on one monotonic clock, seconds."),
        "answered": (null(NUMBER), "When the answer had left, on the same clock; null where it has not."),
        "pid": (COUNT, "The process."),
        "seq": (COUNT, "The number of the request in that process."),
        "generation": (COUNT, "The number of the scenario in force."),
        "connection": (null(COUNT), "The peer's port."),
        "principal": (null(TEXT), "A keyed digest of the access-key id."),
        "credential": (
            null(TEXT),
            "Two bytes of a keyed digest of a token, which show that it was replaced.",
        ),
        "test": (null(TEXT), "The test that the request belongs to."),
        "method": (TEXT, "The request's method."),
        "path": (TEXT, "Its path."),
        "query": (TEXT, "Its query; values of undocumented parameters are `…`."),
        "host": (TEXT, "The Host header."),
        "client": (null(TEXT), "The peer's address."),
        "operation": (null(TEXT), "The operation by the vendor's own name."),
        "bucket": (null(TEXT), "The bucket as the vendor reads it."),
        "key": (null(TEXT), "The key as the vendor reads it."),
        "request_bytes": (null(COUNT), "Bytes of the request's body; null where nobody knows."),
        "request_digest": (null(TEXT), "The body's digest, keyed with the seed."),
        "body_complete": (null(YES), "Whether all of the body came."),
        "user_agent": (null(TEXT), "The client's own name."),
        "attempt_hint": (null(_hint()), "What the SDK says of its attempt."),
        "rule": (null(TEXT), "The rule that fired."),
        "fault": (null(TEXT), "The fault that it chose."),
        "when": (
            null(forms.one_of("before", "after")),
            "Whether the fault came before the app, or after it.",
        ),
        "applied": (YES, "Whether the app ran."),
        "guarded": (YES, "Whether a key or a precondition makes a repeat safe."),
        "precondition": (null(TEXT), "Two bytes of a digest of the precondition."),
        "range": (null(TEXT), "Which part of an object it asks for: its Range."),
        "if_range": (
            null(TEXT),
            "Two bytes of a digest of its If-Range: of that version it wants the part, else the whole.",
        ),
        "if_match": (null(TEXT), "Two bytes of a digest of its If-Match, the version that it asks for."),
        "region": (null(TEXT), "Two bytes of a keyed digest of the region that it was signed for."),
        "clock_offset": (
            null({"type": "integer"}),
            "Seconds by which its signing time, or the expiry of its presigned URL, is ahead of `time`; below 0: behind.",
        ),
        "hint": (null(NUMBER), "The wait that the answer asked for, seconds."),
        "hint_form": (null(TEXT), "How it said so."),
        "did": (
            {"type": "string", "examples": sorted({*INJECTED, *NOT_INJECTED})},
            "What was done to the request.",
        ),
        "left": (YES, "Whether the client was seen to leave before it had an answer."),
        "status": (null(STATUS), "The answer's status."),
        "app_status": (
            null(STATUS),
            "The status of the app's own answer, which the fault has replaced; null where that is not known.",
        ),
        "response_bytes": (null(COUNT), "Bytes of the answer's body."),
        "checksum": (
            null(YES),
            "Whether the app's answer had a checksum of its whole body; null where nobody looked.",
        ),
        "etag": (
            null(TEXT),
            "The same digest of the answer's ETag; null where it has none, or nobody saw it.",
        ),
        "request_id": (null(TEXT), "The request id that the answer named."),
        "elapsed": (null(NUMBER), "Seconds from arrival to the end of the answer."),
        "seed": (TEXT, "The seed of the draw."),
        "n": (null(COUNT), "The number of the draw."),
    }


def journal() -> Schema:
    """Of one line of `FAULTINJECT_JOURNAL`."""
    null = forms.or_null
    call = forms.record(
        {
            "key": (TEXT, "A segment of the path of each of its requests."),
            "name": (TEXT, "The phase of the plan."),
            "began": (NUMBER, "When it was asked for, on the monotonic clock."),
            "ended": (null(NUMBER), "When it ended, on the same clock; null: it did not."),
            "returned": (null(YES), "Whether its caller got a result (true) or an error (false)."),
        }
    )
    known: Fields = {each: ({}, "As in a line of a request; null.") for each in _every()}
    kept = {each: _every()[each] for each in ("v", "time", "arrived", "pid")}
    driven = forms.record(
        {
            "until": (NUMBER, "When the run ended, on the monotonic clock."),
            "profile": (
                null(TEXT),
                "The profile that the run was judged by; null: by the user agent, or a file's.",
            ),
            "failure": ({"type": "string"}, "How the client broke the contract; empty where it did not."),
            "calls": (forms.listed(call), "The calls that the driver made."),
        }
    )
    end = {"ended": ({"const": True}, "That the process has ended; its other fields are null.")}
    more: Fields = {"parent": (forms.or_null(TEXT), "The process that may start another one in its place.")}
    run: Fields = {
        "driven": (driven, "What `faultinject conformance` knows of the run that this journal is of.")
    }
    request = forms.record(
        _every(), optional={"final": (YES, "Whether this says the end of an earlier line of the same seq.")}
    )
    request["properties"]["ended"] = {"not": {}, "description": "Only in the last line of a process."}
    request["properties"]["driven"] = {
        "not": {},
        "description": "Only in a line of `faultinject conformance`.",
    }
    return forms.published(
        "journal",
        1,
        "faultinject journal line",
        "One line of a journal: a request and what was done to it, the end of a process, or what a driver knows of its run.",
        {
            "anyOf": [
                request,
                forms.record({**known, **kept, **end, **more}),
                forms.record({**known, **kept, **run}),
            ]
        },
    )
