"""A judgement as a text that people or programs read: one module a format, but for JSON, which is `Judgement.reported`."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.audit.judging import Judgement

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
        from faultinject.rules.printed_json import json_text

        # What no terminal should obey, and no file can hold, is escaped.
        return json_text(judgement.to_dict(), 2, allow_nan=False) + "\n"
    if format == "junit":
        from faultinject.audit.reports.junit import junit

        return junit(judgement)
    if format == "markdown":
        from faultinject.audit.reports.markdown import markdown

        return markdown(judgement)
    if format == "html":
        from faultinject.audit.reports.html import html

        return html(judgement)
    if format in ("github", "sarif"):
        from faultinject.audit.reports.annotations import github, sarif

        return github(judgement) if format == "github" else sarif(judgement)
    raise ConfigurationError(f"{format!r} is not a format of a report; there are {', '.join(FORMATS)}")


def format_of(path: str) -> str:
    """The format that a file's name asks for: `report.html` is html; `text` where it asks for none."""
    name = path.lower()
    return next((each for each, ending in FORMATS.items() if name.endswith(ending)), "text")
