"""`faultinject report --follow`: what a growing journal shows, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest

from faultinject.cli import live
from faultinject.cli.waiting import Journals

from .journals import forbidden, text, throttled

pytestmark = pytest.mark.live


@pytest.fixture
def follow(tmp_path):
    """Follow a journal that grows by a piece at each rest, until the pieces are used up."""

    def call(*pieces):
        journal = tmp_path / "journal.jsonl"
        left = [*pieces]
        looks = []

        def rest(seconds):
            assert seconds >= live.EVERY
            if not left:
                raise KeyboardInterrupt
            with journal.open("a") as file:
                file.write(left.pop(0))

        def look():
            looks.append(1)
            return Journals([str(journal)], None, ()).judge()

        with pytest.raises(KeyboardInterrupt):
            live.follow([str(journal)], look, rest=rest)
        return len(looks)

    return call


LINES = text(forbidden())


def test_a_line_for_each_change(follow, capsys):
    """Without a terminal every new verdict is a line, once; at Ctrl-C the whole report follows."""
    middle = len(text(forbidden()[:6]))
    follow(LINES[:100], LINES[100:middle], LINES[middle:])
    out = capsys.readouterr().out
    assert re.match(r"waiting: .*journal\.jsonl", out)
    changes, _, whole = out.partition("FAIL: 1 check failed: permanent\n")
    assert changes.count("✕ FAIL  permanent: ") == 1
    assert whole.startswith("uploader/1.0\n")
    assert "✕ FAIL  permanent: " in whole


def test_a_line_names_its_subject_once(follow, capsys):
    """`retries: 503 SlowDown` is judged, and the message does not begin with that again."""
    follow(text(throttled()))
    out = capsys.readouterr().out
    assert re.findall(r"^✓ PASS  retries: .*", out, re.MULTILINE) == [
        "✓ PASS  retries: 503 SlowDown: 20 of 20 calls retried"
    ]


def test_nothing_ever_came(follow, capsys):
    """No journal: it waits, says each reason once, and ends without a report."""
    follow("", "x", "y", "z")
    out = capsys.readouterr().out
    assert (out.count("waiting: "), out.count("\n")) == (3, 3)


def test_a_journal_that_does_not_grow_is_not_read_again(follow):
    """As long as no call can end either."""
    assert follow(LINES, "", "", "") == 2


def test_on_a_terminal_the_table_stays_in_its_place(follow, monkeypatch, capsys):
    """With rich and a terminal the table is drawn anew, and the whole report follows."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    follow(LINES)
    out = capsys.readouterr().out
    assert "waiting: " in out
    assert "─" in out
    assert out.count("[seq 0 1]") == 1


@pytest.mark.parametrize("options", [["--format", "json"], ["-o", "report.html"]])
def test_a_live_table_is_no_file(run, options):
    """`--follow` goes with no format and no file."""
    code, out, err = run("report", "journal.jsonl", "--follow", *options)
    assert (code, out) == (2, "")
    assert "--follow cannot be combined" in err


def test_standard_input_cannot_be_followed(run):
    """It cannot be read again."""
    code, out, err = run("report", "-", "--follow")
    assert (code, out) == (2, "")
    assert "--follow reads its journals repeatedly" in err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for others")
def test_ctrl_c(start, tmp_path):
    """The whole report, and exit code 130."""
    journal = tmp_path / "journal.jsonl"
    running = start("report", str(journal), "--follow")
    assert running.line().startswith("waiting: ")
    journal.write_text(LINES)
    assert running.until("✕ FAIL  permanent: ")
    code, rest = running.interrupt()
    assert code == 130
    assert "uploader/1.0" in rest
    assert rest[-1] == "faultinject: interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_a_real_terminal(tmp_path):
    """The live table on a pseudo-terminal, and Ctrl-C typed there."""
    import pty

    journal = tmp_path / "journal.jsonl"
    journal.write_text(LINES)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "faultinject", "report", str(journal), "--follow"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "150", "LINES": "30"},
        start_new_session=True,
    )
    os.close(slave)
    data, interrupted = b"", False
    try:
        with os.fdopen(master, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
            while piece := terminal.read(65536):
                data += piece
                if b"permanent" in data and not interrupted:
                    interrupted = True
                    process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    finally:
        process.kill()
        process.wait()
    assert "PUT /photos/0.jpg: 403 AccessDenied" in data.decode()
