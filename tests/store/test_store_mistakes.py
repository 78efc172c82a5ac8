"""Every mistake gets the documented error of each vendor that speaks a dialect of S3."""

import json
from hashlib import md5
from itertools import product

import pytest
from werkzeug.test import Client, EnvironBuilder

from faultinject import vendors
from faultinject.store import ObjectStore
from faultinject.store.stores import STORES

from .conftest import VENDORS_MOSTLY_SLOW, begun, client_of, code_of, documented, told

S3 = {"parts": ("Part", "PartNumber", "ETag"), "keys": ("Object", "Key")}
DOCUMENTS = {
    "bos": {"parts": ("parts", "partNumber", "eTag"), "keys": ("objects", "key")},
    "jss": S3,
    "qingstor": {"parts": ("object_parts", "part_number", "etag"), "keys": ("objects", "key")},
    "tos": {"parts": ("Parts", "PartNumber", "ETag"), "keys": ("Objects", "Key")},
}
"""The names of lists and fields in JSON documents; other vendors have S3's XML."""
NAMES = {"qingstor": {"uploadId": "upload_id", "partNumber": "part_number"}}


class Visitor:
    """A client of one dialect, with a bucket, an object and an upload of two parts."""

    def __init__(self, vendor, **options):
        self.vendor = vendor
        self.store = ObjectStore(vendor, **options)
        self.client = Client(self.store)
        self.ask("PUT", "/photos")
        self.ask("PUT", "/photos/there", data=b"0123456789")
        self.upload = begun(self.client, "/photos/big")
        self.part(1, b"ab")
        self.part(2, b"cd")

    def ask(self, method, path, **options):
        for ours, theirs in NAMES.get(self.vendor, {}).items():
            path = path.replace(f"{ours}=", f"{theirs}=")
        return self.client.open(path, method=method, **options)

    def part(self, number, data, **options):
        return self.ask(
            "PUT", f"/photos/big?partNumber={number}&uploadId={self.upload}", data=data, **options
        )

    def document(self, kind, rows):
        name, *fields = DOCUMENTS.get(self.vendor, S3)[kind]
        if self.vendor in DOCUMENTS:
            return json.dumps({name: [dict(zip(fields, row, strict=False)) for row in rows]}).encode()
        inner = "".join(
            f"<{name}>" + "".join(f"<{f}>{v}</{f}>" for f, v in zip(fields, row, strict=False)) + f"</{name}>"
            for row in rows
        )
        return f"<X>{inner}</X>".encode()

    def finish(self, *parts, **options):
        data = self.document("parts", parts) if parts else None
        return self.ask("POST", f"/photos/big?uploadId={self.upload}", data=data, **options)


def put(headers=None, data=b"x", **options):
    return lambda v: v.ask("PUT", "/photos/k", headers=headers or {}, data=data, **options)


def meta(v):
    prefix = STORES[v.vendor].speaks.prefixes[0]
    return v.ask("PUT", "/photos/k", headers={f"{prefix}meta-a": "x" * 2048}, data=b"x")


def bucket_with_uploads(v):
    v.ask("DELETE", "/photos/there")
    return v.ask("DELETE", "/photos")


CASES = {
    "argument": lambda v: v.ask("GET", "/photos/there?response-content-type=%0d%0aX:%20y"),
    "bad_digest": put({"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
    "bucket_exists": lambda v: v.ask(
        "PUT", "/photos", data=b"<CreateBucketConfiguration/>"
    ),  # not S3's first region
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
    "not_implemented": lambda v: v.ask("GET", "/photos?torrent"),
    "object_exists": lambda v: v.ask(
        "PUT",
        "/photos/there",
        headers={f"{STORES[v.vendor].speaks.prefixes[0]}forbid-overwrite": "true"},
        data=b"x",
    ),
    "part": lambda v: v.finish((1, "0" * 32), (3, "0" * 32)),
    "part_number": lambda v: v.part(10001, b"x"),
    "part_order": lambda v: v.finish((2, "0" * 32), (1, "0" * 32)),
    "precondition": lambda v: v.ask("GET", "/photos/there", headers={"If-Match": '"other"'}),
    "range": lambda v: v.ask(
        "GET", "/photos/there", headers={"Range": "bytes=10-", "x-oss-range-behavior": "standard"}
    ),
    "too_many_keys": lambda v: v.ask("POST", "/photos?delete", data=v.document("keys", [("k",)] * 1001)),
    "uri": lambda v: v.ask("GET", "/photos/there", environ_overrides={"PATH_INFO": "/photos/\xff"}),
    "version": lambda v: v.ask("GET", "/photos/there?versionId=bogus"),
}


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_a_mistake_gets_the_documented_error(vendor):
    """Status, code, Content-Type and ids are the vendor's, and reserved space is released."""
    assert set(CASES) == set(STORES[vendor].mistakes)
    known = vendors.get(vendor)
    envelope = known.read_template(known.form)
    shown = [header for header, name in known.id_headers if f"%({name})s".encode() in envelope]
    found, expected = {}, {}
    for mistake, case in CASES.items():
        if (vendor, mistake) == ("s3", "bucket_has_uploads"):
            continue  # Amazon's own deletes them
        visitor = Visitor(vendor, max_bytes=8192)
        used = visitor.store.buckets.used
        answer = case(visitor)
        row = known.find(STORES[vendor].mistakes[mistake])
        body = answer.get_data(as_text=True)
        ids = [answer.headers[header] in body for header in shown]
        kept = visitor.store.buckets.used - used if mistake != "bucket_has_uploads" else 0
        found[mistake] = (answer.status_code, code_of(answer), answer.content_type, ids, kept)
        expected[mistake] = (row.status, row.code, known.content_type, [True] * len(ids), 0)
    assert found == expected


def test_what_is_just_allowed():
    """A key, metadata, a list of keys and memory, each at its bound."""
    visitor = Visitor("s3")
    asked = (put({"x-amz-meta-a": "x" * 2047}), lambda v: v.ask("PUT", f"/photos/{'k' * 1024}", data=b"x"))
    assert [case(visitor).status_code for case in asked] == [200, 200]
    names = visitor.document("keys", [("k",)] * 1000)
    assert visitor.ask("POST", "/photos?delete", data=names).status_code == 200
    put()(visitor := Visitor("s3"))
    used = visitor.store.buckets.used
    allowed = [put()(Visitor("s3", max_bytes=used - less)).status_code == 200 for less in (0, 1)]
    assert allowed == [True, False]


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_where_a_body_goes_is_judged_first(vendor):
    """A missing bucket or upload is the mistake told, also if the body is damaged."""
    visitor, damaged = Visitor(vendor), {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    other = f"/photos/other?partNumber=1&uploadId={visitor.upload}"
    for path, mistake in (("/nowhere/k", "no_bucket"), (other, "no_upload"), ("/photos/k", "bad_digest")):
        assert told(visitor.ask("PUT", path, headers=damaged, data=b"x")) == documented(vendor, mistake)


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_a_part_that_is_named_twice(vendor):
    """It is out of order, also with the right ETags; the upload is still there."""
    visitor, etag = Visitor(vendor), md5(b"ab").hexdigest()
    assert told(visitor.finish((1, etag), (1, etag))) == documented(vendor, "part_order")
    assert visitor.finish((1, etag), (2, md5(b"cd").hexdigest())).status_code < 300
    assert visitor.ask("GET", "/photos/big").data == b"abcd"


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_a_full_store_says_so(vendor):
    """The message names the limit, so that nobody takes it for the vendor's own limit."""
    answer = put(data=b"x" * 6000)(Visitor(vendor, max_bytes=8192))
    assert "the embedded store is full (8192 bytes)" in answer.get_data(as_text=True)


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_head_has_the_headers_of_the_error_and_no_body(vendor):
    """HEAD of a missing object has the GET's status, headers and ids, and no body.

    Some vendors answer HEAD in another way, which their own tests check.
    """
    visitor = Visitor(vendor)
    got, head = (visitor.ask(method, "/photos/gone") for method in ("GET", "HEAD"))
    assert (head.data, head.status) == (b"", got.status)
    known = vendors.get(vendor)
    if not known.bare_head and not any(each.place in ("head", "body") for each in known.extras):
        assert head.headers["Content-Length"] == str(len(got.data))
        assert [name for name, _ in head.headers] == [name for name, _ in got.headers]


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_documents_that_cannot_be_read(vendor):
    """Whatever is not the dialect's document is malformed."""
    visitor = Visitor(vendor)
    documents = [b"<X>", b"{", b"[]", b"\xff", b'{"objects": 1}', b'{"Object": [1]}']
    answers = [visitor.ask("POST", "/photos?delete", data=document) for document in documents]
    assert [told(answer) for answer in answers] == [documented(vendor, "malformed")] * len(documents)


END, PART = "/photos/big?uploadId={}", "/photos/big?partNumber=1&uploadId={}"
SENSELESS = [
    # No keys, entities, keys that are no text, ETags that are none or not there, numbers beyond reason, depth without
    # end.
    ("cos", "/photos?delete", b"<X/>"),
    ("cos", "/photos?delete", b'<!DOCTYPE X [<!ENTITY a "b">]><X><Object><Key>&a;</Key></Object></X>'),
    ("cos", END, b"<X/>"),
    ("s3", END, b"<X><Part><PartNumber>1</PartNumber></Part></X>"),
    ("cos", END, b"<a>" * 80_000 + b"</a>" * 80_000),
    ("jss", "/photos?delete", b'{"Object": [{"Key": 1}]}'),
    ("jss", "/photos?delete", b'{"Object": [{"Key": "\\ud800"}]}'),
    ("jss", END, b'{"Part": [{"PartNumber": 1, "ETag": 1}]}'),
    ("jss", END, b'{"Part": [{"PartNumber": 12345678901}]}'),
    ("jss", END, b"[" * 100_000),
]
QUESTIONS = [
    # Bad numbers, foreign tokens, missing things and misplaced questions.
    ("/photos?max-keys=-1", "InvalidArgument"),
    ("/photos?max-keys=many", "InvalidArgument"),
    ("/photos?list-type=2&continuation-token=%C3%BC", "InvalidArgument"),
    ("/photos?list-type=2&continuation-token=abc", "InvalidArgument"),
    ("/gone?uploads", "NoSuchBucket"),
    ("/gone?location", "NoSuchBucket"),
    ("/photos/k?uploadId=gone", "NoSuchUpload"),
    ("/?uploads", "MethodNotAllowed"),
    ("/photos/k?delete", "MethodNotAllowed"),
]
COPIES = [
    # A source that is missing or excluded, and a wrong range of a part.
    ("/photos/copy", {"": "photos"}, "InvalidArgument"),
    ("/photos/copy", {"": "gone/k"}, "NoSuchBucket"),
    ("/photos/copy", {"": "photos/gone"}, "NoSuchKey"),
    ("/photos/copy", {"": "photos/there", "-If-Match": '"other"'}, "PreconditionFailed"),
    ("/photos/copy", {"": "photos/there", "-If-None-Match": "*"}, "PreconditionFailed"),
    (PART, {"": "photos/there", "-range": "bytes=10-"}, "InvalidRange"),
    (PART, {"": "photos/there", "-range": "lines=1-2"}, "InvalidArgument"),
]


@pytest.mark.parametrize(
    ("vendor", "method", "path", "options", "code"),
    [
        *(
            (vendor, "POST", path, {"data": document}, documented(vendor, "malformed")[1])
            for vendor, path, document in SENSELESS
        ),
        *(("cos", "GET", path, {}, code) for path, code in QUESTIONS),
        *(
            (
                "cos",
                "PUT",
                path,
                {"headers": {f"x-cos-copy-source{name}": given[name] for name in given}},
                code,
            )
            for path, given, code in COPIES
        ),
    ],
)
def test_what_cannot_be_done(vendor, method, path, options, code):
    """Senseless documents, unanswerable questions and impossible copies get their errors."""
    visitor = Visitor(vendor)
    assert code_of(visitor.ask(method, path.format(visitor.upload), **options)) == code


@pytest.mark.parametrize(
    ("vendor", "number", "said"),
    [
        ("jss", 0, "TooManyParts"),
        # QingStor counts from 0 to 999.
        ("qingstor", 0, ""),
        ("qingstor", 1000, "max_parts_exceeded"),
        # MinIO documents InvalidArgument 39 times, once for it.
        ("minio", 0, "<Message>Part number must be an integer between 1 and 10000, inclusive</Message>"),
        ("tos", 10001, "InvalidPartNumber"),
    ],
)
def test_what_is_wrong_with_a_part_number(vendor, number, said):
    """Vendors have a code for it, or say that there are too many parts."""
    answer = Visitor(vendor).part(number, b"x")
    assert (answer.status_code == 201, said in answer.text) == (said == "", True)


def test_a_query_that_is_no_utf_8_is_refused():
    """Servers hand such bytes on as they came."""
    found = {}
    paths, queries = ("/storage/v1/b", "/account/photos"), ("prefix=\xff", "prefix=%ff")
    for vendor, path, query in product(STORES, paths, queries):
        environ = EnvironBuilder(path, method="GET").get_environ()
        environ["QUERY_STRING"] = query
        _, status, _ = Client(ObjectStore(vendor)).run_wsgi_app(environ)
        expected, _ = documented(vendor, "uri")
        if not status.startswith(f"{expected} "):
            found[vendor, query] = status, expected
    assert found == {}


def test_a_decoded_length_beyond_all_bounds():
    """Python reads no more than 4,300 digits, and says so by an error."""
    headers = {"x-amz-content-sha256": "STREAMING-X", "x-amz-decoded-content-length": "9" * 5000}
    client = client_of("s3")
    assert client.put("/photos/k", data=b"1\r\nx\r\n0\r\n\r\n", headers=headers).status_code == 200


COMPLETES_AGAIN = {
    "s3": True,  # https://github.com/minio/minio/issues/13318, https://github.com/adobe/S3Mock/issues/2586
    "rgw": True,  # Ceph, src/rgw/rgw_op.cc, RGWCompleteMultipart::check_previously_completed
    "gcs-xml": True,  # https://github.com/getsentry/objectstore/pull/575
    "minio": False,  # https://github.com/minio/minio/issues/13318: working as intended
    "r2": False,  # Cloudflare's simulator, miniflare, workers/r2/bucket.worker.ts, completeMultipartUpload
    "oss": False,  # https://github.com/ali-sdk/ali-oss/issues/1194; the id is void then, says CompleteMultipartUpload
    "cos": False,  # https://github.com/tencentyun/cos-java-sdk-v5/pull/96
    # Nothing was found of these.
    **dict.fromkeys(("bos", "jdcloud", "jss", "kodo-s3", "obs", "qingstor", "qiniu-mix", "tos"), False),
}
"""Whether a vendor answers a repeated CompleteMultipartUpload as it answered the first."""


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_a_repeated_end_of_an_upload(vendor):
    """A repeated end of an upload gets the same answer, or an error once the upload is gone.

    It never gets an object that is another one.
    """
    visitor = Visitor(vendor)
    part = (1, visitor.part(1, b"meow").headers["ETag"].strip('"'))
    first = visitor.finish(part)
    again = visitor.finish(part, headers={"If-None-Match": "*"})
    gone = visitor.finish((1, "0" * 32))
    visitor.ask("PUT", "/photos/big", data=b"other")
    overwritten = visitor.finish(part)
    visitor.ask("DELETE", "/photos/big")
    deleted = visitor.finish(part)
    refused = documented(vendor, "no_upload")
    assert [told(each) for each in (gone, overwritten, deleted)] == [refused] * 3
    if COMPLETES_AGAIN[vendor]:
        seen = [(each.status_code, each.headers["ETag"], each.data) for each in (first, again)]
        assert seen[0] == seen[1]
    else:
        assert told(again) == refused
