"""`faultinject schema NAME`: everything that a command prints for programs is as its schema says, and nothing else passes."""

from __future__ import annotations

import copy
import json
import sys
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from faultinject import Scenario, install, vendors
from tests.cli import journals
from tests.console import command
from tests.rows import row_by_row

NAMES = [each.split()[0] for each in command("schema", "--list").stdout.splitlines()[1:]]
OWN = [each for each in NAMES if each != "rules"]
"""Those of what commands print; `tests/rules/test_schema.py` is about the other one."""
JOURNAL = Path(__file__).parents[1] / "audit" / "cos.jsonl.gz"


@cache
def schema(name):
    """What `faultinject schema NAME` prints."""
    return json.loads(command("schema", name).stdout)


def wrong(name, document):
    """What the schema of that name has against a document."""
    return [each.message for each in Draft202012Validator(schema(name)).iter_errors(document)]


def printed(run, *arguments, codes=(0,)):
    """The document that a command prints."""
    code, out, err = run(*arguments)
    assert (code in codes, err) == (True, ""), (code, err)
    return json.loads(out)


def parts(schema):
    """Every object of a schema that says which fields it has."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "required" in schema:
            yield schema
        for each in schema.values():
            yield from parts(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from parts(each)


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_each(run, name):
    """A valid schema of 2020-12 under its own name and version."""
    found = printed(run, "schema", name)
    Draft202012Validator.check_schema(found)
    assert found["$id"] == f"urn:faultinject:schema:{name}:1"
    assert found["title"].startswith("faultinject")
    assert found["description"]


@row_by_row("name", OWN)
def test_every_field_says_what_it_is(name):
    """Each property of each object has a description that is a sentence."""
    found = [
        (field, each.get("description", ""))
        for part in parts(schema(name))
        for field, each in part["properties"].items()
    ]
    assert found
    assert [field for field, said in found if not said.endswith((".", "null."))] == []


@pytest.mark.parametrize("name", OWN)
def test_it_is_what_is_on_record(name, request):
    """A change of a published format is seen, and gets another version where it breaks readers."""
    path = Path(__file__).parent / "schemas" / f"{name}.json"
    said = json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n"
    if request.config.option.update_golden:
        path.write_text(said, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == said, "pytest --update-golden writes it anew"


def test_the_list(run):
    """A line for each: its name, its id, and what it is of."""
    code, out, err = run("schema", "--list")
    lines = out.splitlines()
    assert (code, err, lines[0].split()) == (0, "", ["name", "id", "of"])
    assert [each.split()[:2] for each in lines[1:]] == [[each, schema(each)["$id"]] for each in NAMES]
    assert {*OWN} == {each.stem for each in (Path(__file__).parent / "schemas").iterdir()}


@pytest.mark.slow
def test_the_catalogue(run):
    """All rows, those of one vendor, one row, a group; all operations."""
    for arguments in ([], ["s3"], ["cos:SlowDown"], ["cos:@throttle"]):
        rows = printed(run, "vendors", *arguments, "--json")
        assert rows
        assert wrong("catalogue", rows) == []
    assert wrong("operations", printed(run, "vendors", "--operations", "--json")) == []


def test_the_report(run, tmp_path):
    """Of one client, of several, and of a journal in which there is nothing to judge."""
    several = journals.throttled() + journals.throttled(agent="other/2.0")
    empty = [journals.line(1, 0.0, fault=None, rule=None, did="passed", status=200, when=None)]
    for lines in (journals.throttled(), several, empty):
        path = tmp_path / "journal.jsonl"
        path.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
        found = printed(run, "report", str(path), "--format", "json", "--finished", codes=(0, 1, 3))
        assert wrong("report", found) == []
    found = printed(run, "report", str(JOURNAL), "--format", "json", "--finished", codes=(0, 1, 3))
    assert wrong("report", found) == []


def test_the_journal(tmp_path, monkeypatch):
    """Each line that requests leave, injected or not."""
    from werkzeug.test import Client

    path = tmp_path / "journal.jsonl"
    monkeypatch.setenv("FAULTINJECT_JOURNAL", str(path))

    def app(_environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    rules = ["cos:SlowDown,method=PUT", "latency,delay=1ms,path=/a/slow,when=after"]
    client = Client(install(app, rules, enabled=True))
    client.put("/a/b", data=b"x", headers={"amz-sdk-request": "attempt=2; max=5"})
    client.get("/a/b")
    client.get("/a/slow")
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    assert [each["did"] for each in lines if "final" not in each] == ["answered", "passed", "delayed"]
    assert [each for line in lines for each in wrong("journal", line)] == []


def test_the_journal_has_all_fields():
    """Of a line of a request, and no other; the other lines have the mark of one besides."""
    fields = {name: {*each["properties"]} for name, each in schema("journal")["$defs"].items()}
    assert fields["Outcome"] == {*JOURNAL_LINE} | {"final"}
    assert fields["RunLine"] == {"v", "time", "arrived", "pid", "driven"}
    assert fields["End"] == {"v", "time", "arrived", "pid", "ended", "parent"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("cos:SlowDown,probability=0.3",),
        ("cos:SlowDown,times=0",),
        ("cos:SlowDown,method=PUT", "latency,delay=1s", "--request", "PUT /a/b", "--seed", "1"),
        ("cos:SlowDown,method=PUT", "--request", "/a/b"),
        ("cos:Slowdown",),
        (),
    ],
)
def test_check(run, arguments):
    """Rules that are right, dead, for a request or for none, wrong ones, and the environment."""
    code, out, _ = run("check", *arguments, "--json", env={"FAULTINJECT_RULES": "cos:SlowDown"})
    assert code in (0, 1, 2)
    assert wrong("check", json.loads(out)) == []


@pytest.mark.live
def test_explore(run, tmp_path):
    """With a failure, which has a scenario and its requests."""
    program = tmp_path / "job.py"
    program.write_text(
        "import os, urllib.request as u\n"
        "u.urlopen(u.Request(os.environ['ENDPOINT'] + '/photos', method='PUT'))\n"
    )
    found = printed(
        run, "explore", "-r", "cos:SlowDown", "--json", "--", sys.executable, str(program), codes=(1,)
    )
    assert found["findings"]
    assert wrong("explore", found) == []


@pytest.mark.slow
@pytest.mark.live
def test_trial(run, tmp_path, monkeypatch):
    """With a test that a fault breaks, and one that is broken before."""
    (tmp_path / "test_it.py").write_text(
        "import os, urllib.request as u\n"
        "def test_put():\n    u.urlopen(u.Request(os.environ['ENDPOINT'] + '/photos', method='PUT'))\n"
        "def test_before():\n    assert 0\n"
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    command = (sys.executable, "-m", "pytest", str(tmp_path), "-p", "no:cacheprovider")
    code, out, _ = run("trial", "-r", "s3:SlowDown", "--json", "--", *command)
    found = json.loads(out)
    assert (code, len(found["broken"]), len(found["broken_before"])) == (1, 1, 1)
    assert wrong("trial", found) == []
    assert passes("trial", found) == []


ACCESS_LOG = (
    'x - - [17/Nov/2026:10:00:01 +0000] "GET /b/k HTTP/1.1" {} 12 "-" "x"\n' * 4 + "broken\n"
).format(503, 404, 200, 499)


def test_learn(run, tmp_path):
    """With a rule, what is left out and a broken line; and without any error. What is missing or wrong is refused."""
    path = tmp_path / "access.log"
    path.write_text(ACCESS_LOG)
    found = printed(run, "learn", str(path), "--json")
    assert all(found[each] for each in ("rules", "left_out", "examples", "skipped"))
    assert wrong("learn", found) == []
    assert passes("learn", found) == []
    path.write_text(ACCESS_LOG.splitlines()[2])
    assert wrong("learn", printed(run, "learn", str(path), "--json")) == []


CLIENT = """
import urllib.request
class Client:
    def __init__(self, endpoint, bucket):
        self.endpoint = endpoint
    def get(self, key):
        urllib.request.urlopen(f"{self.endpoint}/conformance-1250000000/{key}").close()
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What a conformance run of a small client prints, and the lines of its journal."""
    place = tmp_path_factory.mktemp("client")
    (place / "small_client.py").write_text(CLIENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        words = ("--client", "small_client:Client", "--phase", "denied", "--json", "--journal", "kept")
        found = json.loads(command("conformance", *words).stdout)
    [path] = (place / "kept").iterdir()
    return found, [json.loads(each) for each in path.read_text().splitlines()]


@pytest.mark.live
def test_conformance(results):
    """The document of a run, and its journal: with the run itself, and the last line of a process."""
    results, lines = results
    assert results["clients"]
    assert wrong("conformance", results) == []
    assert {each for line in lines for each in line if line[each]} >= {"driven", "ended"}
    assert [each for line in lines for each in wrong("journal", line)] == []


JOURNAL_LINE = {**journals.line(1, 0.0), "credential": None, "precondition": None, "region": None, "clock_offset": None, "app_status": None, **dict.fromkeys(("range", "if_range", "if_match", "etag"))}  # fmt: skip
SAMPLES = {
    "catalogue": lambda: [vendors.find("cos:SlowDown").to_dict()],
    "operations": lambda: [dict.fromkeys(("operation", "level", "vendor"), "a") | {"method": "GET", "query": "", "header": "", "host": "", "same_as": None}],
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_broken_documents_are_refused(name):
    """Without any one of its fields, and with a value of another kind in it."""
    sample = SAMPLES[name]()
    assert wrong(name, sample) == []
    assert passes(name, sample) == []


def test_a_line_with_values_of_another_kind_is_refused():
    """A field that has a default may be missing: older lines lack the newer ones."""
    assert [place for place, what in passes("journal", JOURNAL_LINE) if what == "wrong"] == []


def test_a_broken_report_is_refused(run):
    """The same of a report, in every object of it."""
    found = printed(run, "report", str(JOURNAL), "--format", "json", "--finished", codes=(0, 1, 3))
    found["findings"] = found["findings"][:1]
    assert passes("report", found) == []


@pytest.mark.live
def test_broken_results_are_refused(results):
    """The same of results of a conformance run."""
    results = copy.deepcopy(results[0])
    assert results.pop("command").startswith("faultinject conformance ")  # older ones have none
    results["clients"][0]["report"]["findings"] = results["clients"][0]["report"]["findings"][:1]
    assert passes("conformance", results) == []


FREE = (
    "signal",
    "left_out",
    "skipped",
    "not_given",
    "failed_after",
    "rule",
    "rules",
    "attempt_hint",
    "backoff",
    "gives_up",
    "broken_before",
)
"""Objects whose names are no fields, or may be missing."""


def passes(name, document):
    """The places in which something is missing, or of a wrong kind, and the schema sees nothing."""
    valid = Draft202012Validator(schema(name))
    unseen = []
    for place in places(document):
        for what in ("gone", "wrong"):
            broken = copy.deepcopy(document)
            at = broken
            for step in place[:-1]:
                at = at[step]
            if what == "gone":
                del at[place[-1]]
            else:
                at[place[-1]] = [["neither text nor number"]]
            if valid.is_valid(broken):
                unseen.append((place, what))
    return unseen


def places(document, before=()):
    """The way to every field."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield (*before, name)
            if name not in FREE:
                yield from places(value, (*before, name))
    elif isinstance(document, list) and document:
        yield from places(document[0], (*before, 0))


def test_a_file_of_rules_names_its_version():
    """A rule file is right under the schema that has the id."""
    data = json.loads(Scenario(["cos:SlowDown"]).to_json())
    assert wrong("rules", data) == []
