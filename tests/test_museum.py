"""The museum's rooms are complete and agree with their pages.

`examples/museum/run.py` runs them.
"""

import ast
import importlib
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from datetime import date
from importlib import metadata
from pathlib import Path

import pytest

from faultinject import vendors
from faultinject.store import ObjectStore
from faultinject.testing.exploration.choices import choices_of
from tests.on_loopback import on_loopback

MUSEUM = Path(__file__).parent.parent / "examples" / "museum"
ANSWERS = (MUSEUM.parents[1] / "docs" / "explanation" / "verdict.md").read_text(encoding="utf-8")
ROOMS = sorted(each.parent for each in MUSEUM.glob("*/bug.toml"))
TEXTS = ("project", "package", "source", "version", "job", "fault", "vendor", "rule", "prepare", "lost")


def of(room):
    return tomllib.loads((room / "bug.toml").read_text(encoding="utf-8"))


def test_there_are_bugs_and_controls():
    """Whatever has no room is in no table."""
    expected = [of(each)["expected"] for each in ROOMS]
    assert [expected.count("red") >= 12, expected.count("green") >= 5] == [True, True]
    assert {each.parent.name for each in MUSEUM.glob("*/job.py")} == {each.name for each in ROOMS}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room(room):
    """A room has all that shows the bug without this package too, and its page has the command."""
    told, page = of(room), (room / "README.md").read_text(encoding="utf-8")
    assert all(told[each] for each in TEXTS), told
    assert isinstance(told["date"], date)
    assert told["expected"] == ("red" if told.get("says") else "green")
    assert (vendors.get(told["vendor"]).id, choices_of([told["rule"]]) != []) == (told["vendor"], True)
    job = (room / "job.py").read_text(encoding="utf-8")
    assert (bool(ast.get_docstring(ast.parse(job))), len(job.splitlines()) <= 30) == (True, True)
    [command] = re.findall(r"^faultinject explore .*$", page, re.MULTILINE)
    tail = command.partition(f"--vendor {told['vendor']} -r ")[2]
    assert told["rule"] in tail
    assert tail.endswith(f" -- python examples/museum/{room.name}/job.py")
    shown = [
        f"python examples/museum/run.py -v {room.name}\n",
        told["version"],
        told["repaired"],
        told["thread"],
    ]
    if answer := told.get("answer"):
        assert f"\n| {answer} | " in ANSWERS
        shown.append(f"lost answer: {answer}: ")
    if told["expected"] == "red" and not told["thread"]:
        shown.append("not reported yet")
    assert [each for each in shown if each not in page] == []


@pytest.mark.live
@pytest.mark.parametrize(
    ("vendor", "prepare"), sorted({(of(each)["vendor"], of(each)["prepare"]) for each in ROOMS})
)
def test_the_store_takes_what_a_room_prepares(vendor, prepare):
    """The store accepts a room's preparation, and refuses what the service refuses.

    The service refuses content in HTTP's chunks, for example; a room does not check that itself.
    """
    strict = 'set -e; curl() { command curl -f "$@"; }; ' + prepare
    store = ObjectStore(vendor)
    with on_loopback(store) as port:
        environ = {**os.environ, "ENDPOINT": f"http://127.0.0.1:{port}"}
        done = subprocess.run(["sh", "-c", strict], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    films = [echoed or given for echoed, given in re.findall(r"echo (.+?) \||-d (\w+) ", prepare)]
    kept = [b"".join(each.blocks).decode().strip() for each in store.buckets.objects("lake").values()]
    assert (kept, len(kept)) == (films, prepare.count("/film"))


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("name", ["obstore", "duckdb_httpfs"])
def test_a_room_is_as_it_says(name):
    """Red with the bug, green with its repair; nothing is installed here."""
    told = of(MUSEUM / name)
    for version in filter(None, (told["version"], told["repaired"])):
        if not (MUSEUM / ".cache" / f"{told['package']}-{version}" / "complete").exists():
            pytest.skip(f"it needs a package of its own: python examples/museum/run.py {name}")
    done = subprocess.run([sys.executable, MUSEUM / "run.py", name], capture_output=True, text=True)
    assert (done.returncode, f"| {told['version']}: red |" in done.stdout) == (0, True), done.stderr


REPORTS = sorted(MUSEUM.glob("*/report.md"))
REPORTS_OF_THE_SURVEY = sorted(MUSEUM.glob("survey/reports/*.md"))


def check_report(text, python, packages, environ=()):
    """The program prints what the report says, and the quoted lines are in what is installed."""
    [(language, program)] = re.findall(r"^```(python|js)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    [printed] = re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert "faultinject" not in program
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    done = subprocess.run(
        [*{"python": [python, "-W", "ignore", "-c"], "js": ["node", "-e"]}[language], program],
        env={**ours, **dict(environ)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    assert done.stdout == printed
    places = re.findall(r"^- `([\w/]+\.\w+):(\d+)`: `+(.+?)`+\s", text, re.MULTILINE)
    assert places
    for path, number, code in places:
        if not path.endswith((".cc", ".rs")):  # a wheel has no sources in C++ and Rust
            assert code in (packages / path).read_text(encoding="utf-8").splitlines()[int(number) - 1]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.parent.name)
def test_a_report_is_true_of_the_release_that_it_names(report):
    """The program prints what the report says, and the quoted lines are in their code."""
    told, text = of(report.parent), report.read_text(encoding="utf-8")
    assert told["version"] in text
    if metadata.version(told["package"]) != told["version"]:
        pytest.skip(f"needs {told['package']} {told['version']}")
    check_report(text, sys.executable, Path(sysconfig.get_path("purelib")))


@pytest.fixture
def survey(monkeypatch):
    """The module of the survey, which stands beside the rooms."""
    monkeypatch.syspath_prepend(MUSEUM)
    for name in ("rooms", "survey"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("survey")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hlep"], "--hlep: there is no such name or option; did you mean --help?"),
        (["--survey", "borgstor"], "borgstor: there is no such name or option; did you mean borgstore?"),
        (["chbd"], "chbd: there is no such name or option; did you mean chdb?"),
        (["borgstore"], "borgstore is a job of the survey: add --survey"),
        (["--quick"], "--quick and --jobs are for --survey"),
        (["--write", "chdb"], "--write is for a run of all rooms"),
    ],
)
def test_a_wrong_command_line_runs_nothing(survey, words, message, capsys, monkeypatch):
    """It is refused with the nearest name, and never read as a wish for the whole museum."""
    monkeypatch.delitem(sys.modules, "run", raising=False)
    with pytest.raises(SystemExit, match=r"^2$"):
        importlib.import_module("run").main(words)
    assert f"error: {message}\n" in capsys.readouterr().err


@pytest.mark.parametrize("report", REPORTS_OF_THE_SURVEY, ids=lambda report: report.stem)
def test_a_report_of_the_survey_is_true_of_the_release_that_it_names(survey, report):
    """It runs where the survey has installed its package; nothing is installed here."""
    job, text = survey.JOBS[report.stem], report.read_text(encoding="utf-8")
    package, version = re.split(r"(?:\[.+\])?(?:==|@| )", survey.packages_of(job)[0])
    assert f"\n{package} {version}, " in text
    of_room = report.stem in survey.ROOMS
    folder = MUSEUM / ".cache" / (f"{package}-{version}" if of_room else f"survey-{report.stem}")
    if not (folder / "complete").exists():
        pytest.skip(f"it needs a package of its own: python examples/museum/run.py --survey {report.stem}")
    [packages] = [folder / "node_modules"] if job.get("npm") else folder.glob("lib/python3*/site-packages")
    check_report(text, folder / "bin" / "python", packages, {"NODE_PATH": str(packages)}.items())


def test_the_survey_is_pinned_and_its_page_has_its_results(survey):
    """There are forty jobs, and each says what is lost, and why a run of it may fail."""
    results = survey.read_results()
    assert (results.keys(), len(results) >= 40) == (survey.JOBS.keys(), True)
    assert survey.page(results) in (MUSEUM / "SURVEY.md").read_text(encoding="utf-8")
    for name, job in survey.JOBS.items():
        assert all(re.search(r"==\d|@\d| \d", package) for package in survey.packages_of(job)), name
        verdict, shown_by = survey.verdict(name, results[name])
        assert "confirmed" not in job or (job["lost"] and shown_by and survey.report_of(name)), name
        short = len(job["path"].read_text(encoding="utf-8").splitlines()) <= 40
        said = (results[name].keys(), verdict != survey.NOT_JUDGED, vendors.get(job["vendor"]).id, short)
        assert said == ({"quick", "standard"}, True, job["vendor"], True), name
