"""Type checkers see the public names and nothing else.

mypy and pyright accept `api.py`, and have no error in `users` and `packages`: typical files of users, and of
packages that add vendors, faults and stores.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import faultinject

pytest.importorskip("mypy")
pytest.importorskip("pyright")

ROOT = Path(__file__).parent.parent.parent
API = Path(__file__).parent / "api.py"
REFUSED = re.compile(r"  # type: ignore\[([\w-]+)\]")


def checked(checker: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a type checker on these arguments."""
    return subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def unmarked(tmp_path: Path) -> tuple[Path, list[tuple[int, str]]]:
    """The file without its ignores, and the lines that had one."""
    lines = API.read_text(encoding="utf-8").splitlines()
    wrong = [(number, found[1]) for number, line in enumerate(lines, 1) if (found := REFUSED.search(line))]
    bare = tmp_path / "api.py"
    bare.write_text("\n".join(REFUSED.sub("", line) for line in lines), encoding="utf-8")
    return bare, wrong


@pytest.mark.slow
def test_what_is_right_passes_and_each_mark_is_needed() -> None:
    """A line without a mark has no error; a mark without an error is one itself."""
    done = checked("pyright", "--pythonpath", sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_refuses_each_mistake(unmarked: tuple[Path, list[tuple[int, str]]], tmp_path: Path) -> None:
    """Exactly the marked lines are wrong, each for its reason, and each public name has a type.

    What is offered at run time is offered to type checkers: a name that is in one list only is found. All are asked at
    once, as one look at the package takes seconds; with its marks the file is right, and each mark is needed. The
    packages of the contributor's page are right as well.
    """
    bare, wrong = unmarked
    cache = ("--cache-dir", str(tmp_path / "cache"))
    done = checked("mypy", *cache, str(API.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    program = tmp_path / "names.py"
    names = "\n".join(f"from faultinject import {each} as {each}" for each in faultinject.__all__)
    program.write_text(names, encoding="utf-8")
    said = checked(
        "mypy", *cache, str(bare), str(program), *pages_examples(tmp_path, "|file=vendors/acme/vendor")
    ).stdout
    found = re.findall(r"(\w+)\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    assert sorted((name, int(line), code) for name, line, code in found) == [("api", *each) for each in wrong]


def pages_examples(folder: Path, more: str = "") -> Iterator[str]:
    """The Python of the contributor's page that is a package's own, each block in a file."""
    page = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(
        rf"^```python (?:plugin|store|counts{more}).*\n((?:.*\n)*?)```$", page, re.MULTILINE
    )
    assert blocks
    for number, block in enumerate(blocks):
        path = folder / f"example_{number}.py"
        path.write_text(block, encoding="utf-8")
        yield str(path)


@pytest.mark.slow
def test_pyright_refuses_each_mistake(unmarked: tuple[Path, list[tuple[int, str]]], tmp_path: Path) -> None:
    """Exactly the marked lines are wrong; pyright has other names for why."""
    bare, wrong = unmarked
    (tmp_path / "faultinject").symlink_to(ROOT / "faultinject")
    said = checked("pyright", "--pythonpath", sys.executable, str(bare), *pages_examples(tmp_path)).stdout
    found = Counter((name, int(line)) for name, line in re.findall(r"(\w+)\.py:(\d+):\d+ - error:", said))
    assert sorted(found) == [("api", line) for line, _ in wrong]
