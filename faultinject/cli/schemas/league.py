"""Results of a conformance run."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import Schema


def league() -> Schema:
    """Of `conformance --json` and `conformance -o FILE.json`."""
    from faultinject.conformance.results import Results

    return forms.generated(
        "conformance",
        1,
        "faultinject conformance results",
        "What storage clients did in a fixed plan of faults, as `faultinject conformance --json` prints it and"
        " `-o FILE.json` writes it. Times are seconds.",
        Results,
    )
