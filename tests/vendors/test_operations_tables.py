"""Each row of the tables of operations is recognised, live and by the journal."""

from base64 import urlsafe_b64encode

from faultinject import vendors
from faultinject.vendors.operations import operations_of
from tests.rows import each_row

STORAGE = [each for each in vendors.names() if vendors.get(each).addressing is not None]
PATHS = {
    "s3": {"service": "/", "bucket": "/b", "object": "/b/k"},
    "azure": {"account": "/a", "container": "/a/b", "blob": "/a/b/k"},
    "swift": {
        "info": "/info",
        "account": "/v1/a",
        "container": "/v1/a/b",
        "object": "/v1/a/b/k",
        "other": "/auth/v1.0",
    },
}
STANDS_FOR = {
    "{bucket}": "b",
    "{object}": "k",
    "{entry}": urlsafe_b64encode(b"b:k").decode(),
    "{key}": urlsafe_b64encode(b"k").decode(),
    "{more}": "x/y",
}


def path_of(addressing, level):
    if addressing in PATHS:
        return PATHS[addressing][level]
    if addressing == "b2":
        return "/file/b/k" if level == "file" else f"/b2api/v3/{level}"
    return "/".join(STANDS_FOR.get(each, "x" if each[:1] == "{" else each) for each in level.split("/"))


def request_of(row, vendor):
    """A request with just what the row asks for."""
    headers = {}
    for each in row.header:
        name, _, value = each.partition("=")
        is_full = vendor.addressing != "s3" or name[:2] == "x-"
        headers[name if is_full else f"{vendor.prefix}{name}"] = value or "1"
    query = "&".join(each for each in row.query if each[:1] != "-")
    path = path_of(vendor.addressing, row.level)
    return (
        f"{row.method} {path}{'?' if query else ''}{query}",
        headers,
        row.host.replace("*", "x") or "127.0.0.1",
    )


@each_row("vendor", STORAGE)
def test_every_row_is_recognised_and_the_journal_says_the_same(site, vendor):
    """Of rows of one shape the later is meant; whatever is asked for is kept for the journal."""
    found = vendors.get(vendor)
    rows = operations_of(found).rows
    meant = {row.shape: row.operation for row in rows}
    made = site(f"http:503,vendor={vendor},method=*")
    asked = [request_of(row, found) for row in rows]
    for target, headers, host in asked:
        made.ask(target, host=host, headers=headers.items())
    told = [(target, outcome.operation) for (target, *_), outcome in zip(asked, made.outcomes, strict=True)]
    assert told == [(target, meant[row.shape]) for (target, *_), row in zip(asked, rows, strict=True)]
    assert len(rows) > 20


def test_every_relative_of_s3_has_its_operations():
    """A table of its own adds to S3's; rows of a name that S3 has too override S3's."""
    plain = operations_of(None)
    relatives = [each for each in map(vendors.get, STORAGE) if each.addressing == "s3"]
    assert all(operations_of(each).names >= plain.names for each in relatives)
    assert operations_of(vendors.get("gateway")) is plain
    assert "AppendObject" in operations_of(vendors.get("oss")).names


PLAIN = {
    ("GET", "service"): "ListBuckets",
    ("GET", "bucket"): "ListObjects",
    ("PUT", "bucket"): "CreateBucket",
    ("DELETE", "bucket"): "DeleteBucket",
    ("GET", "object"): "GetObject",
    ("PUT", "object"): "PutObject",
    ("DELETE", "object"): "DeleteObject",
}


@each_row("vendor", [each for each in STORAGE if vendors.get(each).addressing == "s3"])
def test_a_parameter_that_no_table_has_is_ignored(site, vendor):
    """It may be a client's own, or a signature's: `PUT /b?x` creates a bucket."""
    made = site(f"http:503,vendor={vendor}")
    for query in ("not-documented", "not-documented=", "not-documented=1"):
        made.injector.journal.clear()
        made.asks([f"{method} {PATHS['s3'][level]}?{query}" for method, level in PLAIN])
        assert [each.operation for each in made.outcomes] == [*PLAIN.values()]
