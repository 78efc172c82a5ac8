"""Output fits a terminal's characters, width and colours."""

import os
import subprocess
import sys

import pytest

from tests.slowly import others_slowly

from .journals import forbidden, text

pytestmark = pytest.mark.live


@pytest.fixture
def printed(tmp_path):
    """Print a report on requests with this User-Agent, with more variables: the bytes."""

    def run(agent, **more):
        path = tmp_path / "journal.jsonl"
        path.write_text(text([{**each, "user_agent": agent} for each in forbidden()]), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [sys.executable, "-m", "faultinject", "report", "--finished", "-v", str(path)]
        done = subprocess.run(command, env={**kept, **more}, capture_output=True, timeout=300)
        assert (done.returncode, done.stderr) == (1, b"")
        return done.stdout

    return run


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "✕"), ("latin-1", "\\u2715")])
def test_what_a_terminal_lacks_is_an_escape(printed, encoding, sign):
    """Of signs too; what the terminal has stays."""
    said = printed("☃é", PYTHONIOENCODING=encoding).decode(encoding)
    assert f"\n{sign} FAIL  permanent: " in said
    assert "☃é".encode(encoding, "backslashreplace").decode(encoding) in said


@pytest.mark.parametrize("columns", others_slowly([40, 72, 120], (40).__eq__))
def test_a_report_at_any_width(printed, columns):
    """No line is wider than the terminal, and the result comes first, also in the locale C.

    A single word may be wider.
    """
    lines = printed("uploader/1.0", LC_ALL="C", COLUMNS=str(columns)).decode("utf-8").splitlines()
    assert lines[0].startswith("FAIL: permanent: 4 of 4")
    assert any(each.startswith("✕ FAIL  permanent: ") for each in lines)
    assert [each for each in lines if len(each) > columns and len(each.split()) > 1] == []
    assert max(map(len, lines)) > columns - 20
