"""The official QingStor SDK reads every QingStor row; what it hides is compared as bytes.

It hides: code, message and id of 500 and 503 (it raises RetryError, but not on POST), and on HEAD all but the
status and headers.
"""

from contextlib import ExitStack, closing
from itertools import pairwise

import pytest
from requests.exceptions import RetryError

from faultinject import RuleCounts, vendors

from .sdk_clients import qingstor
from .told import of_each_row, raised

ROWS = vendors.get("qingstor").errors
LOST = [row for row in ROWS if row.status in {500, 502, 503, 504}]
SHOWN = [row for row in ROWS if row not in LOST]
URL = "http://docs.qingcloud.com/qingstor/api/error_code.html"
KEY = "cat pictures/猫&.jpg"


@pytest.fixture(scope="module")
def make_bucket(server):
    """Buckets of clients that make as many retries as said."""
    with ExitStack() as ended:

        def make(**options):
            service = qingstor(server.port, **options)
            ended.enter_context(closing(service.client))
            return service.Bucket("photos", "")

        yield make


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket(connection_retries=0)


def expected(row, request_id):
    return [("code", row.code), ("message", row.message), ("request_id", request_id), ("url", URL)]


CALLS = {
    "get": lambda bucket: bucket.get_object(KEY),
    "put": lambda bucket: bucket.put_object(KEY, body=b"x" * 100),
    "delete": lambda bucket: bucket.delete_object(KEY),
    "list": lambda bucket: bucket.list_objects(),
}


@of_each_row(SHOWN, CALLS)
def test_rows(row, call, server, bucket):
    """Status and all four fields, in order; the id is the header's."""
    got = CALLS[call](bucket)
    request_id = got.headers["x-qs-request-id"]
    assert (got.ok, got.status_code, [*got.items()]) == (False, row.status, expected(row, request_id))
    assert (got.headers["Content-Type"], server.last.request_id) == ("application/json", got["request_id"])


@of_each_row(ROWS)
def test_rows_by_post(row, server, bucket):
    """A POST is never retried, so that the SDK shows the 5xx rows too."""
    got = bucket.initiate_multipart_upload(KEY)
    assert (got.status_code, [*got.items()]) == (row.status, expected(row, server.last.request_id))
    assert got.headers["x-qs-request-id"] == got["request_id"]


@of_each_row(LOST, CALLS)
def test_rows_that_the_sdk_loses(row, call, server, bucket):
    """Other methods end in RetryError, even without retries."""
    raised(RetryError, CALLS[call], bucket)
    assert (server.last.fault, server.last.status) == (row.address, row.status)


@of_each_row(SHOWN)
def test_heads(row, server, bucket):
    """HEAD: status and headers are GET's, and there is nothing to unpack."""
    got, head = bucket.get_object(KEY), bucket.head_object(KEY)
    assert (head.status_code, dict(head), head.content) == (row.status, {}, b"")
    assert [head.headers[name] for name in ("Content-Type", "Content-Length", "x-qs-request-id")] == [
        "application/json",
        got.headers["Content-Length"],
        server.outcomes[1].request_id,
    ]


def test_throttling_is_not_retried(server, make_bucket):
    """QingStor's 429 without Retry-After is one attempt, without exception, by default."""
    server.use("qingstor:fetch_throttled", times=2)
    assert (make_bucket().get_object(KEY)["code"], server.counts()) == ("fetch_throttled", RuleCounts(1, 1))


@pytest.mark.slow
def test_retry_after_makes_the_sdk_try_again(server, make_bucket):
    """With `retry_after` the same 429 is retried, which is why it is never sent unasked."""
    server.use("qingstor:fetch_throttled", times=1, retry_after="1s")
    assert make_bucket().get_object(KEY).content == b"meow"
    first, second = server.outcomes
    assert (first.hint, second.did, second.arrived - first.arrived >= 1) == (1.0, "passed", True)


@pytest.mark.slow
def test_default_attempts(server, make_bucket):
    """By default the SDK makes four attempts at a 503, 0, 2 and 4 s apart, and loses the code."""
    server.use("qingstor:service_unavailable", times=4)
    bucket = make_bucket()
    raised(RetryError, bucket.get_object, KEY)
    gaps = [after.arrived - before.arrived for before, after in pairwise(server.outcomes)]
    assert all(gap > least - 0.1 for gap, least in zip(gaps, (0, 2, 4), strict=True))
    assert (bucket.get_object(KEY).content, server.counts()) == (b"meow", RuleCounts(5, 4))
