"""Checks docstrings, comments and the length of lines: `python .ci/language.py`.

Ruff does what it can: D205 and D400 ask for a summary of one line with a full stop. Its D401 refuses nouns, its E501
tables.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RETIRED: dict[str, str] = tomllib.loads((ROOT / ".ci" / "retired.toml").read_text(encoding="utf-8"))["say"]
"""The phrases to write instead, by retired phrase."""
IN_PROSE = RETIRED.keys() - {"seen, ", "sent again", "made anew", "is read as"}
"""The retired phrases that prose does not need either; messages have none at all."""
FIRST_WORDS = re.compile(r"(What|Who|Whose|Where|When|Which|How|That|Why)\b")


def retired_in(text: str) -> list[str]:
    """Find the retired phrases in a text, as whole words only."""
    return [
        phrase
        for phrase in RETIRED
        if phrase in text and re.search(re.escape(phrase) + (r"(?!\w)" if phrase[-1].isalnum() else ""), text)
    ]


def problems(source: str) -> Iterator[tuple[int, str]]:
    """Find the lines of a file that break a rule, and say which."""
    lines = source.splitlines()
    nodes = [node for node in ast.walk(ast.parse(source)) if hasattr(node, "end_lineno")]
    # Docstrings of modules, classes and functions, and the texts below constants.
    texts = [
        node.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    prose = [(text.lineno, text.value) for text in texts if isinstance(text.value, str)]
    for number, text in prose:
        summary = " ".join(text.strip().partition("\n\n")[0].split())
        if FIRST_WORDS.match(summary):
            yield number, f"the summary begins with a relative word: {summary}"
        if len(summary) > 90 or re.search(r"[.!?] [A-Z]", summary):
            yield number, f"the summary is not one sentence of at most 90 characters: {summary}"
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    prose += [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    for number, text in prose:
        for phrase in retired_in(" ".join(text.split())):
            if phrase in IN_PROSE:
                yield number, f"{phrase!r} is retired, say: {RETIRED[phrase]}"
    tables = [
        range(node.lineno, node.end_lineno + 1)
        for node in nodes
        if not hasattr(node, "body") and lines[node.end_lineno - 1].endswith("# fmt: skip")
    ]
    for number, line in enumerate(lines, 1):
        # A URL, or one long word, cannot be wrapped.
        can_be_wrapped = len(line.split()) > 1 and "://" not in line.split()[-1]
        if len(line) > 120 and can_be_wrapped and not any(number in table for table in tables):
            yield number, f"the line has {len(line)} characters, more than 120"


def main() -> int:
    """Print the problems of all files."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [
        f"{path}:{number}: {problem}"
        for path in listed.stdout.split()
        for number, problem in sorted(problems((ROOT / path).read_text(encoding="utf-8")))
    ]
    for line in lines:
        print(line)
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
