"""`faultinject conformance`: what it drives, shows, writes and compares."""

from __future__ import annotations

import json
import re
import sys

import pytest

from faultinject.conformance import homes, sdks, serving
from faultinject.installation import install_extra
from faultinject.journal.reading import read
from tests.measured import without_busy

pytestmark = pytest.mark.live

CLIENT = """
import random
import time
import urllib.request

class Client:
    title = "own 2.0"
    attempts = {attempts}

    def __init__(self, endpoint, bucket):
        self.endpoint = endpoint

    def get(self, key):
        for number in range(3):
            try:
                return urllib.request.urlopen(f"{{self.endpoint}}/conformance-1250000000/{{key}}").close()
            except OSError as error:
                last = error
                if hasattr(error, "code") and number + 1 == self.attempts:
                    break
                time.sleep(random.uniform(0, 0.1))
        raise last
"""
SHORT = ("--phase", "den", "--phase", "vthr", "--phase", "rst")


@pytest.fixture(autouse=True)
def clients(tmp_path, monkeypatch):
    """Two clients in the current directory: one tries again what got no answer, one whatever it was told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good_client.py").write_text(CLIENT.format(attempts=1))
    (tmp_path / "bad_client.py").write_text(CLIENT.format(attempts=3))


def verdicts(client):
    return {
        each["check"]: each["verdict"]
        for each in client["report"]["findings"]
        if each["verdict"] != "INCONCLUSIVE"
    }


def test_one_client(run):
    """The whole verdict is shown, and it is the exit code: a check that says FAIL is 1."""
    code, out, err = run("conformance", "--client", "bad_client:Client", *SHORT)
    assert (code, without_busy(err)) == (1, "")
    assert re.search(r"^✕ FAIL  permanent: ", out, re.MULTILINE)
    assert "den-001" in out


@pytest.mark.slow
def test_a_warning_fails_only_when_asked(run):
    """A client that does not try again after it was told to slow down gets a warning."""
    code, out, _ = run("conformance", "--client", "good_client:Client", *SHORT)
    assert (code, "! WARN" in out) == (0, True)
    assert run("conformance", "--client", "good_client:Client", *SHORT, "--strict")[0] == 1


@pytest.mark.slow
def test_several_clients(run):
    """A table has a row for each check and a column for each client; below stands what is wrong with each."""
    two = ("--client", "good_client:Client", "--client", "bad_client:Client")
    code, out, err = run("conformance", *two, *SHORT)
    assert (code, without_busy(err)) == (1, "")
    assert re.search(r"^check +good_client:Client +bad_client:Client$", out, re.MULTILINE)
    assert re.search(r"^permanent +✓ +✕$", out, re.MULTILINE)
    good, bad = out.split("\ngood_client:Client own 2.0\n")[1].split("\nbad_client:Client own 2.0\n")
    assert ("✕ permanent: " in good, "✕ permanent: " in bad) == (False, True)


@pytest.mark.slow
def test_more_clients_than_a_screen_has_room_for(run):
    """Each has a row, with the number of its verdicts."""
    crowd = ("--client", "bad_client:Client") * 7
    out = run("conformance", *crowd, "--phase", "den")[1].splitlines()
    assert out[2].split() == ["client", "version", "verdicts"]
    assert [
        each for each in out if each.split()[:2] == ["bad_client:Client", "own"] and "✕ 1" in each
    ] == out[3:10]


@pytest.mark.slow
def test_results_for_programs(run):
    """One JSON object on standard output: who, what it did, and the whole verdict."""
    code, out, err = run(
        "conformance", "--client", "bad_client:Client", *SHORT, "--json", "--deadline", "20s"
    )
    assert (code, without_busy(err)) == (1, "")
    found = json.loads(out)
    [client] = found.pop("clients")
    assert found.keys() == {
        "v",
        "result",
        "reason",
        "made",
        "faultinject",
        "python",
        "system",
        "machine",
        "seed",
        "deadline",
        "complete",
        "all",
        "skipped",
        "failed",
    }
    assert (found["v"], found["deadline"], found["result"]) == (1, 20.0, "fail")
    assert (client["failure"], client["report"]["result"]) == (None, "fail")
    assert (client["client"], client["title"], client["version"]) == (
        "bad_client:Client",
        "bad_client:Client",
        "own 2.0",
    )
    assert verdicts(client)["permanent"] == "FAIL"
    assert client["report"]["v"] == 1


@pytest.mark.slow
def test_a_report_is_written(run, tmp_path):
    """The end of the file's name says in which form."""
    pytest.importorskip("jinja2")
    two = ("--client", "good_client:Client", "--client", "bad_client:Client")
    names = ("-o", "r.html", "-o", "r.md", "-o", "r.json")
    assert run("conformance", *two, *SHORT, *names)[0] == 1
    for name, begins in (("r.html", "<!doctype html>"), ("r.md", "# What storage SDKs do"), ("r.json", "{")):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.lower().startswith(begins.lower())
        assert "permanent" in text
    assert run("conformance", *two[2:], *SHORT, "-o", "one.html")[0] == 1
    # Of one client the page is the report on its journal.
    assert "<td>bad_client" not in (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "den-001" in (tmp_path / "one.html").read_text(encoding="utf-8")


def test_a_page_without_jinja2(run, monkeypatch):
    """It is said before anything is run."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    code, out, err = run("conformance", "--client", "good_client:Client", *SHORT, "-o", "r.html")
    assert (code, out, err) == (
        2,
        "",
        f"faultinject: a report in HTML needs jinja2: {install_extra('report')}\n",
    )


@pytest.mark.slow
def test_what_changed(run, tmp_path):
    """Only what is worse than before fails; without a change it says so."""
    assert run("conformance", "--client", "bad_client:Client", *SHORT, "-o", "bad.json")[0] == 1
    code, out, _ = run("conformance", "--client", "bad_client:Client", *SHORT, "--compare", "bad.json")
    assert (code, out.splitlines()[-1]) == (0, "  nothing changed")
    old = json.loads((tmp_path / "bad.json").read_bytes())
    [permanent] = [each for each in old["clients"][0]["report"]["findings"] if each["check"] == "permanent"]
    permanent["verdict"] = "PASS"
    (tmp_path / "good.json").write_text(json.dumps(old))
    code, out, _ = run("conformance", "--client", "bad_client:Client", *SHORT, "--compare", "good.json")
    assert (code, "bad_client:Client: permanent: PASS → FAIL  (" in out) == (1, True)
    code, out, _ = run(
        "conformance", "--client", "bad_client:Client", *SHORT, "--compare", "good.json", "--json"
    )
    assert (code, json.loads(out)["v"]) == (1, 1)


@pytest.mark.slow
def test_a_new_warning_is_worse_only_when_asked(run, tmp_path):
    """`--strict` makes it a failure."""
    run("conformance", "--client", "good_client:Client", *SHORT, "-o", "old.json")
    old = json.loads((tmp_path / "old.json").read_bytes())
    for each in old["clients"][0]["report"]["findings"]:
        each["verdict"] = "PASS" if each["verdict"] == "WARN" else each["verdict"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    again = ("conformance", "--client", "good_client:Client", *SHORT, "--compare", "old.json")
    assert run(*again)[0] == 0
    assert run(*again, "--strict")[0] == 1


def test_journals_are_kept(run, tmp_path):
    """Each client's is a file of its own, named for it, which `faultinject report` reads."""
    assert run("conformance", "--client", "good_client:Client", *SHORT, "--journal", "kept/here")[0] == 0
    path = tmp_path / "kept/here/good_client-Client.jsonl"
    assert {each.rule for each in read([str(path)], skipped={})} == {"den", "vthr", "rst"}


def test_a_profile_can_be_given(run):
    """What is promised for a client is the user's to say."""
    _, out, _ = run(
        "conformance", "--client", "good_client:Client", "--phase", "den", "--profile", "sre", "--json"
    )
    assert json.loads(out)["clients"][0]["report"]["profile"] == "sre"


def test_progress_on_a_terminal(run, monkeypatch):
    """Where standard error is a terminal, calls are counted on it, and the line is taken away at the end."""

    class Terminal:
        def isatty(self):
            return True

        def __getattr__(self, name):
            return getattr(sys.__stderr__, name)

    from faultinject.cli import conformance

    said = []
    monkeypatch.setattr(conformance.click, "echo", lambda text="", **_: said.append(text))
    monkeypatch.setattr(conformance.sys, "stderr", Terminal())
    sdk = sdks.of("good_client:Client", "cos")
    conformance._run(sdk, ["den"], None, 20.0, None, quiet=False)
    assert "\rgood_client:Client: 3 of 3 calls " in said
    assert said[-1].strip() == ""


def test_a_busy_machine_is_said(run, monkeypatch):
    """Where calls began late, waits may look longer than they are."""
    from faultinject.conformance import results

    monkeypatch.setattr(results, "BUSY", -1.0)
    _, _, err = run("conformance", "--client", "good_client:Client", "--phase", "den")
    assert re.match(
        r"good_client:Client: the machine was busy \(calls began up to .* late\): waits may look longer\n",
        err,
    )


@pytest.mark.slow
def test_the_sdks_are_listed(run):
    """Each with its version, or that it is not installed."""
    code, out, err = run("conformance", "--list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["client", *sdks.SDKS]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("home", "packages", "install"),
    [
        ("pip", "", "pip install acme-no-such-sdk"),
        ("pinned", "", "pip install --target pinned acme-no-such-sdk && export PINNED_SDKS=$PWD/pinned"),
        ("npm", "a b", "npm install --prefix sdks a b && export JAVASCRIPT_SDKS=$PWD/sdks"),
        ("program", "acme-tools", "apt-get install acme-tools"),
        ("jar", "", "put acme-no-such-sdk-VERSION.jar and the jars that it needs into a folder, and export JAVA_SDKS=FOLDER"),
    ],
)  # fmt: skip
def test_an_sdk_that_is_not_installed(run, monkeypatch, home, packages, install):
    """`--list`, `--client` and `--all` say the same command, which is that of its language."""
    for each in (homes.PINNED, homes.JAVASCRIPT, homes.JAVA):
        monkeypatch.delenv(each, raising=False)
    there = homes.shutil.which
    monkeypatch.setattr(homes.shutil, "which", lambda name: name if name in ("node", "java") else there(name))
    acme = sdks.Sdk("acme", "ACME's SDK", "s3", home=home, package="acme-no-such-sdk", packages=packages)
    monkeypatch.setattr(sdks, "SDKS", {"acme": acme})
    code, out, _ = run("conformance", "--list")
    assert (code, out.splitlines()[1].endswith(f"  not installed: {install}")) == (0, True)
    code, _, err = run("conformance", "--client", "acme")
    assert (code, err) == (2, f"faultinject: ACME's SDK is not installed: {install}\n")
    own = sdks.of("good_client:Client", "cos")
    monkeypatch.setitem(sdks.SDKS, "one", sdks.Sdk("one", "One", "cos", own.command, "pip", "pytest"))
    _, _, err = run("conformance", "--all", "--phase", "den")
    assert f"acme: skipped, ACME's SDK is not installed: {install}\n" in err


@pytest.mark.slow
def test_a_patient_client_has_the_time_that_it_needs(run, monkeypatch):
    """Unless the user gives all clients a time."""
    words = sdks.of("good_client:Client", "cos").command
    made = {"one": {}, "two": {"deadline": 77.0}}
    monkeypatch.setattr(
        sdks, "SDKS", {name: sdks.Sdk(name, name, "cos", words, "pip", "pytest", **more) for name, more in made.items()}
    )  # fmt: skip
    for more, deadlines in (((), [30.0, 30.0, 77.0]), (("--deadline", "20s"), [20.0] * 3)):
        _, out, _ = run("conformance", "--phase", "den", "--json", *more)
        found = json.loads(out)
        assert [found["deadline"], *(each["deadline"] for each in found["clients"])] == deadlines


def test_the_contract_is_shown(run):
    """What a command of the user's own has to do."""
    code, out, err = run("conformance", "--contract")
    assert (code, err, out.startswith("faultinject starts the command once")) == (0, "", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--deadline", "30"), "--deadline: 30 has no unit; did you mean 30s?"),
        (("--deadline", "10ms"), "--deadline: less than a second"),
        (("--vendor", "azure"), "--vendor: 'azure' is not a vendor; did you mean azure-blob?"),
        (("--vendor", "gateway"), "--vendor: gateway is no storage service; there are azure-blob, b2, bos"),
        (("--phase", "x"), "--phase: 'x' is none of cal, thr"),
        (("--client", "boto"), "did you mean boto3?"),
        (("-o", "report.pdf"), "--output: report.pdf is none of FILE.html, FILE.md, FILE.json"),
        (("--compare", "none.json"), "none.json: No such file or directory"),
        (("--profile", "none"), "none"),
        (("--client", "no_such_module:Client"), "No module named 'no_such_module'"),
    ],
)
def test_wrong_use(run, arguments, message):
    """It is said before anything is run, with what would be right; exit code 2."""
    code, out, err = run("conformance", *arguments, *SHORT)
    assert (code, out) == (2, "")
    assert message in err


def test_a_vendor_that_no_store_plays(run, monkeypatch):
    """It is said before anything is run, with those that one plays."""
    monkeypatch.delitem(serving.OWN, "b2")
    code, _, err = run("conformance", "--client", "good_client:Client", "--vendor", "b2")
    assert (
        code,
        "--vendor: no store plays b2, so no client can be pointed at it; there are azure-blob" in err,
    ) == (2, True)


@pytest.mark.slow
def test_a_profile_of_the_clients_own(run, monkeypatch):
    """A client that is told from others by no user agent says whose promises it has; --profile stands above it."""
    words = (sys.executable, "-m", "faultinject.conformance", "good_client:Client")
    own = sdks.Sdk("own", "own", "cos", words, home="pip", package="faultinject", profile="sre")
    monkeypatch.setitem(sdks.SDKS, "own", own)
    for more, profile in (((), "sre"), (("--profile", "rfc"), "rfc")):
        _, out, _ = run("conformance", "--client", "own", "--phase", "den", "--json", *more)
        assert json.loads(out)["clients"][0]["report"]["profile"] == profile


def test_the_kill_switch_is_heeded(run):
    """FAULTINJECT_ENABLED=0 keeps every fault away, so there is nothing to measure."""
    code, _, err = run("conformance", "--client", "good_client:Client", env={"FAULTINJECT_ENABLED": "0"})
    assert (code, "FAULTINJECT_ENABLED=0" in err) == (2, True)


def test_nothing_is_installed(run, monkeypatch):
    """Without an SDK and without a client it says what to install."""
    monkeypatch.setattr(sdks, "SDKS", {})
    code, _, err = run("conformance")
    assert (code, err) == (2, f"faultinject: no SDK is installed: {install_extra('conformance')}\n")


@pytest.mark.slow
def test_all_that_is_installed_is_driven(run, monkeypatch):
    """Without a client, every SDK that is there."""
    own = sdks.of("good_client:Client", "cos")
    monkeypatch.setattr(sdks, "SDKS", {"one": sdks.Sdk("one", "One", "cos", own.command, "pip", "pytest")})
    _, out, _ = run("conformance", "--phase", "den", "--json")
    assert [each["client"] for each in json.loads(out)["clients"]] == ["one"]


SILENT = """
import json, sys, time
json.loads(sys.stdin.readline())
print(json.dumps({"ready": True}), flush=True)
sys.stdin.readline()
sys.stderr.write("stuck \\x1b[31m\\n")
sys.stderr.flush()
if sys.argv[1] == "dies":
    sys.exit(5)
time.sleep(600)
"""


@pytest.fixture
def silent(tmp_path):
    """A command that is ready, and says nothing more or dies."""
    (tmp_path / "silent.py").write_text(SILENT)
    return lambda how: f"{sys.executable} {tmp_path / 'silent.py'} {how}"


@pytest.mark.parametrize(
    ("how", "deadline", "says"),
    [
        pytest.param("hangs", "10s", "it stopped answering: no answer for", marks=pytest.mark.slow),
        ("dies", "60s", "ended with exit code 5"),
    ],
)
def test_a_client_that_stops_answering(run, silent, how, deadline, says):
    """A failure, which names the call; what it wrote to standard error is shown, escaped. Nothing is waited for after a death."""
    code, out, err = run("conformance", "--client", silent(how), "--deadline", deadline, *SHORT)
    assert (code, out.splitlines()[0]) == (1, "FAIL: 1 check failed: answers")
    shown = " ".join(out.split())  # whose lines end where the path of an interpreter has them end
    assert re.search(r"✕ FAIL answers: .*calls? had not ended: (rst|den)-001 of phase (rst|den)", shown)
    assert says in shown
    assert says in err
    assert without_busy(err).endswith("\n  stuck \\x1b[31m\n")


@pytest.mark.slow
def test_one_of_several_that_dies(run, silent):
    """The others are judged all the same, and the table has a row for it."""
    two = ("--client", silent("dies"), "--client", "good_client:Client")
    code, out, _ = run("conformance", *two, *SHORT)
    assert code == 1
    assert out.splitlines()[0] == f"FAIL: 1 of 2 clients fails: {silent('dies')}"
    assert re.search(r"^answers +✕$", out, re.MULTILINE)
    assert re.search(r"^permanent +\? +✓$", out, re.MULTILINE)


@pytest.mark.slow
def test_nothing_could_be_judged(run):
    """A plan without a fault decides nothing: neither a success nor a failure."""
    code, out, _ = run("conformance", "--client", "good_client:Client", "--phase", "cal")
    assert (
        code,
        " ".join(out.splitlines()[:2]).startswith("Nothing could be judged: no call met a fault"),
    ) == (3, True)
    code, out, _ = run("conformance", "--client", "good_client:Client", "--phase", "cal", "--json")
    assert (code, json.loads(out)["result"]) == (3, "undecided")


@pytest.mark.slow
def test_what_is_required(run):
    """`--require` makes exit code 3 of what is not decided."""
    one = ("conformance", "--client", "good_client:Client", *SHORT)
    assert run(*one, "--require", "permanent")[0] == 0
    code, out, _ = run(*one, "--require", "retry-after")
    assert (code, out.splitlines()[0]) == (3, "Required but not decided: retry-after")
    code, out, _ = run(*one, "--require", "all", "--json")
    assert (code, json.loads(out)["reason"].endswith(" more")) == (3, True)
    code, _, err = run(*one, "--require", "retry-aftr")
    assert (code, "did you mean 'retry-after'?" in err) == (2, True)


def test_the_result_of_several_clients():
    """The worst of each."""
    from types import SimpleNamespace

    from faultinject.audit.conclusion import Conclusion
    from faultinject.conformance.results import conclusion

    def told(**clients):
        return conclusion(
            [
                SimpleNamespace(
                    name=name,
                    run=SimpleNamespace(judgement=SimpleNamespace(conclusion=Conclusion(each, "Why", "so"))),
                )
                for name, each in clients.items()
            ]
        )

    assert told(a="pass", b="pass").sentence == "PASS: all 2 clients pass"
    assert told(a="pass", b="warn").sentence == "WARN: 1 of 2 clients warns: b"
    assert told(a="undecided", b="warn").sentence == "Not decided: 1 of 2 clients: a: Why: so"
    assert told(a="undecided", b="fail", c="fail").sentence == "FAIL: 2 of 3 clients fail: b, c"
    assert told(a="warn").sentence == "Why: so"


@pytest.mark.slow
def test_a_comparison_in_which_nothing_was_judged(run):
    """What was not decided is no success either; a failure that was there before is none."""
    run("conformance", "--client", "good_client:Client", "--phase", "cal", "-o", "old.json")
    again = ("--phase", "cal", "--compare", "old.json")
    assert run("conformance", "--client", "good_client:Client", *again)[0] == 3


@pytest.mark.slow
def test_kept_journals_have_an_end(run, tmp_path):
    """So that `faultinject report` does not wait for more."""
    assert run("conformance", "--client", "good_client:Client", *SHORT, "--journal", "kept")[0] == 0
    lines = (tmp_path / "kept/good_client-Client.jsonl").read_text().splitlines()
    assert [bool(json.loads(each).get("ended")) for each in lines[-2:]] == [False, True]
    code, _, err = run("report", "kept/good_client-Client.jsonl")
    assert (code, err) == (0, "")


ODD = """
import json, sys
json.loads(sys.stdin.readline())
print(json.dumps({"ready": True, "kinds": ["get"], "client": "\\x1b[31m \\ud800"}), flush=True)
for line in sys.stdin:
    print(json.dumps({"key": json.loads(line)["key"], "ok": False, "error": "\\x1b[31m \\ud800"}), flush=True)
"""


@pytest.mark.slow
def test_a_client_that_says_what_no_terminal_wants(run, tmp_path):
    """Its name is shown escaped, and is in every report."""
    pytest.importorskip("jinja2")
    (tmp_path / "odd.py").write_text(ODD)
    two = ("--client", f"{sys.executable} odd.py", "--client", "good_client:Client")
    _, out, err = run("conformance", *two, *SHORT, "-o", "r.html", "-o", "r.md", "-o", "r.json")
    assert f"\n{sys.executable} odd.py \\x1b[31m \\ud800\n" in out
    written = [(tmp_path / f"r.{end}").read_text("utf-8") for end in ("html", "md", "json")]
    assert "\x1b" not in "".join((out, err, *written))
    assert all("ud800" in each for each in written)
