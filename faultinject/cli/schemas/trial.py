"""The result of a trial: its form is that of the struct that the command prints."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import Schema


def trial() -> Schema:
    """Of `trial --json`."""
    from msgspec.json import schema_components

    from faultinject.testing.trial import TrialReport

    [form], parts = schema_components([TrialReport], ref_template="#/$defs/{name}")
    return forms.published(
        "trial",
        1,
        "faultinject trial",
        "What faults did to the tests of a suite, as `faultinject trial --json` prints it. Times are seconds.",
        {**form, "$defs": parts},
    )
