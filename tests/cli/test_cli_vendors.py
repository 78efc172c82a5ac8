"""`faultinject vendors`: the catalogue for people and for programs."""

from __future__ import annotations

import json

import jsonschema
import pytest

from faultinject import vendors

ROW = {
    "type": "object",
    "properties": {
        "vendor": {"enum": list(vendors.names())},
        "code": {"type": "string", "minLength": 1},
        "variant": {"type": "integer", "minimum": 1},
        "status": {"type": ["integer", "null"], "minimum": 200, "maximum": 599},
        "message": {"type": "string"},
        "message_source": {"enum": ["wire", "doc", "derived"]},
        "description": {"type": "string"},
        "note": {"type": "string"},
        "retryable": {"enum": ["yes", "no", "unstated"]},
        "category": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "row": {"type": "integer", "minimum": 1},
    },
    "required": [
        *("vendor", "code", "variant", "status", "message", "message_source", "description", "note"),
        *("retryable", "category", "source", "row"),
    ],
}


def test_json_is_an_array_of_all_documented_errors(run):
    """`--json` without a vendor is the whole catalogue, in the published shape."""
    code, out, err = run("vendors", "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    jsonschema.validate(rows, {"type": "array", "items": ROW})
    assert rows == [row.to_dict() for each in vendors.names() for row in vendors.get(each).errors]


@pytest.mark.parametrize("vendor", vendors.names())
def test_json_of_one_vendor(run, vendor):
    """With a vendor named, the array has its rows alone."""
    assert json.loads(run("vendors", vendor, "--json")[1]) == [
        row.to_dict() for row in vendors.get(vendor).errors
    ]


def test_json_of_one_error_and_of_a_group(run):
    """One error is an array of one; a group is the array of its rows."""
    assert [row["code"] for row in json.loads(run("vendors", "cos:SlowDown", "--json")[1])] == ["SlowDown"]
    throttle = json.loads(run("vendors", "cos:@throttle", "--json")[1])
    assert [row["code"] for row in throttle] == ["ServiceUnavailable", "SlowDown"]


def test_the_list_of_vendors(run):
    """Every vendor has a line with its id, title, number of errors and statuses; reserved ids follow."""
    code, out, err = run("vendors")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["id", "vendor", "errors", "statuses", "content", "type"]
    assert [line.split()[0] for line in lines[1 : 1 + len(vendors.names())]] == list(vendors.names())
    assert (
        "cos        Tencent Cloud COS  81      301 307 400 403 404 405 409 411 412 416 500 501 503      application/xml"
        in lines
    )
    assert f"Reserved, not built yet: {' '.join(sorted(vendors.RESERVED))}" in lines


@pytest.mark.parametrize("vendor", vendors.names())
def test_the_table_of_a_vendor(run, vendor):
    """Every documented error of the vendor has its line, in the document's order."""
    code, out, err = run("vendors", vendor)
    found = vendors.get(vendor)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == f"{found.title}: {len(found.errors)} documented errors"
    assert lines[2].split() == ["code", "status", "category", "retryable", "message"]
    assert [line.split()[:2] for line in lines[3:]] == [
        [row.label, str(row.status or "none")] for row in found.errors
    ]


def test_one_error_in_full(run):
    """All that is known of a row, and its envelope as it goes over the wire."""
    code, out, err = run("vendors", "qingstor:internal_error")
    assert (code, err) == (0, "")
    fields, _, answer = out.partition("\n\nIn answer to GET /bucket/key:\n\n")
    row = vendors.find("qingstor:internal_error")
    assert f"message          {row.message}" in fields.splitlines()
    assert f"source           {row.source}" in fields.splitlines()
    head, _, body = answer.partition("\n\n")
    assert head.splitlines()[:2] == ["HTTP/1.1 500 Internal Server Error", "Content-Type: application/json"]
    assert json.loads(body)["code"] == "internal_error"


def test_an_error_without_a_status(run):
    """Where the document gives no status, that is said, and the sample names the one that it uses."""
    code, out, _ = run("vendors", "cos:InvalidAddressingHeader")
    assert code == 0
    assert ["status", "none documented: a rule must give one, such as status=400"] in [
        line.split(maxsplit=1) for line in out.splitlines()
    ]
    assert "In answer to GET /bucket/key with status=400:" in out.splitlines()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("qiniu", "'qiniu' is not a vendor; did you mean qiniu-mix?"),
        ("s3", "vendor s3 is reserved and not built yet; there are cos, gateway, jss, qingstor, qiniu-mix"),
        ("cos:SlowDon", "cos:SlowDon is not a documented error of cos; did you mean cos:SlowDown?"),
        ("jss:SlowDown/2", "jss:SlowDown/2: jss documents 1 row of SlowDown"),
        (
            "jss:@none",
            "jss:@none is not a group; the groups are @all, @server, @client, @throttle, @retryable",
        ),
    ],
)
def test_what_is_not_in_the_catalogue(run, address, message):
    """A wrong vendor or code is one line with the nearest, and exit code 2, with and without --json."""
    assert run("vendors", address) == (2, "", f"faultinject: {message}\n")
    assert run("vendors", address, "--json") == (2, "", f"faultinject: {message}\n")
