"""Volcengine's SDK reads every TOS row; on HEAD it has the status, the ids and the number of the error.

It runs in a process of its own, with the folder of packages that do not go with the others' versions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from faultinject import Rule, vendors

BUCKET = "photos"
KEY = "cat pictures/猫&<1>.jpg"
ROWS = [row for row in vendors.get("tos").errors if row.status >= 400]
OPERATIONS = [
    "AppendObject", "CopyObject", "CreateBucket", "CreateMultipartUpload", "FetchObject", "GetBucketInfo", "GetFetchTask",
    "GetBucketLocation", "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListParts", "PutFetchTask", "PutSymlink",
    "RenameObject", "SetObjectMeta", "UploadPart",
]  # fmt: skip

PROGRAM = """
import json, sys
import tos

port, rows = int(sys.argv[1]), int(sys.argv[2])
bucket, key = "photos", "cat pictures/\\u732b&<1>.jpg"
# It writes the bucket into the Host: the server is a proxy to it.
there = {"proxy_host": "127.0.0.1", "proxy_port": port}
client = tos.TosClientV2("id", "key", "http://tos-cn-beijing.volces.com", "cn-beijing", max_retry_count=0, **there)

def ask(call, *arguments, **more):
    try:
        call(*arguments, **more)
    except tos.exceptions.TosServerError as error:
        number = error.ec or error.header.get("x-tos-ec", "")
        return [error.status_code, error.code, error.message, error.resource, number, error.request_id, error.id2]

def asked(number):
    client.user_agent = f"row {number}"
    return {
        "get": ask(client.get_object, bucket, key),
        "put": ask(client.put_object, bucket, key, content=b"x" * 100),
        "delete": ask(client.delete_object, bucket, key),
        "head": ask(client.head_object, bucket, key),
    }

answers = [asked(number) for number in range(rows)]
client.user_agent = "operations"
ask(client.append_object, bucket, key, 0, content=b"x")
ask(client.copy_object, bucket, key, bucket, "a")
ask(client.create_bucket, bucket)
ask(client.create_multipart_upload, bucket, key)
ask(client.fetch_object, bucket, key, "http://a.example/b")
ask(client.get_bucket_info, bucket)
ask(client.get_fetch_task, bucket, "t")
ask(client.get_bucket_location, bucket)
ask(client.list_objects, bucket)
ask(client.list_objects_type2, bucket)
ask(client.list_object_versions, bucket)
ask(client.list_parts, bucket, key, "u")
ask(client.put_fetch_task, bucket, "http://a.example/b", key)
ask(client.put_symlink, bucket, key, "target")
ask(client.rename_object, bucket, key, "b")
ask(client.set_object_meta, bucket, key, meta={"a": "b"})
ask(client.upload_part, bucket, key, "u", 1, content=b"x")
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def answers(server):
    """What the SDK said of every row, four times each; the rows are told apart by the User-Agent."""
    folder = os.environ.get("PINNED_SDKS")
    if not folder:
        pytest.skip("tos pins another wrapt and has a folder of its own, which PINNED_SDKS names")
    rules = [Rule(row.address, header={"user-agent": f"=row {number}"}) for number, row in enumerate(ROWS)]
    # It appends only where it knows the bucket's kind, which it asks for by HeadBucket: the app answers that.
    operations = Rule(
        "tos:InternalError", header={"user-agent": "=operations"}, method=["GET", "POST", "PUT"]
    )
    server.injector.use([*rules, operations])
    server.injector.journal.clear()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(server.port), str(len(ROWS))],
        env={**os.environ, "PYTHONPATH": folder},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout), server.outcomes


def numbers(row):
    extras = vendors.get("tos").extras
    return next((each.value[1:] for each in extras if each.name == "EC" and row.code in each.codes), "")


def test_rows(answers):
    """Status, code, message, resource, number and both ids of every row, from three calls."""
    read, outcomes = answers
    sent = {each.request_id: each for each in outcomes}
    wrong = []
    for row, calls in zip(ROWS, read, strict=True):
        for name in ("get", "put", "delete"):
            *said, request_id, second = calls[name]
            assert (sent[request_id].bucket, sent[request_id].key) == (BUCKET, KEY)
            if [*said, second] != [
                row.status,
                row.code,
                row.message,
                f"/{BUCKET}/{KEY}",
                numbers(row),
                request_id,
            ]:
                wrong.append((name, row.label, said))
    assert wrong == []


def test_head(answers):
    """HEAD: the status, the ids and the number, which is in a header."""
    read, outcomes = answers
    sent = {each.request_id: each.fault for each in outcomes}
    wrong = []
    for row, calls in zip(ROWS, read, strict=True):
        status, code, message, _, ec, request_id, second = calls["head"]
        if (status, code, message, ec, sent[request_id], second) != (
            row.status,
            "",
            "",
            numbers(row),
            row.address,
            request_id,
        ):
            wrong.append((row.label, calls["head"]))
    assert wrong == []


def test_operations(answers):
    """What the SDK is asked to do is what a rule can name."""
    _, outcomes = answers
    assert [each.operation for each in outcomes if each.user_agent == "operations"] == OPERATIONS
