"""An error's body, ids and headers are the vendor's, byte for byte."""

import base64
import hashlib
import json
import re

import pytest

from faultinject import vendors
from tests.first_vendors import FIRST_VENDORS
from tests.rows import each_row

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


@each_row(("address", "ids", "length", "body"), SAMPLES)
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
    """Two unpublished QingStor samples have these lengths around a stand-in."""
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


@each_row("vendor", FIRST_VENDORS)
def test_lone_surrogates(vendor):
    """Each becomes U+FFFD: UTF-8 has none, and no answer fails for one."""
    found = vendors.get(vendor)
    ids = found.make_ids(bytes(range(64)), 1)
    body = found.render(code="C", message="\ud800|x\ud83d", status=400, resource="/", ids=ids)
    assert "\ufffd|x\ufffd".encode() in body


def test_how_xml_escapes():
    """COS writes an apostrophe as `&apos;`; `"` needs none; what XML forbids is left out."""
    body = vendors.get("cos").render(
        code="C", message="a\x01\ufffe\uffff&b<c>'\"\r", status=400, resource="/", ids=COS_IDS
    )
    assert b'<Message>a&amp;b&lt;c&gt;&apos;"&#13;</Message>' in body


ENTROPY = [bytes(64), b"\xff" * 64, bytes(range(64)), bytes(range(64, 128))]


def shown_ids(entropy, seconds):
    """The ids of each vendor, those of COS without their base64."""
    made = {vendor: vendors.get(vendor).make_ids(entropy, seconds) for vendor in FIRST_VENDORS}
    made["cos"] = {name: base64.b64decode(text, validate=True).decode() for name, text in made["cos"].items()}
    return {(vendor, name): text for vendor in made for name, text in made[vendor].items()}


@pytest.mark.parametrize("entropy", ENTROPY, ids=["zeros", "ones", "rising", "other"])
@pytest.mark.parametrize("seconds", [0, 0x6A5E0DC0, 2**32 + 5], ids=["epoch", "2026", "2106"])
def test_id_shapes(entropy, seconds):
    """Ids have the vendor's shape and length, whatever is drawn and whatever the clock says.

    A second later the time in two of them is another, and nothing else.
    """
    ids, time = shown_ids(entropy, seconds), f"{seconds % 2**32:08x}"
    shapes = {
        ("cos", "request_id"): f"{time}_[0-9a-f]{{8}}_[0-9a-f]{{4}}_[0-9a-f]{{6}}",
        ("cos", "trace_id"): "8efc6b2d3b069ca89454d10b9ef00187[0-9a-f]{96}",
        ("qingstor", "request_id"): "[0-9a-f]{16}",
        ("jss", "request_id"): "[0-9A-F]{16}",
        ("qiniu-mix", "request_id"): f"{time}[0-9a-f]{{16}}",
    }
    assert {place for place, text in ids.items() if re.fullmatch(shapes[place], text)} == {*shapes}
    later = shown_ids(entropy, seconds + 1)
    timed = {place: text[8:] for place, text in ids.items() if time in shapes[place]}
    assert {place: later[place][8:] for place in timed} == timed
    assert {place: later[place] for place in ids if place not in timed} == {
        place: text for place, text in ids.items() if place not in timed
    }


WITH_IDS = [each for each in vendors.names() if vendors.get(each).make_ids(bytes(64), 0)]


def drawn_ids(vendor, entropy, seconds):
    """The ids that differ between answers, without constants and times."""
    make_ids = vendors.get(vendor).make_ids
    others = [make_ids(each, seconds) for each in ENTROPY]
    return {
        name: value
        for name, value in make_ids(entropy, seconds).items()
        if len({each[name] for each in others}) > 1
    }


@each_row("vendor", WITH_IDS)
def test_ids_come_from_the_entropy_alone(vendor):
    """The same entropy and second give the same ids; other entropy gives other ones."""
    make_ids = vendors.get(vendor).make_ids
    made, ids = make_ids(ENTROPY[2], 7), drawn_ids(vendor, ENTROPY[2], 7)
    assert make_ids(ENTROPY[2], 7) == made
    assert [*ids] == [*made] if vendor in FIRST_VENDORS else ids
    assert not {*ids.values()} & {*drawn_ids(vendor, ENTROPY[3], 7).values()}


@each_row("vendor", WITH_IDS)
def test_a_second_later_only_the_time_in_an_id_is_another(vendor):
    """All that is drawn stays where it stands."""
    for entropy in ENTROPY:
        now, later = (vendors.get(vendor).make_ids(entropy, 0x691EC880 + each) for each in (0, 1))
        for name, value in now.items():
            others = sum(one != other for one, other in zip(value, later[name], strict=True))
            assert others <= len(value) / 2


@each_row("vendor", WITH_IDS)
def test_ids_are_unique_and_of_one_length(vendor):
    """Of 2,000 none comes twice, and the answers of one second are all equally long."""
    seeds = [hashlib.shake_128(bytes([number // 256, number % 256])).digest(64) for number in range(2000)]
    seeds += [bytes(64), b"\xff" * 64]
    ids = [vendors.get(vendor).make_ids(seed, 1_763_625_600) for seed in seeds]
    for name in drawn_ids(vendor, seeds[0], 1_763_625_600):
        assert len({each[name] for each in ids}) == len(seeds), name
    assert len({tuple((name, len(value)) for name, value in each.items()) for each in ids}) == 1
    assert all(value.isascii() and value.isprintable() for value in ids[0].values())
