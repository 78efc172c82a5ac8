"""An error's body, ids and headers are the vendor's, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from xml.etree import ElementTree

import pytest

from faultinject import vendors
from tests.first_vendors import FIRST_VENDORS
from tests.rows import row_by_row

COS_IDS = {
    "request_id": "NmE1ZTBkYzBfMTI4MTk3Y2FfMWJjYV9mYWNhYmQ=",
    "trace_id": (
        "OGVmYzZiMmQzYjA2OWNhODk0NTRkMTBiOWVmMDAxODc1NGE1OWI5ZjIyYjBiODA4ODBkODQyN2U1NDhiN2MyM2FiZDg3MzQ4NmUxZjAzNWRj"
        "ZTljZDY5N2U4NTE3NTAzM2NhYTg4ZTZkNTdiYzM1ZWZhZTBiNWFmZDMxNDVmMzE="
    ),
}
COS_BODY = (
    "<?xml version='1.0' encoding='utf-8' ?>\n"
    "<Error>\n"
    "\t<Code>{}</Code>\n"
    "\t<Message>{}</Message>\n"
    "\t<Resource>/bucket/photos/cat.jpg</Resource>\n"
    "\t<RequestId>NmE1ZTBkYzBfMTI4MTk3Y2FfMWJjYV9mYWNhYmQ=</RequestId>\n"
    "\t<TraceId>OGVmYzZiMmQzYjA2OWNhODk0NTRkMTBiOWVmMDAxODc1NGE1OWI5ZjIyYjBiODA4ODBkODQyN2U1NDhiN2MyM2FiZDg3MzQ4NmUx"
    "ZjAzNWRjZTljZDY5N2U4NTE3NTAzM2NhYTg4ZTZkNTdiYzM1ZWZhZTBiNWFmZDMxNDVmMzE=</TraceId>\n"
    "</Error>\n\n"
)
SAMPLES = [
    ("cos:SlowDown", COS_IDS, 429, COS_BODY.format("SlowDown", "Reduce your request rate")),
    ("cos:NoSuchKey", COS_IDS, 439, COS_BODY.format("NoSuchKey", "The specified key does not exist.")),
    (
        "qingstor:too_many_buckets",
        {"request_id": "8e35c2cd3bf6641b"},
        204,
        '{"code":"too_many_buckets","message":"You created too many buckets, please open ticket to apply more quota.",'
        '"request_id":"8e35c2cd3bf6641b","url":"http://docs.qingcloud.com/qingstor/api/error_code.html"}',
    ),
    (
        "jss:SlowDown",
        {"request_id": "189F40034BE7A199"},
        131,
        '{"code":"SlowDown","message":"Please reduce your request rate.","resource":"/bucket/photos/cat.jpg",'
        '"requestId":"189F40034BE7A199"}',
    ),
    (
        "jss:NoSuchKey",
        {"request_id": "189F40034BE7A199"},
        133,
        '{"code":"NoSuchKey","message":"The specified key does not exist.","resource":"/bucket/photos/cat.jpg",'
        '"requestId":"189F40034BE7A199"}',
    ),
    (
        "qiniu-mix:SlowDown",
        {"request_id": "6a5e0dc062c66a7a5dd70c31"},
        133,
        '{"code":"SlowDown","message":"Reduce your request rate.","resource":"/bucket/photos/cat.jpg",'
        '"request_id":"6a5e0dc062c66a7a5dd70c31"}',
    ),
    (
        "qiniu-mix:NoSuchKey",
        {"request_id": "6a5e0dc062c66a7a5dd70c31"},
        142,
        '{"code":"NoSuchKey","message":"The specified key does not exist.","resource":"/bucket/photos/cat.jpg",'
        '"request_id":"6a5e0dc062c66a7a5dd70c31"}',
    ),
    (
        "gateway:ServiceUnavailable",
        {},
        190,
        "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n"
        "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n",
    ),
]


@row_by_row(("address", "ids", "length", "body"), SAMPLES, ids=[each[0] for each in SAMPLES])
def test_sample(address, ids, length, body):
    """With fixed ids the body is the published sample's, to the last byte."""
    row = vendors.find(address)
    vendor = vendors.get(row.vendor)
    resource = vendor.resource and vendor.resource("bucket", "photos/cat.jpg", "/bucket/photos/cat.jpg")
    rendered = vendor.render(
        code=row.code, message=row.message, status=row.status, resource=resource, ids=ids
    )
    assert (rendered, len(rendered)) == (body.encode(), length)


@pytest.mark.parametrize(
    ("code", "message", "length"),
    [("service_unavailable", "UNVERIFIED-MESSAGE", 156), ("object_not_exists", "UNVERIFIED-MESSAGE", 154)],
)
def test_qingstor_sample_lengths(code, message, length):
    """The two QingStor samples whose text nobody has published have these lengths around a stand-in."""
    ids = {"request_id": "8e35c2cd3bf6641b"}
    assert len(vendors.get("qingstor").render(code=code, message=message, status=503, ids=ids)) == length


def test_mix_example_of_the_document():
    """The document's own example, values and order."""
    mix = vendors.get("qiniu-mix")
    row = mix.find("NoSuchBucket")
    body = mix.render(
        code=row.code,
        message=row.message,
        status=row.status,
        resource=mix.resource("mybucket", None, "/mybucket"),
        ids={"request_id": "56678dc86e2e4037e9000419"},
    )
    assert list(json.loads(body).items()) == [
        ("code", "NoSuchBucket"),
        ("message", "The specified bucket does not exist."),
        ("resource", "mybucket"),
        ("request_id", "56678dc86e2e4037e9000419"),
    ]


NASTY = [
    ("a&b<c>d'e\"f", "a&b<c>d'e\"f"),
    ("50% %(code)s %%", "50% %(code)s %%"),
    ("图片/猫.jpg", "图片/猫.jpg"),
    ("\ud800|\udc00|x\ud83d", "\ufffd|\ufffd|x\ufffd"),
    ("\ud83d\ude00", "\U0001f600"),
    ("back\\slash", "back\\slash"),
    ("tab\tline\nreturn\r.", "tab\tline\nreturn\r."),
    ("</Message><Code>x</Code>", "</Message><Code>x</Code>"),
    ('","code":"x', '","code":"x'),
    ("&amp;apos;", "&amp;apos;"),
]
FORBIDDEN = "nul\x00 bell\x07 escape\x1b \ufffe\uffff end"


def read_back(vendor, text):
    """What a parser of the vendor's format makes of a message and resource with `text`."""
    found = vendors.get(vendor)
    ids = found.make_ids(bytes(range(64)), 1)
    body = found.render(code="Code", message=text, status=400, resource=text, ids=ids).decode()
    if found.content_type == "application/xml":
        root = ElementTree.fromstring(body)
        return {root.findtext("Message"), root.findtext("Resource")}
    if found.content_type == "text/html":
        title, heading = re.findall("(?s)<(?:title|h1)>400 (.*?)</", body.replace("\r\n", ""))
        assert not re.search("""["'<>]""", title)
        return {html.unescape(title), html.unescape(heading)}
    record = json.loads(body)
    return {record["message"], record.get("resource", record["message"])}


@row_by_row("vendor", FIRST_VENDORS)
def test_values_are_escaped(vendor):
    """No value breaks out of its place; a lone surrogate becomes U+FFFD."""
    for text, expected in NASTY:
        assert read_back(vendor, text) == {expected}, ascii(text)


@row_by_row("vendor", FIRST_VENDORS)
def test_control_characters(vendor):
    """XML and HTML lose the characters that XML forbids; JSON writes controls as escapes and keeps the rest."""
    kept = FORBIDDEN if "json" in vendors.get(vendor).content_type else "nul bell escape  end"
    assert read_back(vendor, FORBIDDEN) == {kept}


def test_how_xml_escapes():
    """COS writes an apostrophe as `&apos;`; a double quote needs no escape in element text."""
    body = vendors.get("cos").render(code="C", message="a&b<c>'\"\r", status=400, resource="/", ids=COS_IDS)
    assert b'<Message>a&amp;b&lt;c&gt;&apos;"&#13;</Message>' in body


@pytest.mark.parametrize("vendor", [each for each in FIRST_VENDORS if each != "gateway"])
def test_other_languages_go_as_utf8(vendor):
    """Text outside ASCII is sent as UTF-8 bytes, not as escapes."""
    found = vendors.get(vendor)
    body = found.render(code="C", message="降低", status=503, resource="/", ids=found.make_ids(bytes(64), 1))
    assert "降低".encode() in body


ENTROPY = [bytes(64), b"\xff" * 64, bytes(range(64)), bytes(range(64, 128))]


@row_by_row("entropy", ENTROPY, ids=["zeros", "ones", "rising", "other"])
@row_by_row("seconds", [0, 0x6A5E0DC0, 2**32 + 5], ids=["epoch", "2026", "2106"])
def test_id_shapes(entropy, seconds):
    """Ids have the vendor's shape and length, whatever is drawn and whatever the clock says."""
    ids = {vendor: vendors.get(vendor).make_ids(entropy, seconds) for vendor in FIRST_VENDORS}
    time = f"{seconds % 2**32:08x}"
    request = base64.b64decode(ids["cos"]["request_id"], validate=True).decode()
    assert re.fullmatch(f"{time}_[0-9a-f]{{8}}_[0-9a-f]{{4}}_[0-9a-f]{{6}}", request)
    trace = base64.b64decode(ids["cos"]["trace_id"], validate=True).decode()
    assert re.fullmatch("8efc6b2d3b069ca89454d10b9ef00187[0-9a-f]{96}", trace)
    assert (len(ids["cos"]["request_id"]), len(ids["cos"]["trace_id"])) == (40, 172)
    assert re.fullmatch("[0-9a-f]{16}", ids["qingstor"]["request_id"])
    assert re.fullmatch("[0-9A-F]{16}", ids["jss"]["request_id"])
    assert re.fullmatch(f"{time}[0-9a-f]{{16}}", ids["qiniu-mix"]["request_id"])
    assert [*ids["cos"]] == ["request_id", "trace_id"]
    assert ids["gateway"] == {}


WITH_IDS = [each for each in vendors.names() if vendors.get(each).make_ids(bytes(64), 0)]


def drawn_ids(vendor, entropy, seconds):
    """The ids that are made anew for each answer: without what never changes, and without the time."""
    make_ids = vendors.get(vendor).make_ids
    others = [make_ids(each, seconds) for each in ENTROPY]
    return {
        name: value
        for name, value in make_ids(entropy, seconds).items()
        if len({each[name] for each in others}) > 1
    }


@row_by_row("vendor", WITH_IDS)
def test_ids_come_from_the_entropy_alone(vendor):
    """The same entropy and second give the same ids; other entropy gives other ones."""
    make_ids = vendors.get(vendor).make_ids
    assert make_ids(ENTROPY[2], 7) == make_ids(ENTROPY[2], 7)
    ids = drawn_ids(vendor, ENTROPY[2], 7)
    assert ids
    assert not {*ids.values()} & {*drawn_ids(vendor, ENTROPY[3], 7).values()}
    assert vendor not in FIRST_VENDORS or [*ids] == [*make_ids(ENTROPY[2], 7)]


@row_by_row("vendor", WITH_IDS)
def test_ids_are_unique_and_of_one_length(vendor):
    """Of 2,000 none comes twice, and the answers of one second are all equally long."""
    seeds = [hashlib.shake_128(bytes([number // 256, number % 256])).digest(64) for number in range(2000)]
    seeds += [bytes(64), b"\xff" * 64]
    ids = [drawn_ids(vendor, seed, 1_763_625_600) for seed in seeds]
    for name in ids[0]:
        assert len({each[name] for each in ids}) == len(seeds), name
    whole = [vendors.get(vendor).make_ids(seed, 1_763_625_600) for seed in seeds]
    assert len({tuple((name, len(value)) for name, value in each.items()) for each in whole}) == 1
    assert all(value.isascii() and value.isprintable() for value in whole[0].values())


@pytest.mark.parametrize("vendor", [each for each in FIRST_VENDORS if each != "gateway"])
def test_every_id_stands_in_the_body_and_in_a_header(vendor):
    """Header ids are the body's ids."""
    found = vendors.get(vendor)
    ids = found.make_ids(ENTROPY[2], 7)
    body = found.render(code="C", message="m", status=400, resource="/", ids=ids).decode()
    assert all(value in body for value in ids.values())
    assert [name for _, name in found.id_headers] == [*ids]


@row_by_row(
    ("vendor", "content_type", "headers"),
    [
        ("cos", "application/xml", ["x-cos-request-id", "x-cos-trace-id"]),
        ("qingstor", "application/json", ["x-qs-request-id"]),
        ("jss", "application/json;charset=UTF-8", ["x-jss-request-id"]),
        ("qiniu-mix", "application/json", ["X-Request-Id"]),
        ("gateway", "text/html", []),
    ],
)
def test_headers(vendor, content_type, headers):
    """Content-Type and the names of the id headers are the vendor's."""
    found = vendors.get(vendor)
    assert (found.id, found.content_type, [name for name, _ in found.id_headers]) == (
        vendor,
        content_type,
        headers,
    )


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [
        ("cos", ["/", "/", "/x", "/b/a%2Fc"]),
        ("jss", ["/", "/", "/b", "/b/a/c"]),
        ("qiniu-mix", ["/", "/", "b", "/b/a/c"]),
    ],
)
def test_resource_forms(vendor, expected):
    """COS names the raw path, never nothing; JSS and MIX bucket and key, MIX a bucket alone without slash."""
    resource = vendors.get(vendor).resource
    requests = [(None, None, ""), (None, None, "/"), ("b", None, "/x"), ("b", "a/c", "/b/a%2Fc")]
    assert [resource(*request) for request in requests] == expected


def test_vendors_without_a_resource():
    """QingStor and a gateway name no resource."""
    assert [vendors.get(vendor).resource for vendor in ("qingstor", "gateway")] == [None, None]


def test_endpoints():
    """The host suffixes below which a bucket stands, most specific first."""
    assert {vendor: vendors.get(vendor).endpoints for vendor in FIRST_VENDORS} == {
        "cos": (
            "cos-internal.*.tencentcos.cn",
            "cos.*.tencentcos.cn",
            "cosrapid.*.myqcloud.com",
            "cos.*.myqcloud.com",
            "ci.*.myqcloud.com",
            "pic.*.myqcloud.com",
            "file.myqcloud.com",
        ),
        "gateway": (),
        "jss": ("storage.jd.com", "storage.jcloud.com", "s-*.jcloud.com", "oss.*.jcloudcs.com"),
        "qingstor": ("s3.*.qingstor.com", "*.qingstor.com"),
        "qiniu-mix": ("mix-api.qiniu.com", "cn-south-1-mix.qiniu.com", "cn-north-1-mix.qiniu.com"),
    }
