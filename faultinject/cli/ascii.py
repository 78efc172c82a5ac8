"""No failure where a stream lacks a character: the same is said in ASCII."""

from __future__ import annotations

import codecs
from typing import TextIO

SAME = {
    "✕": "x",
    "✓": "+",
    "×": "x",
    "→": "->",
    "…": "...",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "·": "-",
    "\N{NO-BREAK SPACE}": " ",
    "µ": "u",
}
"""What says the same in ASCII."""
PLAIN = "faultinject_plain"
"""The name of the error handler."""


def plain(error: UnicodeError) -> tuple[str, int]:
    r"""What stands for characters that a stream lacks: the same in ASCII, else an escape such as `\u2603`."""
    assert isinstance(error, UnicodeEncodeError), "only streams that are written to have this handler"
    lacking = error.object[error.start : error.end]
    said = (SAME.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking)
    return "".join(said), error.end


def fit(stream: TextIO | None) -> None:
    """Let a stream write what its reader can show; one that cannot be set stays as it is."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        codecs.register_error(PLAIN, plain)
        reconfigure(errors=PLAIN)
