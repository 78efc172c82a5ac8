"""The report for programs: one JSON object."""

from __future__ import annotations

from faultinject.audit.judging import Judgement
from faultinject.rules.printed_json import json_text


def json(judgement: Judgement) -> str:
    """The whole report; what no terminal should obey, and no file can hold, is escaped."""
    return json_text(judgement.to_dict(), 2, allow_nan=False) + "\n"
