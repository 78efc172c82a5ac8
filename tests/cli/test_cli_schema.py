"""`faultinject schema` alone prints that of rule files; `test_schemas.py` has the others."""

import json


def test_where_it_is_written(run, tmp_path):
    """On standard output, also when that is named; or into a file, and then nothing is said."""
    path = tmp_path / "faultinject.schema.json"
    code, out, err = run("schema")
    assert (code, json.loads(out)["$id"], err) == (0, "urn:faultinject:schema:rules:1", "")
    assert run("schema", "--output", "-") == run("schema", "rules") == (0, out, "")
    assert run("schema", "-o", path) == (0, "", "")
    assert path.read_text() == out


def test_a_file_that_cannot_be_written_is_one_line(refused, tmp_path):
    """Its name, and exit code 2."""
    told = refused("schema", "-o", tmp_path)
    assert (told.count("\n"), str(tmp_path) in told) == (1, True)
