"""`faultinject conformance --all`: installed and missing clients, interruption, TLS."""

import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from threading import Thread
from xml.etree import ElementTree

import pytest

from tests.measured import without_busy

pytestmark = pytest.mark.live

CLIENT = """
import urllib.request

class Client:
    title = "own 2.0"

    def __init__(self, endpoint, bucket):
        self.place = f"{endpoint}/{bucket}"

    def get(self, key):
        urllib.request.urlopen(f"{self.place}/{key}").close()
"""
# Says who it is, and is never ready.
STUCK = (
    sys.executable,
    "-c",
    "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)",
)
SHORT = ("--phase", "denied")
KEPT = (*SHORT, "-o", "league.json", "-o", "league.md")


OWN = (sys.executable, "-P", "-m", "faultinject.conformance", "own_client:Client")


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch, sdks):
    """A function that says which SDKs there are: a client that works, and others."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_client.py").write_text(CLIENT)

    def install(*, one=True, **commands):
        found = {"one": {"words": OWN, "language": "Python"}} if one else {}
        found |= {name: {"words": words} for name, words in commands.items()}
        sdks(**found, none={"title": "None's SDK", "package": "there-is-no-such-package"})

    return install


def test_the_league_is_written(run, installed, tmp_path):
    """The league is written in every form, with missing clients; progress is on standard error.

    It says how to install them.
    """
    pytest.importorskip("jinja2")
    installed()
    names = ("-o", "league.json", "-o", "league.html", "-o", "league.md")
    code, out, err = run("conformance", "--all", *SHORT, *names)
    assert code == 0, (out, err)
    assert "none: skipped, None's SDK is not installed: pip install there-is-no-such-package\n" in err
    assert f"1 of 1: one {pytest.__version__}\n" in err
    found = json.loads((tmp_path / "league.json").read_bytes())
    [client] = found["clients"]
    assert {name: found[name] for name in ("all", "complete", "seed", "skipped")} == {
        "all": True,
        "complete": True,
        "seed": "conformance",
        "skipped": [
            {"client": "none", "title": "None's SDK", "install": "pip install there-is-no-such-package"}
        ],
    }
    retried = {"answer": "403 AccessDenied", "documented": "not stated", "calls": 3, "retried": 0}
    known = (client["client"], client["language"], client["service"], client["numbers"]["retried"])
    assert known == ("one", "Python", "cos", [retried])
    html, markdown = ((tmp_path / f"league.{each}").read_text("utf-8") for each in ("html", "md"))
    assert "What storage clients do about errors" in html
    assert ("None&#39;s SDK is not installed" in html, "None's SDK is not installed" in markdown) == (
        True,
        True,
    )


def test_a_client_that_cannot_be_started_costs_nobody_else(run, installed, tmp_path):
    """A client that cannot start costs exit code 1 and nobody else; alone it is an error.

    Also behind others that are named.
    """
    installed(broken=(sys.executable, "-c", "raise SystemExit(5)"))
    code, _, err = run("conformance", "--all", *SHORT, "-o", "league.json", "-o", "league.xml")
    assert (code, f"broken: {sys.executable} ended with exit code 5" in err) == (1, True)
    found = json.loads((tmp_path / "league.json").read_bytes())
    assert [[each["client"] for each in found[name]] for name in ("clients", "failed")] == [
        ["one"],
        ["broken"],
    ]
    # An error in a suite of its own, so that no CI is green.
    suite = ElementTree.parse(tmp_path / "league.xml").getroot()[1]
    [error] = suite.iter("error")
    assert (suite.get("name"), suite.get("errors"), error.get("message")) == (
        *("broken", "1"),
        found["failed"][0]["reason"],
    )
    assert run("conformance", "--client", "broken", *SHORT)[0] == 2
    code, out, err = run("conformance", "--client", "one", "--client", "broken", *SHORT)
    assert (code, bool(out), f"broken: {sys.executable} ended with exit code 5" in err) == (2, True, True)


def test_no_client_can_be_started(run, installed):
    """There is nothing to write, and the last line says why."""
    installed(one=False, broken=(sys.executable, "-c", "raise SystemExit(5)"))
    code, _, err = run("conformance", "--all", *SHORT, "-o", "league.json")
    assert (code, "faultinject: no client could be started: " in err) == (2, True)
    assert not Path("league.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("words", "said", "kept"),
    [
        (("--all", *KEPT), "interrupted; 1 of 2 clients were measured", (["one"], False)),
        (("--client", "stuck", *KEPT), "interrupted before anything was measured", None),
        (("--client", shlex.join(STUCK), "--cases", "aws-standard-2.1"), "interrupted; 0 of 1 clients were measured", None),
    ],
    ids=["what was measured is kept", "nothing is written over results of before", "cases"],
)  # fmt: skip
def test_ctrl_c(run, installed, words, said, kept):
    """Ctrl-C exits with 130, and kills the client that was not ready."""
    installed(stuck=STUCK)
    pid, league = Path("pid"), Path("league.json")
    league.write_text("before")

    def interrupt_when_stuck():
        while not pid.exists() or not pid.read_text():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = Thread(target=interrupt_when_stuck, daemon=True)
    thread.start()
    code, out, err = run("conformance", *words)
    thread.join()
    assert (code, err.endswith(f"faultinject: {said}\n"), Path("league.md").exists()) == (
        130,
        True,
        kept is not None,
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    if kept is None:
        assert (league.read_text(), out) == ("before", "")
    else:
        found = json.loads(league.read_bytes())
        assert ([each["client"] for each in found["clients"]], found["complete"]) == kept


def test_with_tls(run, installed, monkeypatch):
    """The store speaks TLS, and the client's process is told whom to trust."""
    pytest.importorskip("trustme")
    installed()
    code, out, err = run("conformance", "--client", "one", *SHORT, "--tls", "--json")
    assert (code, err.startswith("certificate to trust: ")) == (0, True)
    assert not Path(err.splitlines()[0].removeprefix("certificate to trust: ")).exists()
    [client] = json.loads(out)["clients"]
    assert client["numbers"]["retried"][0]["calls"] == 3


DEAF = """
import ssl

class Client:
    def __init__(self, endpoint, bucket):
        pass

    def get(self, key):
        raise ssl.SSLError("certificate verify failed")
"""


@pytest.mark.parametrize("options", [(), ("--tls",)])
def test_a_client_whose_requests_do_not_arrive(run, tmp_path, options):
    """If no request arrives, the calls' errors are shown, and with TLS the likely reason."""
    pytest.importorskip("trustme")
    (tmp_path / "deaf_client.py").write_text(DEAF)
    code, _, err = run("conformance", "--client", "deaf_client:Client", *SHORT, *options)
    trust = "; with --tls a client has to trust the certificate" if options else ""
    told = f"deaf_client:Client: no request arrived: SSLError: ('certificate verify failed',){trust}"
    assert (code, without_busy(err).splitlines()[-1]) == (3, told)
