"""A relative of S3 does what is asked of it, or says that it cannot: never something else in its place."""

from __future__ import annotations

from itertools import product

import pytest
from werkzeug.test import Client

from faultinject import vendors
from faultinject.core.operations import operations_of
from faultinject.objectstore import ObjectStore
from faultinject.objectstore.dialects import DIALECTS
from faultinject.objectstore.labels import LABELS

VENDORS = sorted(DIALECTS)
HANDLED = {
    "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket", "CreateMultipartUpload",
    "DeleteBucket", "DeleteObject", "DeleteObjects", "GetBucketLocation", "GetObject", "HeadBucket", "HeadObject",
    "ListBuckets", "ListMultipartUploads", "ListObjects", "ListObjectsV2", "ListParts", "PutObject", "UploadPart",
    "UploadPartCopy",
}  # fmt: skip
OWN = {"obs": {"GetApiVersion"}, "oss": {"GetObjectMeta"}}
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
        return self.store.used_bytes, [(each.status, each.data) for each in answers]


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


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_the_store_has_not_is_refused(vendor):
    """Every operation of the vendor's tables that the store has not: refused as such, and nothing is changed."""
    refused = vendors.get(vendor).find(LABELS[vendor]["not_implemented"]).status
    known = Known(vendor)
    wrong, names = {}, set()
    for name, form in forms(vendor):
        names.add(name)
        if name in HANDLED | OWN.get(vendor, set()):
            continue
        answer = known.ask(*form)
        told = "" if form[0] == "HEAD" else answer.get_data(as_text=True)
        if answer.status_code != refused or (told and f"the embedded store has no {name}" not in told):
            wrong[name, form] = answer.status, told
        if known.seen() != known.before:
            wrong[name, form] = "changed"
            known = Known(vendor)
    assert wrong == {}
    assert names > HANDLED | OWN.get(vendor, set())


@pytest.mark.parametrize("vendor", VENDORS)
def test_parts_are_parts(vendor):
    """Whatever the parameters are called that name an upload: one that is not there changes no object."""
    known = Known(vendor)
    parts = [form for name, form in forms(vendor) if "Part" in name or name.endswith("MultipartUpload")]
    asked = [form for form in parts if any("pload" in each and each != "uploads" for each in form[2])]
    assert len(asked) >= 5
    wrong = []
    for method, place, query, headers, host in asked:
        named = [f"{each}=1" for each in query]
        answer = known.ask(method, place, named, dict.fromkeys(headers, "/photos/there"), host)
        if answer.status_code < 400 or known.seen() != known.before:
            wrong.append((method, query, answer.status))
            known = Known(vendor)
    assert wrong == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_no_table_has_is_refused_too(vendor):
    """A name alone in the query makes a request one about something else; the founders' tables have none of theirs."""
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
    known = Known(vendor)
    wrong = []
    for name, method, place in product(names, ("GET", "PUT", "POST", "DELETE", "HEAD"), ("bucket", "object")):
        answer = known.ask(method, place, (name,))
        if answer.status_code < 400 or known.seen() != known.before:
            wrong.append((method, place, name, answer.status))
            known = Known(vendor)
    assert wrong == []


@pytest.mark.parametrize(
    "query",
    [
        "prefix=&marker=&delimiter=&max-keys=&encoding-type=",
        "list-type=2&start-after=&continuation-token=&fetch-owner=",
        "uploads&key-marker=&upload-id-marker=&prefix=&max-uploads=",
        "q-header-list=&q-url-param-list=&X-Amz-Security-Token=&response-expires=",
    ],
)
@pytest.mark.parametrize("vendor", VENDORS)
def test_parameters_that_may_be_empty(vendor, query):
    """What clients send without a value, of listings and of signatures in the query."""
    for ours, theirs in DIALECTS[vendor].parameters.items():
        query = query.replace(f"{ours}=", f"{theirs}=")
    assert Known(vendor).client.get(f"/photos?{query}").status_code == 200


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_single_part_is_not_to_be_had(vendor):
    """`partNumber` without an upload asks for a part of a finished object: the store forgets the parts."""
    known = Known(vendor)
    name = DIALECTS[vendor].parameters.get("partNumber", "partNumber")
    refused = vendors.get(vendor).find(LABELS[vendor]["not_implemented"]).status
    answers = [known.ask(method, "object", (f"{name}=1",)) for method in ("GET", "HEAD", "PUT", "DELETE")]
    assert [each.status_code for each in answers] == [refused] * 4
    assert "the embedded store has no ?partNumber" in answers[0].get_data(as_text=True)
    assert known.seen() == known.before


def test_boto3_changes_nothing_by_what_the_store_has_not(serve, boto):
    """RenameObject and DeleteBucketMetadataTableConfiguration: an error, the object and the bucket as before."""
    from botocore.exceptions import ClientError

    client = boto(serve("s3"))
    client.create_bucket(Bucket="bare")
    client.create_bucket(Bucket="photos")
    client.put_object(Bucket="photos", Key="k", Body=b"content")
    calls = [
        lambda: client.rename_object(Bucket="photos", Key="k", RenameSource="/photos/k"),
        lambda: client.delete_bucket_metadata_table_configuration(Bucket="bare"),
    ]
    for call in calls:
        with pytest.raises(ClientError, match="NotImplemented"):
            call()
    assert client.get_object(Bucket="photos", Key="k")["Body"].read() == b"content"
    client.head_bucket(Bucket="bare")
