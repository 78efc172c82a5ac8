"""The judgement as one JSON object."""

from __future__ import annotations

import json as standard
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.audit.judge import Judgement


def json(judgement: Judgement) -> str:
    """One object; it may gain fields. What no terminal should obey, and no file can hold, is escaped."""
    text = standard.dumps(judgement.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
    return re.sub(r"[^\n -~]", lambda found: _escaped(found[0]), text) + "\n"


def _escaped(character: str) -> str:
    return character if character.isprintable() else standard.dumps(character)[1:-1]
