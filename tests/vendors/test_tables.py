"""Extras, templates and operations beside a vendor's errors are used, and right."""

import csv
import re
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from faultinject import Rule, Scenario, vendors
from faultinject.vendors.operations import operations_of
from faultinject.vendors.template_values import compile_value
from tests.decisions import view
from tests.engine.conftest import Reading
from tests.rows import each_row

PACKAGE = Path(vendors.__file__).parent
HOLE = re.compile(r"%\((.*?)\)s")
TOKEN = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FILLED = {"code", "message", "status", "resource", "children"}
"""Holes that are no ids and no sources."""
ENVIRON = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/a/b", "QUERY_STRING": ""}
ASKING = [
    {"QUERY_STRING": "alt=media"},
    {"QUERY_STRING": "format=json"},
    {"QUERY_STRING": "uploadId=u", "REQUEST_METHOD": "POST"},
    {"PATH_INFO": "/minio/admin/v3/info"},
    {"HTTP_AUTHORIZATION": "AWS key:c2ln"},
    {"REQUEST_METHOD": "HEAD"},
    {"PATH_INFO": "/file/a/b"},
]
"""Requests that ask for forms of their own."""
WHERE_IT_STANDS = re.compile(r"https?://\S|[\w.-]+/[\w.-]")
"""A page, a repository, a file."""
PLACELESS = {"azure-blob", "gcs", "gcs-xml", "qiniu-mix", "s3"}
"""Vendors with lines that name a service, a list or an SDK, and no place to look at."""
GUARDS = (
    "idempotency-key if-match if-none-match if-modified-since if-unmodified-since x-cos-forbid-overwrite"
    " x-oss-forbid-overwrite x-tos-forbid-overwrite x-goog-if-generation-match x-goog-if-metageneration-match"
    " x-ms-if-tags x-ms-if-sequence-number-eq x-ms-if-sequence-number-le x-ms-if-sequence-number-lt"
    " x-ms-blob-condition-appendpos x-ms-blob-condition-maxsize"
).split()
"""Headers that the journal tells whether they came."""
SERVERS_OWN = {"content-length", "connection", "date", "transfer-encoding"}
READING = Reading()
each_vendor = each_row("vendor", vendors.names())


def lines_of(file, columns, optional=()):
    """The lines of a table as dicts, if the file is there; the optional columns may be missing."""
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    assert "\r" not in text
    assert text.endswith("\n")
    head, *lines = csv.reader(text.splitlines())
    assert head in ([*columns], [*columns, *optional])
    assert all(len(line) == len(head) for line in lines)
    return [dict(zip(head, line, strict=True)) for line in lines]


def folder_of(vendor):
    """The folder of a vendor's files."""
    return PACKAGE / vendor.replace("-", "_")


def forms_of(vendor):
    """All envelopes of a vendor."""
    found = vendors.get(vendor)
    return {"": found.form, **found.forms}


def holes(vendor, form):
    """The names of a template's holes."""
    return HOLE.findall(vendors.get(vendor).read_template(form).decode())


@each_vendor
def test_extras_are_well_formed(vendor):
    """Each line of extras names known errors, a known place, a value and a source."""
    found = vendors.get(vendor)
    known = {"*", *(f"form:{name or 'usual'}" for name in forms_of(vendor))}
    known |= {each for row in found.errors for each in (row.label, row.code, row.numbered, str(row.status))}

    lines = lines_of(folder_of(vendor) / "extras.csv", ("code", "place", "name", "value", "source"))
    for line in lines:
        named = {each.removeprefix("!") for each in line["code"].split()}
        assert {line["code"], *line["code"].split()} & known
        assert line["code"] in known or named <= known
        assert line["place"] in ("child", "header", "head", "body")
        assert TOKEN.fullmatch(line["name"])
        assert callable(compile_value(line["value"]))
        assert line["value"] == line["value"].strip()
        assert line["source"].strip() == line["source"] != ""
        if line["place"] != "child":
            assert line["name"].lower() not in {*SERVERS_OWN, *(name.lower() for name, _ in found.id_headers)}
    assert len(lines) == len(found.extras)


@each_vendor
def test_places_are_well_formed(vendor):
    """Each line names one error, conditions that the journal can evaluate, and the reason."""
    found = vendors.get(vendor)
    lines = lines_of(folder_of(vendor) / "where.csv", ("code", "where", "words", "source"))
    known = [(row.label, row.where, row.where_words, row.where_source) for row in found.errors]
    assert sorted(tuple(line.values()) for line in lines) == sorted(each for each in known if any(each[1:]))
    for line in lines:
        assert line["words"]
        assert WHERE_IT_STANDS.search(line["source"]) or vendor in PLACELESS
        row = found.find(line["code"])
        places = [each for each in row.where.split(";") if each.strip()]
        for rule in (rule for each in places for rule in Scenario(f"{row.address},{each}").rules):
            asked = [each.partition(".") for each in (*rule.conditions, *rule.unless)]
            assert asked
            assert not rule.options
            assert {name.lower() for key, _, name in asked if key == "header"} <= set(GUARDS)
            texts = {**rule.conditions, **rule.unless}
            query = "&".join(
                f"{name}={texts[f'query.{name}'][0]}" for key, _, name in asked if key == "query"
            )
            assert "…" not in READING.outcome({**ENVIRON, "QUERY_STRING": query}).query


def test_no_group_has_what_no_request_for_an_object_gets():
    """Neither the admin API's errors, nor those of buckets and preflights."""
    every = map(vendors.get, vendors.names())
    for row in {row for vendor in every for name in vendor.groups for row in vendor.group(name)}:
        places = [place for place in row.where.split(";") if row.where]
        alone = ("unless.key=**" in place or place == "method=OPTIONS" for place in places)
        assert not places or not all(alone), row


def test_which_rows_say_their_place():
    """The admin API, S3 Select, preflights, leases, sessions, the creation of a bucket."""
    minio = vendors.get("minio")
    assert [row.label for row in minio.group("@server")] == [
        *(
            "InternalError",
            "SlowDownRead",
            "SlowDownWrite",
            "XMinioStorageFull",
            "XMinioServerNotInitialized",
        ),
        *("XMinioIAMNotInitialized", "XMinioBucketMetadataNotInitialized", "RequestTimeout", "ServerBusy"),
    ]
    places = {
        "minio:XMinioAdminNoSuchUser": "path=minio/admin/,unless.key=**",
        "minio:XMinioSiteReplicationIAMError": "path=minio/admin/,unless.key=**",
        "minio:InvalidCast": "operation=SelectObjectContent",
        "s3:AccessForbidden": "method=OPTIONS",
        "jdcloud:AccessForbidden": "",
        "oss:CallbackFailed/3": vendors.find("oss:CallbackFailed").where,
        "obs:InvalidObjectState": "operation=GetObject",
        "azure-blob:CorsPreflightFailure": "method=OPTIONS",
        "azure-blob:LeaseAlreadyPresent": "operation=*.acquire_lease",
        "gcs:Gone": "operation=storage.objects.insert,query.uploadType=resumable; operation=storage.objects.rewrite",
        "gcs:ClientClosedRequest": "operation=storage.objects.delete,query.uploadType=resumable",
        "gcs:conflict": "operation=storage.buckets.insert,unless.key=**",
        "gcs-xml:Gone": "operation=ResumeUpload,operation=CancelResumableUpload",
        "s3:BucketAlreadyExists": "operation=CreateBucket,unless.key=**",
        "qingstor:fetch_in_process": "operation=FetchObject",
        "s3:InternalError": "",
        "minio:XMinioAdminBucketQuotaExceeded": "",
    }
    assert {each: vendors.find(each).where for each in places} == places


def test_every_source_says_where_it_stands():
    """A reader can look at it: no memory of a recorded answer."""
    found = [vendors.get(each) for each in vendors.names() if each not in PLACELESS]
    sources = {each.source for vendor in found for each in (*vendor.errors, *vendor.extras)}
    assert [each for each in sources if not WHERE_IT_STANDS.search(each)] == []


@each_row(
    "value",
    [
        "",
        "nothing",
        "level | nothing",
        "query.",
        "query",
        "upper.nothing",
        "quoted.upper.nothing",
        "size.",
        "size",
        "above.1024",
        "above.size.key",
        "above.x size.key",
        "below.-1 length",
        "below.1 nothing",
    ],
)
def test_cells_that_are_no_source(value):
    """A slip in a table is told when the table is read, not when an answer is made."""
    with pytest.raises(ValueError, match="is no source"):
        compile_value(value)


def test_every_child_has_a_place_in_the_envelope():
    """A child of an error whose envelope has no hole for it would be lost unseen."""
    lost = [
        (extra.name, row.address)
        for found in map(vendors.get, vendors.names())
        for extra in found.extras
        if extra.place == "child"
        for row in found.errors
        if extra.belongs_to(row, row.status or 0)
        and not {"*", str(row.status)} & extra.codes
        and "children" not in holes(found.id, found.form_of(row))
    ]
    assert lost == []


@each_vendor
def test_no_header_of_an_error_comes_twice(vendor):
    """Of two lines about one header the conditions exclude each other."""
    found = vendors.get(vendor)
    for row, form in product(found.errors, ("", *found.forms)):
        carried = [each for each in found.extras if each.belongs_to(row, row.status or 0, form)]
        for other in ("head", "body"):
            times = Counter(each.name.lower() for each in carried if each.place not in ("child", other))
            assert [name for name, count in times.items() if count > 1] == [], (row, form)


@each_vendor
def test_templates_have_holes_that_are_filled(vendor):
    """Each hole is the error's, an id, or a source; a percent sign that is no hole stands twice."""
    found = vendors.get(vendor)
    ids = found.make_ids(bytes(range(64)), 1)

    for form in forms_of(vendor).values():
        named = holes(vendor, form)
        assert "%" not in HOLE.sub("", found.read_template(form).decode()).replace("%%", "")
        assert all(hole in FILLED or hole in ids or callable(compile_value(hole)) for hole in named)
        assert found.resource is not None or "resource" not in named
        if "children" in named:
            said = "an envelope with %(children)s needs child= in vendor.py, with %(name)s and %(value)s"
            assert {*HOLE.findall(form.child)} == {"name", "value"}, said
    assert {which for _, which in found.id_headers} <= {*ids}


@each_vendor
def test_every_file_and_form_serves(vendor):
    """No template, form or table lies about unused."""
    found = vendors.get(vendor)
    named = {table.partition("/")[::2] for each in vendors.names() for table in vendors.get(each).operations}
    needed = {
        "__init__.py": True,
        "vendor.py": True,
        "errors.csv": True,
        "extras.csv": found.extras,
        "where.csv": any(row.where for row in found.errors),
        "errors_in_200.csv": found.known_of_200,
        "operations.csv": (folder_of(vendor).name, "operations.csv") in named,
    }
    used = {form.template for form in forms_of(vendor).values()} | {each for each in needed if needed[each]}
    assert {path.name for path in folder_of(vendor).iterdir() if path.is_file()} == used
    asked = {
        found.asked_form(row, view({**ENVIRON, **more}), status)
        for row in found.errors
        for status in (301, row.status or 400)
        for more in ASKING
    }
    assert {row.form for row in found.errors} | asked >= {*found.forms}


def test_how_a_vendor_asks_to_wait():
    """Its own way is one that there is."""
    assert all(Rule("http:503", hint=vendors.get(each).hint) for each in vendors.names())


# --- operations --------------------------------------------------------------------------------------------

TABLES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("*/operations.csv"))
STORAGE = [each for each in vendors.names() if vendors.get(each).addressing is not None]
LEVELS = {
    "s3": {"service", "bucket", "object"},
    "azure": {"account", "container", "blob"},
    "swift": {"info", "account", "container", "object", "other"},
}
WORD = re.compile("[A-Za-z0-9_.-]+(=[!-~]+)?")


def test_every_table_of_operations_is_some_vendors():
    """And every table that a vendor names is there."""
    assert {table for each in STORAGE for table in vendors.get(each).operations} == {*TABLES}
    assert all(vendors.get(each).operations for each in STORAGE)


@each_row("table", TABLES)
def test_operations_are_well_formed(table):
    """A name, a method, a level of the addressing, and words to tell them apart by."""
    addressing = {vendors.get(each).addressing for each in STORAGE if table in vendors.get(each).operations}

    columns = ("operation", "method", "level", "query", "header")
    for line in lines_of(PACKAGE / table, columns, optional=("host",)):
        assert re.fullmatch("[A-Za-z][A-Za-z0-9_./-]*", line["operation"])
        assert line["method"] in {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "COPY"}
        assert line["level"]
        assert all(line["level"] in LEVELS[each] for each in addressing if each in LEVELS)
        for column in (line["query"], line["header"]):
            assert column == " ".join(filter(WORD.fullmatch, column.split()))


# Deprecated calls of S3 that have the very form of their successor, and Azure's lists in another format, which only
# the Accept of the request asks for.
TWINS = {
    ("container.list_blob_flat_segment", "container.list_blob_flat_segment_apache_arrow"),
    ("container.list_blob_hierarchy_segment", "container.list_blob_hierarchy_segment_apache_arrow"),
    ("GetBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ("ListBuckets", "ListDirectoryBuckets"),
    ("PutBucketLifecycle", "PutBucketLifecycleConfiguration"),
    ("PutBucketNotification", "PutBucketNotificationConfiguration"),
}


def test_no_two_operations_of_a_vendor_have_one_form():
    """A request could not be told to be the one or the other."""
    named = {}
    for vendor in STORAGE:
        for row in operations_of(vendors.get(vendor)).rows:
            named.setdefault((vendor, row.shape), set()).add(row.operation)
    assert {tuple(sorted(each)) for each in named.values() if len(each) > 1} <= TWINS


@each_row("vendor", STORAGE)
def test_errors_in_a_200_are_well_formed(vendor):
    """Each line names an operation of the vendor, the form of the answer, and the source."""
    found = vendors.get(vendor)
    columns = ("operation", "framing", "words", "source")
    lines = lines_of(folder_of(vendor) / "errors_in_200.csv", columns)
    for line in lines:
        assert line["operation"] in operations_of(found).names
        assert line["framing"] in ("whole", "chunked", "none")
        assert line["words"]
        assert WHERE_IT_STANDS.search(line["source"])
    assert len({line["operation"] for line in lines}) == len(lines)
    assert [*found.errors_in_200] == [line["operation"] for line in lines if line["framing"] != "none"]
    assert bool(lines) == bool(found.known_of_200)
