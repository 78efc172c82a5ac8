"""The page is what the command writes, and a client in the shell keeps to the contract on it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faultinject.audit.checks import CHECKS
from faultinject.conformance.process import CONTRACT
from faultinject.conformance.sdks import SDKS

FOLDER = Path(__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_page_has_every_sdk_and_every_check() -> None:
    """A new check, a new word of the contract or another name of an SDK asks for a new page; SDKs are added when it is made."""
    [names] = re.findall(r"^\| check \| (.*) \|$", PAGE, re.MULTILINE)
    assert [each for each in names.split(" | ") if each not in SDKS] == []
    assert [each for each in CHECKS if f"\n| {each} |" not in PAGE] == []
    assert CONTRACT in PAGE


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is the client")
def test_a_client_in_the_shell() -> None:
    """curl tries again after a 503 and a 429, and not after a 403."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    words = "conformance --client ./curl.sh --vendor obs --phase den --phase t429 --phase vthr --json"
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", *words.split()],
        cwd=FOLDER, env=environ, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # its waits are never drawn, which eight of them may show
    [client] = json.loads(done.stdout)["clients"]
    assert client["version"].startswith("curl ")
    found = {(each["check"], each["subject"]): each["verdict"] for each in client["report"]["findings"]}
    assert found["permanent", None] == "PASS"
    assert found["retries", "503 SlowDown"] == "PASS"
    assert found["retries", "429 TooManyRequests"] == "PASS"
