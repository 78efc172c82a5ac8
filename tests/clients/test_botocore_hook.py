"""Faults below boto3's own retries, with a real server behind."""

import functools
import io
import time
from contextlib import ExitStack, closing
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError, ResponseStreamingError
from botocore.retries.adaptive import ClientRateLimiter
from moto import mock_aws
from moto.core import patch_client

from faultinject import Injector, RuleCounts
from faultinject.clients.botocore import inject_into
from faultinject.exceptions import ConfigurationError
from tests.refusals import refusal

DATA = b"0123456789" * 1000


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """botocore's backoff takes no time."""
    waited = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def make(store):
    """A client of the store, with so many attempts; a bucket and an object are there."""
    with ExitStack() as ended:

        def make(attempts=3, mode="standard"):
            client = boto3.client(
                "s3",
                endpoint_url=store,
                region_name="us-east-1",
                aws_access_key_id="id",
                aws_secret_access_key="key",
                config=Config(
                    s3={"addressing_style": "path"}, retries={"total_max_attempts": attempts, "mode": mode}
                ),
            )
            ended.enter_context(closing(client))
            client.create_bucket(Bucket="photos")
            client.put_object(Bucket="photos", Key="cat", Body=DATA)
            return client

        yield make


@pytest.fixture
def hooked(make):
    """Such a client, and the injector of these rules that is hooked into it."""

    def hooked(rules, **options):
        client = make(**options)
        return client, inject_into(client, rules, seed=1)

    return hooked


def read(client, key="cat"):
    return client.get_object(Bucket="photos", Key=key)["Body"].read()


@pytest.mark.parametrize("mode", ["standard", "legacy", pytest.param("adaptive", marks=pytest.mark.slow)])
def test_slow_down_is_retried(hooked, no_waiting, mode):
    """Two injected answers, a third attempt, and the code sees nothing of it."""
    client, injector = hooked("cos:SlowDown,times=2,key=cat", mode=mode)
    answer = client.get_object(Bucket="photos", Key="cat")
    assert (answer["ResponseMetadata"]["RetryAttempts"], answer["Body"].read()) == (2, DATA)
    assert (injector.counts(), len(no_waiting)) == ({"rule-1": RuleCounts(3, 2)}, 2)
    assert [(each.operation, each.bucket, each.key) for each in injector.journal.outcomes] == [
        ("GetObject", "photos", "cat")
    ] * 3


def test_retries_that_are_used_up(hooked):
    """The vendor's error, as boto3 reads it."""
    client, injector = hooked("cos:SlowDown", attempts=2)
    head = refusal(client.head_bucket, sort=ClientError, Bucket="photos").response
    assert head["ResponseMetadata"]["HTTPStatusCode"] == 503
    put = refusal(client.put_object, sort=ClientError, Bucket="photos", Key="dog", Body=b"woof").response
    assert put["Error"]["Code"] == "SlowDown"
    assert (put["ResponseMetadata"]["RetryAttempts"], injector.injected) == (1, 4)
    injector.disable()
    assert (
        client.put_object(Bucket="photos", Key="dog", Body=b"woof")["ResponseMetadata"]["RetryAttempts"] == 0
    )


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("reset", ConnectionClosedError),
        ("close", ConnectionClosedError),
        ("hang,duration=1h", ReadTimeoutError),
        # Read by botocore itself.
        ("truncate", ConnectionClosedError),
    ],
)
def test_broken_connections(hooked, rule, kind):
    """botocore's own errors, which it retries."""
    client, injector = hooked(f"{rule},times=1", attempts=2)
    assert (client.list_objects_v2(Bucket="photos")["KeyCount"], injector.injected) == (1, 1)
    injector.use(rule)
    with pytest.raises(kind):
        client.list_objects_v2(Bucket="photos")
    assert injector.injected == 3


def test_an_object_that_is_cut(hooked):
    """Read by the code, which gets botocore's error for it; there botocore retries nothing."""
    client, injector = hooked("truncate,times=1,operation=GetObject")
    body = client.get_object(Bucket="photos", Key="cat")["Body"]
    with pytest.raises(ResponseStreamingError):
        body.read()
    assert (read(client), injector.injected) == (DATA, 1)


def test_corrupt_and_drip(hooked):
    """The code reads the corrupt or slow body whole, at once or in pieces."""
    client, injector = hooked("corrupt,operation=GetObject,times=1")
    # Its own checksum would notice, and it asks for one unless it is told not to.
    body = client.get_object(Bucket="photos", Key="cat")["Body"]
    found = b"".join(body.iter_chunks(999))
    body.close()
    assert sum(one != other for one, other in zip(found, DATA, strict=True)) == 1
    injector.use("drip,rate=50000,operation=GetObject")
    before = time.monotonic()
    assert read(client) == DATA
    assert time.monotonic() - before >= 0.15


def test_after(hooked):
    """The object is there, and the code was told otherwise."""
    client, injector = hooked("cos:InternalError,when=after,operation=PutObject", attempts=1)
    with pytest.raises(ClientError, match="InternalError"):
        client.put_object(Bucket="photos", Key="dog", Body=io.BytesIO(b"woof"))
    injector.disable()
    assert read(client, "dog") == b"woof"


@pytest.mark.parametrize("body", [b"woof", bytearray(b"woof"), io.BytesIO])
def test_uploads_are_whole_after_a_fault(hooked, body):
    """Whatever the body was; the fault has read it."""
    client, injector = hooked("cos:SlowDown,times=1,operation=PutObject")
    client.put_object(Bucket="photos", Key="dog", Body=io.BytesIO(b"woof") if body is io.BytesIO else body)
    assert read(client, "dog") == b"woof"
    first = next(each for each in injector.journal.outcomes if each.injected)
    assert (first.operation, first.key, first.body_complete) == ("PutObject", "dog", True)


def test_what_passes_is_the_servers(hooked):
    """The very answer; a stream stays one."""
    client, _ = hooked("http:500,key=never")
    answer = client.get_object(Bucket="photos", Key="cat", Range="bytes=1-3")
    assert (answer["Body"].read(2), answer["Body"].read()) == (b"12", b"3")


def test_keys_of_other_letters(hooked):
    """Percent-encoded on the way."""
    client, injector = hooked("http:500,key=ü/a/b,times=1")
    with pytest.raises(ClientError):
        client.get_object(Bucket="photos", Key="ü/a/b")
    assert injector.injected == 1


def test_injectors(make):
    """One of one's own, or rules; wrong ones are said at once."""
    client = make()
    injector = Injector("http:400", environ={})
    assert inject_into(client, injector=injector) is injector
    with pytest.raises(ConfigurationError, match="did you mean cos:SlowDown"):
        inject_into(client, "cos:Slowdown")


def test_what_passes_goes_to_the_hooks_behind(no_waiting):
    """Requests that pass go on to hooks behind ours; moto never sees those that get a fault.

    Inside of moto's mock nothing leaves it, whichever came first.
    """
    known = {"region_name": "us-east-1", "aws_access_key_id": "id", "aws_secret_access_key": "key"}
    with mock_aws(), closing(boto3.client("s3", **known)) as client:
        client.create_bucket(Bucket="photos")
        injector = inject_into(client, "s3:SlowDown,operation=PutObject,times=2", seed=1)
        client.put_object(Bucket="photos", Key="cat", Body=b"meow")
        assert [each.status for each in injector.journal.outcomes if each.injected] == [503, 503]
        assert read(client) == b"meow"
        injector.use("s3:InternalError,operation=PutObject,times=9")
        with pytest.raises(ClientError, match="InternalError"):
            client.put_object(Bucket="photos", Key="dog", Body=b"woof")
        assert client.list_objects_v2(Bucket="photos")["KeyCount"] == 1
        injector.use("s3:InternalError,operation=PutObject,when=after,times=1")
        client.put_object(Bucket="photos", Key="dog", Body=io.BytesIO(b"woof"))
        injector.use("truncate,operation=GetObject,keep_bytes=2")
        with pytest.raises(ResponseStreamingError):
            read(client, "dog")
        injector.disable()
        assert read(client, "dog") == b"woof"
    client = boto3.client("s3", **known)
    injector = inject_into(client, "s3:SlowDown,operation=CreateBucket,times=1", seed=1)
    with mock_aws():
        patch_client(client)
        client.create_bucket(Bucket="films")
        assert client.list_objects_v2(Bucket="films")["KeyCount"] == 0
    assert injector.injected == 1
    client.close()


def test_the_rate_of_adaptive_retries_holds_for_faults_too(hooked, monkeypatch):
    """botocore asks it before every attempt, whoever answers that."""
    asked = []

    @functools.wraps(ClientRateLimiter.on_sending_request)
    def ask(_, request, **__):
        asked.append(request.method)

    monkeypatch.setattr(ClientRateLimiter, "on_sending_request", ask)
    client, _ = hooked("cos:SlowDown,times=2,key=cat", mode="adaptive")
    asked.clear()
    assert (read(client), asked) == (DATA, ["GET"] * 3)


@pytest.mark.parametrize("body", [b"meow meow", io.BytesIO])
def test_uploads_are_seen(hooked, monkeypatch, tmp_path, body):
    """Behind so many bytes of them, and on record where every request is."""
    monkeypatch.setenv("FAULTINJECT_JOURNAL", str(tmp_path / "journal"))
    client, injector = hooked("reset,after_bytes=2,operation=PutObject,times=1", attempts=2)
    content = io.BytesIO(b"meow meow") if body is io.BytesIO else body
    client.put_object(Bucket="photos", Key="dog", Body=content)
    assert read(client, "dog") == b"meow meow"
    first, second = injector.journal.outcomes[:2]
    assert (first.did, first.body_complete) == ("raised", False)
    assert (second.did, second.body_complete, second.request_digest is None) == ("passed", True, False)


def test_a_second_call_replaces_the_first(make):
    """One client has one injector."""
    client = make(attempts=1)
    first = inject_into(client, "http:500,operation=GetObject", seed=1)
    second = inject_into(client, "http:503,operation=HeadObject", seed=1)
    assert read(client) == DATA
    with pytest.raises(ClientError, match="503"):
        client.head_object(Bucket="photos", Key="cat")
    assert (first.injected, second.injected) == (0, 1)


@pytest.mark.parametrize("what", ["resource", "session", "awaits"])
def test_what_is_no_client_is_refused(what):
    """With the way out: nothing would be injected, or the first request fails in botocore."""
    keys = {"region_name": "us-east-1", "aws_access_key_id": "id", "aws_secret_access_key": "key"}
    if what == "awaits":
        from botocore.client import BaseClient

        class AioBaseClient(BaseClient):
            async def _make_api_call(self, *_):
                """As aiobotocore's."""

        given = AioBaseClient.__new__(AioBaseClient)
    else:
        given = boto3.Session(**keys) if what == "session" else boto3.resource("s3", **keys)
    with pytest.raises(
        TypeError, match=r"takes a client of boto3 or botocore, not '\S+': give the meta.client of a resource"
    ):
        inject_into(given, "http:503")
