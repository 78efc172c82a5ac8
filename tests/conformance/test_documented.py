"""The page that compares what clients document with what they were measured to do."""

from __future__ import annotations

import re

from faultinject.conformance.sdks import SDKS
from tests.documents import ROOT
from tests.rows import each_row

PAGE = (ROOT / "examples" / "conformance" / "documented.md").read_text(encoding="utf-8")
SECTIONS = {
    found[1]: found[2]
    for found in re.finditer(r"^### `([\w-]+)`(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
OTHERS = sorted(name for name, each in SDKS.items() if each.language != "Python" or each.home == "program")
"""Clients of other languages, and programs."""
HEADS = ["number", "documented", "measured", "difference"]


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, without its heads."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[each.strip() for each in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert cells[0] == HEADS
    return cells[2:]


def test_sections_are_of_clients_that_have_a_driver() -> None:
    """A client that was renamed or removed has none, and each has one."""
    assert sorted(SECTIONS) == OTHERS


@each_row("name", OTHERS)
def test_a_client_has_three_numbers_with_their_source(name: str) -> None:
    """At least three numbers of a named version are compared, with their source."""
    section = SECTIONS[name]
    assert re.search(r"\d+\.\d+", section.splitlines()[0])
    assert "\nSource: " in section
    assert len(rows(section)) >= 3
    assert [each for each in rows(section) if len(each) != len(HEADS) or not all(each)] == []
