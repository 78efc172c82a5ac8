"""What a reader's terminal can show: characters, width and colours."""

from __future__ import annotations

import codecs
import io
import os
import subprocess
import sys

import pytest

from faultinject.audit.reports.ascii import fit, has_ascii_alone

from .journals import forbidden, text

REPORT = ("report", "--finished", "-v")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LC_ALL": "", "LC_CTYPE": "POSIX", "LANG": "de_DE.UTF-8"}, True),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, False),
        ({"LC_ALL": "C", "PYTHONUTF8": "1"}, False),
        ({"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}, False),
    ],
)
def test_which_locales_have_nothing_but_ascii(environ, expected):
    """C and POSIX, by the first variable that says something, unless Python was told otherwise."""
    assert has_ascii_alone(environ) is expected


@pytest.mark.parametrize(
    ("encoding", "environ", "expected"),
    [
        ("utf-8", {}, "✕ 1 → 2… ☃ é"),
        ("latin-1", {}, "x 1 -> 2... \\u2603 é"),
        ("utf-8", {"LC_ALL": "C"}, "x 1 -> 2... \\u2603 \\xe9"),
    ],
)
def test_what_a_stream_lacks_is_said_in_ascii(encoding, environ, expected):
    """Signs have a plain form, everything else an escape; what the stream has stays."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    fit(stream, environ)
    print("✕ 1 → 2… ☃ é", file=stream, end="", flush=True)
    assert raw.getvalue().decode(encoding) == expected


def test_a_stream_that_cannot_be_set():
    """None, or an object that only writes, stays as it is; bytes that cannot be read are still an error."""
    fit(None, {})
    fit(object(), {})
    raw = io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8")
    fit(raw, {})
    with pytest.raises(UnicodeDecodeError):
        raw.read()
    fit(raw, {"LANG": "C"})
    with pytest.raises(LookupError):
        codecs.lookup("none of ours")


@pytest.mark.live
@pytest.mark.parametrize("columns", [40, 72, 120])
def test_a_report_under_the_c_locale_at_any_width(tmp_path, columns):
    """ASCII alone, no line wider than the terminal but for a single word, and the result first."""
    path = tmp_path / "journal.jsonl"
    path.write_text(text(forbidden()), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", *REPORT, str(path)],
        capture_output=True,
        timeout=60,
        env={**kept, "LC_ALL": "C", "COLUMNS": str(columns)},
    )
    assert (done.returncode, done.stderr) == (1, b"")
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[0].startswith("FAIL: 1 check failed:")
    assert any(each.startswith("x FAIL  permanent: ") for each in lines)
    assert [each for each in lines if len(each) > columns and len(each.split()) > 1] == []
    assert max(map(len, lines)) > columns - 20
