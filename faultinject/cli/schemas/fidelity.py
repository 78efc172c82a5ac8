"""How true an emulator is, as data."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import COUNT, DAY, STATUS, TEXT, WORDS, Schema
from faultinject.fidelity.comparison import ASPECTS
from faultinject.fidelity.results import VERDICTS


def fidelity() -> Schema:
    """Of `fidelity --json`."""
    null = forms.or_null
    difference = forms.record(
        {
            "aspect": (forms.one_of(*ASPECTS), "In what the answer differs."),
            "documented": (WORDS, "What the catalogue has."),
            "seen": (TEXT, "What the service sent."),
        }
    )
    finding = forms.record(
        {
            "probe": (WORDS, "The error, and how it is provoked."),
            "request": (WORDS, "The request in words."),
            "verdict": (forms.one_of(*VERDICTS), "Whether the answer is as documented."),
            "documented": (null(WORDS), "The row of the catalogue that the answer comes nearest to."),
            "status": (null(STATUS), "The status that came; null where no answer did."),
            "code": (null(TEXT), "The error's code that came."),
            "message": (null(TEXT), "The error's message that came; it is not compared."),
            "differences": (forms.listed(difference), "Where the answer is not as documented."),
            "reason": (null(TEXT), "Why nothing was judged."),
        }
    )
    aspect = forms.record(
        {
            "agree": (COUNT, "In how many answers it is as documented."),
            "of": (COUNT, "In how many answers it was compared."),
        }
    )
    aspects = forms.record({each: (aspect, f"The {each} of the answers.") for each in ASPECTS})
    return forms.published(
        "fidelity",
        1,
        "faultinject fidelity",
        "How an emulator's errors compare with the documented ones, as `faultinject fidelity --json` prints it.",
        forms.record(
            {
                "v": ({"const": 1}, "The version of the format."),
                "vendor": (WORDS, "Whose documents count."),
                "service": (WORDS, "What was asked: its URL, or its name and version."),
                "made": (DAY, "The day of the run, UTC."),
                "faultinject": (WORDS, "The version of faultinject."),
                "agree": (COUNT, "How many answers are as documented."),
                "differ": (COUNT, "How many are not."),
                "not_judged": (COUNT, "How many probes could not be judged."),
                "aspects": (aspects, "By aspect, how many answers are as documented."),
                "missing_everywhere": (forms.listed(WORDS), "Documented headers that every refusal lacks."),
                "stopped": (null(TEXT), "Why nothing could be asked; null where all was."),
                "left_behind": (forms.listed(TEXT), "What could not be removed again."),
                "findings": (forms.listed(finding), "What came of each probe, in order."),
            }
        ),
    )
