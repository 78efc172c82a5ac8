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
