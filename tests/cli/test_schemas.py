"""Journal lines and reports are as their schemas say, and nothing else passes."""

import copy
import json
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from faultinject import Scenario, install
from tests.cli import journals
from tests.console import command

NAMES = [each.split()[0] for each in command("schema", "--list").stdout.splitlines()[1:]]
OWN = [each for each in NAMES if each != "rules"]
"""Those of what is written; `tests/rules/test_schema.py` is about the other one."""
JOURNAL = Path(__file__).parents[1] / "audit" / "cos.jsonl.gz"


@cache
def schema(name):
    """The output of `faultinject schema NAME`."""
    return json.loads(command("schema", name).stdout)


def wrong(name, document):
    """The errors of a document under that schema."""
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
    known = (found["$id"], found["title"][:11], bool(found["description"]))
    assert known == (f"urn:faultinject:schema:{name}:1", "faultinject", True)


@pytest.mark.parametrize("name", OWN)
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


def test_the_report(run, tmp_path):
    """Of one client, of several, and of a journal in which there is nothing to judge."""
    several = journals.throttled() + journals.throttled(agent="other/2.0")
    empty = [journals.line(1, 0.0, fault=None, rule=None, did="passed", status=200, when=None)]
    for lines in (journals.throttled(), several, empty, None):
        path = JOURNAL if lines is None else tmp_path / "journal.jsonl"
        if lines is not None:
            path.write_text(journals.text(lines))
        found = printed(run, "report", str(path), "--format", "json", "--finished", codes=(0, 1, 3))
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
    assert (
        [each["did"] for each in lines if "final" not in each],
        [each for line in lines for each in wrong("journal", line)],
    ) == (["answered", "passed", "delayed"], [])


def test_the_journal_has_all_fields():
    """Of a line of a request, and no other; the other lines have the mark of one besides."""
    fields = {name: {*each["properties"]} for name, each in schema("journal")["$defs"].items()}
    every = {"v", "time", "arrived", "pid"}
    assert {name: fields[name] for name in ("Outcome", "RunLine", "EndLine", "ChangeLine")} == {
        "Outcome": {*JOURNAL_LINE, "final"},
        "RunLine": {*every, "driven"},
        "EndLine": {*every, "ended", "parent"},
        "ChangeLine": {*every, "generation", "change", "by"},
    }


CLIENT = """
import urllib.request
class Client:
    def __init__(self, endpoint, bucket):
        self.endpoint = endpoint
    def get(self, key):
        urllib.request.urlopen(f"{self.endpoint}/conformance-1250000000/{key}").close()
"""


@pytest.mark.live
def test_the_journal_of_a_driven_run(tmp_path, monkeypatch):
    """It has the run itself, and the last line of a process."""
    (tmp_path / "small_client.py").write_text(CLIENT)
    monkeypatch.chdir(tmp_path)
    command("conformance", "--client", "small_client:Client", "--phase", "denied", "--journal", "kept")
    [path] = (tmp_path / "kept").iterdir()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {name for line in lines for name in line if line[name]} >= {"driven", "ended"}
    assert [problem for line in lines for problem in wrong("journal", line)] == []


JOURNAL_LINE = {**journals.line(1, 0.0), "credential": None, "precondition": None, "region": None, "clock_offset": None, "app_status": None, "matched": None, **dict.fromkeys(("range", "if_range", "if_match", "etag"))}  # fmt: skip


def test_a_line_with_values_of_another_kind_is_refused():
    """A field that has a default may be missing: older lines lack the newer ones."""
    assert [place for place, what in passes("journal", JOURNAL_LINE) if what == "wrong"] == []


def test_a_broken_report_is_refused(run):
    """The same of a report, in every object of it."""
    found = printed(run, "report", str(JOURNAL), "--format", "json", "--finished", codes=(0, 1, 3))
    # As an older version printed it.
    older = found["findings"][0].items()
    found["findings"] = [{name: each for name, each in older if name not in ("evidence", "documents")}]
    assert passes("report", found) == []


FREE = (
    "signal",
    "left_out",
    "skipped",
    "not_given",
    "failed_after",
    "attempt_hint",
    "rules",
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
    assert wrong("rules", json.loads(Scenario(["cos:SlowDown"]).to_json())) == []


def test_where_it_is_written(run, tmp_path):
    """On standard output, also when that is named; or into a file, and then nothing is said."""
    path = tmp_path / "faultinject.schema.json"
    code, out, err = run("schema")
    assert (code, json.loads(out)["$id"], err) == (0, "urn:faultinject:schema:rules:1", "")
    assert run("schema", "--output", "-") == run("schema", "rules") == (0, out, "")
    assert run("schema", "-o", path) == (0, "", "")
    assert path.read_text() == out
