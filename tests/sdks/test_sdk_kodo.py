"""Qiniu's SDK returns every Kodo row as a ResponseInfo: status, raw body and two headers."""

import io
import json

import pytest
import qiniu
from qiniu.http.endpoint import Endpoint
from qiniu.http.region import Region, ServiceName

from faultinject import vendors

from .told import BUCKET, KEY, of_each_row

ROWS = vendors.get("kodo").errors
AUTH = qiniu.Auth("id", "key")


@pytest.fixture(scope="module")
def regions(server):
    """One host for everything, so that one call is one request."""
    host = [Endpoint(f"127.0.0.1:{server.port}", "http")]
    return [Region("z0", services=dict.fromkeys(ServiceName, host))]


@pytest.fixture(scope="module")
def buckets(regions):
    return qiniu.BucketManager(
        AUTH, regions=regions, query_regions_endpoints=regions[0].services[ServiceName.UC]
    )


def upload(_, regions):
    return qiniu.put_data(AUTH.upload_token(BUCKET, KEY), KEY, b"x", regions=regions)[1]


CALLS = {
    "stat": (lambda buckets, _: buckets.stat(BUCKET, KEY)[1], BUCKET, KEY),
    "delete": (lambda buckets, _: buckets.delete(BUCKET, KEY)[1], BUCKET, KEY),
    "move": (lambda buckets, _: buckets.move(BUCKET, "old", BUCKET, KEY)[1], BUCKET, KEY),
    "list": (lambda buckets, _: buckets.list(BUCKET)[2], BUCKET, None),
    "fetch": (lambda buckets, _: buckets.fetch("http://127.0.0.1/a", BUCKET, KEY)[1], BUCKET, KEY),
    "batch": (lambda buckets, _: buckets.batch(qiniu.build_batch_stat(BUCKET, [KEY]))[1], None, None),
    "upload": (upload, None, None),
}


def body_of(row):
    said = {"error": row.message}
    if row.label == "401/5":
        said["error_code"] = "BadToken"
    body = [{"code": 200}, {"code": 612, "data": said}] if row.status == 298 else said
    return json.dumps(body, separators=(",", ":"))


@pytest.mark.slow
@of_each_row(ROWS, CALLS)
def test_rows(row, call, server, buckets, regions):
    """Status, body, request id and log of each row are read, at unknown statuses too."""
    ask, bucket, key = CALLS[call]
    server.use(row.address, operation=call)
    info = ask(buckets, regions)
    found = (info.status_code, info.text_body, info.req_id, info.x_log)
    expected = (row.status, body_of(row), server.last.request_id, "X-Log")
    place = (server.last.operation, server.last.bucket, server.last.key)
    assert row.status < 400 or info.error == info.text_body
    assert (found, place) == (expected, (call, bucket, key))


def test_partial_success(server, buckets):
    """A 298 is success without a result, and each operation's result is in the body."""
    server.use("kodo:298")
    result, info = buckets.batch(qiniu.build_batch_stat(BUCKET, ["a", "b"]))
    assert (info.ok(), result) == (True, None)
    assert info.json() == [{"code": 200}, {"code": 612, "data": {"error": "no such file or directory"}}]


def test_what_the_sdk_tries_again(server, buckets):
    """The SDK knows which of Kodo's statuses it is in vain to repeat."""
    again = set()
    for row in ROWS:
        server.use(row.address)
        if buckets.stat(BUCKET, KEY)[1].need_retry():
            again.add(row.code)
    assert again == {"502", "503", "504", "599"}


OPERATIONS = {
    "stat": lambda buckets: buckets.stat(BUCKET, KEY),
    "delete": lambda buckets: buckets.delete(BUCKET, KEY),
    "move": lambda buckets: buckets.move(BUCKET, "old", BUCKET, KEY, force="true"),
    "copy": lambda buckets: buckets.copy(BUCKET, "old", BUCKET, KEY),
    "fetch": lambda buckets: buckets.fetch("http://127.0.0.1/a", BUCKET, KEY),
    "prefetch": lambda buckets: buckets.prefetch(BUCKET, KEY),
    "chgm": lambda buckets: buckets.change_mime(BUCKET, KEY, "image/jpeg"),
    "chtype": lambda buckets: buckets.change_type(BUCKET, KEY, 1),
    "chstatus": lambda buckets: buckets.change_status(BUCKET, KEY, 1, {"hash": "x"}),
    "restoreAr": lambda buckets: buckets.restore_ar(BUCKET, KEY, 2),
    "lifecycle": lambda buckets: buckets.set_object_lifecycle(BUCKET, KEY, 1, 2, 3, 4),
    "deleteAfterDays": lambda buckets: buckets.delete_after_days(BUCKET, KEY, 7),
    "list": lambda buckets: buckets.list(BUCKET, prefix="a/", limit=2),
    "batch": lambda buckets: buckets.batch(qiniu.build_batch_stat(BUCKET, [KEY])),
    "buckets": lambda buckets: buckets.buckets(),
    "bucketsV3": lambda buckets: buckets.list_bucket("z0"),
    "bucketInfo": lambda buckets: buckets.bucket_info(BUCKET),
    "domains": lambda buckets: buckets.bucket_domain(BUCKET),
    "private": lambda buckets: buckets.change_bucket_permission(BUCKET, 1),
    "mkbucketv3": lambda buckets: buckets.mkbucketv3(BUCKET, "z0"),
}


def test_operations(server, buckets):
    """Each operation of the SDK is recognised by its documented name, with the decoded entry."""
    found = {}
    for name, call in OPERATIONS.items():
        server.use("kodo:599")
        call(buckets)
        found[name] = (server.last.operation, server.last.bucket, server.last.key)
    whole = {"list", "bucketInfo", "domains", "private", "mkbucketv3"}
    of_none = {"batch", "buckets", "bucketsV3"}
    assert found == {
        name: (name, None if name in of_none else BUCKET, None if name in whole | of_none else KEY)
        for name in OPERATIONS
    }


def test_resumable_uploads(server, regions):
    """Both ways of uploading in parts have their own operation; the second names the object."""
    token = AUTH.upload_token(BUCKET, KEY)
    begun = []
    for version in ("v1", "v2"):
        server.use("kodo:599")
        data = io.BytesIO(b"x" * (1 << 20))
        qiniu.put_stream_v2(
            token, KEY, data, "cat.jpg", 1 << 20, regions=regions, version=version, bucket_name=BUCKET,
            part_size=1 << 20,
        )  # fmt: skip
        begun.append((server.outcomes[0].operation, server.outcomes[0].bucket, server.outcomes[0].key))
    assert begun == [("mkblk", None, None), ("initiateMultipartUpload", BUCKET, KEY)]
