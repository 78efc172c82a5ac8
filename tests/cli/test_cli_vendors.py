"""`faultinject vendors`: the catalogue for people and for programs."""

import json

from faultinject import Rule, vendors
from tests.rows import each_row


def test_json_is_an_array_of_all_documented_errors(succeeds):
    """`--json` without a vendor is the whole catalogue."""
    rows = json.loads(succeeds("vendors", "--json"))
    assert rows == [row.to_dict() for each in vendors.names() for row in vendors.get(each).errors]


@each_row(
    ("address", "codes"),
    [
        ("jss", [row.code for row in vendors.get("jss").errors]),
        ("cos:SlowDown", ["SlowDown"]),
        ("cos:@throttle", ["ServiceUnavailable", "SlowDown"]),
    ],
)
def test_json_of_some(run, address, codes):
    """The rows of one vendor, one error as an array of one, and a group."""
    assert [row["code"] for row in json.loads(run("vendors", address, "--json")[1])] == codes


def test_the_list_of_vendors(succeeds):
    """Every vendor has a line with its id, title, number of errors and statuses."""
    lines = succeeds("vendors").splitlines()
    assert lines[0].split() == ["id", "vendor", "errors", "statuses", "content", "type"]
    assert [line.split()[0] for line in lines[1 : 1 + len(vendors.names())]] == list(vendors.names())
    assert (
        "cos Tencent Cloud COS 81 301 307 400 403 404 405 409 411 412 416 500 501 503 application/xml".split()
        in [line.split() for line in lines]
    )


@each_row("vendor", vendors.names())
def test_the_table_of_a_vendor(run, vendor):
    """Every documented error of the vendor has its line, in the document's order."""
    code, out, err = run("vendors", vendor)
    found = vendors.get(vendor)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    unverified = sum(row.unverified for row in found.errors)
    doubts = f", {unverified} of them not verified" if unverified else ""
    assert (lines[0], sum(line.endswith("(not verified)") for line in lines)) == (
        f"{found.title}: {len(found.errors)} documented errors{doubts}",
        unverified,
    )
    assert lines[2].split() == ["code", "status", "category", "retryable", "message"]
    assert [line.split()[:2] for line in lines[3:]] == [
        [row.label, str(row.status or "none")] for row in found.errors
    ]


def test_where_an_error_comes(run):
    """A row that the document has for some requests only says for which; the others do not."""
    table = run("vendors", "cos")[1].splitlines()
    assert [
        line.split()[0] for line in table if line.endswith(" (only method=PUT,method=POST,method=DELETE)")
    ] == ["OperationAborted"]
    [row] = json.loads(run("vendors", "cos:OperationAborted", "--json")[1])
    assert row["where"] == "method=PUT,method=POST,method=DELETE"


def test_the_operations_of_every_vendor(succeeds):
    """An array of all forms; every name is one that a rule of that vendor takes."""
    rows = json.loads(succeeds("vendors", "--operations", "--json"))
    assert {row["vendor"] for row in rows} == set(vendors.names()) - {"gateway"}
    for vendor in {row["vendor"] for row in rows}:
        names = sorted({row["operation"] for row in rows if row["vendor"] == vendor})
        assert Rule("http:503", vendor=vendor, operation=names).conditions["operation"] == tuple(names)


def test_the_operations_of_one_vendor(run, succeeds):
    """Method and form of each, with the vendor's own headers; deprecated twins are told."""
    lines = succeeds("vendors", "s3", "--operations").splitlines()
    split = [line.split() for line in lines]
    heads = ["operation", "method", "level", "query", "header"]
    assert (lines[0], split[2]) == ("Amazon S3: 118 operations", heads)
    for row in (
        "UploadPartCopy PUT object partNumber uploadId x-amz-copy-source",
        "ListObjectsV2 GET bucket list-type=2",
        "ListDirectoryBuckets GET service host=s3express-control.*",
    ):
        assert row.split() in split
    names = [line[0] for line in split[3 : split.index([], 3)]]
    assert names == sorted(names)
    twins = "GetBucketLifecycle has the same form as GetBucketLifecycleConfiguration"
    assert f"{twins}: a rule with either name matches the same requests." in lines
    assert "x-cos-copy-source" in run("vendors", "cos", "--operations")[1]
    assert "x-ms-blob-type=BlockBlob" in run("vendors", "azure-blob", "--operations")[1]
    rows = json.loads(run("vendors", "gcs", "--operations", "--json")[1])
    assert rows[0] == {
        "vendor": "gcs",
        "operation": "storage.buckets.list",
        "method": "GET",
        "level": "/storage/v1/b",
        "query": "",
        "header": "",
        "host": "",
        "same_as": None,
    }


def test_the_operations_of_all_vendors_for_people(run):
    """One table below the other."""
    code, out, _ = run("vendors", "--operations")
    titles = [line for line in out.splitlines() if line.endswith(" operations")]
    assert (code, len(titles)) == (0, len(vendors.names()) - 1)
