"""How many true calls of real clients are found again, with the client's own ids and without."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import pytest
import tenacity

from faultinject import Injector, WSGIFaultMiddleware
from faultinject.audit.grouping import group
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import SDK_ID
from faultinject.journal.reading import of_outcomes
from faultinject.server.connections import Server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.config import Config as BotoConfig
    from qcloud_cos import CosConfig, CosS3Client

pytestmark = pytest.mark.slow

FAULT = "http:500"
TRUTH = "x-amz-meta-truth", "x-cos-meta-truth"


def boto3_client(url):
    config = BotoConfig(
        s3={"addressing_style": "path"}, retries={"mode": "standard"}, max_pool_connections=60, proxies={}
    )
    client = boto3.Session("id", "key", region_name="us-east-1").client("s3", endpoint_url=url, config=config)

    def put(key, body, truth):
        client.put_object(Bucket="photos", Key=key, Body=body, Metadata={"truth": truth})

    return put, client.close


def cos_client(url):
    address = url.removeprefix("http://")
    config = CosConfig(
        Region="ap-x", SecretId="id", SecretKey="key", Scheme="http", Endpoint=address, Domain=address
    )
    client = CosS3Client(config)

    def put(key, body, truth):
        client.put_object(Bucket="photos", Key=key, Body=body, Metadata={"x-cos-meta-truth": truth})

    return put, client._session.close


def tenacity_client(url):
    client = httpx.Client(base_url=url, limits=httpx.Limits(max_connections=60, max_keepalive_connections=60))

    @tenacity.retry(
        stop=tenacity.stop_after_attempt(4),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=1),
        reraise=True,
    )
    def put(key, body, truth):
        client.put(f"/photos/{key}", content=body, headers={"x-amz-meta-truth": truth}).raise_for_status()

    return put, client.close


CLIENTS = {"boto3": boto3_client, "cos": cos_client, "tenacity": tenacity_client}


@contextmanager
def watched(share):
    """A server that fails so many requests: its address, and the outcomes with the true call of each."""
    here = threading.local()
    seen = {}

    def app(environ, start_response):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Length", "0"), ("ETag", '"1"')])
        return [b""]

    injector = Injector(f"{FAULT},probability={share},method=PUT", seed="7", environ={}, record_all=True)
    injector.journal.follow(lambda outcome: seen.__setitem__(outcome.seq, (outcome, here.truth)))
    inner = WSGIFaultMiddleware(app, injector=injector)

    def outer(environ, start_response):
        names = (f"HTTP_{name.upper().replace('-', '_')}" for name in TRUTH)
        here.truth = next((environ[name] for name in names if name in environ), None)
        return inner(environ, start_response)

    with Server(outer, None) as server:
        yield server.url, seen


def run(name, share, *, keys, concurrent, calls):
    """The attempts of so many calls of a client, the true call of each attempt, and when each call began and ended."""
    windows = []
    with watched(share) as (url, seen):
        put, close = CLIENTS[name](url)

        def call(number):
            key = f"k{number}" if keys == "own" else "k"
            body = b"x" * (100 + (number if keys == "bodies" else 0))
            began = time.monotonic()
            with suppress(Exception):
                put(key, body, uuid.uuid4().hex)
            windows.append(CallWindow(str(number), began, time.monotonic()))

        with ThreadPoolExecutor(concurrent) as pool:
            list(pool.map(call, range(calls)))
        close()
    outcomes = [outcome for outcome, truth in seen.values() if truth]
    return of_outcomes(outcomes), {outcome.seq: truth for outcome, truth in seen.values()}, windows


def recovered(attempts, truth, **options):
    """The share of true calls that were found exactly, of all and of those not shared, and the share of shared ones."""
    found = group(attempts, until=attempts[-1].arrived + 100, **options)
    sizes = {}
    for each in attempts:
        sizes[truth[each.seq]] = sizes.get(truth[each.seq], 0) + 1
    exact = [
        call
        for call in found
        if len({truth[each.seq] for each in call.attempts}) == 1
        and len(call.attempts) == sizes[truth[call.first.seq]]
    ]
    sure = [call for call in found if not call.shared]
    return (
        len(exact) / len(sizes),
        sum(not call.shared for call in exact) / len(sure) if sure else None,
        1 - len(sure) / len(found),
        found,
    )


def without_ids(attempts):
    for each in attempts:
        if each.attempt_hint and "invocation" in each.attempt_hint:
            each.attempt_hint = None
    return attempts


@pytest.mark.parametrize("keys", ["own", "bodies"])
@pytest.mark.parametrize(
    ("name", "share", "concurrent"),
    [
        ("boto3", 0.3, 1),
        ("boto3", 0.3, 10),
        ("boto3", 1, 30),
        ("tenacity", 0.3, 10),
        ("tenacity", 1, 30),
        ("cos", 1, 20),
    ],
)
def test_calls_for_different_things_are_found_exactly(name, share, concurrent, keys):
    """Own keys, or one key and different bodies; what little is held to be shared is left out."""
    attempts, truth, _ = run(name, share, keys=keys, concurrent=concurrent, calls=20)
    if name == "boto3":
        exact, _, shared, found = recovered(attempts, truth)
        assert (exact, shared) == (1, 0)
        assert {call.signal for call in found} == {SDK_ID}
    _, sure, shared, _ = recovered(without_ids(attempts), truth)
    assert sure == 1
    assert shared < 0.5


@pytest.mark.parametrize("name", ["boto3", "tenacity"])
@pytest.mark.parametrize("share", [0.3, 1])
def test_calls_for_the_same_thing_at_once_are_shared(name, share):
    """One key, one body: by ids all are right, by looks nothing is said."""
    attempts, truth, _ = run(name, share, keys="one", concurrent=20, calls=40)
    if name == "boto3":
        exact, _, shared, _ = recovered(attempts, truth)
        assert (exact, shared) == (1, 0)
    _, sure, shared, found = recovered(without_ids(attempts), truth)
    assert sure in (None, 1)  # those before the first that overlap
    assert shared > 0.5
    assert share < 1 or all(call.shared for call in found)


@pytest.mark.parametrize("name", ["boto3", "tenacity"])
def test_calls_for_the_same_thing_one_after_the_other_are_what_a_test_can_tell(name):
    """The one hole: with everything failing, a loop on one key looks like one call. Told calls close it."""
    attempts, truth, windows = run(name, 1, keys="one", concurrent=1, calls=10)
    if name == "boto3":
        assert recovered(attempts, truth)[0] == 1
    exact, _, _, found = recovered(without_ids(attempts), truth)
    assert exact < 0.2
    assert len(found) < 4
    exact, _, shared, found = recovered(attempts, truth, told=windows)
    assert (exact, shared) == (1, 0)
    assert [call.name for call in found] == [str(number) for number in range(10)]


def test_single_calls_for_the_same_thing_are_mostly_found():
    """One key, one body, one at a time, and few faults: only a call that gives up is joined with the next."""
    attempts, truth, _ = run("tenacity", 0.3, keys="one", concurrent=1, calls=40)
    exact, _, shared, _ = recovered(attempts, truth)
    assert exact >= 0.9
    assert shared == 0
