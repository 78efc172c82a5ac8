"""What `convert --json` prints."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import TEXT, WORDS, YES, Schema
from faultinject.conversion.formats import SOURCES, TARGETS
from faultinject.conversion.remarks import KINDS


def convert() -> Schema:
    """Of `convert --json`."""
    remark = forms.record(
        {
            "kind": (
                forms.one_of(*KINDS),
                "It could not be said and is left out, it means something else, or it has nothing to do with faults.",
            ),
            "where": (WORDS, "The file and the place in it, or a rule and its key."),
            "why": (WORDS, "Why, in words."),
        }
    )
    return forms.published(
        "convert",
        1,
        "faultinject conversion",
        "What came of other tools' faults or of rules, as `faultinject convert --json` prints it.",
        forms.record(
            {
                "from": (forms.listed(forms.one_of("rules", *SOURCES)), "The formats that were read."),
                "to": (forms.one_of("rules", *TARGETS), "The format of the text."),
                "complete": (YES, "Whether nothing is left out."),
                "rules": (forms.listed({"type": "object"}), "The rules, as in a rule file in JSON."),
                "text": (TEXT, "What is printed without --json."),
                "remarks": (forms.listed(remark), "What is not there word for word."),
            }
        ),
    )
