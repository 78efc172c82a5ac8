"""The JSS client reads every JSS row; what it hides is compared as bytes.

It hides: everything but the status where it raises (`head`, `list_object`, multipart), and everything in `exist`.
"""

import pytest
import requests

from faultinject import RuleCounts, vendors

from .sdk_clients import Jss
from .told import of_each_row, raised

ROWS = vendors.get("jss").errors
KEY = "cats/1&<2>.jpg"


@pytest.fixture(scope="module")
def bucket(server):
    return Jss(server.url, "id", "key").bucket("photos")


def expected(row, resource, request_id):
    return [("code", row.code), ("message", row.message), ("resource", resource), ("requestId", request_id)]


CALLS = {
    "get": (lambda bucket: bucket.object(KEY).get(), f"/photos/{KEY}"),
    "put": (lambda bucket: bucket.object(KEY).put_data("x" * 100, KEY), f"/photos/{KEY}"),
    "delete": (lambda bucket: bucket.object(KEY).delete(), f"/photos/{KEY}"),
    "delete bucket": (lambda bucket: bucket.delete(), "/photos"),
}


@of_each_row(ROWS, CALLS)
def test_rows(row, call, server, bucket):
    """The client returns the answer with status, type and all fields in order; ids agree."""
    act, resource = CALLS[call]
    got = act(bucket)
    fields = got.json(object_pairs_hook=list)
    assert (got.status_code, fields) == (row.status, expected(row, resource, server.last.request_id))
    assert got.headers["x-jss-request-id"] == server.last.request_id
    assert got.headers["Content-Type"] == "application/json;charset=UTF-8"


@of_each_row(ROWS)
def test_rows_behind_an_exception(row, server, bucket):
    """`list_object` raises HTTPError and drops the code; the answer inside it has the row."""
    inside = raised(requests.HTTPError, bucket.list_object).response
    fields = inside.json(object_pairs_hook=list)
    assert (inside.status_code, fields) == (row.status, expected(row, "/photos", server.last.request_id))
    assert inside.headers["x-jss-request-id"] == server.last.request_id


@pytest.mark.slow
@of_each_row(ROWS)
def test_heads(row, server, bucket):
    """`head` raises, and `exist` is False for every error; the headers are GET's, without body."""
    length = bucket.object(KEY).get().headers["Content-Length"]
    got = raised(requests.HTTPError, bucket.object(KEY).head).response
    assert (got.status_code, got.content) == (row.status, b"")
    assert [got.headers[name] for name in ("Content-Type", "Content-Length", "x-jss-request-id")] == [
        "application/json;charset=UTF-8",
        length,
        server.outcomes[1].request_id,
    ]
    assert bucket.object(KEY).exist() is False


def test_default_attempts(server, bucket):
    """The client never tries again."""
    server.use("jss:InternalError", times=1)
    assert bucket.object(KEY).get().json()["code"] == "InternalError"
    assert (bucket.object(KEY).get().content, server.counts()) == (b"meow", RuleCounts(2, 1))
