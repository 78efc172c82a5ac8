"""The pages show the league as the command writes it, and the clients pass the checks."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    assert (markdown(league), html(league)) == (PAGE, (FOLDER / "league.html").read_text(encoding="utf-8"))


def test_the_league_has_every_sdk_and_every_check() -> None:
    """The league names also the SDKs that could not be measured, with the reason or the install."""
    missing = [each["client"] for each in LEAGUE["skipped"] + LEAGUE["failed"]]
    assert sorted([each["client"] for each in LEAGUE["clients"]] + missing) == sorted(SDKS)
    judged = {each["check"] for one in LEAGUE["clients"] for each in one["report"]["findings"]}
    # It is of calls alone whose caller heard something wrong.
    assert judged | {"answers"} == {*CHECKS}


DRIVERS = {
    "client.py": (sys.executable, "cos"),
    "client.js": ("node", "cos-js"),
    "client.go": ("go run", None),
    "Client.java": ("java", None),
}


@pytest.mark.parametrize(
    "file",
    [
        "client.py",
        "client.js",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("client.go", "Client.java")),
    ],
)
def test_a_client_to_start_from(file: str) -> None:
    """Each is a page, writes the bucket into the host, and tries again what may pass."""
    program, sdk = DRIVERS[file]
    if shutil.which(program.split()[0]) is None or (sdk is not None and SDKS[sdk].version is None):
        pytest.skip(f"{program} is not installed, or {sdk}")
    assert len((FOLDER / file).read_text(encoding="utf-8").splitlines()) <= 60
    client = judged(f"--client '{program} {file}' --phase denied --phase one --phase one-read --phase reset")
    found = {(each["check"], each["subject"]): each["verdict"] for each in client["report"]["findings"]}
    assert (found["permanent", None], found["retries", "503 SlowDown"]) == ("PASS", "PASS")
    assert (found["retries", "reset"], found["same bytes", None]) == ("PASS", "PASS")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is the client: apt-get install curl")
def test_a_client_in_the_shell() -> None:
    """curl tries again after a 503 and a 429, and not after a 403."""
    client = judged(
        "--client ./curl.sh --vendor obs --phase denied --phase too-many-requests --phase one-read"
    )
    assert client["version"].startswith("curl ")
    found = {(each["check"], each["subject"]): each["verdict"] for each in client["report"]["findings"]}
    assert (found["permanent", None], found["retries", "503 SlowDown"]) == ("PASS", "PASS")
    assert found["retries", "429 TooManyRequests"] == "PASS"


def judged(words: str) -> dict[str, Any]:
    """The result of the client that these words name."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    environ["NODE_PATH"] = str(Path(environ.get("JAVASCRIPT_SDKS", ""), "node_modules"))
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", "conformance", *shlex.split(words), "--json"],
        cwd=FOLDER, env=environ, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    # A client's waits may all be alike, which eight of them show.
    assert done.returncode in (0, 1), done.stderr
    clients: list[dict[str, Any]] = json.loads(done.stdout)["clients"]
    [client] = clients
    return client
