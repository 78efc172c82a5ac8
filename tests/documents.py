"""The pages that people read, README and documentation, with blocks and generated tables."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PATHS = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        page: the page's path from the root.
        place: the page and the line of the block.
        language: the first word behind the fence.
        info: what else stands there, such as `file=app.py`.
        body: its lines.
    """

    page: str
    place: str
    language: str
    info: str
    body: str


BLOCKS = [
    Block(page, f"{page}:{text[: found.start()].count(chr(10)) + 1}", *found.groups())
    for page, text in PAGES.items()
    for found in re.finditer(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown."""
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def escaped(text: str) -> str:
    """A text as Markdown shows it unchanged, but for what stands between backticks."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(
        each if number % 2 else re.sub(r"([\\`*<>\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", each)
        for number, each in enumerate(parts)
    )


def table_of(name: str) -> tuple[str, str]:
    """The page with the generated table of that name, and what stands between its markers."""
    [(page, found)] = [
        (page, each)
        for page, text in PAGES.items()
        for each in re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    ]
    return page, found


def write_table(name: str, text: str) -> None:
    """Put a table between the markers of that name."""
    page, old = table_of(name)
    path = ROOT / page
    whole = path.read_text(encoding="utf-8")
    path.write_text(
        whole.replace(f"<!-- {name} -->\n{old}<!--", f"<!-- {name} -->\n{text}\n<!--"), encoding="utf-8"
    )
