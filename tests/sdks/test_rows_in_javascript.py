"""The SDKs for JavaScript read status, code, message and request id of every row; what each of them hides is said here.

They run in Node, in the folder whose node_modules have them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from faultinject import Rule, vendors

pytestmark = pytest.mark.slow

DRIVERS = Path(__file__).parent / "javascript"
READ = "status", "code", "message", "request id"


def whole(row, operation, status, request_id):
    """An SDK that hides nothing."""
    return status, row.code, row.message, request_id


def minio(row, operation, status, request_id):
    """It keeps no status; of what it may try again it has a text of its own; it leaves `&#39;` as it stands."""
    if status in (408, 429, 499, 500, 502, 503, 504, 520):
        return None, None, f"Request failed after 0 retries: Error: Retryable HTTP status: {status}", None
    return None, row.code, row.message.replace("'", "&#39;").replace('"', "&#34;"), request_id


def azure(row, operation, status, request_id):
    """It adds the id and the time to the message; its driver leaves out the time."""
    return status, row.code, f"{row.message}\nRequestId:{request_id}\nTime:", request_id


def gcs(row, operation, status, request_id):
    return status, row.code, row.message, request_id


def kodo(row, operation, status, request_id):
    """Kodo's code is the status."""
    return status, "BadToken" if row.label == "401/5" else None, row.message, request_id


def tos(row, operation, status, request_id):
    """It does not read the body of a failed download."""
    if operation == "GetObject":
        return status, None, "", request_id
    return whole(row, operation, status, request_id)


@dataclass(frozen=True)
class Client:
    package: str
    driver: str
    vendors: tuple[str, ...]
    operations: tuple[str, str] = ("GetObject", "PutObject")
    says: object = whole
    attempts: object = lambda status: 1
    told_by: str = "key"

    def rows(self):
        """Those that it can be sent as errors."""
        found = (row for vendor in self.vendors for row in vendors.get(vendor).errors)
        return [row for row in found if row.status is None or row.status >= 400]


S3_KIND = ("s3", "minio", "r2", "rgw", "kodo-s3", "jdcloud", "oss", "obs", "cos", "gcs-xml", "swift")
CLIENTS = [
    Client("@aws-sdk/client-s3", "aws_sdk_s3.js", S3_KIND),
    Client("minio", "minio.js", ("minio",), says=minio),
    # Its four attempts at a 5xx cannot be turned off.
    Client("cos-nodejs-sdk-v5", "cos_nodejs_sdk_v5.js", ("cos",), attempts=lambda status: 4 if status >= 500 else 1),
    Client("ali-oss", "ali_oss.js", ("oss",)),
    Client("esdk-obs-nodejs", "esdk_obs_nodejs.js", ("obs",)),
    Client("@azure/storage-blob", "azure_storage_blob.js", ("azure-blob",), ("blob.download", "block_blob.upload"), azure),
    Client("@google-cloud/storage", "google_cloud_storage.js", ("gcs",), ("storage.objects.get", "storage.objects.insert"), gcs),
    Client("qiniu", "qiniu.js", ("kodo",), ("stat", "upload"), kodo, told_by="user-agent"),
    Client("@volcengine/tos-sdk", "tos_sdk.js", ("tos",), says=tos),
]  # fmt: skip


@pytest.fixture
def run(client):
    folder, node = os.environ.get("JAVASCRIPT_SDKS"), shutil.which("node")
    if not folder or not node:
        pytest.skip(f"{client.package} has a folder of its own, which JAVASCRIPT_SDKS names, and needs Node")
    if not Path(folder, "node_modules", client.package, "package.json").exists():
        pytest.skip(f"{client.package} is not in the folder that JAVASCRIPT_SDKS names")

    def run(url, keys):
        done = subprocess.run(
            [node, str(DRIVERS / client.driver), url],
            input="".join(f"{key}\n" for key in keys),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def rule(client, row, key):
    told = {"key": key} if client.told_by == "key" else {"header": {client.told_by: f"={key}"}}
    return Rule(row.address, **told, **({} if row.status else {"status": 400}))


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.package)
def test_rows(client, run, server):
    """Two calls a row; the server tells the rows apart by their keys."""
    rows = {f"row-{number}/cat.jpg": row for number, row in enumerate(client.rows())}
    server.injector.use([rule(client, row, key) for key, row in rows.items()])
    server.injector.journal.clear()
    answers = run(server.url, rows)
    sent = {}
    for each in server.outcomes:
        sent.setdefault((each.fault, each.operation), []).append(each)
    assert [(key, operation) for key, operation, _ in answers] == [
        (key, operation) for key in rows for operation in client.operations
    ]
    wrong = []
    for key, operation, said in answers:
        row = rows[key]
        status = row.status or 400
        asked = sent.pop((row.address, operation), [])
        wanted = client.says(row, operation, status, asked[-1].request_id if asked else "nothing sent")
        if tuple(said) != wanted or len(asked) != client.attempts(status):
            wrong.append((row.address, operation, len(asked), dict(zip(READ, zip(said, wanted, strict=True), strict=True))))
    assert wrong == []
    assert sent == {}
