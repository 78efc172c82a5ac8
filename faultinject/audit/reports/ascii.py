"""Plain ASCII where the locale has nothing else (`LC_ALL=C`), and no failure where a stream lacks a character."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
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
"""The name of the error handler, and of the encoding: ASCII under another name, because click makes UTF-8 of ASCII."""


def plain(error: UnicodeError) -> tuple[str, int]:
    r"""What stands for characters that a stream lacks: the same in ASCII, else an escape such as `\u2603`.

    Raises:
        UnicodeError: the error is none of encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _in_ascii(error.object[error.start : error.end]), error.end


def _in_ascii(text: str) -> str:
    return "".join(SAME.get(each) or each.encode("ascii", "backslashreplace").decode() for each in text)


def has_ascii_alone(environ: Mapping[str, str]) -> bool:
    """Whether the locale that the environment names is C or POSIX; PYTHONIOENCODING and PYTHONUTF8 overrule it."""
    if environ.get("PYTHONIOENCODING") or environ.get("PYTHONUTF8") == "1":
        return False
    named = (environ.get(each) for each in ("LC_ALL", "LC_CTYPE", "LANG"))
    return next(filter(None, named), "") in ("C", "POSIX")


def readable(text: str, environ: Mapping[str, str]) -> str:
    """The text for a stream of somebody else, which stays as it is: in ASCII where the locale has nothing else."""
    return _in_ascii(text) if has_ascii_alone(environ) else text


def fit(stream: TextIO | None, environ: Mapping[str, str]) -> None:
    """Let a stream write what its reader can show; one that cannot be set stays as it is."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is None:
        return
    codecs.register_error(PLAIN, plain)
    if has_ascii_alone(environ):
        codecs.register(_codec)
        reconfigure(encoding=PLAIN, errors=PLAIN)
    else:
        reconfigure(errors=PLAIN)


def _codec(name: str) -> codecs.CodecInfo | None:
    if name != PLAIN:
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        known.encode,
        known.decode,
        known.streamreader,
        known.streamwriter,
        known.incrementalencoder,
        known.incrementaldecoder,
        name=PLAIN,
    )
