"""Verdicts: the report on a journal."""

from __future__ import annotations

from faultinject.cli.schemas import forms
from faultinject.cli.schemas.forms import Schema


def report() -> Schema:
    """Of `report --format json`."""
    from faultinject.audit.report import Report

    return forms.generated(
        "report",
        1,
        "faultinject report",
        "What clients did about faults, as `faultinject report --format json` writes it. Times are seconds.",
        Report,
    )
