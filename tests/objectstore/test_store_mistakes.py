"""Every mistake that the store knows gets each vendor's documented error."""

from __future__ import annotations

import json
import re

import pytest
from werkzeug.test import Client

from faultinject import vendors
from faultinject.objectstore import ObjectStore
from faultinject.objectstore.mistakes import LABELS

VENDORS = sorted(LABELS)
NAMES = {"qingstor": {"uploadId": "upload_id", "partNumber": "part_number"}}


class Visitor:
    """A client that speaks a vendor's dialect, with one bucket, object and upload (parts 1 and 2) to begin with."""

    def __init__(self, vendor, **options):
        self.vendor = vendor
        self.store = ObjectStore(vendor, min_part_bytes=4, **options)
        self.client = Client(self.store)
        self.ask("PUT", "/photos")
        self.ask("PUT", "/photos/there", data=b"0123456789")
        started = self.ask("POST", "/photos/big?uploads").get_data(as_text=True)
        self.upload = re.search(r'(?:<UploadId>|"(?:UploadId|upload_id)":")(\w+)', started)[1]
        self.part(1, b"ab")
        self.part(2, b"cd")

    def ask(self, method, path, **options):
        query_names = NAMES.get(self.vendor, {})
        for ours, theirs in query_names.items():
            path = path.replace(f"{ours}=", f"{theirs}=")
        return self.client.open(path, method=method, **options)

    def part(self, number, data, **options):
        return self.ask(
            "PUT", f"/photos/big?partNumber={number}&uploadId={self.upload}", data=data, **options
        )

    def document(self, kind, rows):
        if kind == "parts":
            name, fields = (
                ("object_parts", ("part_number", "etag"))
                if self.vendor == "qingstor"
                else (
                    "Part",
                    ("PartNumber", "ETag"),
                )
            )
        else:
            name, fields = ("objects", ("key",)) if self.vendor == "qingstor" else ("Object", ("Key",))
        if self.vendor in ("jss", "qingstor"):
            return json.dumps({name: [dict(zip(fields, row, strict=False)) for row in rows]}).encode()
        inner = "".join(
            f"<{name}>" + "".join(f"<{f}>{v}</{f}>" for f, v in zip(fields, row, strict=False)) + f"</{name}>"
            for row in rows
        )
        return f"<X>{inner}</X>".encode()

    def finish(self, *parts):
        data = self.document("parts", parts) if parts else None
        return self.ask("POST", f"/photos/big?uploadId={self.upload}", data=data)


def put(headers=None, data=b"x", **options):
    return lambda v: v.ask("PUT", "/photos/k", headers=headers or {}, data=data, **options)


def meta(v):
    prefix = {"cos": "x-cos-", "jss": "x-jss-", "qingstor": "x-qs-", "qiniu-mix": "x-amz-"}[v.vendor]
    return v.ask("PUT", "/photos/k", headers={f"{prefix}meta-a": "x" * 2048}, data=b"x")


def bucket_with_uploads(v):
    v.ask("DELETE", "/photos/there")
    return v.ask("DELETE", "/photos")


CASES = {
    "argument": lambda v: v.ask("GET", "/photos/there?response-content-type=%0d%0aX:%20y"),
    "bad_digest": put({"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
    "bucket_exists": lambda v: v.ask("PUT", "/photos"),
    "bucket_has_uploads": bucket_with_uploads,
    "bucket_name": lambda v: v.ask("PUT", "/No"),
    "bucket_not_empty": lambda v: v.ask("DELETE", "/photos"),
    "digest": put({"Content-MD5": "not base64"}),
    "document": lambda v: v.ask("POST", "/photos?delete", data=b" " * (2 * 1024 * 1024 + 1)),
    "empty_document": lambda v: v.finish(),
    "full": put(data=b"x" * 6000),
    "incomplete": put(data=b"short", environ_overrides={"CONTENT_LENGTH": "10"}),
    "key_length": lambda v: v.ask("PUT", "/photos/" + "k" * 1025, data=b"x"),
    "length": lambda v: v.ask("PUT", "/photos/k", environ_overrides={"CONTENT_LENGTH": ""}),
    "malformed": lambda v: v.finish(("one", "etag")),
    "metadata": meta,
    "method": lambda v: v.ask("PATCH", "/photos/there"),
    "no_bucket": lambda v: v.ask("PUT", "/nowhere/k", data=b"x"),
    "no_key": lambda v: v.ask("GET", "/photos/gone"),
    "no_upload": lambda v: v.ask("PUT", "/photos/other?partNumber=1&uploadId=" + v.upload, data=b"x"),
    "not_implemented": lambda v: v.ask("GET", "/photos?acl"),
    "part": lambda v: v.finish((1, "0" * 32), (3, "0" * 32)),
    "part_number": lambda v: v.part(10001, b"x"),
    "part_order": lambda v: v.finish((2, "0" * 32), (1, "0" * 32)),
    "precondition": lambda v: v.ask("GET", "/photos/there", headers={"If-Match": '"other"'}),
    "range": lambda v: v.ask("GET", "/photos/there", headers={"Range": "bytes=10-"}),
    "too_many_keys": lambda v: v.ask("POST", "/photos?delete", data=v.document("keys", [("k",)] * 1001)),
    "too_small": lambda v: v.finish(
        (1, "187ef4436122d1cc2f40dc2b92f0eba0"), (2, "6865aeb3a9ed28f9a79ec454b259e5d0")
    ),
    "uri": lambda v: v.ask("GET", "/photos/there", environ_overrides={"PATH_INFO": "/photos/\xff"}),
}


def told(answer):
    text = answer.get_data(as_text=True)
    if answer.content_type == "application/xml":
        return re.search("<Code>(.*?)</Code>", text)[1]
    return json.loads(text)["code"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_mistake_has_a_case(vendor):
    """A new mistake is not forgotten here, nor by a vendor."""
    assert set(CASES) == set(LABELS[vendor])


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("mistake", sorted(CASES))
def test_a_mistake_gets_the_documented_error(vendor, mistake):
    """Status, code, Content-Type and ids are the vendor's; what was held for the request is given back."""
    visitor = Visitor(vendor, max_bytes=8192)
    used = visitor.store.used_bytes
    answer = CASES[mistake](visitor)
    known = vendors.get(vendor)
    row = known.find(LABELS[vendor][mistake])
    assert (answer.status_code, told(answer), answer.content_type) == (
        row.status,
        row.code,
        known.content_type,
    )
    for header, _ in known.id_headers:
        assert answer.headers[header] in answer.get_data(as_text=True)
    if mistake != "bucket_has_uploads":
        assert visitor.store.used_bytes == used


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_full_store_says_so(vendor):
    """The message names the limit, so that nobody takes it for the vendor's own limit."""
    answer = put(data=b"x" * 6000)(Visitor(vendor, max_bytes=8192))
    assert "the embedded store is full (8192 bytes)" in answer.get_data(as_text=True)


@pytest.mark.parametrize("vendor", VENDORS)
def test_head_has_the_headers_of_the_error_and_no_body(vendor):
    """HEAD of a missing object: the GET's status, Content-Type, Content-Length and ids; no byte of body."""
    visitor = Visitor(vendor)
    got, head = (visitor.ask(method, "/photos/gone") for method in ("GET", "HEAD"))
    assert head.data == b""
    assert (head.status, head.headers["Content-Length"]) == (got.status, str(len(got.data)))
    assert [name for name, _ in head.headers] == [name for name, _ in got.headers]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("document", [b"<X>", b"{", b"[]", b"\xff", b'{"objects": 1}', b'{"Object": [1]}'])
def test_documents_that_cannot_be_read(vendor, document):
    """Whatever is not the dialect's document is malformed."""
    answer = Visitor(vendor).ask("POST", "/photos?delete", data=document)
    assert told(answer) == vendors.get(vendor).find(LABELS[vendor]["malformed"]).code


@pytest.mark.parametrize(
    ("vendor", "path", "document"),
    [
        ("cos", "/photos?delete", b"<X/>"),
        ("cos", "/photos?delete", b'<!DOCTYPE X [<!ENTITY a "b">]><X><Object><Key>&a;</Key></Object></X>'),
        ("cos", "/photos/big?uploadId={}", b"<X/>"),
        ("cos", "/photos/big?uploadId={}", b"<a>" * 80_000 + b"</a>" * 80_000),
        ("jss", "/photos?delete", b'{"Object": [{"Key": 1}]}'),
        ("jss", "/photos?delete", b'{"Object": [{"Key": "\\ud800"}]}'),
        ("jss", "/photos/big?uploadId={}", b'{"Part": [{"PartNumber": 1, "ETag": 1}]}'),
        ("jss", "/photos/big?uploadId={}", b'{"Part": [{"PartNumber": 12345678901}]}'),
        ("jss", "/photos/big?uploadId={}", b"[" * 100_000),
    ],
)
def test_documents_that_make_no_sense(vendor, path, document):
    """No keys, entities, keys that are no text, ETags that are none, numbers beyond reason, depth without
    end."""
    visitor = Visitor(vendor)
    answer = visitor.ask("POST", path.format(visitor.upload), data=document)
    assert told(answer) == vendors.get(vendor).find(LABELS[vendor]["malformed"]).code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/photos?max-keys=-1", "InvalidArgument"),
        ("/photos?max-keys=many", "InvalidArgument"),
        ("/photos?list-type=2&continuation-token=%C3%BC", "InvalidArgument"),
        ("/photos?list-type=2&continuation-token=abc", "InvalidArgument"),
        ("/gone?uploads", "NoSuchBucket"),
        ("/gone?location", "NoSuchBucket"),
        ("/photos/k?uploadId=gone", "NoSuchUpload"),
        ("/?uploads", "MethodNotAllowed"),
        ("/photos/k?delete", "MethodNotAllowed"),
    ],
)
def test_questions_that_cannot_be_answered(path, code):
    """Bad numbers, foreign tokens, things that are not there, questions asked of the wrong thing."""
    assert told(Visitor("cos").ask("GET", path)) == code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-cos-copy-source": "photos"}, "InvalidArgument"),
        ({"x-cos-copy-source": "gone/k"}, "NoSuchBucket"),
        ({"x-cos-copy-source": "photos/gone"}, "NoSuchKey"),
        (
            {"x-cos-copy-source": "photos/there", "x-cos-copy-source-If-Match": '"other"'},
            "PreconditionFailed",
        ),
        ({"x-cos-copy-source": "photos/there", "x-cos-copy-source-If-None-Match": "*"}, "PreconditionFailed"),
    ],
)
def test_copies_that_cannot_be_made(headers, code):
    """A source that is not there or that the copy's conditions exclude."""
    assert told(Visitor("cos").ask("PUT", "/photos/copy", headers=headers)) == code


@pytest.mark.parametrize(("text", "code"), [("bytes=10-", "InvalidRange"), ("lines=1-2", "InvalidArgument")])
def test_part_copies_that_cannot_be_made(text, code):
    """A range outside the source, and one that is none."""
    headers = {"x-cos-copy-source": "photos/there", "x-cos-copy-source-range": text}
    assert told(Visitor("cos").part(1, b"", headers=headers)) == code


def test_part_numbers_of_jss_and_qingstor():
    """JSS says that there are too many parts; QingStor counts from 0 to 999."""
    assert told(Visitor("jss").part(0, b"x")) == "TooManyParts"
    qingstor = Visitor("qingstor")
    assert qingstor.part(0, b"x").status_code == 201
    assert told(qingstor.part(1000, b"x")) == "max_parts_exceeded"
