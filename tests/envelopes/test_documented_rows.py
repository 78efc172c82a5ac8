"""Every documented row goes through WSGI and ASGI and comes back whole from parsers that are not ours."""

from __future__ import annotations

import pytest

from faultinject import Rule, vendors
from faultinject.exceptions import ConfigurationError

ROWS = [row for name in vendors.names() for row in vendors.get(name).errors]
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
TIMES = {("cos", "request_id"): "691eca80", ("qiniu-mix", "request_id"): "691eca80"}
TIMES["cos", "trace_id"] = "8efc6b2d3b069ca89454d10b9ef00187"
MARKS = [("x-faultinject", "rule-1"), ("Cache-Control", "no-store")]

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.address)
each_vendor = pytest.mark.parametrize("vendor", vendors.names())


def rule_of(row, **more):
    """A rule for the row; where the document gives no status, one is chosen here."""
    return Rule(row.address, **({"status": 400} if row.status is None else {}), **more)


def expected_headers(send, vendor, body, ids, marks):
    found = vendors.get(vendor)
    headers = [("Content-Type", found.content_type), ("Content-Length", str(len(body)))]
    headers += [(name, ids[which]) for name, which in found.id_headers]
    headers += marks
    return [(name.lower(), value) for name, value in headers] if send.lower_case else headers


def ids_of(answer, vendor, id_shape):
    ids = {which: answer.header(name) for name, which in vendors.get(vendor).id_headers}
    shapes = {(vendor, which): id_shape(vendor, which, value) for which, value in ids.items()}
    assert shapes == {place: TIMES.get(place, "") for place in shapes}
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


@each_row
def test_row(row, send, inject_with, read_back, id_shape):
    """Status, headers and every field of the body are the document's, ids agree, and the journal knows it all."""
    injector = inject_with(rule_of(row))
    answer = send(injector, "GET", TARGET)
    status = row.status or 400
    ids = ids_of(answer, row.vendor, id_shape)
    assert answer.status == status
    assert answer.headers == expected_headers(send, row.vendor, answer.body, ids, MARKS)
    fields = read_back(answer.header("Content-Type"), answer.body)
    if row.vendor in FIELDS:
        resource = RESOURCES.get(row.vendor)
        assert fields == expected_fields(row.vendor, row, row.message, status, resource, ids)
    else:
        assert {row.code, row.message, *ids.values()} & {value for _, value in fields}
    for _, value in fields:
        assert not any(mark in value for mark in ("\t", "\u3000", "](", "`"))
        assert value == value.strip()
    [outcome] = injector.journal.outcomes
    assert (outcome.fault, outcome.did, outcome.status, outcome.response_bytes, outcome.request_id) == (
        row.address,
        "answered",
        status,
        len(answer.body),
        ids.get("request_id"),
    )
    assert injector.errors == []


@each_row
def test_head_of_a_row(row, send, inject_with, id_shape):
    """HEAD gets the status and the headers of GET, ids and Content-Length too, and not one byte of body."""
    got = send(inject_with(rule_of(row)), "GET", TARGET)
    head = send(inject_with(rule_of(row)), "HEAD", TARGET)
    ids = ids_of(head, row.vendor, id_shape)
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers == expected_headers(send, row.vendor, got.body, ids, MARKS)
    assert not {*ids.values()} & {*ids_of(got, row.vendor, id_shape).values()}


@each_row
def test_row_without_our_marks(row, send, inject_with, read_back, id_shape):
    """With FAULTINJECT_HEADER=0 nothing but the vendor's own bytes is left."""
    answer = send(inject_with(rule_of(row), FAULTINJECT_HEADER="0"), "GET", TARGET)
    ids = ids_of(answer, row.vendor, id_shape)
    assert answer.headers == expected_headers(send, row.vendor, answer.body, ids, [])
    read_back(answer.header("Content-Type"), answer.body)


@pytest.mark.parametrize("row", [row for row in ROWS if row.status is None], ids=lambda row: row.address)
def test_row_without_status_is_refused(row):
    """A row that documents no status is not given one in silence."""
    with pytest.raises(ConfigurationError) as caught:
        Rule(row.address)
    [problem] = caught.value.problems
    assert problem.message == f"{row.address} is documented without a status; give one, such as status=400"


def test_the_peculiar_statuses_are_among_the_rows():
    """The rows above cover success, redirects and a status that HTTP does not know."""
    assert {row.status for row in ROWS} >= {None, 200, 301, 307, 412, 501, 503, 567}


@each_vendor
@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_statuses_without_a_body(vendor, status, method, send, inject_with, id_shape):
    """204, 205 and 304 have neither body nor Content-Type; ids and marks stay, and 205 says that it is empty."""
    row = vendors.get(vendor).errors[0]
    answer = send(inject_with(Rule(row.address, status=status)), method, TARGET)
    ids = ids_of(answer, vendor, id_shape)
    length = [("Content-Length", "0")] if status == 205 else []
    headers = [*length, *((name, ids[which]) for name, which in vendors.get(vendor).id_headers), *MARKS]
    if send.lower_case:
        headers = [(name.lower(), value) for name, value in headers]
    assert answer == (status, headers, b"")


@each_vendor
@pytest.mark.parametrize("status", [200, 201, 301, 307, 400, 418, 429, 567, 599])
def test_a_status_of_the_users_own(vendor, status, send, inject_with, read_back, id_shape):
    """`status=` replaces the documented status and nothing else."""
    row = vendors.get(vendor).errors[0]
    answer = send(inject_with(Rule(row.address, status=status)), "GET", TARGET)
    ids = ids_of(answer, vendor, id_shape)
    assert answer.status == status
    assert answer.headers == expected_headers(send, vendor, answer.body, ids, MARKS)
    fields = read_back(answer.header("Content-Type"), answer.body)
    if vendor in FIELDS:
        assert fields == expected_fields(vendor, row, row.message, status, RESOURCES.get(vendor), ids)


@each_vendor
def test_message_and_resource_of_the_users_own(vendor, send, inject_with, read_back, id_shape):
    """`message=` and `resource=` replace the documented ones; the length is counted in bytes."""
    row = vendors.get(vendor).errors[0]
    rule = rule_of(row, message="慢一点 & <\"'>", resource="/图片/猫")
    answer = send(inject_with(rule), "GET", TARGET)
    ids = ids_of(answer, vendor, id_shape)
    assert int(answer.header("Content-Length")) == len(answer.body) > len(answer.body.decode())
    fields = read_back(answer.header("Content-Type"), answer.body)
    if vendor in FIELDS:
        assert fields == expected_fields(vendor, row, "慢一点 & <\"'>", answer.status, "/图片/猫", ids)


@pytest.mark.parametrize(
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
def test_resource_of_a_request(vendor, host, target, resource, send, inject_with, read_back):
    """The resource is read off the request, path style and virtual-host style, each vendor in its own form."""
    row = next(each for each in vendors.get(vendor).errors if each.status == 403)
    answer = send(inject_with(row.address), "GET", target, headers=[(b"host", host.encode())])
    fields = {name.lower(): value for name, value in read_back(answer.header("Content-Type"), answer.body)}
    assert fields["resource"] == resource


@each_vendor
def test_a_group_answers_with_whole_rows(vendor, send, inject_with, read_back, id_shape):
    """`@all`: code, status and message belong together, no answer holds anything of the one before, rows 1 only."""
    injector = inject_with(f"{vendor}:@all")
    rows = {row.address: row for row in vendors.get(vendor).group("@all")}
    seen = set()
    for number in range(400):
        path = f"/photos/{number}%25s" if number % 3 else f"/photos/{number}/%E7%8C%AB%26"
        answer = send(injector, "HEAD" if number % 5 == 0 else "GET", path)
        [outcome] = injector.journal.outcomes
        injector.journal.clear()
        seen.add(outcome.fault)
        row = rows[outcome.fault]
        ids = ids_of(answer, vendor, id_shape)
        assert (answer.status, outcome.request_id) == (row.status, ids.get("request_id"))
        if outcome.method == "HEAD":
            assert answer.body == b""
            continue
        assert answer.headers == expected_headers(send, vendor, answer.body, ids, MARKS)
        fields = read_back(answer.header("Content-Type"), answer.body)
        resource = path if vendor == "cos" else path.replace("%25", "%").replace("%E7%8C%AB%26", "猫&")
        if vendor in FIELDS:
            assert fields == expected_fields(vendor, row, row.message, row.status, resource, ids)
    assert len(seen) > 0.9 * len(rows)
