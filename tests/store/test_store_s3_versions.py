"""Missing versions and failed conditions protect objects, in each dialect of S3."""

import json
import re

import pytest

from faultinject import vendors
from faultinject.store.stores import STORES

from .conftest import VENDORS_MOSTLY_SLOW, begun, client_of, code_of, documented, ended, told

ETAG = '"9a0364b9e99bb480dd25e1f0284c8555"'
KNOWN = ("s3", "minio", "oss", "obs", "cos", "qiniu-mix")
"""Vendors whose documents have NoSuchVersion."""


@pytest.fixture(params=VENDORS_MOSTLY_SLOW)
def vendor(request):
    return request.param


@pytest.fixture
def client(vendor):
    """A client of a store that has an object."""
    return client_of(vendor, k=b"content")


def own(vendor, name):
    return STORES[vendor].speaks.prefixes[0] + name


def test_another_version_is_not_read_or_deleted(vendor, client):
    """Only the version `null` exists; any other gives NoSuchVersion where documented.

    The live object stays.
    """
    status, code = documented(vendor, "version")
    assert (code == "NoSuchVersion") == (vendor in KNOWN)
    for query in ("?versionId=bogus", "?generation=bogus"):
        assert client.head(f"/photos/k{query}").status_code == status
        assert told(client.get(f"/photos/k{query}")) == (status, code)
        assert told(client.get(f"/nowhere/k{query}")) == documented(vendor, "no_bucket")
        for method in ("DELETE", "PUT"):
            answer = client.open(f"/photos/k{query}", method=method, data=b"x")
            assert told(answer) == documented(vendor, "argument")
            assert "Invalid version id specified" in answer.text
    assert client.get("/photos/k").data == b"content"


def test_an_empty_version(vendor, client):
    """It is refused as no version, whatever the method; COS's SDK sends it for none."""
    methods = ("HEAD", "GET", "PUT")
    answers = [client.open("/photos/k?versionId=", method=each, data=b"content") for each in methods]
    status, code = (200, None) if vendor == "cos" else documented(vendor, "argument")
    assert [each.status_code for each in answers] == [status] * 3
    assert code is None or [code_of(each) for each in answers[1:]] == [code] * 2
    assert client.get("/photos/k").data == b"content"


def test_the_version_null(vendor, client):
    """It is the object's only one: it can be read and deleted."""
    assert client.get("/photos/k?versionId=null").data == b"content"
    assert client.delete("/photos/k?versionId=null").status_code == 204
    assert client.get("/photos/k").status_code == 404


def test_another_version_is_not_copied(vendor, client):
    """`x-amz-copy-source: bucket/key?versionId=…`."""
    queries = ("?versionId=bogus", "?versionId=", "?generation=7", "?versionId=null")
    sources = [{own(vendor, "copy-source"): f"/photos/k{query}"} for query in queries]
    *refused, fine = [client.put(f"/photos/copy{at}", headers=each) for at, each in enumerate(sources)]
    assert [told(each) for each in refused] == [documented(vendor, "version")] * 3
    assert fine.status_code == STORES[vendor].speaks.created
    assert [client.get(f"/photos/copy{at}").status_code for at in range(4)] == [404, 404, 404, 200]


DELETES = {
    "s3": b"<Delete><Object><Key>k</Key><VersionId>v1</VersionId></Object>"
    b"<Object><Key>a</Key><VersionId>null</VersionId></Object><Object><Key>b</Key><VersionId/></Object></Delete>",
    "jss": b'{"Object":[{"Key":"k","VersionId":"v1"},{"Key":"a","VersionId":"null"},{"Key":"b","VersionId":""}]}',
    "tos": b'{"Objects":[{"Key":"k","VersionId":"v1"},{"Key":"a","VersionId":"null"},{"Key":"b","VersionId":""}]}',
    "bos": b'{"objects":[{"key":"k","versionId":"v1"},{"key":"a","versionId":"null"},{"key":"b","versionId":""}]}',
    "qingstor": b'{"objects":[{"key":"k","version_id":"v1"},{"key":"a","version_id":"null"},'
    b'{"key":"b","version_id":""}]}',
}


def test_another_version_in_a_list_of_deletions(vendor, client):
    """An error for that key; the others are deleted."""
    answer = client.post("/photos?delete", data=DELETES.get(vendor, DELETES["s3"]))
    row = vendors.get(vendor).find(STORES[vendor].mistakes["version"])
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    if vendor not in DELETES or vendor == "s3":
        rows = re.findall("<(Deleted|Error)><Key>(.)</Key>", text)
        assert rows == [("Deleted", "a"), ("Deleted", "b"), ("Error", "k")]
        failed = f"<Error><Key>k</Key><VersionId>v1</VersionId><Code>{row.code}</Code>"
        assert f"{failed}<Message>{row.message}</Message></Error>" in text
    else:
        rows = {name.lower(): each for name, each in json.loads(text).items()}
        failures = rows.get("errors") or rows["error"]
        lowered = [{name.lower(): value for name, value in each.items()} for each in failures]
        assert [(each["key"], each["code"]) for each in lowered] == [("k", row.code)]
        assert [value for each in rows["deleted"] for value in each.values()] == ["a", "b"]
    assert client.get("/photos/k").data == b"content"


def test_versions_and_keys_that_are_none():
    """A version that is a number is malformed, as a key is."""
    client = client_of("bos")
    for version in ("1", '"\\ud800"'):
        document = f'{{"objects":[{{"key":"k","versionId":{version}}}]}}'
        assert code_of(client.post("/photos?delete", data=document)) == "MalformedJSON"


LOCK, SAME = {"If-None-Match": "*"}, {"If-Match": ETAG}
REMOVED, WRITTEN = ("DELETE", b""), ("PUT", b"content")


@pytest.mark.parametrize(
    ("meanwhile", "condition", "said"),
    [
        ([REMOVED], LOCK, (409, "If-None-Match")),
        ([WRITTEN], SAME, (409, "If-Match")),
        ([REMOVED, WRITTEN], SAME, (409, "If-Match")),
        # What does not hold is said first, and nobody asks who has written where there is no condition.
        ([], LOCK, (412, "If-None-Match")),
        ([("PUT", b"other")], SAME, (412, "If-Match")),
        ([REMOVED], SAME, (404, None)),
        ([REMOVED], {}, (200, None)),
        ([], SAME, (200, None)),
    ],
)
def test_another_writer_while_parts_come(meanwhile, condition, said):
    """The condition of an upload conflicts with every change of the object during the upload.

    So S3 was recorded (localstack tests/aws/services/s3/test_s3_api.snapshot.json, test_multipart_if_…), even where
    the condition holds at the end. An upload that begins after the change goes through.
    """
    client = client_of("s3", k=b"content")

    def begin():
        upload = begun(client, "/photos/k")
        return upload, client.put(f"/photos/k?partNumber=1&uploadId={upload}", data=b"film").headers["ETag"]

    first = begin()
    for method, data in meanwhile:
        client.open("/photos/k", method=method, data=data)
    client.put("/photos/other", data=b"of another object")
    done = ended(client, "/photos/k", *first, headers=condition)
    names = re.search("<Condition>(.*)</Condition>", done.text)
    assert (done.status_code, names and names[1]) == said
    if said[0] == 409:
        assert code_of(done) == "ConditionalRequestConflict"
        assert ended(client, "/photos/k", *begin(), headers=condition).status_code == 200


def test_deletions_with_conditions(vendor, client):
    """If-Match protects a changed object from deletion; a missing one counts as deleted."""
    other = {"If-Match": '"other"'}
    refused = [client.delete("/photos/k", headers=each) for each in (other, {"If-None-Match": ETAG})]
    assert [told(each) for each in refused] == [documented(vendor, "precondition")] * 2
    assert client.get("/photos/k").data == b"content"
    asked = {"/photos/gone": other, "/photos/k": {"If-Match": ETAG}}
    assert [client.delete(path, headers=asked[path]).status_code for path in asked] == [204, 204]
    assert client.get("/photos/k").status_code == 404


def test_conditions_in_a_list_of_deletions():
    """A list of deletions may have an ETag for each key.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ObjectIdentifier.html
    """
    client = client_of("s3", a=b"content", b=b"content")
    objects = "".join(
        f"<Object><Key>{key}</Key><ETag>{etag}</ETag></Object>"
        for key, etag in (("a", '"other"'), ("b", ETAG), ("gone", ETAG))
    )
    text = client.post("/photos?delete", data=f"<Delete>{objects}</Delete>").get_data(as_text=True)
    assert re.findall("<Key>(.*?)</Key>(?:<Code>(.*?)</Code>)?", text) == [
        ("b", ""),
        ("gone", ""),
        ("a", "PreconditionFailed"),
    ]


@pytest.mark.parametrize("name", ["if-match-size", "if-match-last-modified-time"])
def test_conditions_that_the_store_has_not(name):
    """Those of directory buckets are refused, whatever is there."""
    client = client_of("s3", k=b"content")
    answer = client.delete("/photos/k", headers={f"x-amz-{name}": "7"})
    assert told(answer) == (501, "NotImplemented")
    assert f"the embedded store does not support {name}" in answer.get_data(as_text=True)
    assert client.get("/photos/k").data == b"content"


def test_no_overwriting(vendor, client):
    """`x-oss-forbid-overwrite: true` and its like hold for puts, copies and uploads.

    For uploads at their begin and at their end.
    """
    forbidding = {own(vendor, "forbid-overwrite"): "True"}
    copying = {own(vendor, "copy-source"): "/photos/k", own(vendor, "metadata-directive"): "REPLACE"}
    refused = [
        client.put("/photos/k", data=b"x", headers=forbidding),
        client.put("/photos/k", data=b"x", headers={**forbidding, **copying}),
        client.post("/photos/k?uploads", headers=forbidding),
    ]
    assert [told(each) for each in refused] == [documented(vendor, "object_exists")] * 3
    assert client.get("/photos/k").data == b"content"
    asked = {"/photos/new": forbidding, "/photos/k": {own(vendor, "forbid-overwrite"): "false"}}
    written = [client.put(path, data=b"x", headers=asked[path]).status_code for path in asked]
    assert written == [STORES[vendor].speaks.created] * 2


def test_oss_has_a_code_of_its_own_for_it():
    """OSS has the code FileAlreadyExists, 409.

    https://www.alibabacloud.com/help/en/oss/developer-reference/putobject
    """
    assert documented("oss", "object_exists") == (409, "FileAlreadyExists")


COPYING = {"x-goog-copy-source": "photos/k"}
GENERATIONS = [
    # Method, key, headers and status.
    ("PUT", "k", {"x-goog-if-generation-match": "0"}, 412),
    ("PUT", "other", {"x-goog-if-generation-match": "7"}, 412),
    ("PUT", "k", {"x-goog-if-generation-match": "7"}, 405),
    ("PUT", "new", {"x-goog-if-generation-match": "0"}, 200),
    *(
        (method, "k", {f"x-goog-{name}": value}, status)
        for method in ("GET", "HEAD", "DELETE")
        for name, value, status in (
            ("if-generation-match", "0", 412),
            ("if-generation-match", "7", 405),
            ("if-metageneration-match", "1", 405),
        )
    ),
    # Google has the generation of a copy's source in a header.
    ("PUT", "copy", {**COPYING, "x-goog-copy-source-generation": "7"}, 400),
    ("PUT", "copy", {**COPYING, "x-goog-copy-source-if-generation-match": "7"}, 405),
]


def test_generations():
    """Generation 0 means a missing object; other numbers are refused if they might be right.

    The store counts no generations.
    """
    client = client_of("gcs-xml", k=b"content")
    for method, key, headers, status in GENERATIONS:
        answer = client.open(f"/photos/{key}", method=method, data=b"x", headers=headers)
        assert answer.status_code == status, (method, key, headers)
    assert client.get("/photos/k").data == b"content"


def test_jdcloud_does_not_speak_of_replication():
    """JD Cloud has no documented error for a failed condition; the nearest is a general one."""
    client = client_of("jdcloud", k=b"content")
    text = client.put("/photos/k", data=b"x", headers={"If-None-Match": "*"}).get_data(as_text=True)
    assert "    <Code>BadRequest</Code>\n    <Message>Wrong Request</Message>\n" in text
