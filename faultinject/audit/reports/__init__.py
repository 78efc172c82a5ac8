"""A judgement as a text that people or programs read: one function a format."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from faultinject.audit.judging import Judgement
from faultinject.exceptions import ConfigurationError
from faultinject.rules.files import known_ending
from faultinject.rules.printed_json import json_text

FORMATS = {
    "text": ".txt",
    "html": ".html",
    "json": ".json",
    "junit": ".xml",
    "markdown": ".md",
    "sarif": ".sarif",
    "github": ".github",
}
"""The formats, and how files of each are called."""
MODULES = {
    "html": "html",
    "junit": "junit",
    "markdown": "markdown",
    "sarif": "annotations",
    "github": "annotations",
}
"""Where the function of a format stands, which is called as the format is."""


def render(
    judgement: Judgement,
    format: str = "text",  # noqa: A002 - the option's name
    *,
    strict: bool = False,
    verbose: bool = True,
) -> str:
    """The judgement in one of the `FORMATS`, with a line end at its end.

    Args:
        judgement: what was found.
        format: its name.
        strict: whether a warning is a failure, also where the judgement was not asked for as such.
        verbose: whether the text says all that it can, as the other formats always do.

    Raises:
        ConfigurationError: there is no such format.
        MissingExtra: `html` without jinja2.
    """
    if strict:
        from dataclasses import replace

        judgement = replace(judgement, strict=True)
    if format == "text":
        from faultinject.audit.reports.text import text

        return text(judgement, verbose=verbose)
    if format == "json":
        # What no terminal should obey, and no file can hold, is escaped.
        return json_text(judgement.to_dict(), 2, allow_nan=False) + "\n"
    if format not in MODULES:
        raise ConfigurationError(f"{format!r} is not a format of a report; there are {', '.join(FORMATS)}")
    module = import_module(f"faultinject.audit.reports.{MODULES[format]}")
    written: str = getattr(module, format)(judgement)
    return written


def format_of(path: str, otherwise: str = "text", *, option: str = "--output") -> str:
    """The format that a file's name asks for: `report.html` is html.

    Args:
        path: the file; empty: there is none.
        otherwise: the format of a name without an ending.
        option: what named the file, for the message.

    Raises:
        ConfigurationError: its ending is that of no format.
    """
    if "." not in Path(path).name:
        return otherwise
    formats = {ending: each for each, ending in FORMATS.items()}
    return formats[known_ending(option, path, formats)]
