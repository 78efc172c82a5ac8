"""Stores on loopback and the vendors' real SDKs in front of them."""

import json
import re
from contextlib import ExitStack

import pytest
import requests
from werkzeug.test import Client

from faultinject import vendors
from faultinject.store import ObjectStore
from faultinject.store.stores import STORES
from tests.on_loopback import on_loopback
from tests.slowly import FOUNDING, others_slowly

S3_VENDORS = sorted(set(STORES) - {"azure-blob", "gcs"})
"""Those whose store speaks S3, each in its own way."""
VENDORS_MOSTLY_SLOW = others_slowly(S3_VENDORS, lambda vendor: vendor in FOUNDING or vendor in ("oss", "s3"))
"""The same, most of them marked slow."""


def code_of(answer):
    """The code of an error, in XML or in JSON."""
    if "xml" in answer.content_type:
        return re.search("<Code>(.*?)</Code>", answer.text)[1]
    loaded = json.loads(answer.text)
    return loaded.get("code") or loaded["Code"]


def told(answer):
    """Status and code of an answer."""
    return answer.status_code, code_of(answer)


def documented(vendor, mistake):
    """Status and code that the vendor documents for a mistake."""
    row = vendors.get(vendor).find(STORES[vendor].mistakes[mistake])
    return row.status, row.code


def client_of(vendor="s3", *, max_bytes=2**30, **objects):
    """A client of a store with the bucket `photos` and these objects."""
    client = Client(ObjectStore(vendor, max_bytes=max_bytes))
    client.put("/photos")
    for key, content in objects.items():
        client.put(f"/photos/{key}", data=content)
    return client


def begun(client, path, **options):
    """The id of an upload that begins there."""
    return re.search(r'(?i)upload_?id(?:>|":")(\w+)', client.post(f"{path}?uploads", **options).text)[1]


def ended(client, path, upload, *tags, **options):
    """The answer to the end of an upload whose parts are 1, 2, and so on, and have these tags."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
        for number, tag in enumerate(tags, 1)
    )
    return client.post(f"{path}?uploadId={upload}", data=f"<X>{parts}</X>", **options)


def check_mistakes(vendor, cases, visit, told):
    """Check that each case gets the documented error, and leaves nothing in the store.

    Args:
        vendor: whose store it is.
        cases: mistakes, each with what makes it.
        visit: a new visitor, whose `used` are the bytes that the case may leave.
        told: the code in an answer.
    """
    assert {mistake for mistake, _ in cases} == set(STORES[vendor].mistakes)
    expected, found = [], []
    for mistake, case in cases:
        visitor = visit()
        visitor.used = visitor.store.buckets.used
        answer = case(visitor)
        row = vendors.get(vendor).find(STORES[vendor].mistakes[mistake])
        expected.append((mistake, row.status, row.code, visitor.used))
        found.append((mistake, answer.status_code, told(row, answer), visitor.store.buckets.used))
    assert found == expected


@pytest.fixture
def serve():
    """Serve a store of a dialect; gives the port."""
    with ExitStack() as stack:

        def start(vendor="cos", ssl_context=None, **options):
            store = ObjectStore(vendor, **options)
            return stack.enter_context(on_loopback(store, ssl_context=ssl_context))

        yield start


@pytest.fixture
def cos_client(serve):
    """The official COS SDK, pointed at a store by IP, with Hosts as in the cloud."""
    from qcloud_cos import CosConfig, CosS3Client

    port = serve("cos")
    config = CosConfig(
        Region="ap-guangzhou",
        SecretId="id",
        SecretKey="key",
        Scheme="http",
        IP="127.0.0.1",
        Port=port,
        ServiceDomain=f"127.0.0.1:{port}",
        Timeout=10,
    )
    with requests.Session() as session:
        yield CosS3Client(config, retry=0, session=session)


@pytest.fixture
def boto(serve):
    """A maker of boto3 clients for a store's port, path style."""
    import boto3
    from botocore.config import Config

    clients = []

    def client(port, scheme="http"):
        made = boto3.client(
            "s3",
            endpoint_url=f"{scheme}://127.0.0.1:{port}",
            region_name="us-east-1",
            verify=False,
            aws_access_key_id="id",
            aws_secret_access_key="key",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        clients.append(made)
        return made

    yield client
    for each in clients:
        each.close()
