"""The official QingStor SDK reads every QingStor row; what it hides is compared as bytes.

It hides: code, message and id of 500 and 503 (it raises RetryError, but not on POST), and on HEAD all but the
status and headers.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
from requests.exceptions import RetryError

from faultinject import RuleCounts, vendors

from .told import with_calls

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from qingstor.sdk.config import Config
    from qingstor.sdk.service.qingstor import QingStor

ROWS = vendors.get("qingstor").errors
LOST = [row for row in ROWS if row.status in {500, 502, 503, 504}]
SHOWN = [row for row in ROWS if row not in LOST]
URL = "http://docs.qingcloud.com/qingstor/api/error_code.html"
KEY = "cat pictures/猫&.jpg"


@pytest.fixture(scope="module")
def make_bucket(server):
    """Buckets of clients that make as many retries as said."""
    services = []

    def make(**options):
        config = Config("id", "key")
        config.host, config.port, config.protocol = "127.0.0.1", server.port, "http"
        for name, value in options.items():
            setattr(config, name, value)
        services.append(QingStor(config))
        return services[-1].Bucket("photos", "")

    yield make
    for service in services:
        service.client.close()


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


def test_rows(server, bucket):
    """Status and all four fields, in order; the id is the header's."""
    for row, call in with_calls(SHOWN, CALLS):
        server.use(row.address)
        got = CALLS[call](bucket)
        assert (got.ok, got.status_code, list(got.items())) == (
            False,
            row.status,
            expected(row, got.headers["x-qs-request-id"]),
        )
        assert got.headers["Content-Type"] == "application/json"
        assert server.last.request_id == got["request_id"]


def test_rows_by_post(server, bucket):
    """A POST is never retried, so that the SDK shows the 5xx rows too."""
    for row in ROWS:
        server.use(row.address)
        got = bucket.initiate_multipart_upload(KEY)
        assert (got.status_code, list(got.items())) == (row.status, expected(row, server.last.request_id))
        assert got.headers["x-qs-request-id"] == got["request_id"]


def test_rows_that_the_sdk_loses(server, bucket):
    """Other methods end in RetryError, even without retries."""
    for row, call in with_calls(LOST, CALLS):
        server.use(row.address)
        with pytest.raises(RetryError):
            CALLS[call](bucket)
        assert (server.last.fault, server.last.status) == (row.address, row.status)


def test_heads(server, bucket):
    """HEAD: status and headers are GET's, and there is nothing to unpack."""
    for row in SHOWN:
        server.use(row.address)
        got = bucket.get_object(KEY)
        head = bucket.head_object(KEY)
        assert (head.status_code, dict(head), head.content) == (row.status, {}, b"")
        named = ("Content-Type", "Content-Length", "x-qs-request-id")
        assert [head.headers[name] for name in named] == [
            "application/json",
            got.headers["Content-Length"],
            server.outcomes[1].request_id,
        ]


def test_throttling_is_not_retried(server, make_bucket):
    """QingStor's 429 without Retry-After is one attempt, without exception, by default."""
    server.use("qingstor:fetch_throttled", times=2)
    assert make_bucket().get_object(KEY)["code"] == "fetch_throttled"
    assert server.counts() == RuleCounts(1, 1)


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
    with pytest.raises(RetryError):
        bucket.get_object(KEY)
    outcomes = server.outcomes
    gaps = [after.arrived - before.arrived for before, after in pairwise(outcomes)]
    assert all(gap > least - 0.1 for gap, least in zip(gaps, (0, 2, 4), strict=True))
    assert bucket.get_object(KEY).content == b"meow"
    assert server.counts() == RuleCounts(5, 4)
