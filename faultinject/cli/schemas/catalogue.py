"""The catalogue as open data: documented errors and operations."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import STATUS, TEXT, WHOLE, WORDS, YES, Schema
from faultinject.vendors.documented import AGAIN, CATEGORIES


def _row() -> Schema:
    return forms.record(
        {
            "vendor": (WORDS, "The vendor's id, as `faultinject vendors` lists it."),
            "code": (WORDS, "The error code, byte for byte as documented."),
            "variant": (WHOLE, "1 for the first row of that code, 2 for the second, and so on."),
            "status": (
                forms.or_null(STATUS),
                "The documented HTTP status; null where the document gives none.",
            ),
            "message": (TEXT, "The message that goes over the wire."),
            "message_source": (
                forms.one_of("wire", "doc", "derived"),
                "`wire`: seen in a real answer; `doc`: documented; `derived`: a plain rendering of the document.",
            ),
            "description": (TEXT, "The document's own text."),
            "note": (TEXT, "What is peculiar about the row, or empty."),
            "retryable": (
                forms.one_of("yes", "no", "unstated"),
                "Whether the document says that a later try of the same request may succeed.",
            ),
            "retryable_words": (TEXT, "The words of the document that say so, or empty."),
            "category": (forms.one_of(*CATEGORIES), "What kind of error it is."),
            "source": (WORDS, "The document."),
            "row": (WHOLE, "The row's number in the document's table."),
            "reason": (TEXT, "The vendor's own reason phrase; empty where it is the standard one."),
            "form": (TEXT, "Which of the vendor's envelopes it comes in; empty for the usual one."),
            "unverified": (YES, "Whether nothing at hand confirms it; the note says why."),
            "again": (
                forms.one_of("", *AGAIN),
                "What the document demands before a client sends the request again; empty where nothing.",
            ),
            "where": (TEXT, "The requests that the error is for, as conditions of a rule; empty for all."),
            "where_words": (TEXT, "The document's words that say so."),
            "where_source": (TEXT, "The document that says so."),
            "usual": (
                YES,
                "Whether the bare code names this row: the one of its code that clients meet most.",
            ),
        }
    )


def catalogue() -> Schema:
    """Of `vendors --json`."""
    return forms.published(
        "catalogue",
        1,
        "faultinject catalogue",
        "Documented errors of object storage services, as `faultinject vendors --json` prints them.",
        forms.listed(_row()),
    )


def operations() -> Schema:
    """Of `vendors --operations --json`."""
    row = forms.record(
        {
            "vendor": (WORDS, "The vendor's id."),
            "operation": (WORDS, "Its name, as the vendor's own documentation has it."),
            "method": ({"type": "string", "pattern": "^[A-Z]+$"}, "The HTTP method."),
            "level": (WORDS, "service, bucket or object; or the path, of a vendor that has routes."),
            "query": (TEXT, "Parameters that must be there, separated by blanks; `-name`: must not."),
            "header": (TEXT, "Headers that must be there, separated by blanks."),
            "host": (TEXT, "A pattern of the host; empty for any."),
            "same_as": (
                forms.or_null(WORDS),
                "The operation of the same form that is meant instead; null for none.",
            ),
        }
    )
    return forms.published(
        "operations",
        1,
        "faultinject operations",
        "Operations of object storage services, as `faultinject vendors --operations --json` prints them.",
        forms.listed(row),
    )
