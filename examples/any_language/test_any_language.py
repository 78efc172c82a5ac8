"""The commands of the README print what it shows; the client is a shell script with curl."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
WRONG, REPAIRED = [line for line in PAGE.splitlines() if line.startswith("faultinject ")]
[PRINTED] = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is the client: apt-get install curl"
)


def explored(command: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell would run it in `examples`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    arguments = [sys.executable, "-m", *shlex.split(command)]
    return subprocess.run(
        arguments, cwd=FOLDER.parent, env=environ, capture_output=True, text=True, timeout=300, check=False
    )


def without_times(text: str) -> str:
    """The text with `~` for how long it took, and without the hint that depends on it."""
    text = re.sub(r"in [\d.]+ s \(backoff \d+%\)", "~", text)
    return text.replace(
        "\nmore than half of the time was the client's own backoff: configure a shorter one in tests\n", ""
    )


def test_what_is_found_is_what_the_page_shows() -> None:
    """A reset ends the script, at either request; a status from 500 on does not."""
    done = explored(WRONG)
    assert (done.returncode, done.stderr) == (1, "")
    assert without_times(done.stdout) == without_times(PRINTED)


@pytest.mark.slow
def test_the_repaired_script_passes() -> None:
    """No fault at no request breaks it."""
    done = explored(REPAIRED)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 runs ~, 0 failed\n" in without_times(done.stdout)
