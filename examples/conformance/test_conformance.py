"""The pages show the league as the command writes it, and a shell client passes the checks."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faultinject.audit.checks import CHECKS
from faultinject.conformance.league import markdown
from faultinject.conformance.league import page as html
from faultinject.conformance.results import read
from faultinject.conformance.sdks import SDKS

FOLDER = Path(__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
LEAGUE = json.loads((FOLDER / "league.json").read_text(encoding="utf-8"))


def test_the_page_is_of_the_league() -> None:
    """A new check, a new word of the contract, or another name of an SDK asks for a new one."""
    league = read(str(FOLDER / "league.json"))
    assert markdown(league) == PAGE
    assert html(league) == (FOLDER / "league.html").read_text(encoding="utf-8")


def test_the_league_has_every_sdk_and_every_check() -> None:
    """The league names also the SDKs that could not be measured, with the reason or the install."""
    missing = [each["client"] for each in LEAGUE["skipped"] + LEAGUE["failed"]]
    assert sorted([each["client"] for each in LEAGUE["clients"]] + missing) == sorted(SDKS)
    judged = {each["check"] for one in LEAGUE["clients"] for each in one["report"]["findings"]}
    # It is of calls alone whose caller heard something wrong.
    assert judged | {"answers"} == {*CHECKS}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is the client: apt-get install curl")
def test_a_client_in_the_shell() -> None:
    """curl tries again after a 503 and a 429, and not after a 403."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    words = (
        "conformance --client ./curl.sh --vendor obs --phase denied --phase too-many-requests "
        "--phase one-read --json"
    )
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", *words.split()],
        cwd=FOLDER, env=environ, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # its waits are never drawn, which eight of them may show
    [client] = json.loads(done.stdout)["clients"]
    assert client["version"].startswith("curl ")
    found = {(each["check"], each["subject"]): each["verdict"] for each in client["report"]["findings"]}
    assert found["permanent", None] == "PASS"
    assert found["retries", "503 SlowDown"] == "PASS"
    assert found["retries", "429 TooManyRequests"] == "PASS"
