"""A test that hangs ends by its name, and the run goes on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_hangs_end_by_their_names():
    """A limit fails a test; if that does not end it, its process ends, and another goes on."""
    command = (sys.executable, "-m", "pytest", "tests/hangs.py", "-n", "1", "--timeout", "2")
    run = subprocess.run(
        [*command, "-p", "no:randomly"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert re.findall(
        r"^FAILED tests/hangs.py::(\w+) - (Failed: Timeout|worker)", run.stdout, re.MULTILINE
    ) == [
        ("test_a_loop", "Failed: Timeout"),
        ("test_a_lock", "Failed: Timeout"),
        ("test_a_lock_that_clearing_up_takes_too", "Failed: Timeout"),
        ("test_a_lock_that_clearing_up_takes_too", "worker"),
        ("test_a_pattern_that_lets_no_other_thread_go_on", "worker"),
    ]
    assert "5 failed, 1 passed" in run.stdout


@pytest.mark.slow
def test_a_module_that_hangs_is_named():
    """It ends the process that collects it."""
    command = (sys.executable, "-m", "pytest", "tests/hangs_on_import.py", "-n", "0", "--timeout", "2")
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr[:8], "hangs_on_import.py" in run.stderr) == (1, "Timeout ", True)
