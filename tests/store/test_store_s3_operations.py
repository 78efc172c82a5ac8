"""A relative of S3 does what it is asked, or refuses; it never does something else."""

import re
from itertools import product
from xml.etree import ElementTree

import pytest
from werkzeug.test import Client

from faultinject import vendors
from faultinject.store import ObjectStore
from faultinject.store.s3 import NEVER_SET
from faultinject.store.stores import STORES
from faultinject.vendors.operations import operations_of

from .conftest import S3_VENDORS, VENDORS_MOSTLY_SLOW, begun, client_of, documented, told

HANDLED = {
    "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket", "CreateMultipartUpload",
    "DeleteBucket", "DeleteObject", "DeleteObjects", "GetBucketLocation", "GetBucketVersioning", "GetObject", "HeadBucket", "HeadObject",
    "ListBuckets", "ListMultipartUploads", "ListObjects", "ListObjectsV2", "ListParts", "PutObject", "UploadPart",
    "UploadPartCopy",
}  # fmt: skip
OWN = {"obs": {"GetApiVersion"}, "oss": {"GetObjectMeta"}, "s3": {"GetBucketAcl", "GetObjectAcl"}}
PLACES = {"service": "/", "bucket": "/bare", "object": "/photos/there"}


class Known:
    """A client of a store that has an empty bucket, and another with an object."""

    def __init__(self, vendor):
        self.store = ObjectStore(vendor, clock=lambda: 1_784_548_800)
        self.client = Client(self.store)
        for path in ("/bare", "/photos", "/photos/there"):
            self.client.put(path, data=b"content" if path.count("/") == 2 else b"")
        self.before = self.seen()

    def ask(self, method, place, query=(), headers=None, host="127.0.0.1"):
        asked = "&".join(each if "=" in each else f"{each}=" for each in query)
        url = f"http://{host}"
        return self.client.open(
            PLACES[place], base_url=url, method=method, query_string=asked, headers=headers, data=b"<a/>"
        )

    def seen(self):
        """Everything that there is to be seen."""
        paths = ("/", "/bare", "/photos", "/bare?uploads", "/photos?uploads", "/photos/there")
        answers = [self.client.get(path) for path in paths]
        return self.store.buckets.used, [(each.status, each.data) for each in answers]


def unwanted(vendor, requests, wrong, *, at_once=1):
    """The failures of requests that must change nothing, by name and request.

    Args:
        vendor: whose store it is.
        requests: names, each with what `Known.ask` takes.
        wrong: what is wrong with an answer, if anything, by name, request and answer.
        at_once: after how many requests the store is looked at, which takes longer than to ask.
    """
    known, found = Known(vendor), {}
    for at in range(0, len(requests), at_once):
        for name, asked in requests[at : at + at_once]:
            if problem := wrong(name, asked, known.ask(*asked)):
                found[name, *asked[:2]] = problem
        if known.seen() != known.before:
            found[tuple(name for name, _ in requests[at : at + at_once])] = "changed by one of them"
            known = Known(vendor)
    return found


def forms(vendor):
    """Every form of every operation that rules know the vendor's requests by."""
    known = vendors.get(vendor)
    for row in operations_of(known).rows:
        headers = {}
        for each in row.header:
            name, _, value = each.partition("=")
            headers[name if name.startswith("x-") else known.prefix + name] = value or "x"
        host = row.host.replace("*", "us-east-1.amazonaws.com") or "127.0.0.1"
        yield row.operation, (row.method, row.level, row.query, headers, host)


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_what_the_store_has_not_is_refused(vendor):
    """Operations that the store lacks are refused, and change nothing.

    An exception is a question for a setting that was never made: if the vendor documents an error for that, it is the
    answer.
    """
    refused, _ = documented(vendor, "not_implemented")
    those, had = [*forms(vendor)], HANDLED | OWN.get(vendor, set())
    known = {each.label: each for each in vendors.get(vendor).errors}

    def wrong(name, asked, answer):
        said = "" if asked[0] == "HEAD" else answer.text
        unset = known.get(NEVER_SET.get(name))
        status, words = refused, f"the embedded store does not support {name}" if said else ""
        if unset is not None:
            status, words = unset.status, unset.code
        return None if answer.status_code == status and words in said else (answer.status, said)

    assert unwanted(vendor, [each for each in those if each[0] not in had], wrong, at_once=10) == {}
    assert {name for name, _ in those} > had


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_parts_are_parts(vendor):
    """An unknown upload changes no object, whatever its parameters are called."""
    asked = [
        (
            name,
            (method, place, [f"{each}=1" for each in query], dict.fromkeys(headers, "/photos/there"), host),
        )
        for name, (method, place, query, headers, host) in forms(vendor)
        if "Part" in name or name.endswith("MultipartUpload")
        if any("pload" in each and each != "uploads" for each in query)
    ]
    assert len(asked) >= 5
    assert (
        unwanted(vendor, asked, lambda name, asked, answer: answer.status_code < 400 and answer.status) == {}
    )


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_what_no_table_has_is_refused_too(vendor):
    """A lone name in the query makes another request, which is refused.

    The founding vendors' tables have none of these names.
    """
    names = (
        "append",
        "cname",
        "domain",
        "image",
        "mirror",
        "origin",
        "referer",
        "stats",
        "symlink",
        "analytics",
    )
    asked = product(
        ("GET", "PUT", "POST", "DELETE", "HEAD"), ("bucket", "object"), [(name,) for name in names]
    )
    those = [(name, (method, place, name)) for method, place, name in asked]
    found = unwanted(
        vendor, those, lambda name, asked, answer: answer.status_code < 400 and answer.status, at_once=10
    )
    assert found == {}


EMPTY = (
    "prefix=&marker=&delimiter=&max-keys=&encoding-type=",
    "list-type=2&start-after=&continuation-token=&fetch-owner=",
    "uploads&key-marker=&upload-id-marker=&prefix=&max-uploads=",
    "q-header-list=&q-url-param-list=&X-Amz-Security-Token=&response-expires=",
)


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_parameters_that_may_be_empty(vendor):
    """Listings and signatures in the query accept parameters without a value."""
    known = Known(vendor)
    for sent in EMPTY:
        query = sent
        for ours, theirs in STORES[vendor].speaks.parameters.items():
            query = query.replace(f"{ours}=", f"{theirs}=")
        assert known.client.get(f"/photos?{query}").status_code == 200, query


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_a_single_part(vendor):
    """`partNumber` without an upload reads a part at S3 and MinIO; others refuse it."""
    known = Known(vendor)
    name = STORES[vendor].speaks.parameters.get("partNumber", "partNumber")
    refused, _ = documented(vendor, "not_implemented")
    read = 206 if vendor in ("s3", "minio") else refused
    answers = [known.ask(method, "object", (f"{name}=1",)) for method in ("PUT", "DELETE", "GET", "HEAD")]
    assert [each.status_code for each in answers] == [refused, refused, read, read]
    assert "the embedded store does not support ?partNumber" in answers[0].text
    assert known.seen() == known.before


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_a_bucket_that_is_not_there_comes_first(vendor):
    """SDKs ask for a bucket's access list to know whether it is there."""
    known = Known(vendor)
    answers = [known.client.get(path) for path in ("/missing?acl", "/missing/k?acl")]
    assert [told(each) for each in answers] == [documented(vendor, "no_bucket")] * 2


CHANGING = (
    "ci-process=x", "recursive=true", "reverse=True", "skipTrash=true", "x-bce-process=x", "x-image-process=x",
    "x-oss-async-process=x", "x-oss-process=image/info", "x-tos-process=x",
)  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_values_that_make_a_request_another_one(vendor):
    """Values that change a request's meaning are refused, and ignored if switched off.

    Deleting a whole folder, listing backwards, a smaller image.
    """
    known = Known(vendor)
    refused, _ = documented(vendor, "not_implemented")
    those = product(("GET", "DELETE"), ("bucket", "object"), [(query,) for query in CHANGING])
    requests = [(query, (method, place, (query,))) for method, place, (query,) in those]
    found = unwanted(
        vendor, requests, lambda name, asked, answer: answer.status_code != refused and answer.status
    )
    assert found == {}
    assert known.ask("GET", "bucket", ("reverse=False", "recursive=false")).status_code == 200


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_headers_that_make_a_put_another_one(vendor):
    """An append at an offset; with MinIO, an archive that is to be unpacked."""
    known, speaks = Known(vendor), STORES[vendor].speaks
    refused, _ = documented(vendor, "not_implemented")
    answer = known.ask("PUT", "object", headers={f"{speaks.prefixes[0]}write-offset-bytes": "0"})
    reason = "the embedded store does not support write-offset-bytes"
    assert (answer.status_code, reason in answer.text, known.seen()) == (refused, True, known.before)
    answer = known.ask("PUT", "object", headers={f"{speaks.prefixes[0]}meta-snowball-auto-extract": "true"})
    assert answer.status_code == (refused if vendor == "minio" else speaks.created)


@pytest.mark.parametrize(
    "vendor", [each for each in S3_VENDORS if "xml" in STORES[each].speaks.documents.content_type]
)
def test_the_document_of_a_copied_part(vendor):
    """Its root is another one than a copied object's."""
    client = Known(vendor).client
    upload = begun(client, "/photos/film")
    headers = {STORES[vendor].speaks.prefixes[0] + "copy-source": "/photos/there"}
    places = (f"/photos/film?partNumber=1&uploadId={upload}", "/photos/copy")
    bodies = [client.put(place, headers=headers).get_data(as_text=True) for place in places]
    roots = [re.fullmatch(r"<\?xml.*?\?>\n<(\w+)[ >].*</\1>", each)[1] for each in bodies]
    assert roots == ["CopyPartResult", "CopyObjectResult"]


def test_the_bytes_of_a_copied_part():
    """A copied part has OSS's bytes.

    https://www.alibabacloud.com/help/en/oss/developer-reference/uploadpartcopy
    """
    client = Known("oss").client
    place = f"/photos/film?partNumber=1&uploadId={begun(client, '/photos/film')}"
    assert client.put(place, headers={"x-oss-copy-source": "/photos/there"}).data == (
        b"<?xml version='1.0' encoding='utf-8' ?>\n"
        b'<CopyPartResult><ETag>"9a0364b9e99bb480dd25e1f0284c8555"</ETag>'
        b"<LastModified>2026-07-20T12:00:00.000Z</LastModified></CopyPartResult>"
    )


def test_all_parts_there_are():
    """TOS's header: in their order, no list is read; none at all is no upload to end."""
    client = Known("tos").client
    place, headers = f"/photos/film?uploadId={begun(client, '/photos/film')}", {"x-tos-complete-all": "yes"}
    none = client.post(place, headers=headers)
    for number in (3, 1):
        client.put(f"{place}&partNumber={number}", data=str(number).encode())
    unread = client.post(place, headers={"x-tos-complete-all": "no"})
    done = client.post(place, headers=headers, data=b"no document")
    assert [each.status_code for each in (none, unread, done)] == [400, 400, 200]
    assert client.get("/photos/film").data == b"13"


def test_encoded_keys_to_delete():
    """Percent-encoded by the document's EncodingType, and so in the answer."""
    client = Known("s3").client
    document = "<Delete><EncodingType>url</EncodingType><Object><Key>a+b%2B</Key></Object></Delete>"
    client.put("/photos/a b%2B", data=b"x")
    answer = client.post("/photos?delete", data=document).text
    assert "<EncodingType>url</EncodingType><Deleted><Key>a%20b%2B</Key></Deleted>" in answer
    assert client.get("/photos/a b%2B").status_code == 404


PAGES = {
    "max-keys=1&start-after=x&continuation-token=x": "Name Prefix Marker MaxKeys IsTruncated Contents+Owner",
    "max-keys=2&delimiter=/&marker=0": (
        "Name Prefix Marker MaxKeys Delimiter IsTruncated NextMarker Contents+Owner CommonPrefixes"
    ),
    "max-keys=3&delimiter=/": (
        "Name Prefix Marker MaxKeys Delimiter IsTruncated Contents+Owner Contents+Owner CommonPrefixes"
    ),
    "list-type=2&max-keys=1&marker=x": "Name Prefix KeyCount MaxKeys IsTruncated NextContinuationToken Contents",
    "list-type=2&max-keys=2&delimiter=/&start-after=0": (
        "Name Prefix StartAfter KeyCount MaxKeys Delimiter IsTruncated NextContinuationToken Contents CommonPrefixes"
    ),
    "list-type=2&continuation-token=Yi8=&fetch-owner=true": (
        "Name Prefix ContinuationToken KeyCount MaxKeys IsTruncated Contents+Owner Contents+Owner"
    ),
    "list-type=2&start-after=a&continuation-token=Yw==": (
        "Name Prefix StartAfter ContinuationToken KeyCount MaxKeys IsTruncated Contents"
    ),
    "list-type=2&max-keys=3&fetch-owner=false": "Name Prefix KeyCount MaxKeys IsTruncated Contents Contents Contents",
}
"""The elements of each page of the keys `a`, `b/c` and `d` in Amazon's two listings."""


@pytest.mark.parametrize("query", PAGES)
def test_the_elements_of_a_page(query):
    """Each version has its own marks, and none of the other's; a last page names no next one."""
    client = client_of("s3", **dict.fromkeys(("a", "b/c", "d"), b"x"))
    elements = [
        each.tag.rpartition("}")[2] + ("+Owner" if each.find("{*}Owner") is not None else "")
        for each in ElementTree.fromstring(client.get(f"/photos?{query}").text)
    ]
    assert " ".join(elements) == PAGES[query]


def rows_of(answer, name):
    """Rows of a list in XML or JSON, by field names in lower case without `_`."""
    if "xml" in answer.content_type:
        found = [
            {each.tag.rpartition("}")[2]: each.text for each in row}
            for row in ElementTree.fromstring(answer.text).iterfind(f"{{*}}{name}")
        ]
    else:
        found = next(rows for rows in answer.json.values() if isinstance(rows, list) and rows)
    return [{field.lower().replace("_", ""): value for field, value in row.items()} for row in found]


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_a_list_says_what_each_of_its_objects_says(vendor):
    """ETag, size and time, of objects and of an upload's parts."""
    client = Known(vendor).client
    client.put("/photos/k", data=b"x")
    listed = rows_of(client.get("/photos"), "Contents")
    heads = {key: client.head(f"/photos/{key}").headers for key in ("k", "there")}
    sizes = {key: (int(head["Content-Length"]), head["Last-Modified"]) for key, head in heads.items()}
    assert sizes == {"k": (1, "Mon, 20 Jul 2026 12:00:00 GMT"), "there": (7, "Mon, 20 Jul 2026 12:00:00 GMT")}
    assert [(row["key"], row["etag"].strip('"'), int(row["size"])) for row in listed] == [
        (key, head["ETag"].strip('"'), sizes[key][0]) for key, head in heads.items()
    ]
    assert {row.get("lastmodified", "2026-07-20T12:00:00")[:19] for row in listed} == {"2026-07-20T12:00:00"}
    names = STORES[vendor].speaks.parameters
    place = f"/photos/film?{names.get('uploadId', 'uploadId')}={begun(client, '/photos/film')}"
    tags = [
        client.put(f"{place}&{names.get('partNumber', 'partNumber')}={number}", data=data).headers["ETag"]
        for number, data in ((2, b"four"), (7, b"seven12"))
    ]
    parts = rows_of(client.get(place), "Part")
    assert [(int(row["partnumber"]), row["etag"].strip('"'), int(row["size"])) for row in parts] == [
        (2, tags[0].strip('"'), 4),
        (7, tags[1].strip('"'), 7),
    ]


@pytest.mark.parametrize("vendor", VENDORS_MOSTLY_SLOW)
def test_no_bucket_has_versions(vendor):
    """An unversioned bucket gives a document that is empty but for its root, as in S3."""
    answer = Known(vendor).ask("GET", "bucket", ["versioning"])
    empty = r"(?s)(<\?.*?\?>\s*)?<VersioningConfiguration[^<>]*></VersioningConfiguration>|\{\}"
    assert (answer.status_code, bool(re.fullmatch(empty, answer.text))) == (200, True)


def test_metadata_that_is_sent_twice():
    """Counts twice in its size; the later value is kept."""
    client = client_of("s3")

    def put(size):
        sent = [(b"x-amz-meta-a", b"x" * size), (b"X-Amz-Meta-A", b"y" * size)]
        return client.put("/photos/k", data=b"meow", environ_base={"asgi.scope": {"headers": sent}})

    assert put(1020).status_code == 200
    assert client.get("/photos/k").headers["x-amz-meta-a"] == "y" * 1020
    assert "<Code>MetadataTooLarge</Code>" in put(1500).get_data(as_text=True)
