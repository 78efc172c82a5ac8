"""The SDKs read the failed keys of a DeleteObjects, with reasons; other keys are deleted."""

import json
from base64 import b64encode
from contextlib import closing
from hashlib import md5

import pytest
import requests

from faultinject import vendors
from faultinject.store import ObjectStore
from faultinject.store.wsgi import ResettableStore
from tests.slowly import slowly

from .conftest import running
from .path_style import client_of
from .processes import pinned
from .sdk_clients import DeleteObject, DeleteObjectsRequest, Object, bos, cos, minio, obs, qingstor

KEYS = [f"photos/{number}/猫 &<.jpg" for number in range(40)]


def found(deleted, failed, fields):
    """The deleted keys, and key, code and message of each other key; `fields` names these three."""
    key, *_ = fields
    return [each[key] for each in deleted], [tuple(each[name] for name in fields) for each in failed]


def boto(port):
    return client_of(f"http://127.0.0.1:{port}")


def with_boto3(port, *, quiet):
    with boto(port) as client:
        wanted = {"Objects": [{"Key": key} for key in KEYS], "Quiet": quiet}
        said = client.delete_objects(Bucket="photos", Delete=wanted)
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 200
    return found(said.get("Deleted", ()), said.get("Errors", ()), ("Key", "Code", "Message"))


def with_minio(port, *, quiet):
    assert quiet, "it always asks so"
    errors = map(vars, minio(port).remove_objects("photos", [DeleteObject(key) for key in KEYS]))
    return found((), errors, ("name", "code", "message"))


def with_cos(port, *, quiet):
    with requests.Session() as session:
        wanted = {"Object": [{"Key": key} for key in KEYS], "Quiet": "true" if quiet else "false"}
        said = cos(port, retry=0, session=session).delete_objects("photos-1250000000", wanted)
    return found(said.get("Deleted", ()), said.get("Error", ()), ("Key", "Code", "Message"))


def with_qingstor(port, *, quiet):
    service = qingstor(port)
    with closing(service.client):
        said = service.Bucket("photos", "").delete_multiple_objects(
            # It wants one, and looks at no more than that.
            content_md5=b64encode(md5(b"", usedforsecurity=False).digest()).decode(),
            objects=[{"key": key} for key in KEYS],
            quiet=quiet,
        )
        return found(said.get("deleted", ()), said["errors"], ("key", "code", "message"))


def with_obs(port, *, quiet):
    with obs(f"http://127.0.0.1:{port}") as client:
        wanted = DeleteObjectsRequest(quiet=quiet, objects=[Object(key=key) for key in KEYS])
        said = client.deleteObjects("photos", wanted).body
    return found(said.deleted, said.error, ("key", "code", "message"))


def with_bos(port, *, quiet):
    assert quiet, "it is told of errors alone"
    said = bos(f"http://127.0.0.1:{port}").delete_multiple_objects("photos", KEYS)
    return found((), map(vars, said.errors or ()), ("key", "code", "message"))


TOS = """
import json, sys, tos
from tos.models2 import ObjectTobeDeleted
port, quiet, *keys = sys.argv[1:]
# It writes the bucket into the Host: the server is a proxy to it.
there = {"proxy_host": "127.0.0.1", "proxy_port": int(port)}
client = tos.TosClientV2("id", "key", "http://tos-cn-beijing.volces.com", "cn-beijing", max_retry_count=0, **there)
said = client.delete_multi_objects("photos", [ObjectTobeDeleted(key) for key in keys], quiet=quiet == "quiet")
print(json.dumps([[each.key for each in said.deleted], [[each.key, each.code, each.message] for each in said.error]]))
"""


def with_tos(port, *, quiet):
    deleted, failed = json.loads(pinned(TOS, port, "quiet" if quiet else "loud", *KEYS))
    return deleted, [tuple(each) for each in failed]


CLIENTS = {
    "s3": with_boto3,
    "r2": with_boto3,
    "rgw": with_boto3,
    "jdcloud": with_boto3,
    "kodo-s3": with_boto3,
    "gcs-xml": with_boto3,
    "minio": with_minio,
    "cos": with_cos,
    "qingstor": with_qingstor,
    "obs": with_obs,
    "bos": with_bos,
    "tos": with_tos,
}
ALWAYS_QUIET = {"minio", "bos"}


def first_error(vendor):
    """The first 5xx of a vendor that is sent for a key."""
    return next(each for each in vendors.get(vendor).errors if (each.status or 0) >= 500 and not each.form)


@pytest.mark.parametrize("vendor", CLIENTS)
def test_the_sdk_reads_them(vendor, server):
    """Key, code and message of each failure are read.

    All keys, loud and quiet, and none with a share of 0.
    """
    row = first_error(vendor)
    message = row.message or row.code
    call = CLIENTS[vendor]
    for quiet in (True,) if vendor in ALWAYS_QUIET else (False, True):
        server.use(row.address, status=200)
        deleted, failed = call(server.port, quiet=quiet)
        assert (deleted, failed) == ([], [(key, row.code, message) for key in KEYS])
        assert (server.last.operation, server.last.status) == ("DeleteObjects", 200)
    server.use(row.address, status=200, share=0.5)
    quiet = vendor in ALWAYS_QUIET
    deleted, failed = call(server.port, quiet=quiet)
    assert {(code, text) for _, code, text in failed} == {(row.code, message)}
    lost = [key for key, _, _ in failed]
    assert 5 < len(lost) < 35
    assert deleted == ([] if quiet else [key for key in KEYS if key not in lost])
    server.use(row.address, status=200, share=0)
    assert call(server.port, quiet=quiet) == ([] if quiet else KEYS, [])


def test_every_vendor_that_lists_errors_is_here():
    """None is left out."""
    assert {each for each in vendors.names() if vendors.get(each).deletes} == set(CLIENTS)


@pytest.mark.parametrize("kind", [ObjectStore, slowly(ResettableStore)])
def test_the_embedded_store_deletes_what_is_said_to_be_deleted(kind):
    """`before`: exactly the keys reported; `after`: all, also those reported as failed."""
    with running(kind("s3")) as server, boto(server.port) as client:
        client.create_bucket(Bucket="photos")
        for when in ("before", "after"):
            server.injector.use([])
            for key in KEYS:
                client.put_object(Bucket="photos", Key=key, Body=b"x")
            server.use("s3:InternalError", operation="DeleteObjects", status=200, share=0.5, when=when)
            deleted, failed = with_boto3(server.port, quiet=False)
            assert min(len(deleted), len(failed)) > 0
            lost = [key for key, _, _ in failed]
            assert sorted([*deleted, *lost]) == sorted(KEYS)
            listed = client.list_objects_v2(Bucket="photos").get("Contents", ())
            assert sorted(each["Key"] for each in listed) == sorted(lost if when == "before" else [])
            assert server.injector.errors == []


def test_a_bucket_that_is_not_there():
    """Nothing is deleted, and the answer is the same."""
    with running(ObjectStore("s3")) as server:
        server.use("s3:InternalError", operation="DeleteObjects", status=200, share=0)
        assert with_boto3(server.port, quiet=False) == (KEYS, [])
        assert server.injector.errors == []
