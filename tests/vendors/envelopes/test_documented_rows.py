"""Every documented row passes WSGI, and foreign parsers read it back whole."""

import base64
import re
from itertools import product

import pytest

from faultinject import Rule, vendors
from tests.rows import each_row
from tests.slowly import FOUNDING, others_slowly

from .layout import check_fields, check_headers, id_headers, parse, without_body

TARGET = "/photos/cat%20pictures/1%262.jpg?versionId=7"
RESOURCES = {
    "cos": "/photos/cat%20pictures/1%262.jpg",
    "jss": "/photos/cat pictures/1&2.jpg",
    "qiniu-mix": "/photos/cat pictures/1&2.jpg",
}
FIELDS = {
    "cos": ["Code", "Message", "Resource", "RequestId", "TraceId"],
    "qingstor": ["code", "message", "request_id", "url"],
    "jss": ["code", "message", "resource", "requestId"],
    "qiniu-mix": ["code", "message", "resource", "request_id"],
    "gateway": ["html/head/title", "html/body/center/h1", "html/body/center"],
}
MARKS = [("x-faultinject", "rule-1"), ("Cache-Control", "no-store")]

# That both adapters give the same bytes for every row of every vendor is proved beside the adapters.
each_vendor = pytest.mark.parametrize(
    "vendor", others_slowly(vendors.names(), (*FOUNDING, "s3").__contains__)
)


FORMS = {
    ("cos", "request_id"): "691eca80_[0-9a-f]{1,8}_[0-9a-f]{1,4}_[0-9a-f]{1,6}",
    ("cos", "trace_id"): "8efc6b2d3b069ca89454d10b9ef00187[0-9a-f]{96}",
    ("qingstor", "request_id"): "[0-9a-f]{16}",
    ("jss", "request_id"): "[0-9A-F]{16}",
    ("qiniu-mix", "request_id"): "691eca80[0-9a-f]{16}",
}
"""Forms of ids, some with the time of these tests; COS's are in base64."""


def ids_of(answer, row):
    """The ids in the headers, each of its vendor's form."""
    ids = {which: answer.header(name) for name, which in id_headers(row)}
    for which, value in ids.items():
        text = base64.b64decode(value, validate=True).decode("ascii") if row.vendor == "cos" else value
        assert re.fullmatch(FORMS.get((row.vendor, which), "[!-~]+"), text), value
    return ids


def expected_fields(vendor, row, message, status, resource, ids):
    values = {
        "code": row.code,
        "message": message,
        "resource": resource,
        "requestid": ids.get("request_id"),
        "traceid": ids.get("trace_id"),
        "url": "http://docs.qingcloud.com/qingstor/api/error_code.html",
        "html/head/title": f"{status} {message}",
        "html/body/center/h1": f"{status} {message}",
        "html/body/center": "nginx",
    }
    return [(name, values[name.lower().replace("_", "")]) for name in FIELDS[vendor]]


def check_body(answer, row, message, status, resource, ids):
    """The body is the envelope of the row, and for the vendors named above these very fields."""
    fields = parse(answer.header("Content-Type"), answer.body)
    values = {"code": row.code, "message": message, **ids}
    if resource is not None:
        values["resource"] = resource
    check_fields(row, status, fields, **values)
    if row.vendor in FIELDS:
        assert fields == expected_fields(row.vendor, row, message, status, resource, ids)
    return fields


@each_vendor
def test_rows(vendor, send, inject_with, subtests):
    """Status, headers and fields are the document's, ids agree, and the journal has it all.

    HEAD gets the status and the headers of POST (which is as long: some envelopes tell the method), ids and
    Content-Length too, and not one byte of body.
    """

    for row in vendors.get(vendor).errors:
        with subtests.test(row.address):
            status = row.status or 400  # where the document gives none, one is chosen here
            injector = inject_with(Rule(row.address, **({"status": 400} if row.status is None else {})))
            answer = send(injector, "POST", TARGET)
            ids = ids_of(answer, row)
            length = len(answer.body)
            check_headers(row, status, answer, length=length, ids=ids, marks=MARKS)
            if without_body(row, status):
                assert answer.body == b""
            else:
                fields = check_body(answer, row, row.message, status, RESOURCES.get(vendor), ids)
                texts = [text for _, text in fields if vendor in FIELDS]
                assert [text.strip() for text in texts] == texts
                assert not {"\t", "\u3000", "](", "`"} & {*re.findall(r"[\t\u3000`]|\]\(", "".join(texts))}
            [outcome] = injector.journal.outcomes
            assert (
                outcome.fault,
                outcome.did,
                outcome.status,
                outcome.response_bytes,
                outcome.request_id,
            ) == (
                row.address,
                "answered",
                status,
                length,
                ids.get("request_id"),
            )
            head = send(injector, "HEAD", TARGET)
            assert (head.status, head.body) == (status, b"")
            head_ids = ids_of(head, row)
            check_headers(row, status, head, length=length, ids=head_ids, marks=MARKS, method="HEAD")
            assert head_ids["request_id"] != ids["request_id"] if ids else vendor in ("b2", "gateway")
            assert vendor not in FIELDS or not {*ids.values()} & {*head_ids.values()}
            assert injector.errors == []


@each_vendor
def test_statuses_without_a_body(vendor, send, inject_with, subtests):
    """204, 205 and 304 have neither body nor Content-Type; ids and marks stay.

    205 says that it is empty.
    """
    row = vendors.get(vendor).errors[0]
    for status, method in product((204, 205, 304), ["GET", "HEAD", "PUT"]):
        with subtests.test(status=status, method=method):
            answer = send(inject_with(Rule(row.address, status=status)), method, TARGET)
            ids = ids_of(answer, row)
            assert (answer.status, answer.body) == (status, b"")
            check_headers(row, status, answer, length=0, ids=ids, marks=MARKS, method=method)


@each_vendor
def test_a_status_of_the_users_own(vendor, send, inject_with, subtests):
    """`status=` replaces the documented status and nothing else."""
    row = vendors.get(vendor).errors[0]
    for status in (200, 201, 301, 307, 400, 418, 429, 567, 599):
        with subtests.test(status=status):
            answer = send(inject_with(Rule(row.address, status=status)), "GET", TARGET)
            ids = ids_of(answer, row)
            assert answer.status == status
            check_headers(row, status, answer, length=len(answer.body), ids=ids, marks=MARKS)
            if not without_body(row, status):
                check_body(answer, row, row.message, status, RESOURCES.get(vendor), ids)


@each_row(
    ("vendor", "host", "target", "resource"),
    [
        ("cos", "127.0.0.1", "/", "/"),
        ("cos", "photos-1250000000.cos.ap-guangzhou.myqcloud.com", "/a/b?x=1", "/a/b"),
        ("cos", "photos-1250000000.cos.ap-guangzhou.myqcloud.com", "/%E7%8C%AB", "/%E7%8C%AB"),
        ("jss", "127.0.0.1", "/", "/"),
        ("jss", "127.0.0.1", "/photos", "/photos"),
        ("jss", "127.0.0.1", "/photos/?uploads", "/photos"),
        ("jss", "photos.storage.jd.com", "/", "/photos"),
        ("jss", "photos.storage.jd.com", "/a/%E7%8C%AB", "/photos/a/猫"),
        ("qiniu-mix", "127.0.0.1", "/", "/"),
        ("qiniu-mix", "127.0.0.1", "/mybucket", "mybucket"),
        ("qiniu-mix", "127.0.0.1", "/mybucket/", "mybucket"),
        ("qiniu-mix", "mybucket.mix-api.qiniu.com", "/", "mybucket"),
        ("qiniu-mix", "mybucket.mix-api.qiniu.com:80", "/a/b", "/mybucket/a/b"),
    ],
)
def test_resource_of_a_request(vendor, host, target, resource, send, inject_with):
    """The resource is read off path-style and virtual-host requests, in each vendor's form."""
    row = next(each for each in vendors.get(vendor).errors if each.status == 403)
    answer = send(inject_with(row.address), "GET", target, headers=[(b"host", host.encode())])
    fields = {name.lower(): value for name, value in parse(answer.header("Content-Type"), answer.body)}
    assert fields["resource"] == resource
