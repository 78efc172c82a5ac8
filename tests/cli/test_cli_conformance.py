"""`faultinject conformance`: what it drives, shows, writes and compares."""

import json
import re
import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from faultinject.audit.reports import FORMATS
from faultinject.conformance.sdks import SDKS
from faultinject.journal.reading import read
from tests.console import installs
from tests.documents import BLOCKS
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
                if getattr(error, "code", 0) < 500 and number + 1 == self.attempts:
                    break
                time.sleep(random.uniform(0, 0.1))
        raise last
"""
AGENT = """
from time import sleep
from urllib.request import Request, urlopen

class Client:
    title = "MinIO 7.2.20"

    def __init__(self, endpoint, bucket):
        self.endpoint = endpoint

    def put(self, key):
        agent = {"user-agent": "minio-py/7.2.20"}
        for number in range(3):
            try:
                url = f"{self.endpoint}/conformance-1250000000/{key}"
                return urlopen(Request(url, b"body", agent, method="PUT")).close()
            except OSError as error:
                last = error
                sleep(0.05)
        raise last
"""
"""A client that says it is MinIO's, and makes three attempts instead of six."""
DENIED = ("--phase", "denied")
SHORT = (*DENIED, "--phase", "one-read", "--phase", "reset")
OWN = (sys.executable, "-P", "-m", "faultinject.conformance", "good_client:Client")


@pytest.fixture(autouse=True)
def clients(tmp_path, monkeypatch):
    """Two clients in the current directory: one retries without an answer, one after any error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good_client.py").write_text(CLIENT.format(attempts=1))
    (tmp_path / "bad_client.py").write_text(CLIENT.format(attempts=3))


def verdicts(client):
    return {
        each["check"]: each["verdict"]
        for each in client["report"]["findings"]
        if each["verdict"] != "INCONCLUSIVE"
    }


JUDGED = " ".join(SHORT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        # A client that does not try again after a lost connection gets a warning, which fails only when asked.
        (JUDGED, 0, "! WARN"),
        (f"{JUDGED} --strict", 1, "; strict: a warning is a failure"),
        # `--require` makes exit code 3 of what is not decided.
        (f"{JUDGED} --require permanent", 0, "! WARN"),
        (f"{JUDGED} --require retry-after", 3, "^Required but not decided: retry-after: Not enough data: "),
        (f"{JUDGED} --require all --json", 3, r'"reason": ".* more checks too\)"'),
        (f"{JUDGED} --require retry-aftr", 2, "did you mean 'retry-after'?"),
        # A plan without a fault decides nothing: neither a success nor a failure.
        ("--phase cal", 3, r"^Nothing could be judged: no call met a\sfault"),
        ("--phase cal --json", 3, '"result": "undecided"'),
    ],
)
def test_what_is_said(run, words, code, says):
    """The exit code, and a pattern of what is printed."""
    found, out, err = run("conformance", "--client", "good_client:Client", *words.split())
    assert (found, bool(re.search(says, out + err))) == (code, True), out + err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "phases", "same", "worse"),
    [
        ("bad", SHORT, 0, [1, 1, 1]),
        ("good", SHORT, 0, [0, 1, 1]),  # a new warning is worse only if that is asked for
        ("good", ("--phase", "cal"), 3, [3, 3, 3]),  # what is not decided is no success
    ],
)
def test_what_changed(run, tmp_path, name, phases, same, worse):
    """Only what is worse than before fails; without a change one line says so."""
    words = ("conformance", "--client", f"{name}_client:Client", *phases)
    whole = run(*words, "-o", "old.json")[1]
    again = (*words, "--compare", "old.json")
    old = json.loads((tmp_path / "old.json").read_bytes())
    made = f"Since {old['made']}"
    code, out, _ = run(*again)
    [line] = out.splitlines()
    assert (code, line.startswith(f"{made} nothing changed: {whole.split(':')[0]}: ")) == (same, True), out
    code, out, _ = run(*again, "-v")
    assert (code, out.splitlines()[-1]) == (same, f"{made}: nothing changed")
    for each in old["clients"][0]["report"]["findings"]:
        each["verdict"] = "PASS" if each["verdict"] in ("WARN", "FAIL") else each["verdict"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    found = [run(*again, *more) for more in ((), ("--strict",), ("--strict", "--json"))]
    assert [code for code, _, _ in found] == worse
    assert ("bad_client:Client: permanent: PASS → FAIL  (" in found[0][1]) is (name == "bad")
    assert json.loads(found[2][1])["v"] == 1


def judged(report):
    """The client's JSON report, without its callers' errors, which no journal has."""
    report["findings"] = [{**each, "calls": len(each["calls"])} for each in report["findings"]]
    return report


def test_a_report_judges_a_kept_journal_as_the_run_was_judged(run, tmp_path):
    """A report has the run's verdicts, numbers and messages, for the last of several runs.

    The run is one JSON object: who, what it did, and the whole verdict. The journal is named for its client, and ends.
    """
    asked = "conformance --client bad_client:Client --profile sre --json --journal kept/here".split()
    run(*asked, *DENIED)
    code, out, err = run(*asked, *SHORT, "--deadline", "20s")
    found = json.loads(out)
    [client] = found["clients"]
    assert (code, without_busy(err), found["v"], found["deadline"], found["result"]) == (
        1,
        "",
        1,
        20.0,
        "fail",
    )
    assert {name: client[name] for name in ("client", "title", "version", "failure")} == {
        **dict.fromkeys(("client", "title"), "bad_client:Client"),
        "version": "own 2.0",
        "failure": None,
    }
    told = client["report"]
    assert (told["v"], told["profile"], verdicts(client)["permanent"]) == (1, "sre", "FAIL")
    path = tmp_path / "kept/here/bad_client-Client.jsonl"
    assert {each.rule for each in read([str(path)], skipped={})} == {"denied", "one-read", "reset"}
    ends = [bool(json.loads(each).get("ended")) for each in path.read_text().splitlines()[-2:]]
    assert (ends, path.read_text().count('"driven":{')) == ([False, True], 2)
    code, again, err = run("report", str(path), "--format", "json")
    assert (code, err, judged(json.loads(again))) == (1, "", judged(told))
    # Two journals at once are of no one run; what is damaged is none.
    other = tmp_path / "other.jsonl"
    other.write_text(path.read_text().replace('"until":', '"till":'))
    for paths in ([str(path), str(other)], [str(other)]):
        assert "told" not in json.loads(run("report", *paths, "--finished", "--format", "json")[1])["signal"]


@pytest.mark.parametrize("name", ["client.sh", "客户端", "клиент"])
def test_a_journal_of_a_program_in_this_folder_is_not_hidden(run, tmp_path, name):
    """The journal of `./client.sh` is no hidden file, and names in any script have a file each.

    The name begins with a dot.
    """
    program = tmp_path / name
    program.write_text('#!/bin/sh\nread -r line\necho \'{"ready": true, "kinds": ["get"]}\'\n')
    program.chmod(0o755)
    run("conformance", "--client", f"./{name}", *SHORT, "--journal", "kept")
    assert [each.name for each in (tmp_path / "kept").iterdir()] == [f"{name}.jsonl"]


@pytest.mark.usefixtures("terminal")
def test_progress_on_a_terminal(run):
    """On a terminal standard error counts the calls, and the line is removed at the end."""
    arguments = ("conformance", "--client", "good_client:Client", "--phase", "denied")
    assert re.search(r"\rgood_client:Client: \d of 3 calls +\r", run(*arguments)[2])
    assert "calls" not in without_busy(run(*arguments, "--json")[2])


def test_a_report_names_its_client(run, tmp_path):
    """A report names the client, not its HTTP library, with version and repeating command.

    The whole verdict is shown, and it is the exit code: a check that says FAIL is 1.
    """
    files = ("-o", "r.html", "-o", "r.md", "-o", "r.json", "-o", "r.xml")
    code, out, err = run("conformance", "--client", "bad_client:Client", "--vendor", "oss", *SHORT, *files)
    assert (code, without_busy(err), out.splitlines()[1]) == (1, "", "own 2.0")
    assert re.search(r"^✕ FAIL  permanent: (.|\n)*denied-001", out, re.MULTILINE)
    given = ["--client", "bad_client:Client", "--vendor", "oss", *SHORT, *files]
    again = shlex.join(["faultinject", "conformance", *(each.replace("-o", "--output") for each in given)])
    page = (tmp_path / "r.md").read_text()
    worst = out.partition("\n")[0].removeprefix("FAIL: ").partition(" (")[0]
    assert page.startswith(f"# What own 2.0 did about faults\n\n**fail**: {worst}")
    html = (tmp_path / "r.html").read_text()
    store = "a store on the same machine that answers with the documented errors of oss"
    for text, shown in (
        (f"\n\nMade on [^\n]* by `{re.escape(again)}` \\(faultinject ", page),
        (f"The client made its calls, against {store}", page),
        (r"\A((?!league|\]\()(.|\n))*\Z", page),
        ("<h1>What own 2.0 did about faults</h1>", html),
        (f" by {re.escape(again.replace(chr(39), '&#39;'))} \\(faultinject ", html),
    ):
        assert re.search(text, shown), text
    assert json.loads((tmp_path / "r.json").read_text())["command"] == again
    [suite] = ElementTree.parse(tmp_path / "r.xml").getroot()
    value = next(suite.iter("property")).get("value")
    assert (suite.get("name"), value) == ("bad_client:Client", "own 2.0")
    assert suite.find("testcase[@name='permanent']/failure") is not None
    assert again in suite.findtext("system-out").replace("\\'", "'")


@pytest.mark.slow
def test_the_sdks_are_listed(succeeds):
    """Each with its version, or that it is not installed."""
    out = succeeds("conformance", "--list")
    assert [line.split()[0] for line in out.splitlines()] == ["client", *SDKS]


def test_an_sdk_that_is_not_installed(run, refused, sdks):
    """`--list`, `--client` and `--all` say the same command."""
    sdks(acme={"title": "ACME's SDK", "package": "acme-no-such-sdk"}, one={"words": OWN})
    code, out, _ = run("conformance", "--list")
    install = out.splitlines()[1].partition("  not installed: ")[2]
    assert (code, install.endswith("pip install acme-no-such-sdk")) == (0, True)
    err = refused("conformance", "--client", "acme")
    assert err == f"faultinject: ACME's SDK is not installed: {install}\n"
    _, _, err = run("conformance", "--all", "--phase", "denied")
    assert f"acme: skipped, ACME's SDK is not installed: {install}\n" in err


@pytest.mark.slow
def test_a_patient_client_has_the_time_that_it_needs(run, sdks):
    """Unless the user gives all clients a time."""
    sdks(one={"words": OWN}, two={"words": OWN, "deadline": 77.0})
    for more, deadlines in (((), [30.0, 30.0, 77.0]), (("--deadline", "20s"), [20.0] * 3)):
        _, out, _ = run("conformance", "--phase", "denied", "--json", *more)
        found = json.loads(out)
        assert [found["deadline"], *(each["deadline"] for each in found["clients"])] == deadlines


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"v": 1}', '{"v": 2, "clients": []}'])
def test_results_that_are_none(refused, tmp_path, text):
    """As where another file is named."""
    (tmp_path / "old.json").write_text(text)
    err = refused("conformance", "--client", "good_client:Client", *SHORT, "--compare", "old.json")
    assert err == "faultinject: old.json: these are no results of `faultinject conformance -o FILE.json`\n"


def test_a_badge(run, tmp_path):
    """It shows the result, and its title the sentence that the command ends with."""
    clients = [word for name in ("good", "bad") for word in ("--client", f"{name}_client:Client")]
    _, out, _ = run("conformance", *clients, "--phase", "denied", "-o", "badge.svg")
    svg = "{http://www.w3.org/2000/svg}"
    picture = ElementTree.fromstring((tmp_path / "badge.svg").read_text("utf-8"))
    assert [text.text for text in picture.iterfind(f"{svg}text")] == ["storage faults", "fail"]
    widths = [int(rectangle.get("width")) for rectangle in picture.iterfind(f"{svg}rect")]
    title = f"storage faults: {out.splitlines()[0]}"
    assert (picture.findtext(f"{svg}title"), int(picture.get("width"))) == (title, sum(widths))


def denied(name, *more):
    """The words that judge one client of the current directory, or more."""
    return ("conformance", "--client", f"{name}_client:Client", "--phase", "denied", *more)


def test_a_client_of_another_name_is_not_compared(run, refused, tmp_path):
    """It would be new, and whatever it did no worse than before: that is said before it runs."""
    run(*denied("good", "-o", "old.json"))
    old = json.loads((tmp_path / "old.json").read_bytes())
    old["clients"][0] |= {"client": "boto3", "title": "boto3"}
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert refused(*denied("bad", "--compare", "old.json")) == (
        "faultinject: --compare: nothing was compared: old.json has results of boto3, and none of"
        " bad_client:Client\n"
    )


def test_two_versions_of_an_own_client_are_compared(run, tmp_path):
    """By the name that the client reports, or because each result has one client alone."""
    run(*denied("good", "-o", "old.json"))
    (tmp_path / "next_client.py").write_text(CLIENT.format(attempts=3).replace("own 2.0", "own 3.0"))
    for name in ("bad", "next"):
        code, out, _ = run(*denied(name, "--compare", "old.json"))
        changed = out.partition("\nSince ")[2].splitlines()
        new = f"{name}_client:Client"
        assert (code, changed[1]) == (1, f"  {new}: client: good_client:Client → {new}")
        assert any(f"  {new}: permanent: " in line and " → FAIL" in line for line in changed)
    code, out, _ = run(*denied("next", "--client", "bad_client:Client", "--compare", "old.json"))
    assert (code, "good_client:Client → bad_client:Client" in out) == (1, True)
    code, _, errors = run(*denied("next", "--client", "next_client:Client", "--compare", "old.json"))
    told = "faultinject: --compare: nothing was compared: old.json has results of good_"
    assert (code, errors[: len(told)]) == (2, told)


def test_the_factory_of_the_documentation(run, tmp_path):
    """It can read and write, and has the name that it gives itself."""
    [source] = [
        block.body
        for block in BLOCKS
        if block.page == "docs/how-to/judge-a-client.md" and "(self, endpoint, bucket)" in block.body
    ]
    (tmp_path / "storage.py").write_text(source)
    plan = ("--phase", "denied", "--phase", "one", "--json")
    [client] = json.loads(run("conformance", "--client", "storage:Client", *plan)[1])["clients"]
    found = (client["version"], client["failure"], verdicts(client)["permanent"])
    assert found == ("acme-storage 2.1", None, "PASS")


NOT_IMPORTED = "{} cannot be imported: {}"
NO_CLIENT = "--client: {!r} is not an SDK, a MODULE:FACTORY or a command; did you mean {}?"


@pytest.mark.parametrize(
    ("client", "message"),
    [
        ("god_client:Client", "ModuleNotFoundError: No module named 'god_client'; did you mean good_client?"),
        ("shop.storge:Client", "ModuleNotFoundError: No module named 'shop.storge'; did you mean shop.storage?"),
        ("shp.storage:Client", "ModuleNotFoundError: No module named 'shp'; did you mean shop?"),
        (
            "good_client.py:Client",
            "ModuleNotFoundError: No module named 'good_client.py'; 'good_client' is not a package;"
            " did you mean good_client?",
        ),
        (
            "good_client:client",
            "AttributeError: module 'good_client' has no attribute 'client'; did you mean Client?",
        ),
        (
            "good_client:Client.gt",
            "AttributeError: type object 'Client' has no attribute 'gt'; did you mean get?",
        ),
        ("shop.storage:Client", "{here}/shop/storage.py:1: ModuleNotFoundError: No module named 'acme'"),
        ("shop.syntax:Client", "{here}/shop/syntax.py:1: invalid syntax"),
        ("bad_client:Client.attempts", "bad_client:Client.attempts is no factory: it is of type int"),
        ("good_client.Client", NO_CLIENT.format("good_client.Client", "good_client:Client")),
        ("shop.storage.Client", NO_CLIENT.format("shop.storage.Client", "shop.storage:Client")),
    ],
)  # fmt: skip
def test_a_client_that_is_none(refused, tmp_path, client, message):
    """A wrong module or factory is one sentence, with the nearest right one, and no traceback."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "storage.py").write_text("import acme\n")
    (tmp_path / "shop" / "syntax.py").write_text("def (\n")
    whole = message if client in message else NOT_IMPORTED.format(client, message)
    told = refused("conformance", "--client", client, "--phase", "denied")
    assert told == f"faultinject: {whole.format(here=tmp_path)}\n"


@pytest.mark.slow
def test_a_profile_of_the_clients_own(run, sdks):
    """A client without a recognisable user agent names its profile; --profile overrides it."""
    sdks(own={"words": OWN, "profile": "sre"})
    for more, profile in (((), "sre"), (("--profile", "rfc"), "rfc")):
        _, out, _ = run("conformance", "--client", "own", "--phase", "denied", "--json", *more)
        assert json.loads(out)["clients"][0]["report"]["profile"] == profile


@pytest.mark.slow
def test_a_driver_without_a_note_is_known_not_to_be_configured(run, sdks, tmp_path):
    """A driver without a note has its defaults, which are judged; others may be configured.

    A value that somebody may have configured is measured and not judged.
    """
    (tmp_path / "agent_client.py").write_text(AGENT)
    words = (*OWN[:-1], "agent_client:Client")
    sdks(plain={"words": words}, noted={"words": words, "note": "3 attempts"})
    asked = {"plain": "FAIL", "noted": "INCONCLUSIVE", "agent_client:Client": "INCONCLUSIVE"}
    words = [word for each in asked for word in ("--client", each)]
    code, out, _ = run("conformance", *words, "--phase", "throttled", "--json")
    found = {
        each["client"]: one["verdict"]
        for each in json.loads(out)["clients"]
        for one in each["report"]["findings"]
        if one["check"] == "attempts"
    }
    assert (found, code) == (asked, 1)


def test_nothing_is_installed(refused, sdks):
    """Without an SDK and without a client it says what to install."""
    sdks()
    err = refused("conformance")
    assert (err.split(":")[1], installs(err, "conformance")) == (" no SDK is installed", True)


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
def test_a_client_that_stops_answering(run, silent, tmp_path, how, deadline, says):
    """A client that stops answering fails, with the call and its escaped standard error.

    Nothing is waited for after a death. The report on its journal fails too.
    """
    more = ("--deadline", deadline, "--journal", "kept")
    code, out, err = run("conformance", "--client", silent(how), *more, *SHORT)
    [path] = (tmp_path / "kept").iterdir()
    again = run("report", str(path))
    assert [(code, out[:15]), (again[0], again[1][:15])] == [(1, "FAIL: answers: ")] * 2
    shown = " ".join(out.split())  # whose lines end where the path of an interpreter has them end
    assert re.search(r"✕ FAIL answers: .*calls? had not ended: ([a-z-]+)-001 of phase \1", shown)
    assert (says in shown, says in err) == (True, True)
    assert without_busy(err).endswith("\n  stuck \\x1b[31m\n")


ONCE, OFTEN = CLIENT.format(attempts=1), CLIENT.format(attempts=3)
IDLE = "class Client:\n    def __init__(self, *_): pass\n    def complete(self, key): pass\n"
"""A client that makes none of the calls."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "phases", "code", "says"),
    [
        # The result is the worst of each.
        ("good next", DENIED, 0, [r"\APASS: all 2 clients pass"]),
        ("good next", SHORT, 0, [r"\AWARN: 2 of 2 clients warn: good_client:Client, next_client:Client"]),
        ("good next", ("--phase", "cal"), 3, [r"\ANot decided: 2 of 2 clients: good_client:Client: Nothing could be judged"]),
        ("good idle", SHORT, 3, [r"\ANot decided: 1 of 2 clients: idle_client:Client: Nothing could be judged"]),
        ("bad worse", DENIED, 1, [r"\AFAIL: 2 of 2 clients fail: bad_client:Client, worse_client:Client"]),
        # The table has a row for each check and a column for each client, with faults below.
        ("good bad", SHORT, 1, [
            "^check +good_client:Client +bad_client:Client$",
            "^permanent +✓ +✕$",
            r"\ngood_client:Client own 2\.0\n((?!✕ permanent: )(.|\n))*\nbad_client:Client own 2\.0\n(.|\n)*✕ permanent: ",
        ]),
        # Of more than a screen has room for each has a row, with the number of its verdicts.
        ("bad " * 7, DENIED, 1, [r"\n\nclient +version +verdicts\n(bad_client:Client +own [^\n]*✕ 1[^\n]*\n){7}"]),
        # The others are judged all the same if one dies, and the table has a row for it.
        ("silent good", SHORT, 1, [r"\AFAIL: 1 of 2 clients fails: \S+ \S+silent\.py dies\n", r"^answers +✕$", r"^permanent +\? +✓$"]),
    ],
)  # fmt: skip
def test_what_is_said_of_several_clients(run, tmp_path, silent, names, phases, code, says):
    """Their result, and a table."""
    for name, text in (("next", ONCE), ("worse", OFTEN), ("idle", IDLE)):
        (tmp_path / f"{name}_client.py").write_text(text)
    named = [silent("dies") if each == "silent" else f"{each}_client:Client" for each in names.split()]
    found, out, err = run("conformance", *(word for each in named for word in ("--client", each)), *phases)
    assert (found, [each for each in says if not re.search(each, out, re.MULTILINE)]) == (code, []), out + err


STOPS = """
import os, signal, time

class Client:
    def __init__(self, endpoint, bucket):
        self.whom = os.getppid()

    def get(self, key):
        if key == "one-read-001":
            os.kill(self.whom, signal.SIGSTOP)
            time.sleep(0.6)
            os.kill(self.whom, signal.SIGCONT)
"""


def test_a_busy_machine_is_said(run, tmp_path):
    """If calls began late, the output says that waits may look too long.

    Here the client stops us for a while.
    """
    (tmp_path / "stops_client.py").write_text(STOPS)
    _, _, err = run("conformance", "--client", "stops_client:Client", "--phase", "one-read")
    assert re.search(
        r"^stops_client:Client: the machine was busy \(calls began up to .* late\): waits may look longer$",
        err,
        re.MULTILINE,
    )


def test_one_client_without_a_call(run, sdks):
    """The others are measured, and it is told which is not."""
    sdks(boto3={"words": OWN, "vendor": "s3"})
    clients = ("--client", "boto3", "--client", "bad_client:Client", "--vendor", "gcs", "--phase", "too-many-requests", "--json")  # fmt: skip
    code, out, err = run("conformance", *clients)
    assert code == 3, err
    assert "faultinject: --phase too-many-requests: boto3 makes no call of it: s3 has no such fault\n" in err
    numbers = {each["client"]: each["numbers"]["retried"] for each in json.loads(out)["clients"]}
    [answered] = numbers.pop("bad_client:Client")
    assert (answered["calls"], answered["retried"], numbers) == (4, 4, {"boto3": []})


ODD = """
import json, sys
json.loads(sys.stdin.readline())
print(json.dumps({"ready": True, "kinds": ["get"], "client": "\\x1b[31m \\ud800"}), flush=True)
for line in sys.stdin:
    print(json.dumps({"key": json.loads(line)["key"], "ok": False, "error": "\\x1b[31m \\ud800"}), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("names", [["bad_client:Client"], ["bad_client:Client", "good_client:Client"]])
def test_every_format_of_a_report_can_be_written(run, tmp_path, names):
    """Each of several clients has its report or its run."""
    pytest.importorskip("jinja2")
    paths = [f"r{ending}" for ending in FORMATS.values()]
    clients = [word for name in names for word in ("--client", name)]
    outputs = [word for path in paths for word in ("-o", path)]
    assert run("conformance", *clients, *SHORT, *outputs)[0] == 1
    assert {each.name for each in tmp_path.glob("r.*")} == {*paths}
    log = json.loads((tmp_path / "r.sarif").read_text("utf-8"))
    assert [each["automationDetails"]["id"] for each in log["runs"]] == [
        f"conformance/{name}/" for name in names
    ]
    assert "permanent" in {each["ruleId"] for each in log["runs"][0]["results"]}
    assert (tmp_path / "r.txt").read_text("utf-8").count("own 2.0\n") == len(names)
    assert "::error::permanent: 3 of 3 calls retried" in (tmp_path / "r.github").read_text("utf-8")
    for name, begins in (
        ("r.html", "<!doctype html>"),
        ("r.md", f"# what {', '.join(['own 2.0'] * len(names))} did"),
        ("r.json", "{"),
    ):
        text = (tmp_path / name).read_text("utf-8")
        assert (text.lower().startswith(begins), "permanent" in text) == (True, True)
    # Of one client the page is the report on its journal.
    assert ("denied-001" in (tmp_path / "r.html").read_text("utf-8")) is (len(names) == 1)


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


LOCK = """
import urllib.error
import urllib.request

class Client:
    title = "lock 1.0"

    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}"

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key, body=b"me"):
        try:
            self.ask("PUT", key, body, {"If-None-Match": "*"})
        except urllib.error.HTTPError as error:
            if error.code != 412 or not (RIGHT and self.get(key) == body):
                raise

    def post(self, key):
        self.put(key)

    def ask(self, method, path, body=None, headers={}):
        request = urllib.request.Request(f"{self.url}/{path}", body, headers, method=method)
        for _ in range(3):
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.read()
            except urllib.error.HTTPError:
                raise
            except OSError as error:
                last = error
        raise last
"""


@pytest.mark.parametrize(
    ("right", "verdict"), [(False, "FAIL"), pytest.param(True, "PASS", marks=pytest.mark.slow)]
)
def test_a_client_that_takes_its_own_write_for_a_conflict(run, tmp_path, right, verdict):
    """The driver says what the caller heard, so a client that read the object is right."""
    (tmp_path / f"lock_{verdict}.py").write_text(LOCK.replace("RIGHT", str(right)), encoding="utf-8")
    _, out, _ = run("conformance", "--client", f"lock_{verdict}:Client", "--phase", "lost", "--json")
    [client] = json.loads(out)["clients"]
    [found] = [each for each in client["report"]["findings"] if each["check"] == "lost answer"]
    subject = None if right else "false conflict"
    assert (found["verdict"], found["subject"], found["n"]) == (verdict, subject, 8)


# --speed: accepted and refused clients, and the clock of a verdict


INSTALLED = any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
WAITING = """
import os, time, urllib.error, urllib.request
from threading import Event

class Client:
    title = "own 1.0"

    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}/"

    def get(self, key):
        try:
            return urllib.request.urlopen(self.url + key).close()
        except urllib.error.HTTPError as error:
            asked = float(error.headers.get("retry-after") or 1)
        WAIT
        urllib.request.urlopen(self.url + key).close()
"""
BY_ITSELF = 'time.sleep(asked / float(os.environ.get("FAKETIME", "x1").partition("x")[2]))'
"""The wait of a client that honours libfaketime's variables itself, without the library."""


@pytest.fixture
def client(tmp_path):
    """Write a client that waits in that way, once, as long as Retry-After asks or a second."""

    def made(wait):
        (tmp_path / "own_client.py").write_text(WAITING.replace("WAIT", wait))
        return "own_client:Client"

    return made


@pytest.mark.slow
@pytest.mark.usefixtures("libfaketime")
def test_a_client_is_judged_by_its_own_clock(run, client):
    """A client waits a twentieth of three seconds, and obeys by its own clock.

    A report of its journal says the same.
    """
    asked = "--phase cal --phase one-read --phase retry-after --speed 20 --journal kept --json".split()
    _, out, err = run("conformance", "--client", client(BY_ITSELF), *asked)
    [found] = json.loads(out)["clients"]
    hint = found["numbers"]["hints"]["seconds"]
    assert ("speed" in err, hint["answers"], hint["obeyed"]) == (False, 4, 4)
    assert 3.0 <= hint["waited"] < 60.0
    assert verdicts(found).get("retry-after") != "FAIL"
    _, out, _ = run("report", "kept/own_client-Client.jsonl", "--format", "json")
    assert judged(json.loads(out)) == judged(found["report"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wait", "message"),
    [
        ("time.sleep(asked)", "before it retries, and by its own clock"),
        ("", "waits for less than 0.2 s before it retries, or does not retry"),
        ("time.sleep(asked if 'FAKETIME' not in os.environ else 60)", "without an end at this speed"),
        # By a signal: several calls at once would write coverage's file at the same time in `os._exit`, and end
        # otherwise.
        ("os.kill(os.getpid(), 9)", "ended with signal 9"),
    ],
)
@pytest.mark.usefixtures("libfaketime")
def test_a_client_that_is_not_reached_is_refused(refused, client, wait, message):
    """A client whose wait does not shorten, or never ends, is refused.

    The same wait is measured at both speeds.
    """
    err = refused("conformance", "--client", client(wait), "--phase", "denied", "--speed", "20")
    assert ("--speed 20: the client " in err, message in err) == (True, True)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="libfaketime is not installed: apt-get install faketime")
def test_libfaketime(run, client, tmp_path):
    """It reaches a sleep, and nothing of it is left in memory of a client that is killed."""
    code = f"import os; print(os.getpid(), file=open({str(tmp_path / 'pids')!r}, 'a')); time.sleep(asked)"
    asked = ("--phase", "cal", "--phase", "retry-after", "--speed", "20", "--json")
    _, out, err = run("conformance", "--client", client(code), *asked)
    [found] = json.loads(out)["clients"]
    assert ("speed" in err, found["numbers"]["hints"]["seconds"]["obeyed"]) == (False, 4)
    for each in {*(tmp_path / "pids").read_text().split()}:
        assert [*Path("/dev/shm").glob(f"*faketime_*_{each}")] == []


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="libfaketime is not installed: apt-get install faketime")
def test_a_program_that_libfaketime_cannot_be_loaded_into(refused, client, tmp_path):
    """As of a static one: its clocks are the machine's."""
    client("time.sleep(asked)")
    again = "import os, sys; os.environ.pop('LD_PRELOAD', 0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    words = [
        sys.executable,
        "-c",
        again,
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['own_client:Client'];"
        " from faultinject.conformance.contract import main; main()",
    ]
    err = refused("conformance", "--client", shlex.join(words), "--speed", "20")
    assert "libfaketime does not reach its clocks and waits" in err
