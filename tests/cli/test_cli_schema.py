"""`faultinject schema`."""

import json

from faultinject.rules.schema import rules_schema


def test_it_prints_the_schema(run):
    """On standard output, also when that is named."""
    for arguments in ([], ["--output", "-"]):
        code, out, err = run("schema", *arguments)
        assert (code, json.loads(out), err) == (0, rules_schema(), "")


def test_it_writes_a_file(run, tmp_path):
    """And says nothing."""
    path = tmp_path / "faultinject.schema.json"
    assert run("schema", "-o", str(path)) == (0, "", "")
    assert json.loads(path.read_text()) == rules_schema()


def test_a_file_that_cannot_be_written_is_one_line(run, tmp_path):
    """Its name, and exit code 2."""
    code, _, err = run("schema", "-o", str(tmp_path))
    assert code == 2
    assert err.count("\n") == 1
    assert str(tmp_path) in err
