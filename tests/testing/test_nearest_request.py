"""The nearest request: which one is named, and which condition is blamed."""

import re

import pytest

from faultinject import Rule, WSGIFaultMiddleware, inject
from tests.asking import app
from tests.refusals import refusal
from tests.rows import each_row


def request(method, target, **more):
    path, _, query = target.partition("?")
    return {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query, **more}


def unfired(rule, *requests):
    """The line on a rule, the last of several, after these unmatched requests."""
    wrapped = WSGIFaultMiddleware(app, "http:418,times=0")
    with inject(*(rule if isinstance(rule, list) else [rule])) as faults:
        for environ in requests:
            b"".join(wrapped(environ, lambda *_: None))
        return str(refusal(faults.assert_all_fired, sort=AssertionError)).splitlines()[-1]


def nearest(rule, *requests):
    """The same without the rule."""
    return unfired(rule, *requests).partition(" injected nothing: ")[2]


@each_row(
    ("rule", "environ", "expected"),
    [
        ("http:503,method=PUT", request("GET", "/a"), "nearest: GET /a (method=PUT did not hold)"),
        ("http:503,method=PUT,method=POST", request("GET", "/a?uploads"), "nearest: GET /a?uploads (method=PUT,method=POST did not hold)"),
        ("http:503,path=photos/", request("GET", "/photos"), "nearest: GET /photos (path=photos/ did not hold)"),
        ("http:503,method=PUT,path=b", request("GET", "/a"), "nearest: GET /a (method=PUT and path=b did not hold)"),
        ("http:503,unless.path=a", request("GET", "/a"), "nearest: GET /a (unless.path=a held)"),
        ("http:503,method=PUT,unless.path=a", request("GET", "/a"), "nearest: GET /a (method=PUT did not hold; unless.path=a held)"),
        ("http:503,host=b.test", request("GET", "/a", HTTP_HOST="A.test:80"), "nearest: GET /a (host=b.test (it was a.test) did not hold)"),
        ("http:503,size=5MiB..", request("PUT", "/a", CONTENT_LENGTH="7"), "nearest: PUT /a (size=5MiB.. (it was 7) did not hold)"),
        ("http:503,size=1..", request("GET", "/a"), "nearest: GET /a (size=1.. (there was none) did not hold)"),
        ("http:503,client=10.0.0.0/8", request("GET", "/a", REMOTE_ADDR="127.0.0.1"), "nearest: GET /a (client=10.0.0.0/8 (it was 127.0.0.1) did not hold)"),
        (
            "cos:SlowDown,operation=PutObject",
            request("PUT", "/b/k", HTTP_X_AMZ_COPY_SOURCE="/b/l"),
            "nearest: PUT /b/k (operation=PutObject (it was CopyObject) did not hold)",
        ),
        (
            "cos:SlowDown,bucket=photos,key=cat.jpg",
            request("GET", "/photos/dog.jpg", SCRIPT_NAME="/mount"),
            "nearest: GET /mount/photos/dog.jpg (key=cat.jpg (it was dog.jpg) did not hold)",
        ),
        ("http:503,bucket=videos", request("GET", "/cat.jpg", HTTP_HOST="photos.s3.amazonaws.com"), "nearest: GET /cat.jpg (bucket=videos (it was photos) did not hold)"),
        ("cos:SlowDown,key=**", request("GET", "/photos"), "nearest: GET /photos (key=** (there was none) did not hold)"),
        ("http:503,query.uploads=", request("GET", "/a"), "nearest: GET /a (query.uploads= did not hold)"),
        ("http:503,query.token=x", request("GET", "/a?token=y"), "nearest: GET /a?token=… (query.token=x did not hold)"),
        ("http:503,header.x-test=abc", request("GET", "/a", HTTP_X_TEST="abd"), "nearest: GET /a (header.x-test=abc did not hold)"),
        ("http:503,sample=client:0", request("GET", "/a", HTTP_X_TEST="abd"), "nearest: GET /a (sample=client:0 did not hold)"),
        ("http:503,unless.header.x-test=abc", request("GET", "/a", HTTP_X_TEST="abc"), "nearest: GET /a (unless.header.x-test=abc held)"),
        ("http:503,header.x-a=1,header.x-b=2", request("GET", "/a", HTTP_X_A="1"), "nearest: GET /a (of header.x-a=1, header.x-b=2 not all held)"),
        ("http:503,header.user-agent=curl*", request("GET", "/a", HTTP_USER_AGENT="boto3"), "nearest: GET /a (header.user-agent=curl* did not hold)"),
        (
            "http:503",
            request("GET", "/a", HTTP_UPGRADE="websocket"),
            "nearest: GET /a (its conditions hold, but it came before the rule, or is an upgrade or a CORS preflight)",
        ),
        ("http:503,method=PUT", request("GET", "/a\r\n\x1b[31m\u202e".encode().decode("latin-1")), "nearest: GET /a\\r\\n\\x1b[31m\\u202e (method=PUT did not hold)"),
    ],
)  # fmt: skip
def test_blames_the_condition_that_did_not_hold(rule, environ, expected):
    """One line: the request as it was, and what kept it away."""
    assert nearest(rule, environ) == expected


def test_request_outside_of_begin_and_end():
    """A request that met all conditions at the wrong time shows when it came."""
    said = nearest("http:503,begin=1h,end=2h", request("GET", "/a"))
    assert re.fullmatch(r"nearest: GET /a \(it came after \d+\.\d{3}s, outside of begin=1h,end=2h\)", said)


def test_names_the_request_that_met_most_conditions():
    """Of several requests the one with the fewest conditions left is shown, the first of equals."""
    requests = [
        request("GET", "/other"),
        request("PUT", "/first"),
        request("PUT", "/second"),
        request("GET", "/x"),
    ]
    assert (
        nearest("http:503,method=PUT,path=photos/", *requests)
        == "nearest: PUT /first (path=photos/ did not hold)"
    )


HEADERS = {
    "HTTP_HOST": "127.0.0.1:10000",
    "HTTP_X_MS_BLOB_TYPE": "BlockBlob",
    "HTTP_X_BZ_FILE_NAME": "a%2F%C3%BC%2525",
}


@each_row(
    ("mount", "vendor", "path", "wanted", "seen"),
    [
        ("", "azure-blob", "/account/photos/a/b", "blob.download", "block_blob.upload"),
        ("/store", "gcs", "/storage/v1/b/photos/o/a", "storage.objects.get", "storage.objects.update"),
        ("/deep/er", "gcs", "/storage/v1/b/photos", "storage.buckets.get", "storage.buckets.update"),
        ("/deep/er", "swift", "/v1/account/photos/a", "get_object", "put_object"),
        ("/store", "s3", "/photos/a", "CopyObject", "PutObject"),
    ],
)
def test_an_operation_is_told_as_the_journal_had_it(mount, vendor, path, wanted, seen):
    """Below any mount point, and though it was told by headers that the journal does not keep."""
    asked = request("PUT", path, **HEADERS) | {"SCRIPT_NAME": mount}
    for condition, was in ((f"operation={wanted}", seen), ("bucket=films", "photos")):
        said = f"nearest: PUT {mount}{path} ({condition} (it was {was}) did not hold)"
        assert nearest(f"http:503,vendor={vendor},{condition}", asked) == said


DEEP = "/account/photos" + "/a" * 40


@pytest.mark.parametrize(
    ("rules", "environ", "expected"),
    [
        ("http:503,vendor=b2,key=x", request("POST", "/b2api/v3/b2_upload_file/4a48/token", **HEADERS), "key=x (it was a/ü%25)"),
        # The rule that met the request had its own way; neither is looked for in ever deeper mount points.
        (
            ["http:502,vendor=cos,method=PUT,times=1", "http:503,vendor=azure-blob,method=GET,bucket=films"],
            request("PUT", DEEP, **HEADERS),
            "method=GET and bucket=films (it was photos)",
        ),
    ],
    ids=["a key in a header", "an address that another vendor reads otherwise"],
)  # fmt: skip
def test_an_address_is_read_anew(rules, environ, expected):
    """As the rule's own vendor has it."""
    asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    assert nearest(rules, environ) == f"nearest: {asked} ({expected} did not hold)"


def test_no_request():
    """Nothing was seen, and that is what is said, with the rule as it is written."""
    assert (
        unfired(Rule("http:503", method="PUT", name="put"))
        == "put (http:503,method=PUT,name=put) injected nothing: no request was seen"
    )
