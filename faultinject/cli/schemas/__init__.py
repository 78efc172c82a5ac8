"""The JSON Schemas of all that the commands print for programs, by name."""

from __future__ import annotations

from collections.abc import Callable

from faultinject.cli.schemas import catalogue, control, conversion, journal, league, report, rules, trial
from faultinject.cli.schemas.forms import Schema
from faultinject.rules.schema import rules_schema

SCHEMAS: dict[str, tuple[str, Callable[[], Schema]]] = {
    "rules": ("rule files in TOML and JSON, for editors", rules_schema),
    "journal": ("one line of a journal", journal.journal),
    "report": ("faultinject report --format json", report.report),
    "catalogue": ("faultinject vendors --json", catalogue.catalogue),
    "operations": ("faultinject vendors --operations --json", catalogue.operations),
    "check": ("faultinject check --json", rules.check),
    "explore": ("faultinject explore --json", rules.explore),
    "trial": ("faultinject trial --json", trial.trial),
    "learn": ("faultinject learn --json", rules.learn),
    "convert": ("faultinject convert --json", conversion.convert),
    "control": ("faultinject control status --json, and what its other commands print", control.state),
    "control-journal": ("faultinject control journal --json", control.journal),
    "conformance": ("faultinject conformance --json", league.league),
}
"""By name: what it is of, and what makes it."""
