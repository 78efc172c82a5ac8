"""Volcengine's SDK reads every TOS row; on HEAD status, ids and the error's number.

It runs in a process of its own, with the folder of packages that do not go with the others' versions.
"""

import json

import pytest

from faultinject import Rule, vendors

from .processes import pinned

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

signed, read = [], []

class Signing(tos.auth.Auth):
    def _string_to_sign(self, *arguments):
        signed.append(super()._string_to_sign(*arguments))
        return signed[-1]

def keep(answer, **more):
    read.append(answer.json())

def signatures():
    client.auth, client.user_agent = Signing("id", "key", "cn-beijing"), "signatures"
    client.session.hooks["response"].append(keep)
    ask(client.get_object, bucket, key)
    ask(client.put_object, bucket, key, content=b"x" * 100, meta={"a b": "c"})
    ask(client.list_objects_type2, bucket, prefix="a b&c/\\u732b", max_keys=5)
    get = tos.HttpMethodType.Http_Method_Get
    url = client.pre_signed_url(get, bucket, key, query={"a b": "c+d"}).signed_url
    client.session.get(url, headers={"user-agent": "signatures"}, proxies={"http": f"http://127.0.0.1:{port}"})
    return list(zip(signed, read, strict=True))

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
json.dump([answers, signatures()], sys.stdout)
"""


@pytest.fixture(scope="module")
def answers(server):
    """The SDK's report on every row, four times; the User-Agent tells the rows apart."""
    rules = [Rule(row.address, header={"user-agent": f"=row {number}"}) for number, row in enumerate(ROWS)]
    # It appends only where it knows the bucket's kind, which it asks for by HeadBucket: the app answers that.
    operations = Rule(
        "tos:InternalError", header={"user-agent": "=operations"}, method=["GET", "POST", "PUT"]
    )
    refusals = Rule("tos:SignatureDoesNotMatch", header={"user-agent": "=signatures"})
    server.injector.use([*rules, operations, refusals])
    server.injector.journal.clear()
    return *json.loads(pinned(PROGRAM, server.port, len(ROWS))), {
        each.request_id: each for each in server.outcomes
    }


def numbers(row):
    extras = vendors.get("tos").extras
    return next((each.value[1:] for each in extras if each.name == "EC" and row.code in each.codes), "")


def test_rows(answers, subtests):
    """Three calls read status, code, message, number and ids of every row.

    The resource too, except of two rows.
    """
    read, _, sent = answers
    for row, calls in zip(ROWS, read, strict=True):
        for name in ("get", "put", "delete"):
            with subtests.test(row.label, call=name):
                *said, request_id, second = calls[name]
                resource = "" if row.form else f"/{BUCKET}/{KEY}"
                assert said == [row.status, row.code, row.message, resource, numbers(row)]
                assert (second, sent[request_id].bucket, sent[request_id].key) == (request_id, BUCKET, KEY)


def test_head(answers, subtests):
    """HEAD: the status, the ids and the number, which is in a header."""
    read, _, sent = answers
    for row, calls in zip(ROWS, read, strict=True):
        with subtests.test(row.label):
            *said, request_id, second = calls["head"]
            assert said == [row.status, "", "", said[3], numbers(row)]
            assert (sent[request_id].fault, second) == (row.address, request_id)


def test_what_was_signed(answers):
    """In headers and in a query: what the SDK signed is what the service says that it did."""
    _, pairs, _ = answers
    assert len(pairs) == 4
    for signed, said in pairs:
        assert (said["Code"], said["AccessKeyId"], said["StringToSign"]) == (
            "SignatureDoesNotMatch",
            "id",
            signed,
        )


def test_operations(answers):
    """A rule can name each operation of the SDK."""
    *_, sent = answers
    assert [each.operation for each in sent.values() if each.user_agent == "operations"] == OPERATIONS
