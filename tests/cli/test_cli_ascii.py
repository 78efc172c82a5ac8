"""Output fits a terminal's characters, width and colours."""

import os
import subprocess
import sys

import pytest

from .journals import forbidden, text

REPORT = ("report", "--finished", "-v")


@pytest.mark.live
@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "✕"), ("latin-1", "\\u2715")])
def test_what_a_terminal_lacks_is_an_escape(tmp_path, encoding, sign):
    """Of signs too; what the terminal has stays."""
    path = tmp_path / "journal.jsonl"
    path.write_text(text([{**each, "user_agent": "☃é"} for each in forbidden()]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", *REPORT, str(path)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    said = done.stdout.decode(encoding)
    assert f"\n{sign} FAIL  permanent: " in said
    assert "☃é".encode(encoding, "backslashreplace").decode(encoding) in said


@pytest.mark.live
@pytest.mark.parametrize("columns", [40, *(pytest.param(each, marks=pytest.mark.slow) for each in (72, 120))])
def test_a_report_at_any_width(tmp_path, columns):
    """No line is wider than the terminal, and the result comes first, also in the locale C.

    A single word may be wider.
    """
    path = tmp_path / "journal.jsonl"
    path.write_text(text(forbidden()), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", *REPORT, str(path)],
        capture_output=True,
        timeout=300,
        env={**kept, "LC_ALL": "C", "COLUMNS": str(columns)},
    )
    assert (done.returncode, done.stderr) == (1, b"")
    lines = done.stdout.decode("utf-8").splitlines()
    assert lines[0].startswith("FAIL: permanent: 4 of 4")
    assert any(each.startswith("✕ FAIL  permanent: ") for each in lines)
    assert [each for each in lines if len(each) > columns and len(each.split()) > 1] == []
    assert max(map(len, lines)) > columns - 20
