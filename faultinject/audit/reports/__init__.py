"""A judgement as a text that people or programs read: one function a format."""

from __future__ import annotations

from collections.abc import Callable
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
"""The formats, each with the ending of its files."""
MODULES = {
    "text": "text",
    "html": "html",
    "junit": "junit",
    "markdown": "markdown",
    "sarif": "annotations",
    "github": "annotations",
}
"""The module of each format; its function has the name of the format."""


def render(judgement: Judgement, format: str = "text", **more: bool) -> str:  # noqa: A002 - the option's name
    """The judgement in one of the `FORMATS`; the text ends with a line end.

    Args:
        judgement: the judgement.
        format: its name.
        more: for text: `verbose=False` leaves out the measurements.

    Raises:
        ConfigurationError: there is no such format.
        MissingExtraError: `html` without jinja2.
    """
    if format == "json":
        # Control characters, and characters that no file can hold, are escaped.
        return json_text(judgement.to_dict(), 2, allow_nan=False) + "\n"
    if format not in MODULES:
        raise ConfigurationError(f"{format!r} is not a format of a report; there are {', '.join(FORMATS)}")
    write: Callable[..., str] = getattr(import_module(f"{__name__}.{MODULES[format]}"), format)
    return write(judgement, **more)


def format_of(path: str, otherwise: str = "text", *, option: str = "--output") -> str:
    """The format that a file's name asks for: `report.html` is html.

    Args:
        path: the file; empty: there is none.
        otherwise: the format of a name without an ending.
        option: the option that named the file, for the message.

    Raises:
        ConfigurationError: no format has the ending of the file.
    """
    if "." not in Path(path).name:
        return otherwise
    formats = {ending: name for name, ending in FORMATS.items()}
    return formats[known_ending(option, path, formats)]
