"""A badge: the conclusion as a small picture, for a README."""

from __future__ import annotations

from faultinject.audit.conclusion import Conclusion
from faultinject.vendors.envelopes import escape_xml

LABEL = "storage faults"
COLOURS = {"pass": "#1a7f37", "warn": "#9a6700", "fail": "#cf222e", "undecided": "#57606a"}
CHARACTER, MARGIN = 7, 8
"""The width of a character, and of the space on both sides of a text, in pixels."""


def badge(conclusion: Conclusion) -> str:
    """Draw label and result side by side; the whole sentence is the picture's title."""
    result = conclusion.result
    left, right = (len(text) * CHARACTER + 2 * MARGIN for text in (LABEL, result))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" font-family="monospace" \
font-size="11" fill="#fff">
  <title>{escape_xml(f"{LABEL}: {conclusion.sentence}")}</title>
  <rect width="{left}" height="20" fill="#444"/>
  <rect x="{left}" width="{right}" height="20" fill="{COLOURS[result]}"/>
  <text x="{MARGIN}" y="14" textLength="{left - 2 * MARGIN}">{LABEL}</text>
  <text x="{left + MARGIN}" y="14" textLength="{right - 2 * MARGIN}">{result}</text>
</svg>
"""
